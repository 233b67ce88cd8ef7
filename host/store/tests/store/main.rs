//! The store, on every backend.

#![allow(clippy::unwrap_used, reason = "a test that unwraps says where it failed")]

#[macro_use]
mod backend;

mod events;
mod leases;
mod moving;
mod outbox;
mod queries;
mod records;
mod schedules;
mod workflows;
mod writer;

//! The store, on every backend.

#![allow(clippy::unwrap_used, reason = "a test that unwraps says where it failed")]

#[macro_use]
mod backend;

mod api;
mod backtest;
mod events;
mod leases;
mod moving;
mod outbox;
mod queries;
mod queue;
mod records;
mod schedules;
mod webhooks;
mod workflows;
mod writer;

//! The store, on every backend.

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

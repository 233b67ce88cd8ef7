//! The store, on every backend.

#![allow(clippy::unwrap_used, reason = "a test that unwraps says where it failed")]

#[macro_use]
mod backend;

mod ahead;
mod api;
mod attachments;
mod backtest;
mod backups;
mod breakers;
mod events;
mod held_mails;
mod leases;
mod limits;
mod log;
mod logins;
mod lookups;
mod moving;
mod outbox;
mod plans;
// The file and not its crate: that one builds plugins.
#[allow(dead_code, unreachable_pub, reason = "other tests use the rest")]
#[path = "../../../../tests/src/postgres.rs"]
mod postgres;
mod queries;
mod queue;
mod records;
mod schedules;
mod settings;
mod several;
mod silence;
mod together;
mod upgrades;
mod wakes;
mod webhooks;
mod workflows;
mod writer;

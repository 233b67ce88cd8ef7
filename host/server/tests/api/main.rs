//! The API over TCP, as another program calls it.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

mod access;
mod attachments;
mod audit;
mod counts;
mod events;
mod exchange;
mod forms;
mod fuzz;
mod head_starts;
mod hooks;
mod limits;
mod messages;
mod openapi;
mod operating;
// The file and not its crate: that one builds plugins.
#[allow(dead_code, unreachable_pub, reason = "other tests use the rest")]
#[path = "../../../../tests/src/postgres.rs"]
mod postgres;
mod records;
mod routing;
mod runs;
mod served;
mod stream;
mod subscriptions;
mod surveys;
mod tokens;
mod told;

//! The API over TCP, as another program calls it.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

mod access;
mod events;
mod exchange;
mod limits;
mod records;
mod runs;
mod served;
mod tokens;

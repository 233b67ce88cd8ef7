//! Requests that really leave, to servers on this machine.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod answers;
mod private;
mod service;
mod tls;

//! The console and the customers' pages in a real browser: what people see, read
//! and press there, and a ticket's whole way through all of them.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may stop at once, and asks who runs it"
)]

mod chromium;
mod company;
mod keyboard;
mod screens;
mod whole_way;

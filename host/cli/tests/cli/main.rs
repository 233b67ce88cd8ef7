//! The program itself, as a person or a script calls it.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

mod approvals;
mod backtest;
mod flow;
mod help;
mod operating;
mod plugin_authors;
mod plugins;
mod program;
mod secrets;
mod service_levels;
mod serving;
mod starting;
mod telling;
mod testing;
mod tokens;
mod wrong;

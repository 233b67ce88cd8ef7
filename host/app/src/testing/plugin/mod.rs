//! Tests of plugins: each case is one call of an action, on a company of its
//! own, by the real host and in the real sandbox, under a clock that stands
//! still.
//!
//! `call` makes the company and the call, `cassette` plays the web services,
//! `judge` holds what came of it against what is expected, and `faults` calls
//! again with something gone wrong, through the `meddler`, who stands between
//! the plugin and its host.

mod call;
mod cassette;
mod faults;
mod judge;
mod meddler;
mod remarks;
mod report;
mod tests;

pub use remarks::{Remark, remarks};
pub use report::{CallUse, FaultReport, PluginCaseReport};
pub use tests::{PluginTests, load_plugin};

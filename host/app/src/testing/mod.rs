//! Tests of workflows: the real engine, the real store and the real plugins,
//! on a company of its own for each case, under a clock that the test moves.
//!
//! `stage` holds what all cases share, `scene` is one case's company, `play`
//! makes happen what a play says, `seen` looks at what came of it, `expect`
//! holds that against what is expected, and `rig` is what stands between the
//! host and the world: actions that pretend, and crashes.

mod case;
mod compare;
mod expect;
mod play;
mod report;
mod rig;
mod scene;
mod seen;
mod stage;
mod tests;

pub use report::{CaseReport, Failure};
pub(crate) use rig::Rig;
pub use stage::Ground;
pub use tests::{Tests, is_test_file};

//! Tests of workflows: the real engine, the real store and the real plugins,
//! on a company of its own for each case, under a clock that the test moves.
//!
//! `stage` holds what all cases share, `scene` is one case's company, `play`
//! makes happen what a play says, `seen` looks at what came of it, `expect`
//! holds that against what is expected, and `rig` is what stands between the
//! host and the world: actions that pretend, and crashes. `plugin` are the
//! tests of one plugin by itself.

mod case;
#[cfg(test)]
mod clock_jumps;
mod compare;
mod coverage;
#[cfg(test)]
mod crash_points;
mod expect;
mod from_run;
mod mutate;
mod play;
pub mod plugin;
mod report;
mod rig;
mod scene;
mod seen;
mod stage;
mod stand_in;
mod tests;
mod words;
mod yaml;

pub use coverage::{Coverage, Missed};
pub use mutate::{Mutation, Survivor};
pub use report::{CaseReport, Failure};
pub(crate) use rig::{Point, Rig};
pub use stage::Ground;
pub(crate) use tests::check_tests;
pub use tests::{Results, Tests, is_test_file};

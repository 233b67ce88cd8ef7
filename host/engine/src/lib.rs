//! A run of a workflow as a pure state machine.
//!
//! Whoever moves runs asks three questions, and the answers depend on nothing
//! but the arguments: [`decide`] says what an input means for a run (as
//! events), [`Run::apply`] makes one event part of the run's state, and
//! [`due`] says what the run is owed next: a call of an action, or a sleep
//! until a time or a happening. Recovery only recomputes them.
//!
//! The style is that of steno's saga log and rust-analyzer's pure core; there
//! is no clock here, no randomness and no waiting. Where a formula needs a
//! record that is not at hand, the answer is [`Halt::Need`]: fetch it, ask
//! again.
//!
//! Whoever moves a run gives it what has happened before it wakes it, so that
//! a timer sees what came before it.

mod admit;
mod call;
mod deadline;
mod decide;
mod due;
mod event;
mod happening;
mod occurrence;
mod run;
mod wait;
mod world;

pub use admit::{Admission, admit};
pub use call::Call;
pub use decide::{ActionOutcome, Halt, Input, Returned, decide};
pub use due::{Due, due, watches};
pub use event::{Event, StepFailure};
pub use happening::{Happening, HappeningKind, Watch};
pub use run::{Clock, Frame, Outcome, Pending, Run, Start, State, Status};

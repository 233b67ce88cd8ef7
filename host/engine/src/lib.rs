//! A run of a workflow as a pure state machine.
//!
//! Whoever moves runs asks three questions, and the answers depend on nothing
//! but the arguments: [`decide`] says what an input means for a run (as
//! events), [`Run::apply`] makes one event part of the run's state, and
//! [`due`] says what the run is owed next: a call of an action, the beginning
//! of another run, or a sleep until a time or a happening. Recovery only
//! recomputes them.
//!
//! A run goes on along [`Strand`]s: its own, and one for each branch of a
//! `parallel` and each item of a `for_each` that is under way. They overlap
//! in their waits, not in their calls.
//!
//! The style is that of steno's saga log and rust-analyzer's pure core; there
//! is no clock here, no randomness and no waiting. Where a formula needs a
//! record that is not at hand, the answer is [`Halt::Need`]: fetch it, ask
//! again.
//!
//! Whoever moves a run gives it what has happened before it wakes it, so that
//! a timer sees what came before it.

mod admit;
mod ahead;
mod call;
mod choice;
mod deadline;
mod decide;
mod due;
mod ending;
mod event;
mod for_each;
mod happening;
mod inputs;
mod occurrence;
mod outcome;
mod retry;
mod rounds;
mod run;
mod strand;
mod sub_run;
mod wait;
mod world;

pub use admit::{Admission, Asked, admit, admit_asked};
pub use call::{ActionOutcome, Call, Returned, idempotency_key};
pub use decide::{Halt, Input, decide};
pub use due::{Due, due, next_timer, watches};
pub use ending::RUN_ENDED;
pub use event::{Event, StepFailure};
pub use happening::{Happening, HappeningKind, Watch};
pub use inputs::read_inputs;
pub use outcome::Outcome;
pub use retry::{FailurePoint, GAVE_UP, Retry, read_values};
pub use rounds::{Rounds, RoundsError};
pub use run::{Parent, Run, Start, State, Status};
pub use strand::{Clock, DoneStep, Frame, Items, Pending, Strand};
pub use sub_run::{ChildAnswer, ChildCall};

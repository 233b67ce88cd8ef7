//! Everything SQL: records, events, runs, outbox, schedules.
//!
//! [`Store::write`] runs a logical transaction on the one writer; inside it,
//! the methods of [`Tx`] read and write. The methods of [`Store`] itself read
//! what is committed. All are named noun first: `record_fetch`, `run_claim`.

mod backtest;
mod connection;
mod dialect;
mod enrolment;
mod error;
mod event;
mod floor;
mod ingest;
mod lease;
mod outbox;
mod query;
mod queue;
mod record;
mod run;
mod schedule;
mod state;
mod store;
mod table;
mod token;
mod value;
mod webhook;
mod workflow;
mod writer;

pub use backtest::{CallRow, PastFilter, PastRun};
pub use enrolment::{Enrolment, EnrolmentRow, NewEnrolment, NotStarted};
pub use error::{RecordError, StoreError};
pub use event::{LoggedEvent, NewEvent};
pub use ingest::{EventResult, KnownRequest, RequestKey};
pub use lease::{Claimed, Committed, RunCommit};
pub use outbox::{Delivery, Effect, EffectFilter, EffectKind, EffectStatus, NewEffect};
pub use query::{Condition, Operator, Order, PAGE, Page, Query};
pub use queue::{NewQueued, QueueFilter, Queued};
pub use record::{Cause, Fresh, Write, Written};
pub use run::{LogRow, NewRun, Priority, RunFilter, RunRow, RunStatus};
pub use schedule::{Fire, FireRow, NewSchedule, ScheduleRow};
pub use state::{PluginState, Put};
pub use store::{Store, StoreConfig, Tx};
pub use token::TokenRow;
pub use workflow::{ActivationRow, NewVersion, WorkflowRow, WorkflowVersion};

//! Everything SQL: records, events, runs, outbox, schedules.
//!
//! [`Store::write`] runs a logical transaction on the one writer; inside it,
//! the methods of [`Tx`] read and write. The methods of [`Store`] itself read
//! what is committed. All are named noun first: `record_fetch`, `run_claim`.

mod backtest;
mod backup;
mod breaker;
mod connection;
mod dialect;
mod duty;
mod enrolment;
mod error;
mod event;
mod floor;
mod given;
mod health;
mod hint;
mod ingest;
mod lease;
mod limit;
mod listening;
mod login;
mod observe;
mod outbox;
mod pause;
mod postgres;
mod query;
mod queue;
mod record;
mod record_batch;
mod reopen;
mod retention;
mod run;
mod schedule;
mod search;
mod sqlite;
mod state;
mod store;
mod table;
mod token;
mod value;
mod wake;
mod webhook;
mod workflow;
mod writer;

pub use backtest::{CallRow, PastFilter, PastRun};
pub use backup::{BackupError, BackupReport, backup, hold_effects, inspect};
pub use breaker::BreakerRow;
pub use duty::Turn;
pub use enrolment::{Enrolment, EnrolmentRow, NewEnrolment, NotStarted};
pub use error::{RecordError, StoreError};
pub use event::{LoggedEvent, NewEvent};
pub use health::{Backlog, Counts};
pub use ingest::{EventResult, KnownRequest, RequestKey};
pub use lease::{Claimed, Committed, RunCommit};
pub use limit::{Entered, Limit, LimitRow};
pub use login::{AuditFilter, AuditRow, LoginRow, SessionRow};
pub use observe::{WriteBatch, WriteObserver};
pub use outbox::{Delivery, Effect, EffectFilter, EffectKind, EffectStatus, NewEffect, Way};
pub use pause::{Pause, PauseScope, PauseScopeError, Unparked};
pub use postgres::{DatabaseUrl, DatabaseUrlError};
pub use query::{Condition, Operator, Order, PAGE, Page, Query};
pub use queue::{NewQueued, QueueFilter, Queued};
pub use record::{Cause, Fresh, Write, Written};
pub use record_batch::{Heard, RecordBatch};
pub use reopen::{Reopened, RunReopen};
pub use retention::{Cleaned, EndedPlace};
pub use run::{Lease, LogRow, NewRun, Priority, RunFilter, RunRow, RunStatus};
pub use schedule::{Fire, FireRow, NewSchedule, ScheduleRow};
pub use search::RunSearch;
pub use state::{PluginState, Put};
pub use store::{Place, Store, StoreConfig, Tx};
pub use token::TokenRow;
pub use wake::{Part, Wakes};
pub use workflow::{ActivationRow, NewVersion, WorkflowRow, WorkflowVersion};
pub use writer::{Outcomes, Together};

//! The words that every room of Relata shares: ids, values, object
//! definitions, records, changes, calendars and service levels.
//!
//! Pure: no input or output, no clock and no randomness. Where something
//! needs the time or a fresh id, it takes it as an argument.

pub mod access;
pub mod calendar;
pub mod duration;
pub mod field;
pub mod id;
pub mod object;
pub mod record;
pub mod seed;
pub mod service_level;
pub mod text;
pub mod value;
mod yaml;

pub use access::{Act, Area, Doing, FieldAccess, Permissions, Reach};
pub use calendar::Calendar;
pub use duration::Duration;
pub use field::{FieldDefinition, FieldType};
pub use id::{EffectId, EventId, RecordId, RunId};
pub use object::{ObjectDefinition, Objects};
pub use record::{Change, ChangeKind, FieldError, Fields, Record, Reference};
pub use service_level::ServiceLevel;
pub use value::{Money, Value};

/// Re-exported, so that every room means the same by a point in time, a day
/// and a decimal.
pub use jiff::{Timestamp, civil::Date, tz::TimeZone};
pub use rust_decimal::Decimal;

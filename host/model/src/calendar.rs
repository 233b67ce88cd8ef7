//! Opening hours.

use jiff::{Timestamp, tz::TimeZone};

use crate::{Duration, Fields};

/// Opening hours in a time zone, with holidays and extra working days. All
/// spans are half open: at 17:00 an office open `09:00-17:00` is closed.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: TimeZone,
}

impl Calendar {
    /// Reads the fields of a `calendar` record.
    pub fn from_fields(_fields: &Fields) -> Result<Self, crate::FieldError> { todo!() }
    /// A calendar that is always open.
    pub fn always_open(zone: TimeZone) -> Self { Self { zone } }
    /// The zone of its local times.
    #[must_use]
    pub const fn zone(&self) -> &TimeZone { &self.zone }
    /// Whether it is open at a time.
    pub fn is_open(&self, _at: Timestamp) -> bool { todo!() }
    /// The time itself where it is open then, else the next opening; none within ten years.
    pub fn next_opening(&self, _at: Timestamp) -> Option<Timestamp> { todo!() }
    /// The time a duration after `from` ...
    pub fn after(&self, _from: Timestamp, _duration: Duration) -> Option<Timestamp> { todo!() }
    /// Elapsed open milliseconds between two times.
    pub fn open_millis(&self, _from: Timestamp, _to: Timestamp) -> i64 { todo!() }
}

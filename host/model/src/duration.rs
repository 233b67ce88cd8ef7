//! Lengths of time as people say them: `24 hours`, `1 day`, `4 working hours`.

use std::{fmt, str::FromStr};

use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde::{Deserialize, Serialize};

/// A length of time. `24 hours` is elapsed time; `1 day` is the same local
/// time on the next day; working hours and working days need a calendar. The
/// parts are kept apart, since none of them turns into another without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub struct Duration {
    /// Calendar months (a year is 12).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub months: i64,
    /// Calendar days (a week is 7).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub days: i64,
    /// Elapsed milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub millis: i64,
    /// Working days of a calendar.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub working_days: i64,
    /// Elapsed milliseconds within a calendar's opening hours.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub working_millis: i64,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
const fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration; write `24 hours`, `1 day`, `90 minutes` or `4 working hours`")]
pub struct DurationError(String);

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// The units by name: the part they go to, and how many of it one is.
const UNITS: &[(&str, Part, i64)] = &[
    ("millisecond", Part::Millis, 1),
    ("second", Part::Millis, SECOND),
    ("minute", Part::Millis, MINUTE),
    ("hour", Part::Millis, HOUR),
    ("day", Part::Days, 1),
    ("week", Part::Days, 7),
    ("month", Part::Months, 1),
    ("year", Part::Months, 12),
    ("working minute", Part::WorkingMillis, MINUTE),
    ("working hour", Part::WorkingMillis, HOUR),
    ("working day", Part::WorkingDays, 1),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Months,
    Days,
    Millis,
    WorkingDays,
    WorkingMillis,
}

impl Duration {
    /// So many elapsed milliseconds.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self { months: 0, days: 0, millis, working_days: 0, working_millis: 0 }
    }

    /// Whether it needs a calendar.
    #[must_use]
    pub const fn is_working(&self) -> bool {
        self.working_days != 0 || self.working_millis != 0
    }

    /// One amount of a unit (`hour`, `hours`, `working day`); `None` where
    /// the unit is unknown or the amount does not make whole parts of it.
    #[must_use]
    pub fn of(amount: Decimal, unit: &str) -> Option<Self> {
        let unit = unit.strip_suffix('s').unwrap_or(unit);
        let (_, part, size) = UNITS.iter().find(|(name, ..)| *name == unit)?;
        let count = amount.checked_mul(Decimal::from(*size))?;
        if !count.fract().is_zero() {
            return None;
        }
        let count = count.to_i64()?;
        let mut duration = Self::default();
        *duration.part_mut(*part) = count;
        Some(duration)
    }

    /// Both one after the other; `None` past the range.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Some(Self {
            months: self.months.checked_add(other.months)?,
            days: self.days.checked_add(other.days)?,
            millis: self.millis.checked_add(other.millis)?,
            working_days: self.working_days.checked_add(other.working_days)?,
            working_millis: self.working_millis.checked_add(other.working_millis)?,
        })
    }

    /// The same length backwards.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self {
            months: self.months.saturating_neg(),
            days: self.days.saturating_neg(),
            millis: self.millis.saturating_neg(),
            working_days: self.working_days.saturating_neg(),
            working_millis: self.working_millis.saturating_neg(),
        }
    }

    /// A share of it, such as half: `None` where calendar parts (months,
    /// days, working days) would not stay whole, or past the range.
    #[must_use]
    pub fn share(self, factor: Decimal) -> Option<Self> {
        let whole = |part: i64| -> Option<i64> {
            let part = Decimal::from(part).checked_mul(factor)?;
            if part.fract().is_zero() { part.to_i64() } else { None }
        };
        let rounded = |part: i64| Decimal::from(part).checked_mul(factor)?.round().to_i64();
        Some(Self {
            months: whole(self.months)?,
            days: whole(self.days)?,
            millis: rounded(self.millis)?,
            working_days: whole(self.working_days)?,
            working_millis: rounded(self.working_millis)?,
        })
    }

    fn part_mut(&mut self, part: Part) -> &mut i64 {
        match part {
            Part::Months => &mut self.months,
            Part::Days => &mut self.days,
            Part::Millis => &mut self.millis,
            Part::WorkingDays => &mut self.working_days,
            Part::WorkingMillis => &mut self.working_millis,
        }
    }
}

impl FromStr for Duration {
    type Err = DurationError;

    /// Reads one or more amounts with their units: `1 day 4 hours`.
    fn from_str(text: &str) -> Result<Self, DurationError> {
        let wrong = || DurationError(text.trim().to_owned());
        let mut words = text.split_whitespace().peekable();
        let mut total = Self::default();
        let mut any = false;
        while let Some(amount) = words.next() {
            let amount: Decimal = amount.parse().map_err(|_| wrong())?;
            let mut unit = words.next().ok_or_else(wrong)?.to_lowercase();
            if unit == "working" {
                unit.push(' ');
                unit.push_str(&words.next().ok_or_else(wrong)?.to_lowercase());
            }
            let part = Self::of(amount, &unit).ok_or_else(wrong)?;
            total = total.checked_add(part).ok_or_else(wrong)?;
            any = true;
        }
        if any { Ok(total) } else { Err(wrong()) }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let mut part = |count: i64, unit: &str| {
            if count != 0 {
                let s = if count.unsigned_abs() == 1 { "" } else { "s" };
                parts.push(format!("{count} {unit}{s}"));
            }
        };
        part(self.months, "month");
        part(self.days, "day");
        let mut elapsed = |millis: i64, working: &str| {
            part(millis / HOUR, &format!("{working}hour"));
            part(millis % HOUR / MINUTE, &format!("{working}minute"));
            if working.is_empty() {
                part(millis % MINUTE / SECOND, "second");
                part(millis % SECOND, "millisecond");
            }
        };
        elapsed(self.millis, "");
        elapsed(self.working_millis, "working ");
        part(self.working_days, "working day");
        if parts.is_empty() {
            return f.write_str("0 seconds");
        }
        f.write_str(&parts.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_survives() {
        for (written, again) in [
            ("24 hours", "24 hours"),
            ("1 day", "1 day"),
            ("90 minutes", "1 hour 30 minutes"),
            ("1.5 hours", "1 hour 30 minutes"),
            ("42 minutes 30 seconds", "42 minutes 30 seconds"),
            ("4 working hours", "4 working hours"),
            ("1 working day", "1 working day"),
            ("2 weeks", "14 days"),
            ("0 seconds", "0 seconds"),
        ] {
            let duration: Duration = written.parse().unwrap();
            assert_eq!(duration.to_string(), again);
            assert_eq!(again.parse::<Duration>().unwrap(), duration);
        }
        for wrong in [
            "",
            "hours",
            "24",
            "24 lightyears",
            "1.5 days",
            "42m30s",
            "9999999999999999999999 hours",
        ] {
            assert!(wrong.parse::<Duration>().is_err(), "{wrong}");
        }
    }
}

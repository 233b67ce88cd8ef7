//! The levels at which somebody is told of a ticket that runs late.

use std::{fmt, str::FromStr};

use rust_decimal::{Decimal, prelude::ToPrimitive};

use crate::Duration;

/// How far a clock has come: `75%` of the time that there is, or `+2 working
/// hours` after all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// A share of the target, in percent.
    Share(Decimal),
    /// So much later than the target, measured as the target is: milliseconds.
    Over(i64),
}

/// Why a text is no [`Level`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no level; write a share such as `75%`, or `+2 working hours` for later than that"
)]
pub struct LevelError(String);

impl Level {
    /// All the time is gone.
    pub const DUE: Self = Self::Share(Decimal::ONE_HUNDRED);

    /// After so many milliseconds of a target of so many.
    #[must_use]
    pub fn millis(self, target: i64) -> i64 {
        match self {
            Self::Share(percent) => Decimal::from(target)
                .checked_mul(percent)
                .and_then(|share| (share / Decimal::ONE_HUNDRED).round().to_i64())
                .unwrap_or(i64::MAX),
            Self::Over(millis) => target.saturating_add(millis),
        }
    }

    /// Whether it comes before all the time is gone.
    #[must_use]
    pub fn is_warning(self) -> bool {
        matches!(self, Self::Share(percent) if percent < Decimal::ONE_HUNDRED)
    }
}

impl FromStr for Level {
    type Err = LevelError;

    /// Reads `75%`, `+2 working hours` or `+30 minutes`. What is over is
    /// measured as the target is, so both kinds of hours mean the same.
    fn from_str(written: &str) -> Result<Self, LevelError> {
        let written = written.trim();
        let wrong = || LevelError(written.to_owned());
        if let Some(percent) = written.strip_suffix('%') {
            let percent: Decimal = percent.trim().parse().map_err(|_| wrong())?;
            let percent = percent.normalize();
            let known = percent > Decimal::ZERO && percent <= Decimal::from(1_000);
            return known.then_some(Self::Share(percent)).ok_or_else(wrong);
        }
        let over = written.strip_prefix('+').ok_or_else(wrong)?;
        let over: Duration = over.parse().map_err(|_| wrong())?;
        let plain = over.months == 0 && over.days == 0 && over.working_days == 0;
        let millis = over.millis.checked_add(over.working_millis).ok_or_else(wrong)?;
        (plain && over.millis >= 0 && over.working_millis >= 0 && millis > 0)
            .then_some(Self::Over(millis))
            .ok_or_else(wrong)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(percent) => write!(f, "{percent}%"),
            Self::Over(millis) => write!(f, "+{}", Duration::from_millis(*millis)),
        }
    }
}

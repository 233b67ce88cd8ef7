//! The one clock of the house. Every other room takes the time as an
//! argument.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use relata_model::Timestamp;

/// The machine's stopwatch, for how old something in memory is; no rehearsal
/// moves it.
pub(crate) fn monotonic() -> Instant {
    #[allow(clippy::disallowed_methods)] // this is the place that the ban points to
    Instant::now()
}

/// Tells the time, to the millisecond.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's.
    Real,
    /// A rehearsal's: stands still until somebody moves it.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A rehearsal's clock that shows `at`.
    #[must_use]
    pub fn manual(at: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(at.as_millisecond())))
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let millis = match self {
            #[allow(clippy::disallowed_methods)] // this is the place that the ban points to
            Self::Real => Timestamp::now().as_millisecond(),
            Self::Manual(at) => at.load(Ordering::SeqCst),
        };
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
    }

    /// Whether it only moves by hand.
    #[must_use]
    pub const fn is_manual(&self) -> bool {
        matches!(self, Self::Manual(_))
    }

    /// Moves a rehearsal's clock; never back.
    pub(crate) fn set(&self, at: Timestamp) {
        if let Self::Manual(clock) = self {
            clock.fetch_max(at.as_millisecond(), Ordering::SeqCst);
        }
    }
}

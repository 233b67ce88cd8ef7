//! The one clock of the house. Every other room takes the time as an
//! argument.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
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
    /// That of the database server, which all hosts on it share.
    Server(Arc<ServerClock>),
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
            Self::Server(clock) => clock.now(),
            Self::Manual(at) => at.load(Ordering::SeqCst),
        };
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
    }

    /// The time by which it is told how long somebody looked at a page: people
    /// do not stand still while a rehearsal's clock does.
    pub(crate) fn of_visitors(&self) -> Timestamp {
        match self {
            Self::Manual(_) => Self::Real.now(),
            Self::Real | Self::Server(_) => self.now(),
        }
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

/// The server's time as it was last asked for, and what has passed since. The
/// machine's own time of day may be wrong, or be set back meanwhile.
#[derive(Debug)]
pub struct ServerClock {
    begun: Instant,
    /// The server's time when this was begun, milliseconds.
    shown: AtomicI64,
    /// When the server was last asked, milliseconds since this was begun.
    asked: AtomicI64,
}

impl ServerClock {
    /// A clock that shows what the server has just said.
    #[allow(clippy::disallowed_methods, reason = "this is the place that the ban points to")]
    pub(crate) fn new(now: Timestamp) -> Self {
        let shown = AtomicI64::new(now.as_millisecond());
        Self { begun: Instant::now(), shown, asked: AtomicI64::new(0) }
    }

    fn passed(&self) -> i64 {
        i64::try_from(self.begun.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn now(&self) -> i64 {
        self.shown.load(Ordering::Relaxed).saturating_add(self.passed())
    }

    /// Whether the server was last asked so long ago.
    pub(crate) fn is_due(&self, every: Duration) -> bool {
        let every = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
        self.passed() - self.asked.load(Ordering::Relaxed) >= every
    }

    /// Sets it by what the server has just said: behind it by no more than the
    /// answer took, and never before it.
    pub(crate) fn set(&self, now: Timestamp) {
        let passed = self.passed();
        self.shown.store(now.as_millisecond().saturating_sub(passed), Ordering::Relaxed);
        self.asked.store(passed, Ordering::Relaxed);
    }
}

/// A clock that only goes forward, in microseconds since it was first asked:
/// for telling how long something took, also in a rehearsal.
pub(crate) fn monotonic_micros() -> u64 {
    static BEGAN: OnceLock<Instant> = OnceLock::new();

    #[allow(clippy::disallowed_methods)] // this is the place that the ban points to
    let now = Instant::now();
    let began = BEGAN.get_or_init(|| now);
    u64::try_from(now.saturating_duration_since(*began).as_micros()).unwrap_or(u64::MAX)
}

//! The CPU time of one call.
//!
//! Counting ticks would not do: a guest that spends a tick's time in a host
//! call of many ticks would pay for one, and one that the machine keeps waiting
//! would pay for its neighbours. So the thread's own clock is read where the
//! guest begins to run and where it stops.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The guest does not run.
const SUSPENDED: u64 = u64::MAX;

/// What a guest has used, and since when it runs.
///
/// Between two suspensions it stays on one thread; so the thread's clock tells
/// how long it ran, and what it did in the host without waiting.
pub(crate) struct CpuClock {
    used_ns: u64,
    /// The thread's clock as the guest began to run, or [`SUSPENDED`]. The future
    /// by which a guest yields sets it, as the only one who knows when it is
    /// resumed.
    since_ns: Arc<AtomicU64>,
}

impl CpuClock {
    /// A guest that begins to run now, on this thread.
    pub(crate) fn start() -> Self {
        Self { used_ns: 0, since_ns: Arc::new(AtomicU64::new(thread_ns())) }
    }

    /// What it has used up to now.
    pub(crate) fn charge(&mut self) -> Duration {
        let since = self.since_ns.load(Ordering::Relaxed);
        if since != SUSPENDED {
            let now = thread_ns();
            self.used_ns += now.saturating_sub(since);
            self.since_ns.store(now, Ordering::Relaxed);
        }
        Duration::from_nanos(self.used_ns)
    }

    /// It waits: what this thread does now is not its doing.
    pub(crate) fn suspend(&mut self) {
        self.charge();
        self.since_ns.store(SUSPENDED, Ordering::Relaxed);
    }

    /// It runs again, perhaps on another thread.
    pub(crate) fn resume(&self) {
        self.since_ns.store(thread_ns(), Ordering::Relaxed);
    }

    /// Lets others run first.
    pub(crate) fn yielding(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.suspend();
        let since = Arc::clone(&self.since_ns);
        Box::pin(async move {
            tokio::task::yield_now().await;
            since.store(thread_ns(), Ordering::Relaxed);
        })
    }
}

/// The CPU time of this thread, in nanoseconds.
#[cfg(unix)]
fn thread_ns() -> u64 {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let whole = u64::try_from(time.tv_sec).unwrap_or(0).saturating_mul(1_000_000_000);
    whole.saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// Elsewhere the time that passes stands for it, as if no other ran meanwhile.
#[cfg(not(unix))]
#[allow(
    clippy::disallowed_methods,
    reason = "it measures how long a guest runs, no decision depends on the time of day"
)]
fn thread_ns() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static BEGINNING: OnceLock<Instant> = OnceLock::new();
    let passed = BEGINNING.get_or_init(Instant::now).elapsed();
    u64::try_from(passed.as_nanos()).unwrap_or(SUSPENDED - 1)
}

//! What somebody may watch of the writer: how much it commits at once, and
//! for how long.

use std::{fmt, sync::OnceLock};

/// A batch of the writer, after its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteBatch {
    /// How many logical transactions it held.
    pub members: usize,
    /// From its beginning to the end of the commit, microseconds.
    pub micros: u64,
}

/// Who watches the writer, and by which clock.
pub struct WriteObserver {
    /// A clock that only goes forward, in microseconds.
    pub micros: fn() -> u64,
    /// Told of each batch; must be quick.
    pub observe: Box<dyn Fn(WriteBatch) + Send + Sync>,
}

impl fmt::Debug for WriteObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteObserver").finish_non_exhaustive()
    }
}

/// The place of the one observer of a store.
#[derive(Debug, Default)]
pub(crate) struct Observed(OnceLock<WriteObserver>);

impl Observed {
    /// Sets the observer; false where there is one.
    pub(crate) fn set(&self, observer: WriteObserver) -> bool {
        self.0.set(observer).is_ok()
    }

    /// What the clock shows; nothing where nobody watches.
    pub(crate) fn begin(&self) -> Option<u64> {
        self.0.get().map(|observer| (observer.micros)())
    }

    /// Tells of a batch that began then.
    pub(crate) fn end(&self, began: Option<u64>, members: usize) {
        if let (Some(observer), Some(began)) = (self.0.get(), began) {
            let micros = (observer.micros)().saturating_sub(began);
            (observer.observe)(WriteBatch { members, micros });
        }
    }
}

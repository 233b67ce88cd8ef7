//! How many runs a host has in motion at a time. The sandbox has its own limit; these
//! bound what lies in memory.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many runs that were claimed move at the most.
const MOST_CLAIMED: u32 = 384;

/// How many of them one claim takes at the most: while these begin to move, the writer
/// commits others, and claims the next in the same transaction.
const CLAIMED_AT_ONCE: usize = 128;

/// How long a claim waits for more places where others are moving: those that are
/// committed together give theirs up one after another.
const GATHERING: Duration = Duration::from_millis(1);

/// How many more that requests have begun: a hundred thousand that fall due at
/// once do not keep those waiting.
const MOST_BEGUN: u32 = 384;

/// The places for the runs that a host has in motion.
#[derive(Debug)]
pub(crate) struct Places {
    /// Under which name the host claims them.
    owner: String,
    /// For runs that are claimed.
    claimed: Arc<Semaphore>,
    /// For runs that requests begin.
    begun: Arc<Semaphore>,
}

impl Places {
    pub(crate) fn new(owner: String) -> Self {
        let places = |count: u32| Arc::new(Semaphore::new(count as usize));
        Self { owner, claimed: places(MOST_CLAIMED), begun: places(MOST_BEGUN) }
    }

    /// Under which name the host claims runs.
    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }

    /// As many for claimed runs as there are and one claim takes; waits until it is at
    /// least one.
    pub(crate) async fn to_claim(&self) -> Vec<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        let first = Arc::clone(&self.claimed).acquire_owned().await.ok();
        if 1 + self.claimed.available_permits() < CLAIMED_AT_ONCE {
            tokio::time::sleep(GATHERING).await;
        }
        let further = std::iter::from_fn(|| Arc::clone(&self.claimed).try_acquire_owned().ok());
        first.into_iter().chain(further).take(CLAIMED_AT_ONCE).collect()
    }

    /// Places for so many runs that a request begins, if there are.
    pub(crate) fn to_begin(&self, count: usize) -> Option<Vec<OwnedSemaphorePermit>> {
        (0..count).map(|_| Arc::clone(&self.begun).try_acquire_owned().ok()).collect()
    }

    /// All places: nothing else is in motion.
    pub(crate) async fn all(&self) -> [Option<OwnedSemaphorePermit>; 2] {
        [
            Arc::clone(&self.begun).acquire_many_owned(MOST_BEGUN).await.ok(),
            Arc::clone(&self.claimed).acquire_many_owned(MOST_CLAIMED).await.ok(),
        ]
    }

    /// Waits until the steps that have begun have come to their end.
    pub(crate) async fn rest(&self) {
        drop(self.all().await);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_claim_leaves_places_for_the_next_one() {
        let places = Places::new("host".to_owned());
        let mut taken = Vec::new();
        for _ in 0..3 {
            let claim = places.to_claim().now_or_never().expect("there is room, so nobody waits");
            assert_eq!(claim.len(), CLAIMED_AT_ONCE);
            taken.push(claim);
        }
        assert!(places.to_claim().now_or_never().is_none(), "384 are in motion");
        assert!(places.to_begin(1).is_some(), "and requests have places of their own");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_given_up_within_a_moment_is_claimed_together() {
        let places = Places::new("host".to_owned());
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.extend(places.to_claim().await);
        }
        let claim = places.to_claim();
        let commit = async {
            for _ in 0..50 {
                taken.pop();
                tokio::task::yield_now().await;
            }
        };
        assert_eq!(futures::join!(claim, commit).0.len(), 50);
    }
}

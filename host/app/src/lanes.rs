//! Exclusive lanes: steps with one key run one after another until their
//! commit, so that a round robin stays fair however many runs are at it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// All lanes of this host, by key. A lane lives as long as somebody uses it.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    lanes: Mutex<HashMap<String, Weak<AsyncMutex<()>>>>,
}

impl Lanes {
    /// Waits for the lane, first come, first served; it is free again when
    /// the guard is dropped.
    pub(crate) async fn enter(&self, key: &str) -> OwnedMutexGuard<()> {
        let lane = {
            let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(lane) = lanes.get(key).and_then(Weak::upgrade) {
                lane
            } else {
                lanes.retain(|_, lane| lane.strong_count() > 0);
                let lane = Arc::new(AsyncMutex::new(()));
                lanes.insert(key.to_owned(), Arc::downgrade(&lane));
                lane
            }
        };
        lane.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_in_a_lane_and_nothing_is_kept() {
        let lanes = Lanes::default();
        let first = lanes.enter("rotation/dach").await;
        let other = lanes.enter("rotation/enterprise").await;
        let second = {
            let lane = lanes.lanes.lock().unwrap().get("rotation/dach").unwrap().upgrade().unwrap();
            lane.try_lock_owned()
        };
        assert!(second.is_err());
        drop((first, other));
        let _third = lanes.enter("rotation/dach").await;
        assert_eq!(lanes.lanes.lock().unwrap().len(), 1, "lanes that nobody uses are gone");
        let _fourth = lanes.enter("routing").await;
        assert_eq!(lanes.lanes.lock().unwrap().len(), 2);
    }
}

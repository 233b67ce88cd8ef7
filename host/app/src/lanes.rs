//! Exclusive lanes: steps with one key run one after another until their
//! commit, so that a round robin stays fair however many runs are at it.
//!
//! One step is inside, one gets ready behind it (so that what it writes before
//! its call takes none of the lane's time), the others stand in line. Where
//! several hosts share a database, the step inside has a turn of it; it leaves
//! that turn to the next of its own host, for a while, and then to the others.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use relata_model::Timestamp;
use relata_store::Turn;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::runner::later;

/// How long one host's steps follow each other before the other hosts have their
/// chance. A turn that changes hands costs as much as several steps.
const TENURE: Duration = Duration::from_millis(400);

/// How long a lane is left to the others then: long enough for one that looks
/// every [`PAUSE`] to find it free.
const YIELD: Duration = Duration::from_millis(40);

/// How long a step waits before it looks again whether another host has left. One
/// step of a host looks at a time, and to look is a read.
pub(crate) const PAUSE: Duration = Duration::from_millis(8);

/// All lanes of this host, by key. A lane lives as long as somebody uses it.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    lanes: Mutex<HashMap<String, Weak<Lane>>>,
}

#[derive(Debug, Default)]
struct Lane {
    /// Who gets ready to go in next.
    ready: Arc<AsyncMutex<()>>,
    inside: Arc<AsyncMutex<Inside>>,
    /// How many stand in line or get ready.
    waiting: AtomicUsize,
}

#[derive(Debug, Default)]
struct Inside {
    /// The turn with which whoever goes in next goes on.
    tenure: Option<Tenure>,
    /// Until when it is left to other hosts.
    left_until: Option<Timestamp>,
}

/// A turn of this host in a lane that it shares with others.
#[derive(Debug)]
struct Tenure {
    turn: Turn,
    /// When its first step went in.
    since: Timestamp,
}

/// Somebody who is in line for a lane, or gets ready.
#[derive(Debug)]
struct Waiting(Arc<Lane>);

impl Waiting {
    fn new(lane: Arc<Lane>) -> Self {
        lane.waiting.fetch_add(1, Ordering::Relaxed);
        Self(lane)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A step that goes in next, and may get ready meanwhile.
#[derive(Debug)]
pub(crate) struct Ready {
    waiting: Waiting,
    _first: OwnedMutexGuard<()>,
}

/// A step that is inside; the lane is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Entered {
    lane: Arc<Lane>,
    inside: OwnedMutexGuard<Inside>,
    tenure: Option<Tenure>,
}

impl Lanes {
    /// Waits until nobody else stands before the lane, first come, first served.
    pub(crate) async fn line_up(&self, key: &str) -> Ready {
        let waiting = Waiting::new(self.lane(key));
        let first = Arc::clone(&waiting.0.ready).lock_owned().await;
        Ready { waiting, _first: first }
    }

    /// The turn that was left to somebody of this host who has given up meanwhile.
    pub(crate) fn abandoned(&self, key: &str) -> Option<Turn> {
        let lane = self.lane(key);
        if lane.waiting.load(Ordering::Relaxed) > 0 {
            return None;
        }
        // Whoever is inside sees that nobody comes.
        let mut inside = lane.inside.try_lock().ok()?;
        inside.tenure.take().map(|tenure| tenure.turn)
    }

    fn lane(&self, key: &str) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = lanes.get(key).and_then(Weak::upgrade) {
            return lane;
        }
        lanes.retain(|_, lane| lane.strong_count() > 0);
        let lane = Arc::new(Lane::default());
        lanes.insert(key.to_owned(), Arc::downgrade(&lane));
        lane
    }
}

impl Ready {
    /// Waits until the lane is free.
    pub(crate) async fn enter(self) -> Entered {
        let lane = Arc::clone(&self.waiting.0);
        let mut inside = Arc::clone(&lane.inside).lock_owned().await;
        let tenure = inside.tenure.take();
        Entered { lane, inside, tenure }
    }
}

impl Entered {
    /// The turn of the lane that other hosts respect; none where there are no
    /// others, or before it is taken.
    pub(crate) fn turn(&self) -> Option<&Turn> {
        self.tenure.as_ref().map(|tenure| &tenure.turn)
    }

    /// Until when the lane is left to other hosts, who had to wait.
    pub(crate) fn left_until(&self) -> Option<Timestamp> {
        self.inside.left_until
    }

    /// The host has got a turn.
    pub(crate) fn begin_tenure(&mut self, turn: Turn, now: Timestamp) {
        self.inside.left_until = None;
        self.tenure = Some(Tenure { turn, since: now });
    }

    /// Whether the turn goes on with the next step of this host when this one is
    /// done.
    pub(crate) fn passes_on(&self, now: Timestamp) -> bool {
        let is_wanted = self.lane.waiting.load(Ordering::Relaxed) > 0;
        let lasts = |tenure: &Tenure| now < later(tenure.since, TENURE);
        is_wanted && self.tenure.as_ref().is_some_and(lasts)
    }

    /// The step is done, and its turn was passed on or given up with it.
    pub(crate) fn done(mut self, passed_on: bool, now: Timestamp) {
        let tenure = self.tenure.take();
        if passed_on {
            self.inside.tenure = tenure;
        } else if tenure.is_some() {
            self.inside.left_until = Some(later(now, YIELD));
        }
    }

    /// Takes the turn out, to be given up.
    pub(crate) fn end_tenure(&mut self) -> Option<Turn> {
        self.tenure.take().map(|tenure| tenure.turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    fn turn(number: u64) -> Turn {
        Turn { lane: "routing".to_owned(), number }
    }

    #[tokio::test]
    async fn one_at_a_time_in_a_lane_and_nothing_is_kept() {
        let lanes = Lanes::default();
        let first = lanes.line_up("rotation/dach").await.enter().await;
        let other = lanes.line_up("rotation/enterprise").await.enter().await;
        let second = lanes.line_up("rotation/dach").await;
        assert!(second.waiting.0.inside.try_lock().is_err(), "one is inside");
        assert!(second.waiting.0.ready.try_lock().is_err(), "one gets ready");
        drop((first, other));
        let second = second.enter().await;
        let _third = lanes.line_up("rotation/dach").await;
        assert_eq!(lanes.lanes.lock().unwrap().len(), 2);
        drop(second);
        let _fourth = lanes.line_up("routing").await;
        assert_eq!(lanes.lanes.lock().unwrap().len(), 2, "lanes that nobody uses are gone");
    }

    #[tokio::test]
    async fn a_turn_goes_on_with_whoever_waits_until_its_time_is_over() {
        let lanes = Lanes::default();
        let mut first = lanes.line_up("routing").await.enter().await;
        assert_eq!(first.turn(), None);
        first.begin_tenure(turn(1), at(0));
        assert!(!first.passes_on(at(1)), "nobody waits");
        let second = lanes.line_up("routing").await;
        assert!(first.passes_on(at(1)));
        first.done(true, at(1));
        let second = second.enter().await;
        assert_eq!(second.turn(), Some(&turn(1)));
        let third = lanes.line_up("routing").await;
        assert!(second.passes_on(at(399)));
        assert!(!second.passes_on(at(400)), "others have their chance");
        second.done(false, at(400));
        let third = third.enter().await;
        assert_eq!((third.turn(), third.left_until()), (None, Some(at(440))));
    }

    #[tokio::test]
    async fn a_turn_for_which_nobody_comes_is_found() {
        let lanes = Lanes::default();
        let mut first = lanes.line_up("routing").await.enter().await;
        first.begin_tenure(turn(1), at(0));
        let second = lanes.line_up("routing").await;
        assert!(first.passes_on(at(1)));
        let keeps_the_lane = Arc::clone(&first.lane);
        first.done(true, at(1));
        assert_eq!(lanes.abandoned("routing"), None, "it still waits");
        drop(second);
        assert_eq!(lanes.abandoned("routing"), Some(turn(1)));
        assert_eq!(lanes.abandoned("routing"), None);
        drop(keeps_the_lane);
    }
}

//! Events from outside that are matched before they are written: the event,
//! the runs that it begins and the reasons of those that do not begin are one
//! transaction, with those of other requests at the same time. A run that
//! begins so and finds room is this host's from its first moment.
//!
//! What was decided outside the transaction holds in it only while the same
//! workflows are active, and while no event from before is still to be
//! matched: else a run that an earlier event begins would not hear this one.

use std::{collections::HashMap, sync::Arc};

use relata_engine::{Happening, Run};
use relata_model::{EventId, RunId, Timestamp};
use relata_store::{
    Claimed, KnownRequest, Lease, NewEvent, Outcomes, RequestKey, StoreError, Together, Tx,
};
use serde_json::Value as Json;
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    App, AppError,
    activation::ActiveSet,
    awaiting::Matching,
    host::Records,
    runner::later,
    triggers::{Matched, match_all},
};

/// How often is matched anew because other workflows are active meanwhile.
/// After that the events wait for their turn.
const MOST_TRIES: usize = 8;

/// Of a request with more events than this each waits for its turn: it is
/// answered before they are matched.
pub(crate) const MOST_AT_ONCE: usize = 16;

/// The events of a request, and what they do.
struct Arrival {
    events: Arc<[NewEvent]>,
    /// What each does; none where they are to be matched in their turn.
    matched: Option<Vec<Matched>>,
    /// Which workflows were active.
    active: Arc<ActiveSet>,
    /// The key of the request, and what it came to.
    noted: Option<(RequestKey, Json)>,
    /// Who has the runs that begin.
    lease: Option<Lease>,
    now: Timestamp,
}

/// Why events were not taken in.
pub(crate) enum NotTaken {
    /// Other workflows are active than those that they were matched against.
    Stale,
    /// A request with the same key came before.
    Known(Box<(RequestKey, KnownRequest)>),
    /// The database.
    Store(StoreError),
}

impl From<StoreError> for NotTaken {
    fn from(why: StoreError) -> Self {
        Self::Store(why)
    }
}

impl Together for Arrival {
    /// What each event came to, and the end of the event log; none where they
    /// wait for their turn.
    type Done = Option<(Vec<Matching>, u64)>;
    type Error = NotTaken;

    async fn write_all(tx: &mut Tx, arrivals: &[Self]) -> Result<Outcomes<Self>, StoreError> {
        tx.listening_lock(false).await?;
        let (in_turn, stamp) = tx.event_pending_and_stamp().await?;
        let mut outcomes: Vec<Option<NotTaken>> = Vec::with_capacity(arrivals.len());
        for arrival in arrivals {
            if arrival.matched.is_some() && !in_turn && arrival.active.stamp() != stamp {
                outcomes.push(Some(NotTaken::Stale));
                continue;
            }
            let known = match &arrival.noted {
                Some((key, answer)) => tx.request_note(key, answer, arrival.now).await?,
                None => None,
            };
            outcomes.push(match (known, &arrival.noted) {
                (Some(known), Some((key, _))) => {
                    Some(NotTaken::Known(Box::new((key.clone(), known))))
                }
                _ => None,
            });
        }
        let (mut events, mut pending, mut matched) = (Vec::new(), Vec::new(), Vec::new());
        let mut now = Timestamp::MIN;
        for (arrival, refused) in arrivals.iter().zip(&outcomes) {
            if refused.is_some() {
                continue;
            }
            now = now.max(arrival.now);
            events.extend(arrival.events.iter().cloned());
            match arrival.matched.as_ref().filter(|_| !in_turn) {
                Some(each) => matched.extend(each.iter().map(|one| (one, arrival.lease.as_ref()))),
                None => pending.extend(arrival.events.iter().map(|event| event.id)),
            }
        }
        tx.event_emit_all(&events, &pending.into_iter().collect()).await?;
        let log_end = tx.event_log_end().await?;
        let mut came: HashMap<EventId, Matching> = match_all(tx, &matched, now)
            .await?
            .into_iter()
            .map(|matching| (matching.event, matching))
            .collect();
        let outcome = |(arrival, refused): (&Self, Option<NotTaken>)| match refused {
            Some(why) => Err(why),
            None => {
                let ids = arrival.events.iter().map(|event| event.id);
                let came = ids.map(|id| came.remove(&id)).collect::<Option<Vec<_>>>();
                Ok(came.map(|came| (came, log_end)))
            }
        };
        Ok(arrivals.iter().zip(outcomes).map(outcome).collect())
    }
}

impl App {
    /// Takes in events from outside, all or none. With `at_once` they are
    /// matched before they are written, where that may be; `known` are records as
    /// they were a moment ago.
    pub(crate) async fn take_in_events(
        &self,
        events: Vec<NewEvent>,
        known: &Records,
        noted: Option<(RequestKey, Json)>,
        at_once: bool,
        now: Timestamp,
    ) -> Result<(), NotTaken> {
        let count = events.len();
        let events: Arc<[NewEvent]> = events.into();
        for tried in 0.. {
            let active = self.active_set().await.map_err(fault)?;
            let at_once = at_once && count <= MOST_AT_ONCE && tried < MOST_TRIES;
            let matched = match at_once {
                true => Some(self.match_these(&events, &active, known).await.map_err(fault)?),
                false => None,
            };
            let begins = || matched.iter().flatten().flat_map(|event| &event.starts);
            let runs: HashMap<RunId, Run> =
                begins().map(|starting| (starting.id(), starting.run().clone())).collect();
            let room = self.room_for(runs.len());
            let until = later(now, self.lease());
            let arrival = Arrival {
                events: Arc::clone(&events),
                matched,
                active,
                noted: noted.clone(),
                lease: room.as_ref().map(|(owner, _)| Lease { owner: owner.clone(), until }),
                now,
            };
            match self.store().write_together(arrival).await {
                Ok(Some((matchings, log_end))) => {
                    let claim = |run| Claimed {
                        run,
                        epoch: 1,
                        due_at: now,
                        lease_until: until,
                        inbox: Vec::new(),
                        crash_count: 0,
                        begun: true,
                        cancel: None,
                        log_end,
                    };
                    let claims = runs.into_iter().map(|(id, run)| (id, claim(run))).collect();
                    self.set_off(matchings, claims, room.map(|(_, places)| places));
                    return Ok(());
                }
                Ok(None) => {
                    self.inner.awaiting.came_in(count);
                    return Ok(());
                }
                Err(NotTaken::Stale) => drop(self.active().await.map_err(fault)?),
                Err(other) => return Err(other),
            }
        }
        Err(NotTaken::Stale)
    }

    async fn match_these(
        &self,
        events: &[NewEvent],
        active: &ActiveSet,
        known: &Records,
    ) -> Result<Vec<Matched>, AppError> {
        let mut matched = Vec::with_capacity(events.len());
        for event in events {
            let happening = Happening {
                id: event.id,
                at: event.at,
                kind: event.kind.clone(),
                run: event.cause.run,
                workflow: event.cause.workflow.clone(),
                depth: event.cause.depth,
            };
            matched.push(self.match_one(happening, &active.workflows, known).await?);
        }
        Ok(matched)
    }

    /// Places for so many runs, and under which name this host moves them;
    /// none where it does not, or has no room.
    fn room_for(&self, runs: usize) -> Option<(String, Vec<OwnedSemaphorePermit>)> {
        let moving = self.inner.moving.get().filter(|_| runs > 0 && !self.all_paused())?;
        let places = moving.places(runs)?;
        Some((moving.owner().to_owned(), places))
    }

    /// Tells those who wait what their events came to, and sets the runs that
    /// began in motion.
    fn set_off(
        &self,
        matchings: Vec<Matching>,
        mut claims: HashMap<RunId, Claimed>,
        places: Option<Vec<OwnedSemaphorePermit>>,
    ) {
        let mut places = places.into_iter().flatten();
        for matching in matchings {
            for outcome in &matching.runs {
                if let (Some(claim), Some(place)) = (claims.remove(&outcome.run), places.next()) {
                    self.move_begun(claim, place);
                }
            }
            self.inner.awaiting.event_matched(matching);
        }
    }
}

fn fault(why: AppError) -> NotTaken {
    match why {
        AppError::Store(why) => NotTaken::Store(why),
        other => NotTaken::Store(StoreError::Panicked(other.to_string())),
    }
}

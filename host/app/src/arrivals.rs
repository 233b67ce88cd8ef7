//! Events from outside that are matched before they are written: the event,
//! the runs that it begins and the reasons of those that do not begin are one
//! transaction, with those of other requests at the same time. A run that
//! begins so and finds room is this host's from its first moment.
//!
//! What was decided outside the transaction holds in it only while the same
//! workflows are active, and while no event from before is still to be
//! matched: else a run that an earlier event begins would not hear this one.

use std::{collections::HashMap, sync::Arc, time::Duration};

use relata_engine::{Happening, Run};
use relata_model::{EventId, RunId, Timestamp};
use relata_store::{
    Ahead, Claimed, KnownRequest, Lease, NewEvent, Outcomes, ReadyEvent, RequestKey, StoreError,
    Together, Tx,
};
use serde_json::Value as Json;
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    App, AppError,
    activation::ActiveSet,
    awaiting::Matching,
    head_start::{HeadStart, write_head_starts},
    host::Records,
    runner::later,
    triggers::{Beginning, Matched, Starting, match_all},
};

/// How often is matched anew because other workflows are active meanwhile.
/// After that the events wait for their turn.
const MOST_TRIES: usize = 8;

/// Of a request with more events than this each waits for its turn: it is
/// answered before they are matched.
pub(crate) const MOST_AT_ONCE: usize = 16;

/// The events of a request, and what they do.
struct Arrival {
    events: Arc<[ReadyEvent]>,
    /// What each does; none where they are to be matched in their turn.
    matched: Option<Vec<Matched<Beginning>>>,
    /// Which workflows were active.
    active: Arc<ActiveSet>,
    /// The key of the request, and what it came to.
    noted: Option<(RequestKey, Json)>,
    /// What the one run that begins has done already.
    head_start: Option<HeadStart>,
    now: Timestamp,
}

/// Why events were not taken in.
pub(crate) enum NotTaken {
    /// Other workflows are active than those that they were matched against.
    Stale,
    /// What the run did ahead is refused: it is to be done in its turn.
    NoHeadStart,
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
    /// What each event came to, and the end of the event log where a run goes on;
    /// none where they wait for their turn.
    type Done = Option<(Vec<Matching>, u64)>;
    type Error = NotTaken;

    async fn write_all(tx: &mut Tx, arrivals: &[Self]) -> Result<Outcomes<Self>, StoreError> {
        tx.listening_lock(false).await?;
        if arrivals.iter().any(|arrival| arrival.head_start.is_some()) {
            // In this order, as where steps are committed.
            tx.workflow_hold(false).await?;
        }
        let mut topics = Vec::new();
        for arrival in arrivals.iter().filter(|arrival| arrival.matched.is_some()) {
            topics.extend(arrival.events.iter().flat_map(ReadyEvent::topics));
            topics.extend(arrival.ahead().into_iter().flat_map(Ahead::topics));
        }
        let ahead: Vec<&Ahead> = arrivals.iter().filter_map(Self::ahead).collect();
        let mut stamps = arrivals
            .iter()
            .filter(|arrival| arrival.matched.is_some())
            .map(|arrival| arrival.active.stamp());
        let stamp = stamps.next().filter(|stamp| stamps.all(|other| other == *stamp));
        let mut outlook = tx.outlook(&topics, &ahead, stamp).await?;
        let in_turn = outlook.in_turn;
        let mut outcomes: Vec<Option<NotTaken>> = Vec::with_capacity(arrivals.len());
        for arrival in arrivals {
            if arrival.matched.is_some() && !in_turn && arrival.active.stamp() != outlook.stamp {
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
        let (mut now, mut ahead, mut active) = (Timestamp::MIN, Vec::new(), None);
        for (arrival, refused) in arrivals.iter().zip(&outcomes) {
            if refused.is_some() {
                continue;
            }
            now = now.max(arrival.now);
            events.extend(arrival.events.iter());
            match arrival.matched.as_ref().filter(|_| !in_turn) {
                Some(each) => {
                    matched.extend(each);
                    ahead.extend(arrival.head_start.as_ref());
                    active = Some(&arrival.active);
                }
                None => pending.extend(arrival.events.iter().map(ReadyEvent::id)),
            }
        }
        tx.event_emit_all(&events, &pending.into_iter().collect()).await?;
        let moves = matched.iter().flat_map(|event| &event.starts).any(|run| !run.rests());
        let log_end = if moves { tx.event_log_end().await? } else { 0 };
        let mut came: HashMap<EventId, Matching> =
            match_all(tx, &matched, &mut outlook.awaited, now)
                .await?
                .into_iter()
                .map(|matching| (matching.event, matching))
                .collect();
        if let Some(active) = active.filter(|_| !ahead.is_empty())
            && !write_head_starts(tx, &ahead, active, &outlook).await?
        {
            return match arrivals {
                [_] => Ok(vec![Err(NotTaken::NoHeadStart)]),
                // Whose it was is found out one by one.
                _ => Err(StoreError::Apart),
            };
        }
        let outcome = |(arrival, refused): (&Self, Option<NotTaken>)| match refused {
            Some(why) => Err(why),
            None => {
                let ids = arrival.events.iter().map(ReadyEvent::id);
                let came = ids.map(|id| came.remove(&id)).collect::<Option<Vec<_>>>();
                Ok(came.map(|came| (came, log_end)))
            }
        };
        Ok(arrivals.iter().zip(outcomes).map(outcome).collect())
    }
}

impl Arrival {
    /// What the one run that begins has done already, as far as it could be worked out.
    fn ahead(&self) -> Option<&Ahead> {
        self.head_start.as_ref().and_then(HeadStart::ahead)
    }
}

impl App {
    /// Takes in events from outside, all or none. Where somebody `waits` for what
    /// comes of them, they are matched before they are written, if that may be;
    /// `known` are records as they were a moment ago.
    pub(crate) async fn take_in_events(
        &self,
        events: Vec<NewEvent>,
        known: &Records,
        noted: Option<(RequestKey, Json)>,
        waits: Option<Duration>,
        now: Timestamp,
    ) -> Result<(), NotTaken> {
        let count = events.len();
        let ready: Arc<[ReadyEvent]> =
            events.iter().cloned().map(NewEvent::ready).collect::<Result<_, _>>()?;
        let mut may_go_ahead = true;
        for tried in 0.. {
            let active = self.active_set().await.map_err(fault)?;
            let waits = waits.filter(|_| count <= MOST_AT_ONCE && tried < MOST_TRIES);
            let mut matched = match waits {
                Some(_) => Some(self.match_these(&events, &active, known).await.map_err(fault)?),
                None => None,
            };
            let mut begins: Vec<&mut Starting> =
                matched.iter_mut().flatten().flat_map(|event| &mut event.starts).collect();
            let room = self.room_for(begins.len());
            let until = later(now, self.lease());
            let claim = |run: &Run, log_end| Claimed {
                run: run.clone(),
                epoch: 1,
                due_at: now,
                lease_until: until,
                inbox: Vec::new(),
                crash_count: 0,
                begun: true,
                cancel: None,
                log_end,
            };
            let head_start = match (begins.as_mut_slice(), &room, waits) {
                ([starting], Some(_), Some(waits)) if may_go_ahead => {
                    let claim = claim(starting.run(), 0);
                    self.head_start(starting, claim, known, waits).await
                }
                _ => None,
            };
            let ahead = head_start.is_some();
            let to_trace = match (begins.as_slice(), &self.inner.traces) {
                ([starting], Some(_)) if ahead => {
                    Some((starting.run().clone(), starting.log().to_vec()))
                }
                _ => None,
            };
            let moves = begins.iter().filter(|starting| !starting.rests());
            let runs: Vec<Run> = moves.map(|starting| starting.run().clone()).collect();
            let lease = room.as_ref().map(|(owner, _)| Lease { owner: owner.clone(), until });
            let as_written = |matched: Vec<Matched>| {
                matched.into_iter().map(|event| event.ready(now, lease.as_ref())).collect()
            };
            let arrival = Arrival {
                events: Arc::clone(&ready),
                matched: matched.map(as_written).transpose()?,
                active,
                noted: noted.clone(),
                head_start,
                now,
            };
            match self.store().write_together(arrival).await {
                Ok(Some((matchings, log_end))) => {
                    if ahead {
                        self.metrics().head_start();
                    }
                    if let (Some(traces), Some((run, log))) = (&self.inner.traces, to_trace) {
                        traces.committed(self, &run, &log);
                    }
                    let claims = runs.iter().map(|run| (run.id, claim(run, log_end))).collect();
                    self.set_off(matchings, claims, room.map(|(_, places)| places));
                    return Ok(());
                }
                Ok(None) => {
                    self.inner.awaiting.came_in(count);
                    return Ok(());
                }
                Err(NotTaken::Stale) => drop(self.active().await.map_err(fault)?),
                Err(NotTaken::NoHeadStart) => may_go_ahead = false,
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
        let places = self.inner.places.get().filter(|_| runs > 0 && !self.all_paused())?;
        Some((places.owner().to_owned(), places.to_begin(runs)?))
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

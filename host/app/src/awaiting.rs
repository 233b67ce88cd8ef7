//! Who waits for what an event comes to. A request registers here before its
//! event is written; it is told when the event was matched and when each run
//! that began by it has ended, by the commits of this host. The database is
//! the truth: what another host did is looked up there, now and then and for
//! all waiters at once.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use relata_engine::{HappeningKind, Run};
use relata_model::{EventId, Reference, RunId};
use relata_store::EventResult;
use relata_workflow::Definition;
use serde::Serialize;
use serde_json::Value as Json;
use tokio::sync::Notify;
use utoipa::ToSchema;

use crate::{
    App, AppError,
    history::{standing, with_labels},
};

/// How many runs are remembered that ended before it was known that somebody
/// waits for them.
const MOST_EARLY: usize = 4_096;

/// How many events one look into the database asks for.
const PAGE: usize = 500;

/// How a run that an event began stands.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RunOutcome {
    /// The run.
    #[schema(value_type = String)]
    pub run: RunId,
    /// The workflow's name.
    pub workflow: String,
    /// `active`, `done`, `stopped`, `failed` or `cancelled`.
    pub status: &'static str,
    /// What the workflow calls its end, where it has a name for it: `bought`.
    pub outcome: Option<String>,
    /// Why it ended so.
    pub why: Option<String>,
    /// What it yields, by name, once it is done.
    #[schema(value_type = Option<serde_json::Value>)]
    pub outputs: Option<Json>,
}

impl RunOutcome {
    pub(crate) fn of(definition: &Definition, run: &Run) -> Self {
        let (status, outcome, why) = standing(&run.status);
        Self {
            run: run.id,
            workflow: run.workflow.clone(),
            status,
            outcome,
            why: why.map(|why| match status {
                "failed" => with_labels(definition, &why),
                _ => why,
            }),
            outputs: Some(&run.state.outputs)
                .filter(|outputs| !outputs.is_nothing())
                .map(relata_model::Value::to_json),
        }
    }

    fn has_ended(&self) -> bool {
        self.status != "active"
    }
}

/// A workflow of which an event began no run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NotBegun {
    /// The workflow's name.
    pub workflow: String,
    /// Why not, or for what it waits.
    pub why: String,
    /// Whether it starts by itself once a run for the same has ended.
    pub waits: bool,
}

impl NotBegun {
    pub(crate) fn refused(workflow: String, why: String) -> Self {
        Self { workflow, why, waits: false }
    }

    pub(crate) fn queued(workflow: String) -> Self {
        let why = "it waits until a run for the same has ended".to_owned();
        Self { workflow, why, waits: true }
    }
}

/// What an event came to so far.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct EventOutcome {
    /// The event.
    #[schema(value_type = String)]
    pub event: EventId,
    /// Whether nothing more comes of it: the workflows have seen it, and
    /// every run that it began has ended.
    pub done: bool,
    /// The runs that it began.
    pub runs: Vec<RunOutcome>,
    /// The workflows that it concerns and of which no run began.
    pub not_started: Vec<NotBegun>,
}

/// What became of an event when the workflows saw it.
#[derive(Debug)]
pub(crate) struct Matching {
    pub(crate) event: EventId,
    pub(crate) runs: Vec<RunOutcome>,
    pub(crate) not_started: Vec<NotBegun>,
}

/// Who waits, and how much there is to do.
#[derive(Debug, Default)]
pub(crate) struct Awaiting {
    registry: Mutex<Registry>,
    /// How many events nobody has looked at yet, about.
    backlog: AtomicU64,
    /// How often the slow look at the database has come by.
    looks: AtomicU32,
}

#[derive(Debug, Default)]
struct Registry {
    /// By the events that nobody has looked at yet.
    events: HashMap<EventId, Vec<Arc<Ticket>>>,
    /// By the runs that go on, and the events that began them.
    runs: HashMap<RunId, Vec<(EventId, Arc<Ticket>)>>,
    /// Runs that ended while their event was not known to be matched.
    early: HashMap<RunId, RunOutcome>,
    closed: bool,
}

/// One who waits, for one or several events.
#[derive(Debug, Default)]
struct Ticket {
    known: Mutex<BTreeMap<EventId, Known>>,
    /// After how many slow looks at the database it came.
    born: u32,
    told: Notify,
}

#[derive(Debug, Default)]
struct Known {
    matched: bool,
    runs: Vec<RunOutcome>,
    not_started: Vec<NotBegun>,
}

impl Known {
    fn is_done(&self) -> bool {
        self.matched && self.runs.iter().all(RunOutcome::has_ended)
    }
}

impl Ticket {
    fn known(&self) -> MutexGuard<'_, BTreeMap<EventId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known of an event, and tells who waits where that was
    /// the last thing.
    fn tell(&self, event: EventId, change: impl FnOnce(&mut Known)) {
        let mut known = self.known();
        if let Some(known) = known.get_mut(&event) {
            change(known);
        }
        if known.values().all(Known::is_done) {
            self.told.notify_one();
        }
    }
}

/// A place among those who wait; given up when it is dropped.
#[derive(Debug)]
pub(crate) struct Wait {
    awaiting: Arc<Awaiting>,
    ticket: Arc<Ticket>,
}

/// The means to add an event to a [`Wait`] from within the transaction that
/// writes it.
#[derive(Debug, Clone)]
pub(crate) struct WaitFor(Arc<Awaiting>, Arc<Ticket>);

impl WaitFor {
    /// Waits for this event as well.
    pub(crate) fn event(&self, event: EventId) {
        let mut registry = self.0.registry();
        self.1.known().insert(event, Known::default());
        registry.events.entry(event).or_default().push(Arc::clone(&self.1));
    }
}

impl Wait {
    pub(crate) fn adder(&self) -> WaitFor {
        WaitFor(Arc::clone(&self.awaiting), Arc::clone(&self.ticket))
    }

    /// Waits until nothing more comes of the events, or for so long. True
    /// where nothing more comes.
    pub(crate) async fn until_done(&self, timeout: Duration) -> bool {
        let waiting = async {
            while !self.is_done() && !self.awaiting.registry().closed {
                self.ticket.told.notified().await;
            }
        };
        // Whether it was told or the time is over: what counts is what is known.
        let _ = tokio::time::timeout(timeout, waiting).await;
        self.is_done()
    }

    fn is_done(&self) -> bool {
        self.ticket.known().values().all(Known::is_done)
    }

    /// What is known of an event now.
    pub(crate) fn outcome(&self, event: EventId) -> EventOutcome {
        let known = self.ticket.known();
        known.get(&event).map_or_else(
            || EventOutcome { event, done: false, runs: Vec::new(), not_started: Vec::new() },
            |known| EventOutcome {
                event,
                done: known.is_done(),
                runs: known.runs.clone(),
                not_started: known.not_started.clone(),
            },
        )
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut registry = self.awaiting.registry();
        let known = self.ticket.known();
        for (event, known) in known.iter() {
            if !known.matched {
                leave(&mut registry.events, event, |other| Arc::ptr_eq(other, &self.ticket));
            }
            for run in known.runs.iter().filter(|run| !run.has_ended()) {
                leave(&mut registry.runs, &run.run, |(_, other)| Arc::ptr_eq(other, &self.ticket));
            }
        }
        drop(known);
        if registry.events.is_empty() {
            registry.early.clear();
        }
    }
}

fn leave<K: std::hash::Hash + Eq, T>(
    waiting: &mut HashMap<K, Vec<T>>,
    key: &K,
    is_it: impl Fn(&T) -> bool,
) {
    if let Some(tickets) = waiting.get_mut(key) {
        tickets.retain(|other| !is_it(other));
        if tickets.is_empty() {
            waiting.remove(key);
        }
    }
}

impl Awaiting {
    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for events. Register before they are written: nothing is told
    /// twice.
    pub(crate) fn wait_for(self: &Arc<Self>, events: &[EventId]) -> Wait {
        let ticket = Ticket { born: self.looks.load(Ordering::Relaxed), ..Ticket::default() };
        let wait = Wait { awaiting: Arc::clone(self), ticket: Arc::new(ticket) };
        let adder = wait.adder();
        for event in events {
            adder.event(*event);
        }
        wait
    }

    /// The workflows have seen an event, and that is committed.
    pub(crate) fn event_matched(&self, matching: Matching) {
        // It is only an estimate, and never less than nothing.
        let _ = self
            .backlog
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |backlog| backlog.checked_sub(1));
        self.registry().matched(matching);
    }

    /// A run has ended, and that is committed.
    pub(crate) fn run_ended(&self, definition: &Definition, run: &Run) {
        self.ended(run.id, || RunOutcome::of(definition, run));
    }

    /// Where nobody waits, there is nothing to be made.
    fn ended(&self, run: RunId, outcome: impl FnOnce() -> RunOutcome) {
        let mut registry = self.registry();
        if registry.runs.contains_key(&run) {
            registry.ended(outcome());
        } else if !registry.events.is_empty() {
            if registry.early.len() >= MOST_EARLY {
                // Most of them are of events that nobody waits for. One that is
                // lost with them is found in the database.
                registry.early.clear();
            }
            registry.early.insert(run, outcome());
        }
    }

    /// Events came in.
    pub(crate) fn came_in(&self, events: usize) {
        self.backlog.fetch_add(events as u64, Ordering::Relaxed);
    }

    /// Nobody is to wait any longer: the host stops.
    fn close(&self) {
        let mut registry = self.registry();
        registry.closed = true;
        let of_runs = registry.runs.values().flatten().map(|(_, ticket)| ticket);
        for ticket in registry.events.values().flatten().chain(of_runs) {
            ticket.told.notify_one();
        }
    }

    /// The events for which somebody has waited since before the last time
    /// that this was asked.
    fn overdue(&self) -> Vec<EventId> {
        let look = self.looks.fetch_add(1, Ordering::Relaxed);
        let registry = self.registry();
        let of_events = registry
            .events
            .iter()
            .flat_map(|(event, tickets)| tickets.iter().map(move |ticket| (*event, ticket)));
        let of_runs = registry.runs.values().flatten().map(|(event, ticket)| (*event, ticket));
        let mut overdue: Vec<EventId> = of_events
            .chain(of_runs)
            .filter(|(_, ticket)| ticket.born < look)
            .map(|(event, _)| event)
            .collect();
        overdue.sort_unstable();
        overdue.dedup();
        overdue
    }
}

impl Registry {
    fn matched(&mut self, matching: Matching) {
        let Some(tickets) = self.events.remove(&matching.event) else { return };
        let mut runs = matching.runs;
        for run in &mut runs {
            if let Some(ended) = self.early.remove(&run.run) {
                *run = ended;
            }
            if !run.has_ended() {
                let waiting = self.runs.entry(run.run).or_default();
                waiting.extend(tickets.iter().map(|ticket| (matching.event, Arc::clone(ticket))));
            }
        }
        if self.events.is_empty() {
            self.early.clear();
        }
        for ticket in tickets {
            ticket.tell(matching.event, |known| {
                known.matched = true;
                known.runs.clone_from(&runs);
                known.not_started.clone_from(&matching.not_started);
            });
        }
    }

    fn ended(&mut self, outcome: RunOutcome) {
        for (event, ticket) in self.runs.remove(&outcome.run).unwrap_or_default() {
            ticket.tell(event, |known| {
                if let Some(run) = known.runs.iter_mut().find(|run| run.run == outcome.run) {
                    run.clone_from(&outcome);
                }
            });
        }
    }
}

impl App {
    /// About how many events the workflows have not seen yet.
    #[must_use]
    pub fn event_backlog(&self) -> u64 {
        self.inner.awaiting.backlog.load(Ordering::Relaxed)
    }

    /// Lets all who wait for what their events come to go, with what is known
    /// by now: the host stops.
    pub fn stop_waiting(&self) {
        self.inner.awaiting.close();
    }

    /// Looks into the database for what those wait for who have waited for a
    /// while, and how many events wait: what another host does is seen there
    /// alone.
    pub(crate) async fn look_for_awaited(&self, most_backlog: u32) -> Result<(), AppError> {
        let overdue = self.inner.awaiting.overdue();
        for page in overdue.chunks(PAGE) {
            self.tell_from_database(page).await?;
        }
        let backlog = self.store().event_backlog(most_backlog).await?;
        self.inner.awaiting.backlog.store(backlog, Ordering::Relaxed);
        Ok(())
    }

    /// Tells those who wait for these events what the database knows.
    pub(crate) async fn tell_from_database(&self, events: &[EventId]) -> Result<(), AppError> {
        for (event, result) in self.store().event_results(events).await? {
            if !result.seen {
                continue;
            }
            let matching = self.matching_of(event, result).await?;
            let ended: Vec<RunOutcome> =
                matching.runs.iter().filter(|run| run.has_ended()).cloned().collect();
            let mut registry = self.inner.awaiting.registry();
            registry.matched(matching);
            for run in ended {
                registry.ended(run);
            }
        }
        Ok(())
    }

    /// What an event came to so far, by the database; none where there is no
    /// such event.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_outcome(&self, event: EventId) -> Result<Option<EventOutcome>, AppError> {
        let Some(result) = self.store().event_results(&[event]).await?.remove(&event) else {
            return Ok(None);
        };
        let seen = result.seen;
        let Matching { event, runs, not_started } = self.matching_of(event, result).await?;
        let done = seen && runs.iter().all(RunOutcome::has_ended);
        Ok(Some(EventOutcome { event, done, runs, not_started }))
    }

    /// The records that an event is about; none where there is no such event.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_records(&self, event: EventId) -> Result<Option<Vec<Reference>>, AppError> {
        let logged = self.store().event_fetch(event).await?;
        Ok(logged.map(|logged| match logged.happening.kind {
            HappeningKind::Change(change) => vec![change.reference],
            HappeningKind::Named { about, .. } => about,
        }))
    }

    async fn matching_of(&self, event: EventId, found: EventResult) -> Result<Matching, AppError> {
        let mut runs = Vec::with_capacity(found.runs.len());
        for row in found.runs {
            let definition = self.version(&row.run.version).await?;
            runs.push(RunOutcome::of(&definition, &row.run));
        }
        let refused = found.not_started.into_iter();
        let not_started = refused
            .map(|(workflow, why)| NotBegun::refused(workflow, why))
            .chain(found.queued.into_iter().map(NotBegun::queued))
            .collect();
        Ok(Matching { event, runs, not_started })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn event(number: u128) -> EventId {
        EventId::from_uuid(Uuid::from_u128(number))
    }

    fn run(number: u128, status: &'static str) -> RunOutcome {
        RunOutcome {
            run: RunId::from_uuid(Uuid::from_u128(number)),
            workflow: "w".to_owned(),
            status,
            outcome: None,
            why: None,
            outputs: None,
        }
    }

    fn matched(awaiting: &Awaiting, number: u128, runs: &[u128]) {
        awaiting.event_matched(Matching {
            event: event(number),
            runs: runs.iter().map(|number| run(*number, "active")).collect(),
            not_started: Vec::new(),
        });
    }

    fn ended(awaiting: &Awaiting, number: u128) {
        let outcome = run(number, "done");
        awaiting.ended(outcome.run, || outcome);
    }

    /// Nobody is left behind in any map.
    fn is_empty(awaiting: &Awaiting) -> bool {
        let registry = awaiting.registry();
        registry.events.is_empty() && registry.runs.is_empty() && registry.early.is_empty()
    }

    #[tokio::test]
    async fn who_waits_is_told_whatever_comes_first() {
        type Step<'s> = &'s dyn Fn(&Awaiting);
        let orders: [&[Step<'_>]; 3] = [
            &[&|a| matched(a, 1, &[7, 8]), &|a| ended(a, 7), &|a| ended(a, 8)],
            &[&|a| ended(a, 8), &|a| matched(a, 1, &[7, 8]), &|a| ended(a, 7)],
            &[&|a| ended(a, 7), &|a| ended(a, 8), &|a| matched(a, 1, &[7, 8])],
        ];
        for order in orders {
            let awaiting = Arc::new(Awaiting::default());
            let wait = awaiting.wait_for(&[event(1)]);
            for (number, step) in order.iter().enumerate() {
                assert!(!wait.until_done(Duration::ZERO).await, "before step {number}");
                step(&awaiting);
            }
            assert!(wait.until_done(Duration::from_secs(60)).await);
            let statuses: Vec<_> =
                wait.outcome(event(1)).runs.iter().map(|run| run.status).collect();
            assert_eq!(statuses, ["done", "done"]);
            drop(wait);
            assert!(is_empty(&awaiting));
        }
    }

    #[tokio::test]
    async fn two_who_wait_for_the_same_are_both_told() {
        let awaiting = Arc::new(Awaiting::default());
        let (one, other) =
            (awaiting.wait_for(&[event(1)]), awaiting.wait_for(&[event(1), event(2)]));
        matched(&awaiting, 1, &[7]);
        ended(&awaiting, 7);
        assert!(one.until_done(Duration::from_secs(60)).await);
        assert!(!other.until_done(Duration::ZERO).await);
        assert!(other.outcome(event(1)).done);
        matched(&awaiting, 2, &[]);
        assert!(other.until_done(Duration::from_secs(60)).await);
    }

    #[tokio::test]
    async fn who_goes_away_leaves_nothing_behind() {
        let awaiting = Arc::new(Awaiting::default());
        let unmatched = awaiting.wait_for(&[event(1)]);
        let running = awaiting.wait_for(&[event(2)]);
        matched(&awaiting, 2, &[7]);
        ended(&awaiting, 9);
        drop(running);
        drop(unmatched);
        assert!(is_empty(&awaiting));
        // Nobody waits: nothing is made of what ends.
        awaiting.ended(run(7, "done").run, || panic!("nobody asked for it"));
        matched(&awaiting, 3, &[8]);
        assert!(is_empty(&awaiting));
    }

    #[tokio::test]
    async fn the_slow_look_is_for_those_who_have_waited_a_while() {
        let awaiting = Arc::new(Awaiting::default());
        let _first = awaiting.wait_for(&[event(1), event(2)]);
        assert_eq!(awaiting.overdue(), []);
        let _second = awaiting.wait_for(&[event(3)]);
        assert_eq!(awaiting.overdue(), [event(1), event(2)]);
        matched(&awaiting, 2, &[7]);
        assert_eq!(awaiting.overdue(), [event(1), event(2), event(3)]);
        ended(&awaiting, 7);
        assert_eq!(awaiting.overdue(), [event(1), event(3)]);
    }

    #[tokio::test]
    async fn a_stop_lets_everybody_go() {
        let awaiting = Arc::new(Awaiting::default());
        let wait = awaiting.wait_for(&[event(1)]);
        awaiting.close();
        assert!(!wait.until_done(Duration::from_secs(3_600)).await);
    }
}

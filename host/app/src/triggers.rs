//! Events become runs, or recorded reasons why not; and reach the runs that
//! wait for them. One transaction per batch: the event is settled together
//! with what it started, so none is lost and none starts twice.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use relata_engine::{Happening, HappeningKind, Run, Start, Watch, watches};
use relata_model::{ChangeKind, EventId, Fields, Reference, RunId, Timestamp, Value};
use relata_store::{
    Enrolment, Lease, NewEnrolment, NewQueued, NewRun, NotStarted, Priority, ReadyRun, StoreError,
    Tx,
};
use relata_workflow::{Definition, Facts, Occurrence, Trigger, WhileRunning};

use crate::{
    App, AppError, NotBegun, RunOutcome,
    awaiting::Matching,
    fresh,
    host::Records,
    queue::MOST_WAITING,
    runner::{Held, log_rows},
    starts::{Admitted, webhook_event},
    testing::Point,
};

/// How many events one transaction settles.
const BATCH: u32 = 200;

/// What one event does.
#[derive(Clone)]
pub(crate) struct Matched<S = Starting> {
    pub(crate) happening: Happening,
    pub(crate) starts: Vec<S>,
    pub(crate) refusals: Vec<(String, Option<String>, String)>,
}

impl Matched {
    /// An event that does nothing yet.
    pub(crate) const fn of(happening: Happening) -> Self {
        Self { happening, starts: Vec::new(), refusals: Vec::new() }
    }

    /// The same as it is written. The runs that have something to do at once belong to
    /// the holder of `lease`.
    pub(crate) fn ready(
        self,
        now: Timestamp,
        lease: Option<&Lease>,
    ) -> Result<Matched<Beginning>, StoreError> {
        let Self { happening, starts, refusals } = self;
        let starts = starts.into_iter().map(|starting| starting.ready(now, lease));
        Ok(Matched { happening, starts: starts.collect::<Result<_, _>>()?, refusals })
    }
}

/// A run that an event may start, ready to be written.
#[derive(Clone)]
pub(crate) struct Beginning {
    /// Without its log, which is in `ready`.
    starting: Starting,
    ready: ReadyRun,
}

impl Beginning {
    /// Whether it has nothing to do at once.
    pub(crate) const fn rests(&self) -> bool {
        self.starting.rests()
    }
}

/// A run that an event may start; the enrolment has the last word.
#[derive(Clone)]
pub(crate) struct Starting {
    definition: Arc<Definition>,
    run: Run,
    log: Vec<relata_store::LogRow>,
    watches: BTreeSet<Watch>,
    blocked_since: Option<Option<Timestamp>>,
    event: Option<EventId>,
    /// Where it had a head start and has nothing to do at once: until when it
    /// sleeps.
    rests: Option<Option<Timestamp>>,
}

impl Starting {
    /// Whether it waits while a run for the same goes on.
    fn waits(&self) -> bool {
        self.definition
            .repeat
            .as_ref()
            .is_some_and(|repeat| repeat.while_running == WhileRunning::Queue)
    }

    /// Whether it listens for something from its beginning.
    pub(crate) fn listens(&self) -> bool {
        !self.watches.is_empty()
    }

    /// The workflow that it is a run of.
    pub(crate) const fn definition(&self) -> &Arc<Definition> {
        &self.definition
    }

    /// Whether it needs the place of `one_per`.
    fn needs_place(&self) -> bool {
        self.definition.repeat.is_some() && self.run.key.is_some()
    }

    /// It begins as it is after a head start.
    pub(crate) fn go_ahead(&mut self, held: Held, rests: Option<Option<Timestamp>>) {
        self.run = held.run;
        self.log.extend(held.log);
        self.rests = rests;
    }

    /// Whether it has nothing to do at once.
    pub(crate) const fn rests(&self) -> bool {
        self.rests.is_some()
    }

    /// Its log as it begins.
    pub(crate) fn log(&self) -> &[relata_store::LogRow] {
        &self.log
    }

    /// The run as it begins.
    pub(crate) const fn run(&self) -> &Run {
        &self.run
    }

    /// Which former runs for the same block it, as [`Admission::Start`] says.
    ///
    /// [`Admission::Start`]: relata_engine::Admission::Start
    pub(crate) const fn blocked_since(&self) -> Option<Option<Timestamp>> {
        self.blocked_since
    }

    /// The value of `one_per`, as text.
    pub(crate) const fn key(&self) -> Option<&String> {
        self.run.key.as_ref()
    }

    /// The same as it is written.
    fn ready(self, now: Timestamp, lease: Option<&Lease>) -> Result<Beginning, StoreError> {
        let Self { blocked_since, event, rests, .. } = self;
        let definition = Arc::clone(&self.definition);
        let lease = lease.filter(|_| rests.is_none()).cloned();
        let new = NewRun { lease, ..self.new_run(now) };
        let ready = new.ready()?;
        let NewRun { run, watches, .. } = new;
        let log = Vec::new();
        let starting = Self { definition, run, log, watches, blocked_since, event, rests };
        Ok(Beginning { starting, ready })
    }

    pub(crate) fn new_run(self, now: Timestamp) -> NewRun {
        NewRun {
            run: self.run,
            priority: Priority::Normal,
            due_at: self.rests.unwrap_or(Some(now)),
            watches: self.watches,
            log: self.log,
            lease: None,
            event: self.event,
        }
    }
}

impl App {
    /// Matches a batch of events that nobody has looked at yet. Answers how
    /// many there were.
    pub(crate) async fn match_events(&self) -> Result<usize, AppError> {
        let happenings = self.store().event_pending(BATCH).await?;
        if happenings.is_empty() {
            return Ok(0);
        }
        self.keep_service_levels(&happenings).await?;
        let active = self.active().await?;
        let segments: BTreeSet<&str> = entered(&active).collect();
        let mut matched = Vec::with_capacity(happenings.len());
        for happening in happenings {
            if let HappeningKind::Change(change) = &happening.kind
                && change.kind != ChangeKind::Deleted
            {
                for segment in &segments {
                    let refreshed = self.segment_refresh_for(segment, change, happening.at).await;
                    told_if_wrong(segment, refreshed)?;
                }
            }
            matched.push(self.match_one(happening, &active, &Records::new()).await?);
        }
        let count = matched.len();
        let now = self.now();
        let matched = matched.into_iter().map(|event| event.ready(now, None));
        let matched = matched.collect::<Result<Vec<_>, _>>()?;
        self.may_crash(Point::BeforeMatch).await;
        let settled = self
            .store()
            .write(move |tx| Box::pin(async move { settle_all(tx, &matched, now).await }))
            .await?;
        self.may_crash(Point::AfterMatch).await;
        for matching in settled {
            self.inner.awaiting.event_matched(matching);
        }
        Ok(count)
    }

    /// What something that happened does; `known` are records as they were a
    /// moment ago.
    pub(crate) async fn match_one(
        &self,
        happening: Happening,
        active: &[(String, Arc<Definition>)],
        known: &Records,
    ) -> Result<Matched, AppError> {
        let mut matched = Matched::of(happening);
        for (digest, definition) in active {
            if !may_match(definition, &matched.happening.kind) {
                continue;
            }
            let happening = &matched.happening;
            let mut facts = self.facts_of(happening);
            if let HappeningKind::Named { about, .. } = &happening.kind {
                let known = about.iter().filter_map(|record| known.get_key_value(record));
                facts.records.extend(known.map(|(record, found)| (record.clone(), found.clone())));
            }
            match self.admitted_knowing(digest, definition, happening, facts).await? {
                Admitted::NoMatch => {}
                Admitted::Refused { key, reason } => {
                    matched.refusals.push((definition.name.clone(), key, reason));
                }
                Admitted::Starts(starting) => matched.starts.push(*starting),
            }
        }
        Ok(matched)
    }

    pub(crate) fn starting(
        &self,
        definition: &Arc<Definition>,
        start: Start,
        blocked_since: Option<Option<Timestamp>>,
    ) -> Starting {
        let inputs = (!start.inputs.is_empty()).then(|| Value::Map(start.inputs.clone()).to_json());
        let event = start.happening.as_ref().map(|happening| happening.id);
        let (run, events) = Run::start(definition, start);
        let mut log = log_rows(definition, 0, &events, self.now(), None);
        // What it was given stands with its beginning.
        if let Some(first) = log.first_mut() {
            first.input = inputs;
        }
        Starting {
            definition: Arc::clone(definition),
            watches: watches(definition, &run),
            run,
            log,
            blocked_since,
            event,
            rests: None,
        }
    }

    /// Starts a run for a fire of a schedule, in a transaction of its own.
    pub(crate) fn scheduled(
        &self,
        definition: &Arc<Definition>,
        digest: &str,
        now: Timestamp,
    ) -> NewRun {
        let start = Start {
            id: fresh::run_id(now),
            version: digest.to_owned(),
            subject: None,
            key: None,
            inputs: Fields::new(),
            happening: None,
            parent: None,
            now,
        };
        let starting = self.starting(definition, start, None);
        starting.new_run(now)
    }

    /// What is known before anybody asks: the record as the event left it.
    pub(crate) fn facts_of(&self, happening: &Happening) -> Facts {
        let mut facts = Facts { zone: self.zone(), ..Facts::default() };
        if let HappeningKind::Change(change) = &happening.kind
            && let Some(after) = &change.after
        {
            let record = relata_model::Record {
                reference: change.reference.clone(),
                revision: 0,
                fields: after.clone(),
            };
            facts.records.insert(change.reference.clone(), Some(record));
        }
        facts
    }
}

/// A segment that cannot be evaluated is told, and holds up nothing else: its
/// members stay as they were.
pub(crate) fn told_if_wrong<T: Default>(
    segment: &str,
    refreshed: Result<T, AppError>,
) -> Result<T, AppError> {
    match refreshed {
        Err(why) if why.is_wrong_input() => {
            tracing::error!(segment = segment, error = %why, "a segment was not brought up to date; mend its rule");
            Ok(T::default())
        }
        other => other,
    }
}

/// The segments whose entering starts a workflow.
pub(crate) fn entered(active: &[(String, Arc<Definition>)]) -> impl Iterator<Item = &str> {
    active.iter().flat_map(|(_, definition)| &definition.triggers).filter_map(|trigger| {
        match trigger {
            Trigger::Occurrence(Occurrence::Enters { segment }) => Some(segment.as_str()),
            _ => None,
        }
    })
}

/// A quick look: most events concern few workflows.
pub(crate) fn may_match(definition: &Definition, kind: &HappeningKind) -> bool {
    definition.triggers.iter().any(|trigger| match (trigger, kind) {
        (Trigger::Occurrence(Occurrence::Created { object }), HappeningKind::Change(change)) => {
            change.kind == ChangeKind::Created && &change.reference.object == object
        }
        (
            Trigger::Occurrence(Occurrence::Changed { object, .. }),
            HappeningKind::Change(change),
        ) => change.kind == ChangeKind::Changed && &change.reference.object == object,
        (
            Trigger::Occurrence(Occurrence::Event { name: wanted }),
            HappeningKind::Named { name, .. },
        ) => wanted == name,
        (
            Trigger::Occurrence(Occurrence::Enters { segment }),
            HappeningKind::Named { name, .. },
        ) => name.strip_prefix("enters:") == Some(segment),
        (Trigger::Webhook(webhook), HappeningKind::Named { name, .. }) => {
            *name == webhook_event(&webhook.name)
        }
        _ => false,
    })
}

/// Writes what events do, in their order, and that they are settled. Runs
/// that need no place of `one_per` begin together. Answers what they came to,
/// but for those that another host has matched.
pub(crate) async fn settle_all(
    tx: &mut Tx,
    events: &[Matched<Beginning>],
    now: Timestamp,
) -> Result<Vec<Matching>, StoreError> {
    // First of all, so that another host that has matched the same events waits
    // for this one, and then finds it done.
    tx.listening_lock(false).await?;
    let ids: Vec<_> = events.iter().map(|event| event.happening.id).collect();
    let ours = tx.event_settle(&ids).await?;
    let ours: Vec<_> = events.iter().filter(|event| ours.contains(&event.happening.id)).collect();
    let topics: Vec<_> = ours.iter().flat_map(|event| event.happening.topics()).collect();
    let mut awaited = tx.waiter_topics(&topics).await?;
    match_all(tx, &ours, &mut awaited, now).await
}

/// Writes what events do that are settled already, in their order. `awaited` has those
/// of their topics that runs listen for, and gets those for which the runs listen that
/// begin.
pub(crate) async fn match_all(
    tx: &mut Tx,
    events: &[&Matched<Beginning>],
    awaited: &mut HashSet<Watch>,
    now: Timestamp,
) -> Result<Vec<Matching>, StoreError> {
    let mut beginning = Vec::new();
    let mut settled = Vec::with_capacity(events.len());
    for event in events {
        let mut came =
            Matching { event: event.happening.id, runs: Vec::new(), not_started: Vec::new() };
        let topics = event.happening.topics();
        if topics.iter().any(|topic| awaited.contains(topic)) {
            // Also those that an event before this one started.
            begin_all(tx, &mut beginning).await?;
            for run in tx.waiter_runs(&topics).await? {
                tx.run_deliver(run, &event.happening, now).await?;
            }
        }
        for (workflow, key, reason) in &event.refusals {
            refuse(tx, event, workflow, key.clone(), reason, now, &mut came).await?;
        }
        for Beginning { starting, ready } in &event.starts {
            let (workflow, key) = (&starting.definition.name, starting.key().cloned());
            if starting.needs_place() {
                begin_all(tx, &mut beginning).await?;
                match take_place(tx, starting, now).await? {
                    Place::Taken => {}
                    Place::Refused(reason) => {
                        refuse(tx, event, workflow, key, &reason, now, &mut came).await?;
                        continue;
                    }
                    Place::Running(other) => {
                        match wait_or_not(tx, event, starting, other, now).await? {
                            None => came.not_started.push(NotBegun::queued(workflow.clone())),
                            Some(reason) => {
                                refuse(tx, event, workflow, key, &reason, now, &mut came).await?;
                            }
                        }
                        continue;
                    }
                }
            }
            awaited.extend(starting.watches.iter().cloned());
            came.runs.push(RunOutcome::of(&starting.definition, &starting.run));
            beginning.push(ready);
        }
        settled.push(came);
    }
    begin_all(tx, &mut beginning).await?;
    Ok(settled)
}

async fn begin_all(tx: &mut Tx, beginning: &mut Vec<&ReadyRun>) -> Result<(), StoreError> {
    tx.run_insert_all(&std::mem::take(beginning)).await
}

/// Keeps a start for when the run that has its place ends, or says why not.
async fn wait_or_not(
    tx: &mut Tx,
    event: &Matched<Beginning>,
    starting: &Starting,
    other: RunId,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let key = starting.key().cloned().unwrap_or_default();
    if !starting.waits() {
        return Ok(Some(format!("{other} is still running for the same {key}")));
    }
    let workflow = starting.definition.name.clone();
    if tx.queue_count(&workflow, &key).await? >= MOST_WAITING {
        return Ok(Some(format!("{MOST_WAITING} starts wait for the same {key} already")));
    }
    let new = NewQueued {
        workflow,
        key,
        record: main_record(&event.happening),
        subject: starting.run.subject.clone(),
        happening: event.happening.clone(),
    };
    tx.queue_put(&new, now).await?;
    Ok(None)
}

async fn refuse(
    tx: &mut Tx,
    event: &Matched<Beginning>,
    workflow: &str,
    key: Option<String>,
    reason: &str,
    now: Timestamp,
    came: &mut Matching,
) -> Result<(), StoreError> {
    let row = NotStarted {
        workflow: workflow.to_owned(),
        event: Some(event.happening.id),
        record: main_record(&event.happening),
        key,
        reason: reason.to_owned(),
        at: now,
    };
    tx.not_started_put(&row).await?;
    came.not_started.push(NotBegun::refused(row.workflow, row.reason));
    Ok(())
}

/// Whether a run that would begin has the place of `one_per`.
pub(crate) enum Place {
    /// It has, or needs none.
    Taken,
    /// This run has it, and goes on.
    Running(RunId),
    /// It is not to be had, and why.
    Refused(String),
}

/// Takes the place of `one_per`, if it is to be had. A run that gives its
/// place up is asked to end.
pub(crate) async fn take_place(
    tx: &mut Tx,
    starting: &Starting,
    now: Timestamp,
) -> Result<Place, StoreError> {
    let (Some(repeat), Some(key)) = (&starting.definition.repeat, &starting.run.key) else {
        return Ok(Place::Taken);
    };
    let enrolment = NewEnrolment {
        workflow: starting.definition.name.clone(),
        key: key.clone(),
        run: starting.run.id,
        again_if_before: starting.blocked_since.flatten(),
        counts_from_start: repeat.counted_from.is_none(),
        while_running: repeat.while_running,
    };
    Ok(match tx.enrolment_try(&enrolment, now).await? {
        Enrolment::Granted { replaces } => {
            if let Some(former) = replaces {
                tx.run_cancel_request(former, &format!("{} took its place", starting.run.id), now)
                    .await?;
            }
            Place::Taken
        }
        Enrolment::Running(other) => Place::Running(other),
        Enrolment::Blocked { run, counted_at } => {
            let when = if repeat.again_after.is_some() {
                "again_after has not gone by"
            } else {
                "again_after is never"
            };
            Place::Refused(format!(
                "{run} was there for the same {key}, counted at {counted_at}: {when}"
            ))
        }
    })
}

/// The record that an event is mainly about.
pub(crate) fn main_record(happening: &Happening) -> Option<Reference> {
    match &happening.kind {
        HappeningKind::Change(change) => Some(change.reference.clone()),
        HappeningKind::Named { about, .. } => about.first().cloned(),
    }
}

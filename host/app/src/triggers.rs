//! Events become runs, or recorded reasons why not; and reach the runs that
//! wait for them. One transaction per batch: the event is settled together
//! with what it started, so none is lost and none starts twice.

use std::{collections::BTreeSet, sync::Arc};

use relata_engine::{Admission, Happening, HappeningKind, Run, Start, Watch, admit, watches};
use relata_model::{ChangeKind, Reference, Timestamp};
use relata_store::{Enrolment, NewEnrolment, NewRun, NotStarted, Priority, StoreError, Tx};
use relata_workflow::{Definition, Facts, Occurrence, Trigger};

use crate::{App, AppError, fresh, runner::log_rows};

/// How many events one transaction settles.
const BATCH: u32 = 200;

/// What one event does.
struct Matched {
    happening: Happening,
    starts: Vec<Starting>,
    refusals: Vec<(String, Option<String>, String)>,
}

/// A run that an event may start; the enrolment has the last word.
struct Starting {
    definition: Arc<Definition>,
    run: Run,
    log: Vec<relata_store::LogRow>,
    watches: BTreeSet<Watch>,
    blocked_since: Option<Option<Timestamp>>,
}

impl Starting {
    fn new_run(self, now: Timestamp) -> NewRun {
        NewRun {
            run: self.run,
            priority: Priority::Normal,
            due_at: Some(now),
            watches: self.watches,
            log: self.log,
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
            matched.push(self.match_one(happening, &active).await?);
        }
        let count = matched.len();
        let now = self.now();
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    for event in matched {
                        settle(tx, event, now).await?;
                    }
                    Ok::<_, StoreError>(())
                })
            })
            .await?;
        Ok(count)
    }

    async fn match_one(
        &self,
        happening: Happening,
        active: &[(String, Arc<Definition>)],
    ) -> Result<Matched, AppError> {
        let now = self.now();
        let mut matched = Matched { happening, starts: Vec::new(), refusals: Vec::new() };
        for (digest, definition) in active {
            if !may_match(definition, &matched.happening) {
                continue;
            }
            let mut facts = self.facts_of(&matched.happening);
            let asked = {
                let happening = &matched.happening;
                self.with_facts(&mut facts, None, |facts| admit(definition, happening, facts, now))
                    .await
            };
            let admission = match asked {
                Ok(admission) => admission,
                // A formula that fails on this record, or a segment that is
                // gone, is a reason for this workflow, not an end for all.
                Err(why) if why.is_wrong_input() => {
                    Admission::Refuse { key: None, reason: why.to_string() }
                }
                Err(other) => return Err(other),
            };
            match admission {
                Admission::NoMatch => {}
                Admission::Refuse { key, reason } => {
                    matched.refusals.push((definition.name.clone(), key, reason));
                }
                Admission::Start { subject, key, blocked_since } => {
                    let start = Start {
                        id: fresh::run_id(now),
                        version: digest.clone(),
                        subject,
                        key,
                        happening: Some(matched.happening.clone()),
                        now,
                    };
                    let starting = self.starting(definition, start, blocked_since);
                    matched.starts.push(starting);
                }
            }
        }
        Ok(matched)
    }

    fn starting(
        &self,
        definition: &Arc<Definition>,
        start: Start,
        blocked_since: Option<Option<Timestamp>>,
    ) -> Starting {
        let (run, events) = Run::start(definition, start);
        let log = log_rows(definition, 0, &events, self.now(), None);
        Starting {
            definition: Arc::clone(definition),
            watches: watches(definition, &run),
            run,
            log,
            blocked_since,
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
            happening: None,
            now,
        };
        let starting = self.starting(definition, start, None);
        starting.new_run(now)
    }

    /// What is known before anybody asks: the record as the event left it.
    fn facts_of(&self, happening: &Happening) -> Facts {
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
fn may_match(definition: &Definition, happening: &Happening) -> bool {
    definition.triggers.iter().any(|trigger| match (trigger, &happening.kind) {
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
        _ => false,
    })
}

/// Writes what one event does.
async fn settle(tx: &mut Tx, matched: Matched, now: Timestamp) -> Result<(), StoreError> {
    let Matched { happening, starts, refusals } = matched;
    for run in tx.waiter_runs(&happening.topics()).await? {
        tx.run_deliver(run, &happening, now).await?;
    }
    let record = main_record(&happening);
    let refuse = |workflow: &str, key: Option<String>, reason: String| NotStarted {
        workflow: workflow.to_owned(),
        event: Some(happening.id),
        record: record.clone(),
        key,
        reason,
        at: now,
    };
    for (workflow, key, reason) in refusals {
        tx.not_started_put(&refuse(&workflow, key, reason)).await?;
    }
    for starting in starts {
        match enrol(tx, &starting, now).await? {
            None => tx.run_insert(&starting.new_run(now)).await?,
            Some(reason) => {
                let refusal = refuse(&starting.definition.name, starting.run.key.clone(), reason);
                tx.not_started_put(&refusal).await?;
            }
        }
    }
    tx.event_settle(&[happening.id]).await?;
    Ok(())
}

/// Takes the place of `one_per`; answers why it is not to be had.
async fn enrol(
    tx: &mut Tx,
    starting: &Starting,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let (Some(repeat), Some(key)) = (&starting.definition.repeat, &starting.run.key) else {
        return Ok(None);
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
            None
        }
        Enrolment::Running(other) => Some(format!("{other} is still running for the same {key}")),
        Enrolment::Blocked { run, counted_at } => {
            let when = if repeat.again_after.is_some() {
                "again_after has not gone by"
            } else {
                "again_after is never"
            };
            Some(format!("{run} was there for the same {key}, counted at {counted_at}: {when}"))
        }
    })
}

/// The record that an event is mainly about.
fn main_record(happening: &Happening) -> Option<Reference> {
    match &happening.kind {
        HappeningKind::Change(change) => Some(change.reference.clone()),
        HappeningKind::Named { about, .. } => about.first().cloned(),
    }
}

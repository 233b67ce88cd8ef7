//! What has happened in a case, and how much of it an expectation before has
//! seen already.

use std::collections::{BTreeMap, BTreeSet};

use relata_engine::{Outcome, Status};
use relata_model::{EffectId, Record, Reference, RunId, Timestamp};
use relata_store::{Effect, EffectFilter, EffectStatus, LogRow, NotStarted, RunFilter, RunRow};
use serde_json::Value as Json;

use crate::{App, AppError};

/// A run, and everything that it did.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) row: RunRow,
    pub(crate) log: Vec<LogRow>,
}

impl Told {
    pub(crate) const fn id(&self) -> RunId {
        self.row.run.id
    }

    pub(crate) const fn has_ended(&self) -> bool {
        matches!(self.row.run.status, Status::Ended(_))
    }

    /// Why it ended, or what it waits for.
    pub(crate) fn reason(&self) -> String {
        match &self.row.run.status {
            Status::Ended(outcome) => outcome.describe(),
            Status::Active => {
                let last = self.log.last().and_then(|row| row.explanation.as_ref());
                last.and_then(Json::as_str).unwrap_or_default().to_owned()
            }
        }
    }

    /// What the workflow calls its end.
    pub(crate) fn outcome(&self) -> Option<&str> {
        match &self.row.run.status {
            Status::Ended(Outcome::Stopped { outcome, .. }) => Some(outcome),
            _ => None,
        }
    }
}

/// All that has happened.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// Oldest first.
    pub(crate) runs: Vec<Told>,
    pub(crate) effects: Vec<Effect>,
    /// Oldest first.
    pub(crate) not_started: Vec<NotStarted>,
    /// By object, for those that an expectation speaks of.
    pub(crate) records: BTreeMap<String, Vec<Record>>,
}

/// How much of it an expectation has seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mark {
    /// The last log row of each run, and whether it had ended.
    runs: BTreeMap<RunId, (u64, bool)>,
    sent: BTreeSet<EffectId>,
    not_started: usize,
    records: BTreeSet<Reference>,
}

/// A call of an action that came back.
#[derive(Debug, Clone)]
pub(crate) struct MadeCall<'s> {
    pub(crate) told: &'s Told,
    pub(crate) row: &'s LogRow,
}

impl Seen {
    /// Looks at everything; `objects` are those whose records are looked at.
    pub(crate) async fn look(app: &App, objects: &BTreeSet<String>) -> Result<Self, AppError> {
        let store = app.store();
        let mut runs = Vec::new();
        for row in store.run_list(&RunFilter::default(), u32::MAX).await? {
            let log = store.run_log(row.run.id).await?;
            runs.push(Told { row, log });
        }
        let mut effects = store.outbox_list(&EffectFilter::default(), u32::MAX).await?;
        effects.sort_by_key(|effect| (effect.created_at, effect.run, effect.id));
        let mut not_started = store.not_started_list(None, None, u32::MAX).await?;
        not_started.reverse();
        let mut records = BTreeMap::new();
        for object in objects {
            records.insert(object.clone(), app.records_all(object).await?);
        }
        Ok(Self { runs, effects, not_started, records })
    }

    /// Everything is seen.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            runs: self
                .runs
                .iter()
                .map(|told| (told.id(), (told.row.run.seq, told.has_ended())))
                .collect(),
            sent: self
                .effects
                .iter()
                .filter(|effect| effect.sent_at.is_some())
                .map(|effect| effect.id)
                .collect(),
            not_started: self.not_started.len(),
            records: self
                .records
                .values()
                .flatten()
                .map(|record| record.reference.clone())
                .collect(),
        }
    }

    /// The runs of a workflow that an expectation speaks of: those that went
    /// on since the mark; if none did, the last one.
    pub(crate) fn runs_of(
        &self,
        mark: &Mark,
        workflow: &str,
        about: Option<&Reference>,
    ) -> Vec<&Told> {
        let all: Vec<&Told> = self
            .runs
            .iter()
            .filter(|told| told.row.run.workflow == workflow)
            .filter(|told| about.is_none() || told.row.run.subject.as_ref() == about)
            .collect();
        let going: Vec<&Told> = all
            .iter()
            .copied()
            .filter(|told| !mark.runs.get(&told.id()).is_some_and(|(_, ended)| *ended))
            .collect();
        if going.is_empty() { all.last().copied().into_iter().collect() } else { going }
    }

    /// The runs of a workflow that began since the mark.
    pub(crate) fn began(
        &self,
        mark: &Mark,
        workflow: &str,
        about: Option<&Reference>,
    ) -> Vec<&Told> {
        self.runs
            .iter()
            .filter(|told| told.row.run.workflow == workflow)
            .filter(|told| about.is_none() || told.row.run.subject.as_ref() == about)
            .filter(|told| !mark.runs.contains_key(&told.id()))
            .collect()
    }

    /// The calls of an action that came back since the mark, in order.
    pub(crate) fn calls(
        &self,
        mark: &Mark,
        workflow: &str,
        about: Option<&Reference>,
        action: &str,
    ) -> Vec<MadeCall<'_>> {
        let mut calls: Vec<MadeCall<'_>> = self
            .runs
            .iter()
            .filter(|told| told.row.run.workflow == workflow)
            .filter(|told| about.is_none() || told.row.run.subject.as_ref() == about)
            .flat_map(|told| {
                let seen = mark.runs.get(&told.id()).map_or(0, |(seq, _)| *seq);
                told.log
                    .iter()
                    .filter(move |row| row.seq > seen && row.kind == "done")
                    .filter(|row| row.action.as_deref() == Some(action))
                    .map(move |row| MadeCall { told, row })
            })
            .collect();
        calls.sort_by_key(|call| (call.row.at, call.told.id(), call.row.seq));
        calls
    }

    /// The messages that a call queued.
    pub(crate) fn letters(&self, call: &MadeCall<'_>) -> Vec<&Effect> {
        self.effects
            .iter()
            .filter(|effect| {
                effect.run == Some(call.told.id())
                    && effect.step.as_deref() == Some(call.row.step.as_str())
                    && effect.created_at == call.row.at
            })
            .collect()
    }

    /// The messages that left since the mark, in order.
    pub(crate) fn sent(&self, mark: &Mark, about: Option<&Reference>) -> Vec<&Effect> {
        let of_run = |effect: &&Effect| {
            about.is_none()
                || self.runs.iter().any(|told| {
                    Some(told.id()) == effect.run && told.row.run.subject.as_ref() == about
                })
        };
        let mut sent: Vec<&Effect> = self
            .effects
            .iter()
            .filter(|effect| effect.status == EffectStatus::Sent && !mark.sent.contains(&effect.id))
            .filter(of_run)
            .collect();
        // Of one moment, in the order of the steps: an effect's id is drawn by
        // the run's, and says nothing.
        sent.sort_by_key(|effect| (effect.sent_at, effect.created_at, self.place_of(effect)));
        sent
    }

    /// Which run queued a message, and at which place of its log.
    fn place_of(&self, effect: &Effect) -> (Option<usize>, Option<u64>) {
        let run = self.runs.iter().position(|told| Some(told.id()) == effect.run);
        let row = run.and_then(|run| {
            self.runs[run].log.iter().find(|row| {
                row.kind == "done"
                    && row.at == effect.created_at
                    && effect.step.as_deref() == Some(row.step.as_str())
            })
        });
        (run, row.map(|row| row.seq))
    }

    /// Runs of a workflow that did not start since the mark, in order.
    pub(crate) fn refusals(
        &self,
        mark: &Mark,
        workflow: &str,
        about: Option<&Reference>,
    ) -> Vec<&NotStarted> {
        self.not_started
            .iter()
            .skip(mark.not_started)
            .filter(|row| row.workflow == workflow)
            .filter(|row| about.is_none() || row.record.as_ref() == about)
            .collect()
    }

    /// The records of an object that are new since the mark, and not the
    /// test's own.
    pub(crate) fn created(
        &self,
        mark: &Mark,
        object: &str,
        own: &BTreeSet<Reference>,
    ) -> Vec<&Record> {
        self.records
            .get(object)
            .into_iter()
            .flatten()
            .filter(|record| {
                !mark.records.contains(&record.reference) && !own.contains(&record.reference)
            })
            .collect()
    }
}

impl MadeCall<'_> {
    /// When it came back.
    pub(crate) const fn at(&self) -> Timestamp {
        self.row.at
    }

    /// Why the plugin suppressed what it was to send, where it did.
    pub(crate) fn suppressed(&self) -> Option<String> {
        match self.row.output.as_ref()?.get("suppressed")? {
            Json::String(why) if !why.is_empty() => Some(why.clone()),
            Json::Array(items) if !items.is_empty() => {
                let reasons: Vec<&str> =
                    items.iter().filter_map(|item| item.get("reason")?.as_str()).collect();
                Some(reasons.join("; "))
            }
            _ => None,
        }
    }
}

//! What the demonstration knows of the database, as plain rows: everything
//! that it counts and shows comes from these.

use std::collections::BTreeMap;

use relata_app::model::{Calendar, Record, Reference, TimeZone, Timestamp};
use serde_json::Value as Json;

/// Everything at the end of the demonstration.
#[derive(Debug)]
pub(super) struct Facts {
    /// What the clock shows.
    pub(super) now: Timestamp,
    /// The company's zone.
    pub(super) zone: TimeZone,
    /// The hours in which surveys may go out.
    pub(super) support_hours: Calendar,
    /// All records of the objects that are shown, oldest first, by object.
    pub(super) records: BTreeMap<&'static str, Vec<Record>>,
    /// Every run.
    pub(super) runs: Vec<Run>,
    /// Every line of every run's log, by run, oldest first.
    pub(super) steps: BTreeMap<String, Vec<Step>>,
    /// Every effect on the outside.
    pub(super) effects: Vec<Effect>,
    /// Every run that did not start.
    pub(super) refusals: Vec<Refusal>,
    /// When each ticket was solved, oldest first: from its history.
    pub(super) solved: BTreeMap<Reference, Vec<Timestamp>>,
    /// Runs that would never go on by themselves.
    pub(super) stalled: Vec<String>,
    /// The mails that lie in the mail folder.
    pub(super) mails: Vec<super::mailbox::Delivered>,
}

/// A run.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) id: String,
    pub(super) workflow: String,
    pub(super) subject: Option<Reference>,
    /// How it ended; none while it goes on.
    pub(super) outcome: Option<String>,
    pub(super) started_at: Timestamp,
}

/// A line of a run's log.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// `do: mail.send`.
    pub(super) label: String,
    /// `done`, `level`, `failed` and so on.
    pub(super) kind: String,
    pub(super) input: Option<Json>,
    pub(super) output: Option<Json>,
    pub(super) explanation: String,
}

/// An effect on the outside.
#[derive(Debug, Clone)]
pub(super) struct Effect {
    pub(super) id: String,
    pub(super) run: Option<String>,
    pub(super) step: String,
    /// None for a notice.
    pub(super) template: Option<String>,
    pub(super) recipient: Option<Reference>,
    pub(super) status: String,
    pub(super) sent_at: Option<Timestamp>,
}

/// A run that did not start.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) workflow: String,
    pub(super) record: Option<Reference>,
    pub(super) reason: String,
}

impl Facts {
    /// The records of an object.
    pub(super) fn of(&self, object: &str) -> &[Record] {
        self.records.get(object).map_or(&[], Vec::as_slice)
    }

    /// A record by its reference, by id or external id.
    pub(super) fn record(&self, reference: &Reference) -> Option<&Record> {
        let records = self.of(&reference.object);
        let by_id = records.iter().find(|record| record.reference.key == reference.key);
        by_id.or_else(|| records.iter().find(|record| text(record, "external_id") == reference.key))
    }

    /// A record's name for people: its label's text, or its reference.
    pub(super) fn name(&self, reference: &Reference) -> String {
        self.record(reference)
            .and_then(|record| {
                ["name", "title", "subject"].iter().find_map(|field| record.field(field).as_text())
            })
            .map_or_else(|| reference.to_string(), str::to_owned)
    }

    /// The runs of a workflow.
    pub(super) fn runs_of<'a>(&'a self, workflow: &'a str) -> impl Iterator<Item = &'a Run> {
        self.runs.iter().filter(move |run| run.workflow == workflow)
    }

    /// What a run's log says, oldest first.
    pub(super) fn log(&self, run: &str) -> &[Step] {
        self.steps.get(run).map_or(&[], Vec::as_slice)
    }

    /// The result of the first step of a run with this label that came to
    /// its end.
    pub(super) fn result(&self, run: &str, label: &str) -> Option<&Step> {
        self.log(run).iter().find(|step| step.label == label && step.kind == "done")
    }

    /// The effects of a run.
    pub(super) fn effects_of<'a>(&'a self, run: &'a str) -> impl Iterator<Item = &'a Effect> {
        self.effects.iter().filter(move |effect| effect.run.as_deref() == Some(run))
    }
}

impl Effect {
    /// Whether it reached the outside.
    pub(super) fn is_sent(&self) -> bool {
        self.status == "sent"
    }
}

/// A text field, or nothing.
pub(super) fn text<'a>(record: &'a Record, field: &str) -> &'a str {
    record.field(field).as_text().unwrap_or_default()
}

//! Why a workflow ran, or did not run, for a record: what is stored of it,
//! and where nothing is, what came nearest to starting it.

use relata_engine::{Happening, HappeningKind, Status};
use relata_model::{ChangeKind, Record, Reference, RunId, text};
use relata_store::{
    Effect, EffectFilter, EffectKind, EffectStatus, QueueFilter, RunFilter, RunRow,
};
use serde::Serialize;

use crate::{App, AppError, history::with_labels, near_miss};

/// How many rows of each kind are read at the most.
const LONGEST: u32 = 1_000;

/// Of how many runs, the newest, the steps that did nothing and the mails are
/// told.
const DETAILED: usize = 20;

/// What the engine's log says of a step that had nothing to do.
const NOTHING_TO_DO: &str = "nothing to do: ";

/// Why a workflow did or did not run for a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// When, RFC 3339.
    pub at: String,
    /// `run`, `refused`, `waiting`, `mail`, or `never` where it has not been
    /// offered.
    pub kind: &'static str,
    /// What happened, where it is not in the sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// The sentence.
    pub why: String,
    /// The run, where there was one.
    pub run: Option<String>,
    /// More about it: what the run's steps did not do, and its mails.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
}

/// More about a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// When, RFC 3339.
    pub at: String,
    /// The sentence.
    pub why: String,
}

impl Reason {
    pub(crate) fn new(at: impl ToString, kind: &'static str, why: impl Into<String>) -> Self {
        Self {
            at: at.to_string(),
            kind,
            what: None,
            why: why.into(),
            run: None,
            details: Vec::new(),
        }
    }
}

impl App {
    /// Every reason why a workflow ran or did not run for a record, oldest
    /// first. Where nothing is stored, or the record has changed since and
    /// nothing came of it, what came nearest to starting it.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where there is no such record, or there never was
    /// such a workflow.
    pub async fn why_not(
        &self,
        workflow: &str,
        reference: &Reference,
    ) -> Result<Vec<Reason>, AppError> {
        let record = self.record(reference).await?;
        let known = self.store().workflow_list().await?;
        let Some(row) = known.iter().find(|row| row.name == workflow) else {
            let names = known.iter().map(|row| row.name.as_str());
            let hint = text::nearest(workflow, names)
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return Ok(vec![Reason::new(
                self.now(),
                "never",
                format!("no workflow `{workflow}` is active{hint}"),
            )]);
        };
        let mut reasons = self.runs_of(workflow, &record).await?;
        let runs: Vec<RunId> =
            reasons.iter().filter_map(|reason| reason.run.as_deref()?.parse().ok()).collect();
        let goes_on = reasons.iter().any(|reason| reason.why.starts_with(RUNNING));
        reasons.extend(self.refusals(workflow, &record).await?);
        let waiting = self.waiting(workflow, &record).await?;
        let waits = !waiting.is_empty();
        reasons.extend(waiting);
        reasons.extend(self.other_mails(workflow, &record, &runs).await?);
        reasons.sort_by(|a, b| a.at.cmp(&b.at));

        let Some(digest) = &row.active else {
            let since = row.deactivated_at.map_or_else(String::new, |at| format!(" on {at}"));
            reasons.push(Reason::new(
                row.deactivated_at.unwrap_or_else(|| self.now()),
                "never",
                format!("{workflow} was deactivated{since}: nothing starts it"),
            ));
            return Ok(reasons);
        };
        if goes_on || waits {
            return Ok(reasons);
        }
        let told_until = reasons.last().and_then(|reason| reason.at.parse().ok());
        let definition = self.version(digest).await?;
        let misses = near_miss::Misses { digest, definition: &definition, record: &record };
        reasons.extend(self.near_misses(misses, told_until).await?);
        Ok(reasons)
    }

    /// The runs about a record, or for it as the value of `one_per`.
    async fn runs_of(&self, workflow: &str, record: &Record) -> Result<Vec<Reason>, AppError> {
        let filter = RunFilter {
            workflow: Some(workflow.to_owned()),
            concerning: Some(record.reference.clone()),
            newest_first: true,
            ..RunFilter::default()
        };
        let mut reasons = Vec::new();
        for (place, row) in self.store().run_list(&filter, LONGEST).await?.into_iter().enumerate() {
            let (id, at) = (row.run.id, row.run.started_at);
            let details = if place < DETAILED { self.details(id).await? } else { Vec::new() };
            let why = self.told(row).await?;
            reasons.push(Reason {
                run: Some(id.to_string()),
                details,
                ..Reason::new(at, "run", why)
            });
        }
        // They came newest first.
        reasons.reverse();
        Ok(reasons)
    }

    /// The starts that were refused, each with what wanted it.
    async fn refusals(&self, workflow: &str, record: &Record) -> Result<Vec<Reason>, AppError> {
        let rows =
            self.store().not_started_list(Some(workflow), Some(&record.reference), LONGEST).await?;
        let mut reasons = Vec::with_capacity(rows.len());
        for (place, row) in rows.into_iter().enumerate() {
            let event = match row.event.filter(|_| place < DETAILED) {
                Some(event) => self.store().event_fetch(event).await?,
                None => None,
            };
            let what = event.map(|event| event.happening.describe());
            reasons.push(Reason { what, ..Reason::new(row.at, "refused", row.reason) });
        }
        // They came newest first.
        reasons.reverse();
        Ok(reasons)
    }

    /// How a run stands, in a sentence.
    async fn told(&self, row: RunRow) -> Result<String, AppError> {
        if let Status::Ended(outcome) = &row.run.status {
            let definition = self.version(&row.run.version).await?;
            let how = with_labels(&definition, &outcome.describe());
            return Ok(format!("it ran, and ended: {how}"));
        }
        let view = self.run_view(row).await?;
        if let Some(paused) = view.paused {
            let at = view.at.map_or_else(String::new, |at| format!(": {at}"));
            return Ok(format!("{RUNNING}{at}; but {paused}"));
        }
        Ok(match (view.at, view.due_at) {
            (Some(at), Some(due)) => format!("{RUNNING}: {at}, until {due} at the latest"),
            (Some(at), None) => format!("{RUNNING}: {at}, until something happens"),
            (None, _) => RUNNING.to_owned(),
        })
    }

    /// The steps of a run that had nothing to do, and its mails.
    async fn details(&self, run: RunId) -> Result<Vec<Detail>, AppError> {
        let mut details = Vec::new();
        for row in self.store().run_log(run).await? {
            let why = row.explanation.as_ref().and_then(serde_json::Value::as_str);
            if let Some(why) = why.filter(|why| why.starts_with(NOTHING_TO_DO)) {
                details
                    .push(Detail { at: row.at.to_string(), why: format!("{}: {why}", row.label) });
            }
        }
        let filter = EffectFilter { run: Some(run), ..EffectFilter::default() };
        for effect in self.store().outbox_list(&filter, LONGEST).await? {
            details.push(Detail { at: effect.created_at.to_string(), why: mailed(&effect) });
        }
        for event in self.store().event_list_of_run(run).await? {
            if let Some(why) = suppressed(&event.happening) {
                details.push(Detail { at: event.happening.at.to_string(), why });
            }
        }
        details.sort_by(|a, b| a.at.cmp(&b.at));
        Ok(details)
    }

    /// Starts that wait for a run for the same to end.
    async fn waiting(&self, workflow: &str, record: &Record) -> Result<Vec<Reason>, AppError> {
        let filter = QueueFilter {
            workflow: Some(workflow.to_owned()),
            record: Some(record.reference.clone()),
            ..QueueFilter::default()
        };
        let mut reasons = Vec::new();
        for queued in self.store().queue_list(&filter, LONGEST).await? {
            let (key, what) = (&queued.start.key, queued.start.happening.describe());
            let place = self.store().enrolment_fetch(workflow, key).await?;
            let run = place.filter(|place| place.running).map(|place| place.run);
            let why = match run {
                Some(run) => {
                    format!("it waits for {run} to end, which is for the same {key}: {what}")
                }
                None => format!("it waits for its turn: {what}"),
            };
            reasons.push(Reason {
                run: run.map(|run| run.to_string()),
                ..Reason::new(queued.at, "waiting", why)
            });
        }
        Ok(reasons)
    }

    /// Mails of the workflow to the record that none of these runs sent.
    async fn other_mails(
        &self,
        workflow: &str,
        record: &Record,
        runs: &[RunId],
    ) -> Result<Vec<Reason>, AppError> {
        let filter = EffectFilter {
            workflow: Some(workflow.to_owned()),
            recipient: Some(record.reference.clone()),
            ..EffectFilter::default()
        };
        let effects = self.store().outbox_list(&filter, LONGEST).await?;
        Ok(effects
            .iter()
            .filter(|effect| effect.run.is_none_or(|run| !runs.contains(&run)))
            .map(|effect| Reason {
                run: effect.run.map(|run| run.to_string()),
                ..Reason::new(effect.created_at, "mail", mailed(effect))
            })
            .collect())
    }
}

/// How the sentence about a run that goes on begins.
const RUNNING: &str = "it is running";

/// How a mail stands, in a sentence.
pub(crate) fn mailed(effect: &Effect) -> String {
    let what = match (effect.kind, &effect.template) {
        (EffectKind::Mail, Some(template)) => format!("mail {template}"),
        (EffectKind::Mail, None) => "mail".to_owned(),
        (EffectKind::Notice, _) => "notice".to_owned(),
        (EffectKind::Request, _) => "request".to_owned(),
    };
    let to =
        effect.recipient.as_ref().map_or_else(String::new, |recipient| format!(" to {recipient}"));
    let since = match (effect.status, effect.sent_at, effect.due_at) {
        (EffectStatus::Sent, Some(at), _) => format!(" on {at}"),
        (EffectStatus::Due, _, Some(at)) => format!(", goes out on {at}"),
        _ => String::new(),
    };
    let reason = effect.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    format!("{what}{to}: {}{since}{reason}", effect.status.as_str())
}

/// The sentence about a mail that was not wanted: all that is left of it is a
/// line on the recipient's timeline.
pub(crate) fn suppressed(happening: &Happening) -> Option<String> {
    let HappeningKind::Change(change) = &happening.kind else { return None };
    let is_line = change.reference.object == "interaction"
        && change.kind == ChangeKind::Created
        && change.is("kind").as_text() == Some("mail_suppressed");
    is_line.then(|| {
        let template = change.is("template");
        format!("mail {template} to {}: suppressed: {}", change.is("about"), change.is("summary"))
    })
}

/// What happened, and when, for a sentence.
pub(crate) fn told_of(happening: &Happening) -> String {
    format!("{} on {}", happening.describe(), happening.at)
}

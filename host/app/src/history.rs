//! Runs and effects as people and programs look at them.

use std::collections::HashMap;

use relata_engine::{Outcome, Status};
use relata_model::{Reference, RunId};
use relata_store::{RunFilter, RunRow};
use serde::Serialize;
use serde_json::Value as Json;

use crate::{App, AppError};

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunView {
    /// The run's id.
    pub run: String,
    /// The workflow's name.
    pub workflow: String,
    /// The digest of the workflow's version.
    pub version: String,
    /// The record it is about, `object/id`.
    pub record: Option<String>,
    /// What `one_per` gave, as text.
    pub key: Option<String>,
    /// `active`, `done`, `stopped`, `failed` or `cancelled`.
    pub status: &'static str,
    /// What the workflow calls its end, where it has a name for it: `bought`.
    pub outcome: Option<String>,
    /// Why it ended so.
    pub why: Option<String>,
    /// The step whose turn it is, for people; none where the run has ended.
    pub at: Option<String>,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// When it is looked at next; none where only a happening wakes it, or
    /// where it has ended.
    pub due_at: Option<String>,
    /// When it ended.
    pub ended_at: Option<String>,
}

/// A run, and everything that it did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunHistory {
    /// How it stands.
    #[serde(flatten)]
    pub run: RunView,
    /// What it did, in order.
    pub steps: Vec<StepView>,
}

/// One entry of a run's log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepView {
    /// Its place in the log, from 1.
    pub seq: u64,
    /// When, RFC 3339.
    pub time: String,
    /// The step's path, `steps[5].then[0]`; empty for the run as a whole.
    pub step: String,
    /// The step for people: `do: crm.update`.
    pub label: String,
    /// The step's line in the workflow, from 1; none for the run as a whole.
    pub line: Option<u32>,
    /// What happened, in a word: `done`, `waiting`, `failed`.
    pub kind: String,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// What went in.
    pub input: Option<Json>,
    /// What came out.
    pub output: Option<Json>,
    /// Why it came out so; for a routing decision, the candidates and why
    /// each was rejected.
    pub why: Option<Json>,
    /// Why it failed.
    pub error: Option<String>,
    /// The plugin's time on the processor, microseconds.
    pub cpu_us: u64,
    /// How long it waited for the host, milliseconds.
    pub wait_ms: u64,
}

impl App {
    /// Runs, at most `limit`, in the order that the filter says.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where the filter names a record that is not there.
    pub async fn runs(&self, filter: RunFilter, limit: u32) -> Result<Vec<RunView>, AppError> {
        let subject = match filter.subject {
            Some(reference) => Some(self.record(&reference).await?.reference),
            None => None,
        };
        let filter = RunFilter { subject, ..filter };
        let mut views = Vec::new();
        for row in self.store().run_list(&filter, limit).await? {
            views.push(self.run_view(row).await?);
        }
        Ok(views)
    }

    /// A run and everything that it did.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where there is no such run.
    pub async fn run_history(&self, id: RunId) -> Result<RunHistory, AppError> {
        let row = self.store().run_fetch(id).await?.ok_or_else(|| {
            AppError::wrong(format!("there is no run {id}; `relata runs` lists them"))
        })?;
        let definition = self.version(&row.run.version).await?;
        let lines: HashMap<&str, u32> =
            definition.steps.iter().map(|step| (step.path.as_str(), step.line)).collect();
        let steps = self
            .store()
            .run_log(id)
            .await?
            .into_iter()
            .map(|row| StepView {
                seq: row.seq,
                time: row.at.to_string(),
                line: lines.get(row.step.as_str()).copied(),
                step: row.step,
                label: row.label,
                kind: row.kind,
                attempt: row.attempt,
                input: row.input,
                output: row.output,
                why: row.explanation,
                error: row.error,
                cpu_us: row.cpu_us,
                wait_ms: row.wait_ms,
            })
            .collect();
        Ok(RunHistory { run: self.run_view(row).await?, steps })
    }

    pub(crate) async fn run_view(&self, row: RunRow) -> Result<RunView, AppError> {
        let run = row.run;
        let (status, outcome, why) = match &run.status {
            Status::Active => ("active", None, None),
            Status::Ended(Outcome::Done) => ("done", None, None),
            Status::Ended(Outcome::Stopped { outcome, why }) => (
                "stopped",
                Some(outcome.clone()).filter(|outcome| outcome != "stopped"),
                Some(why.clone()),
            ),
            Status::Ended(Outcome::Failed { step, why }) => {
                ("failed", None, Some(format!("{step}: {why}")))
            }
            Status::Ended(Outcome::Cancelled { why }) => ("cancelled", None, Some(why.clone())),
        };
        let at = match status {
            "active" => {
                let definition = self.version(&run.version).await?;
                run.stands(&definition)
                    .first()
                    .map(|(_, step)| format!("{} (line {})", step.label, step.line))
            }
            _ => None,
        };
        Ok(RunView {
            run: run.id.to_string(),
            record: run.subject.as_ref().map(Reference::to_string),
            workflow: run.workflow,
            version: run.version,
            key: run.key,
            status,
            outcome,
            why,
            at,
            started_at: run.started_at.to_string(),
            due_at: row.due_at.filter(|_| row.ended_at.is_none()).map(|at| at.to_string()),
            ended_at: row.ended_at.map(|at| at.to_string()),
        })
    }
}

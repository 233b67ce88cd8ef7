//! Runs and effects as people and programs look at them.

use std::collections::HashMap;

use relata_engine::{Outcome, Pending, Run, Status};
use relata_model::{Reference, RunId};
use relata_store::{EffectFilter, QueueFilter, RunFilter, RunRow};
use relata_workflow::Definition;
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::{
    App, AppError, EffectView, effects::view, limits::Limited, near_miss, why_not::suppressed,
};

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
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
    /// The run whose step began it.
    pub parent: Option<String>,
    /// The step whose turn it is, for people, and how many more there are
    /// beside it in loops and branches; none where the run has ended.
    pub at: Option<String>,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// When it is looked at next; none where only a happening wakes it, or
    /// where it has ended.
    pub due_at: Option<String>,
    /// When it ended.
    pub ended_at: Option<String>,
    /// What it yields, by name, once it is done.
    #[schema(value_type = Option<serde_json::Value>)]
    pub outputs: Option<Json>,
    /// Why it stands still, where somebody has paused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
    /// What limit holds it up, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_up: Option<String>,
}

/// A run, and everything that it did.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RunHistory {
    /// How it stands.
    #[serde(flatten)]
    pub run: RunView,
    /// What it was given, by name.
    #[schema(value_type = Option<serde_json::Value>)]
    pub inputs: Option<Json>,
    /// What it waits for now; nothing where it has ended.
    pub waits: Vec<WaitView>,
    /// What would end it before its last step.
    pub ends_before: Vec<String>,
    /// The runs that its steps began, oldest first.
    pub children: Vec<RunView>,
    /// How many starts wait for its end.
    pub queued: usize,
    /// What it did, in order.
    pub steps: Vec<StepView>,
}

/// What a run waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct WaitView {
    /// In a word: `retry` (a call failed or was put off), `wait`, `deadline`,
    /// `run` (the end of another one), `item` (the next one of a loop), or
    /// `turn` where it is about to go on.
    pub kind: &'static str,
    /// The step's path.
    pub step: String,
    /// Which items of loops and which branches it belongs to, `3.1`; empty
    /// outside of all.
    pub rounds: String,
    /// The step for people.
    pub label: String,
    /// The step's line in the workflow, from 1.
    pub line: u32,
    /// Until when at the most, or when it is tried again; none where only a
    /// happening ends it.
    pub until: Option<String>,
    /// What its log says of that last.
    pub why: Option<String>,
    /// The run for whose end it waits.
    pub run: Option<String>,
}

/// One entry of a run's log.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct StepView {
    /// Its place in the log, from 1.
    pub seq: u64,
    /// When, RFC 3339.
    pub time: String,
    /// The step's path, `steps[5].then[0]`; empty for the run as a whole.
    pub step: String,
    /// Which items of loops and which branches it belongs to, `3.1`; empty
    /// outside of all.
    pub rounds: String,
    /// The step for people: `do: crm.update`.
    pub label: String,
    /// The step's line in the workflow, from 1; none for the run as a whole.
    pub line: Option<u32>,
    /// What happened, in a word: `done`, `waiting`, `failed`.
    pub kind: String,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// What went in.
    #[schema(value_type = Option<serde_json::Value>)]
    pub input: Option<Json>,
    /// What came out.
    #[schema(value_type = Option<serde_json::Value>)]
    pub output: Option<Json>,
    /// Why it came out so; for a routing decision, the candidates and why
    /// each was rejected.
    #[schema(value_type = Option<serde_json::Value>)]
    pub why: Option<Json>,
    /// Why it failed.
    pub error: Option<String>,
    /// What it changed, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// The messages that it wanted to send, as they stand now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<EffectView>,
    /// The messages that nobody is to get, a sentence each with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub suppressed: Vec<String>,
    /// The plugin's time on the processor, microseconds.
    pub cpu_us: u64,
    /// How long it waited for the host, milliseconds.
    pub wait_ms: u64,
    /// The most memory that it had at any time, bytes.
    pub memory_bytes: u64,
    /// How often it called the host.
    pub host_calls: u32,
    /// Of these, requests to web services.
    pub http_calls: u32,
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
        let steps = self.steps(id, &definition).await?;
        let of_run = RunFilter { parent: Some(id), ..RunFilter::default() };
        let mut children = Vec::new();
        for child in self.store().run_list(&of_run, u32::MAX).await? {
            children.push(self.run_view(child).await?);
        }
        let stops = definition.stop_when.iter().filter(|_| !row.run.has_ended());
        Ok(RunHistory {
            inputs: steps.first().and_then(|first| first.input.clone()),
            waits: waits(&definition, &row.run, &steps),
            ends_before: stops.map(|stop| near_miss::becoming(&stop.occurrence)).collect(),
            children,
            queued: self.queued_behind(&row.run).await?,
            run: self.run_view(row).await?,
            steps,
        })
    }

    /// What a run did, with what it changed and sent.
    async fn steps(&self, id: RunId, definition: &Definition) -> Result<Vec<StepView>, AppError> {
        let lines: HashMap<&str, u32> =
            definition.steps.iter().map(|step| (step.path.as_str(), step.line)).collect();
        let mut steps: Vec<StepView> = self
            .store()
            .run_log(id)
            .await?
            .into_iter()
            .map(|row| StepView {
                seq: row.seq,
                time: row.at.to_string(),
                line: lines.get(row.step.as_str()).copied(),
                step: row.step,
                rounds: row.rounds,
                label: row.label,
                kind: row.kind,
                attempt: row.attempt,
                input: row.input,
                output: row.output,
                why: row.explanation.map(|why| match why {
                    Json::String(why) => Json::String(with_labels(definition, &why)),
                    other => other,
                }),
                error: row.error,
                changed: Vec::new(),
                messages: Vec::new(),
                suppressed: Vec::new(),
                cpu_us: row.cpu_us,
                wait_ms: row.wait_ms,
                memory_bytes: row.memory_bytes,
                host_calls: row.host_calls,
                http_calls: row.http_calls,
            })
            .collect();
        for event in self.store().event_list_of_run(id).await? {
            let Some(step) = event.entry.and_then(|entry| entry_of(&mut steps, entry)) else {
                continue;
            };
            match suppressed(&event.happening) {
                Some(why) => step.suppressed.push(why),
                None => step.changed.push(event.happening.describe()),
            }
        }
        let of_run = EffectFilter { run: Some(id), ..EffectFilter::default() };
        let mut effects = self.store().outbox_list(&of_run, u32::MAX).await?;
        effects.sort_by_key(|effect| effect.created_at);
        for effect in &effects {
            // The attempt that wanted it is the one that ended the step.
            let wanted = steps.iter_mut().rfind(|step| {
                step.kind == "done"
                    && Some(&step.step) == effect.step.as_ref()
                    && step.rounds == effect.rounds
            });
            if let Some(step) = wanted {
                step.messages.push(view(effect));
            }
        }
        Ok(steps)
    }

    /// How many starts wait for the end of a run.
    async fn queued_behind(&self, run: &Run) -> Result<usize, AppError> {
        let Some(key) = run.key.as_ref().filter(|_| !run.has_ended()) else { return Ok(0) };
        let place = self.store().enrolment_fetch(&run.workflow, key).await?;
        if place.is_none_or(|place| place.run != run.id) {
            return Ok(0);
        }
        let filter = QueueFilter {
            workflow: Some(run.workflow.clone()),
            key: Some(key.clone()),
            ..QueueFilter::default()
        };
        Ok(self.store().queue_list(&filter, u32::MAX).await?.len())
    }

    pub(crate) async fn run_view(&self, row: RunRow) -> Result<RunView, AppError> {
        let run = row.run;
        let paused = self.stands_still(&run, row.parked_by.as_ref()).await?;
        let held_up = match &run.status {
            Status::Active if self.limited(&*self.version(&run.version).await?) != Limited::No => {
                self.held_up(run.id).await?
            }
            _ => None,
        };
        let (status, outcome, mut why) = standing(&run.status);
        if let ("failed", Some(told)) = (status, &mut why) {
            let definition = self.version(&run.version).await?;
            *told = with_labels(&definition, told);
        }
        let at = match status {
            "active" => {
                let definition = self.version(&run.version).await?;
                let stands = run.stands(&definition);
                stands.first().map(|(_, step)| {
                    let more = match stands.len() - 1 {
                        0 => String::new(),
                        more => format!(", and {more} more beside it"),
                    };
                    format!("{} (line {}){more}", step.label, step.line)
                })
            }
            _ => None,
        };
        Ok(RunView {
            run: run.id.to_string(),
            record: run.subject.as_ref().map(Reference::to_string),
            parent: run.parent.map(|parent| parent.to_string()),
            outputs: Some(&run.state.outputs)
                .filter(|outputs| !outputs.is_nothing())
                .map(relata_model::Value::to_json),
            workflow: run.workflow,
            version: run.version,
            key: run.key,
            status,
            outcome,
            why,
            at,
            paused,
            held_up,
            started_at: run.started_at.to_string(),
            due_at: row.due_at.filter(|_| row.ended_at.is_none()).map(|at| at.to_string()),
            ended_at: row.ended_at.map(|at| at.to_string()),
        })
    }
}

/// How a run stands in a word, what its workflow calls its end, and why it
/// ended so; a failed step is named by its path.
pub(crate) fn standing(status: &Status) -> (&'static str, Option<String>, Option<String>) {
    match status {
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
    }
}

/// A sentence of the engine, which names steps by their paths, with their
/// labels and lines: a person knows no `steps[5].then[0]`.
pub(crate) fn with_labels(definition: &Definition, sentence: &str) -> String {
    if !sentence.contains('[') {
        return sentence.to_owned();
    }
    let mut steps: Vec<_> = definition.steps.iter().collect();
    // A path may begin with another one.
    steps.sort_by_key(|step| std::cmp::Reverse(step.path.len()));
    steps.into_iter().fold(sentence.to_owned(), |sentence, step| {
        sentence.replace(&step.path, &format!("{} (line {})", step.label, step.line))
    })
}

/// The entry of a log with this number; they are numbered from 1 without gaps.
fn entry_of(steps: &mut [StepView], entry: u64) -> Option<&mut StepView> {
    let place = usize::try_from(entry).ok()?.checked_sub(1)?;
    steps.get_mut(place).filter(|step| step.seq == entry)
}

/// What a run waits for in each of its strands.
fn waits(definition: &Definition, run: &Run, steps: &[StepView]) -> Vec<WaitView> {
    run.stands(definition)
        .into_iter()
        .map(|(rounds, step)| {
            let pending = run
                .state
                .strands
                .get(rounds)
                .and_then(|strand| strand.frames.last())
                .and_then(|frame| frame.pending.as_ref());
            let (kind, until, child) = match pending {
                Some(Pending::Calling { not_before, .. }) => ("retry", Some(*not_before), None),
                Some(Pending::Waiting { until, .. }) => ("wait", *until, None),
                Some(Pending::Child { run, until }) => ("run", *until, Some(*run)),
                Some(Pending::Items(items)) => ("item", items.not_before, None),
                Some(Pending::Deadline(_)) => ("deadline", None, None),
                Some(Pending::GivenUp { .. } | Pending::Branches { .. }) | None => {
                    ("turn", None, None)
                }
            };
            let rounds = rounds.to_string();
            let why = steps
                .iter()
                .rfind(|entry| entry.step == step.path && entry.rounds == rounds)
                .filter(|_| pending.is_some())
                .and_then(|entry| entry.why.as_ref()?.as_str().map(str::to_owned));
            WaitView {
                kind,
                step: step.path.clone(),
                rounds,
                label: step.label.clone(),
                line: step.line,
                until: until.map(|until| until.to_string()),
                why,
                run: child.map(|child| child.to_string()),
            }
        })
        .collect()
}

//! Runs that have ended and are to go on, one or all that a search finds; and
//! the end of runs that bring their host down.

use std::collections::BTreeMap;

use relata_engine::{Input, Retry, Run, decide, read_values, watches};
use relata_model::{FieldError, RunId, Timestamp, Value, text};
use relata_store::{Reopened, RunRow, RunSearch, RunStatus};
use relata_workflow::{Definition, StepId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    App, AppError, Assignment, RunView,
    change_set::ChangeSet,
    history::with_labels,
    runner::{Held, log_rows},
    starts::listed,
};

/// How many runs are looked at at once.
const PAGE: u32 = 200;

/// How a run that has ended is to go on.
#[derive(Debug, Clone, Default)]
pub struct RetryRequest {
    /// The step: its path, its `as` name or its line; the one that failed,
    /// if none.
    pub from: Option<String>,
    /// Values that are others from now on.
    pub set: Vec<Assignment>,
    /// Why, for people.
    pub why: String,
}

/// A run that was let go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Retried {
    /// The run.
    pub run: String,
    /// Where it goes on, for people.
    pub what: String,
}

/// What became of one of many runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BulkRow {
    /// How it stood before.
    #[serde(flatten)]
    pub run: RunView,
    /// Whether it was done; false also where that was only tried.
    pub done: bool,
    /// Why it could not be.
    pub refused: Option<String>,
}

impl App {
    /// Runs that a search finds, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where the search names a record that is not there.
    pub async fn search_runs(
        &self,
        mut search: RunSearch,
        limit: u32,
    ) -> Result<Vec<RunView>, AppError> {
        if let Some(reference) = search.filter.subject.take() {
            search.filter.subject = Some(self.record(&reference).await?.reference);
        }
        let mut views = Vec::new();
        for row in self.store().run_search(&search, limit).await? {
            views.push(self.run_view(row).await?);
        }
        Ok(views)
    }

    /// Lets a run go on that has ended: at the step that failed, or at
    /// another one; with other values, where some are given.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where it goes on already, cannot go on there, or
    /// a value does not fit; and where another run has its place.
    pub async fn retry(&self, run: RunId, request: &RetryRequest) -> Result<Retried, AppError> {
        let row = self.store().run_fetch(run).await?.ok_or_else(|| {
            AppError::wrong(format!("there is no run {run}; `relata runs` lists them"))
        })?;
        self.reopen(row, request, true).await
    }

    /// The same for all runs that a search finds. With `dry_run` nothing is
    /// written, and the answer says what would be. A search that does not say how they stand finds those that failed.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the search is wrong or the database fails. What
    /// stands in the way of a single run is told with it.
    pub async fn retry_all(
        &self,
        search: RunSearch,
        request: &RetryRequest,
        dry_run: bool,
    ) -> Result<Vec<BulkRow>, AppError> {
        let mut done = Vec::new();
        for row in self.found(search, RunStatus::Failed).await? {
            let reopened = self.reopen(row.clone(), request, !dry_run).await;
            done.push(self.bulk_row(row, reopened.map(|_| ()), dry_run).await?);
        }
        Ok(done)
    }

    /// Ends all runs that a search finds. With `dry_run` nothing is written.
    ///
    /// # Errors
    ///
    /// As [`App::retry_all`].
    pub async fn cancel_all(
        &self,
        search: RunSearch,
        why: &str,
        dry_run: bool,
    ) -> Result<Vec<BulkRow>, AppError> {
        let mut done = Vec::new();
        for row in self.found(search, RunStatus::Active).await? {
            let ended = match dry_run {
                true => Ok(()),
                false => self.cancel(row.run.id, why).await,
            };
            done.push(self.bulk_row(row, ended, dry_run).await?);
        }
        Ok(done)
    }

    async fn found(
        &self,
        mut search: RunSearch,
        status: RunStatus,
    ) -> Result<Vec<RunRow>, AppError> {
        if let Some(reference) = search.filter.subject.take() {
            search.filter.subject = Some(self.record(&reference).await?.reference);
        }
        search.filter.status = search.filter.status.or(Some(status));
        search.filter.newest_first = false;
        let mut found = Vec::new();
        loop {
            let page = self.store().run_search(&search, PAGE).await?;
            let Some(last) = page.last() else { return Ok(found) };
            search.filter.after = Some(last.run.id);
            found.extend(page);
        }
    }

    async fn bulk_row(
        &self,
        row: RunRow,
        done: Result<(), AppError>,
        dry_run: bool,
    ) -> Result<BulkRow, AppError> {
        let run = self.run_view(row).await?;
        match done {
            Ok(()) => Ok(BulkRow { run, done: !dry_run, refused: None }),
            Err(why) if why.is_wrong_input() => {
                Ok(BulkRow { run, done: false, refused: Some(why.to_string()) })
            }
            Err(other) => Err(other),
        }
    }

    /// Without `write` it only says whether it could be done.
    async fn reopen(
        &self,
        row: RunRow,
        request: &RetryRequest,
        write: bool,
    ) -> Result<Retried, AppError> {
        let mut run = row.run;
        let definition = self.version(&run.version).await?;
        let from = request.from.as_deref().map(|from| step_of(&definition, from)).transpose()?;
        let values = self.given_values(&definition, &run, &request.set).await?;
        let retry = Retry { from, values, why: request.why.clone() };
        let now = self.now();
        let decided = decide(&definition, &run, Input::Retry(retry), &self.no_facts(), now);
        let events =
            decided.map_err(|halt| AppError::wrong(with_labels(&definition, &halt.to_string())))?;
        let seq_before = run.seq;
        let log = log_rows(&definition, seq_before, &events, now, None);
        let mut what = String::new();
        for event in &events {
            run.apply(&definition, event);
            what = event.explanation();
        }
        let id = run.id;
        let retried = Retried { run: id.to_string(), what };
        if !write {
            return Ok(retried);
        }
        let watches = watches(&definition, &run);
        let reopen = relata_store::RunReopen { run, seq_before, log, watches };
        let reopened = self
            .store()
            .write(move |tx| Box::pin(async move { tx.run_reopen(&reopen, now).await }))
            .await?;
        match reopened {
            Reopened::Done => Ok(retried),
            Reopened::Stale => Err(AppError::wrong(format!("{id} goes on already"))),
            Reopened::Taken(other) => Err(AppError::wrong(format!(
                "{id} cannot go on: {other} is running for the same; cancel that one first"
            ))),
        }
    }

    /// The values that were written down, each of its type, and references
    /// by id.
    async fn given_values(
        &self,
        definition: &Definition,
        run: &Run,
        set: &[Assignment],
    ) -> Result<BTreeMap<String, Value>, AppError> {
        let given = set
            .iter()
            .map(|Assignment { field, written }| {
                let json = serde_json::from_str(written)
                    .unwrap_or_else(|_| serde_json::Value::String(written.clone()));
                (field.clone(), Value::from_json(&json))
            })
            .collect();
        let mut values =
            read_values(definition, run, &given).map_err(|wrong: Vec<FieldError>| {
                AppError::wrong(format!("the values do not fit: {}", listed(&wrong, "; ")))
            })?;
        for (name, value) in &mut values {
            if let Value::Reference(reference) = value {
                let found = self.record(reference).await;
                let found = found.map_err(|why| AppError::wrong(format!("{name}: {why}")))?;
                *value = Value::Reference(found.reference);
            }
        }
        Ok(values)
    }

    /// Gives a run up that brings its host down: the step whose turn it is has
    /// failed. That is committed before anything else is tried, so that it
    /// holds also where what follows brings the host down as well.
    pub(crate) async fn give_up(&self, held: &mut Held, why: String) -> Result<(), AppError> {
        tracing::error!(run.id = %held.run.id, workflow = held.run.workflow, "a run was given up; `relata runs list --dead` lists such runs");
        let mut facts = self.no_facts();
        self.advance(held, Input::GiveUp { why }, &mut facts, None, None).await?;
        let now: Timestamp = self.now();
        self.commit(held, Some(now), ChangeSet::default(), false, None).await?;
        Ok(())
    }
}

/// The step that somebody names: by its path, its `as` name or its line.
fn step_of(definition: &Definition, named: &str) -> Result<StepId, AppError> {
    let named = named.trim();
    let line = named.strip_prefix("line ").unwrap_or(named).trim().parse::<u32>().ok();
    let found = definition.steps.iter().find(|step| {
        step.path == named || step.name.as_deref() == Some(named) || Some(step.line) == line
    });
    if let Some(step) = found {
        return Ok(step.id);
    }
    let names = definition.steps.iter().filter_map(|step| step.name.as_deref());
    let near = text::nearest(named, names)
        .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    let steps: Vec<String> = definition
        .steps
        .iter()
        .map(|step| format!("{} (line {}): {}", step.path, step.line, step.label))
        .collect();
    Err(AppError::wrong(format!(
        "`{}` has no step `{named}`{near}\nits steps are\n  {}",
        definition.name,
        steps.join("\n  ")
    )))
}

//! What becomes of the runs that go on on an earlier version of a workflow
//! when another one is activated.

use std::sync::Arc;

use relata_engine::{Start, read_inputs};
use relata_model::{Fields, RunId, Value};
use relata_store::{RunFilter, RunRow, RunStatus, StoreError};
use relata_workflow::Definition;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{App, AppError, fresh};

/// How many runs are looked at at once.
const PAGE: u32 = 500;

/// As much of a digest as tells two versions apart.
const SHORT_DIGEST: usize = 12;

/// What becomes of the runs that go on on an earlier version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Running {
    /// They come to their end on the version they began with.
    #[default]
    Finish,
    /// Each is cancelled, and begins again on the new version.
    Restart,
    /// Each is cancelled.
    Cancel,
}

/// How many runs of earlier versions finish, restart or are cancelled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct OlderRuns {
    /// So many go on on the version they began with.
    pub finishing: u64,
    /// So many were cancelled and began again on this version.
    pub restarted: u64,
    /// So many were cancelled.
    pub cancelled: u64,
    /// Those of the ones that go on which should have begun again, and could
    /// not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<Kept>,
}

/// A run that could not begin again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Kept {
    /// The run.
    pub run: String,
    /// Why not.
    pub why: String,
}

impl App {
    /// Does with the runs of earlier versions what `running` says. A run for
    /// whose end somebody has asked is left alone: it has been dealt with,
    /// perhaps by a call of this that was broken off.
    pub(crate) async fn older_runs(
        &self,
        workflow: &str,
        digest: &str,
        running: Running,
    ) -> Result<OlderRuns, AppError> {
        let mut filter = RunFilter {
            workflow: Some(workflow.to_owned()),
            status: Some(RunStatus::Active),
            not_version: Some(digest.to_owned()),
            not_asked_to_end: true,
            ..RunFilter::default()
        };
        let mut older = OlderRuns::default();
        if running == Running::Finish {
            older.finishing = self.store().run_count(&filter).await?;
            return Ok(older);
        }
        let definition = self.version(digest).await?;
        loop {
            let rows = self.store().run_list(&filter, PAGE).await?;
            let Some(last) = rows.last() else { return Ok(older) };
            filter.after = Some(last.run.id);
            for row in rows {
                let run = row.run.id;
                if running == Running::Cancel {
                    older.cancelled += u64::from(self.cancel_older(run, digest).await?);
                    continue;
                }
                match self.given_again(&definition, &row).await? {
                    Ok(inputs) => {
                        let restarted = self.restart_older(&definition, digest, row, inputs);
                        older.restarted += u64::from(restarted.await?);
                    }
                    Err(why) => {
                        older.finishing += 1;
                        older.kept.push(Kept { run: run.to_string(), why });
                    }
                }
            }
        }
    }

    /// What a run was given, for another version; why not, where it cannot
    /// begin again on it.
    async fn given_again(
        &self,
        definition: &Definition,
        row: &RunRow,
    ) -> Result<Result<Fields, String>, AppError> {
        if let Some(why) = cannot_restart(definition, row) {
            return Ok(Err(why));
        }
        let log = self.store().run_log(row.run.id).await?;
        let given = match log.first().and_then(|first| first.input.as_ref()).map(Value::from_json) {
            Some(Value::Map(given)) => given,
            _ => Fields::new(),
        };
        Ok(read_inputs(definition, &given).map_err(|errors| {
            let errors: Vec<_> = errors.iter().map(|error| format!("input {error}")).collect();
            format!("it was not given what the new version takes: {}", errors.join("; "))
        }))
    }

    /// False where it has ended by itself meanwhile.
    async fn cancel_older(&self, run: RunId, digest: &str) -> Result<bool, AppError> {
        let now = self.now();
        let why = format!("version {} was activated", short(digest));
        let asked = self
            .store()
            .write(move |tx| Box::pin(async move { tx.run_cancel_once(run, &why, now).await }))
            .await?;
        Ok(asked)
    }

    /// In one transaction the former run is asked to end, and the new one
    /// begins in its place. False where it has ended by itself meanwhile.
    async fn restart_older(
        &self,
        definition: &Arc<Definition>,
        digest: &str,
        former: RunRow,
        inputs: Fields,
    ) -> Result<bool, AppError> {
        let now = self.now();
        let id = former.run.id;
        let start = Start {
            id: fresh::run_id(now),
            version: digest.to_owned(),
            subject: former.run.subject,
            key: former.run.key,
            inputs,
            happening: None,
            parent: None,
            now,
        };
        let version = short(digest);
        let mut new = self.starting(definition, start, None).new_run(now);
        new.priority = former.priority;
        if let Some(first) = new.log.first_mut() {
            let why = format!("in place of {id}, when version {version} was activated");
            first.explanation = Some(why.into());
        }
        let why = format!("{} took its place when version {version} was activated", new.run.id);
        let begun = self
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    if !tx.run_cancel_once(id, &why, now).await? {
                        return Ok(false);
                    }
                    tx.enrolment_hand_over(id, new.run.id, now).await?;
                    tx.run_insert(&new).await?;
                    Ok::<_, StoreError>(true)
                })
            })
            .await?;
        Ok(begun)
    }
}

/// Why a run cannot begin again on another version.
fn cannot_restart(definition: &Definition, row: &RunRow) -> Option<String> {
    if let Some(parent) = row.run.parent {
        return Some(format!("{parent} waits for its end"));
    }
    let was = row.run.subject.as_ref().map(|subject| subject.object.as_str());
    match (&definition.subject, was) {
        (Some(object), was) if was != Some(object) => Some(format!(
            "the new version is about a {object}, and the run is about {}",
            was.map_or_else(|| "no record".to_owned(), |was| format!("a {was}"))
        )),
        _ => None,
    }
}

fn short(digest: &str) -> &str {
    digest.get(..SHORT_DIGEST).unwrap_or(digest)
}

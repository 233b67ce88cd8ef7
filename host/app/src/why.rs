//! What happened to a record, and why something did not.

use relata_engine::Status;
use relata_model::{Record, Reference, Value};
use relata_store::{Condition, Query, RunFilter};
use serde::Serialize;

use crate::{App, AppError};

/// Why a workflow did or did not run for a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// When, RFC 3339.
    pub at: String,
    /// The sentence.
    pub why: String,
    /// The run, where there was one.
    pub run: Option<String>,
}

/// One line of a record's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TimelineEntry {
    /// When, RFC 3339.
    pub at: String,
    /// What happened, in a few words.
    pub what: String,
    /// Who or what did it.
    pub by: String,
    /// The run that did it, where one did.
    pub run: Option<String>,
}

/// How many entries of the event log a timeline shows at the most.
const LONGEST: u32 = 1_000;

impl App {
    /// Every reason why a workflow ran or did not run for a record, oldest
    /// first. Where nothing is recorded, the one reason says so.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where there is no such record.
    pub async fn why_not(
        &self,
        workflow: &str,
        reference: &Reference,
    ) -> Result<Vec<Reason>, AppError> {
        let record = self.record(reference).await?;
        let mut reasons = Vec::new();
        let filter = RunFilter {
            workflow: Some(workflow.to_owned()),
            subject: Some(record.reference.clone()),
            ..RunFilter::default()
        };
        for row in self.store().run_list(&filter, LONGEST).await? {
            let why = match &row.run.status {
                Status::Active => "it is running".to_owned(),
                Status::Ended(outcome) => format!("it ran, and ended: {}", outcome.describe()),
            };
            reasons.push(Reason {
                at: row.run.started_at.to_string(),
                why,
                run: Some(row.run.id.to_string()),
            });
        }
        for row in
            self.store().not_started_list(Some(workflow), Some(&record.reference), LONGEST).await?
        {
            reasons.push(Reason { at: row.at.to_string(), why: row.reason, run: None });
        }
        reasons.sort_by(|a, b| a.at.cmp(&b.at));
        if reasons.is_empty() {
            reasons.push(Reason {
                at: self.now().to_string(),
                why: self.never_offered(workflow, &record).await?,
                run: None,
            });
        }
        Ok(reasons)
    }

    async fn never_offered(&self, workflow: &str, record: &Record) -> Result<String, AppError> {
        let known = self.store().workflow_list().await?;
        let active = known.iter().find(|row| row.name == workflow && row.active.is_some());
        let Some(since) = active.and_then(|row| row.activated_at) else {
            let hint =
                relata_model::text::nearest(workflow, known.iter().map(|row| row.name.as_str()))
                    .filter(|near| *near != workflow)
                    .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return Ok(format!("no workflow `{workflow}` is active{hint}"));
        };
        Ok(format!(
            "it has never been offered: nothing that starts {workflow} has happened to {} since {since}, when it was activated",
            record.reference
        ))
    }

    /// What happened to a record, oldest first.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where there is no such record.
    pub async fn timeline(&self, reference: &Reference) -> Result<Vec<TimelineEntry>, AppError> {
        let record = self.record(reference).await?;
        let mut entries = Vec::new();
        for row in self.store().event_list(&record.reference, None, LONGEST).await? {
            entries.push(TimelineEntry {
                at: row.happening.at.to_string(),
                what: row.happening.describe(),
                by: row.actor,
                run: row.happening.run.map(|run| run.to_string()),
            });
        }
        let filter = RunFilter { subject: Some(record.reference.clone()), ..RunFilter::default() };
        for row in self.store().run_list(&filter, LONGEST).await? {
            let run = Some(row.run.id.to_string());
            let by = format!("workflow/{}", row.run.workflow);
            entries.push(TimelineEntry {
                at: row.run.started_at.to_string(),
                what: format!("{} began", row.run.workflow),
                by: by.clone(),
                run: run.clone(),
            });
            if let (Some(ended), Status::Ended(outcome)) = (row.ended_at, &row.run.status) {
                entries.push(TimelineEntry {
                    at: ended.to_string(),
                    what: format!("{} ended: {}", row.run.workflow, outcome.describe()),
                    by,
                    run,
                });
            }
        }
        for record in self.interactions(&record.reference).await? {
            let text = |field: &str| record.field(field).as_text().unwrap_or_default().to_owned();
            entries.push(TimelineEntry {
                at: record
                    .field("happened_at")
                    .as_time()
                    .or_else(|| record.field("created_at").as_time())
                    .map_or_else(String::new, |at| at.to_string()),
                what: format!("{}: {}", text("kind"), text("summary")),
                by: "interaction".to_owned(),
                run: None,
            });
        }
        entries.sort_by(|a, b| a.at.cmp(&b.at));
        Ok(entries)
    }

    async fn interactions(&self, about: &Reference) -> Result<Vec<Record>, AppError> {
        let about = Condition::equal("about", Value::Reference(about.clone()));
        let query = Query::new("interaction", vec![about]);
        Ok(self.store().record_query(&query).await?.records)
    }
}

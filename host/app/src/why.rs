//! What happened to a record, and why something did not.

use relata_model::{Record, Reference};
use relata_store::RunFilter;
use serde::Serialize;

use crate::{App, AppError, runner::outcome_name};

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

impl App {
    /// Every reason why a workflow ran or did not run for a record, oldest
    /// first. Where nothing is recorded, the one reason says so.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where there is no such record.
    pub async fn why_not(&self, workflow: &str, reference: &Reference) -> Result<Vec<Reason>, AppError> {
        let record = self.record(reference).await?;
        let mut reasons = Vec::new();
        let filter = RunFilter {
            workflow: Some(workflow.to_owned()),
            record: Some(record.reference.clone()),
            ..RunFilter::default()
        };
        for row in self.store().run_list(&filter).await? {
            let state = row.outcome.as_deref().unwrap_or("running");
            let why = match &row.why {
                Some(why) => format!("it ran, and ended as {state}: {why}"),
                None if row.ended_at.is_some() => format!("it ran, and ended as {state}"),
                None => "it is running".to_owned(),
            };
            reasons.push(Reason { at: row.started_at.to_string(), why, run: Some(row.id.to_string()) });
        }
        for row in self.store().not_started_list(Some(workflow), Some(&record.reference)).await? {
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
        let active = self.store().workflow_active().await?;
        let Some(row) = active.iter().find(|row| row.name == workflow) else {
            let hint = relata_model::text::nearest(workflow, active.iter().map(|row| row.name.as_str()))
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return Ok(format!("no workflow `{workflow}` is active{hint}"));
        };
        let since = row.activated_at;
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
        for row in self.store().event_list(&record.reference).await? {
            entries.push(TimelineEntry {
                at: row.at.to_string(),
                what: row.describe(),
                by: row.actor.clone(),
                run: row.run.map(|run| run.to_string()),
            });
        }
        let filter = RunFilter { record: Some(record.reference.clone()), ..RunFilter::default() };
        for row in self.store().run_list(&filter).await? {
            let run = Some(row.id.to_string());
            let by = format!("workflow/{}", row.workflow);
            entries.push(TimelineEntry {
                at: row.started_at.to_string(),
                what: format!("{} began", row.workflow),
                by: by.clone(),
                run: run.clone(),
            });
            if let Some(ended) = row.ended_at {
                let outcome = row.outcome.as_deref().unwrap_or(outcome_name(&relata_engine::Outcome::Done));
                let why = row.why.map_or_else(String::new, |why| format!(": {why}"));
                entries.push(TimelineEntry {
                    at: ended.to_string(),
                    what: format!("{} ended as {outcome}{why}", row.workflow),
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
        let query = relata_store::Query {
            object: "interaction".to_owned(),
            filter: vec![relata_store::Condition {
                field: "about".to_owned(),
                operator: relata_store::Operator::Equal,
                value: relata_model::Value::Reference(about.clone()),
            }],
            order: relata_store::Order::Age,
            after: None,
            limit: 1_000,
        };
        Ok(self.store().record_query(&query).await?)
    }
}

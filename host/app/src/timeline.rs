//! What happened to a record.

use relata_engine::Status;
use relata_model::{Record, Reference, Value};
use relata_store::{Condition, Order, Query, RunFilter};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{App, AppError, surveys};

/// One line of a record's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
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

/// How many lines a whole timeline has at the most: the last ones.
pub const LONGEST_TIMELINE: u32 = 1_000;

impl App {
    /// What happened to a record, oldest first: the last [`LONGEST_TIMELINE`]
    /// lines.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where there is no such record.
    pub async fn timeline(&self, reference: &Reference) -> Result<Vec<TimelineEntry>, AppError> {
        let record = self.record(reference).await?;
        self.timeline_of(&record.reference, &|_, _| true, true, LONGEST_TIMELINE).await
    }

    /// The last lines of [`App::timeline`], of a record that is there, for
    /// somebody who sees some fields of some objects and perhaps no runs.
    pub(crate) async fn timeline_of(
        &self,
        record: &Reference,
        sees: &(dyn Fn(&str, &str) -> bool + Sync),
        runs: bool,
        most: u32,
    ) -> Result<Vec<TimelineEntry>, AppError> {
        let mut entries = Vec::new();
        for row in self.store().event_list(record, None, most).await? {
            let own = |field: &str| sees(&record.object, field);
            let answer = surveys::told(&row.happening, sees);
            entries.push(TimelineEntry {
                at: row.happening.at.to_string(),
                what: answer.unwrap_or_else(|| row.happening.describe_to(&own)),
                by: row.actor,
                run: row.happening.run.map(|run| run.to_string()),
            });
        }
        let filter =
            RunFilter { subject: Some(record.clone()), newest_first: true, ..RunFilter::default() };
        let runs = if runs { self.store().run_list(&filter, most).await? } else { Vec::new() };
        for row in runs.into_iter().rev() {
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
        for record in self.interactions(record, most).await? {
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
        entries.drain(..entries.len().saturating_sub(most as usize));
        Ok(entries)
    }

    /// The last ones, oldest first.
    async fn interactions(&self, about: &Reference, most: u32) -> Result<Vec<Record>, AppError> {
        let about = Condition::equal("about", Value::Reference(about.clone()));
        let newest_first = Order { field: None, descending: true };
        let query =
            Query { order: newest_first, limit: most, ..Query::new("interaction", vec![about]) };
        let mut found = self.store().record_query(&query).await?.records;
        found.reverse();
        Ok(found)
    }
}

//! Starts that wait for a run for the same value of `one_per` to end.

use relata_engine::Happening;
use relata_model::{Reference, Timestamp};

use crate::{
    Store, StoreError, Tx,
    connection::{Conditions, Row, arguments, to_json},
};

/// A start that has to wait.
#[derive(Debug, Clone, PartialEq)]
pub struct NewQueued {
    /// The workflow.
    pub workflow: String,
    /// The value of `one_per`, as text.
    pub key: String,
    /// What wants to start the run.
    pub happening: Happening,
    /// What that was mainly about.
    pub record: Option<Reference>,
    /// The record that the run will be about.
    pub subject: Option<Reference>,
}

/// A start that waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Queued {
    /// Its place: the lowest of its key is next.
    pub seq: u64,
    /// What waits.
    pub start: NewQueued,
    /// Since when.
    pub at: Timestamp,
}

/// Which starts that wait.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueFilter {
    /// Of this workflow.
    pub workflow: Option<String>,
    /// For this value of `one_per`.
    pub key: Option<String>,
    /// About this record, by id, wanted by an event about it, or for it as the
    /// value of `one_per`.
    pub record: Option<Reference>,
}

impl Store {
    /// Starts that wait and meet a filter, in their order, at most `limit`.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn queue_list(
        &self,
        filter: &QueueFilter,
        limit: u32,
    ) -> Result<Vec<Queued>, StoreError> {
        self.read().await?.queue_list(filter, limit).await
    }
}

impl Tx {
    /// Lets a start wait, behind all others.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn queue_put(&mut self, new: &NewQueued, now: Timestamp) -> Result<(), StoreError> {
        self.connection
            .execute(
                "let a start wait",
                "INSERT INTO relata_queue
                     (workflow, enrolment_key, event_id, happening, record, subject, at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
                arguments![
                    &new.workflow,
                    &new.key,
                    new.happening.id,
                    to_json(&new.happening)?,
                    new.record.as_ref(),
                    new.subject.as_ref(),
                    now
                ],
            )
            .await?;
        Ok(())
    }

    /// As [`Store::queue_list`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn queue_list(
        &mut self,
        filter: &QueueFilter,
        limit: u32,
    ) -> Result<Vec<Queued>, StoreError> {
        let mut conditions = Conditions::default();
        if let Some(workflow) = &filter.workflow {
            conditions.and("workflow = ?", workflow);
        }
        if let Some(key) = &filter.key {
            conditions.and("enrolment_key = ?", key);
        }
        if let Some(record) = &filter.record {
            conditions.and("(subject = ? OR record = ? OR enrolment_key = ?)", record);
        }
        let (sql, arguments) =
            conditions.finish("SELECT * FROM relata_queue", "ORDER BY seq", limit);
        let rows = self.connection.rows("list the starts that wait", sql, arguments).await?;
        rows.iter().map(read).collect()
    }

    /// How many starts wait for a value of `one_per`.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn queue_count(&mut self, workflow: &str, key: &str) -> Result<u64, StoreError> {
        let row = self
            .connection
            .row(
                "count the starts that wait",
                "SELECT COUNT(*) AS found FROM relata_queue WHERE workflow = $1 AND enrolment_key = $2",
                arguments![workflow, key],
            )
            .await?;
        row.map_or(Ok(0), |row| row.count("found"))
    }

    /// Takes a start out of the queue: whoever does so begins its run, or
    /// says why not, in the same transaction. False where it is not there.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn queue_take(&mut self, seq: u64) -> Result<bool, StoreError> {
        let touched = self
            .connection
            .execute(
                "take a start that waited",
                "DELETE FROM relata_queue WHERE seq = $1",
                arguments![seq],
            )
            .await?;
        Ok(touched > 0)
    }

    /// Lets a start wait for another value of `one_per`, in its place.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn queue_move(&mut self, seq: u64, key: &str) -> Result<(), StoreError> {
        self.connection
            .execute(
                "let a start wait",
                "UPDATE relata_queue SET enrolment_key = $2 WHERE seq = $1",
                arguments![seq, key],
            )
            .await?;
        Ok(())
    }
}

fn read(row: &Row) -> Result<Queued, StoreError> {
    Ok(Queued {
        seq: row.count("seq")?,
        start: NewQueued {
            workflow: row.text("workflow")?,
            key: row.text("enrolment_key")?,
            happening: row.json("happening")?,
            record: row.parsed_or_none("record")?,
            subject: row.parsed_or_none("subject")?,
        },
        at: row.time("at")?,
    })
}

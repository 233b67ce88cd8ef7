//! Who is in a workflow, who was, and who was not let in and why.

use relata_model::{EventId, Reference, RunId, Timestamp};
use relata_workflow::WhileRunning;
use sqlx::AssertSqlSafe;

use crate::{
    Store, StoreError, Tx,
    connection::{Conditions, arguments},
};

/// A run that would begin for the value of `one_per`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEnrolment {
    /// The workflow.
    pub workflow: String,
    /// The value of `one_per`, as text.
    pub key: String,
    /// The run that would begin.
    pub run: RunId,
    /// When it has to have counted before, to begin again: `now` less
    /// `again_after`. None: never again.
    pub again_if_before: Option<Timestamp>,
    /// Whether it counts from its start; else [`Tx::enrolment_count`] says
    /// when.
    pub counts_from_start: bool,
    /// What holds while a run for the same is going on.
    pub while_running: WhileRunning,
}

/// Whether the run may begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enrolment {
    /// It may; the place is taken.
    Granted {
        /// The run whose place it takes, to be ended (`while_running:
        /// restart`).
        replaces: Option<RunId>,
    },
    /// Too early, or never again.
    Blocked {
        /// The run before.
        run: RunId,
        /// When that one counted.
        counted_at: Timestamp,
    },
    /// A run for the same is going on (`ignore` and `queue`).
    Running(RunId),
}

/// For whom a workflow runs or has run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentRow {
    /// The last run that took the place.
    pub run: RunId,
    /// Whether it goes on.
    pub running: bool,
    /// From when `again_after` counts, if it does.
    pub counted_at: Option<Timestamp>,
}

/// A run that did not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotStarted {
    /// The workflow.
    pub workflow: String,
    /// What would have started it.
    pub event: Option<EventId>,
    /// The record that it would have been about.
    pub record: Option<Reference>,
    /// The value of `one_per`, as text.
    pub key: Option<String>,
    /// Why not, for people.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

impl Store {
    /// The runs of a workflow that did not start for a record, or by an event
    /// about it: the last `limit`, newest first. Both are optional.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn not_started_list(
        &self,
        workflow: Option<&str>,
        record: Option<&Reference>,
        limit: u32,
    ) -> Result<Vec<NotStarted>, StoreError> {
        self.read().await?.not_started_list(workflow, record, limit).await
    }

    /// What is known of a value of `one_per`; none where no run took its
    /// place.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn enrolment_fetch(
        &self,
        workflow: &str,
        key: &str,
    ) -> Result<Option<EnrolmentRow>, StoreError> {
        self.read().await?.enrolment_fetch(workflow, key).await
    }
}

impl Tx {
    /// Takes the place of a run that would begin, if it may. Of many at once
    /// exactly one gets it; and until this transaction has ended, nobody else
    /// takes the place or gives it up.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn enrolment_try(
        &mut self,
        new: &NewEnrolment,
        now: Timestamp,
    ) -> Result<Enrolment, StoreError> {
        let beside = matches!(new.while_running, WhileRunning::Restart | WhileRunning::Parallel);
        let first = self
            .connection
            .execute(
                "enrol",
                "INSERT INTO relata_enrolment
                     (workflow, enrolment_key, run_id, started_at, counted_at, running)
                 VALUES ($1, $2, $3, $4, $5, 1)
                 ON CONFLICT (workflow, enrolment_key) DO NOTHING",
                arguments![
                    &new.workflow,
                    &new.key,
                    new.run,
                    now,
                    Some(now).filter(|_| new.counts_from_start)
                ],
            )
            .await?;
        if first > 0 {
            return Ok(Enrolment::Granted { replaces: None });
        }
        let sql = format!(
            "SELECT run_id, counted_at, running FROM relata_enrolment
             WHERE workflow = $1 AND enrolment_key = $2{}",
            self.dialect().locked()
        );
        let key = arguments![&new.workflow, &new.key];
        let present = self
            .connection
            .row("look for an enrolment", AssertSqlSafe(sql), key)
            .await?
            .ok_or_else(|| StoreError::unreadable("an enrolment", "it was there a moment ago"))?;
        let run = present.parsed("run_id")?;
        let running = present.whole("running")? != 0;
        if running && !beside {
            return Ok(Enrolment::Running(run));
        }
        if let Some(counted_at) = present.time_or_none("counted_at")?
            && new.again_if_before.is_none_or(|again| counted_at > again)
        {
            return Ok(Enrolment::Blocked { run, counted_at });
        }
        self.connection
            .execute(
                "enrol",
                "UPDATE relata_enrolment
                 SET run_id = $3, started_at = $4, running = 1, counted_at = COALESCE($5, counted_at)
                 WHERE workflow = $1 AND enrolment_key = $2",
                arguments![
                    &new.workflow,
                    &new.key,
                    new.run,
                    now,
                    Some(now).filter(|_| new.counts_from_start)
                ],
            )
            .await?;
        // Taking the place of a run that goes on.
        let replaces = (running && new.while_running == WhileRunning::Restart).then_some(run);
        Ok(Enrolment::Granted { replaces })
    }

    /// From now on `again_after` counts: the step that `counted_from` names
    /// is done. Only for the run that has the place.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn enrolment_count(
        &mut self,
        workflow: &str,
        key: &str,
        run: RunId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.connection
            .execute(
                "count an enrolment",
                "UPDATE relata_enrolment SET counted_at = $4
                 WHERE workflow = $1 AND enrolment_key = $2 AND run_id = $3",
                arguments![workflow, key, run, at],
            )
            .await?;
        Ok(())
    }

    /// Gives the place of a run that is asked to end to another one, which
    /// begins in its stead; what `again_after` counts from stays. False where
    /// it has no place.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn enrolment_hand_over(
        &mut self,
        former: RunId,
        to: RunId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let touched = self
            .connection
            .execute(
                "hand an enrolment over",
                "UPDATE relata_enrolment SET run_id = $2, started_at = $3
                 WHERE run_id = $1 AND running = 1",
                arguments![former, to, now],
            )
            .await?;
        Ok(touched > 0)
    }

    /// What is known of a value of `one_per`; none where no run took its
    /// place.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn enrolment_fetch(
        &mut self,
        workflow: &str,
        key: &str,
    ) -> Result<Option<EnrolmentRow>, StoreError> {
        let row = self
            .connection
            .row(
                "look for an enrolment",
                "SELECT run_id, counted_at, running FROM relata_enrolment
                 WHERE workflow = $1 AND enrolment_key = $2",
                arguments![workflow, key],
            )
            .await?;
        row.map(|row| {
            Ok(EnrolmentRow {
                run: row.parsed("run_id")?,
                running: row.whole("running")? != 0,
                counted_at: row.time_or_none("counted_at")?,
            })
        })
        .transpose()
    }

    /// Records why a run did not start.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn not_started_put(&mut self, row: &NotStarted) -> Result<(), StoreError> {
        self.connection
            .execute(
                "record why a run did not start",
                "INSERT INTO relata_not_started (workflow, event_id, record, enrolment_key, reason, at)
                 VALUES ($1, $2, $3, $4, $5, $6)",
                arguments![
                    &row.workflow,
                    row.event,
                    row.record.as_ref(),
                    row.key.as_ref(),
                    &row.reason,
                    row.at
                ],
            )
            .await?;
        Ok(())
    }

    /// As [`Store::not_started_list`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn not_started_list(
        &mut self,
        workflow: Option<&str>,
        record: Option<&Reference>,
        limit: u32,
    ) -> Result<Vec<NotStarted>, StoreError> {
        let mut conditions = Conditions::default();
        if let Some(workflow) = workflow {
            conditions.and("workflow = ?", workflow);
        }
        if let Some(record) = record {
            // What the event was mainly about, what counted, or what the event
            // was about as well.
            conditions.and(
                "(record = ? OR enrolment_key = ? OR event_id IN (
                     SELECT event.id FROM relata_event_about AS about
                     JOIN relata_event AS event ON event.seq = about.seq WHERE about.record = ?))",
                record,
            );
        }
        let (sql, arguments) =
            conditions.finish("SELECT * FROM relata_not_started", "ORDER BY seq DESC", limit);
        let rows = self.connection.rows("list what did not start", sql, arguments).await?;
        rows.iter()
            .map(|row| {
                Ok(NotStarted {
                    workflow: row.text("workflow")?,
                    event: row.parsed_or_none("event_id")?,
                    record: row.parsed_or_none("record")?,
                    key: row.text_or_none("enrolment_key")?,
                    reason: row.text("reason")?,
                    at: row.time("at")?,
                })
            })
            .collect()
    }
}

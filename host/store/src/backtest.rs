//! What a backtest reads: the event log from a place on, records as they were
//! at a place of it, and what runs have called and when.

use std::sync::Arc;

use relata_model::{Fields, Reference, RunId, Timestamp};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    LogRow, LoggedEvent, Store, StoreError, Tx,
    connection::{arguments, to_json},
    event::{const_format, read},
    run,
};

/// Among so many of the first ids of a time the first place is looked for:
/// hosts side by side do not commit in the order of their ids.
const SKEW: u32 = 1_000;

/// An answer to a call, as a run's log has it, without what came out.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRow {
    /// The run.
    pub run: RunId,
    /// Its workflow.
    pub workflow: String,
    /// What it is about.
    pub subject: Option<Reference>,
    /// The entry of its log.
    pub seq: u64,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The action.
    pub action: String,
    /// What went in, as JSON text with its keys in order.
    pub input: String,
    /// When.
    pub at: Timestamp,
}

/// A run that began before a time, as far as it matters for who may begin
/// after it.
#[derive(Debug, Clone, PartialEq)]
pub struct PastRun {
    /// The run.
    pub run: RunId,
    /// The value of `one_per`.
    pub key: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When the step was done from which `again_after` counts, if it was.
    pub counted_at: Option<Timestamp>,
}

/// Which runs of before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastFilter {
    /// Of this workflow.
    pub workflow: String,
    /// Begun before this time.
    pub before: Timestamp,
    /// The path of the step from which `again_after` counts, if it is not the
    /// start.
    pub counted_from: Option<String>,
}

impl Store {
    /// The place in the log at which a time begins: no event from then on
    /// lies before it.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_place(&self, at: Timestamp) -> Result<u64, StoreError> {
        self.read().await?.event_place(at).await
    }

    /// The entries of the log from a place on, in order, at most `limit`.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_page(&self, from: u64, limit: u32) -> Result<Vec<LoggedEvent>, StoreError> {
        self.read().await?.event_page(from, limit).await
    }

    /// How a record was before the first change of it from a place of the log
    /// on: `Some(None)` where that change created it, `None` where there is
    /// no such change, and it is as it was then.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn record_before(
        &self,
        record: &Reference,
        place: u64,
    ) -> Result<Option<Option<Arc<Fields>>>, StoreError> {
        self.read().await?.record_before(record, place).await
    }

    /// The records of an object that, from a place of the log on, were
    /// deleted or got another value in a field: those that a query for the
    /// field's value does not find as they were.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn record_moved(
        &self,
        object: &str,
        field: &str,
        place: u64,
    ) -> Result<Vec<Reference>, StoreError> {
        self.read().await?.record_moved(object, field, place).await
    }

    /// The answers to calls of these actions by runs that began after a time,
    /// by run and entry, from after a row on, at most `limit`.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn call_page(
        &self,
        actions: &[String],
        since: Timestamp,
        after: Option<(RunId, u64)>,
        limit: u32,
    ) -> Result<Vec<CallRow>, StoreError> {
        self.read().await?.call_page(actions, since, after, limit).await
    }

    /// One entry of a run's log.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn log_fetch(&self, run: RunId, seq: u64) -> Result<Option<LogRow>, StoreError> {
        self.read().await?.log_fetch(run, seq).await
    }

    /// The runs of a workflow with a value of `one_per` that began before a
    /// time, oldest first, from after a run on, at most `limit`.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_past(
        &self,
        filter: &PastFilter,
        after: Option<RunId>,
        limit: u32,
    ) -> Result<Vec<PastRun>, StoreError> {
        self.read().await?.run_past(filter, after, limit).await
    }

    /// The runs that the runs of a workflow which began after a time have
    /// started, and those that these have started, and so on.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_descendants(
        &self,
        workflow: &str,
        since: Timestamp,
    ) -> Result<Vec<RunId>, StoreError> {
        self.read().await?.run_descendants(workflow, since).await
    }

    /// How many runs of a workflow began in a time.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_count_between(
        &self,
        workflow: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<u64, StoreError> {
        self.read().await?.run_count_between(workflow, from, to).await
    }

    /// Why runs of a workflow did not start in a time, oldest first, from
    /// after a row on, at most `limit`; each with its place.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn not_started_between(
        &self,
        workflow: &str,
        (from, to): (Timestamp, Timestamp),
        after: u64,
        limit: u32,
    ) -> Result<Vec<(u64, String)>, StoreError> {
        self.read().await?.not_started_between(workflow, (from, to), after, limit).await
    }

    /// How often the runs of a workflow that began in a time were answered by
    /// each action, until the end of that time: done, nothing to do, failed
    /// for good.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn call_counts(
        &self,
        workflow: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(String, [u64; 3])>, StoreError> {
        self.read().await?.call_counts(workflow, from, to).await
    }
}

impl Tx {
    /// As [`Store::event_place`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_place(&mut self, at: Timestamp) -> Result<u64, StoreError> {
        // Ids sort by time, and have an index; `at` has none.
        let first = relata_model::EventId::from_uuid(earliest(at));
        let row = self
            .connection
            .row(
                "look for a time in the event log",
                "SELECT MIN(seq) AS place FROM
                     (SELECT seq FROM relata_event WHERE id >= $1 ORDER BY id LIMIT $2) AS early",
                arguments![first, SKEW],
            )
            .await?;
        let place = row.map(|row| row.whole_or_none("place")).transpose()?.flatten();
        Ok(place.map_or(u64::MAX, |place| u64::try_from(place).unwrap_or_default()))
    }

    /// As [`Store::event_page`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_page(
        &mut self,
        from: u64,
        limit: u32,
    ) -> Result<Vec<LoggedEvent>, StoreError> {
        let sql =
            const_format("SELECT {EVENT} FROM relata_event WHERE seq >= $1 ORDER BY seq LIMIT $2");
        let rows = self.connection.rows("read the event log", sql, arguments![from, limit]).await?;
        rows.iter().map(read).collect()
    }

    /// As [`Store::record_before`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn record_before(
        &mut self,
        record: &Reference,
        place: u64,
    ) -> Result<Option<Option<Arc<Fields>>>, StoreError> {
        let row = self
            .connection
            .row(
                "read a record as it was",
                "SELECT before_image FROM relata_event
                 WHERE record = $1 AND seq >= $2 AND kind <> 'named' ORDER BY seq LIMIT 1",
                arguments![record, place],
            )
            .await?;
        row.map(|row| row.json_or_none("before_image")).transpose()
    }

    /// As [`Store::record_moved`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn record_moved(
        &mut self,
        object: &str,
        field: &str,
        place: u64,
    ) -> Result<Vec<Reference>, StoreError> {
        let sql = format!(
            "SELECT DISTINCT record FROM relata_event
             WHERE seq >= $1 AND object = $2 AND kind IN ('changed', 'deleted')
               AND {}",
            self.dialect().differs("before_image", "after_image", "$3")
        );
        let rows = self
            .connection
            .rows(
                "look for records that were otherwise",
                AssertSqlSafe(sql),
                arguments![place, object, self.dialect().member(field)],
            )
            .await?;
        rows.iter().map(|row| row.parsed("record")).collect()
    }

    /// As [`Store::call_page`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn call_page(
        &mut self,
        actions: &[String],
        since: Timestamp,
        after: Option<(RunId, u64)>,
        limit: u32,
    ) -> Result<Vec<CallRow>, StoreError> {
        let (run, seq) = after.unwrap_or((RunId::from_uuid(earliest(since)), 0));
        let wanted: Vec<_> =
            actions.iter().map(|action| serde_json::json!({ "action": action })).collect();
        let sql = format!(
            "SELECT log.run_id, log.seq, log.attempt, log.action, log.input, log.at,
                    run.workflow, run.subject
             FROM relata_step_log AS log JOIN relata_run AS run ON run.id = log.run_id
             WHERE (log.run_id, log.seq) > ($1, $2) AND log.input IS NOT NULL
               AND log.action IN (SELECT given.action FROM {})
             ORDER BY log.run_id, log.seq LIMIT $4",
            self.dialect().given("$3", &["action"])
        );
        let rows = self
            .connection
            .rows(
                "read what was called",
                AssertSqlSafe(sql),
                arguments![run, seq, to_json(&wanted)?, limit],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(CallRow {
                    run: row.parsed("run_id")?,
                    workflow: row.text("workflow")?,
                    subject: row.parsed_or_none("subject")?,
                    seq: row.count("seq")?,
                    attempt: row.small("attempt")?,
                    action: row.text("action")?,
                    input: row.text("input")?,
                    at: row.time("at")?,
                })
            })
            .collect()
    }

    /// As [`Store::log_fetch`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn log_fetch(&mut self, run: RunId, seq: u64) -> Result<Option<LogRow>, StoreError> {
        let row = self
            .connection
            .row(
                "read what a run did",
                "SELECT * FROM relata_step_log WHERE run_id = $1 AND seq = $2",
                arguments![run, seq],
            )
            .await?;
        row.as_ref().map(run::read_log).transpose()
    }

    /// As [`Store::run_past`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_past(
        &mut self,
        filter: &PastFilter,
        after: Option<RunId>,
        limit: u32,
    ) -> Result<Vec<PastRun>, StoreError> {
        let end = RunId::from_uuid(earliest(filter.before));
        let after = after.unwrap_or(RunId::from_uuid(Uuid::nil()));
        let rows = self
            .connection
            .rows(
                "read who was in a workflow",
                "SELECT run.id, run.run_key, run.started_at, run.ended_at,
                        (SELECT MAX(log.at) FROM relata_step_log AS log
                         WHERE log.run_id = run.id AND log.step = $4 AND log.kind = 'done'
                           AND log.output IS NOT NULL) AS counted_at
                 FROM relata_run AS run
                 WHERE run.workflow = $1 AND run.id > $2 AND run.id < $3 AND run.run_key IS NOT NULL
                 ORDER BY run.id LIMIT $5",
                arguments![&filter.workflow, after, end, filter.counted_from.as_ref(), limit],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(PastRun {
                    run: row.parsed("id")?,
                    key: row.text("run_key")?,
                    started_at: row.time("started_at")?,
                    ended_at: row.time_or_none("ended_at")?,
                    counted_at: row.time_or_none("counted_at")?,
                })
            })
            .collect()
    }

    /// As [`Store::run_descendants`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_descendants(
        &mut self,
        workflow: &str,
        since: Timestamp,
    ) -> Result<Vec<RunId>, StoreError> {
        let rows = self
            .connection
            .rows(
                "look for the runs that runs have started",
                "WITH RECURSIVE child(id) AS (
                     SELECT run.id FROM relata_run AS run JOIN relata_run AS first ON first.id = run.parent
                     WHERE first.workflow = $1 AND first.id >= $2
                     UNION SELECT run.id FROM relata_run AS run JOIN child ON run.parent = child.id)
                 SELECT id FROM child ORDER BY id",
                arguments![workflow, RunId::from_uuid(earliest(since))],
            )
            .await?;
        rows.iter().map(|row| row.parsed("id")).collect()
    }

    /// As [`Store::run_count_between`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn run_count_between(
        &mut self,
        workflow: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<u64, StoreError> {
        let row = self
            .connection
            .row(
                "count what began",
                "SELECT COUNT(*) AS found FROM relata_run
                 WHERE workflow = $1 AND started_at >= $2 AND started_at <= $3",
                arguments![workflow, from, to],
            )
            .await?;
        row.map_or(Ok(0), |row| row.count("found"))
    }

    /// As [`Store::not_started_between`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn not_started_between(
        &mut self,
        workflow: &str,
        (from, to): (Timestamp, Timestamp),
        after: u64,
        limit: u32,
    ) -> Result<Vec<(u64, String)>, StoreError> {
        let rows = self
            .connection
            .rows(
                "list what did not start",
                "SELECT seq, reason FROM relata_not_started
                 WHERE workflow = $1 AND at >= $2 AND at <= $3 AND seq > $4 ORDER BY seq LIMIT $5",
                arguments![workflow, from, to, after, limit],
            )
            .await?;
        rows.iter().map(|row| Ok((row.count("seq")?, row.text("reason")?))).collect()
    }

    /// As [`Store::call_counts`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn call_counts(
        &mut self,
        workflow: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(String, [u64; 3])>, StoreError> {
        // A failed attempt that is the last one has no time for another, and
        // so no further entry of the same step's calls.
        let rows = self
            .connection
            .rows(
                "count what was called",
                "SELECT log.action,
                        SUM(CASE WHEN log.kind = 'done' AND log.output IS NOT NULL THEN 1 ELSE 0 END) AS done,
                        SUM(CASE WHEN log.kind = 'done' AND log.output IS NULL THEN 1 ELSE 0 END) AS skipped,
                        SUM(CASE WHEN log.kind = 'attempt_failed' AND NOT EXISTS (
                              SELECT 1 FROM relata_step_log AS later
                              WHERE later.run_id = log.run_id AND later.seq > log.seq
                                AND later.step = log.step AND later.rounds = log.rounds
                                AND later.action IS NOT NULL) THEN 1 ELSE 0 END) AS failed
                 FROM relata_run AS run JOIN relata_step_log AS log ON log.run_id = run.id
                 WHERE run.workflow = $1 AND run.started_at >= $2 AND run.started_at <= $3
                   AND log.action IS NOT NULL AND log.at <= $3
                 GROUP BY log.action ORDER BY log.action",
                arguments![workflow, from, to],
            )
            .await?;
        rows.iter()
            .map(|row| {
                let counts = [row.count("done")?, row.count("skipped")?, row.count("failed")?];
                Ok((row.text("action")?, counts))
            })
            .collect()
    }
}

/// The first UUIDv7 of a millisecond.
fn earliest(at: Timestamp) -> Uuid {
    let millis = u128::try_from(at.as_millisecond()).unwrap_or_default();
    Uuid::from_u128(millis << 80)
}

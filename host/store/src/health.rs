//! How the store stands, in numbers: for metrics and for whoever looks after
//! a host.

use relata_model::{RunId, Timestamp};
use sqlx::AssertSqlSafe;

use crate::{
    Store, StoreError, Tx,
    connection::{Argument, Row, arguments},
};

/// The clock of the database, milliseconds since 1970 UTC. PostgreSQL:
/// `SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS now`.
const NOW: &str = "SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS BIGINT) AS now";

/// Whether the database is sound, a row a fault. PostgreSQL has no such
/// question.
const CHECK: &str = "PRAGMA quick_check(5)";

const DUE_RUNS: &str = "SELECT COUNT(*) AS found, MIN(due_at) AS oldest FROM relata_run
    WHERE due_at <= $1 AND lease_owner IS NULL";

const PENDING_EVENTS: &str = "SELECT COUNT(*) AS found, MIN(at) AS oldest FROM relata_event
    WHERE pending = 1 AND at <= $1";

const DUE_EFFECTS: &str = "SELECT COUNT(*) AS found, MIN(due_at) AS oldest FROM relata_outbox
    WHERE status = 'due' AND due_at <= $1";

/// Something that waits to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// How many there are.
    pub count: u64,
    /// Since when the oldest one waits.
    pub oldest: Option<Timestamp>,
}

/// How much there is of everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Runs by how they stand: `due`, `held` (a host has it), `sleeping`,
    /// `listening` (only a happening wakes it), `parked` (by a pause), `done`,
    /// `stopped`, `failed`, `cancelled`.
    pub runs: Vec<(String, u64)>,
    /// Effects by status.
    pub effects: Vec<(String, u64)>,
    /// Runs that are due and that nobody has.
    pub due_runs: Backlog,
    /// Events that triggers have not seen.
    pub pending_events: Backlog,
    /// Effects that are due.
    pub due_effects: Backlog,
}

impl Store {
    /// How much there is of everything. It counts rows: seconds on millions.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn health_counts(&self, now: Timestamp) -> Result<Counts, StoreError> {
        self.read().await?.health_counts(now).await
    }

    /// Runs whose worker is gone: its lease ended before a time, and nobody
    /// has taken them over. Oldest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn health_stalled(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<RunId>, StoreError> {
        let sql = "SELECT id FROM relata_run
             WHERE due_at < $1 AND lease_owner IS NOT NULL AND lease_until < $1 AND status = 'active'
             ORDER BY due_at LIMIT $2";
        self.read().await?.health_runs(sql, arguments![before, limit]).await
    }

    /// Runs that were due before a time, and nobody has them. Oldest first,
    /// at most `limit`.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn health_overdue(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<RunId>, StoreError> {
        let sql = "SELECT id FROM relata_run
             WHERE due_at < $1 AND lease_owner IS NULL AND status = 'active'
             ORDER BY due_at LIMIT $2";
        self.read().await?.health_runs(sql, arguments![before, limit]).await
    }

    /// Runs whose last call brought their host down, or met a fault, and whose lease
    /// had ended at `now`; of those that are due `soon`, which is the end of any
    /// lease.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn health_suspects(
        &self,
        now: Timestamp,
        soon: Timestamp,
        limit: u32,
    ) -> Result<Vec<RunId>, StoreError> {
        let sql = "SELECT id FROM relata_run
             WHERE due_at <= $3 AND crash_count > 0 AND status = 'active'
               AND (lease_owner IS NULL OR lease_until < $1)
             ORDER BY crash_count DESC LIMIT $2";
        self.read().await?.health_runs(sql, arguments![now, limit, soon]).await
    }

    /// Runs that are due and that nobody has.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn health_due_runs(&self, now: Timestamp) -> Result<Backlog, StoreError> {
        self.read().await?.waiting(DUE_RUNS, now).await
    }

    /// Events that triggers have not seen.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn health_pending_events(&self, now: Timestamp) -> Result<Backlog, StoreError> {
        self.read().await?.waiting(PENDING_EVENTS, now).await
    }

    /// The time by the database's clock.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn health_now(&self) -> Result<Timestamp, StoreError> {
        let row = self.read().await?.connection.row("read its clock", NOW, arguments![]).await?;
        match row {
            Some(row) => row.time("now"),
            None => Err(StoreError::unreadable("the clock of the database", "it shows nothing")),
        }
    }

    /// What the database finds wrong with itself; nothing where it is sound.
    /// It reads the whole file.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn health_faults(&self) -> Result<Vec<String>, StoreError> {
        let rows = self.read().await?.connection.rows("check itself", CHECK, arguments![]).await?;
        let found =
            rows.iter().map(|row| row.text("quick_check")).collect::<Result<Vec<_>, _>>()?;
        Ok(found.into_iter().filter(|fault| fault != "ok").collect())
    }
}

impl Tx {
    async fn health_runs(
        &mut self,
        sql: &'static str,
        arguments: Vec<Argument>,
    ) -> Result<Vec<RunId>, StoreError> {
        let rows = self.connection.rows("look for runs", sql, arguments).await?;
        rows.iter().map(|row| row.parsed("id")).collect()
    }

    /// As [`Store::health_counts`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn health_counts(&mut self, now: Timestamp) -> Result<Counts, StoreError> {
        // One statement, so that all of it is of the same moment: what moves on while it
        // is counted, from the events to the runs, would else be in neither.
        let sql = format!(
            "SELECT 'runs' AS counted, state, COUNT(*) AS found, CAST(NULL AS BIGINT) AS oldest
             FROM (SELECT CASE WHEN outcome IS NOT NULL THEN outcome
                               WHEN parked_by IS NOT NULL THEN 'parked'
                               WHEN lease_owner IS NOT NULL THEN 'held'
                               WHEN due_at IS NULL THEN 'listening'
                               WHEN due_at <= $1 THEN 'due'
                               ELSE 'sleeping' END AS state
                   FROM relata_run) AS standing
             GROUP BY state
             UNION ALL
             SELECT 'effects', status, COUNT(*), NULL FROM relata_outbox GROUP BY status
             UNION ALL
             SELECT 'due runs', '', found, oldest FROM ({DUE_RUNS}) AS due_runs
             UNION ALL
             SELECT 'pending events', '', found, oldest FROM ({PENDING_EVENTS}) AS pending_events
             UNION ALL
             SELECT 'due effects', '', found, oldest FROM ({DUE_EFFECTS}) AS due_effects
             ORDER BY state"
        );
        let sql = AssertSqlSafe(sql);
        let rows = self.connection.rows("count what there is", sql, arguments![now]).await?;
        let mut counts = Counts::default();
        for row in &rows {
            let counted = row.text("counted")?;
            match counted.as_str() {
                "runs" => counts.runs.push((row.text("state")?, row.count("found")?)),
                "effects" => counts.effects.push((row.text("state")?, row.count("found")?)),
                "due runs" => counts.due_runs = backlog(row)?,
                "pending events" => counts.pending_events = backlog(row)?,
                _ => counts.due_effects = backlog(row)?,
            }
        }
        Ok(counts)
    }

    async fn waiting(&mut self, sql: &'static str, now: Timestamp) -> Result<Backlog, StoreError> {
        let row = self.connection.row("look for what waits", sql, arguments![now]).await?;
        row.as_ref().map_or(Ok(Backlog::default()), backlog)
    }
}

fn backlog(row: &Row) -> Result<Backlog, StoreError> {
    Ok(Backlog { count: row.count("found")?, oldest: row.time_or_none("oldest")? })
}

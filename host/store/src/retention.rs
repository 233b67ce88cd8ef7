//! Taking away what nobody needs any more, a small batch in each transaction.
//!
//! A run goes with all that is its own: its log, what it was told, and the
//! effects that are settled. So no step's output is ever without its run, and
//! no effect that might be wanted again is forgotten while its run could want
//! it.

use relata_model::{RunId, Timestamp};
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::{
    Store, StoreError, Tx,
    connection::{arguments, to_json},
    log::CUT,
};

/// Where in the runs that have ended a clean-up is: the end of the last one
/// that it looked at, and its id.
pub type EndedPlace = (Timestamp, RunId);

/// What one batch took away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleaned<P> {
    /// How many rows, or runs.
    pub count: u64,
    /// Where the next batch goes on; none after the last one.
    pub next: Option<P>,
}

/// What keeps a run: somebody may still ask for it.
const REMOVABLE: &str = "run.ended_at IS NOT NULL AND run.ended_at < $1
     AND (run.parent IS NULL OR NOT EXISTS (
             SELECT 1 FROM relata_run AS parent WHERE parent.id = run.parent))
     AND NOT EXISTS (
             SELECT 1 FROM relata_run AS child WHERE child.parent = run.id AND child.status = 'active')
     AND NOT EXISTS (
             SELECT 1 FROM relata_outbox AS effect
             WHERE effect.run_id = run.id AND effect.status IN ('due', 'sending', 'held', 'unknown'))";

impl Store {
    /// How many runs ended before a time and may be taken away.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn removable_runs(&self, before: Timestamp) -> Result<u64, StoreError> {
        let sql = format!("SELECT COUNT(*) AS found FROM relata_run AS run WHERE {REMOVABLE}");
        self.counted(sql, before).await
    }

    /// How many entries of logs belong to runs that ended before a time.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn removable_entries(&self, before: Timestamp) -> Result<u64, StoreError> {
        let sql = "SELECT COUNT(*) AS found FROM relata_step_log AS entry
             JOIN relata_run AS run ON run.id = entry.run_id
             WHERE run.ended_at IS NOT NULL AND run.ended_at < $1";
        self.counted(sql.to_owned(), before).await
    }

    /// How many events happened before a time and may be taken away.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn removable_events(&self, before: Timestamp) -> Result<u64, StoreError> {
        let sql = format!("SELECT COUNT(*) AS found FROM relata_event AS event WHERE {SPENT}");
        self.counted(sql, before).await
    }

    /// How many effects that went out before a time still have their text.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn removable_texts(&self, before: Timestamp) -> Result<u64, StoreError> {
        let sql = "SELECT COUNT(*) AS found FROM relata_outbox
             WHERE sent_at IS NOT NULL AND body <> '{}' AND sent_at < $1";
        self.counted(sql.to_owned(), before).await
    }

    /// How many refusals were written before a time.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn removable_refusals(&self, before: Timestamp) -> Result<u64, StoreError> {
        let sql = "SELECT COUNT(*) AS found FROM relata_not_started WHERE at < $1";
        self.counted(sql.to_owned(), before).await
    }

    /// How many calls of webhooks came before a time.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn removable_calls(&self, before: Timestamp) -> Result<u64, StoreError> {
        let sql = "SELECT COUNT(*) AS found FROM relata_webhook_call WHERE at < $1";
        self.counted(sql.to_owned(), before).await
    }

    /// How many entries the audit has from before a time.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn removable_audit(&self, before: Timestamp) -> Result<u64, StoreError> {
        let sql = "SELECT COUNT(*) AS found FROM relata_audit WHERE at < $1";
        self.counted(sql.to_owned(), before).await
    }

    async fn counted(&self, sql: String, before: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.read().await?;
        let row =
            tx.connection.row("count what may go", AssertSqlSafe(sql), arguments![before]).await?;
        row.map_or(Ok(0), |row| row.count("found"))
    }
}

/// An event that nobody waits for.
const SPENT: &str = "event.at < $1 AND event.pending = 0
     AND NOT EXISTS (SELECT 1 FROM relata_queue AS queue WHERE queue.event_id = event.id)";

impl Tx {
    /// Takes away runs that ended before a time, each with all that is its
    /// own. A run stays while the run that began it is there, while one that
    /// it began goes on, and while an effect of it is not settled. What is
    /// known of the values of `one_per` stays.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn clean_runs(
        &mut self,
        before: Timestamp,
        after: Option<EndedPlace>,
        limit: u32,
    ) -> Result<Cleaned<EndedPlace>, StoreError> {
        let (at, id) =
            after.map_or((Timestamp::UNIX_EPOCH, String::new()), |(at, id)| (at, id.to_string()));
        // The place first, so that what has to stay is not looked at again
        // and again.
        let sql = format!(
            "SELECT run.id, run.ended_at, CASE WHEN {REMOVABLE} THEN 1 ELSE 0 END AS removable
             FROM relata_run AS run
             WHERE run.ended_at IS NOT NULL AND run.ended_at < $1
               AND (run.ended_at > $2 OR (run.ended_at = $2 AND run.id > $3))
             ORDER BY run.ended_at, run.id LIMIT $4"
        );
        let rows = self
            .connection
            .rows("look for old runs", AssertSqlSafe(sql), arguments![before, at, id, limit])
            .await?;
        let next = match rows.last() {
            Some(last) if rows.len() == limit as usize => {
                Some((last.time("ended_at")?, last.parsed("id")?))
            }
            _ => None,
        };
        let mut ids = Vec::new();
        for row in &rows {
            if row.whole("removable")? == 1 {
                ids.push(json!({ "id": row.text("id")? }));
            }
        }
        if ids.is_empty() {
            return Ok(Cleaned { count: 0, next });
        }
        let given = to_json(&ids)?;
        for table in ["relata_step_log", "relata_waiter", "relata_inbox", "relata_outbox"] {
            let sql =
                format!("DELETE FROM {table} WHERE {}", self.dialect().is_given("run_id", "id"));
            self.connection
                .execute(
                    "take away what belongs to old runs",
                    AssertSqlSafe(sql),
                    arguments![&given],
                )
                .await?;
        }
        let sql = format!("DELETE FROM relata_run WHERE {}", self.dialect().is_given("id", "id"));
        let count = self
            .connection
            .execute("take away old runs", AssertSqlSafe(sql), arguments![&given])
            .await?;
        Ok(Cleaned { count, next })
    }

    /// Takes away the logs of runs that ended before a time. The runs stay,
    /// with how they ended.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn clean_logs(
        &mut self,
        before: Timestamp,
        after: Option<EndedPlace>,
        limit: u32,
    ) -> Result<Cleaned<EndedPlace>, StoreError> {
        let (at, id) =
            after.map_or((Timestamp::UNIX_EPOCH, String::new()), |(at, id)| (at, id.to_string()));
        let rows = self
            .connection
            .rows(
                "look for old logs",
                "SELECT id, ended_at FROM relata_run
                 WHERE ended_at IS NOT NULL AND ended_at < $1
                   AND (ended_at > $2 OR (ended_at = $2 AND id > $3))
                 ORDER BY ended_at, id LIMIT $4",
                arguments![before, at, id, limit],
            )
            .await?;
        let Some(last) = rows.last() else { return Ok(Cleaned { count: 0, next: None }) };
        let next = Some((last.time("ended_at")?, last.parsed("id")?));
        let ids = rows
            .iter()
            .map(|row| Ok(json!({ "id": row.text("id")? })))
            .collect::<Result<Vec<_>, StoreError>>()?;
        let sql = format!(
            "DELETE FROM relata_step_log WHERE {}",
            self.dialect().is_given("run_id", "id")
        );
        let count = self
            .connection
            .execute("take away old logs", AssertSqlSafe(sql), arguments![to_json(&ids)?])
            .await?;
        Ok(Cleaned { count, next })
    }

    /// Takes away events that happened before a time, in the order of the
    /// log, from a place on. One stays while triggers have not seen it, and
    /// while a start that waits came of it.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn clean_events(
        &mut self,
        before: Timestamp,
        after: u64,
        limit: u32,
    ) -> Result<Cleaned<u64>, StoreError> {
        let sql = format!(
            "SELECT event.seq, event.at, CASE WHEN {SPENT} THEN 1 ELSE 0 END AS removable
             FROM relata_event AS event WHERE event.seq > $2 ORDER BY event.seq LIMIT $3"
        );
        let rows = self
            .connection
            .rows("look for old events", AssertSqlSafe(sql), arguments![before, after, limit])
            .await?;
        let mut seqs = Vec::new();
        let mut next = None;
        let mut past = rows.len() < limit as usize;
        for row in &rows {
            if row.time("at")? >= before {
                past = true;
                break;
            }
            next = Some(row.count("seq")?);
            if row.whole("removable")? == 1 {
                seqs.push(json!({ "seq": row.whole("seq")? }));
            }
        }
        let next = next.filter(|_| !past);
        if seqs.is_empty() {
            return Ok(Cleaned { count: 0, next });
        }
        // Whoever follows the log is to know that it is no longer whole. What
        // stayed at first may go later, before what is gone already.
        let last = seqs.last().and_then(|row| row["seq"].as_u64());
        let before = self.setting_get(CUT).await?.and_then(|cut| cut.as_u64());
        if last > before {
            self.setting_put(CUT, &json!(last)).await?;
        }
        let given = to_json(&seqs)?;
        let mut count = 0;
        for table in ["relata_event_about", "relata_event"] {
            let sql = format!(
                "DELETE FROM {table} WHERE {}",
                self.dialect().is_given("seq", "seq BIGINT")
            );
            count = self
                .connection
                .execute("take away old events", AssertSqlSafe(sql), arguments![&given])
                .await?;
        }
        Ok(Cleaned { count, next })
    }

    /// Takes away the texts of effects that went out before a time. The rows
    /// stay until their runs go: they are what keeps an effect from going out
    /// twice, and what a cap counts.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn clean_texts(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.connection
            .execute(
                "take away the texts of old effects",
                "UPDATE relata_outbox SET body = '{}' WHERE effect_id IN (
                     SELECT effect_id FROM relata_outbox
                     WHERE sent_at IS NOT NULL AND body <> '{}' AND sent_at < $1
                     ORDER BY sent_at LIMIT $2)",
                arguments![before, limit],
            )
            .await
    }

    /// Takes away refusals of starts that were written before a time.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn clean_refusals(
        &mut self,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.connection
            .execute(
                "take away old refusals",
                // They are numbered in the order of their times.
                "DELETE FROM relata_not_started WHERE seq IN (
                     SELECT oldest.seq FROM (SELECT seq, at FROM relata_not_started ORDER BY seq LIMIT $2) AS oldest
                     WHERE oldest.at < $1)",
                arguments![before, limit],
            )
            .await
    }

    /// Takes away the ids of calls of webhooks that came before a time: such
    /// a call would be taken in again.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn clean_calls(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.connection
            .execute(
                "take away the ids of old calls",
                "DELETE FROM relata_webhook_call WHERE (webhook, call_id) IN (
                     SELECT webhook, call_id FROM relata_webhook_call WHERE at < $1 ORDER BY at LIMIT $2)",
                arguments![before, limit],
            )
            .await
    }
}

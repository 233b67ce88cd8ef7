//! Circuit breakers: destinations (and plugins) that failed several times in a
//! row are left alone for a while, then one is tried to see.

use relata_model::Timestamp;
use sqlx::AssertSqlSafe;

use crate::{
    Store, StoreError, Tx, Way,
    connection::{Row, arguments},
};

/// A destination that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerRow {
    /// The name of a mail server, `https://api.example.com`, or
    /// `plugin/enrich@0123456789ab`.
    pub destination: String,
    /// How often in a row.
    pub failures: u32,
    /// Since when nothing is sent there; none while it still is.
    pub opened_at: Option<Timestamp>,
    /// When one effect is sent to see.
    pub probe_at: Option<Timestamp>,
    /// Why it failed last; names no recipient.
    pub why: Option<String>,
}

impl BreakerRow {
    /// Whether nothing is to be sent there now.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.opened_at.is_some()
    }
}

impl Store {
    /// The destinations that failed last, by name.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn breaker_list(&self) -> Result<Vec<BreakerRow>, StoreError> {
        let rows = self
            .read()
            .await?
            .connection
            .rows(
                "list destinations",
                "SELECT * FROM relata_breaker ORDER BY destination",
                arguments![],
            )
            .await?;
        rows.iter().map(read).collect()
    }

    /// How a destination stands; none where it did not fail.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn breaker_fetch(&self, destination: &str) -> Result<Option<BreakerRow>, StoreError> {
        let row = self
            .read()
            .await?
            .connection
            .row(
                "look at a destination",
                "SELECT * FROM relata_breaker WHERE destination = $1",
                arguments![destination],
            )
            .await?;
        row.as_ref().map(read).transpose()
    }
}

impl Tx {
    /// A destination took something: it is closed.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn breaker_close(&mut self, destination: &str) -> Result<bool, StoreError> {
        let touched = self
            .connection
            .execute(
                "close a breaker",
                "DELETE FROM relata_breaker WHERE destination = $1",
                arguments![destination],
            )
            .await?;
        Ok(touched > 0)
    }

    /// Forgets those whose names begin with `prefix`, but for one.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn breaker_forget_others(
        &mut self,
        prefix: &str,
        but: &str,
    ) -> Result<u64, StoreError> {
        self.connection
            .execute(
                "forget breakers",
                "DELETE FROM relata_breaker
                 WHERE SUBSTR(destination, 1, LENGTH($1)) = $1 AND destination <> $2",
                arguments![prefix, but],
            )
            .await
    }

    /// A destination failed once more. Yields how often in a row that is; none
    /// where it was opened after `opened_before`: such a failure is the late
    /// answer to what was sent before.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn breaker_fail(
        &mut self,
        destination: &str,
        why: &str,
        opened_before: Timestamp,
    ) -> Result<Option<u32>, StoreError> {
        let row = self
            .connection
            .row(
                "count a failure",
                "INSERT INTO relata_breaker AS present (destination, failures, why) VALUES ($1, 1, $2)
                 ON CONFLICT (destination) DO UPDATE SET failures = present.failures + 1, why = excluded.why
                 WHERE present.opened_at IS NULL OR present.opened_at <= $3
                 RETURNING failures",
                arguments![destination, why, opened_before],
            )
            .await?;
        row.map(|row| row.small("failures")).transpose()
    }

    /// Nothing is sent to a destination until a time.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn breaker_open(
        &mut self,
        destination: &str,
        now: Timestamp,
        probe_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.connection
            .execute(
                "open a breaker",
                "UPDATE relata_breaker SET opened_at = COALESCE(opened_at, $2), probe_at = $3
                 WHERE destination = $1",
                arguments![destination, now, probe_at],
            )
            .await?;
        Ok(())
    }

    /// Puts off all effects of a way that are due: a destination that does not
    /// answer gets them later. Their attempts do not count.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn outbox_postpone(
        &mut self,
        way: Way,
        now: Timestamp,
        until: Timestamp,
        why: &str,
    ) -> Result<u64, StoreError> {
        let sql = format!(
            "UPDATE relata_outbox SET due_at = $2, reason = $3
             WHERE status = 'due' AND due_at <= $1 AND {}",
            way.condition()
        );
        self.connection
            .execute("put effects off", AssertSqlSafe(sql), arguments![now, until, why])
            .await
    }

    /// Takes the one attempt at which an open destination may be tried: false
    /// where it is not time yet, or somebody else has taken it.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn breaker_probe(
        &mut self,
        destination: &str,
        now: Timestamp,
        next: Timestamp,
    ) -> Result<bool, StoreError> {
        let touched = self
            .connection
            .execute(
                "try a destination",
                "UPDATE relata_breaker SET probe_at = $3 WHERE destination = $1 AND probe_at <= $2",
                arguments![destination, now, next],
            )
            .await?;
        Ok(touched > 0)
    }
}

fn read(row: &Row) -> Result<BreakerRow, StoreError> {
    Ok(BreakerRow {
        destination: row.text("destination")?,
        failures: row.small("failures")?,
        opened_at: row.time_or_none("opened_at")?,
        probe_at: row.time_or_none("probe_at")?,
        why: row.text_or_none("why")?,
    })
}

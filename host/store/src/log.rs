//! The event log as it is followed: everything that is committed, in order,
//! and nothing passed over.
//!
//! On a server the numbers of events are drawn before their commits, so a
//! lower number may show after a higher one. Whoever has seen the higher one
//! would pass it over. So nobody goes further than where the log is *settled*:
//! where all that has a lower number is committed, or never will be. A
//! transaction that has drawn a number holds the table's lock until it ends,
//! and has held it since before it drew; those that hold it after a number was
//! seen are all that may still bring a lower one.

use std::{collections::HashSet, time::Duration};

use sqlx::AssertSqlSafe;

use crate::{
    LoggedEvent, Store, StoreError, Tx,
    connection::arguments,
    event::{const_format, read},
};

/// How soon is looked again whether a transaction has ended.
const LOOK: Duration = Duration::from_millis(3);

/// The setting that says up to where events have been taken away.
pub(crate) const CUT: &str = "event_log_cut";

impl Store {
    /// A place up to which the log is settled: every event that is committed
    /// from now on has a higher number. It is the end of the log as it was
    /// asked for; where transactions are under way that may be before it, the
    /// answer waits for their end.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_log_settled(&self) -> Result<u64, StoreError> {
        let end = self.event_log_end().await?;
        let mut before = self.read().await?.event_writers().await?;
        while !before.is_empty() {
            tokio::time::sleep(LOOK).await;
            let now = self.read().await?.event_writers().await?;
            before.retain(|writer| now.contains(writer));
        }
        Ok(end)
    }

    /// The end of the log, where it is settled up to there; none where it
    /// would have to be waited for.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_log_settled_end(&self) -> Result<Option<u64>, StoreError> {
        let mut tx = self.read().await?;
        let end = tx.event_log_end().await?;
        Ok(tx.event_writers().await?.is_empty().then_some(end))
    }

    /// The events from after one place to another, in order, at most `limit`.
    /// All there are, where the second place is one up to which the log is
    /// settled.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_list_between(
        &self,
        after: u64,
        until: u64,
        limit: u32,
    ) -> Result<Vec<LoggedEvent>, StoreError> {
        let mut tx = self.read().await?;
        let sql = const_format(
            "SELECT {EVENT} FROM relata_event WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3",
        );
        let place = |place: u64| i64::try_from(place).unwrap_or(i64::MAX);
        let arguments = arguments![place(after), place(until), limit];
        let rows = tx.connection.rows("follow the event log", sql, arguments).await?;
        rows.iter().map(read).collect()
    }

    /// The number of the last event that was taken away to make room; 0 where
    /// none was. After it the log is whole.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_log_cut(&self) -> Result<u64, StoreError> {
        Ok(self.setting_get(CUT).await?.and_then(|cut| cut.as_u64()).unwrap_or(0))
    }
}

impl Tx {
    /// The transactions that may be writing to the log now.
    async fn event_writers(&mut self) -> Result<HashSet<String>, StoreError> {
        let Some(sql) = self.dialect().log_writers() else { return Ok(HashSet::new()) };
        let doing = "look who writes to the event log";
        let rows = self.connection.rows(doing, AssertSqlSafe(sql), arguments![]).await?;
        rows.iter().map(|row| row.text("writer")).collect()
    }
}

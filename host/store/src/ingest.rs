//! What other programs send: requests that are taken in once, and what their
//! events came to.

use std::collections::BTreeMap;

use relata_model::{EventId, Timestamp};
use serde_json::{Value as Json, json};
use sqlx::AssertSqlSafe;

use crate::{
    RunRow, Store, StoreError, Tx,
    connection::{arguments, to_json},
    run,
};

/// A request that carries a key, by which it is known again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// The token that it came with: each counts its own keys.
    pub token: String,
    /// The key.
    pub key: String,
    /// SHA-256 of what is asked, hexadecimal.
    pub digest: String,
}

/// A request that came before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRequest {
    /// SHA-256 of what was asked, hexadecimal.
    pub digest: String,
    /// What it came to.
    pub answer: Json,
}

/// What an event came to so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EventResult {
    /// Whether triggers have seen it.
    pub seen: bool,
    /// The runs that it began.
    pub runs: Vec<RunRow>,
    /// The workflows of which no run began, each with the reason.
    pub not_started: Vec<(String, String)>,
    /// The workflows whose start waits for the end of a run for the same.
    pub queued: Vec<String>,
}

impl Store {
    /// What a request with a key came to; none where there was none.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn request_known(
        &self,
        token: &str,
        key: &str,
    ) -> Result<Option<KnownRequest>, StoreError> {
        self.read().await?.request_known(token, key).await
    }

    /// What events came to so far; those that are in no log are left out.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_results(
        &self,
        events: &[EventId],
    ) -> Result<BTreeMap<EventId, EventResult>, StoreError> {
        self.read().await?.event_results(events).await
    }

    /// How many events triggers have not seen yet; at most `most` are counted.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_backlog(&self, most: u32) -> Result<u64, StoreError> {
        let row = self
            .read()
            .await?
            .connection
            .row(
                "count the events that wait",
                "SELECT COUNT(*) AS found FROM
                     (SELECT 1 FROM relata_event WHERE pending = 1 LIMIT $1) AS waiting",
                arguments![most],
            )
            .await?;
        row.map_or(Ok(0), |row| row.count("found"))
    }
}

impl Tx {
    /// As [`Store::request_known`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn request_known(
        &mut self,
        token: &str,
        key: &str,
    ) -> Result<Option<KnownRequest>, StoreError> {
        let row = self
            .connection
            .row(
                "look for a request",
                "SELECT digest, answer FROM relata_request WHERE token_id = $1 AND request_key = $2",
                arguments![token, key],
            )
            .await?;
        row.map(|row| Ok(KnownRequest { digest: row.text("digest")?, answer: row.json("answer")? }))
            .transpose()
    }

    /// Notes what a request with a key comes to; none where it is the first
    /// one with this key, else the one that came before. One statement
    /// decides, so that of two at once one is the first.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn request_note(
        &mut self,
        request: &RequestKey,
        answer: &Json,
        now: Timestamp,
    ) -> Result<Option<KnownRequest>, StoreError> {
        let first = self
            .connection
            .execute(
                "note a request",
                "INSERT INTO relata_request (token_id, request_key, digest, answer, at)
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT (token_id, request_key) DO NOTHING",
                arguments![&request.token, &request.key, &request.digest, answer, now],
            )
            .await?;
        if first > 0 {
            return Ok(None);
        }
        let known = self.request_known(&request.token, &request.key).await?;
        known.map(Some).ok_or_else(|| {
            StoreError::unreadable("a request with a key", "it was there a moment ago")
        })
    }

    /// Forgets the requests of before a time, at most `most` of them. Yields
    /// how many there were.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn request_forget(
        &mut self,
        before: Timestamp,
        most: u32,
    ) -> Result<u64, StoreError> {
        self.connection
            .execute(
                "forget old requests",
                "DELETE FROM relata_request WHERE (token_id, request_key) IN
                     (SELECT token_id, request_key FROM relata_request
                      WHERE at < $1 ORDER BY at LIMIT $2)",
                arguments![before, most],
            )
            .await
    }

    /// As [`Store::event_results`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn event_results(
        &mut self,
        events: &[EventId],
    ) -> Result<BTreeMap<EventId, EventResult>, StoreError> {
        let ids: Vec<_> = events.iter().map(|id| json!({ "id": id })).collect();
        let ids = to_json(&ids)?;
        let mut results: BTreeMap<EventId, EventResult> = BTreeMap::new();
        // The mark first: what an event came to is there once it is seen.
        let sql = format!(
            "SELECT id, pending FROM relata_event WHERE {}",
            self.dialect().is_given("id", "id")
        );
        for row in
            self.connection.rows("look for events", AssertSqlSafe(sql), arguments![&ids]).await?
        {
            let seen = row.whole("pending")? == 0;
            results.insert(row.parsed("id")?, EventResult { seen, ..EventResult::default() });
        }
        let is_theirs = self.dialect().is_given("event_id", "id");
        let by_event = |table: &str, order: &str| {
            AssertSqlSafe(format!("SELECT * FROM {table} WHERE {is_theirs} ORDER BY {order}"))
        };
        let sql = by_event("relata_run", "id");
        for row in self.connection.rows("look for an event's runs", sql, arguments![&ids]).await? {
            if let Some(result) = results.get_mut(&row.parsed("event_id")?) {
                result.runs.push(run::read(&row)?);
            }
        }
        let sql = by_event("relata_not_started", "seq");
        for row in self.connection.rows("look for refusals", sql, arguments![&ids]).await? {
            if let Some(result) = results.get_mut(&row.parsed("event_id")?) {
                result.not_started.push((row.text("workflow")?, row.text("reason")?));
            }
        }
        let sql = by_event("relata_queue", "seq");
        for row in self.connection.rows("look for waiting starts", sql, arguments![&ids]).await? {
            if let Some(result) = results.get_mut(&row.parsed("event_id")?) {
                result.queued.push(row.text("workflow")?);
            }
        }
        Ok(results)
    }
}

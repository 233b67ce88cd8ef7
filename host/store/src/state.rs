//! What plugins remember between calls, and what the host remembers between
//! starts.

use relata_model::Timestamp;
use serde_json::Value as Json;

use crate::{Store, StoreError, Tx, connection::arguments};

/// What a plugin keeps under a key.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginState {
    /// The value.
    pub value: Json,
    /// 1 when first put, one more with each put.
    pub revision: u64,
    /// When it is forgotten.
    pub expires_at: Option<Timestamp>,
}

/// What a put came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is kept, at this revision.
    Kept(u64),
    /// It has another revision than the writer thought; 0 where there is
    /// nothing. Nothing was written.
    Conflict(u64),
}

impl Store {
    /// What a plugin keeps under a key, unless it has expired.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn state_get(
        &self,
        plugin: &str,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<PluginState>, StoreError> {
        self.read().await?.state_get(plugin, key, now).await
    }

    /// What the host remembers under a name.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn setting_get(&self, name: &str) -> Result<Option<Json>, StoreError> {
        self.read().await?.setting_get(name).await
    }
}

impl Tx {
    /// What a plugin keeps under a key, unless it has expired.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn state_get(
        &mut self,
        plugin: &str,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<PluginState>, StoreError> {
        let row = self
            .connection
            .row(
                "read a plugin's state",
                "SELECT value, revision, expires_at FROM relata_plugin_state
                 WHERE plugin = $1 AND state_key = $2 AND (expires_at IS NULL OR expires_at > $3)",
                arguments![plugin, key, now],
            )
            .await?;
        row.map(|row| {
            Ok(PluginState {
                value: row.json("value")?,
                revision: row.count("revision")?,
                expires_at: row.time_or_none("expires_at")?,
            })
        })
        .transpose()
    }

    /// Keeps a value for a plugin; `None` forgets it. `if_revision` is the
    /// revision that it must still have: 0 for none. Revisions go on after a
    /// value was overwritten, and begin again after it was forgotten.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn state_put(
        &mut self,
        plugin: &str,
        key: &str,
        value: Option<&Json>,
        if_revision: Option<u64>,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Put, StoreError> {
        // What has expired is no longer there.
        self.connection
            .execute(
                "forget a plugin's state",
                "DELETE FROM relata_plugin_state WHERE plugin = $1 AND state_key = $2 AND expires_at <= $3",
                arguments![plugin, key, now],
            )
            .await?;
        let found = self.state_get(plugin, key, now).await?.map_or(0, |state| state.revision);
        if if_revision.is_some_and(|expected| expected != found) {
            return Ok(Put::Conflict(found));
        }
        // Between the look and the write another host may have written: who
        // names no revision writes over that, who names one is told.
        let any = if_revision.is_none();
        let Some(value) = value else {
            let touched = self
                .connection
                .execute(
                    "forget a plugin's state",
                    "DELETE FROM relata_plugin_state
                     WHERE plugin = $1 AND state_key = $2 AND ($3 = 1 OR revision = $4)",
                    arguments![plugin, key, any, found],
                )
                .await?;
            if touched == 0 && !any && found > 0 {
                let present = self.state_get(plugin, key, now).await?;
                return Ok(Put::Conflict(present.map_or(0, |state| state.revision)));
            }
            return Ok(Put::Kept(0));
        };
        let row = self
            .connection
            .row(
                "keep a plugin's state",
                "INSERT INTO relata_plugin_state AS present (plugin, state_key, value, revision, expires_at)
                 VALUES ($1, $2, $3, 1, $4)
                 ON CONFLICT (plugin, state_key) DO UPDATE
                 SET value = excluded.value, revision = present.revision + 1, expires_at = excluded.expires_at
                 WHERE $6 = 1 OR present.revision = $5
                 RETURNING revision",
                arguments![plugin, key, value, expires_at, found, any],
            )
            .await?;
        match row {
            Some(row) => Ok(Put::Kept(row.count("revision")?)),
            None => Ok(Put::Conflict(
                self.state_get(plugin, key, now).await?.map_or(0, |state| state.revision),
            )),
        }
    }

    /// What the host remembers under a name.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn setting_get(&mut self, name: &str) -> Result<Option<Json>, StoreError> {
        let row = self
            .connection
            .row(
                "read a setting",
                "SELECT value FROM relata_setting WHERE name = $1",
                arguments![name],
            )
            .await?;
        match row {
            Some(row) => row.json("value").map(Some),
            None => Ok(None),
        }
    }

    /// Remembers something for the host, unless something is remembered under
    /// the name already; yields what is. Of two hosts at once both get the
    /// same.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn setting_keep(&mut self, name: &str, value: &Json) -> Result<Json, StoreError> {
        self.connection
            .execute(
                "keep a setting",
                "INSERT INTO relata_setting (name, value) VALUES ($1, $2)
                 ON CONFLICT (name) DO NOTHING",
                arguments![name, value],
            )
            .await?;
        let kept = self.setting_get(name).await?;
        kept.ok_or_else(|| StoreError::unreadable(name, "it was there a moment ago"))
    }

    /// Remembers something for the host.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn setting_put(&mut self, name: &str, value: &Json) -> Result<(), StoreError> {
        self.connection
            .execute(
                "keep a setting",
                "INSERT INTO relata_setting (name, value) VALUES ($1, $2)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                arguments![name, value],
            )
            .await?;
        Ok(())
    }
}

//! Tokens of the API. A secret is never here, only its hash.

use relata_model::Timestamp;
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::{
    Store, StoreError, Tx,
    connection::{Row, arguments, to_json},
};

/// A token as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Its id: it does not change with the name, and is no secret.
    pub id: String,
    /// What people call it; of those that are not revoked, each has another.
    pub name: String,
    /// SHA-256 of the secret, hexadecimal.
    pub digest: String,
    /// What it may do, in words: `events:write`.
    pub scopes: Vec<String>,
    /// The objects that it is for; none: all.
    pub objects: Option<Vec<String>>,
    /// The id of the user's record whose it is: it can do no more than they.
    pub user: Option<String>,
    /// Since when it is there.
    pub created_at: Timestamp,
    /// From when it is no longer good.
    pub expires_at: Option<Timestamp>,
    /// When somebody took it back.
    pub revoked_at: Option<Timestamp>,
    /// When it was used last, to the minute or so.
    pub last_used_at: Option<Timestamp>,
}

impl Store {
    /// All tokens, the oldest first; also those that are revoked.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn token_list(&self) -> Result<Vec<TokenRow>, StoreError> {
        let mut tx = self.read().await?;
        let rows = tx
            .connection
            .rows("list tokens", "SELECT * FROM relata_token ORDER BY created_at, id", arguments![])
            .await?;
        rows.iter().map(read).collect()
    }
}

impl Tx {
    /// Keeps a new token; false where another that is not revoked has its
    /// name.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn token_insert(&mut self, token: &TokenRow) -> Result<bool, StoreError> {
        let kept = self
            .connection
            .execute(
                "keep a token",
                "INSERT INTO relata_token (id, name, digest, scopes, objects, created_at, expires_at, user_id)
                 SELECT $1, $2, $3, $4, $5, $6, $7, $8
                 WHERE NOT EXISTS (SELECT 1 FROM relata_token WHERE name = $2 AND revoked_at IS NULL)",
                arguments![
                    &token.id,
                    &token.name,
                    &token.digest,
                    to_json(&token.scopes)?,
                    token.objects.as_ref().map(to_json).transpose()?,
                    token.created_at,
                    token.expires_at,
                    token.user.clone()
                ],
            )
            .await?;
        Ok(kept > 0)
    }

    /// Takes the token of this name back; false where there is none that is
    /// good.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn token_revoke(&mut self, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        let touched = self
            .connection
            .execute(
                "revoke a token",
                "UPDATE relata_token SET revoked_at = $2 WHERE name = $1 AND revoked_at IS NULL",
                arguments![name, now],
            )
            .await?;
        Ok(touched > 0)
    }

    /// Notes when tokens (by id) were used last.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn token_used(&mut self, used: &[(String, Timestamp)]) -> Result<(), StoreError> {
        let rows: Vec<_> = used
            .iter()
            .map(|(id, at)| json!({ "id": id, "at": at.as_millisecond().to_string() }))
            .collect();
        let sql = format!(
            "UPDATE relata_token SET last_used_at =
                 (SELECT CAST(given.at AS BIGINT) FROM {0} WHERE given.id = relata_token.id)
             WHERE id IN (SELECT given.id FROM {0})",
            self.dialect().given("$1", &["id", "at"])
        );
        self.connection
            .execute("note the use of tokens", AssertSqlSafe(sql), arguments![to_json(&rows)?])
            .await?;
        Ok(())
    }
}

fn read(row: &Row) -> Result<TokenRow, StoreError> {
    Ok(TokenRow {
        id: row.text("id")?,
        name: row.text("name")?,
        digest: row.text("digest")?,
        scopes: row.json("scopes")?,
        objects: row.json_or_none("objects")?,
        user: row.text_or_none("user_id")?,
        created_at: row.time("created_at")?,
        expires_at: row.time_or_none("expires_at")?,
        revoked_at: row.time_or_none("revoked_at")?,
        last_used_at: row.time_or_none("last_used_at")?,
    })
}

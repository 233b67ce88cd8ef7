//! Mails that came in and became no message: kept whole, with the reason.

use relata_model::Timestamp;

use crate::{Store, StoreError, Tx, connection::Row, connection::arguments};

/// A mail that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldMail {
    /// What it is known by; the same mail has the same.
    pub id: String,
    /// Why it is held.
    pub reason: String,
    /// Who sent it, as far as that can be read.
    pub sender: Option<String>,
    /// What it is about, as far as that can be read.
    pub subject: Option<String>,
    /// When it was held.
    pub at: Timestamp,
}

impl Store {
    /// The mails that are held, the oldest first, at most so many.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn held_mail_list(&self, limit: u32) -> Result<Vec<HeldMail>, StoreError> {
        let mut tx = self.read().await?;
        let rows = tx
            .connection
            .rows(
                "list the held mails",
                "SELECT id, reason, sender, subject, at FROM relata_held_mail ORDER BY at, id LIMIT $1",
                arguments![limit],
            )
            .await?;
        rows.iter().map(read).collect()
    }

    /// A mail that is held, with all of it in base64; none where there is none.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn held_mail_fetch(
        &self,
        id: &str,
    ) -> Result<Option<(HeldMail, String)>, StoreError> {
        let mut tx = self.read().await?;
        let row = tx
            .connection
            .row(
                "look for a held mail",
                "SELECT * FROM relata_held_mail WHERE id = $1",
                arguments![id],
            )
            .await?;
        row.map(|row| Ok((read(&row)?, row.text("mail")?))).transpose()
    }
}

impl Tx {
    /// Holds a mail, given in base64, once; false where it is held already.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn held_mail_put(&mut self, held: &HeldMail, mail: &str) -> Result<bool, StoreError> {
        let touched = self
            .connection
            .execute(
                "hold a mail",
                "INSERT INTO relata_held_mail (id, reason, sender, subject, mail, at)
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING",
                arguments![
                    &held.id,
                    &held.reason,
                    held.sender.as_ref(),
                    held.subject.as_ref(),
                    mail,
                    held.at
                ],
            )
            .await?;
        Ok(touched > 0)
    }

    /// Holds a mail no longer; false where none of this id was held.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn held_mail_remove(&mut self, id: &str) -> Result<bool, StoreError> {
        let touched = self
            .connection
            .execute(
                "hold a mail no longer",
                "DELETE FROM relata_held_mail WHERE id = $1",
                arguments![id],
            )
            .await?;
        Ok(touched > 0)
    }
}

fn read(row: &Row) -> Result<HeldMail, StoreError> {
    Ok(HeldMail {
        id: row.text("id")?,
        reason: row.text("reason")?,
        sender: row.text_or_none("sender")?,
        subject: row.text_or_none("subject")?,
        at: row.time("at")?,
    })
}

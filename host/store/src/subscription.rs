//! Up to where each webhook was told what happened.

use relata_model::Reference;

use crate::{Store, StoreError, Tx, connection::arguments};

impl Store {
    /// Up to where in the event log a webhook (by id) was told; none where it
    /// is new.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn subscription_place(&self, webhook: &str) -> Result<Option<u64>, StoreError> {
        let mut tx = self.read().await?;
        let sql = "SELECT place FROM relata_subscription WHERE webhook = $1";
        let row = tx.connection.row("look how far a webhook is", sql, arguments![webhook]).await?;
        row.map(|row| row.count("place")).transpose()
    }

    /// How many effects to a record (by id) have not gone out yet.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn outbox_waiting(&self, recipient: &Reference) -> Result<u64, StoreError> {
        let mut tx = self.read().await?;
        let sql = "SELECT COUNT(*) AS found FROM relata_outbox
             WHERE recipient = $1 AND status IN ('due', 'sending')";
        let row = tx.connection.row("count what waits", sql, arguments![recipient]).await?;
        row.map_or(Ok(0), |row| row.count("found"))
    }
}

impl Tx {
    /// A webhook was told everything from one place to another. False where it
    /// is somewhere else by now: another host has told it.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn subscription_move(
        &mut self,
        webhook: &str,
        from: Option<u64>,
        to: u64,
    ) -> Result<bool, StoreError> {
        let doing = "note how far a webhook is";
        let touched = match from {
            Some(from) => {
                let sql =
                    "UPDATE relata_subscription SET place = $3 WHERE webhook = $1 AND place = $2";
                self.connection
                    .execute(doing, sql, arguments![webhook, place(from), place(to)])
                    .await?
            }
            None => {
                let sql = "INSERT INTO relata_subscription (webhook, place) VALUES ($1, $2)
                     ON CONFLICT (webhook) DO NOTHING";
                self.connection.execute(doing, sql, arguments![webhook, place(to)]).await?
            }
        };
        Ok(touched > 0)
    }
}

fn place(place: u64) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}

//! The calls of webhooks, each taken in once.

use relata_model::EventId;

use crate::{NewEvent, Store, StoreError, Tx, connection::arguments};

impl Store {
    /// The event of a call that was taken in; none where there was none with
    /// this id.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn webhook_call(
        &self,
        webhook: &str,
        call: &str,
    ) -> Result<Option<EventId>, StoreError> {
        self.read().await?.webhook_call(webhook, call).await
    }
}

impl Tx {
    /// As [`Store::webhook_call`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn webhook_call(
        &mut self,
        webhook: &str,
        call: &str,
    ) -> Result<Option<EventId>, StoreError> {
        let row = self
            .connection
            .row(
                "look for a webhook's call",
                "SELECT event_id FROM relata_webhook_call WHERE webhook = $1 AND call_id = $2",
                arguments![webhook, call],
            )
            .await?;
        row.map(|row| row.parsed("event_id")).transpose()
    }

    /// Takes in a call: its event goes into the log, once for each id that
    /// the sender gives a call; a call without an id is always another one.
    /// Yields the event of the first call with this id, and whether this was
    /// the first.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn webhook_receive(
        &mut self,
        webhook: &str,
        call: Option<&str>,
        event: &NewEvent,
    ) -> Result<(EventId, bool), StoreError> {
        if let Some(call) = call {
            // One statement decides, so that of two at once one is the first.
            let first = self
                .connection
                .execute(
                    "note a webhook's call",
                    "INSERT INTO relata_webhook_call (webhook, call_id, event_id, at)
                     VALUES ($1, $2, $3, $4) ON CONFLICT (webhook, call_id) DO NOTHING",
                    arguments![webhook, call, event.id, event.at],
                )
                .await?;
            if first == 0 {
                let known = self.webhook_call(webhook, call).await?.ok_or_else(|| {
                    StoreError::unreadable("a webhook's call", "it was there a moment ago")
                })?;
                return Ok((known, false));
            }
        }
        self.event_emit(event).await?;
        Ok((event.id, true))
    }
}

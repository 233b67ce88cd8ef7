//! All open tickets, gone through after a policy or its hours have changed: a
//! part at a time, so that nothing else waits for it, and on from the same
//! place after a restart.

use relata_model::Value;
use relata_store::{Condition, Operator, Query, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::OPEN;
use crate::{App, AppError, fresh};

/// The setting that says how far it has come.
const SWEEP: &str = "service_levels_sweep";

/// How many tickets are looked at in one turn.
const PART: u32 = 100;

/// How far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sweep {
    /// Another one begins anew, and the one before ends.
    mark: String,
    /// Where the part before ended.
    after: Option<String>,
}

/// What came of going through all open tickets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Recomputed {
    /// How many there are.
    pub tickets: u64,
    /// For how many something was otherwise than before.
    pub changed: u64,
}

impl App {
    /// Has the open tickets gone through.
    pub(super) async fn begin_sweep(&self) -> Result<(), AppError> {
        let now = self.now();
        let sweep = Sweep { mark: fresh::uuid(now).to_string(), after: None };
        self.store()
            .write(move |tx| Box::pin(async move { tx.setting_put(SWEEP, &json!(sweep)).await }))
            .await?;
        Ok(())
    }

    pub(super) async fn is_sweeping(&self) -> Result<bool, AppError> {
        Ok(self.sweep().await?.is_some())
    }

    async fn sweep(&self) -> Result<Option<Sweep>, AppError> {
        let kept = self.store().setting_get(SWEEP).await?;
        Ok(kept.and_then(|kept| serde_json::from_value(kept).ok()))
    }

    /// Goes through the next part. Answers how many tickets it had, and one
    /// more for the end.
    pub(super) async fn sweep_on(&self) -> Result<usize, AppError> {
        let Some(sweep) = self.sweep().await? else { return Ok(0) };
        let (found, _, after) = self.keep_part(sweep.after.clone()).await?;
        let next = after.map(|after| Sweep { after: Some(after), ..sweep.clone() });
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    // Another change may have had it begin anew meanwhile.
                    if tx.setting_get(SWEEP).await? == Some(json!(sweep)) {
                        tx.setting_put(SWEEP, &json!(next)).await?;
                    }
                    Ok::<_, StoreError>(())
                })
            })
            .await?;
        Ok(found + 1)
    }

    /// Keeps the open tickets of one part: how many, how many of them were
    /// otherwise, and where the next part begins.
    async fn keep_part(
        &self,
        after: Option<String>,
    ) -> Result<(usize, usize, Option<String>), AppError> {
        let open = OPEN.map(|status| Value::Text(status.to_owned()));
        let filter = vec![Condition::new("status", Operator::OneOf, Value::List(open.to_vec()))];
        let query = Query { after, limit: PART, ..Query::new("ticket", filter) };
        let page = self.store().record_query(&query).await?;
        let mut changed = 0;
        for ticket in &page.records {
            changed += usize::from(self.keep_or_tell(&ticket.reference, 0).await?);
        }
        Ok((page.records.len(), changed, page.next))
    }

    /// Judges all open tickets anew, at once.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where a service level does not read.
    pub async fn recompute_service_levels(&self) -> Result<Recomputed, AppError> {
        // Told here, and not once for each ticket.
        self.policies().await?;
        let mut done = Recomputed { tickets: 0, changed: 0 };
        let mut after = None;
        loop {
            let (found, changed, next) = self.keep_part(after).await?;
            done.tickets += found as u64;
            done.changed += changed as u64;
            match next {
                Some(next) => after = Some(next),
                None => return Ok(done),
            }
        }
    }
}

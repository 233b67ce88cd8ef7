//! The audit: what was refused, who logged in, and who got which rights. What
//! happened to records is in their own log.

use relata_store::{AuditFilter, AuditRow};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{App, AppError, fresh};

/// The longest reason that is kept, characters.
const LONGEST_WHY: usize = 300;

/// An entry of the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AuditEntry {
    /// Where a page of entries ends.
    pub id: String,
    /// When, RFC 3339: the first time within its minute.
    pub at: String,
    /// Who: `user/…`, `token/…`, or an address.
    pub actor: String,
    /// What: `see`, `change`, `log in`.
    pub act: String,
    /// With what: a record, an object, an area.
    pub target: String,
    /// `done` or `refused`.
    pub outcome: String,
    /// In words.
    pub why: String,
    /// How often within that minute.
    pub times: u64,
}

impl App {
    /// What was done and refused, the newest first.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn audit(
        &self,
        filter: &AuditFilter,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, AppError> {
        let rows = self.store().audit_list(filter, limit).await?;
        Ok(rows
            .into_iter()
            .map(|row| AuditEntry {
                id: row.id,
                at: row.at.to_string(),
                actor: row.actor,
                act: row.act,
                target: row.target,
                outcome: row.outcome,
                why: row.why,
                times: row.times,
            })
            .collect())
    }

    /// Notes that somebody was refused something.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn note_refused(
        &self,
        actor: &str,
        act: &str,
        target: &str,
        why: &str,
    ) -> Result<(), AppError> {
        self.note(actor, act, target, "refused", why).await
    }

    /// Notes that somebody did something that changes no record.
    pub(crate) async fn note_done(
        &self,
        actor: &str,
        act: &str,
        target: &str,
        why: &str,
    ) -> Result<(), AppError> {
        self.note(actor, act, target, "done", why).await
    }

    async fn note(
        &self,
        actor: &str,
        act: &str,
        target: &str,
        outcome: &str,
        why: &str,
    ) -> Result<(), AppError> {
        let row = self.audit_row(actor, act, target, outcome, why);
        self.store().write(move |tx| Box::pin(async move { tx.audit_note(&row).await })).await?;
        Ok(())
    }

    /// An entry, for a transaction with what it tells of.
    pub(crate) fn audit_row(
        &self,
        actor: &str,
        act: &str,
        target: &str,
        outcome: &str,
        why: &str,
    ) -> AuditRow {
        let now = self.now();
        AuditRow {
            id: fresh::uuid(now).simple().to_string(),
            at: now,
            actor: actor.to_owned(),
            act: act.to_owned(),
            target: target.to_owned(),
            outcome: outcome.to_owned(),
            why: why.chars().take(LONGEST_WHY).collect(),
            times: 1,
        }
    }
}

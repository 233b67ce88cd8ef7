//! Effects on the outside world: kept with the step that wants them, carried
//! out after its commit, under an id that stays the same.

use relata_model::{EffectId, Reference, RunId, Timestamp};
use relata_workflow::IfUnknown;
use serde_json::Value as Json;
use sqlx::AssertSqlSafe;

use crate::{
    Store, StoreError, Tx,
    connection::{Conditions, Row, arguments},
    wake::Part,
};

/// What kind of effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffectKind {
    /// A mail to somebody outside or inside.
    Mail,
    /// A notice to somebody who works here.
    Notice,
    /// A request to a web service.
    Request,
}

impl EffectKind {
    /// The word: `mail`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Notice => "notice",
            Self::Request => "request",
        }
    }
}

/// Effects that go the same way, and wait for each other there alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Mails and notices, through the mail server.
    Mail,
    /// Requests, each to its own web service.
    Web,
}

impl Way {
    /// The condition on a row.
    pub(crate) const fn condition(self) -> &'static str {
        match self {
            Self::Mail => "kind <> 'request'",
            Self::Web => "kind = 'request'",
        }
    }
}

/// How an effect stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffectStatus {
    /// To be carried out at its time.
    Due,
    /// Being carried out.
    Sending,
    /// Done.
    Sent,
    /// Waits for somebody's consent, such as above a cap.
    Held,
    /// Begun, and nobody knows whether it was done.
    Unknown,
    /// Not wanted: no consent, quiet, or a cap.
    Suppressed,
    /// Given up.
    Failed,
}

impl EffectStatus {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Due,
        Self::Sending,
        Self::Sent,
        Self::Held,
        Self::Unknown,
        Self::Suppressed,
        Self::Failed,
    ];

    /// The word: `due`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Held => "held",
            Self::Unknown => "unknown",
            Self::Suppressed => "suppressed",
            Self::Failed => "failed",
        }
    }

    fn from_word(word: &str) -> Result<Self, StoreError> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == word)
            .ok_or_else(|| StoreError::unreadable("an effect", format!("its status is `{word}`")))
    }
}

/// An effect that a step wants.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEffect {
    /// Its id: the same whenever the same step wants the same again.
    pub id: EffectId,
    /// The run that wants it.
    pub run: Option<RunId>,
    /// That run's workflow.
    pub workflow: Option<String>,
    /// That run's step, its path.
    pub step: Option<String>,
    /// Which items of loops and which branches that step belongs to, `3.1`;
    /// empty outside of all.
    pub rounds: String,
    /// What kind.
    pub kind: EffectKind,
    /// The template's name.
    pub template: Option<String>,
    /// Whom it goes to, by id.
    pub recipient: Option<Reference>,
    /// All that the channel needs.
    pub body: Json,
    /// How it begins: due, held or suppressed.
    pub status: EffectStatus,
    /// Why it is held or suppressed, for people.
    pub reason: Option<String>,
    /// When it should be carried out.
    pub due_at: Timestamp,
    /// What becomes of it where nobody knows whether it was carried out.
    pub if_unknown: IfUnknown,
}

/// An effect as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// Its id.
    pub id: EffectId,
    /// The run that wanted it.
    pub run: Option<RunId>,
    /// That run's workflow.
    pub workflow: Option<String>,
    /// That run's step, its path.
    pub step: Option<String>,
    /// Which items of loops and which branches that step belongs to, `3.1`;
    /// empty outside of all.
    pub rounds: String,
    /// What kind.
    pub kind: EffectKind,
    /// The template's name.
    pub template: Option<String>,
    /// Whom it goes to.
    pub recipient: Option<Reference>,
    /// All that the channel needs.
    pub body: Json,
    /// How it stands.
    pub status: EffectStatus,
    /// Why it is held, suppressed, unknown or failed; why the last attempt
    /// failed, while it is due.
    pub reason: Option<String>,
    /// When it should be carried out.
    pub due_at: Option<Timestamp>,
    /// How often it was begun.
    pub attempts: u32,
    /// When the step wanted it.
    pub created_at: Timestamp,
    /// When it was done.
    pub sent_at: Option<Timestamp>,
    /// What the channel said, such as a Message-ID.
    pub receipt: Option<String>,
    /// What becomes of it where nobody knows whether it was carried out.
    pub if_unknown: IfUnknown,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Done.
    Sent {
        /// What the channel said, such as a Message-ID.
        receipt: Option<String>,
    },
    /// Not done; to be tried again.
    Again {
        /// When.
        at: Timestamp,
        /// Why, for people.
        why: String,
    },
    /// Not done, and not to be tried again.
    Failed {
        /// Why, for people.
        why: String,
    },
    /// Nobody knows whether it was done.
    Unknown {
        /// Why, for people.
        why: String,
    },
    /// Nobody knows whether it was done, and nobody is to care.
    Skipped {
        /// Why, for people.
        why: String,
    },
}

/// Which effects.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EffectFilter {
    /// Of this run.
    pub run: Option<RunId>,
    /// Of this workflow.
    pub workflow: Option<String>,
    /// To this record, by id.
    pub recipient: Option<Reference>,
    /// Standing so.
    pub status: Option<EffectStatus>,
    /// After this one in the order of the list.
    pub after: Option<EffectId>,
}

impl Store {
    /// Whether there is an effect to be carried out now: most looks find none,
    /// and take nothing of the writer's time.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn outbox_due(&self, now: Timestamp) -> Result<bool, StoreError> {
        let sql =
            "SELECT effect_id FROM relata_outbox WHERE status = 'due' AND due_at <= $1 LIMIT 1";
        let row =
            self.read().await?.connection.row("look for due effects", sql, arguments![now]).await;
        Ok(row?.is_some())
    }

    /// When the next effect is due; none where none will ever be. It may lie in the
    /// past.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn outbox_next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT MIN(due_at) AS next FROM relata_outbox WHERE status = 'due'";
        let mut tx = self.read().await?;
        let row = tx.connection.row("look for due effects", sql, arguments![]).await?;
        row.map_or(Ok(None), |row| row.time_or_none("next"))
    }

    /// Takes up to `limit` effects that are due and marks them as being
    /// carried out, longest due first, for `lease_ms` milliseconds. Whoever
    /// takes them says with [`Tx::outbox_settle`] what became of each.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn outbox_claim(
        &self,
        way: Way,
        now: Timestamp,
        lease_ms: i64,
        limit: u32,
    ) -> Result<Vec<Effect>, StoreError> {
        self.write(move |tx| {
            Box::pin(async move { tx.outbox_claim(way, now, lease_ms, limit).await })
        })
        .await
    }

    /// One effect.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn outbox_fetch(&self, id: EffectId) -> Result<Option<Effect>, StoreError> {
        self.read().await?.outbox_fetch(id).await
    }

    /// Effects that meet a filter, in the order of their ids, at most
    /// `limit`.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn outbox_list(
        &self,
        filter: &EffectFilter,
        limit: u32,
    ) -> Result<Vec<Effect>, StoreError> {
        self.read().await?.outbox_list(filter, limit).await
    }

    /// As [`Tx::outbox_sent_since`], of what is committed.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn outbox_sent_since(
        &self,
        workflow: &str,
        since: Timestamp,
    ) -> Result<u64, StoreError> {
        self.read().await?.outbox_sent_since(workflow, since).await
    }
}

impl Tx {
    /// Keeps an effect that a step wants; false where it is there already,
    /// however it stands.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn outbox_put(
        &mut self,
        effect: &NewEffect,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let touched = self
            .connection
            .execute(
                "keep an effect",
                "INSERT INTO relata_outbox (effect_id, run_id, workflow, step, kind, template, recipient, body,
                     status, reason, due_at, attempts, created_at, rounds, if_unknown)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, $13, $14)
                 ON CONFLICT (effect_id) DO NOTHING",
                arguments![
                    effect.id,
                    effect.run,
                    effect.workflow.as_ref(),
                    effect.step.as_ref(),
                    effect.kind.as_str(),
                    effect.template.as_ref(),
                    effect.recipient.as_ref(),
                    &effect.body,
                    effect.status.as_str(),
                    effect.reason.as_ref(),
                    effect.due_at,
                    now,
                    &effect.rounds,
                    word(effect.if_unknown)
                ],
            )
            .await?;
        if effect.status == EffectStatus::Due {
            self.stir(Part::Effects);
        }
        Ok(touched > 0)
    }

    /// As [`Store::outbox_claim`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn outbox_claim(
        &mut self,
        way: Way,
        now: Timestamp,
        lease_ms: i64,
        limit: u32,
    ) -> Result<Vec<Effect>, StoreError> {
        let until = now.as_millisecond().saturating_add(lease_ms);
        let sql = format!(
            "WITH ready AS MATERIALIZED (
                 SELECT effect_id FROM relata_outbox WHERE status = 'due' AND due_at <= $1 AND {}
                 ORDER BY due_at, effect_id LIMIT $2{})
             UPDATE relata_outbox SET status = 'sending', attempts = attempts + 1, lease_until = $3
             WHERE effect_id IN (SELECT effect_id FROM ready)
             RETURNING *",
            way.condition(),
            self.dialect().skip_locked()
        );
        let rows = self
            .connection
            .rows("claim effects", AssertSqlSafe(sql), arguments![now, limit, until])
            .await?;
        let mut effects = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        effects.sort_by_key(|effect| (effect.due_at, effect.id));
        Ok(effects)
    }

    /// Says what became of an attempt; false where that attempt is no longer
    /// the present one (another host took it for lost), and nothing changes.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn outbox_settle(
        &mut self,
        id: EffectId,
        attempts: u32,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (status, reason, due_at, sent_at, receipt) = match delivery {
            Delivery::Sent { receipt } => {
                (EffectStatus::Sent, None, None, Some(now), receipt.as_ref())
            }
            Delivery::Again { at, why } => (EffectStatus::Due, Some(why), Some(*at), None, None),
            Delivery::Failed { why } => (EffectStatus::Failed, Some(why), None, None, None),
            Delivery::Unknown { why } => (EffectStatus::Unknown, Some(why), None, None, None),
            Delivery::Skipped { why } => (EffectStatus::Suppressed, Some(why), None, None, None),
        };
        let touched = self
            .connection
            .execute(
                "settle an effect",
                "UPDATE relata_outbox
                 SET status = $3, reason = $4, due_at = COALESCE($5, due_at), sent_at = $6, receipt = $7,
                     lease_until = NULL
                 WHERE effect_id = $1 AND attempts = $2 AND status = 'sending'",
                arguments![id, attempts, status.as_str(), reason, due_at, sent_at, receipt],
            )
            .await?;
        Ok(touched > 0)
    }

    /// Gives back an effect as it was claimed, to be carried out later; the
    /// attempt does not count. False where it is not being carried out any more.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn outbox_put_back(
        &mut self,
        id: EffectId,
        attempts: u32,
        until: Timestamp,
        why: &str,
    ) -> Result<bool, StoreError> {
        let touched = self
            .connection
            .execute(
                "put an effect back",
                "UPDATE relata_outbox SET status = 'due', attempts = attempts - 1, due_at = $3, reason = $4,
                     lease_until = NULL
                 WHERE effect_id = $1 AND attempts = $2 AND status = 'sending'",
                arguments![id, attempts, until, why],
            )
            .await?;
        Ok(touched > 0)
    }

    /// What a crash left half done becomes due again where the receiver takes
    /// the same mail only once (`repeatable`), else what its step says, which
    /// is unknown by itself. Yields how many there were. Of these only those
    /// whose lease has ended, or all with `alone`: at the start of the only
    /// host, which knows that no other is alive.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn outbox_recover(
        &mut self,
        repeatable: bool,
        alone: bool,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let unknown = "the host stopped while it was sending; look whether it arrived";
        let skipped = "the host stopped while it was sending, and `if_unknown: skip` lets it go";
        self.connection
            .execute(
                "recover effects",
                "UPDATE relata_outbox
                 SET status = CASE WHEN ($1 = 1 AND kind <> 'request') OR if_unknown = 'retry' THEN 'due'
                                   WHEN if_unknown = 'skip' THEN 'suppressed' ELSE 'unknown' END,
                     reason = CASE WHEN ($1 = 1 AND kind <> 'request') OR if_unknown = 'retry' THEN NULL
                                   WHEN if_unknown = 'skip' THEN $3 ELSE $2 END,
                     due_at = $4, lease_until = NULL
                 WHERE status = 'sending' AND ($5 = 1 OR lease_until IS NULL OR lease_until <= $4)",
                arguments![repeatable, unknown, skipped, now, alone],
            )
            .await
    }

    /// Lets an effect that is held, unknown or failed be carried out after
    /// all; false where it is none of these.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn outbox_resume(
        &mut self,
        id: EffectId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let touched = self
            .connection
            .execute(
                "resume an effect",
                "UPDATE relata_outbox SET status = 'due', reason = NULL, due_at = $2
                 WHERE effect_id = $1 AND status IN ('held', 'unknown', 'failed')",
                arguments![id, now],
            )
            .await?;
        self.stir(Part::Effects);
        Ok(touched > 0)
    }

    /// Drops an effect that is due, held, unknown or failed; false where it
    /// is none of these.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn outbox_suppress(
        &mut self,
        id: EffectId,
        reason: &str,
    ) -> Result<bool, StoreError> {
        let touched = self
            .connection
            .execute(
                "suppress an effect",
                "UPDATE relata_outbox SET status = 'suppressed', reason = $2
                 WHERE effect_id = $1 AND status IN ('due', 'held', 'unknown', 'failed')",
                arguments![id, reason],
            )
            .await?;
        Ok(touched > 0)
    }

    /// One effect.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn outbox_fetch(&mut self, id: EffectId) -> Result<Option<Effect>, StoreError> {
        let row = self
            .connection
            .row(
                "read an effect",
                "SELECT * FROM relata_outbox WHERE effect_id = $1",
                arguments![id],
            )
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// As [`Store::outbox_list`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn outbox_list(
        &mut self,
        filter: &EffectFilter,
        limit: u32,
    ) -> Result<Vec<Effect>, StoreError> {
        let mut conditions = Conditions::default();
        if let Some(run) = filter.run {
            conditions.and("run_id = ?", run);
        }
        if let Some(workflow) = &filter.workflow {
            conditions.and("workflow = ?", workflow);
        }
        if let Some(recipient) = &filter.recipient {
            conditions.and("recipient = ?", recipient);
        }
        if let Some(status) = filter.status {
            conditions.and("status = ?", status.as_str());
        }
        if let Some(after) = filter.after {
            conditions.and("effect_id > ?", after);
        }
        let (sql, arguments) =
            conditions.finish("SELECT * FROM relata_outbox", "ORDER BY effect_id", limit);
        let rows = self.connection.rows("list effects", sql, arguments).await?;
        rows.iter().map(read).collect()
    }

    /// How many messages of a workflow went out since a time or are on their
    /// way: what a cap counts. Held and suppressed ones do not count.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn outbox_sent_since(
        &mut self,
        workflow: &str,
        since: Timestamp,
    ) -> Result<u64, StoreError> {
        let row = self
            .connection
            .row(
                "count messages",
                // Two counts, so that each reads only its part of the index.
                "SELECT (SELECT COUNT(*) FROM relata_outbox
                         WHERE workflow = $1 AND status IN ('due', 'sending', 'unknown'))
                      + (SELECT COUNT(*) FROM relata_outbox
                         WHERE workflow = $1 AND status = 'sent' AND sent_at > $2) AS found",
                arguments![workflow, since],
            )
            .await?;
        row.map_or(Ok(0), |row| row.count("found"))
    }
}

fn read(row: &Row) -> Result<Effect, StoreError> {
    Ok(Effect {
        id: row.parsed("effect_id")?,
        run: row.parsed_or_none("run_id")?,
        workflow: row.text_or_none("workflow")?,
        step: row.text_or_none("step")?,
        rounds: row.text("rounds")?,
        kind: match row.text("kind")?.as_str() {
            "mail" => EffectKind::Mail,
            "notice" => EffectKind::Notice,
            "request" => EffectKind::Request,
            other => {
                return Err(StoreError::unreadable("an effect", format!("its kind is `{other}`")));
            }
        },
        template: row.text_or_none("template")?,
        recipient: row.parsed_or_none("recipient")?,
        body: row.json("body")?,
        status: EffectStatus::from_word(&row.text("status")?)?,
        reason: row.text_or_none("reason")?,
        due_at: row.time_or_none("due_at")?,
        attempts: row.small("attempts")?,
        created_at: row.time("created_at")?,
        sent_at: row.time_or_none("sent_at")?,
        receipt: row.text_or_none("receipt")?,
        if_unknown: row
            .text_or_none("if_unknown")?
            .and_then(|word| IfUnknown::ALL.into_iter().find(|(name, _)| *name == word))
            .map_or(IfUnknown::Hold, |(_, if_unknown)| if_unknown),
    })
}

/// The word of the language; nothing for what holds by itself.
fn word(if_unknown: IfUnknown) -> Option<&'static str> {
    let found = IfUnknown::ALL.into_iter().find(|(_, known)| *known == if_unknown);
    found.map(|(name, _)| name).filter(|_| if_unknown != IfUnknown::Hold)
}

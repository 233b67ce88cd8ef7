//! Delivers effects after the commit: claim, mark as sending, send, mark as
//! sent. The id of an effect stays the same across attempts.

use std::{collections::BTreeMap, time::Duration};

use relata_channels::{Mail, MailError, Mailbox};
use relata_model::{Timestamp, Value};
use relata_store::{Cause, OutboxRow, Settled, Target, Write};

use crate::{App, AppError, fresh, runner::later};

/// How many effects are claimed at once.
const BATCH: u32 = 32;

/// How often an effect is tried before it is given up as failed.
const MOST_ATTEMPTS: u32 = 10;

impl App {
    /// Delivers the effects that are due. Answers how many were tried.
    pub(crate) async fn deliver(&self) -> Result<usize, AppError> {
        let effects = self.store().outbox_claim(self.now(), BATCH).await?;
        let count = effects.len();
        let sending = effects.into_iter().map(|effect| async move {
            let mail = Mail {
                effect_id: effect.effect_id.to_string(),
                to: Mailbox {
                    name: effect.effect.body.to_name.clone(),
                    address: effect.effect.body.to_address.clone(),
                },
                subject: effect.effect.body.subject.clone(),
                text: effect.effect.body.text.clone(),
                html: effect.effect.body.html.clone(),
                date_ms: effect.created_at.as_millisecond(),
            };
            let sent = self.inner.mail.send(&mail).await;
            self.settle_effect(effect, sent).await
        });
        for settled in futures::future::join_all(sending).await {
            settled?;
        }
        Ok(count)
    }

    async fn settle_effect(
        &self,
        effect: OutboxRow,
        sent: Result<relata_channels::Receipt, MailError>,
    ) -> Result<(), AppError> {
        let now = self.now();
        let settled = match sent {
            Ok(receipt) => Settled::Sent { receipt: receipt.to_string() },
            Err(why) if why.is_unknown() => Settled::Unknown { why: why.to_string() },
            Err(why) if why.is_transient() && effect.attempts < MOST_ATTEMPTS => {
                Settled::Again { at: later(now, pause(effect.attempts)), why: why.to_string() }
            }
            Err(why) => Settled::Failed { why: why.to_string() },
        };
        match &settled {
            Settled::Failed { why } | Settled::Unknown { why } => {
                tracing::warn!(effect.id = %effect.effect_id, error = %why, "an effect was not delivered; see `relata outbox`");
            }
            Settled::Sent { .. } | Settled::Again { .. } => {}
        }
        let timeline = match &settled {
            Settled::Sent { .. } => Some(self.sent_interaction(&effect, now)),
            _ => None,
        };
        let store = self.store().clone();
        let effect_id = effect.effect_id;
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    store.outbox_settle_in(tx, effect_id, effect.attempts, settled, now).await?;
                    if let Some(write) = timeline {
                        store.record_write_in(tx, write).await?;
                    }
                    Ok::<_, AppError>(())
                })
            })
            .await
    }

    /// The line on the recipient's timeline.
    fn sent_interaction(&self, effect: &OutboxRow, now: Timestamp) -> Write {
        let kind = if effect.effect.template.is_some() { "mail_sent" } else { "notice" };
        let mut fields = BTreeMap::from([
            ("external_id".to_owned(), Value::Text(effect.effect_id.to_string())),
            ("about".to_owned(), Value::Reference(effect.effect.recipient.clone())),
            ("kind".to_owned(), Value::Text(kind.to_owned())),
            ("summary".to_owned(), Value::Text(effect.effect.body.subject.chars().take(500).collect())),
            ("mail".to_owned(), Value::Text(effect.effect_id.to_string())),
            ("happened_at".to_owned(), Value::Time(now)),
        ]);
        if let Some(template) = &effect.effect.template {
            fields.insert("template".to_owned(), Value::Text(template.clone()));
        }
        Write {
            target: Target::New { object: "interaction".to_owned(), id: fresh::record_id(now), fields },
            cause: Cause {
                actor: "outbox".to_owned(),
                run: effect.run,
                workflow: Some(effect.workflow.clone()),
                depth: 1,
            },
            fresh: fresh::uuids(now, 4),
            now,
        }
    }
}

/// 5 s, 10 s, 20 s … at most an hour.
fn pause(attempts: u32) -> Duration {
    let factor = 1_u64 << attempts.saturating_sub(1).min(16);
    Duration::from_secs((5 * factor).min(3_600))
}

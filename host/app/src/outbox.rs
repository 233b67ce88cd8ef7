//! Delivers effects after the commit: claim, mark as sending, send, mark as
//! sent. The id of an effect stays the same across attempts.

use std::{collections::BTreeMap, time::Duration};

use relata_channels::{Mail, MailError, Mailbox};
use relata_model::{Timestamp, Value};
use relata_store::{Cause, Delivery, Effect, EffectKind, Way, Write};
use relata_workflow::IfUnknown;
use serde::{Deserialize, Serialize};

use crate::{
    App, AppError, attachments::LetterFile, fresh, requests, runner::later, testing::Point,
};

/// How many effects are claimed at once.
const BATCH: u32 = 32;

/// For how long an effect is tried before it is given up as failed: a weekend
/// without a mail server, and a day to notice.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// What an effect's row holds: the mail as it will go out. What was promised
/// is what is sent, also if the template changes meanwhile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Letter {
    pub(crate) to_name: String,
    pub(crate) to_address: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: Option<String>,
    /// The Message-IDs that it answers, the nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) answers: Vec<String>,
    /// Whether a person wrote it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) by_hand: bool,
    /// Where a mail program says that its reader wants no more of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unsubscribe: Option<String>,
    /// The files that go with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) files: Vec<LetterFile>,
}

impl Letter {
    pub(crate) fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl App {
    /// Delivers the effects that are due. Answers how many were tried.
    pub(crate) async fn deliver(&self) -> Result<usize, AppError> {
        if self.all_paused() || !self.store().outbox_due(self.now()).await? {
            return Ok(0);
        }
        let lease = i64::try_from(self.sending_lease().as_millis()).unwrap_or(i64::MAX);
        let mut effects = self.store().outbox_claim(Way::Web, self.now(), lease, BATCH).await?;
        if let Some(batch) = self.breaker_lets(BATCH).await? {
            effects.extend(self.store().outbox_claim(Way::Mail, self.now(), lease, batch).await?);
        }
        let count = effects.len();
        let sending = effects.into_iter().map(|effect| self.deliver_one(effect));
        for settled in futures::future::join_all(sending).await {
            settled?;
        }
        Ok(count)
    }

    async fn deliver_one(&self, effect: Effect) -> Result<(), AppError> {
        self.may_crash(Point::AfterTake).await;
        if self.park_effect(&effect).await? {
            return Ok(());
        }
        if effect.kind == EffectKind::Request {
            return self.deliver_request(effect).await;
        }
        let letter: Letter = serde_json::from_value(effect.body.clone()).map_err(|why| {
            AppError::Fault(format!("the effect {} does not read: {why}", effect.id))
        })?;
        // Until it has gone; the place of a mail without files is nobody's.
        let _place = match letter.files.is_empty() {
            true => None,
            false => self.inner.files_out.acquire().await.ok(),
        };
        let files = match self.sent_files(letter.files).await? {
            Ok(files) => files,
            Err(why) => {
                let (failed, now) = (Delivery::Failed { why }, self.now());
                return self.settle(effect, failed, None, now).await;
            }
        };
        let mail = Mail {
            effect_id: effect.id.to_string(),
            to: Mailbox { name: Some(letter.to_name), address: letter.to_address },
            subject: letter.subject.clone(),
            text: letter.text,
            html: letter.html,
            unsubscribe: letter.unsubscribe,
            date_ms: effect.created_at.as_millisecond(),
            answers: letter.answers,
            by_hand: letter.by_hand,
            files,
        };
        let sent = if self.is_test() {
            // A test looks at what is sent; nothing leaves it.
            self.sent_in_test(effect.id);
            Ok(relata_channels::Receipt {
                message_id: mail.effect_id.clone(),
                answer: "kept by the test".to_owned(),
            })
        } else {
            self.inner.mail.send(&mail).await
        };
        self.may_crash(Point::AfterSend).await;
        self.settle_effect(effect, &letter.subject, sent).await?;
        self.may_crash(Point::AfterSettle).await;
        Ok(())
    }

    async fn deliver_request(&self, effect: Effect) -> Result<(), AppError> {
        let parcel = self.parcel(&effect)?;
        if !self.breaker_lets_one(&effect, &parcel.to_address).await? {
            return Ok(());
        }
        let destination = parcel.to_address.clone();
        let sent = self.deliver_parcel(&effect, parcel).await?;
        self.may_crash(Point::AfterSend).await;
        let now = self.now();
        let away = sent.as_ref().err().filter(|why| why.unreachable).map(|why| why.why.clone());
        self.breaker_told(destination, away, now).await?;
        let again = |after| later(now, after);
        let tries_left = tries_left(&effect, now);
        let delivery = requests::delivery(sent, &effect, tries_left, again, pause(effect.attempts));
        let given_up = match &delivery {
            Delivery::Failed { why } => {
                self.given_up_webhook(effect.recipient.as_ref(), why).await?
            }
            _ => None,
        };
        self.settle(effect, delivery, given_up, now).await?;
        self.may_crash(Point::AfterSettle).await;
        Ok(())
    }

    async fn settle_effect(
        &self,
        effect: Effect,
        subject: &str,
        sent: Result<relata_channels::Receipt, MailError>,
    ) -> Result<(), AppError> {
        let now = self.now();
        if let Some(destination) = self.inner.mail.destination() {
            // An answer to the mail is an answer of the server.
            let away = sent.as_ref().err().filter(|why| why.is_unreachable());
            self.breaker_told(destination, away.map(ToString::to_string), now).await?;
        }
        let tries_left = tries_left(&effect, now);
        let delivery = match sent {
            Ok(receipt) => Delivery::Sent { receipt: Some(receipt.to_string()) },
            Err(why) if why.is_unknown() => match effect.if_unknown {
                IfUnknown::Hold => Delivery::Unknown { why: why.to_string() },
                IfUnknown::Skip => Delivery::Skipped { why: why.to_string() },
                IfUnknown::Retry if tries_left => {
                    Delivery::Again { at: later(now, pause(effect.attempts)), why: why.to_string() }
                }
                IfUnknown::Retry => Delivery::Unknown { why: why.to_string() },
            },
            Err(why) if why.is_transient() && tries_left => {
                Delivery::Again { at: later(now, pause(effect.attempts)), why: why.to_string() }
            }
            Err(why) => Delivery::Failed { why: why.to_string() },
        };
        let timeline = match &delivery {
            Delivery::Sent { .. } => sent_interaction(&effect, subject, now),
            _ => None,
        };
        self.settle(effect, delivery, timeline, now).await
    }

    /// Writes down what became of an attempt, and what comes of that: on a
    /// timeline what was sent, at a webhook that it is given up.
    async fn settle(
        &self,
        effect: Effect,
        delivery: Delivery,
        with_it: Option<Write>,
        now: Timestamp,
    ) -> Result<(), AppError> {
        if let Delivery::Failed { why } | Delivery::Unknown { why } = &delivery {
            tracing::warn!(effect.id = %effect.id, error = %why, "an effect was not delivered; see `relata outbox`");
        }
        let cause = Cause {
            actor: "outbox".to_owned(),
            run: effect.run,
            workflow: effect.workflow.clone(),
            depth: 1,
            entry: None,
        };
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let settled =
                        tx.outbox_settle(effect.id, effect.attempts, &delivery, now).await?;
                    if let Some(write) = with_it.filter(|_| settled) {
                        tx.record_write(write, &cause, &mut fresh::source(now), now).await?;
                    }
                    Ok::<_, AppError>(())
                })
            })
            .await
    }
}

/// The line on the recipient's timeline.
fn sent_interaction(effect: &Effect, subject: &str, now: Timestamp) -> Option<Write> {
    let kind = match effect.kind {
        EffectKind::Mail => "mail_sent",
        EffectKind::Notice => "notice",
        // It is sent to a service, and to nobody with a timeline.
        EffectKind::Request => return None,
    };
    let mut fields = BTreeMap::from([
        ("external_id".to_owned(), Value::Text(effect.id.to_string())),
        ("about".to_owned(), Value::Reference(effect.recipient.clone()?)),
        ("kind".to_owned(), Value::Text(kind.to_owned())),
        ("summary".to_owned(), Value::Text(subject.chars().take(500).collect())),
        ("mail".to_owned(), Value::Text(effect.id.to_string())),
        ("happened_at".to_owned(), Value::Time(now)),
    ]);
    if let Some(template) = &effect.template {
        fields.insert("template".to_owned(), Value::Text(template.clone()));
    }
    Some(Write::Create { object: "interaction".to_owned(), id: fresh::record_id(now), fields })
}

/// Whether an effect may be tried once more.
fn tries_left(effect: &Effect, now: Timestamp) -> bool {
    now < later(effect.created_at, GIVEN_UP_AFTER)
}

/// 5 s, 10 s, 20 s … at most an hour.
fn pause(attempts: u32) -> Duration {
    let factor = 1_u64 << attempts.saturating_sub(1).min(16);
    Duration::from_secs((5 * factor).min(3_600))
}

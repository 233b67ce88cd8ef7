//! `[retention]`: what is kept for how long, and its clean-up as part of the
//! host's turn.

use std::time::Duration;

use relata_model::Timestamp;
use relata_store::{EndedPlace, StoreError, Tx};
use serde::{Deserialize, Serialize};

use crate::{App, AppError, runner::later};

/// The `[retention]` part of `relata.toml`: for how many days each is kept.
/// What is not named is kept for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Runs after their end, with all that is their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<u32>,
    /// The logs of runs after their end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_logs: Option<u32>,
    /// Events: the history of records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<u32>,
    /// The texts of what went out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_effects: Option<u32>,
    /// Why runs did not start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_started: Option<u32>,
    /// The ids by which a repeated call of a webhook is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_ids: Option<u32>,
    /// The audit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<u32>,
    /// How far back `relata backtest` is to reach: runs, logs and events are
    /// kept for that long at the least.
    #[serde(default = "a_month")]
    pub backtest: u32,
}

const fn a_month() -> u32 {
    31
}

impl Retention {
    /// What is wrong with it, as a sentence.
    pub(crate) fn wrong(&self) -> Option<String> {
        let named = [
            ("runs", self.runs),
            ("step_logs", self.step_logs),
            ("events", self.events),
            ("sent_effects", self.sent_effects),
            ("not_started", self.not_started),
            ("webhook_ids", self.webhook_ids),
            ("audit", self.audit),
        ];
        let (name, days) = named
            .into_iter()
            .filter_map(|(name, days)| Some((name, days?)))
            .find(|(_, days)| !(1..=36_500).contains(days))?;
        Some(format!(
            "`[retention] {name} = {days}` is not a number of days from 1 to 36500; leave it out to keep everything"
        ))
    }
}

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(3_600);

/// The setting that holds when it is looked next.
const DUE: &str = "cleanup_due";

/// The setting that holds up to which end of runs their logs are gone.
const LOGS_CLEANED: &str = "cleanup_logs_before";

/// How many rows one transaction takes away, or looks at.
const BATCH: u32 = 500;

/// How much was taken away, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CleanedUp {
    /// Runs.
    pub runs: u64,
    /// Entries of runs' logs, beside those that went with their runs.
    pub step_logs: u64,
    /// Events.
    pub events: u64,
    /// Texts of effects.
    pub sent_effects: u64,
    /// Refusals of starts.
    pub not_started: u64,
    /// Ids of webhooks' calls.
    pub webhook_ids: u64,
    /// Entries of the audit.
    pub audit: u64,
}

/// Before which times each may go; none where it is kept for ever.
#[derive(Debug, Clone, Copy)]
struct Cutoffs {
    runs: Option<Timestamp>,
    step_logs: Option<Timestamp>,
    events: Option<Timestamp>,
    sent_effects: Option<Timestamp>,
    not_started: Option<Timestamp>,
    webhook_ids: Option<Timestamp>,
    audit: Option<Timestamp>,
}

impl App {
    /// Takes away what is kept no longer, when it is time to look. Answers 0:
    /// it is nothing that other work waits for.
    pub(crate) async fn clean_up_when_due(&self) -> Result<usize, AppError> {
        if self.config().retention.is_none() || self.is_test() {
            return Ok(0);
        }
        let now = self.now();
        if self.setting_time(DUE).await?.is_some_and(|due| due > now) {
            return Ok(0);
        }
        self.put_setting_time(DUE, later(now, EVERY)).await?;
        let cleaned = self.clean_up().await?;
        if cleaned != CleanedUp::default() {
            tracing::info!(
                runs = cleaned.runs,
                step_logs = cleaned.step_logs,
                events = cleaned.events,
                sent_effects = cleaned.sent_effects,
                not_started = cleaned.not_started,
                webhook_ids = cleaned.webhook_ids,
                audit = cleaned.audit,
                "old rows were taken away"
            );
        }
        Ok(0)
    }

    /// Takes away what is kept no longer, in small transactions.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the database fails; what was taken away until then
    /// stays away.
    pub async fn clean_up(&self) -> Result<CleanedUp, AppError> {
        let cutoffs = self.cutoffs().await?;
        let mut cleaned = CleanedUp::default();
        if let Some(before) = cutoffs.sent_effects {
            cleaned.sent_effects =
                self.batches(before, |tx, before| Box::pin(tx.clean_texts(before, BATCH))).await?;
        }
        if let Some(before) = cutoffs.runs {
            let mut after: Option<EndedPlace> = None;
            loop {
                let batch = self
                    .store()
                    .write(move |tx| {
                        Box::pin(async move { tx.clean_runs(before, after, BATCH).await })
                    })
                    .await?;
                cleaned.runs += batch.count;
                after = batch.next;
                if after.is_none() {
                    break;
                }
            }
        }
        if let Some(before) = cutoffs.step_logs {
            cleaned.step_logs = self.clean_logs(before).await?;
        }
        if let Some(before) = cutoffs.events {
            let mut after = 0;
            loop {
                let batch = self
                    .store()
                    .write(move |tx| {
                        Box::pin(async move { tx.clean_events(before, after, BATCH).await })
                    })
                    .await?;
                cleaned.events += batch.count;
                match batch.next {
                    Some(next) => after = next,
                    None => break,
                }
            }
        }
        if let Some(before) = cutoffs.not_started {
            cleaned.not_started = self
                .batches(before, |tx, before| Box::pin(tx.clean_refusals(before, BATCH)))
                .await?;
        }
        if let Some(before) = cutoffs.webhook_ids {
            cleaned.webhook_ids =
                self.batches(before, |tx, before| Box::pin(tx.clean_calls(before, BATCH))).await?;
        }
        if let Some(before) = cutoffs.audit {
            cleaned.audit =
                self.batches(before, |tx, before| Box::pin(tx.audit_clean(before, BATCH))).await?;
        }
        Ok(cleaned)
    }

    /// How much a clean-up would take away now.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the database fails.
    pub async fn clean_up_preview(&self) -> Result<CleanedUp, AppError> {
        let (store, cutoffs) = (self.store(), self.cutoffs().await?);
        let mut found = CleanedUp::default();
        if let Some(before) = cutoffs.runs {
            found.runs = store.removable_runs(before).await?;
        }
        if let Some(before) = cutoffs.step_logs {
            found.step_logs = store.removable_entries(before).await?;
        }
        if let Some(before) = cutoffs.events {
            found.events = store.removable_events(before).await?;
        }
        if let Some(before) = cutoffs.sent_effects {
            found.sent_effects = store.removable_texts(before).await?;
        }
        if let Some(before) = cutoffs.not_started {
            found.not_started = store.removable_refusals(before).await?;
        }
        if let Some(before) = cutoffs.webhook_ids {
            found.webhook_ids = store.removable_calls(before).await?;
        }
        if let Some(before) = cutoffs.audit {
            found.audit = store.removable_audit(before).await?;
        }
        Ok(found)
    }

    async fn clean_logs(&self, before: Timestamp) -> Result<u64, AppError> {
        // Up to there they are gone; runs end in the order of the time.
        let mut after: Option<EndedPlace> = self
            .setting_time(LOGS_CLEANED)
            .await?
            .map(|at| (at, relata_model::RunId::from_uuid(uuid::Uuid::nil())));
        let mut count = 0;
        loop {
            let batch = self
                .store()
                .write(move |tx| Box::pin(async move { tx.clean_logs(before, after, BATCH).await }))
                .await?;
            count += batch.count;
            let Some(next) = batch.next else { return Ok(count) };
            after = Some(next);
            self.put_setting_time(LOGS_CLEANED, next.0).await?;
        }
    }

    /// Batches until one finds nothing.
    async fn batches<F>(&self, before: Timestamp, clean: F) -> Result<u64, AppError>
    where
        F: for<'t> Fn(
                &'t mut Tx,
                Timestamp,
            ) -> futures::future::BoxFuture<'t, Result<u64, StoreError>>
            + Copy
            + Send
            + Sync
            + 'static,
    {
        let mut count = 0;
        loop {
            let batch = self.store().write(move |tx| clean(tx, before)).await?;
            count += batch;
            if batch == 0 {
                return Ok(count);
            }
        }
    }

    async fn cutoffs(&self) -> Result<Cutoffs, AppError> {
        let now = self.now();
        let retention = self.config().retention.unwrap_or_default();
        let before = |days: u32| earlier(now, i64::from(days) * 24);
        let of = |days: Option<u32>| days.map(before);
        // What a backtest replays stays, and what a cap of an active workflow
        // counts.
        let replayed = before(retention.backtest);
        let active = self.active().await?;
        let hours = active.iter().filter_map(|(_, definition)| Some(definition.hold_above?.hours));
        let capped = earlier(now, i64::from(hours.max().unwrap_or_default()));
        Ok(Cutoffs {
            runs: of(retention.runs).map(|at| at.min(replayed).min(capped)),
            step_logs: of(retention.step_logs).map(|at| at.min(replayed)),
            events: of(retention.events).map(|at| at.min(replayed)),
            sent_effects: of(retention.sent_effects),
            not_started: of(retention.not_started),
            webhook_ids: of(retention.webhook_ids),
            audit: of(retention.audit),
        })
    }
}

fn earlier(now: Timestamp, hours: i64) -> Timestamp {
    let millis = now.as_millisecond().saturating_sub(hours.saturating_mul(3_600_000));
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MIN)
}

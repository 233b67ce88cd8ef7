//! The circuit breaker of a plugin: after some calls in a row that failed by
//! its own fault it is left alone for a while, then one is let through to see.
//! Its steps wait meanwhile, and lose no attempt. Another version of it, which
//! has another digest, starts afresh.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use relata_model::Timestamp;
use relata_sandbox::{Plugin, Verdict};
use relata_store::BreakerRow;

use crate::breakers::{Turned, pause};
use crate::change_set::ChangeSet;
use crate::runner::{Held, later};
use crate::{App, AppError};

/// What the keys of plugins begin with, and those of destinations do not.
const PREFIX: &str = "plugin/";

/// How old what is known of breakers may be while runs move, in milliseconds.
const FRESH_MS: i64 = 500;

/// For how long the others wait while one is under way to see.
const WHILE_TRIED: Duration = Duration::from_secs(1);

/// What this host knows of the breakers of plugins.
#[derive(Debug, Default)]
pub(crate) struct KnownBreakers {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    rows: Arc<BTreeMap<String, BreakerRow>>,
    read_at: Option<Timestamp>,
    /// Those of which this host has let one call through, and when they are
    /// tried again if nobody hears of it.
    tried: BTreeMap<String, Timestamp>,
}

/// `plugin/enrich@0123456789ab`.
pub(crate) fn key(plugin: &Plugin) -> String {
    let digest: String = plugin.digest().chars().take(12).collect();
    format!("{PREFIX}{}@{digest}", plugin.name())
}

/// Whether a breaker is a plugin's.
pub(crate) fn is_of_plugin(breaker: &BreakerRow) -> bool {
    breaker.destination.starts_with(PREFIX)
}

impl App {
    /// Gives a run back before a call of a plugin that is left alone, to go on
    /// when that is tried again; false where it is not.
    pub(crate) async fn stop_at_breaker(
        &self,
        held: &mut Held,
        action: &str,
    ) -> Result<bool, AppError> {
        let Some((key, open)) = self.open_breaker(action).await? else { return Ok(false) };
        let now = self.now();
        let probe_at = open.probe_at.unwrap_or(now);
        let until = if now < probe_at && !self.is_tried(&key, now) {
            probe_at
        } else if self.takes_the_probe(&key, now, later(now, pause(open.failures))).await? {
            return Ok(false);
        } else {
            // Somebody else has it, and may soon say that it works again.
            later(now, WHILE_TRIED)
        };
        tracing::debug!(run.id = %held.run.id, plugin.key = key, "a step waits for its plugin");
        self.commit(held, Some(until), ChangeSet::default(), false, None).await?;
        Ok(true)
    }

    /// The open breaker of an action's plugin, and its key; none where it works.
    pub(crate) async fn open_breaker(
        &self,
        action: &str,
    ) -> Result<Option<(String, BreakerRow)>, AppError> {
        // What a test shows is not to depend on what it showed before.
        if self.is_test() {
            return Ok(None);
        }
        let plugins = self.plugins().await?;
        let Some((plugin, _)) = plugins.action(action) else { return Ok(None) };
        let key = key(plugin);
        let rows = self.plugin_breakers().await?;
        let open = rows.get(&key).filter(|row| row.is_open()).cloned();
        Ok(open.map(|open| (key, open)))
    }

    /// Whether this host has let a call through of which it has not heard yet.
    fn is_tried(&self, key: &str, now: Timestamp) -> bool {
        self.breakers_known().tried.get(key).is_some_and(|until| now < *until)
    }

    /// Takes the one call by which a plugin is tried; `next` is when it is tried
    /// again if nobody hears of that.
    async fn takes_the_probe(
        &self,
        key: &str,
        now: Timestamp,
        next: Timestamp,
    ) -> Result<bool, AppError> {
        {
            let mut known = self.breakers_known();
            if known.tried.get(key).is_some_and(|until| now < *until) {
                return Ok(false);
            }
            known.tried.insert(key.to_owned(), next);
        }
        let name = key.to_owned();
        let taken = self
            .store()
            .write(move |tx| Box::pin(async move { tx.breaker_probe(&name, now, next).await }))
            .await;
        let mut known = self.breakers_known();
        known.read_at = None;
        if !matches!(taken, Ok(true)) {
            known.tried.remove(key);
        }
        Ok(taken?)
    }

    /// A call of a plugin says this of it.
    pub(crate) async fn plugin_told(&self, plugin: &Plugin, verdict: Verdict) {
        if self.is_test() {
            return;
        }
        let failed = match verdict {
            Verdict::Works => None,
            Verdict::Fails(why) => Some(why),
            Verdict::Nothing => return,
        };
        if let Err(why) = self.plugin_counts(plugin, failed).await {
            // The step has its answer; the breaker opens or closes a call later.
            tracing::warn!(error = %why, "what a call says of its plugin was not kept");
        }
    }

    async fn plugin_counts(&self, plugin: &Plugin, failed: Option<String>) -> Result<(), AppError> {
        let key = key(plugin);
        if failed.is_none() && !self.plugin_breakers().await?.contains_key(&key) {
            return Ok(());
        }
        let turned = self.breaker_counts(key.clone(), failed, self.now()).await?;
        let (name, version) = (plugin.name(), plugin.version());
        match turned {
            Some(Turned::Opens) => {
                // Those of its other versions mean nothing any more.
                let (of, mine) = (format!("{PREFIX}{name}@"), key.clone());
                self.store()
                    .write(move |tx| {
                        Box::pin(async move { tx.breaker_forget_others(&of, &mine).await })
                    })
                    .await?;
                tracing::warn!(
                    plugin.name = name,
                    plugin.version = version,
                    "the plugin `{name}` fails again and again and is left alone for a while; its steps wait, see `relata doctor`"
                );
            }
            Some(Turned::Closes) => {
                tracing::info!(
                    plugin.name = name,
                    plugin.version = version,
                    "the plugin `{name}` works again"
                );
            }
            None => {}
        }
        let mut known = self.breakers_known();
        known.tried.remove(&key);
        known.read_at = None;
        Ok(())
    }

    /// The breakers of plugins, as they are or were a moment ago.
    async fn plugin_breakers(&self) -> Result<Arc<BTreeMap<String, BreakerRow>>, AppError> {
        let now = self.now();
        {
            let known = self.breakers_known();
            let age = |at: Timestamp| now.as_millisecond() - at.as_millisecond();
            if known.read_at.is_some_and(|at| (0..FRESH_MS).contains(&age(at))) {
                return Ok(Arc::clone(&known.rows));
            }
        }
        let rows = Box::pin(self.store().breaker_list()).await?.into_iter().filter(is_of_plugin);
        let rows = Arc::new(rows.map(|row| (row.destination.clone(), row)).collect());
        let mut known = self.breakers_known();
        known.rows = Arc::clone(&rows);
        known.read_at = Some(now);
        Ok(rows)
    }

    fn breakers_known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.inner.plugin_breakers.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

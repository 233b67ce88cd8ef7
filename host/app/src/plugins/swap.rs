//! Another version while the host runs: taken over when it is installed, and
//! given back when it does not work.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use relata_sandbox::{Compiler, Verdict};
use tokio::sync::{MutexGuard, watch};

use super::Plugins;
use super::folder::{PluginFolder, RolledBack};
use crate::{App, AppError};

/// How often it is looked whether plugins were installed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The plugins that are in use now.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    /// How strangers' plugins are compiled.
    compiler: Compiler,
    current: RwLock<Option<Arc<Plugins>>>,
    /// One loads them, the others wait.
    loading: tokio::sync::Mutex<()>,
    /// What was last said of a fault, which is not said every second.
    said: Mutex<String>,
}

impl Slot {
    /// Filled with plugins that were loaded before.
    pub(crate) fn of(plugins: Arc<Plugins>) -> Self {
        Self { current: RwLock::new(Some(plugins)), ..Self::default() }
    }

    /// Empty; plugins will be compiled like this.
    pub(crate) fn compiling(compiler: Compiler) -> Self {
        Self { compiler, ..Self::default() }
    }

    pub(super) fn compiler(&self) -> &Compiler {
        &self.compiler
    }

    pub(crate) fn get(&self) -> Option<Arc<Plugins>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, plugins: Arc<Plugins>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(plugins);
    }

    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.loading.lock().await
    }

    /// Whether this is news.
    fn is_news(&self, text: String) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = *said != text;
        *said = text;
        is_news
    }
}

/// A new version whose calls are watched until one comes off.
#[derive(Debug, Default)]
pub(super) struct Probation {
    failures: AtomicU32,
    proven: AtomicBool,
    last: Mutex<String>,
}

impl Probation {
    /// What a call says of the version.
    pub(super) fn tell(&self, verdict: Verdict, called_as: &str) {
        match verdict {
            Verdict::Works => self.proven.store(true, Ordering::Relaxed),
            Verdict::Fails(why) => {
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) =
                    format!("{called_as}: {why}");
                self.failures.fetch_add(1, Ordering::Relaxed);
            }
            Verdict::Nothing => {}
        }
    }
}

impl App {
    /// Looks after the plugins until `halted`.
    pub(crate) async fn watch_plugins(&self, mut halted: watch::Receiver<bool>) {
        while !*halted.borrow() {
            match self.tend_plugins().await {
                Ok(()) => drop(self.inner.plugins.is_news(String::new())),
                Err(why) if self.inner.plugins.is_news(why.to_string()) => {
                    tracing::warn!("the host goes on with the plugins that it has: {why}");
                }
                Err(_) => {}
            }
            tokio::select! {
                _ = halted.wait_for(|halted| *halted) => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Gives back new versions that do not work, and takes over what was
    /// installed or removed since the plugins were loaded: what a host that
    /// serves does every second. Steps under way end on what they began with.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the lock cannot be read; the plugins stay as they
    /// are.
    pub async fn tend_plugins(&self) -> Result<(), AppError> {
        let slot = &self.inner.plugins;
        let Some(current) = slot.get() else { return Ok(()) };
        let folder = PluginFolder::of(self.directory());
        let given_back = self.give_back(&current, &folder);
        let touched = |name: &String, refused: &super::Refused| folder.stamp(name) != refused.stamp;
        let is_current = folder.lock_text()? == current.lock
            && !current.refused.iter().any(|(name, refused)| touched(name, refused));
        if is_current {
            return given_back;
        }
        // What does not parse is not taken over.
        folder.lock()?;
        let _turn = slot.turn().await;
        let next = self.with_installed(current.bundled_alone(), Some(&current)).await;
        for (name, plugin) in &next.plugins {
            let before = current.plugins.get(name);
            if before.is_none_or(|before| before.digest() != plugin.digest()) {
                let version = plugin.version();
                tracing::info!(
                    plugin.name = name,
                    plugin.version = version,
                    "the plugin `{name}` {version} is used from the next step on"
                );
            }
        }
        slot.set(Arc::new(next));
        given_back
    }

    /// Puts the version before in the place of one that failed too often, and
    /// ends the probation of those that work.
    fn give_back(&self, current: &Plugins, folder: &PluginFolder) -> Result<(), AppError> {
        let lock = folder.lock()?;
        for (name, probation) in &current.probation {
            if lock.plugins.get(name) != current.entries.get(name) {
                // Another is installed already, and has done nothing yet.
                continue;
            }
            let failures = probation.failures.load(Ordering::Relaxed);
            let most = self.config().plugins.roll_back_after;
            if probation.proven.load(Ordering::Relaxed) {
                if folder.is_on_probation(name) {
                    folder.proven(name)?;
                }
            } else if most.is_some_and(|most| failures >= most.max(1)) {
                let version = current.entries.get(name).map_or("", |entry| &entry.version);
                let last = probation.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let note = RolledBack {
                    version: version.to_owned(),
                    at: self.now().to_string(),
                    why: format!("its first {failures} calls failed, the last one so: {last}"),
                };
                if let Some(now) = folder.roll_back(name, &note)? {
                    tracing::error!(
                        plugin.name = name,
                        plugin.version = version,
                        "the plugin `{name}` went back from {version} to {now}: {}",
                        note.why
                    );
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_faults_count_against_a_version() {
        let count = |verdicts: Vec<Verdict>| {
            let probation = Probation::default();
            verdicts.into_iter().for_each(|verdict| probation.tell(verdict, "enrich"));
            (probation.failures.into_inner(), probation.proven.into_inner())
        };
        let fails = || Verdict::Fails("trapped".to_owned());
        assert_eq!(count(vec![fails(), fails()]), (2, false));
        assert_eq!(count(vec![Verdict::Nothing]), (0, false));
        assert_eq!(count(vec![fails(), Verdict::Works]), (1, true));
    }
}

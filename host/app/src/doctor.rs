//! What is wrong with a host, and what to do about it.

use std::{fs, path::Path};

use relata_model::Timestamp;
use relata_store::{EffectFilter, EffectStatus, RunFilter, RunSearch, RunStatus};
use relata_workflow::Trigger;
use serde::Serialize;

use crate::{
    App, AppError,
    plugin_breaker::{self, is_of_plugin},
    runner::later,
};

/// How many of each are named.
const NAMED: u32 = 5;

/// What is due for so long is late, in milliseconds.
const LATE_MS: i64 = 60_000;

/// An effect that is being sent for so long is not being sent.
const SENDING_MS: i64 = 15 * 60_000;

/// How far the clock of the database may be from ours.
const DRIFT_MS: i64 = 2_000;

/// A write-ahead log of this size was not taken in for long.
const LONG_LOG: u64 = 256 << 20;

const LITTLE_ROOM: u64 = 1 << 30;
const NO_ROOM: u64 = 100 << 20;

/// For how long a failed run is news.
const NEWS_MS: i64 = 24 * 3_600_000;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// To be known.
    Note,
    /// Somebody should look at it.
    Warning,
    /// Work is not done, or may be lost.
    Error,
}

/// Something that somebody should know of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A word for programs: `stalled-runs`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is so, in a sentence.
    pub what: String,
    /// Some of what it is about: ids and names.
    pub examples: Vec<String>,
    /// What to do about it.
    pub mend: String,
}

impl Finding {
    pub(crate) fn new(code: &'static str, severity: Severity, what: String, mend: &str) -> Self {
        Self { code, severity, what, examples: Vec::new(), mend: mend.to_owned() }
    }

    pub(crate) fn with<T: ToString>(mut self, examples: &[T]) -> Self {
        self.examples = examples.iter().map(ToString::to_string).collect();
        self
    }
}

impl App {
    /// Looks at everything that a host depends on, the worst first. With `whole` also
    /// at what takes as long as there is much of it: every run is read, and the
    /// database checks itself, for which it reads the whole file.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the database does not answer.
    pub async fn doctor(&self, whole: bool) -> Result<Vec<Finding>, AppError> {
        let mut found = Vec::new();
        self.look_at_runs(&mut found, whole).await?;
        self.look_at_effects(&mut found).await?;
        self.look_at_schedules(&mut found).await?;
        self.look_at_pauses(&mut found).await?;
        self.look_at_plugins(&mut found).await?;
        self.look_at_the_desk(&mut found).await?;
        self.look_at_roles(&mut found).await?;
        self.look_at_webhooks(&mut found).await?;
        self.look_at_service_levels(&mut found).await?;
        self.look_at_the_inbox(&mut found).await?;
        self.look_at_links(&mut found).await?;
        self.look_at_forms(&mut found).await?;
        self.look_at_the_database(&mut found, whole).await?;
        look_at_the_disk(self.directory().root(), &mut found);
        found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        Ok(found)
    }

    async fn look_at_runs(&self, found: &mut Vec<Finding>, whole: bool) -> Result<(), AppError> {
        let (store, now) = (self.store(), self.now());
        let late = earlier(now, LATE_MS);
        let stands = if self.is_served() {
            "a host runs; see its log for errors, and `relata pause` for what is paused"
        } else if self.clock().is_manual() {
            "this is a rehearsal: `relata clock` moves its clock"
        } else {
            "no host runs this data directory: start `relata serve`"
        };
        let overdue = store.health_overdue(late, NAMED).await?;
        let all_paused =
            store.pause_list().await?.iter().any(|pause| pause.scope.name().is_empty());
        if !overdue.is_empty() && !all_paused {
            let counts = store.health_due_runs(now).await?;
            let since =
                counts.oldest.map_or_else(String::new, |at| format!(", the first since {at}"));
            let what = format!("nobody moves {} although due{since}", many(counts.count, "run"));
            found.push(Finding::new("overdue-runs", Severity::Error, what, stands).with(&overdue));
        }
        let stalled = store.health_stalled(late, NAMED).await?;
        if !stalled.is_empty() {
            let what = format!("the host that had {} is gone", at_least(&stalled, "run"));
            found.push(Finding::new("stalled-runs", Severity::Error, what, stands).with(&stalled));
        }
        let stranded = if whole { store.run_stranded().await? } else { Vec::new() };
        if !stranded.is_empty() {
            let what = format!("nothing will ever wake {}", many(stranded.len() as u64, "run"));
            let mend = "this is a fault of Relata, please report it; end them with `relata runs cancel RUN`";
            let some = &stranded[..stranded.len().min(NAMED as usize)];
            found.push(Finding::new("stranded-runs", Severity::Error, what, mend).with(some));
        }
        let soon = later(now, self.lease());
        let suspects = store.health_suspects(late, soon, NAMED).await?;
        if !suspects.is_empty() {
            let what = format!(
                "{} brought a host down, or met a fault of it, lately",
                at_least(&suspects, "run")
            );
            let mend =
                "`relata runs show RUN` names the step; after 5 times in a row the run is given up";
            found.push(Finding::new("suspect-runs", Severity::Warning, what, mend).with(&suspects));
        }
        let ids = |rows: Vec<relata_store::RunRow>| {
            rows.into_iter().map(|row| row.run.id).collect::<Vec<_>>()
        };
        let dead = RunSearch { given_up: true, ..newest() };
        let dead = ids(store.run_search(&dead, NAMED).await?);
        if !dead.is_empty() {
            let what =
                format!("{} brought a host down too often, and failed", at_least(&dead, "run"));
            let mend = "`relata runs list --dead` lists them; mend the cause, then `relata runs retry --dead`";
            found.push(Finding::new("dead-letters", Severity::Warning, what, mend).with(&dead));
        }
        let mut failed = newest();
        failed.filter.since = Some(earlier(now, NEWS_MS));
        failed.filter.status = Some(RunStatus::Failed);
        let failed = ids(store.run_search(&failed, NAMED).await?);
        if !failed.is_empty() {
            let what = format!("{} that began within a day failed", at_least(&failed, "run"));
            let mend = "`relata runs list --failed` lists them; mend the cause, then `relata runs retry RUN`";
            found.push(Finding::new("failed-runs", Severity::Note, what, mend).with(&failed));
        }
        let events = store.health_pending_events(now).await?;
        if let Some(oldest) = events.oldest.filter(|oldest| *oldest < late) {
            let what = format!(
                "no trigger has seen {} yet, the first of {oldest}",
                many(events.count, "event")
            );
            found.push(Finding::new("overdue-events", Severity::Error, what, stands));
        }
        Ok(())
    }

    async fn look_at_effects(&self, found: &mut Vec<Finding>) -> Result<(), AppError> {
        let (store, now) = (self.store(), self.now());
        let of = |status| EffectFilter { status: Some(status), ..EffectFilter::default() };
        let looks = [
            (
                EffectStatus::Unknown,
                "unknown-effects",
                Severity::Warning,
                "may have gone out or not",
                "look whether it arrived; then `relata outbox release EFFECT` sends it again, and `relata outbox drop EFFECT` does not",
            ),
            (
                EffectStatus::Held,
                "held-effects",
                Severity::Note,
                "cannot go out before somebody decides",
                "`relata outbox --status held` says why; `relata outbox release` or `drop` decides",
            ),
            (
                EffectStatus::Failed,
                "failed-effects",
                Severity::Note,
                "could not be sent",
                "`relata outbox --status failed` says why; mend it, then `relata outbox release EFFECT`",
            ),
        ];
        for (status, code, severity, what, mend) in looks {
            let effects = store.outbox_list(&of(status), 1_000).await?;
            if effects.is_empty() {
                continue;
            }
            let ids: Vec<_> = effects.iter().take(NAMED as usize).map(|effect| effect.id).collect();
            let what = format!("{} {what}", many(effects.len() as u64, "effect"));
            found.push(Finding::new(code, severity, what, mend).with(&ids));
        }
        let sending = store.outbox_list(&of(EffectStatus::Sending), 1_000).await?;
        let lost: Vec<_> = sending
            .iter()
            .filter(|effect| effect.due_at.is_none_or(|at| at < earlier(now, SENDING_MS)))
            .map(|effect| effect.id)
            .take(NAMED as usize)
            .collect();
        if !lost.is_empty() {
            let what = format!("{} should have been sent long ago", at_least(&lost, "effect"));
            let mend = "where the host that sent them is gone, the next start of `relata serve` judges them";
            found.push(Finding::new("lost-effects", Severity::Warning, what, mend).with(&lost));
        }
        let breakers = store.breaker_list().await?.into_iter();
        for breaker in breakers.filter(|row| row.is_open() && !is_of_plugin(row)) {
            let until =
                breaker.probe_at.map_or_else(String::new, |at| format!("; tried again {at}"));
            let what = format!(
                "nothing is sent to {} after {} failures in a row{until}",
                breaker.destination, breaker.failures
            );
            let mend = "see whether the server answers, and its login; mails wait meanwhile and go out by themselves";
            let why: Vec<String> = breaker.why.into_iter().collect();
            found.push(Finding::new("open-breaker", Severity::Warning, what, mend).with(&why));
        }
        Ok(())
    }

    async fn look_at_schedules(&self, found: &mut Vec<Finding>) -> Result<(), AppError> {
        let now = self.now();
        let rows = self.store().schedule_list().await?;
        let mut unarmed = Vec::new();
        for (_, definition) in self.active().await?.iter() {
            for (trigger, number) in definition.triggers.iter().zip(0_u32..) {
                let Trigger::Schedule(schedule) = trigger else { continue };
                let row = rows
                    .iter()
                    .find(|row| row.workflow == definition.name && row.trigger == number);
                let fires = relata_workflow::next_fire(schedule, now).is_some();
                if fires && row.is_none_or(|row| row.next_at.is_none()) {
                    unarmed.push(format!("{} ({})", definition.name, schedule.written));
                }
            }
        }
        if !unarmed.is_empty() {
            let what = format!("{} will not fire", many(unarmed.len() as u64, "schedule"));
            let mend = "activate the workflow again: `relata activate FILE`";
            found.push(
                Finding::new("unarmed-schedules", Severity::Error, what, mend).with(&unarmed),
            );
        }
        let late: Vec<&str> = rows
            .iter()
            .filter(|row| row.next_at.is_some_and(|at| at < earlier(now, LATE_MS)))
            .map(|row| row.workflow.as_str())
            .collect();
        if !late.is_empty() {
            let what = format!("{} should have fired", many(late.len() as u64, "schedule"));
            let mend = "start `relata serve`; where it runs, see its log for errors";
            found.push(Finding::new("overdue-schedules", Severity::Error, what, mend).with(&late));
        }
        Ok(())
    }

    async fn look_at_pauses(&self, found: &mut Vec<Finding>) -> Result<(), AppError> {
        for pause in self.pauses().await? {
            let name = if pause.kind == "all" { "everything" } else { &pause.name };
            let what = format!(
                "{name} is paused by {} since {}, which holds {}: {}",
                pause.by,
                pause.since,
                many(pause.runs, "run"),
                pause.why
            );
            let named = format!("{} {}", pause.kind, pause.name);
            let mend = format!("`relata resume {}` lets it go on", named.trim_end());
            found.push(Finding::new("paused", Severity::Note, what, &mend));
        }
        Ok(())
    }

    async fn look_at_plugins(&self, found: &mut Vec<Finding>) -> Result<(), AppError> {
        let plugins = self.plugins().await?;
        let breakers = self.store().breaker_list().await?;
        for plugin in plugins.iter() {
            let of = plugin_breaker::key(plugin);
            let open = breakers.iter().find(|row| row.is_open() && row.destination == of);
            let Some(open) = open else { continue };
            let until = open.probe_at.map_or_else(String::new, |at| format!("; tried again {at}"));
            let (name, version) = (plugin.name(), plugin.version());
            let what = format!(
                "the plugin `{name}` {version} is not called after {} failures in a row{until}",
                open.failures
            );
            let mend = "its steps wait meanwhile, and nothing is lost; another version of it is called at once";
            let why: Vec<&String> = open.why.iter().collect();
            found.push(Finding::new("open-plugin", Severity::Warning, what, mend).with(&why));
        }
        if let Some(why) = plugins.lock_fault() {
            let what = format!("no installed plugin is run: {why}");
            let mend = "until then, steps that need one fail";
            found.push(Finding::new("broken-lock", Severity::Error, what, mend));
        }
        for (name, why) in plugins.refused() {
            let what = format!("the plugin `{name}` is not run: {why}");
            let mend = "until it is, steps that need it fail; `relata plugin list` shows all";
            let users: Vec<String> = self.users_of_plugin(name).await?.into_iter().collect();
            let finding = Finding::new("refused-plugin", Severity::Error, what, mend);
            found.push(finding.with(&users));
        }
        for row in self.installed_plugins().unwrap_or_default() {
            let (Some(note), Some(now)) = (row.rolled_back, row.version) else { continue };
            let what = format!(
                "the plugin `{}` went back from {} to {now} at {}: {}",
                row.plugin, note.version, note.at, note.why
            );
            let mend = "tell its author; `relata plugin install FILE` takes a version that works";
            found.push(Finding::new("rolled-back-plugin", Severity::Warning, what, mend));
        }
        Ok(())
    }

    /// Mails that could have links, and have none.
    async fn look_at_links(&self, found: &mut Vec<Finding>) -> Result<(), AppError> {
        if self.config().public_url.is_some() {
            return Ok(());
        }
        let users: Vec<String> = self.users_of_plugin("survey").await?.into_iter().collect();
        if !users.is_empty() {
            let what = "surveys can be answered by a reply only: their mails have no links";
            let mend = "set `public_url` in relata.toml to where customers reach `relata serve`, such as https://desk.example.com";
            let finding = Finding::new("no-public-url", Severity::Note, what.to_owned(), mend);
            found.push(finding.with(&users));
        }
        Ok(())
    }

    async fn look_at_the_database(
        &self,
        found: &mut Vec<Finding>,
        whole: bool,
    ) -> Result<(), AppError> {
        let store = self.store();
        if !self.clock().is_manual() {
            let drift = store.health_now().await?.as_millisecond() - self.now().as_millisecond();
            if drift.abs() > DRIFT_MS {
                let what = format!("the clock of the database is {drift} ms from this machine's");
                let mend = "let both machines take their time from the same server (chrony, systemd-timesyncd)";
                found.push(Finding::new("clock-drift", Severity::Warning, what, mend));
            }
        }
        let mut log = self.directory().database().into_os_string();
        log.push("-wal");
        if let Ok(length) = fs::metadata(&log).map(|log| log.len())
            && length > LONG_LOG
        {
            let what = format!("the write-ahead log has {} MiB", length >> 20);
            let mend = "something reads the database for very long, a backup or a report; when it ends the log is taken in";
            found.push(Finding::new("long-log", Severity::Warning, what, mend));
        }
        if whole {
            let faults = store.health_faults().await?;
            if !faults.is_empty() {
                let what = "the database is damaged".to_owned();
                let mend = "stop the host, keep the file, and restore the last backup: `relata restore FILE --force`";
                found.push(Finding::new("damaged", Severity::Error, what, mend).with(&faults));
            }
        }
        Ok(())
    }

    /// Whether some program runs the data directory now.
    fn is_served(&self) -> bool {
        let file = fs::File::options().write(true).open(self.directory().lock());
        file.is_ok_and(|file| file.try_lock().is_err())
    }
}

fn look_at_the_disk(root: &Path, found: &mut Vec<Finding>) {
    let Ok(free) = fs4::available_space(root) else { return };
    let severity = match free {
        ..NO_ROOM => Severity::Error,
        NO_ROOM..LITTLE_ROOM => Severity::Warning,
        LITTLE_ROOM.. => return,
    };
    let what = format!("the disk of {} has {} MiB left", root.display(), free >> 20);
    let mend = "make room, or set [retention] in relata.toml: `relata cleanup --dry-run` says what that frees";
    found.push(Finding::new("little-room", severity, what, mend));
}

fn newest() -> RunSearch {
    let filter = RunFilter { newest_first: true, ..RunFilter::default() };
    RunSearch { filter, ..RunSearch::default() }
}

fn earlier(now: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millisecond(now.as_millisecond().saturating_sub(millis))
        .unwrap_or(Timestamp::MIN)
}

fn many(count: u64, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{s}")
}

fn at_least<T>(some: &[T], noun: &str) -> String {
    let count = many(some.len() as u64, noun);
    if some.len() < NAMED as usize { count } else { format!("at least {count}") }
}

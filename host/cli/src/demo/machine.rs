//! The host under test: this very program as a child process that moves the
//! clock, and is killed at its work.

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::{Duration, SystemTime},
};

use anyhow::{Context, bail};
use relata_app::{App, model::Timestamp};
use tokio::process::{Child, Command};

/// How often a child's work is looked at while it is to be killed.
const GLANCE: Duration = Duration::from_millis(1);

/// A kill that met a living host at its work.
#[derive(Debug, Clone)]
pub(super) struct Kill {
    /// What the clock showed then.
    pub(super) at: Timestamp,
    /// Where the clock was to go.
    pub(super) to: Timestamp,
    /// Events that nobody had looked at yet.
    pub(super) events: usize,
    /// Runs that were due, or in the dead host's hands.
    pub(super) runs: usize,
    /// Effects that were due, or on their way.
    pub(super) effects: usize,
}

/// Runs the host of a data directory.
#[derive(Debug)]
pub(super) struct Machine {
    program: PathBuf,
    root: PathBuf,
    kills: Vec<Kill>,
}

impl Machine {
    pub(super) fn new(root: &Path) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        Ok(Self { program, root: root.to_owned(), kills: Vec::new() })
    }

    /// The kills so far.
    pub(super) fn kills(&self) -> &[Kill] {
        &self.kills
    }

    /// Lets the host work until the clock shows `to`.
    pub(super) async fn run_to(&self, to: Timestamp) -> anyhow::Result<()> {
        let ended = self.start(to)?.wait_with_output().await.context("the host got lost")?;
        check(&ended, to)
    }

    /// The same, but kills the host once for each of `commits`, when the
    /// database has changed so often since its start; and starts it again.
    /// A host that is ready before that was too quick, and is no kill.
    pub(super) async fn run_to_despite(
        &mut self,
        to: Timestamp,
        commits: &[u32],
    ) -> anyhow::Result<()> {
        for commits in commits {
            let mut host = self.start(to)?;
            let mut log = Log::of(&self.root);
            let mut seen = 0;
            let ended = loop {
                if let Some(status) = host.try_wait().context("the host got lost")? {
                    break Some(status);
                }
                seen += u32::from(log.has_grown());
                if seen >= *commits {
                    break None;
                }
                tokio::time::sleep(GLANCE).await;
            };
            if ended.is_none() {
                // SIGKILL: no handler runs, nothing is tidied up.
                host.start_kill().context("the host cannot be killed")?;
            }
            let ended = host.wait_with_output().await.context("the host got lost")?;
            if ended.status.code().is_some() {
                // It came to its end by itself, perhaps in the last moment.
                check(&ended, to)?;
                return Ok(());
            }
            if let Some(kill) = self.look(to).await? {
                self.kills.push(kill);
            }
        }
        self.run_to(to).await
    }

    fn start(&self, to: Timestamp) -> anyhow::Result<Child> {
        Command::new(&self.program)
            .args(["clock", "to", &to.to_string(), "--data"])
            .arg(&self.root)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Nothing of ours may go on when the demonstration is broken off.
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))
    }

    /// What a dead host left undone; nothing where it had just finished.
    async fn look(&self, to: Timestamp) -> anyhow::Result<Option<Kill>> {
        let app = App::open(&self.root).await?;
        let now = app.now();
        let undone = super::reading::undone(&app, to).await?;
        app.close().await;
        let at_work = now < to || undone.events + undone.runs + undone.effects > 0;
        Ok(at_work.then_some(undone))
    }
}

fn check(ended: &Output, to: Timestamp) -> anyhow::Result<()> {
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    bail!("the host did not come to {to} ({}): {}", ended.status, said.trim());
}

/// The database's write-ahead log, seen from outside: it changes with every
/// commit.
struct Log {
    path: PathBuf,
    last: Option<(u64, SystemTime)>,
}

impl Log {
    fn of(root: &Path) -> Self {
        let mut log = Self { path: root.join("relata.db-wal"), last: None };
        log.has_grown();
        log
    }

    /// Whether it is another than at the last look.
    fn has_grown(&mut self) -> bool {
        let found = std::fs::metadata(&self.path)
            .and_then(|found| Ok((found.len(), found.modified()?)))
            .ok();
        let grown = found != self.last;
        self.last = found;
        grown
    }
}

//! The program under measurement, seen from outside.

use std::{path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context, bail};
use serde_json::Value as Json;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// How long a start, and a stop, may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How `relata` is called.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) database_url: Option<String>,
}

impl Program {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(["--json", "--data"]).arg(&self.data);
        if let Some(url) = &self.database_url {
            command.args(["--database-url", url]);
        }
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs a command to its end; what it prints is JSON.
    pub(crate) async fn run(&self, arguments: &[&str]) -> anyhow::Result<Json> {
        let line = arguments.join(" ");
        let ended = self.command(arguments).output().await;
        let ended = ended.with_context(|| format!("cannot start {}", self.path.display()))?;
        if !ended.status.success() {
            let stderr = String::from_utf8_lossy(&ended.stderr);
            bail!("`relata {line}` failed ({}): {stderr}", ended.status);
        }
        serde_json::from_slice(&ended.stdout)
            .with_context(|| format!("`relata {line}` printed no JSON"))
    }

    /// Starts a command that goes on, and whose first line says its address.
    pub(crate) async fn start(&self, arguments: &[&str]) -> anyhow::Result<Served> {
        let line = arguments.join(" ");
        let mut child = self
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .env("RELATA_LOG", "warn")
            .spawn()
            .with_context(|| format!("cannot start {}", self.path.display()))?;
        let stdout = child.stdout.take().context("no stdout")?;
        let mut lines = BufReader::new(stdout).lines();
        let first = timeout(PATIENCE, lines.next_line())
            .await
            .with_context(|| format!("`relata {line}` did not begin"))??
            .with_context(|| format!("`relata {line}` ended at once"))?;
        let said: Json = serde_json::from_str(&first).with_context(|| first.clone())?;
        let address = said["address"].as_str().context("no address")?.to_owned();
        let process = child.id().context("it has ended")?;
        Ok(Served { child, address, process, _stdout: lines })
    }
}

/// A program that answers HTTP.
pub(crate) struct Served {
    child: Child,
    pub(crate) address: String,
    process: u32,
    /// Held open: a program whose reader is gone may end.
    _stdout: tokio::io::Lines<BufReader<ChildStdout>>,
}

impl Served {
    /// Asks it to stop, and waits until it has.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let asked = Command::new("kill")
            .args(["-TERM", &self.process.to_string()])
            .status()
            .await
            .context("cannot send a signal")?;
        if !asked.success() {
            bail!("the program has ended before it was asked to");
        }
        let ended = timeout(PATIENCE, self.child.wait()).await.context("it does not stop")??;
        if !ended.success() {
            bail!("the program ended with {ended}");
        }
        Ok(())
    }

    /// The memory that it has in RAM, MiB.
    pub(crate) fn rss_mib(&self) -> anyhow::Result<f64> {
        let file = format!("/proc/{}/status", self.process);
        let status = std::fs::read_to_string(&file).with_context(|| file.clone())?;
        let kib: f64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok())
            .with_context(|| format!("no VmRSS in {file}"))?;
        Ok(kib / 1_024.0)
    }

    /// The time that it has had on the processors, seconds.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let file = format!("/proc/{}/stat", self.process);
        let stat = std::fs::read_to_string(&file).with_context(|| file.clone())?;
        // The name, in parentheses, may hold spaces.
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok());
        let (user, system) = ticks(11).zip(ticks(12)).with_context(|| format!("{file}: {stat}"))?;
        // The kernel counts for user space in hundredths on every machine.
        Ok((user + system) / 100.0)
    }
}

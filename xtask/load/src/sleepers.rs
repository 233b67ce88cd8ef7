//! Runs that sleep: what they cost while nothing happens, and how late they
//! wake.

use std::{
    path::Path,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, ensure};

use crate::company::Company;

/// How long a host is left alone before it is looked at.
const REST: Duration = Duration::from_secs(1);

/// How long those that are to wake may take beyond their time.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Sleepers {
    pub(crate) count: u64,
    /// By how much the host's memory is more than without them.
    pub(crate) rss_mib: f64,
    /// On the disk; none where they lie on a server.
    pub(crate) bytes_each: Option<f64>,
    /// The host's share of one core while they sleep.
    pub(crate) idle_cpu_percent: f64,
    /// How late all but a hundredth of those wake that are due.
    pub(crate) wake_p99_ms: f64,
}

pub(crate) async fn measure(
    company: &Company,
    count: u64,
    quick: bool,
) -> anyhow::Result<Sleepers> {
    let wakers: u64 = if quick { 200 } else { 2_000 };
    let look = Duration::from_secs(if quick { 3 } else { 10 });
    let program = &company.program;
    let served = company.serve().await?;
    tokio::time::sleep(REST).await;
    let without = served.rss_mib()?;
    served.stop().await?;

    let before = size(&program.data)?;
    program.run(&["bench", "sleepers", "--count", &count.to_string()]).await?;
    let grown = size(&program.data)?.saturating_sub(before);

    let served = company.serve().await?;
    tokio::time::sleep(REST).await;
    let rss_mib = (served.rss_mib()? - without).max(0.0);
    let (cpu, began) = (served.cpu_seconds()?, Instant::now());
    tokio::time::sleep(look).await;
    let busy = served.cpu_seconds()? - cpu;
    let idle_cpu_percent = busy / began.elapsed().as_secs_f64() * 100.0;

    // A few that are due soon, beside those that sleep on.
    let soon = now_ms()? + 2_000;
    let line = ["bench", "sleepers", "--count", &wakers.to_string(), "--due", &soon.to_string()];
    let put = program.run(&line).await?;
    let last = put["last_due_ms"].as_u64().context("no last time")?;
    let wake_p99_ms = lateness(company, wakers, last).await?;
    served.stop().await?;
    let on_disk = program.database_url.is_none();
    let bytes_each = on_disk.then(|| grown as f64 / count.max(1) as f64);
    Ok(Sleepers { count, rss_mib, bytes_each, idle_cpu_percent, wake_p99_ms })
}

/// How late all but a hundredth woke, milliseconds, once all have.
async fn lateness(company: &Company, wakers: u64, last_due_ms: u64) -> anyhow::Result<f64> {
    let wait = Duration::from_millis(last_due_ms.saturating_sub(now_ms()?));
    tokio::time::sleep(wait + Duration::from_millis(300)).await;
    let give_up = Instant::now() + PATIENCE;
    loop {
        let told = company.program.run(&["bench", "sleepers"]).await?;
        let woken = told["woken"].as_u64().context("no count")?;
        if woken == wakers {
            let earliest = told["earliest_ms"].as_f64().context("no earliest")?;
            ensure!(earliest >= 0.0, "a run woke {} ms early", -earliest);
            return told["p99_ms"].as_f64().context("no p99");
        }
        ensure!(Instant::now() < give_up, "{woken} of {wakers} woke");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// The database's files, bytes.
fn size(data: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(data)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("relata.db") {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}

pub(crate) fn now_ms() -> anyhow::Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?)
}

//! Runs that all fall due within a second: how long it takes until the last
//! one has woken, and how long a new event waits meanwhile.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::{
    company::{Company, PATH, body, is_done},
    http::{Connection, request},
    report::line,
    sleepers::now_ms,
};

/// From one new event to the next.
const APART: Duration = Duration::from_millis(50);

/// From one look whether all have woken to the next.
const LOOK: Duration = Duration::from_millis(500);

/// How long all of them may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Puts so many to sleep, all due within one second, and lets new events come
/// in from then until all have woken.
pub(crate) async fn measure(company: &Company, count: u64) -> anyhow::Result<String> {
    let served = company.serve().await?;
    let records = company.records(&served).await?;
    // Until then they are written.
    let due = now_ms()? + 10_000 + count / 2;
    let apart = 1_000_000 / count.max(1);
    let (count_text, due_text, apart_text) =
        (count.to_string(), due.to_string(), apart.to_string());
    let put = [
        "bench",
        "sleepers",
        "--count",
        &count_text,
        "--due",
        &due_text,
        "--apart-us",
        &apart_text,
    ];
    company.program.run(&put).await?;
    let now = now_ms()?;
    ensure!(now < due, "writing {count} runs took longer than was thought");
    tokio::time::sleep(Duration::from_millis(due - now)).await;

    let began = Instant::now();
    let mut events = Connection::open(&served.address).await?;
    let mut looks = Connection::open(&served.address).await?;
    let path = "/v1/runs?workflow=bench-sleeper&status=active&limit=1";
    let look = request("GET", path, &company.secret, "");
    let (mut waited, mut looked) = (Vec::new(), Instant::now());
    for record in records.iter().cycle() {
        let sent = Instant::now();
        let answer = events.send(&request("POST", PATH, &company.secret, &body(record))).await?;
        ensure!(is_done(&answer.body), "a new event: {}", String::from_utf8_lossy(&answer.body));
        waited.push(sent.elapsed());
        if looked.elapsed() > LOOK {
            looked = Instant::now();
            let answer = looks.send(&look).await?;
            let runs: serde_json::Value = serde_json::from_slice(&answer.body)?;
            if runs["runs"].as_array().context("no runs")?.is_empty() {
                break;
            }
            if began.elapsed() > PATIENCE {
                bail!("some still sleep after {} s", PATIENCE.as_secs());
            }
        }
        tokio::time::sleep(APART.saturating_sub(sent.elapsed())).await;
    }
    served.stop().await?;

    let told = company.program.run(&["bench", "sleepers"]).await?;
    let figure = |name: &str| told[name].as_f64().with_context(|| format!("no {name}"));
    ensure!(told["woken"].as_u64() == Some(count), "of {count} woke {}", told["woken"]);
    ensure!(figure("earliest_ms")? >= 0.0, "one woke {} ms early", -figure("earliest_ms")?);
    waited.sort_unstable();
    let ms = |waited: Option<&Duration>| waited.map_or(0.0, Duration::as_secs_f64) * 1_000.0;
    Ok(line("runs due within a second", count as f64, "runs")
        + &line("  the last one woke late by", figure("latest_ms")? / 1_000.0, "s")
        + &line(
            "  half of the new events meanwhile within",
            ms(waited.get(waited.len() / 2)),
            "ms",
        )
        + &line("  all of the new events meanwhile within", ms(waited.last()), "ms"))
}

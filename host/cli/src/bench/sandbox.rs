//! A step's sandbox (limits, permissions, schemas, accounting) against bare
//! wasmtime: instantiate, call and drop of the same component.

use std::path::Path;

use relata_app::{App, sandbox::Floor};
use serde_json::json;

use super::{Figure, Report, Stopwatch, median_us};

const ACTION: &str = "sentiment.score";

/// `compiled` is the cache of a data directory whose plugins were compiled
/// before: to compile them takes longer than to measure.
pub(super) async fn run(quick: bool, compiled: Option<&Path>) -> anyhow::Result<Report> {
    let calls = if quick { 300 } else { 10_000 };
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("data");
    let app = App::create(&root, None).await?;
    #[cfg(unix)]
    if let Some(compiled) = compiled {
        std::os::unix::fs::symlink(compiled.canonicalize()?, root.join("cache"))?;
    }
    let input = json!({ "text": "Nobody has answered for three days, I am very unhappy." });
    let text = input.to_string();
    let component = relata_app::bundled::plugins()
        .iter()
        .find(|plugin| plugin.name == "sentiment")
        .ok_or_else(|| anyhow::anyhow!("the plugin sentiment is not built in"))?
        .component;
    let floor = Floor::new(component).map_err(|why| anyhow::anyhow!(why))?;
    let (mut bare, mut boxed) = (Vec::with_capacity(calls), Vec::with_capacity(calls));
    let mut before = None;
    // One of each in turn, so that both meet the same noise.
    for call in 0..calls + calls / 10 {
        if call == calls / 10 {
            before = resident_mib();
        }
        let watch = Stopwatch::start();
        floor.call("score", &text).await.map_err(|why| anyhow::anyhow!(why))?;
        let bare_span = watch.elapsed();
        let watch = Stopwatch::start();
        app.try_action(ACTION, &input).await?;
        let boxed_span = watch.elapsed();
        // The first tenth warms up.
        if call >= calls / 10 {
            bare.push(bare_span);
            boxed.push(boxed_span);
        }
    }
    let after = resident_mib();
    app.close().await;
    let (bare, boxed) = (median_us(bare), median_us(boxed));
    let ratio = boxed / bare;
    let mut figures = vec![
        Figure { name: "bare wasmtime: instantiate + call + drop", value: bare, unit: "us" },
        Figure { name: "the sandbox, with limits and checks", value: boxed, unit: "us" },
        Figure { name: "ratio", value: ratio, unit: "x" },
    ];
    if let (Some(before), Some(after)) = (before, after) {
        figures.push(Figure { name: "memory before the calls", value: before, unit: "MiB" });
        figures.push(Figure { name: "memory after them", value: after, unit: "MiB" });
    }
    Ok(Report {
        title: "A step's sandbox against bare wasmtime (median, same component, alternating calls)",
        figures,
        json: json!({
            "bench": "sandbox", "action": ACTION, "calls": calls, "floor_us": bare,
            "sandbox_us": boxed, "ratio": ratio, "before_mib": before, "after_mib": after,
        }),
    })
}

/// How much memory this process has, where the system tells.
fn resident_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

//! Runs of three steps (a condition, two Wasm steps that write a record) a
//! second, from the event to the end of the run, everything durable.

use futures::future::join_all;
use relata_app::{
    App,
    model::Value,
    store::{RunFilter, RunStatus},
};
use serde_json::json;

use super::{Figure, Report, Stopwatch};

const WORKFLOW: &str = "\
workflow: bench
title: Three steps
when:
  - created: task
steps:
  - if: task.title contains \"customer\"
    then:
      - do: crm.update
        record: =task
        set: { tags: [seen] }
      - do: crm.update
        record: =task
        set: { status: done }
";

pub(super) async fn run(quick: bool) -> anyhow::Result<Report> {
    let runs: usize = if quick { 200 } else { 2_000 };
    let folder = tempfile::tempdir()?;
    let app = App::create(&folder.path().join("data"), None).await?;
    app.activate("bench.yaml", WORKFLOW, "bench", relata_app::Running::Finish).await?;
    app.plugins().await?;
    let records = |count: usize| {
        join_all((0..count).map(|number| {
            let title = Value::Text(format!("Call customer {number}"));
            app.create_record("task", [("title".to_owned(), title)].into(), "bench")
        }))
    };
    // Warm up, then measure the latency of one run at a time.
    records(20).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    app.settle_all().await?;
    let mut alone = Vec::new();
    for _ in 0..if quick { 20 } else { 200 } {
        let watch = Stopwatch::start();
        records(1).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        app.settle_all().await?;
        alone.push(watch.elapsed());
    }
    let before = ended(&app).await?;
    let watch = Stopwatch::start();
    records(runs).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    app.settle_all().await?;
    let elapsed = watch.elapsed().as_secs_f64();
    let done = ended(&app).await? - before;
    app.close().await;
    anyhow::ensure!(done == runs as u64, "{done} of {runs} runs ended");
    let per_second = runs as f64 / elapsed;
    let latency = super::median_us(alone) / 1_000.0;
    Ok(Report {
        title: "Runs of three steps (a condition, two Wasm steps that write), SQLite, synchronous=FULL",
        figures: vec![
            Figure { name: "runs, all at once", value: per_second, unit: "runs/s" },
            Figure {
                name: "one run alone, from the write to its end",
                value: latency,
                unit: "ms (median)",
            },
        ],
        json: json!({ "bench": "engine", "backend": "sqlite", "runs": runs, "runs_per_s": per_second, "alone_p50_ms": latency }),
    })
}

async fn ended(app: &App) -> anyhow::Result<u64> {
    let filter = RunFilter { status: Some(RunStatus::Done), ..RunFilter::default() };
    Ok(app.store().run_count(&filter).await?)
}

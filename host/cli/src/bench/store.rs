//! Group commit against one commit a run: the same writes, asked for by many
//! at once or one after the other.

use futures::future::join_all;
use relata_app::{App, model::Value};
use serde_json::json;

use super::{Figure, Report, Stopwatch};

/// How many writers ask at once.
const TOGETHER: usize = 256;

pub(super) async fn run(quick: bool) -> anyhow::Result<Report> {
    let (alone, together) = if quick { (200, 2_000) } else { (1_000, 20_000) };
    let folder = tempfile::tempdir()?;
    let app = App::create(&folder.path().join("data"), None).await?;
    let task = |number: usize| {
        let title = Value::Text(format!("Call customer {number}"));
        app.create_record("task", [("title".to_owned(), title)].into(), "bench")
    };
    for number in 0..50 {
        task(number).await?;
    }
    let watch = Stopwatch::start();
    for number in 0..alone {
        task(number).await?;
    }
    let single = alone as f64 / watch.elapsed().as_secs_f64();
    let watch = Stopwatch::start();
    for batch in 0..together / TOGETHER {
        for written in join_all((0..TOGETHER).map(|number| task(batch * TOGETHER + number))).await {
            written?;
        }
    }
    let grouped = (together / TOGETHER * TOGETHER) as f64 / watch.elapsed().as_secs_f64();
    // The rows of a run of three steps, and nothing around them.
    let batches = if quick { 20 } else { 200 };
    for _ in 0..3 {
        app.store().floor_runs(TOGETHER).await?;
    }
    let watch = Stopwatch::start();
    for _ in 0..batches {
        app.store().floor_runs(TOGETHER).await?;
    }
    let run_rows = (batches * TOGETHER) as f64 / watch.elapsed().as_secs_f64();
    app.close().await;
    let ratio = grouped / single;
    Ok(Report {
        title: "Durable record writes (a record and its event), SQLite, synchronous=FULL",
        figures: vec![
            Figure { name: "one commit each", value: single, unit: "writes/s" },
            Figure { name: "group commit, 256 at once", value: grouped, unit: "writes/s" },
            Figure { name: "ratio", value: ratio, unit: "x" },
            Figure {
                name: "the rows of a three-step run, 256 a commit",
                value: run_rows,
                unit: "runs/s",
            },
        ],
        json: json!({ "bench": "store", "backend": "sqlite", "single_per_s": single, "grouped_per_s": grouped, "together": TOGETHER, "ratio": ratio, "run_rows_per_s": run_rows }),
    })
}

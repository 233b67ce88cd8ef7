//! `relata bench`: what things cost, as ratios measured in one run against a
//! floor. These machines are noisy: take the ratios, not the absolutes.

mod backtest;
mod engine;
mod sandbox;
mod store;

use std::{process::ExitCode, time::Duration};

use clap::{Args, ValueEnum};
use serde_json::Value as Json;

use crate::{context::Context, failure::Wrong, out};

/// Measure what things cost
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// What to measure
    what: Bench,
    /// A shorter measurement, for a look
    #[arg(long)]
    quick: bool,
    /// Of a backtest: live through the month before, and hold the counts
    /// against what the live run counted
    #[arg(long)]
    live: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Bench {
    /// A step's sandbox against bare wasmtime on the same component
    Sandbox,
    /// Group commit against one commit a run
    Store,
    /// Runs of three steps a second, end to end
    Engine,
    /// A month of 100,000 events over drafts
    Backtest,
}

/// One line of a report: what, how much, and in which unit.
struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
}

/// A report: its lines for people, and one object for programs.
struct Report {
    title: &'static str,
    figures: Vec<Figure>,
    json: Json,
}

pub(crate) async fn run(context: &Context, args: BenchArgs) -> anyhow::Result<ExitCode> {
    if args.live && !matches!(args.what, Bench::Backtest) {
        return Err(Wrong::new("`--live` is for `bench backtest`").into());
    }
    let report = match args.what {
        Bench::Sandbox => sandbox::run(args.quick).await?,
        Bench::Store => store::run(args.quick).await?,
        Bench::Engine => engine::run(args.quick).await?,
        Bench::Backtest => Box::pin(backtest::run(args.quick, args.live)).await?,
    };
    if context.json {
        out::json(&report.json)?;
    } else {
        out::line(report.title)?;
        for Figure { name, value, unit } in report.figures {
            out::line(format!("  {name:<44} {value:>12.2} {unit}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A stopwatch: measuring is what this module is for.
struct Stopwatch(std::time::Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    fn start() -> Self {
        Self(std::time::Instant::now())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The middle of several measurements, in microseconds.
fn median_us(mut spans: Vec<Duration>) -> f64 {
    spans.sort_unstable();
    spans.get(spans.len() / 2).map_or(0.0, |span| span.as_secs_f64() * 1e6)
}

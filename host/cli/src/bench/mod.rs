//! `relata bench`: what things cost, as ratios measured in one run against a
//! floor. These machines are noisy: take the ratios, not the absolutes.

mod backtest;
mod engine;
mod sandbox;
mod sleepers;
mod store;

use std::{process::ExitCode, time::Duration};

use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;

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
    /// For `sleepers`: so many are put in
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// For `sleepers`: they wake from this time on, milliseconds since 1970
    #[arg(long, value_name = "MS")]
    due: Option<i64>,
    /// For `sleepers`: they wake so many microseconds apart
    #[arg(long, value_name = "US", default_value_t = 10_000)]
    apart_us: i64,
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
    /// Put sleeping runs into the data directory, or, without --count, tell how late they woke
    Sleepers,
    /// Answer HTTP with nothing behind it, until stopped
    Echo,
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
        Bench::Sleepers => {
            let told = match args.count {
                Some(count) => {
                    Box::pin(sleepers::put(context, count, args.due, args.apart_us)).await?
                }
                None => sleepers::woken(context).await?,
            };
            out::json(&told)?;
            return Ok(ExitCode::SUCCESS);
        }
        Bench::Echo => {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            out::json_line(&json!({ "address": listener.local_addr()?.to_string() }))?;
            relata_server::echo(listener, crate::commands::serve::stopped()?).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Bench::Sandbox => {
            let compiled = context.data.as_ref().map(|data| data.join("cache"));
            let compiled = compiled.filter(|compiled| compiled.is_dir());
            sandbox::run(args.quick, compiled.as_deref()).await?
        }
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

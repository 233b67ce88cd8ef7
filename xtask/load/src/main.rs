//! The load generator of `cargo xtask bench engine` and `bench console`. It shares
//! no code with the host: it starts the program `relata`, speaks HTTP to it over sockets of
//! its own, and looks at it from outside, as any other program could.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a measuring tool: it prints what it measured, and reads the machine's clock"
)]

mod company;
mod console;
mod drive;
mod floors;
mod herd;
mod host;
mod http;
mod report;
mod sleepers;
mod soak;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Parser, ValueEnum};

use crate::{company::Company, drive::drive, report::Report};

/// How many connections drive at a time.
const CONNECTIONS: [usize; 4] = [1, 16, 64, 256];

/// Starts `relata serve` on fresh data directories, and measures it over HTTP.
#[derive(Debug, Parser)]
enum Arguments {
    /// Runs: drives them, and measures the floors under them in the same minutes.
    Engine(EngineArguments),
    /// Pages of the console with many records, against the same pages with a
    /// tenth of them.
    Console(ConsoleArguments),
}

#[derive(Debug, Args)]
struct ConsoleArguments {
    /// The program to measure.
    #[arg(long, value_name = "PROGRAM")]
    relata: PathBuf,
    /// What keeps the records.
    #[arg(long, default_value = "sqlite")]
    backend: Backend,
    /// Two empty PostgreSQL databases, for `--backend postgres`: of the company
    /// with fewer records, and of the one with more.
    #[arg(long, value_name = "URL", num_args = 2, required_if_eq("backend", "postgres"))]
    database_url: Vec<String>,
    /// Fewer records, for a look: within 60 s.
    #[arg(long)]
    quick: bool,
    /// The last line is one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct EngineArguments {
    /// The program to measure.
    #[arg(long, value_name = "PROGRAM")]
    relata: PathBuf,
    /// What keeps the records.
    #[arg(long, default_value = "sqlite")]
    backend: Backend,
    /// Of an empty PostgreSQL database, for `--backend postgres`.
    #[arg(long, value_name = "URL", required_if_eq("backend", "postgres"))]
    database_url: Option<String>,
    /// A shorter measurement, for a look: within 50 s.
    #[arg(long)]
    quick: bool,
    /// The last line is one JSON object.
    #[arg(long)]
    json: bool,
    /// How many runs sleep; 1,000,000, or 20,000 with `--quick`.
    #[arg(long, value_name = "N")]
    sleepers: Option<u64>,
    /// For how many seconds each number of connections drives; 15, or 3 with
    /// `--quick`.
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
    /// Drives this number of connections only, and tells nothing else: to look
    /// at the host with a profiler meanwhile.
    #[arg(long, value_name = "N", conflicts_with_all = ["json", "sleepers"])]
    only: Option<usize>,
    /// Lets so many runs fall due within one second, and tells how long it
    /// takes until all have woken, and how long new events wait meanwhile.
    #[arg(long, value_name = "N", conflicts_with_all = ["json", "sleepers", "only", "quick"])]
    herd: Option<u64>,
    /// Drives half of what the host can bear for so many minutes, and tells what
    /// its memory and its answers were like in each.
    #[arg(
        long,
        value_name = "MINUTES",
        value_parser = clap::value_parser!(u32).range(1..),
        conflicts_with_all = ["json", "sleepers", "only", "quick", "herd", "seconds"]
    )]
    soak: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // One thread is enough for what it drives, and wakes no other.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let measured = runtime
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(async { Box::pin(run(&arguments)).await }));
    match measured {
        Ok(told) => {
            print!("{told}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("relata-load: {why:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<String> {
    match arguments {
        Arguments::Engine(arguments) => measure(arguments).await,
        Arguments::Console(arguments) => {
            console::measure(&console::Plan {
                relata: &arguments.relata,
                database_urls: match arguments.backend {
                    Backend::Sqlite => &[],
                    Backend::Postgres => &arguments.database_url,
                },
                quick: arguments.quick,
                json: arguments.json,
            })
            .await
        }
    }
}

/// Measures the engine, and says what came of it.
async fn measure(arguments: &EngineArguments) -> anyhow::Result<String> {
    let quick = arguments.quick;
    let seconds = arguments.seconds.unwrap_or(if quick { 3 } else { 15 });
    let span = Duration::from_secs(seconds);
    let count = arguments.sleepers.unwrap_or(if quick { 20_000 } else { 1_000_000 });
    let company = Company::make(&arguments.relata, arguments.database_url.as_deref()).await?;

    if let Some(count) = arguments.herd {
        return herd::measure(&company, count).await;
    }
    if let Some(minutes) = arguments.soak {
        return soak::measure(&company, minutes).await;
    }
    if let Some(connections) = arguments.only {
        let served = company.serve().await?;
        let records = company.records(&served).await?;
        let driven = drive(&served, &company.secret, &records, connections, span).await?;
        served.stop().await?;
        return Ok(driven.told(connections));
    }
    eprintln!("cold start …");
    let start = company.cold_start().await?;
    eprintln!("floors …");
    let before = floors::measure(&company, quick).await?;
    let served = company.serve().await?;
    let records = company.records(&served).await?;
    let mut http = Vec::new();
    // What is read from the disk the first time is not what is measured.
    drive(&served, &company.secret, &records, 16, Duration::from_millis(500)).await?;
    for connections in CONNECTIONS {
        eprintln!("{connections} connections for {seconds} s …");
        let driven = drive(&served, &company.secret, &records, connections, span).await?;
        http.push((connections, driven));
    }
    served.stop().await?;

    eprintln!("floors once more …");
    let floor = before.between(floors::measure(&company, quick).await?);
    eprintln!("{count} sleepers …");
    let sleepers = sleepers::measure(&company, count, quick).await?;
    let report = Report {
        backend: arguments.backend.name(),
        http,
        floor,
        sleepers,
        start_ms: start.milliseconds,
        rss_mib: start.rss_mib,
    };
    let json = if arguments.json { format!("{}\n", report.json()) } else { String::new() };
    Ok(report.told() + &json)
}

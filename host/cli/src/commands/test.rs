//! `relata test`

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use relata_app::testing::{CaseReport, Ground, Tests};
use serde_json::json;

use crate::{
    commands::check,
    context::Context,
    failure::WRONG,
    out, progress,
    sources::{self, Sources},
};

/// Play the tests of workflows: files NAME.test.yaml beside the workflows.
///
/// Each case runs on a company of its own, with the real engine and the real
/// plugins, under a clock that the test moves. Nothing leaves the machine.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata test                               the data directory's workflows, or ./workflows
  relata test workflows/win-back.yaml
  relata test --filter holidays             only cases with this in their name

Exit code 1: a case does not hold, or a file has errors.")]
pub(crate) struct TestArgs {
    /// Test files, workflows that have some, or folders
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only cases whose name, workflow or file contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

pub(crate) async fn run(context: &Context, args: TestArgs) -> anyhow::Result<ExitCode> {
    let data = check::data_directory(context, &args.paths);
    let paths =
        if args.paths.is_empty() { vec![check::usual(data.as_deref())?] } else { args.paths };
    let sources = sources::read_tests(&paths)?;
    let ground = match data {
        Some(root) => Ground::Company(root),
        None => Ground::Shipped { templates: check::templates(&paths[0]) },
    };
    let waiting = progress::spinner("loading the actions");
    let tests = Tests::load(&sources, &ground).await;
    waiting.finish_and_clear();
    let tests = tests?;
    let errors = tests.diagnostics().iter().filter(|found| found.is_error()).count();
    let filter = args.filter.as_deref();
    let bar = progress::bar("cases");
    bar.set_length(u64::try_from(tests.count(filter)).unwrap_or(u64::MAX));
    let reports = {
        let bar = bar.clone();
        tests.run(filter, move |_| bar.inc(1)).await
    };
    bar.finish_and_clear();
    let broken = reports.iter().filter(|report| !report.holds()).count();
    if context.json {
        out::json(&json!({
            "cases": reports.len(),
            "failed": broken,
            "diagnostics": tests.diagnostics(),
            "reports": reports,
        }))?;
    } else {
        print(&sources, &tests, &reports)?;
        out::line(summary(&reports, errors))?;
    }
    Ok(if broken > 0 || errors > 0 { ExitCode::from(WRONG) } else { ExitCode::SUCCESS })
}

fn print(sources: &Sources, tests: &Tests, reports: &[CaseReport]) -> anyhow::Result<()> {
    let colors = out::colors();
    out::text(&sources::rendered(sources, tests.diagnostics(), colors))?;
    let mut file = "";
    for report in reports {
        if report.file != file {
            file = &report.file;
            out::line(out::clean(file))?;
        }
        out::line(verdict(report, colors))?;
    }
    for report in reports.iter().filter(|report| !report.holds()) {
        out::line(format!("\n{}", out::clean(&name(report))))?;
        let failures: Vec<_> = report.failures.iter().map(|failure| failure.diagnostic()).collect();
        out::text(&sources::rendered(sources, &failures, colors))?;
        if !report.trace.is_empty() {
            out::line("what happened:")?;
            for line in report.trace.iter().flat_map(|line| line.split('\n')) {
                out::line(format!("  {}", out::clean(line)))?;
            }
        }
    }
    if !reports.is_empty() {
        out::line("")?;
    }
    Ok(())
}

fn verdict(report: &CaseReport, colors: bool) -> String {
    let (word, color) = if report.holds() { ("ok", "32") } else { ("FAILED", "1;31") };
    let word = format!("{word:<6}");
    let word = if colors { format!("\x1b[{color}m{word}\x1b[0m") } else { word };
    format!("  {word}  {}", out::clean(&name(report)))
}

fn name(report: &CaseReport) -> String {
    let mut name = report.it.clone();
    if let Some(at) = &report.at {
        name.push_str(&format!(" (from {at})"));
    }
    if report.crashes {
        name.push_str(", with crashes");
    }
    name
}

fn summary(reports: &[CaseReport], errors: usize) -> String {
    let broken = reports.iter().filter(|report| !report.holds()).count();
    let millis: u64 = reports.iter().map(|report| report.millis).sum();
    let mean = millis / u64::try_from(reports.len().max(1)).unwrap_or(1);
    let mut summary = format!("{}, {broken} failed", out::count(reports.len(), "case"));
    if errors > 0 {
        summary.push_str(&format!(", {} in the files", out::count(errors, "error")));
    }
    if !reports.is_empty() {
        summary.push_str(&format!(" ({mean} ms each)"));
    }
    summary
}

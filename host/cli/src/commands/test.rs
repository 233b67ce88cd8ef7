//! `relata test`

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use relata_app::{
    model::RunId,
    testing::{CaseReport, Coverage, Ground, Mutation, Results, Tests},
};
use serde_json::json;

use crate::{
    commands::check,
    context::Context,
    failure::{WRONG, Wrong},
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
  relata test --coverage                    which rows and branches no case reaches
  relata test --mutate                      which faults in a workflow no case would notice
  relata test --from-run run_01k9…          a test of what this run really did

Exit code 1: a case does not hold, a file has errors, or a fault goes unnoticed.")]
pub(crate) struct TestArgs {
    /// Test files, workflows that have some, or folders
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only cases whose name, workflow or file contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Tell which ways of the workflows no case went
    #[arg(long)]
    coverage: bool,
    /// Make faults in the workflows, one at a time, and tell which of them no
    /// case notices
    #[arg(long, conflicts_with = "coverage")]
    mutate: bool,
    /// Print a test of what a run of the data directory really did
    #[arg(long, value_name = "RUN", conflicts_with_all = ["paths", "filter", "coverage", "mutate"])]
    from_run: Option<RunId>,
}

pub(crate) async fn run(context: &Context, args: TestArgs) -> anyhow::Result<ExitCode> {
    if let Some(run) = args.from_run {
        return from_run(context, run).await;
    }
    let data = check::data_directory(context, &args.paths);
    let paths =
        if args.paths.is_empty() { vec![check::usual(data.as_deref())?] } else { args.paths };
    let sources = sources::read_tests(&paths)?;
    let ground = match data {
        Some(root) => Ground::Company { root, database: context.database.clone() },
        None => Ground::Shipped { templates: check::templates(&paths[0]) },
    };
    let waiting = progress::spinner("loading the actions");
    let tests = Tests::load(&sources, &ground).await;
    waiting.finish_and_clear();
    let tests = tests?;
    let filter = args.filter.as_deref();
    if let Some(filter) = filter
        && tests.count(None) > 0
        && tests.count(Some(filter)) == 0
    {
        return Err(Wrong::new(format!(
            "no case has `{}` in its name, its workflow or its file",
            out::clean(filter)
        ))
        .into());
    }
    if args.mutate {
        return mutate(context, &sources, &tests, filter).await;
    }
    let bar = progress::bar("cases");
    bar.set_length(length(tests.count(filter)));
    let results = {
        let bar = bar.clone();
        tests.run(filter, move |_| bar.inc(1)).await
    };
    bar.finish_and_clear();
    let errors = errors(&tests);
    let broken = results.cases.iter().filter(|report| !report.holds()).count();
    if context.json {
        out::json(&json!({
            "cases": results.cases.len(),
            "failed": broken,
            "diagnostics": tests.diagnostics(),
            "reports": results.cases,
            "coverage": results.coverage,
        }))?;
    } else {
        print(&sources, &tests, &results)?;
        if args.coverage {
            results.coverage.iter().try_for_each(print_coverage)?;
        }
        out::line(summary(&results.cases, errors))?;
    }
    Ok(if broken > 0 || errors > 0 { ExitCode::from(WRONG) } else { ExitCode::SUCCESS })
}

async fn from_run(context: &Context, run: RunId) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let test = app.test_of_run(run).await;
    app.close().await;
    let test = test?;
    if context.json {
        out::json(&json!({ "run": run.to_string(), "test": test }))?;
    } else {
        out::text(&test)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn length(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn errors(tests: &Tests) -> usize {
    tests.diagnostics().iter().filter(|found| found.is_error()).count()
}

fn print(sources: &Sources, tests: &Tests, results: &Results) -> anyhow::Result<()> {
    let colors = out::colors();
    out::text(&sources::rendered(sources, tests.diagnostics(), colors))?;
    let mut file = "";
    for report in &results.cases {
        if report.file != file {
            file = &report.file;
            out::line(out::clean(file))?;
        }
        out::line(verdict(report, colors))?;
    }
    for report in results.cases.iter().filter(|report| !report.holds()) {
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
    if !results.cases.is_empty() {
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
    let mean = millis / length(reports.len().max(1));
    let mut summary = format!("{}, {broken} failed", out::count(reports.len(), "case"));
    if errors > 0 {
        summary.push_str(&format!(", {} in the files", out::count(errors, "error")));
    }
    if !reports.is_empty() {
        summary.push_str(&format!(" ({mean} ms each)"));
    }
    summary
}

fn print_coverage(coverage: &Coverage) -> anyhow::Result<()> {
    out::line(format!(
        "{}: {} of {} ways, {}%",
        coverage.workflow,
        coverage.ways - coverage.missed.len(),
        coverage.ways,
        coverage.percent()
    ))?;
    for missed in &coverage.missed {
        let place = place(&coverage.file, missed.line);
        out::line(format!("  {place}  never: {}", out::clean(&missed.what)))?;
    }
    out::line("")
}

/// `workflows/win-back.yaml:12`
fn place(file: &str, line: u32) -> String {
    if line == 0 { out::clean(file) } else { format!("{}:{line}", out::clean(file)) }
}

async fn mutate(
    context: &Context,
    sources: &Sources,
    tests: &Tests,
    filter: Option<&str>,
) -> anyhow::Result<ExitCode> {
    let bar = progress::bar("faults");
    bar.set_length(length(tests.mutant_count(filter)));
    let mutations = {
        let bar = bar.clone();
        tests.mutate(filter, move || bar.inc(1)).await
    };
    bar.finish_and_clear();
    let mutations = mutations?;
    let errors = errors(tests);
    if context.json {
        out::json(&json!({ "diagnostics": tests.diagnostics(), "mutations": mutations }))?;
    } else {
        out::text(&sources::rendered(sources, tests.diagnostics(), out::colors()))?;
        mutations.iter().try_for_each(print_mutation)?;
        let all: usize = mutations.iter().map(|mutation| mutation.mutants).sum();
        let alive: usize = mutations.iter().map(|mutation| mutation.survivors.len()).sum();
        out::line(format!("{}, {}", out::count(all, "fault"), out::count(alive, "survivor")))?;
    }
    let fine = errors == 0
        && mutations
            .iter()
            .all(|mutation| mutation.survivors.is_empty() && mutation.broken.is_empty());
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::from(WRONG) })
}

fn print_mutation(mutation: &Mutation) -> anyhow::Result<()> {
    out::line(format!(
        "{}: {} of {} faults are noticed",
        mutation.workflow,
        mutation.mutants - mutation.survivors.len(),
        mutation.mutants
    ))?;
    for it in &mutation.broken {
        out::line(format!("  does not hold as it is, and proves nothing: {}", out::clean(it)))?;
    }
    for survivor in &mutation.survivors {
        let place = place(&mutation.file, survivor.line);
        out::line(format!("  {place}  no case notices: {}", out::clean(&survivor.what)))?;
    }
    out::line("")
}

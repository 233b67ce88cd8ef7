//! Every check that a change has to pass.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::{cargo, deny, needs, tests};

/// The checks, the quick ones first. The tests come last, so that the output
/// ends with the runner's count.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    /// The sources are formatted.
    Fmt,
    /// Licences, banned crates, sources and known faults of the dependencies.
    Deny,
    /// No warning of the compiler or of clippy.
    Clippy,
    /// Every test: the same as `cargo xtask test`. That the shipped workflows
    /// have no errors is one of them (`tests/tests/check.rs`).
    Test,
}

/// A CI run on two cores should stay below this, from a fresh clone.
const BUDGET: Duration = Duration::from_secs(40 * 60);

struct Outcome {
    name: String,
    took: Duration,
    result: Result<Option<String>>,
}

/// Runs the stages that are not skipped, all of them even after one failed, so
/// that one run tells everything that is wrong.
///
/// # Errors
/// When the set-up fails. A stage that failed shows in the exit code.
pub(crate) fn run(skip: &[Stage]) -> Result<ExitCode> {
    let start = Instant::now();
    needs::ensure(needs::TEST)?;
    let mut outcomes =
        vec![Outcome { name: "setup".into(), took: start.elapsed(), result: Ok(None) }];
    for stage in Stage::value_variants().iter().filter(|stage| !skip.contains(stage)) {
        if *stage == Stage::Test {
            // Before the tests: nothing should follow the runner's closing lines but one.
            report(&outcomes);
        }
        let name =
            stage.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        eprintln!("\n── {name}");
        let began = Instant::now();
        let result = stage.check();
        if let Err(error) = &result {
            eprintln!("{name} failed: {error:#}");
        }
        outcomes.push(Outcome { name, took: began.elapsed(), result });
    }
    if skip.contains(&Stage::Test) {
        report(&outcomes);
    }
    let failed: Vec<&str> = outcomes
        .iter()
        .filter(|outcome| outcome.result.is_err())
        .map(|outcome| outcome.name.as_str())
        .collect();
    let took = start.elapsed();
    if took > BUDGET {
        eprintln!("ci took {}, more than the {} it should", seconds(took), seconds(BUDGET));
    }
    if failed.is_empty() {
        eprintln!("ci: all stages passed in {}", seconds(took));
        Ok(ExitCode::SUCCESS)
    } else {
        eprintln!("ci: failed in {}: {}", seconds(took), failed.join(", "));
        Ok(ExitCode::FAILURE)
    }
}

impl Stage {
    /// The stage's work; what it gives back, if anything, belongs in the report.
    fn check(self) -> Result<Option<String>> {
        match self {
            Stage::Fmt => {
                // Names only: the differences of many files would bury the rest.
                let mut fmt = cargo::command();
                fmt.args(["fmt", "--all", "--check", "--", "-l"]);
                cargo::run(&mut fmt).context("run `cargo fmt --all`").map(|()| None)
            }
            Stage::Deny => deny::check(),
            Stage::Clippy => {
                let mut clippy = cargo::locked(&["clippy", "--workspace", "--all-targets"]);
                cargo::run(clippy.args(["--", "-D", "warnings"])).map(|()| None)
            }
            Stage::Test => tests::all().map(|()| None),
        }
    }
}

fn report(outcomes: &[Outcome]) {
    eprintln!();
    for Outcome { name, took, result } in outcomes {
        let word = if result.is_ok() { "passed" } else { "FAILED" };
        let note = match result {
            Ok(Some(note)) => format!("  {note}"),
            _ => String::new(),
        };
        eprintln!("{name:<10} {word}  {:>8}{note}", seconds(*took));
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

//! `relata plugin test`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::Args;
use relata_app::{
    sandbox::Plugin,
    testing::{
        Failure, Ground,
        plugin::{PluginCaseReport, PluginTests},
    },
    workflow::Diagnostic,
};
use serde_json::{Value as Json, json};

use super::project::{Project, tidy};
use crate::{
    context::Context,
    failure::{WRONG, Wrong},
    out, progress,
    sources::{self, Sources},
};

/// Play the tests of a plugin: files *.test.yaml in its folder tests/.
///
/// Each case calls one action of the built component, in the real sandbox and
/// on a company of its own. Web services are played by the case; nothing leaves
/// the machine. A case that comes off is called again with something gone
/// wrong: each permission denied, each host call failing, the web service
/// silent, the run cancelled, the call repeated. The plugin has to answer with
/// an outcome or an error, and must not panic.
///
/// Objects and records are those of a new data directory; `--data DIR` takes
/// those of a company. Mail templates may lie in the plugin's folder templates/.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata plugin test
  relata plugin test enrich --filter company
  relata plugin test --no-faults              only what the cases say

Exit code 1: a case does not hold, a fault has no orderly answer, or a file has
errors.")]
pub(crate) struct TestArgs {
    /// The plugin's folder, where its plugin.toml is
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Only cases whose name, action or file contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Make no faults
    #[arg(long, overrides_with = "faults")]
    no_faults: bool,
    /// Make faults, as without this
    #[arg(long, hide = true, overrides_with = "no_faults")]
    faults: bool,
}

pub(super) async fn run(context: &Context, args: TestArgs) -> anyhow::Result<ExitCode> {
    let project = Project::open(&args.folder)?;
    project.say_if_stale();
    let plugin = project.load(project.built()?).await?;
    let told = play(context, &project, plugin, args.filter.as_deref(), !args.no_faults).await?;
    if context.json {
        out::json(&told.document())?;
    } else {
        told.print()?;
    }
    Ok(if told.holds() { ExitCode::SUCCESS } else { ExitCode::from(WRONG) })
}

/// What came of a plugin's tests.
pub(super) struct Told {
    plugin: String,
    sources: Sources,
    diagnostics: Vec<Diagnostic>,
    reports: Vec<PluginCaseReport>,
    never_called: Vec<String>,
}

/// Plays the tests of a plugin.
pub(super) async fn play(
    context: &Context,
    project: &Project,
    plugin: Plugin,
    filter: Option<&str>,
    faults: bool,
) -> anyhow::Result<Told> {
    let name = plugin.name().to_owned();
    let sources = sources::read_tests_of(&tidy(&project.folder.join("tests")))?;
    let tests = PluginTests::load(plugin, &sources, &ground(context, &project.folder)).await?;
    let tests = Arc::new(tests);
    if let Some(filter) = filter
        && tests.diagnostics().is_empty()
        && tests.count(Some(filter)) == 0
    {
        return Err(Wrong::new(format!(
            "no case has `{}` in its name, its action or its file",
            out::clean(filter)
        ))
        .into());
    }
    let bar = progress::bar("cases");
    bar.set_length(u64::try_from(tests.count(filter)).unwrap_or(u64::MAX));
    let reports = {
        let bar = bar.clone();
        tests.run(filter, faults, move |_| bar.inc(1)).await
    };
    bar.finish_and_clear();
    let diagnostics = tests.diagnostics().to_vec();
    let complete = filter.is_none() && diagnostics.is_empty();
    let never_called = if complete { tests.never_called() } else { Vec::new() };
    let never_called = never_called.into_iter().map(str::to_owned).collect();
    Ok(Told { plugin: name, sources, diagnostics, reports, never_called })
}

/// On what the cases are played.
fn ground(context: &Context, folder: &Path) -> Ground {
    match &context.data {
        Some(root) => Ground::Company { root: root.clone(), database: context.database.clone() },
        None => Ground::Shipped {
            templates: Some(folder.join("templates")).filter(|templates| templates.is_dir()),
        },
    }
}

impl Told {
    pub(super) fn holds(&self) -> bool {
        self.errors() == 0 && self.reports.iter().all(PluginCaseReport::holds)
    }

    fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|found| found.is_error()).count()
    }

    fn failed(&self) -> usize {
        self.reports.iter().filter(|report| !report.failures.is_empty()).count()
    }

    fn faults(&self) -> usize {
        self.reports.iter().map(|report| report.faults).sum()
    }

    fn broken(&self) -> usize {
        self.reports.iter().map(|report| report.broken.len()).sum()
    }

    /// All of it, for programs.
    pub(super) fn document(&self) -> Json {
        json!({
            "plugin": self.plugin,
            "cases": self.reports.len(),
            "failed": self.failed(),
            "faults": self.faults(),
            "broken": self.broken(),
            "never_called": self.never_called,
            "diagnostics": self.diagnostics,
            "reports": self.reports,
        })
    }

    /// All cases, and why some do not hold.
    pub(super) fn print(&self) -> anyhow::Result<()> {
        let colors = out::colors();
        out::text(&sources::rendered(&self.sources, &self.diagnostics, colors))?;
        let widest = self.reports.iter().map(|report| report.it.chars().count()).max();
        let mut file = "";
        for report in &self.reports {
            if report.file != file {
                file = &report.file;
                out::line(out::clean(file))?;
            }
            out::line(verdict(report, widest.unwrap_or_default(), colors))?;
            for broken in &report.broken {
                let name = format!("{}, {}", report.it, broken.fault);
                out::line(format!("  {}  {}", word(false, colors), out::clean(&name)))?;
            }
        }
        self.print_why(colors)?;
        if !self.reports.is_empty() {
            out::line("")?;
        }
        for action in &self.never_called {
            out::line(format!("no case calls {}.{action}", self.plugin))?;
        }
        out::line(self.summary())
    }

    /// Why cases do not hold.
    fn print_why(&self, colors: bool) -> anyhow::Result<()> {
        for report in &self.reports {
            if !report.failures.is_empty() {
                out::line(format!("\n{}", out::clean(&report.it)))?;
                let failures: Vec<_> = report.failures.iter().map(Failure::diagnostic).collect();
                out::text(&sources::rendered(&self.sources, &failures, colors))?;
                out::line("what happened:")?;
                for line in &report.trace {
                    out::line(format!("  {}", out::clean(line)))?;
                }
            }
            for broken in &report.broken {
                let name = format!("{}, {}", report.it, broken.fault);
                let place = format!("{}:{}", report.file, report.line);
                out::line(format!("\n{}\n  {}", out::clean(&name), out::clean(&place)))?;
                out::line(format!("  {}", out::clean(&broken.happened)))?;
            }
        }
        Ok(())
    }

    /// `10 cases, 0 failed; 51 faults, all answered in order`
    pub(super) fn summary(&self) -> String {
        let mut summary =
            format!("{}, {} failed", out::count(self.reports.len(), "case"), self.failed());
        if self.errors() > 0 {
            summary.push_str(&format!(", {} in the files", out::count(self.errors(), "error")));
        }
        if self.faults() > 0 {
            summary.push_str(&format!("; {}, ", out::count(self.faults(), "fault")));
            match self.broken() {
                0 => summary.push_str("all answered in order"),
                broken => summary.push_str(&format!("{broken} without an orderly answer")),
            }
        }
        summary
    }
}

fn word(holds: bool, colors: bool) -> String {
    let (word, color) = if holds { ("ok", "32") } else { ("FAILED", "1;31") };
    let word = format!("{word:<6}");
    if colors { format!("\x1b[{color}m{word}\x1b[0m") } else { word }
}

/// `  ok      fills in the company    0.2 ms CPU   1.1 MiB    8 host calls    2.4 ms`
fn verdict(report: &PluginCaseReport, widest: usize, colors: bool) -> String {
    let used = &report.used;
    let it = out::clean(&report.it);
    let gap = widest.saturating_sub(it.chars().count());
    format!(
        "  {}  {it}{:gap$}  {:>6} ms CPU  {:>5} MiB  {:>3} host calls  {:>6} ms",
        word(report.failures.is_empty(), colors),
        "",
        tenths(used.cpu_us, 1_000),
        tenths(used.memory_bytes as u64, 1 << 20),
        used.host_calls,
        tenths(used.elapsed_us, 1_000),
    )
}

/// A number of units, with one digit after the point, rounded up.
fn tenths(number: u64, unit: u64) -> String {
    let tenths = number.saturating_mul(10).div_ceil(unit);
    format!("{}.{}", tenths / 10, tenths % 10)
}

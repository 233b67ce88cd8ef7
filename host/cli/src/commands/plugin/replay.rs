//! `relata plugin replay`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use relata_app::{
    App,
    backtest::{CallEnd, StepReplay},
    model::RunId,
    read_package,
    sandbox::Plugin,
    testing::plugin::load_plugin,
};
use serde_json::{Value as Json, json};

use super::project::Project;
use crate::{
    context::{Context, compiler},
    failure::WRONG,
    names::Names,
    out, time,
};

/// Make a recorded call of a step again, and show what is otherwise.
///
/// The call has the input, the clock and the random numbers that it had, and
/// the records as they were. It is answered by the installed plugin, or by
/// another build of it; nothing is kept and nothing is sent. What nobody knows
/// any more (what a web service answered, what the plugin kept of its own,
/// which records a query found) is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata plugin replay run_01k9… 3 --data shop                    entry 3 of `relata runs show`
  relata plugin replay run_01k9… enrich.company --with enrich
  relata plugin replay run_01k9… 'steps[0]' --with enrich-0.2.0.relata

Exit code 1: it comes out otherwise.")]
pub(crate) struct ReplayArgs {
    /// The run
    #[arg(value_name = "RUN")]
    run: RunId,
    /// The entry's number, the step's path or name, or the action; of several
    /// the last
    #[arg(value_name = "STEP")]
    step: String,
    /// What answers instead of the installed plugin: a plugin's folder, or a
    /// package
    #[arg(long, value_name = "DIR|FILE.relata")]
    with: Option<PathBuf>,
}

pub(super) async fn run(context: &Context, args: ReplayArgs) -> anyhow::Result<ExitCode> {
    let other = match &args.with {
        Some(path) => Some(other(path).await?),
        None => None,
    };
    let app = context.open().await?;
    let told = replay(context, &app, &args, other.as_ref()).await;
    app.close().await;
    told
}

/// A build that is not installed.
async fn other(path: &Path) -> anyhow::Result<Plugin> {
    if path.is_dir() {
        let project = Project::open(path)?;
        return project.load(project.built()?).await;
    }
    let package = read_package(path)?;
    let component = package.parts().component.clone();
    Ok(load_plugin(package.manifest().clone(), component, None, compiler()).await?)
}

async fn replay(
    context: &Context,
    app: &App,
    args: &ReplayArgs,
    other: Option<&Plugin>,
) -> anyhow::Result<ExitCode> {
    let replay = app.replay_step(args.run, &args.step, other).await?;
    let same = replay.is_same();
    if context.json {
        let mut document = serde_json::to_value(&replay)?;
        document["same"] = json!(same);
        out::json(&document)?;
    } else {
        print(app, &replay, same).await?;
    }
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::from(WRONG) })
}

async fn print(app: &App, replay: &StepReplay, same: bool) -> anyhow::Result<()> {
    let zone = app.zone();
    let mut names = Names::new(app);
    let attempt = match replay.attempt {
        1 => String::new(),
        attempt => format!(", attempt {attempt}"),
    };
    let at = time::short_text(&replay.at, &zone);
    out::line(format!("{}{attempt}, {} of {}, {at}", replay.action, replay.step, replay.run))?;
    for (who, end) in [("then", &replay.recorded), ("now", &replay.replayed)] {
        let component = end.component.as_deref().map_or("an unknown component", short);
        out::line(format!(
            "  {who:<4}  {}  (component {component})",
            ending(&mut names, end).await?
        ))?;
    }
    let (then, now) = (&replay.recorded.writes, &replay.replayed.writes);
    for (mark, line) in marked(then, now) {
        out::line(format!("  {mark} {}", out::clean(&names.told(line).await?)))?;
    }
    for line in &replay.log {
        out::line(format!("  it logged {}: {}", line.level, out::clean(&line.message)))?;
    }
    for unknown in &replay.unknown {
        out::line(format!("  nobody knows any more {unknown}, which it asks for"))?;
    }
    out::line(match (same, replay.unknown.is_empty()) {
        (true, _) => "it comes out as it did",
        (false, true) => "it comes out otherwise",
        (false, false) => "it comes out otherwise, which may be for want of what nobody knows",
    })
}

/// `done: company: Brewery`
async fn ending(names: &mut Names<'_>, end: &CallEnd) -> anyhow::Result<String> {
    let told = match &end.told {
        Json::Null => String::new(),
        told => format!(": {}", names.spoken(told).await?),
    };
    Ok(out::clean(&format!("{}{told}", end.outcome)))
}

/// The beginning of a digest.
fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// What was written both times, only then, and only now.
fn marked<'l>(then: &'l [String], now: &'l [String]) -> Vec<(char, &'l str)> {
    let mut left: Vec<&String> = now.iter().collect();
    let mut lines = Vec::new();
    for line in then {
        match left.iter().position(|other| *other == line) {
            Some(place) => {
                left.remove(place);
                lines.push((' ', line.as_str()));
            }
            None => lines.push(('-', line.as_str())),
        }
    }
    lines.extend(left.into_iter().map(|line| ('+', line.as_str())));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_held_against_what_is_written() {
        let lines =
            |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let (then, now) = (lines(&["a", "a", "b"]), lines(&["a", "c"]));
        assert_eq!(marked(&then, &now), [(' ', "a"), ('-', "a"), ('-', "b"), ('+', "c")]);
    }
}

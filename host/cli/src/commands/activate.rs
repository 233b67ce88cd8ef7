//! `relata activate`

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, ValueEnum};
use relata_app::{Activation, App, Running};

use crate::{
    context::{ACTOR, Context},
    failure::Wrong,
    out, progress,
    sources::{self, Sources},
};

/// Activate workflows: from now on their triggers start runs.
///
/// All files are checked first, together with the workflows that are active;
/// if one has an error, none is activated. Activating the same text again
/// changes nothing, except for the runs of earlier versions.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata activate workflows/win-back.yaml
  relata activate workflows                 all of them
  relata activate win-back.yaml --running restart
  relata workflows                          what is active")]
pub(crate) struct ActivateArgs {
    /// Files, or folders of *.yaml files
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// What becomes of the runs that go on on an earlier version
    #[arg(long, value_name = "WHAT", default_value = "finish")]
    running: OfOlder,
}

/// What becomes of the runs that go on on an earlier version.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum OfOlder {
    /// They come to their end on the version they began with
    Finish,
    /// Each is cancelled and begins again on the new version, for the same record
    Restart,
    /// Each is cancelled
    Cancel,
}

pub(crate) async fn run(context: &Context, args: ActivateArgs) -> anyhow::Result<ExitCode> {
    let sources = sources::read(&args.paths)?;
    let app = context.open().await?;
    let running = match args.running {
        OfOlder::Finish => Running::Finish,
        OfOlder::Restart => Running::Restart,
        OfOlder::Cancel => Running::Cancel,
    };
    let activated = activate(context, &app, &sources, running).await;
    app.close().await;
    activated.map(|()| ExitCode::SUCCESS)
}

async fn activate(
    context: &Context,
    app: &App,
    sources: &Sources,
    running: Running,
) -> anyhow::Result<()> {
    let waiting = progress::spinner("checking");
    let checked = app.check(sources).await;
    waiting.finish_and_clear();
    let found: Vec<_> = checked?.into_iter().flat_map(|(_, _, found)| found).collect();
    if !found.is_empty() {
        out::note(sources::rendered(sources, &found, out::stderr_colors()).trim_end());
    }
    let errors = found.iter().filter(|diagnostic| diagnostic.is_error()).count();
    if errors > 0 {
        return Err(
            Wrong::new(format!("nothing was activated: {}", out::count(errors, "error"))).into()
        );
    }
    let waiting = progress::spinner("activating");
    let activations = app.activate_all(sources, ACTOR, running).await;
    waiting.finish_and_clear();
    let activations = activations?;
    if activations.is_empty() {
        return Err(Wrong::new(
            "there are only blueprints, which are not activated themselves; activate the workflows that are made of them",
        )
        .into());
    }
    if context.json {
        return out::json(&activations);
    }
    for activation in &activations {
        let what =
            if activation.unchanged { "was active already, in this version" } else { "is active" };
        out::line(format!("{} {what}{}", activation.workflow, older(activation)))?;
        for kept in &activation.older.kept {
            out::line(format!("  {} was not restarted: {}", kept.run, kept.why))?;
        }
    }
    if activations.iter().any(|activation| !activation.unchanged) {
        let next =
            if app.clock().is_manual() { "relata clock advance 1 day" } else { "relata serve" };
        out::line(format!("\n`{next}` runs them; `relata workflows` lists them"))?;
    }
    Ok(())
}

/// What becomes of the runs of earlier versions, as the rest of a sentence.
fn older(activation: &Activation) -> String {
    let older = &activation.older;
    [
        (older.finishing, "goes on on an earlier version", "go on on an earlier version"),
        (older.restarted, "is restarted on this one", "are restarted on this one"),
        (older.cancelled, "is cancelled", "are cancelled"),
    ]
    .into_iter()
    .filter(|(count, ..)| *count > 0)
    .map(|(count, one, many)| {
        let runs = out::count(usize::try_from(count).unwrap_or(usize::MAX), "run");
        format!("; {runs} {}", if count == 1 { one } else { many })
    })
    .collect()
}

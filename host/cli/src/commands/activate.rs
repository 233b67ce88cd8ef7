//! `relata activate`

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use relata_app::App;

use crate::{
    context::{ACTOR, Context},
    failure::Wrong,
    out, progress,
    sources::{self, Sources},
};

/// Activate workflows: from now on their triggers start runs.
///
/// All files are checked first; if one has an error, none is activated. Runs
/// of an earlier version finish on it. Activating the same text again changes
/// nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata activate workflows/win-back.yaml
  relata activate workflows                 all of them
  relata workflows                          what is active")]
pub(crate) struct ActivateArgs {
    /// Files, or folders of *.yaml files
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
}

pub(crate) async fn run(context: &Context, args: ActivateArgs) -> anyhow::Result<ExitCode> {
    let sources = sources::read(&args.paths)?;
    let app = context.open().await?;
    let activated = activate(context, &app, &sources).await;
    app.close().await;
    activated.map(|()| ExitCode::SUCCESS)
}

async fn activate(context: &Context, app: &App, sources: &Sources) -> anyhow::Result<()> {
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
    let bar = progress::bar("workflows");
    bar.set_length(u64::try_from(sources.len()).unwrap_or(u64::MAX));
    let mut activations = Vec::with_capacity(sources.len());
    for (file, text) in sources {
        activations.push(app.activate(file, text, ACTOR).await?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    if context.json {
        return out::json(&activations);
    }
    for activation in &activations {
        let what =
            if activation.unchanged { "was active already, in this version" } else { "is active" };
        out::line(format!("{} {what}", activation.workflow))?;
    }
    if activations.iter().any(|activation| !activation.unchanged) {
        let next =
            if app.clock().is_manual() { "relata clock advance 1 day" } else { "relata serve" };
        out::line(format!("\n`{next}` runs them; `relata workflows` lists them"))?;
    }
    Ok(())
}

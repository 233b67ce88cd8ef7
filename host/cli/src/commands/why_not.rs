//! `relata why-not`

use std::process::ExitCode;

use clap::Args;
use relata_app::{App, Reason, model::Reference};

use crate::{context::Context, names::Names, out, time};

/// Why a workflow ran, or did not run, for a record.
///
/// Every run, every refusal and every start that waits leaves a row with its
/// reason; this prints them, oldest first. Where there is none, it says what
/// starts the workflow and what came nearest to it.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  relata why-not inquiry-survey ticket/t1")]
pub(crate) struct WhyNotArgs {
    /// The workflow's name
    workflow: String,
    /// object/key, such as ticket/t1
    #[arg(value_name = "RECORD")]
    record: Reference,
}

pub(crate) async fn run(context: &Context, args: WhyNotArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let told = tell(context, &app, &args).await;
    app.close().await;
    told.map(|()| ExitCode::SUCCESS)
}

async fn tell(context: &Context, app: &App, args: &WhyNotArgs) -> anyhow::Result<()> {
    let reasons = app.why_not(&args.workflow, &args.record).await?;
    if context.json {
        return out::json(&reasons);
    }
    let mut names = Names::new(app);
    let zone = app.zone();
    let record = names.full(&args.record).await?;
    out::line(format!("{} for {}:\n", args.workflow, out::clean(&record)))?;
    // What never happened has no time of its own.
    let timed = |reason: &Reason| reason.kind != "never";
    let column = if reasons.iter().any(timed) { 18 } else { 0 };
    for reason in &reasons {
        let at = if timed(reason) { time::short_text(&reason.at, &zone) } else { String::new() };
        let told = out::clean(&names.told(&sentence(reason)).await?);
        out::line(format!("{at:<column$}{told}"))?;
        for detail in &reason.details {
            let why = out::clean(&names.told(&detail.why).await?);
            out::line(format!("{:<column$}  {}  {why}", "", time::short_text(&detail.at, &zone)))?;
        }
    }
    Ok(())
}

/// A reason that reads by itself.
fn sentence(reason: &Reason) -> String {
    let why = &reason.why;
    match (reason.kind, &reason.run, &reason.what) {
        ("run", Some(run), _) => format!("{run}: {why}"),
        ("refused", _, Some(what)) => format!("{what}: no run started: {why}"),
        ("refused", _, None) => format!("no run started: {why}"),
        _ => why.clone(),
    }
}

//! `relata start`

use std::{process::ExitCode, str::FromStr};

use clap::Args;
use relata_app::{App, Assignment, GivenInputs, ManualStart, model::Reference};

use crate::{
    context::{ACTOR, Context},
    failure::WRONG,
    names::Names,
    out,
};

/// Start a workflow by hand: one with a button, or one that nothing else starts.
///
/// What the workflow says of who gets it and how often holds here too. Where
/// it does not start, the reason is printed and kept, and the exit code is 1.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata start discount-offer contact/anna --input percent=10
  relata start discount-offer contact/anna --input percent=10 --input 'tags=fair; spring'
  relata start monthly-report               one that is about no record
  relata workflows                          which ones can be started, and their buttons")]
pub(crate) struct StartArgs {
    /// The workflow's name
    workflow: String,
    /// The record that the run is about, object/key, such as contact/anna
    #[arg(value_name = "RECORD")]
    record: Option<Reference>,
    /// An input of the workflow; times are local, items of a list are separated by `;`
    #[arg(long = "input", value_name = "NAME=VALUE")]
    inputs: Vec<Pair>,
}

/// `NAME=VALUE`.
#[derive(Debug, Clone)]
struct Pair(Assignment);

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, written)) if !name.trim().is_empty() => {
                Ok(Self(Assignment { field: name.trim().to_owned(), written: written.to_owned() }))
            }
            _ => Err("write NAME=VALUE, such as percent=10".to_owned()),
        }
    }
}

pub(crate) async fn run(context: &Context, args: StartArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let inputs = GivenInputs::Text(args.inputs.into_iter().map(|Pair(input)| input).collect());
    let told = match app.start(&args.workflow, args.record.as_ref(), &inputs, ACTOR).await {
        Ok(start) => tell(context, &app, &start).await,
        Err(why) => Err(why.into()),
    };
    app.close().await;
    told
}

async fn tell(context: &Context, app: &App, start: &ManualStart) -> anyhow::Result<ExitCode> {
    let code =
        if start.run.is_some() || start.waits { ExitCode::SUCCESS } else { ExitCode::from(WRONG) };
    if context.json {
        out::json(start)?;
        return Ok(code);
    }
    let mut names = Names::new(app);
    let what = match &start.record {
        Some(record) => format!("{} for {}", start.workflow, names.told(record).await?),
        None => start.workflow.clone(),
    };
    match (&start.run, &start.why) {
        (Some(run), _) => {
            out::line(out::clean(&format!("{what} began: {run}")))?;
            let next = if app.clock().is_manual() {
                "relata clock advance 1 minute"
            } else {
                "relata serve"
            };
            out::line(format!("\n`{next}` runs it; `relata runs show {run}` shows what it does"))?;
        }
        (None, Some(why)) => {
            let how = if start.waits { "waits" } else { "did not start" };
            out::line(out::clean(&format!("{what} {how}: {}", names.told(why).await?)))?;
        }
        (None, None) => {}
    }
    Ok(code)
}

//! `relata pause` and `relata resume`

use std::process::ExitCode;

use clap::{Args, Subcommand};
use relata_app::{App, PauseView, model::RunId, store::PauseScope};
use serde_json::json;

use crate::{
    context::{ACTOR, Context},
    failure::Wrong,
    out::{self, Column},
    time,
};

/// Stop a run, a workflow, an action or everything for a while.
///
/// A pause is a row in the database that every host sees within a second. New
/// runs still begin, events are still matched and schedules still fire; what
/// falls due waits, and is due at once when `relata resume` ends the pause. A
/// call that has begun comes to its end. Without a name it lists what is paused.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata pause
  relata pause workflow greet-leads --why 'the mail has the wrong price'
  relata pause action mail.send --why 'the mail server moves'
  relata pause run run_01k9… --why 'the customer called'
  relata pause all --why maintenance
  relata resume workflow greet-leads")]
pub(crate) struct PauseArgs {
    #[command(subcommand)]
    what: Option<What>,
    /// What everybody who asks is told
    #[arg(long, global = true, value_name = "REASON")]
    why: Option<String>,
}

/// Let go on what `relata pause` stopped.
///
/// What fell due meanwhile is due at once, each thing once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata resume all
  relata resume workflow greet-leads")]
pub(crate) struct ResumeArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// One run, and what it sends
    Run {
        /// Its id, from `relata runs`
        #[arg(value_name = "RUN")]
        run: RunId,
    },
    /// The runs of a workflow, and what they send
    Workflow {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// The calls of an action, in whatever workflow
    Action {
        /// Its name, such as mail.send
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// All runs, and all that goes out
    All,
}

impl From<What> for PauseScope {
    fn from(what: What) -> Self {
        match what {
            What::Run { run } => Self::Run(run),
            What::Workflow { name } => Self::Workflow(name),
            What::Action { name } => Self::Action(name),
            What::All => Self::All,
        }
    }
}

pub(crate) async fn pause(context: &Context, args: PauseArgs) -> anyhow::Result<ExitCode> {
    let scope = args.what.map(PauseScope::from);
    let why = match (&scope, args.why) {
        (Some(_), None) => {
            return Err(Wrong::new(
                "say why, with `--why REASON`: whoever wonders why nothing happens is told it",
            )
            .into());
        }
        (_, why) => why.unwrap_or_default(),
    };
    let app = context.open().await?;
    let done = match scope {
        Some(scope) => begin(context, &app, scope, &why).await,
        None => list(context, &app).await,
    };
    app.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

pub(crate) async fn resume(context: &Context, args: ResumeArgs) -> anyhow::Result<ExitCode> {
    let scope = PauseScope::from(args.what);
    let app = context.open().await?;
    let done = end(context, &app, &scope).await;
    app.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn begin(context: &Context, app: &App, scope: PauseScope, why: &str) -> anyhow::Result<()> {
    app.pause(scope.clone(), why, ACTOR).await?;
    if context.json {
        return out::json(&json!({ "kind": scope.kind(), "name": scope.name(), "paused": true }));
    }
    out::line(format!(
        "paused; `relata resume {}` lets it go on",
        named(scope.kind(), &scope.name())
    ))
}

async fn end(context: &Context, app: &App, scope: &PauseScope) -> anyhow::Result<()> {
    let resumed = app.resume(scope).await?;
    if context.json {
        return out::json(&resumed);
    }
    let count = |number: u64, noun| out::count(usize::try_from(number).unwrap_or(usize::MAX), noun);
    out::line(format!(
        "resumed; {} and {} were waiting for it",
        count(resumed.runs, "run"),
        count(resumed.effects, "effect")
    ))
}

async fn list(context: &Context, app: &App) -> anyhow::Result<()> {
    let pauses = app.pauses().await?;
    if context.json {
        return out::json(&pauses);
    }
    if pauses.is_empty() {
        return out::line("nothing is paused");
    }
    let zone = app.zone();
    let columns = [
        Column::whole("Paused"),
        Column::whole("Since"),
        Column::whole("By"),
        Column::number("Runs"),
        Column::number("Effects"),
        Column::text("Why"),
    ];
    let row = |pause: PauseView| {
        vec![
            named(pause.kind, &pause.name),
            time::short_text(&pause.since, &zone),
            pause.by,
            pause.runs.to_string(),
            pause.effects.to_string(),
            pause.why,
        ]
    };
    out::table(&columns, pauses.into_iter().map(row).collect())
}

fn named(kind: &str, name: &str) -> String {
    if name.is_empty() { kind.to_owned() } else { format!("{kind} {name}") }
}

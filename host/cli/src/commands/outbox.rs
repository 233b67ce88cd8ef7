//! `relata outbox`

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use relata_app::{
    App, EffectView,
    model::{EffectId, Reference, TimeZone},
    store::{EffectFilter, EffectStatus},
};
use serde_json::json;

use crate::{
    context::{ACTOR, Context},
    names::Names,
    out::{self, Column},
    time,
};

/// How many effects a table shows where nothing is said.
const FIRST_PAGE: usize = 50;

/// Show every mail and notice, and how it stands.
///
/// due: goes out at its time; sending: on its way; sent; held: above a cap,
/// waits for a person; unknown: the connection broke while it was sent, so it
/// may have arrived; suppressed: not wanted; failed: given up.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  relata outbox --status held
  relata outbox show fx_01k9…              the text
  relata outbox release fx_01k9… fx_01ka…  send what is held, unknown or failed
  relata outbox drop fx_01k9… --why 'the campaign is over'
  relata outbox --json --status held | jq -r '.[].effect' | xargs relata outbox release"
)]
pub(crate) struct OutboxArgs {
    #[command(subcommand)]
    command: Option<OutboxCommand>,
    /// Standing so
    #[arg(long)]
    status: Option<Stands>,
    /// Wanted by this workflow
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// At most so many, the newest; 0 is all. A table shows 50 by default, JSON all
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

#[derive(Debug, Subcommand)]
enum OutboxCommand {
    /// One effect, with its text
    Show {
        /// Its id, from `relata outbox`
        #[arg(value_name = "EFFECT")]
        effect: EffectId,
    },
    /// Send what is held, unknown or failed after all
    Release {
        /// Ids, from `relata outbox`
        #[arg(value_name = "EFFECT", required = true)]
        effects: Vec<EffectId>,
    },
    /// Drop what has not gone out
    Drop {
        /// Ids, from `relata outbox`
        #[arg(value_name = "EFFECT", required = true)]
        effects: Vec<EffectId>,
        /// What `relata outbox` will say
        #[arg(long, value_name = "REASON")]
        why: Option<String>,
    },
}

/// How an effect stands.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Stands {
    Due,
    Sending,
    Sent,
    Held,
    Unknown,
    Suppressed,
    Failed,
}

pub(crate) async fn run(context: &Context, args: OutboxArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let done = match args.command {
        None => {
            let filter = EffectFilter {
                workflow: args.workflow,
                status: args.status.map(|stands| match stands {
                    Stands::Due => EffectStatus::Due,
                    Stands::Sending => EffectStatus::Sending,
                    Stands::Sent => EffectStatus::Sent,
                    Stands::Held => EffectStatus::Held,
                    Stands::Unknown => EffectStatus::Unknown,
                    Stands::Suppressed => EffectStatus::Suppressed,
                    Stands::Failed => EffectStatus::Failed,
                }),
                ..EffectFilter::default()
            };
            list(context, &app, &filter, args.limit).await
        }
        Some(OutboxCommand::Show { effect }) => show(context, &app, effect).await,
        Some(OutboxCommand::Release { effects }) => release(context, &app, &effects).await,
        Some(OutboxCommand::Drop { effects, why }) => drop_all(context, &app, &effects, why).await,
    };
    app.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn list(
    context: &Context,
    app: &App,
    filter: &EffectFilter,
    limit: Option<usize>,
) -> anyhow::Result<()> {
    let mut effects = app.effects(filter).await?;
    let found = effects.len();
    let limit = match limit {
        Some(0) => usize::MAX,
        Some(limit) => limit,
        None if context.json => usize::MAX,
        None => FIRST_PAGE,
    };
    effects.drain(..found.saturating_sub(limit));
    if context.json {
        return out::json(&effects);
    }
    if effects.is_empty() {
        return out::line("nothing");
    }
    let zone = app.zone();
    let mut names = Names::new(app);
    let columns = [
        Column::whole("Effect"),
        Column::whole("Status"),
        Column::whole("When"),
        Column::whole("What"),
        Column::text("To"),
        Column::text("Subject"),
        Column::text("Why"),
    ];
    let mut rows = Vec::with_capacity(effects.len());
    for effect in &effects {
        rows.push(vec![
            effect.effect.clone(),
            effect.status.to_owned(),
            when(effect, &zone),
            effect.template.clone().unwrap_or_else(|| effect.kind.to_owned()),
            recipient(&mut names, effect).await?,
            effect.subject.clone().unwrap_or_default(),
            effect.reason.clone().unwrap_or_default(),
        ]);
    }
    out::table(&columns, rows)?;
    if effects.len() < found {
        out::line(format!("\nthe newest {} of {found}; `--limit 0` shows all", effects.len()))?;
    }
    Ok(())
}

/// When it went out, or will.
fn when(effect: &EffectView, zone: &TimeZone) -> String {
    let at = effect.sent_at.as_ref().or(effect.due_at.as_ref()).unwrap_or(&effect.created_at);
    time::short_text(at, zone)
}

async fn recipient(names: &mut Names<'_>, effect: &EffectView) -> anyhow::Result<String> {
    Ok(match effect.to.as_deref().map(str::parse::<Reference>) {
        Some(Ok(reference)) => names.label(&reference).await?,
        _ => effect.address.clone().unwrap_or_default(),
    })
}

async fn show(context: &Context, app: &App, id: EffectId) -> anyhow::Result<()> {
    let detail = app.effect(id).await?;
    if context.json {
        return out::json(&detail);
    }
    let effect = &detail.effect;
    let reason = effect.reason.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    out::line(format!("{}: {}{reason}", effect.effect, effect.status))?;
    out::line(format!("{} {}", effect.kind, when(effect, &app.zone())))?;
    if let (Some(workflow), Some(run)) = (&effect.workflow, &effect.run) {
        out::line(format!("wanted by {workflow}, {run}"))?;
    }
    out::line(out::clean(&format!("to {}", effect.address.as_deref().unwrap_or("nobody"))))?;
    out::line(out::clean(&format!("subject: {}", effect.subject.as_deref().unwrap_or_default())))?;
    out::line("")?;
    for line in detail.text.as_deref().unwrap_or_default().lines() {
        out::line(out::clean(line))?;
    }
    Ok(())
}

async fn release(context: &Context, app: &App, effects: &[EffectId]) -> anyhow::Result<()> {
    for effect in effects {
        app.effect_resume(*effect).await?;
    }
    let next = if app.clock().is_manual() {
        "when the clock is moved"
    } else {
        "at once where `relata serve` runs"
    };
    decided(context, effects, "due", &format!("will go out {next}"))
}

async fn drop_all(
    context: &Context,
    app: &App,
    effects: &[EffectId],
    why: Option<String>,
) -> anyhow::Result<()> {
    let why = why.unwrap_or_else(|| format!("dropped by {ACTOR}"));
    for effect in effects {
        app.effect_drop(*effect, &why).await?;
    }
    decided(context, effects, "suppressed", "will not go out")
}

fn decided(
    context: &Context,
    effects: &[EffectId],
    status: &str,
    sentence: &str,
) -> anyhow::Result<()> {
    if context.json {
        let effects: Vec<_> = effects
            .iter()
            .map(|effect| json!({ "effect": effect.to_string(), "status": status }))
            .collect();
        return out::json(&effects);
    }
    out::line(format!("{} {sentence}", out::count(effects.len(), "effect")))
}

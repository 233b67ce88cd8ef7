//! `relata why`

use std::process::ExitCode;

use clap::Args;
use relata_app::{App, Decision, DecisionCandidate, model::Reference};

use crate::{context::Context, names::Names, out, time};

/// Why a record has the owner that it has.
///
/// Every change of its owner or queue, newest first: who or what made it, why,
/// and everybody who was looked at, each with what spoke against them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata why ticket/T-12
  relata why lead/4711 --last 1")]
pub(crate) struct WhyArgs {
    /// object/key, such as ticket/T-12
    #[arg(value_name = "RECORD")]
    record: Reference,
    /// So many decisions, the newest; 0 for all
    #[arg(long, default_value_t = 5)]
    last: usize,
}

pub(crate) async fn run(context: &Context, args: WhyArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let told = tell(context, &app, &args).await;
    app.close().await;
    told.map(|()| ExitCode::SUCCESS)
}

async fn tell(context: &Context, app: &App, args: &WhyArgs) -> anyhow::Result<()> {
    let mut decisions = app.decisions(&args.record).await?;
    let all = decisions.len();
    if args.last > 0 {
        decisions.truncate(args.last);
    }
    if context.json {
        return out::json(&decisions);
    }
    let mut names = Names::new(app);
    let record = names.full(&args.record).await?;
    if decisions.is_empty() {
        return out::line(format!(
            "{}: it has had no owner and no queue so far",
            out::clean(&record)
        ));
    }
    out::line(format!("{}:", out::clean(&record)))?;
    for decision in &decisions {
        tell_one(app, &mut names, decision).await?;
    }
    if all > decisions.len() {
        out::line(format!("\nand {} before that; `--last 0` shows all", all - decisions.len()))?;
    }
    Ok(())
}

/// One decision, with everybody who was looked at on the way.
pub(crate) async fn tell_one(
    app: &App,
    names: &mut Names<'_>,
    decision: &Decision,
) -> anyhow::Result<()> {
    let at = time::short_text(&decision.at, &app.zone());
    let whose = match (&decision.owner, &decision.queue) {
        (Some(owner), _) => format!("to {owner}"),
        (None, Some(queue)) => format!("waits in {queue}"),
        (None, None) => "to nobody".to_owned(),
    };
    let through = match (&decision.action, &decision.run) {
        (Some(action), Some(run)) => format!(" ({action}, {run})"),
        _ => String::new(),
    };
    let head = names.told(&format!("{whose}, by {}{through}", decision.by)).await?;
    out::line(format!("\n{at}  {}", out::clean(&head)))?;
    if let Some(reason) = &decision.reason {
        out::line(format!("  {}", out::clean(&names.told(reason).await?)))?;
    }
    for passed in &decision.passed {
        let told = names.told(&format!("{}: {}", passed.queue, passed.reason)).await?;
        out::line(format!("  first {}", out::clean(&told)))?;
        looked_at(names, &passed.candidates).await?;
    }
    if !decision.passed.is_empty()
        && let Some(queue) = &decision.queue
    {
        out::line(format!("  then {}", out::clean(&names.told(queue).await?)))?;
    }
    looked_at(names, &decision.candidates).await
}

async fn looked_at(names: &mut Names<'_>, candidates: &[DecisionCandidate]) -> anyhow::Result<()> {
    let mut rows = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let user = candidate.user.parse::<Reference>();
        let name = match &user {
            Ok(user) => names.label(user).await?,
            Err(_) => candidate.user.clone(),
        };
        let mark = if candidate.eligible { " " } else { "-" };
        rows.push((mark, out::clean(&name), candidate.reason.clone()));
    }
    let width = rows.iter().map(|(_, name, _)| name.chars().count()).max().unwrap_or(0);
    for (mark, name, reason) in rows {
        let pad = " ".repeat(width - name.chars().count());
        out::line(format!("  {mark} {name}{pad}  {}", out::clean(&reason)))?;
    }
    Ok(())
}

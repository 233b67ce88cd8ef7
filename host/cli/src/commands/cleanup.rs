//! `relata cleanup`

use std::process::ExitCode;

use clap::Args;
use relata_app::CleanedUp;
use serde_json::json;

use crate::{context::Context, failure::Wrong, out};

/// Take away what `[retention]` in relata.toml keeps no longer.
///
/// `relata serve` does this by itself every hour. Nothing is taken away that a
/// run still needs, that has not gone out, or that a backtest of the last days
/// replays; docs/monitoring.md has the settings.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata cleanup --data shop --dry-run
  relata cleanup --data shop")]
pub(crate) struct CleanupArgs {
    /// Only say how much it would be
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(context: &Context, args: CleanupArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    if app.config().retention.is_none() {
        app.close().await;
        return Err(Wrong::new(
            "relata.toml has no [retention], so everything is kept; write such as\n\n  [retention]\n  runs = 365\n  step_logs = 90\n  sent_effects = 90",
        )
        .into());
    }
    let cleaned = match args.dry_run {
        true => app.clean_up_preview().await,
        false => Box::pin(app.clean_up()).await,
    };
    app.close().await;
    told(context, cleaned?, args.dry_run)?;
    Ok(ExitCode::SUCCESS)
}

fn told(context: &Context, cleaned: CleanedUp, dry_run: bool) -> anyhow::Result<()> {
    if context.json {
        return out::json(&json!({ "dry_run": dry_run, "cleaned": cleaned }));
    }
    let verb = if dry_run { "would be taken away" } else { "taken away" };
    out::line(format!(
        "{verb}: {} runs, {} other entries of logs, {} events, {} texts of what went out, {} refusals, {} ids of calls, {} entries of the audit",
        cleaned.runs,
        cleaned.step_logs,
        cleaned.events,
        cleaned.sent_effects,
        cleaned.not_started,
        cleaned.webhook_ids,
        cleaned.audit
    ))
}

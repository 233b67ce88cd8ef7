//! `relata audit`

use std::process::ExitCode;

use clap::Args;
use relata_app::store::AuditFilter;

use crate::{
    context::Context,
    out::{self, Column},
    time,
};

/// Show what was refused, who logged in, and who got which rights
///
/// What happened to a record is in its own log: `relata records timeline`. The
/// same again within a minute is one line, with how often it was.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata audit
  relata audit --refused --since 2026-12-01
  relata audit --by token/web-shop")]
pub(crate) struct AuditArgs {
    /// Only what was refused
    #[arg(long)]
    refused: bool,
    /// Only of this one, such as user/01k9… or token/web-shop
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
    /// Only from then on
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// At the most so many
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

pub(crate) async fn run(context: &Context, args: AuditArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let shown = show(context, &app, args).await;
    app.close().await;
    shown.map(|()| ExitCode::SUCCESS)
}

async fn show(context: &Context, app: &relata_app::App, args: AuditArgs) -> anyhow::Result<()> {
    let zone = app.zone();
    let filter = AuditFilter {
        actor: args.by,
        outcome: args.refused.then(|| "refused".to_owned()),
        since: args.since.map(|at| time::read(&at, &zone)).transpose()?,
        after: None,
    };
    let entries = app.audit(&filter, args.limit).await?;
    if context.json {
        return out::json(&entries);
    }
    if entries.is_empty() {
        return out::line("nothing of the kind was noted");
    }
    let columns = [
        Column::whole("When"),
        Column::text("Who"),
        Column::text("What"),
        Column::whole("Outcome"),
        Column::text("Why"),
    ];
    let rows = entries.into_iter().map(|entry| {
        let times =
            if entry.times > 1 { format!(" ({} times)", entry.times) } else { String::new() };
        vec![
            time::short_text(&entry.at, &zone),
            entry.actor,
            format!("{} {}{times}", entry.act, entry.target),
            entry.outcome,
            entry.why,
        ]
    });
    out::table(&columns, rows.collect())
}

//! `relata limits`

use std::process::ExitCode;

use clap::Args;
use relata_app::LimitView;

use crate::{
    context::Context,
    out::{self, Column},
    time,
};

/// Show who is at work under a limit, and who waits for one.
///
/// A workflow limits its own runs (`limits:`), and `[[limits]]` in relata.toml
/// the calls of an action, in whatever workflow. `relata runs show` says of a
/// run what holds it up.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata limits
  relata limits --json")]
pub(crate) struct LimitsArgs {}

pub(crate) async fn run(context: &Context, _: LimitsArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let limits = app.limits().await;
    let zone = app.zone();
    app.close().await;
    let limits = limits?;
    if context.json {
        out::json(&limits)?;
        return Ok(ExitCode::SUCCESS);
    }
    if limits.is_empty() {
        out::line("nobody is at work under a limit, and nobody waits for one")?;
        return Ok(ExitCode::SUCCESS);
    }
    let columns = [
        Column::text("Limit"),
        Column::number("At work"),
        Column::number("In line"),
        Column::whole("Since"),
        Column::number("Turns to come"),
        Column::whole("The last"),
    ];
    let told = |at: Option<String>| at.map_or_else(String::new, |at| time::short_text(&at, &zone));
    let row = |limit: LimitView| {
        let of = limit.at_once.map_or_else(String::new, |most| format!(" of {most}"));
        vec![
            limit.limit,
            format!("{}{of}", limit.working),
            limit.in_line.to_string(),
            told(limit.waits_since),
            limit.to_come.to_string(),
            told(limit.last_turn),
        ]
    };
    out::table(&columns, limits.into_iter().map(row).collect())?;
    Ok(ExitCode::SUCCESS)
}

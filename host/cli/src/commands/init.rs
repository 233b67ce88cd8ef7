//! `relata init`

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use relata_app::{App, Clock, model::TimeZone};
use serde_json::json;

use crate::{context::Context, out, time};

/// The zone that a new `relata.toml` names.
const FIRST_ZONE: &str = "Europe/Berlin";

/// Make a data directory.
///
/// It holds relata.toml (the settings), workflows/, objects/ (your own objects
/// and fields), templates/ (mails) and the database. The shipped workflows and
/// templates are in it, none of them active. Mails go to files until you name
/// a mail server in relata.toml.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata init shop                                  a company, on the real clock
  relata init trial --rehearsal                     a clock that only `relata clock` moves
  relata init trial --rehearsal --clock '2026-12-14 10:00'")]
pub(crate) struct InitArgs {
    /// A new or empty directory
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// A clock that stands still until `relata clock` moves it
    #[arg(long)]
    rehearsal: bool,
    /// What the rehearsal's clock shows first, such as '2026-12-14 10:00'; now by default
    #[arg(long, value_name = "TIME", requires = "rehearsal")]
    clock: Option<String>,
}

pub(crate) async fn run(context: &Context, args: InitArgs) -> anyhow::Result<ExitCode> {
    let start = match &args.clock {
        Some(written) => time::read(written, &TimeZone::get(FIRST_ZONE)?)?,
        None => Clock::Real.now(),
    };
    let app = App::create_with(&args.directory, args.rehearsal.then_some(start), context.opening())
        .await?;
    let (now, zone) = (app.now(), app.zone());
    app.close().await;
    if context.json {
        out::json(&json!({
            "data": args.directory.display().to_string(),
            "rehearsal": args.rehearsal,
            "now": now.to_string(),
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let data = out::path(&args.directory);
    out::line(format!("{data} is ready; its settings are in {data}/relata.toml"))?;
    if args.rehearsal {
        out::line(format!(
            "Its clock shows {} and stands still until you move it.",
            time::short(now, &zone)
        ))?;
    }
    let last = if args.rehearsal {
        "clock advance 3 days           move the clock, and see what falls due"
    } else {
        "serve                          run the workflows"
    };
    out::text(&format!(
        "
Next:
  relata --data {data} import lead leads.csv          bring in records
  relata --data {data} check                          what is wrong in the workflows
  relata --data {data} activate {data}/workflows
  relata --data {data} {last}
"
    ))?;
    Ok(ExitCode::SUCCESS)
}

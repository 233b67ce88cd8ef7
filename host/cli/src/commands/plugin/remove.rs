//! `relata plugin remove`

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::{context::Context, out};

/// Remove a plugin.
///
/// One that an active workflow uses stays. What the plugin kept of its own
/// stays in the database, for when it comes back.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata plugin remove enrich --data shop")]
pub(crate) struct RemoveArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    plugin: String,
}

pub(super) async fn run(context: &Context, args: RemoveArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let removed = app.remove_plugin(&args.plugin).await;
    app.close().await;
    removed?;
    if context.json {
        out::json(&json!({ "plugin": args.plugin, "removed": true }))?;
    } else {
        out::line(format!("{} was removed", args.plugin))?;
    }
    Ok(ExitCode::SUCCESS)
}

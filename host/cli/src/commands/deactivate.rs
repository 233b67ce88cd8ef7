//! `relata deactivate`

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::{context::Context, out};

/// Deactivate a workflow: its triggers start nothing more.
///
/// Its runs go on to their end; `relata runs cancel` ends one.
#[derive(Debug, Args)]
pub(crate) struct DeactivateArgs {
    /// The workflow's name
    #[arg(value_name = "NAME")]
    workflow: String,
}

pub(crate) async fn run(context: &Context, args: DeactivateArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let done = app.deactivate(&args.workflow).await;
    app.close().await;
    done?;
    if context.json {
        out::json(&json!({ "workflow": args.workflow, "active": false }))?;
    } else {
        out::line(format!("{} starts nothing more; its runs go on to their end", args.workflow))?;
    }
    Ok(ExitCode::SUCCESS)
}

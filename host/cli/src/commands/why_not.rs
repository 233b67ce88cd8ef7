//! `relata why-not`

use std::process::ExitCode;

use clap::Args;
use relata_app::model::Reference;

use crate::{
    context::Context,
    names::Names,
    out::{self, Column},
    time,
};

/// Why a workflow ran, or did not run, for a record.
///
/// Every run and every refusal leaves a row with its reason; this prints them,
/// oldest first.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  relata why-not inquiry-survey ticket/t1")]
pub(crate) struct WhyNotArgs {
    /// The workflow's name
    workflow: String,
    /// object/key, such as ticket/t1
    #[arg(value_name = "RECORD")]
    record: Reference,
}

pub(crate) async fn run(context: &Context, args: WhyNotArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let reasons = app.why_not(&args.workflow, &args.record).await?;
    if context.json {
        out::json(&reasons)?;
    } else {
        let mut names = Names::new(&app);
        let record = names.full(&args.record).await?;
        out::line(format!("{} for {}:\n", args.workflow, out::clean(&record)))?;
        let zone = app.zone();
        let columns = [Column::whole("When"), Column::text("Why"), Column::whole("Run")];
        let mut rows = Vec::with_capacity(reasons.len());
        for reason in reasons {
            rows.push(vec![
                time::short_text(&reason.at, &zone),
                names.told(&reason.why).await?,
                reason.run.unwrap_or_default(),
            ]);
        }
        out::table(&columns, rows)?;
    }
    app.close().await;
    Ok(ExitCode::SUCCESS)
}

//! `relata schema`

use std::process::ExitCode;

use clap::Args;
use relata_app::workflow::schema::{test_schema, workflow_schema};

use crate::{context::Context, ground, out};

/// Print a JSON Schema, with which an editor completes workflows
///
/// It knows the objects, fields, actions, templates and segments of the data
/// directory; outside of one, those that come with Relata. `relata lsp` knows
/// the formulas as well.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata schema > workflows.schema.json
  relata schema --tests > tests.schema.json

As the first line of a workflow, for the YAML language server:
  # yaml-language-server: $schema=../workflows.schema.json")]
pub(crate) struct SchemaArgs {
    /// That of tests (*.test.yaml) instead of that of workflows
    #[arg(long)]
    tests: bool,
}

pub(crate) async fn run(context: &Context, args: SchemaArgs) -> anyhow::Result<ExitCode> {
    let mut catalog = ground::catalog(context, &[]).await?;
    ground::with_files(&mut catalog, &ground::usual_files(context));
    out::json(&if args.tests { test_schema(&catalog) } else { workflow_schema(&catalog) })?;
    Ok(ExitCode::SUCCESS)
}

//! `relata explain`

use std::process::ExitCode;

use clap::Args;
use relata_app::workflow::{CODES, explain_page};
use serde_json::json;

use crate::{
    context::Context,
    failure::Wrong,
    out::{self, Column},
};

/// Explain a message of `relata check`: what it means, an example, the mend
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata explain R102
  relata explain                    all of them, a line each")]
pub(crate) struct ExplainArgs {
    /// The code in the brackets of the message
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

pub(crate) fn run(context: &Context, args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let Some(code) = &args.code else {
        if context.json {
            let all: Vec<_> = CODES
                .iter()
                .map(|entry| json!({ "code": entry.code, "meaning": entry.meaning }))
                .collect();
            out::json(&all)?;
        } else {
            let rows = CODES
                .iter()
                .map(|entry| vec![entry.code.to_owned(), entry.meaning.to_owned()])
                .collect();
            out::table(&[Column::whole("Code"), Column::text("What it means")], rows)?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    let code = code.to_uppercase();
    let page = explain_page(&code).ok_or_else(|| {
        Wrong::new(format!("there is no message `{code}`; `relata explain` lists them"))
    })?;
    if context.json {
        out::json(&json!({ "code": code, "page": page }))?;
    } else {
        out::text(page)?;
    }
    Ok(ExitCode::SUCCESS)
}

//! `relata graph`

use std::{fs, path::PathBuf, process::ExitCode};

use clap::Args;
use relata_app::workflow::{
    Diagnostic,
    graph::{graph, mermaid, svg},
    parse_all,
};
use serde_json::json;

use crate::{
    context::Context,
    failure::{WRONG, Wrong},
    ground, out, sources,
};

/// Draw a workflow: what starts it, its steps, branches, waits and ends
///
/// Whoever cannot read YAML can read the picture. It is made of the file, not
/// of what is active.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata graph workflows/win-back.yaml --svg win-back.svg     a picture for a browser
  relata graph workflows/win-back.yaml                        Mermaid, for a wiki or a README")]
pub(crate) struct GraphArgs {
    /// The workflow's file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write a picture into this file, instead of Mermaid to stdout
    #[arg(long, value_name = "SVG")]
    svg: Option<PathBuf>,
}

pub(crate) async fn run(context: &Context, args: GraphArgs) -> anyhow::Result<ExitCode> {
    let paths = [args.file];
    let [(file, source)] = &sources::read(&paths)?[..] else {
        return Err(Wrong::new("name one file: each workflow has a picture of its own").into());
    };
    let beside = sources::beside(&paths[0])?;
    let catalog = ground::catalog(context, &paths).await?;
    let read = parse_all(&beside, &catalog);
    let place = beside.iter().position(|(name, _)| name == file);
    let Some((definition, found)) = place.and_then(|place| read.into_iter().nth(place)) else {
        return Err(Wrong::new(format!("{file} is no workflow")).into());
    };
    let Some(definition) = definition else {
        let errors: Vec<Diagnostic> = found.into_iter().filter(Diagnostic::is_error).collect();
        let read = vec![(file.clone(), source.clone())];
        out::text(&sources::rendered(&read, &errors, out::colors()))?;
        if errors.is_empty() {
            return Err(Wrong::new(format!(
                "{file} is a blueprint; draw a workflow that is made of it"
            ))
            .into());
        }
        return Ok(ExitCode::from(WRONG));
    };
    let drawn = graph(&definition, &catalog);
    if let Some(target) = args.svg {
        fs::write(&target, svg(&drawn))?;
        if !context.json {
            out::line(format!("{} is drawn in {}", definition.name, out::path(&target)))?;
        }
    } else if context.json {
        out::json(&json!({ "workflow": definition.name, "mermaid": mermaid(&drawn) }))?;
    } else {
        out::text(&mermaid(&drawn))?;
    }
    Ok(ExitCode::SUCCESS)
}

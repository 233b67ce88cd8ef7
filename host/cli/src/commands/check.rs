//! `relata check`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use relata_app::{check_alone, testing::is_test_file, workflow::Diagnostic};
use serde_json::json;

use crate::{
    context::{Context, is_data_directory},
    failure::{WRONG, Wrong},
    out, progress,
    sources::{self, Sources},
};

/// Find what is wrong in workflows, and say how to mend it.
///
/// Every formula, argument, template, segment and calendar is checked against
/// the company's own objects and records; nothing is changed. Outside of a
/// data directory the shipped objects and actions are taken, and the mail
/// templates of a folder templates/ in or beside the workflows' folder.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata check                               the data directory's workflows, or ./workflows
  relata check shop/workflows
  relata check win-back.yaml --json          diagnostics for an editor

Exit code 1: there are errors. Warnings alone are 0.")]
pub(crate) struct CheckArgs {
    /// Files, or folders of *.yaml files; tests (*.test.yaml) are checked too
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

pub(crate) async fn run(context: &Context, args: CheckArgs) -> anyhow::Result<ExitCode> {
    let data = data_directory(context, &args.paths);
    let paths = if args.paths.is_empty() { vec![usual(data.as_deref())?] } else { args.paths };
    let sources = sources::read_all(&paths)?;
    let mut found = check(context, data.as_deref(), &paths, &sources).await?;
    // Workflows are read for the sake of a test that is named alone; nobody
    // asked about them.
    let asked = |file: &str| {
        let file = Path::new(file);
        paths.iter().any(|path| path == file || file.parent() == Some(path.as_path()))
    };
    found.retain(|diagnostic| asked(&diagnostic.file));
    let asked = sources.iter().filter(|(file, _)| asked(file));
    let (tests, workflows): (Vec<_>, Vec<_>) = asked.partition(|(file, _)| is_test_file(file));
    let errors = found.iter().filter(|diagnostic| diagnostic.is_error()).count();
    let warnings = found.len() - errors;
    if context.json {
        out::json(&json!({
            "workflows": workflows.len(),
            "tests": tests.len(),
            "errors": errors,
            "warnings": warnings,
            "diagnostics": found,
        }))?;
    } else {
        out::text(&sources::rendered(&sources, &found, out::colors()))?;
        let tests = match tests.len() {
            0 => String::new(),
            count => format!(", {}", out::count(count, "test file")),
        };
        out::line(format!(
            "{}{tests}, {}, {}",
            out::count(workflows.len(), "workflow"),
            out::count(errors, "error"),
            out::count(warnings, "warning")
        ))?;
    }
    Ok(if errors > 0 { ExitCode::from(WRONG) } else { ExitCode::SUCCESS })
}

async fn check(
    context: &Context,
    data: Option<&Path>,
    paths: &[PathBuf],
    sources: &Sources,
) -> anyhow::Result<Vec<Diagnostic>> {
    let waiting = progress::spinner("loading the actions");
    let checked = match data {
        Some(root) => {
            let app = context.open_at(root).await?;
            let checked = app.check(sources).await;
            app.close().await;
            checked
        }
        None => check_alone(sources, templates(&paths[0]).as_deref()).await,
    };
    waiting.finish_and_clear();
    Ok(checked?.into_iter().flat_map(|(_, _, found)| found).collect())
}

/// The data directory against which to check: the one that was named, the
/// current one, or the one in which the first path lies.
pub(crate) fn data_directory(context: &Context, paths: &[PathBuf]) -> Option<PathBuf> {
    if context.data.is_some() || is_data_directory(context.root()) {
        return Some(context.root().to_owned());
    }
    let first = paths.first()?.canonicalize().ok()?;
    first.ancestors().find(|folder| is_data_directory(folder)).map(Path::to_owned)
}

/// What is checked where no path is given.
pub(crate) fn usual(data: Option<&Path>) -> Result<PathBuf, Wrong> {
    let folder = match data {
        Some(root) if root == Path::new(".") => PathBuf::from("workflows"),
        Some(root) => root.join("workflows"),
        None => PathBuf::from("workflows"),
    };
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(Wrong::new(
        "there is no folder workflows here; name the files or folders to check, or a data directory with `--data DIR`",
    ))
}

/// The folder of mail templates that belongs to a path: in the workflows'
/// folder, or beside it.
pub(crate) fn templates(path: &Path) -> Option<PathBuf> {
    let path = path.canonicalize().ok()?;
    let folder = if path.is_dir() { path.as_path() } else { path.parent()? };
    [Some(folder), folder.parent()]
        .into_iter()
        .flatten()
        .map(|folder| folder.join("templates"))
        .find(|templates| templates.is_dir())
}

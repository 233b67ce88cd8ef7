//! `relata lsp`

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use relata_app::workflow::{Head, head};
use relata_lsp::{Company, serve_stdio};
use tokio::runtime::Handle;

use crate::{context::Context, ground};

/// Help an editor with workflows, over the Language Server Protocol
///
/// The editor starts it, and speaks with it over stdin and stdout: messages
/// while you write, completion of fields inside of formulas, what something is
/// when you point at it. It knows the data directory in which it is started;
/// outside of one, what comes with Relata.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata lsp                         as the language server of workflows/*.yaml
  relata lsp --data shop")]
pub(crate) struct LspArgs {
    /// Ignored: editors pass it to say how they speak
    #[arg(long, hide = true)]
    stdio: bool,
}

pub(crate) async fn run(context: &Context, _: LspArgs) -> anyhow::Result<ExitCode> {
    let context = context.clone();
    let runtime = Handle::current();
    // It waits for the editor on a thread of its own.
    tokio::task::spawn_blocking(move || {
        serve_stdio(|| runtime.block_on(company(&context)).map_err(|why| format!("{why:#}")))
    })
    .await??;
    Ok(ExitCode::SUCCESS)
}

async fn company(context: &Context) -> anyhow::Result<Company> {
    let root = ground::root(context, &[]);
    let root = root.as_deref().unwrap_or(Path::new("."));
    let workflows = files(&root.join("workflows"), "yaml");
    let mut catalog = ground::catalog(context, &[]).await?;
    let mut named = BTreeMap::new();
    for file in workflows {
        let Ok(source) = std::fs::read_to_string(&file) else { continue };
        let name = file.display().to_string();
        if name.ends_with(".test.yaml") {
            continue;
        }
        match head(&source) {
            Some(Head::Blueprint(blueprint)) => {
                catalog.blueprints.insert(blueprint.clone(), (name, source));
                named.insert(blueprint, file);
            }
            Some(Head::Workflow(workflow) | Head::Instance { workflow, .. }) => {
                named.insert(workflow, file);
            }
            None => {}
        }
    }
    Ok(Company {
        catalog,
        objects: by_name(files(&root.join("objects"), "yaml")),
        templates: by_name(files(&root.join("templates"), "md")),
        workflows: named,
        explanations: None,
    })
}

fn by_name(files: Vec<PathBuf>) -> BTreeMap<String, PathBuf> {
    files
        .into_iter()
        .filter_map(|file| Some((file.file_stem()?.to_str()?.to_owned(), file)))
        .collect()
}

/// The files of a folder; none where there is no such folder.
fn files(folder: &Path, kind: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_kind = |file: &PathBuf| file.extension().is_some_and(|extension| extension == kind);
    entries
        .map(|entry| entry.path())
        .filter(is_kind)
        .filter_map(|file| file.canonicalize().ok())
        .collect()
}

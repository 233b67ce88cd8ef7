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
    let mut catalog = ground::catalog(context, &[]).await?;
    let sources = ground::usual_files(context);
    ground::with_files(&mut catalog, &sources);
    let mut workflows = BTreeMap::new();
    for (file, source) in &sources {
        let name = match head(source) {
            Some(Head::Workflow(name) | Head::Blueprint(name)) => name,
            Some(Head::Instance { workflow, .. }) => workflow,
            None => continue,
        };
        if let Ok(path) = Path::new(file).canonicalize() {
            workflows.insert(name, path);
        }
    }
    let root = ground::root(context, &[]);
    let root = root.as_deref().unwrap_or(Path::new("."));
    Ok(Company {
        catalog,
        objects: named(&root.join("objects")),
        templates: named(&root.join("templates")),
        workflows,
        explanations: None,
    })
}

/// The files of a folder by the part of their names before the first point;
/// of several languages the one without a language. None where there is no
/// such folder.
fn named(folder: &Path) -> BTreeMap<String, PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> =
        entries.filter_map(|entry| entry.path().canonicalize().ok()).collect();
    // The last of one name stays: the shortest.
    paths.sort_by_key(|path| std::cmp::Reverse(path.as_os_str().len()));
    paths
        .into_iter()
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.split('.').next()?.to_owned();
            Some((name, path))
        })
        .collect()
}

//! `relata demo`: some weeks of a company in a fresh rehearsal, with a host
//! that is killed at its work, told from the database afterwards.

mod campaign;
mod data;
mod desk;
mod facts;
mod figures;
mod leads;
mod machine;
mod mailbox;
mod reading;
mod story;
mod support;
mod surveys;
mod tables;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use relata_app::App;

use self::figures::Figures;
use crate::{out, progress};

/// What `relata demo` was asked for.
#[derive(Debug)]
pub(crate) struct DemoArgs {
    /// Print the figures as JSON.
    pub(crate) json: bool,
    /// Where the data is to lie: a new or empty directory. Without it the
    /// data lies in a new temporary directory, which stays for a look around;
    /// with `json` it is deleted at the end.
    pub(crate) keep: Option<PathBuf>,
}

/// Plays the demonstration and prints what happened. The exit code is 3 where
/// a promise was broken.
///
/// # Errors
///
/// Where the directory cannot be used, or the host fails.
pub(crate) async fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let (root, passing) = match &args.keep {
        Some(root) => (root.clone(), false),
        None => (new_temporary()?, args.json),
    };
    let told = play(args, &root).await;
    if passing {
        fs::remove_dir_all(&root).with_context(|| format!("cannot delete {}", root.display()))?;
    }
    let kept = told?;
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

async fn play(args: &DemoArgs, root: &Path) -> anyhow::Result<bool> {
    let spinner = progress::spinner("the demonstration begins");
    let played = story::play(root, &spinner).await;
    spinner.finish_and_clear();
    let told = played?;
    let app = App::open(root).await?;
    let facts = reading::facts(&app).await?;
    app.close().await;
    let figures = Figures::of(&facts, &told);
    if args.json {
        out::json(&figures)?;
    } else {
        tables::print(&facts, &figures, &told)?;
        tables::next_steps(&facts, &out::path(root))?;
        out::line(format!("\nThe data lies in {}. Delete it when you are done.", out::path(root)))?;
    }
    Ok(figures.promises().iter().all(|(_, kept)| *kept))
}

/// A new directory among the machine's temporary ones.
fn new_temporary() -> anyhow::Result<PathBuf> {
    let folder = std::env::temp_dir();
    for number in 0..1_000 {
        let root = folder.join(format!("relata-demo-{}-{number}", std::process::id()));
        match fs::create_dir(&root) {
            Ok(()) => return Ok(root),
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
            Err(why) => {
                return Err(why).with_context(|| format!("cannot create {}", root.display()));
            }
        }
    }
    anyhow::bail!("cannot find a free name in {}; use --keep DIR", folder.display())
}

//! `relata plugin dev`

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use relata_app::{App, package::Consent};
use serde_json::{Value as Json, json};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::{
    build,
    check::Looked,
    project::{Project, is_source},
    shown,
    test::{self, Told},
};
use crate::{context::Context, out};

/// For how long nothing may change before it is built: editors write in several
/// steps.
const QUIET: Duration = Duration::from_millis(200);

/// Build, check and test a plugin whenever one of its files changes.
///
/// With `--data DIR` a build whose tests hold is installed in that data
/// directory, and a host that runs there takes it over within seconds. It must
/// have been installed there once, and may ask for no more than somebody agreed
/// to; otherwise the command that asks is printed. Ctrl-C ends it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata plugin dev
  relata plugin dev enrich --data shop")]
pub(crate) struct DevArgs {
    /// The plugin's folder, where its plugin.toml is
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// End after so many rounds: for tests of this command
    #[arg(long, hide = true, value_name = "N")]
    rounds: Option<u32>,
}

pub(super) async fn run(context: &Context, args: DevArgs) -> anyhow::Result<ExitCode> {
    let DevArgs { folder, rounds } = args;
    // Later it may be broken for a moment.
    Project::open(&folder)?;
    let mut sources = Sources::watch(&folder)?;
    let mut stop = std::pin::pin!(tokio::signal::ctrl_c());
    out::note(&format!("watching {}; Ctrl-C ends it", out::path(&folder)));
    let mut played = 0;
    loop {
        let before = fingerprint(&folder);
        tokio::select! {
            round = round(context, &folder) => round.print(context)?,
            _ = &mut stop => return Ok(ExitCode::SUCCESS),
        }
        played += 1;
        if rounds == Some(played) {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::select! {
            () = sources.changed(before) => {}
            _ = &mut stop => return Ok(ExitCode::SUCCESS),
        }
    }
}

/// What came of one round, as far as it came.
#[derive(Default)]
struct Round {
    looked: Option<Looked>,
    told: Option<Told>,
    installed: Option<String>,
    fault: Option<String>,
    took: Duration,
}

async fn round(context: &Context, folder: &Path) -> Round {
    #[expect(clippy::disallowed_methods, reason = "it only tells how long it took")]
    let began = std::time::Instant::now();
    let mut round = Round::default();
    if let Err(why) = round.play(context, folder).await {
        round.fault = Some(why.to_string());
    }
    round.took = began.elapsed();
    round
}

impl Round {
    async fn play(&mut self, context: &Context, folder: &Path) -> anyhow::Result<()> {
        let project = Project::open(folder)?;
        let building = Project::open(folder)?;
        let component = tokio::task::spawn_blocking(move || build::build(&building)).await??;
        let looked = Looked::at(&project, &component).await?;
        let plugin = looked.plugin.clone();
        let in_order = !looked.has_errors();
        self.looked = Some(looked);
        let told = test::play(context, &project, plugin, None, true).await?;
        let holds = told.holds();
        self.told = Some(told);
        if in_order && holds && context.data.is_some() {
            self.installed = Some(install(context, folder).await?);
        }
        Ok(())
    }

    fn print(&self, context: &Context) -> anyhow::Result<()> {
        if context.json {
            return out::json_line(&self.document());
        }
        if let Some(looked) = &self.looked {
            let seconds = self.took.as_secs_f32();
            out::line(format!("{}; {seconds:.1} s", looked.summary()))?;
            looked.print_remarks()?;
        }
        if let Some(told) = &self.told {
            if told.holds() {
                out::line(told.summary())?;
            } else {
                told.print()?;
            }
        }
        if let Some(installed) = &self.installed {
            out::line(installed)?;
        }
        if let Some(fault) = &self.fault {
            out::line(format!("error: {fault}"))?;
        }
        out::line("")
    }

    fn document(&self) -> Json {
        json!({
            "built": self.looked.as_ref().map(Looked::document),
            "tests": self.told.as_ref().map(Told::document),
            "installed": self.installed,
            "error": self.fault,
            "millis": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

/// Installs a build where nobody has to be asked; answers what became of it.
async fn install(context: &Context, folder: &Path) -> anyhow::Result<String> {
    let app = context.open().await?;
    let installed = install_in(context, &app, folder).await;
    app.close().await;
    installed
}

async fn install_in(context: &Context, app: &App, folder: &Path) -> anyhow::Result<String> {
    let packages = shown::packages(context)?;
    let offered = shown::open(&packages, &folder.display().to_string()).await?;
    let consent = app.plugin_consent(&offered, None)?;
    let (name, version) = (consent.name.clone(), consent.version.clone());
    if consent.before.as_ref().is_some_and(|before| before.digest == consent.digest) {
        return Ok(format!("{name} {version} is installed already"));
    }
    if consent.is_needed() {
        return Ok(format!(
            "not installed: {}; `relata plugin install {} --data {}` asks",
            why_asked(&consent),
            shown::argument(folder),
            shown::argument(context.root())
        ));
    }
    app.install_plugin(offered, &consent, None)?;
    Ok(format!("{name} {version} is installed in {}", out::path(context.root())))
}

/// Why somebody has to agree.
fn why_asked(consent: &Consent) -> String {
    match &consent.before {
        None => format!("nobody has agreed to `{}` yet", consent.name),
        Some(before) if !before.more.is_empty() => {
            let more: Vec<String> = before.more.iter().map(ToString::to_string).collect();
            format!("it asks for more than was agreed to, to {}", more.join(" and to "))
        }
        Some(_) => "the signer is another".to_owned(),
    }
}

/// The files of a plugin's author, watched.
struct Sources {
    folder: PathBuf,
    watcher: RecommendedWatcher,
    events: UnboundedReceiver<notify::Result<notify::Event>>,
}

impl Sources {
    fn watch(folder: &Path) -> anyhow::Result<Self> {
        let (sender, events) = mpsc::unbounded_channel();
        let watcher = notify::recommended_watcher(move |event| {
            // Where nobody listens any more, the program ends.
            let _ = sender.send(event);
        });
        let watcher = watcher.context("the system does not let files be watched")?;
        let mut sources = Self { folder: folder.to_owned(), watcher, events };
        sources.add(folder)?;
        Ok(sources)
    }

    /// Watches a folder and those in it: each by itself, since those that
    /// builds fill may be very many.
    fn add(&mut self, folder: &Path) -> anyhow::Result<()> {
        let unwatched = || format!("{} cannot be watched", out::path(folder));
        self.watcher.watch(folder, RecursiveMode::NonRecursive).with_context(unwatched)?;
        for entry in fs::read_dir(folder).with_context(unwatched)?.filter_map(Result::ok) {
            let path = entry.path();
            if path.is_dir() && is_source(&self.folder, &path) {
                self.add(&path)?;
            }
        }
        Ok(())
    }

    /// Waits until the files are others than they were, and nothing changes any
    /// more.
    async fn changed(&mut self, before: u64) {
        loop {
            let Some(event) = self.events.recv().await else {
                return std::future::pending().await;
            };
            self.take_in(event);
            while let Ok(Some(event)) = tokio::time::timeout(QUIET, self.events.recv()).await {
                self.take_in(event);
            }
            if fingerprint(&self.folder) != before {
                return;
            }
        }
    }

    /// A new folder is watched as well.
    fn take_in(&mut self, event: notify::Result<notify::Event>) {
        let Ok(event) = event else { return };
        if let EventKind::Create(_) = event.kind {
            for path in event.paths {
                if path.is_dir() && is_source(&self.folder, &path) {
                    // It may be gone again.
                    let _ = self.add(&path);
                }
            }
        }
    }
}

/// What is in the files of the author: a build that writes the same again
/// changes nothing.
fn fingerprint(folder: &Path) -> u64 {
    let mut files = Vec::new();
    collect(folder, folder, &mut files);
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.hash(&mut hasher);
        fs::read(&file).unwrap_or_default().hash(&mut hasher);
    }
    hasher.finish()
}

fn collect(project: &Path, folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        if !is_source(project, &path) {
            continue;
        }
        if path.is_dir() {
            collect(project, &path, files);
        } else {
            files.push(path);
        }
    }
}

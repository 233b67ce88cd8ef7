//! What every command knows: where the company's data is, and for whom it
//! prints.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use relata_app::{App, AppError, ConfigError, Secret, SecretOverrides, secret_of_variable};

use crate::{failure::Wrong, out};

/// The name under which the command line writes records.
pub(crate) const ACTOR: &str = "cli";

/// What holds for every command.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// Answers are JSON.
    pub(crate) json: bool,
    /// The data directory, where one was named.
    pub(crate) data: Option<PathBuf>,
}

impl Context {
    /// The data directory: the one that was named, else the current one.
    pub(crate) fn root(&self) -> &Path {
        self.data.as_deref().unwrap_or(Path::new("."))
    }

    /// Opens the data directory.
    pub(crate) async fn open(&self) -> anyhow::Result<App> {
        open(self.root()).await
    }
}

/// Whether a directory is a data directory.
pub(crate) fn is_data_directory(root: &Path) -> bool {
    root.join("relata.toml").is_file()
}

/// Opens a data directory, or says where one may be.
pub(crate) async fn open(root: &Path) -> anyhow::Result<App> {
    match App::open_with(root, secrets()).await {
        Err(AppError::Config(ConfigError::NotThere(root))) => Err(not_there(&root).into()),
        opened => Ok(opened?),
    }
}

/// The secrets that the environment holds.
fn secrets() -> SecretOverrides {
    env::vars_os()
        .filter_map(|(variable, secret)| {
            let name = secret_of_variable(variable.to_str()?)?;
            let secret = secret.into_string().ok().filter(|secret| !secret.is_empty())?;
            Some((name, Secret::new(secret)))
        })
        .collect()
}

fn not_there(root: &Path) -> Wrong {
    let what = if root == Path::new(".") {
        "the current directory".to_owned()
    } else {
        format!("`{}`", out::path(root))
    };
    let hint = match beside(root).or_else(|| above(root)) {
        Some(found) => format!("did you mean `--data {}`?", out::path(&found)),
        None => "name one with `--data DIR`, or make one with `relata init DIR`".to_owned(),
    };
    Wrong::new(format!("{what} is not a data directory (it has no relata.toml); {hint}"))
}

/// The data directory in which a directory lies: `..`, `../..`.
fn above(root: &Path) -> Option<PathBuf> {
    let levels = root.canonicalize().ok()?.ancestors().position(is_data_directory)?;
    let up: PathBuf = vec![".."; levels].iter().collect();
    Some(if root == Path::new(".") { up } else { root.join(up) })
}

/// The one data directory within a directory, if there is exactly one.
fn beside(root: &Path) -> Option<PathBuf> {
    let mut found = fs::read_dir(root)
        .ok()?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| is_data_directory(path));
    let first = found.next()?;
    if found.next().is_some() {
        return None;
    }
    Some(first.strip_prefix(".").map(Path::to_owned).unwrap_or(first))
}

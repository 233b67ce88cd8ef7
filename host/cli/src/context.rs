//! What every command knows: where the company's data is, and for whom it
//! prints.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use relata_app::{
    App, AppError, ConfigError, Login, Opening, Secret, SecretOverrides,
    sandbox::{CompileLimits, Compiler},
    secret_of_variable,
    store::DatabaseUrl,
};

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
    /// The database, where one was named.
    pub(crate) database: Option<DatabaseUrl>,
}

/// An argument that may hold a password: nothing that is printed shows it.
#[derive(Clone)]
pub(crate) struct Hidden(String);

impl std::str::FromStr for Hidden {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// The database that the arguments name.
pub(crate) fn database(url: Option<&Hidden>) -> anyhow::Result<Option<DatabaseUrl>> {
    let url = url.filter(|url| !url.0.trim().is_empty());
    let read = url.map(|url| url.0.parse::<DatabaseUrl>()).transpose();
    read.map_err(|why| Wrong::new(format!("--database-url: {why}")).into())
}

impl Context {
    /// The data directory: the one that was named, else the current one.
    pub(crate) fn root(&self) -> &Path {
        self.data.as_deref().unwrap_or(Path::new("."))
    }

    /// Opens the data directory.
    pub(crate) async fn open(&self) -> anyhow::Result<App> {
        self.open_at(self.root()).await
    }

    /// Opens a data directory.
    pub(crate) async fn open_at(&self, root: &Path) -> anyhow::Result<App> {
        opened(App::open_with(root, self.opening()).await)
    }

    /// Opens the data directory, to move its runs; with another lease than the
    /// usual one.
    pub(crate) async fn open_to_serve(&self, lease: Option<Duration>) -> anyhow::Result<App> {
        opened(App::open_with(self.root(), Opening { lease, ..self.opening() }).await)
    }

    /// What the arguments and the environment say about a data directory.
    pub(crate) fn opening(&self) -> Opening {
        Opening {
            secrets: secrets(),
            database: self.database.clone(),
            lease: None,
            compiler: compiler(),
        }
    }
}

/// Whether a directory is a data directory.
pub(crate) fn is_data_directory(root: &Path) -> bool {
    root.join("relata.toml").is_file()
}

/// The data directory, or where one may be.
fn opened(opened: Result<App, AppError>) -> anyhow::Result<App> {
    match opened {
        Err(AppError::Config(ConfigError::NotThere(root))) => Err(not_there(&root).into()),
        opened => Ok(opened?),
    }
}

/// Strangers' plugins are compiled by this program, in a child process.
pub(crate) fn compiler() -> Compiler {
    // The file may have been replaced since this process began, by a program
    // that compiles otherwise; Linux still knows the one that runs.
    let program = match cfg!(target_os = "linux") {
        true => Ok(PathBuf::from("/proc/self/exe")),
        false => env::current_exe(),
    };
    // If it cannot be told, compiling will fail and say so.
    let program = program.unwrap_or_else(|_| PathBuf::from("relata"));
    Compiler::Child { program, limits: CompileLimits::default() }
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

/// Who asks registries, by the environment.
#[expect(clippy::disallowed_methods, reason = "only cli reads the environment")]
pub(crate) fn registry_login() -> anyhow::Result<Option<Login>> {
    const USER: &str = "RELATA_REGISTRY_USER";
    const PASSWORD: &str = "RELATA_REGISTRY_PASSWORD";
    let set = |name| env::var(name).ok().filter(|text| !text.is_empty());
    match (set(USER), set(PASSWORD)) {
        (Some(user), Some(password)) => Ok(Some(Login { user, password })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Wrong::new(format!("{USER} is set, and {PASSWORD} is not")).into()),
        (None, Some(_)) => Err(Wrong::new(format!("{PASSWORD} is set, and {USER} is not")).into()),
    }
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

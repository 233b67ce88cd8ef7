//! Backups of the database, made while the host runs, and their way back.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use relata_model::Timestamp;
use relata_store::{BackupReport, Pause, PauseScope, inspect};
use serde::Serialize;

use crate::{App, AppError, Clock, ConfigError, DataDirectory, serve::only_runner};

/// Who pauses a host after a restore.
const RESTORE: &str = "restore";

/// A backup that was made, or a file that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackupView {
    /// Where it lies.
    pub file: String,
    /// How long it is, bytes.
    pub bytes: u64,
    /// SHA-256 over all of its rows, in hexadecimal; the same for the same
    /// contents.
    pub digest: String,
    /// How many rows it has in all.
    pub rows: u64,
    /// How many runs among them.
    pub runs: u64,
}

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// What was restored.
    #[serde(flatten)]
    pub backup: BackupView,
    /// How many effects were to go out when the backup was made, and are
    /// unknown now.
    pub unknown_effects: u64,
    /// Where the database lies that was there before.
    pub former: Option<String>,
    /// Whether everything is paused until somebody resumes it.
    pub paused: bool,
}

impl App {
    /// Copies the database into a file, also while a host runs, and proves
    /// the copy before it gets its name.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where the file is there and `force` is not given,
    /// or cannot be written; [`AppError`] where the copy is not sound.
    pub async fn backup(&self, to: &Path, force: bool) -> Result<BackupView, AppError> {
        if to.is_dir() {
            return Err(AppError::wrong(format!("{} is a directory; name a file", to.display())));
        }
        if to.exists() && !force {
            return Err(AppError::wrong(format!(
                "{} is there already; name another file, or write over it with `--force`",
                to.display()
            )));
        }
        let database = self.directory().database();
        if same_file(to, &database) {
            return Err(AppError::wrong("a backup cannot take the place of the database itself"));
        }
        let unfinished = beside(to, "part");
        let _ = fs::remove_file(&unfinished);
        let made = relata_store::backup(&database, &unfinished).await;
        let placed = match made {
            Ok(report) => place(&unfinished, to).map(|()| report).map_err(AppError::from),
            Err(why) => Err(why.into()),
        };
        if placed.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        view(to, &placed?)
    }

    /// Looks whether a file is a sound backup that this version can restore.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] says why it is none.
    pub async fn backup_check(file: &Path) -> Result<BackupView, AppError> {
        if !file.is_file() {
            return Err(AppError::wrong(format!("there is no file {}", file.display())));
        }
        view(file, &inspect(file).await?)
    }

    /// Puts a backup in the place of the database of a data directory. What
    /// was to go out when it was made is unknown afterwards, since it may
    /// have gone out since; and everything is paused, unless `resume` is
    /// given, so that somebody can look first.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where a host runs, where the backup is not sound,
    /// or where there is a database and `force` is not given.
    pub async fn restore(
        root: &Path,
        from: &Path,
        force: bool,
        resume: bool,
    ) -> Result<Restored, AppError> {
        let (directory, config) = DataDirectory::open(root)?;
        let backup = Self::backup_check(from).await?;
        let database = directory.database();
        if database.exists() && !force {
            return Err(AppError::wrong(format!(
                "{} has a database already; with `--force` it is put aside and kept",
                root.display()
            )));
        }
        // Nobody may run the directory meanwhile.
        let lock = only_runner(&directory)?;
        let io = |doing: &'static str, file: &Path| {
            let file = file.to_owned();
            move |why| AppError::from(ConfigError::Io { doing, file, why })
        };
        let now = Clock::Real.now();
        let unfinished = beside(&database, "restore");
        fs::copy(from, &unfinished).map_err(io("write", &unfinished))?;
        let why = format!("restored from a backup on {now}; look whether it went out since");
        let unknown_effects = relata_store::hold_effects(&unfinished, &why, now).await?;
        let former = put_aside(&database, now)?;
        place(&unfinished, &database)?;
        drop(lock);

        let app = Self::open(root).await?;
        if !resume {
            let pause = Pause {
                scope: PauseScope::All,
                why: format!("restored from {}", from.display()),
                actor: RESTORE.to_owned(),
                at: if config.rehearsal { app.now() } else { now },
            };
            app.store()
                .write(move |tx| Box::pin(async move { tx.pause_put(&pause).await }))
                .await?;
        }
        app.close().await;
        Ok(Restored {
            backup,
            unknown_effects,
            former: former.map(|former| former.display().to_string()),
            paused: !resume,
        })
    }
}

/// The file is on the disk before it gets its name, and the name after.
fn place(unfinished: &Path, to: &Path) -> Result<(), ConfigError> {
    let io = |doing, file: &Path| {
        let file = file.to_owned();
        move |why| ConfigError::Io { doing, file, why }
    };
    File::open(unfinished).and_then(|file| file.sync_all()).map_err(io("write", unfinished))?;
    fs::rename(unfinished, to).map_err(io("rename", unfinished))?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    sync_folder(folder.unwrap_or(Path::new("."))).map_err(io("write", to))
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere a folder cannot be opened; the file system sees to it.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Gives the database that is there another name, with its log.
fn put_aside(database: &Path, now: Timestamp) -> Result<Option<PathBuf>, AppError> {
    if !database.exists() {
        return Ok(None);
    }
    let former = beside(database, &format!("before-{}", now.as_second()));
    for end in ["", "-wal", "-shm"] {
        let with = |path: &Path| {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        let (from, to) = (with(database), with(&former));
        if from.exists() {
            fs::rename(&from, &to).map_err(|why| ConfigError::Io {
                doing: "rename",
                file: from.clone(),
                why,
            })?;
        }
    }
    Ok(Some(former))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

fn view(file: &Path, report: &BackupReport) -> Result<BackupView, AppError> {
    let bytes = fs::metadata(file)
        .map_err(|why| ConfigError::Io { doing: "read", file: file.to_owned(), why })?
        .len();
    Ok(BackupView {
        file: file.display().to_string(),
        bytes,
        digest: report.digest.clone(),
        rows: report.rows.values().sum(),
        runs: report.rows.get("relata_run").copied().unwrap_or_default(),
    })
}

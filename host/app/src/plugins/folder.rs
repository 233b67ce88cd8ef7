//! The installed plugins as files: `plugins/NAME/` holds the parts of a
//! package, `relata.lock` what was agreed to.
//!
//! What is written is there as a whole or not at all; between the two renames
//! of an installation the files and the lock do not fit each other, and a host
//! that starts at that moment refuses the plugin rather than run it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use relata_package::{Digest, Lock, LockEntry, MAX_COMPONENT_BYTES, Package, Parts};
use serde::{Deserialize, Serialize};

use crate::{AppError, ConfigError, DataDirectory};

/// The files of a package's parts.
const PARTS: [&str; 4] = ["plugin.toml", "component.wasm", "schemas.json", "signature.toml"];

/// The version before, in the folder of a plugin; with a lock of its own.
const PREVIOUS: &str = ".previous";

/// Says that a version did its work: it does not go back any more.
const PROVEN: &str = ".proven";

/// Says that a version went back to this one.
const ROLLED_BACK: &str = ".rolled-back";

/// A version that failed and was replaced by the one before it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct RolledBack {
    /// The version that failed.
    pub version: String,
    /// When, RFC 3339.
    pub at: String,
    /// What its last call came to.
    pub why: String,
}

/// Where the plugins of a data directory lie.
#[derive(Debug, Clone)]
pub(crate) struct PluginFolder {
    root: PathBuf,
}

/// When the files of a plugin were written, and how long they are: whether
/// somebody touched them.
pub(crate) type Stamp = Vec<(u64, Option<SystemTime>)>;

impl PluginFolder {
    pub(crate) fn of(directory: &DataDirectory) -> Self {
        Self { root: directory.root().to_owned() }
    }

    fn plugins(&self) -> PathBuf {
        self.root.join("plugins")
    }

    /// The folder of one plugin.
    pub(crate) fn plugin(&self, name: &str) -> PathBuf {
        self.plugins().join(name)
    }

    fn lock_file(&self) -> PathBuf {
        self.root.join("relata.lock")
    }

    /// The text of the lock; an empty one where there is none.
    pub(crate) fn lock_text(&self) -> Result<String, AppError> {
        match fs::read_to_string(self.lock_file()) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(Lock::default().to_text()),
            read => Ok(read.map_err(failed("read", &self.lock_file()))?),
        }
    }

    /// The lock.
    pub(crate) fn lock(&self) -> Result<Lock, AppError> {
        Ok(Lock::parse(&self.lock_text()?)?)
    }

    /// The names of all folders among the plugins, whatever is in them.
    pub(crate) fn names(&self) -> Result<BTreeSet<String>, AppError> {
        let folder = self.plugins();
        let entries = match fs::read_dir(&folder) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            entries => entries.map_err(failed("read", &folder))?,
        };
        let names = entries
            .filter_map(Result::ok)
            .filter(|entry| entry.path().is_dir())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| !name.starts_with('.'));
        Ok(names.collect())
    }

    /// An installed plugin, as its files are now.
    pub(crate) fn package(&self, name: &str) -> Result<Package, AppError> {
        package_at(&self.plugin(name))
    }

    pub(crate) fn stamp(&self, name: &str) -> Stamp {
        let folder = self.plugin(name);
        let stamp = |part| {
            let data = fs::metadata(folder.join(part));
            data.map_or((0, None), |data| (data.len(), data.modified().ok()))
        };
        PARTS.into_iter().map(stamp).collect()
    }

    /// Installs a package in place of what is there, which is kept as the
    /// version before if it was installed. `seen` is what was installed when
    /// somebody agreed.
    pub(crate) fn install(
        &self,
        package: &Package,
        entry: LockEntry,
        seen: Option<Digest>,
    ) -> Result<(), AppError> {
        let _turn = self.turn()?;
        let name = &package.manifest().name;
        let mut lock = self.lock()?;
        if lock.plugins.get(name).map(|before| before.package) != seen {
            return Err(AppError::wrong(format!(
                "somebody else installed or removed `{name}` meanwhile; install yours again, to see what changes now"
            )));
        }
        let (target, stage) = (self.plugin(name), self.plugins().join(format!(".{name}.new")));
        remove(&stage)?;
        write_parts(&stage, package.parts())?;
        let before = lock.plugins.remove(name);
        let is_new = before.as_ref().is_none_or(|before| before.package != entry.package);
        if let Some(before) = before.filter(|_| is_new)
            && target.is_dir()
        {
            remove(&target.join(PREVIOUS))?;
            let alone = Lock { plugins: [(name.clone(), before)].into() };
            write(&target.join("relata.lock"), alone.to_text().as_bytes())?;
            rename(&target, &stage.join(PREVIOUS))?;
        } else if !is_new && target.join(PREVIOUS).is_dir() {
            // The same once more: what was before it still was.
            rename(&target.join(PREVIOUS), &stage.join(PREVIOUS))?;
        }
        remove(&target)?;
        rename(&stage, &target)?;
        lock.plugins.insert(name.clone(), entry);
        self.write_lock(&lock)
    }

    /// Takes a plugin out of the lock and removes its files. Answers whether
    /// there was anything of it.
    pub(crate) fn remove(&self, name: &str) -> Result<bool, AppError> {
        let _turn = self.turn()?;
        let mut lock = self.lock()?;
        let locked = lock.plugins.remove(name).is_some();
        if locked {
            self.write_lock(&lock)?;
        }
        let there = self.plugin(name).is_dir();
        remove(&self.plugin(name))?;
        Ok(locked || there)
    }

    /// Puts the version before in the place of the installed one, and keeps a
    /// note of it. Answers the version that is installed now; nothing where
    /// there was none before.
    pub(crate) fn roll_back(
        &self,
        name: &str,
        note: &RolledBack,
    ) -> Result<Option<String>, AppError> {
        let _turn = self.turn()?;
        let target = self.plugin(name);
        let previous = target.join(PREVIOUS);
        if !previous.is_dir() {
            return Ok(None);
        }
        let text = fs::read_to_string(previous.join("relata.lock"))
            .map_err(failed("read", &previous.join("relata.lock")))?;
        let Some(entry) = Lock::parse(&text)?.plugins.remove(name) else { return Ok(None) };
        entry.check(&package_at(&previous)?).map_err(|why| AppError::wrong(why.to_string()))?;
        let text = toml::to_string(note)
            .map_err(|why| AppError::Fault(format!("a note does not serialize: {why}")))?;
        write(&previous.join(ROLLED_BACK), text.as_bytes())?;
        remove(&previous.join("relata.lock"))?;
        let stage = self.plugins().join(format!(".{name}.new"));
        remove(&stage)?;
        rename(&previous, &stage)?;
        remove(&target)?;
        rename(&stage, &target)?;
        let mut lock = self.lock()?;
        let version = entry.version.clone();
        lock.plugins.insert(name.to_owned(), entry);
        self.write_lock(&lock)?;
        Ok(Some(version))
    }

    /// The note of a version that went back to the installed one.
    pub(crate) fn rolled_back(&self, name: &str) -> Option<RolledBack> {
        let text = fs::read_to_string(self.plugin(name).join(ROLLED_BACK)).ok()?;
        toml::from_str(&text).ok()
    }

    /// Whether a version is there to go back to, and this one did nothing yet
    /// that says it works.
    pub(crate) fn is_on_probation(&self, name: &str) -> bool {
        let folder = self.plugin(name);
        folder.join(PREVIOUS).is_dir() && !folder.join(PROVEN).exists()
    }

    /// Keeps in mind that the installed version works.
    pub(crate) fn proven(&self, name: &str) -> Result<(), AppError> {
        Ok(write(&self.plugin(name).join(PROVEN), b"")?)
    }

    fn write_lock(&self, lock: &Lock) -> Result<(), AppError> {
        let file = self.lock_file();
        let draft = self.root.join(".relata.lock.new");
        write(&draft, lock.to_text().as_bytes())?;
        Ok(rename(&draft, &file)?)
    }

    /// One program at a time changes the plugins.
    fn turn(&self) -> Result<File, AppError> {
        let folder = self.plugins();
        fs::create_dir_all(&folder).map_err(failed("create", &folder))?;
        let path = folder.join(".lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(failed("open", &path))?;
        file.lock().map_err(failed("lock", &path))?;
        Ok(file)
    }
}

/// The package whose parts lie in a folder.
fn package_at(folder: &Path) -> Result<Package, AppError> {
    let [manifest, component, schemas, signature] = PARTS.map(|part| folder.join(part));
    let parts = Parts {
        manifest: bounded(&manifest, MAX_COMPONENT_BYTES)?,
        component: bounded(&component, MAX_COMPONENT_BYTES)?,
        schemas: bounded(&schemas, MAX_COMPONENT_BYTES)?,
        signature: match signature.exists() {
            true => Some(bounded(&signature, MAX_COMPONENT_BYTES)?),
            false => None,
        },
    };
    Package::from_parts(parts)
        .map_err(|why| AppError::wrong(format!("{}: {why}", folder.display())))
}

/// A file's bytes. What is longer than `most` is cut after one byte more, for
/// whoever reads it to tell.
pub(crate) fn bounded(file: &Path, most: usize) -> Result<Vec<u8>, ConfigError> {
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|file| file.take(most as u64 + 1).read_to_end(&mut bytes))
        .map_err(failed("read", file))?;
    Ok(bytes)
}

fn write_parts(folder: &Path, parts: &Parts) -> Result<(), ConfigError> {
    fs::create_dir_all(folder).map_err(failed("create", folder))?;
    let Parts { manifest, component, schemas, signature } = parts;
    let bytes = [Some(manifest), Some(component), Some(schemas), signature.as_ref()];
    for (name, bytes) in PARTS.into_iter().zip(bytes) {
        if let Some(bytes) = bytes {
            write(&folder.join(name), bytes)?;
        }
    }
    Ok(())
}

/// Writes a file, down to the disk.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> Result<(), ConfigError> {
    File::create(file)
        .and_then(|mut open| open.write_all(bytes).and_then(|()| open.sync_all()))
        .map_err(failed("write", file))
}

pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), ConfigError> {
    fs::rename(from, to).map_err(failed("replace", to))
}

/// Removes what is there, be it a file, a folder or nothing.
fn remove(path: &Path) -> Result<(), ConfigError> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(why) if why.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(why)),
        _ => Ok(()),
    }
}

fn failed(doing: &'static str, file: &Path) -> impl FnOnce(io::Error) -> ConfigError {
    let file = file.to_owned();
    move |why| ConfigError::Io { doing, file, why }
}

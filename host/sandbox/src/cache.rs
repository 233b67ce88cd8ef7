//! The private cache of compiled plugins.
//!
//! A file holds a SHA-256 and the compiled code that it is of. It is named by what
//! it was made from: the component's digest, and a hash of the wasmtime
//! version, its settings and the machine's features. Anything amiss with a
//! file means that the plugin is compiled again.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::error::SandboxError;

const DIGEST: usize = 32;

/// Compiled code behind its SHA-256: what a file of the cache holds, and what a
/// compiler in another process answers.
pub(crate) struct Sealed(Vec<u8>);

impl Sealed {
    /// Code that was compiled just now.
    pub(crate) fn new(code: &[u8]) -> Self {
        Self([&Sha256::digest(code)[..], code].concat())
    }

    /// Code that comes from a file of the cache, or from our own compiler.
    pub(crate) fn received(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The component, if the code is whole and this engine's. The error is a
    /// sentence of the engine.
    pub(crate) fn open(&self, engine: &Engine) -> Result<Component, String> {
        match self.0.split_at_checked(DIGEST) {
            Some((digest, code)) if Sha256::digest(code).as_slice() == digest => {
                deserialize(engine, code).map_err(|error| format!("{error:#}"))
            }
            _ => Err("its compiled code is damaged".to_owned()),
        }
    }
}

#[allow(unsafe_code)]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `Component::deserialize` is sound for bytes that
    // `Component::serialize` or `Engine::precompile_component` made. These come
    // either from a file in a folder that only this host's user can write to
    // (checked in `CompileCache::open`), which holds nothing but what `store` put
    // there; or through a pipe from a process of our own program that compiled
    // them just now. Their SHA-256 was verified, so that a torn or rotten file and
    // a compiler that died do not get here. wasmtime itself refuses code of
    // another version, configuration or processor. The bytes lie in memory: they
    // cannot change after the check.
    unsafe { Component::deserialize(engine, code) }
}

/// A folder of compiled plugins that nobody but this host writes to.
pub(crate) struct CompileCache {
    dir: PathBuf,
    /// Names wasmtime's version and settings in a file's name.
    compatibility: String,
}

impl CompileCache {
    /// Opens the folder, or makes it with mode 0700. A folder that others may
    /// write to is refused: whoever can put a file there can run native code
    /// in this host.
    pub(crate) fn open(dir: &Path, engine: &Engine) -> Result<Self, SandboxError> {
        let refuse = |why: String| SandboxError::Cache { path: dir.to_owned(), why };
        create_private(dir).map_err(|error| refuse(error.to_string()))?;
        let metadata = fs::metadata(dir).map_err(|error| refuse(error.to_string()))?;
        if !metadata.is_dir() {
            return Err(refuse("it is not a folder".to_owned()));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = metadata.permissions().mode();
            if mode & 0o022 != 0 {
                return Err(refuse(format!(
                    "other users may write to it (mode {:03o}); `chmod 700` makes it private",
                    mode & 0o777
                )));
            }
        }
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self { dir: dir.to_owned(), compatibility: format!("{:016x}", hasher.finish()) })
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.dir.join(format!("{digest}-{}.cwasm", self.compatibility))
    }

    /// The compiled component, if there is one and it is whole.
    pub(crate) fn load(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let path = self.path(digest);
        let file = match fs::read(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(cache.path = %path.display(), %error, "a compiled plugin cannot be read and is compiled again");
                return None;
            }
        };
        Sealed::received(file)
            .open(engine)
            .inspect_err(|error| {
                tracing::warn!(cache.path = %path.display(), error, "a compiled plugin cannot be used and is compiled again");
            })
            .ok()
    }

    /// Keeps a compiled component. A failure costs a compilation at the next
    /// start and is only logged.
    pub(crate) fn store(&self, digest: &str, code: &Sealed) {
        let path = self.path(digest);
        if let Err(error) = self.write(&path, code.bytes()) {
            tracing::warn!(cache.path = %path.display(), %error, "a compiled plugin cannot be kept");
        }
    }

    fn write(&self, path: &Path, sealed: &[u8]) -> io::Result<()> {
        // Another process may do the same at this moment: each writes a file
        // of its own, and the last rename wins.
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let written = options.open(&temporary).and_then(|mut file| {
            file.write_all(sealed)?;
            file.sync_all()?;
            fs::rename(&temporary, path)
        });
        if written.is_err() {
            // There is nothing to clean up if it was never made.
            drop(fs::remove_file(&temporary));
        }
        written
    }
}

#[cfg(unix)]
fn create_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

#[cfg(not(unix))]
fn create_private(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)
}

/// The SHA-256 of some bytes in hexadecimal.
pub(crate) fn hex_digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

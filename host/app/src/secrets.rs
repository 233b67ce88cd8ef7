//! Secrets: a file each, that only the host's own user can read, or a variable
//! of the environment. What is in one is never logged, never printed, and
//! never part of an answer or an error.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use relata_model::text;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::{App, AppError, ConfigError, names::check_name};

/// The longest secret, bytes: a key with its certificates, not a file.
const LONGEST: usize = 65_536;

/// The text of a secret. It prints as nothing, and is wiped from memory when
/// it is dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A secret of a text that somebody gave.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for whoever signs or logs in with it. It must not be kept,
    /// logged or answered.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Secrets that the environment holds, by name. They go before the files.
pub type SecretOverrides = BTreeMap<String, Secret>;

/// A secret as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecretRow {
    /// Its name.
    pub secret: String,
    /// `file`, or `environment`, which goes before a file of the same name.
    pub from: &'static str,
}

/// The name of the secret that a variable of the environment holds: that of
/// `RELATA_SECRET_SHOP_WEBHOOK` is `shop-webhook`. None for other variables.
#[must_use]
pub fn secret_of_variable(variable: &str) -> Option<String> {
    let name = variable.strip_prefix("RELATA_SECRET_")?.to_ascii_lowercase().replace('_', "-");
    check(&name).is_ok().then_some(name)
}

fn check(name: &str) -> Result<(), AppError> {
    check_name("secret", name, "shop-webhook")
}

impl App {
    /// The names of all secrets that are set.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the folder cannot be read.
    pub fn secret_names(&self) -> Result<BTreeSet<String>, AppError> {
        Ok(self.secrets()?.into_iter().map(|row| row.secret).collect())
    }

    /// All secrets that are set, by name, without what is in them.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the folder cannot be read.
    pub fn secrets(&self) -> Result<Vec<SecretRow>, AppError> {
        let folder = self.directory().secrets();
        let mut found: BTreeMap<String, &'static str> = BTreeMap::new();
        match fs::read_dir(&folder) {
            Ok(entries) => {
                for entry in entries {
                    let entry = entry.map_err(failed("read", &folder))?;
                    if let Some(name) = entry.file_name().to_str()
                        && check(name).is_ok()
                    {
                        found.insert(name.to_owned(), "file");
                    }
                }
            }
            Err(why) if why.kind() == io::ErrorKind::NotFound => {}
            Err(why) => return Err(failed("read", &folder)(why).into()),
        }
        for name in self.inner.secrets.keys() {
            found.insert(name.clone(), "environment");
        }
        Ok(found.into_iter().map(|(secret, from)| SecretRow { secret, from }).collect())
    }

    /// A secret: of the environment, else of its file; none where neither
    /// has it.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the file cannot be read, or others can read it too.
    pub fn secret(&self, name: &str) -> Result<Option<Secret>, AppError> {
        if let Some(secret) = self.inner.secrets.get(name) {
            return Ok(Some(secret.clone()));
        }
        // A name may come from a workflow: it must not lead out of the folder.
        check(name)?;
        let file = self.directory().secrets().join(name);
        match read(&file) {
            Ok(text) => Ok(Some(Secret(text))),
            Err(ConfigError::Io { why, .. }) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(other) => Err(other.into()),
        }
    }

    /// Keeps a secret in its file. True where it replaces another.
    ///
    /// # Errors
    ///
    /// [`AppError`] for a name or a text that cannot be one, and where the
    /// file cannot be written.
    pub fn set_secret(&self, name: &str, secret: &Secret) -> Result<bool, AppError> {
        check(name)?;
        let text = secret.expose();
        if text.is_empty() {
            return Err(AppError::wrong(format!(
                "the secret `{name}` would be empty; `relata secret remove {name}` removes it"
            )));
        }
        if text.len() > LONGEST {
            return Err(AppError::wrong(format!(
                "the secret `{name}` has {} bytes; at most {LONGEST} are kept",
                text.len()
            )));
        }
        let folder = self.directory().secrets();
        make_private(&folder)?;
        let file = folder.join(name);
        let replaces = file.exists();
        write(&folder, &file, text)?;
        Ok(replaces)
    }

    /// Removes a secret's file.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where there is none.
    pub fn remove_secret(&self, name: &str) -> Result<(), AppError> {
        check(name)?;
        let file = self.directory().secrets().join(name);
        match fs::remove_file(&file) {
            Ok(()) => Ok(()),
            Err(why) if why.kind() == io::ErrorKind::NotFound => {
                if self.inner.secrets.contains_key(name) {
                    return Err(AppError::wrong(format!(
                        "the secret `{name}` comes from the environment; take the variable away there"
                    )));
                }
                let names = self.secret_names()?;
                let hint = text::nearest(name, names.iter().map(String::as_str))
                    .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                Err(AppError::wrong(format!("there is no secret `{name}`{hint}")))
            }
            Err(why) => Err(failed("remove", &file)(why).into()),
        }
    }
}

fn failed(doing: &'static str, file: &Path) -> impl FnOnce(io::Error) -> ConfigError {
    let file = file.to_owned();
    move |why| ConfigError::Io { doing, file, why }
}

/// Reads a secret's file, if nobody else can.
fn read(file: &Path) -> Result<Zeroizing<String>, ConfigError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let mode = fs::metadata(file).map_err(failed("read", file))?.mode();
        if mode & 0o077 != 0 {
            return Err(ConfigError::Wrong {
                file: file.to_owned(),
                why: format!("others on this machine may read it; `chmod 600 {}`", file.display()),
            });
        }
    }
    fs::read_to_string(file).map(Zeroizing::new).map_err(failed("read", file))
}

/// Makes the folder, or takes it away from others.
fn make_private(folder: &Path) -> Result<(), ConfigError> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Ok(()) => {
            // Data directories are kept in git; what is in this folder is not.
            let ignore = folder.join(".gitignore");
            fs::write(&ignore, "*\n").map_err(failed("write", &ignore))?;
        }
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
                    .map_err(failed("protect", folder))?;
            }
        }
        Err(why) => return Err(failed("create", folder)(why)),
    }
    Ok(())
}

/// Writes a file that is there as a whole or not at all.
fn write(folder: &Path, file: &Path, text: &str) -> Result<(), ConfigError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let draft: PathBuf = folder.join(format!(".{name}.new"));
    // One that a crash left behind may have another mode.
    match fs::remove_file(&draft) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => {
            return Err(failed("replace", &draft)(why));
        }
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut written = options.open(&draft).map_err(failed("create", &draft))?;
    written
        .write_all(text.as_bytes())
        .and_then(|()| written.sync_all())
        .map_err(failed("write", &draft))?;
    fs::rename(&draft, file).map_err(failed("write", file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_as_nothing() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?} {secret:#?}"), "(secret) Secret(…) Secret(…)");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn each_name_has_one_variable() {
        for (variable, name) in [
            ("RELATA_SECRET_SHOP_WEBHOOK", Some("shop-webhook")),
            ("RELATA_SECRET_A1", Some("a1")),
            ("RELATA_SECRET_", None),
            ("RELATA_SECRET_1", None),
            ("RELATA_DATA", None),
        ] {
            assert_eq!(secret_of_variable(variable).as_deref(), name, "{variable}");
        }
    }
}

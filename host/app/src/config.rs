//! `relata.toml` and the layout of a data directory.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use relata_channels::{HttpConfig, MailConfig};
use relata_model::TimeZone;
use relata_store::DatabaseUrl;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::AppError;

/// What `relata.toml` says.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The company's name, as mails say it.
    pub company: String,
    /// The zone of times that name none: an IANA name.
    pub time_zone: String,
    /// Where customers reach this host: `https://desk.example.com`. Links in mails
    /// begin with it; without it mails have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// A rehearsal: the clock is moved by hand.
    #[serde(default)]
    pub rehearsal: bool,
    /// How mails go out.
    pub mail: MailConfig,
    /// Where traces go, if anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traces: Option<crate::TracesConfig>,
    /// How plugins' requests to web services go out.
    #[serde(default)]
    pub http: HttpConfig,
    /// Whose plugins are run.
    #[serde(default)]
    pub plugins: crate::PluginsConfig,
    /// Where the records are, if not in a file of the data directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseConfig>,
    /// How much of an action is at work at once, and how fast it begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<crate::ActionLimit>,
    /// For how long what is over is kept; for ever, if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<crate::Retention>,
}

/// The section `[database]` of `relata.toml`.
#[derive(Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `postgres://USER@HOST/DATABASE`. A password stands better in the
    /// variable `PGPASSWORD` or in `~/.pgpass`.
    pub url: String,
}

impl std::fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // It may hold a password.
        f.write_str("DatabaseConfig")
    }
}

impl Config {
    /// The database that it names.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where that is no address of one.
    pub(crate) fn database_url(&self) -> Result<Option<DatabaseUrl>, AppError> {
        let Some(database) = &self.database else { return Ok(None) };
        let read = database.url.parse::<DatabaseUrl>();
        read.map(Some).map_err(|why| AppError::wrong(format!("relata.toml, [database]: {why}")))
    }
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no `relata.toml`.
    #[error("{} is not a data directory: it has no relata.toml; make one with `relata init {}`", .0.display(), .0.display())]
    NotThere(PathBuf),
    /// The directory is in use for something else.
    #[error("{} is not empty; `relata init` wants a new or empty directory", .0.display())]
    NotEmpty(PathBuf),
    /// The file does not read.
    #[error("{} does not read: {why}", .file.display())]
    Wrong {
        /// The file.
        file: PathBuf,
        /// What is wrong, with line and column.
        why: String,
    },
    /// The file system refused.
    #[error("cannot {doing} {}: {why}", .file.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        file: PathBuf,
        /// Why not.
        why: io::Error,
    },
}

/// A data directory: `relata.toml`, `workflows/`, `objects/`, `templates/`
/// and the database.
#[derive(Debug, Clone)]
pub struct DataDirectory {
    root: PathBuf,
}

/// The commented file that `relata init` writes.
const FIRST_CONFIG: &str = r#"# Relata's settings. The records, runs and mails lie in relata.db beside this file.

# The name that mails are written in.
company = "COMPANY"

# The zone of times that name none.
time_zone = "Europe/Berlin"

# Where customers reach `relata serve`, for the links in mails; without it mails ask
# for a reply instead (docs/surveys-and-forms.md).
#
# public_url = "https://desk.example.com"

# A rehearsal has a clock that only `relata clock` moves.
rehearsal = REHEARSAL

# The records lie in relata.db, unless a PostgreSQL database is named; several
# hosts may share one (docs/operations.md). The password is better in PGPASSWORD.
#
# [database]
# url = "postgres://relata@db.example.com/relata?sslmode=verify-full"

[mail]
from = "COMPANY <hello@example.com>"

# Mails as files: nothing leaves this machine.
[mail.transport]
kind = "directory"
path = "mail"

# To send through a server, replace the three lines above by these. The
# password is read from the environment, never from a file.
#
# [mail.transport]
# kind = "smtp"
# host = "smtp.example.com"
# port = 587
# security = "starttls"          # starttls, tls or none
# username = "relata"
# password_env = "RELATA_SMTP_PASSWORD"

# The mailbox that customers write to: its mails become tickets (docs/intake.md).
#
# [mail.inbox]
# host = "imap.example.com"
# username = "support@example.com"
# password_env = "RELATA_IMAP_PASSWORD"
# queue = "support"

# Plugins call web services in the open internet alone, unless a host of this
# network is named here.
#
# [http]
# private_hosts = ["erp.internal"]

# What a service behind an action takes, for all workflows (docs/language.md).
#
# [[limits]]
# action = "enrich.company"
# at_once = 2
# pace = "60 per minute"

# Whose plugins are installed and run (docs/plugins/operators.md).
#
# [plugins]
# require_signature = true
#
# [plugins.trusted]
# NAME = "ed25519:…"
"#;

/// The shipped workflows, tests and templates that a new directory starts
/// with: the file's name there, and its text.
pub const SHIPPED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

impl DataDirectory {
    /// Makes a new one.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where the directory is in use or cannot be written.
    pub fn create(root: &Path, rehearsal: bool) -> Result<Self, ConfigError> {
        let io = |doing, file: &Path| {
            let file = file.to_owned();
            move |why| ConfigError::Io { doing, file, why }
        };
        if fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(ConfigError::NotEmpty(root.to_owned()));
        }
        for part in ["", "workflows", "objects", "templates"] {
            let path = root.join(part);
            fs::create_dir_all(&path).map_err(io("create", &path))?;
        }
        for (name, text) in SHIPPED {
            let path = root.join(name);
            fs::write(&path, text).map_err(io("write", &path))?;
        }
        let config = FIRST_CONFIG
            .replace("COMPANY", "Example Company")
            .replace("REHEARSAL", if rehearsal { "true" } else { "false" });
        let path = root.join("relata.toml");
        fs::write(&path, config).map_err(io("write", &path))?;
        Ok(Self { root: root.to_owned() })
    }

    /// An existing one, with its settings.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where it is none, or its settings do not read.
    pub fn open(root: &Path) -> Result<(Self, Config), ConfigError> {
        let directory = Self { root: root.to_owned() };
        let file = directory.root.join("relata.toml");
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(why) if why.kind() == io::ErrorKind::NotFound => {
                return Err(ConfigError::NotThere(root.to_owned()));
            }
            Err(why) => return Err(ConfigError::Io { doing: "read", file, why }),
        };
        let config: Config = toml::from_str(&text).map_err(|why| {
            // The whole message shows the line, which may hold a password.
            let why = match why.span() {
                Some(span) if text.contains("[database]") => {
                    let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
                    format!("line {line}: {}", why.message())
                }
                _ => why.to_string(),
            };
            ConfigError::Wrong { file: file.clone(), why }
        })?;
        if TimeZone::get(&config.time_zone).is_err() {
            return Err(ConfigError::Wrong {
                file,
                why: format!(
                    "`time_zone = \"{}\"` is not a zone; use an IANA name such as Europe/Berlin",
                    config.time_zone
                ),
            });
        }
        if let Some(why) = config.public_url.as_deref().and_then(wrong_public_url) {
            return Err(ConfigError::Wrong { file, why });
        }
        if let Some(why) = config.limits.iter().find_map(crate::ActionLimit::wrong) {
            return Err(ConfigError::Wrong { file, why });
        }
        if let Some(why) = config.retention.and_then(|retention| retention.wrong()) {
            return Err(ConfigError::Wrong { file, why });
        }
        Ok((directory, config))
    }

    /// A directory of which nothing is asked: a test's.
    pub(crate) const fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the database lies.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.root.join("relata.db")
    }

    /// The company's workflows.
    #[must_use]
    pub fn workflows(&self) -> PathBuf {
        self.root.join("workflows")
    }

    /// The company's own objects and fields.
    #[must_use]
    pub fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    /// The company's mail templates.
    #[must_use]
    pub fn templates(&self) -> PathBuf {
        self.root.join("templates")
    }

    /// Secrets, a file each.
    #[must_use]
    pub fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// Compiled plugins.
    #[must_use]
    pub fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// Held by the one program that moves runs.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.root.join("runner.lock")
    }
}

/// Why links cannot begin with this.
fn wrong_public_url(text: &str) -> Option<String> {
    let fits = Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "https" | "http")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    (!fits).then(|| {
        format!(
            "`public_url = \"{text}\"` is not where a browser finds this host; use an address such as https://desk.example.com"
        )
    })
}

/// All files of a folder with an extension, by name.
pub(crate) fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, ConfigError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => {
            return Err(ConfigError::Io { doing: "read", file: folder.to_owned(), why });
        }
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_begin_with_the_address_of_a_host() {
        for text in ["https://desk.example.com", "http://127.0.0.1:7373", "https://a.example/desk/"]
        {
            assert_eq!(wrong_public_url(text), None, "{text}");
        }
        for text in [
            "",
            "desk.example.com",
            "ftp://desk.example.com",
            "https://",
            "https://me@desk.example.com",
            "https://desk.example.com/?a=b",
            "https://desk.example.com/#a",
            "javascript:alert(1)",
        ] {
            assert!(wrong_public_url(text).is_some(), "{text}");
        }
    }
}

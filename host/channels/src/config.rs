//! The `[mail]` part of `relata.toml`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::InboxConfig;

/// How mails go out and come in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// Who they are from: `Example Company <hello@example.com>`.
    pub from: String,
    /// Where answers go; to `from` if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// The domain of Message-IDs, and the name by which this host greets the
    /// server; the domain of `from` if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// How much of the files of a message that comes in is kept, MiB, all of
    /// them together; what goes beyond it is named and not kept.
    #[serde(default = "usual_files")]
    pub attachment_max_mib: u32,
    /// The way out.
    pub transport: Transport,
    /// The mailbox that customers write to, if Relata reads one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbox: Option<InboxConfig>,
}

/// More than mail servers usually let through.
const fn usual_files() -> u32 {
    25
}

/// The way out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Transport {
    /// One `.eml` file a mail; nothing leaves the machine.
    Directory {
        /// Where to; made if it is missing.
        path: PathBuf,
    },
    /// A mail server.
    Smtp(Smtp),
}

/// A mail server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    /// Its name: `smtp.example.com`.
    pub host: String,
    /// Its port; by default 587 with `starttls`, 465 with `tls`, 25 with
    /// `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How the connection is secured.
    #[serde(default)]
    pub security: Security,
    /// Whom to log in as; nobody if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The environment variable that holds the password. The password itself
    /// is never in a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_env: Option<String>,
    /// A PEM file with the company's own certificate authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// How the connection to a mail server is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// It begins in the clear and must become TLS before anything is said.
    #[default]
    Starttls,
    /// TLS from the start.
    Tls,
    /// In the clear: for a server on this machine.
    None,
}

impl MailConfig {
    /// The same, with relative paths under a data directory.
    #[must_use]
    pub fn rooted_at(&self, root: &Path) -> Self {
        let mut config = self.clone();
        match &mut config.transport {
            Transport::Directory { path } => *path = root.join(&path),
            Transport::Smtp(smtp) => {
                smtp.ca_file = smtp.ca_file.as_ref().map(|path| root.join(path));
            }
        }
        if let Some(inbox) = &mut config.inbox {
            inbox.ca_file = inbox.ca_file.as_ref().map(|path| root.join(path));
        }
        config
    }
}

//! One error for all use cases; each room's own is its source.

use relata_channels::OciError;
use relata_model::FieldError;
use relata_package::{LockError, PackageError};
use relata_sandbox::{LoadError, ManifestError, SandboxError};
use relata_store::{BackupError, RecordError, StoreError};

use crate::{config::ConfigError, starts::listed, templates::TemplateError};

/// Why a use case did not work.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// What was asked for is wrong, and the sentence says how to mend it.
    #[error("{0}")]
    Wrong(String),
    /// What a workflow was to be started with is wrong: all of it.
    #[error("{}", told(.workflow, .takes, .wrong))]
    Inputs {
        /// The workflow.
        workflow: String,
        /// Its inputs, a line each.
        takes: Vec<String>,
        /// What is wrong.
        wrong: Vec<FieldError>,
    },
    /// A record refused the write, or a question about records is wrong.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The data directory or its settings are wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A mail template is wrong.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] StoreError),
    /// There is no backup, or a file is none.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// A plugin could not be loaded.
    #[error(transparent)]
    Plugin(#[from] LoadError),
    /// A plugin's `plugin.toml` is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A plugin's package is wrong.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// `relata.lock` is wrong.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A registry has not what was asked for, or does not give or take it.
    #[error(transparent)]
    Registry(#[from] OciError),
    /// The sandbox could not be set up.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The engine refused an input: a stale answer, or a formula that fails.
    #[error("{0}")]
    Rejected(String),
    /// Something that cannot be, was.
    #[error("{0}; this is a fault of ours, please report it")]
    Fault(String),
}

impl AppError {
    /// The request was wrong.
    pub(crate) fn wrong(why: impl Into<String>) -> Self {
        Self::Wrong(why.into())
    }

    /// Whether whoever asked can mend it.
    #[must_use]
    pub const fn is_wrong_input(&self) -> bool {
        match self {
            Self::Wrong(_)
            | Self::Inputs { .. }
            | Self::Config(_)
            | Self::Template(_)
            | Self::Plugin(_)
            | Self::Manifest(_)
            | Self::Package(_)
            | Self::Lock(_) => true,
            Self::Registry(why) => !why.is_of_the_registry(),
            Self::Record(why) => !matches!(why, RecordError::Store(_)),
            Self::Rejected(_) => true,
            Self::Backup(why) => {
                !matches!(why, BackupError::Store(_) | BackupError::Differs { .. })
            }
            Self::Store(_) | Self::Sandbox(_) | Self::Fault(_) => false,
        }
    }
}

/// All that is wrong with the inputs of a start, and what there are.
fn told(workflow: &str, takes: &[String], wrong: &[FieldError]) -> String {
    let mut text = format!("{workflow} cannot start with this:\n  {}", listed(wrong, "\n  "));
    if !takes.is_empty() {
        text.push_str(&format!("\nits inputs are\n  {}", takes.join("\n  ")));
    }
    text
}

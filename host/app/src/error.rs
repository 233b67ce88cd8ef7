//! One error for all use cases; each room's own is its source.

use relata_sandbox::SandboxError;
use relata_store::{StoreError, WriteError};

use crate::{config::ConfigError, templates::TemplateError};

/// Why a use case did not work.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// What was asked for is wrong, and the sentence says how to mend it.
    #[error("{0}")]
    Wrong(String),
    /// A record refused the write.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The data directory or its settings are wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A mail template is wrong.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] StoreError),
    /// A plugin could not be loaded.
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
            Self::Wrong(_) | Self::Config(_) | Self::Template(_) | Self::Sandbox(_) => true,
            Self::Write(why) => !matches!(why, WriteError::Store(_)),
            Self::Rejected(_) => true,
            Self::Store(_) | Self::Fault(_) => false,
        }
    }
}

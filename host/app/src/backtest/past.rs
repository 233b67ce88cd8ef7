//! The host of a call in a backtest: a plugin sees the records as they were.

use std::sync::Arc;

use relata_model::{Calendar, Record, Reference};
use relata_sandbox::contract::{Code, HostError};

use crate::{AppError, backtest::knowledge::Knowledge};

/// What a plugin is told instead of the store's answers. It owns what the
/// replay knows for as long as the call takes.
pub(crate) struct Past {
    pub(crate) knowledge: Box<Knowledge>,
    /// Whether the plugin asked for something that cannot be told of the
    /// past, whatever it made of the refusal.
    pub(crate) asked_too_much: bool,
}

impl Past {
    /// Lends what a replay knows.
    pub(crate) fn new(knowledge: Box<Knowledge>) -> Self {
        Self { knowledge, asked_too_much: false }
    }

    /// A record as it was.
    pub(crate) async fn record(
        &mut self,
        reference: &Reference,
    ) -> Result<Option<Record>, AppError> {
        Ok(self.knowledge.record(reference).await?.map(Arc::unwrap_or_clone))
    }

    /// A calendar as it was.
    pub(crate) async fn calendar(&mut self, key: &str) -> Result<Option<Calendar>, AppError> {
        self.knowledge.calendar(key).await
    }

    /// Refuses what only the store could answer, and only as of now.
    pub(crate) fn cannot_tell(&mut self, what: &str) -> HostError {
        self.asked_too_much = true;
        HostError::new(Code::Permanent, format!("a backtest cannot tell {what}"))
    }
}

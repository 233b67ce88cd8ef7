//! The host of a call in a backtest, or of one that is made again: a plugin sees
//! the records as they were.

use std::{collections::BTreeSet, sync::Arc};

use relata_model::{Calendar, Record, Reference};
use relata_sandbox::contract::{Code, HostError};

use crate::{AppError, backtest::knowledge::Knowledge};

/// What a plugin is told instead of the store's answers. It owns what the
/// replay knows for as long as the call takes.
pub(crate) struct Past {
    pub(crate) knowledge: Box<Knowledge>,
    /// What the plugin asked for that cannot be told of the past, whatever it
    /// made of the refusal.
    pub(crate) unknown: BTreeSet<&'static str>,
}

impl Past {
    /// Lends what a replay knows.
    pub(crate) fn new(knowledge: Box<Knowledge>) -> Self {
        Self { knowledge, unknown: BTreeSet::new() }
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
    pub(crate) fn cannot_tell(&mut self, what: &'static str) -> HostError {
        self.unknown.insert(what);
        HostError::new(Code::Permanent, format!("nobody knows any more {what}"))
    }
}

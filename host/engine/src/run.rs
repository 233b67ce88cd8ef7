//! A run: its state, and the events that make it.

use std::collections::{BTreeMap, BTreeSet};

use relata_model::{Reference, RunId, Timestamp, Value};
use relata_workflow::StepId;
use serde::{Deserialize, Serialize};

use crate::{Happening, Watch};

/// A run of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The workflow's name.
    pub workflow: String,
    /// The digest of the workflow's version.
    pub version: String,
    /// The record it is about.
    pub subject: Option<Reference>,
    /// The value of `one_per`, as text.
    pub key: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// How many events it has applied; the sequence of the step log.
    pub seq: u64,
    /// How it stands.
    pub status: Status,
    /// Where it stands.
    pub state: State,
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Has something to do, now or at a time.
    Active,
    /// Has ended.
    Ended(Outcome),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// After its last step.
    Done,
    /// By `stop_if`, `stop_unless` or `stop_when`; with the outcome's name.
    Stopped {
        /// `stopped`, or what the workflow calls it.
        outcome: String,
        /// Why, for people.
        why: String,
    },
    /// A step failed for good. `on_error` has run, if there is one.
    Failed {
        /// The step's path.
        step: String,
        /// The error's sentence.
        why: String,
    },
    /// A person ended it, or a newer run or version took its place.
    Cancelled {
        /// Why, for people.
        why: String,
    },
}

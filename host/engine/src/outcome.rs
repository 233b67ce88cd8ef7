//! How a run ends.

use serde::{Deserialize, Serialize};

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
        /// The step's path; `outputs` where the run's outputs had no value.
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

impl Outcome {
    /// One word for it: `done`, `stopped`, `failed` or `cancelled`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Stopped { .. } => "stopped",
            Self::Failed { .. } => "failed",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    /// A sentence for people.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Done => "all steps are done".to_owned(),
            Self::Stopped { outcome, why } if outcome == "stopped" => format!("stopped: {why}"),
            Self::Stopped { outcome, why } => format!("stopped as {outcome}: {why}"),
            Self::Failed { step, why } => format!("failed at {step}: {why}"),
            Self::Cancelled { why } => format!("cancelled: {why}"),
        }
    }

    /// What it comes to where a step of `finally` fails: the run has not done
    /// all of its steps, and whatever else it was, it stays.
    pub(crate) fn with_failure(self, step: &str, why: String) -> Self {
        match self {
            Self::Done => Self::Failed { step: step.to_owned(), why },
            other => other.and_then(&format!("finally failed at {step}: {why}")),
        }
    }

    /// What it comes to where somebody ends `finally`.
    pub(crate) fn with_cancellation(self, why: &str) -> Self {
        match self {
            Self::Done => Self::Cancelled { why: why.to_owned() },
            other => other.and_then(&format!("finally was cancelled: {why}")),
        }
    }

    fn and_then(mut self, what: &str) -> Self {
        match &mut self {
            Self::Done => {}
            Self::Stopped { why, .. } | Self::Failed { why, .. } | Self::Cancelled { why } => {
                why.push_str("; then ");
                why.push_str(what);
            }
        }
        self
    }
}

//! What happens to a run, one entry of its step log each.

use std::collections::BTreeMap;

use relata_model::{Duration, Reference, RunId, Timestamp, Value};
use relata_workflow::{BlockId, StepId};
use serde::{Deserialize, Serialize};

use crate::{GAVE_UP, Happening, Outcome, Rounds, Watch};

/// One entry of a run's step log. A run is the sum of its events; each says
/// all that its part of the state depends on, so that none is ever computed
/// again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The run began.
    Started {
        /// When.
        at: Timestamp,
        /// What started it, for people.
        explanation: String,
    },
    /// A step ended, and the run goes on behind it.
    StepDone {
        /// The step.
        step: StepId,
        /// Which round of which loop.
        rounds: Rounds,
        /// The attempt that did it; 1 for steps that call nothing.
        attempt: u32,
        /// When.
        at: Timestamp,
        /// Its result; nothing where it has none, was skipped, or what it
        /// waited for did not come.
        output: Value,
        /// The block that runs next, before the step behind this one.
        enter: Option<BlockId>,
        /// Whether a call ended it (and not, say, a formula that failed).
        called: bool,
        /// Why it ended so, with the values, for people.
        explanation: String,
    },
    /// A call failed.
    AttemptFailed {
        /// The step.
        step: StepId,
        /// Which round of which loop.
        rounds: Rounds,
        /// Which attempt.
        attempt: u32,
        /// When.
        at: Timestamp,
        /// How.
        failure: StepFailure,
        /// When it is tried again; if none, the step has failed for good.
        retry_at: Option<Timestamp>,
    },
    /// The plugin asked to be called again later. That is no failure.
    Postponed {
        /// The step.
        step: StepId,
        /// Which round of which loop.
        rounds: Rounds,
        /// Which attempt.
        attempt: u32,
        /// When.
        at: Timestamp,
        /// Until when.
        until: Timestamp,
        /// Why, in the plugin's words.
        reason: String,
    },
    /// A `wait` or `wait_for` began.
    WaitBegan {
        /// The step.
        step: StepId,
        /// Which round of which loop.
        rounds: Rounds,
        /// When.
        at: Timestamp,
        /// When it ends by itself; never if none.
        until: Option<Timestamp>,
        /// What it listens for.
        watches: Vec<Watch>,
        /// What it waits for, for people.
        explanation: String,
    },
    /// The clock of a `deadline` began to run.
    DeadlineBegan {
        /// The step.
        step: StepId,
        /// Which round of which loop.
        rounds: Rounds,
        /// When.
        at: Timestamp,
        /// The whole time, in milliseconds of its clock.
        budget_ms: i64,
        /// Whether its clock runs in opening hours alone.
        working: bool,
        /// Whether it stands at the beginning.
        paused: bool,
        /// The records on which its conditions depend.
        records: Vec<Reference>,
        /// The time and the conditions, for people.
        explanation: String,
    },
    /// The clock of a `deadline` was read: it stands or runs on from here,
    /// or depends on other records.
    ClockRead {
        /// The step.
        step: StepId,
        /// Which round of which loop.
        rounds: Rounds,
        /// When.
        at: Timestamp,
        /// The time on the clock, in milliseconds.
        ran_ms: i64,
        /// Whether it stands from here.
        paused: bool,
        /// The records on which its conditions depend.
        records: Vec<Reference>,
        /// Why, with the values, for people.
        explanation: String,
    },
    /// A share of a deadline has gone by.
    LevelReached {
        /// The step.
        step: StepId,
        /// Which round of which loop.
        rounds: Rounds,
        /// When.
        at: Timestamp,
        /// Which level, from 0.
        level: u32,
        /// What runs.
        enter: BlockId,
        /// The share and the time, for people.
        explanation: String,
    },
    /// A `for_each` began.
    LoopBegan {
        /// The step.
        step: StepId,
        /// Which round of which loop around it.
        rounds: Rounds,
        /// When.
        at: Timestamp,
        /// What it goes through.
        items: Vec<Value>,
        /// How many there are, for people.
        explanation: String,
    },
    /// The next items of a `for_each` had their turn, and `only_if` does not
    /// hold for them.
    ItemsLeftOut {
        /// The step.
        step: StepId,
        /// Which round of which loop around it.
        rounds: Rounds,
        /// When.
        at: Timestamp,
        /// How many.
        count: u32,
        /// Which, and why, for people.
        explanation: String,
    },
    /// The next item of a `for_each` began.
    ItemBegan {
        /// The step.
        step: StepId,
        /// Which round of which loop around it.
        rounds: Rounds,
        /// When.
        at: Timestamp,
        /// Which, from 1.
        number: u32,
        /// What runs for it.
        enter: BlockId,
        /// When the one after it may begin, where there is a pace.
        not_before: Option<Timestamp>,
        /// The item, for people.
        explanation: String,
    },
    /// The branches of a `parallel` began.
    BranchesBegan {
        /// The step.
        step: StepId,
        /// Which round of which loop around it.
        rounds: Rounds,
        /// When.
        at: Timestamp,
        /// What runs, a branch each.
        enter: Vec<BlockId>,
        /// How many there are, for people.
        explanation: String,
    },
    /// Another workflow was started by `run:`, and is waited for.
    ChildBegan {
        /// The step.
        step: StepId,
        /// Which round of which loop.
        rounds: Rounds,
        /// When.
        at: Timestamp,
        /// The run that was started.
        run: RunId,
        /// When it is too late.
        until: Option<Timestamp>,
        /// What was started, for people.
        explanation: String,
    },
    /// Something happened that a later `wait_for` with `since` may ask for.
    Noted {
        /// When it was noted.
        at: Timestamp,
        /// What.
        happening: Happening,
    },
    /// A step failed for good.
    StepFailed {
        /// The step.
        step: StepId,
        /// Which round of which loop.
        rounds: Rounds,
        /// When.
        at: Timestamp,
        /// How.
        failure: StepFailure,
        /// The block that runs next: `on_error`. None where there is none, or
        /// where it is itself what failed, or `finally`.
        handler: Option<BlockId>,
    },
    /// It is decided how the run ends, and `finally` runs before it does.
    Ending {
        /// The step that stopped it, if one did.
        step: Option<StepId>,
        /// In which round of which loop that step stands.
        rounds: Rounds,
        /// When.
        at: Timestamp,
        /// How.
        outcome: Outcome,
        /// What it yields, by name; nothing where it yields nothing.
        outputs: Value,
        /// The block of `finally`.
        enter: BlockId,
    },
    /// The run is over.
    Ended {
        /// The step that stopped it, if one did.
        step: Option<StepId>,
        /// In which round of which loop that step stands.
        rounds: Rounds,
        /// When.
        at: Timestamp,
        /// How.
        outcome: Outcome,
        /// What it yields, by name; nothing where it yields nothing.
        outputs: Value,
    },
    /// The run had ended, and somebody lets it go on.
    Retried {
        /// At which step; none where only its outputs are made again.
        step: Option<StepId>,
        /// In which round of which loop that step stands.
        rounds: Rounds,
        /// When.
        at: Timestamp,
        /// The values that are others from now on, by name.
        values: BTreeMap<String, Value>,
        /// Where, and who wants it, for people.
        explanation: String,
    },
}

/// Why a step did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct StepFailure {
    /// A word for programs: `rate-limited`, `formula`.
    pub code: String,
    /// A sentence for people: what was tried, on what, and how to mend it.
    pub message: String,
    /// Trying again will not help.
    pub permanent: bool,
    /// The least pause before the next attempt, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl StepFailure {
    /// A formula had no value: trying again will not help.
    pub(crate) fn formula(message: impl Into<String>) -> Self {
        Self {
            code: "formula".to_owned(),
            message: message.into(),
            permanent: true,
            retry_after_ms: None,
        }
    }
}

impl Event {
    /// The step that it is about; none for the run as a whole.
    #[must_use]
    pub const fn step(&self) -> Option<StepId> {
        match self {
            Self::StepDone { step, .. }
            | Self::AttemptFailed { step, .. }
            | Self::Postponed { step, .. }
            | Self::WaitBegan { step, .. }
            | Self::DeadlineBegan { step, .. }
            | Self::ClockRead { step, .. }
            | Self::LevelReached { step, .. }
            | Self::LoopBegan { step, .. }
            | Self::ItemsLeftOut { step, .. }
            | Self::ItemBegan { step, .. }
            | Self::BranchesBegan { step, .. }
            | Self::ChildBegan { step, .. }
            | Self::StepFailed { step, .. } => Some(*step),
            Self::Ending { step, .. } | Self::Ended { step, .. } | Self::Retried { step, .. } => {
                *step
            }
            Self::Started { .. } | Self::Noted { .. } => None,
        }
    }

    /// In which round of which loop its step stands; none for the run as a
    /// whole.
    #[must_use]
    pub const fn rounds(&self) -> Option<&Rounds> {
        match self {
            Self::StepDone { rounds, .. }
            | Self::AttemptFailed { rounds, .. }
            | Self::Postponed { rounds, .. }
            | Self::WaitBegan { rounds, .. }
            | Self::DeadlineBegan { rounds, .. }
            | Self::ClockRead { rounds, .. }
            | Self::LevelReached { rounds, .. }
            | Self::LoopBegan { rounds, .. }
            | Self::ItemsLeftOut { rounds, .. }
            | Self::ItemBegan { rounds, .. }
            | Self::BranchesBegan { rounds, .. }
            | Self::ChildBegan { rounds, .. }
            | Self::StepFailed { rounds, .. }
            | Self::Ending { rounds, .. }
            | Self::Ended { rounds, .. }
            | Self::Retried { rounds, .. } => Some(rounds),
            Self::Started { .. } | Self::Noted { .. } => None,
        }
    }

    /// When.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Started { at, .. }
            | Self::StepDone { at, .. }
            | Self::AttemptFailed { at, .. }
            | Self::Postponed { at, .. }
            | Self::WaitBegan { at, .. }
            | Self::DeadlineBegan { at, .. }
            | Self::ClockRead { at, .. }
            | Self::LevelReached { at, .. }
            | Self::LoopBegan { at, .. }
            | Self::ItemsLeftOut { at, .. }
            | Self::ItemBegan { at, .. }
            | Self::BranchesBegan { at, .. }
            | Self::ChildBegan { at, .. }
            | Self::Noted { at, .. }
            | Self::StepFailed { at, .. }
            | Self::Ending { at, .. }
            | Self::Ended { at, .. }
            | Self::Retried { at, .. } => *at,
        }
    }

    /// One word for it, for lists and programs.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::StepDone { .. } => "done",
            Self::AttemptFailed { .. } => "attempt_failed",
            Self::Postponed { .. } => "postponed",
            Self::WaitBegan { .. } => "waiting",
            Self::DeadlineBegan { .. } => "deadline",
            Self::ClockRead { .. } => "clock",
            Self::LevelReached { .. } => "level",
            Self::LoopBegan { .. } => "items",
            Self::ItemsLeftOut { .. } => "left_out",
            Self::ItemBegan { .. } => "item",
            Self::BranchesBegan { .. } => "branches",
            Self::ChildBegan { .. } => "run",
            Self::Noted { .. } => "noted",
            Self::StepFailed { failure, .. } if failure.code == GAVE_UP => "gave_up",
            Self::StepFailed { .. } => "failed",
            Self::Ending { .. } => "ending",
            Self::Ended { .. } => "ended",
            Self::Retried { .. } => "retried",
        }
    }

    /// Which attempt of the step it is about; 1 for the first.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        match self {
            Self::StepDone { attempt, .. }
            | Self::AttemptFailed { attempt, .. }
            | Self::Postponed { attempt, .. } => *attempt,
            _ => 1,
        }
    }

    /// Whether it says what came of a call.
    #[must_use]
    pub const fn answers_call(&self) -> bool {
        match self {
            Self::StepDone { called, .. } => *called,
            Self::AttemptFailed { .. } | Self::Postponed { .. } => true,
            _ => false,
        }
    }

    /// Whether its step has ended with it.
    #[must_use]
    pub const fn ends_step(&self) -> bool {
        matches!(self, Self::StepDone { .. } | Self::StepFailed { .. })
    }

    /// The step's result, or what the run yields, if there is any.
    #[must_use]
    pub const fn output(&self) -> Option<&Value> {
        match self {
            Self::StepDone { output, .. } | Self::Ended { outputs: output, .. }
                if !output.is_nothing() =>
            {
                Some(output)
            }
            _ => None,
        }
    }

    /// What failed, if anything did.
    #[must_use]
    pub const fn failure(&self) -> Option<&StepFailure> {
        match self {
            Self::AttemptFailed { failure, .. } | Self::StepFailed { failure, .. } => Some(failure),
            _ => None,
        }
    }

    /// Why it is so, for people.
    #[must_use]
    pub fn explanation(&self) -> String {
        match self {
            Self::Started { explanation, .. }
            | Self::StepDone { explanation, .. }
            | Self::WaitBegan { explanation, .. }
            | Self::DeadlineBegan { explanation, .. }
            | Self::ClockRead { explanation, .. }
            | Self::LevelReached { explanation, .. }
            | Self::LoopBegan { explanation, .. }
            | Self::ItemsLeftOut { explanation, .. }
            | Self::ItemBegan { explanation, .. }
            | Self::BranchesBegan { explanation, .. }
            | Self::ChildBegan { explanation, .. }
            | Self::Retried { explanation, .. } => explanation.clone(),
            Self::AttemptFailed { failure, retry_at: Some(until), attempt, at, .. } => {
                format!(
                    "attempt {attempt} failed: {failure}; tried again in {}",
                    pause(*at, *until)
                )
            }
            Self::AttemptFailed { failure, retry_at: None, attempt, .. } => {
                format!("attempt {attempt} failed: {failure}")
            }
            Self::Postponed { until, reason, at, .. } => {
                format!("{reason}; called again in {}", pause(*at, *until))
            }
            Self::Noted { happening, .. } => happening.describe(),
            Self::StepFailed { failure, handler: Some(_), .. } => {
                format!("failed for good: {failure}; on_error runs")
            }
            Self::StepFailed { failure, handler: None, .. } => {
                format!("failed for good: {failure}")
            }
            Self::Ending { outcome, .. } => format!("{}; finally runs", outcome.describe()),
            Self::Ended { outcome, .. } => outcome.describe(),
        }
    }
}

/// A pause for a sentence, in whole seconds.
fn pause(from: Timestamp, until: Timestamp) -> Duration {
    let millis = until.as_millisecond().saturating_sub(from.as_millisecond());
    Duration::from_millis(millis / 1_000 * 1_000)
}

//! A run: its state, and what each event makes of it.

use std::collections::{BTreeMap, BTreeSet};

use relata_model::{Reference, RunId, Timestamp, Value};
use relata_workflow::{BlockId, Definition, Step, StepId};
use serde::{Deserialize, Serialize};

use crate::{Event, Happening, StepFailure, Watch, occurrence};

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

impl Outcome {
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
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    /// The blocks it is in, the innermost last. Empty: past the last step.
    pub frames: Vec<Frame>,
    /// The subject and the results so far, by name.
    pub variables: BTreeMap<String, Value>,
    /// When each step with a name ended last.
    pub done: BTreeMap<String, Timestamp>,
    /// The steps that it has passed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub passed: BTreeSet<StepId>,
    /// What happened that a later `wait_for` with `since` may ask for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inbox: Vec<Happening>,
    /// The step that failed for good (its path), and why, once one has. From
    /// then on `on_error` runs, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<(String, String)>,
    /// How many runs stand between it and a person or the outside world.
    #[serde(default)]
    pub depth: u32,
}

impl State {
    /// How many runs stand between it and a person or the outside world: 0
    /// where a person's change started it. What it does itself lies one
    /// deeper.
    #[must_use]
    pub const fn depth(&self) -> u32 {
        self.depth
    }
}

/// A block that a run is in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// The block.
    pub block: BlockId,
    /// The place in it of the step whose turn it is.
    pub next: u32,
    /// Which round of a loop, from 0.
    #[serde(default)]
    pub iteration: u32,
    /// What that step is at, if it has begun.
    pub pending: Option<Pending>,
}

/// What a step that has begun is at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pending {
    /// An action was called, and will be called again.
    Calling {
        /// Which attempt comes next.
        attempt: u32,
        /// How many failed.
        failures: u32,
        /// How often the plugin put it off.
        postponed: u32,
        /// Not before this time.
        not_before: Timestamp,
    },
    /// An action was called, and will not be called again: its step has
    /// failed for good.
    GivenUp {
        /// The attempt that was the last.
        attempt: u32,
        /// How it failed.
        failure: StepFailure,
    },
    /// A `wait` or `wait_for`.
    Waiting {
        /// Since when.
        began: Timestamp,
        /// When it ends by itself.
        until: Option<Timestamp>,
        /// What it listens for.
        watches: Vec<Watch>,
    },
    /// A `deadline`.
    Deadline(Clock),
}

/// The clock of a deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// When it began.
    pub began: Timestamp,
    /// The whole time, in milliseconds of this clock.
    pub budget_ms: i64,
    /// Whether it runs in opening hours alone.
    pub working: bool,
    /// What it showed when it was read last, in milliseconds.
    pub ran_ms: i64,
    /// When it was read last.
    pub read_at: Timestamp,
    /// Whether it stands since then.
    pub paused: bool,
    /// How many levels it has reached.
    pub levels: u32,
    /// The records on which its conditions depend.
    pub records: Vec<Reference>,
}

/// What a run begins with.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// The run's id.
    pub id: RunId,
    /// The digest of the workflow's version.
    pub version: String,
    /// The record it is about.
    pub subject: Option<Reference>,
    /// The value of `one_per`, as text.
    pub key: Option<String>,
    /// What started it; none for a schedule or a person.
    pub happening: Option<Happening>,
    /// The time.
    pub now: Timestamp,
}

impl Run {
    /// A new run, and the first entry of its log, which it has applied.
    #[must_use]
    pub fn start(def: &Definition, start: Start) -> (Self, Vec<Event>) {
        let explanation =
            start.happening.as_ref().map_or_else(|| "started".to_owned(), Happening::describe);
        let event = Event::Started { at: start.now, explanation };
        let mut run = Self::new(def, start);
        run.apply(def, &event);
        (run, vec![event])
    }

    /// The run that a log makes, [`Event::Started`] being its first entry.
    #[must_use]
    pub fn replay(def: &Definition, start: Start, journal: &[Event]) -> Self {
        let mut run = Self::new(def, start);
        for event in journal {
            run.apply(def, event);
        }
        run
    }

    fn new(def: &Definition, start: Start) -> Self {
        let mut state = State {
            depth: start.happening.as_ref().map_or(0, |happening| happening.depth),
            ..State::default()
        };
        if let Some(subject) = &start.subject {
            let name = def.subject.as_ref().unwrap_or(&subject.object);
            state.variables.insert(name.clone(), Value::Reference(subject.clone()));
        }
        Self {
            id: start.id,
            workflow: def.name.clone(),
            version: start.version,
            subject: start.subject,
            key: start.key,
            started_at: start.now,
            seq: 0,
            status: Status::Active,
            state,
        }
    }

    /// Makes one event part of the state. An event that does not fit (of
    /// another definition, say) moves the sequence and nothing else.
    pub fn apply(&mut self, def: &Definition, event: &Event) {
        self.seq += 1;
        match event {
            Event::Started { .. } => self.enter(def, def.main, 0),
            Event::StepDone { step, at, output, enter, .. } => {
                self.step_done(def, *step, *at, output, *enter);
            }
            Event::AttemptFailed { step, attempt, retry_at: Some(time), .. } => {
                self.called_again(def, *step, *attempt, *time, 1, 0);
            }
            Event::AttemptFailed { step, attempt, failure, retry_at: None, .. } => {
                if let Some(frame) = self.frame_at(def, *step) {
                    let (attempt, failure) = (*attempt, failure.clone());
                    frame.pending = Some(Pending::GivenUp { attempt, failure });
                }
            }
            Event::Postponed { step, attempt, until, .. } => {
                self.called_again(def, *step, *attempt, *until, 0, 1);
            }
            Event::WaitBegan { step, at, until, watches, .. } => {
                if let Some(frame) = self.frame_at(def, *step) {
                    let (until, watches) = (*until, watches.clone());
                    frame.pending = Some(Pending::Waiting { began: *at, until, watches });
                }
            }
            Event::DeadlineBegan { step, at, budget_ms, working, paused, records, .. } => {
                if let Some(frame) = self.frame_at(def, *step) {
                    frame.pending = Some(Pending::Deadline(Clock {
                        began: *at,
                        budget_ms: *budget_ms,
                        working: *working,
                        ran_ms: 0,
                        read_at: *at,
                        paused: *paused,
                        levels: 0,
                        records: records.clone(),
                    }));
                }
            }
            Event::ClockRead { step, at, ran_ms, paused, records, .. } => {
                if let Some(clock) = self.clock_at(def, *step) {
                    clock.ran_ms = *ran_ms;
                    clock.read_at = *at;
                    clock.paused = *paused;
                    clock.records.clone_from(records);
                }
            }
            Event::LevelReached { step, level, enter, iteration, .. } => {
                if let Some(clock) = self.clock_at(def, *step) {
                    clock.levels = level + 1;
                    self.enter(def, *enter, *iteration);
                }
            }
            Event::Noted { happening, .. } => {
                if !self.state.inbox.iter().any(|noted| noted.id == happening.id) {
                    self.state.inbox.push(happening.clone());
                }
            }
            Event::StepFailed { step, failure, handler, .. } => {
                let path = def.steps.get(step.0 as usize).map_or("", |step| &step.path);
                self.state.error = Some(match self.state.error.take() {
                    None => (path.to_owned(), failure.message.clone()),
                    Some((first, why)) => {
                        (first, format!("{why}; then on_error failed at {path}: {failure}"))
                    }
                });
                self.state.frames.clear();
                self.state.inbox.clear();
                if let Some(handler) = handler {
                    self.enter(def, *handler, 0);
                }
            }
            Event::Ended { outcome, .. } => {
                self.status = Status::Ended(outcome.clone());
                self.state.frames.clear();
                self.state.inbox.clear();
            }
        }
    }

    /// The step whose turn it is; none past the last one, or where the run
    /// does not fit the definition.
    #[must_use]
    pub fn current<'a>(&self, def: &'a Definition) -> Option<&'a Step> {
        self.state.frames.last().and_then(|frame| step_of(def, frame))
    }

    /// What the step whose turn it is is at.
    pub(crate) fn pending(&self) -> Option<&Pending> {
        self.state.frames.last().and_then(|frame| frame.pending.as_ref())
    }

    /// Which round of a loop it is in.
    pub(crate) fn iteration(&self) -> u32 {
        self.state.frames.last().map_or(0, |frame| frame.iteration)
    }

    /// Whether it has ended.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        matches!(self.status, Status::Ended(_))
    }

    fn step_done(
        &mut self,
        def: &Definition,
        step: StepId,
        at: Timestamp,
        output: &Value,
        enter: Option<BlockId>,
    ) {
        let Some(frame) = self.frame_at(def, step) else { return };
        frame.pending = None;
        frame.next += 1;
        let iteration = frame.iteration;
        self.state.passed.insert(step);
        if let Some(name) = def.steps.get(step.0 as usize).and_then(|step| step.name.as_ref()) {
            self.state.variables.insert(name.clone(), output.clone());
            self.state.done.insert(name.clone(), at);
        }
        match enter {
            Some(block) => self.enter(def, block, iteration),
            None => self.leave_finished(def),
        }
        self.forget(def);
    }

    fn called_again(
        &mut self,
        def: &Definition,
        step: StepId,
        attempt: u32,
        at: Timestamp,
        failed: u32,
        put_off: u32,
    ) {
        let Some(frame) = self.frame_at(def, step) else { return };
        let (failures, postponed) = match &frame.pending {
            Some(Pending::Calling { failures, postponed, .. }) => (*failures, *postponed),
            _ => (0, 0),
        };
        frame.pending = Some(Pending::Calling {
            attempt: attempt.saturating_add(1),
            failures: failures.saturating_add(failed),
            postponed: postponed.saturating_add(put_off),
            not_before: at,
        });
    }

    /// The innermost frame, if it stands at this step.
    fn frame_at(&mut self, def: &Definition, step: StepId) -> Option<&mut Frame> {
        let frame = self.state.frames.last_mut()?;
        (step_of(def, frame)?.id == step).then_some(frame)
    }

    /// The clock of a deadline that may lie under the block of a level.
    fn clock_at(&mut self, def: &Definition, step: StepId) -> Option<&mut Clock> {
        self.state
            .frames
            .iter_mut()
            .filter(|frame| step_of(def, frame).is_some_and(|at| at.id == step))
            .find_map(|frame| match &mut frame.pending {
                Some(Pending::Deadline(clock)) => Some(clock),
                _ => None,
            })
    }

    fn enter(&mut self, def: &Definition, block: BlockId, iteration: u32) {
        self.state.frames.push(Frame { block, next: 0, iteration, pending: None });
        self.leave_finished(def);
    }

    /// Leaves every block whose last step is done.
    fn leave_finished(&mut self, def: &Definition) {
        while let Some(frame) = self.state.frames.last() {
            let Some(block) = def.blocks.get(frame.block.0 as usize) else { return };
            if (frame.next as usize) < block.len() {
                return;
            }
            self.state.frames.pop();
        }
    }

    /// Drops what no later step can ask for.
    fn forget(&mut self, def: &Definition) {
        let mut inbox = std::mem::take(&mut self.state.inbox);
        inbox.retain(|happening| occurrence::is_wanted_later(def, self, happening));
        self.state.inbox = inbox;
    }
}

/// The step at which a frame stands.
pub(crate) fn step_of<'a>(def: &'a Definition, frame: &Frame) -> Option<&'a Step> {
    let block = def.blocks.get(frame.block.0 as usize)?;
    let step = block.get(frame.next as usize)?;
    def.steps.get(step.0 as usize)
}

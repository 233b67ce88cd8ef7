//! A run: its state, and what each event makes of it.

use std::collections::BTreeMap;

use relata_model::{EventId, Reference, RunId, Timestamp, Value};
use relata_workflow::{BlockId, Definition, StepId, StepKind};
use serde::{Deserialize, Serialize};

use crate::{
    Clock, DoneStep, Event, FailurePoint, Happening, Items, Outcome, Pending, Rounds, StepFailure,
    Strand, ahead, inputs,
};

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Reference>,
    /// The value of `one_per`, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The run that started it with `run:`, and waits for its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<RunId>,
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

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The lines along which it goes on, in order. The run's own
    /// ([`Rounds::main`]) is always there.
    pub strands: BTreeMap<Rounds, Strand>,
    /// What happened that a later `wait_for` with `since` may ask for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inbox: Vec<Happening>,
    /// The step that failed for good (its path), and why, once one has. From
    /// then on `on_error` runs, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<(String, String)>,
    /// How it ends, once that is decided and `finally` runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Outcome>,
    /// Where it stood when it failed for good, once it has: a retry goes back
    /// there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Box<FailurePoint>>,
    /// How often it had ended and was let go on.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// What it yields, by name, once its end is decided; nothing before, and
    /// where it yields nothing.
    #[serde(default = "nothing", skip_serializing_if = "Value::is_nothing")]
    pub outputs: Value,
    /// How many runs stand between it and a person or the outside world.
    #[serde(default)]
    pub depth: u32,
    /// What it all began with, for traces: the event that started it, or that
    /// of the run which started it. None where a person or a schedule did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<EventId>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

const fn nothing() -> Value {
    Value::Nothing
}

impl Default for State {
    fn default() -> Self {
        Self {
            strands: BTreeMap::from([(Rounds::main(), Strand::default())]),
            inbox: Vec::new(),
            error: None,
            ending: None,
            failure: None,
            retries: 0,
            outputs: Value::Nothing,
            depth: 0,
            origin: None,
        }
    }
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
    /// What it is given, by the names of the workflow's inputs. Those that
    /// are left out have their defaults.
    pub inputs: BTreeMap<String, Value>,
    /// What happened that started it; none for a schedule, a person or
    /// another run.
    pub happening: Option<Happening>,
    /// The run whose `run:` started it.
    pub parent: Option<Parent>,
    /// The time.
    pub now: Timestamp,
}

/// The run whose `run:` started another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parent {
    /// Its id.
    pub run: RunId,
    /// How many runs stand between the new one and a person or the outside
    /// world: one more than for the parent.
    pub depth: u32,
    /// What that run began with.
    pub origin: Option<EventId>,
}

impl Start {
    /// What started it, for people.
    fn explanation(&self) -> String {
        match (&self.happening, &self.parent) {
            (Some(happening), _) => happening.describe(),
            (None, Some(parent)) => format!("started by {}", parent.run),
            (None, None) => "started".to_owned(),
        }
    }
}

impl Run {
    /// A new run, and the first entry of its log, which it has applied.
    #[must_use]
    pub fn start(def: &Definition, start: Start) -> (Self, Vec<Event>) {
        let event = Event::Started { at: start.now, explanation: start.explanation() };
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

    fn new(def: &Definition, mut start: Start) -> Self {
        let variables =
            inputs::variables(def, std::mem::take(&mut start.inputs), start.subject.as_ref());
        let main = Strand { variables, ..Strand::default() };
        let depth = match (&start.happening, start.parent) {
            (Some(happening), _) => happening.depth,
            (None, Some(parent)) => parent.depth,
            (None, None) => 0,
        };
        let origin = match (&start.happening, start.parent) {
            (Some(happening), _) => Some(happening.id),
            (None, parent) => parent.and_then(|parent| parent.origin),
        };
        let strands = BTreeMap::from([(Rounds::main(), main)]);
        Self {
            id: start.id,
            workflow: def.name.clone(),
            version: start.version,
            subject: start.subject,
            key: start.key,
            parent: start.parent.map(|parent| parent.run),
            started_at: start.now,
            seq: 0,
            status: Status::Active,
            state: State { strands, depth, origin, ..State::default() },
        }
    }

    /// Whether it has ended.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        matches!(self.status, Status::Ended(_))
    }

    /// Makes one event part of the state. An event that does not fit (of
    /// another definition, say) moves the sequence and nothing else.
    pub fn apply(&mut self, def: &Definition, event: &Event) {
        self.seq += 1;
        match event {
            Event::Started { .. } => self.enter(def, &Rounds::main(), def.main),
            Event::StepDone { step, rounds, at, output, enter, .. } => {
                self.step_done(def, *step, rounds, *at, output, *enter);
            }
            Event::AttemptFailed { step, rounds, attempt, retry_at: Some(time), .. } => {
                self.called_again(def, *step, rounds, *attempt, *time, (1, 0));
            }
            Event::AttemptFailed { step, rounds, attempt, failure, retry_at: None, .. } => {
                let (attempt, failure) = (*attempt, failure.clone());
                self.begins(def, *step, rounds, Pending::GivenUp { attempt, failure });
            }
            Event::Postponed { step, rounds, attempt, until, .. } => {
                self.called_again(def, *step, rounds, *attempt, *until, (0, 1));
            }
            Event::WaitBegan { step, rounds, at, until, watches, .. } => {
                let (began, until, watches) = (*at, *until, watches.clone());
                self.begins(def, *step, rounds, Pending::Waiting { began, until, watches });
            }
            Event::ChildBegan { step, rounds, run, until, .. } => {
                let (run, until) = (*run, *until);
                self.begins(def, *step, rounds, Pending::Child { run, until });
            }
            Event::DeadlineBegan {
                step, rounds, at, budget_ms, working, paused, records, ..
            } => {
                let clock = Clock {
                    began: *at,
                    budget_ms: *budget_ms,
                    working: *working,
                    ran_ms: 0,
                    read_at: *at,
                    paused: *paused,
                    levels: 0,
                    records: records.clone(),
                };
                self.begins(def, *step, rounds, Pending::Deadline(clock));
            }
            Event::ClockRead { step, rounds, at, ran_ms, paused, records, .. } => {
                if let Some(clock) = self.clock_at(def, rounds, *step) {
                    clock.ran_ms = *ran_ms;
                    clock.read_at = *at;
                    clock.paused = *paused;
                    clock.records.clone_from(records);
                }
            }
            Event::LevelReached { step, rounds, level, enter, .. } => {
                if let Some(clock) = self.clock_at(def, rounds, *step) {
                    clock.levels = level + 1;
                    self.enter(def, rounds, *enter);
                }
            }
            Event::LoopBegan { step, rounds, items, .. } => {
                let items = Items {
                    left: items.iter().cloned().collect(),
                    turn: 0,
                    left_out: 0,
                    under_way: 0,
                    not_before: None,
                };
                self.begins(def, *step, rounds, Pending::Items(items));
            }
            Event::ItemsLeftOut { step, rounds, count, .. } => {
                if let Some(items) = self.items_at(def, rounds, *step) {
                    items.left.drain(..items.left.len().min(*count as usize));
                    items.turn += count;
                    items.left_out += count;
                }
            }
            Event::ItemBegan { step, rounds, number, enter, not_before, .. } => {
                self.item_began(def, *step, rounds, *number, *enter, *not_before);
            }
            Event::BranchesBegan { step, rounds, enter, .. } => {
                let left = u32::try_from(enter.len()).unwrap_or(u32::MAX);
                if self.begins(def, *step, rounds, Pending::Branches { left }) {
                    for (block, number) in enter.iter().zip(1..) {
                        self.begin(def, &rounds.inner(number), *block, BTreeMap::new());
                    }
                }
            }
            Event::Noted { happening, .. } => {
                if !self.state.inbox.iter().any(|noted| noted.id == happening.id) {
                    self.state.inbox.push(happening.clone());
                }
            }
            Event::StepFailed { step, rounds, failure, handler, .. } => {
                self.step_failed(def, *step, rounds, failure, *handler);
            }
            Event::Ending { outcome, outputs, enter, .. } => {
                if matches!(outcome, Outcome::Failed { .. }) {
                    self.keep_failure(None, &Rounds::main());
                }
                self.state.ending = Some(outcome.clone());
                self.state.outputs = outputs.clone();
                self.drop_strands();
                self.enter(def, &Rounds::main(), *enter);
                self.forget(def);
            }
            Event::Ended { outcome, outputs, .. } => {
                if matches!(outcome, Outcome::Failed { .. }) {
                    self.keep_failure(None, &Rounds::main());
                }
                self.status = Status::Ended(outcome.clone());
                self.state.ending = None;
                self.state.outputs = outputs.clone();
                self.drop_strands();
                self.state.inbox.clear();
            }
            Event::Retried { step, rounds, values, .. } => {
                self.retried(def, *step, rounds, values);
            }
        }
    }

    /// A step is at something. False where it is not its turn.
    fn begins(
        &mut self,
        def: &Definition,
        step: StepId,
        rounds: &Rounds,
        pending: Pending,
    ) -> bool {
        let frame = self.frame_at(def, rounds, step);
        frame.map(|frame| frame.pending = Some(pending)).is_some()
    }

    fn called_again(
        &mut self,
        def: &Definition,
        step: StepId,
        rounds: &Rounds,
        attempt: u32,
        not_before: Timestamp,
        (failed, put_off): (u32, u32),
    ) {
        let Some(frame) = self.frame_at(def, rounds, step) else { return };
        let (failures, postponed) = match &frame.pending {
            Some(Pending::Calling { failures, postponed, .. }) => (*failures, *postponed),
            _ => (0, 0),
        };
        frame.pending = Some(Pending::Calling {
            attempt: attempt.saturating_add(1),
            failures: failures.saturating_add(failed),
            postponed: postponed.saturating_add(put_off),
            not_before,
        });
    }

    fn item_began(
        &mut self,
        def: &Definition,
        step: StepId,
        rounds: &Rounds,
        number: u32,
        block: BlockId,
        not_before: Option<Timestamp>,
    ) {
        let Some(items) = self.items_at(def, rounds, step) else { return };
        let Some(item) = items.left.pop_front() else { return };
        items.turn = number;
        items.under_way += 1;
        items.not_before = not_before;
        let name = match def.steps.get(step.0 as usize).map(|step| &step.kind) {
            Some(StepKind::ForEach(for_each)) => for_each.item.clone(),
            _ => return,
        };
        self.begin(def, &rounds.inner(number), block, BTreeMap::from([(name, item)]));
    }

    fn step_done(
        &mut self,
        def: &Definition,
        step: StepId,
        rounds: &Rounds,
        at: Timestamp,
        output: &Value,
        enter: Option<BlockId>,
    ) {
        let Some(frame) = self.frame_at(def, rounds, step) else { return };
        let pending = frame.pending.take();
        frame.next += 1;
        if matches!(pending, Some(Pending::Items(_) | Pending::Branches { .. })) {
            self.join(rounds);
        }
        if let Some(ended) = def.steps.get(step.0 as usize) {
            if let (StepKind::Set { values }, Value::Map(given)) = (&ended.kind, output) {
                for (name, _) in values {
                    if let Some(value) = given.get(name) {
                        self.assign(def, rounds, name, value.clone());
                    }
                }
            }
            if let Some(name) = &ended.name
                && let Some(strand) = self.state.strands.get_mut(rounds)
            {
                strand.variables.insert(name.clone(), output.clone());
                strand.done.insert(name.clone(), DoneStep { step, at });
            }
        }
        match enter {
            Some(block) => self.enter(def, rounds, block),
            None => self.leave_finished(def, rounds),
        }
        self.forget(def);
    }

    fn step_failed(
        &mut self,
        def: &Definition,
        step: StepId,
        rounds: &Rounds,
        failure: &StepFailure,
        handler: Option<BlockId>,
    ) {
        let path = def.steps.get(step.0 as usize).map_or("", |step| &step.path);
        let why = match rounds.is_main() {
            true => failure.message.clone(),
            false => format!("in round {rounds}: {failure}"),
        };
        self.keep_failure(Some(step), rounds);
        if let Some(outcome) = self.state.ending.take() {
            self.state.ending = Some(outcome.with_failure(path, why));
            self.state.outputs = Value::Nothing;
        } else {
            self.state.error = Some(match self.state.error.take() {
                None => (path.to_owned(), why),
                Some((first, before)) => {
                    (first, format!("{before}; then on_error failed at {path}: {why}"))
                }
            });
        }
        self.drop_strands();
        if let Some(handler) = handler {
            self.enter(def, &Rounds::main(), handler);
        }
        self.forget(def);
    }

    /// Drops what no later step can ask for.
    fn forget(&mut self, def: &Definition) {
        if self.state.inbox.is_empty() {
            return;
        }
        let ahead = ahead::waits(def, self);
        let wanted = |happening: &Happening| {
            ahead.iter().any(|(wait, awaited)| awaited.is(&wait.occurrence, happening))
        };
        let wanted: Vec<bool> = self.state.inbox.iter().map(wanted).collect();
        let mut wanted = wanted.into_iter();
        self.state.inbox.retain(|_| wanted.next().unwrap_or(true));
    }
}

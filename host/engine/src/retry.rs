//! Trying again what has ended: a run that failed goes on at the step that
//! failed, or any run at a step that somebody names; and the end of a run
//! that its host gives up.
//!
//! A retry is an entry of the log like any other ([`Event::Retried`]), so a
//! run stays a function of its log. What a step has sent stays sent: its
//! effects have the same ids as before.

use std::collections::{BTreeMap, BTreeSet};

use relata_model::{FieldError, Value};
use relata_workflow::{BlockId, Definition, Step, StepId, StepKind};
use serde::{Deserialize, Serialize};

use crate::{
    Event, Frame, Outcome, Pending, Rounds, Run, Status, StepFailure, Strand,
    decide::{Halt, Turn},
    due, inputs,
};

/// The code of a failure that is the host's doing: it gave the run up.
pub const GAVE_UP: &str = "gave-up";

/// How a run that has ended is to go on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Retry {
    /// At this step; at the one that failed, if none.
    pub from: Option<StepId>,
    /// Values that are others from now on, by name: the workflow's inputs,
    /// and what steps have yielded.
    pub values: BTreeMap<String, Value>,
    /// Who wants it and why, for people.
    pub why: String,
}

/// Where a run stood when it first failed for good: what a retry goes back
/// to. `on_error` and `finally` run after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailurePoint {
    /// The step that failed; none where it was the run's outputs.
    pub step: Option<StepId>,
    /// In which round of which loop.
    pub rounds: Rounds,
    /// All strands as they were.
    pub strands: BTreeMap<Rounds, Strand>,
    /// How it was to end, where `finally` ran already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Outcome>,
    /// What it was to yield then.
    #[serde(default = "nothing", skip_serializing_if = "Value::is_nothing")]
    pub outputs: Value,
}

const fn nothing() -> Value {
    Value::Nothing
}

/// The values that a retry may change, each of its type where it is an input
/// of the workflow.
///
/// # Errors
///
/// An error for each name that the run has no value for, and for each value
/// that is not of the input's type.
pub fn read_values(
    def: &Definition,
    run: &Run,
    given: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Value>, Vec<FieldError>> {
    let mut values = BTreeMap::new();
    let mut errors = Vec::new();
    let main = run.state.strands.get(&Rounds::main());
    let subject = def.subject.as_ref().or(run.subject.as_ref().map(|subject| &subject.object));
    for (name, value) in given {
        if let Some(input) = def.inputs.iter().find(|input| input.name == *name) {
            if value.is_nothing() && input.is_required() {
                errors.push(FieldError::new(name, "has to be given"));
                continue;
            }
            match inputs::read_slot(&input.slot, value) {
                Ok(value) => {
                    values.insert(name.clone(), value);
                }
                Err(_) if value.is_nothing() => {
                    values.insert(name.clone(), Value::Nothing);
                }
                Err(why) => errors.push(FieldError::new(name, why)),
            }
        } else if subject == Some(name) {
            let why = "is the record that the run is about, which stays; start another run";
            errors.push(FieldError::new(name, why));
        } else if main.is_some_and(|main| main.variables.contains_key(name)) {
            values.insert(name.clone(), value.clone());
        } else {
            let known: BTreeSet<&str> = def
                .inputs
                .iter()
                .map(|input| &input.name)
                .chain(main.into_iter().flat_map(|main| main.variables.keys()))
                .filter(|known| subject != Some(*known))
                .map(String::as_str)
                .collect();
            let why = match known.is_empty() {
                true => "is not known to the run, which has no values of its own".to_owned(),
                false => {
                    let known: Vec<&str> = known.into_iter().collect();
                    format!("is not known to the run; there are {}", known.join(", "))
                }
            };
            errors.push(FieldError::new(name, why));
        }
    }
    if errors.is_empty() { Ok(values) } else { Err(errors) }
}

impl Turn<'_> {
    /// A run that has ended goes on.
    pub(crate) fn retry(&mut self, retry: Retry) -> Result<(), Halt> {
        let Status::Ended(outcome) = &self.run.status else {
            return Err(Halt::Rejected(format!(
                "{} has not ended; it goes on by itself",
                self.run.id
            )));
        };
        let (step, rounds) = match retry.from {
            Some(step) => (Some(step), Rounds::main()),
            None => match (&self.run.state.failure, outcome) {
                (Some(point), _) => (point.step, point.rounds.clone()),
                // It ended before its host kept where it stood.
                (None, Outcome::Failed { step: path, .. }) => {
                    match self.def.steps.iter().find(|step| step.path == *path) {
                        Some(step) => (Some(step.id), Rounds::main()),
                        None => (None, Rounds::main()),
                    }
                }
                (None, _) => {
                    return Err(Halt::Rejected(format!(
                        "{} has not failed ({}); name the step at which it is to go on",
                        self.run.id,
                        outcome.describe()
                    )));
                }
            },
        };
        let goes_back = self.run.goes_back_to(step, &rounds);
        if let Some(step) = step.filter(|_| !goes_back) {
            way_to(self.def, step).map_err(Halt::Rejected)?;
        }
        let at = match step.and_then(|step| self.def.steps.get(step.0 as usize)) {
            Some(step) if goes_back => format!("again at {}", step.label),
            Some(step) => format!("again from {}", step.label),
            None => "its outputs again".to_owned(),
        };
        let names: Vec<&str> = retry.values.keys().map(String::as_str).collect();
        let changed = match names.is_empty() {
            true => String::new(),
            false => format!(", with another {}", names.join(", ")),
        };
        let why = if retry.why.is_empty() { String::new() } else { format!(": {}", retry.why) };
        self.emit(Event::Retried {
            step,
            rounds,
            at: self.now,
            values: retry.values,
            explanation: format!("{at}{changed}{why}"),
        });
        Ok(())
    }

    /// The host could not move the run on, again and again: the step whose
    /// turn it is has failed for good.
    pub(crate) fn give_up(&mut self, why: &str) -> Result<(), Halt> {
        let failure = StepFailure {
            code: GAVE_UP.to_owned(),
            message: why.to_owned(),
            permanent: true,
            retry_after_ms: None,
        };
        let def = self.def;
        let call = due::first_call(def, &self.run, self.now);
        let stands = call.or_else(|| self.run.stands(def).first().copied());
        let stands = stands.map(|(rounds, step)| (rounds.clone(), step.id.0 as usize));
        let Some((rounds, step)) =
            stands.and_then(|(rounds, step)| Some((rounds, def.steps.get(step)?)))
        else {
            let outcome = Outcome::Failed { step: "outputs".to_owned(), why: why.to_owned() };
            self.end(None, outcome);
            return Ok(());
        };
        self.rounds = rounds;
        self.failed(step, failure)?;
        Ok(())
    }
}

impl Run {
    /// Whether going on at this step is going back to where the run failed.
    fn goes_back_to(&self, step: Option<StepId>, rounds: &Rounds) -> bool {
        let point = self.state.failure.as_ref();
        point.is_some_and(|point| point.step == step && point.rounds == *rounds)
    }

    /// Keeps where the run stands, when it fails for the first time.
    pub(crate) fn keep_failure(&mut self, step: Option<StepId>, rounds: &Rounds) {
        if self.state.failure.is_some() {
            return;
        }
        self.state.failure = Some(Box::new(FailurePoint {
            step,
            rounds: rounds.clone(),
            strands: self.state.strands.clone(),
            ending: self.state.ending.clone(),
            outputs: self.state.outputs.clone(),
        }));
    }

    pub(crate) fn retried(
        &mut self,
        def: &Definition,
        step: Option<StepId>,
        rounds: &Rounds,
        values: &BTreeMap<String, Value>,
    ) {
        let goes_back = self.goes_back_to(step, rounds);
        let point = self.state.failure.take();
        self.status = Status::Active;
        self.state.retries += 1;
        self.state.error = None;
        self.state.ending = None;
        self.state.outputs = Value::Nothing;
        match (point.filter(|_| goes_back), step) {
            (Some(point), _) => {
                let point = *point;
                self.state.strands = point.strands;
                self.state.ending = point.ending;
                self.state.outputs = point.outputs;
                self.stand_anew(def, step, rounds);
            }
            (None, Some(step)) => self.stand_at(def, step),
            // The outputs alone: past the last step.
            (None, None) => {}
        }
        let main = Rounds::main();
        for (name, value) in values {
            self.assign(def, &main, name, value.clone());
        }
    }

    /// The step that failed begins anew, as do the steps that waited for
    /// runs which were ended with this one.
    fn stand_anew(&mut self, def: &Definition, step: Option<StepId>, rounds: &Rounds) {
        for strand in self.state.strands.values_mut() {
            if let Some(frame) = strand.frames.last_mut()
                && matches!(frame.pending, Some(Pending::Child { .. }))
            {
                frame.pending = None;
            }
        }
        let began = self.started_at;
        let Some(frame) = step.and_then(|step| self.frame_at(def, rounds, step)) else { return };
        frame.pending = match frame.pending.take() {
            // The attempts are counted on.
            Some(Pending::GivenUp { attempt, .. } | Pending::Calling { attempt, .. }) => {
                Some(Pending::Calling {
                    attempt: attempt.saturating_add(1),
                    failures: 0,
                    postponed: 0,
                    not_before: began,
                })
            }
            // What has begun beside it goes on.
            Some(pending @ (Pending::Items(_) | Pending::Branches { .. })) => Some(pending),
            _ => None,
        };
    }

    /// The run stands at a step outside of all loops; what that step and
    /// those behind it yielded is forgotten.
    fn stand_at(&mut self, def: &Definition, step: StepId) {
        let Ok(frames) = way_to(def, step) else { return };
        self.drop_strands();
        let Some(main) = self.state.strands.get_mut(&Rounds::main()) else { return };
        main.frames = frames;
        let behind: Vec<String> = main
            .done
            .iter()
            .filter(|(_, done)| done.step >= step)
            .map(|(name, _)| name.clone())
            .collect();
        for name in behind {
            main.done.remove(&name);
            main.variables.remove(&name);
        }
    }
}

/// The frames of a run that stands at a step. The error says why none can.
fn way_to(def: &Definition, step: StepId) -> Result<Vec<Frame>, String> {
    let mut frames = Vec::new();
    let mut at = step;
    // No deeper than there are blocks.
    for _ in 0..=def.blocks.len() {
        let Some((block, place)) = place_of(def, at) else {
            return Err(format!("there is no step {} in `{}`", step.0, def.name));
        };
        // The steps around it are left once it is done.
        let next = if frames.is_empty() { place } else { place + 1 };
        frames.push(Frame { block, next, pending: None });
        if block == def.main {
            frames.reverse();
            return Ok(frames);
        }
        at = match owner_of(def, block) {
            Some(owner) if may_be_entered(&owner.kind) => owner.id,
            owner => {
                let within = match owner.map(|owner| &owner.kind) {
                    Some(StepKind::ForEach(_)) => "a loop",
                    Some(StepKind::Parallel { .. }) => "a branch of `parallel`",
                    Some(StepKind::Deadline(_)) => "a level of a deadline",
                    _ => "`on_error` or `finally`",
                };
                let label = def.steps.get(step.0 as usize).map_or("", |step| &step.label);
                return Err(format!(
                    "the run cannot go on at {label}, which stands within {within}; name a step outside of it"
                ));
            }
        };
    }
    Err(format!("`{}` goes in a circle", def.name))
}

fn place_of(def: &Definition, step: StepId) -> Option<(BlockId, u32)> {
    def.blocks.iter().zip(0..).find_map(|(steps, block)| {
        let place = steps.iter().position(|found| *found == step)?;
        Some((BlockId(block), u32::try_from(place).ok()?))
    })
}

/// The step that has a block.
fn owner_of(def: &Definition, block: BlockId) -> Option<&Step> {
    def.steps.iter().find(|step| match &step.kind {
        StepKind::If { then, otherwise, .. } => *then == block || *otherwise == Some(block),
        StepKind::WaitFor(wait) => wait.then == Some(block) || wait.otherwise == Some(block),
        StepKind::Deadline(deadline) => deadline.levels.iter().any(|level| level.block == block),
        StepKind::ForEach(for_each) => for_each.block == block,
        StepKind::Parallel { branches } => branches.contains(&block),
        _ => false,
    })
}

/// Whether a step is done once the block that it has begins.
const fn may_be_entered(kind: &StepKind) -> bool {
    matches!(kind, StepKind::If { .. } | StepKind::WaitFor(_))
}

//! `run:` starts another workflow, and waits for its end.

use std::collections::BTreeMap;

use relata_model::{Reference, RunId, Timestamp, Value};
use relata_workflow::{Definition, EvaluationError, Step, StepId, StepKind, SubRun};

use crate::{
    Asked, Event, Happening, HappeningKind, Parent, Pending, RUN_ENDED, Rounds, Run, StepFailure,
    Watch,
    admit::DEEPEST,
    call,
    decide::{Halt, Progress, Turn},
    inputs,
    world::{Evaluated, World, fault},
};

/// Another workflow that a run is to start.
#[derive(Debug, Clone, PartialEq)]
pub struct ChildCall {
    /// The step.
    pub step: StepId,
    /// The step's path: `steps[5].then[0]`.
    pub path: String,
    /// Which round of which loop.
    pub rounds: Rounds,
    /// The id that the new run gets.
    pub child: RunId,
    /// The workflow's name.
    pub workflow: String,
    /// What it is given, by name: its inputs, and the record that it is
    /// about under the name of the object. Those that are empty are left out.
    pub input: BTreeMap<String, Value>,
    /// What the new run's [`crate::Start`] names as its parent.
    pub parent: Parent,
    /// When it is too late; never, if none.
    pub until: Option<Timestamp>,
}

/// What came of a [`ChildCall`].
#[derive(Debug, Clone, PartialEq)]
pub struct ChildAnswer {
    /// The call.
    pub call: ChildCall,
    /// Whether the run has begun; it begins in the commit that keeps this.
    pub result: Result<(), StepFailure>,
}

impl ChildCall {
    /// What this asks of a workflow: a run about the record that is given
    /// under the name of its object, with the rest as inputs.
    #[must_use]
    pub fn asked(&self, child: &Definition) -> Asked {
        let mut inputs = self.input.clone();
        let is_input = |name: &str| child.inputs.iter().any(|input| input.name == name);
        let subject = child.subject.as_deref().and_then(|object| {
            let given: &Reference = inputs.get(object)?.as_reference()?;
            let given = given.clone();
            if !is_input(object) {
                inputs.remove(object);
            }
            Some(given)
        });
        Asked { subject, inputs, depth: self.parent.depth }
    }

    /// The answer that it has begun.
    #[must_use]
    pub fn began(self) -> ChildAnswer {
        ChildAnswer { call: self, result: Ok(()) }
    }

    /// The answer that it does not begin: `why` is a sentence that can stand
    /// behind a colon.
    #[must_use]
    pub fn refused(self, why: &str) -> ChildAnswer {
        let failure = failure(format!("the workflow `{}` was not started: {why}", self.workflow));
        ChildAnswer { call: self, result: Err(failure) }
    }
}

impl Turn<'_> {
    pub(crate) fn sub_run(&mut self, step: &Step, sub: &SubRun) -> Evaluated<Progress> {
        let Some(Pending::Child { run, until }) = self.run.pending(&self.rounds) else {
            if !is_too_deep(&self.run) {
                return Ok(Progress::Rest);
            }
            let why = format!(
                "the workflow `{}` was not started: {DEEPEST} runs in a row have started one another; look for workflows that start each other",
                sub.workflow
            );
            self.failed(step, failure(why))?;
            return Ok(Progress::On);
        };
        match until {
            Some(until) if *until <= self.now && self.timers => {
                let why = format!(
                    "the workflow `{}` ({run}) did not end by {}",
                    sub.workflow,
                    self.world().local(*until)
                );
                self.failed(step, failure(why))?;
                Ok(Progress::On)
            }
            _ => Ok(Progress::Rest),
        }
    }

    pub(crate) fn child_answered(&mut self, answer: ChildAnswer) -> Result<(), Halt> {
        let ChildAnswer { call, result } = answer;
        let wanted = self
            .run
            .current(self.def, &call.rounds)
            .filter(|step| step.id == call.step && self.run.pending(&call.rounds).is_none());
        let Some((step, StepKind::Run(_))) = wanted.map(|step| (step, &step.kind)) else {
            return Err(Halt::Rejected(format!(
                "{} does not wait for the beginning of `{}` at {}; it has gone on since",
                self.run.id, call.workflow, call.path
            )));
        };
        self.rounds = call.rounds;
        if let Err(failure) = result {
            return Ok(self.failed(step, failure)?);
        }
        let limit = call.until.map_or_else(
            || "without a limit".to_owned(),
            |until| format!("until {} at the latest", self.world().local(until)),
        );
        self.emit(Event::ChildBegan {
            step: step.id,
            rounds: self.rounds.clone(),
            at: self.now,
            run: call.child,
            until: call.until,
            explanation: format!("{} began, {limit}", call.child),
        });
        Ok(())
    }

    /// Something happened while a `run:` waits. Answers whether it was the
    /// end of the run that it started.
    pub(crate) fn child_ended(
        &mut self,
        step: &Step,
        sub: &SubRun,
        happening: &Happening,
    ) -> Evaluated<bool> {
        let Some(Pending::Child { run, until }) = self.run.pending(&self.rounds) else {
            return Ok(false);
        };
        // Too late is too late, whenever it is told.
        if until.is_some_and(|until| until <= happening.at) {
            return Ok(false);
        }
        let HappeningKind::Named { data: Value::Map(data), .. } = &happening.kind else {
            return Ok(false);
        };
        if !happening.topics().contains(&ended(*run)) {
            return Ok(false);
        }
        let text = |name: &str| data.get(name).and_then(Value::as_text).unwrap_or_default();
        if text("outcome") == "done" {
            let outputs = data.get("outputs").unwrap_or(&Value::Nothing);
            let outputs = inputs::read_plainly(&sub.output, outputs);
            self.done(step, outputs, None, format!("{run} is done"));
        } else {
            let why = format!("the workflow `{}` ({run}) {}", sub.workflow, text("why"));
            self.failed(step, failure(why))?;
        }
        Ok(true)
    }
}

/// What tells that a run has ended.
pub(crate) fn ended(run: RunId) -> Watch {
    Watch::event(RUN_ENDED, run)
}

/// Whether a run may start no other.
pub(crate) const fn is_too_deep(run: &Run) -> bool {
    run.state.depth + 1 >= DEEPEST
}

/// The workflow that a `run:` step is to start now.
pub(crate) fn of_step(
    world: &World<'_>,
    run: &Run,
    rounds: &Rounds,
    step: &Step,
    sub: &SubRun,
) -> Evaluated<ChildCall> {
    let input = call::arguments(world, &sub.input)?;
    let until = match &sub.up_to {
        None => None,
        Some(limit) => {
            let limit =
                world.expression(limit).and_then(|limit| world.point(world.now, &limit, None));
            Some(limit.or_else(|why| match why {
                EvaluationError::Fault(why) => fault(format!("`up_to`: {why}")),
                need => Err(need),
            })?)
        }
    };
    Ok(ChildCall {
        step: step.id,
        path: step.path.clone(),
        rounds: rounds.clone(),
        child: child_id(run, step, rounds, world.now),
        workflow: sub.workflow.clone(),
        input: input.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        parent: Parent { run: run.id, depth: run.state.depth + 1, origin: run.state.origin },
        until,
    })
}

/// The id of the run that a step starts: no other step gets the same, and
/// the same step gets it again at the same time.
fn child_id(run: &Run, step: &Step, rounds: &Rounds, now: Timestamp) -> RunId {
    let (id, place) = (run.id.to_string(), call::place(&step.path, rounds));
    // Let go on after its end, a run starts others.
    let retries = run.state.retries.to_string();
    let digest = match run.state.retries {
        0 => call::digest(&["run", &id, &place]),
        _ => call::digest(&["run", &id, &place, &retries]),
    };
    let mut bits = [0; 10];
    bits.copy_from_slice(&digest[..10]);
    RunId::derived(now, &bits)
}

fn failure(message: String) -> StepFailure {
    let code = "sub-workflow".to_owned();
    StepFailure { code, message, permanent: true, retry_after_ms: None }
}

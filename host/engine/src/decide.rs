//! What an input means for a run.

use std::ops::Bound;

use relata_model::{Timestamp, Value};
use relata_workflow::{
    BlockId, Definition, Do, EvaluationError, Facts, Need, Step, StepKind, SubRun,
};

use crate::{
    ChildAnswer, Event, Happening, Pending, Retry, Returned, Rounds, Run, StepFailure, ahead, call,
    due, sub_run,
    world::{Evaluated, World},
};

/// After how many events a decision is enough: the rest is the next one's.
/// More than a workflow has steps between two calls; a loop may have more.
const MOST_AT_ONCE: usize = 1_000;

/// What comes to a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The time has come, or somebody only wants to see that the run goes on.
    Wake,
    /// Something happened that the run may listen for. Timers are left alone:
    /// a wake follows when all that has happened is told.
    Happened(Happening),
    /// A call has come back.
    Returned(Returned),
    /// Another workflow was started for the run, or could not be.
    Child(ChildAnswer),
    /// The run is to end now. `finally` still runs; where it runs already,
    /// it is cut short.
    Cancel {
        /// Why, for people.
        why: String,
    },
    /// The host could not move the run on, again and again, and gives it up:
    /// the step whose turn it is has failed for good.
    GiveUp {
        /// Why, for people.
        why: String,
    },
    /// The run has ended, and is to go on. All that follows is that it stands
    /// there again: a wake moves it.
    Retry(Retry),
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// A fact is missing: fetch it, ask again.
    #[error("a fact is missing")]
    Need(Need),
    /// The input does not fit the run: an answer to a call that it does not
    /// make, or a run of another version. The sentence says which.
    #[error("{0}")]
    Rejected(String),
}

impl From<Need> for Halt {
    fn from(need: Need) -> Self {
        Self::Need(need)
    }
}

impl From<EvaluationError> for Halt {
    fn from(error: EvaluationError) -> Self {
        match error {
            EvaluationError::Need(need) => Self::Need(need),
            EvaluationError::Fault(why) => Self::Rejected(why),
        }
    }
}

/// What an input means for a run: the events that follow, none where it means
/// nothing. The run goes on through what needs nobody, until its next call,
/// sleep or end. Where it stops before that (a fact is missing on the way, or
/// a loop has very many events), [`crate::due`] says [`crate::Due::Decide`],
/// and [`Input::Wake`] goes on; all of it may be one commit.
///
/// # Errors
///
/// [`Halt::Need`] where a fact is missing; [`Halt::Rejected`] for the answer
/// to another call than one that the run makes, and for a run that does not
/// fit the definition. A run that has ended takes every other input, and
/// nothing follows.
pub fn decide(
    def: &Definition,
    run: &Run,
    input: Input,
    facts: &Facts,
    now: Timestamp,
) -> Result<Vec<Event>, Halt> {
    if run.has_ended() && !matches!(input, Input::Retry(_)) {
        return match input {
            Input::Returned(returned) => Err(Halt::Rejected(format!(
                "attempt {} of step {} came back after {} had ended",
                returned.attempt, returned.step.0, run.id
            ))),
            Input::Child(answer) => Err(Halt::Rejected(format!(
                "`{}` was started for {} after that had ended",
                answer.call.workflow, run.id
            ))),
            Input::Wake
            | Input::Happened(_)
            | Input::Cancel { .. }
            | Input::GiveUp { .. }
            | Input::Retry(_) => Ok(Vec::new()),
        };
    }
    let timers = !matches!(input, Input::Happened(_));
    let rounds = Rounds::main();
    let mut turn = Turn { def, run: run.clone(), facts, now, timers, rounds, events: Vec::new() };
    match input {
        Input::Wake => {}
        Input::Cancel { why } => turn.cancel(&why),
        Input::GiveUp { why } => turn.give_up(&why)?,
        Input::Retry(retry) => {
            turn.retry(retry)?;
            return Ok(turn.events);
        }
        Input::Returned(returned) => turn.returned(returned)?,
        Input::Child(answer) => turn.child_answered(answer)?,
        Input::Happened(happening) => {
            if !turn.happened(&happening)? {
                return Ok(turn.events);
            }
        }
    }
    match turn.advance() {
        // Each event stands by itself, so what follows the missing fact can
        // be decided later; else a loop over many records would begin anew
        // for each of them.
        Err(Halt::Need(_)) if !turn.events.is_empty() && turn.may_pause() => Ok(turn.events),
        Err(halt) => Err(halt),
        Ok(()) => Ok(turn.events),
    }
}

/// Whether a strand goes on from a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It does.
    On,
    /// It does, and has changed what other strands see.
    ForAll,
    /// It is owed something first.
    Rest,
}

/// One decision in the making: the run as it is with the events so far.
pub(crate) struct Turn<'a> {
    pub(crate) def: &'a Definition,
    pub(crate) run: Run,
    pub(crate) facts: &'a Facts,
    pub(crate) now: Timestamp,
    /// Whether timers may end something.
    pub(crate) timers: bool,
    /// The strand whose turn it is.
    pub(crate) rounds: Rounds,
    events: Vec<Event>,
}

impl<'a> Turn<'a> {
    pub(crate) fn world(&self) -> World<'_> {
        World {
            def: self.def,
            variables: self.run.layers(self.def, &self.rounds),
            facts: self.facts,
            now: self.now,
        }
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.run.apply(self.def, &event);
        self.events.push(event);
    }

    /// The current step ended.
    pub(crate) fn done(
        &mut self,
        step: &Step,
        output: Value,
        enter: Option<BlockId>,
        explanation: String,
    ) {
        self.emit(Event::StepDone {
            step: step.id,
            rounds: self.rounds.clone(),
            attempt: call::attempt(&self.run, &self.rounds),
            at: self.now,
            output,
            enter,
            called: false,
            explanation,
        });
    }

    /// Goes on, always with the first strand that can, until each is owed
    /// something or the run has ended. Which strand that is depends on the
    /// run's state alone, so a decision that was cut short goes on the same.
    fn advance(&mut self) -> Result<(), Halt> {
        // Those before are at rest.
        let mut from = Bound::Unbounded;
        while !self.run.has_ended() {
            if self.events.len() >= MOST_AT_ONCE && self.may_pause() {
                return Ok(());
            }
            let strands = &self.run.state.strands;
            let next = strands.range::<Rounds, _>((from.as_ref(), Bound::Unbounded)).next();
            let Some(rounds) = next.map(|(rounds, _)| rounds.clone()) else {
                if !self.call_fails()? {
                    return Ok(());
                }
                from = Bound::Unbounded;
                continue;
            };
            self.rounds = rounds;
            from = match self.go_on()? {
                Progress::Rest => Bound::Excluded(self.rounds.clone()),
                Progress::On if self.run.current(self.def, &self.rounds).is_some() => {
                    Bound::Included(self.rounds.clone())
                }
                // It has ended, so that the one around it may go on.
                Progress::On | Progress::ForAll => Bound::Unbounded,
            };
        }
        Ok(())
    }

    /// Whether the decision may end here: where it is plain that there is
    /// more to decide. What happened is taken in as a whole, or the next thing
    /// that happened would find the run too far behind.
    fn may_pause(&self) -> bool {
        let due = || due::due(self.def, &self.run, self.facts, self.now);
        self.timers && matches!(due(), Ok(due::Due::Decide))
    }

    fn go_on(&mut self) -> Result<Progress, Halt> {
        let Some(strand) = self.run.strand(&self.rounds) else { return Err(misfit(&self.run)) };
        if strand.frames.is_empty() {
            if self.rounds.is_main() {
                self.conclude()?;
                return Ok(Progress::On);
            }
            return Ok(Progress::Rest);
        }
        let Some(step) = strand.current(self.def) else { return Err(misfit(&self.run)) };
        // No workflow goes in a circle; a broken definition might.
        if strand.frames.len().max(self.rounds.numbers().len()) > self.def.blocks.len() {
            return Err(Halt::Rejected(format!(
                "{} goes in a circle at {} of workflow `{}`",
                self.run.id, step.path, self.def.name
            )));
        }
        match self.step(step) {
            Ok(progress) => Ok(progress),
            Err(EvaluationError::Fault(why)) => {
                self.failed(step, StepFailure::formula(why))?;
                Ok(Progress::On)
            }
            Err(EvaluationError::Need(need)) => Err(Halt::Need(need)),
        }
    }

    fn step(&mut self, step: &'a Step) -> Evaluated<Progress> {
        match &step.kind {
            StepKind::Do(_) => {
                let Some(Pending::GivenUp { failure, .. }) = self.run.pending(&self.rounds) else {
                    return Ok(Progress::Rest);
                };
                let failure = failure.clone();
                self.failed(step, failure)?;
                Ok(Progress::On)
            }
            StepKind::Decide { rows } => self.decide_row(step, rows),
            StepKind::If { condition, then, otherwise } => {
                self.branch(step, condition, *then, *otherwise)
            }
            StepKind::Split { arms } => {
                self.split(step, arms);
                Ok(Progress::On)
            }
            StepKind::Stop { condition, unless } => self.stop(step, condition, *unless),
            StepKind::Wait { duration, resume_in } => {
                self.wait(step, duration, resume_in.as_deref())
            }
            StepKind::WaitFor(wait) => self.wait_for(step, wait),
            StepKind::Deadline(deadline) => self.deadline(step, deadline),
            StepKind::ForEach(for_each) => self.for_each(step, for_each),
            StepKind::Parallel { branches } => Ok(self.parallel(step, branches)),
            StepKind::Run(sub) => self.sub_run(step, sub),
            StepKind::Set { values } => self.set(step, values),
        }
    }

    /// Whether the first call that the run would make cannot be made. Its
    /// step has failed then, here and now.
    fn call_fails(&mut self) -> Result<bool, Halt> {
        let Some((rounds, step)) = due::first_call(self.def, &self.run, self.now) else {
            return Ok(false);
        };
        self.rounds = rounds.clone();
        let made = match &step.kind {
            StepKind::Do(action) => {
                call::of_step(&self.world(), &self.run, &self.rounds, step, action).map(drop)
            }
            StepKind::Run(sub) => {
                sub_run::of_step(&self.world(), &self.run, &self.rounds, step, sub).map(drop)
            }
            _ => Ok(()),
        };
        match made {
            Ok(()) => Ok(false),
            Err(EvaluationError::Fault(why)) => {
                self.failed(step, StepFailure::formula(why))?;
                Ok(true)
            }
            Err(EvaluationError::Need(need)) => Err(Halt::Need(need)),
        }
    }

    /// Answers whether the run moved.
    fn happened(&mut self, happening: &Happening) -> Result<bool, Halt> {
        if self.stopped(happening) {
            // It goes on with `finally`, if there is one.
            return Ok(true);
        }
        let wanted = ahead::waits(self.def, &self.run)
            .iter()
            .any(|(wait, awaited)| awaited.is(&wait.occurrence, happening));
        if wanted && !self.run.state.inbox.iter().any(|noted| noted.id == happening.id) {
            self.emit(Event::Noted { at: self.now, happening: happening.clone() });
        }
        self.read_clocks(happening)?;
        let strands: Vec<Rounds> = self.run.state.strands.keys().cloned().collect();
        let mut moved = false;
        for rounds in strands {
            // A strand may have failed meanwhile, and all with it.
            let Some(strand) = self.run.strand(&rounds) else { continue };
            let Some(step) = strand.current(self.def) else {
                if strand.frames.is_empty() {
                    continue;
                }
                return Err(misfit(&self.run));
            };
            self.rounds = rounds;
            let ended = match &step.kind {
                StepKind::WaitFor(wait) => self.came(step, wait, happening),
                StepKind::Deadline(deadline) => self.met_by(step, deadline, happening),
                StepKind::Run(sub) => self.child_ended(step, sub, happening),
                _ => Ok(false),
            };
            moved |= match ended {
                Err(EvaluationError::Fault(why)) => {
                    self.failed(step, StepFailure::formula(why))?;
                    true
                }
                ended => ended?,
            };
        }
        Ok(moved)
    }

    /// A step has failed for good: its value for that case, else `on_error`,
    /// else the end.
    pub(crate) fn failed(&mut self, step: &Step, mut failure: StepFailure) -> Evaluated<()> {
        if let StepKind::Do(Do { if_it_fails: Some(value), .. })
        | StepKind::Run(SubRun { if_it_fails: Some(value), .. }) = &step.kind
        {
            let value = self.world().expression(value);
            match value {
                Ok(value) => {
                    let explanation = format!("failed ({failure}); goes on with `if_it_fails`");
                    self.done(step, value, None, explanation);
                    return Ok(());
                }
                Err(EvaluationError::Fault(why)) => {
                    failure.message =
                        format!("{failure}; and its `if_it_fails` has no value: {why}");
                }
                Err(need) => return Err(need),
            }
        }
        let state = &self.run.state;
        let first = state.error.is_none() && state.ending.is_none();
        let handler = if first { self.def.on_error } else { None };
        let (step, rounds) = (step.id, self.rounds.clone());
        self.emit(Event::StepFailed { step, rounds, at: self.now, failure, handler });
        Ok(())
    }
}

/// The run stands where the definition has no step.
pub(crate) fn misfit(run: &Run) -> Halt {
    Halt::Rejected(format!(
        "{} does not fit version {} of workflow `{}`: it stands at a step that is not there",
        run.id, run.version, run.workflow
    ))
}

//! What an input means for a run.

use relata_model::{Decimal, Timestamp, Value};
use relata_workflow::{
    BlockId, Definition, Do, EvaluationError, Facts, Formula, Need, Row, Step, StepId, StepKind,
};
use serde_json::Value as Json;

use crate::{
    Event, Happening, Outcome, Pending, Run, StepFailure,
    call::{self, LONGEST_PAUSE_MS, MOST_POSTPONED, SHORTEST_PAUSE_MS},
    occurrence,
    world::{Evaluated, World},
};

/// How many events one decision may have: far more than a workflow has steps.
const MOST_EVENTS: usize = 100_000;

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
    /// The run is to end now.
    Cancel {
        /// Why, for people.
        why: String,
    },
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Returned {
    /// The call's step.
    pub step: StepId,
    /// The call's round.
    pub iteration: u32,
    /// The call's attempt.
    pub attempt: u32,
    /// How it went.
    pub result: Result<ActionOutcome, StepFailure>,
}

/// How a call that did not fail went.
#[derive(Debug, Clone, PartialEq)]
pub enum ActionOutcome {
    /// Done, with this output.
    Done(Json),
    /// Not yet.
    Retry {
        /// The pause in milliseconds; at least a second is kept.
        after_ms: u64,
        /// Why, in the plugin's words.
        reason: String,
    },
    /// There was nothing to do, for this reason.
    Skip(String),
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
/// nothing. The run goes on through everything that needs nobody, until its
/// next call, sleep or end; all of it belongs into one commit.
///
/// # Errors
///
/// [`Halt::Need`] where a fact is missing; [`Halt::Rejected`] for the answer
/// to another call than the one that the run makes, and for a run that does
/// not fit the definition. A run that has ended takes every other input, and
/// nothing follows.
pub fn decide(
    def: &Definition,
    run: &Run,
    input: Input,
    facts: &Facts,
    now: Timestamp,
) -> Result<Vec<Event>, Halt> {
    if run.has_ended() {
        return match input {
            Input::Returned(returned) => Err(Halt::Rejected(format!(
                "attempt {} of step {} came back after {} had ended",
                returned.attempt, returned.step.0, run.id
            ))),
            Input::Wake | Input::Happened(_) | Input::Cancel { .. } => Ok(Vec::new()),
        };
    }
    let timers = !matches!(input, Input::Happened(_));
    let mut turn = Turn { def, run: run.clone(), facts, now, timers, events: Vec::new() };
    match input {
        Input::Wake => turn.advance()?,
        Input::Cancel { why } => turn.end(None, Outcome::Cancelled { why }),
        Input::Returned(returned) => {
            turn.returned(returned)?;
            turn.advance()?;
        }
        Input::Happened(happening) => {
            if turn.happened(&happening)? {
                turn.advance()?;
            }
        }
    }
    Ok(turn.events)
}

/// Whether a run goes on from a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It does.
    On,
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
    events: Vec<Event>,
}

impl<'a> Turn<'a> {
    pub(crate) fn world(&self) -> World<'_> {
        World {
            def: self.def,
            variables: &self.run.state.variables,
            facts: self.facts,
            now: self.now,
        }
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.run.apply(self.def, &event);
        self.events.push(event);
    }

    fn end(&mut self, step: Option<StepId>, outcome: Outcome) {
        self.emit(Event::Ended { step, at: self.now, outcome });
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
            iteration: self.run.iteration(),
            attempt: call::attempt(&self.run),
            at: self.now,
            output,
            enter,
            called: false,
            explanation,
        });
    }

    /// Goes on until the run is owed something or has ended.
    fn advance(&mut self) -> Result<(), Halt> {
        while !self.run.has_ended() {
            let Some(step) = self.run.current(self.def) else {
                if !self.run.state.frames.is_empty() {
                    return Err(misfit(&self.run));
                }
                let outcome = self.outcome(Outcome::Done);
                self.end(None, outcome);
                return Ok(());
            };
            match self.step(step) {
                // No workflow goes in a circle; a broken definition might.
                Ok(Progress::On) if self.events.len() > MOST_EVENTS => {
                    return Err(Halt::Rejected(format!(
                        "{} goes in a circle at {} of workflow `{}`",
                        self.run.id, step.path, self.def.name
                    )));
                }
                Ok(Progress::On) => {}
                Ok(Progress::Rest) => return Ok(()),
                Err(EvaluationError::Fault(why)) => self.failed(step, StepFailure::formula(why))?,
                Err(EvaluationError::Need(need)) => return Err(Halt::Need(need)),
            }
        }
        Ok(())
    }

    /// How the run ends: as failed where a step has failed for good, however
    /// `on_error` ends.
    fn outcome(&self, outcome: Outcome) -> Outcome {
        match self.run.state.error.clone() {
            Some((step, why)) => Outcome::Failed { step, why },
            None => outcome,
        }
    }

    fn step(&mut self, step: &'a Step) -> Evaluated<Progress> {
        match &step.kind {
            StepKind::Do(action) => {
                match self.run.pending() {
                    Some(Pending::Calling { not_before, .. }) if *not_before > self.now => {}
                    Some(Pending::GivenUp { failure, .. }) => {
                        let failure = failure.clone();
                        self.failed(step, failure)?;
                        return Ok(Progress::On);
                    }
                    // A call whose input cannot be made fails here and now.
                    _ => drop(call::of_step(&self.world(), &self.run, step, action)?),
                }
                Ok(Progress::Rest)
            }
            StepKind::Decide { rows } => self.decide_row(step, rows),
            StepKind::If { condition, then, otherwise } => {
                let (holds, values) = self.world().holds(condition)?;
                let (enter, explanation) = match (holds, otherwise) {
                    (true, _) => (Some(*then), format!("holds: {values}")),
                    (false, Some(block)) => (Some(*block), format!("does not hold: {values}")),
                    (false, None) => (None, format!("does not hold, nothing to do: {values}")),
                };
                self.done(step, Value::Nothing, enter, explanation);
                Ok(Progress::On)
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
            StepKind::ForEach(_)
            | StepKind::Parallel { .. }
            | StepKind::Run(_)
            | StepKind::Set { .. } => crate::world::fault("no reader makes such a step yet"),
        }
    }

    fn decide_row(&mut self, step: &Step, rows: &[Row]) -> Evaluated<Progress> {
        let mut rejected = Vec::new();
        for (row, number) in rows.iter().zip(1..) {
            let (holds, values) = match &row.condition {
                Some(condition) => self.world().holds(condition)?,
                None => (true, "everything else".to_owned()),
            };
            if holds {
                let value = self.world().expression(&row.value)?;
                let mut explanation = format!("row {number}: {values}");
                if !rejected.is_empty() {
                    explanation.push_str(&format!(" (not {})", rejected.join("; not ")));
                }
                self.done(step, value, None, explanation);
                return Ok(Progress::On);
            }
            rejected.push(format!("row {number}: {values}"));
        }
        crate::world::fault(format!(
            "no row holds: {}; add a last row without `if`",
            rejected.join("; ")
        ))
    }

    fn split(&mut self, step: &Step, arms: &[(String, Decimal)]) {
        // By the subject alone, so that it stays in its arm run after run.
        let whom = match &self.run.subject {
            Some(subject) => subject.to_string(),
            None => self.run.id.to_string(),
        };
        let name = step.name.as_deref().unwrap_or(&step.path);
        let drawn = call::draw(&["split", &self.def.name, name, &whom]);
        let drawn = Decimal::from(drawn) / Decimal::from(1_u64 << 32);
        let mut sum = Decimal::ZERO;
        let arm = arms.iter().find(|(_, share)| {
            sum += *share;
            drawn < sum
        });
        // Shares that do not quite add up leave a rest to the last arm.
        let arm = arm.or(arms.last()).map_or_else(String::new, |(arm, _)| arm.clone());
        let explanation = format!("{whom} drew {} of 1", drawn.round_dp(4));
        self.done(step, Value::Text(arm), None, explanation);
    }

    fn stop(&mut self, step: &Step, condition: &Formula, unless: bool) -> Evaluated<Progress> {
        let (holds, values) = self.world().holds(condition)?;
        if holds == unless {
            self.done(step, Value::Nothing, None, format!("goes on: {values}"));
            return Ok(Progress::On);
        }
        let written = if unless { "stop_unless" } else { "stop_if" };
        let why = format!("{written} {}: {values}", condition.source.trim());
        let outcome = self.outcome(Outcome::Stopped { outcome: "stopped".to_owned(), why });
        self.end(Some(step.id), outcome);
        Ok(Progress::On)
    }

    /// Answers whether the run moved.
    fn happened(&mut self, happening: &Happening) -> Result<bool, Halt> {
        let own = happening.run == Some(self.run.id);
        if !own && self.run.state.error.is_none() && self.stopped(happening) {
            return Ok(false);
        }
        if occurrence::is_wanted_later(self.def, &self.run, happening)
            && !self.run.state.inbox.iter().any(|noted| noted.id == happening.id)
        {
            self.emit(Event::Noted { at: self.now, happening: happening.clone() });
        }
        self.read_clocks(happening)?;
        let Some(step) = self.run.current(self.def) else {
            return if self.run.state.frames.is_empty() {
                Ok(false)
            } else {
                Err(misfit(&self.run))
            };
        };
        let moved = match &step.kind {
            StepKind::WaitFor(wait) => self.came(step, wait, happening),
            StepKind::Deadline(deadline) => self.met_by(step, deadline, happening),
            _ => Ok(false),
        };
        match moved {
            Err(EvaluationError::Fault(why)) => {
                self.failed(step, StepFailure::formula(why))?;
                Ok(true)
            }
            moved => Ok(moved?),
        }
    }

    fn stopped(&mut self, happening: &Happening) -> bool {
        let Some(subject) = &self.run.subject else { return false };
        let stop = self.def.stop_when.iter().find(|stop| {
            occurrence::is_about(happening, subject)
                && occurrence::is_kind(&stop.occurrence, happening)
        });
        let Some(stop) = stop else { return false };
        let outcome = stop.outcome.clone().unwrap_or_else(|| "stopped".to_owned());
        self.end(
            None,
            Outcome::Stopped { outcome, why: format!("stop_when: {}", happening.describe()) },
        );
        true
    }

    fn returned(&mut self, returned: Returned) -> Result<(), Halt> {
        let wanted = self
            .run
            .current(self.def)
            .filter(|step| step.id == returned.step && self.run.iteration() == returned.iteration)
            .filter(|_| call::attempt(&self.run) == returned.attempt);
        let Some((step, StepKind::Do(action))) = wanted.map(|step| (step, &step.kind)) else {
            return Err(Halt::Rejected(format!(
                "{} does not wait for attempt {} of step {}; it has gone on since",
                self.run.id, returned.attempt, returned.step.0
            )));
        };
        let (iteration, attempt) = (returned.iteration, returned.attempt);
        match returned.result {
            Ok(ActionOutcome::Done(output)) => {
                let explanation =
                    if attempt > 1 { format!("done at attempt {attempt}") } else { String::new() };
                self.called(step, attempt, action.output.read(&output), explanation);
            }
            Ok(ActionOutcome::Skip(why)) => {
                self.called(step, attempt, Value::Nothing, format!("nothing to do: {why}"));
            }
            Ok(ActionOutcome::Retry { after_ms, reason }) => {
                let postponed = match self.run.pending() {
                    Some(Pending::Calling { postponed, .. }) => *postponed,
                    _ => 0,
                };
                if postponed < MOST_POSTPONED {
                    let pause = after_ms.clamp(SHORTEST_PAUSE_MS, LONGEST_PAUSE_MS);
                    let until = call::in_millis(self.now, pause);
                    self.emit(Event::Postponed {
                        step: step.id,
                        iteration,
                        attempt,
                        at: self.now,
                        until,
                        reason,
                    });
                } else {
                    let failure = StepFailure {
                        code: "postponed".to_owned(),
                        message: format!(
                            "{} put itself off {MOST_POSTPONED} times, the last time because: {reason}",
                            action.action
                        ),
                        permanent: true,
                        retry_after_ms: None,
                    };
                    self.attempt_failed(step, action, failure);
                }
            }
            Err(failure) => self.attempt_failed(step, action, failure),
        }
        Ok(())
    }

    /// A call ended its step.
    fn called(&mut self, step: &Step, attempt: u32, output: Value, explanation: String) {
        self.emit(Event::StepDone {
            step: step.id,
            iteration: self.run.iteration(),
            attempt,
            at: self.now,
            output,
            enter: None,
            called: true,
            explanation,
        });
    }

    fn attempt_failed(&mut self, step: &Step, action: &Do, failure: StepFailure) {
        let retry_at = call::retry_at(&self.run, &step.path, action.retry, &failure, self.now);
        self.emit(Event::AttemptFailed {
            step: step.id,
            iteration: self.run.iteration(),
            attempt: call::attempt(&self.run),
            at: self.now,
            failure,
            retry_at,
        });
    }

    /// A step has failed for good: its value for that case, else `on_error`,
    /// else the end.
    fn failed(&mut self, step: &Step, mut failure: StepFailure) -> Evaluated<()> {
        if let StepKind::Do(Do { if_it_fails: Some(value), .. }) = &step.kind {
            match self.world().expression(value) {
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
        let handler = if self.run.state.error.is_none() { self.def.on_error } else { None };
        let iteration = self.run.iteration();
        self.emit(Event::StepFailed { step: step.id, iteration, at: self.now, failure, handler });
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

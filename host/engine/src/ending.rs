//! The end of a run: how it is decided, `finally`, and what the run yields.

use std::collections::BTreeMap;

use relata_model::Value;
use relata_workflow::{EvaluationError, StepId};

use crate::{
    Event, Happening, HappeningKind, Outcome, Rounds, Run, Status,
    decide::{Halt, Turn},
    occurrence,
    world::{Evaluated, fault},
};

/// Under which name a run's end is told to the run that started it, with the
/// ended run's id as the key.
pub const RUN_ENDED: &str = "run.ended";

impl Run {
    /// What is to be told to the run that started this one, once this one has
    /// ended: an event of the name [`RUN_ENDED`]. None before, and where no
    /// run started it.
    #[must_use]
    pub fn told(&self) -> Option<HappeningKind> {
        let (Status::Ended(outcome), Some(_)) = (&self.status, self.parent) else { return None };
        let data = BTreeMap::from([
            ("outcome".to_owned(), Value::Text(outcome.kind().to_owned())),
            ("why".to_owned(), Value::Text(outcome.describe())),
            ("outputs".to_owned(), self.state.outputs.clone()),
        ]);
        Some(HappeningKind::Named {
            name: RUN_ENDED.to_owned(),
            key: Some(self.id.to_string()),
            about: Vec::new(),
            data: Value::Map(data),
        })
    }
}

impl Turn<'_> {
    /// All steps are done.
    pub(crate) fn conclude(&mut self) -> Result<(), Halt> {
        if self.run.state.ending.is_some() || self.run.state.error.is_some() {
            self.end(None, Outcome::Done);
            return Ok(());
        }
        match self.outputs() {
            Ok(outputs) => self.end_with(None, Outcome::Done, outputs),
            Err(EvaluationError::Fault(why)) => {
                let step = "outputs".to_owned();
                self.end(None, Outcome::Failed { step, why });
            }
            Err(EvaluationError::Need(need)) => return Err(Halt::Need(need)),
        }
        Ok(())
    }

    /// The run ends, and yields nothing.
    pub(crate) fn end(&mut self, step: Option<StepId>, outcome: Outcome) {
        self.end_with(step, outcome, Value::Nothing);
    }

    /// The run ends: after `finally`, where that has not run. It ends as it
    /// was decided before that; and as failed where a step has failed for
    /// good, however `on_error` ends.
    fn end_with(&mut self, step: Option<StepId>, outcome: Outcome, outputs: Value) {
        let state = &self.run.state;
        if let Some(outcome) = state.ending.clone() {
            let outputs = state.outputs.clone();
            self.ended(step, outcome, outputs);
            return;
        }
        let outcome = match state.error.clone() {
            Some((step, why)) => Outcome::Failed { step, why },
            None => outcome,
        };
        self.ends_as(step, outcome, outputs);
    }

    fn ends_as(&mut self, step: Option<StepId>, outcome: Outcome, outputs: Value) {
        let Some(enter) = self.def.finally else {
            self.ended(step, outcome, outputs);
            return;
        };
        let rounds = self.rounds_of(step);
        self.emit(Event::Ending { step, rounds, at: self.now, outcome, outputs, enter });
    }

    fn ended(&mut self, step: Option<StepId>, outcome: Outcome, outputs: Value) {
        let rounds = self.rounds_of(step);
        self.emit(Event::Ended { step, rounds, at: self.now, outcome, outputs });
    }

    /// The round of the step that ends the run, if one does.
    fn rounds_of(&self, step: Option<StepId>) -> Rounds {
        if step.is_some() { self.rounds.clone() } else { Rounds::main() }
    }

    /// Somebody ends the run, or its `finally`.
    pub(crate) fn cancel(&mut self, why: &str) {
        match self.run.state.ending.clone() {
            Some(outcome) => {
                self.ended(None, outcome.with_cancellation(why), Value::Nothing);
            }
            None => {
                self.ends_as(None, Outcome::Cancelled { why: why.to_owned() }, Value::Nothing);
            }
        }
    }

    /// Whether something that happened is what `stop_when` names. The run
    /// ends then.
    pub(crate) fn stopped(&mut self, happening: &Happening) -> bool {
        let (Some(subject), true) = (&self.run.subject, self.run.may_be_stopped()) else {
            return false;
        };
        if happening.run == Some(self.run.id) {
            return false;
        }
        let stop = self.def.stop_when.iter().find(|stop| {
            occurrence::is_about(happening, subject)
                && occurrence::is_kind(&stop.occurrence, happening)
        });
        let Some(stop) = stop else { return false };
        let outcome = stop.outcome.clone().unwrap_or_else(|| "stopped".to_owned());
        let why = format!("stop_when: {}", happening.describe());
        self.end(None, Outcome::Stopped { outcome, why });
        true
    }

    fn outputs(&self) -> Evaluated<Value> {
        if self.def.outputs.is_empty() {
            return Ok(Value::Nothing);
        }
        let world = self.world();
        let mut outputs = BTreeMap::new();
        for output in &self.def.outputs {
            let value = match world.expression(&output.value) {
                Err(EvaluationError::Fault(why)) => {
                    return fault(format!("the output `{}` has no value: {why}", output.name));
                }
                value => value?,
            };
            outputs.insert(output.name.clone(), value);
        }
        Ok(Value::Map(outputs))
    }
}

impl Run {
    /// Whether `stop_when` still counts: not once the run's end is decided,
    /// or `on_error` runs.
    pub(crate) const fn may_be_stopped(&self) -> bool {
        self.state.error.is_none() && self.state.ending.is_none()
    }
}

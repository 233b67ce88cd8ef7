//! `wait` and `wait_for`.

use relata_model::{Reference, Timestamp, Value};
use relata_workflow::{Expression, Occurrence, Step, WaitFor};

use crate::{
    Event, Happening, Pending,
    decide::{Progress, Turn},
    happening::brief,
    occurrence::{self, Awaited},
    world::{Evaluated, fault},
};

impl Turn<'_> {
    pub(crate) fn wait(
        &mut self,
        step: &Step,
        duration: &Expression,
        resume_in: Option<&str>,
    ) -> Evaluated<Progress> {
        if let Some(Pending::Waiting { until, .. }) = self.run.pending(&self.rounds) {
            let due = until.is_none_or(|until| until <= self.now);
            if !due || !self.timers {
                return Ok(Progress::Rest);
            }
            self.done(step, Value::Nothing, None, "the time has come".to_owned());
            return Ok(Progress::On);
        }
        let world = self.world();
        let value = world.expression(duration)?;
        let after = world.point(self.now, &value, None)?;
        let mut explanation = format!("until {}", world.local(after));
        if !matches!(value, Value::Time(_)) {
            explanation = format!("{}: {explanation}", brief(&value));
        }
        let mut until = after;
        if let Some(name) = resume_in {
            // A day that is long over is no reason to go on at night.
            let from = after.max(self.now);
            let Some(opening) = world.calendar(name)?.next_opening(from) else {
                return fault(format!(
                    "the calendar `{name}` does not open within ten years of {}",
                    world.local(after)
                ));
            };
            if opening > from {
                let opens = world.local(opening);
                explanation = format!("{explanation}, then until calendar/{name} opens on {opens}");
            }
            until = opening;
        }
        self.wait_began(step, Some(until), Vec::new(), explanation);
        Ok(Progress::On)
    }

    pub(crate) fn wait_for(&mut self, step: &Step, wait: &WaitFor) -> Evaluated<Progress> {
        if let Some(Pending::Waiting { until, watches, .. }) = self.run.pending(&self.rounds) {
            let until = *until;
            let record = watches.first().and_then(|watch| watch.key.parse::<Reference>().ok());
            if let Some(record) = record
                && let Some(explanation) = self.has_value(wait, &record)?
            {
                self.done(step, Value::Reference(record), wait.then, explanation);
                return Ok(Progress::On);
            }
            if !self.timers || until.is_none_or(|until| self.now < until) {
                return Ok(Progress::Rest);
            }
            self.done(step, Value::Nothing, wait.otherwise, "it did not happen in time".to_owned());
            return Ok(Progress::On);
        }
        let awaited = self.awaited(wait)?;
        if awaited == Awaited::Never {
            let since = wait.since.as_deref().unwrap_or_default();
            let explanation =
                format!("`{since}` has no result that it could answer, so nothing is waited for");
            self.done(step, Value::Nothing, None, explanation);
            return Ok(Progress::On);
        }
        let base = self.counted_from(wait).unwrap_or(self.now);
        let until = match &wait.up_to {
            None => None,
            Some(limit) => {
                let limit = self.world().expression(limit)?;
                Some(self.world().point(base, &limit, None)?)
            }
        };
        let keyed = matches!(awaited, Awaited::Keyed(_));
        let noted = self
            .run
            .state
            .inbox
            .iter()
            .filter(|noted| awaited.is(&wait.occurrence, noted))
            .filter(|noted| self.counts(wait, noted, (!keyed).then_some(base), until))
            .min_by_key(|noted| noted.at)
            .cloned();
        if let Some(noted) = noted {
            self.came_true(step, wait, &noted);
            return Ok(Progress::On);
        }
        if let Awaited::About(record) = &awaited
            && let Some(explanation) = self.has_value(wait, record)?
        {
            self.done(step, Value::Reference(record.clone()), wait.then, explanation);
            return Ok(Progress::On);
        }
        let watches = awaited.watches(&wait.occurrence);
        let limit = until.map_or_else(
            || "without a limit".to_owned(),
            |until| format!("until {} at the latest", self.world().local(until)),
        );
        self.wait_began(step, until, watches, limit);
        Ok(Progress::On)
    }

    /// Something happened while a `wait_for` waits. Answers whether it ended
    /// the wait.
    pub(crate) fn came(
        &mut self,
        step: &Step,
        wait: &WaitFor,
        happening: &Happening,
    ) -> Evaluated<bool> {
        let Some(Pending::Waiting { began, until, watches }) = self.run.pending(&self.rounds)
        else {
            return Ok(false);
        };
        let (began, until) = (*began, *until);
        let reached = happening.topics().iter().any(|topic| watches.contains(topic));
        let keyed = match (&wait.occurrence, &wait.since) {
            (Occurrence::Event { name }, Some(since)) => {
                occurrence::keys_since(self.def, &self.run, &self.rounds, name, since).is_some()
            }
            _ => false,
        };
        let base = self.counted_from(wait).unwrap_or(began);
        let ends = reached
            && occurrence::is_kind(&wait.occurrence, happening)
            && self.counts(wait, happening, (!keyed).then_some(base), until);
        if ends {
            self.came_true(step, wait, happening);
        }
        Ok(ends)
    }

    fn came_true(&mut self, step: &Step, wait: &WaitFor, happening: &Happening) {
        let output = occurrence::main_record(happening)
            .map_or(Value::Nothing, |record| Value::Reference(record.clone()));
        let explanation =
            format!("{}, on {}", happening.describe(), self.world().local(happening.at));
        self.done(step, output, wait.then, explanation);
    }

    /// Whether it happened in the time that counts, and the run did not do it
    /// itself. A key says by itself that it came after its step.
    fn counts(
        &self,
        wait: &WaitFor,
        happening: &Happening,
        from: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> bool {
        let own = happening.run == Some(self.run.id)
            && matches!(wait.occurrence, Occurrence::Changed { .. });
        !own && from.is_none_or(|from| from <= happening.at)
            && until.is_none_or(|until| happening.at < until)
    }

    fn counted_from(&self, wait: &WaitFor) -> Option<Timestamp> {
        wait.since.as_ref().and_then(|since| self.run.done(&self.rounds, since)).map(|done| done.at)
    }

    fn awaited(&self, wait: &WaitFor) -> Evaluated<Awaited> {
        match (&wait.occurrence, &wait.since) {
            (Occurrence::Created { object }, _) => {
                return fault(format!(
                    "a new {object} cannot be waited for; wait for an event or a change"
                ));
            }
            (Occurrence::Event { name }, Some(since)) => {
                if let Some(awaited) =
                    occurrence::keys_since(self.def, &self.run, &self.rounds, name, since)
                {
                    return Ok(awaited);
                }
            }
            _ => {}
        }
        let Some(about) = &wait.about else {
            return match &self.run.subject {
                Some(subject) => Ok(Awaited::About(subject.clone())),
                None => fault("the run is about no record whose change could be waited for"),
            };
        };
        match self.world().value(about)? {
            Value::Reference(record) => Ok(Awaited::About(self.world().canonical(&record)?)),
            Value::Nothing => fault(format!(
                "`{}` is empty, so there is nothing to wait for",
                about.source.trim()
            )),
            other => fault(format!("`{}` is {}, not a record", about.source.trim(), brief(&other))),
        }
    }

    /// For a change to a value that the field has already: why it counts.
    fn has_value(&self, wait: &WaitFor, record: &Reference) -> Evaluated<Option<String>> {
        let Occurrence::Changed { field: Some(field), from, to, .. } = &wait.occurrence else {
            return Ok(None);
        };
        if to.is_empty() || !from.is_empty() {
            return Ok(None);
        }
        let Some(found) = self.facts.record(record)? else { return Ok(None) };
        let value = found.field(field);
        Ok(occurrence::is_one_of(value, to)
            .then(|| format!("{record}: {field} = {}", self.world().written(value))))
    }

    fn wait_began(
        &mut self,
        step: &Step,
        until: Option<Timestamp>,
        watches: Vec<crate::Watch>,
        explanation: String,
    ) {
        self.emit(Event::WaitBegan {
            step: step.id,
            rounds: self.rounds.clone(),
            at: self.now,
            until,
            watches,
            explanation,
        });
    }
}

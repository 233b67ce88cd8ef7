//! `deadline`: a clock that stands while its pause holds, and levels at
//! shares of its time.

use std::collections::BTreeSet;

use relata_model::{Change, Decimal, Record, Reference, Timestamp, Value};
use relata_workflow::{Deadline, EvaluationError, Facts, Step, StepId, StepKind};

use crate::{
    Clock, Event, Happening, HappeningKind, Pending, Rounds,
    decide::{Halt, Progress, Turn},
    strand::step_of,
    world::{Evaluated, World, fault},
};

impl Turn<'_> {
    pub(crate) fn deadline(&mut self, step: &Step, deadline: &Deadline) -> Evaluated<Progress> {
        let conditions = Conditions::read(&self.world(), deadline)?;
        let Some(Pending::Deadline(clock)) = self.run.pending(&self.rounds).cloned() else {
            return self.deadline_begins(step, deadline, conditions);
        };
        if conditions.met {
            let explanation = conditions.explanation;
            self.done(step, Value::Text("met".to_owned()), None, explanation);
            return Ok(Progress::On);
        }
        let ran_ms = ran(&clock, &self.world(), deadline, self.now)?;
        if conditions.paused != clock.paused || conditions.records != clock.records {
            // Never back: a clock set back would count the same time twice.
            let at = self.now.max(clock.read_at);
            self.clock_read(step, at, ran_ms, conditions);
        }
        if !self.timers {
            return Ok(Progress::Rest);
        }
        let reached = clock.levels as usize;
        let Some(level) = deadline.levels.get(reached) else {
            // Past the last level; where there is none, at the whole time.
            if deadline.levels.is_empty() && ran_ms < clock.budget_ms {
                return Ok(Progress::Rest);
            }
            self.done(step, Value::Text("missed".to_owned()), None, "not met in time".to_owned());
            return Ok(Progress::On);
        };
        if ran_ms < share_of(clock.budget_ms, level.share) {
            return Ok(Progress::Rest);
        }
        self.emit(Event::LevelReached {
            step: step.id,
            rounds: self.rounds.clone(),
            at: self.now,
            level: clock.levels,
            enter: level.block,
            explanation: format!(
                "{}% of {} minutes are gone: the clock shows {} minutes",
                (level.share * Decimal::ONE_HUNDRED).normalize(),
                clock.budget_ms / 60_000,
                ran_ms / 60_000
            ),
        });
        Ok(Progress::On)
    }

    fn deadline_begins(
        &mut self,
        step: &Step,
        deadline: &Deadline,
        conditions: Conditions,
    ) -> Evaluated<Progress> {
        if conditions.met {
            let explanation = format!("met already: {}", conditions.explanation);
            self.done(step, Value::Text("met".to_owned()), None, explanation);
            return Ok(Progress::On);
        }
        let world = self.world();
        let within = world.expression(&deadline.within)?;
        let working = matches!(&within, Value::Duration(duration) if duration.is_working());
        let end = world.point(self.now, &within, deadline.calendar.as_deref())?;
        let budget_ms = elapsed(&world, deadline, working, self.now, end)?;
        let explanation = format!(
            "{}: until {}; {}",
            world.written(&within),
            world.local(end),
            conditions.explanation
        );
        self.emit(Event::DeadlineBegan {
            step: step.id,
            rounds: self.rounds.clone(),
            at: self.now,
            budget_ms,
            working,
            paused: conditions.paused,
            explanation,
            records: conditions.records,
        });
        Ok(Progress::On)
    }

    /// Reads the clocks of all deadlines that the run is in, as of the time
    /// of a change and with the record as it was then: what happened while
    /// nobody was there to see it counts from when it happened.
    pub(crate) fn read_clocks(&mut self, happening: &Happening) -> Result<(), Halt> {
        let HappeningKind::Change(change) = &happening.kind else { return Ok(()) };
        let at = happening.at.min(self.now);
        let concerned: Vec<(Rounds, StepId, Clock)> = self
            .run
            .state
            .strands
            .iter()
            .flat_map(|(rounds, strand)| strand.frames.iter().map(move |frame| (rounds, frame)))
            .filter_map(|(rounds, frame)| match &frame.pending {
                Some(Pending::Deadline(clock))
                    if clock.records.contains(&change.reference) && at >= clock.read_at =>
                {
                    Some((rounds.clone(), step_of(self.def, frame)?.id, clock.clone()))
                }
                _ => None,
            })
            .collect();
        for (rounds, step, clock) in concerned {
            let step = self.def.step(step);
            let StepKind::Deadline(deadline) = &step.kind else { continue };
            self.rounds = rounds;
            let facts = as_of(self.facts, change);
            let world = World { facts: &facts, ..self.world() };
            let read = Conditions::read(&world, deadline)
                .and_then(|conditions| Ok((ran(&clock, &world, deadline, at)?, conditions)));
            match read {
                Ok((ran_ms, conditions)) => {
                    if conditions.paused != clock.paused || conditions.records != clock.records {
                        self.clock_read(step, at, ran_ms, conditions);
                    }
                }
                Err(EvaluationError::Need(need)) => return Err(Halt::Need(need)),
                // It fails when the step is awake.
                Err(EvaluationError::Fault(_)) => {}
            }
        }
        Ok(())
    }

    /// Whether a change met the deadline at which the run stands.
    pub(crate) fn met_by(
        &mut self,
        step: &Step,
        deadline: &Deadline,
        happening: &Happening,
    ) -> Evaluated<bool> {
        let HappeningKind::Change(change) = &happening.kind else { return Ok(false) };
        let Some(Pending::Deadline(clock)) = self.run.pending(&self.rounds) else {
            return Ok(false);
        };
        if !clock.records.contains(&change.reference) || happening.at < clock.began {
            return Ok(false);
        }
        let facts = as_of(self.facts, change);
        let world = World { facts: &facts, ..self.world() };
        let (met, values) = world.holds(&deadline.met_when)?;
        if met {
            let explanation = format!("met on {}: {values}", world.local(happening.at));
            self.done(step, Value::Text("met".to_owned()), None, explanation);
        }
        Ok(met)
    }

    fn clock_read(&mut self, step: &Step, at: Timestamp, ran_ms: i64, conditions: Conditions) {
        let stands = if conditions.paused { "the clock stands" } else { "the clock runs" };
        self.emit(Event::ClockRead {
            step: step.id,
            rounds: self.rounds.clone(),
            at,
            ran_ms,
            paused: conditions.paused,
            explanation: format!(
                "{stands} at {} minutes: {}",
                ran_ms / 60_000,
                conditions.explanation
            ),
            records: conditions.records,
        });
    }
}

/// How the conditions of a deadline stand.
struct Conditions {
    met: bool,
    paused: bool,
    records: Vec<Reference>,
    explanation: String,
}

impl Conditions {
    fn read(world: &World<'_>, deadline: &Deadline) -> Evaluated<Self> {
        let (met, mut explanation, mut records) = world.holds_by(&deadline.met_when)?;
        let mut paused = false;
        if let Some(condition) = &deadline.pause_while {
            let (holds, values, read): (_, _, BTreeSet<_>) = world.holds_by(condition)?;
            paused = holds;
            records.extend(read);
            explanation = format!("{explanation}, {values}");
        }
        Ok(Self { met, paused, records: records.into_iter().collect(), explanation })
    }
}

/// The facts with a record as a change left it.
fn as_of(facts: &Facts, change: &Change) -> Facts {
    let mut facts = facts.clone();
    let left = |revision| {
        change.after.clone().map(|fields| Record {
            reference: change.reference.clone(),
            revision,
            fields,
        })
    };
    for known in facts.records.values_mut() {
        if let Some(record) = known
            && record.reference == change.reference
        {
            *known = left(record.revision);
        }
    }
    facts.records.entry(change.reference.clone()).or_insert_with(|| left(0));
    facts
}

/// What the clock shows at a time, in milliseconds.
fn ran(clock: &Clock, world: &World<'_>, deadline: &Deadline, at: Timestamp) -> Evaluated<i64> {
    if clock.paused {
        return Ok(clock.ran_ms);
    }
    let since = elapsed(world, deadline, clock.working, clock.read_at, at)?;
    Ok(clock.ran_ms.saturating_add(since))
}

/// The milliseconds that such a clock runs between two times.
fn elapsed(
    world: &World<'_>,
    deadline: &Deadline,
    working: bool,
    from: Timestamp,
    to: Timestamp,
) -> Evaluated<i64> {
    if !working {
        return Ok((to.as_millisecond() - from.as_millisecond()).max(0));
    }
    match world.calendar_or_own(deadline.calendar.as_deref())? {
        Some(calendar) => Ok(calendar.open_millis(from, to)),
        None => fault("working time needs a calendar; name one with `calendar:`"),
    }
}

/// When the clock shows what the next level, or the end, asks for; long ago
/// where it does already, none while it stands or where that time never comes.
pub(crate) fn next_at(
    world: &World<'_>,
    deadline: &Deadline,
    clock: &Clock,
) -> Evaluated<Option<Timestamp>> {
    let wanted = match deadline.levels.get(clock.levels as usize) {
        Some(level) => share_of(clock.budget_ms, level.share),
        None if deadline.levels.is_empty() => clock.budget_ms,
        // Past the last level.
        None => return Ok(Some(Timestamp::MIN)),
    };
    let left = wanted.saturating_sub(clock.ran_ms);
    if left <= 0 {
        return Ok(Some(Timestamp::MIN));
    }
    if clock.paused {
        return Ok(None);
    }
    if !clock.working {
        let at = clock.read_at.as_millisecond().saturating_add(left);
        return Ok(Timestamp::from_millisecond(at).ok());
    }
    match world.calendar_or_own(deadline.calendar.as_deref())? {
        Some(calendar) => Ok(calendar.when_open_for(clock.read_at, left)),
        None => fault("working time needs a calendar; name one with `calendar:`"),
    }
}

/// A share of a time, rounded up, so that nothing is early.
fn share_of(budget_ms: i64, share: Decimal) -> i64 {
    use rust_decimal::prelude::ToPrimitive;
    Decimal::from(budget_ms)
        .checked_mul(share)
        .and_then(|part| part.ceil().to_i64())
        .unwrap_or(i64::MAX)
}

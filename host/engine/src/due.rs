//! What a run is owed, and what it listens for.

use std::collections::BTreeSet;

use relata_model::Timestamp;
use relata_workflow::{Definition, EvaluationError, Facts, Occurrence, StepKind};

use crate::{
    Call, Outcome, Pending, Run, Status, Watch, call, deadline,
    decide::{Halt, misfit},
    occurrence,
    world::World,
};

/// What a run is owed next.
#[derive(Debug, Clone, PartialEq)]
pub enum Due {
    /// A call of an action. Its answer is an [`crate::Input::Returned`]. The
    /// same call is due again after a crash.
    Call(Call),
    /// A sleep until a time, or until something that it listens for happens.
    Sleep {
        /// The time; none where only a happening wakes it.
        until: Option<Timestamp>,
    },
    /// A decision: [`crate::decide`] with [`crate::Input::Wake`] has
    /// something to do now.
    Decide,
    /// Nothing: it has ended.
    Ended(Outcome),
}

/// What a run is owed next.
///
/// # Errors
///
/// [`Halt::Need`] where a fact is missing; [`Halt::Rejected`] for a run that
/// does not fit the definition.
pub fn due(def: &Definition, run: &Run, facts: &Facts, now: Timestamp) -> Result<Due, Halt> {
    if let Status::Ended(outcome) = &run.status {
        return Ok(Due::Ended(outcome.clone()));
    }
    let Some(step) = run.current(def) else {
        return if run.state.frames.is_empty() { Ok(Due::Decide) } else { Err(misfit(run)) };
    };
    let world = World { def, variables: &run.state.variables, facts, now };
    match (&step.kind, run.pending()) {
        (StepKind::Do(_), Some(Pending::Calling { not_before, .. })) if *not_before > now => {
            Ok(Due::Sleep { until: Some(*not_before) })
        }
        (StepKind::Do(_), Some(Pending::GivenUp { .. })) => Ok(Due::Decide),
        (StepKind::Do(action), _) => match call::of_step(&world, run, step, action) {
            Ok(call) => Ok(Due::Call(call)),
            Err(EvaluationError::Need(need)) => Err(Halt::Need(need)),
            // The decision makes a failed step of it.
            Err(EvaluationError::Fault(_)) => Ok(Due::Decide),
        },
        (StepKind::Wait { .. } | StepKind::WaitFor(_), Some(Pending::Waiting { until, .. })) => {
            Ok(sleep(*until, now))
        }
        (StepKind::Deadline(deadline), Some(Pending::Deadline(clock))) => {
            match deadline::next_at(&world, deadline, clock) {
                Ok(until) => Ok(sleep(until, now)),
                Err(EvaluationError::Need(need)) => Err(Halt::Need(need)),
                Err(EvaluationError::Fault(_)) => Ok(Due::Decide),
            }
        }
        _ => Ok(Due::Decide),
    }
}

fn sleep(until: Option<Timestamp>, now: Timestamp) -> Due {
    match until {
        Some(until) if until <= now => Due::Decide,
        until => Due::Sleep { until },
    }
}

/// Everything that a run listens for now: what would stop it, what it waits
/// for, the records on which its deadlines depend, and what a later
/// `wait_for` with `since` will ask for.
#[must_use]
pub fn watches(def: &Definition, run: &Run) -> BTreeSet<Watch> {
    let mut watches = BTreeSet::new();
    if run.has_ended() {
        return watches;
    }
    if let Some(subject) = &run.subject
        && run.state.error.is_none()
    {
        watches.extend(def.stop_when.iter().filter_map(|stop| match &stop.occurrence {
            Occurrence::Changed { .. } => Some(Watch::changes_of(subject)),
            Occurrence::Event { name } => Some(Watch::event(name.clone(), subject)),
            Occurrence::Enters { segment } => {
                Some(Watch::event(occurrence::enters_topic(segment), subject))
            }
            Occurrence::Created { .. } => None,
        }));
    }
    for frame in &run.state.frames {
        match &frame.pending {
            Some(Pending::Waiting { watches: wanted, .. }) => {
                watches.extend(wanted.iter().cloned())
            }
            Some(Pending::Deadline(clock)) => {
                watches.extend(clock.records.iter().map(Watch::changes_of))
            }
            Some(Pending::Calling { .. } | Pending::GivenUp { .. }) | None => {}
        }
    }
    if run.state.error.is_none() {
        for (_, wait, awaited) in occurrence::waits_ahead(def, run) {
            watches.extend(awaited.watches(&wait.occurrence));
        }
    }
    watches
}

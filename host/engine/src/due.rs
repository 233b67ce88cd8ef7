//! What a run is owed, and what it listens for.

use std::collections::BTreeSet;

use relata_model::Timestamp;
use relata_workflow::{Definition, EvaluationError, Facts, Occurrence, Step, StepKind};

use crate::{
    Call, ChildCall, Outcome, Pending, Rounds, Run, Status, Strand, Watch, ahead, call, deadline,
    decide::{Halt, misfit},
    for_each, occurrence, sub_run,
    world::{Evaluated, World},
};

/// What a run is owed next.
#[derive(Debug, Clone, PartialEq)]
pub enum Due {
    /// A call of an action. Its answer is an [`crate::Input::Returned`]. The
    /// same call is due again after a crash.
    Call(Call),
    /// The beginning of a run of another workflow. Its answer is an
    /// [`crate::Input::Child`], in the same commit as the new run.
    Run(ChildCall),
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

/// What a strand is owed next.
enum Owed {
    Decision,
    Call,
    Sleep(Option<Timestamp>),
}

/// What a run is owed next. Its strands overlap in their waits, not in their
/// calls: of those that are owed one, the first has its turn.
///
/// # Errors
///
/// [`Halt::Need`] where a fact is missing; [`Halt::Rejected`] for a run that
/// does not fit the definition.
pub fn due(def: &Definition, run: &Run, facts: &Facts, now: Timestamp) -> Result<Due, Halt> {
    if let Status::Ended(outcome) = &run.status {
        return Ok(Due::Ended(outcome.clone()));
    }
    let world = |rounds: &Rounds| World { def, variables: run.layers(def, rounds), facts, now };
    let (first, until) = match stands(def, run, facts, now)? {
        Stands::Decision => return Ok(Due::Decide),
        Stands::Owed { first, until } => (first, until),
    };
    let Some((rounds, step)) = first else { return Ok(Due::Sleep { until }) };
    let made = match &step.kind {
        StepKind::Do(action) => {
            call::of_step(&world(rounds), run, rounds, step, action).map(Due::Call)
        }
        StepKind::Run(sub) => {
            sub_run::of_step(&world(rounds), run, rounds, step, sub).map(Due::Run)
        }
        _ => Ok(Due::Decide),
    };
    match made {
        Err(EvaluationError::Need(need)) => Err(Halt::Need(need)),
        Err(EvaluationError::Fault(_)) => Ok(Due::Decide),
        Ok(due) => Ok(due),
    }
}

/// When a run whose call has to wait is to be looked at for another reason:
/// the first timer of its other strands, none where there is none.
///
/// # Errors
///
/// As of [`due`].
pub fn next_timer(
    def: &Definition,
    run: &Run,
    facts: &Facts,
    now: Timestamp,
) -> Result<Option<Timestamp>, Halt> {
    match stands(def, run, facts, now)? {
        Stands::Decision => Ok(Some(now)),
        Stands::Owed { until, .. } => Ok(until),
    }
}

/// What the strands of a run are owed, together.
enum Stands<'a> {
    /// One of them a decision.
    Decision,
    /// The first of those that are owed a call, and until when the others
    /// sleep.
    Owed { first: Option<(&'a Rounds, &'a Step)>, until: Option<Timestamp> },
}

fn stands<'a>(
    def: &'a Definition,
    run: &'a Run,
    facts: &Facts,
    now: Timestamp,
) -> Result<Stands<'a>, Halt> {
    let world = |rounds: &Rounds| World { def, variables: run.layers(def, rounds), facts, now };
    let mut first = None;
    let mut until: Option<Timestamp> = None;
    for (rounds, strand) in &run.state.strands {
        let Some(step) = strand.current(def) else {
            match (strand.frames.is_empty(), rounds.is_main()) {
                (false, _) => return Err(misfit(run)),
                (true, true) => return Ok(Stands::Decision),
                (true, false) => continue,
            }
        };
        let owed = match owed(run, step, strand, now, || world(rounds)) {
            Ok(owed) => owed,
            Err(EvaluationError::Need(need)) => return Err(Halt::Need(need)),
            // The decision makes a failed step of it.
            Err(EvaluationError::Fault(_)) => Owed::Decision,
        };
        match owed {
            Owed::Decision => return Ok(Stands::Decision),
            Owed::Call => first = first.or(Some((rounds, step))),
            Owed::Sleep(at) => until = until.into_iter().chain(at).min(),
        }
    }
    Ok(Stands::Owed { first, until })
}

fn owed<'a>(
    run: &Run,
    step: &Step,
    strand: &Strand,
    now: Timestamp,
    world: impl FnOnce() -> World<'a>,
) -> Evaluated<Owed> {
    if is_call(run, step, strand, now) {
        return Ok(Owed::Call);
    }
    Ok(match (&step.kind, strand.pending()) {
        (StepKind::Do(_), Some(Pending::Calling { not_before, .. })) => {
            Owed::Sleep(Some(*not_before))
        }
        (StepKind::Wait { .. } | StepKind::WaitFor(_), Some(Pending::Waiting { until, .. }))
        | (StepKind::Run(_), Some(Pending::Child { until, .. })) => sleep(*until, now),
        (StepKind::Deadline(deadline), Some(Pending::Deadline(clock))) => {
            sleep(deadline::next_at(&world(), deadline, clock)?, now)
        }
        (StepKind::ForEach(for_each), Some(Pending::Items(items))) => {
            match for_each::owed(run, for_each, items, now) {
                for_each::Owed::Now => Owed::Decision,
                for_each::Owed::At(time) => Owed::Sleep(Some(time)),
                for_each::Owed::AnItem => Owed::Sleep(None),
            }
        }
        (StepKind::Parallel { .. }, Some(Pending::Branches { left: 1.. })) => Owed::Sleep(None),
        _ => Owed::Decision,
    })
}

fn sleep(until: Option<Timestamp>, now: Timestamp) -> Owed {
    match until {
        Some(until) if until <= now => Owed::Decision,
        until => Owed::Sleep(until),
    }
}

/// Whether the strand has a call to make, or a run to start, now.
fn is_call(run: &Run, step: &Step, strand: &Strand, now: Timestamp) -> bool {
    match (&step.kind, strand.pending()) {
        (StepKind::Do(_), Some(Pending::Calling { not_before, .. })) => *not_before <= now,
        (StepKind::Do(_), Some(Pending::GivenUp { .. })) => false,
        (StepKind::Do(_), _) => true,
        (StepKind::Run(_), None) => !sub_run::is_too_deep(run),
        _ => false,
    }
}

/// The step of the first strand that has a call to make now.
pub(crate) fn first_call<'a, 'r>(
    def: &'a Definition,
    run: &'r Run,
    now: Timestamp,
) -> Option<(&'r Rounds, &'a Step)> {
    run.state.strands.iter().find_map(|(rounds, strand)| {
        let step = strand.current(def)?;
        is_call(run, step, strand, now).then_some((rounds, step))
    })
}

/// Everything that a run listens for now: what would stop it, what it waits
/// for in all of its strands, the records on which its deadlines depend, the
/// ends of the runs that it has started, and what a later `wait_for` with
/// `since` will ask for.
#[must_use]
pub fn watches(def: &Definition, run: &Run) -> BTreeSet<Watch> {
    let mut watches = BTreeSet::new();
    if run.has_ended() {
        return watches;
    }
    if let Some(subject) = &run.subject
        && run.may_be_stopped()
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
    for frame in run.state.strands.values().flat_map(|strand| &strand.frames) {
        match &frame.pending {
            Some(Pending::Waiting { watches: wanted, .. }) => {
                watches.extend(wanted.iter().cloned())
            }
            Some(Pending::Deadline(clock)) => {
                watches.extend(clock.records.iter().map(Watch::changes_of))
            }
            Some(Pending::Child { run, .. }) => {
                watches.insert(sub_run::ended(*run));
            }
            Some(
                Pending::Calling { .. }
                | Pending::GivenUp { .. }
                | Pending::Items(_)
                | Pending::Branches { .. },
            )
            | None => {}
        }
    }
    for (wait, awaited) in ahead::waits(def, run) {
        watches.extend(awaited.watches(&wait.occurrence));
    }
    watches
}

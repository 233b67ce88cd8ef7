//! What a run may yet wait for: the `wait_for` steps with `since` that its
//! strands can still come to.

use std::collections::BTreeSet;

use relata_model::Value;
use relata_workflow::{BlockId, Definition, Occurrence, StepId, StepKind, WaitFor};

use crate::{
    Items, Pending, Rounds, Run,
    occurrence::{self, Awaited},
};

/// The steps ahead that count what happened since a step that has ended, each
/// with what it will ask for.
pub(crate) fn waits<'a>(def: &'a Definition, run: &Run) -> Vec<(&'a WaitFor, Awaited)> {
    let counts_back =
        |kind: &StepKind| matches!(kind, StepKind::WaitFor(wait) if wait.since.is_some());
    let mut found = Vec::new();
    if run.has_ended() || !def.steps.iter().any(|step| counts_back(&step.kind)) {
        return found;
    }
    for (rounds, strand) in &run.state.strands {
        let mut ahead = Ahead { def, run, rounds, visited: BTreeSet::new(), found: &mut found };
        for frame in &strand.frames {
            let Some(block) = def.blocks.get(frame.block.0 as usize) else { continue };
            let mut rest = block.iter().skip(frame.next as usize);
            if let Some(pending) = &frame.pending
                && let Some(step) = rest.next()
            {
                ahead.begun(*step, pending);
            }
            rest.for_each(|step| ahead.step(*step, None));
        }
        if rounds.is_main() && run.state.ending.is_none() {
            let on_error = def.on_error.filter(|_| run.state.error.is_none());
            for block in on_error.into_iter().chain(def.finally) {
                ahead.block(block, None);
            }
        }
    }
    found
}

/// The way ahead of one strand.
struct Ahead<'a, 'r> {
    def: &'a Definition,
    run: &'r Run,
    rounds: &'r Rounds,
    /// So that a definition that goes in a circle has an end.
    visited: BTreeSet<BlockId>,
    found: &'r mut Vec<(&'a WaitFor, Awaited)>,
}

/// The items of a loop whose turn has not come, and what one is called.
type Coming<'r> = Option<(&'r str, &'r Items)>;

impl<'a> Ahead<'a, '_> {
    fn block(&mut self, block: BlockId, coming: Coming<'_>) {
        let def = self.def;
        let Some(steps) = def.blocks.get(block.0 as usize) else { return };
        if self.visited.insert(block) {
            steps.iter().for_each(|step| self.step(*step, coming));
        }
    }

    fn step(&mut self, id: StepId, coming: Coming<'_>) {
        let def = self.def;
        let Some(step) = def.steps.get(id.0 as usize) else { return };
        if let StepKind::WaitFor(wait) = &step.kind {
            self.wait(wait, coming);
        }
        blocks_of(&step.kind).into_iter().for_each(|block| self.block(block, coming));
    }

    /// What lies ahead in a step that has begun.
    fn begun(&mut self, id: StepId, pending: &Pending) {
        let def = self.def;
        let Some(step) = def.steps.get(id.0 as usize) else { return };
        match (&step.kind, pending) {
            (StepKind::Deadline(deadline), Pending::Deadline(clock)) => {
                for level in deadline.levels.iter().skip(clock.levels as usize) {
                    self.block(level.block, None);
                }
            }
            (StepKind::ForEach(for_each), Pending::Items(items)) if !items.left.is_empty() => {
                self.block(for_each.block, Some((&for_each.item, items)));
            }
            // Those under way have strands of their own.
            (_, Pending::Items(_) | Pending::Branches { .. }) => {}
            (kind, _) => blocks_of(kind).into_iter().for_each(|block| self.block(block, None)),
        }
    }

    /// What a `wait_for` that has not begun will ask for, as far as it can be
    /// told without facts: a step's result, a variable or coming items that
    /// hold records, or the run's subject.
    fn wait(&mut self, wait: &'a WaitFor, coming: Coming<'_>) {
        let Some(since) = wait.since.as_deref() else { return };
        if self.run.done(self.rounds, since).is_none() {
            return;
        }
        if let Occurrence::Event { name } = &wait.occurrence
            && let Some(awaited) =
                occurrence::keys_since(self.def, self.run, self.rounds, name, since)
        {
            self.found.push((wait, awaited));
            return;
        }
        let Some(about) = wait.about.as_ref().map(|about| about.source.trim()) else {
            let subject = self.run.subject.clone();
            self.found.extend(subject.map(|subject| (wait, Awaited::About(subject))));
            return;
        };
        let values: Vec<&Value> = match coming {
            Some((item, items)) if item == about => items.left.iter().collect(),
            _ => self.run.seen(self.def, self.rounds, about).into_iter().collect(),
        };
        let records = values.into_iter().filter_map(Value::as_reference);
        self.found.extend(records.map(|record| (wait, Awaited::About(record.clone()))));
    }
}

/// The blocks in a step.
fn blocks_of(kind: &StepKind) -> Vec<BlockId> {
    match kind {
        StepKind::If { then, otherwise, .. } => {
            [Some(*then), *otherwise].into_iter().flatten().collect()
        }
        StepKind::WaitFor(wait) => [wait.then, wait.otherwise].into_iter().flatten().collect(),
        StepKind::Deadline(deadline) => deadline.levels.iter().map(|level| level.block).collect(),
        StepKind::ForEach(for_each) => vec![for_each.block],
        StepKind::Parallel { branches } => branches.clone(),
        StepKind::Do(_)
        | StepKind::Decide { .. }
        | StepKind::Wait { .. }
        | StepKind::Split { .. }
        | StepKind::Run(_)
        | StepKind::Set { .. }
        | StepKind::Stop { .. } => Vec::new(),
    }
}

//! `for_each` and `parallel`: steps that run others side by side.

use std::collections::BTreeMap;

use relata_model::{Timestamp, Value};
use relata_workflow::{BlockId, ForEach, Step};

use crate::{
    Event, Items, Pending, Run,
    call::in_millis,
    decide::{Progress, Turn},
    happening::brief,
    world::{Evaluated, fault},
};

/// How many items a list may have.
const MOST_ITEMS: usize = 1_000;

/// How many strands a run may have at a time before each loop goes on with
/// one item after another: loops within loops would else come to thousands,
/// all of them kept with the run at every step.
const MOST_STRANDS: usize = 200;

/// How many items are left out in one entry of the log.
const LEFT_OUT_AT_ONCE: usize = 100;

/// How many of these are told with their reasons.
const LEFT_OUT_TOLD: usize = 3;

/// What a loop is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owed {
    /// It has come to its end, or the next item can have its turn.
    Now,
    /// The next item can have its turn at this time.
    At(Timestamp),
    /// Another item has to end first.
    AnItem,
}

/// What a loop is owed.
pub(crate) fn owed(run: &Run, for_each: &ForEach, items: &Items, now: Timestamp) -> Owed {
    if items.under_way == 0 && items.left.is_empty() {
        return Owed::Now;
    }
    let most = if run.state.strands.len() < MOST_STRANDS { for_each.at_once.max(1) } else { 1 };
    if items.left.is_empty() || items.under_way >= most {
        return Owed::AnItem;
    }
    match items.not_before {
        Some(at) if at > now => Owed::At(at),
        _ => Owed::Now,
    }
}

impl Turn<'_> {
    pub(crate) fn for_each(&mut self, step: &Step, for_each: &ForEach) -> Evaluated<Progress> {
        let Some(Pending::Items(items)) = self.run.pending(&self.rounds) else {
            return self.loop_begins(step, for_each);
        };
        let paced = items.not_before.is_some() && !items.left.is_empty();
        if owed(&self.run, for_each, items, self.now) != Owed::Now || (paced && !self.timers) {
            return Ok(Progress::Rest);
        }
        let (count, number) = (items.count(), items.turn.saturating_add(1));
        let Some(item) = items.left.front() else {
            let done = items.turn - items.left_out;
            let explanation = match items.left_out {
                0 => "all items are done".to_owned(),
                left_out => format!("of {count} items {done} are done and {left_out} left out"),
            };
            self.done(step, Value::Nothing, None, explanation);
            return Ok(Progress::On);
        };
        if let Some((count, explanation)) = self.left_out(for_each, items)? {
            self.emit(Event::ItemsLeftOut {
                step: step.id,
                rounds: self.rounds.clone(),
                at: self.now,
                count,
                explanation,
            });
            return Ok(Progress::On);
        }
        let explanation = format!("item {number} of {count}: {}", brief(item));
        self.emit(Event::ItemBegan {
            step: step.id,
            rounds: self.rounds.clone(),
            at: self.now,
            number,
            enter: for_each.block,
            not_before: for_each.pace.map(|pace| in_millis(self.now, pace.apart_ms())),
            explanation,
        });
        Ok(Progress::On)
    }

    fn loop_begins(&mut self, step: &Step, for_each: &ForEach) -> Evaluated<Progress> {
        let written = for_each.list.source.trim();
        let items = match self.world().value(&for_each.list)? {
            Value::List(items) => items,
            // The result of a step that was skipped, say.
            Value::Nothing => Vec::new(),
            other => return fault(format!("`{written}` is {}, not a list", brief(&other))),
        };
        if items.len() > MOST_ITEMS {
            return fault(format!(
                "`{written}` has {} items, and a loop takes at most {MOST_ITEMS}; narrow the list, or let a workflow of its own start for each record",
                items.len()
            ));
        }
        if items.is_empty() {
            self.done(step, Value::Nothing, None, "there are no items".to_owned());
            return Ok(Progress::On);
        }
        let explanation = match items.len() {
            1 => "1 item".to_owned(),
            count => format!("{count} items"),
        };
        self.emit(Event::LoopBegan {
            step: step.id,
            rounds: self.rounds.clone(),
            at: self.now,
            items,
            explanation,
        });
        Ok(Progress::On)
    }

    /// How many of the next items are left out, and why; none where the next
    /// one is not. Which ones that are is never cut short by a missing fact:
    /// the log does not depend on what was known.
    fn left_out(&self, for_each: &ForEach, items: &Items) -> Evaluated<Option<(u32, String)>> {
        let Some(condition) = &for_each.only_if else { return Ok(None) };
        let world = self.world();
        let (mut count, mut told) = (0, Vec::new());
        for (item, number) in items.left.iter().zip(items.turn + 1..).take(LEFT_OUT_AT_ONCE) {
            let own = BTreeMap::from([(for_each.item.clone(), item.clone())]);
            let (holds, values) = world.with(&own).holds(condition)?;
            if holds {
                break;
            }
            count += 1;
            if told.len() < LEFT_OUT_TOLD {
                told.push(format!("item {number} ({}): {values}", brief(item)));
            }
        }
        let more = count as usize - told.len();
        if more > 0 {
            told.push(format!("and {more} more"));
        }
        Ok((count > 0).then(|| (count, format!("only_if does not hold: {}", told.join("; ")))))
    }

    pub(crate) fn parallel(&mut self, step: &Step, branches: &[BlockId]) -> Progress {
        match self.run.pending(&self.rounds) {
            Some(Pending::Branches { left: 0 }) => {
                self.done(step, Value::Nothing, None, "all branches have ended".to_owned());
                Progress::On
            }
            Some(Pending::Branches { .. }) => Progress::Rest,
            _ if branches.is_empty() => {
                self.done(step, Value::Nothing, None, "there are no branches".to_owned());
                Progress::On
            }
            _ => {
                self.emit(Event::BranchesBegan {
                    step: step.id,
                    rounds: self.rounds.clone(),
                    at: self.now,
                    enter: branches.to_vec(),
                    explanation: format!("{} branches", branches.len()),
                });
                Progress::On
            }
        }
    }
}

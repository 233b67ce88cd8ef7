//! Strands: the lines along which a run goes on side by side. There is one
//! for the run itself, one for each branch of a `parallel`, and one for each
//! item of a `for_each` that is under way.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::Bound,
};

use relata_model::{Reference, RunId, Timestamp, Value};
use relata_workflow::{BlockId, Definition, Step, StepId};
use serde::{Deserialize, Serialize};

use crate::{Rounds, Run, StepFailure, Watch};

/// One line along which a run goes on. Its [`Rounds`] are its name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Strand {
    /// The blocks it is in, the innermost last. Empty: past the last step.
    pub frames: Vec<Frame>,
    /// Its own values by name. Those of the strands around it are seen too,
    /// and changed by `set`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, Value>,
    /// The steps of its own that have a name and have ended.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub done: BTreeMap<String, DoneStep>,
}

/// A step with a name that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoneStep {
    /// The step.
    pub step: StepId,
    /// When.
    pub at: Timestamp,
}

/// A block that a strand is in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// The block.
    pub block: BlockId,
    /// The place in it of the step whose turn it is.
    pub next: u32,
    /// What that step is at, if it has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
}

/// What a step that has begun is at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pending {
    /// An action was called, and will be called again.
    Calling {
        /// Which attempt comes next.
        attempt: u32,
        /// How many failed.
        failures: u32,
        /// How often the plugin put it off.
        postponed: u32,
        /// Not before this time.
        not_before: Timestamp,
    },
    /// An action was called, and will not be called again: its step has
    /// failed for good.
    GivenUp {
        /// The attempt that was the last.
        attempt: u32,
        /// How it failed.
        failure: StepFailure,
    },
    /// A `wait` or `wait_for`.
    Waiting {
        /// Since when.
        began: Timestamp,
        /// When it ends by itself.
        until: Option<Timestamp>,
        /// What it listens for.
        watches: Vec<Watch>,
    },
    /// A `deadline`.
    Deadline(Clock),
    /// A `for_each`.
    Items(Items),
    /// A `parallel`.
    Branches {
        /// How many have not ended.
        left: u32,
    },
    /// A `run`.
    Child {
        /// The run that was started.
        run: RunId,
        /// When it is too late.
        until: Option<Timestamp>,
    },
}

/// The clock of a deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// When it began.
    pub began: Timestamp,
    /// The whole time, in milliseconds of this clock.
    pub budget_ms: i64,
    /// Whether it runs in opening hours alone.
    pub working: bool,
    /// What it showed when it was read last, in milliseconds.
    pub ran_ms: i64,
    /// When it was read last.
    pub read_at: Timestamp,
    /// Whether it stands since then.
    pub paused: bool,
    /// How many levels it has reached.
    pub levels: u32,
    /// The records on which its conditions depend.
    pub records: Vec<Reference>,
}

/// How far a `for_each` is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Items {
    /// Those whose turn has not come, in order.
    pub left: VecDeque<Value>,
    /// How many have had their turn: the number of the last one.
    pub turn: u32,
    /// How many of these were left out.
    pub left_out: u32,
    /// How many have begun and not ended.
    pub under_way: u32,
    /// When the next may begin, where there is a pace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

impl Items {
    /// How many there are in all.
    pub(crate) fn count(&self) -> usize {
        self.left.len() + self.turn as usize
    }
}

impl Strand {
    /// What the step whose turn it is is at.
    pub(crate) fn pending(&self) -> Option<&Pending> {
        self.frames.last().and_then(|frame| frame.pending.as_ref())
    }

    /// The step whose turn it is; none past the last one, or where the strand
    /// does not fit the definition.
    pub(crate) fn current<'a>(&self, def: &'a Definition) -> Option<&'a Step> {
        self.frames.last().and_then(|frame| step_of(def, frame))
    }
}

/// The step at which a frame stands.
pub(crate) fn step_of<'a>(def: &'a Definition, frame: &Frame) -> Option<&'a Step> {
    let block = def.blocks.get(frame.block.0 as usize)?;
    let step = block.get(frame.next as usize)?;
    def.steps.get(step.0 as usize)
}

impl Run {
    /// Where it stands: the steps whose turn it is, each with its rounds, in
    /// order. A loop or a `parallel` whose inner steps have begun does not
    /// stand itself. Empty where it has ended.
    #[must_use]
    pub fn stands<'a>(&'a self, def: &'a Definition) -> Vec<(&'a Rounds, &'a Step)> {
        self.state
            .strands
            .iter()
            .filter(|(_, strand)| match strand.pending() {
                Some(Pending::Items(items)) => items.under_way == 0,
                Some(Pending::Branches { .. }) => false,
                _ => true,
            })
            .filter_map(|(rounds, strand)| Some((rounds, strand.current(def)?)))
            .collect()
    }

    /// The runs that it has started with `run:` and that it waits for. One
    /// that is not among them any more has either told its end, or nobody
    /// wants it any more: cancel it where it has not ended.
    #[must_use]
    pub fn children(&self) -> BTreeSet<RunId> {
        self.state
            .strands
            .values()
            .filter_map(|strand| match strand.pending() {
                Some(Pending::Child { run, .. }) => Some(*run),
                _ => None,
            })
            .collect()
    }

    /// What a name means outside of all loops and branches; none where it
    /// means nothing.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&Value> {
        self.state.strands.get(&Rounds::main())?.variables.get(name)
    }

    pub(crate) fn strand(&self, rounds: &Rounds) -> Option<&Strand> {
        self.state.strands.get(rounds)
    }

    pub(crate) fn current<'a>(&self, def: &'a Definition, rounds: &Rounds) -> Option<&'a Step> {
        self.strand(rounds)?.current(def)
    }

    pub(crate) fn pending(&self, rounds: &Rounds) -> Option<&Pending> {
        self.strand(rounds)?.pending()
    }

    /// The strand and those around it, the outermost first.
    fn around(&self, rounds: &Rounds) -> impl DoubleEndedIterator<Item = &Strand> {
        rounds.around().filter_map(|numbers| self.state.strands.get(numbers))
    }

    /// The values that a strand sees, the outermost layer first.
    pub(crate) fn layers<'a>(
        &'a self,
        def: &'a Definition,
        rounds: &Rounds,
    ) -> Vec<&'a BTreeMap<String, Value>> {
        let constants = Some(&def.constants).filter(|constants| !constants.is_empty());
        constants.into_iter().chain(self.around(rounds).map(|strand| &strand.variables)).collect()
    }

    /// What a name means in a strand.
    pub(crate) fn seen<'a>(
        &'a self,
        def: &'a Definition,
        rounds: &Rounds,
        name: &str,
    ) -> Option<&'a Value> {
        let own = self.around(rounds).rev().find_map(|strand| strand.variables.get(name));
        own.or_else(|| def.constants.get(name))
    }

    /// The step of this name that a strand sees, where it has ended.
    pub(crate) fn done(&self, rounds: &Rounds, name: &str) -> Option<DoneStep> {
        self.around(rounds).rev().find_map(|strand| strand.done.get(name)).copied()
    }

    /// Gives a name another value where it is, or a value here where it is
    /// nowhere.
    pub(crate) fn assign(&mut self, def: &Definition, rounds: &Rounds, name: &str, value: Value) {
        let there = rounds.around().rev().find(|numbers| {
            self.state
                .strands
                .get(*numbers)
                .is_some_and(|strand| strand.variables.contains_key(name))
        });
        // A constant is nobody's own; another value for it is the run's.
        let own = if def.constants.contains_key(name) { &[] } else { rounds.numbers() };
        if let Some(strand) = self.state.strands.get_mut(there.unwrap_or(own)) {
            strand.variables.insert(name.to_owned(), value);
        }
    }

    /// The innermost frame of a strand, if it stands at this step.
    pub(crate) fn frame_at(
        &mut self,
        def: &Definition,
        rounds: &Rounds,
        step: StepId,
    ) -> Option<&mut Frame> {
        let frame = self.state.strands.get_mut(rounds)?.frames.last_mut()?;
        (step_of(def, frame)?.id == step).then_some(frame)
    }

    /// The clock of a deadline that may lie under the block of a level.
    pub(crate) fn clock_at(
        &mut self,
        def: &Definition,
        rounds: &Rounds,
        step: StepId,
    ) -> Option<&mut Clock> {
        self.state
            .strands
            .get_mut(rounds)?
            .frames
            .iter_mut()
            .filter(|frame| step_of(def, frame).is_some_and(|at| at.id == step))
            .find_map(|frame| match &mut frame.pending {
                Some(Pending::Deadline(clock)) => Some(clock),
                _ => None,
            })
    }

    pub(crate) fn items_at(
        &mut self,
        def: &Definition,
        rounds: &Rounds,
        step: StepId,
    ) -> Option<&mut Items> {
        match &mut self.frame_at(def, rounds, step)?.pending {
            Some(Pending::Items(items)) => Some(items),
            _ => None,
        }
    }

    /// Lets a strand run a block before it goes on.
    pub(crate) fn enter(&mut self, def: &Definition, rounds: &Rounds, block: BlockId) {
        if let Some(strand) = self.state.strands.get_mut(rounds) {
            strand.frames.push(Frame { block, next: 0, pending: None });
            self.leave_finished(def, rounds);
        }
    }

    /// Leaves every block whose last step is done. A strand that is past its
    /// last step has ended: an item's is forgotten, a branch's is kept for its
    /// results.
    pub(crate) fn leave_finished(&mut self, def: &Definition, rounds: &Rounds) {
        let Some(strand) = self.state.strands.get_mut(rounds) else { return };
        while let Some(frame) = strand.frames.last() {
            let Some(block) = def.blocks.get(frame.block.0 as usize) else { return };
            if (frame.next as usize) < block.len() {
                return;
            }
            strand.frames.pop();
        }
        let Some(owner) = rounds.outer().and_then(|outer| self.state.strands.get_mut(&outer))
        else {
            return;
        };
        match owner.frames.last_mut().and_then(|frame| frame.pending.as_mut()) {
            Some(Pending::Items(items)) => {
                items.under_way = items.under_way.saturating_sub(1);
                self.state.strands.remove(rounds);
            }
            Some(Pending::Branches { left }) => *left = left.saturating_sub(1),
            _ => {}
        }
    }

    /// Begins a strand in a block, with its first values.
    pub(crate) fn begin(
        &mut self,
        def: &Definition,
        rounds: &Rounds,
        block: BlockId,
        variables: BTreeMap<String, Value>,
    ) {
        let strand = Strand { variables, ..Strand::default() };
        self.state.strands.insert(rounds.clone(), strand);
        self.enter(def, rounds, block);
    }

    /// Forgets the strands that a strand has begun; the results of its
    /// branches become its own.
    pub(crate) fn join(&mut self, rounds: &Rounds) {
        let after = (Bound::Excluded(rounds.clone()), Bound::Unbounded);
        let inner: Vec<Rounds> = self
            .state
            .strands
            .range(after)
            .map(|(inner, _)| inner)
            .take_while(|inner| inner.numbers().starts_with(rounds.numbers()))
            .cloned()
            .collect();
        for inner in inner {
            let Some(ended) = self.state.strands.remove(&inner) else { continue };
            if let Some(owner) = self.state.strands.get_mut(rounds) {
                owner.variables.extend(ended.variables);
                owner.done.extend(ended.done);
            }
        }
    }

    /// Forgets all strands but the run's own, and where that one stands.
    pub(crate) fn drop_strands(&mut self) {
        self.state.strands.retain(|rounds, _| rounds.is_main());
        if let Some(main) = self.state.strands.get_mut(&Rounds::main()) {
            main.frames.clear();
        }
    }
}

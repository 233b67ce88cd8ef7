//! What must hold of every run, whatever befalls it.

use std::collections::{BTreeMap, BTreeSet};

use relata_engine::{Event, Outcome, Pending, Rounds, Run};
use relata_model::{Calendar, Decimal, Timestamp, Value};
use relata_workflow::{Definition, StepId, StepKind};

use super::{World, later};

/// A step in its round.
fn at_place(step: &StepId, rounds: &Rounds) -> (Rounds, StepId) {
    (rounds.clone(), *step)
}

/// What holds of the strands of every run.
pub(crate) fn sound(def: &Definition, run: &Run) {
    let strands = &run.state.strands;
    assert!(strands.contains_key(&Rounds::main()));
    for (rounds, strand) in strands {
        let inner = |rounds: &Rounds| {
            let mut inner = Vec::new();
            for (other, strand) in strands {
                if other.outer().as_ref() == Some(rounds) {
                    inner.push(strand);
                }
            }
            inner
        };
        if let Some(outer) = rounds.outer() {
            let owner = strands.get(&outer).expect("the strand around it");
            let pending = owner.frames.last().and_then(|frame| frame.pending.as_ref());
            assert!(matches!(pending, Some(Pending::Items(_) | Pending::Branches { .. })));
        }
        let frame = strand.frames.last();
        match frame.and_then(|frame| frame.pending.as_ref()) {
            Some(Pending::Items(items)) => {
                let frame = frame.unwrap();
                let step = def.block(frame.block)[frame.next as usize];
                let StepKind::ForEach(for_each) = &def.step(step).kind else { panic!("no loop") };
                assert_eq!(items.under_way as usize, inner(rounds).len());
                assert!(items.under_way <= for_each.at_once);
            }
            Some(Pending::Branches { left }) => {
                let under_way = inner(rounds).iter().filter(|one| !one.frames.is_empty()).count();
                assert_eq!(*left as usize, under_way);
            }
            _ => assert!(inner(rounds).is_empty()),
        }
    }
}

/// What no journal may ever show. `set_back`: whether the clock was set back
/// meanwhile, so that a call may come back before the time at which it began.
pub(crate) fn judge(def: &Definition, journal: &[Event], world: &World, set_back: bool) {
    type Place = (Rounds, StepId);
    let mut waits: BTreeMap<Place, Option<Timestamp>> = BTreeMap::new();
    let mut calls: BTreeMap<Place, (u32, Option<Timestamp>)> = BTreeMap::new();
    let mut clocks: BTreeMap<Place, Shown> = BTreeMap::new();
    let mut paces: BTreeMap<Place, (u32, Option<Timestamp>)> = BTreeMap::new();
    let mut ended = BTreeSet::new();
    let mut sets = 0;
    let mut decided: Option<i64> = None;
    for event in journal {
        match event {
            Event::WaitBegan { step, rounds, until, .. } => {
                assert!(
                    waits.insert(at_place(step, rounds), *until).is_none(),
                    "a wait began twice"
                );
            }
            Event::StepDone { step, rounds, at, explanation, .. } => {
                assert!(ended.insert(at_place(step, rounds)), "a step ended twice");
                sets += i64::from(matches!(def.step(*step).kind, StepKind::Set { .. }));
                let timed = match &def.step(*step).kind {
                    StepKind::Wait { .. } => true,
                    StepKind::WaitFor(_) => explanation == "it did not happen in time",
                    _ => false,
                };
                if timed {
                    let until = waits[&at_place(step, rounds)]
                        .expect("a wait without a limit does not end by itself");
                    assert!(*at >= until, "a timer for {until} was early: {at}");
                }
                if let Some((_, Some(not_before))) = calls.get(&at_place(step, rounds)) {
                    assert!(
                        set_back || at >= not_before,
                        "an attempt for {not_before} was early: {at}"
                    );
                }
            }
            Event::AttemptFailed { step, rounds, at, retry_at, .. } => {
                let StepKind::Do(action) = &def.step(*step).kind else { panic!("{event:?}") };
                let (failures, not_before) = calls.entry(at_place(step, rounds)).or_default();
                let in_time = not_before.is_none_or(|time| *at >= time);
                assert!(set_back || in_time, "an attempt was early");
                *failures += 1;
                assert!(*failures <= action.retry.times + 1, "tried too often");
                *not_before = *retry_at;
            }
            Event::Postponed { step, rounds, at, until, .. } => {
                let (_, not_before) = calls.entry(at_place(step, rounds)).or_default();
                let in_time = not_before.is_none_or(|time| *at >= time);
                assert!(set_back || in_time, "an attempt was early");
                *not_before = Some(*until);
            }
            Event::DeadlineBegan { step, rounds, at, budget_ms, working, paused, .. } => {
                let shown = Shown {
                    ran: 0,
                    at: *at,
                    paused: *paused,
                    working: *working,
                    budget: *budget_ms,
                    levels: 0,
                };
                assert!(
                    clocks.insert(at_place(step, rounds), shown).is_none(),
                    "a clock began twice"
                );
            }
            Event::ClockRead { step, rounds, at, ran_ms, paused, .. } => {
                let shown = clocks.get_mut(&at_place(step, rounds)).unwrap();
                assert!(*at >= shown.at, "a clock was read backwards");
                shown.read(world, *at);
                assert_eq!(shown.ran, *ran_ms);
                shown.paused = *paused;
            }
            Event::LevelReached { step, rounds, at, level, .. } => {
                let StepKind::Deadline(deadline) = &def.step(*step).kind else {
                    panic!("{event:?}")
                };
                let shown = clocks.get_mut(&at_place(step, rounds)).unwrap();
                assert_eq!(*level, shown.levels, "a level came out of turn");
                shown.levels += 1;
                let mut then = shown.clone();
                then.read(world, *at);
                let share = deadline.levels[*level as usize].share;
                assert!(
                    Decimal::from(then.ran) >= share * Decimal::from(then.budget),
                    "a level was early: {} of {}",
                    then.ran,
                    then.budget
                );
            }
            Event::ItemBegan { step, rounds, at, number, not_before, .. } => {
                let (last, pace) = paces.entry(at_place(step, rounds)).or_default();
                assert!(*number > *last, "an item came twice");
                assert!(pace.is_none_or(|pace| *at >= pace), "an item was early");
                (*last, *pace) = (*number, *not_before);
            }
            // What it yields is decided before `finally`.
            Event::Ending { .. } => decided = Some(sets),
            Event::Ended { outcome: Outcome::Done, outputs, .. } => {
                let total = Value::Number(decided.unwrap_or(sets).into());
                let expected = BTreeMap::from([("total".to_owned(), total)]);
                assert_eq!(*outputs, Value::Map(expected), "a `set` was lost");
            }
            _ => {}
        }
    }
    let ends = journal.iter().filter(|event| matches!(event, Event::Ended { .. })).count();
    assert_eq!(ends, 1, "it ended {ends} times");
}

/// A clock, counted by the test.
#[derive(Clone)]
struct Shown {
    ran: i64,
    at: Timestamp,
    paused: bool,
    working: bool,
    budget: i64,
    levels: u32,
}

impl Shown {
    fn read(&mut self, world: &World, at: Timestamp) {
        if !self.paused && at > self.at {
            self.ran += if self.working {
                // Hour by hour, so that it is counted in another way.
                let mut sum = 0;
                let mut from = self.at;
                while from < at {
                    let to = later(from, 3_600_000).min(at);
                    sum += support_hours(world).open_millis(from, to);
                    from = to;
                }
                sum
            } else {
                at.as_millisecond() - self.at.as_millisecond()
            };
        }
        self.at = self.at.max(at);
    }
}

fn support_hours(world: &World) -> &Calendar {
    world.calendar("support-hours")
}

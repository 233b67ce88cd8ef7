//! A deterministic simulation: random workflows, random answers of actions,
//! events that come twice or late, clocks that jump, and a crash at every cut
//! of the journal. Each seed is one whole life of a run.

#![allow(clippy::unwrap_used, reason = "a test")]

mod rig;

use std::collections::{BTreeMap, BTreeSet};

use relata_engine::{
    ActionOutcome, Due, Event, HappeningKind, Input, Outcome, Returned, Run, Status, StepFailure,
    decide, due, watches,
};
use relata_model::{Calendar, Decimal, Timestamp, Value};
use relata_workflow::{Definition, StepId, StepKind};
use rig::{
    Bench, World, at,
    maker::{Draw, Maker, STATUSES},
};
use serde_json::json;

/// How many lives `cargo test` lives.
const SEEDS: u64 = 500;

/// At how many cuts of each journal it crashes, spread over it; which ones
/// depends on the seed.
const CRASHES: usize = 8;

/// One decision: all that it depended on, and how long the journal was.
struct Taken {
    input: Input,
    now: Timestamp,
    world: World,
    before: usize,
    after: usize,
}

/// A life of a run.
struct Life {
    bench: Bench,
    taken: Vec<Taken>,
    keys: BTreeMap<String, String>,
}

impl Life {
    fn new(def: Definition) -> Self {
        let mut world = World::default();
        world.add("ticket/t1 status=open priority=normal customer=contact/anna");
        let bench = Bench::start(def, world, Some("ticket/t1"), at("2026-03-27 16:00"));
        Self { bench, taken: Vec::new(), keys: BTreeMap::new() }
    }

    fn decide(&mut self, input: Input) {
        let bench = &mut self.bench;
        let events = bench
            .world
            .ask(|facts| decide(&bench.def, &bench.run, input.clone(), facts, bench.now))
            .unwrap_or_else(|why| panic!("{input:?}: {why}"));
        let before = bench.journal.len();
        for event in events {
            bench.run.apply(&bench.def, &event);
            bench.journal.push(event);
        }
        let after = bench.journal.len();
        let world = bench.world.clone();
        self.taken.push(Taken { input, now: bench.now, world, before, after });
    }

    /// Decides until somebody else has to do something.
    fn settle(&mut self) -> Due {
        for _ in 0..200 {
            let bench = &self.bench;
            match bench.world.ask(|facts| due(&bench.def, &bench.run, facts, bench.now)).unwrap() {
                Due::Decide => self.decide(Input::Wake),
                Due::Call(call) => {
                    let place = format!("{} {}", call.path, call.iteration);
                    let same = self
                        .keys
                        .entry(call.idempotency_key.clone())
                        .or_insert_with(|| place.clone());
                    assert_eq!(*same, place, "two steps have the key {}", call.idempotency_key);
                    return Due::Call(call);
                }
                other => {
                    if let Due::Sleep { until } = &other {
                        let listens = !watches(&bench.def, &bench.run).is_empty();
                        assert!(until.is_some() || listens, "it sleeps for ever");
                        assert!(
                            until.is_none_or(|until| until > bench.now),
                            "it sleeps until a time gone by"
                        );
                    }
                    return other;
                }
            }
        }
        panic!("it decides for ever");
    }

    fn returns(&mut self, call: &relata_engine::Call, draw: &mut Draw) {
        let result = match draw.below(10) {
            0 => Ok(ActionOutcome::Skip("nobody is there".to_owned())),
            1 => Ok(ActionOutcome::Retry {
                after_ms: draw.below(100_000),
                reason: "not yet".to_owned(),
            }),
            2..=4 => Err(StepFailure {
                code: "down".to_owned(),
                message: "the server is down".to_owned(),
                permanent: draw.one_in(5),
                retry_after_ms: draw.one_in(3).then(|| draw.below(200_000)),
            }),
            _ => Ok(ActionOutcome::Done(json!({ "message": format!("m{}", call.step.0) }))),
        };
        let returned =
            Returned { step: call.step, iteration: call.iteration, attempt: call.attempt, result };
        self.decide(Input::Returned(returned.clone()));
        // The same answer a second time belongs to no call.
        let bench = &self.bench;
        let again = bench.world.ask(|facts| {
            decide(&bench.def, &bench.run, Input::Returned(returned.clone()), facts, bench.now)
        });
        assert!(again.is_err(), "an answer was taken twice: {again:?}");
    }

    /// Something happens in the world; the run hears of it if it listens,
    /// now and then twice, or late.
    fn happens(&mut self, late: &mut Vec<relata_engine::Happening>, draw: &mut Draw) {
        let bench = &mut self.bench;
        let kind = match draw.below(5) {
            0 => HappeningKind::Change(
                bench.world.change("ticket/t1 first_reply_at=2026-03-28 10:00"),
            ),
            1 | 2 => {
                let status = draw.pick(&STATUSES);
                HappeningKind::Change(bench.world.change(&format!("ticket/t1 status={status}")))
            }
            3 => HappeningKind::Named {
                name: "mail.clicked".to_owned(),
                key: Some(format!("m{}", draw.below(10))),
                about: Vec::new(),
                data: Value::Nothing,
            },
            _ => HappeningKind::Named {
                name: (*draw.pick(&["survey.answered", "order.paid"])).to_owned(),
                key: None,
                about: vec!["ticket/t1".parse().unwrap()],
                data: Value::Nothing,
            },
        };
        let happening = bench.happens(kind, draw.one_in(6));
        if draw.one_in(5) {
            late.push(happening.clone());
        }
        if !draw.one_in(6) && bench.listens(&happening) {
            self.decide(Input::Happened(happening));
        }
    }

    /// Until the end: from due time to due time, with good answers.
    fn drain(&mut self) -> Outcome {
        for _ in 0..500 {
            match self.settle() {
                Due::Ended(outcome) => return outcome,
                Due::Sleep { until: Some(until) } => {
                    self.bench.now = until;
                    self.decide(Input::Wake);
                }
                Due::Sleep { until: None } => {
                    self.decide(Input::Cancel { why: "the end of time".to_owned() })
                }
                Due::Call(call) => {
                    let result = Ok(ActionOutcome::Done(json!({ "message": "last" })));
                    let (step, iteration, attempt) = (call.step, call.iteration, call.attempt);
                    self.decide(Input::Returned(Returned { step, iteration, attempt, result }));
                }
                Due::Decide => unreachable!("settled"),
            }
        }
        panic!("it never ends");
    }
}

fn live(seed: u64) -> (Life, Outcome) {
    let mut draw = Draw::new(seed);
    let mut life = Life::new(Maker::workflow(&mut draw));
    let mut late = Vec::new();
    for _ in 0..40 {
        let owed = life.settle();
        if matches!(owed, Due::Ended(_)) {
            break;
        }
        match draw.below(8) {
            0 | 1 => life.happens(&mut late, &mut draw),
            2 => {
                if let Some(happening) = late.pop()
                    && life.bench.listens(&happening)
                {
                    life.decide(Input::Happened(happening));
                }
            }
            3 => {
                // The clock is set: up to ten minutes forwards or back.
                let jump = i64::try_from(draw.below(1_200_000)).unwrap() - 600_000;
                life.bench.now = later(life.bench.now, jump);
                life.decide(Input::Wake);
            }
            4 => {
                // The host was away.
                let away = i64::try_from(draw.below(200)).unwrap() * 3_600_000;
                life.bench.now = later(life.bench.now, away);
            }
            _ => match owed {
                Due::Call(call) => life.returns(&call, &mut draw),
                Due::Sleep { until: Some(until) } => {
                    life.bench.now = life.bench.now.max(until);
                    life.decide(Input::Wake);
                }
                _ => life.decide(Input::Wake),
            },
        }
        life.bench.now = later(life.bench.now, i64::try_from(draw.below(90_000)).unwrap());
    }
    let outcome = life.drain();
    (life, outcome)
}

fn later(time: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond() + millis).unwrap()
}

/// What no journal may ever show.
fn judge(life: &Life) {
    let def = &life.bench.def;
    let mut waits: BTreeMap<StepId, Option<Timestamp>> = BTreeMap::new();
    let mut calls: BTreeMap<StepId, (u32, Option<Timestamp>)> = BTreeMap::new();
    let mut clocks: BTreeMap<StepId, Shown> = BTreeMap::new();
    let mut ended = BTreeSet::new();
    for event in &life.bench.journal {
        match event {
            Event::WaitBegan { step, until, .. } => {
                assert!(waits.insert(*step, *until).is_none(), "a wait began twice");
            }
            Event::StepDone { step, at, explanation, .. } => {
                assert!(ended.insert(*step), "a step ended twice");
                let timed = match &def.step(*step).kind {
                    StepKind::Wait { .. } => true,
                    StepKind::WaitFor(_) => explanation == "it did not happen in time",
                    _ => false,
                };
                if timed {
                    let until = waits[step].expect("a wait without a limit does not end by itself");
                    assert!(*at >= until, "a timer for {until} was early: {at}");
                }
                if let Some((_, Some(not_before))) = calls.get(step) {
                    assert!(at >= not_before, "an attempt for {not_before} was early: {at}");
                }
            }
            Event::AttemptFailed { step, at, retry_at, .. } => {
                let StepKind::Do(action) = &def.step(*step).kind else { panic!("{event:?}") };
                let (failures, not_before) = calls.entry(*step).or_default();
                assert!(not_before.is_none_or(|time| *at >= time), "an attempt was early");
                *failures += 1;
                assert!(*failures <= action.retry.times + 1, "tried too often");
                *not_before = *retry_at;
            }
            Event::Postponed { step, at, until, .. } => {
                let (_, not_before) = calls.entry(*step).or_default();
                assert!(not_before.is_none_or(|time| *at >= time), "an attempt was early");
                *not_before = Some(*until);
            }
            Event::DeadlineBegan { step, at, budget_ms, working, paused, .. } => {
                let shown = Shown {
                    ran: 0,
                    at: *at,
                    paused: *paused,
                    working: *working,
                    budget: *budget_ms,
                    levels: 0,
                };
                assert!(clocks.insert(*step, shown).is_none(), "a clock began twice");
            }
            Event::ClockRead { step, at, ran_ms, paused, .. } => {
                let shown = clocks.get_mut(step).unwrap();
                assert!(*at >= shown.at, "a clock was read backwards");
                shown.read(&life.bench.world, *at);
                assert_eq!(shown.ran, *ran_ms);
                shown.paused = *paused;
            }
            Event::LevelReached { step, at, level, .. } => {
                let StepKind::Deadline(deadline) = &def.step(*step).kind else {
                    panic!("{event:?}")
                };
                let shown = clocks.get_mut(step).unwrap();
                assert_eq!(*level, shown.levels, "a level came out of turn");
                shown.levels += 1;
                let mut then = shown.clone();
                then.read(&life.bench.world, *at);
                let share = deadline.levels[*level as usize].share;
                assert!(
                    Decimal::from(then.ran) >= share * Decimal::from(then.budget),
                    "a level was early: {} of {}",
                    then.ran,
                    then.budget
                );
            }
            _ => {}
        }
    }
    let ends =
        life.bench.journal.iter().filter(|event| matches!(event, Event::Ended { .. })).count();
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

/// Crashes after every event that somebody could have committed, and goes on
/// with what is left of the inputs: the journal must come out the same.
fn crash_everywhere(life: &Life, seed: u64) {
    let bench = &life.bench;
    let apart = (bench.journal.len() / CRASHES).max(1);
    let chosen = |cut: usize| cut % apart == usize::try_from(seed).unwrap() % apart;
    for (place, taken) in life.taken.iter().enumerate() {
        // What happened is taken in as a whole or told again; all else goes
        // on from wherever it was cut.
        let whole = matches!(taken.input, Input::Happened(_));
        let first = if whole { taken.after } else { taken.before + 1 };
        for cut in (first..=taken.after).filter(|cut| chosen(*cut)) {
            let mut journal = bench.journal[..cut].to_vec();
            let mut run = Run::replay(&bench.def, bench.start.clone(), &journal);
            let stored = serde_json::to_value(&run).unwrap();
            assert_eq!(serde_json::from_value::<Run>(stored).unwrap(), run);
            let mut take = |journal: &mut Vec<Event>, taken: &Taken, input: &Input| {
                let events = taken
                    .world
                    .ask(|facts| decide(&bench.def, &run, input.clone(), facts, taken.now))
                    .unwrap_or_else(|why| panic!("after a crash at {cut}: {why}"));
                for event in events {
                    run.apply(&bench.def, &event);
                    journal.push(event);
                }
            };
            if cut < taken.after {
                take(&mut journal, taken, &Input::Wake);
            }
            for taken in &life.taken[place + 1..] {
                take(&mut journal, taken, &taken.input);
            }
            assert_eq!(
                journal,
                bench.journal,
                "a crash at {cut} of {} changed the run",
                bench.journal.len()
            );
        }
    }
}

#[test]
fn every_life_keeps_the_promises_and_survives_a_crash_at_every_cut() {
    let mut outcomes: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 0..SEEDS {
        let lived = std::panic::catch_unwind(|| {
            let (life, outcome) = live(seed);
            assert_eq!(life.bench.run.status, Status::Ended(outcome.clone()));
            judge(&life);
            crash_everywhere(&life, seed);
            outcome
        });
        let Ok(outcome) = lived else { panic!("the seed {seed} fails; see above why") };
        *outcomes
            .entry(match outcome {
                Outcome::Done => "done",
                Outcome::Stopped { .. } => "stopped",
                Outcome::Failed { .. } => "failed",
                Outcome::Cancelled { .. } => "cancelled",
            })
            .or_default() += 1;
    }
    // The lives differ enough to say something.
    assert_eq!(outcomes.len(), 4, "{outcomes:?}");
}

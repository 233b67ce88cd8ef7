//! A deterministic simulation: random workflows, random answers of actions,
//! events that come twice or late, clocks that jump, and a crash at every cut
//! of the journal. Each seed is one whole life of a run.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};

use relata_engine::{
    ActionOutcome, ChildCall, Due, Event, HappeningKind, Input, Outcome, Run, Status, StepFailure,
    decide, due, watches,
};
use relata_model::{RunId, Timestamp, Value};
use relata_workflow::Definition;
use serde_json::json;

use crate::rig::{
    Bench, World, at,
    judge::{judge, sound},
    later,
    maker::{Draw, Maker, STATUSES},
    told,
};

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
    /// The place of each call, by its key.
    keys: BTreeMap<String, String>,
    /// The keys of the calls that were done.
    finished: BTreeSet<String>,
    /// The place of each run of another workflow.
    children: BTreeMap<RunId, String>,
    /// Those that have not ended.
    open: Vec<RunId>,
    /// What the mails are called that were sent.
    messages: Vec<String>,
}

impl Life {
    fn new(def: Definition) -> Self {
        let mut world = World::default();
        world.add("ticket/t1 status=open priority=normal customer=contact/anna");
        let bench = Bench::start(def, world, Some("ticket/t1"), at("2026-03-27 16:00"));
        Self {
            bench,
            taken: Vec::new(),
            keys: BTreeMap::new(),
            finished: BTreeSet::new(),
            children: BTreeMap::new(),
            open: Vec::new(),
            messages: Vec::new(),
        }
    }

    /// A decision, and what is left to decide of it at the same time.
    fn decide(&mut self, input: Input) {
        let whole = matches!(input, Input::Happened(_));
        self.decide_once(input);
        while !whole && self.is_undecided() {
            self.decide_once(Input::Wake);
        }
        if !whole {
            let bench = &self.bench;
            let more = bench
                .world
                .ask(|facts| decide(&bench.def, &bench.run, Input::Wake, facts, bench.now));
            assert_eq!(more, Ok(Vec::new()), "nothing was due, and yet it goes on");
        }
    }

    fn is_undecided(&self) -> bool {
        let bench = &self.bench;
        let owed = bench.world.ask(|facts| due(&bench.def, &bench.run, facts, bench.now));
        matches!(owed, Ok(Due::Decide))
    }

    fn decide_once(&mut self, input: Input) {
        let bench = &mut self.bench;
        let events = bench
            .world
            .ask(|facts| decide(&bench.def, &bench.run, input.clone(), facts, bench.now))
            .unwrap_or_else(|why| panic!("{input:?}: {why}"));
        let before = bench.journal.len();
        for event in events {
            bench.run.apply(&bench.def, &event);
            bench.journal.push(event);
            sound(&bench.def, &bench.run);
        }
        // Nobody is waited for who was not started.
        assert!(bench.run.children().iter().all(|child| self.children.contains_key(child)));
        let after = bench.journal.len();
        let world = bench.world.clone();
        self.taken.push(Taken { input, now: bench.now, world, before, after });
    }

    /// Decides until somebody else has to do something.
    fn settle(&mut self) -> Due {
        for _ in 0..5_000 {
            let bench = &self.bench;
            match bench.world.ask(|facts| due(&bench.def, &bench.run, facts, bench.now)).unwrap() {
                Due::Decide => self.decide(Input::Wake),
                Due::Call(call) => {
                    let place = format!("{} {}", call.path, call.rounds);
                    let same = self
                        .keys
                        .entry(call.idempotency_key.clone())
                        .or_insert_with(|| place.clone());
                    assert_eq!(*same, place, "two steps have the key {}", call.idempotency_key);
                    assert!(!self.finished.contains(&call.idempotency_key), "{place} comes again");
                    return Due::Call(call);
                }
                Due::Run(call) => {
                    let place = format!("{} {}", call.path, call.rounds);
                    let other = self.children.insert(call.child, place.clone());
                    assert!(
                        other.is_none_or(|other| other == place),
                        "two runs have the id {}",
                        call.child
                    );
                    return Due::Run(call);
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
            _ => {
                let message = format!("m{}-{}", call.step.0, call.rounds);
                self.messages.push(message.clone());
                Ok(ActionOutcome::Done(json!({ "message": message })))
            }
        };
        if let Ok(ActionOutcome::Done(_) | ActionOutcome::Skip(_)) = &result {
            self.finished.insert(call.idempotency_key.clone());
        }
        let returned = call.returned(result);
        self.decide(Input::Returned(returned.clone()));
        // The same answer a second time belongs to no call.
        let bench = &self.bench;
        let again = bench.world.ask(|facts| {
            decide(&bench.def, &bench.run, Input::Returned(returned.clone()), facts, bench.now)
        });
        assert!(again.is_err(), "an answer was taken twice: {again:?}");
    }

    /// Another workflow is started, or is not.
    fn starts(&mut self, call: ChildCall, draw: &mut Draw) {
        if draw.one_in(5) {
            self.decide(Input::Child(call.refused("nobody has activated it")));
            return;
        }
        self.open.push(call.child);
        self.decide(Input::Child(call.clone().began()));
        let bench = &self.bench;
        let again = bench.world.ask(|facts| {
            let input = Input::Child(call.clone().began());
            decide(&bench.def, &bench.run, input, facts, bench.now)
        });
        assert!(again.is_err(), "a run began twice: {again:?}");
    }

    /// A run of another workflow ends, if there is one.
    fn child_ends(&mut self, draw: &mut Draw) {
        if self.open.is_empty() {
            return;
        }
        let place = usize::try_from(draw.below(self.open.len() as u64)).unwrap();
        let child = self.open.swap_remove(place);
        let outcome = *draw.pick(&["done", "done", "failed", "stopped"]);
        self.ended(child, outcome);
    }

    fn ended(&mut self, child: RunId, outcome: &str) {
        let more = if outcome == "done" { r#"{"accepted": true}"# } else { "of something" };
        let happening = self.bench.happens(told(child, outcome, more), false);
        let waits = self.bench.run.children().contains(&child);
        assert_eq!(self.bench.listens(&happening), waits);
        if waits {
            self.decide(Input::Happened(happening));
            self.decide(Input::Wake);
            assert!(!self.bench.run.children().contains(&child), "it still waits for {child}");
        }
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
                key: Some(match self.messages.as_slice() {
                    [] => "m1".to_owned(),
                    messages => draw.pick(messages).clone(),
                }),
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
        for _ in 0..5_000 {
            match self.settle() {
                Due::Ended(outcome) => return outcome,
                Due::Run(call) => {
                    self.open.push(call.child);
                    self.decide(Input::Child(call.began()));
                }
                Due::Sleep { .. } if !self.open.is_empty() => {
                    let child = self.open.remove(0);
                    self.ended(child, "done");
                }
                Due::Sleep { until: Some(until) } => {
                    self.bench.now = until;
                    self.decide(Input::Wake);
                }
                Due::Sleep { until: None } => {
                    self.decide(Input::Cancel { why: "the end of time".to_owned() })
                }
                Due::Call(call) => {
                    let result = Ok(ActionOutcome::Done(json!({ "message": "last" })));
                    self.finished.insert(call.idempotency_key.clone());
                    self.decide(Input::Returned(call.returned(result)));
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
    for _ in 0..60 {
        let owed = life.settle();
        if matches!(owed, Due::Ended(_)) {
            break;
        }
        match draw.below(10) {
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
            5 => life.child_ends(&mut draw),
            6 if draw.one_in(20) => life.decide(Input::Cancel { why: "enough".to_owned() }),
            _ => match owed {
                Due::Call(call) => life.returns(&call, &mut draw),
                Due::Run(call) => life.starts(call, &mut draw),
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
                let owed = taken.world.ask(|facts| due(&bench.def, &run, facts, taken.now));
                matches!(owed, Ok(Due::Decide))
            };
            while cut < taken.after && take(&mut journal, taken, &Input::Wake) {}
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
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..SEEDS {
        let lived = std::panic::catch_unwind(|| {
            let (life, outcome) = live(seed);
            assert_eq!(life.bench.run.status, Status::Ended(outcome.clone()));
            let bench = &life.bench;
            assert_eq!(Run::replay(&bench.def, bench.start.clone(), &bench.journal), bench.run);
            judge(&bench.def, &bench.journal, &bench.world, false);
            crash_everywhere(&life, seed);
            (life.bench.journal, outcome)
        });
        let Ok((journal, outcome)) = lived else { panic!("the seed {seed} fails; see above why") };
        *outcomes.entry(outcome.kind()).or_default() += 1;
        for event in journal {
            *kinds.entry(event.kind()).or_default() += 1;
        }
    }
    // The lives differ enough to say something.
    assert_eq!(outcomes.len(), 4, "{outcomes:?}");
    assert!(kinds.len() == 17 && kinds.values().all(|count| *count > 5), "{kinds:?}");
}

//! What must hold at the edges: retries without end, answers to nobody, runs
//! of another version, events told twice.

#![allow(clippy::unwrap_used, reason = "a test")]

mod rig;

use std::collections::BTreeMap;

use relata_engine::{
    ActionOutcome, Due, Event, HappeningKind, Input, Returned, Run, Start, StepFailure, decide,
    due, watches,
};
use relata_model::{Reference, RunId, Value};
use relata_workflow::{Definition, StepId, StepKind};
use rig::{Bench, World, at, uuid, workflow};

const ONE_CALL: &str = "
workflow: one-call
title: One call
owner: sales
when:
  - created: lead
steps:
  - do: notify.user
    to: =lead
    text: Hello
    retry: 5 times
";

fn bench(def: Definition) -> Bench {
    let mut world = World::default();
    world.add("lead/l1 name=Anna status=new");
    Bench::start(def, world, Some("lead/l1"), at("2026-12-14 09:00"))
}

/// Lets every attempt fail, and tells the pauses in milliseconds.
fn pauses(first_ms: u64, longest_ms: u64, retry_after_ms: Option<u64>) -> Vec<i64> {
    let mut def = workflow(ONE_CALL);
    for step in &mut def.steps {
        if let StepKind::Do(action) = &mut step.kind {
            action.retry.first_ms = first_ms;
            action.retry.longest_ms = longest_ms;
        }
    }
    let mut bench = bench(def);
    let mut keys = Vec::new();
    let mut pauses = Vec::new();
    let mut input = Input::Wake;
    loop {
        match bench.give(input).unwrap() {
            Due::Call(call) => {
                keys.push(call.idempotency_key.clone());
                let failure = StepFailure {
                    code: "down".to_owned(),
                    message: "down".to_owned(),
                    permanent: false,
                    retry_after_ms,
                };
                input = Input::Returned(Returned {
                    step: call.step,
                    iteration: call.iteration,
                    attempt: call.attempt,
                    result: Err(failure),
                });
            }
            Due::Sleep { until } => {
                let until = until.unwrap();
                pauses.push(until.as_millisecond() - bench.now.as_millisecond());
                bench.now = until;
                input = Input::Wake;
            }
            Due::Ended(_) => break,
            Due::Decide => unreachable!("decided already"),
        }
    }
    keys.dedup();
    assert_eq!(keys.len(), 1, "every attempt has the same key");
    pauses
}

#[test]
fn pauses_double_with_jitter_up_to_the_longest_and_never_overflow() {
    let doubling = pauses(5_000, 3_600_000, None);
    assert_eq!(doubling.len(), 5);
    for (pause, expected) in doubling.iter().zip([5_000, 10_000, 20_000, 40_000, 80_000]) {
        assert!((expected * 4 / 5..=expected * 6 / 5).contains(pause), "{pause} for {expected}");
    }
    assert_eq!(pauses(5_000, 3_600_000, None), doubling, "the jitter is the same on every machine");
    assert!(pauses(50_000, 60_000, None).iter().all(|pause| *pause <= 60_000));
    assert!(pauses(1_000, 60_000, Some(90_000)).iter().all(|pause| *pause >= 90_000));
    let month = 30 * 24 * 3_600_000;
    assert!(!pauses(u64::MAX, u64::MAX, None).is_empty(), "until the end of time");
    assert!(pauses(0, 0, Some(u64::MAX)).iter().all(|pause| *pause == month));
}

#[test]
fn a_plugin_that_puts_itself_off_for_ever_is_given_up() {
    let mut bench = bench(workflow(ONE_CALL));
    bench.replays = false;
    let mut input = Input::Wake;
    let mut calls = 0;
    let outcome = loop {
        match bench.give(input).unwrap() {
            Due::Call(call) => {
                calls += 1;
                input = Input::Returned(Returned {
                    step: call.step,
                    iteration: call.iteration,
                    attempt: call.attempt,
                    result: Ok(ActionOutcome::Retry {
                        after_ms: 0,
                        reason: "still busy".to_owned(),
                    }),
                });
            }
            Due::Sleep { until } => {
                // At least a second, so that none spins.
                assert!(until.unwrap().as_millisecond() - bench.now.as_millisecond() >= 1_000);
                bench.now = until.unwrap();
                input = Input::Wake;
            }
            Due::Ended(outcome) => break outcome,
            Due::Decide => unreachable!("decided already"),
        }
        if calls > 1_100 {
            panic!("it goes on for ever");
        }
    };
    assert_eq!(calls, 1_001);
    expect_test::expect!["failed at steps[0]: notify.user put itself off 1000 times, the last time because: still busy"]
        .assert_eq(&outcome.describe());
}

#[test]
fn an_answer_to_another_call_is_rejected() {
    let mut bench = bench(workflow(ONE_CALL));
    let Due::Call(call) = bench.give(Input::Wake).unwrap() else { panic!("no call") };
    let answer = |step, iteration, attempt| {
        let result = Ok(ActionOutcome::Done(serde_json::json!({})));
        Input::Returned(Returned { step, iteration, attempt, result })
    };
    for wrong in [
        answer(StepId(9), call.iteration, call.attempt),
        answer(call.step, 1, call.attempt),
        answer(call.step, call.iteration, 2),
        answer(call.step, call.iteration, 0),
    ] {
        assert!(bench.give(wrong).is_err());
    }
    assert!(matches!(bench.give(answer(call.step, 0, 1)).unwrap(), Due::Ended(_)));
    assert!(bench.give(answer(call.step, 0, 1)).is_err(), "it came back twice");
}

#[test]
fn a_run_that_does_not_fit_its_definition_is_rejected_and_never_panics() {
    let mut bench = bench(workflow(ONE_CALL));
    bench.give(Input::Wake).unwrap();
    let mut empty = bench.def.clone();
    empty.steps.clear();
    let mut other = bench.def.clone();
    other.blocks.iter_mut().for_each(Vec::clear);
    let mut none = bench.def.clone();
    none.blocks.clear();
    for def in [empty, other, none] {
        let run = &bench.run;
        let ask = |question: &dyn Fn(&relata_workflow::Facts) -> bool| {
            bench.world.ask(|facts| Ok(question(facts))).unwrap()
        };
        assert!(ask(&|facts| due(&def, run, facts, bench.now).is_err()));
        assert!(ask(&|facts| decide(&def, run, Input::Wake, facts, bench.now).is_err()));
        // It answers, whatever the answer.
        drop(watches(&def, run));
        // Its journal replays to something, and does not panic.
        let mut replayed = Run::replay(&def, bench.start.clone(), &bench.journal);
        for step in [StepId(0), StepId(7)] {
            let event = Event::StepDone {
                step,
                iteration: 0,
                attempt: 1,
                at: bench.now,
                output: Value::Nothing,
                enter: Some(relata_workflow::BlockId(77)),
                called: false,
                explanation: String::new(),
            };
            replayed.apply(&def, &event);
        }
    }
}

#[test]
fn an_event_told_twice_counts_once() {
    let source = "
workflow: once
title: Once
owner: sales
when:
  - created: lead
steps:
  - do: mail.send
    to: =lead
    template: one
    as: first
  - do: mail.send
    to: =lead
    template: two
  - wait_for: { event: mail.clicked }
    since: first
    up_to: 1 day
  - wait_for: { event: mail.clicked }
    since: first
    up_to: 2 days
";
    let mut bench = bench(workflow(source));
    bench.play("wake");
    bench.play(r#"done {"message": "m1"}"#);
    let clicked = HappeningKind::Named {
        name: "mail.clicked".to_owned(),
        key: Some("m1".to_owned()),
        about: Vec::new(),
        data: Value::Nothing,
    };
    let clicked = bench.happens(clicked, false);
    for _ in 0..3 {
        bench.give(Input::Happened(clicked.clone())).unwrap();
    }
    assert_eq!(bench.run.state.inbox.len(), 1);
    bench.play(r#"done {"message": "m2"}"#);
    // Both waits count from the first mail, so the click answers both.
    assert!(bench.run.has_ended());
    assert!(watches(&bench.def, &bench.run).is_empty());
}

#[test]
fn a_split_keeps_its_shares_and_everybody_stays_in_their_arm() {
    let def = workflow(
        "
workflow: split
title: Split
owner: marketing
when:
  - created: contact
steps:
  - split: offer
    arms: { ten_percent: 45%, free_shipping: 45%, nothing: 10% }
",
    );
    let arm = |contact: u32, run: u128| {
        let start = Start {
            id: RunId::from_uuid(uuid(run)),
            version: "v1".to_owned(),
            subject: Some(Reference::new("contact", contact.to_string())),
            key: None,
            happening: None,
            now: at("2026-12-14 09:00"),
        };
        let (mut run, _) = Run::start(&def, start);
        let world = World::default();
        for event in world
            .ask(|facts| decide(&def, &run, Input::Wake, facts, at("2026-12-14 09:00")))
            .unwrap()
        {
            run.apply(&def, &event);
        }
        run.state.variables["offer"].to_string()
    };
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for contact in 0..2_000 {
        let first = arm(contact, 1);
        assert_eq!(arm(contact, 2), first, "contact/{contact} changed its arm");
        *counts.entry(first).or_default() += 1;
    }
    // 900, 900 and 200 of 2,000, within four standard deviations.
    for (name, expected, deviation) in
        [("ten_percent", 900, 22), ("free_shipping", 900, 22), ("nothing", 200, 13)]
    {
        let count = counts[name];
        assert!(count.abs_diff(expected) < 4 * deviation, "{name}: {count} of 2000");
    }
}

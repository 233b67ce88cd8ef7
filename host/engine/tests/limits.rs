//! What must hold at the edges: retries without end, answers to nobody, runs
//! of another version, events told twice.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use relata_engine::{
    ActionOutcome, Due, Event, Halt, HappeningKind, Input, Returned, Rounds, Run, Start, Status,
    StepFailure, decide, due, watches,
};
use relata_model::{Reference, RunId, Value};
use relata_workflow::{Definition, Facts, Need, StepId, StepKind};

use crate::rig::{Bench, World, at, uuid, workflow};

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
                input = Input::Returned(call.returned(Err(failure)));
            }
            Due::Sleep { until } => {
                let until = until.unwrap();
                pauses.push(until.as_millisecond() - bench.now.as_millisecond());
                bench.now = until;
                input = Input::Wake;
            }
            Due::Ended(_) => break,
            other => unreachable!("{other:?}"),
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
                let again = ActionOutcome::Retry { after_ms: 0, reason: "still busy".to_owned() };
                input = Input::Returned(call.returned(Ok(again)));
            }
            Due::Sleep { until } => {
                // At least a second, so that none spins.
                assert!(until.unwrap().as_millisecond() - bench.now.as_millisecond() >= 1_000);
                bench.now = until.unwrap();
                input = Input::Wake;
            }
            Due::Ended(outcome) => break outcome,
            other => unreachable!("{other:?}"),
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
    let answer = |step, rounds: &str, attempt| {
        let result = Ok(ActionOutcome::Done(serde_json::json!({})));
        Input::Returned(Returned { step, rounds: rounds.parse().unwrap(), attempt, result })
    };
    for wrong in [
        answer(StepId(9), "", call.attempt),
        answer(call.step, "1", call.attempt),
        answer(call.step, "", 2),
        answer(call.step, "", 0),
    ] {
        assert!(bench.give(wrong).is_err());
    }
    assert!(matches!(bench.give(answer(call.step, "", 1)).unwrap(), Due::Ended(_)));
    assert!(bench.give(answer(call.step, "", 1)).is_err(), "it came back twice");
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
                rounds: Rounds::main(),
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
            inputs: BTreeMap::new(),
            happening: None,
            parent: None,
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
        run.variable("offer").unwrap().to_string()
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

/// A loop over so many contacts that sums up what each has.
fn long_loop(count: u32, only_if: &str) -> Bench {
    let source = format!(
        "
workflow: long
title: Long
owner: sales
when:
  - created: lead
steps:
  - do: crm.find
    object: contact
    as: found
  - set: {{ total: 0 }}
  - for_each: =found.records
    as: customer
    only_if: {only_if}
    at_once: 3
    steps:
      - if: customer.name != \"Nobody\"
        then:
          - set: {{ total: =total + 1 }}
outputs:
  total: =total
"
    );
    let mut bench = bench(workflow(&source));
    bench.replays = false;
    let mut records = Vec::new();
    for number in 0..count {
        bench.world.add(&format!("contact/c{number} name=Number{number}"));
        records.push(format!("contact/c{number}"));
    }
    let Due::Call(call) = bench.give(Input::Wake).unwrap() else { panic!("no call") };
    let found = serde_json::json!({ "records": records });
    let input = Input::Returned(call.returned(Ok(ActionOutcome::Done(found))));
    let mut facts = Facts::default();
    let (mut asked, mut decided, mut most) = (0, 0, 0);
    let mut next = Some(input);
    while let Some(input) = &next {
        match decide(&bench.def, &bench.run, input.clone(), &facts, bench.now) {
            Ok(events) => {
                decided += 1;
                for event in events {
                    bench.run.apply(&bench.def, &event);
                    most = most.max(bench.run.state.strands.len());
                    bench.journal.push(event);
                }
                let due = due(&bench.def, &bench.run, &facts, bench.now);
                next = matches!(due, Ok(Due::Decide)).then_some(Input::Wake);
            }
            Err(Halt::Need(Need::Record(reference))) => {
                asked += 1;
                let record = bench.world.records.get(&reference).cloned();
                assert!(facts.records.insert(reference, record).is_none(), "asked twice");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    // However many items there are, each is looked at only while it is moved.
    assert!(asked <= count && decided <= 2 * count + 10, "{asked} questions, {decided} decisions");
    assert!(most <= 4, "{most} strands");
    bench
}

#[test]
fn a_loop_costs_the_same_for_each_of_its_items() {
    let bench = long_loop(1_000, "customer.name is not empty");
    assert_eq!(bench.run.state.outputs.to_string(), "total: 1000");
    let strands = serde_json::to_string(&bench.run.state.strands).unwrap();
    assert!(!strands.contains("Number") && bench.run.state.strands.len() == 1);
    let replayed = Run::replay(&bench.def, bench.start.clone(), &bench.journal);
    assert_eq!(replayed, bench.run);
}

#[test]
fn items_left_out_do_not_fill_the_log() {
    let bench = long_loop(1_000, "customer.name == \"Number777\"");
    assert_eq!(bench.run.state.outputs.to_string(), "total: 1");
    let left_out = bench.journal.iter().filter(|event| event.kind() == "left_out").count();
    assert!(left_out <= 12, "{left_out} entries");
    assert!(bench.journal.iter().all(|event| event.explanation().len() < 1_000));
}

#[test]
fn a_list_that_is_too_long_is_a_fault_with_a_mend() {
    let bench = long_loop(1_001, "customer.name is not empty");
    let Status::Ended(outcome) = &bench.run.status else { panic!("it goes on") };
    expect_test::expect!["failed at steps[2]: `found.records` has 1001 items, and a loop takes at most 1000; narrow the list, or let a workflow of its own start for each record"].assert_eq(&outcome.describe());
}

#[test]
fn loops_in_loops_have_a_limit_to_what_is_under_way() {
    let numbers: Vec<_> = (0..50).map(|number| number.to_string()).collect();
    let source = format!(
        "
workflow: wide
title: Wide
owner: sales
when:
  - created: lead
steps:
  - set: {{ total: 0 }}
  - for_each: =[{list}]
    as: row
    at_once: 50
    steps:
      - for_each: =[{list}]
        as: cell
        at_once: 50
        steps:
          - wait: 1 hour
          - set: {{ total: =total + 1 }}
outputs:
  total: =total
",
        list = numbers.join(", ")
    );
    let mut bench = bench(workflow(&source));
    bench.replays = false;
    let mut most = 0;
    let mut due = bench.give(Input::Wake).unwrap();
    while let Due::Sleep { until } = due {
        most = most.max(bench.run.state.strands.len());
        bench.now = until.unwrap();
        due = bench.give(Input::Wake).unwrap();
    }
    assert_eq!(bench.run.state.outputs.to_string(), "total: 2500");
    assert!((150..=250).contains(&most), "{most} strands");
}

#[test]
fn a_definition_that_goes_in_a_circle_is_rejected() {
    let source = "
workflow: circle
title: Circle
owner: sales
when:
  - created: lead
steps:
  - for_each: =[1, 2]
    as: number
    steps:
      - if: number > 0
        then:
          - set: { seen: =number }
";
    let mut def = workflow(source);
    // The innermost block has the loop in it again.
    let inner = def.steps.iter().position(|step| matches!(step.kind, StepKind::Set { .. }));
    def.steps[inner.unwrap()].kind = StepKind::Parallel { branches: vec![def.main] };
    let mut bench = bench(def);
    bench.replays = false;
    let why = bench.give(Input::Wake).unwrap_err();
    assert!(why.contains("goes in a circle"), "{why}");
    // What it listens for has an end.
    assert!(watches(&bench.def, &bench.run).is_empty());
}

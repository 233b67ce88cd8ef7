//! Runs that start others with `run:` and wait for their end.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fmt::Write as _;

use expect_test::expect;
use relata_engine::{Admission, HappeningKind, Parent, RUN_ENDED, Start, admit_asked};
use relata_model::{RunId, Value};

use crate::rig::{Bench, World, at, check, started, uuid, workflow};

const ANNA: &str = "contact/anna name=Anna";

const RETURN: &str = "
workflow: take-back
title: Take a return back
owner: support
when:
  - created: order
steps:
  - run: inspect-return
    with: { item: =order }
    about: =order.contact
    up_to: 2 days
    as: verdict
  - if: verdict.by is not empty
    then:
      - do: notify.user
        to: =verdict.by
        text: \"accepted: {{ verdict.accepted }}\"
on_error:
  - do: notify.role
    role: support
    text: look at it
";

const ORDER: &str = "order/o1 ref=O-1 contact=contact/anna owner=user/eva";

#[test]
fn another_workflow_is_run_and_its_outputs_are_the_result() {
    check(
        RETURN,
        &[ORDER, ANNA],
        "order/o1 2026-12-14 09:00",
        r#"
        began
        began
        after 1 day
        crash
        ended done {"accepted": true, "by": "user/max"}
        done
        ended done {}
        "#,
        expect![[r#"
            > wake
            = runs inspect-return with contact: contact/anna, item: order/o1 as run_01m9ss1m00ep1rnn86frq3m95c
            > began
              steps[0] [run: inspect-return] run: run_01m9ss1m00ep1rnn86frq3m95c began, until 2026-12-16 09:00 at the latest
            = sleeps until 2026-12-16 09:00
            > began
            = rejected: run_00000000000000000000000007 does not wait for the beginning of `inspect-return` at steps[0]; it has gone on since
            > after 1 day
            = sleeps until 2026-12-16 09:00
            > crash
            = sleeps until 2026-12-16 09:00
            > ended done {"accepted": true, "by": "user/max"}
              steps[0] [run: inspect-return] done: run_01m9ss1m00ep1rnn86frq3m95c is done => accepted: yes, by: user/max
              steps[1] [if: verdict.by is not empty] done: holds: verdict.by = user/max
            = calls notify.user {"text":"accepted: yes","to":"user/max"} (attempt 1)
            > done
              steps[1].then[0] [do: notify.user] done => 
              ended: all steps are done
            = ended: all steps are done
            > ended done {}
              (does not listen)
        "#]],
    );
}

#[test]
fn another_workflow_that_does_not_get_done_is_a_failure() {
    check(
        RETURN,
        &[ORDER, ANNA],
        "order/o1 2026-12-14 09:00",
        "
        refused there is no active workflow of this name
        done
        ",
        expect![[r#"
            > wake
            = runs inspect-return with contact: contact/anna, item: order/o1 as run_01m9ss1m00ep1rnn86frq3m95c
            > refused there is no active workflow of this name
              steps[0] [run: inspect-return] failed: failed for good: the workflow `inspect-return` was not started: there is no active workflow of this name; on_error runs
            = calls notify.role {"role":"support","text":"look at it"} (attempt 1)
            > done
              on_error[0] [do: notify.role] done => 
              ended: failed at steps[0]: the workflow `inspect-return` was not started: there is no active workflow of this name
            = ended: failed at steps[0]: the workflow `inspect-return` was not started: there is no active workflow of this name
        "#]],
    );
    check(
        RETURN,
        &[ORDER, ANNA],
        "order/o1 2026-12-14 09:00",
        "
        began
        ended failed the scales are broken
        done
        ",
        expect![[r#"
            > wake
            = runs inspect-return with contact: contact/anna, item: order/o1 as run_01m9ss1m00ep1rnn86frq3m95c
            > began
              steps[0] [run: inspect-return] run: run_01m9ss1m00ep1rnn86frq3m95c began, until 2026-12-16 09:00 at the latest
            = sleeps until 2026-12-16 09:00
            > ended failed the scales are broken
              steps[0] [run: inspect-return] failed: failed for good: the workflow `inspect-return` (run_01m9ss1m00ep1rnn86frq3m95c) failed at steps[0]: the scales are broken; on_error runs
            = calls notify.role {"role":"support","text":"look at it"} (attempt 1)
            > done
              on_error[0] [do: notify.role] done => 
              ended: failed at steps[0]: the workflow `inspect-return` (run_01m9ss1m00ep1rnn86frq3m95c) failed at steps[0]: the scales are broken
            = ended: failed at steps[0]: the workflow `inspect-return` (run_01m9ss1m00ep1rnn86frq3m95c) failed at steps[0]: the scales are broken
        "#]],
    );
    check(
        RETURN,
        &[ORDER, ANNA],
        "order/o1 2026-12-14 09:00",
        "
        began
        after 47 hours
        after 1 hour
        ended done {}
        done
        ",
        expect![[r#"
            > wake
            = runs inspect-return with contact: contact/anna, item: order/o1 as run_01m9ss1m00ep1rnn86frq3m95c
            > began
              steps[0] [run: inspect-return] run: run_01m9ss1m00ep1rnn86frq3m95c began, until 2026-12-16 09:00 at the latest
            = sleeps until 2026-12-16 09:00
            > after 47 hours
            = sleeps until 2026-12-16 09:00
            > after 1 hour
              steps[0] [run: inspect-return] failed: failed for good: the workflow `inspect-return` (run_01m9ss1m00ep1rnn86frq3m95c) did not end by 2026-12-16 09:00; on_error runs
            = calls notify.role {"role":"support","text":"look at it"} (attempt 1)
            > ended done {}
              (does not listen)
            > done
              on_error[0] [do: notify.role] done => 
              ended: failed at steps[0]: the workflow `inspect-return` (run_01m9ss1m00ep1rnn86frq3m95c) did not end by 2026-12-16 09:00
            = ended: failed at steps[0]: the workflow `inspect-return` (run_01m9ss1m00ep1rnn86frq3m95c) did not end by 2026-12-16 09:00
        "#]],
    );
}

#[test]
fn a_fallback_stands_for_the_outputs_of_each_item() {
    let source = "
workflow: take-all-back
title: Take all back
owner: support
when:
  - created: order
steps:
  - set: { accepted: 0 }
  - for_each: =[order, order]
    as: item
    at_once: 2
    steps:
      - run: inspect-return
        with: { item: =item }
        about: =order.contact
        if_it_fails: { use: { accepted: false } }
        as: verdict
      - if: verdict.accepted
        then:
          - set: { accepted: =accepted + 1 }
outputs:
  accepted: =accepted
";
    check(
        source,
        &[ORDER, ANNA],
        "order/o1 2026-12-14 09:00",
        r#"
        began
        refused it is held
        ended 1 done {"accepted": true}
        "#,
        expect![[r#"
            > wake
              steps[0] [set: accepted] done => accepted: 0
              steps[1] [for_each: =[order, order]] items: 2 items
              steps[1] [for_each: =[order, order]] item: item 1 of 2: order/o1
              steps[1] [for_each: =[order, order]] item: item 2 of 2: order/o1
            = runs inspect-return with contact: contact/anna, item: order/o1 as run_01m9ss1m00e7bt3ntj6d7p1dmv
            > began
              steps[1].steps[0] (1) [run: inspect-return] run: run_01m9ss1m00e7bt3ntj6d7p1dmv began, without a limit
            = runs inspect-return with contact: contact/anna, item: order/o1 as run_01m9ss1m00ed08ndep3k5wsy9r
            > refused it is held
              steps[1].steps[0] (2) [run: inspect-return] done: failed (the workflow `inspect-return` was not started: it is held); goes on with `if_it_fails` => accepted: no
              steps[1].steps[1] (2) [if: verdict.accepted] done: does not hold, nothing to do: verdict.accepted = no
            = sleeps
            > ended 1 done {"accepted": true}
              steps[1].steps[0] (1) [run: inspect-return] done: run_01m9ss1m00e7bt3ntj6d7p1dmv is done => accepted: yes
              steps[1].steps[1] (1) [if: verdict.accepted] done: holds: verdict.accepted = yes
              steps[1].steps[1].then[0] (1) [set: accepted] done => accepted: 1
              steps[1] [for_each: =[order, order]] done: all items are done
              ended: all steps are done => accepted: 1
            = ended: all steps are done
        "#]],
    );
}

#[test]
fn a_run_that_nobody_waits_for_any_more_is_known() {
    let source = "
workflow: side-by-side
title: Side by side
owner: support
when:
  - created: order
steps:
  - parallel:
      - steps:
          - run: inspect-return
            with: { item: =order }
            about: =order.contact
      - steps:
          - run: inspect-return
            with: { item: =order }
            about: =order.contact
            up_to: 2 days
      - steps:
          - wait: 3 days
          - stop_if: true
finally:
  - do: notify.role
    role: support
    text: over
";
    let mut world = World::default();
    world.add(ORDER);
    world.add(ANNA);
    let def = workflow(source);
    let mut bench = Bench::start(def, world, Some("order/o1"), at("2026-12-14 09:00"));
    let mut told = String::new();
    let mut before = 0;
    for line in [
        "wake",
        "began",
        "began",
        "ended 1 done {\"accepted\": true}",
        "after 1 day",
        "after 1 day",
        "done",
    ] {
        bench.play(line);
        let waits = bench.run.children().len();
        writeln!(told, "{line}: waits for {waits}, {:+}", waits as i64 - before).unwrap();
        before = waits as i64;
    }
    expect![[r#"
        wake: waits for 0, +0
        began: waits for 1, +1
        began: waits for 2, +1
        ended 1 done {"accepted": true}: waits for 1, -1
        after 1 day: waits for 1, +0
        after 1 day: waits for 0, -1
        done: waits for 0, +0
    "#]]
    .assert_eq(&told);
    assert_eq!(bench.asked[0].until, None);
}

#[test]
fn the_eighth_run_in_a_row_starts_no_other() {
    let def = workflow(RETURN);
    let deep = |depth| {
        let mut world = World::default();
        world.add(ORDER);
        let origin = Some(relata_model::EventId::from_uuid(uuid(9)));
        let parent = Some(Parent { run: RunId::from_uuid(uuid(1)), depth, origin });
        let subject = Some("order/o1".parse().unwrap());
        let start = Start { parent, subject, ..started(at("2026-12-14 09:00")) };
        let mut bench = Bench::begin(def.clone(), world, start);
        bench.play("wake");
        bench
    };
    let bench = deep(6);
    assert_eq!(bench.run.parent, Some(RunId::from_uuid(uuid(1))));
    let origin = Some(relata_model::EventId::from_uuid(uuid(9)));
    assert_eq!(bench.asked[0].parent, Parent { run: bench.run.id, depth: 7, origin });
    expect![[r#"
        > wake
          steps[0] [run: inspect-return] failed: failed for good: the workflow `inspect-return` was not started: 8 runs in a row have started one another; look for workflows that start each other; on_error runs
        = calls notify.role {"role":"support","text":"look at it"} (attempt 1)
    "#]].assert_eq(&deep(7).trace);
}

#[test]
fn the_other_workflow_finds_its_subject_and_its_inputs_among_the_arguments() {
    let other = workflow(
        "
workflow: inspect-return
title: Inspect a return
owner: support
when:
  - button: Inspect
    about: contact
inputs:
  item: { type: order }
  reason: { type: text, optional: true }
only_if:
  - item.ref is not empty
steps:
  - wait: 1 day
",
    );
    let mut world = World::default();
    world.add(ORDER);
    world.add(ANNA);
    let start =
        Start { subject: Some("order/o1".parse().unwrap()), ..started(at("2026-12-14 09:00")) };
    let mut bench = Bench::begin(workflow(RETURN), world, start);
    bench.play("wake");
    let call = &bench.asked[0];
    let asked = call.asked(&other);
    let admission = bench.world.ask(|facts| admit_asked(&other, &asked, facts, bench.now)).unwrap();
    let Admission::Start { subject, inputs, key: None, blocked_since: None } = admission else {
        panic!("{admission:?}");
    };
    let start =
        Start { id: call.child, subject, inputs, parent: Some(call.parent), ..started(bench.now) };
    let mut child = Bench::begin(other, bench.world.clone(), start);
    assert_eq!(child.run.variable("item"), Some(&Value::Reference("order/o1".parse().unwrap())));
    assert_eq!(child.run.state.depth(), 1);
    assert_eq!(child.run.told(), None, "it has not ended");
    child.play("cancel by mistake");
    let Some(HappeningKind::Named { name, key, data, .. }) = child.run.told() else {
        panic!("it has a parent");
    };
    assert_eq!((name.as_str(), key), (RUN_ENDED, Some(call.child.to_string())));
    expect!["outcome: cancelled, outputs: (empty), why: cancelled: by mistake"]
        .assert_eq(&data.to_string());
    expect![[r#"
        > cancel by mistake
          ended: cancelled: by mistake
        = ended: cancelled: by mistake
    "#]]
    .assert_eq(&child.trace);
}

//! Deadlines: working time, pauses, levels.

#![allow(clippy::unwrap_used, reason = "a test")]

use expect_test::expect;

use crate::rig::{self, check};

const ESCALATION: &str = "
workflow: escalation
title: Escalation
owner: support
when:
  - created: ticket
steps:
  - do: sentiment.score
    text: =ticket.subject
    as: mood
    retry: 2 times
    if_it_fails: { use: { label: unknown, score: 0 } }
  - stop_unless: mood.label == \"negative\" or ticket.category == \"complaint\"
  - decide: target
    rows:
      - if: ticket.customer.tier == \"gold\" or mood.score <= -0.8
        use: { priority: urgent, reply_in: 1 working hour }
      - use: { priority: high, reply_in: 4 working hours }
  - deadline: =target.reply_in
    calendar: support-hours
    met_when: ticket.first_reply_at is not empty
    pause_while: ticket.status == \"waiting_for_customer\"
    levels:
      - at: 50%
        do: notify.role
        role: support
        text: \"{{ ticket.ref }}: half the reply time is gone\"
      - at: 100%
        do: notify.role
        role: complaint-lead
        text: \"{{ ticket.ref }} is late\"
      - at: 200%
        do: notify.role
        role: head-of-support
        text: \"{{ ticket.ref }} breached twice\"
";

const COMPLAINT: &str = "ticket/t1 ref=T-1 subject=Terrible status=open category=complaint customer=contact/anna priority=normal";

#[test]
fn a_deadline_escalates_in_working_time_and_stands_while_the_customer_is_asked() {
    check(
        ESCALATION,
        &[COMPLAINT, "contact/anna tier=standard"],
        "ticket/t1 2026-12-18 16:00",
        r#"
        fail no model
        after 6 seconds
        fail no model
        after 20 seconds
        fail no model
        at 2026-12-18 17:59
        at 2026-12-18 18:01
        done
        set ticket/t1 status=waiting_for_customer
        at 2026-12-21 12:00
        set ticket/t1 status=open
        at 2026-12-21 14:01
        done
        set ticket/t1 first_reply_at=2026-12-21 15:00
        done
        "#,
        expect![[r#"
            > wake
            = calls sentiment.score {"text":"Terrible"} (attempt 1)
            > fail no model
              steps[0] [do: sentiment.score] attempt_failed: attempt 1 failed: no model; tried again in 5 seconds
            = sleeps until 2026-12-18 16:00:05
            > after 6 seconds
            = calls sentiment.score {"text":"Terrible"} (attempt 2)
            > fail no model
              steps[0] [do: sentiment.score] attempt_failed: attempt 2 failed: no model; tried again in 10 seconds
            = sleeps until 2026-12-18 16:00:16
            > after 20 seconds
            = calls sentiment.score {"text":"Terrible"} (attempt 3)
            > fail no model
              steps[0] [do: sentiment.score] attempt_failed: attempt 3 failed: no model
              steps[0] [do: sentiment.score] done: failed (no model); goes on with `if_it_fails` => label: unknown, score: 0
              steps[1] [stop_unless: mood.label == "negative" or ticket.category == "complaint"] done: goes on: mood.label = unknown, ticket.category = complaint
              steps[2] [decide: target] done: row 2: everything else (not row 1: ticket.customer.tier = standard, mood.score = 0) => priority: high, reply_in: 4 working hours
              steps[3] [deadline: =target.reply_in] deadline: 4 working hours: until 2026-12-21 11:00:26; ticket.first_reply_at = (empty), ticket.status = open
            = sleeps until 2026-12-21 09:00:26
            > at 2026-12-18 17:59
            = sleeps until 2026-12-21 09:00:26
            > at 2026-12-18 18:01
            = sleeps until 2026-12-21 09:00:26
            > done
            = rejected: run_00000000000000000000000007 does not wait for attempt 3 of step 0; it has gone on since
            > set ticket/t1 status=waiting_for_customer
              steps[3] [deadline: =target.reply_in] clock: the clock stands at 119 minutes: ticket.first_reply_at = (empty), ticket.status = waiting_for_customer
            = sleeps
            > at 2026-12-21 12:00
            = sleeps
            > set ticket/t1 status=open
              steps[3] [deadline: =target.reply_in] clock: the clock runs at 119 minutes: ticket.first_reply_at = (empty), ticket.status = open
            = sleeps until 2026-12-21 12:00:26
            > at 2026-12-21 14:01
              steps[3] [deadline: =target.reply_in] level: 50% of 240 minutes are gone: the clock shows 240 minutes
            = calls notify.role {"role":"support","text":"T-1: half the reply time is gone"} (attempt 1)
            > done
              steps[3].levels[0].steps[0] [do: notify.role] done => 
              steps[3] [deadline: =target.reply_in] level: 100% of 240 minutes are gone: the clock shows 240 minutes
            = calls notify.role {"role":"complaint-lead","text":"T-1 is late"} (attempt 1)
            > set ticket/t1 first_reply_at=2026-12-21 15:00
            = calls notify.role {"role":"complaint-lead","text":"T-1 is late"} (attempt 1)
            > done
              steps[3].levels[1].steps[0] [do: notify.role] done => 
              steps[3] [deadline: =target.reply_in] done: ticket.first_reply_at = 2026-12-21T14:00:00Z, ticket.status = open => met
              ended: all steps are done
            = ended: all steps are done
        "#]],
    );
}

#[test]
fn all_levels_that_passed_while_the_host_was_away_come_in_order() {
    check(
        ESCALATION,
        &[COMPLAINT, "contact/anna tier=gold"],
        "ticket/t1 2026-12-14 09:00",
        r#"
        done {"label": "neutral", "score": 0.1}
        at 2026-12-16 09:00
        done
        done
        done
        "#,
        expect![[r#"
            > wake
            = calls sentiment.score {"text":"Terrible"} (attempt 1)
            > done {"label": "neutral", "score": 0.1}
              steps[0] [do: sentiment.score] done => label: neutral, score: 0.1
              steps[1] [stop_unless: mood.label == "negative" or ticket.category == "complaint"] done: goes on: mood.label = neutral, ticket.category = complaint
              steps[2] [decide: target] done: row 1: ticket.customer.tier = gold => priority: urgent, reply_in: 1 working hour
              steps[3] [deadline: =target.reply_in] deadline: 1 working hour: until 2026-12-14 10:00; ticket.first_reply_at = (empty), ticket.status = open
            = sleeps until 2026-12-14 09:30
            > at 2026-12-16 09:00
              steps[3] [deadline: =target.reply_in] level: 50% of 60 minutes are gone: the clock shows 1080 minutes
            = calls notify.role {"role":"support","text":"T-1: half the reply time is gone"} (attempt 1)
            > done
              steps[3].levels[0].steps[0] [do: notify.role] done => 
              steps[3] [deadline: =target.reply_in] level: 100% of 60 minutes are gone: the clock shows 1080 minutes
            = calls notify.role {"role":"complaint-lead","text":"T-1 is late"} (attempt 1)
            > done
              steps[3].levels[1].steps[0] [do: notify.role] done => 
              steps[3] [deadline: =target.reply_in] level: 200% of 60 minutes are gone: the clock shows 1080 minutes
            = calls notify.role {"role":"head-of-support","text":"T-1 breached twice"} (attempt 1)
            > done
              steps[3].levels[2].steps[0] [do: notify.role] done => 
              steps[3] [deadline: =target.reply_in] done: not met in time => missed
              ended: all steps are done
            = ended: all steps are done
        "#]],
    );
}

#[test]
fn a_pause_counts_from_when_it_began_however_late_it_is_told() {
    let def = rig::workflow(ESCALATION);
    let mut world = rig::World::default();
    for record in [COMPLAINT, "contact/anna tier=gold"] {
        world.add(record);
    }
    let mut bench = rig::Bench::start(def, world, Some("ticket/t1"), rig::at("2026-12-14 09:00"));
    bench.play("wake");
    bench.play(r#"done {"label": "neutral", "score": 0.1}"#);
    // At 9:10 they ask back, at 9:40 the customer answers; all of it is told
    // at 9:59, before the clock is looked at.
    let mut told = Vec::new();
    for (time, status) in
        [("2026-12-14 09:10", "waiting_for_customer"), ("2026-12-14 09:40", "open")]
    {
        bench.now = rig::at(time);
        let change = bench.world.change(&format!("ticket/t1 status={status}"));
        told.push(bench.happens(relata_engine::HappeningKind::Change(change), false));
    }
    bench.now = rig::at("2026-12-14 09:59");
    bench.trace.clear();
    for happening in told {
        bench.give(relata_engine::Input::Happened(happening)).unwrap();
    }
    bench.play("wake");
    bench.play("at 2026-12-14 10:00");
    expect![[r#"
          steps[3] [deadline: =target.reply_in] clock: the clock stands at 10 minutes: ticket.first_reply_at = (empty), ticket.status = waiting_for_customer
          steps[3] [deadline: =target.reply_in] clock: the clock runs at 10 minutes: ticket.first_reply_at = (empty), ticket.status = open
        > wake
        = sleeps until 2026-12-14 10:00
        > at 2026-12-14 10:00
          steps[3] [deadline: =target.reply_in] level: 50% of 60 minutes are gone: the clock shows 30 minutes
        = calls notify.role {"role":"support","text":"T-1: half the reply time is gone"} (attempt 1)
    "#]].assert_eq(&bench.trace);
}

#[test]
fn a_quiet_ticket_stops_at_once() {
    check(
        ESCALATION,
        &[
            "ticket/t1 ref=T-1 subject=Hello status=open category=question customer=contact/anna",
            "contact/anna tier=gold",
        ],
        "ticket/t1 2026-12-14 09:00",
        r#"done {"label": "neutral", "score": 0.1}"#,
        expect![[r#"
            > wake
            = calls sentiment.score {"text":"Hello"} (attempt 1)
            > done {"label": "neutral", "score": 0.1}
              steps[0] [do: sentiment.score] done => label: neutral, score: 0.1
              steps[1] [stop_unless: mood.label == "negative" or ticket.category == "complaint"] ended: stopped: stop_unless mood.label == "negative" or ticket.category == "complaint": mood.label = neutral, ticket.category = question
            = ended: stopped: stop_unless mood.label == "negative" or ticket.category == "complaint": mood.label = neutral, ticket.category = question
        "#]],
    );
}

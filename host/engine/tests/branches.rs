//! `parallel`, and what else overlaps in a run.

#![allow(clippy::unwrap_used, reason = "a test")]

use expect_test::expect;

use crate::rig::check;

const BRANCHES: &str = "
workflow: branches
title: Side by side
owner: support
when:
  - created: ticket
steps:
  - do: mail.send
    to: =ticket
    template: welcome
    as: mail
  - parallel:
      - steps:
          - wait_for: { event: mail.clicked }
            since: mail
            up_to: 2 days
            as: clicked
          - do: notify.role
            role: support
            text: clicked
      - steps:
          - wait: 1 hour
          - do: sentiment.score
            text: =ticket.subject
            as: mood
  - do: notify.role
    role: support
    text: \"{{ mood.label }}\"
on_error:
  - do: notify.role
    role: support
    text: failed
";

#[test]
fn branches_overlap_their_waits_and_their_results_are_seen_afterwards() {
    check(
        BRANCHES,
        &["ticket/t1 ref=T-1 subject=Hello"],
        "ticket/t1 2026-12-14 09:00",
        r#"
        done {"message": "message/m1"}
        after 1 hour
        event mail.clicked m1 message/m1
        crash
        done
        done {"label": "good", "score": 1}
        done
        "#,
        expect![[r#"
            > wake
            = calls mail.send {"template":"welcome","to":"ticket/t1"} (attempt 1)
            > done {"message": "message/m1"}
              steps[0] [do: mail.send] done => message: message/m1
              steps[1] [parallel] branches: 2 branches
              steps[1].parallel[0].steps[0] (1) [wait_for: mail.clicked] waiting: until 2026-12-16 09:00 at the latest
              steps[1].parallel[1].steps[0] (2) [wait: 1 hour] waiting: 1 hour: until 2026-12-14 10:00
            = sleeps until 2026-12-14 10:00
            > after 1 hour
              steps[1].parallel[1].steps[0] (2) [wait: 1 hour] done: the time has come
            = calls sentiment.score {"text":"Hello"} (attempt 1)
            > event mail.clicked m1 message/m1
              steps[1].parallel[0].steps[0] (1) [wait_for: mail.clicked] done: message/m1: mail.clicked, on 2026-12-14 10:00 => message/m1
            = calls notify.role {"role":"support","text":"clicked"} (attempt 1)
            > crash
            = calls notify.role {"role":"support","text":"clicked"} (attempt 1)
            > done
              steps[1].parallel[0].steps[1] (1) [do: notify.role] done => 
            = calls sentiment.score {"text":"Hello"} (attempt 1)
            > done {"label": "good", "score": 1}
              steps[1].parallel[1].steps[1] (2) [do: sentiment.score] done => label: good, score: 1
              steps[1] [parallel] done: all branches have ended
            = calls notify.role {"role":"support","text":"good"} (attempt 1)
            > done
              steps[2] [do: notify.role] done => 
              ended: all steps are done
            = ended: all steps are done
        "#]],
    );
}

#[test]
fn a_branch_that_fails_ends_the_others() {
    check(
        BRANCHES,
        &["ticket/t1 ref=T-1 subject=Hello"],
        "ticket/t1 2026-12-14 09:00",
        r#"
        done {"message": "message/m1"}
        after 1 hour
        refuse no model
        event mail.clicked m1 message/m1
        done
        "#,
        expect![[r#"
            > wake
            = calls mail.send {"template":"welcome","to":"ticket/t1"} (attempt 1)
            > done {"message": "message/m1"}
              steps[0] [do: mail.send] done => message: message/m1
              steps[1] [parallel] branches: 2 branches
              steps[1].parallel[0].steps[0] (1) [wait_for: mail.clicked] waiting: until 2026-12-16 09:00 at the latest
              steps[1].parallel[1].steps[0] (2) [wait: 1 hour] waiting: 1 hour: until 2026-12-14 10:00
            = sleeps until 2026-12-14 10:00
            > after 1 hour
              steps[1].parallel[1].steps[0] (2) [wait: 1 hour] done: the time has come
            = calls sentiment.score {"text":"Hello"} (attempt 1)
            > refuse no model
              steps[1].parallel[1].steps[1] (2) [do: sentiment.score] attempt_failed: attempt 1 failed: no model
              steps[1].parallel[1].steps[1] (2) [do: sentiment.score] failed: failed for good: no model; on_error runs
            = calls notify.role {"role":"support","text":"failed"} (attempt 1)
            > event mail.clicked m1 message/m1
              (does not listen)
            > done
              on_error[0] [do: notify.role] done => 
              ended: failed at steps[1].parallel[1].steps[1]: in round 2: no model
            = ended: failed at steps[1].parallel[1].steps[1]: in round 2: no model
        "#]],
    );
}

const FOLLOW_UP: &str = "
workflow: follow-up
title: A deadline for each
owner: support
when:
  - created: ticket
steps:
  - do: crm.find
    object: contact
    as: found
  - for_each: =found.records
    as: customer
    at_once: 5
    steps:
      - deadline: 2 hours
        met_when: customer.tier == \"gold\"
        pause_while: ticket.status == \"on_hold\"
        levels:
          - at: 50%
            do: notify.user
            to: =customer
            text: \"half of {{ customer.name }}\"
          - at: 100%
            do: notify.user
            to: =customer
            text: \"all of {{ customer.name }}\"
";

#[test]
fn each_item_has_its_own_deadline() {
    check(
        FOLLOW_UP,
        &["ticket/t1 status=open", "contact/anna name=Anna", "contact/ben name=Ben"],
        "ticket/t1 2026-12-14 09:00",
        r#"
        done {"records": ["contact/anna", "contact/ben"]}
        set ticket/t1 status=on_hold
        after 3 hours
        set ticket/t1 status=open
        set contact/ben tier=gold
        after 1 hour
        crash
        done
        after 1 hour
        done
        "#,
        expect![[r#"
            > wake
            = calls crm.find {"object":"contact"} (attempt 1)
            > done {"records": ["contact/anna", "contact/ben"]}
              steps[0] [do: crm.find] done => records: contact/anna, contact/ben
              steps[1] [for_each: =found.records] items: 2 items
              steps[1] [for_each: =found.records] item: item 1 of 2: contact/anna
              steps[1] [for_each: =found.records] item: item 2 of 2: contact/ben
              steps[1].steps[0] (1) [deadline: 2 hours] deadline: 2 hours: until 2026-12-14 11:00; customer.tier = (empty), ticket.status = open
              steps[1].steps[0] (2) [deadline: 2 hours] deadline: 2 hours: until 2026-12-14 11:00; customer.tier = (empty), ticket.status = open
            = sleeps until 2026-12-14 10:00
            > set ticket/t1 status=on_hold
              steps[1].steps[0] (1) [deadline: 2 hours] clock: the clock stands at 0 minutes: customer.tier = (empty), ticket.status = on_hold
              steps[1].steps[0] (2) [deadline: 2 hours] clock: the clock stands at 0 minutes: customer.tier = (empty), ticket.status = on_hold
            = sleeps
            > after 3 hours
            = sleeps
            > set ticket/t1 status=open
              steps[1].steps[0] (1) [deadline: 2 hours] clock: the clock runs at 0 minutes: customer.tier = (empty), ticket.status = open
              steps[1].steps[0] (2) [deadline: 2 hours] clock: the clock runs at 0 minutes: customer.tier = (empty), ticket.status = open
            = sleeps until 2026-12-14 13:00
            > set contact/ben tier=gold
              steps[1].steps[0] (2) [deadline: 2 hours] done: met on 2026-12-14 12:00: customer.tier = gold => met
            = sleeps until 2026-12-14 13:00
            > after 1 hour
              steps[1].steps[0] (1) [deadline: 2 hours] level: 50% of 120 minutes are gone: the clock shows 60 minutes
            = calls notify.user {"text":"half of Anna","to":"contact/anna"} (attempt 1)
            > crash
            = calls notify.user {"text":"half of Anna","to":"contact/anna"} (attempt 1)
            > done
              steps[1].steps[0].levels[0].steps[0] (1) [do: notify.user] done => 
            = sleeps until 2026-12-14 14:00
            > after 1 hour
              steps[1].steps[0] (1) [deadline: 2 hours] level: 100% of 120 minutes are gone: the clock shows 120 minutes
            = calls notify.user {"text":"all of Anna","to":"contact/anna"} (attempt 1)
            > done
              steps[1].steps[0].levels[1].steps[0] (1) [do: notify.user] done => 
              steps[1].steps[0] (1) [deadline: 2 hours] done: not met in time => missed
              steps[1] [for_each: =found.records] done: all items are done
              ended: all steps are done
            = ended: all steps are done
        "#]],
    );
}

//! Runs that have ended and go on: retries, and runs that their host gives up.

#![allow(clippy::unwrap_used, reason = "a test")]

use expect_test::expect;

use crate::rig::{check, check_with};

const DISCOUNT: &str = "
workflow: discount
title: Offer a discount
owner: sales
when:
  - button: Offer a discount
    about: contact
inputs:
  percent: number
steps:
  - do: mail.send
    to: =contact
    template: offer
    as: offer
    retry: 1 times
  - wait: 1 day
on_error:
  - do: notify.role
    role: sales
    text: \"{{ contact.name }} failed\"
outputs:
  percent: =percent
";

const ANNA: &str = "contact/anna name=Anna";

#[test]
fn a_run_goes_on_at_the_step_that_failed() {
    check_with(
        DISCOUNT,
        &[ANNA],
        "contact/anna 2026-12-14 09:00",
        r#"{"percent": 12.5}"#,
        r#"
        retry
        refuse no such template
        done
        retry {"why": "the template is there now"}
        crash
        done {"message": "m1"}
        after 1 day
        retry
        "#,
        expect![[r#"
            > wake
            = calls mail.send {"template":"offer","to":"contact/anna"} (attempt 1)
            > retry
            = rejected: run_00000000000000000000000007 has not ended; it goes on by itself
            > refuse no such template
              steps[0] [do: mail.send] attempt_failed: attempt 1 failed: no such template
              steps[0] [do: mail.send] failed: failed for good: no such template; on_error runs
            = calls notify.role {"role":"sales","text":"Anna failed"} (attempt 1)
            > done
              on_error[0] [do: notify.role] done => 
              ended: failed at steps[0]: no such template
            = ended: failed at steps[0]: no such template
            > retry {"why": "the template is there now"}
              steps[0] [do: mail.send] retried: again at do: mail.send: the template is there now
            = calls mail.send {"template":"offer","to":"contact/anna"} (attempt 2)
            > crash
            = calls mail.send {"template":"offer","to":"contact/anna"} (attempt 2)
            > done {"message": "m1"}
              steps[0] [do: mail.send] done: done at attempt 2 => message: m1
              steps[1] [wait: 1 day] waiting: 1 day: until 2026-12-15 09:00
            = sleeps until 2026-12-15 09:00
            > after 1 day
              steps[1] [wait: 1 day] done: the time has come
              ended: all steps are done => percent: 12.5
            = ended: all steps are done
            > retry
            = rejected: run_00000000000000000000000007 has not failed (all steps are done); name the step at which it is to go on
        "#]],
    );
}

#[test]
fn a_run_goes_on_with_other_values() {
    check_with(
        DISCOUNT,
        &[ANNA],
        "contact/anna 2026-12-14 09:00",
        r#"{"percent": 12.5}"#,
        r#"
        done {"message": "m1"}
        after 1 day
        retry {"from": "on_error[0]"}
        retry {"from": "steps[1]", "set": {"percent": "many"}}
        retry {"from": "steps[1]", "set": {"contact": "contact/bert"}}
        retry {"from": "steps[1]", "set": {"per_cent": 5}}
        retry {"from": "steps[1]", "set": {"percent": 5}, "why": "it was too much"}
        after 1 day
        "#,
        expect![[r#"
            > wake
            = calls mail.send {"template":"offer","to":"contact/anna"} (attempt 1)
            > done {"message": "m1"}
              steps[0] [do: mail.send] done => message: m1
              steps[1] [wait: 1 day] waiting: 1 day: until 2026-12-15 09:00
            = sleeps until 2026-12-15 09:00
            > after 1 day
              steps[1] [wait: 1 day] done: the time has come
              ended: all steps are done => percent: 12.5
            = ended: all steps are done
            > retry {"from": "on_error[0]"}
            = rejected: the run cannot go on at do: notify.role, which stands within `on_error` or `finally`; name a step outside of it
            > retry {"from": "steps[1]", "set": {"percent": "many"}}
              (wrong: percent: takes a number, not `"many"`)
            > retry {"from": "steps[1]", "set": {"contact": "contact/bert"}}
              (wrong: contact: is the record that the run is about, which stays; start another run)
            > retry {"from": "steps[1]", "set": {"per_cent": 5}}
              (wrong: per_cent: is not known to the run; there are offer, percent)
            > retry {"from": "steps[1]", "set": {"percent": 5}, "why": "it was too much"}
              steps[1] [wait: 1 day] retried: again from wait: 1 day, with another percent: it was too much
              steps[1] [wait: 1 day] waiting: 1 day: until 2026-12-16 09:00
            = sleeps until 2026-12-16 09:00
            > after 1 day
              steps[1] [wait: 1 day] done: the time has come
              ended: all steps are done => percent: 5
            = ended: all steps are done
        "#]],
    );
}

#[test]
fn a_run_that_brings_its_host_down_fails_at_the_step_and_can_be_tried_again() {
    check_with(
        DISCOUNT,
        &[ANNA],
        "contact/anna 2026-12-14 09:00",
        r#"{"percent": 1}"#,
        r#"
        giveup its host went down 5 times
        giveup its host went down 5 times
        retry
        done {"message": "m1"}
        cancel not needed
        retry
        retry {"from": "steps[1]"}
        "#,
        expect![[r#"
            > wake
            = calls mail.send {"template":"offer","to":"contact/anna"} (attempt 1)
            > giveup its host went down 5 times
              steps[0] [do: mail.send] gave_up: failed for good: its host went down 5 times; on_error runs
            = calls notify.role {"role":"sales","text":"Anna failed"} (attempt 1)
            > giveup its host went down 5 times
              on_error[0] [do: notify.role] gave_up: failed for good: its host went down 5 times
              ended: failed at steps[0]: its host went down 5 times; then on_error failed at on_error[0]: its host went down 5 times
            = ended: failed at steps[0]: its host went down 5 times; then on_error failed at on_error[0]: its host went down 5 times
            > retry
              steps[0] [do: mail.send] retried: again at do: mail.send
            = calls mail.send {"template":"offer","to":"contact/anna"} (attempt 1)
            > done {"message": "m1"}
              steps[0] [do: mail.send] done => message: m1
              steps[1] [wait: 1 day] waiting: 1 day: until 2026-12-15 09:00
            = sleeps until 2026-12-15 09:00
            > cancel not needed
              ended: cancelled: not needed
            = ended: cancelled: not needed
            > retry
            = rejected: run_00000000000000000000000007 has not failed (cancelled: not needed); name the step at which it is to go on
            > retry {"from": "steps[1]"}
              steps[1] [wait: 1 day] retried: again from wait: 1 day
              steps[1] [wait: 1 day] waiting: 1 day: until 2026-12-15 09:00
            = sleeps until 2026-12-15 09:00
        "#]],
    );
}

/// The other items stand where they stood; a timer that passed meanwhile fires.
#[test]
fn a_loop_goes_on_with_all_its_items() {
    check(
        "
workflow: many
title: Many
when:
  - created: ticket
steps:
  - for_each: =[1, 2, 3]
    as: n
    at_once: 3
    steps:
      - if: n == 1
        then:
          - wait: 1 hour
        else:
          - do: notify.role
            role: sales
            text: \"{{ n }}\"
",
        &["ticket/t1 status=open"],
        "ticket/t1 2026-12-14 09:00",
        r#"
        done
        refuse no team
        after 2 hours
        retry
        done
        "#,
        expect![[r#"
            > wake
              steps[0] [for_each: =[1, 2, 3]] items: 3 items
              steps[0] [for_each: =[1, 2, 3]] item: item 1 of 3: 1
              steps[0] [for_each: =[1, 2, 3]] item: item 2 of 3: 2
              steps[0] [for_each: =[1, 2, 3]] item: item 3 of 3: 3
              steps[0].steps[0] (1) [if: n == 1] done: holds: n = 1
              steps[0].steps[0].then[0] (1) [wait: 1 hour] waiting: 1 hour: until 2026-12-14 10:00
              steps[0].steps[0] (2) [if: n == 1] done: does not hold: n = 2
              steps[0].steps[0] (3) [if: n == 1] done: does not hold: n = 3
            = calls notify.role {"role":"sales","text":"2"} (attempt 1)
            > done
              steps[0].steps[0].else[0] (2) [do: notify.role] done => 
            = calls notify.role {"role":"sales","text":"3"} (attempt 1)
            > refuse no team
              steps[0].steps[0].else[0] (3) [do: notify.role] attempt_failed: attempt 1 failed: no team
              steps[0].steps[0].else[0] (3) [do: notify.role] failed: failed for good: no team
              ended: failed at steps[0].steps[0].else[0]: in round 3: no team
            = ended: failed at steps[0].steps[0].else[0]: in round 3: no team
            > after 2 hours
            = ended: failed at steps[0].steps[0].else[0]: in round 3: no team
            > retry
              steps[0].steps[0].else[0] (3) [do: notify.role] retried: again at do: notify.role
              steps[0].steps[0].then[0] (1) [wait: 1 hour] done: the time has come
            = calls notify.role {"role":"sales","text":"3"} (attempt 2)
            > done
              steps[0].steps[0].else[0] (3) [do: notify.role] done: done at attempt 2 => 
              steps[0] [for_each: =[1, 2, 3]] done: all items are done
              ended: all steps are done
            = ended: all steps are done
        "#]],
    );
}

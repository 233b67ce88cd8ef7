//! How runs end: `finally` and `outputs`.

#![allow(clippy::unwrap_used, reason = "a test")]

use expect_test::expect;

use crate::rig::check_with;

const DISCOUNT: &str = "
workflow: discount
title: Offer a discount
owner: sales
when:
  - button: Offer a discount
    about: contact
inputs:
  percent: number
  reason: { type: text, default: none given }
  until: { type: date, optional: true }
stop_when:
  - event: order.paid
    outcome: bought
steps:
  - stop_if: percent > 50
  - do: mail.send
    to: =contact
    template: offer
    as: offer
  - wait: 1 day
finally:
  - do: notify.role
    role: sales
    text: \"{{ contact.name }}: {{ percent }} % because {{ reason }}\"
  - do: notify.role
    role: sales
    text: over
outputs:
  accepted: =percent >= 10
  note: \"{{ contact.name }} got {{ percent }} %\"
";

const ANNA: &str = "contact/anna name=Anna";

#[test]
fn a_run_yields_its_outputs_after_finally() {
    check_with(
        DISCOUNT,
        &[ANNA],
        "contact/anna 2026-12-14 09:00",
        r#"{"percent": 12.5}"#,
        r#"
        done {"message": "m1"}
        after 1 day
        crash
        event order.paid o1 contact/anna
        done
        done
        "#,
        expect![[r#"
            > wake
              steps[0] [stop_if: percent > 50] done: goes on: percent = 12.5
            = calls mail.send {"template":"offer","to":"contact/anna"} (attempt 1)
            > done {"message": "m1"}
              steps[1] [do: mail.send] done => message: m1
              steps[2] [wait: 1 day] waiting: 1 day: until 2026-12-15 09:00
            = sleeps until 2026-12-15 09:00
            > after 1 day
              steps[2] [wait: 1 day] done: the time has come
              ending: all steps are done; finally runs
            = calls notify.role {"role":"sales","text":"Anna: 12.5 % because none given"} (attempt 1)
            > crash
            = calls notify.role {"role":"sales","text":"Anna: 12.5 % because none given"} (attempt 1)
            > event order.paid o1 contact/anna
              (does not listen)
            > done
              finally[0] [do: notify.role] done => 
            = calls notify.role {"role":"sales","text":"over"} (attempt 1)
            > done
              finally[1] [do: notify.role] done => 
              ended: all steps are done => accepted: yes, note: Anna got 12.5 %
            = ended: all steps are done
        "#]],
    );
}

#[test]
fn finally_runs_when_the_run_stops_or_fails_or_is_cancelled() {
    check_with(
        DISCOUNT,
        &[ANNA],
        "contact/anna 2026-12-14 09:00",
        r#"{"percent": 60, "reason": "late"}"#,
        "
        done
        done
        ",
        expect![[r#"
            > wake
              steps[0] [stop_if: percent > 50] ending: stopped: stop_if percent > 50: percent = 60; finally runs
            = calls notify.role {"role":"sales","text":"Anna: 60 % because late"} (attempt 1)
            > done
              finally[0] [do: notify.role] done => 
            = calls notify.role {"role":"sales","text":"over"} (attempt 1)
            > done
              finally[1] [do: notify.role] done => 
              ended: stopped: stop_if percent > 50: percent = 60
            = ended: stopped: stop_if percent > 50: percent = 60
        "#]],
    );
    check_with(
        DISCOUNT,
        &[ANNA],
        "contact/anna 2026-12-14 09:00",
        r#"{"percent": 10}"#,
        "
        refuse no such template
        refuse nobody is there
        ",
        expect![[r#"
            > wake
              steps[0] [stop_if: percent > 50] done: goes on: percent = 10
            = calls mail.send {"template":"offer","to":"contact/anna"} (attempt 1)
            > refuse no such template
              steps[1] [do: mail.send] attempt_failed: attempt 1 failed: no such template
              steps[1] [do: mail.send] failed: failed for good: no such template
              ending: failed at steps[1]: no such template; finally runs
            = calls notify.role {"role":"sales","text":"Anna: 10 % because none given"} (attempt 1)
            > refuse nobody is there
              finally[0] [do: notify.role] attempt_failed: attempt 1 failed: nobody is there
              finally[0] [do: notify.role] failed: failed for good: nobody is there
              ended: failed at steps[1]: no such template; then finally failed at finally[0]: nobody is there
            = ended: failed at steps[1]: no such template; then finally failed at finally[0]: nobody is there
        "#]],
    );
    check_with(
        DISCOUNT,
        &[ANNA],
        "contact/anna 2026-12-14 09:00",
        r#"{"percent": 10}"#,
        r#"
        done {"message": "m1"}
        event order.paid o1 contact/anna
        done
        done
        "#,
        expect![[r#"
            > wake
              steps[0] [stop_if: percent > 50] done: goes on: percent = 10
            = calls mail.send {"template":"offer","to":"contact/anna"} (attempt 1)
            > done {"message": "m1"}
              steps[1] [do: mail.send] done => message: m1
              steps[2] [wait: 1 day] waiting: 1 day: until 2026-12-15 09:00
            = sleeps until 2026-12-15 09:00
            > event order.paid o1 contact/anna
              ending: stopped as bought: stop_when: contact/anna: order.paid; finally runs
            = calls notify.role {"role":"sales","text":"Anna: 10 % because none given"} (attempt 1)
            > done
              finally[0] [do: notify.role] done => 
            = calls notify.role {"role":"sales","text":"over"} (attempt 1)
            > done
              finally[1] [do: notify.role] done => 
              ended: stopped as bought: stop_when: contact/anna: order.paid
            = ended: stopped as bought: stop_when: contact/anna: order.paid
        "#]],
    );
    check_with(
        DISCOUNT,
        &[ANNA],
        "contact/anna 2026-12-14 09:00",
        r#"{"percent": 10}"#,
        "
        cancel eva: by mistake
        crash
        cancel eva: at once
        done
        ",
        expect![[r#"
            > wake
              steps[0] [stop_if: percent > 50] done: goes on: percent = 10
            = calls mail.send {"template":"offer","to":"contact/anna"} (attempt 1)
            > cancel eva: by mistake
              ending: cancelled: eva: by mistake; finally runs
            = calls notify.role {"role":"sales","text":"Anna: 10 % because none given"} (attempt 1)
            > crash
            = calls notify.role {"role":"sales","text":"Anna: 10 % because none given"} (attempt 1)
            > cancel eva: at once
              ended: cancelled: eva: by mistake; then finally was cancelled: eva: at once
            = ended: cancelled: eva: by mistake; then finally was cancelled: eva: at once
            > done
            = rejected: attempt 1 of step 3 came back after run_00000000000000000000000007 had ended
        "#]],
    );
    // Nobody cancels what is over; only its `finally` is cut short.
    check_with(
        DISCOUNT,
        &[ANNA],
        "contact/anna 2026-12-14 09:00",
        r#"{"percent": 10}"#,
        r#"
        done {"message": "m1"}
        after 1 day
        done
        cancel eva: enough
        "#,
        expect![[r#"
            > wake
              steps[0] [stop_if: percent > 50] done: goes on: percent = 10
            = calls mail.send {"template":"offer","to":"contact/anna"} (attempt 1)
            > done {"message": "m1"}
              steps[1] [do: mail.send] done => message: m1
              steps[2] [wait: 1 day] waiting: 1 day: until 2026-12-15 09:00
            = sleeps until 2026-12-15 09:00
            > after 1 day
              steps[2] [wait: 1 day] done: the time has come
              ending: all steps are done; finally runs
            = calls notify.role {"role":"sales","text":"Anna: 10 % because none given"} (attempt 1)
            > done
              finally[0] [do: notify.role] done => 
            = calls notify.role {"role":"sales","text":"over"} (attempt 1)
            > cancel eva: enough
              ended: cancelled: eva: enough
            = ended: cancelled: eva: enough
        "#]],
    );
    check_with(
        DISCOUNT,
        &[ANNA],
        "contact/anna 2026-12-14 09:00",
        r#"{"percent": 10}"#,
        r#"
        done {"message": "m1"}
        after 1 day
        refuse nobody is there
        "#,
        expect![[r#"
            > wake
              steps[0] [stop_if: percent > 50] done: goes on: percent = 10
            = calls mail.send {"template":"offer","to":"contact/anna"} (attempt 1)
            > done {"message": "m1"}
              steps[1] [do: mail.send] done => message: m1
              steps[2] [wait: 1 day] waiting: 1 day: until 2026-12-15 09:00
            = sleeps until 2026-12-15 09:00
            > after 1 day
              steps[2] [wait: 1 day] done: the time has come
              ending: all steps are done; finally runs
            = calls notify.role {"role":"sales","text":"Anna: 10 % because none given"} (attempt 1)
            > refuse nobody is there
              finally[0] [do: notify.role] attempt_failed: attempt 1 failed: nobody is there
              finally[0] [do: notify.role] failed: failed for good: nobody is there
              ended: failed at finally[0]: nobody is there
            = ended: failed at finally[0]: nobody is there
        "#]],
    );
}

#[test]
fn outputs_without_a_value_are_a_failure() {
    let source = "
workflow: share
title: Share
owner: sales
inputs: { parts: number }
steps:
  - set: { whole: 100 }
outputs:
  share: =whole / parts
";
    check_with(
        source,
        &[],
        "- 2026-12-14 09:00",
        r#"{"parts": 8}"#,
        "",
        expect![[r#"
        > wake
          steps[0] [set: whole] done => whole: 100
          ended: all steps are done => share: 12.5
        = ended: all steps are done
    "#]],
    );
    check_with(
        source,
        &[],
        "- 2026-12-14 09:00",
        r#"{"parts": 0}"#,
        "",
        expect![[r#"
        > wake
          steps[0] [set: whole] done => whole: 100
          ended: failed at outputs: the output `share` has no value: nothing can be divided by 0
        = ended: failed at outputs: the output `share` has no value: nothing can be divided by 0
    "#]],
    );
}

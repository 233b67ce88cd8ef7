//! What workflows do, step by step: a workflow, a script of what comes to
//! its run, and all that follows.

#![allow(clippy::unwrap_used, reason = "a test")]

use expect_test::expect;

use crate::rig::check;

const WELCOME: &str = "
workflow: welcome
title: Welcome
owner: sales
calendar: sales-hours
when:
  - created: lead
steps:
  - decide: team
    rows:
      - if: default(lead.company_size, 0) >= 200
        use: enterprise
      - if: lead.country in [\"DE\", \"AT\", \"CH\"]
        use: dach
      - use: international
  - do: assign.round_robin
    team: =team
    max_open_leads: 40
    as: pick
  - do: crm.update
    record: =lead
    set: { owner: =pick.user, status: assigned }
  - do: task.create
    record: =lead
    assignee: =pick.user
    title: \"Follow up {{ lead.name }}\"
    due_in: 48 hours
  - wait_for: { changed: lead.status, to: in_process }
    up_to: 48 hours
    otherwise:
      - do: notify.user
        to: =pick.user
        text: \"{{ lead.name }} waits since {{ lead.created_at | short }}\"
on_error:
  - do: crm.update
    record: =lead
    set: { owner: queue/unassigned }
";

const LEAD: &str =
    "lead/l1 name=Anna country=AT company_size=12 status=new created_at=2026-12-14 09:00";

#[test]
fn a_lead_is_routed_and_followed_up() {
    check(
        WELCOME,
        &[LEAD, "user/eva name=Eva"],
        "lead/l1 2026-12-14 09:00",
        r#"
        done {"user": "user/eva"}
        own lead/l1 status=assigned
        done {"changed": true}
        done {"task": "task/t9"}
        after 47 hours
        after 59 minutes
        after 1 minute
        done {}
        "#,
        expect![[r#"
            > wake
              steps[0] [decide: team] done: row 2: lead.country = AT (not row 1: lead.company_size = 12) => dach
            = calls assign.round_robin {"max_open_leads":40,"team":"team/dach"} (attempt 1) alone in rotation/team/dach
            > done {"user": "user/eva"}
              steps[1] [do: assign.round_robin] done => user: user/eva
            = calls crm.update {"record":"lead/l1","set":{"owner":"user/eva","status":"assigned"}} (attempt 1)
            > own lead/l1 status=assigned
              (does not listen)
            > done {"changed": true}
              steps[2] [do: crm.update] done => changed: yes
            = calls task.create {"assignee":"user/eva","due_in":"2026-12-16T08:00:00Z","record":"lead/l1","title":"Follow up Anna"} (attempt 1)
            > done {"task": "task/t9"}
              steps[3] [do: task.create] done => task: task/t9
              steps[4] [wait_for: changed lead.status] waiting: until 2026-12-16 09:00 at the latest
            = sleeps until 2026-12-16 09:00
            > after 47 hours
            = sleeps until 2026-12-16 09:00
            > after 59 minutes
            = sleeps until 2026-12-16 09:00
            > after 1 minute
              steps[4] [wait_for: changed lead.status] done: it did not happen in time
            = calls notify.user {"text":"Anna waits since 2026-12-14 09:00","to":"user/eva"} (attempt 1)
            > done {}
              steps[4].otherwise[0] [do: notify.user] done => 
              ended: all steps are done
            = ended: all steps are done
        "#]],
    );
}

#[test]
fn a_lead_that_is_taken_up_is_left_alone() {
    check(
        WELCOME,
        &[LEAD, "user/eva name=Eva"],
        "lead/l1 2026-12-14 09:00",
        r#"
        done {"user": "user/eva"}
        done {"changed": true}
        done {"task": "task/t9"}
        set lead/l1 note=called
        after 3 hours
        set lead/l1 status=in_process
        "#,
        expect![[r#"
            > wake
              steps[0] [decide: team] done: row 2: lead.country = AT (not row 1: lead.company_size = 12) => dach
            = calls assign.round_robin {"max_open_leads":40,"team":"team/dach"} (attempt 1) alone in rotation/team/dach
            > done {"user": "user/eva"}
              steps[1] [do: assign.round_robin] done => user: user/eva
            = calls crm.update {"record":"lead/l1","set":{"owner":"user/eva","status":"assigned"}} (attempt 1)
            > done {"changed": true}
              steps[2] [do: crm.update] done => changed: yes
            = calls task.create {"assignee":"user/eva","due_in":"2026-12-16T08:00:00Z","record":"lead/l1","title":"Follow up Anna"} (attempt 1)
            > done {"task": "task/t9"}
              steps[3] [do: task.create] done => task: task/t9
              steps[4] [wait_for: changed lead.status] waiting: until 2026-12-16 09:00 at the latest
            = sleeps until 2026-12-16 09:00
            > set lead/l1 note=called
            = sleeps until 2026-12-16 09:00
            > after 3 hours
            = sleeps until 2026-12-16 09:00
            > set lead/l1 status=in_process
              steps[4] [wait_for: changed lead.status] done: lead/l1 changed (status: new -> in_process), on 2026-12-14 12:00 => lead/l1
              ended: all steps are done
            = ended: all steps are done
        "#]],
    );
}

#[test]
fn a_failure_for_good_goes_to_on_error_once() {
    check(
        WELCOME,
        &[LEAD],
        "lead/l1 2026-12-14 09:00",
        r#"
        fail the team is empty
        wake
        after 6 seconds
        refuse there is no such team
        refuse the queue is gone
        "#,
        expect![[r#"
            > wake
              steps[0] [decide: team] done: row 2: lead.country = AT (not row 1: lead.company_size = 12) => dach
            = calls assign.round_robin {"max_open_leads":40,"team":"team/dach"} (attempt 1) alone in rotation/team/dach
            > fail the team is empty
              steps[1] [do: assign.round_robin] attempt_failed: attempt 1 failed: the team is empty; tried again in 4 seconds
            = sleeps until 2026-12-14 09:00:04
            > wake
            = sleeps until 2026-12-14 09:00:04
            > after 6 seconds
            = calls assign.round_robin {"max_open_leads":40,"team":"team/dach"} (attempt 2) alone in rotation/team/dach
            > refuse there is no such team
              steps[1] [do: assign.round_robin] attempt_failed: attempt 2 failed: there is no such team
              steps[1] [do: assign.round_robin] failed: failed for good: there is no such team; on_error runs
            = calls crm.update {"record":"lead/l1","set":{"owner":"queue/unassigned"}} (attempt 1)
            > refuse the queue is gone
              on_error[0] [do: crm.update] attempt_failed: attempt 1 failed: the queue is gone
              on_error[0] [do: crm.update] failed: failed for good: the queue is gone
              ended: failed at steps[1]: there is no such team; then on_error failed at on_error[0]: the queue is gone
            = ended: failed at steps[1]: there is no such team; then on_error failed at on_error[0]: the queue is gone
        "#]],
    );
}

const SURVEY: &str = "
workflow: inquiry-survey
title: Survey
owner: support
when:
  - changed: ticket.status
    to: solved
only_if:
  - ticket.customer is not empty
repeat:
  one_per: ticket.customer
  again_after: 30 days
  counted_from: survey
stop_when:
  - changed: ticket.status
    to: open
steps:
  - wait: 24 hours
    resume_in: support-hours
  - do: survey.send
    to: =ticket.customer
    template: csat
    as: survey
  - wait_for: { event: survey.answered }
    since: survey
    up_to: 7 days
    as: answer
    then:
      - if: answer.score is not empty and answer.score <= 2
        then:
          - do: ticket.create
            customer: =ticket.customer
            category: complaint
            subject: \"Low survey score on {{ ticket.ref }}\"
";

const TICKET: &str =
    "ticket/t1 ref=T-1 status=solved customer=contact/anna priority=normal category=question";

#[test]
fn a_survey_waits_for_the_holidays_to_end() {
    check(
        SURVEY,
        &[TICKET, "contact/anna name=Anna"],
        "ticket/t1 2026-12-23 17:05",
        r#"
        at 2026-12-28 08:59
        at 2026-12-28 09:00
        done {"response": "survey_response/r1"}
        set survey_response/r1 score=1 status=answered
        event survey.answered r1 survey_response/r1 contact/anna
        done {"ticket": "ticket/t2"}
        "#,
        expect![[r#"
            > wake
              steps[0] [wait: 24 hours] waiting: 24 hours: until 2026-12-24 17:05, then until calendar/support-hours opens on 2026-12-28 09:00
            = sleeps until 2026-12-28 09:00
            > at 2026-12-28 08:59
            = sleeps until 2026-12-28 09:00
            > at 2026-12-28 09:00
              steps[0] [wait: 24 hours] done: the time has come
            = calls survey.send {"template":"csat","to":"contact/anna"} (attempt 1)
            > done {"response": "survey_response/r1"}
              steps[1] [do: survey.send] done => response: survey_response/r1
              steps[2] [wait_for: survey.answered] waiting: until 2027-01-04 09:00 at the latest
            = sleeps until 2027-01-04 09:00
            > set survey_response/r1 score=1 status=answered
              (does not listen)
            > event survey.answered r1 survey_response/r1 contact/anna
              steps[2] [wait_for: survey.answered] done: survey_response/r1: survey.answered, on 2026-12-28 09:00 => survey_response/r1
              steps[2].then[0] [if: answer.score is not empty and answer.score <= 2] done: holds: answer.score = 1
            = calls ticket.create {"category":"complaint","customer":"contact/anna","subject":"Low survey score on T-1"} (attempt 1)
            > done {"ticket": "ticket/t2"}
              steps[2].then[0].then[0] [do: ticket.create] done => ticket: ticket/t2
              ended: all steps are done
            = ended: all steps are done
        "#]],
    );
}

#[test]
fn an_answer_to_another_survey_or_too_late_does_not_count() {
    check(
        SURVEY,
        &[TICKET, "contact/anna name=Anna"],
        "ticket/t1 2026-12-14 10:00",
        r#"
        at 2026-12-15 10:00
        done {"response": "survey_response/r1"}
        event survey.answered r2 survey_response/r2 contact/anna
        at 2026-12-22 10:00
        event survey.answered r1 survey_response/r1 contact/anna
        "#,
        expect![[r#"
            > wake
              steps[0] [wait: 24 hours] waiting: 24 hours: until 2026-12-15 10:00
            = sleeps until 2026-12-15 10:00
            > at 2026-12-15 10:00
              steps[0] [wait: 24 hours] done: the time has come
            = calls survey.send {"template":"csat","to":"contact/anna"} (attempt 1)
            > done {"response": "survey_response/r1"}
              steps[1] [do: survey.send] done => response: survey_response/r1
              steps[2] [wait_for: survey.answered] waiting: until 2026-12-22 10:00 at the latest
            = sleeps until 2026-12-22 10:00
            > event survey.answered r2 survey_response/r2 contact/anna
              (does not listen)
            > at 2026-12-22 10:00
              steps[2] [wait_for: survey.answered] done: it did not happen in time
              ended: all steps are done
            = ended: all steps are done
            > event survey.answered r1 survey_response/r1 contact/anna
              (does not listen)
        "#]],
    );
}

#[test]
fn nothing_is_sent_when_the_ticket_is_reopened() {
    check(
        SURVEY,
        &[TICKET, "contact/anna name=Anna"],
        "ticket/t1 2026-12-14 10:00",
        r#"
        after 3 hours
        set ticket/t1 priority=high
        own ticket/t1 status=open
        set ticket/t1 status=solved
        set ticket/t1 status=open
        wake
        set ticket/t1 status=solved
        "#,
        expect![[r#"
            > wake
              steps[0] [wait: 24 hours] waiting: 24 hours: until 2026-12-15 10:00
            = sleeps until 2026-12-15 10:00
            > after 3 hours
            = sleeps until 2026-12-15 10:00
            > set ticket/t1 priority=high
            = sleeps until 2026-12-15 10:00
            > own ticket/t1 status=open
            = sleeps until 2026-12-15 10:00
            > set ticket/t1 status=solved
            = sleeps until 2026-12-15 10:00
            > set ticket/t1 status=open
              ended: stopped: stop_when: ticket/t1 changed (status: solved -> open)
            = ended: stopped: stop_when: ticket/t1 changed (status: solved -> open)
            > wake
            = ended: stopped: stop_when: ticket/t1 changed (status: solved -> open)
            > set ticket/t1 status=solved
              (does not listen)
        "#]],
    );
}

#[test]
fn a_skipped_survey_is_not_waited_for() {
    check(
        SURVEY,
        &[TICKET, "contact/anna name=Anna"],
        "ticket/t1 2026-12-14 10:00",
        "
        at 2026-12-15 10:00
        skip Anna wants no surveys
        ",
        expect![[r#"
            > wake
              steps[0] [wait: 24 hours] waiting: 24 hours: until 2026-12-15 10:00
            = sleeps until 2026-12-15 10:00
            > at 2026-12-15 10:00
              steps[0] [wait: 24 hours] done: the time has come
            = calls survey.send {"template":"csat","to":"contact/anna"} (attempt 1)
            > skip Anna wants no surveys
              steps[1] [do: survey.send] done: nothing to do: Anna wants no surveys
              steps[2] [wait_for: survey.answered] done: `survey` has no result that it could answer, so nothing is waited for
              ended: all steps are done
            = ended: all steps are done
        "#]],
    );
}

const WIN_BACK: &str = "
workflow: win-back
title: Win back
owner: marketing
when:
  - enters: segment/dormant-90-days
stop_when:
  - event: order.paid
    outcome: bought
steps:
  - split: offer
    arms: { ten_percent: 45%, free_shipping: 45%, nothing: 10% }
  - stop_if: offer == \"nothing\"
  - do: mail.send
    to: =contact
    template: \"win-back-{{ offer }}\"
    as: first_mail
  - do: mail.send
    to: =contact
    template: news
  - wait_for: { event: mail.clicked }
    since: first_mail
    up_to: 3 days
    otherwise:
      - do: mail.send
        to: =contact
        template: win-back-reminder
";

#[test]
fn a_click_before_the_wait_is_not_lost() {
    check(
        WIN_BACK,
        &["contact/anna name=Anna"],
        "contact/anna 2026-12-14 09:00",
        r#"
        done {"message": "message/m1"}
        event mail.clicked m1 message/m1
        event mail.clicked m1 message/m1
        after 4 days
        done {"message": "message/m2"}
        "#,
        expect![[r#"
            > wake
              steps[0] [split: offer] done: contact/anna drew 0.7278 of 1 => free_shipping
              steps[1] [stop_if: offer == "nothing"] done: goes on: offer = free_shipping
            = calls mail.send {"template":"win-back-free_shipping","to":"contact/anna"} (attempt 1)
            > done {"message": "message/m1"}
              steps[2] [do: mail.send] done => message: message/m1
            = calls mail.send {"template":"news","to":"contact/anna"} (attempt 1)
            > event mail.clicked m1 message/m1
              noted: message/m1: mail.clicked
            = calls mail.send {"template":"news","to":"contact/anna"} (attempt 1)
            > event mail.clicked m1 message/m1
              noted: message/m1: mail.clicked
            = calls mail.send {"template":"news","to":"contact/anna"} (attempt 1)
            > after 4 days
            = calls mail.send {"template":"news","to":"contact/anna"} (attempt 1)
            > done {"message": "message/m2"}
              steps[3] [do: mail.send] done => message: message/m2
              steps[4] [wait_for: mail.clicked] done: message/m1: mail.clicked, on 2026-12-14 09:00 => message/m1
              ended: all steps are done
            = ended: all steps are done
        "#]],
    );
}

#[test]
fn the_limit_counts_from_the_step_that_is_named() {
    check(
        WIN_BACK,
        &["contact/anna name=Anna"],
        "contact/anna 2026-12-14 09:00",
        r#"
        done {"message": "message/m1"}
        postpone 5 minutes
        after 4 days
        done {"message": "message/m2"}
        done {"message": "message/m3"}
        "#,
        expect![[r#"
            > wake
              steps[0] [split: offer] done: contact/anna drew 0.7278 of 1 => free_shipping
              steps[1] [stop_if: offer == "nothing"] done: goes on: offer = free_shipping
            = calls mail.send {"template":"win-back-free_shipping","to":"contact/anna"} (attempt 1)
            > done {"message": "message/m1"}
              steps[2] [do: mail.send] done => message: message/m1
            = calls mail.send {"template":"news","to":"contact/anna"} (attempt 1)
            > postpone 5 minutes
              steps[3] [do: mail.send] postponed: not yet; called again in 5 minutes
            = sleeps until 2026-12-14 09:05
            > after 4 days
            = calls mail.send {"template":"news","to":"contact/anna"} (attempt 2)
            > done {"message": "message/m2"}
              steps[3] [do: mail.send] done: done at attempt 2 => message: message/m2
              steps[4] [wait_for: mail.clicked] waiting: until 2026-12-17 09:00 at the latest
              steps[4] [wait_for: mail.clicked] done: it did not happen in time
            = calls mail.send {"template":"win-back-reminder","to":"contact/anna"} (attempt 1)
            > done {"message": "message/m3"}
              steps[4].otherwise[0] [do: mail.send] done => message: message/m3
              ended: all steps are done
            = ended: all steps are done
        "#]],
    );
}

#[test]
fn who_buys_is_left_alone() {
    check(
        WIN_BACK,
        &["contact/anna name=Anna"],
        "contact/anna 2026-12-14 09:00",
        r#"
        event order.paid o2 order/o2 contact/ben
        event order.paid o1 order/o1 contact/anna
        done {"message": "message/m1"}
        "#,
        expect![[r#"
            > wake
              steps[0] [split: offer] done: contact/anna drew 0.7278 of 1 => free_shipping
              steps[1] [stop_if: offer == "nothing"] done: goes on: offer = free_shipping
            = calls mail.send {"template":"win-back-free_shipping","to":"contact/anna"} (attempt 1)
            > event order.paid o2 order/o2 contact/ben
              (does not listen)
            > event order.paid o1 order/o1 contact/anna
              ended: stopped as bought: stop_when: order/o1: order.paid
            = ended: stopped as bought: stop_when: order/o1: order.paid
            > done {"message": "message/m1"}
            = rejected: attempt 1 of step 2 came back after run_00000000000000000000000007 had ended
        "#]],
    );
}

#[test]
fn a_cancelled_run_takes_no_more() {
    check(
        WIN_BACK,
        &["contact/anna name=Anna"],
        "contact/anna 2026-12-14 09:00",
        r#"
        cancel eva: by mistake
        cancel again
        wake
        done {"message": "message/m1"}
        "#,
        expect![[r#"
            > wake
              steps[0] [split: offer] done: contact/anna drew 0.7278 of 1 => free_shipping
              steps[1] [stop_if: offer == "nothing"] done: goes on: offer = free_shipping
            = calls mail.send {"template":"win-back-free_shipping","to":"contact/anna"} (attempt 1)
            > cancel eva: by mistake
              ended: cancelled: eva: by mistake
            = ended: cancelled: eva: by mistake
            > cancel again
            = ended: cancelled: eva: by mistake
            > wake
            = ended: cancelled: eva: by mistake
            > done {"message": "message/m1"}
            = rejected: attempt 1 of step 2 came back after run_00000000000000000000000007 had ended
        "#]],
    );
}

const WAITS: &str = "
workflow: waits
title: Waits
owner: sales
calendar: support-hours
when:
  - created: lead
steps:
  - wait: 1 day
  - wait: 24 hours
  - wait: 2 working days
";

#[test]
fn a_day_is_a_local_day_and_24_hours_are_elapsed_over_both_clock_changes() {
    check(
        WAITS,
        &[LEAD],
        "lead/l1 2026-03-27 10:00",
        "
        at 2026-03-28 10:00
        at 2026-03-29 11:00
        at 2026-04-01 09:00
        ",
        expect![[r#"
            > wake
              steps[0] [wait: 1 day] waiting: 1 day: until 2026-03-28 10:00
            = sleeps until 2026-03-28 10:00
            > at 2026-03-28 10:00
              steps[0] [wait: 1 day] done: the time has come
              steps[1] [wait: 24 hours] waiting: 24 hours: until 2026-03-29 11:00
            = sleeps until 2026-03-29 11:00
            > at 2026-03-29 11:00
              steps[1] [wait: 24 hours] done: the time has come
              steps[2] [wait: 2 working days] waiting: 2 working days: until 2026-04-01 09:00
            = sleeps until 2026-04-01 09:00
            > at 2026-04-01 09:00
              steps[2] [wait: 2 working days] done: the time has come
              ended: all steps are done
            = ended: all steps are done
        "#]],
    );
    check(
        WAITS,
        &[LEAD],
        "lead/l1 2026-10-24 10:00",
        "
        at 2026-10-25 10:00
        at 2026-10-26 09:59
        at 2026-10-26 10:00
        at 2026-10-28 10:00
        ",
        expect![[r#"
            > wake
              steps[0] [wait: 1 day] waiting: 1 day: until 2026-10-25 10:00
            = sleeps until 2026-10-25 10:00
            > at 2026-10-25 10:00
              steps[0] [wait: 1 day] done: the time has come
              steps[1] [wait: 24 hours] waiting: 24 hours: until 2026-10-26 10:00
            = sleeps until 2026-10-26 10:00
            > at 2026-10-26 09:59
            = sleeps until 2026-10-26 10:00
            > at 2026-10-26 10:00
              steps[1] [wait: 24 hours] done: the time has come
              steps[2] [wait: 2 working days] waiting: 2 working days: until 2026-10-28 10:00
            = sleeps until 2026-10-28 10:00
            > at 2026-10-28 10:00
              steps[2] [wait: 2 working days] done: the time has come
              ended: all steps are done
            = ended: all steps are done
        "#]],
    );
}

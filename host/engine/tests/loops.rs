//! `for_each` and `set`, step by step.

#![allow(clippy::unwrap_used, reason = "a test")]

use expect_test::expect;

use crate::rig::check;

const MAILING: &str = "
workflow: mailing
title: Mail to those found
owner: marketing
when:
  - created: ticket
steps:
  - do: crm.find
    object: contact
    as: found
  - set: { sent: 0 }
  - for_each: =found.records
    as: customer
    only_if: customer.email is not empty
    steps:
      - do: mail.send
        to: =customer
        template: news
        as: mail
      - set: { sent: =sent + 1 }
  - do: notify.role
    role: marketing
    text: \"{{ sent }} mails\"
on_error:
  - do: notify.role
    role: marketing
    text: \"broken off after {{ default(sent, 0) }}\"
";

const CONTACTS: [&str; 6] = [
    "ticket/t1 ref=T-1",
    "contact/anna name=Anna email=anna@a.example",
    "contact/ben name=Ben",
    "contact/cleo name=Cleo",
    "contact/dora name=Dora email=dora@a.example",
    "contact/emil name=Emil",
];

const FOUND: &str = r#"done {"records": ["contact/anna", "contact/ben", "contact/cleo", "contact/dora", "contact/emil"]}"#;

#[test]
fn items_come_one_after_another_and_those_left_out_are_told() {
    check(
        MAILING,
        &CONTACTS,
        "ticket/t1 2026-12-14 09:00",
        &format!(
            r#"
            {FOUND}
            done {{"message": "message/m1"}}
            crash
            done {{"message": "message/m2"}}
            done
            "#
        ),
        expect![[r#"
            > wake
            = calls crm.find {"object":"contact"} (attempt 1)
            > done {"records": ["contact/anna", "contact/ben", "contact/cleo", "contact/dora", "contact/emil"]}
              steps[0] [do: crm.find] done => records: contact/anna, contact/ben, contact/cleo, contact/dora, contact/emil
              steps[1] [set: sent] done => sent: 0
              steps[2] [for_each: =found.records] items: 5 items
              steps[2] [for_each: =found.records] item: item 1 of 5: contact/anna
            = calls mail.send {"template":"news","to":"contact/anna"} (attempt 1)
            > done {"message": "message/m1"}
              steps[2].steps[0] (1) [do: mail.send] done => message: message/m1
              steps[2].steps[1] (1) [set: sent] done => sent: 1
              steps[2] [for_each: =found.records] left_out: only_if does not hold: item 2 (contact/ben): customer.email = (empty); item 3 (contact/cleo): customer.email = (empty)
              steps[2] [for_each: =found.records] item: item 4 of 5: contact/dora
            = calls mail.send {"template":"news","to":"contact/dora"} (attempt 1)
            > crash
            = calls mail.send {"template":"news","to":"contact/dora"} (attempt 1)
            > done {"message": "message/m2"}
              steps[2].steps[0] (4) [do: mail.send] done => message: message/m2
              steps[2].steps[1] (4) [set: sent] done => sent: 2
              steps[2] [for_each: =found.records] left_out: only_if does not hold: item 5 (contact/emil): customer.email = (empty)
              steps[2] [for_each: =found.records] done: of 5 items 2 are done and 3 left out
            = calls notify.role {"role":"marketing","text":"2 mails"} (attempt 1)
            > done
              steps[3] [do: notify.role] done => 
              ended: all steps are done
            = ended: all steps are done
        "#]],
    );
}

#[test]
fn an_item_that_fails_for_good_ends_the_loop() {
    check(
        MAILING,
        &CONTACTS,
        "ticket/t1 2026-12-14 09:00",
        &format!(
            r#"
            {FOUND}
            done {{"message": "message/m1"}}
            fail the server is down
            crash
            after 6 seconds
            refuse there is no such address
            done
            "#
        ),
        expect![[r#"
            > wake
            = calls crm.find {"object":"contact"} (attempt 1)
            > done {"records": ["contact/anna", "contact/ben", "contact/cleo", "contact/dora", "contact/emil"]}
              steps[0] [do: crm.find] done => records: contact/anna, contact/ben, contact/cleo, contact/dora, contact/emil
              steps[1] [set: sent] done => sent: 0
              steps[2] [for_each: =found.records] items: 5 items
              steps[2] [for_each: =found.records] item: item 1 of 5: contact/anna
            = calls mail.send {"template":"news","to":"contact/anna"} (attempt 1)
            > done {"message": "message/m1"}
              steps[2].steps[0] (1) [do: mail.send] done => message: message/m1
              steps[2].steps[1] (1) [set: sent] done => sent: 1
              steps[2] [for_each: =found.records] left_out: only_if does not hold: item 2 (contact/ben): customer.email = (empty); item 3 (contact/cleo): customer.email = (empty)
              steps[2] [for_each: =found.records] item: item 4 of 5: contact/dora
            = calls mail.send {"template":"news","to":"contact/dora"} (attempt 1)
            > fail the server is down
              steps[2].steps[0] (4) [do: mail.send] attempt_failed: attempt 1 failed: the server is down; tried again in 4 seconds
            = sleeps until 2026-12-14 09:00:04
            > crash
            = sleeps until 2026-12-14 09:00:04
            > after 6 seconds
            = calls mail.send {"template":"news","to":"contact/dora"} (attempt 2)
            > refuse there is no such address
              steps[2].steps[0] (4) [do: mail.send] attempt_failed: attempt 2 failed: there is no such address
              steps[2].steps[0] (4) [do: mail.send] failed: failed for good: there is no such address; on_error runs
            = calls notify.role {"role":"marketing","text":"broken off after 1"} (attempt 1)
            > done
              on_error[0] [do: notify.role] done => 
              ended: failed at steps[2].steps[0]: in round 4: there is no such address
            = ended: failed at steps[2].steps[0]: in round 4: there is no such address
        "#]],
    );
}

#[test]
fn a_loop_over_nothing_goes_on() {
    check(
        MAILING,
        &CONTACTS,
        "ticket/t1 2026-12-14 09:00",
        r#"
        done {"records": []}
        done
        "#,
        expect![[r#"
            > wake
            = calls crm.find {"object":"contact"} (attempt 1)
            > done {"records": []}
              steps[0] [do: crm.find] done => records: 
              steps[1] [set: sent] done => sent: 0
              steps[2] [for_each: =found.records] done: there are no items
            = calls notify.role {"role":"marketing","text":"0 mails"} (attempt 1)
            > done
              steps[3] [do: notify.role] done => 
              ended: all steps are done
            = ended: all steps are done
        "#]],
    );
    check(
        MAILING,
        &CONTACTS,
        "ticket/t1 2026-12-14 09:00",
        r#"
        skip there is nobody
        done
        "#,
        expect![[r#"
            > wake
            = calls crm.find {"object":"contact"} (attempt 1)
            > skip there is nobody
              steps[0] [do: crm.find] done: nothing to do: there is nobody
              steps[1] [set: sent] done => sent: 0
              steps[2] [for_each: =found.records] done: there are no items
            = calls notify.role {"role":"marketing","text":"0 mails"} (attempt 1)
            > done
              steps[3] [do: notify.role] done => 
              ended: all steps are done
            = ended: all steps are done
        "#]],
    );
    check(
        MAILING,
        &CONTACTS,
        "ticket/t1 2026-12-14 09:00",
        r#"
        done {"records": ["contact/ben", "contact/cleo", "contact/ben", "contact/emil"]}
        done
        "#,
        expect![[r#"
            > wake
            = calls crm.find {"object":"contact"} (attempt 1)
            > done {"records": ["contact/ben", "contact/cleo", "contact/ben", "contact/emil"]}
              steps[0] [do: crm.find] done => records: contact/ben, contact/cleo, contact/ben, contact/emil
              steps[1] [set: sent] done => sent: 0
              steps[2] [for_each: =found.records] items: 4 items
              steps[2] [for_each: =found.records] left_out: only_if does not hold: item 1 (contact/ben): customer.email = (empty); item 2 (contact/cleo): customer.email = (empty); item 3 (contact/ben): customer.email = (empty); and 1 more
              steps[2] [for_each: =found.records] done: of 4 items 0 are done and 4 left out
            = calls notify.role {"role":"marketing","text":"0 mails"} (attempt 1)
            > done
              steps[3] [do: notify.role] done => 
              ended: all steps are done
            = ended: all steps are done
        "#]],
    );
}

const PACED: &str = "
workflow: paced
title: Mail at a pace
owner: marketing
when:
  - created: ticket
steps:
  - do: crm.find
    object: contact
    as: found
  - for_each: =found.records
    as: customer
    only_if: customer.email is not empty
    at_once: 2
    pace: 6 per hour
    steps:
      - do: mail.send
        to: =customer
        template: news
        as: mail
      - wait_for: { event: mail.clicked }
        since: mail
        up_to: 25 minutes
        otherwise:
          - do: notify.user
            to: =customer
            text: \"{{ customer.name }} has read nothing\"
";

#[test]
fn a_paced_loop_begins_an_item_every_ten_minutes_and_two_at_a_time() {
    check(
        PACED,
        &CONTACTS,
        "ticket/t1 2026-12-14 09:00",
        r#"
        done {"records": ["contact/anna", "contact/ben", "contact/dora", "contact/anna"]}
        done {"message": "message/m1"}
        at 2026-12-14 09:09
        at 2026-12-14 09:10
        done {"message": "message/m2"}
        at 2026-12-14 09:20
        crash
        event mail.clicked m2 message/m2
        done {"message": "message/m3"}
        at 2026-12-14 09:25
        done
        event mail.clicked m3 message/m3
        "#,
        expect![[r#"
            > wake
            = calls crm.find {"object":"contact"} (attempt 1)
            > done {"records": ["contact/anna", "contact/ben", "contact/dora", "contact/anna"]}
              steps[0] [do: crm.find] done => records: contact/anna, contact/ben, contact/dora, contact/anna
              steps[1] [for_each: =found.records] items: 4 items
              steps[1] [for_each: =found.records] item: item 1 of 4: contact/anna
            = calls mail.send {"template":"news","to":"contact/anna"} (attempt 1)
            > done {"message": "message/m1"}
              steps[1].steps[0] (1) [do: mail.send] done => message: message/m1
              steps[1].steps[1] (1) [wait_for: mail.clicked] waiting: until 2026-12-14 09:25 at the latest
            = sleeps until 2026-12-14 09:10
            > at 2026-12-14 09:09
            = sleeps until 2026-12-14 09:10
            > at 2026-12-14 09:10
              steps[1] [for_each: =found.records] left_out: only_if does not hold: item 2 (contact/ben): customer.email = (empty)
              steps[1] [for_each: =found.records] item: item 3 of 4: contact/dora
            = calls mail.send {"template":"news","to":"contact/dora"} (attempt 1)
            > done {"message": "message/m2"}
              steps[1].steps[0] (3) [do: mail.send] done => message: message/m2
              steps[1].steps[1] (3) [wait_for: mail.clicked] waiting: until 2026-12-14 09:35 at the latest
            = sleeps until 2026-12-14 09:25
            > at 2026-12-14 09:20
            = sleeps until 2026-12-14 09:25
            > crash
            = sleeps until 2026-12-14 09:25
            > event mail.clicked m2 message/m2
              steps[1].steps[1] (3) [wait_for: mail.clicked] done: message/m2: mail.clicked, on 2026-12-14 09:20 => message/m2
              steps[1] [for_each: =found.records] item: item 4 of 4: contact/anna
            = calls mail.send {"template":"news","to":"contact/anna"} (attempt 1)
            > done {"message": "message/m3"}
              steps[1].steps[0] (4) [do: mail.send] done => message: message/m3
              steps[1].steps[1] (4) [wait_for: mail.clicked] waiting: until 2026-12-14 09:45 at the latest
            = sleeps until 2026-12-14 09:25
            > at 2026-12-14 09:25
              steps[1].steps[1] (1) [wait_for: mail.clicked] done: it did not happen in time
            = calls notify.user {"text":"Anna has read nothing","to":"contact/anna"} (attempt 1)
            > done
              steps[1].steps[1].otherwise[0] (1) [do: notify.user] done => 
            = sleeps until 2026-12-14 09:45
            > event mail.clicked m3 message/m3
              steps[1].steps[1] (4) [wait_for: mail.clicked] done: message/m3: mail.clicked, on 2026-12-14 09:25 => message/m3
              steps[1] [for_each: =found.records] done: of 4 items 3 are done and 1 left out
              ended: all steps are done
            = ended: all steps are done
        "#]],
    );
}

#[test]
fn a_pace_is_kept_however_long_the_host_was_away() {
    check(
        PACED,
        &CONTACTS,
        "ticket/t1 2026-12-14 09:00",
        r#"
        done {"records": ["contact/anna", "contact/dora", "contact/anna"]}
        done {"message": "message/m1"}
        event mail.clicked m1 message/m1
        at 2026-12-14 15:00
        done {"message": "message/m2"}
        event mail.clicked m2 message/m2
        at 2026-12-14 15:10
        "#,
        expect![[r#"
            > wake
            = calls crm.find {"object":"contact"} (attempt 1)
            > done {"records": ["contact/anna", "contact/dora", "contact/anna"]}
              steps[0] [do: crm.find] done => records: contact/anna, contact/dora, contact/anna
              steps[1] [for_each: =found.records] items: 3 items
              steps[1] [for_each: =found.records] item: item 1 of 3: contact/anna
            = calls mail.send {"template":"news","to":"contact/anna"} (attempt 1)
            > done {"message": "message/m1"}
              steps[1].steps[0] (1) [do: mail.send] done => message: message/m1
              steps[1].steps[1] (1) [wait_for: mail.clicked] waiting: until 2026-12-14 09:25 at the latest
            = sleeps until 2026-12-14 09:10
            > event mail.clicked m1 message/m1
              steps[1].steps[1] (1) [wait_for: mail.clicked] done: message/m1: mail.clicked, on 2026-12-14 09:00 => message/m1
            = sleeps until 2026-12-14 09:10
            > at 2026-12-14 15:00
              steps[1] [for_each: =found.records] item: item 2 of 3: contact/dora
            = calls mail.send {"template":"news","to":"contact/dora"} (attempt 1)
            > done {"message": "message/m2"}
              steps[1].steps[0] (2) [do: mail.send] done => message: message/m2
              steps[1].steps[1] (2) [wait_for: mail.clicked] waiting: until 2026-12-14 15:25 at the latest
            = sleeps until 2026-12-14 15:10
            > event mail.clicked m2 message/m2
              steps[1].steps[1] (2) [wait_for: mail.clicked] done: message/m2: mail.clicked, on 2026-12-14 15:00 => message/m2
            = sleeps until 2026-12-14 15:10
            > at 2026-12-14 15:10
              steps[1] [for_each: =found.records] item: item 3 of 3: contact/anna
            = calls mail.send {"template":"news","to":"contact/anna"} (attempt 1)
        "#]],
    );
}

const NESTED: &str = "
workflow: nested
title: Loops in loops
owner: marketing
when:
  - created: ticket
steps:
  - set: { pairs: 0 }
  - for_each: =[\"a\", \"b\"]
    as: letter
    steps:
      - set: { word: \"{{ letter }}\" }
      - for_each: =[1, 2, 3]
        as: number
        only_if: number != 2 or letter == \"b\"
        steps:
          - set: { word: \"{{ word }}{{ number }}\", pairs: =pairs + 1 }
          - if: number == 3
            then:
              - do: notify.role
                role: marketing
                text: \"{{ word }} {{ pairs }}\"
";

#[test]
fn a_set_reaches_the_name_where_it_stands() {
    check(
        NESTED,
        &CONTACTS,
        "ticket/t1 2026-12-14 09:00",
        "
        done
        done
        ",
        expect![[r#"
            > wake
              steps[0] [set: pairs] done => pairs: 0
              steps[1] [for_each: =["a", "b"]] items: 2 items
              steps[1] [for_each: =["a", "b"]] item: item 1 of 2: a
              steps[1].steps[0] (1) [set: word] done => word: a
              steps[1].steps[1] (1) [for_each: =[1, 2, 3]] items: 3 items
              steps[1].steps[1] (1) [for_each: =[1, 2, 3]] item: item 1 of 3: 1
              steps[1].steps[1].steps[0] (1.1) [set: word, pairs] done => pairs: 1, word: a1
              steps[1].steps[1].steps[1] (1.1) [if: number == 3] done: does not hold, nothing to do: number = 1
              steps[1].steps[1] (1) [for_each: =[1, 2, 3]] left_out: only_if does not hold: item 2 (2): number = 2, letter = a
              steps[1].steps[1] (1) [for_each: =[1, 2, 3]] item: item 3 of 3: 3
              steps[1].steps[1].steps[0] (1.3) [set: word, pairs] done => pairs: 2, word: a13
              steps[1].steps[1].steps[1] (1.3) [if: number == 3] done: holds: number = 3
            = calls notify.role {"role":"marketing","text":"a13 2"} (attempt 1)
            > done
              steps[1].steps[1].steps[1].then[0] (1.3) [do: notify.role] done => 
              steps[1].steps[1] (1) [for_each: =[1, 2, 3]] done: of 3 items 2 are done and 1 left out
              steps[1] [for_each: =["a", "b"]] item: item 2 of 2: b
              steps[1].steps[0] (2) [set: word] done => word: b
              steps[1].steps[1] (2) [for_each: =[1, 2, 3]] items: 3 items
              steps[1].steps[1] (2) [for_each: =[1, 2, 3]] item: item 1 of 3: 1
              steps[1].steps[1].steps[0] (2.1) [set: word, pairs] done => pairs: 3, word: b1
              steps[1].steps[1].steps[1] (2.1) [if: number == 3] done: does not hold, nothing to do: number = 1
              steps[1].steps[1] (2) [for_each: =[1, 2, 3]] item: item 2 of 3: 2
              steps[1].steps[1].steps[0] (2.2) [set: word, pairs] done => pairs: 4, word: b12
              steps[1].steps[1].steps[1] (2.2) [if: number == 3] done: does not hold, nothing to do: number = 2
              steps[1].steps[1] (2) [for_each: =[1, 2, 3]] item: item 3 of 3: 3
              steps[1].steps[1].steps[0] (2.3) [set: word, pairs] done => pairs: 5, word: b123
              steps[1].steps[1].steps[1] (2.3) [if: number == 3] done: holds: number = 3
            = calls notify.role {"role":"marketing","text":"b123 5"} (attempt 1)
            > done
              steps[1].steps[1].steps[1].then[0] (2.3) [do: notify.role] done => 
              steps[1].steps[1] (2) [for_each: =[1, 2, 3]] done: all items are done
              steps[1] [for_each: =["a", "b"]] done: all items are done
              ended: all steps are done
            = ended: all steps are done
        "#]],
    );
}

#[test]
fn what_comes_before_an_items_turn_is_not_lost() {
    let source = "
workflow: early
title: Early
owner: support
when:
  - created: ticket
steps:
  - do: crm.find
    object: contact
    as: found
  - do: notify.role
    role: support
    text: it begins
    as: told
  - for_each: =found.records
    as: customer
    steps:
      - wait_for: { changed: customer.tier, to: gold }
        since: told
        up_to: 1 day
        otherwise:
          - stop_if: true
";
    check(
        source,
        &["ticket/t1 status=open", "contact/anna name=Anna", "contact/ben name=Ben"],
        "ticket/t1 2026-12-14 09:00",
        r#"
        done {"records": ["contact/anna", "contact/ben"]}
        done
        set contact/ben tier=gold
        set contact/ben tier=standard
        crash
        set contact/anna tier=gold
        "#,
        expect![[r#"
            > wake
            = calls crm.find {"object":"contact"} (attempt 1)
            > done {"records": ["contact/anna", "contact/ben"]}
              steps[0] [do: crm.find] done => records: contact/anna, contact/ben
            = calls notify.role {"role":"support","text":"it begins"} (attempt 1)
            > done
              steps[1] [do: notify.role] done => 
              steps[2] [for_each: =found.records] items: 2 items
              steps[2] [for_each: =found.records] item: item 1 of 2: contact/anna
              steps[2].steps[0] (1) [wait_for: changed customer.tier] waiting: until 2026-12-15 09:00 at the latest
            = sleeps until 2026-12-15 09:00
            > set contact/ben tier=gold
              noted: contact/ben changed (tier: (empty) -> gold)
            = sleeps until 2026-12-15 09:00
            > set contact/ben tier=standard
            = sleeps until 2026-12-15 09:00
            > crash
            = sleeps until 2026-12-15 09:00
            > set contact/anna tier=gold
              steps[2].steps[0] (1) [wait_for: changed customer.tier] done: contact/anna changed (tier: (empty) -> gold), on 2026-12-14 09:00 => contact/anna
              steps[2] [for_each: =found.records] item: item 2 of 2: contact/ben
              steps[2].steps[0] (2) [wait_for: changed customer.tier] done: contact/ben changed (tier: (empty) -> gold), on 2026-12-14 09:00 => contact/ben
              steps[2] [for_each: =found.records] done: all items are done
              ended: all steps are done
            = ended: all steps are done
        "#]],
    );
}

#[test]
fn a_stop_in_a_loop_ends_the_run() {
    let source = "
workflow: search
title: Search
owner: support
when:
  - created: ticket
steps:
  - for_each: =[1, 2, 3]
    as: number
    at_once: 2
    steps:
      - stop_if: number == 2
      - wait: 1 day
";
    check(
        source,
        &["ticket/t1"],
        "ticket/t1 2026-12-14 09:00",
        "",
        expect![[r#"
        > wake
          steps[0] [for_each: =[1, 2, 3]] items: 3 items
          steps[0] [for_each: =[1, 2, 3]] item: item 1 of 3: 1
          steps[0] [for_each: =[1, 2, 3]] item: item 2 of 3: 2
          steps[0].steps[0] (1) [stop_if: number == 2] done: goes on: number = 1
          steps[0].steps[1] (1) [wait: 1 day] waiting: 1 day: until 2026-12-15 09:00
          steps[0].steps[0] (2) [stop_if: number == 2] ended: stopped: stop_if number == 2: number = 2
        = ended: stopped: stop_if number == 2: number = 2
    "#]],
    );
}

#[test]
fn a_split_in_a_loop_draws_for_each_record() {
    let source = "
workflow: draw
title: Draw
owner: support
when:
  - created: ticket
steps:
  - do: crm.find
    object: contact
    as: found
  - for_each: =found.records
    as: customer
    steps:
      - split: offer
        arms: { ten_percent: 50%, nothing: 50% }
";
    check(
        source,
        &["ticket/t1"],
        "ticket/t1 2026-12-14 09:00",
        r#"done {"records": ["contact/anna", "contact/ben", "contact/anna"]}"#,
        expect![[r#"
            > wake
            = calls crm.find {"object":"contact"} (attempt 1)
            > done {"records": ["contact/anna", "contact/ben", "contact/anna"]}
              steps[0] [do: crm.find] done => records: contact/anna, contact/ben, contact/anna
              steps[1] [for_each: =found.records] items: 3 items
              steps[1] [for_each: =found.records] item: item 1 of 3: contact/anna
              steps[1].steps[0] (1) [split: offer] done: contact/anna drew 0.1448 of 1 => ten_percent
              steps[1] [for_each: =found.records] item: item 2 of 3: contact/ben
              steps[1].steps[0] (2) [split: offer] done: contact/ben drew 0.2673 of 1 => ten_percent
              steps[1] [for_each: =found.records] item: item 3 of 3: contact/anna
              steps[1].steps[0] (3) [split: offer] done: contact/anna drew 0.1448 of 1 => ten_percent
              steps[1] [for_each: =found.records] done: all items are done
              ended: all steps are done
            = ended: all steps are done
        "#]],
    );
}

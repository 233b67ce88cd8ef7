//! Test files: what is wrong in one, where, and how to mend it; and what is
//! read of one that is right.

use std::{collections::BTreeMap, sync::LazyLock};

use expect_test::{Expect, expect};
use relata_model::TimeZone;
use relata_workflow::{
    Catalog, Definition, Diagnostic, TestContext, TestFile, parse, parse_test, render,
};

use crate::{catalog, said::said};

static CATALOG: LazyLock<Catalog> = LazyLock::new(catalog::catalog);

static WORKFLOWS: LazyLock<BTreeMap<String, Option<Definition>>> = LazyLock::new(|| {
    let broken = ("broken".to_owned(), None);
    [
        include_str!("../../../workflows/inquiry-survey.yaml"),
        include_str!("../../../workflows/win-back.yaml"),
        "workflow: discount
when:
  - button: Offer a discount
    about: contact
inputs:
  percent: { type: number, default: 5 }
  size: { type: [small, large], default: small }
steps:
  - do: mail.send
    to: =contact
    template: welcome
outputs:
  accepted: =percent > 5
",
        "workflow: shop-orders
when:
  - webhook: shop
    unsigned: true
inputs:
  who: { type: contact }
steps:
  - do: mail.send
    to: =who
    template: welcome
",
    ]
    .iter()
    .map(|source| {
        let (definition, found) = parse("w.yaml", source, &CATALOG);
        let definition = definition.unwrap_or_else(|| panic!("{}", render(&found, source, false)));
        (definition.name.clone(), Some(definition))
    })
    .chain([broken])
    .collect()
});

fn read(source: &str) -> (Option<TestFile>, Vec<Diagnostic>) {
    let zone = TimeZone::get("Europe/Berlin").expect("a zone");
    let context = TestContext { catalog: &CATALOG, workflows: &WORKFLOWS, zone: &zone };
    parse_test("x.test.yaml", source, context)
}

/// A whole file.
fn file(source: &str, expected: Expect) {
    let (test, found) = read(source);
    assert_eq!(test.is_none(), found.iter().any(Diagnostic::is_error), "{}", said(&found));
    expected.assert_eq(&said(&found));
}

/// A play, from line 8, of a file that gives a contact and a ticket.
fn play(entries: &str, expected: Expect) {
    let source = format!(
        "test: inquiry-survey
start: 2026-12-14 09:00
given:
  contact/anna: {{ tier: gold }}
  ticket/t1: {{ customer: contact/anna, ref: T-1, status: open }}
cases:
  - it: x
    play:
{entries}
      - expect: done
"
    );
    file(&source, expected);
}

#[test]
fn a_head_names_a_workflow_that_is_there() {
    file("", expect!["1:1 R007 the file is empty [begin with `test: name-of-the-workflow`]"]);
    file(
        "given: {}\n",
        expect![[r#"
        1:1 R007 the file does not say which workflow it tests [begin with `test: name-of-the-workflow`]
        1:1 R007 the test has no cases [add `cases:` with `- it: …` and `play:`]"#]],
    );
    file(
        "test: inquiry-survy\ncases: []\n",
        expect![[r#"
        1:7 R701 there is no workflow `inquiry-survy` beside this file [did you mean `inquiry-survey`?]
        2:1 R007 the test has no cases [add `- it: …` with `play:`]"#]],
    );
    file(
        "test: inquiry-survey\ntime_zone: Berlin\nstart: tomorrow\nalso: [inquiry-survey, win-bck]\ncase: []\n",
        expect![[r#"
            1:1 R007 the test has no cases [add `cases:` with `- it: …` and `play:`]
            2:12 R404 there is no time zone `Berlin` [use an IANA name such as Europe/Berlin]
            3:8 R202 `tomorrow` is not a time [write `2026-12-23 18:05`, which is local time]
            4:8 R202 `inquiry-survey` is the workflow that is tested: it is active
            4:24 R701 there is no workflow `win-bck` beside this file [did you mean `win-back`?]
            5:1 R006 a test file has no key `case` [did you mean `cases`?]"#]],
    );
}

#[test]
fn what_is_given_fits_the_objects() {
    file(
        "test: inquiry-survey
given:
  anna: {}
  contct/anna: {}
  contact/anna: { tier: platinum, emial: a, created_at: 2026-12-14, mail_consent: maybe, email: anna }
  ticket/t1: { customer: contact/ana, status: open, subject: =anna.name, owner: contact/anna }
  order/o1: { amount: 12 }
  calendar/support-hours: { opening: [\"mon-fri 10:00-12:00\"] }
cases:
  - it: x
    play:
      - at: 2026-12-14 10:00
        change: ticket/t1
        set: { status: solved }
      - expect: waiting
",
        expect![[r#"
            3:3 R202 `anna` does not name a record [write an object and a name: `contact/anna`]
            4:3 R103 there is no object `contct` [did you mean `contact`?]
            5:25 R203 `tier` is never `platinum` [it is one of standard, silver, gold]
            5:35 R102 a contact has no field `emial` [did you mean `email`?]
            5:45 R202 `created_at` is set by the system alone
            5:83 R202 `mail_consent` takes yes or no (`true` or `false`), not the text `maybe`
            5:97 R202 `email` `anna` is not a mail address such as anna@example.com
            6:26 R112 the test has no record `contact/ana` [did you mean `contact/anna`?]
            6:62 R008 a test holds plain values, and computes nothing [write the value out, or put the text in quotes]
            6:81 R202 `owner` takes a user or a queue, not a contact
            7:3 R206 an order needs `contact` [it takes a record of contact]
            7:23 R202 `amount` takes an amount such as 12.50 EUR, not the text `12`"#]],
    );
}

#[test]
fn a_case_says_what_it_is_about_and_expects_something() {
    file(
        "test: inquiry-survey
cases:
  - play:
      - expect: nothing_started
  - it: x
    plays: []
  - it: y
    play:
      - at: 2026-12-14 10:00
        create: contact/anna
  - it: y
    play:
      - go_to: 2026-12-14 10:00
      - expect: nothing_started
  - it: z
    play:
      - create: contact/anna
      - expect:
  - it: what one case makes is no other's
    play:
      - at: 2026-12-14 10:00
        change: contact/anna
        set: { tier: gold }
      - expect: nothing_started
",
        expect![[r#"
            3:5 R007 the case does not say what it is about [add `it: does this when that`]
            4:9 R007 nobody says when this plays [begin with `at: 2026-12-14 10:00`, or give the file a `start:`]
            5:5 R007 nothing is played [add `play:` with `- at: …` and `- expect: …`]
            6:5 R006 a case has no key `plays` [did you mean `play`?]
            7:9 R702 the case expects nothing, so that it could never fail [add `- expect: done`, say]
            11:9 R010 the case of line 7 is called the same [say what is special about each]
            15:9 R702 the case expects nothing, so that it could never fail [add `- expect: done`, say]
            17:9 R007 nobody says when this plays [begin with `at: 2026-12-14 10:00`, or give the file a `start:`]
            22:17 R112 the test has no record `contact/anna` [add it to `given`: `contact/anna: { … }`]"#]],
    );
}

#[test]
fn the_clock_goes_forward_only() {
    play(
        "      - at: 2026-12-15 10:00
      - at: 2026-12-14 10:00
        after: 1 hour
        change: ticket/t1
        set: { status: solved }
      - wait: 3 working hours
      - wait: 3 fortnights
      - go_to: now",
        expect![[r#"
            10:13 R703 the clock shows 2026-12-15 10:00 by then, and never goes back
            11:9 R008 `at` and `after` both move the clock [write an entry for each]
            14:15 R402 the clock of a test counts no working time [write hours or days, or the time with `go_to:`]
            15:15 R202 `3 fortnights` is not a duration; write `24 hours`, `1 day`, `90 minutes` or `4 working hours`
            16:16 R202 `now` is not a time [write `2026-12-23 18:05`, which is local time]"#]],
    );
}

#[test]
fn what_happens_can_happen() {
    play(
        "      - chnge: ticket/t1
      - at: 2026-12-15 10:00
      - change: ticket/t1
      - change: ticket/t2
        set: { status: solvd }
      - create: ticket/t1
      - create: order/o1
      - delete: tasks
      - event: order.payed
      - event: order.paid
      - event: survey.answered
        about: ticket/t1
      - event: survey.answered
        about: contact/anna
        data: { score: five }
      - press: Offer
      - start: discount
        about: contact/anna
        with: { percnt: 10, size: medium }
      - webhook: shop
      - answer: sales-lead",
        expect![[r#"
            9:9 R006 an entry of a play has no key `chnge` [did you mean `change`?]
            11:9 R007 nothing changes [add `set: { status: open }`, say]
            12:17 R112 the test has no record `ticket/t2` [did you mean `ticket/t1`?]
            14:17 R010 the test has a record `ticket/t1` already [choose another name, or write `change:`]
            15:17 R206 an order needs `contact` [it takes a record of contact]
            16:17 R103 there is no object `tasks` [did you mean `task`?]
            17:16 R106 no object declares an event `order.payed` [did you mean `order.paid`?]
            18:9 R007 `order.paid` is about somebody, and nobody is named [add `about: contact/anna`, say]
            20:16 R306 `survey.answered` is never about a ticket
            23:24 R202 `score` takes a whole number, not the text `five`
            24:16 R114 no button is called `Offer`
            27:17 R105 `discount` has no input `percnt` [did you mean `percent`?]
            28:18 R114 no webhook is called `shop`
            29:9 R007 the answer is missing [add `with: approve`, say]"#]],
    );
}

#[test]
fn only_what_exists_pretends() {
    file(
        "test: win-back
pretend:
  offer: five_percent
  ofer: nothing
  sentiment.scor: { label: negative }
  sentiment.score: { label: furious, score: bad, why: x }
  assign.round_robin: { reason: because }
  mail.send: { fails: no connection, times: 0, permanent: perhaps, after: 3 }
  survey.send: sent
  notify.role: { fails: }
cases:
  - it: x
    play:
      - at: 2026-12-14 10:00
      - expect: nothing_started
",
        expect![[r#"
            3:10 R203 `offer` has no arm `five_percent` [did you mean `ten_percent`?]
            4:3 R114 nothing is called `ofer` that could pretend [did you mean `offer`?]
            5:3 R104 there is no action `sentiment.scor` [did you mean `sentiment.score`?]
            6:29 R203 `label` is never `furious` [it is one of negative, neutral, positive]
            6:45 R202 `score` takes a number, not the text `bad`
            6:50 R105 the result of `sentiment.score` has no part `why` [known are label, score]
            7:23 R206 the result of `assign.round_robin` always has `user` [add `user`: it is a record of user]
            8:45 R202 `times` is a number from 1
            8:59 R202 `permanent` is `true` or `false`, not `perhaps`
            8:68 R006 a failure has no key `after` [known are fails, permanent, times]
            9:16 R008 what `survey.send` answers is a block [write `{ part: value }`, `{ fails: "why" }` or `real`]
            10:18 R007 `fails` has no value"#]],
    );
}

#[test]
fn what_is_expected_can_come_about() {
    play(
        "      - expect: finished
        untl: 2026-12-15 10:00
      - expect: stopped
        until: noon
        outcome: bought
        for: contact/bert
        of: win-bak
      - expect: done
        survey.snd: { to: contact/anna }
        survey.send: { to: ticket/t1, template: csat, tone: kind }
        mail.send: twice
        ticket/t1: { priority: highest, ownr: user/x, owner: is empty }
        ticket/t2: { priority: high }
        task: { title: x, due: soon }
        outputs: { score: 3 }
        nothing_sent: false
        sent: { two: contact/anna, says: hello, to: contact/anna }
      - survey.send: { to: contact/anna }
      - nothing_sent: true",
        expect![[r#"
            9:17 R203 a run is never `finished` [known are waiting, running, done, stopped, failed, cancelled, nothing_started]
            10:9 R006 this entry has no key `untl` [did you mean `until`?]
            12:16 R202 `noon` is not a time [write `2026-12-23 18:05`, which is local time]
            13:18 R203 `inquiry-survey` never ends as `bought`
            14:14 R112 the test has no record `contact/bert` [add it to `given`: `contact/bert: { … }`]
            15:13 R701 there is no workflow `win-bak` beside this file [did you mean `win-back`?]
            17:9 R104 there is no action `survey.snd` [did you mean `survey.send`?]
            18:28 R202 `to` takes a contact, not a ticket
            18:55 R105 `survey.send` takes no `tone` [did you mean `to`?]
            19:9 warning R304 no step does `mail.send`
            19:20 R008 `mail.send` takes a block of what it must have [or a list of blocks for several, or `nothing`]
            20:32 R203 `priority` is never `highest` [did you mean `high`?]
            20:41 R102 a ticket has no field `ownr` [did you mean `owner`?]
            21:9 R112 the test has no record `ticket/t2` [did you mean `ticket/t1`?]
            22:27 R102 a task has no field `due` [did you mean `due_at`?]
            23:20 R102 the workflow yields no `score`
            24:23 R202 `nothing_sent: false` says nothing [write `sent:` with what was sent]
            25:17 R105 a message has no `two` [did you mean `to`?]
            26:9 R007 `survey.send` belongs to an expectation, and there is none [write `- expect:` above it]
            27:9 R007 `nothing_sent` belongs to an expectation, and there is none [write `- expect:` above it]"#]],
    );
}

#[test]
fn a_workflow_with_errors_can_have_tests() {
    file(
        "test: broken
pretend: { arm: a }
cases:
  - it: x
    play:
      - at: 2026-12-14 10:00
        press: anything
      - expect: done
        outcome: whatever
        outputs: { x: 1 }
",
        expect![[""]],
    );
}

#[test]
fn what_is_right_has_nothing_said_of_it() {
    for source in [
        include_str!("../../../workflows/inquiry-survey.test.yaml"),
        include_str!("../../../workflows/win-back.test.yaml"),
        "test: discount
time_zone: Asia/Shanghai
start: 2026-12-14 09:00
also: [win-back, shop-orders]
given:
  contact/anna: { email: anna@a.example, last_order_at: 2026-12-01 }
  contact/bert:
pretend:
  offer: nothing
  mail.send:
    - { fails: no connection, times: 2 }
    - { mail: x }
    - { skips: it is Sunday }
cases:
  - it: x
    pretend: { mail.send: real }
    repeat_at: [2026-03-28 10:00]
    crash_after_every_step: true
    play:
      - press: Offer a discount
        about: contact/anna
        with: { percent: 10 }
      - expect: done
        for: contact/anna
        outputs: { accepted: true }
        mail.send: [{ to: contact/anna, gives: { suppressed: is empty }, says: [a, b] }]
        contact/anna: { tier: standard, email: is not empty, name: contains ann }
        contact/bert: nothing
        task: nothing
        sent: nothing
      - after: 3 hours
        webhook: shop
        body: { percent: 7, who: contact/anna }
      - expect:
          status_of: x
",
    ]
    .into_iter()
    .enumerate()
    {
        let (place, source) = source;
        let (test, found) = read(source);
        if place < 2 {
            assert_eq!(said(&found), "");
            assert!(test.is_some());
        } else {
            // Only the last key is unknown.
            expect!["35:11 R006 an expectation has no key `status_of` [known are for, not_started, nothing_sent, of, outcome, outputs, reason, sent, until]"].assert_eq(&said(&found));
        }
    }
}

#[test]
fn a_case_moves_as_a_whole_on_the_wall_clock() {
    let (test, found) = read(
        "test: inquiry-survey
start: 2026-03-01 08:00
given:
  contact/anna: { last_order_at: 2026-02-28 12:00, birthday: 2000-01-31 }
cases:
  - it: x
    repeat_at: [2026-07-02 10:30]
    play:
      - wait: 1 hour
      - at: 2026-03-02 10:00
        change: contact/anna
        set: { last_order_at: 2026-03-02 10:00 }
      - expect: waiting
        until: 2026-03-30 09:00
        contact/anna: { last_order_at: 2026-03-02 10:00 }
",
    );
    let test = test.unwrap_or_else(|| panic!("{}", said(&found)));
    let case = &test.cases[0];
    let (file, moved) = test.moved(case, case.repeat_at[0]).expect("it moves");
    let shown = format!(
        "{:?}\n{:?}\n{:?}\n{:?}\n{:?}",
        file.start,
        file.given[0].fields,
        moved.play[1].when,
        moved.play[1].deed,
        moved.play[2].expect.as_ref().map(|expect| (&expect.until, &expect.records[0].fields)),
    );
    // In summer the same wall clock is an hour earlier in UTC.
    expect![[r#"
        Some(2026-07-01T08:30:00)
        {"birthday": Date(2000-06-01), "last_order_at": Time(2026-06-30T10:30:00Z), "name": Text("anna")}
        At(2026-07-02T10:30:00)
        Some(Change { target: Record(Reference { object: "contact", key: "anna" }), fields: {"last_order_at": Time(2026-07-02T08:30:00Z)} })
        Some((Some((Time(2026-07-30T09:30:00), Span { start: 354, end: 370, line: 14, column: 16 })), Some([Part { name: "last_order_at", check: Is(Time(2026-07-02T08:30:00Z)), span: Span { start: 395, end: 408, line: 15, column: 25 } }])))"#]].assert_eq(&shown);
}

#[test]
fn the_tests_of_the_guide_are_right() {
    let guide = include_str!("../../../docs/testing.md");
    let blocks: Vec<&str> = guide
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .filter(|block| block.starts_with("test:"))
        .collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let (test, found) = read(block);
        assert!(test.is_some() && found.is_empty(), "{}", said(&found));
    }
}

/// A slip in what is expected is told of, and not that nothing is expected.
#[test]
fn a_mistaken_expectation_is_one_mistake() {
    file(
        "test: inquiry-survey
cases:
  - it: works
    play:
      - at: 2026-12-14 10:00
        create: contact/anna
      - expect: don
",
        expect!["7:17 R203 a run is never `don` [did you mean `done`?]"],
    );
}

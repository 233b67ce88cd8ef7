//! What starts a run, and what does not, with the reason.

#![allow(clippy::unwrap_used, reason = "a test")]

mod rig;

use expect_test::{Expect, expect};
use relata_engine::{Admission, Happening, HappeningKind, admit};
use relata_model::{EventId, RunId, Value};
use rig::{World, at, show};

/// Who did what happens: nobody special, a run of a workflow, or a chain.
struct By {
    workflow: Option<&'static str>,
    depth: u32,
}

const A_PERSON: By = By { workflow: None, depth: 0 };

fn admission(source: &str, world: &World, kind: HappeningKind, by: &By) -> String {
    let def = rig::workflow(source);
    let now = at("2026-12-14 10:00");
    let happening = Happening {
        id: EventId::from_uuid(rig::uuid(1)),
        at: now,
        kind,
        run: by.workflow.map(|_| RunId::from_uuid(rig::uuid(5))),
        workflow: by.workflow.map(str::to_owned),
        depth: by.depth,
    };
    match world.ask(|facts| admit(&def, &happening, facts, now)).unwrap() {
        Admission::NoMatch => "no match".to_owned(),
        Admission::Refuse { key, reason } => {
            let key = key.map_or_else(String::new, |key| format!(" for {key}"));
            format!("refused{key}: {reason}")
        }
        Admission::Start { subject, key, blocked_since } => {
            let mut told = match subject {
                Some(subject) => format!("starts about {subject}"),
                None => "starts".to_owned(),
            };
            if let Some(key) = key {
                told.push_str(&format!(", once for {key}"));
            }
            match blocked_since {
                None => {}
                Some(None) => told.push_str(", never again"),
                Some(Some(since)) => {
                    told.push_str(&format!(", blocked by runs since {}", show(since)))
                }
            }
            told
        }
    }
}

/// What becomes of a change of a record.
#[track_caller]
fn check(source: &str, world: &[&str], change: &str, by: &By, expected: Expect) {
    let mut records = World::default();
    for record in world {
        records.add(record);
    }
    let change = records.change(change);
    expected.assert_eq(&admission(source, &records, HappeningKind::Change(change), by));
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
  - ticket.priority != \"low\"
never_for: [segment/no-surveys]
repeat:
  one_per: ticket.customer
  again_after: 30 days
steps:
  - wait: 24 hours
";

const TICKET: &str = "ticket/t1 status=open priority=normal customer=contact/anna";
const ANNA: &str = "contact/anna name=Anna";

#[test]
fn a_change_to_the_value_starts_a_run_once_per_customer() {
    check(
        SURVEY,
        &[TICKET, ANNA],
        "ticket/t1 status=solved",
        &A_PERSON,
        expect![
            "starts about ticket/t1, once for contact/anna, blocked by runs since 2026-11-14 10:00"
        ],
    );
    // Another field, another value, no change of this field, a new record.
    check(SURVEY, &[TICKET, ANNA], "ticket/t1 priority=high", &A_PERSON, expect!["no match"]);
    check(SURVEY, &[TICKET, ANNA], "ticket/t1 status=on_hold", &A_PERSON, expect!["no match"]);
    check(
        SURVEY,
        &[ANNA],
        "ticket/t2 status=solved priority=normal",
        &A_PERSON,
        expect!["no match"],
    );
    check(SURVEY, &[ANNA], "contact/anna name=Anne", &A_PERSON, expect!["no match"]);
}

#[test]
fn what_does_not_start_says_why_with_the_values() {
    let low = "ticket/t1 status=open priority=low customer=contact/anna";
    check(
        SURVEY,
        &[low, ANNA],
        "ticket/t1 status=solved",
        &A_PERSON,
        expect!["refused: only_if does not hold: ticket.priority = low"],
    );
    let nobody = "ticket/t1 status=open priority=normal";
    check(
        SURVEY,
        &[nobody],
        "ticket/t1 status=solved",
        &A_PERSON,
        expect!["refused: only_if does not hold: ticket.customer = (empty)"],
    );
    let itself = By { workflow: Some("inquiry-survey"), depth: 1 };
    check(
        SURVEY,
        &[TICKET, ANNA],
        "ticket/t1 status=solved",
        &itself,
        expect!["refused: run_00000000000000000000000005 of this workflow did it itself"],
    );
    let another = By { workflow: Some("close-tickets"), depth: 1 };
    check(
        SURVEY,
        &[TICKET, ANNA],
        "ticket/t1 status=solved",
        &another,
        expect![
            "starts about ticket/t1, once for contact/anna, blocked by runs since 2026-11-14 10:00"
        ],
    );
    let chain = By { workflow: Some("close-tickets"), depth: 8 };
    check(
        SURVEY,
        &[TICKET, ANNA],
        "ticket/t1 status=solved",
        &chain,
        expect![
            "refused: held: 8 runs in a row have started one another; look for workflows that start each other"
        ],
    );
}

#[test]
fn members_of_a_segment_are_left_out() {
    let mut world = World::default();
    world.add(TICKET);
    world.add(ANNA);
    world.members.push(("no-surveys".to_owned(), "contact/anna".parse().unwrap()));
    let change = world.change("ticket/t1 status=solved");
    expect![
        "refused for contact/anna: contact/anna is in segment/no-surveys, which never_for names"
    ]
    .assert_eq(&admission(SURVEY, &world, HappeningKind::Change(change), &A_PERSON));
}

#[test]
fn without_repeat_the_contact_is_found_through_the_subject() {
    let source =
        SURVEY.replace("repeat:\n  one_per: ticket.customer\n  again_after: 30 days\n", "");
    let mut world = World::default();
    world.add(TICKET);
    world.add(ANNA);
    let change = world.change("ticket/t1 status=solved");
    let solved = HappeningKind::Change(change);
    expect!["starts about ticket/t1"].assert_eq(&admission(
        &source,
        &world,
        solved.clone(),
        &A_PERSON,
    ));
    world.members.push(("no-surveys".to_owned(), "contact/anna".parse().unwrap()));
    expect!["refused: contact/anna is in segment/no-surveys, which never_for names"]
        .assert_eq(&admission(&source, &world, solved, &A_PERSON));
}

#[test]
fn a_segment_or_an_event_starts_a_run_about_the_record_of_its_object() {
    let head = "title: Any\nowner: sales\n";
    let win_back = format!(
        "workflow: win-back\n{head}when:\n  - enters: segment/dormant-90-days\nrepeat: {{ one_per: contact, again_after: never }}\nsteps:\n  - wait: 1 day\n"
    );
    let paid =
        format!("workflow: thanks\n{head}when:\n  - event: order.paid\nsteps:\n  - wait: 1 day\n");
    let named = |name: &str, about: &[&str]| HappeningKind::Named {
        name: name.to_owned(),
        key: None,
        about: about.iter().map(|record| record.parse().unwrap()).collect(),
        data: Value::Nothing,
    };
    let mut world = World::default();
    world.add(ANNA);
    world.add("order/o1 ref=O-1 contact=contact/anna");
    let show = |source: &str, kind| admission(source, &world, kind, &A_PERSON);
    expect!["starts about contact/anna, once for contact/anna, never again"]
        .assert_eq(&show(&win_back, named("enters:dormant-90-days", &["contact/anna"])));
    expect!["no match"].assert_eq(&show(&win_back, named("enters:vip", &["contact/anna"])));
    expect!["starts about order/o1"]
        .assert_eq(&show(&paid, named("order.paid", &["order/o1", "contact/anna"])));
    expect![
        "refused: order/o1: entered segment/dormant-90-days: there is no contact that it is about"
    ]
    .assert_eq(&show(&win_back, named("enters:dormant-90-days", &["order/o1"])));
}

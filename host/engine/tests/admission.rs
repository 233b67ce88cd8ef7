//! What starts a run, and what does not, with the reason.

#![allow(clippy::unwrap_used, reason = "a test")]

use expect_test::{Expect, expect};
use relata_engine::{Admission, Asked, Happening, HappeningKind, admit, admit_asked, read_inputs};
use relata_model::{EventId, RunId, Value};
use serde_json::json;

use crate::rig::{self, World, at, show};

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
    tell(world.ask(|facts| admit(&def, &happening, facts, now)).unwrap())
}

fn tell(admission: Admission) -> String {
    match admission {
        Admission::NoMatch => "no match".to_owned(),
        Admission::Refuse { key, reason } => {
            let key = key.map_or_else(String::new, |key| format!(" for {key}"));
            format!("refused{key}: {reason}")
        }
        Admission::Start { subject, inputs, key, blocked_since } => {
            let mut told = match subject {
                Some(subject) => format!("starts about {subject}"),
                None => "starts".to_owned(),
            };
            if !inputs.is_empty() {
                told.push_str(&format!(" with {}", Value::Map(inputs)));
            }
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

const ORDERS: &str = "
workflow: shop-orders
title: Orders of the shop
owner: sales
when:
  - webhook: shop-orders
    unsigned: true
inputs:
  number: text
  amount: money
  customer: { type: contact, optional: true }
  tags: { type: list of text, optional: true }
  size: { type: [small, large], default: small }
only_if:
  - number != \"TEST\"
repeat: { one_per: number, again_after: never }
steps:
  - wait: 1 day
";

/// What becomes of a call of the webhook `shop-orders`.
fn called(name: &str, body: &serde_json::Value) -> String {
    let kind = HappeningKind::Named {
        name: format!("webhook:{name}"),
        key: None,
        about: Vec::new(),
        data: Value::from_json(body),
    };
    admission(ORDERS, &World::default(), kind, &A_PERSON)
}

#[test]
fn a_webhook_gives_the_run_its_inputs() {
    let body = json!({
        "number": "4711", "amount": "12.50 EUR", "customer": "contact/anna", "tags": ["new"],
        "size": "large", "more": { "is": "passed over" },
    });
    expect!["starts with amount: 12.50 EUR, customer: contact/anna, number: 4711, size: large, tags: new, once for 4711, never again"].assert_eq(&called("shop-orders", &body));
    expect!["no match"].assert_eq(&called("other", &body));
    let short = json!({ "number": "4712", "amount": "1 JPY", "tags": null });
    expect!["starts with amount: 1 JPY, number: 4712, once for 4712, never again"]
        .assert_eq(&called("shop-orders", &short));
    let test = json!({ "number": "TEST", "amount": "1 EUR" });
    expect!["refused: only_if does not hold: number = TEST"]
        .assert_eq(&called("shop-orders", &test));
    let wrong = json!({
        "amount": 12.5, "customer": "anna", "tags": ["a", 1], "size": "huge",
    });
    expect!["refused: input number: is missing; it takes text; input amount: takes an amount such as 12.50 EUR, not `12.5`; input customer: `anna` is not a record; write `object/key`, such as `contact/anna`; input tags: item 2 takes text, not `1`; input size: takes one of small, large, not `huge`"].assert_eq(&called("shop-orders", &wrong));
    expect!["refused: input number: is missing; it takes text; input amount: is missing; it takes an amount of money"].assert_eq(&called("shop-orders", &json!("no fields")));
}

#[test]
fn who_asks_for_a_run_meets_the_same_conditions() {
    let source = "
workflow: discount
title: Discount
owner: sales
when:
  - button: Offer a discount
    about: contact
inputs:
  percent: number
only_if:
  - percent <= 20
  - contact.email is not empty
never_for: [segment/no-surveys]
steps:
  - wait: 1 day
";
    let def = rig::workflow(source);
    let mut world = World::default();
    world.add("contact/anna name=Anna email=anna@a.example");
    world.add("contact/ben name=Ben");
    world.add("contact/cleo name=Cleo email=cleo@a.example");
    world.members.push(("no-surveys".to_owned(), "contact/cleo".parse().unwrap()));
    let mut told = String::new();
    for (subject, percent, depth) in [
        (Some("contact/anna"), json!(12.5), 0),
        (Some("contact/anna"), json!(30), 0),
        (Some("contact/anna"), json!("12"), 0),
        (Some("contact/anna"), json!(null), 0),
        (Some("contact/anna"), json!(10), 8),
        (Some("contact/ben"), json!(10), 0),
        (Some("contact/cleo"), json!(10), 0),
        (Some("lead/l1"), json!(10), 0),
        (None, json!(10), 0),
    ] {
        let asked = Asked {
            subject: subject.map(|subject| subject.parse().unwrap()),
            inputs: [("percent".to_owned(), Value::from_json(&percent))].into(),
            depth,
        };
        let now = at("2026-12-14 10:00");
        let admission = world.ask(|facts| admit_asked(&def, &asked, facts, now)).unwrap();
        told.push_str(&format!("{}\n", tell(admission)));
    }
    expect![[r#"
        starts about contact/anna with percent: 12.5
        refused: only_if does not hold: percent = 30
        refused: input percent: takes a number, not `"12"`
        refused: input percent: is missing; it takes a number
        refused: held: 8 runs in a row have started one another; look for workflows that start each other
        refused: only_if does not hold: contact.email = (empty)
        refused: contact/cleo is in segment/no-surveys, which never_for names
        refused: it was asked for: lead/l1 is no contact
        refused: it was asked for: there is no contact that it is about
    "#]].assert_eq(&told);
}

#[test]
fn inputs_are_read_by_their_types() {
    let def = rig::workflow(
        "
workflow: typed
title: Typed
owner: sales
inputs:
  text: { type: text, optional: true }
  number: { type: number, optional: true }
  sure: { type: yes/no, optional: true }
  day: { type: date, optional: true }
  moment: { type: time, optional: true }
  length: { type: duration, optional: true }
  price: { type: money, optional: true }
  whom: { type: contact, optional: true }
  any: { type: record, optional: true }
  size: { type: [small, large], optional: true }
  whoever: { type: list of contact, optional: true }
steps:
  - wait: 1 day
",
    );
    let mut told = String::new();
    for (name, values) in [
        ("text", vec![json!("a"), json!(1)]),
        ("number", vec![json!(1.25), json!("1"), json!(true)]),
        ("sure", vec![json!(true), json!("yes")]),
        ("day", vec![json!("2026-12-24"), json!("24.12."), json!(1)]),
        ("moment", vec![json!("2026-12-24T10:00:00Z"), json!("soon")]),
        ("length", vec![json!("4 working hours"), json!("long")]),
        ("price", vec![json!("12.50 EUR"), json!(12.5)]),
        ("whom", vec![json!("contact/anna"), json!("lead/l1"), json!("anna")]),
        ("any", vec![json!("lead/l1"), json!("anna")]),
        ("size", vec![json!("large"), json!("huge")]),
        ("whoever", vec![json!(["contact/anna"]), json!(["lead/l1"]), json!("contact/anna")]),
    ] {
        for value in values {
            let given = [(name.to_owned(), Value::from_json(&value))].into();
            let read = match read_inputs(&def, &given) {
                Ok(inputs) => format!("{:?}", inputs[name]),
                Err(errors) => format!("no: {}", errors[0]),
            };
            told.push_str(&format!("{name} {value}: {read}\n"));
        }
    }
    expect![[r#"
        text "a": Text("a")
        text 1: no: text: takes text, not `1`
        number 1.25: Number(1.25)
        number "1": no: number: takes a number, not `"1"`
        number true: no: number: takes a number, not `true`
        sure true: YesNo(true)
        sure "yes": no: sure: takes yes or no, not `"yes"`
        day "2026-12-24": Date(2026-12-24)
        day "24.12.": no: day: takes a day such as 2026-12-24, not `24.12.`
        day 1: no: day: takes a day such as 2026-12-24, not `1`
        moment "2026-12-24T10:00:00Z": Time(2026-12-24T10:00:00Z)
        moment "soon": no: moment: takes a time such as 2026-12-24 18:00, not `soon`
        length "4 working hours": Duration(Duration { months: 0, days: 0, millis: 0, working_days: 0, working_millis: 14400000 })
        length "long": no: length: `long` is not a duration; write `24 hours`, `1 day`, `90 minutes` or `4 working hours`
        price "12.50 EUR": Money(Money { minor: 1250, currency: "EUR" })
        price 12.5: no: price: takes an amount such as 12.50 EUR, not `12.5`
        whom "contact/anna": Reference(Reference { object: "contact", key: "anna" })
        whom "lead/l1": no: whom: takes a record of contact, not `lead/l1`
        whom "anna": no: whom: `anna` is not a record; write `object/key`, such as `contact/anna`
        any "lead/l1": Reference(Reference { object: "lead", key: "l1" })
        any "anna": no: any: `anna` is not a record; write `object/key`, such as `contact/anna`
        size "large": Text("large")
        size "huge": no: size: takes one of small, large, not `huge`
        whoever ["contact/anna"]: List([Reference(Reference { object: "contact", key: "anna" })])
        whoever ["lead/l1"]: no: whoever: item 1 takes a record of contact, not `lead/l1`
        whoever "contact/anna": no: whoever: takes a list, not `"contact/anna"`
    "#]].assert_eq(&told);
}

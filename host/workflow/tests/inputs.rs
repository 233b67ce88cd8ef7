//! What a run is started with, from JSON and from a command line.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

use expect_test::{Expect, expect};
use relata_model::{TimeZone, Value};
use relata_workflow::{
    Input, ReadInputs, Slot, Type, describe_input, inputs_from_json, inputs_from_text,
};
use serde_json::{Value as Json, json};

fn input(name: &str, slot: Slot) -> Input {
    Input { name: name.to_owned(), slot, default: None, title: None }
}

/// One of each type.
fn inputs() -> Vec<Input> {
    let list = |kind| Type::List(Box::new(Slot::of(kind)));
    let mut reason = input("reason", Slot::of(Type::Text));
    reason.default = Some(Value::Text("none given".to_owned()));
    vec![
        input("percent", Slot::of(Type::Number)),
        reason,
        input("until", Slot::maybe(Type::Date)),
        input("at", Slot::maybe(Type::Time)),
        input("within", Slot::maybe(Type::Duration)),
        input("amount", Slot::maybe(Type::Money)),
        input("urgent", Slot::maybe(Type::YesNo)),
        input("size", Slot::maybe(Type::Choice(vec!["small".to_owned(), "large".to_owned()]))),
        input("item", Slot::maybe(Type::Record(vec!["order".to_owned()]))),
        input("about", Slot::maybe(Type::any_record())),
        input("tags", Slot::maybe(list(Type::Text))),
        input("customers", Slot::maybe(list(Type::Record(vec!["contact".to_owned()])))),
    ]
}

fn told(read: ReadInputs) -> String {
    let unknown = read.unknown.clone();
    let lines: Vec<String> = match read.strict(&inputs()) {
        Ok(values) => values
            .iter()
            .filter(|(_, value)| !value.is_nothing())
            .map(|(name, value)| format!("{name} = {value:?}"))
            .collect(),
        Err(wrong) => wrong.iter().map(ToString::to_string).collect(),
    };
    assert!(unknown.iter().all(|name| lines.iter().any(|line| line.starts_with(name))));
    lines.join("\n")
}

fn from_json(json: Json, expected: Expect) {
    let Json::Object(given) = json else { panic!("no object") };
    expected.assert_eq(&told(inputs_from_json(&inputs(), &given)));
}

fn from_text(given: &[&str], expected: Expect) {
    let given: Vec<(String, String)> = given
        .iter()
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, written)| (name.to_owned(), written.to_owned()))
        .collect();
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    expected.assert_eq(&told(inputs_from_text(&inputs(), &given, &berlin)));
}

#[test]
fn json_of_every_type() {
    from_json(
        json!({
            "percent": 12.5, "reason": "two\nlines", "until": "2026-12-24",
            "at": "2026-12-24T18:00:00+01:00", "within": "4 working hours", "amount": "12.50 EUR",
            "urgent": true, "size": "large", "item": "SO-1001", "about": "contact/anna",
            "tags": ["a", "b;c"], "customers": ["contact/anna", "li-lei"],
        }),
        expect![[r#"
            about = Reference(Reference { object: "contact", key: "anna" })
            amount = Money(Money { minor: 1250, currency: "EUR" })
            at = Time(2026-12-24T17:00:00Z)
            customers = List([Reference(Reference { object: "contact", key: "anna" }), Reference(Reference { object: "contact", key: "li-lei" })])
            item = Reference(Reference { object: "order", key: "SO-1001" })
            percent = Number(12.5)
            reason = Text("two\nlines")
            size = Text("large")
            tags = List([Text("a"), Text("b;c")])
            until = Date(2026-12-24)
            urgent = YesNo(true)
            within = Duration(Duration { months: 0, days: 0, millis: 0, working_days: 0, working_millis: 14400000 })"#]],
    );
}

#[test]
fn json_with_every_mistake_at_once() {
    from_json(
        json!({
            "reason": 5, "until": "tomorrow", "at": "2026-12-24 18:00", "within": "4 moons",
            "amount": 12.5, "urgent": "yes", "size": "smal", "item": "contact/anna", "about": "anna",
            "tags": "a", "customers": ["contact/anna", "order/o1"], "percnt": 5, "zzz": [1],
        }),
        expect![[r#"
            percent: is missing; it takes a number
            reason: takes text, not `5`; write it in quotes
            until: takes a day such as 2026-12-24, not `tomorrow`
            at: takes a time such as 2026-12-24T18:00:00+01:00, not `"2026-12-24 18:00"`
            within: `4 moons` is not a duration; write `24 hours`, `1 day`, `90 minutes` or `4 working hours`
            amount: takes an amount such as 12.50 EUR, not `12.5`
            urgent: takes yes or no, not `"yes"`; write true or false
            size: takes one of small, large, not `smal`; did you mean `small`?
            item: takes a record of order, not `contact/anna`
            about: `anna` is not a record; write `object/key`, such as `contact/anna`
            tags: takes a list of texts, not `"a"`
            customers: item 2 takes a record of contact, not `order/o1`
            percnt: is no input; did you mean `percent`?
            zzz: is no input; there are percent, reason, until, at, within, amount, urgent, size, item, about, tags, customers"#]],
    );
    from_json(
        json!({ "percent": "12", "tags": ["a", null] }),
        expect![[r#"
        percent: takes a number, not `"12"`; write it without quotes
        tags: has an empty item, number 2"#]],
    );
    from_json(
        json!({ "percent": "x".repeat(1_000), "reason": { "a": 1 }, "size": [1, 2] }),
        expect![[r#"
            percent: takes a number, not a text of 1000 characters
            reason: takes text, not a set of named values
            size: takes one of small, large, not a list"#]],
    );
}

#[test]
fn what_is_left_out_is_the_default_or_nothing() {
    let Json::Object(given) = json!({ "percent": 5, "until": null }) else { panic!("no object") };
    let read = inputs_from_json(&inputs(), &given);
    assert_eq!(read.values.len(), inputs().len(), "each input is a variable");
    assert_eq!(read.values["reason"], Value::Text("none given".to_owned()));
    assert_eq!(read.values["until"], Value::Nothing);
    assert_eq!((read.unknown, read.wrong), (Vec::new(), Vec::new()));
}

#[test]
fn text_of_every_type() {
    from_text(
        &[
            "percent=12.5",
            "reason= as = written ",
            "until=2026-12-24",
            "at=2026-12-24 18:00",
            "within=4 working hours",
            "amount=12.50 EUR",
            "urgent=yes",
            "size=large",
            "item=SO-1001",
            "about=contact/anna",
            "tags=a; b",
            "customers=anna;contact/li-lei",
        ],
        expect![[r#"
            about = Reference(Reference { object: "contact", key: "anna" })
            amount = Money(Money { minor: 1250, currency: "EUR" })
            at = Time(2026-12-24T17:00:00Z)
            customers = List([Reference(Reference { object: "contact", key: "anna" }), Reference(Reference { object: "contact", key: "li-lei" })])
            item = Reference(Reference { object: "order", key: "SO-1001" })
            percent = Number(12.5)
            reason = Text(" as = written ")
            size = Text("large")
            tags = List([Text("a"), Text("b")])
            until = Date(2026-12-24)
            urgent = YesNo(true)
            within = Duration(Duration { months: 0, days: 0, millis: 0, working_days: 0, working_millis: 14400000 })"#]],
    );
}

#[test]
fn text_with_every_mistake_at_once() {
    from_text(
        &[
            "reason=",
            "until=24.12.2026",
            "at=18:00",
            "within=4 moons",
            "amount=12.5",
            "urgent=maybe",
            "size=smal",
            "item=contact/anna",
            "about=anna",
            "tags=a",
            "tags=b",
            "customers=anna;order/o1",
            "percnt=5",
        ],
        expect![[r#"
            percent: is missing; it takes a number
            until: takes a day such as 2026-12-24, not `24.12.2026`
            at: takes a time such as 2026-12-24 18:00, not `18:00`
            within: `4 moons` is not a duration; write `24 hours`, `1 day`, `90 minutes` or `4 working hours`
            amount: `12.5` is not an amount such as `12.50 EUR`
            urgent: takes yes or no, not `maybe`
            size: takes one of small, large, not `smal`; did you mean `small`?
            item: takes a record of order, not `contact/anna`
            about: `anna` is not a record; write `object/key`, such as `contact/anna`
            tags: is given twice; separate its items by `;`
            customers: item 2 takes a record of contact, not `order/o1`
            percnt: is no input; did you mean `percent`?"#]],
    );
}

#[test]
fn a_workflow_without_inputs_takes_none() {
    let given = [("percent".to_owned(), "5".to_owned())];
    let wrong = inputs_from_text(&[], &given, &TimeZone::UTC).strict(&[]).unwrap_err();
    assert_eq!(wrong[0].to_string(), "percent: is no input; the workflow takes none");
}

#[test]
fn what_each_input_takes() {
    let lines: Vec<String> =
        inputs().iter().map(|input| format!("{}: {}", input.name, describe_input(input))).collect();
    expect![[r#"
        percent: a number
        reason: text, `none given` if left out
        until: a day such as 2026-12-24, may be left out
        at: a time such as 2026-12-24 18:00, may be left out
        within: a duration such as 4 working hours, may be left out
        amount: an amount such as 12.50 EUR, may be left out
        urgent: yes or no, may be left out
        size: one of small, large, may be left out
        item: a record of order, may be left out
        about: a record, may be left out
        tags: a list of texts, may be left out
        customers: a list, each item a record of contact, may be left out"#]]
    .assert_eq(&lines.join("\n"));
}

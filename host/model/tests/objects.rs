//! Object definitions, as the shipped files and a company's own use them.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use expect_test::{Expect, expect};
use relata_model::{
    FieldType, Fields, ObjectDefinition, Objects, Record, Reference, TimeZone, Timestamp, Value,
    seed,
};
use serde_json::{Map, Value as Json, json};

fn now() -> Timestamp {
    "2026-12-14T09:00:00Z".parse().unwrap()
}

fn later() -> Timestamp {
    "2026-12-14T10:00:00Z".parse().unwrap()
}

/// Fields as they come over the wire. A field that is not known stays as
/// text, for the definition to refuse.
fn fields(object: &ObjectDefinition, json: &Map<String, Json>) -> Fields {
    json.iter()
        .map(|(name, value)| {
            let value = object
                .field(name)
                .map_or_else(|| Ok(Value::from_json(value)), |field| field.kind.read(value));
            (name.clone(), value.unwrap_or_else(|why| panic!("{name} {why}")))
        })
        .collect()
}

fn map(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(map) => map,
        other => panic!("{other} is no map"),
    }
}

fn id() -> relata_model::RecordId {
    "01k9aaaaaaaaaaaaaabcdefgh0".parse().unwrap()
}

#[test]
fn what_customers_call_a_ticket_is_made_of_its_id() {
    let objects = Objects::standard();
    let given = Fields::from([("subject".to_owned(), Value::Text("Help".to_owned()))]);
    let ticket = objects.get("ticket").unwrap().create(id(), given, now()).unwrap();
    assert_eq!(ticket["ref"], Value::Text("T-BCDEFGH0".to_owned()));
}

fn lead(json: Json) -> Result<Fields, String> {
    let objects = Objects::standard();
    let lead = objects.get("lead").unwrap();
    let given =
        map(json).iter().map(|(name, value)| (name.clone(), Value::from_json(value))).collect();
    lead.create(id(), given, now())
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

fn show(fields: &Fields) -> String {
    fields.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_shipped_object_reads_and_refers_to_objects_that_are_there() {
    let objects = Objects::standard();
    for object in objects.iter() {
        assert!(!object.summary.is_empty(), "{}", object.name);
        for (name, field) in &object.fields {
            if let FieldType::Reference(to) = &field.kind {
                for target in to {
                    assert!(
                        objects.get(target).is_some(),
                        "{}.{name} refers to {target}",
                        object.name
                    );
                }
            }
        }
        assert_eq!(object.order.len(), object.fields.len(), "{}", object.name);
    }
    assert_eq!(objects.names().count(), 26);
}

#[test]
fn fields_keep_the_order_of_their_file_and_the_common_ones_come_last() {
    let objects = Objects::standard();
    expect![[r#"name email phone company company_size country locale source batch score note status external_id owner team tags created_at updated_at merged_into"#]]
        .assert_eq(&objects.get("lead").unwrap().order.join(" "));
}

#[test]
fn every_seed_is_a_record_that_its_object_takes() {
    let objects = Objects::standard();
    for (object, json) in seed::records() {
        let definition = objects.get(object).unwrap();
        let created = definition.create(id(), fields(definition, &json), now());
        let created = created.unwrap_or_else(|errors| panic!("{object} {json:?}: {errors:?}"));
        assert!(created.contains_key("external_id"), "{object} {json:?}");
        if object == "calendar" {
            relata_model::Calendar::from_fields(&created).unwrap();
        }
    }
}

#[test]
fn a_new_record_has_its_defaults_and_the_forms_in_which_values_are_kept() {
    let created = lead(json!({
        "name": " 王小明 ", "email": "Wang@Example.COM", "country": "cn", "company_size": 12, "status": "", "tags": ["fair"],
    }));
    expect![[r#"
        company_size: 12
        country: CN
        created_at: 2026-12-14T09:00:00Z
        email: wang@example.com
        locale: en
        name: 王小明
        status: new
        tags: fair
        updated_at: 2026-12-14T09:00:00Z"#]]
    .assert_eq(&show(&created.unwrap()));
}

#[test]
fn every_wrong_field_is_named_with_what_it_takes() {
    expect![[r#"
        company_size: -1 is less than 0
        contry: a lead has no such field; did you mean `country`?
        country: takes a country in two letters, such as DE, not `Germany`
        created_at: is set by the system alone
        email: `anna@` is not a mail address such as anna@example.com
        owner: takes a record of user or queue, not `team/dach`
        score: takes a number, not `high`
        status: takes one of new, assigned, in_process, converted, recycled, dead, not `asigned`; did you mean `assigned`?
        name: must not be empty"#]]
    .assert_eq(
        &lead(json!({
            "email": "anna@", "contry": "DE", "country": "Germany", "status": "asigned", "company_size": -1,
            "score": "high", "owner": "team/dach", "created_at": "2026-01-01T00:00:00Z",
        }))
        .unwrap_err(),
    );
    expect!["name: takes one line of text"]
        .assert_eq(&lead(json!({ "name": "Anna\nBerger", "email": "a@b.example" })).unwrap_err());
    expect!["name: is longer than 1000 characters"]
        .assert_eq(&lead(json!({ "name": "x".repeat(1001), "email": "a@b.example" })).unwrap_err());
}

fn change(status: &str, to: Json) -> String {
    let objects = Objects::standard();
    let lead_object = objects.get("lead").unwrap();
    let before = lead(json!({ "name": "Anna", "email": "a@b.example", "status": status })).unwrap();
    let given =
        map(to).iter().map(|(name, value)| (name.clone(), Value::from_json(value))).collect();
    match lead_object.update(&before, given, later()) {
        Ok(after) => after
            .iter()
            .filter(|(name, value)| before.get(*name) != Some(value))
            .map(|(name, value)| format!("{name}: {value}"))
            .chain(
                before
                    .keys()
                    .filter(|name| !after.contains_key(*name))
                    .map(|name| format!("{name} emptied")),
            )
            .collect::<Vec<_>>()
            .join("; "),
        Err(errors) => errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    }
}

#[test]
fn a_life_cycle_refuses_what_it_does_not_know() {
    let check = |from: &str, to: &str, expected: Expect| {
        expected.assert_eq(&change(from, json!({ "status": to })))
    };
    check("new", "assigned", expect!["status: assigned; updated_at: 2026-12-14T10:00:00Z"]);
    check("assigned", "assigned", expect![""]);
    check(
        "new",
        "converted",
        expect!["status: cannot go from new to converted, only to assigned, recycled, dead"],
    );
    check(
        "converted",
        "new",
        expect!["status: cannot go from converted to new: converted is an end"],
    );
    // What may not be empty goes back to its default, if its life allows it.
    check(
        "recycled",
        "",
        expect!["status: cannot go from recycled to new, only to assigned, dead"],
    );
}

#[test]
fn a_write_that_changes_nothing_changes_nothing() {
    expect![""].assert_eq(&change(
        "new",
        json!({ "name": "Anna ", "email": "A@B.example", "note": null }),
    ));
    expect!["updated_at: 2026-12-14T10:00:00Z; locale emptied"]
        .assert_eq(&change("new", json!({ "locale": null })));
    expect!["name: must not be empty"].assert_eq(&change("new", json!({ "name": null })));
}

#[test]
fn what_is_written_once_is_never_changed() {
    let objects = Objects::standard();
    let once = objects.get("interaction").unwrap();
    assert!(once.append_only);
    let errors = once.update(&Fields::new(), Fields::new(), later()).unwrap_err();
    expect!["interaction: is written once and never changed; create another interaction instead"]
        .assert_eq(&errors[0].to_string());
}

#[test]
fn a_label_stands_for_its_record() {
    let objects = Objects::standard();
    let lead_object = objects.get("lead").unwrap();
    let mut record = Record {
        reference: Reference::new("lead", "anna"),
        revision: 1,
        fields: lead(json!({ "name": "Anna", "email": "a@b.example" })).unwrap().into(),
    };
    assert_eq!(lead_object.label_of(&record), "Anna");
    Arc::make_mut(&mut record.fields).remove("name");
    assert_eq!(lead_object.label_of(&record), "lead/anna");
}

#[test]
fn cells_read_as_people_write_them() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let objects = Objects::standard();
    let check = |object: &str, field: &str, written: &str| {
        let kind = &objects.get(object).unwrap().field(field).unwrap().kind;
        match kind.parse(written, &zone) {
            Ok(value) => format!("{field} {written:?} -> {value:?}\n"),
            Err(why) => format!("{field} {written:?}: {why}\n"),
        }
    };
    let found: String = [
        ("lead", "name", "  Müller, Jürgen "),
        ("lead", "email", "ANNA@EXAMPLE.COM"),
        ("lead", "company_size", "12"),
        ("lead", "company_size", "12.5"),
        ("lead", "company_size", "about 12"),
        ("lead", "score", " 0.25"),
        ("lead", "status", ""),
        ("lead", "country", "de"),
        ("lead", "tags", "fair; hot ;"),
        ("lead", "owner", "user/eva"),
        ("lead", "owner", "eva"),
        ("lead", "team", "dach"),
        ("contact", "mail_consent", "Yes"),
        ("contact", "mail_consent", "0"),
        ("contact", "mail_consent", "maybe"),
        ("contact", "last_order_at", "2026-12-14 10:00"),
        ("contact", "last_order_at", "2026-12-14T10:00:30"),
        ("contact", "last_order_at", "2026-12-14T10:00:00+08:00"),
        ("contact", "last_order_at", "14.12.2026"),
        ("order", "amount", "12.50 EUR"),
        ("order", "amount", "12.50"),
    ]
    .into_iter()
    .map(|(object, field, written)| check(object, field, written))
    .collect();
    expect![[r#"
        name "  Müller, Jürgen " -> Text("Müller, Jürgen")
        email "ANNA@EXAMPLE.COM" -> Text("anna@example.com")
        company_size "12" -> Number(12)
        company_size "12.5": takes a whole number, not `12.5`
        company_size "about 12": takes a whole number, not `about 12`
        score " 0.25" -> Number(0.25)
        status "" -> Nothing
        country "de" -> Text("DE")
        tags "fair; hot ;" -> List([Text("fair"), Text("hot")])
        owner "user/eva" -> Reference(Reference { object: "user", key: "eva" })
        owner "eva": `eva` is not a record; write `object/key`, such as `contact/anna`
        team "dach" -> Reference(Reference { object: "team", key: "dach" })
        mail_consent "Yes" -> YesNo(true)
        mail_consent "0" -> YesNo(false)
        mail_consent "maybe": takes yes or no, not `maybe`
        last_order_at "2026-12-14 10:00" -> Time(2026-12-14T09:00:00Z)
        last_order_at "2026-12-14T10:00:30" -> Time(2026-12-14T09:00:30Z)
        last_order_at "2026-12-14T10:00:00+08:00" -> Time(2026-12-14T02:00:00Z)
        last_order_at "14.12.2026": takes a time such as 2026-12-24 18:00, not `14.12.2026`
        amount "12.50 EUR" -> Money(Money { minor: 1250, currency: "EUR" })
        amount "12.50": `12.50` is not an amount such as `12.50 EUR`
    "#]]
    .assert_eq(&found);
}

#[test]
fn a_company_adds_fields_and_objects_but_changes_none() {
    let mut objects = Objects::standard();
    let parse = |source: &str| ObjectDefinition::parse("own.yaml", source).unwrap();
    let head = "title: Lead\nsummary: Ours.\nfields:\n";
    objects
        .add("own.yaml", parse(&format!("object: lead\n{head}  fair: {{ type: text }}")))
        .unwrap();
    assert!(objects.get("lead").unwrap().field("fair").is_some());
    assert_eq!(objects.get("lead").unwrap().order.last().unwrap(), "fair");
    objects
        .add(
            "own.yaml",
            parse(&format!("object: patient\n{head}  number: {{ type: text, unique: true }}")),
        )
        .unwrap();
    assert!(objects.get("patient").is_some());
    let error = objects
        .add("own.yaml", parse(&format!("object: lead\n{head}  score: {{ type: text }}")))
        .unwrap_err();
    expect!["the object definition own.yaml makes lead.score text, but it is a number already"]
        .assert_eq(&error.to_string());
}

#[test]
fn a_wrong_definition_says_what_is_wrong() {
    let check = |rest: &str| {
        let source = format!("object: patient\ntitle: Patient\nsummary: One.\n{rest}");
        match ObjectDefinition::parse("patient.yaml", &source) {
            Ok(object) => format!("reads: {}\n", object.order.join(" ")),
            Err(error) => format!("{error}\n"),
        }
    };
    let found: String = [
        "fields: { number: { type: txt } }",
        "fields: { number: { type: colour } }",
        "fields: { Number: { type: text } }",
        "fields: { id: { type: text } }",
        "fields: { owner: { type: text } }",
        "fields: { number: { type: text, uniqe: true } }",
        "fields: { state: { type: choice } }",
        "fields: { state: { type: choice, of: [new], default: old } }",
        "fields: { state: { type: choice, of: [new], transitions: { new: [old] } } }",
        "fields: { friend: { type: reference } }",
        "fields: { number: { type: text } }\nlabel: nummer",
        "fields: { number: { type: text } }\nmatch: [nummer]",
        "fields: { state: { type: choice, of: [new] } }\nevents: { patient.cured: { field: state, becomes: cured } }",
        "fields: { state: { type: choice, of: [new] } }\nevents: { patient.new: { field: state, becomes: new, key: case } }",
        "fields: { number: { type: text }, number: { type: email } }",
        "fields:\n\tnumber: { type: text }",
        "colour: red",
    ]
    .into_iter()
    .map(check)
    .collect();
    expect![[r#"
        the object definition patient.yaml has a field `number` that has the unknown type `txt`; did you mean `text`?
        the object definition patient.yaml has a field `number` that has the unknown type `colour`; use one of text, long_text, email, phone, country, number, integer, money, yes_no, date, time, duration, choice, reference, texts
        the object definition patient.yaml has a field `Number`; use lower-case letters, digits and _, and not `id` or `revision`
        the object definition patient.yaml has a field `id`; use lower-case letters, digits and _, and not `id` or `revision`
        the object definition patient.yaml defines `owner`, which every object has already
        the object definition patient.yaml has a field `number` that does not read: unknown field `uniqe`, expected one of `type`, `of`, `to`, `required`, `unique`, `default`, `min`, `max`, `summary`, `transitions`, `from_id`
        the object definition patient.yaml has a field `state` that lists no choices: `of: [a, b]`
        the object definition patient.yaml has a field `state` that has a wrong default: takes one of new, not `old`
        the object definition patient.yaml has a field `state` that has a transition of `old`, which is none of its choices
        the object definition patient.yaml has a field `friend` that says not what it refers to: `to: [contact]` or `to: any`
        the object definition patient.yaml names a field `nummer` that it does not define
        the object definition patient.yaml names a field `nummer` that it does not define
        the object definition patient.yaml has an event `patient.cured` when state becomes `cured`, which is none of its choices
        the object definition patient.yaml names a field `case` that it does not define
        the object definition patient.yaml is not valid YAML: duplicated key in mapping at byte 79 line 4 column 35
        the object definition patient.yaml is not valid YAML: tabs disallowed within this context (block indentation) at byte 54 line 5 column 2
        the object definition patient.yaml does not read: unknown field `colour`, expected one of `object`, `title`, `summary`, `label`, `match`, `append_only`, `part_of`, `fields`, `indexes`, `events`
    "#]].assert_eq(&found);
}

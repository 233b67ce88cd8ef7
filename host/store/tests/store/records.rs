use expect_test::expect;
use relata_model::{Duration, ObjectDefinition, Record, Value};
use relata_store::{Order, Query, RecordError, StoreError};
use serde_json::{Value as Json, json};

use crate::backend::*;

/// An object with a field of every type.
const EVERYTHING: &str = r"
object: enrolment
title: Everything
summary: A field of every type, under a name that the host uses itself.
fields:
  order: { type: text }
  long: { type: long_text }
  mail: { type: email }
  call: { type: phone }
  land: { type: country }
  decimal: { type: number }
  whole: { type: integer }
  price: { type: money }
  flag: { type: yes_no }
  day: { type: date }
  moment: { type: time }
  span: { type: duration }
  word: { type: choice, of: [a, b] }
  whom: { type: reference, to: any }
  list: { type: texts }
";

fn wire(record: &Record) -> String {
    let mut text = String::new();
    for (name, value) in record.fields.iter() {
        text.push_str(&format!("{name} = {}\n", value.to_json()));
    }
    text
}

on_each_backend! {
    async fn every_type_comes_back_as_it_went_in(backend) {
        let store = backend.open_with(objects_with(EVERYTHING)).await;
        let queue = create(&store, "queue", json!({"name": "Unassigned", "external_id": "unassigned"})).await;
        let written = create(&store, "enrolment", json!({
            "order": "select \"1\"; -- 名前 ", "long": "two\nlines", "mail": "ANNA@Example.com", "call": " +49 30 1 ",
            "land": "de", "decimal": -0.123456789, "whole": 9_007_199_254_740_993_i64, "price": "12.50 EUR",
            "flag": false, "day": "2028-02-29", "moment": "2026-12-14T10:00:00.123456789Z",
            "span": "1 day 4 working hours", "word": "b", "whom": "queue/unassigned",
            "list": ["complaints:4", "quote \" and ; and 名"],
        })).await;
        expect![[r#"
            call = "+49 30 1"
            created_at = "2026-12-14T09:00:00Z"
            day = "2028-02-29"
            decimal = -0.123456789
            flag = false
            land = "DE"
            list = ["complaints:4","quote \" and ; and 名"]
            long = "two\nlines"
            mail = "anna@example.com"
            moment = "2026-12-14T10:00:00.123Z"
            order = "select \"1\"; -- 名前"
            price = "12.50 EUR"
            span = "1 day 4 working hours"
            updated_at = "2026-12-14T09:00:00Z"
            whole = 9007199254740993
            whom = "queue/QUEUE"
            word = "b"
        "#]]
        .assert_eq(&wire(&written).replace(&queue.reference.key, "QUEUE"));
        let read = store.record_fetch(&written.reference).await.unwrap().unwrap();
        assert_eq!(read, written);
    }

    async fn numbers_are_exact_to_fifteen_digits(backend) {
        let store = backend.open_with(objects_with(EVERYTHING)).await;
        for (given, kept) in [
            ("0.1", "0.1"), ("123456789012345", "123456789012345"), ("0.333333333333333333333", "0.333333333333333"),
            ("99999999999.99", "99999999999.99"), ("-0.8402999999999999", "-0.8403"), ("1e-9", "0.000000001"),
            ("12345678901234567890", "12345678901234600000"), ("0", "0"), ("100.00", "100"),
        ] {
            let number = serde_json::from_str::<serde_json::Value>(given).unwrap();
            let record = create(&store, "enrolment", json!({"decimal": number})).await;
            assert_eq!(record.field("decimal").to_string(), kept, "{given}");
            let read = store.record_fetch(&record.reference).await.unwrap().unwrap();
            assert_eq!(read, record, "{given}");
        }
        let refused = refusal(&store, new(&store, "enrolment", json!({"whole": 9_223_372_036_854_775_808_u64}))).await;
        expect!["whole: 9223372036854775808 is out of range"].assert_eq(&refused);
    }

    async fn odd_durations_lose_nothing(backend) {
        let store = backend.open_with(objects_with(EVERYTHING)).await;
        let span = Duration { working_millis: 90_500, ..Duration::default() };
        let relata_store::Write::Create { object, id, mut fields } = new(&store, "enrolment", json!({})) else {
            panic!("a new record")
        };
        fields.insert("span".to_owned(), Value::Duration(span));
        let record = write(&store, relata_store::Write::Create { object, id, fields }, at(0)).await.unwrap().record;
        let read = store.record_fetch(&record.reference).await.unwrap().unwrap();
        assert_eq!(read.field("span"), &Value::Duration(span));
    }

    async fn a_record_is_found_by_id_in_any_case_and_by_external_id(backend) {
        let store = backend.open().await;
        let anna = create(&store, "contact", json!({"name": "Anna", "external_id": "anna"})).await;
        for key in ["anna", &anna.reference.key, &anna.reference.key.to_uppercase()] {
            let found = store.record_fetch(&reference(&format!("contact/{key}"))).await.unwrap();
            assert_eq!(found.as_ref(), Some(&anna), "{key}");
        }
        assert_eq!(store.record_fetch(&reference("contact/berta")).await.unwrap(), None);
        let unknown = store.record_fetch(&reference("contakt/anna")).await.unwrap_err();
        expect!["there is no object `contakt`; did you mean `contact`?"].assert_eq(&unknown.to_string());
    }

    async fn what_is_wrong_is_named_all_of_it(backend) {
        let store = backend.open().await;
        create(&store, "queue", json!({"name": "Unassigned", "external_id": "unassigned"})).await;
        create(&store, "user", json!({"name": "Ben", "email": "ben@a.example", "external_id": "ben"})).await;
        let refused = refusal(&store, new(&store, "lead", json!({
            "name": "Zoe", "email": "zoe(at)a.example", "owner": "queue/unassignd", "contry": "DE",
        }))).await;
        expect!["owner: there is no queue `unassignd`; did you mean `unassigned`?; contry: a lead has no such field; did you mean `country`?; email: `zoe(at)a.example` is not a mail address such as anna@example.com"].assert_eq(&refused);

        let refused = refusal(&store, new(&store, "user", json!({
            "name": "Ben again", "email": "BEN@a.example", "external_id": "ben",
        }))).await;
        let ben = store.record_fetch(&reference("user/ben")).await.unwrap().unwrap();
        expect!["email: `ben@a.example` belongs to user/BEN already; external_id: `ben` belongs to user/BEN already"]
            .assert_eq(&refused.replace(&ben.reference.key, "BEN"));

        let lead = create(&store, "lead", json!({"name": "Zoe", "email": "zoe@a.example"})).await;
        let refused = refusal(&store, change(&store, &lead.reference, json!({"status": "converted"}))).await;
        expect!["status: cannot go from new to converted, only to assigned, recycled, dead"].assert_eq(&refused);
        let refused = refusal(&store, change(&store, &lead.reference, json!({"owner": "team/x", "created_at": "2020-01-01T00:00:00Z"}))).await;
        expect!["created_at: is set by the system alone; owner: takes a record of user or queue, not `team/x`"].assert_eq(&refused);
        // Nothing of all this left a trace.
        assert_eq!(store.record_fetch(&lead.reference).await.unwrap().unwrap(), lead);
        assert_eq!(store.event_pending(100).await.unwrap().len(), 3);
    }

    async fn a_unique_value_may_move_on(backend) {
        let store = backend.open().await;
        let ben = create(&store, "user", json!({"name": "Ben", "email": "ben@a.example"})).await;
        set(&store, &ben.reference, json!({"email": "ben@b.example", "name": "Ben"})).await;
        create(&store, "user", json!({"name": "Other Ben", "email": "ben@a.example"})).await;
    }

    async fn a_write_that_changes_nothing_does_nothing(backend) {
        let store = backend.open().await;
        let lead = create(&store, "lead", json!({"name": "Zoe", "email": "zoe@a.example", "score": 1.5, "tags": ["fair"]})).await;
        let same = json!({"name": " Zoe ", "email": "ZOE@A.example", "score": 1.50, "tags": ["fair"], "note": null});
        let written = write(&store, change(&store, &lead.reference, same), at(60)).await.unwrap();
        assert_eq!((written.changed, &written.record), (false, &lead));
        assert_eq!(store.event_pending(100).await.unwrap().len(), 1);

        let written = write(&store, change(&store, &lead.reference, json!({"tags": []})), at(60)).await.unwrap();
        assert_eq!((written.changed, written.record.revision), (true, 2));
        assert_eq!(written.record.field("updated_at"), &Value::Time(at(60)));
        assert_eq!(written.record.field("tags"), &Value::Nothing);
        assert_eq!(store.record_fetch(&lead.reference).await.unwrap().unwrap(), written.record);
    }

    async fn a_stale_writer_is_told(backend) {
        let store = backend.open().await;
        let lead = create(&store, "lead", json!({"name": "Zoe", "email": "zoe@a.example"})).await;
        set(&store, &lead.reference, json!({"name": "Zoé"})).await;
        let stale = relata_store::Write::Update {
            reference: lead.reference.clone(),
            fields: fields(store.objects().get("lead").unwrap(), json!({"name": "Zo"})),
            if_revision: Some(1),
        };
        let refused = write(&store, stale, at(0)).await.unwrap_err();
        assert!(matches!(refused, RecordError::Conflict { expected: 1, found: 2, .. }), "{refused}");
        let gone = write(&store, change(&store, &reference("lead/gone"), json!({})), at(0)).await.unwrap_err();
        expect!["there is no lead/gone"].assert_eq(&gone.to_string());
    }

    async fn a_deleted_record_is_gone_but_for_its_last_image(backend) {
        let store = backend.open().await;
        let lead = create(&store, "lead", json!({"name": "Zoe", "email": "zoe@a.example"})).await;
        let delete = relata_store::Write::Delete { reference: lead.reference.clone(), if_revision: Some(1) };
        assert_eq!(write(&store, delete, at(5)).await.unwrap().record, lead);
        assert_eq!(store.record_fetch(&lead.reference).await.unwrap(), None);
        let log = store.event_list(&lead.reference, None, 10).await.unwrap();
        let relata_engine::HappeningKind::Change(change) = &log[1].happening.kind else { panic!("a change") };
        assert_eq!((change.kind.as_str(), &change.before, &change.after), ("deleted", &Some(lead.fields), &None));
    }

    async fn what_is_written_once_is_never_changed(backend) {
        let store = backend.open().await;
        let lead = create(&store, "lead", json!({"name": "Zoe", "email": "zoe@a.example"})).await;
        let note = create(&store, "interaction", json!({"about": lead.reference.to_string(), "kind": "note"})).await;
        let refused = refusal(&store, change(&store, &note.reference, json!({"summary": "other"}))).await;
        expect!["interaction: is written once and never changed; create another interaction instead"].assert_eq(&refused);
    }

    async fn a_field_added_later_gets_its_column(backend) {
        let store = backend.open().await;
        let anna = create(&store, "contact", json!({"name": "Anna"})).await;
        store.close().await;

        let custom = r"
object: contact
title: Contact
summary: Ours.
fields:
  medical_record: { type: text, unique: true }
  budget: { type: money }
indexes: [[budget]]
";
        for _ in 0..2 {
            let store = backend.open_with(objects_with(custom)).await;
            assert_eq!(store.record_fetch(&anna.reference).await.unwrap().unwrap().fields, anna.fields);
            store.close().await;
        }
        let store = backend.open_with(objects_with(custom)).await;
        let anna = set(&store, &anna.reference, json!({"medical_record": "M-1", "budget": "5 EUR"})).await;
        assert_eq!(anna.field("medical_record"), &Value::Text("M-1".to_owned()));
        let refused = refusal(&store, new(&store, "contact", json!({"name": "Berta", "medical_record": "M-1"}))).await;
        expect!["medical_record: `M-1` belongs to contact/ANNA already"]
            .assert_eq(&refused.replace(&anna.reference.key, "ANNA"));
        store.close().await;
        // A company that drops the field again loses nothing.
        let store = backend.open().await;
        set(&store, &anna.reference, json!({"name": "Anna B."})).await;
        store.close().await;
        let store = backend.open_with(objects_with(custom)).await;
        let anna = store.record_fetch(&anna.reference).await.unwrap().unwrap();
        assert_eq!(anna.field("budget").to_string(), "5.00 EUR");
    }

    /// A field may be called as something is in our own statements.
    async fn fields_have_whatever_names(backend) {
        let names = ["place", "value", "key", "list", "given", "found", "oldest", "word", "words", "near", "order", "select"];
        let fields: String = names.iter().map(|name| format!("  {name}: {{ type: text }}\n")).collect();
        let stall = format!("object: stall\ntitle: Stall\nsummary: Of a market.\nfields:\n{fields}");
        let store = backend.open_with(objects_with(&stall)).await;
        let json = |what: &str| Json::Object(names.iter().map(|name| ((*name).to_owned(), json!(format!("{what} {name}")))).collect());
        let is = |record: &Record, what: &str| {
            for name in names {
                assert_eq!(record.field(name), &Value::Text(format!("{what} {name}")));
            }
        };
        let made = create(&store, "stall", json("old")).await;
        is(&store.record_fetch(&made.reference).await.unwrap().unwrap(), "old");
        set(&store, &made.reference, json("new")).await;
        is(&store.record_fetch(&made.reference).await.unwrap().unwrap(), "new");
        for name in names {
            let by = Order { field: Some(name.to_owned()), descending: true };
            let found = store.record_query(&Query { order: by, ..Query::new("stall", vec![]) }).await.unwrap();
            is(&found.records[0], "new");
            let counts = store.record_count_by(&Query::new("stall", vec![]), name).await.unwrap();
            assert_eq!(counts[0].value, Value::Text(format!("new {name}")));
        }
    }

    async fn a_definition_that_does_not_fit_is_refused(backend) {
        let one = "object: course\ntitle: Course\nsummary: x.\nfields:\n  progress: { type: text }\n";
        let store = backend.open_with(objects_with(one)).await;
        create(&store, "course", json!({"progress": "half"})).await;
        create(&store, "course", json!({"progress": "half"})).await;
        store.close().await;
        let mut refusals = String::new();
        for source in [
            one.replace("type: text", "type: integer"),
            one.replace("type: text", "type: text, unique: true"),
            "object: bill\ntitle: Bill\nsummary: x.\nfields:\n  sum: { type: money }\n  sum_currency: { type: text }\n".to_owned(),
            "object: relata_run\ntitle: Run\nsummary: x.\nfields: {}\n".to_owned(),
        ] {
            let refused = backend.try_open_with(objects_with(&source)).await.unwrap_err();
            assert!(matches!(refused, StoreError::Table { .. }));
            refusals.push_str(&format!("{refused}\n"));
        }
        expect![[r#"
            the table of `course` keeps `progress` as TEXT, but the definition now needs BIGINT; give the field another name, or its old type
            the table of `course` holds records with the same `progress`, which the definition now wants to be unique; mend them first
            the table of `bill` would have two columns `sum_currency`; rename the field, since money needs that one for its currency
            the table of `relata_run` has a name that the database keeps for itself; choose another
        "#]].assert_eq(&refusals);
        // And the database is as it was.
        let store = backend.open_with(objects_with(one)).await;
        assert_eq!(store.record_count("course", &[]).await.unwrap(), 2);
    }
}

#[test]
fn the_object_with_everything_reads() {
    ObjectDefinition::parse("test.yaml", EVERYTHING).unwrap();
}

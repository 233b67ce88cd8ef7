use expect_test::{Expect, expect};
use relata_model::{Fields, Money, Record, RecordId, Timestamp, Value};
use relata_store::{Cause, Condition, Operator, Order, Query, RecordBatch, Store, Write};
use serde_json::{Value as Json, json};

use crate::backend::*;

async fn fill(store: &Store) {
    create(store, "user", json!({"name": "Ben", "email": "ben@a.example", "external_id": "ben"}))
        .await;
    for (name, json) in [
        ("a", json!({"score": 10, "country": "DE", "tags": ["fair", "vip"], "company_size": 200})),
        ("b", json!({"score": 9.5, "owner": "user/ben", "note": "100% \"sure\""})),
        ("c", json!({"score": 10, "country": "AT", "tags": ["vip2"]})),
        ("d", json!({"company": "Müller & Söhne", "company_size": 3})),
    ] {
        let mut fields = json.as_object().cloned().unwrap();
        fields.insert("name".to_owned(), json!(name));
        fields.insert("email".to_owned(), json!(format!("{name}@a.example")));
        create(store, "lead", Json::Object(fields)).await;
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

async fn check(store: &Store, field: &str, operator: Operator, value: Value, expected: &str) {
    let filter = vec![Condition::new(field, operator, value)];
    let count = store.record_count("lead", &filter).await.unwrap();
    let page = store.record_query(&Query::new("lead", filter)).await.unwrap();
    let names: Vec<String> =
        page.records.iter().map(|record| record.field("name").to_string()).collect();
    assert_eq!(names.join(" "), expected, "{field} {operator:?}");
    assert_eq!(count, page.records.len() as u64);
}

async fn check_error(
    store: &Store,
    field: &str,
    operator: Operator,
    value: Value,
    expected: Expect,
) {
    let query = Query::new("lead", vec![Condition::new(field, operator, value)]);
    expected.assert_eq(&store.record_query(&query).await.unwrap_err().to_string());
}

on_each_backend! {
    async fn conditions_choose(backend) {
        use Operator::*;
        let store = backend.open().await;
        fill(&store).await;
        let store = &store;
        let number = |number: i64| Value::Number(number.into());
        check(store, "score", Equal, number(10), "a c").await;
        check(store, "score", NotEqual, number(10), "b d").await;
        check(store, "score", Less, number(10), "b").await;
        check(store, "score", LessOrEqual, number(10), "a b c").await;
        check(store, "score", Greater, Value::from_json(&json!(9.5)), "a c").await;
        check(store, "score", GreaterOrEqual, Value::from_json(&json!(9.5)), "a b c").await;
        check(store, "company_size", Greater, number(20), "a").await;
        check(store, "country", OneOf, Value::List(vec![text("de"), text("AT"), text("FR")]), "a c").await;
        check(store, "country", OneOf, Value::List(vec![text("DE"), Value::Nothing]), "a b d").await;
        check(store, "country", OneOf, Value::List(vec![]), "").await;
        check(store, "country", IsEmpty, Value::Nothing, "b d").await;
        check(store, "country", Equal, Value::Nothing, "b d").await;
        check(store, "country", IsNotEmpty, Value::Nothing, "a c").await;
        check(store, "tags", Contains, text("vip"), "a").await;
        check(store, "tags", IsEmpty, Value::Nothing, "b d").await;
        check(store, "note", Contains, text("0% \""), "b").await;
        check(store, "note", Contains, text("%"), "b").await;
        check(store, "company", Contains, text("Söhne"), "d").await;
        check(store, "email", Equal, text(" D@A.example "), "d").await;
        check(store, "owner", Equal, text("user/ben"), "b").await;
        check(store, "owner", NotEqual, text("user/ben"), "a c d").await;
        check(store, "status", Equal, text("new"), "a b c d").await;
        check(store, "created_at", LessOrEqual, Value::Time(at(0)), "a b c d").await;
        check(store, "created_at", Less, Value::Time(at(0)), "").await;
        check(store, "external_id", IsEmpty, Value::Nothing, "a b c d").await;
        let first = store.record_query(&Query::new("lead", vec![])).await.unwrap().records.remove(0);
        check(store, "id", Equal, text(&first.reference.key), "a").await;
        check(store, "id", OneOf, Value::List(vec![Value::Reference(first.reference.clone())]), "a").await;
        check(store, "id", NotEqual, text(&first.reference.to_string()), "b c d").await;

        // One at least of some, and all of the others.
        let any = vec![
            Condition::equal("country", text("AT")),
            Condition::equal("owner", text("user/ben")),
        ];
        let tagged = vec![Condition::new("tags", IsEmpty, Value::Nothing)];
        for (filter, expected) in [(Vec::new(), "b c"), (tagged, "b")] {
            let query = Query { any: any.clone(), ..Query::new("lead", filter) };
            let names: Vec<String> = store.record_query(&query).await.unwrap().records.iter().map(|record| record.field("name").to_string()).collect();
            assert_eq!(names.join(" "), expected);
            assert_eq!(store.record_total(&query).await.unwrap(), names.len() as u64);
        }

        check_error(store, "contry", Equal, text("DE"), expect!["contry: a lead has no such field; did you mean `country`?"]).await;
        check_error(store, "score", Equal, text("many"), expect!["score: takes a number, not `many`"]).await;
        check_error(store, "status", Equal, text("nwe"), expect!["status: takes one of new, assigned, in_process, converted, recycled, dead, not `nwe`; did you mean `new`?"]).await;
        check_error(store, "name", Less, text("x"), expect!["name: holds text, which is not more or less than another"]).await;
        check_error(store, "score", Contains, text("x"), expect!["score: holds a number, which contains nothing"]).await;
        check_error(store, "owner", Equal, text("user/bem"), expect!["owner: there is no user `bem`; did you mean `ben`?"]).await;
    }

    /// Each word that is given begins one of the name, whatever is written, changed
    /// or deleted.
    async fn words_find_what_is_called_so(backend) {
        let store = backend.open().await;
        let found = async |field: &str, words: &str| {
            let filter = vec![Condition::new(field, Operator::HasWords, text(words))];
            let count = store.record_count("contact", &filter).await.unwrap();
            let page = store.record_query(&Query::new("contact", filter)).await.unwrap();
            assert!(!page.partial);
            assert_eq!(count, page.records.len() as u64);
            let names: Vec<_> = page.records.iter().map(|one| one.field("name").to_string()).collect();
            names.join(", ")
        };
        for (name, email) in [
            ("Anna Weber", Some("anna@a.example")),
            ("Annabel Krause-Weber", Some("weber@b.example")),
            ("JÜRGEN Ö. O'Neil", None),
            ("张伟明", None),
        ] {
            create(&store, "contact", json!({"name": name, "email": email})).await;
        }
        for (words, expected) in [
            ("anna", "Anna Weber, Annabel Krause-Weber"),
            ("WEBER", "Anna Weber, Annabel Krause-Weber"),
            ("web annab", "Annabel Krause-Weber"),
            ("weber, anna k", "Annabel Krause-Weber"),
            ("eber", ""),
            ("anna x", ""),
            ("jürgen ö", "JÜRGEN Ö. O'Neil"),
            ("o'nei", "JÜRGEN Ö. O'Neil"),
            ("伟明", "张伟明"),
            ("张明", ""),
        ] {
            assert_eq!(found("name", words).await, expected, "{words}");
        }
        assert_eq!(found("email", "b.example").await, "Annabel Krause-Weber");
        assert_eq!(found("email", "b@a").await, "");

        let anna = store.record_query(&Query::new("contact", vec![])).await.unwrap().records.remove(0).reference;
        set(&store, &anna, json!({"name": "Anna Lang", "email": null})).await;
        assert_eq!(found("name", "anna weber").await, "Annabel Krause-Weber");
        assert_eq!(found("name", "anna lang").await, "Anna Lang");
        assert_eq!(found("email", "anna").await, "");
        let delete = Write::Delete { reference: anna, if_revision: None };
        write(&store, delete, at(0)).await.unwrap();
        assert_eq!(found("name", "anna").await, "Annabel Krause-Weber");

        let wrong = async |object: &str, field: &str, words: &str| {
            let filter = vec![Condition::new(field, Operator::HasWords, text(words))];
            store.record_query(&Query::new(object, filter)).await.unwrap_err().to_string()
        };
        expect!["name: takes words to look for, and `- …` has none"].assert_eq(&wrong("contact", "name", "- …").await);
        expect!["phone: is not looked for by its words; look in email, name, or compare it by `contains`"]
            .assert_eq(&wrong("contact", "phone", "030").await);
        expect!["subject: is not looked for by its words; compare it by `contains`"].assert_eq(&wrong("message", "subject", "late").await);
    }

    /// Words are kept of the fields that the definition says now, also of what
    /// was there before.
    async fn words_follow_the_definition(backend) {
        let course = |label| {
            format!(
                "object: course\ntitle: Course\nsummary: A course.\nlabel: {label}\nfields:\n  name: {{ type: text }}\n  place: {{ type: text }}\n"
            )
        };
        let found = async |store: &Store, field: &str, words: &str| {
            let filter = [Condition::new(field, Operator::HasWords, text(words))];
            store.record_count("course", &filter).await.map_err(|why| why.to_string())
        };
        let store = backend.open_with(objects_with(&course("name"))).await;
        for number in 0..1_200 {
            let place = format!("Harbour {number}");
            create(&store, "course", json!({"name": "Knots", "place": place})).await;
        }
        assert_eq!(found(&store, "name", "kno").await, Ok(1_200));
        let refused = Err("place: is not looked for by its words; look in name, or compare it by `contains`".to_owned());
        assert_eq!(found(&store, "place", "harb").await, refused);
        store.close().await;
        for _ in 0..2 {
            let store = backend.open_with(objects_with(&course("place"))).await;
            assert_eq!(found(&store, "place", "harb").await, Ok(1_200));
            assert_eq!(found(&store, "place", "1199 harb").await, Ok(1));
            assert!(found(&store, "name", "kno").await.is_err());
            store.close().await;
        }
        // Back again, nothing of the time between is left.
        let store = backend.open_with(objects_with(&course("name"))).await;
        assert_eq!(found(&store, "name", "kno").await, Ok(1_200));
        store.close().await;
    }

    /// Whoever looks for what thousands are called is shown some, and told so.
    async fn too_many_of_a_name_are_told(backend) {
        let store = backend.open().await;
        store
            .write(|tx| {
                Box::pin(async move {
                    let mut batch = RecordBatch::new();
                    for number in 0..2_001 {
                        let fields = Fields::from([("name".to_owned(), text(&format!("Max {number}")))]);
                        let id = RecordId::from_uuid(fresh());
                        let write = Write::Create { object: "account".to_owned(), id, fields };
                        batch.write(tx, write, &Cause::outside("test"), &mut fresh, at(0)).await?;
                    }
                    batch.flush(tx).await
                })
            })
            .await
            .unwrap();
        let page = async |words: &str| {
            let filter = vec![Condition::new("name", Operator::HasWords, text(words))];
            let order = Order { field: None, descending: true };
            let query = Query { limit: 1, order, ..Query::new("account", filter.clone()) };
            let page = store.record_query(&query).await.unwrap();
            let count = store.record_count("account", &filter).await.unwrap();
            (page.records[0].field("name").to_string(), page.partial, count)
        };
        assert_eq!(page("max").await, ("Max 2000".to_owned(), true, 2_000));
        assert_eq!(page("max 200").await, ("Max 2000".to_owned(), false, 2));
        assert_eq!(page("0 max").await, ("Max 0".to_owned(), false, 1));
    }

    async fn money_compares_within_a_currency(backend) {
        let store = backend.open().await;
        for amount in ["5 EUR", "50 EUR", "50 USD", "500 JPY"] {
            create(&store, "opportunity", json!({"name": amount, "amount": amount})).await;
        }
        create(&store, "opportunity", json!({"name": "none"})).await;
        let euros = |minor| Value::Money(Money { minor, currency: "EUR".to_owned() });
        for (operator, value, expected) in [
            (Operator::Equal, euros(5_000), vec!["50 EUR"]),
            (Operator::NotEqual, euros(5_000), vec!["5 EUR", "50 USD", "500 JPY", "none"]),
            (Operator::Greater, euros(500), vec!["50 EUR"]),
            (Operator::GreaterOrEqual, Value::Text("5 EUR".to_owned()), vec!["5 EUR", "50 EUR"]),
            (Operator::IsEmpty, Value::Nothing, vec!["none"]),
        ] {
            let query = Query::new("opportunity", vec![Condition::new("amount", operator, value)]);
            let page = store.record_query(&query).await.unwrap();
            let names: Vec<_> = page.records.iter().map(|record| record.field("name").to_string()).collect();
            assert_eq!(names, expected, "{operator:?}");
        }
    }

    async fn records_are_counted_by_the_values_of_a_field(backend) {
        let store = backend.open().await;
        fill(&store).await;
        for amount in ["5 EUR", "5 EUR", "5 USD"] {
            create(&store, "opportunity", json!({"name": amount, "amount": amount})).await;
        }
        let counts = async |object: &str, filter: &[Condition], field: &str| {
            match store.record_count_by(&Query::new(object, filter.to_vec()), field).await {
                Ok(counts) => {
                    let mut counts: Vec<String> = counts
                        .iter()
                        .map(|one| format!("{}: {}", one.value.to_json(), one.count))
                        .collect();
                    counts.sort();
                    counts.join(", ")
                }
                Err(why) => why.to_string(),
            }
        };
        expect![[r#""AT": 1, "DE": 1, null: 2"#]].assert_eq(&counts("lead", &[], "country").await);
        expect!["10: 2, 9.5: 1, null: 1"].assert_eq(&counts("lead", &[], "score").await);
        expect![[r#""5.00 EUR": 2, "5.00 USD": 1"#]]
            .assert_eq(&counts("opportunity", &[], "amount").await);
        let tens = [Condition::equal("score", Value::Number(10.into()))];
        expect![[r#""AT": 1, "DE": 1"#]].assert_eq(&counts("lead", &tens, "country").await);
        let all = Query::new("lead", Vec::new());
        let leads = store.record_query(&all).await.unwrap().records;
        let tied = store.record_count_by(&all, "score").await.unwrap();
        let oldest = |score| {
            let one = tied.iter().find(|one| one.value == score).unwrap();
            let place = leads.iter().position(|lead| lead.reference == one.oldest).unwrap();
            leads[place].field("name").to_string()
        };
        assert_eq!(oldest(Value::Number(10.into())), "a");
        assert_eq!(oldest(Value::Nothing), "d");
        let nobody = [Condition::equal("owner", text("user/00000000000000000000000001"))];
        expect![""].assert_eq(&counts("lead", &nobody, "country").await);
        expect!["tags: has several values at once; count by a field that has one"]
            .assert_eq(&counts("lead", &[], "tags").await);
        expect!["contry: a lead has no such field; did you mean `country`?"]
            .assert_eq(&counts("lead", &[], "contry").await);

        for number in 0..=1_000 {
            create(&store, "team", json!({"name": format!("team {number}")})).await;
        }
        expect!["name: has more than 1000 different values among these; narrow the conditions"]
            .assert_eq(&counts("team", &[], "name").await);
    }

    async fn the_earliest_time_is_found(backend) {
        let store = backend.open().await;
        let earliest = async || store.record_earliest("task", "due_at").await.unwrap();
        assert_eq!(earliest().await, None);
        create(&store, "task", json!({"title": "whenever"})).await;
        assert_eq!(earliest().await, None);
        for second in [30, 10, 20] {
            let due_at = at(second).to_string();
            create(&store, "task", json!({"title": due_at, "due_at": due_at})).await;
        }
        assert_eq!(earliest().await, Some(at(10)));
        let wrong = store.record_earliest("task", "title").await.unwrap_err();
        expect!["title: holds no times, of which one would be the earliest"]
            .assert_eq(&wrong.to_string());
    }

    /// Every order, page by page, yields every record once.
    async fn pages_follow_one_another(backend) {
        let store = backend.open().await;
        fill(&store).await;
        for (field, descending, expected) in [
            (None, false, "a b c d"),
            (None, true, "d c b a"),
            (Some("score"), false, "b a c d"),
            (Some("score"), true, "c a b d"),
            (Some("company_size"), true, "a d c b"),
            (Some("country"), false, "c a b d"),
            (Some("owner"), false, "b a c d"),
        ] {
            for limit in 1..=5 {
                let mut query = Query {
                    order: Order { field: field.map(str::to_owned), descending },
                    limit,
                    ..Query::new("lead", vec![])
                };
                let mut names = Vec::new();
                loop {
                    let page = store.record_query(&query).await.unwrap();
                    assert!(page.records.len() <= limit as usize);
                    names.extend(page.records.iter().map(|record| record.field("name").to_string()));
                    query.after = page.next;
                    if query.after.is_none() {
                        break;
                    }
                }
                assert_eq!(names.join(" "), expected, "{field:?} {descending} {limit}");
            }
        }
    }

    /// A few values of which an index has each in order are looked for one by one, and
    /// what an index has in another order is chosen by its entries first; what comes
    /// of it is as if all had been sorted.
    async fn what_is_looked_for_value_by_value_is_in_one_order(backend) {
        let store = backend.open().await;
        let mut chance = fastrand::Rng::with_seed(7);
        for name in ["ben", "lea"] {
            create(&store, "user", json!({"name": name, "email": format!("{name}@a.example"), "external_id": name})).await;
        }
        let mut all = Vec::new();
        for number in 0..60 {
            let status = ["new", "open", "on_hold", "solved"][chance.usize(..4)];
            let owner = [None, Some("user/ben"), Some("user/lea")][chance.usize(..3)];
            // Several are due at the same time, and some at none.
            let due = chance.bool().then(|| at(chance.i64(0..6)).to_string());
            let fields = json!({"subject": number.to_string(), "status": status, "owner": owner, "reply_due_at": due});
            all.push(create(&store, "ticket", fields).await);
        }
        let one_of = |field: &str, words: &[&str]| {
            let words = words.iter().map(|word| if word.is_empty() { Value::Nothing } else { text(word) });
            Condition::new(field, Operator::OneOf, Value::List(words.collect()))
        };
        let statuses = || one_of("status", &["open", "new", "solved", "open"]);
        let filters = [
            vec![statuses()],
            vec![statuses(), Condition::new("owner", Operator::IsEmpty, Value::Nothing)],
            vec![statuses(), one_of("owner", &["user/lea", "", "user/ben"])],
            vec![statuses(), Condition::new("reply_due_at", Operator::IsEmpty, Value::Nothing)],
            vec![statuses(), Condition::new("reply_due_at", Operator::IsNotEmpty, Value::Nothing)],
            vec![one_of("owner", &["user/lea", ""]), statuses(), one_of("status", &["new", "on_hold", "open"])],
            // An index has these, in another order.
            vec![Condition::equal("owner", text("user/lea"))],
            vec![one_of("owner", &["user/lea", ""]), Condition::equal("reply_due_at", Value::Nothing)],
        ];
        let mut looks = 0;
        for filter in &filters {
            let found = store.record_query(&Query::new("ticket", filter.clone())).await.unwrap().records;
            assert!((3..60).contains(&found.len()), "{filter:?}");
            for (field, descending) in [(None, false), (None, true), (Some("reply_due_at"), false), (Some("reply_due_at"), true)] {
                let mut expected: Vec<&Record> = all.iter().filter(|ticket| found.iter().any(|one| one.reference == ticket.reference)).collect();
                expected.sort_by_key(|ticket| {
                    let due = field.and_then(|field: &str| ticket.field(field).as_time());
                    let millis = due.map_or(0, Timestamp::as_millisecond);
                    let place = if descending { -millis } else { millis };
                    (field.is_some() && due.is_none(), place)
                });
                // Those that have the same are by age, in the same direction.
                if descending {
                    for same in expected.chunk_by_mut(|a, b| field.is_none_or(|field| a.field(field) == b.field(field))) {
                        same.reverse();
                    }
                }
                let expected: Vec<String> = expected.iter().map(|ticket| ticket.reference.key.clone()).collect();
                for limit in [1, 7, 40] {
                    let mut query = Query {
                        order: Order { field: field.map(str::to_owned), descending },
                        limit,
                        ..Query::new("ticket", filter.clone())
                    };
                    let mut keys = Vec::new();
                    loop {
                        let page = store.record_query(&query).await.unwrap();
                        keys.extend(page.records.into_iter().map(|record| record.reference.key));
                        looks += 1;
                        query.after = page.next;
                        if query.after.is_none() {
                            break;
                        }
                    }
                    assert_eq!(keys, expected, "{filter:?} {field:?} {descending} {limit}");
                }
            }
        }
        assert!(looks > 100);
    }
}

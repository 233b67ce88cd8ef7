use std::sync::atomic::{AtomicU64, Ordering};

use relata_engine::Run;
use relata_model::{Reference, RunId};
use relata_store::{Cause, LogRow, NewRun, PastFilter, RecordError, Store, Write};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::backend::*;

/// The next id of a second, as the host draws them: sorted by time.
fn of_second(seconds: i64) -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let millis = u128::try_from(at(seconds).as_millisecond()).unwrap();
    Uuid::from_u128(millis << 80 | u128::from(NEXT.fetch_add(1, Ordering::Relaxed)))
}

async fn put(store: &Store, the_write: Write, seconds: i64) -> Reference {
    let written = store.write(move |tx| {
        Box::pin(async move {
            let cause = Cause::outside("test");
            tx.record_write(the_write, &cause, &mut || of_second(seconds), at(seconds)).await
        })
    });
    written.await.map_err(|why: RecordError| why.to_string()).unwrap().record.reference
}

async fn name_before(store: &Store, record: &Reference, seconds: i64) -> String {
    let place = store.event_place(at(seconds)).await.unwrap();
    match store.record_before(record, place).await.unwrap() {
        None => "as now".to_owned(),
        Some(None) => "not there yet".to_owned(),
        Some(Some(fields)) => fields["name"].to_string(),
    }
}

fn answer(run: &Run, seq: u64, action: &str, input: Json) -> LogRow {
    LogRow {
        seq,
        step: "steps[0]".to_owned(),
        rounds: String::new(),
        label: format!("do: {action}"),
        attempt: 1,
        kind: "done".to_owned(),
        action: Some(action.to_owned()),
        plugin: Some("9f86d081".to_owned()),
        input: Some(input),
        output: Some(json!({ "run": run.id.to_string() })),
        explanation: None,
        error: None,
        at: at(1),
        cpu_us: 0,
        wait_ms: 0,
        memory_bytes: 0,
        host_calls: 0,
        http_calls: 0,
    }
}

fn begun_at(seconds: i64, key: &str) -> Run {
    Run {
        id: RunId::from_uuid(of_second(seconds)),
        key: Some(key.to_owned()),
        started_at: at(seconds),
        ..run("survey")
    }
}

on_each_backend! {
    async fn the_log_is_read_from_a_time_on_and_tells_how_records_were(backend) {
        let store = backend.open().await;
        let sales = put(&store, new(&store, "team", json!({"name": "Sales"})), 10).await;
        put(&store, change(&store, &sales, json!({"name": "Field sales"})), 20).await;
        put(&store, change(&store, &sales, json!({"name": "Key accounts"})), 30).await;
        let place = store.event_place(at(20)).await.unwrap();
        let page = store.event_page(place, 1).await.unwrap();
        assert_eq!(page.iter().map(|event| event.happening.at).collect::<Vec<_>>(), [at(20)]);
        let rest = store.event_page(page[0].seq + 1, 10).await.unwrap();
        assert_eq!(rest.iter().map(|event| event.happening.at).collect::<Vec<_>>(), [at(30)]);
        assert_eq!(store.event_page(store.event_place(at(31)).await.unwrap(), 10).await.unwrap(), []);
        let mut was = Vec::new();
        for seconds in [10, 11, 20, 21, 31] {
            was.push(name_before(&store, &sales, seconds).await);
        }
        assert_eq!(was, ["not there yet", "Sales", "Sales", "Field sales", "as now"]);
    }

    async fn records_that_left_a_field_are_found(backend) {
        let store = backend.open().await;
        let anna = put(&store, new(&store, "contact", json!({"name": "Anna"})), 0).await;
        let ticket = async |subject: &str| {
            let fields = json!({"subject": subject, "customer": anna.to_string()});
            put(&store, new(&store, "ticket", fields), 1).await
        };
        let (moved, gone, kept) = (ticket("moved").await, ticket("gone").await, ticket("kept").await);
        put(&store, change(&store, &moved, json!({"customer": null})), 5).await;
        put(&store, change(&store, &kept, json!({"subject": "another"})), 6).await;
        let delete = Write::Delete { reference: gone.clone(), if_revision: None };
        put(&store, delete, 7).await;
        let since = async |seconds| {
            let place = store.event_place(at(seconds)).await.unwrap();
            let mut found = store.record_moved("ticket", "customer", place).await.unwrap();
            found.sort();
            found
        };
        let mut both = vec![moved, gone.clone()];
        both.sort();
        assert_eq!(since(2).await, both);
        assert_eq!(since(6).await, [gone]);
    }

    async fn calls_and_past_runs_are_read_page_by_page(backend) {
        let store = backend.open().await;
        let runs = [begun_at(0, "contact/anna"), begun_at(5, "contact/bert"), begun_at(9, "contact/anna")];
        for the_run in &runs {
            let log = vec![
                answer(the_run, 2, "mail.send", json!({"to": "lead/1"})),
                answer(the_run, 3, "task.create", json!({"title": "Call"})),
            ];
            let new: NewRun = NewRun { log, ..beginning(the_run.clone(), None) };
            begin(&store, new).await;
        }
        let actions = ["mail.send".to_owned()];
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = store.call_page(&actions, at(3), after, 1).await.unwrap();
            let Some(row) = page.into_iter().next() else { break };
            after = Some((row.run, row.seq));
            assert_eq!((row.action.as_str(), row.input.as_str()), ("mail.send", r#"{"to":"lead/1"}"#));
            found.push(row.run);
        }
        assert_eq!(found, [runs[1].id, runs[2].id]);
        let row = store.log_fetch(runs[1].id, 3).await.unwrap().unwrap();
        assert_eq!(row.action.as_deref(), Some("task.create"));
        assert_eq!(store.log_fetch(runs[1].id, 9).await.unwrap(), None);

        let mut filter = PastFilter {
            workflow: "survey".to_owned(),
            before: at(9),
            counted_from: Some("steps[0]".to_owned()),
        };
        let past = store.run_past(&filter, None, 10).await.unwrap();
        assert_eq!(
            past.iter().map(|past| (past.run, past.key.as_str(), past.counted_at)).collect::<Vec<_>>(),
            [(runs[0].id, "contact/anna", Some(at(1))), (runs[1].id, "contact/bert", Some(at(1)))],
        );
        filter.counted_from = None;
        let past = store.run_past(&filter, Some(runs[0].id), 10).await.unwrap();
        assert_eq!(past.iter().map(|past| past.counted_at).collect::<Vec<_>>(), [None]);
        assert_eq!(store.run_count_between("survey", at(1), at(9)).await.unwrap(), 2);
        let counts = store.call_counts("survey", at(1), at(9)).await.unwrap();
        assert_eq!(
            counts,
            [("mail.send".to_owned(), [2, 0, 0]), ("task.create".to_owned(), [2, 0, 0])]
        );
        assert_eq!(store.not_started_between("survey", (at(0), at(9)), 0, 9).await.unwrap(), []);
    }
}

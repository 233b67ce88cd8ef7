//! A database with the tables of migration 0001, opened by this version:
//! everything reads, and what was under way goes on.
//!
//! `data/first_tables.sql` has three contacts, one of them with an event that
//! no trigger has seen, two runs of `greet` (one ended, one asleep), and one
//! of a schedule. A released file never changes; a later version adds its own.

use relata_engine::{Due, Input, decide, due, watches};
use relata_model::Value;
use relata_store::{Condition, Operator, RunCommit, RunFilter, RunSearch, Store, backup};
use relata_workflow::{Definition, Facts};
use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};

use crate::backend::*;

const FIRST_TABLES: &str = include_str!("data/first_tables.sql");

async fn old() -> (Backend, Store) {
    let backend = Backend::sqlite();
    // A dump makes its tables in the order of their names.
    let options = SqliteConnectOptions::new()
        .filename(backend.path())
        .create_if_missing(true)
        .foreign_keys(false);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(FIRST_TABLES).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let store = backend.open().await;
    (backend, store)
}

async fn definition(store: &Store, digest: &str) -> Definition {
    let version = store.workflow_version(digest).await.unwrap().unwrap();
    serde_json::from_str(&version.compiled).unwrap()
}

#[tokio::test]
async fn the_first_tables_read() {
    let (backend, store) = old().await;
    let runs = store.run_list(&RunFilter::default(), 9).await.unwrap();
    let told: Vec<String> = runs
        .iter()
        .map(|row| {
            format!(
                "{} ended={} due={}",
                row.run.workflow,
                row.ended_at.is_some(),
                row.due_at.is_some()
            )
        })
        .collect();
    assert_eq!(
        told,
        ["greet ended=true due=false", "daily ended=true due=false", "greet ended=false due=true"]
    );
    for row in &runs {
        let log = store.run_log(row.run.id).await.unwrap();
        assert_eq!(log.len() as u64, row.run.seq);
        let definition = definition(&store, &row.run.version).await;
        assert_eq!(definition.name, row.run.workflow);
    }
    let search = RunSearch { text: Some("call".to_owned()), ..RunSearch::default() };
    assert_eq!(store.run_search(&search, 9).await.unwrap().len(), 2);
    let named = [Condition::new("name", Operator::HasWords, Value::Text("bert".to_owned()))];
    assert_eq!(store.record_count("contact", &named).await.unwrap(), 1);
    let contacts = store.record_count("contact", &[]).await.unwrap();
    assert_eq!((contacts, store.record_count("task", &[]).await.unwrap()), (3, 3));
    assert_eq!(store.event_pending(9).await.unwrap().len(), 1);
    assert_eq!(store.schedule_list().await.unwrap().len(), 1);
    assert_eq!(store.pause_list().await.unwrap(), []);
    assert_eq!(store.run_stranded().await.unwrap(), []);
    assert_eq!(store.health_faults().await.unwrap(), Vec::<String>::new());
    for name in ["anna", "bert"] {
        let contact =
            store.record_fetch(&reference(&format!("contact/{name}"))).await.unwrap().unwrap();
        let place = store.enrolment_fetch("greet", &contact.reference.to_string()).await.unwrap();
        assert_eq!(place.unwrap().running, name == "bert");
    }

    // Opened once more there is nothing left to bring up, and a backup of it
    // is one of this version.
    store.close().await;
    let store = backend.open().await;
    let folder = tempfile::tempdir().unwrap();
    let report = backup(&backend.path(), &folder.path().join("copy.db")).await.unwrap();
    assert_eq!((report.rows["relata_run"], report.rows["contact"]), (3, 3));
    store.close().await;
}

#[tokio::test]
async fn a_run_of_the_first_tables_goes_on() {
    let (_backend, store) = old().await;
    let runs = store.run_list(&RunFilter::default(), 9).await.unwrap();
    let now = runs[2].due_at.unwrap();
    let claimed = store.run_claim("this version", now, 30_000, 9).await.unwrap().remove(0);
    assert_eq!(claimed.run, runs[2].run);
    let definition = definition(&store, &claimed.run.version).await;
    let facts = Facts::default();
    let mut run = claimed.run.clone();
    let events = decide(&definition, &run, Input::Wake, &facts, now).unwrap();
    assert_eq!(events.len(), 1, "the time has come: {events:?}");
    for event in &events {
        run.apply(&definition, event);
    }
    let Due::Call(call) = due(&definition, &run, &facts, now).unwrap() else {
        panic!("the second task is owed")
    };
    assert_eq!(call.action, "task.create");
    let next = RunCommit {
        watches: Some(watches(&definition, &run)),
        seq_before: claimed.run.seq,
        due_at: Some(now),
        run: run.clone(),
        ..next(&claimed)
    };
    commit(&store, next, now).await.unwrap();
    assert_eq!(store.run_fetch(run.id).await.unwrap().unwrap().run, run);
}

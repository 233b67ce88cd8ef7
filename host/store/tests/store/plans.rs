//! What a server reads of its tables: what is wanted, by an index, also with a plan
//! that was made while there was next to nothing in them.

use std::{sync::Arc, time::Duration};

use relata_engine::Watch;
use relata_model::Objects;
use relata_store::{Claimed, NewRun, Place, ReadyRun, RunCommit, Store, StoreConfig};

use crate::{
    backend::*,
    postgres::{Database, Postgres},
};

const LEASE: i64 = 30_000;

/// So many runs are there when it is looked at what a step reads.
const MANY: u64 = 2_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_reads_its_own_run_however_many_there_are() {
    let database = Postgres::shared().database();
    let place = Place::Server(database.url().parse().unwrap());
    let objects = Arc::new(Objects::standard());
    let store = Store::open(&StoreConfig::at(place), objects).await.unwrap();
    begin(&store, beginning(run("w"), Some(at(0)))).await;
    let mut held = store.run_claim("host", at(0), LEASE, 1).await.unwrap().remove(0);
    // A statement keeps its plan from the sixth time on.
    steps(&store, &mut held, 10).await;
    let sleeping: Vec<ReadyRun> = (0..MANY)
        .map(|number| NewRun {
            watches: [Watch::event("survey.answered", format!("contact/{number}"))].into(),
            ..beginning(run("w"), Some(at(9_999)))
        })
        .map(|new| new.ready().unwrap())
        .collect();
    store
        .write(move |tx| {
            Box::pin(async move { tx.run_insert_all(&sleeping.iter().collect::<Vec<_>>()).await })
        })
        .await
        .unwrap();
    steps(&store, &mut held, 20).await;
    store.close().await;
    let read = read(&database).await;
    // Their own insertion reads some of them again. One statement that reads them all at
    // each step would be twenty times as many.
    assert!(read < 5 * MANY, "20 steps of one run among {MANY} read {read} rows");
}

async fn steps(store: &Store, held: &mut Claimed, count: usize) {
    for _ in 0..count {
        store.run_begin(held.run.id, held.epoch, at(99)).await.unwrap();
        let watch = Watch::event("survey.answered", "lead/1");
        let step = RunCommit {
            watches: Some([watch.clone()].into()),
            keep_lease_until: Some(at(99)),
            ..next(held)
        };
        held.run = step.run.clone();
        commit(store, step, at(1)).await.unwrap();
        let told = store.write(move |tx| Box::pin(async move { tx.waiter_runs(&[watch]).await }));
        assert_eq!(told.await.unwrap(), [held.run.id]);
    }
}

/// How many rows of the runs and of what they listen for were read, once all who
/// read have said so, which they do at their end.
async fn read(database: &Database<'_>) -> u64 {
    let others = "SELECT COUNT(*) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for _ in 0..100 {
        if database.sql(others).trim() == "0" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let read = database.sql(
        "SELECT (SELECT SUM(idx_tup_read) FROM pg_stat_user_indexes
                 WHERE relname IN ('relata_run', 'relata_waiter', 'relata_inbox'))
              + (SELECT SUM(seq_tup_read) FROM pg_stat_user_tables
                 WHERE relname IN ('relata_run', 'relata_waiter', 'relata_inbox'))",
    );
    read.trim().parse().unwrap()
}

//! A server that does not answer any more: as where a firewall has forgotten the
//! connection, or a process of the server's was stopped.

use std::{process::Command, sync::Arc, time::Duration};

use relata_model::Objects;
use relata_store::{Place, RecordError, Store, StoreConfig, StoreError};
use serde_json::json;

use crate::{
    backend::{create, set},
    postgres::Postgres,
};

/// Sends a signal to all processes in which the server serves the store; answers how
/// many these are.
fn signal(server: &Postgres, signal: &str) -> usize {
    let serving = server.sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'relata'");
    let sent = Command::new("kill").arg(signal).args(serving.lines()).status().unwrap();
    assert!(sent.success(), "kill {signal} {serving}");
    serving.lines().count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_hangs_is_given_up() {
    let server = Postgres::own();
    let database = server.database();
    // Longer than a busy machine takes for a statement.
    let patience = Duration::from_secs(3);
    let place = Place::Server(database.url().parse().unwrap());
    let config = StoreConfig { readers: 1, patience, ..StoreConfig::at(place) };
    let store = Store::open(&config, Arc::new(Objects::standard())).await.unwrap();
    let team = create(&store, "team", json!({"name": "t"})).await.reference;
    let read = async || store.record_fetch(&team).await.map(|found| found.unwrap());
    read().await.unwrap();

    assert!(signal(&server, "-STOP") >= 2, "the writer and the reader");
    // Whoever reads is told; whoever writes is not, since it is done over another connection.
    let both = async { tokio::join!(read(), set(&store, &team, json!({"name": "other"}))) };
    let given_up = tokio::time::timeout(10 * patience, both).await;
    let (told, written) = given_up.expect("who waits for a server that hangs gives it up");
    assert!(matches!(told, Err(RecordError::Store(StoreError::Lost(_)))), "{told:?}");
    assert_eq!(written.revision, 2);
    assert_eq!(read().await.unwrap().revision, 2);

    signal(&server, "-CONT");
}

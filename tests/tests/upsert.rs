//! One record in two systems: the same record put by many at once, through hosts
//! that share a database, is one record.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use relata_app::model::Reference;
use relata_tests::{Backend, Place, Postgres, open};
use serde_json::json;
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_many_put_at_once_is_one_record() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = Postgres::shared();
    let database = postgres.database();
    let mut hosts = Vec::new();
    for name in ["a", "b", "c"] {
        let backend = Backend::Postgres { url: database.url() };
        let place = Place { root: folder.path().join(name), backend };
        place.initialize();
        hosts.push(open(&place).await);
    }
    for round in 0..10 {
        let mut putting = JoinSet::new();
        for (number, app) in hosts.iter().cycle().take(12).enumerate() {
            let app = app.clone();
            putting.spawn(async move {
                let reference = Reference::new("contact", format!("shop-{round}"));
                let fields = json!({ "name": format!("Anna {number}") });
                app.put_record(&reference, fields.as_object().unwrap(), "test").await.unwrap()
            });
        }
        let put = putting.join_all().await;
        assert_eq!(put.iter().filter(|put| put.created).count(), 1, "round {round}");
        let ids: std::collections::BTreeSet<String> =
            put.iter().map(|put| put.record.reference.to_string()).collect();
        assert_eq!(ids.len(), 1, "round {round}");
    }
    assert_eq!(hosts[0].records_all("contact").await.unwrap().len(), 10);
}

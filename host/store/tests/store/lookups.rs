use std::sync::Arc;

use futures::poll;
use relata_model::{Objects, Reference};
use relata_store::{Store, StoreConfig};
use serde_json::json;

use crate::backend::*;

/// What a reference leads to: the name of a record, or why there is none.
async fn resolved(store: &Store, reference: &str) -> String {
    let reference: Reference = reference.parse().unwrap();
    match store.records_resolve(&[reference]).await.unwrap().remove(0) {
        Ok(record) => record.field("name").to_json().to_string(),
        Err(why) => why,
    }
}

on_each_backend! {
    async fn records_that_are_asked_for_at_once_are_found_by_all(backend) {
        let store = backend.open().await;
        let mut asked = Vec::new();
        for number in 0..20 {
            let name = format!("queue {number}");
            let fields = json!({"name": name, "external_id": format!("q-{number}")});
            let queue = create(&store, "queue", fields).await;
            asked.push((queue.reference.to_string(), format!("{name:?}")));
            asked.push((format!("queue/q-{number}"), format!("{name:?}")));
        }
        let team = create(&store, "team", json!({"name": "DACH", "external_id": "q-1"})).await;
        asked.push((team.reference.to_string(), "\"DACH\"".to_owned()));
        asked.push(("team/q-1".to_owned(), "\"DACH\"".to_owned()));
        // Another object's id, a name with a slip, and an object that there is not.
        asked.push((
            team.reference.to_string().replace("team/", "queue/"),
            format!("there is no queue `{}`", team.reference.key),
        ));
        asked.push(("team/q-2".to_owned(), "there is no team `q-2`; did you mean `q-1`?".to_owned()));
        asked.push(("teem/q-1".to_owned(), "there is no object `teem`; did you mean `team`?".to_owned()));
        let asking = asked.iter().map(|(reference, _)| resolved(&store, reference));
        let found = futures::future::join_all(asking).await;
        let expected: Vec<&str> = asked.iter().map(|(_, found)| found.as_str()).collect();
        assert_eq!(found, expected);
        // In the order of the question, and one twice.
        let several: Vec<Reference> =
            ["queue/q-7", "team/q-1", "queue/q-7"].map(|text| text.parse().unwrap()).into();
        let names: Vec<String> = store.records_resolve(&several).await.unwrap().into_iter()
            .map(|found| found.unwrap().field("name").to_json().to_string()).collect();
        assert_eq!(names, ["\"queue 7\"", "\"DACH\"", "\"queue 7\""]);
    }

    async fn whoever_reads_for_others_may_go_away(backend) {
        let config = StoreConfig { readers: 1, ..backend.config() };
        let store = Store::open(&config, Arc::new(Objects::standard())).await.unwrap();
        create(&store, "queue", json!({"name": "Unassigned", "external_id": "one"})).await;
        let mut first = Box::pin(resolved(&store, "queue/one"));
        let mut second = Box::pin(resolved(&store, "queue/one"));
        let third = resolved(&store, "queue/one");
        tokio::pin!(third);
        // Nobody has read before the only reader is given back.
        let reader = store.read().await.unwrap();
        assert!(poll!(&mut first).is_pending(), "the first reads");
        assert!(poll!(&mut second).is_pending() && poll!(&mut third).is_pending(), "they wait");
        drop(first);
        assert!(poll!(&mut second).is_pending(), "the second reads for the third as well");
        drop(second);
        drop(reader);
        assert_eq!(third.await, "\"Unassigned\"");
    }
}

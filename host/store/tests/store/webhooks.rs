use relata_engine::HappeningKind;
use relata_model::{EventId, Value};
use relata_store::{Cause, NewEvent, Store};
use serde_json::json;

use crate::backend::*;

fn call(number: u128) -> NewEvent {
    NewEvent {
        id: event_id(number),
        at: at(0),
        kind: HappeningKind::Named {
            name: "webhook:shop".to_owned(),
            key: None,
            about: Vec::new(),
            data: Value::from_json(&json!({ "number": 7 })),
        },
        cause: Cause::outside("webhook/shop"),
    }
}

async fn receive(
    store: &Store,
    webhook: &'static str,
    id: Option<&'static str>,
    event: u128,
) -> (EventId, bool) {
    let event = call(event);
    store
        .write(move |tx| Box::pin(async move { tx.webhook_receive(webhook, id, &event).await }))
        .await
        .unwrap()
}

on_each_backend! {
    async fn a_call_is_taken_in_once(backend) {
        let store = backend.open().await;
        assert_eq!(store.webhook_call("shop", "msg_1").await.unwrap(), None);
        assert_eq!(receive(&store, "shop", Some("msg_1"), 1).await, (event_id(1), true));
        assert_eq!(receive(&store, "shop", Some("msg_1"), 2).await, (event_id(1), false));
        assert_eq!(store.webhook_call("shop", "msg_1").await.unwrap(), Some(event_id(1)));
        // Another sender may count in the same way; without an id each call
        // is another one.
        assert_eq!(receive(&store, "fair", Some("msg_1"), 3).await, (event_id(3), true));
        assert_eq!(receive(&store, "shop", None, 4).await, (event_id(4), true));
        assert_eq!(receive(&store, "shop", None, 5).await, (event_id(5), true));
        let pending = store.event_pending(100).await.unwrap();
        let ids: Vec<EventId> = pending.iter().map(|happening| happening.id).collect();
        assert_eq!(ids, [event_id(1), event_id(3), event_id(4), event_id(5)]);
    }

    async fn of_many_at_once_one_is_the_first(backend) {
        let store = backend.open().await;
        let calls = (1..=8).map(|number| {
            let store = store.clone();
            tokio::spawn(async move { receive(&store, "shop", Some("msg_1"), number).await })
        });
        let mut answers = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            answers.push(call.await.unwrap());
        }
        assert_eq!(answers.iter().filter(|(_, first)| *first).count(), 1);
        assert!(answers.iter().all(|(event, _)| *event == answers[0].0), "{answers:?}");
        assert_eq!(store.event_pending(100).await.unwrap().len(), 1);
    }
}

//! Breakers: when they open, who may try, and that they close.

use relata_store::Way;

use crate::{backend::*, leases::mail};

/// Counts a failure, where it was not opened after a time.
async fn fails(store: &relata_store::Store, before: i64) -> Option<u32> {
    store
        .write(move |tx| {
            Box::pin(async move { tx.breaker_fail("mx:25", "no answer", at(before)).await })
        })
        .await
        .unwrap()
}

on_each_backend! {
    async fn a_breaker_opens_is_tried_once_and_closes(backend) {
        let store = backend.open().await;
        assert_eq!(store.breaker_fetch("mx:25").await.unwrap(), None);
        assert_eq!(fails(&store, -30).await, Some(1));
        assert_eq!(fails(&store, -30).await, Some(2));
        store.write(|tx| Box::pin(async move { tx.breaker_open("mx:25", at(2), at(32)).await })).await.unwrap();
        // The late answers to what was sent before.
        assert_eq!(fails(&store, -27).await, None);
        let row = store.breaker_fetch("mx:25").await.unwrap().unwrap();
        assert_eq!((row.failures, row.is_open(), row.probe_at), (2, true, Some(at(32))));

        // One of two hosts may try, and only when it is time.
        let probe = |seconds: i64| {
            let store = store.clone();
            async move {
                store
                    .write(move |tx| Box::pin(async move { tx.breaker_probe("mx:25", at(seconds), at(92)).await }))
                    .await
                    .unwrap()
            }
        };
        assert!(!probe(31).await);
        assert!(probe(32).await);
        assert!(!probe(33).await);
        assert_eq!(fails(&store, 4).await, Some(3));

        let id = relata_model::EffectId::from_uuid(fresh());
        store.write(move |tx| Box::pin(async move { tx.outbox_put(&mail(id), at(0)).await })).await.unwrap();
        assert!(store.outbox_due(at(40)).await.unwrap());
        let off = store.write(|tx| Box::pin(async move { tx.outbox_postpone(Way::Mail, at(40), at(92), "mx:25 does not answer").await }));
        assert_eq!(off.await.unwrap(), 1);
        assert!(!store.outbox_due(at(40)).await.unwrap());
        let effect = store.outbox_fetch(id).await.unwrap().unwrap();
        assert_eq!((effect.attempts, effect.due_at), (0, Some(at(92))));

        assert!(store.write(|tx| Box::pin(async move { tx.breaker_close("mx:25").await })).await.unwrap());
        assert_eq!(store.breaker_list().await.unwrap(), []);
    }
}

use relata_model::EffectId;
use relata_store::{Delivery, EffectFilter, EffectStatus, NewEffect, Put, Store, Way};
use serde_json::json;

use crate::{backend::*, leases::mail};

async fn put(store: &Store, effect: NewEffect) -> bool {
    store
        .write(move |tx| Box::pin(async move { tx.outbox_put(&effect, at(0)).await }))
        .await
        .unwrap()
}

async fn settle(
    store: &Store,
    id: EffectId,
    attempts: u32,
    delivery: Delivery,
    seconds: i64,
) -> bool {
    store
        .write(move |tx| {
            Box::pin(async move { tx.outbox_settle(id, attempts, &delivery, at(seconds)).await })
        })
        .await
        .unwrap()
}

async fn status(store: &Store, id: EffectId) -> EffectStatus {
    store.outbox_fetch(id).await.unwrap().unwrap().status
}

on_each_backend! {
    async fn a_step_says_what_becomes_of_what_nobody_knows(backend) {
        use relata_workflow::IfUnknown;

        let store = backend.open().await;
        let mut ids = Vec::new();
        for if_unknown in [IfUnknown::Retry, IfUnknown::Hold, IfUnknown::Skip] {
            let id = EffectId::from_uuid(fresh());
            put(&store, NewEffect { if_unknown, ..mail(id) }).await;
            assert_eq!(store.outbox_fetch(id).await.unwrap().unwrap().if_unknown, if_unknown);
            ids.push(id);
        }
        assert_eq!(store.outbox_claim(Way::Mail, at(1), 60_000, 9).await.unwrap().len(), 3);
        let recovered = store.write(|tx| Box::pin(async move { tx.outbox_recover(false, true, at(2)).await }));
        assert_eq!(recovered.await.unwrap(), 3);
        let mut after = Vec::new();
        for id in ids {
            after.push(status(&store, id).await);
        }
        assert_eq!(after, [EffectStatus::Due, EffectStatus::Unknown, EffectStatus::Suppressed]);
    }

    async fn an_effect_is_kept_once_and_tried_until_it_is_sent(backend) {
        let store = backend.open().await;
        let id = EffectId::from_uuid(fresh());
        assert!(put(&store, mail(id)).await);
        assert!(!put(&store, NewEffect { body: json!({"text": "Other"}), ..mail(id) }).await);
        assert_eq!(store.outbox_next_due().await.unwrap(), Some(at(0)));

        let claimed = store.outbox_claim(Way::Mail, at(0), 30_000, 9).await.unwrap();
        assert_eq!((claimed.len(), claimed[0].attempts, &claimed[0].body), (1, 1, &json!({"text": "Hello"})));
        assert_eq!(store.outbox_claim(Way::Mail, at(0), 30_000, 9).await.unwrap(), []);
        let again = Delivery::Again { at: at(60), why: "the mail server is busy".to_owned() };
        assert!(settle(&store, id, 1, again, 1).await);
        assert_eq!(store.outbox_claim(Way::Mail, at(59), 30_000, 9).await.unwrap(), []);

        let claimed = store.outbox_claim(Way::Mail, at(60), 30_000, 9).await.unwrap();
        assert_eq!((claimed[0].attempts, claimed[0].reason.as_deref()), (2, Some("the mail server is busy")));
        let sent = || Delivery::Sent { receipt: Some("<fx@relata>".to_owned()) };
        // The first attempt's answer comes late, and counts for nothing.
        assert!(!settle(&store, id, 1, sent(), 61).await);
        assert!(settle(&store, id, 2, sent(), 61).await);
        assert!(!settle(&store, id, 2, sent(), 62).await);
        let effect = store.outbox_fetch(id).await.unwrap().unwrap();
        assert_eq!((effect.status, effect.sent_at, effect.reason), (EffectStatus::Sent, Some(at(61)), None));
        assert_eq!(effect.receipt.as_deref(), Some("<fx@relata>"));
        assert!(!put(&store, mail(id)).await, "what is sent is not sent again");
    }

    async fn what_a_crash_left_half_done_is_not_repeated_by_itself(backend) {
        let store = backend.open().await;
        let id = EffectId::from_uuid(fresh());
        put(&store, mail(id)).await;
        for (repeatable, after) in [(true, EffectStatus::Due), (false, EffectStatus::Unknown)] {
            assert_eq!(store.outbox_claim(Way::Mail, at(1), 30_000, 9).await.unwrap().len(), 1);
            let count = store
                .write(move |tx| Box::pin(async move { tx.outbox_recover(repeatable, true, at(1)).await }))
                .await
                .unwrap();
            assert_eq!((count, status(&store, id).await), (1, after));
        }
        assert_eq!(store.outbox_claim(Way::Mail, at(99), 30_000, 9).await.unwrap(), []);
        assert!(store.write(move |tx| Box::pin(async move { tx.outbox_resume(id, at(2)).await })).await.unwrap());
        assert_eq!(store.outbox_claim(Way::Mail, at(2), 30_000, 9).await.unwrap().len(), 1);
    }

    async fn a_cap_counts_what_goes_out(backend) {
        let store = backend.open().await;
        let ids: Vec<EffectId> = (0..5).map(|_| EffectId::from_uuid(fresh())).collect();
        put(&store, mail(ids[0])).await;
        store.outbox_claim(Way::Mail, at(0), 30_000, 9).await.unwrap();
        settle(&store, ids[0], 1, Delivery::Sent { receipt: None }, 10).await;
        put(&store, mail(ids[1])).await;
        put(&store, NewEffect { status: EffectStatus::Held, ..mail(ids[2]) }).await;
        put(&store, NewEffect { status: EffectStatus::Suppressed, ..mail(ids[3]) }).await;
        put(&store, NewEffect { workflow: Some("other".to_owned()), ..mail(ids[4]) }).await;
        for (since, count) in [(0, 2), (10, 1), (11, 1)] {
            assert_eq!(store.outbox_sent_since("win-back", at(since)).await.unwrap(), count, "{since}");
        }
        let held = EffectFilter { status: Some(EffectStatus::Held), ..EffectFilter::default() };
        assert_eq!(store.outbox_list(&held, 9).await.unwrap().len(), 1);
        let theirs = EffectFilter { workflow: Some("win-back".to_owned()), ..EffectFilter::default() };
        let listed = store.outbox_list(&theirs, 9).await.unwrap();
        assert_eq!(listed.iter().map(|effect| effect.id).collect::<Vec<_>>(), ids[..4]);
        assert!(store.write({
            let id = ids[2];
            move |tx| Box::pin(async move { tx.outbox_suppress(id, "the owner said no").await })
        }).await.unwrap());
        assert_eq!(status(&store, ids[2]).await, EffectStatus::Suppressed);
    }

    async fn a_plugin_keeps_state_under_a_revision(backend) {
        let store = backend.open().await;
        let put = |value: Option<serde_json::Value>, if_revision, expires, now| {
            let store = store.clone();
            async move {
                store
                    .write(move |tx| {
                        Box::pin(async move {
                            tx.state_put("assign", "turn", value.as_ref(), if_revision, expires, at(now)).await
                        })
                    })
                    .await
                    .unwrap()
            }
        };
        assert_eq!(put(Some(json!({"at": 1})), Some(0), None, 0).await, Put::Kept(1));
        assert_eq!(put(Some(json!({"at": 2})), Some(0), None, 0).await, Put::Conflict(1));
        assert_eq!(put(Some(json!({"at": 2})), Some(1), Some(at(10)), 0).await, Put::Kept(2));
        assert_eq!(store.state_get("assign", "turn", at(9)).await.unwrap().unwrap().value, json!({"at": 2}));
        assert_eq!(store.state_get("assign", "turn", at(10)).await.unwrap(), None);
        assert_eq!(store.state_get("other", "turn", at(0)).await.unwrap(), None);
        assert_eq!(put(Some(json!(3)), Some(0), None, 10).await, Put::Kept(1));
        assert_eq!(put(None, Some(7), None, 10).await, Put::Conflict(1));
        assert_eq!(put(None, None, None, 10).await, Put::Kept(0));
        assert_eq!(store.state_get("assign", "turn", at(10)).await.unwrap(), None);

        for value in [json!({"now": 1}), json!("later")] {
            let kept = value.clone();
            store.write(move |tx| Box::pin(async move { tx.setting_put("clock", &kept).await })).await.unwrap();
            assert_eq!(store.setting_get("clock").await.unwrap(), Some(value));
        }
        assert_eq!(store.setting_get("other").await.unwrap(), None);
    }
}

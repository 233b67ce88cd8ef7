use relata_store::{Fire, NewSchedule, NewVersion, Store};
use relata_workflow::IfMissed;

use crate::backend::*;

fn schedule(cron: &str, next: i64) -> NewSchedule {
    NewSchedule {
        trigger: 0,
        cron: cron.to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        if_missed: IfMissed::Once,
        next_at: Some(at(next)),
    }
}

async fn activate(store: &Store, schedules: Vec<NewSchedule>) {
    let version = NewVersion {
        name: "report".to_owned(),
        digest: "d1".to_owned(),
        source: String::new(),
        compiled: "{}".to_owned(),
        schedules,
        actor: "test".to_owned(),
    };
    store
        .write(move |tx| Box::pin(async move { tx.workflow_activate(&version, at(0)).await }))
        .await
        .unwrap();
}

async fn fire(store: &Store, nominal: i64, fire: Fire) -> bool {
    store
        .write(move |tx| {
            Box::pin(async move {
                tx.schedule_fire("report", 0, at(nominal), &fire, at(nominal + 1)).await
            })
        })
        .await
        .unwrap()
}

on_each_backend! {
    async fn a_fire_happens_once(backend) {
        let store = backend.open().await;
        activate(&store, vec![schedule("0 0 9 * * * *", 100)]).await;
        assert_eq!(store.schedule_due(at(99)).await.unwrap(), []);
        assert_eq!(store.schedule_due(at(100)).await.unwrap().len(), 1);
        assert_eq!(store.schedule_next().await.unwrap(), Some(at(100)));
        assert!(fire(&store, 100, Fire::Fired { run: None }).await);
        assert!(!fire(&store, 100, Fire::Fired { run: None }).await);
        let missed = Fire::Missed { reason: "the host was away".to_owned() };
        assert!(fire(&store, 200, missed.clone()).await);
        store
            .write(|tx| Box::pin(async move {
                let found = tx.schedule_list().await?.remove(0);
                assert!(tx.schedule_advance(&found, at(200), Some(at(300))).await?);
                // Another host, which had found it due too.
                assert!(!tx.schedule_advance(&found, at(100), Some(at(200))).await?);
                Ok::<_, relata_store::StoreError>(())
            }))
            .await
            .unwrap();
        let fires = store.schedule_fires("report", 9).await.unwrap();
        assert_eq!(fires.iter().map(|fire| fire.nominal_at).collect::<Vec<_>>(), [at(200), at(100)]);
        assert_eq!(fires[0].fire, missed);
        let row = store.schedule_list().await.unwrap().remove(0);
        assert_eq!((row.last_nominal, row.next_at, row.if_missed), (Some(at(200)), Some(at(300)), IfMissed::Once));
    }

    async fn activating_again_skips_no_fire(backend) {
        let store = backend.open().await;
        activate(&store, vec![schedule("0 0 9 * * * *", 100)]).await;
        activate(&store, vec![schedule("0 0 9 * * * *", 999)]).await;
        assert_eq!(store.schedule_list().await.unwrap()[0].next_at, Some(at(100)));
        activate(&store, vec![schedule("0 0 8 * * * *", 999)]).await;
        assert_eq!(store.schedule_list().await.unwrap()[0].next_at, Some(at(999)));
        activate(&store, vec![]).await;
        assert_eq!(store.schedule_list().await.unwrap(), []);
    }
}

use serde_json::{Value as Json, json};

on_each_backend! {
    async fn of_many_who_keep_a_setting_all_get_that_of_the_first(backend) {
        let store = backend.open().await;
        let other = backend.open().await;
        let keeping = (0..16).map(|number| {
            let store = if number % 2 == 0 { store.clone() } else { other.clone() };
            tokio::spawn(async move {
                store
                    .write(move |tx| {
                        Box::pin(async move { tx.setting_keep("key", &json!(number)).await })
                    })
                    .await
                    .unwrap()
            })
        });
        let mut kept: Vec<Json> = Vec::new();
        for keeping in keeping.collect::<Vec<_>>() {
            kept.push(keeping.await.unwrap());
        }
        kept.dedup();
        assert_eq!(kept.len(), 1, "{kept:?}");
        assert_eq!(store.setting_get("key").await.unwrap().as_ref(), kept.first());
    }
}

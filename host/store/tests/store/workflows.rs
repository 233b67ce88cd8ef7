use relata_store::{NewVersion, Store};

use crate::backend::*;

fn version(name: &str, digest: &str) -> NewVersion {
    NewVersion {
        name: name.to_owned(),
        digest: digest.to_owned(),
        source: format!("workflow: {name}"),
        compiled: "{}".to_owned(),
        schedules: Vec::new(),
        actor: "test".to_owned(),
    }
}

async fn activate(store: &Store, new: NewVersion, seconds: i64) -> Option<String> {
    store
        .write(move |tx| Box::pin(async move { tx.workflow_activate(&new, at(seconds)).await }))
        .await
        .unwrap()
}

async fn active(store: &Store) -> Vec<String> {
    store.workflow_active().await.unwrap().into_iter().map(|version| version.digest).collect()
}

on_each_backend! {
    async fn one_version_is_active(backend) {
        let store = backend.open().await;
        let mut stamps = vec![store.workflow_stamp().await.unwrap()];
        assert_eq!(activate(&store, version("b", "b1"), 0).await, None);
        assert_eq!(activate(&store, version("a", "a1"), 1).await, None);
        stamps.push(store.workflow_stamp().await.unwrap());
        assert_eq!(activate(&store, version("b", "b2"), 2).await.as_deref(), Some("b1"));
        assert_eq!(active(&store).await, ["a1", "b2"]);
        stamps.push(store.workflow_stamp().await.unwrap());
        assert!(store.write(|tx| Box::pin(async move { tx.workflow_deactivate("a", at(3)).await })).await.unwrap());
        stamps.push(store.workflow_stamp().await.unwrap());
        assert!(!store.write(|tx| Box::pin(async move { tx.workflow_deactivate("a", at(3)).await })).await.unwrap());
        assert_eq!(active(&store).await, ["b2"]);
        // Back to a version that was active before: it is the same row.
        assert_eq!(activate(&store, version("b", "b1"), 4).await.as_deref(), Some("b2"));
        assert_eq!(store.workflow_version("b1").await.unwrap().unwrap().at, at(0));
        assert_eq!(store.workflow_version("b9").await.unwrap(), None);
        assert_eq!(store.workflow_digest("b").await.unwrap().as_deref(), Some("b1"));
        assert_eq!(store.workflow_digest("a").await.unwrap(), None);
        let history = |name: &'static str| {
            let store = store.clone();
            async move {
                let rows = store.workflow_activations(name).await.unwrap();
                rows.into_iter().map(|row| (row.digest.unwrap_or_default(), row.at)).collect::<Vec<_>>()
            }
        };
        let pairs = |pairs: &[(&str, i64)]| pairs.iter().map(|(digest, seconds)| ((*digest).to_owned(), at(*seconds))).collect::<Vec<_>>();
        assert_eq!(history("a").await, pairs(&[("a1", 1), ("", 3)]));
        assert_eq!(history("b").await, pairs(&[("b1", 0), ("b2", 2), ("b1", 4)]));
        let list = store.workflow_list().await.unwrap();
        assert_eq!((list[0].active.as_deref(), list[0].deactivated_at), (None, Some(at(3))));
        assert_eq!((list[1].active.as_deref(), list[1].activated_at), (Some("b1"), Some(at(4))));
        assert!(stamps.windows(2).all(|pair| pair[0] < pair[1]), "{stamps:?}");
    }
}

use relata_store::{
    KnownRequest, NewEvent, NewRun, NotStarted, RequestKey, RunFilter, RunStatus, Store, TokenRow,
};
use serde_json::{Value as Json, json};

use crate::backend::*;

fn token(id: &str, name: &str) -> TokenRow {
    TokenRow {
        id: id.to_owned(),
        name: name.to_owned(),
        digest: format!("digest of {id}"),
        scopes: vec!["events:write".to_owned()],
        user: None,
        objects: Some(vec!["lead".to_owned()]),
        created_at: at(0),
        expires_at: Some(at(60)),
        revoked_at: None,
        last_used_at: None,
    }
}

async fn insert(store: &Store, row: TokenRow) -> bool {
    store.write(move |tx| Box::pin(async move { tx.token_insert(&row).await })).await.unwrap()
}

async fn revoke(store: &Store, name: &'static str) -> bool {
    store
        .write(move |tx| Box::pin(async move { tx.token_revoke(name, at(5)).await }))
        .await
        .unwrap()
}

async fn note(
    store: &Store,
    token: &str,
    digest: &str,
    answer: Json,
    seconds: i64,
) -> Option<KnownRequest> {
    let key =
        RequestKey { token: token.to_owned(), key: "k-1".to_owned(), digest: digest.to_owned() };
    store
        .write(move |tx| Box::pin(async move { tx.request_note(&key, &answer, at(seconds)).await }))
        .await
        .unwrap()
}

fn event(number: u128) -> NewEvent {
    named(event_id(number), "order.paid", "token/shop")
}

on_each_backend! {
    async fn a_name_is_one_tokens_until_it_is_revoked(backend) {
        let store = backend.open().await;
        assert!(insert(&store, token("tok_1", "shop")).await);
        assert!(!insert(&store, token("tok_2", "shop")).await);
        assert!(insert(&store, token("tok_3", "form")).await);
        assert!(revoke(&store, "shop").await);
        assert!(!revoke(&store, "shop").await);
        assert!(insert(&store, token("tok_4", "shop")).await);
        let used = vec![("tok_4".to_owned(), at(7)), ("tok_9".to_owned(), at(7))];
        store.write(move |tx| Box::pin(async move { tx.token_used(&used).await })).await.unwrap();
        assert_eq!(store.token_list().await.unwrap(), [
            TokenRow { revoked_at: Some(at(5)), ..token("tok_1", "shop") },
            token("tok_3", "form"),
            TokenRow { last_used_at: Some(at(7)), ..token("tok_4", "shop") },
        ]);
    }

    async fn a_request_with_a_key_is_known_for_a_while(backend) {
        let store = backend.open().await;
        assert_eq!(store.request_known("tok_1", "k-1").await.unwrap(), None);
        assert_eq!(note(&store, "tok_1", "a", json!([1]), 0).await, None);
        let first = KnownRequest { digest: "a".to_owned(), answer: json!([1]) };
        assert_eq!(note(&store, "tok_1", "b", json!([2]), 1).await, Some(first.clone()));
        assert_eq!(store.request_known("tok_1", "k-1").await.unwrap(), Some(first));
        // Each token counts its own.
        assert_eq!(note(&store, "tok_2", "b", json!([2]), 2).await, None);
        let forgot = store
            .write(move |tx| Box::pin(async move { tx.request_forget(at(1), 10).await }))
            .await;
        assert_eq!(forgot.unwrap(), 1);
        assert_eq!(store.request_known("tok_1", "k-1").await.unwrap(), None);
        assert!(store.request_known("tok_2", "k-1").await.unwrap().is_some());
    }

    async fn what_an_event_came_to_is_found(backend) {
        let store = backend.open().await;
        let run_id = begin(
            &store,
            NewRun { event: Some(event_id(1)), ..beginning(run("w"), Some(at(0))) },
        )
        .await;
        store
            .write(move |tx| {
                Box::pin(async move {
                    for number in 1..=3 {
                        tx.event_emit(&event(number)).await?;
                    }
                    tx.not_started_put(&NotStarted {
                        workflow: "other".to_owned(),
                        event: Some(event_id(1)),
                        record: None,
                        key: None,
                        reason: "it is full".to_owned(),
                        at: at(0),
                    })
                    .await?;
                    tx.event_settle(&[event_id(1), event_id(3)]).await
                })
            })
            .await
            .unwrap();
        let ids = [1, 2, 3, 4].map(event_id);
        let results = store.event_results(&ids).await.unwrap();
        assert_eq!(results.keys().copied().collect::<Vec<_>>(), &ids[..3]);
        let first = &results[&ids[0]];
        assert!(first.seen && !results[&ids[1]].seen && results[&ids[2]].seen);
        assert_eq!(first.runs.iter().map(|row| row.run.id).collect::<Vec<_>>(), [run_id]);
        assert_eq!(first.not_started, [("other".to_owned(), "it is full".to_owned())]);
        assert_eq!(results[&ids[2]].runs, []);
        assert_eq!(store.event_backlog(10).await.unwrap(), 1);
        assert_eq!(store.event_backlog(0).await.unwrap(), 0);
    }

    async fn runs_are_found_by_object_and_time(backend) {
        let store = backend.open().await;
        let mut ids = Vec::new();
        for subject in ["lead/1", "lead_list/1"] {
            let the_run = relata_engine::Run { subject: Some(reference(subject)), ..run("w") };
            ids.push(begin(&store, beginning(the_run, Some(at(0)))).await);
        }
        let list = async |filter: RunFilter| {
            let rows = store.run_list(&filter, 10).await.unwrap();
            rows.into_iter().map(|row| row.run.id).collect::<Vec<_>>()
        };
        let of = |objects: &[&str]| RunFilter {
            objects: Some(objects.iter().map(|name| (*name).to_owned()).collect()),
            ..RunFilter::default()
        };
        assert_eq!(list(of(&["lead"])).await, [ids[0]]);
        assert_eq!(list(of(&["lead", "lead_list"])).await, ids);
        assert_eq!(list(of(&["lead' OR 1 = 1 --"])).await, []);
        assert_eq!(list(of(&[])).await, []);
        let failed = RunFilter { status: Some(RunStatus::Failed), ..of(&["lead"]) };
        assert_eq!(list(failed).await, []);
    }
}

//! Passwords, sessions and the audit, by their hashes.

use relata_store::{AuditFilter, AuditRow, SessionRow, Store};

use crate::backend::*;

async fn password(store: &Store, user: &'static str, seconds: i64) {
    store
        .write(move |tx| {
            Box::pin(async move { tx.password_put(user, "$argon2id$x", true, at(seconds)).await })
        })
        .await
        .unwrap();
}

async fn begin(store: &Store, digest: &'static str, user: &str, from: i64, to: i64) {
    let session = SessionRow {
        user: user.to_owned(),
        created_at: at(from),
        seen_at: at(from),
        expires_at: at(to),
        must_change: false,
    };
    store
        .write(move |tx| Box::pin(async move { tx.session_insert(digest, &session).await }))
        .await
        .unwrap();
}

async fn attempt(store: &Store, seconds: i64, until: Option<i64>, failures: u32) -> bool {
    store
        .write(move |tx| {
            Box::pin(async move { tx.login_try("ada", at(seconds), until.map(at), failures).await })
        })
        .await
        .unwrap()
}

on_each_backend! {
    async fn a_session_is_over_at_its_time_or_with_the_password(backend) {
        let store = backend.open().await;
        begin(&store, "d0", "ada", 1, 100).await;
        // Nobody who has no login has a session.
        assert_eq!(store.session("d0", at(2)).await.unwrap(), None);
        password(&store, "ada", 0).await;
        assert_eq!(store.session("d0", at(2)).await.unwrap().unwrap().user, "ada");
        assert_eq!(store.session("d1", at(2)).await.unwrap(), None);
        assert!(store.session("d0", at(99)).await.unwrap().is_some());
        assert_eq!(store.session("d0", at(100)).await.unwrap(), None);

        store.write(|tx| Box::pin(async move { tx.session_seen("d0", at(60)).await })).await.unwrap();
        assert_eq!(store.session("d0", at(61)).await.unwrap().unwrap().seen_at, at(60));
        // A new password ends what began before it.
        password(&store, "ada", 50).await;
        assert_eq!(store.session("d0", at(61)).await.unwrap(), None);
        begin(&store, "d2", "ada", 50, 200).await;
        begin(&store, "d3", "bob", 50, 200).await;
        let ended = store.write(|tx| Box::pin(async move { tx.sessions_delete("ada").await })).await.unwrap();
        // The one that began at 1 was over at 100, and goes with the next that begins.
        assert_eq!(ended, 2);
        assert_eq!(store.session("d2", at(61)).await.unwrap(), None);
    }

    async fn attempts_count_before_they_are_judged(backend) {
        let store = backend.open().await;
        password(&store, "ada", 0).await;
        assert!(attempt(&store, 1, None, 0).await);
        // Another that had seen no failure either.
        assert!(!attempt(&store, 1, None, 0).await);
        assert!(attempt(&store, 2, Some(60), 1).await);
        assert!(!attempt(&store, 59, None, 2).await);
        assert!(attempt(&store, 60, Some(90), 2).await);
        assert_eq!(store.login("ada").await.unwrap().unwrap().failures, 3);
        store.write(|tx| Box::pin(async move { tx.login_forgive("ada", 2).await })).await.unwrap();
        let row = store.login("ada").await.unwrap().unwrap();
        assert_eq!((row.failures, row.locked_until), (2, None));
    }

    async fn a_code_is_good_once(backend) {
        let store = backend.open().await;
        let succeeds = |step: Option<i64>| {
            let store = store.clone();
            async move {
                store.write(move |tx| Box::pin(async move { tx.login_succeeded("ada", step, at(5)).await })).await.unwrap()
            }
        };
        let put = |key: Option<&'static str>, step: Option<i64>| {
            let store = store.clone();
            async move {
                store.write(move |tx| Box::pin(async move { tx.totp_put("ada", key, step, at(1)).await })).await.unwrap()
            }
        };
        assert!(!put(Some("KEY"), Some(7)).await);
        password(&store, "ada", 0).await;
        assert!(put(Some("KEY"), Some(7)).await);
        assert!(!succeeds(Some(7)).await);
        assert!(succeeds(Some(8)).await);
        assert!(!succeeds(Some(8)).await);
        assert!(succeeds(Some(10)).await);
        assert!(!succeeds(Some(9)).await);
        // Without codes nothing is compared.
        assert!(put(None, None).await);
        assert!(succeeds(None).await);
        assert_eq!(store.login_list().await.unwrap().len(), 1);
    }

    async fn the_same_within_a_minute_is_counted(backend) {
        let store = backend.open().await;
        let note = |id: &'static str, seconds: i64, actor: &'static str| {
            let store = store.clone();
            async move {
                let row = AuditRow {
                    id: id.to_owned(),
                    at: at(seconds),
                    actor: actor.to_owned(),
                    act: "see".to_owned(),
                    target: "lead/1".to_owned(),
                    outcome: "refused".to_owned(),
                    why: format!("no {id}"),
                    times: 1,
                };
                store.write(move |tx| Box::pin(async move { tx.audit_note(&row).await })).await.unwrap();
            }
        };
        let base = at(0).as_second().rem_euclid(60);
        note("a", 60 - base, "token/x").await;
        note("b", 119 - base, "token/x").await;
        note("c", 120 - base, "token/x").await;
        note("d", 121 - base, "token/y").await;
        let told = |rows: Vec<AuditRow>| -> Vec<String> {
            rows.into_iter().map(|row| format!("{} {} {} {}", row.id, row.actor, row.times, row.why)).collect()
        };
        let all = store.audit_list(&AuditFilter::default(), 10).await.unwrap();
        assert_eq!(told(all), ["d token/y 1 no d", "c token/x 1 no c", "a token/x 2 no b"]);
        let filter = AuditFilter {
            actor: Some("token/x".to_owned()),
            outcome: Some("refused".to_owned()),
            since: Some(at(60 - base)),
            after: Some("c".to_owned()),
        };
        assert_eq!(told(store.audit_list(&filter, 10).await.unwrap()), ["a token/x 2 no b"]);
        let cleaned = store.write(move |tx| Box::pin(async move { tx.audit_clean(at(120 - base), 10).await })).await.unwrap();
        assert_eq!(cleaned, 1);
    }
}

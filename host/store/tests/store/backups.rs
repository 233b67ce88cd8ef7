//! A copy is made while others write, holds one moment, and is proved.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use relata_store::{BackupError, Way, backup, hold_effects, inspect};
use serde_json::json;

use crate::{backend::*, leases::mail};

/// The whole of a copy is one moment: of two counters that always change
/// together it has the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_holds_one_moment_while_others_write() {
    let backend = Backend::sqlite();
    let store = backend.open().await;
    for number in 0..50 {
        create(&store, "team", json!({"name": format!("Team {number}")})).await;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let writing = tokio::spawn({
        let (store, stop) = (store.clone(), Arc::clone(&stop));
        async move {
            let mut number = 0_u64;
            while !stop.load(Ordering::SeqCst) {
                number += 1;
                store
                    .write(move |tx| {
                        Box::pin(async move {
                            tx.setting_put("left", &json!(number)).await?;
                            tx.setting_put("right", &json!(number)).await
                        })
                    })
                    .await
                    .unwrap();
            }
            number
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let mut moments = Vec::new();
    for copy in 0..3 {
        let to = folder.path().join(format!("copy-{copy}.db"));
        let report = backup(&backend.path(), &to).await.unwrap();
        assert_eq!(report, inspect(&to).await.unwrap());
        assert_eq!(report.rows["team"], 50);
        let copied = Backend::sqlite();
        std::fs::copy(&to, copied.path()).unwrap();
        let opened = copied.open().await;
        let left = opened.setting_get("left").await.unwrap();
        assert_eq!(left, opened.setting_get("right").await.unwrap());
        moments.push((left.and_then(|left| left.as_u64()), report.digest));
        opened.close().await;
    }
    stop.store(true, Ordering::SeqCst);
    assert!(writing.await.unwrap() > 0);
    // The same moment has the same hash, and another one another.
    for pair in moments.windows(2) {
        assert_eq!(pair[0].0 == pair[1].0, pair[0].1 == pair[1].1);
    }
    store.close().await;
}

#[tokio::test]
async fn numbers_are_not_given_twice_after_a_restore() {
    let backend = Backend::sqlite();
    let store = backend.open().await;
    create(&store, "team", json!({"name": "One"})).await;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy.db");
    backup(&backend.path(), &to).await.unwrap();
    let copied = Backend::sqlite();
    std::fs::copy(&to, copied.path()).unwrap();
    let opened = copied.open().await;
    let before = opened.event_page(0, 9).await.unwrap();
    create(&opened, "team", json!({"name": "Two"})).await;
    let after = opened.event_page(0, 9).await.unwrap();
    assert_eq!(after.len(), before.len() + 1);
    assert!(after[before.len()].seq > before[before.len() - 1].seq);
}

/// What is damaged, changed or something else is no backup.
#[tokio::test]
async fn a_file_that_is_no_sound_copy_is_refused() {
    let backend = Backend::sqlite();
    let store = backend.open().await;
    for number in 0..300 {
        create(
            &store,
            "team",
            json!({"name": format!("A team with a long name, number {number}")}),
        )
        .await;
    }
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("copy.db");
    let report = backup(&backend.path(), &to).await.unwrap();
    store.close().await;

    let no_database = folder.path().join("letter.txt");
    std::fs::write(&no_database, "Dear Sir or Madam").unwrap();
    let why = inspect(&no_database).await.unwrap_err();
    assert!(matches!(why, BackupError::Foreign { .. }), "{why}");

    let bytes = std::fs::read(&to).unwrap();
    let cut = folder.path().join("cut.db");
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let why = inspect(&cut).await.unwrap_err();
    assert!(matches!(why, BackupError::Damaged { .. } | BackupError::Foreign { .. }), "{why}");

    // A bit that turned over in a customer's text breaks no rule of SQLite.
    let wanted = b"number 150";
    let place = bytes.windows(wanted.len()).position(|part| part == wanted).unwrap();
    let mut changed = bytes.clone();
    changed[place + 7] = b'7';
    let turned = folder.path().join("turned.db");
    std::fs::write(&turned, &changed).unwrap();
    assert_ne!(inspect(&turned).await.unwrap().digest, report.digest);
}

/// Nothing that was to go out when the copy was made goes out by itself.
#[tokio::test]
async fn effects_of_a_copy_are_unknown() {
    let backend = Backend::sqlite();
    let store = backend.open().await;
    let id = relata_model::EffectId::from_uuid(fresh());
    store
        .write(move |tx| Box::pin(async move { tx.outbox_put(&mail(id), at(0)).await }))
        .await
        .unwrap();
    store.close().await;
    assert_eq!(hold_effects(&backend.path(), "restored", at(9)).await.unwrap(), 1);
    assert_eq!(hold_effects(&backend.path(), "restored", at(9)).await.unwrap(), 0);
    let store = backend.open().await;
    assert_eq!(store.outbox_claim(Way::Mail, at(99), 60_000, 9).await.unwrap(), []);
    let effect = store.outbox_fetch(id).await.unwrap().unwrap();
    assert_eq!((effect.status.as_str(), effect.reason.as_deref()), ("unknown", Some("restored")));
}

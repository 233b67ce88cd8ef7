//! The log as it is followed: in order, whole, and each once.

use std::{sync::Arc, time::Duration};

use relata_store::Store;
use serde_json::json;
use tokio::sync::Notify;

use crate::{backend::*, several::hosts};

/// Follows the log until so many events have come; their numbers.
async fn follow(store: Store, count: usize) -> Vec<u64> {
    let (mut place, mut seen) = (0, Vec::new());
    while seen.len() < count {
        let settled = store.event_log_settled().await.unwrap();
        let events = store.event_list_between(place, settled, 1_000).await.unwrap();
        seen.extend(events.iter().map(|event| event.seq));
        place = settled;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    seen
}

async fn all_seqs(store: &Store) -> Vec<u64> {
    let events = store.event_list_between(0, u64::MAX, 100_000).await.unwrap();
    events.iter().map(|event| event.seq).collect()
}

/// Writes a record, and is slow to commit it.
async fn write_slowly(store: Store, name: String, pause: Duration) {
    let created = new(&store, "team", json!({ "name": name }));
    let written = store.write(move |tx| {
        Box::pin(async move {
            let cause = relata_store::Cause::outside("test");
            let written = tx.record_write(created, &cause, &mut fresh, at(0)).await;
            tokio::time::sleep(pause).await;
            written
        })
    });
    written.await.unwrap();
}

on_each_backend! {
    async fn what_is_between_two_places_comes_in_order(backend) {
        let store = backend.open().await;
        assert_eq!(store.event_log_settled().await.unwrap(), 0);
        for name in ["a", "b", "c"] {
            create(&store, "team", json!({ "name": name })).await;
        }
        let end = store.event_log_settled().await.unwrap();
        let all = store.event_list_between(0, end, 9).await.unwrap();
        let names: Vec<String> = all.iter().map(|event| event.happening.describe()).collect();
        assert_eq!(names.len(), 3, "{names:?}");
        let page = store.event_list_between(all[0].seq, end, 1).await.unwrap();
        assert_eq!(page[0].seq, all[1].seq);
        assert_eq!(store.event_list_between(end, end, 9).await.unwrap(), []);
    }

    async fn the_log_says_up_to_where_it_was_cut(backend) {
        let store = backend.open().await;
        assert_eq!(store.event_log_cut().await.unwrap(), 0);
        for name in ["a", "b", "c"] {
            create(&store, "team", json!({ "name": name })).await;
        }
        let seqs = all_seqs(&store).await;
        let ids: Vec<_> = store.event_pending(9).await.unwrap().iter().map(|event| event.id).collect();
        // What nobody has seen yet stays: first the second one alone goes, then the first one.
        for place in [1, 0] {
            let seen = vec![ids[place]];
            store.write(move |tx| Box::pin(async move { tx.event_settle(&seen).await })).await.unwrap();
            let cleaned = store.write(|tx| Box::pin(async move { tx.clean_events(at(9), 0, 9).await }));
            assert_eq!(cleaned.await.unwrap().count, 1);
            assert_eq!(store.event_log_cut().await.unwrap(), seqs[1]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_late_commit_is_not_passed_over() {
    let (stores, _database) = hosts(3).await;
    let (drawn, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = tokio::spawn({
        let (store, drawn, go_on) = (stores[0].clone(), Arc::clone(&drawn), Arc::clone(&go_on));
        let created = new(&store, "team", json!({ "name": "late" }));
        async move {
            let written = store.write(move |tx| {
                Box::pin(async move {
                    let cause = relata_store::Cause::outside("test");
                    let written = tx.record_write(created, &cause, &mut fresh, at(0)).await;
                    // Whoever looks at the log has written to it.
                    tx.event_log_end().await.unwrap();
                    drawn.notify_one();
                    go_on.notified().await;
                    written
                })
            });
            written.await.unwrap();
        }
    });
    // It has drawn its number, and is not committed.
    drawn.notified().await;
    create(&stores[1], "team", json!({ "name": "quick" })).await;
    let visible = all_seqs(&stores[2]).await;
    assert_eq!(visible.len(), 1, "the late one is under way");
    assert!(visible[0] > 1, "the quick one has the higher number");

    let follower = stores[2].clone();
    let settling = tokio::spawn(async move { follower.event_log_settled().await.unwrap() });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!settling.is_finished(), "it waits for the late one");
    go_on.notify_one();
    slow.await.unwrap();
    let settled = settling.await.unwrap();
    let events = stores[2].event_list_between(0, settled, 9).await.unwrap();
    let seqs: Vec<u64> = events.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, all_seqs(&stores[2]).await);
    assert_eq!(seqs.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_follows_sees_each_event_once_and_in_order_while_hosts_write_side_by_side() {
    const EACH: usize = 40;
    let (stores, _database) = hosts(4).await;
    let follower = tokio::spawn(follow(stores[3].clone(), 3 * EACH));
    let writers = stores[..3].iter().cloned().enumerate().map(|(number, store)| {
        tokio::spawn(async move {
            for turn in 0..EACH {
                let pause = Duration::from_millis((turn * 7 + number * 3) as u64 % 11);
                write_slowly(store.clone(), format!("{number}-{turn}"), pause).await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let seen = tokio::time::timeout(Duration::from_secs(20), follower).await;
    let seen = seen.expect("an event was passed over").unwrap();
    assert_eq!(seen, all_seqs(&stores[3]).await);
}

//! Starts that wait for a run to end, and runs that begin others.

use relata_engine::{Outcome, Run, Status};
use relata_model::RunId;
use relata_store::{
    Enrolment, NewEnrolment, NewQueued, QueueFilter, Queued, RunFilter, Store, StoreError,
};
use relata_workflow::WhileRunning;

use crate::backend::*;

const LEASE: i64 = 30_000;

async fn waiting(store: &Store, key: &str, subject: &str) -> NewQueued {
    NewQueued {
        workflow: "survey".to_owned(),
        key: key.to_owned(),
        happening: emit(store, "start:survey", None, &["ticket/7", subject]).await,
        record: Some(reference("ticket/7")),
        subject: Some(reference(subject)),
    }
}

async fn put(store: &Store, key: &str, subject: &str, seconds: i64) -> NewQueued {
    let new = waiting(store, key, subject).await;
    let kept = new.clone();
    store
        .write(move |tx| Box::pin(async move { tx.queue_put(&new, at(seconds)).await }))
        .await
        .unwrap();
    kept
}

fn child_of(parent: RunId) -> Run {
    Run { parent: Some(parent), ..run("child") }
}

async fn all(store: &Store) -> Vec<Queued> {
    store.queue_list(&QueueFilter::default(), 100).await.unwrap()
}

/// A run that has the place for a key, in a worker's hands.
async fn placed(store: &Store, key: &str) -> relata_store::Claimed {
    let id = begin(store, beginning(run("survey"), Some(at(0)))).await;
    let new = NewEnrolment {
        workflow: "survey".to_owned(),
        key: key.to_owned(),
        run: id,
        again_if_before: Some(at(1_000)),
        counts_from_start: true,
        while_running: WhileRunning::Queue,
    };
    let granted = store
        .write(move |tx| Box::pin(async move { tx.enrolment_try(&new, at(0)).await }))
        .await
        .unwrap();
    assert_eq!(granted, Enrolment::Granted { replaces: None });
    store.run_claim("w1", at(1), LEASE, 9).await.unwrap().remove(0)
}

async fn running(store: &Store, key: &'static str) -> Option<RunId> {
    let row = store.enrolment_fetch("survey", key).await.unwrap();
    row.filter(|row| row.running).map(|row| row.run)
}

on_each_backend! {
    async fn a_queue_has_an_order_for_each_key(backend) {
        let store = backend.open().await;
        let kept = put(&store, "contact/1", "ticket/1", 1).await;
        put(&store, "contact/2", "ticket/2", 2).await;
        put(&store, "contact/1", "ticket/3", 3).await;

        let of = |key: &str| QueueFilter {
            workflow: Some("survey".to_owned()),
            key: Some(key.to_owned()),
            ..QueueFilter::default()
        };
        let first = store.queue_list(&of("contact/1"), 9).await.unwrap();
        let subjects: Vec<_> =
            first.iter().map(|queued| queued.start.subject.clone().unwrap().to_string()).collect();
        assert_eq!(subjects, ["ticket/1", "ticket/3"]);
        assert_eq!((&first[0].start, first[0].at), (&kept, at(1)));
        // By what it will be about, what the event was about, and the key.
        for (record, found) in [("ticket/3", 1), ("ticket/7", 3), ("contact/2", 1), ("ticket/9", 0)] {
            let filter = QueueFilter { record: Some(reference(record)), ..QueueFilter::default() };
            assert_eq!(store.queue_list(&filter, 9).await.unwrap().len(), found, "{record}");
        }

        let (taken, moved) = (first[0].seq, first[1].seq);
        let taken_twice = store
            .write(move |tx| {
                Box::pin(async move {
                    tx.queue_move(moved, "contact/2").await?;
                    let once = tx.queue_take(taken).await?;
                    Ok::<_, StoreError>((once, tx.queue_take(taken).await?, tx.queue_count("survey", "contact/2").await?))
                })
            })
            .await
            .unwrap();
        assert_eq!(taken_twice, (true, false, 2));
        // Nor is a number given twice: who came later stays behind.
        put(&store, "contact/1", "ticket/5", 5).await;
        assert!(all(&store).await.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    }

    /// Wherever the transaction of an end breaks off, either all of it is
    /// there or nothing: the run goes on and the start waits, or the run has
    /// ended and the next one has begun.
    async fn an_end_and_the_next_beginning_are_one(backend) {
        let store = backend.open().await;
        let claimed = placed(&store, "contact/1").await;
        put(&store, "contact/1", "ticket/1", 1).await;
        let mut ending = next(&claimed);
        ending.run.status = Status::Ended(Outcome::Done);
        let following = run("survey");
        let id = following.id;
        for breaks_after in 0..5 {
            let (ending, following) = (ending.clone(), following.clone());
            let ended = store
                .write(move |tx| {
                    Box::pin(async move {
                        let stop = |place| if place == breaks_after { panic!("the host goes down") };
                        stop(0);
                        let committed = tx.run_commit(&ending, at(2)).await?;
                        assert_eq!(committed.freed.as_deref(), Some("contact/1"));
                        stop(1);
                        let filter = QueueFilter { key: committed.freed, ..QueueFilter::default() };
                        let queued = tx.queue_list(&filter, 1).await?.remove(0);
                        tx.queue_take(queued.seq).await?;
                        stop(2);
                        let new = NewEnrolment {
                            workflow: "survey".to_owned(),
                            key: queued.start.key,
                            run: following.id,
                            again_if_before: Some(at(1_000)),
                            counts_from_start: true,
                            while_running: WhileRunning::Queue,
                        };
                        tx.enrolment_try(&new, at(2)).await?;
                        stop(3);
                        tx.run_insert(&beginning(following, Some(at(2)))).await?;
                        Ok::<_, StoreError>(())
                    })
                })
                .await;
            if breaks_after < 4 {
                assert!(matches!(ended, Err(StoreError::Panicked(_))), "{breaks_after}: {ended:?}");
                assert_eq!(running(&store, "contact/1").await, Some(claimed.run.id));
                assert_eq!(all(&store).await.len(), 1);
                assert_eq!(store.run_count(&RunFilter::default()).await.unwrap(), 1);
                assert_eq!(store.run_fetch(claimed.run.id).await.unwrap().unwrap().ended_at, None);
            } else {
                ended.unwrap();
                assert_eq!(running(&store, "contact/1").await, Some(id));
                assert_eq!(all(&store).await, []);
                assert_eq!(store.run_fetch(claimed.run.id).await.unwrap().unwrap().ended_at, Some(at(2)));
                assert!(store.run_fetch(id).await.unwrap().is_some());
            }
        }
    }

    async fn a_place_is_handed_over(backend) {
        let store = backend.open().await;
        let claimed = placed(&store, "contact/1").await;
        let former = claimed.run.id;
        let following = begin(&store, beginning(run("survey"), Some(at(5)))).await;
        let handed = store
            .write(move |tx| {
                Box::pin(async move {
                    let asked = tx.run_cancel_once(former, "restarted", at(5)).await?;
                    let again = tx.run_cancel_once(former, "restarted", at(6)).await?;
                    Ok::<_, StoreError>((asked, again, tx.enrolment_hand_over(former, following, at(5)).await?))
                })
            })
            .await
            .unwrap();
        assert_eq!(handed, (true, false, true));
        let row = store.run_fetch(former).await.unwrap().unwrap();
        assert_eq!((row.cancel_requested.as_deref(), row.cancel_asked_at), (Some("restarted"), Some(at(5))));
        // The end of the former one frees nothing.
        let mut ending = next(&claimed);
        ending.run.status = Status::Ended(Outcome::Cancelled { why: "restarted".to_owned() });
        assert_eq!(commit(&store, ending, at(6)).await.unwrap().freed, None);
        assert_eq!(running(&store, "contact/1").await, Some(following));
    }

    async fn a_wish_for_the_end_is_told_until_it_is_taken_in(backend) {
        let store = backend.open().await;
        let id = begin(&store, beginning(run("w"), Some(at(0)))).await;
        let ask = |why: &'static str| {
            let store = store.clone();
            async move {
                store
                    .write(move |tx| Box::pin(async move { tx.run_cancel_request(id, why, at(1)).await }))
                    .await
                    .unwrap()
            }
        };
        assert!(ask("once").await);
        let claimed = store.run_claim("w1", at(1), LEASE, 9).await.unwrap().remove(0);
        assert_eq!(claimed.cancel.as_deref(), Some("once"));
        // It tidies up after itself, and meanwhile somebody asks again.
        assert!(ask("twice").await);
        let mut step = relata_store::RunCommit {
            cancel_taken: Some("once".to_owned()),
            due_at: Some(at(99)),
            ..next(&claimed)
        };
        assert_eq!(commit(&store, step.clone(), at(2)).await.unwrap().cancel.as_deref(), Some("twice"));
        let claimed = store.run_claim("w1", at(2), LEASE, 9).await.unwrap().remove(0);
        assert_eq!(claimed.cancel.as_deref(), Some("twice"));
        step = relata_store::RunCommit {
            cancel_taken: Some("twice".to_owned()),
            due_at: Some(at(99)),
            ..next(&claimed)
        };
        assert_eq!(commit(&store, step, at(3)).await.unwrap().cancel, None);
        assert_eq!(store.run_claim("w1", at(3), LEASE, 9).await.unwrap(), []);
        let asked = RunFilter { not_asked_to_end: true, ..RunFilter::default() };
        assert_eq!(store.run_list(&asked, 9).await.unwrap(), []);
    }

    async fn a_runs_children_are_found_and_asked_to_end(backend) {
        let store = backend.open().await;
        let parent = begin(&store, beginning(run("parent"), None)).await;
        let mut children = Vec::new();
        for due in [None, Some(at(500)), Some(at(0))] {
            children.push(begin(&store, beginning(child_of(parent), due)).await);
        }
        begin(&store, beginning(run("child"), None)).await;
        let of_parent = RunFilter { parent: Some(parent), ..RunFilter::default() };
        let found = store.run_list(&of_parent, 9).await.unwrap();
        assert_eq!(found.iter().map(|row| row.run.id).collect::<Vec<_>>(), children);
        assert!(found.iter().all(|row| row.run.parent == Some(parent)));

        // One has ended, and a worker has another.
        let claimed = store.run_claim("w1", at(1), LEASE, 9).await.unwrap().remove(0);
        assert_eq!(claimed.run.id, children[2]);
        let wanted = begin(&store, beginning(child_of(parent), None)).await;
        let cancel = |seconds| {
            let store = store.clone();
            async move {
                store
                    .write(move |tx| {
                        Box::pin(async move {
                            let (wanted, why) = ([wanted].into(), "nobody waits for it any more");
                            tx.run_cancel_children(parent, &wanted, why, at(seconds)).await
                        })
                    })
                    .await
                    .unwrap()
            }
        };
        assert_eq!((cancel(2).await, cancel(3).await), (3, 0));
        let woken = store.run_claim("w2", at(2), LEASE, 9).await.unwrap();
        assert_eq!(woken.iter().map(|claimed| claimed.run.id).collect::<Vec<_>>(), children[..2]);
        assert_eq!(woken[0].cancel.as_deref(), Some("nobody waits for it any more"));
        let committed = commit(&store, next(&claimed), at(3)).await.unwrap();
        assert_eq!(committed.cancel.as_deref(), Some("nobody waits for it any more"));
    }
}

//! What happens reaches the runs that listen, once.

use std::collections::BTreeSet;

use relata_engine::{Happening, Outcome, Status, Watch};
use relata_model::{RunId, Timestamp};
use relata_store::{Enrolment, NewEnrolment, NewRun, NotStarted, RunCommit, Store};
use relata_workflow::WhileRunning;

use crate::backend::*;

const LEASE: i64 = 30_000;

async fn deliver(store: &Store, run: RunId, happening: &Happening, now: Timestamp) -> bool {
    let happening = happening.clone();
    store
        .write(move |tx| Box::pin(async move { tx.run_deliver(run, &happening, now).await }))
        .await
        .unwrap()
}

async fn waiting(store: &Store, happening: &Happening) -> Vec<RunId> {
    let topics = happening.topics();
    store.write(move |tx| Box::pin(async move { tx.waiter_runs(&topics).await })).await.unwrap()
}

fn enrolment(key: &str, run: RunId) -> NewEnrolment {
    NewEnrolment {
        workflow: "survey".to_owned(),
        key: key.to_owned(),
        run,
        again_if_before: None,
        counts_from_start: true,
        while_running: WhileRunning::Ignore,
    }
}

async fn enrol(store: &Store, new: NewEnrolment, now: Timestamp) -> Enrolment {
    store.write(move |tx| Box::pin(async move { tx.enrolment_try(&new, now).await })).await.unwrap()
}

/// Ends a run as a worker would.
async fn end(store: &Store, id: RunId, seconds: i64) {
    let claimed = store.run_claim("w1", at(seconds), LEASE, 100).await.unwrap();
    let mut done = next(claimed.iter().find(|claimed| claimed.run.id == id).unwrap());
    done.run.status = Status::Ended(Outcome::Done);
    commit(store, done, at(seconds)).await.unwrap();
}

on_each_backend! {
    async fn a_happening_is_told_once_and_wakes(backend) {
        let store = backend.open().await;
        let watches = BTreeSet::from([
            Watch::event("survey.answered", "fx_1"),
            Watch::event("survey.answered", "contact/1"),
            Watch::changes_of(&reference("ticket/1")),
        ]);
        let id = begin(&store, NewRun { watches: watches.clone(), ..beginning(run("w"), Some(at(500))) }).await;
        let other = emit(&store, "survey.answered", Some("fx_2"), &["contact/2"]).await;
        assert_eq!(waiting(&store, &other).await, []);
        let second = emit(&store, "survey.answered", Some("fx_1"), &["contact/1", "ticket/9"]).await;
        assert_eq!(waiting(&store, &second).await, [id]);

        // Told out of order, and twice.
        assert!(deliver(&store, id, &second, at(1)).await);
        assert!(!deliver(&store, id, &second, at(1)).await);
        assert!(deliver(&store, id, &other, at(2)).await);
        let claimed = store.run_claim("w1", at(1), LEASE, 9).await.unwrap().remove(0);
        assert_eq!(claimed.due_at, at(1));
        assert_eq!(claimed.inbox, [other.clone(), second.clone()]);

        // What it has not taken in wakes it again at once; what it has, never.
        let step = RunCommit { consumed: vec![second.id], due_at: Some(at(500)), watches: Some(watches), ..next(&claimed) };
        let committed = commit(&store, step, at(3)).await.unwrap();
        assert_eq!(committed.inbox, std::slice::from_ref(&other));
        assert!(!deliver(&store, id, &second, at(3)).await);
        let claimed = store.run_claim("w1", at(3), LEASE, 9).await.unwrap().remove(0);
        assert_eq!(claimed.inbox, std::slice::from_ref(&other));

        // What comes while a worker has it waits for the commit.
        let third = emit(&store, "survey.answered", Some("fx_1"), &["contact/1"]).await;
        assert!(deliver(&store, id, &third, at(4)).await);
        assert_eq!(store.run_claim("w2", at(4), LEASE, 9).await.unwrap(), []);
        let step = RunCommit { consumed: vec![other.id], ..next(&claimed) };
        assert_eq!(commit(&store, step, at(5)).await.unwrap().inbox, std::slice::from_ref(&third));
        let claimed = store.run_claim("w2", at(5), LEASE, 9).await.unwrap().remove(0);
        let step = RunCommit { consumed: vec![third.id], ..next(&claimed) };
        assert_eq!(commit(&store, step, at(6)).await.unwrap().inbox, []);
        assert_eq!(store.run_next_due().await.unwrap(), None);
    }

    /// Between the decision to listen and the commit that says so, whoever
    /// settles an event does not know of it.
    async fn what_comes_before_a_run_is_known_to_listen_is_told_it(backend) {
        let store = backend.open().await;
        let id = begin(&store, beginning(run("w"), Some(at(0)))).await;
        let claimed = store.run_claim("w1", at(0), LEASE, 9).await.unwrap().remove(0);
        let mut missed = Vec::new();
        for (key, about) in [(Some("fx_1"), vec![]), (None, vec!["contact/9", "contact/1"]), (Some("fx_2"), vec!["contact/2"])] {
            let event = emit(&store, "survey.answered", key, &about).await;
            assert_eq!(waiting(&store, &event).await, []);
            let seen = [event.id];
            store.write(move |tx| Box::pin(async move { tx.event_settle(&seen).await })).await.unwrap();
            missed.push(event);
        }
        missed.pop();
        let watches = BTreeSet::from([
            Watch::event("survey.answered", "fx_1"),
            Watch::event("survey.answered", "contact/1"),
        ]);
        let sleeps = RunCommit {
            watches: Some(watches),
            decided_at: Some(claimed.log_end),
            due_at: Some(at(500)),
            ..next(&claimed)
        };
        assert_eq!(commit(&store, sleeps, at(3)).await.unwrap().inbox, missed);
        let claimed = store.run_claim("w1", at(3), LEASE, 9).await.unwrap().remove(0);
        assert_eq!((claimed.run.id, claimed.inbox), (id, missed));
    }

    async fn what_a_run_listens_for_is_set_as_a_whole(backend) {
        let store = backend.open().await;
        let id = begin(&store, NewRun {
            watches: BTreeSet::from([Watch::event("a", "1"), Watch::event("b", "1")]),
            ..beginning(run("w"), Some(at(0)))
        }).await;
        let listens = |name: &'static str| {
            let store = store.clone();
            async move {
                let topics = [Watch::event(name, "1")];
                let runs = store.write(move |tx| Box::pin(async move { tx.waiter_runs(&topics).await })).await.unwrap();
                runs == [id]
            }
        };
        assert!(listens("a").await && listens("b").await && !listens("c").await);
        let claimed = store.run_claim("w1", at(1), LEASE, 9).await.unwrap().remove(0);
        let step = RunCommit {
            watches: Some(BTreeSet::from([Watch::event("b", "1"), Watch::event("c", "1")])),
            due_at: Some(at(2)),
            ..next(&claimed)
        };
        commit(&store, step, at(1)).await.unwrap();
        assert!(!listens("a").await && listens("b").await && listens("c").await);
        end(&store, id, 3).await;
        assert!(!listens("b").await && !listens("c").await);
        let late = emit(&store, "b", Some("1"), &["lead/1"]).await;
        assert!(!deliver(&store, id, &late, at(4)).await);
    }

    async fn of_fifty_at_once_one_is_enrolled(backend) {
        let store = backend.open().await;
        let tries: Vec<_> = (0..50)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move {
                    let id = RunId::from_uuid(fresh());
                    (id, enrol(&store, enrolment("contact/1", id), at(0)).await)
                })
            })
            .collect();
        let mut granted = Vec::new();
        let mut running = Vec::new();
        for one in tries {
            match one.await.unwrap() {
                (id, Enrolment::Granted { replaces: None }) => granted.push(id),
                (_, Enrolment::Running(id)) => running.push(id),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((granted.len(), running.len()), (1, 49));
        assert!(running.iter().all(|id| *id == granted[0]));
        let other = enrol(&store, enrolment("contact/2", RunId::from_uuid(fresh())), at(0)).await;
        assert_eq!(other, Enrolment::Granted { replaces: None });
    }

    async fn again_counts_from_where_it_is_told_to(backend) {
        let store = backend.open().await;
        let granted = Enrolment::Granted { replaces: None };
        // It counts from a step; the first run ends before that.
        let first = begin(&store, beginning(run("survey"), Some(at(0)))).await;
        let from_step = |run| NewEnrolment { counts_from_start: false, ..enrolment("contact/1", run) };
        assert_eq!(enrol(&store, from_step(first), at(0)).await, granted);
        end(&store, first, 10).await;

        let second = begin(&store, beginning(run("survey"), Some(at(11)))).await;
        assert_eq!(enrol(&store, from_step(second), at(11)).await, granted);
        store
            .write(move |tx| Box::pin(async move { tx.enrolment_count("survey", "contact/1", second, at(20)).await }))
            .await
            .unwrap();
        let third = RunId::from_uuid(fresh());
        assert_eq!(enrol(&store, from_step(third), at(21)).await, Enrolment::Running(second));
        end(&store, second, 30).await;

        let blocked = Enrolment::Blocked { run: second, counted_at: at(20) };
        let again = |cutoff| NewEnrolment { again_if_before: Some(cutoff), ..from_step(third) };
        assert_eq!(enrol(&store, from_step(third), at(999)).await, blocked, "never again");
        assert_eq!(enrol(&store, again(at(19)), at(119)).await, blocked);
        assert_eq!(enrol(&store, again(at(20)), at(120)).await, granted);
    }

    async fn a_restart_says_whose_place_it_takes(backend) {
        let store = backend.open().await;
        let [first, second, third] = [(); 3].map(|()| RunId::from_uuid(fresh()));
        let new = |run, while_running| NewEnrolment {
            again_if_before: Some(at(1_000)),
            while_running,
            ..enrolment("contact/1", run)
        };
        enrol(&store, new(first, WhileRunning::Restart), at(0)).await;
        assert_eq!(
            enrol(&store, new(second, WhileRunning::Restart), at(1)).await,
            Enrolment::Granted { replaces: Some(first) }
        );
        assert_eq!(enrol(&store, new(third, WhileRunning::Queue), at(2)).await, Enrolment::Running(second));
        assert_eq!(
            enrol(&store, new(third, WhileRunning::Parallel), at(2)).await,
            Enrolment::Granted { replaces: None }
        );
    }

    async fn what_did_not_start_says_why(backend) {
        let store = backend.open().await;
        let rows: Vec<NotStarted> = [("w", "lead/1"), ("w", "lead/2"), ("v", "lead/1")]
            .into_iter()
            .map(|(workflow, record)| NotStarted {
                workflow: workflow.to_owned(),
                event: None,
                record: Some(reference(record)),
                key: None,
                reason: format!("{workflow} does not care for {record}"),
                at: at(1),
            })
            .collect();
        let kept = rows.clone();
        store
            .write(move |tx| {
                Box::pin(async move {
                    for row in &kept {
                        tx.not_started_put(row).await?;
                    }
                    Ok::<_, relata_store::StoreError>(())
                })
            })
            .await
            .unwrap();
        let lead = reference("lead/1");
        assert_eq!(store.not_started_list(Some("w"), Some(&lead), 9).await.unwrap(), [rows[0].clone()]);
        assert_eq!(store.not_started_list(None, Some(&lead), 9).await.unwrap(), [rows[2].clone(), rows[0].clone()]);
        assert_eq!(store.not_started_list(None, None, 1).await.unwrap(), [rows[2].clone()]);
    }
}

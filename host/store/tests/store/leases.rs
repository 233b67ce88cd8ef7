use std::collections::BTreeSet;

use relata_engine::{Outcome, Status, Watch};
use relata_model::{EffectId, RunId};
use relata_store::{
    EffectFilter, EffectKind, EffectStatus, LogRow, NewEffect, NewRun, Priority, RecordError,
    RunCommit, RunFilter, RunStatus, Store, StoreError,
};
use serde_json::json;

use crate::backend::*;

const LEASE: i64 = 30_000;

fn log(seq: u64, label: &str) -> LogRow {
    LogRow {
        seq,
        step: format!("steps[{seq}]"),
        rounds: "3.1".to_owned(),
        label: label.to_owned(),
        attempt: 1,
        kind: "called".to_owned(),
        action: Some("crm.update".to_owned()),
        plugin: Some("9f86d081".to_owned()),
        input: Some(json!({"to": "anna \"quoted\"", "many": [1, 2]})),
        output: Some(json!({"ok": true})),
        explanation: None,
        error: None,
        at: at(1),
        cpu_us: 1_250,
        wait_ms: 7,
        memory_bytes: 1_114_112,
        host_calls: 3,
        http_calls: 1,
    }
}

async fn claim(store: &Store, owner: &str, seconds: i64) -> Vec<RunId> {
    let claimed = store.run_claim(owner, at(seconds), LEASE, 10).await.unwrap();
    claimed.iter().map(|claimed| claimed.run.id).collect()
}

on_each_backend! {
    /// A campaign's runs have all waited longer, and the claim has room for few.
    async fn each_workflow_gets_its_share_of_a_claim(backend) {
        let store = backend.open().await;
        for second in 0..40 {
            begin(&store, beginning(run("campaign"), Some(at(second)))).await;
        }
        let first = NewRun { priority: Priority::First, ..beginning(run("urgent"), Some(at(90))) };
        begin(&store, first).await;
        begin(&store, beginning(run("complaint"), Some(at(90)))).await;
        begin(&store, beginning(run("survey"), Some(at(91)))).await;
        begin(&store, beginning(run("asleep"), Some(at(3_600)))).await;
        let mut claims = Vec::new();
        for moment in 100..103 {
            let claimed = store.run_claim("host", at(moment), LEASE, 9).await.unwrap();
            claims.push(claimed.into_iter().map(|claimed| claimed.run.workflow).collect::<Vec<_>>());
        }
        let of = |claim: usize, workflow: &str| claims[claim].iter().filter(|name| *name == workflow).count();
        assert_eq!(claims[0][0], "urgent");
        assert_eq!((of(0, "complaint"), of(0, "survey")), (1, 1));
        assert!(of(0, "campaign") >= 3, "{claims:?}");
        assert_eq!((claims[1].len(), of(1, "campaign"), of(2, "campaign")), (9, 9, 9));
    }

    async fn two_workers_never_claim_one_run(backend) {
        let store = backend.open().await;
        let mut begun = BTreeSet::new();
        for _ in 0..60 {
            begun.insert(begin(&store, beginning(run("w"), Some(at(0)))).await);
        }
        let workers: Vec<_> = (0..8)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut mine = Vec::new();
                    loop {
                        let some = store.run_claim(&format!("worker {number}"), at(1), LEASE, 3).await.unwrap();
                        if some.is_empty() {
                            return mine;
                        }
                        mine.extend(some.into_iter().map(|claimed| claimed.run.id));
                    }
                })
            })
            .collect();
        let mut all = Vec::new();
        for worker in workers {
            all.extend(worker.await.unwrap());
        }
        assert_eq!(all.len(), 60);
        assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), begun);
    }

    async fn what_is_due_longest_comes_first_within_its_priority(backend) {
        let store = backend.open().await;
        let mut ids = Vec::new();
        for (due, priority) in [
            (Some(at(5)), Priority::Normal),
            (Some(at(3)), Priority::Normal),
            (Some(at(1)), Priority::Last),
            (Some(at(9)), Priority::First),
            (Some(at(99)), Priority::First),
            (None, Priority::First),
        ] {
            ids.push(begin(&store, NewRun { priority, ..beginning(run("w"), due) }).await);
        }
        assert_eq!(store.run_next_due().await.unwrap(), Some(at(1)));
        let claimed = store.run_claim("w1", at(9), LEASE, 3).await.unwrap();
        let order: Vec<_> = claimed.iter().map(|claimed| claimed.run.id).collect();
        assert_eq!(order, [ids[3], ids[1], ids[0]]);
        assert_eq!(claimed[1].due_at, at(3));
        assert_eq!(claim(&store, "w2", 9).await, [ids[2]]);
        assert_eq!(claim(&store, "w2", 9).await, []);
    }

    async fn a_run_goes_from_claim_to_end(backend) {
        let store = backend.open().await;
        let id = begin(&store, NewRun { log: vec![log(1, "began")], ..beginning(run("w"), Some(at(0))) }).await;
        let claimed = store.run_claim("w1", at(1), LEASE, 10).await.unwrap().remove(0);
        assert_eq!((claimed.epoch, claimed.crash_count, claimed.due_at), (1, 0, at(0)));
        let row = store.run_fetch(id).await.unwrap().unwrap();
        assert_eq!((row.lease_owner.as_deref(), row.due_at), (Some("w1"), Some(at(31))));

        // It goes on with the next step without giving the run back.
        let first = RunCommit { keep_lease_until: Some(at(40)), log: vec![log(2, "do: mail.send")], ..next(&claimed) };
        commit(&store, first.clone(), at(2)).await.unwrap();
        let row = store.run_fetch(id).await.unwrap().unwrap();
        assert_eq!((row.due_at, row.crash_count, row.run.seq), (Some(at(40)), 1, 2));
        assert_eq!(claim(&store, "w2", 35).await, []);

        let mut ended = first.run.clone();
        ended.seq = 3;
        ended.status = Status::Ended(Outcome::Stopped { outcome: "bought".to_owned(), why: "order.paid".to_owned() });
        let last = RunCommit { run: ended.clone(), seq_before: 2, keep_lease_until: None, log: vec![log(3, "end")], ..first };
        commit(&store, last, at(3)).await.unwrap();
        let row = store.run_fetch(id).await.unwrap().unwrap();
        assert_eq!((row.run, row.due_at, row.ended_at, row.lease_owner), (ended, None, Some(at(3)), None));
        assert_eq!(store.run_log(id).await.unwrap(), [log(1, "began"), log(2, "do: mail.send"), log(3, "end")]);
        assert_eq!(claim(&store, "w2", 99_999).await, []);
        assert_eq!(store.run_next_due().await.unwrap(), None);
    }

    /// A node that lost its lease leaves nothing: no record, no effect, no
    /// log, no state.
    async fn a_fenced_commit_leaves_nothing(backend) {
        let store = backend.open().await;
        let id = begin(&store, beginning(run("w"), Some(at(0)))).await;
        let slow = store.run_claim("slow", at(1), LEASE, 10).await.unwrap().remove(0);
        // Its lease passes; another one takes over.
        let quick = store.run_claim("quick", at(32), LEASE, 10).await.unwrap().remove(0);
        assert_eq!((quick.run.id, quick.epoch, quick.crash_count), (id, 2, 0));

        let step = |store: &Store, claimed: &relata_store::Claimed| {
            let store = store.clone();
            let commit = RunCommit { log: vec![log(2, "do: crm.create")], due_at: Some(at(99)), ..next(claimed) };
            let effect = EffectId::from_uuid(fresh());
            let team = new(&store, "team", json!({"name": "Made by a step"}));
            async move {
                store
                    .write(move |tx| {
                        Box::pin(async move {
                            let cause = relata_store::Cause::outside("test");
                            tx.record_write(team, &cause, &mut fresh, at(33)).await?;
                            tx.outbox_put(&mail(effect), at(33)).await?;
                            tx.state_put("assign", "turn", Some(&json!(1)), None, None, at(33)).await?;
                            tx.run_commit(&commit, at(33)).await?;
                            Ok::<_, RecordError>(())
                        })
                    })
                    .await
            }
        };
        let refused = step(&store, &slow).await.unwrap_err();
        assert!(matches!(refused, RecordError::Store(StoreError::Fenced { run }) if run == id), "{refused}");
        assert_eq!(store.record_count("team", &[]).await.unwrap(), 0);
        assert_eq!(store.outbox_list(&EffectFilter::default(), 9).await.unwrap(), []);
        assert_eq!(store.event_pending(9).await.unwrap(), []);
        assert_eq!(store.run_log(id).await.unwrap(), []);
        assert_eq!(store.state_get("assign", "turn", at(33)).await.unwrap(), None);
        assert!(store.run_renew(id, slow.epoch, at(99)).await.is_err());

        step(&store, &quick).await.unwrap();
        assert_eq!(store.record_count("team", &[]).await.unwrap(), 1);
        assert_eq!(store.run_log(id).await.unwrap().len(), 1);
        // Nor does it commit twice, nor after it gave the run back.
        assert!(step(&store, &quick).await.is_err());
        let row = store.run_fetch(id).await.unwrap().unwrap();
        assert_eq!((row.due_at, row.run.seq, row.crash_count), (Some(at(99)), 2, 0));
    }

    async fn a_start_releases_what_the_last_one_held(backend) {
        let store = backend.open().await;
        let id = begin(&store, beginning(run("w"), Some(at(0)))).await;
        let lost = store.run_claim("before", at(1), LEASE, 10).await.unwrap().remove(0);
        let count = store.write(|tx| Box::pin(async move { tx.run_release_all(at(2)).await })).await.unwrap();
        assert_eq!(count, 1);
        let claimed = store.run_claim("now", at(2), LEASE, 10).await.unwrap().remove(0);
        assert_eq!((claimed.run.id, claimed.crash_count), (id, 0));
        assert!(matches!(commit(&store, next(&lost), at(3)).await, Err(StoreError::Fenced { .. })));
    }

    /// Whoever kills the host at its work must not make it give up runs that
    /// only waited for their turn.
    async fn only_a_call_that_was_begun_counts_as_a_crash(backend) {
        let store = backend.open().await;
        let ids = [begin(&store, beginning(run("w"), Some(at(0)))).await, begin(&store, beginning(run("w"), Some(at(0)))).await];
        for crashes in 0..3 {
            let claimed = store.run_claim("w1", at(1), LEASE, 10).await.unwrap();
            let count = |id| claimed.iter().find(|claimed| claimed.run.id == id).unwrap().crash_count;
            assert_eq!(ids.map(count), [crashes, 0]);
            let epoch = claimed.iter().find(|claimed| claimed.run.id == ids[0]).unwrap().epoch;
            store.run_begin(ids[0], epoch, at(60)).await.unwrap();
            assert!(store.run_begin(ids[0], epoch + 1, at(60)).await.is_err());
            store.write(|tx| Box::pin(async move { tx.run_release_all(at(1)).await })).await.unwrap();
        }
    }

    async fn a_run_that_is_returned_has_not_crashed(backend) {
        let store = backend.open().await;
        let id = begin(&store, beginning(run("w"), Some(at(0)))).await;
        for _ in 0..3 {
            let claimed = store.run_claim("w1", at(1), LEASE, 10).await.unwrap().remove(0);
            assert_eq!(claimed.crash_count, 0);
            store
                .write(move |tx| Box::pin(async move { tx.run_return(id, claimed.epoch, at(1)).await }))
                .await
                .unwrap();
        }
    }

    async fn a_lease_is_renewed_and_hears_of_the_end(backend) {
        let store = backend.open().await;
        let id = begin(&store, beginning(run("w"), Some(at(0)))).await;
        let sleeper = begin(&store, beginning(run("w"), None)).await;
        let claimed = store.run_claim("w1", at(1), LEASE, 10).await.unwrap().remove(0);
        assert_eq!(store.run_renew(id, claimed.epoch, at(60)).await.unwrap(), None);
        for id in [id, sleeper] {
            let asked = store
                .write(move |tx| Box::pin(async move { tx.run_cancel_request(id, "not needed", at(5)).await }))
                .await
                .unwrap();
            assert!(asked);
        }
        // The one that nobody has wakes; the other's worker hears of it.
        let woken = store.run_claim("w2", at(50), LEASE, 10).await.unwrap();
        assert_eq!(woken.iter().map(|claimed| claimed.run.id).collect::<Vec<_>>(), [sleeper]);
        assert_eq!(woken[0].cancel.as_deref(), Some("not needed"));
        assert_eq!(store.run_renew(id, claimed.epoch, at(90)).await.unwrap().as_deref(), Some("not needed"));
        let committed = commit(&store, RunCommit { due_at: Some(at(999)), ..next(&claimed) }, at(51)).await.unwrap();
        assert_eq!(committed.cancel.as_deref(), Some("not needed"));
        assert_eq!(claim(&store, "w2", 51).await, [id]);
    }

    async fn runs_are_listed(backend) {
        let store = backend.open().await;
        let mut ids = Vec::new();
        for workflow in ["a", "b", "a"] {
            ids.push(begin(&store, beginning(run(workflow), Some(at(0)))).await);
        }
        let claimed = store.run_claim("w1", at(1), LEASE, 1).await.unwrap().remove(0);
        let mut done = next(&claimed);
        done.run.status = Status::Ended(Outcome::Failed { step: "steps[0]".to_owned(), why: "no".to_owned() });
        commit(&store, done, at(2)).await.unwrap();

        let list = |filter: RunFilter| {
            let store = store.clone();
            async move {
                let rows = store.run_list(&filter, 10).await.unwrap();
                assert_eq!(store.run_count(&filter).await.unwrap(), rows.len() as u64);
                rows.iter().map(|row| row.run.id).collect::<Vec<_>>()
            }
        };
        let all = RunFilter::default();
        assert_eq!(list(all.clone()).await, ids);
        assert_eq!(list(RunFilter { newest_first: true, ..all.clone() }).await, [ids[2], ids[1], ids[0]]);
        assert_eq!(list(RunFilter { workflow: Some("a".to_owned()), ..all.clone() }).await, [ids[0], ids[2]]);
        assert_eq!(list(RunFilter { status: Some(RunStatus::Failed), ..all.clone() }).await, [ids[0]]);
        assert_eq!(list(RunFilter { status: Some(RunStatus::Active), ..all.clone() }).await, [ids[1], ids[2]]);
        assert_eq!(list(RunFilter { subject: Some(reference("lead/2")), ..all.clone() }).await, []);
        let page = store.run_list(&RunFilter { after: Some(ids[1]), ..all }, 10).await.unwrap();
        assert_eq!(page.iter().map(|row| row.run.id).collect::<Vec<_>>(), [ids[2]]);
    }

    async fn a_run_that_nothing_wakes_is_found(backend) {
        let store = backend.open().await;
        let watching = NewRun {
            watches: BTreeSet::from([Watch::event("survey.answered", "1")]),
            ..beginning(run("w"), None)
        };
        begin(&store, watching).await;
        begin(&store, beginning(run("w"), Some(at(9)))).await;
        let stranded = begin(&store, beginning(run("w"), None)).await;
        assert_eq!(store.run_stranded().await.unwrap(), [stranded]);
    }
}

pub(crate) fn mail(id: EffectId) -> NewEffect {
    NewEffect {
        id,
        run: None,
        workflow: Some("win-back".to_owned()),
        step: Some("steps[1]".to_owned()),
        rounds: "2".to_owned(),
        kind: EffectKind::Mail,
        template: Some("welcome".to_owned()),
        recipient: Some(reference("lead/1")),
        body: json!({"text": "Hello"}),
        status: EffectStatus::Due,
        reason: None,
        due_at: at(0),
        if_unknown: relata_workflow::IfUnknown::Hold,
    }
}

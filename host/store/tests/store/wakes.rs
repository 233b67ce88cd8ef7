use futures::FutureExt as _;
use relata_model::EffectId;
use relata_store::{Lease, NewRun, Part, Store};
use serde_json::json;

use crate::{backend::*, leases::mail};

/// Which parts of the host have been told, since this was last asked, that
/// there is something to do.
fn woken(store: &Store) -> Vec<Part> {
    let told = |part: &Part| store.wakes().of(*part).notified().now_or_never().is_some();
    Part::ALL.into_iter().filter(told).collect()
}

on_each_backend! {
    async fn a_commit_tells_whom_it_leaves_something_to_do(backend) {
        let store = backend.open().await;
        assert_eq!(woken(&store), []);

        // A record is an event that somebody has to look at.
        create(&store, "team", json!({"name": "A", "external_id": "a"})).await;
        assert_eq!(woken(&store), [Part::Events]);

        begin(&store, beginning(run("w"), Some(at(0)))).await;
        assert_eq!(woken(&store), [Part::Runs]);
        let claimed = store.run_claim("host", at(0), 30_000, 9).await.unwrap();
        assert_eq!(woken(&store), []);

        // It goes on at once, or sleeps for long: nobody is to look.
        let keeps = relata_store::RunCommit { keep_lease_until: Some(at(90)), ..next(&claimed[0]) };
        let after = keeps.run.clone();
        commit(&store, keeps, at(1)).await.unwrap();
        assert_eq!(woken(&store), []);
        let claimed = relata_store::Claimed { run: after, ..claimed[0].clone() };
        let sleeps = relata_store::RunCommit { due_at: Some(at(3_600)), ..next(&claimed) };
        commit(&store, sleeps, at(2)).await.unwrap();
        assert_eq!(woken(&store), []);

        // Asked to end, it is to be looked at.
        let id = claimed.run.id;
        let asked = store.write(move |tx| Box::pin(async move { tx.run_cancel_request(id, "no", at(3)).await }));
        assert!(asked.await.unwrap());
        assert_eq!(woken(&store), [Part::Runs]);

        let effect = mail(EffectId::from_uuid(fresh()));
        store.write(move |tx| Box::pin(async move { tx.outbox_put(&effect, at(4)).await })).await.unwrap();
        assert_eq!(woken(&store), [Part::Effects]);

        store.wake();
        assert_eq!(woken(&store), Part::ALL);
    }

    /// A run that soon is due again, within the time that a host sleeps.
    async fn a_short_sleep_is_told(backend) {
        let store = backend.open().await;
        begin(&store, beginning(run("w"), Some(at(0)))).await;
        let claimed = store.run_claim("host", at(0), 30_000, 9).await.unwrap();
        assert_eq!(woken(&store), [Part::Runs]);
        let sleeps = relata_store::RunCommit { due_at: Some(at(1)), ..next(&claimed[0]) };
        commit(&store, sleeps, at(0)).await.unwrap();
        assert_eq!(woken(&store), [Part::Runs]);
    }

    /// It is on its way at once. If its host goes down, its call counts as
    /// begun; if it is paused before, it does not.
    async fn a_run_that_somebody_has_from_its_beginning_wakes_nobody(backend) {
        let store = backend.open().await;
        let lease = Lease { owner: "host".to_owned(), until: at(60) };
        let id = begin(&store, NewRun { lease: Some(lease), ..beginning(run("w"), Some(at(0))) }).await;
        assert_eq!(woken(&store), []);
        let scope = "workflow/w".parse().unwrap();
        let parked = store.write(move |tx| Box::pin(async move { tx.run_park(id, 1, &scope, at(0), true).await }));
        parked.await.unwrap();
        let unparked = store.write(|tx| Box::pin(async move { tx.pause_unpark().await }));
        assert_eq!(unparked.await.unwrap().runs, 1);
        assert_eq!(woken(&store), [Part::Runs, Part::Effects]);
        assert_eq!(store.run_claim("host", at(1), 30_000, 9).await.unwrap()[0].crash_count, 0);

        let lease = Lease { owner: "host".to_owned(), until: at(60) };
        begin(&store, NewRun { lease: Some(lease), ..beginning(run("w"), Some(at(0))) }).await;
        assert_eq!(store.run_claim("another", at(59), 30_000, 9).await.unwrap().len(), 1, "the first one's");
        let after_the_crash = store.run_claim("another", at(60), 30_000, 9).await.unwrap();
        assert_eq!(after_the_crash[0].crash_count, 1);
    }
}

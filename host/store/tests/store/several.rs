//! Several hosts on one PostgreSQL: each with a writer of its own, so that their
//! transactions really run side by side.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::FutureExt as _;
use relata_engine::{Outcome, Status, Watch};
use relata_model::{EventId, Objects, RunId};
use relata_store::{
    Cause, DatabaseUrl, EffectStatus, Enrolment, Entered, Fire, Limit, NewEnrolment, NewEvent,
    NewRun, NewVersion, Part, Place, RecordError, RunFilter, Store, StoreConfig, StoreError, Way,
};
use relata_workflow::{IfMissed, WhileRunning};
use serde_json::json;
use tokio::{sync::Notify, task::JoinSet};

use crate::{
    backend::*,
    leases::mail,
    postgres::{Database, Postgres},
};

const LEASE: i64 = 30_000;

/// Some hosts on one new database.
pub(crate) async fn hosts(count: usize) -> (Vec<Store>, Database<'static>) {
    let database = Postgres::shared().database();
    let mut stores = Vec::new();
    for _ in 0..count {
        stores.push(open(&database.url()).await.unwrap());
    }
    (stores, database)
}

async fn open(url: &str) -> Result<Store, StoreError> {
    open_with(url, Duration::from_secs(30)).await
}

async fn open_with(url: &str, stall: Duration) -> Result<Store, StoreError> {
    let place = Place::Server(url.parse().unwrap());
    let config = StoreConfig { stall, ..StoreConfig::at(place) };
    Store::open(&config, Arc::new(Objects::standard())).await
}

/// What all of these came to, in no order.
async fn all<T: Send + 'static>(
    tasks: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    tasks.into_iter().collect::<JoinSet<T>>().join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_open_a_new_database_at_once() {
    let database = Postgres::shared().database();
    let url = database.url();
    let opened = futures::future::join_all((0..6).map(|_| open(&url))).await;
    let opened: Vec<_> =
        opened.into_iter().map(|opened| opened.map(drop).map_err(|why| why.to_string())).collect();
    assert_eq!(opened, vec![Ok(()); 6]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_run_is_claimed_by_one_host() {
    let (stores, _database) = hosts(3).await;
    for _ in 0..300 {
        begin(&stores[0], beginning(run("w"), Some(at(0)))).await;
    }
    let claimed: Vec<RunId> = all(stores.iter().enumerate().map(|(number, store)| {
        let store = store.clone();
        async move {
            let mut ids = Vec::new();
            loop {
                let claimed =
                    store.run_claim(&format!("w{number}"), at(1), LEASE, 7).await.unwrap();
                assert!(claimed.len() <= 7);
                if claimed.is_empty() {
                    return ids;
                }
                ids.extend(claimed.into_iter().map(|claimed| claimed.run.id));
            }
        }
    }))
    .await
    .concat();
    assert_eq!(claimed.len(), 300);
    assert_eq!(claimed.into_iter().collect::<BTreeSet<_>>().len(), 300);
}

/// Whatever way they meet, a start either has the place or is told who has it,
/// and a restart ends every run but one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_per_holds_across_hosts() {
    let (stores, _database) = hosts(3).await;
    for (while_running, granted) in [(WhileRunning::Ignore, 1), (WhileRunning::Restart, 30)] {
        let workflow = format!("{while_running:?}");
        let answers = all((0..30).map(|number| {
            let (store, workflow) = (stores[number % 3].clone(), workflow.clone());
            async move {
                let new = beginning(run(&workflow), Some(at(0)));
                let enrolment = NewEnrolment {
                    workflow,
                    key: "contact/1".to_owned(),
                    run: new.run.id,
                    again_if_before: Some(at(1_000)),
                    counts_from_start: true,
                    while_running,
                };
                store
                    .write(move |tx| {
                        Box::pin(async move {
                            let answer = tx.enrolment_try(&enrolment, at(0)).await?;
                            if let Enrolment::Granted { replaces } = &answer {
                                tx.run_insert(&new).await?;
                                if let Some(former) = replaces {
                                    tx.run_cancel_request(*former, "restarted", at(0)).await?;
                                }
                            }
                            Ok::<_, StoreError>(answer)
                        })
                    })
                    .await
                    .unwrap()
            }
        }))
        .await;
        let took = answers.iter().filter(|answer| matches!(answer, Enrolment::Granted { .. }));
        assert_eq!(took.count(), granted, "{while_running:?}");
        let filter =
            RunFilter { workflow: Some(workflow), not_asked_to_end: true, ..RunFilter::default() };
        assert_eq!(stores[1].run_list(&filter, 100).await.unwrap().len(), 1, "{while_running:?}");
    }
}

/// One host tells a run what happened while another commits it: the run hears
/// of it there, or is woken.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wake_up_is_lost_between_a_commit_and_a_delivery() {
    let (stores, _database) = hosts(2).await;
    let watch = Watch::event("answered", "contact/1");
    for round in 0..60 {
        let watches = BTreeSet::from([watch.clone()]);
        let id = begin(
            &stores[0],
            NewRun { watches: watches.clone(), ..beginning(run("w"), Some(at(0))) },
        )
        .await;
        let claimed = stores[0].run_claim("w1", at(1), LEASE, 1).await.unwrap().remove(0);
        assert_eq!(claimed.run.id, id);
        let happening = emit(&stores[1], "answered", None, &["contact/1"]).await;
        let (committer, teller) = (stores[0].clone(), stores[1].clone());
        let told = tokio::spawn(async move {
            teller
                .write(move |tx| {
                    Box::pin(async move { tx.run_deliver(id, &happening, at(2)).await })
                })
                .await
        });
        let step = relata_store::RunCommit { watches: Some(watches), ..next(&claimed) };
        let committed = commit(&committer, step, at(2)).await.unwrap();
        assert!(told.await.unwrap().unwrap());
        let row = stores[0].run_fetch(id).await.unwrap().unwrap();
        assert!(row.due_at.is_some_and(|due| due <= at(2)), "{round}: {row:?} {committed:?}");
        let claimed = stores[0].run_claim("w1", at(2), LEASE, 1).await.unwrap().remove(0);
        assert_eq!(claimed.inbox.len(), 1);
        let mut done = next(&claimed);
        done.run.status = Status::Ended(Outcome::Done);
        commit(&committer, done, at(3)).await.unwrap();
    }
}

/// A start that has to wait, and the end of the run that it waits for: either
/// the start gets the place, or the end sees that somebody waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_waits_for_a_place_that_is_free() {
    let (stores, _database) = hosts(2).await;
    for round in 0..60 {
        let key = format!("contact/{round}");
        let try_for = |run: RunId, key: &str| NewEnrolment {
            workflow: "w".to_owned(),
            key: key.to_owned(),
            run,
            again_if_before: Some(at(1_000)),
            counts_from_start: true,
            while_running: WhileRunning::Queue,
        };
        let new = beginning(run("w"), Some(at(0)));
        let (id, place) = (new.run.id, try_for(new.run.id, &key));
        stores[0]
            .write(move |tx| {
                Box::pin(async move {
                    tx.enrolment_try(&place, at(0)).await?;
                    tx.run_insert(&new).await
                })
            })
            .await
            .unwrap();
        let claimed = stores[0].run_claim("w1", at(1), LEASE, 1).await.unwrap().remove(0);
        assert_eq!(claimed.run.id, id);
        let mut done = next(&claimed);
        done.run.status = Status::Ended(Outcome::Done);
        let (ender, starter, of_key) = (stores[0].clone(), stores[1].clone(), key.clone());
        let ends = tokio::spawn(async move {
            ender
                .write(move |tx| {
                    Box::pin(async move {
                        let committed = tx.run_commit(&done, at(2)).await?;
                        let key = committed.freed.unwrap();
                        tx.queue_count("w", &key).await
                    })
                })
                .await
        });
        let happening = emit(&stores[1], "start:w", None, &["ticket/7"]).await;
        let second = try_for(run("w").id, &key);
        let waits = starter
            .write(move |tx| {
                Box::pin(async move {
                    let answer = tx.enrolment_try(&second, at(2)).await?;
                    let waits = matches!(answer, Enrolment::Running(_));
                    if waits {
                        let new = relata_store::NewQueued {
                            workflow: "w".to_owned(),
                            key: of_key,
                            happening,
                            record: None,
                            subject: None,
                        };
                        tx.queue_put(&new, at(2)).await?;
                    }
                    Ok::<_, StoreError>(waits)
                })
            })
            .await
            .unwrap();
        let seen = ends.await.unwrap().unwrap();
        assert_eq!(seen > 0, waits, "round {round}");
    }
}

/// Two hosts change the same records in opposite order: a deadlock, which
/// neither caller hears of.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_meets_another_in_the_middle_is_run_again() {
    let (stores, database) = hosts(3).await;
    let mut teams = Vec::new();
    for name in ["a", "b", "c"] {
        teams.push(
            create(&stores[0], "team", json!({"name": name, "external_id": name})).await.reference,
        );
    }
    let failed = all((0..90).map(|number| {
        let store = stores[number % 3].clone();
        let mut order = teams.clone();
        order.rotate_left(number % 3);
        async move {
            let writes: Vec<_> = order
                .iter()
                .map(|team| change(&store, team, json!({"name": format!("{number} {team}")})))
                .collect();
            store
                .write(move |tx| {
                    Box::pin(async move {
                        for write in writes {
                            tx.record_write(write, &Cause::outside("test"), &mut fresh, at(1))
                                .await?;
                        }
                        Ok::<_, RecordError>(())
                    })
                })
                .await
                .err()
        }
    }))
    .await;
    assert!(failed.iter().all(Option::is_none), "{failed:?}");
    // Each of the 90 changed all three, after the three that made them.
    assert_eq!(database.sql("SELECT SUM(revision) FROM team"), "273");
    assert_eq!(database.sql("SELECT COUNT(*) FROM relata_event"), "273");
    let met = database
        .sql("SELECT deadlocks > 0 FROM pg_stat_database WHERE datname = current_database()");
    println!("deadlocks met: {met}");
}

/// PostgreSQL carries nothing out after a fault: code that passes over one is
/// told, and harms no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_fault_that_is_passed_over_undoes_its_own_part_alone() {
    let (stores, _database) = hosts(1).await;
    let known = emit(&stores[0], "x", None, &["ticket/1"]).await;
    let writes = all((0..20).map(|number| {
        let (store, known) = (stores[0].clone(), known.clone());
        async move {
            let team = new(&store, "team", json!({"name": format!("{number}")}));
            let twice = NewEvent {
                id: known.id,
                at: at(0),
                kind: known.kind.clone(),
                cause: Cause::outside("test"),
            };
            let written = store
                .write(move |tx| {
                    Box::pin(async move {
                        tx.record_write(team, &Cause::outside("test"), &mut fresh, at(0)).await?;
                        if number % 2 == 0 {
                            assert!(tx.event_emit(&twice).await.is_err());
                        }
                        Ok::<_, RecordError>(())
                    })
                })
                .await;
            (number % 2 == 0, written.is_err())
        }
    }))
    .await;
    assert!(writes.iter().all(|(passed_over, refused)| passed_over == refused), "{writes:?}");
    assert_eq!(stores[0].record_count("team", &[]).await.unwrap(), 10);
}

/// A unique value that two hosts take at once belongs to one, and the other is
/// told by the field's name.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_unique_value_belongs_to_one_across_hosts() {
    let (stores, _database) = hosts(3).await;
    for round in 0..20 {
        let answers = all(stores.iter().map(|store| {
            let store = store.clone();
            async move {
                let team =
                    new(&store, "team", json!({"name": "t", "external_id": format!("t{round}")}));
                write(&store, team, at(0)).await.map(drop).map_err(|why| why.to_string())
            }
        }))
        .await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
        for why in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            assert!(why.starts_with(&format!("external_id: `t{round}` belongs to team/")), "{why}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_an_event_and_a_fire_count_once_across_hosts() {
    let (stores, _database) = hosts(3).await;
    let version = NewVersion {
        name: "report".to_owned(),
        digest: "d1".to_owned(),
        source: String::new(),
        compiled: "{}".to_owned(),
        schedules: vec![relata_store::NewSchedule {
            trigger: 0,
            cron: "0 0 9 * * * *".to_owned(),
            time_zone: "UTC".to_owned(),
            if_missed: IfMissed::Once,
            next_at: Some(at(0)),
        }],
        actor: "test".to_owned(),
    };
    stores[0]
        .write(move |tx| Box::pin(async move { tx.workflow_activate(&version, at(0)).await }))
        .await
        .unwrap();
    for round in 0..20 {
        let call = format!("msg_{round}");
        let pending = emit(&stores[0], "x", None, &["ticket/1"]).await.id;
        let answers = all(stores.iter().map(|store| {
            let (store, call) = (store.clone(), call.clone());
            async move {
                let event = named(EventId::from_uuid(fresh()), "webhook:shop", "webhook/shop");
                store
                    .write(move |tx| {
                        Box::pin(async move {
                            let (_, first) =
                                tx.webhook_receive("shop", Some(&call), &event).await?;
                            let settled = tx.event_settle(&[pending]).await?;
                            let found = tx.schedule_list().await?.remove(0);
                            let (due, after) = (at(round), at(round + 1));
                            let fired = found.next_at == Some(due)
                                && tx.schedule_advance(&found, due, Some(after)).await?
                                && tx
                                    .schedule_fire(
                                        "report",
                                        0,
                                        due,
                                        &Fire::Fired { run: None },
                                        due,
                                    )
                                    .await?;
                            Ok::<_, StoreError>([first, settled.len() == 1, fired])
                        })
                    })
                    .await
                    .unwrap()
            }
        }))
        .await;
        for what in 0..3 {
            let count = answers.iter().filter(|answer| answer[what]).count();
            assert_eq!(count, 1, "round {round}, {what}: {answers:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_effect_that_a_dead_host_was_sending_is_judged_when_its_lease_ends() {
    let (stores, _database) = hosts(2).await;
    let effect = mail(relata_model::EffectId::from_uuid(fresh()));
    let id = effect.id;
    stores[0]
        .write(move |tx| Box::pin(async move { tx.outbox_put(&effect, at(0)).await }))
        .await
        .unwrap();
    assert_eq!(stores[0].outbox_claim(Way::Mail, at(0), 60_000, 9).await.unwrap().len(), 1);
    for (seconds, recovered, status) in
        [(59, 0, EffectStatus::Sending), (60, 1, EffectStatus::Unknown)]
    {
        let count = stores[1]
            .write(move |tx| {
                Box::pin(async move { tx.outbox_recover(false, false, at(seconds)).await })
            })
            .await
            .unwrap();
        let now = stores[1].outbox_fetch(id).await.unwrap().unwrap().status;
        assert_eq!((count, now), (recovered, status), "{seconds}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_duty_is_one_hosts_until_it_ends() {
    let (stores, _database) = hosts(2).await;
    let take = |host: usize, owner: &'static str, now, until| {
        let store = stores[host].clone();
        async move { store.duty_take("triggers", owner, at(now), at(until)).await.unwrap() }
    };
    assert!(take(0, "a", 0, 10).await);
    assert!(!take(1, "b", 5, 15).await);
    assert!(take(0, "a", 5, 15).await);
    assert!(!take(1, "b", 10, 20).await);
    assert!(take(1, "b", 15, 25).await);
    assert!(!take(0, "a", 16, 26).await);
    stores[1].duty_leave("b").await.unwrap();
    assert!(take(0, "a", 16, 26).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_host_that_goes_down_is_known_to_the_others() {
    let (stores, _database) = hosts(2).await;
    let at_work = |host: usize, owner: &'static str, now, until, alone| {
        let store = stores[host].clone();
        async move { store.host_at_work(owner, at(now), at(until), alone).await.unwrap() }
    };
    assert_eq!(at_work(0, "a", 0, 10, false).await, None);
    assert_eq!(at_work(1, "b", 1, 11, false).await, None);
    // Who takes it back has not gone down.
    stores[0].duty_leave("a").await.unwrap();
    assert_eq!(at_work(1, "b", 20, 30, false).await, None);
    assert_eq!(at_work(0, "c", 25, 35, false).await, None);
    assert_eq!(at_work(0, "c", 31, 41, false).await, Some(at(31)), "b went down");
    assert_eq!(at_work(0, "c", 32, 42, false).await, Some(at(31)), "and is told of once");
    assert_eq!(at_work(1, "d", 33, 43, true).await, Some(at(33)), "whatever c has said");
    stores[1].duty_leave("d").await.unwrap();
    assert_eq!(at_work(1, "e", 34, 44, true).await, Some(at(33)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_turn_that_was_overtaken_cannot_commit() {
    let (stores, _database) = hosts(2).await;
    let enter = |host: usize, now, until| {
        let store = stores[host].clone();
        async move { store.lane_enter("rotation/dach", "run", at(now), at(until)).await.unwrap() }
    };
    let leave = |host: usize, turn: relata_store::Turn| {
        let store = stores[host].clone();
        async move {
            store
                .write(move |tx| Box::pin(async move { tx.lane_leave(&turn).await }))
                .await
                .unwrap()
        }
    };
    // The commit of a step that passes its turn on keeps it.
    let pass_on = |host: usize, turn: relata_store::Turn, until| {
        let store = stores[host].clone();
        async move {
            store
                .write(move |tx| Box::pin(async move { tx.lane_renew(&turn, at(until)).await }))
                .await
                .unwrap()
        }
    };
    let first = enter(0, 0, 5).await.unwrap();
    assert!(pass_on(0, first.clone(), 10).await);
    assert_eq!(enter(1, 9, 19).await, None);
    let second = enter(1, 10, 20).await.unwrap();
    assert_ne!(first, second);
    assert!(!pass_on(0, first.clone(), 30).await);
    assert!(!leave(0, first.clone()).await);
    assert!(leave(1, second.clone()).await);
    assert!(!leave(1, second).await);
    let third = enter(0, 11, 21).await.unwrap();
    assert!(!leave(0, first).await);
    assert!(leave(0, third).await);
}

/// One host's run begins to listen while another host tells what happened:
/// whoever is second waits for the first, and so sees it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_tells_waits_for_who_begins_to_listen() {
    let (stores, _database) = hosts(2).await;
    let id = begin(&stores[0], beginning(run("w"), Some(at(0)))).await;
    let claimed = stores[0].run_claim("w1", at(0), LEASE, 9).await.unwrap().remove(0);
    let topic = Watch::event("survey.answered", "contact/1");
    let listens = relata_store::RunCommit {
        watches: Some(BTreeSet::from([topic.clone()])),
        decided_at: Some(claimed.log_end),
        ..next(&claimed)
    };
    // In a transaction that goes on for a while after its commit is written.
    let listening = Arc::new(tokio::sync::Notify::new());
    let (begun, first) = (Arc::clone(&listening), stores[0].clone());
    let commit = tokio::spawn(async move {
        let commit = first.write(move |tx| {
            Box::pin(async move {
                tx.listening_lock(true).await?;
                tx.run_commit(&listens, at(1)).await?;
                begun.notify_one();
                tokio::time::sleep(Duration::from_millis(500)).await;
                Ok::<_, StoreError>(())
            })
        });
        commit.await.unwrap();
    });
    listening.notified().await;
    let told = stores[1].write(move |tx| {
        Box::pin(async move {
            tx.listening_lock(false).await?;
            tx.waiter_runs(&[topic]).await
        })
    });
    assert_eq!(told.await.unwrap(), [id]);
    commit.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hint_is_heard_by_the_other_host() {
    let (stores, _database) = hosts(2).await;
    for (store, name) in stores.iter().zip(["one", "other"]) {
        store.hear_hints(name);
        // It wakes all parts when it has begun to listen.
        store.wakes().of(Part::Clocks).notified().await;
        store.wakes().of(Part::Effects).notified().await;
    }
    stores[0].wake();
    stores[1].wakes().of(Part::Effects).notified().await;
    stores[1].wakes().of(Part::Clocks).notified().await;

    // A hint wakes what has something to do by it, and nothing else.
    create(&stores[0], "team", json!({"name": "t"})).await;
    stores[1].wakes().of(Part::Events).notified().await;
    for part in [Part::Effects, Part::Clocks] {
        assert!(stores[1].wakes().of(part).notified().now_or_never().is_none(), "{part:?}");
    }
}

/// The server crashes and comes back: reads and writes go on by themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_restart_of_the_server_is_survived() {
    let server = Postgres::own();
    let database = server.database();
    let store = open(&database.url()).await.unwrap();
    store.hear_hints("host");
    let heard = store.wakes().of(Part::Effects);
    heard.notified().await;
    for round in 0..3_u64 {
        create(&store, "team", json!({"name": "t"})).await;
        assert_eq!(store.record_count("team", &[]).await.unwrap(), 2 * round + 1);
        server.stop();
        let waiting = {
            let store = store.clone();
            tokio::spawn(async move {
                write(&store, new(&store, "team", json!({"name": "t"})), at(0)).await
            })
        };
        tokio::task::yield_now().await;
        server.start();
        waiting.await.unwrap().unwrap();
        assert_eq!(store.record_count("team", &[]).await.unwrap(), 2 * round + 2);
        // Hints are heard again.
        heard.notified().await;
    }
    server.stop();
    let refused =
        write(&store, new(&store, "team", json!({"name": "t"})), at(0)).await.unwrap_err();
    assert!(matches!(refused, RecordError::Store(StoreError::Lost(_))), "{refused:?}");
    assert!(store.record_count("team", &[]).await.is_err());
    server.start();
    create(&store, "team", json!({"name": "t"})).await;
    assert_eq!(store.record_count("team", &[]).await.unwrap(), 7);
}

/// What a transaction has posted last goes before its commit: where the connection is
/// gone by then, nothing of it is kept, and it is run again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_lost_before_the_commit_is_done_again() {
    let database = Postgres::shared().database();
    let store = open(&database.url()).await.unwrap();
    let (said, gone) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let ran = Arc::new(AtomicUsize::new(0));
    let writing = tokio::spawn({
        let (store, said, gone) = (store.clone(), Arc::clone(&said), Arc::clone(&gone));
        let ran = Arc::clone(&ran);
        async move {
            store
                .write(move |tx| {
                    Box::pin(async move {
                        tx.event_emit(&named(event_id(1), "test.posted", "test")).await?;
                        if ran.fetch_add(1, Ordering::Relaxed) == 0 {
                            said.notify_one();
                            gone.notified().await;
                        }
                        Ok::<_, StoreError>(())
                    })
                })
                .await
        }
    });
    said.notified().await;
    database.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    gone.notify_one();
    writing.await.unwrap().unwrap();
    assert_eq!(ran.load(Ordering::Relaxed), 2);
    assert_eq!(store.event_pending(9).await.unwrap().len(), 1);
}

/// A host that is stopped in the middle of a transaction does not hold up the
/// others for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_transaction_that_falls_silent_is_undone() {
    let database = Postgres::shared().database();
    // Longer than a busy machine lets a test wait between two statements.
    let stall = Duration::from_millis(1_500);
    let other = open(&database.url()).await.unwrap();
    let stores = [open_with(&database.url(), stall).await.unwrap(), other];
    let team = create(&stores[0], "team", json!({"name": "t"})).await.reference;
    let (held, silent) = (change(&stores[0], &team, json!({"name": "held"})), stores[0].clone());
    let locked = Arc::new(tokio::sync::Notify::new());
    let holds = Arc::clone(&locked);
    let stopped = tokio::spawn(async move {
        silent
            .write(move |tx| {
                Box::pin(async move {
                    tx.record_write(held, &Cause::outside("test"), &mut fresh, at(1)).await?;
                    holds.notify_one();
                    // As if the machine had been suspended.
                    tokio::time::sleep(2 * stall).await;
                    Ok::<_, RecordError>(())
                })
            })
            .await
    });
    locked.notified().await;
    // Waits for the lock of the one that is stopped.
    set(&stores[1], &team, json!({"name": "other"})).await;
    // It is told, or had its turn again afterwards.
    let _ = stopped.await.unwrap();
    create(&stores[0], "team", json!({"name": "goes on"})).await;
}

async fn refusal(url: &str) -> String {
    let refused = open(url).await.unwrap_err();
    assert!(matches!(refused, StoreError::Server { .. }), "{refused:?}");
    refused.to_string()
}

#[tokio::test]
async fn what_is_wrong_with_a_server_is_said() {
    let server = Postgres::own();
    let place = server.url("postgres");
    let said = refusal(&server.url("nowhere")).await;
    assert!(
        said.ends_with("the server has no database `nowhere`; make one with `createdb nowhere`"),
        "{said}"
    );

    server.sql("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'");
    let said = refusal(&server.url("latin")).await;
    assert!(said.contains("its encoding is LATIN1"), "{said}");

    server.sql("CREATE DATABASE hasty TEMPLATE template0 ENCODING 'UTF8'");
    server.sql("ALTER DATABASE hasty SET synchronous_commit = off");
    let said = refusal(&server.url("hasty")).await;
    assert!(said.contains("synchronous_commit = off"), "{said}");

    server.replica();
    let said = refusal(&place).await;
    assert!(
        said.contains("it is a replica, which can only be read; name the primary server"),
        "{said}"
    );

    server.stop();
    let said = refusal(&place).await;
    assert!(said.contains("is the server running"), "{said}");
    let said = refusal("postgres://relata:hunter2@127.0.0.1:1/shop").await;
    assert_eq!(
        said,
        "the database postgres://relata@127.0.0.1:1/shop cannot be used: nothing answers there; is the server running, and are host and port right?"
    );
}

#[tokio::test]
async fn a_wrong_password_is_told_and_never_shown() {
    let server = Postgres::own();
    server.sql("CREATE ROLE relata LOGIN PASSWORD 'right'");
    server.ask_for_passwords();
    let url = server.url("postgres").replace("user=postgres", "user=relata&password=hunter2");
    let refused = open(&url).await.unwrap_err();
    assert!(
        refused.to_string().ends_with("the server does not accept the password of `relata`"),
        "{refused}"
    );
    assert!(!format!("{refused:?} {refused}").contains("hunter2"));
}

#[test]
fn an_address_is_shown_without_its_password() {
    let url: DatabaseUrl =
        "postgres://relata:hunter2@db.example:6432/shop?sslmode=require".parse().unwrap();
    assert_eq!(
        format!("{url} {url:?}"),
        "postgres://relata@db.example:6432/shop postgres://relata@db.example:6432/shop"
    );
    for wrong in [
        "mysql://relata:hunter2@db.example/shop",
        "relata:hunter2@db.example",
        "postgres://relata:hunter2@db.example:port/shop",
        "postgres://db.example/shop?pasword=hunter2",
        "postgres://db.example/shop?sslmode=hunter2",
    ] {
        let why = wrong.parse::<DatabaseUrl>().unwrap_err().to_string();
        assert!(!why.contains("hunter2"), "{why}");
    }
}

/// However many hosts enter and leave, no more are at work than may be, each
/// comes to its turn, and nobody is left in line.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_limit_holds_for_all_hosts_together() {
    const MOST: u32 = 3;
    let (stores, _database) = hosts(3).await;
    let limit =
        Limit { key: "action x".to_owned(), at_once: Some(MOST), apart_ms: None, once: false };
    let mut ids = Vec::new();
    for _ in 0..60 {
        ids.push(begin(&stores[0], beginning(run("w"), Some(at(0)))).await);
    }
    let at_work = Arc::new(AtomicUsize::new(0));
    let done = all(ids.into_iter().enumerate().map(|(number, run)| {
        let (store, limit) = (stores[number % 3].clone(), limit.clone());
        let at_work = Arc::clone(&at_work);
        async move {
            loop {
                let limits = [limit.clone()];
                let entered = store.write(move |tx| {
                    Box::pin(async move { tx.limits_enter(run, &limits, at(1), at(60)).await })
                });
                if entered.await.unwrap() == Entered::Now {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let now = at_work.fetch_add(1, Ordering::SeqCst) + 1;
            // What the database says as well: the tasks here may be slower.
            let known = store.limit_list(at(1)).await.unwrap();
            let now = now.max(usize::try_from(known[0].working).unwrap());
            tokio::time::sleep(Duration::from_millis(2)).await;
            at_work.fetch_sub(1, Ordering::SeqCst);
            let left = store.write(move |tx| {
                Box::pin(async move { tx.limits_leave(run, true, at(2), at(60)).await })
            });
            left.await.unwrap();
            now
        }
    }))
    .await;
    assert_eq!(done.len(), 60);
    assert!(done.iter().all(|now| *now <= MOST as usize), "{done:?}");
    assert_eq!(stores[0].limit_list(at(3)).await.unwrap(), []);
}

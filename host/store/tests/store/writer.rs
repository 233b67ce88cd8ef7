use relata_store::{Cause, RecordError, StoreError};
use serde_json::json;

use crate::backend::*;

on_each_backend! {
    /// Good and bad members of the same batches, all at once.
    async fn a_failing_member_harms_no_other(backend) {
        let store = backend.open().await;
        let writes: Vec<_> = (0..200)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move {
                    let team = new(&store, "team", json!({"name": format!("team {number}"), "external_id": format!("t{number}")}));
                    let double = new(&store, "team", json!({"name": "double", "external_id": format!("t{number}")}));
                    let done: Result<(), RecordError> = store
                        .write(move |tx| {
                            Box::pin(async move {
                                tx.record_write(team, &Cause::outside("test"), &mut fresh, at(0)).await?;
                                match number % 4 {
                                    1 => { tx.record_write(double, &Cause::outside("test"), &mut fresh, at(0)).await?; }
                                    2 => return Err(RecordError::NotFound(reference("team/none"))),
                                    3 => panic!("a bug in member {number}"),
                                    _ => {}
                                }
                                Ok(())
                            })
                        })
                        .await;
                    (number, done)
                })
            })
            .collect();
        for one in writes {
            let (number, done) = one.await.unwrap();
            match (number % 4, done) {
                (0, Ok(()))
                | (1, Err(RecordError::Invalid(_)))
                | (2, Err(RecordError::NotFound(_)))
                | (3, Err(RecordError::Store(StoreError::Panicked(_)))) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(store.record_count("team", &[]).await.unwrap(), 50);
        assert_eq!(store.event_pending(1_000).await.unwrap().len(), 50);
    }

    /// The host goes away in the middle of its writes. What it had promised
    /// is there.
    async fn a_crash_keeps_what_was_committed(backend) {
        let config = backend.config();
        let promised = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            let (sender, receiver) = std::sync::mpsc::channel();
            runtime.block_on(async {
                let objects = std::sync::Arc::new(relata_model::Objects::standard());
                let store = relata_store::Store::open(&config, objects).await.unwrap();
                for number in 0..400 {
                    let (store, sender) = (store.clone(), sender.clone());
                    tokio::spawn(async move {
                        let team = new(&store, "team", json!({"name": "t", "external_id": format!("t{number}")}));
                        if write(&store, team, at(0)).await.is_ok() {
                            let _ = sender.send(number);
                        }
                    });
                }
                // Somewhere in the middle.
                while receiver.recv().unwrap() < 100 {}
            });
            // All tasks die where they stand; nothing is closed.
            runtime.shutdown_background();
            drop(sender);
            receiver.try_iter().collect::<Vec<i32>>()
        })
        .join()
        .unwrap();
        let store = backend.open().await;
        for number in &promised {
            let team = reference(&format!("team/t{number}"));
            assert!(store.record_fetch(&team).await.unwrap().is_some(), "{number}");
        }
        let kept = store.record_count("team", &[]).await.unwrap();
        assert!(kept >= promised.len() as u64);
        // Each with its event, none without.
        assert_eq!(store.event_pending(1_000).await.unwrap().len() as u64, kept);
    }

    /// The command line beside a running host.
    async fn two_processes_share_the_file(backend) {
        let (host, cli) = tokio::join!(backend.open(), backend.open());
        let mut writes = Vec::new();
        for number in 0..40 {
            let store = if number % 2 == 0 { host.clone() } else { cli.clone() };
            writes.push(tokio::spawn(async move {
                create(&store, "team", json!({"name": "t", "external_id": format!("t{number}")})).await;
            }));
        }
        for one in writes {
            one.await.unwrap();
        }
        for store in [&host, &cli] {
            assert_eq!(store.record_count("team", &[]).await.unwrap(), 40);
        }
        cli.close().await;
        create(&host, "team", json!({"name": "after"})).await;
    }

    async fn opening_again_changes_nothing(backend) {
        let mut teams = 0;
        for _ in 0..3 {
            let store = backend.open().await;
            create(&store, "team", json!({"name": "t"})).await;
            teams += 1;
            assert_eq!(store.record_count("team", &[]).await.unwrap(), teams);
            store.close().await;
        }
    }

    async fn a_closed_store_says_so(backend) {
        let store = backend.open().await;
        let other = store.clone();
        let pending = {
            let store = store.clone();
            tokio::spawn(async move { create(&store, "team", json!({"name": "t"})).await })
        };
        pending.await.unwrap();
        store.close().await;
        let refused = write(&other, new(&other, "team", json!({"name": "t"})), at(0)).await.unwrap_err();
        assert!(matches!(refused, RecordError::Store(StoreError::Closed)), "{refused}");
        assert!(matches!(other.event_pending(1).await, Err(StoreError::Closed)));
        // The write-ahead log is folded in and gone.
        let Some(folder) = backend.folder() else { return };
        let left: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["relata.db"]);
    }

    /// What is written last, and shows only at the end of a member: it spoils
    /// that member, whether it is alone or among others.
    async fn a_fault_that_shows_late_harms_no_other(backend) {
        let store = backend.open().await;
        let emitted = |number: u32| {
            let store = store.clone();
            async move {
                let team = new(&store, "team", json!({"name": "t", "external_id": format!("t{number}")}));
                let twice = named(event_id(7), "order.paid", "test");
                let done: Result<(), RecordError> = store
                    .write(move |tx| {
                        Box::pin(async move {
                            tx.record_write(team, &Cause::outside("test"), &mut fresh, at(0)).await?;
                            if number % 2 == 1 {
                                tx.event_emit(&twice).await?;
                            }
                            Ok(())
                        })
                    })
                    .await;
                done.is_ok()
            }
        };
        assert!(emitted(1).await);
        assert!(!emitted(3).await, "the event is in the log already");
        let kept = futures::future::join_all((10..30).map(emitted)).await;
        assert_eq!(kept, (10..30).map(|number| number % 2 == 0).collect::<Vec<_>>());
        assert_eq!(store.record_count("team", &[]).await.unwrap(), 11);
    }

    /// A reader cannot write, whatever it is asked.
    async fn a_reader_only_reads(backend) {
        let store = backend.open().await;
        let mut tx = store.read().await.unwrap();
        assert!(tx.setting_put("x", &json!(1)).await.is_err());
    }

    async fn a_file_that_is_no_database_is_refused(backend) {
        let Some(folder) = backend.folder() else { return };
        std::fs::write(folder.join("relata.db"), "this is a letter, not a database, and quite long enough to be read").unwrap();
        let refused = backend.try_open_with(relata_model::Objects::standard()).await.unwrap_err();
        assert!(matches!(refused, StoreError::Open { .. }), "{refused:?}");
    }
}

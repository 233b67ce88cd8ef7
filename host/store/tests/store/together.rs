//! Writes that go to the database together mean the same as one by one.

use std::collections::HashSet;

use relata_model::Objects;
use relata_store::{
    Cause, NewEvent, Outcomes, Query, RecordBatch, RecordError, Store, StoreError, Together, Tx,
    Write,
};
use serde_json::json;

use crate::backend::*;

/// What one caller wants: all of it, or nothing.
#[derive(Clone)]
struct Wish {
    writes: Vec<Write>,
    /// What it stumbles over after its last write.
    stumbles: Option<Stumble>,
}

#[derive(Clone, Copy)]
enum Stumble {
    Panics,
    IsWrong,
}

impl Together for Wish {
    type Done = ();
    type Error = RecordError;

    async fn write_all(tx: &mut Tx, wishes: &[Self]) -> Result<Outcomes<Self>, StoreError> {
        let mut batch = RecordBatch::new();
        let writes: Vec<&Write> = wishes.iter().flat_map(|wish| &wish.writes).collect();
        batch.foresee(tx, &writes).await?;
        let mut answers = Vec::new();
        for wish in wishes {
            let mut answer = Ok(());
            for write in &wish.writes {
                let write = write.clone();
                if let Err(why) =
                    batch.write(tx, write, &Cause::outside("test"), &mut fresh, at(0)).await
                {
                    answer = Err(why);
                    break;
                }
            }
            match wish.stumbles {
                Some(Stumble::Panics) => panic!("a bug in a member"),
                Some(Stumble::IsWrong) => {
                    answer = Err(RecordError::NotFound(reference("team/none")))
                }
                None => {}
            }
            match &answer {
                Ok(()) => batch.keep(),
                Err(_) => batch.undo()?,
            }
            answers.push(answer);
        }
        match batch.flush(tx).await {
            Ok(()) => Ok(answers),
            Err(RecordError::Store(why)) => Err(why),
            // One of several is to blame: which, is found out one by one.
            Err(why) if wishes.len() == 1 => Ok(vec![Err(why)]),
            Err(_) => Err(StoreError::Apart),
        }
    }
}

/// One event, which is the last that is written: on a file it shows at the end of the
/// transaction that there is one of its id.
struct Emission(NewEvent);

impl Together for Emission {
    type Done = ();
    type Error = StoreError;

    async fn write_all(tx: &mut Tx, all: &[Self]) -> Result<Outcomes<Self>, StoreError> {
        let events = all.iter().map(|one| one.0.clone().ready()).collect::<Result<Vec<_>, _>>()?;
        tx.event_emit_all(&events.iter().collect::<Vec<_>>(), &HashSet::new()).await?;
        Ok(all.iter().map(|_| Ok(())).collect())
    }
}

/// Small numbers out of a seed (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }
}

/// Wishes over a handful of teams and queues, full of doubles, references to
/// each other, and mistakes.
fn wishes(store: &Store, seed: u64) -> Vec<Wish> {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut made: Vec<relata_model::Reference> = Vec::new();
    let count = 3 + dice.roll(8);
    (0..count)
        .map(|_| {
            let mut writes = Vec::new();
            for _ in 0..1 + dice.roll(3) {
                let key = format!("k{}", dice.roll(4));
                let target = match (dice.roll(3), made.len()) {
                    (0, _) | (_, 0) => reference(&format!("team/{key}")),
                    (_, count) => made[dice.roll(count)].clone(),
                };
                let name = format!("n{}", dice.roll(3));
                writes.push(match dice.roll(6) {
                    0 | 1 => {
                        let write = new(store, "team", json!({"name": name, "external_id": key}));
                        if let Write::Create { id, .. } = &write {
                            made.push(relata_model::Reference::new("team", id.to_string()));
                        }
                        write
                    }
                    2 => change(store, &target, json!({"name": name})),
                    3 => change(store, &target, json!({"external_id": key})),
                    4 => change(store, &target, json!({"name": ""})),
                    _ => Write::Delete { reference: target, if_revision: None },
                });
            }
            Wish { writes, stumbles: (dice.roll(6) == 0).then_some(Stumble::IsWrong) }
        })
        .collect()
}

/// Everything that can be seen of a store, without what is drawn by chance.
async fn seen(store: &Store) -> (Vec<String>, Vec<String>) {
    let query = Query { limit: 1_000, ..Query::new("team", Vec::new()) };
    let mut records: Vec<String> = store
        .record_query(&query)
        .await
        .unwrap()
        .records
        .into_iter()
        .map(|record| format!("{} r{} {:?}", record.reference, record.revision, record.fields))
        .collect();
    records.sort();
    let events = store.event_pending(1_000).await.unwrap();
    (records, events.into_iter().map(|event| format!("{:?}", event.kind)).collect())
}

on_each_backend! {
    /// The same wishes, one by one in transactions of their own and all in
    /// one batch, leave the same records and the same events in the same
    /// order.
    async fn a_batch_is_as_good_as_one_by_one(backend) {
        let apart = backend.open().await;
        for seed in 0..40 {
            let wishes = wishes(&apart, seed);
            let mut one_by_one = Vec::new();
            let before = seen(&apart).await;
            for wish in &wishes {
                one_by_one.push(apart.write_together(wish.clone()).await.is_ok());
            }
            let after = seen(&apart).await;
            undo(&apart).await;
            assert_eq!(seen(&apart).await, before, "seed {seed}: the test undoes");
            // All at once: the writer takes what waits as one batch.
            let at_once = futures::future::join_all(
                wishes.iter().map(|wish| apart.write_together(wish.clone())),
            )
            .await;
            let at_once: Vec<bool> = at_once.iter().map(Result::is_ok).collect();
            assert_eq!(at_once, one_by_one, "seed {seed}");
            assert_eq!(seen(&apart).await, after, "seed {seed}");
            undo(&apart).await;
        }
    }

    /// A member that panics harms no other; each of the others is answered
    /// for itself.
    async fn a_member_that_fails_harms_no_other(backend) {
        let store = backend.open_with(Objects::standard()).await;
        let wishes: Vec<Wish> = (0..100)
            .map(|number: usize| Wish {
                writes: vec![new(&store, "team", json!({"name": "t", "external_id": format!("t{}", number % 60)}))],
                stumbles: match number % 10 {
                    3 => Some(Stumble::Panics),
                    7 => Some(Stumble::IsWrong),
                    _ => None,
                },
            })
            .collect();
        let done = futures::future::join_all(
            wishes.into_iter().map(|wish| store.write_together(wish)),
        )
        .await;
        for (number, done) in done.into_iter().enumerate() {
            match (number % 10, done) {
                (3, Err(RecordError::Store(StoreError::Panicked(_))))
                | (7, Err(RecordError::NotFound(_))) => {}
                (_, Ok(())) if number < 60 => {}
                (_, Err(RecordError::Invalid(_))) if number >= 60 => {}
                (_, other) => panic!("{number}: {other:?}"),
            }
        }
        assert_eq!(store.record_count("team", &[]).await.unwrap(), 48);
    }

    /// What fails at the end of the transaction harms no other either, whether those of
    /// its kind are alone in it or not.
    async fn a_member_that_fails_late_harms_no_other(backend) {
        let store = backend.open().await;
        let emission = |number| Emission(named(event_id(number), "order.paid", "test"));
        for beside in [false, true] {
            let first = if beside { 1_000 } else { 0 };
            // Every third one, and two others of the same id, of which one is late.
            let numbers = (0..99).map(|number| first + number - number % 3 / 2);
            let emitting = numbers.map(|number| store.write_together(emission(number)));
            let team = new(&store, "team", json!({"name": "t"}));
            let other = async {
                if beside {
                    write(&store, team, at(0)).await.unwrap();
                }
            };
            let (done, ()) = futures::join!(futures::future::join_all(emitting), other);
            for three in done.chunks(3) {
                assert!(three[0].is_ok() && three[1].is_ok() != three[2].is_ok(), "{three:?}");
            }
        }
        assert_eq!(store.record_count("team", &[]).await.unwrap(), 1);
    }
}

/// Takes everything away again, events included.
async fn undo(store: &Store) {
    let query = Query { limit: 1_000, ..Query::new("team", Vec::new()) };
    for record in store.record_query(&query).await.unwrap().records {
        let delete = Write::Delete { reference: record.reference, if_revision: None };
        write(store, delete, at(0)).await.unwrap();
    }
    let seen: Vec<_> =
        store.event_pending(1_000).await.unwrap().into_iter().map(|event| event.id).collect();
    store
        .write(move |tx| Box::pin(async move { tx.event_settle(&seen).await }))
        .await
        .map(drop)
        .unwrap();
}

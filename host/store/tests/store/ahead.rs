//! Updates that are worked out before their transaction mean the same as those that
//! are made in it, where the records are still so; and else nothing.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use expect_test::expect;
use relata_engine::{HappeningKind, Watch};
use relata_model::{Record, Reference, Value};
use relata_store::{
    Ahead, Cause, Condition, Operator, Outcomes, Query, RecordError, Store, StoreError, Together,
    Tx, Write,
};
use serde_json::json;
use tokio::sync::Notify;

use crate::backend::*;

/// An update worked out on records as they are known; none where it cannot be.
fn ahead(store: &Store, known: &[&Record], writes: &[Write]) -> Option<Ahead> {
    let mut ahead = store.ahead(known.iter().copied().cloned());
    for write in writes {
        if !ahead.write(write, &Cause::outside("test"), &mut fresh, at(60)).unwrap() {
            return None;
        }
    }
    Some(ahead)
}

/// Writes them in one transaction; answers which were written.
async fn written(store: &Store, ahead: Vec<Ahead>) -> Vec<bool> {
    let ahead = Arc::new(ahead);
    store
        .write(move |tx| {
            Box::pin(async move {
                let ahead: Vec<&Ahead> = ahead.iter().collect();
                let topics: Vec<Watch> = ahead.iter().flat_map(|one| one.topics()).collect();
                let outlook = tx.outlook(&topics, &ahead, None).await?;
                tx.ahead_write(&ahead, &outlook, &|kind| heard(kind)).await
            })
        })
        .await
        .unwrap()
}

/// The same in a transaction that may take for granted that nothing is otherwise.
struct Granting {
    ahead: Ahead,
    stamp: u64,
    /// How often it was run.
    ran: Arc<AtomicUsize>,
}

/// What it came to.
#[derive(Debug)]
#[allow(dead_code, reason = "it is looked at as text")]
struct Granted {
    written: bool,
    in_turn: bool,
    awaited: usize,
    stamp: u64,
}

impl Together for Granting {
    type Done = Granted;
    type Error = RecordError;

    async fn write_all(tx: &mut Tx, members: &[Self]) -> Result<Outcomes<Self>, StoreError> {
        if members.len() > 1 {
            return Err(StoreError::Apart);
        }
        let mut outcomes = Vec::new();
        for Self { ahead, stamp, ran } in members {
            ran.fetch_add(1, Ordering::Relaxed);
            let topics: Vec<Watch> = ahead.topics().collect();
            let outlook = tx.outlook(&topics, &[ahead], Some(*stamp)).await?;
            let written = tx.ahead_write(&[ahead], &outlook, &|kind| heard(kind)).await;
            outcomes.push(written.map(|written| Granted {
                written: written == [true],
                in_turn: outlook.in_turn,
                awaited: outlook.awaited.len(),
                stamp: outlook.stamp,
            }));
        }
        Ok(outcomes)
    }
}

/// A trigger answers changes of teams, and nothing else.
fn heard(kind: &HappeningKind) -> bool {
    matches!(kind, HappeningKind::Change(change) if change.reference.object == "team")
}

async fn read(store: &Store, reference: &Reference) -> Record {
    store.record_fetch(reference).await.unwrap().unwrap()
}

/// What happened to a record, without what differs between two of the same: ids and
/// places.
async fn told(store: &Store, record: &Reference) -> Vec<String> {
    let events = store.event_list(record, None, 100).await.unwrap();
    let line = |event: &relata_store::LoggedEvent| {
        let text = format!("{:?} by {}", event.happening.kind, event.actor);
        text.replace(&record.key, "RECORD")
    };
    events.iter().map(line).collect()
}

on_each_backend! {
    async fn an_update_ahead_is_the_same_as_one_in_the_transaction(backend) {
        let store = backend.open().await;
        let anna = create(&store, "user", json!({"name": "Anna", "email": "anna@example.org"})).await;
        let mut tasks = Vec::new();
        for _ in 0..2 {
            tasks.push(create(&store, "task", json!({"title": "Write to him"})).await);
        }
        let steps = |task: &Record| {
            [
                json!({"title": "Call Mr Smith", "assignee": anna.reference.to_string()}),
                json!({"status": "done"}),
            ]
            .map(|fields| change(&store, &task.reference, fields))
        };
        for one in steps(&tasks[0]) {
            write(&store, one, at(60)).await.unwrap();
        }
        let second = ahead(&store, &[&tasks[1]], &steps(&tasks[1])).unwrap();
        assert_eq!(written(&store, vec![second]).await, [true]);

        let [one, other] = [read(&store, &tasks[0].reference).await, read(&store, &tasks[1].reference).await];
        assert_eq!(one.fields, other.fields);
        assert_eq!((one.revision, other.revision), (3, 3));
        let told = [told(&store, &one.reference).await, told(&store, &other.reference).await];
        assert_eq!(told[0], told[1]);
        assert_eq!(told[0].len(), 3);
        // It is found by its new name, and not by its old one.
        for (word, found) in [("smith", 2), ("write", 0)] {
            let called = Condition::new("title", Operator::HasWords, Value::Text(word.to_owned()));
            let page = store.record_query(&Query::new("task", vec![called])).await.unwrap();
            assert_eq!(page.records.len(), found, "{word}");
        }
    }

    async fn what_has_changed_meanwhile_is_not_written_over(backend) {
        let store = backend.open().await;
        let title = |record: &Record| change(&store, &record.reference, json!({"title": "Mine"}));
        let [changed, deleted, same, twice] = [0, 1, 2, 3].map(|_| json!({"title": "Call"}));
        let changed = create(&store, "task", changed).await;
        let deleted = create(&store, "task", deleted).await;
        let same = create(&store, "task", same).await;
        let twice = create(&store, "task", twice).await;
        let unchanged = change(&store, &same.reference, json!({"title": "Call"}));
        let ahead = [
            ahead(&store, &[&changed], &[title(&changed)]),
            ahead(&store, &[&deleted], &[title(&deleted)]),
            // Also what changes nothing rests on what it has seen.
            ahead(&store, &[&same], &[unchanged]),
            ahead(&store, &[&twice], &[title(&twice)]),
            ahead(&store, &[&twice], &[change(&store, &twice.reference, json!({"title": "Yours"}))]),
        ]
        .map(Option::unwrap);
        set(&store, &changed.reference, json!({"title": "Another's"})).await;
        set(&store, &same.reference, json!({"title": "Another's"})).await;
        let delete = Write::Delete { reference: deleted.reference.clone(), if_revision: None };
        write(&store, delete, at(0)).await.unwrap();
        assert_eq!(written(&store, ahead.into()).await, [false, false, false, true, false]);
        for (record, title, revision) in
            [(&changed, "Another's", 2), (&same, "Another's", 2), (&twice, "Mine", 2)]
        {
            let record = read(&store, &record.reference).await;
            assert_eq!(record.field("title").as_text(), Some(title));
            assert_eq!(record.revision, revision);
        }
        assert_eq!(store.record_fetch(&deleted.reference).await.unwrap(), None);
    }

    async fn a_record_that_is_named_has_to_be_there_still(backend) {
        let store = backend.open().await;
        let task = create(&store, "task", json!({"title": "Call"})).await;
        let anna = create(&store, "user", json!({"name": "Anna", "email": "anna@example.org"})).await;
        let give = || {
            let fields = json!({"assignee": anna.reference.to_string()});
            ahead(&store, &[&task], &[change(&store, &task.reference, fields)]).unwrap()
        };
        let before = give();
        let delete = Write::Delete { reference: anna.reference.clone(), if_revision: None };
        write(&store, delete, at(0)).await.unwrap();
        assert_eq!(written(&store, vec![before]).await, [false]);
        assert_eq!(read(&store, &task.reference).await.revision, 1);
    }

    async fn what_only_the_database_knows_is_not_worked_out(backend) {
        let store = backend.open().await;
        let task = create(&store, "task", json!({"title": "Call"})).await;
        let anna = json!({"name": "Anna", "email": "anna@example.org", "external_id": "anna"});
        let anna = create(&store, "user", anna).await;
        let delete = Write::Delete { reference: task.reference.clone(), if_revision: None };
        let of = |record: &Record, fields| change(&store, &record.reference, fields);
        let mut at_revision = of(&task, json!({"title": "Mine"}));
        if let Write::Update { if_revision, .. } = &mut at_revision {
            *if_revision = Some(7);
        }
        let mut lines = String::new();
        for (what, writes) in [
            ("an update", vec![of(&task, json!({"title": "Mine"}))]),
            ("a new record", vec![new(&store, "task", json!({"title": "Call"}))]),
            ("a deletion", vec![delete]),
            ("by external id", vec![change(&store, &reference("user/anna"), json!({"name": "A"}))]),
            ("names by external id", vec![of(&task, json!({"assignee": "user/anna"}))]),
            ("names what it may not", vec![of(&task, json!({"assignee": task.reference.to_string()}))]),
            ("only one may have it", vec![of(&anna, json!({"email": "other@example.org"}))]),
            ("has it already", vec![of(&anna, json!({"email": "anna@example.org", "name": "A"}))]),
            ("a wrong value", vec![of(&task, json!({"status": "lost"}))]),
            ("another revision", vec![at_revision]),
            ("a second that cannot be", vec![
                of(&task, json!({"title": "Mine"})),
                of(&task, json!({"no_such_field": 1})),
            ]),
        ] {
            let can = ahead(&store, &[&task, &anna], &writes).is_some();
            lines += &format!("{what}: {can}\n");
        }
        expect![[r#"
            an update: true
            a new record: false
            a deletion: false
            by external id: false
            names by external id: false
            names what it may not: false
            only one may have it: false
            has it already: true
            a wrong value: false
            another revision: false
            a second that cannot be: false
        "#]]
        .assert_eq(&lines);
        // A record that nobody knows.
        assert!(ahead(&store, &[], &[of(&task, json!({"title": "Mine"}))]).is_none());
    }

    async fn its_events_are_pending_where_somebody_is_to_see_them(backend) {
        let store = backend.open().await;
        let team = create(&store, "team", json!({"name": "Sales"})).await;
        let awaited = create(&store, "task", json!({"title": "Call"})).await;
        let other = create(&store, "task", json!({"title": "Write"})).await;
        let all = store.event_pending(100).await.unwrap().into_iter().map(|event| event.id);
        let all: Vec<_> = all.collect();
        store
            .write(move |tx| Box::pin(async move { tx.event_settle(&all).await }))
            .await
            .unwrap();
        let mut listens = beginning(run("listens"), None);
        let key = awaited.reference.to_string();
        listens.watches = BTreeSet::from([Watch { topic: "changed".to_owned(), key }]);
        begin(&store, listens).await;
        let one = |record: &Record, json| {
            ahead(&store, &[record], &[change(&store, &record.reference, json)]).unwrap()
        };
        let ahead = vec![
            one(&team, json!({"name": "Support"})),
            one(&awaited, json!({"title": "Call back"})),
            one(&other, json!({"title": "Write back"})),
        ];
        assert_eq!(written(&store, ahead).await, [true, true, true]);
        let pending = store.event_pending(100).await.unwrap();
        let records: Vec<_> = pending
            .iter()
            .map(|event| match &event.kind {
                HappeningKind::Change(change) => change.reference.clone(),
                HappeningKind::Named { .. } => panic!("a change"),
            })
            .collect();
        assert_eq!(records, [team.reference, awaited.reference]);
    }

    async fn what_is_taken_for_granted_is_looked_at_where_it_is_otherwise(backend) {
        let mut lines = String::new();
        let on_a_file = backend.folder().is_some();
        for otherwise in ["nothing", "an event waits", "somebody listens", "other workflows", "the record", "it is gone"] {
            let own = if on_a_file { Backend::sqlite() } else { Backend::postgres() };
            let store = own.open().await;
            let task = create(&store, "task", json!({"title": "Call"})).await;
            let writes = [change(&store, &task.reference, json!({"title": "Mine"}))];
            let ahead = ahead(&store, &[&task], &writes).unwrap();
            let mut stamp = store.workflow_stamp().await.unwrap();
            match otherwise {
                "somebody listens" => {
                    let mut listens = beginning(run("listens"), None);
                    let key = task.reference.to_string();
                    listens.watches = BTreeSet::from([Watch { topic: "changed".to_owned(), key }]);
                    begin(&store, listens).await;
                }
                "other workflows" => stamp += 7,
                "the record" => {
                    set(&store, &task.reference, json!({"title": "Another's"})).await;
                }
                "it is gone" => {
                    let reference = task.reference.clone();
                    write(&store, Write::Delete { reference, if_revision: None }, at(0)).await.unwrap();
                }
                _ => {}
            }
            if otherwise != "an event waits" {
                let waiting = store.event_pending(100).await.unwrap();
                let waiting: Vec<_> = waiting.into_iter().map(|event| event.id).collect();
                store
                    .write(move |tx| Box::pin(async move { tx.event_settle(&waiting).await }))
                    .await
                    .unwrap();
            }
            let ran = Arc::new(AtomicUsize::new(0));
            let granting = Granting { ahead, stamp, ran: Arc::clone(&ran) };
            let granted = store.write_together(granting).await.unwrap();
            let runs = ran.load(Ordering::Relaxed);
            // A server looks at once.
            let again = on_a_file && otherwise != "nothing";
            assert_eq!(runs, if again { 2 } else { 1 }, "{otherwise}");
            let record = store.record_fetch(&task.reference).await.unwrap();
            let title = record.map(|record| record.field("title").to_string());
            lines += &format!("{otherwise}: {granted:?}, {title:?}\n");
        }
        expect![[r#"
            nothing: Granted { written: true, in_turn: false, awaited: 0, stamp: 0 }, Some("Mine")
            an event waits: Granted { written: true, in_turn: true, awaited: 0, stamp: 0 }, Some("Mine")
            somebody listens: Granted { written: true, in_turn: false, awaited: 1, stamp: 0 }, Some("Mine")
            other workflows: Granted { written: true, in_turn: false, awaited: 0, stamp: 0 }, Some("Mine")
            the record: Granted { written: false, in_turn: false, awaited: 0, stamp: 0 }, Some("Another's")
            it is gone: Granted { written: false, in_turn: false, awaited: 0, stamp: 0 }, None
        "#]]
        .assert_eq(&lines);
    }

    async fn who_is_written_by_itself_takes_nothing_for_granted(backend) {
        let store = backend.open().await;
        let mut tasks = Vec::new();
        for _ in 0..2 {
            tasks.push(create(&store, "task", json!({"title": "Call"})).await);
        }
        // Their creation is still to be seen.
        let ran = Arc::new(AtomicUsize::new(0));
        let granting = |task: &Record| {
            let writes = [change(&store, &task.reference, json!({"title": "Mine"}))];
            let ahead = ahead(&store, &[task], &writes).unwrap();
            store.write_together(Granting { ahead, stamp: 0, ran: Arc::clone(&ran) })
        };
        // Both come while the writer is busy.
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let busy = tokio::spawn({
            let (store, begun, go_on) = (store.clone(), Arc::clone(&begun), Arc::clone(&go_on));
            async move {
                store.write(move |_| Box::pin(async move {
                    begun.notify_one();
                    go_on.notified().await;
                    Ok::<_, StoreError>(())
                })).await
            }
        });
        begun.notified().await;
        let [one, other] = [&tasks[0], &tasks[1]].map(granting);
        let (one, other, ()) = tokio::join!(biased; one, other, async { go_on.notify_one() });
        busy.await.unwrap().unwrap();
        for granted in [one, other] {
            let granted = granted.unwrap();
            assert!(granted.written && granted.in_turn, "{granted:?}");
        }
        assert_eq!(ran.load(Ordering::Relaxed), 2, "they were together at first");
    }
}

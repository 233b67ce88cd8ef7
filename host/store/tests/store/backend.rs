//! A store for a test, and short ways to fill it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use relata_engine::{Happening, HappeningKind, Run, State, Status};
use relata_model::{
    EventId, Fields, ObjectDefinition, Objects, Record, RecordId, Reference, RunId, Timestamp,
    Value,
};
use relata_store::{
    Cause, Claimed, NewEvent, NewRun, Place, Priority, RecordError, RunCommit, Store, StoreConfig,
    Write, Written,
};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::postgres::{Database, Postgres};

/// Each test once for every backend; a further backend is one line here.
macro_rules! on_each_backend {
    ($($(#[$doc:meta])* async fn $name:ident($backend:ident) $body:block)+) => {$(
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn scenario($backend: $crate::backend::Backend) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                scenario($crate::backend::Backend::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                scenario($crate::backend::Backend::postgres()).await;
            }
        }
    )+};
}

/// A place for a database, gone with the test.
pub(crate) enum Backend {
    /// A file in a folder.
    Sqlite(tempfile::TempDir),
    /// On the server that all tests share.
    Postgres(Database<'static>),
}

impl Backend {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub(crate) fn postgres() -> Self {
        Self::Postgres(Postgres::shared().database())
    }

    pub(crate) fn config(&self) -> StoreConfig {
        StoreConfig::at(match self {
            Self::Sqlite(folder) => Place::File(folder.path().join("relata.db")),
            Self::Postgres(database) => Place::Server(database.url().parse().unwrap()),
        })
    }

    /// The folder of the file, on SQLite.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(folder) => Some(folder.path()),
            Self::Postgres(_) => None,
        }
    }

    /// The file, on SQLite.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder().unwrap().join("relata.db")
    }

    /// The store with the objects that ship.
    pub(crate) async fn open(&self) -> Store {
        self.open_with(Objects::standard()).await
    }

    pub(crate) async fn open_with(&self, objects: Objects) -> Store {
        self.try_open_with(objects).await.unwrap()
    }

    pub(crate) async fn try_open_with(
        &self,
        objects: Objects,
    ) -> Result<Store, relata_store::StoreError> {
        Store::open(&self.config(), Arc::new(objects)).await
    }
}

/// The shipped objects, and one more.
pub(crate) fn objects_with(source: &str) -> Objects {
    let mut objects = Objects::standard();
    objects.add("test.yaml", ObjectDefinition::parse("test.yaml", source).unwrap()).unwrap();
    objects
}

/// So many seconds after Monday, 14 December 2026, 09:00 UTC.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_797_238_800 + seconds).unwrap()
}

/// The next id, in order.
pub(crate) fn fresh() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u128((1 << 100) | u128::from(NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// Fields as they would come over the wire.
pub(crate) fn fields(object: &ObjectDefinition, json: Json) -> Fields {
    json.as_object()
        .unwrap()
        .iter()
        .map(|(name, json)| {
            let value = match object.field(name) {
                Some(field) => field.kind.read(json).unwrap_or_else(|_| Value::from_json(json)),
                None => Value::from_json(json),
            };
            (name.clone(), value)
        })
        .collect()
}

pub(crate) async fn write(
    store: &Store,
    write: Write,
    now: Timestamp,
) -> Result<Written, RecordError> {
    store
        .write(move |tx| {
            Box::pin(async move {
                tx.record_write(write, &Cause::outside("test"), &mut fresh, now).await
            })
        })
        .await
}

pub(crate) fn new(store: &Store, object: &str, json: Json) -> Write {
    let definition = store.objects().get(object).unwrap();
    Write::Create {
        object: object.to_owned(),
        id: RecordId::from_uuid(fresh()),
        fields: fields(definition, json),
    }
}

pub(crate) fn change(store: &Store, reference: &Reference, json: Json) -> Write {
    let definition = store.objects().get(&reference.object).unwrap();
    Write::Update {
        reference: reference.clone(),
        fields: fields(definition, json),
        if_revision: None,
    }
}

pub(crate) async fn create(store: &Store, object: &str, json: Json) -> Record {
    write(store, new(store, object, json), at(0)).await.unwrap().record
}

pub(crate) async fn set(store: &Store, reference: &Reference, json: Json) -> Record {
    write(store, change(store, reference, json), at(0)).await.unwrap().record
}

/// What is wrong with a write, in sentences.
pub(crate) async fn refusal(store: &Store, the_write: Write) -> String {
    write(store, the_write, at(0)).await.unwrap_err().to_string()
}

pub(crate) fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

pub(crate) fn run(workflow: &str) -> Run {
    Run {
        id: RunId::from_uuid(fresh()),
        workflow: workflow.to_owned(),
        version: "v1".to_owned(),
        subject: Some(reference("lead/1")),
        key: None,
        parent: None,
        started_at: at(0),
        seq: 1,
        status: Status::Active,
        state: State::default(),
    }
}

pub(crate) fn beginning(run: Run, due_at: Option<Timestamp>) -> NewRun {
    NewRun {
        run,
        priority: Priority::Normal,
        due_at,
        watches: BTreeSet::new(),
        log: Vec::new(),
        lease: None,
        event: None,
    }
}

pub(crate) async fn begin(store: &Store, new: NewRun) -> RunId {
    let id = new.run.id;
    store.write(move |tx| Box::pin(async move { tx.run_insert(&new).await })).await.unwrap();
    id
}

/// The next state of a claimed run, given back.
pub(crate) fn next(claimed: &Claimed) -> RunCommit {
    let mut run = claimed.run.clone();
    run.seq += 1;
    RunCommit {
        run,
        epoch: claimed.epoch,
        seq_before: claimed.run.seq,
        log: Vec::new(),
        due_at: None,
        watches: Some(BTreeSet::new()),
        decided_at: None,
        consumed: Vec::new(),
        cancel_taken: None,
        keep_lease_until: None,
    }
}

pub(crate) async fn commit(
    store: &Store,
    commit: RunCommit,
    now: Timestamp,
) -> Result<relata_store::Committed, relata_store::StoreError> {
    store.write(move |tx| Box::pin(async move { tx.run_commit(&commit, now).await })).await
}

/// The id of an event, by its number.
pub(crate) fn event_id(number: u128) -> EventId {
    EventId::from_uuid(Uuid::from_u128(number))
}

/// A named event about nothing, on its way into the log.
pub(crate) fn named(id: EventId, name: &str, actor: &str) -> NewEvent {
    NewEvent {
        id,
        at: at(0),
        kind: HappeningKind::Named {
            name: name.to_owned(),
            key: None,
            about: Vec::new(),
            data: Value::Nothing,
        },
        cause: Cause::outside(actor),
    }
}

/// A named event, in the log.
pub(crate) async fn emit(
    store: &Store,
    name: &str,
    key: Option<&str>,
    about: &[&str],
) -> Happening {
    let event = NewEvent {
        id: EventId::from_uuid(fresh()),
        at: at(0),
        kind: HappeningKind::Named {
            name: name.to_owned(),
            key: key.map(str::to_owned),
            about: about.iter().map(|record| reference(record)).collect(),
            data: Value::from_json(&json!({"score": 2})),
        },
        cause: Cause::outside("test"),
    };
    let happening = Happening {
        id: event.id,
        at: event.at,
        kind: event.kind.clone(),
        run: None,
        workflow: None,
        depth: 0,
    };
    store.write(move |tx| Box::pin(async move { tx.event_emit(&event).await })).await.unwrap();
    happening
}

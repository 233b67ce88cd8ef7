//! Updates that are worked out before their transaction, on records as they were then.
//! The one writer serves everybody: what it is given ready it only passes on, where the
//! records are still so.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use relata_engine::Watch;
use relata_model::{FieldType, Record, Reference, Timestamp, Value};
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use super::{Heard, RecordBatch, after, is_by_id, to_the_millisecond, unique};
use crate::{
    Cause, Fresh, NewEvent, Outlook, RecordError, Store, StoreError, Tx, Write,
    connection::Argument, dialect::Dialect, table::Tables,
};

/// Updates and named events of one member, worked out before its transaction.
#[derive(Debug)]
pub struct Ahead {
    tables: Arc<Tables>,
    batch: RecordBatch<'static>,
    /// The records that were updated, also where that changed nothing, and at which
    /// revision; and those that were named, which have to be there.
    rests_on: BTreeMap<Reference, Option<u64>>,
}

impl Store {
    /// Nothing yet, over these records as they were a moment ago.
    pub fn ahead(&self, records: impl IntoIterator<Item = Record>) -> Ahead {
        let mut batch = RecordBatch::new();
        batch.stored.extend(records.into_iter().map(|record| (record.reference.clone(), record)));
        Ahead { tables: Arc::clone(&self.tables), batch, rests_on: BTreeMap::new() }
    }
}

impl Ahead {
    /// Works out a write; false where only the database can say what comes of it, or it
    /// is refused: then all of it is to be done in the transaction. An update of a known
    /// record can be worked out, where it names records by their ids, and no value of
    /// which there may be only one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unreadable`] where what changes cannot be put into words: a fault
    /// of ours.
    pub fn write(
        &mut self,
        write: &Write,
        cause: &Cause,
        fresh: Fresh<'_>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Write::Update { reference, fields, if_revision } = write else { return Ok(false) };
        let Ok((object, _)) = self.tables.of(&reference.object) else { return Ok(false) };
        let Some(before) = self.batch.known(reference).flatten().cloned() else {
            return Ok(false);
        };
        if if_revision.is_some_and(|expected| expected != before.revision) {
            return Ok(false);
        }
        let mut named = Vec::new();
        for (name, value) in fields {
            let Some(kind) = object.field(name).map(|field| &field.kind) else { continue };
            match value {
                _ if !matches!(kind, FieldType::Reference(_)) => {}
                Value::Nothing => {}
                Value::Reference(other) if is_by_id(other) && kind.refers_to(&other.object) => {
                    named.push(other);
                }
                _ => return Ok(false),
            }
        }
        let now = to_the_millisecond(now);
        let Ok(after) = after(object, &before.fields, fields.clone(), Vec::new(), now) else {
            return Ok(false);
        };
        let is_taken_perhaps = |name: &String| {
            after.as_ref().is_some_and(|after| after.get(name) != before.fields.get(name))
        };
        if unique(object).any(is_taken_perhaps) {
            return Ok(false);
        }
        let at = self.batch.stored.get(reference).map_or(before.revision, |stored| stored.revision);
        self.rests_on.insert(reference.clone(), Some(at));
        for other in named {
            self.rests_on.entry(other.clone()).or_default();
        }
        self.batch.become_so(object, before, after, cause, fresh, now)?;
        Ok(true)
    }

    /// A named event, in its place among the changes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unreadable`] where it cannot be put into words: a fault of ours.
    pub fn emit(&mut self, event: NewEvent) -> Result<(), StoreError> {
        self.batch.emit(event)
    }

    /// The records that have to be there, and at which revision if that matters.
    pub(crate) fn rests_on(&self) -> impl Iterator<Item = (&Reference, Option<u64>)> {
        self.rests_on.iter().map(|(record, revision)| (record, *revision))
    }

    /// What runs may listen for that hear of it.
    pub fn topics(&self) -> impl Iterator<Item = Watch> {
        self.batch.staged.events.iter().flat_map(|event| event.topics())
    }
}

impl Tx {
    /// Writes what was worked out ahead, as far as the records are still as it rests on
    /// them; answers for each whether that is so. Of two for the same record the first
    /// is written. The outlook is of all of it, and knows for which of its topics runs
    /// listen.
    ///
    /// # Errors
    ///
    /// As [`RecordBatch::flush`].
    pub async fn ahead_write(
        &mut self,
        ahead: &[&Ahead],
        outlook: &Outlook,
        heard: Heard<'_>,
    ) -> Result<Vec<bool>, RecordError> {
        let mut batch =
            RecordBatch { awaited: Some(outlook.awaited.clone()), ..RecordBatch::new() };
        let mut touched = BTreeSet::new();
        let mut written = Vec::with_capacity(ahead.len());
        for Ahead { batch: own, rests_on, .. } in ahead {
            let is_so = |(record, wanted): (&Reference, &Option<u64>)| {
                outlook.revision(record).is_some_and(|found| match wanted {
                    Some(revision) => found == *revision && !touched.contains(record),
                    None => true,
                })
            };
            let holds = rests_on.iter().all(is_so);
            written.push(holds);
            if !holds {
                continue;
            }
            touched.extend(own.staged.records.keys());
            for (reference, record) in &own.staged.records {
                let stored = own.stored.get(reference).cloned();
                batch.stored.extend(stored.map(|stored| (reference.clone(), stored)));
                batch.kept.records.insert(reference.clone(), record.clone());
            }
            batch.kept.events.extend(own.staged.events.iter().cloned());
        }
        batch.hear(heard);
        batch.flush(self).await?;
        Ok(written)
    }
}

/// The questions at which revision the records are that it rests on. Nobody else
/// writes to those that will be written.
pub(crate) fn revisions_of(dialect: Dialect, ahead: &[&Ahead]) -> Vec<(SqlStr, Vec<Argument>)> {
    let mut wanted: BTreeMap<(&str, bool), BTreeSet<&str>> = BTreeMap::new();
    for (record, revision) in ahead.iter().flat_map(|ahead| &ahead.rests_on) {
        wanted.entry((&record.object, revision.is_some())).or_default().insert(&record.key);
    }
    let question = |((object, will_be_written), keys): (_, BTreeSet<&str>)| {
        let is_wanted = dialect.is_listed("id", "$1");
        let locked = if will_be_written { dialect.locked() } else { "" };
        let sql = format!(
            "SELECT '{object}' AS object, id, revision FROM \"{object}\" WHERE {is_wanted}{locked}"
        );
        (AssertSqlSafe(sql).into_sql_str(), vec![Argument::from(&serde_json::json!(keys))])
    };
    wanted.into_iter().map(question).collect()
}

//! What a batch holds goes to the database.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use relata_model::{EventId, FieldError, ObjectDefinition, Record};
use sea_query::{Alias, Query as Statement};
use sqlx::AssertSqlSafe;

use super::{RecordBatch, other_with, unique};
use crate::{
    ReadyEvent, RecordError, StoreError, Tx,
    connection::{Argument, arguments},
    dialect::Dialect,
    given::Given,
    record::{id_of, refused},
    table::{Column, ColumnType, ObjectTable, columns_of},
    value,
    word::Renamed,
};

impl RecordBatch<'_> {
    /// Writes all that the batch holds to the database: the records, then
    /// their events in their order.
    ///
    /// # Errors
    ///
    /// [`RecordError::Invalid`] or [`RecordError::Conflict`] where another
    /// writer was faster (PostgreSQL), else the database's. The transaction
    /// has to undo what was written.
    pub async fn flush(&mut self, tx: &mut Tx) -> Result<(), RecordError> {
        let staged = std::mem::take(&mut self.staged);
        self.spilled |= !(staged.records.is_empty() && staged.events.is_empty());
        let mut all = std::mem::take(&mut self.kept);
        all.records.extend(staged.records);
        all.events.extend(staged.events);

        let tables = Arc::clone(&tx.tables);
        let mut created: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
        let mut changed: BTreeMap<_, Vec<(u64, &Record)>> = BTreeMap::new();
        let mut deleted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut renamed: BTreeMap<&str, Vec<Renamed<'_>>> = BTreeMap::new();
        for (reference, touched) in &all.records {
            let object = reference.object.as_str();
            renamed.entry(object).or_default().push(Renamed {
                before: touched.stored.and_then(|_| self.stored.get(reference)),
                now: touched.now.as_ref(),
                changed: &touched.changed,
            });
            match (touched.stored, &touched.now) {
                (None, Some(record)) => created.entry(object).or_default().push(record),
                (Some(revision), Some(record)) => {
                    let fields: Vec<&str> = touched.changed.iter().map(String::as_str).collect();
                    changed.entry((object, fields)).or_default().push((revision, record));
                }
                (Some(_), None) => deleted.entry(object).or_default().push(&reference.key),
                (None, None) => {}
            }
        }
        for (object, records) in renamed {
            tx.words_write(tables.of(object)?.0, &records).await?;
        }
        for (object, keys) in deleted {
            let statement = Statement::delete()
                .from_table(Alias::new(object))
                .and_where(tx.dialect().is_one_of("id", &serde_json::json!(keys).to_string()))
                .take();
            let (sql, arguments) = tx.dialect().build(&statement);
            tx.connection.execute("delete records", sql, arguments).await?;
            tx.attachments_forget(object, &keys).await?;
        }
        for ((object, fields), records) in changed {
            let (object, _) = tables.of(object)?;
            update(tx, object, &fields, &records).await?;
        }
        for (object, records) in created {
            let (object, table) = tables.of(object)?;
            if !insert(tx, object, table, &records).await? {
                // Another host took an id or a unique value between the look
                // and the write.
                return Err(taken_meanwhile(tx, object, &records).await);
            }
        }
        let pending = self.pending(tx, &all.events).await?;
        tx.event_emit_all(&all.events.iter().map(Arc::as_ref).collect::<Vec<_>>(), &pending)
            .await?;

        for (reference, touched) in all.records {
            match touched.now {
                Some(record) => {
                    self.stored.insert(reference, record);
                }
                None => {
                    self.there.remove(&reference);
                    self.stored.remove(&reference);
                }
            }
        }
        Ok(())
    }

    /// Which of the events somebody has to see.
    async fn pending(
        &self,
        tx: &mut Tx,
        events: &[Arc<ReadyEvent>],
    ) -> Result<HashSet<EventId>, StoreError> {
        let Some(heard) = self.heard else {
            return Ok(events.iter().map(|event| event.id).collect());
        };
        let (mut pending, mut unheard) = (HashSet::new(), Vec::new());
        for event in events {
            if heard(&event.kind) {
                pending.insert(event.id);
            } else {
                unheard.extend(event.kind.topics().into_iter().map(|topic| (event.id, topic)));
            }
        }
        let asked;
        let awaited = match &self.awaited {
            Some(awaited) => awaited,
            None => {
                let topics: Vec<_> = unheard.iter().map(|(_, topic)| topic.clone()).collect();
                asked = tx.waiter_topics(&topics).await?;
                &asked
            }
        };
        for (event, topic) in unheard {
            if awaited.contains(&topic) {
                pending.insert(event);
            }
        }
        Ok(pending)
    }
}

/// Why some records could not be inserted.
async fn taken_meanwhile(
    tx: &mut Tx,
    object: &ObjectDefinition,
    records: &[&Record],
) -> RecordError {
    let mut errors = Vec::new();
    for record in records {
        for name in unique(object) {
            let Some(value) = record.fields.get(name) else { continue };
            match other_with(tx, object, name, value, &record.reference.key).await {
                Ok(None) => {}
                Ok(Some(other)) => errors.push(FieldError::new(
                    name,
                    format!("`{value}` belongs to {}/{other} already", object.name),
                )),
                Err(why) => return why.into(),
            }
        }
    }
    if errors.is_empty() {
        errors.push(FieldError::new("id", "belongs to another record already"));
    }
    RecordError::Invalid(errors)
}

/// The columns of some fields, in the order of the names.
fn columns<'c>(object: &ObjectDefinition, fields: impl Iterator<Item = &'c str>) -> Vec<Column> {
    fields
        .filter_map(|name| object.field(name).map(|field| columns_of(name, field)))
        .flatten()
        .collect()
}

/// The values of some fields of a record, for their columns.
fn values<'c>(
    object: &ObjectDefinition,
    record: &Record,
    fields: impl Iterator<Item = &'c str>,
) -> Vec<Argument> {
    let mut values = Vec::new();
    for name in fields {
        if let Some(field) = object.field(name) {
            value::write(field, record.field(name), &mut values);
        }
    }
    values
}

/// Inserts records; false where another one has an id or a unique value, and
/// not all of them are there now.
async fn insert(
    tx: &mut Tx,
    object: &ObjectDefinition,
    table: &ObjectTable,
    records: &[&Record],
) -> Result<bool, RecordError> {
    let mut names: Vec<(&str, ColumnType)> =
        vec![("id", ColumnType::Text), ("revision", ColumnType::Whole)];
    names.extend(table.columns.iter().map(|column| (column.name.as_str(), column.kind)));
    let mut given = Given::new(&names);
    for record in records {
        let mut row = arguments![&record.reference.key, record.revision];
        row.extend(values(object, record, object.order.iter().map(String::as_str)));
        given.push(row);
    }
    let names = given.names();
    let sql = format!(
        "INSERT INTO \"{}\" ({names}) SELECT {names} FROM {} WHERE 1 = 1 ORDER BY _place
         ON CONFLICT DO NOTHING",
        object.name,
        given.table(tx.dialect(), "$1")
    );
    let touched = tx
        .connection
        .execute("write records", AssertSqlSafe(sql), vec![given.into_argument()])
        .await?;
    Ok(touched == records.len() as u64)
}

async fn update(
    tx: &mut Tx,
    object: &ObjectDefinition,
    fields: &[&str],
    records: &[(u64, &Record)],
) -> Result<(), RecordError> {
    let columns = columns(object, fields.iter().copied());
    let mut names: Vec<(&str, ColumnType)> = vec![
        ("id", ColumnType::Text),
        ("revision_before", ColumnType::Whole),
        ("revision", ColumnType::Whole),
    ];
    names.extend(columns.iter().map(|column| (column.name.as_str(), column.kind)));
    let mut given = Given::new(&names);
    for (before, record) in records {
        let mut row = arguments![&record.reference.key, *before, record.revision];
        row.extend(values(object, record, fields.iter().copied()));
        given.push(row);
    }
    let mut set = String::from("\"revision\" = given.revision");
    for column in &columns {
        set.push_str(&format!(", \"{0}\" = given.\"{0}\"", column.name));
    }
    let sql = format!(
        "UPDATE \"{0}\" SET {set} FROM {1}
         WHERE \"{0}\".id = given.id AND \"{0}\".revision = given.revision_before{2}",
        object.name,
        given.table(tx.dialect(), "$1"),
        given.narrow(tx.dialect(), "$1", "id", &format!("\"{}\".id", object.name))
    );
    let (doing, sql, given) = ("write records", AssertSqlSafe(sql), vec![given.into_argument()]);
    if tx.dialect() == Dialect::Sqlite {
        // They were read in this transaction, and nobody else writes.
        return Ok(tx.connection.post(doing, sql, given).await?);
    }
    let touched =
        tx.connection.execute(doing, sql, given).await.map_err(|why| refused(why, object))?;
    if touched == records.len() as u64 {
        return Ok(());
    }
    // Only where writers run side by side (PostgreSQL).
    for (before, record) in records {
        id_of(&record.reference)?;
        let found = tx.record_fetch(&record.reference).await?;
        let found = found.ok_or_else(|| RecordError::NotFound(record.reference.clone()))?;
        if found.revision != record.revision {
            return Err(RecordError::Conflict {
                reference: record.reference.clone(),
                expected: *before,
                found: found.revision,
            });
        }
    }
    Ok(())
}

//! Writes of records that go to the database together: read and checked one
//! after the other, then written with one statement a table and kind.
//!
//! A member of a batch sees what the members before it wrote, as if each had
//! been written at once. Nothing is in the database before
//! [`RecordBatch::flush`]; where a look at the database would have to see
//! what the batch holds, the batch is flushed first.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use relata_engine::HappeningKind;
use relata_model::{
    Change, ChangeKind, EventId, FieldError, FieldType, Fields, ObjectDefinition, Record, RecordId,
    Reference, Timestamp, Value,
};
use sea_query::{Alias, Expr, ExprTrait as _, Query as Statement};
use sqlx::AssertSqlSafe;

use crate::{
    Cause, Fresh, NewEvent, RecordError, StoreError, Tx, Write, Written,
    connection::{Argument, arguments},
    dialect::Dialect,
    given::Given,
    record::{dedup, id_of, invalid, read, refused},
    table::{By, Column, ColumnType, ObjectTable, Reading, columns_of},
    value,
    word::Renamed,
};

/// Whether a trigger may answer an event. An event that none answers, and for
/// which no run waits, is settled as it is written.
pub type Heard<'h> = &'h (dyn Fn(&HappeningKind) -> bool + Send + Sync);

/// Writes of records that go to the database together.
#[derive(Default)]
pub struct RecordBatch<'h> {
    heard: Option<Heard<'h>>,
    /// What lies in the database, as far as it was read: records by id.
    stored: HashMap<Reference, Record>,
    /// Records that are there, whatever is in them.
    there: HashSet<Reference>,
    /// What the members before the present one wrote.
    kept: Overlay,
    /// What the present member wrote.
    staged: Overlay,
    /// Whether some of the present member's lies in the database already.
    spilled: bool,
}

/// What was written, and is not in the database yet.
#[derive(Debug, Default)]
struct Overlay {
    records: BTreeMap<Reference, Touched>,
    events: Vec<NewEvent>,
}

/// A record that was written.
#[derive(Debug, Clone)]
struct Touched {
    /// Its revision in the database; none where it is not there.
    stored: Option<u64>,
    /// As it is now; none where it was deleted.
    now: Option<Record>,
    /// The fields that are otherwise than in the database.
    changed: BTreeSet<String>,
}

impl std::fmt::Debug for RecordBatch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordBatch")
            .field("kept", &self.kept)
            .field("staged", &self.staged)
            .finish_non_exhaustive()
    }
}

impl<'h> RecordBatch<'h> {
    /// An empty batch, all of whose events triggers have to see.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on `heard` says which events a trigger may answer; those that were
    /// flushed before have to be seen.
    pub fn hear(&mut self, heard: Heard<'h>) {
        self.heard = Some(heard);
    }

    /// Reads the records that will be written, one statement an object, and looks
    /// for those that are named, one statement for all; those given by id. The writes
    /// work without it, a read each.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn foresee<'w>(
        &mut self,
        tx: &mut Tx,
        writes: &'w [&'w Write],
    ) -> Result<(), StoreError> {
        let mut written: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut named: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for write in writes {
            let fields = match write {
                Write::Create { fields, .. } => Some(fields),
                Write::Update { reference, fields, .. } => {
                    by_id(&mut written, reference);
                    Some(fields)
                }
                Write::Delete { reference, .. } => {
                    by_id(&mut written, reference);
                    None
                }
            };
            for value in fields.into_iter().flat_map(Fields::values) {
                if let Value::Reference(reference) = value {
                    by_id(&mut named, reference);
                }
            }
        }
        let tables = std::sync::Arc::clone(&tx.tables);
        for (object, keys) in written {
            let Ok((object, table)) = tables.of(object) else { continue };
            let sql =
                tx.reading(object, table, Reading { by: By::Id, several: true, for_write: true });
            let arguments = arguments![serde_json::json!(keys).to_string()];
            for row in tx.connection.rows("read records", sql, arguments).await? {
                let record = read(object, &row)?;
                self.stored.insert(record.reference.clone(), record);
            }
        }
        named.retain(|object, _| tables.of(object).is_ok());
        if named.is_empty() {
            return Ok(());
        }
        let (mut sql, mut lists) = (String::new(), Vec::new());
        for (object, keys) in &named {
            let union = if sql.is_empty() { "" } else { " UNION ALL " };
            lists.push(Argument::from(&serde_json::json!(keys)));
            let is_named = tx.dialect().is_listed("id", &format!("${}", lists.len()));
            sql.push_str(&format!(
                "{union}SELECT '{object}' AS object, id FROM \"{object}\" WHERE {is_named}"
            ));
        }
        for row in tx.connection.rows("look for records", AssertSqlSafe(sql), lists).await? {
            self.there.insert(Reference::new(row.text("object")?, row.text("id")?));
        }
        Ok(())
    }

    /// Carries out a write, as [`Tx::record_write`] says; it is in the
    /// database after the [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// [`RecordError`] says which fields are wrong and why: all of them.
    /// Nothing of this write remains.
    pub async fn write(
        &mut self,
        tx: &mut Tx,
        write: Write,
        cause: &Cause,
        fresh: Fresh<'_>,
        now: Timestamp,
    ) -> Result<Written, RecordError> {
        // Times are kept to the millisecond, in the events' images too.
        let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        let tables = std::sync::Arc::clone(&tx.tables);
        match write {
            Write::Create { object, id, fields } => {
                let (object, _) = tables.of(&object)?;
                let fields = self.created(tx, object, id, fields, now).await?;
                let reference = Reference::new(&object.name, id.to_string());
                let record = Record { reference, revision: 1, fields: fields.into() };
                self.touch(object, None, Some(record.clone()));
                let change = change(ChangeKind::Created, None, Some(&record));
                self.happened(object, change, cause, fresh, now);
                Ok(Written { record, changed: true })
            }
            Write::Update { reference, fields, if_revision } => {
                let (object, _) = tables.of(&reference.object)?;
                let before = self.expect(tx, &reference, if_revision).await?;
                let Some(fields) = self.updated(tx, object, &before, fields, now).await? else {
                    return Ok(Written { record: before, changed: false });
                };
                let record = Record {
                    reference: before.reference.clone(),
                    revision: before.revision + 1,
                    fields: fields.into(),
                };
                self.touch(object, Some(&before), Some(record.clone()));
                let change = change(ChangeKind::Changed, Some(before), Some(&record));
                self.happened(object, change, cause, fresh, now);
                Ok(Written { record, changed: true })
            }
            Write::Delete { reference, if_revision } => {
                let (object, _) = tables.of(&reference.object)?;
                let record = self.expect(tx, &reference, if_revision).await?;
                self.touch(object, Some(&record), None);
                let change = change(ChangeKind::Deleted, Some(record.clone()), None);
                self.happened(object, change, cause, fresh, now);
                Ok(Written { record, changed: true })
            }
        }
    }

    /// Writes a named event to the log, in its place among the changes.
    pub fn emit(&mut self, event: NewEvent) {
        self.staged.events.push(event);
    }

    /// The present member is done; what it wrote stays.
    pub fn keep(&mut self) {
        let staged = std::mem::take(&mut self.staged);
        self.kept.records.extend(staged.records);
        self.kept.events.extend(staged.events);
        self.spilled = false;
    }

    /// Undoes what the present member wrote.
    ///
    /// # Errors
    ///
    /// [`StoreError::Apart`] where some of it lies in the database: then the
    /// transaction has to undo it.
    pub fn undo(&mut self) -> Result<(), StoreError> {
        self.staged = Overlay::default();
        if std::mem::take(&mut self.spilled) { Err(StoreError::Apart) } else { Ok(()) }
    }

    /// The fields of a new record, checked.
    async fn created(
        &mut self,
        tx: &mut Tx,
        object: &ObjectDefinition,
        id: RecordId,
        mut given: Fields,
        now: Timestamp,
    ) -> Result<Fields, RecordError> {
        let mut errors = self.resolve(tx, object, &mut given).await?;
        let mut fields = match object.create(id, given, now) {
            Ok(fields) => fields,
            Err(more) => return Err(invalid(errors, more)),
        };
        // Defaults may name records too.
        errors.extend(self.resolve(tx, object, &mut fields).await?);
        errors.extend(value::tidy(object, &mut fields));
        dedup(&mut errors);
        if errors.is_empty() {
            errors = self.taken(tx, object, &fields, None, &id.to_string()).await?;
        }
        if errors.is_empty() { Ok(fields) } else { Err(RecordError::Invalid(errors)) }
    }

    /// The fields of a record after an update, checked; none where nothing is
    /// otherwise.
    async fn updated(
        &mut self,
        tx: &mut Tx,
        object: &ObjectDefinition,
        before: &Record,
        mut given: Fields,
        now: Timestamp,
    ) -> Result<Option<Fields>, RecordError> {
        let mut errors = self.resolve(tx, object, &mut given).await?;
        let mut after = match object.update(&before.fields, given, now) {
            Ok(after) => after,
            Err(more) => return Err(invalid(errors, more)),
        };
        errors.extend(value::tidy(object, &mut after));
        dedup(&mut errors);
        if !errors.is_empty() {
            return Err(RecordError::Invalid(errors));
        }
        if difference(&before.fields, &after).all(|name| name == "updated_at") {
            return Ok(None);
        }
        let key = &before.reference.key;
        let errors = self.taken(tx, object, &after, Some(&before.fields), key).await?;
        if errors.is_empty() { Ok(Some(after)) } else { Err(RecordError::Invalid(errors)) }
    }

    /// Notes that a record is otherwise from now on.
    fn touch(&mut self, object: &ObjectDefinition, before: Option<&Record>, now: Option<Record>) {
        let Some(reference) = now.as_ref().or(before).map(|record| record.reference.clone()) else {
            return;
        };
        let was = self
            .staged
            .records
            .remove(&reference)
            .or_else(|| self.kept.records.get(&reference).cloned());
        let mut touched = was.unwrap_or_else(|| Touched {
            stored: before.map(|record| record.revision),
            now: None,
            changed: BTreeSet::new(),
        });
        let nothing = Fields::new();
        let (old, new) = (
            before.map_or(&nothing, |record| &record.fields),
            now.as_ref().map_or(&nothing, |record| &record.fields),
        );
        let known = |name: &&String| object.field(name).is_some();
        touched.changed.extend(difference(old, new).filter(known).cloned());
        touched.now = now;
        self.staged.records.insert(reference, touched);
    }

    /// Notes a change for the event log, and the named events that it means.
    fn happened(
        &mut self,
        object: &ObjectDefinition,
        change: Change,
        cause: &Cause,
        fresh: Fresh<'_>,
        now: Timestamp,
    ) {
        let meant = object.events_of(&change).into_iter().map(|meant| HappeningKind::Named {
            name: meant.name,
            key: meant.key,
            about: meant.about,
            data: Value::Map(meant.data),
        });
        let meant: Vec<_> = meant.collect();
        for kind in std::iter::once(HappeningKind::Change(change)).chain(meant) {
            let id = EventId::from_uuid(fresh());
            self.staged.events.push(NewEvent { id, at: now, kind, cause: cause.clone() });
        }
    }

    /// A record as it is with all that the batch holds; outer none where the
    /// batch does not know.
    fn known(&self, reference: &Reference) -> Option<Option<&Record>> {
        let touched =
            self.staged.records.get(reference).or_else(|| self.kept.records.get(reference));
        match touched {
            Some(touched) => Some(touched.now.as_ref()),
            None => self.stored.get(reference).map(Some),
        }
    }

    /// Whether a record is known to be there.
    fn is_there(&self, reference: &Reference) -> bool {
        match self.known(reference) {
            Some(known) => known.is_some(),
            None => self.there.contains(reference),
        }
    }

    /// A record that must be there, at the revision that the writer read.
    async fn expect(
        &mut self,
        tx: &mut Tx,
        reference: &Reference,
        if_revision: Option<u64>,
    ) -> Result<Record, RecordError> {
        let found = match self.known(reference) {
            Some(known) => known.cloned(),
            None => {
                self.flush_object(tx, &reference.object).await?;
                let found = tx.record_find(reference, true).await?;
                if let Some(record) = &found {
                    self.stored.insert(record.reference.clone(), record.clone());
                }
                found
            }
        };
        let record = found.ok_or_else(|| RecordError::NotFound(reference.clone()))?;
        match if_revision {
            Some(expected) if expected != record.revision => Err(RecordError::Conflict {
                reference: record.reference,
                expected,
                found: record.revision,
            }),
            _ => Ok(record),
        }
    }

    /// Puts ids in the place of external ids; says which records there are
    /// not.
    async fn resolve(
        &mut self,
        tx: &mut Tx,
        object: &ObjectDefinition,
        fields: &mut Fields,
    ) -> Result<Vec<FieldError>, RecordError> {
        let mut errors = Vec::new();
        for (name, value) in fields.iter_mut() {
            let Some(FieldType::Reference(allowed)) = object.field(name).map(|field| &field.kind)
            else {
                continue;
            };
            let reference = match value {
                Value::Reference(reference) => reference.clone(),
                Value::Text(text) => match text.trim().parse::<Reference>() {
                    Ok(reference) => reference,
                    // The definition says it better.
                    Err(_) => continue,
                },
                _ => continue,
            };
            if !allowed.is_empty() && !allowed.contains(&reference.object) {
                continue;
            }
            if self.is_there(&reference) {
                *value = Value::Reference(reference);
                continue;
            }
            self.flush_object(tx, &reference.object).await?;
            match tx.reference_resolve(&reference).await? {
                Ok(resolved) => *value = Value::Reference(resolved),
                Err(why) => {
                    *value = Value::Reference(reference);
                    errors.push(FieldError::new(name, why));
                }
            }
        }
        Ok(errors)
    }

    /// Which unique values another record has already.
    async fn taken(
        &mut self,
        tx: &mut Tx,
        object: &ObjectDefinition,
        fields: &Fields,
        before: Option<&Fields>,
        key: &str,
    ) -> Result<Vec<FieldError>, RecordError> {
        let mut errors = Vec::new();
        for name in unique(object) {
            let Some(value) = fields.get(name) else { continue };
            if before.and_then(|before| before.get(name)) == Some(value) {
                continue;
            }
            let double = |other: &str| {
                let why = format!("`{value}` belongs to {}/{other} already", object.name);
                FieldError::new(name, why)
            };
            let ours = self.touched().find(|(reference, touched)| {
                let same = |record: &Record| record.fields.get(name) == Some(value);
                reference.object == object.name
                    && reference.key != key
                    && touched.now.as_ref().is_some_and(same)
            });
            if let Some((other, _)) = ours {
                errors.push(double(&other.key));
                continue;
            }
            // What the batch took away from a record is still in the database.
            let freed = self.touched().any(|(reference, touched)| {
                reference.object == object.name
                    && touched.stored.is_some()
                    && touched.changed.contains(name)
            });
            if freed {
                self.flush(tx).await?;
            }
            if let Some(other) = other_with(tx, object, name, value, key).await? {
                errors.push(double(&other));
            }
        }
        Ok(errors)
    }

    /// All that is not in the database yet; what the present member wrote
    /// lies over what those before it did.
    fn touched(&self) -> impl Iterator<Item = (&Reference, &Touched)> {
        let staged = &self.staged.records;
        let under = self.kept.records.iter().filter(|(name, _)| !staged.contains_key(*name));
        under.chain(staged)
    }

    /// Flushes where a look at an object's table would miss something.
    async fn flush_object(&mut self, tx: &mut Tx, object: &str) -> Result<(), RecordError> {
        let holds = self.touched().any(|(reference, _)| reference.object == object);
        if holds { self.flush(tx).await } else { Ok(()) }
    }

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

        let tables = std::sync::Arc::clone(&tx.tables);
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
        tx.event_emit_all(&all.events.iter().collect::<Vec<_>>(), &pending).await?;

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
        events: &[NewEvent],
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
        let topics: Vec<_> = unheard.iter().map(|(_, topic)| topic.clone()).collect();
        let awaited = tx.waiter_topics(&topics).await?;
        for (event, topic) in unheard {
            if awaited.contains(&topic) {
                pending.insert(event);
            }
        }
        Ok(pending)
    }
}

/// Adds a reference by id; one by external id has to be looked for.
fn by_id<'w>(wanted: &mut BTreeMap<&'w str, BTreeSet<&'w str>>, reference: &'w Reference) {
    if reference.key.parse::<RecordId>().is_ok() {
        wanted.entry(&reference.object).or_default().insert(&reference.key);
    }
}

/// The names of the fields of which no two records may have the same.
fn unique(object: &ObjectDefinition) -> impl Iterator<Item = &String> {
    object.fields.iter().filter(|(_, field)| field.unique).map(|(name, _)| name)
}

/// The id of another record that has this value.
async fn other_with(
    tx: &mut Tx,
    object: &ObjectDefinition,
    name: &str,
    value: &Value,
    key: &str,
) -> Result<Option<String>, StoreError> {
    let Some(field) = object.field(name) else { return Ok(None) };
    let mut statement = Statement::select();
    statement
        .column(Alias::new("id"))
        .from(Alias::new(&object.name))
        .and_where(crate::query::equals(name, field, value))
        .and_where(Expr::col(Alias::new("id")).ne(key))
        .limit(1);
    let (sql, arguments) = tx.dialect().build(&statement);
    let row = tx.connection.row("look for a double", sql, arguments).await?;
    row.map(|row| row.text("id")).transpose()
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

/// A change from one image to another.
fn change(kind: ChangeKind, before: Option<Record>, after: Option<&Record>) -> Change {
    let reference = after.or(before.as_ref()).map(|record| record.reference.clone());
    Change {
        reference: reference.unwrap_or_else(|| Reference::new("", "")),
        kind,
        before: before.map(|record| record.fields),
        after: after.map(|record| record.fields.clone()),
    }
}

/// The names of the fields that differ.
fn difference<'f>(before: &'f Fields, after: &'f Fields) -> impl Iterator<Item = &'f String> {
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    gone.chain(
        after.iter().filter(|(name, value)| before.get(*name) != Some(value)).map(|(name, _)| name),
    )
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

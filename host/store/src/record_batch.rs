//! Writes of records that go to the database together: read and checked one
//! after the other, then written with one statement a table and kind.
//!
//! A member of a batch sees what the members before it wrote, as if each had
//! been written at once. Nothing is in the database before
//! [`RecordBatch::flush`]; where a look at the database would have to see
//! what the batch holds, the batch is flushed first.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use relata_engine::{HappeningKind, Watch};
use relata_model::{
    Change, ChangeKind, EventId, FieldError, FieldType, Fields, ObjectDefinition, Record, RecordId,
    Reference, Timestamp, Value,
};
use sea_query::{Alias, Expr, ExprTrait as _, Query as Statement};
use sqlx::AssertSqlSafe;

use crate::{
    Cause, Fresh, NewEvent, ReadyEvent, RecordError, StoreError, Tx, Write, Written,
    connection::{Argument, arguments},
    record::{dedup, invalid, read},
    table::{By, Reading},
    value,
};

mod ahead;
mod flush;

pub use ahead::Ahead;
pub(crate) use ahead::revisions_of;

/// Whether a trigger may answer an event. An event that none answers, and for
/// which no run waits, is settled as it is written.
pub type Heard<'h> = &'h (dyn Fn(&HappeningKind) -> bool + Send + Sync);

/// Writes of records that go to the database together.
#[derive(Default)]
pub struct RecordBatch<'h> {
    heard: Option<Heard<'h>>,
    /// Which of its events' topics runs listen for, where that has been asked.
    awaited: Option<HashSet<Watch>>,
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
    events: Vec<Arc<ReadyEvent>>,
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
        let tables = Arc::clone(&tx.tables);
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
        let now = to_the_millisecond(now);
        let tables = Arc::clone(&tx.tables);
        match write {
            Write::Create { object, id, fields } => {
                let (object, _) = tables.of(&object)?;
                let fields = self.created(tx, object, id, fields, now).await?;
                let reference = Reference::new(&object.name, id.to_string());
                let record = Record { reference, revision: 1, fields: fields.into() };
                self.touch(object, None, Some(record.clone()));
                let change = change(ChangeKind::Created, None, Some(&record));
                self.happened(object, change, cause, fresh, now)?;
                Ok(Written { record, changed: true })
            }
            Write::Update { reference, fields, if_revision } => {
                let (object, _) = tables.of(&reference.object)?;
                let before = self.expect(tx, &reference, if_revision).await?;
                let fields = self.updated(tx, object, &before, fields, now).await?;
                Ok(self.become_so(object, before, fields, cause, fresh, now)?)
            }
            Write::Delete { reference, if_revision } => {
                let (object, _) = tables.of(&reference.object)?;
                let record = self.expect(tx, &reference, if_revision).await?;
                self.touch(object, Some(&record), None);
                let change = change(ChangeKind::Deleted, Some(record.clone()), None);
                self.happened(object, change, cause, fresh, now)?;
                Ok(Written { record, changed: true })
            }
        }
    }

    /// Writes a named event to the log, in its place among the changes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unreadable`] where it cannot be put into words: a fault of ours.
    pub fn emit(&mut self, event: NewEvent) -> Result<(), StoreError> {
        self.staged.events.push(Arc::new(event.ready()?));
        Ok(())
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
        let errors = self.resolve(tx, object, &mut given).await?;
        let Some(after) = after(object, &before.fields, given, errors, now)? else {
            return Ok(None);
        };
        let key = &before.reference.key;
        let errors = self.taken(tx, object, &after, Some(&before.fields), key).await?;
        if errors.is_empty() { Ok(Some(after)) } else { Err(RecordError::Invalid(errors)) }
    }

    /// Notes an update that is worked out; without fields nothing is otherwise.
    fn become_so(
        &mut self,
        object: &ObjectDefinition,
        before: Record,
        after: Option<Fields>,
        cause: &Cause,
        fresh: Fresh<'_>,
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        let Some(fields) = after else {
            return Ok(Written { record: before, changed: false });
        };
        let record = Record {
            reference: before.reference.clone(),
            revision: before.revision + 1,
            fields: fields.into(),
        };
        self.touch(object, Some(&before), Some(record.clone()));
        let change = change(ChangeKind::Changed, Some(before), Some(&record));
        self.happened(object, change, cause, fresh, now)?;
        Ok(Written { record, changed: true })
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
    ) -> Result<(), StoreError> {
        let meant = object.events_of(&change).into_iter().map(|meant| HappeningKind::Named {
            name: meant.name,
            key: meant.key,
            about: meant.about,
            data: Value::Map(meant.data),
        });
        let meant: Vec<_> = meant.collect();
        for kind in std::iter::once(HappeningKind::Change(change)).chain(meant) {
            let id = EventId::from_uuid(fresh());
            self.emit(NewEvent { id, at: now, kind, cause: cause.clone() })?;
        }
        Ok(())
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
}

/// Adds a reference by id; one by external id has to be looked for.
fn by_id<'w>(wanted: &mut BTreeMap<&'w str, BTreeSet<&'w str>>, reference: &'w Reference) {
    if is_by_id(reference) {
        wanted.entry(&reference.object).or_default().insert(&reference.key);
    }
}

/// Times are kept to the millisecond, in the events' images too.
fn to_the_millisecond(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

/// Whether it is an id by which the record is known, and not one of another program.
fn is_by_id(reference: &Reference) -> bool {
    reference.key.parse::<RecordId>().is_ok()
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

/// A record's fields after an update whose `errors` are known so far; none where nothing
/// is otherwise.
fn after(
    object: &ObjectDefinition,
    before: &Fields,
    given: Fields,
    mut errors: Vec<FieldError>,
    now: Timestamp,
) -> Result<Option<Fields>, RecordError> {
    let mut after = match object.update(before, given, now) {
        Ok(after) => after,
        Err(more) => return Err(invalid(errors, more)),
    };
    errors.extend(value::tidy(object, &mut after));
    dedup(&mut errors);
    if !errors.is_empty() {
        return Err(RecordError::Invalid(errors));
    }
    let is_same = difference(before, &after).all(|name| name == "updated_at");
    Ok((!is_same).then_some(after))
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

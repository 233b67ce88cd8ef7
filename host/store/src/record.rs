//! Records: reading one, and the one way of writing.

use relata_engine::HappeningKind;
use relata_model::{
    Change, ChangeKind, EventId, FieldError, FieldType, Fields, ObjectDefinition, Record, RecordId,
    Reference, RunId, Timestamp, Value, text,
};
use sea_query::{Alias, Expr, ExprTrait as _, LockType, Query as Statement, SelectStatement};
use uuid::Uuid;

use crate::{
    NewEvent, RecordError, Store, StoreError, Tx,
    connection::{Argument, Row, arguments},
    table::{ObjectTable, prepared},
    value,
};

/// Who caused a write, and how far it is from a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Who: `user/01k9…`, `cli`, `import`, `workflow/assign-new-leads`.
    pub actor: String,
    /// The run that did it, if one did.
    pub run: Option<RunId>,
    /// That run's workflow.
    pub workflow: Option<String>,
    /// How many runs stand between it and a person or the outside world.
    pub depth: u32,
    /// The entry of that run's log whose call did it.
    pub entry: Option<u64>,
}

impl Cause {
    /// Somebody or something that is no run.
    pub fn outside(actor: impl Into<String>) -> Self {
        Self { actor: actor.into(), run: None, workflow: None, depth: 0, entry: None }
    }
}

/// A write of one record.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// A new record.
    Create {
        /// The object's name.
        object: String,
        /// The id that it gets.
        id: RecordId,
        /// What is given; the rest has its defaults.
        fields: Fields,
    },
    /// Other values for some fields; [`Value::Nothing`] empties one.
    Update {
        /// The record, by id or external id.
        reference: Reference,
        /// The fields to set.
        fields: Fields,
        /// The revision that it must still have, if the writer cares.
        if_revision: Option<u64>,
    },
    /// No record any more. The event log keeps its last image.
    Delete {
        /// The record, by id or external id.
        reference: Reference,
        /// The revision that it must still have, if the writer cares.
        if_revision: Option<u64>,
    },
}

/// What a write came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The record as it is now; as it last was, when deleted.
    pub record: Record,
    /// Whether anything is otherwise than before. If not, there was no event
    /// and the revision is the same.
    pub changed: bool,
}

/// Draws the next fresh UUIDv7: ids and randomness come from outside.
pub type Fresh<'a> = &'a mut (dyn FnMut() -> Uuid + Send);

impl Store {
    /// A record by id or external id; none where there is none.
    ///
    /// # Errors
    ///
    /// [`RecordError::UnknownObject`], or the database's.
    pub async fn record_fetch(&self, reference: &Reference) -> Result<Option<Record>, RecordError> {
        self.read().await?.record_fetch(reference).await
    }
}

impl Tx {
    /// A record by id or external id; none where there is none.
    ///
    /// # Errors
    ///
    /// [`RecordError::UnknownObject`], or the database's.
    pub async fn record_fetch(
        &mut self,
        reference: &Reference,
    ) -> Result<Option<Record>, RecordError> {
        self.record_find(reference, false).await
    }

    async fn record_find(
        &mut self,
        reference: &Reference,
        for_write: bool,
    ) -> Result<Option<Record>, RecordError> {
        let tables = std::sync::Arc::clone(&self.tables);
        let (object, table) = tables.of(&reference.object)?;
        if let Ok(id) = reference.key.parse::<RecordId>() {
            let place = ("id", id.to_string());
            let found = self.record_where(object, table, place, for_write).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        let place = ("external_id", reference.key.clone());
        Ok(self.record_where(object, table, place, for_write).await?)
    }

    /// The record of an object whose text column holds this; the column is
    /// unique.
    async fn record_where(
        &mut self,
        object: &ObjectDefinition,
        table: &ObjectTable,
        (column, text): (&'static str, String),
        for_write: bool,
    ) -> Result<Option<Record>, StoreError> {
        let mut statement = select(object, table);
        statement.and_where(Expr::col(Alias::new(column)).eq(text));
        if for_write {
            // Says nothing on SQLite, which has one writer at a time.
            statement.lock(LockType::NoKeyUpdate);
        }
        let (sql, arguments) = self.dialect().build(&statement);
        self.connection
            .row("read a record", sql, arguments)
            .await?
            .map(|row| read(object, &row))
            .transpose()
    }

    /// Carries out a write: checks it against the object's definition, keeps
    /// the record, and writes to the event log what changed, with the images
    /// before and after, and every named event that the change means. A write
    /// that changes nothing does nothing.
    ///
    /// # Errors
    ///
    /// [`RecordError`] says which fields are wrong and why: all of them, not
    /// only the first. The transaction may go on; nothing was written.
    pub async fn record_write(
        &mut self,
        write: Write,
        cause: &Cause,
        fresh: Fresh<'_>,
        now: Timestamp,
    ) -> Result<Written, RecordError> {
        // Times are kept to the millisecond, in the events' images too.
        let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        match write {
            Write::Create { object, id, fields } => {
                self.record_create(&object, id, fields, cause, fresh, now).await
            }
            Write::Update { reference, fields, if_revision } => {
                self.record_update(&reference, fields, if_revision, cause, fresh, now).await
            }
            Write::Delete { reference, if_revision } => {
                self.record_delete(&reference, if_revision, cause, fresh, now).await
            }
        }
    }

    async fn record_create(
        &mut self,
        object: &str,
        id: RecordId,
        mut given: Fields,
        cause: &Cause,
        fresh: Fresh<'_>,
        now: Timestamp,
    ) -> Result<Written, RecordError> {
        let tables = std::sync::Arc::clone(&self.tables);
        let (object, table) = tables.of(object)?;
        let mut errors = self.resolve(object, &mut given).await?;
        let mut fields = match object.create(id, given, now) {
            Ok(fields) => fields,
            Err(more) => return Err(invalid(errors, more)),
        };
        // Defaults may name records too.
        errors.extend(self.resolve(object, &mut fields).await?);
        errors.extend(value::tidy(object, &mut fields));
        dedup(&mut errors);
        if errors.is_empty() {
            errors = self.taken(object, &fields, None, id).await?;
        }
        if !errors.is_empty() {
            return Err(RecordError::Invalid(errors));
        }

        let mut arguments = columns(object, &fields);
        arguments.push(Argument::from(id));
        let touched =
            self.connection.execute("write a record", prepared(&table.insert), arguments).await?;
        if touched == 0 {
            // Another host took the id or a unique value between the look and
            // the write.
            let mut errors = self.taken(object, &fields, None, id).await?;
            if errors.is_empty() {
                errors.push(FieldError::new("id", "belongs to another record already"));
            }
            return Err(RecordError::Invalid(errors));
        }
        let record =
            Record { reference: Reference::new(&object.name, id.to_string()), revision: 1, fields };
        let change = Change {
            reference: record.reference.clone(),
            kind: ChangeKind::Created,
            before: None,
            after: Some(record.fields.clone()),
        };
        self.record_change(object, change, cause, fresh, now).await?;
        Ok(Written { record, changed: true })
    }

    async fn record_update(
        &mut self,
        reference: &Reference,
        mut given: Fields,
        if_revision: Option<u64>,
        cause: &Cause,
        fresh: Fresh<'_>,
        now: Timestamp,
    ) -> Result<Written, RecordError> {
        let tables = std::sync::Arc::clone(&self.tables);
        let (object, table) = tables.of(&reference.object)?;
        let before = self.record_expect(reference, if_revision).await?;
        let mut errors = self.resolve(object, &mut given).await?;
        let mut after = match object.update(&before.fields, given, now) {
            Ok(after) => after,
            Err(more) => return Err(invalid(errors, more)),
        };
        errors.extend(value::tidy(object, &mut after));
        dedup(&mut errors);
        if !errors.is_empty() {
            return Err(RecordError::Invalid(errors));
        }
        let differs = |name: &String| after.get(name) != before.fields.get(name);
        let changed = after
            .keys()
            .chain(before.fields.keys())
            .any(|name| name != "updated_at" && differs(name));
        if !changed {
            return Ok(Written { record: before, changed: false });
        }
        let id = id_of(&before.reference)?;
        let errors = self.taken(object, &after, Some(&before.fields), id).await?;
        if !errors.is_empty() {
            return Err(RecordError::Invalid(errors));
        }

        let mut arguments = columns(object, &after);
        arguments.extend(arguments![id, before.revision]);
        let touched = self
            .connection
            .execute("write a record", prepared(&table.update), arguments)
            .await
            .map_err(|why| refused(why, object))?;
        if touched == 0 {
            // Only where writers run side by side (PostgreSQL).
            let found = self.record_expect(reference, None).await?.revision;
            return Err(RecordError::Conflict {
                reference: before.reference,
                expected: before.revision,
                found,
            });
        }
        let record = Record {
            reference: before.reference.clone(),
            revision: before.revision + 1,
            fields: after,
        };
        let change = Change {
            reference: before.reference,
            kind: ChangeKind::Changed,
            before: Some(before.fields),
            after: Some(record.fields.clone()),
        };
        self.record_change(object, change, cause, fresh, now).await?;
        Ok(Written { record, changed: true })
    }

    async fn record_delete(
        &mut self,
        reference: &Reference,
        if_revision: Option<u64>,
        cause: &Cause,
        fresh: Fresh<'_>,
        now: Timestamp,
    ) -> Result<Written, RecordError> {
        let tables = std::sync::Arc::clone(&self.tables);
        let (object, _) = tables.of(&reference.object)?;
        let record = self.record_expect(reference, if_revision).await?;
        let statement = Statement::delete()
            .from_table(Alias::new(&object.name))
            .and_where(Expr::col(Alias::new("id")).eq(&record.reference.key))
            .take();
        let (sql, arguments) = self.dialect().build(&statement);
        self.connection.execute("delete a record", sql, arguments).await?;
        let change = Change {
            reference: record.reference.clone(),
            kind: ChangeKind::Deleted,
            before: Some(record.fields.clone()),
            after: None,
        };
        self.record_change(object, change, cause, fresh, now).await?;
        Ok(Written { record, changed: true })
    }

    /// A record that must be there, at the revision that the writer read. It
    /// is this transaction's until its end.
    async fn record_expect(
        &mut self,
        reference: &Reference,
        if_revision: Option<u64>,
    ) -> Result<Record, RecordError> {
        let record = self
            .record_find(reference, true)
            .await?
            .ok_or_else(|| RecordError::NotFound(reference.clone()))?;
        match if_revision {
            Some(expected) if expected != record.revision => Err(RecordError::Conflict {
                reference: record.reference,
                expected,
                found: record.revision,
            }),
            _ => Ok(record),
        }
    }

    /// Writes a change to the event log, and the named events that it means.
    async fn record_change(
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
            let event =
                NewEvent { id: EventId::from_uuid(fresh()), at: now, kind, cause: cause.clone() };
            self.event_emit(&event).await?;
        }
        Ok(())
    }

    /// Puts ids in the place of external ids; says which records there are
    /// not.
    async fn resolve(
        &mut self,
        object: &ObjectDefinition,
        fields: &mut Fields,
    ) -> Result<Vec<FieldError>, StoreError> {
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
            match self.reference_resolve(&reference).await? {
                Ok(resolved) => *value = Value::Reference(resolved),
                Err(why) => {
                    *value = Value::Reference(reference);
                    errors.push(FieldError::new(name, why));
                }
            }
        }
        Ok(errors)
    }

    /// The reference by id, or a sentence on why there is none.
    pub(crate) async fn reference_resolve(
        &mut self,
        reference: &Reference,
    ) -> Result<Result<Reference, String>, StoreError> {
        let Reference { object, key } = reference;
        let known = self.tables.objects().get(object).is_some();
        if !known {
            let hint = text::nearest(object, self.tables.objects().names())
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return Ok(Err(format!("there is no object `{object}`{hint}")));
        }
        let id = key.parse::<RecordId>().map(|id| id.to_string());
        let dialect = self.dialect();
        let by = |column: &'static str, text: &str| {
            let statement = Statement::select()
                .column(Alias::new("id"))
                .from(Alias::new(object))
                .and_where(Expr::col(Alias::new(column)).eq(text))
                .take();
            dialect.build(&statement)
        };
        if let Ok(id) = &id {
            let (sql, arguments) = by("id", id);
            if self.connection.row("look for a record", sql, arguments).await?.is_some() {
                return Ok(Ok(Reference::new(object, id)));
            }
        }
        let (sql, arguments) = by("external_id", key);
        if let Some(row) = self.connection.row("look for a record", sql, arguments).await? {
            return Ok(Ok(Reference::new(object, row.text("id")?)));
        }
        let statement = Statement::select()
            .column(Alias::new("external_id"))
            .from(Alias::new(object))
            .and_where(Expr::col(Alias::new("external_id")).is_not_null())
            .limit(1_000)
            .take();
        let (sql, arguments) = self.dialect().build(&statement);
        let mut known = Vec::new();
        for row in self.connection.rows("look for a record", sql, arguments).await? {
            known.push(row.text("external_id")?);
        }
        let hint = text::nearest(key, known.iter().map(String::as_str))
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        Ok(Err(format!("there is no {object} `{key}`{hint}")))
    }

    /// Which unique values another record has already.
    async fn taken(
        &mut self,
        object: &ObjectDefinition,
        fields: &Fields,
        before: Option<&Fields>,
        id: RecordId,
    ) -> Result<Vec<FieldError>, StoreError> {
        let mut errors = Vec::new();
        for (name, field) in object.fields.iter().filter(|(_, field)| field.unique) {
            let Some(value) = fields.get(name) else { continue };
            if before.and_then(|before| before.get(name)) == Some(value) {
                continue;
            }
            let mut statement = Statement::select();
            statement
                .column(Alias::new("id"))
                .from(Alias::new(&object.name))
                .and_where(crate::query::equals(name, field, value))
                .and_where(Expr::col(Alias::new("id")).ne(id.to_string()))
                .limit(1);
            let (sql, arguments) = self.dialect().build(&statement);
            if let Some(row) = self.connection.row("look for a double", sql, arguments).await? {
                errors.push(FieldError::new(
                    name,
                    format!("`{value}` belongs to {}/{} already", object.name, row.text("id")?),
                ));
            }
        }
        Ok(errors)
    }
}

/// The choice of all columns of an object.
pub(crate) fn select(object: &ObjectDefinition, table: &ObjectTable) -> SelectStatement {
    let mut statement = Statement::select();
    statement.columns(["id", "revision"].map(Alias::new)).from(Alias::new(&object.name));
    for column in &table.columns {
        statement.expr_as(column.read(), Alias::new(&column.name));
    }
    statement
}

/// A record out of a row.
pub(crate) fn read(object: &ObjectDefinition, row: &Row) -> Result<Record, StoreError> {
    let mut fields = Fields::new();
    for (name, field) in &object.fields {
        let value = value::read(name, field, row)?;
        if !value.is_nothing() {
            fields.insert(name.clone(), value);
        }
    }
    Ok(Record {
        reference: Reference::new(&object.name, row.text("id")?),
        revision: row.count("revision")?,
        fields,
    })
}

/// The arguments for all columns, in the definition's order.
fn columns(object: &ObjectDefinition, fields: &Fields) -> Vec<Argument> {
    let mut arguments = Vec::with_capacity(object.order.len() + 2);
    for name in &object.order {
        if let Some(field) = object.field(name) {
            value::write(field, fields.get(name).unwrap_or(&Value::Nothing), &mut arguments);
        }
    }
    arguments
}

fn id_of(reference: &Reference) -> Result<RecordId, StoreError> {
    reference.key.parse().map_err(|why| StoreError::unreadable(reference.to_string(), why))
}

/// Another writer took a unique value between the look and the write: only
/// where writers run side by side.
fn refused(why: StoreError, object: &ObjectDefinition) -> RecordError {
    if why.is_duplicate() {
        let field = object
            .fields
            .iter()
            .find(|(name, field)| field.unique && format!("{why:?}").contains(name.as_str()))
            .map_or("id", |(name, _)| name);
        return RecordError::Invalid(vec![FieldError::new(
            field,
            "belongs to another record already",
        )]);
    }
    why.into()
}

fn invalid(mut errors: Vec<FieldError>, more: Vec<FieldError>) -> RecordError {
    errors.extend(more);
    dedup(&mut errors);
    RecordError::Invalid(errors)
}

/// One error a field is enough: the first says most.
fn dedup(errors: &mut Vec<FieldError>) {
    let mut seen = std::collections::BTreeSet::new();
    errors.retain(|error| seen.insert(error.field.clone()));
}

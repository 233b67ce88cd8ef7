//! Records: reading one, and the one way of writing.

use relata_model::{
    FieldError, Fields, ObjectDefinition, Record, RecordId, Reference, RunId, Timestamp, text,
};
use sea_query::{Alias, Expr, ExprTrait as _, LockType, Query as Statement, SelectStatement};
use sqlx::SqlStr;
use uuid::Uuid;

use crate::{
    RecordBatch, RecordError, Store, StoreError, Tx,
    connection::{Row, arguments},
    table::{By, ObjectTable, Reading},
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

    /// The same, and nobody else changes it before this transaction ends: for a
    /// decision that depends on how it is.
    ///
    /// # Errors
    ///
    /// [`RecordError::UnknownObject`], or the database's.
    pub async fn record_lock(
        &mut self,
        reference: &Reference,
    ) -> Result<Option<Record>, RecordError> {
        self.record_find(reference, true).await
    }

    /// The same; `for_write` keeps it this transaction's until its end.
    pub(crate) async fn record_find(
        &mut self,
        reference: &Reference,
        for_write: bool,
    ) -> Result<Option<Record>, RecordError> {
        let tables = std::sync::Arc::clone(&self.tables);
        let (object, table) = tables.of(&reference.object)?;
        for by in By::IN_TURN {
            if let Some(key) = by.key_of(reference) {
                let found = self.record_where(object, table, (by, key), for_write).await?;
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        Ok(None)
    }

    /// The record of an object that is found so.
    async fn record_where(
        &mut self,
        object: &ObjectDefinition,
        table: &ObjectTable,
        (by, text): (By, String),
        for_write: bool,
    ) -> Result<Option<Record>, StoreError> {
        let sql = self.reading(object, table, Reading { by, several: false, for_write });
        self.connection
            .row("read a record", sql, arguments![text])
            .await?
            .map(|row| read(object, &row))
            .transpose()
    }

    /// The statement that reads records of an object; its one argument is a text, or
    /// a JSON list of texts.
    pub(crate) fn reading(
        &self,
        object: &ObjectDefinition,
        table: &ObjectTable,
        how: Reading,
    ) -> SqlStr {
        let dialect = self.dialect();
        table.reading(how, || {
            let column = match how.by {
                By::Id => "id",
                By::ExternalId => "external_id",
            };
            let mut statement = select(object, table);
            statement.and_where(match how.several {
                true => dialect.is_one_of(column, ""),
                false => Expr::col(Alias::new(column)).eq(""),
            });
            if how.for_write {
                // Says nothing on SQLite, which has one writer at a time.
                statement.lock(LockType::NoKeyUpdate);
            }
            dialect.build(&statement).0
        })
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
        let mut batch = RecordBatch::new();
        let written = batch.write(self, write, cause, fresh, now).await?;
        batch.flush(self).await?;
        Ok(written)
    }

    /// The reference by id, or a sentence on why there is none.
    pub(crate) async fn reference_resolve(
        &mut self,
        reference: &Reference,
    ) -> Result<Result<Reference, String>, StoreError> {
        let Reference { object, key } = reference;
        if self.tables.objects().get(object).is_none() {
            return self.why_no_record(reference).await.map(Err);
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
        self.why_no_record(reference).await.map(Err)
    }

    /// A sentence on why a reference leads nowhere.
    pub(crate) async fn why_no_record(
        &mut self,
        reference: &Reference,
    ) -> Result<String, StoreError> {
        let Reference { object, key } = reference;
        if self.tables.objects().get(object).is_none() {
            let hint = text::nearest(object, self.tables.objects().names())
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return Ok(format!("there is no object `{object}`{hint}"));
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
        Ok(format!("there is no {object} `{key}`{hint}"))
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
        fields: fields.into(),
    })
}

pub(crate) fn id_of(reference: &Reference) -> Result<RecordId, StoreError> {
    reference.key.parse().map_err(|why| StoreError::unreadable(reference.to_string(), why))
}

/// Another writer took a unique value between the look and the write: only
/// where writers run side by side.
pub(crate) fn refused(why: StoreError, object: &ObjectDefinition) -> RecordError {
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

pub(crate) fn invalid(mut errors: Vec<FieldError>, more: Vec<FieldError>) -> RecordError {
    errors.extend(more);
    dedup(&mut errors);
    RecordError::Invalid(errors)
}

/// One error a field is enough: the first says most.
pub(crate) fn dedup(errors: &mut Vec<FieldError>) {
    let mut seen = std::collections::BTreeSet::new();
    errors.retain(|error| seen.insert(error.field.clone()));
}

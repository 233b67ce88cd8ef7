//! Records: read, written and seeded. Every write of the API, the command
//! line and an import comes through here.

use relata_model::{Fields, Record, Reference, Value, seed};
use relata_store::{Cause, Query, Write, Written};
use relata_workflow::Facts;

use crate::{App, AppError, fresh};

/// `FIELD=VALUE` of a command line, or a cell of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The field's name.
    pub field: String,
    /// As written; empty empties the field.
    pub written: String,
}

/// The pages of a query that are left.
pub(crate) struct Pages<'a> {
    app: &'a App,
    query: Option<Query>,
}

impl Pages<'_> {
    /// The records of the next page; none past the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Record>>, AppError> {
        let Some(mut query) = self.query.take() else { return Ok(None) };
        let page = self.app.store().record_query(&query).await?;
        if page.next.is_some() {
            query.after = page.next;
            self.query = Some(query);
        }
        Ok(Some(page.records))
    }
}

impl App {
    /// Creates a record.
    ///
    /// # Errors
    ///
    /// [`AppError`] with every field that is wrong.
    pub async fn create_record(
        &self,
        object: &str,
        fields: Fields,
        actor: &str,
    ) -> Result<Record, AppError> {
        let now = self.now();
        let write = Write::Create {
            object: self.object(object)?.name.clone(),
            id: fresh::record_id(now),
            fields,
        };
        Ok(self.write_record(write, actor).await?.record)
    }

    /// Sets fields of a record, and leaves the others.
    ///
    /// # Errors
    ///
    /// [`AppError`] with every field that is wrong.
    pub async fn update_record(
        &self,
        reference: &Reference,
        fields: Fields,
        actor: &str,
    ) -> Result<Written, AppError> {
        self.object(&reference.object)?;
        let write = Write::Update { reference: reference.clone(), fields, if_revision: None };
        self.write_record(write, actor).await
    }

    /// Reads `FIELD=VALUE` pairs as fields of an object.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] names the field and what it takes.
    pub fn read_fields(
        &self,
        object: &str,
        assignments: &[Assignment],
    ) -> Result<Fields, AppError> {
        let definition = self.object(object)?;
        let zone = self.zone();
        let mut fields = Fields::new();
        for Assignment { field, written } in assignments {
            self.known_field(definition, field)?;
            let kind = &definition.fields[field].kind;
            let value = kind
                .parse(written, &zone)
                .map_err(|why| AppError::wrong(format!("{object}.{field} {why}")))?;
            fields.insert(field.clone(), value);
        }
        Ok(fields)
    }

    pub(crate) async fn write_record(
        &self,
        write: Write,
        actor: &str,
    ) -> Result<Written, AppError> {
        let now = self.now();
        let cause = Cause::outside(actor);
        let written = self
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    Ok::<_, AppError>(
                        tx.record_write(write, &cause, &mut fresh::source(now), now).await?,
                    )
                })
            })
            .await?;
        Ok(written)
    }

    /// A record by its reference.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where there is none.
    pub async fn record(&self, reference: &Reference) -> Result<Record, AppError> {
        self.object(&reference.object)?;
        self.store().record_fetch(reference).await?.ok_or_else(|| {
            AppError::wrong(format!("there is no {} `{}`", reference.object, reference.key))
        })
    }

    /// All records of an object, oldest first.
    ///
    /// # Errors
    ///
    /// [`AppError`] where there is no such object, or the database fails.
    pub async fn records_all(&self, object: &str) -> Result<Vec<Record>, AppError> {
        self.records_where(object, None).await
    }

    /// The records of an object for which a formula holds, oldest first.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] with the diagnostics of the formula.
    pub async fn records_where(
        &self,
        object: &str,
        condition: Option<&str>,
    ) -> Result<Vec<Record>, AppError> {
        self.object(object)?;
        let formula = match condition {
            Some(source) => Some(self.condition(object, source)?),
            None => None,
        };
        let mut facts = Facts { zone: self.zone(), ..Facts::default() };
        let mut pages = self.pages(Query::new(object, Vec::new()));
        let mut found = Vec::new();
        while let Some(records) = pages.next().await? {
            for record in records {
                let wanted = match &formula {
                    Some(formula) => self.holds(formula, &record, &mut facts).await?,
                    None => true,
                };
                if wanted {
                    found.push(record);
                }
            }
        }
        Ok(found)
    }

    /// The records of a query, from its first page to its last.
    pub(crate) fn pages(&self, query: Query) -> Pages<'_> {
        Pages { app: self, query: Some(query) }
    }

    /// Writes the records that a new data directory starts with.
    pub(crate) async fn seed(&self) -> Result<(), AppError> {
        for (object, json) in seed::records() {
            let definition = self.object(object)?;
            let mut fields = Fields::new();
            for (name, value) in json {
                let read = match definition.field(&name) {
                    Some(field) => field.kind.read(&value).map_err(|why| {
                        AppError::Fault(format!("a shipped {object}.{name} {why}"))
                    })?,
                    None => Value::from_json(&value),
                };
                fields.insert(name, read);
            }
            // Another host may have begun with the same database.
            if let Some(key) = fields.get("external_id").and_then(Value::as_text)
                && self.store().record_fetch(&Reference::new(object, key)).await?.is_some()
            {
                continue;
            }
            self.create_record(object, fields, "init").await?;
        }
        Ok(())
    }
}

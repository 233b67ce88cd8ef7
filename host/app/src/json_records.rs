//! Records as JSON, for other programs: found, shown, changed, put under their
//! external id, and deleted.

use relata_model::{
    FieldError, Fields, ObjectDefinition, Record, RecordId, Reference, Value, text,
};
use relata_store::{
    Cause, Condition, Operator, Order, Query, RecordError, StoreError, Write, Written,
};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use utoipa::ToSchema;

use crate::{App, AppError, fresh};

/// What is asked of an object's records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordSearch {
    /// Conditions, all of which must hold: a field, perhaps with a comparison
    /// behind a dot (`created_at.gte`), and what it is compared with, as
    /// written.
    pub filter: Vec<(String, String)>,
    /// The field by which they are in order, `-` before it for the greatest
    /// first; by age if none, or if it is `id`.
    pub sort: Option<String>,
    /// Where the page before ended.
    pub after: Option<String>,
    /// At most so many.
    pub limit: u32,
    /// Whether all that meet the filter are counted.
    pub count: bool,
}

/// A page of records.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordsFound {
    /// The records.
    pub records: Vec<Record>,
    /// Where the next page begins; none on the last one.
    pub next: Option<String>,
    /// How many there are in all, where that was asked.
    pub total: Option<u64>,
    /// Whether so many have the words that were looked for that only some of
    /// them were looked at.
    pub partial: bool,
}

/// Why somebody does not see or change a record.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// They may not; the sentence says what.
    #[error("{0}")]
    Forbidden(String),
    /// There is no such record.
    #[error("there is no {0}")]
    NotFound(Reference),
    /// It has changed since it was read.
    #[error("{reference} is at revision {found} by now; read it again")]
    Conflict {
        /// The record.
        reference: Reference,
        /// The revision that it has.
        found: u64,
    },
    /// Fields that cannot be so, all of them.
    #[error("nothing of this was written; `errors` says what is wrong")]
    Invalid(Vec<FieldError>),
    /// What was asked makes no sense, or a fault of ours.
    #[error(transparent)]
    App(AppError),
}

impl From<AppError> for AccessError {
    fn from(why: AppError) -> Self {
        match why {
            AppError::Record(why) => why.into(),
            other => Self::App(other),
        }
    }
}

impl From<StoreError> for AccessError {
    fn from(why: StoreError) -> Self {
        Self::App(why.into())
    }
}

impl From<RecordError> for AccessError {
    fn from(why: RecordError) -> Self {
        match why {
            RecordError::NotFound(reference) => Self::NotFound(reference),
            RecordError::Conflict { reference, found, .. } => Self::Conflict { reference, found },
            RecordError::Invalid(errors) => Self::Invalid(errors),
            other => Self::App(AppError::Record(other)),
        }
    }
}

/// What became of a record that was put.
#[derive(Debug, Clone, PartialEq)]
pub struct Put {
    /// The record as it is now.
    pub record: Record,
    /// Whether it is new.
    pub created: bool,
    /// Whether anything is otherwise than before.
    pub changed: bool,
}

/// A record as one flat JSON object: `id` as commands take it, `revision`, and
/// the fields, or some of them. An object cannot define fields of these two
/// names.
#[must_use]
pub fn record_json(record: &Record, fields: &[String]) -> Json {
    let mut document = Map::new();
    document.insert("id".to_owned(), Json::String(record.reference.to_string()));
    if fields.is_empty() {
        document.insert("revision".to_owned(), json!(record.revision));
        document.extend(record.fields.iter().map(|(name, value)| (name.clone(), value.to_json())));
    } else {
        let wanted = fields.iter().filter(|name| *name != "id");
        document.extend(wanted.map(|name| (name.clone(), record.field(name).to_json())));
    }
    Json::Object(document)
}

/// An object, as people and programs look at it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ObjectView {
    /// Its name: `ticket`.
    pub object: String,
    /// For people.
    pub title: String,
    /// One sentence on what it is.
    pub summary: String,
    /// Its fields, in their order.
    pub fields: Vec<FieldView>,
    /// The events that its changes mean.
    pub events: Vec<DeclaredEvent>,
}

/// A field of an object.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct FieldView {
    /// Its name.
    pub field: String,
    /// What it holds, in words: `a number`.
    pub holds: String,
    /// Whether a record must have it.
    pub required: bool,
    /// Whether a record may have nothing here.
    pub may_be_empty: bool,
    /// What a new record has where nothing is given; null for nothing.
    #[schema(value_type = serde_json::Value)]
    pub default: Json,
    /// One sentence on what it is; may be empty.
    pub summary: String,
}

/// A named event that a change of an object means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DeclaredEvent {
    /// Its name: `order.paid`.
    pub event: String,
    /// The field that changes.
    pub field: String,
    /// The value that it takes.
    pub becomes: String,
}

/// An object with its fields, in their order, and the events that it declares.
#[must_use]
pub fn object_view(object: &ObjectDefinition) -> ObjectView {
    let fields = object.in_order().map(|(name, field)| FieldView {
        field: name.to_owned(),
        holds: field.kind.describe(),
        required: field.required,
        may_be_empty: field.may_be_empty(),
        default: field.default.to_json(),
        summary: field.summary.clone(),
    });
    let events = object.events.iter().map(|(name, event)| DeclaredEvent {
        event: name.clone(),
        field: event.field.clone(),
        becomes: event.becomes.clone(),
    });
    ObjectView {
        object: object.name.clone(),
        title: object.title.clone(),
        summary: object.summary.clone(),
        fields: fields.collect(),
        events: events.collect(),
    }
}

/// What is put under an external id, with that id among the fields.
pub(crate) fn with_external_id(
    reference: &Reference,
    json: &Map<String, Json>,
) -> Result<Map<String, Json>, AccessError> {
    let refused = |why| AccessError::Invalid(vec![FieldError::new("external_id", why)]);
    if reference.key.parse::<RecordId>().is_ok() {
        return Err(refused(format!(
            "cannot be `{}`, which has the form of our own ids; to change that record, PATCH it",
            reference.key
        )));
    }
    let key = Json::String(reference.key.clone());
    if json.get("external_id").is_some_and(|given| *given != key) {
        return Err(refused(format!("is `{}`, by the address", reference.key)));
    }
    let mut json = json.clone();
    json.insert("external_id".to_owned(), key);
    Ok(json)
}

impl App {
    /// The records that meet all conditions, a page at a time.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] names the field, comparison or value that makes no
    /// sense, and what does.
    pub async fn find_records(
        &self,
        object: &str,
        search: &RecordSearch,
    ) -> Result<RecordsFound, AppError> {
        self.find_within(object, search, Vec::new()).await
    }

    /// As [`App::find_records`], of those for which one at least of some
    /// conditions holds; of all where there is none.
    pub(crate) async fn find_within(
        &self,
        object: &str,
        search: &RecordSearch,
        any: Vec<Condition>,
    ) -> Result<RecordsFound, AppError> {
        let query = self.query_of(object, search, any)?;
        let total = match search.count {
            true => Some(self.store().record_total(&query).await?),
            false => None,
        };
        let page = self.store().record_query(&query).await?;
        Ok(RecordsFound { records: page.records, next: page.next, total, partial: page.partial })
    }

    /// What is asked of the store by a search.
    pub(crate) fn query_of(
        &self,
        object: &str,
        search: &RecordSearch,
        any: Vec<Condition>,
    ) -> Result<Query, AppError> {
        let definition = self.object(object)?;
        let mut filter = Vec::with_capacity(search.filter.len());
        for (field, written) in &search.filter {
            filter.push(self.condition_of(definition, field, written)?);
        }
        let order = match search.sort.as_deref() {
            None => Order::default(),
            Some(sort) => {
                let (field, descending) =
                    sort.strip_prefix('-').map_or((sort, false), |field| (field, true));
                if field != "id" {
                    self.known_field(definition, field)?;
                }
                Order { field: Some(field.to_owned()), descending }
            }
        };
        Ok(Query {
            any,
            order,
            after: search.after.clone(),
            limit: search.limit,
            ..Query::new(object, filter)
        })
    }

    /// Whether an object has a field.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] with the field that may have been meant.
    pub fn known_field_of(&self, object: &str, field: &str) -> Result<(), AppError> {
        self.known_field(self.object(object)?, field)
    }

    /// `priority` with `high,urgent`, or `created_at.gte` with `2026-12-01`.
    fn condition_of(
        &self,
        definition: &ObjectDefinition,
        name: &str,
        written: &str,
    ) -> Result<Condition, AppError> {
        let (field, comparison) = name.split_once('.').unwrap_or((name, "eq"));
        if (field, comparison) == ("id", "eq") {
            let ids = written.split(',').map(|id| Value::Text(id.trim().to_owned())).collect();
            return Ok(Condition::new(field, Operator::OneOf, Value::List(ids)));
        }
        self.known_field(definition, field)?;
        let kind = &definition.fields[field].kind;
        let zone = self.zone();
        let value = |written: &str| {
            kind.parse(written, &zone).map_err(|why| {
                AppError::wrong(format!("`{name}`: {}.{field} {why}", definition.name))
            })
        };
        let operator = match comparison {
            "eq" if written.contains(',') => {
                let values =
                    written.split(',').map(value).collect::<Result<Vec<Value>, AppError>>()?;
                return Ok(Condition::new(field, Operator::OneOf, Value::List(values)));
            }
            "eq" => Operator::Equal,
            "ne" => Operator::NotEqual,
            "lt" => Operator::Less,
            "lte" => Operator::LessOrEqual,
            "gt" => Operator::Greater,
            "gte" => Operator::GreaterOrEqual,
            "contains" => {
                let text = Value::Text(written.to_owned());
                return Ok(Condition::new(field, Operator::Contains, text));
            }
            "words" => {
                let words = Value::Text(written.to_owned());
                return Ok(Condition::new(field, Operator::HasWords, words));
            }
            "empty" => {
                let operator = match written {
                    "true" => Operator::IsEmpty,
                    "false" => Operator::IsNotEmpty,
                    _ => return Err(AppError::wrong(format!("`{name}` takes true or false"))),
                };
                return Ok(Condition::new(field, operator, Value::Nothing));
            }
            other => {
                let known = ["eq", "ne", "lt", "lte", "gt", "gte", "contains", "words", "empty"];
                let hint = text::nearest(other, known.into_iter()).map_or_else(
                    || format!("there are {}", known.join(", ")),
                    |near| format!("did you mean `{field}.{near}`?"),
                );
                return Err(AppError::wrong(format!("`{name}` is no comparison; {hint}")));
            }
        };
        Ok(Condition::new(field, operator, value(written)?))
    }

    /// The fields of an object from JSON; all that is wrong with them.
    pub(crate) fn fields_of_json(
        definition: &ObjectDefinition,
        json: &Map<String, Json>,
    ) -> Result<Fields, AccessError> {
        let (mut fields, mut errors) = (Fields::new(), Vec::new());
        for (name, json) in json {
            let Some(field) = definition.field(name) else {
                let known = definition.fields.keys().map(String::as_str);
                let hint = text::nearest(name, known)
                    .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                errors.push(FieldError::new(name, format!("is not a field{hint}")));
                continue;
            };
            match field.kind.read(json) {
                Ok(value) => drop(fields.insert(name.clone(), value)),
                Err(why) => errors.push(FieldError::new(name, why)),
            }
        }
        if errors.is_empty() { Ok(fields) } else { Err(AccessError::Invalid(errors)) }
    }

    /// Makes a record.
    pub(crate) async fn create_of_json(
        &self,
        object: &str,
        json: &Map<String, Json>,
        actor: &str,
    ) -> Result<Record, AccessError> {
        let fields = Self::fields_of_json(self.object(object)?, json)?;
        Ok(self.create_record(object, fields, actor).await?)
    }

    /// Sets fields of a record (null empties one) and leaves the others.
    ///
    /// # Errors
    ///
    /// [`AccessError`] says why nothing was written.
    pub async fn change_record(
        &self,
        reference: &Reference,
        json: &Map<String, Json>,
        if_revision: Option<u64>,
        actor: &str,
    ) -> Result<Written, AccessError> {
        let fields = Self::fields_of_json(self.object(&reference.object)?, json)?;
        let write = Write::Update { reference: reference.clone(), fields, if_revision };
        Ok(self.write_record(write, actor).await?)
    }

    /// Deletes a record; the log keeps its last image.
    ///
    /// # Errors
    ///
    /// [`AccessError`] says why it is still there.
    pub async fn delete_record(
        &self,
        reference: &Reference,
        if_revision: Option<u64>,
        actor: &str,
    ) -> Result<Written, AccessError> {
        self.object(&reference.object)?;
        let write = Write::Delete { reference: reference.clone(), if_revision };
        Ok(self.write_record(write, actor).await?)
    }

    /// Makes the record of this external id, or sets its fields where it is
    /// there: in one transaction, so that the same put from many sides makes
    /// one record.
    ///
    /// # Errors
    ///
    /// [`AccessError`] says why nothing was written.
    pub async fn put_record(
        &self,
        reference: &Reference,
        json: &Map<String, Json>,
        actor: &str,
    ) -> Result<Put, AccessError> {
        let definition = self.object(&reference.object)?;
        let fields = Self::fields_of_json(definition, &with_external_id(reference, json)?)?;
        match self.put_once(reference, &fields, actor).await {
            // Somebody else has just made it, on another host.
            Err(AccessError::Invalid(errors))
                if errors.iter().any(|error| error.field == "external_id") =>
            {
                self.put_once(reference, &fields, actor).await
            }
            done => done,
        }
    }

    async fn put_once(
        &self,
        reference: &Reference,
        fields: &Fields,
        actor: &str,
    ) -> Result<Put, AccessError> {
        let now = self.now();
        let cause = Cause::outside(actor);
        let (reference, fields) = (reference.clone(), fields.clone());
        let put = self.store().write(move |tx| {
            Box::pin(async move {
                let there = tx.record_fetch(&reference).await?;
                let created = there.is_none();
                let write = match there {
                    Some(record) => {
                        Write::Update { reference: record.reference, fields, if_revision: None }
                    }
                    None => Write::Create {
                        object: reference.object,
                        id: fresh::record_id(now),
                        fields,
                    },
                };
                let Written { record, changed } =
                    tx.record_write(write, &cause, &mut fresh::source(now), now).await?;
                Ok::<_, RecordError>(Put { record, created, changed: changed || created })
            })
        });
        Ok(put.await?)
    }
}

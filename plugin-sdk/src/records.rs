//! The company's records: reading, counting, creating, changing.
//!
//! ```no_run
//! # use relata_plugin_sdk::prelude::*;
//! # fn example(lead: &Reference) -> Result<()> {
//! let lead = records::get(lead)?;
//! let owner: Option<Reference> = lead.field("owner")?;
//! let open = records::query("lead")
//!     .equal("owner", &owner)
//!     .one_of("status", ["new", "assigned"])
//!     .count()?;
//! records::update(lead.reference(), json!({ "note": format!("{open} open") }))?;
//! # Ok(())
//! # }
//! ```
//!
//! What a call writes it also reads back; others see it when the step commits.

use std::sync::OnceLock;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::relata::plugin::records as host;
use crate::bindings::relata::plugin::types::Entity;
use crate::{Error, Fields, Reference, Result, glue};

/// A record as it is now, or those of its fields that were asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    reference: Reference,
    revision: u64,
    fields: LazyFields,
}

/// Fields as the host gave them, taken apart when they are asked for: many an action wants
/// no more of a record than its name.
#[derive(Debug, Clone)]
struct LazyFields {
    json: String,
    parsed: OnceLock<Fields>,
}

impl LazyFields {
    fn get(&self) -> &Fields {
        self.parsed.get_or_init(|| {
            // By the contract; a host that breaks it is no host to go on with.
            serde_json::from_str(&self.json).expect("a record's fields are a JSON object")
        })
    }
}

impl PartialEq for LazyFields {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Record {
    /// Its name, such as `lead/17`.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// Its id, without the object.
    pub fn id(&self) -> &str {
        self.reference.id()
    }

    /// Goes up by one with each change; see [`update_if`].
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Its fields.
    pub fn fields(&self) -> &Fields {
        self.fields.get()
    }

    /// One field as a type of your own. An empty field reads as `null`, so
    /// ask for an `Option` where it may be empty.
    pub fn field<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        self.fields()
            .get(name)
            .map_err(|error| Error::permanent(format!("{}: {error}", self.reference)))
    }

    /// All fields as a struct of your own.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str::<serde_json::Value>(&self.fields.json)
            .and_then(T::deserialize)
            .map_err(|error| Error::permanent(format!("{}: {error}", self.reference)))
    }

    fn from_host(entity: Entity) -> Self {
        Self {
            reference: Reference::of(&entity.object, &entity.id),
            revision: entity.revision,
            fields: LazyFields { json: entity.fields, parsed: OnceLock::new() },
        }
    }
}

/// One record, or a `not_found` error.
pub fn get(record: &Reference) -> Result<Record> {
    host::get(record.as_str()).map(Record::from_host).map_err(Error::from_host)
}

/// Creates a record from a JSON object of fields: a `json!({…})`, [`Fields`]
/// or a struct of your own. Its id is known at once.
pub fn create(object: &str, fields: impl Serialize) -> Result<Record> {
    let fields = glue::object(fields, "the fields of a new record")?;
    host::create(object, &fields).map(Record::from_host).map_err(Error::from_host)
}

/// Sets the named fields and leaves the others. A write that changes nothing
/// leaves the revision as it is, and no workflow notices it.
pub fn update(record: &Reference, fields: impl Serialize) -> Result<Record> {
    write(record, fields, None)
}

/// Like [`update`], but only if the record still has this revision; otherwise
/// a `conflict` error.
pub fn update_if(record: &Reference, revision: u64, fields: impl Serialize) -> Result<Record> {
    write(record, fields, Some(revision))
}

fn write(record: &Reference, fields: impl Serialize, revision: Option<u64>) -> Result<Record> {
    let fields = glue::object(fields, "the fields to set")?;
    host::update(record.as_str(), &fields, revision)
        .map(Record::from_host)
        .map_err(Error::from_host)
}

/// Deletes a record.
pub fn delete(record: &Reference) -> Result<()> {
    host::delete(record.as_str(), None).map_err(Error::from_host)
}

/// Asks for the records of an object; add conditions, then say what you want
/// of them. All conditions must hold.
pub fn query(object: &str) -> Query {
    Query { object: object.to_owned(), conditions: Vec::new(), fields: Vec::new(), failed: None }
}

/// Whether a calendar is open at a time, in milliseconds since 1970 UTC such as
/// [`env::now_ms`](crate::env::now_ms) gives: its holidays and extra days count, in
/// its own time zone. Needs the permission to read calendars.
///
/// # Errors
///
/// `not-found` if there is no such calendar.
pub fn is_open(calendar: &Reference, at_ms: u64) -> Result<bool> {
    host::is_open(calendar.as_str(), at_ms).map_err(Error::from_host)
}

/// Conditions on the records of one object, made by [`query`].
#[must_use = "a query does nothing before all(), first() or count()"]
#[derive(Debug)]
pub struct Query {
    object: String,
    conditions: Vec<host::Condition>,
    fields: Vec<String>,
    /// A value that has no JSON: reported when the query runs, so that the
    /// chain of conditions needs no `?`.
    failed: Option<Error>,
}

/// How many records a page of [`Query::all`] holds: the contract's maximum.
const PAGE: u32 = 1_000;

impl Query {
    /// The field equals the value.
    pub fn equal(self, field: &str, value: impl Serialize) -> Self {
        self.condition(field, host::Operator::Equal, value)
    }

    /// The field does not equal the value.
    pub fn not_equal(self, field: &str, value: impl Serialize) -> Self {
        self.condition(field, host::Operator::NotEqual, value)
    }

    /// The field is less than the value.
    pub fn less(self, field: &str, value: impl Serialize) -> Self {
        self.condition(field, host::Operator::Less, value)
    }

    /// The field is at most the value.
    pub fn at_most(self, field: &str, value: impl Serialize) -> Self {
        self.condition(field, host::Operator::LessOrEqual, value)
    }

    /// The field is greater than the value.
    pub fn greater(self, field: &str, value: impl Serialize) -> Self {
        self.condition(field, host::Operator::Greater, value)
    }

    /// The field is at least the value.
    pub fn at_least(self, field: &str, value: impl Serialize) -> Self {
        self.condition(field, host::Operator::GreaterOrEqual, value)
    }

    /// The field equals one of the values.
    pub fn one_of(self, field: &str, values: impl Serialize) -> Self {
        self.condition(field, host::Operator::OneOf, values)
    }

    /// The field, a list or a text, contains the value.
    pub fn contains(self, field: &str, value: impl Serialize) -> Self {
        self.condition(field, host::Operator::Contains, value)
    }

    /// The field is empty.
    pub fn is_empty(self, field: &str) -> Self {
        self.condition(field, host::Operator::IsEmpty, ())
    }

    /// The field is not empty.
    pub fn is_not_empty(self, field: &str) -> Self {
        self.condition(field, host::Operator::IsNotEmpty, ())
    }

    /// Reads only these fields: less to copy, and less that must be permitted.
    pub fn fields<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.fields.extend(names.into_iter().map(str::to_owned));
        self
    }

    /// All records that meet the conditions, the oldest first.
    pub fn all(self) -> Result<Vec<Record>> {
        let mut query = self.checked()?;
        let mut found = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = query.page(PAGE, cursor.as_deref())?;
            found.extend(page.entities.into_iter().map(Record::from_host));
            match page.cursor {
                Some(next) => cursor = Some(next),
                None => return Ok(found),
            }
        }
    }

    /// The oldest records that meet the conditions, so many at the most; 1,000
    /// is the most that there is at once.
    pub fn oldest(self, limit: u32) -> Result<Vec<Record>> {
        let page = self.checked()?.page(limit.min(PAGE), None)?;
        Ok(page.entities.into_iter().map(Record::from_host).collect())
    }

    /// The oldest record that meets the conditions, if there is one.
    pub fn first(self) -> Result<Option<Record>> {
        let page = self.checked()?.page(1, None)?;
        Ok(page.entities.into_iter().next().map(Record::from_host))
    }

    /// How many records meet the conditions.
    pub fn count(self) -> Result<u64> {
        let query = self.checked()?;
        host::count(&query.object, &query.conditions).map_err(Error::from_host)
    }

    /// How many records meet the conditions for each value that a field has among
    /// them, in one query: `None` for those where it is empty.
    ///
    /// ```no_run
    /// # use relata_plugin_sdk::prelude::*;
    /// # fn open_leads() -> Result<()> {
    /// let open: Vec<(Option<Reference>, u64)> =
    ///     records::query("lead").equal("status", "new").count_by("owner")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// `invalid` for a field with several values at once, and for one with more
    /// than 1,000 different ones.
    pub fn count_by<T: DeserializeOwned>(self, field: &str) -> Result<Vec<(Option<T>, u64)>> {
        let query = self.checked()?;
        let tallies =
            host::count_by(&query.object, &query.conditions, field).map_err(Error::from_host)?;
        tallies
            .into_iter()
            .map(|tally| Ok((serde_json::from_str(&tally.value)?, tally.count)))
            .collect()
    }

    fn condition(mut self, field: &str, operator: host::Operator, value: impl Serialize) -> Self {
        match serde_json::to_string(&value) {
            Ok(value) => {
                self.conditions.push(host::Condition { field: field.to_owned(), operator, value })
            }
            Err(error) => self.failed = Some(error.into()),
        }
        self
    }

    fn checked(mut self) -> Result<Self> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }

    fn page(&mut self, limit: u32, cursor: Option<&str>) -> Result<host::Page> {
        host::query(&self.object, &self.conditions, &self.fields, limit, cursor)
            .map_err(Error::from_host)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lead(fields: &str) -> Record {
        Record::from_host(Entity {
            object: "lead".to_owned(),
            id: "17".to_owned(),
            revision: 3,
            fields: fields.to_owned(),
        })
    }

    #[test]
    fn a_record_is_read_when_its_fields_are_asked_for() {
        let record = lead(r#"{"owner": "user/2", "weight": 1.5}"#);
        assert_eq!(record.reference().as_str(), "lead/17");
        assert_eq!(record.field::<Option<Reference>>("owner").unwrap(), Some("user/2".into()));
        assert_eq!(record.fields().clone().into_map()["weight"], json!(1.5));
        // Written otherwise, it is the same.
        assert_eq!(record, lead(r#"{"weight":1.5,"owner":"user/2"}"#));
        assert_ne!(record, lead(r#"{"weight":2.5,"owner":"user/2"}"#));
    }

    #[test]
    fn a_record_that_does_not_fit_is_named() {
        #[derive(Debug, serde::Deserialize)]
        #[expect(dead_code, reason = "it never comes to be")]
        struct Owned {
            owner: Reference,
        }
        let why = lead(r#"{"weight": 1.5}"#).parse::<Owned>().unwrap_err();
        assert_eq!(why.message(), "lead/17: missing field `owner`");
    }
}

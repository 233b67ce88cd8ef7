//! Records, references to them, and what a write changes.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize, Serializer};

use crate::Value;

/// The fields of a record by name. A field that is empty may be missing or
/// [`Value::Nothing`]; both mean the same.
pub type Fields = BTreeMap<String, Value>;

/// Names one record: `lead/01k9…` by its id, or `queue/unassigned` by its
/// external id (which the store resolves).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Reference {
    /// The object's name.
    pub object: String,
    /// The record's id or external id.
    pub key: String,
}

impl Reference {
    /// A reference to a record by id or external id.
    pub fn new(object: impl Into<String>, key: impl Into<String>) -> Self {
        Self { object: object.into(), key: key.into() }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every event and every row names records: three pieces as they are cost less than
        // a pattern to be filled.
        f.write_str(&self.object)?;
        f.write_str("/")?;
        f.write_str(&self.key)
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_string())
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> String {
        reference.to_string()
    }
}

impl TryFrom<String> for Reference {
    type Error = ReferenceError;
    fn try_from(text: String) -> Result<Self, ReferenceError> {
        text.parse()
    }
}

/// Why a text is not a reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a record; write `object/key`, such as `contact/anna`")]
pub struct ReferenceError(String);

impl FromStr for Reference {
    type Err = ReferenceError;
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        match text.split_once('/') {
            Some((object, key)) if !object.is_empty() && !key.is_empty() => {
                Ok(Self::new(object, key))
            }
            _ => Err(ReferenceError(text.to_owned())),
        }
    }
}

/// A record as it is at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The object and the record's id.
    pub reference: Reference,
    /// 1 when created, one more with each change.
    pub revision: u64,
    /// The fields, those that every object has (`owner`, `created_at`, …)
    /// among them. Shared: a record goes through many hands that only read it.
    pub fields: Arc<Fields>,
}

impl Record {
    /// A field's value; [`Value::Nothing`] where it is empty or unknown.
    #[must_use]
    pub fn field(&self, name: &str) -> &Value {
        self.fields.get(name).unwrap_or(&Value::Nothing)
    }

    /// What a command takes and a person remembers: `lead/anna` by its external
    /// id where it has one, else its reference.
    #[must_use]
    pub fn handle(&self) -> String {
        match self.field("external_id").as_text() {
            Some(key) if !key.is_empty() => format!("{}/{key}", self.reference.object),
            _ => self.reference.to_string(),
        }
    }
}

/// What happened to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is new.
    Created,
    /// Some of its fields are others than before.
    Changed,
    /// It is gone.
    Deleted,
}

impl ChangeKind {
    /// The word for it in the database and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Deleted => "deleted",
        }
    }
}

/// One change of one record: the images before and after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The record.
    pub reference: Reference,
    /// What happened.
    pub kind: ChangeKind,
    /// The fields before; none when created.
    pub before: Option<Arc<Fields>>,
    /// The fields after; none when deleted.
    pub after: Option<Arc<Fields>>,
}

impl Change {
    /// The value of a field before the change.
    #[must_use]
    pub fn was(&self, field: &str) -> &Value {
        image(self.before.as_ref(), field)
    }

    /// The value of a field after the change.
    #[must_use]
    pub fn is(&self, field: &str) -> &Value {
        image(self.after.as_ref(), field)
    }

    /// Whether the field is another than before. On a new record, every
    /// field that is not empty is.
    #[must_use]
    pub fn touches(&self, field: &str) -> bool {
        self.was(field) != self.is(field)
    }
}

fn image<'a>(fields: Option<&'a Arc<Fields>>, field: &str) -> &'a Value {
    fields.and_then(|fields| fields.get(field)).unwrap_or(&Value::Nothing)
}

/// Why a value cannot go into a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[error("{field}: {why}")]
pub struct FieldError {
    /// The field's name.
    pub field: String,
    /// What is wrong, and what would be right.
    pub why: String,
}

impl FieldError {
    /// An error about a field.
    pub fn new(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self { field: field.into(), why: why.into() }
    }
}

//! Object definitions: what a contact, a lead or a ticket is made of. They
//! are data; a company adds its own in the same form.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{
    Change, RecordId, Reference, Value,
    field::FieldFile,
    record::{FieldError, Fields},
    text, yaml,
};

pub use crate::field::{FieldDefinition, FieldType, parse_time};

/// An object: its fields, life-cycle and named events.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectDefinition {
    /// `lead`: what formulas, tables and references call it.
    pub name: String,
    /// `Lead`: for people.
    pub title: String,
    /// One sentence on what it is.
    pub summary: String,
    /// The field that stands for the record in a text.
    pub label: Option<String>,
    /// The fields by which an import finds a record again, most telling first.
    pub match_by: Vec<String>,
    /// Written once, never changed.
    pub append_only: bool,
    /// The field with the record that it is a part of: whoever may see that
    /// one may see this.
    pub part_of: Option<String>,
    /// All fields, those that every object has among them.
    pub fields: BTreeMap<String, FieldDefinition>,
    /// The fields in the order of the definition, the common ones last.
    pub order: Vec<String>,
    /// Fields that are often searched for together.
    pub indexes: Vec<Vec<String>>,
    /// Named events that a change of this object means.
    pub events: BTreeMap<String, EventDefinition>,
}

/// A named event that a change means: `survey.answered` when a response's
/// `status` becomes `answered`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventDefinition {
    /// The field to watch.
    pub field: String,
    /// The value that it takes.
    pub becomes: String,
    /// The field whose value correlates the event with a step; `id` by default.
    #[serde(default = "key_of_events")]
    pub key: String,
    /// Fields that lead to the records which the event is about as well.
    #[serde(default)]
    pub about: Vec<String>,
}

fn key_of_events() -> String {
    "id".to_owned()
}

/// A named event that a change of a record means.
#[derive(Debug, Clone, PartialEq)]
pub struct MeantEvent {
    /// Its name: `survey.answered`.
    pub name: String,
    /// What correlates it with a step's result.
    pub key: Option<String>,
    /// The records it is about, the changed one first.
    pub about: Vec<Reference>,
    /// The changed record's fields.
    pub data: Fields,
}

/// Why an object definition cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the object definition {file} {why}")]
pub struct DefinitionError {
    file: String,
    why: String,
}

/// The form of the files.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectFile {
    object: String,
    title: String,
    summary: String,
    label: Option<String>,
    #[serde(default, rename = "match")]
    match_by: Vec<String>,
    #[serde(default)]
    append_only: bool,
    #[serde(default)]
    part_of: Option<String>,
    #[serde(default)]
    fields: serde_json::Map<String, Json>,
    #[serde(default)]
    indexes: Vec<Vec<String>>,
    #[serde(default)]
    events: BTreeMap<String, EventDefinition>,
}

/// The fields that every object has, in the form of the files.
const COMMON: &str = r#"
external_id: { type: text, unique: true, summary: "What another system, or a file, calls the record." }
owner: { type: reference, to: [user, queue], summary: Who is responsible. }
team: { type: reference, to: [team] }
tags: { type: texts }
created_at: { type: time, required: true }
updated_at: { type: time, required: true }
merged_into: { type: reference, to: any, summary: The record that this one became a part of. }
"#;

impl ObjectDefinition {
    /// The fields with their names, in the order of the file.
    pub fn in_order(&self) -> impl Iterator<Item = (&str, &FieldDefinition)> {
        self.order.iter().filter_map(|name| Some((name.as_str(), self.fields.get(name)?)))
    }

    /// Reads a definition file; `file` is its name, for the errors.
    ///
    /// # Errors
    ///
    /// [`DefinitionError`] says what in the file is wrong.
    pub fn parse(file: &str, source: &str) -> Result<Self, DefinitionError> {
        let wrong = |why: String| DefinitionError { file: file.to_owned(), why };
        let json =
            yaml::to_json(source).map_err(|why| wrong(format!("is not valid YAML: {why}")))?;
        let read: ObjectFile =
            serde_json::from_value(json).map_err(|why| wrong(format!("does not read: {why}")))?;
        if !text::is_name(&read.object) {
            return Err(wrong(format!(
                "names its object `{}`; use lower-case letters, digits and _",
                read.object
            )));
        }
        let common = match yaml::to_json(COMMON) {
            Ok(Json::Object(map)) => map,
            other => return Err(wrong(format!("meets broken common fields: {other:?}"))),
        };
        let mut fields = BTreeMap::new();
        for (is_common, (name, json)) in read
            .fields
            .into_iter()
            .map(|entry| (false, entry))
            .chain(common.into_iter().map(|entry| (true, entry)))
        {
            if !text::is_name(&name) || name == "id" || name == "revision" {
                return Err(wrong(format!(
                    "has a field `{name}`; use lower-case letters, digits and _, and not `id` or `revision`"
                )));
            }
            let field = FieldFile::deserialize(json)
                .map_err(|why| format!("has a field `{name}` that does not read: {why}"))
                .and_then(|field| {
                    FieldDefinition::from_file(field)
                        .map_err(|why| format!("has a field `{name}` that {why}"))
                })
                .map_err(wrong)?;
            let field = FieldDefinition {
                read_only: is_common
                    && matches!(name.as_str(), "created_at" | "updated_at" | "merged_into"),
                ..field
            };
            if fields.insert(name.clone(), field).is_some() {
                return Err(wrong(format!("defines `{name}`, which every object has already")));
            }
        }
        // Each list can be in the order of age, and a record is made once: its
        // place in that order costs its changes nothing.
        let mut indexes = read.indexes;
        let by_age = vec!["created_at".to_owned()];
        if !indexes.contains(&by_age) {
            indexes.push(by_age);
        }
        let mut order = yaml::keys_in_order(source, Some("fields"));
        order.extend(yaml::keys_in_order(COMMON, None));
        let object = Self {
            name: read.object,
            title: read.title,
            summary: read.summary,
            label: read.label,
            match_by: read.match_by,
            append_only: read.append_only,
            part_of: read.part_of,
            fields,
            order,
            indexes,
            events: read.events,
        };
        for name in object
            .label
            .iter()
            .chain(&object.match_by)
            .chain(&object.part_of)
            .chain(object.indexes.iter().flatten())
            .chain(
                object
                    .events
                    .values()
                    .flat_map(|event| event.about.iter().chain([&event.field, &event.key])),
            )
        {
            if name != "id" && !object.fields.contains_key(name) {
                return Err(wrong(format!("names a field `{name}` that it does not define")));
            }
        }
        if let Some(name) = &object.part_of
            && object.field(name).and_then(|field| field.kind.only_target()).is_none()
        {
            return Err(wrong(format!(
                "says `part_of: {name}`, which is no reference to records of one object"
            )));
        }
        for (name, event) in &object.events {
            if let Some(FieldType::Choice(words)) =
                object.field(&event.field).map(|field| &field.kind)
                && !words.contains(&event.becomes)
            {
                return Err(wrong(format!(
                    "has an event `{name}` when {} becomes `{}`, which is none of its choices",
                    event.field, event.becomes
                )));
            }
        }
        Ok(object)
    }

    /// A field's definition.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&FieldDefinition> {
        self.fields.get(name)
    }

    /// The fields in whose words people look for a record: what it is called, and
    /// mail addresses. None where records are no things of their own: parts of
    /// others, and what is written once as it happens.
    pub fn looked_for_by(&self) -> impl Iterator<Item = &str> {
        let is_thing = self.part_of.is_none() && !self.append_only;
        let fields = self.fields.iter().filter(move |(name, field)| match field.kind {
            FieldType::Email => is_thing,
            FieldType::Text => is_thing && self.label.as_ref() == Some(*name),
            _ => false,
        });
        fields.map(|(name, _)| name.as_str())
    }

    /// What stands for the record in a text: its label field, else its id.
    #[must_use]
    pub fn label_of(&self, record: &crate::Record) -> String {
        self.label
            .as_ref()
            .map(|label| record.field(label))
            .filter(|value| !value.is_nothing())
            .map_or_else(|| record.reference.to_string(), ToString::to_string)
    }

    /// The named events that a change of a record means.
    #[must_use]
    pub fn events_of(&self, change: &Change) -> Vec<MeantEvent> {
        let Some(after) = &change.after else { return Vec::new() };
        let became = |event: &EventDefinition| {
            change.touches(&event.field) && change.is(&event.field).to_string() == event.becomes
        };
        let meant = self.events.iter().filter(|(_, event)| became(event)).map(|(name, event)| {
            let key = if event.key == "id" {
                Some(change.reference.key.clone())
            } else {
                let key = change.is(&event.key);
                (!key.is_nothing()).then(|| key.to_string())
            };
            let mut about = vec![change.reference.clone()];
            about.extend(
                event.about.iter().filter_map(|field| change.is(field).as_reference().cloned()),
            );
            about.dedup();
            MeantEvent { name: name.clone(), key, about, data: Fields::clone(after) }
        });
        meant.collect()
    }

    /// The fields of a new record: what is given, checked, with defaults
    /// where nothing is.
    ///
    /// # Errors
    ///
    /// Every field that is wrong, not only the first.
    pub fn create(
        &self,
        id: RecordId,
        given: Fields,
        now: Timestamp,
    ) -> Result<Fields, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut fields = Fields::new();
        for (name, field) in &self.fields {
            if let Some(front) = &field.from_id {
                fields.insert(name.clone(), Value::Text(format!("{front}{}", short(id))));
            } else if !field.default.is_nothing() {
                fields.insert(name.clone(), field.default.clone());
            }
        }
        fields.insert("created_at".to_owned(), Value::Time(now));
        fields.insert("updated_at".to_owned(), Value::Time(now));
        self.set(&mut fields, given, None, &mut errors);
        for (name, field) in &self.fields {
            if field.required
                && fields.get(name).is_none_or(Value::is_nothing)
                && !errors.iter().any(|error| &error.field == name)
            {
                errors.push(FieldError::new(name, "must not be empty"));
            }
        }
        if errors.is_empty() { Ok(fields) } else { Err(errors) }
    }

    /// The fields of a record after a write; the same as before where the
    /// write changes nothing (`updated_at` moves only with a real change).
    ///
    /// # Errors
    ///
    /// Every field that is wrong, and every illegal transition.
    pub fn update(
        &self,
        before: &Fields,
        given: Fields,
        now: Timestamp,
    ) -> Result<Fields, Vec<FieldError>> {
        let mut errors = Vec::new();
        if self.append_only {
            errors.push(FieldError::new(
                &self.name,
                format!("is written once and never changed; create another {} instead", self.name),
            ));
            return Err(errors);
        }
        let mut fields = before.clone();
        self.set(&mut fields, given, Some(before), &mut errors);
        if !errors.is_empty() {
            return Err(errors);
        }
        fields.retain(|_, value| !value.is_nothing());
        let unchanged = before.iter().filter(|(_, value)| !value.is_nothing()).eq(fields.iter());
        if !unchanged {
            fields.insert("updated_at".to_owned(), Value::Time(now));
        }
        Ok(fields)
    }

    fn set(
        &self,
        fields: &mut Fields,
        given: Fields,
        before: Option<&Fields>,
        errors: &mut Vec<FieldError>,
    ) {
        for (name, value) in given {
            let Some(field) = self.fields.get(&name) else {
                let hint = text::nearest(&name, self.fields.keys().map(String::as_str))
                    .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                errors.push(FieldError::new(
                    &name,
                    format!("{} has no such field{hint}", text::with_article(&self.name)),
                ));
                continue;
            };
            if field.read_only {
                errors.push(FieldError::new(&name, "is set by the system alone"));
                continue;
            }
            let value = field.or_default(value, before.is_none());
            match field.check(value) {
                Ok(value) => {
                    let was = before.and_then(|before| before.get(&name));
                    if let Err(why) = field.check_transition(was, &value) {
                        errors.push(FieldError::new(&name, why));
                    } else if value.is_nothing() {
                        fields.remove(&name);
                    } else {
                        fields.insert(name, value);
                    }
                }
                Err(why) => errors.push(FieldError::new(&name, why)),
            }
        }
    }
}

/// The last 8 characters of an id, the part that is random, in capitals: what
/// a person can read out over a telephone.
fn short(id: RecordId) -> String {
    let id = id.to_string();
    id[id.len() - 8..].to_uppercase()
}

/// All objects of a company.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Objects {
    by_name: BTreeMap<String, ObjectDefinition>,
}

macro_rules! standard_objects {
    ($($name:literal),+ $(,)?) => {
        /// The shipped definitions: file name and text.
        const STANDARD: &[(&str, &str)] = &[
            $((concat!($name, ".yaml"), include_str!(concat!("../objects/", $name, ".yaml")))),+
        ];
    };
}

standard_objects!(
    "account",
    "approval",
    "calendar",
    "campaign",
    "contact",
    "contract",
    "escalation",
    "form",
    "interaction",
    "lead",
    "message",
    "opportunity",
    "order",
    "queue",
    "role",
    "segment",
    "segment_member",
    "service_clock",
    "service_level",
    "survey",
    "survey_response",
    "task",
    "team",
    "ticket",
    "user",
    "webhook",
);

impl Objects {
    /// The objects that ship with Relata.
    ///
    /// # Panics
    ///
    /// Never: a test reads every shipped file.
    #[must_use]
    pub fn standard() -> Self {
        let mut objects = Self::default();
        for (file, source) in STANDARD {
            let object = ObjectDefinition::parse(file, source).expect("a shipped definition reads");
            objects.by_name.insert(object.name.clone(), object);
        }
        objects
    }

    /// Adds an object, or further fields to one that is there already.
    ///
    /// # Errors
    ///
    /// [`DefinitionError`] where a field is there already with another type.
    pub fn add(&mut self, file: &str, object: ObjectDefinition) -> Result<(), DefinitionError> {
        let Some(present) = self.by_name.get_mut(&object.name) else {
            self.by_name.insert(object.name.clone(), object);
            return Ok(());
        };
        for name in object.order {
            let Some(field) = object.fields.get(&name) else { continue };
            match present.fields.get(&name) {
                Some(there) if there.kind == field.kind => {}
                Some(there) => {
                    return Err(DefinitionError {
                        file: file.to_owned(),
                        why: format!(
                            "makes {}.{name} {}, but it is {} already",
                            present.name,
                            field.kind.describe(),
                            there.kind.describe()
                        ),
                    });
                }
                None => {
                    present.fields.insert(name.clone(), field.clone());
                    present.order.push(name);
                }
            }
        }
        present.events.extend(object.events);
        for index in object.indexes {
            if !index.is_empty() && !present.indexes.contains(&index) {
                present.indexes.push(index);
            }
        }
        Ok(())
    }

    /// An object by its name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&ObjectDefinition> {
        self.by_name.get(name)
    }

    /// All objects, by name.
    pub fn iter(&self) -> impl Iterator<Item = &ObjectDefinition> {
        self.by_name.values()
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The object and definition of a named event, such as `order.paid`.
    #[must_use]
    pub fn event(&self, name: &str) -> Option<(&ObjectDefinition, &EventDefinition)> {
        self.by_name
            .values()
            .find_map(|object| object.events.get(name).map(|event| (object, event)))
    }

    /// The names of all events.
    pub fn event_names(&self) -> impl Iterator<Item = &str> {
        self.by_name.values().flat_map(|object| object.events.keys().map(String::as_str))
    }
}

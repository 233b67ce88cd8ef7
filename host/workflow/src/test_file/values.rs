//! Values that are written out: of fields, of arguments and results, and what
//! a value must be.

use std::collections::BTreeMap;

use relata_model::{
    Date, Decimal, Duration, FieldDefinition, FieldType, Fields, Money, ObjectDefinition,
    Reference, Value,
};
use serde_json::{Map, Value as Json};

use super::{
    Check, Given, Part, Reader, Several, Target,
    read::{local, named},
};
use crate::{
    diagnostic::{self as codes, Place},
    read::schema::{Parameter, Wanted},
    source::{Content, Entry, Node},
};

/// What takes the name of nothing, in an expectation.
const NOTHING: &str = "nothing";

/// Fields that the host sets, and a test may only look at.
const READ_ONLY: &str = "is set by the system alone";

impl Reader<'_> {
    /// `given:`
    pub(super) fn given(&mut self, entry: &Entry) -> Vec<Given> {
        let Some(keys) = self.keys(&entry.value, "`given`") else { return Vec::new() };
        let entries = keys.entries;
        entries.iter().filter_map(|entry| self.given_record(entry)).collect()
    }

    fn given_record(&mut self, entry: &Entry) -> Option<Given> {
        let span = self.span(entry.key_place);
        let (record, object) = self.new_record(&entry.key, entry.key_place)?;
        let is_seed = self.is_seed(&record);
        let mut fields = match &entry.value.value {
            // `contact/anna:` is a contact of whom nothing matters.
            Content::Nothing => Some(Fields::new()),
            _ => self.fields(&entry.value, &object, &record.to_string()),
        }?;
        if !is_seed {
            self.fill_in(&mut fields, &object, &record, entry.key_place);
        }
        Some(Given { record, fields, span })
    }

    /// `contact/anna`, and what a contact is made of.
    pub(super) fn new_record(
        &mut self,
        text: &str,
        place: Place,
    ) -> Option<(Reference, ObjectDefinition)> {
        let Ok(record) = text.trim().parse::<Reference>() else {
            let help = Some(format!("write an object and a name: `contact/{}`", text.trim()));
            let message = format!("`{text}` does not name a record");
            self.error(codes::WRONG_VALUE, place, message, help);
            return None;
        };
        let object = self.object(&record.object, place)?.clone();
        Some((record, object))
    }

    pub(super) fn object(&mut self, name: &str, place: Place) -> Option<&ObjectDefinition> {
        let catalog = self.context.catalog;
        let found = catalog.objects.get(name);
        if found.is_none() {
            let help = codes::did_you_mean(name, catalog.objects.names());
            self.error(codes::UNKNOWN_OBJECT, place, format!("there is no object `{name}`"), help);
        }
        found
    }

    /// Whether a record is there in every new data directory.
    pub(super) fn is_seed(&self, record: &Reference) -> bool {
        self.context
            .catalog
            .records
            .get(&record.object)
            .is_some_and(|known| known.contains(&record.key))
    }

    /// Gives what must not be empty a value, so that a test says only what
    /// matters to it.
    pub(super) fn fill_in(
        &mut self,
        fields: &mut Fields,
        object: &ObjectDefinition,
        record: &Reference,
        place: Place,
    ) {
        for (name, field) in &object.fields {
            let given = fields.get(name).is_some_and(|value| !value.is_nothing());
            let made = !field.default.is_nothing() || field.from_id.is_some() || field.read_only;
            if !field.required || given || made {
                continue;
            }
            let value = match &field.kind {
                FieldType::Text | FieldType::LongText => Value::Text(record.key.clone()),
                FieldType::Email => {
                    let local: String = record
                        .key
                        .chars()
                        .map(|c| if c.is_alphanumeric() { c } else { '-' })
                        .collect();
                    Value::Text(format!("{}@example.com", local.to_lowercase()))
                }
                _ => {
                    let message = format!("{} needs `{name}`", named(&object.name));
                    let help = Some(format!("it takes {}", field.kind.describe()));
                    self.error(codes::MISSING_ARGUMENT, place, message, help);
                    continue;
                }
            };
            fields.insert(name.clone(), value);
        }
    }

    /// A block of fields of an object.
    pub(super) fn fields(
        &mut self,
        node: &Node,
        object: &ObjectDefinition,
        what: &str,
    ) -> Option<Fields> {
        let entries = self.keys(node, what)?.entries;
        let mut fields = Fields::new();
        for entry in entries {
            let Some(field) = self.field(object, entry) else { continue };
            if field.read_only {
                let message = format!("`{}` {READ_ONLY}", entry.key);
                self.error(codes::WRONG_VALUE, entry.key_place, message, None);
                continue;
            }
            if let Some(value) = self.field_value(&entry.value, &field, &entry.key) {
                fields.insert(entry.key.clone(), value);
            }
        }
        Some(fields)
    }

    fn field(&mut self, object: &ObjectDefinition, entry: &Entry) -> Option<FieldDefinition> {
        let found = object.field(&entry.key).cloned();
        if found.is_none() {
            let known = object.fields.keys().map(String::as_str);
            let help = codes::did_you_mean(&entry.key, known);
            let message = format!("{} has no field `{}`", named(&object.name), entry.key);
            self.error(codes::UNKNOWN_FIELD, entry.key_place, message, help);
        }
        found
    }

    fn field_value(&mut self, node: &Node, field: &FieldDefinition, name: &str) -> Option<Value> {
        if node.is_nothing() && !field.required {
            return Some(Value::Nothing);
        }
        let wanted = match &field.kind {
            FieldType::Texts => Wanted::List(Box::new(Wanted::Text)),
            _ => Wanted::of_field(field),
        };
        let value = self.value(node, &wanted, &format!("`{name}`"))?;
        // Addresses and countries have a form of their own.
        match field.check(value) {
            Ok(value) => Some(value),
            Err(why) => {
                self.error(codes::WRONG_VALUE, node.place, format!("`{name}` {why}"), None);
                None
            }
        }
    }

    /// A value for a place.
    pub(super) fn value(&mut self, node: &Node, wanted: &Wanted, what: &str) -> Option<Value> {
        if let Wanted::Field(field) = wanted {
            return self.field_value(node, field, what.trim_matches('`'));
        }
        match &node.value {
            Content::Spoiled => None,
            Content::Nothing => Some(Value::Nothing),
            Content::Text { text, is_plain } => {
                if self.is_computed(node) {
                    return None;
                }
                match wanted {
                    Wanted::List(item) => {
                        self.value(node, item, what).map(|one| Value::List(vec![one]))
                    }
                    _ => self.text_value(text, *is_plain, wanted, what, node.place),
                }
            }
            Content::List(items) => {
                let item = match wanted {
                    Wanted::List(item) => item,
                    Wanted::Open => wanted,
                    other => {
                        let message = format!("{what} takes {}, not a list", other.describe());
                        self.error(codes::WRONG_VALUE, node.place, message, None);
                        return None;
                    }
                };
                let values: Vec<_> =
                    items.iter().map(|node| self.value(node, item, what)).collect();
                values.into_iter().collect::<Option<_>>().map(Value::List)
            }
            Content::Map(entries) => {
                let mut parts = BTreeMap::new();
                let mut failed = false;
                for entry in entries {
                    let what_of = format!("`{}`", entry.key);
                    let value = self
                        .part_wanted(wanted, entry, what, node.place)
                        .and_then(|part| self.value(&entry.value, &part, &what_of));
                    match value {
                        Some(value) => {
                            parts.insert(entry.key.clone(), value);
                        }
                        None => failed = true,
                    }
                }
                if failed {
                    return None;
                }
                Some(Value::Map(parts))
            }
        }
    }

    /// What a part of a block takes.
    fn part_wanted(
        &mut self,
        wanted: &Wanted,
        entry: &Entry,
        what: &str,
        place: Place,
    ) -> Option<Wanted> {
        match wanted {
            Wanted::Map(parameters) => {
                let found = parameters.get(&entry.key).map(|parameter| parameter.wanted.clone());
                if found.is_none() {
                    let known = parameters.keys().map(String::as_str);
                    let help = codes::mean_or_list(&entry.key, known);
                    let message = format!("{what} has no part `{}`", entry.key);
                    self.error(codes::UNKNOWN_ARGUMENT, entry.key_place, message, help);
                }
                found
            }
            Wanted::Open | Wanted::FieldsOf(_) | Wanted::Fields { .. } => Some(Wanted::Open),
            other => {
                let message = format!("{what} takes {}, not a block", other.describe());
                self.error(codes::WRONG_VALUE, place, message, None);
                None
            }
        }
    }

    fn text_value(
        &mut self,
        text: &str,
        is_plain: bool,
        wanted: &Wanted,
        what: &str,
        place: Place,
    ) -> Option<Value> {
        let trimmed = text.trim();
        let read = match wanted {
            Wanted::Open => Some(self.open_value(text, is_plain)),
            Wanted::Text | Wanted::Template | Wanted::Object => Some(Value::Text(text.to_owned())),
            Wanted::Number { .. } => trimmed.parse::<Decimal>().ok().map(Value::Number),
            Wanted::YesNo => match trimmed {
                "true" | "yes" => Some(Value::YesNo(true)),
                "false" | "no" => Some(Value::YesNo(false)),
                _ => None,
            },
            Wanted::Choice(words) => {
                if !words.iter().any(|word| word == trimmed) {
                    let help = codes::did_you_mean(trimmed, words.iter().map(String::as_str))
                        .unwrap_or_else(|| format!("it is one of {}", words.join(", ")));
                    let message = format!("{what} is never `{trimmed}`");
                    self.error(codes::NOT_A_CHOICE, place, message, Some(help));
                    return None;
                }
                Some(Value::Text(trimmed.to_owned()))
            }
            Wanted::Record(objects) => {
                return self.reference(trimmed, objects, what, place).map(Value::Reference);
            }
            Wanted::Due => trimmed
                .parse::<Duration>()
                .ok()
                .map(Value::Duration)
                .or_else(|| self.time_value(trimmed)),
            Wanted::Duration => trimmed.parse().ok().map(Value::Duration),
            Wanted::Time => self.time_value(trimmed),
            Wanted::Date => trimmed.parse::<Date>().ok().map(Value::Date),
            Wanted::Money => trimmed.parse::<Money>().ok().map(Value::Money),
            Wanted::List(_) | Wanted::Map(_) | Wanted::FieldsOf(_) | Wanted::Fields { .. } => None,
            Wanted::Field(field) => field.kind.parse(trimmed, &self.zone).ok(),
        };
        if read.is_none() {
            let message = format!("{what} takes {}, not the text `{trimmed}`", wanted.describe());
            self.error(codes::WRONG_VALUE, place, message, None);
        }
        read
    }

    fn time_value(&self, text: &str) -> Option<Value> {
        let local = local(text, &self.zone)?;
        self.zone.to_ambiguous_timestamp(local).compatible().ok().map(Value::Time)
    }

    /// Where nothing is known of the place: what it looks like.
    fn open_value(&self, text: &str, is_plain: bool) -> Value {
        if !is_plain {
            return Value::Text(text.to_owned());
        }
        match text {
            "true" => return Value::YesNo(true),
            "false" => return Value::YesNo(false),
            _ => {}
        }
        if let Ok(number) = text.parse::<Decimal>() {
            return Value::Number(number);
        }
        match text.parse::<Reference>() {
            Ok(reference) if self.knows(&reference) => Value::Reference(reference),
            _ => Value::Text(text.to_owned()),
        }
    }

    /// Whether the test, or every new data directory, has such a record.
    fn knows(&self, reference: &Reference) -> bool {
        self.known.contains(reference) || self.is_seed(reference)
    }

    /// A record that the test knows.
    pub(super) fn reference(
        &mut self,
        text: &str,
        objects: &[String],
        what: &str,
        place: Place,
    ) -> Option<Reference> {
        let reference = match (text.parse::<Reference>(), objects) {
            (Ok(reference), _) => reference,
            (Err(_), [only]) if !text.is_empty() => Reference::new(only, text),
            _ => {
                let message = format!("{what} takes a record, not the text `{text}`");
                let help = Some("write an object and a name, such as `contact/anna`".to_owned());
                self.error(codes::WRONG_VALUE, place, message, help);
                return None;
            }
        };
        self.object(&reference.object, place)?;
        if !objects.is_empty() && !objects.contains(&reference.object) {
            let message = format!(
                "{what} takes {}, not {}",
                objects.iter().map(|object| named(object)).collect::<Vec<_>>().join(" or "),
                named(&reference.object)
            );
            self.error(codes::WRONG_VALUE, place, message, None);
            return None;
        }
        self.known_record(reference, place)
    }

    pub(super) fn known_record(&mut self, reference: Reference, place: Place) -> Option<Reference> {
        if self.knows(&reference) {
            return Some(reference);
        }
        let seeds = self.context.catalog.records.get(&reference.object);
        let known: Vec<&str> = self
            .known
            .iter()
            .filter(|known| known.object == reference.object)
            .map(|known| known.key.as_str())
            .chain(seeds.into_iter().flatten().map(String::as_str))
            .collect();
        let help = match relata_model::text::nearest(&reference.key, known.into_iter()) {
            Some(near) => format!("did you mean `{}/{near}`?", reference.object),
            None => format!("add it to `given`: `{reference}: {{ … }}`"),
        };
        let message = format!("the test has no record `{reference}`");
        self.error(codes::UNKNOWN_RECORD, place, message, Some(help));
        None
    }

    /// `ticket/t1`, or `task` for the newest task.
    pub(super) fn target(&mut self, entry: &Entry) -> Option<(Target, ObjectDefinition)> {
        let text = self.plain_text(entry)?.to_owned();
        let place = entry.value.place;
        if text.contains('/') {
            let (record, object) = self.new_record(&text, place)?;
            return Some((Target::Record(self.known_record(record, place)?), object));
        }
        let object = self.object(&text, place)?.clone();
        Some((Target::Newest(text), object))
    }

    /// A record of the test that stands behind a key.
    pub(super) fn record_of(&mut self, entry: &Entry) -> Option<Reference> {
        let text = self.plain_text(entry)?.to_owned();
        self.reference(&text, &[], &format!("`{}`", entry.key), entry.value.place)
    }

    /// What a value must be: a value, `is empty`, `is not empty`, `contains
    /// …`, or a block of such.
    pub(super) fn check(&mut self, node: &Node, wanted: &Wanted, what: &str) -> Option<Check> {
        if let Content::Text { text, is_plain: true } = &node.value {
            let text = text.trim();
            match text {
                "is empty" => return Some(Check::Empty),
                "is not empty" => return Some(Check::NotEmpty),
                _ => {}
            }
            if let Some(part) = text.strip_prefix("contains ") {
                return Some(Check::Contains(part.trim().trim_matches('"').to_owned()));
            }
        }
        match &node.value {
            Content::Nothing => Some(Check::Empty),
            Content::Map(entries) => {
                let mut parts = Vec::new();
                let mut failed = false;
                for entry in entries {
                    let what_of = format!("`{}`", entry.key);
                    let check = self
                        .part_wanted(wanted, entry, what, node.place)
                        .and_then(|part| self.check(&entry.value, &part, &what_of));
                    let span = self.span(entry.key_place);
                    match check {
                        Some(check) => parts.push(Part { name: entry.key.clone(), check, span }),
                        None => failed = true,
                    }
                }
                if failed {
                    return None;
                }
                Some(Check::Has(parts))
            }
            _ => self.value(node, wanted, what).map(Check::Is),
        }
    }

    /// One block, a list of blocks, or `nothing`.
    pub(super) fn several(
        &mut self,
        entry: &Entry,
        mut wanted: impl FnMut(&mut Self, &Entry) -> Option<Wanted>,
    ) -> Option<Several> {
        let span = self.span(entry.key_place);
        if entry.value.text().map(str::trim) == Some(NOTHING) {
            return Some(Several { span, each: Vec::new() });
        }
        let nodes = match &entry.value.value {
            Content::List(items) => items.as_slice(),
            Content::Map(_) => std::slice::from_ref(&entry.value),
            Content::Spoiled => return None,
            _ => {
                let message = format!("`{}` takes a block of what it must have", entry.key);
                let help = Some("or a list of blocks for several, or `nothing`".to_owned());
                self.error(codes::WRONG_FORM, entry.value.place, message, help);
                return None;
            }
        };
        let mut each = Vec::new();
        for node in nodes {
            let Some(keys) = self.keys(node, &format!("`{}`", entry.key)) else { continue };
            let mut parts = Vec::new();
            for part in keys.entries {
                let Some(wanted) = wanted(self, part) else { continue };
                let what = format!("`{}`", part.key);
                let Some(check) = self.check(&part.value, &wanted, &what) else { continue };
                parts.push(Part { name: part.key.clone(), check, span: self.span(part.key_place) });
            }
            each.push(parts);
        }
        Some(Several { span, each })
    }

    /// What a field of an object must be.
    pub(super) fn field_wanted(
        &mut self,
        object: &ObjectDefinition,
        entry: &Entry,
    ) -> Option<Wanted> {
        self.field(object, entry).map(|field| match &field.kind {
            FieldType::Texts => Wanted::List(Box::new(Wanted::Text)),
            _ => Wanted::of_field(&field),
        })
    }

    /// What an argument of an action takes.
    pub(super) fn argument_wanted(
        &mut self,
        action: &str,
        parameters: &BTreeMap<String, Parameter>,
        is_open: bool,
        extra: &[&str],
        entry: &Entry,
    ) -> Option<Wanted> {
        if let Some(parameter) = parameters.get(&entry.key) {
            return Some(parameter.wanted.clone());
        }
        if is_open {
            return Some(Wanted::Open);
        }
        let known = parameters.keys().map(String::as_str).chain(extra.iter().copied());
        let help = codes::mean_or_list(&entry.key, known.collect::<Vec<_>>().into_iter());
        let message = format!("`{action}` takes no `{}`", entry.key);
        self.error(codes::UNKNOWN_ARGUMENT, entry.key_place, message, help);
        None
    }
}

/// A node as JSON: what a webhook is posted.
pub(super) fn json(node: &Node) -> Json {
    match &node.value {
        Content::Nothing | Content::Spoiled => Json::Null,
        Content::Text { text, is_plain: true } => match text.as_str() {
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            _ => text
                .parse::<Decimal>()
                .map(|number| Value::Number(number).to_json())
                .unwrap_or_else(|_| Json::String(text.clone())),
        },
        Content::Text { text, .. } => Json::String(text.clone()),
        Content::List(items) => Json::Array(items.iter().map(json).collect()),
        Content::Map(entries) => Json::Object(
            entries
                .iter()
                .map(|entry| (entry.key.clone(), json(&entry.value)))
                .collect::<Map<_, _>>(),
        ),
    }
}

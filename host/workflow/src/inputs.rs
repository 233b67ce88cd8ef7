//! What a run is started with: read from the body of a webhook, from a
//! command line or a form, each value by the type of its input.

use std::collections::BTreeMap;

use relata_model::{FieldError, FieldType, Reference, TimeZone, Value, text};
use serde_json::{Map, Value as Json};

use crate::{
    definition::Input,
    types::{Slot, Type},
};

/// The longest value that a sentence repeats, characters.
const LONGEST: usize = 60;

/// What was read: the values, and everything that is wrong with them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReadInputs {
    /// A value for each input that reads: what was given, else its default,
    /// else nothing. Records are named as they were given: nobody has looked
    /// yet whether they are there.
    pub values: BTreeMap<String, Value>,
    /// What was given and is no input, by name.
    pub unknown: Vec<String>,
    /// What is missing or does not read, each with what it takes.
    pub wrong: Vec<FieldError>,
}

impl ReadInputs {
    /// The values, where nothing is wrong and nothing unknown.
    ///
    /// # Errors
    ///
    /// Everything that is wrong; what is unknown with the name that was
    /// probably meant.
    pub fn strict(self, inputs: &[Input]) -> Result<BTreeMap<String, Value>, Vec<FieldError>> {
        let mut wrong = self.wrong;
        for name in self.unknown {
            let known = || inputs.iter().map(|input| input.name.as_str());
            let hint = match text::nearest(&name, known()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if inputs.is_empty() => "the workflow takes none".to_owned(),
                None => format!("there are {}", known().collect::<Vec<_>>().join(", ")),
            };
            wrong.push(FieldError::new(
                text::shortened(&name, LONGEST),
                format!("is no input; {hint}"),
            ));
        }
        if wrong.is_empty() { Ok(self.values) } else { Err(wrong) }
    }
}

/// Reads the inputs of a workflow from JSON: texts stand in quotes, numbers
/// and `true` do not, times are RFC 3339, records `object/key`, or the key
/// alone where the input is of one object. `null` is as if it were left out.
#[must_use]
pub fn inputs_from_json(inputs: &[Input], given: &Map<String, Json>) -> ReadInputs {
    let mut read = ReadInputs::default();
    for input in inputs {
        let value = match given.get(&input.name) {
            None | Some(Json::Null) => Ok(Value::Nothing),
            Some(json) => from_json(&input.slot.kind, json),
        };
        take(&mut read, input, value);
    }
    read.unknown = given
        .keys()
        .filter(|name| inputs.iter().all(|input| input.name != **name))
        .cloned()
        .collect();
    read
}

/// Reads the inputs of a workflow from what a person wrote, as cells of an
/// import are read: times without a zone are in `zone`, items of a list are
/// separated by `;`, an empty text is as if it were left out.
#[must_use]
pub fn inputs_from_text(
    inputs: &[Input],
    given: &[(String, String)],
    zone: &TimeZone,
) -> ReadInputs {
    let mut read = ReadInputs::default();
    for input in inputs {
        let mut written = given.iter().filter(|(name, _)| *name == input.name);
        let value = match (written.next(), written.next()) {
            (None, _) => Ok(Value::Nothing),
            (Some((_, written)), None) => from_text(&input.slot.kind, written, zone),
            (Some(_), Some(_)) => Err(match input.slot.kind {
                Type::List(_) => "is given twice; separate its items by `;`".to_owned(),
                _ => "is given twice".to_owned(),
            }),
        };
        take(&mut read, input, value);
    }
    for (name, _) in given {
        let known = inputs.iter().any(|input| input.name == *name);
        if !known && !read.unknown.contains(name) {
            read.unknown.push(name.clone());
        }
    }
    read
}

/// What an input takes, for people: `a number`, `one of small, large`.
#[must_use]
pub fn describe_input(input: &Input) -> String {
    let takes = takes(&input.slot.kind);
    match &input.default {
        Some(default) => format!("{takes}, `{default}` if left out"),
        None if input.slot.optional => format!("{takes}, may be left out"),
        None => takes,
    }
}

fn take(read: &mut ReadInputs, input: &Input, value: Result<Value, String>) {
    match value {
        Ok(Value::Nothing) if input.is_required() => {
            let why = format!("is missing; it takes {}", takes(&input.slot.kind));
            read.wrong.push(FieldError::new(&input.name, why));
        }
        Ok(Value::Nothing) => {
            let default = input.default.clone().unwrap_or(Value::Nothing);
            read.values.insert(input.name.clone(), default);
        }
        Ok(value) => {
            read.values.insert(input.name.clone(), value);
        }
        Err(why) => read.wrong.push(FieldError::new(&input.name, why)),
    }
}

/// The kind of field that holds a value of a type; none for lists and what a
/// field cannot hold.
fn field(kind: &Type) -> Option<FieldType> {
    Some(match kind {
        Type::Text => FieldType::LongText,
        Type::Number => FieldType::Number,
        Type::YesNo => FieldType::YesNo,
        Type::Date => FieldType::Date,
        Type::Time => FieldType::Time,
        Type::Duration => FieldType::Duration,
        Type::Money => FieldType::Money,
        Type::Choice(words) => FieldType::Choice(words.clone()),
        Type::Record(objects) => FieldType::Reference(objects.clone()),
        Type::Nothing | Type::List(_) | Type::Map(_) | Type::Any => return None,
    })
}

fn takes(kind: &Type) -> String {
    match (kind, field(kind)) {
        (_, Some(field)) => field.describe(),
        (Type::List(items), None) => match takes(&items.kind) {
            item if item == "text" => "a list of texts".to_owned(),
            item => format!("a list, each item {item}"),
        },
        (other, None) => other.describe(),
    }
}

fn from_json(kind: &Type, json: &Json) -> Result<Value, String> {
    match (kind, json) {
        (Type::List(items), Json::Array(values)) => {
            each(values.iter().map(|value| from_json(&items.kind, value)), items)
        }
        (Type::Map(parts), Json::Object(values)) => {
            let mut read = BTreeMap::new();
            for (name, value) in values {
                let kind = parts.get(name).map_or(&Type::Any, |slot| &slot.kind);
                let value = from_json(kind, value).map_err(|why| format!("{name} {why}"))?;
                read.insert(name.clone(), value);
            }
            Ok(Value::Map(read))
        }
        (Type::Any | Type::Nothing, json) => Ok(Value::from_json(json)),
        // Another program need not know what we call an order.
        (Type::Record(objects), Json::String(key))
            if objects.len() == 1 && !key.trim().is_empty() && !key.contains('/') =>
        {
            Ok(Value::Reference(Reference::new(&objects[0], key.trim())))
        }
        _ => match field(kind) {
            Some(field) => field
                .read(json)
                .map_err(|why| format!("{}{}", brief(&field, json, why), mend(&field, json))),
            None => Err(format!("takes {}, not {}", takes(kind), what(json))),
        },
    }
}

/// A sentence that repeats no more of a value than a person reads.
fn brief(field: &FieldType, json: &Json, why: String) -> String {
    match json {
        // A program has to say the zone.
        _ if *field == FieldType::Time => {
            format!("takes a time such as 2026-12-24T18:00:00+01:00, not {}", what(json))
        }
        Json::String(text) if text.chars().count() > LONGEST => {
            format!("takes {}, not {}", field.describe(), what(json))
        }
        Json::Array(_) | Json::Object(_) => {
            format!("takes {}, not {}", field.describe(), what(json))
        }
        _ => why,
    }
}

fn what(json: &Json) -> String {
    match json {
        Json::Array(_) => "a list".to_owned(),
        Json::Object(_) => "a set of named values".to_owned(),
        Json::String(text) if text.chars().count() > LONGEST => {
            format!("a text of {} characters", text.chars().count())
        }
        other => format!("`{other}`"),
    }
}

/// What another program most often gets wrong.
fn mend(field: &FieldType, json: &Json) -> &'static str {
    match (field, json) {
        (FieldType::LongText | FieldType::Choice(_), Json::Number(_) | Json::Bool(_)) => {
            "; write it in quotes"
        }
        (FieldType::Number, Json::String(text))
            if FieldType::Number.parse(text, &TimeZone::UTC).is_ok() =>
        {
            "; write it without quotes"
        }
        (FieldType::YesNo, Json::String(_) | Json::Number(_)) => "; write true or false",
        _ => "",
    }
}

fn from_text(kind: &Type, written: &str, zone: &TimeZone) -> Result<Value, String> {
    if written.trim().is_empty() {
        return Ok(Value::Nothing);
    }
    match (kind, field(kind)) {
        (Type::List(items), _) => each(
            written
                .split(';')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| from_text(&items.kind, item, zone)),
            items,
        ),
        (_, Some(FieldType::LongText)) => Ok(Value::Text(written.to_owned())),
        (_, Some(field)) => field.parse(written, zone),
        (Type::Any | Type::Nothing, None) => Ok(Value::Text(written.to_owned())),
        (_, None) => Err(format!("takes {}, which cannot be written here", takes(kind))),
    }
}

/// The items of a list; the first that is wrong is told with its place.
fn each(items: impl Iterator<Item = Result<Value, String>>, slot: &Slot) -> Result<Value, String> {
    let mut read = Vec::new();
    for (place, item) in items.enumerate() {
        let number = place + 1;
        match item {
            Ok(Value::Nothing) if !slot.optional => {
                return Err(format!("has an empty item, number {number}"));
            }
            Ok(value) => read.push(value),
            Err(why) => return Err(format!("item {number} {why}")),
        }
    }
    Ok(Value::List(read))
}

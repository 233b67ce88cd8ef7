//! JSON Schemas of an object's records: as they are shown, created, changed
//! and searched for.

use relata_app::model::{FieldDefinition, FieldType, ObjectDefinition};
use serde_json::{Map, Value, json};

/// The longest text where a field does not say, characters.
const LONGEST_TEXT: u32 = 1_000;

/// The same of text with many lines.
const LONGEST_LONG_TEXT: u32 = 1_000_000;

/// A record as it is shown. A field that is empty may be left out.
pub(super) fn shown(object: &ObjectDefinition) -> Value {
    let mut properties = Map::new();
    let id = json!({
        "type": "string",
        "pattern": format!("^{}/[0-9a-z]{{26}}$", object.name),
        "description": "The object and the record's id.",
    });
    properties.insert("id".to_owned(), id);
    let revision = json!({
        "type": "integer",
        "minimum": 1,
        "description": "1 when created, one more with each change. Left out where `fields` says which fields are wanted.",
    });
    properties.insert("revision".to_owned(), revision);
    for (name, field) in object.in_order() {
        properties.insert(name.to_owned(), value_shown(field));
    }
    json!({
        "type": "object",
        "title": object.title,
        "description": object.summary,
        "properties": properties,
        "required": ["id"],
    })
}

/// The fields of a new record.
pub(super) fn created(object: &ObjectDefinition) -> Value {
    let must_have = |(name, field): (&str, &FieldDefinition)| {
        let is_given = field.default.is_nothing() && field.from_id.is_none() && !field.read_only;
        (field.required && is_given).then(|| Value::from(name))
    };
    let required: Vec<Value> = object.in_order().filter_map(must_have).collect();
    let mut schema = changed(object);
    schema["required"] = Value::Array(required);
    schema
}

/// Some of the fields of a record, as they are to be.
pub(super) fn changed(object: &ObjectDefinition) -> Value {
    let may_set = object.in_order().filter(|(_, field)| !field.read_only);
    let properties: Map<String, Value> =
        may_set.map(|(name, field)| (name.to_owned(), value_given(field))).collect();
    json!({
        "type": "object",
        "title": object.title,
        "description": object.summary,
        "properties": properties,
        "additionalProperties": false,
    })
}

/// Conditions on its fields, as an address has them.
pub(super) fn filter(object: &ObjectDefinition) -> Value {
    let equal = |(name, field): (&str, &FieldDefinition)| {
        let what = format!("{}; one of several with commas between", field.kind.describe());
        (name.to_owned(), json!({ "type": "string", "description": what }))
    };
    let properties: Map<String, Value> = object.in_order().map(equal).collect();
    let names: Vec<&str> = object.in_order().map(|(name, _)| name).collect();
    let compared = format!("^({})\\.(eq|ne|lt|lte|gt|gte|contains|words|empty)$", names.join("|"));
    json!({
        "type": "object",
        "description": "A field, perhaps with a comparison behind a dot (`created_at.gte`), and what it is compared with. All must hold.",
        "properties": properties,
        "patternProperties": { compared: { "type": "string" } },
        "additionalProperties": false,
    })
}

/// A field's value as it is shown; null where `fields` asks for it and it is
/// empty.
fn value_shown(field: &FieldDefinition) -> Value {
    let text = || json!({ "type": ["string", "null"] });
    let with = |name: &str, what: Value| {
        let mut schema = text();
        schema[name] = what;
        schema
    };
    let schema = match &field.kind {
        FieldType::Number => json!({ "type": ["number", "null"] }),
        FieldType::Integer => json!({ "type": ["integer", "null"] }),
        FieldType::YesNo => json!({ "type": ["boolean", "null"] }),
        FieldType::Date => with("format", json!("date")),
        FieldType::Time => with("format", json!("date-time")),
        FieldType::Country => with("pattern", json!("^[A-Z]{2}$")),
        FieldType::Money => with("pattern", json!("^-?[0-9]+([.][0-9]+)? [A-Z]{3}$")),
        FieldType::Choice(words) => {
            let words = words.iter().map(|word| json!(word)).chain([Value::Null]);
            with("enum", words.collect())
        }
        FieldType::Reference(objects) => with("pattern", json!(reference(objects))),
        FieldType::Texts => {
            json!({ "type": ["array", "null"], "items": { "type": "string" } })
        }
        FieldType::Text
        | FieldType::LongText
        | FieldType::Email
        | FieldType::Phone
        | FieldType::Duration => text(),
    };
    described(schema, field)
}

/// A field's value as it may be given. It is no stricter than the host: times,
/// amounts and the like are written in more than one way, spaces around a text
/// do not count, and nothing between them empties the field.
fn value_given(field: &FieldDefinition) -> Value {
    let may_be_blank = !field.required || !field.default.is_nothing();
    let kind = match &field.kind {
        FieldType::Number => "number",
        FieldType::Integer => "integer",
        FieldType::YesNo => "boolean",
        FieldType::Texts => "array",
        _ => "string",
    };
    let mut schema = match may_be_blank {
        true => json!({ "type": [kind, "null"] }),
        false => json!({ "type": kind }),
    };
    match &field.kind {
        FieldType::Number | FieldType::Integer => {
            for (name, bound) in [("minimum", field.min), ("maximum", field.max)] {
                let bound =
                    bound.and_then(|bound| bound.to_string().parse::<serde_json::Number>().ok());
                if let Some(bound) = bound {
                    schema[name] = Value::Number(bound);
                }
            }
        }
        FieldType::Choice(words) => {
            let blank = [Value::Null, json!("")].into_iter().filter(|_| may_be_blank);
            schema["enum"] = words.iter().map(|word| json!(word)).chain(blank).collect();
        }
        FieldType::Reference(objects) => {
            let pattern = reference(objects);
            schema["pattern"] = match may_be_blank {
                true => json!(format!("^\\s*$|{pattern}")),
                false => json!(pattern),
            };
        }
        FieldType::Texts => schema["items"] = json!({ "type": "string" }),
        FieldType::Text | FieldType::LongText | FieldType::Phone => {
            let usual = match field.kind {
                FieldType::LongText => LONGEST_LONG_TEXT,
                _ => LONGEST_TEXT,
            };
            let given = field.max.and_then(|max| max.to_string().parse::<u32>().ok());
            schema["maxLength"] = json!(given.unwrap_or(usual));
        }
        FieldType::Email
        | FieldType::Country
        | FieldType::Money
        | FieldType::YesNo
        | FieldType::Date
        | FieldType::Time
        | FieldType::Duration => {}
    }
    described(schema, field)
}

/// `user/01k9…`; in what is given the key may be an external id.
fn reference(objects: &[String]) -> String {
    match objects {
        [] => "^\\s*[a-z][a-z0-9_]*/.+$".to_owned(),
        objects => format!("^\\s*({})/.+$", objects.join("|")),
    }
}

/// With what it is, for people.
fn described(mut schema: Value, field: &FieldDefinition) -> Value {
    let holds = field.kind.describe();
    schema["description"] = Value::String(match field.summary.as_str() {
        "" => holds,
        summary => format!("{summary} Takes {holds}."),
    });
    schema
}

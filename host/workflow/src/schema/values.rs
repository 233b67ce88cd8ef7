//! What places take, as JSON Schema. YAML reads `40` as a number and `true`
//! as yes, where the language reads text, so that most places take both.

use std::collections::BTreeMap;

use relata_model::{FieldDefinition, FieldType, ObjectDefinition};
use serde_json::{Map, Value as Json, json};

use super::reference;
use crate::{
    catalog::Catalog,
    read::{Parameter, Wanted},
};

/// Time zones to begin with; there are many more.
pub(crate) const ZONES: &[&str] = &[
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Paris",
    "America/New_York",
    "America/Chicago",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Asia/Kolkata",
    "Asia/Singapore",
    "Australia/Sydney",
];

/// What other definitions refer to.
pub(super) fn definitions(catalog: &Catalog) -> Map<String, Json> {
    let mut all = Map::new();
    all.insert(
        "placeholder".to_owned(),
        json!({
            "type": "string",
            "pattern": "\\{\\{",
            "description": "A parameter of the blueprint.",
        }),
    );
    for object in catalog.objects.iter() {
        all.insert(fields_name(&object.name), fields(object));
    }
    all
}

fn fields_name(object: &str) -> String {
    format!("fields:{object}")
}

/// Text that is written out, whatever YAML takes it for.
pub(super) fn text() -> Json {
    json!({ "type": ["string", "number", "boolean"] })
}

/// Text, with some to choose from.
pub(super) fn suggested(words: impl Iterator<Item = impl AsRef<str>>) -> Json {
    let words: Vec<String> = words.map(|word| word.as_ref().to_owned()).collect();
    if words.is_empty() {
        return text();
    }
    json!({ "anyOf": [{ "enum": words }, text()] })
}

/// One of these words, in each form that YAML reads it in.
pub(super) fn words(words: &[String]) -> Json {
    if words.is_empty() {
        // Nothing will do.
        return json!({ "not": {} });
    }
    let mut all: Vec<Json> = Vec::new();
    for word in words {
        all.push(json!(word));
        if let Ok(other) = serde_json::from_str::<Json>(word)
            && !other.is_string()
        {
            all.push(other);
        }
    }
    json!({ "enum": all })
}

/// The external id of a record, with its object in front or not.
pub(super) fn keyed(object: &str, catalog: &Catalog) -> Json {
    match catalog.records.get(object) {
        None => text(),
        Some(known) => {
            let both: Vec<String> =
                known.iter().flat_map(|key| [key.clone(), format!("{object}/{key}")]).collect();
            json!({ "anyOf": [words(&both), reference("placeholder")] })
        }
    }
}

/// The name of an object.
pub(super) fn objects(catalog: &Catalog) -> Json {
    if catalog.objects.names().next().is_none() {
        return text();
    }
    let (names, titles): (Vec<&str>, Vec<&str>) = catalog
        .objects
        .iter()
        .map(|object| (object.name.as_str(), object.summary.as_str()))
        .unzip();
    json!({
        "anyOf": [{ "enum": names, "enumDescriptions": titles }, reference("placeholder")],
    })
}

/// An object, or a field of one: `ticket.status`.
pub(super) fn changes(catalog: &Catalog) -> Json {
    if catalog.objects.names().next().is_none() {
        return text();
    }
    let mut names = Vec::new();
    let mut docs = Vec::new();
    for object in catalog.objects.iter() {
        names.push(object.name.clone());
        docs.push(object.summary.clone());
        for (name, field) in &object.fields {
            names.push(format!("{}.{name}", object.name));
            docs.push(field_documentation(field));
        }
    }
    json!({ "anyOf": [{ "enum": names, "enumDescriptions": docs }, reference("placeholder")] })
}

/// What a field is, in a sentence.
pub(crate) fn field_documentation(field: &FieldDefinition) -> String {
    let what = match &field.kind {
        FieldType::Choice(words) => format!("One of {}.", words.join(", ")),
        kind => {
            let described = kind.describe();
            let mut letters = described.chars();
            let first = letters.next().map(|first| first.to_uppercase().to_string());
            format!("{}{}.", first.unwrap_or_default(), letters.as_str())
        }
    };
    let empty = if field.may_be_empty() { " May be empty." } else { "" };
    if field.summary.is_empty() {
        format!("{what}{empty}")
    } else {
        format!("{} {what}{empty}", field.summary)
    }
}

/// The fields of an object: for completion only, since a record's object is
/// not always known.
fn fields(object: &ObjectDefinition) -> Json {
    let properties: Map<String, Json> = object
        .fields
        .iter()
        .filter(|(_, field)| !field.read_only)
        .map(|(name, field)| {
            let doc = field_documentation(field);
            let mut schema = match &field.kind {
                FieldType::Choice(words) => json!({ "anyOf": [{ "enum": words }, {}] }),
                FieldType::YesNo => json!({ "anyOf": [{ "type": "boolean" }, {}] }),
                _ => json!({}),
            };
            schema["description"] = json!(doc);
            (name.clone(), schema)
        })
        .collect();
    json!({ "properties": properties })
}

/// What an argument takes, or a formula; or nothing, where that will do.
pub(super) fn parameter(parameter: &Parameter, catalog: &Catalog) -> Json {
    let mut cases = Vec::new();
    match wanted(&parameter.wanted, catalog) {
        None => return json!({}),
        Some(Json::Object(schema)) if schema.len() == 1 && schema.contains_key("anyOf") => {
            if let Some(Json::Array(inner)) = schema.get("anyOf") {
                cases.extend(inner.iter().cloned());
            }
        }
        Some(schema) => cases.push(schema),
    }
    cases.push(reference("formula"));
    if !parameter.required || parameter.nullable {
        cases.push(json!({ "type": "null" }));
    }
    json!({ "anyOf": cases })
}

/// What a place takes beside formulas; none for anything.
fn wanted(wanted: &Wanted, catalog: &Catalog) -> Option<Json> {
    Some(match wanted {
        Wanted::Open => return None,
        Wanted::Text => text(),
        Wanted::Number { whole, least, most } => {
            let mut schema = json!({ "type": if *whole { "integer" } else { "number" } });
            let bound = |bound: &Option<relata_model::Decimal>| {
                bound.and_then(|bound| bound.to_string().parse::<f64>().ok())
            };
            if let Some(least) = bound(least) {
                schema["minimum"] = json!(least);
            }
            if let Some(most) = bound(most) {
                schema["maximum"] = json!(most);
            }
            // `1_000` is a number here and a text in YAML.
            json!({ "anyOf": [schema, { "type": "string", "pattern": "^ *[-+]?[0-9][0-9_.]*_" }] })
        }
        Wanted::YesNo => {
            json!({ "anyOf": [{ "type": "boolean" }, { "enum": ["yes", "no", "true", "false"] }] })
        }
        Wanted::Choice(choice) => words(choice),
        Wanted::Record(objects) => records(objects, catalog),
        Wanted::Template => match &catalog.templates {
            Some(templates) => words(&templates.iter().cloned().collect::<Vec<_>>()),
            None => text(),
        },
        Wanted::Object => objects(catalog),
        Wanted::Due | Wanted::Duration | Wanted::Time | Wanted::Date | Wanted::Money => {
            json!({ "type": "string", "pattern": "[0-9]" })
        }
        Wanted::List(item) => {
            let item = Parameter { wanted: (**item).clone(), required: true, nullable: false };
            json!({ "type": "array", "items": parameter(&item, catalog) })
        }
        Wanted::Map(parts) => {
            let required: Vec<&String> =
                parts.iter().filter(|(_, part)| part.required).map(|(name, _)| name).collect();
            let properties: Map<String, Json> =
                parts.iter().map(|(name, part)| (name.clone(), parameter(part, catalog))).collect();
            json!({
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": false,
            })
        }
        Wanted::FieldsOf(of) => {
            let object = of.strip_prefix("object/");
            match object.filter(|object| catalog.objects.get(object).is_some()) {
                Some(object) => {
                    json!({ "type": "object", "allOf": [reference(&fields_name(object))] })
                }
                None => json!({ "type": "object" }),
            }
        }
        Wanted::Fields { .. } => json!({ "type": "object" }),
        Wanted::Field(field) => return self::wanted(&Wanted::of_field(field), catalog),
    })
}

/// Records of some objects: the known ones, and whatever else may be one.
fn records(objects: &[String], catalog: &Catalog) -> Json {
    let mut known = Vec::new();
    let mut all_known = !objects.is_empty();
    for object in objects {
        match catalog.records.get(object) {
            Some(keys) => {
                known.extend(keys.iter().map(|key| format!("{object}/{key}")));
                if objects.len() == 1 {
                    known.extend(keys.iter().cloned());
                }
            }
            None => all_known = false,
        }
    }
    let mut cases = Vec::new();
    if !known.is_empty() {
        cases.push(words(&known));
    }
    if !all_known {
        cases.push(text());
    }
    if cases.is_empty() {
        cases.push(reference("formula"));
    }
    json!({ "anyOf": cases })
}

/// What an argument is: its description in the action's schema, and what it
/// takes.
pub(crate) fn documentation(input: &Json, name: &str, parameter: &Parameter) -> String {
    let said = input
        .get("properties")
        .and_then(|properties| properties.get(name))
        .and_then(|property| property.get("description"))
        .and_then(Json::as_str);
    let takes = parameter.wanted.describe();
    let must = if parameter.required { "" } else { " May be left out." };
    match said {
        Some(said) => format!("{} Takes {takes}.{must}", with_stop(said)),
        None => format!("Takes {takes}.{must}"),
    }
}

fn with_stop(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.ends_with(['.', '?', '!']) { text } else { format!("{text}.") }
}

/// Where fields depend on the record or object that another argument names:
/// the fields of that object, as far as the name tells.
pub(super) fn fields_by_record(
    schema: &mut Json,
    parameters: &BTreeMap<String, Parameter>,
    catalog: &Catalog,
) {
    let mut cases = Vec::new();
    for (name, parameter) in parameters {
        let Wanted::FieldsOf(of) = &parameter.wanted else { continue };
        for object in catalog.objects.names() {
            let named = match parameters.get(of).map(|parameter| &parameter.wanted) {
                Some(Wanted::Object | Wanted::Text) => json!({ "const": object }),
                Some(Wanted::Record(_)) => {
                    json!({ "enum": [format!("={object}"), format!("= {object}")] })
                }
                _ => continue,
            };
            cases.push(json!({
                "if": super::case(of, named),
                "then": { "properties": { name: reference(&fields_name(object)) } },
            }));
        }
    }
    if !cases.is_empty() {
        schema["allOf"] = Json::Array(cases);
    }
}

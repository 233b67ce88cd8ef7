//! The operations on records, once for each object. Beside their handlers they
//! are written of a `Record`; here each object takes its place.

use relata_app::model::ObjectDefinition;
use serde_json::{Map, Value, json};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Ref, RefOr, Schema,
        schema::{ArrayBuilder, OneOfBuilder},
    },
};

use super::objects;

/// The word that an object takes the place of, in the names of schemas and
/// operations.
const PLACEHOLDER: &str = "Record";

/// The paths that each object has of its own.
const OWN: [&str; 3] =
    ["/v1/records/{object}", "/v1/records/{object}/{key}", "/v1/counts/{object}"];

/// The schemas that each object has of its own, and that its definition gives.
const GIVEN: [&str; 4] = ["Record", "NewRecord", "RecordFields", "RecordFilter"];

/// Those that are built of them.
const BUILT: [&str; 4] = ["NewRecords", "RecordPage", "ChangedRecord", "PutRecord"];

/// A record.
#[derive(ToSchema)]
pub(crate) struct Record;

/// The fields of a new one.
#[derive(ToSchema)]
pub(crate) struct NewRecord;

/// Some of its fields.
#[derive(ToSchema)]
pub(crate) struct RecordFields;

/// Conditions on its fields.
#[derive(ToSchema)]
pub(crate) struct RecordFilter;

/// A new record, or several.
pub(crate) struct NewRecords;

impl PartialSchema for NewRecords {
    fn schema() -> RefOr<Schema> {
        one_or_several(&NewRecord::name())
    }
}

impl ToSchema for NewRecords {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((NewRecord::name().into_owned(), NewRecord::schema()));
    }
}

/// What a body holds that is one thing, or a list of such.
pub(crate) fn one_or_several(name: &str) -> RefOr<Schema> {
    let one = Ref::from_schema_name(name);
    let most = Some(relata_app::MOST_ITEMS);
    let several = ArrayBuilder::new().items(one.clone()).min_items(Some(1)).max_items(most);
    OneOfBuilder::new().item(one).item(several).into()
}

/// Puts the objects in the place of the placeholder.
pub(super) fn describe<'a>(
    document: &mut Value,
    objects: impl Iterator<Item = &'a ObjectDefinition>,
) {
    let taken = |document: &mut Value, place: &str, names: &[&str]| -> Map<String, Value> {
        let from = document.pointer_mut(place).and_then(Value::as_object_mut);
        from.map_or_else(Map::new, |from| {
            names.iter().filter_map(|name| from.remove_entry(*name)).collect()
        })
    };
    let paths = taken(document, "/paths", &OWN);
    let built = taken(document, "/components/schemas", &BUILT);
    taken(document, "/components/schemas", &GIVEN);
    let mut names = Vec::new();
    for object in objects {
        let title = in_camel_case(&object.name);
        let given = [
            objects::shown(object),
            objects::created(object),
            objects::changed(object),
            objects::filter(object),
        ];
        let mut add = |place: &str, name: String, what: Value| {
            if let Some(map) = document.pointer_mut(place).and_then(Value::as_object_mut) {
                map.insert(name, what);
            }
        };
        for (name, schema) in GIVEN.into_iter().zip(given) {
            add("/components/schemas", of(name, &title), schema);
        }
        for (name, schema) in &built {
            add("/components/schemas", of(name, &title), specialised(schema, object, &title));
        }
        for (path, item) in &paths {
            let path = path.replace("{object}", &object.name);
            add("/paths", path, specialised(item, object, &title));
        }
        names.push(object.name.as_str());
    }
    name_objects(document, &names);
}

/// `TicketRecordPage` of `RecordPage`.
fn of(name: &str, title: &str) -> String {
    name.replace(PLACEHOLDER, &format!("{title}{PLACEHOLDER}"))
}

/// A part of the document, said of one object.
fn specialised(part: &Value, object: &ObjectDefinition, title: &str) -> Value {
    match part {
        Value::Array(items) => {
            let of_path = |item: &&Value| item["in"] != "path" || item["name"] != "object";
            let items = items.iter().filter(of_path);
            items.map(|item| specialised(item, object, title)).collect()
        }
        Value::Object(entries) => {
            let special = |(name, value): (&String, &Value)| {
                let value = match (name.as_str(), value) {
                    ("$ref", Value::String(reference)) if is_of_records(reference) => {
                        Value::String(of(reference, title))
                    }
                    ("operationId", Value::String(id)) => Value::String(of(id, title)),
                    ("tags", _) => json!([object.name]),
                    (_, value) => specialised(value, object, title),
                };
                (name.clone(), value)
            };
            entries.iter().map(special).collect()
        }
        other => other.clone(),
    }
}

/// Whether a reference is to a schema that each object has of its own.
fn is_of_records(reference: &str) -> bool {
    let name = reference.strip_prefix("#/components/schemas/");
    name.is_some_and(|name| GIVEN.contains(&name) || BUILT.contains(&name))
}

/// Says of the paths that are the same for all objects which ones there are.
fn name_objects(part: &mut Value, names: &[&str]) {
    match part {
        Value::Array(items) => items.iter_mut().for_each(|item| name_objects(item, names)),
        Value::Object(entries) => {
            let is_object = |entries: &Map<String, Value>| {
                entries.get("in").is_some_and(|place| place == "path")
                    && entries.get("name").is_some_and(|name| name == "object")
            };
            if is_object(entries) {
                entries.insert("schema".to_owned(), json!({ "type": "string", "enum": names }));
            } else {
                entries.values_mut().for_each(|entry| name_objects(entry, names));
            }
        }
        _ => {}
    }
}

/// `SegmentMember` of `segment_member`.
fn in_camel_case(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        format!("{}{rest}", first.to_ascii_uppercase())
    });
    words.collect()
}

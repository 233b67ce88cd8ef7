//! JSON Schemas as the host reads them: flat, without noise.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// A schema, and the doc comment of the type it was made from.
pub(crate) struct Described {
    pub(crate) schema: Value,
    pub(crate) summary: String,
}

/// The schema of an input: an object that takes no names but its own, so that
/// a misspelt argument is an error and not silence.
pub(crate) fn input<T: JsonSchema>() -> Described {
    let mut described = output::<T>();
    if let Value::Object(root) = &mut described.schema
        && root.contains_key("properties")
        && !root.contains_key("patternProperties")
    {
        root.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    described
}

/// The schema of an output.
pub(crate) fn output<T: JsonSchema>() -> Described {
    let generator = SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.inline_subschemas = true;
            settings.meta_schema = None;
        })
        .into_generator();
    // A unit struct or `()` is `null` in JSON; a step's output is an object.
    let mut schema = match generator.into_root_schema_for::<T>().to_value() {
        Value::Object(root) => root,
        _ => Map::new(),
    };
    schema.remove("title");
    let summary = match schema.remove("description") {
        Some(Value::String(text)) => text,
        _ => String::new(),
    };
    Described { schema: Value::Object(schema), summary }
}

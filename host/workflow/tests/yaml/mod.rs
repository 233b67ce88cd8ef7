//! A file as an editor's YAML server reads it, for the JSON Schema.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Number, Value as Json};

/// The first document of a file.
pub(crate) fn to_json(source: &str) -> Json {
    let documents = Yaml::load_from_str(source).expect("a workflow is valid YAML");
    documents.first().map_or(Json::Null, convert)
}

fn convert(node: &Yaml<'_>) -> Json {
    match node {
        Yaml::Value(Scalar::Null) => Json::Null,
        Yaml::Value(Scalar::Boolean(yes)) => Json::Bool(*yes),
        Yaml::Value(Scalar::Integer(number)) => Json::Number((*number).into()),
        Yaml::Value(Scalar::FloatingPoint(number)) => {
            Number::from_f64(number.into_inner()).map_or(Json::Null, Json::Number)
        }
        Yaml::Value(Scalar::String(text)) => Json::String(text.to_string()),
        Yaml::Sequence(items) => Json::Array(items.iter().map(convert).collect()),
        Yaml::Mapping(entries) => {
            let named = |key: &Yaml<'_>| match convert(key) {
                Json::String(text) => text,
                other => other.to_string(),
            };
            let entries = entries.iter().map(|(key, value)| (named(key), convert(value)));
            Json::Object(entries.collect::<Map<_, _>>())
        }
        other => panic!("not in a workflow: {other:?}"),
    }
}

/// What the schema says against a file; empty where it takes it.
pub(crate) fn against(schema: &jsonschema::Validator, source: &str) -> String {
    let file = to_json(source);
    let said: Vec<String> = schema
        .iter_errors(&file)
        .map(|wrong| format!("{} at {}", wrong, wrong.instance_path()))
        .collect();
    said.join("\n")
}

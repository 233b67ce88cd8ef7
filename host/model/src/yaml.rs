//! Reading small YAML files of our own form: object definitions and seeds.
//! Workflows are read in `host/workflow`, which keeps every span.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Number, Value as Json};

/// Reads the first document of a YAML text as JSON.
///
/// # Errors
///
/// A sentence with the line and column of the first fault.
pub(crate) fn to_json(source: &str) -> Result<Json, String> {
    let documents = Yaml::load_from_str(source).map_err(|fault| fault.to_string())?;
    documents.first().map_or(Ok(Json::Null), convert)
}

/// The keys of the map at the top, or of the one that stands under a key
/// there, in the order of the source, which [`to_json`] does not keep.
pub(crate) fn keys_in_order(source: &str, under: Option<&str>) -> Vec<String> {
    let Ok(documents) = Yaml::load_from_str(source) else { return Vec::new() };
    documents
        .first()
        .and_then(|document| match under {
            Some(key) => document.as_mapping_get(key),
            None => Some(document),
        })
        .and_then(Yaml::as_mapping)
        .into_iter()
        .flat_map(|map| map.keys())
        .filter_map(|key| key.as_str().map(str::to_owned))
        .collect()
}

fn convert(node: &Yaml<'_>) -> Result<Json, String> {
    Ok(match node {
        Yaml::Value(Scalar::Null) => Json::Null,
        Yaml::Value(Scalar::Boolean(yes)) => Json::Bool(*yes),
        Yaml::Value(Scalar::Integer(number)) => Json::Number((*number).into()),
        Yaml::Value(Scalar::FloatingPoint(number)) => {
            Number::from_f64(number.into_inner()).map_or(Json::Null, Json::Number)
        }
        Yaml::Value(Scalar::String(text)) => Json::String(text.to_string()),
        Yaml::Sequence(items) => Json::Array(items.iter().map(convert).collect::<Result<_, _>>()?),
        Yaml::Mapping(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                let key = match convert(key)? {
                    Json::String(text) => text,
                    other => other.to_string(),
                };
                map.insert(key, convert(value)?);
            }
            Json::Object(map)
        }
        other => return Err(format!("tags, anchors and aliases are not used here: {other:?}")),
    })
}

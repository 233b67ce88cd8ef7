//! The records that a new data directory starts with.

use serde_json::{Map, Value as Json};

use crate::yaml;

macro_rules! seeds {
    ($($name:literal),+ $(,)?) => {
        const SEEDS: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../seeds/", $name, ".yaml")))),+
        ];
    };
}

// In the order in which they may refer to one another.
seeds!("calendar", "team", "queue", "survey", "segment");

/// The records of a new data directory, an object's name and the fields of
/// one record each, as they would come over the wire.
///
/// # Panics
///
/// Never: a test reads every shipped file.
#[must_use]
pub fn records() -> Vec<(&'static str, Map<String, Json>)> {
    let mut records = Vec::new();
    for (object, source) in SEEDS {
        let Ok(Json::Array(items)) = yaml::to_json(source) else {
            panic!("the shipped seeds of {object} are a list");
        };
        for item in items {
            let Json::Object(fields) = item else {
                panic!("each shipped seed of {object} is a map");
            };
            records.push((*object, fields));
        }
    }
    records
}

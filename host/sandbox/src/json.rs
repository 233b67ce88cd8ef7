//! JSON from a guest: how much it is before it is read, and what it takes up
//! afterwards. And the text of what a guest is given.

use serde::Serialize;
use serde_json::{Map, Value};

/// The most values in one JSON text. Read, each takes 32 bytes, so that a text
/// of nothing but `0,` is sixteen times its length.
pub(crate) const VALUES: usize = 200_000;

/// What a value takes up beside its text, in bytes.
const VALUE_BYTES: usize = size_of::<Value>();

/// Reads a text. The error is a sentence without its subject.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    // Each value but the first follows one of these; those within texts only
    // make the count too high.
    let places = text.bytes().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count();
    if places >= VALUES {
        return Err(format!("has more than {VALUES} values"));
    }
    serde_json::from_str(text).map_err(|error| format!("is no JSON: {error}"))
}

/// The text of a tree. Into one buffer: `Display` goes through a formatter, a piece at a
/// time, and this is done for each call and each record that a guest asks for.
pub(crate) fn text(tree: &impl Serialize) -> String {
    serde_json::to_string(tree).expect("a tree of JSON has texts as keys")
}

/// How many values there are, where 64 bytes of text count as one more.
pub(crate) fn values(value: &Value) -> usize {
    let inner = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len() / 64,
        Value::Array(items) => items.iter().map(values).sum(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| name.len() / 64 + values(value)).sum()
        }
    };
    1 + inner
}

/// What an object takes up in memory, in bytes, roughly.
pub(crate) fn object_bytes(fields: &Map<String, Value>) -> usize {
    fields.iter().map(|(name, value)| VALUE_BYTES + name.len() + bytes(value)).sum()
}

/// What a value takes up in memory, in bytes, roughly.
pub(crate) fn bytes(value: &Value) -> usize {
    let inner = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(bytes).sum(),
        Value::Object(fields) => object_bytes(fields),
    };
    VALUE_BYTES + inner
}

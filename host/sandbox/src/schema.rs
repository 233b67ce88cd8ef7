//! The schemas of actions. They are the plugin's, and compiling them and
//! comparing values with them happens outside of its limits: so only schemas
//! are taken of which it can be said beforehand what that costs.

use std::borrow::Cow;

use jsonschema::{PatternOptions, Validator};
use percent_encoding::percent_decode_str;
use relata_package::plain_start;
use serde_json::Value;

use crate::json;
use crate::words::told;

/// The longest text of a schema, in bytes.
const SCHEMA_BYTES: usize = 256 << 10;

/// The most effort of one schema.
const EFFORT: u64 = 5_000;

/// How deep schemas may lie in each other, references followed: whoever
/// compares a value goes as deep on the stack.
const DEPTH: u32 = 64;

/// What a pattern costs beside other keywords: it looks at every character.
const PATTERN: u64 = 50;

/// What `unevaluatedProperties` costs for each keyword below it: those are
/// looked at again to find out what they looked at.
const UNEVALUATED: u64 = 4;

/// The most memory that a pattern may take up, in bytes.
const PATTERN_BYTES: usize = 256 << 10;

/// A value for which effort × values comes to more is not compared.
const COMPARED: u64 = 50_000_000;

/// A value for which effort × values comes to more is compared, but where it
/// does not fit is not told: all errors are collected before the first one is
/// seen.
const TOLD: u64 = 100_000;

/// A compiled schema.
pub(crate) struct Schema {
    validator: Validator,
    effort: u64,
}

impl Schema {
    /// Reads the text of a schema, and compiles it. The error is a sentence
    /// without its subject.
    pub(crate) fn read(text: &str) -> Result<(Value, Self), String> {
        if text.len() > SCHEMA_BYTES {
            return Err(format!(
                "has {} bytes; the limit is {} KiB",
                text.len(),
                SCHEMA_BYTES >> 10
            ));
        }
        let schema = json::parse(text)?;
        let effort = effort(&schema)?;
        // A pattern must not take more than linear time.
        let patterns =
            PatternOptions::regex().size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES);
        let validator = jsonschema::options()
            .offline()
            .with_pattern_options(patterns)
            .build(&schema)
            .map_err(|error| format!("is no JSON Schema: {}", told(&error.to_string())))?;
        Ok((schema, Self { validator, effort }))
    }

    /// How much it is: about the number of its keywords, with each `$ref` as if
    /// what it names stood there.
    pub(crate) fn effort(&self) -> u64 {
        self.effort
    }

    /// Why a value does not fit: the first three reasons, with the place but
    /// without the value, which may be a customer's.
    pub(crate) fn misfit(&self, value: &Value) -> Option<String> {
        let cost = self.effort.saturating_mul(json::values(value) as u64);
        if cost > COMPARED {
            return Some("there is too much of it to compare it with its schema".to_owned());
        }
        if self.validator.is_valid(value) {
            return None;
        }
        if cost > TOLD {
            return Some("there is too much of it to say where".to_owned());
        }
        let reasons: Vec<String> = self
            .validator
            .iter_errors(value)
            .take(3)
            .map(|error| {
                let place = error.instance_path().to_string();
                let why = error.masked_with("the value").to_string();
                if place.is_empty() { why } else { format!("{place}: {why}") }
            })
            .collect();
        Some(reasons.join("; "))
    }
}

/// The effort of a schema, if it can be said.
fn effort(schema: &Value) -> Result<u64, String> {
    let mut measure = Measure { root: schema, following: Vec::new(), depth: 0, left: EFFORT };
    measure.schema(schema, 1)?;
    Ok(EFFORT - measure.left)
}

/// A walk through a schema and what it refers to, as whoever compares a value
/// with it goes. It ends when it has spent what there is.
struct Measure<'a> {
    root: &'a Value,
    /// The references that are being followed.
    following: Vec<&'a str>,
    depth: u32,
    left: u64,
}

impl<'a> Measure<'a> {
    fn spend(&mut self, effort: u64) -> Result<(), String> {
        self.left = self.left.checked_sub(effort).ok_or_else(|| {
            format!(
                "is too large: with all that it refers to, it has more than {EFFORT} keywords (a pattern counts as {PATTERN})"
            )
        })?;
        Ok(())
    }

    /// A schema that is looked at so many times.
    fn schema(&mut self, schema: &'a Value, times: u64) -> Result<(), String> {
        self.spend(times)?;
        let Value::Object(keywords) = schema else { return Ok(()) };
        if self.depth == DEPTH {
            return Err(format!("is nested more than {DEPTH} levels deep"));
        }
        self.depth += 1;
        let unevaluated = keywords.keys().any(|name| name.starts_with("unevaluated"));
        let times = if unevaluated { times.saturating_mul(UNEVALUATED) } else { times };
        for (name, value) in keywords {
            self.keyword(name, value, times)?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn schemas(
        &mut self,
        mut schemas: impl Iterator<Item = &'a Value>,
        times: u64,
    ) -> Result<(), String> {
        schemas.try_for_each(|schema| self.schema(schema, times))
    }

    fn keyword(&mut self, name: &str, value: &'a Value, times: u64) -> Result<(), String> {
        self.spend(times)?;
        match (name, value) {
            ("$ref", Value::String(to)) => self.reference(to, times),
            ("$dynamicRef" | "$recursiveRef", Value::String(_)) => {
                Err(format!("has a `{name}`; only `$ref` is known here"))
            }
            ("$id" | "id", Value::String(_)) if self.depth > 1 => Err(format!(
                "has an `{name}` below its beginning, which would give each `$ref` another meaning"
            )),
            // These are not used by themselves, but they are compiled.
            ("$defs" | "definitions", Value::Object(named)) => self.schemas(named.values(), 1),
            ("pattern", Value::String(_)) => self.spend(times.saturating_mul(PATTERN)),
            ("patternProperties", Value::Object(named)) => {
                self.spend(times.saturating_mul(PATTERN).saturating_mul(named.len() as u64))?;
                self.schemas(named.values(), times)
            }
            ("properties" | "dependentSchemas" | "dependencies", Value::Object(named)) => {
                self.schemas(named.values(), times)
            }
            ("enum" | "const", value) => {
                self.spend(times.saturating_mul(json::values(value) as u64))
            }
            ("default" | "examples", _) => Ok(()),
            (_, Value::Array(items)) => self.schemas(items.iter(), times),
            (_, value) => self.schema(value, times),
        }
    }

    fn reference(&mut self, to: &'a str, times: u64) -> Result<(), String> {
        if self.following.contains(&to) {
            return Err(format!(
                "refers to itself through `{}`; only values of a known depth can be described",
                plain_start(to)
            ));
        }
        let target = pointer(to)
            .and_then(|pointer| self.root.pointer(&pointer))
            .ok_or_else(|| format!("refers to `{}`, which is not in it", plain_start(to)))?;
        self.following.push(to);
        self.schema(target, times)?;
        self.following.pop();
        Ok(())
    }
}

/// The JSON pointer of `#/$defs/name`; none for a reference of another kind.
fn pointer(reference: &str) -> Option<String> {
    let fragment = reference.strip_prefix('#')?;
    if !fragment.is_empty() && !fragment.starts_with('/') {
        return None;
    }
    percent_decode_str(fragment).decode_utf8().ok().map(Cow::into_owned)
}

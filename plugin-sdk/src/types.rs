//! The types of inputs and outputs that mean more than their JSON says.
//!
//! Their schemas carry a `format`, by which `relata check` knows that a text
//! is a lead and not merely a text, and the host turns what authors write
//! into what the action receives.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Error, Result};

/// Declares a text with a meaning: transparent in JSON, a `format` in the schema.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $format:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes a text as it is; the host has the last word on it.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "format": $format })
            }
        }
    };
}

text_type!(
    /// A record's name: `lead/01980c5e-…`, or `team/dach` where the record has
    /// an external id. In a workflow: `record: =lead`.
    ///
    /// To say of which object it must be, so that a workflow that passes
    /// another is refused before it goes live:
    ///
    /// ```
    /// # use relata_plugin_sdk::prelude::*;
    /// #[derive(Deserialize, JsonSchema)]
    /// struct Input {
    ///     #[schemars(extend("format" = "record/user"))]
    ///     manager: Reference,
    ///     #[schemars(extend("format" = "record/user|queue"))]
    ///     assignee: Reference,
    /// }
    /// ```
    Reference, "record"
);

text_type!(
    /// A mail template's name, such as `welcome`. That it exists is checked
    /// before a workflow goes live.
    Template, "template"
);

text_type!(
    /// A point in time. Authors write `48 hours` or `2 working days`; the
    /// action receives the resulting instant as RFC 3339 in UTC, ready to be
    /// stored in a field of type `time`.
    Due, "due"
);

impl Reference {
    /// The record `object/id`.
    pub fn of(object: &str, id: &str) -> Self {
        Self([object, "/", id].concat())
    }

    /// The object: `lead` in `lead/17`. Empty if the text is no reference.
    pub fn object(&self) -> &str {
        self.0.split_once('/').map_or("", |(object, _)| object)
    }

    /// The id: `17` in `lead/17`. The whole text if it is no reference.
    pub fn id(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(_, id)| id)
    }

    /// Itself, or an `invalid` error if it is a record of another object.
    pub fn expect(&self, object: &str) -> Result<&Self> {
        if self.object() == object {
            Ok(self)
        } else {
            Err(Error::invalid(format!("{self} is not a {object}")))
        }
    }
}

/// Fields of a record, as names and JSON values.
///
/// In an input, say whose fields they are with `x-fields-of`, so that the
/// names and values are checked before a workflow goes live: the name of the
/// input that holds the record, or `object/NAME`.
///
/// ```
/// # use relata_plugin_sdk::prelude::*;
/// #[derive(Deserialize, JsonSchema)]
/// struct Input {
///     record: Reference,
///     #[schemars(extend("x-fields-of" = "record"))]
///     set: Fields,
/// }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// No fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// One field as a type of your own. A field that is not there reads as
    /// `null`, so ask for an `Option` where that may be.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let value = self.0.get(name).unwrap_or(&Value::Null);
        T::deserialize(value).map_err(|error| {
            Error::permanent(format!("field `{name}` has an unexpected value: {error}"))
        })
    }

    /// Sets one field.
    pub fn set(&mut self, name: impl Into<String>, value: impl Serialize) -> Result<&mut Self> {
        self.0.insert(name.into(), serde_json::to_value(value)?);
        Ok(self)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// As a JSON object.
    pub fn into_map(self) -> Map<String, Value> {
        self.0
    }
}

impl From<Map<String, Value>> for Fields {
    fn from(map: Map<String, Value>) -> Self {
        Self(map)
    }
}

impl JsonSchema for Fields {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Fields".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let lead = Reference::of("lead", "17");
        assert_eq!((lead.object(), lead.id()), ("lead", "17"));
        assert_eq!(lead.expect("team").unwrap_err().message(), "lead/17 is not a team");
        assert_eq!(Reference::new("loose").object(), "");
    }

    #[test]
    fn a_missing_field_reads_as_null() {
        let mut fields = Fields::new();
        fields.set("weight", 1.5).unwrap();
        assert_eq!(fields.get::<Option<f64>>("weight").unwrap(), Some(1.5));
        assert_eq!(fields.get::<Option<f64>>("capacity").unwrap(), None);
        assert_eq!(
            fields.get::<String>("weight").unwrap_err().message(),
            "field `weight` has an unexpected value: invalid type: floating point `1.5`, expected a string"
        );
    }
}

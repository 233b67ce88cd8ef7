//! The types of formulas.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The type of a value. Whether it may be empty stands beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// Only ever empty.
    Nothing,
    /// Text.
    Text,
    /// A decimal number.
    Number,
    /// Yes or no.
    YesNo,
    /// A day.
    Date,
    /// A point in time.
    Time,
    /// A length of time.
    Duration,
    /// An amount of money.
    Money,
    /// One word of these.
    Choice(Vec<String>),
    /// A record of one of these objects; of any if empty.
    Record(Vec<String>),
    /// Several of one type.
    List(Box<Slot>),
    /// Named values.
    Map(BTreeMap<String, Slot>),
    /// Anything: what a schema leaves open.
    Any,
}

/// A type, and whether the value may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The type where there is a value.
    pub kind: Type,
    /// Whether there may be none.
    pub optional: bool,
}

impl Type {
    /// Reads a value of this type from the wire: references, times, dates and
    /// durations by their types, anything else plainly.
    #[must_use]
    pub fn read(&self, json: &serde_json::Value) -> relata_model::Value {
        relata_model::Value::from_json(json)
    }
}

//! The types of formulas.

use std::collections::{BTreeMap, BTreeSet};

use relata_model::{FieldDefinition, FieldType, Value};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

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

impl Slot {
    /// A value that is always there.
    #[must_use]
    pub const fn of(kind: Type) -> Self {
        Self { kind, optional: false }
    }

    /// A value that may be missing.
    #[must_use]
    pub const fn maybe(kind: Type) -> Self {
        Self { kind, optional: true }
    }

    /// The type of what a field holds.
    #[must_use]
    pub fn of_field(field: &FieldDefinition) -> Self {
        Self { kind: Type::of_field(&field.kind), optional: field.may_be_empty() }
    }

    /// A type that takes the values of both; none where they do not go
    /// together.
    #[must_use]
    pub fn join(&self, other: &Self) -> Option<Self> {
        let optional = self.optional
            || other.optional
            || matches!(self.kind, Type::Nothing)
            || matches!(other.kind, Type::Nothing);
        Some(Self { kind: self.kind.join(&other.kind)?, optional })
    }
}

/// The type of many values, found one by one: as [`Slot::join`] does it, but
/// many words do not take the square of their number.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    slot: Option<Slot>,
    /// The words of the slot, where it is a choice.
    words: BTreeSet<String>,
}

impl Joined {
    /// Takes one more value; where it does not go together with those before,
    /// says of what type these are, and is of anything from then on.
    pub(crate) fn add(&mut self, more: Slot) -> Result<(), Type> {
        match (&mut self.slot, more) {
            (
                Some(Slot { kind: Type::Choice(all), optional }),
                Slot { kind: Type::Choice(words), optional: is_optional },
            ) => {
                *optional |= is_optional;
                for word in words {
                    if self.words.insert(word.clone()) {
                        all.push(word);
                    }
                }
            }
            (Some(before), more) => {
                let Some(slot) = before.join(&more) else {
                    let before = std::mem::replace(before, Slot::of(Type::Any));
                    return Err(before.kind);
                };
                self.begin(slot);
            }
            (None, more) => self.begin(more),
        }
        Ok(())
    }

    fn begin(&mut self, slot: Slot) {
        self.words = match &slot.kind {
            Type::Choice(words) => words.iter().cloned().collect(),
            _ => BTreeSet::new(),
        };
        self.slot = Some(slot);
    }

    /// The type of all; none where there was no value.
    pub(crate) fn finish(self) -> Option<Slot> {
        self.slot
    }
}

impl Type {
    /// Of any object.
    #[must_use]
    pub const fn any_record() -> Self {
        Self::Record(Vec::new())
    }

    /// The type of what a field of this kind holds.
    #[must_use]
    pub fn of_field(kind: &FieldType) -> Self {
        match kind {
            FieldType::Text
            | FieldType::LongText
            | FieldType::Email
            | FieldType::Phone
            | FieldType::Country => Self::Text,
            FieldType::Number | FieldType::Integer => Self::Number,
            FieldType::Money => Self::Money,
            FieldType::YesNo => Self::YesNo,
            FieldType::Date => Self::Date,
            FieldType::Time => Self::Time,
            FieldType::Duration => Self::Duration,
            FieldType::Choice(words) => Self::Choice(words.clone()),
            FieldType::Reference(objects) => Self::Record(objects.clone()),
            FieldType::Texts => Self::List(Box::new(Slot::of(Self::Text))),
        }
    }

    /// What it is, in a sentence: `a number`, `a record of user or queue`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Nothing => "nothing".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::YesNo => "yes or no".to_owned(),
            Self::Date => "a day".to_owned(),
            Self::Time => "a point in time".to_owned(),
            Self::Duration => "a duration".to_owned(),
            Self::Money => "an amount of money".to_owned(),
            Self::Choice(words) if words.len() == 1 => format!("the text \"{}\"", words[0]),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Record(objects) if objects.is_empty() => "a record".to_owned(),
            Self::Record(objects) => format!("a record of {}", objects.join(" or ")),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a set of named values".to_owned(),
            Self::Any => "anything".to_owned(),
        }
    }

    /// A type that takes the values of both; none where they do not go
    /// together.
    #[must_use]
    pub fn join(&self, other: &Self) -> Option<Self> {
        Some(match (self, other) {
            (Self::Nothing, kind) | (kind, Self::Nothing) => kind.clone(),
            (Self::Any, _) | (_, Self::Any) => Self::Any,
            (Self::Choice(words), Self::Choice(more)) => {
                let mut all = words.clone();
                all.extend(more.iter().filter(|word| !words.contains(word)).cloned());
                Self::Choice(all)
            }
            (Self::Text | Self::Choice(_), Self::Text | Self::Choice(_)) => Self::Text,
            (Self::Record(objects), Self::Record(more)) => {
                if objects.is_empty() || more.is_empty() {
                    return Some(Self::any_record());
                }
                let mut all = objects.clone();
                all.extend(more.iter().filter(|object| !objects.contains(object)).cloned());
                Self::Record(all)
            }
            // An empty list says nothing of what a list holds.
            (Self::List(items), Self::List(more)) if more.kind == Self::Nothing => {
                Self::List(items.clone())
            }
            (Self::List(items), Self::List(more)) if items.kind == Self::Nothing => {
                Self::List(more.clone())
            }
            (Self::List(items), Self::List(more)) => Self::List(Box::new(items.join(more)?)),
            (Self::Map(parts), Self::Map(more)) => {
                let mut all = parts.clone();
                for part in all.iter_mut().filter(|(name, _)| !more.contains_key(*name)) {
                    part.1.optional = true;
                }
                for (name, slot) in more {
                    let joined = match parts.get(name) {
                        Some(there) => there.join(slot)?,
                        None => Slot::maybe(slot.kind.clone()),
                    };
                    all.insert(name.clone(), joined);
                }
                Self::Map(all)
            }
            (one, same) if one == same => one.clone(),
            _ => return None,
        })
    }

    /// Whether every value of `other` is one of this type too.
    #[must_use]
    pub fn takes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any | Self::Nothing) => true,
            (Self::Text, Self::Text | Self::Choice(_)) => true,
            (Self::Choice(words), Self::Choice(given)) => {
                given.iter().all(|word| words.contains(word))
            }
            (Self::Record(objects), Self::Record(given)) => {
                objects.is_empty()
                    || (!given.is_empty() && given.iter().all(|object| objects.contains(object)))
            }
            (Self::List(items), Self::List(given)) => items.kind.takes(&given.kind),
            (Self::Map(parts), Self::Map(given)) => parts.iter().all(|(name, slot)| {
                given.get(name).map_or(slot.optional, |given| {
                    slot.kind.takes(&given.kind) && (slot.optional || !given.optional)
                })
            }),
            (one, same) => one == same,
        }
    }

    /// Reads a value of this type from the wire: references, times, days,
    /// durations and amounts by their types, everything else plainly. What
    /// does not fit its type is read plainly too.
    #[must_use]
    pub fn read(&self, json: &Json) -> Value {
        let written = |kind: &FieldType| kind.read(json).unwrap_or_else(|_| Value::from_json(json));
        match (self, json) {
            (_, Json::Null) => Value::Nothing,
            (Self::Record(objects), Json::String(_)) => {
                written(&FieldType::Reference(objects.clone()))
            }
            (Self::Time, Json::String(_)) => written(&FieldType::Time),
            (Self::Date, Json::String(_)) => written(&FieldType::Date),
            (Self::Duration, Json::String(_)) => written(&FieldType::Duration),
            (Self::Money, Json::String(_)) => written(&FieldType::Money),
            (Self::List(items), Json::Array(values)) => {
                Value::List(values.iter().map(|value| items.kind.read(value)).collect())
            }
            (Self::Map(parts), Json::Object(values)) => Value::Map(
                values
                    .iter()
                    .map(|(name, value)| {
                        let kind = parts.get(name).map_or(&Self::Any, |slot| &slot.kind);
                        (name.clone(), kind.read(value))
                    })
                    .collect(),
            ),
            _ => Value::from_json(json),
        }
    }
}

//! One field of an object: what it holds, and which values it takes.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil, tz::TimeZone};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{Duration, Reference, Value, text, value::number_from_json};

/// One field of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldDefinition {
    /// What it holds.
    pub kind: FieldType,
    /// Must not be empty.
    pub required: bool,
    /// No two records may have the same.
    pub unique: bool,
    /// What a new record has where nothing is given.
    pub default: Value,
    /// The least number.
    pub min: Option<Decimal>,
    /// The greatest number, or the longest text in characters.
    pub max: Option<Decimal>,
    /// One sentence on what it is.
    pub summary: String,
    /// From which word of the enumeration to which others it may go; a word
    /// with no entry is an end. Empty: from any to any.
    pub transitions: BTreeMap<String, Vec<String>>,
    /// Set by the host alone.
    pub read_only: bool,
    /// What a new record has where nothing is given: this, and letters and
    /// digits of its id behind it.
    pub from_id: Option<String>,
}

impl FieldDefinition {
    /// Whether a record may have nothing here. What has a default may still
    /// be emptied, unless it is required.
    #[must_use]
    pub fn may_be_empty(&self) -> bool {
        !self.required
            && (self.default.is_nothing()
                || !matches!(self.kind, FieldType::Choice(_) | FieldType::YesNo))
    }
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldType {
    /// One line of text.
    Text,
    /// Text of many lines.
    LongText,
    /// A mail address, kept in lower case.
    Email,
    /// A telephone number, kept as written less its outer spaces.
    Phone,
    /// An ISO 3166 country in two capital letters.
    Country,
    /// A decimal number.
    Number,
    /// A whole number.
    Integer,
    /// An amount with its currency.
    Money,
    /// Yes or no.
    YesNo,
    /// A day.
    Date,
    /// A point in time.
    Time,
    /// A length of time.
    Duration,
    /// One word of an enumeration.
    Choice(Vec<String>),
    /// A record of one of these objects; of any where the list is empty.
    Reference(Vec<String>),
    /// Several short texts.
    Texts,
}

/// The form of a field in the files.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldFile {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    of: Vec<String>,
    #[serde(default)]
    to: Json,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    unique: bool,
    #[serde(default)]
    default: Json,
    min: Option<serde_json::Number>,
    max: Option<serde_json::Number>,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    transitions: BTreeMap<String, Vec<String>>,
    from_id: Option<String>,
}

impl FieldDefinition {
    pub(crate) fn from_file(file: FieldFile) -> Result<Self, String> {
        let kind = match file.kind.as_str() {
            "text" => FieldType::Text,
            "long_text" => FieldType::LongText,
            "email" => FieldType::Email,
            "phone" => FieldType::Phone,
            "country" => FieldType::Country,
            "number" => FieldType::Number,
            "integer" => FieldType::Integer,
            "money" => FieldType::Money,
            "yes_no" => FieldType::YesNo,
            "date" => FieldType::Date,
            "time" => FieldType::Time,
            "duration" => FieldType::Duration,
            "choice" if file.of.is_empty() => {
                return Err("lists no choices: `of: [a, b]`".to_owned());
            }
            "choice" => FieldType::Choice(file.of),
            "reference" => FieldType::Reference(match file.to {
                Json::String(any) if any == "any" => Vec::new(),
                Json::Array(objects) => {
                    objects.iter().filter_map(|object| object.as_str().map(str::to_owned)).collect()
                }
                _ => {
                    return Err(
                        "says not what it refers to: `to: [contact]` or `to: any`".to_owned()
                    );
                }
            }),
            "texts" => FieldType::Texts,
            other => {
                const KINDS: [&str; 15] = [
                    "text",
                    "long_text",
                    "email",
                    "phone",
                    "country",
                    "number",
                    "integer",
                    "money",
                    "yes_no",
                    "date",
                    "time",
                    "duration",
                    "choice",
                    "reference",
                    "texts",
                ];
                let hint = text::nearest(other, KINDS.into_iter()).map_or_else(
                    || format!("use one of {}", KINDS.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                return Err(format!("has the unknown type `{other}`; {hint}"));
            }
        };
        if let FieldType::Choice(words) = &kind {
            for word in file.transitions.iter().flat_map(|(from, to)| to.iter().chain([from])) {
                if !words.contains(word) {
                    return Err(format!(
                        "has a transition of `{word}`, which is none of its choices"
                    ));
                }
            }
        }
        let mut field = Self {
            kind,
            required: file.required,
            unique: file.unique,
            default: Value::Nothing,
            min: file.min.as_ref().and_then(number_from_json),
            max: file.max.as_ref().and_then(number_from_json),
            summary: file.summary,
            transitions: file.transitions,
            read_only: false,
            from_id: file.from_id,
        };
        if !file.default.is_null() {
            let default = field.kind.read(&file.default).and_then(|value| field.check(value));
            field.default = default.map_err(|why| format!("has a wrong default: {why}"))?;
        }
        Ok(field)
    }

    /// A value as the field keeps it (addresses in lower case, say).
    ///
    /// # Errors
    ///
    /// A sentence on what the field takes instead.
    pub fn check(&self, value: Value) -> Result<Value, String> {
        let value = match (&self.kind, value) {
            (_, Value::Nothing) if self.required => return Err("must not be empty".to_owned()),
            (_, Value::Nothing) => return Ok(Value::Nothing),
            (_, Value::Text(text)) if text.trim().is_empty() => return self.check(Value::Nothing),
            (_, value) => value,
        };
        let value = self.kind.normalize(value)?;
        match &value {
            Value::Number(number) => {
                if self.min.is_some_and(|min| *number < min) {
                    return Err(format!("{number} is less than {}", self.min.unwrap_or_default()));
                }
                if self.max.is_some_and(|max| *number > max) {
                    return Err(format!("{number} is more than {}", self.max.unwrap_or_default()));
                }
            }
            Value::Text(text) => {
                let longest = self.max.unwrap_or(match self.kind {
                    FieldType::LongText => Decimal::from(1_000_000),
                    _ => Decimal::from(1_000),
                });
                if Decimal::from(text.chars().count()) > longest {
                    return Err(format!("is longer than {longest} characters"));
                }
            }
            _ => {}
        }
        Ok(value)
    }

    /// The default where nothing is given: in a new record always, later only
    /// where the field may not be empty.
    pub(crate) fn or_default(&self, value: Value, is_new: bool) -> Value {
        let blank = match &value {
            Value::Nothing => true,
            Value::Text(text) => text.trim().is_empty(),
            _ => false,
        };
        if blank && !self.default.is_nothing() && (is_new || !self.may_be_empty()) {
            self.default.clone()
        } else {
            value
        }
    }

    pub(crate) fn check_transition(&self, was: Option<&Value>, is: &Value) -> Result<(), String> {
        let (Some(Value::Text(was)), Value::Text(is)) = (was, is) else {
            return Ok(());
        };
        if self.transitions.is_empty() || was == is {
            return Ok(());
        }
        let allowed = self.transitions.get(was).map_or(&[][..], Vec::as_slice);
        if allowed.contains(is) {
            Ok(())
        } else if allowed.is_empty() {
            Err(format!("cannot go from {was} to {is}: {was} is an end"))
        } else {
            Err(format!("cannot go from {was} to {is}, only to {}", allowed.join(", ")))
        }
    }
}

impl FieldType {
    /// Whether it can hold a record of this object.
    #[must_use]
    pub fn refers_to(&self, object: &str) -> bool {
        match self {
            Self::Reference(objects) => objects.is_empty() || objects.iter().any(|to| to == object),
            _ => false,
        }
    }

    /// The one object whose records it holds.
    #[must_use]
    pub fn only_target(&self) -> Option<&str> {
        match self {
            Self::Reference(objects) => match objects.as_slice() {
                [only] => Some(only),
                _ => None,
            },
            _ => None,
        }
    }

    /// What it is, in a sentence: `a number`, `one of new, open`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Text | Self::LongText => "text".to_owned(),
            Self::Email => "a mail address".to_owned(),
            Self::Phone => "a telephone number".to_owned(),
            Self::Country => "a country in two letters, such as DE".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Integer => "a whole number".to_owned(),
            Self::Money => "an amount such as 12.50 EUR".to_owned(),
            Self::YesNo => "yes or no".to_owned(),
            Self::Date => "a day such as 2026-12-24".to_owned(),
            Self::Time => "a time such as 2026-12-24 18:00".to_owned(),
            Self::Duration => "a duration such as 4 working hours".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Reference(objects) if objects.is_empty() => "a record".to_owned(),
            Self::Reference(objects) => format!("a record of {}", objects.join(" or ")),
            Self::Texts => "a list of texts".to_owned(),
        }
    }

    /// Reads a value from the wire.
    ///
    /// # Errors
    ///
    /// A sentence on what the field takes instead.
    pub fn read(&self, json: &Json) -> Result<Value, String> {
        let wrong = || format!("takes {}, not `{json}`", self.describe());
        match (self, json) {
            (_, Json::Null) => Ok(Value::Nothing),
            (Self::YesNo, Json::Bool(yes)) => Ok(Value::YesNo(*yes)),
            (Self::Number | Self::Integer, Json::Number(number)) => {
                number_from_json(number).map(Value::Number).ok_or_else(wrong)
            }
            (Self::Texts, Json::Array(items)) => items
                .iter()
                .map(|item| item.as_str().map(|text| Value::Text(text.to_owned())))
                .collect::<Option<_>>()
                .map(Value::List)
                .ok_or_else(wrong),
            (Self::Number | Self::Integer | Self::YesNo | Self::Texts, _) => Err(wrong()),
            (_, Json::String(text)) => self.normalize(Value::Text(text.clone())),
            _ => Err(wrong()),
        }
    }

    /// Reads what a person wrote in a cell or on a command line: dates and
    /// times without a zone are in `zone`, lists are separated by `;`, an
    /// empty text is an empty field.
    ///
    /// # Errors
    ///
    /// A sentence on what the field takes instead.
    pub fn parse(&self, written: &str, zone: &TimeZone) -> Result<Value, String> {
        let trimmed = written.trim();
        if trimmed.is_empty() {
            return Ok(Value::Nothing);
        }
        let wrong = || format!("takes {}, not `{trimmed}`", self.describe());
        match self {
            Self::Number | Self::Integer => {
                let number: Decimal = trimmed.parse().map_err(|_| wrong())?;
                self.normalize(Value::Number(number))
            }
            Self::YesNo => match trimmed.to_lowercase().as_str() {
                "yes" | "true" | "1" => Ok(Value::YesNo(true)),
                "no" | "false" | "0" => Ok(Value::YesNo(false)),
                _ => Err(wrong()),
            },
            Self::Time => parse_time(trimmed, zone).map(Value::Time).ok_or_else(wrong),
            Self::Texts => Ok(Value::List(
                trimmed
                    .split(';')
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .map(|item| Value::Text(item.to_owned()))
                    .collect(),
            )),
            // A bare key is enough where only one object is meant.
            Self::Reference(objects) if objects.len() == 1 && !trimmed.contains('/') => {
                Ok(Value::Reference(Reference::new(&objects[0], trimmed)))
            }
            Self::LongText => Ok(Value::Text(written.to_owned())),
            _ => self.normalize(Value::Text(trimmed.to_owned())),
        }
    }

    /// A value of the right kind, in the form in which it is kept.
    fn normalize(&self, value: Value) -> Result<Value, String> {
        let wrong = |value: &Value| format!("takes {}, not `{value}`", self.describe());
        match (self, value) {
            (Self::Text | Self::Phone, Value::Text(text)) => {
                let text = text.trim();
                if text.contains(['\n', '\r']) {
                    return Err("takes one line of text".to_owned());
                }
                Ok(Value::Text(text.to_owned()))
            }
            (Self::LongText, value @ Value::Text(_)) => Ok(value),
            (Self::Email, Value::Text(text)) => {
                text::mail_address(&text).map(Value::Text).ok_or_else(|| {
                    format!("`{}` is not a mail address such as anna@example.com", text.trim())
                })
            }
            (Self::Country, Value::Text(text)) => {
                let country = text.trim().to_ascii_uppercase();
                if country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase()) {
                    Ok(Value::Text(country))
                } else {
                    Err(wrong(&Value::Text(text)))
                }
            }
            (Self::Number, value @ Value::Number(_)) => Ok(value),
            (Self::Integer, Value::Number(number)) if number.fract().is_zero() => {
                Ok(Value::Number(number.trunc()))
            }
            (Self::Money, value @ Value::Money(_)) => Ok(value),
            (Self::Money, Value::Text(text)) => text.parse().map(Value::Money),
            (Self::YesNo, value @ Value::YesNo(_)) => Ok(value),
            (Self::Date, value @ Value::Date(_)) => Ok(value),
            (Self::Date, Value::Text(text)) => match text.trim().parse::<civil::Date>() {
                Ok(date) => Ok(Value::Date(date)),
                Err(_) => Err(wrong(&Value::Text(text))),
            },
            (Self::Time, value @ Value::Time(_)) => Ok(value),
            (Self::Time, Value::Text(text)) => match text.trim().parse::<Timestamp>() {
                Ok(time) => Ok(Value::Time(time)),
                Err(_) => Err(wrong(&Value::Text(text))),
            },
            (Self::Duration, value @ Value::Duration(_)) => Ok(value),
            (Self::Duration, Value::Text(text)) => {
                text.parse::<Duration>().map(Value::Duration).map_err(|why| why.to_string())
            }
            (Self::Choice(words), Value::Text(text)) => {
                let word = text.trim();
                if words.iter().any(|known| known == word) {
                    Ok(Value::Text(word.to_owned()))
                } else {
                    let hint = text::nearest(word, words.iter().map(String::as_str))
                        .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                    Err(format!("takes {}, not `{word}`{hint}", self.describe()))
                }
            }
            (Self::Reference(objects), Value::Text(text)) => {
                let reference = text.trim().parse::<Reference>().map_err(|why| why.to_string())?;
                Self::Reference(objects.clone()).normalize(Value::Reference(reference))
            }
            (Self::Reference(objects), Value::Reference(reference)) => {
                if objects.is_empty() || objects.contains(&reference.object) {
                    Ok(Value::Reference(reference))
                } else {
                    Err(wrong(&Value::Reference(reference)))
                }
            }
            (Self::Texts, Value::List(items)) => {
                if items.iter().all(|item| matches!(item, Value::Text(_))) {
                    Ok(Value::List(items))
                } else {
                    Err(wrong(&Value::List(items)))
                }
            }
            (_, value) => Err(wrong(&value)),
        }
    }
}

/// `2026-12-14 10:00`, `2026-12-14T10:00:30` in `zone`, or RFC 3339.
#[must_use]
pub fn parse_time(written: &str, zone: &TimeZone) -> Option<Timestamp> {
    if let Ok(time) = written.parse::<Timestamp>() {
        return Some(time);
    }
    let local = written
        .parse::<civil::DateTime>()
        .or_else(|_| civil::DateTime::strptime("%Y-%m-%d %H:%M", written))
        .ok()?;
    zone.to_ambiguous_timestamp(local).compatible().ok()
}

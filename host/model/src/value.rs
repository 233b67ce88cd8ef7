//! Values: what a field holds and what a formula yields.

use std::{collections::BTreeMap, fmt, str::FromStr};

use jiff::{Timestamp, civil::Date};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{Duration, Reference};

/// One value. Two values compare only within a variant: nothing is turned
/// into something else in silence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// An empty field.
    Nothing,
    /// Yes or no.
    YesNo(bool),
    /// A decimal number.
    Number(Decimal),
    /// Text; also one word of an enumeration.
    Text(String),
    /// A day.
    Date(Date),
    /// A point in time, to the millisecond.
    Time(Timestamp),
    /// A length of time, such as `4 working hours`.
    Duration(Duration),
    /// An amount of money.
    Money(Money),
    /// A record.
    Reference(Reference),
    /// Several values.
    List(Vec<Value>),
    /// Named values: an action's result, one row's `use`.
    Map(BTreeMap<String, Value>),
}

impl Value {
    /// Whether this is [`Value::Nothing`].
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    /// The text, if this is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The texts of a list; none where this is none.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let items = match self {
            Self::List(items) => items.as_slice(),
            _ => &[],
        };
        items.iter().filter_map(Self::as_text)
    }

    /// The reference, if this is one.
    #[must_use]
    pub const fn as_reference(&self) -> Option<&Reference> {
        match self {
            Self::Reference(reference) => Some(reference),
            _ => None,
        }
    }

    /// The number, if this is one.
    #[must_use]
    pub const fn as_number(&self) -> Option<Decimal> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The point in time, if this is one.
    #[must_use]
    pub const fn as_time(&self) -> Option<Timestamp> {
        match self {
            Self::Time(time) => Some(*time),
            _ => None,
        }
    }

    /// The value on the wire: references as `object/id`, times as RFC 3339 in
    /// UTC, dates as `2026-12-24`, durations as `4 working hours`, money as
    /// `12.50 EUR`, decimals as JSON numbers.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Nothing => Json::Null,
            Self::YesNo(yes) => Json::Bool(*yes),
            Self::Number(number) => number_to_json(*number),
            Self::Text(text) => Json::String(text.clone()),
            Self::Date(date) => Json::String(date.to_string()),
            Self::Time(time) => Json::String(time.to_string()),
            Self::Duration(duration) => Json::String(duration.to_string()),
            Self::Money(money) => Json::String(money.to_string()),
            Self::Reference(reference) => Json::String(reference.to_string()),
            Self::List(values) => Json::Array(values.iter().map(Self::to_json).collect()),
            Self::Map(values) => Json::Object(
                values.iter().map(|(name, value)| (name.clone(), value.to_json())).collect(),
            ),
        }
    }

    /// The plain reading of a JSON value, where no type is known: texts stay
    /// texts.
    #[must_use]
    pub fn from_json(json: &Json) -> Self {
        match json {
            Json::Null => Self::Nothing,
            Json::Bool(yes) => Self::YesNo(*yes),
            Json::Number(number) => number_from_json(number).map_or(Self::Nothing, Self::Number),
            Json::String(text) => Self::Text(text.clone()),
            Json::Array(values) => Self::List(values.iter().map(Self::from_json).collect()),
            Json::Object(values) => Self::Map(
                values.iter().map(|(name, value)| (name.clone(), Self::from_json(value))).collect(),
            ),
        }
    }
}

/// A decimal as a JSON number, as exact as JSON's readers allow.
fn number_to_json(number: Decimal) -> Json {
    let number = number.normalize();
    let text = number.to_string();
    text.parse::<i64>()
        .map(Json::from)
        .or_else(|_| text.parse::<f64>().map(Json::from))
        .unwrap_or(Json::Null)
}

/// The decimal that a JSON number was written as; none for numbers past the
/// range of a decimal (28 digits).
#[must_use]
pub fn number_from_json(number: &serde_json::Number) -> Option<Decimal> {
    let text = number.to_string();
    text.parse().or_else(|_| Decimal::from_scientific(&text)).ok()
}

/// As a person reads it in a trace or a table.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("(empty)"),
            Self::YesNo(true) => f.write_str("yes"),
            Self::YesNo(false) => f.write_str("no"),
            Self::Number(number) => write!(f, "{}", number.normalize()),
            Self::Text(text) => f.write_str(text),
            Self::Date(date) => write!(f, "{date}"),
            Self::Time(time) => write!(f, "{time}"),
            Self::Duration(duration) => write!(f, "{duration}"),
            Self::Money(money) => write!(f, "{money}"),
            Self::Reference(reference) => write!(f, "{reference}"),
            Self::List(values) => {
                for (place, value) in values.iter().enumerate() {
                    if place > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{value}")?;
                }
                Ok(())
            }
            Self::Map(values) => {
                for (place, (name, value)) in values.iter().enumerate() {
                    if place > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{name}: {value}")?;
                }
                Ok(())
            }
        }
    }
}

/// An amount of money: whole minor units (cents) of a currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// Minor units: 1250 is 12.50 EUR, and 1250 JPY.
    pub minor: i64,
    /// ISO 4217: `EUR`.
    pub currency: String,
}

impl Money {
    /// Digits after the point of a currency (ISO 4217): 2 for all but a few.
    fn digits(currency: &str) -> u32 {
        match currency {
            "JPY" | "KRW" | "VND" | "CLP" | "ISK" | "XAF" | "XOF" | "PYG" | "UGX" | "RWF" => 0,
            "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
            _ => 2,
        }
    }

    /// The amount in whole units: 12.5 for 12.50 EUR.
    #[must_use]
    pub fn amount(&self) -> Decimal {
        Decimal::new(self.minor, Self::digits(&self.currency))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount(), self.currency)
    }
}

impl FromStr for Money {
    type Err = String;

    /// Reads `12.50 EUR`; the message says what is wrong with it.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not an amount such as `12.50 EUR`");
        let (amount, currency) = text.trim().split_once(' ').ok_or_else(wrong)?;
        let currency = currency.trim().to_ascii_uppercase();
        if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(wrong());
        }
        let amount: Decimal = amount.parse().map_err(|_| wrong())?;
        let digits = Self::digits(&currency);
        let mut minor = amount;
        minor.rescale(digits);
        if minor != amount {
            return Err(format!("`{text}` has more digits than {currency} has ({digits})"));
        }
        let minor = i64::try_from(minor.mantissa()).map_err(|_| wrong())?;
        Ok(Self { minor, currency })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_keeps_its_minor_units() {
        for (text, minor, again) in [
            ("12.50 EUR", 1250, "12.50 EUR"),
            ("12 eur", 1200, "12.00 EUR"),
            ("1250 JPY", 1250, "1250 JPY"),
            ("-0.05 USD", -5, "-0.05 USD"),
        ] {
            let money: Money = text.parse().unwrap();
            assert_eq!((money.minor, money.to_string().as_str()), (minor, again));
        }
        for text in ["12.505 EUR", "EUR 12", "12", "12 EURO", "99999999999999999999 EUR"] {
            assert!(text.parse::<Money>().is_err(), "{text}");
        }
    }
}

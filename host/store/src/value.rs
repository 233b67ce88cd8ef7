//! Values on their way into columns and out of them.

use relata_model::{
    Date, Decimal, Duration, FieldDefinition, FieldError, FieldType, Fields, Money,
    ObjectDefinition, Reference, Timestamp, Value,
};
use rust_decimal::prelude::ToPrimitive as _;

use crate::{
    StoreError,
    connection::{Argument, Row},
};

/// Decimals are kept to so many digits: what both databases' arithmetic
/// brings back unchanged.
const DIGITS: u32 = 15;

/// Brings values into the form in which their columns keep them, so that a
/// record reads back as it was written: times to the millisecond, decimals to
/// 15 digits, empty lists and texts as nothing.
pub(crate) fn tidy(object: &ObjectDefinition, fields: &mut Fields) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (name, value) in fields.iter_mut() {
        let Some(field) = object.field(name) else { continue };
        match value {
            Value::Time(time) => {
                let millis = time.as_millisecond();
                // Milliseconds of a time that exists name a time that exists.
                *time = Timestamp::from_millisecond(millis).unwrap_or(*time);
            }
            Value::Number(number) if field.kind == FieldType::Integer => {
                let wide = number.to_i64().is_none();
                errors.extend(
                    wide.then(|| FieldError::new(name, format!("{number} is out of range"))),
                );
            }
            Value::Number(number) => {
                *number = number.round_sf(DIGITS).unwrap_or(*number).normalize();
            }
            Value::Text(text) if text.contains('\0') => {
                errors.push(FieldError::new(name, "holds a character that is not text (NUL)"));
            }
            Value::Text(text) if text.is_empty() => *value = Value::Nothing,
            Value::List(items) if items.is_empty() => *value = Value::Nothing,
            Value::List(items)
                if items
                    .iter()
                    .any(|item| item.as_text().is_some_and(|text| text.contains('\0'))) =>
            {
                errors.push(FieldError::new(name, "holds a character that is not text (NUL)"));
            }
            _ => {}
        }
        if field.required && value.is_nothing() {
            errors.push(FieldError::new(name, "must not be empty"));
        }
    }
    fields.retain(|_, value| !value.is_nothing());
    errors
}

/// A field's value as the arguments for its columns.
pub(crate) fn write(field: &FieldDefinition, value: &Value, arguments: &mut Vec<Argument>) {
    match (&field.kind, value) {
        (FieldType::Money, Value::Money(money)) => {
            arguments.push(Argument::from(money.minor));
            arguments.push(Argument::from(money.currency.as_str()));
        }
        (FieldType::Money, _) => {
            arguments.push(Argument::Whole(None));
            arguments.push(Argument::Text(None));
        }
        (kind, value) => arguments.push(single(kind, value)),
    }
}

/// A value as the argument for the one column of a field that is not money.
pub(crate) fn single(kind: &FieldType, value: &Value) -> Argument {
    match (kind, value) {
        (FieldType::Integer, Value::Number(number)) => Argument::Whole(number.to_i64()),
        (FieldType::YesNo, Value::YesNo(yes)) => Argument::from(*yes),
        (FieldType::Time, Value::Time(time)) => Argument::from(*time),
        (FieldType::Integer | FieldType::YesNo | FieldType::Time, _) => Argument::Whole(None),
        (FieldType::Texts, Value::List(items)) => {
            let items = items.iter().filter_map(Value::as_text).collect::<Vec<_>>();
            Argument::Text(Some(serde_json::json!(items).to_string()))
        }
        (FieldType::Duration, Value::Duration(duration)) => {
            Argument::Text(Some(duration_text(*duration)))
        }
        (_, Value::Nothing) => Argument::Text(None),
        (_, value) => Argument::Text(Some(value.to_string())),
    }
}

/// A duration as people write it; as JSON where that would lose something.
fn duration_text(duration: Duration) -> String {
    let text = duration.to_string();
    if text.parse() == Ok(duration) {
        text
    } else {
        serde_json::to_string(&duration).unwrap_or(text)
    }
}

/// A field's value out of a row.
pub(crate) fn read(name: &str, field: &FieldDefinition, row: &Row) -> Result<Value, StoreError> {
    let wrong = |why: String| StoreError::unreadable(format!("the field `{name}`"), why);
    Ok(match &field.kind {
        FieldType::Money => {
            match (row.whole_or_none(name)?, row.text_or_none(&format!("{name}_currency"))?) {
                (Some(minor), Some(currency)) => Value::Money(Money { minor, currency }),
                _ => Value::Nothing,
            }
        }
        FieldType::Integer => {
            row.whole_or_none(name)?.map_or(Value::Nothing, |number| Value::Number(number.into()))
        }
        FieldType::YesNo => {
            row.whole_or_none(name)?.map_or(Value::Nothing, |yes| Value::YesNo(yes != 0))
        }
        FieldType::Time => row.time_or_none(name)?.map_or(Value::Nothing, Value::Time),
        kind => {
            let Some(text) = row.text_or_none(name)? else {
                return Ok(Value::Nothing);
            };
            match kind {
                FieldType::Number => Value::Number(
                    decimal(&text).ok_or_else(|| wrong(format!("`{text}` is not a number")))?,
                ),
                FieldType::Date => {
                    Value::Date(text.parse::<Date>().map_err(|why| wrong(why.to_string()))?)
                }
                FieldType::Duration => Value::Duration(
                    text.parse()
                        .or_else(|_| serde_json::from_str(&text))
                        .map_err(|why| wrong(why.to_string()))?,
                ),
                FieldType::Reference(_) => Value::Reference(
                    text.parse::<Reference>().map_err(|why| wrong(why.to_string()))?,
                ),
                FieldType::Texts => {
                    let items: Vec<String> =
                        serde_json::from_str(&text).map_err(|why| wrong(why.to_string()))?;
                    Value::List(items.into_iter().map(Value::Text).collect())
                }
                _ => Value::Text(text),
            }
        }
    })
}

fn decimal(text: &str) -> Option<Decimal> {
    let number: Decimal = text.parse().or_else(|_| Decimal::from_scientific(text)).ok()?;
    Some(number.round_sf(DIGITS)?.normalize())
}

//! Values, texts with formulas in them, lists and sets of these.

use relata_model::Value;

use super::{EvaluationError, Scope, functions::named, time};
use crate::definition::{Expression, Piece};

/// What may stand behind a `|` in a text: the name, and what it does.
pub(crate) const FILTERS: &[(&str, &str)] = &[
    ("short", "the local date and time: 2026-12-14 10:00"),
    ("date", "the local date: 2026-12-14"),
    ("time", "the local time: 10:00"),
    ("upper", "in capital letters"),
    ("lower", "in small letters"),
];

impl Expression {
    /// Its value.
    ///
    /// # Errors
    ///
    /// Those of [`Formula::evaluate`](crate::Formula::evaluate) for the
    /// formulas in it.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, EvaluationError> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Formula(formula) => formula.evaluate(scope),
            Self::Text(pieces) => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Literal(literal) => text.push_str(literal),
                        Piece::Value { formula, filter } => {
                            text.push_str(&written(
                                &formula.evaluate(scope)?,
                                filter.as_deref(),
                                scope,
                            )?);
                        }
                    }
                }
                Ok(Value::Text(text))
            }
            Self::List(items) => {
                let items: Result<Vec<Value>, _> =
                    items.iter().map(|item| item.evaluate(scope)).collect();
                items.map(Value::List)
            }
            Self::Map(parts) => parts
                .iter()
                .map(|(name, part)| Ok((name.clone(), part.evaluate(scope)?)))
                .collect::<Result<_, _>>()
                .map(Value::Map),
        }
    }
}

/// A value within a text. An empty one is written as nothing, a point in time
/// in the scope's zone.
fn written(
    value: &Value,
    filter: Option<&str>,
    scope: &Scope<'_>,
) -> Result<String, EvaluationError> {
    let wrong = |filter: &str| {
        EvaluationError::fault(format!("`{filter}` does not work with {}", named(value)))
    };
    Ok(match (filter, value) {
        (_, Value::Nothing) => String::new(),
        (None | Some("short"), Value::Time(at)) => time::short(*at, scope),
        (Some("date"), Value::Time(_) | Value::Date(_)) => time::day(value, scope)?.to_string(),
        (Some("time"), Value::Time(at)) => time::clock(*at, scope),
        (Some("upper"), value) => plain(value, scope).to_uppercase(),
        (Some("lower"), value) => plain(value, scope).to_lowercase(),
        (None, value) => plain(value, scope),
        (Some(filter), _) => return Err(wrong(filter)),
    })
}

pub(super) fn plain(value: &Value, scope: &Scope<'_>) -> String {
    match value {
        Value::Nothing => String::new(),
        Value::Time(at) => time::short(*at, scope),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| plain(item, scope)).collect();
            items.join(", ")
        }
        other => other.to_string(),
    }
}

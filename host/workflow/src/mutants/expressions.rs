//! Faulty values.

use relata_model::{Decimal, Duration, Value};

use super::formulas;
use crate::definition::{Expression, Piece};

/// A value with one fault.
pub(super) fn of(expression: &Expression) -> Vec<(String, Expression)> {
    match expression {
        Expression::Literal(value) => of_literal(value)
            .into_iter()
            .map(|(what, value)| (what, Expression::Literal(value)))
            .collect(),
        Expression::Formula(formula) => formulas::of_value(formula)
            .into_iter()
            .map(|(what, formula)| (what, Expression::Formula(formula)))
            .collect(),
        Expression::Text(pieces) => of_text(pieces),
        Expression::List(items) => {
            let mut all = Vec::new();
            for (place, item) in items.iter().enumerate() {
                if items.len() > 1 {
                    let mut fewer = items.clone();
                    fewer.remove(place);
                    all.push((format!("without item {}", place + 1), Expression::List(fewer)));
                }
                for (what, item) in of(item) {
                    let mut items = items.clone();
                    items[place] = item;
                    all.push((what, Expression::List(items)));
                }
            }
            all
        }
        Expression::Map(parts) => {
            let mut all = Vec::new();
            for (place, (name, part)) in parts.iter().enumerate() {
                for (what, part) in of(part) {
                    let mut parts = parts.clone();
                    parts[place].1 = part;
                    all.push((format!("{name}: {what}"), Expression::Map(parts)));
                }
            }
            all
        }
    }
}

/// A block without one of its parts.
pub(super) fn without_a_part(expression: &Expression) -> Vec<(String, Expression)> {
    match expression {
        Expression::Map(parts) if parts.len() > 1 => (0..parts.len())
            .map(|place| {
                let mut fewer = parts.clone();
                let (name, _) = fewer.remove(place);
                (format!("without `{name}`"), Expression::Map(fewer))
            })
            .collect(),
        Expression::Literal(Value::Map(parts)) if parts.len() > 1 => parts
            .keys()
            .map(|name| {
                let mut fewer = parts.clone();
                fewer.remove(name);
                (format!("without `{name}`"), Expression::Literal(Value::Map(fewer)))
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn of_literal(value: &Value) -> Vec<(String, Value)> {
    match value {
        Value::Duration(duration) => longer_or_shorter(*duration)
            .into_iter()
            .map(|other| (format!("`{duration}` becomes `{other}`"), Value::Duration(other)))
            .collect(),
        Value::List(items) => {
            let mut all = Vec::new();
            for (place, item) in items.iter().enumerate() {
                if items.len() > 1 {
                    let mut fewer = items.clone();
                    fewer.remove(place);
                    all.push((format!("without `{item}`"), Value::List(fewer)));
                }
                for (what, item) in of_literal(item) {
                    let mut items = items.clone();
                    items[place] = item;
                    all.push((what, Value::List(items)));
                }
            }
            all
        }
        Value::Map(parts) => {
            let mut all = Vec::new();
            for (name, part) in parts {
                for (what, part) in of_literal(part) {
                    let mut parts = parts.clone();
                    parts.insert(name.clone(), part);
                    all.push((format!("{name}: {what}"), Value::Map(parts)));
                }
            }
            all
        }
        _ => Vec::new(),
    }
}

fn of_text(pieces: &[Piece]) -> Vec<(String, Expression)> {
    let mut all = Vec::new();
    for (place, piece) in pieces.iter().enumerate() {
        let Piece::Value { formula, filter } = piece else { continue };
        for (what, formula) in formulas::of_value(formula) {
            let mut pieces = pieces.to_vec();
            pieces[place] = Piece::Value { formula, filter: filter.clone() };
            all.push((what, Expression::Text(pieces)));
        }
    }
    all
}

/// Twice as long, and half as long.
pub(super) fn longer_or_shorter(duration: Duration) -> Vec<Duration> {
    let doubled = duration.share(Decimal::TWO);
    doubled.into_iter().chain(halved(duration)).filter(|other| *other != duration).collect()
}

/// Half of it, less what has no half; none where nothing is left.
pub(super) fn halved(duration: Duration) -> Option<Duration> {
    let half = Duration {
        months: duration.months / 2,
        days: duration.days / 2,
        millis: duration.millis / 2,
        working_days: duration.working_days / 2,
        working_millis: duration.working_millis / 2,
    };
    (half != Duration::default()).then_some(half)
}

//! What the functions of lists do.

use std::collections::BTreeSet;

use relata_model::{Decimal, Value};

use super::{EvaluationError, Scope, faults, functions::number, time};

pub(super) fn sum(items: &[Value]) -> Result<Decimal, EvaluationError> {
    items.iter().try_fold(Decimal::ZERO, |total, item| {
        total.checked_add(number(item)?).ok_or_else(faults::overflow)
    })
}

pub(super) fn average(items: &[Value]) -> Result<Value, EvaluationError> {
    match sum(items)?.checked_div(Decimal::from(items.len())) {
        Some(average) => Ok(Value::Number(average)),
        None => Ok(Value::Nothing),
    }
}

/// Whether a list has one value of another, or all of them.
pub(super) fn contains(items: &[Value], wanted: &[Value], all: bool, scope: &Scope<'_>) -> Value {
    let there: BTreeSet<String> = items.iter().map(|item| key(item, scope)).collect();
    let mut wanted = wanted.iter().map(|item| there.contains(&key(item, scope)));
    Value::YesNo(if all { wanted.all(|found| found) } else { wanted.any(|found| found) })
}

pub(super) fn unique(items: &[Value], scope: &Scope<'_>) -> Value {
    let mut seen = BTreeSet::new();
    Value::List(items.iter().filter(|item| seen.insert(key(item, scope))).cloned().collect())
}

/// A text that two values have in common if they are equal.
fn key(value: &Value, scope: &Scope<'_>) -> String {
    match value {
        Value::Nothing => "-".to_owned(),
        Value::YesNo(yes) => format!("y{yes}"),
        Value::Number(number) => format!("n{}", number.normalize()),
        Value::Text(text) => format!("t{text}"),
        Value::Date(date) => format!("d{date}"),
        Value::Time(time) => format!("p{}", time.as_nanosecond()),
        Value::Duration(duration) => format!("l{:?}", time::kinds(*duration)),
        Value::Money(money) => format!("m{}{}", money.currency, money.minor),
        Value::Reference(reference) => format!("r{}", scope.resolved(reference)),
        Value::List(items) => {
            let keys: Vec<String> = items.iter().map(|item| key(item, scope)).collect();
            format!("[{keys:?}]")
        }
        Value::Map(parts) => {
            let keys: Vec<(&String, String)> =
                parts.iter().map(|(name, part)| (name, key(part, scope))).collect();
            format!("{{{keys:?}}}")
        }
    }
}

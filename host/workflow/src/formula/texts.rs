//! What the functions of texts do.

use relata_model::{Decimal, Value};
use rust_decimal::prelude::ToPrimitive;

use super::{EvaluationError, Scope, expression::plain, faults};

/// The longest text, in bytes: more than any mail or field can hold, and
/// little enough that nested formulas cannot fill the memory.
const LONGEST: usize = 1_000_000;

/// Refuses a text that would be too long, before it is made.
pub(super) fn check_length(bytes: Option<usize>) -> Result<(), EvaluationError> {
    match bytes {
        Some(bytes) if bytes <= LONGEST => Ok(()),
        _ => Err(faults::text_too_long()),
    }
}

pub(super) fn replace(text: &str, part: &str, by: &str) -> Result<Value, EvaluationError> {
    if part.is_empty() {
        return Ok(Value::Text(text.to_owned()));
    }
    let found = text.matches(part).count();
    check_length(found.checked_mul(by.len()).and_then(|more| more.checked_add(text.len())))?;
    Ok(Value::Text(text.replace(part, by)))
}

pub(super) fn join(
    items: &[Value],
    between: &str,
    scope: &Scope<'_>,
) -> Result<Value, EvaluationError> {
    let items: Vec<String> = items.iter().map(|item| plain(item, scope)).collect();
    let own = items.iter().map(String::len).try_fold(0_usize, usize::checked_add);
    let others = items.len().checked_mul(between.len());
    check_length(own.zip(others).and_then(|(own, others)| own.checked_add(others)))?;
    Ok(Value::Text(items.join(between)))
}

pub(super) fn split(text: &str, at: &str) -> Value {
    let part = |part: &str| Value::Text(part.trim().to_owned());
    Value::List(if at.is_empty() { vec![part(text)] } else { text.split(at).map(part).collect() })
}

/// A number of letters: none for a negative one, all for a very large one.
fn count(number: Decimal) -> usize {
    if number.is_sign_negative() { 0 } else { number.floor().to_usize().unwrap_or(usize::MAX) }
}

pub(super) fn left(text: &str, letters: Decimal) -> String {
    text.chars().take(count(letters)).collect()
}

pub(super) fn right(text: &str, letters: Decimal) -> String {
    let all = text.chars().count();
    text.chars().skip(all.saturating_sub(count(letters))).collect()
}

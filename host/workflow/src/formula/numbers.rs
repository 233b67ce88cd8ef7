//! What the functions of numbers and amounts do.

use relata_model::{Decimal, Money, Value};
use rust_decimal::{RoundingStrategy, prelude::ToPrimitive};

use super::{EvaluationError, faults};

pub(super) fn round(number: Decimal, digits: Option<Decimal>) -> Result<Value, EvaluationError> {
    let digits = digits.unwrap_or_default();
    let whole = digits.to_u32().filter(|whole| *whole <= 28 && Decimal::from(*whole) == digits);
    let whole = whole.ok_or_else(faults::digits_out_of_range)?;
    let away = RoundingStrategy::MidpointAwayFromZero;
    Ok(Value::Number(number.round_dp_with_strategy(whole, away)))
}

/// The number that a text says.
pub(super) fn of_text(text: &str) -> Option<Decimal> {
    Decimal::from_str_exact(text.trim()).ok()
}

pub(super) fn money(amount: Decimal, currency: &str) -> Result<Value, EvaluationError> {
    let currency = currency.trim().to_ascii_uppercase();
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(faults::no_currency());
    }
    let written = format!("{} {currency}", amount.normalize());
    match written.parse::<Money>() {
        Ok(money) => Ok(Value::Money(money)),
        // Large amounts fail, too, and those without a fraction only so.
        Err(_) if amount.fract().is_zero() => Err(faults::overflow()),
        Err(_) => Err(faults::too_many_digits()),
    }
}

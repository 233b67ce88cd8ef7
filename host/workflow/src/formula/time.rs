//! Calculating with days, points in time and durations.

use std::cmp::Ordering;

use jiff::{Span, civil::Weekday};
use relata_model::{Calendar, Date, Decimal, Duration, Timestamp, Value};

use super::{EvaluationError, Scope, functions};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

pub(crate) fn point(value: &Value) -> Result<Timestamp, EvaluationError> {
    functions::time_of(value)
}

/// A point in time in the scope's zone.
pub(crate) fn local(value: &Value, scope: &Scope<'_>) -> Result<jiff::Zoned, EvaluationError> {
    Ok(point(value)?.to_zoned(scope.zone.clone()))
}

/// A day, or the local day of a point in time.
pub(crate) fn day(value: &Value, scope: &Scope<'_>) -> Result<Date, EvaluationError> {
    match value {
        Value::Date(date) => Ok(*date),
        other => Ok(local(other, scope)?.date()),
    }
}

pub(crate) fn weekday(date: Date) -> &'static str {
    match date.weekday() {
        Weekday::Monday => "monday",
        Weekday::Tuesday => "tuesday",
        Weekday::Wednesday => "wednesday",
        Weekday::Thursday => "thursday",
        Weekday::Friday => "friday",
        Weekday::Saturday => "saturday",
        Weekday::Sunday => "sunday",
    }
}

fn whole_days(from: Date, to: Date) -> i64 {
    i64::from((to - from).get_days())
}

pub(crate) fn days_between(
    from: &Value,
    to: &Value,
    scope: &Scope<'_>,
) -> Result<Value, EvaluationError> {
    Ok(Value::Number(whole_days(day(from, scope)?, day(to, scope)?).into()))
}

pub(crate) fn millis_between(from: &Value, to: &Value) -> Result<i64, EvaluationError> {
    Ok(point(to)?.as_millisecond() - point(from)?.as_millisecond())
}

pub(crate) fn hours(millis: i64) -> Result<Value, EvaluationError> {
    Decimal::from(millis)
        .checked_div(Decimal::from(HOUR))
        .map(|hours| Value::Number(hours.round_dp(6).normalize()))
        .ok_or_else(EvaluationError::overflow)
}

/// Which of two durations is the longer: a day counts 24 hours. Months and
/// working time compare only with themselves.
pub(crate) fn order(left: Duration, right: Duration) -> Result<Ordering, EvaluationError> {
    let elapsed = |duration: Duration| {
        i128::from(duration.days) * i128::from(DAY) + i128::from(duration.millis)
    };
    let differences = [
        elapsed(left).cmp(&elapsed(right)),
        left.months.cmp(&right.months),
        left.working_days.cmp(&right.working_days),
        left.working_millis.cmp(&right.working_millis),
    ];
    let mut different = differences.into_iter().filter(|order| *order != Ordering::Equal);
    match (different.next(), different.next()) {
        (None, _) => Ok(Ordering::Equal),
        (Some(only), None) => Ok(only),
        _ => Err(EvaluationError::fault(format!(
            "`{left}` and `{right}` cannot be compared: months and working time are not a fixed number of hours"
        ))),
    }
}

/// A point in time a duration later, or earlier where the duration is
/// negative.
pub(crate) fn later(
    from: Timestamp,
    by: Duration,
    scope: &Scope<'_>,
) -> Result<Timestamp, EvaluationError> {
    let out_of_range = || EvaluationError::fault(format!("`{by}` leads past the range of times"));
    if by.is_working() {
        let backwards = [by.months, by.days, by.millis, by.working_days, by.working_millis]
            .iter()
            .any(|part| *part < 0);
        if backwards {
            return Err(EvaluationError::fault("working time can only be added, not taken away"));
        }
        let calendar = scope.calendar.ok_or_else(EvaluationError::no_calendar)?;
        return calendar.after(from, by).ok_or_else(out_of_range);
    }
    if by.months >= 0 && by.days >= 0 && by.millis >= 0 {
        return Calendar::always_open(scope.zone.clone()).after(from, by).ok_or_else(out_of_range);
    }
    let span = Span::new()
        .try_months(by.months)
        .and_then(|span| span.try_days(by.days))
        .map_err(|_| out_of_range())?;
    from.to_zoned(scope.zone.clone())
        .checked_add(span)
        .ok()
        .and_then(|moved| {
            let millis = moved.timestamp().as_millisecond().checked_add(by.millis)?;
            Timestamp::from_millisecond(millis).ok()
        })
        .ok_or_else(out_of_range)
}

/// A day so many days and months later.
pub(crate) fn day_later(from: Date, by: Duration) -> Result<Date, EvaluationError> {
    if by.millis != 0 || by.is_working() {
        return Err(EvaluationError::fault(format!(
            "`{by}` cannot be added to a day; add days, weeks or months"
        )));
    }
    let span = Span::new().try_months(by.months).and_then(|span| span.try_days(by.days));
    span.and_then(|span| from.checked_add(span))
        .map_err(|_| EvaluationError::fault(format!("`{by}` leads past the range of days")))
}

/// The duration between two days.
pub(crate) fn between_days(from: Date, to: Date) -> Duration {
    Duration { days: whole_days(from, to), ..Duration::default() }
}

/// `2026-12-14 10:00` in the scope's zone.
pub(crate) fn short(at: Timestamp, scope: &Scope<'_>) -> String {
    at.to_zoned(scope.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// `10:00` in the scope's zone.
pub(crate) fn clock(at: Timestamp, scope: &Scope<'_>) -> String {
    at.to_zoned(scope.zone.clone()).strftime("%H:%M").to_string()
}

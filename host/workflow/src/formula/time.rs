//! Calculating with days, points in time and durations.

use std::cmp::Ordering;

use jiff::{
    Span,
    civil::{DateTime, Weekday},
};
use relata_model::{Calendar, Date, Decimal, Duration, Timestamp, Value};
use rust_decimal::prelude::ToPrimitive;

use super::{EvaluationError, Scope, faults, functions};

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
        .ok_or_else(faults::overflow)
}

/// A duration's parts that do not turn into each other: a day counts 24 hours.
pub(crate) fn kinds(duration: Duration) -> [i128; 4] {
    let elapsed = i128::from(duration.days) * i128::from(DAY) + i128::from(duration.millis);
    [elapsed, duration.months.into(), duration.working_days.into(), duration.working_millis.into()]
}

/// Which of two durations is the longer: a day counts 24 hours. Months and
/// working time compare only with themselves.
pub(crate) fn order(left: Duration, right: Duration) -> Result<Ordering, EvaluationError> {
    let differences =
        kinds(left).into_iter().zip(kinds(right)).map(|(left, right)| left.cmp(&right));
    let mut different = differences.filter(|order| *order != Ordering::Equal);
    match (different.next(), different.next()) {
        (None, _) => Ok(Ordering::Equal),
        (Some(only), None) => Ok(only),
        _ => Err(faults::not_comparable(left, right)),
    }
}

/// A point in time a duration later, or earlier where the duration is
/// negative.
pub(crate) fn later(
    from: Timestamp,
    by: Duration,
    scope: &Scope<'_>,
) -> Result<Timestamp, EvaluationError> {
    let moved = if by.is_working() {
        scope.calendar.ok_or_else(faults::no_calendar)?.after(from, by)
    } else {
        Calendar::always_open(scope.zone.clone()).after(from, by)
    };
    moved.ok_or_else(|| faults::past_all_times(by))
}

/// A day so many days and months later.
pub(crate) fn day_later(from: Date, by: Duration) -> Result<Date, EvaluationError> {
    if by.millis != 0 || by.is_working() {
        return Err(faults::not_for_a_day(by));
    }
    let span = Span::new().try_months(by.months).and_then(|span| span.try_days(by.days));
    span.and_then(|span| from.checked_add(span)).map_err(|_| faults::past_all_days(by))
}

/// The calendar, for functions that count by it.
pub(crate) fn calendar<'a>(scope: &Scope<'a>) -> Result<&'a Calendar, EvaluationError> {
    scope.calendar.ok_or_else(faults::no_calendar)
}

/// A local time of a day: the day, the hour, and the minute if it is given.
pub(crate) fn at(given: &[Value], scope: &Scope<'_>) -> Result<Value, EvaluationError> {
    let part = |place: usize, most: i8| {
        let number = given.get(place).map_or(Ok(Decimal::ZERO), functions::number)?;
        let whole = number.to_i8().filter(|whole| Decimal::from(*whole) == number);
        whole.filter(|whole| (0..=most).contains(whole)).ok_or_else(faults::no_such_time)
    };
    let local = day(&given[0], scope)?.at(part(1, 23)?, part(2, 59)?, 0, 0);
    on_the_line(local, scope)
}

/// The first moment of a local day.
pub(crate) fn start_of_day(day: Date, scope: &Scope<'_>) -> Result<Value, EvaluationError> {
    on_the_line(day.at(0, 0, 0, 0), scope)
}

/// The point in time at which the clock shows a local time for the first time,
/// or the first moment after the gap in which it would lie.
fn on_the_line(local: DateTime, scope: &Scope<'_>) -> Result<Value, EvaluationError> {
    let at = crate::schedule::instant(local, scope.zone);
    at.map(Value::Time).ok_or_else(|| faults::past_all_times(Duration::default()))
}

/// The Monday of a day's week.
pub(crate) fn start_of_week(day: Date) -> Result<Value, EvaluationError> {
    let by =
        Duration { days: -i64::from(day.weekday().to_monday_zero_offset()), ..Duration::default() };
    day_later(day, by).map(Value::Date)
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

//! The functions of formulas, in one table: what a formula may call, what the
//! reference page says of it, and how it is computed.

use relata_model::{Decimal, Money, Timestamp, Value};
use rust_decimal::prelude::ToPrimitive;

use super::{EvaluationError, Scope, time};
use crate::types::Type;

/// A function.
#[derive(Debug)]
pub struct Function {
    /// `days_between`.
    pub name: &'static str,
    /// What it is given; the last may repeat if [`Function::repeats`].
    pub parameters: &'static [Parameter],
    /// How many of the parameters may be left out, from the end.
    pub may_leave_out: usize,
    /// Whether the last parameter may come any number of times.
    pub repeats: bool,
    /// What it yields.
    pub result: Yield,
    /// One line.
    pub doc: &'static str,
    /// A formula, and what it yields.
    pub example: (&'static str, &'static str),
    pub(crate) run: fn(&[Value], &Scope<'_>) -> Result<Value, EvaluationError>,
}

/// One parameter of a function.
#[derive(Debug)]
pub struct Parameter {
    /// What the reference page calls it.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
}

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Anything, even nothing.
    Anything,
    /// Text.
    Text,
    /// A number.
    Number,
    /// A day or a point in time.
    DayOrTime,
    /// A point in time.
    Time,
    /// A list.
    List,
    /// A list of numbers.
    Numbers,
    /// Text or a list.
    TextOrList,
    /// What has an order: numbers, days, times, durations, amounts; all
    /// arguments of one kind.
    Ordered,
}

impl Takes {
    /// In a sentence.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Anything => "anything",
            Self::Text => "text",
            Self::Number => "a number",
            Self::DayOrTime => "a day or a point in time",
            Self::Time => "a point in time",
            Self::List => "a list",
            Self::Numbers => "a list of numbers",
            Self::TextOrList => "text or a list",
            Self::Ordered => "a number, a day, a time, a duration or an amount",
        }
    }

    /// Whether a type is one of these.
    #[must_use]
    pub fn accepts(self, kind: &Type) -> bool {
        let text = matches!(kind, Type::Text | Type::Choice(_));
        let list = matches!(kind, Type::List(_));
        matches!(kind, Type::Any)
            || match self {
                Self::Anything => true,
                Self::Text => text,
                Self::Number => *kind == Type::Number,
                Self::DayOrTime => matches!(kind, Type::Date | Type::Time),
                Self::Time => *kind == Type::Time,
                Self::List => list,
                Self::Numbers => {
                    matches!(kind, Type::List(items) if !items.optional && matches!(items.kind, Type::Number | Type::Nothing | Type::Any))
                }
                Self::TextOrList => text || list,
                Self::Ordered => {
                    matches!(
                        kind,
                        Type::Number | Type::Date | Type::Time | Type::Duration | Type::Money
                    )
                }
            }
    }
}

/// What a function yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Yield {
    /// Text.
    Text,
    /// A number.
    Number,
    /// Yes or no.
    YesNo,
    /// A day.
    Date,
    /// A point in time.
    Time,
    /// What its arguments are; empty only where the last may be.
    FirstThatIs,
    /// What its first argument is.
    First,
}

const fn takes(name: &'static str, takes: Takes) -> Parameter {
    Parameter { name, takes }
}

const TEXT: &[Parameter] = &[takes("text", Takes::Text)];
const TWO_TEXTS: &[Parameter] = &[takes("text", Takes::Text), takes("part", Takes::Text)];
const NUMBER: &[Parameter] = &[takes("number", Takes::Number)];
const DAY: &[Parameter] = &[takes("day", Takes::DayOrTime)];
const FROM_TO: &[Parameter] = &[takes("from", Takes::DayOrTime), takes("to", Takes::DayOrTime)];
const TIMES: &[Parameter] = &[takes("from", Takes::Time), takes("to", Takes::Time)];
const ORDERED: &[Parameter] = &[takes("value", Takes::Ordered), takes("other", Takes::Ordered)];

/// One line of the table.
macro_rules! function {
    ($name:literal, $parameters:expr, $result:ident, $doc:literal, $example:literal => $yields:literal, $run:expr) => {
        Function {
            name: $name,
            parameters: $parameters,
            may_leave_out: 0,
            repeats: false,
            result: Yield::$result,
            doc: $doc,
            example: ($example, $yields),
            run: $run,
        }
    };
}

/// All functions, by name.
pub const FUNCTIONS: &[Function] = &[
    function!("abs", NUMBER, Number, "A number without its sign.", "abs(-3)" => "3",
        |given, _| Ok(Value::Number(number(&given[0])?.abs()))),
    function!("count", &[takes("list", Takes::List)], Number, "How many a list has.", "count([\"a\", \"b\"])" => "2",
        |given, _| Ok(Value::Number(list(&given[0])?.len().into()))),
    function!("date", DAY, Date, "The local day of a point in time.", "date(now())" => "2026-12-14",
        |given, scope| Ok(Value::Date(time::day(&given[0], scope)?))),
    function!("days_between", FROM_TO, Number, "How many days lie between two days; negative if the second is earlier.", "days_between(2026-12-24, 2026-12-31)" => "7",
        |given, scope| time::days_between(&given[0], &given[1], scope)),
    Function {
        name: "default",
        parameters: &[takes("value", Takes::Anything), takes("otherwise", Takes::Anything)],
        may_leave_out: 0,
        repeats: true,
        result: Yield::FirstThatIs,
        doc: "The first value that is not empty.",
        example: ("default(lead.company_size, 0)", "0"),
        run: |given, _| {
            Ok(given.iter().find(|value| !value.is_nothing()).cloned().unwrap_or(Value::Nothing))
        },
    },
    function!("ends_with", TWO_TEXTS, YesNo, "Whether a text ends with another.", "ends_with(\"a.example\", \".example\")" => "yes",
        |given, _| Ok(Value::YesNo(text(&given[0])?.ends_with(text(&given[1])?)))),
    function!("hour", &[takes("time", Takes::Time)], Number, "The local hour of a point in time, 0 to 23.", "hour(now())" => "10",
        |given, scope| Ok(Value::Number(time::local(&given[0], scope)?.hour().into()))),
    function!("hours_between", TIMES, Number, "How many hours lie between two points in time, with their fraction.", "hours_between(now(), now() + 90 minutes)" => "1.5",
        |given, _| time::hours(time::millis_between(&given[0], &given[1])?)),
    function!("length", &[takes("value", Takes::TextOrList)], Number, "How many characters a text has, or how many values a list.", "length(\"Anna\")" => "4",
    |given, _| match &given[0] {
        Value::Text(text) => Ok(Value::Number(text.chars().count().into())),
        other => Ok(Value::Number(list(other)?.len().into())),
    }),
    function!("lower", TEXT, Text, "A text in small letters.", "lower(\"ABC\")" => "abc",
        |given, _| Ok(Value::Text(text(&given[0])?.to_lowercase()))),
    Function {
        name: "max",
        parameters: ORDERED,
        may_leave_out: 0,
        repeats: true,
        result: Yield::First,
        doc: "The greatest of its values.",
        example: ("max(3, 5)", "5"),
        run: |given, _| extreme(given, std::cmp::Ordering::Greater),
    },
    Function {
        name: "min",
        parameters: ORDERED,
        may_leave_out: 0,
        repeats: true,
        result: Yield::First,
        doc: "The least of its values.",
        example: ("min(3, 5)", "3"),
        run: |given, _| extreme(given, std::cmp::Ordering::Less),
    },
    function!("month", DAY, Number, "The local month of a day, 1 to 12.", "month(2026-12-24)" => "12",
        |given, scope| Ok(Value::Number(time::day(&given[0], scope)?.month().into()))),
    function!("now", &[], Time, "This moment.", "now()" => "2026-12-14T09:00:00Z",
        |_, scope| Ok(Value::Time(scope.now))),
    Function {
        name: "round",
        parameters: &[takes("number", Takes::Number), takes("digits", Takes::Number)],
        may_leave_out: 1,
        repeats: false,
        result: Yield::Number,
        doc: "A number rounded to so many digits after the point (none if not said); a half goes away from zero.",
        example: ("round(2.345, 2)", "2.35"),
        run: |given, _| {
            let digits = given.get(1).map_or(Ok(Decimal::ZERO), number)?;
            let digits = digits.to_u32().filter(|digits| {
                *digits <= 28
                    && Decimal::from(*digits)
                        == given
                            .get(1)
                            .map_or(Decimal::ZERO, |value| value.as_number().unwrap_or_default())
            });
            let digits =
                digits.ok_or_else(|| EvaluationError::fault("round takes 0 to 28 digits"))?;
            let away = rust_decimal::RoundingStrategy::MidpointAwayFromZero;
            Ok(Value::Number(number(&given[0])?.round_dp_with_strategy(digits, away)))
        },
    },
    function!("starts_with", TWO_TEXTS, YesNo, "Whether a text begins with another.", "starts_with(\"+49 30\", \"+49\")" => "yes",
        |given, _| Ok(Value::YesNo(text(&given[0])?.starts_with(text(&given[1])?)))),
    function!("sum", &[takes("list", Takes::Numbers)], Number, "The numbers of a list added up.", "sum([1, 2, 3.5])" => "6.5",
    |given, _| {
        let mut total = Decimal::ZERO;
        for item in list(&given[0])? {
            total = total.checked_add(number(item)?).ok_or_else(EvaluationError::overflow)?;
        }
        Ok(Value::Number(total))
    }),
    function!("today", &[], Date, "The local day.", "today()" => "2026-12-14",
        |_, scope| Ok(Value::Date(scope.now.to_zoned(scope.zone.clone()).date()))),
    function!("trim", TEXT, Text, "A text without the spaces around it.", "trim(\"  a \")" => "a",
        |given, _| Ok(Value::Text(text(&given[0])?.trim().to_owned()))),
    function!("upper", TEXT, Text, "A text in capital letters.", "upper(\"abc\")" => "ABC",
        |given, _| Ok(Value::Text(text(&given[0])?.to_uppercase()))),
    function!("weekday", DAY, Text, "The local weekday: monday to sunday.", "weekday(2026-12-24)" => "thursday",
        |given, scope| Ok(Value::Text(time::weekday(time::day(&given[0], scope)?).to_owned()))),
    function!("working_hours_between", TIMES, Number, "How many working hours of the calendar lie between two points in time.", "working_hours_between(now(), now() + 90 minutes)" => "1.5",
    |given, scope| {
        let calendar = scope.calendar.ok_or_else(EvaluationError::no_calendar)?;
        time::hours(calendar.open_millis(time::point(&given[0])?, time::point(&given[1])?))
    }),
    function!("year", DAY, Number, "The local year of a day.", "year(2026-12-24)" => "2026",
        |given, scope| Ok(Value::Number(time::day(&given[0], scope)?.year().into()))),
];

/// A function by its name.
#[must_use]
pub fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

pub(crate) fn text(value: &Value) -> Result<&str, EvaluationError> {
    value.as_text().ok_or_else(|| EvaluationError::expected("text", value))
}

pub(crate) fn number(value: &Value) -> Result<Decimal, EvaluationError> {
    value.as_number().ok_or_else(|| EvaluationError::expected("a number", value))
}

pub(crate) fn list(value: &Value) -> Result<&[Value], EvaluationError> {
    match value {
        Value::List(items) => Ok(items),
        other => Err(EvaluationError::expected("a list", other)),
    }
}

fn extreme(given: &[Value], wanted: std::cmp::Ordering) -> Result<Value, EvaluationError> {
    let mut best = &given[0];
    for value in &given[1..] {
        if order(value, best)? == wanted {
            best = value;
        }
    }
    Ok(best.clone())
}

/// Which of two values is the greater; both have to be of one kind.
pub(crate) fn order(left: &Value, right: &Value) -> Result<std::cmp::Ordering, EvaluationError> {
    Ok(match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.cmp(right),
        (Value::Date(left), Value::Date(right)) => left.cmp(right),
        (Value::Time(left), Value::Time(right)) => left.cmp(right),
        (Value::Duration(left), Value::Duration(right)) => time::order(*left, *right)?,
        (Value::Money(left), Value::Money(right)) => {
            same_currency(left, right)?;
            left.minor.cmp(&right.minor)
        }
        _ => {
            return Err(EvaluationError::fault(format!(
                "{} and {} cannot be compared by size",
                named(left),
                named(right)
            )));
        }
    })
}

pub(crate) fn same_currency(left: &Money, right: &Money) -> Result<(), EvaluationError> {
    if left.currency == right.currency {
        Ok(())
    } else {
        Err(EvaluationError::fault(format!(
            "{} and {} are amounts of two currencies",
            left.currency, right.currency
        )))
    }
}

/// The kind of a value in a sentence; never the value, which may be a
/// customer's.
pub(crate) fn named(value: &Value) -> &'static str {
    match value {
        Value::Nothing => "an empty value",
        Value::YesNo(_) => "yes or no",
        Value::Number(_) => "a number",
        Value::Text(_) => "a text",
        Value::Date(_) => "a day",
        Value::Time(_) => "a point in time",
        Value::Duration(_) => "a duration",
        Value::Money(_) => "an amount",
        Value::Reference(_) => "a record",
        Value::List(_) => "a list",
        Value::Map(_) => "a set of named values",
    }
}

pub(crate) fn time_of(value: &Value) -> Result<Timestamp, EvaluationError> {
    value.as_time().ok_or_else(|| EvaluationError::expected("a point in time", value))
}

//! The functions of formulas, in one table: what a formula may call, what the
//! reference page says of it, and how it is computed.

use relata_model::{Decimal, Money, Timestamp, Value};

use super::{EvaluationError, Scope, faults, lists, numbers, texts, time};
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
    /// Where the reference page puts it.
    pub group: Group,
    /// Whether it counts by the workflow's calendar.
    pub needs_calendar: bool,
    /// Formulas, and what each yields.
    pub examples: &'static [(&'static str, &'static str)],
    pub(crate) run: fn(&[Value], &Scope<'_>) -> Result<Value, EvaluationError>,
}

/// What a function is for: a part of the reference page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Whatever there is.
    Values,
    /// Texts.
    Texts,
    /// Numbers and amounts.
    Numbers,
    /// Days and points in time.
    Times,
    /// Lists.
    Lists,
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
    /// What is written out plainly: no record, no list, no named values.
    Plain,
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
    /// A list of what is written out plainly.
    Plains,
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
            Self::Plain => "a text, a number, yes or no, a day, a time, a duration or an amount",
            Self::Text => "text",
            Self::Number => "a number",
            Self::DayOrTime => "a day or a point in time",
            Self::Time => "a point in time",
            Self::List => "a list",
            Self::Numbers => "a list of numbers",
            Self::Plains => "a list of texts or numbers",
            Self::TextOrList => "text or a list",
            Self::Ordered => "a number, a day, a time, a duration or an amount",
        }
    }

    /// How to make what it takes of something else.
    pub(crate) fn help(self, kind: &Type) -> Option<String> {
        let help = match (self, kind) {
            (Self::Text, Type::Number) => "`text(…)` makes text of a number",
            (Self::Number, Type::Text | Type::Choice(_)) => "`number(…)` reads a number in a text",
            (Self::Number | Self::Numbers, Type::Money) => "`.amount` of an amount is a number",
            (Self::Time, Type::Date) => "`start_of_day(…)` makes a point in time of a day",
            (Self::Text, Type::List(_)) => "`join(…, \", \")` makes a text of a list",
            _ => return None,
        };
        Some(help.to_owned())
    }

    /// Whether a type is one of these; a list may be empty.
    #[must_use]
    pub fn accepts(self, kind: &Type) -> bool {
        let text = matches!(kind, Type::Text | Type::Choice(_));
        let list = matches!(kind, Type::List(_));
        matches!(kind, Type::Any)
            || match self {
                Self::Anything => true,
                Self::Plain => is_plain(kind),
                Self::Text => text,
                Self::Number => *kind == Type::Number,
                Self::DayOrTime => matches!(kind, Type::Date | Type::Time),
                Self::Time => *kind == Type::Time,
                Self::List => list,
                Self::Numbers => {
                    matches!(kind, Type::List(items) if !items.optional && matches!(items.kind, Type::Number | Type::Nothing | Type::Any))
                }
                Self::Plains => {
                    matches!(kind, Type::List(items) if is_plain(&items.kind) || matches!(items.kind, Type::Nothing))
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
    /// An amount of money.
    Money,
    /// A number, or nothing.
    MaybeNumber,
    /// A point in time, or nothing.
    MaybeTime,
    /// Texts.
    Texts,
    /// What its arguments are; empty only where all of them may be.
    FirstThatIs,
    /// What its first argument is.
    First,
    /// What its first argument is a list of, or nothing.
    Item,
}

impl Group {
    /// All, in the order of the reference page.
    pub(crate) const ALL: [Self; 5] =
        [Self::Values, Self::Texts, Self::Numbers, Self::Times, Self::Lists];

    /// What stands above its functions.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Values => "Any values",
            Self::Texts => "Texts",
            Self::Numbers => "Numbers and amounts",
            Self::Times => "Days and times",
            Self::Lists => "Lists",
        }
    }
}

impl Yield {
    /// In a sentence.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "a number",
            Self::YesNo => "yes or no",
            Self::Date => "a day",
            Self::Time => "a point in time",
            Self::Money => "an amount of money",
            Self::MaybeNumber => "a number, or nothing",
            Self::MaybeTime => "a point in time, or nothing",
            Self::Texts => "a list of texts",
            Self::FirstThatIs => "what it is given",
            Self::First => "what it is given",
            Self::Item => "what the list holds, or nothing",
        }
    }
}

const fn is_plain(kind: &Type) -> bool {
    matches!(
        kind,
        Type::Text
            | Type::Choice(_)
            | Type::Number
            | Type::YesNo
            | Type::Date
            | Type::Time
            | Type::Duration
            | Type::Money
            | Type::Any
    )
}

const fn takes(name: &'static str, takes: Takes) -> Parameter {
    Parameter { name, takes }
}

const TEXT: &[Parameter] = &[takes("text", Takes::Text)];
const TWO_TEXTS: &[Parameter] = &[takes("text", Takes::Text), takes("part", Takes::Text)];
const LETTERS: &[Parameter] = &[takes("text", Takes::Text), takes("count", Takes::Number)];
const NUMBER: &[Parameter] = &[takes("number", Takes::Number)];
const DAY: &[Parameter] = &[takes("day", Takes::DayOrTime)];
const TIME: &[Parameter] = &[takes("time", Takes::Time)];
const FROM_TO: &[Parameter] = &[takes("from", Takes::DayOrTime), takes("to", Takes::DayOrTime)];
const TIMES: &[Parameter] = &[takes("from", Takes::Time), takes("to", Takes::Time)];
const ORDERED: &[Parameter] = &[takes("value", Takes::Ordered), takes("other", Takes::Ordered)];
const LIST: &[Parameter] = &[takes("list", Takes::List)];
const NUMBERS: &[Parameter] = &[takes("list", Takes::Numbers)];
const TWO_LISTS: &[Parameter] = &[takes("list", Takes::List), takes("other", Takes::List)];

/// One line of the table: `name(parameters) -> what it yields, of a group`.
/// Behind the parameters stands how many may be left out, and whether the last
/// may be repeated.
macro_rules! functions {
    ($($name:ident($parameters:expr $(, ? $out:literal)? $(, $repeats:ident)?)
        -> $result:ident, $group:ident $(, $calendar:ident)?;
        $doc:literal
        [$($example:literal => $yields:literal),+]
        $run:expr;)+) => {
        /// All functions, by name.
        pub const FUNCTIONS: &[Function] = &[$(Function {
            name: stringify!($name),
            parameters: $parameters,
            may_leave_out: functions!(@number $($out)?),
            repeats: functions!(@flag $($repeats)?),
            result: Yield::$result,
            doc: $doc,
            group: Group::$group,
            needs_calendar: functions!(@flag $($calendar)?),
            examples: &[$(($example, $yields)),+],
            run: $run,
        }),+];
    };
    (@number) => { 0 };
    (@number $number:literal) => { $number };
    (@flag) => { false };
    (@flag repeats) => { true };
    (@flag by_calendar) => { true };
}

functions! {
    abs(NUMBER) -> Number, Numbers;
    "A number without its sign."
    ["abs(-3)" => "3"]
    |given, _| Ok(Value::Number(number(&given[0])?.abs()));

    at(&[takes("day", Takes::DayOrTime), takes("hour", Takes::Number), takes("minute", Takes::Number)], ? 1) -> Time, Times;
    "A local time of a day, such as 9 o'clock. Where the clock leaves that time out, it is the first moment after it."
    ["at(2026-12-24, 9)" => "2026-12-24T08:00:00Z", "at(today() + 1 day, 9, 30)" => "2026-12-15T08:30:00Z"]
    |given, scope| time::at(given, scope);

    average(NUMBERS) -> MaybeNumber, Lists;
    "The numbers of a list added up, and divided by how many they are; nothing for an empty list."
    ["average([1, 2, 6])" => "3", "default(average([]), 0)" => "0"]
    |given, _| lists::average(list(&given[0])?);

    ceil(NUMBER) -> Number, Numbers;
    "The whole number that is not less."
    ["ceil(2.1)" => "3", "ceil(-2.1)" => "-2"]
    |given, _| Ok(Value::Number(number(&given[0])?.ceil()));

    contains_all(TWO_LISTS) -> YesNo, Lists;
    "Whether a list has all values of another."
    ["contains_all([\"fair\", \"vip\"], [\"vip\"])" => "yes", "contains_all(lead.tags, [\"fair\", \"web\"])" => "no"]
    |given, scope| Ok(lists::contains(list(&given[0])?, list(&given[1])?, true, scope));

    contains_any(TWO_LISTS) -> YesNo, Lists;
    "Whether a list has one value of another at least."
    ["contains_any(lead.tags, [\"fair\", \"web\"])" => "yes"]
    |given, scope| Ok(lists::contains(list(&given[0])?, list(&given[1])?, false, scope));

    count(LIST) -> Number, Lists;
    "How many values a list has."
    ["count([\"a\", \"b\"])" => "2"]
    |given, _| Ok(Value::Number(list(&given[0])?.len().into()));

    date(DAY) -> Date, Times;
    "The local day of a point in time."
    ["date(now())" => "2026-12-14"]
    |given, scope| Ok(Value::Date(time::day(&given[0], scope)?));

    day(DAY) -> Number, Times;
    "The local day of the month, 1 to 31."
    ["day(2026-12-24)" => "24"]
    |given, scope| Ok(Value::Number(time::day(&given[0], scope)?.day().into()));

    days_between(FROM_TO) -> Number, Times;
    "How many days lie between two days; negative if the second is earlier."
    ["days_between(2026-12-24, 2026-12-31)" => "7", "days_between(lead.created_at, today())" => "1"]
    |given, scope| time::days_between(&given[0], &given[1], scope);

    default(&[takes("value", Takes::Anything), takes("otherwise", Takes::Anything)], repeats) -> FirstThatIs, Values;
    "The first value that is not empty."
    ["default(lead.company_size, 0)" => "0", "default(lead.company, lead.name, \"somebody\")" => "Ana Müller"]
    |given, _| Ok(given.iter().find(|value| !value.is_nothing()).cloned().unwrap_or(Value::Nothing));

    ends_with(TWO_TEXTS) -> YesNo, Texts;
    "Whether a text ends with another."
    ["ends_with(\"a.example\", \".example\")" => "yes"]
    |given, _| Ok(Value::YesNo(text(&given[0])?.ends_with(text(&given[1])?)));

    first(LIST) -> Item, Lists;
    "The first value of a list; nothing for an empty list."
    ["first([\"a\", \"b\"])" => "a", "first(lead.tags) is empty" => "no"]
    |given, _| Ok(list(&given[0])?.first().cloned().unwrap_or(Value::Nothing));

    floor(NUMBER) -> Number, Numbers;
    "The whole number that is not greater."
    ["floor(2.9)" => "2", "floor(-2.1)" => "-3"]
    |given, _| Ok(Value::Number(number(&given[0])?.floor()));

    hour(TIME) -> Number, Times;
    "The local hour of a point in time, 0 to 23."
    ["hour(now())" => "10"]
    |given, scope| Ok(Value::Number(time::local(&given[0], scope)?.hour().into()));

    hours_between(TIMES) -> Number, Times;
    "How many hours lie between two points in time, with their fraction."
    ["hours_between(now(), now() + 90 minutes)" => "1.5"]
    |given, _| time::hours(time::millis_between(&given[0], &given[1])?);

    is_open(TIME) -> YesNo, Times, by_calendar;
    "Whether the calendar is open at a point in time."
    ["is_open(now())" => "yes"]
    |given, scope| Ok(Value::YesNo(time::calendar(scope)?.is_open(time::point(&given[0])?)));

    join(&[takes("list", Takes::Plains), takes("between", Takes::Text)]) -> Text, Lists;
    "The values of a list as one text, with a text between every two."
    ["join(lead.tags, \", \")" => "fair, vip"]
    |given, scope| texts::join(list(&given[0])?, text(&given[1])?, scope);

    last(LIST) -> Item, Lists;
    "The last value of a list; nothing for an empty list."
    ["last([\"a\", \"b\"])" => "b"]
    |given, _| Ok(list(&given[0])?.last().cloned().unwrap_or(Value::Nothing));

    left(LETTERS) -> Text, Texts;
    "The first so many letters of a text."
    ["left(\"DE-10115\", 2)" => "DE"]
    |given, _| Ok(Value::Text(texts::left(text(&given[0])?, number(&given[1])?)));

    length(&[takes("value", Takes::TextOrList)]) -> Number, Texts;
    "How many letters a text has, or how many values a list."
    ["length(\"Anna\")" => "4", "length(lead.tags)" => "2"]
    |given, _| match &given[0] {
        Value::Text(text) => Ok(Value::Number(text.chars().count().into())),
        other => Ok(Value::Number(list(other)?.len().into())),
    };

    lower(TEXT) -> Text, Texts;
    "A text in small letters."
    ["lower(\"ABC\")" => "abc"]
    |given, _| Ok(Value::Text(text(&given[0])?.to_lowercase()));

    max(ORDERED, repeats) -> First, Numbers;
    "The greatest of its values; all of one kind."
    ["max(3, 5)" => "5", "max(2026-12-24, today())" => "2026-12-24"]
    |given, _| extreme(given, std::cmp::Ordering::Greater);

    min(ORDERED, repeats) -> First, Numbers;
    "The least of its values; all of one kind."
    ["min(3, 5, 4)" => "3", "min(2 hours, 90 minutes)" => "1 hour 30 minutes"]
    |given, _| extreme(given, std::cmp::Ordering::Less);

    minute(TIME) -> Number, Times;
    "The minute of a point in time, 0 to 59."
    ["minute(now())" => "0"]
    |given, scope| Ok(Value::Number(time::local(&given[0], scope)?.minute().into()));

    money(&[takes("amount", Takes::Number), takes("currency", Takes::Text)]) -> Money, Numbers;
    "An amount of money. Of an amount, `.amount` is the number and `.currency` the currency."
    ["money(12.5, \"EUR\")" => "12.50 EUR", "money(99, \"EUR\").amount + 1" => "100"]
    |given, _| numbers::money(number(&given[0])?, text(&given[1])?);

    month(DAY) -> Number, Times;
    "The local month of a day, 1 to 12."
    ["month(2026-12-24)" => "12"]
    |given, scope| Ok(Value::Number(time::day(&given[0], scope)?.month().into()));

    next_opening(TIME) -> MaybeTime, Times, by_calendar;
    "The point in time itself where the calendar is open then, else the next opening; nothing if there is none within ten years."
    ["next_opening(now())" => "2026-12-14T09:00:00Z"]
    |given, scope| {
        let opening = time::calendar(scope)?.next_opening(time::point(&given[0])?);
        Ok(opening.map_or(Value::Nothing, Value::Time))
    };

    now(&[]) -> Time, Times;
    "This moment."
    ["now()" => "2026-12-14T09:00:00Z"]
    |_, scope| Ok(Value::Time(scope.now));

    number(TEXT) -> MaybeNumber, Numbers;
    "The number that a text says, with a point before its fraction; nothing if it says none."
    ["number(\"12.50\")" => "12.5", "default(number(\"a dozen\"), 0)" => "0"]
    |given, _| Ok(numbers::of_text(text(&given[0])?).map_or(Value::Nothing, Value::Number));

    replace(&[takes("text", Takes::Text), takes("part", Takes::Text), takes("by", Takes::Text)]) -> Text, Texts;
    "A text in which each part that is found is replaced by another text."
    ["replace(\"+49 30 123\", \" \", \"\")" => "+4930123"]
    |given, _| texts::replace(text(&given[0])?, text(&given[1])?, text(&given[2])?);

    right(LETTERS) -> Text, Texts;
    "The last so many letters of a text."
    ["right(\"DE-10115\", 5)" => "10115"]
    |given, _| Ok(Value::Text(texts::right(text(&given[0])?, number(&given[1])?)));

    round(&[takes("number", Takes::Number), takes("digits", Takes::Number)], ? 1) -> Number, Numbers;
    "A number rounded to so many digits after the point (none if not said); a half goes away from zero."
    ["round(2.5)" => "3", "round(2.345, 2)" => "2.35"]
    |given, _| numbers::round(number(&given[0])?, given.get(1).map(number).transpose()?);

    split(&[takes("text", Takes::Text), takes("at", Takes::Text)]) -> Texts, Texts;
    "The parts of a text between each two places where another text stands, without the spaces around them."
    ["split(\"fair, vip\", \",\")" => "fair, vip", "count(split(\"a;b;c\", \";\"))" => "3"]
    |given, _| Ok(texts::split(text(&given[0])?, text(&given[1])?));

    start_of_day(DAY) -> Time, Times;
    "The first moment of a local day."
    ["start_of_day(now())" => "2026-12-13T23:00:00Z"]
    |given, scope| time::start_of_day(time::day(&given[0], scope)?, scope);

    start_of_month(DAY) -> Date, Times;
    "The first day of the local month."
    ["start_of_month(2026-12-24)" => "2026-12-01"]
    |given, scope| Ok(Value::Date(time::day(&given[0], scope)?.first_of_month()));

    start_of_week(DAY) -> Date, Times;
    "The Monday of the local week."
    ["start_of_week(2026-12-24)" => "2026-12-21"]
    |given, scope| time::start_of_week(time::day(&given[0], scope)?);

    starts_with(TWO_TEXTS) -> YesNo, Texts;
    "Whether a text begins with another."
    ["starts_with(\"+49 30\", \"+49\")" => "yes"]
    |given, _| Ok(Value::YesNo(text(&given[0])?.starts_with(text(&given[1])?)));

    sum(NUMBERS) -> Number, Lists;
    "The numbers of a list added up; 0 for an empty list."
    ["sum([1, 2, 3.5])" => "6.5"]
    |given, _| Ok(Value::Number(lists::sum(list(&given[0])?)?));

    text(&[takes("value", Takes::Plain)]) -> Text, Values;
    "A value as text, as `{{ }}` writes it."
    ["text(2.50)" => "2.5", "text(now())" => "2026-12-14 10:00"]
    |given, scope| Ok(Value::Text(super::expression::plain(&given[0], scope)));

    today(&[]) -> Date, Times;
    "The local day."
    ["today()" => "2026-12-14"]
    |_, scope| Ok(Value::Date(scope.now.to_zoned(scope.zone.clone()).date()));

    trim(TEXT) -> Text, Texts;
    "A text without the spaces around it."
    ["trim(\"  a \")" => "a"]
    |given, _| Ok(Value::Text(text(&given[0])?.trim().to_owned()));

    unique(LIST) -> First, Lists;
    "A list in which each value stands once, where it stood first."
    ["unique([\"a\", \"b\", \"a\"])" => "a, b"]
    |given, scope| Ok(lists::unique(list(&given[0])?, scope));

    upper(TEXT) -> Text, Texts;
    "A text in capital letters."
    ["upper(\"abc\")" => "ABC"]
    |given, _| Ok(Value::Text(text(&given[0])?.to_uppercase()));

    weekday(DAY) -> Text, Times;
    "The local weekday: monday to sunday."
    ["weekday(2026-12-24)" => "thursday"]
    |given, scope| Ok(Value::Text(time::weekday(time::day(&given[0], scope)?).to_owned()));

    working_hours_between(TIMES) -> Number, Times, by_calendar;
    "How many working hours of the calendar lie between two points in time."
    ["working_hours_between(now(), now() + 90 minutes)" => "1.5"]
    |given, scope| {
        let (from, to) = (time::point(&given[0])?, time::point(&given[1])?);
        time::hours(time::calendar(scope)?.open_millis(from, to))
    };

    year(DAY) -> Number, Times;
    "The local year of a day."
    ["year(2026-12-24)" => "2026"]
    |given, scope| Ok(Value::Number(time::day(&given[0], scope)?.year().into()));
}

impl Function {
    /// How it is called: `round(number, digits)`, `max(value, other, …)`.
    #[must_use]
    pub fn form(&self) -> String {
        let least = self.parameters.len() - self.may_leave_out;
        let mut names: Vec<String> = Vec::new();
        for (place, parameter) in self.parameters.iter().enumerate() {
            let name = parameter.name;
            names.push(if place < least { name.to_owned() } else { format!("[{name}]") });
        }
        if self.repeats {
            names.push("…".to_owned());
        }
        format!("{}({})", self.name, names.join(", "))
    }
}

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
        // A field without values, or of a record that is gone.
        Value::Nothing => Ok(&[]),
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
        (Value::Nothing, _) | (_, Value::Nothing) => return Err(faults::nothing_there("a value")),
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
        Err(faults::two_currencies(&left.currency, &right.currency))
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

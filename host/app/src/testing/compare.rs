//! Whether something is as a test expects it.

use std::collections::BTreeMap;

use relata_model::{
    Calendar, Duration, Money, Reference, TimeZone, Timestamp, Value, value::number_from_json,
};
use relata_workflow::test_file::{Check, Part};
use serde_json::Value as Json;

/// What comparing needs to know.
pub(crate) struct Eye {
    /// The records by what the test calls them, with their ids.
    names: BTreeMap<Reference, Reference>,
    /// What the test calls them, by their ids.
    aliases: BTreeMap<Reference, Reference>,
    zone: TimeZone,
    /// The workflow's calendar, by which working time counts.
    calendar: Option<Calendar>,
}

impl Eye {
    pub(crate) fn new(
        names: BTreeMap<Reference, Reference>,
        zone: TimeZone,
        calendar: Option<Calendar>,
    ) -> Self {
        let aliases = names.iter().map(|(alias, id)| (id.clone(), alias.clone())).collect();
        Self { names, aliases, zone, calendar }
    }

    /// A record by its id, whatever it is called.
    pub(crate) fn by_id(&self, reference: &Reference) -> Reference {
        self.names.get(reference).cloned().unwrap_or_else(|| reference.clone())
    }

    /// What the test calls a record.
    pub(crate) fn alias(&self, reference: &Reference) -> Reference {
        self.aliases.get(reference).cloned().unwrap_or_else(|| reference.clone())
    }

    /// Whether a value is as expected; `at` is when it was made, from which
    /// durations count.
    pub(crate) fn fits(&self, check: &Check, actual: &Json, at: Timestamp) -> bool {
        let is_empty = match actual {
            Json::Null => true,
            Json::String(text) => text.is_empty(),
            Json::Array(items) => items.is_empty(),
            _ => false,
        };
        match check {
            Check::Empty => is_empty,
            Check::NotEmpty => !is_empty,
            Check::Contains(part) => match actual {
                Json::String(text) => text.contains(part.as_str()),
                Json::Array(items) => items.iter().any(|item| {
                    item.as_str().is_some_and(|text| text == part)
                        || self.same(&Value::Text(part.clone()), item, at)
                }),
                _ => false,
            },
            Check::Has(parts) => parts.iter().all(|part| self.part_fits(part, actual, at)),
            Check::Is(value) => self.same(value, actual, at),
        }
    }

    /// Whether a part of a value is as expected.
    pub(crate) fn part_fits(&self, part: &Part, whole: &Json, at: Timestamp) -> bool {
        self.fits(&part.check, whole.get(&part.name).unwrap_or(&Json::Null), at)
    }

    fn same(&self, expected: &Value, actual: &Json, at: Timestamp) -> bool {
        match (expected, actual) {
            (Value::Nothing, actual) => actual.is_null(),
            (Value::YesNo(yes), Json::Bool(actual)) => yes == actual,
            (Value::Number(number), Json::Number(actual)) => {
                number_from_json(actual) == Some(*number)
            }
            (Value::Text(text), Json::String(actual)) => {
                text == actual || self.same_place(text, actual)
            }
            (Value::Date(date), Json::String(actual)) => date.to_string() == *actual,
            (Value::Time(time), Json::String(actual)) => {
                actual.parse::<Timestamp>().is_ok_and(|actual| same_moment(*time, actual))
            }
            (Value::Duration(duration), Json::String(actual)) => self.lasts(*duration, actual, at),
            (Value::Money(money), Json::String(actual)) => {
                actual.parse::<Money>().is_ok_and(|actual| actual == *money)
            }
            (Value::Reference(record), Json::String(actual)) => actual
                .parse::<Reference>()
                .is_ok_and(|actual| self.by_id(record) == self.by_id(&actual)),
            (Value::List(items), Json::Array(actual)) => {
                items.len() == actual.len()
                    && items.iter().zip(actual).all(|(item, actual)| self.same(item, actual, at))
            }
            // One stands for a list of one.
            (Value::List(items), actual) => {
                matches!(&items[..], [only] if self.same(only, actual, at))
            }
            (Value::Map(parts), Json::Object(actual)) => parts
                .iter()
                .all(|(name, part)| self.same(part, actual.get(name).unwrap_or(&Json::Null), at)),
            _ => false,
        }
    }

    /// A text that means a record or a time, where the test could not know
    /// that it is one.
    fn same_place(&self, expected: &str, actual: &str) -> bool {
        if let (Ok(record), Ok(found)) =
            (expected.parse::<Reference>(), actual.parse::<Reference>())
        {
            return self.by_id(&record) == self.by_id(&found);
        }
        actual.parse::<Timestamp>().is_ok_and(|actual| {
            relata_model::object::parse_time(expected, &self.zone)
                .is_some_and(|expected| same_moment(expected, actual))
        })
    }

    /// A duration as it is written, or the time that it leads to.
    fn lasts(&self, duration: Duration, actual: &str, at: Timestamp) -> bool {
        if actual.parse::<Duration>().is_ok_and(|actual| actual == duration) {
            return true;
        }
        let Ok(actual) = actual.parse::<Timestamp>() else { return false };
        let always = Calendar::always_open(self.zone.clone());
        let calendar = self.calendar.as_ref().unwrap_or(&always);
        calendar.after(at, duration).is_some_and(|end| same_moment(end, actual))
    }

    /// A value for a message, with records by what the test calls them and
    /// local times.
    pub(crate) fn written(&self, json: &Json) -> String {
        match json {
            Json::Null => "empty".to_owned(),
            Json::Bool(yes) => yes.to_string(),
            Json::Number(number) => number.to_string(),
            Json::String(text) => self.text(text),
            Json::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| self.written(item)).collect();
                format!("[{}]", items.join(", "))
            }
            Json::Object(parts) => {
                let parts: Vec<String> = parts
                    .iter()
                    .filter(|(_, part)| !part.is_null())
                    .map(|(name, part)| format!("{name}: {}", self.written(part)))
                    .collect();
                format!("{{ {} }}", parts.join(", "))
            }
        }
    }

    fn text(&self, text: &str) -> String {
        if let Ok(time) = text.parse::<Timestamp>() {
            return self.local(time);
        }
        match text.parse::<Reference>() {
            Ok(reference) => self.alias(&reference).to_string(),
            Err(_) => self.sentence(text),
        }
    }

    /// A sentence with records by what the test calls them.
    pub(crate) fn sentence(&self, text: &str) -> String {
        let mut told = text.to_owned();
        for (id, alias) in &self.aliases {
            let id = id.to_string();
            if told.contains(&id) {
                told = told.replace(&id, &alias.to_string());
            }
        }
        told
    }

    /// `2026-12-14 10:00`
    pub(crate) fn local(&self, time: Timestamp) -> String {
        let form = if time.as_millisecond() % 60_000 == 0 {
            "%Y-%m-%d %H:%M"
        } else {
            "%Y-%m-%d %H:%M:%S"
        };
        time.to_zoned(self.zone.clone()).strftime(form).to_string()
    }

    /// What is expected, for a message.
    pub(crate) fn expected(&self, check: &Check) -> String {
        match check {
            Check::Empty => "empty".to_owned(),
            Check::NotEmpty => "not empty".to_owned(),
            Check::Contains(part) => format!("something that contains `{part}`"),
            Check::Is(Value::Time(time)) => self.local(*time),
            Check::Is(Value::Nothing) => "empty".to_owned(),
            Check::Is(Value::List(items)) => {
                let items: Vec<String> =
                    items.iter().map(|item| self.expected(&Check::Is(item.clone()))).collect();
                format!("[{}]", items.join(", "))
            }
            Check::Is(value) => value.to_string(),
            Check::Has(parts) => self.expected_parts(parts),
        }
    }

    /// `{ to: contact/anna, template: csat }`
    pub(crate) fn expected_parts(&self, parts: &[Part]) -> String {
        let parts: Vec<String> = parts
            .iter()
            .map(|part| format!("{}: {}", part.name, self.expected(&part.check)))
            .collect();
        if parts.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", parts.join(", ")) }
    }
}

/// Whether two times are the same, to what was written: the minute, or the
/// second.
pub(crate) fn same_moment(expected: Timestamp, actual: Timestamp) -> bool {
    let precision = if expected.as_millisecond() % 60_000 == 0 { 60_000 } else { 1_000 };
    expected.as_millisecond().div_euclid(precision) == actual.as_millisecond().div_euclid(precision)
}

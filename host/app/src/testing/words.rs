//! What is not as a test expects it, in words.

use relata_model::{Record, Timestamp, Value};
use relata_workflow::{
    Span,
    test_file::{Check, ExpectedRecord, Part, Several},
};
use serde_json::Value as Json;

use crate::testing::{compare::Eye, report::Failure};

/// Tells what is not as expected.
#[derive(Clone, Copy)]
pub(crate) struct Words<'s> {
    pub(crate) file: &'s str,
    pub(crate) eye: &'s Eye,
}

impl Words<'_> {
    pub(crate) fn failure(
        &self,
        span: Span,
        message: impl Into<String>,
        found: Option<String>,
    ) -> Failure {
        Failure { file: self.file.to_owned(), span, message: message.into(), found }
    }

    /// A part that is otherwise: `lead/anna was to have `company`: Brewery`.
    pub(crate) fn part_failure(&self, what: &str, part: &Part, whole: &Json) -> Failure {
        let found = whole.get(&part.name).unwrap_or(&Json::Null);
        let message = format!("{what} `{}`: {}", part.name, self.eye.expected(&part.check));
        self.failure(part.span, message, Some(format!("it is {}", self.eye.written(found))))
    }

    /// The parts that are otherwise.
    pub(crate) fn parts(
        &self,
        what: &str,
        parts: &[Part],
        whole: &Json,
        at: Timestamp,
    ) -> Vec<Failure> {
        parts
            .iter()
            .filter(|part| !self.eye.part_fits(part, whole, at))
            .map(|part| self.part_failure(what, part, whole))
            .collect()
    }

    /// Another number of something than expected.
    pub(crate) fn number(
        &self,
        what: &str,
        verb: &str,
        expected: &Several,
        found: &[String],
    ) -> Failure {
        let times = |count: usize| match count {
            0 => format!("not {verb}"),
            1 => format!("{verb} once"),
            2 => format!("{verb} twice"),
            more => format!("{verb} {more} times"),
        };
        let message = match expected.each.len() {
            0 => format!("`{what}` was not to be {verb}"),
            count => format!("`{what}` was to be {}", times(count)),
        };
        let list = found.join("; ");
        let found = match found.len() {
            0 => format!("it was {}", times(0)),
            count => format!("it was {}: {list}", times(count)),
        };
        self.failure(expected.span, message, Some(found))
    }

    /// A record as it was to be.
    pub(crate) fn record(
        &self,
        expected: &ExpectedRecord,
        found: Option<&Record>,
        at: Timestamp,
    ) -> Vec<Failure> {
        let alias = &expected.target;
        match (&expected.fields, found) {
            (None, None) => Vec::new(),
            (None, Some(_)) => {
                let message = format!("there was to be no {alias}");
                vec![self.failure(expected.span, message, Some("it is there".to_owned()))]
            }
            (Some(_), None) => {
                vec![self.failure(expected.span, format!("there is no {alias}"), None)]
            }
            (Some(fields), Some(record)) => {
                self.parts(&format!("{alias} was to have"), fields, &fields_json(record), at)
            }
        }
    }

    /// The records of an object that are new.
    pub(crate) fn created(
        &self,
        object: &str,
        expected: &Several,
        records: &[&Record],
        now: Timestamp,
    ) -> Vec<Failure> {
        if records.len() != expected.each.len() {
            let found: Vec<String> =
                records.iter().map(|record| self.eye.written(&told_fields(record))).collect();
            return vec![self.number(object, "created", expected, &found)];
        }
        let mut failures = Vec::new();
        for (record, parts) in records.iter().zip(&expected.each) {
            let at = record.field("created_at").as_time().unwrap_or(now);
            let what = format!("the {object} was to have");
            failures.extend(self.parts(&what, parts, &fields_json(record), at));
        }
        failures
    }

    /// What of a message's words is missing in these texts; `what` is `the
    /// message`.
    pub(crate) fn says(&self, what: &str, part: &Part, texts: &[String]) -> Vec<Failure> {
        let wanted: Vec<String> = match &part.check {
            Check::Is(Value::List(items)) => items.iter().map(ToString::to_string).collect(),
            Check::Is(value) => vec![value.to_string()],
            Check::Contains(text) => vec![text.clone()],
            Check::Empty | Check::NotEmpty | Check::Has(_) => Vec::new(),
        };
        wanted
            .into_iter()
            .filter(|wanted| !texts.iter().any(|text| text.contains(wanted.as_str())))
            .map(|wanted| {
                let found = match texts {
                    [] => "there is none".to_owned(),
                    [text, ..] => {
                        let words: Vec<&str> = text.split_whitespace().collect();
                        format!("it says: {}", shortened(&words.join(" ")))
                    }
                };
                self.failure(part.span, format!("{what} was to say `{wanted}`"), Some(found))
            })
            .collect()
    }
}

/// A text that is cut where it is long.
pub(crate) fn shortened(text: &str) -> String {
    const LONGEST: usize = 160;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

pub(crate) fn fields_json(record: &Record) -> Json {
    Json::Object(
        record.fields.iter().map(|(name, value)| (name.clone(), value.to_json())).collect(),
    )
}

/// A record's fields for a message, without those that the host sets.
fn told_fields(record: &Record) -> Json {
    Json::Object(
        record
            .fields
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "created_at" | "updated_at"))
            .map(|(name, value)| (name.clone(), value.to_json()))
            .collect(),
    )
}

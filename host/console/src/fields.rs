//! Fields of records as a page shows them.

use std::fmt;

use askama::filters::HtmlSafe;
use relata_app::model::{FieldType, ObjectDefinition, Record, Value};

use crate::{
    html::{Escaped, Link, Moment, Pill},
    names::Names,
    session::Visit,
    words,
};

/// The longest text that a page shows of a field, characters.
const LONGEST: usize = 20_000;

/// A value on a page.
#[derive(Debug, Clone)]
pub(crate) enum Shown {
    Nothing,
    Text(String),
    /// Of many lines.
    Long(String),
    Number(String),
    Pill(Pill),
    Time(Moment),
    Link(Link),
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("<span class=\"dim\" aria-hidden=\"true\">–</span>"),
            Self::Text(text) | Self::Long(text) | Self::Number(text) => {
                write!(f, "{}", Escaped(text))
            }
            Self::Pill(pill) => pill.fmt(f),
            Self::Time(moment) => moment.fmt(f),
            Self::Link(link) => link.fmt(f),
        }
    }
}

impl HtmlSafe for Shown {}

impl Shown {
    /// A value of a field of this type.
    pub(crate) fn of(value: &Value, kind: &FieldType, visit: &Visit, names: &Names<'_>) -> Self {
        match (kind, value) {
            (_, Value::Nothing) => Self::Nothing,
            (FieldType::Choice(_), Value::Text(word)) => {
                Self::Pill(Pill::of_word(word, visit.lang()))
            }
            (FieldType::LongText, Value::Text(text)) => Self::Long(text.clone()),
            (FieldType::Email, Value::Text(text)) => {
                Self::Link(Link::to(format!("mailto:{text}"), text))
            }
            (FieldType::Phone, Value::Text(text)) => {
                let dialled: String =
                    text.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
                Self::Link(Link::to(format!("tel:{dialled}"), text))
            }
            (_, Value::Time(at)) => Self::Time(visit.moment(*at)),
            (_, Value::Reference(reference)) => Self::Link(names.link(reference)),
            (_, Value::YesNo(yes)) => {
                let t = visit.lang().texts();
                Self::Text(if *yes { t.yes } else { t.no }.to_owned())
            }
            (_, value @ (Value::Number(_) | Value::Money(_))) => Self::Number(value.to_string()),
            (_, Value::List(items)) if items.is_empty() => Self::Nothing,
            (_, value) => Self::Text(value.to_string()),
        }
    }

    /// The beginning of a text, where it is longer.
    pub(crate) fn cut(self, longest: usize) -> Self {
        match self {
            Self::Text(text) | Self::Long(text) => match text.char_indices().nth(longest) {
                Some((end, _)) => Self::Text(format!("{}…", &text[..end])),
                None => Self::Text(text),
            },
            other => other,
        }
    }

    /// Whether it stands at the right of a column.
    pub(crate) const fn is_number(&self) -> bool {
        matches!(self, Self::Number(_))
    }

    /// Whether it may have many lines.
    pub(crate) const fn is_long(&self) -> bool {
        matches!(self, Self::Long(_))
    }
}

/// A field with its name.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) value: Shown,
}

/// Those of some fields of a record that the viewer sees and that are not
/// empty, in the order in which they are given.
pub(crate) fn some<'n>(
    record: &Record,
    definition: &ObjectDefinition,
    wanted: impl IntoIterator<Item = &'n str>,
    visit: &Visit,
    names: &Names<'_>,
) -> Vec<Field> {
    let object = &record.reference.object;
    wanted
        .into_iter()
        .filter(|name| visit.viewer.sees_field(object, name))
        .filter_map(|name| Some((name, definition.field(name)?)))
        .filter(|(name, _)| !record.field(name).is_nothing())
        .map(|(name, field)| Field {
            name: words::field(name, visit.lang()),
            value: match Shown::of(record.field(name), &field.kind, visit, names) {
                Shown::Long(text) if text.len() > LONGEST => Shown::Long(text).cut(LONGEST),
                shown => shown,
            },
        })
        .collect()
}

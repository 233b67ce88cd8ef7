//! What people call a record, beside its reference.

use std::collections::BTreeMap;

use relata_app::{
    App, AppError, Piece,
    model::{Reference, TimeZone, Value},
    pieces_of,
};
use serde_json::Value as Json;

use crate::time;

/// How many characters of a value a table cell shows.
const LONGEST: usize = 80;

/// How many items of a list are told to a person.
const MOST_ITEMS: usize = 20;

/// Names of records, each looked up once.
pub(crate) struct Names<'a> {
    app: &'a App,
    zone: TimeZone,
    known: BTreeMap<Reference, Option<Name>>,
}

#[derive(Clone)]
struct Name {
    label: String,
    handle: String,
}

impl<'a> Names<'a> {
    /// The names of a company's records.
    pub(crate) fn new(app: &'a App) -> Self {
        Self { app, zone: app.zone(), known: BTreeMap::new() }
    }

    /// `Anna Wolf`: what people call a record; its reference where it has no
    /// name.
    pub(crate) async fn label(&mut self, reference: &Reference) -> Result<String, AppError> {
        Ok(self.name(reference).await?.map_or_else(|| reference.to_string(), |name| name.label))
    }

    /// `user/anna (Anna Wolf)`: what a command takes, and what people say.
    pub(crate) async fn full(&mut self, reference: &Reference) -> Result<String, AppError> {
        Ok(match self.name(reference).await? {
            Some(name) if name.label == name.handle => name.handle,
            Some(name) => format!("{} ({})", name.handle, name.label),
            None => reference.to_string(),
        })
    }

    /// The same for a table: where only its id would be there to name it,
    /// what people say is enough.
    pub(crate) async fn short(&mut self, reference: &Reference) -> Result<String, AppError> {
        Ok(match self.name(reference).await? {
            Some(name) if matches!(pieces_of(&name.handle)[..], [Piece::Record(_)]) => name.label,
            _ => self.full(reference).await?,
        })
    }

    /// A value in one line of a table; records by their names.
    pub(crate) async fn brief(&mut self, value: &Value) -> Result<String, AppError> {
        let text = match value {
            Value::Nothing => String::new(),
            Value::Reference(reference) => self.label(reference).await?,
            other => plain(other, &self.zone),
        };
        Ok(cut(&text, LONGEST))
    }

    /// A value in full; records by reference and name.
    pub(crate) async fn whole(&mut self, value: &Value) -> Result<String, AppError> {
        match value {
            Value::Reference(reference) => self.full(reference).await,
            other => Ok(plain(other, &self.zone)),
        }
    }

    /// A sentence of the host with the records in it by name, and the times in
    /// it local and short.
    pub(crate) async fn told(&mut self, sentence: &str) -> Result<String, AppError> {
        let mut told = String::with_capacity(sentence.len());
        for piece in pieces_of(sentence) {
            match piece {
                Piece::Time(at) => told.push_str(&time::short(at, &self.zone)),
                Piece::Record(reference) => told.push_str(&self.full(&reference).await?),
                Piece::Text(text) => told.push_str(text),
            }
        }
        Ok(told)
    }

    /// What went into a step or came out of it, in a line: `team:
    /// team/dach, max_open_leads: 40`.
    pub(crate) async fn spoken(&mut self, json: &Json) -> Result<String, AppError> {
        Ok(match json {
            Json::Null => "(empty)".to_owned(),
            Json::Bool(true) => "yes".to_owned(),
            Json::Bool(false) => "no".to_owned(),
            Json::Number(number) => number.to_string(),
            Json::String(text) => self.told(text).await?,
            Json::Array(items) => {
                let mut spoken = Vec::with_capacity(items.len());
                for item in items.iter().take(MOST_ITEMS) {
                    let text = Box::pin(self.spoken(item)).await?;
                    spoken.push(if item.is_object() { format!("({text})") } else { text });
                }
                if items.len() > MOST_ITEMS {
                    spoken.push(format!("and {} more", items.len() - MOST_ITEMS));
                }
                spoken.join(", ")
            }
            Json::Object(fields) => {
                let mut spoken = Vec::with_capacity(fields.len());
                for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                    let text = Box::pin(self.spoken(value)).await?;
                    spoken.push(if value.is_object() {
                        format!("{name}: ({text})")
                    } else {
                        format!("{name}: {text}")
                    });
                }
                spoken.join(", ")
            }
        })
    }

    async fn name(&mut self, reference: &Reference) -> Result<Option<Name>, AppError> {
        if let Some(known) = self.known.get(reference) {
            return Ok(known.clone());
        }
        let found = match self.app.record(reference).await {
            Ok(record) => Some(Name {
                label: self.app.object(&reference.object)?.label_of(&record),
                handle: record.handle(),
            }),
            // It was deleted, or its object is no longer there.
            Err(why) if why.is_wrong_input() => None,
            Err(why) => return Err(why),
        };
        self.known.insert(reference.clone(), found.clone());
        Ok(found)
    }
}

fn plain(value: &Value, zone: &TimeZone) -> String {
    match value {
        Value::Time(at) => time::short(*at, zone),
        other => other.to_string(),
    }
}

/// The beginning of a text that is longer than a cell.
pub(crate) fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

//! What people call a record, beside its reference.

use std::collections::BTreeMap;

use relata_app::{
    App, AppError,
    model::{Record, Reference, TimeZone, Value},
};

use crate::time;

/// How many characters of a value a table cell shows.
const LONGEST: usize = 80;

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

    async fn name(&mut self, reference: &Reference) -> Result<Option<Name>, AppError> {
        if let Some(known) = self.known.get(reference) {
            return Ok(known.clone());
        }
        let found = match self.app.record(reference).await {
            Ok(record) => Some(Name {
                label: self.app.object(&reference.object)?.label_of(&record),
                handle: handle(&record),
            }),
            // It was deleted, or its object is no longer there.
            Err(why) if why.is_wrong_input() => None,
            Err(why) => return Err(why),
        };
        self.known.insert(reference.clone(), found.clone());
        Ok(found)
    }
}

/// The shortest reference that commands take: by external id, else by id.
pub(crate) fn handle(record: &Record) -> String {
    match record.field("external_id").as_text() {
        Some(key) if !key.is_empty() => format!("{}/{key}", record.reference.object),
        _ => record.reference.to_string(),
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

//! What an editor asks of a workflow while it is written: what can stand
//! here, what is this, where does it come from, how is it mended.
//!
//! Files are half-written most of the time. The reader mends what it can and
//! goes on, so that names and types are known before and after the place; and
//! where something is to be completed, a word is put in that makes the place
//! readable.

mod complete;
mod fix;
mod formula;
mod help;
mod recording;
mod spot;
mod symbols;

use relata_model::Objects;
use serde::Serialize;

use crate::{
    catalog::Catalog,
    definition::Definition,
    diagnostic::{Diagnostic, Findings},
    read,
    source::{self, Node},
    types::{Slot, Type},
};

pub use complete::complete;
pub use fix::{Fix, fix};
pub(crate) use recording::Recording;

/// A file that was read, with all that an editor may ask of it.
#[derive(Debug)]
pub struct Insight<'a> {
    source: &'a str,
    catalog: &'a Catalog,
    root: Option<Node>,
    recording: Recording,
    definition: Option<Definition>,
    diagnostics: Vec<Diagnostic>,
}

/// A part of a file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Range {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// Something that may stand at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Completion {
    /// What is shown and looked for.
    pub label: String,
    /// What it is.
    pub kind: CompletionKind,
    /// A few words on it.
    pub detail: String,
    /// More on it, as Markdown.
    pub documentation: String,
    /// What is put in.
    pub insert: String,
    /// What it takes the place of.
    pub replaces: Range,
}

/// What a completion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CompletionKind {
    /// A key of the language.
    Key,
    /// An action.
    Action,
    /// An argument of an action, or an input of a workflow.
    Argument,
    /// A field of a record, or a part of a value.
    Field,
    /// A name that is known here.
    Variable,
    /// A function.
    Function,
    /// A word of the language, or of an enumeration.
    Word,
    /// An object.
    Object,
    /// A record, a template, a role: something that is there by this name.
    Thing,
}

/// What is said of a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hover {
    /// As Markdown.
    pub text: String,
    /// Of which part.
    pub range: Range,
}

/// Where something comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// From here in the same file.
    Here(Range),
    /// From an object's definition; with the field, if one is meant.
    Object(String, Option<String>),
    /// From a mail template.
    Template(String),
    /// From another workflow.
    Workflow(String),
    /// From a blueprint.
    Blueprint(String),
}

/// A part of the file for its outline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Symbol {
    /// `do: crm.update`
    pub name: String,
    /// What its result is called, or what else is good to know.
    pub detail: String,
    /// Whether it is a step; else it is a part of the head.
    pub is_step: bool,
    /// All of it.
    pub range: Range,
    /// Its first key.
    pub key: Range,
    /// What is in it.
    pub children: Vec<Symbol>,
}

impl<'a> Insight<'a> {
    /// Reads a file; `file` is its name, for the diagnostics.
    #[must_use]
    pub fn new(file: &str, source: &'a str, catalog: &'a Catalog) -> Self {
        let (definition, diagnostics, recording) = read::recorded(file, source, catalog);
        let root = source::read(&mut Findings::new(file, source));
        Self { source, catalog, root, recording, definition, diagnostics }
    }

    /// What [`crate::parse`] finds.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The workflow, if it has no errors.
    #[must_use]
    pub const fn definition(&self) -> Option<&Definition> {
        self.definition.as_ref()
    }
}

/// A type in a sentence, with what it may come to.
fn described(slot: &Slot) -> String {
    let kind = match &slot.kind {
        Type::List(items) => match &items.kind {
            Type::Nothing | Type::Any => "a list".to_owned(),
            kind => format!("a list; each item is {}", kind.describe()),
        },
        kind => kind.describe(),
    };
    if slot.optional { format!("{kind}; may be empty") } else { kind }
}

/// The fields and parts that a value has, with their types and what is said
/// of them, in the order of their definition.
fn parts_of(slot: &Slot, objects: &Objects) -> Vec<(String, Slot, String)> {
    let mut parts: Vec<(String, Slot, String)> = Vec::new();
    match &slot.kind {
        Type::Record(of) => {
            let definitions: Vec<_> = if of.is_empty() {
                objects.iter().collect()
            } else {
                of.iter().filter_map(|object| objects.get(object)).collect()
            };
            for definition in &definitions {
                for name in &definition.order {
                    let Some(field) = definition.field(name) else { continue };
                    if parts.iter().any(|(there, _, _)| there == name) {
                        continue;
                    }
                    let doc = crate::schema::field_documentation(field);
                    let mut slot = Slot::of_field(field);
                    slot.optional |= definitions.iter().any(|other| other.field(name).is_none());
                    parts.push((name.clone(), slot, doc));
                }
            }
            parts.push(("id".to_owned(), Slot::of(Type::Text), "The record's own id.".to_owned()));
            parts.push((
                "revision".to_owned(),
                Slot::of(Type::Number),
                "How often the record has changed.".to_owned(),
            ));
        }
        Type::Map(inner) => {
            parts.extend(
                inner.iter().map(|(name, slot)| (name.clone(), slot.clone(), String::new())),
            );
        }
        Type::Money => {
            parts.push(("amount".to_owned(), Slot::of(Type::Number), String::new()));
            parts.push(("currency".to_owned(), Slot::of(Type::Text), String::new()));
        }
        _ => {}
    }
    parts
}

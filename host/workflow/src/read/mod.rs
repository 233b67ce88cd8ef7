//! YAML text to [`Definition`]: everything is read and checked in one pass
//! over the tree, and nothing stops at the first mistake.

mod action;
mod branches;
mod formulas;
mod literal;
pub(crate) mod schema;
mod steps;
mod trigger;
mod value;
mod wait;
mod workflow;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    catalog::Catalog,
    definition::{BlockId, Definition, Step, StepId},
    diagnostic::{self as codes, Diagnostic, Findings, Place},
    formula::Names,
    source::{self, Content, Entry, Node},
};

/// Reads a workflow from its YAML text; `file` is its name, for the
/// diagnostics.
///
/// The definition is there only if no diagnostic is an error. The diagnostics
/// are all that can be found in one run, in the order of the text.
#[must_use]
pub fn parse(file: &str, source: &str, catalog: &Catalog) -> (Option<Definition>, Vec<Diagnostic>) {
    let mut reader = Reader {
        findings: Findings::new(file, source),
        catalog,
        steps: Vec::new(),
        blocks: Vec::new(),
        subject: None,
        has_calendar: false,
        named: BTreeMap::new(),
    };
    let root = source::read(&mut reader.findings);
    if root.is_none() && reader.findings.count() == 0 {
        let help = Some("begin with `workflow: name`".to_owned());
        reader.error(codes::MISSING_KEY, Place::default(), "the file is empty", help);
    }
    let definition = root.and_then(|root| reader.workflow(&root));
    let diagnostics = reader.findings.finish();
    let failed = diagnostics.iter().any(Diagnostic::is_error);
    (definition.filter(|_| !failed), diagnostics)
}

/// The argument that holds fields, and the argument (or `object/lead`) that
/// says of what, where an action has such.
pub(crate) fn fields_argument(
    signature: &crate::catalog::ActionSignature,
) -> Option<(String, String)> {
    schema::parameters(&signature.input).into_iter().find_map(|(name, parameter)| {
        match parameter.wanted {
            schema::Wanted::FieldsOf(of) => Some((name, of)),
            _ => None,
        }
    })
}

/// A step that has a name.
#[derive(Debug, Clone)]
struct Named {
    /// The action, if it is a `do`.
    action: Option<String>,
}

/// Everything that is known while a workflow is read.
struct Reader<'a> {
    findings: Findings<'a>,
    catalog: &'a Catalog,
    /// Filled as the steps are read; empty where a step is wrong.
    steps: Vec<Option<Step>>,
    blocks: Vec<Vec<StepId>>,
    /// The object that runs are about.
    subject: Option<String>,
    /// Whether the workflow names a calendar.
    has_calendar: bool,
    /// Steps with a name, so far.
    named: BTreeMap<String, Named>,
}

/// What belongs to the language, but not to this version.
const NOT_YET: &[&str] = &[
    "for_each",
    "parallel",
    "run",
    "ask",
    "set",
    "webhook",
    "button",
    "form",
    "mail",
    "finally",
    "outputs",
    "inputs",
    "if_unknown",
    "secrets",
    "import",
];

impl<'a> Reader<'a> {
    fn error(
        &mut self,
        code: &'static str,
        place: Place,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.findings.error(code, place, message, help);
    }

    fn line(&self, place: Place) -> u32 {
        u32::try_from(self.findings.span(place.start, place.end).line).unwrap_or(u32::MAX)
    }

    /// Tells of the keys that nobody asked for.
    fn unknown_keys(&mut self, keys: &Keys<'_>, what: &str) {
        for entry in keys.rest() {
            let key = entry.key.as_str();
            if NOT_YET.contains(&key) {
                self.error(
                    codes::NOT_YET,
                    entry.key_place,
                    format!("`{key}` is not yet in this version"),
                    None,
                );
                continue;
            }
            let help = codes::did_you_mean(key, keys.asked.iter().copied()).or_else(|| {
                Some(format!(
                    "known are {}",
                    keys.asked.iter().copied().collect::<Vec<_>>().join(", ")
                ))
            });
            self.error(
                codes::UNKNOWN_KEY,
                entry.key_place,
                format!("{what} has no key `{key}`"),
                help,
            );
        }
    }

    /// The keys of a block; says so where it is none.
    fn keys<'n>(&mut self, node: &'n Node, what: &str) -> Option<Keys<'n>> {
        match &node.value {
            Content::Map(entries) => {
                Some(Keys { entries, taken: BTreeSet::new(), asked: BTreeSet::new() })
            }
            Content::Spoiled => None,
            _ => {
                self.error(
                    codes::WRONG_FORM,
                    node.place,
                    format!("{what} is a block of `key: value`"),
                    None,
                );
                None
            }
        }
    }

    /// A text that is written out; says so where it is none.
    fn plain_text<'n>(&mut self, entry: &'n Entry) -> Option<&'n str> {
        match &entry.value.value {
            Content::Text { text, .. } if !text.trim().is_empty() => {
                if text.starts_with('=') || text.contains("{{") {
                    let message = format!(
                        "`{}` cannot be computed: it is a text that is written out",
                        entry.key
                    );
                    self.error(codes::WRONG_FORM, entry.value.place, message, None);
                    return None;
                }
                Some(text.trim())
            }
            Content::Spoiled => None,
            Content::Nothing | Content::Text { .. } => {
                self.error(
                    codes::MISSING_KEY,
                    entry.key_place,
                    format!("`{}` has no value", entry.key),
                    None,
                );
                None
            }
            _ => {
                self.error(
                    codes::WRONG_FORM,
                    entry.value.place,
                    format!("`{}` is a text", entry.key),
                    None,
                );
                None
            }
        }
    }

    /// A list's items; a single value counts as a list of one.
    fn items<'n>(&mut self, entry: &'n Entry) -> &'n [Node] {
        match &entry.value.value {
            Content::List(items) => items,
            Content::Spoiled => &[],
            Content::Nothing => {
                self.error(
                    codes::MISSING_KEY,
                    entry.key_place,
                    format!("`{}` has no value", entry.key),
                    None,
                );
                &[]
            }
            _ => std::slice::from_ref(&entry.value),
        }
    }

    /// A calendar by its external id.
    fn calendar(&mut self, entry: &Entry) -> Option<String> {
        let text = self.plain_text(entry)?;
        self.record_key("calendar", text, entry.value.place, codes::UNKNOWN_CALENDAR)
    }

    /// The external id of a record of one object: `dormant` or
    /// `segment/dormant`.
    fn record_key(
        &mut self,
        object: &str,
        text: &str,
        place: Place,
        code: &'static str,
    ) -> Option<String> {
        let key = match text.split_once('/') {
            Some((other, key)) if other == object => key,
            Some((other, _)) => {
                let message = format!("a {object} is needed here, not a {other}");
                self.error(codes::WRONG_VALUE, place, message, Some(format!("write `{object}/…`")));
                return None;
            }
            None => text,
        };
        if let Some(known) = self.catalog.records.get(object)
            && !known.contains(key)
        {
            let help = codes::mean_or_list(key, known.iter().map(String::as_str));
            self.error(code, place, format!("there is no {object} `{key}`"), help);
            return None;
        }
        Some(key.to_owned())
    }

    /// A finished block.
    fn block_of(&mut self, steps: Vec<StepId>) -> BlockId {
        let id = BlockId(u32::try_from(self.blocks.len()).unwrap_or(u32::MAX));
        self.blocks.push(steps);
        id
    }

    /// Whether a name can be given to a result here.
    fn result_name(&mut self, text: &str, place: Place, names: &Names) -> Option<String> {
        let wrong = if !relata_model::text::is_name(text) {
            Some(format!("`{text}` cannot be a name: use lower-case letters, digits and _"))
        } else if crate::formula::is_keyword(text) {
            Some(format!("`{text}` is a word of the language"))
        } else if self.subject.as_deref() == Some(text) {
            Some(format!("`{text}` is what the workflow is about"))
        } else if names.variables.get(text).is_some_and(|known| !known.unset) {
            Some(format!("an earlier step is called `{text}` already"))
        } else {
            None
        };
        match wrong {
            Some(message) => {
                self.error(
                    codes::WRONG_NAME,
                    place,
                    message,
                    Some("choose another name".to_owned()),
                );
                None
            }
            None => Some(text.to_owned()),
        }
    }
}

/// The keys of a block, and which of them were asked for.
struct Keys<'n> {
    entries: &'n [Entry],
    taken: BTreeSet<&'n str>,
    asked: BTreeSet<&'static str>,
}

impl<'n> Keys<'n> {
    /// A key's entry.
    fn take(&mut self, key: &'static str) -> Option<&'n Entry> {
        self.asked.insert(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        self.taken.insert(&entry.key);
        Some(entry)
    }

    /// The entries that were not taken.
    fn rest(&self) -> impl Iterator<Item = &'n Entry> {
        self.entries.iter().filter(|entry| !self.taken.contains(entry.key.as_str()))
    }

    /// Whether a key that nobody asked for is a slip of this one, so that
    /// nothing is said of its absence.
    fn has_slip_of(&self, key: &str) -> bool {
        self.rest().any(|entry| codes::did_you_mean(&entry.key, std::iter::once(key)).is_some())
    }

    /// Where the block begins.
    fn place(&self) -> Place {
        self.entries.first().map(|entry| entry.key_place).unwrap_or_default()
    }
}

//! YAML text to [`Definition`]: everything is read and checked in one pass
//! over the tree, and nothing stops at the first mistake.
//!
//! [`Definition`]: crate::Definition

mod action;
mod ask;
mod blueprint;
mod branches;
mod files;
mod for_each;
mod formulas;
mod inputs;
mod literal;
mod parallel;
mod run;
pub(crate) mod schema;
mod set;
mod steps;
mod template;
mod trigger;
mod value;
mod wait;
mod workflow;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use files::recorded;
pub use files::{Head, head, parse, parse_all};
pub(crate) use literal::slot_of;
pub(crate) use schema::{Parameter, Wanted, is_open as takes_any, parameters};
pub(crate) use value::secret_name;

use crate::{
    catalog::{Catalog, WorkflowSignature},
    definition::{BlockId, Input, Step, StepId},
    diagnostic::{self as codes, Findings, Place},
    formula::Names,
    insight::Recording,
    source::{Content, Entry, Node},
    types::Slot,
};

/// What an action yields, as far as that does not hang on its arguments.
pub(crate) fn result_of(signature: &crate::catalog::ActionSignature) -> crate::types::Type {
    schema::result(&signature.output, &BTreeMap::new())
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
    /// Runs once for each item of a list.
    in_loop: bool,
}

/// Why a name that stands in the file is not known at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hidden {
    /// It belongs to one item of a `for_each` that has ended.
    Item,
    /// It belongs to another branch of a `parallel`.
    Branch,
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
    /// What is named as an object and is none.
    unknown_objects: BTreeSet<String>,
    /// Whether the workflow names a calendar.
    has_calendar: bool,
    /// Its external id, where there is such a calendar.
    calendar: Option<String>,
    /// Steps with a name, so far.
    named: BTreeMap<String, Named>,
    /// The workflow's own name, once it is known.
    name: Option<String>,
    /// What others need to know of the workflow, as far as it was read.
    signature: WorkflowSignature,
    /// Workflows whose heads have errors: what they are given is not checked.
    uncertain: &'a BTreeSet<String>,
    /// The names that `set` has made, with the types that they keep.
    declared: BTreeMap<String, Slot>,
    /// The names that steps give to what they yield, with their places.
    all_names: BTreeMap<String, Place>,
    /// Names that are not known here, though the file has them.
    hidden: BTreeMap<String, Hidden>,
    /// How many loops and branches stand around this place.
    depth: u32,
    /// The name of a loop's items, or those of the inputs, could not be read,
    /// so a name that is not known may be one of them.
    misses_names: bool,
    /// Whether `secret/NAME` may stand here.
    takes_secrets: bool,
    /// The parameters of a blueprint.
    parameters: Vec<Input>,
    /// What is written down for an editor, where one asks.
    recording: Option<Box<Recording>>,
}

/// What belongs to the language, but not to this version.
const NOT_YET: &[&str] = &["form", "mail", "import"];

impl<'a> Reader<'a> {
    fn new(
        file: &'a str,
        source: &'a str,
        catalog: &'a Catalog,
        uncertain: &'a BTreeSet<String>,
    ) -> Self {
        Self {
            findings: Findings::new(file, source),
            catalog,
            steps: Vec::new(),
            blocks: Vec::new(),
            subject: None,
            unknown_objects: BTreeSet::new(),
            has_calendar: false,
            calendar: None,
            named: BTreeMap::new(),
            name: None,
            signature: WorkflowSignature::default(),
            uncertain,
            declared: BTreeMap::new(),
            all_names: BTreeMap::new(),
            hidden: BTreeMap::new(),
            depth: 0,
            misses_names: false,
            takes_secrets: false,
            parameters: Vec::new(),
            recording: None,
        }
    }

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
        if let Some(recording) = &mut self.recording {
            let asked = keys.asked.iter().copied().collect();
            recording.asked.push((what.to_owned(), keys.place(), asked));
        }
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
                    let help = self.placeholder_help(text);
                    self.error(codes::WRONG_FORM, entry.value.place, message, help);
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
        if let Some(recording) = &mut self.recording {
            recording.named.push((text.to_owned(), place));
        }
        let wrong = if !relata_model::text::is_name(text) {
            Some(format!("`{text}` cannot be a name: use lower-case letters, digits and _"))
        } else if crate::formula::is_keyword(text) {
            Some(format!("`{text}` is a word of the language"))
        } else if self.subject.as_deref() == Some(text) {
            Some(format!("`{text}` is what the workflow is about"))
        } else if names.get(text).is_some_and(|known| !known.unset) {
            let mut inputs = self.signature.inputs.iter().chain(&self.parameters);
            if inputs.any(|input| input.name == text) {
                Some(format!("an input is called `{text}` already"))
            } else if self.declared.contains_key(text) {
                Some(format!("an earlier `set` has made the name `{text}` already"))
            } else {
                Some(format!("an earlier step is called `{text}` already"))
            }
        } else {
            None
        };
        match wrong {
            Some(message) => {
                let meant = spelt(text, '_').filter(|meant| meant != text);
                let help = meant.map_or_else(
                    || "choose another name".to_owned(),
                    |meant| format!("write `{meant}`"),
                );
                self.error(codes::WRONG_NAME, place, message, Some(help));
                None
            }
            None => Some(text.to_owned()),
        }
    }
}

/// The names that steps within a node give to what they yield.
fn names_within(node: &Node, names: &mut BTreeMap<String, Place>) {
    match &node.value {
        Content::List(items) => items.iter().for_each(|item| names_within(item, names)),
        Content::Map(entries) => {
            for entry in entries {
                match (entry.key.as_str(), entry.value.text()) {
                    ("as" | "decide" | "split", Some(name)) => {
                        names.entry(name.trim().to_owned()).or_insert(entry.value.place);
                    }
                    _ => names_within(&entry.value, names),
                }
            }
        }
        _ => {}
    }
}

/// A name in small letters, with this sign between its words.
fn spelt(text: &str, between: char) -> Option<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(str::to_ascii_lowercase).collect();
    let name = words.join(&between.to_string());
    let is_whole = text.is_ascii() && name.starts_with(|first: char| first.is_ascii_lowercase());
    is_whole.then_some(name)
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

    /// A key's entry, without asking for it.
    fn peek(&self, key: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The entry of a key that is none, and that nobody is told of.
    fn take_hidden(&mut self, key: &str) -> Option<&'n Entry> {
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

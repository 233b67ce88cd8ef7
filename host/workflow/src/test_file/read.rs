//! Keys, texts and times: what every part of a test file is made of, and the
//! file's head.

use std::collections::BTreeSet;

use jiff::civil::DateTime;
use relata_model::{TimeZone, text};

use super::{Reader, TestFile};
use crate::{
    definition::Definition,
    diagnostic::{self as codes, Place, Span},
    source::{Content, Entry, Node},
};

/// The keys of a block, and which of them were asked for.
pub(super) struct Keys<'n> {
    pub(super) entries: &'n [Entry],
    taken: BTreeSet<&'n str>,
    asked: BTreeSet<&'static str>,
}

impl<'n> Keys<'n> {
    /// A key's entry.
    pub(super) fn take(&mut self, key: &'static str) -> Option<&'n Entry> {
        self.asked.insert(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        self.taken.insert(&entry.key);
        Some(entry)
    }

    /// Takes every entry for which something holds.
    pub(super) fn take_all(&mut self, wanted: impl Fn(&str) -> bool) -> Vec<&'n Entry> {
        let found: Vec<&Entry> = self
            .entries
            .iter()
            .filter(|entry| wanted(&entry.key) && !self.taken.contains(entry.key.as_str()))
            .collect();
        self.taken.extend(found.iter().map(|entry| entry.key.as_str()));
        found
    }

    /// The entries that were not taken.
    pub(super) fn rest(&self) -> impl Iterator<Item = &'n Entry> {
        self.entries.iter().filter(|entry| !self.taken.contains(entry.key.as_str()))
    }

    /// Where the block begins.
    pub(super) fn place(&self) -> Place {
        self.entries.first().map(|entry| entry.key_place).unwrap_or_default()
    }
}

impl<'a> Reader<'a> {
    pub(super) fn error(
        &mut self,
        code: &'static str,
        place: Place,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.findings.error(code, place, message, help);
    }

    pub(super) fn span(&self, place: Place) -> Span {
        self.findings.span(place.start, place.end)
    }

    /// A workflow, where it is there and has no errors.
    pub(super) fn definition_of(&self, name: &str) -> Option<&'a Definition> {
        self.context.workflows.get(name)?.as_ref()
    }

    /// The workflow that is tested.
    pub(super) fn definition(&self) -> Option<&'a Definition> {
        self.definition_of(&self.workflow)
    }

    /// The definitions of all workflows that are active in the test.
    pub(super) fn active(&self) -> Vec<&'a Definition> {
        std::iter::once(&self.workflow)
            .chain(&self.also)
            .filter_map(|name| self.definition_of(name))
            .collect()
    }

    pub(super) fn test_file(&mut self, file: &str, root: &Node) -> Option<TestFile> {
        if root.is_nothing() {
            let help = Some("begin with `test: name-of-the-workflow`".to_owned());
            self.error(codes::MISSING_KEY, root.place, "the file is empty", help);
            return None;
        }
        let mut keys = self.keys(root, "a test file")?;
        let workflow = self.tested(&mut keys);
        self.workflow = workflow.clone().unwrap_or_default();
        if let Some(entry) = keys.take("time_zone") {
            self.time_zone(entry);
        }
        let start = keys.take("start").and_then(|entry| self.local_time(entry));
        self.also = keys.take("also").map(|entry| self.also(entry)).unwrap_or_default();
        let given_entry = keys.take("given");
        self.known = given_entry.map(given_names).unwrap_or_default();
        let given = given_entry.map(|entry| self.given(entry)).unwrap_or_default();
        let pretend = keys.take("pretend").map(|entry| self.pretend(entry)).unwrap_or_default();
        let cases = match keys.take("cases") {
            Some(entry) => self.cases(entry, start),
            None => {
                let help = Some("add `cases:` with `- it: …` and `play:`".to_owned());
                self.error(codes::MISSING_KEY, keys.place(), "the test has no cases", help);
                Vec::new()
            }
        };
        self.unknown_keys(&keys, "a test file");
        Some(TestFile {
            file: file.to_owned(),
            workflow: workflow?,
            zone: self.zone.clone(),
            start,
            also: std::mem::take(&mut self.also),
            given,
            pretend,
            cases,
        })
    }

    /// `test: inquiry-survey`
    fn tested(&mut self, keys: &mut Keys<'_>) -> Option<String> {
        let Some(entry) = keys.take("test") else {
            let help = Some("begin with `test: name-of-the-workflow`".to_owned());
            let message = "the file does not say which workflow it tests";
            self.error(codes::MISSING_KEY, keys.place(), message, help);
            return None;
        };
        let name = self.plain_text(entry)?.to_owned();
        self.workflow_named(&name, entry.value.place)?;
        Some(name)
    }

    /// A workflow beside the file.
    pub(super) fn workflow_named(&mut self, name: &str, place: Place) -> Option<()> {
        let workflows = self.context.workflows;
        if workflows.contains_key(name) {
            return Some(());
        }
        let help = codes::mean_or_list(name, workflows.keys().map(String::as_str));
        let message = format!("there is no workflow `{name}` beside this file");
        self.error(codes::TESTS_NOTHING, place, message, help);
        None
    }

    fn also(&mut self, entry: &Entry) -> Vec<String> {
        let mut names = Vec::new();
        let items = self.items(entry);
        for node in items {
            let Some(name) = self.text_of(node, "`also`") else { continue };
            if name == self.workflow {
                let message = format!("`{name}` is the workflow that is tested: it is active");
                self.error(codes::WRONG_VALUE, node.place, message, None);
            } else if self.workflow_named(&name, node.place).is_some() {
                names.push(name);
            }
        }
        names
    }

    fn time_zone(&mut self, entry: &Entry) {
        let Some(name) = self.plain_text(entry).map(str::to_owned) else { return };
        match TimeZone::get(&name) {
            Ok(zone) => self.zone = zone,
            Err(_) => self.error(
                codes::UNKNOWN_ZONE,
                entry.value.place,
                format!("there is no time zone `{name}`"),
                Some("use an IANA name such as Europe/Berlin".to_owned()),
            ),
        }
    }

    /// A local time of the test.
    pub(super) fn local_time(&mut self, entry: &Entry) -> Option<DateTime> {
        let text = self.plain_text(entry)?.to_owned();
        self.time_of(&text, entry.value.place)
    }

    pub(super) fn time_of(&mut self, text: &str, place: Place) -> Option<DateTime> {
        let read = local(text, &self.zone);
        if read.is_none() {
            let message = format!("`{text}` is not a time");
            let help = Some("write `2026-12-23 18:05`, which is local time".to_owned());
            self.error(codes::WRONG_VALUE, place, message, help);
        }
        read
    }

    /// The keys of a block; says so where it is none.
    pub(super) fn keys<'n>(&mut self, node: &'n Node, what: &str) -> Option<Keys<'n>> {
        match &node.value {
            Content::Map(entries) => {
                Some(Keys { entries, taken: BTreeSet::new(), asked: BTreeSet::new() })
            }
            Content::Spoiled => None,
            _ => {
                let message = format!("{what} is a block of `key: value`");
                self.error(codes::WRONG_FORM, node.place, message, None);
                None
            }
        }
    }

    /// Tells of the keys that nobody asked for.
    pub(super) fn unknown_keys(&mut self, keys: &Keys<'_>, what: &str) {
        for entry in keys.rest() {
            let asked = keys.asked.iter().copied();
            let help = codes::did_you_mean(&entry.key, asked.clone())
                .or_else(|| Some(format!("known are {}", asked.collect::<Vec<_>>().join(", "))));
            let message = format!("{what} has no key `{}`", entry.key);
            self.error(codes::UNKNOWN_KEY, entry.key_place, message, help);
        }
    }

    /// A text that is not empty; says so where it is none.
    pub(super) fn plain_text<'n>(&mut self, entry: &'n Entry) -> Option<&'n str> {
        match &entry.value.value {
            Content::Text { text, .. } if !text.trim().is_empty() => {
                if self.is_computed(&entry.value) {
                    return None;
                }
                Some(text.trim())
            }
            Content::Spoiled => None,
            Content::Nothing | Content::Text { .. } => {
                let message = format!("`{}` has no value", entry.key);
                self.error(codes::MISSING_KEY, entry.key_place, message, None);
                None
            }
            _ => {
                let message = format!("`{}` is a text", entry.key);
                self.error(codes::WRONG_FORM, entry.value.place, message, None);
                None
            }
        }
    }

    /// Says that nothing is computed in a test, where somebody tries.
    pub(super) fn is_computed(&mut self, node: &Node) -> bool {
        let computed = match &node.value {
            Content::Text { text, is_plain } => *is_plain && text.starts_with('='),
            _ => false,
        };
        if computed {
            let message = "a test holds plain values, and computes nothing";
            let help = Some("write the value out, or put the text in quotes".to_owned());
            self.error(codes::WRONG_FORM, node.place, message, help);
        }
        computed
    }

    /// A node that is a text.
    pub(super) fn text_of(&mut self, node: &Node, what: &str) -> Option<String> {
        match &node.value {
            Content::Text { text, .. } if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Content::Spoiled => None,
            _ => {
                self.error(codes::WRONG_FORM, node.place, format!("{what} is a text"), None);
                None
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn yes_no(&mut self, entry: &Entry) -> Option<bool> {
        match self.plain_text(entry)? {
            "true" | "yes" => Some(true),
            "false" | "no" => Some(false),
            other => {
                let message = format!("`{}` is `true` or `false`, not `{other}`", entry.key);
                self.error(codes::WRONG_VALUE, entry.value.place, message, None);
                None
            }
        }
    }

    /// A list's items; a single value counts as a list of one.
    pub(super) fn items<'n>(&mut self, entry: &'n Entry) -> &'n [Node] {
        match &entry.value.value {
            Content::List(items) => items,
            Content::Spoiled => &[],
            Content::Nothing => {
                let message = format!("`{}` has no value", entry.key);
                self.error(codes::MISSING_KEY, entry.key_place, message, None);
                &[]
            }
            _ => std::slice::from_ref(&entry.value),
        }
    }
}

/// The names of the records in a `given:` block.
pub(super) fn given_names(entry: &Entry) -> BTreeSet<relata_model::Reference> {
    entry
        .value
        .entries()
        .unwrap_or_default()
        .iter()
        .filter_map(|entry| entry.key.trim().parse().ok())
        .collect()
}

/// `2026-12-14 10:00`, a day alone (its beginning), or a time with an offset,
/// as the clock shows it in a zone.
pub(super) fn local(written: &str, zone: &TimeZone) -> Option<DateTime> {
    let written = written.trim();
    if let Ok(time) = written.parse::<relata_model::Timestamp>() {
        return Some(time.to_zoned(zone.clone()).datetime());
    }
    written
        .parse::<DateTime>()
        .or_else(|_| DateTime::strptime("%Y-%m-%d %H:%M", written))
        .ok()
        .or_else(|| written.parse::<jiff::civil::Date>().ok().map(DateTime::from))
}

/// `a lead`, for messages.
pub(super) fn named(object: &str) -> String {
    text::with_article(object)
}

//! The file, its cases, and what is there before a call.

use std::collections::{BTreeMap, BTreeSet};

use relata_model::{Calendar, Fields, Objects, Reference, TimeZone, Timestamp, Value};
use serde_json::Value as Json;

use super::{PluginCase, PluginExpectation};
use crate::{
    catalog::ActionSignature,
    diagnostic::{self as codes, Place},
    read::schema::{self, Wanted},
    source::{Content, Entry, Node},
    test_file::{
        Given, Reader,
        read::{Keys, given_names},
        values::json,
    },
};

/// What the clock shows where nobody says: a Monday morning.
const USUAL_MS: i64 = 1_780_308_000_000;

/// What is there before a call, and how it is made: what the file says, and
/// over it what the case says.
#[derive(Debug, Clone, Default)]
struct Before {
    at: Option<Timestamp>,
    seed: Option<u64>,
    /// In the order of the file.
    records: Vec<(Reference, Fields, Place)>,
    state: BTreeMap<String, Json>,
    secrets: BTreeMap<String, String>,
}

impl<'a> Reader<'a> {
    /// The cases of a plugin's test file.
    pub(super) fn plugin_test(&mut self, plugin: &str, root: &Node) -> Option<Vec<PluginCase>> {
        let mut keys = self.keys(root, "a test file")?;
        self.tested_plugin(&mut keys, plugin);
        let before = self.before(&mut keys, &Before::default());
        let cases = keys.take("cases");
        self.unknown_keys(&keys, "a test file of a plugin");
        let Some(entry) = cases else {
            let help = Some("add `cases:` with `- it: …`, `call:` and `expect:`".to_owned());
            self.error(codes::MISSING_KEY, keys.place(), "the test has no cases", help);
            return None;
        };
        let items = self.items(entry);
        if items.is_empty() && !entry.value.is_spoiled() {
            let help = Some("add `- it: …` with `call:` and `expect:`".to_owned());
            self.error(codes::MISSING_KEY, entry.key_place, "the test has no cases", help);
        }
        let mut cases: Vec<PluginCase> = Vec::new();
        for node in items {
            let outer = self.known.clone();
            let case = self.plugin_case(plugin, node, &before);
            self.known = outer;
            let Some(case) = case else { continue };
            self.same_name(&cases, &case);
            cases.push(case);
        }
        Some(cases)
    }

    /// `plugin: enrich`
    fn tested_plugin(&mut self, keys: &mut Keys<'_>, plugin: &str) {
        let Some(entry) = keys.take("plugin") else {
            let message = "the file does not say which plugin it tests";
            let help = Some(format!("begin with `plugin: {plugin}`"));
            self.error(codes::MISSING_KEY, keys.place(), message, help);
            return;
        };
        if let Some(name) = self.plain_text(entry).map(str::to_owned)
            && name != plugin
        {
            let message = format!("the file tests the plugin `{name}`, and this one is `{plugin}`");
            self.error(codes::TESTS_NOTHING, entry.value.place, message, None);
        }
    }

    fn same_name(&mut self, cases: &[PluginCase], case: &PluginCase) {
        if let Some(same) = cases.iter().find(|other| other.it == case.it) {
            let place = Place { start: case.span.start, end: case.span.end };
            let message = format!("the case of line {} is called the same", same.span.line);
            let help = Some("say what is special about each".to_owned());
            self.error(codes::WRONG_NAME, place, message, help);
        }
    }

    /// What stands the same way in a file and in a case.
    fn before(&mut self, keys: &mut Keys<'_>, outer: &Before) -> Before {
        let mut before = outer.clone();
        if let Some(entry) = keys.take("at") {
            let at = self.local_time(entry);
            before.at = at.and_then(|at| TimeZone::UTC.to_timestamp(at).ok()).or(before.at);
        }
        if let Some(entry) = keys.take("seed") {
            before.seed = self.number(entry).or(before.seed);
        }
        if let Some(entry) = keys.take("given") {
            self.known.extend(given_names(entry));
            self.over_given(entry, &mut before.records);
        }
        if let Some(entry) = keys.take("state")
            && let Some(values) = self.keys(&entry.value, "`state`")
        {
            let values = values.entries.iter();
            before.state.extend(values.map(|entry| (entry.key.clone(), json(&entry.value))));
        }
        if let Some(entry) = keys.take("secrets")
            && let Some(secrets) = self.keys(&entry.value, "`secrets`")
        {
            for secret in secrets.entries {
                if let Some(text) = self.plain_text(secret).map(str::to_owned) {
                    before.secrets.insert(secret.key.clone(), text);
                }
            }
        }
        before
    }

    /// `given:` of a case is laid over the file's, field by field.
    fn over_given(&mut self, entry: &Entry, records: &mut Vec<(Reference, Fields, Place)>) {
        let Some(keys) = self.keys(&entry.value, "`given`") else { return };
        for entry in keys.entries {
            let Some((record, object)) = self.new_record(&entry.key, entry.key_place) else {
                continue;
            };
            let fields = match &entry.value.value {
                Content::Nothing => Some(Fields::new()),
                _ => self.fields(&entry.value, &object, &record.to_string()),
            };
            let Some(fields) = fields else { continue };
            match records.iter_mut().find(|(there, ..)| *there == record) {
                Some((_, there, _)) => there.extend(fields),
                None => records.push((record, fields, entry.key_place)),
            }
        }
    }

    /// The records before a call, with what must not be empty.
    fn given_records(&mut self, records: Vec<(Reference, Fields, Place)>) -> Vec<Given> {
        let mut all = Vec::with_capacity(records.len());
        for (record, mut fields, place) in records {
            if !self.is_seed(&record)
                && let Some(object) = self.object(&record.object, place).cloned()
            {
                self.fill_in(&mut fields, &object, &record, place);
            }
            all.push(Given { record, fields, span: self.span(place) });
        }
        all
    }

    fn plugin_case(&mut self, plugin: &str, node: &Node, outer: &Before) -> Option<PluginCase> {
        let mut keys = self.keys(node, "a case")?;
        let title = keys.take("it");
        if title.is_none() {
            let help = Some("add `it: does this when that`".to_owned());
            let message = "the case does not say what it is about";
            self.error(codes::MISSING_KEY, keys.place(), message, help);
        }
        let it = title.and_then(|entry| self.plain_text(entry)).map(str::to_owned);
        let span = self.span(title.map_or_else(|| keys.place(), |entry| entry.value.place));
        let before = self.before(&mut keys, outer);
        let at = before.at.unwrap_or_else(usual_time);
        let given = self.given_records(before.records);
        let about = keys.take("about").and_then(|entry| self.record_of(entry));
        let attempt = keys.take("attempt").and_then(|entry| self.number(entry)).unwrap_or(1);
        let signature = self.called(&mut keys, plugin);
        let with = keys.take("with");
        let input = signature.and_then(|signature| self.input(signature, with, &keys, at));
        let web = keys.take("http").map(|entry| self.exchanges(entry)).unwrap_or_default();
        let expect = self.expected_of_call(&mut keys, signature);
        self.unknown_keys(&keys, "a case");
        let signature = signature?;
        Some(PluginCase {
            it: it?,
            span,
            at,
            seed: before.seed,
            given,
            state: before.state,
            secrets: before.secrets,
            action: own_name(plugin, &signature.name).to_owned(),
            input: input?,
            about,
            attempt: u32::try_from(attempt).unwrap_or(u32::MAX),
            web,
            expect: expect?,
        })
    }

    /// `call: company`, or `call: enrich.company`.
    fn called(&mut self, keys: &mut Keys<'_>, plugin: &str) -> Option<&'a ActionSignature> {
        let actions = &self.context.catalog.actions;
        let known = actions.keys().map(|name| own_name(plugin, name));
        let Some(entry) = keys.take("call") else {
            let message = "the case does not say which action is called";
            let help =
                Some(format!("add `call:` with one of {}", known.collect::<Vec<_>>().join(", ")));
            self.error(codes::MISSING_KEY, keys.place(), message, help);
            return None;
        };
        let name = own_name(plugin, self.plain_text(entry)?).to_owned();
        let found = actions.get(&format!("{plugin}.{name}"));
        if found.is_none() {
            let help = codes::mean_or_list(&name, known);
            let message = format!("`{plugin}` has no action `{name}`");
            self.error(codes::UNKNOWN_ACTION, entry.value.place, message, help);
        }
        found
    }

    fn expected_of_call(
        &mut self,
        keys: &mut Keys<'_>,
        signature: Option<&ActionSignature>,
    ) -> Option<PluginExpectation> {
        let Some(entry) = keys.take("expect") else {
            let message = "the case expects nothing, so that it could never fail";
            let help = Some("add `expect:` with `done: { … }`, say".to_owned());
            self.error(codes::EXPECTS_NOTHING, keys.place(), message, help);
            return None;
        };
        self.plugin_expectation(entry, signature)
    }

    /// The input of an action.
    fn input(
        &mut self,
        signature: &ActionSignature,
        with: Option<&Entry>,
        keys: &Keys<'_>,
        at: Timestamp,
    ) -> Option<BTreeMap<String, Value>> {
        let parameters = schema::parameters(&signature.input);
        let is_open = schema::is_open(&signature.input);
        let given = match with {
            Some(entry) => {
                // It may be the point of a case that a record is not there.
                let objects = &self.context.catalog.objects;
                named_in(&entry.value, objects, &mut self.known);
                self.keys(&entry.value, "`with`")?.entries
            }
            None => &[],
        };
        let before = self.findings.count();
        for (name, parameter) in &parameters {
            if parameter.required && !given.iter().any(|entry| entry.key == *name) {
                let place = with.map_or_else(|| keys.place(), |entry| entry.key_place);
                let message = format!("`{}` needs the argument `{name}`", signature.name);
                let help =
                    format!("add `{name}:` to `with:`, which is {}", parameter.wanted.describe());
                self.error(codes::MISSING_ARGUMENT, place, message, Some(help));
            }
        }
        let mut input = BTreeMap::new();
        for entry in given {
            let wanted = self.argument_wanted(&signature.name, &parameters, is_open, &[], entry);
            let Some(wanted) = wanted else { continue };
            let what = format!("`{}`", entry.key);
            let Some(value) = self.value(&entry.value, &wanted, &what) else { continue };
            input.insert(entry.key.clone(), as_the_host_gives(value, &wanted, at));
        }
        (!self.findings.has_error_since(before)).then_some(input)
    }

    /// A whole number from 0 on.
    fn number(&mut self, entry: &Entry) -> Option<u64> {
        let text = self.plain_text(entry)?.to_owned();
        let number = text.parse().ok();
        if number.is_none() {
            let message = format!("`{}` is a whole number, not `{text}`", entry.key);
            self.error(codes::WRONG_VALUE, entry.value.place, message, None);
        }
        number
    }
}

fn usual_time() -> Timestamp {
    Timestamp::from_millisecond(USUAL_MS).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// `company` of `enrich.company`.
fn own_name<'n>(plugin: &str, name: &'n str) -> &'n str {
    name.strip_prefix(plugin).and_then(|rest| rest.strip_prefix('.')).unwrap_or(name)
}

/// An argument as an action gets it: of a duration from now, the time.
fn as_the_host_gives(value: Value, wanted: &Wanted, at: Timestamp) -> Value {
    match (wanted, value) {
        (Wanted::Due, Value::Duration(by)) => {
            let after = Calendar::always_open(TimeZone::UTC).after(at, by);
            after.map_or(Value::Duration(by), Value::Time)
        }
        (_, value) => value,
    }
}

/// All that can be a record's name.
fn named_in(node: &Node, objects: &Objects, names: &mut BTreeSet<Reference>) {
    match &node.value {
        Content::Text { text, .. } => {
            let name = text.trim().parse::<Reference>().ok();
            names.extend(name.filter(|name| objects.get(&name.object).is_some()));
        }
        Content::List(items) => items.iter().for_each(|item| named_in(item, objects, names)),
        Content::Map(entries) => {
            entries.iter().for_each(|entry| named_in(&entry.value, objects, names));
        }
        Content::Nothing | Content::Spoiled => {}
    }
}

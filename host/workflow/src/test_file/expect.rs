//! What is expected.

use std::collections::BTreeMap;

use super::{Expectation, ExpectedRecord, Part, Reader, Several, Standing, Until, read::Keys};
use crate::{
    definition::{Definition, StepKind},
    diagnostic as codes,
    read::schema::{self, Parameter, Wanted},
    source::{Content, Entry},
};

/// What may be expected of a call beside its arguments.
const BESIDE_ARGUMENTS: [&str; 2] = ["says", "gives"];

/// What may be expected of a message that left.
const OF_MESSAGES: [&str; 5] = ["to", "template", "subject", "says", "at"];

/// The keys that an expectation may have, beside actions, records and
/// objects.
const KEYS: [&str; 10] = [
    "until",
    "reason",
    "outcome",
    "outputs",
    "nothing_sent",
    "sent",
    "not_started",
    "of",
    "for",
    "expect",
];

impl<'a> Reader<'a> {
    /// `expect:` and what belongs to it; none where the entry expects
    /// nothing.
    pub(super) fn expectation(&mut self, keys: &mut Keys<'_>) -> Option<Expectation> {
        let entry = keys.take("expect")?;
        let told_before = self.findings.count();
        let mut expectation =
            Expectation { span: self.span(entry.key_place), ..Expectation::default() };
        match &entry.value.value {
            Content::Map(_) => {
                // `expect:` with everything below it.
                let mut inner = self.keys(&entry.value, "`expect`")?;
                self.expected(&mut inner, &mut expectation);
                self.unknown_expected(&inner);
            }
            Content::Nothing | Content::Spoiled => {}
            _ => {
                expectation.span = self.span(entry.value.place);
                expectation.status =
                    self.standing(entry).map(|standing| (standing, self.span(entry.value.place)));
            }
        }
        self.expected(keys, &mut expectation);
        self.has_mistaken |= self.findings.count() > told_before;
        Some(expectation)
    }

    /// Tells of expectations that stand without `expect:`, if there are any.
    pub(super) fn forgotten(&mut self, keys: &mut Keys<'_>) -> bool {
        let found = keys.take_all(|key| {
            (KEYS.contains(&key) && !matches!(key, "of" | "for"))
                || key.contains('/')
                || key.contains('.')
        });
        if let Some(first) = found.first() {
            let message = format!("`{}` belongs to an expectation, and there is none", first.key);
            let help = Some("write `- expect:` above it".to_owned());
            self.error(codes::MISSING_KEY, first.key_place, message, help);
        }
        !found.is_empty()
    }

    fn unknown_expected(&mut self, keys: &Keys<'_>) {
        self.unknown_keys(keys, "an expectation");
    }

    fn standing(&mut self, entry: &Entry) -> Option<Standing> {
        let word = self.plain_text(entry)?.to_owned();
        let found = Standing::ALL.into_iter().find(|(known, _)| *known == word);
        if found.is_none() {
            let known = Standing::ALL.iter().map(|(known, _)| *known);
            let help = codes::mean_or_list(&word, known);
            let message = format!("a run is never `{word}`");
            self.error(codes::NOT_A_CHOICE, entry.value.place, message, help);
        }
        found.map(|(_, standing)| standing)
    }

    fn expected(&mut self, keys: &mut Keys<'_>, expectation: &mut Expectation) {
        if let Some(entry) = keys.take("of") {
            let name = self.plain_text(entry).map(str::to_owned);
            expectation.workflow =
                name.filter(|name| self.workflow_named(name, entry.value.place).is_some());
        }
        if let Some(entry) = keys.take("for") {
            expectation.about = self.record_of(entry);
        }
        if let Some(entry) = keys.take("until") {
            let span = self.span(entry.value.place);
            expectation.until = self.until(entry).map(|until| (until, span));
        }
        for (key, slot) in [
            ("reason", &mut expectation.reason),
            ("outcome", &mut expectation.outcome),
            ("not_started", &mut expectation.not_started),
        ] {
            let Some(entry) = keys.take(key) else { continue };
            let span = self.span(entry.value.place);
            *slot = self.plain_text(entry).map(|text| (text.to_owned(), span));
        }
        if let (Some((outcome, span)), Some(definition)) =
            (&expectation.outcome, self.expected_of(expectation))
            && !definition.stop_when.iter().any(|stop| stop.outcome.as_deref() == Some(outcome))
        {
            let known: Vec<String> =
                definition.stop_when.iter().filter_map(|stop| stop.outcome.clone()).collect();
            let help = codes::mean_or_list(outcome, known.iter().map(String::as_str));
            let place = codes::Place { start: span.start, end: span.end };
            let message = format!("`{}` never ends as `{outcome}`", definition.name);
            self.error(codes::NOT_A_CHOICE, place, message, help);
        }
        if let Some(entry) = keys.take("outputs") {
            expectation.outputs = self.outputs(entry, expectation);
        }
        if let Some(entry) = keys.take("nothing_sent") {
            let span = self.span(entry.key_place);
            if self.yes_no(entry) == Some(false) {
                let message = "`nothing_sent: false` says nothing";
                let help = Some("write `sent:` with what was sent".to_owned());
                self.error(codes::WRONG_VALUE, entry.value.place, message, help);
            }
            expectation.nothing_sent = Some(span);
        }
        if let Some(entry) = keys.take("sent") {
            expectation.sent = self.several(entry, |reader, part| reader.message_wanted(part));
        }
        for entry in keys.take_all(|key| key.contains('/')) {
            if let Some(record) = self.expected_record(entry) {
                expectation.records.push(record);
            }
        }
        for entry in keys.take_all(|key| key.contains('.')) {
            if let Some(calls) = self.expected_calls(entry) {
                expectation.calls.push((entry.key.clone(), calls));
            }
        }
        let objects = &self.context.catalog.objects;
        for entry in keys.take_all(|key| objects.get(key).is_some()) {
            if let Some(created) = self.expected_new(entry) {
                expectation.created.push((entry.key.clone(), created));
            }
        }
    }

    /// The workflow whose run an expectation speaks of.
    fn expected_of(&self, expectation: &Expectation) -> Option<&'a Definition> {
        self.definition_of(expectation.workflow.as_ref().unwrap_or(&self.workflow))
    }

    fn until(&mut self, entry: &Entry) -> Option<Until> {
        match self.plain_text(entry)? {
            "something happens" | "something_happens" => Some(Until::SomethingHappens),
            _ => self.local_time(entry).map(Until::Time),
        }
    }

    fn outputs(&mut self, entry: &Entry, expectation: &Expectation) -> Vec<Part> {
        let known: Option<BTreeMap<String, Wanted>> =
            self.expected_of(expectation).map(|definition| {
                definition
                    .outputs
                    .iter()
                    .map(|output| (output.name.clone(), Wanted::of_type(&output.slot.kind)))
                    .collect()
            });
        let Some(keys) = self.keys(&entry.value, "`outputs`") else { return Vec::new() };
        let mut parts = Vec::new();
        for part in keys.entries {
            let wanted = match &known {
                None => Wanted::Open,
                Some(known) => match known.get(&part.key) {
                    Some(wanted) => wanted.clone(),
                    None => {
                        let help = codes::mean_or_list(&part.key, known.keys().map(String::as_str));
                        let message = format!("the workflow yields no `{}`", part.key);
                        self.error(codes::UNKNOWN_FIELD, part.key_place, message, help);
                        continue;
                    }
                },
            };
            let Some(check) = self.check(&part.value, &wanted, &format!("`{}`", part.key)) else {
                continue;
            };
            parts.push(Part { name: part.key.clone(), check, span: self.span(part.key_place) });
        }
        parts
    }

    fn message_wanted(&mut self, part: &Entry) -> Option<Wanted> {
        match part.key.as_str() {
            "to" => Some(Wanted::Record(Vec::new())),
            "template" | "subject" => Some(Wanted::Text),
            "says" => Some(Wanted::List(Box::new(Wanted::Text))),
            "at" => Some(Wanted::Time),
            other => {
                let help = codes::mean_or_list(other, OF_MESSAGES.into_iter());
                let message = format!("a message has no `{other}`");
                self.error(codes::UNKNOWN_ARGUMENT, part.key_place, message, help);
                None
            }
        }
    }

    pub(super) fn expected_record(&mut self, entry: &Entry) -> Option<ExpectedRecord> {
        let span = self.span(entry.key_place);
        let (record, object) = self.new_record(&entry.key, entry.key_place)?;
        let target = self.known_record(record, entry.key_place)?;
        if entry.value.text().map(str::trim) == Some("nothing") {
            return Some(ExpectedRecord { target, span, fields: None });
        }
        let keys = self.keys(&entry.value, &format!("`{target}`"))?;
        let mut fields = Vec::new();
        for part in keys.entries {
            let Some(wanted) = self.field_wanted(&object, part) else { continue };
            let Some(check) = self.check(&part.value, &wanted, &format!("`{}`", part.key)) else {
                continue;
            };
            fields.push(Part { name: part.key.clone(), check, span: self.span(part.key_place) });
        }
        Some(ExpectedRecord { target, span, fields: Some(fields) })
    }

    /// `survey.send: { to: contact/anna }`
    fn expected_calls(&mut self, entry: &Entry) -> Option<Several> {
        let catalog = self.context.catalog;
        let Some(signature) = catalog.actions.get(&entry.key) else {
            let known = catalog.actions.keys().map(String::as_str);
            let help = codes::did_you_mean(&entry.key, known)
                .or_else(|| Some("`relata action list` lists them".to_owned()));
            let message = format!("there is no action `{}`", entry.key);
            self.error(codes::UNKNOWN_ACTION, entry.key_place, message, help);
            return None;
        };
        self.never_called(entry);
        let parameters: BTreeMap<String, Parameter> = schema::parameters(&signature.input);
        let is_open = schema::is_open(&signature.input);
        let result = Wanted::of_type(&schema::result(&signature.output, &BTreeMap::new()));
        let action = entry.key.clone();
        self.several(entry, |reader, part| match part.key.as_str() {
            key if parameters.contains_key(key) => parameters.get(key).map(|p| p.wanted.clone()),
            "says" => Some(Wanted::List(Box::new(Wanted::Text))),
            "gives" => Some(result.clone()),
            _ => reader.argument_wanted(&action, &parameters, is_open, &BESIDE_ARGUMENTS, part),
        })
    }

    /// Warns of a call that no step makes.
    fn never_called(&mut self, entry: &Entry) {
        let definitions: Vec<&Definition> = self.active();
        let called = definitions
            .iter()
            .flat_map(|definition| &definition.steps)
            .any(|step| matches!(&step.kind, StepKind::Do(call) if call.action == entry.key));
        let is_known = self.definition().is_some();
        if is_known && !called {
            let message = format!("no step does `{}`", entry.key);
            self.findings.warning(codes::UNREACHABLE, entry.key_place, message, None);
        }
    }

    /// `task: { assignee: user/mara }`: a new one.
    pub(super) fn expected_new(&mut self, entry: &Entry) -> Option<Several> {
        let object = self.object(&entry.key, entry.key_place)?.clone();
        self.several(entry, |reader, part| reader.field_wanted(&object, part))
    }
}

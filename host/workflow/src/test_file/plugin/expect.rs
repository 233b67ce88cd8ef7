//! What has to come of a call.

use std::collections::BTreeMap;

use relata_model::Duration;

use super::{Ending, ExpectedRequest, PluginExpectation};
use crate::{
    catalog::ActionSignature,
    diagnostic as codes,
    read::schema::{self, Wanted},
    source::{Content, Entry},
    test_file::{Check, Part, Reader, Several, read::Keys},
};

/// How a call can end.
const ENDINGS: [&str; 5] = ["done", "skipped", "retry", "failed", "panics"];

/// With what a call can fail: what an action says, and what the host says of
/// an action that did not come to an answer.
const CODES: [&str; 22] = [
    "denied",
    "invalid",
    "not-found",
    "conflict",
    "limit",
    "transient",
    "permanent",
    "cancelled",
    "input-limit",
    "bad-input",
    "cpu-limit",
    "memory-limit",
    "table-limit",
    "stack-limit",
    "time-out",
    "host-call-limit",
    "output-limit",
    "bad-output",
    "panic",
    "trap",
    "host",
    "unknown-action",
];

const OF_MAILS: [&str; 4] = ["to", "template", "subject", "says"];
const OF_NOTICES: [&str; 2] = ["to", "says"];
const OF_EVENTS: [&str; 3] = ["event", "about", "data"];
const OF_LOG: [&str; 2] = ["level", "says"];

impl Reader<'_> {
    /// `expect:`
    pub(super) fn plugin_expectation(
        &mut self,
        entry: &Entry,
        signature: Option<&ActionSignature>,
    ) -> Option<PluginExpectation> {
        let before = self.findings.count();
        let mut keys = self.keys(&entry.value, "`expect`")?;
        let mut expectation =
            PluginExpectation { span: self.span(entry.key_place), ..PluginExpectation::default() };
        let endings: Vec<&Entry> = ENDINGS.iter().filter_map(|key| keys.take(key)).collect();
        if let [first, second, ..] = endings[..] {
            let message = format!(
                "a call ends in one way, and not with `{}` and `{}`",
                first.key, second.key
            );
            self.error(codes::WRONG_VALUE, second.key_place, message, None);
        }
        if let Some(ending) = endings.first() {
            let span = self.span(ending.key_place);
            expectation.ending = self.ending(ending, signature).map(|ending| (ending, span));
        }
        if let Some(entry) = keys.take("state") {
            expectation.state = self.open_parts(entry);
        }
        for (key, parts, slot) in [
            ("mail", &OF_MAILS[..], &mut expectation.mail),
            ("notice", &OF_NOTICES[..], &mut expectation.notice),
            ("emitted", &OF_EVENTS[..], &mut expectation.emitted),
        ] {
            if let Some(entry) = keys.take(key) {
                *slot = self.several(entry, |reader, part| reader.part_of(part, key, parts));
            }
        }
        if let Some(entry) = keys.take("requests_delivered") {
            let span = self.span(entry.key_place);
            expectation.delivered = Some((self.delivered(entry), span));
        }
        if let Some(entry) = keys.take("log") {
            expectation.log = self.log_lines(entry);
        }
        for entry in keys.take_all(|key| key.contains('/')) {
            expectation.records.extend(self.expected_record(entry));
        }
        let objects = &self.context.catalog.objects;
        for entry in keys.take_all(|key| objects.get(key).is_some()) {
            if let Some(created) = self.expected_new(entry) {
                expectation.created.push((entry.key.clone(), created));
            }
        }
        self.unknown_keys(&keys, "an expectation");
        if keys.entries.is_empty() {
            let message = "the case expects nothing, so that it could never fail";
            let help = Some("add `done: { … }`, say".to_owned());
            self.error(codes::EXPECTS_NOTHING, entry.key_place, message, help);
        }
        (!self.findings.has_error_since(before)).then_some(expectation)
    }

    fn ending(&mut self, entry: &Entry, signature: Option<&ActionSignature>) -> Option<Ending> {
        Some(match entry.key.as_str() {
            "done" => Ending::Done(self.output_parts(entry, signature?)),
            "skipped" => Ending::Skipped(self.plain_text(entry)?.to_owned()),
            "panics" => Ending::Panics(self.plain_text(entry)?.to_owned()),
            "retry" => {
                let mut keys = self.keys(&entry.value, "`retry`")?;
                let after = keys.take("after").and_then(|entry| self.length(entry));
                let says = self.says_of(&mut keys);
                self.unknown_keys(&keys, "`retry`");
                Ending::Retry { after, says }
            }
            _ => {
                let mut keys = self.keys(&entry.value, "`failed`")?;
                let code = keys.take("code").and_then(|entry| self.code(entry));
                let says = self.says_of(&mut keys);
                let retry_after = keys.take("retry_after").and_then(|entry| self.length(entry));
                self.unknown_keys(&keys, "`failed`");
                Ending::Failed { code, says, retry_after }
            }
        })
    }

    fn says_of(&mut self, keys: &mut Keys<'_>) -> Option<String> {
        keys.take("says").and_then(|entry| self.plain_text(entry)).map(str::to_owned)
    }

    fn code(&mut self, entry: &Entry) -> Option<String> {
        let code = self.plain_text(entry)?.to_owned();
        if !CODES.contains(&code.as_str()) {
            let help = codes::mean_or_list(&code, CODES.into_iter());
            let message = format!("no call fails with `{code}`");
            self.error(codes::NOT_A_CHOICE, entry.value.place, message, help);
            return None;
        }
        Some(code)
    }

    fn length(&mut self, entry: &Entry) -> Option<Duration> {
        let text = self.plain_text(entry)?.to_owned();
        let length = text.parse().ok();
        if length.is_none() {
            let message =
                format!("`{}` takes {}, not `{text}`", entry.key, Wanted::Duration.describe());
            self.error(codes::WRONG_VALUE, entry.value.place, message, None);
        }
        length
    }

    /// Parts of an action's output.
    fn output_parts(&mut self, entry: &Entry, signature: &ActionSignature) -> Vec<Part> {
        let output = Wanted::of_type(&schema::result(&signature.output, &BTreeMap::new()));
        match self.check(&entry.value, &output, "the output") {
            Some(Check::Has(parts)) => parts,
            Some(_) => {
                let message = "`done` takes a block of what the output must have";
                let help = Some("write `done: {}` where any output will do".to_owned());
                self.error(codes::WRONG_FORM, entry.value.place, message, help);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// Parts of which nothing is known.
    fn open_parts(&mut self, entry: &Entry) -> Vec<Part> {
        let what = format!("`{}`", entry.key);
        let Some(keys) = self.keys(&entry.value, &what) else { return Vec::new() };
        let mut parts = Vec::new();
        for part in keys.entries {
            let what = format!("`{}`", part.key);
            if let Some(check) = self.check(&part.value, &Wanted::Open, &what) {
                parts.push(Part { name: part.key.clone(), check, span: self.span(part.key_place) });
            }
        }
        parts
    }

    /// What a part of a mail, a notice, an event or a line of the log takes.
    fn part_of(&mut self, part: &Entry, what: &str, known: &[&str]) -> Option<Wanted> {
        if !known.contains(&part.key.as_str()) {
            let help = codes::mean_or_list(&part.key, known.iter().copied());
            let message = format!("`{what}` has no part `{}`", part.key);
            self.error(codes::UNKNOWN_ARGUMENT, part.key_place, message, help);
            return None;
        }
        Some(match part.key.as_str() {
            "to" => Wanted::Record(Vec::new()),
            "about" => Wanted::List(Box::new(Wanted::Record(Vec::new()))),
            "says" => Wanted::List(Box::new(Wanted::Text)),
            "level" => {
                Wanted::Choice(["debug", "info", "warn", "error"].map(str::to_owned).to_vec())
            }
            "data" => Wanted::Open,
            _ => Wanted::Text,
        })
    }

    /// `log: { says: … }`, a list of such, or only what they say.
    fn log_lines(&mut self, entry: &Entry) -> Option<Several> {
        let is_block = match &entry.value.value {
            Content::List(items) => items.iter().all(|item| item.entries().is_some()),
            Content::Map(_) => true,
            _ => entry.value.text().map(str::trim) == Some("nothing"),
        };
        if is_block {
            return self.several(entry, |reader, part| reader.part_of(part, "log", &OF_LOG));
        }
        let span = self.span(entry.key_place);
        let items = self.items(entry);
        let mut each = Vec::new();
        for item in items {
            let Some(text) = self.text_of(item, "a line of the log") else { continue };
            let span = self.span(item.place);
            let check = Check::Is(relata_model::Value::Text(text));
            each.push(vec![Part { name: "says".to_owned(), check, span }]);
        }
        Some(Several { span, each })
    }

    fn delivered(&mut self, entry: &Entry) -> Vec<ExpectedRequest> {
        if entry.value.text().map(str::trim) == Some("nothing") {
            return Vec::new();
        }
        let items = self.items(entry);
        items
            .iter()
            .filter_map(|node| {
                let mut keys = self.keys(node, "an entry of `requests_delivered`")?;
                let request = self.request(&mut keys);
                self.unknown_keys(&keys, "an entry of `requests_delivered`");
                request
            })
            .collect()
    }
}

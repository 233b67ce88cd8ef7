//! What can stand at a place of a file that is being written.

use std::collections::BTreeSet;

use super::{
    Completion, CompletionKind, Range, Recording, described, formula,
    spot::{Context, Part, Spot, Wanted as Looked, called, find},
};
use crate::{
    catalog::Catalog,
    diagnostic::{Findings, Place},
    formula::Names,
    read::{self, Wanted, parameters},
    schema::{
        documentation, field_documentation,
        language::{Block, Form, Key},
    },
    source::{self, Node},
    types::{Slot, Type},
};

/// Stands where the cursor is, so that the place can be read.
const HERE: &str = "zz_here";

/// What can stand at a byte of a file. The file may be in any state.
#[must_use]
pub fn complete(file: &str, source: &str, offset: usize, catalog: &Catalog) -> Vec<Completion> {
    let Some((before, after)) = source.split_at_checked(offset) else { return Vec::new() };
    let line = &before[before.rfind('\n').map_or(0, |end| end + 1)..];
    if line.trim_start().starts_with('#') || line.contains(" #") {
        return Vec::new();
    }
    for with_here in attempts(before, line, after) {
        let root = source::read(&mut Findings::new(file, &with_here));
        let Some(root) = root else { continue };
        let key = |key: &str, _: Place| key.contains(HERE);
        let value = |node: &Node| node.text().is_some_and(|text| text.contains(HERE));
        let Some(spot) = find(&root, &Looked { key: &key, value: &value }) else { continue };
        let (_, _, recording) = read::recorded(file, &with_here, catalog);
        let none = Names::default();
        let names = recording.names_at(offset).unwrap_or(&none);
        let completer = Completer { catalog, offset, names, recording: &recording, after };
        return completer.at(&spot);
    }
    Vec::new()
}

/// The file with a word at the cursor, in the ways in which it may be
/// readable.
fn attempts(before: &str, line: &str, after: &str) -> Vec<String> {
    let rest = after.split('\n').next().unwrap_or_default();
    let below = &after[rest.len()..];
    let indent = line.trim_start_matches([' ', '-']);
    let mut attempts = Vec::new();
    let is_key = indent.chars().all(|letter| letter.is_alphanumeric() || "_-".contains(letter));
    if is_key && rest.trim().is_empty() {
        attempts.push(format!("{before}{HERE}: {below}"));
    }
    attempts.push(format!("{before}{HERE}{after}"));
    // Whatever is still open on the line is closed.
    attempts.push(format!("{before}{HERE}{}{below}", closing(line)));
    attempts
}

/// The signs that close what a line has opened.
fn closing(line: &str) -> String {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = line;
    while let Some(letter) = rest.chars().next() {
        let quoted = matches!(open.last(), Some(&("\"" | "'")));
        match letter {
            '{' if rest.starts_with("{{") => {
                open.push(" }}");
                rest = &rest[2..];
                continue;
            }
            '}' if rest.starts_with("}}") && open.last() == Some(&" }}") => {
                open.pop();
                rest = &rest[2..];
                continue;
            }
            '\\' if quoted => {
                let skipped = rest.chars().nth(1).map_or(0, char::len_utf8);
                rest = &rest[1 + skipped..];
                continue;
            }
            '"' | '\'' => {
                let sign = if letter == '"' { "\"" } else { "'" };
                if open.last() == Some(&sign) {
                    open.pop();
                } else if !quoted && !open.contains(&" }}") {
                    open.push(sign);
                }
            }
            '{' if !quoted => open.push(" }"),
            '[' if !quoted => open.push("]"),
            '}' if open.last() == Some(&" }") => {
                open.pop();
            }
            ']' if open.last() == Some(&"]") => {
                open.pop();
            }
            _ => {}
        }
        rest = &rest[letter.len_utf8()..];
    }
    open.into_iter().rev().collect()
}

struct Completer<'a> {
    catalog: &'a Catalog,
    offset: usize,
    names: &'a Names,
    recording: &'a Recording,
    /// The file behind the cursor.
    after: &'a str,
}

impl Completer<'_> {
    fn at(&self, spot: &Spot<'_>) -> Vec<Completion> {
        match spot.part {
            Part::Key => {
                let key = spot.entry.map_or("", |entry| entry.key.as_str());
                let written = key.split(HERE).next().unwrap_or_default();
                // In a list of texts, what looks like a key is a text.
                match spot.context {
                    Context::Form(form) if takes_texts(form) => {
                        let place = spot.entry.map(|entry| entry.key_place).unwrap_or_default();
                        self.value(spot, place, written)
                    }
                    _ => self.keys(spot, written),
                }
            }
            Part::Value(node) => {
                let text = node.text().unwrap_or_default();
                let written = text.split(HERE).next().unwrap_or_default();
                self.value(spot, node.place, written)
            }
        }
    }

    fn item(
        &self,
        label: impl Into<String>,
        kind: CompletionKind,
        detail: impl Into<String>,
        written: &str,
    ) -> Completion {
        let label = label.into();
        Completion {
            insert: label.clone(),
            label,
            kind,
            detail: detail.into(),
            documentation: String::new(),
            replaces: Range { start: self.offset - written.len(), end: self.offset },
        }
    }

    /// A key, with the colon behind it where there is none.
    fn key_item(&self, name: &str, doc: &str, kind: CompletionKind, written: &str) -> Completion {
        let mut item = self.item(name, kind, "", written);
        item.documentation = doc.to_owned();
        if !self
            .after
            .trim_start_matches(|letter: char| letter.is_alphanumeric() || letter == '_')
            .starts_with(':')
        {
            item.insert.push_str(": ");
        }
        item
    }

    fn keys(&self, spot: &Spot<'_>, written: &str) -> Vec<Completion> {
        let given: BTreeSet<&str> = spot.entries.iter().map(|entry| entry.key.as_str()).collect();
        let mut found = Vec::new();
        match spot.context {
            Context::Block(block) => {
                self.arguments(spot, &given, written, &mut found);
                let sort = block.sort(given.iter().copied());
                let mut known: Vec<&Key> = block.keys().iter().collect();
                match sort {
                    Some(sort) => known.extend(sort.others),
                    None => known.extend(block.sorts().iter().map(|sort| &sort.key)),
                }
                for key in known.into_iter().filter(|key| !given.contains(key.name)) {
                    let mut item = self.key_item(key.name, key.doc, CompletionKind::Key, written);
                    let example = block.sorts().iter().find(|sort| sort.key.name == key.name);
                    if let Some(sort) = example {
                        item.documentation.push_str(&format!("\n\n```yaml\n{}\n```", sort.example));
                    }
                    if is_block(key.form) && item.insert.ends_with(' ') {
                        item.insert.pop();
                    }
                    found.push(item);
                }
            }
            Context::With { workflow } => {
                let known = workflow.and_then(|name| self.catalog.workflows.get(name));
                for input in known.into_iter().flat_map(|known| &known.inputs) {
                    if !given.contains(input.name.as_str()) {
                        let doc = input.title.clone().unwrap_or_default();
                        let mut item =
                            self.key_item(&input.name, &doc, CompletionKind::Argument, written);
                        item.detail = described(&input.slot);
                        found.push(item);
                    }
                }
            }
            _ => {
                let place = spot.entry.map(|entry| entry.key_place).unwrap_or_default();
                self.parts(self.recording.wanted_at(place), &given, written, &mut found);
            }
        }
        found
    }

    /// The arguments of a step's action, those first that it needs.
    fn arguments(
        &self,
        spot: &Spot<'_>,
        given: &BTreeSet<&str>,
        written: &str,
        found: &mut Vec<Completion>,
    ) {
        let action = called(spot.entries).and_then(|action| self.catalog.actions.get(action));
        let Some(signature) = action else { return };
        let all = parameters(&signature.input);
        let (needed, others): (Vec<_>, Vec<_>) =
            all.iter().partition(|(_, parameter)| parameter.required);
        for (name, parameter) in needed.into_iter().chain(others) {
            if !given.contains(name.as_str()) {
                let doc = documentation(&signature.input, name, parameter);
                let mut item = self.key_item(name, &doc, CompletionKind::Argument, written);
                item.detail = parameter.wanted.describe();
                found.push(item);
            }
        }
    }

    /// The fields of a record, or the parts of a block of values.
    fn parts(
        &self,
        wanted: Option<&Wanted>,
        given: &BTreeSet<&str>,
        written: &str,
        found: &mut Vec<Completion>,
    ) {
        match wanted {
            Some(Wanted::Fields { objects, .. }) => {
                let mut seen = BTreeSet::new();
                for definition in objects.iter().filter_map(|name| self.catalog.objects.get(name)) {
                    for name in &definition.order {
                        let Some(field) = definition.field(name) else { continue };
                        if field.read_only || given.contains(name.as_str()) || !seen.insert(name) {
                            continue;
                        }
                        let doc = field_documentation(field);
                        let mut item = self.key_item(name, &doc, CompletionKind::Field, written);
                        item.detail = field.kind.describe();
                        found.push(item);
                    }
                }
            }
            Some(Wanted::Map(parts)) => {
                for (name, parameter) in parts {
                    if !given.contains(name.as_str()) {
                        let mut item = self.key_item(name, "", CompletionKind::Argument, written);
                        item.detail = parameter.wanted.describe();
                        found.push(item);
                    }
                }
            }
            _ => {}
        }
    }

    fn value(&self, spot: &Spot<'_>, place: Place, written: &str) -> Vec<Completion> {
        let objects = &self.catalog.objects;
        if let Some(open) = written.rfind("{{").filter(|open| !written[*open..].contains("}}")) {
            let inside = &written[open + 2..];
            if let Some(bar) = inside.rfind('|') {
                return formula::filters(&inside[bar + 1..], self.offset);
            }
            return formula::complete(inside, self.offset, self.names, objects);
        }
        if let Some(inside) = written.strip_prefix('=') {
            return formula::complete(inside, self.offset, self.names, objects);
        }
        let form = match spot.context {
            Context::Form(form) => form,
            Context::Block(Block::Workflow) => return Vec::new(),
            // A step, a trigger or a row that has no key yet.
            Context::Block(_) => return self.keys(spot, written),
            Context::Argument | Context::With { .. } | Context::Open => Form::Value,
        };
        match form {
            Form::Condition | Form::Conditions | Form::Formula => {
                formula::complete(written, self.offset, self.names, objects)
            }
            Form::Block(block) | Form::Blocks(block) => {
                self.keys(&Spot { context: Context::Block(block), entries: &[], ..*spot }, written)
            }
            Form::Steps => {
                let context = Context::Block(Block::Step);
                self.keys(&Spot { context, entries: &[], ..*spot }, written)
            }
            Form::Value | Form::FieldValues => self.argument(spot, place, written),
            other => self.listed(other, written),
        }
    }

    fn things<'w>(
        &self,
        words: impl IntoIterator<Item = &'w String>,
        kind: CompletionKind,
        detail: &str,
        written: &str,
    ) -> Vec<Completion> {
        words.into_iter().map(|word| self.item(word, kind, detail, written)).collect()
    }

    /// What a key of the language takes that is one of a list.
    fn listed(&self, form: Form, written: &str) -> Vec<Completion> {
        let catalog = self.catalog;
        let some = |words: &[&str]| -> Vec<Completion> {
            words.iter().map(|word| self.item(*word, CompletionKind::Word, "", written)).collect()
        };
        match form {
            Form::Words(words) => words
                .iter()
                .map(|(word, doc)| self.item(*word, CompletionKind::Word, *doc, written))
                .collect(),
            Form::YesNo => some(&["true", "false"]),
            Form::Record(object) | Form::Records(object) => self.records(object, written),
            Form::Owner => {
                let mut all = self.things(&catalog.roles, CompletionKind::Thing, "role", written);
                let teams = catalog.records.get("team").into_iter().flatten();
                all.extend(self.things(teams, CompletionKind::Thing, "team", written));
                all
            }
            Form::Asked => {
                let mut all = self.things(&catalog.roles, CompletionKind::Thing, "role", written);
                all.extend(self.variables(&Wanted::Record(vec!["user".to_owned()]), written));
                all
            }
            Form::ListFormula => self.variables(&Wanted::List(Box::new(Wanted::Open)), written),
            Form::Duration | Form::Due => {
                some(&["30 minutes", "4 working hours", "24 hours", "1 day", "7 days"])
            }
            Form::AgainAfter => some(&["never", "30 days", "180 days"]),
            Form::Share => some(&["50%", "100%", "200%"]),
            Form::Per(units) => units
                .iter()
                .map(|unit| self.item(format!("100 per {unit}"), CompletionKind::Word, "", written))
                .collect(),
            Form::Retry => some(&["3 times", "5 times, first after 1 minute", "never"]),
            Form::Object => self.objects(written),
            Form::Change => self.changes(written),
            Form::ChangeOf => formula::complete(written, self.offset, self.names, &catalog.objects)
                .into_iter()
                .filter(|item| {
                    matches!(item.kind, CompletionKind::Variable | CompletionKind::Field)
                })
                .collect(),
            Form::Event => catalog
                .objects
                .event_names()
                .map(|event| {
                    let object = catalog.objects.event(event).map(|(object, _)| &object.title);
                    let detail = object.cloned().unwrap_or_default();
                    self.item(event, CompletionKind::Word, detail, written)
                })
                .collect(),
            Form::Phrase => some(&["weekdays at 09:00", "every day at 09:00", "every hour"]),
            Form::Zone => some(crate::schema::ZONES),
            Form::Secret => self.things(
                catalog.secrets.iter().flatten(),
                CompletionKind::Thing,
                "secret",
                written,
            ),
            Form::Workflow => {
                self.things(catalog.workflows.keys(), CompletionKind::Thing, "workflow", written)
            }
            Form::Blueprint => {
                self.things(catalog.blueprints.keys(), CompletionKind::Thing, "blueprint", written)
            }
            Form::Action => catalog
                .actions
                .values()
                .map(|action| {
                    let kind = CompletionKind::Action;
                    let item = self.item(&action.name, kind, &action.title, written);
                    Completion { documentation: action.summary.clone(), ..item }
                })
                .collect(),
            Form::StepName => {
                let named: BTreeSet<&String> =
                    self.recording.named.iter().map(|(name, _)| name).collect();
                self.things(named, CompletionKind::Variable, "a step", written)
            }
            Form::InputType => {
                let mut all = some(&[
                    "text",
                    "number",
                    "yes/no",
                    "date",
                    "time",
                    "duration",
                    "money",
                    "record",
                    "list of text",
                ]);
                all.extend(self.objects(written));
                all
            }
            _ => Vec::new(),
        }
    }

    fn records(&self, object: &str, written: &str) -> Vec<Completion> {
        let known = self.catalog.records.get(object).into_iter().flatten();
        let with_object = object == "segment" || written.contains('/');
        known
            .map(|key| {
                let label = if with_object { format!("{object}/{key}") } else { key.clone() };
                self.item(label, CompletionKind::Thing, object, written)
            })
            .collect()
    }

    fn objects(&self, written: &str) -> Vec<Completion> {
        self.catalog
            .objects
            .iter()
            .map(|object| self.item(&object.name, CompletionKind::Object, &object.summary, written))
            .collect()
    }

    fn changes(&self, written: &str) -> Vec<Completion> {
        let Some((object, field)) = written.split_once('.') else { return self.objects(written) };
        let slot = Slot::of(Type::Record(vec![object.to_owned()]));
        if self.catalog.objects.get(object).is_none() {
            return Vec::new();
        }
        super::parts_of(&slot, &self.catalog.objects)
            .into_iter()
            .map(|(name, slot, doc)| {
                let mut item = self.item(name, CompletionKind::Field, described(&slot), field);
                item.documentation = doc;
                item
            })
            .collect()
    }

    /// The value of an argument or a field.
    fn argument(&self, spot: &Spot<'_>, place: Place, written: &str) -> Vec<Completion> {
        let wanted = self.recording.wanted_at(place);
        // A word where a block of fields belongs is the beginning of a key.
        if let Some(Wanted::Fields { .. } | Wanted::Map(_)) = wanted {
            let mut found = Vec::new();
            self.parts(wanted, &BTreeSet::new(), written, &mut found);
            return found;
        }
        let open = Wanted::Open;
        let wanted = wanted.unwrap_or(&open);
        let mut found = self.written_out(wanted, written);
        // Which role a word is, the schema of an action does not say.
        let key = spot.entry.map_or("", |entry| entry.key.as_str());
        if key == "role" {
            found.extend(self.things(&self.catalog.roles, CompletionKind::Thing, "role", written));
        }
        found.extend(self.variables(wanted, written));
        found
    }

    fn written_out(&self, wanted: &Wanted, written: &str) -> Vec<Completion> {
        match wanted {
            Wanted::Choice(words) => words
                .iter()
                .map(|word| self.item(word, CompletionKind::Word, "", written))
                .collect(),
            Wanted::YesNo => self.listed_words(&["true", "false"], written),
            Wanted::Record(objects) => objects
                .iter()
                .flat_map(|object| {
                    let known = self.catalog.records.get(object).into_iter().flatten();
                    let with_object = objects.len() > 1 || written.contains('/');
                    known.map(move |key| (with_object, object, key))
                })
                .map(|(with_object, object, key)| {
                    let label = if with_object { format!("{object}/{key}") } else { key.clone() };
                    self.item(label, CompletionKind::Thing, object, written)
                })
                .collect(),
            Wanted::Template => self.things(
                self.catalog.templates.iter().flatten(),
                CompletionKind::Thing,
                "mail template",
                written,
            ),
            Wanted::Object => self.objects(written),
            Wanted::Due | Wanted::Duration => self.listed_words(
                &["30 minutes", "4 working hours", "24 hours", "1 day", "7 days"],
                written,
            ),
            Wanted::List(item) => self.written_out(item, written),
            Wanted::Field(field) => self.written_out(&Wanted::of_field(field), written),
            _ => Vec::new(),
        }
    }

    fn listed_words(&self, words: &[&str], written: &str) -> Vec<Completion> {
        words.iter().map(|word| self.item(*word, CompletionKind::Word, "", written)).collect()
    }

    /// The names that are known here, as formulas; those that fit, and those
    /// that have parts.
    fn variables(&self, wanted: &Wanted, written: &str) -> Vec<Completion> {
        if !written.is_empty() {
            return Vec::new();
        }
        self.names
            .iter()
            .filter(|(_, known)| match (wanted, &known.slot.kind) {
                (_, Type::Record(_) | Type::Map(_) | Type::Any) | (Wanted::Open, _) => true,
                (Wanted::List(_), kind) => matches!(kind, Type::List(_)),
                (_, Type::List(_)) => false,
                _ => true,
            })
            .map(|(name, known)| {
                self.item(
                    format!("={name}"),
                    CompletionKind::Variable,
                    described(&known.slot),
                    written,
                )
            })
            .collect()
    }
}

/// Whether a list of such holds texts, not blocks.
const fn takes_texts(form: Form) -> bool {
    matches!(form, Form::Record(_) | Form::Condition | Form::FieldValues | Form::List)
}

/// Whether a line ends behind the key: what it takes stands below it.
const fn is_block(form: Form) -> bool {
    matches!(form, Form::Steps | Form::Block(_) | Form::Blocks(_) | Form::Inputs)
}

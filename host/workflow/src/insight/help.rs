//! What something in a file is, and where it comes from.

use super::{
    Hover, Insight, Range, Target, described, formula, parts_of,
    recording::Seen,
    spot::{Context, Part, Spot, at, called},
};
use crate::{
    formula::{FILTERS, Names, functions},
    read::{Wanted, parameters},
    schema::{documentation, field_documentation, language::Form},
    source::Node,
    types::Type,
};

/// A word of a formula.
struct Word<'a> {
    /// The path to it and with it: `lead.owner`.
    path: &'a str,
    /// The word itself.
    name: &'a str,
    /// Whether a bracket follows.
    is_call: bool,
    range: Range,
    names: Option<&'a Names>,
}

impl Insight<'_> {
    /// What stands at a byte of the file.
    #[must_use]
    pub fn hover(&self, offset: usize) -> Option<Hover> {
        if let Some(word) = self.word(offset) {
            return self.of_word(&word);
        }
        let spot = at(self.root.as_ref()?, offset)?;
        let (text, place) = match spot.part {
            Part::Key => (self.of_key(&spot)?, spot.entry?.key_place),
            Part::Value(node) => (self.of_value(&spot, node)?, node.place),
        };
        Some(Hover { text, range: Range { start: place.start, end: place.end } })
    }

    /// Where what stands at a byte of the file comes from.
    #[must_use]
    pub fn target(&self, offset: usize) -> Option<Target> {
        let objects = &self.catalog.objects;
        if let Some(word) = self.word(offset) {
            let names = word.names?;
            return match word.path.rsplit_once('.') {
                None => self.given(word.name).or_else(|| {
                    let known = names.get(word.name)?;
                    match &known.slot.kind {
                        Type::Record(of) if of.len() == 1 => {
                            Some(Target::Object(of[0].clone(), None))
                        }
                        _ => None,
                    }
                }),
                Some((base, field)) => match formula::slot_of(base, names, objects)?.kind {
                    Type::Record(of) => {
                        let owner = of.iter().find(|object| {
                            objects.get(object).is_some_and(|object| object.field(field).is_some())
                        })?;
                        Some(Target::Object(owner.clone(), Some(field.to_owned())))
                    }
                    // A part of a result: its step is as near as we get.
                    _ => self.given(base.split('.').next()?),
                },
            };
        }
        let spot = at(self.root.as_ref()?, offset)?;
        let Part::Value(node) = spot.part else { return None };
        let text = node.text()?.trim();
        let named = |object: &str| {
            objects.get(object).map(|object| Target::Object(object.name.clone(), None))
        };
        match spot.context {
            Context::Form(Form::StepName) => self.given(text),
            Context::Form(Form::Object | Form::InputType) => {
                named(text.strip_prefix("list of ").unwrap_or(text))
            }
            Context::Form(Form::Change | Form::ChangeOf) => match text.split_once('.') {
                Some((object, field)) => {
                    let Target::Object(object, _) = named(object)? else { return None };
                    Some(Target::Object(object, Some(field.to_owned())))
                }
                None => named(text),
            },
            Context::Form(Form::Event) => {
                objects.event(text).map(|(object, _)| Target::Object(object.name.clone(), None))
            }
            Context::Form(Form::Workflow) => Some(Target::Workflow(text.to_owned())),
            Context::Form(Form::Blueprint) => Some(Target::Blueprint(text.to_owned())),
            _ => match self.recording.wanted_at(node.place)? {
                Wanted::Template => Some(Target::Template(text.to_owned())),
                Wanted::Object => named(text),
                _ => None,
            },
        }
    }

    /// Where a name is given.
    fn given(&self, name: &str) -> Option<Target> {
        let (_, place) = self.recording.named.iter().find(|(given, _)| given == name)?;
        Some(Target::Here(Range { start: place.start, end: place.end }))
    }

    /// The word of a formula at a byte.
    fn word(&self, offset: usize) -> Option<Word<'_>> {
        let inside = |seen: &&Seen| {
            let (Some(first), Some(last)) = (seen.bytes.first(), seen.bytes.last()) else {
                return false;
            };
            *first <= offset && offset <= *last
        };
        let seen =
            self.recording.formulas.iter().filter(inside).min_by_key(|seen| seen.source.len())?;
        let at = seen.bytes.partition_point(|byte| *byte <= offset).checked_sub(1)?;
        let source = seen.source.as_str();
        let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
        let before = source.get(..at)?;
        // Within quotation marks there are no names.
        if before.matches('"').count() % 2 == 1 || before.matches('\'').count() % 2 == 1 {
            return None;
        }
        let head = formula::trailing(before, is_part);
        let start = at - head.len();
        let length = source[at..].find(|letter| !is_part(letter)).unwrap_or(source.len() - at);
        let end = at + length;
        let name = source.get(start..end)?;
        if !name.starts_with(char::is_alphabetic) {
            return None;
        }
        let base = formula::trailing(&source[..start], |letter| is_part(letter) || letter == '.');
        let path = &source[start - base.len()..end];
        let place = |byte: usize| seen.bytes.get(byte).copied();
        let last = place(end.checked_sub(1)?)?;
        Some(Word {
            path,
            name,
            is_call: source[end..].starts_with('('),
            range: Range { start: place(start)?, end: last + 1 },
            names: self.recording.scopes.get(seen.scope).map(|(_, names)| names),
        })
    }

    fn of_word(&self, word: &Word<'_>) -> Option<Hover> {
        let names = word.names?;
        let text = if word.is_call {
            let function = functions::function(word.name)?;
            format!("`{}`\n\n{}", formula::signature(function), formula::documentation(function))
        } else {
            let objects = &self.catalog.objects;
            let slot = formula::slot_of(word.path, names, objects)?;
            let mut text = format!("`{}`: {}", word.path, described(&slot));
            let doc = match word.path.rsplit_once('.') {
                Some((base, field)) => formula::slot_of(base, names, objects)
                    .and_then(|base| {
                        parts_of(&base, objects).into_iter().find(|(name, _, _)| name == field)
                    })
                    .map(|(_, _, doc)| doc),
                None => match &slot.kind {
                    Type::Record(of) if of.len() == 1 => {
                        objects.get(&of[0]).map(|object| object.summary.clone())
                    }
                    _ => None,
                },
            };
            if let Some(doc) = doc.filter(|doc| !doc.is_empty()) {
                text.push_str(&format!("\n\n{doc}"));
            }
            if word.path == word.name && names.get(word.name).is_some_and(|known| known.unset) {
                text.push_str("\n\nIt may be unset here: its step does not run on every way.");
            }
            text
        };
        Some(Hover { text, range: word.range })
    }

    fn of_key(&self, spot: &Spot<'_>) -> Option<String> {
        let entry = spot.entry?;
        let keys = || spot.entries.iter().map(|entry| entry.key.as_str());
        match spot.context {
            Context::Block(block) => {
                let signature =
                    called(spot.entries).and_then(|action| self.catalog.actions.get(action));
                if let Some(signature) = signature
                    && let Some(parameter) = parameters(&signature.input).get(&entry.key)
                {
                    let doc = documentation(&signature.input, &entry.key, parameter);
                    return Some(format!("`{}` of `{}`\n\n{doc}", entry.key, signature.name));
                }
                let key = block.key(&entry.key, keys())?;
                Some(format!("`{}` of {}\n\n{}", key.name, block.describe(), key.doc))
            }
            Context::With { workflow } => {
                let known = self.catalog.workflows.get(workflow?)?;
                let input = known.inputs.iter().find(|input| input.name == entry.key)?;
                let title = input.title.as_deref().unwrap_or_default();
                Some(format!("`{}`: {}\n\n{title}", input.name, described(&input.slot)))
            }
            _ => match self.recording.wanted_at(entry.key_place)? {
                Wanted::Fields { objects, .. } => {
                    let (object, field) = objects.iter().find_map(|object| {
                        let field = self.catalog.objects.get(object)?.field(&entry.key)?;
                        Some((object, field))
                    })?;
                    Some(format!("`{}` of {object}\n\n{}", entry.key, field_documentation(field)))
                }
                Wanted::Map(parts) => {
                    let part = parts.get(&entry.key)?;
                    Some(format!("`{}` takes {}.", entry.key, part.wanted.describe()))
                }
                _ => None,
            },
        }
    }

    fn of_value(&self, spot: &Spot<'_>, node: &Node) -> Option<String> {
        let text = node.text()?.trim();
        let objects = &self.catalog.objects;
        let object = |name: &str| {
            let object = objects.get(name)?;
            Some(format!("`{}`: {}", object.name, object.summary))
        };
        match spot.context {
            Context::Form(Form::Action) => self.of_action(text),
            Context::Form(Form::Object) => object(text),
            Context::Form(Form::Change) => match text.split_once('.') {
                Some((name, field)) => {
                    let field_definition = objects.get(name)?.field(field)?;
                    let doc = field_documentation(field_definition);
                    Some(format!("`{field}` of {name}\n\n{doc}"))
                }
                None => object(text),
            },
            Context::Form(Form::Event) => {
                let (of, event) = objects.event(text)?;
                Some(format!(
                    "`{text}` happens when `{}` of {} becomes `{}`.",
                    event.field,
                    relata_model::text::with_article(&of.name),
                    event.becomes
                ))
            }
            Context::Form(Form::Words(words)) => {
                let (word, doc) = words.iter().find(|(word, _)| *word == text)?;
                Some(format!("`{word}`: {doc}"))
            }
            Context::Form(Form::Workflow) => {
                let known = self.catalog.workflows.get(text)?;
                let mut said = format!("The workflow `{text}`");
                for input in &known.inputs {
                    said.push_str(&format!("\n- `{}`: {}", input.name, described(&input.slot)));
                }
                for (name, slot) in &known.outputs {
                    said.push_str(&format!("\n- yields `{name}`: {}", described(slot)));
                }
                Some(said)
            }
            _ => {
                // The filter of a text's value.
                let filter =
                    FILTERS.iter().find(|(name, _)| text.ends_with(&format!("| {name} }}}}")));
                match self.recording.wanted_at(node.place) {
                    Some(Wanted::Object) => object(text),
                    Some(Wanted::Open) | None => {
                        filter.map(|(name, doc)| format!("`{name}`: {doc}"))
                    }
                    Some(wanted) => Some(format!("Takes {}.", wanted.describe())),
                }
            }
        }
    }

    fn of_action(&self, name: &str) -> Option<String> {
        let signature = self.catalog.actions.get(name)?;
        let mut text = match signature.title.as_str() {
            "" => format!("`{name}`"),
            title => format!("`{name}`: {title}"),
        };
        if !signature.summary.is_empty() {
            text.push_str(&format!("\n\n{}\n", signature.summary));
        }
        for (name, parameter) in parameters(&signature.input) {
            let doc = documentation(&signature.input, &name, &parameter);
            text.push_str(&format!("\n- `{name}`: {doc}"));
        }
        if let Type::Map(parts) = crate::read::result_of(signature) {
            for (name, slot) in parts {
                text.push_str(&format!("\n- yields `{name}`: {}", described(&slot)));
            }
        }
        let answers: Vec<String> =
            signature.correlation.iter().map(|(event, _)| format!("`{event}`")).collect();
        if !answers.is_empty() {
            text.push_str(&format!("\n\nIs answered by {}.", answers.join(", ")));
        }
        Some(text)
    }
}

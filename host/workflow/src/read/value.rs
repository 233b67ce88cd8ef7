//! Values where something is wanted: texts that are written out, formulas,
//! texts with formulas in them, lists and blocks, each held against what the
//! place takes.

use std::collections::BTreeMap;

use relata_model::{Value, text::with_article};

use super::{
    Reader,
    literal::{Wrong, field_wanted, slot_of},
    schema::{Parameter, Wanted},
};
use crate::{
    definition::{Expression, Piece},
    diagnostic::{self as codes, Place},
    formula::Names,
    source::{Content, Entry, Node},
    types::{Joined, Slot, Type},
};

/// A value that was read, and its type.
#[derive(Debug, Clone)]
pub(super) struct Got {
    pub(super) expression: Expression,
    pub(super) slot: Slot,
}

impl Got {
    fn literal(value: Value) -> Self {
        let slot = slot_of(&value);
        Self { expression: Expression::Literal(value), slot }
    }
}

impl Reader<'_> {
    pub(super) fn wrong(&mut self, place: Place, wrong: Wrong) {
        self.error(wrong.code, place, wrong.message, wrong.help);
    }

    /// Reads a value for a place; `what` names the place in messages.
    pub(super) fn value(
        &mut self,
        node: &Node,
        parameter: &Parameter,
        what: &str,
        names: &Names,
    ) -> Option<Got> {
        if let Some(recording) = &mut self.recording {
            recording.want(node.place, &parameter.wanted, names);
        }
        match &node.value {
            Content::Spoiled => None,
            Content::Nothing => self.nothing(node, parameter, what),
            Content::Text { text, is_plain } => {
                if text.starts_with('=') {
                    return self.formula_for(node, parameter, what, names);
                }
                if text.contains("{{") {
                    return self.text_for(node, parameter, what, names);
                }
                if let Some(name) = secret_name(text) {
                    return self.secret_for(name, node.place, parameter, what);
                }
                self.warn_like_path(text, &parameter.wanted, node.place, what, names);
                match self.literal(text, *is_plain, &parameter.wanted, what, names) {
                    Ok(value) => Some(Got::literal(value)),
                    Err(wrong) => {
                        self.wrong(node.place, wrong);
                        None
                    }
                }
            }
            Content::List(items) => self.list_for(node, items, parameter, what, names),
            Content::Map(entries) => self.block_for(node, entries, parameter, what, names),
        }
    }

    /// `secret/NAME`, as the whole text of an action's argument.
    fn secret_for(
        &mut self,
        name: &str,
        place: Place,
        parameter: &Parameter,
        what: &str,
    ) -> Option<Got> {
        if !self.takes_secrets || !matches!(parameter.wanted, Wanted::Text | Wanted::Open) {
            self.error(
                codes::MISPLACED_SECRET,
                place,
                format!("{what} takes no secret"),
                Some("only a text that an action is given can be one".to_owned()),
            );
            return None;
        }
        self.secret(name, place)?;
        let text = Value::Text(format!("secret/{name}"));
        Some(Got { expression: Expression::Literal(text), slot: Slot::of(Type::Text) })
    }

    /// A secret by its name; says so where there is none.
    pub(super) fn secret(&mut self, name: &str, place: Place) -> Option<()> {
        let Some(known) = &self.catalog.secrets else { return Some(()) };
        if known.contains(name) {
            return Some(());
        }
        let set = format!("set it: `relata secret set {name}`");
        let help = codes::did_you_mean(name, known.iter().map(String::as_str));
        let help = help.map_or_else(|| set.clone(), |near| format!("{near} If not, {set}"));
        let message = format!("there is no secret `{name}`");
        self.error(codes::UNKNOWN_SECRET, place, message, Some(help));
        None
    }

    fn nothing(&mut self, node: &Node, parameter: &Parameter, what: &str) -> Option<Got> {
        let required = match &parameter.wanted {
            Wanted::Field(field) => field.required,
            _ => parameter.required && !parameter.nullable,
        };
        if required {
            self.error(
                codes::MISSING_ARGUMENT,
                node.place,
                format!("{what} must not be empty"),
                None,
            );
            return None;
        }
        Some(Got::literal(Value::Nothing))
    }

    fn formula_for(
        &mut self,
        node: &Node,
        parameter: &Parameter,
        what: &str,
        names: &Names,
    ) -> Option<Got> {
        let read = self.formula_value(node, names)?;
        let required = match &parameter.wanted {
            Wanted::Field(field) => field.required,
            _ => !parameter.nullable,
        };
        if let Err(wrong) = self.fits(&read.slot.kind, &parameter.wanted, what, names) {
            self.wrong(read.place, wrong);
            return None;
        }
        if read.slot.optional && required {
            let path = read
                .formula
                .as_path()
                .map_or_else(|| "this value".to_owned(), |path| format!("`{path}`"));
            let message = format!("{path} may be empty, and {what} needs a value");
            let help = Some(default_help(&read.formula.source, &read.slot.kind));
            self.error(codes::MAY_BE_EMPTY, read.place, message, help);
            return None;
        }
        Some(Got { expression: Expression::Formula(read.formula), slot: read.slot })
    }

    /// A text with `{{ }}` in it. Where only some texts will do, each that it
    /// may come to is checked.
    fn text_for(
        &mut self,
        node: &Node,
        parameter: &Parameter,
        what: &str,
        names: &Names,
    ) -> Option<Got> {
        let before = self.findings.count();
        let pieces = self.text(node, names)?;
        if self.findings.has_error_since(before) {
            return None;
        }
        let wanted = field_wanted(&parameter.wanted);
        let slot = match texts_of(&pieces, names) {
            Some(texts) => Slot::of(Type::Choice(texts)),
            None => Slot::of(Type::Text),
        };
        let checked = match (&wanted, &slot.kind) {
            // What a template's name may come to is not always known.
            (Wanted::Open | Wanted::Text | Wanted::Template, Type::Text)
            | (Wanted::Open | Wanted::Text, _) => Ok(()),
            _ => self.fits(&slot.kind, &wanted, what, names),
        };
        if let Err(mut wrong) = checked {
            let help = node.text().and_then(|text| self.placeholder_help(text));
            wrong.help = wrong.help.or(help);
            self.wrong(node.place, wrong);
            return None;
        }
        Some(Got { expression: Expression::Text(pieces), slot })
    }

    fn list_for(
        &mut self,
        node: &Node,
        items: &[Node],
        parameter: &Parameter,
        what: &str,
        names: &Names,
    ) -> Option<Got> {
        let item = match field_wanted(&parameter.wanted) {
            Wanted::List(item) => *item,
            Wanted::Open => Wanted::Open,
            other => {
                let message = format!("{what} takes {}, not a list", other.describe());
                self.error(codes::WRONG_VALUE, node.place, message, None);
                return None;
            }
        };
        let parameter = Parameter { wanted: item, required: true, nullable: false };
        let mut expressions = Vec::new();
        let mut of = Joined::default();
        let mut failed = false;
        for item in items {
            match self.value(item, &parameter, what, names) {
                Some(got) => {
                    // What does not go together is of anything.
                    let _ = of.add(got.slot);
                    expressions.push(got.expression);
                }
                None => failed = true,
            }
        }
        let slot = Slot::of(Type::List(Box::new(of.finish().unwrap_or(Slot::of(Type::Nothing)))));
        (!failed).then_some(Got { expression: Expression::List(expressions), slot })
    }

    fn block_for(
        &mut self,
        node: &Node,
        entries: &[Entry],
        parameter: &Parameter,
        what: &str,
        names: &Names,
    ) -> Option<Got> {
        match &parameter.wanted {
            Wanted::Open | Wanted::FieldsOf(_) => {
                let open = Parameter { wanted: Wanted::Open, required: false, nullable: true };
                self.parts(entries, names, |_, _| Some(open.clone()))
            }
            Wanted::Fields { objects, creates } => {
                self.fields(node, entries, objects, *creates, names)
            }
            Wanted::Map(parameters) => {
                let mut is_whole = true;
                for (name, parameter) in parameters {
                    if !parameter.required || entries.iter().any(|entry| entry.key == *name) {
                        continue;
                    }
                    is_whole = false;
                    let is_slip = entries.iter().any(|entry| {
                        let known = std::iter::once(name.as_str());
                        !parameters.contains_key(&entry.key)
                            && codes::did_you_mean(&entry.key, known).is_some()
                    });
                    if !is_slip {
                        self.error(
                            codes::MISSING_ARGUMENT,
                            node.place,
                            format!("{what} needs `{name}`"),
                            None,
                        );
                    }
                }
                let got = self.parts(entries, names, |reader, entry| {
                    let found = parameters.get(&entry.key).cloned();
                    if found.is_none() {
                        let help =
                            codes::mean_or_list(&entry.key, parameters.keys().map(String::as_str));
                        let message = format!("{what} has no part `{}`", entry.key);
                        reader.error(codes::UNKNOWN_ARGUMENT, entry.key_place, message, help);
                    }
                    found
                });
                got.filter(|_| is_whole)
            }
            other => {
                let message = format!("{what} takes {}, not a block", other.describe());
                self.error(codes::WRONG_VALUE, node.place, message, None);
                None
            }
        }
    }

    fn parts(
        &mut self,
        entries: &[Entry],
        names: &Names,
        mut parameter: impl FnMut(&mut Self, &Entry) -> Option<Parameter>,
    ) -> Option<Got> {
        let mut parts = Vec::new();
        let mut slots = BTreeMap::new();
        let mut failed = false;
        for entry in entries {
            let Some(parameter) = parameter(self, entry) else {
                failed = true;
                continue;
            };
            match self.value(&entry.value, &parameter, &format!("`{}`", entry.key), names) {
                Some(got) => {
                    slots.insert(entry.key.clone(), got.slot);
                    parts.push((entry.key.clone(), got.expression));
                }
                None => failed = true,
            }
        }
        (!failed)
            .then_some(Got { expression: Expression::Map(parts), slot: Slot::of(Type::Map(slots)) })
    }

    /// Fields of a record that may be of several objects.
    fn fields(
        &mut self,
        node: &Node,
        entries: &[Entry],
        objects: &[String],
        creates: bool,
        names: &Names,
    ) -> Option<Got> {
        let catalog = self.catalog;
        let definitions: Vec<_> =
            objects.iter().filter_map(|object| catalog.objects.get(object)).collect();
        if definitions.is_empty() {
            let open = Parameter { wanted: Wanted::Open, required: false, nullable: true };
            return self.parts(entries, names, |_, _| Some(open.clone()));
        }
        if creates && let [definition] = definitions[..] {
            for (name, field) in &definition.fields {
                let given = entries.iter().any(|entry| {
                    let is_slip = || {
                        codes::did_you_mean(&entry.key, std::iter::once(name.as_str())).is_some()
                    };
                    entry.key == *name || (definition.field(&entry.key).is_none() && is_slip())
                });
                if field.required && field.default.is_nothing() && !field.read_only && !given {
                    let message = format!("{} needs `{name}`", with_article(&definition.name));
                    self.error(codes::MISSING_ARGUMENT, node.place, message, None);
                }
            }
        }
        let whose: Vec<String> = objects.iter().map(|object| with_article(object)).collect();
        let whose = whose.join(" or ");
        self.parts(entries, names, |reader, entry| {
            let field = definitions.iter().find_map(|definition| definition.field(&entry.key));
            match field {
                Some(field) if field.read_only => {
                    let message = format!("`{}` is set by the system alone", entry.key);
                    reader.error(codes::WRONG_VALUE, entry.key_place, message, None);
                    None
                }
                Some(field) => Some(Parameter {
                    wanted: Wanted::Field(Box::new(field.clone())),
                    required: field.required,
                    nullable: !field.required,
                }),
                None => {
                    let known = definitions
                        .iter()
                        .flat_map(|definition| definition.fields.keys().map(String::as_str));
                    let help = codes::did_you_mean(&entry.key, known);
                    let message = format!("{whose} has no field `{}`", entry.key);
                    reader.error(codes::UNKNOWN_FIELD, entry.key_place, message, help);
                    None
                }
            }
        })
    }

    /// Whether a value of this type can go where something is wanted.
    pub(super) fn fits(
        &self,
        kind: &Type,
        wanted: &Wanted,
        what: &str,
        names: &Names,
    ) -> Result<(), Wrong> {
        let wanted = field_wanted(wanted);
        if matches!(kind, Type::Any | Type::Nothing) {
            return Ok(());
        }
        let fits = match (&wanted, kind) {
            (Wanted::Open | Wanted::FieldsOf(_), _) => true,
            (Wanted::Text, Type::Text | Type::Choice(_)) => true,
            (Wanted::Template, Type::Text) => true,
            (Wanted::Number { .. }, Type::Number)
            | (Wanted::YesNo, Type::YesNo)
            | (Wanted::Due, Type::Time | Type::Duration)
            | (Wanted::Duration, Type::Duration)
            | (Wanted::Time, Type::Time)
            | (Wanted::Date, Type::Date)
            | (Wanted::Money, Type::Money) => true,
            (
                Wanted::Choice(_)
                | Wanted::Record(_)
                | Wanted::Template
                | Wanted::Object
                | Wanted::Due
                | Wanted::Duration,
                Type::Choice(words),
            ) => {
                return self.every_word(words, &wanted, what, names);
            }
            (Wanted::Record(objects), Type::Record(_)) => Type::Record(objects.clone()).takes(kind),
            (Wanted::List(item), Type::List(items)) => {
                return self.fits(&items.kind, item, what, names);
            }
            (Wanted::Map(parameters), Type::Map(parts)) => {
                for (name, part) in parts {
                    if let Some(parameter) = parameters.get(name) {
                        self.fits(
                            &part.kind,
                            &parameter.wanted,
                            &format!("`{name}` of {what}"),
                            names,
                        )?;
                    }
                }
                true
            }
            (Wanted::Fields { .. }, Type::Map(_)) => true,
            _ => false,
        };
        if fits {
            return Ok(());
        }
        let help = match (&wanted, kind) {
            (Wanted::Text, Type::Record(_)) => {
                Some("name one of its fields, or write \"{{ … }}\"".to_owned())
            }
            (Wanted::Text, _) => Some("to make text of it, write \"{{ … }}\"".to_owned()),
            (Wanted::Choice(_), Type::Text) => {
                Some("decide first: `decide:` yields one word of a few".to_owned())
            }
            _ => None,
        };
        let message = format!("{what} takes {}, not {}", wanted.describe(), kind.describe());
        Err(Wrong::new(codes::WRONG_VALUE, message, help))
    }
}

/// The name in `secret/NAME`.
pub(crate) fn secret_name(text: &str) -> Option<&str> {
    let name = text.trim().strip_prefix("secret/")?;
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    is_name.then_some(name)
}

/// All texts that pieces may come to, where that is known: each value is one
/// word of a few.
fn texts_of(pieces: &[Piece], names: &Names) -> Option<Vec<String>> {
    let mut texts = vec![String::new()];
    for piece in pieces {
        let words = match piece {
            Piece::Literal(text) => vec![text.clone()],
            Piece::Value { formula, filter: None } => words_of(&formula.as_path()?, names)?,
            Piece::Value { .. } => return None,
        };
        if texts.len() * words.len() > 1_000 {
            return None;
        }
        texts = texts
            .iter()
            .flat_map(|text| words.iter().map(move |word| format!("{text}{word}")))
            .collect();
    }
    Some(texts)
}

/// The words that a path into a decision or a split may come to.
fn words_of(path: &str, names: &Names) -> Option<Vec<String>> {
    let mut parts = path.split('.');
    let mut slot = &names.get(parts.next()?)?.slot;
    for part in parts {
        match &slot.kind {
            Type::Map(inner) => slot = inner.get(part)?,
            _ => return None,
        }
    }
    match &slot.kind {
        Type::Choice(words) if !slot.optional => Some(words.clone()),
        _ => None,
    }
}

/// How to give a value where there may be none.
fn default_help(source: &str, kind: &Type) -> String {
    match kind {
        Type::Text => {
            format!("write `=default({source}, \"\")`, or test it before: `{source} is not empty`")
        }
        Type::Number => {
            format!("write `=default({source}, 0)`, or test it before: `{source} is not empty`")
        }
        _ => format!(
            "test it before (`only_if`, `if` or `stop_if`), or write `=default({source}, …)`"
        ),
    }
}

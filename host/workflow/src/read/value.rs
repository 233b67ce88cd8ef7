//! Values where something is wanted: texts that are written out, formulas,
//! texts with formulas in them, lists and blocks, each held against what the
//! place takes.

use std::collections::BTreeMap;

use relata_model::{Date, Decimal, Duration, FieldDefinition, Money, Reference, TimeZone, Value, object::parse_time, text::with_article};

use super::{
    Reader,
    schema::{Parameter, Wanted},
};
use crate::{
    definition::{Expression, Piece},
    diagnostic::{self as codes, Place},
    formula::Names,
    source::{Content, Entry, Node},
    types::{Slot, Type},
};

/// What is wrong with a value, before its place is known.
pub(super) struct Wrong {
    code: &'static str,
    message: String,
    help: Option<String>,
}

impl Wrong {
    fn new(code: &'static str, message: impl Into<String>, help: Option<String>) -> Self {
        Self { code, message: message.into(), help }
    }
}

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

/// The type of a value that is written out.
pub(super) fn slot_of(value: &Value) -> Slot {
    Slot::of(match value {
        Value::Nothing => return Slot::maybe(Type::Nothing),
        Value::YesNo(_) => Type::YesNo,
        Value::Number(_) => Type::Number,
        Value::Text(text) => Type::Choice(vec![text.clone()]),
        Value::Date(_) => Type::Date,
        Value::Time(_) => Type::Time,
        Value::Duration(_) => Type::Duration,
        Value::Money(_) => Type::Money,
        Value::Reference(reference) => Type::Record(vec![reference.object.clone()]),
        Value::List(items) => {
            let slots = items.iter().map(slot_of);
            let joined = slots.reduce(|all, slot| all.join(&slot).unwrap_or(Slot::of(Type::Any)));
            Type::List(Box::new(joined.unwrap_or(Slot::of(Type::Nothing))))
        }
        Value::Map(parts) => Type::Map(parts.iter().map(|(name, part)| (name.clone(), slot_of(part))).collect()),
    })
}

impl Reader<'_> {
    pub(super) fn wrong(&mut self, place: Place, wrong: Wrong) {
        self.error(wrong.code, place, wrong.message, wrong.help);
    }

    /// Reads a value for a place; `what` names the place in messages.
    pub(super) fn value(&mut self, node: &Node, parameter: &Parameter, what: &str, names: &Names) -> Option<Got> {
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

    fn nothing(&mut self, node: &Node, parameter: &Parameter, what: &str) -> Option<Got> {
        let required = match &parameter.wanted {
            Wanted::Field(field) => field.required,
            _ => parameter.required && !parameter.nullable,
        };
        if required {
            self.error(codes::MISSING_ARGUMENT, node.place, format!("{what} must not be empty"), None);
            return None;
        }
        Some(Got::literal(Value::Nothing))
    }

    fn formula_for(&mut self, node: &Node, parameter: &Parameter, what: &str, names: &Names) -> Option<Got> {
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
            let path = read.formula.as_path().map_or_else(|| "this value".to_owned(), |path| format!("`{path}`"));
            let message = format!("{path} may be empty, and {what} needs a value");
            let help = Some(default_help(&read.formula.source, &read.slot.kind));
            self.error(codes::MAY_BE_EMPTY, read.place, message, help);
            return None;
        }
        Some(Got { expression: Expression::Formula(read.formula), slot: read.slot })
    }

    /// A text with `{{ }}` in it. Where only some texts will do, each that it
    /// may come to is checked.
    fn text_for(&mut self, node: &Node, parameter: &Parameter, what: &str, names: &Names) -> Option<Got> {
        let pieces = self.text(node, names)?;
        let wanted = field_wanted(&parameter.wanted);
        let slot = match texts_of(&pieces, names) {
            Some(texts) => Slot::of(Type::Choice(texts)),
            None => Slot::of(Type::Text),
        };
        let checked = match (&wanted, &slot.kind) {
            // What a template's name may come to is not always known.
            (Wanted::Open | Wanted::Text | Wanted::Template, Type::Text) | (Wanted::Open | Wanted::Text, _) => Ok(()),
            _ => self.fits(&slot.kind, &wanted, what, names),
        };
        if let Err(wrong) = checked {
            self.wrong(node.place, wrong);
            return None;
        }
        Some(Got { expression: Expression::Text(pieces), slot })
    }

    fn list_for(&mut self, node: &Node, items: &[Node], parameter: &Parameter, what: &str, names: &Names) -> Option<Got> {
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
        let mut of: Option<Slot> = None;
        let mut failed = false;
        for item in items {
            match self.value(item, &parameter, what, names) {
                Some(got) => {
                    of = Some(of.map_or(got.slot.clone(), |of| of.join(&got.slot).unwrap_or(Slot::of(Type::Any))));
                    expressions.push(got.expression);
                }
                None => failed = true,
            }
        }
        let slot = Slot::of(Type::List(Box::new(of.unwrap_or(Slot::of(Type::Nothing)))));
        (!failed).then_some(Got { expression: Expression::List(expressions), slot })
    }

    fn block_for(&mut self, node: &Node, entries: &[Entry], parameter: &Parameter, what: &str, names: &Names) -> Option<Got> {
        match &parameter.wanted {
            Wanted::Open | Wanted::FieldsOf(_) => {
                let open = Parameter { wanted: Wanted::Open, required: false, nullable: true };
                self.parts(entries, names, |_, _| Some(open.clone()))
            }
            Wanted::Fields { objects, creates } => self.fields(node, entries, objects, *creates, names),
            Wanted::Map(parameters) => {
                for (name, parameter) in parameters {
                    if parameter.required && !entries.iter().any(|entry| entry.key == *name) {
                        self.error(codes::MISSING_ARGUMENT, node.place, format!("{what} needs `{name}`"), None);
                    }
                }
                self.parts(entries, names, |reader, entry| {
                    let found = parameters.get(&entry.key).cloned();
                    if found.is_none() {
                        let help = codes::mean_or_list(&entry.key, parameters.keys().map(String::as_str));
                        let message = format!("{what} has no part `{}`", entry.key);
                        reader.error(codes::UNKNOWN_ARGUMENT, entry.key_place, message, help);
                    }
                    found
                })
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
        (!failed).then_some(Got { expression: Expression::Map(parts), slot: Slot::of(Type::Map(slots)) })
    }

    /// Fields of a record that may be of several objects.
    fn fields(&mut self, node: &Node, entries: &[Entry], objects: &[String], creates: bool, names: &Names) -> Option<Got> {
        let catalog = self.catalog;
        let definitions: Vec<_> = objects.iter().filter_map(|object| catalog.objects.get(object)).collect();
        if definitions.is_empty() {
            let open = Parameter { wanted: Wanted::Open, required: false, nullable: true };
            return self.parts(entries, names, |_, _| Some(open.clone()));
        }
        if creates && let [definition] = definitions[..] {
            for (name, field) in &definition.fields {
                let given = entries.iter().any(|entry| {
                    let is_slip = || codes::did_you_mean(&entry.key, std::iter::once(name.as_str())).is_some();
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
                Some(field) => Some(Parameter { wanted: Wanted::Field(Box::new(field.clone())), required: field.required, nullable: !field.required }),
                None => {
                    let known = definitions.iter().flat_map(|definition| definition.fields.keys().map(String::as_str));
                    let help = codes::did_you_mean(&entry.key, known);
                    let message = format!("{whose} has no field `{}`", entry.key);
                    reader.error(codes::UNKNOWN_FIELD, entry.key_place, message, help);
                    None
                }
            }
        })
    }

    /// Whether a value of this type can go where something is wanted.
    pub(super) fn fits(&self, kind: &Type, wanted: &Wanted, what: &str, names: &Names) -> Result<(), Wrong> {
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
            (Wanted::Choice(_) | Wanted::Record(_) | Wanted::Template | Wanted::Object | Wanted::Due | Wanted::Duration, Type::Choice(words)) => {
                return self.every_word(words, &wanted, what, names);
            }
            (Wanted::Record(objects), Type::Record(_)) => Type::Record(objects.clone()).takes(kind),
            (Wanted::List(item), Type::List(items)) => {
                return self.fits(&items.kind, item, what, names);
            }
            (Wanted::Map(parameters), Type::Map(parts)) => {
                for (name, part) in parts {
                    if let Some(parameter) = parameters.get(name) {
                        self.fits(&part.kind, &parameter.wanted, &format!("`{name}` of {what}"), names)?;
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
            (Wanted::Text, Type::Record(_)) => Some("name one of its fields, or write \"{{ … }}\"".to_owned()),
            (Wanted::Text, _) => Some("to make text of it, write \"{{ … }}\"".to_owned()),
            (Wanted::Choice(_), Type::Text) => Some("decide first: `decide:` yields one word of a few".to_owned()),
            _ => None,
        };
        let message = format!("{what} takes {}, not {}", wanted.describe(), kind.describe());
        Err(Wrong::new(codes::WRONG_VALUE, message, help))
    }

    /// Checks every word that a decision or a split may yield.
    fn every_word(&self, words: &[String], wanted: &Wanted, what: &str, names: &Names) -> Result<(), Wrong> {
        for word in words {
            if let Err(mut wrong) = self.literal(word, true, wanted, what, names) {
                if words.len() > 1 {
                    wrong.message = format!("where it is `{word}`: {}", wrong.message);
                }
                return Err(wrong);
            }
        }
        Ok(())
    }

    /// Whether a text is a path to something that is known here.
    fn is_like_path(text: &str, names: &Names) -> bool {
        let mut parts = text.split('.');
        let root = parts.next().unwrap_or_default();
        names.variables.contains_key(root) && parts.all(relata_model::text::is_name)
    }

    fn warn_like_path(&mut self, text: &str, wanted: &Wanted, place: Place, what: &str, names: &Names) {
        let is_text = matches!(field_wanted(wanted), Wanted::Text | Wanted::Open);
        if is_text && text.contains('.') && Self::is_like_path(text, names) {
            let message = format!("{what} is the text `{text}`, which looks like a path");
            self.findings.warning(codes::TEXT_LIKE_PATH, place, message, Some(format!("did you mean `={text}`?")));
        }
    }

    /// Reads a text that is written out.
    pub(super) fn literal(&self, text: &str, is_plain: bool, wanted: &Wanted, what: &str, names: &Names) -> Result<Value, Wrong> {
        let text_trimmed = text.trim();
        let wanted_here = field_wanted(wanted);
        let wrong = |help: Option<String>| {
            let meant = Self::is_like_path(text_trimmed, names).then(|| format!("did you mean `={text_trimmed}`?"));
            let message = format!("{what} takes {}, not the text `{text_trimmed}`", wanted_here.describe());
            Err(Wrong::new(codes::WRONG_VALUE, message, meant.or(help)))
        };
        match &wanted_here {
            Wanted::Open => Ok(open_literal(text, is_plain)),
            Wanted::Text => match wanted {
                Wanted::Field(field) => field_literal(field, text, what),
                _ => Ok(Value::Text(text.to_owned())),
            },
            Wanted::Number { whole, least, most } => {
                let Ok(number) = text_trimmed.parse::<Decimal>() else { return wrong(None) };
                if !is_plain {
                    return wrong(Some("write the number without quotes".to_owned()));
                }
                if *whole && !number.fract().is_zero() {
                    return wrong(None);
                }
                if let Some(least) = least.filter(|least| number < *least) {
                    return Err(Wrong::new(codes::WRONG_VALUE, format!("{what} is at least {least}, not {number}"), None));
                }
                if let Some(most) = most.filter(|most| number > *most) {
                    return Err(Wrong::new(codes::WRONG_VALUE, format!("{what} is at most {most}, not {number}"), None));
                }
                Ok(Value::Number(number))
            }
            Wanted::YesNo => match text_trimmed {
                "true" | "yes" => Ok(Value::YesNo(true)),
                "false" | "no" => Ok(Value::YesNo(false)),
                _ => wrong(None),
            },
            Wanted::Choice(words) => {
                if words.iter().any(|word| word == text_trimmed) {
                    return Ok(Value::Text(text_trimmed.to_owned()));
                }
                let meant = Self::is_like_path(text_trimmed, names).then(|| format!("did you mean `={text_trimmed}`?"));
                let help = meant
                    .or_else(|| codes::did_you_mean(text_trimmed, words.iter().map(String::as_str)))
                    .unwrap_or_else(|| format!("it is one of {}", words.join(", ")));
                Err(Wrong::new(codes::NOT_A_CHOICE, format!("{what} is never `{text_trimmed}`"), Some(help)))
            }
            Wanted::Record(objects) => self.record_literal(text_trimmed, objects, what, names),
            Wanted::Template => match &self.catalog.templates {
                Some(templates) if !templates.contains(text_trimmed) => {
                    let help = codes::did_you_mean(text_trimmed, templates.iter().map(String::as_str));
                    Err(Wrong::new(codes::UNKNOWN_TEMPLATE, format!("there is no mail template `{text_trimmed}`"), help))
                }
                _ => Ok(Value::Text(text_trimmed.to_owned())),
            },
            Wanted::Object => {
                if self.catalog.objects.get(text_trimmed).is_some() {
                    return Ok(Value::Text(text_trimmed.to_owned()));
                }
                let help = codes::did_you_mean(text_trimmed, self.catalog.objects.names());
                Err(Wrong::new(codes::UNKNOWN_OBJECT, format!("there is no object `{text_trimmed}`"), help))
            }
            Wanted::Due => text_trimmed
                .parse::<Duration>()
                .map(Value::Duration)
                .ok()
                .or_else(|| text_trimmed.parse().ok().map(Value::Time))
                .map_or_else(|| wrong(None), Ok),
            Wanted::Duration => text_trimmed.parse().map(Value::Duration).or_else(|_| wrong(None)),
            Wanted::Time => text_trimmed
                .parse()
                .map(Value::Time)
                .or_else(|_| {
                    let is_local = parse_time(text_trimmed, &TimeZone::UTC).is_some();
                    wrong(is_local.then(|| "add the offset from UTC: 2026-12-24T18:00:00+01:00".to_owned()))
                }),
            Wanted::Date => text_trimmed.parse::<Date>().map(Value::Date).or_else(|_| wrong(None)),
            Wanted::Money => text_trimmed.parse::<Money>().map(Value::Money).or_else(|_| wrong(None)),
            Wanted::List(_) => wrong(Some(format!("write `[{text_trimmed}]`"))),
            Wanted::Map(_) | Wanted::Fields { .. } | Wanted::FieldsOf(_) => wrong(Some("write `{ name: value }`".to_owned())),
            Wanted::Field(_) => wrong(None),
        }
    }

    /// `team/enterprise`, or `enterprise` where only teams are meant.
    fn record_literal(&self, text: &str, objects: &[String], what: &str, names: &Names) -> Result<Value, Wrong> {
        let described = Type::Record(objects.to_vec()).describe();
        let wrong = |help: Option<String>| {
            let meant = Self::is_like_path(text, names).then(|| format!("did you mean `={text}`?"));
            Wrong::new(codes::WRONG_VALUE, format!("{what} takes {described}, not the text `{text}`"), meant.or(help))
        };
        let reference = match (text.parse::<Reference>(), objects) {
            (Ok(reference), _) => reference,
            (Err(_), [_]) if Self::is_like_path(text, names) => return Err(wrong(None)),
            (Err(_), [only]) => Reference::new(only, text),
            (Err(_), []) => return Err(wrong(Some("write `object/key`, or `=` and a path".to_owned()))),
            (Err(_), several) => {
                let forms: Vec<String> = several.iter().map(|object| format!("`{object}/{text}`")).collect();
                return Err(wrong(Some(format!("write {}", forms.join(" or ")))));
            }
        };
        if self.catalog.objects.get(&reference.object).is_none() {
            let help = codes::did_you_mean(&reference.object, self.catalog.objects.names());
            return Err(Wrong::new(codes::UNKNOWN_OBJECT, format!("there is no object `{}`", reference.object), help));
        }
        if !objects.is_empty() && !objects.contains(&reference.object) {
            return Err(wrong(None));
        }
        if let Some(known) = self.catalog.records.get(&reference.object)
            && !known.contains(&reference.key)
        {
            let help = codes::mean_or_list(&reference.key, known.iter().map(String::as_str));
            let code = match reference.object.as_str() {
                "segment" => codes::UNKNOWN_SEGMENT,
                "calendar" => codes::UNKNOWN_CALENDAR,
                _ => codes::UNKNOWN_RECORD,
            };
            return Err(Wrong::new(code, format!("there is no {} `{}`", reference.object, reference.key), help));
        }
        Ok(Value::Reference(reference))
    }
}

/// A field's kind in the words of arguments.
fn field_wanted(wanted: &Wanted) -> Wanted {
    match wanted {
        Wanted::Field(field) => Wanted::of_field(field),
        other => other.clone(),
    }
}

/// A text that a field keeps: addresses and countries have a form.
fn field_literal(field: &FieldDefinition, text: &str, what: &str) -> Result<Value, Wrong> {
    field
        .check(Value::Text(text.to_owned()))
        .map_err(|why| Wrong::new(codes::WRONG_VALUE, format!("{what}: {why}"), None))
}

/// A value of which nothing is known: numbers, `true` and `false` are what
/// they look like, everything else is text.
pub(super) fn open_literal(text: &str, is_plain: bool) -> Value {
    if is_plain {
        match text {
            "true" => return Value::YesNo(true),
            "false" => return Value::YesNo(false),
            _ => {
                if let Ok(number) = text.parse::<Decimal>() {
                    return Value::Number(number);
                }
            }
        }
    }
    Value::Text(text.to_owned())
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
        texts = texts.iter().flat_map(|text| words.iter().map(move |word| format!("{text}{word}"))).collect();
    }
    Some(texts)
}

/// The words that a path into a decision or a split may come to.
fn words_of(path: &str, names: &Names) -> Option<Vec<String>> {
    let mut parts = path.split('.');
    let mut slot = &names.variables.get(parts.next()?)?.slot;
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
        Type::Text => format!("write `=default({source}, \"\")`, or test it before: `{source} is not empty`"),
        Type::Number => format!("write `=default({source}, 0)`, or test it before: `{source} is not empty`"),
        _ => format!("test it before (`only_if`, `if` or `stop_if`), or write `=default({source}, …)`"),
    }
}

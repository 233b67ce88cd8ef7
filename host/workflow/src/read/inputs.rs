//! `inputs:` and `outputs:`: what a run is started with, and what it yields.

use std::collections::BTreeMap;

use relata_model::Value;

use super::{
    Keys, Reader, formulas,
    schema::{Parameter, Wanted},
    set::declared_slot,
};
use crate::{
    definition::{Expression, Input, Output, Trigger},
    diagnostic::{self as codes, Place},
    formula::Names,
    source::{Content, Entry, Node},
    types::{Slot, Type},
};

/// The types that are not objects.
const TYPES: &[&str] =
    &["text", "number", "yes/no", "date", "time", "duration", "money", "record", "list of text"];

/// What takes exactly the values of a type. Where [`Wanted::of_type`] lets a
/// stand-in be another word and leave parts out, this does not.
pub(super) fn exactly(kind: &Type) -> Wanted {
    match kind {
        Type::Choice(words) => Wanted::Choice(words.clone()),
        Type::List(items) => Wanted::List(Box::new(exactly(&items.kind))),
        Type::Map(parts) => Wanted::Map(
            parts
                .iter()
                .map(|(name, slot)| {
                    let parameter = Parameter {
                        wanted: exactly(&slot.kind),
                        required: !slot.optional,
                        nullable: slot.optional,
                    };
                    (name.clone(), parameter)
                })
                .collect(),
        ),
        other => Wanted::of_type(other),
    }
}

/// The value, where it is written out in all its parts.
fn constant(expression: Expression) -> Option<Value> {
    match expression {
        Expression::Literal(value) => Some(value),
        Expression::List(items) => {
            items.into_iter().map(constant).collect::<Option<_>>().map(Value::List)
        }
        Expression::Map(parts) => parts
            .into_iter()
            .map(|(name, part)| Some((name, constant(part)?)))
            .collect::<Option<_>>()
            .map(Value::Map),
        Expression::Formula(_) | Expression::Text(_) => None,
    }
}

/// The first text in a value that is a formula, or has one in it.
fn computed(node: &Node) -> Option<&Node> {
    match &node.value {
        Content::Text { text, .. } => {
            (text.starts_with('=') || text.contains("{{")).then_some(node)
        }
        Content::List(items) => items.iter().find_map(computed),
        Content::Map(entries) => entries.iter().find_map(|entry| computed(&entry.value)),
        Content::Nothing | Content::Spoiled => None,
    }
}

impl Reader<'_> {
    /// `inputs:`, each made known under its name.
    pub(super) fn inputs(&mut self, entry: &Entry, names: &mut Names) {
        let Some(entries) = self.keys(&entry.value, "`inputs`").map(|keys| keys.entries) else {
            self.misses_names = true;
            return;
        };
        for entry in entries {
            let name = self.result_name(&entry.key, entry.key_place, names);
            let input = self.input(entry);
            let Some(name) = name else { continue };
            let input = Input { name: name.clone(), ..input };
            let slot = input.slot.clone();
            names.insert(&name, formulas::known(slot));
            self.signature.inputs.push(input);
        }
    }

    /// `percent: number`, or `{ type: number, default: 10 }`.
    fn input(&mut self, entry: &Entry) -> Input {
        let nothing =
            Input { name: String::new(), slot: Slot::of(Type::Any), default: None, title: None };
        let Content::Map(_) = &entry.value.value else {
            let kind = self.input_type(entry).unwrap_or(Type::Any);
            return Input { slot: Slot::of(kind), ..nothing };
        };
        let what = format!("the input `{}`", entry.key);
        let Some(mut keys) = self.keys(&entry.value, &what) else { return nothing };
        let kind = match keys.take("type") {
            Some(entry) => self.input_type(entry),
            None => {
                if !keys.has_slip_of("type") {
                    let help = Some("add `type: text`, say".to_owned());
                    self.error(
                        codes::MISSING_KEY,
                        entry.key_place,
                        format!("{what} does not say its type"),
                        help,
                    );
                }
                None
            }
        };
        let kind = kind.unwrap_or(Type::Any);
        let title = keys.take("title").and_then(|entry| self.plain_text(entry).map(str::to_owned));
        let default_entry = keys.take("default");
        let default = default_entry.and_then(|entry| self.written(entry, &exactly(&kind)));
        let optional = keys.take("optional").is_some_and(|entry| {
            let said = self.written(entry, &Wanted::YesNo) == Some(Value::YesNo(true));
            if said && default_entry.is_some() {
                self.error(
                    codes::WRONG_FORM,
                    entry.key_place,
                    format!("{what} has a default, so it is never empty"),
                    Some("leave one of the two out".to_owned()),
                );
            }
            said
        });
        self.unknown_keys(&keys, &what);
        Input { slot: Slot { kind, optional }, default, title, ..nothing }
    }

    /// A value that cannot be computed.
    pub(super) fn written(&mut self, entry: &Entry, wanted: &Wanted) -> Option<Value> {
        if let Some(node) = computed(&entry.value) {
            let message =
                format!("`{}` cannot be computed: it is a value that is written out", entry.key);
            self.error(codes::WRONG_FORM, node.place, message, None);
            return None;
        }
        let parameter = Parameter { wanted: wanted.clone(), required: true, nullable: false };
        let names = Names::default();
        let got = self.value(&entry.value, &parameter, &format!("`{}`", entry.key), &names)?;
        if !self.has_calendar {
            self.needs_calendar(&got.expression, entry.value.place, &names);
        }
        constant(got.expression)
    }

    /// `number`, `list of contact`, `[small, large]`.
    fn input_type(&mut self, entry: &Entry) -> Option<Type> {
        let node = &entry.value;
        if let Content::List(words) = &node.value {
            return self.choice(node, words);
        }
        let text = self.plain_text(entry)?;
        if let Some(items) = text.strip_prefix("list of ") {
            let of = self.type_named(items.trim());
            if of.is_some() {
                return of.map(|of| Type::List(Box::new(Slot::of(of))));
            }
        } else if let Some(kind) = self.type_named(text) {
            return Some(kind);
        }
        let wrong = text.strip_prefix("list of ").map_or(text, str::trim);
        if wrong.starts_with("list of ") {
            let message = "an input cannot be a list of lists";
            self.error(codes::UNKNOWN_TYPE, node.place, message, None);
            return None;
        }
        let known = TYPES.iter().copied().chain(self.catalog.objects.names());
        let help = codes::did_you_mean(wrong, known).unwrap_or_else(|| {
            format!("write {}, the name of an object, or a list of words", TYPES.join(", "))
        });
        let message = format!("there is no type `{wrong}`");
        self.error(codes::UNKNOWN_TYPE, node.place, message, Some(help));
        None
    }

    fn type_named(&self, name: &str) -> Option<Type> {
        Some(match name {
            "text" => Type::Text,
            "number" => Type::Number,
            "yes/no" => Type::YesNo,
            "date" => Type::Date,
            "time" => Type::Time,
            "duration" => Type::Duration,
            "money" => Type::Money,
            "record" => Type::any_record(),
            object => {
                self.catalog.objects.get(object)?;
                Type::Record(vec![object.to_owned()])
            }
        })
    }

    /// The words of a choice.
    pub(super) fn choice(&mut self, node: &Node, items: &[Node]) -> Option<Type> {
        let mut words: Vec<String> = Vec::new();
        let mut failed = false;
        for item in items {
            match &item.value {
                Content::Text { text, .. } if computed(item).is_none() => {
                    let word = text.trim();
                    if words.iter().any(|known| known == word) {
                        let message = format!("`{word}` stands twice among the words");
                        let help = Some("remove one of the two".to_owned());
                        self.error(codes::WRONG_VALUE, item.place, message, help);
                        failed = true;
                    } else {
                        words.push(word.to_owned());
                    }
                }
                Content::Spoiled => failed = true,
                _ => {
                    let message = "a choice is a list of words that are written out";
                    self.error(codes::WRONG_FORM, item.place, message, None);
                    failed = true;
                }
            }
        }
        if words.is_empty() && !failed {
            let help = Some("write `[small, large]`, say".to_owned());
            self.error(codes::MISSING_KEY, node.place, "there are no words to choose from", help);
            failed = true;
        }
        (!failed).then_some(Type::Choice(words))
    }

    /// Tells of inputs that have to be given where something starts the
    /// workflow that gives none.
    pub(super) fn inputs_are_given(&mut self, entry: &Entry, triggers: &[Trigger]) {
        let blind = triggers.iter().find_map(|trigger| match trigger {
            Trigger::Occurrence(_) => Some("record"),
            Trigger::Schedule(_) => Some("schedule"),
            Trigger::Webhook(_) | Trigger::Button(_) => None,
        });
        let Some(blind) = blind else { return };
        for written in entry.value.entries().unwrap_or_default() {
            let input = self.signature.inputs.iter().find(|input| input.name == written.key);
            // Of what is wrong anyway nothing more is said.
            let says_default = written
                .value
                .entries()
                .is_some_and(|entries| entries.iter().any(|entry| entry.key == "default"));
            let is_needed =
                input.is_some_and(|input| input.is_required() && input.slot.kind != Type::Any);
            if is_needed && !says_default {
                self.error(
                    codes::INPUT_NOT_GIVEN,
                    written.key_place,
                    format!(
                        "nobody gives the input `{}` when a {blind} starts the workflow",
                        written.key
                    ),
                    Some("add a `default:`, or `optional: true`".to_owned()),
                );
            }
        }
    }

    /// `outputs:`
    pub(super) fn outputs(&mut self, entry: &Entry, names: &Names) -> Option<Vec<Output>> {
        let keys: Keys<'_> = self.keys(&entry.value, "`outputs`")?;
        let mut outputs = Vec::new();
        let mut failed = false;
        for entry in keys.entries {
            let name = &entry.key;
            if !relata_model::text::is_name(name) {
                let message =
                    format!("`{name}` cannot be a name: use lower-case letters, digits and _");
                let help = Some("choose another name".to_owned());
                self.error(codes::WRONG_NAME, entry.key_place, message, help);
                failed = true;
            }
            let read = self.together(&[(&entry.value, names)]);
            let got = read.and_then(|(expressions, slot)| {
                let expression = expressions.into_iter().next()?;
                let slot = declared_slot(&expression, slot);
                Some((expression, slot))
            });
            let slot = got.as_ref().map_or(Slot::of(Type::Any), |(_, slot)| slot.clone());
            self.signature.outputs.insert(name.clone(), slot);
            match got {
                Some((value, slot)) => outputs.push(Output { name: name.clone(), value, slot }),
                None => failed = true,
            }
        }
        (!failed).then_some(outputs)
    }

    /// What the parameters of a blueprint are in one of its instances; none
    /// where what is given is wrong.
    pub(super) fn constants(
        &mut self,
        blueprint: &str,
        given: Option<&Entry>,
        missing_at: Place,
        parameters: &[Input],
    ) -> BTreeMap<String, Option<Value>> {
        let is_unreadable =
            given.is_some_and(|given| !matches!(given.value.value, Content::Map(_)));
        let entries = given
            .and_then(|given| self.keys(&given.value, "`inputs`"))
            .map_or(&[][..], |keys| keys.entries);
        for entry in entries {
            if parameters.iter().any(|input| input.name == entry.key) {
                continue;
            }
            let known = parameters.iter().map(|input| input.name.as_str());
            let help = codes::mean_or_list(&entry.key, known);
            let message = format!("`{blueprint}` has no input `{}`", entry.key);
            self.error(codes::UNKNOWN_ARGUMENT, entry.key_place, message, help);
        }
        let mut values = BTreeMap::new();
        for input in parameters {
            let entry = entries.iter().find(|entry| entry.key == input.name);
            let value = match entry {
                Some(entry) if entry.value.is_nothing() && input.slot.optional => {
                    Some(Value::Nothing)
                }
                Some(entry) => self.written(entry, &exactly(&input.slot.kind)),
                None if input.slot.optional => Some(Value::Nothing),
                None => input.default.clone(),
            };
            let is_slip = || {
                let near = |entry: &&Entry| {
                    codes::did_you_mean(&entry.key, std::iter::once(input.name.as_str())).is_some()
                };
                entries.iter().any(|entry| near(&entry))
            };
            if value.is_none() && entry.is_none() && !is_unreadable && !is_slip() {
                let message = format!("`{blueprint}` needs the input `{}`", input.name);
                let help = Some(format!(
                    "add `{}:`, which is {}",
                    input.name,
                    exactly(&input.slot.kind).describe()
                ));
                let place = given.map_or(missing_at, |given| given.key_place);
                self.error(codes::MISSING_ARGUMENT, place, message, help);
            }
            values.insert(input.name.clone(), value);
        }
        values
    }
}

//! `pretend:`: actions that do not do what they do, splits that draw what the
//! test wants.

use std::collections::BTreeMap;

use relata_model::{Decimal, Value};

use super::{Answer, Pretend, Pretended, Reader};
use crate::{
    catalog::ActionSignature,
    definition::{Definition, StepKind},
    diagnostic as codes,
    read::schema::{self, Wanted},
    source::{Content, Entry, Node},
    types::Type,
};

/// The word of an enumeration for what nobody knows.
const UNKNOWN: &str = "unknown";

impl Reader<'_> {
    pub(super) fn pretend(&mut self, entry: &Entry) -> Vec<Pretend> {
        let Some(keys) = self.keys(&entry.value, "`pretend`") else { return Vec::new() };
        let entries = keys.entries;
        entries
            .iter()
            .filter_map(|entry| {
                let what = self.pretended(entry)?;
                Some(Pretend { what, span: self.span(entry.key_place) })
            })
            .collect()
    }

    fn pretended(&mut self, entry: &Entry) -> Option<Pretended> {
        let catalog = self.context.catalog;
        if let Some(signature) = catalog.actions.get(&entry.key) {
            let answers = self.answers(entry, |reader, node| reader.output(node, signature))?;
            return Some(Pretended::Action { action: entry.key.clone(), answers });
        }
        let arms = self.active().into_iter().find_map(|definition| arms(definition, &entry.key));
        if let Some(arms) = arms {
            let arm = self.plain_text(entry)?.to_owned();
            if !arms.contains(&arm) {
                let help = codes::mean_or_list(&arm, arms.iter().map(String::as_str));
                let message = format!("`{}` has no arm `{arm}`", entry.key);
                self.error(codes::NOT_A_CHOICE, entry.value.place, message, help);
                return None;
            }
            return Some(Pretended::Arm { split: entry.key.clone(), arm });
        }
        if self.runs(&entry.key) {
            let outputs = self.outputs_of(&entry.key);
            let answers =
                self.answers(entry, |reader, node| reader.value(node, &outputs, "the result"))?;
            return Some(Pretended::Workflow { workflow: entry.key.clone(), answers });
        }
        let is_action = entry.key.contains('.');
        // Nothing is known of the splits of a workflow with errors.
        if !is_action && self.definition().is_none() {
            return None;
        }
        let (code, message) = if is_action {
            (codes::UNKNOWN_ACTION, format!("there is no action `{}`", entry.key))
        } else {
            (codes::UNKNOWN_STEP, format!("nothing is called `{}` that could pretend", entry.key))
        };
        let known: Vec<String> = catalog
            .actions
            .keys()
            .cloned()
            .chain(self.active().into_iter().flat_map(split_names))
            .collect();
        let help = codes::did_you_mean(&entry.key, known.iter().map(String::as_str))
            .or_else(|| Some("name an action, or a `split:`".to_owned()));
        self.error(code, entry.key_place, message, help);
        None
    }

    /// Whether a step of the workflow that is tested runs a workflow of this
    /// name.
    fn runs(&self, name: &str) -> bool {
        self.active().into_iter().any(|definition| {
            definition
                .steps
                .iter()
                .any(|step| matches!(&step.kind, StepKind::Run(run) if run.workflow == name))
        })
    }

    fn outputs_of(&self, workflow: &str) -> Wanted {
        let outputs =
            self.active().into_iter().flat_map(|definition| &definition.steps).find_map(|step| {
                match &step.kind {
                    StepKind::Run(run) if run.workflow == workflow => Some(run.output.clone()),
                    _ => None,
                }
            });
        outputs.map_or(Wanted::Open, |outputs| Wanted::of_type(&outputs))
    }

    /// One answer, a list of answers, or `real`.
    fn answers(
        &mut self,
        entry: &Entry,
        mut output: impl FnMut(&mut Self, &Node) -> Option<Value>,
    ) -> Option<Vec<Answer>> {
        if entry.value.text().map(str::trim) == Some("real") {
            return Some(Vec::new());
        }
        let items = self.items(entry);
        let mut answers = Vec::new();
        for node in items {
            answers.push(self.answer(node, &entry.key, &mut output)?);
        }
        if answers.is_empty() { None } else { Some(answers) }
    }

    fn answer(
        &mut self,
        node: &Node,
        what: &str,
        output: &mut impl FnMut(&mut Self, &Node) -> Option<Value>,
    ) -> Option<Answer> {
        let has = |key: &str| {
            node.entries().is_some_and(|entries| entries.iter().any(|entry| entry.key == key))
        };
        if has("fails") {
            let mut keys = self.keys(node, "a failure")?;
            let why = keys.take("fails").and_then(|entry| self.plain_text(entry))?.to_owned();
            let permanent = keys.take("permanent").and_then(|entry| self.yes_no(entry));
            let times = keys.take("times").and_then(|entry| self.count(entry));
            self.unknown_keys(&keys, "a failure");
            return Some(Answer::Fails { why, permanent: permanent.unwrap_or(false), times });
        }
        if has("skips") {
            let mut keys = self.keys(node, "an answer")?;
            let why = keys.take("skips").and_then(|entry| self.plain_text(entry))?.to_owned();
            self.unknown_keys(&keys, "an answer that skips");
            return Some(Answer::Skips(why));
        }
        if !matches!(node.value, Content::Map(_) | Content::Spoiled) {
            let help = Some("write `{ part: value }`, `{ fails: \"why\" }` or `real`".to_owned());
            let message = format!("what `{what}` answers is a block");
            self.error(codes::WRONG_FORM, node.place, message, help);
            return None;
        }
        output(self, node).map(Answer::Output)
    }

    pub(super) fn count(&mut self, entry: &Entry) -> Option<u32> {
        let text = self.plain_text(entry)?;
        let count = text.parse::<u32>().ok().filter(|count| *count > 0);
        if count.is_none() {
            let message = format!("`{}` is a number from 1", entry.key);
            self.error(codes::WRONG_VALUE, entry.value.place, message, None);
        }
        count
    }

    /// A result of an action, checked against what it says that it yields.
    /// What is left out is empty, 0 or no; what has no such value must be
    /// given.
    fn output(&mut self, node: &Node, signature: &ActionSignature) -> Option<Value> {
        let kind = schema::result(&signature.output, &BTreeMap::new());
        let what = format!("the result of `{}`", signature.name);
        let mut value = self.value(node, &result_wanted(&kind), &what)?;
        if let (Value::Map(parts), Type::Map(slots)) = (&mut value, &kind) {
            for (name, slot) in slots {
                if slot.optional || parts.contains_key(name) {
                    continue;
                }
                let Some(empty) = empty_of(&slot.kind) else {
                    let message = format!("{what} always has `{name}`");
                    let help = Some(format!("add `{name}`: it is {}", slot.kind.describe()));
                    self.error(codes::MISSING_ARGUMENT, node.place, message, help);
                    return None;
                };
                parts.insert(name.clone(), empty);
            }
        }
        Some(value)
    }
}

/// What a result of this type is written as: words are held to.
fn result_wanted(kind: &Type) -> Wanted {
    match kind {
        Type::Choice(words) => Wanted::Choice(words.clone()),
        Type::List(items) => Wanted::List(Box::new(result_wanted(&items.kind))),
        Type::Map(parts) => Wanted::Map(
            parts
                .iter()
                .map(|(name, slot)| {
                    let wanted = result_wanted(&slot.kind);
                    let nullable = slot.optional;
                    (name.clone(), schema::Parameter { wanted, required: false, nullable })
                })
                .collect(),
        ),
        other => Wanted::of_type(other),
    }
}

fn empty_of(kind: &Type) -> Option<Value> {
    match kind {
        Type::Nothing | Type::Any => Some(Value::Nothing),
        Type::Text => Some(Value::Text(String::new())),
        Type::Number => Some(Value::Number(Decimal::ZERO)),
        Type::YesNo => Some(Value::YesNo(false)),
        Type::List(_) => Some(Value::List(Vec::new())),
        Type::Choice(words) if words.iter().any(|word| word == UNKNOWN) => {
            Some(Value::Text(UNKNOWN.to_owned()))
        }
        Type::Map(_) => Some(Value::Map(BTreeMap::new())),
        Type::Date
        | Type::Time
        | Type::Duration
        | Type::Money
        | Type::Choice(_)
        | Type::Record(_) => None,
    }
}

/// The arms of a split.
fn arms(definition: &Definition, name: &str) -> Option<Vec<String>> {
    definition.steps.iter().find_map(|step| match &step.kind {
        StepKind::Split { arms } if step.name.as_deref() == Some(name) => {
            Some(arms.iter().map(|(arm, _)| arm.clone()).collect())
        }
        _ => None,
    })
}

fn split_names(definition: &Definition) -> impl Iterator<Item = String> + '_ {
    definition.steps.iter().filter_map(|step| match &step.kind {
        StepKind::Split { .. } => step.name.clone(),
        _ => None,
    })
}

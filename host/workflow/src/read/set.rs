//! `set:` gives values to names. What is known of a name that may be set
//! again, and where.

use std::collections::BTreeSet;

use super::{Reader, formulas, inputs::exactly, schema::Parameter, steps::After};
use crate::{
    definition::{Expression, StepKind},
    diagnostic::{self as codes, Place},
    formula::{Known, Names},
    source::{Content, Entry, Node},
    types::{Slot, Type},
};

/// The type that a name keeps which is given this value first: a text that is
/// written out may become any other text.
pub(super) fn declared_slot(expression: &Expression, slot: Slot) -> Slot {
    let Slot { kind, optional } = slot;
    let kind = match (expression, kind) {
        (Expression::Formula(formula), kind) if formula.as_literal().is_none() => kind,
        (Expression::Map(parts), Type::Map(mut slots)) => {
            for (name, part) in parts {
                if let Some(slot) = slots.remove(name) {
                    slots.insert(name.clone(), declared_slot(part, slot));
                }
            }
            Type::Map(slots)
        }
        (Expression::List(items), Type::List(of)) => {
            let is_formula = |item: &Expression| matches!(item, Expression::Formula(_));
            let of = if items.iter().all(is_formula) { *of } else { widened(*of) };
            Type::List(Box::new(of))
        }
        (_, kind) => widened(Slot::of(kind)).kind,
    };
    Slot { kind, optional }
}

/// Words that are written out, as texts.
fn widened(slot: Slot) -> Slot {
    let kind = match slot.kind {
        Type::Choice(_) => Type::Text,
        Type::List(of) => Type::List(Box::new(widened(*of))),
        Type::Map(parts) => {
            Type::Map(parts.into_iter().map(|(name, part)| (name, widened(part))).collect())
        }
        other => other,
    };
    Slot { kind, ..slot }
}

/// The type that a name has from now on that was of `kept` and is given a
/// value of `given`: the same, or what was open in it so far.
fn refined(kept: &Type, given: &Type) -> Option<Type> {
    Some(match (kept, given) {
        (Type::Nothing, given) => given.clone(),
        (kept, Type::Nothing | Type::Any) => kept.clone(),
        (Type::List(kept), Type::List(given)) => {
            if given.optional && !kept.optional && kept.kind != Type::Nothing {
                return None;
            }
            let kind = refined(&kept.kind, &given.kind)?;
            let optional = kept.optional || (kept.kind == Type::Nothing && given.optional);
            Type::List(Box::new(Slot { kind, optional }))
        }
        (Type::Map(parts), Type::Map(given)) => {
            let mut all = parts.clone();
            for (name, part) in &mut all {
                match given.get(name) {
                    Some(given) if given.optional && !part.optional => return None,
                    Some(given) => part.kind = refined(&part.kind, &given.kind)?,
                    None if part.optional => {}
                    None => return None,
                }
            }
            Type::Map(all)
        }
        (kept, given) => return kept.takes(given).then(|| kept.clone()),
    })
}

/// Whether it does not show yet which values a name takes.
fn is_open(kind: &Type) -> bool {
    match kind {
        Type::Nothing => true,
        Type::List(items) => items.kind == Type::Nothing,
        _ => false,
    }
}

/// The names that a part of the file gives values to, with their places: all
/// of them, or only those of `set:` steps.
pub(super) fn names_in(node: &Node, only_set: bool) -> Vec<(&str, Place)> {
    let mut found = Vec::new();
    collect(node, only_set, &mut found);
    found
}

fn collect<'n>(node: &'n Node, only_set: bool, found: &mut Vec<(&'n str, Place)>) {
    match &node.value {
        Content::List(items) => {
            for item in items {
                collect(item, only_set, found);
            }
        }
        Content::Map(entries) => {
            // The fields of `crm.update` stand under `set` as well.
            let is_call = entries.iter().any(|entry| entry.key == "do");
            for entry in entries {
                match (entry.key.as_str(), &entry.value.value) {
                    ("set", Content::Map(values)) if !is_call => {
                        found.extend(
                            values.iter().map(|value| (value.key.as_str(), value.key_place)),
                        );
                    }
                    ("as" | "decide" | "split", Content::Text { text, .. }) if !only_set => {
                        found.push((text.trim(), entry.value.place));
                    }
                    _ => collect(&entry.value, only_set, found),
                }
            }
        }
        Content::Text { .. } | Content::Nothing | Content::Spoiled => {}
    }
}

/// The names that `set:` steps in a part of the file give values to.
pub(super) fn set_in(node: &Node) -> BTreeSet<String> {
    names_in(node, true).into_iter().map(|(name, _)| name.to_owned()).collect()
}

impl Reader<'_> {
    /// Forgets what was tested of names that get other values: in a loop,
    /// beside this place, or later.
    pub(super) fn forget(&self, set: &BTreeSet<String>, names: &mut Names) {
        for name in set {
            let Some(declared) = self.declared.get(name) else { continue };
            let Some(known) = names.get(name) else { continue };
            let slot = match declared.kind {
                // Of what kind the other value is shows only later.
                Type::Nothing => Slot::maybe(Type::Any),
                _ => declared.clone(),
            };
            let known = Known { slot, unset: known.unset, arms: Vec::new() };
            names.insert(name, known);
            names.forget_tests(name);
        }
    }

    /// Takes over the types that `set` has found for names since.
    pub(super) fn take_over(&self, set: &BTreeSet<String>, names: &mut Names) {
        for name in set {
            let Some(declared) = self.declared.get(name) else { continue };
            if let Some(known) = names.get(name) {
                let known = Known { slot: declared.clone(), ..known.clone() };
                names.insert(name, known);
            }
        }
    }

    /// `set: { total: 0 }`
    pub(super) fn set_step(&mut self, entry: &Entry, names: &mut Names) -> After {
        let entries = match &entry.value.value {
            Content::Map(entries) if !entries.is_empty() => entries,
            Content::Spoiled => return After::of(None, "set".to_owned()),
            Content::Nothing | Content::Map(_) => {
                let help = Some("write `set: { total: 0 }`, say".to_owned());
                self.error(codes::MISSING_KEY, entry.key_place, "`set` has no names", help);
                return After::of(None, "set".to_owned());
            }
            _ => {
                let help = Some("write `set: { total: 0 }`, say".to_owned());
                let message = "`set` gives values to names";
                self.error(codes::WRONG_FORM, entry.value.place, message, help);
                return After::of(None, "set".to_owned());
            }
        };
        let listed: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        let label = format!("set: {}", listed.join(", "));
        let mut values = Vec::new();
        for entry in entries {
            let is_there = names.contains(&entry.key);
            let value = if is_there && self.declared.contains_key(&entry.key) {
                self.set_again(entry, names)
            } else {
                self.set_first(entry, names)
            };
            values.extend(value.map(|value| (entry.key.clone(), value)));
        }
        let kind = (values.len() == entries.len()).then_some(StepKind::Set { values });
        After::of(kind, label)
    }

    fn set_first(&mut self, entry: &Entry, names: &mut Names) -> Option<Expression> {
        let name = self.result_name(&entry.key, entry.key_place, names);
        let read = self.together(&[(&entry.value, names)]);
        let got = read.and_then(|(expressions, slot)| {
            expressions.into_iter().next().map(|expression| (expression, slot))
        });
        let name = name?;
        let slot = got.as_ref().map_or(Slot::of(Type::Any), |(expression, slot)| {
            declared_slot(expression, slot.clone())
        });
        self.declared.insert(name.clone(), slot.clone());
        self.set(&name, formulas::known(slot), names);
        got.map(|(expression, _)| expression)
    }

    fn set_again(&mut self, entry: &Entry, names: &mut Names) -> Option<Expression> {
        let name = &entry.key;
        let declared = self.declared.get(name)?.clone();
        let parameter = Parameter {
            wanted: exactly(&declared.kind),
            required: !declared.optional,
            nullable: declared.optional,
        };
        let got = self.value(&entry.value, &parameter, &format!("`{name}`"), names)?;
        let given = if is_open(&declared.kind) {
            declared_slot(&got.expression, got.slot.clone())
        } else {
            got.slot.clone()
        };
        let Some(kind) = refined(&declared.kind, &given.kind) else {
            let message = format!("`{name}` was set to {} before", declared.kind.describe());
            let help = Some("give it a value of the same kind and with the same parts".to_owned());
            self.error(codes::WRONG_VALUE, entry.value.place, message, help);
            return None;
        };
        let slot = Slot { kind, ..declared };
        self.declared.insert(name.clone(), slot.clone());
        let is_filled = slot.optional && !got.slot.optional;
        self.set(name, formulas::known(slot), names);
        if is_filled {
            names.narrow([name.clone()]);
        }
        Some(got.expression)
    }
}

//! Checking a formula against the objects and the names that are known where
//! it stands: every operand has a type, and what may be empty is tested or
//! defaulted before it is used.

use std::collections::{BTreeMap, BTreeSet};

use relata_model::{Objects, Value, text::with_article};

use super::{
    Fault, Names, functions,
    tree::{Node, NodeId, NodeKind},
};
use crate::{
    definition::Expression,
    diagnostic as codes,
    types::{Joined, Slot, Type},
};

/// What a name stands for where a formula is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Known {
    pub(crate) slot: Slot,
    /// Its step may not have run here.
    pub(crate) unset: bool,
    /// The values that a decision or a split may yield, where they are
    /// written out.
    pub(crate) arms: Vec<Expression>,
}

impl Known {
    pub(crate) const fn set(slot: Slot) -> Self {
        Self { slot, unset: false, arms: Vec::new() }
    }
}

/// What a check found out.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) slot: Slot,
    pub(crate) faults: Vec<Fault>,
    /// The paths that cannot be empty where the formula holds.
    pub(crate) filled_if_true: BTreeSet<String>,
    /// The paths that cannot be empty where it does not.
    pub(crate) filled_if_false: BTreeSet<String>,
    /// What counts working time, as bytes of the source.
    pub(crate) calendar: Option<(usize, usize)>,
}

/// Checks a formula.
pub(crate) fn check(nodes: &[Node], root: NodeId, names: &Names, objects: &Objects) -> Checked {
    let mut checker = Checker {
        nodes,
        names,
        objects,
        constants: constants(nodes),
        filled: Filled::of(names),
        words: BTreeMap::new(),
        calendar: None,
        faults: Vec::new(),
    };
    let slot = checker.slot(root);
    checker.conditions_together(root);
    Checked {
        slot,
        filled_if_true: checker.filled_where(root, true),
        filled_if_false: checker.filled_where(root, false),
        calendar: checker.calendar,
        faults: checker.faults,
    }
}

/// Which nodes read nothing that varies.
fn constants(nodes: &[Node]) -> Vec<bool> {
    let mut constants: Vec<bool> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let varies = match &node.kind {
            NodeKind::Variable(_) => true,
            NodeKind::Call { function, .. } => matches!(function.as_str(), "now" | "today"),
            _ => false,
        };
        // Children stand before their parents.
        let constant = |id: &NodeId| constants.get(id.0 as usize).copied().unwrap_or(false);
        let is_constant = !varies && node.kind.children().iter().all(constant);
        constants.push(is_constant);
    }
    constants
}

/// The paths that cannot be empty at a place: those of the names, and those
/// that the formula itself has tested before.
pub(super) struct Filled<'a> {
    before: Option<&'a Names>,
    here: Vec<String>,
    counts: BTreeMap<String, usize>,
}

impl<'a> Filled<'a> {
    const fn of(before: &'a Names) -> Self {
        Self { before: Some(before), here: Vec::new(), counts: BTreeMap::new() }
    }

    pub(super) const fn nothing() -> Self {
        Self { before: None, here: Vec::new(), counts: BTreeMap::new() }
    }

    pub(super) fn contains(&self, path: &str) -> bool {
        self.before.is_some_and(|names| names.is_filled(path)) || self.counts.contains_key(path)
    }

    pub(super) const fn depth(&self) -> usize {
        self.here.len()
    }

    pub(super) fn push(&mut self, path: String) {
        *self.counts.entry(path.clone()).or_default() += 1;
        self.here.push(path);
    }

    /// Forgets what was tested since the depth was this.
    pub(super) fn back_to(&mut self, depth: usize) {
        for path in self.here.drain(depth..) {
            if let Some(count) = self.counts.get_mut(&path) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(&path);
                }
            }
        }
    }
}

pub(super) struct Checker<'a> {
    nodes: &'a [Node],
    pub(super) names: &'a Names,
    objects: &'a Objects,
    constants: Vec<bool>,
    pub(super) filled: Filled<'a>,
    /// The words that paths can be, where they are always one of a few.
    pub(super) words: BTreeMap<String, Vec<String>>,
    /// The first place that counts working time.
    calendar: Option<(usize, usize)>,
    faults: Vec<Fault>,
}

impl<'a> Checker<'a> {
    pub(super) fn kind(&self, id: NodeId) -> &'a NodeKind {
        &self.nodes[id.0 as usize].kind
    }

    pub(super) fn fault(
        &mut self,
        at: NodeId,
        code: &'static str,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let node = &self.nodes[at.0 as usize];
        self.faults.push(Fault::new(code, node.start as usize, node.end as usize, message, help));
    }

    /// A fault of a call, at the function's name.
    pub(super) fn fault_at_name(
        &mut self,
        at: NodeId,
        name: &str,
        code: &'static str,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let start = self.nodes[at.0 as usize].start as usize;
        self.faults.push(Fault::new(code, start, start + name.len(), message, help));
    }

    /// Remembers that a node counts working time.
    pub(super) fn needs_calendar(&mut self, at: NodeId) {
        let node = &self.nodes[at.0 as usize];
        self.calendar = self.calendar.or(Some((node.start as usize, node.end as usize)));
    }

    /// Whether a node reads nothing that varies.
    pub(super) fn is_constant(&self, id: NodeId) -> bool {
        self.constants[id.0 as usize]
    }

    pub(super) fn warn(
        &mut self,
        at: NodeId,
        code: &'static str,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.fault(at, code, message, help);
        if let Some(fault) = self.faults.last_mut() {
            fault.is_warning = true;
        }
    }

    /// A node as it is written.
    pub(super) fn printed(&self, id: NodeId) -> String {
        super::print::Printed { nodes: self.nodes, root: id }.to_string()
    }

    /// `ticket.customer.tier`, if the node is a path.
    pub(super) fn path(&self, id: NodeId) -> Option<String> {
        super::path(self.nodes, id)
    }

    /// The type of a node.
    pub(super) fn slot(&mut self, id: NodeId) -> Slot {
        match self.kind(id) {
            NodeKind::Literal(value) => literal(value),
            NodeKind::List(items) => {
                let mut of = Joined::default();
                for item in items {
                    let slot = self.slot(*item);
                    let kind = slot.kind.clone();
                    if let Err(before) = of.add(slot) {
                        self.fault(
                            *item,
                            codes::WRONG_TYPE,
                            format!(
                                "the list has {} and {}, but a list holds values of one kind",
                                before.describe(),
                                kind.describe()
                            ),
                            None,
                        );
                    }
                }
                Slot::of(Type::List(Box::new(of.finish().unwrap_or(Slot::of(Type::Nothing)))))
            }
            NodeKind::Variable(name) => self.variable(id, name),
            NodeKind::Field { of, name } => self.field(id, *of, name),
            NodeKind::Not(inner) => {
                self.condition(*inner);
                Slot::of(Type::YesNo)
            }
            NodeKind::Minus(inner) => self.minus(*inner),
            NodeKind::All(parts) => self.conditions(parts, true),
            NodeKind::Any(parts) => self.conditions(parts, false),
            NodeKind::Compare { by, left, right } => {
                self.compare(id, *by, *left, *right);
                Slot::of(Type::YesNo)
            }
            NodeKind::In { item, list, .. } => {
                self.is_in(*item, *list);
                Slot::of(Type::YesNo)
            }
            NodeKind::Contains { list, item } => {
                self.contains(*list, *item);
                Slot::of(Type::YesNo)
            }
            NodeKind::Empty { of, negated } => {
                self.empty(id, *of, *negated);
                Slot::of(Type::YesNo)
            }
            NodeKind::Arithmetic { by, left, right } => self.arithmetic(id, *by, *left, *right),
            NodeKind::Call { function, arguments } => self.call(id, function, arguments),
        }
    }

    /// A node whose value must be there.
    pub(super) fn needed(&mut self, id: NodeId) -> Type {
        let before = self.faults.len();
        let slot = self.slot(id);
        // What may be unset was told of already.
        let is_told = self.faults[before..].iter().any(|fault| fault.code == codes::MAY_BE_UNSET);
        if slot.optional && !is_told {
            let message = self.path(id).map_or_else(
                || "this value may be empty, and one is needed here".to_owned(),
                |path| format!("`{path}` may be empty, and a value is needed here"),
            );
            let help = match self.path(id) {
                Some(path) => empty_help(&path, &slot.kind),
                None => {
                    let otherwise = default_of(&slot.kind);
                    format!("write `default({}, {otherwise})`", self.printed(id))
                }
            };
            let help = Some(help);
            self.fault(id, codes::MAY_BE_EMPTY, message, help);
        }
        slot.kind
    }

    /// A node whose value must be there, unless it is a list: one that is empty
    /// is a list, too.
    pub(super) fn list_or_needed(&mut self, id: NodeId) -> Type {
        let before = self.faults.len();
        let slot = self.slot(id);
        if matches!(slot.kind, Type::List(_)) || !slot.optional {
            return slot.kind;
        }
        // What is wrong is told once, by the check for what is needed.
        self.faults.truncate(before);
        self.needed(id)
    }

    fn condition(&mut self, id: NodeId) {
        let kind = self.needed(id);
        if !matches!(kind, Type::YesNo | Type::Any) {
            self.fault(
                id,
                codes::NOT_A_CONDITION,
                format!("yes or no is needed here, not {}", kind.describe()),
                Some("compare it with something".to_owned()),
            );
        }
    }

    /// `and`, `or`: each part is checked under what the parts before it say.
    fn conditions(&mut self, parts: &[NodeId], truth: bool) -> Slot {
        let depth = self.filled.depth();
        let all_constant = parts.iter().all(|part| self.is_constant(*part));
        for part in parts {
            if !all_constant && self.is_constant(*part) {
                self.warn(
                    *part,
                    codes::CONSTANT,
                    "this part of the condition is always the same",
                    None,
                );
            }
            self.condition(*part);
            for path in self.filled_where(*part, truth) {
                self.filled.push(path);
            }
        }
        self.filled.back_to(depth);
        Slot::of(Type::YesNo)
    }

    fn variable(&mut self, id: NodeId, name: &str) -> Slot {
        let names = self.names;
        let Some(known) = names.get(name) else {
            let text = || format!("for the text, write \"{name}\"");
            let help = if functions::function(name).is_some() {
                format!("call the function: `{name}(…)`")
            } else {
                match name.to_lowercase().as_str() {
                    "yes" | "true" => "write `true`".to_owned(),
                    "no" | "false" if name.len() > 2 || name == "no" => "write `false`".to_owned(),
                    "null" | "none" | "nothing" | "nil" | "blank" => {
                        "write `is empty`, or `is not empty`".to_owned()
                    }
                    // What stands in capitals is a country, a currency, a code.
                    _ if name.chars().all(|letter| letter.is_uppercase() || letter == '_') => {
                        text()
                    }
                    _ => codes::did_you_mean(name, names.keys()).unwrap_or_else(|| {
                        codes::listed(names.keys())
                            .map_or_else(text, |listed| format!("{listed}; {}", text()))
                    }),
                }
            };
            let message = format!("nothing is called `{name}` here");
            self.fault(id, codes::UNKNOWN_VARIABLE, message, Some(help));
            return Slot::of(Type::Any);
        };
        let mut slot = known.slot.clone();
        if self.filled.contains(name) {
            slot.optional = false;
        } else if known.unset {
            self.fault(
                id,
                codes::MAY_BE_UNSET,
                format!(
                    "`{name}` may be unset here: its step does not run on every way to this place"
                ),
                Some(format!("test it first: `{name} is not empty and …`")),
            );
            slot.optional = true;
        }
        slot
    }

    fn field(&mut self, id: NodeId, of: NodeId, name: &str) -> Slot {
        let base = self.slot(of);
        let found = match &base.kind {
            Type::Any => Some(Slot::of(Type::Any)),
            Type::Record(objects) => self.record_field(id, objects, name),
            Type::Map(parts) => parts.get(name).cloned().or_else(|| {
                let what =
                    self.path(of).map_or_else(|| "this".to_owned(), |path| format!("`{path}`"));
                let help = codes::mean_or_list(name, parts.keys().map(String::as_str));
                self.fault(id, codes::UNKNOWN_FIELD, format!("{what} has no part `{name}`"), help);
                None
            }),
            Type::Money if name == "amount" => Some(Slot::of(Type::Number)),
            Type::Money if name == "currency" => Some(Slot::of(Type::Text)),
            other => {
                let parts = if *other == Type::Money {
                    Some("an amount has `amount` and `currency`".to_owned())
                } else {
                    None
                };
                self.fault(
                    id,
                    codes::UNKNOWN_FIELD,
                    format!("{} has no part `{name}`", other.describe()),
                    parts,
                );
                None
            }
        };
        let Some(mut slot) = found else { return Slot::of(Type::Any) };
        slot.optional |= base.optional;
        if let Some(path) = self.path(id) {
            if self.filled.contains(&path) {
                slot.optional = false;
            }
            self.remember_words(path, &slot);
        }
        slot
    }

    /// Keeps the words that a path can be, for what conditions say together.
    fn remember_words(&mut self, path: String, slot: &Slot) {
        if let Type::Choice(words) = &slot.kind
            && !slot.optional
        {
            self.words.insert(path, words.clone());
        }
    }

    /// A field of a record that may be of several objects.
    fn record_field(&mut self, id: NodeId, of: &[String], name: &str) -> Option<Slot> {
        match name {
            "id" => return Some(Slot::of(Type::Text)),
            "revision" => return Some(Slot::of(Type::Number)),
            _ => {}
        }
        let objects: Vec<_> = if of.is_empty() {
            self.objects.iter().collect()
        } else {
            of.iter().filter_map(|object| self.objects.get(object)).collect()
        };
        let fields: Vec<_> = objects.iter().filter_map(|object| object.field(name)).collect();
        if fields.is_empty() {
            let what = match of {
                [] => "no object".to_owned(),
                [one] => with_article(one),
                several => format!(
                    "neither {}",
                    several.iter().map(|one| with_article(one)).collect::<Vec<_>>().join(" nor ")
                ),
            };
            let message = if of.len() == 1 {
                format!("{what} has no field `{name}`")
            } else {
                format!("{what} has a field `{name}`")
            };
            let known = objects.iter().flat_map(|object| object.fields.keys().map(String::as_str));
            let help = codes::did_you_mean(name, known.chain(["id", "revision"]));
            self.fault(id, codes::UNKNOWN_FIELD, message, help);
            return None;
        }
        let everywhere = fields.len() == objects.len();
        let mut slots = fields.into_iter().map(Slot::of_field);
        let first = slots.next()?;
        let mut joined =
            slots.try_fold(first, |all, slot| all.join(&slot)).unwrap_or(Slot::of(Type::Any));
        joined.optional |= !everywhere;
        Some(joined)
    }
}

/// The type of a value as written. A text is a choice of one word, so that
/// it can be held against an enumeration.
fn literal(value: &Value) -> Slot {
    Slot::of(match value {
        Value::Nothing => Type::Nothing,
        Value::YesNo(_) => Type::YesNo,
        Value::Number(_) => Type::Number,
        Value::Text(text) => Type::Choice(vec![text.clone()]),
        Value::Date(_) => Type::Date,
        Value::Time(_) => Type::Time,
        Value::Duration(_) => Type::Duration,
        Value::Money(_) => Type::Money,
        Value::Reference(reference) => Type::Record(vec![reference.object.clone()]),
        Value::List(_) | Value::Map(_) => Type::Any,
    })
}

fn empty_help(path: &str, kind: &Type) -> String {
    let otherwise = default_of(kind);
    format!("write `{path} is not empty and …`, or `default({path}, {otherwise})`")
}

/// What may stand for a value of a type that is not there.
fn default_of(kind: &Type) -> String {
    match kind {
        Type::Number => "0".to_owned(),
        Type::Text => "\"\"".to_owned(),
        Type::YesNo => "false".to_owned(),
        Type::Duration => "0 hours".to_owned(),
        Type::Choice(words) => {
            words.first().map_or_else(|| "…".to_owned(), |word| format!("\"{word}\""))
        }
        Type::List(_) => "[]".to_owned(),
        _ => "…".to_owned(),
    }
}

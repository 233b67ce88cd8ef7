//! Checking a formula against the objects and the names that are known where
//! it stands: every operand has a type, and what may be empty is tested or
//! defaulted before it is used.

use std::collections::{BTreeMap, BTreeSet};

use relata_model::{Objects, Value, text::with_article};

use super::{
    Fault,
    functions::{self, FUNCTIONS, Takes, Yield},
    tree::{Arithmetic, Comparison, Node, NodeId, NodeKind},
};
use crate::{
    definition::Expression,
    diagnostic as codes,
    types::{Slot, Type},
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

/// The names that are known at a place, and the paths that cannot be empty
/// there because something before has tested them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Names {
    pub(crate) variables: BTreeMap<String, Known>,
    pub(crate) filled: BTreeSet<String>,
}

impl Names {
    pub(crate) fn narrow(&mut self, paths: impl IntoIterator<Item = String>) {
        self.filled.extend(paths);
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
}

/// Checks a formula.
pub(crate) fn check(nodes: &[Node], root: NodeId, names: &Names, objects: &Objects) -> Checked {
    let mut checker = Checker { nodes, names, objects, faults: Vec::new() };
    let slot = checker.slot(root, &names.filled);
    Checked {
        slot,
        filled_if_true: checker.filled(root, true),
        filled_if_false: checker.filled(root, false),
        faults: checker.faults,
    }
}

type Filled = BTreeSet<String>;

struct Checker<'a> {
    nodes: &'a [Node],
    names: &'a Names,
    objects: &'a Objects,
    faults: Vec<Fault>,
}

impl<'a> Checker<'a> {
    fn kind(&self, id: NodeId) -> &'a NodeKind {
        &self.nodes[id.0 as usize].kind
    }

    fn fault(&mut self, at: NodeId, code: &'static str, message: impl Into<String>, help: Option<String>) {
        let node = &self.nodes[at.0 as usize];
        self.faults.push(Fault::new(code, node.start as usize, node.end as usize, message, help));
    }

    fn warn(&mut self, at: NodeId, code: &'static str, message: impl Into<String>, help: Option<String>) {
        self.fault(at, code, message, help);
        if let Some(fault) = self.faults.last_mut() {
            fault.is_warning = true;
        }
    }

    /// `ticket.customer.tier`, if the node is a path.
    fn path(&self, id: NodeId) -> Option<String> {
        super::path(self.nodes, id)
    }

    /// The paths that cannot be empty where a condition has this truth.
    fn filled(&self, id: NodeId, truth: bool) -> Filled {
        let both = |parts: &[NodeId]| parts.iter().flat_map(|part| self.filled(*part, truth)).collect();
        let either = |parts: &[NodeId]| {
            let mut sets = parts.iter().map(|part| self.filled(*part, truth));
            let first = sets.next().unwrap_or_default();
            sets.fold(first, |common, set| common.intersection(&set).cloned().collect())
        };
        match self.kind(id) {
            NodeKind::Not(inner) => self.filled(*inner, !truth),
            NodeKind::All(parts) if truth => both(parts),
            NodeKind::All(parts) => either(parts),
            NodeKind::Any(parts) if truth => either(parts),
            NodeKind::Any(parts) => both(parts),
            NodeKind::Empty { of, negated } if *negated == truth => self.prefixes(*of),
            NodeKind::Compare { by, left, right } => match (by, truth) {
                (Comparison::Equal, false) | (Comparison::Unequal, true) => Filled::new(),
                // Equal to something that is there.
                (Comparison::Equal | Comparison::Unequal, _) => {
                    let mut paths = Filled::new();
                    if self.is_literal(*right) {
                        paths.extend(self.prefixes(*left));
                    }
                    if self.is_literal(*left) {
                        paths.extend(self.prefixes(*right));
                    }
                    paths
                }
                _ => Filled::new(),
            },
            NodeKind::In { item, list, negated } if *negated != truth => {
                if matches!(self.kind(*list), NodeKind::List(items) if items.iter().all(|item| self.is_literal(*item))) {
                    self.prefixes(*item)
                } else {
                    Filled::new()
                }
            }
            _ => Filled::new(),
        }
    }

    /// Whether a node reads nothing that varies.
    fn is_constant(&self, id: NodeId) -> bool {
        match self.kind(id) {
            NodeKind::Literal(_) => true,
            NodeKind::Variable(_) => false,
            NodeKind::Field { of, .. } | NodeKind::Empty { of, .. } => self.is_constant(*of),
            NodeKind::Not(inner) | NodeKind::Minus(inner) => self.is_constant(*inner),
            NodeKind::List(parts) | NodeKind::All(parts) | NodeKind::Any(parts) => parts.iter().all(|part| self.is_constant(*part)),
            NodeKind::Compare { left, right, .. } | NodeKind::Arithmetic { left, right, .. } => {
                self.is_constant(*left) && self.is_constant(*right)
            }
            NodeKind::In { item, list, .. } | NodeKind::Contains { list, item } => self.is_constant(*item) && self.is_constant(*list),
            NodeKind::Call { function, arguments } => {
                !matches!(function.as_str(), "now" | "today") && arguments.iter().all(|argument| self.is_constant(*argument))
            }
        }
    }

    fn is_literal(&self, id: NodeId) -> bool {
        matches!(self.kind(id), NodeKind::Literal(_))
    }

    /// A path and all that lead to it: where `a.b.c` is not empty, neither
    /// are `a.b` and `a`.
    fn prefixes(&self, id: NodeId) -> Filled {
        let mut found = Filled::new();
        let Some(path) = self.path(id) else { return found };
        for (place, _) in path.match_indices('.') {
            found.insert(path[..place].to_owned());
        }
        found.insert(path);
        found
    }

    /// The type of a node.
    fn slot(&mut self, id: NodeId, filled: &Filled) -> Slot {
        match self.kind(id) {
            NodeKind::Literal(value) => literal(value),
            NodeKind::List(items) => {
                let mut of: Option<Slot> = None;
                for item in items {
                    let slot = self.slot(*item, filled);
                    of = match &of {
                        None => Some(slot),
                        Some(before) => Some(before.join(&slot).unwrap_or_else(|| {
                            self.fault(
                                *item,
                                codes::WRONG_TYPE,
                                format!(
                                    "the list has {} and {}, but a list holds values of one kind",
                                    before.kind.describe(),
                                    slot.kind.describe()
                                ),
                                None,
                            );
                            Slot::of(Type::Any)
                        })),
                    };
                }
                Slot::of(Type::List(Box::new(of.unwrap_or(Slot::of(Type::Nothing)))))
            }
            NodeKind::Variable(name) => self.variable(id, name, filled),
            NodeKind::Field { of, name } => self.field(id, *of, name, filled),
            NodeKind::Not(inner) => {
                self.condition(*inner, filled);
                Slot::of(Type::YesNo)
            }
            NodeKind::Minus(inner) => self.minus(*inner, filled),
            NodeKind::All(parts) => self.conditions(parts, true, filled),
            NodeKind::Any(parts) => self.conditions(parts, false, filled),
            NodeKind::Compare { by, left, right } => {
                self.compare(id, *by, *left, *right, filled);
                Slot::of(Type::YesNo)
            }
            NodeKind::In { item, list, .. } => {
                self.is_in(*item, *list, filled);
                Slot::of(Type::YesNo)
            }
            NodeKind::Contains { list, item } => {
                self.contains(*list, *item, filled);
                Slot::of(Type::YesNo)
            }
            NodeKind::Empty { of, negated } => {
                self.empty(id, *of, *negated);
                Slot::of(Type::YesNo)
            }
            NodeKind::Arithmetic { by, left, right } => self.arithmetic(id, *by, *left, *right, filled),
            NodeKind::Call { function, arguments } => self.call(id, function, arguments, filled),
        }
    }

    /// A node whose value must be there.
    fn needed(&mut self, id: NodeId, filled: &Filled) -> Type {
        let slot = self.slot(id, filled);
        if slot.optional && !self.reported_unset(id) {
            let message = self.path(id).map_or_else(
                || "this value may be empty, and one is needed here".to_owned(),
                |path| format!("`{path}` may be empty, and a value is needed here"),
            );
            let help = self.path(id).map(|path| empty_help(&path, &slot.kind));
            self.fault(id, codes::MAY_BE_EMPTY, message, help);
        }
        slot.kind
    }

    /// Whether the node's trouble has been told already.
    fn reported_unset(&self, id: NodeId) -> bool {
        let node = &self.nodes[id.0 as usize];
        self.faults.iter().any(|fault| {
            fault.code == codes::MAY_BE_UNSET && fault.start >= node.start as usize && fault.end <= node.end as usize
        })
    }

    fn condition(&mut self, id: NodeId, filled: &Filled) {
        let kind = self.needed(id, filled);
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
    fn conditions(&mut self, parts: &[NodeId], truth: bool, filled: &Filled) -> Slot {
        let mut filled = filled.clone();
        let all_constant = parts.iter().all(|part| self.is_constant(*part));
        for part in parts {
            if !all_constant && self.is_constant(*part) {
                self.warn(*part, codes::CONSTANT, "this part of the condition is always the same", None);
            }
            self.condition(*part, &filled);
            filled.extend(self.filled(*part, truth));
        }
        Slot::of(Type::YesNo)
    }

    fn variable(&mut self, id: NodeId, name: &str, filled: &Filled) -> Slot {
        let names = self.names;
        let Some(known) = names.variables.get(name) else {
            let help = if function_named(name) {
                Some(format!("call the function: `{name}(…)`"))
            } else {
                match name {
                    "yes" => Some("write `true`".to_owned()),
                    "no" => Some("write `false`".to_owned()),
                    "null" | "none" | "nothing" | "nil" => Some("write `is empty`".to_owned()),
                    _ => codes::mean_or_list(name, names.variables.keys().map(String::as_str)),
                }
            };
            let message = format!("nothing is called `{name}` here");
            self.fault(id, codes::UNKNOWN_VARIABLE, message, help.or_else(|| Some(format!("for the text, write \"{name}\""))));
            return Slot::of(Type::Any);
        };
        let mut slot = known.slot.clone();
        if filled.contains(name) {
            slot.optional = false;
        } else if known.unset {
            self.fault(
                id,
                codes::MAY_BE_UNSET,
                format!("`{name}` may be unset here: its step does not run on every way to this place"),
                Some(format!("test it first: `{name} is not empty and …`")),
            );
            slot.optional = true;
        }
        slot
    }

    fn field(&mut self, id: NodeId, of: NodeId, name: &str, filled: &Filled) -> Slot {
        let base = self.slot(of, filled);
        let found = match &base.kind {
            Type::Any => Some(Slot::of(Type::Any)),
            Type::Record(objects) => self.record_field(id, objects, name),
            Type::Map(parts) => parts.get(name).cloned().or_else(|| {
                let what = self.path(of).map_or_else(|| "this".to_owned(), |path| format!("`{path}`"));
                let help = codes::mean_or_list(name, parts.keys().map(String::as_str));
                self.fault(id, codes::UNKNOWN_FIELD, format!("{what} has no part `{name}`"), help);
                None
            }),
            Type::Money if name == "amount" => Some(Slot::of(Type::Number)),
            Type::Money if name == "currency" => Some(Slot::of(Type::Text)),
            other => {
                let parts = if *other == Type::Money { Some("an amount has `amount` and `currency`".to_owned()) } else { None };
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
        if self.path(id).is_some_and(|path| filled.contains(&path)) {
            slot.optional = false;
        }
        slot
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
                several => format!("neither {}", several.iter().map(|one| with_article(one)).collect::<Vec<_>>().join(" nor ")),
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
        let mut joined = slots.try_fold(first, |all, slot| all.join(&slot)).unwrap_or(Slot::of(Type::Any));
        joined.optional |= !everywhere;
        Some(joined)
    }

    fn minus(&mut self, inner: NodeId, filled: &Filled) -> Slot {
        let kind = self.needed(inner, filled);
        match kind {
            Type::Number | Type::Duration | Type::Money | Type::Any => Slot::of(kind),
            other => {
                self.fault(
                    inner,
                    codes::WRONG_TYPE,
                    format!("`-` goes before a number, a duration or an amount, not before {}", other.describe()),
                    None,
                );
                Slot::of(Type::Any)
            }
        }
    }

    fn compare(&mut self, id: NodeId, by: Comparison, left: NodeId, right: NodeId, filled: &Filled) {
        let (one, other) = if by.is_equality() {
            (self.slot(left, filled).kind, self.slot(right, filled).kind)
        } else {
            (self.needed(left, filled), self.needed(right, filled))
        };
        if matches!(one, Type::Any) || matches!(other, Type::Any) {
            return;
        }
        if !by.is_equality() {
            if !(one == other && Takes::Ordered.accepts(&one)) {
                let help = mixed_help(&one, &other);
                self.fault(
                    id,
                    codes::WRONG_TYPE,
                    format!("{} and {} cannot be compared by size", one.describe(), other.describe()),
                    help,
                );
            }
            return;
        }
        self.comparable(id, left, &one, right, &other);
    }

    /// Whether two types can be equal; says so where they cannot.
    fn comparable(&mut self, whole: NodeId, left: NodeId, one: &Type, right: NodeId, other: &Type) {
        for (id, kind, against) in [(right, other, one), (left, one, other)] {
            if let (NodeKind::Literal(Value::Text(word)), Type::Choice(words)) = (self.kind(id), against)
                && !words.contains(word)
                && !matches!(self.kind(if id == right { left } else { right }), NodeKind::Literal(_))
            {
                self.not_a_choice(id, word, words, if id == right { left } else { right });
                return;
            }
            if let NodeKind::Literal(Value::Text(word)) = self.kind(id)
                && word.is_empty()
            {
                self.warn(
                    id,
                    codes::CONSTANT,
                    "an empty field is not the text \"\", so this is never equal",
                    Some("write `is empty`".to_owned()),
                );
                return;
            }
            if let (Type::Choice(_), Type::Record(_)) = (kind, against) {
                self.fault(
                    whole,
                    codes::WRONG_TYPE,
                    "a record is never equal to a text",
                    Some("compare one of its fields, such as `external_id`".to_owned()),
                );
                return;
            }
        }
        let fits = match (one, other) {
            (Type::Text | Type::Choice(_), Type::Text | Type::Choice(_)) => true,
            (Type::Record(objects), Type::Record(others)) => {
                objects.is_empty() || others.is_empty() || objects.iter().any(|object| others.contains(object))
            }
            (Type::List(_), Type::List(_)) | (Type::Map(_), Type::Map(_)) => true,
            (Type::Nothing, _) | (_, Type::Nothing) => true,
            _ => one == other,
        };
        if !fits {
            self.fault(
                whole,
                codes::WRONG_TYPE,
                format!("{} is never equal to {}", one.describe(), other.describe()),
                mixed_help(one, other),
            );
        }
    }

    fn not_a_choice(&mut self, at: NodeId, word: &str, words: &[String], of: NodeId) {
        let what = self.path(of).map_or_else(|| "the value".to_owned(), |path| format!("`{path}`"));
        let help = codes::did_you_mean(word, words.iter().map(String::as_str))
            .unwrap_or_else(|| format!("it is one of {}", words.join(", ")));
        self.fault(at, codes::NOT_A_CHOICE, format!("{what} is never \"{word}\""), Some(help));
    }

    fn is_in(&mut self, item: NodeId, list: NodeId, filled: &Filled) {
        let one = self.slot(item, filled).kind;
        if let NodeKind::List(items) = self.kind(list) {
            for literal in items {
                let other = self.slot(*literal, filled).kind;
                if !matches!(one, Type::Any) && !matches!(other, Type::Any) {
                    self.comparable(*literal, item, &one, *literal, &other);
                }
            }
            return;
        }
        match self.needed(list, filled) {
            Type::List(items) => {
                if !matches!(one, Type::Any) && !matches!(items.kind, Type::Any) {
                    self.comparable(list, item, &one, list, &items.kind);
                }
            }
            Type::Any => {}
            other => self.fault(
                list,
                codes::WRONG_TYPE,
                format!("`in` looks into a list, not into {}", other.describe()),
                Some("write `in [\"a\", \"b\"]`, or `==`".to_owned()),
            ),
        }
    }

    fn contains(&mut self, list: NodeId, item: NodeId, filled: &Filled) {
        let of = self.needed(list, filled);
        let wanted = self.needed(item, filled);
        match of {
            Type::Any => {}
            Type::List(items) => {
                if !matches!(wanted, Type::Any) && !matches!(items.kind, Type::Any) {
                    self.comparable(item, list, &items.kind, item, &wanted);
                }
            }
            Type::Text | Type::Choice(_) => {
                if !matches!(wanted, Type::Text | Type::Choice(_) | Type::Any) {
                    self.fault(
                        item,
                        codes::WRONG_TYPE,
                        format!("a text contains text, not {}", wanted.describe()),
                        None,
                    );
                }
            }
            other => self.fault(
                list,
                codes::WRONG_TYPE,
                format!("`contains` looks into a list or a text, not into {}", other.describe()),
                None,
            ),
        }
    }

    fn empty(&mut self, id: NodeId, of: NodeId, negated: bool) {
        // A result that may be unset is asked here whether it is set, so the
        // variable at the root of the path counts as known.
        let mut known = Filled::new();
        if let Some(root) = self.path(of).and_then(|path| path.split('.').next().map(str::to_owned))
            && self.names.variables.get(&root).is_some_and(|known| known.unset)
        {
            if self.path(of).as_deref() == Some(root.as_str()) {
                return;
            }
            known.insert(root);
        }
        let unset = !known.is_empty();
        let slot = self.slot(of, &known);
        // A text can be there and have no letters, a list no values.
        let never = !slot.optional
            && !unset
            && !matches!(slot.kind, Type::Text | Type::List(_) | Type::Map(_) | Type::Any | Type::Nothing);
        if never {
            let what = self.path(of).map_or_else(|| "this".to_owned(), |path| format!("`{path}`"));
            let truth = if negated { "always true" } else { "never true" };
            self.warn(id, codes::CONSTANT, format!("{what} is never empty, so this is {truth}"), None);
        }
    }

    fn arithmetic(&mut self, id: NodeId, by: Arithmetic, left: NodeId, right: NodeId, filled: &Filled) -> Slot {
        let one = self.needed(left, filled);
        let other = self.needed(right, filled);
        let yields = match (by, &one, &other) {
            (_, Type::Any, _) | (_, _, Type::Any) => Type::Any,
            (_, Type::Number, Type::Number) => Type::Number,
            (Arithmetic::Plus | Arithmetic::Minus, Type::Money, Type::Money) => Type::Money,
            (Arithmetic::Times | Arithmetic::By, Type::Money, Type::Number)
            | (Arithmetic::Times, Type::Number, Type::Money) => Type::Money,
            (Arithmetic::Plus | Arithmetic::Minus, Type::Duration, Type::Duration)
            | (Arithmetic::Times | Arithmetic::By, Type::Duration, Type::Number)
            | (Arithmetic::Times, Type::Number, Type::Duration)
            | (Arithmetic::Minus, Type::Time, Type::Time)
            | (Arithmetic::Minus, Type::Date, Type::Date) => Type::Duration,
            (Arithmetic::Plus | Arithmetic::Minus, Type::Time, Type::Duration)
            | (Arithmetic::Plus, Type::Duration, Type::Time) => Type::Time,
            (Arithmetic::Plus | Arithmetic::Minus, Type::Date, Type::Duration)
            | (Arithmetic::Plus, Type::Duration, Type::Date) => {
                self.whole_days(if matches!(one, Type::Date) { right } else { left });
                Type::Date
            }
            _ => {
                let texts = matches!((&one, &other), (Type::Text | Type::Choice(_), _) | (_, Type::Text | Type::Choice(_)));
                let help = texts.then(|| "to join texts, write \"{{ a }} {{ b }}\" without `=`".to_owned());
                self.fault(
                    id,
                    codes::WRONG_TYPE,
                    format!("`{}` does not work with {} and {}", by.sign(), one.describe(), other.describe()),
                    help.or_else(|| mixed_help(&one, &other)),
                );
                return Slot::of(Type::Any);
            }
        };
        if by == Arithmetic::By && matches!(self.kind(right), NodeKind::Literal(Value::Number(zero)) if zero.is_zero()) {
            self.fault(right, codes::WRONG_TYPE, "nothing can be divided by 0", None);
        }
        Slot::of(yields)
    }

    /// A duration that is written out and added to a day has to be of days.
    fn whole_days(&mut self, id: NodeId) {
        if let NodeKind::Literal(Value::Duration(duration)) = self.kind(id)
            && (duration.millis != 0 || duration.is_working())
        {
            self.fault(
                id,
                codes::WRONG_TYPE,
                format!("`{duration}` cannot be added to a day"),
                Some("add days, weeks or months, or use `now()` instead of `today()`".to_owned()),
            );
        }
    }

    fn call(&mut self, id: NodeId, name: &str, arguments: &[NodeId], filled: &Filled) -> Slot {
        let Some(function) = functions::function(name) else {
            for argument in arguments {
                self.slot(*argument, filled);
            }
            let help = codes::mean_or_list(name, FUNCTIONS.iter().map(|function| function.name));
            self.fault(id, codes::UNKNOWN_FUNCTION, format!("there is no function `{name}`"), help);
            return Slot::of(Type::Any);
        };
        let most = function.parameters.len();
        let least = most - function.may_leave_out;
        if arguments.len() < least || (arguments.len() > most && !function.repeats) {
            let names: Vec<&str> = function.parameters.iter().map(|parameter| parameter.name).collect();
            self.fault(
                id,
                codes::WRONG_COUNT,
                format!("`{name}` takes {}, but is given {}", counted(least, most, function.repeats), arguments.len()),
                Some(format!("{name}({})", names.join(", "))),
            );
        }
        let mut slots = Vec::new();
        for (place, argument) in arguments.iter().enumerate() {
            let parameter = function.parameters.get(place).or(function.parameters.last());
            let takes = parameter.map_or(Takes::Anything, |parameter| parameter.takes);
            if takes == Takes::Anything {
                slots.push(self.defaulted(*argument, filled));
                continue;
            }
            let kind = self.needed(*argument, filled);
            if !takes.accepts(&kind) {
                self.fault(
                    *argument,
                    codes::WRONG_TYPE,
                    format!("`{name}` takes {} here, not {}", takes.describe(), kind.describe()),
                    None,
                );
            }
            slots.push(Slot::of(kind));
        }
        self.result(id, function, &slots)
    }

    /// The argument of `default`, which may be unset as well as empty.
    fn defaulted(&mut self, id: NodeId, filled: &Filled) -> Slot {
        let root = self.path(id).and_then(|path| path.split('.').next().map(str::to_owned));
        let unset = root.filter(|root| self.names.variables.get(root).is_some_and(|known| known.unset));
        let Some(root) = unset else { return self.slot(id, filled) };
        let mut known = filled.clone();
        let was_filled = !known.insert(root);
        let mut slot = self.slot(id, &known);
        slot.optional |= !was_filled;
        slot
    }

    fn result(&mut self, id: NodeId, function: &functions::Function, slots: &[Slot]) -> Slot {
        match function.result {
            Yield::Text => Slot::of(Type::Text),
            Yield::Number => Slot::of(Type::Number),
            Yield::YesNo => Slot::of(Type::YesNo),
            Yield::Date => Slot::of(Type::Date),
            Yield::Time => Slot::of(Type::Time),
            Yield::First | Yield::FirstThatIs => {
                let Some((first, others)) = slots.split_first() else { return Slot::of(Type::Any) };
                let joined = others.iter().try_fold(first.clone(), |all, slot| all.join(slot));
                let Some(mut joined) = joined else {
                    let kinds: Vec<String> = slots.iter().map(|slot| slot.kind.describe()).collect();
                    self.fault(
                        id,
                        codes::WRONG_TYPE,
                        format!("the values of `{}` are of different kinds: {}", function.name, kinds.join(" and ")),
                        None,
                    );
                    return Slot::of(Type::Any);
                };
                if function.result == Yield::FirstThatIs {
                    joined.optional = slots.iter().all(|slot| slot.optional);
                }
                joined
            }
        }
    }
}

fn function_named(name: &str) -> bool {
    functions::function(name).is_some()
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
    let otherwise = match kind {
        Type::Number => "0".to_owned(),
        Type::Text => "\"\"".to_owned(),
        Type::YesNo => "false".to_owned(),
        Type::Duration => "0 hours".to_owned(),
        Type::Choice(words) => words.first().map_or_else(|| "…".to_owned(), |word| format!("\"{word}\"")),
        _ => "…".to_owned(),
    };
    format!("write `{path} is not empty and …`, or `default({path}, {otherwise})`")
}

fn mixed_help(one: &Type, other: &Type) -> Option<String> {
    match (one, other) {
        (Type::Time, Type::Date) | (Type::Date, Type::Time) => Some("`date(…)` makes a day of a point in time".to_owned()),
        (Type::Money, Type::Number) | (Type::Number, Type::Money) => {
            Some("`.amount` of an amount is a number".to_owned())
        }
        (Type::Duration, Type::Number) | (Type::Number, Type::Duration) => {
            Some("a duration has a unit: `30 days`".to_owned())
        }
        (Type::Number, Type::Choice(_)) | (Type::Choice(_), Type::Number) => {
            Some("write a number without quotes".to_owned())
        }
        _ => None,
    }
}

fn counted(least: usize, most: usize, repeats: bool) -> String {
    let values = |count: usize| if count == 1 { "1 value".to_owned() } else { format!("{count} values") };
    if repeats {
        format!("at least {}", values(least))
    } else if least == most {
        values(most)
    } else {
        format!("{least} to {}", values(most))
    }
}

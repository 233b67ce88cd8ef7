//! Checking a formula against the objects and the names that are known where
//! it stands: every operand has a type, and what may be empty is tested or
//! defaulted before it is used.

use std::collections::{BTreeMap, BTreeSet};

use relata_model::{Objects, Value, text::with_article};

use super::{
    Fault,
    functions::{self, FUNCTIONS, Takes, Yield},
    tree::{Node, NodeId, NodeKind},
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

pub(super) type Filled = BTreeSet<String>;

pub(super) struct Checker<'a> {
    nodes: &'a [Node],
    pub(super) names: &'a Names,
    objects: &'a Objects,
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

    /// `ticket.customer.tier`, if the node is a path.
    pub(super) fn path(&self, id: NodeId) -> Option<String> {
        super::path(self.nodes, id)
    }

    /// The type of a node.
    pub(super) fn slot(&mut self, id: NodeId, filled: &Filled) -> Slot {
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
            NodeKind::Arithmetic { by, left, right } => {
                self.arithmetic(id, *by, *left, *right, filled)
            }
            NodeKind::Call { function, arguments } => self.call(id, function, arguments, filled),
        }
    }

    /// A node whose value must be there.
    pub(super) fn needed(&mut self, id: NodeId, filled: &Filled) -> Type {
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
            fault.code == codes::MAY_BE_UNSET
                && fault.start >= node.start as usize
                && fault.end <= node.end as usize
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
                self.warn(
                    *part,
                    codes::CONSTANT,
                    "this part of the condition is always the same",
                    None,
                );
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
            self.fault(
                id,
                codes::UNKNOWN_VARIABLE,
                message,
                help.or_else(|| Some(format!("for the text, write \"{name}\""))),
            );
            return Slot::of(Type::Any);
        };
        let mut slot = known.slot.clone();
        if filled.contains(name) {
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

    fn field(&mut self, id: NodeId, of: NodeId, name: &str, filled: &Filled) -> Slot {
        let base = self.slot(of, filled);
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
            let names: Vec<&str> =
                function.parameters.iter().map(|parameter| parameter.name).collect();
            self.fault(
                id,
                codes::WRONG_COUNT,
                format!(
                    "`{name}` takes {}, but is given {}",
                    counted(least, most, function.repeats),
                    arguments.len()
                ),
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
        let unset =
            root.filter(|root| self.names.variables.get(root).is_some_and(|known| known.unset));
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
                    let kinds: Vec<String> =
                        slots.iter().map(|slot| slot.kind.describe()).collect();
                    self.fault(
                        id,
                        codes::WRONG_TYPE,
                        format!(
                            "the values of `{}` are of different kinds: {}",
                            function.name,
                            kinds.join(" and ")
                        ),
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
        Type::Choice(words) => {
            words.first().map_or_else(|| "…".to_owned(), |word| format!("\"{word}\""))
        }
        _ => "…".to_owned(),
    };
    format!("write `{path} is not empty and …`, or `default({path}, {otherwise})`")
}

fn counted(least: usize, most: usize, repeats: bool) -> String {
    let values =
        |count: usize| if count == 1 { "1 value".to_owned() } else { format!("{count} values") };
    if repeats {
        format!("at least {}", values(least))
    } else if least == most {
        values(most)
    } else {
        format!("{least} to {}", values(most))
    }
}

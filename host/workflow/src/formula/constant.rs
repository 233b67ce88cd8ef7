//! Conditions that are always the same, because of what their parts say
//! together: `status == "new" and status == "dead"`, and the slip that is made
//! most of all, `status != "new" or status != "dead"`.

use std::collections::BTreeMap;

use relata_model::Value;

use super::{
    check::Checker,
    functions::order,
    tree::{Comparison, NodeId, NodeKind},
};
use crate::diagnostic as codes;

/// More parts than this are a table, and are not held against each other.
const MOST_PARTS: usize = 100;

/// What a part of a condition says of a path.
enum Test {
    /// It is one of these.
    OneOf(Vec<Value>),
    /// It is none of these, or empty.
    NoneOf(Vec<Value>),
    Empty,
    Filled,
    /// It is more than this; or this, too.
    Above(Value, bool),
    /// It is less than this; or this, too.
    Below(Value, bool),
}

impl Test {
    fn negated(self) -> Self {
        match self {
            Self::OneOf(values) => Self::NoneOf(values),
            Self::NoneOf(values) => Self::OneOf(values),
            Self::Empty => Self::Filled,
            Self::Filled => Self::Empty,
            Self::Above(value, too) => Self::Below(value, !too),
            Self::Below(value, too) => Self::Above(value, !too),
        }
    }
}

/// What a path can still be.
#[derive(Default)]
struct Possible {
    is_empty: Option<bool>,
    one_of: Option<Vec<Value>>,
    none_of: Vec<Value>,
    above: Option<(Value, bool)>,
    below: Option<(Value, bool)>,
}

impl Possible {
    /// Adds a test; whether anything is left.
    fn add(&mut self, test: Test) -> bool {
        match test {
            Test::Empty if self.is_empty == Some(false) => return false,
            Test::Empty => self.is_empty = Some(true),
            Test::NoneOf(values) => self.none_of.extend(values),
            // Whatever is told of a value says that there is one.
            _ if self.is_empty == Some(true) => return false,
            Test::Filled => self.is_empty = Some(false),
            Test::OneOf(mut values) => {
                self.is_empty = Some(false);
                if let Some(before) = &self.one_of {
                    values.retain(|value| before.contains(value));
                }
                self.one_of = Some(values);
            }
            Test::Above(value, too) => {
                self.is_empty = Some(false);
                let is_more = |(before, _): &(Value, bool)| {
                    order(&value, before).is_ok_and(std::cmp::Ordering::is_lt)
                };
                if !self.above.as_ref().is_some_and(is_more) {
                    self.above = Some((value, too));
                }
            }
            Test::Below(value, too) => {
                self.is_empty = Some(false);
                let is_less = |(before, _): &(Value, bool)| {
                    order(&value, before).is_ok_and(std::cmp::Ordering::is_gt)
                };
                if !self.below.as_ref().is_some_and(is_less) {
                    self.below = Some((value, too));
                }
            }
        }
        self.is_left()
    }

    fn is_left(&self) -> bool {
        if let (Some((low, low_too)), Some((high, high_too))) = (&self.above, &self.below) {
            match order(low, high) {
                Ok(order) if order.is_gt() => return false,
                Ok(order) if order.is_eq() && !(*low_too && *high_too) => return false,
                _ => {}
            }
        }
        let within = |value: &Value| {
            let above = self.above.as_ref().is_none_or(|(low, too)| {
                order(value, low).map_or(true, |order| order.is_gt() || (*too && order.is_eq()))
            });
            let below = self.below.as_ref().is_none_or(|(high, too)| {
                order(value, high).map_or(true, |order| order.is_lt() || (*too && order.is_eq()))
            });
            above && below && !self.none_of.contains(value)
        };
        self.one_of.as_ref().is_none_or(|values| values.iter().any(within))
    }
}

impl Checker<'_> {
    /// Tells of the conditions within a node whose parts exclude each other,
    /// or of which one always holds.
    pub(super) fn conditions_together(&mut self, root: NodeId) {
        let mut open = vec![(root, None)];
        while let Some((id, within)) = open.pop() {
            let kind = self.kind(id);
            let joins = match kind {
                NodeKind::All(_) => Some(true),
                NodeKind::Any(_) => Some(false),
                _ => None,
            };
            // Parts in brackets belong to those around them.
            if let Some(all) = joins.filter(|joins| within != Some(*joins)) {
                self.parts_together(id, all);
            }
            open.extend(kind.children().into_iter().map(|child| (child, joins)));
        }
    }

    fn parts_together(&mut self, id: NodeId, all: bool) {
        let mut parts = Vec::new();
        self.flatten(id, all, &mut parts);
        if parts.len() > MOST_PARTS {
            return;
        }
        let mut possible: BTreeMap<String, (Possible, NodeId)> = BTreeMap::new();
        for part in parts {
            let Some((path, test)) = self.test(part) else { continue };
            // One of several always holds if they cannot all be false.
            let test = if all { test } else { test.negated() };
            let one_of = self
                .words
                .get(&path)
                .map(|words| words.iter().map(|word| Value::Text(word.clone())).collect());
            let fresh = || (Possible { one_of, ..Possible::default() }, part);
            let (left, first) = possible.entry(path.clone()).or_insert_with(fresh);
            let first = *first;
            if left.add(test) {
                continue;
            }
            // One part alone is told of where its words are checked.
            if first != part {
                self.tell(&path, first, part, all);
            }
            return;
        }
    }

    fn tell(&mut self, path: &str, first: NodeId, part: NodeId, all: bool) {
        let literals = self.literal_of(first).zip(self.literal_of(part));
        let written = literals.map(|(one, other)| format!("[{one}, {other}]"));
        let message = if all {
            format!("`{path}` cannot be all of this at once, so this is never true")
        } else {
            format!("`{path}` is always one of these, so this is always true")
        };
        let help = match (written, all) {
            (Some(written), true) => format!("write `{path} in {written}`, if one of them will do"),
            (Some(written), false) => {
                format!("write `{path} not in {written}`, if it must be none of them")
            }
            (None, true) => "write `or`, if one of them will do".to_owned(),
            (None, false) => "write `and`, if all of them must hold".to_owned(),
        };
        self.warn(part, codes::CONSTANT, message, Some(help));
    }

    /// The parts of an `and` or an `or`, with those in brackets.
    fn flatten(&self, id: NodeId, all: bool, into: &mut Vec<NodeId>) {
        match self.kind(id) {
            NodeKind::All(parts) if all => {
                parts.iter().for_each(|part| self.flatten(*part, all, into));
            }
            NodeKind::Any(parts) if !all => {
                parts.iter().for_each(|part| self.flatten(*part, all, into));
            }
            _ => into.push(id),
        }
    }

    /// The text of the literal that a path is held against for equality.
    fn literal_of(&self, id: NodeId) -> Option<String> {
        let NodeKind::Compare { by, left, right } = self.kind(id) else { return None };
        let literal = [*left, *right].into_iter().find(|side| self.is_literal(*side))?;
        by.is_equality().then(|| self.printed(literal))
    }

    /// What a part says of a path, if it is as simple as that.
    fn test(&self, id: NodeId) -> Option<(String, Test)> {
        match self.kind(id) {
            NodeKind::Not(inner) => {
                let (path, test) = self.test(*inner)?;
                Some((path, test.negated()))
            }
            NodeKind::Empty { of, negated } => {
                Some((self.path(*of)?, if *negated { Test::Filled } else { Test::Empty }))
            }
            NodeKind::In { item, list, negated } => {
                let NodeKind::List(items) = self.kind(*list) else { return None };
                let values: Option<Vec<Value>> =
                    items.iter().map(|item| self.literal(*item)).collect();
                let test = if *negated { Test::NoneOf } else { Test::OneOf };
                Some((self.path(*item)?, test(values?)))
            }
            NodeKind::Compare { by, left, right } => {
                let (path, by, value) = match (self.path(*left), self.path(*right)) {
                    (Some(path), None) => (path, *by, self.literal(*right)?),
                    (None, Some(path)) => (path, by.turned(), self.literal(*left)?),
                    _ => return None,
                };
                Some((
                    path,
                    match by {
                        Comparison::Equal => Test::OneOf(vec![value]),
                        Comparison::Unequal => Test::NoneOf(vec![value]),
                        Comparison::Less => Test::Below(value, false),
                        Comparison::LessOrEqual => Test::Below(value, true),
                        Comparison::Greater => Test::Above(value, false),
                        Comparison::GreaterOrEqual => Test::Above(value, true),
                    },
                ))
            }
            _ => None,
        }
    }

    fn literal(&self, id: NodeId) -> Option<Value> {
        match self.kind(id) {
            NodeKind::Literal(Value::Number(number)) => Some(Value::Number(number.normalize())),
            NodeKind::Literal(value) => Some(value.clone()),
            NodeKind::Minus(inner) => match self.literal(*inner)? {
                Value::Number(number) => Some(Value::Number(-number)),
                _ => None,
            },
            _ => None,
        }
    }
}

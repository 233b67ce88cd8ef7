//! Which words of a decision or a split are left where a condition on them
//! has been tested: after `stop_if: offer == "nothing"` the offer is one of
//! the others.

use std::collections::BTreeSet;

use relata_model::Value;

use super::{
    Formula, Names,
    tree::{Comparison, NodeId, NodeKind},
};
use crate::{Expression, types::Type};

impl Names {
    /// Drops the words with which a condition cannot be `held`.
    pub(crate) fn narrow_words(&mut self, condition: &Formula, held: bool) {
        // A condition says nothing of a name that does not stand in it.
        let read: BTreeSet<&str> = condition.variables().collect();
        for name in read {
            let Some(before) = self.get(name) else { continue };
            let possible = |word: &Value| {
                Guess { formula: condition, name, word }.truth(condition.root) != Some(!held)
            };
            let mut known = before.clone();
            known.arms.retain(|arm| match arm {
                Expression::Literal(word) => possible(word),
                _ => true,
            });
            if let Type::Choice(words) = &mut known.slot.kind {
                words.retain(|word| possible(&Value::Text(word.clone())));
            }
            if known != *before {
                self.insert(name, known);
            }
        }
    }
}

/// A condition of which one name's value is known, and nothing else.
struct Guess<'a> {
    formula: &'a Formula,
    name: &'a str,
    word: &'a Value,
}

impl Guess<'_> {
    /// What a node comes to, where that hangs on the name alone.
    fn truth(&self, id: NodeId) -> Option<bool> {
        match self.kind(id)? {
            NodeKind::Literal(Value::YesNo(yes)) => Some(*yes),
            NodeKind::Not(of) => self.truth(*of).map(|truth| !truth),
            // One that is no decides an `and`, and all that are yes; an `or`
            // the other way round.
            NodeKind::All(parts) => self.joined(parts, false),
            NodeKind::Any(parts) => self.joined(parts, true),
            NodeKind::Compare { by, left, right } => {
                let same = self.value(*left)? == self.value(*right)?;
                match by {
                    Comparison::Equal => Some(same),
                    Comparison::Unequal => Some(!same),
                    _ => None,
                }
            }
            NodeKind::In { item, list, negated } => {
                let item = self.value(*item)?;
                let NodeKind::List(items) = self.kind(*list)? else { return None };
                let mut found = false;
                for id in items {
                    found |= self.value(*id)? == item;
                }
                Some(found != *negated)
            }
            _ => None,
        }
    }

    fn joined(&self, parts: &[NodeId], decisive: bool) -> Option<bool> {
        let truths: Vec<Option<bool>> = parts.iter().map(|part| self.truth(*part)).collect();
        if truths.contains(&Some(decisive)) {
            return Some(decisive);
        }
        truths.iter().all(Option::is_some).then_some(!decisive)
    }

    fn value(&self, id: NodeId) -> Option<&Value> {
        match self.kind(id)? {
            NodeKind::Literal(value) => Some(value),
            NodeKind::Variable(name) if name == self.name => Some(self.word),
            _ => None,
        }
    }

    fn kind(&self, id: NodeId) -> Option<&NodeKind> {
        self.formula.nodes.get(id.0 as usize).map(|node| &node.kind)
    }
}

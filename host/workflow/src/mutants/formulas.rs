//! Faulty formulas.

use relata_model::Value;

use super::durations;
use crate::formula::{
    Formula,
    tree::{Comparison, Node, NodeId, NodeKind},
};

/// A condition with one fault. Where it decides whether a run begins
/// (`at_start`), a guard against an empty field is not taken away: a run that
/// cannot be decided upon does not begin either.
pub(super) fn of_condition(condition: &Formula, at_start: bool) -> Vec<(String, Formula)> {
    let mut faults = Faults { formula: condition, at_start, found: Vec::new() };
    faults.truth(condition.root);
    faults.values();
    faults.found
}

/// A formula that yields a value, with one fault.
pub(super) fn of_value(formula: &Formula) -> Vec<(String, Formula)> {
    let mut faults = Faults { formula, at_start: false, found: Vec::new() };
    faults.values();
    faults.found
}

struct Faults<'a> {
    formula: &'a Formula,
    at_start: bool,
    found: Vec<(String, Formula)>,
}

impl Faults<'_> {
    fn kind(&self, id: NodeId) -> Option<&NodeKind> {
        self.formula.nodes.get(id.0 as usize).map(|node| &node.kind)
    }

    /// The formula with another node in the place of this one.
    fn with(&mut self, id: NodeId, kind: NodeKind) {
        let mut formula = self.formula.clone();
        if let Some(node) = formula.nodes.get_mut(id.0 as usize) {
            node.kind = kind;
        }
        self.found(formula);
    }

    fn found(&mut self, mut formula: Formula) {
        let (before, after) = (self.formula.to_string(), formula.to_string());
        // What a trace shows is what is evaluated.
        formula.source.clone_from(&after);
        self.found.push((format!("`{before}` becomes `{after}`"), formula));
    }

    /// The formula with a node turned round.
    fn negated(&mut self, id: NodeId) {
        let Some(node) = self.formula.nodes.get(id.0 as usize).cloned() else { return };
        let mut formula = self.formula.clone();
        let inner = NodeId(u32::try_from(formula.nodes.len()).unwrap_or(u32::MAX));
        let (start, end) = (node.start, node.end);
        formula.nodes.push(node);
        formula.nodes[id.0 as usize] = Node { start, end, kind: NodeKind::Not(inner) };
        self.found(formula);
    }

    /// The formula with one of its nodes in the place of another.
    fn replaced(&mut self, id: NodeId, by: NodeId) {
        let Some(kind) = self.kind(by).cloned() else { return };
        self.with(id, kind);
    }

    /// Faults of a node that is yes or no.
    fn truth(&mut self, id: NodeId) {
        let Some(kind) = self.kind(id).cloned() else { return };
        match kind {
            NodeKind::Compare { by, left, right } => {
                for by in others(by) {
                    self.with(id, NodeKind::Compare { by: *by, left, right });
                }
            }
            NodeKind::In { item, list, negated } => {
                self.with(id, NodeKind::In { item, list, negated: !negated });
                self.fewer(list);
            }
            NodeKind::Empty { of, negated } => {
                self.with(id, NodeKind::Empty { of, negated: !negated });
            }
            NodeKind::Not(inner) => self.replaced(id, inner),
            NodeKind::All(parts) => {
                self.with(id, NodeKind::Any(parts.clone()));
                self.parts(id, &parts, true);
            }
            NodeKind::Any(parts) => {
                self.with(id, NodeKind::All(parts.clone()));
                self.parts(id, &parts, false);
            }
            NodeKind::Contains { .. }
            | NodeKind::Variable(_)
            | NodeKind::Field { .. }
            | NodeKind::Call { .. } => self.negated(id),
            NodeKind::Literal(_)
            | NodeKind::List(_)
            | NodeKind::Minus(_)
            | NodeKind::Arithmetic { .. } => {}
        }
    }

    /// Faults of the parts of an `and` or `or`.
    fn parts(&mut self, id: NodeId, parts: &[NodeId], all: bool) {
        for (place, part) in parts.iter().enumerate() {
            let is_guard = matches!(self.kind(*part), Some(NodeKind::Empty { negated: true, .. }));
            if !(self.at_start && is_guard) {
                let mut fewer = parts.to_vec();
                fewer.remove(place);
                match fewer[..] {
                    [only] => self.replaced(id, only),
                    _ if all => self.with(id, NodeKind::All(fewer)),
                    _ => self.with(id, NodeKind::Any(fewer)),
                }
            }
            self.truth(*part);
        }
    }

    /// A list that is written out, without one of its items.
    fn fewer(&mut self, list: NodeId) {
        let Some(NodeKind::List(items)) = self.kind(list).cloned() else { return };
        for place in (0..items.len()).filter(|_| items.len() > 1) {
            let mut fewer = items.clone();
            fewer.remove(place);
            self.with(list, NodeKind::List(fewer));
        }
    }

    /// Faults of the values in it: durations, and what stands in for what is
    /// empty.
    fn values(&mut self) {
        for (what, mut formula) in durations(self.formula) {
            formula.source = formula.to_string();
            self.found.push((what, formula));
        }
        for place in 0..self.formula.nodes.len() {
            let NodeKind::Call { function, arguments } = &self.formula.nodes[place].kind else {
                continue;
            };
            if function != "default" {
                continue;
            }
            let Ok(id) = u32::try_from(place).map(NodeId) else { continue };
            for argument in arguments.clone() {
                // What is empty in itself does not stand in for anything.
                if !matches!(self.kind(argument), Some(NodeKind::Literal(Value::Nothing))) {
                    self.replaced(id, argument);
                }
            }
        }
    }
}

/// By what else two values could be compared: the contrary, and the same
/// beside the boundary.
const fn others(by: Comparison) -> &'static [Comparison] {
    match by {
        Comparison::Equal => &[Comparison::Unequal],
        Comparison::Unequal => &[Comparison::Equal],
        Comparison::Less => &[Comparison::GreaterOrEqual, Comparison::LessOrEqual],
        Comparison::LessOrEqual => &[Comparison::Greater, Comparison::Less],
        Comparison::Greater => &[Comparison::LessOrEqual, Comparison::GreaterOrEqual],
        Comparison::GreaterOrEqual => &[Comparison::Less, Comparison::Greater],
    }
}

//! What a condition says of what cannot be empty where it holds, and where it
//! does not.

use super::{
    check::{Checker, Filled},
    tree::{Comparison, NodeId, NodeKind},
};

impl Checker<'_> {
    /// The paths that cannot be empty where a condition has this truth.
    pub(super) fn filled(&self, id: NodeId, truth: bool) -> Filled {
        let both =
            |parts: &[NodeId]| parts.iter().flat_map(|part| self.filled(*part, truth)).collect();
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
                if matches!(self.kind(*list), NodeKind::List(items) if items.iter().all(|item| self.is_literal(*item)))
                {
                    self.prefixes(*item)
                } else {
                    Filled::new()
                }
            }
            _ => Filled::new(),
        }
    }

    /// Whether a node reads nothing that varies.
    pub(super) fn is_constant(&self, id: NodeId) -> bool {
        match self.kind(id) {
            NodeKind::Literal(_) => true,
            NodeKind::Variable(_) => false,
            NodeKind::Field { of, .. } | NodeKind::Empty { of, .. } => self.is_constant(*of),
            NodeKind::Not(inner) | NodeKind::Minus(inner) => self.is_constant(*inner),
            NodeKind::List(parts) | NodeKind::All(parts) | NodeKind::Any(parts) => {
                parts.iter().all(|part| self.is_constant(*part))
            }
            NodeKind::Compare { left, right, .. } | NodeKind::Arithmetic { left, right, .. } => {
                self.is_constant(*left) && self.is_constant(*right)
            }
            NodeKind::In { item, list, .. } | NodeKind::Contains { list, item } => {
                self.is_constant(*item) && self.is_constant(*list)
            }
            NodeKind::Call { function, arguments } => {
                !matches!(function.as_str(), "now" | "today")
                    && arguments.iter().all(|argument| self.is_constant(*argument))
            }
        }
    }

    pub(super) fn is_literal(&self, id: NodeId) -> bool {
        matches!(self.kind(id), NodeKind::Literal(_))
    }

    /// A path and all that lead to it: where `a.b.c` is not empty, neither
    /// are `a.b` and `a`.
    pub(super) fn prefixes(&self, id: NodeId) -> Filled {
        let mut found = Filled::new();
        let Some(path) = self.path(id) else { return found };
        for (place, _) in path.match_indices('.') {
            found.insert(path[..place].to_owned());
        }
        found.insert(path);
        found
    }
}

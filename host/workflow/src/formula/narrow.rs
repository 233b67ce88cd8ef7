//! What a condition says of what cannot be empty where it holds, and where it
//! does not.

use std::collections::BTreeSet;

use super::{
    check::Checker,
    tree::{Comparison, NodeId, NodeKind},
};

type Paths = BTreeSet<String>;

impl Checker<'_> {
    /// The paths that cannot be empty where a condition has this truth.
    pub(super) fn filled_where(&self, id: NodeId, truth: bool) -> Paths {
        let both = |parts: &[NodeId]| {
            parts.iter().flat_map(|part| self.filled_where(*part, truth)).collect()
        };
        let either = |parts: &[NodeId]| {
            let mut sets = parts.iter().map(|part| self.filled_where(*part, truth));
            let first = sets.next().unwrap_or_default();
            sets.fold(first, |common, set| common.intersection(&set).cloned().collect())
        };
        match self.kind(id) {
            NodeKind::Not(inner) => self.filled_where(*inner, !truth),
            NodeKind::All(parts) if truth => both(parts),
            NodeKind::All(parts) => either(parts),
            NodeKind::Any(parts) if truth => either(parts),
            NodeKind::Any(parts) => both(parts),
            NodeKind::Empty { of, negated } if *negated == truth => self.prefixes(*of),
            NodeKind::Compare { by, left, right } => match (by, truth) {
                (Comparison::Equal, false) | (Comparison::Unequal, true) => Paths::new(),
                // Equal to something that is there.
                (Comparison::Equal | Comparison::Unequal, _) => {
                    let mut paths = Paths::new();
                    if self.is_literal(*right) {
                        paths.extend(self.prefixes(*left));
                    }
                    if self.is_literal(*left) {
                        paths.extend(self.prefixes(*right));
                    }
                    paths
                }
                _ => Paths::new(),
            },
            NodeKind::In { item, list, negated } if *negated != truth => {
                if matches!(self.kind(*list), NodeKind::List(items) if items.iter().all(|item| self.is_literal(*item)))
                {
                    self.prefixes(*item)
                } else {
                    Paths::new()
                }
            }
            _ => Paths::new(),
        }
    }

    pub(super) fn is_literal(&self, id: NodeId) -> bool {
        matches!(self.kind(id), NodeKind::Literal(_))
    }

    /// A path and all that lead to it: where `a.b.c` is not empty, neither
    /// are `a.b` and `a`.
    pub(super) fn prefixes(&self, id: NodeId) -> Paths {
        let mut found = Paths::new();
        let Some(path) = self.path(id) else { return found };
        for (place, _) in path.match_indices('.') {
            found.insert(path[..place].to_owned());
        }
        found.insert(path);
        found
    }
}

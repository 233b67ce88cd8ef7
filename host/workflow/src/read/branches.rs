//! What is known after branches have come together again.

use crate::{
    formula::{Known, Names},
    types::{Slot, Type},
};

/// One branch: the names at its end, and whether the run always stops in it.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) names: Names,
    pub(super) ends: bool,
}

/// The names after one of the branches was taken; it ends only where all of
/// them end. What only some of them set may be unset afterwards.
pub(super) fn join(branches: Vec<Branch>) -> Branch {
    let ends = branches.iter().all(|branch| branch.ends);
    let live: Vec<&Names> =
        branches.iter().filter(|branch| ends || !branch.ends).map(|branch| &branch.names).collect();
    let mut names = Names::default();
    for branch in &branches {
        for name in branch.names.variables.keys() {
            if names.variables.contains_key(name) {
                continue;
            }
            let there: Vec<&Known> =
                live.iter().filter_map(|live| live.variables.get(name)).collect();
            let known = match there.split_first() {
                None => Known { unset: true, ..branch.names.variables[name].clone() },
                Some((first, others)) => {
                    let mut all = (*first).clone();
                    for other in others {
                        all.slot = all.slot.join(&other.slot).unwrap_or(Slot::of(Type::Any));
                        all.unset |= other.unset;
                        all.arms.extend(
                            other.arms.iter().filter(|arm| !first.arms.contains(arm)).cloned(),
                        );
                    }
                    all.unset |= there.len() < live.len();
                    all
                }
            };
            names.variables.insert(name.clone(), known);
        }
    }
    let mut filled = live.iter().map(|names| names.filled.clone());
    let first = filled.next().unwrap_or_default();
    names.filled =
        filled.fold(first, |common, other| common.intersection(&other).cloned().collect());
    Branch { names, ends }
}

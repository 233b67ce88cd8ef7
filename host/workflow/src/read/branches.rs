//! What is known after branches have come together again.

use std::collections::BTreeSet;

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

/// Makes of the names where the branches began those after one of them was
/// taken. What only some of them set may be unset afterwards. Whether all of
/// them end.
///
/// What no branch has changed stays as it is and is not looked at: a file of
/// many steps would take the square of its length otherwise.
pub(super) fn join(names: &mut Names, branches: &[Branch]) -> bool {
    let ends = branches.iter().all(|branch| branch.ends);
    let live: Vec<&Names> =
        branches.iter().filter(|branch| ends || !branch.ends).map(|branch| &branch.names).collect();
    let changed: BTreeSet<&String> =
        branches.iter().flat_map(|branch| branch.names.changed()).collect();
    let tested: BTreeSet<&String> =
        branches.iter().flat_map(|branch| branch.names.tested()).collect();
    #[cfg(test)]
    tests::LOOKED_AT.with(|looked| looked.set(looked.get() + changed.len() + tested.len()));
    for name in changed {
        if let Some(known) = joined(name, branches, &live) {
            names.insert(name, known);
        }
    }
    for path in tested {
        if live.iter().all(|names| names.is_filled(path)) {
            names.narrow([path.clone()]);
        } else {
            names.unfill(path);
        }
    }
    ends
}

/// What a name stands for after the branches, of which the live ones lead on.
fn joined(name: &str, branches: &[Branch], live: &[&Names]) -> Option<Known> {
    let there: Vec<&Known> = live.iter().filter_map(|live| live.get(name)).collect();
    let Some((first, others)) = there.split_first() else {
        let known = branches.iter().find_map(|branch| branch.names.get(name))?;
        return Some(Known { unset: true, ..known.clone() });
    };
    let mut all = (*first).clone();
    for other in others {
        all.slot = all.slot.join(&other.slot).unwrap_or(Slot::of(Type::Any));
        all.unset |= other.unset;
        all.arms.extend(other.arms.iter().filter(|arm| !first.arms.contains(arm)).cloned());
    }
    all.unset |= there.len() < live.len();
    Some(all)
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, fmt::Write};

    use crate::{Catalog, parse};

    thread_local! {
        /// How many names and paths were looked at to bring branches together.
        pub(super) static LOOKED_AT: Cell<usize> = const { Cell::new(0) };
    }

    /// How many names and paths are looked at in a file with so many of a
    /// step, which has `{n}` where its number is to stand.
    fn looked_at(count: usize, step: &str) -> usize {
        let mut source = String::from(
            "workflow: big\ninputs:\n  word: { type: text, optional: true }\nsteps:\n",
        );
        for number in 0..count {
            let _ = write!(source, "{}", step.replace("{n}", &number.to_string()));
        }
        LOOKED_AT.set(0);
        let (definition, found) = parse("big.yaml", &source, &Catalog::default());
        assert!(definition.is_some(), "{found:?}");
        LOOKED_AT.get()
    }

    #[test]
    fn branches_that_come_together_look_only_at_what_they_changed() {
        for step in [
            "  - if: word == \"w{n}\"\n    then:\n      - set: { total_{n}: 1 }\n",
            "  - if: word is not empty\n    then:\n      - set: { total_{n}: 1 }\n    else:\n      - set: { other_{n}: 1 }\n",
            "  - set: { total_{n}: =word }\n  - if: total_{n} is empty\n    then:\n      - stop_if: true\n",
        ] {
            let few = looked_at(10, step);
            assert!(few > 0, "{step}");
            assert_eq!(looked_at(200, step), 20 * few, "{step}");
        }
    }

    #[test]
    fn levels_look_only_at_what_each_changed() {
        let looked = |count: usize| {
            let mut source = String::from(
                "workflow: big\ninputs:\n  word: { type: text, optional: true }\nsteps:\n  - deadline: 4 hours\n    met_when: word is not empty\n    levels:\n",
            );
            for number in 1..=count {
                let _ = write!(
                    source,
                    "      - at: {number}%\n        steps:\n          - set: {{ total_{number}: 1 }}\n"
                );
            }
            LOOKED_AT.set(0);
            let (definition, found) = parse("big.yaml", &source, &Catalog::default());
            assert!(definition.is_some(), "{found:?}");
            LOOKED_AT.get()
        };
        assert_eq!(looked(10), 10);
        assert_eq!(looked(200), 200);
    }
}

//! `parallel:` runs branches side by side.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Hidden, Reader,
    set::{names_in, set_in},
    steps::{After, STEPS},
};
use crate::{
    definition::{BlockId, StepKind},
    diagnostic::{self as codes, Place},
    formula::Names,
    source::{Content, Entry, Node},
};

/// A branch, before its steps are read.
struct Side<'n> {
    steps: &'n Entry,
    /// All names that it gives values to.
    names: Vec<(&'n str, Place)>,
    /// Those that `set:` gives values to.
    set: BTreeSet<String>,
}

/// The names that a `parallel` hides from its branches, with how many of them
/// give each a value.
type Covers<'n> = BTreeMap<&'n str, usize>;

impl Reader<'_> {
    /// `parallel:` with its branches.
    pub(super) fn parallel(&mut self, entry: &Entry, path: &str, names: &mut Names) -> After {
        let label = "parallel".to_owned();
        let items: &[Node] = match &entry.value.value {
            Content::List(items) => items,
            Content::Spoiled => return After::of(None, label),
            _ => {
                let help = Some("begin each branch with `- steps:`".to_owned());
                let message = "`parallel` is a list of branches";
                self.error(codes::WRONG_FORM, entry.key_place, message, help);
                return After::of(None, label);
            }
        };
        if items.len() < 2 {
            let help = Some("add another, or write its steps without `parallel`".to_owned());
            let message = "`parallel` has two branches or more";
            self.error(codes::WRONG_FORM, entry.key_place, message, help);
        }
        let sides: Vec<Option<Side<'_>>> = items.iter().map(|node| self.side(node)).collect();
        let set: BTreeSet<String> =
            sides.iter().flatten().flat_map(|side| side.set.iter().cloned()).collect();
        // At any wait another branch may go on, and give a name another value.
        self.forget(&set, names);
        self.enter(entry);
        let mut branches: Vec<Option<BlockId>> = Vec::new();
        let mut ends = false;
        let covers = self.cover(&sides, names);
        let before = names.branch();
        // The branch, from 1, that has given a value to a name before.
        let mut given: BTreeMap<String, usize> = BTreeMap::new();
        for (number, side) in sides.iter().enumerate() {
            let Some(side) = side else {
                branches.push(None);
                continue;
            };
            self.uncover(side, &covers);
            let mut inner = before.branch();
            let path = format!("{path}.parallel[{number}].steps");
            let (block, stops) = self.block(side.steps, &path, &mut inner);
            branches.push(Some(block));
            ends |= stops;
            self.cover_again(side, &covers);
            let made = inner.changed().filter(|name| !before.contains(name));
            let set_again = side.set.iter().filter(|name| inner.contains(name));
            let own: BTreeSet<String> = made.chain(set_again).cloned().collect();
            for name in &own {
                match given.get(name) {
                    Some(before) => self.shared(name, *before, side),
                    None => {
                        given.insert(name.clone(), number + 1);
                    }
                }
            }
            merge(names, &inner, &own, &set);
        }
        for name in covers.keys() {
            if self.hidden.get(*name) == Some(&Hidden::Branch) {
                self.hidden.remove(*name);
            }
        }
        self.depth -= 1;
        self.take_over(&set, names);
        let kind = branches
            .into_iter()
            .collect::<Option<Vec<BlockId>>>()
            .map(|branches| StepKind::Parallel { branches });
        After { ends, ..After::of(kind, label) }
    }

    fn side<'n>(&mut self, node: &'n Node) -> Option<Side<'n>> {
        let mut keys = self.keys(node, "a branch")?;
        let Some(steps) = keys.take("steps") else {
            let is_step = keys.rest().any(|entry| STEPS.contains(&entry.key.as_str()));
            if is_step || !keys.has_slip_of("steps") {
                let help = Some("write `- steps:`, and the steps of the branch below".to_owned());
                self.error(codes::MISSING_KEY, keys.place(), "a branch needs `steps:`", help);
            }
            if !is_step {
                self.unknown_keys(&keys, "a branch");
            }
            return None;
        };
        self.unknown_keys(&keys, "a branch");
        let names = names_in(&steps.value, false);
        Some(Side { steps, names, set: set_in(&steps.value) })
    }

    /// Hides what the branches give values to, since none knows what another
    /// has; how many branches give each of these names a value.
    fn cover<'n>(&mut self, sides: &[Option<Side<'n>>], names: &Names) -> Covers<'n> {
        let mut covers = Covers::new();
        for side in sides.iter().flatten() {
            let given: BTreeSet<&str> = side.names.iter().map(|(name, _)| *name).collect();
            for name in given {
                if !names.contains(name) && !self.hidden.contains_key(name) {
                    *covers.entry(name).or_default() += 1;
                }
            }
        }
        for name in covers.keys() {
            self.hidden.insert((*name).to_owned(), Hidden::Branch);
        }
        covers
    }

    /// Enters a branch: what only this one gives a value to is not hidden in
    /// it.
    fn uncover(&mut self, side: &Side<'_>, covers: &Covers<'_>) {
        for (name, _) in &side.names {
            if covers.get(name) == Some(&1) && self.hidden.get(*name) == Some(&Hidden::Branch) {
                self.hidden.remove(*name);
            }
        }
    }

    /// Leaves a branch: what it gives values to is hidden in the others. What
    /// belongs to an item of a loop in it stays that.
    fn cover_again(&mut self, side: &Side<'_>, covers: &Covers<'_>) {
        for (name, _) in &side.names {
            if covers.contains_key(name) {
                self.hidden.entry((*name).to_owned()).or_insert(Hidden::Branch);
            }
        }
    }

    /// Tells of a name that two branches give values to.
    fn shared(&mut self, name: &str, before: usize, side: &Side<'_>) {
        let place = side.names.iter().find(|(known, _)| *known == name).map(|(_, place)| *place);
        self.error(
            codes::SHARED_NAME,
            place.unwrap_or(side.steps.key_place),
            format!("branch {before} of this `parallel` gives `{name}` a value too"),
            Some("use another name in each branch".to_owned()),
        );
    }
}

/// Adds what is known at the end of a branch to what is known after all.
fn merge(after: &mut Names, branch: &Names, own: &BTreeSet<String>, set: &BTreeSet<String>) {
    for name in own {
        if let Some(known) = branch.get(name) {
            after.insert(name, known.clone());
        }
    }
    let holds = |path: &&String| {
        let root = path.split('.').next().unwrap_or_default();
        branch.is_filled(path) && (own.contains(root) || !set.contains(root))
    };
    after.narrow(branch.tested().filter(holds).cloned());
}

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
        let mut after = names.clone();
        // The branch, from 1, that has given a value to a name before.
        let mut given: BTreeMap<String, usize> = BTreeMap::new();
        for (number, side) in sides.iter().enumerate() {
            let Some(side) = side else {
                branches.push(None);
                continue;
            };
            let covered = self.cover(&sides, number, names);
            let mut inner = names.clone();
            let path = format!("{path}.parallel[{number}].steps");
            let (block, stops) = self.block(side.steps, &path, &mut inner);
            branches.push(Some(block));
            ends |= stops;
            for name in covered {
                self.hidden.remove(&name);
            }
            let own: BTreeSet<String> = inner
                .variables
                .keys()
                .filter(|name| !names.variables.contains_key(*name) || side.set.contains(*name))
                .cloned()
                .collect();
            for name in &own {
                match given.get(name) {
                    Some(before) => self.shared(name, *before, side),
                    None => {
                        given.insert(name.clone(), number + 1);
                    }
                }
            }
            merge(&mut after, &inner, &own, &set);
        }
        self.depth -= 1;
        *names = after;
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

    /// Hides what the other branches give values to; which names these are.
    fn cover(&mut self, sides: &[Option<Side<'_>>], but: usize, names: &Names) -> Vec<String> {
        let mut covered = Vec::new();
        for (number, side) in sides.iter().enumerate() {
            let Some(side) = side.as_ref().filter(|_| number != but) else { continue };
            for (name, _) in &side.names {
                if !names.variables.contains_key(*name) && !self.hidden.contains_key(*name) {
                    self.hidden.insert((*name).to_owned(), Hidden::Branch);
                    covered.push((*name).to_owned());
                }
            }
        }
        covered
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
        if let Some(known) = branch.variables.get(name) {
            after.variables.insert(name.clone(), known.clone());
        }
    }
    let holds = |path: &&String| {
        let root = path.split('.').next().unwrap_or_default();
        own.contains(root) || !set.contains(root)
    };
    after.filled.extend(branch.filled.iter().filter(holds).cloned());
}

//! What the reader writes down for an editor while it reads a file: which
//! names are known where, what each place takes, where names are given.

use crate::{diagnostic::Place, formula::Names, read::Wanted};

/// Everything that was written down.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    /// The names that are known where a step, a value or a formula begins.
    pub(crate) scopes: Vec<(Place, Names)>,
    /// What places take.
    pub(crate) wants: Vec<(Place, Wanted)>,
    /// The formulas, as they stand in the file.
    pub(crate) formulas: Vec<Seen>,
    /// Where names are given: `as:`, `decide:`, inputs.
    pub(crate) named: Vec<(String, Place)>,
    /// What a block was asked for: what it is, where it begins, its keys.
    pub(crate) asked: Vec<(String, Place, Vec<&'static str>)>,
}

/// A formula in the file.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) source: String,
    /// The byte in the file for each byte of the source, and for its end.
    pub(crate) bytes: Vec<usize>,
    /// The names that are known in it, in [`Recording::scopes`].
    pub(crate) scope: usize,
}

impl Recording {
    /// Takes down the names at a place.
    pub(crate) fn scope(&mut self, place: Place, names: &Names) -> usize {
        self.scopes.push((place, names.branch()));
        self.scopes.len() - 1
    }

    /// Takes down what a place takes, and the names that are known there.
    pub(crate) fn want(&mut self, place: Place, wanted: &Wanted, names: &Names) {
        self.scope(place, names);
        self.wants.push((place, wanted.clone()));
    }

    /// Takes down a formula. `locate` leads from its bytes to the file's.
    pub(crate) fn formula(
        &mut self,
        source: &str,
        place: Place,
        names: &Names,
        locate: impl Fn(Place) -> Place,
    ) {
        let bytes =
            (0..=source.len()).map(|byte| locate(Place { start: byte, end: byte }).start).collect();
        let scope = self.scope(place, names);
        self.formulas.push(Seen { source: source.to_owned(), bytes, scope });
    }

    /// The names at a place: those of the smallest part around it, else of
    /// the nearest that begins before.
    pub(crate) fn names_at(&self, offset: usize) -> Option<&Names> {
        let around = self
            .scopes
            .iter()
            .filter(|(place, _)| place.start <= offset && offset <= place.end)
            .min_by_key(|(place, _)| (place.end - place.start, usize::MAX - place.start));
        let before = || {
            self.scopes
                .iter()
                .filter(|(place, _)| place.start <= offset)
                .max_by_key(|(place, _)| place.start)
        };
        around.or_else(before).or(self.scopes.first()).map(|(_, names)| names)
    }

    /// What a place takes: the smallest place around it that was taken down.
    pub(crate) fn wanted_at(&self, place: Place) -> Option<&Wanted> {
        self.wants
            .iter()
            .filter(|(want, _)| want.start <= place.start && place.end <= want.end)
            .min_by_key(|(want, _)| want.end - want.start)
            .map(|(_, wanted)| wanted)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use crate::{
        catalog::Catalog,
        schema::language::{Block, Key, Sort},
    };

    /// Everything that a workflow may have, right or wrong.
    const ALL: &str = "\
workflow: all
repeat: { one_per: lead }
when:
  - created: lead
  - changed: lead
  - enters: segment/x
  - event: order.paid
  - schedule: weekdays at 09:00
  - webhook: orders
  - button: Offer
stop_when:
  - changed: lead
  - enters: segment/x
  - event: order.paid
inputs:
  size: { type: text }
steps:
  - decide: x
    rows:
      - use: 1
  - if: true
  - wait: 1 hour
  - wait_until: 1 hour
  - wait_for: { event: order.paid }
  - wait_for: { changed: lead.status }
  - deadline: 1 hour
    levels:
      - at: 50%
        steps: []
  - split: y
  - set: { z: 1 }
  - for_each: =[1]
  - parallel:
      - steps: []
  - run: other
    if_it_fails: { use: 1 }
  - ask: role
  - stop_if: true
  - stop_unless: true
";

    /// The table of the language's keys and the reader know the same ones.
    #[test]
    fn the_table_has_the_keys_that_the_reader_asks_for() {
        let catalog = Catalog { objects: relata_model::Objects::standard(), ..Catalog::default() };
        let (_, _, recording) = crate::read::recorded("all.yaml", ALL, &catalog);
        let steps: BTreeSet<&str> = Block::Step.sorts().iter().map(|sort| sort.key.name).collect();
        let names = |keys: &[Key]| -> BTreeSet<&str> { keys.iter().map(|key| key.name).collect() };
        let with = |sort: &Sort| -> BTreeSet<&str> {
            std::iter::once(sort.key.name).chain(sort.others.iter().map(|key| key.name)).collect()
        };
        let both = |sorts: &[Sort]| -> BTreeSet<&str> { sorts.iter().flat_map(with).collect() };
        let mut seen = BTreeSet::new();
        // What the reader asks for one after another, until it finds one.
        let mut several: BTreeMap<&str, (BTreeSet<&str>, BTreeSet<&str>)> = BTreeMap::new();
        for (what, _, asked) in &recording.asked {
            let mut asked: BTreeSet<&str> = asked.iter().copied().collect();
            seen.insert(what.as_str());
            let word = what.trim_matches('`');
            let table: BTreeSet<&str> = match what.as_str() {
                "a workflow" => {
                    // The one names the file, the other is read before.
                    asked.insert("blueprint");
                    names(Block::Workflow.keys())
                }
                "a trigger" | "a schedule" | "a webhook" | "a button" => {
                    let of = several.entry("trigger").or_default();
                    of.0.append(&mut asked);
                    of.1 = both(Block::Trigger.sorts());
                    continue;
                }
                "`repeat`" => names(Block::Repeat.keys()),
                "a limit" => names(Block::Limit.keys()),
                "`stop_when`" => {
                    let of = several.entry("stop_when").or_default();
                    of.0.append(&mut asked);
                    of.1 = both(Block::StopWhen.sorts());
                    continue;
                }
                "a row" => names(Block::Row.keys()),
                "a branch" => names(Block::Side.keys()),
                "a level" => {
                    asked.retain(|key| !steps.contains(key));
                    names(Block::Level.keys())
                }
                "`if_it_fails`" => names(Block::Fallback.keys()),
                "the input `size`" => names(Block::Input.keys()),
                // The block behind `wait_for:`, or its step.
                "`wait_for`" if !asked.contains("since") => {
                    let of = several.entry("wait_for").or_default();
                    of.0.append(&mut asked);
                    of.1 = both(Block::Awaited.sorts());
                    continue;
                }
                _ => {
                    let sort = Block::Step.sorts().iter().find(|sort| sort.key.name == word);
                    let sort = sort.unwrap_or_else(|| panic!("{what} is not in the table"));
                    let own = with(sort);
                    asked.retain(|key| own.contains(key) || !steps.contains(key));
                    own
                }
            };
            assert_eq!(asked, table, "{what}");
        }
        assert_eq!(several.len(), 3);
        for (what, (asked, table)) in several {
            assert_eq!(asked, table, "{what}");
        }
        for sort in Block::Step.sorts().iter().filter(|sort| sort.key.name != "do") {
            assert!(seen.contains(format!("`{}`", sort.key.name).as_str()), "{}", sort.key.name);
        }
        for block in [
            "a workflow",
            "a trigger",
            "a schedule",
            "a webhook",
            "a button",
            "a row",
            "a branch",
            "a level",
        ] {
            assert!(seen.contains(block), "{block}");
        }
    }
}

//! The names that are known at a place, and the paths that cannot be empty
//! there.
//!
//! A workflow with thousands of steps knows thousands of names, and each `if`
//! goes on with them twice. So a copy shares what it is a copy of, and names
//! remember what has changed in them since their branch began: bringing
//! branches together again looks at that, and at nothing else.

use std::{
    collections::{BTreeSet, btree_set},
    ops::Bound,
};

use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};

use super::Known;

/// The names that are known at a place, and the paths that cannot be empty
/// there because something before has tested them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    known: RedBlackTreeMapSync<String, Known>,
    filled: RedBlackTreeSetSync<String>,
    /// The names that were given another meaning since the branch began.
    changed: BTreeSet<String>,
    /// The paths that were tested, or forgotten, since the branch began.
    tested: BTreeSet<String>,
}

impl Names {
    /// What is known where a branch begins here; what changes in it is told
    /// apart from what was so before.
    pub(crate) fn branch(&self) -> Self {
        Self { known: self.known.clone(), filled: self.filled.clone(), ..Self::default() }
    }

    /// What a name stands for.
    pub(crate) fn get(&self, name: &str) -> Option<&Known> {
        self.known.get(name)
    }

    /// Whether the name stands for something.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }

    /// All names with what they stand for, in the order of the alphabet.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Known)> {
        self.known.iter()
    }

    /// All names, in the order of the alphabet.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(String::as_str)
    }

    /// Lets a name stand for something else; what was tested of it stays.
    pub(crate) fn insert(&mut self, name: &str, known: Known) {
        self.changed.insert(name.to_owned());
        self.known.insert_mut(name.to_owned(), known);
    }

    /// Whether a path cannot be empty.
    pub(crate) fn is_filled(&self, path: &str) -> bool {
        self.filled.contains(path)
    }

    /// These paths cannot be empty from here on.
    pub(crate) fn narrow(&mut self, paths: impl IntoIterator<Item = String>) {
        for path in paths {
            if !self.filled.contains(&path) {
                self.tested.insert(path.clone());
                self.filled.insert_mut(path);
            }
        }
    }

    /// Forgets that a path cannot be empty.
    pub(crate) fn unfill(&mut self, path: &str) {
        if self.filled.remove_mut(path) {
            self.tested.insert(path.to_owned());
        }
    }

    /// Forgets what was tested of a name and of what is in it.
    pub(crate) fn forget_tests(&mut self, name: &str) {
        self.unfill(name);
        let inner = format!("{name}.");
        let from = (Bound::Included(inner.as_str()), Bound::Unbounded);
        let paths: Vec<String> = self
            .filled
            .range::<str, _>(from)
            .take_while(|path| path.starts_with(&inner))
            .cloned()
            .collect();
        for path in paths {
            self.unfill(&path);
        }
    }

    /// The names that were given another meaning since the branch began.
    pub(crate) fn changed(&self) -> btree_set::Iter<'_, String> {
        self.changed.iter()
    }

    /// The paths that were tested, or forgotten, since the branch began.
    pub(crate) fn tested(&self) -> btree_set::Iter<'_, String> {
        self.tested.iter()
    }
}

//! Which round of which loop.

use std::{borrow::Borrow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Where in a run's loops and branches something stands: the number of the
/// item or branch, from 1, of every `for_each` and `parallel` around it, the
/// outermost first. Written `3.1`: item 3, and in it item 1. Empty outside of
/// all of them.
///
/// They sort as the steps would run one after another: a strand before those
/// that it began, and these by number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Rounds(Vec<u32>);

impl Rounds {
    /// Outside of all loops and branches.
    #[must_use]
    pub const fn main() -> Self {
        Self(Vec::new())
    }

    /// Whether this is outside of all loops and branches.
    #[must_use]
    pub const fn is_main(&self) -> bool {
        self.0.is_empty()
    }

    /// The numbers, the outermost first.
    #[must_use]
    pub fn numbers(&self) -> &[u32] {
        &self.0
    }

    /// The item or branch of this number in here.
    #[must_use]
    pub fn inner(&self, number: u32) -> Self {
        Self(self.0.iter().copied().chain([number]).collect())
    }

    /// What this is an item or branch of; none for [`Rounds::main`].
    #[must_use]
    pub fn outer(&self) -> Option<Self> {
        let (_, outer) = self.0.split_last()?;
        Some(Self(outer.to_vec()))
    }

    /// The numbers of everything around it and of itself, the outermost
    /// first.
    pub(crate) fn around(&self) -> impl DoubleEndedIterator<Item = &[u32]> {
        (0..=self.0.len()).map(|depth| &self.0[..depth])
    }
}

impl From<&[u32]> for Rounds {
    fn from(numbers: &[u32]) -> Self {
        Self(numbers.to_vec())
    }
}

impl Borrow<[u32]> for Rounds {
    fn borrow(&self) -> &[u32] {
        &self.0
    }
}

impl fmt::Display for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, number) in self.0.iter().enumerate() {
            let point = if place == 0 { "" } else { "." };
            write!(f, "{point}{number}")?;
        }
        Ok(())
    }
}

/// Why a text names no rounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no round of a loop; write numbers and points, such as `3.1`")]
pub struct RoundsError(String);

impl FromStr for Rounds {
    type Err = RoundsError;
    fn from_str(text: &str) -> Result<Self, RoundsError> {
        if text.is_empty() {
            return Ok(Self::main());
        }
        let numbers: Result<_, _> = text.split('.').map(str::parse).collect();
        numbers.map(Self).map_err(|_| RoundsError(text.to_owned()))
    }
}

impl From<Rounds> for String {
    fn from(rounds: Rounds) -> Self {
        rounds.to_string()
    }
}

impl TryFrom<String> for Rounds {
    type Error = RoundsError;
    fn try_from(text: String) -> Result<Self, RoundsError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_survive_their_text_and_sort_as_the_steps_run() {
        let mut all: Vec<Rounds> = ["3.1", "", "2", "10", "3", "2.11", "2.2"]
            .map(|text| text.parse().unwrap())
            .into_iter()
            .collect();
        all.sort();
        let texts: Vec<_> = all.iter().map(Rounds::to_string).collect();
        assert_eq!(texts, ["", "2", "2.2", "2.11", "3", "3.1", "10"]);
        let inner = Rounds::main().inner(3).inner(1);
        assert_eq!((inner.to_string(), inner.outer()), ("3.1".to_owned(), "3".parse().ok()));
        let around: Vec<_> = inner.around().collect();
        assert_eq!(around, [&[][..], &[3], &[3, 1]]);
        for text in [".", "3.", "a", "3 1", "-1"] {
            assert!(text.parse::<Rounds>().is_err(), "{text}");
        }
    }
}

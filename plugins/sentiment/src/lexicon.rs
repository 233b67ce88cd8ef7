//! The lexicons in the data segment: nothing is read or built at start.

use fst::raw::{Fst, Output};

include!("entry.rs");

/// A word list as an automaton.
pub(crate) struct Lexicon(Fst<&'static [u8]>);

impl Lexicon {
    /// English words, phrases, emoticons and emoji, in lower case.
    pub(crate) fn english() -> Self {
        Self::load(include_bytes!(concat!(env!("OUT_DIR"), "/english.fst")))
    }

    /// Chinese words in simplified characters.
    pub(crate) fn chinese() -> Self {
        Self::load(include_bytes!(concat!(env!("OUT_DIR"), "/chinese.fst")))
    }

    /// The whole text as one word.
    pub(crate) fn get(&self, word: &str) -> Option<Entry> {
        self.0.get(word).map(|output| Entry::unpack(output.value()))
    }

    /// The longest word at the beginning of the text, and its length in bytes.
    pub(crate) fn longest(&self, text: &str) -> Option<(usize, Entry)> {
        self.longest_where(text, |_| true)
    }

    /// The longest word or phrase at the beginning of the text that ends at a
    /// space or with the text, and its length in bytes.
    pub(crate) fn longest_phrase(&self, text: &str) -> Option<(usize, Entry)> {
        self.longest_where(text, |end| matches!(text.as_bytes().get(end), None | Some(b' ')))
    }

    fn longest_where(&self, text: &str, ends: impl Fn(usize) -> bool) -> Option<(usize, Entry)> {
        let mut node = self.0.root();
        let mut output = Output::zero();
        let mut longest = None;
        for (index, byte) in text.bytes().enumerate() {
            let Some(at) = node.find_input(byte) else {
                break;
            };
            let transition = node.transition(at);
            output = output.cat(transition.out);
            node = self.0.node(transition.addr);
            if node.is_final() && ends(index + 1) {
                longest = Some((index + 1, output.cat(node.final_output()).value()));
            }
        }
        longest.map(|(length, bits)| (length, Entry::unpack(bits)))
    }

    fn load(bytes: &'static [u8]) -> Self {
        Self(Fst::new(bytes).expect("the build script has written a whole automaton"))
    }
}

/// Traditional characters and the simplified ones that the lexicon has.
static TRADITIONAL: &[(char, char)] = include!(concat!(env!("OUT_DIR"), "/traditional.rs"));

/// The simplified form of a character, where the lexicon needs it.
pub(crate) fn simplified(character: char) -> char {
    TRADITIONAL
        .binary_search_by_key(&character, |pair| pair.0)
        .map_or(character, |index| TRADITIONAL[index].1)
}

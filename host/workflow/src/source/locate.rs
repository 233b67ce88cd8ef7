//! From a place in a text to the place in the file.

use super::{Content, Node};
use crate::diagnostic::Place;

/// Leads from a byte of a text to the byte of the source at which it stands:
/// in quotes, with escapes, or over several lines.
pub(crate) struct Locator {
    bytes: Vec<usize>,
}

impl Locator {
    pub(crate) fn new(source: &str, node: &Node) -> Self {
        let Content::Text { text, is_plain } = &node.value else {
            return Self { bytes: vec![node.place.start] };
        };
        let end = node.place.end.min(source.len());
        let start = node.place.start.min(end);
        let mut raw = source.get(start..end).unwrap_or_default().char_indices().peekable();
        if !is_plain {
            raw.next();
        }
        let mut bytes = Vec::with_capacity(text.len() + 1);
        let mut last = start;
        for letter in text.chars() {
            if letter.is_whitespace() {
                if let Some((place, _)) = raw.next_if(|(_, found)| found.is_whitespace()) {
                    last = start + place;
                }
            } else {
                while raw.next_if(|(_, found)| *found != letter).is_some() {}
                if let Some((place, _)) = raw.next() {
                    last = start + place;
                }
            }
            bytes.extend(std::iter::repeat_n(last, letter.len_utf8()));
        }
        bytes.push((last + text.chars().next_back().map_or(0, char::len_utf8)).min(end.max(last)));
        Self { bytes }
    }

    /// The place of a range of the text.
    pub(crate) fn place(&self, range: Place) -> Place {
        let at =
            |byte: usize| self.bytes.get(byte).or(self.bytes.last()).copied().unwrap_or_default();
        let start = at(range.start);
        let end = if range.end > range.start { at(range.end - 1) + 1 } else { start };
        Place { start, end: end.max(start) }
    }
}

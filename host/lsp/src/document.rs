//! A file that is open in the editor: its text, and its places in the units
//! of the protocol, lines and UTF-16.

use lsp_types::{Position, Range, TextDocumentContentChangeEvent};
use relata_workflow::insight;

/// An open file.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) text: String,
    pub(crate) version: i32,
    /// The byte at which each line begins.
    lines: Vec<usize>,
}

impl Document {
    pub(crate) fn new(text: String, version: i32) -> Self {
        let lines = lines(&text);
        Self { text, version, lines }
    }

    /// Takes over what was typed.
    pub(crate) fn change(&mut self, changes: Vec<TextDocumentContentChangeEvent>, version: i32) {
        for change in changes {
            match change.range {
                Some(range) => {
                    let start = self.offset(range.start);
                    let end = self.offset(range.end).max(start);
                    self.text.replace_range(start..end, &change.text);
                }
                None => self.text = change.text,
            }
            self.lines = lines(&self.text);
        }
        self.version = version;
    }

    /// The byte at a position; the nearest one where there is no such.
    pub(crate) fn offset(&self, position: Position) -> usize {
        let line = usize::try_from(position.line).unwrap_or(usize::MAX);
        let Some(&start) = self.lines.get(line) else { return self.text.len() };
        let end = self.lines.get(line + 1).copied().unwrap_or(self.text.len());
        let content = self.text[start..end].trim_end_matches(['\n', '\r']);
        let mut left = usize::try_from(position.character).unwrap_or(usize::MAX);
        for (place, letter) in content.char_indices() {
            if left < letter.len_utf16() {
                return start + place;
            }
            left -= letter.len_utf16();
        }
        start + content.len()
    }

    /// The position of a byte.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.lines.partition_point(|&start| start <= offset).saturating_sub(1);
        let start = self.lines.get(line).copied().unwrap_or_default();
        let units: usize = self.text[start..offset].chars().map(char::len_utf16).sum();
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Position { line: number(line), character: number(units) }
    }

    pub(crate) fn range(&self, start: usize, end: usize) -> Range {
        Range { start: self.position(start), end: self.position(end.max(start)) }
    }

    pub(crate) fn range_of(&self, range: insight::Range) -> Range {
        self.range(range.start, range.end)
    }
}

fn lines(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(place, _)| place + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 客 is one unit of UTF-16 and three bytes, 😀 two units and four bytes.
    #[test]
    fn places_are_counted_in_utf_16() {
        let document = Document::new("a: 客户 😀 x\r\nb\n".to_owned(), 1);
        for (offset, line, character) in [
            (0, 0, 0),
            (3, 0, 3),
            (6, 0, 4),
            (9, 0, 5),
            (10, 0, 6),
            (14, 0, 8),
            (15, 0, 9),
            (18, 1, 0),
            (20, 2, 0),
        ] {
            let position = document.position(offset);
            assert_eq!((position.line, position.character), (line, character), "byte {offset}");
            assert_eq!(document.offset(position), offset, "byte {offset}");
        }
        // Within a letter, past the end of a line, past the end of the text.
        assert_eq!(document.offset(Position { line: 0, character: 7 }), 10);
        assert_eq!(document.offset(Position { line: 0, character: 99 }), 16);
        assert_eq!(document.offset(Position { line: 9, character: 0 }), document.text.len());
    }

    #[test]
    fn what_is_typed_is_taken_over() {
        let mut document = Document::new("a: 😀\nb: 1\n".to_owned(), 1);
        let typed = |line, from, to, text: &str| TextDocumentContentChangeEvent {
            range: Some(Range {
                start: Position { line, character: from },
                end: Position { line, character: to },
            }),
            range_length: None,
            text: text.to_owned(),
        };
        document.change(vec![typed(0, 3, 5, "客户"), typed(1, 3, 4, "2\nc: 3")], 2);
        assert_eq!(document.text, "a: 客户\nb: 2\nc: 3\n");
        assert_eq!(document.position(document.text.len()).line, 3);
        let whole = TextDocumentContentChangeEvent {
            range: None,
            range_length: None,
            text: "x".to_owned(),
        };
        document.change(vec![whole], 3);
        assert_eq!((document.text.as_str(), document.version), ("x", 3));
    }
}

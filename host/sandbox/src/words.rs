//! A guest's words, before they reach a person's screen, a list or a log.

use relata_package::plain;

/// The most that is kept of an error, a reason or a name, in bytes.
const WORDS: usize = 4096;

/// The beginning of a text, with nothing in it that moves the cursor or turns
/// the direction of writing. Lines stay lines.
pub(crate) fn told(text: &str) -> String {
    if text.len() <= WORDS {
        return plain(text);
    }
    let end = text.floor_char_boundary(WORDS);
    plain(&text[..end]) + "…"
}

//! The host's sentences name records by their ids and times in UTC, since they
//! are written before anybody reads them. Whoever shows one to a person puts
//! names and local times in.

use relata_model::{RecordId, Reference, Timestamp};

/// A piece of a sentence of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'a> {
    /// As it stands there.
    Text(&'a str),
    /// A record by its id.
    Record(Reference),
    /// A point in time.
    Time(Timestamp),
}

/// A sentence cut into what a person would have written otherwise, and what
/// lies between; the pieces stand in the order of the sentence.
#[must_use]
pub fn pieces_of(sentence: &str) -> Vec<Piece<'_>> {
    let may = |c: char| c.is_ascii_alphanumeric() || "_/:.-+".contains(c);
    let mut pieces = Vec::new();
    let mut rest = sentence;
    while let Some(first) = rest.chars().next() {
        let word = may(first);
        let mut end = rest.find(|c: char| may(c) != word).unwrap_or(rest.len());
        if word {
            // The sentence's own stops do not belong to a word.
            end = rest[..end].trim_end_matches(['.', ':']).len().max(1);
        }
        let (piece, after) = rest.split_at(end);
        pieces.push(if let Ok(at) = piece.parse::<Timestamp>() {
            Piece::Time(at)
        } else if let Some(reference) = by_id(piece) {
            Piece::Record(reference)
        } else {
            Piece::Text(piece)
        });
        rest = after;
    }
    pieces
}

/// A reference by a record's id: only such a one is no help to a person.
fn by_id(text: &str) -> Option<Reference> {
    let reference: Reference = text.parse().ok()?;
    reference.key.parse::<RecordId>().ok()?;
    Some(reference)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_cut_at_what_a_person_may_ask_about() {
        let sentence = "lead/01m9swffm0ek7vgmt5h5q1s06q changed (owner: (empty) -> user/mara). 林美玲 since 2026-12-14T09:00:00Z.";
        let told: String = pieces_of(sentence)
            .into_iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.to_owned(),
                Piece::Record(reference) => format!("<{}>", reference.object),
                Piece::Time(_) => "<time>".to_owned(),
            })
            .collect();
        let expected = "<lead> changed (owner: (empty) -> user/mara). 林美玲 since <time>.";
        assert_eq!(told, expected);
    }
}

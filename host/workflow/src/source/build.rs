//! The tree, built of what the scanner of YAML reports.

use std::collections::BTreeSet;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::{
    Content, Entry, Node,
    mended::{Mended, SPOILED},
};
use crate::diagnostic::{self as codes, Place};

/// How deep blocks may be nested.
const DEEPEST: usize = 100;

/// Something wrong that the tree shows.
pub(super) struct Problem {
    pub(super) code: &'static str,
    pub(super) place: Place,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

pub(super) struct Built {
    pub(super) root: Option<Node>,
    pub(super) problems: Vec<Problem>,
}

/// A list or a block that is being read.
enum Open {
    List {
        start: usize,
        items: Vec<Node>,
    },
    Map {
        start: usize,
        entries: Vec<Entry>,
        key: Option<(Option<String>, Place)>,
        seen: BTreeSet<String>,
    },
}

/// Builds the tree; the error is the scanner's, with the letter. `length` is
/// the source's, in bytes.
pub(super) fn build(mended: &Mended, length: usize) -> Result<Built, (String, usize)> {
    let text: String = mended.letters.iter().collect();
    let mut builder = Builder {
        mended,
        length,
        open: Vec::new(),
        root: None,
        problems: Vec::new(),
        documents: 0,
    };
    for event in Parser::new_from_str(&text) {
        let (event, span) =
            event.map_err(|error| (error.info().to_owned(), error.marker().index()))?;
        builder.event(event, span.start.index(), span.end.index())?;
    }
    Ok(Built { root: builder.root, problems: builder.problems })
}

struct Builder<'a> {
    mended: &'a Mended,
    length: usize,
    open: Vec<Open>,
    root: Option<Node>,
    problems: Vec<Problem>,
    documents: usize,
}

impl Builder<'_> {
    fn place(&self, start: usize, end: usize) -> Place {
        let start_byte = self.mended.origin(start, self.length);
        let last = end.checked_sub(1).filter(|last| *last >= start);
        let end_byte = last.map_or(start_byte, |last| {
            let letter = self.mended.letters.get(last).map_or(0, |letter| letter.len_utf8());
            // A letter of the mended text may stand for another one.
            let letter = if self.mended.letters.get(last) == Some(&SPOILED) { 1 } else { letter };
            self.mended.origin(last, self.length).saturating_add(letter)
        });
        Place { start: start_byte, end: end_byte.max(start_byte) }
    }

    fn problem(
        &mut self,
        code: &'static str,
        place: Place,
        message: impl Into<String>,
        help: &str,
    ) {
        self.problems.push(Problem {
            code,
            place,
            message: message.into(),
            help: Some(help.to_owned()),
        });
    }

    fn event(&mut self, event: Event<'_>, start: usize, end: usize) -> Result<(), (String, usize)> {
        let place = self.place(start, end);
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents == 2 {
                    self.problem(
                        codes::WRONG_FORM,
                        place,
                        "a second document begins here",
                        "put each workflow in a file of its own",
                    );
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.marked(anchor, tag.is_some(), place);
                let is_plain = style == ScalarStyle::Plain;
                let value = if text.contains(SPOILED) || tag.is_some() {
                    Content::Spoiled
                } else if is_plain && matches!(text.as_ref(), "" | "~" | "null") {
                    Content::Nothing
                } else {
                    Content::Text { text: text.into_owned(), is_plain }
                };
                self.add(Node { place, value });
            }
            Event::Alias(_) => {
                self.marked(1, false, place);
                self.add(Node { place, value: Content::Spoiled });
            }
            Event::SequenceStart(anchor, tag) => {
                self.marked(anchor, tag.is_some(), place);
                self.deeper(start)?;
                self.open.push(Open::List { start, items: Vec::new() });
            }
            Event::MappingStart(anchor, tag) => {
                self.marked(anchor, tag.is_some(), place);
                self.deeper(start)?;
                self.open.push(Open::Map {
                    start,
                    entries: Vec::new(),
                    key: None,
                    seen: BTreeSet::new(),
                });
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { start, items }) => {
                    let place = self.place(start, end);
                    self.add(Node { place, value: Content::List(items) });
                }
                Some(Open::Map { start, entries, .. }) => {
                    let place = self.place(start, end);
                    self.add(Node { place, value: Content::Map(entries) });
                }
                None => {}
            },
            _ => {}
        }
        Ok(())
    }

    fn deeper(&self, start: usize) -> Result<(), (String, usize)> {
        if self.open.len() < DEEPEST {
            return Ok(());
        }
        Err((format!("blocks are nested more than {DEEPEST} deep"), start))
    }

    fn marked(&mut self, anchor: usize, tagged: bool, place: Place) {
        if tagged {
            self.problem(
                codes::TAG,
                place,
                "this has a YAML tag (a word with `!`), and YAML would drop it",
                "put the text in quotes",
            );
        } else if anchor > 0 {
            self.problem(
                codes::ANCHOR,
                place,
                "anchors and aliases of YAML are not used in workflows",
                "write the value out here",
            );
        }
    }

    fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            None => {
                if self.root.is_none() {
                    self.root = Some(node);
                }
            }
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { key, .. }) => match key.take() {
                None => {
                    let text = match &node.value {
                        Content::Text { text, .. } => Some(text.clone()),
                        Content::Nothing => Some("null".to_owned()),
                        _ => None,
                    };
                    *key = Some((text, node.place));
                }
                Some((None, place)) => {
                    self.problem(codes::WRONG_FORM, place, "a key is a word", "write `key: value`");
                }
                Some((Some(key), key_place)) => self.entry(Entry { key, key_place, value: node }),
            },
        }
    }

    /// An entry of the block that is being read.
    fn entry(&mut self, entry: Entry) {
        let is_item = self.open.len() > 1
            && matches!(self.open.get(self.open.len() - 2), Some(Open::List { .. }));
        let Some(Open::Map { start, entries, seen, .. }) = self.open.last_mut() else { return };
        // A comma within `{ a: =default(x, y) }` ends the formula for YAML; the
        // formula itself will be told of.
        let is_torn = entry.value.is_nothing()
            && entry.key.contains(')')
            && entries.last().is_some_and(is_torn);
        // Blocks that are joined were told of before.
        if is_torn || entry.key == "<<" {
            return;
        }
        if seen.insert(entry.key.clone()) {
            entries.push(entry);
            return;
        }
        let (key, place) = (entry.key.clone(), entry.key_place);
        let mut help = "one of the two would be lost: remove it, or join the two";
        // What begins an item and stands there again begins another.
        if is_item && entries.first().is_some_and(|first| first.key == key) {
            help = "begin a new item with `- `, or remove one of the two";
            let done = std::mem::replace(entries, vec![entry]);
            *seen = BTreeSet::from([key.clone()]);
            let first = std::mem::take(start);
            let end = done.last().map_or(0, |last| last.value.place.end);
            let before = self.mended.place(first, first).start;
            let place = Place { start: before, end: end.max(before) };
            let outer = self.open.len() - 2;
            if let Some(Open::List { items, .. }) = self.open.get_mut(outer) {
                items.push(Node { place, value: Content::Map(done) });
            }
        }
        let message = format!("`{key}` stands twice in this block");
        self.problem(codes::DUPLICATE_KEY, place, message, help);
    }
}

/// Whether a value is a formula with an open bracket.
fn is_torn(entry: &Entry) -> bool {
    entry.value.text().is_some_and(|text| {
        text.starts_with('=') && text.matches('(').count() > text.matches(')').count()
    })
}

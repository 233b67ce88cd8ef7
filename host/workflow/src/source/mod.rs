//! A workflow's YAML as a tree that knows where everything stands. Texts stay
//! texts (`NO`, `1.0`, `10:00`), and what YAML would trip over (tabs, tags,
//! anchors, keys that stand twice) is told and mended, so that the rest of the
//! file is still read.

mod build;
mod columns;
mod locate;
mod mended;
mod shape;
mod slips;

use mended::{MOST_MENDS, Mended};
use slips::Cut;

pub(crate) use locate::Locator;

use crate::diagnostic::{self as codes, Findings, Place};

/// A node of the tree.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Content,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// Text; plain if it stands without quotes.
    Text {
        text: String,
        is_plain: bool,
    },
    /// Nothing at all.
    Nothing,
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Something that was found to be wrong already: nothing more is said
    /// about it.
    Spoiled,
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_place: Place,
    pub(crate) value: Node,
}

impl Node {
    pub(crate) fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Content::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Content::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    pub(crate) const fn is_spoiled(&self) -> bool {
        matches!(self.value, Content::Spoiled)
    }

    pub(crate) const fn is_nothing(&self) -> bool {
        matches!(self.value, Content::Nothing)
    }
}

/// Reads a file. Nothing where there is nothing in it to go on with.
pub(crate) fn read(findings: &mut Findings<'_>) -> Option<Node> {
    let source = findings.source();
    let mut mended = Mended::new(source);
    mend(&mut mended, findings);
    let mut told = None;
    for _ in 0..MOST_MENDS {
        let (message, letter) = match build::build(&mended, source.len()) {
            Ok(built) => {
                for problem in built.problems {
                    findings.error(problem.code, problem.place, problem.message, problem.help);
                }
                return built.root;
            }
            Err(error) => error,
        };
        let (start, end) = mended.blank_line(letter)?;
        findings.lose();
        let place = if (start..end).contains(&letter) {
            mended.place(letter, letter + 1)
        } else {
            mended.place(start, end)
        };
        let line = findings.span(place.start, place.end).line;
        // A slip often breaks the next line as well.
        if told.is_none_or(|told| line > told + 1) {
            let (message, help) = explain(&message);
            findings.error(codes::SYNTAX, place, message, help);
        }
        told = Some(line);
    }
    None
}

/// Mends what can be seen before YAML's own reader sees it.
fn mend(mended: &mut Mended, findings: &mut Findings<'_>) {
    let rows = shape::rows(mended);
    let tabbed = mended.lines_with_tabs(&rows, findings);
    for cut in slips::find(mended, &rows, findings) {
        match cut {
            Cut::Blank(start, end) => mended.blank(start, end),
            Cut::Spoil(start, end) => mended.spoil(start, end),
        }
    }
    let moves = columns::find(mended, &shape::rows(mended), &tabbed, findings);
    for (start, end) in moves.blanked {
        mended.blank(start, end);
    }
    mended.insert(&moves.missing);
    mended.indent_with(&moves.widths);
    mended.mend_tabs(&tabbed);
}

/// What the scanner says, for people.
fn explain(message: &str) -> (String, Option<String>) {
    let (said, help) = if message.contains("duplicat") {
        ("a key stands here twice", "remove one of the two")
    } else if message.contains("flow") || message.contains(']') || message.contains('}') {
        (
            "a list `[ ]` or a block `{ }` is not closed, or is broken here",
            "look for a missing bracket or comma",
        )
    } else if message.contains("quote") || message.contains("end of stream") {
        ("a quotation mark is not closed", "close it, or put the whole text in quotes")
    } else if message.contains("mapping values") {
        (
            "a second `:` stands on this line where YAML expects none, or the indentation is off",
            "put a text with `: ` in it in quotes; put each key on its own line",
        )
    } else if message.contains("indent")
        || message.contains("block")
        || message.contains("expected")
    {
        (
            "the indentation or the form does not fit here",
            "let the keys of one block begin in the same column",
        )
    } else {
        return (format!("this is not valid YAML: {message}"), None);
    };
    (said.to_owned(), Some(help.to_owned()))
}

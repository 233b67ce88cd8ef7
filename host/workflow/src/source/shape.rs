//! What the lines of a file are, before it is read as YAML: which begin a key
//! or an item, where their values begin, and how far these go.

use super::mended::{Line, Mended};

/// How far the end of a text in quotes or of a list is looked for, so that a
/// file full of open quotes is not read over and over.
const FURTHEST: usize = 5_000;

/// Where a quotation mark or a bracket is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Close {
    At(usize),
    Never,
    /// Not near by; where it is, YAML's own reader will find out.
    Far,
}

/// A line that is a key, an item, or both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// Its number, from 0.
    pub(super) number: usize,
    pub(super) line: Line,
    /// Where its key begins, if it has one: behind the dashes.
    pub(super) key: Option<usize>,
    /// Where the `:` behind the key stands.
    pub(super) colon: Option<usize>,
    /// Where its value begins; none where there is none on the line.
    pub(super) value: Option<usize>,
    /// How far the value goes.
    pub(super) extent: Extent,
}

/// How far a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// To the end of its line, or there is none.
    Line,
    /// A block of text follows.
    Block,
    /// To this letter: the quote or the bracket that closes it.
    To(usize),
    /// The quote or the bracket has no fellow.
    Open,
}

impl Row {
    /// Whether a key or an item may follow that is indented deeper.
    pub(super) const fn is_open(&self) -> bool {
        self.value.is_none()
    }

    /// Whether it begins with `- `.
    pub(super) fn is_item(&self, mended: &Mended) -> bool {
        mended.letters.get(self.line.text()) == Some(&'-') && self.key != Some(self.line.text())
    }
}

/// The lines that are keys or items, in order. What stands in texts over
/// several lines is no row.
pub(super) fn rows(mended: &Mended) -> Vec<Row> {
    let lines = mended.lines();
    let mut rows = Vec::new();
    let mut number = 0;
    while let Some(line) = lines.get(number).copied() {
        let is_comment = mended.letters.get(line.text()) == Some(&'#');
        if line.is_blank() || is_comment {
            number += 1;
            continue;
        }
        let row = row(mended, &lines, number);
        rows.push(row);
        number += 1;
        match row.extent {
            Extent::Block => {
                while lines
                    .get(number)
                    .is_some_and(|next| next.is_blank() || next.indent > line.indent)
                {
                    number += 1;
                }
            }
            Extent::To(last) => {
                while lines.get(number).is_some_and(|next| next.start <= last) {
                    number += 1;
                }
            }
            Extent::Line | Extent::Open => {}
        }
    }
    rows
}

fn row(mended: &Mended, lines: &[Line], number: usize) -> Row {
    let line = lines[number];
    let letters = &mended.letters;
    let mut at = line.text();
    while letters[at..line.end].first() == Some(&'-')
        && letters[at..line.end].get(1).is_none_or(|next| next.is_whitespace())
    {
        at += 1;
        at += blanks(&letters[at..line.end]);
    }
    let (mut key, mut colon) = (None, None);
    if let Some(length) = key_length(&letters[at..line.end]) {
        (key, colon) = (Some(at), Some(at + length));
        at = (at + length + 1).min(line.end);
        at += blanks(&letters[at..line.end]);
    }
    let there = |at: usize| letters[at..line.end].first().is_some_and(|first| *first != '#');
    let mut value = there(at).then_some(at);
    let mut reach = value.map_or(Extent::Line, |value| extent(mended, lines, number, value));
    // A key in quotes.
    if key.is_none()
        && let (Some(start), Extent::To(close)) = (value, reach)
        && matches!(letters[start], '"' | '\'')
        && close < line.end
        && word_ends(&letters[close + 1..line.end])
    {
        (key, colon) = (Some(start), Some(close + 1));
        at = close + 2;
        at += blanks(&letters[at.min(line.end)..line.end]);
        value = there(at.min(line.end)).then_some(at);
        reach = value.map_or(Extent::Line, |value| extent(mended, lines, number, value));
    }
    Row { number, line, key, colon, value, extent: reach }
}

/// Whether letters begin with the `:` behind a key.
fn word_ends(letters: &[char]) -> bool {
    letters.first() == Some(&':') && letters.get(1).is_none_or(|next| next.is_whitespace())
}

fn blanks(letters: &[char]) -> usize {
    letters.iter().take_while(|letter| letter.is_whitespace()).count()
}

/// The length of the key with which letters begin, be it one that no block
/// knows: `as: pick`, `else if: x`.
fn key_length(letters: &[char]) -> Option<usize> {
    if letters.first().is_none_or(|first| "\"'[{|>!&*@%`#=?".contains(*first)) {
        return None;
    }
    word_length(letters).or_else(|| inner_colon(letters))
}

/// The length of a key that is one word.
fn word_length(letters: &[char]) -> Option<usize> {
    let is_of_key = |letter: &&char| letter.is_alphanumeric() || "_-.<".contains(**letter);
    let length = letters.iter().take_while(is_of_key).count();
    (length > 0 && inner_colon(letters) == Some(length)).then_some(length)
}

/// Where `: ` stands in letters of one line, before any comment.
pub(super) fn inner_colon(letters: &[char]) -> Option<usize> {
    let end = comment(letters).unwrap_or(letters.len());
    (0..end).find(|at| {
        letters[*at] == ':' && letters.get(at + 1).is_none_or(|next| next.is_whitespace())
    })
}

/// Where a comment begins in letters of one line without quotes.
pub(super) fn comment(letters: &[char]) -> Option<usize> {
    (1..letters.len()).find(|at| letters[*at] == '#' && letters[at - 1].is_whitespace())
}

fn extent(mended: &Mended, lines: &[Line], number: usize, value: usize) -> Extent {
    let letters = &mended.letters;
    match letters[value] {
        quote @ ('"' | '\'') => match closing_quote(letters, value, quote) {
            Close::At(close) if close < lines[number].end => Extent::To(close),
            // What would close it opens another: then it was forgotten here.
            Close::At(close) if is_opening(letters, close) && next_row(letters, lines, number) => {
                Extent::Open
            }
            Close::At(close) => Extent::To(close),
            Close::Never => Extent::Open,
            Close::Far => Extent::Line,
        },
        '[' | '{' => match closing_bracket(letters, value) {
            Close::At(close) if close < lines[number].end => Extent::To(close),
            Close::At(close) => {
                let next = lines[number + 1..].iter().find(|line| !line.is_blank());
                let is_out = next.is_some_and(|next| next.indent <= lines[number].indent)
                    && next_row(letters, lines, number);
                if is_out { Extent::Open } else { Extent::To(close) }
            }
            Close::Never => Extent::Open,
            Close::Far => Extent::Line,
        },
        '|' | '>' => {
            let rest = &letters[value + 1..lines[number].end];
            let comment = rest.iter().position(|letter| *letter == '#').unwrap_or(rest.len());
            let is_block = rest[..comment].iter().all(|letter| {
                letter.is_whitespace() || letter.is_ascii_digit() || "+-".contains(*letter)
            });
            if is_block { Extent::Block } else { Extent::Line }
        }
        _ => Extent::Line,
    }
}

/// Whether the next line that is not blank begins a key or an item.
fn next_row(letters: &[char], lines: &[Line], number: usize) -> bool {
    let Some(line) = lines[number + 1..].iter().find(|line| !line.is_blank()) else {
        return false;
    };
    let mut text = &letters[line.text()..line.end];
    let is_item = text.first() == Some(&'-') && text.get(1) == Some(&' ');
    if is_item {
        text = &text[1..];
        text = &text[blanks(text)..];
    }
    is_item || word_length(text).is_some()
}

/// Whether a quotation mark stands where one opens a text.
fn is_opening(letters: &[char], place: usize) -> bool {
    let before = place.checked_sub(1).and_then(|before| letters.get(before));
    before.is_none_or(|before| before.is_whitespace() || "[({,=".contains(*before))
}

/// The quotation mark that closes the one at `open`.
fn closing_quote(letters: &[char], open: usize, quote: char) -> Close {
    let until = letters.len().min(open + FURTHEST);
    let mut at = open + 1;
    while at < until {
        match letters[at] {
            '\\' if quote == '"' => at += 1,
            // Two in a row stand for one.
            '\'' if quote == '\'' && letters.get(at + 1) == Some(&'\'') => at += 1,
            letter if letter == quote => return Close::At(at),
            _ => {}
        }
        at += 1;
    }
    if until < letters.len() { Close::Far } else { Close::Never }
}

/// The bracket that closes the one at `open`; brackets within quotes and
/// comments do not count.
fn closing_bracket(letters: &[char], open: usize) -> Close {
    let until = letters.len().min(open + FURTHEST);
    let mut inner = Vec::new();
    let mut at = open;
    while at < until {
        match letters[at] {
            '[' => inner.push(']'),
            '{' => inner.push('}'),
            close @ (']' | '}') => {
                if inner.pop() != Some(close) {
                    return Close::Never;
                }
                if inner.is_empty() {
                    return Close::At(at);
                }
            }
            quote @ ('"' | '\'') if is_opening(letters, at) => {
                match closing_quote(letters, at, quote) {
                    Close::At(close) => at = close,
                    other => return other,
                }
            }
            '#' if letters[at - 1].is_whitespace() => {
                let rest = letters[at..until].iter().position(|letter| *letter == '\n');
                at += rest.unwrap_or(until - at);
            }
            _ => {}
        }
        at += 1;
    }
    if until < letters.len() { Close::Far } else { Close::Never }
}

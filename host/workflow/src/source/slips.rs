//! Values that YAML would not read as they are meant: found in the lines, told
//! in the author's words, and taken out, so that the rest is read all the same.

use super::{
    mended::Mended,
    shape::{Extent, Row, comment, inner_colon},
};
use crate::diagnostic::{self as codes, Findings};

/// What is taken out of the text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cut {
    /// Letters that mean nothing.
    Blank(usize, usize),
    /// A value: that there was one is remembered.
    Spoil(usize, usize),
}

/// Tells of the values that YAML would not read as they are meant, and says
/// what to take out.
pub(super) fn find(mended: &Mended, rows: &[Row], findings: &mut Findings<'_>) -> Vec<Cut> {
    let mut slips = Slips { mended, findings, cuts: Vec::new() };
    for (place, row) in rows.iter().enumerate() {
        if let Some(value) = row.value {
            slips.value(row, value, rows.get(place + 1));
        }
    }
    slips.cuts
}

struct Slips<'s, 'f, 'a> {
    mended: &'s Mended,
    findings: &'f mut Findings<'a>,
    cuts: Vec<Cut>,
}

impl Slips<'_, '_, '_> {
    fn error(
        &mut self,
        code: &'static str,
        (start, end): (usize, usize),
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.findings.error(code, self.mended.place(start, end), message, Some(help.into()));
    }

    fn text(&self, start: usize, end: usize) -> String {
        self.mended.letters[start..end].iter().collect()
    }

    fn key(&self, row: &Row) -> Option<String> {
        row.key.zip(row.colon).map(|(start, end)| self.text(start, end))
    }

    /// Where a value that stands on one line ends.
    fn trimmed(&self, start: usize, end: usize) -> usize {
        let letters = &self.mended.letters[start..end];
        let last = letters.iter().rposition(|letter| !letter.is_whitespace());
        start + last.map_or(0, |last| last + 1)
    }

    fn value(&mut self, row: &Row, value: usize, next: Option<&Row>) {
        let letters = &self.mended.letters[value..row.line.end];
        let end = self.trimmed(value, value + comment(letters).unwrap_or(letters.len()));
        match letters.first() {
            Some('!') => self.tag(row, (value, end), next),
            Some('&' | '*') if end > value + 1 => self.anchor(row, (value, end), next),
            Some(letter @ ('@' | '`' | '%')) => {
                let message = format!("a text cannot begin with `{letter}` without quotes");
                let text = self.text(value, end);
                let share = text.strip_prefix('%').filter(|share| share.parse::<u32>().is_ok());
                let help = match share {
                    Some(share) => format!("write `{share}%`"),
                    None => format!("put it in quotes: {}", self.quoted(value, end)),
                };
                self.error(codes::SYNTAX, (value, end), message, help);
                self.cuts.push(Cut::Spoil(value, end));
            }
            Some(quote @ ('"' | '\'')) => self.quotes(row, value, *quote),
            Some('[' | '{') => self.brackets(row, (value, end)),
            Some('|' | '>') | None => {}
            Some(_) => self.plain(row, (value, end)),
        }
    }

    /// A text as it would stand in quotes.
    fn quoted(&self, start: usize, end: usize) -> String {
        let text = self.text(start, end);
        if text.contains(['"', '\\']) {
            format!("'{}'", text.replace('\'', "''"))
        } else {
            format!("\"{text}\"")
        }
    }

    fn word_end(&self, (value, end): (usize, usize)) -> usize {
        let letters = &self.mended.letters[value..end];
        value + letters.iter().position(|letter| letter.is_whitespace()).unwrap_or(letters.len())
    }

    fn tag(&mut self, row: &Row, (value, end): (usize, usize), next: Option<&Row>) {
        let word_end = self.word_end((value, end));
        let word = self.text(value, word_end);
        let help = match word.trim_start_matches('!') {
            meant if word_end == end && !meant.is_empty() => {
                format!("write `not {meant}` in a formula, or put the text in quotes")
            }
            _ => "write `not …` in a formula, or put the text in quotes".to_owned(),
        };
        let message = format!("`{word}` is a YAML tag, and YAML would drop it");
        self.error(codes::TAG, (value, word_end), message, help);
        self.cuts.push(if word_end == end && is_block(row, next) {
            Cut::Blank(value, end)
        } else {
            Cut::Spoil(value, end)
        });
    }

    fn anchor(&mut self, row: &Row, (value, end): (usize, usize), next: Option<&Row>) {
        let word_end = self.word_end((value, end));
        let word = self.text(value, word_end);
        let is_alias = word.starts_with('*');
        let key = self.key(row);
        if let (Some("<<"), Some(key)) = (key.as_deref(), row.key) {
            let message = "`<<` joins blocks in YAML, which workflows do not do";
            self.error(codes::ANCHOR, (key, end), message, "write the keys out here");
            self.findings.lose();
            self.cuts.push(Cut::Spoil(value, end));
            return;
        }
        if is_alias && (word_end < end || key.as_deref() == Some("cron")) {
            let message = "what begins with `*` is an alias in YAML, unless it stands in quotes";
            let help = format!("put it in quotes: {}", self.quoted(value, end));
            self.error(codes::ANCHOR, (value, end), message, help);
            self.cuts.push(Cut::Spoil(value, end));
            return;
        }
        let what = if is_alias { "an alias" } else { "an anchor" };
        let message = format!("`{word}` is {what} of YAML, which workflows do not use");
        self.error(codes::ANCHOR, (value, word_end), message, "write the value out here");
        // What an anchor stands before is left as it is.
        self.cuts.push(if !is_alias && (word_end < end || is_block(row, next)) {
            Cut::Blank(value, word_end)
        } else {
            Cut::Spoil(value, end)
        });
    }

    fn quotes(&mut self, row: &Row, value: usize, quote: char) {
        let close = match row.extent {
            Extent::To(close) => close,
            Extent::Open => {
                let message = "a quotation mark is not closed";
                let help = "close it, or put the whole text in quotes";
                self.error(codes::SYNTAX, (value, value + 1), message, help);
                self.cuts.push(Cut::Spoil(value, row.line.end));
                return;
            }
            _ => return,
        };
        let letters = &self.mended.letters[close + 1..];
        let line = letters.iter().position(|letter| *letter == '\n').unwrap_or(letters.len());
        let rest = &letters[..line];
        let behind = rest.iter().position(|letter| !letter.is_whitespace());
        let Some(first) = behind.map(|behind| rest[behind]) else { return };
        if first == '#' || (first == ':' && row.key.is_none()) {
            return;
        }
        let line_end = close + 1 + line;
        let end = self.trimmed(value, line_end);
        let whole = self.text(value, end);
        let help = if whole.ends_with("\",") || whole.ends_with("',") {
            "take the comma away".to_owned()
        } else if quote == '\'' && !whole.contains('"') {
            let text = whole.trim_matches('\'');
            format!("put the text in double quotes: \"{text}\"")
        } else if quote == '"' && whole.ends_with('"') && !is_formula(&whole) {
            format!(
                "put the text in single quotes: '{}'",
                whole[1..whole.len() - 1].replace('\'', "''")
            )
        } else {
            format!("put the whole in single quotes: '{}'", whole.replace('\'', "''"))
        };
        let message = "the text in quotes ends here, but more comes behind it";
        self.error(codes::SYNTAX, (close, close + 1), message, help);
        self.cuts.push(Cut::Spoil(value, line_end));
    }

    fn brackets(&mut self, row: &Row, (value, end): (usize, usize)) {
        let letters = &self.mended.letters;
        let until = match row.extent {
            Extent::To(close) => close + 1,
            Extent::Open => row.line.end,
            _ => return,
        };
        if let Some(braces) = braces(letters, value, until) {
            let starts = braces == value;
            let end = if starts { end } else { (braces + 2).min(until) };
            let help = if starts {
                self.braces_help((value, end))
            } else {
                "put the text in quotes, or write `=` and the path alone".to_owned()
            };
            let message = "what begins with `{{` is a block in YAML, unless it stands in quotes";
            self.error(codes::SYNTAX, (braces, end), message, help);
            self.cuts.push(Cut::Spoil(value, if starts { row.line.end } else { until }));
            return;
        }
        if row.extent == Extent::Open {
            let bracket = letters[value];
            let close = if bracket == '[' { ']' } else { '}' };
            let message = format!("this `{bracket}` is not closed");
            let help = format!("look for a missing `{close}`, or a bracket of the other kind");
            self.error(codes::SYNTAX, (value, value + 1), message, help);
            self.cuts.push(Cut::Spoil(value, row.line.end));
        }
    }

    /// `{{ lead.name }}` alone is better written as a formula.
    fn braces_help(&self, (value, end): (usize, usize)) -> String {
        let text = self.text(value, end);
        let inside = text.strip_prefix("{{").and_then(|text| text.strip_suffix("}}"));
        match inside.map(str::trim) {
            Some(path) if !path.contains(['{', '}', '|']) => {
                format!("write `={path}`, or put it in quotes")
            }
            _ => format!("put it in quotes: {}", self.quoted(value, end)),
        }
    }

    fn plain(&mut self, row: &Row, (value, end): (usize, usize)) {
        let letters = &self.mended.letters;
        if row.key.is_some()
            && let Some(colon) = inner_colon(&letters[value..end])
        {
            let message = "a text with `: ` in it has to stand in quotes";
            let help = format!("put it in quotes: {}", self.quoted(value, end));
            self.error(codes::SYNTAX, (value + colon, value + colon + 1), message, help);
            self.cuts.push(Cut::Spoil(value, end));
            return;
        }
        let Some(hash) = comment(&letters[value..row.line.end]).map(|at| value + at) else {
            return;
        };
        let behind = &letters[hash + 1..row.line.end];
        let is_meant = match behind {
            ['{', '{', ..] => true,
            [digit, ..] => {
                digit.is_ascii_digit()
                    && letters[value..end].iter().any(|letter| letter.is_alphabetic())
            }
            [] => false,
        };
        if is_meant {
            let whole = self.trimmed(value, row.line.end);
            self.findings.warning(
                codes::COMMENT,
                self.mended.place(hash, whole),
                "what stands behind ` #` is a comment, and not part of the text",
                Some(format!("put the text in quotes: {}", self.quoted(value, whole))),
            );
        }
    }
}

/// Whether what follows is a block that belongs to a row.
fn is_block(row: &Row, next: Option<&Row>) -> bool {
    next.is_some_and(|next| next.line.indent > row.line.indent)
}

/// Where `{{` stands without quotes.
fn braces(letters: &[char], start: usize, until: usize) -> Option<usize> {
    let mut quote = None;
    (start..until).find(|at| {
        match (quote, letters[*at]) {
            (None, letter @ ('"' | '\'')) => quote = Some(letter),
            (Some(open), letter) if open == letter => quote = None,
            (None, '{') => return letters.get(at + 1) == Some(&'{'),
            _ => {}
        }
        false
    })
}

/// Whether a text in quotes is one side of a comparison.
fn is_formula(text: &str) -> bool {
    [" == ", " != ", " in ", " and ", " or "].iter().any(|sign| text.contains(sign))
}

//! The words of a formula.

use std::str::FromStr;

use relata_model::{Date, Decimal};

use super::Fault;
use crate::diagnostic as codes;

/// A word, and the bytes that it takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// What a word is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// A name or a keyword.
    Word(String),
    Text(String),
    Number(Decimal),
    Percent(Decimal),
    Date(Date),
    /// An operator, a bracket or a comma.
    Sign(&'static str),
    /// The end of the formula.
    End,
}

/// The signs, the longer of two that begin alike first.
const SIGNS: &[&str] =
    &["==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "(", ")", "[", "]", ",", "."];

/// What people write who know another language, and what to write here; the
/// longer of two that begin alike first.
const FOREIGN: &[(&str, &str)] = &[
    ("&&", "write `and`"),
    ("||", "write `or`"),
    ("<>", "write `!=`"),
    ("===", "write `==`"),
    ("!==", "write `!=`"),
    ("=<", "write `<=`"),
    ("=>", "write `>=`"),
    ("${{", "leave `${{ }}` out: this is a formula already"),
    ("{{", "leave `{{ }}` out: this is a formula already"),
    ("≠", "write `!=`"),
    ("≤", "write `<=`"),
    ("≥", "write `>=`"),
    ("×", "write `*`"),
    ("÷", "write `/`"),
    ("–", "write `-`"),
    ("—", "write `-`"),
    ("−", "write `-`"),
    ("“", "write `\"`"),
    ("”", "write `\"`"),
    ("„", "write `\"`"),
    ("«", "write `\"`"),
    ("»", "write `\"`"),
    ("‘", "write `'`"),
    ("’", "write `'`"),
    ("=", "write `==`"),
    ("!", "write `not`"),
    (";", "write `,` between values"),
    ("&", "write `and`; to join texts, write \"{{ a }} {{ b }}\" without `=`"),
    ("|", "write `or`; a `|` stands only within `{{ }}`, before a filter"),
    ("?", "decide before: a `decide:` step yields one of several values"),
    (":", "for the time of a day, compare `hour(…)`; a text stands in quotes"),
    ("%", "write `50%` for a share"),
    ("{", "write `[ ]` around a list"),
    ("}", "write `[ ]` around a list"),
];

/// Takes a formula apart. The last token is [`Kind::End`].
pub(crate) fn tokens(source: &str) -> Result<Vec<Token>, Fault> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = source[at..].chars().next() {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (kind, length) = token(source, at, first)?;
        found.push(Token { kind, start: at, end: at + length });
        at += length;
    }
    found.push(Token { kind: Kind::End, start: source.len(), end: source.len() });
    Ok(found)
}

fn token(source: &str, at: usize, first: char) -> Result<(Kind, usize), Fault> {
    let rest = &source[at..];
    if first.is_alphabetic() || first == '_' {
        let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        return Ok((Kind::Word(rest[..length].to_owned()), length));
    }
    if first.is_ascii_digit() {
        return number(rest, at);
    }
    if first == '"' || first == '\'' {
        return text(rest, at, first);
    }
    let foreign = FOREIGN.iter().find(|(sign, _)| rest.starts_with(sign));
    let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
    let is_ours = |sign: &&&str| foreign.is_none_or(|(foreign, _)| foreign.len() < sign.len());
    if let Some(sign) = sign.filter(is_ours) {
        return Ok((Kind::Sign(sign), sign.len()));
    }
    let length = foreign.map_or(first.len_utf8(), |(sign, _)| sign.len());
    Err(Fault::new(
        codes::FORMULA_SYNTAX,
        at,
        at + length,
        format!("a formula cannot have `{}` here", &rest[..length]),
        foreign.map(|(_, help)| (*help).to_owned()),
    ))
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// The length of a day as `24.12.2026` at the beginning of a text.
fn dotted_day(rest: &str) -> Option<usize> {
    let day = digits(rest);
    let month = digits(rest.get(day..)?.strip_prefix('.')?);
    let year = digits(rest.get(day + 1 + month..)?.strip_prefix('.')?);
    let is_day = (1..=2).contains(&day) && (1..=2).contains(&month) && year == 4;
    is_day.then_some(day + month + year + 2)
}

fn number(rest: &str, at: usize) -> Result<(Kind, usize), Fault> {
    let whole = digits(rest);
    // 2026-12-24 is a day, not two subtractions.
    if whole == 4 && rest.is_char_boundary(10.min(rest.len())) {
        let day = rest.get(..10).unwrap_or_default();
        let shape = day.bytes().enumerate().all(|(place, byte)| match place {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
        if shape && day.len() == 10 && digits(&rest[10..]) == 0 {
            return Date::from_str(day).map(|date| (Kind::Date(date), 10)).map_err(|_| {
                Fault::new(
                    codes::FORMULA_SYNTAX,
                    at,
                    at + 10,
                    format!("there is no day {day}"),
                    None,
                )
            });
        }
    }
    if let Some(length) = dotted_day(rest) {
        let mut parts = rest[..length].split('.');
        let mut part = || parts.next().unwrap_or_default();
        let (day, month, year) = (part(), part(), part());
        let written = format!("{year}-{month:0>2}-{day:0>2}");
        let help = match Date::from_str(&written) {
            Ok(_) => format!("write `{written}`"),
            Err(_) => "write it as `2026-12-24`".to_owned(),
        };
        let message = format!("a day is not written `{}` in formulas", &rest[..length]);
        return Err(Fault::new(codes::FORMULA_SYNTAX, at, at + length, message, Some(help)));
    }
    let mut length = whole;
    if rest[whole..].starts_with('.') {
        let fraction = digits(&rest[whole + 1..]);
        if fraction > 0 {
            length += 1 + fraction;
        }
    }
    let number = Decimal::from_str_exact(&rest[..length]).map_err(|_| {
        Fault::new(
            codes::FORMULA_SYNTAX,
            at,
            at + length,
            "this number has more digits than can be calculated with (28)",
            None,
        )
    })?;
    if rest[length..].starts_with('%') {
        let share = number.checked_div(Decimal::ONE_HUNDRED).unwrap_or_default();
        return Ok((Kind::Percent(share), length + 1));
    }
    Ok((Kind::Number(number), length))
}

fn text(rest: &str, at: usize, quote: char) -> Result<(Kind, usize), Fault> {
    let mut content = String::new();
    let mut letters = rest.char_indices().skip(1);
    while let Some((place, letter)) = letters.next() {
        match letter {
            _ if letter == quote => return Ok((Kind::Text(content), place + 1)),
            '\\' => match letters.next() {
                Some((_, 'n')) => content.push('\n'),
                Some((_, 't')) => content.push('\t'),
                Some((_, escaped)) => content.push(escaped),
                None => break,
            },
            _ => content.push(letter),
        }
    }
    Err(Fault::new(
        codes::FORMULA_SYNTAX,
        at,
        at + rest.len(),
        "this text has no end",
        Some(format!("close it with {quote}")),
    ))
}

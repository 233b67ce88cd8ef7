//! Help within formulas: names, fields, functions, words of enumerations.

use relata_model::Objects;

use super::{Completion, CompletionKind, Range, described, parts_of};
use crate::{
    formula::{
        FILTERS, Formula, Names,
        functions::{FUNCTIONS, Function},
    },
    types::{Slot, Type},
};

/// The operators that may follow a value, and what they ask.
const OPERATORS: &[(&str, &str)] = &[
    ("==", "is the same as"),
    ("!=", "is not the same as"),
    ("<", "is less than, or before"),
    ("<=", "is at most"),
    (">", "is more than, or after"),
    (">=", "is at least"),
    ("is empty", "has no value"),
    ("is not empty", "has a value"),
    ("in", "is one of a list: `in [\"DE\", \"AT\"]`"),
    ("not in", "is none of a list"),
    ("contains", "has it in it: a list an item, a text a part"),
    ("and", "both hold"),
    ("or", "one of both holds"),
];

/// The words that may begin a value.
const BEGINNINGS: &[(&str, &str)] = &[("not", "the opposite"), ("true", "yes"), ("false", "no")];

/// Words behind which a value comes.
const BEFORE_VALUES: &[&str] = &["and", "or", "not", "in", "contains"];

/// What may stand at the end of a formula that is written as far as `before`;
/// `offset` is the byte of the file there.
pub(super) fn complete(
    before: &str,
    offset: usize,
    names: &Names,
    objects: &Objects,
) -> Vec<Completion> {
    let mut found = Vec::new();
    let mut add = |label: &str, kind, detail: &str, doc: &str, length: usize| {
        found.push(Completion {
            label: label.to_owned(),
            kind,
            detail: detail.to_owned(),
            documentation: doc.to_owned(),
            insert: label.to_owned(),
            replaces: Range { start: offset - length, end: offset },
        });
    };
    if let Some(open) = open_quote(before) {
        let written = &before[open + 1..];
        for word in compared(&before[..open], names, objects) {
            add(&word, CompletionKind::Word, "", "", written.len());
        }
        return found;
    }
    let chain = trailing(before, |letter| letter.is_alphanumeric() || "_.".contains(letter));
    if let Some((base, prefix)) = chain.rsplit_once('.') {
        let slot = slot_of(base, names, objects);
        for (name, slot, doc) in slot.iter().flat_map(|slot| parts_of(slot, objects)) {
            add(&name, CompletionKind::Field, &described(&slot), &doc, prefix.len());
        }
        return found;
    }
    let length = chain.len();
    let earlier = &before[..before.len() - length];
    let last = trailing(earlier.trim_end(), |letter| letter.is_alphanumeric() || letter == '_');
    if last == "is" {
        add("empty", CompletionKind::Word, "has no value", "", length);
        add("not empty", CompletionKind::Word, "has a value", "", length);
        return found;
    }
    if last == "not" && earlier.trim_end().trim_end_matches("not").trim_end().ends_with("is") {
        add("empty", CompletionKind::Word, "has a value", "", length);
        return found;
    }
    let is_value = earlier.trim_end().ends_with(|letter: char| {
        letter.is_alphanumeric() || matches!(letter, '_' | ')' | ']' | '"' | '\'' | '%')
    }) && !BEFORE_VALUES.contains(&last);
    if is_value && earlier.ends_with(char::is_whitespace) {
        for (operator, doc) in OPERATORS {
            add(operator, CompletionKind::Word, doc, "", length);
        }
        return found;
    }
    for word in compared(earlier, names, objects) {
        add(&format!("\"{word}\""), CompletionKind::Word, "", "", length);
    }
    for (name, known) in names.iter() {
        let unset = if known.unset { "; may be unset here" } else { "" };
        let detail = format!("{}{unset}", described(&known.slot));
        add(name, CompletionKind::Variable, &detail, "", length);
    }
    for function in FUNCTIONS {
        let detail = signature(function);
        let mut item = Completion {
            label: function.name.to_owned(),
            kind: CompletionKind::Function,
            detail,
            documentation: documentation(function),
            insert: format!("{}(", function.name),
            replaces: Range { start: offset - length, end: offset },
        };
        if function.parameters.is_empty() {
            item.insert.push(')');
        }
        found.push(item);
    }
    for (word, doc) in BEGINNINGS {
        found.push(Completion {
            label: (*word).to_owned(),
            kind: CompletionKind::Word,
            detail: (*doc).to_owned(),
            documentation: String::new(),
            insert: (*word).to_owned(),
            replaces: Range { start: offset - length, end: offset },
        });
    }
    found
}

/// The filters that may stand behind the `|` of a text's value.
pub(super) fn filters(before: &str, offset: usize) -> Vec<Completion> {
    let length = trailing(before, char::is_alphanumeric).len();
    FILTERS
        .iter()
        .map(|(name, doc)| Completion {
            label: (*name).to_owned(),
            kind: CompletionKind::Word,
            detail: (*doc).to_owned(),
            documentation: String::new(),
            insert: (*name).to_owned(),
            replaces: Range { start: offset - length, end: offset },
        })
        .collect()
}

/// `days_between(from, to)`
pub(super) fn signature(function: &Function) -> String {
    let mut parameters: Vec<&str> =
        function.parameters.iter().map(|parameter| parameter.name).collect();
    if function.repeats {
        parameters.push("…");
    }
    format!("{}({})", function.name, parameters.join(", "))
}

/// What a function does, with what it is given and an example.
pub(super) fn documentation(function: &Function) -> String {
    let mut text = function.doc.to_owned();
    let first_left_out = function.parameters.len() - function.may_leave_out;
    for (place, parameter) in function.parameters.iter().enumerate() {
        let left_out = if place >= first_left_out { "; may be left out" } else { "" };
        text.push_str(&format!(
            "\n- `{}`: {}{left_out}",
            parameter.name,
            parameter.takes.describe()
        ));
    }
    for (formula, yields) in function.examples {
        text.push_str(&format!("\n\n`{formula}` is `{yields}`"));
    }
    text
}

/// The type of a path or another formula; none where nothing is known of it.
pub(super) fn slot_of(source: &str, names: &Names, objects: &Objects) -> Option<Slot> {
    let formula = Formula::read(source).ok()?;
    let checked = formula.check(names, objects);
    (checked.slot.kind != Type::Any).then_some(checked.slot)
}

/// The last part of a text whose characters all are such.
pub(super) fn trailing(text: &str, is_part: impl Fn(char) -> bool) -> &str {
    let start = text
        .char_indices()
        .rev()
        .take_while(|(_, letter)| is_part(*letter))
        .last()
        .map_or(text.len(), |(place, _)| place);
    &text[start..]
}

/// The quotation mark that is still open at the end.
fn open_quote(text: &str) -> Option<usize> {
    let mut open: Option<(usize, char)> = None;
    let mut is_escaped = false;
    for (place, letter) in text.char_indices() {
        if is_escaped {
            is_escaped = false;
            continue;
        }
        match (open, letter) {
            (_, '\\') => is_escaped = true,
            (None, '"' | '\'') => open = Some((place, letter)),
            (Some((_, quote)), _) if quote == letter => open = None,
            _ => {}
        }
    }
    open.map(|(place, _)| place)
}

/// The words that a value can be which is compared with the one before.
fn compared(before: &str, names: &Names, objects: &Objects) -> Vec<String> {
    let before = before.trim_end();
    let path = |text: &str| {
        let path =
            trailing(text.trim_end(), |letter| letter.is_alphanumeric() || "_.".contains(letter));
        slot_of(path, names, objects)
    };
    let slot = if let Some(left) = before.strip_suffix("==").or(before.strip_suffix("!=")) {
        path(left)
    } else if let Some(open) = before.rfind('[').filter(|open| !before[*open..].contains(']')) {
        let left = before[..open].trim_end();
        left.strip_suffix("in")
            .map(str::trim_end)
            .and_then(|left| path(left.strip_suffix("not").unwrap_or(left)))
    } else {
        before.strip_suffix("contains").and_then(path)
    };
    match slot.map(|slot| slot.kind) {
        Some(Type::Choice(words)) => words,
        Some(Type::List(items)) => match items.kind {
            Type::Choice(words) => words,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

//! The shape of a reason: what is the same in all reasons of a kind. Ids,
//! times, and all values but words of an enumeration are left out, so that
//! reasons can be counted, and nothing of a customer is told.

use relata_model::{FieldType, Objects, RecordId, RunId, Timestamp};

/// What stands for a value.
const LEFT_OUT: &str = "…";

/// How a reason begins that repeats what a webhook's call or a person gave.
const WRONG_INPUTS: &str = "its inputs are wrong";

/// What stands before the values that a condition read.
const READ: [&str; 2] = ["only_if does not hold: ", "only_if `"];

/// The shape of a reason. `subject` is the object that the workflow is about.
pub(crate) fn shape(reason: &str, subject: Option<&str>, objects: &Objects) -> String {
    // What it waited for first is told apart from why it did not start then.
    if let Some((waited, then)) = reason.split_once(", and then: ") {
        return format!("{}, and then: {}", words(waited), shape(then, subject, objects));
    }
    if let Some(values) = reason.strip_prefix(READ[0]) {
        return format!("{}{}", READ[0], read_values(values, subject, objects));
    }
    if let Some((before, key)) = reason.split_once(" for the same ") {
        // The key may be anything: an address, a name.
        let (key, after) = split_key(key);
        return format!("{} for the same {key}{}", words(before), words(after));
    }
    if let Some(condition) = reason.strip_prefix(READ[1])
        && let Some((source, _)) = condition.split_once("` has no answer: ")
    {
        return format!("{}{source}` has no answer", READ[1]);
    }
    if reason.starts_with(WRONG_INPUTS) || reason.starts_with("input ") {
        return WRONG_INPUTS.to_owned();
    }
    words(&without_given(reason))
}

/// A text without what somebody gave, which a sentence repeats: not `Anna`.
fn without_given(reason: &str) -> String {
    let mut told = String::new();
    let mut rest = reason;
    while let Some((before, given)) = rest.split_once("not `") {
        told.push_str(before);
        told.push_str("not ");
        told.push_str(LEFT_OUT);
        rest = given.split_once('`').map_or("", |(_, after)| after);
    }
    told.push_str(rest);
    told
}

/// A key and what follows it: a record keeps its object's name.
fn split_key(rest: &str) -> (String, &str) {
    let end = rest.find(", counted at ").or_else(|| rest.rfind(" already")).unwrap_or(rest.len());
    let (key, after) = rest.split_at(end);
    let key = match key.split_once('/') {
        Some((object, id)) if id.parse::<RecordId>().is_ok() => format!("{object}/{LEFT_OUT}"),
        _ => "key".to_owned(),
    };
    (key, after)
}

/// `lead.owner = user/01k9…, lead.name = Anna` without what is personal:
/// words of an enumeration, yes and no, and that something is empty, stay.
fn read_values(values: &str, subject: Option<&str>, objects: &Objects) -> String {
    let mut told = Vec::new();
    let mut rest = values;
    while let Some((path, value_on)) = rest.split_once(" = ") {
        // The value ends where the next path begins.
        let next = value_on.match_indices(", ").map(|(at, _)| at).find(|at| {
            let after = &value_on[at + 2..];
            after.split_once(" = ").is_some_and(|(path, _)| is_path(path))
        });
        let (value, after) = match next {
            Some(at) => (&value_on[..at], &value_on[at + 2..]),
            None => (value_on, ""),
        };
        let value = if is_plain(path, value, subject, objects) { value } else { LEFT_OUT };
        told.push(format!("{path} = {value}"));
        rest = after;
    }
    if told.is_empty() { values.to_owned() } else { told.join(", ") }
}

/// Names of the language are lower-case; what is not may be part of a value.
fn is_path(text: &str) -> bool {
    let is_part = |c: char| {
        c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.' | '(' | ')')
    };
    text.starts_with(|first: char| first.is_ascii_lowercase()) && text.chars().all(is_part)
}

/// Whether a value says nothing of a person.
fn is_plain(path: &str, value: &str, subject: Option<&str>, objects: &Objects) -> bool {
    if matches!(value, "(empty)" | "yes" | "no") {
        return true;
    }
    let mut parts = path.split('.');
    let Some(first) = parts.next() else { return false };
    if subject != Some(first) {
        return false;
    }
    let mut object = first.to_owned();
    for part in parts {
        match objects.get(&object).and_then(|found| found.field(part)).map(|field| &field.kind) {
            Some(FieldType::Choice(words)) => return words.iter().any(|word| word == value),
            Some(FieldType::Reference(to)) if to.len() == 1 => object.clone_from(&to[0]),
            _ => return false,
        }
    }
    false
}

/// A text without ids, times and addresses.
fn words(text: &str) -> String {
    let told: Vec<String> = text.split(' ').map(word).collect();
    told.join(" ")
}

fn word(word: &str) -> String {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    if bare.is_empty() {
        return word.to_owned();
    }
    let instead = if bare.parse::<RunId>().is_ok() {
        "a run".to_owned()
    } else if bare.parse::<Timestamp>().is_ok() || bare.contains('@') {
        LEFT_OUT.to_owned()
    } else if let Some((object, key)) = bare.split_once('/')
        && key.parse::<RecordId>().is_ok()
    {
        format!("{object}/{LEFT_OUT}")
    } else {
        return word.to_owned();
    };
    word.replacen(bare, &instead, 1)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const ID: &str = "01k9zzzzzzzzzzzzzzzzzzzzzz";

    fn check(reasons: &[&str], expected: Expect) {
        let objects = Objects::standard();
        let told: Vec<String> = reasons
            .iter()
            .map(|reason| shape(&reason.replace("ID", ID), Some("ticket"), &objects))
            .collect();
        expected.assert_eq(&told.join("\n"));
    }

    #[test]
    fn what_differs_from_record_to_record_is_left_out() {
        check(
            &[
                "run_ID of this workflow did it itself",
                "contact/ID is in segment/no-surveys, which never_for names",
                "run_ID is still running for the same contact/ID",
                "run_ID was there for the same anna@a.example, Ltd, counted at 2026-12-14T09:00:00Z: again_after has not gone by",
                "it waited for run_ID to end, and then: only_if does not hold: ticket.status = closed",
                "its inputs are wrong: percent takes a number, not `Anna`",
                "the rule of segment/vip is wrong: a contact has no field `tire`; it takes a tier, not `Anna B`",
            ],
            expect![[r#"
                a run of this workflow did it itself
                contact/… is in segment/no-surveys, which never_for names
                a run is still running for the same contact/…
                a run was there for the same key, counted at …: again_after has not gone by
                it waited for a run to end, and then: only_if does not hold: ticket.status = closed
                its inputs are wrong
                the rule of segment/vip is wrong: a contact has no field `tire`; it takes a tier, not …"#]],
        );
    }

    #[test]
    fn values_are_told_where_they_are_words_of_an_enumeration() {
        check(
            &[
                "only_if does not hold: ticket.status = closed, ticket.customer.tier = gold",
                "only_if does not hold: ticket.subject = Smith, Anna = wrong, ticket.owner = (empty)",
                "only_if does not hold: ticket.owner = user/ID, ticket.customer.mail_consent = no",
                "only_if does not hold: mood.label = negative",
                "only_if does not hold: 1 == 2",
                "only_if `ticket.sentiment / 0 > 1` has no answer: Anna cannot be divided",
            ],
            expect![[r#"
                only_if does not hold: ticket.status = closed, ticket.customer.tier = gold
                only_if does not hold: ticket.subject = …, ticket.owner = (empty)
                only_if does not hold: ticket.owner = …, ticket.customer.mail_consent = no
                only_if does not hold: mood.label = …
                only_if does not hold: 1 == 2
                only_if `ticket.sentiment / 0 > 1` has no answer"#]],
        );
    }
}

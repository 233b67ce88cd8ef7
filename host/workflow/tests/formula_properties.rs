//! What holds for every formula: what is printed reads back as the same, what
//! was accepted yields what it said and fails only as documented, and no text
//! makes the reader panic or work more than its length allows.

#![expect(clippy::unwrap_used, reason = "a helper of a test may panic as a test may")]

use std::{collections::BTreeMap, sync::LazyLock};

use proptest::prelude::*;
use relata_model::{Calendar, TimeZone, Timestamp, Value};
use relata_workflow::{
    EvaluationError, Formula, Scope, Slot, Type,
    formula::{FAULTS, functions::FUNCTIONS},
};

use crate::maker::{Choices, Maker};

static MAKER: LazyLock<Maker> = LazyLock::new(Maker::new);

fn read(source: &str) -> Result<(Formula, Slot), String> {
    Formula::parse_value(source, &MAKER.variables, &MAKER.objects).map_err(|found| {
        found.iter().map(|found| format!("{} {}", found.code, found.message)).collect()
    })
}

/// The bytes of which a formula and its world are made.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..600)
}

/// A formula that has a type.
fn made(bytes: &[u8]) -> Result<(String, Formula, Slot), TestCaseError> {
    let source = MAKER.any(&mut Choices::new(bytes));
    let (formula, slot) =
        read(&source).map_err(|why| TestCaseError::fail(format!("{source}: {why}")))?;
    Ok((source, formula, slot))
}

/// Weekdays from nine to five, with a break.
fn office(zone: &TimeZone) -> Calendar {
    let text = |text: &str| Value::Text(text.to_owned());
    let fields = BTreeMap::from([
        ("time_zone".to_owned(), text(zone.iana_name().unwrap_or("UTC"))),
        ("opening".to_owned(), text("mon-fri 09:00-12:00 13:00-17:00")),
        ("holidays".to_owned(), text("2026-12-24/2026-12-26")),
    ]);
    Calendar::from_fields(&fields).unwrap()
}

/// What a formula is, without where its parts stand.
fn shape(formula: &Formula) -> Vec<String> {
    formula.nodes.iter().map(|node| format!("{:?}", node.kind)).collect()
}

/// Whether a value is of the type that was said; what a record has that is gone
/// is nothing.
fn fits(value: &Value, slot: &Slot, gone: bool) -> bool {
    match (value, &slot.kind) {
        (Value::Nothing, _) => slot.optional || gone,
        (Value::Number(_), Type::Number)
        | (Value::Text(_), Type::Text)
        | (Value::YesNo(_), Type::YesNo)
        | (Value::Date(_), Type::Date)
        | (Value::Time(_), Type::Time)
        | (Value::Duration(_), Type::Duration)
        | (Value::Money(_), Type::Money) => true,
        (Value::Text(text), Type::Choice(words)) => words.contains(text),
        (Value::Reference(reference), Type::Record(objects)) => {
            objects.is_empty() || objects.contains(&reference.object)
        }
        (Value::List(items), Type::List(of)) => items.iter().all(|item| fits(item, of, gone)),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_reads_back_as_the_same(bytes in bytes()) {
        let (_, formula, slot) = made(&bytes)?;
        let printed = formula.to_string();
        let (again, same_slot) = read(&printed).map_err(TestCaseError::fail)?;
        prop_assert_eq!(shape(&formula), shape(&again), "{}", printed);
        prop_assert_eq!(slot, same_slot);
        prop_assert_eq!(&printed, &again.to_string());
        let stored = serde_json::to_string(&formula).unwrap();
        prop_assert_eq!(serde_json::from_str::<Formula>(&stored).unwrap(), formula);
    }

    #[test]
    fn what_was_accepted_fails_only_as_documented(bytes in bytes(), world in bytes()) {
        let (source, formula, slot) = made(&bytes)?;
        let (variables, facts) = MAKER.world(&mut Choices::new(&world));
        let gone = facts.records.values().any(Option::is_none);
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let calendar = office(&zone);
        let scope = Scope {
            variables: &[&variables],
            facts: &facts,
            now: "2026-12-14T09:00:00Z".parse::<Timestamp>().unwrap(),
            zone: &zone,
            calendar: Some(&calendar),
        };
        match formula.evaluate(&scope) {
            Ok(value) => prop_assert!(fits(&value, &slot, gone), "{source}: {value} is not {slot:?}"),
            Err(EvaluationError::Need(need)) => prop_assert!(false, "{source} needs {need:?}"),
            Err(EvaluationError::Fault(said)) => {
                let documented = FAULTS.iter().find(|fault| fault.says(&said));
                prop_assert!(documented.is_some(), "{source}: {said}");
                let is_missing = said.contains("a record may be gone");
                prop_assert!(gone || !is_missing, "{source}: {said}");
            }
        }
    }

    /// Every node is read once, and the tree is no larger than its text: so
    /// checking and evaluating take steps in proportion to the text.
    #[test]
    fn work_is_in_proportion_to_the_text(bytes in bytes()) {
        let (source, formula, _) = made(&bytes)?;
        prop_assert!(formula.nodes.len() <= source.len());
        let mut parents = vec![0_u32; formula.nodes.len()];
        for (place, node) in formula.nodes.iter().enumerate() {
            for child in node.kind.children() {
                prop_assert!((child.0 as usize) < place, "a child stands before its parent");
                parents[child.0 as usize] += 1;
            }
        }
        let root = parents.pop();
        prop_assert_eq!(root, Some(0));
        prop_assert!(parents.iter().all(|parents| *parents == 1), "{}", source);
    }

    #[test]
    fn no_words_make_it_panic(words in prop::collection::vec(word(), 0..40), between in "[ \\t]?") {
        let source = words.join(&between);
        if let Ok((formula, _)) = read(&source) {
            prop_assert!(formula.nodes.len() <= source.len());
        }
    }

    #[test]
    fn no_text_makes_it_panic(source in "\\PC{0,60}") {
        let _ = read(&source);
    }
}

/// A word of the language, or something that is none.
fn word() -> impl Strategy<Value = String> {
    let names: Vec<String> =
        FUNCTIONS.iter().map(|function| format!("{}(", function.name)).collect();
    let words = [
        "and",
        "or",
        "not",
        "in",
        "contains",
        "is",
        "empty",
        "true",
        "false",
        "lead",
        "ticket",
        ".",
        "owner",
        "name",
        "status",
        "(",
        ")",
        "[",
        "]",
        ",",
        "==",
        "!=",
        "<",
        ">=",
        "+",
        "-",
        "*",
        "/",
        "=",
        "%",
        "1",
        "30",
        "days",
        "working",
        "hours",
        "2026-12-24",
        "2026-13-01",
        "\"a\"",
        "'",
        "\"",
        "\\",
        "0.5",
        "24.12.2026",
        "é",
        "{{",
        "}}",
        "|",
        "💥",
    ];
    prop_oneof![
        3 => prop::sample::select(words.to_vec()).prop_map(str::to_owned),
        1 => prop::sample::select(names),
        1 => "\\PC{1,3}",
    ]
}

#[test]
fn a_long_formula_is_read_and_a_deep_one_refused() {
    let long =
        format!("lead.score is not empty and ({})", vec!["lead.score > 1"; 20_000].join(" or "));
    let (formula, _) = read(&long).unwrap();
    assert!(formula.nodes.len() < 100_000, "{}", formula.nodes.len());
    for deep in ["(".repeat(5_000), "not ".repeat(5_000), "-".repeat(5_000), "[".repeat(5_000)] {
        assert!(read(&deep).unwrap_err().starts_with("R60"), "{}", &deep[..4]);
    }
}

//! Every diagnostic of a workflow: where it points, what it says, and how it
//! says to mend it.

mod asks;
mod blueprints;
mod heads;
mod inputs;
mod loops;
mod runs;
mod secrets;
mod set;
mod steps;
mod together;

use std::sync::LazyLock;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use relata_workflow::{Catalog, Diagnostic, parse};

use crate::{catalog, said::said, yaml};

static CATALOG: LazyLock<Catalog> = LazyLock::new(catalog::catalog);
static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    jsonschema::draft7::new(&relata_workflow::schema::workflow_schema(&CATALOG)).expect("a schema")
});

/// A whole file.
fn file(source: &str, expected: Expect) {
    let (definition, found) = parse("test.yaml", source, &CATALOG);
    assert_eq!(definition.is_none(), found.iter().any(Diagnostic::is_error), "{}", said(&found));
    // What the checker takes, the schema takes as well.
    if definition.is_some() {
        assert_eq!(yaml::against(&SCHEMA, source), "", "{source}");
    }
    expected.assert_eq(&said(&found));
}

/// Steps of a workflow about a lead, from line 5.
fn steps(steps: &str, expected: Expect) {
    file(&format!("workflow: test\nwhen:\n  - created: lead\nsteps:\n{steps}\n"), expected);
}

/// The head of a workflow about a ticket, before its steps, from line 2.
fn head(head: &str, expected: Expect) {
    file(&format!("workflow: test\n{head}\nsteps:\n  - wait: 1 hour\n"), expected);
}

#[test]
fn the_same_as_json() {
    let (_, found) =
        parse("a.yaml", "workflow: a\nwhen:\n  - created: leed\nsteps: []\n", &CATALOG);
    expect![[r#"
        [
          {
            "code": "R103",
            "severity": "error",
            "message": "there is no object `leed`",
            "help": "did you mean `lead`?",
            "file": "a.yaml",
            "span": {
              "start": 31,
              "end": 35,
              "line": 3,
              "column": 14
            }
          }
        ]"#]]
    .assert_eq(&serde_json::to_string_pretty(&found).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_reader_panic(source in "[a-z:&*!|>%@#`'\"{}\\[\\],.=<\t\n -]{0,120}") {
        let _ = parse("a.yaml", &source, &CATALOG);
    }

    /// A workflow that is cut off, or has a letter changed, is told about and
    /// nothing else.
    #[test]
    fn no_slip_makes_the_reader_panic(which in 0_usize..4, cut in 0_usize..3_000, letter in "\\PC|\t|\n") {
        let source = [
            include_str!("../../../../workflows/assign-new-leads.yaml"),
            include_str!("../../../../workflows/inquiry-survey.yaml"),
            include_str!("../../../../workflows/complaint-escalation.yaml"),
            include_str!("../../../../workflows/win-back.yaml"),
        ][which];
        let mut cut = cut % source.len();
        while !source.is_char_boundary(cut) {
            cut -= 1;
        }
        let _ = parse("a.yaml", &source[..cut], &CATALOG);
        let next = source[cut..].chars().next().map_or(0, char::len_utf8);
        let changed = format!("{}{letter}{}", &source[..cut], &source[cut + next..]);
        let (_, found) = parse("a.yaml", &changed, &CATALOG);
        for found in found {
            prop_assert!(found.span.start <= found.span.end && found.span.end <= changed.len());
            prop_assert!(changed.is_char_boundary(found.span.start) && changed.is_char_boundary(found.span.end));
        }
    }
}

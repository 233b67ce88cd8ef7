//! Every diagnostic of a workflow: where it points, what it says, and how it
//! says to mend it.

#[path = "../catalog/mod.rs"]
mod catalog;
mod heads;
mod steps;

use std::sync::LazyLock;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use relata_workflow::{Catalog, Diagnostic, Severity, check_together, parse};

static CATALOG: LazyLock<Catalog> = LazyLock::new(catalog::catalog);

fn said(found: &[Diagnostic]) -> String {
    let lines: Vec<String> = found
        .iter()
        .map(|found| {
            let severity = if found.severity == Severity::Warning { "warning " } else { "" };
            let help = found.help.as_ref().map_or(String::new(), |help| format!(" [{help}]"));
            format!(
                "{}:{} {severity}{} {}{help}",
                found.span.line, found.span.column, found.code, found.message
            )
        })
        .collect();
    lines.join("\n")
}

/// A whole file.
fn file(source: &str, expected: Expect) {
    let (definition, found) = parse("test.yaml", source, &CATALOG);
    assert_eq!(definition.is_none(), found.iter().any(Diagnostic::is_error), "{}", said(&found));
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
fn workflows_that_start_each_other() {
    let workflow = |name: &str, trigger: &str, set: &str| {
        let source = format!(
            "workflow: {name}\nwhen:\n  - {trigger}\nsteps:\n  - do: crm.update\n    record: =ticket\n    set: {{ {set} }}\n"
        );
        let (definition, found) = parse(&format!("{name}.yaml"), &source, &CATALOG);
        definition.unwrap_or_else(|| panic!("{}", said(&found)))
    };
    let a = workflow("a", "{ changed: ticket.priority, to: urgent }", "category: complaint");
    let b = workflow("b", "{ changed: ticket.category }", "priority: urgent");
    let c = workflow("c", "{ changed: ticket.category }", "priority: low");
    let own = workflow("own", "{ changed: ticket.category }", "category: x");
    let check = |workflows: &[&relata_workflow::Definition], expected: Expect| {
        let named: Vec<(&relata_workflow::Definition, &str)> =
            workflows.iter().map(|definition| (*definition, definition.name.as_str())).collect();
        expected.assert_eq(&said(&check_together(&named, &CATALOG)));
    };
    check(
        &[&a, &b],
        expect![
            "5:1 warning R501 these workflows may start each other for ever: a -> b -> a [let an `only_if` of one exclude what another writes]"
        ],
    );
    check(&[&a, &c], expect![[""]]);
    check(&[&own], expect![[""]]);
    check(
        &[&a, &c, &b, &own],
        expect![[r#"
        5:1 warning R501 these workflows may start each other for ever: a -> b -> a [let an `only_if` of one exclude what another writes]
        5:1 warning R501 these workflows may start each other for ever: own -> b -> a -> own [let an `only_if` of one exclude what another writes]"#]],
    );
    check(&[&a, &a], expect!["1:1 R502 the workflow `a` is in a already [rename one of the two]"]);
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

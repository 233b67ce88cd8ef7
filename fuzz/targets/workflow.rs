//! Any text as a file of `workflows/`: whatever it is, it is read without a
//! panic, every diagnostic marks a part of it, and what is accepted can be
//! stored, drawn and mutated. An editor may ask at any place of it.

#![no_main]

#[path = "../../host/workflow/tests/catalog/mod.rs"]
mod catalog;

use std::{collections::BTreeMap, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use relata_model::TimeZone;
use relata_workflow::{
    Catalog, Definition, Diagnostic, TestContext, check_together, explain, graph,
    insight::{self, Insight},
    mutants, parse, parse_test, render,
};

static CATALOG: LazyLock<Catalog> = LazyLock::new(catalog::catalog);

/// The workflow beside the tests.
static BESIDE: LazyLock<BTreeMap<String, Option<Definition>>> = LazyLock::new(|| {
    let source = include_str!("../../workflows/complaint-escalation.yaml");
    let (definition, found) = parse("complaint-escalation.yaml", source, &CATALOG);
    assert!(definition.is_some(), "{found:?}");
    BTreeMap::from([("complaint-escalation".to_owned(), definition)])
});

fuzz_target!(|source: &str| {
    let (definition, found) = parse("workflow.yaml", source, &CATALOG);
    are_sound(&found, source);
    let is_wrong = found.iter().any(Diagnostic::is_error);
    assert!(!is_wrong || definition.is_none());
    // A blueprint is right or wrong, and becomes a workflow only with its inputs.
    assert!(is_wrong || definition.is_some() || source.contains("blueprint"));
    if let Some(definition) = &definition {
        can_be_used(definition, source);
    }
    an_editor_asks(source);
    if source.starts_with("test:") {
        let context = TestContext { catalog: &CATALOG, workflows: &BESIDE, zone: &TimeZone::UTC };
        let (test, found) = parse_test("workflow.test.yaml", source, context);
        are_sound(&found, source);
        assert_eq!(test.is_none(), found.iter().any(Diagnostic::is_error));
    }
});

/// Each says what it means, and marks a part of one line.
fn are_sound(found: &[Diagnostic], source: &str) {
    // A few tell of what is not there at all.
    assert!(found.len() <= source.len() + 8, "{} diagnostics", found.len());
    for found in found {
        assert!(explain(found.code).is_some(), "{} has no meaning", found.code);
        let marked = source.get(found.span.start..found.span.end);
        let marked = marked.unwrap_or_else(|| panic!("{found:?} marks no text"));
        assert!(!marked.trim_end().contains('\n'), "{found:?} marks several lines");
        let line = 1 + source[..found.span.start].matches('\n').count();
        assert_eq!(found.span.line as usize, line, "{found:?}");
        if let Some(fix) = insight::fix(found, source) {
            assert!(source.get(fix.range.start..fix.range.end).is_some(), "{fix:?}");
        }
    }
    let printed = render(found, source, false);
    assert_eq!(printed.is_empty(), found.is_empty());
}

fn can_be_used(definition: &Definition, source: &str) {
    let stored = serde_json::to_string(definition).expect("a definition can be stored");
    let again: Definition = serde_json::from_str(&stored).expect("and read again");
    assert_eq!(&again, definition);
    let drawn = graph::graph(definition, &CATALOG);
    for line in graph::mermaid(&drawn).lines() {
        assert_eq!(line.matches('"').count() % 2, 0, "{line}");
    }
    assert!(graph::svg(&drawn).ends_with("</svg>\n"));
    for mutant in mutants(definition, source) {
        assert_ne!(&mutant.definition, definition, "{}", mutant.what);
    }
    let _ = check_together(&[(definition, "workflow.yaml")], &CATALOG);
}

/// At a place that hangs on the text, so that all places have their turn.
fn an_editor_asks(source: &str) {
    let sum = source.bytes().fold(7_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(usize::from(byte))
    });
    let mut place = sum % (source.len() + 1);
    while !source.is_char_boundary(place) {
        place -= 1;
    }
    for offered in insight::complete("workflow.yaml", source, place, &CATALOG) {
        let replaced = source.get(offered.replaces.start..offered.replaces.end);
        assert!(replaced.is_some(), "{offered:?} replaces no text");
    }
    let insight = Insight::new("workflow.yaml", source, &CATALOG);
    for symbol in insight.symbols() {
        assert!(source.get(symbol.range.start..symbol.range.end).is_some(), "{symbol:?}");
    }
    let _ = insight.target(place);
    if let Some(hover) = insight.hover(place) {
        assert!(source.get(hover.range.start..hover.range.end).is_some(), "{hover:?}");
    }
}

//! The workflow with planted faults: each is found in one run, at its place,
//! and nothing else is.

mod catalog;

use relata_workflow::{parse, render};

#[test]
fn every_planted_fault_is_found_at_its_place() {
    let source = include_str!("../../../tests/data/faulty.yaml");
    let expected = include_str!("../../../tests/data/faulty.expected.txt");
    let (definition, found) = parse("faulty.yaml", source, &catalog::catalog());
    assert!(definition.is_none());
    let places: Vec<String> =
        found.iter().map(|found| format!("{}:{}", found.span.line, found.span.column)).collect();
    let wanted: Vec<&str> =
        expected.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(places, wanted, "{}", render(&found, source, false));
    assert_eq!(found.len(), 12);
}

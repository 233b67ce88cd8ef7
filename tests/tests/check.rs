//! `relata check` on what is shipped, and on a workflow with planted faults.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop at once, and tells its figures"
)]

use relata_tests::{answer, data, run};
use serde_json::Value as Json;

#[test]
fn the_shipped_workflows_have_no_errors() {
    let answer = answer(&["check", "workflows"]);
    assert_eq!(answer["errors"], 0, "{:#}", answer["diagnostics"]);
    assert_eq!(answer["workflows"], 24);
}

/// Twelve faults, twelve diagnostics, each at its place, in one run.
#[test]
fn every_planted_fault_is_found_where_it_is() {
    let ended = run(&["check", "tests/data/faulty.yaml"]);
    assert_eq!(ended.status.code(), Some(1), "{}", String::from_utf8_lossy(&ended.stderr));
    let answer: Json = serde_json::from_slice(&ended.stdout).unwrap();
    let mut found: Vec<(u64, u64)> = answer["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| {
            let span = &found["span"];
            (span["line"].as_u64().unwrap(), span["column"].as_u64().unwrap())
        })
        .collect();
    found.sort_unstable();
    let expected = std::fs::read_to_string(data("faulty.expected.txt")).unwrap();
    let expected: Vec<(u64, u64)> = expected.lines().map(place).collect();
    assert_eq!(expected.len(), 12);
    assert_eq!(found, expected, "{:#}", answer["diagnostics"]);
}

/// `8:11 impossible cron`
fn place(line: &str) -> (u64, u64) {
    let (place, _) = line.split_once(' ').unwrap();
    let (line, column) = place.split_once(':').unwrap();
    (line.parse().unwrap(), column.parse().unwrap())
}

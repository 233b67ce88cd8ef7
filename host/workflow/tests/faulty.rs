//! Workflows with planted mistakes: each is found in one run, at its place,
//! with the mend, and nothing else is said; to programs the same as to people.

use std::{fs, path::Path, path::PathBuf};

use expect_test::expect_file;
use relata_workflow::{Catalog, Diagnostic, Severity, Span, parse, render};

use crate::catalog;

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

/// A workflow that others run.
const INSPECT_RETURN: &str = "\
workflow: inspect-return
inputs:
  item: { type: order }
  reason: text
steps:
  - set: { accepted: true }
outputs:
  accepted: =accepted
";

fn with_another_workflow() -> Catalog {
    let mut catalog = catalog::catalog();
    let (definition, found) = parse("inspect-return.yaml", INSPECT_RETURN, &catalog);
    let definition =
        definition.unwrap_or_else(|| panic!("{}", render(&found, INSPECT_RETURN, false)));
    catalog.workflows.insert(definition.name.clone(), definition.signature());
    catalog
}

/// Each file of `tests/data/faulty` says in its first lines which mistakes it
/// has (`# 1. …`), and the file beside it what has to be said of them. So many
/// mistakes, so many diagnostics: none is missed, and none is told of twice.
#[test]
fn the_mistakes_that_people_make() {
    let catalog = with_another_workflow();
    let files = files();
    assert!(files.len() >= 60, "only {} files", files.len());
    let mut complaints = Vec::new();
    for file in &files {
        let source = fs::read_to_string(file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy();
        let (definition, found) = parse(&name, &source, &catalog);
        let planted = planted(&source);
        if !(1..=3).contains(&planted) || found.len() != planted {
            complaints.push(format!("{name}: {planted} planted, {} told of", found.len()));
        }
        if definition.is_none() != found.iter().any(Diagnostic::is_error) {
            complaints.push(format!("{name}: a definition in spite of errors, or none without"));
        }
        for found in &found {
            let marked = &source[found.span.start..found.span.end];
            if marked.is_empty() || marked.trim_end().contains('\n') {
                complaints.push(format!("{name}: {} marks `{marked}`", found.code));
            }
        }
        let said = said(&found, &source);
        expect_file![file.with_extension("expected")].assert_eq(&said);
        assert_eq!(said_as_json(&serde_json::to_value(&found).unwrap(), &source), said, "{name}");
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// What the language promises to find before a workflow goes live, with the
/// codes by which it tells of it. Each is told of in one of the files at least;
/// loops over several workflows are in `diagnostics`, templates in `templates`.
#[test]
fn every_promise_of_the_language_is_kept() {
    let promises: &[(&str, &[&str])] = &[
        ("unknown variables and fields", &["R101", "R102"]),
        ("unknown objects, actions, arguments, events", &["R103", "R104", "R105", "R106"]),
        ("unknown functions and filters", &["R107", "R108"]),
        ("missing templates, segments, calendars", &["R109", "R110", "R111"]),
        (
            "missing records, roles, steps, workflows, secrets",
            &["R112", "R113", "R114", "R116", "R118"],
        ),
        ("arguments against the action's schema", &["R202", "R206"]),
        ("literals of enumerations", &["R203"]),
        ("use of what may be empty", &["R204"]),
        ("a text that looks like a path", &["R207"]),
        ("rows after a catch-all, or no catch-all", &["R301", "R302"]),
        ("conditions always true or false", &["R303"]),
        ("steps that cannot be reached", &["R304"]),
        ("a result on a way on which it may be unset", &["R205"]),
        ("arms that do not add up", &["R305"]),
        ("an impossible cron", &["R401"]),
        ("a local time in a gap of the clock", &["R403"]),
        ("working time without a calendar", &["R402"]),
        ("what a plugin may not do", &["R212"]),
        ("duplicate keys, tags, anchors, tabs", &["R005", "R003", "R004", "R002"]),
    ];
    let expected =
        files().into_iter().map(|file| fs::read_to_string(file.with_extension("expected")));
    let expected: String = expected.map(Result::unwrap).collect();
    for (promise, codes) in promises {
        for code in *codes {
            assert!(expected.contains(&format!(" {code} ")), "{promise}: {code} is in no file");
        }
    }
    // The mend is told where there is a slip.
    assert!(expected.matches("did you mean").count() >= 20);
    // A gap of the clock is told with the next five fires.
    let gap = expected.lines().find(|line| line.contains("R403")).unwrap();
    assert_eq!(gap.split("around that day: ").nth(1).unwrap().split(", ").count(), 5);
}

/// How many mistakes a file says that it has.
fn planted(source: &str) -> usize {
    let mut lines = source.trim_start_matches('\u{feff}').lines();
    (1..)
        .take_while(|number| {
            lines.next().is_some_and(|line| line.starts_with(&format!("# {number}. ")))
        })
        .count()
}

/// `14:13-24 R102 what is wrong [how to mend it]`, one a line, from the first
/// column to the one behind the last.
fn said(found: &[Diagnostic], source: &str) -> String {
    let lines = found.iter().map(|found| {
        let Span { start, end, line, column } = found.span;
        let severity = if found.severity == Severity::Warning { "warning " } else { "" };
        let behind = column + source[start..end].chars().count();
        let help = found.help.as_ref().map_or(String::new(), |help| format!(" [{help}]"));
        format!("{line}:{column}-{behind} {severity}{} {}{help}\n", found.code, found.message)
    });
    lines.collect()
}

/// The same from what programs read.
fn said_as_json(found: &serde_json::Value, source: &str) -> String {
    let lines = found.as_array().expect("a list").iter().map(|found| {
        let text = |key: &str| found[key].as_str().expect("a text");
        let place = |key: &str| {
            let place = found["span"][key].as_u64().expect("a number");
            usize::try_from(place).expect("a place in a file")
        };
        let (line, column) = (place("line"), place("column"));
        let behind = column + source[place("start")..place("end")].chars().count();
        let severity = if text("severity") == "warning" { "warning " } else { "" };
        let help = found["help"].as_str().map_or(String::new(), |help| format!(" [{help}]"));
        format!("{line}:{column}-{behind} {severity}{} {}{help}\n", text("code"), text("message"))
    });
    lines.collect()
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/faulty");
    let entries =
        fs::read_dir(folder).expect("the files").map(|entry| entry.expect("a file").path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    files
}

/// A letter that the reader uses as a mark of its own hides no mistake, wherever an
/// author has it from. Found by fuzzing.
#[test]
fn no_letter_hides_a_mistake() {
    for source in
        ["a\u{e000}b", "workflow: x\nwhen:\n  - created: lead\nsteps:\n  - wait: \u{e000}\n"]
    {
        let (definition, found) = parse("x.yaml", source, &catalog::catalog());
        assert!(definition.is_none());
        assert!(found.iter().any(Diagnostic::is_error), "{source:?} is refused without a word");
    }
}

//! The pages of `docs/errors`: every code has one, its example yields exactly
//! that code, and what is mended yields none. `UPDATE_EXPECT=1` writes what is
//! told into the pages, and the index anew.

use std::{collections::BTreeMap, fmt::Write, path::PathBuf, sync::LazyLock};

use expect_test::expect_file;
use relata_model::TimeZone;
use relata_workflow::{
    CODES, Catalog, Definition, Diagnostic, TestContext, check_together, explain_page, parse_all,
    parse_test, render,
};

use crate::catalog;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors")
}

/// The files of an example: one, or several, each under a line `# name.yaml`.
fn files(example: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    for line in example.lines() {
        match line.strip_prefix("# ").filter(|name| name.ends_with(".yaml")) {
            Some(name) => files.push((name.to_owned(), String::new())),
            None => {
                if files.is_empty() {
                    files.push(("workflow.yaml".to_owned(), String::new()));
                }
                let (_, source) = files.last_mut().expect("a file");
                source.push_str(line);
                source.push('\n');
            }
        }
    }
    files
}

/// All that is told of files, each diagnostic with its file's text.
fn told(files: &[(String, String)]) -> Vec<(Diagnostic, String)> {
    static CATALOG: LazyLock<Catalog> = LazyLock::new(catalog::catalog);
    let catalog = &*CATALOG;
    let (tests, workflows): (Vec<_>, Vec<_>) =
        files.iter().cloned().partition(|(file, _)| file.ends_with(".test.yaml"));
    let outcomes = parse_all(&workflows, catalog);
    let mut found: Vec<Diagnostic> = Vec::new();
    let mut definitions: Vec<(&Definition, &str)> = Vec::new();
    for ((file, _), (definition, diagnostics)) in workflows.iter().zip(&outcomes) {
        found.extend(diagnostics.iter().cloned());
        definitions.extend(definition.as_ref().map(|definition| (definition, file.as_str())));
    }
    let beside: BTreeMap<String, Option<Definition>> = definitions
        .iter()
        .map(|(definition, _)| (definition.name.clone(), Some(Definition::clone(definition))))
        .collect();
    for (file, source) in &tests {
        let context = TestContext { catalog, workflows: &beside, zone: &TimeZone::UTC };
        found.extend(parse_test(file, source, context).1);
    }
    found.extend(check_together(&definitions, catalog));
    let source = |file: &str| files.iter().find(|(name, _)| name == file);
    found
        .into_iter()
        .map(|found| {
            let source = source(&found.file).map_or_else(String::new, |(_, source)| source.clone());
            (found, source)
        })
        .collect()
}

/// The parts of a page around its blocks: what stands before each, and each.
fn blocks<'p>(page: &'p str, kind: &str) -> Vec<&'p str> {
    let begin = format!("```{kind}\n");
    page.split(&begin).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn every_code_has_a_page_that_tells_the_truth() {
    for entry in CODES {
        let file = folder().join(format!("{}.md", entry.code));
        let page = std::fs::read_to_string(&file)
            .unwrap_or_else(|_| panic!("{} has no page in docs/errors", entry.code));
        assert!(
            page.starts_with(&format!("# {}: {}\n", entry.code, entry.meaning)),
            "{}",
            entry.code
        );
        let [example, mended] = blocks(&page, "yaml")[..] else {
            panic!("the page of {} has an example and the same mended", entry.code)
        };
        let found = told(&files(example));
        assert!(!found.is_empty(), "the example of {} yields nothing", entry.code);
        let mut printed = String::new();
        assert!(found.iter().any(|(found, _)| found.code == entry.code), "{:?}", found[0].0);
        for (found, source) in &found {
            // A blueprint that has errors has them in its own file.
            let is_cause = entry.code == "R505" && found.file == "renewal.yaml";
            assert!(found.code == entry.code || is_cause, "{}: {}", entry.code, found.message);
            printed.push_str(&render(std::slice::from_ref(found), source, false));
        }
        let rest = told(&files(mended));
        assert!(rest.is_empty(), "the mended example of {} yields {:?}", entry.code, rest[0].0);
        let [said] = blocks(&page, "text")[..] else { panic!("{} says what is told", entry.code) };
        let printed = printed.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        let fresh = page.replacen(
            &format!("```text\n{said}```"),
            &format!("```text\n{}\n```", printed.trim_end()),
            1,
        );
        expect_file![file].assert_eq(&fresh);
        assert_eq!(
            explain_page(entry.code),
            Some(page.as_str()),
            "{} is in src/pages.rs",
            entry.code
        );
    }
}

#[test]
fn the_index_has_every_code() {
    let mut index = "# What `relata check` tells\n\nEach error and each warning has a code. Its page says what it means, gives an\nexample, and the mend; `relata explain R102` prints it.\n".to_owned();
    let parts = [
        ("R0", "The file"),
        ("R1", "Names"),
        ("R2", "Values"),
        ("R3", "Steps and conditions"),
        ("R4", "Time"),
        ("R5", "Several workflows"),
        ("R6", "Formulas"),
        ("R7", "Tests"),
    ];
    for (prefix, title) in parts {
        let _ = write!(index, "\n## {title}\n\n| | |\n|---|---|\n");
        for entry in CODES.iter().filter(|entry| entry.code.starts_with(prefix)) {
            let meaning = entry.meaning.replace('|', "\\|");
            let _ = writeln!(index, "| [{0}]({0}.md) | {meaning} |", entry.code);
        }
    }
    expect_file![folder().join("README.md")].assert_eq(&index);
    for entry in CODES {
        assert!(index.contains(&format!("({}.md)", entry.code)), "{} has no part", entry.code);
    }
}

/// A page of a code that is gone is gone, too.
#[test]
fn no_page_is_left_over() {
    let known = |name: &str| name == "README" || CODES.iter().any(|entry| entry.code == name);
    for entry in std::fs::read_dir(folder()).expect("the folder of pages") {
        let path = entry.expect("a page").path();
        let name = path.file_stem().expect("a name").to_string_lossy();
        assert!(known(&name), "{} is the page of no code", path.display());
    }
    assert_eq!(explain_page("r102"), explain_page("R102"));
    assert_eq!(explain_page("R999"), None);
}

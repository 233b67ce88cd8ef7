//! What the tree holds, and what it must not.

use std::path::{Path, PathBuf};

/// All that may stand at the top. A new room is a decision: it gets a line here
/// and one in docs/ARCHITECTURE.md.
const TOP: &[&str] = &[
    // Rooms.
    "docs",
    "fuzz",
    "host",
    "plugin-sdk",
    "plugins",
    "tests",
    "wit",
    "workflows",
    "xtask",
    // What people read first.
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    // What tools look for here.
    ".cargo",
    ".ci",
    ".editorconfig",
    ".gitattributes",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "clippy.toml",
    "deny.toml",
    "rustfmt.toml",
];

/// A Rust file longer than this is split by noun.
const LINES: usize = 800;

/// Names that say nothing of what is inside, so that everything ends up there.
const NAMELESS: &[&str] = &["common", "helper", "helpers", "misc", "util", "utils"];

#[test]
fn the_top_level_holds_only_the_rooms() {
    let ignored = ignored_at_the_top();
    let mut strange: Vec<String> = entries(root())
        .iter()
        .map(|path| name(path).to_owned())
        .filter(|name| name != ".git" && !ignored.contains(name) && !TOP.contains(&name.as_str()))
        .collect();
    strange.sort();
    assert!(
        strange.is_empty(),
        "the top level of the tree holds {}: put it in a room, in .gitignore, or in TOP of tests/tests/tree.rs",
        strange.join(", ")
    );
}

#[test]
fn no_rust_file_is_longer_than_it_may_be() {
    check(|path, text| {
        let lines = text.lines().count();
        (lines > LINES).then(|| {
            format!("{}: {lines} lines, more than {LINES}: split it by noun", path.display())
        })
    });
}

#[test]
fn every_file_is_named_after_what_it_holds() {
    check(|path, _| {
        let nameless =
            path.iter().filter_map(|part| part.to_str()).map(|part| part.trim_end_matches(".rs"));
        let nameless = nameless.into_iter().find(|part| NAMELESS.contains(part))?;
        Some(format!("{}: `{nameless}` says nothing; name it after what it holds", path.display()))
    });
}

#[test]
fn nothing_is_left_undone_or_switched_off() {
    // Put together here, or this file would find itself.
    let marks = [
        (concat!("todo", "!("), "finish it"),
        (concat!("unimplemented", "!("), "finish it"),
        (concat!("#[", "ignore"), "mend the test or delete it"),
    ];
    check(|path, text| {
        for (number, line) in text.lines().enumerate() {
            for (mark, mend) in marks {
                if line.contains(mark) {
                    return Some(format!("{}:{}: `{mark}`: {mend}", path.display(), number + 1));
                }
            }
        }
        None
    });
}

/// Asks `fault` of every Rust file of the tree, with its path from the root,
/// and fails with all that it found.
fn check(fault: impl Fn(&Path, &str) -> Option<String>) {
    let mut files = Vec::new();
    for entry in entries(root()) {
        if entry.is_dir() && TOP.contains(&name(&entry)) {
            rust_files(&entry, &mut files);
        }
    }
    assert!(files.len() > 10, "found only {} Rust files under {}", files.len(), root().display());
    let mut faults = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a Rust file is readable UTF-8");
        let path = file.strip_prefix(root()).expect("it was found under the root");
        faults.extend(fault(path, &text));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in entries(folder) {
        // What cargo builds lies in `target` folders, in the guests' own too.
        if entry.is_dir() && name(&entry) != "target" {
            rust_files(&entry, files);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            files.push(entry);
        }
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let read = read.unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()));
    read.into_iter().map(|entry| entry.path()).collect()
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// The names that .gitignore gives for the top level: `/target` and the like.
fn ignored_at_the_top() -> Vec<String> {
    let text = std::fs::read_to_string(root().join(".gitignore")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.strip_prefix('/'));
    lines.map(|line| line.trim_end_matches('/').to_owned()).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace")
}

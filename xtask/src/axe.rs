//! axe-core, which judges the accessibility of pages: a script that the browser
//! tests give their pages, in a folder of its own below `target/`, in the version
//! that their `package-lock.json` pins by its hash.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cargo;

/// What is wanted, and in which version.
const WANTED: [(&str, &str); 2] = [
    ("package.json", include_str!("../../tests/tests/browser/package.json")),
    ("package-lock.json", PINNED),
];
const PINNED: &str = include_str!("../../tests/tests/browser/package-lock.json");

/// Where it lies.
fn folder() -> PathBuf {
    cargo::target().join("axe-core")
}

/// Says in its folder what was installed; written last.
fn note() -> PathBuf {
    folder().join("installed.json")
}

/// Whether it is there, in this version.
pub(crate) fn present() -> bool {
    fs::read_to_string(note()).is_ok_and(|text| text == PINNED)
}

/// Installs it.
///
/// # Errors
/// When npm is missing, or the package is not the one that was pinned.
pub(crate) fn install() -> Result<()> {
    let folder = folder();
    let write = |name: &str, text: &str| {
        let file = folder.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
    };
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (name, text) in WANTED {
        write(name, text)?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    // What npm prints belongs to the log, as with the other installers.
    npm.current_dir(&folder).stdout(std::io::stderr());
    cargo::run(&mut npm)?;
    write("installed.json", PINNED)
}

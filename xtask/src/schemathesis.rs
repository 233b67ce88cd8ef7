//! Schemathesis, which tries the API: a program in Python, in a folder of its
//! own below `target/`, in the versions that `schemathesis.txt` pins by hashes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cargo;

/// What is installed.
const PINNED: &str = include_str!("../schemathesis.txt");

/// Where it lies.
fn folder() -> PathBuf {
    cargo::target().join("schemathesis")
}

/// Says in its folder what was installed; written last.
fn note() -> PathBuf {
    folder().join("installed.txt")
}

/// Whether it is there, in these versions.
pub(crate) fn present() -> bool {
    fs::read_to_string(note()).is_ok_and(|text| text == PINNED)
}

/// Installs it.
///
/// # Errors
/// When Python is missing, or a package is not the one that was pinned.
pub(crate) fn install() -> Result<()> {
    let folder = folder();
    let pinned = cargo::root().join("xtask/schemathesis.txt");
    cargo::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let mut pip = Command::new(folder.join("bin/python3"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip.args(["--require-hashes", "--only-binary", ":all:", "--requirement"]).arg(pinned);
    cargo::run(&mut pip)?;
    let note = note();
    fs::write(&note, PINNED).with_context(|| format!("cannot write {}", note.display()))
}

/// Tries the whole API for long, on PostgreSQL.
pub(crate) fn fuzz(examples: u32, seed: u32) -> Command {
    let mut run = cargo::locked(&["test", "--workspace", "--test", "api", "--"]);
    run.args(["the_api_answers_as_it_is_described_on_postgres", "--nocapture"]);
    run.env("RELATA_FUZZ_EXAMPLES", examples.to_string());
    run.env("RELATA_FUZZ_SEED", seed.to_string());
    run
}

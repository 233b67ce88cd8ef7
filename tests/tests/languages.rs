//! One plugin in four languages: each is built with `relata plugin build`, and
//! passes the same cases, the faults that `relata plugin test` adds included.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::path::PathBuf;
use std::process::Command;

use relata_tests::{program, root};
use serde_json::Value as Json;

/// Builds the example of a language and plays its tests.
fn built_and_tested(language: &str) {
    let folder = root().join("plugin-sdk/examples").join(format!("enrich-{language}"));
    succeeds(Command::new(program()).args(["plugin", "build"]).arg(&folder));
    let told = succeeds(Command::new(program()).args(["plugin", "test", "--json"]).arg(&folder));
    let report: Json = serde_json::from_str(&told).unwrap();
    let count = |what: &str| report[what].as_u64().unwrap();
    // Else a test file that is not found would be a success.
    assert_eq!((count("cases"), count("failed"), count("broken")), (10, 0, 0), "{told}");
    assert!(count("faults") >= 40, "{told}");
}

/// What a command prints, if it succeeds.
fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (told, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{told}{errors}");
    told.into_owned()
}

/// The folder of an SDK.
fn sdk(language: &str) -> PathBuf {
    root().join("plugin-sdk").join(language)
}

#[test]
fn rust() {
    built_and_tested("rust");
}

#[test]
fn javascript() {
    let sdk = sdk("javascript");
    if !sdk.join("node_modules/typescript").exists() {
        succeeds(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&sdk));
    }
    succeeds(Command::new("npm").arg("test").current_dir(&sdk));
    // Its set-up takes what only these tests need out of that folder again.
    built_and_tested("javascript");
}

#[test]
fn python() {
    succeeds(Command::new("python3").args(["-m", "unittest"]).current_dir(sdk("python")));
    built_and_tested("python");
}

#[test]
fn c() {
    succeeds(Command::new("make").arg("test").current_dir(sdk("c")));
    built_and_tested("c");
}

//! The test runner.

use std::env;
use std::process::Command;

use anyhow::Result;

use crate::cargo;

/// Runs every test of the workspace. The examples in the documentation come
/// first, so that the last lines are the runner's count of the tests.
///
/// # Errors
/// When a test fails or the workspace does not build.
pub(crate) fn all() -> Result<()> {
    if nextest() {
        cargo::run(&mut cargo::locked(&[
            "test",
            "--quiet",
            "--doc",
            "--workspace",
        ]))?;
    }
    // Without nextest, `cargo test` runs the examples itself.
    cargo::run(&mut runner(&[]))
}

/// The runner over the whole workspace: nextest where it is installed, which
/// runs the tests of all packages side by side.
pub(crate) fn runner(arguments: &[String]) -> Command {
    let mut runner = if nextest() {
        let mut nextest = cargo::locked(&[
            "nextest",
            "run",
            "--workspace",
            "--config-file",
            "xtask/nextest.toml",
        ]);
        if env::var_os("CI").is_some() {
            nextest.arg("--no-fail-fast");
        }
        nextest
    } else {
        let mut test = cargo::locked(&["test", "--workspace"]);
        if env::var_os("CI").is_some() {
            test.arg("--no-fail-fast");
        }
        test
    };
    runner.args(arguments);
    runner
}

fn nextest() -> bool {
    cargo::on_path("cargo-nextest")
}

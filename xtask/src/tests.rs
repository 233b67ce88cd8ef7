//! The test runner.

use std::env;
use std::process::Command;

use anyhow::Result;

use crate::cargo;

/// Runs every test of the workspace. The examples in the documentation come
/// first, so that the last lines are the runner's count of the tests; where they
/// fail, the tests run all the same.
///
/// # Errors
/// When an example or a test fails, or the workspace does not build.
pub(crate) fn all() -> Result<()> {
    let examples = if nextest() {
        cargo::run(&mut cargo::locked(&["test", "--quiet", "--doc", "--workspace"]))
    } else {
        // `cargo test` runs them itself.
        Ok(())
    };
    let tests = cargo::run(&mut runner(&[]));
    crate::postgres::stop_shared();
    tests?;
    examples
}

/// The runner over the whole workspace, or over the packages that `arguments`
/// name: nextest where it is installed, which runs the tests of all packages
/// side by side.
pub(crate) fn runner(arguments: &[String]) -> Command {
    let mut runner = if nextest() {
        cargo::locked(&["nextest", "run", "--config-file", "xtask/nextest.toml"])
    } else {
        cargo::locked(&["test"])
    };
    let names_a_package =
        |argument: &String| argument.starts_with("-p") || argument.starts_with("--package");
    if !arguments.iter().any(names_a_package) {
        runner.arg("--workspace");
    }
    if env::var_os("CI").is_some() {
        runner.arg("--no-fail-fast");
    }
    runner.args(arguments);
    runner
}

fn nextest() -> bool {
    cargo::on_path("cargo-nextest")
}

//! The program `relata`, as the tests run it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use serde_json::Value as Json;

/// Where the program lies: beside the tests, as cargo builds all of the
/// workspace into one folder. Where only the tests were built, it is built
/// now.
///
/// # Panics
///
/// Where it cannot be built.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let own = std::env::current_exe().expect("a test knows its own file");
        // target/debug/deps/demo-0123 -> target/debug/relata, and a program of
        // the tests lies beside it.
        let folder = own.parent().expect("a test lies in target/PROFILE/deps");
        let folder = if folder.ends_with("deps") { folder.parent() } else { Some(folder) };
        let folder = folder.expect("a test lies in target/PROFILE/deps");
        let program = folder.join(format!("relata{}", std::env::consts::EXE_SUFFIX));
        if !program.is_file() {
            build();
        }
        assert!(
            program.is_file(),
            "there is no {}; run `cargo build -p relata-cli`",
            program.display()
        );
        program
    })
}

#[expect(clippy::disallowed_methods, reason = "a test asks who runs it, as a build script does")]
fn build() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "-p", "relata-cli"]).current_dir(root());
    // What cargo says of this test's package must not make others rebuild.
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR")
        {
            build.env_remove(name);
        }
    }
    let built = build.status().expect("cargo can be started");
    assert!(built.success(), "`cargo build -p relata-cli` failed");
}

/// The root of the workspace.
///
/// # Panics
///
/// Never: the tests lie in it.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace")
}

/// A file of `tests/data/`.
pub fn data(name: &str) -> PathBuf {
    root().join("tests/data").join(name)
}

/// Runs the program with `--json`, from the root of the workspace.
///
/// # Panics
///
/// Where it cannot be started.
pub fn run(arguments: &[&str]) -> Output {
    Command::new(program())
        .args(arguments)
        .arg("--json")
        .current_dir(root())
        .output()
        .expect("the program can be started")
}

/// What the program answers.
///
/// # Panics
///
/// Where it fails, or answers no JSON.
pub fn answer(arguments: &[&str]) -> Json {
    let ended = run(arguments);
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(
        ended.status.success(),
        "relata {} ended with {}: {said}",
        arguments.join(" "),
        ended.status
    );
    serde_json::from_slice(&ended.stdout).unwrap_or_else(|why| {
        panic!("relata {} answered no JSON ({why}): {said}", arguments.join(" "))
    })
}

//! Running cargo, and other programs, from a program that cargo itself started.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().expect("xtask/ lies in the workspace")
}

/// Where builds leave what they make.
pub(crate) fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// The program `relata` that a build in `profile` ("debug" or "release") leaves.
pub(crate) fn built(profile: &str) -> PathBuf {
    target().join(profile).join(format!("relata{}", env::consts::EXE_SUFFIX))
}

/// The cargo that started us, to be run in the root of the workspace.
///
/// `cargo run` describes xtask's own package in variables such as
/// `CARGO_PKG_NAME`. Build scripts of some crates (ring's) ask to be run again
/// when these change, so a build from here and one from the shell would undo
/// each other: they are taken out.
pub(crate) fn command() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        let describes_xtask = name.starts_with("CARGO_PKG_")
            || matches!(
                name,
                "CARGO"
                    | "CARGO_MANIFEST_DIR"
                    | "CARGO_MANIFEST_PATH"
                    | "CARGO_BIN_NAME"
                    | "CARGO_CRATE_NAME"
                    | "CARGO_PRIMARY_PACKAGE"
            );
        if describes_xtask {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Cargo as CI runs it: what is in `Cargo.lock` is what is built.
pub(crate) fn locked(arguments: &[&str]) -> Command {
    let mut cargo = command();
    cargo.args(arguments);
    if env::var_os("CI").is_some() {
        cargo.arg("--locked");
    }
    cargo
}

/// Runs a program to its end.
///
/// # Errors
/// When it cannot be started or does not exit with 0; the message names it.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs a program whose exit code is our own answer.
///
/// # Errors
/// When it cannot be started, or was ended by a signal.
pub(crate) fn exit_code(command: &mut Command) -> Result<ExitCode> {
    let status = command.status().with_context(|| format!("cannot start `{}`", shown(command)))?;
    match status.code() {
        Some(code) => Ok(ExitCode::from(u8::try_from(code).unwrap_or(1))),
        None => bail!("`{}` was ended ({status})", shown(command)),
    }
}

/// A program and its arguments, as a person would type them.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let mut line = program.to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

/// Whether a program of this name is on the `PATH`.
pub(crate) fn on_path(program: &str) -> bool {
    let Some(path) = env::var_os("PATH") else {
        return false;
    };
    env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

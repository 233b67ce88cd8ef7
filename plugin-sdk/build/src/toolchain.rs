//! Which compiler can build for WebAssembly on this machine.
//!
//! Only looked up, never installed: a build script must not change the
//! machine. `cargo xtask build` installs what is missing and then asks again.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The target that plugins are compiled for. Its standard library imports
/// nothing, so a plugin can do only what the contract lets it do.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// The oldest compiler that can build the plugins, as in the workspace's
/// `rust-version`.
const OLDEST: (u32, u32) = (1, 95);

/// A compiler that can build for [`TARGET`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// The cargo to call.
    pub cargo: PathBuf,
    /// The rustc that cargo must use.
    pub rustc: PathBuf,
    /// Whether the standard library has to be compiled too, because the
    /// toolchain has only its source (Debian's `rust-web-src`).
    pub build_std: bool,
    /// Whether it is the toolchain that runs now, and not the system's.
    pub active: bool,
}

/// There is no compiler for WebAssembly here.
#[derive(Debug, thiserror::Error)]
#[error(
    "no Rust compiler for {TARGET} was found, and the plugins need one.\n\
     Run `cargo xtask build` (or `cargo xtask test`): it sets one up.\n\
     Looked at:\n{}",
    .tried.iter().map(|line| format!("  - {line}\n")).collect::<String>().trim_end()
)]
pub struct MissingToolchain {
    /// What was looked at, and what it lacked: one line each.
    pub tried: Vec<String>,
}

/// Finds a compiler, in this order:
///
/// 1. the active toolchain, if it has the target;
/// 2. the system's (`/usr/bin/rustc`, `/usr/bin/cargo`), with the target, or
///    with the source of the standard library.
///
/// Never calls rustup and never downloads anything.
pub fn toolchain() -> Result<Toolchain, MissingToolchain> {
    let mut tried = Vec::new();
    for find in [active, system] {
        match find() {
            Ok(toolchain) => return Ok(toolchain),
            Err(lack) => tried.push(lack),
        }
    }
    Err(MissingToolchain { tried })
}

/// The toolchain that runs this program: under cargo it is named by `CARGO`
/// and `RUSTC`, otherwise it is the one on the PATH.
#[allow(clippy::disallowed_methods, reason = "cargo names its toolchain in variables only")]
fn active() -> Result<Toolchain, String> {
    let rustc = std::env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
    let sysroot = sysroot(&rustc)?;
    if !library(&sysroot).is_dir() {
        return Err(format!("the active toolchain in {} has no {TARGET}", sysroot.display()));
    }
    let installed = |name: &str| {
        let path = sysroot.join("bin").join(name);
        path.is_file().then_some(path)
    };
    Ok(Toolchain {
        cargo: std::env::var_os("CARGO")
            .map(PathBuf::from)
            .or_else(|| installed("cargo"))
            .unwrap_or_else(|| PathBuf::from("cargo")),
        rustc: installed("rustc").unwrap_or(rustc),
        build_std: false,
        active: true,
    })
}

/// The compiler that the system's package manager installs.
fn system() -> Result<Toolchain, String> {
    let rustc = PathBuf::from("/usr/bin/rustc");
    let cargo = PathBuf::from("/usr/bin/cargo");
    for program in [&rustc, &cargo] {
        if !program.is_file() {
            return Err(format!("{} is not installed", program.display()));
        }
    }
    let version = run(&rustc, "--version")?;
    match parse_version(&version) {
        Some(found) if found >= OLDEST => {}
        _ => {
            return Err(format!(
                "{} is {}, older than the {}.{} that the plugins need",
                rustc.display(),
                version.trim(),
                OLDEST.0,
                OLDEST.1
            ));
        }
    }
    let sysroot = sysroot(&rustc)?;
    let build_std = !library(&sysroot).is_dir();
    let source = sysroot.join("lib/rustlib/src/rust/library/Cargo.lock");
    if build_std && !source.is_file() {
        return Err(format!(
            "{} has neither {TARGET} nor the source of the standard library (Debian: rust-web-src)",
            rustc.display()
        ));
    }
    Ok(Toolchain { cargo, rustc, build_std, active: false })
}

fn library(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib").join(TARGET).join("lib")
}

fn sysroot(rustc: &Path) -> Result<PathBuf, String> {
    Ok(PathBuf::from(run(rustc, "--print=sysroot")?.trim_end()))
}

fn run(rustc: &Path, argument: &str) -> Result<String, String> {
    let output = Command::new(rustc)
        .arg(argument)
        // A proxy of rustup must not begin to fetch a toolchain.
        .env("RUSTUP_AUTO_INSTALL", "0")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{} could not be started: {error}", rustc.display()))?;
    if !output.status.success() {
        return Err(format!(
            "{} {argument} failed: {}",
            rustc.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `rustc 1.96.0 (…)` to (1, 96).
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split_whitespace().nth(1)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(parse_version("rustc 1.96.0 (ac68faa20 2026-05-25)"), Some((1, 96)));
        assert_eq!(parse_version("rustc 1.97.0-nightly (x)"), Some((1, 97)));
        assert_eq!(parse_version("rustc"), None);
        assert!((1, 63) < OLDEST);
    }

    #[test]
    fn the_error_says_what_to_run() {
        let error = MissingToolchain { tried: vec!["/usr/bin/rustc is not installed".to_owned()] };
        expect_test::expect![[r#"
            no Rust compiler for wasm32-unknown-unknown was found, and the plugins need one.
            Run `cargo xtask build` (or `cargo xtask test`): it sets one up.
            Looked at:
              - /usr/bin/rustc is not installed"#]]
        .assert_eq(&error.to_string());
    }
}

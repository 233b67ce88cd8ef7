//! The environment of the inner cargo.
//!
//! An outer cargo tells its build scripts hundreds of things through
//! variables: its compiler, its flags, its job server. Handed on, they would
//! make the inner cargo compile for the wrong machine with the wrong compiler.

use std::process::Command;

use crate::Toolchain;

/// Of cargo's own variables these stay: where it keeps and fetches crates.
const KEPT: [&str; 8] = [
    "CARGO_HOME",
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_SOURCE_",
    "CARGO_TERM_",
    "CARGO_BUILD_JOBS",
];

/// Others that an outer cargo, or a user for the host's own build, has set.
const REMOVED: [&str; 13] = [
    "DEBUG",
    "HOST",
    "LD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
    "MAKEFLAGS",
    "MFLAGS",
    "NUM_JOBS",
    "OPT_LEVEL",
    "OUT_DIR",
    "PROFILE",
    "RUSTFLAGS",
    "RUSTDOCFLAGS",
    "TARGET",
];

/// Takes the outer cargo's variables away and names the toolchain.
pub(crate) fn prepare(command: &mut Command, toolchain: &Toolchain) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| inherited(name, toolchain.active)) {
            command.env_remove(name);
        }
    }
    command.env("RUSTC", &toolchain.rustc).env("RUSTUP_AUTO_INSTALL", "0");
    if toolchain.build_std {
        // Debian's cargo is a stable release: without this it refuses -Z.
        command.env("RUSTC_BOOTSTRAP", "1");
    }
}

fn inherited(name: &str, active: bool) -> bool {
    if name == "RUSTUP_TOOLCHAIN" {
        return !active;
    }
    if name == "CARGO" || name.starts_with("CARGO_") {
        return !KEPT.iter().any(|kept| name.starts_with(kept));
    }
    REMOVED.contains(&name) || name == "RUSTC" || name.starts_with("RUSTC_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_outer_cargo_says_is_taken_away() {
        let removed = [
            "CARGO",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_MAKEFLAGS",
            "CARGO_MANIFEST_DIR",
            "CARGO_TARGET_DIR",
            "CARGO_PROFILE_RELEASE_LTO",
            "CARGO_INCREMENTAL",
            "RUSTC",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "RUSTFLAGS",
            "RUSTUP_TOOLCHAIN",
            "TARGET",
        ];
        for name in removed {
            assert!(inherited(name, false), "{name} should be removed");
        }
        let kept = [
            "PATH",
            "HOME",
            "CARGO_HOME",
            "CARGO_HTTP_CAINFO",
            "CARGO_REGISTRIES_MINE_INDEX",
            "RUSTUP_HOME",
            "HTTPS_PROXY",
        ];
        for name in kept {
            assert!(!inherited(name, false), "{name} should stay");
        }
        assert!(!inherited("RUSTUP_TOOLCHAIN", true));
    }
}

//! Compiles the guests of `tests/guests/` for the tests.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use relata_plugin_build::{Request, build, exit_code};

fn main() -> ExitCode {
    exit_code(run())
}

#[allow(clippy::disallowed_methods, reason = "cargo names the directory in a variable only")]
fn run() -> Result<(), Box<dyn std::error::Error>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    for input in ["tests/guests", "plugin-sdk/src", "plugin-sdk/Cargo.toml", "wit", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", workspace.join(input).display());
    }
    let built = build(&Request {
        packages: ["relata-guest-hostile", "relata-guest-echo", "relata-guest-web"]
            .map(str::to_owned)
            .to_vec(),
        // Not the target directory of the cargo that runs this: it holds that
        // one's lock until we are done.
        target_dir: workspace.join("target/guests"),
        workspace,
        locked: true,
    })?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    for guest in built {
        std::fs::copy(&guest.component, out.join(&guest.name).with_extension("wasm"))?;
    }
    Ok(())
}

//! Compiles every plugin of `plugins/`, collects what a new plugin begins with,
//! and writes tables of both for `lib.rs`.

#![allow(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]

mod languages;
mod lock;
mod manifest;
mod plugins;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    relata_plugin_build::exit_code(run())
}

#[allow(clippy::disallowed_methods, reason = "cargo names the directory in a variable only")]
fn run() -> Result<(), Box<dyn std::error::Error>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    plugins::write(&workspace, &out)?;
    languages::write(&workspace, &out)
}

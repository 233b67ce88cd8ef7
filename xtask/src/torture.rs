//! A company under torture: builds what it needs, and starts it.

use std::process::{Command, ExitCode};
use std::time::SystemTime;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::cargo;

/// In which database the company lies.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    /// A file in its data directory, and one host.
    Sqlite,
    /// A server, and three hosts. Without a URL it is one of our own, which crashes as
    /// well.
    Postgres,
}

/// Tortures a company for some minutes. Without a seed, one is drawn.
///
/// # Errors
/// When something does not build or start. What was found shows in the exit
/// code.
pub(crate) fn run(
    minutes: f64,
    seed: Option<u64>,
    backend: Backend,
    database_url: Option<String>,
) -> Result<ExitCode> {
    let seed = match seed {
        Some(seed) => seed,
        None => u64::from(
            SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .context("the clock stands before 1970")?
                .subsec_nanos(),
        ),
    };
    let bins = ["--bin", "relata", "--bin", "torture"];
    let packages = ["-p", "relata-cli", "-p", "relata-tests"];
    cargo::run(cargo::locked(&["build"]).args(packages).args(bins))?;
    let program = cargo::built("debug").with_file_name("torture");
    let mut torture = Command::new(program);
    torture.args([minutes.to_string(), seed.to_string()]).current_dir(cargo::root());
    match (backend, database_url) {
        (Backend::Sqlite, _) => torture.arg("sqlite"),
        (Backend::Postgres, url) => torture.arg(url.as_deref().unwrap_or("postgres")),
    };
    cargo::exit_code(&mut torture)
}

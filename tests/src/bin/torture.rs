//! `cargo xtask torture`: a company under torture, for as long as one likes.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it tells what it found")]

use std::{process::ExitCode, sync::Arc, time::Duration};

use relata_tests::{
    Backend, Moods, Postgres,
    torture::{Plan, torture},
};

/// How it is called; `cargo xtask torture` does so.
const USAGE: &str = "torture MINUTES SEED [sqlite | postgres | postgres://…]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(plan) = plan(&arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::FAILURE;
    };
    match carried_out(&plan) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("seed {}: {why}", plan.seed);
            ExitCode::FAILURE
        }
    }
}

fn plan(arguments: &[String]) -> Option<Plan> {
    let [minutes, seed, backend @ ..] = arguments else { return None };
    let (backend, server) = match backend {
        [] => (Backend::Sqlite, None),
        [word] if word == "sqlite" => (Backend::Sqlite, None),
        // A server of ours, which crashes as well.
        [word] if word == "postgres" => {
            let server = Arc::new(Postgres::own());
            server.sql("CREATE DATABASE torture");
            (Backend::Postgres { url: server.url("torture") }, Some(server))
        }
        [url] => (Backend::Postgres { url: url.clone() }, None),
        _ => return None,
    };
    let minutes: f64 = minutes.parse().ok()?;
    let length = Duration::try_from_secs_f64(minutes * 60.0).ok()?;
    Some(Plan {
        seed: seed.parse().ok()?,
        length,
        backend,
        server,
        hosts: 3,
        pause: Duration::from_secs(4),
        past_the_lease: length > Duration::from_secs(180),
        moods: Moods { slow: 10, refuses: 8, hangs_up_after: 2, hangs_up_before: 2 },
    })
}

fn carried_out(plan: &Plan) -> Result<bool, String> {
    let folder = tempfile::tempdir().map_err(|why| why.to_string())?;
    println!("seed {}, in {}", plan.seed, folder.path().display());
    let report = torture(plan, folder.path())?;
    println!("{report}");
    if !report.faults.is_empty() {
        println!("what the hosts logged is left in {}", folder.keep().display());
        return Ok(false);
    }
    Ok(true)
}

//! Lives many lives of several faulty hosts on one database, each of its own
//! seed, and stops at the first that breaks a promise, with all that happened
//! in it:
//!
//! ```text
//! cargo run --release -p relata-engine --example simulate -- [SEEDS] [FIRST]
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it tells what it found")]

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/cluster/mod.rs"]
mod cluster;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/rig/mod.rs"]
mod rig;

use std::{
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use cluster::{Found, Tally, live};

/// After how many lives it tells how far it is.
const TELLS: u64 = 10_000;

fn main() -> ExitCode {
    let numbers: Option<Vec<u64>> = std::env::args().skip(1).map(|it| it.parse().ok()).collect();
    let (seeds, first) = match numbers.as_deref() {
        Some([]) => (100_000, 0),
        Some([seeds]) => (*seeds, 0),
        Some([seeds, first]) => (*seeds, *first),
        _ => {
            eprintln!("simulate [SEEDS] [FIRST]: how many lives, and the seed of the first");
            return ExitCode::FAILURE;
        }
    };
    // What a life finds is told at the end, with its seed.
    std::panic::set_hook(Box::new(|_| {}));
    let next = AtomicU64::new(first);
    let end = first.saturating_add(seeds);
    let failed: Mutex<Option<(u64, Box<Found>)>> = Mutex::default();
    let tally: Mutex<Tally> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    if seed > first && (seed - first).is_multiple_of(TELLS) {
                        println!("{} of {seeds} lives", seed - first);
                    }
                    match live(seed, None) {
                        Ok(counted) => {
                            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                            for (what, count) in counted {
                                *tally.entry(what).or_default() += count;
                            }
                        }
                        Err(found) => {
                            let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                            if failed.as_ref().is_none_or(|(other, _)| seed < *other) {
                                *failed = Some((seed, found));
                            }
                            next.store(end, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    if let Some((seed, found)) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        println!("{}", found.trace.join("\n"));
        println!("\nthe seed {seed} fails: {}", found.what);
        println!("again: cargo xtask simulate --seeds 1 --seed {seed}");
        return ExitCode::FAILURE;
    }
    for (what, count) in tally.into_inner().unwrap_or_else(PoisonError::into_inner) {
        println!("{count:>9}  {what}");
    }
    println!("{seeds} lives from seed {first} on, and no promise broken");
    ExitCode::SUCCESS
}

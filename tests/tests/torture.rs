//! A short torture, for every run of the tests; `cargo xtask torture` goes on
//! for as long as one likes.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test tells its figures")]

use std::time::Duration;

use relata_tests::{
    Backend, Moods,
    torture::{Plan, torture},
};

#[test]
fn a_company_under_torture_loses_nothing_and_does_nothing_twice() {
    let seed = fastrand::u64(..);
    println!("seed {seed}; again: cargo xtask torture --minutes 0.2 --seed {seed}");
    let plan = Plan {
        seed,
        length: Duration::from_secs(12),
        backend: Backend::Sqlite,
        server: None,
        hosts: 1,
        pause: Duration::from_millis(1_500),
        past_the_lease: false,
        moods: Moods { slow: 10, refuses: 3, hangs_up_after: 4, hangs_up_before: 4 },
    };
    let folder = tempfile::tempdir().unwrap();
    let report = torture(&plan, folder.path()).unwrap();
    println!("{report}");
    if !report.faults.is_empty() {
        let kept = folder.keep();
        panic!("promises were broken; what the hosts logged is in {}", kept.display());
    }
    let done = &report.done;
    assert!(done.kills > 1 && done.kills + done.restarts + done.stops > 4, "{done:?}");
}

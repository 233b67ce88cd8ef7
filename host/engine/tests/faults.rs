//! Several hosts on one database, all of them faulty: a thousand lives, each
//! of its own seed. `cargo xtask simulate` lives as many as one likes.

use crate::cluster::{Bug, Tally, live, trace};

/// How many lives `cargo test` lives.
const SEEDS: u64 = 500;

/// Within how many lives a planted bug has to be found.
const SOON: u64 = 1_000;

#[test]
fn whatever_befalls_the_hosts_nothing_is_lost_and_nothing_happens_twice() {
    let mut tally = Tally::new();
    for seed in 0..SEEDS {
        match live(seed, None) {
            Ok(counted) => {
                for (what, count) in counted {
                    *tally.entry(what).or_default() += count;
                }
            }
            Err(found) => {
                panic!("the seed {seed} fails: {}\n{}", found.what, found.trace.join("\n"))
            }
        }
    }
    // The lives differ enough to say something.
    assert!(tally.len() == 27 && tally.values().all(|count| *count > 2), "{tally:#?}");
}

#[test]
fn a_seed_says_all() {
    for seed in 0..20 {
        let first = trace(seed);
        assert!(first.len() > 50, "{first:#?}");
        assert!(first == trace(seed), "the seed {seed} makes two lives");
    }
}

#[test]
fn each_planted_bug_is_found_and_called_by_its_name() {
    for (bug, says) in Bug::ALL {
        let found = (0..SOON).find_map(|seed| Some((seed, live(seed, Some(bug)).err()?)));
        let Some((seed, found)) = found else { panic!("{bug:?} is not found") };
        let named = says.iter().any(|says| found.what.contains(says));
        assert!(named, "{bug:?}, seed {seed}: {}\n{}", found.what, found.trace.join("\n"));
    }
}

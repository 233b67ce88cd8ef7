//! How the time for checking a file grows with the file: 1,000 steps may take 12
//! times as long as 100, not 100 times.
//!
//! ```text
//! cargo run --release -p relata-workflow --example check_scaling
//! ```

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for the terminal")]

#[path = "../tests/catalog/mod.rs"]
mod catalog;

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use relata_workflow::{Catalog, parse};

/// How many steps the files have.
const SIZES: [usize; 3] = [100, 1_000, 10_000];

/// How much longer each size may take than the one before. Names are looked up
/// in a tree, which is a third deeper at 10,000 than at 1,000 (10 × 4/3), and by
/// then lies beside the processor's cache; no workflow is that long.
const MOST: [f64; 2] = [12.0, 16.0];

fn main() {
    let slow = check_scaling();
    assert!(
        slow.is_empty(),
        "more than {MOST:?} times as long for 10 times as much: {}",
        slow.join(", ")
    );
}

/// Checks files of each shape in each size, and prints how long it takes; the
/// names of the shapes whose time grows faster than it should.
fn check_scaling() -> Vec<&'static str> {
    let catalog = catalog::catalog();
    println!("{:<22}{:>12}{:>12}{:>12}   ratios", "", SIZES[0], SIZES[1], SIZES[2]);
    let mut slow = Vec::new();
    for (name, shape) in SHAPES {
        let times = SIZES.map(|size| time(&shape(size), &catalog));
        let ratios =
            [0, 1].map(|place| times[place + 1].as_secs_f64() / times[place].as_secs_f64());
        println!(
            "{name:<22}{:>10}µs{:>10}µs{:>10}µs   {:.1} {:.1}",
            times[0].as_micros(),
            times[1].as_micros(),
            times[2].as_micros(),
            ratios[0],
            ratios[1]
        );
        if ratios.iter().zip(MOST).any(|(ratio, most)| *ratio > most) {
            slow.push(*name);
        }
    }
    slow
}

/// How long one check takes: the shortest of several times, since nothing but
/// the machine makes one longer. What is short is repeated until it is long
/// enough to be measured.
fn time(source: &str, catalog: &Catalog) -> Duration {
    let first = several(source, catalog, 1);
    let enough = Duration::from_millis(30).as_nanos() / first.as_nanos().max(1);
    let count = u32::try_from(enough).unwrap_or(1).clamp(1, 1_000);
    let times = if source.len() > 200_000 { 3 } else { 7 };
    (0..times).map(|_| several(source, catalog, count)).min().unwrap()
}

/// The mean of so many checks.
#[expect(clippy::disallowed_methods, reason = "it measures how long something takes")]
fn several(source: &str, catalog: &Catalog, count: u32) -> Duration {
    let start = Instant::now();
    for _ in 0..count {
        std::hint::black_box(parse("big.yaml", source, catalog));
    }
    start.elapsed() / count
}

type Shape = fn(usize) -> String;

const SHAPES: &[(&str, Shape)] = &[
    ("waits", |count| steps(count, |_| "  - wait: 1 hour\n".to_owned())),
    ("named results", |count| {
        steps(count, |n| {
            format!("  - do: sentiment.score\n    text: =lead.name\n    as: mood_{n}\n")
        })
    }),
    ("branches", |count| {
        steps(count, |n| {
            format!(
                "  - if: lead.score == {n}\n    then:\n      - do: sentiment.score\n        text: =lead.name\n        as: mood_{n}\n"
            )
        })
    }),
    ("tests before", |count| {
        steps(count, |n| {
            format!(
                "  - do: route.by_skill\n    record: ticket/{n}\n    skills: [x]\n    as: agent_{n}\n  - stop_if: agent_{n}.user is empty\n"
            )
        })
    }),
    ("decisions", |count| {
        steps(count, |n| {
            format!(
                "  - decide: team_{n}\n    rows:\n      - if: lead.country == \"C{n}\"\n        use: dach\n      - use: enterprise\n"
            )
        })
    }),
    ("one decision", |count| {
        let rows = (0..count)
            .map(|n| format!("      - if: lead.country == \"C{n}\"\n        use: w{n}\n"));
        head(&format!(
            "  - decide: word\n    rows:\n{}      - use: other\n",
            rows.collect::<String>()
        ))
    }),
    ("one split", |count| {
        let share = 100.0 / count as f64;
        let arms = (0..count).map(|n| format!("      a{n}: {share}%\n"));
        head(&format!("  - split: word\n    arms:\n{}", arms.collect::<String>()))
    }),
    ("loops", |count| {
        steps(count, |n| {
            format!(
                "  - for_each: =default(lead.tags, [])\n    as: tag_{n}\n    steps:\n      - do: notify.role\n        role: sales-ops\n        text: \"{{{{ tag_{n} }}}}\"\n"
            )
        })
    }),
    ("one parallel", |count| {
        let branches = (0..count).map(|n| {
            format!("      - steps:\n          - do: sentiment.score\n            text: =lead.name\n            as: m{n}\n")
        });
        head(&format!("  - parallel:\n{}", branches.collect::<String>()))
    }),
    ("values set", |count| steps(count, |n| format!("  - set: {{ total_{n}: {n} }}\n"))),
    ("one set", |count| {
        let values = (0..count).map(|n| format!("      v{n}: {n}\n"));
        head(&format!("  - set:\n{}", values.collect::<String>()))
    }),
    ("one value many times", |count| steps(count, |n| format!("  - set: {{ total: {n} }}\n"))),
    ("levels", |count| {
        let levels = (1..=count.min(9_000)).map(|n| {
            format!("      - at: {n}%\n        do: notify.role\n        role: sales-ops\n        text: late\n")
        });
        head(&format!(
            "  - deadline: 4 hours\n    met_when: lead.owner is not empty\n    levels:\n{}",
            levels.collect::<String>()
        ))
    }),
    ("questions", |count| {
        steps(count, |n| format!("  - ask: sales-ops\n    question: ok?\n    as: answer_{n}\n"))
    }),
    ("one text", |count| {
        head(&format!(
            "  - do: notify.role\n    role: sales-ops\n    text: \"{}\"\n",
            "{{ lead.name }} and ".repeat(count)
        ))
    }),
    ("one formula", |count| {
        head(&format!("  - stop_if: {}\n", vec!["lead.country == \"DE\""; count].join(" or ")))
    }),
    ("one tested formula", |count| {
        let parts = (0..count).map(|n| format!("(lead.score is not empty and lead.score > {n})"));
        head(&format!("  - stop_if: {}\n", parts.collect::<Vec<_>>().join(" or ")))
    }),
    ("one list", |count| {
        let items = (0..count).map(|n| format!("\"C{n}\"")).collect::<Vec<_>>().join(", ");
        head(&format!("  - stop_if: 'lead.country in [{items}]'\n"))
    }),
    ("mistakes", |count| {
        steps(count, |n| format!("  - stop_if: lead.contry_{n} == nothing_{n}\n"))
    }),
    ("slips of YAML", |count| {
        steps(count, |n| format!("  - do: notify.role\n    role: sales-ops\n     text: a: {n}\n"))
    }),
    ("tabs", |count| steps(count, |_| "\t- wait:\t1 hour\n".to_owned())),
    ("open quotes", |count| steps(count, |_| "  - wait: \"1 hour\n".to_owned())),
    ("block texts", |count| {
        steps(count, |_| {
            "  - do: notify.role\n    role: sales-ops\n    text: |\n      Hello\n      {{ lead.name }}\n".to_owned()
        })
    }),
];

fn steps(count: usize, step: impl Fn(usize) -> String) -> String {
    head(&(0..count).map(step).collect::<String>())
}

fn head(steps: &str) -> String {
    let mut source = String::new();
    let _ = write!(source, "workflow: big\nwhen:\n  - created: lead\nsteps:\n{steps}");
    source
}

//! Half of the load that the host can bear, for a long time: whether its memory
//! and its answers stay as they are.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use crate::{
    company::Company,
    drive::{Driven, drive, pace},
};

/// How many connections drive.
const CONNECTIONS: usize = 64;

/// For how long all that the host can bear is measured.
const FULL: Duration = Duration::from_secs(15);

/// From one look to the next.
const LOOK: Duration = Duration::from_secs(60);

/// How many looks the first and the last part of it are.
const PART: usize = 5;

/// What one look saw.
struct Look {
    driven: Driven,
    rss_mib: f64,
    /// Of one core.
    cpu_percent: f64,
}

/// Drives at half of the full rate for so many minutes, and tells what each of
/// them was like: as a table, as a chart, and by how much the last ones differ from
/// the first.
pub(crate) async fn measure(company: &Company, minutes: u32) -> anyhow::Result<String> {
    let served = company.serve().await?;
    let records = company.records(&served).await?;
    let full = drive(&served, &company.secret, &records, CONNECTIONS, FULL).await?;
    let rate = full.per_second / 2.0;
    eprintln!("{:.0} runs/s at the most; {rate:.0} for {minutes} minutes …", full.per_second);
    let mut looks = Vec::new();
    for minute in 1..=minutes {
        let (cpu, began) = (served.cpu_seconds()?, Instant::now());
        let driven = pace(&served, &company.secret, &records, CONNECTIONS, rate, LOOK).await?;
        let cpu_percent = (served.cpu_seconds()? - cpu) / began.elapsed().as_secs_f64() * 100.0;
        let look = Look { driven, rss_mib: served.rss_mib()?, cpu_percent };
        eprintln!("{}", row(minute, &look));
        looks.push(look);
    }
    served.stop().await?;
    Ok(told(&looks, full.per_second))
}

fn row(minute: u32, look: &Look) -> String {
    let Driven { per_second, p50_ms, p99_ms } = look.driven;
    format!(
        "| {minute} | {per_second:.0} | {p50_ms:.1} | {p99_ms:.1} | {:.1} | {:.0} % |",
        look.rss_mib, look.cpu_percent
    )
}

fn told(looks: &[Look], full: f64) -> String {
    let mut text = format!(
        "{full:.0} runs/s at the most on {CONNECTIONS} connections; then half of that, a minute a row:\n\n\
         | minute | runs a second | half within, ms | 99 of 100 within, ms | memory, MiB | of a core |\n\
         |---|---|---|---|---|---|\n"
    );
    for (minute, look) in (1..).zip(looks) {
        text += &row(minute, look);
        text += "\n";
    }
    text += &chart("Memory, MiB", looks, |look| look.rss_mib);
    text += &chart("Half of the answers within, ms", looks, |look| look.driven.p50_ms);
    text += &chart("99 of 100 answers within, ms", looks, |look| look.driven.p99_ms);
    let part = PART.min(looks.len());
    let change = |of: fn(&Look) -> f64| {
        middle(&looks[looks.len() - part..], of) / middle(&looks[..part], of)
    };
    let _ = writeln!(
        text,
        "\nThe last {part} minutes against the first {part} (the middle of each): memory x {:.2}, \
         half of the answers x {:.2}, 99 of 100 x {:.2}.",
        change(|look| look.rss_mib),
        change(|look| look.driven.p50_ms),
        change(|look| look.driven.p99_ms)
    );
    text
}

/// A chart that Markdown shows (Mermaid's).
fn chart(title: &str, looks: &[Look], of: fn(&Look) -> f64) -> String {
    let values: Vec<String> = looks.iter().map(|look| format!("{:.1}", of(look))).collect();
    let most = looks.iter().map(of).fold(1.0_f64, f64::max).ceil();
    format!(
        "\n```mermaid\nxychart-beta\n  title \"{title}\"\n  x-axis \"minute\" 1 --> {}\n  \
         y-axis 0 --> {most}\n  line [{}]\n```\n",
        looks.len().max(2),
        values.join(", ")
    )
}

/// The middle one of a figure.
fn middle(looks: &[Look], of: fn(&Look) -> f64) -> f64 {
    let mut values: Vec<f64> = looks.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn minutes_are_told_as_a_table_and_as_charts() {
        let look = |rss_mib, p99_ms| Look {
            driven: Driven { per_second: 700.4, p50_ms: 3.0, p99_ms },
            rss_mib,
            cpu_percent: 61.0,
        };
        expect![[r#"
            1401 runs/s at the most on 64 connections; then half of that, a minute a row:

            | minute | runs a second | half within, ms | 99 of 100 within, ms | memory, MiB | of a core |
            |---|---|---|---|---|---|
            | 1 | 700 | 3.0 | 9.0 | 80.0 | 61 % |
            | 2 | 700 | 3.0 | 18.0 | 88.0 | 61 % |

            ```mermaid
            xychart-beta
              title "Memory, MiB"
              x-axis "minute" 1 --> 2
              y-axis 0 --> 88
              line [80.0, 88.0]
            ```

            ```mermaid
            xychart-beta
              title "Half of the answers within, ms"
              x-axis "minute" 1 --> 2
              y-axis 0 --> 3
              line [3.0, 3.0]
            ```

            ```mermaid
            xychart-beta
              title "99 of 100 answers within, ms"
              x-axis "minute" 1 --> 2
              y-axis 0 --> 18
              line [9.0, 18.0]
            ```

            The last 2 minutes against the first 2 (the middle of each): memory x 1.00, half of the answers x 1.00, 99 of 100 x 1.00.
        "#]]
        .assert_eq(&told(&[look(80.0, 9.0), look(88.0, 18.0)], 1_400.8));
        assert!(
            middle(&[look(2.0, 0.0), look(9.0, 0.0), look(1.0, 0.0)], |look| look.rss_mib) < 2.1
        );
    }
}

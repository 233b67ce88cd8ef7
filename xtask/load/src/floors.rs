//! The floors under the engine, measured in the same minutes on the same
//! machine, before the engine and after it: what its parts cost where nothing is
//! around them.

use std::time::Duration;

use anyhow::Context;
use serde_json::Value as Json;

use crate::{
    company::{Company, PATH, body},
    drive::drive_with,
    http::request,
};

/// The connections that drive the floor of HTTP: as many as drive the engine
/// at its most.
const CONNECTIONS: usize = 256;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Floors {
    /// Runs a second, if their rows were all there was to be written.
    pub(crate) group_commit_runs_per_s: f64,
    /// One call of a component on bare wasmtime, microseconds.
    pub(crate) wasm_call_us: f64,
    /// Requests a second that a bare axum echoes.
    pub(crate) http_requests_per_s: f64,
}

impl Floors {
    /// Runs a second, if a run cost two calls, one request, and its share of
    /// the group commits, one after the other.
    pub(crate) fn composite_runs_per_s(&self) -> f64 {
        let seconds = 2.0 * self.wasm_call_us / 1e6
            + 1.0 / self.http_requests_per_s
            + 1.0 / self.group_commit_runs_per_s;
        1.0 / seconds
    }

    /// The middle of what was measured before the engine and after it, so that a
    /// minute in which the whole machine is slower counts for both: of what a call, a
    /// request and a run's rows cost, not of how many there were.
    pub(crate) fn between(self, after: Self) -> Self {
        let rate = |before: f64, after: f64| 2.0 / (1.0 / before + 1.0 / after);
        Self {
            group_commit_runs_per_s: rate(
                self.group_commit_runs_per_s,
                after.group_commit_runs_per_s,
            ),
            wasm_call_us: f64::midpoint(self.wasm_call_us, after.wasm_call_us),
            http_requests_per_s: rate(self.http_requests_per_s, after.http_requests_per_s),
        }
    }
}

pub(crate) async fn measure(company: &Company, quick: bool) -> anyhow::Result<Floors> {
    let program = &company.program;
    let number = |report: &Json, name: &str| {
        report[name].as_f64().with_context(|| format!("no {name} in {report}"))
    };
    let store: &[&str] = if quick { &["bench", "store", "--quick"] } else { &["bench", "store"] };
    let store = program.run(store).await?;
    // Its shorter form takes a few hundredths of a second, which say little of the
    // minute; its longer one takes one or two seconds.
    let sandbox = program.run(&["bench", "sandbox"]).await?;
    let echo = program.start(&["bench", "echo"]).await?;
    let body = body("bench_item/01kc0000000000000000000000");
    let requests = vec![request("POST", PATH, &company.secret, &body); CONNECTIONS];
    let span = Duration::from_secs(if quick { 2 } else { 10 });
    let driven =
        drive_with(&echo.address, requests, CONNECTIONS, span, |status, _| status == 200).await?;
    echo.stop().await?;
    Ok(Floors {
        group_commit_runs_per_s: number(&store, "run_rows_per_s")?,
        wasm_call_us: number(&sandbox, "floor_us")?,
        http_requests_per_s: driven.per_second,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_that_of_the_costs() {
        let quick = Floors {
            group_commit_runs_per_s: 10_000.0,
            wasm_call_us: 20.0,
            http_requests_per_s: 100_000.0,
        };
        // 1 / (40 us + 10 us + 100 us).
        assert!((quick.composite_runs_per_s() - 1e6 / 150.0).abs() < 1e-6);
        let slow = Floors {
            group_commit_runs_per_s: 5_000.0,
            wasm_call_us: 50.0,
            http_requests_per_s: 25_000.0,
        };
        // 150 us and 340 us: 245 us.
        let between = quick.between(slow);
        assert!((between.wasm_call_us - 35.0).abs() < 1e-9);
        assert!((between.composite_runs_per_s() - 1e6 / 245.0).abs() < 1e-6);
    }
}

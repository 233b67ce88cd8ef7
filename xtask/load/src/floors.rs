//! The floors under the engine, measured in the same minutes on the same
//! machine: what its parts cost where nothing is around them.

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
}

pub(crate) async fn measure(company: &Company, quick: bool) -> anyhow::Result<Floors> {
    let program = &company.program;
    let bench = async |what: &'static [&'static str]| -> anyhow::Result<Json> {
        let mut line = vec!["bench"];
        line.extend(what);
        if quick {
            line.push("--quick");
        }
        program.run(&line).await
    };
    let number = |report: &Json, name: &str| {
        report[name].as_f64().with_context(|| format!("no {name} in {report}"))
    };
    let store = bench(&["store"]).await?;
    let sandbox = bench(&["sandbox"]).await?;
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

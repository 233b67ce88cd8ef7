//! What was measured, for people and as one JSON object.

use serde_json::{Map, Value as Json, json};

use crate::{drive::Driven, floors::Floors, sleepers::Sleepers};

pub(crate) struct Report {
    pub(crate) backend: &'static str,
    pub(crate) http: Vec<(usize, Driven)>,
    pub(crate) floor: Floors,
    pub(crate) sleepers: Sleepers,
    pub(crate) start_ms: f64,
    pub(crate) rss_mib: f64,
}

impl Report {
    pub(crate) fn json(&self) -> Json {
        let http: Map<String, Json> = self
            .http
            .iter()
            .map(|(connections, driven)| {
                let figures = json!({
                    "runs_per_s": round(driven.per_second),
                    "p50_ms": round(driven.p50_ms),
                    "p99_ms": round(driven.p99_ms),
                });
                (format!("c{connections}"), figures)
            })
            .collect();
        json!({
            "backend": self.backend,
            "http": http,
            "floor": {
                "group_commit_runs_per_s": round(self.floor.group_commit_runs_per_s),
                "wasm_call_us": round(self.floor.wasm_call_us),
                "http_requests_per_s": round(self.floor.http_requests_per_s),
                "composite_runs_per_s": round(self.floor.composite_runs_per_s()),
            },
            "sleepers": {
                "count": self.sleepers.count,
                "rss_mib": round(self.sleepers.rss_mib),
                "bytes_each": self.sleepers.bytes_each.map(round),
                "idle_cpu_percent": round(self.sleepers.idle_cpu_percent),
                "wake_p99_ms": round(self.sleepers.wake_p99_ms),
            },
            "start_ms": round(self.start_ms),
            "rss_mib": round(self.rss_mib),
        })
    }

    /// The same in lines.
    pub(crate) fn told(&self) -> String {
        let mut text = format!("Runs of three steps over HTTP, ?wait=run, {}\n", self.backend);
        let mut most: f64 = 0.0;
        for (connections, driven) in &self.http {
            text += &driven.told(*connections);
            most = most.max(driven.per_second);
        }
        let composite = self.floor.composite_runs_per_s();
        text += &line("floor: bare group commit", self.floor.group_commit_runs_per_s, "runs/s");
        text += &line("floor: bare wasm call", self.floor.wasm_call_us, "us");
        text += &line("floor: bare axum", self.floor.http_requests_per_s, "requests/s");
        text += &line("floor: all of it, one after the other", composite, "runs/s");
        text += &line("the most of it that was reached", most / composite * 100.0, "%");
        text += &line("sleeping runs", self.sleepers.count as f64, "runs");
        text += &line("  memory more", self.sleepers.rss_mib, "MiB");
        if let Some(bytes_each) = self.sleepers.bytes_each {
            text += &line("  on the disk, each", bytes_each, "bytes");
        }
        text += &line("  the host's share of a core", self.sleepers.idle_cpu_percent, "%");
        text += &line("  99 of 100 wake late by at most", self.sleepers.wake_p99_ms, "ms");
        text += &line("start to the first finished run", self.start_ms, "ms");
        text += &line("memory at rest", self.rss_mib, "MiB");
        text
    }
}

/// A figure for people.
pub(crate) fn line(name: &str, value: f64, unit: &str) -> String {
    format!("  {name:<44} {value:>12.2} {unit}\n")
}

/// Two digits are enough.
fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

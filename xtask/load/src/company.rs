//! The data directory that is measured, its workflow and its records.

use std::{path::Path, time::Duration, time::Instant};

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::{
    host::{Program, Served},
    http::{Connection, request},
};

/// The workflow: a condition, and two Wasm steps that write a record.
const WORKFLOW: &str = "\
workflow: bench
title: Three steps
when:
  - event: bench_item.asked
steps:
  - stop_unless: bench_item.title contains \"customer\"
  - do: crm.update
    record: =bench_item
    set: { tags: [seen] }
  - do: crm.update
    record: =bench_item
    set: { tags: [] }
";

/// What it is about: a record with an event that other programs send.
const OBJECT: &str = "\
object: bench_item
title: Item
summary: What the benchmark writes to.
label: title
fields:
  title: { type: text, required: true }
  status: { type: choice, of: [new, asked], default: new }
events:
  bench_item.asked: { field: status, becomes: asked }
";

/// How many records there are: no two requests that are under way at once
/// are about the same.
const RECORDS: usize = 512;

/// How many of them one request creates.
const BATCH: usize = 128;

/// How long a host that has started is left alone before its memory is read.
const REST: Duration = Duration::from_millis(500);

/// The address that is driven.
pub(crate) const PATH: &str = "/v1/events?wait=run";

pub(crate) struct Company {
    pub(crate) program: Program,
    pub(crate) secret: String,
    /// A record that was there before the host started.
    first: String,
    _folder: TempDir,
}

/// What a start came to.
pub(crate) struct ColdStart {
    /// From the start of the process to the answer of the first run,
    /// milliseconds.
    pub(crate) milliseconds: f64,
    /// The memory at rest after it.
    pub(crate) rss_mib: f64,
}

/// The body of the request that is driven.
pub(crate) fn body(record: &str) -> String {
    json!({ "name": "bench_item.asked", "about": [record] }).to_string()
}

/// Whether an answer says that its run is done.
pub(crate) fn is_done(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Answer<'a> {
        done: bool,
        #[serde(borrow)]
        runs: Vec<Run<'a>>,
    }
    #[derive(Deserialize)]
    struct Run<'a> {
        status: &'a str,
    }
    serde_json::from_slice::<Answer<'_>>(body).is_ok_and(|answer| {
        answer.done && answer.runs.len() == 1 && answer.runs.iter().all(|run| run.status == "done")
    })
}

impl Company {
    /// Makes a fresh one.
    pub(crate) async fn make(relata: &Path, database_url: Option<&str>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        let program = Program {
            path: relata.canonicalize().with_context(|| relata.display().to_string())?,
            data: data.clone(),
            database_url: database_url.map(str::to_owned),
        };
        let root = data.to_str().context("the path of the data directory is no text")?;
        program.run(&["init", root]).await?;
        std::fs::write(data.join("objects/bench_item.yaml"), OBJECT)?;
        let file = data.join("workflows/bench.yaml");
        std::fs::write(&file, WORKFLOW)?;
        let file = file.to_str().context("the path of the workflow is no text")?;
        program.run(&["activate", file]).await?;
        let scopes = ["events:write", "records:write", "runs:read"];
        let mut line = vec!["token", "create", "load"];
        line.extend(scopes.iter().flat_map(|scope| ["--scope", scope]));
        let token = program.run(&line).await?;
        let secret = token["secret"].as_str().context("the token has no secret")?.to_owned();
        let title = "title=Call customer 0";
        program.run(&["records", "create", "bench_item", title, "external_id=first"]).await?;
        Ok(Self { program, secret, first: "bench_item/first".to_owned(), _folder: folder })
    }

    pub(crate) async fn serve(&self) -> anyhow::Result<Served> {
        self.program.start(&["serve", "--listen", "127.0.0.1:0"]).await
    }

    /// The median of several starts: what was compiled before lies in the
    /// cache, as it does after the first start of every installation.
    pub(crate) async fn cold_start(&self) -> anyhow::Result<ColdStart> {
        let mut starts = Vec::new();
        for _ in 0..3 {
            let began = Instant::now();
            let served = self.serve().await?;
            let mut connection = Connection::open(&served.address).await?;
            let request = request("POST", PATH, &self.secret, &body(&self.first));
            let answer = connection.send(&request).await?;
            let milliseconds = began.elapsed().as_secs_f64() * 1_000.0;
            ensure!(
                is_done(&answer.body),
                "the first run: {} {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
            drop(connection);
            tokio::time::sleep(REST).await;
            starts.push(ColdStart { milliseconds, rss_mib: served.rss_mib()? });
            served.stop().await?;
        }
        starts.sort_by(|one, other| one.milliseconds.total_cmp(&other.milliseconds));
        Ok(starts.swap_remove(1))
    }

    /// Creates the records that the requests are about.
    pub(crate) async fn records(&self, served: &Served) -> anyhow::Result<Vec<String>> {
        let mut connection = Connection::open(&served.address).await?;
        let mut records = Vec::with_capacity(RECORDS);
        for batch in 0..RECORDS / BATCH {
            let items: Vec<Json> = (0..BATCH)
                .map(|number| json!({ "title": format!("Call customer {}", batch * BATCH + number) }))
                .collect();
            let items = Json::Array(items).to_string();
            let request = request("POST", "/v1/records/bench_item", &self.secret, &items);
            let answer = connection.send(&request).await?;
            let said: Json = serde_json::from_slice(&answer.body)?;
            let created = said["records"].as_array().with_context(|| said.to_string())?;
            records.extend(
                created.iter().filter_map(|record| record["record"].as_str().map(str::to_owned)),
            );
        }
        ensure!(records.len() == RECORDS, "{} of {RECORDS} records", records.len());
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_counts_only_if_it_is_done() {
        let done = br#"{"done": true, "event": "e", "runs": [{"id": "r", "status": "done"}]}"#;
        assert!(is_done(done));
        for other in [
            &br#"{"done": false, "runs": [{"status": "done"}]}"#[..],
            br#"{"done": true, "runs": [{"status": "failed"}]}"#,
            br#"{"done": true, "runs": [{"status": "done"}, {"status": "done"}]}"#,
            br#"{"done": true, "runs": []}"#,
            br#"{"event": "e"}"#,
            b"done",
        ] {
            assert!(!is_done(other), "{}", String::from_utf8_lossy(other));
        }
    }
}

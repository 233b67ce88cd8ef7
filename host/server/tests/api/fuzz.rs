//! The API under Schemathesis: it sends what the description allows, and what it
//! does not, and looks whether the answers are as described.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "what goes wrong in a test ends it, and what was tried is told"
)]

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use relata_app::store::DatabaseUrl;
use serde_json::json;
use tokio::process::Command;

use crate::{
    postgres::Postgres,
    served::{PAID, Served, WAITS, json as answer, now},
};

/// A company's own object, so that what is made of it is tried as well. It has
/// a field of each type.
const OWN: &[(&str, &str)] = &[(
    "objects/pump.yaml",
    "\
object: pump
title: Pump
summary: What is repaired.
fields:
  model: { type: text, required: true, max: 40 }
  notes: { type: long_text }
  mail: { type: email }
  phone: { type: phone }
  country: { type: country }
  weight: { type: number, min: 0, max: 900.5 }
  count: { type: integer, default: 1 }
  price: { type: money }
  leaks: { type: yes_no, default: false }
  built: { type: date }
  seen_at: { type: time }
  every: { type: duration }
  state: { type: choice, of: [new, used], default: new }
  used_by: { type: reference, to: [contact] }
  about: { type: reference, to: any }
  parts: { type: texts }
",
)];

/// What a run of Schemathesis is to do.
struct Plan {
    examples: u32,
    seed: u32,
    /// Only operations whose paths are like this.
    paths: &'static str,
}

/// The program; `cargo xtask setup` installs it.
fn schemathesis() -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../schemathesis/bin/st");
    assert!(program.exists(), "Schemathesis is missing; `cargo xtask setup` installs it");
    program
}

/// A company in which there is something of each kind, under known names; and
/// one of its runs.
async fn company(database: Option<DatabaseUrl>) -> (Served, String) {
    let served = Served::start_as(OWN, database, Some(now())).await;
    for source in [PAID, WAITS] {
        let running = relata_app::Running::Finish;
        served.app.activate("test.yaml", source, "test", running).await.unwrap();
    }
    served.order("known").await;
    for object in ["lead", "contact"] {
        let body = json!({ "name": "Anna", "email": format!("known@{object}.example") });
        put(&served, object, &body).await;
    }
    put(&served, "ticket", &json!({ "subject": "Help", "customer": "contact/known" })).await;
    put(&served, "pump", &json!({ "model": "P-1" })).await;
    let paid = json!({ "name": "order.paid", "about": ["order/known"] }).to_string();
    let paid = answer(served.post("/v1/events?wait=run&timeout=300", &paid)).await;
    let run = paid["runs"][0]["run"].as_str().unwrap_or_else(|| panic!("{paid}")).to_owned();
    (served, run)
}

async fn put(served: &Served, object: &str, body: &serde_json::Value) {
    let path = format!("/v1/records/{object}/known");
    let request = served.request(reqwest::Method::PUT, &path).bearer_auth(&served.secret);
    let done = request.body(body.to_string()).send().await.unwrap();
    assert!(done.status().is_success(), "{}", done.text().await.unwrap());
}

async fn fuzz(plan: Plan, database: Option<DatabaseUrl>) {
    let (served, run) = company(database).await;
    let folder = tempfile::tempdir().unwrap();
    // Names that are drawn, then those that are there.
    let known = format!(
        "[parameters]\n\"path.key\" = \"known\"\n\"path.object\" = \"pump\"\n\"path.name\" = \"waits\"\n\"path.id\" = \"{run}\"\n"
    );
    for (name, parameters) in [("drawn", ""), ("known", known.as_str())] {
        let config = folder.path().join(format!("{name}.toml"));
        std::fs::write(&config, format!("{CONFIG}{parameters}")).unwrap();
        let mut command = Command::new(schemathesis());
        command
            .args(["--no-color", "--config-file"])
            .arg(&config)
            .args(["run", &format!("http://{}/v1/openapi.json", served.address)])
            .args(["--header", &format!("Authorization: Bearer {}", served.secret)])
            .args(["--include-path-regex", plan.paths])
            .args(["--seed", &plan.seed.to_string()])
            .args(["--max-examples", &plan.examples.to_string()])
            .current_dir(folder.path())
            .stdin(Stdio::null());
        let done = command.output().await.unwrap();
        let told = String::from_utf8_lossy(&done.stdout);
        println!("{told}{}", String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "an answer was not as described; see above");
    }
    served.stop().await;
}

/// What is looked at: everything but whether each thing that fits the
/// description is taken. Much of it cannot be: a record that it names is not
/// there, two have the same external id, a time is past.
const CONFIG: &str = "\
continue-on-failure = true
[phases.stateful]
enabled = false
[checks]
positive_data_acceptance.enabled = false
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 422, 429]
";

/// A stream has no end to wait for. Of the objects one stands for all.
const SHORT: Plan = Plan {
    examples: 3,
    seed: 1,
    paths: "^/(v1/(?!records/|stream)|v1/records/(pump|.object.)|hooks|healthz|metrics)",
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_answers_as_it_is_described_on_sqlite() {
    fuzz(SHORT, None).await;
}

/// For many minutes where `cargo xtask fuzz-api` says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_answers_as_it_is_described_on_postgres() {
    let given = |name: &str| {
        #[expect(clippy::disallowed_methods, reason = "xtask says how long")]
        let given = std::env::var(name).ok();
        given.map(|given| given.parse().unwrap())
    };
    let plan = match given("RELATA_FUZZ_EXAMPLES") {
        None => SHORT,
        Some(examples) => {
            let seed = given("RELATA_FUZZ_SEED").unwrap_or(SHORT.seed);
            Plan { examples, seed, paths: "^/(?!v1/stream)" }
        }
    };
    let database = Postgres::shared().database();
    fuzz(plan, Some(database.url().parse().unwrap())).await;
}

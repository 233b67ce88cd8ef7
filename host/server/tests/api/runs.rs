//! `GET /v1/runs`, a run, and its end.

use std::time::Duration;

use expect_test::expect;
use relata_app::store::RunFilter;

use crate::served::{PAID, Served, WAITS, json as answer, told};

/// What fails.
const FAILS: &str = "\
workflow: fails
when:
  - event: order.paid
steps:
  - do: crm.update
    record: =order
    set: { status: shipped }
";

async fn company() -> Served {
    let served = Served::start(&[PAID, WAITS, FAILS]).await;
    served.order("O-1").await;
    let paid = r#"{"name": "order.paid", "about": ["order/O-1"]}"#;
    for _ in 0..2 {
        answer(served.post("/v1/events?wait=run&timeout=300", paid)).await;
    }
    let lead = r#"{"name": "Anna", "email": "anna@a.example", "external_id": "anna"}"#;
    answer(served.post("/v1/records/lead", lead)).await;
    // It waits for somebody, so nobody can wait for its end.
    while served.app.runs(RunFilter::default(), 10).await.unwrap().len() < 5 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    served
}

/// The runs that a list has, a word each.
async fn listed(served: &Served, query: &str) -> String {
    let page = answer(served.get(&format!("/v1/runs{query}"))).await;
    let Some(runs) = page["runs"].as_array() else { return page.to_string() };
    let part = |run: &serde_json::Value, name: &str| run[name].as_str().unwrap_or("").to_owned();
    let runs: Vec<_> = runs
        .iter()
        .map(|run| format!("{} {}", part(run, "workflow"), part(run, "status")))
        .collect();
    format!("{query}: {}{}", runs.join(", "), if page["next"].is_null() { "" } else { " …" })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_are_listed_by_what_they_are() {
    let served = company().await;
    let mut lines = Vec::new();
    for query in [
        "",
        "?workflow=thank-you",
        "?status=active",
        "?status=failed",
        "?status=ended",
        "?record=order/O-1",
        "?record=lead/anna",
        "?since=2026-12-14T07:00:00Z",
        "?since=2026-12-14T07:00:01Z",
        "?until=2026-12-14T07:00:00Z",
        "?until=2026-12-14T07:00:01Z&limit=2",
        "?error=PLACED%20to",
        "?error=placed%25to",
        "?error=placed_to",
    ] {
        lines.push(listed(&served, query).await);
    }
    for query in [
        "?state=failed",
        "?status=odd",
        "?since=soon",
        "?limit=0",
        "?record=x",
        "?record=order/O-9",
        "?cursor=2",
    ] {
        lines.push(format!("{query}: {}", told(served.get(&format!("/v1/runs{query}"))).await));
    }
    expect![[r#"
        : waits active, thank-you done, fails failed, thank-you done, fails failed
        ?workflow=thank-you: thank-you done, thank-you done
        ?status=active: waits active
        ?status=failed: fails failed, fails failed
        ?status=ended: thank-you done, fails failed, thank-you done, fails failed
        ?record=order/O-1: thank-you done, fails failed, thank-you done, fails failed
        ?record=lead/anna: waits active
        ?since=2026-12-14T07:00:00Z: waits active, thank-you done, fails failed, thank-you done, fails failed
        ?since=2026-12-14T07:00:01Z: 
        ?until=2026-12-14T07:00:00Z: 
        ?until=2026-12-14T07:00:01Z&limit=2: waits active, thank-you done …
        ?error=PLACED%20to: fails failed, fails failed
        ?error=placed%25to: 
        ?error=placed_to: 
        ?state=failed: 400 parameter: there is no parameter `state`; there are workflow, status, record, since, until, error, limit, cursor
        ?status=odd: 400 parameter: `status` takes active, ended, done, stopped, failed or cancelled
        ?since=soon: 400 parameter: `since` takes a time such as 2026-12-24T18:00:00Z
        ?limit=0: 400 parameter: `limit` takes a number from 1 to 500
        ?record=x: 400 parameter: `record`: `x` is not a record; write `object/key`, such as `contact/anna`
        ?record=order/O-9: 400 wrong: there is no order `O-9`
        ?cursor=2: 400 parameter: `cursor` takes the `next` of the page before"#]].assert_eq(&lines.join("\n"));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_follow_each_other() {
    let served = company().await;
    let (mut seen, mut address) = (Vec::new(), "/v1/runs?limit=2".to_owned());
    loop {
        let page = answer(served.get(&address)).await;
        let runs = page["runs"].as_array().unwrap();
        seen.extend(runs.iter().map(|run| run["run"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => address = format!("/v1/runs?limit=2&cursor={next}"),
            None => break,
        }
    }
    let all = answer(served.get("/v1/runs")).await;
    let all: Vec<_> =
        all["runs"].as_array().unwrap().iter().map(|run| run["run"].as_str().unwrap()).collect();
    assert_eq!(seen, all);
    assert_eq!(seen.len(), 5);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_shown_and_ended() {
    let served = company().await;
    let active = answer(served.get("/v1/runs?status=active")).await;
    let run = active["runs"][0]["run"].as_str().unwrap().to_owned();
    let shown = answer(served.get(&format!("/v1/runs/{run}"))).await;
    let mut lines =
        vec![format!("{} at {}; {}", shown["workflow"], shown["at"], shown["steps"][0]["kind"])];
    let cancel = |body: &str| served.post(&format!("/v1/runs/{run}/cancel"), body);
    lines.push(told(cancel("why")).await);
    lines.push(told(cancel(r#"{"why": "the customer called"}"#)).await);
    // It ends by itself from here.
    for _ in 0..1_200 {
        let shown = answer(served.get(&format!("/v1/runs/{run}"))).await;
        if shown["status"] != "active" {
            lines.push(format!("{}: {}", shown["status"], shown["why"]));
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    lines.push(told(cancel("")).await);
    lines.push(told(served.get("/v1/runs/run_1")).await);
    expect![[r#"
        "waits" at "wait_for: changed lead.status (line 5)"; "started"
        400 no-json: the body does not read (expected value at line 1 column 1); send {"why": "…"} or nothing
        202 {"cancelled":true,"run":"run_…","why":"the customer called"}
        "cancelled": "the customer called"
        409 ended: run_… has ended already
        404 not-found: there is no run `run_1`"#]].assert_eq(&lines.join("\n"));
    served.stop().await;
}

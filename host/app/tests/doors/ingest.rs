//! What other programs send, and who waits for what comes of it.

use std::time::Duration;

use relata_app::{App, IngestRequest, NewToken, Scope};
use serde_json::json;

use super::company::Company;

const WORKFLOW: &str = "\
workflow: thank-you
when:
  - event: order.paid
steps:
  - do: crm.create
    object: task
    set: { title: \"Thank for {{ order.ref }}\", assignee: queue/unassigned }
outputs:
  ref: =order.ref
";

/// Longer than any machine takes.
const LONG: Duration = Duration::from_secs(600);

/// What another host does is found in the database: here the one that takes
/// the event in moves no runs, and the one that moves them takes nothing in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_hears_what_another_host_did() {
    let company = Company::new().await;
    company.activate(WORKFLOW).await;
    company.create("contact", &[("external_id", "anna"), ("name", "Anna")]).await;
    let order = [("external_id", "o1"), ("ref", "O-1"), ("contact", "contact/anna")];
    company.create("order", &order).await;
    company.settle().await;
    let app = &company.app;
    let token = NewToken {
        name: "shop".to_owned(),
        scopes: vec![Scope::EventsWrite],
        user: None,
        objects: Vec::new(),
        expires_at: None,
    };
    let (_, secret) = app.create_token(token).await.unwrap();
    let caller = app.caller(secret.expose()).await.unwrap();
    let items = [
        json!({ "name": "order.paid", "about": ["order/o1"] }),
        json!({ "name": "survey.answered" }),
    ];
    let request = IngestRequest {
        caller: &caller,
        key: None,
        body: b"",
        items: &items,
        is_batch: true,
        waits: Some(LONG),
    };
    let taken_in = app.ingest_events(request).await.unwrap();
    let tending = tokio::spawn({
        let app = app.clone();
        async move { app.tend(std::future::pending()).await }
    });
    let waiting = tokio::spawn(taken_in.outcome(LONG));

    let other = App::open(&company.root).await.unwrap();
    other.settle_all().await.unwrap();
    other.close().await;

    let accepted = waiting.await.unwrap();
    assert_eq!(accepted.done, Some(true));
    let runs: Vec<_> = accepted
        .items
        .iter()
        .flat_map(|item| &item.events)
        .map(|event| {
            let run = event.runs.first();
            run.map(|run| (run.status, run.outputs.clone()))
        })
        .collect();
    assert_eq!(runs, [Some(("done", Some(json!({ "ref": "O-1" })))), None]);
    assert_eq!(company.tasks().await, ["Thank for O-1"]);
    tending.abort();
}

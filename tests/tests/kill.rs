//! `kill -9` on `relata serve`, twenty times, while the leads of a fair come
//! in: afterwards everything is as if nothing had happened.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop at once, and tells its figures"
)]

use std::{collections::BTreeMap, thread::sleep, time::Duration};

use relata_tests::{Backend, Place, Server, answer, ask, data, post};

use crate::fair::{counts, parts, steps, undone};

const KILLS: usize = 20;

/// So long may the last start take to finish what is left.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_kills_during_an_import_change_nothing() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let calm = import(None).await;
    let killed = import(Some(fastrand::Rng::with_seed(seed))).await;
    assert_eq!(killed, calm, "with the kills of seed {seed}, then without: {killed:#?}");
    assert_eq!(calm["leads"], 97);
    assert_eq!(calm["mails of template welcome: sent"], 97);
    assert_eq!(calm["mails in the folder"], 97);
    assert_eq!(calm["tasks"], 97);
    assert_eq!(calm["runs of assign-new-leads: active"], 97);
}

/// Whose run ends, with an order that was paid.
const PAID: &str = "\
workflow: thank-you
when:
  - event: order.paid
steps:
  - do: crm.create
    object: task
    set: { title: Thank, assignee: queue/unassigned }
";

/// A run that brought its host down has to be known afterwards: its event is written
/// before it begins, for an hour.
#[test]
fn after_a_kill_runs_have_no_head_start() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place { root: folder.path().join("company"), backend: Backend::Sqlite };
    place.initialize();
    let workflow = place.root.join("workflows/thank-you.yaml");
    std::fs::write(&workflow, PAID).unwrap();
    place.ask(&["activate", workflow.to_str().unwrap()]).unwrap();
    let token = ["token", "create", "shop", "--scope", "events:write", "--scope", "records:write"];
    let secret = place.ask(&token).unwrap()["secret"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {secret}");
    let head_starts = |server: &Server| -> u32 {
        let metrics = ask(server.address(), "GET /metrics", &[], "").unwrap().body;
        let mut lines = metrics.lines();
        let count = lines.find_map(|line| line.strip_prefix("relata_run_head_starts_total "));
        count.unwrap().parse().unwrap()
    };
    let send = |server: &Server, path: &str, body: &str| {
        let (status, body) =
            post(server.address(), path, &[("authorization", &bearer)], body).unwrap();
        assert!(matches!(status, 200..=202), "{status} {body}");
        body
    };
    let mut server = Server::start(&place, None).unwrap();
    let anna = r#"{"external_id": "anna", "name": "Anna", "email": "anna@a.example"}"#;
    send(&server, "/v1/records/contact", anna);
    let order = r#"{"external_id": "o1", "ref": "O-1", "contact": "contact/anna"}"#;
    send(&server, "/v1/records/order", order);
    let mut counts = Vec::new();
    for end in ["asked to end", "killed", "asked to end again", ""] {
        let paid = r#"{"name": "order.paid", "about": "order/o1"}"#;
        // The first one waits until the plugins are loaded.
        let before = [(); 2].map(|()| {
            let before = head_starts(&server);
            let answer = send(&server, "/v1/events?wait=run", paid);
            assert!(answer.contains(r#""status":"done""#), "{answer}");
            before
        });
        counts.push(head_starts(&server) - before[1]);
        match end {
            "killed" => server.kill(),
            _ => assert!(server.terminate()),
        }
        if !end.is_empty() {
            server = Server::start(&place, None).unwrap();
        }
    }
    assert_eq!(counts, [1, 1, 0, 0]);
}

/// Imports the leads, part by part, into a new data directory that is served
/// meanwhile; and counts what is there at the end. With `chance`, the server
/// is killed once in each part, at a random moment.
async fn import(chance: Option<fastrand::Rng>) -> BTreeMap<String, usize> {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("company");
    let root_text = root.to_str().unwrap();
    answer(&["init", root_text]);
    answer(&["import", "user", data("agents.csv").to_str().unwrap(), "--data", root_text]);
    let workflow = root.join("workflows/assign-new-leads.yaml");
    answer(&["activate", workflow.to_str().unwrap(), "--data", root_text]);
    let parts = parts(folder.path(), KILLS);
    let mut chance = chance;
    let place = Place { root: root.clone(), backend: Backend::Sqlite };
    let mut server = Server::start(&place, None).unwrap();
    let (mut at_work, mut after_work, mut worked) = (0, 0, 0);
    for part in &parts {
        // The import is another process, and is not killed.
        answer(&["import", "lead", part, "--data", root_text]);
        if let Some(chance) = &mut chance {
            sleep(Duration::from_millis(chance.u64(0..120)));
            server.kill();
            at_work += usize::from(undone(&place).await > 0);
            let before = std::mem::replace(&mut worked, steps(&place).await);
            after_work += usize::from(worked > before);
            server = Server::start(&place, None).unwrap();
        }
    }
    if chance.is_some() {
        println!(
            "{at_work} of {KILLS} kills left something undone, {after_work} came after some of it was done"
        );
        assert!(at_work > 0, "no kill met the server at its work");
    }
    let mut waited = Duration::ZERO;
    while undone(&place).await > 0 {
        assert!(waited < PATIENCE, "the server does not finish what is left");
        sleep(Duration::from_millis(50));
        waited += Duration::from_millis(50);
    }
    server.kill();
    counts(&[place]).await
}

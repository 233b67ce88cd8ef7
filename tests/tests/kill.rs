//! `kill -9` on `relata serve`, twenty times, while the leads of a fair come
//! in: afterwards everything is as if nothing had happened.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop at once, and tells its figures"
)]

use std::{collections::BTreeMap, path::Path, thread::sleep, time::Duration};

use relata_app::{
    App,
    store::{EffectFilter, EffectStatus, RunFilter, RunStatus},
};
use relata_tests::{Backend, Place, Server, answer, data};

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
            at_work += usize::from(undone(&root).await > 0);
            let before = std::mem::replace(&mut worked, steps(&root).await);
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
    while undone(&root).await > 0 {
        assert!(waited < PATIENCE, "the server does not finish what is left");
        sleep(Duration::from_millis(50));
        waited += Duration::from_millis(50);
    }
    server.kill();
    counts(&root).await
}

/// The fair's file as `count` files of about the same length.
fn parts(folder: &Path, count: usize) -> Vec<String> {
    let mut reader = csv::Reader::from_path(data("leads.csv")).unwrap();
    let header = reader.byte_headers().unwrap().clone();
    let rows: Vec<csv::ByteRecord> = reader.byte_records().map(Result::unwrap).collect();
    let mut parts = Vec::new();
    for number in 0..count {
        let rows = &rows[number * rows.len() / count..(number + 1) * rows.len() / count];
        let path = folder.join(format!("leads-{number:02}.csv"));
        let mut writer = csv::Writer::from_path(&path).unwrap();
        writer.write_byte_record(&header).unwrap();
        for row in rows {
            writer.write_byte_record(row).unwrap();
        }
        writer.flush().unwrap();
        parts.push(path.to_str().unwrap().to_owned());
    }
    parts
}

/// How many events, runs and effects wait to be worked at, now.
async fn undone(root: &Path) -> usize {
    let app = App::open(root).await.unwrap();
    let now = app.now();
    let store = app.store();
    let events = store.event_pending(1_000).await.unwrap().len();
    let active = RunFilter { status: Some(RunStatus::Active), ..RunFilter::default() };
    let runs = store.run_list(&active, u32::MAX).await.unwrap();
    let runs = runs
        .iter()
        .filter(|run| run.lease_owner.is_some() || run.due_at.is_some_and(|due| due <= now));
    let effects = store.outbox_list(&EffectFilter::default(), u32::MAX).await.unwrap();
    let effects = effects
        .iter()
        .filter(|effect| matches!(effect.status, EffectStatus::Due | EffectStatus::Sending));
    let undone = events + runs.count() + effects.count();
    app.close().await;
    undone
}

/// How many entries all logs of runs have.
async fn steps(root: &Path) -> u64 {
    let app = App::open(root).await.unwrap();
    let runs = app.store().run_list(&RunFilter::default(), u32::MAX).await.unwrap();
    let steps = runs.iter().map(|row| row.run.seq).sum();
    app.close().await;
    steps
}

/// What there is, counted.
async fn counts(root: &Path) -> BTreeMap<String, usize> {
    let app = App::open(root).await.unwrap();
    let mut counts = BTreeMap::new();
    let mut count = |what: String| *counts.entry(what).or_insert(0) += 1;
    for lead in app.records_all("lead").await.unwrap() {
        count("leads".to_owned());
        let owner = match lead.field("owner").as_reference() {
            Some(owner) => {
                app.record(owner).await.unwrap().field("name").as_text().unwrap().to_owned()
            }
            None => "nobody".to_owned(),
        };
        count(format!("leads of {owner}"));
    }
    for _ in app.records_all("task").await.unwrap() {
        count("tasks".to_owned());
    }
    for interaction in app.records_all("interaction").await.unwrap() {
        count(format!("interactions: {}", interaction.field("kind").as_text().unwrap()));
    }
    for effect in app.store().outbox_list(&EffectFilter::default(), u32::MAX).await.unwrap() {
        let template = effect.template.unwrap_or_default();
        count(format!("mails of template {template}: {}", effect.status.as_str()));
    }
    for run in app.runs(RunFilter::default(), u32::MAX).await.unwrap() {
        let why = run.why.map_or_else(String::new, |why| format!(", as {why}"));
        count(format!("runs of {}: {}{why}", run.workflow, run.status));
        let history = app.run_history(run.run.parse().unwrap()).await.unwrap();
        for step in history.steps.iter().filter(|step| step.kind == "done") {
            count(format!("steps `{}` done", step.label));
        }
    }
    for row in app.store().not_started_list(None, None, u32::MAX).await.unwrap() {
        count(format!("not started: {}", row.workflow));
    }
    for entry in std::fs::read_dir(root.join("mail")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "eml") {
            count("mails in the folder".to_owned());
        }
    }
    app.close().await;
    counts
}

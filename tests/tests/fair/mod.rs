//! The leads of a fair, imported part by part while hosts work at them, and what
//! is there afterwards.

#![allow(clippy::unwrap_used, reason = "a test that unwraps says where it failed")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use relata_app::{
    App,
    store::{EffectFilter, RunFilter},
};
use relata_tests::{Place, data, open};

/// The fair's file as `count` files of about the same length.
pub(crate) fn parts(folder: &Path, count: usize) -> Vec<String> {
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
pub(crate) async fn undone(place: &Place) -> u64 {
    let app = open(place).await;
    let undone = undone_at(&app).await;
    app.close().await;
    undone
}

/// The same of a company that is open. The database counts: it is asked again and
/// again while hosts work.
pub(crate) async fn undone_at(app: &App) -> u64 {
    let counts = app.store().health_counts(app.now()).await.unwrap();
    let in_one_of = |counts: &[(String, u64)], states: [&str; 2]| -> u64 {
        let counted = counts.iter().filter(|(state, _)| states.contains(&state.as_str()));
        counted.map(|(_, count)| count).sum()
    };
    counts.pending_events.count
        + in_one_of(&counts.runs, ["due", "held"])
        + in_one_of(&counts.effects, ["due", "sending"])
}

/// How many entries all logs of runs have.
pub(crate) async fn steps(place: &Place) -> u64 {
    let app = open(place).await;
    let runs = app.store().run_list(&RunFilter::default(), u32::MAX).await.unwrap();
    let steps = runs.iter().map(|row| row.run.seq).sum();
    app.close().await;
    steps
}

/// What there is, counted.
pub(crate) async fn counts(places: &[Place]) -> BTreeMap<String, usize> {
    let app = open(&places[0]).await;
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
    // The file's name is the effect's id: two hosts may write the same one.
    let mut mails = BTreeSet::new();
    for place in places {
        for entry in std::fs::read_dir(place.root.join("mail")).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "eml")
                && mails.insert(path.file_name().unwrap().to_owned())
            {
                count("mails in the folder".to_owned());
            }
        }
    }
    app.close().await;
    counts
}

//! Plugins that try to hurt their host, as steps of workflows: each ends as a
//! failed step with a sentence that names the plugin, the limit and the step,
//! and the others go on.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop at once, and tells its figures"
)]

use std::{fmt::Write as _, path::Path};

use expect_test::expect;
use relata_app::{
    App, RunView,
    model::{Fields, Timestamp, Value},
    store::RunFilter,
};
use relata_tests::{hostile, hostile_manifest};

/// What the hostile plugin does, and the arguments that it needs for it.
const ATTACKS: [(&str, &str); 9] = [
    ("loop_forever", ""),
    ("eat_memory", ""),
    ("panic", ""),
    ("overflow_stack", ""),
    ("return_16_mib", ""),
    ("write_then_trap", "    email: planted@hostile.example\n"),
    ("write_then_fail", "    email: planted@hostile.example\n"),
    ("write_forever", ""),
    ("bad_output", ""),
];

/// An honest workflow for the same leads.
const HONEST: &str = "
workflow: honest
title: Goes on beside the others
owner: tests
when:
  - created: lead
steps:
  - do: sentiment.score
    text: This is wonderful.
    as: mood
  - do: crm.update
    record: =lead
    set: { score: =mood.score }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_plugin_fails_its_step_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("company");
    let app = rehearsal(&root).await;
    app.activate("honest.yaml", HONEST, "test").await.unwrap();
    for (attack, arguments) in ATTACKS {
        let source = format!(
            "workflow: {}\ntitle: {attack}\nowner: tests\nwhen:\n  - created: lead\nonly_if:\n  - lead.company == \"{attack}\"\nsteps:\n  - do: hostile.{attack}\n{arguments}",
            attack.replace('_', "-"),
        );
        app.activate("attack.yaml", &source, "test")
            .await
            .unwrap_or_else(|why| panic!("{attack}: {why}"));
    }
    for (attack, _) in ATTACKS {
        let fields =
            [("name", attack), ("email", &format!("{attack}@example.com")), ("company", attack)];
        let fields: Fields = fields
            .iter()
            .map(|(name, text)| ((*name).to_owned(), Value::Text((*text).to_owned())))
            .collect();
        app.create_record("lead", fields, "test").await.unwrap();
    }
    let planted = app.records_all("lead").await.unwrap().len();
    app.settle_all().await.unwrap();

    let runs = app.runs(RunFilter::default(), u32::MAX).await.unwrap();
    let (honest, mut attacks): (Vec<&RunView>, Vec<&RunView>) =
        runs.iter().partition(|run| run.workflow == "honest");
    assert_eq!(honest.len(), ATTACKS.len());
    for run in honest {
        assert_eq!((run.status, &run.why), ("done", &None));
    }
    attacks.sort_by_key(|run| run.workflow.clone());
    let mut told = String::new();
    for run in attacks {
        let _ = writeln!(
            told,
            "{}: {}: {}",
            run.workflow,
            run.status,
            run.why.as_deref().unwrap_or("")
        );
        let history = app.run_history(run.run.parse().unwrap()).await.unwrap();
        for step in history.steps {
            assert!(step.cpu_us < 1_000_000, "{}: used {} µs", run.workflow, step.cpu_us);
        }
    }
    expect![[r#""#]].assert_eq(&told);
    // What they wrote before they failed is not there.
    assert_eq!(app.records_all("lead").await.unwrap().len(), planted);
    app.close().await;
}

/// A rehearsal with the hostile plugin in its folder of plugins.
async fn rehearsal(root: &Path) -> App {
    let start: Timestamp = "2026-12-14T08:00:00Z".parse().unwrap();
    let app = App::create(root, Some(start)).await.unwrap();
    let package = root.join("plugins/hostile");
    std::fs::create_dir_all(&package).unwrap();
    std::fs::write(package.join("plugin.toml"), hostile_manifest()).unwrap();
    std::fs::write(package.join("component.wasm"), hostile()).unwrap();
    app
}

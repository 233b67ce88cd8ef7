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
    App, RunView, Running,
    model::{Fields, Timestamp, Value},
    store::RunFilter,
};
use relata_tests::{hostile, hostile_manifest, install};

/// What the hostile plugin does, and the arguments that it needs for it. Never
/// do five in a row fail by its own fault: it would be left alone for a while.
const ATTACKS: [(&str, &str); 12] = [
    ("loop_forever", ""),
    ("eat_memory", ""),
    ("panic", ""),
    ("write_then_fail", "    email: planted@hostile.example\n"),
    ("overflow_stack", ""),
    ("return_16_mib", ""),
    ("write_then_trap", "    email: planted@hostile.example\n"),
    ("write_forever", ""),
    ("bad_output", ""),
    ("log_16_mib", ""),
    ("read_contact", "    contact: contact/anna\n"),
    ("send_mail", "    contact: contact/anna\n"),
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
    app.activate("honest.yaml", HONEST, "test", Running::Finish).await.unwrap();
    create(
        &app,
        "contact",
        &[("external_id", "anna"), ("name", "Anna"), ("email", "anna@example.com")],
    )
    .await;
    for (attack, arguments) in ATTACKS {
        let source = format!(
            "workflow: {}\ntitle: {attack}\nowner: tests\nwhen:\n  - created: lead\nonly_if:\n  - lead.company == \"{attack}\"\nsteps:\n  - do: hostile.{attack}\n{arguments}",
            attack.replace('_', "-"),
        );
        app.activate("attack.yaml", &source, "test", Running::Finish)
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
        app.settle_all().await.unwrap();
    }

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
            // Ids are new each time.
            run.why.as_deref().unwrap_or("").split("lead/").next().unwrap_or("")
        );
        let history = app.run_history(run.run.parse().unwrap()).await.unwrap();
        for step in history.steps {
            assert!(step.cpu_us < 1_000_000, "{}: used {} µs", run.workflow, step.cpu_us);
        }
    }
    expect![[r#"
        bad-output: failed: do: hostile.bad_output (line 9): plugin `hostile`, action `bad_output`: its output does not fit: /score: the value is not of type "number"
        eat-memory: failed: do: hostile.eat_memory (line 9): plugin `hostile`, action `eat_memory`: exceeded its memory limit of 64 MiB (limits.memory_mib in its plugin.toml)
        log-16-mib: done: 
        loop-forever: failed: do: hostile.loop_forever (line 9): plugin `hostile`, action `loop_forever`: exceeded its CPU limit of 200 ms (limits.cpu_ms in its plugin.toml)
        overflow-stack: failed: do: hostile.overflow_stack (line 9): plugin `hostile`, action `overflow_stack`: stopped with a fault: out of bounds memory access (endless recursion also ends like this) in function `hostile::deeper`
        panic: failed: do: hostile.panic (line 9): plugin `hostile`, action `panic`: panicked at tests/guests/hostile/src/lib.rs:66:9: panicked on purpose
        read-contact: failed: do: hostile.read_contact (line 9): plugin `hostile`, action `read_contact`: plugin `hostile` may not read records of `contact`: read = ["*"] under [permissions.records.contact] in its plugin.toml allows it
        return-16-mib: failed: do: hostile.return_16_mib (line 9): plugin `hostile`, action `return_16_mib`: exceeded its memory limit of 64 MiB (limits.memory_mib in its plugin.toml)
        send-mail: failed: do: hostile.send_mail (line 9): plugin `hostile`, action `send_mail`: plugin `hostile` may not send mail: messages = ["mail"] under [permissions] in its plugin.toml allows it
        write-forever: failed: do: hostile.write_forever (line 9): plugin `hostile`, action `write_forever`: more than 1000 writes of records, messages, events or state in one call (limits.writes in its plugin.toml)
        write-then-fail: failed: do: hostile.write_then_fail (line 9): plugin `hostile`, action `write_then_fail`: failed on purpose after creating a lead
        write-then-trap: failed: do: hostile.write_then_trap (line 9): plugin `hostile`, action `write_then_trap`: panicked at tests/guests/hostile/src/lib.rs:193:9: panicked on purpose after creating 
    "#]].assert_eq(&told);
    // What they wrote before they failed is not there.
    assert_eq!(app.records_all("lead").await.unwrap().len(), ATTACKS.len());
    app.close().await;
}

/// Runs a workflow of one step for a new lead, and yields its run.
async fn step(app: &App, name: &str, step: &str) -> RunView {
    let source = format!(
        "workflow: {name}\nowner: tests\nwhen:\n  - created: lead\nsteps:\n  - do: {step}\n    as: found\noutputs:\n  said: =found.text\n"
    );
    app.activate("one.yaml", &source, "test", Running::Finish)
        .await
        .unwrap_or_else(|why| panic!("{name}: {why}"));
    create(app, "lead", &[("name", name), ("email", "anna@example.com")]).await;
    app.settle_all().await.unwrap();
    app.deactivate(name).await.unwrap();
    let of = RunFilter { workflow: Some(name.to_owned()), ..RunFilter::default() };
    app.runs(of, 1).await.unwrap().remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_reads_what_another_plugin_remembers() {
    let folder = tempfile::tempdir().unwrap();
    let app = rehearsal(&folder.path().join("company")).await;
    let rival = hostile_manifest().replace("name = \"hostile\"", "name = \"rival\"");
    install(&app, &rival, hostile()).await;
    app.tend_plugins().await.unwrap();
    let said = async |name: &str, action: &str| {
        let run = step(&app, name, action).await;
        assert_eq!(run.status, "done", "{:?}", run.why);
        run.outputs.unwrap()["said"].as_str().unwrap().to_owned()
    };
    assert_eq!(said("keeps", "hostile.remember").await, "kept");
    assert_eq!(said("recalls", "hostile.recall").await, "mine");
    assert_eq!(said("spies", "rival.recall").await, "nothing");
    app.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_of_the_run_that_emits_it() {
    let folder = tempfile::tempdir().unwrap();
    let app = rehearsal(&folder.path().join("company")).await;
    // It says in the event's data that another run has emitted it.
    let run = step(&app, "forges", "hostile.forge").await;
    assert_eq!(run.status, "done", "{:?}", run.why);
    let history = app.run_history(run.run.parse().unwrap()).await.unwrap();
    let emitted: Vec<&String> = history.steps.iter().flat_map(|step| &step.changed).collect();
    assert_eq!(emitted.len(), 1, "{emitted:?}");
    assert!(emitted[0].contains("planted"), "{emitted:?}");
    app.close().await;
}

async fn create(app: &App, object: &str, fields: &[(&str, &str)]) {
    let fields: Fields = fields
        .iter()
        .map(|(name, text)| ((*name).to_owned(), Value::Text((*text).to_owned())))
        .collect();
    app.create_record(object, fields, "test").await.unwrap();
}

/// A rehearsal with the hostile plugin in its folder of plugins.
async fn rehearsal(root: &Path) -> App {
    let start: Timestamp = "2026-12-14T08:00:00Z".parse().unwrap();
    let app = App::create(root, Some(start)).await.unwrap();
    install(&app, hostile_manifest(), hostile()).await;
    app
}

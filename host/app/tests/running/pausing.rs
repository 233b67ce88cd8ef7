//! Pauses: of a run, a workflow, an action, and everything.

use expect_test::expect;
use relata_app::{Resumed, store::PauseScope};

use super::company::Company;

const WAITS: &str = "\
workflow: test
when:
  - created: contact
steps:
  - wait: 1 hour
  - do: task.create
    title: Call
    record: =contact
    due_in: 1 day
";

async fn with_contacts(workflow: &str, names: &[&str]) -> Company {
    let company = Company::with(workflow).await;
    for name in names {
        contact(&company, name).await;
    }
    company.settle().await;
    company
}

async fn contact(company: &Company, name: &str) {
    let address = format!("{name}@example.com");
    company.create(&format!("contact/{name}"), &[("name", name), ("email", &address)]).await;
}

fn workflow() -> PauseScope {
    PauseScope::Workflow("test".to_owned())
}

async fn pause(company: &Company, scope: PauseScope) {
    company.app.pause(scope, "a test", "eva").await.unwrap_or_else(|why| panic!("{why}"));
}

/// A timer that passes meanwhile fires once, after the end of the pause; a run
/// that begins meanwhile waits; both hold across a crash.
#[tokio::test]
async fn a_paused_workflow_loses_nothing() {
    let company = with_contacts(WAITS, &["anna"]).await;
    pause(&company, workflow()).await;
    company.after(120).await;
    contact(&company, "bert").await;
    company.settle().await;
    let company = company.crash().await;
    company.after(1).await;
    expect![[r#"
        test contact/anna active
        test contact/bert active
    "#]]
    .assert_eq(&company.told().await);
    let paused = company.history(0).await.run.paused.expect("it is paused");
    assert_eq!(paused, "the workflow test is paused by eva since 2026-12-14T07:00:00Z: a test");
    let why_not = company.why_not("test", "contact/anna").await;
    assert!(why_not.contains("but the workflow test is paused by eva"), "{why_not}");
    let pauses = company.app.pauses().await.expect("pauses");
    assert_eq!((pauses.len(), pauses[0].runs, pauses[0].effects), (1, 2, 0));
    assert_eq!(company.app.store().run_stranded().await.expect("the database"), []);

    let resumed = company.app.resume(&workflow()).await.expect("it is paused");
    assert_eq!(resumed, Resumed { runs: 2, effects: 0 });
    company.settle().await;
    company.after(60).await;
    assert_eq!(company.standing().await, "2 test done");
    assert_eq!(company.app.records_all("task").await.expect("tasks").len(), 2);
    let fired = &company.history(0).await.steps[2];
    assert_eq!((fired.kind.as_str(), fired.time.as_str()), ("done", "2026-12-14T09:01:00Z"));
}

/// The steps before a paused action are done, and those behind it wait.
#[tokio::test]
async fn a_paused_action_holds_its_callers_alone() {
    let company = with_contacts(
        "\
workflow: test
when:
  - created: contact
steps:
  - set:
      title: Call
  - do: task.create
    title: =title
    record: =contact
    due_in: 1 day
",
        &[],
    )
    .await;
    pause(&company, PauseScope::Action("task.create".to_owned())).await;
    contact(&company, "anna").await;
    company.settle().await;
    let history = company.history(0).await;
    let kinds: Vec<&str> = history.steps.iter().map(|step| step.kind.as_str()).collect();
    assert_eq!(kinds, ["started", "done"]);
    assert!(history.run.paused.expect("it waits").starts_with("the action task.create is paused"));

    company.app.resume(&PauseScope::Action("task.create".to_owned())).await.expect("a pause");
    company.settle().await;
    assert_eq!(company.standing().await, "test done");
}

/// A run that is paused can still be ended; of two pauses each holds.
#[tokio::test]
async fn a_paused_run_can_be_cancelled_and_two_pauses_both_hold() {
    let company = with_contacts(WAITS, &["anna", "bert"]).await;
    let runs: Vec<_> =
        company.runs().await.iter().map(|run| run.run.parse().expect("an id")).collect();
    pause(&company, PauseScope::Run(runs[0])).await;
    pause(&company, PauseScope::Run(runs[1])).await;
    pause(&company, workflow()).await;
    company.after(90).await;
    assert_eq!(company.standing().await, "2 test active");
    company.app.resume(&workflow()).await.expect("a pause");
    company.settle().await;
    assert_eq!(company.standing().await, "2 test active");
    company.app.cancel(runs[0], "not needed").await.expect("it goes on");
    company.app.resume(&PauseScope::Run(runs[1])).await.expect("a pause");
    company.settle().await;
    assert_eq!(company.standing().await, "test cancelled; test done");
}

/// Nothing moves and nothing goes out; the clock may be moved all the same.
#[tokio::test]
async fn everything_stands_still() {
    let company = with_contacts(
        "\
workflow: test
when:
  - created: contact
steps:
  - do: task.create
    title: Call
    record: =contact
    due_in: 1 day
",
        &[],
    )
    .await;
    pause(&company, PauseScope::All).await;
    contact(&company, "anna").await;
    company.after(600).await;
    assert_eq!(company.standing().await, "test active");
    company.app.resume(&PauseScope::All).await.expect("a pause");
    company.settle().await;
    assert_eq!(company.standing().await, "test done");
}

/// A host that did not know of the end of a pause parks a run in vain; it
/// is found.
#[tokio::test]
async fn what_was_parked_in_vain_goes_on() {
    let company = with_contacts(WAITS, &["anna"]).await;
    let run = company.runs().await.remove(0).run.parse().expect("an id");
    company.after(59).await;
    let store = company.app.store().clone();
    let now = company.app.now().as_millisecond() + 60_000;
    let late = relata_app::model::Timestamp::from_millisecond(now).expect("a time");
    let claimed = store.run_claim("other", late, 1, 9).await.expect("the database").remove(0);
    store
        .write(move |tx| {
            Box::pin(async move {
                let scope = PauseScope::Workflow("long gone".to_owned());
                tx.run_park(run, claimed.epoch, &scope, late, false).await
            })
        })
        .await
        .expect("the database");
    company.after(2).await;
    company.settle().await;
    assert_eq!(company.standing().await, "test done");
}

#[tokio::test]
async fn what_is_not_there_cannot_be_paused() {
    let company = Company::with(WAITS).await;
    let app = &company.app;
    for (scope, wanted) in [
        (
            PauseScope::Workflow("tests".to_owned()),
            "there is no workflow `tests`; did you mean `test`?",
        ),
        (
            PauseScope::Action("task.creat".to_owned()),
            "there is no action `task.creat`; did you mean `task.create`?",
        ),
    ] {
        let why = app.pause(scope, "", "eva").await.expect_err("there is none");
        assert_eq!(why.to_string(), wanted);
    }
    pause(&company, workflow()).await;
    let again = app.pause(workflow(), "", "bert").await.expect_err("it is paused");
    assert_eq!(
        again.to_string(),
        "the workflow test is paused already since 2026-12-14T07:00:00Z by eva"
    );
    let why = app.resume(&PauseScope::All).await.expect_err("it is not paused");
    assert_eq!(why.to_string(), "everything is not paused; paused are: the workflow test");
}

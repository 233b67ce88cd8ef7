//! Limits: of a workflow on its runs, and of whoever runs Relata on actions.

use expect_test::expect;
use relata_app::{
    model::{RunId, Timestamp},
    store::{Entered, Limit},
};

use super::company::Company;

const TASKS: &str = "\
workflow: test
when:
  - created: contact
limits:
  - LIMIT
steps:
  - do: task.create
    title: Call
    record: =contact
    due_in: 1 day
";

async fn with(limit: &str, names: &[&str]) -> Company {
    let company = Company::with(&TASKS.replace("LIMIT", limit)).await;
    for name in names {
        let address = format!("{name}@example.com");
        company.create(&format!("contact/{name}"), &[("name", name), ("email", &address)]).await;
    }
    company
}

async fn tasks(company: &Company) -> usize {
    company.app.records_all("task").await.expect("tasks").len()
}

/// Somebody else, on another host, takes the place of a limit until a time.
async fn take(company: &Company, key: &str, until: Timestamp) -> RunId {
    let run: RunId = "run_01kc0000000000000000000000".parse().expect("an id");
    let now = company.app.now();
    let limit = Limit { key: key.to_owned(), at_once: Some(1), apart_ms: None, once: false };
    let store = company.app.store();
    let entered = store
        .write(move |tx| Box::pin(async move { tx.limits_enter(run, &[limit], now, until).await }));
    assert_eq!(entered.await.expect("the database"), Entered::Now);
    run
}

#[tokio::test]
async fn runs_begin_at_their_pace() {
    let company = with("pace: 60 per hour", &["anna", "bert", "cleo"]).await;
    company.settle().await;
    assert_eq!(tasks(&company).await, 1);
    let limits = company.app.limits().await.expect("limits");
    assert_eq!((limits[0].limit.as_str(), limits[0].to_come), ("workflow test", 2));
    assert_eq!(limits[0].last_turn.as_deref(), Some("2026-12-14T07:02:00Z"));
    company.after(1).await;
    assert_eq!(tasks(&company).await, 2);
    let company = company.crash().await;
    company.after(1).await;
    assert_eq!((tasks(&company).await, company.standing().await.as_str()), (3, "3 test done"));
    assert_eq!(company.app.limits().await.expect("limits"), []);
}

#[tokio::test]
async fn who_finds_no_place_waits_in_line_and_says_so() {
    let company = with("at_once: 1", &[]).await;
    let now = company.app.now();
    let other = take(&company, "workflow test", later(now, 3_600)).await;
    for name in ["anna", "bert"] {
        let address = format!("{name}@example.com");
        company.create(&format!("contact/{name}"), &[("name", name), ("email", &address)]).await;
    }
    company.settle().await;
    company.after(10).await;
    assert_eq!(tasks(&company).await, 0);
    let run = company.history(0).await.run;
    expect!["the limit of workflow test: it waits for a place; see `relata limits`"]
        .assert_eq(run.held_up.as_deref().unwrap_or("nothing holds it up"));
    let limits = company.app.limits().await.expect("limits");
    assert_eq!((limits[0].working, limits[0].in_line), (1, 2));
    assert_eq!(company.app.store().run_stranded().await.expect("the database"), []);

    // Whoever ends gives no place back; what it waited for is nobody's any more.
    let id = run.run.parse().expect("an id");
    company.app.cancel(id, "a test").await.expect("it goes on");
    company.settle().await;
    assert_eq!(company.app.limits().await.expect("limits")[0].in_line, 1);

    let now = company.app.now();
    let store = company.app.store();
    let left = store.write(move |tx| {
        Box::pin(async move { tx.limits_leave(other, true, now, later(now, 60)).await })
    });
    left.await.expect("the database");
    company.settle().await;
    assert_eq!(company.standing().await, "test cancelled; test done");
    assert_eq!(company.app.limits().await.expect("limits"), []);
}

/// The host that had the place is gone: the others go on when its time is over.
#[tokio::test]
async fn a_place_that_nobody_gave_back_is_free_after_a_while() {
    let company = with("at_once: 1", &[]).await;
    take(&company, "workflow test", later(company.app.now(), 90)).await;
    company.create("contact/anna", &[("name", "Anna"), ("email", "anna@example.com")]).await;
    company.settle().await;
    company.after(1).await;
    assert_eq!(tasks(&company).await, 0);
    company.after(1).await;
    assert_eq!(tasks(&company).await, 1);
}

#[tokio::test]
async fn each_value_has_its_own_places() {
    let company = with("at_once: 1\n    per: default(contact.country, \"none\")", &[]).await;
    take(
        &company,
        "workflow test, default(contact.country, \"none\") DE",
        later(company.app.now(), 3_600),
    )
    .await;
    for (name, country) in [("anna", "DE"), ("bert", "FR"), ("cleo", "DE")] {
        let address = format!("{name}@example.com");
        company
            .create(
                &format!("contact/{name}"),
                &[("name", name), ("email", &address), ("country", country)],
            )
            .await;
    }
    company.settle().await;
    assert_eq!(company.standing().await, "2 test active; test done");
}

/// Its other branches go on, and their timers.
#[tokio::test]
async fn timers_go_on_while_a_call_waits() {
    let company = Company::with(
        "\
workflow: test
when:
  - created: contact
limits:
  - at_once: 1
steps:
  - parallel:
      - steps:
          - do: task.create
            title: Call
            record: =contact
            due_in: 1 day
      - steps:
          - wait: 30 minutes
          - stop_if: contact.name == \"Anna\"
",
    )
    .await;
    take(&company, "workflow test", later(company.app.now(), 36_000)).await;
    company.create("contact/anna", &[("name", "Anna"), ("email", "anna@example.com")]).await;
    company.settle().await;
    company.after(29).await;
    assert_eq!(company.standing().await, "test active");
    company.after(2).await;
    assert_eq!(company.standing().await, "test stopped");
}

fn later(at: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_second(at.as_second() + seconds).expect("a time")
}

//! Runs that have failed, and go on; and those that bring their host down.

use relata_app::{
    Assignment, RetryRequest,
    store::{RunFilter, RunSearch},
};

use super::company::Company;

const FAILS: &str = "\
workflow: test
when:
  - button: Try
    about: contact
repeat:
  one_per: contact
  again_after: 1 minute
inputs:
  team: team
steps:
  - do: task.create
    title: First
    record: =contact
    due_in: 1 day
    as: first
  - do: assign.round_robin
    team: =team
    as: routed
  - do: task.create
    title: Last
    record: =contact
    due_in: 1 day
";

async fn company(names: &[&str]) -> Company {
    let company = Company::with(FAILS).await;
    for name in names {
        let address = format!("{name}@example.com");
        company.create(&format!("contact/{name}"), &[("name", name), ("email", &address)]).await;
        start(&company, name).await;
    }
    company.settle().await;
    company
}

async fn start(company: &Company, name: &str) {
    let inputs = relata_app::GivenInputs::Text(vec![Assignment {
        field: "team".to_owned(),
        written: "team/dach".to_owned(),
    }]);
    let record = format!("contact/{name}").parse().expect("a reference");
    company.app.start("test", Some(&record), &inputs, "eva").await.expect("a start");
}

async fn kinds(company: &Company, number: usize) -> String {
    let history = company.history(number).await;
    let kinds: Vec<String> =
        history.steps.iter().map(|step| format!("{} {}", step.label, step.kind)).collect();
    kinds.join("\n")
}

fn failed(error: Option<&str>) -> RunSearch {
    RunSearch { error: error.map(str::to_owned), ..RunSearch::default() }
}

#[tokio::test]
async fn a_run_goes_on_at_the_step_that_failed_with_what_it_has_done() {
    let company = company(&["anna"]).await;
    assert_eq!(company.standing().await, "test failed");
    let run = company.runs().await.remove(0).run.parse().expect("an id");
    let again = RetryRequest { why: "eva made the queue".to_owned(), ..RetryRequest::default() };
    let retried = company.app.retry(run, &again).await.expect("it has failed");
    assert_eq!(retried.what, "again at do: assign.round_robin: eva made the queue");
    let twice = company.app.retry(run, &again).await.expect_err("it goes on");
    assert!(twice.to_string().contains("has not ended"), "{twice}");
    // The host goes down before it has moved; nothing is lost.
    let company = company.crash().await;
    company.settle().await;
    assert_eq!(company.standing().await, "test failed");
    assert_eq!(company.app.records_all("task").await.expect("tasks").len(), 1);
    let told = kinds(&company, 0).await;
    assert_eq!(told.matches("do: assign.round_robin retried").count(), 1, "{told}");
    assert_eq!(told.matches("do: task.create done").count(), 1, "{told}");

    // From behind it, the run comes to its end.
    let behind = RetryRequest { from: Some("19".to_owned()), ..RetryRequest::default() };
    company.app.retry(run, &behind).await.expect("it has failed");
    company.settle().await;
    assert_eq!(company.standing().await, "test done");
    assert_eq!(company.app.records_all("task").await.expect("tasks").len(), 2);
    let unknown = RetryRequest { from: Some("frist".to_owned()), ..RetryRequest::default() };
    let why = company.app.retry(run, &unknown).await.expect_err("no such step").to_string();
    assert!(why.starts_with("`test` has no step `frist`; did you mean `first`?\n"), "{why}");
}

#[tokio::test]
async fn many_are_found_by_their_error_and_go_on() {
    let company = company(&["anna", "bert"]).await;
    let app = &company.app;
    let request = RetryRequest::default();
    let none = app.retry_all(failed(Some("no such words")), &request, false).await.expect("runs");
    assert_eq!(none, []);
    let found = app.search_runs(failed(Some("NOBODY")), 9).await.expect("runs");
    assert_eq!(found.len(), 2);
    let text = RunSearch { text: Some("First".to_owned()), ..RunSearch::default() };
    assert_eq!(app.search_runs(text, 9).await.expect("runs").len(), 2);
    let percent = RunSearch { text: Some("100%_".to_owned()), ..RunSearch::default() };
    assert_eq!(app.search_runs(percent, 9).await.expect("runs"), []);
    let filter = RunFilter { since: Some(later(&company)), ..RunFilter::default() };
    let later = RunSearch { filter, ..RunSearch::default() };
    assert_eq!(app.search_runs(later, 9).await.expect("runs"), []);

    let tried = app.retry_all(failed(Some("nobody")), &request, true).await.expect("runs");
    assert_eq!(tried.iter().filter(|row| row.refused.is_none() && !row.done).count(), 2);
    assert_eq!(company.standing().await, "2 test failed");
    // Another run for anna goes on: that one has the place.
    company.after(2).await;
    start(&company, "anna").await;
    let done = app.retry_all(failed(Some("nobody")), &request, false).await.expect("runs");
    let refused: Vec<&str> = done.iter().filter_map(|row| row.refused.as_deref()).collect();
    assert_eq!((done.len(), refused.len()), (2, 1));
    assert!(refused[0].contains("is running for the same; cancel that one first"), "{refused:?}");
    let filter = RunFilter { workflow: Some("test".to_owned()), ..RunFilter::default() };
    let ended = app.cancel_all(RunSearch { filter, ..RunSearch::default() }, "enough", false).await;
    assert_eq!(ended.expect("runs").len(), 2);
    company.settle().await;
    assert_eq!(company.standing().await, "2 test cancelled; test failed");
}

fn later(company: &Company) -> relata_app::model::Timestamp {
    let millis = company.app.now().as_millisecond() + 1;
    relata_app::model::Timestamp::from_millisecond(millis).expect("a time")
}

/// A run whose call brings its host down each time is listed as dead, keeps
/// what it was given, and can be tried again.
#[tokio::test]
async fn a_run_that_is_given_up_is_a_dead_letter() {
    let company = company(&["anna"]).await;
    let id = company.runs().await.remove(0).run.parse().expect("an id");
    company.app.retry(id, &RetryRequest::default()).await.expect("it has failed");
    let store = company.app.store().clone();
    for _ in 0..5 {
        let now = company.app.now();
        let claimed = store.run_claim("crashes", now, 0, 9).await.expect("the database").remove(0);
        store.run_begin(id, claimed.epoch, now).await.expect("it is held");
    }
    let dead = || RunSearch { given_up: true, ..RunSearch::default() };
    assert_eq!(company.app.search_runs(dead(), 9).await.expect("runs"), []);
    company.settle().await;
    let found = company.app.search_runs(dead(), 9).await.expect("runs");
    assert_eq!(found.len(), 1);
    let why = found[0].why.as_deref().expect("a reason");
    assert!(why.contains("it could not be moved on 5 times in a row"), "{why}");
    let history = company.app.run_history(id).await.expect("a history");
    let team = history.inputs.expect("inputs")["team"].to_string();
    assert!(team.contains("team/"), "{team}");
    company.app.retry(id, &RetryRequest::default()).await.expect("it has failed");
    assert_eq!(company.app.search_runs(dead(), 9).await.expect("runs"), []);
}

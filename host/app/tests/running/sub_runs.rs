//! `run:`: a workflow that runs another, and what each knows of the other.

use expect_test::expect;
use relata_app::Running;

use super::company::{Company, named};

/// Has a ticket inspected, and keeps what came of it.
const RETURNS: &str = "\
workflow: returns
when:
  - created: ticket
steps:
  - run: inspect
    with: { item: =ticket, reason: late }
    up_to: 2 days
    as: verdict
  - do: crm.update
    record: =ticket
    set: { category: \"{{ verdict.category }}\" }
";

const INSPECT: &str = "\
workflow: inspect
inputs:
  item: { type: ticket }
  reason: text
steps:
  - wait: 1 hour
  - stop_if: item.priority == \"low\"
  - do: crm.update
    record: =item
    set: { status: solved }
outputs:
  category: \"{{ reason | upper }}\"
";

async fn company(parent: &str, child: &str) -> Company {
    let company = Company::new().await;
    let sources =
        [("parent.yaml", parent), ("child.yaml", child)].map(|(f, s)| (f.to_owned(), s.to_owned()));
    company
        .app
        .activate_all(&sources, "test", Running::Finish)
        .await
        .unwrap_or_else(|why| panic!("{why}"));
    company.create("contact/anna", &[("name", "Anna"), ("email", "anna@example.com")]).await;
    company
}

async fn ticket(company: &Company, ticket: &str, priority: &str) {
    let given = [
        ("customer", "contact/anna"),
        ("subject", "Lamp"),
        ("channel", "mail"),
        ("priority", priority),
    ];
    // A moment later than whatever began before, so that the order is plain.
    company.after(1).await;
    company.create(&format!("ticket/{ticket}"), &given).await;
    company.settle().await;
}

#[tokio::test]
async fn a_run_waits_for_the_one_that_it_started() {
    let company = company(RETURNS, INSPECT).await;
    ticket(&company, "t1", "normal").await;
    expect![[r#"
        returns ticket/t1 active
        inspect - active
    "#]]
    .assert_eq(&company.told().await);

    // Each knows of the other.
    let names = company.names().await;
    let history = company.history(0).await;
    let waits: Vec<String> = history
        .waits
        .iter()
        .map(|wait| {
            format!(
                "{} {} until {}",
                wait.label,
                wait.run.clone().unwrap(),
                wait.until.clone().unwrap()
            )
        })
        .collect();
    let waits = named(&waits.join("\n"), &names);
    expect!["run: inspect run 2 until 2026-12-16T07:01:00Z"].assert_eq(&waits);
    assert_eq!(history.children.len(), 1);
    let child = company.history(1).await;
    assert_eq!(child.run.parent.as_deref(), Some(history.run.run.as_str()));
    let given = named(&child.inputs.expect("inputs").to_string(), &names);
    assert_eq!(given, r#"{"item":"ticket/t1","reason":"late"}"#);

    // Whatever becomes of the host meanwhile.
    let company = company.crash().await;
    company.after(60).await;
    expect![[r#"
        returns ticket/t1 done
        inspect - done
    "#]]
    .assert_eq(&company.told().await);
    let outputs = company.history(1).await.run.outputs.expect("outputs");
    assert_eq!(outputs.to_string(), r#"{"category":"LATE"}"#);
    assert_eq!(company.field("ticket/t1", "category").await, "LATE");

    // One that is stopped has nothing to yield: the step fails.
    ticket(&company, "t2", "low").await;
    // One whose parent is ended.
    ticket(&company, "t3", "normal").await;
    let runs = company.runs().await;
    let parent = runs.iter().rfind(|run| run.workflow == "returns").expect("a run");
    let parent = parent.run.parse().expect("an id");
    company.app.cancel(parent, "not needed").await.expect("it goes on");
    company.settle().await;
    company.after(60).await;
    // One that cannot begin.
    company.app.deactivate("inspect").await.expect("it was active");
    ticket(&company, "t4", "normal").await;
    let told = company.told().await;
    let rest: String = told.split_inclusive('\n').skip(2).collect();
    expect![[r#"
        returns ticket/t2 failed: run: inspect (line 5): the workflow `inspect` (run 4) stopped: stop_if item.priority == "low": item.priority = low
        inspect - stopped: stop_if item.priority == "low": item.priority = low
        returns ticket/t3 cancelled: not needed
        inspect - cancelled: run 5, which started it, no longer waits for it
        returns ticket/t4 failed: run: inspect (line 5): the workflow `inspect` was not started: no workflow of this name is active; activate it first
    "#]]
    .assert_eq(&rest);
}

#[tokio::test]
async fn a_run_that_takes_too_long_is_cancelled_and_its_step_goes_on() {
    let patient = RETURNS.replace(
        "up_to: 2 days",
        "up_to: 30 minutes\n    if_it_fails: { use: { category: unknown } }",
    );
    let company = company(&patient, INSPECT).await;
    ticket(&company, "t1", "normal").await;
    company.after(60).await;
    expect![[r#"
        returns ticket/t1 done
        inspect - cancelled: run 1, which started it, no longer waits for it
    "#]]
    .assert_eq(&company.told().await);
    assert_eq!(company.field("ticket/t1", "category").await, "unknown");
    assert_eq!(company.field("ticket/t1", "status").await, "new");
}

#[tokio::test]
async fn the_end_of_a_run_is_the_end_of_all_that_it_started() {
    let parent = "\
workflow: each
when:
  - button: Go
steps:
  - for_each: =[1, 2, 3, 4, 5, 6]
    as: number
    at_once: 4
    steps:
      - run: long
        with: { number: =number }
finally:
  - wait: 1 hour
";
    let child = "\
workflow: long
inputs: { number: number }
repeat: { one_per: number }
steps:
  - wait: 3 hours
";
    let company = company(parent, child).await;
    let none = relata_app::GivenInputs::Json(serde_json::Map::new());
    company.app.start("each", None, &none, "test").await.expect("a start");
    company.settle().await;
    assert_eq!(company.standing().await, "each active; 4 long active");
    // Those that are done make room for the next ones.
    company.after(3 * 60).await;
    assert_eq!(company.standing().await, "each active; 2 long active; 4 long done");

    let parent = company.runs().await[0].run.parse().expect("an id");
    company.app.cancel(parent, "enough").await.expect("it goes on");
    company.settle().await;
    assert_eq!(company.standing().await, "each active; 2 long cancelled; 4 long done");
    // Its `finally` runs; to ask once more ends that too.
    company.app.cancel(parent, "at once").await.expect("it goes on");
    company.settle().await;
    let told = company.told().await;
    expect!["each - cancelled: enough; then finally was cancelled: at once"]
        .assert_eq(told.lines().next().unwrap_or_default());
}

#[tokio::test]
async fn a_place_that_is_taken_is_told_to_the_step() {
    let parent = "workflow: twice\nwhen:\n  - button: Go\nsteps:\n  - parallel:\n      - steps:\n          - run: long\n            with: { number: 1 }\n      - steps:\n          - run: long\n            with: { number: 1 }\n            if_it_fails: { use: {} }\n";
    let child = "workflow: long\ninputs: { number: number }\nrepeat: { one_per: number }\nsteps:\n  - wait: 3 hours\n";
    let company = company(parent, child).await;
    let none = relata_app::GivenInputs::Json(serde_json::Map::new());
    company.app.start("twice", None, &none, "test").await.expect("a start");
    company.settle().await;
    expect![[r#"
        twice - active
        long - active
    "#]]
    .assert_eq(&company.told().await);
    let names = company.names().await;
    let history = company.history(0).await;
    let refused: Vec<String> = history
        .steps
        .iter()
        .filter(|step| step.rounds == "2")
        .filter_map(|step| step.why.as_ref()?.as_str().map(|why| named(why, &names)))
        .collect();
    expect!["failed (the workflow `long` was not started: run 2 is still running for the same 1); goes on with `if_it_fails`"].assert_eq(&refused.join("\n"));
}

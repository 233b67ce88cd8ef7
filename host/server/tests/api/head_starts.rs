//! Runs that begin before their event is written: which do, and that nobody can
//! tell.

use expect_test::expect;

use crate::served::{PAID, Served, json as answer};

const WAIT: &str = "/v1/events?wait=run&timeout=300";

const ORDER: &str = r#"{"name": "order.paid", "about": ["order/O-1"]}"#;

/// A run that does this for an order that is paid.
fn paid(steps: &str) -> String {
    format!("workflow: thank-you\nwhen:\n  - event: order.paid\nsteps:\n{steps}")
}

/// A company with orders, whose host moves runs (it takes a moment to load the
/// plugins) and has seen to all events: else the next one would have to wait for its
/// turn.
async fn at_work(workflow: &str, orders: u32) -> Served {
    let served = Served::start(&[workflow]).await;
    for number in 1..=orders {
        served.order(&format!("O-{number}")).await;
    }
    // An event for which nobody waits is seen by the loops, and after those before it.
    let event = answer(served.post("/v1/events", r#"{"name": "survey.answered"}"#)).await;
    let event = format!("/v1/events/{}", event["event"].as_str().unwrap());
    while answer(served.get(&event)).await["done"] != true {}
    served
}

/// How many runs had a head start.
async fn head_starts(served: &Served) -> u32 {
    let metrics = served.look("/metrics").await.1;
    let line = metrics.lines().find_map(|line| line.strip_prefix("relata_run_head_starts_total "));
    line.unwrap().parse().unwrap()
}

/// What the run of the order did until it has ended or waits for something: a line a
/// step.
async fn told(served: &Served) -> String {
    let run = loop {
        let runs = answer(served.get("/v1/runs")).await;
        if let Some(run) = runs["runs"].as_array().unwrap().first() {
            let path = format!("/v1/runs/{}", run["run"].as_str().unwrap());
            let run = answer(served.get(&path)).await;
            let last = run["steps"].as_array().unwrap().last().unwrap();
            if run["status"] != "active" || last["kind"] == "waiting" {
                break run;
            }
        }
    };
    let anna = served.app.record(&"contact/anna".parse().unwrap()).await.unwrap().reference;
    let mut lines = String::new();
    for step in run["steps"].as_array().unwrap() {
        let text = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
        let line = [text("label"), text("kind"), text("error")].join(" ");
        lines += &format!("    {}\n", line.trim());
    }
    lines.replace(&anna.to_string(), "contact/anna")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_for_which_somebody_waits_begins_before_its_event_is_written() {
    let done = "  - do: crm.update
    record: =order
    set: { status: paid }
  - do: crm.create
    object: task
    set: { title: Thank, assignee: queue/unassigned }
";
    let refused = "  - do: crm.update
    record: =order
    set: { status: paid }
  - do: crm.create
    object: contact
    set: { name: Another, external_id: anna }
";
    let sleeps = "  - wait: 1 day
  - do: crm.update
    record: =order
    set: { status: paid }
";
    let listens = "  - do: crm.update
    record: =order
    set: { status: paid }
  - wait_for: { changed: order.status, to: shipped }
    up_to: 1 day
";
    let sends = "  - do: mail.send
    to: =order.contact
    template: welcome
";
    // Its own action has to be alone; the one before it has not.
    let keeps_values = "  - do: crm.update
    record: =order
    set: { status: paid }
  - do: assign.least_busy
    team: support
";
    let mut lines = String::new();
    for (what, path, steps) in [
        ("done", WAIT, done),
        ("sends", WAIT, sends),
        ("a plugin that keeps values", WAIT, keeps_values),
        ("nobody waits", "/v1/events", done),
        ("refused as it is written", WAIT, refused),
        ("sleeps", "/v1/events?wait=run&timeout=0.5", sleeps),
        ("listens", "/v1/events?wait=run&timeout=0.5", listens),
    ] {
        let served = at_work(&paid(steps), 1).await;
        answer(served.post(path, ORDER)).await;
        lines += &format!("{what}: {}\n", head_starts(&served).await);
        lines += &told(&served).await;
        served.stop().await;
    }
    expect![[r#"
        done: 1
            started
            do: crm.update done
            do: crm.create done
            ended
        sends: 1
            started
            do: mail.send done
            ended
        a plugin that keeps values: 0
            started
            do: crm.update done
            do: assign.least_busy attempt_failed plugin `assign`, action `least_busy`: nobody in team Support can take a lead: it has no members. Give the step a `fallback_user`, or the workflow an `on_error`
            do: assign.least_busy failed plugin `assign`, action `least_busy`: nobody in team Support can take a lead: it has no members. Give the step a `fallback_user`, or the workflow an `on_error`
            ended
        nobody waits: 0
            started
            do: crm.update done
            do: crm.create done
            ended
        refused as it is written: 0
            started
            do: crm.update done
            do: crm.create attempt_failed crm.create: what it wrote was refused: external_id: `anna` belongs to contact/anna already
            do: crm.create failed crm.create: what it wrote was refused: external_id: `anna` belongs to contact/anna already
            ended
        sleeps: 1
            started
            wait: 1 day waiting
        listens: 0
            started
            do: crm.update done
            wait_for: changed order.status waiting
    "#]].assert_eq(&lines);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_begin_at_once_each_with_its_event() {
    let count = 24;
    let served = at_work(PAID, count).await;
    let send = |number| {
        let body = format!(r#"{{"name": "order.paid", "about": ["order/O-{number}"]}}"#);
        answer(served.post(WAIT, &body))
    };
    let answers = futures::future::join_all((1..=count).map(send)).await;
    for (answer, number) in answers.iter().zip(1..) {
        assert_eq!(answer["runs"][0]["outputs"]["ref"], format!("O-{number}"), "{answer}");
    }
    let mut tasks = served.tasks().await;
    tasks.sort();
    let mut expected: Vec<_> = (1..=count).map(|number| format!("Thank for O-{number}")).collect();
    expected.sort();
    assert_eq!(tasks, expected);
    assert_eq!(head_starts(&served).await, count);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_write_to_one_record_at_once_come_one_after_the_other() {
    let steps = r#"  - do: crm.update
    record: =order
    set: { amount: "1 EUR" }
  - do: crm.update
    record: =order
    set: { amount: "2 EUR" }
"#;
    let served = at_work(&paid(steps), 1).await;
    let count = 24;
    let answers = futures::future::join_all((0..count).map(|_| answer(served.post(WAIT, ORDER))));
    for answer in answers.await {
        assert_eq!(answer["runs"][0]["status"], "done", "{answer}");
    }
    // Each has found the order as the one before it had left it.
    let timeline = answer(served.get("/v1/records/order/O-1/timeline")).await;
    let changes: Vec<_> = timeline["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry| entry["what"].as_str().unwrap().split_once("amount: "))
        .map(|(_, change)| change.trim_end_matches(')'))
        .collect();
    let mut expected = ["2.00 EUR -> 1.00 EUR", "1.00 EUR -> 2.00 EUR"].repeat(count);
    expected[0] = "(empty) -> 1.00 EUR";
    assert_eq!(changes, expected);
    served.stop().await;
}

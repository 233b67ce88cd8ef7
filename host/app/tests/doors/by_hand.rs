use expect_test::expect;
use relata_app::{
    Assignment, GivenInputs,
    model::{Reference, Value},
};
use serde_json::{Value as Json, json};

use super::company::{Company, given_to, text, without_ids};

const OFFER: &str = "\
workflow: discount-offer
title: Offer a discount
when:
  - button: Offer a discount
    about: contact
inputs:
  percent: number
  reason: { type: text, default: none given }
  item: { type: order }
only_if:
  - percent <= 20
  - contact.tier == \"gold\"
repeat: { one_per: contact, again_after: 30 days }
steps:
  - do: task.create
    record: =contact
    assignee: queue/unassigned
    title: Call {{ contact.name }}
    due_in: 48 hours
";

async fn with_button() -> Company {
    let company = Company::new().await;
    company.activate(OFFER).await;
    company.create("contact", &[("name", "Anna"), ("external_id", "anna"), ("tier", "gold")]).await;
    company.create("contact", &[("name", "Ben"), ("external_id", "ben")]).await;
    company.create("order", &[("external_id", "o1"), ("ref", "O-1"), ("contact", "anna")]).await;
    company
}

fn record(written: &str) -> Reference {
    written.parse().unwrap()
}

fn given(pairs: &[&str]) -> GivenInputs {
    let assignment = |pair: &&str| {
        let (field, written) = pair.split_once('=').unwrap();
        Assignment { field: field.to_owned(), written: written.to_owned() }
    };
    GivenInputs::Text(pairs.iter().map(assignment).collect())
}

#[tokio::test]
async fn a_button_starts_a_run_with_typed_inputs() {
    let company = with_button().await;
    let inputs = given(&["percent=12.5", "item=o1"]);
    let anna = record("contact/anna");
    let start =
        company.app.start("discount-offer", Some(&anna), &inputs, "user/mara").await.unwrap();
    let run = start.run.unwrap().parse().unwrap();
    let stored = company.app.store().run_fetch(run).await.unwrap().unwrap();
    let order = company.app.record(&record("order/o1")).await.unwrap().reference;
    assert_eq!(given_to(&stored, "percent"), &Value::Number("12.5".parse().unwrap()));
    assert_eq!(given_to(&stored, "reason"), &text("none given"));
    assert_eq!(given_to(&stored, "item"), &Value::Reference(order));

    company.settle().await;
    assert_eq!(company.runs().await, ["discount-offer done"]);
    assert_eq!(company.tasks().await, ["Call Anna"]);
    let timeline = company.app.timeline(&anna).await.unwrap();
    let entry = timeline.iter().find(|entry| entry.by == "user/mara").unwrap();
    assert!(entry.what.contains("discount-offer"), "{}", entry.what);
}

#[tokio::test]
async fn inputs_come_as_json_too() {
    let company = with_button().await;
    let Json::Object(fields) = json!({ "percent": 5, "item": "order/o1" }) else { panic!() };
    let start = company
        .app
        .start("discount-offer", Some(&record("contact/anna")), &GivenInputs::Json(fields), "test")
        .await
        .unwrap();
    assert!(start.run.is_some());
}

#[tokio::test]
async fn what_the_workflow_says_of_who_gets_it_holds_by_hand_too() {
    let company = with_button().await;
    let inputs = given(&["percent=5", "item=o1"]);
    let mut told = Vec::new();
    for (who, inputs) in [
        ("contact/anna", &given(&["percent=25", "item=o1"])),
        ("contact/anna", &inputs),
        ("contact/anna", &inputs),
        ("contact/ben", &inputs),
    ] {
        let start =
            company.app.start("discount-offer", Some(&record(who)), inputs, "test").await.unwrap();
        assert_eq!(start.run.is_none(), start.why.is_some());
        told.push(start.why.map_or_else(|| "began".to_owned(), |why| without_ids(&why)));
        company.settle().await;
    }
    expect![[r#"
        only_if does not hold: percent = 25
        began
        run_… was there for the same contact/…, counted at 2026-12-14T07:00:00Z: again_after has not gone by
        only_if does not hold: contact.tier = standard"#]].assert_eq(&told.join("\n"));
    let kept = company.not_started().await;
    assert_eq!(kept.len(), 3, "{kept:?}");
    let why = company.app.why_not("discount-offer", &record("contact/ben")).await.unwrap();
    assert!(why[0].why.contains("only_if"), "{why:?}");
}

#[tokio::test]
async fn every_mistake_is_told_at_once_and_nothing_is_kept() {
    let company = with_button().await;
    let anna = record("contact/anna");
    let mut told = Vec::new();
    for (workflow, who, inputs) in [
        ("discount-ofer", Some(&anna), given(&["percent=5", "item=o1"])),
        ("discount-offer", None, given(&["percent=5", "item=o1"])),
        ("discount-offer", Some(&record("order/o1")), given(&["percent=5", "item=o1"])),
        ("discount-offer", Some(&record("contact/zoe")), given(&["percent=5", "item=o1"])),
        ("discount-offer", Some(&anna), given(&["percent=five", "item=o2", "percnt=5"])),
        ("discount-offer", Some(&anna), given(&[])),
    ] {
        let why = company.app.start(workflow, who, &inputs, "test").await.unwrap_err();
        assert!(why.is_wrong_input());
        told.push(without_ids(&why.to_string()));
    }
    expect![[r#"
        no workflow `discount-ofer` is active; did you mean `discount-offer`?
        discount-offer is about a contact; say which one: `relata start discount-offer contact/…`
        discount-offer is about a contact, and order/o1 is none
        there is no contact `zoe`
        discount-offer cannot start with this:
          percent: takes a number, not `five`
          item: names the order `o2`, which is not there; create it first
          percnt: is no input; did you mean `percent`?
        its inputs are
          percent: a number
          reason: text, `none given` if left out
          item: a record of order
        discount-offer cannot start with this:
          percent: is missing; it takes a number
          item: is missing; it takes a record of order
        its inputs are
          percent: a number
          reason: text, `none given` if left out
          item: a record of order"#]]
    .assert_eq(&told.join("\n"));
    assert_eq!(company.runs().await, [""; 0]);
    assert_eq!(company.not_started().await, [""; 0]);
}

#[tokio::test]
async fn only_what_has_a_button_or_no_trigger_is_started_by_hand() {
    let company = Company::new().await;
    company
        .activate("workflow: greet\ntitle: Greet\nwhen:\n  - created: contact\nsteps:\n  - wait: 1 hour\n")
        .await;
    company.activate("workflow: report\ninputs:\n  month: { type: text, optional: true }\nsteps:\n  - wait: 1 hour\n").await;
    company.create("contact", &[("name", "Anna"), ("external_id", "anna")]).await;
    let anna = record("contact/anna");
    let start = company.app.start("greet", Some(&anna), &given(&[]), "test").await;
    expect!["greet starts by itself; for a start by hand add `- button: Greet` to its `when:`, and activate it again"].assert_eq(&start.unwrap_err().to_string());
    let refused = company.app.start("report", Some(&anna), &given(&[]), "test").await;
    expect!["report is about no record; leave contact/anna out, or give it as an input"]
        .assert_eq(&refused.unwrap_err().to_string());
    let start = company.app.start("report", None, &given(&[]), "test").await.unwrap();
    assert!(start.run.is_some());

    company.activate(OFFER).await;
    let doors: Vec<String> = company
        .app
        .workflows()
        .await
        .unwrap()
        .into_iter()
        .map(|row| format!("{}: {:?}", row.workflow, row.doors))
        .collect();
    expect![[r#"
        discount-offer: Doors { buttons: [ButtonView { label: "Offer a discount", about: Some("contact") }], webhooks: [], by_hand: true }
        greet: Doors { buttons: [], webhooks: [], by_hand: false }
        report: Doors { buttons: [], webhooks: [], by_hand: true }"#]].assert_eq(&doors.join("\n"));
}

#[tokio::test]
async fn a_start_waits_its_turn_where_the_workflow_says_queue() {
    let company = Company::new().await;
    company
        .activate(
            "\
workflow: call
when:
  - button: Call
    about: contact
inputs:
  percent: number
repeat: { one_per: contact, again_after: 1 minute, while_running: queue }
steps:
  - wait: 1 hour
",
        )
        .await;
    company.create("contact", &[("name", "Anna"), ("external_id", "anna")]).await;
    let anna = record("contact/anna");
    for (percent, waits) in [("percent=1", false), ("percent=2", true)] {
        let start =
            company.app.start("call", Some(&anna), &given(&[percent]), "test").await.unwrap();
        assert_eq!((start.run.is_some(), start.waits), (!waits, waits), "{start:?}");
        company.settle().await;
    }
    assert_eq!(company.runs().await, ["call active"]);
    company.advance("2026-12-14T08:30:00Z").await;
    assert_eq!(company.runs().await, ["call done", "call active"]);
    // The second one begins with what it was given.
    let filter = relata_app::store::RunFilter::default();
    let last = company.app.store().run_list(&filter, 10).await.unwrap().pop().unwrap();
    assert_eq!(given_to(&last, "percent"), &Value::Number(2.into()));
}

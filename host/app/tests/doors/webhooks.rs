use expect_test::expect;
use relata_app::{
    Secret, WebhookCall, WebhookError, WebhookReceipt,
    model::{FieldError, Value},
    store::{NewVersion, RunFilter},
};

use super::company::{Company, given_to};

/// Anybody may call.
const ORDERS: &str = "\
workflow: shop-order
when:
  - webhook: shop
    unsigned: true
inputs:
  number: number
  customer: { type: contact }
steps:
  - wait: 1 hour
";

async fn open() -> Company {
    let company = Company::new().await;
    company.activate(ORDERS).await;
    company.create("contact", &[("name", "Anna"), ("external_id", "anna")]).await;
    company
}

async fn call(
    company: &Company,
    id: Option<&str>,
    body: &str,
) -> Result<WebhookReceipt, WebhookError> {
    let call = WebhookCall { name: "shop", id, body: body.as_bytes(), ..WebhookCall::default() };
    company.app.receive_webhook(call).await
}

const BODY: &str = r#"{"number": 7, "customer": "anna", "colour": "red"}"#;

#[tokio::test]
async fn what_was_taken_in_starts_a_run_after_a_crash_too() {
    let company = open().await;
    let receipt = call(&company, Some("msg_1"), BODY).await.unwrap();
    assert_eq!((receipt.repeated, receipt.ignored.as_slice()), (false, &["colour".to_owned()][..]));
    // The host goes down before it comes to it.
    let company = company.reopened().await;
    assert_eq!(company.runs().await, [""; 0]);
    let again = call(&company, Some("msg_1"), BODY).await.unwrap();
    assert_eq!((again.event, again.repeated), (receipt.event, true));
    company.settle().await;
    let again = call(&company, Some("msg_1"), BODY).await.unwrap();
    assert_eq!((again.event, again.repeated), (receipt.event, true));
    company.settle().await;
    assert_eq!(company.runs().await, ["shop-order active"]);
    let filter = RunFilter::default();
    let run = company.app.store().run_list(&filter, 10).await.unwrap().pop().unwrap();
    assert_eq!(given_to(&run, "number"), &Value::Number(7.into()));
    assert!(matches!(given_to(&run, "customer"), Value::Reference(_)));
    let event = company.app.store().event_fetch(receipt.event).await.unwrap().unwrap();
    assert_eq!(event.actor, "webhook/shop");
}

#[tokio::test]
async fn without_an_id_each_call_is_another_one() {
    let company = open().await;
    let first = call(&company, None, BODY).await.unwrap();
    let second = call(&company, Some("  "), BODY).await.unwrap();
    assert_ne!(first.event, second.event);
    company.settle().await;
    assert_eq!(company.runs().await.len(), 2);
}

#[tokio::test]
async fn a_body_that_does_not_fit_is_told_in_full_and_not_kept() {
    let company = open().await;
    let mut told = Vec::new();
    let long = "x".repeat(300);
    for (id, body) in [
        (None, ""),
        (None, "{\"number\": 7,"),
        (None, "[1]"),
        (None, "7"),
        (None, "number=7"),
        (None, r#"{"number": "7", "customer": "zoe"}"#),
        (None, "{}"),
        (Some(long.as_str()), BODY),
    ] {
        let why = call(&company, id, body).await.unwrap_err();
        let errors: Vec<String> = match &why {
            WebhookError::Inputs(wrong) => wrong.iter().map(FieldError::to_string).collect(),
            _ => Vec::new(),
        };
        told.push(format!("{why} {}", errors.join(" | ")).trim_end().to_owned());
    }
    expect![[r#"
        the body is empty; send a JSON object, such as {}
        the body is not JSON (EOF while parsing a value at line 1 column 13); send a JSON object, such as {}
        the body is a JSON list; send a JSON object, such as {}
        the body is a single JSON value; send a JSON object, such as {}
        the body is not JSON (expected ident at line 1 column 3); send a JSON object, such as {}
        the body is not what the workflow takes number: takes a number, not `"7"`; write it without quotes | customer: names the contact `zoe`, which is not there; create it first
        the body is not what the workflow takes number: is missing; it takes a number | customer: is missing; it takes a record of contact
        the header webhook-id is longer than 256 characters"#]].assert_eq(&told.join("\n"));
    assert!(
        company
            .app
            .store()
            .event_pending(100)
            .await
            .unwrap()
            .iter()
            .all(|event| { !event.describe().contains("webhook") })
    );
}

#[tokio::test]
async fn a_run_that_does_not_start_says_why() {
    let company = open().await;
    call(&company, None, BODY).await.unwrap();
    // Between the answer and the start the workflow has got another input.
    company.activate(&ORDERS.replace("number: number", "colour: number")).await;
    company.settle().await;
    assert_eq!(company.runs().await, [""; 0]);
    expect![[r#"shop-order: its inputs are wrong: colour: takes a number, not `"red"`"#]]
        .assert_eq(&company.not_started().await.join("\n"));
}

#[tokio::test]
async fn a_webhook_that_is_not_set_up_takes_nothing_in() {
    let company = open().await;
    let name = WebhookCall { name: "shops", body: b"{}", ..WebhookCall::default() };
    assert!(matches!(company.app.receive_webhook(name).await, Err(WebhookError::Unknown)));
    let secret = |text| company.app.set_secret("shop-webhook", &Secret::new(text)).unwrap();
    secret("hunter2");
    company.activate(&ORDERS.replace("unsigned: true", "secret: shop-webhook")).await;
    company.app.remove_secret("shop-webhook").unwrap();
    assert!(matches!(call(&company, None, "{}").await, Err(WebhookError::NotSetUp)));
    secret("hunter2");
    assert!(matches!(call(&company, None, "{}").await, Err(WebhookError::NotSetUp)));
    secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    assert!(matches!(call(&company, None, "{}").await, Err(WebhookError::Signature)));

    // One workflow must not open the door of another. The check of workflows
    // forbids it; two that are activated at once may come past it.
    let active = company.app.store().workflow_active().await.unwrap().pop().unwrap();
    let compiled = active.compiled.replace("shop-order", "shop-report");
    let other = NewVersion {
        name: "shop-report".to_owned(),
        digest: "other".to_owned(),
        source: active.source,
        compiled: compiled.replace("\"shop-webhook\"", "null"),
        schedules: Vec::new(),
        actor: "test".to_owned(),
    };
    let now = company.app.now();
    company
        .app
        .store()
        .write(move |tx| Box::pin(async move { tx.workflow_activate(&other, now).await }))
        .await
        .unwrap();
    assert!(matches!(call(&company, None, BODY).await, Err(WebhookError::NotSetUp)));
    assert_eq!(company.runs().await, [""; 0]);
}

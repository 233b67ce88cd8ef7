//! Webhooks over TCP, as another program calls them.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

use std::time::Duration;

use expect_test::expect;
use hmac::{Hmac, KeyInit, Mac};
use relata_app::{App, Running, Secret, store::RunFilter};
use relata_server::Limits;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value as Json;
use sha2::Sha256;

use crate::served::{Served, now, share_compiled_plugins};

/// The key of the secret below, which is that of the standard's examples.
const KEY: [u8; 24] = [
    0x31, 0xf2, 0x90, 0xf6, 0xbf, 0x06, 0x29, 0x8a, 0xab, 0x4f, 0x08, 0xd4, 0x3c, 0x3f, 0x08, 0x2c,
    0xf6, 0x48, 0xa3, 0x62, 0xda, 0x2d, 0xa4, 0xb0,
];
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A workflow that takes a number and a text by a webhook.
const WORKFLOW: &str = "\
workflow: NAME
when:
  - webhook: WEBHOOK
    SIGNED
inputs:
  number: number
  note: { type: text, optional: true }
steps:
  - set: { twice: =number * 2 }
";

/// A company with the webhooks `shop`, which is signed, and `fair`, which is not.
async fn start() -> Served {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    let app = App::create(&root, Some(now())).await.unwrap();
    share_compiled_plugins(&root);
    app.set_secret("shop-webhook", &Secret::new(SECRET)).unwrap();
    app.set_secret("forgotten-webhook", &Secret::new(SECRET)).unwrap();
    activate(&app, "shop-order", "shop", "secret: shop-webhook").await;
    activate(&app, "fair-visit", "fair", "unsigned: true").await;
    activate(&app, "no-secret", "forgotten", "secret: forgotten-webhook").await;
    app.remove_secret("forgotten-webhook").unwrap();
    Served::of(app, folder, Limits::default()).await
}

fn call(served: &Served, webhook: &str, body: &str) -> RequestBuilder {
    served
        .request(Method::POST, &format!("/hooks/{webhook}"))
        .header("content-type", "application/json")
        .body(body.to_owned())
}

/// As a program with the secret signs it.
fn signed(served: &Served, webhook: &str, id: &str, body: &str) -> RequestBuilder {
    let timestamp = now().as_second().to_string();
    let signature = sign(id, &timestamp, body);
    call(served, webhook, body)
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signature)
}

/// The runs, once there are so many of them and all have ended.
async fn runs(served: &Served, many: usize) -> Vec<String> {
    for _ in 0..1_200 {
        let runs = served.app.runs(RunFilter::default(), 100).await.unwrap();
        if runs.len() >= many && runs.iter().all(|run| run.status != "active") {
            return runs.into_iter().map(|run| run.workflow).collect();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("there are no {many} runs that have ended");
}

fn sign(id: &str, timestamp: &str, body: &str) -> String {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&KEY).unwrap();
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    let tag = mac.finalize().into_bytes();
    format!("v1,{}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, tag))
}

async fn activate(app: &App, name: &str, webhook: &str, signed: &str) {
    let source =
        WORKFLOW.replace("NAME", name).replace("WEBHOOK", webhook).replace("SIGNED", signed);
    let activated = app.activate("test.yaml", &source, "test", Running::Finish).await;
    activated.unwrap_or_else(|why| panic!("{why}"));
}

/// `404 application/problem+json not-found: …`, and what is wrong.
async fn told(response: Response) -> String {
    let status = response.status().as_u16();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    let body: Json = response.json().await.unwrap();
    assert_eq!(body["status"], status);
    let mut text = format!(
        "{status} {kind} {}: {}",
        body["code"].as_str().unwrap(),
        body["detail"].as_str().unwrap()
    );
    for error in body["errors"].as_array().into_iter().flatten() {
        let part = |name: &str| error[name].as_str().unwrap().to_owned();
        text.push_str(&format!("\n    {}: {}", part("field"), part("why")));
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_call_starts_one_run_however_often_it_comes() {
    let served = start().await;
    let body = r#"{ "number": 7, "note": "by bicycle", "colour": "red" }"#;
    let response = signed(&served, "shop", "msg_1", body).send().await.unwrap();
    assert_eq!(response.status(), 202);
    let first: Json = response.json().await.unwrap();
    assert!(first["event"].as_str().unwrap().starts_with("evt_"), "{first}");
    assert_eq!(first["repeated"], false);
    assert_eq!(first["ignored"], serde_json::json!(["colour"]));
    assert_eq!(runs(&served, 1).await, ["shop-order"]);

    let response = signed(&served, "shop", "msg_1", body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let again: Json = response.json().await.unwrap();
    assert_eq!((&again["event"], &again["repeated"]), (&first["event"], &Json::Bool(true)));

    // Several signatures: the secret is being changed.
    let timestamp = now().as_second().to_string();
    let several = format!("v1,bm8= {}", sign("msg_2", &timestamp, body));
    let response = call(&served, "shop", body)
        .header("webhook-id", "msg_2")
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", several)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 202);
    assert_eq!(runs(&served, 2).await, ["shop-order", "shop-order"]);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_it_is_unsigned_anybody_may_call() {
    let served = start().await;
    for (id, status) in [(None, 202), (Some("a"), 202), (Some("a"), 200), (None, 202)] {
        let mut request = call(&served, "fair", r#"{"number": 1}"#);
        if let Some(id) = id {
            request = request.header("webhook-id", id);
        }
        assert_eq!(request.send().await.unwrap().status(), status, "{id:?}");
    }
    assert_eq!(runs(&served, 3).await.len(), 3);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_told_and_starts_nothing() {
    let served = start().await;
    let fine = r#"{"number": 1}"#;
    let old = (now().as_second() - 301).to_string();
    let long = format!("{{\"number\": 1, \"note\": \"{}\"}}", "x".repeat(1 << 20));
    let calls = [
        ("unknown", signed(&served, "shops", "m", fine)),
        ("no name", served.request(Method::POST, "/hooks/")),
        ("not POST", served.request(Method::GET, "/hooks/shop")),
        ("no signature", call(&served, "shop", fine)),
        ("a wrong signature", signed(&served, "shop", "m", fine).body(r#"{"number": 2}"#)),
        (
            "too old",
            call(&served, "shop", fine)
                .header("webhook-id", "m")
                .header("webhook-signature", sign("m", &old, fine))
                .header("webhook-timestamp", &old),
        ),
        ("no secret yet", signed(&served, "forgotten", "m", fine)),
        ("empty", signed(&served, "shop", "m", "")),
        ("a form", signed(&served, "shop", "m", "number=1")),
        ("a list", signed(&served, "shop", "m", "[1]")),
        ("wrong values", signed(&served, "shop", "m", r#"{"number": "1", "note": 2, "other": 3}"#)),
        ("missing", signed(&served, "shop", "m", r#"{"numbr": 1}"#)),
        ("too long", signed(&served, "shop", "m", &long)),
    ];
    let mut lines = Vec::new();
    for (what, request) in calls {
        lines.push(format!("{what}: {}", told(request.send().await.unwrap()).await));
    }
    expect![[r#"
        unknown: 404 application/problem+json not-found: there is no such webhook as `shops`
        no name: 404 application/problem+json not-found: there is nothing at /hooks/
        not POST: 405 application/problem+json wrong-method: /hooks/shop does not take GET
        no signature: 401 application/problem+json signature: the signature is missing, wrong or too old
        a wrong signature: 401 application/problem+json signature: the signature is missing, wrong or too old
        too old: 401 application/problem+json signature: the signature is missing, wrong or too old
        no secret yet: 503 application/problem+json not-set-up: this webhook is not set up yet
        empty: 400 application/problem+json no-object: the body is empty; send a JSON object, such as {}
        a form: 400 application/problem+json no-object: the body is not JSON (expected ident at line 1 column 3); send a JSON object, such as {}
        a list: 400 application/problem+json no-object: the body is a JSON list; send a JSON object, such as {}
        wrong values: 400 application/problem+json inputs: the body is not what the workflow takes
            number: takes a number, not `"1"`; write it without quotes
            note: takes text, not `2`; write it in quotes
        missing: 400 application/problem+json inputs: the body is not what the workflow takes
            number: is missing; it takes a number
        too long: 413 application/problem+json too-large: the body is longer than 1024 KiB"#]].assert_eq(&lines.join("\n"));
    // The id of a call that was refused is not used up.
    let response = signed(&served, "shop", "m", fine).send().await.unwrap();
    assert_eq!(response.status(), 202);
    assert_eq!(runs(&served, 1).await, ["shop-order"]);
    served.stop().await;
}

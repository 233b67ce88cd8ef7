//! Webhooks that other programs wish to be called by: what happens reaches
//! them, signed.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use relata_app::{Secret, model::Reference};
use reqwest::Method;
use serde_json::{Value as Json, json};
use sha2::Sha256;
use tokio::net::TcpListener;

use crate::served::{Served, json as answer};

/// That of the examples of <https://www.standardwebhooks.com>.
const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The receiver may lie on this machine.
const INSIDE: &[(&str, &str)] = &[("relata.toml", "\n[http]\nprivate_hosts = [\"127.0.0.1\"]\n")];

/// A program that is called, and what came.
#[derive(Clone, Default)]
struct Receiver {
    calls: Arc<Mutex<Vec<Call>>>,
    /// What it answers; 204 for 0.
    answers: Arc<AtomicU16>,
}

#[derive(Clone, Debug)]
struct Call {
    id: String,
    body: Json,
}

impl Receiver {
    /// Begins to listen; its address.
    async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/told", listener.local_addr().unwrap());
        let routes = Router::new().route("/told", post(called)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        url
    }

    fn answer(&self, status: u16) {
        self.answers.store(status, Ordering::SeqCst);
    }

    /// What came, once so many calls have.
    async fn calls(&self, many: usize) -> Vec<Call> {
        for _ in 0..1_500 {
            let calls = self.calls.lock().unwrap().clone();
            if calls.len() >= many {
                return calls;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("only {:?} came", self.calls.lock().unwrap());
    }
}

/// Takes a call whose signature is right.
async fn called(State(receiver): State<Receiver>, headers: HeaderMap, body: String) -> StatusCode {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let id = header("webhook-id");
    let mut mac: Hmac<Sha256> = KeyInit::new_from_slice(&STANDARD.decode(SECRET).unwrap()).unwrap();
    mac.update(format!("{id}.{}.{body}", header("webhook-timestamp")).as_bytes());
    let right = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(header("webhook-signature"), right);
    let call = Call { id, body: serde_json::from_str(&body).unwrap() };
    receiver.calls.lock().unwrap().push(call);
    match receiver.answers.load(Ordering::SeqCst) {
        0 => StatusCode::NO_CONTENT,
        status => StatusCode::from_u16(status).unwrap(),
    }
}

/// A company with a webhook `shop`, which is told of leads and paid orders.
async fn company(files: &[(&str, &str)]) -> (Served, Receiver) {
    let served = Served::start_as(files, None, None).await;
    served.app.set_secret("shop-out", &Secret::new(format!("whsec_{SECRET}"))).unwrap();
    let receiver = Receiver::default();
    let webhook = json!({
        "url": receiver.listen().await,
        "secret": "shop-out",
        "objects": ["lead"],
        "events": ["order.paid"],
    });
    let made = send(&served, Method::PUT, "/v1/records/webhook/shop", &webhook).await;
    assert_eq!(made["created"], true, "{made}");
    (served, receiver)
}

async fn send(served: &Served, method: Method, path: &str, body: &Json) -> Json {
    let request = served.request(method, path).bearer_auth(&served.secret);
    answer(request.body(body.to_string())).await
}

fn lead(key: &str) -> Json {
    json!({ "name": "Anna", "email": format!("{key}@a.example"), "external_id": key })
}

/// The webhook, once it is as it is to be.
async fn webhook(served: &Served, is: impl Fn(&Json) -> bool) -> Json {
    for _ in 0..1_000 {
        let webhook = answer(served.get("/v1/records/webhook/shop")).await;
        if is(&webhook) {
            return webhook;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{}", answer(served.get("/v1/records/webhook/shop")).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wanted_is_told_signed_and_without_texts() {
    let (served, receiver) = company(INSIDE).await;
    send(&served, Method::POST, "/v1/records/contact", &json!({ "name": "Bo" })).await;
    send(&served, Method::POST, "/v1/records/lead", &lead("a")).await;
    send(&served, Method::PATCH, "/v1/records/lead/a", &json!({ "country": "DE" })).await;
    served.order("O-1").await;
    let paid = json!({ "name": "order.paid", "about": ["order/O-1"], "data": { "by": "card" } });
    send(&served, Method::POST, "/v1/events", &paid).await;
    let calls = receiver.calls(3).await;
    let part = |call: &Call, name: &str| call.body[name].as_str().unwrap().to_owned();
    let mut told: Vec<String> = calls.iter().map(|call| part(call, "type")).collect();
    told.sort();
    assert_eq!(told, ["order.paid", "record.changed", "record.created"]);
    let changed = calls.iter().find(|call| part(call, "type") == "record.changed").unwrap();
    assert_eq!(changed.body["data"]["changed"], json!(["country"]));
    assert_eq!(changed.body["data"]["object"], "lead");
    let paid = calls.iter().find(|call| part(call, "type") == "order.paid").unwrap();
    let about: Reference = paid.body["data"]["about"][0].as_str().unwrap().parse().unwrap();
    assert_eq!(about.object, "order");
    let all = format!("{calls:?}");
    assert!(!all.contains("Anna") && !all.contains("card"), "{all}");
    // It is on the outbox like a mail, once the host has written that it was taken.
    let mut to = Json::Null;
    for _ in 0..250 {
        to = answer(served.get("/v1/outbox?status=sent")).await;
        if to["effects"].as_array().is_some_and(|sent| !sent.is_empty()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(to["effects"][0]["to"].as_str().unwrap().starts_with("webhook/"), "{to}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_is_told_once() {
    let (served, receiver) = company(INSIDE).await;
    let leads: Vec<Json> = (0..500).map(|number| lead(&format!("l{number}"))).collect();
    send(&served, Method::POST, "/v1/records/lead", &Json::from(leads)).await;
    receiver.calls(500).await;
    // Were there more, they would come by now.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let calls = receiver.calls(500).await;
    let ids: BTreeSet<&str> = calls.iter().map(|call| call.id.as_str()).collect();
    let records: BTreeSet<String> =
        calls.iter().map(|call| call.body["data"]["record"].to_string()).collect();
    assert_eq!((calls.len(), ids.len(), records.len()), (500, 500, 500));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_did_not_arrive_is_sent_again_under_the_same_id() {
    let (served, receiver) = company(INSIDE).await;
    // What is no last word elsewhere may be one here.
    receiver.answer(404);
    send(&served, Method::POST, "/v1/records/lead", &lead("a")).await;
    receiver.calls(1).await;
    receiver.answer(0);
    let calls = receiver.calls(2).await;
    assert_eq!(calls[0].id, calls[1].id);
    assert_eq!(calls[0].body, calls[1].body);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_gone_is_told_nothing_until_it_is_active_again() {
    let (served, receiver) = company(INSIDE).await;
    receiver.answer(410);
    send(&served, Method::POST, "/v1/records/lead", &lead("a")).await;
    let gone = webhook(&served, |webhook| webhook["active"] == false).await;
    assert!(gone["reason"].as_str().unwrap().contains("410"), "{gone}");
    let found = served.app.doctor(false).await.unwrap();
    let found = found.iter().find(|finding| finding.code == "webhook-given-up").unwrap();
    assert!(found.what.contains("webhook/shop"), "{found:?}");

    // Meanwhile.
    tokio::time::sleep(Duration::from_secs(3)).await;
    send(&served, Method::POST, "/v1/records/lead", &lead("b")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(receiver.calls(1).await.len(), 1);
    receiver.answer(0);
    let again = json!({ "active": true, "reason": null });
    send(&served, Method::PATCH, "/v1/records/webhook/shop", &again).await;
    let calls = receiver.calls(2).await;
    assert_ne!(calls[0].body["data"]["record"], calls[1].body["data"]["record"]);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_to_where_nobody_said_it_may_be() {
    // Nobody lets requests go to addresses inside.
    let (served, receiver) = company(&[]).await;
    send(&served, Method::POST, "/v1/records/lead", &lead("a")).await;
    let gone = webhook(&served, |webhook| webhook["active"] == false).await;
    assert!(gone["reason"].as_str().unwrap().contains("private"), "{gone}");

    // One that cannot be signed, or is not encrypted, waits and is told of.
    for wrong in [
        json!({ "active": true, "reason": null, "secret": "nothing" }),
        json!({ "active": true, "secret": "shop-out", "url": "http://shop.example/told" }),
    ] {
        send(&served, Method::PATCH, "/v1/records/webhook/shop", &wrong).await;
        let found = served.app.doctor(false).await.unwrap();
        let found = found.iter().find(|finding| finding.code == "webhook-unusable");
        assert!(found.is_some(), "{wrong}");
    }
    assert_eq!(receiver.calls(0).await.len(), 0);
    served.stop().await;
}

//! `POST /v1/events`, with and without waiting, once however often it comes.

use expect_test::expect;
use relata_app::Scope;
use serde_json::{Value as Json, json};

use crate::served::{PAID, Served, json as answer, token, told};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_hears_how_the_runs_ended() {
    let served = Served::start(&[PAID]).await;
    served.order("O-0").await;
    served.order("O-1").await;
    let mut lines = Vec::new();
    for (what, path, body) in [
        (
            "done",
            "/v1/events?wait=run&timeout=300",
            r#"{"name": "order.paid", "about": ["order/O-1"]}"#,
        ),
        (
            "stopped",
            "/v1/events?wait=run&timeout=300",
            r#"{"name": "order.paid", "about": "order/O-0"}"#,
        ),
        ("about nothing", "/v1/events?wait=run&timeout=300", r#"{"name": "order.paid"}"#),
        ("nobody listens", "/v1/events?wait=run&timeout=300", r#"{"name": "survey.answered"}"#),
        ("misspelt", "/v1/events?wait=run&timeout=300", r#"{"name": "order.payed"}"#),
        ("no wait", "/v1/events", r#"{"name": "order.paid", "about": ["order/O-1"]}"#),
        (
            "a batch",
            "/v1/events?wait=run&timeout=300",
            r#"[{"name": "order.paid", "about": ["order/O-1"]}, {"name": "survey.answered"}]"#,
        ),
    ] {
        lines.push(format!("{what}: {}", told(served.post(path, body)).await));
    }
    expect![[r#"
        done: 200 {"done":true,"event":"evt_…","not_started":[],"repeated":false,"runs":[{"outcome":null,"outputs":{"ref":"O-1"},"run":"run_…","status":"done","why":null,"workflow":"thank-you"}]}
        stopped: 200 {"done":true,"event":"evt_…","not_started":[],"repeated":false,"runs":[{"outcome":null,"outputs":null,"run":"run_…","status":"stopped","why":"stop_if order.ref == \"O-0\": order.ref = O-0","workflow":"thank-you"}]}
        about nothing: 200 {"done":true,"event":"evt_…","not_started":[{"waits":false,"why":"order.paid: there is no order that it is about","workflow":"thank-you"}],"repeated":false,"runs":[]}
        nobody listens: 200 {"done":true,"event":"evt_…","not_started":[],"repeated":false,"runs":[]}
        misspelt: 200 {"done":true,"event":"evt_…","not_started":[],"notes":["no object declares the event `order.payed`, so no workflow can wait for it; did you mean `order.paid`?"],"repeated":false,"runs":[]}
        no wait: 202 {"event":"evt_…","repeated":false}
        a batch: 200 {"done":true,"events":[{"done":true,"event":"evt_…","not_started":[],"runs":[{"outcome":null,"outputs":{"ref":"O-1"},"run":"run_…","status":"done","why":null,"workflow":"thank-you"}]},{"done":true,"event":"evt_…","not_started":[],"runs":[]}],"repeated":false}"#]].assert_eq(&lines.join("\n"));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_of_an_event_is_told_later_too() {
    let served = Served::start(&[PAID]).await;
    served.order("O-1").await;
    let body = r#"{"name": "order.paid", "about": ["order/O-1"]}"#;
    let waited = answer(served.post("/v1/events?wait=run&timeout=300", body)).await;
    let event = waited["event"].as_str().unwrap();
    let mut later = answer(served.get(&format!("/v1/events/{event}"))).await;
    later["repeated"] = Json::Bool(false);
    assert_eq!(later, waited);
    expect!["404 not-found: there is no event `evt_1`"]
        .assert_eq(&told(served.get("/v1/events/evt_1")).await);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_makes_a_request_once() {
    let served = Served::start(&[PAID]).await;
    served.order("O-1").await;
    let body = r#"{"name": "order.paid", "about": ["order/O-1"]}"#;
    let send = |path: &str, body: &str| served.post(path, body).header("idempotency-key", "k-1");
    let first = answer(send("/v1/events?wait=run&timeout=300", body)).await;
    assert_eq!(first["runs"][0]["status"], "done");
    // The same again: with and without waiting, by the same words.
    let mut again = answer(send("/v1/events?wait=run&timeout=300", body)).await;
    assert_eq!(again["repeated"], true);
    again["repeated"] = Json::Bool(false);
    assert_eq!(again, first);
    let again = answer(send("/v1/events", body)).await;
    assert_eq!(again, json!({ "event": first["event"], "repeated": true }));
    assert_eq!(served.tasks().await.len(), 1);

    let other = r#"{"name": "order.paid"}"#;
    let quoted = served.post("/v1/events", other).header("idempotency-key", "\"k-1\"");
    let empty = served.post("/v1/events", other).header("idempotency-key", " ");
    let long = served.post("/v1/events", other).header("idempotency-key", "k".repeat(256));
    let of_another = token(&served.app, "other", &[Scope::EventsWrite], &[]).await;
    let of_another = served
        .request(reqwest::Method::POST, "/v1/events")
        .bearer_auth(of_another)
        .header("idempotency-key", "k-1")
        .body(other);
    let lines = [
        told(send("/v1/events", other)).await,
        told(quoted).await,
        told(empty).await,
        told(long).await,
        told(of_another).await,
    ];
    expect![[r#"
        422 key-reused: this Idempotency-Key came with another request before; draw a new key for each request
        422 key-reused: this Idempotency-Key came with another request before; draw a new key for each request
        400 wrong-key: the header Idempotency-Key is empty
        400 wrong-key: the header Idempotency-Key is longer than 255 characters
        202 {"event":"evt_…","repeated":false}"#]].assert_eq(&lines.join("\n"));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_with_one_key_one_is_the_first() {
    let served = Served::start(&[PAID]).await;
    served.order("O-1").await;
    let body = r#"{"name": "order.paid", "about": ["order/O-1"]}"#;
    let all = futures_of(16, || {
        answer(
            served.post("/v1/events?wait=run&timeout=300", body).header("idempotency-key", "k-1"),
        )
    })
    .await;
    let first: Vec<_> = all.iter().filter(|answer| answer["repeated"] == false).collect();
    assert_eq!(first.len(), 1, "{all:?}");
    assert!(all.iter().all(|answer| answer["event"] == first[0]["event"]));
    assert!(all.iter().all(|answer| answer["runs"] == first[0]["runs"]), "{all:?}");
    assert_eq!(served.tasks().await.len(), 1);
    served.stop().await;
}

/// Awaits several at once, in their order.
async fn futures_of<T, F: Future<Output = T>>(many: usize, make: impl Fn() -> F) -> Vec<T> {
    let mut waiting: Vec<_> = (0..many).map(|_| Box::pin(make())).collect();
    let mut done: Vec<Option<T>> = (0..many).map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (place, future) in waiting.iter_mut().enumerate() {
            if done[place].is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                done[place] = Some(value);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_waiters_each_hear_of_their_own_run() {
    let served = Served::start(&[PAID]).await;
    for number in 0..8 {
        served.order(&format!("O-1{number}")).await;
    }
    let bodies: Vec<String> = (0..32)
        .map(|number| {
            let order = number % 8;
            format!(r#"{{"name": "order.paid", "about": ["order/O-1{order}"]}}"#)
        })
        .collect();
    let next = std::cell::Cell::new(0);
    let all = futures_of(bodies.len(), || {
        let body = &bodies[next.replace(next.get() + 1)];
        answer(served.post("/v1/events?wait=run&timeout=300", body))
    })
    .await;
    for (number, answer) in all.iter().enumerate() {
        assert_eq!(answer["done"], true, "{answer}");
        assert_eq!(answer["runs"][0]["outputs"]["ref"], format!("O-1{}", number % 8), "{answer}");
    }
    assert_eq!(served.tasks().await.len(), 32);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_is_wrong_is_told_and_nothing_is_taken_in() {
    let served = Served::start(&[]).await;
    served.order("O-1").await;
    let events = served.app.event_backlog();
    let many = format!("[{}]", vec![r#"{"name": "a"}"#; 1_001].join(","));
    let calls = [
        ("empty", "/v1/events", ""),
        ("a form", "/v1/events", "name=order.paid"),
        ("no event", "/v1/events", "7"),
        ("an empty batch", "/v1/events", "[]"),
        ("too many", "/v1/events", many.as_str()),
        (
            "wrong fields",
            "/v1/events",
            r#"{"nam": "x", "about": ["anna", 7, "order/O-2", "ordr/O-1"], "data": [], "key": "", "at": "soon"}"#,
        ),
        (
            "a batch",
            "/v1/events",
            r#"[{"name": "order.paid"}, {"name": "Order Paid"}, "x", {"name": "a.b", "at": "2026-12-14T08:00:00Z"}]"#,
        ),
        ("names of ours", "/v1/events", r#"[{"name": "webhook:x"}, {"name": "run.ended"}]"#),
        ("wait for what", "/v1/events?wait=all", "{}"),
        ("how long", "/v1/events?wait=run&timeout=soon", "{}"),
        ("misspelt", "/v1/events?await=run&timeout=300", "{}"),
    ];
    let mut lines = Vec::new();
    for (what, path, body) in calls {
        lines.push(format!("{what}: {}", told(served.post(path, body)).await));
    }
    let ndjson = "{\"name\": \"order.paid\"}\n\n{\"name\"\n";
    let ndjson = served.post("/v1/events", ndjson).header("content-type", "application/x-ndjson");
    lines.push(format!("lines: {}", told(ndjson).await));
    expect![[r#"
        empty: 400 no-json: the body is empty; send a JSON object, or a list of them
        a form: 400 no-json: the body is not JSON: expected ident at line 1 column 2
        no event: 422 invalid: nothing of this was taken in; `errors` says what is wrong
            : is a number; send an object, such as {"name": …}
        an empty batch: 400 no-json: the batch is empty; send at least one object
        too many: 413 too-many: the batch has 1001 objects; send at most 1000 at a time
        wrong fields: 422 invalid: nothing of this was taken in; `errors` says what is wrong
            nam: an event has no such field; did you mean `name`?
            name: is missing; an event has a name, such as order.paid
            about: `anna` is not a record; write `object/key`, such as `contact/anna`
            about: takes records, such as ["contact/anna"]
            data: takes an object, such as {"total": 12.5}
            key: takes text of 1 to 255 characters
            at: takes a time such as 2026-12-24T18:00:00+01:00
            about: there is no order `O-2`; did you mean `O-1`?
            about: there is no object `ordr`; did you mean `order`?
        a batch: 422 invalid: nothing of this was taken in; `errors` says what is wrong
            2: name: `Order Paid` cannot name an event; use lower-case letters, digits and _, with dots between, such as order.paid
            3: : is a text; send an object, such as {"name": …}
            4: at: lies in the future; here it is 2026-12-14T07:00:00Z
        names of ours: 422 invalid: nothing of this was taken in; `errors` says what is wrong
            1: name: `webhook:x` cannot name an event; use lower-case letters, digits and _, with dots between, such as order.paid
            2: name: `run.ended` is told by runs alone; take another name
        wait for what: 400 parameter: `wait` takes `run`: wait until the runs have ended
        how long: 400 parameter: `timeout` takes a number of seconds, such as 30
        misspelt: 400 parameter: there is no parameter `await`; there are wait, timeout
        lines: 400 no-json: line 3 is not JSON: EOF while parsing an object at line 1 column 7"#]].assert_eq(&lines.join("\n"));
    assert_eq!(served.app.event_backlog(), events);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_are_a_batch() {
    let served = Served::start(&[PAID]).await;
    served.order("O-1").await;
    let body = "{\"name\": \"order.paid\", \"about\": [\"order/O-1\"]}\r\n{\"name\": \"survey.answered\", \"data\": {\"score\": 9}, \"key\": \"s1\", \"at\": \"2026-12-13T07:00:00Z\"}\n";
    let sent = served
        .post("/v1/events?wait=run&timeout=300", body)
        .header("content-type", "application/x-ndjson");
    let sent = answer(sent).await;
    assert_eq!(sent["events"].as_array().unwrap().len(), 2, "{sent}");
    assert_eq!(sent["done"], true);
    let logged = sent["events"][1]["event"].as_str().unwrap().parse().unwrap();
    let logged = served.app.store().event_fetch(logged).await.unwrap().unwrap();
    expect![[r#"token/all 2026-12-13T07:00:00Z Named { name: "survey.answered", key: Some("s1"), about: [], data: Map({"score": Number(9)}) }"#]].assert_eq(&format!(
        "{} {} {:?}",
        logged.actor, logged.happening.at, logged.happening.kind
    ));
    served.stop().await;
}

//! Who may do what.

use std::time::Duration;

use expect_test::expect;
use relata_app::{App, NewToken, Scope};
use reqwest::Method;

use crate::served::{PAID, Served, WAITS, json as answer, now, token, told};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_comes_in_without_a_token() {
    let served = Served::start(&[]).await;
    let bare = |path: &str| served.request(Method::GET, path);
    let response = bare("/v1/runs").send().await.unwrap();
    assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"relata\"");
    let lines = [
        told(bare("/v1/runs")).await,
        told(bare("/v1/runs").header("authorization", "Basic YTpi")).await,
        told(bare("/v1/runs").bearer_auth("rlt_guess")).await,
        told(bare("/v1/runs").bearer_auth("whsec_guess")).await,
        told(bare("/v1/runs").bearer_auth(format!("{}x", served.secret))).await,
    ];
    expect![[r#"
        401 no-token: the header `Authorization: Bearer rlt_…` is missing; `relata token create` makes a token
        401 no-token: the header `Authorization: Bearer rlt_…` is missing; `relata token create` makes a token
        401 token: the token is unknown, revoked or expired
        401 token: the token is unknown, revoked or expired
        401 token: the token is unknown, revoked or expired"#]].assert_eq(&lines.join("\n"));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_may_do_what_it_says() {
    let served = Served::start(&[PAID, WAITS]).await;
    served.order("O-1").await;
    let paid = r#"{"name": "order.paid", "about": ["order/O-1"]}"#;
    answer(served.post("/v1/events?wait=run&timeout=300", paid)).await;
    let run = answer(served.get("/v1/runs")).await["runs"][0]["run"].as_str().unwrap().to_owned();
    let mut lines = Vec::new();
    let calls = [
        (Method::POST, "/v1/events".to_owned(), paid),
        (Method::GET, "/v1/runs".to_owned(), ""),
        (Method::GET, "/v1/runs?record=order/O-1".to_owned(), ""),
        (Method::GET, format!("/v1/runs/{run}"), ""),
        (Method::POST, format!("/v1/runs/{run}/cancel"), ""),
        (Method::POST, "/v1/records/contact".to_owned(), "{}"),
        // Last of all: it begins a run.
        (
            Method::POST,
            "/v1/records/lead".to_owned(),
            r#"{"name": "Anna", "email": "a@a.example"}"#,
        ),
    ];
    for (name, scopes, objects) in [
        ("events", &[Scope::EventsWrite][..], &[][..]),
        (
            "leads",
            &[Scope::RecordsWrite, Scope::EventsWrite, Scope::RunsRead, Scope::RunsWrite],
            &["lead"],
        ),
    ] {
        let secret = token(&served.app, name, scopes, objects).await;
        for (method, path, body) in &calls {
            let request = served.request(method.clone(), path).bearer_auth(&secret).body(*body);
            let mut told = told(request).await;
            if told.starts_with("200") {
                told.truncate(100);
            }
            lines.push(format!("{name} {method} {}: {told}", path.replace(&run, "RUN")));
        }
    }
    expect![[r#"
        events POST /v1/events: 202 {"event":"evt_…","repeated":false}
        events GET /v1/runs: 403 scope: the token `events` may not do this; it needs runs:read
        events GET /v1/runs?record=order/O-1: 403 scope: the token `events` may not do this; it needs runs:read
        events GET /v1/runs/RUN: 403 scope: the token `events` may not do this; it needs runs:read
        events POST /v1/runs/RUN/cancel: 403 scope: the token `events` may not do this; it needs runs:write
        events POST /v1/records/contact: 403 scope: the token `events` may not do this; it needs records:write
        events POST /v1/records/lead: 403 scope: the token `events` may not do this; it needs records:write
        leads POST /v1/events: 403 object: the token `leads` is not for order records
        leads GET /v1/runs: 200 {"next":null,"runs":[]}
        leads GET /v1/runs?record=order/O-1: 403 object: the token `leads` is not for order records
        leads GET /v1/runs/RUN: 404 not-found: there is no run `run_…`
        leads POST /v1/runs/RUN/cancel: 404 not-found: there is no run `run_…`
        leads POST /v1/records/contact: 403 object: the token `leads` is not for contact records
        leads POST /v1/records/lead: 202 {"events":[{"event":"evt_…"}],"record":"lead/…","repeated":false}"#]].assert_eq(&lines.join("\n"));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_makes_and_revokes_tokens() {
    let served = Served::start(&[]).await;
    // As the command line does beside a host that runs.
    let beside = App::open(served.app.directory().root()).await.unwrap();
    let secret = token(&beside, "late", &[Scope::RunsRead], &[]).await;
    let status = || async {
        let request = served.request(Method::GET, "/v1/runs").bearer_auth(&secret);
        request.send().await.unwrap().status().as_u16()
    };
    let until = async |wanted: u16| {
        for _ in 0..600 {
            if status().await == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it never became {wanted}");
    };
    until(200).await;
    beside.revoke_token("late").await.unwrap();
    until(401).await;
    beside.close().await;
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_kept_without_their_secrets() {
    let served = Served::start(&[]).await;
    let app = &served.app;
    let soon = now().checked_add(Duration::from_secs(3_600)).unwrap();
    let new = |name: &str, expires_at| NewToken {
        name: name.to_owned(),
        scopes: vec![Scope::RunsRead, Scope::EventsWrite, Scope::RunsRead],
        user: None,
        objects: vec!["lead".to_owned()],
        expires_at,
    };
    let (_, secret) = app.create_token(new("soon-over", Some(soon))).await.unwrap();
    assert_eq!(secret.expose().len(), 47);
    assert!(app.caller(secret.expose()).await.is_ok());
    let mut lines = Vec::new();
    for wrong in [
        new("soon-over", None),
        new("Soon Over", None),
        new("past", Some(now())),
        NewToken { objects: vec!["leed".to_owned()], ..new("leeds", None) },
        NewToken { scopes: Vec::new(), ..new("nothing", None) },
    ] {
        lines.push(app.create_token(wrong).await.unwrap_err().to_string());
    }
    lines.push(app.revoke_token("soon").await.unwrap_err().to_string());
    app.revoke_token("soon-over").await.unwrap();
    app.create_token(new("soon-over", None)).await.unwrap();
    lines.push("runs:raed".parse::<Scope>().unwrap_err());
    for view in app.tokens().await.unwrap() {
        lines.push(serde_json::to_string(&view).unwrap());
    }
    expect![[r#"
        there is a token `soon-over` already; revoke it first by `relata token revoke soon-over`, or take another name
        `Soon Over` cannot name a token; use up to 64 lower-case letters, digits and `-`, a letter first, such as web-shop
        the token would be no good from the beginning: 2026-12-14T07:00:00Z is past
        there is no object `leed`; did you mean `lead`?
        say what the token may do: events:write, messages:write, records:read, records:write, runs:read, runs:write, metrics:read, audit:read, access:write, workflows:read, workflows:write, plugins:read, routing:read
        there is no token `soon`
        `runs:raed` is nothing that a token may do; did you mean `runs:read`?
        {"token":"all","status":"good","scopes":["events:write","messages:write","records:read","records:write","runs:read","runs:write","metrics:read","audit:read","access:write","workflows:read","workflows:write","plugins:read","routing:read"],"objects":null,"created_at":"2026-12-14T07:00:00Z","expires_at":null,"revoked_at":null,"last_used_at":null}
        {"token":"soon-over","status":"revoked","scopes":["events:write","runs:read"],"objects":["lead"],"created_at":"2026-12-14T07:00:00Z","expires_at":"2026-12-14T08:00:00Z","revoked_at":"2026-12-14T07:00:00Z","last_used_at":null}
        {"token":"soon-over","status":"good","scopes":["events:write","runs:read"],"objects":["lead"],"created_at":"2026-12-14T07:00:00Z","expires_at":null,"revoked_at":null,"last_used_at":null}"#]].assert_eq(&lines.join("\n"));
    let kept = std::fs::read(app.directory().database()).unwrap();
    let bytes = secret.expose().as_bytes();
    assert!(!kept.windows(bytes.len()).any(|window| window == bytes));
    served.stop().await;
}

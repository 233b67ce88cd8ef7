//! The audit, read by a program.

use expect_test::expect;
use relata_app::Scope;
use reqwest::Method;

use crate::served::{Served, json as answer, token, told};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_refused_is_read_page_by_page() {
    let served = Served::start(&[]).await;
    let reader = token(&served.app, "reader", &[Scope::RecordsRead], &[]).await;
    for path in ["/v1/audit", "/v1/plugins", "/v1/runs"] {
        let refused = served.request(Method::GET, path).bearer_auth(&reader).send().await.unwrap();
        assert_eq!(refused.status(), 403, "{path}");
    }
    let refused = "/v1/audit?actor=token/reader&outcome=refused&limit=2";
    let first = answer(served.get(refused)).await;
    let next = first["next"].as_str().unwrap();
    let second = answer(served.get(&format!("{refused}&cursor={next}"))).await;
    assert!(second["next"].is_null(), "{second}");
    let seen = [&first, &second].into_iter().flat_map(|page| page["entries"].as_array().unwrap());
    let seen: Vec<String> = seen
        .map(|entry| format!("{} {} {}", entry["actor"], entry["act"], entry["target"]))
        .collect();
    expect![[r#"
        "token/reader" "call" "runs:read"
        "token/reader" "call" "plugins:read"
        "token/reader" "call" "audit:read""#]]
    .assert_eq(&seen.join("\n"));
    let none = answer(served.get("/v1/audit?actor=token/reader&outcome=done")).await;
    assert_eq!(none["entries"].as_array().unwrap().len(), 0);

    let mut lines = Vec::new();
    for wrong in ["outcome=maybe", "since=yesterday", "cursor=x", "limit=0", "actors=x"] {
        lines.push(told(served.get(&format!("/v1/audit?{wrong}"))).await);
    }
    expect![[r#"
        400 parameter: `outcome` takes one of done, refused
        400 parameter: `since` takes a time in RFC 3339, such as 2026-12-14T07:00:00Z
        400 parameter: `cursor` takes the `next` of the page before
        400 parameter: `limit` takes a number from 1 to 500
        400 parameter: there is no parameter `actors`; there are actor, outcome, since, limit, cursor"#]].assert_eq(&lines.join("\n"));
    served.stop().await;
}

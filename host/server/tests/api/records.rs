//! `POST /v1/records/{object}`.

use expect_test::expect;
use serde_json::Value as Json;

use crate::served::{Served, WAITS, json as answer, told};

/// What starts by a new lead.
const GREETS: &str = "\
workflow: greets
when:
  - created: lead
only_if:
  - lead.country == \"DE\"
steps:
  - do: crm.update
    record: =lead
    set: { tags: [greeted] }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_created_one_or_many() {
    let served = Served::start(&[GREETS]).await;
    let mut lines = Vec::new();
    for (what, path, body) in [
        (
            "one",
            "/v1/records/lead?wait=run&timeout=300",
            r#"{"name": "Anna", "email": "anna@a.example", "country": "DE"}"#,
        ),
        (
            "refused",
            "/v1/records/lead?wait=run&timeout=300",
            r#"{"name": "Bo", "email": "bo@a.example", "country": "AT"}"#,
        ),
        (
            "several",
            "/v1/records/lead",
            r#"[{"name": "Cy", "email": "cy@a.example"}, {"name": "Di", "email": "di@a.example"}]"#,
        ),
    ] {
        lines.push(format!("{what}: {}", told(served.post(path, body)).await));
    }
    let leads = served.app.records_all("lead").await.unwrap();
    for lead in leads {
        lines.push(format!("{} {}", lead.field("name"), lead.field("tags")));
    }
    expect![[r#"
        one: 200 {"done":true,"events":[{"done":true,"event":"evt_…","not_started":[],"runs":[{"outcome":null,"outputs":null,"run":"run_…","status":"done","why":null,"workflow":"greets"}]}],"record":"lead/…","repeated":false}
        refused: 200 {"done":true,"events":[{"done":true,"event":"evt_…","not_started":[{"waits":false,"why":"only_if does not hold: lead.country = AT","workflow":"greets"}],"runs":[]}],"record":"lead/…","repeated":false}
        several: 202 {"records":[{"events":[{"event":"evt_…"}],"record":"lead/…"},{"events":[{"event":"evt_…"}],"record":"lead/…"}],"repeated":false}
        Anna greeted
        Bo (empty)
        Cy (empty)
        Di (empty)"#]].assert_eq(&lines.join("\n"));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_is_wrong_is_told_with_its_place_and_nothing_is_kept() {
    let served = Served::start(&[]).await;
    let mut lines = Vec::new();
    for (what, path, body) in [
        ("no object", "/v1/records/leed", "{}"),
        (
            "one",
            "/v1/records/lead",
            r#"{"nme": "Anna", "email": "anna", "country": 7, "created_at": "2026-12-14T07:00:00Z"}"#,
        ),
        (
            "several",
            "/v1/records/contact",
            r#"[{"name": "Anna", "email": "a@a.example", "external_id": "a"},
                {"name": "Bo", "email": "b", "external_id": "a"},
                [],
                {"name": "Cy", "owner": "user/nobody"}]"#,
        ),
    ] {
        lines.push(format!("{what}: {}", told(served.post(path, body)).await));
    }
    expect![[r#"
        no object: 404 not-found: there is no object `leed`; did you mean `lead`?
        one: 422 invalid: nothing of this was taken in; `errors` says what is wrong
            country: takes a country in two letters, such as DE, not `7`
            email: `anna` is not a mail address such as anna@example.com
            created_at: is set by the system alone
            nme: a lead has no such field; did you mean `name`?
            name: must not be empty
        several: 422 invalid: nothing of this was taken in; `errors` says what is wrong
            2: email: `b` is not a mail address such as anna@example.com
            2: external_id: `a` belongs to item 1 of this batch already
            3: : is a list; send an object, such as {"name": …}
            4: owner: there is no user `nobody`"#]]
    .assert_eq(&lines.join("\n"));
    assert_eq!(served.app.records_all("contact").await.unwrap(), []);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_request_creates_nothing_more() {
    let served = Served::start(&[WAITS]).await;
    let send = |body: &str| {
        served
            .post("/v1/records/lead?wait=run&timeout=0.05", body)
            .header("idempotency-key", "form-7")
    };
    let body = r#"{"name": "Anna", "email": "anna@a.example", "external_id": "form-7"}"#;
    let first = answer(send(body)).await;
    // It waits for somebody, so the time passes.
    assert_eq!(first["done"], false, "{first}");
    let mut again = answer(send(body)).await;
    assert_eq!(again["record"], first["record"]);
    assert_eq!(again["repeated"], true);
    assert_eq!(again["events"][0].take()["event"], first["events"][0]["event"]);
    expect!["422 key-reused: this Idempotency-Key came with another request before; draw a new key for each request"].assert_eq(&told(send(r#"{"name": "Bo"}"#)).await);
    assert_eq!(served.app.records_all("lead").await.unwrap().len(), 1);
    assert_eq!(first["events"][0]["not_started"], Json::Array(Vec::new()));
    served.stop().await;
}

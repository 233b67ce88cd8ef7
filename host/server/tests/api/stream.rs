//! `GET /v1/stream`.

use std::time::Duration;

use relata_app::{LogIn, Scope, Secret};
use relata_server::Limits;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value as Json;
use tokio::time::timeout;

use crate::{
    postgres::Postgres,
    served::{Served, json as answer, token, told},
};

/// Longer than anything takes here.
const LONG: Duration = Duration::from_secs(20);

/// An open stream.
struct Open {
    response: Response,
    read: String,
}

/// An event of it.
#[derive(Debug, PartialEq)]
struct Told {
    id: String,
    event: String,
    data: Json,
}

impl Open {
    async fn new(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut open = Self { response, read: String::new() };
        // Where it begins.
        assert!(open.block().await.unwrap().starts_with("id: "));
        open
    }

    /// The next block of lines; none where it has ended.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.read.split_once("\n\n") {
                let block = block.to_owned();
                self.read = rest.to_owned();
                return Some(block);
            }
            let chunk = timeout(LONG, self.response.chunk()).await.expect("nothing came");
            self.read.push_str(std::str::from_utf8(&chunk.unwrap()?).unwrap());
        }
    }

    /// The next event; heartbeats do not count.
    async fn next(&mut self) -> Told {
        timeout(LONG, self.event()).await.expect("no event came")
    }

    async fn event(&mut self) -> Told {
        loop {
            let block = self.block().await.expect("it has ended");
            let part = |name: &str| {
                let line = block.lines().find_map(|line| line.strip_prefix(name));
                line.map(|line| line.trim().to_owned())
            };
            if let Some(event) = part("event:") {
                let data = serde_json::from_str(&part("data:").unwrap()).unwrap();
                return Told { id: part("id:").unwrap(), event, data };
            }
        }
    }
}

async fn lead(served: &Served, key: &str) -> String {
    let body = format!(r#"{{"name": "Anna", "email": "{key}@a.example", "external_id": "{key}"}}"#);
    let created = answer(served.post("/v1/records/lead", &body)).await;
    created["record"].as_str().unwrap_or_else(|| panic!("{created}")).to_owned()
}

async fn change(served: &Served, key: &str, body: &str) {
    let path = format!("/v1/records/lead/{key}");
    let changed = served.request(Method::PATCH, &path).bearer_auth(&served.secret);
    assert_eq!(changed.body(body.to_owned()).send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_told_as_they_happen_and_no_texts_with_them() {
    let served = Served::start(&[]).await;
    let mut open = Open::new(served.get("/v1/stream?objects=lead,ticket")).await;
    let record = lead(&served, "anna").await;
    let created = open.next().await;
    assert_eq!(
        (created.event.as_str(), &created.data["record"]),
        ("record.created", &Json::from(record))
    );
    assert!(!created.data.to_string().contains("Anna"), "{}", created.data);
    // Nobody asked for contacts.
    answer(served.post("/v1/records/contact", r#"{"name": "Bo"}"#)).await;
    change(&served, "anna", r#"{"country": "DE", "company": "A"}"#).await;
    let changed = open.next().await;
    assert_eq!(changed.event, "record.changed");
    assert_eq!(changed.data["changed"], serde_json::json!(["company", "country"]));
    assert_eq!(changed.data["by"], "token/all");
    let gone = served.request(Method::DELETE, "/v1/records/lead/anna").bearer_auth(&served.secret);
    gone.send().await.unwrap();
    assert_eq!(open.next().await.event, "record.deleted");

    // It ends with the host, and the host with it.
    timeout(LONG, served.stop()).await.expect("an open stream holds the host up");
    assert_eq!(open.block().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_the_console_is_told_and_holds_no_host_up() {
    let served = Served::start(&[]).await;
    let user = [("name", "Ann"), ("email", "ann@a.example"), ("roles", "manager")];
    let user = served.create("user", &user).await;
    let user = served.app.record(&user).await.unwrap();
    let password = Secret::new("correct horse battery");
    served.app.set_password(&user, password.clone(), false, "test").await.unwrap();
    let log_in =
        LogIn { email: "ann@a.example".to_owned(), password, code: None, address: String::new() };
    let session = served.app.log_in(log_in).await.unwrap().secret;
    let cookie = format!("relata_session={}", session.expose());
    let follow = served.request(Method::GET, "/live?see=ticket").header("cookie", cookie);
    let response = follow.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut open = Open { response, read: String::new() };
    assert_eq!(open.block().await.unwrap(), ": here");
    served.create("ticket", &[("subject", "Help")]).await;
    let told = open.block().await.unwrap();
    assert!(told.contains("event: changed") && !told.contains("Help"), "{told}");
    timeout(LONG, served.stop()).await.expect("an open stream holds the host up");
    assert_eq!(open.block().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_again_misses_nothing_and_gets_nothing_twice() {
    let served = Served::start(&[]).await;
    let mut open = Open::new(served.get("/v1/stream?objects=lead")).await;
    lead(&served, "a").await;
    let last = open.next().await;
    drop(open);
    // While nobody follows.
    for key in ["b", "c"] {
        lead(&served, key).await;
    }
    let again = || {
        served.get("/v1/stream?objects=lead&fields=external_id").header("last-event-id", &last.id)
    };
    let mut open = Open::new(again()).await;
    lead(&served, "d").await;
    let mut keys = Vec::new();
    for _ in 0..3 {
        keys.push(open.next().await.data["fields"]["external_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(keys, ["b", "c", "d"]);
    served.stop().await;
}

/// More changes than are kept at hand, while the other side does not read: more
/// than the connection holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_slow_reads_on_where_it_was() {
    const EACH: usize = 150;
    let served = Served::start(&[]).await;
    let mut open = Open::new(served.get("/v1/stream?objects=ticket&fields=subject,body")).await;
    let body = "x".repeat(20_000);
    for batch in 0..8 {
        let tickets: Vec<Json> = (0..EACH)
            .map(|number| {
                let subject = (batch * EACH + number).to_string();
                serde_json::json!({ "subject": subject, "body": body })
            })
            .collect();
        let sent = served.post("/v1/records/ticket", &Json::from(tickets).to_string());
        assert_eq!(sent.send().await.unwrap().status(), 202);
    }
    for number in 0..8 * EACH {
        assert_eq!(open.next().await.data["fields"]["subject"], number.to_string());
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_shows_what_the_token_is_for_and_there_are_not_too_many() {
    let served = Served::start_with(&[], Limits { streams: 1, ..Limits::default() }).await;
    let secret = token(&served.app, "tasks", &[Scope::RecordsRead], &["task"]).await;
    let as_tasks = |query: &str| {
        served.request(Method::GET, &format!("/v1/stream{query}")).bearer_auth(&secret)
    };
    let mut lines = Vec::new();
    for query in [
        "?objects=lead",
        "?objects=leed",
        "?fields=title",
        "?objects=task&fields=titel",
        "?objekt=task",
        "?after=soon",
        "?after=999999",
    ] {
        lines.push(format!("{query}: {}", told(as_tasks(query)).await));
    }
    let mut open = Open::new(as_tasks("")).await;
    lines.push(told(served.get("/v1/stream")).await);
    lead(&served, "anna").await;
    answer(served.post("/v1/records/task", r#"{"title": "t", "assignee": "queue/unassigned"}"#))
        .await;
    lines.push(open.next().await.data["object"].to_string());
    expect_test::expect![[r#"
        ?objects=lead: 403 object: the token `tasks` is not for lead records
        ?objects=leed: 400 wrong: there is no object `leed`; did you mean `lead`?
        ?fields=title: 400 parameter: `fields` goes with one object: `objects=ticket`
        ?objects=task&fields=titel: 400 wrong: a task has no field `titel`; did you mean `title`?
        ?objekt=task: 400 parameter: there is no parameter `objekt`; there are objects, fields, after
        ?after=soon: 400 parameter: `after` and the header Last-Event-ID take the id of an event of this stream
        ?after=999999: 410 gone: the log ends at 17, before 999999; read the records, and follow what comes from now on
        429 busy: too many streams are open; close one, or try again later (again in 30 s)
        "task""#]].assert_eq(&lines.join("\n"));

    // It is good no longer.
    served.app.revoke_token("tasks").await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    answer(served.post("/v1/records/task", r#"{"title": "u", "assignee": "queue/unassigned"}"#))
        .await;
    assert_eq!(open.block().await, None, "a token that was taken back still follows");
    drop(open);
    // Its place is free again.
    Open::new(served.get("/v1/stream")).await;
    served.stop().await;
}

/// What one host commits is told by another, in the order of the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_other_hosts_are_told_too() {
    let database = Postgres::shared().database();
    let url = || Some(database.url().parse().unwrap());
    let one = Served::start_as(&[], url(), None).await;
    // The token `all` is one for both.
    let other = Served::start_beside(&one, url()).await;
    let mut open = Open::new(one.get("/v1/stream?objects=lead&fields=external_id")).await;
    let (here, there) = tokio::join!(
        async {
            for number in 0..30 {
                lead(&one, &format!("here-{number}")).await;
            }
        },
        async {
            for number in 0..30 {
                lead(&other, &format!("there-{number}")).await;
            }
        }
    );
    let ((), ()) = (here, there);
    let (mut keys, mut last) = (std::collections::BTreeSet::new(), 0);
    for _ in 0..60 {
        let told = open.next().await;
        let place: u64 = told.id.parse().unwrap();
        assert!(place > last, "{place} after {last}");
        last = place;
        keys.insert(told.data["fields"]["external_id"].as_str().unwrap().to_owned());
    }
    assert_eq!(keys.len(), 60);
    other.stop().await;
    one.stop().await;
}

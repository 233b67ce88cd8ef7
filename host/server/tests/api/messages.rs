//! `POST /v1/messages`.

use expect_test::expect;
use relata_app::{Scope, model::Reference};
use relata_server::Limits;

use crate::served::{Served, json as answer, token, told};

const ORDER: &str = r#"{
    "from": "Anna@A.example", "name": "Anna Weber", "channel": "chat", "id": "chat-17/1",
    "subject": "Where is my order?", "text": "It should have come on Friday.", "locale": "de",
    "ticket": {"queue": "queue/support", "category": "delivery"}
}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_a_ticket_of_its_sender() {
    let served = Served::start(&[]).await;
    let first = answer(served.post("/v1/messages", ORDER)).await;
    let record = |name: &str| -> Reference { first[name].as_str().unwrap().parse().unwrap() };
    let ticket = served.app.record(&record("ticket")).await.unwrap();
    let message = served.app.record(&record("message")).await.unwrap();
    let author = served.app.record(&record("author")).await.unwrap();
    let mut lines = Vec::new();
    for (record, fields) in [
        (&ticket, &["subject", "body", "channel", "category", "status"][..]),
        (&message, &["direction", "channel", "subject", "body", "message_id", "automatic"]),
        (&author, &["name", "email", "locale", "life_cycle"]),
    ] {
        let values = fields.iter().map(|field| format!("{field}: {}", record.field(field)));
        lines.push(values.collect::<Vec<_>>().join("; "));
    }
    assert_eq!(ticket.field("customer").as_reference(), Some(&author.reference));
    assert_eq!(first["ticket_ref"].as_str(), ticket.field("ref").as_text());
    // The next one of the same talk, by its id alone.
    let next = r#"{"from": "anna@a.example", "text": "Hello?", "channel": "chat", "answers": "chat-17/1"}"#;
    let second = answer(served.post("/v1/messages", next)).await;
    assert_eq!((&second["ticket"], &second["opened"]), (&first["ticket"], &false.into()));
    let timeline = served.app.timeline(&author.reference).await.unwrap();
    let called = |entry: &relata_app::TimelineEntry| {
        entry.what.replace(ticket.field("ref").as_text().unwrap(), "T-…")
    };
    lines.extend(timeline.iter().filter(|entry| entry.by == "interaction").map(called));
    expect![[r#"
        subject: Where is my order?; body: It should have come on Friday.; channel: chat; category: delivery; status: new
        direction: in; channel: chat; subject: Where is my order?; body: It should have come on Friday.; message_id: chat-17/1; automatic: no
        name: Anna Weber; email: anna@a.example; locale: de; life_cycle: customer
        message_received: T-…: Where is my order?
        message_received: T-…: Hello?"#]]
    .assert_eq(&lines.join("\n"));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_message_does_nothing_more() {
    let served = Served::start(&[]).await;
    let send = |body: &str| served.post("/v1/messages", body).header("idempotency-key", "m-1");
    let first = answer(send(ORDER)).await;
    let again = answer(send(ORDER)).await;
    assert_eq!(first["repeated"], false, "{first}");
    assert_eq!(again["repeated"], true, "{again}");
    for name in ["ticket", "message", "author", "opened"] {
        assert_eq!(first[name], again[name], "{name}");
    }
    let other = r#"{"from": "anna@a.example", "text": "Another thing"}"#;
    expect![
        "422 key-reused: this key came with another message before; draw a new key for each message"
    ]
    .assert_eq(&told(send(other)).await);
    assert_eq!(served.app.records_all("message").await.unwrap().len(), 1);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_is_wrong_is_told_and_nothing_is_kept() {
    let served = Served::start(&[]).await;
    let mut lines = Vec::new();
    for body in [
        "[]",
        r#"{"from": "anna", "text": "Hello"}"#,
        r#"{"text": 7, "sbject": "Hello", "channel": "fax", "answers": [1], "automatic": "no",
            "sent_at": "yesterday", "ticket": {"status": "solved", "categry": "x", "priority": "top"}}"#,
        r#"{"from": "anna@a.example", "text": "Hello", "ticket": {"queue": "queue/nowhere"}}"#,
        r#"{"from": "anna@a.example", "text": "I am away", "automatic": true}"#,
    ] {
        lines.push(told(served.post("/v1/messages", body)).await);
    }
    let lead_only = token(&served.app, "leads", &[Scope::MessagesWrite], &["lead"]).await;
    let reader = token(&served.app, "reader", &[Scope::RecordsWrite], &[]).await;
    for secret in [lead_only, reader] {
        let request = served.request(reqwest::Method::POST, "/v1/messages");
        lines.push(told(request.bearer_auth(secret).body(ORDER)).await);
    }
    expect![[r#"
        400 no-json: the body is no JSON object; send the fields to set
        422 invalid: nothing of this message was taken in; `errors` says what is wrong
            from: is not a mail address such as anna@example.com
        422 invalid: nothing of this message was taken in; `errors` says what is wrong
            sbject: a message has no such field; did you mean `subject`?
            from: is missing; a message has it, such as `anna@example.com`
            text: takes text
            channel: takes one of mail, web, chat, phone, api
            answers: takes the ids of messages, such as ["chat-17/4"]
            sent_at: takes a time such as 2026-12-24T18:00:00+01:00
            automatic: takes true or false
            ticket.categry: a ticket has no such field; did you mean `category`?
            ticket.priority: takes one of low, normal, high, urgent, not `top`
            ticket.status: follows from the message itself
        422 invalid: nothing of this message was taken in; `errors` says what is wrong
            queue: there is no queue `nowhere`
        422 unrelated: a machine wrote it, and it belongs to no ticket
        403 object: the token `leads` is not for message records
        403 scope: the token `reader` may not do this; it needs messages:write"#]]
    .assert_eq(&lines.join("\n"));
    for object in ["contact", "ticket", "message", "interaction"] {
        assert_eq!(served.app.records_all(object).await.unwrap(), [], "{object}");
    }
    served.stop().await;
    let full = Served::start_with(&[], Limits { writes: 0, ..Limits::default() }).await;
    expect!["429 busy: too many writes wait for the database (again in 1 s)"]
        .assert_eq(&told(full.post("/v1/messages", ORDER)).await);
    full.stop().await;
}

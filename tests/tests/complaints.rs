//! Mails that come in at a steady rate, some of them complaints, at two hosts that
//! share a database: each complaint gets to somebody who has the skill for it, and
//! how soon is told, from the moment at which the mail was sent to its host.
//!
//! `RELATA_MAILS=3000 RELATA_RATE=50` is a minute of fifty a second.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test may stop at once, asks who runs it, and tells how long it took"
)]

use std::{
    env,
    ops::Range,
    time::{Duration, Instant},
};

use relata_app::{
    App, NewToken, Running, Scope,
    model::{Decimal, Fields, Reference, Timestamp, Value},
};
use relata_engine::HappeningKind;
use relata_tests::{Backend, Place, Postgres, Server, open, post};
use serde_json::{Value as Json, json};
use tokio::{task::JoinSet, time::sleep};

use crate::fair::undone_at;

/// One mail in so many is a complaint.
const COMPLAINTS: usize = 5;

const AGENTS: usize = 20;

/// One agent in so many takes complaints.
const SENIORS: usize = 4;

/// What comes in the first seconds is not measured.
const FIRST_SECONDS: usize = 2;

/// So many mails are sent to a host at once, at the most.
const AT_ONCE: usize = 64;

const WORKFLOWS: [&str; 2] = ["route-tickets", "complaint-escalation"];

fn number(variable: &str, otherwise: usize) -> usize {
    env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_complaint_gets_to_a_senior() {
    let (mails, rate) = (number("RELATA_MAILS", 60), number("RELATA_RATE", 20));
    let folder = tempfile::tempdir().unwrap();
    let database = Postgres::shared().database();
    let places = ["a", "b"].map(|name| Place {
        root: folder.path().join(name),
        backend: Backend::Postgres { url: database.url() },
    });
    for place in &places {
        place.initialize();
    }
    let app = open(&places[0]).await;
    set_up(&app, mails + rate * FIRST_SECONDS).await;
    let token = NewToken {
        name: "gateway".to_owned(),
        scopes: vec![Scope::MessagesWrite],
        objects: Vec::new(),
        user: None,
        expires_at: None,
    };
    let bearer = format!("Bearer {}", app.create_token(token).await.unwrap().1.expose());
    let hosts: Vec<Server> =
        places.iter().map(|place| Server::start(place, None).unwrap()).collect();
    let addresses: Vec<String> = hosts.iter().map(|host| host.address().to_owned()).collect();

    // Hosts that have never run compile their plugins first.
    let first = rate * FIRST_SECONDS;
    send_all(0..first, rate, &addresses, &bearer).await;
    finish(&app, first).await;
    let began = Instant::now();
    let sent = send_all(first..first + mails, rate, &addresses, &bearer).await;
    let sent_in = began.elapsed();
    finish(&app, mails).await;

    let mut took = Vec::new();
    for (number, at, ticket) in &sent {
        let record = app.record(ticket).await.unwrap();
        let owner = record.field("owner").as_reference().expect("somebody has it").clone();
        if is_complaint(*number) {
            let user = app.record(&owner).await.unwrap();
            assert!(
                !user.field("skills").is_nothing(),
                "{ticket} is a complaint, and {owner} has it"
            );
            let since = given(&app, ticket, &owner).await.duration_since(*at);
            took.push(Duration::try_from(since).unwrap_or_default());
        }
    }
    took.sort();
    let at = |share: f64| took[((took.len() - 1) as f64 * share).round() as usize];
    println!(
        "{mails} mails in {sent_in:.1?} on {} hosts, {} complaints; to a senior within {:.2?} (half), {:.2?} (99 %), {:.2?} (all)",
        hosts.len(),
        took.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

/// Sends mails to the hosts in turn, so many a second; what came of each.
async fn send_all(
    numbers: Range<usize>,
    rate: usize,
    addresses: &[String],
    bearer: &str,
) -> Vec<(usize, Timestamp, Reference)> {
    let began = Instant::now();
    let mut sending = JoinSet::new();
    let mut sent = Vec::new();
    for (place, number) in numbers.enumerate() {
        let due = Duration::from_secs_f64(place as f64 / rate as f64);
        sleep(due.saturating_sub(began.elapsed())).await;
        let (address, bearer) = (addresses[number % addresses.len()].clone(), bearer.to_owned());
        sending.spawn_blocking(move || send(number, &address, &bearer));
        while sending.len() >= AT_ONCE {
            sent.push(sending.join_next().await.unwrap().unwrap());
        }
    }
    sent.extend(sending.join_all().await);
    sent
}

const fn is_complaint(number: usize) -> bool {
    number.is_multiple_of(COMPLAINTS)
}

/// Waits until the hosts are through with so many mails.
async fn finish(app: &App, mails: usize) {
    let patience = Duration::from_secs(60) + Duration::from_millis(500) * mails as u32;
    let began = Instant::now();
    while undone_at(app).await > 0 {
        assert!(began.elapsed() < patience, "what is left is not finished");
        sleep(Duration::from_millis(200)).await;
    }
}

/// Sends a mail to a host as a gateway does: its number, when, and its ticket.
fn send(number: usize, address: &str, bearer: &str) -> (usize, Timestamp, Reference) {
    let text = match is_complaint(number) {
        true => "This is the worst service I have ever seen, I am furious!",
        false => "Hello, which size should I order? Thank you.",
    };
    let id = format!("{number}@mail.example.com");
    let body = json!({
        "from": format!("customer{number}@example.com"),
        "channel": "mail",
        "id": id,
        "subject": format!("Order {number}"),
        "text": text,
        "ticket": {"queue": "queue/support"},
    });
    let headers = [("authorization", bearer), ("idempotency-key", id.as_str())];
    let at = Timestamp::now();
    let (status, said) = post(address, "/v1/messages", &headers, &body.to_string()).unwrap();
    assert_eq!(status, 201, "{said}");
    let said: Json = serde_json::from_str(&said).unwrap();
    (number, at, said["ticket"].as_str().unwrap().parse().unwrap())
}

/// When a ticket was given to whoever has it, by its log.
async fn given(app: &App, ticket: &Reference, owner: &Reference) -> Timestamp {
    let events = app.store().event_list(ticket, None, 1_000).await.unwrap();
    let mut got = None;
    for event in events {
        let HappeningKind::Change(change) = &event.happening.kind else { continue };
        let owned =
            |fields: &Fields| fields.get("owner").and_then(Value::as_reference) == Some(owner);
        if change.after.as_deref().is_some_and(owned)
            && !change.before.as_deref().is_some_and(owned)
        {
            got = Some(event.happening.at);
        }
    }
    got.expect("its log says who got it")
}

/// A team with room for all, of whom some take complaints, and the workflows.
async fn set_up(app: &App, mails: usize) {
    for name in WORKFLOWS {
        let path = relata_tests::root().join("workflows").join(format!("{name}.yaml"));
        let source = std::fs::read_to_string(path).unwrap();
        app.activate(&format!("{name}.yaml"), &source, "test", Running::Finish).await.unwrap();
    }
    for number in 0..AGENTS {
        let mut fields = Fields::from([
            ("name".to_owned(), Value::Text(format!("Agent {number}"))),
            ("email".to_owned(), Value::Text(format!("agent{number}@example.com"))),
            ("team".to_owned(), Value::Reference("team/support".parse().unwrap())),
            ("capacity".to_owned(), Value::Number(Decimal::from(mails as u64))),
        ]);
        if number % SENIORS == 0 {
            let skills = vec![Value::Text("complaints:5".to_owned())];
            fields.insert("skills".to_owned(), Value::List(skills));
        }
        app.create_record("user", fields, "test").await.unwrap();
    }
}

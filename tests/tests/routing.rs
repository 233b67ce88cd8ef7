//! Tickets that come and are solved all at once, given away by hosts that share a
//! database: nobody ever has more than their capacity, everybody has their fair
//! share, and no ticket is without an owner or a queue. What is looked at is the
//! log of every change, not how it ends.
//!
//! `RELATA_TICKETS=10000 RELATA_WRITERS=200` makes it as large as one likes.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test may stop at once, asks who runs it, and tells how long it took"
)]

use std::{
    collections::BTreeMap,
    env,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use relata_app::{
    App, NewToken, Running, Scope,
    model::{Decimal, Fields, Reference, Value},
};
use relata_engine::HappeningKind;
use relata_tests::{Backend, Place, Postgres, Server, ask, open};
use serde_json::{Value as Json, json};
use tokio::{task::JoinSet, time::sleep};

use crate::fair::undone_at;

/// How many agents there are, for each of these capacities.
const CAPACITIES: [u64; 4] = [3, 5, 8, 20];

/// The most agents; above that each has more to do.
const MOST_AGENTS: usize = 60;

/// How long a writer waits before it asks a host again that is full.
const FULL: Duration = Duration::from_millis(50);

/// What is left may take so long for each ticket.
const PATIENCE_EACH: Duration = Duration::from_millis(500);

const WORKFLOWS: [&str; 3] = ["route-tickets", "room-again", "route-waiting"];

fn number(variable: &str, otherwise: usize) -> usize {
    env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_host_on_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place { root: folder.path().join("a"), backend: Backend::Sqlite };
    check(&[place]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hosts_on_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = Postgres::shared();
    let database = postgres.database();
    let place = |name: &str| Place {
        root: folder.path().join(name),
        backend: Backend::Postgres { url: database.url() },
    };
    check(&[place("a"), place("b")]).await;
}

async fn check(places: &[Place]) {
    let (tickets, writers) = (number("RELATA_TICKETS", 120), number("RELATA_WRITERS", 16));
    for place in places {
        place.initialize();
    }
    let app = open(&places[0]).await;
    let capacity = set_up(&app, tickets).await;
    let token = NewToken {
        name: "writers".to_owned(),
        scopes: vec![Scope::RecordsWrite],
        objects: Vec::new(),
        user: None,
        expires_at: None,
    };
    let bearer = format!("Bearer {}", app.create_token(token).await.unwrap().1.expose());
    let hosts: Vec<Server> =
        places.iter().map(|place| Server::start(place, None).unwrap()).collect();
    let desk = Arc::new(Desk {
        addresses: hosts.iter().map(|host| host.address().to_owned()).collect(),
        bearer,
    });

    let began = Instant::now();
    let made = at_once(writers, tickets, {
        let desk = Arc::clone(&desk);
        move |number| {
            let ticket = json!({ "subject": format!("ticket {number}"), "queue": "queue/support" });
            let said = desk.ask(number, "POST /v1/records/ticket", &ticket);
            said["record"].as_str().unwrap().parse().unwrap()
        }
    })
    .await;
    finish(&app, tickets).await;
    let routed = began.elapsed();
    // Half of what somebody has is solved at once, and makes room for what waits.
    let mut owned = Vec::new();
    for ticket in &made {
        if app.record(ticket).await.unwrap().field("owner").as_reference().is_some() {
            owned.push(ticket.clone());
        }
    }
    let all: u64 = capacity.values().sum();
    assert_eq!(owned.len() as u64, all.min(tickets as u64), "all places are taken");
    let solved = owned.len() / 2;
    at_once(writers, solved, {
        let (desk, owned) = (Arc::clone(&desk), owned);
        move |number| {
            let ticket = owned[number].clone();
            for status in ["open", "solved"] {
                let asked = format!("PATCH /v1/records/{ticket}");
                desk.ask(number, &asked, &json!({ "status": status }));
            }
            ticket
        }
    })
    .await;
    finish(&app, tickets).await;
    println!(
        "{tickets} tickets by {writers} writers on {} hosts: routed in {routed:.1?}, {:.0} a second",
        places.len(),
        tickets as f64 / routed.as_secs_f64()
    );

    let history = history(&app, &made).await;
    judge(&history, &capacity);
    let mut waiting = 0;
    for ticket in &made {
        let record = app.record(ticket).await.unwrap();
        assert!(!record.field("queue").is_nothing(), "{ticket} is in no queue");
        if record.field("owner").is_nothing() {
            waiting += 1;
            assert!(!record.field("queued_at").is_nothing(), "{ticket} does not say since when");
            let why = app.decisions(ticket).await.unwrap();
            assert!(
                why[0].reason.as_deref().is_some_and(|why| why.contains("it waits")),
                "{why:?}"
            );
        }
    }
    let expected = (tickets as u64).saturating_sub(all + solved as u64);
    assert_eq!(waiting, expected, "as many wait as there is no room for");
}

/// A change of whose a ticket is, or whether it is open.
struct Change {
    seq: u64,
    ticket: Reference,
    owner: Option<String>,
    is_open: bool,
}

/// All changes of all tickets, in the order in which they were committed.
async fn history(app: &App, tickets: &[Reference]) -> Vec<Change> {
    let mut changes = Vec::new();
    for ticket in tickets {
        for event in app.store().event_list(ticket, None, 1_000).await.unwrap() {
            let HappeningKind::Change(change) = &event.happening.kind else { continue };
            let Some(after) = &change.after else { continue };
            let text = |field: &str| after.get(field).map(ToString::to_string);
            changes.push(Change {
                seq: event.seq,
                ticket: ticket.clone(),
                owner: after.get("owner").and_then(Value::as_reference).map(ToString::to_string),
                is_open: !matches!(text("status").as_deref(), Some("solved" | "closed")),
            });
        }
    }
    changes.sort_by_key(|change| change.seq);
    changes
}

/// At every moment: nobody over their capacity; and as long as everybody has
/// room, nobody more than one away from their share.
fn judge(history: &[Change], capacity: &BTreeMap<String, u64>) {
    let mut whose: BTreeMap<&Reference, &str> = BTreeMap::new();
    let mut open: BTreeMap<&str, u64> = BTreeMap::new();
    let mut had: BTreeMap<&str, u64> = capacity.keys().map(|user| (user.as_str(), 0)).collect();
    let mut given = 0_u64;
    let least = capacity.values().min().copied().unwrap_or(0);
    let mut everybody_has_room = true;
    for change in history {
        if let Some(before) = whose.remove(&change.ticket) {
            *open.get_mut(before).unwrap() -= 1;
            // From here on the turns depend on who has room.
            if change.owner.is_none() || !change.is_open {
                everybody_has_room = false;
            }
        }
        let Some(owner) = change.owner.as_deref() else { continue };
        let owner = capacity.get_key_value(owner).expect("an agent").0.as_str();
        if change.is_open {
            let has = open.entry(owner).or_default();
            *has += 1;
            assert!(*has <= capacity[owner], "{owner} has {has} at {}", change.seq);
            if whose.insert(&change.ticket, owner).is_none() && everybody_has_room {
                *had.get_mut(owner).unwrap() += 1;
                given += 1;
            }
        }
        everybody_has_room &= open.values().all(|has| *has < least);
        if everybody_has_room {
            let share = given as f64 / capacity.len() as f64;
            for (user, had) in &had {
                let off = (*had as f64 - share).abs();
                assert!(off < 1.0 + 1e-9, "{user} had {had} of {given}, {off:.2} off");
            }
        }
    }
    assert!(given >= capacity.len() as u64, "only {given} were given before somebody was full");
}

async fn finish(app: &App, tickets: usize) {
    let patience = Duration::from_secs(60) + PATIENCE_EACH * u32::try_from(tickets).unwrap();
    let began = Instant::now();
    while undone_at(app).await > 0 {
        assert!(began.elapsed() < patience, "what is left is not finished");
        sleep(Duration::from_millis(200)).await;
    }
}

/// The hosts, as those who write to them know them.
struct Desk {
    addresses: Vec<String>,
    bearer: String,
}

impl Desk {
    /// What one of the hosts answers, once it has room for what it is asked.
    fn ask(&self, number: usize, asked: &str, body: &Json) -> Json {
        let address = &self.addresses[number % self.addresses.len()];
        let headers =
            [("authorization", self.bearer.as_str()), ("content-type", "application/json")];
        loop {
            let answer = ask(address, asked, &headers, &body.to_string()).unwrap();
            match answer.status {
                200..=202 => return serde_json::from_str(&answer.body).unwrap(),
                429 => thread::sleep(FULL),
                other => panic!("{asked}: {other} {}", answer.body),
            }
        }
    }
}

/// So many things done by so many at once; what came of each, in no order.
async fn at_once(
    writers: usize,
    count: usize,
    work: impl Fn(usize) -> Reference + Send + Sync + 'static,
) -> Vec<Reference> {
    let (next, work) = (Arc::new(AtomicUsize::new(0)), Arc::new(work));
    let mut busy = JoinSet::new();
    for _ in 0..writers {
        let (next, work) = (Arc::clone(&next), Arc::clone(&work));
        busy.spawn_blocking(move || {
            let numbers = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
            numbers.take_while(|number| *number < count).map(|number| work(number)).collect()
        });
    }
    let done: Vec<Vec<Reference>> = busy.join_all().await;
    done.concat()
}

/// A team whose members have room for three quarters of the tickets together,
/// and the workflows; the capacity of each.
async fn set_up(app: &App, tickets: usize) -> BTreeMap<String, u64> {
    for name in WORKFLOWS {
        let path = relata_tests::root().join("workflows").join(format!("{name}.yaml"));
        let source = std::fs::read_to_string(path).unwrap();
        let file = format!("{name}.yaml");
        app.activate(&file, &source, "test", Running::Finish).await.unwrap();
    }
    let policy = fields(&[("policy", Value::Text("round_robin".to_owned()))]);
    app.update_record(&"queue/support".parse().unwrap(), policy, "test").await.unwrap();
    let mut capacities = BTreeMap::new();
    let wanted = tickets as u64 * 3 / 4;
    let each_four: u64 = CAPACITIES.iter().sum();
    let times = wanted.div_ceil(each_four * MOST_AGENTS as u64 / 4).max(1);
    let mut room = 0;
    for (number, capacity) in CAPACITIES.map(|most| most * times).iter().cycle().enumerate() {
        if room >= wanted {
            break;
        }
        room += *capacity;
        let fields = fields(&[
            ("name", Value::Text(format!("Agent {number}"))),
            ("email", Value::Text(format!("agent{number}@example.com"))),
            ("team", Value::Reference("team/support".parse().unwrap())),
            ("capacity", Value::Number(Decimal::from(*capacity))),
        ]);
        let user = app.create_record("user", fields, "test").await.unwrap();
        capacities.insert(user.reference.to_string(), *capacity);
    }
    capacities
}

fn fields(given: &[(&str, Value)]) -> Fields {
    given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

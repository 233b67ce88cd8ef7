//! A company with many customers, as it comes in over the API.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use serde_json::{Value as Json, json};
use tokio::time::{Duration, Instant, sleep};

use crate::{
    host::{Program, Served},
    http::{Connection, request},
};

/// Who is logged in, of the first team.
pub(crate) const AGENT: &str = "a0@shop.example";
pub(crate) const ADMINISTRATOR: &str = "admin@shop.example";

/// How many agents, teams and queues there are, however many customers.
const AGENTS: usize = 40;
const TEAMS: usize = 4;
const QUEUES: usize = 8;

/// How many records one request brings.
const BATCH: usize = 500;

/// How many ids of each object are kept, to be asked for.
const KEPT: usize = 500;

/// How long the workflows may take for what came in.
const PATIENCE: Duration = Duration::from_secs(900);

/// How old the counts of `/metrics` may be.
const COUNTED_EVERY: Duration = Duration::from_secs(11);

/// What looks at each ticket: most were solved long ago, and the others sleep.
const WORKFLOW: &str = "\
workflow: watch-tickets
title: Watch new tickets
when:
  - created: ticket
steps:
  - stop_if: ticket.status == \"closed\"
  - do: crm.update
    record: =ticket
    set: { tags: [seen] }
  - wait: 30 days
";

const FIRST_NAMES: [&str; 8] = ["Anna", "Bert", "Carla", "David", "Eva", "Felix", "Greta", "Hugo"];
const LAST_NAMES: [&str; 10] =
    ["Weber", "Wolf", "Lange", "Krause", "Maier", "Huber", "Schmitt", "Vogel", "Keller", "Brandt"];

/// How large a company is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) contacts: usize,
}

impl Size {
    pub(crate) const fn tickets(self) -> usize {
        self.contacts / 2
    }
}

/// Ids of what is there, by what stands for them in an address.
pub(crate) struct Filled(BTreeMap<&'static str, Vec<String>>);

impl Filled {
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&'static str, &Vec<String>)> {
        self.0.iter().map(|(name, keys)| (*name, keys))
    }
}

/// Fills a fresh company, and answers with it once its workflows have nothing
/// to do.
pub(crate) async fn fill(program: &Program, size: Size) -> anyhow::Result<(Filled, Served)> {
    let file = program.data.join("workflows/watch-tickets.yaml");
    std::fs::write(&file, WORKFLOW)?;
    program.run(&["activate", file.to_str().context("a path in UTF-8")?]).await?;
    let name = ["--name", "Mara Lenz", "--role", "administrator"];
    program.run(&[&["user", "create", ADMINISTRATOR], name.as_slice()].concat()).await?;
    let scopes = ["--scope", "records:write", "--scope", "records:read", "--scope", "runs:read"];
    let token = program.run(&[&["token", "create", "load"], scopes.as_slice()].concat()).await?;
    let secret = token["secret"].as_str().context("the token has no secret")?.to_owned();
    people(program).await?;

    let served = program.start(&["serve", "--listen", "127.0.0.1:0"]).await?;
    let connection = Connection::open(&served.address).await?;
    let mut filling = Filling { address: served.address.clone(), connection, secret };
    let (contacts, tickets) = (size.contacts, size.tickets());
    let mut kept = BTreeMap::new();
    for (name, count, record) in [
        ("account", contacts / 10, account as fn(usize, Size) -> Json),
        ("contact", contacts, contact),
        ("lead", contacts / 5, lead),
        ("opportunity", contacts / 10, opportunity),
        ("ticket", tickets, ticket),
        ("message", tickets * 2, message),
        ("interaction", tickets, interaction),
        ("task", contacts / 5, task),
    ] {
        let ids = filling.create(name, count, |number| record(number, size)).await?;
        if name == "ticket" {
            let own = ids.iter().filter(|(number, _)| number % TEAMS == 0);
            kept.insert("own_ticket", own.map(|(_, id)| id.clone()).collect());
        }
        kept.insert(name, ids.into_iter().map(|(_, id)| id).collect());
    }
    kept.insert("queue", (0..QUEUES).map(|number| format!("q{number}")).collect());
    kept.insert("user", filling.ids("/v1/records/user?limit=40", "records", "id").await?);
    kept.insert(
        "name",
        (0..contacts)
            .step_by(contacts / 100)
            .map(full_name)
            .map(|name| name.replace(' ', "+"))
            .collect(),
    );
    // So that what is counted was counted after all had come.
    sleep(COUNTED_EVERY).await;
    filling.settle().await?;
    kept.insert("run", filling.ids("/v1/runs?limit=100", "runs", "run").await?);
    if let Some((name, _)) = kept.iter().find(|(_, keys)| keys.is_empty()) {
        anyhow::bail!("there is no {name}");
    }
    Ok((Filled(kept), served))
}

/// Who works here: what they may do is not for a program to say over the API.
async fn people(program: &Program) -> anyhow::Result<()> {
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    let team = |number: usize| format!("t{},Team {number}\n", number);
    files.insert("team", (0..TEAMS).map(team).fold("external_id,name\n".to_owned(), |a, b| a + &b));
    let queue = |number: usize| format!("q{number},Queue {number},t{}\n", number % TEAMS);
    files.insert(
        "queue",
        (0..QUEUES).map(queue).fold("external_id,name,team\n".to_owned(), |a, b| a + &b),
    );
    let user = |number: usize| {
        format!("a{number},Agent {number},a{number}@shop.example,t{},agent\n", number % TEAMS)
    };
    files.insert(
        "user",
        (0..AGENTS).map(user).fold("external_id,name,email,team,roles\n".to_owned(), |a, b| a + &b),
    );
    for object in ["team", "queue", "user"] {
        let file = program.data.join(format!("{object}.csv"));
        std::fs::write(&file, &files[object])?;
        program.run(&["import", object, file.to_str().context("a path in UTF-8")?]).await?;
    }
    Ok(())
}

struct Filling {
    address: String,
    connection: Connection,
    secret: String,
}

impl Filling {
    /// Creates records, and answers with the ids of some of them and their
    /// numbers.
    async fn create(
        &mut self,
        object: &str,
        count: usize,
        record: impl Fn(usize) -> Json,
    ) -> anyhow::Result<Vec<(usize, String)>> {
        let began = Instant::now();
        let path = format!("/v1/records/{object}");
        let every = count.div_ceil(KEPT);
        let mut kept = Vec::new();
        let mut from = 0;
        while from < count {
            let until = count.min(from + BATCH);
            let body = Json::Array((from..until).map(&record).collect()).to_string();
            let sent = self.connection.send(&request("POST", &path, &self.secret, &body)).await;
            // The workflows are behind. A host that says so reads no further, so what
            // comes next on this connection may not arrive.
            let answer = match sent {
                Ok(answer) if answer.status != 429 => answer,
                refused => {
                    if began.elapsed() > PATIENCE {
                        refused?;
                    }
                    sleep(Duration::from_millis(200)).await;
                    self.connection = Connection::open(&self.address).await?;
                    continue;
                }
            };
            let said: Json = serde_json::from_slice(&answer.body)?;
            let created = said["records"].as_array().with_context(|| said.to_string())?;
            for (number, created) in (from..until).zip(created) {
                if number % every == 0 {
                    let (_, id) = created["record"]
                        .as_str()
                        .and_then(|record| record.split_once('/'))
                        .with_context(|| created.to_string())?;
                    kept.push((number, id.to_owned()));
                }
            }
            from = until;
        }
        eprintln!("  {count} of {object} in {:.1?}", began.elapsed());
        Ok(kept)
    }

    async fn get(&mut self, path: &str) -> anyhow::Result<Json> {
        let answer = self.connection.send(&request("GET", path, &self.secret, "")).await?;
        let said: Json = serde_json::from_slice(&answer.body)?;
        ensure!(answer.status == 200, "{path}: {said}");
        Ok(said)
    }

    /// The ids of a list, which are called so there.
    async fn ids(&mut self, path: &str, list: &str, name: &str) -> anyhow::Result<Vec<String>> {
        let said = self.get(path).await?;
        let list = said[list].as_array().with_context(|| said.to_string())?;
        let id = |item: &Json| {
            let id = item[name].as_str()?;
            Some(id.rsplit('/').next().unwrap_or(id).to_owned())
        };
        Ok(list.iter().filter_map(id).collect())
    }

    /// Waits until no event and no run has anything left to do. The counts of
    /// `/metrics` are some seconds old.
    async fn settle(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let answer =
                self.connection.send(&request("GET", "/metrics", &self.secret, "")).await?;
            let metrics = String::from_utf8(answer.body)?;
            let waits = |queue: &str| {
                let name = format!("relata_queue{{queue=\"{queue}\"}} ");
                metrics.lines().find_map(|line| line.strip_prefix(&name)).map(|count| count != "0")
            };
            let (events, runs) = (waits("events"), waits("runs"));
            if !(events.context("no count of events")? || runs.context("no count of runs")?) {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "the workflows do not come to an end");
            sleep(Duration::from_secs(1)).await;
        }
    }
}

/// A number that looks drawn, and is the same each time.
const fn drawn(number: usize, salt: usize, of: usize) -> usize {
    let mixed = (number as u64 ^ (salt as u64) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed >> 32) % of as u64) as usize
}

fn one_of<'w>(words: &[&'w str], number: usize, salt: usize) -> &'w str {
    words[drawn(number, salt, words.len())]
}

fn full_name(number: usize) -> String {
    let (first, last) = (one_of(&FIRST_NAMES, number, 1), one_of(&LAST_NAMES, number, 2));
    format!("{first} {last} {number}")
}

fn day(number: usize, salt: usize) -> String {
    format!("2026-{:02}-{:02}", 1 + drawn(number, salt, 11), 1 + drawn(number, salt + 1, 28))
}

fn account(number: usize, _: Size) -> Json {
    json!({
        "external_id": format!("ac{number}"),
        "name": format!("{} {number} GmbH", one_of(&LAST_NAMES, number, 3)),
        "industry": one_of(&["retail", "software", "machines", "food"], number, 4),
        "country": one_of(&["DE", "AT", "CH", "CN"], number, 5),
        "tier": one_of(&["standard", "standard", "silver", "gold"], number, 6),
    })
}

fn contact(number: usize, size: Size) -> Json {
    json!({
        "external_id": format!("c{number}"),
        "name": full_name(number),
        "email": format!("c{number}@customers.example"),
        "phone": format!("+4930{:07}", number),
        "account": format!("account/ac{}", drawn(number, 7, size.contacts / 10)),
        "country": one_of(&["DE", "AT", "CH", "CN"], number, 8),
        "tier": one_of(&["standard", "standard", "standard", "silver", "gold"], number, 9),
        "order_count": drawn(number, 10, 12),
        "last_order_at": format!("{}T12:00:00Z", day(number, 11)),
    })
}

fn lead(number: usize, _: Size) -> Json {
    let status = match drawn(number, 20, 100) {
        0..4 => "new",
        4..10 => "assigned",
        10..18 => "in_process",
        18..50 => "converted",
        50..60 => "recycled",
        _ => "dead",
    };
    json!({
        "name": full_name(number),
        "email": format!("l{number}@leads.example"),
        "company": format!("{} {number}", one_of(&LAST_NAMES, number, 21)),
        "source": one_of(&["fair", "web", "phone"], number, 22),
        "status": status,
        "owner": format!("user/a{}", drawn(number, 23, AGENTS)),
    })
}

fn opportunity(number: usize, size: Size) -> Json {
    let stage = match drawn(number, 30, 100) {
        0..4 => "prospecting",
        4..8 => "qualification",
        8..12 => "proposal",
        12..15 => "negotiation",
        15..55 => "closed_won",
        _ => "closed_lost",
    };
    json!({
        "name": format!("Offer {number}"),
        "account": format!("account/ac{}", drawn(number, 31, size.contacts / 10)),
        "contact": format!("contact/c{}", drawn(number, 32, size.contacts)),
        "amount": format!("{} EUR", 100 + drawn(number, 33, 90_000)),
        "close_date": day(number, 34),
        "stage": stage,
        "owner": format!("user/a{}", drawn(number, 35, AGENTS)),
    })
}

/// Whose a ticket is follows from its number, so that it is known which ones
/// the agent of the first team sees.
fn ticket(number: usize, size: Size) -> Json {
    let status = match drawn(number, 40, 1_000) {
        0..10 => "new",
        10..30 => "open",
        30..50 => "waiting_for_customer",
        50..60 => "on_hold",
        60..100 => "solved",
        _ => "closed",
    };
    let is_open = !matches!(status, "solved" | "closed");
    let queue = number % TEAMS + TEAMS * drawn(number, 41, QUEUES / TEAMS);
    let owner = number % TEAMS + TEAMS * drawn(number, 42, AGENTS / TEAMS);
    json!({
        "external_id": format!("k{number}"),
        "customer": format!("contact/c{}", drawn(number, 43, size.contacts)),
        "subject": format!("Where is order {number}?"),
        "body": format!("I ordered a week ago, and nothing has come. My order has the number {number}. Please tell me when I can expect it."),
        "channel": one_of(&["mail", "web", "chat", "phone"], number, 44),
        "type": one_of(&["question", "problem", "request", "question", "problem", "complaint"], number, 45),
        "priority": one_of(&["low", "normal", "normal", "normal", "high", "urgent"], number, 46),
        "status": status,
        "queue": format!("queue/q{queue}"),
        "owner": (status != "new").then(|| format!("user/a{owner}")),
        "team": format!("team/t{}", number % TEAMS),
        "reply_due_at": (is_open && drawn(number, 47, 3) > 0).then(|| format!("{}T09:00:00Z", day(number, 48))),
    })
}

/// A ticket has a question and an answer.
fn message(number: usize, size: Size) -> Json {
    let (ticket, second) = (number / 2, number % 2 == 1);
    let owner = ticket % TEAMS + TEAMS * drawn(ticket, 42, AGENTS / TEAMS);
    let author = match second {
        true => format!("user/a{owner}"),
        false => format!("contact/c{}", drawn(ticket, 43, size.contacts)),
    };
    json!({
        "ticket": format!("ticket/k{ticket}"),
        "direction": if second { "out" } else { "in" },
        "channel": "mail",
        "author": author,
        "subject": format!("Where is order {ticket}?"),
        "body": "It should have come on Friday, and I have waited at home for it all day long. ".repeat(1 + drawn(number, 50, 8)),
    })
}

fn interaction(number: usize, size: Size) -> Json {
    json!({
        "about": format!("contact/c{}", drawn(number, 43, size.contacts)),
        "kind": "message_received",
        "summary": format!("Where is order {number}?"),
        "happened_at": format!("{}T08:00:00Z", day(number, 60)),
    })
}

fn task(number: usize, size: Size) -> Json {
    json!({
        "title": format!("Call {}", full_name(number)),
        "about": format!("contact/c{}", drawn(number, 70, size.contacts)),
        "assignee": format!("user/a{}", drawn(number, 71, AGENTS)),
        "due_at": format!("{}T10:00:00Z", day(number, 72)),
        "status": if drawn(number, 73, 10) == 0 { "open" } else { "done" },
    })
}

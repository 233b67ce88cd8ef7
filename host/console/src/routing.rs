//! Routing: the queues and what waits in them, the agents and what they have,
//! and the last decisions about whose a ticket is.

use std::collections::BTreeMap;

use askama::Template;
use axum::response::Response;
use relata_app::{
    RecordSearch,
    model::{Act, Area, Doing, Record, Reference, Value},
    store::ValueCount,
};

use crate::{
    failure::Failure,
    frame::rendered,
    html::{Link, Moment, Pill},
    names::{Names, Told, page_of},
    session::{Visit, text_of},
    shell::{Shell, in_query},
    words,
};

/// How many queues and agents the page shows.
const MOST: u32 = 200;

/// How many tickets' last decisions are shown.
const DECISIONS: u32 = 15;

#[derive(Template)]
#[template(path = "routing.html")]
struct RoutingPage {
    s: Shell,
    queues: Vec<Queue>,
    agents: Vec<Agent>,
    decisions: Vec<Decided>,
}

struct Queue {
    link: Link,
    team: Option<Link>,
    policy: String,
    skills: String,
    waiting: Link,
    oldest: Option<Moment>,
}

struct Agent {
    link: Link,
    team: Option<Link>,
    presence: Pill,
    skills: String,
    open: Link,
    capacity: String,
    full: bool,
}

struct Decided {
    ticket: Link,
    at: Option<Moment>,
    to: String,
    by: String,
    reason: Option<Told>,
    run: Option<Link>,
}

/// `GET /routing`
pub(crate) async fn page(visit: Visit) -> Result<Response, Failure> {
    visit.must(Area::Routing, Doing::See).await?;
    Ok(rendered(&RoutingPage {
        queues: queues(&visit).await?,
        agents: agents(&visit).await?,
        decisions: decisions(&visit).await?,
        s: visit.shell("routing"),
    }))
}

/// Records that the viewer sees; none where they see none of the object.
pub(crate) async fn found(
    visit: &Visit,
    object: &str,
    filter: &[(&str, &str)],
    sort: Option<&str>,
    limit: u32,
) -> Result<Vec<Record>, Failure> {
    if !visit.viewer.may_object(object, Act::See) {
        return Ok(Vec::new());
    }
    let search = RecordSearch {
        filter: filter
            .iter()
            .map(|(field, value)| ((*field).to_owned(), (*value).to_owned()))
            .collect(),
        sort: sort.map(str::to_owned),
        limit,
        ..RecordSearch::default()
    };
    Ok(visit.app.find(&visit.viewer, object, &search).await?.records)
}

/// How many tickets there are that name each of some records in a field, and the
/// oldest of them: one question, which an index answers, however many records
/// they are.
async fn tickets_by(
    visit: &Visit,
    field: &str,
    named: &[Record],
    further: &[(&str, &str)],
) -> Result<BTreeMap<Reference, ValueCount>, Failure> {
    if named.is_empty() || !visit.viewer.may_object("ticket", Act::See) {
        return Ok(BTreeMap::new());
    }
    let any = listed_references(named.iter().map(|record| &record.reference));
    let mut filter = vec![(field.to_owned(), any)];
    filter.extend(further.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())));
    let search = RecordSearch { filter, ..RecordSearch::default() };
    let counts = visit.app.count_by(&visit.viewer, "ticket", &search, field).await?;
    let by_record = |one: ValueCount| Some((one.value.as_reference()?.clone(), one));
    Ok(counts.into_iter().filter_map(by_record).collect())
}

/// References as a condition takes them: one of these.
fn listed_references<'r>(references: impl Iterator<Item = &'r Reference>) -> String {
    references.map(ToString::to_string).collect::<Vec<_>>().join(",")
}

async fn queues(visit: &Visit) -> Result<Vec<Queue>, Failure> {
    let queues = found(visit, "queue", &[], Some("name"), MOST).await?;
    let names = Names::of_records(visit, &queues).await?;
    let waiting =
        tickets_by(visit, "queue", &queues, &[("owner.empty", "true"), ("status", "new,open")])
            .await?;
    let oldest = match waiting.is_empty() {
        true => Vec::new(),
        false => {
            let oldest = listed_references(waiting.values().map(|one| &one.oldest));
            found(visit, "ticket", &[("id", &oldest)], None, MOST).await?
        }
    };
    let since = |oldest_of: &ValueCount| {
        let ticket = oldest.iter().find(|ticket| ticket.reference == oldest_of.oldest)?;
        ticket.field("queued_at").as_time().or(ticket.field("created_at").as_time())
    };
    let shown = queues.iter().map(|queue| {
        let waiting = waiting.get(&queue.reference);
        Queue {
            link: Link::to(page_of(&queue.reference), text_of(queue, "name")),
            team: queue.field("team").as_reference().map(|team| names.link(team)),
            policy: words::choice(text_of(queue, "policy"), visit.lang()),
            skills: listed(queue.field("required_skills")),
            waiting: Link::to(
                format!(
                    "/records/ticket?queue={}&owner.empty=true&status=new,open",
                    in_query(&queue.reference.to_string())
                ),
                waiting.map_or(0, |one| one.count).to_string(),
            ),
            oldest: waiting.and_then(since).map(|at| visit.moment(at)),
        }
    });
    Ok(shown.collect())
}

fn listed(value: &Value) -> String {
    match value {
        Value::Nothing => String::new(),
        other => other.to_string(),
    }
}

async fn agents(visit: &Visit) -> Result<Vec<Agent>, Failure> {
    let users = found(visit, "user", &[("active", "true")], Some("name"), MOST).await?;
    let names = Names::of_records(visit, &users).await?;
    let open = tickets_by(visit, "owner", &users, &[("status", "new,open")]).await?;
    let agents = users.iter().map(|user| {
        let open = open.get(&user.reference).map_or(0, |one| one.count);
        let capacity = user.field("capacity").as_number();
        Agent {
            link: Link::to(page_of(&user.reference), text_of(user, "name")),
            team: user.field("team").as_reference().map(|team| names.link(team)),
            presence: Pill::of_word(text_of(user, "presence"), visit.lang()),
            skills: listed(user.field("skills")),
            open: Link::to(
                format!(
                    "/records/ticket?owner={}&status=new,open",
                    in_query(&user.reference.to_string())
                ),
                open.to_string(),
            ),
            full: capacity.is_some_and(|capacity| capacity <= open.into()),
            capacity: capacity.map_or_else(String::new, |number| number.normalize().to_string()),
        }
    });
    Ok(agents.collect())
}

/// The last decision about each of the tickets that came last.
async fn decisions(visit: &Visit) -> Result<Vec<Decided>, Failure> {
    let tickets = found(visit, "ticket", &[], Some("-id"), DECISIONS).await?;
    let mut latest = BTreeMap::new();
    for ticket in &tickets {
        let mut decisions = visit.app.decisions(&ticket.reference).await?;
        if !decisions.is_empty() {
            let decision = decisions.swap_remove(0);
            latest.insert(std::cmp::Reverse(decision.at.clone()), (ticket, decision));
        }
    }
    let mut named: Vec<Reference> = Vec::new();
    for (_, decision) in latest.values() {
        let told = [decision.owner.as_ref(), decision.queue.as_ref(), Some(&decision.by)];
        named.extend(told.into_iter().flatten().filter_map(|text| text.parse().ok()));
    }
    let mut names = Names::new(visit);
    names.learn(&named.iter().collect::<Vec<_>>()).await?;
    let reasons: Vec<&str> =
        latest.values().filter_map(|(_, decision)| decision.reason.as_deref()).collect();
    names.learn_sentences(&reasons).await?;
    Ok(latest
        .values()
        .map(|(ticket, decision)| Decided {
            ticket: Link::to(
                format!("{}#why", page_of(&ticket.reference)),
                format!("{} {}", text_of(ticket, "ref"), text_of(ticket, "subject")),
            ),
            at: visit.moment_of(Some(&decision.at)),
            to: decision
                .owner
                .as_ref()
                .or(decision.queue.as_ref())
                .map_or_else(|| visit.lang().texts().nobody.to_owned(), |to| names.actor(to)),
            by: names.actor(&decision.by),
            reason: decision.reason.as_deref().map(|reason| names.told(reason)),
            run: decision.run.as_ref().map(|run| {
                Link::to(format!("/runs/{run}"), decision.action.as_deref().unwrap_or("run"))
            }),
        })
        .collect())
}

//! The simulator of routing: who would get a ticket, and how many others like
//! it everybody would get. The question stands in the address, so that it can
//! be sent to a colleague; asking it changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::{extract::Query, http::StatusCode, response::Response};
use relata_app::{
    AccessError, MOST_SIMULATED, RoutingScenario, RoutingSimulation,
    model::{Area, Doing, FieldDefinition, Reference, Value, object::parse_time},
};

use crate::{
    decision::{self, DecisionView},
    failure::Failure,
    frame::rendered,
    html::Link,
    inbox::asked,
    names::{Names, Told, page_of},
    record_form::{Control, Kind, Offer, kind_of, offers, parsed},
    routing::found,
    session::{Visit, text_of},
    shell::Shell,
    texts::fill,
    words,
};

/// The fields of a ticket that are asked for, in this order.
const FIELDS: [&str; 7] =
    ["queue", "subject", "channel", "priority", "type", "required_skills", "customer"];

/// How many queues are offered by name.
const MOST_QUEUES: u32 = 200;

/// How many tickets come where nothing is said.
const TICKETS: &str = "10";

#[derive(Template)]
#[template(path = "simulator.html")]
struct SimulatorPage {
    s: Shell,
    fields: Vec<Control>,
    offers: Vec<Offer>,
    /// What is wrong with none of the fields.
    wrong: Option<String>,
    answer: Option<Answer>,
}

struct Answer {
    /// Where the first goes, in a sentence.
    first: String,
    decisions: Vec<DecisionView>,
    not_started: Vec<(Link, Told)>,
    remarks: Vec<Told>,
    /// How many there are.
    of: String,
    shares: Vec<Share>,
    tickets: Vec<Ticket>,
}

struct Share {
    who: Link,
    tickets: u32,
    open: String,
    capacity: String,
}

struct Ticket {
    number: u32,
    to: String,
    reason: Option<Told>,
}

/// `GET /routing/simulator`
pub(crate) async fn page(
    visit: Visit,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    visit.must(Area::Routing, Doing::See).await?;
    let mut errors = BTreeMap::new();
    let (mut answer, mut wrong) = (None, None);
    // A page that was only opened asks nothing yet.
    if asked(&query, "tickets").is_some() {
        let scenario = read(&visit, &query, &mut errors).await?;
        if errors.is_empty() {
            match visit.app.simulate_routing_as(&visit.viewer, &scenario).await {
                Ok(simulated) => answer = Some(told(&visit, &simulated).await?),
                Err(AccessError::Invalid(found)) => {
                    errors.extend(found.into_iter().map(|error| (error.field, error.why)));
                }
                Err(AccessError::App(why)) if why.is_wrong_input() => wrong = Some(why.to_string()),
                Err(why) => return Err(why.into()),
            }
        }
    }
    let is_wrong = !errors.is_empty() || wrong.is_some();
    let (fields, offers) = controls(&visit, &query, &mut errors).await?;
    if !errors.is_empty() {
        let others = errors.iter().map(|(field, why)| format!("{field}: {why}"));
        wrong = Some(others.collect::<Vec<_>>().join("; "));
    }
    let s = visit.shell("routing");
    let mut response = rendered(&SimulatorPage { s, fields, offers, wrong, answer });
    if is_wrong {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

/// The question as the address has it, and what does not read.
async fn read(
    visit: &Visit,
    query: &[(String, String)],
    errors: &mut BTreeMap<String, String>,
) -> Result<RoutingScenario, Failure> {
    let definition = visit.app.object("ticket")?;
    let mut scenario = RoutingScenario::default();
    for name in FIELDS {
        let (Some(written), Some(field)) = (asked(query, name), definition.field(name)) else {
            continue;
        };
        match parsed(visit, field, written).await? {
            Ok(Value::Nothing) => {}
            Ok(value) => drop(scenario.ticket.insert(name.to_owned(), value.to_json())),
            Err(why) => drop(errors.insert(name.to_owned(), why)),
        }
    }
    let t = visit.lang().texts();
    match asked(query, "tickets").map(str::parse) {
        Some(Ok(tickets)) if (1..=MOST_SIMULATED).contains(&tickets) => scenario.tickets = tickets,
        _ => {
            let why = fill(t.takes_from_to, &["1", &MOST_SIMULATED.to_string()]);
            errors.insert("tickets".to_owned(), why);
        }
    }
    if let Some(waited) = asked(query, "waited") {
        match waited.parse() {
            Ok(minutes) => scenario.waited_minutes = Some(minutes),
            Err(_) => {
                let why = fill(t.takes_from_to, &["0", &u32::MAX.to_string()]);
                errors.insert("waited".to_owned(), why);
            }
        }
    }
    if let Some(at) = asked(query, "at") {
        match parse_time(at, &visit.zone()) {
            Some(at) => scenario.at = Some(at),
            None => drop(errors.insert("at".to_owned(), t.no_time.to_owned())),
        }
    }
    Ok(scenario)
}

async fn controls(
    visit: &Visit,
    query: &[(String, String)],
    errors: &mut BTreeMap<String, String>,
) -> Result<(Vec<Control>, Vec<Offer>), Failure> {
    let (lang, t) = (visit.lang(), visit.lang().texts());
    let definition = visit.app.object("ticket")?;
    let mut controls = Vec::new();
    let mut offered = BTreeSet::new();
    let written = |name: &str| asked(query, name).unwrap_or_default().to_owned();
    for name in FIELDS {
        let Some(field) = definition.field(name) else { continue };
        // Nothing chosen is what a ticket has of which nothing is said.
        let value = match asked(query, name) {
            Some(written) => written.to_owned(),
            None => field.default.as_text().unwrap_or_default().to_owned(),
        };
        let kind = match name {
            "queue" => queues(visit, field, &value).await?,
            _ => kind_of(visit, field, &value, None),
        };
        if let Kind::Record(of) = &kind {
            offered.insert(of.clone());
        }
        let summary = match name {
            "required_skills" => t.skills_hint.to_owned(),
            "customer" => t.customer_hint.to_owned(),
            _ => field.summary.clone(),
        };
        controls.push(Control {
            name: name.to_owned(),
            title: words::field(name, lang),
            summary,
            required: false,
            value,
            wide: false,
            kind,
            error: errors.remove(name),
        });
    }
    let tickets = asked(query, "tickets").unwrap_or(TICKETS).to_owned();
    for (name, title, summary, value, kind) in [
        ("tickets", t.how_many, t.how_many_hint, tickets, Kind::Input("number", "1")),
        ("at", t.when, t.when_hint, written("at"), Kind::Input("datetime-local", "")),
        ("waited", t.waited, t.waited_hint, written("waited"), Kind::Input("number", "1")),
    ] {
        controls.push(Control {
            name: name.to_owned(),
            title: title.to_owned(),
            summary: summary.to_owned(),
            required: name == "tickets",
            value,
            wide: false,
            kind,
            error: errors.remove(name),
        });
    }
    Ok((controls, offers(visit, &offered).await?))
}

/// The queues by name, or a text where the viewer sees none.
async fn queues(visit: &Visit, field: &FieldDefinition, value: &str) -> Result<Kind, Failure> {
    let queues = found(visit, "queue", &[], Some("name"), MOST_QUEUES).await?;
    if queues.is_empty() {
        return Ok(kind_of(visit, field, value, None));
    }
    let is = |queue: &Reference, handle: &str| {
        [queue.to_string().as_str(), handle, queue.key.as_str()].contains(&value)
    };
    let mut words: Vec<(String, String, bool)> = queues
        .iter()
        .map(|queue| {
            let handle = queue.handle();
            let chosen = is(&queue.reference, &handle);
            (handle, text_of(queue, "name").to_owned(), chosen)
        })
        .collect();
    // One that is not there stays as it was written, beside what is wrong.
    if !value.is_empty() && !words.iter().any(|(.., chosen)| *chosen) {
        words.push((value.to_owned(), value.to_owned(), true));
    }
    words.insert(0, (String::new(), String::new(), value.is_empty()));
    Ok(Kind::Select(words))
}

async fn told(visit: &Visit, simulated: &RoutingSimulation) -> Result<Answer, Failure> {
    let t = visit.lang().texts();
    let mut names = Names::new(visit);
    let decisions = decision::views(visit, &simulated.decisions, &mut names).await?;
    let mut named: Vec<Reference> = Vec::new();
    let mut sentences: Vec<&str> = Vec::new();
    for ticket in &simulated.tickets {
        let whose = [&ticket.owner, &ticket.queue].into_iter().flatten();
        named.extend(whose.filter_map(|text| text.parse().ok()));
        sentences.extend(ticket.reason.as_deref());
    }
    named.extend(simulated.shares.iter().filter_map(|share| share.user.parse().ok()));
    sentences.extend(simulated.not_started.iter().map(|refusal| refusal.reason.as_str()));
    sentences.extend(simulated.remarks.iter().map(String::as_str));
    names.learn(&named.iter().collect::<Vec<_>>()).await?;
    names.learn_sentences(&sentences).await?;
    let names = &names;
    let whose = |owner: &Option<String>, queue: &Option<String>| match (owner, queue) {
        (Some(owner), _) => fill(t.would_go_to, &[&names.actor(owner)]),
        (None, Some(queue)) => fill(t.would_wait_in, &[&names.actor(queue)]),
        (None, None) => t.would_go_nowhere.to_owned(),
    };
    let number = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
    let waiting = simulated.tickets.iter().filter(|ticket| ticket.owner.is_none()).count();
    let mut shares: Vec<Share> = simulated
        .shares
        .iter()
        .map(|share| Share {
            who: match share.user.parse::<Reference>() {
                Ok(user) => Link::to(page_of(&user), names.label(&user)),
                Err(_) => Link { href: None, text: share.user.clone() },
            },
            tickets: share.tickets,
            open: number(share.open),
            capacity: number(share.capacity),
        })
        .collect();
    if waiting > 0 {
        shares.push(Share {
            who: Link { href: None, text: t.nobody.to_owned() },
            tickets: u32::try_from(waiting).unwrap_or(u32::MAX),
            open: String::new(),
            capacity: String::new(),
        });
    }
    Ok(Answer {
        first: simulated
            .tickets
            .first()
            .map_or_else(String::new, |first| whose(&first.owner, &first.queue)),
        decisions,
        not_started: simulated
            .not_started
            .iter()
            .map(|refusal| {
                let page = format!("/workflows/{}", crate::shell::in_query(&refusal.workflow));
                (Link::to(page, refusal.workflow.as_str()), names.told(&refusal.reason))
            })
            .collect(),
        remarks: simulated.remarks.iter().map(|remark| names.told(remark)).collect(),
        of: simulated.tickets.len().to_string(),
        shares,
        tickets: simulated
            .tickets
            .iter()
            .map(|ticket| Ticket {
                number: ticket.number,
                to: whose(&ticket.owner, &ticket.queue),
                reason: ticket.reason.as_deref().map(|reason| names.told(reason)),
            })
            .collect(),
    })
}

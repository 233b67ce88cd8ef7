//! A ticket: the conversation, what can be done about it, and its customer
//! beside it.

use askama::Template;
use axum::{
    extract::{Path, Query},
    response::Response,
};
use relata_app::{
    RecordSearch, Watched,
    model::{Act, ObjectDefinition, Record, Reference},
};
use sha2::{Digest, Sha256};

use crate::{
    decision::{self, DecisionView},
    failure::Failure,
    fields::{self, Field},
    files::{self, FileView},
    frame::rendered,
    html::{Link, Moment, Pill},
    inbox::{asked, view_of},
    names::{Names, Told, page_of},
    reply::NoReply,
    service_level::{self, ServiceLevel},
    session::{Visit, text_of},
    shell::{Shell, in_query},
    texts::fill,
    ticket_list::{self, TicketList},
    words,
};

/// How many of a conversation's last messages a page shows.
const LAST_MESSAGES: u32 = 30;

/// How much of a message it shows, characters: a page is to stay small.
const LONGEST_MESSAGE: usize = 4_000;

/// How many colleagues a ticket can be handed to by name.
const MOST_COLLEAGUES: u32 = 200;

/// How many of a customer's other tickets stand beside one.
const OTHER_TICKETS: u32 = 6;

/// How many complaints of a customer a seller or agent should know of.
const COMPLAINTS: u32 = 3;

/// How many lines of the customer's timeline stand beside a ticket.
const TIMELINE: u32 = 12;

/// What is worth knowing of a customer beside a ticket.
const OF_CUSTOMER: [&str; 10] = [
    "email",
    "phone",
    "account",
    "tier",
    "life_cycle",
    "country",
    "locale",
    "order_count",
    "last_order_at",
    "owner",
];

/// What is worth knowing of a ticket beside its conversation.
const OF_TICKET: [&str; 9] = [
    "queue",
    "channel",
    "type",
    "category",
    "required_skills",
    "reply_due_at",
    "solution_due_at",
    "first_reply_at",
    "created_at",
];

#[derive(Template)]
#[template(path = "ticket.html")]
pub(crate) struct TicketPage {
    pub(crate) s: Shell,
    list: TicketList,
    ticket: TicketView,
    customer: Option<CustomerView>,
    service_level: Option<ServiceLevel>,
    /// What is said to whoever does not see the page when it has changed.
    news: String,
    messages: Vec<MessageView>,
    /// Those before them, where there are more than a page shows.
    earlier: Option<String>,
    decisions: Vec<DecisionView>,
    /// What was wrong with a form that was sent, and what stood in it.
    pub(crate) wrong: Option<String>,
    pub(crate) draft: String,
    pub(crate) note_draft: String,
}

/// A ticket at the head of its page.
struct TicketView {
    key: String,
    number: String,
    subject: String,
    status: Pill,
    priority: Option<Pill>,
    due: Option<Pill>,
    owner: String,
    record: String,
    fields: Vec<Field>,
    /// Statuses that it can take now: the word, and what it is called.
    moves: Vec<(String, String)>,
    /// Those among them that an answer may lead to.
    can_wait: bool,
    can_solve: bool,
    may_change: bool,
    may_note: bool,
    mine: bool,
    colleagues: Vec<(String, String)>,
    /// Whom an answer goes to, or why none can be given.
    reply_to: Result<String, &'static str>,
    why: String,
    /// By what a message that is sent twice is known.
    nonce: String,
    /// Where in the inbox its reader came from.
    back: String,
    query: String,
}

/// Its customer.
struct CustomerView {
    name: Link,
    /// None where the viewer may not see the record.
    seen: Option<SeenCustomer>,
}

struct SeenCustomer {
    fields: Vec<Field>,
    open: Vec<OtherTicket>,
    complaints: Vec<OtherTicket>,
    all_tickets: String,
    timeline: Vec<Line>,
    whole: String,
}

/// Another ticket of the customer.
pub(crate) struct OtherTicket {
    pub(crate) link: Link,
    pub(crate) status: Pill,
    pub(crate) at: Option<Moment>,
}

/// A line of a timeline.
pub(crate) struct Line {
    pub(crate) at: Option<Moment>,
    pub(crate) what: Told,
    pub(crate) by: String,
}

/// A message of the conversation.
struct MessageView {
    /// By what it is known from one reading to the next.
    id: String,
    /// The class: `in`, `out` or `note`.
    direction: String,
    title: String,
    at: Option<Moment>,
    body: String,
    /// The whole message, where this is only its beginning.
    whole: Option<String>,
    attachments: Vec<FileView>,
    /// How the mail of an answer stands, where it has not just gone out.
    delivery: Option<Pill>,
}

/// `GET /tickets/{key}`
pub(crate) async fn page(
    visit: Visit,
    Path(key): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    Ok(rendered(&filled(&visit, &key, &query).await?))
}

/// The page of a ticket.
pub(crate) async fn filled(
    visit: &Visit,
    key: &str,
    query: &[(String, String)],
) -> Result<TicketPage, Failure> {
    let record = visit.app.see(&visit.viewer, &Reference::new("ticket", key)).await?;
    let definition = visit.app.object("ticket")?;
    let view = view_of(query);
    let from = asked(query, "from");
    let list = ticket_list::list(visit, view, from, Some(&record.reference)).await?;
    let messages = messages(visit, &record.reference).await?;
    let mut names = Names::of_records(visit, std::slice::from_ref(&record)).await?;
    names.learn_records(&messages).await?;
    let decisions = visit.app.decisions(&record.reference).await?;
    let decisions = decision::views(visit, &decisions, &mut names).await?;
    let customer = customer(visit, &record, &mut names).await?;
    let back = format!(
        "/inbox?view={}{}",
        view.word(),
        from.map_or_else(String::new, |from| format!("&from={}", in_query(from)))
    );
    let reply_to = match &customer {
        _ if text_of(&record, "status") == "closed" => Err(NoReply::Closed),
        None => Err(NoReply::NoCustomer),
        Some((_, address)) if address.is_empty() => Err(NoReply::NoAddress),
        Some((name, address)) => Ok(format!("{name} <{address}>")),
    };
    let customer_view = customer_view(visit, &record, &mut names).await?;
    let conversation = conversation(visit, &record, &messages, &names).await?;
    let (service_level, pill) =
        match service_level::of_ticket(visit, &record.reference, &mut names).await? {
            Some((level, pill)) => (Some(level), pill),
            None => (None, None),
        };
    let news = news(visit, &record, &conversation);
    let earlier = (messages.len() == LAST_MESSAGES as usize)
        .then(|| format!("/records/message?ticket={}", record.reference));
    Ok(TicketPage {
        earlier,
        s: visit.shell("inbox").showing(shown(&record)),
        ticket: TicketView {
            due: pill.or_else(|| ticket_list::due(visit, &record)),
            ..ticket_view(visit, &record, definition, &messages, &names, reply_to, back).await?
        },
        service_level,
        news,
        list,
        customer: customer_view,
        messages: conversation,
        decisions,
        wrong: None,
        draft: String::new(),
        note_draft: String::new(),
    })
}

/// What stands on the page of a ticket.
fn shown(ticket: &Record) -> Vec<Watched> {
    let of_ticket = Watched::Naming {
        object: "message".to_owned(),
        field: "ticket".to_owned(),
        target: ticket.reference.clone(),
    };
    // The list beside it, and the ticket in it.
    vec![Watched::Object("ticket".to_owned()), of_ticket]
}

/// How the ticket stands, and what was said last.
fn news(visit: &Visit, ticket: &Record, conversation: &[MessageView]) -> String {
    let status = words::choice(text_of(ticket, "status"), visit.lang());
    let last = conversation.last().map_or("", |message| message.title.as_str());
    let count = conversation.len().to_string();
    fill(visit.lang().texts().news_of_talk, &[&status, &count, last])
}

/// The last messages, the oldest of them first.
async fn messages(visit: &Visit, ticket: &Reference) -> Result<Vec<Record>, Failure> {
    if !visit.viewer.may_object("message", Act::See) {
        return Ok(Vec::new());
    }
    let search = RecordSearch {
        filter: vec![("ticket".to_owned(), ticket.to_string())],
        sort: Some("-id".to_owned()),
        limit: LAST_MESSAGES,
        ..RecordSearch::default()
    };
    let mut messages = visit.app.find(&visit.viewer, "message", &search).await?.records;
    messages.reverse();
    Ok(messages)
}

/// The customer's name and address, where there is a customer.
async fn customer(
    visit: &Visit,
    ticket: &Record,
    names: &mut Names<'_>,
) -> Result<Option<(String, String)>, Failure> {
    let Some(customer) = ticket.field("customer").as_reference() else { return Ok(None) };
    names.learn(&[customer]).await?;
    let found =
        visit.app.store().record_fetch(customer).await.map_err(relata_app::AppError::from)?;
    let address = found.map(|found| text_of(&found, "email").to_owned()).unwrap_or_default();
    Ok(Some((names.label(customer), address)))
}

async fn ticket_view(
    visit: &Visit,
    record: &Record,
    definition: &ObjectDefinition,
    messages: &[Record],
    names: &Names<'_>,
    reply_to: Result<String, NoReply>,
    back: String,
) -> Result<TicketView, Failure> {
    let (t, lang) = (visit.lang().texts(), visit.lang());
    let status = text_of(record, "status");
    let allowed: &[String] = definition
        .field("status")
        .and_then(|field| field.transitions.get(status))
        .map_or(&[], Vec::as_slice);
    let owner = record.field("owner").as_reference();
    let mine = owner.is_some() && owner == visit.user();
    let may_change = visit.viewer.may_object("ticket", Act::Change);
    let owner_name = owner.map_or_else(|| t.nobody.to_owned(), |owner| names.label(owner));
    let fields = OF_TICKET;
    Ok(TicketView {
        key: record.reference.key.clone(),
        number: text_of(record, "ref").to_owned(),
        subject: text_of(record, "subject").to_owned(),
        status: Pill::of_word(status, lang),
        priority: ticket_list::priority(record, lang),
        due: ticket_list::due(visit, record),
        record: format!("/records/{}", record.reference),
        fields: fields::some(record, definition, fields, visit, names),
        moves: allowed.iter().map(|word| (word.clone(), words::choice(word, lang))).collect(),
        can_wait: allowed.iter().any(|word| word == "waiting_for_customer"),
        can_solve: allowed.iter().any(|word| word == "solved"),
        may_change,
        may_note: visit.viewer.may_object("message", Act::Create),
        mine,
        colleagues: if may_change { colleagues(visit, owner).await? } else { Vec::new() },
        reply_to: reply_to.map_err(|why| why.text(t)),
        why: if mine { t.why_me.to_owned() } else { fill(t.why_owner, &[&owner_name]) },
        owner: owner_name,
        nonce: nonce(record, messages),
        query: back.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default(),
        back,
    })
}

/// Users who work here and may be given a ticket, by name.
async fn colleagues(
    visit: &Visit,
    owner: Option<&Reference>,
) -> Result<Vec<(String, String)>, Failure> {
    if !visit.viewer.may_object("user", Act::See) {
        return Ok(Vec::new());
    }
    let search = RecordSearch {
        filter: vec![("active".to_owned(), "true".to_owned())],
        sort: Some("name".to_owned()),
        limit: MOST_COLLEAGUES,
        ..RecordSearch::default()
    };
    let users = visit.app.find(&visit.viewer, "user", &search).await?.records;
    let others = users.into_iter().filter(|user| Some(&user.reference) != owner);
    Ok(others.map(|user| (user.reference.to_string(), text_of(&user, "name").to_owned())).collect())
}

/// What a second click on the same form says again: it changes with every
/// message that is written.
fn nonce(ticket: &Record, messages: &[Record]) -> String {
    let last = messages.last().map_or("", |message| message.reference.key.as_str());
    let digest = Sha256::digest(format!("{}/{last}", ticket.reference));
    digest[..12].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The conversation, with what the ticket itself began with.
async fn conversation(
    visit: &Visit,
    ticket: &Record,
    messages: &[Record],
    names: &Names<'_>,
) -> Result<Vec<MessageView>, Failure> {
    let t = visit.lang().texts();
    let files = visit.app.attachments_of(&visit.viewer, messages).await?;
    let mut views = Vec::with_capacity(messages.len() + 1);
    let body = text_of(ticket, "body").trim();
    let repeats = messages.iter().any(|message| text_of(message, "body").trim() == body);
    if !body.is_empty() && !repeats {
        let customer = ticket.field("customer").as_reference();
        let customer = customer.map_or_else(|| t.no_customer.to_owned(), |who| names.label(who));
        views.push(MessageView {
            id: "beginning".to_owned(),
            direction: "in".to_owned(),
            title: fill(t.wrote, &[&customer]),
            at: ticket.field("created_at").as_time().map(|at| visit.moment(at)),
            body: beginning(body).to_owned(),
            whole: (beginning(body) != body).then(|| format!("/records/{}", ticket.reference)),
            attachments: Vec::new(),
            delivery: None,
        });
    }
    for message in messages {
        let (direction, body) = (text_of(message, "direction"), text_of(message, "body"));
        let shape = match direction {
            "out" => t.replied,
            "note" => t.noted,
            _ => t.wrote,
        };
        let author = message.field("author").as_reference();
        let author = author.map_or_else(|| t.nobody.to_owned(), |author| names.label(author));
        let delivery = match direction {
            "out" => visit.app.delivery_of(message).await?,
            _ => None,
        };
        views.push(MessageView {
            id: message.reference.key.clone(),
            direction: direction.to_owned(),
            title: fill(shape, &[&author]),
            at: message.field("created_at").as_time().map(|at| visit.moment(at)),
            body: beginning(body).to_owned(),
            whole: (beginning(body) != body).then(|| page_of(&message.reference)),
            attachments: files::views(message, &files, t),
            delivery: delivery.filter(|effect| effect.status != "sent").map(|effect| Pill {
                title: effect.reason.unwrap_or_default(),
                ..Pill::of_word(effect.status, visit.lang())
            }),
        });
    }
    Ok(views)
}

/// As much of a message as a page shows.
fn beginning(body: &str) -> &str {
    body.char_indices().nth(LONGEST_MESSAGE).map_or(body, |(end, _)| &body[..end])
}

/// The customer beside the ticket.
async fn customer_view(
    visit: &Visit,
    ticket: &Record,
    names: &mut Names<'_>,
) -> Result<Option<CustomerView>, Failure> {
    let Some(reference) = ticket.field("customer").as_reference() else { return Ok(None) };
    let name = names.link(reference);
    let record = match visit.app.see(&visit.viewer, reference).await.map_err(Failure::from) {
        Ok(record) => record,
        Err(Failure::Forbidden(_) | Failure::NotFound) => {
            return Ok(Some(CustomerView { name, seen: None }));
        }
        Err(other) => return Err(other),
    };
    names.learn_records(std::slice::from_ref(&record)).await?;
    let unsolved = ("status", "new,open,waiting_for_customer,on_hold");
    let open = others(visit, reference, unsolved, ticket, OTHER_TICKETS).await?;
    let complaints = complaints(visit, reference, Some(ticket)).await?;
    let timeline = timeline(visit, reference, TIMELINE, names).await?;
    let definition = visit.app.object(&reference.object)?;
    let fields = fields::some(&record, definition, OF_CUSTOMER, visit, names);
    Ok(Some(CustomerView {
        name,
        seen: Some(SeenCustomer {
            fields,
            open,
            complaints,
            all_tickets: format!("/records/ticket?customer={}", in_query(&reference.to_string())),
            timeline,
            whole: page_of(reference),
        }),
    }))
}

/// A customer's last complaints, the newest first: tickets that are of that
/// type, or that a workflow has put into that category.
pub(crate) async fn complaints(
    visit: &Visit,
    customer: &Reference,
    except: Option<&Record>,
) -> Result<Vec<OtherTicket>, Failure> {
    let mut found = tickets_of(visit, customer, ("type", "complaint"), COMPLAINTS).await?;
    found.extend(tickets_of(visit, customer, ("category", "complaint"), COMPLAINTS).await?);
    // Ids are in the order of their age.
    found.sort_by(|a, b| b.reference.cmp(&a.reference));
    found.dedup_by(|a, b| a.reference == b.reference);
    Ok(shown_beside(visit, &found, except, COMPLAINTS))
}

/// The newest of the customer's other tickets that meet a condition.
async fn others(
    visit: &Visit,
    customer: &Reference,
    condition: (&str, &str),
    ticket: &Record,
    most: u32,
) -> Result<Vec<OtherTicket>, Failure> {
    let found = tickets_of(visit, customer, condition, most).await?;
    Ok(shown_beside(visit, &found, Some(ticket), most))
}

/// The newest of a customer's tickets that meet a condition: one more than are
/// shown, since one of them may be left out.
async fn tickets_of(
    visit: &Visit,
    customer: &Reference,
    (field, value): (&str, &str),
    most: u32,
) -> Result<Vec<Record>, Failure> {
    if !visit.viewer.may_object("ticket", Act::See) {
        return Ok(Vec::new());
    }
    let search = RecordSearch {
        filter: vec![
            ("customer".to_owned(), customer.to_string()),
            (field.to_owned(), value.to_owned()),
        ],
        sort: Some("-id".to_owned()),
        limit: most + 1,
        ..RecordSearch::default()
    };
    Ok(visit.app.find(&visit.viewer, "ticket", &search).await?.records)
}

fn shown_beside(
    visit: &Visit,
    tickets: &[Record],
    except: Option<&Record>,
    most: u32,
) -> Vec<OtherTicket> {
    let others = tickets
        .iter()
        .filter(|other| except.is_none_or(|except| except.reference != other.reference));
    others
        .take(most as usize)
        .map(|other| OtherTicket {
            link: Link::to(page_of(&other.reference), text_of(other, "subject")),
            status: Pill::of_word(text_of(other, "status"), visit.lang()),
            at: other.field("created_at").as_time().map(|at| visit.moment(at)),
        })
        .collect()
}

/// The last lines of a record's timeline, the newest first.
pub(crate) async fn timeline(
    visit: &Visit,
    reference: &Reference,
    most: u32,
    names: &mut Names<'_>,
) -> Result<Vec<Line>, Failure> {
    let entries = visit.app.timeline_as(&visit.viewer, reference, most).await?;
    let actors: Vec<Reference> = entries.iter().filter_map(|entry| entry.by.parse().ok()).collect();
    names.learn(&actors.iter().collect::<Vec<_>>()).await?;
    let sentences: Vec<&str> = entries.iter().map(|entry| entry.what.as_str()).collect();
    names.learn_sentences(&sentences).await?;
    Ok(entries
        .iter()
        .rev()
        .map(|entry| Line {
            at: visit.moment_of(Some(&entry.at)),
            what: names.told(&entry.what),
            by: names.actor(&entry.by),
        })
        .collect())
}

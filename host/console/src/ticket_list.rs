//! The list of tickets on the left of the inbox: what is to be done next comes
//! first. Tickets with a time by which they must be answered are in the order
//! of that time; then come the others, the urgent ones first.
//!
//! Each part of that order is a question of its own that an index answers, so
//! that a page costs the same however many tickets there are.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use relata_app::{
    RecordSearch,
    model::{Act, Record, Reference, Value},
};

use crate::{
    failure::Failure,
    html::{Moment, Pill, Tone, span},
    look::Lang,
    names::Names,
    session::{Visit, text_of},
    shell::{counted, in_query},
    texts::{Texts, fill},
};

/// How many tickets a page of the list has.
const PAGE: u32 = 40;

/// How soon before its time a ticket is pressing, seconds.
const PRESSING: i64 = 60 * 60;

/// At most so many queues of a team are looked through.
const MOST_QUEUES: u32 = 50;

/// Which tickets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// That are the viewer's to answer.
    Mine,
    /// That wait for somebody in the queues of the viewer's team.
    Queues,
    /// That nobody has.
    Unassigned,
    /// Of the viewer, waiting for somebody else.
    Waiting,
    /// That are not solved.
    Open,
}

impl View {
    pub(crate) const ALL: [Self; 5] =
        [Self::Mine, Self::Queues, Self::Unassigned, Self::Waiting, Self::Open];

    /// The word in an address.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Mine => "mine",
            Self::Queues => "queues",
            Self::Unassigned => "unassigned",
            Self::Waiting => "waiting",
            Self::Open => "open",
        }
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.word() == word)
    }

    const fn title(self, t: &'static Texts) -> &'static str {
        match self {
            Self::Mine => t.view_mine,
            Self::Queues => t.view_queues,
            Self::Unassigned => t.view_unassigned,
            Self::Waiting => t.view_waiting,
            Self::Open => t.view_open,
        }
    }

    const fn empty(self, t: &'static Texts) -> &'static str {
        match self {
            Self::Mine => t.empty_mine,
            Self::Queues => t.empty_queues,
            Self::Unassigned => t.empty_unassigned,
            Self::Waiting => t.empty_waiting,
            Self::Open => t.empty_open,
        }
    }

    /// What its tickets have in common; none where there can be none.
    fn filter(self, me: &Reference, queues: &str) -> Option<Vec<(String, String)>> {
        let condition = |field: &str, value: &str| (field.to_owned(), value.to_owned());
        let nobodys = || condition("owner.empty", "true");
        let to_answer = || condition("status", "new,open");
        let mine = || condition("owner", &me.to_string());
        Some(match self {
            Self::Mine => vec![mine(), to_answer()],
            Self::Waiting => vec![mine(), condition("status", "waiting_for_customer,on_hold")],
            Self::Unassigned => vec![nobodys(), to_answer()],
            Self::Open => vec![condition("status", "new,open,waiting_for_customer,on_hold")],
            Self::Queues if queues.is_empty() => return None,
            Self::Queues => vec![condition("queue", queues), nobodys(), to_answer()],
        })
    }
}

/// The queues from which the viewer's team takes, with commas between.
async fn queues_of_team(visit: &Visit) -> Result<String, Failure> {
    let Some(team) = visit.me.field("team").as_reference() else { return Ok(String::new()) };
    if !visit.viewer.may_object("queue", Act::See) {
        return Ok(String::new());
    }
    let search = RecordSearch {
        filter: vec![("team".to_owned(), team.to_string())],
        limit: MOST_QUEUES,
        ..RecordSearch::default()
    };
    let found = visit.app.find(&visit.viewer, "queue", &search).await?;
    let queues: Vec<String> =
        found.records.iter().map(|queue| queue.reference.to_string()).collect();
    Ok(queues.join(","))
}

/// The parts of the order, first to last: a further condition, and by what
/// the part is in order.
const PARTS: [(&[(&str, &str)], &str); 5] = [
    (&[("reply_due_at.empty", "false")], "reply_due_at"),
    (&[("reply_due_at.empty", "true"), ("priority", "urgent")], "id"),
    (&[("reply_due_at.empty", "true"), ("priority", "high")], "id"),
    (&[("reply_due_at.empty", "true"), ("priority", "normal")], "id"),
    (&[("reply_due_at.empty", "true"), ("priority", "low")], "id"),
];

/// Where a page ended: in which part, and where in it.
struct Place {
    part: usize,
    after: Option<String>,
}

impl Place {
    fn read(text: &str) -> Option<Self> {
        let (part, after) = text.split_once('.')?;
        let part = part.parse().ok().filter(|part| *part < PARTS.len())?;
        let after = match after {
            "" => None,
            after => Some(String::from_utf8(URL_SAFE_NO_PAD.decode(after).ok()?).ok()?),
        };
        Some(Self { part, after })
    }

    fn write(&self) -> String {
        let after = self.after.as_ref().map(|after| URL_SAFE_NO_PAD.encode(after));
        format!("{}.{}", self.part, after.unwrap_or_default())
    }
}

/// A page of tickets, and where the next one begins.
async fn page(
    visit: &Visit,
    filter: &[(String, String)],
    from: Option<&str>,
) -> Result<(Vec<Record>, Option<String>), Failure> {
    let mut place = match from {
        None => Place { part: 0, after: None },
        Some(from) => Place::read(from).ok_or(Failure::NotFound)?,
    };
    let mut tickets = Vec::new();
    while let Some((conditions, sort)) = PARTS.get(place.part) {
        let left = PAGE.saturating_sub(u32::try_from(tickets.len()).unwrap_or(PAGE));
        if left == 0 {
            return Ok((tickets, Some(place.write())));
        }
        let further =
            conditions.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned()));
        let search = RecordSearch {
            filter: filter.iter().cloned().chain(further).collect(),
            sort: Some((*sort).to_owned()),
            after: place.after.take(),
            limit: left,
            ..RecordSearch::default()
        };
        let found = visit.app.find(&visit.viewer, "ticket", &search).await?;
        tickets.extend(found.records);
        match found.next {
            Some(after) => place.after = Some(after),
            None => place.part += 1,
        }
    }
    Ok((tickets, None))
}

/// A tab above the list.
#[derive(Debug, Clone)]
pub(crate) struct Tab {
    pub(crate) href: String,
    pub(crate) text: &'static str,
    pub(crate) current: bool,
    /// How many are behind it, where that was counted.
    pub(crate) count: Option<String>,
}

/// A ticket in the list.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) href: String,
    /// By what its row is known from one reading to the next.
    pub(crate) key: String,
    pub(crate) current: bool,
    pub(crate) number: String,
    pub(crate) customer: String,
    pub(crate) subject: String,
    pub(crate) status: Pill,
    /// None where it is as usual.
    pub(crate) priority: Option<Pill>,
    pub(crate) due: Option<Pill>,
    pub(crate) created: Option<Moment>,
    pub(crate) owner: String,
}

/// The list.
#[derive(Debug, Clone)]
pub(crate) struct TicketList {
    pub(crate) tabs: Vec<Tab>,
    /// What is said to whoever does not see the page when it has changed.
    pub(crate) news: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) empty: &'static str,
    /// Where the list begins, where this page is not its first.
    pub(crate) first: Option<String>,
    pub(crate) next: Option<String>,
}

/// The list of a view. `ticket` is the one that is open beside it.
pub(crate) async fn list(
    visit: &Visit,
    view: View,
    from: Option<&str>,
    ticket: Option<&Reference>,
) -> Result<TicketList, Failure> {
    let t = visit.lang().texts();
    let queues = queues_of_team(visit).await?;
    let filter = |view: View| view.filter(&visit.me.reference, &queues);
    let (tickets, next) = match filter(view) {
        Some(filter) => page(visit, &filter, from).await?,
        None => (Vec::new(), None),
    };
    let filters: Vec<_> = View::ALL.into_iter().filter_map(filter).collect();
    let counts = visit.app.count_found(&visit.viewer, "ticket", &filters).await?;
    let mut counts = counts.into_iter().map(counted);
    let tabs: Vec<Tab> = View::ALL
        .into_iter()
        .map(|one| Tab {
            href: format!("/inbox?view={}", one.word()),
            text: one.title(t),
            current: one == view,
            count: filter(one).and_then(|_| counts.next()),
        })
        .collect();
    let here_counted = tabs.iter().find(|tab| tab.current).and_then(|tab| tab.count.as_deref());
    let news = fill(t.news_of_list, &[view.title(t), here_counted.unwrap_or("0")]);
    let mut names = Names::new(visit);
    let named: Vec<&Reference> = tickets
        .iter()
        .flat_map(|ticket| ["customer", "owner"].map(|field| ticket.field(field)))
        .filter_map(Value::as_reference)
        .collect();
    names.learn(&named).await?;
    let here = |from: &str| format!("/inbox?view={}&from={}", view.word(), in_query(from));
    let at = from.map_or_else(String::new, |from| format!("&from={}", in_query(from)));
    let rows = tickets.iter().map(|record| Row {
        href: format!("/tickets/{}?view={}{at}", record.reference.key, view.word()),
        current: Some(&record.reference) == ticket,
        ..row(visit, record, &names)
    });
    Ok(TicketList {
        tabs,
        news,
        rows: rows.collect(),
        empty: view.empty(t),
        first: from.map(|_| format!("/inbox?view={}", view.word())),
        next: next.map(|next| here(&next)),
    })
}

fn row(visit: &Visit, ticket: &Record, names: &Names<'_>) -> Row {
    let (t, lang) = (visit.lang().texts(), visit.lang());
    let label = |field, none: &str| {
        let reference = ticket.field(field).as_reference();
        reference.map_or_else(|| none.to_owned(), |reference| names.label(reference))
    };
    Row {
        href: String::new(),
        key: ticket.reference.key.clone(),
        current: false,
        number: text_of(ticket, "ref").to_owned(),
        customer: label("customer", t.no_customer),
        subject: text_of(ticket, "subject").to_owned(),
        status: Pill::of_word(text_of(ticket, "status"), lang),
        priority: priority(ticket, lang),
        due: due(visit, ticket),
        created: ticket.field("created_at").as_time().map(|at| visit.moment(at)),
        owner: label("owner", t.nobody),
    }
}

/// A priority that is worth a word: not the usual one.
pub(crate) fn priority(ticket: &Record, lang: Lang) -> Option<Pill> {
    let word = text_of(ticket, "priority");
    (!matches!(word, "" | "normal")).then(|| Pill::of_word(word, lang))
}

/// How long is left until a ticket's customer must hear something, or how long
/// ago that was; none where nothing is due.
pub(crate) fn due(visit: &Visit, ticket: &Record) -> Option<Pill> {
    if matches!(text_of(ticket, "status"), "solved" | "closed") {
        return None;
    }
    let (t, lang) = (visit.lang().texts(), visit.lang());
    let (at, what) = match ticket.field("reply_due_at").as_time() {
        Some(at) => (at, t.due_reply),
        None => (ticket.field("solution_due_at").as_time()?, t.due_solution),
    };
    let left = at.as_second() - visit.now().as_second();
    let (tone, shape) = match left {
        ..0 => (Tone::Bad, t.overdue),
        0..PRESSING => (Tone::Warn, t.due_in),
        _ => (Tone::Plain, t.due_in),
    };
    let exact = at.to_zoned(visit.zone()).strftime("%Y-%m-%d %H:%M").to_string();
    Some(Pill { tone, text: fill(shape, &[&span(left.abs(), lang)]), title: fill(what, &[&exact]) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_an_address() {
        let place = Place { part: 3, after: Some("[\"01k9\",null]".to_owned()) };
        let read = Place::read(&place.write()).expect("it reads");
        assert_eq!((read.part, read.after), (3, Some("[\"01k9\",null]".to_owned())));
        assert_eq!(Place::read("1.").map(|place| (place.part, place.after)), Some((1, None)));
        for wrong in ["", "9.", "1", "x.", "1.!"] {
            assert!(Place::read(wrong).is_none(), "{wrong}");
        }
    }
}

//! The complaints that were found, to whom they went, and the levels of
//! their deadlines.

use std::collections::BTreeMap;

use relata_app::model::Record;
use serde::Serialize;
use serde_json::Value as Json;

use super::facts::{Facts, Run, text};

/// The complaints.
#[derive(Debug, Serialize)]
pub(super) struct Complaints {
    /// Inquiries that customers wrote, and that were judged.
    pub(super) judged: usize,
    /// The external ids of those judged to be complaints.
    pub(super) found: Vec<String>,
    /// Complaints that a low survey score opened.
    pub(super) from_surveys: usize,
    pub(super) decisions: Vec<Decision>,
}

/// What was decided on one complaint.
#[derive(Debug, Serialize)]
pub(super) struct Decision {
    /// The ticket's external id, or its ref where it has none.
    pub(super) ticket: String,
    /// Whether a customer wrote it, and not a low survey score.
    pub(super) written: bool,
    pub(super) subject: String,
    /// From -1 to 1; none where it was not judged by its text.
    pub(super) mood: Option<f64>,
    pub(super) tier: String,
    pub(super) priority: String,
    /// To whom it went first.
    pub(super) went_to: String,
    /// Why, in the words of the routing step.
    pub(super) why: String,
    /// The levels that its deadline reached.
    pub(super) levels: Vec<String>,
    /// How its run ended; `waiting` while it goes on.
    pub(super) ended: String,
}

const ESCALATION: &str = "complaint-escalation";
const ROUTE: &str = "do: route.by_skill";

pub(super) fn complaints(facts: &Facts) -> Complaints {
    let mut found = Vec::new();
    let mut decisions = Vec::new();
    let (mut judged, mut from_surveys) = (0, 0);
    for run in facts.runs_of(ESCALATION) {
        let Some(ticket) = run.subject.as_ref().and_then(|ticket| facts.record(ticket)) else {
            continue;
        };
        let written = text(ticket, "channel") != "internal";
        judged += usize::from(written);
        // Who passes `stop_unless` has a priority decided.
        if facts.result(&run.id, "do: crm.update").is_none() {
            continue;
        }
        if written {
            found.push(name(ticket).to_owned());
        } else {
            from_surveys += 1;
        }
        decisions.push(Decision { written, ..decision(facts, run, ticket) });
    }
    found.sort();
    decisions.sort_by(|a, b| (!a.written, &a.ticket).cmp(&(!b.written, &b.ticket)));
    Complaints { judged, found, from_surveys, decisions }
}

fn decision(facts: &Facts, run: &Run, ticket: &Record) -> Decision {
    let output = |label: &str, field: &str| -> Option<&Json> {
        facts.result(&run.id, label)?.output.as_ref()?.get(field)
    };
    let said =
        |label: &str, field: &str| output(label, field).and_then(Json::as_str).unwrap_or_default();
    let customer =
        ticket.field("customer").as_reference().and_then(|customer| facts.record(customer));
    let assignee = said(ROUTE, "assignee");
    Decision {
        ticket: name(ticket).to_owned(),
        written: true,
        subject: text(ticket, "subject").to_owned(),
        mood: output("do: sentiment.score", "score").and_then(Json::as_f64),
        tier: customer.map_or("", |customer| text(customer, "tier")).to_owned(),
        priority: text(ticket, "priority").to_owned(),
        went_to: assignee.parse().map_or_else(|_| assignee.to_owned(), |who| facts.name(&who)),
        why: said(ROUTE, "reason").to_owned(),
        levels: levels(facts, run).collect(),
        ended: run.outcome.clone().unwrap_or_else(|| "waiting".to_owned()),
    }
}

pub(super) fn escalations(facts: &Facts) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for run in facts.runs_of(ESCALATION) {
        for level in levels(facts, run) {
            *counted.entry(level).or_default() += 1;
        }
    }
    counted
}

/// The levels that a run's deadline reached: `50%`, `100%`.
fn levels<'a>(facts: &'a Facts, run: &'a Run) -> impl Iterator<Item = String> + 'a {
    facts.log(&run.id).iter().filter(|step| step.kind == "level").map(|step| {
        let share = step.explanation.split_whitespace().find(|word| word.ends_with('%'));
        share.unwrap_or(step.explanation.as_str()).to_owned()
    })
}

/// What a ticket is called: by the import's id, or by its ref.
fn name(ticket: &Record) -> &str {
    Some(text(ticket, "external_id")).filter(|id| !id.is_empty()).unwrap_or(text(ticket, "ref"))
}

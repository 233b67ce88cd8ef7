//! The surveys: that each goes out 24 hours after the solution or at the
//! next opening, once, and what was answered.

use std::collections::BTreeMap;

use relata_app::model::{Record, Reference, Timestamp};
use serde::Serialize;

use super::facts::{Facts, text};

/// The surveys.
#[derive(Debug, Serialize)]
pub(super) struct Surveys {
    pub(super) sent: usize,
    pub(super) suppressed: usize,
    pub(super) answered: usize,
    /// Answers of 1 or 2.
    pub(super) low: usize,
    /// Sent before the 24 hours were over.
    pub(super) sent_early: usize,
    /// The longest that one was sent after the moment at which it should
    /// have been, in seconds of the company's time; quiet hours not counted.
    pub(super) max_lateness_s: i64,
    /// Sent to a customer who had been sent one less than 30 days before.
    pub(super) duplicates: usize,
    /// Not sent, as the ticket was opened again.
    pub(super) reopened: usize,
    /// Sent later than 24 hours after the solution, as nobody works at night,
    /// on weekends and holidays.
    pub(super) waited_for_opening: usize,
    pub(super) list: Vec<Survey>,
}

/// One survey.
#[derive(Debug, Serialize)]
pub(super) struct Survey {
    pub(super) ticket: String,
    pub(super) customer: String,
    /// Times are RFC 3339.
    pub(super) solved_at: String,
    /// When it should have gone out.
    pub(super) due_at: String,
    pub(super) sent_at: String,
    /// `due_at` to `sent_at`; negative for too early.
    pub(super) lateness_s: i64,
    pub(super) score: Option<i64>,
}

const SURVEY: &str = "inquiry-survey";
const HOURS_24: std::time::Duration = std::time::Duration::from_secs(24 * 3_600);
const DAYS_30: i64 = 30 * 24 * 3_600;

pub(super) fn figures(facts: &Facts) -> Surveys {
    let responses = facts.of("survey_response");
    let is = |status: &str| {
        responses.iter().filter(|response| text(response, "status") == status).count()
    };
    let scores = responses.iter().filter_map(score);
    let mut sent_early = 0;
    let mut max_lateness_s = 0;
    let mut waited_for_opening = 0;
    let mut list = Vec::new();
    for response in responses {
        let Some(sent) = sent_at(facts, response) else { continue };
        let ticket = response.field("about").as_reference();
        let solved = ticket.and_then(|ticket| facts.solved.get(ticket));
        // The solution that it asks about: the last one before it.
        let Some(solved) = solved.and_then(|times| times.iter().rfind(|at| **at <= sent)).copied()
        else {
            // A survey about nothing that was solved is as early as can be.
            sent_early += 1;
            continue;
        };
        let over = solved.checked_add(HOURS_24).unwrap_or(Timestamp::MAX);
        let due = facts.support_hours.next_opening(over).unwrap_or(over);
        let lateness_s = sent.duration_since(due).as_secs();
        sent_early += usize::from(sent < over);
        waited_for_opening += usize::from(due > over);
        max_lateness_s = max_lateness_s.max(lateness_s);
        list.push(Survey {
            ticket: ticket.map_or_else(String::new, |ticket| facts.name(ticket)),
            customer: response
                .field("contact")
                .as_reference()
                .map_or_else(String::new, |who| facts.name(who)),
            solved_at: solved.to_string(),
            due_at: due.to_string(),
            sent_at: sent.to_string(),
            lateness_s,
            score: score(response),
        });
    }
    Surveys {
        sent: list.len(),
        suppressed: is("suppressed"),
        answered: is("answered"),
        low: scores.filter(|score| *score <= 2).count(),
        sent_early,
        max_lateness_s,
        duplicates: duplicates(facts),
        reopened: facts
            .runs_of(SURVEY)
            .filter(|run| run.outcome.as_deref() == Some("stopped"))
            .count(),
        waited_for_opening,
        list,
    }
}

/// When a survey's mail really left.
fn sent_at(facts: &Facts, response: &Record) -> Option<Timestamp> {
    let said = response.field("sent_at").as_time()?;
    let ticket = response.field("about").as_reference()?;
    // Of the runs for this ticket, the one that sent at that time.
    let left = facts
        .runs_of(SURVEY)
        .filter(|run| run.subject.as_ref() == Some(ticket))
        .flat_map(|run| facts.effects_of(&run.id))
        .filter(|effect| effect.template.is_some() && effect.is_sent())
        .filter_map(|effect| effect.sent_at)
        .filter(|left| *left >= said)
        .min()?;
    Some(left)
}

fn score(response: &Record) -> Option<i64> {
    response.field("score").as_number()?.to_string().parse().ok()
}

/// How many surveys went to a customer less than 30 days after another.
fn duplicates(facts: &Facts) -> usize {
    let mut by_customer: BTreeMap<Option<&Reference>, Vec<Timestamp>> = BTreeMap::new();
    for run in facts.runs_of(SURVEY) {
        for effect in facts.effects_of(&run.id).filter(|effect| effect.template.is_some()) {
            if let Some(at) = effect.sent_at {
                by_customer.entry(effect.recipient.as_ref()).or_default().push(at);
            }
        }
    }
    by_customer
        .into_values()
        .map(|mut times| {
            times.sort();
            times
                .windows(2)
                .filter(|pair| pair[1].duration_since(pair[0]).as_secs() < DAYS_30)
                .count()
        })
        .sum()
}

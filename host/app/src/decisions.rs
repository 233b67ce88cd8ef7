//! Why a record has the owner that it has: each change of its owner or queue,
//! with what the action that made it had looked at.
//!
//! Any plugin may make such decisions. What it says of them is taken from the
//! output of its action: a sentence under `reason` and, under `candidates`, who
//! was looked at, each with a `user`, whether they were `eligible`, and their
//! own `reason` (and, if it likes, how many `open` records they have, and their
//! `capacity`); under `passed` the queues from which it went on, each with its
//! `queue`, `reason` and `candidates`; or several of these under `tickets`, each
//! with its `ticket`.

use relata_engine::HappeningKind;
use relata_model::{Reference, RunId, Value};
use relata_store::{LogRow, LoggedEvent};
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::{App, AppError};

/// How many changes of a record are looked through.
const LONGEST: u32 = 1_000;

/// The fields that say whose a record is.
pub(crate) const WHOSE: [&str; 3] = ["owner", "queue", "queued_at"];

/// One decision about whose a record is.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Decision {
    /// When, RFC 3339.
    pub at: String,
    /// Who made it: `workflow/route-tickets`, `user/01k9…`.
    pub by: String,
    /// The run whose step made it.
    pub run: Option<String>,
    /// The action of that step.
    pub action: Option<String>,
    /// The owner from then on.
    pub owner: Option<String>,
    /// The queue from then on, where the object has such.
    pub queue: Option<String>,
    /// Why, in the words of the action.
    pub reason: Option<String>,
    /// Everybody who was looked at.
    pub candidates: Vec<DecisionCandidate>,
    /// The queues from which it went on to where it is, in their order.
    pub passed: Vec<PassedQueue>,
}

/// A queue from which a record went on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PassedQueue {
    /// The queue.
    pub queue: String,
    /// Why nobody of it got the record.
    pub reason: String,
    /// Everybody who was looked at there.
    pub candidates: Vec<DecisionCandidate>,
}

/// Somebody who was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DecisionCandidate {
    /// The user.
    pub user: String,
    /// Whether they could be picked.
    pub eligible: bool,
    /// What spoke for or against.
    pub reason: String,
    /// How many open records they had, where the action tells.
    pub open: Option<u64>,
    /// How many they may have, where the action tells.
    pub capacity: Option<u64>,
}

/// What an output says of a decision.
#[derive(Debug, Default)]
pub(crate) struct ToldBy {
    pub(crate) reason: Option<String>,
    pub(crate) candidates: Vec<DecisionCandidate>,
    pub(crate) passed: Vec<PassedQueue>,
}

impl App {
    /// The decisions about whose a record is, newest first.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where there is no such record.
    pub async fn decisions(&self, reference: &Reference) -> Result<Vec<Decision>, AppError> {
        let record = self.record(reference).await?;
        let mut decisions = Vec::new();
        let mut log: Option<(RunId, Vec<LogRow>)> = None;
        let events = self.store().event_list(&record.reference, None, LONGEST).await?;
        for event in events.into_iter().rev() {
            let Some((owner, queue)) = whose(&event) else { continue };
            let entry = match (event.happening.run, event.entry) {
                (Some(run), Some(entry)) => {
                    if log.as_ref().is_none_or(|(known, _)| *known != run) {
                        log = Some((run, self.store().run_log(run).await?));
                    }
                    log.as_ref().and_then(|(_, rows)| rows.iter().find(|row| row.seq == entry))
                }
                _ => None,
            };
            let told = entry
                .and_then(|entry| entry.output.as_ref())
                .map(|output| told_by(output, &record.reference))
                .unwrap_or_default();
            decisions.push(Decision {
                at: event.happening.at.to_string(),
                by: event.actor,
                run: event.happening.run.map(|run| run.to_string()),
                action: entry.and_then(|entry| entry.action.clone()),
                owner,
                queue,
                reason: told.reason,
                candidates: told.candidates,
                passed: told.passed,
            });
        }
        Ok(decisions)
    }
}

/// Whose a record was from a change on, where it changed that.
fn whose(event: &LoggedEvent) -> Option<(Option<String>, Option<String>)> {
    let HappeningKind::Change(change) = &event.happening.kind else { return None };
    change.after.as_ref()?;
    let told =
        |field| Some(change.is(field)).filter(|value| !value.is_nothing()).map(Value::to_string);
    let changed = WHOSE.iter().any(|field| change.touches(field));
    changed.then(|| (told("owner"), told("queue")))
}

/// What an output says of whose a record is.
pub(crate) fn told_by(output: &Json, record: &Reference) -> ToldBy {
    let told = of_record(output, record);
    let text = |json: &Json, name: &str| Some(json.get(name)?.as_str()?.to_owned());
    let passed = told.get("passed").and_then(Json::as_array);
    let passed = passed.into_iter().flatten().filter_map(|passed| {
        Some(PassedQueue {
            queue: text(passed, "queue")?,
            reason: text(passed, "reason").unwrap_or_default(),
            candidates: candidates(passed),
        })
    });
    ToldBy { reason: text(told, "reason"), candidates: candidates(told), passed: passed.collect() }
}

/// The part of an output that is about a record: the whole, where it does not
/// tell of several.
fn of_record<'a>(output: &'a Json, record: &Reference) -> &'a Json {
    let record = record.to_string();
    let several = output.get("tickets").and_then(Json::as_array);
    let own = several.and_then(|several| {
        several.iter().find(|one| one.get("ticket").and_then(Json::as_str) == Some(record.as_str()))
    });
    own.unwrap_or(output)
}

fn candidates(told: &Json) -> Vec<DecisionCandidate> {
    let candidates = told.get("candidates").and_then(Json::as_array);
    let read = |candidate: &Json| {
        Some(DecisionCandidate {
            user: candidate.get("user")?.as_str()?.to_owned(),
            eligible: candidate.get("eligible").and_then(Json::as_bool).unwrap_or(false),
            reason: candidate.get("reason").and_then(Json::as_str).unwrap_or_default().to_owned(),
            open: candidate.get("open").and_then(Json::as_u64),
            capacity: candidate.get("capacity").and_then(Json::as_u64),
        })
    };
    candidates.into_iter().flatten().filter_map(read).collect()
}

//! Which ways of a workflow the cases went: rows, branches, stops, arms,
//! levels, refusals. Read off the runs' logs.

use std::collections::BTreeSet;

use relata_engine::{Outcome, Status};
use relata_store::LogRow;
use relata_workflow::{Definition, Occurrence, Step, StepKind, Trigger, mutants};
use serde::Serialize;
use serde_json::Value as Json;

use crate::testing::seen::{Seen, Told};

/// Which ways of a workflow its tests went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// The workflow.
    pub workflow: String,
    /// Its file.
    pub file: String,
    /// How many ways there are.
    pub ways: usize,
    /// Those that no case went, in the order of the file.
    pub missed: Vec<Missed>,
}

/// A way that no case went.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Missed {
    /// The line in the workflow's file, from 1; 0 where it is not known.
    pub line: u32,
    /// The way.
    pub what: String,
}

impl Coverage {
    /// Of a hundred ways so many were gone, rounded down.
    #[must_use]
    pub fn percent(&self) -> usize {
        match self.ways {
            0 => 100,
            ways => (ways - self.missed.len()) * 100 / ways,
        }
    }

    /// What was missed, of all that was gone by the cases.
    pub(crate) fn of(
        definition: &Definition,
        file: &str,
        source: &str,
        gone: &BTreeSet<String>,
    ) -> Self {
        let ways = ways(definition, source);
        let mut missed: Vec<Missed> = ways
            .iter()
            .filter(|way| !gone.contains(&way.key))
            .map(|way| Missed { line: way.line, what: way.what.clone() })
            .collect();
        missed.sort();
        Self { workflow: definition.name.clone(), file: file.to_owned(), ways: ways.len(), missed }
    }
}

/// A way through a workflow.
struct Way {
    key: String,
    line: u32,
    what: String,
}

/// All ways through a workflow.
fn ways(definition: &Definition, source: &str) -> Vec<Way> {
    let mut ways = Vec::new();
    let mut add = |key: String, line: u32, what: String| ways.push(Way { key, line, what });
    for (place, trigger) in definition.triggers.iter().enumerate() {
        let name = mutants::trigger_name(trigger);
        let line = mutants::line_of(source, "when", Some(&name));
        add(format!("trigger/{place}"), line, format!("`{name}` starts a run"));
    }
    for (place, condition) in definition.only_if.iter().enumerate() {
        let what = format!("`only_if: {}` does not hold", condition.source.trim());
        add(format!("only_if/{place}"), condition.line, what);
    }
    for (place, segment) in definition.never_for.iter().enumerate() {
        let line = mutants::line_of(source, "never_for", Some(segment));
        add(format!("never_for/{place}"), line, format!("somebody is in segment/{segment}"));
    }
    for (place, stop) in definition.stop_when.iter().enumerate() {
        let name = mutants::occurrence_name(&stop.occurrence);
        let line = mutants::line_of(source, "stop_when", Some(&name));
        add(format!("stop_when/{place}"), line, format!("`{name}` stops a run"));
    }
    for step in &definition.steps {
        if mutants::is_made_up(step) && !matches!(step.kind, StepKind::WaitFor(_)) {
            continue;
        }
        for (way, line, what) in ways_of(step) {
            let what = if what.is_empty() {
                step.label.clone()
            } else {
                format!("{}: {what}", step.label)
            };
            add(format!("{}/{way}", step.path), line, what);
        }
    }
    ways
}

/// The ways through a step: a name, the line, and what happens.
fn ways_of(step: &Step) -> Vec<(String, u32, String)> {
    let line = step.line;
    let way = |name: &str, what: &str| (name.to_owned(), line, what.to_owned());
    match &step.kind {
        StepKind::Do(call) => {
            let mut ways = vec![way("done", "")];
            if call.if_it_fails.is_some() {
                ways.push(way("fails", "it fails, and `if_it_fails` is taken"));
            }
            ways
        }
        StepKind::Run(run) => {
            let mut ways = vec![way("done", "")];
            if run.if_it_fails.is_some() {
                ways.push(way("fails", "it fails, and `if_it_fails` is taken"));
            }
            ways
        }
        StepKind::Decide { rows } => (1..)
            .zip(rows)
            .map(|(number, row)| {
                let what = row.condition.as_ref().map_or_else(
                    || format!("row {number}, everything else"),
                    |condition| format!("row {number}, {}", condition.source.trim()),
                );
                (format!("row {number}"), row.line, what)
            })
            .collect(),
        StepKind::If { .. } => vec![way("holds", "it holds"), way("not", "it does not hold")],
        StepKind::Stop { .. } => vec![way("stops", "it stops"), way("goes on", "it goes on")],
        StepKind::Wait { .. } | StepKind::Set { .. } | StepKind::Parallel { .. } => {
            vec![way("done", "")]
        }
        StepKind::WaitFor(wait) => {
            let mut ways = vec![way("happened", "it happens")];
            if wait.up_to.is_some() {
                ways.push(way("late", "it does not happen in time"));
            }
            ways
        }
        StepKind::Deadline(deadline) => {
            let mut ways = vec![way("met", "it is met")];
            for (number, level) in (1..).zip(&deadline.levels) {
                let percent = (level.share * relata_model::Decimal::ONE_HUNDRED).normalize();
                ways.push(way(&format!("level {number}"), &format!("the level at {percent}%")));
            }
            if deadline.levels.is_empty() {
                ways.push(way("missed", "it is missed"));
            }
            ways
        }
        StepKind::Split { arms } => arms
            .iter()
            .map(|(arm, _)| way(&format!("arm {arm}"), &format!("somebody draws `{arm}`")))
            .collect(),
        StepKind::ForEach(each) => {
            let mut ways = vec![
                way("none", "there are no items"),
                way("one", "there is one item"),
                way("many", "there are several items"),
            ];
            if each.only_if.is_some() {
                ways.push(way("left out", "an item is left out"));
            }
            ways
        }
    }
}

/// The ways that were gone.
pub(crate) fn gone(definition: &Definition, seen: &Seen) -> BTreeSet<String> {
    let mut gone = BTreeSet::new();
    for told in seen.runs.iter().filter(|told| told.row.run.workflow == definition.name) {
        gone.extend(started_by(definition, told));
        gone.extend(stopped_by(definition, told));
        for row in &told.log {
            let Some(step) = definition.steps.iter().find(|step| step.path == row.step) else {
                continue;
            };
            for way in gone_by(step, row, &told.log) {
                gone.insert(format!("{}/{way}", step.path));
            }
        }
    }
    for row in seen.not_started.iter().filter(|row| row.workflow == definition.name) {
        gone.extend(refused_by(definition, &row.reason));
    }
    gone
}

/// The steps to which a case came, by their paths.
pub(crate) fn touched(definition: &Definition, seen: &Seen) -> BTreeSet<String> {
    seen.runs
        .iter()
        .filter(|told| told.row.run.workflow == definition.name)
        .flat_map(|told| &told.log)
        .filter(|row| !row.step.is_empty())
        .map(|row| row.step.clone())
        .collect()
}

fn started_by(definition: &Definition, told: &Told) -> Option<String> {
    let why = told.log.first().map(explanation).unwrap_or_default();
    let place = definition.triggers.iter().position(|trigger| match trigger {
        _ if definition.triggers.len() == 1 => true,
        Trigger::Occurrence(occurrence) => is_told(occurrence, why),
        Trigger::Webhook(webhook) => why.contains(&format!("webhook:{}", webhook.name)),
        Trigger::Button(_) => why.ends_with("was started by hand"),
        Trigger::Schedule(_) => why == "started",
    })?;
    Some(format!("trigger/{place}"))
}

fn stopped_by(definition: &Definition, told: &Told) -> Option<String> {
    let Status::Ended(Outcome::Stopped { outcome, why }) = &told.row.run.status else {
        return None;
    };
    let why = why.strip_prefix("stop_when: ")?;
    let place = definition.stop_when.iter().position(|stop| {
        stop.outcome.as_deref().unwrap_or("stopped") == outcome && is_told(&stop.occurrence, why)
    })?;
    Some(format!("stop_when/{place}"))
}

/// Whether a sentence tells of this, as [`relata_engine::Happening::describe`]
/// says it.
fn is_told(occurrence: &Occurrence, sentence: &str) -> bool {
    match occurrence {
        Occurrence::Created { object } => {
            sentence.starts_with(&format!("{object}/")) && sentence.ends_with("was created")
        }
        Occurrence::Changed { object, field, .. } => {
            sentence.starts_with(&format!("{object}/"))
                && sentence.contains(" changed (")
                && field.as_ref().is_none_or(|field| sentence.contains(&format!("{field}: ")))
        }
        Occurrence::Enters { segment } => sentence.ends_with(&format!("entered segment/{segment}")),
        Occurrence::Event { name } => sentence.ends_with(name),
    }
}

fn refused_by(definition: &Definition, reason: &str) -> Option<String> {
    if let Some(place) = definition
        .never_for
        .iter()
        .position(|segment| reason.contains(&format!("is in segment/{segment}, ")))
    {
        return Some(format!("never_for/{place}"));
    }
    let values = reason.strip_prefix("only_if does not hold: ")?;
    let path = values.split(" = ").next().unwrap_or_default();
    let conditions = &definition.only_if;
    let place = match conditions.len() {
        1 => 0,
        _ => conditions.iter().position(|condition| condition.source.contains(path))?,
    };
    Some(format!("only_if/{place}"))
}

fn explanation(row: &LogRow) -> &str {
    row.explanation.as_ref().and_then(Json::as_str).unwrap_or_default()
}

/// The ways through a step that an entry of the log tells of.
fn gone_by(step: &Step, row: &LogRow, log: &[LogRow]) -> Vec<String> {
    let why = explanation(row);
    let one = |way: &str| vec![way.to_owned()];
    match (&step.kind, row.kind.as_str()) {
        (StepKind::Do(_) | StepKind::Run(_), "done") => {
            one(if why.ends_with("goes on with `if_it_fails`") { "fails" } else { "done" })
        }
        (StepKind::Decide { .. }, "done") => {
            why.split(':').next().map(str::to_owned).into_iter().collect()
        }
        (StepKind::If { .. }, "done") => {
            one(if why.starts_with("holds") { "holds" } else { "not" })
        }
        (StepKind::Stop { .. }, "done") => one("goes on"),
        (StepKind::Stop { .. }, "ended" | "ending") => one("stops"),
        (StepKind::Wait { .. } | StepKind::Set { .. } | StepKind::Parallel { .. }, "done") => {
            one("done")
        }
        (StepKind::WaitFor(_), "done") => {
            one(if row.output.is_some() { "happened" } else { "late" })
        }
        (StepKind::Deadline(_), "done") => {
            one(row.output.as_ref().and_then(Json::as_str).unwrap_or_default())
        }
        (StepKind::Deadline(_), "level") => {
            let before = log
                .iter()
                .filter(|other| {
                    (&other.step, &other.rounds) == (&row.step, &row.rounds)
                        && other.kind == "level"
                        && other.seq <= row.seq
                })
                .count();
            one(&format!("level {before}"))
        }
        (StepKind::Split { .. }, "done") => {
            let arm = row.output.as_ref().and_then(Json::as_str).unwrap_or_default();
            one(&format!("arm {arm}"))
        }
        (StepKind::ForEach(_), "items") => {
            let items = log
                .iter()
                .filter(|other| {
                    (&other.step, &other.rounds) == (&row.step, &row.rounds) && other.kind == "item"
                })
                .count();
            one(match items {
                0 => "none",
                1 => "one",
                _ => "many",
            })
        }
        (StepKind::ForEach(_), "done") if why == "there are no items" => one("none"),
        (StepKind::ForEach(_), "left_out") => one("left out"),
        _ => Vec::new(),
    }
}

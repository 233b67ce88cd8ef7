//! What is there in the end, held against what was asked for.

use std::{collections::BTreeMap, fmt, thread};

use serde_json::Value as Json;

use super::{
    LEASE, LOOK, SENDING,
    load::Asked,
    now,
    workflows::{tasks_of_lead, tasks_of_order},
};
use crate::{Mails, Place};

/// How often a look is tried: a host that stands still may hold the database.
const MOST_TRIES: usize = 50;

/// What there is in the end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    runs: usize,
    records: usize,
    effects: usize,
    unknown: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} runs, {} records made by them, {} effects, of which {} were unknown",
            self.runs, self.records, self.effects, self.unknown
        )
    }
}

/// Waits until nothing is left to do. What does not get on though no host has it any
/// more is stuck.
pub(crate) fn settle(place: &Place, asked: &Asked, faults: &mut Vec<String>) -> Result<(), String> {
    let mut last = None;
    let mut moved = now();
    loop {
        let runs = list(place, &["runs", "--limit", "0"])?;
        let effects = list(place, &["outbox"])?;
        let of = |workflow: &str| count(&runs, "workflow", workflow);
        let active = count(&runs, "status", "active");
        let sending = count(&effects, "status", "due") + count(&effects, "status", "sending");
        let begun = of("torture-lead") >= asked.leads.len()
            && of("torture-visit") >= asked.leads.len()
            && of("torture-order") >= asked.orders.len();
        if begun && active == 0 && sending == 0 {
            return Ok(());
        }
        let state = (runs.len(), active, sending, effects.len());
        if last != Some(state) {
            last = Some(state);
            moved = now();
        }
        let patience = if sending > 0 { SENDING + LEASE } else { 2 * LEASE };
        if moved.elapsed() > patience {
            faults.push(format!(
                "stuck: {active} runs are active and {sending} effects under way; {} of {} leads and {} of {} orders have a run",
                of("torture-lead"),
                asked.leads.len(),
                of("torture-order"),
                asked.orders.len()
            ));
            return Ok(());
        }
        thread::sleep(LOOK);
    }
}

/// Does what a person does who can look into the mail server: drops what has
/// arrived, and has the rest sent. How many mails nobody knew of.
pub(crate) fn resolve(place: &Place, mails: &Mails) -> Result<usize, String> {
    let effects = list(place, &["outbox", "--status", "unknown"])?;
    for effect in &effects {
        let id = text(effect, "effect");
        if mails.taken.contains_key(id) {
            retried(|| place.ask(&["outbox", "drop", id, "--why", "it has arrived"]))?;
        } else {
            retried(|| place.ask(&["outbox", "release", id]))?;
        }
    }
    Ok(effects.len())
}

/// Counts everything, and says what is wrong.
pub(crate) fn judge(
    place: &Place,
    asked: &Asked,
    mails: &Mails,
    unknown: usize,
    faults: &mut Vec<String>,
) -> Result<Counts, String> {
    faults.extend(asked.refused.iter().map(|what| format!("never taken in: {what}")));
    let leads = list(place, &["records", "list", "lead", "--fields", "name"])?;
    held_against("the lead", &tally(&leads, "name"), asked.leads.iter().cloned(), faults);
    let tasks = list(place, &["records", "list", "task", "--fields", "title"])?;
    let wanted = asked.leads.iter().flat_map(|name| tasks_of_lead(name));
    let wanted = wanted.chain(asked.orders.iter().flat_map(|number| tasks_of_order(number)));
    held_against("the task", &tally(&tasks, "title"), wanted, faults);
    let runs = list(place, &["runs", "--limit", "0"])?;
    for (workflow, wanted) in [
        ("torture-lead", asked.leads.len()),
        ("torture-visit", asked.leads.len()),
        ("torture-order", asked.orders.len()),
    ] {
        let found = count(&runs, "workflow", workflow);
        if found != wanted {
            faults.push(format!("{found} runs of {workflow} where there should be {wanted}"));
        }
    }
    for run in runs.iter().filter(|run| text(run, "status") != "done") {
        let (id, status, why) = (text(run, "run"), text(run, "status"), text(run, "why"));
        faults.push(format!("{id} of {} is {status}: {why}", text(run, "workflow")));
    }
    let effects = list(place, &["outbox"])?;
    for effect in &effects {
        let id = text(effect, "effect");
        let taken = mails.taken.get(id).copied().unwrap_or(0);
        let status = text(effect, "status");
        if taken != 1 || !matches!(status, "sent" | "suppressed") {
            faults.push(format!("the mail {id} is {status}, and arrived {taken} times"));
        }
    }
    if effects.len() != asked.leads.len() {
        let (found, wanted) = (effects.len(), asked.leads.len());
        faults.push(format!("{found} mails were wanted where there should be {wanted}"));
    }
    for id in mails.taken.keys() {
        if !effects.iter().any(|effect| text(effect, "effect") == id) {
            faults.push(format!("the mail {id} arrived, and nobody wanted it"));
        }
    }
    let sent = count(&effects, "status", "sent");
    let told = list(place, &["records", "list", "interaction", "--fields", "kind"])?;
    let told = count(&told, "kind", "mail_sent");
    if told != sent {
        faults.push(format!("{told} timelines tell of a mail, and {sent} were sent"));
    }
    Ok(Counts { runs: runs.len(), records: tasks.len(), effects: effects.len(), unknown })
}

/// Each thing that is wanted is there once, and nothing else.
fn held_against(
    what: &str,
    found: &BTreeMap<String, usize>,
    wanted: impl Iterator<Item = String>,
    faults: &mut Vec<String>,
) {
    let mut found = found.clone();
    for name in wanted {
        match found.remove(&name) {
            None => faults.push(format!("{what} `{name}` is lost")),
            Some(1) => {}
            Some(count) => faults.push(format!("{what} `{name}` is there {count} times")),
        }
    }
    let left = found.into_keys();
    faults.extend(left.map(|name| format!("{what} `{name}` is there, and nobody asked for it")));
}

fn tally(rows: &[Json], field: &str) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for row in rows {
        *tally.entry(text(row, field).to_owned()).or_default() += 1;
    }
    tally
}

fn count(rows: &[Json], field: &str, value: &str) -> usize {
    rows.iter().filter(|row| text(row, field) == value).count()
}

fn text<'a>(row: &'a Json, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_default()
}

fn list(place: &Place, arguments: &[&str]) -> Result<Vec<Json>, String> {
    match retried(|| place.ask(arguments))? {
        Json::Array(rows) => Ok(rows),
        other => Err(format!("relata {} answered {other}", arguments.join(" "))),
    }
}

fn retried(mut ask: impl FnMut() -> Result<Json, String>) -> Result<Json, String> {
    let mut tries = 0;
    loop {
        match ask() {
            Err(_) if tries < MOST_TRIES => tries += 1,
            answer => return answer,
        }
        thread::sleep(LOOK);
    }
}

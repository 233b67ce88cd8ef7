//! Reads the facts from the database and the mail folder.

use std::collections::BTreeMap;

use anyhow::Context;
use relata_app::{
    App, StepView,
    model::{Calendar, Reference, Timestamp, Value},
    store::{EffectFilter, EffectStatus, RunFilter, RunStatus},
};
use relata_engine::HappeningKind;
use serde_json::Value as Json;

use super::{
    facts::{Effect, Facts, Refusal, Run, Step},
    machine::Kill,
    mailbox,
};

/// The objects of which every record is read.
const OBJECTS: [&str; 11] = [
    "lead",
    "user",
    "team",
    "queue",
    "task",
    "ticket",
    "contact",
    "survey_response",
    "interaction",
    "order",
    "calendar",
];

/// All of it.
const ALL: u32 = u32::MAX;

/// The folder of a rehearsal's mails.
const MAILS: &str = "mail";

pub(super) async fn facts(app: &App) -> anyhow::Result<Facts> {
    let mut records = BTreeMap::new();
    for object in OBJECTS {
        records.insert(object, app.records_all(object).await?);
    }
    let runs = runs(app).await?;
    let mut steps = BTreeMap::new();
    for run in &runs {
        let history = app.run_history(run.id.parse()?).await?;
        steps.insert(run.id.clone(), history.steps.into_iter().map(step).collect());
    }
    let mut solved = BTreeMap::new();
    for ticket in &records["ticket"] {
        solved.insert(ticket.reference.clone(), solutions(app, &ticket.reference).await?);
    }
    let hours = app.record(&Reference::new("calendar", "support-hours")).await?;
    let support_hours =
        Calendar::from_fields(&hours.fields).context("the calendar support-hours does not read")?;
    let refusals = app
        .store()
        .not_started_list(None, None, ALL)
        .await?
        .into_iter()
        .map(|row| Refusal { workflow: row.workflow, record: row.record, reason: row.reason })
        .collect();
    Ok(Facts {
        now: app.now(),
        zone: app.zone(),
        support_hours,
        records,
        runs,
        steps,
        effects: effects(app).await?,
        refusals,
        solved,
        stalled: app.store().run_stranded().await?.iter().map(ToString::to_string).collect(),
        mails: mailbox::read(&app.directory().root().join(MAILS))?,
    })
}

/// Every run, oldest first.
pub(super) async fn runs(app: &App) -> anyhow::Result<Vec<Run>> {
    app.runs(RunFilter::default(), ALL)
        .await?
        .into_iter()
        .map(|run| {
            let ended = (run.status != "active").then(|| run.status.to_owned());
            Ok(Run {
                subject: run.record.as_deref().map(str::parse).transpose()?,
                outcome: run.outcome.or(ended),
                started_at: run.started_at.parse()?,
                id: run.run,
                workflow: run.workflow,
            })
        })
        .collect()
}

/// Every effect, by the time at which it was made.
pub(super) async fn effects(app: &App) -> anyhow::Result<Vec<Effect>> {
    let mut rows = app.store().outbox_list(&EffectFilter::default(), ALL).await?;
    rows.sort_by_key(|row| (row.created_at, row.id.to_string()));
    Ok(rows
        .into_iter()
        .map(|row| Effect {
            id: row.id.to_string(),
            run: row.run.map(|run| run.to_string()),
            step: row.step.unwrap_or_default(),
            template: row.template,
            recipient: row.recipient,
            status: row.status.as_str().to_owned(),
            sent_at: row.sent_at,
        })
        .collect())
}

/// What a dead host left, that was on its way to `to`.
pub(super) async fn undone(app: &App, to: Timestamp) -> anyhow::Result<Kill> {
    let now = app.now();
    let due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    let active = RunFilter { status: Some(RunStatus::Active), ..RunFilter::default() };
    let runs = app.store().run_list(&active, ALL).await?;
    let effects = app.store().outbox_list(&EffectFilter::default(), ALL).await?;
    Ok(Kill {
        at: now,
        to,
        events: app.store().event_pending(ALL).await?.len(),
        runs: runs.iter().filter(|run| run.lease_owner.is_some() || due(run.due_at)).count(),
        effects: effects
            .iter()
            .filter(|effect| match effect.status {
                EffectStatus::Sending => true,
                EffectStatus::Due => due(effect.due_at),
                _ => false,
            })
            .count(),
    })
}

fn step(step: StepView) -> Step {
    Step {
        label: step.label,
        kind: step.kind,
        input: step.input,
        output: step.output,
        explanation: match step.why {
            None => String::new(),
            Some(Json::String(why)) => why,
            Some(why) => why.to_string(),
        },
    }
}

/// When a ticket became solved, oldest first, by the log of its changes.
async fn solutions(app: &App, ticket: &Reference) -> anyhow::Result<Vec<Timestamp>> {
    let history = app.store().event_list(ticket, None, ALL).await?;
    let solved = Value::Text("solved".to_owned());
    let mut times: Vec<Timestamp> = history
        .into_iter()
        .filter(|event| match &event.happening.kind {
            HappeningKind::Change(change) => {
                change.is("status") == &solved && change.was("status") != &solved
            }
            HappeningKind::Named { .. } => false,
        })
        .map(|event| event.happening.at)
        .collect();
    times.sort();
    Ok(times)
}

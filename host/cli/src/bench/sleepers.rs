//! Puts sleeping runs into a data directory, and tells how late those that
//! were due have woken: for `relata-load`, which measures the host from
//! outside meanwhile.

use anyhow::Context as _;
use relata_app::{
    App, Running,
    model::{Fields, RunId, TimeZone, Timestamp},
    store::{LogRow, NewRun, Priority, RunFilter, RunStatus},
    workflow::{Definition, Facts},
};
use relata_engine::{Event, Input, Run, Start, decide, watches};
use serde_json::{Value as Json, json};

use crate::context::Context;

/// What sleeps.
const NAME: &str = "bench-sleeper";

const WORKFLOW: &str = "\
workflow: bench-sleeper
title: Sleeps
when:
  - event: order.paid
steps:
  - wait: 100 hours
";

/// How long it sleeps, milliseconds.
const SLEEP_MS: i64 = 100 * 3_600_000;

/// How many runs one transaction begins.
const CHUNK: u64 = 512;

/// How many runs are read at a time.
const PAGE: u32 = 1_000;

/// How many transactions are under way at a time.
const TOGETHER: u64 = 16;

/// Puts so many to sleep. Those that are due from a time on (milliseconds
/// since 1970) wake so many microseconds apart; without one they all sleep on
/// for days.
pub(super) async fn put(
    context: &Context,
    count: u64,
    due_ms: Option<i64>,
    apart_us: i64,
) -> anyhow::Result<Json> {
    let app = context.open().await?;
    let put = put_in(&app, count, due_ms, apart_us).await;
    app.close().await;
    put
}

async fn put_in(app: &App, count: u64, due_ms: Option<i64>, apart_us: i64) -> anyhow::Result<Json> {
    let activated = app.activate("sleeper.yaml", WORKFLOW, "bench", Running::Finish).await?;
    let now = app.now();
    let sleeper = Sleeper::of(app, activated.version).await?;
    let first = due_ms.unwrap_or(now.as_millisecond() + SLEEP_MS);
    let apart = if due_ms.is_some() { apart_us } else { 0 };
    let due = |number: u64| {
        Timestamp::from_millisecond(first + apart * i64::try_from(number).unwrap_or(0) / 1_000)
    };
    let mut done = 0;
    while done < count {
        let mut writing = Vec::new();
        for _ in 0..TOGETHER {
            let end = (done + CHUNK).min(count);
            let mut runs = Vec::new();
            for number in done..end {
                runs.push(sleeper.due(due(number)?, number)?);
            }
            done = end;
            writing.push(app.store().write(move |tx| {
                Box::pin(async move {
                    for run in &runs {
                        tx.run_insert(run).await?;
                    }
                    Ok::<_, relata_app::store::StoreError>(())
                })
            }));
        }
        for written in futures::future::join_all(writing).await {
            written?;
        }
    }
    Ok(json!({
        "workflow": NAME,
        "count": count,
        "last_due_ms": due(count.saturating_sub(1))?.as_millisecond(),
    }))
}

/// Runs as the engine makes them: each begins, and comes to its `wait`.
struct Sleeper {
    definition: Definition,
    version: String,
    zone: TimeZone,
}

impl Sleeper {
    async fn of(app: &App, version: String) -> anyhow::Result<Self> {
        let kept = app.store().workflow_version(&version).await?;
        let kept = kept.context("the version that was just activated is not there")?;
        let definition = serde_json::from_str(&kept.compiled)?;
        Ok(Self { definition, version, zone: app.zone() })
    }

    /// One that wakes at a time.
    fn due(&self, due: Timestamp, number: u64) -> anyhow::Result<NewRun> {
        let now = Timestamp::from_millisecond(due.as_millisecond() - SLEEP_MS)?;
        let mut bits = [0; 10];
        bits[..8].copy_from_slice(&number.to_be_bytes());
        // Others may be put in later, at the same times.
        bits[8..].copy_from_slice(&u16::try_from(std::process::id() % 65_536)?.to_be_bytes());
        let start = Start {
            id: RunId::derived(now, &bits),
            version: self.version.clone(),
            subject: None,
            key: None,
            inputs: Fields::new(),
            happening: None,
            parent: None,
            now,
        };
        let definition = &self.definition;
        let (mut run, mut events) = Run::start(definition, start);
        let facts = Facts { zone: self.zone.clone(), ..Facts::default() };
        let slept = decide(definition, &run, Input::Wake, &facts, now)
            .map_err(|why| anyhow::anyhow!("a sleeper does not sleep: {why:?}"))?;
        for event in &slept {
            run.apply(definition, event);
        }
        events.extend(slept);
        Ok(NewRun {
            watches: watches(definition, &run),
            log: events.iter().zip(1..).map(|(event, seq)| self.entry(event, seq, now)).collect(),
            run,
            priority: Priority::Normal,
            due_at: Some(due),
            event: None,
            lease: None,
        })
    }

    fn entry(&self, event: &Event, seq: u64, at: Timestamp) -> LogRow {
        let step = event.step().map(|id| self.definition.step(id));
        LogRow {
            seq,
            step: step.map_or_else(String::new, |step| step.path.clone()),
            rounds: String::new(),
            label: step.map_or_else(String::new, |step| step.label.clone()),
            attempt: event.attempt(),
            kind: event.kind().to_owned(),
            action: None,
            plugin: None,
            input: None,
            output: None,
            explanation: Some(Json::String(event.explanation())),
            error: None,
            at,
            cpu_us: 0,
            wait_ms: 0,
            memory_bytes: 0,
            host_calls: 0,
            http_calls: 0,
        }
    }
}

/// How late those have woken that were due.
pub(super) async fn woken(context: &Context) -> anyhow::Result<Json> {
    let app = context.open().await?;
    let mut late = Vec::new();
    let mut filter = RunFilter {
        workflow: Some(NAME.to_owned()),
        status: Some(RunStatus::Done),
        ..RunFilter::default()
    };
    loop {
        let rows = app.store().run_list(&filter, PAGE).await?;
        for row in &rows {
            let due = row.run.started_at.as_millisecond() + SLEEP_MS;
            late.extend(row.ended_at.map(|ended| ended.as_millisecond() - due));
        }
        match rows.last() {
            Some(last) if rows.len() == PAGE as usize => filter.after = Some(last.run.id),
            _ => break,
        }
    }
    app.close().await;
    late.sort_unstable();
    let place = (late.len() * 99 / 100).min(late.len().saturating_sub(1));
    Ok(json!({
        "woken": late.len(),
        "earliest_ms": late.first(),
        "p99_ms": late.get(place),
        "latest_ms": late.last(),
    }))
}

//! `relata runs`

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use relata_app::{
    App, EffectView, RunHistory, RunView, StepView, WaitView,
    model::{Reference, RunId, TimeZone},
};
use serde_json::{Value as Json, json};

use crate::{
    commands::runs_bulk::{self, SearchArgs},
    context::{ACTOR, Context},
    failure::Wrong,
    names::Names,
    out::{self, Column},
    time,
};

/// How many runs are shown where nothing is said.
const FIRST_PAGE: u32 = 50;

/// Show what workflows did and do.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  relata runs --status failed
  relata runs list --dead                   given up, since they brought their host down
  relata runs --error 'no such template' --since 2026-12-01
  relata runs --workflow assign-new-leads --limit 10
  relata runs --record ticket/t1
  relata runs --begun-by run_01k9…          the runs that its `run:` steps began
  relata runs show run_01k9…                each step: input, output, and why
  relata runs show run_01k9… --item 3       only what was done for item 3 of a loop
  relata runs cancel run_01k9… --why 'the customer called'
  relata runs retry run_01k9…               goes on at the step that failed
  relata runs retry run_01k9… --from 12 --set percent=5   from line 12, with another input
  relata runs retry --workflow survey --error timeout --dry-run   all that a search finds"
)]
pub(crate) struct RunsArgs {
    #[command(subcommand)]
    command: Option<RunsCommand>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    search: SearchArgs,
    /// At most so many, the newest first; 0 is all
    #[arg(long, value_name = "N", default_value_t = FIRST_PAGE)]
    limit: u32,
}

#[derive(Debug, Subcommand)]
enum RunsCommand {
    /// Runs, the newest first: what `relata runs` does without a word
    List(ListArgs),
    /// A run, step by step
    Show {
        /// Its id, from `relata runs`
        #[arg(value_name = "RUN")]
        run: RunId,
        /// Only what it did for this item of a loop, or in this branch: 3, or 3.1 for item 1 within item 3
        #[arg(long, value_name = "NUMBER")]
        item: Option<String>,
    },
    Retry(runs_bulk::RetryArgs),
    Cancel(runs_bulk::CancelArgs),
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stands {
    /// Has something to do, now or later
    Active,
    /// Ended after its last step
    Done,
    /// Ended by a condition of the workflow
    Stopped,
    /// A step failed for good
    Failed,
    /// Ended by a person, or replaced by a newer run
    Cancelled,
}

pub(crate) async fn run(context: &Context, args: RunsArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let done = match args.command {
        None => list(context, &app, args.list).await,
        Some(RunsCommand::List(args)) => list(context, &app, args).await,
        Some(RunsCommand::Show { run, item }) => show(context, &app, run, item.as_deref()).await,
        Some(RunsCommand::Retry(args)) => runs_bulk::retry(context, &app, args).await,
        Some(RunsCommand::Cancel(args)) => runs_bulk::cancel(context, &app, args).await,
    };
    app.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn list(context: &Context, app: &App, args: ListArgs) -> anyhow::Result<()> {
    let limit = if args.limit == 0 { u32::MAX } else { args.limit };
    let filtered = args.search.narrows();
    let mut search = args.search.read(app)?;
    search.filter.newest_first = true;
    let runs = app.search_runs(search, limit).await?;
    if context.json {
        return out::json(&runs);
    }
    if runs.is_empty() {
        return out::line(if filtered {
            "no such runs; `relata why-not WORKFLOW RECORD` says why one did not start"
        } else {
            "no runs yet; `relata workflows` shows what is active"
        });
    }
    table(app, runs, limit).await
}

/// Runs as a table.
pub(crate) async fn table(app: &App, runs: Vec<RunView>, limit: u32) -> anyhow::Result<()> {
    let zone = app.zone();
    let mut names = Names::new(app);
    let mut columns = vec![
        Column::whole("Run"),
        Column::whole("Workflow"),
        Column::text("Record"),
        Column::whole("Began"),
        Column::whole("Status"),
        Column::text("Stands at, or why it ended"),
    ];
    let parents = runs.iter().any(|run| run.parent.is_some());
    if parents {
        columns.push(Column::whole("Begun by"));
    }
    let full = runs.len() == usize::try_from(limit).unwrap_or(usize::MAX);
    let mut rows = Vec::with_capacity(runs.len());
    for run in runs {
        rows.push(vec![
            run.run.clone(),
            run.workflow.clone(),
            match reference(&run) {
                Some(record) => names.short(&record).await?,
                None => String::new(),
            },
            time::short_text(&run.started_at, &zone),
            standing(&run),
            names.told(&remark(&run, &zone)).await?,
        ]);
        if let Some(row) = rows.last_mut().filter(|_| parents) {
            row.push(run.parent.unwrap_or_default());
        }
    }
    out::table(&columns, rows)?;
    if full {
        out::line(format!("\nthe newest {limit}; `--limit 0` shows all"))?;
    }
    Ok(())
}

fn reference(run: &RunView) -> Option<Reference> {
    run.record.as_deref().and_then(|record| record.parse().ok())
}

fn standing(run: &RunView) -> String {
    run.outcome.clone().unwrap_or_else(|| run.status.to_owned())
}

fn remark(run: &RunView, zone: &TimeZone) -> String {
    if let Some(why) = run.paused.as_ref().or(run.held_up.as_ref()) {
        return why.clone();
    }
    match (&run.why, &run.at, &run.due_at) {
        (Some(why), ..) => why.clone(),
        (None, Some(at), Some(due)) => {
            format!("{at}, until {} at the latest", time::short_text(due, zone))
        }
        (None, Some(at), None) => format!("{at}, until something happens"),
        (None, None, _) => String::new(),
    }
}

async fn show(context: &Context, app: &App, run: RunId, item: Option<&str>) -> anyhow::Result<()> {
    let mut history = app.run_history(run).await?;
    if let Some(item) = item {
        let within = format!("{item}.");
        history.steps.retain(|step| step.rounds == item || step.rounds.starts_with(&within));
        if history.steps.is_empty() {
            return Err(Wrong::new(format!(
                "{run} did nothing for item {item}; without `--item` everything is shown"
            ))
            .into());
        }
    }
    if context.json {
        return out::json(&history);
    }
    let zone = app.zone();
    let mut names = Names::new(app);
    head(&mut names, &history, &zone).await?;
    for step in &history.steps {
        out::line("")?;
        out::text(&told(&mut names, step, &zone).await?)?;
    }
    Ok(())
}

/// How a run stands, for what it waits, and with whom it is connected.
async fn head(names: &mut Names<'_>, history: &RunHistory, zone: &TimeZone) -> anyhow::Result<()> {
    let run = &history.run;
    let about = match reference(run) {
        Some(record) => format!(" for {}", out::clean(&names.full(&record).await?)),
        None => String::new(),
    };
    out::line(format!("{}: {}{about}", run.run, run.workflow))?;
    let ended = run
        .ended_at
        .as_ref()
        .map_or_else(String::new, |at| format!(", ended {}", time::short_text(at, zone)));
    out::line(format!(
        "{}, began {}{ended}",
        standing(run),
        time::short_text(&run.started_at, zone)
    ))?;
    if let Some(why) = &run.why {
        out::line(out::clean(&names.told(why).await?))?;
    }
    let mut facts = Vec::new();
    if let Some(paused) = &run.paused {
        facts.push(("paused", names.told(paused).await?));
    }
    if let Some(held_up) = &run.held_up {
        facts.push(("held up", names.told(held_up).await?));
    }
    if let Some(inputs) = &history.inputs {
        facts.push(("given", names.spoken(inputs).await?));
    }
    if let Some(outputs) = &run.outputs {
        facts.push(("yields", names.spoken(outputs).await?));
    }
    for wait in &history.waits {
        facts.push(("waits", names.told(&waiting(wait, run, history.waits.len())).await?));
    }
    for what in &history.ends_before {
        facts.push(("ends", format!("before that when {what}")));
    }
    if let Some(parent) = &run.parent {
        facts.push(("part of", parent.clone()));
    }
    for child in &history.children {
        facts.push(("began", format!("{}, {}: {}", child.run, child.workflow, standing(child))));
    }
    if history.queued > 0 {
        let starts = out::count(history.queued, "start");
        let verb = if history.queued == 1 { "waits" } else { "wait" };
        facts.push(("queue", format!("{starts} for the same {verb} for its end")));
    }
    let mut before = "";
    for (name, text) in facts {
        // What comes several times is named once.
        let shown = if name == before { "" } else { name };
        out::line(format!("  {shown:<7}  {}", out::clean(&text)))?;
        before = name;
    }
    Ok(())
}

/// What a run waits for, in a line.
fn waiting(wait: &WaitView, run: &RunView, of: usize) -> String {
    let round = if wait.rounds.is_empty() { String::new() } else { format!("[{}] ", wait.rounds) };
    let child = wait.run.as_ref().map_or_else(String::new, |child| format!(" ({child})"));
    // A deadline's own time is the run's, where it is all that there is.
    let until = wait.until.as_ref().or(run.due_at.as_ref().filter(|_| of == 1));
    let how = match (wait.kind, until) {
        ("retry", Some(until)) => {
            let why = wait.why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            format!(", called again {until}{why}")
        }
        ("item", Some(until)) => format!(", goes on with the next item {until}"),
        ("deadline", Some(until)) => format!(", the next level or its end {until}"),
        ("turn", _) => ", about to go on".to_owned(),
        (_, Some(until)) => format!(", until {until} at the latest"),
        ("run", None) => ", until that has ended".to_owned(),
        (_, None) => ", until something happens".to_owned(),
    };
    format!("{round}{}{child} (line {}){how}", wait.label, wait.line)
}

/// One entry of a run's log, as a paragraph.
async fn told(names: &mut Names<'_>, step: &StepView, zone: &TimeZone) -> anyhow::Result<String> {
    let what = if step.label.is_empty() { "the run" } else { step.label.as_str() };
    let line = step.line.map_or_else(String::new, |line| format!("  (line {line})"));
    let attempt =
        if step.attempt > 1 { format!(", attempt {}", step.attempt) } else { String::new() };
    // Deeper for each loop and branch that it stands in.
    let depth = if step.rounds.is_empty() { 0 } else { step.rounds.split('.').count() };
    let round = if depth == 0 { String::new() } else { format!("[{}] ", step.rounds) };
    let indent = "  ".repeat(depth);
    let mut told = format!(
        "{:>3}  {}  {indent}{round}{what}: {}{attempt}{line}\n",
        step.seq,
        time::short_text(&step.time, zone),
        kind(&step.kind)
    );
    for (name, text) in details(names, step, zone).await? {
        told.push_str(&format!("     {indent}{name:<7} {}\n", out::clean(&text)));
    }
    Ok(told)
}

/// What went into an entry, what came out, what it did, and why.
async fn details(
    names: &mut Names<'_>,
    step: &StepView,
    zone: &TimeZone,
) -> anyhow::Result<Vec<(&'static str, String)>> {
    let mut details = Vec::new();
    if let Some(why) = step.why.as_ref().and_then(|why| reason(why, &step.label)) {
        details.push(("why", names.spoken(&Json::String(why)).await?));
    }
    if let Some(input) = &step.input {
        details.push(("input", names.spoken(input).await?));
    }
    let (output, candidates) = step.output.as_ref().map(without_candidates).unwrap_or_default();
    if let Some(output) = output {
        details.push(("output", names.spoken(&output).await?));
    }
    for (number, candidate) in candidates.iter().enumerate() {
        let name = if number == 0 { "among" } else { "" };
        details.push((name, names.told(candidate).await?));
    }
    for changed in &step.changed {
        details.push(("wrote", names.told(changed).await?));
    }
    for message in &step.messages {
        details.push((message.kind, message_told(message, zone)));
    }
    for why in &step.suppressed {
        details.push(("not", names.told(why).await?));
    }
    // The reason for a failure is the error.
    if let Some(error) = step.error.as_ref().filter(|_| step.why.is_none()) {
        details.push(("error", names.told(error).await?));
    }
    if step.cpu_us > 0 {
        details.push(("used", used(step)));
    }
    Ok(details)
}

/// What a call used: `0.4 ms of processor time, 1088 KiB of memory, 3 calls of
/// the host, 1 of them to web services`.
fn used(step: &StepView) -> String {
    let mut used = format!(
        "{:.1} ms of processor time, {} KiB of memory, {} calls of the host",
        millis(step.cpu_us),
        step.memory_bytes / 1024,
        step.host_calls
    );
    if step.http_calls > 0 {
        used.push_str(&format!(", {} of them to web services", step.http_calls));
    }
    used
}

/// A message as it stands now: `"Welcome" to anna@a.example: sent 2026-12-14
/// 10:00`.
fn message_told(message: &EffectView, zone: &TimeZone) -> String {
    let subject = message.subject.as_deref().unwrap_or_default();
    let to = message.address.as_deref().or(message.to.as_deref()).unwrap_or_default();
    let when = match (&message.sent_at, &message.due_at, message.status) {
        (Some(at), ..) => format!(" {}", time::short_text(at, zone)),
        (None, Some(at), "due") => format!(", goes out {}", time::short_text(at, zone)),
        _ => String::new(),
    };
    let reason = message.reason.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    format!("\u{201c}{subject}\u{201d} to {to}: {}{when}{reason}", message.status)
}

/// Why an entry came out so; without what its label says already.
fn reason(why: &Json, label: &str) -> Option<String> {
    let why = why.as_str().map_or_else(|| why.to_string(), str::to_owned);
    // A stop repeats its condition: `stopped: stop_if a == b: a = 1`.
    let condition = label.replacen(": ", " ", 1);
    let values = why
        .strip_prefix("stopped: ")
        .and_then(|rest| rest.strip_prefix(&condition))
        .and_then(|rest| rest.strip_prefix(": "));
    Some(values.map_or(why.clone(), |values| format!("stopped: {values}")))
        .filter(|why| !why.is_empty())
}

/// What happened, in words.
fn kind(kind: &str) -> &str {
    match kind {
        "attempt_failed" => "attempt failed",
        "deadline" => "the clock starts",
        "clock" => "the clock is read",
        "level" => "level reached",
        "items" => "the loop begins",
        "item" => "next item",
        "left_out" => "left out",
        "branches" => "the branches begin",
        "run" => "another run began",
        "noted" => "noted for later",
        "ending" => "the end is decided",
        "gave_up" => "given up",
        "retried" => "goes on again",
        other => other,
    }
}

/// A routing decision's result, and those among whom it chose, a sentence
/// each. Other results have none.
fn without_candidates(output: &Json) -> (Option<Json>, Vec<String>) {
    let Some(candidates) = output["candidates"].as_array() else {
        return (Some(output.clone()), Vec::new());
    };
    let sentences: Option<Vec<String>> = candidates
        .iter()
        .map(|candidate| {
            let name = candidate["name"].as_str().or_else(|| candidate["user"].as_str())?;
            Some(format!("{name}: {}", candidate["reason"].as_str()?))
        })
        .collect();
    let Some(sentences) = sentences else { return (Some(output.clone()), Vec::new()) };
    let mut rest = output.clone();
    if let Some(fields) = rest.as_object_mut() {
        fields.remove("candidates");
    }
    (Some(rest), sentences)
}

#[expect(clippy::cast_precision_loss, reason = "it is shown with one digit")]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

/// Ends one run.
pub(crate) async fn cancel(
    context: &Context,
    app: &App,
    run: RunId,
    why: Option<String>,
) -> anyhow::Result<()> {
    let why = why.unwrap_or_else(|| format!("cancelled by {ACTOR}"));
    app.cancel(run, &why).await?;
    if context.json {
        return out::json(&json!({ "run": run.to_string(), "cancelled": true, "why": why }));
    }
    let next = if app.clock().is_manual() {
        "when the clock is moved"
    } else {
        "at once where `relata serve` runs"
    };
    out::line(format!("{run} will end {next}"))
}

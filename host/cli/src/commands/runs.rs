//! `relata runs`

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use relata_app::{
    App, RunHistory, RunView, StepView,
    model::{Reference, RunId, TimeZone},
    store::{RunFilter, RunStatus},
};
use serde_json::{Value as Json, json};

use crate::{
    context::{ACTOR, Context},
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
  relata runs --workflow assign-new-leads --limit 10
  relata runs --record ticket/t1
  relata runs show run_01k9…                each step: input, output, and why
  relata runs cancel run_01k9… --why 'the customer called'"
)]
pub(crate) struct RunsArgs {
    #[command(subcommand)]
    command: Option<RunsCommand>,
    /// Of this workflow
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// About this record, such as ticket/t1
    #[arg(long, value_name = "RECORD")]
    record: Option<Reference>,
    /// How they stand
    #[arg(long)]
    status: Option<Stands>,
    /// At most so many, the newest first; 0 is all
    #[arg(long, value_name = "N", default_value_t = FIRST_PAGE)]
    limit: u32,
}

#[derive(Debug, Subcommand)]
enum RunsCommand {
    /// A run, step by step
    Show {
        /// Its id, from `relata runs`
        #[arg(value_name = "RUN")]
        run: RunId,
    },
    /// End a run before its last step
    Cancel {
        /// Its id, from `relata runs`
        #[arg(value_name = "RUN")]
        run: RunId,
        /// What the run's history will say
        #[arg(long, value_name = "REASON")]
        why: Option<String>,
    },
}

/// How a run stands.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Stands {
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
        None => {
            let filter = RunFilter {
                workflow: args.workflow,
                subject: args.record,
                status: args.status.map(|stands| match stands {
                    Stands::Active => RunStatus::Active,
                    Stands::Done => RunStatus::Done,
                    Stands::Stopped => RunStatus::Stopped,
                    Stands::Failed => RunStatus::Failed,
                    Stands::Cancelled => RunStatus::Cancelled,
                }),
                newest_first: true,
                ..RunFilter::default()
            };
            list(context, &app, filter, args.limit).await
        }
        Some(RunsCommand::Show { run }) => show(context, &app, run).await,
        Some(RunsCommand::Cancel { run, why }) => cancel(context, &app, run, why).await,
    };
    app.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn list(context: &Context, app: &App, filter: RunFilter, limit: u32) -> anyhow::Result<()> {
    let limit = if limit == 0 { u32::MAX } else { limit };
    let filtered = filter.workflow.is_some() || filter.subject.is_some() || filter.status.is_some();
    let runs = app.runs(filter, limit).await?;
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
    let zone = app.zone();
    let mut names = Names::new(app);
    let columns = [
        Column::whole("Run"),
        Column::whole("Workflow"),
        Column::text("Record"),
        Column::whole("Began"),
        Column::whole("Status"),
        Column::text("Stands at, or why it ended"),
    ];
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
    match (&run.why, &run.at, &run.due_at) {
        (Some(why), ..) => why.clone(),
        (None, Some(at), Some(due)) => {
            format!("{at}, until {} at the latest", time::short_text(due, zone))
        }
        (None, Some(at), None) => format!("{at}, until something happens"),
        (None, None, _) => String::new(),
    }
}

async fn show(context: &Context, app: &App, run: RunId) -> anyhow::Result<()> {
    let history = app.run_history(run).await?;
    if context.json {
        return out::json(&history);
    }
    let zone = app.zone();
    let RunHistory { run, steps } = history;
    let mut names = Names::new(app);
    let about = match reference(&run) {
        Some(record) => format!(" for {}", out::clean(&names.full(&record).await?)),
        None => String::new(),
    };
    out::line(format!("{}: {}{about}", run.run, run.workflow))?;
    let ended = run
        .ended_at
        .as_ref()
        .map_or_else(String::new, |at| format!(", ended {}", time::short_text(at, &zone)));
    out::line(format!(
        "{}, began {}{ended}",
        standing(&run),
        time::short_text(&run.started_at, &zone)
    ))?;
    let remark = remark(&run, &zone);
    if !remark.is_empty() {
        out::line(out::clean(&names.told(&remark).await?))?;
    }
    for step in &steps {
        out::line("")?;
        out::text(&told(&mut names, step, &zone).await?)?;
    }
    Ok(())
}

/// One entry of a run's log, as a paragraph.
async fn told(names: &mut Names<'_>, step: &StepView, zone: &TimeZone) -> anyhow::Result<String> {
    let what = if step.label.is_empty() { "the run" } else { step.label.as_str() };
    let line = step.line.map_or_else(String::new, |line| format!("  (line {line})"));
    let attempt =
        if step.attempt > 1 { format!(", attempt {}", step.attempt) } else { String::new() };
    let kind = step.kind.replace('_', " ");
    let mut details = Vec::new();
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
    match &step.why {
        None => {}
        Some(Json::String(why)) if why.is_empty() => {}
        Some(why) => details.push(("why", names.spoken(why).await?)),
    }
    if let Some(error) = &step.error {
        details.push(("error", names.told(error).await?));
    }
    if step.cpu_us > 0 {
        details.push(("used", format!("{:.1} ms of processor time", millis(step.cpu_us))));
    }
    let mut told = format!(
        "{:>3}  {}  {what}: {kind}{attempt}{line}\n",
        step.seq,
        time::short_text(&step.time, zone)
    );
    for (name, text) in details {
        told.push_str(&format!("     {name:<7} {}\n", out::clean(&text)));
    }
    Ok(told)
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

async fn cancel(
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

//! `relata runs retry` and `relata runs cancel`, of one run or of all that a
//! search finds.

use clap::Args;
use relata_app::{
    App, Assignment, BulkRow, RetryRequest,
    model::{Reference, RunId},
    store::{RunFilter, RunSearch, RunStatus},
};

use crate::{
    commands::runs::{self, Stands},
    context::{ACTOR, Context},
    failure::Wrong,
    out, time,
};

/// Which runs.
#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// Of this workflow
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// About this record, such as ticket/t1
    #[arg(long, value_name = "RECORD")]
    record: Option<Reference>,
    /// How they stand
    #[arg(long)]
    status: Option<Stands>,
    /// The same as `--status failed`
    #[arg(long, conflicts_with = "status")]
    failed: bool,
    /// Given up, since they brought their host down again and again
    #[arg(long, conflicts_with_all = ["status", "failed"])]
    dead: bool,
    /// Due, and waiting for the end of a pause
    #[arg(long)]
    paused: bool,
    /// Begun by a step of this run
    #[arg(long, value_name = "RUN")]
    begun_by: Option<RunId>,
    /// Begun at this time or later: `2026-12-14 10:00`
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Begun before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// With this text in why they ended or in the error of a step
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// With this text in what a step was given, yielded or told
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
}

impl SearchArgs {
    /// Whether it leaves anything out.
    pub(crate) const fn narrows(&self) -> bool {
        self.workflow.is_some()
            || self.record.is_some()
            || self.status.is_some()
            || self.failed
            || self.dead
            || self.paused
            || self.begun_by.is_some()
            || self.since.is_some()
            || self.until.is_some()
            || self.error.is_some()
            || self.text.is_some()
    }

    pub(crate) fn read(self, app: &App) -> anyhow::Result<RunSearch> {
        let zone = app.zone();
        let at = |written: Option<String>| {
            written.map(|written| time::read(&written, &zone)).transpose()
        };
        let status = self.status.or(self.failed.then_some(Stands::Failed));
        Ok(RunSearch {
            given_up: self.dead,
            error: self.error,
            text: self.text,
            paused: self.paused,
            filter: RunFilter {
                workflow: self.workflow,
                subject: self.record,
                parent: self.begun_by,
                since: at(self.since)?,
                until: at(self.until)?,
                status: status.map(|stands| match stands {
                    Stands::Active => RunStatus::Active,
                    Stands::Done => RunStatus::Done,
                    Stands::Stopped => RunStatus::Stopped,
                    Stands::Failed => RunStatus::Failed,
                    Stands::Cancelled => RunStatus::Cancelled,
                }),
                ..RunFilter::default()
            },
        })
    }
}

/// Let a run go on that has ended: at the step that failed, or from another one
///
/// The run keeps its version of the workflow, its values and its history. A
/// message that a step has sent is not sent again by the same step. Without a
/// run, the options say which of those that failed.
#[derive(Debug, Args)]
pub(crate) struct RetryArgs {
    /// Its id, from `relata runs`
    #[arg(value_name = "RUN")]
    run: Option<RunId>,
    /// The step to go on from: its line, its `as` name or its path; it may not stand in a loop or branch
    #[arg(long, value_name = "STEP")]
    from: Option<String>,
    /// Another value for an input of the workflow, or for what a step yielded; JSON or text
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    set: Vec<Assignment>,
    /// What the run's history will say
    #[arg(long, value_name = "REASON")]
    why: Option<String>,
    /// Only say which runs, and what stands in their way
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    search: SearchArgs,
}

/// End a run before its last step
///
/// Without a run, the options say which of those that go on.
#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// Its id, from `relata runs`
    #[arg(value_name = "RUN")]
    run: Option<RunId>,
    /// What the run's history will say
    #[arg(long, value_name = "REASON")]
    why: Option<String>,
    /// Only say which runs
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    search: SearchArgs,
}

fn pair(text: &str) -> Result<Assignment, String> {
    match text.split_once('=') {
        Some((name, written)) if !name.trim().is_empty() => {
            Ok(Assignment { field: name.trim().to_owned(), written: written.to_owned() })
        }
        _ => Err("write NAME=VALUE, such as percent=10".to_owned()),
    }
}

pub(crate) async fn retry(context: &Context, app: &App, args: RetryArgs) -> anyhow::Result<()> {
    let why = args.why.unwrap_or_else(|| format!("by {ACTOR}"));
    let request = RetryRequest { from: args.from, set: args.set, why };
    let next = if app.clock().is_manual() {
        "when the clock is moved"
    } else {
        "where `relata serve` runs"
    };
    let Some(run) = alone(args.run, &args.search, args.dry_run)? else {
        let dry_run = args.dry_run;
        let rows = Box::pin(app.retry_all(args.search.read(app)?, &request, dry_run)).await?;
        return told(context, app, rows, dry_run, "goes on", "go on").await;
    };
    let retried = app.retry(run, &request).await?;
    if context.json {
        return out::json(&retried);
    }
    out::line(out::clean(&format!("{run} goes on {next}: {}", retried.what)))
}

pub(crate) async fn cancel(context: &Context, app: &App, args: CancelArgs) -> anyhow::Result<()> {
    let Some(run) = alone(args.run, &args.search, args.dry_run)? else {
        let why = args.why.unwrap_or_else(|| format!("cancelled by {ACTOR}"));
        let rows = Box::pin(app.cancel_all(args.search.read(app)?, &why, args.dry_run)).await?;
        return told(context, app, rows, args.dry_run, "will end", "will end").await;
    };
    runs::cancel(context, app, run, args.why).await
}

/// The one run that is meant; none where a search says which.
fn alone(run: Option<RunId>, search: &SearchArgs, dry_run: bool) -> Result<Option<RunId>, Wrong> {
    match (run, search.narrows() || dry_run) {
        (None, true) if search.narrows() => Ok(None),
        (Some(run), false) => Ok(Some(run)),
        (Some(_), true) => Err(Wrong::new("name one run, or say which with options; not both")),
        (None, _) => Err(Wrong::new(
            "name a run, or say which ones with options such as `--workflow NAME --error TEXT`",
        )),
    }
}

async fn told(
    context: &Context,
    app: &App,
    rows: Vec<BulkRow>,
    dry_run: bool,
    one: &str,
    many: &str,
) -> anyhow::Result<()> {
    if context.json {
        return out::json(&rows);
    }
    let refused: Vec<(String, String)> =
        rows.iter().filter_map(|row| Some((row.run.run.clone(), row.refused.clone()?))).collect();
    let count = rows.len() - refused.len();
    if rows.is_empty() {
        return out::line("no such runs");
    }
    let runs = rows.into_iter().map(|row| row.run).collect();
    runs::table(app, runs, u32::MAX).await?;
    let verb = if count == 1 { one } else { many };
    let would = if dry_run { "; nothing was done, since this is a dry run" } else { "" };
    out::line(format!("\n{} {verb}{would}", out::count(count, "run")))?;
    for (run, why) in refused {
        out::line(out::clean(&format!("{run} does not: {why}")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_names_and_texts() {
        assert_eq!(pair("percent=5").unwrap().written, "5");
        assert_eq!(pair("note=a=b").unwrap().written, "a=b");
        assert!(pair("percent").is_err());
    }
}

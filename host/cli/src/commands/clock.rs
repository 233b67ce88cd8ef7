//! `relata clock`

use std::process::ExitCode;

use clap::{Args, Subcommand};
use relata_app::{
    App, AppError,
    model::{Calendar, Duration, Timestamp},
    store::{RunFilter, RunStatus},
};
use serde_json::json;

use crate::{context::Context, failure::Wrong, out, progress, time};

/// Read a rehearsal's clock, or move it.
///
/// While the clock moves, everything that falls due on the way is done at its
/// own moment: waits end, deadlines pass, mails are sent. The clock goes
/// forward only.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata clock now
  relata clock advance 3 days
  relata clock advance '1 day 4 hours'
  relata clock to 2026-12-28 09:00          local time, in the company's zone
  relata clock advance 0 minutes            do what is due, and leave the clock where it is")]
pub(crate) struct ClockArgs {
    #[command(subcommand)]
    command: ClockCommand,
}

#[derive(Debug, Subcommand)]
enum ClockCommand {
    /// Move the clock by a duration: `3 days`, `90 minutes`
    Advance {
        /// How far; a day is the same local time on the next day
        #[arg(value_name = "DURATION", required = true, num_args = 1..)]
        by: Vec<String>,
    },
    /// Move the clock to a time: `2026-12-14 10:00`
    To {
        /// Local time in the company's zone, or RFC 3339
        #[arg(value_name = "TIME", required = true, num_args = 1..)]
        time: Vec<String>,
    },
    /// Show the clock
    Now,
}

pub(crate) async fn run(context: &Context, args: ClockArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let moved = match args.command {
        ClockCommand::Now => now(context, &app),
        ClockCommand::Advance { by } => match target(&app, &time::joined(&by)) {
            Ok(to) => advance(context, &app, to).await,
            Err(why) => Err(why.into()),
        },
        ClockCommand::To { time: written } => {
            match time::read(&time::joined(&written), &app.zone()) {
                Ok(to) => advance(context, &app, to).await,
                Err(why) => Err(why.into()),
            }
        }
    };
    app.close().await;
    moved.map(|()| ExitCode::SUCCESS)
}

fn now(context: &Context, app: &App) -> anyhow::Result<()> {
    let (now, zone) = (app.now(), app.zone());
    if context.json {
        return out::json(&json!({
            "now": now.to_string(),
            "local": now.to_zoned(zone).to_string(),
            "rehearsal": app.clock().is_manual(),
        }));
    }
    let whose = if app.clock().is_manual() { "a rehearsal's clock" } else { "the real clock" };
    out::line(format!("{} in {} ({whose})", time::short(now, &zone), app.config().time_zone))
}

fn target(app: &App, written: &str) -> Result<Timestamp, Wrong> {
    let duration: Duration = written
        .parse()
        .map_err(|why: relata_app::model::duration::DurationError| Wrong::new(why.to_string()))?;
    if duration.is_working() {
        return Err(Wrong::new(format!(
            "`{written}` needs a calendar, and the clock has none; write hours or days, or a time with `relata clock to`"
        )));
    }
    Calendar::always_open(app.zone())
        .after(app.now(), duration)
        .ok_or_else(|| Wrong::new(format!("`{written}` from now is past the end of the calendar")))
}

async fn advance(context: &Context, app: &App, to: Timestamp) -> anyhow::Result<()> {
    let zone = app.zone();
    let from = app.now();
    let seconds = |at: Timestamp| u64::try_from(at.as_second() - from.as_second()).unwrap_or(0);
    let before = Runs::of(app).await?;
    let bar = progress::share("the clock moves");
    bar.set_length(seconds(to).max(1));
    let moved = app
        .advance_to(to, |at| {
            bar.set_position(seconds(at));
            bar.set_message(time::short(at, &zone));
        })
        .await;
    bar.finish_and_clear();
    let moved = moved?;
    if context.json {
        return out::json(&moved);
    }
    let after = Runs::of(app).await?;
    out::line(format!(
        "from {} to {}",
        time::short_text(&moved.from, &zone),
        time::short_text(&moved.to, &zone)
    ))?;
    out::line(format!(
        "{} began, {} ended, {} under way; see `relata runs` and `relata outbox`",
        out::count(after.all.saturating_sub(before.all), "run"),
        after.ended().saturating_sub(before.ended()),
        after.active
    ))
}

/// How many runs there are.
struct Runs {
    all: usize,
    active: usize,
}

impl Runs {
    async fn of(app: &App) -> anyhow::Result<Self> {
        let count = async |status| -> anyhow::Result<usize> {
            let filter = RunFilter { status, ..RunFilter::default() };
            Ok(usize::try_from(app.store().run_count(&filter).await.map_err(AppError::from)?)?)
        };
        Ok(Self { all: count(None).await?, active: count(Some(RunStatus::Active)).await? })
    }

    const fn ended(&self) -> usize {
        self.all.saturating_sub(self.active)
    }
}

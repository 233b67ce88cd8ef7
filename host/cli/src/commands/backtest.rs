//! `relata backtest`

mod tables;

use std::{fs, path::PathBuf, process::ExitCode};

use clap::Args;
use relata_app::{
    App,
    backtest::{Backtest, BacktestRequest, Opponent},
    model::{Calendar, Duration, Timestamp},
};

use crate::{context::Context, failure::Wrong, out, progress, sources, time};

/// Replay the event log over a draft: what it would have done.
///
/// The draft decides with the records as they were at each event; nothing is
/// written and nothing is sent. Actions answer what they answered then, or
/// again on the records as they were; what remains is assumed, and counted.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata backtest draft.yaml --last 30d
  relata backtest draft.yaml --last 2 weeks --against active
  relata backtest draft.yaml --from 2026-11-01 --to 2026-12-01 --html november.html
  relata backtest draft.yaml --last 30d --against before.yaml --json

The report names records by their ids, and tells no values of theirs.")]
pub(crate) struct BacktestArgs {
    /// The workflow's file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How far back: `30d`, `2w`, `12h`, or `30 days`
    #[arg(long, value_name = "DURATION", num_args = 1..=4, required_unless_present = "from")]
    last: Vec<String>,
    /// From this time on: `2026-11-01`, or `2026-11-01 09:00`
    #[arg(long, value_name = "TIME", conflicts_with = "last")]
    from: Option<String>,
    /// Until this time; now by default
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Compare with the `active` version, or with another file
    #[arg(long, value_name = "VERSION")]
    against: Option<String>,
    /// Write the report as one page for a browser as well
    #[arg(long, value_name = "OUT.html")]
    html: Option<PathBuf>,
}

pub(crate) async fn run(context: &Context, args: BacktestArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let done = replay(context, &app, args).await;
    app.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn replay(context: &Context, app: &App, args: BacktestArgs) -> anyhow::Result<()> {
    let request = request(app, &args)?;
    let bar = progress::share("reading what was called");
    let second = |at: Timestamp| u64::try_from(at.as_second() - request.from.as_second());
    bar.set_length(second(request.to).unwrap_or(1).max(1));
    let zone = app.zone();
    let found = app
        .backtest(&request, |at| {
            bar.set_position(second(at).unwrap_or(0));
            bar.set_message(time::short(at, &zone));
        })
        .await;
    bar.finish_and_clear();
    let found = found?;
    if let Some(html) = &args.html {
        write_page(html, &found)?;
    }
    if context.json {
        return out::json(&found);
    }
    tables::print(&found, &zone)?;
    if let Some(html) = &args.html {
        out::line(format!("\nThe same as a page: {}", out::path(html)))?;
    }
    Ok(())
}

fn request(app: &App, args: &BacktestArgs) -> anyhow::Result<BacktestRequest> {
    let zone = app.zone();
    let read = |written: &Option<String>| {
        written.as_deref().map(|written| time::read(written, &zone)).transpose()
    };
    let to = read(&args.to)?.unwrap_or_else(|| app.now());
    let from = match read(&args.from)? {
        Some(from) => from,
        None => before(app, to, &args.last)?,
    };
    let against = match args.against.as_deref() {
        None => None,
        Some("active") => Some(Opponent::Active),
        Some(file) => {
            let (file, source) = one_file(&PathBuf::from(file))?;
            Some(Opponent::File(file, source))
        }
    };
    let (file, source) = one_file(&args.file)?;
    Ok(BacktestRequest { file, source, from, to, against })
}

fn one_file(path: &PathBuf) -> Result<(String, String), Wrong> {
    if path.is_dir() {
        return Err(Wrong::new(format!(
            "{} is a folder; a backtest takes one workflow, such as {}/draft.yaml",
            out::path(path),
            out::path(path)
        )));
    }
    let found = sources::read(std::slice::from_ref(path))?.into_iter().next();
    found.ok_or_else(|| Wrong::new(format!("there is no {}", out::path(path))))
}

/// The time that lies so far back.
fn before(app: &App, to: Timestamp, words: &[String]) -> Result<Timestamp, Wrong> {
    let written = words.join(" ");
    let duration = last(&written).ok_or_else(|| {
        Wrong::new(format!("`{written}` is not a time back; write `30d`, `2w`, `12h` or `30 days`"))
    })?;
    Calendar::always_open(app.zone()).after(to, duration.negated()).ok_or_else(|| {
        Wrong::new(format!("`{written}` before {to} is past the end of the calendar"))
    })
}

/// `30d`, `2w`, `12h`, or a duration as workflows say it.
fn last(written: &str) -> Option<Duration> {
    let short = written.len().checked_sub(1).and_then(|end| written.split_at_checked(end));
    let unit = short.and_then(|(amount, unit)| {
        let unit = match unit {
            "d" => "days",
            "w" => "weeks",
            "h" => "hours",
            _ => return None,
        };
        amount.parse::<u32>().ok().map(|amount| format!("{amount} {unit}"))
    });
    let duration: Duration = unit.as_deref().unwrap_or(written).parse().ok()?;
    (!duration.is_working()).then_some(duration)
}

fn write_page(path: &PathBuf, found: &Backtest) -> anyhow::Result<()> {
    fs::write(path, found.to_html()?)
        .map_err(|why| Wrong::new(format!("cannot write {}: {why}", out::path(path))).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_back_are_short_or_long() {
        for (written, read) in [
            ("30d", Some("30 days")),
            ("2w", Some("14 days")),
            ("12h", Some("12 hours")),
            ("30 days", Some("30 days")),
            ("1 month", Some("1 month")),
            ("4 working hours", None),
            ("d", None),
            ("-3d", None),
            ("", None),
            ("ü", None),
            ("soon", None),
        ] {
            assert_eq!(last(written).map(|found| found.to_string()).as_deref(), read, "{written}");
        }
    }
}

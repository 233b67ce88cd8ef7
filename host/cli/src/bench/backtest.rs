//! A month of 100,000 events over each shipped workflow that the month
//! concerns: reading the log, deciding, and every call of an action made
//! again in its sandbox, as for a workflow that was never live.

use relata_app::{
    App, SHIPPED,
    backtest::{BacktestRequest, month::month},
    model::Timestamp,
};
use serde_json::json;

use super::{Figure, Report, Stopwatch};
use crate::progress;

/// The workflows, and what their figures are called.
const WORKFLOWS: [(&str, [&str; 2]); 3] = [
    ("assign-new-leads", ["assign-new-leads: all of it", "assign-new-leads"]),
    ("complaint-escalation", ["complaint-escalation: all of it", "complaint-escalation"]),
    ("inquiry-survey", ["inquiry-survey: all of it", "inquiry-survey"]),
];

const START: &str = "2026-11-02T06:00:00Z";

pub(super) async fn run(quick: bool) -> anyhow::Result<Report> {
    let wanted = if quick { 5_000 } else { 100_000 };
    let folder = tempfile::tempdir()?;
    let start: Timestamp = START.parse()?;
    let app = App::create(&folder.path().join("data"), Some(start)).await?;
    let bar = progress::bar("writing a month");
    bar.set_length(wanted as u64);
    let deeds = month(7, start, wanted);
    let end = deeds.last().map_or(start, |deed| deed.at);
    let watch = Stopwatch::start();
    let events = app.write_in_bulk(deeds, |written| bar.set_position(written as u64)).await?;
    let wrote = watch.elapsed().as_secs_f64();
    bar.finish_and_clear();
    app.advance_to(end, |_| ()).await?;
    app.plugins().await?;

    let mut figures = vec![
        Figure { name: "events in the log", value: events as f64, unit: "events" },
        Figure { name: "writing them", value: wrote, unit: "s" },
    ];
    let mut runs = Vec::new();
    for (workflow, [all, rate]) in WORKFLOWS {
        let file = format!("workflows/{workflow}.yaml");
        let source = SHIPPED.iter().find(|(name, _)| *name == file).map_or("", |(_, text)| text);
        let request = BacktestRequest {
            file,
            source: source.to_owned(),
            from: start,
            to: end,
            against: None,
        };
        let watch = Stopwatch::start();
        let found = app.backtest(&request, |_| ()).await?;
        let seconds = watch.elapsed().as_secs_f64();
        let per_second = found.events.read as f64 / seconds;
        figures.push(Figure { name: all, value: seconds, unit: "s" });
        figures.push(Figure { name: rate, value: per_second, unit: "events/s" });
        let calls = found.draft.rests_on.made_again + found.draft.rests_on.assumed;
        runs.push(json!({
            "workflow": workflow,
            "seconds": seconds,
            "events": found.events.read,
            "events_per_s": per_second,
            "runs": found.draft.started,
            "calls": calls,
        }));
    }
    app.close().await;
    Ok(Report {
        title: "A backtest over a month, every call made again or assumed",
        figures,
        json: json!({ "bench": "backtest", "events": events, "writing_s": wrote, "backtests": runs }),
    })
}

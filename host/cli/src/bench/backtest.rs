//! A month of 100,000 events over each shipped workflow that the month
//! concerns: reading the log, deciding, and every call of an action made
//! again in its sandbox, as for a workflow that was never live. With `--live`
//! the month is lived through under these workflows before, and what a
//! backtest counts has to be what the live run counted.

use std::collections::BTreeMap;

use relata_app::{
    App, Running, SHIPPED,
    backtest::{ActionCount, Backtest, BacktestRequest, OnRecord, month::month},
    model::Timestamp,
};
use serde_json::json;

use super::{Figure, Report, Stopwatch};
use crate::{failure::Wrong, progress};

/// The workflows, and what their figures are called.
const WORKFLOWS: [(&str, [&str; 2]); 3] = [
    ("assign-new-leads", ["assign-new-leads: all of it", "assign-new-leads"]),
    ("complaint-escalation", ["complaint-escalation: all of it", "complaint-escalation"]),
    ("inquiry-survey", ["inquiry-survey: all of it", "inquiry-survey"]),
];

const START: &str = "2026-11-02T06:00:00Z";

pub(super) async fn run(quick: bool, live: bool) -> anyhow::Result<Report> {
    let wanted = if quick { 5_000 } else { 100_000 };
    let folder = tempfile::tempdir()?;
    let start: Timestamp = START.parse()?;
    let app = App::create(&folder.path().join("data"), Some(start)).await?;
    let bar = progress::bar("writing a month");
    bar.set_length(wanted as u64);
    let deeds = month(7, start, wanted);
    let end = deeds.last().map_or(start, |deed| deed.at);
    let watch = Stopwatch::start();
    let events = if live {
        for (workflow, _) in WORKFLOWS {
            let (file, source) = shipped(workflow);
            app.activate(&file, &source, "bench", Running::Finish).await?;
        }
        let done = deeds.len() as u64;
        app.live_through(deeds, |lived| bar.set_position(lived as u64)).await?;
        done
    } else {
        app.write_in_bulk(deeds, |written| bar.set_position(written as u64)).await?
    };
    let wrote = watch.elapsed().as_secs_f64();
    bar.finish_and_clear();
    if app.now() < end {
        app.advance_to(end, |_| ()).await?;
    }
    app.plugins().await?;

    let mut figures = vec![
        Figure { name: "events from outside", value: events as f64, unit: "events" },
        Figure {
            name: if live { "living through them" } else { "writing them" },
            value: wrote,
            unit: "s",
        },
    ];
    let mut runs = Vec::new();
    for (workflow, [all, rate]) in WORKFLOWS {
        let (file, source) = shipped(workflow);
        let request =
            BacktestRequest { file, source, from: start, to: end.max(app.now()), against: None };
        let watch = Stopwatch::start();
        let found = app.backtest(&request, |_| ()).await?;
        let seconds = watch.elapsed().as_secs_f64();
        if live {
            let otherwise = otherwise(&found);
            if !otherwise.is_empty() {
                let told = otherwise.join("; ");
                return Err(Wrong::new(format!("the live run of {workflow} counted {told}")).into());
            }
        }
        let per_second = found.events.read as f64 / seconds;
        figures.push(Figure { name: all, value: seconds, unit: "s" });
        figures.push(Figure { name: rate, value: per_second, unit: "events/s" });
        let rests_on = &found.draft.rests_on;
        let calls = rests_on.recorded + rests_on.made_again + rests_on.assumed;
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
        title: if live {
            "A backtest over a month that was lived through: it counts what the live run counted"
        } else {
            "A backtest over a month, every call made again or assumed"
        },
        figures,
        json: json!({ "bench": "backtest", "events": events, "writing_s": wrote, "backtests": runs }),
    })
}

/// The file of a shipped workflow, and its text.
fn shipped(workflow: &str) -> (String, String) {
    let file = format!("workflows/{workflow}.yaml");
    let source = SHIPPED.iter().find(|(name, _)| *name == file).map_or("", |(_, text)| text);
    (file, source.to_owned())
}

/// What a backtest counted otherwise than the live run: starts, reasons why
/// none began, and calls.
fn otherwise(found: &Backtest) -> Vec<String> {
    let Some(OnRecord { started, not_started, actions }) = &found.on_record else {
        return vec!["nothing".to_owned()];
    };
    let calls = |actions: &[ActionCount]| -> BTreeMap<String, u64> {
        let of = |count: &ActionCount, word: &str| format!("{} {word}", count.action);
        actions
            .iter()
            .flat_map(|count| {
                [
                    (of(count, "done"), count.done),
                    (of(count, "skipped"), count.skipped),
                    (of(count, "failed"), count.failed),
                ]
            })
            .collect()
    };
    let mut before = calls(actions);
    before.extend(not_started.iter().map(|reason| (reason.what.clone(), reason.count)));
    before.insert("started".to_owned(), *started);
    let mut now = calls(&found.draft.actions);
    let reasons = found.draft.not_started.iter();
    now.extend(reasons.map(|reason| (reason.reason.clone(), reason.count)));
    now.insert("started".to_owned(), found.draft.started);
    let mut all: Vec<&String> = before.keys().chain(now.keys()).collect();
    all.sort();
    all.dedup();
    let count =
        |counts: &BTreeMap<String, u64>, what: &String| counts.get(what).copied().unwrap_or(0);
    all.into_iter()
        .filter(|what| count(&before, what) != count(&now, what))
        .map(|what| format!("{what}: {} and not {}", count(&before, what), count(&now, what)))
        .collect()
}

//! What a backtest counts is what a live run of the same events counted.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop at once, and tells its figures"
)]

use std::collections::BTreeMap;

use relata_app::{
    App, SHIPPED,
    backtest::{Backtest, BacktestRequest, Opponent, month::month},
    model::Timestamp,
    store::{EffectFilter, RunFilter},
};

/// Monday, a month before Christmas.
const START: &str = "2026-11-16T06:00:00Z";

/// So many entries of the event log come from outside.
const EVENTS: usize = 2_000;

fn shipped(workflow: &str) -> (String, String) {
    let file = format!("workflows/{workflow}.yaml");
    let (_, source) = SHIPPED.iter().find(|(name, _)| *name == file).unwrap();
    (file, (*source).to_owned())
}

const WORKFLOWS: [&str; 4] =
    ["assign-new-leads", "complaint-escalation", "inquiry-survey", "win-back"];

async fn backtest(app: &App, file: &str, source: &str, against: Option<Opponent>) -> Backtest {
    let request = BacktestRequest {
        file: file.to_owned(),
        source: source.to_owned(),
        from: START.parse().unwrap(),
        to: app.now(),
        against,
    };
    app.backtest(&request, |_| ()).await.unwrap()
}

/// What is in the tables, by hand.
async fn messages(app: &App, workflow: &str) -> BTreeMap<String, u64> {
    let filter =
        EffectFilter { workflow: Some(workflow.to_owned()), ..EffectFilter::default() };
    let mut counts = BTreeMap::new();
    for effect in app.store().outbox_list(&filter, u32::MAX).await.unwrap() {
        *counts.entry(effect.template.unwrap_or_else(|| "notice".to_owned())).or_default() += 1;
    }
    counts
}

async fn outcomes(app: &App, workflow: &str) -> BTreeMap<String, u64> {
    let filter = RunFilter { workflow: Some(workflow.to_owned()), ..RunFilter::default() };
    let mut counts = BTreeMap::new();
    for run in app.runs(filter, u32::MAX).await.unwrap() {
        let outcome = match (run.status, run.outcome) {
            ("active", _) => "under way at the end".to_owned(),
            (status, Some(outcome)) => format!("{status} as {outcome}"),
            (status, None) => status.to_owned(),
        };
        *counts.entry(outcome).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backtest_of_the_live_version_counts_what_the_live_run_counted() {
    let folder = tempfile::tempdir().unwrap();
    let start: Timestamp = START.parse().unwrap();
    let app = App::create(&folder.path().join("data"), Some(start)).await.unwrap();
    for workflow in WORKFLOWS {
        let (file, source) = shipped(workflow);
        app.activate(&file, &source, "test", relata_app::Running::Finish).await.unwrap();
    }
    app.live_through(month(7, start, EVENTS), |_| ()).await.unwrap();

    for workflow in WORKFLOWS {
        let (file, source) = shipped(workflow);
        let found = backtest(&app, &file, &source, Some(Opponent::Active)).await;
        println!("{}", serde_json::to_string_pretty(&found).unwrap());
        let on_record = found.on_record.as_ref().unwrap();
        let draft = &found.draft;

        // Starts, and why not.
        assert!(draft.started > 0, "{workflow} started nothing");
        assert_eq!(draft.started, on_record.started, "{workflow}");
        let reasons: Vec<(&str, u64)> = draft
            .not_started
            .iter()
            .map(|reason| (reason.reason.as_str(), reason.count))
            .collect();
        let recorded: Vec<(&str, u64)> = on_record
            .not_started
            .iter()
            .map(|reason| (reason.what.as_str(), reason.count))
            .collect();
        assert_eq!(reasons, recorded, "{workflow}");

        // Effects by action, and by template.
        let actions: Vec<_> = draft
            .actions
            .iter()
            .map(|action| (action.action.as_str(), action.done, action.skipped, action.failed))
            .collect();
        let recorded: Vec<_> = on_record
            .actions
            .iter()
            .map(|action| (action.action.as_str(), action.done, action.skipped, action.failed))
            .collect();
        assert_eq!(actions, recorded, "{workflow}");
        let sent: BTreeMap<String, u64> = draft
            .messages
            .iter()
            .filter(|message| message.sent + message.held > 0)
            .map(|message| (message.template.clone(), message.sent + message.held))
            .collect();
        assert_eq!(sent, messages(&app, workflow).await, "{workflow}");

        // How the runs ended.
        let ended: BTreeMap<String, u64> = draft
            .outcomes
            .iter()
            .map(|outcome| (outcome.what.clone(), outcome.count))
            .collect();
        assert_eq!(ended, outcomes(&app, workflow).await, "{workflow}");

        // It rests on what is on record, and is the same as the live version.
        assert_eq!(draft.rests_on.assumed, 0, "{workflow}: {:#?}", draft.rests_on);
        let against = found.against.as_ref().unwrap();
        assert!(against.is_same(draft), "{workflow}: {against:#?}");
    }
    app.close().await;
}

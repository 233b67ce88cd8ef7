//! What a backtest counts is what a live run of the same events counted.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may stop at once, and tells its figures"
)]

use std::collections::BTreeMap;

use relata_app::{
    App, SHIPPED,
    backtest::{ActionCount, Backtest, BacktestRequest, Figures, Opponent, month::month},
    model::Timestamp,
    store::{EffectFilter, RunFilter},
};

/// Monday, a month before Christmas.
const START: &str = "2026-11-16T06:00:00Z";

/// The middle of that month.
const MIDDLE: &str = "2026-12-01T05:00:00Z";

/// So many entries of the event log come from outside. `cargo xtask bench
/// backtest --live` does the same with 100,000.
const EVENTS: usize = 2_000;

/// A file and its text: of a workflow that is shipped, or one of this test's.
fn text_of(workflow: &str) -> (String, String) {
    let file = format!("workflows/{workflow}.yaml");
    let own = OWN.iter().find(|(name, _)| *name == workflow).map(|(_, source)| *source);
    let shipped = || SHIPPED.iter().find(|(name, _)| *name == file).map(|(_, source)| *source);
    (file.clone(), own.or_else(shipped).unwrap().to_owned())
}

const WORKFLOWS: [&str; 7] = [
    "assign-new-leads",
    "complaint-escalation",
    "inquiry-survey",
    "win-back",
    "check-orders",
    "call-customers",
    "every-morning",
];

/// What the shipped ones have not: loops, branches, another workflow, a queue
/// and a schedule.
const OWN: [(&str, &str); 4] = [
    (
        "note-order",
        "\
workflow: note-order
title: Note an order
inputs:
  item: { type: order }
steps:
  - do: task.create
    record: =item
    assignee: queue/unassigned
    title: Look at the order
    due_in: 1 day
  - stop_if: item.status == \"cancelled\"
  - wait_for: { changed: item.status, to: paid }
    up_to: 8 hours
    otherwise:
      - do: crm.update
        record: =item.contact
        set: { tags: [slow] }
outputs:
  seen: =item.ref
",
    ),
    (
        "check-orders",
        "\
workflow: check-orders
title: Check orders
when:
  - created: order
steps:
  - parallel:
      - steps:
          - wait: 2 hours
      - steps:
          - run: note-order
            with: { item: =order }
            up_to: 6 hours
            if_it_fails: { use: { seen: none } }
            as: noted
  - for_each: =[\"first\", \"second\"]
    as: word
    steps:
      - do: crm.update
        record: =order
        set: { tags: [\"{{ word }}\"] }
      - wait: 10 minutes
",
    ),
    (
        "call-customers",
        "\
workflow: call-customers
title: Call customers one after another
when:
  - created: ticket
only_if:
  - ticket.customer is not empty
repeat: { one_per: ticket.customer, again_after: 2 hours, while_running: queue }
steps:
  - wait: 30 hours
  - do: task.create
    record: =ticket
    assignee: queue/unassigned
    title: Call
    due_in: 1 day
",
    ),
    (
        "every-morning",
        "\
workflow: every-morning
title: Every morning
when:
  - schedule: weekdays at 09:00
    time_zone: Europe/Berlin
steps:
  - do: notify.role
    role: head-of-support
    text: Good morning
",
    ),
];

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
    let filter = EffectFilter { workflow: Some(workflow.to_owned()), ..EffectFilter::default() };
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

/// Everything that a run, a message or a write would leave.
async fn left(app: &App) -> (u64, usize, usize) {
    let runs = app.store().run_count(&RunFilter::default()).await.unwrap();
    let events = app.store().event_page(0, u32::MAX).await.unwrap().len();
    let effects = app.store().outbox_list(&EffectFilter::default(), u32::MAX).await.unwrap();
    (runs, events, effects.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backtest_counts_what_a_live_run_of_the_same_events_counted() {
    let folder = tempfile::tempdir().unwrap();
    let start: Timestamp = START.parse().unwrap();
    let app = App::create(&folder.path().join("data"), Some(start)).await.unwrap();
    for workflow in ["note-order"].into_iter().chain(WORKFLOWS) {
        let (file, source) = text_of(workflow);
        app.activate(&file, &source, "test", relata_app::Running::Finish).await.unwrap();
    }
    app.live_through(month(7, start, EVENTS), |_| ()).await.unwrap();
    let before = left(&app).await;
    for workflow in WORKFLOWS {
        the_live_version(&app, workflow).await;
        the_second_half(&app, workflow).await;
    }
    another_template(&app).await;
    without_a_condition(&app).await;
    never_live(&app).await;
    assert_eq!(left(&app).await, before, "a backtest left something");
    app.close().await;
}

/// The same text as the live version's: every count is that of the live run.
async fn the_live_version(app: &App, workflow: &str) {
    let (file, source) = text_of(workflow);
    let found = backtest(app, &file, &source, Some(Opponent::Active)).await;
    let on_record = found.on_record.as_ref().unwrap();
    let draft = &found.draft;

    // Starts, and why not.
    assert!(draft.started > 0, "{workflow} started nothing");
    assert_eq!(draft.started, on_record.started, "{workflow}");
    let reasons: BTreeMap<&str, u64> =
        draft.not_started.iter().map(|reason| (reason.reason.as_str(), reason.count)).collect();
    let recorded: BTreeMap<&str, u64> =
        on_record.not_started.iter().map(|reason| (reason.what.as_str(), reason.count)).collect();
    assert_eq!(reasons, recorded, "{workflow}");

    // Effects by action, and by template.
    let counts = |actions: &[ActionCount]| -> Vec<_> {
        // Those of other workflows are not in the live version's own log.
        let counts = actions.iter().filter(|count| !count.action.contains(" (in "));
        counts
            .map(|count| (count.action.clone(), count.done, count.skipped, count.failed))
            .collect()
    };
    assert_eq!(counts(&draft.actions), counts(&on_record.actions), "{workflow}");
    if workflow == "check-orders" {
        assert_eq!(draft.sub_runs.len(), 1, "{:?}", draft.sub_runs);
        assert_eq!(draft.sub_runs[0].count, draft.started);
    }
    let sent: BTreeMap<String, u64> = draft
        .messages
        .iter()
        .filter(|message| message.sent + message.held > 0)
        .map(|message| (message.template.clone(), message.sent + message.held))
        .collect();
    assert_eq!(sent, messages(app, workflow).await, "{workflow}");

    // How the runs ended.
    let ended: BTreeMap<String, u64> =
        draft.outcomes.iter().map(|outcome| (outcome.what.clone(), outcome.count)).collect();
    assert_eq!(ended, outcomes(app, workflow).await, "{workflow}");

    // It rests on what is on record, and is the same as the live version.
    assert_eq!(draft.rests_on.assumed, 0, "{workflow}: {:#?}", draft.rests_on);
    assert_eq!(draft.rests_on.made_again, 0, "{workflow}: {:#?}", draft.rests_on);
    let against = found.against.as_ref().unwrap();
    assert!(against.is_same(draft), "{workflow}: {against:#?}");
    println!(
        "{workflow}: {} events, {} runs, {} calls, not started {recorded:?}",
        found.events.read, draft.started, draft.rests_on.recorded
    );

    // No name, no address and no text of a customer is in the report.
    let told = serde_json::to_string(&found).unwrap() + &found.to_html().unwrap();
    for personal in ["@example.com", "Customer ", "Inquiry ", "Lead 1", "furious"] {
        assert!(!told.contains(personal), "{workflow} tells `{personal}`");
    }
    // Told again it comes out the same; one workflow that has everything will do.
    if workflow == "check-orders" {
        assert_eq!(backtest(app, &file, &source, Some(Opponent::Active)).await, found);
    }
}

/// From the middle of the month, with whoever was in the workflow then.
async fn the_second_half(app: &App, workflow: &str) {
    let (file, source) = text_of(workflow);
    let from: Timestamp = MIDDLE.parse().unwrap();
    let request = BacktestRequest { file, source, from, to: app.now(), against: None };
    let found = app.backtest(&request, |_| ()).await.unwrap();
    let on_record = found.on_record.as_ref().unwrap();
    let reasons: BTreeMap<&str, u64> = found
        .draft
        .not_started
        .iter()
        .map(|reason| (reason.reason.as_str(), reason.count))
        .collect();
    let recorded: BTreeMap<&str, u64> =
        on_record.not_started.iter().map(|reason| (reason.what.as_str(), reason.count)).collect();
    assert_eq!(
        (found.draft.started, reasons),
        (on_record.started, recorded),
        "{workflow} in the second half"
    );
}

/// Only the mail is another: it is made again, all else is on record.
async fn another_template(app: &App) {
    let (file, source) = text_of("assign-new-leads");
    let draft = source.replace("template: welcome ", "template: csat-by-mail ");
    assert_ne!(draft, source);
    std::fs::write(
        app.directory().templates().join("csat-by-mail.md"),
        "Subject: Hello {{ to.name }}\n\nHow did you find us?\n",
    )
    .unwrap();
    let root = app.directory().root().to_owned();
    let app = App::open(&root).await.unwrap();
    let found = backtest(&app, &file, &draft, Some(Opponent::Active)).await;
    let (now, before) = (&found.draft, &found.against.as_ref().unwrap().figures);
    assert_eq!(now.rests_on.made_again, now.started);
    assert_eq!(now.rests_on.assumed, 0, "{:#?}", now.rests_on);
    let sent = |figures: &Figures, template: &str| {
        figures
            .messages
            .iter()
            .find(|count| count.template == template)
            .map_or(0, |count| count.sent)
    };
    assert_eq!(sent(now, "csat-by-mail"), sent(before, "welcome"));
    assert_eq!((sent(now, "welcome"), sent(before, "csat-by-mail")), (0, 0));
    assert_eq!(now.sends, before.sends);
    app.close().await;
}

/// Another condition: who would start now, with examples.
async fn without_a_condition(app: &App) {
    let (file, source) = text_of("inquiry-survey");
    let draft =
        source.replace("[segment/no-surveys, segment/open-complaint]", "[segment/no-surveys]");
    assert_ne!(draft, source);
    let found = backtest(app, &file, &draft, Some(Opponent::Active)).await;
    let against = found.against.as_ref().unwrap();
    assert_eq!(
        found.draft.not_started.iter().find(|reason| reason.reason.contains("open-complaint")),
        None
    );
    let began = against
        .decisions
        .iter()
        .find(|change| change.before.contains("open-complaint") && change.now == "started")
        .unwrap();
    assert!(began.count > 0 && !began.examples.is_empty() && began.examples.len() <= 5);
    assert!(began.examples.iter().all(|record| record.starts_with("ticket/")));
    // Each event is decided once by either version.
    let moved: u64 = against.decisions.iter().map(|change| change.count).sum();
    let refused =
        |figures: &Figures| figures.not_started.iter().map(|reason| reason.count).sum::<u64>();
    assert_eq!(
        found.draft.started + refused(&found.draft),
        against.figures.started + refused(&against.figures)
    );
    assert!(moved <= found.events.offered);
    // Nobody can have answered the surveys that were not sent.
    assert!(found.draft.rests_on.assumed_runs > 0, "{:#?}", found.draft.rests_on);
}

/// A workflow that nobody ever activated: what only computes is on record of
/// another one, records are changed in memory, and what asks for all tickets
/// of an agent is assumed.
async fn never_live(app: &App) {
    let (_, source) = text_of("complaint-escalation");
    let draft = source.replace("workflow: complaint-escalation", "workflow: complaint-watch");
    let found = backtest(app, "draft.yaml", &draft, None).await;
    let (_, live) = text_of("complaint-escalation");
    let live = backtest(app, "live.yaml", &live, None).await;
    assert_eq!(found.on_record, None);
    assert_eq!(found.draft.started, live.draft.started);
    let action =
        |name: &str| found.draft.actions.iter().find(|count| count.action == name).unwrap();
    assert_eq!(action("sentiment.score").assumed, 0);
    assert_eq!(action("crm.update").assumed, 0);
    assert_eq!(action("route.by_skill").assumed, action("route.by_skill").done);
    assert!(found.draft.rests_on.made_again >= action("crm.update").done);
    let complaints = |found: &Backtest| {
        let step = found.draft.steps.iter().find(|step| step.label.starts_with("stop_unless"));
        step.unwrap().ways.clone()
    };
    assert_eq!(complaints(&found), complaints(&live));

    let request = BacktestRequest {
        file: "draft.yaml".to_owned(),
        source: draft,
        from: START.parse().unwrap(),
        to: app.now(),
        against: Some(Opponent::Active),
    };
    let why = app.backtest(&request, |_| ()).await.unwrap_err().to_string();
    assert_eq!(
        why,
        "no workflow `complaint-watch` is active, so there is nothing to compare the draft with; leave out `--against`"
    );
}

//! Tests of workflows, tested: each kind of expectation fails where it
//! should, stories come out as they are told, and what nobody tests is found.

use std::path::PathBuf;

use expect_test::{Expect, expect};
use relata_app::{
    App, Running,
    model::{Fields, Reference, RunId, Value},
    store::RunFilter,
    testing::{Ground, Results, Tests},
};

/// A workflow that has a little of everything.
const WORKFLOW: &str = "workflow: care
title: Look after new leads
when:
  - created: lead
only_if:
  - lead.owner is empty
  - lead.company is not empty
repeat: { one_per: lead.company, again_after: 10 days }
stop_when:
  - changed: lead.status
    to: dead
    outcome: lost
steps:
  - decide: how
    rows:
      - if: lead.company_size is not empty and lead.company_size > 100
        use: soon
      - use: later
  - do: crm.update
    record: =lead
    set: { owner: queue/unassigned, note: \"{{ how }}\" }
  - do: mail.send
    to: =lead
    template: welcome
    as: mail
  - wait_for: { changed: lead.status, to: in_process }
    up_to: 2 days
    then:
      - do: task.create
        record: =lead
        assignee: queue/unassigned
        title: \"Call {{ lead.name }}\"
        due_in: 1 day
outputs:
  how: =how
";

async fn tests(workflow: &str, test: &str) -> Tests {
    let templates = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../workflows/templates");
    let sources = [("w/care.yaml", workflow), ("w/care.test.yaml", test)]
        .map(|(file, text)| (file.to_owned(), text.to_owned()));
    let ground = Ground::Shipped { templates: Some(templates) };
    Tests::load(&sources, &ground).await.expect("everything loads")
}

async fn play(test: &str) -> Results {
    let tests = tests(WORKFLOW, test).await;
    let found: Vec<String> = tests
        .diagnostics()
        .iter()
        .map(|found| format!("{}: {}", found.span.line, found.message))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
    tests.run(None, |_| ()).await
}

/// What does not hold, by case: the line, what was expected, what was found.
fn said(results: &Results) -> String {
    let mut lines = Vec::new();
    for case in &results.cases {
        let at = case.at.as_ref().map_or_else(String::new, |at| format!(" (from {at})"));
        if case.holds() {
            lines.push(format!("{}{at}: holds", case.it));
        }
        for failure in &case.failures {
            let found =
                failure.found.as_ref().map_or_else(String::new, |found| format!(" [{found}]"));
            lines
                .push(format!("{}{at}: {} {}{found}", case.it, failure.span.line, failure.message));
        }
    }
    // What a mail is called is drawn anew each time.
    let masked = lines.join("\n");
    let mut words: Vec<&str> = masked.split("fx_").collect();
    for word in words.iter_mut().skip(1) {
        *word = &word[26..];
    }
    words.join("fx_…")
}

async fn check(test: &str, expected: Expect) {
    expected.assert_eq(&said(&play(test).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_expectation_fails_where_it_is_not_met() {
    let mut test = "test: care
given:
  lead/old: { name: Old, company: Gone, status: assigned }
cases:
"
    .to_owned();
    let cases = [
        ("another status", "expect: done"),
        ("it is no failure", "expect: failed"),
        ("a run began", "expect: nothing_started"),
        ("another time", "expect: waiting\n        until: 2026-12-17 10:00"),
        ("no time", "expect: waiting\n        until: something happens"),
        ("another reason", "expect: waiting\n        reason: because"),
        ("another outcome", "expect: waiting\n        outcome: lost"),
        ("nothing is yielded yet", "expect: waiting\n        outputs: { how: later }"),
        ("something was sent", "expect:\n          nothing_sent: true"),
        (
            "another was sent",
            "expect:\n          sent: { to: lead/l1, template: csat, at: 2026-12-14 10:01, says: [Anna, Bert] }",
        ),
        ("two were not sent", "expect:\n          sent: [{ to: lead/l1 }, { to: lead/l1 }]"),
        ("it was called", "expect:\n          mail.send: nothing"),
        ("it was called once", "expect:\n          mail.send: [{ to: lead/l1 }, { to: lead/l1 }]"),
        (
            "it was called otherwise",
            "expect:\n          mail.send: { to: lead/old, template: csat, says: Bert, gives: { mail: is empty } }\n          crm.update: { record: lead/old, set: { note: sooner, score: 3 } }",
        ),
        ("it was not called", "expect:\n          task.create: { title: Call Anna }"),
        (
            "another field",
            "expect:\n          lead/l1: { owner: is empty, note: is empty, status: dead, name: contains bert, company: is not empty }",
        ),
        ("it is there", "expect:\n          lead/l1: nothing"),
        ("none was made", "expect:\n          task: { title: Call Anna }"),
        ("nobody was refused", "expect:\n          not_started: because"),
        ("for somebody else", "expect: waiting\n        for: lead/old"),
        ("of another workflow", "expect: waiting\n        of: care\n        for: lead/old"),
    ];
    for (it, expectation) in cases {
        test.push_str(&format!(
            "  - it: {it}
    play:
      - at: 2026-12-14 10:00
        create: lead/l1
        set: {{ name: Anna, company: Wolf }}
      - {expectation}
"
        ));
    }
    check(&test, expect![[r#"
        another status: 10 the run was to be done [it is waiting until 2026-12-16 10:00]
        it is no failure: 16 the run was to fail [it is waiting until 2026-12-16 10:00]
        a run began: 22 no run was to begin [a run began at 2026-12-14 10:00]
        another time: 29 the run was to wait until 2026-12-17 10:00 [it is waiting until 2026-12-16 10:00]
        no time: 36 the run was to wait until something happens [it is waiting until 2026-12-16 10:00]
        another reason: 43 the reason does not say `because` [it is: until 2026-12-16 10:00 at the latest]
        another outcome: 50 the run was to end as `lost` [it is waiting until 2026-12-16 10:00]
        nothing is yielded yet: 57 the run was to yield `how`: later [it is empty]
        something was sent: 64 nothing was to be sent [sent: { at: 2026-12-14 10:00, subject: Welcome, Anna, template: welcome, to: lead/l1 }]
        another was sent: 71 the message was to have `template`: csat [it is welcome]
        another was sent: 71 the message was to have `at`: 2026-12-14 10:01 [it is 2026-12-14 10:00]
        another was sent: 71 the message was to say `Bert` [it says: Welcome, Anna / Hello Anna, thank you for your interest in Example Company. We have your details, and from today there is **one person** here who looks after yo…]
        two were not sent: 78 2 messages were to be sent [sent: { at: 2026-12-14 10:00, subject: Welcome, Anna, template: welcome, to: lead/l1 }]
        it was called: 85 `mail.send` was not to be done [it was done once: { template: welcome, to: lead/l1 } at 2026-12-14 10:00]
        it was called once: 92 `mail.send` was to be done twice [it was done once: { template: welcome, to: lead/l1 } at 2026-12-14 10:00]
        it was called otherwise: 99 `mail.send` was to get `to`: lead/old [it is lead/l1]
        it was called otherwise: 99 `mail.send` was to get `template`: csat [it is welcome]
        it was called otherwise: 99 the message was to say `Bert` [it says: Welcome, Anna / Hello Anna, thank you for your interest in Example Company. We have your details, and from today there is **one person** here who looks after yo…]
        it was called otherwise: 99 `mail.send` was to give { mail: empty } [it gave { mail: fx_… }]
        it was called otherwise: 100 `crm.update` was to get `record`: lead/old [it is lead/l1]
        it was called otherwise: 100 `crm.update` was to get `set`: { note: sooner, score: 3 } [it is { note: later, owner: queue/unassigned }]
        it was not called: 107 `task.create` was to be done once [it was not done]
        another field: 114 lead/l1 was to have `owner`: empty [it is queue/unassigned]
        another field: 114 lead/l1 was to have `note`: empty [it is later]
        another field: 114 lead/l1 was to have `status`: dead [it is new]
        another field: 114 lead/l1 was to have `name`: something that contains `bert` [it is Anna]
        it is there: 121 there was to be no lead/l1 [it is there]
        none was made: 128 `task` was to be created once [it was not created]
        nobody was refused: 135 the reason why no run began was to say `because` [no run was refused]
        for somebody else: 141 no run of care has begun for lead/old [nothing happened that starts it]
        of another workflow: 148 no run of care has begun for lead/old [nothing happened that starts it]"#]]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stories_come_out_as_they_are_told() {
    check(
        "test: care
cases:
  - it: runs to its end
    play:
      - at: 2026-12-14 10:00
        create: lead/l1
        set: { name: Anna, company: Wolf, company_size: 101 }
      - expect: waiting
        until: 2026-12-16 10:00
        lead/l1: { note: soon, owner: queue/unassigned }
        mail.send: { to: lead/l1, template: welcome, says: [Anna], gives: { mail: is not empty } }
      - expect:
          nothing_sent: true           # the same moment: this is not met
  - it: sees what came since the expectations before
    play:
      - at: 2026-12-14 10:00
        create: lead/l1
        set: { name: Anna, company: Wolf }
      - expect:
          mail.send: { to: lead/l1 }
      - after: 1 hour
      - expect:
          mail.send: nothing
          nothing_sent: true
      - change: lead/l1
        set: { status: assigned }
      - change: lead/l1
        set: { status: in_process }
      - expect: done
        outputs: { how: later }
        task: { title: Call Anna, due_at: 2026-12-15 11:00, about: lead/l1 }
        task.create: { due_in: 1 day }
      - change: task
        set: { status: done }
      - delete: task
      - expect:
          task: nothing
  - it: is stopped
    play:
      - at: 2026-12-14 10:00
        create: lead/l1
        set: { company: Wolf }
      - change: lead/l1
        set: { status: dead }
      - expect: stopped
        outcome: lost
        reason: stop_when
  - it: says of which of several runs it speaks
    play:
      - at: 2026-12-14 10:00
        create: lead/l1
        set: { company: Wolf }
      - at: 2026-12-14 11:00
        create: lead/l2
        set: { company: Fox }
      - change: lead/l2
        set: { status: dead }
      - expect: stopped
        for: lead/l2
      - expect: waiting
        for: lead/l1
      - expect: waiting                # of all: this is not met
  - it: does not begin again too soon
    play:
      - at: 2026-12-14 10:00
        create: lead/l1
        set: { company: Wolf }
      - wait: 3 days
      - create: lead/l2
        set: { company: Wolf }
      - expect: nothing_started
        reason: again_after has not gone by
      - create: lead/l3
        set: { company: Wolf, owner: queue/unassigned }
      - expect:
          not_started: only_if
  - it: cannot do what the records do not allow
    play:
      - at: 2026-12-14 10:00
        create: lead/l1
        set: { company: Wolf }
      - change: lead/l1
        set: { status: converted }
      - expect: waiting
  - it: pretends
    pretend:
      mail.send: [{ fails: no connection, times: 1 }, { suppressed: has left }]
      crm.update: { skips: nothing to do }
    play:
      - at: 2026-12-14 10:00
        create: lead/l1
        set: { company: Wolf }
      - expect: waiting
        lead/l1: { owner: is empty }
        nothing_sent: true
      - wait: 1 minute
      - expect: waiting
        mail.send: { to: lead/l1, gives: { suppressed: has left } }
      - pretend:
          task.create: { fails: no more, permanent: true }
      - change: lead/l1
        set: { status: assigned }
      - change: lead/l1
        set: { status: in_process }
      - expect: failed
        reason: no more
  - it: does not take for sent what was suppressed
    pretend:
      mail.send: { suppressed: has left }
    play:
      - at: 2026-12-14 10:00
        create: lead/l1
        set: { company: Wolf }
      - expect:
          mail.send: { to: lead/l1 }
  - it: holds wherever it is moved, and across crashes
    repeat_at: [2026-03-28 10:00, 2026-10-24 10:00]
    crash_after_every_step: true
    play:
      - at: 2026-12-12 10:00
        create: lead/l1
        set: { company: Wolf }
      - expect: waiting
        until: 2026-12-14 10:00
        sent: { to: lead/l1, at: 2026-12-12 10:00 }
      - go_to: 2026-12-14 10:00
      - expect: done
        nothing_sent: true
",
        expect![[r#"
            runs to its end: 13 nothing was to be sent [sent: { at: 2026-12-14 10:00, subject: Welcome, Anna, template: welcome, to: lead/l1 }]
            sees what came since the expectations before: holds
            is stopped: holds
            says of which of several runs it speaks: 62 the run of lead/l2 was to be waiting [it is stopped as lost: stop_when: lead/l2 changed (status: new -> dead)]
            does not begin again too soon: 71 no run was to begin [a run began at 2026-12-14 10:00]
            cannot do what the records do not allow: 82 status: cannot go from new to converted, only to assigned, recycled, dead
            pretends: holds
            does not take for sent what was suppressed: 115 `mail.send` was to send something [it was suppressed: has left]
            holds wherever it is moved, and across crashes: holds
            holds wherever it is moved, and across crashes (from 2026-03-28 10:00): holds
            holds wherever it is moved, and across crashes (from 2026-10-24 10:00): holds"#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_tests_is_found() {
    let test = "test: care
cases:
  - it: greets
    play:
      - at: 2026-12-14 10:00
        create: lead/l1
        set: { company: Wolf }
      - expect: waiting
        sent: { to: lead/l1, template: welcome }
  - it: does not hold
    play:
      - at: 2026-12-14 10:00
        create: lead/l1
        set: { company: Wolf }
      - expect: done
";
    let tests = tests(WORKFLOW, test).await;
    let results = tests.run(None, |_| ()).await;
    let coverage = &results.coverage[0];
    let missed: Vec<String> =
        coverage.missed.iter().map(|missed| format!("{}: {}", missed.line, missed.what)).collect();
    expect![[r#"
        4 of 11, 36%
        6: `only_if: lead.owner is empty` does not hold
        7: `only_if: lead.company is not empty` does not hold
        10: `changed: lead.status` stops a run
        16: decide: how: row 1, lead.company_size is not empty and lead.company_size > 100
        26: wait_for: changed lead.status: it does not happen in time
        26: wait_for: changed lead.status: it happens
        29: do: task.create"#]]
    .assert_eq(&format!(
        "{} of {}, {}%\n{}",
        coverage.ways - missed.len(),
        coverage.ways,
        coverage.percent(),
        missed.join("\n")
    ));
    let mutations = tests.mutate(None, || ()).await.expect("no fault of ours");
    let mutation = &mutations[0];
    assert_eq!(mutation.broken, ["does not hold"]);
    let alive: Vec<String> = mutation
        .survivors
        .iter()
        .map(|survivor| format!("{}: {}", survivor.line, survivor.what))
        .collect();
    expect![[r#"
        of 39
        6: without `only_if: lead.owner is empty`
        7: without `only_if: lead.company is not empty`
        8: `while_running: ignore` becomes `parallel`
        8: again_after: `10 days` becomes `20 days`
        8: again_after: `10 days` becomes `5 days`
        8: without `repeat`
        10: stop_when: `changed: lead.status` without `to`
        10: without `stop_when: changed: lead.status`
        12: without `outcome: lost`
        14: without this step: `decide: how`
        16: `lead.company_size is not empty and lead.company_size > 100` becomes `lead.company_size is not empty and lead.company_size <= 100`
        16: `lead.company_size is not empty and lead.company_size > 100` becomes `lead.company_size is not empty and lead.company_size >= 100`
        16: `lead.company_size is not empty and lead.company_size > 100` becomes `lead.company_size is not empty`
        16: without row 1
        19: set: without `note`
        19: set: without `owner`
        19: without this step: `do: crm.update`
        26: `then` and `otherwise` change places
        26: up_to: `2 days` becomes `1 day`
        26: up_to: `2 days` becomes `4 days`
        26: wait_for: `changed: lead.status` without `to`
        29: due_in: `1 day` becomes `2 days`
        29: without the argument `assignee`
        29: without the argument `due_in`
        29: without the argument `record`
        29: without the argument `title`
        29: without this step: `do: task.create`
        35: without the output `how`"#]].assert_eq(&format!("of {}\n{}", mutation.mutants, alive.join("\n")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_becomes_a_test_that_holds() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().join("data");
    let start = "2026-12-14T07:00:00Z".parse().expect("a time");
    let app = App::create(&root, Some(start)).await.expect("a company");
    // What a workflow writes may have a person's name in it.
    let workflow = include_str!("../../../workflows/inquiry-survey.yaml")
        .replace("Low survey score on", "{{ ticket.customer.name }} minds");
    let workflow = workflow.as_str();
    app.activate("w.yaml", workflow, "test", Running::Finish).await.expect("a workflow");
    let text = |given: &[(&str, &str)]| -> Fields {
        given
            .iter()
            .map(|(name, text)| ((*name).to_owned(), Value::Text((*text).to_owned())))
            .collect()
    };
    let anna =
        text(&[("name", "Anna Wolf"), ("email", "anna@wolf.example"), ("phone", "+49 30 1")]);
    let anna = app.create_record("contact", anna, "cli").await.expect("a contact").reference;
    let mut ticket = text(&[
        ("ref", "T-1"),
        ("subject", "Order of Anna Wolf"),
        ("body", "Where is it?"),
        ("status", "open"),
    ]);
    ticket.insert("customer".to_owned(), Value::Reference(anna));
    let ticket = app.create_record("ticket", ticket, "cli").await.expect("a ticket").reference;
    let at = async |time: &str| {
        app.advance_to(time.parse().expect("a time"), |_| ()).await.expect("time goes by");
    };
    at("2026-12-14T09:30:00Z").await;
    app.update_record(&ticket, text(&[("status", "solved")]), "cli").await.expect("it is solved");
    at("2026-12-16T12:00:00Z").await;
    let sent = app.records_all("survey_response").await.expect("responses");
    let mut answer = text(&[("status", "answered")]);
    answer.insert("score".to_owned(), Value::Number(1.into()));
    let response: &Reference = &sent[0].reference;
    app.update_record(response, answer, "web").await.expect("an answer");
    at("2026-12-17T12:00:00Z").await;
    let runs = app.runs(RunFilter::default(), 10).await.expect("runs");
    assert_eq!(runs[0].status, "done");
    let run: RunId = runs[0].run.parse().expect("an id");
    let test = app.test_of_run(run).await.expect("a test");
    app.close().await;
    expect![[r##"
        # Made from run_…. People's names and addresses and long texts were left out; read it
        # through before you share it, and say below what the case is about.
        test: inquiry-survey
        time_zone: Europe/Berlin
        start: 2026-12-14 10:29
        given:
          contact/contact1: { email: contact1@example.com, name: contact1 }
          ticket/ticket1: { body: "…", customer: contact/contact1, ref: T-1, status: open, subject: Order of contact1 }
        cases:
          - it: does what run_… did
            play:
              - at: 2026-12-14 10:30
                change: ticket/ticket1
                set: { status: solved }
              - at: 2026-12-14 10:30
                change: ticket/ticket1
                set: { solved_at: 2026-12-14 10:30 }
              - expect: waiting
              - go_to: 2026-12-15 10:30
              - expect: waiting
                survey.send: { template: csat, to: contact/contact1 }
              - at: 2026-12-16 13:00
                event: survey.answered
                about: contact/contact1
                data: { score: 1 }
              - expect: done
                ticket.create: { category: complaint, customer: contact/contact1, subject: contact1 minds T-1 }
    "##]].assert_eq(&test.replace(&run.to_string(), "run_…"));

    let sources = [("w/w.yaml", workflow), ("w/w.test.yaml", &test)]
        .map(|(file, text)| (file.to_owned(), text.to_owned()));
    let tests = Tests::load(&sources, &Ground::Company { root, database: None })
        .await
        .expect("everything loads");
    assert!(tests.diagnostics().is_empty(), "{:#?}", tests.diagnostics());
    let results = tests.run(None, |_| ()).await;
    assert_eq!(said(&results).replace(&run.to_string(), "run_…"), "does what run_… did: holds");
}

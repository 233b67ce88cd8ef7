//! A recorded call, made again.

use expect_test::{Expect, expect};
use relata_app::{backtest::StepReplay, model::RunId};

use super::company::{Company, named};

const WORKFLOW: &str = "\
workflow: test
when:
  - created: lead
steps:
  - do: mail.send
    to: =lead
    template: welcome
    as: mail
  - do: task.create
    title: Call {{ lead.name }}
    record: =lead
    assignee: user/uwe
    due_in: 1 day
  - do: notify.user
    to: user/uwe
    text: Look at this
    about: =lead
  - do: crm.update
    record: =lead
    set: { name: \"{{ lead.name }}\" }
    as: same
  - do: assign.round_robin
    team: team/dach
    as: pick
";

async fn company() -> (Company, RunId) {
    let company = Company::new().await;
    company.create("user/uwe", &[("name", "Uwe"), ("email", "uwe@house.example")]).await;
    company.activate(WORKFLOW).await;
    company.create("lead/anna", &[("name", "Anna"), ("email", "anna@a.example")]).await;
    company.settle().await;
    let run = company.runs().await.remove(0).run.parse().expect("an id");
    (company, run)
}

/// What came of a call then and now, with names for ids.
async fn told(company: &Company, replay: &StepReplay) -> String {
    let mut lines = vec![format!("{} {}", replay.action, replay.step)];
    for (who, end) in [("then", &replay.recorded), ("now", &replay.replayed)] {
        lines.push(format!("{who} {} {}", end.outcome, end.told));
        lines.extend(end.writes.iter().map(|line| format!("  {line}")));
    }
    lines.extend(replay.unknown.iter().map(|unknown| format!("unknown: {unknown}")));
    lines.push(format!("same: {}", replay.is_same()));
    let names = company.names().await;
    let told = named(&lines.join("\n"), &names);
    // The effects have ids of their own, which stay the same.
    told.split_inclusive([' ', '"', '\n'])
        .map(|word| if word.starts_with("fx_") { "fx_…\"" } else { word })
        .collect()
}

async fn check(company: &Company, run: RunId, step: &str, expected: Expect) {
    let replay = company.app.replay_step(run, step, None).await;
    let replay = replay.unwrap_or_else(|why| panic!("{step}: {why}"));
    expected.assert_eq(&told(company, &replay).await);
}

#[tokio::test]
async fn a_call_comes_out_as_it_did_on_the_records_as_they_were() {
    let (company, run) = company().await;
    company.after(60).await;
    company.set("lead/anna", &[("name", "Berta"), ("email", "berta@a.example")]).await;
    let mails = company.app.store().outbox_list(&Default::default(), 100).await.expect("effects");
    check(
        &company,
        run,
        "mail",
        expect![[r#"
        mail.send steps[0]
        then done {"mail":"fx_…","suppressed":null}
          send mail welcome to lead/anna: Welcome, Anna
        now done {"mail":"fx_…","suppressed":null}
          send mail welcome to lead/anna: Welcome, Anna
        same: true"#]],
    )
    .await;
    check(
        &company,
        run,
        "steps[1]",
        expect![[r#"
            task.create steps[1]
            then done {"task":"task/new-1"}
              create task/new-1 about = lead/anna
              create task/new-1 assignee = user/uwe
              create task/new-1 due_at = 2026-12-15T07:00:00Z
              create task/new-1 status = open
              create task/new-1 title = Call Anna
            now done {"task":"task/new-1"}
              create task/new-1 about = lead/anna
              create task/new-1 assignee = user/uwe
              create task/new-1 due_at = 2026-12-15T07:00:00Z
              create task/new-1 status = open
              create task/new-1 title = Call Anna
            same: true"#]],
    )
    .await;
    check(
        &company,
        run,
        "notify.user",
        expect![[r#"
        notify.user steps[2]
        then done {"notified":["user/uwe"],"suppressed":[]}
          send notice to user/uwe: Look at this
        now done {"notified":["user/uwe"],"suppressed":[]}
          send notice to user/uwe: Look at this
        same: true"#]],
    )
    .await;
    // It changes nothing, and changed nothing then.
    check(
        &company,
        run,
        "same",
        expect![[r#"
        crm.update steps[3]
        then done {"changed":false,"record":"lead/anna"}
        now done {"changed":false,"record":"lead/anna"}
        same: true"#]],
    )
    .await;
    // Nothing of it is kept.
    let after = company.app.store().outbox_list(&Default::default(), 100).await.expect("effects");
    assert_eq!(mails, after);
    assert_eq!(company.field("lead/anna", "name").await, "Berta");
    assert_eq!(company.app.records_all("task").await.expect("tasks").len(), 1);
}

#[tokio::test]
async fn what_nobody_knows_any_more_is_told() {
    let (company, run) = company().await;
    let replay = company.app.replay_step(run, "pick", None).await.expect("a replay");
    assert!(!replay.is_same());
    assert_eq!(replay.unknown, ["which records there were"]);
    assert_eq!(replay.recorded.outcome, "failed");
}

#[tokio::test]
async fn a_call_has_to_be_there() {
    let (company, run) = company().await;
    for (step, expected) in [
        ("mial", expect!["no action has answered the step `mial` of RUN; did you mean `mail`?"]),
        (
            "1",
            expect![
                "entry 1 of RUN is no answer of an action; `relata runs show RUN` numbers them"
            ],
        ),
    ] {
        let why = company.app.replay_step(run, step, None).await.expect_err("a slip").to_string();
        expected.assert_eq(&why.replace(&run.to_string(), "RUN"));
    }
}

//! What tickets were promised: kept as things happen, told level by level, and
//! judged anew when a policy or its hours change.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use relata_app::model::{Reference, Value};

use super::company::Company;

/// Support is there from 9:00 to 18:00; it is eight in the morning.
async fn promising() -> Company {
    let company = Company::new().await;
    policy(&company, "standard", &[]).await;
    company
}

async fn policy(company: &Company, key: &str, more: &[(&str, &str)]) {
    let mut given = vec![
        ("name", key),
        ("calendar", "support-hours"),
        ("first_reply", "urgent: 1 working hour; 4 working hours"),
        ("next_reply", "8 working hours"),
        ("solution", "18 working hours"),
    ];
    given.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
    given.extend(more);
    company.create(&format!("service_level/{key}"), &given).await;
    company.settle().await;
}

async fn ticket(company: &Company, key: &str, more: &[(&str, &str)]) -> String {
    let given = [&[("subject", "Hello")], more].concat();
    company.create(&format!("ticket/{key}"), &given).await;
    company.settle().await;
    format!("ticket/{key}")
}

async fn message(company: &Company, ticket: &str, direction: &str) {
    let fields = [("ticket", ticket), ("direction", direction), ("body", "…")];
    let fields = fields.map(|(name, text)| {
        let kind = &company.app.object("message").unwrap().field(name).unwrap().kind;
        (name.to_owned(), kind.parse(text, &company.app.zone()).unwrap())
    });
    company.app.create_record("message", fields.into(), "test").await.unwrap();
    company.settle().await;
}

fn short(company: &Company, value: &Value) -> String {
    match value.as_time() {
        Some(at) => at.to_zoned(company.app.zone()).strftime("%a %H:%M").to_string(),
        None => value.to_string(),
    }
}

/// What is kept of a ticket: on itself, its clocks, and its escalations.
async fn kept(company: &Company, ticket: &str) -> String {
    let reference: Reference = ticket.parse().unwrap();
    let record = company.app.record(&reference).await.unwrap();
    let mut told = String::new();
    for field in ["reply_due_at", "solution_due_at", "first_reply_at", "solved_at"] {
        if !record.field(field).is_nothing() {
            let _ = writeln!(told, "{field} {}", short(company, record.field(field)));
        }
    }
    let of = |other: &relata_app::model::Record| {
        other.field("ticket").as_reference() == Some(&record.reference)
    };
    for clock in company.app.records_all("service_clock").await.unwrap().iter().filter(|it| of(it))
    {
        let _ = write!(told, "{} {}", clock.field("goal"), clock.field("status"));
        for (word, field) in [("due", "due_at"), ("came", "ended_at"), ("next", "next_level_at")] {
            if !clock.field(field).is_nothing() {
                let _ = write!(told, ", {word} {}", short(company, clock.field(field)));
            }
        }
        told.push('\n');
    }
    for level in company.app.records_all("escalation").await.unwrap().iter().filter(|it| of(it)) {
        let (goal, kind, step) = (level.field("goal"), level.field("kind"), level.field("step"));
        let at = short(company, level.field("reached_at"));
        let _ = writeln!(told, "{kind} {goal} {} (step {step}) {at}", level.field("level"));
    }
    told
}

async fn check(company: &Company, ticket: &str, expected: Expect) {
    expected.assert_eq(&kept(company, ticket).await);
}

/// How often anything of a ticket, its clocks and its escalations was written.
async fn writes(company: &Company) -> u64 {
    let mut revisions = 0;
    for object in ["ticket", "service_clock", "escalation"] {
        let records = company.app.records_all(object).await.unwrap();
        revisions += records.iter().map(|record| record.revision).sum::<u64>();
    }
    revisions
}

#[tokio::test]
async fn a_ticket_has_its_due_times_at_once_and_each_level_is_told_once() {
    let company = promising().await;
    let ticket = ticket(&company, "t1", &[]).await;
    check(
        &company,
        &ticket,
        expect![[r#"
        reply_due_at Mon 13:00
        solution_due_at Tue 18:00
        first_reply running, due Mon 13:00, next Mon 11:00
        solution running, due Tue 18:00, next Mon 18:00
    "#]],
    )
    .await;
    // A minute before half of it is gone, and then.
    company.after(2 * 60 + 59).await;
    check(
        &company,
        &ticket,
        expect![[r#"
        reply_due_at Mon 13:00
        solution_due_at Tue 18:00
        first_reply running, due Mon 13:00, next Mon 11:00
        solution running, due Tue 18:00, next Mon 18:00
    "#]],
    )
    .await;
    company.after(1).await;
    check(
        &company,
        &ticket,
        expect![[r#"
        reply_due_at Mon 13:00
        solution_due_at Tue 18:00
        first_reply running, due Mon 13:00, next Mon 12:00
        solution running, due Tue 18:00, next Mon 18:00
        warning first_reply 50% (step 0) Mon 11:00
    "#]],
    )
    .await;
    // The host goes down, and is away when all the time goes.
    let company = company.crash().await;
    company.after(4 * 60).await;
    check(
        &company,
        &ticket,
        expect![[r#"
        reply_due_at Mon 13:00
        solution_due_at Tue 18:00
        first_reply breached, due Mon 13:00
        solution running, due Tue 18:00, next Mon 18:00
        warning first_reply 50% (step 0) Mon 11:00
        warning first_reply 75% (step 0) Mon 12:00
        breach first_reply 100% (step 1) Mon 13:00
        breach first_reply +2 hours (step 2) Mon 15:00
    "#]],
    )
    .await;
    let before = writes(&company).await;
    let company = company.crash().await;
    company.settle().await;
    company.app.recompute_service_levels().await.unwrap();
    assert_eq!(writes(&company).await, before, "nothing is written twice");
}

#[tokio::test]
async fn answers_stop_the_clocks_and_messages_start_them() {
    let company = promising().await;
    let ticket = ticket(&company, "t1", &[]).await;
    message(&company, &ticket, "in").await;
    message(&company, &ticket, "note").await;
    company.after(90).await;
    message(&company, &ticket, "out").await;
    check(
        &company,
        &ticket,
        expect![[r#"
        solution_due_at Tue 18:00
        first_reply_at Mon 09:30
        first_reply met, came Mon 09:30
        solution running, due Tue 18:00, next Mon 18:00
    "#]],
    )
    .await;
    company.after(60).await;
    message(&company, &ticket, "in").await;
    company.after(30).await;
    message(&company, &ticket, "in").await;
    check(
        &company,
        &ticket,
        expect![[r#"
        reply_due_at Tue 09:30
        solution_due_at Tue 18:00
        first_reply_at Mon 09:30
        first_reply met, came Mon 09:30
        solution running, due Tue 18:00, next Mon 18:00
        next_reply running, due Tue 09:30, next Mon 14:30
    "#]],
    )
    .await;
    company.set(&ticket, &[("status", "waiting_for_customer")]).await;
    company.settle().await;
    check(
        &company,
        &ticket,
        expect![[r#"
        first_reply_at Mon 09:30
        first_reply met, came Mon 09:30
        solution paused
        next_reply paused
    "#]],
    )
    .await;
    company.after(60).await;
    company.set(&ticket, &[("status", "open")]).await;
    company.settle().await;
    check(
        &company,
        &ticket,
        expect![[r#"
        reply_due_at Tue 10:30
        solution_due_at Wed 10:00
        first_reply_at Mon 09:30
        first_reply met, came Mon 09:30
        solution running, due Wed 10:00, next Tue 10:00
        next_reply running, due Tue 10:30, next Mon 15:30
    "#]],
    )
    .await;
    message(&company, &ticket, "out").await;
    company.set(&ticket, &[("status", "solved")]).await;
    company.settle().await;
    check(
        &company,
        &ticket,
        expect![[r#"
        first_reply_at Mon 09:30
        solved_at Mon 12:00
        first_reply met, came Mon 09:30
        solution met, came Mon 12:00
        next_reply met, came Mon 12:00
    "#]],
    )
    .await;
    // It comes back after a day, and goes on where it was.
    company.after(24 * 60).await;
    company.set(&ticket, &[("status", "open")]).await;
    company.settle().await;
    check(
        &company,
        &ticket,
        expect![[r#"
        solution_due_at Thu 10:00
        first_reply_at Mon 09:30
        first_reply met, came Mon 09:30
        solution running, due Thu 10:00, next Wed 10:00
        next_reply met, came Mon 12:00
    "#]],
    )
    .await;
}

#[tokio::test]
async fn another_policy_or_other_hours_judge_anew_what_is_open() {
    let company = promising().await;
    let (open, answered) =
        (ticket(&company, "open", &[]).await, ticket(&company, "answered", &[]).await);
    company.after(120).await;
    message(&company, &answered, "out").await;
    company.set("service_level/standard", &[("first_reply", "30 working minutes")]).await;
    company.settle().await;
    // What was breached only by the new rule is late, and nobody is alarmed.
    check(
        &company,
        &open,
        expect![[r#"
        reply_due_at Mon 09:30
        solution_due_at Tue 18:00
        first_reply breached, due Mon 09:30, next Mon 11:30
        solution running, due Tue 18:00, next Mon 18:00
    "#]],
    )
    .await;
    check(
        &company,
        &answered,
        expect![[r#"
        solution_due_at Tue 18:00
        first_reply_at Mon 10:00
        first_reply met, came Mon 10:00
        solution running, due Tue 18:00, next Mon 18:00
    "#]],
    )
    .await;
    company.set("service_level/standard", &[("first_reply", "8 working hours")]).await;
    company.set("calendar/support-hours", &[("holidays", "2026-12-15")]).await;
    company.settle().await;
    check(
        &company,
        &open,
        expect![[r#"
        reply_due_at Mon 17:00
        solution_due_at Wed 18:00
        first_reply running, due Mon 17:00, next Mon 13:00
        solution running, due Wed 18:00, next Mon 18:00
    "#]],
    )
    .await;
    let before = writes(&company).await;
    company.set("service_level/standard", &[("name", "Standard")]).await;
    company.settle().await;
    assert_eq!(writes(&company).await, before, "what changes nothing writes nothing");
}

#[tokio::test]
async fn the_first_policy_that_applies_counts() {
    let company = promising().await;
    let gold = [
        ("applies_if", "ticket.customer.tier == \"gold\" and ticket.type != \"request\""),
        ("rank", "10"),
        ("first_reply", "15 minutes"),
        ("solution", ""),
    ];
    policy(&company, "gold", &gold).await;
    company.create("contact/anna", &[("name", "Anna")]).await;
    let ticket = ticket(&company, "t1", &[("customer", "contact/anna")]).await;
    check(
        &company,
        &ticket,
        expect![[r#"
        reply_due_at Mon 13:00
        solution_due_at Tue 18:00
        first_reply running, due Mon 13:00, next Mon 11:00
        solution running, due Tue 18:00, next Mon 18:00
    "#]],
    )
    .await;
    company.set("contact/anna", &[("tier", "gold")]).await;
    company.settle().await;
    check(
        &company,
        &ticket,
        expect![[r#"
        reply_due_at Mon 08:15
        first_reply running, due Mon 08:15, next Mon 08:07
        solution dropped, due Tue 18:00
    "#]],
    )
    .await;
    company.set(&ticket, &[("type", "request")]).await;
    company.settle().await;
    check(
        &company,
        &ticket,
        expect![[r#"
        reply_due_at Mon 13:00
        solution_due_at Tue 18:00
        first_reply running, due Mon 13:00, next Mon 11:00
        solution running, due Tue 18:00, next Mon 18:00
    "#]],
    )
    .await;
    // Without any policy nothing is promised, and nothing is due.
    for policy in ["standard", "gold"] {
        company.set(&format!("service_level/{policy}"), &[("active", "no")]).await;
    }
    company.settle().await;
    check(
        &company,
        &ticket,
        expect![[r#"
        first_reply dropped, due Mon 13:00
        solution dropped, due Tue 18:00
    "#]],
    )
    .await;
}

#[tokio::test]
async fn a_new_policy_does_not_cry_over_what_lies_there_already() {
    let company = Company::new().await;
    let old = ticket(&company, "old", &[]).await;
    company.after(7 * 60 + 30).await;
    policy(&company, "standard", &[]).await;
    check(
        &company,
        &old,
        expect![[r#"
            reply_due_at Mon 13:00
            solution_due_at Tue 18:00
            first_reply breached, due Mon 13:00
            solution running, due Tue 18:00, next Mon 18:00
        "#]],
    )
    .await;
    // But over what is reached from then on.
    company.after(3 * 60).await;
    check(
        &company,
        &old,
        expect![[r#"
            reply_due_at Mon 13:00
            solution_due_at Tue 18:00
            first_reply breached, due Mon 13:00
            solution running, due Tue 18:00, next Tue 13:30
            warning solution 50% (step 0) Mon 18:00
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_policy_that_does_not_read_leaves_tickets_as_they_are() {
    let company = promising().await;
    let ticket = ticket(&company, "t1", &[]).await;
    let before = kept(&company, &ticket).await;
    for (field, wrong, right) in [
        ("first_reply", "soon", "4 working hours"),
        ("applies_if", "ticket.customr.tier == 1", ""),
        ("pauses", "waiting", "waiting_for_customer"),
        ("calendar", "", "support-hours"),
    ] {
        company.set("service_level/standard", &[(field, wrong)]).await;
        company.settle().await;
        let findings = company.app.doctor(false).await.unwrap();
        let told = findings.iter().find(|finding| finding.code == "service-levels");
        let examples = &told.unwrap_or_else(|| panic!("{field} is told")).examples;
        assert!(examples[0].contains(field), "{examples:?}");
        // Time goes by, and no clock holds it up.
        company.after(1).await;
        company.set("service_level/standard", &[(field, right)]).await;
        company.settle().await;
        assert_eq!(kept(&company, &ticket).await, before, "after {field}");
    }
}

#[tokio::test]
async fn answers_and_solutions_are_kept_without_any_promise() {
    let company = Company::new().await;
    let ticket = ticket(&company, "t1", &[("reply_due_at", "2026-12-15 10:00")]).await;
    message(&company, &ticket, "in").await;
    company.after(60).await;
    message(&company, &ticket, "out").await;
    company.set(&ticket, &[("status", "solved")]).await;
    company.settle().await;
    check(
        &company,
        &ticket,
        expect![[r#"
        reply_due_at Tue 10:00
        first_reply_at Mon 09:00
        solved_at Mon 09:00
    "#]],
    )
    .await;
    company.after(60).await;
    company.set(&ticket, &[("status", "open")]).await;
    company.settle().await;
    check(
        &company,
        &ticket,
        expect![[r#"
        reply_due_at Tue 10:00
        first_reply_at Mon 09:00
    "#]],
    )
    .await;
    // What somebody knows better stays.
    let told = [("status", "solved"), ("solved_at", "2026-12-14 08:30")];
    company.set(&ticket, &told).await;
    company.settle().await;
    check(
        &company,
        &ticket,
        expect![[r#"
        reply_due_at Tue 10:00
        first_reply_at Mon 09:00
        solved_at Mon 08:30
    "#]],
    )
    .await;
}

#[tokio::test]
async fn a_deleted_ticket_is_owed_nothing() {
    let company = promising().await;
    let ticket = ticket(&company, "t1", &[]).await;
    let reference: Reference = ticket.parse().unwrap();
    company.app.delete_record(&reference, None, "test").await.unwrap();
    company.after(2 * 24 * 60).await;
    let clocks = company.app.records_all("service_clock").await.unwrap();
    let told: Vec<String> = clocks
        .iter()
        .map(|clock| format!("{} {}", clock.field("status"), clock.field("next_level_at")))
        .collect();
    assert_eq!(told, ["dropped (empty)", "dropped (empty)"]);
}

#[tokio::test]
async fn how_a_ticket_stands_and_what_is_due() {
    let company = promising().await;
    let first = ticket(&company, "t1", &[("ref", "T-1"), ("subject", "Login")]).await;
    let second = ticket(&company, "t2", &[("ref", "T-2"), ("priority", "urgent")]).await;
    company.after(150).await;
    company.set(&first, &[("status", "on_hold")]).await;
    company.set(&first, &[("status", "waiting_for_customer")]).await;
    company.settle().await;
    company.after(30).await;
    let view = company.app.service_level_of(&first.parse().unwrap()).await.unwrap();
    let mut told = format!("{}: {:?}\n", view.state, view.name);
    for clock in &view.clocks {
        let _ = writeln!(
            told,
            "{} {} within {}: worked {} s, left {} s, due {:?}, if resumed {:?}, {} pauses",
            clock.goal,
            clock.state,
            clock.target,
            clock.worked_seconds,
            clock.left_seconds,
            clock.due_at,
            clock.due_if_resumed,
            clock.pauses.len(),
        );
        for level in clock.levels.iter().filter(|level| level.reached) {
            let _ = writeln!(told, "  {} {:?}", level.level, level.at);
        }
    }
    expect![[r#"
        paused: Some("standard")
        first_reply paused within 4 working hours: worked 5400 s, left 9000 s, due None, if resumed Some("2026-12-14T12:30:00Z"), 1 pauses
        solution paused within 18 working hours: worked 5400 s, left 59400 s, due None, if resumed Some("2026-12-16T08:30:00Z"), 1 pauses
    "#]].assert_eq(&told);
    let due = |within: &'static str| {
        let app = company.app.clone();
        async move {
            let due = app.promises_due(within.parse().unwrap(), 100).await.unwrap();
            let lines = due
                .iter()
                .map(|due| format!("{} {} {} {}\n", due.number, due.goal, due.state, due.due_at));
            lines.collect::<String>()
        }
    };
    expect![[r#"
        T-2 first_reply breached 2026-12-14T09:00:00Z
    "#]]
    .assert_eq(&due("4 hours").await);
    expect![[r#"
        T-2 first_reply breached 2026-12-14T09:00:00Z
        T-2 solution running 2026-12-15T17:00:00Z
    "#]]
    .assert_eq(&due("3 days").await);
    let view = company.app.service_level_of(&second.parse().unwrap()).await.unwrap();
    assert_eq!((view.state, view.escalations.len()), ("breached", 3));
    // Whoever does not see whose it is, and by what, does not learn it here.
    for (key, lines) in [
        ("all", "ticket: see"),
        ("some", "ticket: see; ticket.owner: hidden; ticket.service_level: hidden"),
        ("none", "contact: see"),
    ] {
        company.create(&format!("role/{key}"), &[("name", key), ("may", lines)]).await;
        let email = format!("{key}@a.example");
        let user = [("name", key), ("email", email.as_str()), ("roles", key)];
        company.create(&format!("user/{key}"), &user).await;
    }
    company.set(&second, &[("owner", "user/all")]).await;
    let seen = async |key: &str| {
        let user = Reference::new("user", key);
        let viewer = company.app.viewer_of_user(&user).await.unwrap().unwrap();
        company.app.service_level_as(&viewer, &second.parse().unwrap()).await
    };
    let all = seen("all").await.unwrap();
    assert!(all.owner.is_some() && all.name.is_some() && all.calendar.is_some());
    let some = seen("some").await.unwrap();
    assert_eq!(
        (some.owner, some.service_level, some.name, some.calendar),
        (None, None, None, None)
    );
    assert_eq!(some.clocks, all.clocks);
    assert!(seen("none").await.is_err());
    let wrong = company.app.service_level_of(&"contact/anna".parse().unwrap()).await.unwrap_err();
    expect!["only a ticket has a service level, and contact/anna is none"]
        .assert_eq(&wrong.to_string());
}

/// A priority that follows from a promise that follows from a priority.
const SEESAW: &str = "\
workflow: seesaw
when:
  - changed: ticket.reply_due_at
steps:
  - if: ticket.priority == \"urgent\"
    then:
      - do: crm.update
        record: =ticket
        set: { priority: low }
    else:
      - do: crm.update
        record: =ticket
        set: { priority: urgent }
";

#[tokio::test]
async fn a_workflow_that_goes_round_with_a_promise_is_held() {
    let company = promising().await;
    company.activate(SEESAW).await;
    let ticket = ticket(&company, "t1", &[]).await;
    expect!["8 seesaw done"].assert_eq(&company.standing().await);
    expect![[r#"
        run: it ran, and ended: all steps are done
        run: it ran, and ended: all steps are done
        run: it ran, and ended: all steps are done
        run: it ran, and ended: all steps are done
        run: it ran, and ended: all steps are done
        run: it ran, and ended: all steps are done
        run: it ran, and ended: all steps are done
        run: it ran, and ended: all steps are done
        refused: held: 8 runs in a row have started one another; look for workflows that start each other
    "#]].assert_eq(&company.why_not("seesaw", &ticket).await);
}

/// Of what a step changes, and no workflow answers, its clocks hear all the same.
#[tokio::test]
async fn what_a_step_changes_counts_like_any_other_change() {
    let company = promising().await;
    let park = "workflow: park\nwhen:\n  - button: Park\n    about: ticket\nsteps:\n  - do: crm.update\n    record: =ticket\n    set: { status: waiting_for_customer }\n";
    company.activate(park).await;
    let ticket = ticket(&company, "t1", &[]).await;
    let none = relata_app::GivenInputs::Json(serde_json::Map::new());
    let about: Reference = ticket.parse().unwrap();
    company.app.start("park", Some(&about), &none, "test").await.unwrap();
    company.settle().await;
    check(
        &company,
        &ticket,
        expect![[r#"
        first_reply paused
        solution paused
    "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_that_look_at_the_same_moment_write_once() {
    let company = promising().await;
    for number in 0..20 {
        company.create(&format!("ticket/t{number}"), &[("subject", "Hello")]).await;
    }
    // Nothing is kept yet: each finds all of it to do.
    let looking: Vec<_> = (0..6)
        .map(|_| {
            let app = company.app.clone();
            tokio::spawn(async move { app.recompute_service_levels().await })
        })
        .collect();
    let mut changed = 0;
    for looked in looking {
        changed += looked.await.unwrap().unwrap().changed;
    }
    assert!(changed >= 20, "{changed}");
    assert_eq!(company.app.records_all("service_clock").await.unwrap().len(), 40);
    company.settle().await;
    let clocks = company.app.records_all("service_clock").await.unwrap();
    assert!(clocks.iter().all(|clock| clock.revision == 1), "each was written once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_often_the_host_goes_down_each_level_is_told_once() {
    let mut company = promising().await;
    for number in 0..10 {
        company.create(&format!("ticket/t{number}"), &[("subject", "Hello")]).await;
    }
    let end = "2026-12-14T15:00:00Z".parse().unwrap();
    let mut broken_off = 0;
    for millis in [2, 4, 8, 16, 32, 64, 128] {
        let app = company.app.clone();
        // What is under way is dropped where it stands, as far as it has not
        // been committed.
        let moving = tokio::spawn(async move { app.advance_to(end, |_| ()).await });
        tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
        broken_off += u32::from(!moving.is_finished());
        moving.abort();
        let _ = moving.await;
        company = company.crash().await;
    }
    assert!(broken_off > 0, "the host never went down in the middle");
    company.app.advance_to(end, |_| ()).await.unwrap();
    for number in 0..10 {
        check(
            &company,
            &format!("ticket/t{number}"),
            expect![[r#"
            reply_due_at Mon 13:00
            solution_due_at Tue 18:00
            first_reply breached, due Mon 13:00
            solution running, due Tue 18:00, next Mon 18:00
            warning first_reply 50% (step 0) Mon 11:00
            warning first_reply 75% (step 0) Mon 12:00
            breach first_reply 100% (step 1) Mon 13:00
            breach first_reply +2 hours (step 2) Mon 15:00
        "#]],
        )
        .await;
    }
}

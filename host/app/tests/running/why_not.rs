//! Why a workflow did not run: from what is stored, and where nothing is,
//! from what came nearest.

use expect_test::{Expect, expect};

use super::company::Company;

const SOLVED: &str = "\
workflow: test
when:
  - changed: ticket.status
    to: solved
only_if:
  - ticket.priority != \"low\"
steps:
  - wait: 1 day
";

async fn company(workflow: &str) -> Company {
    let company = Company::with(workflow).await;
    company.create("contact/anna", &[("name", "Anna"), ("email", "anna@example.com")]).await;
    ticket(&company, "ticket/t1").await;
    company.settle().await;
    company
}

async fn ticket(company: &Company, ticket: &str) {
    let given = [("customer", "contact/anna"), ("subject", "Lamp"), ("channel", "mail")];
    company.create(ticket, &given).await;
}

async fn check(company: &Company, record: &str, expected: Expect) {
    expected.assert_eq(&company.why_not("test", record).await);
}

#[tokio::test]
async fn the_part_of_a_change_that_did_not_match_is_told() {
    let company = company(SOLVED).await;
    check(
        &company,
        "ticket/t1",
        expect![[r#"
            never: ticket.status has never changed and is `new`; test waits for it to become `solved`
            never: if that happened now, a run would start
        "#]],
    )
    .await;
    company.after(10).await;
    company.set("ticket/t1", &[("status", "open"), ("priority", "low")]).await;
    company.settle().await;
    check(
        &company,
        "ticket/t1",
        expect![[r#"
            never: ticket.status last changed from `new` to `open` on 2026-12-14T07:10:00Z; test waits for it to become `solved`
            never: if that happened now, no run would start either: only_if does not hold: ticket.priority = low
        "#]],
    )
    .await;

    // Once something is stored, only what has come since is told.
    company.after(10).await;
    company.set("ticket/t1", &[("status", "solved")]).await;
    company.settle().await;
    let refused = "refused: only_if does not hold: ticket.priority = low\n";
    assert_eq!(company.why_not("test", "ticket/t1").await, refused);
    company.after(10).await;
    company.set("ticket/t1", &[("status", "open")]).await;
    company.settle().await;
    check(
        &company,
        "ticket/t1",
        expect![[r#"
            refused: only_if does not hold: ticket.priority = low
            never: ticket.status last changed from `solved` to `open` on 2026-12-14T07:30:00Z; test waits for it to become `solved`
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_record_of_another_object_leads_to_those_that_are_meant() {
    let company = company(SOLVED).await;
    check(
        &company,
        "contact/anna",
        expect![
            "never: test is about a ticket, and contact/anna is a contact; ask about ticket/t1\n"
        ],
    )
    .await;
}

#[tokio::test]
async fn what_came_before_the_activation_is_told() {
    let company =
        company("workflow: other\nwhen:\n  - created: lead\nsteps:\n  - wait: 1 day\n").await;
    company.set("ticket/t1", &[("status", "open")]).await;
    company.set("ticket/t1", &[("status", "solved")]).await;
    company.settle().await;
    company.after(30).await;
    company.activate(SOLVED).await;
    check(
        &company,
        "ticket/t1",
        expect![[r#"
            never: ticket/t1 changed (status: open -> solved) on 2026-12-14T07:00:00Z came before test was activated on 2026-12-14T07:30:00Z
            never: if that happened now, a run would start
        "#]],
    )
    .await;
    company.after(30).await;
    company.app.deactivate("test").await.expect("it was active");
    company.after(30).await;
    company.set("ticket/t1", &[("status", "open")]).await;
    company.set("ticket/t1", &[("status", "solved")]).await;
    company.settle().await;
    check(
        &company,
        "ticket/t1",
        expect!["never: test was deactivated on 2026-12-14T08:00:00Z: nothing starts it\n"],
    )
    .await;
    company.after(30).await;
    company.activate(SOLVED).await;
    let told = company.why_not("test", "ticket/t1").await;
    assert!(
        told.contains("came while test was not active: it was deactivated on 2026-12-14T08:00:00Z, and activated again on 2026-12-14T09:00:00Z"),
        "{told}"
    );
    // And what nobody has looked at yet.
    company.set("ticket/t1", &[("status", "open")]).await;
    company.set("ticket/t1", &[("status", "solved")]).await;
    let told = company.why_not("test", "ticket/t1").await;
    assert!(told.contains("and nobody has looked at it yet: `relata clock` does"), "{told}");
}

#[tokio::test]
async fn every_kind_of_trigger_says_what_it_waits_for() {
    let company =
        company("workflow: other\nwhen:\n  - created: lead\nsteps:\n  - wait: 1 day\n").await;
    company.after(5).await;
    for (head, expected) in [
        (
            "when:\n  - created: ticket",
            expect![[r#"
                never: ticket/t1 was created on 2026-12-14T07:00:00Z came before test was activated on 2026-12-14T07:05:00Z
                never: if that happened now, a run would start
            "#]],
        ),
        (
            "when:\n  - event: survey.answered",
            expect![[r#"
                never: test is about a survey_response, and ticket/t1 is a ticket
            "#]],
        ),
        (
            "when:\n  - schedule: weekdays at 09:00\n    time_zone: Europe/Berlin",
            expect![[r#"
                never: test starts by the clock, weekdays at 09:00, and not for a record
            "#]],
        ),
        (
            "when:\n  - button: Do it\n    about: ticket",
            expect![[r#"
                never: test starts when somebody presses `Do it`
            "#]],
        ),
        (
            "inputs:\n  percent: number",
            expect![[r#"
                never: nothing starts test by itself: only `run:` of another workflow does, and `relata start`
            "#]],
        ),
    ] {
        company.activate(&format!("workflow: test\n{head}\nsteps:\n  - wait: 1 day\n")).await;
        check(&company, "ticket/t1", expected).await;
    }
}

#[tokio::test]
async fn what_a_run_did_not_do_and_the_mails_it_did_not_send_are_told() {
    let company = Company::with(
        "workflow: test\nowner: support\nwhen:\n  - created: contact\nrepeat: { one_per: contact, again_after: never }\nsteps:\n  - do: mail.send\n    to: =contact\n    template: win-back-reminder\n",
    )
    .await;
    let anna = [("name", "Anna"), ("email", "anna@example.com")];
    company.create("contact/anna", &anna).await;
    let bert = [("name", "Bert"), ("email", "bert@example.com"), ("mail_consent", "no")];
    company.create("contact/bert", &bert).await;
    company.settle().await;
    check(
        &company,
        "contact/anna",
        expect![[r#"
            run: it ran, and ended: all steps are done
                mail win-back-reminder to contact/anna: sent on 2026-12-14T07:00:00Z
        "#]],
    )
    .await;
    check(
        &company,
        "contact/bert",
        expect![[r#"
            run: it ran, and ended: all steps are done
                mail win-back-reminder to contact/bert: suppressed: wants no marketing mails
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_workflow_that_never_was_says_so() {
    let company = company(SOLVED).await;
    let told = company.why_not("tets", "ticket/t1").await;
    assert_eq!(told, "never: no workflow `tets` is active; did you mean `test`?\n");
}

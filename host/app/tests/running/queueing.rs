//! `while_running: queue`.

use expect_test::expect;

use super::company::Company;

const ONE_AT_A_TIME: &str = "\
workflow: test
when:
  - created: ticket
only_if:
  - ticket.customer is not empty
  - ticket.status != \"closed\"
repeat:
  one_per: ticket.customer
  while_running: queue
steps:
  - wait: 1 hour
";

/// Three tickets of one customer, one of another.
async fn company(workflow: &str) -> Company {
    let company = Company::with(workflow).await;
    for name in ["anna", "bert"] {
        let address = format!("{name}@example.com");
        company.create(&format!("contact/{name}"), &[("name", name), ("email", &address)]).await;
    }
    for (ticket, customer) in [("t1", "anna"), ("t2", "anna"), ("t3", "bert"), ("t4", "anna")] {
        ticket_of(&company, ticket, customer).await;
    }
    company.settle().await;
    company
}

async fn ticket_of(company: &Company, ticket: &str, customer: &str) {
    let customer = format!("contact/{customer}");
    let given = [("customer", customer.as_str()), ("subject", "Lamp"), ("channel", "mail")];
    company.create(&format!("ticket/{ticket}"), &given).await;
}

#[tokio::test]
async fn a_start_waits_for_the_run_before_in_its_order() {
    let company = company(ONE_AT_A_TIME).await;
    expect![[r#"
        test ticket/t1 active
        test ticket/t3 active
    "#]]
    .assert_eq(&company.told().await);
    expect![[r#"
        waiting: it waits for run 1 to end, which is for the same contact/anna: ticket/t2 was created
    "#]]
    .assert_eq(&company.why_not("test", "ticket/t2").await);
    let mut company = company;
    for expected in [
        expect![[r#"
            test ticket/t1 done
            test ticket/t3 done
            test ticket/t2 active
        "#]],
        expect![[r#"
            test ticket/t1 done
            test ticket/t3 done
            test ticket/t2 done
            test ticket/t4 active
        "#]],
        expect![[r#"
            test ticket/t1 done
            test ticket/t3 done
            test ticket/t2 done
            test ticket/t4 done
        "#]],
    ] {
        company.after(60).await;
        // Whatever waits lies in the database, and nowhere else.
        company = company.crash().await;
        expected.assert_eq(&company.told().await);
    }
    // All that waited began at the very moment at which the one before ended.
    let began: Vec<String> = company.runs().await.into_iter().map(|run| run.started_at).collect();
    assert_eq!(
        began,
        [
            "2026-12-14T07:00:00Z",
            "2026-12-14T07:00:00Z",
            "2026-12-14T08:00:00Z",
            "2026-12-14T09:00:00Z"
        ]
    );
}

#[tokio::test]
async fn a_condition_is_looked_at_again_when_the_turn_comes() {
    let company = company(ONE_AT_A_TIME).await;
    company.set("ticket/t2", &[("status", "solved")]).await;
    company.set("ticket/t2", &[("status", "closed")]).await;
    company.after(60).await;
    expect![[r#"
        test ticket/t1 done
        test ticket/t3 done
        test ticket/t4 active
    "#]]
    .assert_eq(&company.told().await);
    expect![[r#"
        refused: it waited for run 1 to end, and then: only_if does not hold: ticket.status = closed
    "#]]
    .assert_eq(&company.why_not("test", "ticket/t2").await);
}

#[tokio::test]
async fn the_end_by_a_person_lets_the_next_one_begin() {
    let company = company(ONE_AT_A_TIME).await;
    let first = company.runs().await.remove(0).run.parse().expect("an id");
    company.app.cancel(first, "not needed").await.expect("it goes on");
    company.settle().await;
    expect![[r#"
        test ticket/t1 cancelled: not needed
        test ticket/t3 active
        test ticket/t2 active
    "#]]
    .assert_eq(&company.told().await);
}

#[tokio::test]
async fn what_waits_for_a_workflow_that_was_deactivated_does_not_start() {
    let company = company(ONE_AT_A_TIME).await;
    company.app.deactivate("test").await.expect("it was active");
    company.after(60).await;
    expect![[r#"
        test ticket/t1 done
        test ticket/t3 done
    "#]]
    .assert_eq(&company.told().await);
    expect![[r#"
        refused: it waited for run 1 to end, and then: meanwhile test was deactivated
        never: test was deactivated on 2026-12-14T07:00:00Z: nothing starts it
    "#]]
    .assert_eq(&company.why_not("test", "ticket/t4").await);
}

#[tokio::test]
async fn the_version_that_is_active_when_the_turn_comes_decides() {
    let company = company(ONE_AT_A_TIME).await;
    company.activate(&ONE_AT_A_TIME.replace("wait: 1 hour", "wait: 2 hours")).await;
    company.after(60).await;
    company.after(60).await;
    expect![[r#"
        test ticket/t1 done
        test ticket/t3 done
        test ticket/t2 active
    "#]]
    .assert_eq(&company.told().await);
    // One that starts by something else, and counts by something else.
    company.activate("workflow: test\nwhen:\n  - created: lead\nsteps:\n  - wait: 1 hour\n").await;
    company.after(60).await;
    expect![[r#"
        refused: it waited for run 3 to end, and then: the version of test that is active by now does not start by it (ticket/t4 was created)
    "#]]
    .assert_eq(&company.why_not("test", "ticket/t4").await);
}

#[tokio::test]
async fn what_may_not_run_again_yet_does_not_wait_for_ever() {
    let company = company(
        &ONE_AT_A_TIME
            .replace("  while_running: queue", "  again_after: 30 days\n  while_running: queue"),
    )
    .await;
    company.after(60).await;
    for ticket in ["ticket/t2", "ticket/t4"] {
        assert_eq!(
            company.why_not("test", ticket).await,
            "refused: it waited for run 1 to end, and then: run 1 was there for the same contact/anna, counted at 2026-12-14T07:00:00Z: again_after has not gone by\n"
        );
    }
    expect![[r#"
        test ticket/t1 done
        test ticket/t3 done
    "#]]
    .assert_eq(&company.told().await);
}

#[tokio::test]
async fn a_queue_does_not_grow_for_ever() {
    let company = company(ONE_AT_A_TIME).await;
    let anna: Vec<String> = (0..1_000).map(|number| format!("n{number}")).collect();
    for ticket in &anna {
        ticket_of(&company, ticket, "anna").await;
    }
    company.settle().await;
    let waits = company.app.store().queue_list(&Default::default(), 9_999).await.expect("a queue");
    assert_eq!(waits.len(), 1_000);
    expect![[r#"
        refused: 1000 starts wait for the same contact/anna already
    "#]]
    .assert_eq(&company.why_not("test", "ticket/n999").await);
}

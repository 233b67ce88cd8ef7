//! Who gets a ticket, and why: the plugin `route` with its workflows.

use std::fmt::Write as _;

use expect_test::expect;
use relata_app::{Running, model::Reference};

use super::company::Company;

/// The shipped workflows, as they are.
const WORKFLOWS: [&str; 6] = [
    include_str!("../../../../workflows/route-tickets.yaml"),
    include_str!("../../../../workflows/agent-returns.yaml"),
    include_str!("../../../../workflows/agent-leaves.yaml"),
    include_str!("../../../../workflows/room-again.yaml"),
    include_str!("../../../../workflows/no-response.yaml"),
    include_str!("../../../../workflows/route-waiting.yaml"),
];

/// A support team of two, and one who is not there.
async fn support() -> Company {
    let company = Company::new().await;
    for workflow in WORKFLOWS {
        let activated = company.app.activate("test.yaml", workflow, "test", Running::Finish).await;
        activated.unwrap_or_else(|why| panic!("{why}"));
    }
    for (agent, presence) in [("lea", "online"), ("kim", "online"), ("out", "offline")] {
        let fields = [
            ("name", agent),
            ("email", &format!("{agent}@example.com")),
            ("team", "team/support"),
            ("capacity", "1"),
            ("presence", presence),
        ];
        company.create(&format!("user/{agent}"), &fields).await;
    }
    company
}

async fn ticket(company: &Company, key: &str) -> Reference {
    let fields = [("subject", "Hello"), ("queue", "queue/support")];
    let ticket = company.create(&format!("ticket/{key}"), &fields).await;
    company.settle().await;
    ticket
}

/// Whose a ticket is, and was, and why.
async fn why(company: &Company, ticket: &Reference) -> String {
    let mut told = String::new();
    for decision in company.app.decisions(ticket).await.expect("decisions") {
        let whose = match (&decision.owner, &decision.queue) {
            (Some(owner), _) => label(company, owner).await,
            (None, queue) => format!("in {}", label(company, queue.as_ref().expect("it")).await),
        };
        let _ = writeln!(
            told,
            "{whose}, {} {}: {}",
            decision.by,
            decision.action.as_deref().unwrap_or("by hand"),
            decision.reason.as_deref().unwrap_or("no reason"),
        );
        for candidate in decision.candidates {
            let who = label(company, &candidate.user).await;
            let mark = if candidate.eligible { "could" } else { "could not" };
            let _ = writeln!(told, "  {who} {mark}: {}", candidate.reason);
        }
    }
    told
}

async fn label(company: &Company, reference: &str) -> String {
    let record = company.app.record(&reference.parse().expect("a reference")).await;
    record.expect("it is there").field("name").as_text().unwrap_or("it").to_owned()
}

#[tokio::test]
async fn every_decision_is_kept_with_everybody_who_was_looked_at() {
    let company = support().await;
    for key in ["t1", "t2"] {
        ticket(&company, key).await;
    }
    let third = ticket(&company, "t3").await;
    company.set("ticket/t1", &[("status", "solved")]).await;
    company.settle().await;
    company.set("ticket/t3", &[("owner", "user/out")]).await;
    expect![[r#"
        out, test by hand: no reason
        lea, workflow/room-again route.waiting: lea: picked: least to do for their capacity (0 of 1 open)
          lea could: picked: least to do for their capacity (0 of 1 open)
        in Support, workflow/route-tickets route.ticket: nobody of the queue Support can take it; it waits
          lea could not: has 1 open ticket, and 1 is the most allowed
          kim could not: has 1 open ticket, and 1 is the most allowed
          out could not: is offline
        in Support, test by hand: no reason
    "#]]
    .assert_eq(&why(&company, &third).await);
}

#[tokio::test]
async fn what_waits_goes_to_whoever_comes_back() {
    let company = support().await;
    let mut tickets = Vec::new();
    for key in ["t1", "t2", "t3", "t4"] {
        tickets.push(ticket(&company, key).await);
    }
    company.set("user/out", &[("presence", "online")]).await;
    company.settle().await;
    let owned = async |number: usize| {
        let record = company.app.record(&tickets[number]).await.expect("a ticket");
        record.field("owner").is_nothing()
    };
    assert_eq!((owned(2).await, owned(3).await), (false, true), "the oldest, and no more");
}

#[tokio::test]
async fn the_doctor_knows_of_queues_that_lead_nowhere() {
    let company = support().await;
    let codes = async || {
        let found = company.app.doctor(false).await.expect("a doctor");
        let desk = ["queue-circle", "queue-of-nobody", "loose-tickets"];
        let found = found.into_iter().filter(|finding| desk.contains(&finding.code));
        found
            .map(|finding| format!("{}: {} {:?}\n", finding.code, finding.what, finding.examples))
            .collect::<String>()
    };
    assert_eq!(codes().await, "");
    company.set("queue/support", &[("fallback", "queue/complaints")]).await;
    company.create("ticket/a", &[("subject", "A"), ("queue", "queue/unassigned")]).await;
    company.create("ticket/b", &[("subject", "B")]).await;
    expect![[r#"
        queue-circle: tickets that nobody can take would go round in a circle ["queue/support -> queue/complaints -> queue/support"]
        queue-of-nobody: tickets wait in queues from which nobody takes ["queue/unassigned (1)"]
        loose-tickets: 1 open ticket has neither an owner nor a queue []
    "#]]
    .assert_eq(&codes().await);
}

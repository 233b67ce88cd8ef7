//! The simulator of routing: what it says of a ticket is what then becomes of
//! one, and it writes nothing.

use std::fmt::Write as _;

use expect_test::expect;
use relata_app::{
    AccessError, Decision, RoutingScenario, RoutingSimulation,
    store::{EffectFilter, PauseScope},
};

use super::company::Company;

const ROUTE: &str = include_str!("../../../../workflows/route-tickets.yaml");

/// A first line of two, whose queue falls back on a second line of one.
async fn desk() -> Company {
    let company = Company::with(ROUTE).await;
    company.create("team/first", &[("name", "First")]).await;
    company.create("team/second", &[("name", "Second")]).await;
    for (agent, team, capacity, presence) in [
        ("lea", "first", "2", "online"),
        ("kim", "first", "1", "online"),
        ("out", "first", "9", "offline"),
        ("zoe", "second", "1", "online"),
    ] {
        let fields = [
            ("name", agent),
            ("email", &format!("{agent}@example.com")),
            ("team", &format!("team/{team}")),
            ("capacity", capacity),
            ("presence", presence),
        ];
        company.create(&format!("user/{agent}"), &fields).await;
    }
    let second = [("name", "Second line"), ("team", "team/second")];
    company.create("queue/second", &second).await;
    let first = [
        ("name", "First line"),
        ("team", "team/first"),
        ("overflow_after", "15"),
        ("fallback", "queue/second"),
    ];
    company.create("queue/first", &first).await;
    company
}

fn scenario(company: &Company, fields: &[(&str, &str)], tickets: u32) -> RoutingScenario {
    let read = RoutingScenario::read(&company.app, fields.iter().copied());
    RoutingScenario { tickets, ..read.expect("it reads") }
}

async fn label(company: &Company, reference: Option<&String>) -> String {
    let Some(reference) = reference else { return "nobody".to_owned() };
    let record = company.app.record(&reference.parse().expect("a reference")).await;
    record.expect("it is there").field("name").as_text().unwrap_or("it").to_owned()
}

async fn told(company: &Company, simulated: &RoutingSimulation) -> String {
    let mut told = String::new();
    for ticket in &simulated.tickets {
        let (owner, queue) = (ticket.owner.as_ref(), ticket.queue.as_ref());
        let (owner, queue) = (label(company, owner).await, label(company, queue).await);
        let reason = ticket.reason.as_deref().unwrap_or_default();
        let _ = writeln!(told, "{}: {owner} in {queue}, {reason}", ticket.number);
    }
    for decision in &simulated.decisions {
        for passed in &decision.passed {
            let queue = label(company, Some(&passed.queue)).await;
            let _ = writeln!(told, "passed {queue}: {}", passed.reason);
            for candidate in &passed.candidates {
                let who = label(company, Some(&candidate.user)).await;
                let _ = writeln!(told, "  {who}: {}", candidate.reason);
            }
        }
        for candidate in &decision.candidates {
            let who = label(company, Some(&candidate.user)).await;
            let _ = writeln!(told, "  {who}: {}", candidate.reason);
        }
    }
    for share in &simulated.shares {
        let who = label(company, Some(&share.user)).await;
        let _ = writeln!(told, "{who} gets {}", share.tickets);
    }
    for refusal in &simulated.not_started {
        // Without the id of whoever has it.
        let reason = refusal.reason.split(" = user/").next().unwrap_or_default();
        let _ = writeln!(told, "{}: {reason}", refusal.workflow);
    }
    for remark in &simulated.remarks {
        let _ = writeln!(told, "{remark}");
    }
    told
}

#[tokio::test]
async fn a_run_of_tickets_fills_everybody_up_and_the_rest_waits() {
    let company = desk().await;
    let asked = scenario(&company, &[("queue", "first")], 4);
    let simulated = company.app.simulate_routing(&asked).await.expect("an answer");
    expect![[r#"
        1: lea in First line, lea: picked: least to do for their capacity (0 of 2 open)
        2: kim in First line, kim: picked: least to do for their capacity (0 of 1 open)
        3: lea in First line, lea: picked: least to do for their capacity (1 of 2 open)
        4: nobody in First line, nobody of the queue First line can take it; it waits
          lea: picked: least to do for their capacity (0 of 2 open)
          kim: could take it
          out: is offline
        lea gets 2
        kim gets 1
        out gets 0
    "#]]
    .assert_eq(&told(&company, &simulated).await);
}

#[tokio::test]
async fn the_chain_of_fallbacks_is_told_queue_by_queue() {
    let company = desk().await;
    for agent in ["lea", "kim"] {
        company.set(&format!("user/{agent}"), &[("presence", "offline")]).await;
    }
    let mut asked = scenario(&company, &[("queue", "first")], 1);
    asked.waited_minutes = Some(20);
    let simulated = company.app.simulate_routing(&asked).await.expect("an answer");
    expect![[r#"
        1: zoe in Second line, nobody of the queue First line can take it, and it has waited for 15 minutes; zoe: picked: least to do for their capacity (0 of 1 open)
        passed First line: nobody of the queue First line can take it, and it has waited for 15 minutes
          lea: is offline
          kim: is offline
          out: is offline
          zoe: picked: least to do for their capacity (0 of 1 open)
        zoe gets 1
        lea gets 0
        kim gets 0
        out gets 0
    "#]].assert_eq(&told(&company, &simulated).await);
    // Before that time it waits.
    asked.waited_minutes = Some(14);
    let simulated = company.app.simulate_routing(&asked).await.expect("an answer");
    assert_eq!(simulated.tickets[0].owner, None);
}

#[tokio::test]
async fn nothing_is_written() {
    let company = desk().await;
    company.set("queue/first", &[("policy", "round_robin")]).await;
    company.settle().await;
    let end = async || company.app.store().event_log_end().await.expect("an end");
    let before = end().await;
    let asked = scenario(&company, &[("queue", "first")], 10);
    let first = company.app.simulate_routing(&asked).await.expect("an answer");
    let second = company.app.simulate_routing(&asked).await.expect("an answer");
    assert_eq!(first, second, "whose turn it is was remembered");
    assert_eq!(end().await, before, "something stands in the log");
    assert_eq!(company.app.records_all("ticket").await.expect("tickets"), []);
    assert!(company.app.effects(&EffectFilter::default()).await.expect("effects").is_empty());
}

#[tokio::test]
async fn a_ticket_that_is_nobodys_business_says_why() {
    let company = desk().await;
    let tried = async |fields: &[(&str, &str)]| {
        let asked = scenario(&company, fields, 1);
        told(&company, &company.app.simulate_routing(&asked).await.expect("an answer")).await
    };
    let no_queue = tried(&[("subject", "Hello")]).await;
    let owned = tried(&[("queue", "first"), ("owner", "user/out")]).await;
    company.app.pause(PauseScope::All, "a test", "test").await.expect("a pause");
    let paused = tried(&[("queue", "first")]).await;
    company.app.deactivate("route-tickets").await.expect("it was active");
    let without = tried(&[("queue", "first")]).await;
    expect![[r#"
        1: nobody in nobody, 
        route-tickets: only_if does not hold: ticket.queue = (empty)
        --
        1: out in First line, 
        out gets 1
        route-tickets: only_if does not hold: ticket.owner
        --
        1: lea in First line, lea: picked: least to do for their capacity (0 of 2 open)
          lea: picked: least to do for their capacity (0 of 2 open)
          kim: could take it
          out: is offline
        lea gets 1
        kim gets 0
        out gets 0
        everything is paused: it happens only when it is resumed
        --
        1: nobody in First line, 
        no active workflow gives tickets away; activate workflows/route-tickets.yaml
        everything is paused: it happens only when it is resumed
    "#]]
    .assert_eq(&format!("{no_queue}--\n{owned}--\n{paused}--\n{without}"));
}

#[tokio::test]
async fn what_cannot_be_is_told_all_of_it() {
    let company = desk().await;
    let mut asked = RoutingScenario::default();
    for (field, value) in [("queue", "queue/frist"), ("customer", "contact/nobody")] {
        asked.ticket.insert(field.to_owned(), value.into());
    }
    let wrong = async |asked: &RoutingScenario| match company
        .app
        .simulate_routing(asked)
        .await
        .expect_err("it cannot be")
    {
        AccessError::Invalid(errors) => {
            errors.iter().map(|error| format!("{error}\n")).collect::<String>()
        }
        other => format!("{other}\n"),
    };
    let mut all = wrong(&asked).await;
    asked.ticket.clear();
    asked.ticket.insert("queue".to_owned(), "queue/elsewhere".into());
    all += &wrong(&asked).await;
    asked.ticket.insert("queue".to_owned(), "queue/first".into());
    asked.ticket.insert("priority".to_owned(), "soon".into());
    all += &wrong(&asked).await;
    asked.tickets = 101;
    all += &wrong(&asked).await;
    expect![[r#"
        customer: there is no contact `nobody`
        queue: there is no queue `frist`; did you mean `queue/first`?
        queue: there is no queue `elsewhere`; there are queue/complaints, queue/first, queue/second, queue/support, queue/unassigned
        priority: takes one of low, normal, high, urgent, not `soon`
        tickets: takes 1 to 100, not 101
    "#]].assert_eq(&all);
}

/// A desk made by chance: teams, agents, queues that fall back on one another,
/// and some tickets that are there already.
async fn random_desk(company: &Company, chance: &mut fastrand::Rng) {
    for team in ["a", "b"] {
        company.create(&format!("team/{team}"), &[("name", team)]).await;
    }
    for number in 0..chance.usize(2..=6) {
        let fields = [
            ("name", format!("Agent {number}")),
            ("email", format!("agent{number}@example.com")),
            ("team", pick(chance, &["team/a", "team/b"])),
            ("capacity", chance.u32(0..=3).to_string()),
            ("weight", chance.u32(0..=3).to_string()),
            ("presence", pick(chance, &["online", "online", "online", "away", "offline"])),
            ("skills", pick(chance, &["", "billing", "billing:5", "billing:1; german", "german"])),
            ("channels", pick(chance, &["", "", "chat:1"])),
            ("absences", pick(chance, &["", "", "2026-12-14", "2026-12-15/2026-12-20"])),
        ];
        company.create(&format!("user/agent{number}"), &borrowed(&fields)).await;
    }
    for queue in ["one", "two", "three"] {
        let fields = [
            ("name", queue.to_owned()),
            ("team", pick(chance, &["", "team/a", "team/a", "team/b"])),
            ("policy", pick(chance, &["least_busy", "round_robin", "senior", "junior"])),
            ("required_skills", pick(chance, &["", "", "billing", "german"])),
            ("prefer_last_agent", pick(chance, &["yes", "no"])),
            ("relax_after", pick(chance, &["", "0", "10"])),
            ("overflow_after", pick(chance, &["", "0", "20"])),
        ];
        company.create(&format!("queue/{queue}"), &borrowed(&fields)).await;
    }
    for queue in ["one", "two", "three"] {
        let to = pick(chance, &["", "queue/one", "queue/two", "queue/three", "user/agent0"]);
        if to != format!("queue/{queue}") {
            company.set(&format!("queue/{queue}"), &[("fallback", &to)]).await;
        }
    }
    for customer in ["anna", "bob"] {
        company.create(&format!("contact/{customer}"), &[("name", customer)]).await;
    }
    company.settle().await;
}

fn pick(chance: &mut fastrand::Rng, of: &[&str]) -> String {
    of[chance.usize(..of.len())].to_owned()
}

fn borrowed<'f>(fields: &'f [(&'f str, String)]) -> Vec<(&'f str, &'f str)> {
    let given = fields.iter().filter(|(_, value)| !value.is_empty());
    given.map(|(name, value)| (*name, value.as_str())).collect()
}

/// A decision without what tells one ticket from another.
fn decided(decisions: Vec<Decision>) -> Vec<Decision> {
    let is_made = |decision: &Decision| decision.action.is_some();
    decisions
        .into_iter()
        .filter(is_made)
        .map(|decision| Decision { run: None, ..decision })
        .collect()
}

#[tokio::test]
async fn what_it_says_is_what_then_happens() {
    for seed in 0..12 {
        let mut chance = fastrand::Rng::with_seed(seed);
        let company = Company::with(ROUTE).await;
        random_desk(&company, &mut chance).await;
        for round in 0..6 {
            let fields = [
                ("subject", "A ticket".to_owned()),
                ("queue", pick(&mut chance, &["", "queue/one", "queue/two", "queue/three"])),
                ("channel", pick(&mut chance, &["mail", "chat", "phone"])),
                ("required_skills", pick(&mut chance, &["", "", "billing", "german"])),
                ("customer", pick(&mut chance, &["", "contact/anna", "contact/bob"])),
                ("status", pick(&mut chance, &["new", "new", "new", "on_hold"])),
            ];
            let tickets = chance.u32(1..=4);
            let asked = scenario(&company, &borrowed(&fields), tickets);
            let simulated = company.app.simulate_routing(&asked).await.expect("an answer");
            let place = format!("seed {seed}, round {round}, {fields:?}");
            for (number, said) in simulated.tickets.iter().enumerate() {
                let key = format!("ticket/t{round}-{number}");
                let ticket = company.create(&key, &borrowed(&fields)).await;
                company.settle().await;
                let record = company.app.record(&ticket).await.expect("it is there");
                let whose = |field| record.field(field).as_reference().map(ToString::to_string);
                assert_eq!(whose("owner"), said.owner, "{place}, ticket {number}");
                assert_eq!(whose("queue"), said.queue, "{place}, ticket {number}");
                let happened = company.app.decisions(&ticket).await.expect("decisions");
                let happened = decided(happened);
                let reason = happened.first().and_then(|decision| decision.reason.clone());
                assert_eq!(reason, said.reason, "{place}, ticket {number}");
                if number == 0 {
                    assert_eq!(happened, simulated.decisions, "{place}");
                }
            }
        }
    }
}

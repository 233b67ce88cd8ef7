//! The simulator of routing.

use axum::http::StatusCode;
use relata_app::{Running, model::Record};
use serde_json::json;

use crate::browser::{Browser, Page};

const ROUTE: &str = include_str!("../../../../workflows/route-tickets.yaml");

/// A company that gives its tickets away, to two agents.
async fn desk() -> Browser {
    let browser = Browser::open().await;
    let app = &browser.app;
    app.activate("route-tickets.yaml", ROUTE, "test", Running::Finish).await.unwrap();
    for (name, capacity) in [("Lea", 3), ("Kim", 1)] {
        let email = format!("{name}@shop.example");
        let user =
            json!({ "name": name, "email": email, "team": "team/support", "capacity": capacity });
        browser.make("user", user).await;
    }
    browser
}

/// The cells of the table of shares, row by row.
fn shares(page: &Page) -> Vec<String> {
    page.all("tbody", None).iter().flat_map(|body| body.rows()).collect()
}

#[tokio::test]
async fn it_says_who_would_get_a_ticket_and_why() {
    let browser = desk().await;
    browser.log_in_as("mara", &["administrator"]).await;
    let page = browser.get("/routing").await;
    let page = browser.get(&page.link("Simulator")).await;
    assert!(!page.text().contains("It goes to"), "nothing was asked yet");
    // As it is opened, it asks about a ticket of which nothing special is said.
    let form = page.form("/routing/simulator");
    for (name, value) in [
        ("queue", ""),
        ("subject", ""),
        ("channel", "api"),
        ("priority", "normal"),
        ("required_skills", ""),
        ("customer", ""),
        ("at", ""),
        ("waited", ""),
        ("tickets", "10"),
    ] {
        assert!(form.contains(&(name.to_owned(), value.to_owned())), "{name}: {form:?}");
    }

    let page = browser.get("/routing/simulator?queue=queue/support&tickets=6").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text());
    assert!(page.text().contains("It goes to Lea"), "{}", page.text());
    assert!(page.text().contains("least to do for their capacity"), "{}", page.text());
    assert!(page.text().contains("Of 6 like it"), "{}", page.text());
    assert_eq!(shares(&page), ["Lea 3 0 3", "Kim 1 0 1", "nobody 2"], "{}", page.text());
    // What was asked stands in the form, and nothing was written.
    assert!(page.form("/routing/simulator").contains(&("queue".into(), "queue/support".into())));
    assert!(browser.app.records_all("ticket").await.unwrap().is_empty());
}

#[tokio::test]
async fn what_does_not_read_stands_beside_its_field() {
    let browser = desk().await;
    browser.log_in_as("mara", &["administrator"]).await;
    for (query, expected) in [
        ("queue=queue/suport&tickets=1", "did you mean `queue/support`?"),
        ("queue=queue/support&tickets=500", "takes 1 to 100"),
        ("queue=queue/support&tickets=1&at=soon", "is no time"),
        ("queue=queue/support&tickets=1&customer=contact/nobody", "there is no contact `nobody`"),
    ] {
        let page = browser.get(&format!("/routing/simulator?{query}")).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}: {}", page.text());
        assert!(page.texts("p", Some("error")).join(" ").contains(expected), "{}", page.text());
    }
}

#[tokio::test]
async fn it_counts_what_waits_and_what_each_agent_has() {
    let browser = desk().await;
    let users = browser.app.records_all("user").await.unwrap();
    let user = |name: &str| {
        let named = |user: &&Record| user.field("name").to_string() == name;
        users.iter().find(named).unwrap().reference.to_string()
    };
    let (lea, kim) = (user("Lea"), user("Kim"));
    for (owner, status, queued_at) in [
        (None, "new", Some("2026-12-14T07:00:00Z")),
        (None, "open", Some("2026-12-14T06:00:00Z")),
        (None, "closed", Some("2026-12-14T05:00:00Z")),
        (Some(&lea), "open", None),
        (Some(&lea), "new", None),
        (Some(&lea), "solved", None),
        (Some(&kim), "open", None),
    ] {
        let ticket = json!({
            "subject": "Where is it?", "queue": "queue/support", "owner": owner, "status": status,
            "queued_at": queued_at,
        });
        browser.make("ticket", ticket).await;
    }
    browser.log_in_as("mara", &["administrator"]).await;
    let page = browser.get("/routing").await;
    let rows = shares(&page);
    let row = |name: &str| rows.iter().find(|row| row.starts_with(name)).unwrap().as_str();
    assert_eq!(row("Support"), "Support Support Least busy  2 2 h ago");
    assert_eq!(row("Lea"), "Lea Online Support  2 3");
    assert_eq!(row("Kim"), "Kim Online Support  1 1");
    assert_eq!(row("mara"), "mara Online   0 20");

    // Who sees the tickets of a team alone is told of no others.
    let other = browser.another();
    other.log_in_as("kai", &["agent"]).await;
    let page = other.get("/routing").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text());
    let rows = shares(&page);
    let row = |name: &str| rows.iter().find(|row| row.starts_with(name)).unwrap().as_str();
    assert_eq!(row("Support"), "Support Support Least busy  0");
    assert_eq!((row("Lea"), row("Kim")), ("Lea Online Support  0 3", "Kim Online Support  0 1"));
}

#[tokio::test]
async fn whoever_may_not_see_routing_does_not_try_it() {
    let browser = desk().await;
    browser.log_in_as("mara", &["sales"]).await;
    let page = browser.get("/routing/simulator?queue=queue/support&tickets=1").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.text());
    assert!(!page.html.contains("Lea"));
}

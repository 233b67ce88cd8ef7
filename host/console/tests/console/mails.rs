//! Mails that are held: who sees what of them, and what is decided.

use axum::http::StatusCode;
use relata_app::TakenMail;
use serde_json::json;

use crate::browser::Browser;

/// An automatic answer that belongs to no ticket.
fn automatic(number: u32) -> Vec<u8> {
    format!(
        "From: Anna Wolf <anna@a.example>\r\nTo: help@shop.example\r\nSubject: Away {number}\r\n\
         Message-ID: <away{number}@a.example>\r\nAuto-Submitted: auto-replied\r\n\r\nI am away.\r\n"
    )
    .into_bytes()
}

#[tokio::test]
async fn a_mail_that_is_held_is_taken_in_or_dropped() {
    let browser = Browser::open().await;
    browser.log_in_as("mara", &["administrator"]).await;
    let empty = browser.get("/admin/mails").await;
    assert!(empty.text().contains("No mail is held"), "{}", empty.text());
    let mut ids = Vec::new();
    for number in [1, 2] {
        match browser.app.take_mail(automatic(number)).await.unwrap() {
            TakenMail::Held(id) => ids.push(id),
            other => panic!("it is not held: {other:?}"),
        }
    }
    let page = browser.get("/admin/mails").await;
    for text in ["Away 1", "Away 2", "anna@a.example", "I am away."] {
        assert!(page.text().contains(text), "{text}: {}", page.text());
    }
    assert!(browser.get("/admin").await.text().contains("Mails that are held 2"));
    let decide = |id: &str| format!("/admin/mails/{id}");
    let taken = page.send(&decide(&ids[0]), &[("do", "take")], &browser).await;
    let ticket = taken.leads_to();
    assert!(ticket.starts_with("/tickets/"), "{ticket}");
    assert!(browser.get(ticket).await.text().contains("I am away."));
    let dropped = page.send(&decide(&ids[1]), &[("do", "drop")], &browser).await;
    assert_eq!(dropped.leads_to(), "/admin/mails");
    assert!(browser.app.held_mails().await.unwrap().is_empty());
    // Somebody else was first.
    let again = page.send(&decide(&ids[1]), &[("do", "take")], &browser).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn who_may_not_read_messages_reads_none_that_is_held() {
    let browser = Browser::open().await;
    let role = json!({ "name": "watcher", "external_id": "watcher", "may": ["operations: see"] });
    browser.make("role", role).await;
    browser.log_in_as("ops", &["watcher"]).await;
    browser.app.take_mail(automatic(1)).await.unwrap();
    let page = browser.get("/admin/mails").await;
    assert_eq!(page.status, StatusCode::OK);
    for text in ["anna@a.example", "I am away."] {
        assert!(!page.html.contains(text), "{text}: {}", page.text());
    }
    // What the user menu calls presence is not meant.
    assert!(!page.text().contains("Away"), "{}", page.text());
    assert_eq!(page.all("article", None).len(), 1, "that there is one can be seen");
}

//! The inbox and a ticket: what is first, what can be done, and what comes of
//! it.

use axum::http::StatusCode;
use relata_app::{
    model::{Reference, Value},
    store::{Condition, EffectFilter, Query},
};
use serde_json::json;

use crate::browser::{Browser, Page};

/// The rows of the list: who, and about what.
fn rows(page: &Page) -> Vec<String> {
    page.texts("span", Some("subject"))
}

async fn field(browser: &Browser, reference: &Reference, name: &str) -> String {
    browser.app.record(reference).await.unwrap().field(name).to_string()
}

/// A ticket of Anna's, in a company where Mara answers.
async fn desk() -> (Browser, Reference, Reference) {
    let browser = Browser::open().await;
    let mara = browser.log_in_as("mara", &["agent", "manager"]).await;
    let anna = json!({ "name": "Anna Wolf", "email": "anna@a.example", "external_id": "anna" });
    browser.make("contact", anna).await;
    let ticket = browser
        .make(
            "ticket",
            json!({
                "subject": "The lamp <b>is</b> broken", "body": "It went out.\nThen it smoked.",
                "customer": "contact/anna", "external_id": "lamp",
            }),
        )
        .await;
    (browser, mara, ticket)
}

#[tokio::test]
async fn what_is_due_comes_first_and_then_what_is_urgent() {
    let browser = Browser::open().await;
    let mara = browser.log_in_as("mara", &["agent", "manager"]).await.to_string();
    for (subject, priority, due, owner) in [
        ("usual", "normal", None, Some(&mara)),
        ("late", "low", Some("2026-12-14T08:00:00Z"), Some(&mara)),
        ("urgent", "urgent", None, Some(&mara)),
        ("soon", "normal", Some("2026-12-14T09:30:00Z"), Some(&mara)),
        ("of nobody", "urgent", None, None),
    ] {
        let fields = json!({ "subject": subject, "priority": priority, "reply_due_at": due, "owner": owner });
        browser.make("ticket", fields).await;
    }
    browser.make("ticket", json!({ "subject": "over", "owner": mara, "status": "solved" })).await;
    let page = browser.get("/inbox").await;
    assert_eq!(rows(&page), ["late", "soon", "urgent", "usual"]);
    let pills: Vec<String> = page.texts("span", Some("pill"));
    assert!(pills.contains(&"overdue 1 h".to_owned()), "{pills:?}");
    assert!(pills.contains(&"30 min left".to_owned()), "{pills:?}");
    assert_eq!(rows(&browser.get("/inbox?view=unassigned").await), ["of nobody"]);
    assert_eq!(rows(&browser.get("/inbox?view=open").await).len(), 5);
    let empty = browser.get("/inbox?view=waiting").await;
    assert!(empty.text().contains("None of your tickets waits"), "{}", empty.text());
}

#[tokio::test]
async fn a_long_list_is_read_to_its_end_and_no_ticket_comes_twice() {
    let browser = Browser::open().await;
    let mara = browser.log_in_as("mara", &["agent", "manager"]).await.to_string();
    for number in 0..95 {
        let due = (number % 3 == 0).then(|| format!("2026-12-14T1{}:00:00Z", number % 10));
        let fields = json!({
            "subject": format!("ticket {number}"), "owner": mara, "reply_due_at": due,
            "priority": (["low", "normal", "high"][number % 3]),
        });
        browser.make("ticket", fields).await;
    }
    let mut seen = Vec::new();
    let mut page = browser.get("/inbox").await;
    loop {
        seen.extend(rows(&page));
        if !page.texts("a", Some("button")).contains(&"Next page".to_owned()) {
            break;
        }
        page = browser.get(&page.link("Next page")).await;
    }
    assert_eq!(seen.len(), 95);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 95);
}

#[tokio::test]
async fn a_ticket_shows_its_conversation_and_its_customer() {
    let (browser, _, ticket) = desk().await;
    // A workflow that finds a complaint says so in the category.
    for (subject, kind, category) in [
        ("Rude", "complaint", None),
        ("Bill", "question", None),
        ("Slow", "question", Some("complaint")),
    ] {
        let fields = json!({
            "subject": subject, "customer": "contact/anna", "type": kind, "category": category,
        });
        browser.make("ticket", fields).await;
    }
    let page = browser.get(&format!("/tickets/{}", ticket.key)).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.html.contains("<b>is</b>"), "a customer's text is text");
    assert_eq!(page.texts("h1", None), ["The lamp <b>is</b> broken"]);
    assert_eq!(page.texts("div", Some("body")), ["It went out. Then it smoked."]);
    let complaints = page.elements();
    let complaints =
        complaints.iter().find(|one| one.attribute("id").as_deref() == Some("complaints"));
    let complaints = complaints.unwrap().text();
    assert!(complaints.contains("Slow") && complaints.contains("Rude"), "{complaints}");
    assert!(!complaints.contains("Bill"), "{complaints}");
    assert!(complaints.find("Slow") < complaints.find("Rude"), "the newest first: {complaints}");
}

#[tokio::test]
async fn an_answer_is_a_message_a_mail_and_another_status_once() {
    let (browser, mara, ticket) = desk().await;
    browser
        .make(
            "message",
            json!({
                "ticket": "ticket/lamp", "direction": "in", "author": "contact/anna",
                "body": "Hello?", "message_id": "q1@a.example",
            }),
        )
        .await;
    let page = browser.get(&format!("/tickets/{}?view=unassigned", ticket.key)).await;
    let action = format!("/tickets/{}/reply", ticket.key);
    let filled = [("text", "Please send it in."), ("status", "waiting_for_customer")];
    // A second click sends the same form again.
    for _ in 0..2 {
        let done = page.send(&action, &filled, &browser).await;
        assert_eq!(done.leads_to(), format!("/tickets/{}?view=unassigned", ticket.key));
    }
    assert_eq!(field(&browser, &ticket, "status").await, "waiting_for_customer");
    assert_eq!(field(&browser, &ticket, "owner").await, mara.to_string());
    assert_eq!(field(&browser, &ticket, "first_reply_at").await, "2026-12-14T09:00:00Z");
    let of_ticket = Condition::equal("ticket", Value::Reference(ticket.clone()));
    let messages = browser.app.store().record_query(&Query::new("message", vec![of_ticket])).await;
    let messages = messages.unwrap().records;
    assert_eq!(messages.len(), 2);
    let answer = &messages[1];
    assert_eq!(answer.field("direction").to_string(), "out");
    assert_eq!(answer.field("author").to_string(), mara.to_string());
    let mails = browser.app.store().outbox_list(&EffectFilter::default(), 10).await.unwrap();
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!(mail.body["to_address"], "anna@a.example");
    assert_eq!(mail.body["answers"], json!(["q1@a.example"]));
    assert_eq!(mail.body["by_hand"], true);
    let text = mail.body["text"].as_str().unwrap();
    assert!(text.starts_with("Please send it in.\n\n-- \nmara\n"), "{text}");
    let number = field(&browser, &ticket, "ref").await;
    assert!(mail.body["subject"].as_str().unwrap().ends_with(&format!("[{number}]")));
    // What the mail is known by is what the message says.
    let known = answer.field("message_id").to_string();
    assert!(known.starts_with(&mail.id.to_string()), "{known}");
    let page = browser.get(&format!("/tickets/{}", ticket.key)).await;
    assert_eq!(page.texts("article", Some("out")).len(), 1);
    assert!(page.text().contains("mara replied"), "{}", page.text());
}

#[tokio::test]
async fn what_cannot_be_sent_is_kept_on_the_page_with_the_reason() {
    let (browser, _, ticket) = desk().await;
    let page = browser.get(&format!("/tickets/{}", ticket.key)).await;
    let action = format!("/tickets/{}/reply", ticket.key);
    // Somebody closes it meanwhile: it cannot be solved any more.
    let closed = [("status".to_owned(), Value::Text("closed".to_owned()))];
    browser.app.update_record(&ticket, closed.into(), "test").await.unwrap();
    let filled = [("text", "Please send it in."), ("status", "solved")];
    let again = page.send(&action, &filled, &browser).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.text().contains("cannot go from closed to solved"), "{}", again.text());
    // Where the customer cannot be answered any more there is no form to keep it in;
    // what comes back in one is marked, so that no script takes it away.
    let note = format!("/tickets/{}/note", ticket.key);
    let form = [("text", "A good customer."), ("nonce", " ")];
    let again_noted = page.send(&note, &form, &browser).await;
    let kept = again_noted.elements();
    let kept = kept.iter().find(|it| it.attribute("id").as_deref() == Some("note")).unwrap();
    assert!(kept.attribute("data-kept").is_some() && kept.text().contains("A good customer."));
    let mails = browser.app.store().outbox_list(&EffectFilter::default(), 10).await.unwrap();
    assert!(mails.is_empty(), "a mail went out for an answer that was not written");
    assert!(again.text().contains("Open it again") || again.text().contains("is closed"));
    // A customer without an address cannot be answered at all.
    let fields = json!({ "subject": "By telephone", "customer": null });
    let other = browser.make("ticket", fields).await;
    let page = browser.get(&format!("/tickets/{}", other.key)).await;
    assert!(page.text().contains("no customer to reply to"), "{}", page.text());
}

#[tokio::test]
async fn a_note_is_for_colleagues_alone() {
    let (browser, _, ticket) = desk().await;
    let page = browser.get(&format!("/tickets/{}", ticket.key)).await;
    let action = format!("/tickets/{}/note", ticket.key);
    page.send(&action, &[("text", "She is a good customer.")], &browser).await.leads_to();
    let page = browser.get(&format!("/tickets/{}", ticket.key)).await;
    assert_eq!(page.texts("article", Some("note")).len(), 1);
    let mails = browser.app.store().outbox_list(&EffectFilter::default(), 10).await.unwrap();
    assert!(mails.is_empty());
}

#[tokio::test]
async fn a_ticket_is_taken_handed_over_and_moved_on() {
    let (browser, mara, ticket) = desk().await;
    let lea = browser.make("user", json!({ "name": "Lea", "email": "lea@shop.example" })).await;
    let path = format!("/tickets/{}", ticket.key);
    let page = browser.get(&path).await;
    page.send(&format!("{path}/owner"), &[("owner", "me")], &browser).await.leads_to();
    assert_eq!(field(&browser, &ticket, "owner").await, mara.to_string());
    let page = browser.get(&path).await;
    assert!(page.text().contains("Why me?"), "{}", page.text());
    page.send(&format!("{path}/owner"), &[("owner", &lea.to_string())], &browser).await.leads_to();
    assert_eq!(field(&browser, &ticket, "owner").await, lea.to_string());
    let moves: Vec<String> = browser
        .get(&path)
        .await
        .all("button", None)
        .iter()
        .filter(|button| button.attribute("name").as_deref() == Some("status"))
        .filter_map(|button| button.attribute("value"))
        .collect();
    assert_eq!(moves, ["open", "waiting_for_customer", "on_hold", "solved", "closed"]);
    page.send(&format!("{path}/status"), &[("status", "on_hold")], &browser).await.leads_to();
    assert_eq!(field(&browser, &ticket, "status").await, "on_hold");
}

#[tokio::test]
async fn each_view_says_how_many_it_has() {
    let (browser, mara, _) = desk().await;
    for (subject, owner, status) in [
        ("mine", Some(&mara), "open"),
        ("mine too", Some(&mara), "new"),
        ("waits", Some(&mara), "on_hold"),
        ("over", Some(&mara), "solved"),
    ] {
        let owner = owner.map(ToString::to_string);
        browser
            .make("ticket", json!({ "subject": subject, "owner": owner, "status": status }))
            .await;
    }
    let page = browser.get("/inbox").await;
    let tabs: Vec<String> = page
        .all("a", None)
        .iter()
        .filter(|link| link.attribute("href").is_some_and(|href| href.starts_with("/inbox?view=")))
        .map(crate::browser::Element::text)
        .collect();
    // Mara is in no team: there is nothing to count in its queues.
    assert_eq!(tabs, ["Mine 2", "My queues", "Unassigned 1", "Waiting 1", "All open 4"]);
}

#[tokio::test]
async fn what_was_promised_stands_beside_a_ticket() {
    let (browser, _, ticket) = desk().await;
    let path = format!("/tickets/{}", ticket.key);
    let promised = |page: &Page| {
        let elements = page.elements();
        let panel = elements.iter().find(|it| it.attribute("id").as_deref() == Some("promised"));
        panel.map(crate::browser::Element::text)
    };
    assert_eq!(promised(&browser.get(&path).await), None, "nothing is promised yet");
    let fields = json!({
        "name": "Gold", "first_reply": ["4 hours"], "solution": ["2 days"],
        "pauses": ["waiting_for_customer"],
    });
    let gold = browser.make("service_level", fields).await;
    // One that does not read leaves the ticket readable.
    let panel = promised(&browser.get(&path).await).expect("a panel");
    assert!(panel.contains("`2 days` has no length of its own"), "{panel}");
    let hours = Value::List(vec![Value::Text("48 hours".to_owned())]);
    browser
        .app
        .update_record(&gold, [("solution".to_owned(), hours)].into(), "test")
        .await
        .unwrap();
    let page = browser.get(&path).await;
    let panel = promised(&page).unwrap_or_else(|| panic!("no panel: {}", page.text()));
    for part in ["Gold", "First reply Running 4 h left within 4 hours", "Solution Running 2 d left"]
    {
        assert!(panel.contains(part), "{panel}");
    }
    let pills = page.texts("span", Some("pill"));
    assert!(pills.contains(&"4 h left".to_owned()), "{pills:?}");
    // It stands still while the customer has to answer.
    let waits = [("status".to_owned(), Value::Text("waiting_for_customer".to_owned()))];
    browser.app.update_record(&ticket, waits.into(), "test").await.unwrap();
    let page = browser.get(&path).await;
    let panel = promised(&page).expect("a panel");
    assert!(panel.contains("First reply Paused 4 h left"), "{panel}");
    assert!(panel.contains("if it went on now"), "{panel}");
    let pills = page.texts("span", Some("pill"));
    assert!(pills.contains(&"Paused, 4 h left".to_owned()), "{pills:?}");
}

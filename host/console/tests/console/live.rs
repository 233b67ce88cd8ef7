//! Pages that are read again where something on them has changed: who hears of
//! what, and what comes of it.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use relata_app::{
    Running,
    model::{Reference, Value},
};
use serde_json::json;
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

use crate::browser::{Browser, Followed, Page};

/// Longer than anything takes here.
const LONG: Duration = Duration::from_secs(20);

/// Longer than it takes until a change is told, also after another one.
const QUIET: Duration = Duration::from_millis(2_800);

/// The host's own reader of the log, which tells all that follow it.
struct Host {
    stop: Option<oneshot::Sender<()>>,
    reading: JoinHandle<()>,
}

impl Host {
    fn of(browser: &Browser) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let app = browser.app.clone();
        let reading = tokio::spawn(async move {
            app.follow_log(async {
                let _ = stopped.await;
            })
            .await;
        });
        Self { stop: Some(stop), reading }
    }

    async fn stop(mut self) {
        drop(self.stop.take());
        self.reading.await.unwrap();
    }
}

/// The element of a page that follows.
fn live(page: &Page, attribute: &str) -> String {
    let elements = page.elements();
    let live = elements.iter().find(|element| element.attribute("id").as_deref() == Some("live"));
    live.unwrap_or_else(|| panic!("{} is not live", page.path)).attribute(attribute).unwrap()
}

async fn follow(browser: &Browser, page: &Page) -> Followed {
    let followed = browser.follow(&live(page, "sse-connect"), None).await;
    assert_eq!(followed.status, StatusCode::OK);
    followed
}

async fn hears(followed: &mut Followed) -> String {
    timeout(LONG, followed.changed()).await.expect("nothing was told").expect("it has ended")
}

async fn hears_nothing(followed: &mut Followed) {
    let told = timeout(QUIET, followed.changed()).await;
    assert!(told.is_err(), "it was told {told:?}");
}

async fn set(browser: &Browser, record: &Reference, field: &str, value: Value) {
    browser.app.update_record(record, [(field.to_owned(), value)].into(), "test").await.unwrap();
}

async fn message(browser: &Browser, ticket: &Reference, body: &str) {
    let fields = json!({ "ticket": ticket.to_string(), "direction": "in", "body": body });
    browser.make("message", fields).await;
}

#[tokio::test]
async fn a_new_message_is_told_and_stands_on_the_page_that_is_read_again() {
    let browser = Browser::open().await;
    let host = Host::of(&browser);
    browser.log_in_as("mara", &["manager"]).await;
    browser
        .make("contact", json!({ "name": "Anna", "email": "a@a.example", "external_id": "anna" }))
        .await;
    let ticket =
        browser.make("ticket", json!({ "subject": "A lamp", "customer": "contact/anna" })).await;
    let page = browser.get(&format!("/tickets/{}?view=open", ticket.key)).await;
    assert_eq!(live(&page, "hx-get"), page.path, "it is this page that is read again");
    let mut followed = follow(&browser, &page).await;
    hears_nothing(&mut followed).await;
    // What does not stand on it is of no interest.
    browser.make("lead", json!({ "name": "Lea", "email": "l@a.example" })).await;
    hears_nothing(&mut followed).await;
    message(&browser, &ticket, "It smokes!").await;
    hears(&mut followed).await;
    let again = browser.ask(Method::GET, &page.path, &[("hx-request", "true")], None).await;
    assert!(again.text().contains("It smokes!"), "{}", again.text());
    // It can be told from what was there, and the answer's form is the same one.
    for id in ["reply", "list", "main", "nav"] {
        let is_there = |page: &Page| {
            page.elements().iter().any(|element| element.attribute("id").as_deref() == Some(id))
        };
        assert!(is_there(&page) && is_there(&again), "{id}");
    }
    // Whoever does not see it hears what is new.
    let news = |page: &Page| page.texts("p", Some("visually-hidden")).join(" | ");
    assert!(news(&page) != news(&again) && news(&again).contains("1 messages"), "{}", news(&again));
    host.stop().await;
}

#[tokio::test]
async fn what_somebody_may_not_see_does_not_come() {
    let browser = Browser::open().await;
    let host = Host::of(&browser);
    for team in ["north", "south"] {
        browser.make("team", json!({ "name": team, "external_id": team })).await;
    }
    let ann = browser.log_in_as("ann", &["agent"]).await;
    set(&browser, &ann, "team", Value::Reference(Reference::new("team", "north"))).await;
    let boss = browser.another();
    boss.log_in_as("boss", &["manager"]).await;
    let of_ann = &mut follow(&browser, &browser.get("/inbox").await).await;
    let of_boss = &mut follow(&boss, &boss.get("/inbox").await).await;
    let bo = json!({ "name": "Bo", "email": "bo@shop.example", "team": "team/south" });
    let bo = browser.make("user", bo).await;
    let fields = json!({ "subject": "Not for Ann", "owner": bo.to_string() });
    let ticket = browser.make("ticket", fields).await;
    hears(of_boss).await;
    hears_nothing(of_ann).await;
    // It comes to her, and goes away again: both are news for her.
    for owner in [&ann, &bo] {
        set(&browser, &ticket, "owner", Value::Reference(owner.clone())).await;
        hears(of_ann).await;
    }
    set(&browser, &ticket, "priority", Value::Text("high".to_owned())).await;
    hears_nothing(of_ann).await;
    // Nothing is followed that may not be seen.
    let path = "/live?see=lead";
    assert_eq!(browser.follow(path, None).await.status, StatusCode::FORBIDDEN);
    assert_eq!(boss.follow(path, None).await.status, StatusCode::OK);
    host.stop().await;
}

#[tokio::test]
async fn who_comes_again_hears_what_was_missed_and_nothing_twice() {
    let browser = Browser::open().await;
    let host = Host::of(&browser);
    browser.log_in_as("mara", &["manager"]).await;
    let page = browser.get("/inbox").await;
    // After the page was made, and before anybody follows.
    browser.make("ticket", json!({ "subject": "Meanwhile" })).await;
    let last = hears(&mut follow(&browser, &page).await).await;
    let stream = live(&page, "sse-connect");
    hears_nothing(&mut browser.follow(&stream, Some(&last)).await).await;
    browser.make("ticket", json!({ "subject": "Once more" })).await;
    hears(&mut browser.follow(&stream, Some(&last)).await).await;
    // A place of another log is as good as none: the page is read again.
    hears(&mut browser.follow("/live?see=ticket&since=99999999-0", None).await).await;
    let wrong = browser.follow("/live?see=ticket&since=yesterday", None).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    host.stop().await;
}

#[tokio::test]
async fn the_numbers_in_the_navigation_are_live_on_every_page() {
    let browser = Browser::open().await;
    let host = Host::of(&browser);
    let mara = browser.log_in_as("mara", &["administrator"]).await;
    let page = browser.get("/plugins").await;
    let mut followed = follow(&browser, &page).await;
    let again = live(&page, "hx-get");
    assert!(browser.get(&again).await.texts("span", Some("count")).is_empty());
    let fields = json!({ "title": "Call her", "assignee": mara.to_string() });
    let task = browser.make("task", fields).await;
    hears(&mut followed).await;
    let navigation = browser.get(&again).await;
    assert_eq!(navigation.texts("span", Some("count")), ["1"]);
    assert!(navigation.html.contains("aria-current"), "{}", navigation.html);
    set(&browser, &task, "status", Value::Text("done".to_owned())).await;
    hears(&mut followed).await;
    assert!(browser.get(&again).await.texts("span", Some("count")).is_empty());
    // The tasks of others are none of hers.
    browser.make("task", json!({ "title": "Of nobody" })).await;
    hears_nothing(&mut followed).await;
    host.stop().await;
}

#[tokio::test]
async fn a_run_that_gets_on_is_told() {
    let browser = Browser::open().await;
    let host = Host::of(&browser);
    browser.log_in_as("mara", &["administrator"]).await;
    let source = "workflow: waits\nwhen:\n  - created: lead\nsteps:\n  - wait_for: { changed: lead.status }\n    up_to: 10 days\n";
    browser.app.activate("waits.yaml", source, "test", Running::Finish).await.unwrap();
    let list = browser.get("/runs").await;
    let mut of_list = follow(&browser, &list).await;
    hears_nothing(&mut of_list).await;
    let lead = browser.make("lead", json!({ "name": "Lea", "email": "l@a.example" })).await;
    browser.app.settle_all().await.unwrap();
    hears(&mut of_list).await;
    let list = browser.get("/runs").await;
    let runs = list.all("a", None).into_iter().filter_map(|link| link.attribute("href"));
    let run = runs.into_iter().find(|href| href.starts_with("/runs/run_")).unwrap();
    let page = browser.get(&run).await;
    let mut followed = follow(&browser, &page).await;
    hears_nothing(&mut followed).await;
    set(&browser, &lead, "company", Value::Text("A".to_owned())).await;
    browser.app.settle_all().await.unwrap();
    hears_nothing(&mut followed).await;
    set(&browser, &lead, "status", Value::Text("assigned".to_owned())).await;
    browser.app.settle_all().await.unwrap();
    hears(&mut followed).await;
    let again = browser.get(&run).await;
    assert!(again.text().contains("Done"), "{}", again.text());
    host.stop().await;
}

#[tokio::test]
async fn a_stream_ends_with_its_session_and_with_the_host() {
    let browser = Browser::open().await;
    let host = Host::of(&browser);
    browser.log_in_as("mara", &["manager"]).await;
    let page = browser.get("/inbox").await;
    let other = browser.another();
    other.log_in_as("bo", &["manager"]).await;
    let of_other = &mut follow(&other, &other.get("/inbox").await).await;
    let mut followed = follow(&browser, &page).await;
    page.send("/logout", &[], &browser).await.leads_to();
    // It is noticed before anything more is told.
    browser.make("ticket", json!({ "subject": "After that" })).await;
    let told = timeout(LONG, followed.changed()).await.expect("it does not end");
    assert_eq!(told, None, "somebody who has left was told");
    hears(of_other).await;
    host.stop().await;
    let told = timeout(LONG, of_other.changed()).await.expect("it holds the host up");
    assert_eq!(told, None);
}

#[tokio::test]
async fn a_session_has_so_many_streams_and_no_more() {
    let browser = Browser::open().await;
    browser.log_in_as("mara", &["manager"]).await;
    let mut open = Vec::new();
    loop {
        let followed = browser.follow("/live?see=ticket", None).await;
        if followed.status != StatusCode::OK {
            assert_eq!(followed.status, StatusCode::TOO_MANY_REQUESTS);
            break;
        }
        open.push(followed);
        assert!(open.len() < 100, "there is no end to it");
    }
    assert!(open.len() >= 4, "{} windows are too few", open.len());
    // One that is closed makes room.
    open.pop();
    assert_eq!(browser.follow("/live?see=ticket", None).await.status, StatusCode::OK);
}

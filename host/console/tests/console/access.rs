//! Who comes in, and what a page does for whom.

use axum::http::{Method, StatusCode, header};
use serde_json::json;

use crate::browser::{Browser, PASSWORD};

#[tokio::test]
async fn whoever_is_not_logged_in_logs_in_and_comes_to_the_page_that_was_meant() {
    let browser = Browser::open().await;
    let page = browser.get("/inbox?view=open").await;
    assert_eq!(page.leads_to(), "/login?then=/inbox%3Fview%3Dopen");
    browser.log_in_as("mara", &["agent"]).await;
    let other = browser.another();
    let page = other.get("/login?then=/inbox%3Fview%3Dopen").await;
    let filled = [("email", "mara@shop.example"), ("password", PASSWORD)];
    let page = page.send("/login", &filled, &other).await;
    assert_eq!(page.leads_to(), "/inbox?view=open");
    let cookie = page.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    assert_eq!(other.get("/inbox").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_the_address_is_kept() {
    let browser = Browser::open().await;
    browser.log_in_as("mara", &["agent"]).await;
    let stranger = browser.another();
    let page = stranger.get("/login").await;
    let filled = [("email", "mara@shop.example"), ("password", "wrong horse battery")];
    let page = page.send("/login", &filled, &stranger).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    assert!(page.text().contains("is wrong"), "{}", page.text());
    assert!(page.form("/login").contains(&("email".to_owned(), "mara@shop.example".to_owned())));
    assert!(!page.html.contains("wrong horse"), "the password stands on the page");
    assert!(stranger.get("/inbox").await.leads_to().starts_with("/login"));
}

#[tokio::test]
async fn the_cookie_is_for_https_alone_where_the_page_came_by_it() {
    let browser = Browser::open().await;
    browser.log_in_as("mara", &["agent"]).await;
    let other = browser.another();
    let form = [("email", "mara@shop.example"), ("password", PASSWORD)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let headers = [("origin", "https://desk.example"), ("host", "desk.example")];
    let page = other.ask(Method::POST, "/login", &headers, Some(&form)).await;
    assert!(page.headers[header::SET_COOKIE].to_str().unwrap().ends_with("; Secure"));
}

#[tokio::test]
async fn after_logging_out_the_session_is_over() {
    let browser = Browser::open().await;
    browser.log_in_as("mara", &["agent"]).await;
    let page = browser.get("/inbox").await;
    let thief = browser.twin();
    assert_eq!(thief.get("/inbox").await.status, StatusCode::OK);
    assert_eq!(page.send("/logout", &[], &browser).await.leads_to(), "/login");
    assert!(browser.get("/inbox").await.leads_to().starts_with("/login"));
    assert!(thief.get("/inbox").await.leads_to().starts_with("/login"));
}

#[tokio::test]
async fn a_form_of_another_site_does_nothing() {
    let browser = Browser::open().await;
    let user = browser.log_in_as("mara", &["agent"]).await;
    let page = browser.get("/inbox").await;
    let mut form = page.form("/presence");
    form.push(("presence".to_owned(), "away".to_owned()));
    let presence = async || browser.app.record(&user).await.unwrap().field("presence").to_string();
    // Sent by another site, though with everything else right.
    let headers = [("sec-fetch-site", "cross-site")];
    let page = browser.ask(Method::POST, "/presence", &headers, Some(&form)).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    // Sent as from here, but without the session's token.
    let without: Vec<_> = form.iter().filter(|(name, _)| name != "form_token").cloned().collect();
    let headers = [("sec-fetch-site", "same-origin")];
    let page = browser.ask(Method::POST, "/presence", &headers, Some(&without)).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text().contains("Nothing was written"), "{}", page.text());
    assert_eq!(presence().await, "online");
    // And rightly.
    let page = browser.ask(Method::POST, "/presence", &headers, Some(&form)).await;
    assert_eq!(page.leads_to(), "/inbox");
    assert_eq!(presence().await, "away");
}

#[tokio::test]
async fn nobody_is_sent_to_another_site() {
    let browser = Browser::open().await;
    browser.log_in_as("mara", &["agent"]).await;
    let other = browser.another();
    let page = other.get("/login?then=//evil.example").await;
    let filled = [("email", "mara@shop.example"), ("password", PASSWORD)];
    assert_eq!(page.send("/login", &filled, &other).await.leads_to(), "/");
    let filled = [("then", "https://evil.example/"), ("lang", "zh")];
    let page = browser.get("/inbox").await.send("/look", &filled, &browser).await;
    assert_eq!(page.leads_to(), "/");
}

#[tokio::test]
async fn what_a_role_does_not_allow_is_a_page_that_says_so() {
    let browser = Browser::open().await;
    browser.log_in_as("mara", &["agent"]).await;
    let contact = browser.make("contact", json!({ "name": "Anna" })).await;
    let lead = browser.make("lead", json!({ "name": "Lea", "email": "lea@a.example" })).await;
    for path in ["/runs".to_owned(), "/records/lead".to_owned(), format!("/records/{lead}")] {
        let page = browser.get(&path).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}");
        assert!(page.text().contains("This is not for you"), "{path}");
        assert!(!page.html.contains("Lea"), "{path}");
    }
    assert_eq!(browser.get(&format!("/records/{contact}")).await.status, StatusCode::OK);
    assert_eq!(browser.get("/records/contact/nobody").await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get("/records/nothing").await.status, StatusCode::NOT_FOUND);
}

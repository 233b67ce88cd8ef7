//! What holds of every page: it is there, well-formed, small, safe, and in
//! both languages.

use std::collections::BTreeSet;

use axum::http::{StatusCode, header};
use serde_json::json;

use crate::browser::{Browser, Page};

/// The longest page, bytes.
const LONGEST: usize = 200_000;

/// A company with something on every page, and its administrator.
async fn company() -> Browser {
    let browser = Browser::open().await;
    let user = browser.log_in_as("mara", &["administrator"]).await.to_string();
    browser
        .make(
            "contact",
            json!({ "name": "Anna <i>", "email": "anna@a.example", "external_id": "anna" }),
        )
        .await;
    browser.make("lead", json!({ "name": "Lea", "email": "lea@a.example" })).await;
    browser.make("opportunity", json!({ "name": "Lamps", "amount": "100 EUR" })).await;
    let ticket = json!({ "subject": "A lamp", "customer": "contact/anna", "owner": user, "external_id": "lamp" });
    browser.make("ticket", ticket).await;
    browser
        .make(
            "task",
            json!({ "title": "Call her", "assignee": user, "due_at": "2026-12-13T09:00:00Z" }),
        )
        .await;
    browser
}

fn check(page: &Page) {
    let path = &page.path;
    assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text());
    assert!(page.faults().is_empty(), "{path}: {:?}", page.faults());
    assert!(page.html.len() < LONGEST, "{path} has {} bytes", page.html.len());
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}");
    assert_eq!(page.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
    assert_eq!(page.headers[header::CACHE_CONTROL], "no-store", "{path}");
    for script in page.all("script", None) {
        assert!(script.text().is_empty(), "{path} has a script in it");
        assert!(script.attribute("src").unwrap().starts_with("/assets/"), "{path}");
    }
    for element in page.elements() {
        for forbidden in ["style", "onclick", "onsubmit", "onload"] {
            assert!(
                element.attribute(forbidden).is_none(),
                "{path}: the policy forbids `{forbidden}`"
            );
        }
        let is_control = matches!(element.tag().as_str(), "input" | "select" | "textarea");
        let is_seen = element.attribute("type").as_deref() != Some("hidden");
        if is_control && is_seen {
            assert!(element.attribute("name").is_some(), "{path} has a control without a name");
        }
    }
    assert_eq!(page.all("h1", None).len(), 1, "{path} has one title");
    let labelled = page.all("label", None).len();
    assert!(labelled > 0 || page.all("textarea", None).is_empty(), "{path}");
}

/// Every page to which links lead from the first one, each once. Lists are
/// followed by their paths alone.
async fn walk(browser: &Browser) -> Vec<Page> {
    let mut known = BTreeSet::from(["/inbox".to_owned()]);
    let mut left = vec!["/inbox".to_owned()];
    let mut pages = Vec::new();
    while let Some(path) = left.pop() {
        let page = browser.get(&path).await;
        for link in page.all("a", None) {
            let Some(href) = link.attribute("href") else { continue };
            let Some(path) = href.split(['?', '#']).next().filter(|path| path.starts_with('/'))
            else {
                continue;
            };
            let path = if path == "/" { "/inbox" } else { path };
            if known.insert(path.to_owned()) {
                left.push(path.to_owned());
            }
        }
        pages.push(page);
    }
    pages
}

#[tokio::test]
async fn every_page_is_there_and_as_it_should_be() {
    let browser = company().await;
    let pages = walk(&browser).await;
    pages.iter().for_each(check);
    let paths: Vec<&str> = pages.iter().map(|page| page.path.as_str()).collect();
    for path in [
        "/inbox",
        "/tasks",
        "/approvals",
        "/records",
        "/records/contact",
        "/records/ticket",
        "/boards/lead",
        "/boards/opportunity",
        "/new/contact",
        "/runs",
        "/workflows",
        "/routing",
        "/plugins",
        "/admin",
        "/workflows/route-tickets",
    ] {
        assert!(paths.contains(&path), "no link leads to {path}: {paths:?}");
    }
    assert!(paths.iter().any(|path| path.starts_with("/tickets/")), "{paths:?}");
    assert!(paths.iter().any(|path| path.ends_with("/edit")), "{paths:?}");
}

#[tokio::test]
async fn the_same_pages_in_chinese_and_dark() {
    let browser = company().await;
    let page = browser.get("/inbox").await;
    page.send("/look", &[("lang", "zh"), ("theme", "dark")], &browser).await.leads_to();
    let page = browser.get("/inbox").await;
    let html = page.all("html", None);
    assert_eq!(html[0].attribute("lang").as_deref(), Some("zh"));
    assert_eq!(html[0].attribute("data-theme").as_deref(), Some("dark"));
    assert!(page.text().contains("收件箱") && page.text().contains("我的"), "{}", page.text());
    for page in walk(&browser).await {
        check(&page);
        let title = page.texts("title", None).join("");
        assert!(!title.contains("Inbox") && !title.contains("Runs"), "{}: {title}", page.path);
    }
}

#[tokio::test]
async fn a_page_that_is_not_there_says_so() {
    let browser = company().await;
    for path in ["/tickets/nobody", "/records/contact/nobody", "/runs/none", "/workflows/none"] {
        let page = browser.get(path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        assert!(page.text().contains("There is nothing here"), "{path}");
        assert!(page.headers.contains_key(header::CONTENT_SECURITY_POLICY), "{path}");
    }
}

#[tokio::test]
async fn what_is_beside_a_page_is_kept_for_as_long_as_it_is_the_same() {
    let browser = company().await;
    let mut kinds = BTreeSet::new();
    for page in [browser.another().get("/login").await, browser.get("/inbox").await] {
        let of = |tag, name| {
            page.all(tag, None).into_iter().filter_map(move |element| element.attribute(name))
        };
        for address in of("link", "href").chain(of("img", "src")).chain(of("script", "src")) {
            let file = browser.get(&address).await;
            assert_eq!(file.status, StatusCode::OK, "{address}");
            assert!(address.starts_with("/assets/") && address.contains("?v="), "{address}");
            let kept = file.headers[header::CACHE_CONTROL].to_str().unwrap();
            assert!(kept.contains("immutable"), "{address}: {kept}");
            assert!(file.html.len() < 60_000, "{address} has {} bytes", file.html.len());
            kinds.insert(file.headers[header::CONTENT_TYPE].to_str().unwrap().to_owned());
        }
    }
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        ["image/svg+xml", "text/css; charset=utf-8", "text/javascript; charset=utf-8"]
    );
}

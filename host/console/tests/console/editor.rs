//! What the editor of a workflow's text asks.

use axum::http::{Method, StatusCode, header};
use serde_json::Value as Json;

use crate::browser::{Browser, Page};

const TEXT: &str = "\
workflow: thanks
when:
  - created: ticket
steps:
  - do: notify.role
    role: head-of-support
    about: =ticket
    text: \"客户 😀 {{ ticket.subjekt }}\"
";

/// What the host says about a text, asked as the page's script asks it.
async fn ask(browser: &Browser, page: &Page, about: &str, more: &[(&str, &str)]) -> Page {
    let mut form = page.form("/workflows/new");
    form.retain(|(name, _)| name == "form_token");
    form.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let headers = [("sec-fetch-site", "same-origin")];
    browser.ask(Method::POST, &format!("/workflows/new/{about}"), &headers, Some(&form)).await
}

fn json(page: &Page) -> Json {
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    assert_eq!(page.headers[header::CONTENT_TYPE], "application/json");
    serde_json::from_str(&page.html).unwrap()
}

/// The part of a text between two places as a browser counts them.
fn part(text: &str, from: &Json, to: &Json) -> String {
    let units: Vec<u16> = text.encode_utf16().collect();
    let place = |json: &Json| usize::try_from(json.as_u64().unwrap()).unwrap();
    String::from_utf16(&units[place(from)..place(to)]).unwrap()
}

#[tokio::test]
async fn it_is_told_what_is_wrong_where_and_how_it_is_mended() {
    let browser = Browser::open().await;
    browser.log_in_as("mara", &["administrator"]).await;
    let page = browser.get("/workflows/new").await;
    let told = json(&ask(&browser, &page, "check", &[("source", TEXT)]).await);
    let found = &told["diagnostics"][0];
    assert_eq!(found["severity"], "error", "{told}");
    assert!(found["message"].as_str().unwrap().starts_with("line 8:"), "{told}");
    let fix = &found["fix"];
    assert_eq!(part(TEXT, &fix["from"], &fix["to"]), "subjekt", "{told}");
    assert_eq!(fix["text"], "subject");
    assert!(told["findings"].as_str().unwrap().contains("subjekt"), "{told}");
    assert_eq!((&told["picture"], &told["found"]), (&Json::Null, &Json::from("1 found")));

    // The same text, mended: a picture, and nothing found.
    let mended = TEXT.replace("subjekt", "subject");
    let told = json(&ask(&browser, &page, "check", &[("source", &mended)]).await);
    assert_eq!(told["diagnostics"], serde_json::json!([]), "{told}");
    assert!(told["picture"].as_str().unwrap().contains("data:image/svg+xml"), "{told}");
}

#[tokio::test]
async fn it_is_told_what_can_stand_at_a_place_and_what_stands_there() {
    let browser = Browser::open().await;
    browser.log_in_as("mara", &["administrator"]).await;
    let page = browser.get("/workflows/new").await;
    let place = TEXT.split("subjekt").next().unwrap().encode_utf16().count();
    let offset = (place + 3).to_string();
    let asked = [("source", TEXT), ("offset", &offset)];
    let told = json(&ask(&browser, &page, "complete", &asked).await);
    let items = told["items"].as_array().unwrap();
    let subject = items.iter().find(|item| item["label"] == "subject").unwrap();
    assert_eq!(part(TEXT, &subject["from"], &subject["to"]), "sub", "{subject}");

    let place = TEXT.split("notify").next().unwrap().encode_utf16().count();
    let offset = (place + 2).to_string();
    let asked = [("source", TEXT), ("offset", &offset)];
    let told = json(&ask(&browser, &page, "hover", &asked).await);
    assert_eq!(part(TEXT, &told["from"], &told["to"]), "notify.role", "{told}");
    assert!(!told["text"].as_str().unwrap().is_empty());
    let asked = [("source", TEXT), ("offset", "soon")];
    assert_eq!(ask(&browser, &page, "hover", &asked).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn it_is_for_those_who_see_workflows_and_for_our_own_pages() {
    let browser = Browser::open().await;
    browser.log_in_as("mara", &["administrator"]).await;
    let page = browser.get("/workflows/new").await;
    let agent = browser.another();
    agent.log_in_as("lea", &["agent"]).await;
    let inbox = agent.get("/inbox").await;
    let token = inbox.form("/presence").into_iter().find(|(name, _)| name == "form_token").unwrap();
    for about in ["check", "complete", "hover"] {
        let path = format!("/workflows/new/{about}");
        let form = [token.clone(), ("source".into(), TEXT.into()), ("offset".into(), "3".into())];
        let headers = [("sec-fetch-site", "same-origin")];
        let refused = agent.ask(Method::POST, &path, &headers, Some(&form)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{about}");
        let foreign = [("source".to_owned(), TEXT.to_owned())];
        let refused = browser.ask(Method::POST, &path, &headers, Some(&foreign)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{about}");
    }
    // The text field is there for whoever has no script, the script beside it.
    assert!(page.form("/workflows/new").iter().any(|(name, _)| name == "source"));
    let scripts = page.all("script", None).into_iter().filter_map(|script| script.attribute("src"));
    let editor = scripts.into_iter().find(|src| src.starts_with("/assets/editor.js?v=")).unwrap();
    let headers = [("accept-encoding", "gzip")];
    let plain = browser.get(&editor).await;
    assert_eq!(plain.headers[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
    assert!(plain.headers.get(header::CONTENT_ENCODING).is_none());
    let packed = browser.bytes(&editor, &headers).await;
    assert!(packed.starts_with(&[0x1f, 0x8b]) && packed.len() < 150_000, "{}", packed.len());
}

//! The files of a ticket's messages: links that save them, for those who may
//! see the ticket, and nothing that runs.

use axum::http::{Method, StatusCode};
use relata_app::{TakenMail, TakenMessage};
use serde_json::json;

use crate::browser::{Browser, Page};

/// A mail with a picture, a page, a file without a name, and one that is no
/// picture but says so.
const MAIL: &str = "From: Anna <anna@a.example>\r\nTo: help@shop.example\r\nSubject: It is broken\r\n\
    Message-ID: <1@a.example>\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=\"=_b\"\r\n\r\n\
    --=_b\r\nContent-Type: text/plain\r\n\r\nSee below.\r\n\
    --=_b\r\nContent-Type: image/png\r\n\
    Content-Disposition: inline; filename*0*=utf-8''%E6%88%AA%E5%9B%BE; filename*1*=%20%3C1%3E.png\r\n\r\nPNG\r\n\
    --=_b\r\nContent-Type: text/html\r\n\
    Content-Disposition: attachment; filename=\"page.html\"\r\n\r\n<script>alert(1)</script>\r\n\
    --=_b\r\nContent-Type: image/svg+xml\r\nContent-Disposition: attachment\r\n\r\n<svg/>\r\n\
    --=_b--\r\n";

async fn taken(browser: &Browser) -> TakenMessage {
    match browser.app.take_mail(MAIL.as_bytes().to_vec()).await.unwrap() {
        TakenMail::Message(taken) => taken,
        other => panic!("it is no message: {other:?}"),
    }
}

#[tokio::test]
async fn each_file_is_a_link_that_saves_it() {
    let browser = Browser::open().await;
    browser.log_in_as("mara", &["agent", "manager"]).await;
    let taken = taken(&browser).await;
    let ticket = format!("/tickets/{}", taken.ticket.key);
    let page = browser.get(&ticket).await;
    let told = [
        "截图 <1>.png (image/png, 3 B)",
        "page.html (text/html, 25 B)",
        "File without a name (image/svg+xml, 6 B)",
    ];
    let mut lines = Vec::new();
    for text in told {
        let file = browser.get(&page.link(text)).await;
        assert_eq!(file.status, StatusCode::OK);
        let header = |name: &str| file.headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-security-policy"), "sandbox; default-src 'none'");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("cache-control"), "no-store");
        lines.push(format!(
            "{} | {} | {}",
            header("content-type"),
            header("content-disposition"),
            header("content-length")
        ));
    }
    assert_eq!(
        lines,
        [
            "image/png | attachment; filename*=UTF-8''%E6%88%AA%E5%9B%BE%20%3C1%3E.png | 3",
            "application/octet-stream | attachment; filename*=UTF-8''page.html | 25",
            "application/octet-stream | attachment; filename*=UTF-8''attachment-3 | 6",
        ]
    );
    // The picture alone is shown, and from here.
    let pictures = page.all("img", None);
    let pictures = pictures.iter().filter_map(|picture| picture.attribute("src"));
    let pictures: Vec<String> = pictures.filter(|from| !from.starts_with("/assets/")).collect();
    let address = |number: u32| format!("/messages/{}/files/{number}", taken.message.key);
    assert_eq!(pictures, [address(1)]);
    for wrong in [address(4), address(0), format!("/messages/{}/files/x", taken.message.key)] {
        assert_eq!(browser.get(&wrong).await.status, StatusCode::NOT_FOUND, "{wrong}");
    }
    page.send("/look", &[("lang", "zh"), ("theme", "dark")], &browser).await.leads_to();
    let page = browser.get(&ticket).await;
    assert!(page.text().contains("未命名文件 (image/svg+xml, 6 B)"), "{}", page.text());
}

#[tokio::test]
async fn whoever_may_not_see_the_ticket_saves_none_of_its_files() {
    let company = Browser::open().await;
    let taken = taken(&company).await;
    let file = format!("/messages/{}/files/2", taken.message.key);
    let role = json!({
        "name": "blind", "external_id": "blind",
        "may": ["ticket: see", "message: see", "message.attachments: hidden"],
    });
    company.make("role", role).await;
    for (name, role, status) in [
        ("ann", "agent", StatusCode::FORBIDDEN),
        ("mel", "manager", StatusCode::OK),
        ("blind", "blind", StatusCode::FORBIDDEN),
    ] {
        let browser = company.another();
        browser.log_in_as(name, &[role]).await;
        assert_eq!(browser.get(&file).await.status, status, "{name}");
        let page = browser.get(&format!("/tickets/{}", taken.ticket.key)).await;
        assert_eq!(page.html.contains("page.html"), status == StatusCode::OK, "{name}");
    }
    let stranger = company.another();
    assert_eq!(stranger.get(&file).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_message_from_before_says_what_came_with_it() {
    let browser = Browser::open().await;
    browser.log_in_as("mara", &["agent", "manager"]).await;
    let ticket = browser.make("ticket", json!({ "subject": "Old" })).await;
    let message = json!({
        "ticket": ticket.to_string(), "direction": "in", "body": "See.",
        "attachments": ["picture.jpg (image/jpeg, 120 KiB)"],
    });
    browser.make("message", message).await;
    let page = browser.get(&format!("/tickets/{}", ticket.key)).await;
    assert!(page.text().contains("picture.jpg (image/jpeg, 120 KiB)"), "{}", page.text());
    assert!(page.all("a", None).iter().all(|link| !link.text().contains("picture.jpg")));
}

#[tokio::test]
async fn an_answer_and_a_note_take_files() {
    let browser = Browser::open().await;
    browser.log_in_as("mara", &["agent", "manager"]).await;
    let taken = taken(&browser).await;
    let ticket = format!("/tickets/{}", taken.ticket.key);
    let written = |page: &Page, action: &str, text: &str| {
        let mut fields = page.form(action);
        fields.retain(|(name, _)| name != "files" && name != "text");
        fields.push(("text".to_owned(), text.to_owned()));
        fields
    };
    for (act, text) in [("reply", "Like this:\nsee there."), ("note", "Mind this.")] {
        let action = format!("{ticket}/{act}");
        let page = browser.get(&ticket).await;
        let fields = written(&page, &action, text);
        let name = format!("{act} 截图.png");
        let sent =
            browser.send_files(&action, &fields, &[(&name, act.as_bytes()), ("", b"")]).await;
        assert!(sent.leads_to().starts_with(&ticket));
        let page = browser.get(&ticket).await;
        assert!(
            page.texts("div", Some("body")).contains(&text.replace('\n', " ")),
            "{}",
            page.text()
        );
        let file = browser.get(&page.link(&format!("{name} (image/png, {} B)", act.len()))).await;
        assert_eq!(file.html, act);
    }
    // Nothing is chosen.
    let page = browser.get(&ticket).await;
    let action = format!("{ticket}/reply");
    let fields = written(&page, &action, "No file.");
    assert!(
        browser.send_files(&action, &fields, &[("", b"")]).await.leads_to().starts_with(&ticket)
    );
    assert!(browser.get(&ticket).await.text().contains("No file."));

    // Too much: what was written is still there.
    let page = browser.get(&ticket).await;
    let fields = written(&page, &action, "With a film.");
    let film = vec![b'x'; (25 << 20) + 1];
    let again = browser.send_files(&action, &fields, &[("a.png", b"a"), ("film", &film)]).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.text().contains("more than 25 MiB together"), "{}", again.text());
    assert!(again.texts("textarea", None).contains(&"With a film.".to_owned()));
    let messages = browser.app.records_all("message").await.unwrap();
    assert_eq!(messages.len(), 4);

    // Whoever brings no token of this session brings nothing.
    let foreign = [("text".to_owned(), "Hello".to_owned()), ("nonce".to_owned(), "9".to_owned())];
    let refused = browser.send_files(&action, &foreign, &[("a.png", b"a")]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    // What is no whole form is none.
    let kind = [("content-type", "multipart/form-data; boundary=x")];
    let cut = browser.ask(Method::POST, &action, &kind, Some(&fields)).await;
    assert_eq!(cut.status, StatusCode::BAD_REQUEST);
}

//! Without a mouse.

use serde_json::json;

use super::{
    chromium::{Chromium, Key, Look, Page},
    company::{Company, LOG_IN},
};

/// The most presses of a key that anybody can be asked for.
const MOST: usize = 60;

/// Goes on with Tab until what has the focus is called so, and is seen to have it.
fn tab_to(page: &Page<'_>, name: &str) {
    for _ in 0..MOST {
        page.key(Key::Tab);
        let focus = page.evaluate(
            "(() => {
                const one = document.activeElement;
                const label = one.labels?.length ? one.labels[0].innerText : one.innerText;
                const style = getComputedStyle(one);
                return [label.trim(), style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0];
            })()",
        );
        if focus[0].as_str().is_some_and(|text| text.starts_with(name)) {
            assert_eq!(focus[1], true, "nobody sees that `{name}` has the focus");
            return;
        }
    }
    panic!("the Tab key does not lead to `{name}`");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_is_answered_by_the_keyboard_alone() {
    let company = Company::new(&[], |settings| settings).await;
    let lea = json!({ "name": "Lea Novak", "email": "lea@shop.example", "team": "team/support", "roles": ["agent"] });
    let lea = company.hire(lea).await;
    let anna = json!({ "name": "Anna Weber", "email": "anna@example.org" });
    let anna = company.make("contact", anna).await;
    let ticket = json!({ "subject": "Where is my lamp?", "customer": anna.to_string(), "owner": lea.to_string(), "status": "open" });
    let ticket = company.make("ticket", ticket).await;
    let _server = company.serve(company.place.command());
    let browser = Chromium::start();
    let page = browser.page(Look::DESK);
    page.open(&company.url("/login"));
    // The first field has the focus by itself, once the page is drawn.
    page.waits_for("document.activeElement.matches('input')");
    page.types("lea@shop.example");
    tab_to(&page, LOG_IN[1]);
    page.types(super::company::PASSWORD);
    page.key(Key::Enter);
    page.waits_for("location.pathname === '/inbox' && document.readyState === 'complete'");

    // Past the navigation, to the ticket.
    page.key(Key::Tab);
    page.waits_for("document.activeElement.matches('.skip')");
    page.key(Key::Enter);
    page.waits_for("location.hash === '#main'");
    tab_to(&page, "Anna Weber");
    page.key(Key::Enter);
    page.waits_for(&format!(
        "location.pathname === '/tickets/{}' && document.readyState === 'complete'",
        ticket.key
    ));
    tab_to(&page, "Reply to Anna Weber");
    page.types("Hello Anna, it is on its way.");
    tab_to(&page, "Send");
    page.key(Key::Space);
    page.sees("Lea Novak replied");
    assert_eq!(page.faults(), [""; 0]);
    let messages = company.app.records_all("message").await.unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].field("body").to_string(), "Hello Anna, it is on its way.");
}

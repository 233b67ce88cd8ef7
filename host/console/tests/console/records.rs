//! Lists, records and their forms.

use axum::http::StatusCode;
use serde_json::json;

use crate::browser::{Browser, Page};

/// The first cells of a list's rows.
fn names(page: &Page) -> Vec<String> {
    let cells = page.all("td", None);
    let width = page.all("th", None).len();
    cells.iter().step_by(width).map(|cell| cell.text()).collect()
}

async fn company() -> Browser {
    let browser = Browser::open().await;
    browser.log_in_as("mara", &["manager"]).await;
    for (name, tier, country) in
        [("Anna", "gold", "DE"), ("Bo", "standard", "CN"), ("Cem", "gold", "DE")]
    {
        let fields = json!({
            "name": name, "tier": tier, "country": country, "external_id": name.to_lowercase(),
            "email": format!("{name}@a.example"),
        });
        browser.make("contact", fields).await;
    }
    browser
}

#[tokio::test]
async fn a_list_is_narrowed_sorted_and_searched_by_its_address() {
    let browser = company().await;
    assert_eq!(names(&browser.get("/records/contact").await), ["Cem", "Bo", "Anna"]);
    assert_eq!(names(&browser.get("/records/contact?tier=gold&sort=name").await), ["Anna", "Cem"]);
    assert_eq!(names(&browser.get("/records/contact?q=an").await), ["Anna"]);
    assert_eq!(names(&browser.get("/records/contact?q=bo@a").await), ["Bo"]);
    let page = browser.get("/records/contact?q=nn").await;
    assert!(
        page.text().contains("Nothing meets all of this"),
        "no word begins so: {}",
        page.text()
    );
    let page = browser.get("/records/contact?q=%E2%80%A6").await;
    assert!(page.text().contains("takes words to look for"), "{}", page.text());
    let page =
        browser.get("/records/contact?field=country&comparison=ne&value=DE&tier=standard").await;
    assert_eq!(page.leads_to(), "/records/contact?tier=standard&country.ne=DE");
    let page = browser.get("/records/contact?tier=gold").await;
    let without = page.all("span", Some("chip"));
    assert_eq!(without.len(), 1);
    assert!(without[0].text().starts_with("Tier is Gold"), "{}", without[0].text());
    let page = browser.get("/records/contact?colour=red").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text().contains("no field `colour`"), "{}", page.text());
    let page = browser.get("/records/contact?tier=silver").await;
    assert!(page.text().contains("Nothing meets all of this"), "{}", page.text());
    let page = browser.get("/records/campaign").await;
    assert!(page.text().contains("relata import campaign"), "{}", page.text());
}

#[tokio::test]
async fn a_form_says_beside_the_field_what_is_wrong_and_keeps_the_rest() {
    let browser = company().await;
    let page = browser.get("/new/contact").await;
    let filled = [
        ("f.name", "Dora"),
        ("f.email", "anna@a.example"),
        ("f.country", "Germany"),
        ("f.birthday", "yesterday"),
    ];
    let page = page.send("/new/contact", &filled, &browser).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    let wrong: Vec<String> = page.texts("p", Some("error"));
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(page.form("/new/contact").contains(&("f.name".to_owned(), "Dora".to_owned())));
    let filled = [("f.country", "DE"), ("f.birthday", "1990-02-03"), ("f.email", "anna@a.example")];
    let page = page.send("/new/contact", &filled, &browser).await;
    assert_eq!(page.texts("p", Some("error")).len(), 1, "there is somebody of this address");
    let page = page.send("/new/contact", &[("f.email", "dora@a.example")], &browser).await;
    let page = browser.get(page.leads_to()).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text().contains("1990-02-03"), "{}", page.text());
}

#[tokio::test]
async fn a_change_sets_what_was_changed_and_notices_a_change_of_somebody_else() {
    let browser = company().await;
    let anna = browser.app.record(&"contact/anna".parse().unwrap()).await.unwrap().reference;
    let path = format!("/records/{anna}");
    let page = browser.get(&format!("{path}/edit")).await;
    page.send(&path, &[("f.phone", "+49 30 1")], &browser).await.leads_to();
    let record = browser.app.record(&anna).await.unwrap();
    assert_eq!(record.field("phone").to_string(), "+49 30 1");
    assert_eq!(record.revision, 2);
    // The form is of the revision before.
    let again = page.send(&path, &[("f.phone", "+49 30 2")], &browser).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.text().contains("changed it meanwhile"), "{}", again.text());
    assert_eq!(browser.app.record(&anna).await.unwrap().revision, 2);
}

#[tokio::test]
async fn a_customer_is_seen_from_all_sides_the_complaints_first() {
    let browser = company().await;
    for subject in ["one", "two", "three", "four"] {
        let fields = json!({ "subject": subject, "customer": "contact/anna", "type": "complaint" });
        browser.make("ticket", fields).await;
    }
    browser.make("order", json!({ "ref": "O-7", "contact": "contact/anna" })).await;
    let page = browser.get("/records/contact/anna").await;
    let sections = page.texts("section", Some("card"));
    assert!(sections[0].starts_with("Last complaints four"), "{}", sections[0]);
    assert!(!sections[0].contains("one"), "three are enough: {}", sections[0]);
    assert!(sections.iter().any(|section| section.contains("O-7")), "{sections:?}");
    let timeline = page.elements();
    let timeline = timeline.iter().find(|one| one.attribute("id").as_deref() == Some("timeline"));
    assert!(timeline.unwrap().text().contains("created"));
}

#[tokio::test]
async fn leads_move_on_a_board_and_only_where_they_may() {
    let browser = company().await;
    let lead = browser.make("lead", json!({ "name": "Lea", "email": "lea@a.example" })).await;
    let page = browser.get("/boards/lead").await;
    let moves: Vec<String> =
        page.all("button", None).iter().filter_map(|one| one.attribute("value")).collect();
    assert!(moves.contains(&"assigned".to_owned()) && !moves.contains(&"converted".to_owned()));
    let action = format!("/records/{lead}/move");
    let done = page.send(&action, &[("to", "assigned")], &browser).await;
    assert_eq!(done.leads_to(), "/boards/lead");
    let refused = page.send(&action, &[("to", "converted")], &browser).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.text().contains("cannot go from assigned to converted"), "{}", refused.text());
}

#[tokio::test]
async fn a_role_sees_and_sets_the_fields_that_it_may() {
    let browser = company().await;
    let lines = json!(["contact: see, change", "contact.phone: hidden", "contact.tier: read only"]);
    browser.make("role", json!({ "name": "Helper", "external_id": "helper", "may": lines })).await;
    let helper = browser.another();
    helper.log_in_as("hans", &["helper"]).await;
    let page = helper.get("/records/contact/anna").await;
    assert!(page.text().contains("Gold"), "{}", page.text());
    let edit = helper.get("/records/contact/anna/edit").await;
    let names: Vec<String> =
        edit.all("input", None).iter().filter_map(|one| one.attribute("name")).collect();
    assert!(names.contains(&"f.name".to_owned()), "{names:?}");
    assert!(!names.contains(&"f.phone".to_owned()), "{names:?}");
    let selects: Vec<String> =
        edit.all("select", None).iter().filter_map(|one| one.attribute("name")).collect();
    assert!(!selects.contains(&"f.tier".to_owned()), "{selects:?}");
    assert_eq!(helper.get("/records/contact?phone=1").await.status, StatusCode::FORBIDDEN);
}

//! A web form, as a visitor's browser meets it: from the page to the ticket.

use std::time::Duration;

use relata_app::model::{Fields, Reference, Value};
use relata_server::Limits;

use crate::served::{Served, hidden, read};

/// Longer than a program takes to fill in a form, and shorter than a person.
const A_LOOK: Duration = Duration::from_millis(2_050);

/// A company with a form at `/f/contact`, and one that is closed.
async fn served() -> Served {
    let served = Served::start_with(&[], Limits::default()).await;
    let list = |items: &[&str]| {
        Value::List(items.iter().map(|item| Value::Text((*item).to_owned())).collect())
    };
    let mut form: Fields = [
        ("external_id", "contact"),
        ("title", "Write to us"),
        ("title_de", "Schreiben Sie uns"),
        ("intro", "We answer <soon>."),
        ("category", "website"),
        ("type", "request"),
    ]
    .into_iter()
    .map(|(name, text)| (name.to_owned(), Value::Text(text.to_owned())))
    .collect();
    let queue: Reference = "queue/support".parse().unwrap();
    form.insert("queue".to_owned(), Value::Reference(queue));
    let asks = ["priority*: How urgent is it? | de: Wie eilig ist es?", "no_such_field"];
    form.insert("asks".to_owned(), list(&asks));
    let sites = ["https://www.example.com", "nonsense"];
    form.insert("allowed_origins".to_owned(), list(&sites));
    served.app.create_record("form", form.clone(), "test").await.unwrap();
    form.insert("external_id".to_owned(), Value::Text("closed".to_owned()));
    form.insert("active".to_owned(), Value::YesNo(false));
    served.app.create_record("form", form, "test").await.unwrap();
    served
}

/// What Anna typed, on this page.
fn typed<'a>(page: &'a str, message: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![("nonce", hidden(page, "nonce")), ("seal", hidden(page, "seal"))];
    fields.extend(said(message));
    fields
}

fn said(message: &str) -> [(&str, &str); 5] {
    [
        ("name", "Anna Wolf"),
        ("email", " Anna@wolf.example "),
        ("subject", "Where is it?"),
        ("priority", "high"),
        ("message", message),
    ]
}

/// The tickets, as lines.
async fn tickets(served: &Served) -> Vec<String> {
    let tickets = served.app.records_all("ticket").await.unwrap();
    let line = |ticket: &relata_app::model::Record| {
        ["subject", "body", "channel", "type", "category", "priority"]
            .map(|field| ticket.field(field).to_string())
            .join("|")
    };
    tickets.iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_one_ticket_however_often_it_is_sent() {
    let served = served().await;
    let (status, page) = served.look("/f/contact?lang=de").await;
    assert_eq!(status, 200);
    for text in ["Schreiben Sie uns", "We answer &lt;soon&gt;.", "Wie eilig ist es?", "Ihr Name"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(!page.contains("no_such_field") && !page.contains("<script"), "{page}");
    tokio::time::sleep(A_LOOK).await;
    let form = typed(&page, "It is\r\nlate");
    let path = "/f/contact?lang=de";
    let (first, second) = tokio::join!(served.send(path, &form), served.send(path, &form));
    let mut refs = Vec::new();
    for response in [first, second] {
        assert_eq!(response.status(), 303, "{}", response.text().await.unwrap());
        let location = response.headers()["location"].to_str().unwrap().to_owned();
        let (status, page) = served.look(&format!("/f/{location}")).await;
        assert_eq!(status, 200);
        assert!(page.contains("Sie hat die Nummer T-"), "{page}");
        refs.push(page.split("Nummer ").nth(1).unwrap().split('.').next().unwrap().to_owned());
    }
    assert_eq!(refs[0], refs[1]);
    assert_eq!(tickets(&served).await, ["Where is it?|It is\nlate|web|request|website|high"]);
    let ticket = &served.app.records_all("ticket").await.unwrap()[0];
    assert_eq!(ticket.field("ref").to_string(), refs[0]);
    let queue = served.app.record(&"queue/support".parse().unwrap()).await.unwrap().reference;
    assert_eq!(ticket.field("queue"), &Value::Reference(queue));
    let anna = &served.app.records_all("contact").await.unwrap()[0];
    let told = ["name", "email", "locale"].map(|field| anna.field(field).to_string());
    assert_eq!(told, ["Anna Wolf", "anna@wolf.example", "de"]);
    assert_eq!(served.app.records_all("message").await.unwrap().len(), 1);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_stands_beside_its_field_and_what_was_typed_is_kept() {
    let served = served().await;
    let (_, page) = served.look("/f/contact?lang=en").await;
    tokio::time::sleep(A_LOOK).await;
    let long = "x".repeat(20_001);
    let form = [
        ("nonce", hidden(&page, "nonce")),
        ("seal", hidden(&page, "seal")),
        ("name", "  "),
        ("email", "anna@"),
        ("subject", "\"><script>"),
        ("priority", "very"),
        ("message", &long),
    ];
    let (status, page) = read(served.send("/f/contact?lang=en", &form).await).await;
    assert_eq!(status, 422);
    for (field, error) in [
        ("name", "Please fill this in."),
        ("email", "This is not a complete e-mail address, such as anna@example.com."),
        ("priority", "This cannot be taken here; please check it."),
        ("message", "Please use at most 20000 characters."),
    ] {
        let told = format!("<p class=\"wrong\" id=\"e-{field}\">{error}</p>");
        assert!(page.contains(&told), "{told}: {page}");
    }
    assert!(!page.contains("id=\"e-subject\""), "{page}");
    assert!(page.contains("value=\"anna@\"") && page.contains(&long), "{page}");
    assert!(page.contains("&quot;&gt;&lt;script&gt;") && !page.contains("<script"), "{page}");
    assert_eq!(tickets(&served).await, Vec::<String>::new());
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_of_another_site_is_asked_once_more_here() {
    let served = served().await;
    let (status, page) = read(served.send("/f/contact", &said("From elsewhere")).await).await;
    assert_eq!(status, 422);
    assert!(page.contains("Nearly there") && page.contains("From elsewhere"), "{page}");
    // At once, as a program would.
    let form = typed(&page, "From elsewhere");
    assert_eq!(served.send("/f/contact", &form).await.status(), 422);
    tokio::time::sleep(A_LOOK).await;
    let mut filled = form.clone();
    filled.push(("website", "http://spam.example"));
    assert_eq!(served.send("/f/contact", &filled).await.status(), 422);
    assert_eq!(tickets(&served).await, Vec::<String>::new());
    assert_eq!(served.send("/f/contact", &form).await.status(), 303);
    // Another message of the same page is one more, if it is meant.
    let other = typed(&page, "And one thing more");
    let (status, page) = read(served.send("/f/contact", &other).await).await;
    assert_eq!(status, 409);
    assert!(page.contains("You have sent a message from this page already."), "{page}");
    tokio::time::sleep(A_LOOK).await;
    let other = typed(&page, "And one thing more");
    assert_eq!(served.send("/f/contact", &other).await.status(), 303);
    assert_eq!(tickets(&served).await.len(), 2);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_stands_in_the_pages_of_those_who_may_and_says_nothing_that_is_not_ours() {
    let served = served().await;
    let policy = async |path: &str| {
        let response = served.request(reqwest::Method::GET, path).send().await.unwrap();
        response.headers()["content-security-policy"].to_str().unwrap().to_owned()
    };
    assert!(policy("/f/contact").await.ends_with("frame-ancestors 'none'"));
    let embedded = policy("/f/contact?embed=1").await;
    assert!(embedded.ends_with("frame-ancestors https://www.example.com"), "{embedded}");
    for path in [
        "/f/nothing",
        "/f/closed",
        "/f/contact/sent",
        "/f/contact/sent?ref=T-1",
        "/f/contact/sent?ref=Call%20me&seal=1797231600000.AAAAAAAAAAAAAAAAAAAAAA",
    ] {
        let (status, page) = served.look(path).await;
        assert_eq!(status, 404, "{path}");
        assert!(!page.contains("Call me"), "{page}");
    }
    assert_eq!(served.send("/f/closed", &said("Hello")).await.status(), 404);
    let found = served.app.doctor(false).await.unwrap();
    let wrong = found.iter().find(|finding| finding.code == "wrong-form").unwrap();
    assert_eq!(
        wrong.examples,
        [
            "form/contact: `no_such_field` is no field of ticket",
            "form/contact: `nonsense` is no site such as https://www.example.com",
        ]
    );
    served.stop().await;
}

//! The page of a survey, as a customer's browser meets it: from the mail to
//! the event that a workflow waits for.

use std::{path::Path, time::Duration};

use relata_app::{
    App, Running,
    model::{Fields, Record, Reference, Value},
    store::EffectFilter,
};
use relata_server::Limits;
use reqwest::Method;
use tempfile::TempDir;

use crate::served::{Served, hidden, now, read, share_compiled_plugins};

const SURVEY: &str = include_str!("../../../../workflows/inquiry-survey.yaml");

/// Longer than a program takes to send a page back, and shorter than a person.
const A_LOOK: Duration = Duration::from_millis(1_050);

/// A company whose mails have links.
pub(crate) async fn company(folder: &Path) -> App {
    let root = folder.join("data");
    let app = App::create(&root, Some(now())).await.unwrap();
    app.close().await;
    let config = root.join("relata.toml");
    let settings = std::fs::read_to_string(&config).unwrap();
    let settings = format!("public_url = \"https://desk.example.com/help/\"\n{settings}");
    std::fs::write(&config, settings).unwrap();
    share_compiled_plugins(&root);
    App::open(&root).await.unwrap()
}

fn texts(given: &[(&str, &str)]) -> Fields {
    given.iter().map(|(name, text)| ((*name).to_owned(), Value::Text((*text).to_owned()))).collect()
}

async fn at(app: &App, time: &str) {
    app.advance_to(time.parse().unwrap(), |_| ()).await.unwrap();
}

/// A customer's inquiry that was solved, and the survey a day later.
pub(crate) async fn asked(app: &App, locale: &str) -> Reference {
    app.activate("s.yaml", SURVEY, "test", Running::Finish).await.unwrap();
    let anna = [("name", "Anna Wolf"), ("email", "anna@wolf.example"), ("locale", locale)];
    let anna = app.create_record("contact", texts(&anna), "test").await.unwrap().reference;
    let mut ticket = texts(&[("ref", "T-1"), ("subject", "Where is it?"), ("status", "open")]);
    ticket.insert("customer".to_owned(), Value::Reference(anna.clone()));
    let ticket = app.create_record("ticket", ticket, "test").await.unwrap().reference;
    at(app, "2026-12-14T09:30:00Z").await;
    app.update_record(&ticket, texts(&[("status", "solved")]), "test").await.unwrap();
    at(app, "2026-12-15T10:00:00Z").await;
    anna
}

/// The links of the mail, as its text has them, without what is the same in
/// all.
pub(crate) async fn links(app: &App) -> Vec<String> {
    let mails = app.effects(&EffectFilter::default()).await.unwrap();
    let mail = mails.iter().find(|mail| mail.template.as_deref() == Some("csat")).unwrap();
    let text = app.effect(mail.effect.parse().unwrap()).await.unwrap().text.unwrap();
    text.split("(https://desk.example.com/help")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap().to_owned())
        .collect()
}

/// The mails that went out, as one text.
pub(crate) fn mails(folder: &Path) -> String {
    let mails = std::fs::read_dir(folder.join("data/mail")).unwrap();
    let mails = mails.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    mails.map(|mail| mail.replace("=\r\n", "").replace("=3D", "=")).collect()
}

async fn response(app: &App) -> Record {
    let mut responses = app.records_all("survey_response").await.unwrap();
    assert_eq!(responses.len(), 1);
    responses.remove(0)
}

/// `status score comment`, as the record has them.
async fn kept(app: &App) -> String {
    let response = response(app).await;
    let told = |field: &str| match response.field(field) {
        Value::Nothing => String::new(),
        value => value.to_string(),
    };
    ["status", "score", "comment"].map(told).join("|")
}

/// A served company whose customer was asked.
async fn served(locale: &str) -> (Served, String) {
    let folder = tempfile::tempdir().unwrap();
    let app = company(folder.path()).await;
    asked(&app, locale).await;
    let path = links(&app).await[0].split('?').next().unwrap().to_owned();
    (Served::of(app, folder, Limits::default()).await, path)
}

/// What the page sends back unseen.
fn seal(page: &str) -> String {
    hidden(page, "seal").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_solved_inquiry_leads_to_an_answer_that_the_workflow_hears() {
    let folder = tempfile::tempdir().unwrap();
    let app = company(folder.path()).await;
    let anna = asked(&app, "en").await;
    let mut links = links(&app).await;
    links.retain(|link| link.starts_with("/s/"));
    assert_eq!(links.len(), 5);
    let (path, four) = (links[0].split('?').next().unwrap(), &links[3]);
    assert!(four.ends_with("?score=4"), "{four}");
    assert!(path.starts_with("/s/") && path.len() == 3 + 43, "{path}");
    // The mail that went out has it, too.
    let mails = mails(folder.path());
    assert!(
        mails.contains(&format!("<a href=\"https://desk.example.com/help{four}\">")),
        "{mails}"
    );

    let served = Served::of(app, folder, Limits::default()).await;
    // A gateway looks behind every link: nothing is answered by that.
    for link in &links {
        served.request(Method::HEAD, link).send().await.unwrap();
        assert_eq!(served.look(link).await.0, 200);
    }
    assert_eq!(kept(&served.app).await, "sent||");

    let (_, page) = served.look(four).await;
    assert!(page.contains("How satisfied are you with our answer?"), "{page}");
    assert!(page.contains("value=\"4\" class=\"chosen\""), "{page}");
    assert!(page.contains("Send my answer: 4"), "{page}");
    tokio::time::sleep(A_LOOK).await;
    let form =
        [("seal", seal(&page)), ("score", "2".into()), ("comment", "Too\r\nslow <b>".into())];
    let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
    // Twice, as an impatient finger does.
    let (first, second) = tokio::join!(served.send(path, &form), served.send(path, &form));
    for response in [first, second] {
        assert_eq!(response.status(), 303);
        let location = response.headers()["location"].to_str().unwrap().to_owned();
        assert_eq!(format!("/s/{location}"), path);
    }
    assert_eq!(kept(&served.app).await, "answered|2|Too\nslow <b>");
    let (_, thanks) = served.look(path).await;
    assert!(thanks.contains("Thank you!"), "{thanks}");
    assert!(thanks.contains("Your score: 2, on a scale from 1 to 5."), "{thanks}");
    assert!(!thanks.contains("slow"), "whoever has the link need not read what was said");

    let app = served.app.clone();
    let folder = served.stop_and_keep().await;
    at(&app, "2026-12-15T10:01:00Z").await;
    let complaints = app.records_all("ticket").await.unwrap();
    let subjects: Vec<String> =
        complaints.iter().map(|ticket| ticket.field("subject").to_string()).collect();
    assert_eq!(subjects, ["Where is it?", "Low survey score on T-1"]);
    let timeline = app.timeline(&anna).await.unwrap();
    let answered: Vec<_> =
        timeline.iter().filter(|entry| entry.what.contains("survey.answered")).collect();
    assert_eq!(answered.len(), 1, "{timeline:#?}");
    assert!(answered[0].what.ends_with(": survey.answered (score: 2)"), "{}", answered[0].what);
    assert_eq!(answered[0].by, anna.to_string());
    drop::<TempDir>(folder);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_in_the_customers_language_and_loads_and_runs_nothing() {
    let (served, path) = served("de-AT").await;
    let response = served
        .request(Method::GET, &format!("{path}?score=%3Cscript%3E"))
        .header("accept-language", "zh")
        .send()
        .await
        .unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    let policy = header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!(header("referrer-policy"), "no-referrer");
    assert_eq!(header("x-robots-tag"), "noindex, nofollow");
    assert_eq!(header("cache-control"), "no-store");
    let page = response.text().await.unwrap();
    assert!(page.contains("<html lang=\"de\">"), "{page}");
    assert!(page.contains("Wie zufrieden sind Sie mit unserer Antwort?"), "{page}");
    assert!(!page.contains("<script"), "{page}");
    // Nothing of the customer is in it.
    assert!(!page.contains("Anna") && !page.contains("wolf"), "{page}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_sends_at_once_or_fills_everything_is_asked_once_more() {
    let (served, path) = served("en").await;
    let (_, page) = served.look(&path).await;
    let quick = seal(&page);
    let again = "Nearly there: please press once more.";
    for form in [
        // Without looking, at once, with another page's look, and made up.
        vec![("score", "5")],
        vec![("score", "5"), ("comment", "I typed this"), ("seal", &quick)],
        vec![("score", "5"), ("seal", "1700000000000.AAAAAAAAAAAAAAAAAAAAAA")],
    ] {
        let (status, page) = read(served.send(&path, &form).await).await;
        assert_eq!(status, 422, "{form:?}");
        assert!(page.contains(again) && page.contains("Send my answer: 5"), "{page}");
        assert_eq!(page.contains("I typed this"), form.len() == 3);
    }
    tokio::time::sleep(A_LOOK).await;
    let filled = [("score", "5"), ("seal", quick.as_str()), ("website", "http://spam.example")];
    let (_, page) = read(served.send(&path, &filled).await).await;
    assert!(page.contains(again), "{page}");
    assert_eq!(kept(&served.app).await, "sent||");
    // The same look is long enough by now.
    assert_eq!(served.send(&path, &filled[..2]).await.status(), 303);
    assert_eq!(kept(&served.app).await, "answered|5|");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_is_told_and_what_was_typed_is_kept() {
    let (served, path) = served("en").await;
    let (_, page) = served.look(&path).await;
    let seal = seal(&page);
    tokio::time::sleep(A_LOOK).await;
    for score in ["6", "0", "-1", "4.5", "", "five"] {
        let form = [("score", score), ("comment", "<i>why</i>"), ("seal", seal.as_str())];
        let (status, page) = read(served.send(&path, &form).await).await;
        assert_eq!(status, 422, "{score}");
        assert!(page.contains("Please choose one of the numbers."), "{page}");
        assert!(page.contains("&lt;i&gt;why"), "{page}");
    }
    assert_eq!(kept(&served.app).await, "sent||");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_can_be_changed_for_a_day_and_is_answered_once() {
    let folder = tempfile::tempdir().unwrap();
    let app = company(folder.path()).await;
    asked(&app, "en").await;
    let path = links(&app).await[0].split('?').next().unwrap().to_owned();
    let served = Served::of(app, folder, Limits::default()).await;
    let (_, page) = served.look(&path).await;
    let seal = seal(&page);
    tokio::time::sleep(A_LOOK).await;
    for (score, comment) in [("4", ""), ("4", "Because"), ("5", "")] {
        let form = [("score", score), ("comment", comment), ("seal", seal.as_str())];
        assert_eq!(served.send(&path, &form).await.status(), 303);
    }
    assert_eq!(kept(&served.app).await, "answered|5|Because");
    let app = served.app.clone();
    let folder = served.stop_and_keep().await;
    // The whole of a day, and a minute.
    at(&app, "2026-12-16T10:01:00Z").await;
    app.revoke_token("all").await.unwrap();
    let served = Served::of(app, folder, Limits::default()).await;
    let (_, page) = served.look(&path).await;
    assert!(page.contains("Your score: 5") && !page.contains("<form"), "{page}");
    let form = [("score", "1"), ("seal", seal.as_str())];
    assert_eq!(served.send(&path, &form).await.status(), 410);
    assert_eq!(kept(&served.app).await, "answered|5|Because");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_not_ours_says_nothing_and_a_late_answer_is_taken() {
    let (served, path) = served("en").await;
    let other = if &path[20..21] == "A" { "B" } else { "A" };
    let other = format!("{}{other}{}", &path[..20], &path[21..]);
    for wrong in ["/s/x", other.as_str(), "/s/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let (status, page) = served.look(wrong).await;
        assert_eq!(status, 404, "{wrong}");
        assert!(page.contains("There is nothing here"), "{page}");
    }
    let response = response(&served.app).await;
    let expired = texts(&[("status", "expired")]);
    served.app.update_record(&response.reference, expired, "test").await.unwrap();
    let (_, page) = served.look(&path).await;
    tokio::time::sleep(A_LOOK).await;
    let form = [("score", "3"), ("seal", &seal(&page))];
    assert_eq!(served.send(&path, &form).await.status(), 303);
    assert_eq!(kept(&served.app).await, "answered|3|");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_sends_without_end_has_to_wait() {
    let (served, path) = served("en").await;
    let mut busy = None;
    for sent in 0..12 {
        let response = served.send(&path, &[("score", "3"), ("comment", "my words")]).await;
        if response.status() == 429 {
            assert_eq!(response.headers()["retry-after"], "10");
            busy = Some((sent, response.text().await.unwrap()));
            break;
        }
    }
    let (sent, page) = busy.unwrap();
    assert_eq!(sent, 8);
    assert!(page.contains("What you wrote is still here"), "{page}");
    assert!(page.contains("my words"), "{page}");
    assert_eq!(kept(&served.app).await, "sent||");
    served.stop().await;
}

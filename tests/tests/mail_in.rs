//! Mail in, from a real IMAP server to tickets: each mail once, whatever is
//! killed.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::{
    fs::OpenOptions,
    io::Write as _,
    thread::sleep,
    time::{Duration, Instant},
};

use relata_app::{App, TakenMail, model::Reference};
use relata_tests::{Backend, Dovecot, Place, Server, open};
use serde_json::Value as Json;
use tempfile::TempDir;

/// How long something may take that happens within a second on a machine with
/// nothing else to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// A company whose mailbox is read.
struct Company {
    place: Place,
    dovecot: Dovecot,
    _folder: TempDir,
}

impl Company {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Place { root: folder.path().join("data"), backend: Backend::Sqlite };
        place.initialize();
        let dovecot = Dovecot::start();
        let settings = format!(
            "\n[mail.inbox]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\nusername = \"support\"\npassword_env = \"RELATA_TEST_IMAP\"\nqueue = \"support\"\npoll_seconds = 1\n",
            dovecot.port()
        );
        let mut file =
            OpenOptions::new().append(true).open(place.root.join("relata.toml")).unwrap();
        file.write_all(settings.as_bytes()).unwrap();
        Self { place, dovecot, _folder: folder }
    }

    fn serve(&self) -> Server {
        let mut command = self.place.command();
        command.env("RELATA_TEST_IMAP", "secret");
        Server::start_by(command, None).unwrap()
    }

    async fn app(&self) -> App {
        open(&self.place).await
    }
}

#[allow(clippy::disallowed_methods, reason = "a test has a clock")]
fn now() -> Instant {
    Instant::now()
}

/// Waits until something is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = now();
    while !is_so() {
        assert!(now().duration_since(start) < PATIENCE, "it takes too long until {what}");
        sleep(Duration::from_millis(50));
    }
}

fn mail(number: usize) -> Vec<u8> {
    format!(
        "From: Anna Weber <anna{number}@example.com>\r\nTo: support@example.com\r\n\
         Subject: Order {number}\r\nMessage-ID: <{number}@mail.example.com>\r\n\
         Date: Mon, 14 Dec 2026 09:00:00 +0100\r\n\r\nWhere is it?\r\n"
    )
    .into_bytes()
}

async fn count(app: &App, object: &str) -> usize {
    app.records_all(object).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_becomes_one_ticket_also_after_a_kill_between_commit_and_mark() {
    let company = Company::new();
    let app = company.app().await;
    // The host wrote it, and was killed before it could mark it.
    company.dovecot.deliver(&mail(1));
    let taken = app.take_mail(mail(1)).await.unwrap();
    let TakenMail::Message(taken) = taken else { panic!("{taken:?}") };
    company.dovecot.deliver(&mail(2));
    // One that nobody can read does not stand in the way of the next.
    company.dovecot.deliver(b"Subject: nobody wrote this\r\n\r\nHello\r\n");
    company.dovecot.deliver(&mail(3));
    let server = company.serve();
    until("all mails are marked", || company.dovecot.count("", Some('a')) == 4);
    assert_eq!(company.dovecot.count("", Some('S')), 4);
    assert_eq!((count(&app, "ticket").await, count(&app, "message").await), (3, 3));
    let ticket = app.record(&taken.ticket).await.unwrap();
    assert_eq!(ticket.field("subject").to_string(), "Order 1");
    assert_eq!(ticket.field("channel").to_string(), "mail");
    let queue = app.record(&Reference::new("queue", "support")).await.unwrap();
    assert_eq!(ticket.field("queue").as_reference(), Some(&queue.reference));
    let held = app.held_mails().await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].why, "it does not say who wrote it: it has no `From:` with an address");
    let findings = app.doctor(false).await.unwrap();
    assert!(findings.iter().any(|finding| finding.code == "held-mails"), "{findings:?}");
    // It is there as it came, and gone once somebody says so.
    let (_, bytes) = app.held_mail(&held[0].id).await.unwrap();
    assert_eq!(bytes, b"Subject: nobody wrote this\r\n\r\nHello\r\n");
    app.release_mail(&held[0].id).await.unwrap_err();
    app.drop_mail(&held[0].id).await.unwrap();
    assert_eq!(app.held_mails().await.unwrap(), []);
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_kill_loses_a_mail_or_takes_one_twice() {
    const MAILS: usize = 60;
    let company = Company::new();
    for number in 0..MAILS {
        company.dovecot.deliver(&mail(number));
    }
    // Killed again and again, as soon as it has begun.
    let mut marked = 0;
    for _ in 0..6 {
        let mut server = company.serve();
        until("the next mails are marked", || {
            let now = company.dovecot.count("", Some('a'));
            now > marked || now == MAILS
        });
        server.kill();
        marked = company.dovecot.count("", Some('a'));
    }
    let _server = company.serve();
    until("all mails are marked", || company.dovecot.count("", Some('a')) == MAILS);
    let app = company.app().await;
    for object in ["ticket", "message", "contact", "interaction"] {
        assert_eq!(count(&app, object).await, MAILS, "{object}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_told_and_found_again() {
    let mut company = Company::new();
    let app = company.app().await;
    company.dovecot.stop();
    let _server = company.serve();
    let findings = || async {
        let told: Vec<String> = app
            .doctor(false)
            .await
            .unwrap()
            .into_iter()
            .map(|finding| finding.code.to_owned())
            .collect();
        told.contains(&"unread-mailbox".to_owned())
    };
    let start = now();
    while !findings().await {
        assert!(now().duration_since(start) < PATIENCE, "nobody says that the server is away");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    company.dovecot.go();
    company.dovecot.deliver(&mail(1));
    until("the mail is marked", || company.dovecot.count("", Some('a')) == 1);
    assert_eq!(count(&app, "ticket").await, 1);
    let start = now();
    while findings().await {
        assert!(now().duration_since(start) < PATIENCE, "it is still told that the server is away");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn machines_are_held_and_reports_are_on_the_timeline() {
    let company = Company::new();
    let app = company.app().await;
    let name = |file: &str| format!("host/channels/tests/inbound/mails/{file}.eml");
    let read = |file: &str| std::fs::read(relata_tests::root().join(name(file))).unwrap();
    for (file, why) in [
        (
            "newsletter",
            "a machine wrote it (it is from a mailing list), and it belongs to no ticket",
        ),
        ("our_own", "a machine wrote it (Relata itself sent it), and it belongs to no ticket"),
        ("bounce_postfix", "it says that a mail did not arrive which is not known here"),
        ("garbage", "it does not say who wrote it: it has no `From:` with an address"),
    ] {
        let TakenMail::Held(id) = app.take_mail(read(file)).await.unwrap() else {
            panic!("{file} is not held");
        };
        assert_eq!(app.held_mail(&id).await.unwrap().0.why, why, "{file}");
    }
    // Twenty an hour of one sender, and no more.
    for number in 0..22 {
        let text =
            String::from_utf8(mail(number)).unwrap().replace(&format!("anna{number}@"), "anna@");
        let taken = app.take_mail(text.into_bytes()).await.unwrap();
        assert_eq!(matches!(taken, TakenMail::Message(_)), number < 20, "{number}");
    }
    let held = app.held_mails().await.unwrap();
    let last = held.last().unwrap();
    assert_eq!(
        last.why,
        "its sender wrote 20 messages within an hour; this may be two machines that answer each other"
    );
    // Somebody decides that it is one all the same.
    let taken = app.release_mail(&last.id).await.unwrap();
    assert!(taken.opened);
    assert_eq!(app.held_mails().await.unwrap().len(), held.len() - 1);
    assert_eq!(count(&app, "ticket").await, 21);
    let listed: Json = company.place.ask(&["inbox"]).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), held.len() - 1);
}

//! One ticket's whole way: from four channels into one conversation, to an agent,
//! to the customer's mailbox, and back as the answer to a survey a day later. All
//! of it is real but the time of day, which libfaketime moves.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use relata_app::{
    NewToken, Running, SHIPPED, Scope, Secret,
    model::{Record, Timestamp},
    store::RunFilter,
};
use relata_tests::{Dovecot, Receiver, Server, post};
use serde_json::{Value as Json, json};
use sha2::Sha256;

use super::{
    chromium::{Chromium, Look},
    company::{Company, LOG_IN},
};

/// A Monday, when support is there; Berlin is an hour ahead.
const MONDAY: &str = "2026-12-14 10:00:00";
const MONDAY_SECONDS: u64 = 1_797_242_400;

/// A minute short of 24 hours, and past them.
const ALMOST: &str = "2026-12-15 09:59:00";
const TUESDAY: &str = "2026-12-15 10:05:00";

/// The key that a program of the shop signs with.
const KEY: &[u8] = b"twenty-four bytes of key";

/// The shop's chat, which can only call an address with a signature.
const CHAT: &str = "\
workflow: shop-chat
title: Take in what customers write in the shop's chat
owner: support-ops
when:
  - webhook: shop-chat
    secret: shop-chat
inputs:
  ticket: ticket
  text: text
steps:
  - do: crm.create
    object: message
    set:
      ticket: =ticket
      author: =ticket.customer
      direction: in
      channel: chat
      body: =text
";

/// Longer than a program looks at a form or at a survey.
const A_FORM: u32 = 2_100;
const A_SURVEY: u32 = 1_100;

/// How long something may take that happens within a second on a machine with
/// nothing else to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// A service desk, with its mail servers.
struct Desk {
    company: Company,
    inbox: Dovecot,
    outbox: Receiver,
}

impl Desk {
    async fn open() -> Self {
        let (inbox, outbox) = (Dovecot::start(), Receiver::start(&[]));
        let smtp = format!(
            "[mail.transport]\nkind = \"smtp\"\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\n",
            outbox.port()
        );
        let imap = format!(
            "[mail.inbox]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\nusername = \"support\"\npassword_env = \"RELATA_TEST_IMAP\"\nqueue = \"support\"\npoll_seconds = 1\n",
            inbox.port()
        );
        let files = "[mail.transport]\nkind = \"directory\"\npath = \"mail\"\n";
        let company = Company::new(&[], |settings| {
            assert!(settings.contains(files), "{settings}");
            settings.replace(files, &format!("{smtp}\n{imap}"))
        });
        let company = company.await;
        let lea = json!({ "name": "Lea Novak", "email": "lea@shop.example", "team": "team/support", "roles": ["agent"] });
        company.hire(lea).await;
        let form =
            json!({ "external_id": "contact", "title": "Write to us", "queue": "queue/support" });
        company.make("form", form).await;
        let secret = Secret::new(format!("whsec_{}", STANDARD.encode(KEY)));
        company.app.set_secret("shop-chat", &secret).unwrap();
        let shipped = ["route-tickets", "inquiry-survey"].map(|name| {
            let file = format!("workflows/{name}.yaml");
            SHIPPED.iter().find(|(known, _)| *known == file).unwrap()
        });
        for (file, text) in shipped.into_iter().chain([&("shop-chat.yaml", CHAT)]) {
            company.app.activate(file, text, "test", Running::Finish).await.unwrap();
        }
        Self { company, inbox, outbox }
    }

    /// Serves it by a clock that begins at a time, UTC, and goes on from there.
    fn serve(&self, at: &str) -> Server {
        let mut command = self.company.place.command();
        command
            .env("RELATA_TEST_IMAP", "secret")
            .env("LD_PRELOAD", faketime())
            .env("TZ", "UTC")
            .env("FAKETIME", format!("@{at}"))
            // Pauses are as long as ever.
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("FAKETIME_DISABLE_SHM", "1")
            .env("NO_FAKE_STAT", "1");
        self.company.serve(command)
    }

    /// The records of an object, once there are so many.
    async fn wait_for(&self, object: &str, many: usize) -> Vec<Record> {
        let start = Instant::now();
        loop {
            let records = self.company.app.records_all(object).await.unwrap();
            if records.len() >= many {
                return records;
            }
            assert!(start.elapsed() < PATIENCE, "there are no {many} of {object}: {records:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the run of the survey has come to its wait: 24 hours count from
    /// there, and a host that is stopped before leaves that to the next one.
    async fn wait_for_the_wait(&self) {
        let start = Instant::now();
        let survey =
            RunFilter { workflow: Some("inquiry-survey".to_owned()), ..RunFilter::default() };
        let tuesday: Timestamp = "2026-12-15T00:00:00Z".parse().unwrap();
        loop {
            let runs = self.company.app.store().run_list(&survey, 2).await.unwrap();
            if runs.iter().any(|run| run.due_at.is_some_and(|due| due > tuesday)) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "no survey waits: {runs:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Debian keeps it in a folder of the machine's kind.
fn faketime() -> PathBuf {
    let kinds = fs::read_dir("/usr/lib").unwrap().flatten();
    kinds
        .map(|kind| kind.path().join("faketime/libfaketime.so.1"))
        .find(|library| library.is_file())
        .expect("libfaketime is missing: `apt-get install faketime`, or `cargo xtask test`, which does that")
}

/// A mail's text, without what mail adds to it on its way.
fn readable(mail: &Json) -> String {
    let data = mail["data"].as_str().unwrap().replace("\r\n", "\n");
    data.replace("=\n", "").replace("=3D", "=")
}

fn header<'a>(mail: &'a str, name: &str) -> &'a str {
    let start = format!("{name}: ");
    let line = mail.lines().find_map(|line| line.strip_prefix(&start));
    line.unwrap_or_else(|| panic!("there is no {name} in {mail}"))
}

/// True once the page has been looked at for so long.
fn looked_at_for(millis: u32) -> String {
    format!(
        "performance.getEntriesByType('navigation')[0].responseEnd + {millis} < performance.now()"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_goes_its_whole_way() {
    let mut desk = Box::pin(Desk::open()).await;
    let monday = desk.serve(MONDAY);
    let address = monday.address().to_owned();
    let browser = Chromium::start();

    // The customer writes by the form, on a telephone.
    let customer = browser.page(Look { width: 390, ..Look::DESK });
    customer.open(&desk.company.url("/f/contact"));
    customer.fill("textbox", "Your name", "Anna Weber");
    customer.fill("textbox", "Your e-mail address", "anna@example.org");
    customer.fill("textbox", "Subject", "Where is my lamp?");
    customer.fill("textbox", "Your message", "It should have come on Friday.");
    customer.waits_for(&looked_at_for(A_FORM));
    customer.press("button", "Send");
    customer.sees("Your message has arrived. Its number is T-");
    let tickets = desk.wait_for("ticket", 1).await;
    let number = tickets[0].field("ref").to_string();
    customer.sees(&number);

    // Then by the shop's app, which uses the API,
    let new = NewToken {
        name: "app".to_owned(),
        scopes: vec![Scope::MessagesWrite],
        user: None,
        objects: Vec::new(),
        expires_at: None,
    };
    let token = desk.company.app.create_token(new).await.unwrap().1;
    let bearer = format!("Bearer {}", token.expose());
    let message = json!({ "from": "Anna@example.org", "subject": format!("[{number}]"), "text": "It is the blue one." });
    let headers = [("authorization", bearer.as_str())];
    let taken = post(&address, "/v1/messages", &headers, &message.to_string()).unwrap();
    assert_eq!(taken.0, 201, "{}", taken.1);
    let taken: Json = serde_json::from_str(&taken.1).unwrap();
    assert_eq!((&taken["ticket_ref"], &taken["opened"]), (&json!(number), &json!(false)));

    // by the shop's chat, which signs what it sends,
    let body = json!({ "ticket": taken["ticket"], "text": "The order is SO-1001." }).to_string();
    let time = (MONDAY_SECONDS + 10).to_string();
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(KEY).unwrap();
    mac.update(format!("chat-1.{time}.{body}").as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    let headers = |signature| {
        [
            ("webhook-id", "chat-1"),
            ("webhook-timestamp", time.as_str()),
            ("webhook-signature", signature),
        ]
    };
    let refused = post(&address, "/hooks/shop-chat", &headers("v1,bm9ib2R5"), &body).unwrap();
    assert_eq!(refused.0, 401, "{}", refused.1);
    let called = post(&address, "/hooks/shop-chat", &headers(&signature), &body).unwrap();
    assert_eq!(called.0, 202, "{}", called.1);

    // and by mail.
    let mail = format!(
        "From: Anna Weber <anna@example.org>\r\nTo: support@shop.example\r\n\
         Subject: Re: [{number}] Where is my lamp?\r\nMessage-ID: <4@mail.example.org>\r\n\
         Date: Mon, 14 Dec 2026 11:00:00 +0100\r\n\r\nPlease tell me by tonight.\r\n"
    );
    desk.inbox.deliver(mail.as_bytes());

    // All four are one conversation, and it is Lea's.
    let messages = desk.wait_for("message", 4).await;
    let ticket = &desk.wait_for("ticket", 1).await[0];
    assert!(
        messages
            .iter()
            .all(|message| { message.field("ticket").as_reference() == Some(&ticket.reference) })
    );
    let mut channels: Vec<String> =
        messages.iter().map(|message| message.field("channel").to_string()).collect();
    channels.sort();
    assert_eq!(channels, ["api", "chat", "mail", "web"]);
    let contacts = desk.wait_for("contact", 1).await;
    assert_eq!(contacts.len(), 1, "it is one customer");
    let told = desk.outbox.line();
    assert_eq!(told["to"], json!(["lea@shop.example"]));
    let told = readable(&told);
    assert!(told.contains(&format!("{number} is yours: Where is my lamp?")), "{told}");
    let agent = browser.page(Look::DESK);
    desk.company.log_in(&agent, "lea@shop.example", LOG_IN);
    agent.sees(&number);
    agent.press("link", "Where is my lamp?");
    for said in [
        "It should have come on Friday.",
        "It is the blue one.",
        "The order is SO-1001.",
        "Please tell me by tonight.",
        "Why me?",
    ] {
        agent.sees(said);
    }

    // She answers and solves it, and the answer is in the customer's mailbox.
    agent.fill(
        "textbox",
        "Reply to Anna Weber <anna@example.org>",
        "Hello Anna,\n\nit is on its way.",
    );
    agent.choose("Then", "solved");
    agent.press("button", "Send");
    agent.sees("Lea Novak replied");
    let answer = desk.outbox.line();
    assert_eq!(answer["to"], json!(["anna@example.org"]));
    let answer = readable(&answer);
    assert!(header(&answer, "Subject").ends_with(&format!("[{number}]")), "{answer}");
    assert_eq!(header(&answer, "In-Reply-To"), "<4@mail.example.org>");
    assert!(answer.contains("it is on its way."), "{answer}");
    assert_eq!(agent.faults(), [""; 0]);
    assert_eq!(customer.faults(), [""; 0]);

    desk.wait_for_the_wait().await;
    // She goes home. A page that follows a host which is gone would say so.
    agent.open("about:blank");

    // A minute before a day has passed nothing is sent, after it the survey is.
    let stop = |mut server: Server| assert!(server.terminate());
    stop(monday);
    stop(desk.serve(ALMOST));
    assert_eq!(desk.wait_for("survey_response", 0).await, []);
    let _tuesday = desk.serve(TUESDAY);
    let survey = desk.outbox.line();
    assert_eq!(survey["to"], json!(["anna@example.org"]));
    let survey = readable(&survey);
    let link = survey
        .split('(')
        .find_map(|rest| rest.split(')').next().filter(|link| link.contains("score=5")));
    let link = link.unwrap_or_else(|| panic!("there is no link for a 5 in {survey}"));

    // She presses it, and once more on the page.
    customer.open(link);
    customer.waits_for(&looked_at_for(A_SURVEY));
    customer.press("button", "Send my answer: 5");
    customer.sees("Thank you!");
    customer.sees("Your score: 5");
    assert_eq!(customer.faults(), [""; 0]);

    // What she said stands on her timeline.
    desk.company.log_in(&agent, "lea@shop.example", LOG_IN);
    agent.open(&desk.company.url(&format!("/records/contact/{}", contacts[0].reference.key)));
    agent.sees("Survey response: survey.answered (score: 5)");
    assert_eq!(agent.faults(), [""; 0]);
}

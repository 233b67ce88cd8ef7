//! `kill -9` on `relata serve`, again and again, while visitors send a web form
//! and mails lie in the mailbox: every message that was accepted is one ticket.
//!
//! `RELATA_KILLS=50 RELATA_POSTS=5000 RELATA_MAILS=2000` makes it as large as one
//! likes.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test may stop at once, has a clock, asks who runs it, and tells its figures"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fs::OpenOptions,
    io::Write as _,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle, sleep},
    time::{Duration, Instant},
};

use form_urlencoded::Serializer;
use relata_app::{
    App,
    model::{Record, Timestamp, Value},
    store::{Condition, Query},
};
use relata_tests::{Backend, Dovecot, HttpAnswer, Place, Postgres, Server, ask, open};

/// How many visitors press the button at the same time.
const VISITORS: usize = 8;

/// So many forms and mails are of one customer, before the next one writes.
const OF_A_CUSTOMER: usize = 5;

/// Longer than a program takes to fill in a form, and shorter than a person.
const A_LOOK: Duration = Duration::from_millis(2_050);

/// How long the next form or mail may take, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

const FORM: &str = "/f/contact?lang=en";

fn number(variable: &str, otherwise: usize) -> usize {
    env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_during_the_intake_lose_nothing_and_double_nothing_on_a_file() {
    check(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_during_the_intake_lose_nothing_and_double_nothing_on_a_server() {
    let database = Postgres::shared().database();
    check(Backend::Postgres { url: database.url() }).await;
}

async fn check(backend: Backend) {
    let kills = number("RELATA_KILLS", 3);
    let (posts, mails) = (number("RELATA_POSTS", 100), number("RELATA_MAILS", 40));
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut chance = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    let place = Place { root: folder.path().join("data"), backend };
    let dovecot = Dovecot::start();
    set_up(&place, &dovecot);
    let serve = || {
        let mut command = place.command();
        command.env("RELATA_TEST_IMAP", "secret");
        Server::start_by(command, None).unwrap()
    };
    let app = open(&place).await;

    let began = Instant::now();
    let mut server = serve();
    let site = Arc::new(Site::new(server.address()));
    let visitors = visitors(&site, posts);
    until("all have opened the form", &site, posts, || site.opened.load(Ordering::Relaxed));
    let mut mailbox = Mailbox { dovecot: &dovecot, delivered: Vec::new(), stored: BTreeSet::new() };
    // What comes in is laid out before the kills in equal parts; each kill falls
    // into its part, in turn while forms are being sent and while mails are
    // being fetched.
    for part in 0..=kills {
        let reaches = |all: usize, part: usize| all * part / (kills + 1);
        mailbox.deliver(reaches(mails, part + 1));
        site.open_until.store(reaches(posts, part + 1), Ordering::Relaxed);
        if part == kills {
            break;
        }
        let all = if part % 2 == 0 { posts } else { mails };
        let (from, to) = (reaches(all, part), reaches(all, part + 1));
        let amid = chance.usize(from..to.saturating_sub(VISITORS / 2).max(from + 1)) + 1;
        match part % 2 {
            0 => until("so many forms are taken in", &site, amid, || site.answered()),
            _ => until("so many mails are taken in", &site, amid, || mailbox.marked()),
        }
        server.kill();
        mailbox.check(&app).await;
        server = serve();
        server.address().clone_into(&mut site.address.write().unwrap());
    }
    until("all is taken in", &site, posts + mails, || site.answered() + mailbox.marked());
    for visitor in visitors {
        visitor.join().unwrap();
    }
    let took = began.elapsed();
    server.kill();
    mailbox.check(&app).await;

    let sent = std::mem::take(&mut *site.sent.lock().unwrap());
    let tickets = judge(&app, &sent, posts, mails).await;
    let again: Vec<&Sent> = sent.iter().filter(|sent| sent.unanswered_at.is_some()).collect();
    let kept = again.iter().filter(|sent| {
        let created = tickets[&subject("form", sent.number)].field("created_at");
        matches!(created, Value::Time(at) if Some(*at) < sent.unanswered_at)
    });
    println!(
        "{kills} kills in {took:.1?}, {posts} forms, {mails} mails: {} forms were sent again, {} of them had been kept without an answer",
        again.len(),
        kept.count(),
    );
    assert!(!again.is_empty(), "no kill met a visitor");
}

/// Counts what is there: everything that was accepted is there, once.
/// The tickets by their subjects.
async fn judge(app: &App, sent: &[Sent], posts: usize, mails: usize) -> BTreeMap<String, Record> {
    let mut tickets = BTreeMap::new();
    for ticket in app.records_all("ticket").await.unwrap() {
        let subject = ticket.field("subject").to_string();
        if let Some(other) = tickets.insert(subject.clone(), ticket) {
            panic!("{subject} is two tickets; one is {other:?}");
        }
    }
    let subjects = |kind: &'static str, count| (0..count).map(move |number| subject(kind, number));
    let expected: BTreeSet<String> =
        subjects("form", posts).chain(subjects("mail", mails)).collect();
    assert_eq!(tickets.keys().cloned().collect::<BTreeSet<_>>(), expected);
    for sent in sent {
        let ticket = &tickets[&subject("form", sent.number)];
        assert_eq!(ticket.field("ref").to_string(), sent.ticket, "what the visitor was told");
    }
    // Each ticket has its one message and its one line on a timeline, and nobody
    // is there twice who wrote by both ways.
    let messages = app.records_all("message").await.unwrap();
    let of: BTreeSet<String> =
        messages.iter().map(|message| message.field("ticket").to_string()).collect();
    assert_eq!((messages.len(), of.len()), (posts + mails, posts + mails));
    assert_eq!(app.records_all("interaction").await.unwrap().len(), posts + mails);
    let customers = posts.max(mails).div_ceil(OF_A_CUSTOMER);
    assert_eq!(app.records_all("contact").await.unwrap().len(), customers);
    assert_eq!(app.held_mails().await.unwrap(), []);
    tickets
}

/// A company with a form and a mailbox.
fn set_up(place: &Place, dovecot: &Dovecot) {
    place.initialize();
    let form = ["external_id=contact", "title=Write to us", "queue=support"];
    place.ask(&[&["records", "create", "form"], form.as_slice()].concat()).unwrap();
    let settings = format!(
        "\n[mail.inbox]\nhost = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\nusername = \"support\"\npassword_env = \"RELATA_TEST_IMAP\"\nqueue = \"support\"\npoll_seconds = 1\n",
        dovecot.port()
    );
    let mut file = OpenOptions::new().append(true).open(place.root.join("relata.toml")).unwrap();
    file.write_all(settings.as_bytes()).unwrap();
}

fn subject(kind: &str, number: usize) -> String {
    format!("A {kind}, number {number}")
}

fn address(number: usize) -> String {
    format!("customer{}@example.com", number / OF_A_CUSTOMER)
}

/// Waits until there are so many. Meanwhile nobody may meet what should not be,
/// and it has to go on.
fn until(what: &str, site: &Site, wanted: usize, mut count: impl FnMut() -> usize) {
    let (mut last, mut since) = (count(), Instant::now());
    while last < wanted {
        sleep(Duration::from_millis(2));
        assert_eq!(*site.faults.lock().unwrap(), [""; 0]);
        let now = count();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        let waited = since.elapsed();
        assert!(waited < PATIENCE, "it takes too long until {what}: {last} of {wanted}");
    }
}

/// The mailbox, and what was seen in it.
struct Mailbox<'d> {
    dovecot: &'d Dovecot,
    /// What the mails are called there, by their numbers.
    delivered: Vec<String>,
    /// The marked ones that were found to be stored.
    stored: BTreeSet<String>,
}

impl Mailbox<'_> {
    /// Lays mails into it until there are so many.
    fn deliver(&mut self, until: usize) {
        for number in self.delivered.len()..until {
            let mail = format!(
                "From: Anna Weber <{}>\r\nTo: support@example.com\r\nSubject: {}\r\n\
                 Message-ID: <{number}@mail.example.com>\r\n\
                 Date: Mon, 14 Dec 2026 09:00:00 +0100\r\n\r\nWhere is it?\r\n",
                address(number),
                subject("mail", number)
            );
            self.delivered.push(self.dovecot.deliver(mail.as_bytes()));
        }
    }

    fn marked(&self) -> usize {
        self.dovecot.count("", Some('a'))
    }

    /// Whether all that is marked is stored.
    async fn check(&mut self, app: &App) {
        for name in self.dovecot.names("", Some('a')) {
            if self.stored.contains(&name) {
                continue;
            }
            let number = self.delivered.iter().position(|delivered| *delivered == name).unwrap();
            let id = Value::Text(format!("{number}@mail.example.com"));
            let query = Query::new("message", vec![Condition::equal("message_id", id)]);
            let found = app.store().record_query(&query).await.unwrap().records;
            assert_eq!(found.len(), 1, "mail {number} is marked: it must be stored, once");
            self.stored.insert(name);
        }
    }
}

/// What the visitors know of the site, and what they met.
struct Site {
    /// Where it answers just now.
    address: RwLock<String>,
    /// How many have opened the form.
    opened: AtomicUsize,
    /// Forms up to this one may be sent.
    open_until: AtomicUsize,
    sent: Mutex<Vec<Sent>>,
    faults: Mutex<Vec<String>>,
}

/// A form that was accepted.
struct Sent {
    number: usize,
    /// What its visitor was told that the ticket is called.
    ticket: String,
    /// When it was last sent without being answered.
    unanswered_at: Option<Timestamp>,
}

impl Site {
    fn new(address: &str) -> Self {
        Self {
            address: RwLock::new(address.to_owned()),
            opened: AtomicUsize::new(0),
            open_until: AtomicUsize::new(0),
            sent: Mutex::default(),
            faults: Mutex::default(),
        }
    }

    fn answered(&self) -> usize {
        self.sent.lock().unwrap().len()
    }

    /// Asks the host that is there now, on behalf of a visitor.
    fn ask(&self, number: usize, asked: &str, body: &str) -> Option<HttpAnswer> {
        let address = self.address.read().unwrap().clone();
        // Each comes from elsewhere, as the proxy of the site says.
        let from = format!("198.18.{}.{}", number / 250, number % 250);
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-forwarded-for", from.as_str()),
        ];
        ask(&address, asked, &headers, body)
    }

    /// A visitor's form, from the page that they opened: sent again until it is
    /// answered, as a browser does that is told to load the page again.
    fn send(&self, number: usize, body: &str) {
        let mut unanswered_at = None;
        loop {
            let Some(answer) = self.ask(number, &format!("POST {FORM}"), body) else {
                unanswered_at = Some(Timestamp::now());
                sleep(Duration::from_millis(5));
                continue;
            };
            match answer.status {
                303 => {
                    let told = answer.head.split("sent?ref=").nth(1);
                    let ticket = told.and_then(|told| told.split('&').next()).unwrap().to_owned();
                    self.sent.lock().unwrap().push(Sent { number, ticket, unanswered_at });
                    return;
                }
                // It has too much to do, or goes down.
                429 | 503 => sleep(Duration::from_millis(50)),
                _ => {
                    let HttpAnswer { status, body, .. } = answer;
                    self.faults.lock().unwrap().push(format!("form {number}: {status} {body}"));
                    return;
                }
            }
        }
    }
}

/// Visitors who open the form, fill it in, and send it when it is their turn.
fn visitors(site: &Arc<Site>, posts: usize) -> Vec<JoinHandle<()>> {
    (0..VISITORS)
        .map(|visitor| {
            let site = Arc::clone(site);
            thread::spawn(move || {
                let numbers = || (visitor..posts).step_by(VISITORS);
                let filled: Vec<String> = numbers().map(|number| fill(&site, number)).collect();
                sleep(A_LOOK);
                for (number, body) in numbers().zip(&filled) {
                    while number >= site.open_until.load(Ordering::Relaxed) {
                        sleep(Duration::from_millis(1));
                    }
                    site.send(number, body);
                }
            })
        })
        .collect()
}

/// Opens the form, and fills it in.
fn fill(site: &Site, number: usize) -> String {
    let page = site.ask(number, &format!("GET {FORM}"), "").unwrap().body;
    let hidden = |name: &str| {
        let rest = page.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let fields = [
        ("nonce", hidden("nonce")),
        ("seal", hidden("seal")),
        ("name", "Anna Weber".to_owned()),
        ("email", address(number)),
        ("subject", subject("form", number)),
        ("message", "Where is it?".to_owned()),
    ];
    site.opened.fetch_add(1, Ordering::Relaxed);
    Serializer::new(String::new()).extend_pairs(fields).finish()
}

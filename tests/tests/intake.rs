//! Messages of customers, taken in by several hosts at once, on both databases:
//! nothing is lost, and nothing is there twice.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::collections::BTreeSet;

use relata_app::{
    App, Channel, InboundMessage, IntakeError, Running, SHIPPED, TakenMail, TakenMessage,
    model::{Fields, Record, Reference, Value},
};
use relata_tests::{Backend, Place, Postgres, open, postgres::Database};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// A service desk with two hosts.
struct Desk {
    hosts: [App; 2],
    _database: Option<Database<'static>>,
    _folder: TempDir,
}

impl Desk {
    /// One on each database.
    async fn both() -> [Self; 2] {
        let (file, server) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let place = Place { root: file.path().join("data"), backend: Backend::Sqlite };
        place.initialize();
        let on_file = Self {
            hosts: [open(&place).await, open(&place).await],
            _database: None,
            _folder: file,
        };
        let database = Postgres::shared().database();
        let mut hosts = Vec::new();
        for name in ["a", "b"] {
            let backend = Backend::Postgres { url: database.url() };
            let place = Place { root: server.path().join(name), backend };
            place.initialize();
            hosts.push(open(&place).await);
        }
        let hosts = hosts.try_into().unwrap();
        [on_file, Self { hosts, _database: Some(database), _folder: server }]
    }

    fn app(&self) -> &App {
        &self.hosts[0]
    }

    async fn take(&self, message: InboundMessage) -> TakenMessage {
        self.app().take_in(message, "test").await.unwrap()
    }

    /// Has messages taken in at once, by both hosts in turn.
    async fn take_at_once(&self, messages: Vec<InboundMessage>) -> Vec<TakenMessage> {
        let mut taking = JoinSet::new();
        for (message, app) in messages.into_iter().zip(self.hosts.iter().cycle()) {
            let app = app.clone();
            taking.spawn(async move { app.take_in(message, "test").await.unwrap() });
        }
        taking.join_all().await
    }

    async fn set(&self, record: &Reference, field: &str, text: &str) {
        let fields = Fields::from([(field.to_owned(), Value::Text(text.to_owned()))]);
        self.app().update_record(record, fields, "test").await.unwrap();
    }

    async fn status(&self, ticket: &Reference) -> String {
        self.app().record(ticket).await.unwrap().field("status").to_string()
    }

    async fn count(&self, object: &str) -> usize {
        self.app().records_all(object).await.unwrap().len()
    }
}

/// A mail of Anna's.
fn mail(id: &str) -> InboundMessage {
    InboundMessage {
        channel: Channel::Mail,
        from: "anna@example.com".to_owned(),
        from_name: Some("Anna Weber".to_owned()),
        subject: Some("Where is my order?".to_owned()),
        text: "It should have come on Friday.".to_owned(),
        key: Some(id.to_owned()),
        message_id: Some(id.to_owned()),
        ..InboundMessage::default()
    }
}

/// An answer to a mail.
fn answer(id: &str, to: &str) -> InboundMessage {
    InboundMessage { references: vec![to.to_owned()], ..mail(id) }
}

fn distinct<T: Ord>(items: impl Iterator<Item = T>) -> usize {
    items.collect::<BTreeSet<T>>().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_message_on_two_hosts_at_once_is_one_ticket() {
    for desk in Desk::both().await {
        for round in 0..5 {
            let same = vec![mail(&format!("{round}@example.com")); 8];
            let taken = desk.take_at_once(same).await;
            assert_eq!(taken.iter().filter(|taken| !taken.repeated).count(), 1, "round {round}");
            assert_eq!(distinct(taken.iter().map(|taken| &taken.message)), 1, "round {round}");
            assert_eq!(distinct(taken.iter().map(|taken| &taken.ticket)), 1, "round {round}");
        }
        let counts = [desk.count("contact").await, desk.count("ticket").await];
        assert_eq!((counts, desk.count("message").await), ([1, 5], 5));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_mails_of_a_new_sender_at_once_are_one_contact() {
    for desk in Desk::both().await {
        for round in 0..5 {
            let mails = (0..8).map(|number| InboundMessage {
                from: format!("customer-{round}@example.com"),
                ..mail(&format!("{round}-{number}@example.com"))
            });
            let taken = desk.take_at_once(mails.collect()).await;
            assert_eq!(distinct(taken.iter().map(|taken| &taken.author)), 1, "round {round}");
            assert_eq!(distinct(taken.iter().map(|taken| &taken.ticket)), 8, "round {round}");
        }
        assert_eq!((desk.count("contact").await, desk.count("ticket").await), (5, 40));
        assert_eq!(desk.count("interaction").await, 40);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_belongs_to_the_ticket_that_it_answers() {
    for desk in Desk::both().await {
        let first = desk.take(mail("1@example.com")).await;
        assert!(first.opened && !first.repeated);
        let second = desk.take(answer("2@example.com", "1@example.com")).await;
        assert!(!second.opened);
        // Through a mail that never came here to one that did.
        let third = InboundMessage {
            references: vec!["lost@example.com".to_owned(), "2@example.com".to_owned()],
            ..mail("3@example.com")
        };
        let third = desk.take(third).await;
        // By the name in its subject, from its customer.
        let named = |from: &str, id: &str| InboundMessage {
            from: from.to_owned(),
            subject: Some(format!("Re: [{}] Where is my order?", first.ticket_ref)),
            ..mail(id)
        };
        let fourth = desk.take(named("ANNA@example.com", "4@example.com")).await;
        for taken in [&second, &third, &fourth] {
            assert_eq!(taken.ticket, first.ticket);
        }
        // A stranger who knows the name, before and after they had to do with it.
        let stranger = desk.take(named("eve@example.com", "5@example.com")).await;
        assert!(stranger.opened && stranger.ticket != first.ticket);
        // Also when we know them from another ticket.
        assert!(desk.take(named("eve@example.com", "8@example.com")).await.opened);
        let forwarded = InboundMessage {
            from: "bert@example.com".to_owned(),
            ..answer("6@example.com", "1@example.com")
        };
        assert_eq!(desk.take(forwarded).await.ticket, first.ticket);
        assert_eq!(
            desk.take(named("bert@example.com", "7@example.com")).await.ticket,
            first.ticket
        );
        // One that came a month ago, whose key is forgotten.
        let again = desk.take(InboundMessage { key: None, ..mail("1@example.com") }).await;
        assert!(again.repeated);
        assert_eq!((again.message, again.ticket), (first.message, first.ticket));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_answer_opens_its_ticket_again_or_one_that_follows() {
    for desk in Desk::both().await {
        let first = desk.take(mail("0@example.com")).await;
        desk.set(&first.ticket, "queue", "queue/support").await;
        let statuses = [
            ("new", "new"),
            ("waiting_for_customer", "open"),
            ("on_hold", "on_hold"),
            ("solved", "open"),
        ];
        for (status, then) in statuses {
            desk.set(&first.ticket, "status", status).await;
            let away = InboundMessage {
                automatic: true,
                ..answer(&format!("away-{status}@example.com"), "0@example.com")
            };
            assert_eq!(desk.take(away).await.ticket, first.ticket);
            assert_eq!(desk.status(&first.ticket).await, status, "a machine changes nothing");
            let taken = desk.take(answer(&format!("{status}@example.com"), "0@example.com")).await;
            assert_eq!(taken.ticket, first.ticket);
            assert_eq!(desk.status(&first.ticket).await, then);
        }
        desk.set(&first.ticket, "status", "solved").await;
        desk.set(&first.ticket, "status", "closed").await;
        let answers =
            (0..8).map(|number| answer(&format!("late-{number}@example.com"), "0@example.com"));
        let taken = desk.take_at_once(answers.collect()).await;
        assert_eq!(distinct(taken.iter().map(|taken| &taken.ticket)), 1);
        let opened: Vec<&TakenMessage> = taken.iter().filter(|taken| taken.opened).collect();
        assert_eq!(opened.len(), 1);
        assert_eq!(opened[0].follows.as_ref(), Some(&first.ticket));
        let next: Record = desk.app().record(&opened[0].ticket).await.unwrap();
        assert_eq!(next.field("follows").as_reference(), Some(&first.ticket));
        assert_eq!(next.field("status").to_string(), "new");
        let before = desk.app().record(&first.ticket).await.unwrap();
        assert_eq!(next.field("queue"), before.field("queue"));
        assert_eq!(before.field("status").to_string(), "closed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn machines_open_no_ticket_and_come_to_an_end() {
    for desk in Desk::both().await {
        let away = InboundMessage { automatic: true, ..mail("away@example.com") };
        let refused = desk.app().take_in(away, "test").await.unwrap_err();
        assert!(matches!(refused, IntakeError::Unrelated), "{refused}");
        assert_eq!((desk.count("contact").await, desk.count("ticket").await), (0, 0));
        for number in 0..4 {
            let noisy =
                InboundMessage { most_per_hour: Some(3), ..mail(&format!("{number}@example.com")) };
            match desk.app().take_in(noisy, "test").await {
                Ok(taken) => assert!(taken.opened && number < 3),
                Err(why) => assert!(matches!(why, IntakeError::TooMany(3)) && number == 3, "{why}"),
            }
        }
        assert_eq!(desk.count("ticket").await, 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_colleague_who_answers_by_mail_leaves_a_note() {
    for desk in Desk::both().await {
        let lea = Fields::from(
            [("name", "Lea"), ("email", "lea@example.com")]
                .map(|(name, text)| (name.to_owned(), Value::Text(text.to_owned()))),
        );
        let lea = desk.app().create_record("user", lea, "test").await.unwrap().reference;
        let first = desk.take(mail("1@example.com")).await;
        desk.set(&first.ticket, "status", "solved").await;
        let from_lea = InboundMessage {
            from: "lea@example.com".to_owned(),
            ..answer("2@example.com", "1@example.com")
        };
        let note = desk.take(from_lea).await;
        assert_eq!((note.ticket, note.author), (first.ticket.clone(), lea));
        let message = desk.app().record(&note.message).await.unwrap();
        assert_eq!(message.field("direction").to_string(), "note");
        assert_eq!(desk.status(&first.ticket).await, "solved");
        assert_eq!(desk.count("contact").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shipped_workflows_route_what_comes_in_and_an_answer_to_their_mails_finds_its_ticket() {
    let folder = tempfile::tempdir().unwrap();
    let monday = "2026-12-14T09:00:00Z".parse().unwrap();
    let app = App::create(&folder.path().join("data"), Some(monday)).await.unwrap();
    let user = [
        ("name", Value::Text("Lea".to_owned())),
        ("email", Value::Text("lea@example.com".to_owned())),
        ("team", Value::Reference(Reference::new("team", "support"))),
        ("skills", Value::List(vec![Value::Text("complaints:5".to_owned())])),
    ];
    let user = user.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let lea = app.create_record("user", user, "test").await.unwrap().reference;
    for name in ["route-tickets", "complaint-escalation"] {
        let file = format!("workflows/{name}.yaml");
        let (_, source) = SHIPPED.iter().find(|(shipped, _)| *shipped == file).unwrap();
        app.activate(&file, source, "test", Running::Finish).await.unwrap();
    }
    let greets = "\
workflow: greets
when:
  - created: ticket
only_if:
  - ticket.customer is not empty
steps:
  - do: mail.send
    to: =ticket.customer
    template: welcome
";
    app.activate("greets.yaml", greets, "test", Running::Finish).await.unwrap();
    let angry = InboundMessage {
        text: "This is terrible, the worst service ever. I am furious!".to_owned(),
        ticket: Fields::from([(
            "queue".to_owned(),
            Value::Reference(Reference::new("queue", "support")),
        )]),
        ..mail("1@example.com")
    };
    let taken = app.take_in(angry, "mail").await.unwrap();
    let taken_author = taken.author.clone();
    app.settle_all().await.unwrap();
    let ticket = app.record(&taken.ticket).await.unwrap();
    assert_eq!(ticket.field("owner").as_reference(), Some(&lea));
    assert_eq!(ticket.field("category").to_string(), "complaint");
    // The customer answers the mail of the workflow.
    let effects = app.effects(&Default::default()).await.unwrap();
    let mail_out = effects.iter().find(|effect| effect.template.as_deref() == Some("welcome"));
    let sent = app.message_id_of(mail_out.unwrap().effect.parse().unwrap());
    let next = app.take_in(answer("2@example.com", &sent), "mail").await.unwrap();
    assert_eq!(next.ticket, taken.ticket);
    // A mail server says that it did not arrive, twice.
    let bounce = format!(
        "From: MAILER-DAEMON@mx.example.com\r\nSubject: Undelivered\r\nX-Failed-Recipients: anna@example.com\r\n\r\nMessage-ID: <{sent}>\r\n"
    );
    for _ in 0..2 {
        let taken = app.take_mail(bounce.clone().into_bytes()).await.unwrap();
        assert_eq!(taken, TakenMail::Bounced(taken_author.clone()));
    }
    let timeline = app.timeline(&taken_author).await.unwrap();
    let bounced = timeline.iter().filter(|entry| entry.what.starts_with("mail_bounced"));
    assert_eq!(bounced.count(), 1);
    // Somebody else's domain says nothing about our mails.
    let elsewhere = sent.replace("@example.com", "@elsewhere.example");
    assert_ne!(sent, elsewhere);
    let other = app.take_in(answer("3@example.com", &elsewhere), "mail").await.unwrap();
    assert!(other.opened);
}

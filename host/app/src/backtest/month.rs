//! A month of a company, made up: for measuring, and for the proof that a
//! backtest counts what a live run counts. The same seed makes the same month.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use relata_model::{Decimal, Fields, RecordId, Reference, Timestamp, Value};
use relata_store::{Cause, Condition, EffectFilter, EffectStatus, Query, RecordError, Write};
use uuid::Uuid;

use crate::{App, AppError};

/// What somebody does, and when.
#[derive(Debug, Clone)]
pub struct Deed {
    /// When.
    pub at: Timestamp,
    /// What.
    pub write: Write,
}

/// How long a month is.
const SPAN_MS: i64 = 30 * DAY;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// So many deeds are written in one transaction.
const BATCH: usize = 500;

/// After so many deeds of a live run it is looked what customers may answer.
const LOOK_EVERY: usize = 10;

/// Messages of customers: one in three is a complaint.
const MESSAGES: [&str; 6] = [
    "How do I change the address of my order? Thank you for a short answer.",
    "This is a disgrace. Nobody answers for days, I am very angry and want my money back.",
    "Please send me the invoice of last month again.",
    "Where can I find the manual? Otherwise I am very happy with it.",
    "The parcel came broken, the replacement came broken as well. Terrible service, I am furious.",
    "Is there a discount from ten pieces on?",
];

/// A month in the making.
struct Month {
    random: Rng,
    start_ms: i64,
    drawn: u64,
    deeds: Vec<Deed>,
    users: Vec<Reference>,
    contacts: Vec<Reference>,
}

/// A month from a time on: users and contacts first, then about `events`
/// entries of the event log, in the order of time.
#[must_use]
pub fn month(seed: u64, start: Timestamp, events: usize) -> Vec<Deed> {
    let mut month = Month {
        random: Rng::with_seed(seed),
        start_ms: start.as_millisecond(),
        drawn: 0,
        deeds: Vec::with_capacity(events + events / 8),
        users: Vec::new(),
        contacts: Vec::new(),
    };
    month.people(events);
    while month.deeds.len() < events {
        // Most of what is begun has the time to end within the month.
        let begins = month.random.i64(0..SPAN_MS - DAY);
        match month.random.u32(0..10) {
            0..=2 => month.lead(begins),
            3..=7 => month.ticket(begins),
            8 => month.order(begins),
            _ => month.visit(begins),
        }
    }
    let end = month.start_ms + SPAN_MS;
    let mut deeds = month.deeds;
    deeds.retain(|deed| deed.at.as_millisecond() <= end);
    deeds.sort_by_key(|deed| deed.at);
    deeds.truncate(events);
    deeds
}

impl Month {
    fn people(&mut self, events: usize) {
        for (number, team) in ["enterprise", "dach", "dach", "international"].iter().enumerate() {
            let user = self.create(
                "user",
                0,
                &[
                    ("name", text(format!("Agent {number}"))),
                    ("email", text(format!("agent{number}@company.example"))),
                    ("team", Value::Reference(Reference::new("team", *team))),
                    ("skills", list(&["complaints:4", "complaint-lead"])),
                    ("roles", list(&["head-of-support", "marketing", "support-ops"])),
                ],
            );
            self.users.push(user);
        }
        for number in 0..(events / 40).max(20) {
            let ordered = self.start_ms - self.random.i64(60 * DAY..110 * DAY);
            let contact = self.create(
                "contact",
                0,
                &[
                    ("name", text(format!("Customer {number}"))),
                    ("email", text(format!("customer{number}@example.com"))),
                    ("tier", text(["standard", "standard", "silver", "gold"][number % 4])),
                    ("survey_consent", Value::YesNo(!number.is_multiple_of(9))),
                    ("mail_consent", Value::YesNo(!number.is_multiple_of(7))),
                    ("last_order_at", time(ordered)),
                ],
            );
            self.contacts.push(contact);
        }
    }

    fn lead(&mut self, begins: i64) {
        let number = self.drawn;
        let country = self.random.choice(["DE", "AT", "FR", "US", "CN"]).unwrap_or("DE");
        let size = self.random.i64(1..400);
        let lead = self.create(
            "lead",
            begins,
            &[
                ("name", text(format!("Lead {number}"))),
                ("email", text(format!("lead{number}@example.com"))),
                ("country", text(country)),
                ("company_size", Value::Number(Decimal::from(size))),
            ],
        );
        if self.random.u32(0..10) == 0 {
            return;
        }
        let seen = begins + self.random.i64(10 * MINUTE..20 * HOUR);
        let owner = self.somebody();
        self.set(&lead, seen, &[("status", text("assigned")), ("owner", owner)]);
        let called = seen + self.random.i64(HOUR..60 * HOUR);
        self.set(&lead, called, &[("status", text("in_process"))]);
        let end = called + self.random.i64(DAY..6 * DAY);
        let ended = if self.random.bool() { "converted" } else { "dead" };
        self.set(&lead, end, &[("status", text(ended))]);
    }

    fn ticket(&mut self, begins: i64) {
        let customer = self.customer();
        let body = self.random.choice(MESSAGES).unwrap_or(MESSAGES[0]);
        let number = self.drawn;
        let ticket = self.create(
            "ticket",
            begins,
            &[
                ("customer", Value::Reference(customer.clone())),
                ("subject", text(format!("Inquiry {number}"))),
                ("body", text(body)),
                ("channel", text("mail")),
            ],
        );
        let mut at = begins + self.random.i64(5 * MINUTE..12 * HOUR);
        self.set(
            &ticket,
            at,
            &[("status", text("open")), ("first_reply_at", time(self.start_ms + at))],
        );
        if self.random.u32(0..3) == 0 {
            at += self.random.i64(MINUTE..5 * HOUR);
            self.set(&ticket, at, &[("status", text("waiting_for_customer"))]);
        }
        at += self.random.i64(HOUR..30 * HOUR);
        self.set(&ticket, at, &[("status", text("solved"))]);
        if self.random.u32(0..6) == 0 {
            at += self.random.i64(HOUR..20 * HOUR);
            self.set(&ticket, at, &[("status", text("open"))]);
            at += self.random.i64(HOUR..20 * HOUR);
            self.set(&ticket, at, &[("status", text("solved"))]);
        }
        if self.random.u32(0..8) == 0 {
            at += self.random.i64(HOUR..40 * HOUR);
            self.answer(&customer, at);
        }
    }

    /// An answer to a survey that somebody sent by hand.
    fn answer(&mut self, customer: &Reference, at: i64) {
        let response = self.create(
            "survey_response",
            at,
            &[("contact", Value::Reference(customer.clone())), ("status", text("sent"))],
        );
        let score = self.random.i64(1..6);
        let answered = at + self.random.i64(MINUTE..DAY);
        self.set(
            &response,
            answered,
            &[("status", text("answered")), ("score", Value::Number(Decimal::from(score)))],
        );
    }

    fn order(&mut self, begins: i64) {
        let (number, contact) = (self.drawn, self.customer());
        let order = self.create(
            "order",
            begins,
            &[("ref", text(format!("O-{number}"))), ("contact", Value::Reference(contact.clone()))],
        );
        let paid = begins + self.random.i64(MINUTE..DAY);
        self.set(&order, paid, &[("status", text("paid"))]);
        self.set(&contact, paid + 1, &[("last_order_at", time(self.start_ms + paid))]);
    }

    fn visit(&mut self, begins: i64) {
        let contact = self.customer();
        self.create(
            "interaction",
            begins,
            &[
                ("about", Value::Reference(contact)),
                ("kind", text("page_viewed")),
                ("happened_at", time(self.start_ms + begins)),
            ],
        );
    }

    fn customer(&mut self) -> Reference {
        let number = self.random.usize(0..self.contacts.len());
        self.contacts[number].clone()
    }

    fn somebody(&mut self) -> Value {
        let number = self.random.usize(0..self.users.len());
        Value::Reference(self.users[number].clone())
    }

    /// So many milliseconds after the beginning of the month.
    fn create(&mut self, object: &str, at: i64, given: &[(&str, Value)]) -> Reference {
        let id = RecordId::from_uuid(self.draw(at));
        let write = Write::Create { object: object.to_owned(), id, fields: fields(given) };
        self.push(at, write);
        Reference::new(object, id.to_string())
    }

    fn set(&mut self, record: &Reference, at: i64, given: &[(&str, Value)]) {
        let reference = record.clone();
        self.push(at, Write::Update { reference, fields: fields(given), if_revision: None });
    }

    fn push(&mut self, at: i64, write: Write) {
        let at = Timestamp::from_millisecond(self.start_ms + at).unwrap_or(Timestamp::MAX);
        self.deeds.push(Deed { at, write });
    }

    fn draw(&mut self, at: i64) -> Uuid {
        self.drawn += 1;
        numbered(self.start_ms + at, self.drawn)
    }
}

fn numbered(millis: i64, number: u64) -> Uuid {
    let millis = u128::try_from(millis).unwrap_or_default();
    Uuid::from_u128(millis << 80 | u128::from(number))
}

fn fields(given: &[(&str, Value)]) -> Fields {
    given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

fn time(millis: i64) -> Value {
    Value::Time(Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX))
}

fn list(words: &[&str]) -> Value {
    Value::List(words.iter().map(|word| text(*word)).collect())
}

impl App {
    /// Writes deeds in bulk, each at its own time, as if the time had gone
    /// by; no workflow sees them. Answers how many entries the event log got.
    /// `progress` is told how many are written.
    ///
    /// # Errors
    ///
    /// [`AppError`] where a record refuses a deed.
    pub async fn write_in_bulk(
        &self,
        deeds: Vec<Deed>,
        mut progress: impl FnMut(usize),
    ) -> Result<u64, AppError> {
        let (mut events, mut written) = (0, 0);
        let mut drawn = 1_u64 << 40;
        let mut deeds = deeds.into_iter().peekable();
        while deeds.peek().is_some() {
            let batch: Vec<Deed> = deeds.by_ref().take(BATCH).collect();
            written += batch.len();
            let from = drawn;
            // As many ids as a batch may need: an event, and those it means.
            drawn += 16 * BATCH as u64;
            events += self
                .store()
                .write(move |tx| {
                    Box::pin(async move {
                        let cause = Cause::outside("month");
                        let mut number = from;
                        let mut seen = Vec::new();
                        for Deed { at, write } in batch {
                            let mut fresh = || {
                                number += 1;
                                let id = numbered(at.as_millisecond(), number);
                                seen.push(relata_model::EventId::from_uuid(id));
                                id
                            };
                            tx.record_write(write, &cause, &mut fresh, at).await?;
                        }
                        // Nobody is to look at them any more.
                        Ok::<_, RecordError>(tx.event_settle(&seen).await?.len() as u64)
                    })
                })
                .await?;
            progress(written);
        }
        Ok(events)
    }

    /// Lives through deeds: a rehearsal's clock goes from one to the next,
    /// and everything that falls due on the way is done. Surveys that are sent
    /// are answered, and mails are clicked, by some. `progress` is told how
    /// many are done.
    ///
    /// # Errors
    ///
    /// [`AppError`] where this is no rehearsal, or the runner fails.
    pub async fn live_through(
        &self,
        deeds: Vec<Deed>,
        mut progress: impl FnMut(usize),
    ) -> Result<(), AppError> {
        let mut answers = Answers::default();
        for (number, deed) in deeds.into_iter().enumerate() {
            while let Some((at, write)) = answers.due(deed.at) {
                self.do_at(at, write).await?;
            }
            self.do_at(deed.at, deed.write).await?;
            if number % LOOK_EVERY == 0 {
                self.answer_new(&mut answers).await?;
            }
            progress(number + 1);
        }
        Ok(())
    }

    /// Plans the answers of customers to what was sent to them.
    async fn answer_new(&self, answers: &mut Answers) -> Result<(), AppError> {
        let sent = vec![Condition::equal("status", text("sent"))];
        let surveys = self.store().record_query(&Query::new("survey_response", sent)).await?;
        for survey in surveys.records {
            let number = answers.number(&survey.reference.to_string());
            // Two in three answer.
            if let Some(number) = number.filter(|number| number % 3 != 0) {
                let given = fields(&[
                    ("status", text("answered")),
                    ("score", Value::Number(Decimal::from(number % 5 + 1))),
                ]);
                let reference = survey.reference;
                let write = Write::Update { reference, fields: given, if_revision: None };
                answers.plan(self.now(), number, write);
            }
        }
        let mails = EffectFilter {
            workflow: Some("win-back".to_owned()),
            status: Some(EffectStatus::Sent),
            ..EffectFilter::default()
        };
        for mail in self.store().outbox_list(&mails, u32::MAX).await? {
            let number = answers.number(&mail.id.to_string());
            if let (Some(number), Some(to)) =
                (number.filter(|number| number % 2 == 0), mail.recipient)
            {
                let given = fields(&[
                    ("about", Value::Reference(to)),
                    ("kind", text("mail_clicked")),
                    ("mail", text(mail.id.to_string())),
                ]);
                let id = crate::fresh::record_id(self.now());
                let write = Write::Create { object: "interaction".to_owned(), id, fields: given };
                answers.plan(self.now(), number, write);
            }
        }
        Ok(())
    }

    async fn do_at(&self, at: Timestamp, write: Write) -> Result<(), AppError> {
        let at = at.max(self.now());
        if self.next_due().await?.is_some_and(|due| due <= at) {
            self.advance_to(at, |_| ()).await?;
        } else {
            self.set_clock(at).await?;
        }
        let now = self.now();
        let cause = Cause::outside("month");
        let written = self.store().write(move |tx| {
            Box::pin(async move {
                tx.record_write(write, &cause, &mut crate::fresh::source(now), now).await
            })
        });
        match written.await {
            // A record that a workflow has moved on refuses some of what
            // people would have done without it.
            Ok(_) | Err(RecordError::Invalid(_)) => {}
            Err(why) => return Err(why.into()),
        }
        self.settle_all().await
    }
}

/// What customers will answer.
#[derive(Debug, Default)]
struct Answers {
    planned: BTreeMap<(Timestamp, u64), Write>,
    seen: BTreeSet<String>,
}

impl Answers {
    /// The number of something that was sent, from 1; none where it has one.
    fn number(&mut self, sent: &str) -> Option<u64> {
        self.seen.insert(sent.to_owned()).then_some(self.seen.len() as u64)
    }

    /// From minutes to days later.
    fn plan(&mut self, now: Timestamp, number: u64, write: Write) {
        let minutes = 7 + number * number * 13 % 4_000;
        let later = std::time::Duration::from_secs(60 * minutes);
        self.planned.insert((now.checked_add(later).unwrap_or(Timestamp::MAX), number), write);
    }

    fn due(&mut self, by: Timestamp) -> Option<(Timestamp, Write)> {
        let ((at, _), _) = self.planned.first_key_value()?;
        if *at > by {
            return None;
        }
        self.planned.pop_first().map(|((at, _), write)| (at, write))
    }
}

//! The one door for a message of somebody outside, whatever its channel: mail,
//! a web form, a chat, the API. In one transaction the sender is found or
//! made, the ticket is found or opened, and the message is written, once for
//! each key.

mod json;
mod threads;

use std::{fmt, str::FromStr, time::Duration};

use relata_model::{EffectId, FieldError, Fields, Record, Reference, Timestamp, Value, text};
use relata_store::{
    Cause, Condition, Operator, Query, RecordBatch, RecordError, RequestKey, StoreError, Tx, Write,
    Written,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    App, AppError, MessageFile, activation::hex, attachments, fresh, ingest::key_of_header,
};

/// How often a message is tried where another host makes the same contact at
/// the same moment.
const TRIES: u32 = 5;

/// The longest subject of a ticket, and name of a contact, characters.
const LONGEST_LINE: usize = 300;

/// The subject of a message that has none, and no text either.
const NO_SUBJECT: &str = "(no subject)";

/// The time in which [`InboundMessage::most_per_hour`] is counted.
const HOUR: Duration = Duration::from_secs(3_600);

/// The ticket's fields that follow from the message itself.
const OWN_FIELDS: [&str; 7] =
    ["ref", "customer", "subject", "body", "channel", "status", "follows"];

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Channel {
    /// A mail.
    Mail,
    /// A form on a web page.
    Web,
    /// A chat, or a social network.
    Chat,
    /// A call that somebody or something wrote down.
    Phone,
    /// Another program.
    #[default]
    Api,
}

impl Channel {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Mail, Self::Web, Self::Chat, Self::Phone, Self::Api];

    /// The word, as records have it: `mail`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Web => "web",
            Self::Chat => "chat",
            Self::Phone => "phone",
            Self::Api => "api",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Channel {
    type Err = String;

    /// Reads `mail`; the message says what there is.
    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == word).ok_or_else(|| {
            let all = Self::ALL.map(Self::as_str);
            let hint = text::nearest(word, all.into_iter())
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            format!("takes one of {}{hint}", all.join(", "))
        })
    }
}

/// A message of somebody outside.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InboundMessage {
    /// How it came.
    pub channel: Channel,
    /// The sender's mail address.
    pub from: String,
    /// The sender's name, for a contact that is new.
    pub from_name: Option<String>,
    /// What it is about, in a line.
    pub subject: Option<String>,
    /// What it says, without what it quotes.
    pub text: String,
    /// The whole text, where `text` leaves something of it out.
    pub whole: Option<String>,
    /// By what it is known when it comes again: 1 to 255 characters. Each actor
    /// counts its own keys. Without one it is always another message.
    pub key: Option<String>,
    /// What its channel calls it (the Message-ID of a mail, without angle
    /// brackets): what an answer to it will name.
    pub message_id: Option<String>,
    /// The messages that it answers, by what their channel calls them, the
    /// nearest first.
    pub references: Vec<String>,
    /// When its sender says that it was sent.
    pub sent_at: Option<Timestamp>,
    /// The language of a contact that is new.
    pub locale: Option<String>,
    /// Further fields of a ticket that it opens: `queue`, `category`, a
    /// company's own.
    pub ticket: Fields,
    /// The files that came with it. What is too much is named and not kept
    /// (`[mail] attachment_max_mib`).
    pub attachments: Vec<MessageFile>,
    /// Whether a machine wrote it. Then it opens and reopens no ticket.
    pub automatic: bool,
    /// How many messages an hour are taken in of one sender, if there is a
    /// bound.
    pub most_per_hour: Option<u32>,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TakenMessage {
    /// The ticket.
    #[schema(value_type = String)]
    pub ticket: Reference,
    /// What people call the ticket.
    pub ticket_ref: String,
    /// The message.
    #[schema(value_type = String)]
    pub message: Reference,
    /// Who wrote it: a contact, or a user who answered by mail.
    #[schema(value_type = String)]
    pub author: Reference,
    /// Whether it opened the ticket.
    pub opened: bool,
    /// The closed ticket from which the new one goes on.
    #[schema(value_type = Option<String>)]
    pub follows: Option<Reference>,
    /// Whether it came before; then it did nothing.
    #[serde(skip)]
    pub repeated: bool,
}

/// Why a message is not taken in; nothing is kept of it.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Some of it cannot be so: all that is wrong.
    #[error("nothing of this message was taken in; `errors` says what is wrong")]
    Invalid(Vec<FieldError>),
    /// Another message had this key.
    #[error("this key came with another message before; draw a new key for each message")]
    KeyReused,
    /// The key cannot be one.
    #[error("the header Idempotency-Key {0}")]
    WrongKey(&'static str),
    /// The sender writes too often.
    #[error(
        "its sender wrote {0} messages within an hour; this may be two machines that answer each other"
    )]
    TooMany(u32),
    /// A machine wrote it, and it belongs to no ticket.
    #[error("a machine wrote it, and it belongs to no ticket")]
    Unrelated,
    /// A fault of ours.
    #[error(transparent)]
    App(#[from] AppError),
}

impl From<StoreError> for IntakeError {
    fn from(why: StoreError) -> Self {
        Self::App(why.into())
    }
}

impl From<RecordError> for IntakeError {
    fn from(why: RecordError) -> Self {
        match why {
            RecordError::Invalid(errors) => Self::Invalid(errors),
            other => Self::App(other.into()),
        }
    }
}

/// Why nothing was written.
enum NotWritten {
    /// The message came before: this is what became of it.
    Known(TakenMessage),
    /// It is wrong, or something failed.
    Refused(IntakeError),
}

impl From<IntakeError> for NotWritten {
    fn from(why: IntakeError) -> Self {
        Self::Refused(why)
    }
}

impl From<AppError> for NotWritten {
    fn from(why: AppError) -> Self {
        Self::Refused(why.into())
    }
}

impl From<StoreError> for NotWritten {
    fn from(why: StoreError) -> Self {
        Self::Refused(why.into())
    }
}

impl From<RecordError> for NotWritten {
    fn from(why: RecordError) -> Self {
        Self::Refused(why.into())
    }
}

impl App {
    /// Takes in a message: once for each key, however often and on however many
    /// hosts it comes. When this answers, the contact, the ticket and the
    /// message are on the disk, and their events with them.
    ///
    /// It belongs to the ticket of a message that it answers
    /// ([`InboundMessage::references`]), else to the one whose name stands in
    /// its subject in brackets, if the sender is that ticket's customer or has
    /// written to it. A solved ticket and one that waits for its customer are
    /// open again; a closed one is followed by a new one. All else opens a
    /// ticket.
    ///
    /// # Errors
    ///
    /// [`IntakeError`] says why nothing of it was taken in.
    pub async fn take_in(
        &self,
        message: InboundMessage,
        actor: &str,
    ) -> Result<TakenMessage, IntakeError> {
        let intake = self.prepare(message, actor)?;
        let mut tries = 0;
        loop {
            tries += 1;
            let (now, attempt) = (self.now(), intake.clone());
            let written = self
                .store()
                .write(move |tx| Box::pin(async move { attempt.write(tx, now).await }))
                .await;
            match written {
                Ok((taken, events)) => {
                    self.inner.awaiting.came_in(events);
                    return Ok(taken);
                }
                Err(NotWritten::Known(taken)) => {
                    return Ok(TakenMessage { repeated: true, ..taken });
                }
                // Another host has just made this contact, or drawn the name
                // of this ticket.
                Err(NotWritten::Refused(IntakeError::Invalid(errors)))
                    if tries < TRIES && errors.iter().any(|error| is_taken(&error.field)) => {}
                Err(NotWritten::Refused(why)) => return Err(why),
            }
        }
    }

    /// A message in the form in which it is kept.
    fn prepare(&self, mut message: InboundMessage, actor: &str) -> Result<Intake, IntakeError> {
        let mut wrong = Vec::new();
        let address = text::mail_address(&message.from);
        if address.is_none() {
            let why = "is not a mail address such as anna@example.com";
            wrong.push(FieldError::new("from", why));
        }
        for name in message.ticket.keys().filter(|name| OWN_FIELDS.contains(&name.as_str())) {
            wrong.push(FieldError::new(name, "follows from the message itself"));
        }
        if !wrong.is_empty() {
            return Err(IntakeError::Invalid(wrong));
        }
        let key = match message.key.take() {
            None => None,
            Some(key) => Some(RequestKey {
                token: actor.to_owned(),
                key: key_of_header(&key).map_err(IntakeError::WrongKey)?.to_owned(),
                digest: digest(&message),
            }),
        };
        let names = |id: &String| !id.is_empty() && !id.chars().any(char::is_control);
        message.references.retain(names);
        message.subject = message.subject.as_deref().map(line).filter(|line| !line.is_empty());
        message.from_name = message.from_name.as_deref().map(line).filter(|name| !name.is_empty());
        message.text = plain(&message.text);
        message.whole = message.whole.as_deref().map(plain).filter(|all| *all != message.text);
        attachments::keep_up_to(&mut message.attachments, self.most_of_files());
        let effects = message.references.iter().filter_map(|id| self.effect_of(id)).collect();
        let address = address.unwrap_or_default();
        Ok(Intake { message, address, key, effects, cause: Cause::outside(actor) })
    }

    /// The effect whose mail has this Message-ID; none where it is no mail of
    /// ours.
    pub(crate) fn effect_of(&self, message_id: &str) -> Option<EffectId> {
        self.inner.mail.effect_of(message_id)?.parse().ok()
    }

    /// The Message-ID of an effect's mail, without angle brackets: what an
    /// answer to it names, and so what a message that goes out keeps as its
    /// `message_id`.
    #[must_use]
    pub fn message_id_of(&self, effect: EffectId) -> String {
        self.inner.mail.message_id_of(&effect.to_string())
    }
}

/// Whether the field is one of those of which another record may have the same
/// value from one moment to the next.
fn is_taken(field: &str) -> bool {
    matches!(field, "email" | "ref")
}

/// What a message says, as a number: another one under the same key is a slip
/// of its sender. Two copies of a mail may differ in what stood on their way.
fn digest(message: &InboundMessage) -> String {
    if message.channel == Channel::Mail {
        return String::new();
    }
    let said = (&message.from, &message.from_name, &message.subject, &message.text);
    let mut said = format!("{said:?} {:?} {:?}", message.references, message.ticket);
    for file in &message.attachments {
        said.push_str(&format!(" {:?}", file.known_by()));
    }
    hex(&Sha256::digest(said))
}

/// A text as one line that is not too long.
pub(crate) fn line(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ").chars().take(LONGEST_LINE).collect()
}

/// A text without the characters that are none, and without blank ends.
pub(crate) fn plain(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let kept = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    text.chars().filter(kept).collect::<String>().trim().to_owned()
}

/// A message on its way into the store. A write may be run more than once, so
/// it holds nothing that is used up.
#[derive(Debug, Clone)]
struct Intake {
    message: InboundMessage,
    /// The sender's address, in the form in which contacts keep it.
    address: String,
    key: Option<RequestKey>,
    /// The mails of ours that it answers.
    effects: Vec<EffectId>,
    cause: Cause,
}

/// The writes of a message, which go to the database together.
struct Writes<'i> {
    batch: RecordBatch<'static>,
    cause: &'i Cause,
    now: Timestamp,
    events: usize,
}

impl Writes<'_> {
    async fn write(&mut self, tx: &mut Tx, write: Write) -> Result<Record, RecordError> {
        let (now, events) = (self.now, &mut self.events);
        let mut source = || -> Uuid {
            *events += 1;
            fresh::uuid(now)
        };
        let Written { record, .. } =
            self.batch.write(tx, write, self.cause, &mut source, now).await?;
        Ok(record)
    }

    async fn create(
        &mut self,
        tx: &mut Tx,
        object: &str,
        fields: Fields,
    ) -> Result<Record, RecordError> {
        let id = fresh::record_id(self.now);
        self.write(tx, Write::Create { object: object.to_owned(), id, fields }).await
    }
}

/// Where a message belongs.
enum Place {
    /// To this ticket, which goes to another status by it.
    On(Record, Option<&'static str>),
    /// To a new ticket that goes on from this closed one.
    After(Record),
    /// To a new ticket.
    New,
}

impl Intake {
    /// Writes all of it; answers what became of it, and how many events that
    /// were.
    async fn write(self, tx: &mut Tx, now: Timestamp) -> Result<(TakenMessage, usize), NotWritten> {
        self.check_new(tx).await?;
        let contact = one_with(tx, "contact", "email", &self.address).await?;
        let contact = match contact {
            Some(contact) => Some(threads::standing(tx, contact).await?),
            None => None,
        };
        let answered = threads::answered(tx, &self.message.references, &self.effects).await?;
        let mut writes = Writes { batch: RecordBatch::new(), cause: &self.cause, now, events: 0 };
        if let Some(ticket) = &answered
            && let Some(user) = self.colleague(tx, ticket, contact.as_ref()).await?
        {
            let taken = self.note(tx, &mut writes, ticket, user).await?;
            return self.finish(tx, writes, taken).await;
        }
        let found = match (answered, &contact, &self.message.subject) {
            (Some(ticket), ..) => Some(ticket),
            (None, Some(contact), Some(subject)) => {
                threads::named(tx, subject, &contact.reference).await?
            }
            _ => None,
        };
        if self.message.automatic && found.is_none() {
            return Err(IntakeError::Unrelated.into());
        }
        if let (Some(most), Some(contact)) = (self.message.most_per_hour, &contact) {
            self.check_rate(tx, contact, most, now).await?;
        }
        let contact = match contact {
            Some(contact) => contact,
            None => writes.create(tx, "contact", self.contact()).await?,
        };
        let place = match found {
            Some(ticket) => self.place(tx, ticket).await?,
            None => Place::New,
        };
        let taken = self.taken(tx, &mut writes, place, contact.reference).await?;
        self.finish(tx, writes, taken).await
    }

    /// Who works here and answers a mail about somebody else's ticket.
    async fn colleague(
        &self,
        tx: &mut Tx,
        ticket: &Record,
        contact: Option<&Record>,
    ) -> Result<Option<Reference>, NotWritten> {
        let customer = ticket.field("customer").as_reference();
        if contact.is_some_and(|contact| customer == Some(&contact.reference)) {
            return Ok(None);
        }
        let user = one_with(tx, "user", "email", &self.address).await?;
        let at_work = user.filter(|user| user.field("active") != &Value::YesNo(false));
        Ok(at_work.map(|user| user.reference))
    }

    /// Writes a customer's message, and the ticket where it opens one.
    async fn taken(
        &self,
        tx: &mut Tx,
        writes: &mut Writes<'_>,
        place: Place,
        author: Reference,
    ) -> Result<TakenMessage, NotWritten> {
        let (ticket, opened, follows) = match place {
            Place::On(ticket, None) => (ticket, false, None),
            Place::On(ticket, Some(status)) => {
                let fields = Fields::from([("status".to_owned(), Value::Text(status.to_owned()))]);
                let reference = ticket.reference;
                let write = Write::Update { reference, fields, if_revision: None };
                (writes.write(tx, write).await?, false, None)
            }
            Place::After(closed) => {
                let fields = self.ticket(&author, Some(&closed));
                (writes.create(tx, "ticket", fields).await?, true, Some(closed.reference))
            }
            Place::New => {
                let fields = self.ticket(&author, None);
                (writes.create(tx, "ticket", fields).await?, true, None)
            }
        };
        let message = writes.create(tx, "message", self.message(&ticket, &author, "in")).await?;
        attachments::keep(tx, &message.reference, &self.message.attachments).await?;
        let ticket_ref = ticket.field("ref").to_string();
        if !self.message.automatic {
            let line = self.interaction(&ticket_ref, &author, writes.now);
            writes.create(tx, "interaction", line).await?;
        }
        let (ticket, message) = (ticket.reference, message.reference);
        Ok(TakenMessage { ticket, ticket_ref, message, author, opened, follows, repeated: false })
    }

    /// Writes what somebody who works here answered by mail: for colleagues,
    /// since nobody knows that it is really theirs.
    async fn note(
        &self,
        tx: &mut Tx,
        writes: &mut Writes<'_>,
        ticket: &Record,
        author: Reference,
    ) -> Result<TakenMessage, NotWritten> {
        let message = writes.create(tx, "message", self.message(ticket, &author, "note")).await?;
        attachments::keep(tx, &message.reference, &self.message.attachments).await?;
        Ok(TakenMessage {
            ticket: ticket.reference.clone(),
            ticket_ref: ticket.field("ref").to_string(),
            message: message.reference,
            author,
            opened: false,
            follows: None,
            repeated: false,
        })
    }

    /// Refuses a message that came before.
    async fn check_new(&self, tx: &mut Tx) -> Result<(), NotWritten> {
        if let Some(key) = &self.key
            && let Some(known) = tx.request_known(&key.token, &key.key).await?
        {
            return Err(self.known(known));
        }
        // Keys are kept for a day, and a mail may be fetched again after a month.
        if self.message.channel == Channel::Mail
            && let Some(id) = &self.message.message_id
            && let Some(message) = one_with(tx, "message", "message_id", id).await?
        {
            return Err(NotWritten::Known(threads::told(tx, &message).await?));
        }
        Ok(())
    }

    fn known(&self, known: relata_store::KnownRequest) -> NotWritten {
        if self.key.as_ref().is_none_or(|key| key.digest != known.digest) {
            return NotWritten::Refused(IntakeError::KeyReused);
        }
        match serde_json::from_value(known.answer) {
            Ok(taken) => NotWritten::Known(taken),
            Err(why) => StoreError::Unreadable {
                what: "a message with a key".to_owned(),
                why: why.to_string(),
            }
            .into(),
        }
    }

    /// Notes what became of it, and writes all.
    async fn finish(
        &self,
        tx: &mut Tx,
        writes: Writes<'_>,
        taken: TakenMessage,
    ) -> Result<(TakenMessage, usize), NotWritten> {
        let Writes { mut batch, now, events, .. } = writes;
        if let Some(key) = &self.key {
            let answer = serde_json::to_value(&taken)
                .map_err(|why| AppError::Fault(format!("an answer: {why}")))?;
            // Of two at once the other may have been first. What this one
            // wrote must not stay, and an error is what undoes it.
            if let Some(known) = tx.request_note(key, &answer, now).await? {
                return Err(self.known(known));
            }
        }
        batch.flush(tx).await?;
        Ok((taken, events))
    }

    /// Refuses the message of somebody who writes too often: two machines that
    /// answer each other come to an end here.
    async fn check_rate(
        &self,
        tx: &mut Tx,
        contact: &Record,
        most: u32,
        now: Timestamp,
    ) -> Result<(), NotWritten> {
        let since = now.checked_sub(HOUR).unwrap_or(Timestamp::MIN);
        let lately = [
            Condition::equal("author", Value::Reference(contact.reference.clone())),
            Condition::new("created_at", Operator::Greater, Value::Time(since)),
        ];
        if tx.record_count("message", &lately).await? >= u64::from(most) {
            return Err(IntakeError::TooMany(most).into());
        }
        Ok(())
    }

    /// Where the message belongs, of a ticket that was found for it. Nobody
    /// else changes that ticket meanwhile.
    async fn place(&self, tx: &mut Tx, ticket: Record) -> Result<Place, NotWritten> {
        let Some(ticket) = tx.record_lock(&ticket.reference).await? else { return Ok(Place::New) };
        if self.message.automatic {
            return Ok(Place::On(ticket, None));
        }
        if ticket.field("status").as_text() == Some("closed") {
            // Who answers a closed ticket twice writes to the same new one.
            let Some(next) = threads::followed_by(tx, &ticket.reference).await? else {
                return Ok(Place::After(ticket));
            };
            return Ok(reopened(next));
        }
        Ok(reopened(ticket))
    }

    /// The fields of a new contact.
    fn contact(&self) -> Fields {
        let name = self.message.from_name.clone().unwrap_or_else(|| self.address.clone());
        let mut fields = Fields::from([
            ("name".to_owned(), Value::Text(name)),
            ("email".to_owned(), Value::Text(self.address.clone())),
        ]);
        if let Some(locale) = &self.message.locale {
            fields.insert("locale".to_owned(), Value::Text(locale.clone()));
        }
        fields
    }

    /// The fields of a new ticket; one that goes on from another stays in its
    /// queue.
    fn ticket(&self, customer: &Reference, follows: Option<&Record>) -> Fields {
        let message = &self.message;
        let mut fields = message.ticket.clone();
        let mut set = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        set("customer", Value::Reference(customer.clone()));
        set("channel", Value::Text(message.channel.as_str().to_owned()));
        set("subject", Value::Text(self.subject()));
        if !message.text.is_empty() {
            set("body", Value::Text(message.text.clone()));
        }
        if let Some(closed) = follows {
            set("follows", Value::Reference(closed.reference.clone()));
            let queue = closed.field("queue");
            if !queue.is_nothing() && !message.ticket.contains_key("queue") {
                set("queue", queue.clone());
            }
        }
        fields
    }

    fn subject(&self) -> String {
        let first = || self.message.text.lines().map(line).find(|line| !line.is_empty());
        self.message.subject.clone().or_else(first).unwrap_or_else(|| NO_SUBJECT.to_owned())
    }

    /// The fields of the message.
    fn message(&self, ticket: &Record, author: &Reference, direction: &str) -> Fields {
        let message = &self.message;
        let text = |text: &String| Value::Text(text.clone());
        let fields = [
            ("ticket", Value::Reference(ticket.reference.clone())),
            ("direction", Value::Text(direction.to_owned())),
            ("channel", Value::Text(message.channel.as_str().to_owned())),
            ("author", Value::Reference(author.clone())),
            ("subject", message.subject.as_ref().map_or(Value::Nothing, text)),
            ("body", text(&message.text)),
            ("whole", message.whole.as_ref().map_or(Value::Nothing, text)),
            ("message_id", message.message_id.as_ref().map_or(Value::Nothing, text)),
            ("automatic", Value::YesNo(message.automatic)),
            ("attachments", attachments::said(&message.attachments)),
            ("sent_at", message.sent_at.map_or(Value::Nothing, Value::Time)),
        ];
        let fields = fields.into_iter().filter(|(_, value)| !value.is_nothing());
        fields.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The line on the sender's timeline.
    fn interaction(&self, ticket_ref: &str, about: &Reference, now: Timestamp) -> Fields {
        Fields::from([
            ("about".to_owned(), Value::Reference(about.clone())),
            ("kind".to_owned(), Value::Text("message_received".to_owned())),
            ("summary".to_owned(), Value::Text(format!("{ticket_ref}: {}", self.subject()))),
            ("happened_at".to_owned(), Value::Time(now)),
        ])
    }
}

/// The ticket, which its customer's message opens again where it was solved or
/// waited for that.
fn reopened(ticket: Record) -> Place {
    let again = matches!(ticket.field("status").as_text(), Some("solved" | "waiting_for_customer"));
    Place::On(ticket, again.then_some("open"))
}

/// The record that has this in a field of which there are no two, or few.
async fn one_with(
    tx: &mut Tx,
    object: &str,
    field: &str,
    text: &str,
) -> Result<Option<Record>, RecordError> {
    let same = vec![Condition::equal(field, Value::Text(text.to_owned()))];
    let query = Query { limit: 1, ..Query::new(object, same) };
    Ok(tx.record_query(&query).await?.records.into_iter().next())
}

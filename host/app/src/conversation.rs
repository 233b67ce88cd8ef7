//! A ticket's conversation: what somebody here answers the customer, and what
//! colleagues note for one another.

use relata_model::{
    Act, EffectId, FieldError, Fields, Record, RecordId, Reference, Timestamp, Value,
};
use relata_store::{
    Cause, Condition, EffectKind, EffectStatus, NewEffect, Order, Query, RecordError, Tx, Write,
};
use relata_workflow::IfUnknown;

use crate::{
    AccessError, App, AppError, EffectView, MessageFile, Viewer, attachments, effects::view, fresh,
    outbox::Letter,
};

/// So many of a conversation's last messages does an answer name: mail
/// programs need the nearest alone.
const MOST_REFERENCES: u32 = 20;

/// How often an answer is judged again where the ticket changed meanwhile.
const TRIES: u32 = 3;

/// What somebody here writes to a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// The ticket.
    pub ticket: Reference,
    /// What is said.
    pub text: String,
    /// By what it is known when it is sent again, by a second click say: then
    /// nothing more is written. Each author counts their own keys.
    pub key: String,
    /// The files that go with it.
    pub files: Vec<MessageFile>,
}

/// A message on its way into a transaction.
#[derive(Clone)]
struct Draft {
    new: NewMessage,
    author: Reference,
    actor: String,
    id: RecordId,
    /// How the ticket was when it was judged whether the author may write to
    /// it.
    revision: u64,
}

/// What an answer is beside a message.
#[derive(Clone)]
struct Answer {
    /// The status of the ticket from then on.
    then: Option<String>,
    author_name: String,
    company: String,
    message_id: String,
    effect: EffectId,
}

impl App {
    /// Answers a ticket's customer. The message, the mail and what becomes of
    /// the ticket are written in one transaction: `then` is its status from
    /// then on, it counts as answered from now, and who answers a ticket of
    /// nobody has it.
    ///
    /// # Errors
    ///
    /// [`AccessError`] says why nothing was written: the viewer may not, there
    /// is no such ticket, it has no customer with a mail address, or its
    /// status does not become `then`.
    pub async fn reply_as(
        &self,
        viewer: &Viewer,
        new: &NewMessage,
        then: Option<&str>,
    ) -> Result<Record, AccessError> {
        let now = self.now();
        let id = fresh::record_id(now);
        let effect = effect_of(&id.to_string());
        let answer = Answer {
            then: then.map(str::to_owned),
            author_name: viewer.name().to_owned(),
            company: self.config().company.clone(),
            message_id: self.inner.mail.message_id_of(&effect.to_string()),
            effect,
        };
        for _ in 0..TRIES {
            let draft = self.draft(viewer, new, Act::Change, id).await?;
            let answer = answer.clone();
            let written = self
                .store()
                .write(move |tx| Box::pin(async move { answer_in(tx, draft, answer, now).await }))
                .await;
            match written {
                // It changed after it was judged: it is judged again.
                Err(RecordError::Conflict { .. }) => {}
                done => return Ok(viewer.seen(done?)),
            }
        }
        let draft = self.draft(viewer, new, Act::Change, id).await?;
        Err(AccessError::Conflict { reference: draft.new.ticket, found: draft.revision })
    }

    /// Writes down what colleagues should know; the customer does not.
    ///
    /// # Errors
    ///
    /// [`AccessError`] says why nothing was written.
    pub async fn note_as(&self, viewer: &Viewer, new: &NewMessage) -> Result<Record, AccessError> {
        let now = self.now();
        let draft = self.draft(viewer, new, Act::See, fresh::record_id(now)).await?;
        let written = self
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    if let Some(there) = tx.record_fetch(&draft.known_as()).await? {
                        return Ok(there);
                    }
                    draft.write_in(tx, draft.fields("note"), now).await
                })
            })
            .await?;
        Ok(viewer.seen(written))
    }

    /// A message of somebody who may do this with the ticket, and write to it.
    async fn draft(
        &self,
        viewer: &Viewer,
        new: &NewMessage,
        act: Act,
        id: RecordId,
    ) -> Result<Draft, AccessError> {
        self.may_any(viewer, "ticket", act).await?;
        let ticket = self.store().record_fetch(&new.ticket).await?;
        let ticket = ticket.ok_or_else(|| AccessError::NotFound(new.ticket.clone()))?;
        self.judge(viewer, &ticket, act).await?;
        self.may_any(viewer, "message", Act::Create).await?;
        let Some(author) = viewer.user() else {
            let why = format!("{} is no user, and only users write to tickets", viewer.name());
            return Err(AccessError::Forbidden(why));
        };
        if let Some(wrong) = attachments::too_much(&new.files, self.most_of_files()) {
            return Err(AccessError::Invalid(vec![wrong]));
        }
        Ok(Draft {
            new: NewMessage { ticket: ticket.reference, ..new.clone() },
            author: author.clone(),
            actor: viewer.actor().to_owned(),
            id,
            revision: ticket.revision,
        })
    }

    /// How the mail of an answer stands; none where a message was no answer of
    /// ours, or its mail is kept no longer.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the database fails.
    pub async fn delivery_of(&self, message: &Record) -> Result<Option<EffectView>, AppError> {
        let effect = self.store().outbox_fetch(effect_of(&message.reference.key)).await?;
        Ok(effect.map(|effect| view(&effect)))
    }
}

/// The effect that is the mail of a message.
fn effect_of(message: &str) -> EffectId {
    fresh::effect_id(&format!("message/{message}"), 0)
}

impl Draft {
    /// What the message is called that its author may send twice.
    fn known_as(&self) -> Reference {
        Reference::new("message", format!("{}/{}", self.author.key, self.new.key))
    }

    fn fields(&self, direction: &str) -> Fields {
        let mut fields = Fields::from([
            ("external_id".to_owned(), Value::Text(self.known_as().key)),
            ("ticket".to_owned(), Value::Reference(self.new.ticket.clone())),
            ("direction".to_owned(), Value::Text(direction.to_owned())),
            ("author".to_owned(), Value::Reference(self.author.clone())),
            ("body".to_owned(), Value::Text(self.new.text.trim().to_owned())),
        ]);
        if !self.new.files.is_empty() {
            fields.insert("attachments".to_owned(), attachments::said(&self.new.files));
        }
        fields
    }

    async fn write_in(
        &self,
        tx: &mut Tx,
        fields: Fields,
        now: Timestamp,
    ) -> Result<Record, RecordError> {
        let write = Write::Create { object: "message".to_owned(), id: self.id, fields };
        let cause = Cause::outside(self.actor.clone());
        let written = tx.record_write(write, &cause, &mut fresh::source(now), now).await?.record;
        attachments::keep(tx, &written.reference, &self.new.files).await?;
        Ok(written)
    }
}

/// Writes an answer, its mail, and what becomes of the ticket.
async fn answer_in(
    tx: &mut Tx,
    draft: Draft,
    answer: Answer,
    now: Timestamp,
) -> Result<Record, RecordError> {
    if let Some(there) = tx.record_fetch(&draft.known_as()).await? {
        return Ok(there);
    }
    let ticket = tx.record_fetch(&draft.new.ticket).await?;
    let ticket = ticket.ok_or_else(|| RecordError::NotFound(draft.new.ticket.clone()))?;
    let customer = match ticket.field("customer").as_reference() {
        Some(customer) => tx.record_fetch(customer).await?,
        None => None,
    };
    let customer =
        customer.ok_or_else(|| wrong("customer", "is empty, so there is nobody to reply to"))?;
    let address = customer.field("email").as_text().unwrap_or_default().to_owned();
    if address.is_empty() {
        return Err(wrong("customer", "has no e-mail address, so no reply can be sent"));
    }
    let subject = subject_of(&ticket);
    let answers = answered(tx, &ticket).await?;
    let mut fields = draft.fields("out");
    fields.insert("subject".to_owned(), Value::Text(subject.clone()));
    fields.insert("message_id".to_owned(), Value::Text(answer.message_id.clone()));
    let message = draft.write_in(tx, fields, now).await?;
    let text =
        format!("{}\n\n-- \n{}\n{}\n", draft.new.text.trim(), answer.author_name, answer.company);
    let letter = Letter {
        to_name: customer.field("name").as_text().unwrap_or_default().to_owned(),
        to_address: address,
        subject,
        text,
        answers,
        by_hand: true,
        files: attachments::of_letter(&draft.new.files),
        ..Letter::default()
    };
    let effect = NewEffect {
        id: answer.effect,
        run: None,
        workflow: None,
        step: None,
        rounds: String::new(),
        kind: EffectKind::Mail,
        template: None,
        recipient: Some(customer.reference),
        body: letter.to_json(),
        status: EffectStatus::Due,
        reason: None,
        due_at: now,
        if_unknown: IfUnknown::Hold,
    };
    tx.outbox_put(&effect, now).await?;
    let fields = ticket_after(&ticket, &draft.author, answer.then, now);
    let write =
        Write::Update { reference: ticket.reference, fields, if_revision: Some(draft.revision) };
    tx.record_write(write, &Cause::outside(draft.actor), &mut fresh::source(now), now).await?;
    Ok(message)
}

/// What becomes of a ticket that is answered.
fn ticket_after(
    ticket: &Record,
    author: &Reference,
    then: Option<String>,
    now: Timestamp,
) -> Fields {
    let mut fields = Fields::new();
    match then {
        Some(then) => drop(fields.insert("status".to_owned(), Value::Text(then))),
        // Nobody has to look at it for the first time any more.
        None if ticket.field("status").as_text() == Some("new") => {
            fields.insert("status".to_owned(), Value::Text("open".to_owned()));
        }
        None => {}
    }
    if ticket.field("first_reply_at").is_nothing() {
        fields.insert("first_reply_at".to_owned(), Value::Time(now));
    }
    if ticket.field("owner").is_nothing() {
        fields.insert("owner".to_owned(), Value::Reference(author.clone()));
    }
    fields
}

/// The mails of a conversation that an answer answers, the nearest first.
async fn answered(tx: &mut Tx, ticket: &Record) -> Result<Vec<String>, RecordError> {
    let of_ticket = Condition::equal("ticket", Value::Reference(ticket.reference.clone()));
    let query = Query {
        order: Order { field: None, descending: true },
        limit: MOST_REFERENCES,
        ..Query::new("message", vec![of_ticket])
    };
    let messages = tx.record_query(&query).await?.records;
    Ok(messages
        .iter()
        .filter(|message| message.field("direction").as_text() != Some("note"))
        .filter_map(|message| message.field("message_id").as_text().map(str::to_owned))
        .collect())
}

/// `Re: The lamp is broken [T-0A1B2C3D]`: customers whose mail program keeps
/// no thread answer to the right ticket all the same.
fn subject_of(ticket: &Record) -> String {
    let text = |field| ticket.field(field).as_text().unwrap_or_default();
    let (subject, number) = (text("subject"), text("ref"));
    let bare = subject.trim();
    let bare = match bare.get(..3) {
        Some(front) if front.eq_ignore_ascii_case("re:") => bare[3..].trim_start(),
        _ => bare,
    };
    let tag = format!("[{number}]");
    if bare.contains(&tag) { format!("Re: {bare}") } else { format!("Re: {bare} {tag}") }
}

fn wrong(field: &str, why: &str) -> RecordError {
    RecordError::Invalid(vec![FieldError::new(field, why)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_says_its_ticket_once() {
        let subject = |text: &str| {
            let fields = Fields::from([
                ("ref".to_owned(), Value::Text("T-1".to_owned())),
                ("subject".to_owned(), Value::Text(text.to_owned())),
            ]);
            let reference = Reference::new("ticket", "a");
            subject_of(&Record { reference, revision: 1, fields: fields.into() })
        };
        assert_eq!(subject("The lamp"), "Re: The lamp [T-1]");
        assert_eq!(subject("RE: The lamp"), "Re: The lamp [T-1]");
        assert_eq!(subject("Re: The lamp [T-1]"), "Re: The lamp [T-1]");
        assert_eq!(subject("灯坏了"), "Re: 灯坏了 [T-1]");
    }
}

//! A mail, and the message that is made of it.

use std::time::{Duration, SystemTime};

use lettre::{
    Address, Message,
    message::{
        Mailbox as Sender, MultiPart, SinglePart,
        header::{HeaderName, HeaderValue},
    },
};

use crate::MailError;

/// Somebody's name and address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// The name, in any script.
    pub name: Option<String>,
    /// The address; its domain may be in any script.
    pub address: String,
}

/// A mail to one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The effect that it is: the same for every attempt.
    pub effect_id: String,
    /// To whom.
    pub to: Mailbox,
    /// One line, in any script.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The same as HTML.
    pub html: Option<String>,
    /// Its date, milliseconds since 1970 UTC.
    pub date_ms: i64,
}

/// What is the same in all mails of a host.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) from: Sender,
    pub(crate) reply_to: Option<Sender>,
    pub(crate) domain: String,
}

impl Mail {
    /// The Message-ID: the effect's id at the host's domain.
    pub(crate) fn message_id(&self, domain: &str) -> String {
        format!("<{}@{domain}>", self.effect_id)
    }

    /// The message as it goes over the wire.
    pub(crate) fn message(&self, envelope: &Envelope) -> Result<Message, MailError> {
        let wrong = |why: String| MailError::Permanent(why);
        let address: Address = self
            .to
            .address
            .parse()
            .map_err(|why| wrong(format!("the recipient's address is none: {why}")))?;
        let name = self.to.name.as_deref().map(one_line).filter(|name| !name.is_empty());
        let date = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(self.date_ms).unwrap_or(0));
        let mut builder = Message::builder()
            .from(envelope.from.clone())
            .to(Sender::new(name, address))
            .date(date)
            .message_id(Some(self.message_id(&envelope.domain)))
            .subject(one_line(&self.subject))
            // RFC 3834: no out-of-office answers to this, please.
            .raw_header(raw("Auto-Submitted", "auto-generated"))
            .raw_header(raw("X-Relata-Effect", &one_line(&self.effect_id)));
        if let Some(reply_to) = &envelope.reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        let message = match &self.html {
            Some(html) => builder
                .multipart(MultiPart::alternative_plain_html(self.text.clone(), html.clone())),
            None => builder.singlepart(SinglePart::plain(self.text.clone())),
        };
        message.map_err(|why| wrong(why.to_string()))
    }
}

/// What goes into a header must not begin another one.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn raw(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

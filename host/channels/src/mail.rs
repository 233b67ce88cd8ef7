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
    /// Where a mail program says, by a POST and without a question, that its
    /// reader wants no more of these (RFC 8058).
    pub unsubscribe: Option<String>,
    /// Its date, milliseconds since 1970 UTC.
    pub date_ms: i64,
    /// The Message-IDs of the mails that it answers, without angle brackets,
    /// the nearest first.
    pub answers: Vec<String>,
    /// Whether a person wrote it, and an automatic answer may come back.
    pub by_hand: bool,
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
        format!("<{}@{domain}>", safe_id(&self.effect_id))
    }

    /// The message as it goes over the wire: the same bytes at every attempt.
    pub(crate) fn message(&self, envelope: &Envelope) -> Result<Message, MailError> {
        let wrong = |why: String| MailError::Permanent(why);
        let address = address(&self.to.address)
            .map_err(|why| wrong(format!("the recipient's address is none: {why}")))?;
        let name = self.to.name.as_deref().map(one_line).filter(|name| !name.is_empty());
        let since_1970 = Duration::from_millis(u64::try_from(self.date_ms).unwrap_or(0));
        let mut builder = Message::builder()
            .from(envelope.from.clone())
            .to(Sender::new(name, address))
            .date(SystemTime::UNIX_EPOCH + since_1970)
            .message_id(Some(self.message_id(&envelope.domain)))
            .subject(one_line(&self.subject));
        if !self.by_hand {
            // RFC 3834: no out-of-office answers to this, please.
            builder = builder.raw_header(raw("Auto-Submitted", "auto-generated"));
        }
        builder = builder.raw_header(raw("X-Relata-Effect", &one_line(&self.effect_id)));
        if let Some(nearest) = self.answers.first() {
            // RFC 5322: the whole thread, from its beginning on.
            let thread: Vec<String> = self.answers.iter().rev().map(|id| bracketed(id)).collect();
            builder = builder.in_reply_to(bracketed(nearest)).references(thread.join(" "));
        }
        if let Some(reply_to) = &envelope.reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        if let Some(address) = &self.unsubscribe {
            builder = builder
                .raw_header(raw("List-Unsubscribe", &format!("<{}>", one_line(address))))
                .raw_header(raw("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"));
        }
        let message = match &self.html {
            Some(html) => builder.multipart(
                MultiPart::alternative()
                    .boundary(self.boundary())
                    .singlepart(SinglePart::plain(self.text.clone()))
                    .singlepart(SinglePart::html(html.clone())),
            ),
            None => builder.singlepart(SinglePart::plain(self.text.clone())),
        };
        message.map_err(|why| wrong(why.to_string()))
    }

    /// What separates text and HTML: made of the effect's id and not of random
    /// bytes, and longer until neither part contains it.
    fn boundary(&self) -> String {
        let id = self.effect_id.chars().filter(char::is_ascii_alphanumeric);
        let mut boundary = format!("part-{}", id.take(40).collect::<String>());
        let inside = |boundary: &str| {
            self.text.contains(boundary)
                || self.html.as_deref().is_some_and(|html| html.contains(boundary))
        };
        // The most a boundary may have is 70 characters.
        while inside(&boundary) && boundary.len() < 70 {
            boundary.push('-');
        }
        boundary
    }
}

/// An address whose domain may be in any script: servers want it in ASCII.
pub(crate) fn address(text: &str) -> Result<Address, String> {
    let (user, domain) = text.trim().rsplit_once('@').ok_or_else(|| "it has no @".to_owned())?;
    let domain = idna::domain_to_ascii(domain)
        .map_err(|_| "what stands after the @ is not a domain".to_owned())?;
    Address::new(user, domain).map_err(|why| why.to_string())
}

/// A name and an address, with the domain in ASCII.
pub(crate) fn sender(text: &str) -> Result<Sender, String> {
    let (name, bare) = match text.trim().strip_suffix('>') {
        Some(text) => {
            let (name, bare) =
                text.rsplit_once('<').ok_or_else(|| "it has a > and no <".to_owned())?;
            let name = name.trim().trim_matches('"');
            (Some(one_line(name)).filter(|name| !name.is_empty()), bare)
        }
        None => (None, text),
    };
    Ok(Sender::new(name, address(bare)?))
}

/// An id as a part of a Message-ID or a file's name: what is not safe in one
/// of them stands there as `=` and two digits, so that two ids never meet.
pub(crate) fn safe_id(id: &str) -> String {
    let mut safe = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => safe.push(char::from(byte)),
            _ => safe.push_str(&format!("={byte:02X}")),
        }
    }
    safe
}

/// A Message-ID as a header has it.
fn bracketed(id: &str) -> String {
    let inside = id.trim().trim_start_matches('<').trim_end_matches('>');
    format!("<{}>", one_line(inside).replace(' ', ""))
}

/// What goes into a header must not begin another one.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn raw(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

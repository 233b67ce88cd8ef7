//! A mail, and the message that is made of it.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use lettre::{
    Address, Message,
    message::{
        Attachment, Body, Mailbox as Sender, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue},
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
    /// The files that go with it.
    pub files: Vec<SentFile>,
}

/// A file that goes out with a mail.
#[derive(Clone, PartialEq, Eq)]
pub struct SentFile {
    /// Its name, in any script.
    pub name: String,
    /// Its media type: `application/pdf`.
    pub media_type: String,
    /// What is in it.
    pub content: Vec<u8>,
}

impl fmt::Debug for SentFile {
    /// What is in it is nobody's to read who only looks for a fault.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentFile").field("size", &self.content.len()).finish_non_exhaustive()
    }
}

impl SentFile {
    /// The part of the mail that it is, in base64: that contains no boundary, and
    /// nobody on the way makes other line ends of its own.
    fn part(&self) -> Result<SinglePart, MailError> {
        // Mails and parts of mails would have to be readable as they are.
        let is_plain =
            !self.media_type.starts_with("message/") && !self.media_type.starts_with("multipart/");
        let media_type = if is_plain { self.media_type.as_str() } else { ANYTHING };
        let media_type = ContentType::parse(media_type)
            .or_else(|_| ContentType::parse(ANYTHING))
            .map_err(|why| MailError::Permanent(why.to_string()))?;
        let body =
            Body::new_with_encoding(self.content.clone(), ContentTransferEncoding::Base64)
                .map_err(|_| MailError::Permanent("a file of it cannot be encoded".to_owned()))?;
        Ok(Attachment::new(one_line(&self.name)).body(body, media_type))
    }
}

/// What a file is of which a mail cannot say more.
const ANYTHING: &str = "application/octet-stream";

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
        let plain = SinglePart::plain(self.text.clone());
        let both = |html: &String| {
            MultiPart::alternative()
                .boundary(self.boundary("part"))
                .singlepart(plain.clone())
                .singlepart(SinglePart::html(html.clone()))
        };
        let message = match &self.html {
            Some(html) if self.files.is_empty() => builder.multipart(both(html)),
            None if self.files.is_empty() => builder.singlepart(plain),
            html => {
                let whole = MultiPart::mixed().boundary(self.boundary("mail"));
                let mut whole = match html {
                    Some(html) => whole.multipart(both(html)),
                    None => whole.singlepart(plain),
                };
                for file in &self.files {
                    whole = whole.singlepart(file.part()?);
                }
                builder.multipart(whole)
            }
        };
        message.map_err(|why| wrong(why.to_string()))
    }

    /// What separates text and HTML, and both from files: made of the effect's
    /// id and not of random bytes, and longer until neither part contains it.
    fn boundary(&self, of: &str) -> String {
        let id = self.effect_id.chars().filter(char::is_ascii_alphanumeric);
        let mut boundary = format!("{of}-{}", id.take(40).collect::<String>());
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

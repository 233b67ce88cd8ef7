//! Mail in: what the bytes of a mail say. Pure: nothing here reads or writes
//! anything.

mod automatic;
mod bounce;
mod quotes;
mod text;

use std::fmt;

use mail_parser::{Address, HeaderValue, Message, MessageParser, MimeHeaders};

use crate::Mailbox;

pub use bounce::Bounce;

/// So many messages that a mail answers are kept: the nearest.
const MOST_REFERENCES: usize = 50;

/// The longest Message-ID that is kept, characters (RFC 5322, 2.1.1).
const LONGEST_ID: usize = 998;

/// So many files of a mail are named.
const MOST_FILES: usize = 100;

/// The longest name of a file, characters.
const LONGEST_NAME: usize = 200;

/// A mail as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundMail {
    /// Its Message-ID, without angle brackets; none where it has none.
    pub message_id: Option<String>,
    /// Who wrote it.
    pub from: Mailbox,
    /// What it is about.
    pub subject: Option<String>,
    /// What is new in it: without quotations and the signature, where these are
    /// plain to see.
    pub text: String,
    /// All of its text.
    pub whole: String,
    /// The mails that it answers, the nearest first, without angle brackets.
    pub references: Vec<String>,
    /// When its sender says that it was sent, milliseconds since 1970 UTC.
    pub date_ms: Option<i64>,
    /// Its language, in two letters, where it says so or its script does.
    pub language: Option<String>,
    /// Whether a person wrote it.
    pub nature: MailNature,
    /// The files that came with it.
    pub files: Vec<AttachedFile>,
}

/// Whether a person wrote a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailNature {
    /// Nothing says otherwise.
    Written,
    /// A machine did: why that is known.
    Automatic(&'static str),
    /// A mail server did: a mail of ours did not arrive.
    Bounce(Bounce),
}

/// A file that came with a mail, also a picture that stands in its text.
#[derive(Clone, PartialEq, Eq)]
pub struct AttachedFile {
    /// Its name; none where it has none.
    pub name: Option<String>,
    /// Its media type: `application/pdf`.
    pub media_type: String,
    /// What is in it. Of a text in the characters of UTF-8, whatever it came
    /// in.
    pub content: Vec<u8>,
}

impl fmt::Debug for AttachedFile {
    /// What is in it is nobody's to read who only looks for a fault.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachedFile").field("size", &self.content.len()).finish_non_exhaustive()
    }
}

/// Why a mail cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableMail {
    /// It has no headers.
    #[error("it is no mail: it has no headers")]
    NoMail,
    /// Nobody knows who wrote it.
    #[error("it does not say who wrote it: it has no `From:` with an address")]
    NoSender,
}

/// Reads a mail.
///
/// # Errors
///
/// [`UnreadableMail`] says what is missing.
pub fn read_mail(bytes: &[u8]) -> Result<InboundMail, UnreadableMail> {
    let mail = MessageParser::default().parse(bytes).ok_or(UnreadableMail::NoMail)?;
    if mail.headers().is_empty() {
        return Err(UnreadableMail::NoMail);
    }
    let from = mail.from().and_then(mailbox).or_else(|| mail.sender().and_then(mailbox));
    let bounce = bounce::read(&mail);
    // A bounce may come from `<>`, and still says all that is to be known.
    let from = match (from, &bounce) {
        (Some(from), _) => from,
        (None, Some(_)) => Mailbox { name: None, address: String::new() },
        (None, None) => return Err(UnreadableMail::NoSender),
    };
    let subject = mail.subject().map(str::trim).filter(|subject| !subject.is_empty());
    let whole = text::of(&mail);
    let nature = match bounce {
        Some(bounce) => MailNature::Bounce(bounce),
        None => match automatic::reason(&mail, &from.address, subject.unwrap_or_default()) {
            Some(why) => MailNature::Automatic(why),
            None => MailNature::Written,
        },
    };
    Ok(InboundMail {
        message_id: mail.message_id().and_then(id),
        text: quotes::new_part(&whole, subject.unwrap_or_default()),
        subject: subject.map(str::to_owned),
        references: references(&mail),
        date_ms: mail
            .date()
            .filter(|date| date.is_valid())
            .and_then(|date| date.to_timestamp().checked_mul(1_000)),
        language: language(&mail, &whole),
        files: files(&mail),
        from,
        whole,
        nature,
    })
}

/// The first address of a header.
fn mailbox(address: &Address<'_>) -> Option<Mailbox> {
    let first = address.iter().find(|one| one.address().is_some_and(|text| text.contains('@')))?;
    let name = first.name().map(str::trim).filter(|name| !name.is_empty());
    Some(Mailbox {
        name: name.map(str::to_owned),
        address: first.address().unwrap_or_default().trim().to_owned(),
    })
}

/// A Message-ID without angle brackets.
fn id(text: &str) -> Option<String> {
    let id = text.trim().trim_matches(['<', '>']).trim();
    let fits = !id.is_empty()
        && id.chars().count() <= LONGEST_ID
        && !id.chars().any(|c| c.is_whitespace() || c.is_control());
    fits.then(|| id.to_owned())
}

/// What it answers directly, then the rest of its thread from the end.
fn references(mail: &Message<'_>) -> Vec<String> {
    let answered = ids(mail.in_reply_to());
    let thread = ids(mail.references());
    let mut references: Vec<String> = Vec::new();
    for id in answered.into_iter().chain(thread.into_iter().rev()) {
        if references.len() < MOST_REFERENCES && !references.contains(&id) {
            references.push(id);
        }
    }
    references
}

fn ids(value: &HeaderValue<'_>) -> Vec<String> {
    match value {
        HeaderValue::Text(text) => text.split_whitespace().filter_map(id).collect(),
        HeaderValue::TextList(texts) => texts.iter().filter_map(|text| id(text)).collect(),
        _ => Vec::new(),
    }
}

fn language(mail: &Message<'_>, text: &str) -> Option<String> {
    let said = mail.content_language().as_text().and_then(|said| {
        let word: String = said.trim().chars().take_while(char::is_ascii_alphabetic).collect();
        (2..=3).contains(&word.len()).then(|| word.to_ascii_lowercase())
    });
    said.or_else(|| text::is_chinese(text).then(|| "zh".to_owned()))
}

fn files(mail: &Message<'_>) -> Vec<AttachedFile> {
    mail.attachments()
        .take(MOST_FILES)
        .map(|part| {
            let media_type = part.content_type().map_or_else(
                || "application/octet-stream".to_owned(),
                |kind| match kind.subtype() {
                    Some(subtype) => format!("{}/{subtype}", kind.ctype()),
                    None => kind.ctype().to_owned(),
                },
            );
            let name = part.attachment_name().map(|name| {
                let words: Vec<&str> = name
                    .split(|c: char| c.is_whitespace() || c.is_control())
                    .filter(|word| !word.is_empty())
                    .collect();
                words.join(" ").chars().take(LONGEST_NAME).collect::<String>()
            });
            AttachedFile {
                name: name.filter(|name| !name.is_empty()),
                media_type: media_type.chars().take(LONGEST_NAME).collect(),
                content: part.contents().to_vec(),
            }
        })
        .collect()
}

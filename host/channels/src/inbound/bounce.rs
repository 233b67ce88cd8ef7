//! Mails that did not arrive, as mail servers report them: RFC 3464, and what
//! older ones send in its place.

use mail_parser::{Message, MessageParser, MessagePart, MimeHeaders, PartType};

use super::id;

/// So much of what a mail server says is kept, characters.
const LONGEST_WHY: usize = 500;

/// A mail that did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounce {
    /// Its Message-ID, without angle brackets; none where the report does not
    /// say it.
    pub of: Option<String>,
    /// To whom it should have gone.
    pub recipient: Option<String>,
    /// The status of RFC 3463: `5.1.1`.
    pub status: Option<String>,
    /// What the mail server said.
    pub why: String,
}

/// The report of a mail that did not arrive; none where this is none. One that
/// is only late, or did arrive, is no bounce.
pub(super) fn read(mail: &Message<'_>) -> Option<Bounce> {
    let report = mail.parts.iter().find(|part| part.is_content_type("message", "delivery-status"));
    if let Some(report) = report {
        let fields = String::from_utf8_lossy(report.contents()).into_owned();
        return of_report(mail, &fields);
    }
    of_older_server(mail)
}

fn of_report(mail: &Message<'_>, fields: &str) -> Option<Bounce> {
    let field = |name: &str| field(fields, name);
    if !field("action").is_some_and(|action| action.eq_ignore_ascii_case("failed")) {
        return None;
    }
    let recipient = field("final-recipient").or_else(|| field("original-recipient"));
    let status = field("status");
    let said = field("diagnostic-code").map(without_type);
    let why = said.or_else(|| status.clone()).unwrap_or_else(|| "it gives no reason".to_owned());
    Some(Bounce {
        of: returned(mail),
        recipient: recipient.map(without_type),
        status,
        why: why.chars().take(LONGEST_WHY).collect(),
    })
}

/// Servers that know no RFC 3464 name the recipients in a header of their own,
/// and return the mail as they like.
fn of_older_server(mail: &Message<'_>) -> Option<Bounce> {
    let recipient = mail
        .headers_raw()
        .find(|(name, _)| name.eq_ignore_ascii_case("x-failed-recipients"))
        .map(|(_, value)| value.trim().to_owned())?;
    let text = mail.body_text(0).unwrap_or_default();
    let of = returned(mail).or_else(|| field(&text, "message-id").as_deref().and_then(id));
    let why = "the mail server names it as failed and gives no reason in a form that can be read";
    Some(Bounce { of, recipient: Some(recipient), status: None, why: why.to_owned() })
}

/// The Message-ID of the mail that came back: as a whole, or its headers alone.
fn returned(mail: &Message<'_>) -> Option<String> {
    mail.parts.iter().find_map(|part| match &part.body {
        PartType::Message(inner) => inner.message_id().and_then(id),
        _ if is_headers(part) => {
            MessageParser::default().parse_headers(part.contents())?.message_id().and_then(id)
        }
        _ => None,
    })
}

fn is_headers(part: &MessagePart<'_>) -> bool {
    part.is_content_type("text", "rfc822-headers") || part.is_content_type("message", "rfc822")
}

/// The first field of this name (in small letters), with its folded lines.
fn field(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines();
    let first = lines.by_ref().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })?;
    let folded = lines.take_while(|line| line.starts_with([' ', '\t']));
    let value = folded.fold(first, |value, line| format!("{value} {}", line.trim()));
    Some(value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// `smtp; 550 no such user` without what stands before the `;`.
fn without_type(value: String) -> String {
    match value.split_once(';') {
        Some((kind, rest)) if kind.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => {
            rest.trim().to_owned()
        }
        _ => value,
    }
}

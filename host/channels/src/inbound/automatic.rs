//! Which mails machines wrote. Nothing that mails back may begin by one of
//! them (RFC 3834, section 2), or two machines would write to each other for
//! ever.

use mail_parser::{Message, MimeHeaders};

/// What the subjects of out-of-office answers begin with, where their programs
/// say it nowhere else.
const SUBJECTS: &[&str] = &[
    "automatic reply:",
    "automatische antwort:",
    "autoreply:",
    "auto reply:",
    "out of office:",
    "abwesenheitsnotiz:",
    "réponse automatique :",
    "réponse automatique:",
    "respuesta automática:",
    "自动回复:",
    "自动回复：",
    "自动答复:",
    "自动答复：",
    "自動回覆:",
    "自動回覆：",
];

/// Whose mails are a mail server's.
const SERVERS: &[&str] = &["mailer-daemon", "postmaster"];

/// Why it is known that a machine wrote a mail; none where nothing says so.
pub(super) fn reason(mail: &Message<'_>, from: &str, subject: &str) -> Option<&'static str> {
    let is_report = mail.content_type().is_some_and(|kind| {
        kind.ctype().eq_ignore_ascii_case("multipart")
            && kind.subtype().is_some_and(|subtype| subtype.eq_ignore_ascii_case("report"))
    });
    if is_report {
        return Some("a report of a mail server or a mail program");
    }
    for (name, value) in mail.headers_raw() {
        if let Some(why) = by_header(&name.to_ascii_lowercase(), value.trim()) {
            return Some(why);
        }
    }
    let local = from.split('@').next().unwrap_or_default().to_ascii_lowercase();
    if SERVERS.contains(&local.as_str()) {
        return Some("it is from a mail server");
    }
    let subject = subject.trim_start().to_lowercase();
    SUBJECTS
        .iter()
        .any(|front| subject.starts_with(front))
        .then_some("its subject is that of an automatic answer")
}

fn by_header(name: &str, value: &str) -> Option<&'static str> {
    let has_word = |words: &[&str]| {
        value
            .split(|c: char| c == ',' || c == ';' || c.is_whitespace())
            .any(|word| words.iter().any(|known| word.eq_ignore_ascii_case(known)))
    };
    let is = |word: &str| {
        let said = value.split(|c: char| c == ';' || c.is_whitespace()).next();
        said.is_some_and(|said| said.eq_ignore_ascii_case(word))
    };
    let why = match name {
        "auto-submitted" if !value.is_empty() && !is("no") => "Auto-Submitted says so",
        "return-path" if value == "<>" => "its Return-Path is empty",
        "precedence" if has_word(&["bulk", "junk", "list", "auto_reply", "auto-reply"]) => {
            "Precedence says so"
        }
        // The others ask for no reports, and people's mails do that too.
        "x-auto-response-suppress" if has_word(&["all", "oof", "autoreply"]) => {
            "X-Auto-Response-Suppress says so"
        }
        "x-autoreply" | "x-autorespond" | "x-autoreply-from" | "x-mail-autoreply"
            if !is("no") && !is("false") =>
        {
            "X-Autoreply says so"
        }
        "list-id" | "list-post" | "list-unsubscribe" => "it is from a mailing list",
        "x-relata-effect" => "Relata itself sent it",
        _ => return None,
    };
    Some(why)
}

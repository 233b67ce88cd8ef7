//! Mails as they come: each file of `mails` is read, and what it says is
//! compared with the text beside it.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test ends it")]

use std::{fmt::Write as _, fs, path::Path};

use expect_test::{expect, expect_file};
use relata_channels::{InboundMail, MailNature, read_mail};

const MAILS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/inbound/mails");

/// What a mail says, a line each.
fn told(mail: &InboundMail) -> String {
    let mut told = String::new();
    let mut line = |name: &str, value: &str| writeln!(told, "{name}: {value}").unwrap();
    line("id", mail.message_id.as_deref().unwrap_or("(none)"));
    let name = mail.from.name.as_deref().unwrap_or("(no name)");
    line("from", &format!("{name} <{}>", mail.from.address));
    line("subject", mail.subject.as_deref().unwrap_or("(none)"));
    line("answers", &mail.references.join(" "));
    let date = mail.date_ms.map_or_else(|| "(none)".to_owned(), |date| date.to_string());
    line("date", &date);
    line("language", mail.language.as_deref().unwrap_or("(not said)"));
    match &mail.nature {
        MailNature::Written => line("nature", "written"),
        MailNature::Automatic(why) => line("nature", &format!("automatic: {why}")),
        MailNature::Bounce(bounce) => line("nature", &format!("{bounce:?}")),
    }
    for file in &mail.files {
        let name = file.name.as_deref().unwrap_or("(no name)");
        line("file", &format!("{name}, {}, {} bytes", file.media_type, file.content.len()));
    }
    let indented = |text: &str| text.lines().map(|line| format!("  {line}\n")).collect::<String>();
    told.push_str(&format!("text:\n{}", indented(&mail.text)));
    if mail.whole != mail.text {
        told.push_str(&format!("whole:\n{}", indented(&mail.whole)));
    }
    told
}

#[test]
fn every_mail_says_what_it_should() {
    let mut files: Vec<_> = fs::read_dir(MAILS)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
        .collect();
    files.sort();
    assert!(files.len() >= 20, "{} mails", files.len());
    for file in files {
        let said = match read_mail(&fs::read(&file).unwrap()) {
            Ok(mail) => told(&mail),
            Err(why) => format!("unreadable: {why}\n"),
        };
        expect_file![file.with_extension("txt")].assert_eq(&said);
    }
}

/// What is cut of a text; `|` begins a line.
fn new_part(subject: &str, text: &str) -> String {
    let text = text.replace('|', "\n");
    let mail = format!("From: a@example.org\nSubject: {subject}\n\n{text}\n");
    read_mail(mail.as_bytes()).unwrap().text.replace('\n', "|")
}

#[test]
fn what_is_not_plain_to_see_stays() {
    let cases = [
        ("Re: x", "On 3 May I wrote:|please help|and nobody did"),
        ("Re: x", "From: my point of view|this is bad"),
        ("Re: x", "> only a quotation"),
        ("x", "Prices:|--|1 EUR|2 EUR|3|4|5|6|7|8|9|10|11|12|13|14|15|16"),
        ("x", "a > b|> and this"),
        ("Fwd: x", "See below.|-----Original Message-----|From: b|It is broken."),
    ];
    let mut lines = Vec::new();
    for (subject, text) in cases {
        let kept = new_part(subject, text);
        lines.push(if kept == text { "all of it".to_owned() } else { kept });
    }
    expect![[r#"
        all of it
        all of it
        all of it
        all of it
        a > b
        all of it"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn machines_are_known_by_their_headers() {
    let nature = |header: &str| {
        let mail = format!("From: a@example.org\nSubject: x\n{header}\n\nHello\n");
        match read_mail(mail.as_bytes()).unwrap().nature {
            MailNature::Written => "written",
            MailNature::Automatic(why) => why,
            MailNature::Bounce(_) => "bounce",
        }
    };
    let headers = [
        "Auto-Submitted: no",
        "Auto-Submitted: No; because=a person wrote it",
        "auto-submitted: auto-generated",
        "AUTO-SUBMITTED: auto-notified; owner-email=x@y.example",
        "Precedence: BULK",
        "Precedence: first-class",
        "X-Auto-Response-Suppress: DR, OOF, AutoReply",
        "X-Auto-Response-Suppress: DR, RN, NRN",
        "Return-Path: <>",
        "Return-Path: <a@example.org>",
        "X-Autoreply: yes",
        "List-Id: <x.example.org>",
    ];
    let told: Vec<String> =
        headers.iter().map(|header| format!("{header} -> {}", nature(header))).collect();
    expect![[r#"
        Auto-Submitted: no -> written
        Auto-Submitted: No; because=a person wrote it -> written
        auto-submitted: auto-generated -> Auto-Submitted says so
        AUTO-SUBMITTED: auto-notified; owner-email=x@y.example -> Auto-Submitted says so
        Precedence: BULK -> Precedence says so
        Precedence: first-class -> written
        X-Auto-Response-Suppress: DR, OOF, AutoReply -> X-Auto-Response-Suppress says so
        X-Auto-Response-Suppress: DR, RN, NRN -> written
        Return-Path: <> -> its Return-Path is empty
        Return-Path: <a@example.org> -> written
        X-Autoreply: yes -> X-Autoreply says so
        List-Id: <x.example.org> -> it is from a mailing list"#]]
    .assert_eq(&told.join("\n"));
}

/// Whatever bytes come, reading them ends, and says something.
#[test]
fn no_bytes_bring_it_down() {
    let mut files: Vec<_> =
        fs::read_dir(Path::new(MAILS)).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|kind| kind == "eml")) {
        let whole = fs::read(file).unwrap();
        for end in (0..whole.len()).step_by(37) {
            drop(read_mail(&whole[..end]));
        }
        // Each byte in turn is another one.
        for place in (0..whole.len()).step_by(23) {
            let mut other = whole.clone();
            other[place] = other[place].wrapping_add(129);
            drop(read_mail(&other));
        }
    }
}

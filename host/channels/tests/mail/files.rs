//! Mails as files.

use std::fs;
use std::path::Path;

use expect_test::{Expect, expect};
use relata_channels::{Mail, MailConfig, MailOut, Mailbox, SentFile, Transport};

use crate::mail;

fn out(folder: &Path, from: &str) -> MailOut {
    MailOut::new(&MailConfig {
        from: from.to_owned(),
        reply_to: None,
        domain: None,
        attachment_max_mib: 25,
        transport: Transport::Directory { path: folder.to_owned() },
        inbox: None,
    })
    .unwrap()
}

async fn check(mail: &Mail, expected: Expect) {
    let folder = tempfile::tempdir().unwrap();
    let out = out(folder.path(), "Example GmbH <hello@example.com>");
    let receipt = out.send(mail).await.unwrap();
    let eml = fs::read_to_string(folder.path().join(&receipt.answer)).unwrap();
    assert!(eml.is_ascii());
    expected.assert_eq(&eml.replace("\r\n", "\n"));
}

#[tokio::test]
async fn plain_text() {
    check(
        &mail("eff_01"),
        expect![[r#"
        From: "Example GmbH" <hello@example.com>
        To: "Anna Schmidt" <anna@example.org>
        Date: Mon, 23 Nov 2026 09:30:00 +0000
        Message-ID: <eff_01@example.com>
        Subject: Welcome
        Auto-Submitted: auto-generated
        X-Relata-Effect: eff_01
        MIME-Version: 1.0
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: 7bit

        Hello Anna,

        welcome.

    "#]],
    )
    .await;
}

#[tokio::test]
async fn text_and_html() {
    let mail =
        Mail { html: Some("<p>Hello Anna,</p><p>welcome.</p>".to_owned()), ..mail("eff_01") };
    check(
        &mail,
        expect![[r#"
        From: "Example GmbH" <hello@example.com>
        To: "Anna Schmidt" <anna@example.org>
        Date: Mon, 23 Nov 2026 09:30:00 +0000
        Message-ID: <eff_01@example.com>
        Subject: Welcome
        Auto-Submitted: auto-generated
        X-Relata-Effect: eff_01
        MIME-Version: 1.0
        Content-Type: multipart/alternative; boundary="part-eff01"

        --part-eff01
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: 7bit

        Hello Anna,

        welcome.

        --part-eff01
        Content-Type: text/html; charset=utf-8
        Content-Transfer-Encoding: 7bit

        <p>Hello Anna,</p><p>welcome.</p>
        --part-eff01--
    "#]],
    )
    .await;
}

#[tokio::test]
async fn a_german_name() {
    let mail = Mail {
        to: Mailbox {
            name: Some("Jörg Müller-Groß".to_owned()),
            address: "joerg@müller-groß.example".to_owned(),
        },
        subject: "Schön, dass Sie da sind".to_owned(),
        text: "Grüße aus Köln\n".to_owned(),
        ..mail("eff_02")
    };
    check(
        &mail,
        expect![[r#"
        From: "Example GmbH" <hello@example.com>
        To: =?utf-8?b?SsO2cmcgTcO8bGxlci1Hcm/Dnw==?= <joerg@xn--mller-gro-o1a42a.example>
        Date: Mon, 23 Nov 2026 09:30:00 +0000
        Message-ID: <eff_02@example.com>
        Subject: =?utf-8?b?U2Now7ZuLA==?= dass Sie da sind
        Auto-Submitted: auto-generated
        X-Relata-Effect: eff_02
        MIME-Version: 1.0
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: base64

        R3LDvMOfZSBhdXMgS8O2bG4NCg==
    "#]],
    )
    .await;
}

#[tokio::test]
async fn a_chinese_name() {
    let mail = Mail {
        to: Mailbox {
            name: Some("王小明".to_owned()), address: "wang@例子.公司".to_owned()
        },
        subject: "感谢您在展会上与我们见面".to_owned(),
        text: "您好，王先生：\n\n欢迎。\n".to_owned(),
        ..mail("eff_03")
    };
    check(
        &mail,
        expect![[r#"
        From: "Example GmbH" <hello@example.com>
        To: =?utf-8?b?546L5bCP5piO?= <wang@xn--fsqu00a.xn--55qx5d>
        Date: Mon, 23 Nov 2026 09:30:00 +0000
        Message-ID: <eff_03@example.com>
        Subject: =?utf-8?b?5oSf6LCi5oKo5Zyo5bGV5Lya5LiK5LiO5oiR5Lus6KeB6Z2i?=
        Auto-Submitted: auto-generated
        X-Relata-Effect: eff_03
        MIME-Version: 1.0
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: base64

        5oKo5aW977yM546L5YWI55Sf77yaDQoNCuasoui/juOAgg0K
    "#]],
    )
    .await;
}

#[tokio::test]
async fn an_arabic_name() {
    let mail = Mail {
        to: Mailbox {
            name: Some("محمد العلي".to_owned()),
            address: "m.alali@example.org".to_owned(),
        },
        subject: "مرحبا بكم".to_owned(),
        text: "شكرا لزيارتكم.\n".to_owned(),
        ..mail("eff_04")
    };
    check(
        &mail,
        expect![[r#"
        From: "Example GmbH" <hello@example.com>
        To: =?utf-8?b?2YXYrdmF2K8g2KfZhNi52YTZig==?= <m.alali@example.org>
        Date: Mon, 23 Nov 2026 09:30:00 +0000
        Message-ID: <eff_04@example.com>
        Subject: =?utf-8?b?2YXYsdit2KjYpyDYqNmD2YU=?=
        Auto-Submitted: auto-generated
        X-Relata-Effect: eff_04
        MIME-Version: 1.0
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: base64

        2LTZg9ix2Kcg2YTYstmK2KfYsdiq2YPZhS4NCg==
    "#]],
    )
    .await;
}

#[tokio::test]
async fn nothing_in_a_field_begins_another_header() {
    let mail = Mail {
        to: Mailbox {
            name: Some("Anna\r\nBcc: all@example.org".to_owned()),
            address: "anna@example.org".to_owned(),
        },
        subject: "Welcome\r\nBcc: all@example.org\u{0}".to_owned(),
        ..mail("a/../b c")
    };
    check(
        &mail,
        expect![[r#"
        From: "Example GmbH" <hello@example.com>
        To: =?utf-8?b?QW5uYSBCY2M6IGFsbEBleGFtcGxlLm9yZw==?= <anna@example.org>
        Date: Mon, 23 Nov 2026 09:30:00 +0000
        Message-ID: <a=2F=2E=2E=2Fb=20c@example.com>
        Subject: Welcome Bcc: all@example.org
        Auto-Submitted: auto-generated
        X-Relata-Effect: a/../b c
        MIME-Version: 1.0
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: 7bit

        Hello Anna,

        welcome.

    "#]],
    )
    .await;
}

#[tokio::test]
async fn a_repetition_replaces_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let out = out(folder.path(), "hello@example.com");
    let html = Mail { html: Some("<p>Hello</p>".to_owned()), ..mail("eff_01") };
    out.send(&html).await.unwrap();
    let first = fs::read(folder.path().join("eff_01.eml")).unwrap();
    out.send(&html).await.unwrap();
    assert_eq!(fs::read(folder.path().join("eff_01.eml")).unwrap(), first);
    // Ids that differ only in what cannot stand in a file's name stay apart.
    out.send(&mail("a/b")).await.unwrap();
    out.send(&mail("a_b")).await.unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[tokio::test]
async fn an_address_that_is_none_is_permanent() {
    let folder = tempfile::tempdir().unwrap();
    let out = out(folder.path(), "hello@example.com");
    for address in ["", "anna", "anna@", "@example.org", "an na@example.org", "a@b@c d"] {
        let mail =
            Mail { to: Mailbox { name: None, address: address.to_owned() }, ..mail("eff_01") };
        let error = out.send(&mail).await.unwrap_err();
        assert!(!error.is_transient() && !error.is_unknown(), "{error}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn an_answer_of_a_person_stays_in_its_thread() {
    let mail = Mail {
        answers: vec!["second@a.example".to_owned(), "<first@a.example>".to_owned()],
        by_hand: true,
        ..mail("eff_05")
    };
    check(
        &mail,
        expect![[r#"
        From: "Example GmbH" <hello@example.com>
        To: "Anna Schmidt" <anna@example.org>
        Date: Mon, 23 Nov 2026 09:30:00 +0000
        Message-ID: <eff_05@example.com>
        Subject: Welcome
        X-Relata-Effect: eff_05
        In-Reply-To: <second@a.example>
        References: <first@a.example> <second@a.example>
        MIME-Version: 1.0
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: 7bit

        Hello Anna,

        welcome.

    "#]],
    )
    .await;
}

/// What is in a file goes in base64, so that no line of it is a boundary, and
/// its name in any script.
#[tokio::test]
async fn a_mail_with_files() {
    let file = |name: &str, media_type: &str, content: &[u8]| SentFile {
        name: name.to_owned(),
        media_type: media_type.to_owned(),
        content: content.to_vec(),
    };
    let plain = Mail {
        by_hand: true,
        files: vec![
            file("notes.txt", "text/plain", b"--mail-eff01--\r\nnot the end"),
            file("截图\r\nBcc: x@y.example\r\n\"1\".png", "image/png", &[0, 159, 146, 150]),
            file("old mail.eml", "message/rfc822", b"From: a@b.example\r\n\r\nHello"),
            file("", "no type", b""),
        ],
        ..mail("eff_01")
    };
    check(
        &plain,
        expect![[r#"
        From: "Example GmbH" <hello@example.com>
        To: "Anna Schmidt" <anna@example.org>
        Date: Mon, 23 Nov 2026 09:30:00 +0000
        Message-ID: <eff_01@example.com>
        Subject: Welcome
        X-Relata-Effect: eff_01
        MIME-Version: 1.0
        Content-Type: multipart/mixed; boundary="mail-eff01"

        --mail-eff01
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: 7bit

        Hello Anna,

        welcome.

        --mail-eff01
        Content-Disposition: attachment; filename="notes.txt"
        Content-Type: text/plain
        Content-Transfer-Encoding: base64

        LS1tYWlsLWVmZjAxLS0NCm5vdCB0aGUgZW5k
        --mail-eff01
        Content-Disposition: attachment;
         filename*0*=utf-8''%E6%88%AA%E5%9B%BE%20Bcc%3A%20x%40y.examp;
         filename*1*=le%20%221%22.png
        Content-Type: image/png
        Content-Transfer-Encoding: base64

        AJ+Slg==
        --mail-eff01
        Content-Disposition: attachment; filename="old mail.eml"
        Content-Type: application/octet-stream
        Content-Transfer-Encoding: base64

        RnJvbTogYUBiLmV4YW1wbGUNCg0KSGVsbG8=
        --mail-eff01
        Content-Disposition: attachment; filename=""
        Content-Type: application/octet-stream
        Content-Transfer-Encoding: base64


        --mail-eff01--
    "#]],
    )
    .await;
    let both = Mail {
        html: Some("<p>Hello</p>".to_owned()),
        files: vec![file("a.pdf", "application/pdf", b"%PDF")],
        ..mail("eff_01")
    };
    check(
        &both,
        expect![[r#"
        From: "Example GmbH" <hello@example.com>
        To: "Anna Schmidt" <anna@example.org>
        Date: Mon, 23 Nov 2026 09:30:00 +0000
        Message-ID: <eff_01@example.com>
        Subject: Welcome
        Auto-Submitted: auto-generated
        X-Relata-Effect: eff_01
        MIME-Version: 1.0
        Content-Type: multipart/mixed; boundary="mail-eff01"

        --mail-eff01
        Content-Type: multipart/alternative; boundary="part-eff01"

        --part-eff01
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: 7bit

        Hello Anna,

        welcome.

        --part-eff01
        Content-Type: text/html; charset=utf-8
        Content-Transfer-Encoding: 7bit

        <p>Hello</p>
        --part-eff01--
        --mail-eff01
        Content-Disposition: attachment; filename="a.pdf"
        Content-Type: application/pdf
        Content-Transfer-Encoding: base64

        JVBERg==
        --mail-eff01--
    "#]],
    )
    .await;
}

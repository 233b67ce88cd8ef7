//! Real conversations with a real mail server.

use std::path::Path;

use expect_test::{Expect, expect};
use relata_channels::{Mail, MailConfig, MailError, MailOut, Mailbox, Security, Smtp, Transport};

use crate::{mail, receiver::Receiver};

fn smtp(port: u16, security: Security) -> Smtp {
    Smtp {
        host: "localhost".to_owned(),
        port: Some(port),
        security,
        username: None,
        password_env: None,
        ca_file: None,
    }
}

fn out(smtp: Smtp) -> MailOut {
    MailOut::new(&MailConfig {
        from: "Example GmbH <hello@example.com>".to_owned(),
        reply_to: Some("support@example.com".to_owned()),
        domain: None,
        attachment_max_mib: 25,
        transport: Transport::Smtp(smtp),
        inbox: None,
    })
    .unwrap()
}

fn to(address: &str) -> Mail {
    Mail { to: Mailbox { name: None, address: address.to_owned() }, ..mail("eff_01") }
}

/// A certificate authority of the test's own and a server's certificate.
pub(crate) struct Authority {
    folder: tempfile::TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(vec!["localhost".to_owned()])
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        std::fs::write(folder.path().join("server.pem"), server.pem()).unwrap();
        std::fs::write(folder.path().join("server.key"), key.serialize_pem()).unwrap();
        Self { folder }
    }

    pub(crate) fn file(&self, name: &str) -> String {
        let path: &Path = self.folder.path();
        path.join(name).to_str().unwrap().to_owned()
    }

    fn receiver(&self, how: &str, more: &[&str]) -> Receiver {
        let (certificate, key) = (self.file("server.pem"), self.file("server.key"));
        let mut arguments = vec![how, &certificate, &key];
        arguments.extend(more);
        Receiver::start(&arguments)
    }
}

#[tokio::test]
async fn a_mail_arrives_as_it_was_made() {
    let mut receiver = Receiver::start(&[]);
    let out = out(smtp(receiver.port(), Security::None));
    let mail = Mail {
        to: Mailbox {
            name: Some("Jörg Müller".to_owned()),
            address: "joerg@müller.example".to_owned(),
        },
        // A line with one full stop ends a mail, if nobody takes care.
        text: "Hello\n.\nGoodbye\n".to_owned(),
        ..mail("eff_01")
    };
    let receipt = out.send(&mail).await.unwrap();
    assert_eq!(receipt.message_id, "<eff_01@example.com>");
    assert_eq!(receipt.to_string(), "250 OK: taken");
    let taken = receiver.line();
    assert_eq!(taken["mail_from"], "hello@example.com");
    assert_eq!(taken["to"][0], "joerg@xn--mller-kva.example");
    expect![[r#"
        From: "Example GmbH" <hello@example.com>
        To: =?utf-8?b?SsO2cmcgTcO8bGxlcg==?= <joerg@xn--mller-kva.example>
        Date: Mon, 23 Nov 2026 09:30:00 +0000
        Message-ID: <eff_01@example.com>
        Subject: Welcome
        Auto-Submitted: auto-generated
        X-Relata-Effect: eff_01
        Reply-To: support@example.com
        MIME-Version: 1.0
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: 7bit

        Hello
        .
        Goodbye


    "#]]
    .assert_eq(&taken["data"].as_str().unwrap().replace("\r\n", "\n"));
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let mut receiver = Receiver::start(&[]);
    let out = out(smtp(receiver.port(), Security::None));
    let mut connections = Vec::new();
    for _ in 0..3 {
        out.send(&mail("eff_01")).await.unwrap();
        connections.push(receiver.line()["connection"].clone());
    }
    assert_eq!(connections[0], connections[1]);
    assert_eq!(connections[0], connections[2]);
}

/// What a server's answer to a mail means.
async fn check(address: &str, expected: Expect) {
    let mut receiver = Receiver::start(&[]);
    let port = receiver.port();
    let out = out(smtp(port, Security::None));
    let error = out.send(&to(address)).await.unwrap_err();
    expected.assert_eq(&error.to_string().replace(&port.to_string(), "PORT"));
    // The next mail is not the worse for it.
    out.send(&mail("eff_02")).await.unwrap();
    assert_eq!(receiver.line()["to"][0], "anna@example.org");
}

#[tokio::test]
async fn a_5xx_answer_is_permanent() {
    check("nobody@example.org", expect!["the mail cannot be sent: localhost:PORT refused the recipient: permanent error (550): 5.1.1 no such mailbox"]).await;
    check("spam@example.org", expect!["the mail cannot be sent: localhost:PORT refused the mail: permanent error (554): 5.7.1 this looks like spam"]).await;
}

#[tokio::test]
async fn a_4xx_answer_is_transient() {
    check("full@example.org", expect!["the mail was not sent, and is tried again: localhost:PORT refused the recipient: transient error (452): 4.2.2 the mailbox is full"]).await;
    check("busy@example.org", expect!["the mail was not sent, and is tried again: localhost:PORT refused the mail: transient error (451): 4.3.0 come back later"]).await;
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_text_is_transient() {
    check("breaks@example.org", expect!["the mail was not sent, and is tried again: the connection to localhost:PORT broke off: response error: incomplete response"]).await;
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_text_is_unknown() {
    check("vanishes@example.org", expect!["it is not known whether the mail was sent: the connection to localhost:PORT broke off after the text and before the answer: response error: incomplete response"]).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_transient() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = out(smtp(port, Security::None)).send(&mail("eff_01")).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[tokio::test]
async fn starttls_and_login() {
    let authority = Authority::new();
    // Any variable that is set will do for a password.
    let (name, password) = std::env::vars().find(|(_, value)| value.len() > 3).unwrap();
    let mut receiver = authority.receiver("--starttls", &["--login", "relata", &password]);
    let settings = Smtp {
        username: Some("relata".to_owned()),
        password_env: Some(name),
        ca_file: Some(authority.file("ca.pem").into()),
        ..smtp(receiver.port(), Security::Starttls)
    };
    out(settings.clone()).send(&mail("eff_01")).await.unwrap();
    let taken = receiver.line();
    assert_eq!(taken["tls"], true);
    assert_eq!(taken["login"], "relata");

    let wrong = Smtp { username: Some("somebody".to_owned()), ..settings };
    let error = out(wrong).send(&mail("eff_01")).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let text = error.to_string();
    assert!(text.contains("refused the login") && !text.contains(&password), "{text}");
}

#[tokio::test]
async fn tls_from_the_start() {
    let authority = Authority::new();
    let mut receiver = authority.receiver("--tls", &[]);
    let settings = Smtp {
        ca_file: Some(authority.file("ca.pem").into()),
        ..smtp(receiver.port(), Security::Tls)
    };
    out(settings).send(&mail("eff_01")).await.unwrap();
    assert_eq!(receiver.line()["tls"], true);

    // Without the company's authority the certificate is not believed, and
    // nothing is sent.
    let settings = smtp(receiver.port(), Security::Tls);
    let error = out(settings).send(&mail("eff_01")).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[tokio::test]
async fn a_server_without_starttls_gets_nothing() {
    let receiver = Receiver::start(&[]);
    let error =
        out(smtp(receiver.port(), Security::Starttls)).send(&mail("eff_01")).await.unwrap_err();
    assert!(matches!(error, MailError::Unreachable(_)));
    assert!(error.to_string().contains("it offers no STARTTLS"), "{error}");
}

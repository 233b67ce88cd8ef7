//! Real conversations with a real IMAP server.

use std::path::Path;

use expect_test::{Expect, expect};
use relata_channels::{Fetched, Inbox, InboxConfig, Security};

use crate::{dovecot::Dovecot, server::Authority};

const MAIL: &[u8] = b"From: anna@example.com\r\nSubject: x\r\n\r\nHello\r\n.\r\n";

/// The variable with the password: it is the same in all tests of this
/// process.
const VARIABLE: &str = "RELATA_TEST_IMAP_PASSWORD";

/// The settings for a mailbox.
fn settings(port: u16, security: Security, more: &str) -> InboxConfig {
    #[allow(unsafe_code, reason = "no other thread of this test's process looks at it")]
    // SAFETY: nextest runs each test in a process of its own, and nothing here
    // reads the environment beside it.
    unsafe {
        std::env::set_var(VARIABLE, "secret");
    }
    let config = format!(
        "host = \"localhost\"\nport = {port}\nusername = \"support\"\npassword_env = \"{VARIABLE}\"\n{more}"
    );
    InboxConfig { security, ..toml::from_str(&config).unwrap() }
}

/// Takes all that is new out of a mailbox.
async fn emptied(inbox: &Inbox) -> Vec<Fetched> {
    let mut open = inbox.open().await.unwrap();
    let mut mails = Vec::new();
    for mail in open.waiting().await.unwrap() {
        mails.push(open.fetch(mail).await.unwrap());
        open.done(mail).await.unwrap();
    }
    open.close().await;
    mails
}

#[tokio::test]
async fn a_mail_is_fetched_as_it_lies_there_and_marked() {
    let dovecot = Dovecot::start();
    let inbox = Inbox::new(&settings(dovecot.port(), Security::None, "")).unwrap();
    assert_eq!(emptied(&inbox).await, []);
    dovecot.deliver(MAIL);
    // Who only looks changes nothing.
    let mut open = inbox.open().await.unwrap();
    let waiting = open.waiting().await.unwrap();
    assert_eq!(open.fetch(waiting[0]).await.unwrap(), Fetched::Whole(MAIL.to_vec()));
    assert_eq!(open.fetch(waiting[0] + 1).await.unwrap(), Fetched::Gone);
    open.close().await;
    assert_eq!(dovecot.count("", Some('S')), 0);
    assert_eq!(emptied(&inbox).await, [Fetched::Whole(MAIL.to_vec())]);
    assert_eq!((dovecot.count("", None), dovecot.count("", Some('S'))), (1, 1));
    assert_eq!(emptied(&inbox).await, []);
}

#[tokio::test]
async fn a_mail_that_is_done_goes_to_its_folder() {
    let dovecot = Dovecot::start();
    let settings = settings(dovecot.port(), Security::None, "processed = \"Processed\"");
    let inbox = Inbox::new(&settings).unwrap();
    dovecot.deliver(MAIL);
    dovecot.deliver(MAIL);
    assert_eq!(emptied(&inbox).await.len(), 2);
    assert_eq!((dovecot.count("", None), dovecot.count(".Processed", None)), (0, 2));
    assert_eq!(emptied(&inbox).await, []);
}

#[tokio::test]
async fn old_mails_stay_where_they_are() {
    let dovecot = Dovecot::start();
    dovecot.deliver(MAIL);
    // Maildir's files are of the day on which they were written.
    let settings = settings(dovecot.port(), Security::None, "since = \"2200-01-01\"");
    assert_eq!(emptied(&Inbox::new(&settings).unwrap()).await, []);
}

#[tokio::test]
async fn it_is_talked_to_in_private_or_not_at_all() {
    let authority = Authority::new();
    let (certificate, key) = (authority.file("server.pem"), authority.file("server.key"));
    let dovecot = Dovecot::start_with(Some((Path::new(&certificate), Path::new(&key))));
    dovecot.deliver(MAIL);
    let ca_file = format!("ca_file = \"{}\"", authority.file("ca.pem"));
    let starttls = settings(dovecot.port(), Security::Starttls, &ca_file);
    assert_eq!(emptied(&Inbox::new(&starttls).unwrap()).await.len(), 1);
    dovecot.deliver(MAIL);
    let tls = settings(dovecot.tls_port(), Security::Tls, &ca_file);
    assert_eq!(emptied(&Inbox::new(&tls).unwrap()).await.len(), 1);
    // Nobody vouches for its certificate.
    let untrusted = settings(dovecot.tls_port(), Security::Tls, "");
    wrong(
        &untrusted,
        expect![[r#"localhost:PORT cannot be reached: invalid peer certificate: UnknownIssuer"#]],
    )
    .await;
}

async fn wrong(settings: &InboxConfig, expected: Expect) {
    let port = settings.port.unwrap().to_string();
    let told = match Inbox::new(settings) {
        Err(why) => why.to_string(),
        Ok(inbox) => match inbox.open().await {
            Ok(_) => "nothing is wrong".to_owned(),
            Err(why) => why.to_string(),
        },
    };
    assert!(!told.contains("secret"), "{told}");
    // Dovecot says how long it took.
    let told = told.split(" (0.").next().unwrap();
    expected.assert_eq(&told.replace(&port, "PORT"));
}

#[tokio::test]
async fn what_is_wrong_is_told() {
    let mut dovecot = Dovecot::start();
    let port = dovecot.port();
    let with = |more: &str| settings(port, Security::None, more);
    wrong(
        &with("folder = \"Nowhere\""),
        expect![
            "localhost:PORT does not give the folder `Nowhere`: Mailbox doesn't exist: Nowhere"
        ],
    )
    .await;
    wrong(
        &with("since = \"Monday\""),
        expect![[r#"`since = "Monday"` is not a day such as 2026-12-24"#]],
    )
    .await;
    wrong(&with("ca_file = \"/nowhere\""), expect![[r#"`ca_file = "/nowhere"` does not read as PEM certificates: I/O error: No such file or directory (os error 2)"#]]).await;
    wrong(
        &InboxConfig { host: "imap.example.com".to_owned(), ..with("") },
        expect![[r#"`security = "none"` would send the password to `imap.example.com` in the clear; use `starttls` or `tls`"#]],
    )
    .await;
    wrong(
        &InboxConfig { password_env: "RELATA_TEST_NOT_SET".to_owned(), ..with("") },
        expect!["the environment variable `RELATA_TEST_NOT_SET` (password_env) is not set; set it to the password"],
    )
    .await;
    wrong(&settings(port, Security::Starttls, ""), expect!["localhost:PORT cannot be reached: it cannot be talked to in private: TLS support isn't enabled"]).await;
    // The password of this one is another.
    let user = InboxConfig { password_env: "HOME".to_owned(), ..with("") };
    wrong(&user, expect!["localhost:PORT refused the login: [AUTHENTICATIONFAILED] Authentication failed; see `username` and `password_env`"]).await;
    dovecot.stop();
    wrong(
        &with(""),
        expect!["localhost:PORT cannot be reached: Connection refused (os error 111)"],
    )
    .await;
}

//! The `[mail]` part of `relata.toml`.

use expect_test::{Expect, expect};
use relata_channels::{MailConfig, MailOut};

fn check(settings: &str, expected: Expect) {
    let got = match toml::from_str::<MailConfig>(settings) {
        Err(error) => error.message().to_owned(),
        Ok(config) => match MailOut::new(&config) {
            Err(error) => error.to_string(),
            Ok(out) => format!("{out:?}"),
        },
    };
    expected.assert_eq(&got);
}

const SMTP: &str = "from = \"Example <hello@example.com>\"\ntransport.kind = \"smtp\"\n";

#[test]
fn a_directory() {
    check(
        "from = \"Müller <hello@müller.example>\"\ntransport = { kind = \"directory\", path = \"mail\" }",
        expect![[
            r#"MailOut { from: Mailbox { name: Some("Müller"), email: Address { serialized: "hello@xn--mller-kva.example", at_start: 5 } }, .. }"#
        ]],
    );
}

#[test]
fn a_server() {
    check(
        &format!("{SMTP}transport.host = \"smtp.example.com\""),
        expect![[
            r#"MailOut { from: Mailbox { name: Some("Example"), email: Address { serialized: "hello@example.com", at_start: 5 } }, .. }"#
        ]],
    );
}

#[test]
fn what_is_wrong_is_named() {
    check(
        "from = \"Example\"\ntransport = { kind = \"directory\", path = \"mail\" }",
        expect![[
            r#"`from = "Example"` is not an address such as `Example Company <hello@example.com>`"#
        ]],
    );
    check(
        &format!("{SMTP}transport.host = \"smtp.example.com\"\ntransport.password = \"secret\""),
        expect![
            "unknown field `password`, expected one of `host`, `port`, `security`, `username`, `password_env`, `ca_file`"
        ],
    );
    check(
        &format!("{SMTP}transport.host = \"smtp.example.com\"\ntransport.username = \"relata\""),
        expect!["`username` and `password_env` go together; one of them is missing"],
    );
    check(
        &format!(
            "{SMTP}transport.host = \"smtp.example.com\"\ntransport.username = \"relata\"\ntransport.password_env = \"RELATA_TEST_NOT_SET\""
        ),
        expect![
            "the environment variable `RELATA_TEST_NOT_SET` (password_env) is not set; set it to the password"
        ],
    );
    check(
        &format!(
            "{SMTP}transport.host = \"smtp.example.com\"\ntransport.security = \"none\"\ntransport.username = \"relata\"\ntransport.password_env = \"PATH\""
        ),
        expect![[
            r#"`security = "none"` would send the password to `smtp.example.com` in the clear; use `starttls` or `tls`"#
        ]],
    );
    check(
        &format!(
            "{SMTP}transport.host = \"smtp.example.com\"\ntransport.ca_file = \"tests/mail/main.rs\""
        ),
        expect![[
            r#"`ca_file = "tests/mail/main.rs"` does not read as PEM certificates: it has no certificate in it"#
        ]],
    );
}

//! Mail out and in: what a mail looks like, and real conversations with real mail
//! servers (aiosmtpd, Dovecot).

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "it is a test"
)]

#[path = "../../../../tests/src/dovecot.rs"]
mod dovecot;
mod files;
mod inbox;
#[path = "../../../../tests/src/receiver.rs"]
mod receiver;
mod server;
mod settings;

use relata_channels::{Mail, Mailbox};

/// A mail to Anna.
pub fn mail(effect_id: &str) -> Mail {
    Mail {
        effect_id: effect_id.to_owned(),
        to: Mailbox {
            name: Some("Anna Schmidt".to_owned()),
            address: "anna@example.org".to_owned(),
        },
        subject: "Welcome".to_owned(),
        text: "Hello Anna,\n\nwelcome.\n".to_owned(),
        html: None,
        unsubscribe: None,
        // 2026-11-23 09:30 UTC
        date_ms: 1_795_426_200_000,
        answers: Vec::new(),
        by_hand: false,
        files: Vec::new(),
    }
}

//! The outside world. Only this room opens a socket to it.
//!
//! Mail out: [`MailOut`] sends a [`Mail`] through an SMTP server, or writes it
//! to a directory as an `.eml` file. The id of the effect is the mail's
//! Message-ID, so that a repetition is known as one.

mod config;
mod error;
mod mail;
mod send;
mod smtp;

pub use config::{MailConfig, Security, Smtp, Transport};
pub use error::{MailConfigError, MailError};
pub use mail::{Mail, Mailbox};
pub use send::{MailOut, Receipt};

//! The outside world. Only this room opens a socket to it.
//!
//! Mail out: [`MailOut`] sends a [`Mail`] through an SMTP server, or writes it
//! to a directory as an `.eml` file. The id of the effect is the mail's
//! Message-ID, so that a repetition is known as one.
//!
//! Mail in: [`Inbox`] fetches from a mailbox what was not fetched before;
//! [`read_mail`] makes an [`InboundMail`] of the bytes that came.
//!
//! HTTP out: [`HttpOut`] sends a plugin's [`HttpCall`], and nowhere into a private
//! network.
//!
//! Registries: [`Oci`] pulls plugins from where they are published, and pushes
//! them there.

mod config;
mod error;
mod http;
mod imap;
mod inbound;
mod mail;
mod oci;
mod send;
mod smtp;

pub use config::{MailConfig, Security, Smtp, Transport};
pub use error::{InboxError, MailConfigError, MailError};
pub use http::{HttpAnswer, HttpCall, HttpConfig, HttpConfigError, HttpError, HttpOut};
pub use imap::{Fetched, Inbox, InboxConfig, OpenInbox};
pub use inbound::{AttachedFile, Bounce, InboundMail, MailNature, UnreadableMail, read_mail};
pub use mail::{Mail, Mailbox, SentFile};
pub use oci::{BadReference, Login, Oci, OciError, OciReference, Pulled};
pub use send::{MailOut, Receipt};

//! Words to people: mail to customers, notices to users.
//!
//! The host looks up the address, checks consent, quiet hours and caps,
//! renders the template, and delivers after the step's commit.

use serde::Serialize;

use crate::bindings::relata::plugin::messages as host;
use crate::{Error, Reference, Result, Template, glue};

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// It will be sent under this id.
    Queued(String),
    /// It will not be sent, for this reason: no consent, no address, a duplicate.
    Suppressed(String),
}

/// Mails a template to a record with an address: a contact, lead, user or
/// account. `data` is a JSON object with what the template may name beside
/// the recipient; `()` for nothing.
pub fn send_mail(to: &Reference, template: &Template, data: impl Serialize) -> Result<Receipt> {
    let mail = host::Mail {
        to: to.to_string(),
        template: template.to_string(),
        data: glue::object(data, "the data of a mail")?,
    };
    host::send_mail(&mail).map(Receipt::from_host).map_err(Error::from_host)
}

/// Tells a user something, and links the record that it is about.
pub fn notify(to: &Reference, text: &str, about: Option<&Reference>) -> Result<Receipt> {
    let notice = host::Notice {
        to: to.to_string(),
        text: text.to_owned(),
        about: about.map(Reference::to_string),
    };
    host::notify(&notice).map(Receipt::from_host).map_err(Error::from_host)
}

impl Receipt {
    fn from_host(receipt: host::Receipt) -> Self {
        match receipt {
            host::Receipt::Queued(id) => Self::Queued(id),
            host::Receipt::Suppressed(reason) => Self::Suppressed(reason),
        }
    }
}

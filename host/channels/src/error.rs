//! What can go wrong with a mail.

/// Why the `[mail]` settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailConfigError {
    /// An address is none.
    #[error(
        "`{field} = \"{value}\"` is not an address such as `Example Company <hello@example.com>`"
    )]
    Address {
        /// `from` or `reply_to`.
        field: &'static str,
        /// What stands there.
        value: String,
    },
    /// The domain is none.
    #[error("`domain = \"{0}\"` is not a domain such as example.com")]
    Domain(String),
    /// The password is not to be had.
    #[error("the environment variable `{0}` (password_env) is not set; set it to the password")]
    NoPassword(String),
    /// A user name without a password, or the other way round.
    #[error("`username` and `password_env` go together; one of them is missing")]
    HalfALogin,
    /// The password would cross a network in the clear.
    #[error(
        "`security = \"none\"` would send the password to `{0}` in the clear; use `starttls` or `tls`"
    )]
    PasswordInTheClear(String),
    /// The certificate authority does not read.
    #[error("`ca_file = \"{file}\"` does not read as PEM certificates: {why}")]
    Authority {
        /// The file.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// A day is none.
    #[error("`since = \"{0}\"` is not a day such as 2026-12-24")]
    Day(String),
    /// The server's name cannot be used.
    #[error("`host = \"{host}\"`: {why}")]
    Host {
        /// The name.
        host: String,
        /// What is wrong.
        why: String,
    },
}

/// Why a mail was not sent, or may not have been. The text says what was
/// tried and what the server answered; it never has a password in it, but it
/// may have the recipient's address, as servers quote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// It may work later: a 4xx answer to this mail, or no room to write it.
    /// The mail was not sent.
    #[error("the mail was not sent, and is tried again: {0}")]
    Transient(String),
    /// It may work later: the server cannot be reached, or does not let us in.
    /// That is not the mail's fault, and so will it be for the next one.
    #[error("the mail was not sent, and is tried again: {0}")]
    Unreachable(String),
    /// It will not work: an address that is none, or a 5xx answer. The mail
    /// was not sent.
    #[error("the mail cannot be sent: {0}")]
    Permanent(String),
    /// The connection broke after the text and before the server's answer to
    /// it: the server may have taken the mail.
    #[error("it is not known whether the mail was sent: {0}")]
    Unknown(String),
}

impl MailError {
    /// Whether another attempt is worth it, and does no harm.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Transient(_) | Self::Unreachable(_))
    }

    /// Whether the server was not to be had, whatever the mail.
    #[must_use]
    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable(_))
    }

    /// Whether the mail may have been sent.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }
}

/// Why a mailbox cannot be read now. Nothing in it was changed; it is tried
/// again. The text never has a password in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InboxError {
    /// The server does not answer, or its certificate is wrong.
    #[error("{place} cannot be reached: {why}")]
    Unreachable {
        /// The server's name and port.
        place: String,
        /// What happened.
        why: String,
    },
    /// It does not let us in.
    #[error("{place} refused the login: {why}; see `username` and `password_env`")]
    Login {
        /// The server's name and port.
        place: String,
        /// What it said.
        why: String,
    },
    /// The folder cannot be used.
    #[error("{place} does not give the folder `{folder}`: {why}")]
    Folder {
        /// The server's name and port.
        place: String,
        /// The folder.
        folder: String,
        /// What is wrong with it.
        why: String,
    },
    /// The connection broke, or the server said something that nobody understands.
    #[error("{place} could not {doing}: {why}")]
    Broken {
        /// The server's name and port.
        place: String,
        /// What was tried.
        doing: &'static str,
        /// What happened.
        why: String,
    },
}

//! The one error of a plugin, and what the host does about it.

use std::fmt;
use std::time::Duration;

use crate::bindings::relata::plugin::types as host;

/// What an action, or a call to the host, gives.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it was. The host decides by it whether another
/// attempt is worth anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// The plugin lacks a permission. Not tried again.
    Denied,
    /// The input, or a value written to a record, is wrong. Not tried again.
    Invalid,
    /// No such record, template, team, queue or key. Not tried again.
    NotFound,
    /// Somebody else changed it meanwhile. Tried again.
    Conflict,
    /// A limit was reached. Tried again.
    Limit,
    /// It may work later. Tried again.
    Transient,
    /// It will never work. Not tried again.
    Permanent,
    /// The run was cancelled. Not tried again.
    Cancelled,
}

/// Why something did not work, in words for the operations staff: what was
/// tried, on what, and how to mend it.
///
/// `?` also takes any ordinary error, such as that of `serde_json`; it
/// becomes [`Code::Permanent`], because trying the same code on the same
/// input again seldom helps. Say [`Error::transient`] where it does.
///
/// It does not implement `std::error::Error` itself: that is what makes `?`
/// take every error that does.
#[derive(Clone, PartialEq)]
pub struct Error {
    code: Code,
    message: String,
    retry_after: Option<Duration>,
    details: Option<serde_json::Value>,
}

impl Error {
    /// An error of a given kind.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None, details: None }
    }

    /// It will not work, however often it is tried.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new(Code::Permanent, message)
    }

    /// It may work when tried again; the workflow's `retry:` says how often.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(Code::Transient, message)
    }

    /// It may work when tried again, but not before `after` (at most 49 days).
    pub fn retry_after(after: Duration, message: impl Into<String>) -> Self {
        Self { retry_after: Some(after), ..Self::new(Code::Transient, message) }
    }

    /// The input is wrong: say which part, and what would be right.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::Invalid, message)
    }

    /// Something that the input names does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message)
    }

    /// Something is not allowed.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(Code::Denied, message)
    }

    /// Adds more for machines to read, such as the rejected candidates.
    #[must_use]
    pub fn with_details(mut self, details: impl serde::Serialize) -> Self {
        self.details = serde_json::to_value(details).ok();
        self
    }

    /// What kind of failure it is.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The sentence for the operations staff.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Not before this time, if it says so.
    pub fn retry_after_asked(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What [`Error::with_details`] added.
    pub fn details(&self) -> Option<&serde_json::Value> {
        self.details.as_ref()
    }

    pub(crate) fn from_host(error: host::Error) -> Self {
        let code = match error.code {
            host::Code::Denied => Code::Denied,
            host::Code::Invalid => Code::Invalid,
            host::Code::NotFound => Code::NotFound,
            host::Code::Conflict => Code::Conflict,
            host::Code::Limit => Code::Limit,
            host::Code::Transient => Code::Transient,
            host::Code::Permanent => Code::Permanent,
            host::Code::Cancelled => Code::Cancelled,
        };
        Self {
            code,
            message: error.message,
            retry_after: error.retry_after_ms.map(|ms| Duration::from_millis(ms.into())),
            details: error.details.and_then(|details| serde_json::from_str(&details).ok()),
        }
    }

    pub(crate) fn into_host(self) -> host::Error {
        let code = match self.code {
            Code::Denied => host::Code::Denied,
            Code::Invalid => host::Code::Invalid,
            Code::NotFound => host::Code::NotFound,
            Code::Conflict => host::Code::Conflict,
            Code::Limit => host::Code::Limit,
            Code::Transient => host::Code::Transient,
            Code::Permanent => host::Code::Permanent,
            Code::Cancelled => host::Code::Cancelled,
        };
        host::Error {
            code,
            message: self.message,
            retry_after_ms: self
                .retry_after
                .map(|after| u32::try_from(after.as_millis()).unwrap_or(u32::MAX)),
            details: self.details.map(|details| details.to_string()),
        }
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        Self::permanent(error.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.code, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_error_becomes_a_permanent_one() {
        fn parse(text: &str) -> Result<u32> {
            Ok(text.parse()?)
        }
        let error = parse("x").unwrap_err();
        assert_eq!(error.code(), Code::Permanent);
        assert_eq!(error.message(), "invalid digit found in string");
    }

    #[test]
    fn an_error_survives_the_way_to_the_host_and_back() {
        let error = Error::retry_after(Duration::from_secs(90), "the mail server is busy")
            .with_details(serde_json::json!({"queue": 7}));
        assert_eq!(Error::from_host(error.clone().into_host()), error);
        let long = Error::retry_after(Duration::from_secs(u64::MAX), "much later");
        assert_eq!(long.into_host().retry_after_ms, Some(u32::MAX));
    }
}

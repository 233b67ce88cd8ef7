//! Calls of web services. Which hosts a plugin may call, and with which
//! methods, stands under `[[permissions.http]]` in its plugin.toml.
//!
//! ```no_run
//! # use relata_plugin_sdk::prelude::*;
//! # #[derive(Deserialize)]
//! # struct Company { name: String }
//! # fn look_up(domain: &str) -> Result<Option<Company>> {
//! let token = secrets::placeholder("companies-token")?;
//! let response = http::get("https://companies.example/v1/companies")
//!     .query("domain", domain)
//!     .header("authorization", format!("Bearer {token}"))
//!     .send()?;
//! if response.status() == 404 {
//!     return Ok(None);
//! }
//! let company: Company = response.error_for_status()?.json()?;
//! # Ok(Some(company))
//! # }
//! ```
//!
//! A request leaves at once, also if the step fails afterwards and is tried
//! again: one that changes something has a header `idempotency-key` that is the
//! same in every attempt. Where nobody needs the answer, [`Request::deliver`]
//! sends it after the step has committed.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::relata::plugin::http as host;
use crate::{Code, Error, Result};

/// All but what is the same in every part of an address (RFC 3986, 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A method of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Reads the headers alone.
    Head,
    /// Does something.
    Post,
    /// Sets.
    Put,
    /// Changes.
    Patch,
    /// Deletes.
    Delete,
}

/// A request, until it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a request leaves with `send` or `deliver`"]
pub struct Request {
    method: Method,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    timeout: Option<Duration>,
}

/// A `GET` request.
pub fn get(url: impl Into<String>) -> Request {
    Request::new(Method::Get, url)
}

/// A `POST` request.
pub fn post(url: impl Into<String>) -> Request {
    Request::new(Method::Post, url)
}

/// A `PUT` request.
pub fn put(url: impl Into<String>) -> Request {
    Request::new(Method::Put, url)
}

/// A `PATCH` request.
pub fn patch(url: impl Into<String>) -> Request {
    Request::new(Method::Patch, url)
}

/// A `DELETE` request.
pub fn delete(url: impl Into<String>) -> Request {
    Request::new(Method::Delete, url)
}

impl Request {
    /// A request of any method; the address is in full.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self { method, url: url.into(), headers: Vec::new(), body: Vec::new(), timeout: None }
    }

    /// Adds `name=value` to the address, both escaped.
    pub fn query(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let escaped = |text| utf8_percent_encode(text, RESERVED);
        let sign = if self.url.contains('?') { '&' } else { '?' };
        self.url.push_str(&format!("{sign}{}={}", escaped(name), escaped(value.as_ref())));
        self
    }

    /// Adds a header line.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body to a value as JSON, and says so in `content-type`.
    pub fn json(self, value: &impl Serialize) -> Result<Self> {
        let body = serde_json::to_vec(value)?;
        Ok(self.header("content-type", "application/json").body(body))
    }

    /// Waits for the answer for at most so long.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends it now and waits for the answer. A status of 400 or more is an
    /// answer as well; an error is what kept one from coming.
    pub fn send(self) -> Result<Response> {
        let from = self.url.clone();
        let response = host::send(&self.into_host()).map_err(Error::from_host)?;
        let headers = response.headers.into_iter().map(|line| (line.name, line.value)).collect();
        Ok(Response { from, status: response.status, headers, body: response.body })
    }

    /// Sends it after the step has committed, and again until it is answered
    /// well. Returns the id under which the outbox shows it, which is its
    /// `idempotency-key` unless it has its own.
    pub fn deliver(self) -> Result<String> {
        host::deliver(&self.into_host()).map_err(Error::from_host)
    }

    fn into_host(self) -> host::Request {
        let headers = self.headers.into_iter();
        host::Request {
            method: match self.method {
                Method::Get => host::Method::Get,
                Method::Head => host::Method::Head,
                Method::Post => host::Method::Post,
                Method::Put => host::Method::Put,
                Method::Patch => host::Method::Patch,
                Method::Delete => host::Method::Delete,
            },
            url: self.url,
            headers: headers.map(|(name, value)| host::Header { name, value }).collect(),
            body: self.body,
            timeout_ms: self
                .timeout
                .map(|timeout| u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX)),
        }
    }
}

/// What a web service answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    from: String,
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Response {
    /// The status: 200.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The first header line of a name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body.
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// The body as text. One that is not UTF-8 is a permanent error.
    pub fn text(&self) -> Result<&str> {
        std::str::from_utf8(&self.body)
            .map_err(|_| Error::permanent(format!("{} answered no text", self.host())))
    }

    /// The body read from JSON. One that does not fit is a permanent error,
    /// which says where and not what: it may be a customer's.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let (host, line, column) = (self.host(), error.line(), error.column());
            Error::permanent(format!(
                "{host} answered something unreadable at line {line}, column {column}"
            ))
        })
    }

    /// How long the service asks to be left alone: its `retry-after`, where
    /// that is a number of seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
    }

    /// The response, if its status is below 400. Else an error: `transient`
    /// for 408, 425, 429 and 5xx, with the service's `retry-after`, and
    /// `permanent` for the others.
    pub fn error_for_status(self) -> Result<Self> {
        let code = match self.status {
            ..400 => return Ok(self),
            408 | 425 | 429 | 500.. => Code::Transient,
            _ => Code::Permanent,
        };
        let message = format!("{} answered {}", self.host(), self.status);
        Err(match self.retry_after() {
            Some(after) if code == Code::Transient => Error::retry_after(after, message),
            _ => Error::new(code, message),
        })
    }

    /// The address without what may be a customer's.
    fn host(&self) -> &str {
        let rest = self.from.split_once("://").map_or(self.from.as_str(), |(_, rest)| rest);
        rest.split(['/', '?', '#']).next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        let own = |text: &str| text.to_owned();
        Response {
            from: own("https://api.example.com/v1/people?name=anna"),
            status,
            headers: headers.iter().map(|(name, value)| (own(name), own(value))).collect(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn the_address_is_escaped() {
        let request = get("https://a.example/x").query("q", "a b&c.d").query("ä", "1");
        assert_eq!(request.url, "https://a.example/x?q=a%20b%26c.d&%C3%A4=1");
    }

    #[test]
    fn a_status_becomes_an_error_of_its_kind() {
        assert!(response(204, &[], "").error_for_status().is_ok());
        let gone = response(410, &[("retry-after", "9")], "").error_for_status().unwrap_err();
        assert_eq!((gone.code(), gone.retry_after_asked()), (Code::Permanent, None));
        let busy = response(429, &[("Retry-After", "30")], "").error_for_status().unwrap_err();
        assert_eq!(busy.message(), "api.example.com answered 429");
        assert_eq!(busy.code(), Code::Transient);
        assert_eq!(busy.retry_after_asked(), Some(Duration::from_secs(30)));
    }

    #[test]
    fn an_unreadable_body_is_not_repeated() {
        let wrong = response(200, &[], "{\"name\": Anna}").json::<serde_json::Value>().unwrap_err();
        assert_eq!(
            wrong.message(),
            "api.example.com answered something unreadable at line 1, column 10"
        );
    }
}

//! Where a request goes: schemes, methods, hosts, and patterns of hosts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How a request travels.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize, Serialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Encrypted.
    #[default]
    Https,
    /// In the clear.
    Http,
}

impl Scheme {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The port where none is named.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Scheme::Https => 443,
            Scheme::Http => 80,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scheme::Https => "https",
            Scheme::Http => "http",
        })
    }
}

/// A method of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
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

impl Method {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete];

    /// Its name: `GET`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }

    /// Whether it changes nothing at the receiver (RFC 9110, 9.2.1).
    #[must_use]
    pub fn is_safe(self) -> bool {
        matches!(self, Method::Get | Method::Head)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where one request goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Destination {
    /// How.
    pub scheme: Scheme,
    /// A name in lower case, or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Destination {
    /// Whether nobody on the way reads along: it is encrypted, or stays on this
    /// machine.
    #[must_use]
    pub fn is_confidential(&self) -> bool {
        let address = self.host.trim_start_matches('[').trim_end_matches(']');
        let stays = address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        self.scheme == Scheme::Https || stays
    }

    /// The pattern that this alone fits.
    #[must_use]
    pub fn pattern(&self) -> HostPattern {
        let port = (self.port != self.scheme.port()).then_some(self.port);
        HostPattern { host: Wildcard::Exactly(self.host.clone()), port }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.pattern())
    }
}

/// Some hosts: `api.example.com`, `*.example.com` (any name below it, not
/// itself), each at the port after it or else at the scheme's own; or `*`, any
/// host at any port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPattern {
    host: Wildcard,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Wildcard {
    Any,
    Below(String),
    Exactly(String),
}

impl Wildcard {
    fn covers(&self, other: &Wildcard) -> bool {
        match (self, other) {
            (Wildcard::Any, _) => true,
            (Wildcard::Below(domain), Wildcard::Exactly(name)) => is_below(name, domain),
            (Wildcard::Below(domain), Wildcard::Below(other)) => {
                other == domain || is_below(other, domain)
            }
            (Wildcard::Exactly(name), Wildcard::Exactly(other)) => name == other,
            _ => false,
        }
    }
}

fn is_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

impl HostPattern {
    /// Any host at any port.
    #[must_use]
    pub fn any() -> Self {
        Self { host: Wildcard::Any, port: None }
    }

    /// Whether a request may go there.
    #[must_use]
    pub fn matches(&self, to: &Destination) -> bool {
        self.covers(&to.pattern())
    }

    /// Whether all hosts of `other` are hosts of this.
    #[must_use]
    pub fn covers(&self, other: &HostPattern) -> bool {
        let any = self.host == Wildcard::Any && self.port.is_none();
        any || (self.port == other.port && self.host.covers(&other.host))
    }

    /// The hosts of both.
    pub(crate) fn meet(&self, other: &HostPattern) -> Option<HostPattern> {
        if self.covers(other) {
            Some(other.clone())
        } else {
            other.covers(self).then(|| self.clone())
        }
    }
}

/// A text that is no pattern of hosts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a host: it should be a name as in `api.example.com`, `*.example.com` for those below it, or `*` for any, with a port after it if it has one of its own (`api.example.com:8443`), and no scheme or path"
)]
pub struct BadHost(String);

impl FromStr for HostPattern {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<Self, BadHost> {
        let bad = || BadHost(text.to_owned());
        let after_address = text.rfind(']').map_or(0, |end| end + 1);
        let (host, port) = match text[after_address..].rfind(':') {
            Some(at) => {
                let (host, port) = text.split_at(after_address + at);
                (host, Some(port[1..].parse::<u16>().map_err(|_| bad())?))
            }
            None => (text, None),
        };
        let host = host.to_ascii_lowercase();
        let host = match host.as_str() {
            "*" => Wildcard::Any,
            name => match name.strip_prefix("*.") {
                Some(domain) if is_host(domain) => Wildcard::Below(domain.to_owned()),
                None if is_host(name) => Wildcard::Exactly(name.to_owned()),
                _ => return Err(bad()),
            },
        };
        Ok(Self { host, port })
    }
}

/// Whether a text is a host's name (in ASCII, as it travels) or an address.
fn is_host(text: &str) -> bool {
    let address = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(address) = address {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Wildcard::Any => f.write_str("*")?,
            Wildcard::Below(domain) => write!(f, "*.{domain}")?,
            Wildcard::Exactly(name) => f.write_str(name)?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl<'de> Deserialize<'de> for HostPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for HostPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_their_patterns() {
        let cases = [
            ("api.example.com", "api.example.com", true),
            ("API.Example.com", "api.example.com", true),
            ("*.example.com", "api.example.com", true),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "badexample.com", false),
            ("*.example.com", "example.com.evil.test", false),
            ("*", "anything.test", true),
            ("*", "anything.test:8443", true),
            ("*:8443", "anything.test:8443", true),
            ("*:8443", "anything.test", false),
            ("api.example.com:8443", "api.example.com:8443", true),
            ("api.example.com:8443", "api.example.com", false),
            ("api.example.com", "api.example.com:8443", false),
            ("[::1]:80", "[::1]:80", true),
        ];
        for (pattern, host, expected) in cases {
            let pattern: HostPattern = pattern.parse().unwrap();
            let host: HostPattern = host.parse().unwrap();
            assert_eq!(pattern.covers(&host), expected, "{pattern} and {host}");
        }
    }

    #[test]
    fn what_is_no_host() {
        for text in [
            "",
            "https://a.test",
            "a.test/x",
            "*.",
            "a..b",
            "*a.test",
            "a.*.test",
            "-a",
            "a:b",
            "[::1",
        ] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
    }
}

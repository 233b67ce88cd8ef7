//! `oci://plugins.example/sales/enrich:0.1.0`: where in a registry a plugin
//! lies.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use relata_package::Digest;

/// A place in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OciReference {
    /// The registry: a host, with a port if it is not the usual one.
    pub registry: String,
    /// The repository in it: `sales/enrich`.
    pub repository: String,
    /// A name for one of its versions, which may move to another.
    pub tag: Option<String>,
    /// What exactly is meant, whatever the tag says by now.
    pub digest: Option<Digest>,
}

/// A text that is no place in a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a place in a registry: it should be oci://HOST/REPOSITORY:VERSION, as in oci://plugins.example/sales/enrich:0.1.0, with @sha256:DIGEST behind it if nothing else will do"
)]
pub struct BadReference(String);

impl OciReference {
    /// What names the manifest: the digest where there is one.
    pub(super) fn manifest(&self) -> Option<String> {
        self.digest.map(|digest| digest.to_string()).or_else(|| self.tag.clone())
    }

    /// The address that requests to the registry begin with. Only to this
    /// machine itself do they go unencrypted.
    pub(super) fn base(&self) -> String {
        let scheme = if is_loopback(&self.registry) { "http" } else { "https" };
        // Docker Hub answers under another name than it is known by.
        let host = match self.registry.as_str() {
            "docker.io" => "registry-1.docker.io",
            host => host,
        };
        format!("{scheme}://{host}/v2/{}", self.repository)
    }
}

/// Whether `host` or `host:port` is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|c| c.is_ascii_digit()) => host,
        _ => host,
    };
    let address = host.trim_matches(['[', ']']);
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl FromStr for OciReference {
    type Err = BadReference;

    fn from_str(text: &str) -> Result<Self, BadReference> {
        let read = || {
            let rest = text.strip_prefix("oci://")?;
            let (rest, digest) = match rest.split_once('@') {
                Some((rest, digest)) => (rest, Some(digest.parse().ok()?)),
                None => (rest, None),
            };
            let (registry, path) = rest.split_once('/')?;
            let (repository, tag) = match path.split_once(':') {
                Some((repository, tag)) => (repository, Some(tag)),
                None => (path, None),
            };
            let fits = is_registry(registry) && is_repository(repository) && tag.is_none_or(is_tag);
            fits.then(|| Self {
                registry: registry.to_owned(),
                repository: repository.to_owned(),
                tag: tag.map(str::to_owned),
                digest,
            })
        };
        read().ok_or_else(|| {
            BadReference(text.chars().take(200).collect::<String>().escape_debug().to_string())
        })
    }
}

impl fmt::Display for OciReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "oci://{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// A host and nothing else: no user, no path, no spaces.
fn is_registry(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower == text
        && reqwest::Url::parse(&format!("https://{text}/")).is_ok_and(|url| {
            let host = url.host_str().unwrap_or_default();
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{host}{port}") == text || format!("{host}:443") == text
        })
}

/// As the distribution specification has it.
fn is_repository(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let part = |part: &str| {
        part.starts_with(plain)
            && part.ends_with(plain)
            && part.chars().all(|c| plain(c) || matches!(c, '.' | '_' | '-'))
            && !["..", "._", "_.", ".-", "-.", "___", "_-", "-_"]
                .iter()
                .any(|bad| part.contains(bad))
    };
    text.len() <= 255 && text.split('/').all(part)
}

pub(super) fn is_tag(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && !text.starts_with(['.', '-'])
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let digest = Digest::of(b"x");
        for text in [
            "oci://plugins.example/enrich",
            "oci://plugins.example/enrich:0.1.0",
            "oci://plugins.example:5000/sales/enrich:0.1.0-rc.1_x",
            "oci://[::1]:5000/enrich:1",
            &format!("oci://ghcr.io/a/b.c/d__e:1@{digest}"),
            &format!("oci://ghcr.io/a@{digest}"),
        ] {
            let place: OciReference = text.parse().unwrap_or_else(|why| panic!("{why}"));
            assert_eq!(place.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_place() {
        for text in [
            "plugins.example/enrich",
            "https://plugins.example/enrich",
            "oci://enrich",
            "oci:///enrich:1",
            "oci://user@plugins.example/enrich",
            "oci://plugins.example/",
            "oci://plugins.example/../x",
            "oci://plugins.example/a//b",
            "oci://plugins.example/Enrich",
            "oci://plugins.example/enrich:",
            "oci://plugins.example/enrich:.1",
            "oci://plugins.example/enrich:1/2",
            "oci://plugins.example/enrich?x",
            "oci://plugins.example/enrich@md5:00",
            "oci://plugins.example\\@evil.test/enrich",
        ] {
            assert!(text.parse::<OciReference>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_this_machine_is_asked_in_the_clear() {
        let base = |text: &str| text.parse::<OciReference>().unwrap().base();
        assert_eq!(base("oci://localhost:5000/a"), "http://localhost:5000/v2/a");
        assert_eq!(base("oci://127.0.0.1/a"), "http://127.0.0.1/v2/a");
        assert_eq!(base("oci://[::1]:5000/a"), "http://[::1]:5000/v2/a");
        assert_eq!(base("oci://localhost.evil.test/a"), "https://localhost.evil.test/v2/a");
        assert_eq!(base("oci://127.0.0.1.nip.test:80/a"), "https://127.0.0.1.nip.test:80/v2/a");
        assert_eq!(base("oci://docker.io/a/b"), "https://registry-1.docker.io/v2/a/b");
    }
}

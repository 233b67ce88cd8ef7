//! HTTP out: one request, one answer, no redirect followed.
//!
//! A plugin names the host; so what a name leads to is looked at before
//! anything is sent, and the connection goes to the address that was looked at
//! and to no other: a name that is answered differently a moment later (DNS
//! rebinding) leads nowhere else.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Url};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a connection is kept for the next request.
const IDLE: Duration = Duration::from_secs(60);

/// The `[http]` settings: how plugins' requests leave.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// Hosts that may lie at a private address, as those inside the company's
    /// network do: `erp.internal`, or an address itself. No port.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub private_hosts: Vec<String>,
    /// Certificates (PEM) to trust beside the usual authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

impl HttpConfig {
    /// The same, with its file looked for in `root`.
    #[must_use]
    pub fn rooted_at(&self, root: &Path) -> Self {
        Self { ca_file: self.ca_file.as_ref().map(|file| root.join(file)), ..self.clone() }
    }
}

/// Why the `[http]` settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpConfigError {
    /// The certificate authority does not read.
    #[error("`ca_file = \"{file}\"` does not read as PEM certificates: {why}")]
    Authority {
        /// The file.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// The client cannot be set up.
    #[error("{0}")]
    Client(String),
}

/// One request.
#[derive(Clone)]
pub struct HttpCall {
    /// `GET` and so on.
    pub method: &'static str,
    /// The address in full.
    pub url: String,
    /// Header lines.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// For the whole answer.
    pub timeout: Duration,
    /// How long the answer's body may be, in bytes.
    pub answer_bytes: usize,
}

/// It may hold secrets.
impl std::fmt::Debug for HttpCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpCall").field("method", &self.method).finish_non_exhaustive()
    }
}

/// An answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// 200 and so on.
    pub status: u16,
    /// Header lines, names in lower case. A value that is no text is left out.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer. The text names the host and nothing more of the
/// address: what comes after may be a customer's, or a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The request cannot be made.
    #[error("the request to {host} cannot be made: {why}")]
    Unusable {
        /// The host.
        host: String,
        /// What is wrong with it.
        why: String,
    },
    /// The host lies in a private network.
    #[error(
        "{host} lies at the private address {address}, where plugins may not call; `[http] private_hosts = [\"{host}\"]` in relata.toml allows it"
    )]
    Private {
        /// The host.
        host: String,
        /// Where it lies.
        address: IpAddr,
    },
    /// Nothing was sent: the name is unknown, nobody listens there, the
    /// certificate is wrong.
    #[error("{host} cannot be reached: {why}")]
    Unreachable {
        /// The host.
        host: String,
        /// What happened.
        why: String,
    },
    /// The request may have arrived, and no whole answer came.
    #[error("{host} did not answer: {why}")]
    NoAnswer {
        /// The host.
        host: String,
        /// What happened.
        why: String,
    },
    /// The answer is longer than allowed.
    #[error("{host} answered more than {limit} bytes")]
    TooLong {
        /// The host.
        host: String,
        /// What is allowed.
        limit: usize,
    },
}

impl HttpError {
    /// Whether another attempt is worth it.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, HttpError::Unreachable { .. } | HttpError::NoAnswer { .. })
    }

    /// Whether the request may have arrived.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, HttpError::NoAnswer { .. } | HttpError::TooLong { .. })
    }
}

/// Sends requests. One for a host; clones share its connections.
#[derive(Debug, Clone)]
pub struct HttpOut {
    /// For hosts that lie in the open.
    open: Client,
    /// For those that may lie at a private address.
    private: Client,
    private_hosts: Arc<[String]>,
}

impl HttpOut {
    /// Sets up the clients.
    ///
    /// # Errors
    ///
    /// [`HttpConfigError`] says which setting is wrong.
    pub fn new(config: &HttpConfig) -> Result<Self, HttpConfigError> {
        Self::asking(config, &Names::system())
    }

    /// The same, with names looked up in another way.
    fn asking(config: &HttpConfig, names: &Names) -> Result<Self, HttpConfigError> {
        let tls = tls(config.ca_file.as_deref())?;
        let client = |resolver: Resolver| {
            Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .dns_resolver(resolver)
                .redirect(Policy::none())
                // A proxy would look up the name anew, and out of our sight.
                .no_proxy()
                .connect_timeout(CONNECT)
                .pool_idle_timeout(IDLE)
                .user_agent(concat!("Relata/", env!("CARGO_PKG_VERSION")))
                .build()
                .map_err(|why| HttpConfigError::Client(why.to_string()))
        };
        Ok(Self {
            open: client(Resolver { private: false, names: names.clone() })?,
            private: client(Resolver { private: true, names: names.clone() })?,
            private_hosts: config.private_hosts.iter().map(|host| host.to_lowercase()).collect(),
        })
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    ///
    /// [`HttpError`] says what kept an answer from coming.
    pub async fn send(&self, call: HttpCall) -> Result<HttpAnswer, HttpError> {
        let unusable = |host: &str, why: String| HttpError::Unusable { host: host.to_owned(), why };
        let url =
            Url::parse(&call.url).map_err(|why| unusable("a web service", why.to_string()))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let is_private = self
            .private_hosts
            .iter()
            .any(|known| known.trim_matches(['[', ']']) == host.trim_matches(['[', ']']));
        // A name is looked at when it is looked up.
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>()
            && !is_private
            && !is_public(address)
        {
            return Err(HttpError::Private { host, address });
        }
        let client = if is_private { &self.private } else { &self.open };
        let method = Method::from_bytes(call.method.as_bytes())
            .map_err(|why| unusable(&host, why.to_string()))?;
        let mut request = client.request(method, url).timeout(call.timeout);
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        if !call.body.is_empty() {
            request = request.body(call.body);
        }
        let answer = request.send().await.map_err(|why| fault(&host, &why))?;
        let status = answer.status().as_u16();
        let headers = answer
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        let body = body(answer, &host, call.answer_bytes).await?;
        Ok(HttpAnswer { status, headers, body })
    }
}

/// An answer's body, of which no more is read than allowed.
async fn body(
    mut answer: reqwest::Response,
    host: &str,
    limit: usize,
) -> Result<Vec<u8>, HttpError> {
    let too_long = || HttpError::TooLong { host: host.to_owned(), limit };
    if answer.content_length().is_some_and(|length| length > limit as u64) {
        return Err(too_long());
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|why| no_answer(host, &why))? {
        if body.len() + chunk.len() > limit {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn fault(host: &str, error: &reqwest::Error) -> HttpError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(found) = cause {
        if let Some(private) = found.downcast_ref::<LiesPrivate>() {
            return HttpError::Private { host: host.to_owned(), address: private.0 };
        }
        cause = found.source();
    }
    if error.is_connect() {
        let why = if error.is_timeout() {
            format!("no connection within {} s", CONNECT.as_secs())
        } else {
            root(error)
        };
        return HttpError::Unreachable { host: host.to_owned(), why };
    }
    if error.is_builder() {
        return HttpError::Unusable { host: host.to_owned(), why: root(error) };
    }
    no_answer(host, error)
}

fn no_answer(host: &str, error: &reqwest::Error) -> HttpError {
    let why =
        if error.is_timeout() { "the time for its answer is over".to_owned() } else { root(error) };
    HttpError::NoAnswer { host: host.to_owned(), why }
}

/// The innermost cause: the outer ones say the address in full.
fn root(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Whom we believe.
pub(crate) fn tls(ca_file: Option<&Path>) -> Result<ClientConfig, HttpConfigError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = ca_file {
        let wrong =
            |why: String| HttpConfigError::Authority { file: file.display().to_string(), why };
        let certificates =
            CertificateDer::pem_file_iter(file).map_err(|why| wrong(why.to_string()))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|why| wrong(why.to_string()))?;
            roots.add(certificate).map_err(|why| wrong(why.to_string()))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| HttpConfigError::Client(why.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Who says where names lead.
#[derive(Clone)]
struct Names(Arc<dyn Fn(String) -> Looking + Send + Sync>);

impl Names {
    /// The system: its files and its name server.
    fn system() -> Self {
        Self(Arc::new(|name| {
            Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
        }))
    }
}

/// Looks names up, and at what they lead to. The client connects to one of the
/// addresses that it yields: nothing is looked up again in between.
struct Resolver {
    /// Whether they may lead to private addresses.
    private: bool,
    names: Names,
}

/// A name that leads to a private address.
#[derive(Debug, thiserror::Error)]
#[error("it lies at the private address {0}")]
struct LiesPrivate(IpAddr);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private;
        let looking = (self.names.0)(name.as_str().to_owned());
        Box::pin(async move {
            let found = looking.await?;
            // One private address among others is enough: which of them is
            // taken is not ours to say.
            let lies = found.iter().map(SocketAddr::ip).find(|address| !is_public(*address));
            match lies {
                Some(address) if !private => Err(LiesPrivate(address).into()),
                _ => Ok(Box::new(found.into_iter()) as Addrs),
            }
        })
    }
}

/// Whether an address lies in the open internet: none of those that IANA's
/// registries of special-purpose addresses (RFC 6890 and its updates) set
/// apart.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        // Shared by carriers, benchmarks, IETF assignments, and the future.
        || (a == 100 && (64..128).contains(&b))
        || (a == 198 && (b == 18 || b == 19))
        || (a == 192 && b == 0 && c == 0)
        || a >= 240)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Of the whole space only 2000::/3 is given out, but for documentation
    // (2001:db8::/32, 3fff::/20) and IETF assignments (2001::/23).
    (a & 0xe000) == 0x2000
        && !(a == 0x2001 && (b == 0xdb8 || b < 0x200))
        && !(a == 0x3fff && b < 0x1000)
}

/// The IPv4 address that an IPv6 address leads to: mapped, through NAT64 or
/// through 6to4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let from = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] => Some(from(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(from(high, low)),
        [0x2002, high, low, ..] => Some(from(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn what_lies_in_the_open() {
        let public =
            ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"];
        let private = [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.1",
            "192.168.1.1",
            "198.18.0.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "64:ff9b:1::1",
            "100::1",
        ];
        for address in public {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for address in private {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    /// Names that lead elsewhere at each look, the last answer for ever.
    fn rebinding(answers: &[&[&str]]) -> (Names, Arc<AtomicUsize>) {
        let looks = Arc::new(AtomicUsize::new(0));
        let answers: Vec<Vec<SocketAddr>> = answers
            .iter()
            .map(|answer| {
                let addresses = answer.iter().map(|address| address.parse::<IpAddr>().unwrap());
                addresses.map(|address| SocketAddr::new(address, 0)).collect()
            })
            .collect();
        let counted = Arc::clone(&looks);
        let names = Names(Arc::new(move |_| {
            let look = counted.fetch_add(1, Ordering::SeqCst);
            let answer = answers[look.min(answers.len() - 1)].clone();
            Box::pin(async move { Ok(answer) })
        }));
        (names, looks)
    }

    /// Answers `200` at an address, and counts the connections.
    async fn service(address: &str, port: u16) -> (u16, Arc<AtomicUsize>) {
        let listener = tokio::net::TcpListener::bind((address, port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                let _ = stream.write_all(answer).await;
            }
        });
        (port, connections)
    }

    fn get(url: String) -> HttpCall {
        HttpCall {
            method: "GET",
            url,
            headers: Vec::new(),
            body: Vec::new(),
            timeout: Duration::from_secs(5),
            answer_bytes: 1024,
        }
    }

    #[tokio::test]
    async fn a_name_that_turns_private_is_refused_when_it_does() {
        let (port, connections) = service("127.0.0.1", 0).await;
        // One private address among public ones is enough, at any look.
        let (names, looks) = rebinding(&[
            &["93.184.215.14", "127.0.0.1"],
            &["127.0.0.1"],
            &["::ffff:127.0.0.1"],
            &["10.0.0.1", "93.184.215.14"],
        ]);
        let out = HttpOut::asking(&HttpConfig::default(), &names).unwrap();
        for _ in 0..4 {
            let why = out.send(get(format!("http://shop.example:{port}/"))).await.unwrap_err();
            assert!(matches!(why, HttpError::Private { .. }), "{why}");
        }
        assert_eq!((looks.load(Ordering::SeqCst), connections.load(Ordering::SeqCst)), (4, 0));
    }

    #[tokio::test]
    async fn a_connection_goes_to_the_address_that_was_looked_at() {
        // The same port at two addresses; the second is what a name server would
        // say were it asked again.
        let (port, looked_at) = service("127.0.0.1", 0).await;
        let (_, rebound) = service("127.0.0.2", port).await;
        let (names, looks) = rebinding(&[&["127.0.0.1"], &["127.0.0.2"]]);
        let config = HttpConfig { private_hosts: vec!["shop.example".to_owned()], ca_file: None };
        let out = HttpOut::asking(&config, &names).unwrap();
        let answer = out.send(get(format!("http://shop.example:{port}/"))).await.unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(looks.load(Ordering::SeqCst), 1);
        assert_eq!((looked_at.load(Ordering::SeqCst), rebound.load(Ordering::SeqCst)), (1, 0));
    }
}

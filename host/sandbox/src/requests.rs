//! Requests to web services, at the gate: where they may go, which secrets may
//! go with them, which redirects are followed.

use std::time::Duration;

use relata_package::{Destination, Method, Scheme};
use url::{Host, Url};

use crate::arguments;
use crate::contract::{Code, HostError, HttpRequest, HttpResponse, SecretUse};
use crate::gate::{Gate, limit_error};

/// So many redirects are followed, as browsers and curl would many more: a
/// service that an integration calls needs one or two.
const REDIRECTS: u32 = 5;

/// Header lines that a request may have.
const HEADERS: usize = 100;

/// Header lines that the host sets.
const HOST_HEADERS: [&str; 7] = [
    "host",
    "content-length",
    "connection",
    "transfer-encoding",
    "upgrade",
    "te",
    "proxy-authorization",
];

/// Header lines that say who asks: they do not go on to another host.
const CREDENTIALS: [&str; 2] = ["authorization", "cookie"];

/// A request as the plugin made it.
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout_ms: Option<u32>,
}

/// What one call has asked of web services so far.
pub(crate) struct Requests {
    /// Requests under way to do something, for their idempotency keys.
    unsafe_sent: u32,
    /// The placeholders it was given.
    placeholders: Vec<SecretUse>,
    /// What placeholders are made of: not the plugin's own random bytes, which
    /// would differ if it asked for a secret in between.
    tokens: fastrand::Rng,
}

impl Requests {
    pub(crate) fn new(seed: u64) -> Self {
        Self { unsafe_sent: 0, placeholders: Vec::new(), tokens: fastrand::Rng::with_seed(!seed) }
    }
}

impl Gate {
    pub(crate) async fn secret_placeholder(&mut self, name: &str) -> Result<String, HostError> {
        // The host looks for it in files.
        self.count_query()?;
        arguments::name("a secret's name", name)?;
        self.check(|permissions| permissions.check_secret(name))?;
        if let Some(known) = self.requests.placeholders.iter().find(|known| known.name == name) {
            return Ok(known.placeholder.clone());
        }
        if !self.ask(|host| host.has_secret(name)).await? {
            return Err(HostError::not_found(format!(
                "there is no secret `{name}`; `relata secret set {name}` keeps one"
            )));
        }
        let placeholder = format!("relata-secret-{:032x}", self.requests.tokens.u128(..));
        self.requests
            .placeholders
            .push(SecretUse { placeholder: placeholder.clone(), name: name.to_owned() });
        Ok(placeholder)
    }

    pub(crate) async fn http_send(&mut self, request: Request) -> Result<HttpResponse, HostError> {
        self.count_request()?;
        let mut request = self.checked(request)?;
        let until = Gate::now() + request.timeout;
        for _ in 0..=REDIRECTS {
            let from = request.clone();
            let sent = self
                .ask(|host| Box::pin(tokio::time::timeout_at(until, host.http_send(request))))
                .await;
            let answer = sent.unwrap_or_else(|_| {
                Err(HostError::transient(format!(
                    "{} did not answer within {} s",
                    from.to,
                    from.timeout.as_secs_f32()
                )))
            })?;
            let Some(next) = redirect(&from, &answer)? else { return Ok(answer) };
            // Where it leads is checked like the first address.
            request = self.permitted(next)?;
        }
        Err(HostError::new(
            Code::Permanent,
            format!("more than {REDIRECTS} redirects one after another"),
        ))
    }

    pub(crate) async fn http_deliver(&mut self, request: Request) -> Result<String, HostError> {
        let headers = request.headers.iter().map(|(name, value)| name.len() + value.len());
        let bytes = request.url.len() + request.body.len() + headers.sum::<usize>();
        self.count_write(bytes)?;
        let request = self.checked(request)?;
        self.ask(|host| host.http_deliver(request)).await
    }

    fn count_request(&mut self) -> Result<(), HostError> {
        self.report.host_calls += 1;
        self.report.http_calls += 1;
        let limit = self.limits.http_calls;
        if self.report.http_calls > limit {
            return Err(limit_error(format!(
                "more than {limit} requests to web services in one call (limits.http_calls in its plugin.toml)"
            )));
        }
        Ok(())
    }

    /// A request in its normal form, if the plugin may make it.
    fn checked(&mut self, request: Request) -> Result<HttpRequest, HostError> {
        let Request { method, url, headers, body, timeout_ms } = request;
        let kib = self.limits.http_kib;
        if body.len() > (kib as usize) << 10 {
            return Err(limit_error(format!(
                "the body of a request has {} bytes, the limit is {kib} KiB (limits.http_kib in its plugin.toml)",
                body.len()
            )));
        }
        if headers.len() > HEADERS {
            return Err(limit_error(format!("a request has more than {HEADERS} header lines")));
        }
        let url = Url::parse(&url)
            .map_err(|why| HostError::invalid(format!("the address of a request: {why}")))?;
        let to = destination(&url)?;
        let mut headers = lower_case(headers)?;
        if !method.is_safe() {
            self.requests.unsafe_sent += 1;
            if headers.iter().all(|(name, _)| name != "idempotency-key") {
                let key = format!("{}/{}", self.caller.idempotency_key, self.requests.unsafe_sent);
                headers.push(("idempotency-key".to_owned(), key));
            }
        }
        let most = Duration::from_secs(u64::from(self.limits.http_s));
        let timeout = timeout_ms.map_or(most, |ms| most.min(Duration::from_millis(u64::from(ms))));
        self.permitted(HttpRequest {
            method,
            url: url.into(),
            to,
            headers,
            body,
            timeout,
            answer_bytes: (kib as usize) << 10,
            secrets: Vec::new(),
        })
    }

    /// Looks whether the request may go where it goes, with the secrets whose
    /// placeholders stand in it.
    fn permitted(&mut self, mut request: HttpRequest) -> Result<HttpRequest, HostError> {
        self.check(|permissions| permissions.check_http(&request.to, request.method))?;
        request.secrets.clear();
        for known in self.requests.placeholders.clone() {
            let placeholder = known.placeholder.as_bytes();
            let stands_in = |text: &[u8]| memchr::memmem::find(text, placeholder).is_some();
            let used = stands_in(request.url.as_bytes())
                || stands_in(&request.body)
                || request.headers.iter().any(|(_, value)| stands_in(value.as_bytes()));
            if request.to.host.contains(&known.placeholder) {
                return Err(HostError::invalid(format!(
                    "the secret `{}` stands in the host of a request",
                    known.name
                )));
            }
            if used {
                if !request.to.is_confidential() {
                    return Err(HostError::new(
                        Code::Denied,
                        format!(
                            "the secret `{}` would travel in the clear to {}; secrets go out over https only",
                            known.name, request.to
                        ),
                    ));
                }
                self.check(|permissions| permissions.check_secret_to(&known.name, &request.to))?;
                request.secrets.push(known);
            }
        }
        Ok(request)
    }
}

/// Where an address leads.
fn destination(url: &Url) -> Result<Destination, HostError> {
    let scheme = match url.scheme() {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        other => {
            return Err(HostError::invalid(format!(
                "the address of a request begins with `{other}:`; it should be https: or http:"
            )));
        }
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(HostError::invalid(
            "the address of a request has a user or password in it; they belong into the header `authorization`",
        ));
    }
    let host = match url.host() {
        Some(Host::Domain(name)) => name.trim_end_matches('.').to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => format!("[{address}]"),
        None => return Err(HostError::invalid("the address of a request names no host")),
    };
    let port = url.port().unwrap_or(scheme.port());
    Ok(Destination { scheme, host, port })
}

/// Header lines with their names in lower case. That a line is none in itself
/// (a line break in it, say) is looked at here: the host is not to be tricked
/// into a second request.
fn lower_case(headers: Vec<(String, String)>) -> Result<Vec<(String, String)>, HostError> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    headers
        .into_iter()
        .map(|(name, value)| {
            let name = name.to_ascii_lowercase();
            if name.is_empty() || !name.chars().all(token) {
                return Err(HostError::invalid("a header of a request has a name that is none"));
            }
            if value.chars().any(|c| c.is_control() && c != '\t') {
                return Err(HostError::invalid(format!(
                    "the header `{name}` of a request has a line break or another control character in it"
                )));
            }
            if HOST_HEADERS.contains(&name.as_str()) {
                return Err(HostError::invalid(format!(
                    "the header `{name}` of a request is the host's to set"
                )));
            }
            Ok((name, value))
        })
        .collect()
}

/// The request that a redirect asks for (RFC 9110, 15.4), if the answer is one.
fn redirect(from: &HttpRequest, answer: &HttpResponse) -> Result<Option<HttpRequest>, HostError> {
    if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location = answer.headers.iter().find(|(name, _)| name == "location");
    let Some((_, location)) = location else { return Ok(None) };
    let unusable = |why: String| {
        HostError::new(Code::Permanent, format!("{} redirects to nowhere: {why}", from.to))
    };
    let base = Url::parse(&from.url).map_err(|why| unusable(why.to_string()))?;
    let url = base.join(location).map_err(|why| unusable(why.to_string()))?;
    let to = destination(&url).map_err(|why| unusable(why.message))?;
    let mut next = HttpRequest { url: url.into(), to, ..from.clone() };
    if answer.status == 303 || (answer.status < 303 && next.method == Method::Post) {
        if next.method != Method::Head {
            next.method = Method::Get;
        }
        next.body.clear();
        next.headers
            .retain(|(name, _)| !matches!(name.as_str(), "content-type" | "idempotency-key"));
    }
    if next.to != from.to {
        next.headers.retain(|(name, _)| !CREDENTIALS.contains(&name.as_str()));
    }
    Ok(Some(next))
}

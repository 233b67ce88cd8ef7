//! Requests of plugins to web services: the secrets that go with them, what
//! comes back, and those that go out after the commit.

use std::{borrow::Cow, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use relata_channels::{HttpAnswer, HttpCall, HttpError};
use relata_model::Timestamp;
use relata_sandbox::contract::{Code, HostError, HttpRequest, HttpResponse, SecretUse};
use relata_store::{Delivery, Effect};
use relata_workflow::IfUnknown;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::{App, AppError, Secret, signature::Key};

/// For how long a request that goes out after the commit waits for its answer.
const DELIVERY: Duration = Duration::from_secs(30);

/// Of that answer nobody reads more than the status.
const DELIVERY_ANSWER: usize = 1 << 20;

/// A secret shorter than this is not looked for in answers: a text such as
/// `1` stands there for itself.
const SHORTEST_HIDDEN: usize = 8;

/// What an effect's row holds: the request as it will go out, with
/// placeholders where its secrets belong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parcel {
    /// `https://shop.example`: where it goes, for lists and for the breaker.
    pub(crate) to_address: String,
    /// `POST https://shop.example/orders`.
    pub(crate) subject: String,
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    /// The body, if it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The body in base64, if it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    /// Placeholders and the names of their secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<(String, String)>,
    /// The name of the secret with which it is signed as it leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signed_by: Option<String>,
}

impl Parcel {
    /// A request under an id, which is its `idempotency-key` unless the plugin
    /// gave one.
    pub(crate) fn new(request: HttpRequest, id: &str, own_key: bool) -> Self {
        let mut headers = request.headers;
        if !own_key {
            headers.retain(|(name, _)| name != "idempotency-key");
            headers.push(("idempotency-key".to_owned(), id.to_owned()));
        }
        let (text, base64) = match String::from_utf8(request.body) {
            Ok(text) => (Some(text), None),
            Err(bytes) => (None, Some(BASE64.encode(bytes.as_bytes()))),
        };
        let secrets = request.secrets.into_iter();
        Self {
            to_address: request.to.to_string(),
            subject: format!("{} {}", request.method, request.url),
            method: request.method.as_str().to_owned(),
            url: request.url,
            headers,
            text,
            base64,
            secrets: secrets.map(|secret| (secret.placeholder, secret.name)).collect(),
            signed_by: None,
        }
    }

    /// A webhook's call with a JSON body, signed with this secret as it leaves.
    pub(crate) fn signed(url: &str, secret: &str, body: String) -> Self {
        Self {
            to_address: Self::address(url).unwrap_or_default(),
            subject: format!("POST {url}"),
            method: "POST".to_owned(),
            url: url.to_owned(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            text: Some(body),
            base64: None,
            secrets: Vec::new(),
            signed_by: Some(secret.to_owned()),
        }
    }

    /// Where a webhook's call goes, `https://shop.example`; why nowhere.
    pub(crate) fn address(url: &str) -> Result<String, String> {
        let read = Url::parse(url).map_err(|why| format!("its `url` is no address: {why}"))?;
        let stays = match read.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(_)) => false,
            None => return Err("its `url` names no host".to_owned()),
        };
        match read.scheme() {
            "https" => {}
            "http" if stays => {}
            _ => return Err("its `url` must begin with https://".to_owned()),
        }
        Ok(read.origin().ascii_serialization())
    }

    /// What becomes of it when nobody knows whether it arrived: methods that
    /// are idempotent by themselves (RFC 9110, 9.2.2) are sent again.
    pub(crate) fn if_unknown(&self, said: IfUnknown) -> IfUnknown {
        match self.method.as_str() {
            "GET" | "HEAD" | "PUT" | "DELETE" => IfUnknown::Retry,
            _ => said,
        }
    }

    fn into_request(self) -> Result<HttpCall, AppError> {
        let body = match (self.text, self.base64) {
            (Some(text), _) => text.into_bytes(),
            (None, Some(base64)) => BASE64
                .decode(base64)
                .map_err(|why| AppError::Fault(format!("a request's body does not read: {why}")))?,
            (None, None) => Vec::new(),
        };
        Ok(HttpCall {
            method: method(&self.method)?,
            url: self.url,
            headers: self.headers,
            body,
            timeout: DELIVERY,
            answer_bytes: DELIVERY_ANSWER,
        })
    }
}

fn method(name: &str) -> Result<&'static str, AppError> {
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
        .into_iter()
        .find(|known| *known == name)
        .ok_or_else(|| AppError::Fault(format!("a request's method does not read: {name}")))
}

/// The secrets of a request with their placeholders.
type Used = Vec<(String, Secret)>;

impl App {
    /// Sends a plugin's request and answers what came.
    pub(crate) async fn request(&self, request: HttpRequest) -> Result<HttpResponse, RequestFault> {
        let secrets = self.secrets_of(&request.secrets)?;
        let call = HttpCall {
            method: request.method.as_str(),
            url: request.url,
            headers: request.headers,
            body: request.body,
            timeout: request.timeout,
            answer_bytes: request.answer_bytes,
        };
        let answer = self.http(with_secrets(call, &secrets)).await?;
        Ok(hidden(answer, &secrets))
    }

    /// The request of an effect.
    pub(crate) fn parcel(&self, effect: &Effect) -> Result<Parcel, AppError> {
        serde_json::from_value(effect.body.clone()).map_err(|why| {
            AppError::Fault(format!("the effect {} does not read: {why}", effect.id))
        })
    }

    /// Sends a request that was kept until its step had committed. Answers
    /// what became of it.
    pub(crate) async fn deliver_parcel(
        &self,
        effect: &Effect,
        parcel: Parcel,
    ) -> Result<Result<String, DeliveryFault>, AppError> {
        if self.is_test() {
            self.sent_in_test(effect.id);
            return Ok(Ok("kept by the test".to_owned()));
        }
        let signed_by = parcel.signed_by.clone();
        let mut call = match self.call_of(parcel)? {
            Ok(call) => call,
            Err(why) => return Ok(Err(why)),
        };
        if let Some(secret) = &signed_by
            && let Err(why) = self.sign(&mut call, effect, secret)
        {
            return Ok(Err(DeliveryFault { transient: true, ..DeliveryFault::refused(why) }));
        }
        Ok(match self.http(call).await {
            // What a webhook answers while it is being mended is no last word;
            // that it is gone is (<https://www.standardwebhooks.com>).
            Ok(answer) => judged(&answer, self.now()).map_err(|why| DeliveryFault {
                transient: why.transient || signed_by.is_some() && answer.status != 410,
                ..why
            }),
            Err(why) => Err(DeliveryFault {
                transient: why.is_transient(),
                unknown: why.is_unknown(),
                unreachable: why.is_transient(),
                retry_after: None,
                why: why.to_string(),
            }),
        })
    }

    /// Signs a webhook's call as it leaves. The error says what is missing.
    fn sign(&self, call: &mut HttpCall, effect: &Effect, secret: &str) -> Result<(), String> {
        let key = match self.secret(secret) {
            Ok(Some(found)) => {
                Key::of(&found).map_err(|why| format!("the secret `{secret}` {why}"))?
            }
            Ok(None) => return Err(format!("there is no secret `{secret}`")),
            Err(why) => return Err(why.to_string()),
        };
        let (id, timestamp) = (effect.id.to_string(), self.now().as_second().to_string());
        let signature = key.sign(&id, &timestamp, &call.body);
        for (name, value) in
            [("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signature)]
        {
            call.headers.push((name.to_owned(), value));
        }
        Ok(())
    }

    /// A request that was kept, as it leaves: with its secrets.
    pub(crate) fn call_of(
        &self,
        parcel: Parcel,
    ) -> Result<Result<HttpCall, DeliveryFault>, AppError> {
        let uses = parcel.secrets.iter().map(|(placeholder, name)| SecretUse {
            placeholder: placeholder.clone(),
            name: name.clone(),
        });
        let secrets = match self.secrets_of(&uses.collect::<Vec<_>>()) {
            Ok(secrets) => secrets,
            Err(RequestFault::Plugin(why)) => {
                return Ok(Err(DeliveryFault::refused(why.message)));
            }
            Err(RequestFault::Host(why)) => return Err(why),
        };
        Ok(Ok(with_secrets(parcel.into_request()?, &secrets)))
    }

    /// Sends a request; in a test the test answers.
    async fn http(&self, call: HttpCall) -> Result<HttpAnswer, HttpError> {
        match &self.inner.rig {
            Some(rig) => rig.web_answer(&call),
            None => self.inner.http.send(call).await,
        }
    }

    fn secrets_of(&self, uses: &[SecretUse]) -> Result<Used, RequestFault> {
        let mut used = Used::new();
        for secret in uses {
            let text = self.secret(&secret.name).map_err(RequestFault::Host)?.ok_or_else(|| {
                let name = &secret.name;
                HostError::not_found(format!(
                    "there is no secret `{name}`; `relata secret set {name}` keeps one"
                ))
            })?;
            used.push((secret.placeholder.clone(), text));
        }
        Ok(used)
    }
}

/// Why a plugin's request has no answer.
#[derive(Debug)]
pub(crate) enum RequestFault {
    /// For the plugin to know.
    Plugin(HostError),
    /// A fault of our own.
    Host(AppError),
}

impl From<HostError> for RequestFault {
    fn from(why: HostError) -> Self {
        Self::Plugin(why)
    }
}

impl From<HttpError> for RequestFault {
    fn from(why: HttpError) -> Self {
        let code = match &why {
            HttpError::Unusable { .. } => Code::Invalid,
            HttpError::Private { .. } => Code::Denied,
            HttpError::Unreachable { .. } | HttpError::NoAnswer { .. } => Code::Transient,
            HttpError::TooLong { .. } => Code::Permanent,
        };
        Self::Plugin(HostError::new(code, why.to_string()))
    }
}

/// Why a delivery did not come off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeliveryFault {
    /// Another attempt is worth it.
    pub(crate) transient: bool,
    /// It may have arrived.
    pub(crate) unknown: bool,
    /// The receiver is away, whatever is sent to it.
    pub(crate) unreachable: bool,
    /// Not before this, as the receiver says.
    pub(crate) retry_after: Option<Duration>,
    /// In words.
    pub(crate) why: String,
}

impl DeliveryFault {
    fn refused(why: String) -> Self {
        Self { transient: false, unknown: false, unreachable: false, retry_after: None, why }
    }
}

/// What an answer means for a delivery.
fn judged(answer: &HttpAnswer, now: Timestamp) -> Result<String, DeliveryFault> {
    let status = answer.status;
    let fault = |transient: bool| DeliveryFault {
        transient,
        // It was answered: it did arrive, and did not come off.
        unknown: false,
        unreachable: matches!(status, 502..=504),
        retry_after: retry_after(&answer.headers, now),
        why: format!("it was answered {status}"),
    };
    match status {
        200..=299 => Ok(format!("it was answered {status}")),
        300..=399 => Err(DeliveryFault {
            why: format!(
                "it was answered {status}: the address has changed, and redirects are not followed"
            ),
            ..fault(false)
        }),
        // 408 Request Timeout, 425 Too Early, 429 Too Many Requests.
        408 | 425 | 429 | 500..=599 => Err(fault(true)),
        _ => Err(fault(false)),
    }
}

/// `Retry-After`: seconds, or a point in time (RFC 9110, 10.2.3).
fn retry_after(headers: &[(String, String)], now: Timestamp) -> Option<Duration> {
    let (_, value) = headers.iter().find(|(name, _)| name == "retry-after")?;
    if let Ok(seconds) = value.trim().parse::<u32>() {
        return Some(Duration::from_secs(u64::from(seconds)));
    }
    let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    Duration::try_from(at.duration_since(now)).ok()
}

/// Puts secrets where their placeholders stand.
fn with_secrets(mut call: HttpCall, secrets: &Used) -> HttpCall {
    for (placeholder, secret) in secrets {
        let escaped = utf8_percent_encode(secret.expose(), NON_ALPHANUMERIC).to_string();
        call.url = call.url.replace(placeholder, &escaped);
        for (_, value) in &mut call.headers {
            *value = value.replace(placeholder, secret.expose());
        }
        replace(&mut call.body, placeholder.as_bytes(), secret.expose().as_bytes());
    }
    call
}

/// Takes secrets out of an answer that repeats them: the plugin would see
/// them, and could send them elsewhere.
fn hidden(mut answer: HttpAnswer, secrets: &Used) -> HttpResponse {
    for (placeholder, secret) in secrets {
        let text = secret.expose();
        if text.len() < SHORTEST_HIDDEN {
            continue;
        }
        let escaped = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        for seen in [Cow::Borrowed(text), Cow::Owned(escaped)] {
            for (_, value) in &mut answer.headers {
                if value.contains(&*seen) {
                    *value = value.replace(&*seen, placeholder);
                }
            }
            replace(&mut answer.body, seen.as_bytes(), placeholder.as_bytes());
        }
    }
    HttpResponse { status: answer.status, headers: answer.headers, body: answer.body }
}

fn replace(bytes: &mut Vec<u8>, from: &[u8], to: &[u8]) {
    let places: Vec<usize> = memchr::memmem::find_iter(bytes, from).collect();
    if places.is_empty() {
        return;
    }
    let mut replaced = Vec::with_capacity(bytes.len() + places.len() * to.len());
    let mut rest = 0;
    for place in places {
        replaced.extend_from_slice(&bytes[rest..place]);
        replaced.extend_from_slice(to);
        rest = place + from.len();
    }
    replaced.extend_from_slice(&bytes[rest..]);
    *bytes = replaced;
}

/// What becomes of an effect whose delivery came to this.
pub(crate) fn delivery(
    sent: Result<String, DeliveryFault>,
    effect: &Effect,
    tries_left: bool,
    again: impl Fn(Duration) -> Timestamp,
    pause: Duration,
) -> Delivery {
    let why = match sent {
        Ok(receipt) => return Delivery::Sent { receipt: Some(receipt) },
        Err(why) => why,
    };
    let later = || again(why.retry_after.map_or(pause, |asked| asked.max(pause)));
    match (why.unknown, effect.if_unknown) {
        (true, IfUnknown::Hold) => Delivery::Unknown { why: why.why },
        (true, IfUnknown::Skip) => Delivery::Skipped { why: why.why },
        (true, IfUnknown::Retry) if tries_left => Delivery::Again { at: later(), why: why.why },
        (true, IfUnknown::Retry) => Delivery::Unknown { why: why.why },
        (false, _) if why.transient && tries_left => Delivery::Again { at: later(), why: why.why },
        (false, _) => Delivery::Failed { why: why.why },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used() -> Used {
        vec![("PLACE".to_owned(), Secret::new("t0p/secret"))]
    }

    #[test]
    fn secrets_take_their_places() {
        let call = HttpCall {
            method: "POST",
            url: "https://shop.example/?key=PLACE".to_owned(),
            headers: vec![("authorization".to_owned(), "Bearer PLACE".to_owned())],
            body: b"a PLACE b PLACE".to_vec(),
            timeout: DELIVERY,
            answer_bytes: 1,
        };
        let call = with_secrets(call, &used());
        assert_eq!(call.url, "https://shop.example/?key=t0p%2Fsecret");
        assert_eq!(call.headers[0].1, "Bearer t0p/secret");
        assert_eq!(call.body, b"a t0p/secret b t0p/secret");
    }

    #[test]
    fn an_answer_that_repeats_a_secret_is_cut() {
        let answer = HttpAnswer {
            status: 200,
            headers: vec![("x-echo".to_owned(), "t0p%2Fsecret".to_owned())],
            body: b"you said t0p/secret".to_vec(),
        };
        let answer = hidden(answer, &used());
        assert_eq!(answer.headers[0].1, "PLACE");
        assert_eq!(answer.body, b"you said PLACE");
    }

    #[test]
    fn what_answers_mean() {
        let now = Timestamp::UNIX_EPOCH;
        let judge = |status, retry_after: &str| {
            let headers = vec![("retry-after".to_owned(), retry_after.to_owned())];
            judged(&HttpAnswer { status, headers, body: Vec::new() }, now)
        };
        assert!(judge(204, "").is_ok());
        for (status, transient) in [(301, false), (400, false), (404, false), (410, false)] {
            assert_eq!(judge(status, "").unwrap_err().transient, transient, "{status}");
        }
        let busy = judge(429, "30").unwrap_err();
        assert!(busy.transient && !busy.unreachable);
        assert_eq!(busy.retry_after, Some(Duration::from_secs(30)));
        let away = judge(503, "Thu, 01 Jan 1970 00:01:00 GMT").unwrap_err();
        assert!(away.unreachable);
        assert_eq!(away.retry_after, Some(Duration::from_secs(60)));
        assert_eq!(judge(500, "soon").unwrap_err().retry_after, None);
    }
}

//! Requests to one registry: who asks, how much is read, what an answer means.

use std::time::Duration;

use relata_package::Digest;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION, WWW_AUTHENTICATE,
};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;

use super::challenge::Challenge;
use super::reference::is_loopback;
use super::{Login, MANIFEST_TYPE, OciError, OciReference};

/// How long the registry may be silent.
const SILENCE: Duration = Duration::from_secs(30);

/// For one request with all that it transfers.
const WHOLE: Duration = Duration::from_secs(600);

/// How often an answer may point elsewhere: registries keep their blobs in
/// other places.
const REDIRECTS: usize = 5;

/// The most that is read of a token, and of words about a failure.
const WORDS: usize = 64 << 10;

/// The client that all sessions use.
pub(super) fn client(tls: rustls::ClientConfig) -> reqwest::Result<Client> {
    let redirects = Policy::custom(|attempt| {
        let from_here = attempt.previous().first().is_some_and(is_of_this_machine);
        if attempt.previous().len() > REDIRECTS {
            attempt.error("it points elsewhere again and again")
        } else if attempt.url().scheme() == "https"
            || from_here && is_of_this_machine(attempt.url())
        {
            attempt.follow()
        } else {
            attempt.error("it points to an unencrypted address")
        }
    });
    Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(redirects)
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(SILENCE)
        .timeout(WHOLE)
        .user_agent(concat!("Relata/", env!("CARGO_PKG_VERSION")))
        .build()
}

fn is_of_this_machine(url: &Url) -> bool {
    url.host_str().is_some_and(is_loopback)
}

/// Requests about one repository. What the registry wanted to see once it is
/// shown again.
pub(super) struct Session<'a> {
    pub(super) client: &'a Client,
    pub(super) login: Option<&'a Login>,
    pub(super) image: &'a OciReference,
    authorization: Option<HeaderValue>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        client: &'a Client,
        login: Option<&'a Login>,
        image: &'a OciReference,
    ) -> Self {
        Self { client, login, image, authorization: None }
    }

    /// The manifest's bytes, or nothing if there is none.
    pub(super) async fn manifest(
        &mut self,
        name: &str,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, OciError> {
        let url = self.url(&format!("manifests/{name}"))?;
        let answer =
            self.ask(|client| client.get(url.clone()).header(ACCEPT, MANIFEST_TYPE)).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = self.good(answer, StatusCode::OK).await?;
        self.read(answer, "manifest", limit).await.map(Some)
    }

    pub(super) async fn put_manifest(
        &mut self,
        name: &str,
        manifest: &[u8],
    ) -> Result<(), OciError> {
        let url = self.url(&format!("manifests/{name}"))?;
        let answer = self
            .ask(|client| {
                client.put(url.clone()).header(CONTENT_TYPE, MANIFEST_TYPE).body(manifest.to_vec())
            })
            .await?;
        self.good(answer, StatusCode::CREATED).await.map(drop)
    }

    /// A blob's bytes, of which no more is read than `limit`.
    pub(super) async fn blob(
        &mut self,
        digest: &Digest,
        what: &'static str,
        limit: usize,
    ) -> Result<Vec<u8>, OciError> {
        let url = self.url(&format!("blobs/{digest}"))?;
        let answer = self.ask(|client| client.get(url.clone())).await?;
        let answer = self.good(answer, StatusCode::OK).await?;
        let bytes = self.read(answer, what, limit).await?;
        self.check(what, &bytes, digest)?;
        Ok(bytes)
    }

    /// Puts a blob there, if it is not there already.
    pub(super) async fn put_blob(&mut self, bytes: &[u8]) -> Result<(), OciError> {
        let digest = Digest::of(bytes);
        let url = self.url(&format!("blobs/{digest}"))?;
        if self.ask(|client| client.head(url.clone())).await?.status() == StatusCode::OK {
            return Ok(());
        }
        let url = self.url("blobs/uploads/")?;
        let begun = self.ask(|client| client.post(url.clone())).await?;
        let begun = self.good(begun, StatusCode::ACCEPTED).await?;
        let mut place = self.location(&begun)?;
        place.query_pairs_mut().append_pair("digest", &digest.to_string());
        let answer = self
            .ask(|client| {
                client
                    .put(place.clone())
                    .header(CONTENT_TYPE, "application/octet-stream")
                    .body(bytes.to_vec())
            })
            .await?;
        self.good(answer, StatusCode::CREATED).await.map(drop)
    }

    /// Whether some bytes are those that were asked for.
    pub(super) fn check(
        &self,
        what: &'static str,
        bytes: &[u8],
        expected: &Digest,
    ) -> Result<(), OciError> {
        let found = Digest::of(bytes);
        if found == *expected {
            return Ok(());
        }
        Err(OciError::Digest { image: self.image.clone().into(), what, expected: *expected, found })
    }

    fn url(&self, path: &str) -> Result<Url, OciError> {
        let text = format!("{}/{path}", self.image.base());
        Url::parse(&text).map_err(|why| self.unreachable(why.to_string()))
    }

    /// Where an upload goes on: at the registry, or at a place of its own that
    /// is encrypted.
    fn location(&self, answer: &Response) -> Result<Url, OciError> {
        let place = answer.headers().get(LOCATION).and_then(|place| place.to_str().ok());
        let place = place.and_then(|place| answer.url().join(place).ok());
        let is_safe = |place: &Url| {
            place.scheme() == "https"
                || is_of_this_machine(place) && is_of_this_machine(answer.url())
        };
        place.filter(is_safe).ok_or_else(|| self.answer("no usable place to upload to".to_owned()))
    }

    /// Asks, and asks again with what the registry wants to see.
    async fn ask(
        &mut self,
        request: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<Response, OciError> {
        let first = self.send(request(self.client)).await?;
        if first.status() != StatusCode::UNAUTHORIZED {
            return Ok(first);
        }
        let challenge = first
            .headers()
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|header| Challenge::parse(header.to_str().ok()?))
            .next();
        self.authorization = Some(match challenge {
            Some(Challenge::Basic) => self.basic()?,
            Some(Challenge::Bearer { realm, service, scope }) => {
                self.token(&realm, service, scope).await?
            }
            None => return Err(self.unauthorized("it asks for a login of an unknown kind")),
        });
        let second = self.send(request(self.client)).await?;
        match second.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(self.refused_login()),
            _ => Ok(second),
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, OciError> {
        let mut request = request.build().map_err(|why| self.unreachable(root(&why)))?;
        // Only the registry itself learns who asks, not where it keeps its blobs.
        let at_home = Url::parse(&self.image.base())
            .is_ok_and(|base| base.origin() == request.url().origin());
        if let Some(authorization) = self.authorization.as_ref().filter(|_| at_home) {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        self.client.execute(request).await.map_err(|why| self.unreachable(root(&why)))
    }

    fn basic(&self) -> Result<HeaderValue, OciError> {
        let login = self.login.ok_or_else(|| self.unauthorized("it wants a login"))?;
        // reqwest knows how it is written.
        let request = self
            .client
            .request(Method::GET, self.image.base())
            .basic_auth(&login.user, Some(login.password.as_str()))
            .build()
            .map_err(|why| self.unreachable(root(&why)))?;
        let header = request.headers().get(AUTHORIZATION).cloned();
        header.ok_or_else(|| self.unauthorized("the login cannot be written in a header"))
    }

    async fn token(
        &self,
        realm: &str,
        service: Option<String>,
        scope: Option<String>,
    ) -> Result<HeaderValue, OciError> {
        #[derive(Deserialize)]
        struct Answer {
            token: Option<String>,
            access_token: Option<String>,
        }

        let wrong = || self.answer("with a place for tokens that cannot be used".to_owned());
        let mut place = Url::parse(realm).map_err(|_| wrong())?;
        // The login goes there.
        let home = Url::parse(&self.image.base()).map_err(|_| wrong())?;
        if place.scheme() != "https" && !(is_of_this_machine(&place) && is_of_this_machine(&home)) {
            return Err(wrong());
        }
        for (name, value) in [("service", service), ("scope", scope)] {
            if let Some(value) = value {
                place.query_pairs_mut().append_pair(name, &value);
            }
        }
        let mut request = self.client.get(place);
        if let Some(login) = self.login {
            request = request.basic_auth(&login.user, Some(login.password.as_str()));
        }
        let answer = request.send().await.map_err(|why| self.unreachable(root(&why)))?;
        if answer.status().is_client_error() {
            return Err(self.refused_login());
        }
        let answer = self.good(answer, StatusCode::OK).await?;
        let bytes = self.read(answer, "token", WORDS).await?;
        let token: Answer = serde_json::from_slice(&bytes)
            .map_err(|_| self.answer("something else than a token".to_owned()))?;
        let token = token.token.or(token.access_token).unwrap_or_default();
        let mut header = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| self.answer("a token that cannot be used".to_owned()))?;
        header.set_sensitive(true);
        Ok(header)
    }

    /// The answer, if it has the status that it should have.
    async fn good(&self, answer: Response, expected: StatusCode) -> Result<Response, OciError> {
        let status = answer.status();
        match status {
            _ if status == expected => Ok(answer),
            StatusCode::NOT_FOUND => Err(OciError::Missing(self.image.clone().into())),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(self.refused_login()),
            _ => {
                let words = self.read(answer, "answer", WORDS).await.unwrap_or_default();
                Err(self.answer(format!("{status}{}", said(&words))))
            }
        }
    }

    /// A body, of which no more is read than allowed.
    async fn read(
        &self,
        mut answer: Response,
        what: &'static str,
        limit: usize,
    ) -> Result<Vec<u8>, OciError> {
        let too_large = || OciError::TooLarge { image: self.image.clone().into(), what, limit };
        if answer.content_length().is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|why| self.unreachable(root(&why)))? {
            if body.len() + chunk.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn refused_login(&self) -> OciError {
        self.unauthorized(match self.login {
            Some(_) => "the login is not good for it",
            None => "it wants a login",
        })
    }

    fn unauthorized(&self, what: &'static str) -> OciError {
        OciError::Unauthorized { image: self.image.clone().into(), what }
    }

    fn unreachable(&self, why: String) -> OciError {
        OciError::Unreachable { registry: self.image.registry.clone(), why }
    }

    fn answer(&self, what: String) -> OciError {
        OciError::Answer { registry: self.image.registry.clone(), what }
    }
}

/// What a registry says about a failure, if it says it as it should.
fn said(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Failures {
        errors: Vec<Failure>,
    }
    #[derive(Deserialize)]
    struct Failure {
        #[serde(default)]
        message: String,
    }

    let first = serde_json::from_slice::<Failures>(body).ok().and_then(|found| {
        let first = found.errors.into_iter().next()?;
        (!first.message.is_empty()).then_some(first.message)
    });
    match first {
        Some(message) => {
            let short: String = message.chars().take(200).collect();
            format!(", \"{}\"", short.escape_debug())
        }
        None => String::new(),
    }
}

/// The innermost cause: the outer ones say the address in full.
fn root(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "the time for its answer is over".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

//! Pages for customers: they need no password, no cookie and no JavaScript.
//! What a page shows comes from the app; here is how it looks, in which
//! language, and who may send something.

pub(crate) mod form;
pub(crate) mod subscription;
pub(crate) mod survey;
mod texts;

use std::{collections::BTreeMap, net::SocketAddr, sync::LazyLock};

use axum::{
    extract::{ConnectInfo, Request},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use minijinja::{Environment, UndefinedBehavior, value::Serde};
use relata_app::{App, AppError, Pace, network};
use relata_console::visitor;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{error::ApiError, limits::Gate, pages::texts::Texts};

/// The longest body of a page's form, bytes: 5,000 Chinese characters have
/// 45,000 in a form.
pub(crate) const LONGEST_BODY: usize = 256 << 10;

/// What all pages look like; it stands in each of them, so a page is one file
/// wherever it is shown.
const STYLE: &str = include_str!("../../templates/pages.css");

/// Nothing may be loaded, and nothing run; the one style is known by its hash.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; frame-ancestors "
    )
});

/// The templates, whose names say that values in them are escaped for HTML.
static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, source) in [
        ("layout.html", include_str!("../../templates/layout.html")),
        ("form.html", include_str!("../../templates/form.html")),
        ("message.html", include_str!("../../templates/message.html")),
        ("sent.html", include_str!("../../templates/sent.html")),
        ("subscription.html", include_str!("../../templates/subscription.html")),
        ("survey.html", include_str!("../../templates/survey.html")),
    ] {
        templates.add_template(name, source).expect("a shipped template reads");
    }
    templates
});

/// What every page has.
#[derive(Serialize)]
struct Frame<'a> {
    texts: &'static Texts,
    company: &'a str,
    title: &'a str,
    style: &'static str,
    /// Whether it stands in a page of another site.
    embedded: bool,
}

impl<'a> Frame<'a> {
    fn new(app: &'a App, texts: &'static Texts, title: &'a str) -> Self {
        Self { texts, company: &app.config().company, title, style: STYLE, embedded: false }
    }
}

/// What a page that says one thing shows.
#[derive(Serialize)]
struct Message<'a> {
    #[serde(flatten)]
    frame: Frame<'a>,
    text: &'a str,
    /// What somebody typed, and can send again from here.
    kept: Vec<(&'a str, &'a str)>,
}

/// A page as it goes out. `embedders` are those in whose pages it may stand,
/// as a content security policy says it.
fn page(status: StatusCode, name: &str, shows: &impl Serialize, embedders: &str) -> Response {
    let made = TEMPLATES.get_template(name).and_then(|page| page.render(Serde(shows)));
    let html = match made {
        Ok(html) => html,
        Err(why) => {
            tracing::error!(error = &why as &dyn std::error::Error, "a page was not made");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    let policy = HeaderValue::try_from(format!("{}{embedders}", *POLICY));
    let policy = policy.unwrap_or(HeaderValue::from_static("default-src 'none'"));
    for (name, value) in [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, policy),
        // The address is the key to the page: nobody else is to see it.
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ] {
        headers.insert(name, value);
    }
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
    if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
    }
    response
}

/// A page of no other site's.
const NOBODY: &str = "'none'";

fn message(app: &App, texts: &'static Texts, status: StatusCode, says: (&str, &str)) -> Response {
    message_with(app, texts, status, says, &Sent::default())
}

/// A message, with what was sent, so that nobody has to type it again.
fn message_with(
    app: &App,
    texts: &'static Texts,
    status: StatusCode,
    (title, text): (&str, &str),
    sent: &Sent,
) -> Response {
    let kept = sent.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let shows = Message { frame: Frame::new(app, texts, title), text, kept };
    page(status, "message.html", &shows, NOBODY)
}

/// There is no such page; whether there ever was one, nobody is told.
fn unknown(app: &App, texts: &'static Texts) -> Response {
    let says = (texts.page.unknown_title.as_str(), texts.page.unknown.as_str());
    message(app, texts, StatusCode::NOT_FOUND, says)
}

/// The page cannot be shown now.
fn unwell(app: &App, texts: &'static Texts, why: &AppError) -> Response {
    unwell_with(app, texts, why, &Sent::default())
}

/// The same, with what was sent.
fn unwell_with(app: &App, texts: &'static Texts, why: &AppError, sent: &Sent) -> Response {
    log(why);
    let says = (texts.page.unwell_title.as_str(), texts.page.unwell.as_str());
    message_with(app, texts, StatusCode::SERVICE_UNAVAILABLE, says, sent)
}

/// Too much is going on to show the page.
fn busy(app: &App, texts: &'static Texts) -> Response {
    let says = (texts.page.unwell_title.as_str(), texts.page.unwell.as_str());
    message(app, texts, StatusCode::TOO_MANY_REQUESTS, says)
}

fn log(why: &AppError) {
    tracing::error!(error = why as &dyn std::error::Error, "a customer's page did not work");
}

/// What a page's form sent.
#[derive(Debug, Default)]
struct Sent(BTreeMap<String, String>);

impl Sent {
    fn read(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// What an address asks for.
    fn of(uri: &Uri) -> Self {
        Self::read(uri.query().unwrap_or_default().as_bytes())
    }

    /// A field; empty where it was not sent.
    fn field(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Whether something was typed where people see nothing to type into.
    fn is_of_a_program(&self) -> bool {
        !self.field("website").is_empty()
    }
}

/// What a page sent, and who sent it.
struct Visit {
    sent: Sent,
    address: Vec<u8>,
}

impl Visit {
    /// Reads what was sent.
    async fn read(gate: &Gate, request: Request) -> Result<Self, ApiError> {
        let address = request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .map(|ConnectInfo(peer)| network(visitor(*peer, request.headers())))
            .map_or_else(Vec::new, |address| format!("address {address}").into_bytes());
        let body = gate.body(request, LONGEST_BODY).await?;
        Ok(Self { sent: Sent::read(&body.bytes), address })
    }

    /// Whether this address may send something now; if so, it counts.
    fn may_send(&self, gate: &Gate) -> bool {
        gate.visitors.may_send(&self.address, Pace::OF_AN_ADDRESS, App::stopwatch())
    }
}

/// What could not be read of a request, as a page.
fn unread(app: &App, texts: &'static Texts, why: &ApiError) -> Response {
    if why.status() == StatusCode::TOO_MANY_REQUESTS {
        return busy(app, texts);
    }
    let says = (texts.page.unwell_title.as_str(), texts.page.too_large.as_str());
    message(app, texts, why.status(), says)
}

/// The language of whoever looks at a page, before anything else is known.
fn browser(headers: &HeaderMap) -> &'static Texts {
    Texts::of_browser(headers)
}

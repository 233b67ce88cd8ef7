//! What is the same on every page: the headers that keep it safe, and what
//! becomes of a failure.

use std::error::Error;

use askama::Template;
use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};

use crate::{failure::Failure, look::Look, shell::Shell};

/// Nothing but our own files and forms, and pictures that stand in a page; nobody
/// shows us in a frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The headers of every answer that brings none of its own.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    // What a customer wrote stays in no cache, also not in the browser's after
    // the user has left.
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

#[derive(Template)]
#[template(path = "failure.html")]
struct FailurePage<'a> {
    s: Shell,
    title: &'a str,
    what: String,
    /// What to do about it, beside going back.
    mend: &'a str,
}

/// Around every page: its headers, and a page instead of a failure.
pub(crate) async fn around(request: Request, next: Next) -> Response {
    let look = Look::of(request.headers());
    let asks = Asks::of(request.headers());
    let mut response = next.run(request).await;
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        response = page_of(&failure, look, asks);
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Who asks for a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    /// A browser, which shows what it gets.
    Browser,
    /// A script, for somebody who followed a link or sent a form.
    Script,
    /// A script by itself, to read a page again, or to hear when to.
    Itself,
}

impl Asks {
    fn of(headers: &HeaderMap) -> Self {
        let is_stream =
            headers.get(header::ACCEPT).is_some_and(|accept| accept == "text/event-stream");
        match (headers.contains_key("hx-request"), headers.contains_key("hx-boosted")) {
            (true, true) => Self::Script,
            (true, false) => Self::Itself,
            (false, _) if is_stream => Self::Itself,
            (false, _) => Self::Browser,
        }
    }

    /// The answer where another page comes first. One that asks by itself
    /// leaves the page as it is: somebody may be writing on it.
    fn sent_to(self, way: &str) -> Response {
        match self {
            Self::Browser => crate::log_in::to(way),
            Self::Script => {
                let way = HeaderValue::from_str(way).unwrap_or(HeaderValue::from_static("/"));
                let there = (HeaderName::from_static("hx-redirect"), way);
                (StatusCode::UNAUTHORIZED, [there]).into_response()
            }
            Self::Itself => StatusCode::UNAUTHORIZED.into_response(),
        }
    }
}

/// The page for what is not there, for a browser that came to an address
/// which is none of the console's either. None for a program, which wants no
/// page.
#[must_use]
pub fn not_found(headers: &HeaderMap) -> Option<Response> {
    let wants = headers.get(header::ACCEPT)?.to_str().ok()?;
    wants.contains("text/html").then(|| {
        let mut response = page_of(&Failure::NotFound, Look::of(headers), Asks::of(headers));
        for (name, value) in HEADERS {
            response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
        }
        response
    })
}

fn page_of(failure: &Failure, look: Look, asks: Asks) -> Response {
    let t = look.lang.texts();
    let (title, what, mend) = match failure {
        Failure::NobodyThere(wanted) => {
            return asks.sent_to(&format!("/login?then={}", crate::shell::in_query(wanted)));
        }
        Failure::OthersPassword => return asks.sent_to("/password"),
        Failure::Forbidden(what) => (t.forbidden_title, what.clone(), t.forbidden_mend),
        Failure::NotFound => (t.not_found_title, t.not_found_what.to_owned(), t.not_found_mend),
        Failure::Wrong(what) => (t.wrong_title, what.clone(), t.wrong_mend),
        Failure::ForeignForm => (t.foreign_title, t.foreign_what.to_owned(), t.foreign_mend),
        Failure::Unwell(why) => {
            tracing::error!(error = &**why as &dyn Error, "a page could not be made");
            (t.unwell_title, t.unwell_what.to_owned(), t.unwell_mend)
        }
    };
    let page = FailurePage { s: Shell::bare(look), title, what, mend };
    (failure.status(), rendered(&page)).into_response()
}

/// A filled in template as an answer.
pub(crate) fn rendered(page: &impl Template) -> Response {
    match page.render() {
        Ok(page) => Html(page).into_response(),
        Err(why) => {
            tracing::error!(error = &why as &dyn Error, "a template could not be filled in");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

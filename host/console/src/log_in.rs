//! In and out: the e-mail address, the password, and the six digits of the
//! user's second factor where there is one.

use std::net::SocketAddr;

use askama::Template;
use axum::{
    Extension,
    extract::{ConnectInfo, Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use relata_app::{App, LogIn, LogInError, Secret};

use crate::{
    failure::Failure,
    frame::rendered,
    look::Look,
    session::{COOKIE, Form, Sent, came_from_here, cookie, form_of, is_ours},
    shell::Shell,
    texts::fill,
    visitor::visitor,
};

#[derive(Template)]
#[template(path = "login.html")]
struct LogInPage {
    s: Shell,
    company: String,
    email: String,
    then: String,
    /// Whether the six digits are asked for now.
    code: bool,
    /// What was wrong with the last try.
    wrong: Option<String>,
}

/// `GET /login`
pub(crate) async fn page(
    State(app): State<App>,
    Query(asked): Query<Vec<(String, String)>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let then = asked.into_iter().find(|(name, _)| name == "then").map(|(_, then)| then);
    let then = then.filter(|then| is_ours(then)).unwrap_or_else(|| "/".to_owned());
    if let Some(secret) = cookie(&headers, COOKIE)
        && app.session(secret).await?.is_some()
    {
        return Ok(to(&then));
    }
    Ok(shown(&app, Shell::bare(Look::of(&headers)).at(&uri), &Form::default(), &then, false, None))
}

/// `POST /login`
pub(crate) async fn enter(
    State(app): State<App>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    request: Request,
) -> Result<Response, Failure> {
    came_from_here(request.headers())?;
    let headers = request.headers().clone();
    let form = form_of(request).await?;
    let then = form.way_back("/").to_str().unwrap_or("/").to_owned();
    let look = Look::of(&headers);
    let t = look.lang.texts();
    let log_in = LogIn {
        email: form.filled("email").unwrap_or_default().to_owned(),
        password: Secret::new(form.get("password").unwrap_or_default()),
        code: form.filled("code").map(|code| code.replace(' ', "")),
        address: peer.map_or_else(String::new, |Extension(ConnectInfo(peer))| {
            visitor(peer, &headers).to_string()
        }),
    };
    let asked_for_code = log_in.code.is_some();
    let logged_in = match app.log_in(log_in).await {
        Ok(logged_in) => logged_in,
        Err(LogInError::App(why)) => return Err(why.into()),
        Err(why) => {
            let (code, wrong, status) = match why {
                LogInError::CodeNeeded => (true, None, StatusCode::OK),
                LogInError::TooMany { retry_after } => {
                    let seconds = retry_after.max(1).to_string();
                    (
                        asked_for_code,
                        Some(fill(t.too_many_tries, &[&seconds])),
                        StatusCode::TOO_MANY_REQUESTS,
                    )
                }
                _ => (asked_for_code, Some(t.log_in_refused.to_owned()), StatusCode::UNAUTHORIZED),
            };
            let shell = Shell { here: "/login".to_owned(), ..Shell::bare(look) };
            let mut response = shown(&app, shell, &form, &then, code, wrong);
            *response.status_mut() = status;
            return Ok(response);
        }
    };
    let left = logged_in.expires_at.as_second() - app.now().as_second();
    let mut response = to(&then);
    let kept = session_cookie(logged_in.secret.expose(), left.max(0), is_https(&headers));
    response.headers_mut().append(header::SET_COOKIE, kept?);
    Ok(response)
}

/// `POST /logout`
pub(crate) async fn leave(
    State(app): State<App>,
    headers: HeaderMap,
    _: Sent,
) -> Result<Response, Failure> {
    if let Some(secret) = cookie(&headers, COOKIE) {
        app.log_out(secret).await?;
    }
    let mut response = to("/login");
    response.headers_mut().append(header::SET_COOKIE, session_cookie("", 0, is_https(&headers))?);
    // The browser forgets the pages of whoever was here, too.
    response.headers_mut().insert("clear-site-data", HeaderValue::from_static("\"cache\""));
    Ok(response)
}

/// The form, with what was written into it; the password is written again.
fn shown(
    app: &App,
    s: Shell,
    form: &Form,
    then: &str,
    code: bool,
    wrong: Option<String>,
) -> Response {
    rendered(&LogInPage {
        s,
        company: app.config().company.clone(),
        email: form.get("email").unwrap_or_default().to_owned(),
        then: then.to_owned(),
        code,
        wrong,
    })
}

/// Another page of ours.
pub(crate) fn to(way: &str) -> Response {
    let way = HeaderValue::from_str(way).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, way)]).into_response()
}

/// Out of reach of scripts and of other sites' forms, and never in the clear
/// where the page came encrypted.
fn session_cookie(secret: &str, seconds: i64, https: bool) -> Result<HeaderValue, Failure> {
    let secure = if https { "; Secure" } else { "" };
    let cookie =
        format!("{COOKIE}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&cookie).map_err(|_| Failure::NotFound)
}

/// Whether the browser speaks to us, or to what stands before us, over HTTPS.
/// Browsers send the origin of a form along.
fn is_https(headers: &HeaderMap) -> bool {
    let begins = |name: &str, with: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with(with))
    };
    begins("origin", "https://") || begins("x-forwarded-proto", "https")
}

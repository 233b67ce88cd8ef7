//! The user's own password.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use relata_app::{LogInError, Secret};

use crate::{
    failure::Failure,
    frame::rendered,
    log_in::to,
    session::{Sent, Visit},
    shell::Shell,
};

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    s: Shell,
    wrong: Option<String>,
}

/// `GET /password`
pub(crate) async fn page(visit: Visit) -> Response {
    rendered(&PasswordPage { s: visit.shell("password"), wrong: None })
}

/// `POST /password`: whoever is logged in logs in again with the new one.
pub(crate) async fn change(Sent { visit, form }: Sent) -> Result<Response, Failure> {
    let t = visit.lang().texts();
    let (was, new) = (form.get("was").unwrap_or_default(), form.get("new").unwrap_or_default());
    let wrong = if form.get("again") != Some(new) {
        t.passwords_differ.to_owned()
    } else {
        let changed = visit.app.change_password(&visit.viewer, Secret::new(was), Secret::new(new));
        match changed.await {
            Ok(()) => return Ok(to("/login")),
            Err(LogInError::App(why)) if why.is_wrong_input() => why.to_string(),
            Err(LogInError::App(why)) => return Err(why.into()),
            Err(LogInError::TooMany { retry_after }) => {
                crate::texts::fill(t.too_many_tries, &[&retry_after.to_string()])
            }
            Err(LogInError::Refused | LogInError::CodeNeeded) => t.password_refused.to_owned(),
        }
    };
    let page = PasswordPage { s: visit.shell("password"), wrong: Some(wrong) };
    let mut response = rendered(&page);
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}

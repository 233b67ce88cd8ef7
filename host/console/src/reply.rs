//! What is done with a ticket from its page: answered, noted, moved on, and
//! given to somebody. Where it does not work, the page comes again with the
//! reason, and with what was written.

use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use relata_app::{AccessError, NewMessage, model::Reference};
use serde_json::{Map, Value as Json, json};
use url::form_urlencoded;

use crate::{
    failure::Failure,
    frame::rendered,
    log_in::to,
    session::{Form, Sent, Visit},
    texts::{Texts, fill},
    ticket,
};

/// Why a ticket cannot be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoReply {
    Closed,
    NoCustomer,
    NoAddress,
}

impl NoReply {
    /// What to do about it.
    pub(crate) const fn text(self, t: &'static Texts) -> &'static str {
        match self {
            Self::Closed => t.reply_closed,
            Self::NoCustomer => t.reply_no_customer,
            Self::NoAddress => t.reply_no_address,
        }
    }
}

/// `POST /tickets/{key}/reply`
pub(crate) async fn reply(Path(key): Path<String>, sent: Sent) -> Result<Response, Failure> {
    let Sent { visit, form } = &sent;
    let Some(new) = message(&key, form) else {
        return again(visit, &key, form, visit.lang().texts().empty_message.to_owned()).await;
    };
    if let Some(wrong) = too_much(visit, form) {
        return again(visit, &key, form, wrong).await;
    }
    let then = form.filled("status");
    let done = visit.app.reply_as(&visit.viewer, &new, then).await;
    over(visit, &key, form, done.map(drop)).await
}

/// `POST /tickets/{key}/note`
pub(crate) async fn note(Path(key): Path<String>, sent: Sent) -> Result<Response, Failure> {
    let Sent { visit, form } = &sent;
    let Some(new) = message(&key, form) else {
        return again(visit, &key, form, visit.lang().texts().empty_message.to_owned()).await;
    };
    if let Some(wrong) = too_much(visit, form) {
        return again(visit, &key, form, wrong).await;
    }
    let done = visit.app.note_as(&visit.viewer, &new).await;
    over(visit, &key, form, done.map(drop)).await
}

/// `POST /tickets/{key}/status`
pub(crate) async fn status(Path(key): Path<String>, sent: Sent) -> Result<Response, Failure> {
    let Sent { visit, form } = &sent;
    let status = form.filled("status").ok_or(Failure::NotFound)?;
    set(visit, &key, form, [("status", json!(status))]).await
}

/// `POST /tickets/{key}/owner`: `me`, nobody, or a user.
pub(crate) async fn owner(Path(key): Path<String>, sent: Sent) -> Result<Response, Failure> {
    let Sent { visit, form } = &sent;
    let owner = match form.filled("owner") {
        Some("me") => json!(visit.user().ok_or(Failure::NotFound)?.to_string()),
        Some("nobody") => Json::Null,
        Some(other) => json!(other),
        None => return Err(Failure::NotFound),
    };
    set(visit, &key, form, [("owner", owner)]).await
}

async fn set(
    visit: &Visit,
    key: &str,
    form: &Form,
    fields: [(&str, Json); 1],
) -> Result<Response, Failure> {
    let fields = Map::from_iter(fields.map(|(name, value)| (name.to_owned(), value)));
    let ticket = Reference::new("ticket", key);
    let done = visit.app.change_as(&visit.viewer, &ticket, &fields, None).await;
    over(visit, key, form, done.map(drop)).await
}

/// What was written into a form; none where nothing was.
fn message(key: &str, form: &Form) -> Option<NewMessage> {
    Some(NewMessage {
        ticket: Reference::new("ticket", key),
        text: form.filled("text")?.to_owned(),
        key: form.filled("nonce")?.to_owned(),
        files: form.files.clone(),
    })
}

/// What to say where the files of a form are too much.
fn too_much(visit: &Visit, form: &Form) -> Option<String> {
    let most = (visit.app.most_of_files() >> 20).to_string();
    form.files_are_too_much.then(|| fill(visit.lang().texts().files_too_much, &[&most]))
}

/// The page after something was done, or with the reason why not.
async fn over(
    visit: &Visit,
    key: &str,
    form: &Form,
    done: Result<(), AccessError>,
) -> Result<Response, Failure> {
    match done {
        Ok(()) => Ok(to(&format!("/tickets/{key}{}", came_by(form)))),
        Err(AccessError::Invalid(errors)) => {
            let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
            again(visit, key, form, told.join("; ")).await
        }
        Err(AccessError::Conflict { .. }) => {
            again(visit, key, form, visit.lang().texts().changed_meanwhile.to_owned()).await
        }
        Err(other) => Err(other.into()),
    }
}

async fn again(visit: &Visit, key: &str, form: &Form, wrong: String) -> Result<Response, Failure> {
    let query: Vec<(String, String)> =
        form_urlencoded::parse(query(form).as_bytes()).into_owned().collect();
    let mut page = ticket::filled(visit, key, &query).await?;
    let text = form.get("text").unwrap_or_default().to_owned();
    if form.get("kind") == Some("note") {
        page.note_draft = text;
    } else {
        page.draft = text;
    }
    page.wrong = Some(wrong);
    page.s.here = format!("/tickets/{key}{}", came_by(form));
    let mut response = rendered(&page).into_response();
    *response.status_mut() = axum::http::StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}

/// The way through the inbox by which the reader came to the ticket.
fn query(form: &Form) -> String {
    let query = form.get("query").unwrap_or_default();
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(
            form_urlencoded::parse(query.as_bytes())
                .filter(|(name, _)| matches!(&**name, "view" | "from")),
        )
        .finish()
}

fn came_by(form: &Form) -> String {
    let query = query(form);
    if query.is_empty() { query } else { format!("?{query}") }
}

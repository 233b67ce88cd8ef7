//! Mails that came in and became no message: why, and what a person decides.

use askama::Template;
use axum::{extract::Path, response::Response};
use relata_app::model::{Area, Doing};

use crate::{
    failure::Failure,
    frame::rendered,
    html::Moment,
    log_in::to,
    names::page_of,
    session::{Sent, Visit},
    shell::Shell,
};

/// How much of a mail the page shows, characters.
const LONGEST: usize = 2_000;

/// How many mails it shows.
const MOST: usize = 50;

#[derive(Template)]
#[template(path = "held_mails.html")]
struct HeldMailsPage {
    s: Shell,
    rows: Vec<Row>,
    /// How many there are beside those.
    more: usize,
    may_decide: bool,
}

struct Row {
    id: String,
    at: Option<Moment>,
    from: String,
    subject: String,
    why: String,
    /// As it came, or as much of it as helps to decide; none where the viewer
    /// may not read it.
    text: Option<String>,
}

/// `GET /admin/mails`, the oldest first.
pub(crate) async fn page(visit: Visit) -> Result<Response, Failure> {
    let mut held = visit.app.held_mails_as(&visit.viewer).await?;
    let more = held.len().saturating_sub(MOST);
    held.truncate(MOST);
    let mut rows = Vec::with_capacity(held.len());
    for mail in held {
        let text = visit.app.held_mail_text_as(&visit.viewer, &mail.id).await?;
        rows.push(Row {
            at: visit.moment_of(Some(&mail.at)),
            from: mail.from.unwrap_or_default(),
            subject: mail.subject.unwrap_or_default(),
            why: mail.why,
            text: text.map(|text| text.chars().take(LONGEST).collect()),
            id: mail.id,
        });
    }
    Ok(rendered(&HeldMailsPage {
        rows,
        more,
        may_decide: visit.viewer.may(Area::Operations, Doing::Change),
        s: visit.shell("admin"),
    }))
}

/// `POST /admin/mails/{id}`: taken in after all, or dropped.
pub(crate) async fn decide(
    Path(id): Path<String>,
    Sent { visit, form }: Sent,
) -> Result<Response, Failure> {
    visit.must(Area::Operations, Doing::Change).await?;
    match form.get("do") {
        Some("take") => {
            let taken = visit.app.release_mail(&id).await?;
            Ok(to(&page_of(&taken.ticket)))
        }
        Some("drop") => {
            visit.app.drop_mail(&id).await?;
            Ok(to("/admin/mails"))
        }
        _ => Err(Failure::NotFound),
    }
}

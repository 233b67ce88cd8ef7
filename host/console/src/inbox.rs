//! The inbox, and whether its reader is there.

use askama::Template;
use axum::{
    extract::Query,
    response::{IntoResponse, Response},
};
use relata_app::{Watched, model::Act};
use serde_json::{Map, json};

use crate::{
    failure::Failure,
    frame::rendered,
    log_in::to,
    session::{PRESENCES, Sent, Visit},
    shell::Shell,
    ticket_list::{self, TicketList, View},
};

#[derive(Template)]
#[template(path = "inbox.html")]
struct InboxPage {
    s: Shell,
    list: TicketList,
}

/// A value of an address.
pub(crate) fn asked<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = query.iter().find(|(found, _)| found == name);
    found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

/// `GET /`: the page that somebody begins at.
pub(crate) async fn first(visit: Visit) -> Response {
    let sees = |object| visit.viewer.may_object(object, Act::See);
    to(match () {
        () if sees("ticket") => "/inbox",
        () if sees("lead") => "/records/lead",
        () => "/records",
    })
}

/// `GET /inbox`
pub(crate) async fn page(
    visit: Visit,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let view = view_of(&query);
    let list = ticket_list::list(&visit, view, asked(&query, "from"), None).await?;
    let shown = vec![Watched::Object("ticket".to_owned())];
    Ok(rendered(&InboxPage { s: visit.shell("inbox").showing(shown), list }))
}

/// The view of an address.
pub(crate) fn view_of(query: &[(String, String)]) -> View {
    asked(query, "view").and_then(View::of_word).unwrap_or(View::Mine)
}

/// `POST /presence`: whether work is given to the viewer from now on.
pub(crate) async fn presence(Sent { visit, form }: Sent) -> Result<Response, Failure> {
    let word = form.get("presence").filter(|word| PRESENCES.contains(word));
    let (Some(word), Some(user)) = (word, visit.user()) else { return Err(Failure::NotFound) };
    let fields = Map::from_iter([("presence".to_owned(), json!(word))]);
    visit.app.change_as(&visit.viewer, user, &fields, None).await?;
    let mut response = to("/").into_response();
    response.headers_mut().insert(axum::http::header::LOCATION, form.way_back("/"));
    Ok(response)
}

//! What makes a page live: a stream that says when something has changed that
//! stands on it, so that the page's script reads it again. The stream says
//! nothing else, and nothing of what its reader may not see.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use askama::Template;
use axum::{
    Extension,
    extract::{Query, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use futures::stream::{self, Stream};
use relata_app::{App, Known, Watch, Watched};
use tokio::time::{sleep, timeout};

use crate::{
    failure::Failure,
    frame::rendered,
    inbox::asked,
    session::{COOKIE, Visit, cookie, form_token},
    shell::{Shell, in_query},
};

/// Streams that one session may have open: as many windows as somebody looks
/// at. What stands in the background follows nothing.
const MOST_STREAMS: usize = 8;

/// So often something is sent, so that neither side takes the other for dead,
/// and so often it is asked whether the session is still good.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// After a change what belongs to it is waited for.
const GATHER: Duration = Duration::from_millis(150);

/// Between two times that a page is read again at the least: a busy desk has
/// hundreds of changes a second.
const PACE: Duration = Duration::from_secs(2);

/// Proxies are not to keep events until there are many.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// What a page follows.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    watched: Vec<Watched>,
    /// What was known before the page was made.
    known: Known,
    /// The page's own address; none where only its navigation is live.
    page: Option<String>,
    /// The part of the navigation that it belongs to.
    section: String,
}

impl Live {
    /// The navigation alone, with what stands in it.
    pub(crate) fn of_navigation(watched: Vec<Watched>, known: Known, section: &str) -> Self {
        Self { watched, known, page: None, section: section.to_owned() }
    }

    /// With the page itself, on which this stands.
    pub(crate) fn with_page(mut self, page: &str, shown: Vec<Watched>) -> Self {
        self.watched.extend(shown);
        self.page = Some(page.to_owned());
        self
    }

    /// The address of the stream.
    pub(crate) fn stream(&self) -> String {
        let mut address = format!("/live?since={}", self.known);
        for watched in &self.watched {
            address += "&see=";
            address += &in_query(&watched.to_string());
        }
        address
    }

    /// What is read again: the page, or the navigation.
    pub(crate) fn again(&self) -> String {
        match &self.page {
            Some(page) => page.clone(),
            None => format!("/navigation?section={}", in_query(&self.section)),
        }
    }

    pub(crate) fn is_of_page(&self) -> bool {
        self.page.is_some()
    }
}

#[derive(Template)]
#[template(path = "navigation.html")]
struct Navigation {
    s: Shell,
}

/// `GET /navigation`: the navigation alone, for a page whose script reads it
/// again.
pub(crate) async fn navigation(
    visit: Visit,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    rendered(&Navigation { s: visit.shell(asked(&query, "section").unwrap_or_default()) })
}

/// The streams that are open, by their sessions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Streams(Arc<Mutex<HashMap<String, usize>>>);

/// A place for one stream; free again when it is dropped.
#[derive(Debug)]
struct Place {
    streams: Streams,
    session: String,
}

impl Streams {
    fn enter(&self, session: String) -> Option<Place> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(session.clone()).or_default();
        if *count >= MOST_STREAMS {
            return None;
        }
        *count += 1;
        Some(Place { streams: self.clone(), session })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.session) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.session);
            }
        }
    }
}

/// `GET /live`: says `changed` when something has changed of what is asked for
/// (`see`), after what the page knows (`since`, or the last event's id).
pub(crate) async fn follow(
    State(app): State<App>,
    Extension(streams): Extension<Streams>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let nobody = || Failure::NobodyThere("/".to_owned());
    let secret = cookie(&headers, COOKIE).ok_or_else(nobody)?.to_owned();
    let session = app.session_unattended(&secret).await?.ok_or_else(nobody)?;
    if session.must_change {
        return Err(Failure::OthersPassword);
    }
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let known: Known = match last.filter(|id| !id.is_empty()).or(asked(&query, "since")) {
        Some(known) => known.parse()?,
        None => app.known_now(&[]).await?,
    };
    let watched: Result<Vec<Watched>, _> =
        query.iter().filter(|(name, _)| name == "see").map(|(_, what)| what.parse()).collect();
    let watch = app.watch(&session.viewer, watched?, known).await?;
    let Some(place) = streams.enter(form_token(&secret)) else {
        let later = [(header::RETRY_AFTER, "30")];
        return Ok((StatusCode::TOO_MANY_REQUESTS, later).into_response());
    };
    let told = Told { app, secret, watch, rest: Duration::ZERO, _place: place };
    Ok(([UNBUFFERED], Sse::new(told.events())).into_response())
}

/// A page that is told.
struct Told {
    app: App,
    secret: String,
    watch: Watch,
    /// For how long nothing is told now.
    rest: Duration,
    _place: Place,
}

impl Told {
    /// The events, until the host stops, the session is over, or the database
    /// does not answer; then the page comes again.
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        // At once, so that the other side knows that it is heard.
        let beginning = Some(Event::default().comment("here"));
        stream::unfold((Some(self), beginning), |(told, beginning)| async move {
            if let Some(event) = beginning {
                return Some((Ok(event), (told, None)));
            }
            let mut told = told?;
            let event = told.next().await?;
            Some((Ok(event), (Some(told), None)))
        })
    }

    async fn next(&mut self) -> Option<Event> {
        sleep(std::mem::take(&mut self.rest)).await;
        let event = match timeout(HEARTBEAT, self.watch.changed()).await {
            Err(_) => {
                self.is_still_here().await?;
                Event::default().comment("still here")
            }
            Ok(Ok(false)) => return None,
            Ok(Ok(true)) => {
                sleep(GATHER).await;
                self.is_still_here().await?;
                self.rest = PACE;
                let known = self.watch.pass().await.ok()?;
                // An event without data is none.
                Event::default().event("changed").id(known.to_string()).data("again")
            }
            Ok(Err(why)) => {
                tracing::warn!(
                    error = &why as &dyn std::error::Error,
                    "a page is told no more of what changes; it asks again by itself"
                );
                return None;
            }
        };
        Some(event)
    }

    /// None where the session is over. Roles may be others than before.
    async fn is_still_here(&mut self) -> Option<()> {
        let session = self.app.session_unattended(&self.secret).await.ok()??;
        self.watch.follow_for(session.viewer);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_so_many_streams_and_no_more() {
        let streams = Streams::default();
        let enter = |session: &str| streams.enter(session.to_owned());
        let mut places: Vec<_> = (0..MOST_STREAMS).map(|_| enter("a")).collect();
        assert!(places.iter().all(Option::is_some));
        assert!(enter("a").is_none());
        assert!(enter("b").is_some(), "another session has its own");
        places.pop();
        assert!(enter("a").is_some());
        drop(places);
        assert!(streams.0.lock().expect("nobody panicked").is_empty());
    }
}

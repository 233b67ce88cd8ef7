//! `GET /v1/stream`: what changes, as server-sent events.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, StatusCode},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use futures::stream::{self, Stream};
use relata_app::{App, Caller, ChangeStream, ChangeView, ChangesWanted, Scope};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use crate::{
    Api,
    auth::{caller, refused},
    batch::{Parameters, only, read, wrong},
    error::ApiError,
    openapi::{CallerProblems, GoneProblems, QueryProblems},
};

/// So often something is sent, so that neither side takes the other for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Proxies are not to keep events until there are many.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// Tells what changes, as it is committed: `text/event-stream`.
///
/// The events are `record.created`, `record.changed` and `record.deleted`, their
/// data a `ChangeView` as JSON, their id the place in the event log. Who sends
/// the last id back as `Last-Event-ID` misses nothing and gets nothing twice.
#[utoipa::path(
    get,
    path = "/v1/stream",
    operation_id = "followChanges",
    tag = "records",
    params(
        ("objects" = Option<String>, Query, description = "Only records of these objects, with commas between."),
        ("fields" = Option<String>, Query, description = "The fields whose values are told as well, with commas between; of one object."),
        ("after" = Option<u64>, Query, description = "What came after this place, if there is no `Last-Event-ID`."),
        ("last-event-id" = Option<u64>, Header, description = "The id of the last event that came."),
    ),
    responses(
        (status = 200, description = "It goes on until one of both ends it.", body = String,
         content_type = "text/event-stream"),
        QueryProblems,
        GoneProblems,
        CallerProblems,
    ),
    security(("token" = ["records:read"]))
)]
pub(crate) async fn follow(
    State(Api { app, gate, .. }): State<Api>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let caller = caller(&app, &headers, Scope::RecordsRead).await?;
    let room = gate.enter_to_follow()?;
    let parameters = read(parameters)?;
    only(&parameters, &["objects", "fields", "after"])?;
    let wanted = wanted(&app, &caller, &parameters).await?;
    let after = place(&parameters, &headers)?;
    let changes =
        app.follow_changes(after, wanted).await.map_err(|why| match why.is_wrong_input() {
            true => ApiError::new(StatusCode::GONE, "gone", why.to_string()),
            false => ApiError::of(why),
        })?;
    let told = Told { app, headers, changes, _room: room };
    Ok(([UNBUFFERED], Sse::new(told.events())).into_response())
}

/// Somebody who is told.
struct Told {
    app: App,
    /// By which they are known.
    headers: HeaderMap,
    changes: ChangeStream,
    _room: OwnedSemaphorePermit,
}

impl Told {
    /// The events, until the host stops, the token is good no longer, or the
    /// database does not answer; then the other side comes again.
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        // Where it begins, so that who is cut off before the first change
        // goes on from there.
        let beginning = vec![self.at_its_place()];
        stream::unfold((Some(self), beginning.into_iter()), |(told, mut waiting)| async move {
            if let Some(event) = waiting.next() {
                return Some((Ok(event), (told, waiting)));
            }
            let mut told = told?;
            let mut waiting = told.next().await?.into_iter();
            let first = waiting.next()?;
            Some((Ok(first), (Some(told), waiting)))
        })
    }

    async fn next(&mut self) -> Option<Vec<Event>> {
        let next = timeout(HEARTBEAT, self.changes.next()).await;
        // What is wrong with the token says the next request.
        caller(&self.app, &self.headers, Scope::RecordsRead).await.ok()?;
        match next {
            Err(_) => Some(vec![self.at_its_place().comment("still here")]),
            Ok(Ok(changes)) => changes.map(|changes| changes.iter().filter_map(event).collect()),
            Ok(Err(why)) => {
                tracing::warn!(
                    error = &why as &dyn std::error::Error,
                    "a stream of changes ends; it may be asked for again"
                );
                None
            }
        }
    }

    /// An event that nobody sees, with the place.
    fn at_its_place(&self) -> Event {
        Event::default().id(self.changes.place().to_string())
    }
}

fn event(change: &ChangeView) -> Option<Event> {
    let event = Event::default()
        .id(change.place.to_string())
        .event(format!("record.{}", change.change))
        .json_data(change);
    // A view is plain JSON.
    event.ok()
}

/// What the address asks for, of what the caller may see.
async fn wanted(
    app: &App,
    caller: &Caller,
    parameters: &Parameters,
) -> Result<ChangesWanted, ApiError> {
    let names = |name: &str| -> Option<Vec<String>> {
        let given = parameters.get(name)?;
        Some(given.split(',').map(|name| name.trim().to_owned()).collect())
    };
    let objects = names("objects");
    for object in objects.iter().flatten() {
        app.object(object).map_err(ApiError::of)?;
        if !caller.may_touch(object) {
            let why = format!("the token `{}` is not for {object} records", caller.name());
            return Err(refused(app, caller, object, "object", why).await);
        }
    }
    let fields = names("fields").unwrap_or_default();
    match objects.as_deref() {
        Some([object]) => {
            for field in &fields {
                app.known_field_of(object, field).map_err(ApiError::of)?;
                if !caller.viewer().sees_field(object, field) {
                    let why = format!("{} does not see {object}.{field}", caller.viewer().name());
                    return Err(refused(app, caller, object, "forbidden", why).await);
                }
            }
        }
        _ if fields.is_empty() => {}
        _ => return Err(wrong("`fields` goes with one object: `objects=ticket`")),
    }
    let objects = objects.or_else(|| caller.objects().map(<[String]>::to_vec));
    Ok(ChangesWanted { objects, fields })
}

/// After which place; none for what comes from now on.
fn place(parameters: &Parameters, headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let header = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default());
    let given = header.filter(|id| !id.is_empty()).or(parameters.get("after").map(String::as_str));
    given.map(str::parse).transpose().map_err(|_| {
        wrong("`after` and the header Last-Event-ID take the id of an event of this stream")
    })
}

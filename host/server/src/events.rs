//! `POST /v1/events`: other programs say what happened. `GET
//! /v1/events/{id}`: what came of it.

use axum::{
    Json,
    extract::{Path, Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
};
use relata_app::{App, EventOutcome, IngestRequest, Scope, model::EventId};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use crate::{
    Api,
    auth::caller,
    batch::{Answered, EventAnswer, ItemAnswer, Parameters, Rest, Waits, take_in},
    error::ApiError,
    openapi::{BodyProblems, CallerProblems, ContentProblems, MissingProblem, one_or_several},
};

/// The events that were taken in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Sent {
    One {
        #[serde(flatten)]
        #[schema(value_type = EventAnswer)]
        event: Option<ItemAnswer>,
        #[serde(flatten)]
        rest: Rest,
    },
    Batch {
        /// One for each, in their order.
        #[schema(value_type = Vec<EventAnswer>)]
        events: Vec<ItemAnswer>,
        #[serde(flatten)]
        rest: Rest,
    },
}

/// An event as it is sent. Only the body's description: it is read by hand, so
/// that all that is wrong with it is told at once.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it describes a body")]
pub(crate) struct NewEvent {
    /// What happened: `order.paid`.
    #[schema(max_length = 96, pattern = "^[a-z][a-z0-9_]*([.][a-z][a-z0-9_]*)*$")]
    name: String,
    /// The records that it is about, the main one first, by id or external id:
    /// `order/SO-1001`.
    #[schema(max_items = 50)]
    about: Option<Vec<String>>,
    /// More about it.
    data: Option<Map<String, Value>>,
    /// What correlates it with a step that waits for it.
    #[schema(min_length = 1, max_length = 255)]
    key: Option<String>,
    /// When it happened, RFC 3339; now, if it is left out.
    #[schema(format = DateTime)]
    at: Option<String>,
}

/// An event, or several.
pub(crate) struct NewEvents;

impl PartialSchema for NewEvents {
    fn schema() -> RefOr<Schema> {
        one_or_several(&NewEvent::name())
    }
}

impl ToSchema for NewEvents {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((NewEvent::name().into_owned(), NewEvent::schema()));
        NewEvent::schemas(schemas);
    }
}

/// Takes in an event, or several: all or none.
///
/// 202 once they are in the log; 200 where the request waits and nothing more
/// comes of them.
#[utoipa::path(
    post,
    path = "/v1/events",
    operation_id = "sendEvents",
    tag = "events",
    params(
        ("wait" = inline(Option<Waits>), Query, description = "`run`: the answer comes when every run that comes of it has ended."),
        ("timeout" = Option<f64>, Query, minimum = 0, description = "How many seconds it waits at the most; 30 if left out, never more than 300."),
        ("idempotency-key" = Option<String>, Header, min_length = 1, max_length = 255, description = "A key of this request: the same again does nothing."),
    ),
    request_body(content(
        (NewEvents = "application/json"),
        (String = "application/x-ndjson"),
    ), description = "With `application/x-ndjson` one event a line."),
    responses(
        (status = 202, description = "They are in the log.", body = Sent),
        (status = 200, description = "They are in the log, and nothing more comes of them.", body = Sent),
        BodyProblems,
        ContentProblems,
        CallerProblems,
    ),
    security(("token" = ["events:write"]))
)]
pub(crate) async fn send(
    State(api): State<Api>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    request: Request,
) -> Result<(StatusCode, Json<Sent>), ApiError> {
    let ingest = async |app: &App, request: IngestRequest<'_>| app.ingest_events(request).await;
    let Answered { status, mut items, rest, is_batch } =
        take_in(api, Scope::EventsWrite, parameters, request, ingest).await?;
    let sent = if is_batch {
        Sent::Batch { events: items, rest }
    } else {
        Sent::One { event: items.pop(), rest }
    };
    Ok((status, Json(sent)))
}

/// What came of an event so far.
#[utoipa::path(
    get,
    path = "/v1/events/{id}",
    operation_id = "showEvent",
    tag = "events",
    params(("id" = String, Path, description = "The event's id, `evt_01k9…`.")),
    responses(
        (status = 200, description = "The runs that it began, and why others did not.", body = EventOutcome),
        MissingProblem,
        CallerProblems,
    ),
    security(("token" = ["runs:read"]))
)]
pub(crate) async fn show(
    State(Api { app, gate, .. }): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<EventOutcome>, ApiError> {
    let caller = caller(&app, &headers, Scope::RunsRead).await?;
    let _room = gate.enter_to_read()?;
    let gone = || {
        let id: String = id.chars().take(40).collect();
        ApiError::new(StatusCode::NOT_FOUND, "not-found", format!("there is no event `{id}`"))
    };
    let event: EventId = id.parse().map_err(|_| gone())?;
    if let Some(objects) = caller.objects() {
        // One that is for some objects sees the events of their records.
        let about = app.event_records(event).await.map_err(ApiError::of)?.ok_or_else(gone)?;
        if !about.iter().any(|record| objects.contains(&record.object)) {
            return Err(gone());
        }
    }
    let outcome = app.event_outcome(event).await.map_err(ApiError::of)?;
    outcome.map(Json).ok_or_else(gone)
}

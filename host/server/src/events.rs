//! `POST /v1/events`: other programs say what happened. `GET
//! /v1/events/{id}`: what came of it.

use axum::{
    Json,
    extract::{Path, Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
};
use relata_app::{App, EventOutcome, IngestRequest, Scope, model::EventId};
use serde::Serialize;

use crate::{
    Api,
    auth::caller,
    batch::{Answered, ItemAnswer, Parameters, Rest, take_in},
    error::ApiError,
};

/// The events that were taken in.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Sent {
    One {
        #[serde(flatten)]
        event: Option<ItemAnswer>,
        #[serde(flatten)]
        rest: Rest,
    },
    Batch {
        events: Vec<ItemAnswer>,
        #[serde(flatten)]
        rest: Rest,
    },
}

/// 202 once the events are in the log; 200 where the request waits and
/// nothing more comes of them.
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
pub(crate) async fn show(
    State(Api { app, gate }): State<Api>,
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

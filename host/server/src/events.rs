//! `POST /v1/events`: other programs say what happened. `GET
//! /v1/events/{id}`: what came of it.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
};
use relata_app::{EventOutcome, IngestRequest, Scope, model::EventId};
use serde::Serialize;

use crate::{
    Api,
    auth::caller,
    batch::{Batch, ItemAnswer, Parameters, Rest, wait, wrong},
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
    State(Api { app, gate }): State<Api>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    request: Request,
) -> Result<(StatusCode, Json<Sent>), ApiError> {
    let caller = caller(&app, request.headers(), Scope::EventsWrite).await?;
    let timeout = wait(&read(parameters)?)?;
    let _room = gate.enter(&app)?;
    let key = idempotency_key(request.headers())?;
    let headers = request.headers().clone();
    let (taken_in, is_batch) = {
        // What was sent is let go before a long wait.
        let body = gate.body(request, gate.longest()).await?;
        let Batch { items, is_batch } = Batch::read(&headers, &body.bytes)?;
        let request = IngestRequest {
            caller: &caller,
            key: key.as_deref(),
            body: &body.bytes,
            items: &items,
            is_batch,
            waits: timeout.is_some(),
        };
        (app.ingest_events(request).await.map_err(ApiError::not_taken)?, is_batch)
    };
    let accepted = taken_in.outcome(timeout.unwrap_or(Duration::ZERO)).await;
    let (status, mut items, rest) = Rest::of(accepted, is_batch);
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

/// The parameters of an address.
pub(crate) fn read(
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<Parameters, ApiError> {
    match parameters {
        Ok(Query(parameters)) => Ok(parameters),
        Err(_) => Err(wrong("what stands behind the `?` does not read; write name=value&…")),
    }
}

/// The header `Idempotency-Key`.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    key.to_str().map(|key| Some(key.to_owned())).map_err(|_| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "wrong-key",
            "the header Idempotency-Key takes plain letters and digits",
        )
    })
}

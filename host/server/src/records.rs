//! `POST /v1/records/{object}`: other programs create records.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, Query, Request, State, rejection::QueryRejection},
    http::StatusCode,
};
use relata_app::{IngestRequest, Scope};
use serde::Serialize;

use crate::{
    Api,
    auth::caller,
    batch::{Batch, ItemAnswer, Parameters, Rest, wait},
    error::ApiError,
    events::{idempotency_key, read},
};

/// The records that were created.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Created {
    One {
        #[serde(flatten)]
        record: Option<ItemAnswer>,
        #[serde(flatten)]
        rest: Rest,
    },
    Batch {
        records: Vec<ItemAnswer>,
        #[serde(flatten)]
        rest: Rest,
    },
}

/// 202 once the records are there and their events in the log; 200 where the
/// request waits and nothing more comes of them.
pub(crate) async fn create(
    State(Api { app, gate }): State<Api>,
    Path(object): Path<String>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    request: Request,
) -> Result<(StatusCode, Json<Created>), ApiError> {
    let caller = caller(&app, request.headers(), Scope::RecordsWrite).await?;
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
        (app.ingest_records(&object, request).await.map_err(ApiError::not_taken)?, is_batch)
    };
    let accepted = taken_in.outcome(timeout.unwrap_or(Duration::ZERO)).await;
    let (status, mut items, rest) = Rest::of(accepted, is_batch);
    let created = if is_batch {
        Created::Batch { records: items, rest }
    } else {
        Created::One { record: items.pop(), rest }
    };
    Ok((status, Json(created)))
}

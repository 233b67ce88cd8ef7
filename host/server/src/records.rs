//! `POST /v1/records/{object}`: other programs create records.

use axum::{
    Json,
    extract::{Path, Query, Request, State, rejection::QueryRejection},
    http::StatusCode,
};
use relata_app::{App, IngestRequest, Scope};
use serde::Serialize;

use crate::{
    Api,
    batch::{Answered, ItemAnswer, Parameters, Rest, take_in},
    error::ApiError,
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
    State(api): State<Api>,
    Path(object): Path<String>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    request: Request,
) -> Result<(StatusCode, Json<Created>), ApiError> {
    let ingest =
        async |app: &App, request: IngestRequest<'_>| app.ingest_records(&object, request).await;
    let Answered { status, mut items, rest, is_batch } =
        take_in(api, Scope::RecordsWrite, parameters, request, ingest).await?;
    let created = if is_batch {
        Created::Batch { records: items, rest }
    } else {
        Created::One { record: items.pop(), rest }
    };
    Ok((status, Json(created)))
}

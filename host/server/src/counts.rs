//! `/v1/counts/{object}`: how many records there are, for each value of a field.
//! Numbers of which reports are made.

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::HeaderMap,
};
use relata_app::{RecordSearch, Scope};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    Api,
    batch::{Parameters, read, wrong},
    error::ApiError,
    openapi::{CallerProblems, MissingProblem, QueryProblems, RecordFilter},
    records::{allowed, wrong_search},
};

/// Which field is counted by.
const BY: &str = "by";

/// How many records have one value.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Count)]
struct Count {
    /// The value; null where the field is empty.
    value: Value,
    /// How many records have it.
    count: u64,
}

/// How many records there are for each value of a field.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Counts)]
pub(crate) struct Counts {
    /// The field.
    by: String,
    /// The most frequent value first.
    counts: Vec<Count>,
}

/// Counts records by the values of a field.
#[utoipa::path(
    get,
    path = "/v1/counts/{object}",
    operation_id = "countRecords",
    tag = "records",
    params(
        ("object" = String, Path, description = "The object."),
        ("by" = String, Query, description = "The field; one that has one value at a time."),
        ("filter" = Option<RecordFilter>, Query, style = Form, explode, description = "Conditions on fields, all of which must hold."),
    ),
    responses(
        (status = 200, description = "How many there are, of those that the caller may see.", body = Counts),
        QueryProblems,
        MissingProblem,
        CallerProblems,
    ),
    security(("token" = ["records:read"]))
)]
pub(crate) async fn show(
    State(Api { app, gate, .. }): State<Api>,
    Path(object): Path<String>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<Counts>, ApiError> {
    let caller = allowed(&app, &headers, Scope::RecordsRead, &object).await?;
    let _room = gate.enter_to_read()?;
    let mut parameters = read(parameters)?;
    let by = parameters
        .remove(BY)
        .ok_or_else(|| wrong("say by which field they are counted, such as `?by=status`"))?;
    app.known_field_of(&object, &by).map_err(ApiError::of)?;
    let search =
        RecordSearch { filter: parameters.into_iter().collect(), ..RecordSearch::default() };
    let counts =
        app.count_by(caller.viewer(), &object, &search, &by).await.map_err(wrong_search)?;
    let counts =
        counts.iter().map(|one| Count { value: one.value.to_json(), count: one.count }).collect();
    Ok(Json(Counts { by, counts }))
}

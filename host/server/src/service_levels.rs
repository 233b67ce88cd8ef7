//! `/v1/records/ticket/{key}/service-level`: how a ticket stands to what its
//! customer was promised. Other objects have no service level, and say so.

use axum::{
    Json,
    extract::{Path, State},
    http::HeaderMap,
};
use relata_app::{Scope, ServiceLevelView, model::Reference};

use crate::{
    Api,
    error::ApiError,
    openapi::{CallerProblems, MissingProblem, QueryProblems},
    records::allowed,
};

/// How a ticket stands to what its customer was promised, at this moment.
#[utoipa::path(
    get,
    path = "/v1/records/{object}/{key}/service-level",
    operation_id = "showServiceLevel",
    tag = "records",
    params(
        ("object" = String, Path, description = "`ticket`; other objects have no service level."),
        ("key" = String, Path, description = "The record's id or external id."),
    ),
    responses(
        (status = 200, description = "Its clocks.", body = ServiceLevelView),
        QueryProblems,
        MissingProblem,
        CallerProblems,
    ),
    security(("token" = ["records:read"]))
)]
pub(crate) async fn show(
    State(Api { app, gate, .. }): State<Api>,
    Path((object, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<ServiceLevelView>, ApiError> {
    let _room = gate.enter_to_read()?;
    let caller = allowed(&app, &headers, Scope::RecordsRead, &object).await?;
    let stands = app.service_level_as(caller.viewer(), &Reference::new(object, key)).await;
    Ok(Json(stands.map_err(ApiError::no_access)?))
}

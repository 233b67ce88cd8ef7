//! `GET /v1/objects` and `GET /v1/objects/{object}`: what records there are, and
//! what their fields hold.

use axum::{
    Json,
    extract::{Path, State},
    http::HeaderMap,
};
use relata_app::{ObjectView, Scope, model::Act, object_view};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Api,
    auth::caller,
    error::ApiError,
    openapi::{CallerProblems, MissingProblem},
    records::allowed,
};

/// All objects that the caller may see.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Objects {
    /// By name.
    objects: Vec<ObjectView>,
}

/// What records there are, with their fields.
#[utoipa::path(
    get,
    path = "/v1/objects",
    operation_id = "listObjects",
    tag = "records",
    responses((status = 200, description = "The objects that the token is for.", body = Objects), CallerProblems),
    security(("token" = ["records:read"]))
)]
pub(crate) async fn list(
    State(Api { app, gate, .. }): State<Api>,
    headers: HeaderMap,
) -> Result<Json<Objects>, ApiError> {
    let caller = caller(&app, &headers, Scope::RecordsRead).await?;
    let _room = gate.enter_to_read()?;
    let objects = app.objects();
    let seen = objects.names().filter(|name| caller.viewer().may_object(name, Act::See));
    Ok(Json(Objects {
        objects: seen.filter_map(|name| objects.get(name)).map(object_view).collect(),
    }))
}

/// One object, with its fields.
#[utoipa::path(
    get,
    path = "/v1/objects/{object}",
    operation_id = "showObject",
    tag = "records",
    params(("object" = String, Path, description = "The object's name.")),
    responses(
        (status = 200, description = "The object.", body = ObjectView),
        MissingProblem,
        CallerProblems,
    ),
    security(("token" = ["records:read"]))
)]
pub(crate) async fn show(
    State(Api { app, gate, .. }): State<Api>,
    Path(object): Path<String>,
    headers: HeaderMap,
) -> Result<Json<ObjectView>, ApiError> {
    allowed(&app, &headers, Scope::RecordsRead, &object).await?;
    let _room = gate.enter_to_read()?;
    app.object(&object).map(|object| Json(object_view(object))).map_err(ApiError::of)
}

//! `GET /v1/objects` and `GET /v1/objects/{object}`: what records there are, and
//! what their fields hold.

use axum::{
    Json,
    extract::{Path, State},
    http::HeaderMap,
};
use relata_app::{Scope, model::Act, object_json};
use serde::Serialize;
use serde_json::Value;

use crate::{Api, auth::caller, error::ApiError, records::allowed};

/// All objects that the caller may see.
#[derive(Debug, Serialize)]
pub(crate) struct Objects {
    objects: Vec<Value>,
}

/// The objects, with their fields.
pub(crate) async fn list(
    State(Api { app, gate }): State<Api>,
    headers: HeaderMap,
) -> Result<Json<Objects>, ApiError> {
    let caller = caller(&app, &headers, Scope::RecordsRead).await?;
    let _room = gate.enter_to_read()?;
    let objects = app.objects();
    let seen = objects.names().filter(|name| caller.viewer().may_object(name, Act::See));
    Ok(Json(Objects {
        objects: seen.filter_map(|name| objects.get(name)).map(object_json).collect(),
    }))
}

/// One object.
pub(crate) async fn show(
    State(Api { app, gate }): State<Api>,
    Path(object): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    allowed(&app, &headers, Scope::RecordsRead, &object).await?;
    let _room = gate.enter_to_read()?;
    app.object(&object).map(|object| Json(object_json(object))).map_err(ApiError::of)
}

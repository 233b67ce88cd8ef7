//! `GET /v1/plugins`: which there are, what they do and may do.

use axum::{Json, extract::State, http::HeaderMap};
use relata_app::{PluginView, Scope};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Api, auth::caller, error::ApiError, openapi::CallerProblems};

/// The plugins of this host.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PluginList {
    /// By name.
    plugins: Vec<PluginView>,
}

/// Lists the plugins with their actions, and what each may do.
#[utoipa::path(
    get,
    path = "/v1/plugins",
    operation_id = "listPlugins",
    tag = "plugins",
    responses((status = 200, description = "By name.", body = PluginList), CallerProblems),
    security(("token" = ["plugins:read"]))
)]
pub(crate) async fn list(
    State(Api { app, gate, .. }): State<Api>,
    headers: HeaderMap,
) -> Result<Json<PluginList>, ApiError> {
    caller(&app, &headers, Scope::PluginsRead).await?;
    let _room = gate.enter_to_read()?;
    let plugins = app.plugin_views().await.map_err(ApiError::of)?;
    Ok(Json(PluginList { plugins }))
}

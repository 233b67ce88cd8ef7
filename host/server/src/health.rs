//! `GET /healthz`: for load balancers and supervisors.

use axum::{Json, extract::State};
use relata_app::App;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;

/// That all is well.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    status: &'static str,
    /// That of the program.
    version: &'static str,
    /// The company's clock, RFC 3339.
    now: String,
}

/// 200 where the database answers, else 503.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "health",
    tag = "host",
    responses(
        (status = 200, description = "All is well.", body = Health),
        (status = 503, description = "The database does not answer.", body = ApiError,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn healthz(State(app): State<App>) -> Result<Json<Health>, ApiError> {
    app.workflows().await.map_err(|why| ApiError::unwell(&why))?;
    Ok(Json(Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
        now: app.now().to_string(),
    }))
}

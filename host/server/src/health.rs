//! `GET /healthz`: for load balancers and supervisors.

use axum::{Json, extract::State};
use relata_app::App;
use serde::Serialize;

use crate::error::ApiError;

/// That all is well.
#[derive(Debug, Serialize)]
pub(crate) struct Health {
    status: &'static str,
    version: &'static str,
    /// The company's clock, RFC 3339.
    now: String,
}

/// 200 where the database answers, else 503.
pub(crate) async fn healthz(State(app): State<App>) -> Result<Json<Health>, ApiError> {
    app.workflows().await.map_err(|why| ApiError::unwell(&why))?;
    Ok(Json(Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
        now: app.now().to_string(),
    }))
}

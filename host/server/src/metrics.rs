//! `GET /metrics`: what this host measures, for Prometheus.

use std::time::Duration;

use axum::{
    extract::{MatchedPath, Request, State},
    http::header,
    middleware::Next,
    response::{IntoResponse, Response},
};
use relata_app::App;

use crate::error::ApiError;

/// The text form of Prometheus.
const FORM: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What this host measures, for Prometheus. It has names of workflows' actions and numbers,
/// and nothing of a customer.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "host",
    responses(
        (status = 200, description = "The text form of Prometheus.", body = String,
         content_type = "text/plain"),
        (status = 503, description = "The database does not answer.", body = ApiError,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn metrics(State(app): State<App>) -> Result<Response, ApiError> {
    let text = app.metrics_text().await.map_err(|why| ApiError::unwell(&why))?;
    Ok(([(header::CONTENT_TYPE, FORM)], text).into_response())
}

/// Counts requests by their route's pattern: paths have ids in them, and
/// there is no end to ids.
pub(crate) async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let method = match request.method().as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known,
        _ => "other",
    }
    .to_owned();
    let began = App::stopwatch();
    let response = next.run(request).await;
    let took = Duration::from_micros(App::stopwatch().saturating_sub(began));
    app.request_answered(&method, &route, response.status().as_u16(), took);
    response
}

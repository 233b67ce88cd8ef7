//! The one error of the API, made at the edge: causes are logged, never sent.

use axum::{
    Json,
    http::{Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use relata_app::AppError;
use serde_json::json;

/// What a caller is told: a status, a word for programs and a sentence for
/// people, as `{"error": {"code": …, "message": …}}`.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl ApiError {
    /// The host cannot do its work now.
    pub(crate) fn unwell(why: AppError) -> Self {
        tracing::error!(error = &why as &dyn std::error::Error, "the database does not answer");
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: "unwell",
            message: "the database does not answer; the log says why".to_owned(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({ "error": { "code": self.code, "message": self.message } });
        (self.status, Json(body)).into_response()
    }
}

/// No such path.
pub(crate) async fn not_found(uri: Uri) -> ApiError {
    ApiError {
        status: StatusCode::NOT_FOUND,
        code: "not-found",
        message: format!("there is nothing at {}", uri.path()),
    }
}

/// The path is there, but not for this method.
pub(crate) async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    ApiError {
        status: StatusCode::METHOD_NOT_ALLOWED,
        code: "wrong-method",
        message: format!("{} does not take {method}", uri.path()),
    }
}

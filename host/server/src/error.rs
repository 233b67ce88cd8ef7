//! The one error of the API, made at the edge: causes are logged, never sent.

use axum::{
    Json,
    http::{HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use relata_app::{AppError, model::FieldError};
use serde::Serialize;

/// What a caller is told, as `application/problem+json` (RFC 9457): a status,
/// a word for programs and a sentence for people.
#[derive(Debug, Serialize)]
pub(crate) struct ApiError {
    /// No page of ours describes it further.
    r#type: &'static str,
    title: &'static str,
    #[serde(serialize_with = "number")]
    status: StatusCode,
    detail: String,
    /// A word for programs: `not-found`.
    code: &'static str,
    /// All that is wrong with what was sent, a field each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

fn number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status,
            detail: detail.into(),
            code,
            errors: Vec::new(),
        }
    }

    /// The same, with all that is wrong.
    pub(crate) fn with(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    /// The host cannot do its work now.
    pub(crate) fn unwell(why: &AppError) -> Self {
        tracing::error!(error = why as &dyn std::error::Error, "the database does not answer");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unwell",
            "the database does not answer; the log says why",
        )
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Webhook-Signature"));
        }
        response
    }
}

/// No such path.
pub(crate) async fn not_found(uri: Uri) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not-found", format!("there is nothing at {}", uri.path()))
}

/// The path is there, but not for this method.
pub(crate) async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "wrong-method",
        format!("{} does not take {method}", uri.path()),
    )
}

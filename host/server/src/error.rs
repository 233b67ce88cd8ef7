//! The one error of the API, made at the edge: causes are logged, never sent.

use axum::{
    Json,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use relata_app::{AccessError, AppError, IngestError, IntakeError, ItemError, model::FieldError};
use serde::Serialize;
use utoipa::ToSchema;

/// What a caller is told, as `application/problem+json` (RFC 9457): a status,
/// a word for programs and a sentence for people.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ApiError {
    /// Which page describes this kind of error; `about:blank`: the status says
    /// it all.
    #[schema(value_type = String)]
    r#type: Kind,
    /// The status in words.
    title: &'static str,
    /// The status of the answer.
    #[serde(serialize_with = "number")]
    #[schema(value_type = u16)]
    status: StatusCode,
    /// A sentence for people.
    detail: String,
    /// A word for programs: `not-found`.
    code: &'static str,
    /// All that is wrong with what was sent, a field each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ItemError>,
    /// How whoever calls can prove who it is, for `WWW-Authenticate`.
    #[serde(skip)]
    challenge: Option<&'static str>,
    /// After how many seconds it is worth another try.
    #[serde(skip)]
    retry_after: Option<u32>,
}

/// Which page describes a kind of error.
#[derive(Debug, Clone, Copy, Serialize)]
enum Kind {
    /// None: the status says it all.
    #[serde(rename = "about:blank")]
    Blank,
}

fn number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            r#type: Kind::Blank,
            title: status.canonical_reason().unwrap_or("Error"),
            status,
            detail: detail.into(),
            code,
            errors: Vec::new(),
            challenge: None,
            retry_after: None,
        }
    }

    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    /// The caller is not known; how to prove who it is.
    pub(crate) fn unknown(
        challenge: &'static str,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        let error = Self::new(StatusCode::UNAUTHORIZED, code, detail);
        Self { challenge: Some(challenge), ..error }
    }

    /// There is too much to do now; after how many seconds to try again.
    pub(crate) fn busy(detail: impl Into<String>, seconds: u32) -> Self {
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", detail);
        Self { retry_after: Some(seconds), ..error }
    }

    /// What was sent is wrong, all of it.
    pub(crate) fn invalid(errors: Vec<ItemError>) -> Self {
        let detail = "nothing of this was done; `errors` says what is wrong";
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail) }
    }

    /// A use case did not work: the caller can mend it, or we can.
    pub(crate) fn of(why: AppError) -> Self {
        if why.is_wrong_input() {
            return Self::new(StatusCode::BAD_REQUEST, "wrong", why.to_string());
        }
        Self::unwell(&why)
    }

    /// What was sent is not taken in.
    pub(crate) fn not_taken(why: IngestError) -> Self {
        let detail = why.to_string();
        match why {
            IngestError::Invalid(errors) => Self { detail, ..Self::invalid(errors) },
            IngestError::NoObject(_) => Self::new(StatusCode::NOT_FOUND, "not-found", detail),
            IngestError::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, "object", detail),
            IngestError::KeyReused => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "key-reused", detail)
            }
            IngestError::WrongKey(_) => Self::new(StatusCode::BAD_REQUEST, "wrong-key", detail),
            IngestError::App(why) => Self::of(why),
        }
    }

    /// A customer's message is not taken in.
    pub(crate) fn no_message(why: IntakeError) -> Self {
        let detail = why.to_string();
        match why {
            IntakeError::Invalid(errors) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail).with(errors)
            }
            IntakeError::KeyReused => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "key-reused", detail)
            }
            IntakeError::Unrelated => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unrelated", detail)
            }
            IntakeError::WrongKey(_) => Self::new(StatusCode::BAD_REQUEST, "wrong-key", detail),
            IntakeError::TooMany(_) => Self::busy(detail, 3_600),
            IntakeError::App(why) => Self::of(why),
        }
    }

    /// A record is not seen or changed.
    pub(crate) fn no_access(why: AccessError) -> Self {
        let detail = why.to_string();
        match why {
            AccessError::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, "forbidden", detail),
            AccessError::NotFound(_) => Self::new(StatusCode::NOT_FOUND, "not-found", detail),
            AccessError::Conflict { .. } => {
                Self::new(StatusCode::PRECONDITION_FAILED, "changed", detail)
            }
            AccessError::Invalid(errors) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail).with(errors)
            }
            AccessError::App(why) => Self::of(why),
        }
    }

    /// The same, with all that is wrong.
    pub(crate) fn with(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors
            .into_iter()
            .map(|FieldError { field, why }| ItemError { item: None, field, why })
            .collect();
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
        let (challenge, retry_after) = (self.challenge, self.retry_after);
        let mut response = (self.status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(challenge) = challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Refuses an address with U+0000 in it, a character that PostgreSQL cannot
/// keep and that nothing has in its name.
pub(crate) async fn no_nul(request: Request, next: Next) -> Response {
    if request.uri().to_string().contains("%00") {
        let why = "the address has %00 in it, a character that no text can have";
        return ApiError::new(StatusCode::BAD_REQUEST, "nul", why).into_response();
    }
    next.run(request).await
}

/// No such path. A browser gets a page.
pub(crate) async fn not_found(uri: Uri, headers: HeaderMap) -> Response {
    relata_console::not_found(&headers).unwrap_or_else(|| {
        let what = format!("there is nothing at {}", uri.path());
        ApiError::new(StatusCode::NOT_FOUND, "not-found", what).into_response()
    })
}

/// The path is there, but not for this method.
pub(crate) async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "wrong-method",
        format!("{} does not take {method}", uri.path()),
    )
}

//! `POST /hooks/NAME`: other programs start workflows.

use axum::{
    Json,
    extract::{Path, Request, State},
    http::StatusCode,
};
use relata_app::{WebhookCall, WebhookError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Api,
    error::ApiError,
    openapi::{BodyProblems, CallerProblems, MissingProblem},
};

/// The longest body, bytes.
pub(crate) const LONGEST_BODY: usize = 1 << 20;

/// That a call is in the event log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Received {
    /// The event that it is.
    event: String,
    /// Whether a call with this id came before; then this one did nothing.
    repeated: bool,
    /// The fields of the body that no input of a workflow takes.
    ignored: Vec<String>,
}

/// Starts the workflows that have this webhook.
///
/// It is signed as <https://www.standardwebhooks.com> describes it, unless the
/// workflow lets everybody call.
#[utoipa::path(
    post,
    path = "/hooks/{name}",
    operation_id = "receiveWebhook",
    tag = "events",
    params(
        ("name" = String, Path, description = "The webhook's name, as a workflow says it."),
        ("webhook-id" = Option<String>, Header, description = "The call's id; a second call of the same id does nothing."),
        ("webhook-timestamp" = Option<String>, Header, description = "When it was signed, seconds since 1970 UTC."),
        ("webhook-signature" = Option<String>, Header, description = "`v1,…`, one or several with spaces between."),
    ),
    request_body(content = serde_json::Map<String, serde_json::Value>, description = "The workflow's inputs."),
    responses(
        (status = 202, description = "The call is in the event log.", body = Received),
        (status = 200, description = "It was there before.", body = Received),
        BodyProblems,
        MissingProblem,
        CallerProblems,
    )
)]
pub(crate) async fn receive(
    State(Api { app, gate, .. }): State<Api>,
    Path(name): Path<String>,
    request: Request,
) -> Result<(StatusCode, Json<Received>), ApiError> {
    let _room = gate.enter(&app)?;
    let headers = request.headers().clone();
    let body = gate.body(request, LONGEST_BODY).await?;
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let call = WebhookCall {
        name: &name,
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        body: &body.bytes,
    };
    let receipt = app.receive_webhook(call).await.map_err(|why| refused(&name, why))?;
    let status = if receipt.repeated { StatusCode::OK } else { StatusCode::ACCEPTED };
    let received = Received {
        event: receipt.event.to_string(),
        repeated: receipt.repeated,
        ignored: receipt.ignored,
    };
    Ok((status, Json(received)))
}

fn refused(name: &str, why: WebhookError) -> ApiError {
    let detail = why.to_string();
    match why {
        WebhookError::Unknown => {
            ApiError::new(StatusCode::NOT_FOUND, "not-found", format!("{detail} as `{name}`"))
        }
        WebhookError::Signature => ApiError::unknown("Webhook-Signature", "signature", detail),
        WebhookError::NotSetUp => {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "not-set-up", detail)
        }
        WebhookError::LongId => ApiError::new(StatusCode::BAD_REQUEST, "long-id", detail),
        WebhookError::NoObject(_) => ApiError::new(StatusCode::BAD_REQUEST, "no-object", detail),
        WebhookError::Inputs(wrong) => {
            ApiError::new(StatusCode::BAD_REQUEST, "inputs", detail).with(wrong)
        }
        WebhookError::App(why) => ApiError::unwell(&why),
    }
}

//! `POST /v1/messages`: another program brings a customer's message: a chat, a
//! social network, a telephone system.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use relata_app::{Scope, TakenMessage};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    Api,
    batch::idempotency_key,
    error::ApiError,
    openapi::{BodyProblems, CallerProblems, ContentProblems, MissingProblem},
    records::{allowed, object_of},
};

/// A customer's message as it is sent. Only the body's description: it is read
/// by hand, so that all that is wrong with it is told at once.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it describes a body")]
pub(crate) struct CustomersMessage {
    /// The sender's mail address.
    from: String,
    /// What it says.
    text: String,
    /// The sender's name, for a contact that is new.
    name: Option<String>,
    /// What it is about, in a line.
    subject: Option<String>,
    /// How it came: `mail`, `web`, `chat`, `phone` or `api`.
    channel: Option<String>,
    /// What its channel calls it.
    id: Option<String>,
    /// The messages that it answers, by what their channel calls them, the
    /// nearest first.
    answers: Option<Vec<String>>,
    /// When it was sent, RFC 3339.
    sent_at: Option<String>,
    /// The language of a contact that is new.
    locale: Option<String>,
    /// Whether a machine wrote it. Then it opens and reopens no ticket.
    automatic: Option<bool>,
    /// Further fields of a ticket that it opens.
    ticket: Option<Map<String, Value>>,
    /// The files that come with it.
    attachments: Option<Vec<MessageFile>>,
}

/// A file that comes with a message.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it describes a part of a body")]
struct MessageFile {
    /// What it is called.
    name: Option<String>,
    /// Its media type, `application/pdf`.
    r#type: Option<String>,
    /// What is in it, in base64.
    content: String,
}

/// What became of a message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Taken {
    #[serde(flatten)]
    taken: TakenMessage,
    /// Whether it came before; then it did nothing.
    repeated: bool,
}

/// Takes in a customer's message: it finds or opens its ticket.
///
/// 201 once the message is on the disk, with its ticket.
#[utoipa::path(
    post,
    path = "/v1/messages",
    operation_id = "sendMessage",
    tag = "records",
    params(
        ("idempotency-key" = Option<String>, Header, min_length = 1, max_length = 255, description = "A key of this message: the same again does nothing."),
    ),
    request_body = CustomersMessage,
    responses(
        (status = 201, description = "It is on the disk, with its ticket.", body = Taken),
        BodyProblems,
        MissingProblem,
        ContentProblems,
        CallerProblems,
    ),
    security(("token" = ["messages:write"]))
)]
pub(crate) async fn send(
    State(Api { app, gate, .. }): State<Api>,
    request: Request,
) -> Result<(StatusCode, Json<Taken>), ApiError> {
    let caller = allowed(&app, request.headers(), Scope::MessagesWrite, "message").await?;
    for object in ["contact", "ticket"] {
        allowed(&app, request.headers(), Scope::MessagesWrite, object).await?;
    }
    let _room = gate.enter(&app)?;
    let key = idempotency_key(request.headers())?;
    let body = gate.body(request, gate.longest()).await?;
    let fields = object_of(&body.bytes)?;
    let mut message = app.read_message(&fields).map_err(ApiError::no_message)?;
    message.key = key;
    let taken = app.take_in(message, &caller.actor()).await.map_err(ApiError::no_message)?;
    let repeated = taken.repeated;
    Ok((StatusCode::CREATED, Json(Taken { taken, repeated })))
}

//! `/v1/messages/{key}/attachments`: the files that came with a message, for
//! whoever may see the message.

use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use relata_app::{Scope, attachment_disposition, store::Attachment as StoredAttachment};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Api,
    error::ApiError,
    openapi::{CallerProblems, MissingProblem},
    records::allowed,
};

/// The object that files are of.
const OBJECT: &str = "message";

/// A file that came with a message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Attachment {
    /// Which of the message's files it is, from 1.
    number: u32,
    /// What its sender calls it.
    name: Option<String>,
    /// Its media type, as its sender says.
    r#type: String,
    /// How long it is, bytes.
    size: u64,
    /// The SHA-256 of its contents, in hexadecimal; null where it was too large
    /// to be kept.
    sha256: Option<String>,
}

impl From<StoredAttachment> for Attachment {
    fn from(file: StoredAttachment) -> Self {
        Self {
            number: file.place,
            name: file.name,
            r#type: file.media_type,
            size: file.size,
            sha256: file.sha256,
        }
    }
}

/// The files of a message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Attachments {
    /// In the order in which they came.
    attachments: Vec<Attachment>,
}

/// Lists the files that came with a message.
#[utoipa::path(
    get,
    path = "/v1/messages/{key}/attachments",
    operation_id = "listAttachments",
    tag = "records",
    params(("key" = String, Path, description = "The message's id or external id.")),
    responses(
        (status = 200, description = "In the order in which they came.", body = Attachments),
        MissingProblem,
        CallerProblems,
    ),
    security(("token" = ["records:read"]))
)]
pub(crate) async fn list(
    State(Api { app, gate, .. }): State<Api>,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Attachments>, ApiError> {
    let caller = allowed(&app, &headers, Scope::RecordsRead, OBJECT).await?;
    let _room = gate.enter_to_read()?;
    let files = app.attachments_as(caller.viewer(), &key).await.map_err(ApiError::no_access)?;
    Ok(Json(Attachments { attachments: files.into_iter().map(Attachment::from).collect() }))
}

/// What is in a file that came with a message, with its SHA-256 as the `ETag`.
///
/// It comes as bytes, whatever its sender says that they are: the list says so.
#[utoipa::path(
    get,
    path = "/v1/messages/{key}/attachments/{number}",
    operation_id = "readAttachment",
    tag = "records",
    params(
        ("key" = String, Path, description = "The message's id or external id."),
        ("number" = String, Path, description = "Which of its files, from 1."),
        ("if-none-match" = Option<String>, Header, description = "The `ETag` of what is known already."),
    ),
    responses(
        (status = 200, description = "Its bytes.", body = String, content_type = "application/octet-stream", headers(("etag" = String, description = "The SHA-256 of its contents."))),
        (status = 304, description = "It is what is known already."),
        MissingProblem,
        CallerProblems,
    ),
    security(("token" = ["records:read"]))
)]
pub(crate) async fn read(
    State(Api { app, gate, .. }): State<Api>,
    Path((key, number)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let caller = allowed(&app, &headers, Scope::RecordsRead, OBJECT).await?;
    let room = gate.enter_to_read()?;
    let file = app.attachment_as(caller.viewer(), &key, &number).await;
    let file = file.map_err(ApiError::no_access)?;
    let Some(sha256) = &file.sha256 else {
        let why = format!("{}'s file {number} was too large to be kept", file.record);
        return Err(ApiError::new(StatusCode::NOT_FOUND, "not-kept", why));
    };
    let tag = format!("\"{sha256}\"");
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tag| tag.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|known| known.trim() == tag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    // The place is held until the last piece is sent.
    let pieces = futures::StreamExt::inspect(app.attachment_content(&file), move |_| {
        let _held = &room;
    });
    let told = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, attachment_disposition(&file)),
        (header::ETAG, tag),
        (header::CONTENT_LENGTH, file.size.to_string()),
    ];
    let safe = [(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))];
    Ok((told, safe, Body::from_stream(pieces)).into_response())
}

//! `GET /v1/openapi.json`: the API described, as OpenAPI 3.1. What does not
//! depend on the company stands beside its handlers; the records are described
//! by the company's objects, its own fields among them.

mod objects;
mod problems;
mod records;

use axum::{Json, extract::State, http::HeaderMap};
use relata_app::App;
use serde_json::Value;
use utoipa::{
    OpenApi as _,
    openapi::{
        OpenApi,
        schema::Components,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

pub(crate) use self::{
    problems::{
        BodyProblems, CallerProblems, ContentProblems, GoneProblems, MissingProblem, QueryProblems,
        RevisionProblems, StandingProblems,
    },
    records::{NewRecords, Record, RecordFields, RecordFilter, one_or_several},
};

use crate::{Api, auth::known, error::ApiError};

/// What every document begins with.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Relata",
        description = "Other programs send what happened, keep records, and see what the workflows \
                       made of it. Every error is `application/problem+json`; after 408, 429, 503 or \
                       no answer at all, send the same request again with the same `Idempotency-Key`."
    ),
    components(schemas(ApiError, relata_app::ChangeView)),
    tags(
        (name = "events", description = "What happened, told by other programs."),
        (name = "records", description = "The company's records. Each object has paths of its own, under its name."),
        (name = "workflows", description = "What is done by itself."),
        (name = "runs", description = "What the workflows do."),
        (name = "approvals", description = "The questions that runs ask people."),
        (name = "outbox", description = "What goes out to the world."),
        (name = "plugins", description = "Where the actions of steps come from."),
        (name = "routing", description = "Who gets a ticket."),
        (name = "audit", description = "Who did what, and what was refused."),
        (name = "host", description = "The host itself."),
    )
)]
struct Beginning;

/// The document before it has paths.
pub(crate) fn beginning() -> OpenApi {
    let mut document = Beginning::openapi();
    let components = document.components.get_or_insert_with(Components::new);
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("`relata token create` makes one; it says what it may do."))
        .build();
    components.add_security_scheme("token", SecurityScheme::Http(token));
    components.responses.extend(problems::all());
    document
}

/// What a document of this company says of the records that are shown to
/// `seen`.
pub(crate) fn of_company(template: &Value, app: &App, seen: impl Fn(&str) -> bool) -> Value {
    let mut document = template.clone();
    let objects = app.objects();
    let shown = objects.iter().filter(|object| seen(&object.name));
    records::describe(&mut document, shown);
    document
}

/// This document, with the objects that the token is for.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    operation_id = "describeApi",
    tag = "host",
    description = "For any token, whatever it may do. It has the records that the token is for.",
    responses((status = 200, description = "The document.", body = Value), CallerProblems),
    security(("token" = []))
)]
pub(crate) async fn show(
    State(Api { app, gate, document }): State<Api>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let caller = known(&app, &headers).await?;
    let _room = gate.enter_to_read()?;
    Ok(Json(of_company(&document, &app, |object| caller.may_touch(object))))
}

//! `/v1/workflows`: which there are, their texts, and which are active.

use axum::{
    Json,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode},
};
use relata_app::{
    Activation, App, ItemError, Running, Scope, WorkflowDetail, WorkflowRow,
    workflow::{Diagnostic, Head, head},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Api,
    auth::caller,
    error::ApiError,
    openapi::{BodyProblems, CallerProblems, ContentProblems, MissingProblem, StandingProblems},
};

/// The longest text of a workflow, bytes.
const LONGEST_TEXT: usize = 1 << 20;

/// The workflows that are or were active.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Workflows {
    /// By name.
    workflows: Vec<WorkflowRow>,
}

/// Which version is to be active.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Its text; a new version where it is another than before.
    yaml: Option<String>,
    /// The digest of a version that was active before.
    version: Option<String>,
    /// What becomes of the runs that go on on another version: they `finish` on
    /// it, which is what happens if nothing is said, `restart` on this one, or
    /// are to `cancel`.
    #[serde(default)]
    running: Older,
}

/// What becomes of the runs that go on on another version.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Older {
    #[default]
    Finish,
    Restart,
    Cancel,
}

/// That a workflow is no longer active.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Deactivated {
    /// Its name.
    workflow: String,
    /// False.
    active: bool,
}

/// Lists the workflows that are or were active.
#[utoipa::path(
    get,
    path = "/v1/workflows",
    operation_id = "listWorkflows",
    tag = "workflows",
    responses((status = 200, description = "By name.", body = Workflows), CallerProblems),
    security(("token" = ["workflows:read"]))
)]
pub(crate) async fn list(
    State(Api { app, gate, .. }): State<Api>,
    headers: HeaderMap,
) -> Result<Json<Workflows>, ApiError> {
    caller(&app, &headers, Scope::WorkflowsRead).await?;
    let _room = gate.enter_to_read()?;
    let workflows = app.workflows().await.map_err(ApiError::of)?;
    Ok(Json(Workflows { workflows }))
}

/// Shows a workflow: its text, its versions, what starts it.
#[utoipa::path(
    get,
    path = "/v1/workflows/{name}",
    operation_id = "showWorkflow",
    tag = "workflows",
    params(("name" = String, Path, description = "The workflow's name.")),
    responses(
        (status = 200, description = "The workflow.", body = WorkflowDetail),
        MissingProblem,
        CallerProblems,
    ),
    security(("token" = ["workflows:read"]))
)]
pub(crate) async fn show(
    State(Api { app, gate, .. }): State<Api>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Json<WorkflowDetail>, ApiError> {
    caller(&app, &headers, Scope::WorkflowsRead).await?;
    let _room = gate.enter_to_read()?;
    let workflow = app.workflow(&name).await.map_err(ApiError::of)?;
    workflow.map(Json).ok_or_else(|| gone(&name))
}

/// Activates a version of a workflow, a new one or one that was active before.
///
/// From then on its triggers start runs of this version. Where it is active
/// already, nothing changes.
#[utoipa::path(
    post,
    path = "/v1/workflows/{name}/activate",
    operation_id = "activateWorkflow",
    tag = "workflows",
    params(("name" = String, Path, description = "The workflow's name.")),
    request_body = Wanted,
    responses(
        (status = 200, description = "It is active.", body = Activation),
        BodyProblems,
        MissingProblem,
        ContentProblems,
        CallerProblems,
    ),
    security(("token" = ["workflows:write"]))
)]
pub(crate) async fn activate(
    State(Api { app, gate, .. }): State<Api>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<Activation>, ApiError> {
    let caller = caller(&app, request.headers(), Scope::WorkflowsWrite).await?;
    let _room = gate.enter(&app)?;
    let body = gate.body(request, LONGEST_TEXT).await?;
    let wanted: Wanted = serde_json::from_slice(&body.bytes).map_err(|why| {
        let why = format!("the body does not read ({why}); send {{\"yaml\": \"workflow: …\"}}");
        ApiError::new(StatusCode::BAD_REQUEST, "no-json", why)
    })?;
    let source = match (wanted.yaml, wanted.version) {
        (Some(yaml), None) => yaml,
        (None, Some(digest)) => {
            let known = app.workflow_text(&digest).await.map_err(ApiError::of)?;
            let known = known.filter(|(workflow, _)| *workflow == name);
            known.map(|(_, yaml)| yaml).ok_or_else(|| {
                invalid("version", format!("`{name}` was never active in this version"))
            })?
        }
        _ => return Err(invalid("yaml", "send either `yaml` or `version`")),
    };
    check(&app, &name, &source).await?;
    let running = match wanted.running {
        Older::Finish => Running::Finish,
        Older::Restart => Running::Restart,
        Older::Cancel => Running::Cancel,
    };
    let activated = app.activate(&file(&name), &source, &caller.actor(), running).await;
    activated.map(Json).map_err(ApiError::of)
}

/// Ends a workflow's triggers. Its runs go on.
#[utoipa::path(
    post,
    path = "/v1/workflows/{name}/deactivate",
    operation_id = "deactivateWorkflow",
    tag = "workflows",
    params(("name" = String, Path, description = "The workflow's name.")),
    responses(
        (status = 200, description = "It is active no longer.", body = Deactivated),
        MissingProblem,
        StandingProblems,
        CallerProblems,
    ),
    security(("token" = ["workflows:write"]))
)]
pub(crate) async fn deactivate(
    State(Api { app, gate, .. }): State<Api>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Deactivated>, ApiError> {
    caller(&app, &headers, Scope::WorkflowsWrite).await?;
    let _room = gate.enter(&app)?;
    if app.workflow(&name).await.map_err(ApiError::of)?.is_none() {
        return Err(gone(&name));
    }
    match app.deactivate(&name).await {
        Ok(()) => Ok(Json(Deactivated { workflow: name, active: false })),
        Err(why) if why.is_wrong_input() => {
            Err(ApiError::new(StatusCode::CONFLICT, "not-active", why.to_string()))
        }
        Err(why) => Err(ApiError::of(why)),
    }
}

/// Whether a text is a workflow of this name without errors.
async fn check(app: &App, name: &str, source: &str) -> Result<(), ApiError> {
    let told = match head(source) {
        Some(Head::Workflow(told) | Head::Instance { workflow: told, .. }) => Some(told),
        Some(Head::Blueprint(_)) | None => None,
    };
    if let Some(told) = told.filter(|told| told != name) {
        let why = format!("is of the workflow `{}`, not `{name}`", short(&told));
        return Err(invalid("yaml", why));
    }
    let sources = [(file(name), source.to_owned())];
    let checked = app.check(&sources).await.map_err(ApiError::of)?;
    let found = checked.iter().flat_map(|(.., found)| found);
    let errors: Vec<ItemError> = found.filter(|found| found.is_error()).map(at_its_line).collect();
    if !errors.is_empty() {
        return Err(ApiError::invalid(errors));
    }
    if checked.iter().all(|(_, definition, _)| definition.is_none()) {
        return Err(invalid("yaml", "is a blueprint; activate the workflows that are made of it"));
    }
    Ok(())
}

fn at_its_line(found: &Diagnostic) -> ItemError {
    let field = format!("yaml, line {}, column {}", found.span.line, found.span.column);
    ItemError { item: None, field, why: format!("{}: {}", found.code, found.sentence()) }
}

fn invalid(field: &str, why: impl Into<String>) -> ApiError {
    ApiError::invalid(vec![ItemError { item: None, field: field.to_owned(), why: why.into() }])
}

fn gone(name: &str) -> ApiError {
    let why = format!("there is no workflow `{}`", short(name));
    ApiError::new(StatusCode::NOT_FOUND, "not-found", why)
}

/// What the text would be called as a file.
fn file(name: &str) -> String {
    format!("{name}.yaml")
}

fn short(name: &str) -> String {
    relata_app::model::text::shortened(name, 60)
}

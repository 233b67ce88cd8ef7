//! `/v1/approvals`: the questions that runs ask people, and the answers.

use axum::{
    Json,
    extract::{Path, Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
};
use relata_app::{
    AccessError, Answered, App, ApprovalFilter, ApprovalView, Caller, NewAnswer, Scope,
    model::{Act, Reference},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Api,
    auth::refused,
    batch::{Parameters, only, read, wrong},
    error::ApiError,
    openapi::{BodyProblems, CallerProblems, MissingProblem, QueryProblems, StandingProblems},
    records::allowed,
};

/// The object of the questions.
const OBJECT: &str = "approval";

/// Questions, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Approvals {
    /// The oldest first.
    approvals: Vec<ApprovalView>,
}

/// An answer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    /// One of the question's answers.
    answer: String,
    /// The user who gives it, `user/anna`.
    by: String,
    /// More to it.
    comment: Option<String>,
}

/// Lists the questions that runs ask people and that are open.
#[utoipa::path(
    get,
    path = "/v1/approvals",
    operation_id = "listApprovals",
    tag = "approvals",
    params(
        ("user" = Option<String>, Query, description = "Those that this user may answer, `user/anna`."),
        ("role" = Option<String>, Query, description = "Those that are asked of this role."),
        ("all" = Option<bool>, Query, description = "Those that were answered or have expired as well."),
    ),
    responses(
        (status = 200, description = "The oldest first.", body = Approvals),
        QueryProblems,
        CallerProblems,
    ),
    security(("token" = ["records:read"]))
)]
pub(crate) async fn list(
    State(Api { app, gate, .. }): State<Api>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<Approvals>, ApiError> {
    let caller = allowed(&app, &headers, Scope::RecordsRead, OBJECT).await?;
    let _room = gate.enter_to_read()?;
    let mut parameters = read(parameters)?;
    only(&parameters, &["user", "role", "all"])?;
    let user = parameters.remove("user").map(|user| user.parse::<Reference>()).transpose();
    let all = parameters.remove("all").map(|all| all.parse::<bool>()).transpose();
    let user = user.map_err(|why| wrong(format!("`user`: {why}")))?;
    let viewer = caller.viewer();
    let user = match viewer.user() {
        // Who does not see all sees what they are asked.
        Some(asked) if !viewer.may_all(OBJECT, Act::See) => {
            speaks_for(&app, &caller, user.as_ref().unwrap_or(asked)).await?;
            Some(asked.clone())
        }
        _ => user,
    };
    let filter = ApprovalFilter {
        user,
        role: parameters.remove("role"),
        all: all.map_err(|_| wrong("`all` takes true or false"))?.unwrap_or(false),
    };
    let approvals = app.approvals(&filter).await.map_err(ApiError::of)?;
    Ok(Json(Approvals { approvals }))
}

/// Answers a question. The run that asked goes on as soon as the host comes to
/// it.
///
/// The token of a program speaks for the user whom it names, that of a user for
/// nobody else; the user must be one of those who are asked.
#[utoipa::path(
    post,
    path = "/v1/approvals/{id}/answer",
    operation_id = "answerApproval",
    tag = "approvals",
    params(("id" = String, Path, description = "The question's id.")),
    request_body = Answer,
    responses(
        (status = 200, description = "It is answered.", body = Answered),
        BodyProblems,
        MissingProblem,
        StandingProblems,
        CallerProblems,
    ),
    security(("token" = ["records:write"]))
)]
pub(crate) async fn answer(
    State(Api { app, gate, .. }): State<Api>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Answered>, ApiError> {
    let caller = allowed(&app, request.headers(), Scope::RecordsWrite, OBJECT).await?;
    let _room = gate.enter(&app)?;
    let body = gate.body(request, gate.longest()).await?;
    let given: Answer = serde_json::from_slice(&body.bytes).map_err(|why| {
        let why = format!(
            "the body does not read ({why}); send {{\"answer\": \"yes\", \"by\": \"user/anna\"}}"
        );
        ApiError::new(StatusCode::BAD_REQUEST, "no-json", why)
    })?;
    let by = given.by.parse::<Reference>();
    let by =
        by.map_err(|why| ApiError::new(StatusCode::BAD_REQUEST, "wrong", format!("`by`: {why}")))?;
    speaks_for(&app, &caller, &by).await?;
    let approval = the_approval(&app, id).await?;
    let new = NewAnswer { approval, answer: given.answer, by, comment: given.comment };
    app.answer_approval(&new).await.map(Json).map_err(|why| match why.is_wrong_input() {
        // What is asked, of whom and until when stands in its way.
        true => ApiError::new(StatusCode::CONFLICT, "not-answered", why.to_string()),
        false => ApiError::of(why),
    })
}

/// Refuses who is somebody else.
async fn speaks_for(app: &App, caller: &Caller, named: &Reference) -> Result<(), ApiError> {
    let Some(user) = caller.viewer().user() else { return Ok(()) };
    let named = app.record(named).await.map_err(ApiError::of)?.reference;
    if named == *user {
        return Ok(());
    }
    let why = format!("the token `{}` speaks for {user} alone", caller.name());
    Err(refused(app, caller, &named.to_string(), "forbidden", why).await)
}

async fn the_approval(app: &App, id: String) -> Result<Reference, ApiError> {
    let reference = Reference::new(OBJECT, id);
    let found = app.store().record_fetch(&reference).await;
    let found = found.map_err(|why| ApiError::of(why.into()))?;
    found
        .map(|record| record.reference)
        .ok_or_else(|| ApiError::no_access(AccessError::NotFound(reference)))
}

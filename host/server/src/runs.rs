//! `GET /v1/runs`, `GET /v1/runs/{id}`, `POST /v1/runs/{id}/cancel`, `POST
//! /v1/runs/{id}/retry`.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
};
use relata_app::{
    App, Assignment, Caller, Retried, RetryRequest, RunHistory, RunView, Scope,
    model::{Reference, RunId, Timestamp},
    store::{RunFilter, RunRow, RunStatus},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    Api,
    auth::{caller, refused},
    batch::{Parameters, only, page_size, read, wrong},
    error::ApiError,
    openapi::{BodyProblems, CallerProblems, MissingProblem, QueryProblems, StandingProblems},
};

/// How many runs a page has where nobody says.
const USUAL_PAGE: u32 = 50;

/// How many it has at the most.
const LONGEST_PAGE: u32 = 500;

/// The longest reason for a cancellation, characters.
const LONGEST_WHY: usize = 500;

/// A page of runs, the newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunPage)]
pub(crate) struct Page {
    /// The runs.
    runs: Vec<RunView>,
    /// Where the next page begins; none on the last one.
    next: Option<String>,
}

/// That a run will end.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Cancelled {
    /// The run.
    #[schema(value_type = String)]
    run: RunId,
    /// True.
    cancelled: bool,
    /// Why.
    why: String,
}

/// Why a run is to end.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// For people; more than 500 characters are cut.
    why: Option<String>,
}

/// How a run that has ended is to go on.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Again {
    /// The step: its path, its `as` name or its line; the one that failed, if
    /// it is left out.
    from: Option<String>,
    /// Values that are others from now on, by name.
    #[serde(default)]
    set: BTreeMap<String, Value>,
    /// For people; more than 500 characters are cut.
    why: Option<String>,
}

/// Finds runs, the newest first, a page at a time.
#[utoipa::path(
    get,
    path = "/v1/runs",
    operation_id = "listRuns",
    tag = "runs",
    params(
        ("workflow" = Option<String>, Query, description = "The runs of this workflow."),
        ("status" = inline(Option<RunStanding>), Query, description = "Those that stand so."),
        ("record" = Option<String>, Query, description = "Those about this record, `ticket/t1`."),
        ("since" = Option<String>, Query, format = DateTime, description = "Those that began then or later."),
        ("until" = Option<String>, Query, format = DateTime, description = "Those that began before."),
        ("error" = Option<String>, Query, description = "Those whose reason for the end has this text in it."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "At most so many; 50 if left out."),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before."),
    ),
    responses(
        (status = 200, description = "The runs of this page.", body = Page),
        QueryProblems,
        CallerProblems,
    ),
    security(("token" = ["runs:read"]))
)]
pub(crate) async fn list(
    State(Api { app, gate, .. }): State<Api>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<Page>, ApiError> {
    let caller = caller(&app, &headers, Scope::RunsRead).await?;
    let _room = gate.enter_to_read()?;
    let parameters = read(parameters)?;
    let limit = page_size(&parameters, USUAL_PAGE, LONGEST_PAGE)?;
    let filter = RunFilter { objects: caller.objects().map(<[_]>::to_vec), ..filter(&parameters)? };
    if let Some(record) = filter.subject.as_ref().filter(|record| !caller.may_see(Some(record))) {
        let why = format!("the token `{}` is not for {} records", caller.name(), record.object);
        return Err(refused(&app, &caller, &record.object, "object", why).await);
    }
    let mut runs = app.runs(filter, limit + 1).await.map_err(ApiError::of)?;
    let more = runs.len() > limit as usize;
    runs.truncate(limit as usize);
    let next = runs.last().filter(|_| more).map(|run| run.run.clone());
    Ok(Json(Page { runs, next }))
}

/// How a run stands.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes a parameter")]
pub(crate) enum RunStanding {
    Active,
    Ended,
    Done,
    Stopped,
    Failed,
    Cancelled,
}

fn filter(parameters: &Parameters) -> Result<RunFilter, ApiError> {
    only(
        parameters,
        &["workflow", "status", "record", "since", "until", "error", "limit", "cursor"],
    )?;
    let given = |name: &str| parameters.get(name);
    let time = |name: &str| {
        given(name)
            .map(|at| at.parse::<Timestamp>())
            .transpose()
            .map_err(|_| wrong(format!("`{name}` takes a time such as 2026-12-24T18:00:00Z")))
    };
    let status = match given("status").map(String::as_str) {
        None => None,
        Some("active") => Some(RunStatus::Active),
        Some("ended") => Some(RunStatus::Ended),
        Some("done") => Some(RunStatus::Done),
        Some("stopped") => Some(RunStatus::Stopped),
        Some("failed") => Some(RunStatus::Failed),
        Some("cancelled") => Some(RunStatus::Cancelled),
        Some(_) => {
            return Err(wrong("`status` takes active, ended, done, stopped, failed or cancelled"));
        }
    };
    let record = given("record").map(|record| record.parse::<Reference>()).transpose();
    let cursor = given("cursor").map(|cursor| cursor.parse::<RunId>()).transpose();
    Ok(RunFilter {
        workflow: given("workflow").cloned(),
        subject: record.map_err(|why| wrong(format!("`record`: {why}")))?,
        status,
        since: time("since")?,
        until: time("until")?,
        why_has: given("error").cloned(),
        after: cursor.map_err(|_| wrong("`cursor` takes the `next` of the page before"))?,
        newest_first: true,
        ..RunFilter::default()
    })
}

/// Shows a run, and everything that it did.
#[utoipa::path(
    get,
    path = "/v1/runs/{id}",
    operation_id = "showRun",
    tag = "runs",
    params(
        ("id" = String, Path, description = "The run's id, `run_01k9…`."),
    ),
    responses(
        (status = 200, description = "The run with all its steps.", body = RunHistory),
        MissingProblem,
        CallerProblems,
    ),
    security(("token" = ["runs:read"]))
)]
pub(crate) async fn show(
    State(Api { app, gate, .. }): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<RunHistory>, ApiError> {
    let caller = caller(&app, &headers, Scope::RunsRead).await?;
    let _room = gate.enter_to_read()?;
    let row = the_run(&app, &caller, &id).await?;
    app.run_history(row.run.id).await.map(Json).map_err(ApiError::of)
}

/// Ends a run.
///
/// It ends as soon as the host comes to it.
#[utoipa::path(
    post,
    path = "/v1/runs/{id}/cancel",
    operation_id = "cancelRun",
    tag = "runs",
    params(
        ("id" = String, Path, description = "The run's id, `run_01k9…`."),
    ),
    request_body(content = Option<Wish>),
    responses(
        (status = 202, description = "It will end.", body = Cancelled),
        BodyProblems,
        MissingProblem,
        StandingProblems,
        CallerProblems,
    ),
    security(("token" = ["runs:write"]))
)]
pub(crate) async fn cancel(
    State(Api { app, gate, .. }): State<Api>,
    Path(id): Path<String>,
    request: Request,
) -> Result<(StatusCode, Json<Cancelled>), ApiError> {
    let caller = caller(&app, request.headers(), Scope::RunsWrite).await?;
    let _room = gate.enter_to_read()?;
    let body = gate.body(request, gate.longest()).await?;
    let wish: Wish = wish(&body.bytes, "{\"why\": \"…\"}")?;
    let row = the_run(&app, &caller, &id).await?;
    let run = row.run.id;
    let why = why(wish.why, || format!("cancelled by {}", caller.actor()));
    let ended = || ApiError::new(StatusCode::CONFLICT, "ended", format!("{run} has ended already"));
    if row.ended_at.is_some() {
        return Err(ended());
    }
    match app.cancel(run, &why).await {
        Ok(()) => Ok((StatusCode::ACCEPTED, Json(Cancelled { run, cancelled: true, why }))),
        // It was there a moment ago, and has ended since.
        Err(why) if why.is_wrong_input() => Err(ended()),
        Err(why) => Err(ApiError::of(why)),
    }
}

/// Lets a run go on that has ended, at the step that failed or at another one.
#[utoipa::path(
    post,
    path = "/v1/runs/{id}/retry",
    operation_id = "retryRun",
    tag = "runs",
    params(("id" = String, Path, description = "The run's id, `run_01k9…`.")),
    request_body(content = Option<Again>),
    responses(
        (status = 202, description = "It goes on.", body = Retried),
        BodyProblems,
        MissingProblem,
        StandingProblems,
        CallerProblems,
    ),
    security(("token" = ["runs:write"]))
)]
pub(crate) async fn retry(
    State(Api { app, gate, .. }): State<Api>,
    Path(id): Path<String>,
    request: Request,
) -> Result<(StatusCode, Json<Retried>), ApiError> {
    let caller = caller(&app, request.headers(), Scope::RunsWrite).await?;
    let _room = gate.enter(&app)?;
    let body = gate.body(request, gate.longest()).await?;
    let again: Again = wish(&body.bytes, "{\"from\": \"…\"}")?;
    let row = the_run(&app, &caller, &id).await?;
    let set = again
        .set
        .into_iter()
        .map(|(field, value)| Assignment { field, written: value.to_string() });
    let request = RetryRequest {
        from: again.from,
        set: set.collect(),
        why: why(again.why, || format!("token/{} lets it go on", caller.name())),
    };
    match app.retry(row.run.id, &request).await {
        Ok(retried) => Ok((StatusCode::ACCEPTED, Json(retried))),
        Err(why) if why.is_wrong_input() => {
            Err(ApiError::new(StatusCode::CONFLICT, "not-retried", why.to_string()))
        }
        Err(why) => Err(ApiError::of(why)),
    }
}

/// What a body wishes; nothing where it is empty.
fn wish<T: Default + DeserializeOwned>(body: &[u8], such_as: &str) -> Result<T, ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(T::default());
    }
    // Null is nothing, too.
    let read: Option<T> = serde_json::from_slice(body).map_err(|why| {
        let why = format!("the body does not read ({why}); send {such_as} or nothing");
        ApiError::new(StatusCode::BAD_REQUEST, "no-json", why)
    })?;
    Ok(read.unwrap_or_default())
}

/// The reason that was given, or the usual one.
fn why(given: Option<String>, usual: impl FnOnce() -> String) -> String {
    let given = given.map(|why| why.chars().take(LONGEST_WHY).collect::<String>());
    given.filter(|why| !why.trim().is_empty()).unwrap_or_else(usual)
}

/// A run that the caller may see; one that it may not is not there.
async fn the_run(app: &App, caller: &Caller, id: &str) -> Result<RunRow, ApiError> {
    let gone = || {
        let id: String = id.chars().take(40).collect();
        ApiError::new(StatusCode::NOT_FOUND, "not-found", format!("there is no run `{id}`"))
    };
    let run: RunId = id.parse().map_err(|_| gone())?;
    let row = app.store().run_fetch(run).await.map_err(|why| ApiError::unwell(&why.into()))?;
    row.filter(|row| caller.may_see(row.run.subject.as_ref())).ok_or_else(gone)
}

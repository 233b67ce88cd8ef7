//! `GET /v1/runs`, `GET /v1/runs/{id}`, `POST /v1/runs/{id}/cancel`.

use axum::{
    Json,
    extract::{Path, Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
};
use relata_app::{
    App, Caller, RunHistory, RunView, Scope,
    model::{Reference, RunId, Timestamp},
    store::{RunFilter, RunRow, RunStatus},
};
use serde::{Deserialize, Serialize};

use crate::{
    Api,
    auth::{caller, refused},
    batch::{Parameters, only, read, wrong},
    error::ApiError,
};

/// How many runs a page has where nobody says.
const USUAL_PAGE: u32 = 50;

/// How many it has at the most.
const LONGEST_PAGE: u32 = 500;

/// The longest reason for a cancellation, characters.
const LONGEST_WHY: usize = 500;

/// A page of runs, the newest first.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    runs: Vec<RunView>,
    /// Where the next page begins; none on the last one.
    next: Option<String>,
}

/// That a run will end.
#[derive(Debug, Serialize)]
pub(crate) struct Cancelled {
    run: RunId,
    cancelled: bool,
    why: String,
}

/// Why a run is to end.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    why: Option<String>,
}

/// Runs that meet all filters of the address.
pub(crate) async fn list(
    State(Api { app, gate }): State<Api>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<Page>, ApiError> {
    let caller = caller(&app, &headers, Scope::RunsRead).await?;
    let _room = gate.enter_to_read()?;
    let parameters = read(parameters)?;
    let limit = match parameters.get("limit") {
        None => USUAL_PAGE,
        Some(limit) => limit
            .parse()
            .ok()
            .filter(|limit| (1..=LONGEST_PAGE).contains(limit))
            .ok_or_else(|| wrong(format!("`limit` takes a number from 1 to {LONGEST_PAGE}")))?,
    };
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

fn filter(parameters: &Parameters) -> Result<RunFilter, ApiError> {
    only(
        parameters,
        &["workflow", "status", "record", "since", "until", "error", "limit", "cursor"],
    )?;
    let given = |name: &str| parameters.get(name).filter(|value| !value.is_empty());
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

/// A run, and everything that it did.
pub(crate) async fn show(
    State(Api { app, gate }): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<RunHistory>, ApiError> {
    let caller = caller(&app, &headers, Scope::RunsRead).await?;
    let _room = gate.enter_to_read()?;
    let row = the_run(&app, &caller, &id).await?;
    app.run_history(row.run.id).await.map(Json).map_err(ApiError::of)
}

/// 202: the run ends as soon as the host comes to it.
pub(crate) async fn cancel(
    State(Api { app, gate }): State<Api>,
    Path(id): Path<String>,
    request: Request,
) -> Result<(StatusCode, Json<Cancelled>), ApiError> {
    let caller = caller(&app, request.headers(), Scope::RunsWrite).await?;
    let _room = gate.enter_to_read()?;
    let body = gate.body(request, gate.longest()).await?;
    let wish: Wish = if body.bytes.iter().all(u8::is_ascii_whitespace) {
        Wish::default()
    } else {
        serde_json::from_slice(&body.bytes).map_err(|why| {
            let why = format!("the body does not read ({why}); send {{\"why\": \"…\"}} or nothing");
            ApiError::new(StatusCode::BAD_REQUEST, "no-json", why)
        })?
    };
    let row = the_run(&app, &caller, &id).await?;
    let run = row.run.id;
    let why = wish.why.map(|why| why.chars().take(LONGEST_WHY).collect::<String>());
    let why = why
        .filter(|why| !why.trim().is_empty())
        .unwrap_or_else(|| format!("cancelled by {}", caller.actor()));
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

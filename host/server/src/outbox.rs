//! `/v1/outbox`: what goes out to the world, and how it stands.

use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
};
use relata_app::{
    App, AppError, Caller, EffectDetail, EffectView, Scope,
    model::{EffectId, Reference},
    store::{EffectFilter, EffectStatus},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Api,
    auth::caller,
    batch::{Parameters, only, page_size, read, wrong},
    error::ApiError,
    openapi::{CallerProblems, MissingProblem, QueryProblems, StandingProblems},
};

/// How many effects a page has where nobody says.
const USUAL_PAGE: u32 = 50;

/// How many it has at the most.
const LONGEST_PAGE: u32 = 500;

/// A page of effects.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EffectPage)]
pub(crate) struct Page {
    /// In the order of their ids, which is none of time.
    effects: Vec<EffectView>,
    /// Where the next page begins; none on the last one.
    next: Option<String>,
}

/// How an effect stands.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes a parameter")]
pub(crate) enum EffectStanding {
    Due,
    Sending,
    Sent,
    Held,
    Unknown,
    Suppressed,
    Failed,
}

/// Lists mails, notices and requests, and how they stand.
///
/// A token that is for some objects sees those that go to records of these, so
/// a page of it may have fewer than `limit`.
#[utoipa::path(
    get,
    path = "/v1/outbox",
    operation_id = "listEffects",
    tag = "outbox",
    params(
        ("status" = inline(Option<EffectStanding>), Query, description = "Those that stand so."),
        ("workflow" = Option<String>, Query, description = "Those that this workflow wanted."),
        ("to" = Option<String>, Query, description = "Those that go to this record, `contact/01k9…`."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "At most so many; 50 if left out."),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before."),
    ),
    responses(
        (status = 200, description = "The effects of this page.", body = Page),
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
    only(&parameters, &["status", "workflow", "to", "limit", "cursor"])?;
    let limit = page_size(&parameters, USUAL_PAGE, LONGEST_PAGE)?;
    let filter = filter(&parameters)?;
    let mut effects = app.effects_page(&filter, limit + 1).await.map_err(ApiError::of)?;
    let more = effects.len() > limit as usize;
    effects.truncate(limit as usize);
    let next = effects.last().filter(|_| more).map(|effect| effect.effect.clone());
    effects.retain(|effect| may_see(&caller, effect));
    Ok(Json(Page { effects, next }))
}

fn filter(parameters: &Parameters) -> Result<EffectFilter, ApiError> {
    let given = |name: &str| parameters.get(name);
    let status = given("status").map(|word| {
        EffectStatus::ALL.into_iter().find(|status| status.as_str() == word).ok_or_else(|| {
            let all = EffectStatus::ALL.map(EffectStatus::as_str);
            wrong(format!("`status` takes one of {}", all.join(", ")))
        })
    });
    let recipient = given("to").map(|to| to.parse::<Reference>()).transpose();
    let after = given("cursor").map(|cursor| cursor.parse::<EffectId>()).transpose();
    Ok(EffectFilter {
        workflow: given("workflow").cloned(),
        recipient: recipient.map_err(|why| wrong(format!("`to`: {why}")))?,
        status: status.transpose()?,
        after: after.map_err(|_| wrong("`cursor` takes the `next` of the page before"))?,
        ..EffectFilter::default()
    })
}

/// Shows what goes out, with its text.
#[utoipa::path(
    get,
    path = "/v1/outbox/{id}",
    operation_id = "showEffect",
    tag = "outbox",
    params(("id" = String, Path, description = "The effect's id, `fx_01k9…`.")),
    responses(
        (status = 200, description = "The effect with its text.", body = EffectDetail),
        MissingProblem,
        CallerProblems,
    ),
    security(("token" = ["runs:read"]))
)]
pub(crate) async fn show(
    State(Api { app, gate, .. }): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<EffectDetail>, ApiError> {
    let caller = caller(&app, &headers, Scope::RunsRead).await?;
    let _room = gate.enter_to_read()?;
    the_effect(&app, &caller, &id).await.map(|(_, detail)| Json(detail))
}

/// Sends after all what is held, unknown or failed.
#[utoipa::path(
    post,
    path = "/v1/outbox/{id}/release",
    operation_id = "releaseEffect",
    tag = "outbox",
    params(("id" = String, Path, description = "The effect's id, `fx_01k9…`.")),
    responses(
        (status = 200, description = "It is due.", body = EffectDetail),
        MissingProblem,
        StandingProblems,
        CallerProblems,
    ),
    security(("token" = ["runs:write"]))
)]
pub(crate) async fn release(
    State(Api { app, gate, .. }): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<EffectDetail>, ApiError> {
    let caller = caller(&app, &headers, Scope::RunsWrite).await?;
    let _room = gate.enter(&app)?;
    let (effect, _) = the_effect(&app, &caller, &id).await?;
    app.effect_resume(effect).await.map_err(stands_otherwise)?;
    app.effect(effect).await.map(Json).map_err(ApiError::of)
}

/// Drops what has not gone out.
#[utoipa::path(
    post,
    path = "/v1/outbox/{id}/drop",
    operation_id = "dropEffect",
    tag = "outbox",
    params(("id" = String, Path, description = "The effect's id, `fx_01k9…`.")),
    responses(
        (status = 200, description = "It will not go out.", body = EffectDetail),
        MissingProblem,
        StandingProblems,
        CallerProblems,
    ),
    security(("token" = ["runs:write"]))
)]
pub(crate) async fn discard(
    State(Api { app, gate, .. }): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<EffectDetail>, ApiError> {
    let caller = caller(&app, &headers, Scope::RunsWrite).await?;
    let _room = gate.enter(&app)?;
    let (effect, _) = the_effect(&app, &caller, &id).await?;
    let why = format!("dropped by {}", caller.actor());
    app.effect_drop(effect, &why).await.map_err(stands_otherwise)?;
    app.effect(effect).await.map(Json).map_err(ApiError::of)
}

fn stands_otherwise(why: AppError) -> ApiError {
    match why.is_wrong_input() {
        true => ApiError::new(StatusCode::CONFLICT, "stands-otherwise", why.to_string()),
        false => ApiError::of(why),
    }
}

/// An effect that the caller may see; one that it may not is not there.
async fn the_effect(
    app: &App,
    caller: &Caller,
    id: &str,
) -> Result<(EffectId, EffectDetail), ApiError> {
    let gone = || {
        let id: String = id.chars().take(40).collect();
        ApiError::new(StatusCode::NOT_FOUND, "not-found", format!("there is no effect `{id}`"))
    };
    let effect: EffectId = id.parse().map_err(|_| gone())?;
    match app.effect(effect).await {
        Ok(detail) if may_see(caller, &detail.effect) => Ok((effect, detail)),
        Ok(_) => Err(gone()),
        Err(why) if why.is_wrong_input() => Err(gone()),
        Err(why) => Err(ApiError::of(why)),
    }
}

fn may_see(caller: &Caller, effect: &EffectView) -> bool {
    let to = effect.to.as_ref().and_then(|to| to.parse::<Reference>().ok());
    caller.may_see(to.as_ref())
}

//! `/v1/audit`: what was refused, who logged in, and who got which rights.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::HeaderMap,
};
use relata_app::{AuditEntry, Scope, model::Timestamp, store::AuditFilter};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Api,
    auth::caller,
    batch::{Parameters, only, page_size, read, wrong},
    error::ApiError,
    openapi::{CallerProblems, QueryProblems},
};

/// How many entries a page has where nobody says.
const USUAL_PAGE: u32 = 50;

/// How many it has at the most.
const LONGEST_PAGE: u32 = 500;

/// A page of entries.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditPage)]
pub(crate) struct Page {
    /// The newest first.
    entries: Vec<AuditEntry>,
    /// Where the next page begins; none on the last one.
    next: Option<String>,
}

/// How it went.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes a parameter")]
pub(crate) enum AuditOutcome {
    Done,
    Refused,
}

/// Shows what was refused, who logged in, and who got which rights, the newest
/// first.
///
/// The same again within a minute is one entry, with how often it was. What
/// happened to a record is in its own timeline.
#[utoipa::path(
    get,
    path = "/v1/audit",
    operation_id = "showAudit",
    tag = "audit",
    params(
        ("actor" = Option<String>, Query, description = "Only what this one did: `user/01k9…`, `token/web-shop`."),
        ("outcome" = inline(Option<AuditOutcome>), Query, description = "Only what was done, or what was refused."),
        ("since" = Option<String>, Query, format = DateTime, description = "Only from then on, RFC 3339."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "At most so many; 50 if left out."),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before."),
    ),
    responses(
        (status = 200, description = "The entries of this page.", body = Page),
        QueryProblems,
        CallerProblems,
    ),
    security(("token" = ["audit:read"]))
)]
pub(crate) async fn list(
    State(Api { app, gate, .. }): State<Api>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<Page>, ApiError> {
    caller(&app, &headers, Scope::AuditRead).await?;
    let _room = gate.enter_to_read()?;
    let parameters = read(parameters)?;
    only(&parameters, &["actor", "outcome", "since", "limit", "cursor"])?;
    let limit = page_size(&parameters, USUAL_PAGE, LONGEST_PAGE)?;
    let filter = filter(&parameters)?;
    let mut entries = app.audit(&filter, limit + 1).await.map_err(ApiError::of)?;
    let more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let next = entries.last().filter(|_| more).map(|entry| entry.id.clone());
    Ok(Json(Page { entries, next }))
}

fn filter(parameters: &Parameters) -> Result<AuditFilter, ApiError> {
    let given = |name: &str| parameters.get(name);
    let outcome = given("outcome").cloned();
    if outcome.as_ref().is_some_and(|outcome| !["done", "refused"].contains(&outcome.as_str())) {
        return Err(wrong("`outcome` takes one of done, refused"));
    }
    let since = given("since").map(|since| since.parse::<Timestamp>()).transpose();
    let since = since
        .map_err(|_| wrong("`since` takes a time in RFC 3339, such as 2026-12-14T07:00:00Z"))?;
    let after = given("cursor").cloned();
    if after.as_ref().is_some_and(|after| !after.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Err(wrong("`cursor` takes the `next` of the page before"));
    }
    Ok(AuditFilter { actor: given("actor").cloned(), outcome, since, after })
}

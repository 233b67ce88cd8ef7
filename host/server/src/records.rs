//! `/v1/records/{object}` and `/v1/records/{object}/{key}`: other programs
//! create records, find, see, change and delete them.

use axum::{
    Json,
    extract::{Path, Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use relata_app::{
    App, Caller, Decision, IngestRequest, Put, RecordSearch, RecordsFound, Scope, TimelineEntry,
    model::{Record, Reference},
    record_json,
    store::Written,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    Api,
    auth::{caller, refused},
    batch::{Answered, ItemAnswer, Parameters, Rest, only, read, take_in, wrong},
    error::ApiError,
};

/// How many records a page has where nobody says.
const USUAL_PAGE: u32 = 50;

/// How many it has at the most.
const LONGEST_PAGE: u32 = 500;

/// What an address may say beside conditions on fields.
const SORT: &str = "sort";
const FIELDS: &str = "fields";
const LIMIT: &str = "limit";
const CURSOR: &str = "cursor";
const TOTAL: &str = "total";

/// A page of records.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    records: Vec<Value>,
    /// Where the next page begins; none on the last one.
    next: Option<String>,
    /// How many there are in all, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
}

/// The caller, who may do this with records of this object.
pub(crate) async fn allowed(
    app: &App,
    headers: &HeaderMap,
    scope: Scope,
    object: &str,
) -> Result<Caller, ApiError> {
    let caller = caller(app, headers, scope).await?;
    app.object(object)
        .map_err(|why| ApiError::new(StatusCode::NOT_FOUND, "not-found", why.to_string()))?;
    // What a user may, depends on the record.
    if caller.viewer().user().is_some() || caller.may_touch(object) {
        return Ok(caller);
    }
    let why = format!("the token `{}` is not for {object} records", caller.name());
    Err(refused(app, &caller, object, "object", why).await)
}

/// Records that meet all conditions of the address.
pub(crate) async fn list(
    State(Api { app, gate }): State<Api>,
    Path(object): Path<String>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<Page>, ApiError> {
    let caller = allowed(&app, &headers, Scope::RecordsRead, &object).await?;
    let _room = gate.enter_to_read()?;
    let parameters = read(parameters)?;
    let fields = wanted(&app, &object, &parameters)?;
    let search = search(parameters)?;
    let RecordsFound { records, next, total } =
        app.find(caller.viewer(), &object, &search).await.map_err(ApiError::no_access)?;
    let records = records.iter().map(|record| record_json(record, &fields)).collect();
    let next = next.map(|next| URL_SAFE_NO_PAD.encode(next));
    Ok(Json(Page { records, next, total }))
}

/// `fields=name,email`; none for all.
fn wanted(app: &App, object: &str, parameters: &Parameters) -> Result<Vec<String>, ApiError> {
    let Some(fields) = parameters.get(FIELDS) else { return Ok(Vec::new()) };
    let fields: Vec<String> = fields.split(',').map(|field| field.trim().to_owned()).collect();
    for field in fields.iter().filter(|field| *field != "id") {
        app.known_field_of(object, field).map_err(ApiError::of)?;
    }
    Ok(fields)
}

fn search(parameters: Parameters) -> Result<RecordSearch, ApiError> {
    let mut search = RecordSearch { limit: USUAL_PAGE, ..RecordSearch::default() };
    for (name, value) in parameters {
        match name.as_str() {
            FIELDS => {}
            SORT => search.sort = Some(value),
            CURSOR => search.after = Some(cursor(&value)?),
            TOTAL => {
                search.count = value.parse().map_err(|_| {
                    wrong("`total` takes true or false; for a field of this name write `total.eq`")
                })?;
            }
            LIMIT => {
                search.limit = value
                    .parse()
                    .ok()
                    .filter(|limit| (1..=LONGEST_PAGE).contains(limit))
                    .ok_or_else(|| {
                        wrong(format!("`limit` takes a number from 1 to {LONGEST_PAGE}"))
                    })?;
            }
            _ => search.filter.push((name, value)),
        }
    }
    Ok(search)
}

/// What [`Page::next`] says; nothing that an address would have to escape.
fn cursor(text: &str) -> Result<String, ApiError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| wrong("`cursor` takes the `next` of the page before"))
}

/// One record, with its revision as the `ETag`.
pub(crate) async fn show(
    State(Api { app, gate }): State<Api>,
    Path((object, key)): Path<(String, String)>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let _room = gate.enter_to_read()?;
    let (_, record) = seen(&app, &headers, &object, &key).await?;
    let parameters = read(parameters)?;
    only(&parameters, &[FIELDS])?;
    let fields = wanted(&app, &object, &parameters)?;
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tag| tag.to_str().ok());
    let tag = etag(&record);
    if known.is_some_and(|known| known.split(',').any(|known| known.trim() == tag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    Ok(([(header::ETAG, tag)], Json(record_json(&record, &fields))).into_response())
}

/// What happened to a record, oldest first.
#[derive(Debug, Serialize)]
pub(crate) struct Timeline {
    timeline: Vec<TimelineEntry>,
}

/// Its changes, runs and interactions.
pub(crate) async fn timeline(
    State(Api { app, gate }): State<Api>,
    Path((object, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Timeline>, ApiError> {
    let _room = gate.enter_to_read()?;
    let (caller, record) = seen(&app, &headers, &object, &key).await?;
    let timeline = app.timeline_as(caller.viewer(), &record.reference).await;
    let timeline = timeline.map_err(ApiError::no_access)?;
    Ok(Json(Timeline { timeline }))
}

/// Why a record has the owner that it has, newest first.
#[derive(Debug, Serialize)]
pub(crate) struct Decisions {
    decisions: Vec<Decision>,
}

/// Each change of its owner or queue, with everybody who was looked at.
pub(crate) async fn decisions(
    State(Api { app, gate }): State<Api>,
    Path((object, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Decisions>, ApiError> {
    let _room = gate.enter_to_read()?;
    let (_, record) = seen(&app, &headers, &object, &key).await?;
    let decisions = app.decisions(&record.reference).await.map_err(ApiError::of)?;
    Ok(Json(Decisions { decisions }))
}

/// A record that is there, as far as the caller may see it.
async fn seen(
    app: &App,
    headers: &HeaderMap,
    object: &str,
    key: &str,
) -> Result<(Caller, Record), ApiError> {
    let caller = allowed(app, headers, Scope::RecordsRead, object).await?;
    let record = app.see(caller.viewer(), &Reference::new(object, key)).await;
    Ok((caller, record.map_err(ApiError::no_access)?))
}

/// Sets some fields of a record.
pub(crate) async fn change(
    State(Api { app, gate }): State<Api>,
    Path((object, key)): Path<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let caller = allowed(&app, request.headers(), Scope::RecordsWrite, &object).await?;
    let _room = gate.enter(&app)?;
    let if_revision = if_match(request.headers())?;
    let body = gate.body(request, gate.longest()).await?;
    let fields = object_of(&body.bytes)?;
    let reference = Reference::new(object, key);
    let changed = app.change_as(caller.viewer(), &reference, &fields, if_revision).await;
    let Written { record, changed } = changed.map_err(ApiError::no_access)?;
    let answer = json!({ "changed": changed, "record": record_json(&record, &[]) });
    Ok(([(header::ETAG, etag(&record))], Json(answer)).into_response())
}

/// Makes the record of an external id, or sets its fields where it is there.
pub(crate) async fn put(
    State(Api { app, gate }): State<Api>,
    Path((object, key)): Path<(String, String)>,
    request: Request,
) -> Result<Response, ApiError> {
    let caller = allowed(&app, request.headers(), Scope::RecordsWrite, &object).await?;
    let _room = gate.enter(&app)?;
    let body = gate.body(request, gate.longest()).await?;
    let fields = object_of(&body.bytes)?;
    let put = app.put_as(caller.viewer(), &Reference::new(object, key), &fields).await;
    let Put { record, created, changed } = put.map_err(ApiError::no_access)?;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let answer =
        json!({ "created": created, "changed": changed, "record": record_json(&record, &[]) });
    Ok((status, [(header::ETAG, etag(&record))], Json(answer)).into_response())
}

/// Deletes a record.
pub(crate) async fn delete(
    State(Api { app, gate }): State<Api>,
    Path((object, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let caller = allowed(&app, &headers, Scope::RecordsWrite, &object).await?;
    let _room = gate.enter(&app)?;
    let reference = Reference::new(object, key);
    let deleted = app.delete_as(caller.viewer(), &reference, if_match(&headers)?).await;
    deleted.map_err(ApiError::no_access)?;
    Ok(StatusCode::NO_CONTENT)
}

fn etag(record: &Record) -> String {
    format!("\"{}\"", record.revision)
}

/// The revision that a record must still have, if the caller cares.
fn if_match(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(tag) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let tag = tag.to_str().unwrap_or_default().trim();
    if tag == "*" {
        return Ok(None);
    }
    let revision = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')?.parse().ok());
    revision.map(Some).ok_or_else(|| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "wrong-header",
            "the header If-Match takes the `ETag` that came with the record, such as \"7\"",
        )
    })
}

fn object_of(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let wrong = |why: String| ApiError::new(StatusCode::BAD_REQUEST, "no-json", why);
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(wrong("the body is no JSON object; send the fields to set".to_owned())),
        Err(why) => Err(wrong(format!("the body is not JSON: {why}"))),
    }
}

/// The records that were created.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Created {
    One {
        #[serde(flatten)]
        record: Option<ItemAnswer>,
        #[serde(flatten)]
        rest: Rest,
    },
    Batch {
        records: Vec<ItemAnswer>,
        #[serde(flatten)]
        rest: Rest,
    },
}

/// 202 once the records are there and their events in the log; 200 where the
/// request waits and nothing more comes of them.
pub(crate) async fn create(
    State(api): State<Api>,
    Path(object): Path<String>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    request: Request,
) -> Result<(StatusCode, Json<Created>), ApiError> {
    let ingest =
        async |app: &App, request: IngestRequest<'_>| app.ingest_records(&object, request).await;
    let Answered { status, mut items, rest, is_batch } =
        take_in(api, Scope::RecordsWrite, parameters, request, ingest).await?;
    let created = if is_batch {
        Created::Batch { records: items, rest }
    } else {
        Created::One { record: items.pop(), rest }
    };
    Ok((status, Json(created)))
}

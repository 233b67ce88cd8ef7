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
    AccessError, App, Caller, Decision, IngestRequest, LONGEST_TIMELINE, Put, RecordSearch,
    RecordsFound, Scope, TimelineEntry,
    model::{Record, Reference},
    record_json,
    store::Written,
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    Api,
    auth::{caller, refused},
    batch::{
        Answered, ItemAnswer, Parameters, RecordAnswer, Rest, Waits, only, read, take_in, wrong,
    },
    error::ApiError,
    openapi::{
        BodyProblems, CallerProblems, ContentProblems, MissingProblem, NewRecords, QueryProblems,
        Record as RecordSchema, RecordFields, RecordFilter, RevisionProblems,
    },
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
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordPage)]
pub(crate) struct Page {
    /// The records.
    #[schema(value_type = Vec<RecordSchema>)]
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

/// Finds records, a page at a time.
#[utoipa::path(
    get,
    path = "/v1/records/{object}",
    operation_id = "findRecords",
    tag = "records",
    params(
        ("object" = String, Path, description = "The object."),
        ("filter" = Option<RecordFilter>, Query, style = Form, explode, description = "Conditions on fields, all of which must hold."),
        ("sort" = Option<String>, Query, description = "The field by which they are in order; with `-` before it the greatest or newest first."),
        ("fields" = Option<String>, Query, description = "Only these fields, with commas between."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "At most so many; 50 if left out."),
        ("cursor" = Option<String>, Query, description = "The `next` of the page before."),
        ("total" = Option<bool>, Query, description = "Whether all that meet the conditions are counted."),
    ),
    responses(
        (status = 200, description = "The records of this page.", body = Page),
        QueryProblems,
        MissingProblem,
        CallerProblems,
    ),
    security(("token" = ["records:read"]))
)]
pub(crate) async fn list(
    State(Api { app, gate, .. }): State<Api>,
    Path(object): Path<String>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<Page>, ApiError> {
    let caller = allowed(&app, &headers, Scope::RecordsRead, &object).await?;
    let _room = gate.enter_to_read()?;
    let parameters = read(parameters)?;
    let fields = wanted(&app, &object, &parameters)?;
    let search = search(parameters)?;
    let RecordsFound { records, next, total, .. } =
        app.find(caller.viewer(), &object, &search).await.map_err(wrong_search)?;
    let records = records.iter().map(|record| record_json(record, &fields)).collect();
    let next = next.map(|next| URL_SAFE_NO_PAD.encode(next));
    Ok(Json(Page { records, next, total }))
}

/// What is wrong with a search is wrong with the address: it has no body.
pub(crate) fn wrong_search(why: AccessError) -> ApiError {
    match why {
        AccessError::Invalid(errors) if errors.iter().any(|error| error.field == "after") => {
            wrong("`cursor` takes the `next` of the page before")
        }
        AccessError::Invalid(errors) => {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            wrong(errors.join("; "))
        }
        other => ApiError::no_access(other),
    }
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

/// Shows a record, with its revision as the `ETag`.
#[utoipa::path(
    get,
    path = "/v1/records/{object}/{key}",
    operation_id = "showRecord",
    tag = "records",
    params(
        ("object" = String, Path, description = "The object."),
        ("key" = String, Path, description = "The record's id or external id."),
        ("fields" = Option<String>, Query, description = "Only these fields, with commas between."),
        ("if-none-match" = Option<String>, Header, description = "The `ETag` of what is known already."),
    ),
    responses(
        (status = 200, description = "The record.", body = RecordSchema, headers(("etag" = String, description = "Its revision."))),
        (status = 304, description = "It is as it was."),
        QueryProblems,
        MissingProblem,
        CallerProblems,
    ),
    security(("token" = ["records:read"]))
)]
pub(crate) async fn show(
    State(Api { app, gate, .. }): State<Api>,
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
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Timeline {
    /// Oldest first.
    timeline: Vec<TimelineEntry>,
}

/// What happened to a record: changes, runs, calls, mails.
#[utoipa::path(
    get,
    path = "/v1/records/{object}/{key}/timeline",
    operation_id = "showTimeline",
    tag = "records",
    params(
        ("object" = String, Path, description = "The object."),
        ("key" = String, Path, description = "The record's id or external id."),
    ),
    responses(
        (status = 200, description = "Oldest first.", body = Timeline),
        MissingProblem,
        CallerProblems,
    ),
    security(("token" = ["records:read"]))
)]
pub(crate) async fn timeline(
    State(Api { app, gate, .. }): State<Api>,
    Path((object, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Timeline>, ApiError> {
    let _room = gate.enter_to_read()?;
    let (caller, record) = seen(&app, &headers, &object, &key).await?;
    let timeline = app.timeline_as(caller.viewer(), &record.reference, LONGEST_TIMELINE).await;
    let timeline = timeline.map_err(ApiError::no_access)?;
    Ok(Json(Timeline { timeline }))
}

/// Why a record has the owner that it has, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Decisions {
    /// Newest first.
    decisions: Vec<Decision>,
}

/// Why a record has the owner that it has.
///
/// Each change of its owner or queue, with everybody who was looked at.
#[utoipa::path(
    get,
    path = "/v1/records/{object}/{key}/decisions",
    operation_id = "showDecisions",
    tag = "records",
    params(
        ("object" = String, Path, description = "The object."),
        ("key" = String, Path, description = "The record's id or external id."),
    ),
    responses(
        (status = 200, description = "Newest first.", body = Decisions),
        MissingProblem,
        CallerProblems,
    ),
    security(("token" = ["records:read"]))
)]
pub(crate) async fn decisions(
    State(Api { app, gate, .. }): State<Api>,
    Path((object, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Decisions>, ApiError> {
    let _room = gate.enter_to_read()?;
    let (_, record) = seen(&app, &headers, &object, &key).await?;
    let decisions = app.decisions(&record.reference).await.map_err(ApiError::of)?;
    Ok(Json(Decisions { decisions }))
}

/// A record that was to be changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangedRecord {
    /// Whether anything is otherwise than before.
    changed: bool,
    /// The record as it is now.
    #[schema(value_type = RecordSchema)]
    record: Value,
}

/// A record that was put.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PutRecord {
    /// Whether it is new.
    created: bool,
    /// Whether anything is otherwise than before.
    changed: bool,
    /// The record as it is now.
    #[schema(value_type = RecordSchema)]
    record: Value,
}

/// A record that is there, as far as the caller may see it.
pub(crate) async fn seen(
    app: &App,
    headers: &HeaderMap,
    object: &str,
    key: &str,
) -> Result<(Caller, Record), ApiError> {
    let caller = allowed(app, headers, Scope::RecordsRead, object).await?;
    let record = app.see(caller.viewer(), &Reference::new(object, key)).await;
    Ok((caller, record.map_err(ApiError::no_access)?))
}

/// Sets some fields of a record, and leaves the others. Null empties one.
#[utoipa::path(
    patch,
    path = "/v1/records/{object}/{key}",
    operation_id = "changeRecord",
    tag = "records",
    params(
        ("object" = String, Path, description = "The object."),
        ("key" = String, Path, description = "The record's id or external id."),
        ("if-match" = Option<String>, Header, description = "The `ETag` that the record must still have, or `*`."),
    ),
    request_body = RecordFields,
    responses(
        (status = 200, description = "The record as it is now.", body = ChangedRecord, headers(("etag" = String, description = "Its revision."))),
        BodyProblems,
        MissingProblem,
        RevisionProblems,
        ContentProblems,
        CallerProblems,
    ),
    security(("token" = ["records:write"]))
)]
pub(crate) async fn change(
    State(Api { app, gate, .. }): State<Api>,
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
    let tag = etag(&record);
    let answer = ChangedRecord { changed, record: record_json(&record, &[]) };
    Ok(([(header::ETAG, tag)], Json(answer)).into_response())
}

/// Makes the record of an external id, or sets its fields where it is there.
#[utoipa::path(
    put,
    path = "/v1/records/{object}/{key}",
    operation_id = "putRecord",
    tag = "records",
    params(
        ("object" = String, Path, description = "The object."),
        ("key" = String, Path, description = "The record's external id."),
    ),
    request_body = RecordFields,
    responses(
        (status = 200, description = "It was there.", body = PutRecord, headers(("etag" = String, description = "Its revision."))),
        (status = 201, description = "It is new.", body = PutRecord, headers(("etag" = String, description = "Its revision."))),
        BodyProblems,
        MissingProblem,
        ContentProblems,
        CallerProblems,
    ),
    security(("token" = ["records:write"]))
)]
pub(crate) async fn put(
    State(Api { app, gate, .. }): State<Api>,
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
    let tag = etag(&record);
    let answer = PutRecord { created, changed, record: record_json(&record, &[]) };
    Ok((status, [(header::ETAG, tag)], Json(answer)).into_response())
}

/// Deletes a record.
#[utoipa::path(
    delete,
    path = "/v1/records/{object}/{key}",
    operation_id = "deleteRecord",
    tag = "records",
    params(
        ("object" = String, Path, description = "The object."),
        ("key" = String, Path, description = "The record's id or external id."),
        ("if-match" = Option<String>, Header, description = "The `ETag` that the record must still have, or `*`."),
    ),
    responses(
        (status = 204, description = "It is gone."),
        QueryProblems,
        MissingProblem,
        RevisionProblems,
        ContentProblems,
        CallerProblems,
    ),
    security(("token" = ["records:write"]))
)]
pub(crate) async fn delete(
    State(Api { app, gate, .. }): State<Api>,
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

/// The one JSON object of a body.
pub(crate) fn object_of(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let wrong = |why: String| ApiError::new(StatusCode::BAD_REQUEST, "no-json", why);
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(wrong("the body is no JSON object; send the fields to set".to_owned())),
        Err(why) => Err(wrong(format!("the body is not JSON: {why}"))),
    }
}

/// The records that were created.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Created {
    One {
        #[serde(flatten)]
        #[schema(value_type = RecordAnswer)]
        record: Option<ItemAnswer>,
        #[serde(flatten)]
        rest: Rest,
    },
    Batch {
        /// One for each, in their order.
        #[schema(value_type = Vec<RecordAnswer>)]
        records: Vec<ItemAnswer>,
        #[serde(flatten)]
        rest: Rest,
    },
}

/// Creates a record, or several: all or none.
///
/// 202 once the records are there and their events in the log; 200 where the
/// request waits and nothing more comes of them.
#[utoipa::path(
    post,
    path = "/v1/records/{object}",
    operation_id = "createRecord",
    tag = "records",
    params(
        ("object" = String, Path, description = "The object."),
        ("wait" = inline(Option<Waits>), Query, description = "`run`: the answer comes when every run that comes of it has ended."),
        ("timeout" = Option<f64>, Query, minimum = 0, description = "How many seconds it waits at the most; 30 if left out, never more than 300."),
        ("idempotency-key" = Option<String>, Header, min_length = 1, max_length = 255, description = "A key of this request: the same again does nothing."),
    ),
    request_body(content(
        (NewRecords = "application/json"),
        (String = "application/x-ndjson"),
    ), description = "With `application/x-ndjson` one record a line."),
    responses(
        (status = 202, description = "They are there.", body = Created),
        (status = 200, description = "They are there, and nothing more comes of them.", body = Created),
        BodyProblems,
        MissingProblem,
        ContentProblems,
        CallerProblems,
    ),
    security(("token" = ["records:write"]))
)]
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

//! What a request brings: one JSON object, a list of them, or a line each;
//! and whether it waits for what comes of it.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    extract::{Query, Request, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, header},
};
use relata_app::{
    Accepted, App, EventOutcome, IngestError, IngestRequest, IngestedItem, MOST_ITEMS, NotBegun,
    RunOutcome, Scope, TakenIn,
};
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::{Api, auth::caller, error::ApiError};

/// How long a request waits where it does not say.
const USUAL_WAIT: Duration = Duration::from_secs(30);

/// How long it waits at the most, whatever it says.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// The objects of a request.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) items: Vec<Json>,
    pub(crate) is_batch: bool,
}

impl Batch {
    /// Reads a body: lines where its type says so, else JSON.
    pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, ApiError> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.map(|kind| kind.split(';').next().unwrap_or(kind).trim());
        let batch = match kind {
            Some("application/x-ndjson" | "application/ndjson" | "application/jsonl") => {
                Self { items: lines(body)?, is_batch: true }
            }
            _ => match serde_json::from_slice(body) {
                Ok(Json::Array(items)) => Self { items, is_batch: true },
                Ok(item) => Self { items: vec![item], is_batch: false },
                Err(why) => {
                    let why = if body.iter().all(u8::is_ascii_whitespace) {
                        "the body is empty; send a JSON object, or a list of them".to_owned()
                    } else {
                        format!("the body is not JSON: {why}")
                    };
                    return Err(no_json(why));
                }
            },
        };
        match batch.items.len() {
            0 => Err(no_json("the batch is empty; send at least one object")),
            many if many > MOST_ITEMS => Err(ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-many",
                format!("the batch has {many} objects; send at most {MOST_ITEMS} at a time"),
            )),
            _ => Ok(batch),
        }
    }
}

fn lines(body: &[u8]) -> Result<Vec<Json>, ApiError> {
    let lines = body.split(|byte| *byte == b'\n').enumerate();
    lines
        .filter(|(_, line)| !line.iter().all(u8::is_ascii_whitespace))
        .map(|(number, line)| {
            serde_json::from_slice(line)
                .map_err(|why| no_json(format!("line {} is not JSON: {why}", number + 1)))
        })
        .collect()
}

fn no_json(why: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "no-json", why)
}

/// What came of a request's events or records.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    /// One for each, in their order.
    pub(crate) items: Vec<ItemAnswer>,
    pub(crate) rest: Rest,
    /// Whether it was a batch; else there is one.
    pub(crate) is_batch: bool,
}

/// Has what a request brings taken in, and waits for what comes of it where it
/// says so.
pub(crate) async fn take_in(
    Api { app, gate, .. }: Api,
    scope: Scope,
    parameters: Result<Query<Parameters>, QueryRejection>,
    request: Request,
    ingest: impl AsyncFnOnce(&App, IngestRequest<'_>) -> Result<TakenIn, IngestError>,
) -> Result<Answered, ApiError> {
    let caller = caller(&app, request.headers(), scope).await?;
    let timeout = wait(&read(parameters)?)?;
    let _room = gate.enter(&app)?;
    let key = idempotency_key(request.headers())?;
    let headers = request.headers().clone();
    let (taken_in, is_batch) = {
        // What was sent is let go before a long wait.
        let body = gate.body(request, gate.longest()).await?;
        let Batch { items, is_batch } = Batch::read(&headers, &body.bytes)?;
        let request = IngestRequest {
            caller: &caller,
            key: key.as_deref(),
            body: &body.bytes,
            items: &items,
            is_batch,
            waits: timeout,
        };
        (ingest(&app, request).await.map_err(ApiError::not_taken)?, is_batch)
    };
    let accepted = taken_in.outcome(timeout.unwrap_or(Duration::ZERO)).await;
    let (status, items, rest) = Rest::of(accepted, is_batch);
    Ok(Answered { status, items, rest, is_batch })
}

/// The parameters of an address.
pub(crate) fn read(
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<Parameters, ApiError> {
    match parameters {
        Ok(Query(parameters)) => Ok(parameters),
        Err(_) => Err(wrong("what stands behind the `?` does not read; write name=value&…")),
    }
}

/// The header `Idempotency-Key`.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    key.to_str().map(|key| Some(key.to_owned())).map_err(|_| {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "wrong-key",
            "the header Idempotency-Key takes plain letters and digits",
        )
    })
}

/// What stands behind the `?` of an address.
pub(crate) type Parameters = BTreeMap<String, String>;

/// Refuses what is not known: a misspelt filter would find too much.
pub(crate) fn only(parameters: &Parameters, known: &[&str]) -> Result<(), ApiError> {
    match parameters.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(wrong(format!(
            "there is no parameter `{}`; there are {}",
            name.chars().take(40).collect::<String>(),
            known.join(", ")
        ))),
    }
}

/// How many a page has: `limit`, or so many as usual.
pub(crate) fn page_size(parameters: &Parameters, usual: u32, most: u32) -> Result<u32, ApiError> {
    let Some(limit) = parameters.get("limit") else { return Ok(usual) };
    let limit = limit.parse().ok().filter(|limit| (1..=most).contains(limit));
    limit.ok_or_else(|| wrong(format!("`limit` takes a number from 1 to {most}")))
}

/// A parameter is wrong.
pub(crate) fn wrong(why: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "parameter", why)
}

/// For what a request waits.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes a parameter")]
pub(crate) enum Waits {
    /// Until the runs have ended.
    Run,
}

/// Whether a request waits, and how long.
pub(crate) fn wait(parameters: &Parameters) -> Result<Option<Duration>, ApiError> {
    only(parameters, &["wait", "timeout"])?;
    let timeout = match parameters.get("timeout") {
        None => USUAL_WAIT,
        Some(given) => given
            .parse::<f64>()
            .ok()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .ok_or_else(|| wrong("`timeout` takes a number of seconds, such as 30"))?
            .min(LONGEST_WAIT),
    };
    match parameters.get("wait").map(String::as_str) {
        None => Ok(None),
        Some("run") => Ok(Some(timeout)),
        Some(_) => Err(wrong("`wait` takes `run`: wait until the runs have ended")),
    }
}

/// One event or record in an answer.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum ItemAnswer {
    Record(RecordAnswer),
    Event(EventAnswer),
}

/// A record in an answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecordAnswer {
    /// Its reference, `lead/01k9…`.
    record: String,
    /// The events that it means.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    events: Vec<EventAnswer>,
}

/// An event in an answer: only its id where nobody waited.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventAnswer {
    /// Its id, `evt_01k9…`.
    event: String,
    #[serde(flatten)]
    #[schema(value_type = CameTo)]
    outcome: Option<CameTo>,
}

/// What an event came to, where the request waited.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CameTo {
    /// Whether nothing more comes of it.
    #[schema(required = false)]
    done: bool,
    /// The runs that it began.
    #[schema(required = false)]
    runs: Vec<RunOutcome>,
    /// The workflows that it concerns and of which no run began.
    #[schema(required = false)]
    not_started: Vec<NotBegun>,
}

impl EventAnswer {
    fn of(outcome: EventOutcome, waited: bool) -> Self {
        let EventOutcome { event, done, runs, not_started } = outcome;
        Self {
            event: event.to_string(),
            outcome: waited.then_some(CameTo { done, runs, not_started }),
        }
    }
}

impl ItemAnswer {
    /// A record with its events, or an event; none where it is neither.
    fn of(item: IngestedItem, waited: bool) -> Option<Self> {
        let mut events = item.events.into_iter().map(|event| EventAnswer::of(event, waited));
        match item.record {
            Some(record) => Some(Self::Record(RecordAnswer { record, events: events.collect() })),
            None => events.next().map(Self::Event),
        }
    }
}

/// What goes with every answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Rest {
    /// Whether the same request was taken in before; then this one did nothing.
    repeated: bool,
    /// Whether nothing more comes of it; only where the request waited.
    #[serde(skip_serializing_if = "Option::is_none")]
    done: Option<bool>,
    /// What looks like a mistake and is none, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    notes: Vec<String>,
}

impl Rest {
    /// Splits an answer into its items, and what goes with them.
    pub(crate) fn of(accepted: Accepted, is_batch: bool) -> (StatusCode, Vec<ItemAnswer>, Self) {
        let Accepted { items, repeated, done, notes } = accepted;
        let status = if done == Some(true) { StatusCode::OK } else { StatusCode::ACCEPTED };
        let is_event = items.iter().all(|item| item.record.is_none());
        let items =
            items.into_iter().filter_map(|item| ItemAnswer::of(item, done.is_some())).collect();
        // A single event says so of itself.
        let done = done.filter(|_| is_batch || !is_event);
        (status, items, Self { repeated, done, notes })
    }
}

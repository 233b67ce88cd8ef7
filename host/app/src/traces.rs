//! Traces over OTLP: an event, the runs that it starts, their steps.
//!
//! A span is made of what was committed, and of nothing else: a step that was
//! done twice because a host went down stands there once, as its effects do.
//! Ids come from the ids of events and runs, so that hosts need not tell each
//! other of them, and a run that sleeps for a month goes on in its trace.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value as Attribute},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::SpanKind, status::StatusCode},
};
use prost::Message;
use relata_channels::{HttpCall, HttpConfig, HttpConfigError, HttpOut};
use relata_engine::{Outcome, Run, Status as RunStatus};
use relata_model::Timestamp;
use relata_store::LogRow;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{Mutex, watch};

use crate::App;

/// Spans that wait to be sent; what comes while so many do is dropped, and
/// counted.
const WAITING: usize = 8192;

/// So many go at once.
const BATCH: usize = 512;

/// And no later than this.
const PAUSE: Duration = Duration::from_secs(2);

/// For a request with its answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The section `[traces]` of `relata.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TracesConfig {
    /// Where a collector takes OTLP over HTTP: `http://localhost:4318`. The
    /// path `/v1/traces` is added.
    pub endpoint: String,
    /// As which service these are shown; `relata` if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The name of a secret that is sent as `authorization`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// Where a host's spans go.
#[derive(Debug)]
pub(crate) struct Traces {
    spans: Sender<Span>,
    waiting: Mutex<Receiver<Span>>,
    config: TracesConfig,
    http: HttpOut,
}

impl Traces {
    /// Ready to collect spans; [`App::send_traces`] sends them.
    pub(crate) fn new(config: TracesConfig) -> Result<Arc<Self>, HttpConfigError> {
        // The operator named it: a collector lies beside the host as a rule.
        let host = config.endpoint.split_once("://").map_or("", |(_, rest)| rest);
        let host = host.split(['/', '?']).next().unwrap_or_default();
        let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
        let http = HttpOut::new(&HttpConfig {
            private_hosts: vec![host.to_owned()],
            ..HttpConfig::default()
        })?;
        let (spans, waiting) = channel(WAITING);
        Ok(Arc::new(Self { spans, waiting: Mutex::new(waiting), config, http }))
    }

    /// Keeps the spans of what a run has just committed; never waits.
    pub(crate) fn committed(&self, app: &App, run: &Run, log: &[LogRow]) {
        let ended = match &run.status {
            RunStatus::Ended(outcome) => Some(run_span(run, outcome, app.now())),
            RunStatus::Active => None,
        };
        let steps = log.iter().filter(|row| row.action.is_some()).map(|row| step_span(run, row));
        for span in steps.chain(ended) {
            match self.spans.try_send(span) {
                Ok(()) => {}
                // The receiver lives as long as this: it is full.
                Err(_) => app.metrics().spans_lost(1),
            }
        }
    }

    /// Sends some spans. An error is what to tell the operator.
    async fn send(&self, app: &App, spans: Vec<Span>) -> Result<(), String> {
        let attribute = |key: &str, value: &str| text(key, value.to_owned());
        let service = self.config.service.as_deref().unwrap_or("relata");
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(Resource {
                    attributes: vec![
                        attribute("service.name", service),
                        attribute("service.version", env!("CARGO_PKG_VERSION")),
                    ],
                    ..Resource::default()
                }),
                scope_spans: vec![ScopeSpans {
                    scope: Some(InstrumentationScope {
                        name: "relata".to_owned(),
                        version: env!("CARGO_PKG_VERSION").to_owned(),
                        ..InstrumentationScope::default()
                    }),
                    spans,
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        };
        let mut headers = vec![("content-type".to_owned(), "application/x-protobuf".to_owned())];
        if let Some(name) = &self.config.secret {
            let secret = app.secret(name).map_err(|why| why.to_string())?;
            let secret = secret.ok_or_else(|| {
                format!("there is no secret `{name}`; `relata secret set {name}` keeps one")
            })?;
            headers.push(("authorization".to_owned(), secret.expose().to_owned()));
        }
        let call = HttpCall {
            method: "POST",
            url: format!("{}/v1/traces", self.config.endpoint.trim_end_matches('/')),
            headers,
            body: request.encode_to_vec(),
            timeout: TIMEOUT,
            answer_bytes: 64 << 10,
        };
        let answer = self.http.send(call).await.map_err(|why| why.to_string())?;
        match answer.status {
            200..=299 => Ok(()),
            other => Err(format!("the collector answered {other}")),
        }
    }
}

impl App {
    /// Sends spans until the host halts. Ends at once where `relata.toml`
    /// names no collector.
    pub(crate) async fn send_traces(&self, mut halted: watch::Receiver<bool>) {
        let Some(traces) = &self.inner.traces else { return };
        let mut waiting = traces.waiting.lock().await;
        let mut told = false;
        loop {
            let mut spans = Vec::new();
            tokio::select! {
                _ = halted.wait_for(|halted| *halted) => return,
                () = collect(&mut waiting, &mut spans) => {}
            }
            told = self.send_spans(traces, spans, told).await;
        }
    }

    /// Sends what the last steps of a host have left.
    pub(crate) async fn send_last_traces(&self) {
        let Some(traces) = &self.inner.traces else { return };
        let mut waiting = traces.waiting.lock().await;
        while !waiting.is_empty() {
            let batch = std::iter::from_fn(|| waiting.try_recv().ok()).take(BATCH).collect();
            if self.send_spans(traces, batch, false).await {
                return;
            }
        }
    }

    /// Whether it failed; that is said once, until it works again.
    async fn send_spans(&self, traces: &Traces, spans: Vec<Span>, told: bool) -> bool {
        let count = spans.len();
        let Err(why) = traces.send(self, spans).await else { return false };
        self.metrics().spans_lost(count);
        if !told {
            tracing::warn!(spans = count, "traces are not taken: {why}");
        }
        true
    }
}

/// Waits for a batch, or for as long as a span may wait.
async fn collect(waiting: &mut Receiver<Span>, spans: &mut Vec<Span>) {
    let Some(first) = waiting.recv().await else { return std::future::pending().await };
    spans.push(first);
    let more = async {
        while spans.len() < BATCH
            && let Some(span) = waiting.recv().await
        {
            spans.push(span);
        }
    };
    // The time is over, or the batch is full: either way it goes.
    let _ = tokio::time::timeout(PAUSE, more).await;
}

/// A run, from its start to its end.
fn run_span(run: &Run, outcome: &Outcome, now: Timestamp) -> Span {
    let mut attributes = vec![
        text("relata.workflow", run.workflow.clone()),
        text("relata.run", run.id.to_string()),
        text("relata.outcome", outcome.kind().to_owned()),
    ];
    if let Some(subject) = &run.subject {
        // The object, and not whose record it is.
        attributes.push(text("relata.object", subject.object.clone()));
    }
    Span {
        trace_id: trace_id(run),
        span_id: span_id(&run.id.to_string()),
        parent_span_id: run.parent.map_or_else(Vec::new, |parent| span_id(&parent.to_string())),
        name: run.workflow.clone(),
        kind: SpanKind::Internal.into(),
        start_time_unix_nano: nanos(run.started_at),
        end_time_unix_nano: nanos(now),
        attributes,
        status: Some(status(matches!(outcome, Outcome::Failed { .. }))),
        ..Span::default()
    }
}

/// A call of an action.
fn step_span(run: &Run, row: &LogRow) -> Span {
    let took = Duration::from_micros(row.cpu_us) + Duration::from_millis(row.wait_ms);
    let end = nanos(row.at);
    let nanos_taken = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    Span {
        trace_id: trace_id(run),
        span_id: span_id(&format!("{}/{}", run.id, row.seq)),
        parent_span_id: span_id(&run.id.to_string()),
        name: row.action.clone().unwrap_or_default(),
        kind: SpanKind::Internal.into(),
        start_time_unix_nano: end.saturating_sub(nanos_taken),
        end_time_unix_nano: end,
        attributes: vec![
            text("relata.workflow", run.workflow.clone()),
            text("relata.run", run.id.to_string()),
            text("relata.step", row.step.clone()),
            text("relata.plugin.digest", row.plugin.clone().unwrap_or_default()),
            number("relata.attempt", row.attempt.into()),
            number("relata.cpu_us", i64::try_from(row.cpu_us).unwrap_or(i64::MAX)),
            number("relata.wait_ms", i64::try_from(row.wait_ms).unwrap_or(i64::MAX)),
        ],
        status: Some(status(row.error.is_some())),
        ..Span::default()
    }
}

/// Without the sentence: it may quote a customer, and stands in the run.
fn status(failed: bool) -> Status {
    let code = if failed { StatusCode::Error } else { StatusCode::Ok };
    Status { code: code.into(), ..Status::default() }
}

/// The event that it all began with, or the run.
fn trace_id(run: &Run) -> Vec<u8> {
    let origin = run.state.origin.map_or_else(|| root(run), |event| event.as_uuid());
    origin.as_bytes().to_vec()
}

fn root(run: &Run) -> uuid::Uuid {
    run.parent.unwrap_or(run.id).as_uuid()
}

/// Eight bytes of a hash: neighbours in time have ids that begin alike.
fn span_id(of: &str) -> Vec<u8> {
    Sha256::digest(of)[..8].to_vec()
}

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanosecond()).unwrap_or(0)
}

fn text(key: &str, value: String) -> KeyValue {
    attribute(key, Attribute::StringValue(value))
}

fn number(key: &str, value: i64) -> KeyValue {
    attribute(key, Attribute::IntValue(value))
}

fn attribute(key: &str, value: Attribute) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

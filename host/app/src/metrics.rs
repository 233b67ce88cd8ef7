//! What a host measures of itself, in the form of Prometheus. Labels are
//! names of actions, states and routes: a few dozen at the most, and nothing
//! of a customer.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeLabelSet, prometheus_text},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
        info::Info,
    },
    registry::Registry,
};
use relata_model::Timestamp;
use relata_sandbox::CallReport;
use relata_store::{Backlog, Claimed, EffectStatus, WriteObserver};
use tokio::sync::Mutex;

use crate::{App, AppError, clock};

/// How long the counts of the database are good for: counting millions of
/// rows at every scrape would cost more than it tells.
const COUNTED_FOR_MS: i64 = 10_000;

/// They are good for at least so many times as long as the counting took: in
/// a database of millions of runs it takes a hundredth of a core, not all of it.
const SHARE_OF_COUNTING: i64 = 100;

/// The states of runs that are shown also where there is none.
const RUN_STATES: [&str; 9] =
    ["due", "held", "sleeping", "listening", "parked", "done", "stopped", "failed", "cancelled"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByState {
    state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStatus {
    status: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByAction {
    action: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByQueue {
    queue: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByDestination {
    destination: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByRequest {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByRoute {
    route: String,
}

type Seconds = Gauge<f64, AtomicU64>;
type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// From 0.1 ms to 100 s.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.000_1, 3.162_277_66, 13))
}

/// From 64 KiB, a page of WebAssembly, to 256 MiB.
fn memory() -> Histogram {
    Histogram::new(exponential_buckets(65_536.0, 2.0, 13))
}

/// 1, 2, 4 … 256.
fn sizes() -> Histogram {
    Histogram::new(exponential_buckets(1.0, 2.0, 9))
}

/// What a host measures.
pub(crate) struct Metrics {
    registry: Registry,
    claimed: Counter,
    head_starts: Counter,
    spans_lost: Counter,
    claim_delay: Histogram,
    claim_seconds: Histogram,
    step_seconds: Histograms<ByAction>,
    sandbox_cpu: Family<ByAction, Counter<f64, AtomicU64>>,
    sandbox_wait: Family<ByAction, Counter<f64, AtomicU64>>,
    sandbox_memory: Histograms<ByAction>,
    sandbox_host_calls: Family<ByAction, Counter>,
    sandbox_http_calls: Family<ByAction, Counter>,
    requests: Family<ByRequest, Counter>,
    request_seconds: Histograms<ByRoute>,
    runs: Family<ByState, Gauge>,
    effects: Family<ByStatus, Gauge>,
    queue: Family<ByQueue, Gauge>,
    queue_age: Family<ByQueue, Seconds>,
    breakers: Family<ByDestination, Gauge>,
    pauses: Gauge,
    disk: Gauge,
    /// When the database was counted last, and for how many milliseconds that
    /// is good.
    counted: Mutex<Option<(Timestamp, i64)>>,
    batch_size: Histogram,
    commit_seconds: Histogram,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("relata"),
            claimed: Counter::default(),
            head_starts: Counter::default(),
            spans_lost: Counter::default(),
            claim_delay: durations(),
            claim_seconds: durations(),
            step_seconds: Family::new_with_constructor(durations),
            sandbox_cpu: Family::default(),
            sandbox_wait: Family::default(),
            sandbox_memory: Family::new_with_constructor(memory),
            sandbox_host_calls: Family::default(),
            sandbox_http_calls: Family::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(durations),
            runs: Family::default(),
            effects: Family::default(),
            queue: Family::default(),
            queue_age: Family::default(),
            breakers: Family::default(),
            pauses: Gauge::default(),
            disk: Gauge::default(),
            counted: Mutex::new(None),
            batch_size: sizes(),
            commit_seconds: durations(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    /// So many spans went nowhere.
    pub(crate) fn spans_lost(&self, count: usize) {
        self.spans_lost.inc_by(count as u64);
    }

    /// A run that had a head start was committed.
    pub(crate) fn head_start(&self) {
        self.head_starts.inc();
    }

    fn register(&mut self) {
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        let registry = &mut self.registry;
        registry.register("build", "The program", Info::new(version));
        registry.register("runs", "Runs by how they stand", self.runs.clone());
        registry.register("runs_claimed", "Runs taken up by this host", self.claimed.clone());
        registry.register(
            "run_head_starts",
            "Runs that were committed together with their event and what they did first",
            self.head_starts.clone(),
        );
        registry.register(
            "trace_spans_lost",
            "Spans that no collector took",
            self.spans_lost.clone(),
        );
        registry.register(
            "run_claim_delay_seconds",
            "From the time at which a run was due to the time at which this host took it up",
            self.claim_delay.clone(),
        );
        registry.register(
            "run_claim_seconds",
            "How long one claim took, however many runs it yielded",
            self.claim_seconds.clone(),
        );
        registry.register(
            "step_seconds",
            "From the instance of an action to its answer, waits included",
            self.step_seconds.clone(),
        );
        registry.register(
            "sandbox_cpu_seconds",
            "Time on the processor by action",
            self.sandbox_cpu.clone(),
        );
        registry.register(
            "sandbox_wait_seconds",
            "Time that actions waited for the host",
            self.sandbox_wait.clone(),
        );
        registry.register(
            "sandbox_memory_bytes",
            "The most memory that a call had at any time",
            self.sandbox_memory.clone(),
        );
        registry.register(
            "sandbox_host_calls",
            "Host calls by action",
            self.sandbox_host_calls.clone(),
        );
        registry.register(
            "sandbox_http_calls",
            "Requests to web services by action",
            self.sandbox_http_calls.clone(),
        );
        registry.register("queue", "What is due and waits", self.queue.clone());
        registry.register(
            "queue_oldest_seconds",
            "For how long the oldest of it waits",
            self.queue_age.clone(),
        );
        registry.register("outbox", "Effects on the outside by status", self.effects.clone());
        registry.register(
            "breaker_open",
            "1 for a destination that nothing is sent to, or a plugin that is not called, for a while",
            self.breakers.clone(),
        );
        registry.register("pauses", "How much is paused", self.pauses.clone());
        registry.register(
            "writer_batch_size",
            "How many transactions share a commit",
            self.batch_size.clone(),
        );
        registry.register(
            "writer_commit_seconds",
            "From the beginning of a batch of writes to the end of its commit",
            self.commit_seconds.clone(),
        );
        registry.register(
            "disk_free_bytes",
            "What is left on the disk of the data directory",
            self.disk.clone(),
        );
        registry.register("http_requests", "Requests answered", self.requests.clone());
        registry.register(
            "http_request_seconds",
            "How long an answer took",
            self.request_seconds.clone(),
        );
    }

    /// Watches the writer of a store.
    pub(crate) fn observer(&self) -> WriteObserver {
        let (sizes, seconds) = (self.batch_size.clone(), self.commit_seconds.clone());
        WriteObserver {
            micros: clock::monotonic_micros,
            observe: Box::new(move |batch| {
                #[expect(clippy::cast_precision_loss, reason = "a batch has at most hundreds")]
                sizes.observe(batch.members as f64);
                seconds.observe(Duration::from_micros(batch.micros).as_secs_f64());
            }),
        }
    }

    /// Runs were claimed, which took so long.
    pub(crate) fn claimed(&self, claimed: &[Claimed], now: Timestamp, took: Duration) {
        self.claim_seconds.observe(took.as_secs_f64());
        self.claimed.inc_by(claimed.len() as u64);
        for claim in claimed {
            self.claim_delay.observe(seconds_between(claim.due_at, now));
        }
    }

    /// An action was called.
    pub(crate) fn called(&self, action: &str, report: &CallReport) {
        let by = ByAction { action: action.to_owned() };
        self.step_seconds.get_or_create(&by).observe(report.elapsed.as_secs_f64());
        self.sandbox_cpu.get_or_create(&by).inc_by(report.cpu.as_secs_f64());
        self.sandbox_wait.get_or_create(&by).inc_by(report.waited.as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "it is at most some hundred MiB")]
        self.sandbox_memory.get_or_create(&by).observe(report.peak_memory_bytes as f64);
        self.sandbox_host_calls.get_or_create(&by).inc_by(report.host_calls.into());
        self.sandbox_http_calls.get_or_create(&by).inc_by(report.http_calls.into());
    }

    fn waits(&self, queue: &'static str, backlog: Backlog, now: Timestamp) {
        let by = ByQueue { queue };
        self.queue.get_or_create(&by).set(whole(backlog.count));
        let age = backlog.oldest.map_or(0.0, |oldest| seconds_between(oldest, now));
        self.queue_age.get_or_create(&by).set(age);
    }
}

impl App {
    /// What this host measures, in the text form of Prometheus.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the database fails.
    pub async fn metrics_text(&self) -> Result<String, AppError> {
        let metrics = self.metrics();
        let mut counted = metrics.counted.lock().await;
        let now = self.now();
        let is_fresh = counted.is_some_and(|(at, fresh_ms)| {
            (0..fresh_ms).contains(&(now.as_millisecond() - at.as_millisecond()))
        });
        if !is_fresh || self.clock().is_manual() {
            let began = Self::stopwatch();
            self.count(now).await?;
            let took_ms = i64::try_from((Self::stopwatch() - began) / 1_000).unwrap_or(i64::MAX);
            let fresh_ms = COUNTED_FOR_MS.max(took_ms.saturating_mul(SHARE_OF_COUNTING));
            *counted = Some((now, fresh_ms));
        }
        let mut text = String::new();
        prometheus_text::encode(&mut text, &metrics.registry)
            .map_err(|why| AppError::Fault(format!("the metrics cannot be written: {why}")))?;
        Ok(text)
    }

    /// A request was answered. `route` is the pattern, `/hooks/{name}`, and
    /// not the path.
    pub fn request_answered(&self, method: &str, route: &str, status: u16, took: Duration) {
        let metrics = self.metrics();
        let by = ByRequest { method: method.to_owned(), route: route.to_owned(), status };
        metrics.requests.get_or_create(&by).inc();
        let by = ByRoute { route: route.to_owned() };
        metrics.request_seconds.get_or_create(&by).observe(took.as_secs_f64());
    }

    async fn count(&self, now: Timestamp) -> Result<(), AppError> {
        let metrics = self.metrics();
        let counts = self.store().health_counts(now).await?;
        for state in RUN_STATES {
            metrics.runs.get_or_create(&ByState { state: state.to_owned() }).set(0);
        }
        for (state, count) in counts.runs {
            metrics.runs.get_or_create(&ByState { state }).set(whole(count));
        }
        for status in EffectStatus::ALL {
            let status = status.as_str().to_owned();
            metrics.effects.get_or_create(&ByStatus { status }).set(0);
        }
        for (status, count) in counts.effects {
            metrics.effects.get_or_create(&ByStatus { status }).set(whole(count));
        }
        metrics.waits("runs", counts.due_runs, now);
        metrics.waits("events", counts.pending_events, now);
        metrics.waits("effects", counts.due_effects, now);
        metrics.breakers.clear();
        for breaker in self.store().breaker_list().await? {
            let open = i64::from(breaker.is_open());
            let destination = breaker.destination;
            metrics.breakers.get_or_create(&ByDestination { destination }).set(open);
        }
        metrics.pauses.set(whole(self.store().pause_list().await?.len() as u64));
        if let Ok(free) = fs4::available_space(self.directory().root()) {
            metrics.disk.set(whole(free));
        }
        Ok(())
    }

    /// A clock that only goes forward, in microseconds: for telling how long
    /// something took.
    #[must_use]
    pub fn stopwatch() -> u64 {
        clock::monotonic_micros()
    }

    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.inner.metrics
    }
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    let millis = to.as_millisecond().saturating_sub(from.as_millisecond()).max(0);
    Duration::from_millis(millis.unsigned_abs()).as_secs_f64()
}

//! Requests, one after the other on each of some connections, for a while.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{bail, ensure};
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::{
    company::{PATH, body, is_done},
    host::Served,
    http::{Connection, request},
    report::line,
};

/// What a while of driving came to.
#[derive(Debug, Clone)]
pub(crate) struct Driven {
    /// Requests answered a second.
    pub(crate) per_second: f64,
    /// Half of them were answered within this, milliseconds.
    pub(crate) p50_ms: f64,
    /// All but a hundredth of them.
    pub(crate) p99_ms: f64,
}

impl Driven {
    /// The same in lines.
    pub(crate) fn told(&self, connections: usize) -> String {
        line(&format!("{connections} connections"), self.per_second, "runs/s")
            + &line("  half of them within", self.p50_ms, "ms")
            + &line("  99 of 100 within", self.p99_ms, "ms")
    }
}

/// Drives the workflow at a steady rate, as runs a second: each request has its
/// time, and what it takes counts from then, also where the one before it on its
/// connection was late.
pub(crate) async fn pace(
    served: &Served,
    secret: &str,
    records: &[String],
    connections: usize,
    rate: f64,
    span: Duration,
) -> anyhow::Result<Driven> {
    let every = Duration::from_secs_f64(connections as f64 / rate);
    let requests = runs_of(secret, records);
    drive_every(&served.address, requests, connections, span, judge_run, every).await
}

/// Whether an answer is as it has to be.
type Judge = fn(u16, &[u8]) -> bool;

/// Drives the workflow: each answer has to say that its run is done.
pub(crate) async fn drive(
    served: &Served,
    secret: &str,
    records: &[String],
    connections: usize,
    span: Duration,
) -> anyhow::Result<Driven> {
    drive_with(&served.address, runs_of(secret, records), connections, span, judge_run).await
}

/// A request for a run about each record.
fn runs_of(secret: &str, records: &[String]) -> Vec<Vec<u8>> {
    records.iter().map(|record| request("POST", PATH, secret, &body(record))).collect()
}

/// Whether an answer says that its run is done.
fn judge_run(status: u16, body: &[u8]) -> bool {
    status == 200 && is_done(body)
}

/// Drives any requests.
pub(crate) async fn drive_with(
    address: &str,
    requests: Vec<Vec<u8>>,
    connections: usize,
    span: Duration,
    judge: Judge,
) -> anyhow::Result<Driven> {
    drive_every(address, requests, connections, span, judge, Duration::ZERO).await
}

/// Drives any requests; on each connection one begins at least `every` so often
/// after the one before it.
async fn drive_every(
    address: &str,
    requests: Vec<Vec<u8>>,
    connections: usize,
    span: Duration,
    judge: Judge,
    every: Duration,
) -> anyhow::Result<Driven> {
    ensure!(requests.len() >= connections, "each connection needs requests of its own");
    let requests = Arc::new(requests);
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(address).await?);
    }
    let began = Instant::now();
    let end = began + span;
    let mut driving = JoinSet::new();
    for (number, connection) in open.into_iter().enumerate() {
        let requests = Arc::clone(&requests);
        let turn = Turn { number, of: connections };
        driving.spawn(one(connection, requests, turn, began, end, judge, every));
    }
    let mut all = Histogram::<u64>::new(3)?;
    while let Some(ended) = driving.join_next().await {
        all.add(ended??)?;
    }
    // The last answers came after the end.
    let elapsed = began.elapsed().as_secs_f64();
    let milliseconds = |quantile: f64| all.value_at_quantile(quantile) as f64 / 1_000.0;
    Ok(Driven {
        per_second: all.len() as f64 / elapsed,
        p50_ms: milliseconds(0.5),
        p99_ms: milliseconds(0.99),
    })
}

/// Which of all connections one is.
#[derive(Debug, Clone, Copy)]
struct Turn {
    number: usize,
    of: usize,
}

impl Turn {
    /// Its part of a span, so that not all connections begin at once.
    fn part(self, span: Duration) -> Duration {
        span.mul_f64(self.number as f64 / self.of as f64)
    }
}

/// One connection: the requests `number`, `number + of`, …, over and over.
async fn one(
    mut connection: Connection,
    requests: Arc<Vec<Vec<u8>>>,
    turn: Turn,
    from: Instant,
    end: Instant,
    judge: Judge,
    every: Duration,
) -> anyhow::Result<Histogram<u64>> {
    let mut spans = Histogram::<u64>::new(3)?;
    let mut next = turn.number;
    let mut due = from + turn.part(every);
    loop {
        let now = Instant::now();
        // One that does not wait for its time needs no timer.
        if due > now {
            tokio::time::sleep(due - now).await;
        }
        let now = Instant::now();
        if now >= end {
            return Ok(spans);
        }
        let began = if every.is_zero() { now } else { due };
        due += every;
        let answer = connection.send(&requests[next]).await?;
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        if !judge(answer.status, &answer.body) {
            let body = String::from_utf8_lossy(&answer.body);
            bail!("an answer is not as it has to be: {} {body}", answer.status);
        }
        spans.record(micros.max(1))?;
        next += turn.of;
        if next >= requests.len() {
            next = turn.number;
        }
    }
}

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
    let requests = records
        .iter()
        .map(|record| request("POST", PATH, secret, &body(record)))
        .collect::<Vec<_>>();
    let judge: Judge = |status, body| status == 200 && is_done(body);
    drive_with(&served.address, requests, connections, span, judge).await
}

/// Drives any requests.
pub(crate) async fn drive_with(
    address: &str,
    requests: Vec<Vec<u8>>,
    connections: usize,
    span: Duration,
    judge: Judge,
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
        driving.spawn(one(connection, requests, number, connections, end, judge));
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

/// One connection: the requests `number`, `number + step`, …, over and over.
async fn one(
    mut connection: Connection,
    requests: Arc<Vec<Vec<u8>>>,
    number: usize,
    step: usize,
    end: Instant,
    judge: Judge,
) -> anyhow::Result<Histogram<u64>> {
    let mut spans = Histogram::<u64>::new(3)?;
    let mut next = number;
    loop {
        let began = Instant::now();
        if began >= end {
            return Ok(spans);
        }
        let answer = connection.send(&requests[next]).await?;
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        if !judge(answer.status, &answer.body) {
            let body = String::from_utf8_lossy(&answer.body);
            bail!("an answer is not as it has to be: {} {body}", answer.status);
        }
        spans.record(micros.max(1))?;
        next += step;
        if next >= requests.len() {
            next = number;
        }
    }
}

//! `bench console`: how long the console's pages take where there are many
//! records, against the same pages where there is a tenth of them. Both
//! companies are served and asked in turn in the same minutes.

mod fill;
mod pages;
mod session;

use std::{path::Path, time::Instant};

use anyhow::{Context as _, bail, ensure};
use hdrhistogram::Histogram;
use serde_json::{Value as Json, json};

use crate::{
    console::{
        fill::{Filled, Size},
        pages::{Page, Who},
        session::Session,
    },
    host::{Program, Served},
};

/// A company that is served.
struct Company {
    program: Program,
    filled: Filled,
    served: Served,
    _folder: tempfile::TempDir,
}

/// Its console, and two who are logged in to it.
struct Desk {
    company: Company,
    agent: Session,
    administrator: Session,
}

/// What asking for a page came to, in the small company and in the large one.
struct Measured {
    page: Page,
    times: [Histogram<u64>; 2],
    largest: usize,
}

/// How much is measured.
pub(crate) struct Plan<'p> {
    pub(crate) relata: &'p Path,
    /// Two empty databases, for the small company and the large one; none for
    /// files of their own.
    pub(crate) database_urls: &'p [String],
    pub(crate) quick: bool,
    pub(crate) json: bool,
}

/// Measures, and says what came of it.
pub(crate) async fn measure(plan: &Plan<'_>) -> anyhow::Result<String> {
    let sizes = match plan.quick {
        true => [Size { contacts: 1_000 }, Size { contacts: 10_000 }],
        false => [Size { contacts: 10_000 }, Size { contacts: 100_000 }],
    };
    let rounds = if plan.quick { 20 } else { 200 };
    let mut companies = Vec::new();
    for (place, size) in sizes.into_iter().enumerate() {
        let url = plan.database_urls.get(place).map(String::as_str);
        companies.push(Company::fill(plan.relata, url, size).await?);
    }
    // After all were filled: a connection that is idle for long is closed.
    let mut desks = Vec::new();
    for company in companies {
        desks.push(Desk::open(company).await?);
    }
    let mut measured = Vec::new();
    for page in pages::all() {
        let new = || Histogram::new(3).context("a histogram");
        measured.push(Measured { page, times: [new()?, new()?], largest: 0 });
    }
    eprintln!("{rounds} times {} pages of both …", measured.len());
    // What is read from the disk the first time is not what is measured.
    for round in 0..rounds + 2 {
        for one in &mut measured {
            // The same one does not always go first.
            for turn in 0..2 {
                let place = (round + turn) % 2;
                let (took, bytes) = desks[place].ask(&one.page, round).await?;
                if round >= 2 {
                    one.times[place].record(took)?;
                }
                one.largest = one.largest.max(bytes);
            }
        }
    }
    for desk in desks {
        desk.company.served.stop().await?;
    }
    let backend = if plan.database_urls.is_empty() { "sqlite" } else { "postgres" };
    let json =
        if plan.json { format!("{}\n", report(backend, sizes, &measured)) } else { String::new() };
    Ok(told(backend, sizes, &measured) + &json)
}

impl Company {
    async fn fill(relata: &Path, url: Option<&str>, size: Size) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        let program = Program {
            path: relata.canonicalize().with_context(|| relata.display().to_string())?,
            data: data.clone(),
            database_url: url.map(str::to_owned),
        };
        program.run(&["init", data.to_str().context("a path in UTF-8")?]).await?;
        let began = Instant::now();
        eprintln!("{} contacts …", size.contacts);
        let (filled, served) = fill::fill(&program, size).await?;
        eprintln!("  filled in {:.1?}", began.elapsed());
        Ok(Self { program, filled, served, _folder: folder })
    }
}

impl Desk {
    async fn open(company: Company) -> anyhow::Result<Self> {
        let Company { program, served, .. } = &company;
        let agent = Session::enter(program, &served.address, fill::AGENT).await?;
        let administrator = Session::enter(program, &served.address, fill::ADMINISTRATOR).await?;
        Ok(Self { company, agent, administrator })
    }

    /// Asks for a page once: how long it took, microseconds, and its bytes.
    async fn ask(&mut self, page: &Page, round: usize) -> anyhow::Result<(u64, usize)> {
        let path = page.path(&self.company.filled, round);
        let session = match page.who {
            Who::Agent => &mut self.agent,
            Who::Administrator => &mut self.administrator,
        };
        let began = Instant::now();
        let answer = session.get(&path).await?;
        let took = began.elapsed();
        if answer.status != 200 {
            let body = String::from_utf8_lossy(&answer.body);
            bail!("{path} was answered {}: {body}", answer.status);
        }
        ensure!(
            answer.body.ends_with(b"</html>") || answer.body.ends_with(b"</html>\n"),
            "{path} is no whole page"
        );
        Ok((u64::try_from(took.as_micros())?, answer.body.len()))
    }
}

impl Measured {
    fn ms(&self, place: usize, quantile: f64) -> f64 {
        self.times[place].value_at_quantile(quantile) as f64 / 1_000.0
    }

    /// How much longer the large company takes.
    fn ratio(&self) -> f64 {
        self.ms(1, 0.95) / self.ms(0, 0.95)
    }
}

/// All pages together, each as often as the others.
fn together(measured: &[Measured]) -> anyhow::Result<Measured> {
    let mut all = [Histogram::new(3)?, Histogram::new(3)?];
    for one in measured {
        for (all, times) in all.iter_mut().zip(&one.times) {
            all.add(times)?;
        }
    }
    let largest = measured.iter().map(|one| one.largest).max().unwrap_or_default();
    Ok(Measured { page: pages::EVERY, times: all, largest })
}

fn told(backend: &str, sizes: [Size; 2], measured: &[Measured]) -> String {
    let [small, large] = sizes.map(|size| size.contacts);
    let mut text = format!(
        "Pages of the console, {backend}: milliseconds with {small} and with {large} contacts, the ratio of the p95, and the bytes of the largest\n\n  {:<44} {:>17} {:>17} {:>6} {:>8}\n",
        "page", "p50 / p95", "p50 / p95", "ratio", "bytes"
    );
    let mut line = |one: &Measured| {
        let ms = |place| format!("{:.1} / {:.1}", one.ms(place, 0.5), one.ms(place, 0.95));
        text += &format!(
            "  {:<44} {:>17} {:>17} {:>6.2} {:>8}\n",
            one.page.told(),
            ms(0),
            ms(1),
            one.ratio(),
            one.largest
        );
    };
    measured.iter().for_each(&mut line);
    if let Ok(all) = together(measured) {
        line(&all);
    }
    text
}

fn report(backend: &str, sizes: [Size; 2], measured: &[Measured]) -> Json {
    let figures = |one: &Measured| {
        let of = |place: usize| json!({ "p50_ms": round(one.ms(place, 0.5)), "p95_ms": round(one.ms(place, 0.95)) });
        json!({
            "page": one.page.told(),
            "small": of(0),
            "large": of(1),
            "ratio": round(one.ratio()),
            "bytes": one.largest,
        })
    };
    let [small, large] =
        sizes.map(|size| json!({ "contacts": size.contacts, "tickets": size.tickets() }));
    json!({
        "backend": backend,
        "small": small,
        "large": large,
        "all": together(measured).map(|all| figures(&all)).unwrap_or_default(),
        "pages": measured.iter().map(figures).collect::<Vec<_>>(),
    })
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

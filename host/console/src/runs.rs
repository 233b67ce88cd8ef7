//! Runs: found, looked at step by step, let go on, and ended.

use askama::Template;
use axum::{
    extract::{Path, Query},
    response::Response,
};
use relata_app::{
    RetryRequest, RunHistory, RunView, StepView, Watched,
    model::{Area, Doing, Reference, RunId, object::parse_time},
    store::{RunFilter, RunSearch, RunStatus},
};

use crate::{
    failure::Failure,
    frame::rendered,
    html::{Link, Moment, Pill, Tone},
    inbox::asked,
    log_in::to,
    names::{Names, Told},
    session::{Sent, Visit},
    shell::{Shell, in_query},
    texts::fill,
    words,
};

/// How many runs a page has.
const PAGE: u32 = 50;

/// The longest input or output that a page shows of a step, characters; a page
/// is to stay small however much a step was given.
const LONGEST: usize = 1_000;

/// How many entries of the log a page shows; a loop may have thousands.
const STEPS: usize = 60;

/// The statuses that a list can be narrowed to.
const STATUSES: [RunStatus; 5] = [
    RunStatus::Active,
    RunStatus::Done,
    RunStatus::Stopped,
    RunStatus::Failed,
    RunStatus::Cancelled,
];

#[derive(Template)]
#[template(path = "runs.html")]
struct RunsPage {
    s: Shell,
    workflow: String,
    text: String,
    error: String,
    since: String,
    dead: bool,
    statuses: Vec<(&'static str, String, bool)>,
    rows: Vec<Row>,
    filtered: bool,
    next: Option<String>,
}

/// A run in a list.
pub(crate) struct Row {
    run: Link,
    workflow: Link,
    record: Option<Link>,
    began: Option<Moment>,
    status: Pill,
    remark: Told,
}

/// `GET /runs`
pub(crate) async fn page(
    visit: Visit,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    visit.must(Area::Runs, Doing::See).await?;
    let shown = Watched::Runs;
    let visit = visit.with_runs(&shown).await?;
    let value = |name: &str| asked(&query, name).map(str::to_owned);
    let status = asked(&query, "status");
    let status = STATUSES.into_iter().find(|known| Some(known.as_str()) == status);
    let since = match asked(&query, "since") {
        Some(since) => {
            let whole = if since.len() == 10 { format!("{since} 00:00") } else { since.to_owned() };
            Some(parse_time(&whole, &visit.zone()).ok_or(Failure::NotFound)?)
        }
        None => None,
    };
    let subject = match asked(&query, "record") {
        Some(record) => Some(record.parse::<Reference>().map_err(|_| Failure::NotFound)?),
        None => None,
    };
    let after = match asked(&query, "after") {
        Some(after) => Some(after.parse::<RunId>().map_err(|_| Failure::NotFound)?),
        None => None,
    };
    let dead = asked(&query, "dead").is_some();
    let search = RunSearch {
        filter: RunFilter {
            workflow: value("workflow"),
            status,
            since,
            subject,
            after,
            newest_first: true,
            ..RunFilter::default()
        },
        given_up: dead,
        error: value("error"),
        text: value("text"),
        ..RunSearch::default()
    };
    let mut runs = visit.app.search_runs(search, PAGE + 1).await?;
    let more = runs.len() > PAGE as usize;
    runs.truncate(PAGE as usize);
    let next = runs.last().filter(|_| more).map(|last| {
        let kept: String = query
            .iter()
            .filter(|(name, value)| name != "after" && !value.is_empty())
            .map(|(name, value)| format!("{}={}&", in_query(name), in_query(value)))
            .collect();
        format!("/runs?{kept}after={}", last.run)
    });
    Ok(rendered(&RunsPage {
        workflow: value("workflow").unwrap_or_default(),
        text: value("text").unwrap_or_default(),
        error: value("error").unwrap_or_default(),
        since: value("since").unwrap_or_default(),
        dead,
        statuses: STATUSES
            .map(|known| {
                let word = known.as_str();
                (word, words::choice(word, visit.lang()), Some(known) == status)
            })
            .to_vec(),
        rows: rows(&visit, &runs).await?,
        filtered: query.iter().any(|(_, value)| !value.is_empty()),
        next,
        s: visit.shell("runs").showing(vec![shown]),
    }))
}

/// Runs as a list shows them.
pub(crate) async fn rows(visit: &Visit, runs: &[RunView]) -> Result<Vec<Row>, Failure> {
    let mut names = Names::new(visit);
    let about: Vec<Reference> = runs.iter().filter_map(record_of).collect();
    names.learn(&about.iter().collect::<Vec<_>>()).await?;
    let remarks: Vec<&str> = runs.iter().filter_map(remark).collect();
    names.learn_sentences(&remarks).await?;
    Ok(runs
        .iter()
        .map(|run| Row {
            run: Link::to(format!("/runs/{}", run.run), short(&run.run)),
            workflow: Link::to(format!("/workflows/{}", in_query(&run.workflow)), &run.workflow),
            record: record_of(run).map(|record| names.link(&record)),
            began: visit.moment_of(Some(&run.started_at)),
            status: status(run, visit),
            remark: names.told(remark(run).unwrap_or_default()),
        })
        .collect())
}

fn record_of(run: &RunView) -> Option<Reference> {
    run.record.as_deref()?.parse().ok()
}

/// As much of an id as tells two apart.
fn short(id: &str) -> String {
    let end = id.len().saturating_sub(8);
    format!("…{}", id.get(end..).unwrap_or(id))
}

fn status(run: &RunView, visit: &Visit) -> Pill {
    let pill = Pill::of_word(run.status, visit.lang());
    match &run.outcome {
        Some(outcome) => Pill { text: outcome.clone(), ..pill },
        None => pill,
    }
}

/// Why it stands where it does, or ended as it did.
fn remark(run: &RunView) -> Option<&str> {
    [&run.paused, &run.held_up, &run.why, &run.at].into_iter().find_map(Option::as_deref)
}

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    s: Shell,
    id: String,
    /// What is said to whoever does not see the page when it has changed.
    news: String,
    workflow: Link,
    record: Option<Link>,
    parent: Option<Link>,
    version: String,
    began: Option<Moment>,
    ended: Option<Moment>,
    due: Option<Moment>,
    status: Pill,
    remark: Told,
    active: bool,
    may_change: bool,
    waits: Vec<Wait>,
    ends_before: Vec<Told>,
    queued: usize,
    inputs: Option<String>,
    outputs: Option<String>,
    steps: Vec<Step>,
    /// How many there are before those, and where.
    earlier: Option<(usize, String)>,
    children: Vec<Row>,
}

struct Wait {
    label: String,
    line: u32,
    until: Option<Moment>,
    why: Option<Told>,
}

struct Step {
    class: &'static str,
    seq: u64,
    label: String,
    line: Option<u32>,
    rounds: String,
    kind: Pill,
    attempt: u32,
    at: Option<Moment>,
    input: Option<String>,
    output: Option<String>,
    why: Option<Told>,
    error: Option<Told>,
    changed: Vec<Told>,
    messages: Vec<(String, Pill)>,
    suppressed: Vec<Told>,
    used: Option<String>,
}

/// `GET /runs/{id}`
/// The last entries of its log, or the last before one of them.
pub(crate) async fn show(
    visit: Visit,
    Path(id): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    visit.must(Area::Runs, Doing::See).await?;
    let id = id.parse::<RunId>().map_err(|_| Failure::NotFound)?;
    let shown = Watched::Run(id);
    let visit = visit.with_runs(&shown).await?;
    let RunHistory { run, inputs, waits, ends_before, children, queued, mut steps } =
        visit.app.run_history(id).await?;
    if let Some(before) = asked(&query, "before") {
        let before: u64 = before.parse().map_err(|_| Failure::NotFound)?;
        steps.retain(|step| step.seq < before);
    }
    let entries = steps.len().to_string();
    let left_out = steps.len().saturating_sub(STEPS);
    steps.drain(..left_out);
    let mut names = Names::new(&visit);
    let about: Vec<Reference> = record_of(&run).into_iter().collect();
    names.learn(&about.iter().collect::<Vec<_>>()).await?;
    let mut sentences: Vec<&str> = remark(&run).into_iter().collect();
    for step in &steps {
        sentences.extend(step.why.as_ref().and_then(|why| why.as_str()));
        let texts = step.changed.iter().chain(&step.suppressed).chain(&step.error);
        sentences.extend(texts.map(String::as_str));
    }
    names.learn_sentences(&sentences).await?;
    let children = rows(&visit, &children).await?;
    let news = fill(visit.lang().texts().news_of_run, &[&status(&run, &visit).text, &entries]);
    Ok(rendered(&RunPage {
        workflow: Link::to(format!("/workflows/{}", in_query(&run.workflow)), &run.workflow),
        record: record_of(&run).map(|record| names.link(&record)),
        parent: run
            .parent
            .as_ref()
            .map(|parent| Link::to(format!("/runs/{parent}"), short(parent))),
        version: run.version.chars().take(12).collect(),
        began: visit.moment_of(Some(&run.started_at)),
        ended: visit.moment_of(run.ended_at.as_deref()),
        due: visit.moment_of(run.due_at.as_deref()),
        status: status(&run, &visit),
        remark: names.told(remark(&run).unwrap_or_default()),
        active: run.status == "active",
        may_change: visit.viewer.may(Area::Runs, Doing::Change),
        waits: waits
            .into_iter()
            .map(|wait| Wait {
                label: wait.label,
                line: wait.line,
                until: visit.moment_of(wait.until.as_deref()),
                why: wait.why.map(|why| names.told(&why)),
            })
            .collect(),
        ends_before: ends_before.iter().map(|why| names.told(why)).collect(),
        queued,
        inputs: inputs.as_ref().map(pretty),
        outputs: run.outputs.as_ref().map(pretty),
        steps: steps.into_iter().map(|step| step_of(&visit, step, &names)).collect(),
        earlier: (left_out > 0)
            .then(|| (left_out, format!("/runs/{}?before={}", run.run, left_out + 1))),
        children,
        id: run.run,
        news,
        s: visit.shell("runs").showing(vec![shown]),
    }))
}

fn step_of(visit: &Visit, step: StepView, names: &Names<'_>) -> Step {
    let told = |texts: Vec<String>| texts.iter().map(|text| names.told(text)).collect();
    let failed = matches!(step.kind.as_str(), "failed" | "attempt_failed" | "gave_up");
    Step {
        class: match step.kind.as_str() {
            "done" => "done",
            _ if failed => "failed",
            _ => "",
        },
        seq: step.seq,
        label: step.label,
        line: step.line,
        rounds: step.rounds,
        kind: Pill {
            tone: match step.kind.as_str() {
                "done" => Tone::Good,
                _ if failed => Tone::Bad,
                _ => Tone::Plain,
            },
            ..Pill::of_word(&step.kind, visit.lang())
        },
        attempt: step.attempt,
        at: step.time.parse().ok().map(|at| Moment::exactly(at, &visit.zone())),
        input: step.input.as_ref().map(pretty),
        output: step.output.as_ref().map(pretty),
        why: step.why.map(|why| match why.as_str() {
            Some(why) => names.told(why),
            None => names.told(&why.to_string()),
        }),
        error: step.error.map(|error| names.told(&error)),
        changed: told(step.changed),
        messages: step
            .messages
            .iter()
            .map(|message| {
                let to = message.address.as_deref().or(message.to.as_deref()).unwrap_or_default();
                let subject = message.subject.as_deref().unwrap_or_default();
                (format!("{to}: {subject}"), Pill::of_word(message.status, visit.lang()))
            })
            .collect(),
        suppressed: told(step.suppressed),
        used: (step.cpu_us > 0).then(|| {
            let (whole, part) = (step.cpu_us / 1_000, step.cpu_us % 1_000 / 100);
            format!(
                "{whole}.{part} ms CPU, {} KiB, {} calls",
                step.memory_bytes / 1024,
                step.host_calls
            )
        }),
    }
}

/// What went in or came out, a line a field.
fn pretty(json: &serde_json::Value) -> String {
    let text = serde_json::to_string_pretty(json).unwrap_or_default();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}\n…", &text[..end]),
        None => text,
    }
}

/// `POST /runs/{id}/retry`
pub(crate) async fn retry(
    Path(id): Path<String>,
    Sent { visit, form }: Sent,
) -> Result<Response, Failure> {
    visit.must(Area::Runs, Doing::Change).await?;
    let run = id.parse::<RunId>().map_err(|_| Failure::NotFound)?;
    let request = RetryRequest {
        from: form.filled("from").map(str::to_owned),
        set: Vec::new(),
        why: why(&visit, form.filled("why")),
    };
    visit.app.retry(run, &request).await?;
    Ok(to(&format!("/runs/{run}")))
}

/// `POST /runs/{id}/cancel`
pub(crate) async fn cancel(
    Path(id): Path<String>,
    Sent { visit, form }: Sent,
) -> Result<Response, Failure> {
    visit.must(Area::Runs, Doing::Change).await?;
    let run = id.parse::<RunId>().map_err(|_| Failure::NotFound)?;
    visit.app.cancel(run, &why(&visit, form.filled("why"))).await?;
    Ok(to(&format!("/runs/{run}")))
}

/// Who wanted it and why, as the log keeps it.
fn why(visit: &Visit, why: Option<&str>) -> String {
    let by = format!("by {}", visit.viewer.actor());
    why.map_or_else(|| by.clone(), |why| format!("{why} ({by})"))
}

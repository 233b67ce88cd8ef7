//! Workflows: which there are, what a text would do, its tests, and which
//! version is active since when.

use std::path::Path as FilePath;

use askama::Template;
use axum::{
    extract::{Path, Query},
    http::StatusCode,
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use relata_app::{
    AppError, Running,
    model::{Area, Doing},
    testing::{Ground, Tests},
    workflow::{
        Catalog, Definition, Diagnostic,
        graph::{graph, svg},
        insight::{Fix, Range, fix},
    },
};
use similar::{ChangeTag, TextDiff};
use tokio::{runtime::Handle, sync::Semaphore, task::spawn_blocking};

use crate::{
    failure::Failure,
    frame::rendered,
    html::{Link, Moment, Pill, Tone},
    inbox::asked,
    log_in::to,
    names::Names,
    session::{Sent, Visit},
    shell::{Shell, in_query},
    workflow_editor,
};

/// What a new text begins with.
const FIRST: &str = "\
workflow: my-workflow
title: What it does, in a few words
when:
  - created: ticket
steps:
  - do: notify.role
    role: head-of-support
    about: =ticket
    text: \"{{ ticket.ref }}: {{ ticket.subject }}\"
";

/// Whose tests are told now.
static TELLING: Semaphore = Semaphore::const_new(1);

/// How many lines around a change a difference shows.
const AROUND: usize = 3;

#[derive(Template)]
#[template(path = "workflows.html")]
struct WorkflowsPage {
    s: Shell,
    rows: Vec<Row>,
    files: Vec<Link>,
    may_change: bool,
}

struct Row {
    link: Link,
    title: String,
    status: Pill,
    since: Option<Moment>,
    version: String,
    doors: String,
    runs: Link,
}

/// `GET /workflows`
pub(crate) async fn page(visit: Visit) -> Result<Response, Failure> {
    visit.must(Area::Workflows, Doing::See).await?;
    let t = visit.lang().texts();
    let workflows = visit.app.workflows().await?;
    let files = files(visit.app.directory().workflows().as_path());
    let unknown = files.iter().filter(|file| !workflows.iter().any(|row| row.workflow == **file));
    let files = unknown
        .map(|file| Link::to(format!("/workflows/{}", in_query(file)), file.clone()))
        .collect();
    let rows = workflows.into_iter().map(|row| {
        let buttons = row.doors.buttons.iter().map(|button| button.label.clone());
        let hooks = row.doors.webhooks.iter().map(|name| format!("POST /hooks/{name}"));
        let name = in_query(&row.workflow);
        Row {
            status: Pill {
                tone: if row.version.is_some() { Tone::Good } else { Tone::Quiet },
                text: if row.version.is_some() { t.is_active } else { t.not_active }.to_owned(),
                title: String::new(),
            },
            since: visit.moment_of(row.active_since.as_deref()),
            version: row.version.unwrap_or_default().chars().take(12).collect(),
            doors: buttons.chain(hooks).collect::<Vec<_>>().join(", "),
            runs: Link::to(format!("/runs?workflow={name}"), t.runs),
            link: Link::to(format!("/workflows/{name}"), row.workflow),
            title: row.title,
        }
    });
    Ok(rendered(&WorkflowsPage {
        rows: rows.collect(),
        files,
        may_change: visit.viewer.may(Area::Workflows, Doing::Change),
        s: visit.shell("workflows"),
    }))
}

/// The names of the workflows whose files lie in a folder.
fn files(folder: &FilePath) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let name = name.strip_suffix(".yaml")?;
            (!name.ends_with(".test")).then(|| name.to_owned())
        })
        .collect();
    names.sort();
    names
}

/// The text of a file of the workflows' folder, if there is one.
fn file_of(visit: &Visit, name: &str, end: &str) -> Option<String> {
    // A name of the address is no path.
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let file = visit.app.directory().workflows().join(format!("{name}{end}"));
    is_name.then(|| std::fs::read_to_string(file).ok()).flatten()
}

#[derive(Template)]
#[template(path = "workflow.html")]
struct WorkflowPage {
    s: Shell,
    name: String,
    title: String,
    active: bool,
    may_change: bool,
    source: String,
    tests: String,
    /// What the file of the data directory says, where that is another text.
    differs_from_file: bool,
    findings: Vec<Finding>,
    checked: bool,
    picture: Option<String>,
    report: Option<Report>,
    history: Vec<Activated>,
    done: Option<String>,
    wrong: Option<String>,
    /// The words of the editor's script.
    words: String,
}

/// What is wrong with a text.
pub(crate) struct Finding {
    pub(crate) class: &'static str,
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    /// Where it is in the text, in bytes.
    pub(crate) range: Range,
    pub(crate) fix: Option<Fix>,
}

/// What became of the tests.
struct Report {
    cases: Vec<Case>,
    broken: usize,
    coverage: Vec<String>,
}

struct Case {
    name: String,
    status: Pill,
    failures: Vec<String>,
    trace: Vec<String>,
}

struct Activated {
    at: Moment,
    by: String,
    version: String,
    /// The difference from the version before.
    difference: Option<String>,
}

/// What a page of a workflow shows beside its texts.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) findings: Vec<Finding>,
    checked: bool,
    pub(crate) picture: Option<String>,
    report: Option<Report>,
    done: Option<String>,
    wrong: Option<String>,
}

/// `GET /workflows/{name}`; `new` is a text that has no name yet.
pub(crate) async fn show(visit: Visit, Path(name): Path<String>) -> Result<Response, Failure> {
    visit.must(Area::Workflows, Doing::See).await?;
    let source = match active_source(&visit, &name).await? {
        Some(source) => source,
        None if name == "new" => FIRST.to_owned(),
        None => file_of(&visit, &name, ".yaml").ok_or(Failure::NotFound)?,
    };
    let tests = file_of(&visit, &name, ".test.yaml").unwrap_or_default();
    let checked = check(&visit, &name, &source).await?;
    let shown = Shown { checked: false, ..checked };
    Ok(rendered(&filled(&visit, &name, source, tests, shown).await?))
}

/// The text of the version that is active, or was last.
async fn active_source(visit: &Visit, name: &str) -> Result<Option<String>, Failure> {
    let store = visit.app.store();
    let history = store.workflow_activations(name).await.map_err(AppError::from)?;
    let Some(digest) = history.iter().filter_map(|row| row.digest.as_ref()).next_back() else {
        return Ok(None);
    };
    let version = store.workflow_version(digest).await.map_err(AppError::from)?;
    Ok(version.map(|version| version.source))
}

/// `POST /workflows/{name}`: the text is checked, its tests are told, or it
/// becomes the active version.
pub(crate) async fn act(
    Path(name): Path<String>,
    Sent { visit, form }: Sent,
) -> Result<Response, Failure> {
    let doing = form.get("do").unwrap_or("check");
    let needed = if matches!(doing, "check" | "test") { Doing::See } else { Doing::Change };
    visit.must(Area::Workflows, needed).await?;
    let t = visit.lang().texts();
    let source = form.get("source").unwrap_or_default().to_owned();
    let tests = form.get("tests").unwrap_or_default().to_owned();
    let file = format!("{name}.yaml");
    let mut shown;
    match doing {
        "deactivate" => {
            visit.app.deactivate(&name).await?;
            return Ok(to(&format!("/workflows/{}", in_query(&name))));
        }
        "activate" => {
            let running = match form.get("running") {
                Some("restart") => Running::Restart,
                Some("cancel") => Running::Cancel,
                _ => Running::Finish,
            };
            let by = visit.viewer.actor();
            match visit.app.activate(&file, &source, by, running).await {
                Ok(activation) => {
                    return Ok(to(&format!("/workflows/{}", in_query(&activation.workflow))));
                }
                Err(why) if why.is_wrong_input() => {
                    shown = check(&visit, &name, &source).await?;
                    shown.wrong = Some(if shown.findings.is_empty() {
                        why.to_string()
                    } else {
                        t.not_activated.to_owned()
                    });
                }
                Err(why) => return Err(why.into()),
            }
        }
        "test" => {
            shown = check(&visit, &name, &source).await?;
            match told(&visit, &name, &source, &tests).await? {
                Ok((report, wrong)) => {
                    shown.findings.extend(wrong);
                    shown.report = Some(report);
                }
                Err(wrong) => shown.wrong = Some(wrong),
            }
        }
        _ => shown = check(&visit, &name, &source).await?,
    }
    let status =
        if shown.wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let mut response = rendered(&filled(&visit, &name, source, tests, shown).await?);
    *response.status_mut() = status;
    Ok(response)
}

/// What is wrong with a text, and its picture where it can be drawn.
pub(crate) async fn check(visit: &Visit, name: &str, source: &str) -> Result<Shown, Failure> {
    let file = format!("{name}.yaml");
    let sources = [(file.clone(), source.to_owned())];
    let (mut findings, mut picture) = (Vec::new(), None);
    for (_, definition, found) in visit.app.check(&sources).await? {
        findings.extend(found.iter().map(|found| finding(found, &file, source)));
        if let Some(definition) = definition {
            picture = Some(picture_of(&definition, &visit.app.catalog().await?));
        }
    }
    Ok(Shown { findings, picture, checked: true, ..Shown::default() })
}

/// The picture as an address that needs no further request.
fn picture_of(definition: &Definition, catalog: &Catalog) -> String {
    let drawn = svg(&graph(definition, catalog));
    format!("data:image/svg+xml;base64,{}", STANDARD.encode(drawn))
}

fn finding(found: &Diagnostic, file: &str, source: &str) -> Finding {
    // Some are in the blueprint that a text is made of, or in its tests.
    let is_here = found.file == file;
    Finding {
        class: if found.is_error() { "error" } else { "warning" },
        line: found.span.line,
        column: found.span.column,
        code: found.code,
        message: match is_here {
            true => found.message.clone(),
            false => format!("{}: {}", found.file, found.message),
        },
        help: found.help.clone(),
        range: match is_here {
            true => Range { start: found.span.start, end: found.span.end },
            false => Range { start: 0, end: 0 },
        },
        fix: if is_here { fix(found, source) } else { None },
    }
}

/// Tells the tests of a text. They need a company of their own, which is made
/// of this one's files.
async fn told(
    visit: &Visit,
    name: &str,
    source: &str,
    tests: &str,
) -> Result<Result<(Report, Vec<Finding>), String>, Failure> {
    let t = visit.lang().texts();
    if tests.trim().is_empty() {
        return Ok(Err(t.no_tests.to_owned()));
    }
    // Opened by its files alone, it would look for another database.
    if visit.app.store().is_shared() && visit.app.config().database.is_none() {
        return Ok(Err(t.tests_on_host.to_owned()));
    }
    let file = format!("{name}.yaml");
    let ground = Ground::Company { root: visit.app.directory().root().to_owned(), database: None };
    let mut sources =
        vec![(file.clone(), source.to_owned()), (format!("{name}.test.yaml"), tests.to_owned())];
    // A test may need other workflows beside it.
    for other in files(&visit.app.directory().workflows()) {
        if other != name
            && let Some(text) = file_of(visit, &other, ".yaml")
        {
            sources.push((format!("{other}.yaml"), text));
        }
    }
    // It keeps a processor busy for a while: not one of the pages', and one
    // reader's at a time.
    let _turn = TELLING.acquire().await;
    let telling = move || {
        Handle::current().block_on(async move {
            let loaded = Tests::load(&sources, &ground).await?;
            let results = loaded.run(None, |_| {}).await;
            Ok::<_, AppError>((loaded.diagnostics().to_vec(), results))
        })
    };
    let told = spawn_blocking(telling).await;
    let (found, results) = told.map_err(|why| AppError::Fault(why.to_string()))??;
    let findings = found.iter().map(|found| finding(found, &file, source)).collect();
    let cases: Vec<Case> = results
        .cases
        .iter()
        .map(|case| Case {
            name: case.it.clone(),
            status: match case.holds() {
                true => Pill { tone: Tone::Good, text: t.holds.to_owned(), title: String::new() },
                false => Pill { tone: Tone::Bad, text: t.fails.to_owned(), title: String::new() },
            },
            failures: case.failures.iter().map(|failure| failure.diagnostic().sentence()).collect(),
            trace: if case.holds() { Vec::new() } else { case.trace.clone() },
        })
        .collect();
    Ok(Ok((
        Report {
            broken: results.cases.iter().filter(|case| !case.holds()).count(),
            cases,
            coverage: results
                .coverage
                .iter()
                .map(|coverage| {
                    let missed: Vec<String> = coverage
                        .missed
                        .iter()
                        .map(|missed| format!("{}: {}", missed.line, missed.what))
                        .collect();
                    format!("{} %  {}", coverage.percent(), missed.join("; "))
                })
                .collect(),
        },
        findings,
    )))
}

async fn filled(
    visit: &Visit,
    name: &str,
    source: String,
    tests: String,
    shown: Shown,
) -> Result<WorkflowPage, Failure> {
    let history = visit.app.store().workflow_activations(name).await.map_err(AppError::from)?;
    let mut names = Names::new(visit);
    let by: Vec<_> = history.iter().filter_map(|row| row.actor.as_ref()?.parse().ok()).collect();
    names.learn(&by.iter().collect::<Vec<_>>()).await?;
    let mut before: Option<&String> = None;
    let mut activated = Vec::with_capacity(history.len());
    for row in &history {
        let difference = match (&row.digest, before) {
            (Some(now), Some(before)) if now != before => {
                Some(format!("/workflows/{}/difference?from={before}&to={now}", in_query(name)))
            }
            _ => None,
        };
        activated.push(Activated {
            at: visit.moment(row.at),
            by: row.actor.as_deref().map_or_else(String::new, |by| names.actor(by)),
            version: row.digest.as_deref().map_or_else(
                || visit.lang().texts().deactivated.to_owned(),
                |digest| digest.chars().take(12).collect(),
            ),
            difference,
        });
        before = row.digest.as_ref().or(before);
    }
    activated.reverse();
    let file = file_of(visit, name, ".yaml");
    Ok(WorkflowPage {
        active: history.last().is_some_and(|row| row.digest.is_some()),
        title: name.to_owned(),
        may_change: visit.viewer.may(Area::Workflows, Doing::Change),
        differs_from_file: !history.is_empty() && file.is_some_and(|file| file != source),
        source,
        tests,
        findings: shown.findings,
        checked: shown.checked,
        picture: shown.picture,
        report: shown.report,
        history: activated,
        done: shown.done,
        wrong: shown.wrong,
        words: workflow_editor::words(visit.lang().texts()),
        name: in_query(name),
        s: visit.shell("workflows"),
    })
}

#[derive(Template)]
#[template(path = "difference.html")]
struct DifferencePage {
    s: Shell,
    name: String,
    from: String,
    to: String,
    pieces: Vec<Vec<(char, String)>>,
}

/// `GET /workflows/{name}/difference`: of two versions of the workflow.
pub(crate) async fn difference(
    visit: Visit,
    Path(name): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    visit.must(Area::Workflows, Doing::See).await?;
    let mut texts = Vec::new();
    for which in ["from", "to"] {
        let digest = asked(&query, which).ok_or(Failure::NotFound)?;
        let version = visit.app.store().workflow_version(digest).await.map_err(AppError::from)?;
        let version = version.filter(|version| version.name == name).ok_or(Failure::NotFound)?;
        texts.push((digest.chars().take(12).collect::<String>(), version.source));
    }
    let [(from, before), (to, after)] = &texts[..] else { return Err(Failure::NotFound) };
    let diff = TextDiff::from_lines(before, after);
    let pieces = diff
        .grouped_ops(AROUND)
        .iter()
        .map(|group| {
            let changes = group.iter().flat_map(|op| diff.iter_changes(op));
            let lines = changes.map(|change| {
                let sign = match change.tag() {
                    ChangeTag::Insert => '+',
                    ChangeTag::Delete => '-',
                    ChangeTag::Equal => ' ',
                };
                (sign, change.value().trim_end_matches('\n').to_owned())
            });
            lines.collect()
        })
        .collect();
    Ok(rendered(&DifferencePage {
        name: in_query(&name),
        from: from.clone(),
        to: to.clone(),
        pieces,
        s: visit.shell("workflows"),
    }))
}

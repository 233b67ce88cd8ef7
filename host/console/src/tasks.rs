//! What somebody has to do by a time.

use askama::Template;
use axum::{extract::Query, response::Response};
use relata_app::{
    RecordSearch, Watched,
    model::{Act, Record},
};

use crate::{
    failure::Failure,
    frame::rendered,
    html::{Link, Pill, Tone, span},
    inbox::asked,
    names::{Names, page_of},
    session::{Visit, text_of},
    shell::Shell,
    texts::fill,
    ticket_list::Tab,
};

/// How many tasks a page has.
const PAGE: u32 = 50;

#[derive(Template)]
#[template(path = "tasks.html")]
struct TasksPage {
    s: Shell,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    may_create: bool,
    next: Option<String>,
}

struct Row {
    link: Link,
    about: Option<Link>,
    assignee: Option<Link>,
    due: Option<Pill>,
    action: String,
    open: bool,
    may_change: bool,
}

/// `GET /tasks`
pub(crate) async fn page(
    visit: Visit,
    Query(query): Query<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let t = visit.lang().texts();
    let view = asked(&query, "view").unwrap_or("mine");
    let condition = |field: &str, value: &str| (field.to_owned(), value.to_owned());
    let mut filter = vec![condition("status", if view == "done" { "done" } else { "open" })];
    if view != "all" {
        filter.push(condition("assignee", &visit.me.reference.to_string()));
    }
    let search = RecordSearch {
        filter,
        sort: Some(if view == "done" { "-done_at" } else { "due_at" }.to_owned()),
        after: asked(&query, "cursor").map(str::to_owned),
        limit: PAGE,
        ..RecordSearch::default()
    };
    let found = visit.app.find(&visit.viewer, "task", &search).await?;
    let names = Names::of_records(&visit, &found.records).await?;
    let rows = found.records.iter().map(|task| row(&visit, task, &names)).collect();
    let tabs = [("mine", t.tasks_mine), ("all", t.tasks_all), ("done", t.tasks_done)];
    Ok(rendered(&TasksPage {
        tabs: tabs
            .into_iter()
            .map(|(word, text)| Tab {
                href: format!("/tasks?view={word}"),
                text,
                current: word == view,
                count: None,
            })
            .collect(),
        rows,
        may_create: visit.viewer.may_object("task", Act::Create),
        next: found
            .next
            .map(|next| format!("/tasks?view={view}&cursor={}", crate::shell::in_query(&next))),
        s: visit.shell("tasks").showing(vec![Watched::Object("task".to_owned())]),
    }))
}

fn row(visit: &Visit, task: &Record, names: &Names<'_>) -> Row {
    let link = |field: &str| task.field(field).as_reference().map(|to| names.link(to));
    let open = text_of(task, "status") == "open";
    Row {
        link: Link::to(page_of(&task.reference), text_of(task, "title")),
        about: link("about"),
        assignee: link("assignee"),
        due: due(visit, task).filter(|_| open),
        action: format!("/records/{}/move", task.reference),
        open,
        may_change: visit.viewer.may_object("task", Act::Change),
    }
}

/// How long is left for a task.
fn due(visit: &Visit, task: &Record) -> Option<Pill> {
    let (t, lang) = (visit.lang().texts(), visit.lang());
    let at = task.field("due_at").as_time()?;
    let left = at.as_second() - visit.now().as_second();
    let (tone, shape) = match left {
        ..0 => (Tone::Bad, t.overdue),
        0..86_400 => (Tone::Warn, t.due_in),
        _ => (Tone::Plain, t.due_in),
    };
    let title = at.to_zoned(visit.zone()).strftime("%Y-%m-%d %H:%M").to_string();
    Some(Pill { tone, text: fill(shape, &[&span(left.abs(), lang)]), title })
}

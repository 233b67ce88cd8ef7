//! The questions that runs have asked, and the answers.

use askama::Template;
use axum::{extract::Path, response::Response};
use relata_app::{ApprovalFilter, ApprovalView, NewAnswer, Watched, model::Reference};

use crate::{
    failure::Failure,
    frame::rendered,
    html::{Link, Moment},
    log_in::to,
    names::Names,
    session::{Sent, Visit},
    shell::Shell,
};

#[derive(Template)]
#[template(path = "approvals.html")]
struct ApprovalsPage {
    s: Shell,
    rows: Vec<Row>,
}

struct Row {
    action: String,
    question: String,
    about: Option<Link>,
    run: Option<Link>,
    asked_at: Option<Moment>,
    due: Option<Moment>,
    late: bool,
    abandoned: bool,
    answers: Vec<String>,
}

/// `GET /approvals`: what the viewer is asked.
pub(crate) async fn page(visit: Visit) -> Result<Response, Failure> {
    let user = Some(visit.me.reference.clone());
    let approvals =
        visit.app.approvals(&ApprovalFilter { user, ..ApprovalFilter::default() }).await?;
    let parse = |text: &Option<String>| text.as_deref()?.parse::<Reference>().ok();
    let about: Vec<Reference> = approvals.iter().filter_map(|row| parse(&row.about)).collect();
    let mut names = Names::new(&visit);
    names.learn(&about.iter().collect::<Vec<_>>()).await?;
    let row = |approval: ApprovalView| Row {
        action: format!("/approvals/{}", last_part(&approval.approval)),
        about: parse(&approval.about).map(|about| names.link(&about)),
        run: approval.run.as_ref().map(|run| Link::to(format!("/runs/{run}"), run)),
        asked_at: visit.moment_of(approval.asked_at.as_deref()),
        due: visit.moment_of(approval.due_at.as_deref()),
        question: approval.question,
        late: approval.late,
        abandoned: approval.abandoned,
        answers: approval.answers,
    };
    let rows = approvals.into_iter().map(row).collect();
    let shown = vec![Watched::Object("approval".to_owned())];
    Ok(rendered(&ApprovalsPage { s: visit.shell("approvals").showing(shown), rows }))
}

fn last_part(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

/// `POST /approvals/{key}`
pub(crate) async fn answer(
    Path(key): Path<String>,
    Sent { visit, form }: Sent,
) -> Result<Response, Failure> {
    let by = visit.me.reference.clone();
    let new = NewAnswer {
        approval: Reference::new("approval", key),
        answer: form.get("answer").unwrap_or_default().to_owned(),
        by,
        comment: form.filled("comment").map(str::to_owned),
    };
    visit.app.answer_approval(&new).await?;
    Ok(to("/approvals"))
}

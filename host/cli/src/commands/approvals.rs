//! `relata approvals`

use std::process::ExitCode;

use clap::{Args, Subcommand};
use relata_app::{App, ApprovalFilter, ApprovalView, NewAnswer, model::Reference};

use crate::{
    context::Context,
    names::Names,
    out::{self, Column},
    time,
};

/// Show the questions that runs ask people, and answer them.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  relata approvals                          all that are open
  relata approvals --for user/anna          those that she may answer
  relata approvals answer 01k9… approve --by user/anna
  relata approvals answer 01k9… reject --by user/anna --comment 'not below cost'"
)]
pub(crate) struct ApprovalsArgs {
    #[command(subcommand)]
    command: Option<ApprovalsCommand>,
    /// Those that this user may answer, asked directly or by a role
    #[arg(long = "for", value_name = "USER")]
    user: Option<Reference>,
    /// Those that were asked of this role
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Those that were answered or have expired as well
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Subcommand)]
enum ApprovalsCommand {
    /// Answer a question; the run that asked goes on with it
    Answer {
        /// Its id, from `relata approvals`
        #[arg(value_name = "ID")]
        approval: String,
        /// One of its answers
        #[arg(value_name = "ANSWER")]
        answer: String,
        /// Who answers: a user who is asked, such as user/anna
        #[arg(long, value_name = "USER")]
        by: Reference,
        /// More to it, for the record
        #[arg(long, value_name = "TEXT")]
        comment: Option<String>,
    },
}

pub(crate) async fn run(context: &Context, args: ApprovalsArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let done = match args.command {
        None => {
            let filter = ApprovalFilter { user: args.user, role: args.role, all: args.all };
            list(context, &app, &filter).await
        }
        Some(ApprovalsCommand::Answer { approval, answer, by, comment }) => {
            let approval = read_id(&approval);
            give(context, &app, &NewAnswer { approval, answer, by, comment }).await
        }
    };
    app.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

/// `01k9…` as the list shows it, or `approval/01k9…` as a record.
fn read_id(written: &str) -> Reference {
    written.parse().unwrap_or_else(|_| Reference::new("approval", written))
}

async fn list(context: &Context, app: &App, filter: &ApprovalFilter) -> anyhow::Result<()> {
    let approvals = app.approvals(filter).await?;
    if context.json {
        return out::json(&approvals);
    }
    if approvals.is_empty() {
        return out::line(if filter.all { "nobody was asked yet" } else { "nothing is open" });
    }
    let zone = app.zone();
    let mut names = Names::new(app);
    let mut rows = Vec::with_capacity(approvals.len());
    for row in approvals {
        rows.push(vec![
            row.approval.clone(),
            row.question.clone(),
            told(&mut names, row.about.as_deref()).await?,
            match &row.role {
                Some(role) => format!("role {role}"),
                None => told(&mut names, row.asked.as_deref()).await?,
            },
            stands(&row),
            row.due_at.map_or_else(String::new, |at| time::short_text(&at, &zone)),
        ]);
    }
    let columns = [
        Column::whole("Approval"),
        Column::text("Question"),
        Column::text("About"),
        Column::text("Asked"),
        Column::text("Answers"),
        Column::whole("Until"),
    ];
    out::table(&columns, rows)
}

/// What may be answered, or what became of it.
fn stands(row: &ApprovalView) -> String {
    match (row.status.as_str(), &row.answer) {
        ("open", _) => {
            let mut text = row.answers.join(", ");
            if row.abandoned {
                text.push_str(" (its run has ended)");
            } else if row.late {
                text.push_str(" (too late)");
            }
            text
        }
        (_, Some(answer)) => format!("answered: {answer}"),
        (status, None) => status.to_owned(),
    }
}

async fn told(names: &mut Names<'_>, record: Option<&str>) -> anyhow::Result<String> {
    Ok(match record.map(str::parse::<Reference>) {
        Some(Ok(reference)) => names.short(&reference).await?,
        _ => String::new(),
    })
}

async fn give(context: &Context, app: &App, new: &NewAnswer) -> anyhow::Result<()> {
    let answered = app.answer_approval(new).await?;
    if context.json {
        return out::json(&answered);
    }
    let approval = &answered.approval;
    let answer = approval.answer.as_deref().unwrap_or_default();
    out::line(out::clean(&format!("`{answer}` is the answer to: {}", approval.question)))?;
    match (&answered.too_late, &approval.run) {
        (Some(why), _) => {
            let why = Names::new(app).told(why).await?;
            out::line(out::clean(&format!("nobody goes on with it: {why}")))
        }
        (None, Some(run)) => {
            let next = if app.clock().is_manual() {
                "when the clock is moved"
            } else {
                "at once where `relata serve` runs"
            };
            out::line(format!("{run} goes on {next}"))
        }
        (None, None) => Ok(()),
    }
}

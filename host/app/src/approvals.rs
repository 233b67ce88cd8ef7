//! Approvals: the questions that runs have asked people, and the answers.

use relata_engine::Status;
use relata_model::{Fields, Record, Reference, RunId, Timestamp, Value, text};
use relata_store::{Condition, Query, RecordError, Write};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{App, AppError};

/// The object of the questions.
const OBJECT: &str = "approval";

/// The longest text of a caller that an error repeats, characters.
const LONGEST: usize = 60;

/// Whose questions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApprovalFilter {
    /// Those that this user may answer: asked directly, or by a role.
    pub user: Option<Reference>,
    /// Those that were asked of a role.
    pub role: Option<String>,
    /// Those that were answered or have expired as well.
    pub all: bool,
}

/// A question as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ApprovalView {
    /// Its id, as the answer names it.
    pub approval: String,
    /// What is asked.
    pub question: String,
    /// The record that it is about, `object/id`.
    pub about: Option<String>,
    /// The user who is asked, `user/id`; none where a role is.
    pub asked: Option<String>,
    /// The role of those who are asked.
    pub role: Option<String>,
    /// What may be answered.
    pub answers: Vec<String>,
    /// `open`, `answered` or `expired`.
    pub status: String,
    /// When it was asked, RFC 3339.
    pub asked_at: Option<String>,
    /// Until when it can be answered.
    pub due_at: Option<String>,
    /// Whether that time has gone by.
    pub late: bool,
    /// The run that asks.
    pub run: Option<String>,
    /// Whether it is open, and yet that run has ended: nobody goes on with an
    /// answer.
    pub abandoned: bool,
    /// What was answered.
    pub answer: Option<String>,
    /// Who answered, `user/id`.
    pub answered_by: Option<String>,
    /// What they said to it.
    pub comment: Option<String>,
}

/// An answer that somebody gives.
#[derive(Debug, Clone)]
pub struct NewAnswer {
    /// The question.
    pub approval: Reference,
    /// One of its answers.
    pub answer: String,
    /// The user who answers.
    pub by: Reference,
    /// More to it.
    pub comment: Option<String>,
}

/// An answer that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Answered {
    /// The question as it is now.
    #[serde(flatten)]
    pub approval: ApprovalView,
    /// Why nobody waits for the answer any more: the run has ended. None
    /// where it goes on with it.
    pub too_late: Option<String>,
}

impl App {
    /// Questions, the oldest first.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where there is no such user.
    pub async fn approvals(&self, filter: &ApprovalFilter) -> Result<Vec<ApprovalView>, AppError> {
        let user = match &filter.user {
            Some(user) => Some(self.user(user).await?),
            None => None,
        };
        let mut conditions = Vec::new();
        if !filter.all {
            conditions.push(Condition::equal("status", Value::Text("open".to_owned())));
        }
        if let Some(role) = &filter.role {
            conditions.push(Condition::equal("role", Value::Text(role.clone())));
        }
        let now = self.now();
        let mut found = Vec::new();
        let mut pages = self.pages(Query::new(OBJECT, conditions));
        while let Some(records) = pages.next().await? {
            for approval in records {
                if user.as_ref().is_some_and(|user| !is_asked(&approval, user)) {
                    continue;
                }
                let mut row = view(&approval, now);
                row.abandoned =
                    row.status == "open" && self.nobody_waits(&approval).await?.is_some();
                found.push(row);
            }
        }
        Ok(found)
    }

    /// Answers a question. The run that asked goes on as soon as the runner
    /// comes to it.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] says what is wrong: there is no such question or
    /// user, it is not open any more or was due before, this is none of its
    /// answers, or somebody else is asked.
    pub async fn answer_approval(&self, new: &NewAnswer) -> Result<Answered, AppError> {
        if new.approval.object != OBJECT {
            return Err(AppError::wrong(format!(
                "{} is no approval; `relata approvals` lists those that are open",
                new.approval
            )));
        }
        let approval = self.approval(&new.approval).await?;
        let user = self.user(&new.by).await?;
        let now = self.now();
        self.may_answer(&approval, &user, now).await?;
        let answer = known_answer(&approval, &new.answer)?;
        let comment = new.comment.as_deref().map(str::trim).filter(|comment| !comment.is_empty());
        let fields = Fields::from([
            ("status".to_owned(), Value::Text("answered".to_owned())),
            ("answer".to_owned(), Value::Text(answer)),
            ("answered_by".to_owned(), Value::Reference(user.reference.clone())),
            (
                "comment".to_owned(),
                comment.map_or(Value::Nothing, |comment| Value::Text(comment.to_owned())),
            ),
        ]);
        let write = Write::Update {
            reference: approval.reference.clone(),
            fields,
            if_revision: Some(approval.revision),
        };
        let written = match self.write_record(write, &user.reference.to_string()).await {
            Ok(written) => written.record,
            // Somebody else came first: say what is so now.
            Err(AppError::Record(RecordError::Conflict { .. })) => {
                let approval = self.approval(&approval.reference).await?;
                self.may_answer(&approval, &user, now).await?;
                return Err(AppError::wrong(
                    "somebody has changed the question at this moment; look at it again",
                ));
            }
            Err(other) => return Err(other),
        };
        let too_late = self.nobody_waits(&written).await?;
        Ok(Answered { approval: view(&written, now), too_late })
    }

    async fn approval(&self, reference: &Reference) -> Result<Record, AppError> {
        self.store().record_fetch(reference).await?.ok_or_else(|| {
            AppError::wrong(format!(
                "there is no approval `{}`; `relata approvals` lists those that are open",
                text::shortened(&reference.key, LONGEST)
            ))
        })
    }

    async fn user(&self, reference: &Reference) -> Result<Record, AppError> {
        if reference.object != "user" {
            return Err(AppError::wrong(format!(
                "{reference} is no user; write it like user/anna"
            )));
        }
        self.record(reference).await
    }

    /// Whether this user can answer it now.
    async fn may_answer(
        &self,
        approval: &Record,
        user: &Record,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let wrong = |why: String| Err(AppError::wrong(why));
        let name = || called(user);
        match approval.field("status").as_text() {
            Some("open") => {}
            Some("answered") => {
                let by = self.name_in(approval, "answered_by").await?;
                return wrong(format!(
                    "{by} has answered `{}` already",
                    approval.field("answer").as_text().unwrap_or_default()
                ));
            }
            _ => {
                return wrong("nobody waits for the answer any more: it has expired".to_owned());
            }
        }
        if let Some(due) = approval.field("due_at").as_time()
            && due <= now
        {
            return wrong(format!("it could be answered until {due}, which has gone by"));
        }
        if user.field("active") == &Value::YesNo(false) {
            return wrong(format!("{} no longer works here", name()));
        }
        if is_asked(approval, user) {
            return Ok(());
        }
        match approval.field("role").as_text() {
            Some(role) => wrong(format!(
                "those with the role `{role}` are asked, and {} does not have it",
                name()
            )),
            None => {
                let asked = self.name_in(approval, "asked").await?;
                wrong(format!("{asked} is asked, not {}", name()))
            }
        }
    }

    /// What the user in a field is called; `somebody` where there is none.
    async fn name_in(&self, approval: &Record, field: &str) -> Result<String, AppError> {
        let Value::Reference(user) = approval.field(field) else {
            return Ok("somebody".to_owned());
        };
        let user = self.store().record_fetch(user).await?;
        Ok(user.as_ref().map_or_else(|| "somebody".to_owned(), called))
    }

    /// Why nobody goes on with an answer; none where a run waits for it.
    async fn nobody_waits(&self, approval: &Record) -> Result<Option<String>, AppError> {
        let Some(run) = approval.field("run").as_text() else { return Ok(None) };
        let Ok(id) = run.parse::<RunId>() else { return Ok(None) };
        Ok(match self.store().run_fetch(id).await? {
            None => Some(format!("there is no {run} any more")),
            Some(row) => match row.run.status {
                Status::Ended(outcome) => {
                    Some(format!("{run} has ended before ({})", outcome.describe()))
                }
                Status::Active => None,
            },
        })
    }
}

/// Whether a question is asked of this user, directly or by a role.
fn is_asked(approval: &Record, user: &Record) -> bool {
    match (approval.field("asked"), approval.field("role")) {
        (Value::Reference(asked), _) => *asked == user.reference,
        (_, role @ Value::Text(_)) => match user.field("roles") {
            Value::List(roles) => roles.contains(role),
            _ => false,
        },
        _ => false,
    }
}

/// One of a question's answers.
fn known_answer(approval: &Record, given: &str) -> Result<String, AppError> {
    let answers: Vec<&str> = approval.field("answers").texts().collect();
    let given = given.trim();
    if let Some(answer) = answers.iter().find(|answer| **answer == given) {
        return Ok((*answer).to_owned());
    }
    let hint = match text::nearest(given, answers.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", answers.join(", ")),
    };
    Err(AppError::wrong(format!(
        "`{}` is none of the answers; {hint}",
        text::shortened(given, LONGEST)
    )))
}

fn called(user: &Record) -> String {
    user.field("name").as_text().map_or_else(|| user.reference.to_string(), str::to_owned)
}

fn view(approval: &Record, now: Timestamp) -> ApprovalView {
    let written = |field: &str| {
        let value = approval.field(field);
        (!value.is_nothing()).then(|| value.to_string())
    };
    let status = written("status").unwrap_or_default();
    ApprovalView {
        approval: approval.reference.key.clone(),
        question: written("question").unwrap_or_default(),
        about: written("about"),
        asked: written("asked"),
        role: written("role"),
        answers: approval.field("answers").texts().map(str::to_owned).collect(),
        asked_at: written("asked_at"),
        due_at: written("due_at"),
        late: status == "open" && approval.field("due_at").as_time().is_some_and(|due| due <= now),
        status,
        run: written("run"),
        abandoned: false,
        answer: written("answer"),
        answered_by: written("answered_by"),
        comment: written("comment"),
    }
}

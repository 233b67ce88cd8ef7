//! Effects on the outside world as people and programs look at them, and
//! what a person decides about those that are held or unknown.

use relata_model::{EffectId, Reference};
use relata_store::{Effect, EffectFilter, EffectStatus};
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::{App, AppError};

/// How an effect stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EffectView {
    /// Its id; the same across attempts.
    pub effect: String,
    /// `mail`, `notice` or `request`.
    pub kind: &'static str,
    /// `due`, `sending`, `sent`, `held`, `unknown`, `suppressed` or `failed`.
    pub status: &'static str,
    /// Why it is held, suppressed, unknown or failed.
    pub reason: Option<String>,
    /// Whom it goes to, `object/id`.
    pub to: Option<String>,
    /// The address it goes to.
    pub address: Option<String>,
    /// The mail template; none for a notice.
    pub template: Option<String>,
    /// The subject.
    pub subject: Option<String>,
    /// The run that wanted it.
    pub run: Option<String>,
    /// That run's workflow.
    pub workflow: Option<String>,
    /// That run's step, its path.
    pub step: Option<String>,
    /// Which items of loops and which branches that step belongs to, `3.1`;
    /// empty outside of all.
    pub rounds: String,
    /// How often it was begun.
    pub attempts: u32,
    /// When the step wanted it, RFC 3339.
    pub created_at: String,
    /// When it should be carried out; none where it was.
    pub due_at: Option<String>,
    /// When it was done.
    pub sent_at: Option<String>,
    /// What the channel said: a Message-ID, or a file's name.
    pub receipt: Option<String>,
}

/// An effect with everything that goes out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EffectDetail {
    /// How it stands.
    #[serde(flatten)]
    pub effect: EffectView,
    /// Its plain text.
    pub text: Option<String>,
}

impl App {
    /// Effects that meet a filter, oldest first.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the database fails.
    pub async fn effects(&self, filter: &EffectFilter) -> Result<Vec<EffectView>, AppError> {
        let mut effects = self.store().outbox_list(filter, u32::MAX).await?;
        effects.sort_by_key(|effect| (effect.created_at, effect.run, effect.id));
        Ok(effects.into_iter().map(|effect| view(&effect)).collect())
    }

    /// Effects that meet a filter, in the order of their ids, which is none of
    /// time: at most `limit` after the one that the filter says.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the database fails.
    pub async fn effects_page(
        &self,
        filter: &EffectFilter,
        limit: u32,
    ) -> Result<Vec<EffectView>, AppError> {
        let effects = self.store().outbox_list(filter, limit).await?;
        Ok(effects.iter().map(view).collect())
    }

    /// One effect with its text.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where there is none.
    pub async fn effect(&self, id: EffectId) -> Result<EffectDetail, AppError> {
        let effect = self.effect_fetch(id).await?;
        Ok(EffectDetail { text: text(&effect.body, "text"), effect: view(&effect) })
    }

    /// Sends an effect after all that is held, unknown or failed.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where there is none, or it stands otherwise.
    pub async fn effect_resume(&self, id: EffectId) -> Result<(), AppError> {
        let effect = self.effect_fetch(id).await?;
        let now = self.now();
        let resumed = self
            .store()
            .write(move |tx| Box::pin(async move { tx.outbox_resume(id, now).await }))
            .await?;
        if resumed { Ok(()) } else { Err(stands(&effect, "held, unknown or failed")) }
    }

    /// Drops an effect that has not gone out.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where there is none, or it has gone out.
    pub async fn effect_drop(&self, id: EffectId, why: &str) -> Result<(), AppError> {
        let effect = self.effect_fetch(id).await?;
        let why = why.to_owned();
        let dropped = self
            .store()
            .write(move |tx| Box::pin(async move { tx.outbox_suppress(id, &why).await }))
            .await?;
        if dropped { Ok(()) } else { Err(stands(&effect, "due, held, unknown or failed")) }
    }

    async fn effect_fetch(&self, id: EffectId) -> Result<Effect, AppError> {
        self.store().outbox_fetch(id).await?.ok_or_else(|| {
            AppError::wrong(format!("there is no effect {id}; `relata outbox` lists them"))
        })
    }
}

fn stands(effect: &Effect, wanted: &str) -> AppError {
    AppError::wrong(format!("{} is {}, and not {wanted}", effect.id, effect.status.as_str()))
}

pub(crate) fn view(effect: &Effect) -> EffectView {
    let has_gone = matches!(effect.status, EffectStatus::Sent | EffectStatus::Suppressed);
    EffectView {
        effect: effect.id.to_string(),
        kind: effect.kind.as_str(),
        status: effect.status.as_str(),
        reason: effect.reason.clone(),
        to: effect.recipient.as_ref().map(Reference::to_string),
        address: text(&effect.body, "to_address"),
        template: effect.template.clone(),
        subject: text(&effect.body, "subject"),
        run: effect.run.map(|run| run.to_string()),
        workflow: effect.workflow.clone(),
        step: effect.step.clone(),
        rounds: effect.rounds.clone(),
        attempts: effect.attempts,
        created_at: effect.created_at.to_string(),
        due_at: effect.due_at.filter(|_| !has_gone).map(|at| at.to_string()),
        sent_at: effect.sent_at.map(|at| at.to_string()),
        receipt: effect.receipt.clone(),
    }
}

fn text(body: &Json, key: &str) -> Option<String> {
    body.get(key).and_then(Json::as_str).map(str::to_owned)
}

//! Pauses: a run, a workflow, an action or the whole host stands still until
//! somebody resumes it. New runs still begin, events are still matched and
//! schedules still fire; what is due waits, and nothing is lost.

use std::sync::{Arc, Mutex, PoisonError};

use relata_engine::Run;
use relata_model::{RunId, Timestamp, text};
use relata_store::{Claimed, Effect, Pause, PauseScope, StoreError, Unparked};
use serde::Serialize;

use crate::{App, AppError, change_set::ChangeSet, runner::Held};

/// How old what is known of pauses may be while runs move, in milliseconds.
const FRESH_MS: i64 = 500;

/// How often it is looked whether something is parked in vain.
const SWEEP_MS: i64 = 5_000;

/// What this host knows of pauses: a copy of the rows.
#[derive(Debug, Default)]
pub(crate) struct KnownPauses {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    pauses: Arc<[Pause]>,
    read_at: Option<Timestamp>,
    swept_at: Option<Timestamp>,
}

/// A pause as people and programs look at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PauseView {
    /// `all`, `workflow`, `action` or `run`.
    pub kind: &'static str,
    /// Of which workflow, action or run; empty for all.
    pub name: String,
    /// Why.
    pub why: String,
    /// Who wanted it.
    pub by: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// How many runs are due and wait for its end.
    pub runs: u64,
    /// How many effects on the outside do.
    pub effects: u64,
}

/// What became of the end of a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Resumed {
    /// How many runs are due again.
    pub runs: u64,
    /// How many effects on the outside are.
    pub effects: u64,
}

impl App {
    /// Stops something until it is resumed.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where there is nothing of this name, or it is
    /// paused already.
    pub async fn pause(&self, scope: PauseScope, why: &str, actor: &str) -> Result<(), AppError> {
        self.may_be_paused(&scope).await?;
        let pause = Pause {
            scope: scope.clone(),
            why: why.to_owned(),
            actor: actor.to_owned(),
            at: self.now(),
        };
        let begun = self
            .store()
            .write(move |tx| Box::pin(async move { tx.pause_put(&pause).await }))
            .await?;
        self.read_pauses().await?;
        if begun {
            return Ok(());
        }
        let since = self
            .known_pauses()
            .iter()
            .find(|pause| pause.scope == scope)
            .map_or_else(String::new, |pause| format!(" since {} by {}", pause.at, pause.actor));
        Err(AppError::wrong(format!("{} paused already{since}", is(&scope))))
    }

    /// Lets go on what was stopped. What fell due meanwhile is due at once.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where it is not paused.
    pub async fn resume(&self, scope: &PauseScope) -> Result<Resumed, AppError> {
        let wanted = scope.clone();
        let ended = self
            .store()
            .write(move |tx| Box::pin(async move { tx.pause_remove(&wanted).await }))
            .await?;
        self.read_pauses().await?;
        let Some(Unparked { runs, effects }) = ended else {
            let paused: Vec<String> =
                self.known_pauses().iter().map(|pause| named(&pause.scope)).collect();
            let hint = match paused.is_empty() {
                true => "nothing is".to_owned(),
                false => format!("paused are: {}", paused.join(", ")),
            };
            return Err(AppError::wrong(format!("{} not paused; {hint}", is(scope))));
        };
        self.store().wake();
        Ok(Resumed { runs, effects })
    }

    /// What is paused, the widest first.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the database fails.
    pub async fn pauses(&self) -> Result<Vec<PauseView>, AppError> {
        let mut views = Vec::new();
        for pause in self.store().pause_list().await? {
            let parked = self.store().pause_parked(&pause.scope).await?;
            views.push(PauseView {
                kind: pause.scope.kind(),
                name: pause.scope.name(),
                why: pause.why,
                by: pause.actor,
                since: pause.at.to_string(),
                runs: parked.runs,
                effects: parked.effects,
            });
        }
        Ok(views)
    }

    async fn may_be_paused(&self, scope: &PauseScope) -> Result<(), AppError> {
        let missing = |what: &str, name: &str, near: Option<&str>| {
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            AppError::wrong(format!("there is no {what} `{name}`{hint}"))
        };
        match scope {
            PauseScope::All => Ok(()),
            PauseScope::Workflow(name) => {
                let known = self.store().workflow_list().await?;
                if known.iter().any(|row| row.name == *name) {
                    return Ok(());
                }
                let near = text::nearest(name, known.iter().map(|row| row.name.as_str()));
                Err(missing("workflow", name, near))
            }
            PauseScope::Action(name) => {
                let known = self.plugins().await?.signatures();
                if known.contains_key(name) {
                    return Ok(());
                }
                Err(missing("action", name, text::nearest(name, known.keys().map(String::as_str))))
            }
            PauseScope::Run(run) => match self.store().run_fetch(*run).await? {
                None => {
                    Err(AppError::wrong(format!("there is no run {run}; `relata runs` lists them")))
                }
                Some(row) if row.run.has_ended() => {
                    Err(AppError::wrong(format!("{run} has ended already")))
                }
                Some(_) => Ok(()),
            },
        }
    }

    /// Reads what is paused, and lets go on what is parked by a pause that
    /// nobody knows any more. Answers how much that was.
    pub(crate) async fn tend_pauses(&self) -> Result<usize, AppError> {
        self.read_pauses().await?;
        let now = self.now();
        let due = {
            let mut known = self.known();
            let due = known
                .swept_at
                .is_none_or(|at| now.as_millisecond() - at.as_millisecond() >= SWEEP_MS);
            if due {
                known.swept_at = Some(now);
            }
            due
        };
        if !due || !self.store().pause_leftovers().await? {
            return Ok(0);
        }
        let Unparked { runs, effects } =
            self.store().write(|tx| Box::pin(async move { tx.pause_unpark().await })).await?;
        Ok(usize::try_from(runs + effects).unwrap_or(usize::MAX))
    }

    async fn read_pauses(&self) -> Result<(), AppError> {
        let pauses = self.store().pause_list().await?;
        let mut known = self.known();
        known.pauses = pauses.into();
        known.read_at = Some(self.now());
        Ok(())
    }

    /// The same, where what is known is not fresh any more.
    pub(crate) async fn look_for_pauses(&self) -> Result<(), AppError> {
        let now = self.now().as_millisecond();
        let is_fresh = self.known().read_at.is_some_and(|at| now - at.as_millisecond() < FRESH_MS);
        if is_fresh && (self.is_test() || !self.clock().is_manual()) {
            return Ok(());
        }
        Box::pin(self.read_pauses()).await
    }

    /// Whether nothing moves at all.
    pub(crate) fn all_paused(&self) -> bool {
        self.known_pauses().iter().any(|pause| pause.scope == PauseScope::All)
    }

    /// The pause that holds a run, or its call of an action.
    pub(crate) fn pause_of(
        &self,
        run: Option<RunId>,
        workflow: Option<&str>,
        action: Option<&str>,
    ) -> Option<Pause> {
        let pauses = self.known_pauses();
        let held = pauses.iter().find(|pause| match &pause.scope {
            PauseScope::All => true,
            PauseScope::Workflow(name) => workflow == Some(name),
            PauseScope::Action(name) => action == Some(name),
            PauseScope::Run(id) => run == Some(*id),
        });
        held.cloned()
    }

    /// Why a run stands still, for people; none where it does not.
    pub(crate) async fn stands_still(
        &self,
        run: &Run,
        parked_by: Option<&PauseScope>,
    ) -> Result<Option<String>, AppError> {
        if run.has_ended() {
            return Ok(None);
        }
        self.look_for_pauses().await?;
        let holds = self.pause_of(Some(run.id), Some(&run.workflow), None);
        let parks = || {
            let pauses = self.known_pauses();
            pauses.iter().find(|pause| Some(&pause.scope) == parked_by).cloned()
        };
        Ok(holds.or_else(parks).map(|pause| {
            format!(
                "{} paused by {} since {}: {}",
                is(&pause.scope),
                pause.actor,
                pause.at,
                pause.why
            )
        }))
    }

    /// Parks those of the runs that were claimed whose pause is known; yields
    /// the others. A run that somebody wants to end takes that in first.
    pub(crate) async fn park_paused(
        &self,
        claimed: Vec<Claimed>,
    ) -> Result<Vec<Claimed>, AppError> {
        let (mut moving, mut parking) = (Vec::with_capacity(claimed.len()), Vec::new());
        for claim in claimed {
            let pause = self.pause_of(Some(claim.run.id), Some(&claim.run.workflow), None);
            match pause.filter(|_| claim.cancel.is_none()) {
                Some(pause) => parking.push((claim, pause.scope)),
                None => moving.push(claim),
            }
        }
        if parking.is_empty() {
            return Ok(moving);
        }
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    for (claim, scope) in parking {
                        let parked = tx
                            .run_park(claim.run.id, claim.epoch, &scope, claim.due_at, claim.begun)
                            .await;
                        match parked {
                            // Somebody else has it, and will see the pause.
                            Ok(()) | Err(StoreError::Fenced { .. }) => {}
                            Err(why) => return Err(why),
                        }
                    }
                    Ok(())
                })
            })
            .await?;
        Ok(moving)
    }

    /// What a run is to stop at before a call; none where nothing of it is paused.
    pub(crate) async fn pause_before(
        &self,
        held: &Held,
        action: Option<&str>,
    ) -> Result<Option<Pause>, AppError> {
        self.look_for_pauses().await?;
        Ok(self.pause_of(Some(held.run.id), Some(&held.run.workflow), action))
    }

    /// Gives a run back before a call that is paused; false where it is not.
    pub(crate) async fn stop_at_pause(
        &self,
        held: &mut Held,
        action: Option<&str>,
    ) -> Result<bool, AppError> {
        let Some(pause) = self.pause_before(held, action).await? else { return Ok(false) };
        let (run, epoch, now) = (held.run.id, held.epoch, self.now());
        self.store()
            .write(move |tx| {
                Box::pin(async move { tx.run_will_park(run, epoch, &pause.scope, now).await })
            })
            .await?;
        self.commit(held, None, ChangeSet::default(), false, None).await?;
        Ok(true)
    }

    /// Parks an effect that was claimed and is paused; false where it is not.
    pub(crate) async fn park_effect(&self, effect: &Effect) -> Result<bool, AppError> {
        let Some(pause) = self.pause_of(effect.run, effect.workflow.as_deref(), None) else {
            return Ok(false);
        };
        let (id, attempts, now) = (effect.id, effect.attempts, self.now());
        self.store()
            .write(move |tx| {
                Box::pin(async move { tx.outbox_park(id, attempts, &pause.scope, now).await })
            })
            .await?;
        Ok(true)
    }

    fn known_pauses(&self) -> Arc<[Pause]> {
        Arc::clone(&self.known().pauses)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.inner.pauses.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `the workflow greet-leads`.
fn named(scope: &PauseScope) -> String {
    match scope {
        PauseScope::All => "everything".to_owned(),
        PauseScope::Run(run) => run.to_string(),
        PauseScope::Workflow(name) => format!("the workflow {name}"),
        PauseScope::Action(name) => format!("the action {name}"),
    }
}

fn is(scope: &PauseScope) -> String {
    format!("{} is", named(scope))
}

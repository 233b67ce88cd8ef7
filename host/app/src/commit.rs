//! The commit of a run's step: one transaction with everything that belongs
//! to it. Its records and effects, the run that it starts, the end of those
//! that nobody waits for any more; and where the run has ended, what is told
//! to the run that started it, and what waited for its place.

use relata_engine::{Happening, Run, watches};
use relata_model::{EventId, Timestamp};
use relata_store::{Cause, Committed, RunCommit, StoreError, Tx};
use relata_workflow::StepKind;

use crate::{
    App, AppError,
    change_set::ChangeSet,
    queue::{Released, Releases, nothing_strands},
    runner::{Held, LEASE, later},
    triggers::{Place, Starting, take_place},
};

/// How often the end of a run is tried while what waits for it changes.
const MOST_RELEASES: u32 = 24;

/// Why a step was not committed. Nothing of it remains.
pub(crate) enum NotCommitted {
    /// What waits for the run's end has changed: it is to be decided upon
    /// again.
    Stale,
    /// The run that it starts has no place, and why.
    NoPlace(String),
    /// Something failed.
    Fault(AppError),
}

impl From<StoreError> for NotCommitted {
    fn from(why: StoreError) -> Self {
        Self::Fault(why.into())
    }
}

impl From<NotCommitted> for AppError {
    fn from(why: NotCommitted) -> Self {
        match why {
            NotCommitted::Fault(why) => why,
            NotCommitted::Stale => {
                Self::Fault("what waits for the end of a run keeps changing".to_owned())
            }
            NotCommitted::NoPlace(why) => Self::Fault(format!("a run without a place: {why}")),
        }
    }
}

/// What one commit of a run writes.
#[derive(Clone)]
struct Step {
    commit: RunCommit,
    /// The enrolment that counts from now on, as workflow and key.
    counted: Option<(String, String)>,
    changes: ChangeSet,
    cause: Cause,
    /// The run that it starts.
    child: Option<Box<Starting>>,
    /// Whether it may have started others before.
    has_children: bool,
}

impl Step {
    async fn write(
        self,
        tx: &mut Tx,
        releases: Option<Releases>,
        now: Timestamp,
    ) -> Result<Committed, NotCommitted> {
        let run = &self.commit.run;
        let committed = tx.run_commit(&self.commit, now).await?;
        if let Some((workflow, key)) = &self.counted {
            tx.enrolment_count(workflow, key, run.id, now).await?;
        }
        let changed = self.changes.commit_in(tx, &self.cause, now).await;
        changed.map_err(|why| NotCommitted::Fault(why.into()))?;
        if let Some(child) = self.child {
            begin(tx, *child, now).await?;
        }
        if self.has_children {
            let why = format!("{}, which started it, no longer waits for it", run.id);
            tx.run_cancel_children(run.id, &run.children(), &why, now).await?;
        }
        if run.has_ended() {
            tell_parent(tx, run, now).await?;
        }
        let Some(freed) = &committed.freed else { return Ok(committed) };
        let released = match releases {
            Some(releases) => releases.apply(tx, run, now).await?,
            None => nothing_strands(tx, &run.workflow, freed).await?,
        };
        match released {
            Released::Done => Ok(committed),
            Released::Stale => Err(NotCommitted::Stale),
        }
    }
}

/// Begins the run that a step starts, if it gets the place of `one_per`.
async fn begin(tx: &mut Tx, child: Starting, now: Timestamp) -> Result<(), NotCommitted> {
    match take_place(tx, &child, now).await? {
        Place::Taken => Ok(tx.run_insert(&child.new_run(now)).await?),
        Place::Running(other) => {
            let key = child.key().cloned().unwrap_or_default();
            Err(NotCommitted::NoPlace(format!("{other} is still running for the same {key}")))
        }
        Place::Refused(why) => Err(NotCommitted::NoPlace(why)),
    }
}

/// Tells the run that started another how that one has ended.
async fn tell_parent(tx: &mut Tx, run: &Run, now: Timestamp) -> Result<(), StoreError> {
    let Some(kind) = run.told() else { return Ok(()) };
    let happening = Happening {
        // A run ends once.
        id: EventId::from_uuid(run.id.as_uuid()),
        at: now,
        kind,
        run: Some(run.id),
        workflow: Some(run.workflow.clone()),
        depth: run.state.depth(),
    };
    for parent in tx.waiter_runs(&happening.topics()).await? {
        tx.run_deliver(parent, &happening, now).await?;
    }
    Ok(())
}

impl App {
    /// One transaction: the run's state and log, guarded by its epoch and
    /// sequence, and everything the step wrote. With `more`, the run stays
    /// here, and the answer is what came for it meanwhile.
    pub(crate) async fn commit(
        &self,
        held: &mut Held,
        until: Option<Timestamp>,
        changes: ChangeSet,
        more: bool,
        child: Option<Box<Starting>>,
    ) -> Result<Option<Committed>, NotCommitted> {
        let now = self.now();
        let lease_until = later(now, LEASE);
        let commit = RunCommit {
            run: held.run.clone(),
            epoch: held.epoch,
            seq_before: held.committed,
            log: held.log.clone(),
            due_at: until,
            watches: watches(&held.definition, &held.run),
            consumed: held.consumed.clone(),
            cancel_taken: held.cancel_taken.clone(),
            keep_lease_until: more.then_some(lease_until),
        };
        let cause = Cause {
            actor: format!("workflow/{}", held.run.workflow),
            run: Some(held.run.id),
            workflow: Some(held.run.workflow.clone()),
            depth: held.run.state.depth() + 1,
            entry: held.log.iter().rev().find(|row| row.action.is_some()).map(|row| row.seq),
        };
        let begets = !changes.writes.is_empty() || child.is_some() || held.run.has_ended();
        let has_children =
            held.definition.steps.iter().any(|step| matches!(step.kind, StepKind::Run(_)));
        let counted = counted(held);
        let step = Step { commit, counted, changes, cause, child, has_children };
        let committed = if held.run.has_ended() {
            self.commit_end(step, now).await?
        } else {
            self.store()
                .write(move |tx| Box::pin(async move { step.write(tx, None, now).await }))
                .await?
        };
        held.log.clear();
        held.consumed.clear();
        held.cancel_taken = None;
        held.committed = held.run.seq;
        held.lease_until = lease_until;
        if held.run.has_ended() {
            self.inner.awaiting.run_ended(&held.definition, &held.run);
        }
        if begets {
            self.wake();
        }
        self.may_crash().await;
        Ok(more.then_some(committed))
    }

    /// Commits the end of a run, together with the beginning of what waited
    /// for it.
    async fn commit_end(&self, step: Step, now: Timestamp) -> Result<Committed, NotCommitted> {
        let mut enough = 1;
        for _ in 0..MOST_RELEASES {
            let releases =
                self.releases(&step.commit.run, enough).await.map_err(NotCommitted::Fault)?;
            let ending = step.clone();
            let committed = self
                .store()
                .write(move |tx| Box::pin(async move { ending.write(tx, releases, now).await }))
                .await;
            match committed {
                Err(NotCommitted::Stale) => enough *= 2,
                other => return other,
            }
        }
        Err(NotCommitted::Stale)
    }
}

/// Whether the step from which `again_after` counts has just ended.
fn counted(held: &Held) -> Option<(String, String)> {
    let from = held.definition.repeat.as_ref()?.counted_from.as_ref()?;
    let key = held.run.key.clone()?;
    let step = held.definition.steps.iter().find(|step| step.name.as_ref() == Some(from))?;
    held.log
        .iter()
        .any(|row| row.step == step.path && row.kind == "done" && row.output.is_some())
        .then(|| (held.run.workflow.clone(), key))
}

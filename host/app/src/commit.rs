//! The commit of a run's step: one transaction with everything that belongs
//! to it. Its records and effects, the run that it starts, the end of those
//! that nobody waits for any more; and where the run has ended, what is told
//! to the run that started it, and what waited for its place.

use std::{collections::HashSet, sync::Arc};

use relata_engine::{Happening, HappeningKind, Run, watches};
use relata_model::{EventId, Timestamp};
use relata_store::{
    Cause, Committed, Outcomes, RecordBatch, RecordError, RunCommit, StoreError, Together, Turn, Tx,
};
use relata_workflow::StepKind;

use crate::{
    App, AppError,
    activation::ActiveSet,
    change_set::ChangeSet,
    limits::Limited,
    queue::{Released, Releases, nothing_strands},
    runner::{Held, later},
    testing::Point,
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
    /// What becomes of the starts that wait for its end.
    releases: Option<Releases>,
    /// Its turn in a lane that several hosts share, and until when the next step of
    /// this host has it; it ends with this where there is none.
    turn: Option<(Turn, Option<Timestamp>)>,
    /// What becomes of the limits that it has entered, and until when those who
    /// get its places have them.
    limited: Limited,
    places_until: Timestamp,
    /// Which workflows were active.
    active: Arc<ActiveSet>,
    now: Timestamp,
}

impl Together for Step {
    type Done = Committed;
    type Error = NotCommitted;

    /// Who begins to listen holds off those who tell what happened: before
    /// others of this transaction do the latter.
    const RANK: u8 = 0;

    /// Most steps write their run, its log, some records and events, and
    /// effects: these go together. What may still find that something has
    /// changed meanwhile is written by itself.
    fn alone(&self) -> bool {
        let run = &self.commit.run;
        self.counted.is_some()
            || self.child.is_some()
            || self.turn.is_some()
            || self.has_children
            || matches!(self.limited, Limited::Leaves | Limited::InLine)
            || !self.changes.is_plain()
            || run.has_ended() && (run.key.is_some() || run.told().is_some())
    }

    async fn write_all(tx: &mut Tx, steps: &[Self]) -> Result<Outcomes<Self>, StoreError> {
        let mut outcomes = write_steps(tx, steps).await?;
        if let ([step], [Ok(committed)]) = (steps, outcomes.as_mut_slice())
            && step.alone()
            && let Err(why) = step.finish(tx, committed).await
        {
            return Ok(vec![Err(why)]);
        }
        Ok(outcomes)
    }
}

/// Writes the runs, their logs, and what their steps changed.
async fn write_steps(tx: &mut Tx, steps: &[Step]) -> Result<Outcomes<Step>, StoreError> {
    if steps.iter().any(|step| step.commit.decided_at.is_some()) {
        tx.listening_lock(true).await?;
    }
    // In this order everywhere, or two would wait for each other.
    tx.workflow_hold(false).await?;
    let commits: Vec<&RunCommit> = steps.iter().map(|step| &step.commit).collect();
    // Of a single one its commit says so, and what it has written is undone.
    let held = match steps {
        [step] => HashSet::from([step.commit.run.id]),
        _ => tx.run_held(&commits).await?,
    };
    let mut records = RecordBatch::new();
    let mut foreseen = Vec::new();
    for step in steps {
        foreseen.extend(step.changes.record_writes());
    }
    records.foresee(tx, &foreseen).await?;

    let mut refused: Vec<Option<NotCommitted>> = Vec::with_capacity(steps.len());
    let mut written = Vec::with_capacity(steps.len());
    for step in steps {
        let run = step.commit.run.id;
        if !held.contains(&run) {
            refused.push(Some(StoreError::Fenced { run }.into()));
            continue;
        }
        match step.changes.write_records(tx, &mut records, &step.cause, step.now).await {
            Ok(()) => {
                records.keep();
                written.push((&step.commit, step.now));
                refused.push(None);
            }
            // What a single one has written is undone with its error.
            Err(why) if steps.len() == 1 => {
                return Ok(vec![Err(NotCommitted::Fault(why.into()))]);
            }
            Err(why) => {
                records.undo()?;
                refused.push(Some(NotCommitted::Fault(why.into())));
            }
        }
    }
    let committed = tx.run_commit_all(&written).await?;
    // What no workflow answers is settled as it is written, if these are the active
    // ones: they are held until this transaction ends.
    let stamp = committed.iter().flatten().map(|committed| committed.stamp).next();
    let last = steps.iter().map(|step| &step.active).max_by_key(|active| active.stamp());
    let active = last.filter(|active| Some(active.stamp()) == stamp);
    let heard = |kind: &HappeningKind| active.is_none_or(|active| active.may_answer(kind));
    records.hear(&heard);
    let mut committed = committed.into_iter();
    match records.flush(tx).await {
        Ok(()) => {}
        Err(RecordError::Store(why)) => return Err(why),
        Err(why) if steps.len() == 1 => return Ok(vec![Err(NotCommitted::Fault(why.into()))]),
        // Which of them is to blame is found out one by one.
        Err(_) => return Err(StoreError::Apart),
    }
    let mut outcomes = Vec::with_capacity(steps.len());
    for (step, refused) in steps.iter().zip(refused) {
        if let Some(why) = refused {
            outcomes.push(Err(why));
            continue;
        }
        for effect in step.changes.plain_effects() {
            tx.outbox_put(effect, step.now).await?;
        }
        let lost = StoreError::Fenced { run: step.commit.run.id };
        outcomes.push(committed.next().unwrap_or(Err(lost)).map_err(NotCommitted::from));
    }
    Ok(outcomes)
}

impl Step {
    /// Writes what only some steps have, and what may still say no.
    async fn finish(&self, tx: &mut Tx, committed: &Committed) -> Result<(), NotCommitted> {
        let (run, now) = (&self.commit.run, self.now);
        if let Some((turn, passed_on_until)) = &self.turn {
            let is_ours = match passed_on_until {
                Some(until) => tx.lane_renew(turn, *until).await?,
                None => tx.lane_leave(turn).await?,
            };
            if !is_ours {
                // Somebody else's step was in the lane meanwhile.
                return Err(StoreError::Fenced { run: run.id }.into());
            }
        }
        self.limited.commit(tx, run.id, run.has_ended(), now, self.places_until).await?;
        if let Some((workflow, key)) = &self.counted {
            tx.enrolment_count(workflow, key, run.id, now).await?;
        }
        let changed = self.changes.write_rest(tx, &self.cause, now).await;
        changed.map_err(|why| NotCommitted::Fault(why.into()))?;
        if let Some(child) = &self.child {
            begin(tx, child.as_ref().clone(), now).await?;
        }
        if self.has_children {
            let why = format!("{}, which started it, no longer waits for it", run.id);
            tx.run_cancel_children(run.id, &run.children(), &why, now).await?;
        }
        if run.has_ended() {
            tell_parent(tx, run, now).await?;
        }
        let Some(freed) = &committed.freed else { return Ok(()) };
        let released = match &self.releases {
            Some(releases) => releases.apply(tx, run, now).await?,
            None => nothing_strands(tx, &run.workflow, freed).await?,
        };
        match released {
            Released::Done => Ok(()),
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
        let lease_until = later(now, self.lease());
        let listens = watches(&held.definition, &held.run);
        let commit = RunCommit {
            run: held.run.clone(),
            epoch: held.epoch,
            seq_before: held.committed,
            log: held.log.clone(),
            due_at: until,
            watches: Some(listens.clone()).filter(|listens| *listens != held.watched),
            decided_at: (!listens.is_subset(&held.watched)).then_some(held.log_end),
            consumed: held.consumed.clone(),
            cancel_taken: held.cancel_taken.clone(),
            keep_lease_until: more.then_some(lease_until),
        };
        let has_children =
            held.definition.steps.iter().any(|step| matches!(step.kind, StepKind::Run(_)));
        let passes_on = held.lane.as_ref().is_some_and(|lane| lane.passes_on(now));
        let step = Step {
            commit,
            counted: counted(held),
            changes,
            cause: held.cause(),
            child,
            has_children,
            releases: None,
            turn: held.lane.as_ref().and_then(|lane| {
                let until = passes_on.then_some(lease_until);
                Some((lane.turn()?.clone(), until))
            }),
            limited: held.limited,
            places_until: lease_until,
            active: self.active_set().await.map_err(NotCommitted::Fault)?,
            now,
        };
        self.may_crash(Point::BeforeCommit).await;
        let committed = if held.run.has_ended() && held.run.key.is_some() {
            self.commit_end(step).await?
        } else {
            self.store().write_together(step).await?
        };
        if let Some(traces) = &self.inner.traces {
            traces.committed(self, &held.run, &held.log);
        }
        held.watched = listens;
        held.log_end = committed.log_end;
        held.log.clear();
        held.consumed.clear();
        held.cancel_taken = None;
        if let Some(lane) = held.lane.take() {
            lane.done(passes_on, self.now());
        }
        if held.limited != Limited::No {
            held.limited = Limited::Leaves;
        }
        held.committed = held.run.seq;
        held.lease_until = lease_until;
        if held.run.has_ended() {
            self.inner.awaiting.run_ended(&held.definition, &held.run);
        }
        self.may_crash(Point::AfterCommit).await;
        Ok(more.then_some(committed))
    }

    /// Commits the end of a run, together with the beginning of what waited
    /// for it.
    async fn commit_end(&self, step: Step) -> Result<Committed, NotCommitted> {
        let mut enough = 1;
        for _ in 0..MOST_RELEASES {
            let releases =
                self.releases(&step.commit.run, enough).await.map_err(NotCommitted::Fault)?;
            let ending = Step { releases, ..step.clone() };
            match self.store().write_together(ending).await {
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

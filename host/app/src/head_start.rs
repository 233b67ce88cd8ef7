//! A head start: a run whose end a request waits for takes its first stride before
//! its event is written. The event, the run as far as it got, and what it did are one
//! transaction. Until then nobody has been told anything: where the host goes down
//! meanwhile, the request has no answer, and comes again.
//!
//! Only what may be done twice is done so: no request to a web service, no plugin that
//! keeps values of its own. And a run that brings its host down is to be known
//! afterwards, so that it is given up after some tries; of this one nothing would
//! be written. So hosts say that they are at work, and after one has gone down without taking
//! that back, no run gets a head start for a while.

use std::{sync::Arc, time::Duration};

use relata_model::Timestamp;
use relata_store::{
    Ahead, Cause, Claimed, Outlook, RecordBatch, RecordError, StoreError, Tx, Write,
};
use relata_workflow::{Definition, StepKind};

use crate::{
    App, AppError,
    activation::ActiveSet,
    change_set::ChangeSet,
    host::Records,
    limits::Limited,
    runner::{Held, Next},
    triggers::Starting,
};

/// A head start that takes longer is given up, and the event is written.
const LONGEST: Duration = Duration::from_secs(1);

/// What a run did ahead; nothing of it is written.
pub(crate) struct HeadStart {
    changes: ChangeSet,
    /// The same as it is written, where the records are still as they were known.
    ahead: Option<Ahead>,
    cause: Cause,
    at: Timestamp,
}

/// How far a run got.
struct Got {
    held: Held,
    changes: ChangeSet,
    /// Until when it sleeps, where it has nothing to do at once.
    rests: Option<Option<Timestamp>>,
}

impl HeadStart {
    /// The same as it is written, if that could be worked out.
    pub(crate) const fn ahead(&self) -> Option<&Ahead> {
        self.ahead.as_ref()
    }
}

impl App {
    /// Gives a run that an event begins its head start, where it may have one: it
    /// begins as far as it got. `claim` is of it, `known` are records as they were a
    /// moment ago, and somebody waits for it for so long.
    pub(crate) async fn head_start(
        &self,
        starting: &mut Starting,
        claim: Claimed,
        known: &Records,
        waits: Duration,
    ) -> Option<HeadStart> {
        if !self.may_take_chances() || starting.key().is_some() || starting.listens() {
            return None;
        }
        let first = self.first_stride(starting.definition(), claim, known.clone());
        // Whatever stands in its way is met again, and told, once its event is written.
        let first = tokio::time::timeout(waits.min(LONGEST), Box::pin(first)).await;
        let Got { held, changes, rests } = first.ok()?.ok()??;
        let (cause, at) = (held.cause(), self.now());
        let ahead = changes.ahead(self.store(), known, &cause, at).ok()?;
        starting.go_ahead(held, rests);
        Some(HeadStart { changes, ahead, cause, at })
    }

    async fn first_stride(
        &self,
        definition: &Arc<Definition>,
        claim: Claimed,
        known: Records,
    ) -> Result<Option<Got>, AppError> {
        let limited = self.limited(definition);
        if limited != Limited::No || !self.may_be_done_twice(definition).await? {
            return Ok(None);
        }
        let (mut held, _) = Held::of(claim, Arc::clone(definition), limited);
        if self.pause_before(&held, None).await?.is_some() {
            return Ok(None);
        }
        let mut facts = self.no_facts();
        facts.records = known;
        let (until, next) = self.settle_owed(&mut held, &mut facts, None).await?;
        let (changes, until, more) = match next {
            None => (ChangeSet::default(), until, false),
            Some(Next::Call(call)) if self.may_follow(&held, &call).await? => {
                let most = self.most_calls(&held);
                let stride = Box::pin(self.stride(&mut held, &call, facts.records, most)).await?;
                (stride.changes, stride.until, stride.more)
            }
            Some(_) => return Ok(None),
        };
        if !changes.is_plain() {
            return Ok(None);
        }
        Ok(Some(Got { held, changes, rests: (!more).then_some(until) }))
    }

    /// Whether the steps of a workflow may be done, forgotten and done again, and
    /// wait for nothing that happens.
    async fn may_be_done_twice(&self, definition: &Definition) -> Result<bool, AppError> {
        let plugins = self.plugins().await?;
        let may_be = |kind: &StepKind| match kind {
            StepKind::Do(step) => plugins.action(&step.action).is_some_and(|(plugin, _)| {
                let permissions = plugin.permissions();
                permissions.http.is_empty() && !permissions.state
            }),
            StepKind::WaitFor(_) | StepKind::Deadline(_) | StepKind::Run(_) => false,
            _ => true,
        };
        Ok(definition.hold_above.is_none()
            && definition.steps.iter().all(|step| may_be(&step.kind)))
    }
}

/// Writes what runs did that begin in this transaction; false where some of it is
/// refused, and then the transaction is to be undone. The workflows are `active` in
/// it, and `outlook` is of what was worked out.
pub(crate) async fn write_head_starts(
    tx: &mut Tx,
    head_starts: &[&HeadStart],
    active: &ActiveSet,
    outlook: &Outlook,
) -> Result<bool, StoreError> {
    for HeadStart { changes, at, .. } in head_starts {
        for effect in changes.plain_effects() {
            tx.outbox_put(effect, *at).await?;
        }
    }
    match write_records(tx, head_starts, active, outlook).await {
        Ok(()) => Ok(true),
        Err(RecordError::Store(why)) => Err(why),
        Err(_) => Ok(false),
    }
}

async fn write_records(
    tx: &mut Tx,
    head_starts: &[&HeadStart],
    active: &ActiveSet,
    outlook: &Outlook,
) -> Result<(), RecordError> {
    let heard = |kind: &_| active.may_answer(kind);
    let ahead: Vec<&Ahead> = head_starts.iter().filter_map(|run| run.ahead()).collect();
    let mut written = tx.ahead_write(&ahead, outlook, &heard).await?.into_iter();
    let is_left = |run: &&&HeadStart| run.ahead.is_none() || written.next() == Some(false);
    let left: Vec<&&HeadStart> = head_starts.iter().filter(is_left).collect();
    if left.is_empty() {
        return Ok(());
    }
    let mut records = RecordBatch::new();
    let foreseen: Vec<&Write> = left.iter().flat_map(|run| run.changes.record_writes()).collect();
    records.foresee(tx, &foreseen).await?;
    for HeadStart { changes, cause, at, .. } in left {
        changes.write_records(tx, &mut records, cause, *at).await?;
        records.keep();
    }
    records.hear(&heard);
    records.flush(tx).await
}

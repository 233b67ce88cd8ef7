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
use relata_store::{Cause, Claimed, RecordBatch, RecordError, StoreError, Tx, Write};
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
    cause: Cause,
    at: Timestamp,
}

/// How far a run got.
struct Ahead {
    held: Held,
    did: HeadStart,
    /// Until when it sleeps, where it has nothing to do at once.
    rests: Option<Option<Timestamp>>,
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
        let Ahead { held, did, rests } = first.ok()?.ok()??;
        starting.go_ahead(held, rests);
        Some(did)
    }

    async fn first_stride(
        &self,
        definition: &Arc<Definition>,
        claim: Claimed,
        known: Records,
    ) -> Result<Option<Ahead>, AppError> {
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
        let did = HeadStart { cause: held.cause(), changes, at: self.now() };
        Ok(Some(Ahead { held, did, rests: (!more).then_some(until) }))
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
/// it.
pub(crate) async fn write_head_starts(
    tx: &mut Tx,
    head_starts: &[&HeadStart],
    active: &ActiveSet,
) -> Result<bool, StoreError> {
    let mut records = RecordBatch::new();
    let foreseen: Vec<&Write> =
        head_starts.iter().flat_map(|run| run.changes.record_writes()).collect();
    records.foresee(tx, &foreseen).await?;
    for HeadStart { changes, cause, at } in head_starts {
        match changes.write_records(tx, &mut records, cause, *at).await {
            Ok(()) => records.keep(),
            Err(RecordError::Store(why)) => return Err(why),
            Err(_) => return Ok(false),
        }
    }
    let heard = |kind: &_| active.may_answer(kind);
    records.hear(&heard);
    match records.flush(tx).await {
        Ok(()) => {}
        Err(RecordError::Store(why)) => return Err(why),
        Err(_) => return Ok(false),
    }
    for HeadStart { changes, at, .. } in head_starts {
        for effect in changes.plain_effects() {
            tx.outbox_put(effect, *at).await?;
        }
    }
    Ok(true)
}

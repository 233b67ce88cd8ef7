//! How far a run goes between two commits: through the calls that follow one
//! another at once. What they write lies over the store for those that come
//! after, and is committed with their entries of the log in one transaction, so
//! that a run of many quick steps costs one and not many.
//!
//! A step that is not committed is done again where the host goes down. It is
//! therefore committed before the next call where that would show: where it
//! has asked a web service, where somebody may have told the run something,
//! where a step has to be alone (lanes, limits, caps, a plugin's memory), and
//! where a crash of the host is to be traced to one call.

use std::{sync::Arc, time::Duration};

use futures::FutureExt as _;
use relata_engine::{ActionOutcome, Call, Input, Returned, StepFailure, watches};
use relata_model::Timestamp;
use relata_sandbox::{CallReport, CallRequest, Called, contract};
use relata_store::{Committed, RecordError};
use relata_workflow::{Definition, Occurrence, StepKind};

use crate::{
    App, AppError,
    change_set::ChangeSet,
    commit::NotCommitted,
    host::{Cap, Records, StepHost, StepScope},
    limits::Limited,
    runner::{Held, Next, failure, later, seed},
    testing::Point,
};

/// How many calls share a commit at the most.
const MOST_CALLS: usize = 8;

/// How much they write together, about.
const MOST_WRITES: usize = 64;

/// A call that would begin later than this after the first waits for the commit:
/// no more work than that is done again.
const LONGEST: Duration = Duration::from_millis(50);

/// After a call that took longer, what is in the event log by then is looked
/// at afresh.
const LONG_CALL: Duration = Duration::from_secs(1);

/// What a call of an action came to.
struct Answered {
    returned: Returned,
    /// What it and those before it have written; without its own, where it has
    /// failed.
    changes: ChangeSet,
    report: Option<CallReport>,
}

/// Calls that were made and are not committed.
pub(crate) struct Stride {
    pub(crate) changes: ChangeSet,
    /// How many.
    calls: usize,
    /// What the last one has used.
    report: Option<CallReport>,
    /// Until when the run sleeps then.
    pub(crate) until: Option<Timestamp>,
    /// Whether it has more to do at once.
    pub(crate) more: bool,
}

impl App {
    /// Calls the action, and those that follow at once, and commits what came of
    /// them. Answers what came for the run meanwhile, where it has more to do at
    /// once.
    pub(crate) async fn call_and_commit(
        &self,
        held: &mut Held,
        call: &Call,
        mut known: Records,
    ) -> Result<Option<Committed>, AppError> {
        let (before, logged) = (held.run.clone(), held.log.len());
        let mut most = self.most_calls(held);
        loop {
            let read = std::mem::take(&mut known);
            let stride = Box::pin(self.stride(held, call, read, most)).await?;
            let Stride { changes, calls, report, until, more } = stride;
            let refused = match Box::pin(self.commit(held, until, changes, more, None)).await {
                Err(NotCommitted::Fault(AppError::Record(refused)))
                    if !matches!(refused, RecordError::Store(_)) =>
                {
                    refused
                }
                other => return Ok(other?),
            };
            // The records said no at the last moment (somebody changed them
            // meanwhile), and nothing of what was written remains.
            held.run = before.clone();
            held.log.truncate(logged);
            if calls > 1 {
                // Which step it is about shows where each is committed by itself.
                most = 1;
                continue;
            }
            let conflict = matches!(refused, RecordError::Conflict { .. });
            let failure = StepFailure {
                code: if conflict { "conflict" } else { "invalid" }.to_owned(),
                message: format!("{}: what it wrote was refused: {refused}", call.action),
                permanent: !conflict,
                retry_after_ms: None,
            };
            let returned = call.returned(Err(failure));
            let nothing = ChangeSet::default();
            let (until, next, _) =
                self.answer(held, returned, call, report.as_ref(), &nothing).await?;
            return Ok(self.commit(held, until, nothing, next.is_some(), None).await?);
        }
    }

    /// Makes a call, and those that follow at once, as far as they may share a
    /// commit.
    pub(crate) async fn stride(
        &self,
        held: &mut Held,
        first: &Call,
        mut known: Records,
        most: usize,
    ) -> Result<Stride, AppError> {
        let began = self.now();
        let mut changes = ChangeSet::default();
        let mut following = None;
        let mut calls = 0;
        loop {
            calls += 1;
            let call = following.as_ref().unwrap_or(first);
            let answered = Box::pin(self.call(held, call, known, &changes)).await?;
            let Answered { returned, changes: written, report } = answered;
            changes = written;
            if later(began, LONG_CALL) < self.now() {
                // Less to look through for what it may have missed.
                held.log_end = self.store().event_log_end().await?;
            }
            self.may_crash(Point::AfterCall).await;
            let (until, next, read) =
                self.answer(held, returned, call, report.as_ref(), &changes).await?;
            let goes_on = calls < most
                && self.now() <= later(began, LONGEST)
                && report.as_ref().is_none_or(|report| report.http_calls == 0)
                && may_go_on(held, &changes);
            match next {
                Some(Next::Call(next)) if goes_on && self.may_follow(held, &next).await? => {
                    changes.told_by(held.last_answer());
                    self.begin(held).await?;
                    known = read;
                    following = Some(next);
                }
                next => {
                    let more = next.is_some();
                    return Ok(Stride { changes, calls, report, until, more });
                }
            }
        }
    }

    /// How many calls a run may make before its next commit.
    pub(crate) fn most_calls(&self, held: &Held) -> usize {
        let each_alone = held.is_suspect
            || held.lane.is_some()
            || held.limited != Limited::No
            || self.crashes_after_each_step();
        if each_alone { 1 } else { MOST_CALLS }
    }

    /// Whether a call may be made before those before it are committed.
    pub(crate) async fn may_follow(&self, held: &Held, call: &Call) -> Result<bool, AppError> {
        Ok(call.exclusive.is_none()
            && self.pause_before(held, Some(&call.action)).await?.is_none()
            && self.open_breaker(&call.action).await?.is_none())
    }

    /// What an answer means for the run: until when it sleeps, what it has to
    /// do at once, and the records that were read to know that.
    async fn answer(
        &self,
        held: &mut Held,
        returned: Returned,
        call: &Call,
        report: Option<&CallReport>,
        written: &ChangeSet,
    ) -> Result<(Option<Timestamp>, Option<Next>, Records), AppError> {
        let mut facts = self.no_facts();
        let input = Input::Returned(returned);
        self.advance(held, input, &mut facts, Some(written), Some((call, report))).await?;
        let (until, next) = self.settle_owed(held, &mut facts, Some(written)).await?;
        Ok((until, next, facts.records))
    }

    /// Calls an action, which sees what those before it have written.
    async fn call(
        &self,
        held: &mut Held,
        call: &Call,
        known: Records,
        before: &ChangeSet,
    ) -> Result<Answered, AppError> {
        let definition = Arc::clone(&held.definition);
        let StepKind::Do(step) = &definition.step(call.step).kind else {
            return Err(AppError::Fault(format!("{} is no action", call.path)));
        };
        let answer = |result| Answered {
            returned: call.returned(result),
            changes: before.clone(),
            report: None,
        };
        if let Some(pretended) = self.pretended(&step.action) {
            return Ok(answer(pretended));
        }
        let fail = |failure| answer(Err(failure));
        let plugins = self.plugins().await?;
        let Some((plugin, action)) = plugins.action(&step.action) else {
            let (message, mendable) = plugins.missing(&step.action);
            return Ok(fail(StepFailure {
                code: "not-found".to_owned(),
                message,
                permanent: !mendable,
                retry_after_ms: None,
            }));
        };
        let now = self.now();
        let scope = StepScope {
            plugin: plugin.name().to_owned(),
            run: Some(held.run.id),
            workflow: held.run.workflow.clone(),
            step: call.path.clone(),
            rounds: call.rounds.to_string(),
            idempotency_key: call.idempotency_key.clone(),
            send_in: held.definition.send_in.clone(),
            hold_above: held.definition.hold_above.map(|cap| Cap {
                owner: held.definition.owner.clone(),
                count: cap.count,
                hours: cap.hours,
            }),
            if_unknown: step.if_unknown,
            now,
        };
        let request = CallRequest {
            action,
            input: &call.input,
            context: contract::Context {
                run_id: held.run.id.to_string(),
                step_id: call.path.clone(),
                attempt: call.attempt,
                idempotency_key: call.idempotency_key.clone(),
                subject: held.run.subject.as_ref().map(ToString::to_string),
                dry_run: false,
            },
            now_ms: u64::try_from(now.as_millisecond()).unwrap_or(0),
            seed: seed(&call.idempotency_key),
            limits: None,
            leaves: step.may.as_ref(),
        };
        // A web service may keep it waiting for longer than the lease.
        let host = StepHost::new(self.clone(), scope).knowing(known).after(before.clone());
        let calling = plugins.call(plugin, request, host).boxed();
        let called = self.keeping(held, calling).await?;
        self.metrics().called(&step.action, &called.report);
        self.plugin_told(plugin, called.verdict()).await;
        let Called { result, report, mut host } = called;
        if let Some(fault) = host.fault.take() {
            return Err(fault);
        }
        let (result, changes) = match result {
            Ok(contract::Outcome::Done(output)) => (Ok(ActionOutcome::Done(output)), host.changes),
            Ok(contract::Outcome::Skip(why)) => (Ok(ActionOutcome::Skip(why)), host.changes),
            Ok(contract::Outcome::Retry { after_ms, reason }) => {
                (Ok(ActionOutcome::Retry { after_ms: u64::from(after_ms), reason }), before.clone())
            }
            Err(why) => (Err(failure(&why)), before.clone()),
        };
        Ok(Answered { returned: call.returned(result), changes, report: Some(report) })
    }
}

/// Whether the run may go on before what it wrote is committed: nobody can have
/// told it anything, not even itself.
fn may_go_on(held: &Held, changes: &ChangeSet) -> bool {
    changes.is_plain()
        && changes.writes.len() < MOST_WRITES
        && held.watched.is_empty()
        && watches(&held.definition, &held.run).is_empty()
        && !(changes.happens() && may_hear_itself(&held.definition))
}

/// Whether a run of this may wait for what it has done itself: that is told by
/// the time at which it was committed.
fn may_hear_itself(definition: &Definition) -> bool {
    definition.steps.iter().any(|step| match &step.kind {
        StepKind::WaitFor(wait) => !matches!(wait.occurrence, Occurrence::Changed { .. }),
        StepKind::Deadline(_) => true,
        _ => false,
    })
}

//! Moves runs: claims those that are due, asks the engine what they are owed,
//! calls the action in its sandbox, and commits the step with everything it
//! wrote. One call of an action, one commit.

use std::{collections::VecDeque, sync::Arc};

use relata_engine::{
    ActionOutcome, Call, Due, Event, Input, Outcome, Returned, Run, Status, StepFailure, decide, due,
    watches,
};
use relata_model::{EventId, RunId, Timestamp};
use relata_sandbox::{CallError, CallReport, CallRequest, contract};
use relata_store::{
    Cap, Cause, Claimed, LogRow, RunCommit, StoreError, WriteError,
};
use relata_workflow::{Definition, Facts, StepKind};
use tokio::task::JoinSet;

use crate::{App, AppError, change_set::ChangeSet, host::{StepHost, StepScope}};

/// How long a claimed run is this host's. Longer than any call may take, so
/// that the lease is not the step's time-out.
const LEASE: std::time::Duration = std::time::Duration::from_secs(60);

/// How many runs move side by side. The sandbox has its own limit; this one
/// bounds what lies in memory.
const SIDE_BY_SIDE: usize = 16;

/// After how many crashes in a row a run is given up: it ends as failed, with
/// its last step named.
const MOST_CRASHES: u32 = 5;

/// What a call of an action came to.
struct Called {
    returned: Returned,
    changes: ChangeSet,
    report: Option<CallReport>,
}

/// A run in this host's hands.
struct Held {
    definition: Arc<Definition>,
    run: Run,
    epoch: i64,
    /// The run's sequence as the database has it.
    committed: u64,
    log: Vec<LogRow>,
    consumed: Vec<EventId>,
}

impl App {
    /// Claims and moves the runs that are due. Answers how many there were.
    pub(crate) async fn move_runs(&self, owner: &str) -> Result<usize, AppError> {
        let now = self.now();
        let lease = i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX);
        let claimed = self
            .store()
            .run_claim(owner, now, lease, u32::try_from(SIDE_BY_SIDE * 4).unwrap_or(64))
            .await?;
        let count = claimed.len();
        let mut moving = JoinSet::new();
        let mut claimed = claimed.into_iter();
        let mut first_fault = None;
        loop {
            while moving.len() < SIDE_BY_SIDE {
                let Some(claim) = claimed.next() else { break };
                let app = self.clone();
                moving.spawn(async move {
                    let id = claim.run.id;
                    (id, app.move_run(claim).await)
                });
            }
            match moving.join_next().await {
                None => break,
                Some(Ok((_, Ok(())))) => {}
                Some(Ok((run, Err(AppError::Store(StoreError::Fenced))))) => {
                    // Somebody else has it now; what was done here is gone.
                    tracing::info!(run.id = %run, "a run was taken over by another host");
                }
                Some(Ok((run, Err(why)))) => {
                    tracing::error!(run.id = %run, error = %why, "a run could not be moved; it is due again when its lease ends");
                    first_fault.get_or_insert(why);
                }
                Some(Err(why)) => {
                    first_fault.get_or_insert(AppError::Fault(format!("a task of the runner ended: {why}")));
                }
            }
        }
        match first_fault {
            Some(why) => Err(why),
            None => Ok(count),
        }
    }

    async fn move_run(&self, claim: Claimed) -> Result<(), AppError> {
        let definition = self.version(&claim.run.version).await?;
        let mut held = Held {
            committed: claim.run.seq,
            run: claim.run,
            epoch: claim.epoch,
            definition,
            log: Vec::new(),
            consumed: Vec::new(),
        };
        let mut inputs: VecDeque<Input> = VecDeque::new();
        if let Some(why) = claim.cancel {
            inputs.push_back(Input::Cancel { why });
        }
        for happening in claim.inbox {
            held.consumed.push(happening.id);
            inputs.push_back(Input::Happened(happening));
        }
        inputs.push_back(Input::Wake);
        if claim.crash_count > MOST_CRASHES {
            inputs.push_front(Input::Cancel {
                why: format!("it brought its host down {MOST_CRASHES} times in a row"),
            });
        }
        let mut facts = Facts { zone: self.zone(), ..Facts::default() };
        while let Some(input) = inputs.pop_front() {
            self.advance(&mut held, input, &mut facts, None, None).await?;
        }
        loop {
            match self.owed(&held, &mut facts, None).await? {
                Due::Decide => self.advance(&mut held, Input::Wake, &mut facts, None, None).await?,
                Due::Ended(_) => return self.commit(&mut held, None, ChangeSet::default(), false).await,
                Due::Sleep { until } => {
                    return self.commit(&mut held, until, ChangeSet::default(), false).await;
                }
                Due::Call(call) => {
                    // What was decided is safe before the call begins.
                    if !held.log.is_empty() {
                        self.commit(&mut held, None, ChangeSet::default(), true).await?;
                    } else {
                        self.renew(&held).await?;
                    }
                    // The lane is held until the commit.
                    let _lane = match &call.exclusive {
                        Some(key) => Some(self.inner.lanes.enter(key).await),
                        None => None,
                    };
                    facts = Facts { zone: self.zone(), ..Facts::default() };
                    if !self.call_and_commit(&mut held, call, &mut facts).await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Calls the action and commits what came of it. Answers whether the run
    /// has more to do at once.
    async fn call_and_commit(
        &self,
        held: &mut Held,
        call: Call,
        facts: &mut Facts,
    ) -> Result<bool, AppError> {
        let called = self.call(held, &call).await?;
        let before = held.run.clone();
        let logged = held.log.len();
        let input = Input::Returned(called.returned);
        self.advance(held, input, facts, Some(&called.changes), Some((&call, called.report.as_ref())))
            .await?;
        let (until, more) = self.settle_owed(held, facts, Some(&called.changes)).await?;
        match self.commit(held, until, called.changes, more).await {
            Ok(()) => Ok(more),
            Err(AppError::Write(refused)) => {
                // The records said no at the last moment (somebody changed
                // them meanwhile): the step has failed, and nothing of what
                // it wrote remains.
                held.run = before;
                held.log.truncate(logged);
                let failure = StepFailure {
                    code: if matches!(refused, WriteError::Conflict { .. }) { "conflict" } else { "invalid" }.to_owned(),
                    message: format!("{}: what it wrote was refused: {refused}", call.action),
                    permanent: !matches!(refused, WriteError::Conflict { .. }),
                    retry_after_ms: None,
                };
                let returned = Returned {
                    step: call.step,
                    iteration: call.iteration,
                    attempt: call.attempt,
                    result: Err(failure),
                };
                *facts = Facts { zone: self.zone(), ..Facts::default() };
                let logged_call = Some((&call, called.report.as_ref()));
                self.advance(held, Input::Returned(returned), facts, None, logged_call).await?;
                let (until, more) = self.settle_owed(held, facts, None).await?;
                self.commit(held, until, ChangeSet::default(), more).await?;
                Ok(more)
            }
            Err(other) => Err(other),
        }
    }

    /// Goes on through what needs nobody, and says until when the run sleeps
    /// and whether it has a call to make at once.
    async fn settle_owed(
        &self,
        held: &mut Held,
        facts: &mut Facts,
        written: Option<&ChangeSet>,
    ) -> Result<(Option<Timestamp>, bool), AppError> {
        loop {
            match self.owed(held, facts, written).await? {
                Due::Decide => self.advance(held, Input::Wake, facts, written, None).await?,
                Due::Call(_) => return Ok((None, true)),
                Due::Sleep { until } => return Ok((until, false)),
                Due::Ended(_) => return Ok((None, false)),
            }
        }
    }

    async fn owed(
        &self,
        held: &Held,
        facts: &mut Facts,
        written: Option<&ChangeSet>,
    ) -> Result<Due, AppError> {
        let now = self.now();
        self.with_facts(facts, written, |facts| due(&held.definition, &held.run, facts, now)).await
    }

    /// Applies one input, in memory.
    async fn advance(
        &self,
        held: &mut Held,
        input: Input,
        facts: &mut Facts,
        written: Option<&ChangeSet>,
        call: Option<(&Call, Option<&CallReport>)>,
    ) -> Result<(), AppError> {
        let now = self.now();
        let events = {
            let (definition, run) = (&held.definition, &held.run);
            self.with_facts(facts, written, |facts| decide(definition, run, input.clone(), facts, now))
                .await?
        };
        let first = held.run.seq;
        held.log.extend(log_rows(&held.definition, &held.run, first, &events, now, call));
        for event in &events {
            held.run.apply(&held.definition, event);
        }
        Ok(())
    }

    async fn call(&self, held: &Held, call: &Call) -> Result<Called, AppError> {
        let StepKind::Do(step) = &held.definition.step(call.step).kind else {
            return Err(AppError::Fault(format!("{} is no action", call.path)));
        };
        let plugins = self.plugins().await?;
        let fail = |failure| Called {
            returned: Returned {
                step: call.step,
                iteration: call.iteration,
                attempt: call.attempt,
                result: Err(failure),
            },
            changes: ChangeSet::default(),
            report: None,
        };
        let Some((plugin, action)) = plugins.action(&step.action) else {
            return Ok(fail(StepFailure {
                code: "not-found".to_owned(),
                message: format!("no plugin gives the action `{}`; install it, or change the step", step.action),
                permanent: true,
                retry_after_ms: None,
            }));
        };
        let now = self.now();
        let scope = StepScope {
            plugin: plugin.name().to_owned(),
            run: Some(held.run.id),
            workflow: held.run.workflow.clone(),
            step: call.path.clone(),
            idempotency_key: call.idempotency_key.clone(),
            send_in: held.definition.send_in.clone(),
            hold_above: held.definition.hold_above.map(|cap| Cap {
                count: cap.count,
                since_ms: i64::from(cap.hours) * 3_600_000,
            }),
            now,
        };
        let request = CallRequest {
            action: action.to_owned(),
            input: call.input.clone(),
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
        };
        let (result, report, mut host) =
            plugins.call(plugin, request, StepHost::new(self.clone(), scope)).await;
        if let Some(fault) = host.fault.take() {
            return Err(fault);
        }
        let (result, changes) = match result {
            Ok(contract::Outcome::Done(output)) => (Ok(ActionOutcome::Done(output)), host.changes),
            Ok(contract::Outcome::Skip(why)) => (Ok(ActionOutcome::Skip(why)), host.changes),
            Ok(contract::Outcome::Retry { after_ms, reason }) => (
                Ok(ActionOutcome::Retry { after_ms: u64::from(after_ms), reason }),
                ChangeSet::default(),
            ),
            Err(why) => (Err(failure(&why)), ChangeSet::default()),
        };
        Ok(Called {
            returned: Returned {
                step: call.step,
                iteration: call.iteration,
                attempt: call.attempt,
                result,
            },
            changes,
            report: Some(report),
        })
    }

    /// One transaction: the run's state and log, guarded by its epoch and
    /// sequence, and everything the step wrote.
    async fn commit(
        &self,
        held: &mut Held,
        until: Option<Timestamp>,
        changes: ChangeSet,
        more: bool,
    ) -> Result<(), AppError> {
        let now = self.now();
        let lease_until = more.then(|| later(now, LEASE));
        let commit = RunCommit {
            run: held.run.clone(),
            epoch: held.epoch,
            seq_before: held.committed,
            log: std::mem::take(&mut held.log),
            due_at: until,
            watches: watches(&held.definition, &held.run),
            consumed: std::mem::take(&mut held.consumed),
            keep_lease_until: lease_until,
            now,
        };
        let counted = self.counted(held, &commit.log);
        let cause = Cause {
            actor: format!("workflow/{}", held.run.workflow),
            run: Some(held.run.id),
            workflow: Some(held.run.workflow.clone()),
            depth: held.run.state.depth() + 1,
        };
        let wrote = !changes.writes.is_empty();
        let store = self.store().clone();
        let kept = commit.clone();
        let result = self
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    store.run_commit_in(tx, commit).await?;
                    if let Some((workflow, key)) = counted {
                        store.enrolment_count_in(tx, &workflow, &key, now).await?;
                    }
                    changes.commit_in(&store, tx, &cause, now).await?;
                    Ok::<_, AppError>(())
                })
            })
            .await;
        if let Err(why) = result {
            held.log = kept.log;
            held.consumed = kept.consumed;
            return Err(why);
        }
        held.committed = held.run.seq;
        if wrote {
            self.wake();
        }
        Ok(())
    }

    /// Whether the step from which `again_after` counts has just ended.
    fn counted(&self, held: &Held, log: &[LogRow]) -> Option<(String, String)> {
        let repeat = held.definition.repeat.as_ref()?;
        let from = repeat.counted_from.as_ref()?;
        let key = held.run.key.clone()?;
        log.iter()
            .any(|row| row.name.as_ref() == Some(from) && row.error.is_none())
            .then(|| (held.run.workflow.clone(), key))
    }

    async fn renew(&self, held: &Held) -> Result<(), AppError> {
        let until = later(self.now(), LEASE);
        self.store().run_renew(held.run.id, held.epoch, until).await?;
        Ok(())
    }

    /// Ends a run at a person's request.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where there is no such run, or it has ended.
    pub async fn cancel(&self, run: RunId, why: &str) -> Result<(), AppError> {
        match self.store().run_fetch(run).await? {
            None => Err(AppError::wrong(format!("there is no run {run}"))),
            Some(found) if found.run.status != Status::Active => {
                Err(AppError::wrong(format!("{run} has ended already")))
            }
            Some(_) => {
                let (why, now) = (why.to_owned(), self.now());
                let store = self.store().clone();
                self.store()
                    .write(move |tx| {
                        Box::pin(async move { store.run_cancel_in(tx, run, &why, now).await })
                    })
                    .await?;
                self.wake();
                Ok(())
            }
        }
    }
}

/// What the log keeps of events. `call` is the call that they answer.
pub(crate) fn log_rows(
    definition: &Definition,
    run: &Run,
    first: u64,
    events: &[Event],
    now: Timestamp,
    call: Option<(&Call, Option<&CallReport>)>,
) -> Vec<LogRow> {
    events
        .iter()
        .zip(first + 1..)
        .map(|(event, seq)| {
            let step = event.step().map(|id| definition.step(id));
            let answered = call.filter(|(call, _)| event.step() == Some(call.step) && event.answers_call());
            let report = answered.and_then(|(_, report)| report);
            LogRow {
                run: run.id,
                seq,
                step: step.map_or_else(String::new, |step| step.path.clone()),
                name: step.filter(|_| event.ends_step()).and_then(|step| step.name.clone()),
                label: step.map_or_else(String::new, |step| step.label.clone()),
                line: step.map_or(0, |step| step.line),
                kind: event.kind().to_owned(),
                attempt: event.attempt(),
                input: answered.map(|(call, _)| call.input.clone()),
                output: event.output().map(relata_model::Value::to_json),
                explanation: event.explanation(),
                error: event.failure().map(|failure| failure.message.clone()),
                at: now,
                cpu_ms: report.map_or(0, |report| report.cpu_ms),
                wait_ms: report.map_or(0, |report| report.wait_ms),
            }
        })
        .collect()
}

/// A sandbox's error as the engine sees it.
fn failure(why: &CallError) -> StepFailure {
    StepFailure {
        code: why.code().as_str().to_owned(),
        message: why.to_string(),
        permanent: !why.is_transient(),
        retry_after_ms: why.retry_after_ms().map(u64::from),
    }
}

/// A seed for the plugin's random numbers: the same for every attempt.
fn seed(idempotency_key: &str) -> u64 {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(idempotency_key);
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(bytes)
}

pub(crate) fn later(at: Timestamp, by: std::time::Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// How an outcome is called in lists.
pub(crate) const fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Stopped { .. } => "stopped",
        Outcome::Failed { .. } => "failed",
        Outcome::Cancelled { .. } => "cancelled",
    }
}

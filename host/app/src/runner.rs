//! Moves runs: claims those that are due, and asks the engine what they are
//! owed. What that is, is done in a stride: calls of actions in their sandboxes, and
//! one commit with everything that they wrote.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use relata_engine::{
    Call, ChildCall, Due, Event, Input, Run, StepFailure, Watch, decide, due, watches,
};
use relata_model::{EventId, RunId, Timestamp};
use relata_sandbox::{CallError, CallReport};
use relata_store::{Cause, Claimed, Committed, LogRow, StoreError};
use relata_workflow::{Definition, Facts};
use tokio::{sync::OwnedSemaphorePermit, task::JoinSet};

use crate::{
    App, AppError, change_set::ChangeSet, host::Records, lanes::Entered, limits::Limited,
    places::Places, testing::Point,
};

/// How many runs move side by side where the clock stands still meanwhile.
const SIDE_BY_SIDE: usize = 16;

/// After how many crashes in a row, each with a call of its own under way, a
/// run is given up.
const MOST_CRASHES: u32 = 5;

/// What a run has to do at once.
pub(crate) enum Next {
    /// A call of an action.
    Call(Call),
    /// The beginning of a run of another workflow.
    Run(ChildCall),
}

/// A run in this host's hands.
pub(crate) struct Held {
    pub(crate) definition: Arc<Definition>,
    pub(crate) run: Run,
    pub(crate) epoch: u64,
    pub(crate) lease_until: Timestamp,
    /// Whether the database knows that a call is under way: if the host goes
    /// down now, it may be this run's doing.
    begun: bool,
    /// Whether a host went down while it called for this run.
    pub(crate) is_suspect: bool,
    /// The run's sequence as the database has it.
    pub(crate) committed: u64,
    pub(crate) log: Vec<LogRow>,
    pub(crate) consumed: Vec<EventId>,
    /// The wish for its end that it has been told, in its words.
    pub(crate) cancel_taken: Option<String>,
    /// What it listens for by the database.
    pub(crate) watched: BTreeSet<Watch>,
    /// The end of the event log before what is decided now.
    pub(crate) log_end: u64,
    /// The lane in which its step is.
    pub(crate) lane: Option<Entered>,
    /// How it stands to its limits.
    pub(crate) limited: Limited,
}

impl Held {
    /// A run that was claimed, and what came for it.
    pub(crate) fn of(
        claim: Claimed,
        definition: Arc<Definition>,
        limited: Limited,
    ) -> (Self, Committed) {
        let held = Self {
            committed: claim.run.seq,
            watched: watches(&definition, &claim.run),
            log_end: claim.log_end,
            run: claim.run,
            epoch: claim.epoch,
            lease_until: claim.lease_until,
            begun: claim.begun,
            is_suspect: claim.crash_count > 0,
            log: Vec::new(),
            consumed: Vec::new(),
            cancel_taken: None,
            lane: None,
            limited,
            definition,
        };
        (held, Committed { inbox: claim.inbox, cancel: claim.cancel, ..Committed::default() })
    }

    /// By what the changes of its last step come about.
    pub(crate) fn cause(&self) -> Cause {
        Cause {
            actor: format!("workflow/{}", self.run.workflow),
            run: Some(self.run.id),
            workflow: Some(self.run.workflow.clone()),
            depth: self.run.state.depth() + 1,
            entry: self.last_answer(),
        }
    }

    /// Which entry of its log tells of the last answer of an action.
    pub(crate) fn last_answer(&self) -> Option<u64> {
        self.log.iter().rev().find(|row| row.action.is_some()).map(|row| row.seq)
    }
}

impl App {
    /// Claims and moves the runs that are due, to their next wait. Answers how
    /// many there were. For a rehearsal and a test, whose clock stands still
    /// meanwhile.
    pub(crate) async fn move_runs(&self, owner: &str) -> Result<usize, AppError> {
        if self.all_paused() {
            return Ok(0);
        }
        let (claimed, suspects) = self.claim(owner, SIDE_BY_SIDE * 4).await?;
        let count = claimed.len() + suspects.len();
        if count > 0 {
            self.may_crash(Point::AfterClaim).await;
        }
        let mut claimed = claimed.into_iter();
        let mut moving = JoinSet::new();
        let mut first_fault = None;
        let side_by_side = if self.is_test() { 1 } else { SIDE_BY_SIDE };
        loop {
            while moving.len() < side_by_side {
                let Some(claim) = claimed.next() else { break };
                let app = self.clone();
                moving.spawn(async move {
                    let id = claim.run.id;
                    (id, app.move_run(claim).await)
                });
            }
            match moving.join_next().await {
                None => break,
                Some(Ok((run, moved))) => {
                    first_fault = first_fault.or(fault_of(run, moved));
                }
                Some(Err(why)) => {
                    first_fault.get_or_insert(AppError::Fault(format!(
                        "a task of the runner ended: {why}"
                    )));
                }
            }
        }
        for claim in suspects {
            let run = claim.run.id;
            let moved = self.move_run(claim).await;
            first_fault = first_fault.or(fault_of(run, moved));
        }
        match first_fault {
            Some(why) => Err(why),
            None => Ok(count),
        }
    }

    /// Claims as many of the runs that are due as there is room for, and sets
    /// them in motion; waits until there is room, not until they rest.
    /// Answers how many there were.
    pub(crate) async fn begin_moving(&self, places: &Places) -> Result<usize, AppError> {
        if self.all_paused() {
            return Ok(0);
        }
        let mut free = places.to_claim().await;
        let (claimed, suspects) = self.claim(places.owner(), free.len()).await?;
        let count = claimed.len() + suspects.len();
        for claim in claimed {
            let (app, place) = (self.clone(), free.pop());
            // A pointer is what the runtime moves about, not the whole of it.
            tokio::spawn(Box::pin(async move {
                let run = claim.run.id;
                let _ = fault_of(run, app.move_run(claim).await);
                drop(place);
            }));
        }
        drop(free);
        for claim in suspects {
            let _all = places.all().await;
            let run = claim.run.id;
            let _ = fault_of(run, self.move_run(claim).await);
        }
        Ok(count)
    }

    /// Sets a run in motion that is this host's since it began.
    pub(crate) fn move_begun(&self, claim: Claimed, place: OwnedSemaphorePermit) {
        let app = self.clone();
        tokio::spawn(async move {
            let run = claim.run.id;
            let moved = async {
                for claim in app.park_paused(vec![claim]).await? {
                    app.move_run(claim).await?;
                }
                Ok(())
            };
            let _ = fault_of(run, Box::pin(moved).await);
            drop(place);
        });
    }

    /// Claims runs that are due: those to be moved side by side, and the
    /// suspects. A host went down while it called for these, and nobody knows
    /// for which. They move one at a time, when nothing else does, the least
    /// suspected first: so only the culprit is ever given up.
    async fn claim(
        &self,
        owner: &str,
        limit: usize,
    ) -> Result<(Vec<Claimed>, Vec<Claimed>), AppError> {
        let now = self.now();
        let lease = i64::try_from(self.lease().as_millis()).unwrap_or(i64::MAX);
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let began = Self::stopwatch();
        let claimed = self.store().run_claim(owner, now, lease, limit).await?;
        let took = Duration::from_micros(Self::stopwatch().saturating_sub(began));
        self.metrics().claimed(&claimed, now, took);
        let claimed = self.park_paused(claimed).await?;
        let (mut suspects, claimed): (Vec<Claimed>, Vec<Claimed>) =
            claimed.into_iter().partition(|claim| claim.crash_count > 0);
        suspects.sort_by_key(|claim| claim.crash_count);
        Ok((claimed, suspects))
    }

    async fn move_run(&self, claim: Claimed) -> Result<(), AppError> {
        let definition = self.version(&claim.run.version).await?;
        let (crash_count, limited) = (claim.crash_count, self.limited(&definition));
        let (mut held, came) = Held::of(claim, definition, limited);
        if crash_count >= MOST_CRASHES {
            let why = format!(
                "it could not be moved on {MOST_CRASHES} times in a row: its host went down each time, or met a fault that its log tells"
            );
            return self.give_up(&mut held, why).await;
        }
        let moved = Box::pin(self.drive(&mut held, came)).await;
        let fenced = matches!(moved, Err(AppError::Store(StoreError::Fenced { .. })));
        if moved.is_err() && !fenced && !held.begun {
            // A fault of ours on it is as bad as a crash: it is tried again,
            // but not for ever.
            self.store().run_begin(held.run.id, held.epoch, held.lease_until).await?;
        }
        moved
    }

    /// Goes on with a run until it waits or has ended.
    async fn drive(&self, held: &mut Held, mut came: Committed) -> Result<(), AppError> {
        loop {
            let mut facts = self.no_facts();
            self.take_told(held, came, &mut facts).await?;
            let (until, next) = self.settle_owed(held, &mut facts, None).await?;
            let more = match next {
                None => {
                    let nothing = ChangeSet::default();
                    Box::pin(self.commit(held, until, nothing, false, None)).await?;
                    None
                }
                Some(Next::Run(_)) if self.stop_at_pause(held, None).await? => return Ok(()),
                Some(Next::Run(call)) => Box::pin(self.begin_child(held, call)).await?,
                Some(Next::Call(call)) => {
                    if self.stop_at_pause(held, Some(&call.action)).await?
                        || self.stop_at_breaker(held, &call.action).await?
                        || self.stop_at_limit(held, &call, &mut facts).await?
                    {
                        return Ok(());
                    }
                    let committed = match &call.exclusive {
                        None => {
                            self.begin(held).await?;
                            Box::pin(self.call_and_commit(held, &call, facts.records)).await
                        }
                        Some(key) => {
                            let committed = Box::pin(self.call_in_lane(held, &call, key)).await;
                            self.leave_lane(held, key).await;
                            committed
                        }
                    };
                    committed?
                }
            };
            match more {
                Some(more) => came = more,
                None => return Ok(()),
            }
        }
    }

    /// Calls the action in its lane, which is held until the commit. Whoever waits
    /// for it keeps its run; who has lost it all the same is told by the renewal.
    async fn call_in_lane(
        &self,
        held: &mut Held,
        call: &Call,
        key: &str,
    ) -> Result<Option<Committed>, AppError> {
        let ready = self.keeping(held, self.inner.lanes.line_up(key)).await?;
        // One gets ready at a time: if the host goes down now, two are suspects,
        // and not all that wait.
        self.begin(held).await?;
        held.lane = Some(self.keeping(held, ready.enter()).await?);
        self.take_turn(held, key).await?;
        self.begin(held).await?;
        // Whoever was in the lane before may have changed what was read.
        self.call_and_commit(held, call, Records::default()).await
    }

    /// Gives the run what it was told, then wakes it.
    async fn take_told(
        &self,
        held: &mut Held,
        came: Committed,
        facts: &mut Facts,
    ) -> Result<(), AppError> {
        if let Some(why) = came.cancel {
            held.cancel_taken = Some(why.clone());
            self.advance(held, Input::Cancel { why }, facts, None, None).await?;
        }
        for happening in came.inbox {
            held.consumed.push(happening.id);
            if !held.run.has_ended() {
                self.advance(held, Input::Happened(happening), facts, None, None).await?;
            }
        }
        Ok(())
    }

    /// Goes on through what needs nobody, and says until when the run sleeps
    /// or what it has to do at once.
    pub(crate) async fn settle_owed(
        &self,
        held: &mut Held,
        facts: &mut Facts,
        written: Option<&ChangeSet>,
    ) -> Result<(Option<Timestamp>, Option<Next>), AppError> {
        loop {
            match self.owed(held, facts, written).await? {
                Due::Decide => self.advance(held, Input::Wake, facts, written, None).await?,
                Due::Call(call) => return Ok((None, Some(Next::Call(call)))),
                Due::Run(call) => return Ok((None, Some(Next::Run(call)))),
                Due::Sleep { until } => return Ok((until, None)),
                Due::Ended(_) => return Ok((None, None)),
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
    pub(crate) async fn advance(
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
            self.with_facts(facts, written, |facts| {
                decide(definition, run, input.clone(), facts, now)
            })
            .await?
        };
        let first = held.run.seq;
        held.log.extend(log_rows(&held.definition, first, &events, now, call));
        for event in &events {
            held.run.apply(&held.definition, event);
        }
        Ok(())
    }

    /// Says that a call begins, and keeps the run where its lease is half
    /// over.
    pub(crate) async fn begin(&self, held: &mut Held) -> Result<(), AppError> {
        if held.begun && later(self.now(), self.lease() / 2) < held.lease_until {
            return Ok(());
        }
        let until = later(self.now(), self.lease());
        self.may_crash(Point::BeforeBegin).await;
        if held.begun {
            Box::pin(self.store().run_renew(held.run.id, held.epoch, until)).await?;
        } else {
            Box::pin(self.store().run_begin(held.run.id, held.epoch, until)).await?;
            held.begun = true;
        }
        held.lease_until = until;
        self.may_crash(Point::AfterBegin).await;
        Ok(())
    }

    /// Ends a run at a person's request.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where there is no such run, or it has ended.
    pub async fn cancel(&self, run: RunId, why: &str) -> Result<(), AppError> {
        if self.store().run_fetch(run).await?.is_none() {
            return Err(AppError::wrong(format!("there is no run {run}")));
        }
        let (why, now) = (why.to_owned(), self.now());
        let asked = self
            .store()
            .write(move |tx| Box::pin(async move { tx.run_cancel_request(run, &why, now).await }))
            .await?;
        if !asked {
            return Err(AppError::wrong(format!("{run} has ended already")));
        }
        Ok(())
    }

    /// Nothing is known yet.
    pub(crate) fn no_facts(&self) -> Facts {
        Facts { zone: self.zone(), ..Facts::default() }
    }
}

/// The fault that kept a run from being moved, if one did; logged.
fn fault_of(run: RunId, moved: Result<(), AppError>) -> Option<AppError> {
    match moved {
        Ok(()) => None,
        Err(AppError::Store(StoreError::Fenced { .. })) => {
            // Somebody else has it now; what was done here is gone.
            tracing::info!(run.id = %run, "a run was taken over by another host");
            None
        }
        Err(why) => {
            tracing::error!(run.id = %run, error = &why as &dyn std::error::Error, "a run could not be moved; it is due again when its lease ends");
            Some(why)
        }
    }
}

/// What the log keeps of events. `call` is the call that they answer.
pub(crate) fn log_rows(
    definition: &Definition,
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
            let answered = call.filter(|(call, _)| {
                event.answers_call()
                    && event.step() == Some(call.step)
                    && event.rounds() == Some(&call.rounds)
            });
            let report = answered.and_then(|(_, report)| report);
            LogRow {
                seq,
                step: step.map_or_else(String::new, |step| step.path.clone()),
                rounds: event.rounds().map_or_else(String::new, ToString::to_string),
                label: step.map_or_else(String::new, |step| step.label.clone()),
                attempt: event.attempt(),
                kind: event.kind().to_owned(),
                action: answered.map(|(call, _)| call.action.clone()),
                plugin: report.map(|report| report.digest.clone()),
                input: answered.map(|(call, _)| call.input.clone()),
                output: event.output().map(relata_model::Value::to_json),
                explanation: Some(serde_json::Value::String(event.explanation()))
                    .filter(|explanation| explanation != ""),
                error: event.failure().map(|failure| failure.message.clone()),
                at: now,
                cpu_us: report.map_or(0, |report| micros(report.cpu)),
                wait_ms: report.map_or(0, |report| millis(report.waited)),
                memory_bytes: report.map_or(0, |report| report.peak_memory_bytes as u64),
                host_calls: report.map_or(0, |report| report.host_calls),
                http_calls: report.map_or(0, |report| report.http_calls),
            }
        })
        .collect()
}

/// A sandbox's error as the engine sees it.
pub(crate) fn failure(why: &CallError) -> StepFailure {
    StepFailure {
        code: why.code().to_owned(),
        message: why.to_string(),
        permanent: !why.is_transient(),
        retry_after_ms: why.retry_after_ms().map(u64::from),
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// A seed for the plugin's random numbers: the same for every attempt.
pub(crate) fn seed(idempotency_key: &str) -> u64 {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(idempotency_key);
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(bytes)
}

pub(crate) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

//! A host at work: what it has in its hands, and one step of it at a time. The
//! way of a run through it is that of the host's runner.

use relata_engine::{
    ActionOutcome, Call, ChildCall, Due, Event, Input, Run, StepFailure, decide, due,
};
use relata_model::{EventId, RunId, Timestamp};
use serde_json::json;

use super::{
    Bug, Checked, Cluster,
    store::{
        Came, Claimed, Commit, Committed, EffectStatus, LEASE_MS, MOST_CRASHES, NewEffect, Who,
        Written,
    },
    truth::{Ticket, writes},
};
use crate::rig::{World, later, maker::STATUSES};

/// How many runs a host has in its hands at a time.
pub(crate) const MOST_HANDS: usize = 3;

/// How many runs there may be in one life.
const MOST_RUNS: usize = 14;

#[derive(Default)]
pub(crate) struct Host {
    pub(crate) down: bool,
    /// Stopped, with all that it has in its hands.
    pub(crate) stopped: bool,
    pub(crate) life: u32,
    /// How wrong its own clock is.
    pub(crate) skew_ms: i64,
    pub(crate) hands: Vec<Hand>,
    pub(crate) sending: Vec<Sending>,
    /// The events that it has read and not yet settled.
    pub(crate) matching: Vec<usize>,
}

impl Host {
    pub(crate) const fn works(&self) -> bool {
        !self.down && !self.stopped
    }

    /// It is no longer certain that it kept what it has.
    pub(crate) fn troubled(&mut self) {
        self.hands.iter_mut().for_each(|hand| hand.held.troubled = true);
        self.sending.iter_mut().for_each(|sending| sending.troubled = true);
    }
}

/// A run in a host's hands.
pub(crate) struct Hand {
    pub(crate) held: Held,
    pub(crate) stage: Stage,
}

pub(crate) struct Held {
    pub(crate) id: RunId,
    workflow: usize,
    pub(crate) ticket: Ticket,
    run: Run,
    pub(crate) epoch: u64,
    pub(crate) lease_until: Timestamp,
    begun: bool,
    committed: u64,
    events: Vec<Event>,
    consumed: Vec<EventId>,
    cancel_taken: Option<String>,
    seen: Option<usize>,
    /// When it was due, where that is still to come (a planted bug).
    ahead: Timestamp,
    pub(crate) troubled: bool,
}

/// What a host does next for a run.
pub(crate) enum Stage {
    /// Takes in what came, and decides.
    Took(Came),
    /// Says that a call begins.
    Begin(Call),
    /// Waits for the call.
    Calling { call: Call, ends: Timestamp },
    /// Commits.
    Commit(Box<Commit>),
    /// Writes what a planted bug has left out of the commit.
    After { effect: Option<NewEffect>, child: Option<ChildCall>, came: Option<Came> },
}

impl Stage {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Took(_) => "before it decides",
            Self::Begin(_) => "before a call begins",
            Self::Calling { .. } => "during a call",
            Self::Commit(_) => "before a commit",
            Self::After { .. } => "after a commit",
        }
    }
}

/// An effect in a host's hands.
pub(crate) struct Sending {
    pub(crate) id: String,
    attempt: u32,
    pub(crate) until: Timestamp,
    /// What came of it, once it was tried.
    sent: Option<EffectStatus>,
    pub(crate) troubled: bool,
}

enum Next {
    Call(Call),
    Run(ChildCall),
}

impl Cluster {
    fn who(&self, host: usize) -> Who {
        Who { host, life: self.hosts[host].life }
    }

    /// Claims runs. How many there were.
    pub(crate) fn claim(&mut self, host: usize) -> Checked<usize> {
        let room = MOST_HANDS.saturating_sub(self.hosts[host].hands.len());
        if room == 0 {
            return Ok(0);
        }
        let claimed = self.store.claim(self.who(host), room);
        let count = claimed.len();
        for claim in claimed {
            let Claimed { id, due_at, lease_until, crash_count, run, epoch, workflow, mut came } =
                claim;
            tell!(self, "host {host} claims {id}, epoch {epoch}");
            let lost = self.hosts.iter().enumerate().find_map(|(other, it)| {
                let had = it.hands.iter().find(|hand| hand.held.id == id)?;
                let current = self.truth.is_owner(id, had.held.ticket);
                (it.works() && current && !had.held.troubled).then_some((other, had))
            });
            if let Some((other, hand)) = lost {
                let at = hand.stage.name();
                return Err(format!("{id} was taken from a host that is well: {other}, {at}"));
            }
            let ticket = self.truth.claimed(id, due_at, crash_count)?;
            if crash_count > 0 {
                self.count("a run that was left behind is claimed");
            }
            if crash_count >= MOST_CRASHES {
                self.count("a run is given up");
                came.cancel = Some("its host went down too often".to_owned());
            }
            let held = Held {
                id,
                workflow,
                ticket,
                committed: run.seq,
                run,
                epoch,
                lease_until,
                begun: false,
                events: Vec::new(),
                consumed: Vec::new(),
                cancel_taken: None,
                seen: None,
                ahead: due_at,
                troubled: false,
            };
            self.hosts[host].hands.push(Hand { held, stage: Stage::Took(came) });
            self.truth.check(id, &self.store)?;
        }
        Ok(count)
    }

    /// Does one step for a run. Whether there was one to do.
    pub(crate) fn step(&mut self, host: usize, place: usize) -> Checked<bool> {
        let Hand { mut held, stage } = self.hosts[host].hands.swap_remove(place);
        let id = held.id;
        if !matches!(stage, Stage::Calling { .. }) {
            tell!(self, "host {host}: {id}, {}", stage.name());
        }
        let stage = match stage {
            Stage::Took(came) => Some(self.take_in(host, &mut held, came)?),
            Stage::Begin(call) => self.begins(&mut held, call)?,
            Stage::Calling { call, ends } if ends <= self.store.now => {
                tell!(self, "host {host}: {id}, a call comes back");
                self.returns(host, &mut held, &call)?
            }
            Stage::Calling { call, ends } => {
                let half = later(held.lease_until, -LEASE_MS / 2);
                if self.store.has(Bug::LeaseNotRenewed) || self.store.now < half {
                    self.hosts[host]
                        .hands
                        .push(Hand { held, stage: Stage::Calling { call, ends } });
                    return Ok(false);
                }
                self.count("a lease is renewed");
                tell!(self, "host {host}: {id}, renews the lease");
                self.keep(&mut held, false)?.then_some(Stage::Calling { call, ends })
            }
            Stage::Commit(commit) => self.commits(&mut held, *commit)?,
            Stage::After { effect, child, came } => {
                if let Some(effect) = effect {
                    self.store.outbox_put(&effect);
                }
                if let Some(child) = child {
                    self.store.child_begin(&child);
                }
                came.map(Stage::Took)
            }
        };
        self.truth.check(id, &self.store)?;
        if let Some(stage) = stage {
            self.hosts[host].hands.push(Hand { held, stage });
        }
        Ok(true)
    }

    /// The time by which a host decides.
    fn time(&self, host: usize, held: &Held) -> Timestamp {
        let now = self.store.now;
        match self.store.bug {
            Some(Bug::OwnClock) => later(now, self.hosts[host].skew_ms),
            Some(Bug::TimerEarly) => now.max(held.ahead),
            _ => now,
        }
    }

    fn take_in(&mut self, host: usize, held: &mut Held, came: Came) -> Checked<Stage> {
        held.seen.get_or_insert(self.store.events.len());
        let now = self.time(host, held);
        let world = self.store.world.clone();
        if let Some(why) = came.cancel {
            self.count("a wish for an end is taken in");
            held.cancel_taken = Some(why.clone());
            self.advance(held, Input::Cancel { why }, &world, now)?;
        }
        for happening in came.inbox {
            self.count("a happening is taken in");
            held.consumed.push(happening.id);
            if !held.run.has_ended() {
                self.advance(held, Input::Happened(happening), &world, now)?;
            }
        }
        let (until, next) = self.settle_owed(held, &world, now)?;
        Ok(match next {
            None => self.commit_of(held, until, false, None),
            Some(Next::Call(call)) => Stage::Begin(call),
            Some(Next::Run(call)) => {
                let begins = held.workflow == 0
                    && self.store.runs.len() < MOST_RUNS
                    && !(self.faults && self.draw.one_in(6));
                let answer = if begins {
                    self.count("a run starts another");
                    call.clone().began()
                } else {
                    call.clone().refused("nobody has activated it")
                };
                self.advance(held, Input::Child(answer), &world, now)?;
                let (until, next) = self.settle_owed(held, &world, now)?;
                let child = begins.then_some(call);
                self.commit_of(held, until, next.is_some(), child)
            }
        })
    }

    fn commit_of(
        &self,
        held: &mut Held,
        until: Option<Timestamp>,
        keep: bool,
        child: Option<ChildCall>,
    ) -> Stage {
        Stage::Commit(Box::new(Commit {
            id: held.id,
            epoch: held.epoch,
            seq_before: held.committed,
            run: held.run.clone(),
            events: std::mem::take(&mut held.events),
            until,
            keep,
            consumed: std::mem::take(&mut held.consumed),
            cancel_taken: held.cancel_taken.take(),
            seen: held.seen.take().unwrap_or(self.store.events.len()),
            written: None,
            effect: None,
            child,
        }))
    }

    fn advance(&self, held: &mut Held, input: Input, world: &World, now: Timestamp) -> Checked {
        let def = &self.store.workflows[held.workflow];
        let events = world
            .ask(|facts| decide(def, &held.run, input.clone(), facts, now))
            .map_err(|why| format!("{}: {input:?} is rejected: {why}", held.id))?;
        for event in events {
            held.run.apply(def, &event);
            held.events.push(event);
        }
        Ok(())
    }

    fn settle_owed(
        &self,
        held: &mut Held,
        world: &World,
        now: Timestamp,
    ) -> Checked<(Option<Timestamp>, Option<Next>)> {
        for _ in 0..5_000 {
            let def = &self.store.workflows[held.workflow];
            match world.ask(|facts| due(def, &held.run, facts, now))? {
                Due::Decide => self.advance(held, Input::Wake, world, now)?,
                Due::Call(call) => return Ok((None, Some(Next::Call(call)))),
                Due::Run(call) => return Ok((None, Some(Next::Run(call)))),
                Due::Sleep { until } => return Ok((until, None)),
                Due::Ended(_) => return Ok((None, None)),
            }
        }
        Err(format!("{} decides for ever", held.id))
    }

    /// Keeps a run; false where it is lost.
    fn keep(&mut self, held: &mut Held, begins: bool) -> Checked<bool> {
        if self.store.keep(held.id, held.epoch, begins).is_none() {
            self.count("a write is refused");
            tell!(self, "  refused: it is another's");
            return Ok(false);
        }
        self.truth.wrote(held.id, held.ticket)?;
        if begins {
            self.truth.began(held.id);
        }
        held.lease_until = later(self.store.now, LEASE_MS);
        held.troubled = false;
        Ok(true)
    }

    fn begins(&mut self, held: &mut Held, call: Call) -> Checked<Option<Stage>> {
        let half = later(held.lease_until, -LEASE_MS / 2);
        let renews = self.store.now >= half && !self.store.has(Bug::LeaseNotRenewed);
        let begins = !held.begun;
        if (begins || renews) && !self.keep(held, begins)? {
            return Ok(None);
        }
        held.begun = true;
        self.truth.calls(&held.run, &call)?;
        let long = self.faults && self.draw.one_in(6);
        let most = if long { 3 * LEASE_MS } else { 2_000 };
        let lasts = i64::try_from(self.draw.below(most.unsigned_abs())).unwrap_or(0);
        Ok(Some(Stage::Calling { ends: later(self.store.now, lasts), call }))
    }

    /// A call comes back, or takes its host with it.
    fn returns(&mut self, host: usize, held: &mut Held, call: &Call) -> Checked<Option<Stage>> {
        if self.faults && self.poisoned == Some((held.workflow, call.step.0)) {
            self.count("a call takes its host with it");
            tell!(self, "  the call takes host {host} with it");
            self.goes_down(host);
            return Ok(None);
        }
        let returned = call.returned(self.result(call));
        let done = writes(&returned);
        let key = &call.idempotency_key;
        let written = done.then(|| Written {
            key: key.clone(),
            change: self.draw.one_in(6).then(|| {
                let status = self.draw.pick(&STATUSES);
                format!("{} status={status}", super::TICKET)
            }),
        });
        let effect = (done && self.draw.one_in(2))
            .then(|| NewEffect { id: format!("effect-{key}"), once: self.draw.one_in(2) });
        // What it wrote, it sees.
        let mut world = self.store.world.clone();
        if let Some(change) = written.as_ref().and_then(|written| written.change.as_ref()) {
            world.change(change);
        }
        held.seen.get_or_insert(self.store.events.len());
        let now = self.time(host, held);
        self.advance(held, Input::Returned(returned), &world, now)?;
        let (until, next) = self.settle_owed(held, &world, now)?;
        let mut stage = self.commit_of(held, until, next.is_some(), None);
        if let Stage::Commit(commit) = &mut stage {
            (commit.written, commit.effect) = (written, effect);
        }
        Ok(Some(stage))
    }

    fn result(&mut self, call: &Call) -> Result<ActionOutcome, StepFailure> {
        let message = call.idempotency_key.clone();
        let done = |message| Ok(ActionOutcome::Done(json!({ "message": message })));
        if !self.faults {
            return done(message);
        }
        match self.draw.below(10) {
            0 => Ok(ActionOutcome::Skip("nobody is there".to_owned())),
            1 => Ok(ActionOutcome::Retry {
                after_ms: self.draw.below(100_000),
                reason: "not yet".to_owned(),
            }),
            2 | 3 => Err(StepFailure {
                code: "down".to_owned(),
                message: "the server is down".to_owned(),
                permanent: self.draw.one_in(5),
                retry_after_ms: self.draw.one_in(3).then(|| self.draw.below(200_000)),
            }),
            _ => {
                self.messages.push(message.clone());
                done(message)
            }
        }
    }

    fn commits(&mut self, held: &mut Held, commit: Commit) -> Checked<Option<Stage>> {
        let Some(Committed { came, asked }) = self.store.commit(&commit) else {
            self.count("a write is refused");
            tell!(self, "  refused: it is another's");
            return Ok(None);
        };
        for event in &commit.events {
            tell!(self, "  {} {}", event.kind(), event.explanation());
        }
        self.truth.wrote(held.id, held.ticket)?;
        self.truth.committed(&commit, &self.store)?;
        for (child, why) in asked {
            self.count("a run that nobody waits for is to end");
            self.truth.asked(child, &why);
            self.truth.check(child, &self.store)?;
        }
        if commit.run.has_ended() {
            self.truth.check(held.id, &self.store)?;
        }
        held.committed = commit.run.seq;
        held.lease_until = later(self.store.now, LEASE_MS);
        held.troubled = false;
        held.begun = commit.keep;
        let goes_on = commit.keep && !commit.run.has_ended();
        if self.faults && self.draw.one_in(40) {
            // It was committed, and the host was never told so.
            self.count("the answer to a commit is lost");
            tell!(self, "  committed, but the host does not know");
            return Ok(None);
        }
        let effect = commit.effect.filter(|_| self.store.has(Bug::OutboxApart));
        let child = commit.child.filter(|_| self.store.has(Bug::ChildApart));
        let came = goes_on.then_some(came);
        if effect.is_some() || child.is_some() {
            // A run that was given back is anybody's.
            held.troubled = came.is_none();
            return Ok(Some(Stage::After { effect, child, came }));
        }
        Ok(came.map(Stage::Took))
    }

    // The outbox.

    /// Takes effects that are due. How many.
    pub(crate) fn take_effects(&mut self, host: usize) -> usize {
        let taken = self.store.outbox_claim(2);
        let count = taken.len();
        let until = later(self.store.now, LEASE_MS);
        for (id, attempt) in taken {
            tell!(self, "host {host} will send {id}, attempt {attempt}");
            let sending = Sending { id, attempt, until, sent: None, troubled: false };
            self.hosts[host].sending.push(sending);
        }
        count
    }

    /// Sends an effect, or says what became of it.
    pub(crate) fn send(&mut self, host: usize, place: usize) -> Checked {
        let mut sending = self.hosts[host].sending.swap_remove(place);
        let id = &sending.id;
        if let Some(status) = sending.sent {
            if !self.store.outbox_settle(id, sending.attempt, status) {
                self.count("an effect was taken for lost");
            }
            return Ok(());
        }
        if sending.until <= self.store.now {
            // It is no longer this host's to send.
            self.count("an effect is left to others");
            return Ok(());
        }
        let once = self.store.outbox[id].once;
        let fate = if self.faults { self.draw.below(8) } else { 7 };
        tell!(self, "host {host} sends {id}: {fate}");
        let arrives = !matches!(fate, 0 | 1);
        if arrives {
            self.truth.arrives(id, once)?;
        }
        let again = later(self.store.now, 5_000);
        sending.sent = Some(match fate {
            0 if sending.attempt >= 10 => EffectStatus::Failed,
            0 => EffectStatus::Due(again),
            // Nobody answered, and it may have arrived.
            1 | 2 if once => EffectStatus::Due(again),
            1 | 2 => {
                self.count("an effect is unknown");
                EffectStatus::Unknown
            }
            _ => {
                self.count("an effect is sent");
                EffectStatus::Sent
            }
        });
        self.hosts[host].sending.push(sending);
        Ok(())
    }

    // Events and the schedule.

    /// Reads events that nobody has looked at, or settles those that were
    /// read. Whether there were any.
    pub(crate) fn matches(&mut self, host: usize) -> Checked<bool> {
        let read = std::mem::take(&mut self.hosts[host].matching);
        if read.is_empty() {
            self.hosts[host].matching = self.store.pending(4);
            return Ok(!self.hosts[host].matching.is_empty());
        }
        for place in read {
            let event = self.store.events[place].happening.id;
            tell!(self, "host {host} settles {event}");
            if self.store.settle(place).is_some() {
                self.count("an event starts a run");
                self.truth.started(event)?;
            }
        }
        Ok(true)
    }

    pub(crate) fn fires(&mut self) -> Checked<bool> {
        let Some((nominal, _)) = self.store.fire() else { return Ok(false) };
        self.count("the schedule fires");
        self.truth.fired(nominal)?;
        if self.store.fired.len() >= 2 {
            self.store.next_fire = None;
        }
        Ok(true)
    }
}

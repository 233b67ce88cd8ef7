//! Several hosts on one database, simulated from a seed: the pure engine as it
//! is, and around it a model of what the store promises and of how a host moves
//! runs. Hosts crash, stand still and go on, clocks jump, answers are lost;
//! each transaction and each call is a step of its own, and any host may have
//! the next one.
//!
//! `store` is the tables and their guards, `host` one host's work, `truth` what
//! both are held against, `bug` what is planted to see that it is found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

macro_rules! tell {
    ($cluster:expr, $($what:tt)*) => {
        if let Some(trace) = &mut $cluster.trace {
            trace.push(format!("{} {}", crate::rig::show($cluster.store.now), format_args!($($what)*)));
        }
    };
}

mod bug;
mod host;
mod store;
mod truth;

use std::{
    any::Any,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use relata_engine::{HappeningKind, Run};
use relata_model::{RunId, Timestamp, Value};
use relata_workflow::StepKind;

pub(crate) use bug::Bug;
use host::{Host, MOST_HANDS, Stage};
use store::{EffectStatus, LEASE_MS, Store};
use truth::Truth;

use crate::rig::{
    World, at,
    judge::{judge, sound},
    later,
    maker::{Draw, Maker, STATUSES},
};

/// The record that all runs are about.
pub(crate) const TICKET: &str = "ticket/t1";

/// What starts a run.
pub(crate) const STARTS: &str = "order.placed";

/// How many things happen before the faults stop.
const STEPS: u64 = 260;

/// A sentence that says what is wrong.
pub(crate) type Checked<T = ()> = Result<T, String>;

/// What happened in a life, counted.
pub(crate) type Tally = BTreeMap<&'static str, u64>;

/// What a seed has found.
#[derive(Debug)]
pub(crate) struct Found {
    /// What is wrong.
    pub(crate) what: String,
    /// All that happened before.
    pub(crate) trace: Vec<String>,
}

/// Lives the life that a seed says.
pub(crate) fn live(seed: u64, bug: Option<Bug>) -> Result<Tally, Box<Found>> {
    let lived = once(seed, bug, false).1;
    lived.map_err(|_| {
        // Once more, and now it is told.
        let (trace, lived) = once(seed, bug, true);
        let what = lived.err().unwrap_or_else(|| "the second life is another".to_owned());
        Box::new(Found { what, trace })
    })
}

/// All that happens in the life that a seed says.
pub(crate) fn trace(seed: u64) -> Vec<String> {
    once(seed, None, true).0
}

fn once(seed: u64, bug: Option<Bug>, tells: bool) -> (Vec<String>, Checked<Tally>) {
    let mut cluster = Cluster::new(seed, bug, tells);
    // The engine's own checks panic.
    let lived = catch_unwind(AssertUnwindSafe(|| cluster.life()));
    let lived = lived.unwrap_or_else(|why| Err(said(why.as_ref())));
    (cluster.trace.unwrap_or_default(), lived.map(|()| cluster.tally))
}

fn said(why: &(dyn Any + Send)) -> String {
    let text = why.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| why.downcast_ref::<String>().cloned()).unwrap_or_default()
}

pub(crate) struct Cluster {
    draw: Draw,
    store: Store,
    hosts: Vec<Host>,
    truth: Truth,
    /// Whether anything still goes wrong.
    faults: bool,
    /// The step whose call takes its host with it: workflow and step.
    poisoned: Option<(usize, u32)>,
    /// Whether the database's clock was ever set back.
    set_back: bool,
    /// What the mails are called that may be answered.
    messages: Vec<String>,
    tally: Tally,
    trace: Option<Vec<String>>,
}

impl Cluster {
    fn new(seed: u64, bug: Option<Bug>, tells: bool) -> Self {
        let mut draw = Draw::new(seed);
        let workflows = vec![Maker::workflow(&mut draw), Maker::workflow(&mut draw)];
        let mut world = World::default();
        world.add(&format!("{TICKET} status=open priority=normal customer=contact/anna"));
        let now = at("2026-03-27 16:00");
        let mut store = Store::new(workflows, world, now, bug);
        if draw.one_in(3) {
            store.next_fire = Some(later(now, i64::try_from(draw.below(3_600_000)).unwrap()));
        }
        let hosts = usize::try_from(draw.below(3)).unwrap() + 1;
        let hosts = (0..hosts)
            .map(|_| Host { skew_ms: ten_minutes(&mut draw), ..Host::default() })
            .collect();
        let calls = store.workflows[0].steps.iter();
        let calls = calls.filter(|step| matches!(step.kind, StepKind::Do(_)));
        let calls: Vec<u32> = calls.map(|step| step.id.0).collect();
        let poisoned = (!calls.is_empty() && draw.one_in(6)).then(|| (0, *draw.pick(&calls)));
        Self {
            draw,
            store,
            hosts,
            truth: Truth::default(),
            faults: true,
            set_back: false,
            poisoned,
            messages: Vec::new(),
            tally: Tally::new(),
            trace: tells.then(Vec::new),
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    fn life(&mut self) -> Checked {
        self.truth.shows(self.store.now);
        self.emit(STARTS);
        for _ in 0..STEPS {
            self.something()?;
        }
        self.faults = false;
        tell!(self, "from now on nothing goes wrong");
        self.ends()?;
        self.truth.conclude(&self.store)?;
        self.journals();
        Ok(())
    }

    /// One thing that happens.
    fn something(&mut self) -> Checked {
        match self.draw.below(100) {
            0..66 => self.works(),
            66..82 => {
                let ms = match self.draw.below(10) {
                    0..5 => self.draw.below(3_000),
                    5..8 => self.draw.below(90_000),
                    8 => self.draw.below(3_600_000),
                    _ => self.draw.below(48 * 3_600_000),
                };
                self.passes(i64::try_from(ms).unwrap())
            }
            82..90 => self.outside(),
            _ => {
                self.fault();
                Ok(())
            }
        }
    }

    /// A host that works does something.
    fn works(&mut self) -> Checked {
        let working = |host: &usize| self.hosts[*host].works();
        let working: Vec<usize> = (0..self.hosts.len()).filter(working).collect();
        if working.is_empty() {
            return Ok(());
        }
        let host = *self.draw.pick(&working);
        match self.draw.below(10) {
            0..5 if !self.hosts[host].hands.is_empty() => {
                let place = self.draw.below(self.hosts[host].hands.len() as u64);
                self.step(host, usize::try_from(place).unwrap())?;
            }
            5 => drop(self.take_effects(host)),
            6 if !self.hosts[host].sending.is_empty() => {
                let place = self.draw.below(self.hosts[host].sending.len() as u64);
                self.send(host, usize::try_from(place).unwrap())?;
            }
            7 | 8 => drop(self.matches(host)?),
            9 => {
                self.recovers();
                self.fires()?;
            }
            _ => drop(self.claim(host)?),
        }
        Ok(())
    }

    fn recovers(&mut self) {
        if self.store.outbox_recover() > 0 {
            self.count("an effect was left behind");
        }
    }

    /// Time passes. A host that is well keeps what it has meanwhile.
    fn passes(&mut self, ms: i64) -> Checked {
        let to = later(self.store.now, ms);
        for _ in 0..2_000 {
            let mut next: Option<(Timestamp, usize, usize, bool)> = None;
            for (number, host) in self.hosts.iter().enumerate().filter(|(_, host)| host.works()) {
                let hands = host.hands.iter().enumerate().map(|(place, hand)| {
                    let time = match &hand.stage {
                        Stage::Calling { ends, .. } if self.store.has(Bug::LeaseNotRenewed) => {
                            *ends
                        }
                        Stage::Calling { ends, .. } => {
                            later(hand.held.lease_until, -LEASE_MS / 2).min(*ends)
                        }
                        _ => later(hand.held.lease_until, -LEASE_MS / 4),
                    };
                    (time, number, place, true)
                });
                let sends = host.sending.iter().enumerate().map(|(place, sending)| {
                    (later(sending.until, -LEASE_MS / 4), number, place, false)
                });
                next = next.into_iter().chain(hands).chain(sends).min();
            }
            let Some((time, host, place, is_run)) = next.filter(|(time, ..)| *time <= to) else {
                break;
            };
            self.clock(self.store.now.max(time));
            if is_run {
                self.step(host, place)?;
            } else {
                self.send(host, place)?;
            }
        }
        self.clock(self.store.now.max(to));
        Ok(())
    }

    fn clock(&mut self, now: Timestamp) {
        self.store.now = now;
        self.truth.shows(now);
    }

    /// Somebody outside does something.
    fn outside(&mut self) -> Checked {
        if self.store.events.len() > 60 {
            return Ok(());
        }
        match self.draw.below(9) {
            0 if self.store.runs.len() < 4 => self.emit(STARTS),
            0 | 1 => {
                let active: Vec<RunId> = self.active();
                if active.is_empty() {
                    return Ok(());
                }
                let id = *self.draw.pick(&active);
                if self.draw.one_in(3) {
                    let why = format!("enough, said at {}", self.store.now);
                    tell!(self, "somebody wishes for the end of {id}");
                    self.wish(id, &why)?;
                }
            }
            2 => {
                let change = format!("{TICKET} first_reply_at=2026-03-28 10:00");
                self.change(&change);
            }
            3 | 4 => {
                let status = *self.draw.pick(&STATUSES);
                self.change(&format!("{TICKET} status={status}"));
            }
            5 if !self.messages.is_empty() => {
                let message = self.draw.pick(&self.messages).clone();
                self.happens("mail.clicked", Some(message));
            }
            6 => self.emit("order.paid"),
            7 => self.resolves(),
            _ => self.emit("survey.answered"),
        }
        Ok(())
    }

    fn active(&self) -> Vec<RunId> {
        let active = self.store.runs.iter().filter(|(_, row)| !row.run.has_ended());
        active.map(|(id, _)| *id).collect()
    }

    fn wish(&mut self, id: RunId, why: &str) -> Checked {
        if self.store.cancel(id, why) {
            self.count("somebody wishes for an end");
            self.truth.asked(id, why);
        }
        self.truth.check(id, &self.store)
    }

    /// A person has looked what became of an effect that is unknown.
    fn resolves(&mut self) {
        let unknown = |effect: &store::Effect| effect.status == EffectStatus::Unknown;
        let found = self.store.outbox.iter().find(|(_, effect)| unknown(effect));
        let Some(id) = found.map(|(id, _)| id.clone()) else { return };
        let again = self.draw.one_in(2);
        self.count("a person resolves an effect");
        if again {
            self.truth.resolves(&id);
        }
        self.store.outbox_resolve(&id, again);
    }

    fn emit(&mut self, name: &str) {
        self.happens(name, None);
    }

    fn happens(&mut self, name: &str, key: Option<String>) {
        let about = if key.is_some() { Vec::new() } else { vec![TICKET.parse().unwrap()] };
        let kind = HappeningKind::Named { name: name.to_owned(), key, about, data: Value::Nothing };
        let id = self.store.emit(kind, None);
        tell!(self, "{name} happens, as {id}");
    }

    fn change(&mut self, written: &str) {
        let change = self.store.world.change(written);
        let id = self.store.emit(HappeningKind::Change(change), None);
        tell!(self, "{written}, as {id}");
    }

    /// Something goes wrong.
    fn fault(&mut self) {
        let mut host = usize::try_from(self.draw.below(self.hosts.len() as u64)).unwrap();
        if self.draw.one_in(2) {
            // One that has something to lose.
            let busy = |host: &&Host| host.works() && host.hands.len() + host.sending.len() > 0;
            let busy = self.hosts.iter().rposition(|host| busy(&host));
            host = busy.unwrap_or(host);
        }
        match self.draw.below(8) {
            0 | 1 if self.hosts[host].works() => {
                self.count("a host is killed");
                self.goes_down(host);
            }
            0..4 if self.hosts[host].down => {
                tell!(self, "host {host} comes up");
                self.hosts[host].down = false;
                if self.hosts.len() == 1 || self.store.has(Bug::OthersReleased) {
                    self.count("the only host releases what it had");
                    self.store.release_all();
                }
            }
            2 | 3 if self.hosts[host].stopped => {
                tell!(self, "host {host} goes on");
                self.hosts[host].stopped = false;
            }
            2 => {
                self.count("a host stands still");
                tell!(self, "host {host} stands still");
                self.hosts[host].stopped = true;
                self.hosts[host].troubled();
            }
            4 if self.draw.one_in(4) => {
                self.count("the database's clock jumps");
                let jump = ten_minutes(&mut self.draw);
                self.set_back |= jump < 0;
                self.clock(later(self.store.now, jump));
                tell!(self, "the clock has jumped by {jump} ms");
                self.hosts.iter_mut().for_each(Host::troubled);
            }
            5 => self.hosts[host].skew_ms = ten_minutes(&mut self.draw),
            6 => {
                // The connection breaks: what was read and not written is lost.
                self.hosts[host].matching.clear();
            }
            _ => {}
        }
    }

    fn goes_down(&mut self, host: usize) {
        tell!(self, "host {host} goes down");
        let life = self.hosts[host].life + 1;
        let skew_ms = self.hosts[host].skew_ms;
        for hand in std::mem::take(&mut self.hosts[host].hands) {
            self.count(hand.stage.name());
        }
        self.hosts[host] = Host { down: true, life, skew_ms, ..Host::default() };
    }

    /// All that is left is done, until every run has ended.
    fn ends(&mut self) -> Checked {
        self.store.next_fire = None;
        for host in &mut self.hosts {
            (host.down, host.stopped) = (false, false);
        }
        for _ in 0..20_000 {
            self.settles()?;
            let runs = self.store.runs.values().filter_map(|row| row.due_at);
            let effects = self.store.outbox.values().filter_map(|effect| match effect.status {
                EffectStatus::Due(at) | EffectStatus::Sending(at) => Some(at),
                _ => None,
            });
            let calls =
                self.hosts.iter().flat_map(|host| &host.hands).map(|hand| match hand.stage {
                    Stage::Calling { ends, .. } => ends,
                    _ => self.store.now,
                });
            // What is due now waits for a host that has a hand free.
            let now = self.store.now;
            match runs.chain(effects).chain(calls).filter(|time| *time > now).min() {
                Some(next) => {
                    self.passes(next.as_millisecond() - now.as_millisecond())?;
                }
                None => {
                    let active = self.active();
                    if active.is_empty() {
                        return Ok(());
                    }
                    for id in active {
                        tell!(self, "the end of time for {id}");
                        self.wish(id, "the end of time")?;
                    }
                }
            }
        }
        Err("it never ends: something is due, and nothing comes of it".to_owned())
    }

    /// Everything is done that is due now.
    fn settles(&mut self) -> Checked {
        for _ in 0..10_000 {
            let mut moved = false;
            self.recovers();
            for host in 0..self.hosts.len() {
                moved |= self.matches(host)?;
                moved |= self.claim(host)? > 0;
                for place in (0..self.hosts[host].hands.len()).rev() {
                    moved |= self.step(host, place)?;
                }
                moved |= self.take_effects(host) > 0;
                for place in (0..self.hosts[host].sending.len()).rev() {
                    self.send(host, place)?;
                    moved = true;
                }
            }
            if !moved {
                return self.rests();
            }
        }
        Err("work begets work: something is due, and nothing comes of it".to_owned())
    }

    /// What holds when nothing is left to do at this time.
    fn rests(&self) -> Checked {
        if self.store.events.iter().any(|event| event.pending) {
            return Err("an event was never looked at".to_owned());
        }
        let free = self.hosts.iter().any(|host| host.hands.len() < MOST_HANDS);
        for (id, row) in &self.store.runs {
            self.truth.check(*id, &self.store)?;
            if free && row.owner.is_none() && row.due_at.is_some_and(|due| due <= self.store.now) {
                return Err(format!("{id} is due, and nobody claims it"));
            }
        }
        Ok(())
    }

    /// The journal of every run makes the run, and says nothing impossible.
    fn journals(&self) {
        for row in self.store.runs.values() {
            let def = &self.store.workflows[row.workflow];
            assert_eq!(row.run.seq, row.journal.len() as u64, "the journal has gaps");
            let replayed = Run::replay(def, row.start.clone(), &row.journal);
            assert!(replayed == row.run, "the journal of {} makes another run", row.run.id);
            sound(def, &row.run);
            judge(def, &row.journal, &self.store.world, self.set_back);
        }
    }
}

/// Up to ten minutes, forwards or back.
fn ten_minutes(draw: &mut Draw) -> i64 {
    i64::try_from(draw.below(1_200_001)).unwrap() - 600_000
}

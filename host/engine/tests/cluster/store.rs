//! What the store promises, as tables in memory: each method is one
//! transaction, and what it guards is what the SQL guards.

use std::collections::{BTreeMap, BTreeSet};

use relata_engine::{ChildCall, Event, Happening, HappeningKind, Run, Start, Watch, watches};
use relata_model::{EventId, RunId, Timestamp};
use relata_workflow::Definition;

use super::Bug;
use crate::rig::{World, later, started};

/// How long a run is a host's, and how long an effect.
pub(crate) const LEASE_MS: i64 = 60_000;

/// After how many calls in a row that nothing came of a run is given up.
pub(crate) const MOST_CRASHES: u32 = 5;

/// How often the schedule fires.
pub(crate) const GRID_MS: i64 = 6 * 3_600_000;

/// A host, as it is since it came up last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) host: usize,
    pub(crate) life: u32,
}

/// A row of the runs.
pub(crate) struct Row {
    /// Which of the workflows.
    pub(crate) workflow: usize,
    pub(crate) start: Start,
    pub(crate) run: Run,
    pub(crate) journal: Vec<Event>,
    pub(crate) due_at: Option<Timestamp>,
    pub(crate) owner: Option<Who>,
    pub(crate) epoch: u64,
    pub(crate) crash_count: u32,
    pub(crate) cancel: Option<String>,
    /// Whether anybody ever asked for its end.
    pub(crate) asked: bool,
    pub(crate) watches: BTreeSet<Watch>,
    pub(crate) inbox: Vec<Told>,
}

/// A row of the inbox.
pub(crate) struct Told {
    pub(crate) happening: Happening,
    pub(crate) taken: bool,
}

/// A row of the event log; its place is its sequence.
pub(crate) struct Logged {
    pub(crate) happening: Happening,
    pub(crate) pending: bool,
}

/// A row of the outbox.
pub(crate) struct Effect {
    pub(crate) status: EffectStatus,
    pub(crate) attempts: u32,
    /// Whether the receiver takes the same effect only once.
    pub(crate) once: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EffectStatus {
    Due(Timestamp),
    /// Being sent, by a host that has it until then.
    Sending(Timestamp),
    Sent,
    Unknown,
    Failed,
    Suppressed,
}

/// A run that a host has for a while.
pub(crate) struct Claimed {
    pub(crate) id: RunId,
    pub(crate) workflow: usize,
    pub(crate) run: Run,
    pub(crate) epoch: u64,
    pub(crate) due_at: Timestamp,
    pub(crate) lease_until: Timestamp,
    pub(crate) crash_count: u32,
    pub(crate) came: Came,
}

/// What came for a run.
#[derive(Default)]
pub(crate) struct Came {
    pub(crate) inbox: Vec<Happening>,
    pub(crate) cancel: Option<String>,
}

/// The next state of a run, and all that goes with it.
pub(crate) struct Commit {
    pub(crate) id: RunId,
    pub(crate) epoch: u64,
    pub(crate) seq_before: u64,
    pub(crate) run: Run,
    pub(crate) events: Vec<Event>,
    pub(crate) until: Option<Timestamp>,
    /// The host goes on with it.
    pub(crate) keep: bool,
    pub(crate) consumed: Vec<EventId>,
    pub(crate) cancel_taken: Option<String>,
    /// How long the event log was when its facts were read.
    pub(crate) seen: usize,
    /// The records that the step's call wrote.
    pub(crate) written: Option<Written>,
    /// The effect that it wants.
    pub(crate) effect: Option<NewEffect>,
    pub(crate) child: Option<ChildCall>,
}

/// What a call wrote: a record by its key, and perhaps a change of the ticket.
#[derive(Clone)]
pub(crate) struct Written {
    pub(crate) key: String,
    pub(crate) change: Option<String>,
}

#[derive(Clone)]
pub(crate) struct NewEffect {
    pub(crate) id: String,
    pub(crate) once: bool,
}

/// What a commit came to.
#[derive(Default)]
pub(crate) struct Committed {
    pub(crate) came: Came,
    /// The runs whose end is wished for from now on, and how.
    pub(crate) asked: Vec<(RunId, String)>,
}

pub(crate) struct Store {
    /// The database's clock.
    pub(crate) now: Timestamp,
    pub(crate) workflows: Vec<Definition>,
    pub(crate) world: World,
    pub(crate) runs: BTreeMap<RunId, Row>,
    pub(crate) events: Vec<Logged>,
    pub(crate) outbox: BTreeMap<String, Effect>,
    /// How often each record was written, by the key of the call.
    pub(crate) records: BTreeMap<String, u32>,
    /// When the schedule fires next.
    pub(crate) next_fire: Option<Timestamp>,
    pub(crate) fired: BTreeSet<Timestamp>,
    pub(crate) bug: Option<Bug>,
    ids: u128,
}

impl Store {
    pub(crate) fn new(
        workflows: Vec<Definition>,
        world: World,
        now: Timestamp,
        bug: Option<Bug>,
    ) -> Self {
        Self {
            now,
            workflows,
            world,
            runs: BTreeMap::new(),
            events: Vec::new(),
            outbox: BTreeMap::new(),
            records: BTreeMap::new(),
            next_fire: None,
            fired: BTreeSet::new(),
            bug,
            ids: 0,
        }
    }

    pub(crate) fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn id(&mut self) -> uuid::Uuid {
        self.ids += 1;
        uuid::Uuid::from_u128(self.ids)
    }

    // Runs.

    pub(crate) fn run_begin(&mut self, workflow: usize, start: Start) {
        let def = &self.workflows[workflow];
        let (run, journal) = Run::start(def, start.clone());
        let row = Row {
            workflow,
            watches: watches(def, &run),
            due_at: Some(self.now),
            owner: None,
            epoch: 0,
            crash_count: 0,
            cancel: None,
            asked: false,
            inbox: Vec::new(),
            start,
            run,
            journal,
        };
        let former = self.runs.insert(row.run.id, row);
        assert!(former.is_none(), "two runs have one id");
    }

    fn start(&mut self, happening: Option<Happening>) -> RunId {
        let id = RunId::from_uuid(self.id());
        let start = Start {
            id,
            subject: Some(super::TICKET.parse().expect("a reference")),
            happening,
            ..started(self.now)
        };
        self.run_begin(0, start);
        id
    }

    /// Takes the runs that are due, longest due first.
    pub(crate) fn claim(&mut self, who: Who, most: usize) -> Vec<Claimed> {
        let now = self.now;
        let soon = if self.has(Bug::TimerEarly) { later(now, LEASE_MS) } else { now };
        let horizon = |row: &Row| if row.owner.is_none() { soon } else { now };
        let forever = self.has(Bug::LeaseForEver);
        let mut due: Vec<(Timestamp, RunId)> = self
            .runs
            .iter()
            .filter(|(_, row)| !(forever && row.owner.is_some()))
            .filter_map(|(id, row)| {
                row.due_at.filter(|due| *due <= horizon(row)).map(|due| (due, *id))
            })
            .collect();
        due.sort();
        due.truncate(most);
        let until = later(self.now, LEASE_MS);
        let mut claimed = Vec::new();
        for (due_at, id) in due {
            let came = Came { inbox: self.inbox(id), cancel: None };
            let row = self.runs.get_mut(&id).expect("a run that is there");
            row.epoch += 1;
            row.owner = Some(who);
            row.due_at = if forever { None } else { Some(until) };
            claimed.push(Claimed {
                id,
                workflow: row.workflow,
                run: row.run.clone(),
                epoch: row.epoch,
                due_at,
                lease_until: until,
                crash_count: row.crash_count,
                came: Came { cancel: row.cancel.clone(), ..came },
            });
        }
        claimed
    }

    fn inbox(&self, id: RunId) -> Vec<Happening> {
        let twice = self.has(Bug::InboxTwice);
        let told = self.runs[&id].inbox.iter().filter(|told| twice || !told.taken);
        told.map(|told| told.happening.clone()).collect()
    }

    /// `WHERE id = ? AND epoch = ? AND lease_owner IS NOT NULL`, and for a
    /// commit `AND seq = ? AND status = 'active'`.
    fn guarded(&mut self, id: RunId, epoch: u64, seq: Option<u64>) -> Option<&mut Row> {
        let fenced = !self.has(Bug::FenceRemoved);
        let row = self.runs.get_mut(&id).expect("a run that is there");
        if row.run.has_ended() {
            return None;
        }
        let guards =
            row.epoch == epoch && row.owner.is_some() && seq.is_none_or(|seq| row.run.seq == seq);
        (guards || !fenced).then_some(row)
    }

    /// What the only host does when it comes up: whoever had a run is dead.
    pub(crate) fn release_all(&mut self) {
        for row in self.runs.values_mut().filter(|row| row.owner.is_some()) {
            row.epoch += 1;
            row.owner = None;
            row.due_at = Some(self.now);
        }
        for effect in self.outbox.values_mut() {
            if let EffectStatus::Sending(until) = &mut effect.status {
                *until = self.now;
            }
        }
        self.outbox_recover();
    }

    /// Keeps a run for longer; none where it is somebody else's by now.
    /// Yields the wish for its end.
    pub(crate) fn keep(&mut self, id: RunId, epoch: u64, begins: bool) -> Option<Option<String>> {
        let until = later(self.now, LEASE_MS);
        let lost = self.has(Bug::CancelLost) && !begins;
        let row = self.guarded(id, epoch, None)?;
        row.due_at = Some(until);
        row.crash_count += u32::from(begins);
        Some(if lost { row.cancel.take() } else { row.cancel.clone() })
    }

    /// Makes a run's next state last; none where it is somebody else's by now.
    pub(crate) fn commit(&mut self, commit: &Commit) -> Option<Committed> {
        let (now, id) = (self.now, commit.id);
        let until = later(now, LEASE_MS);
        let parts_outbox = self.has(Bug::OutboxApart);
        let parts_child = self.has(Bug::ChildApart);
        let row = self.guarded(id, commit.epoch, Some(commit.seq_before))?;
        row.run = commit.run.clone();
        row.journal.extend(commit.events.iter().cloned());
        if commit.cancel_taken.is_some() && row.cancel == commit.cancel_taken {
            row.cancel = None;
        }
        let ended = row.run.has_ended();
        let kept = commit.keep && !ended;
        row.crash_count = u32::from(kept);
        if !kept {
            row.owner = None;
        }
        row.due_at = match (ended, kept) {
            (true, _) => None,
            (_, true) => Some(until),
            _ => commit.until,
        };
        for told in &mut row.inbox {
            told.taken |= commit.consumed.contains(&told.happening.id);
        }
        let workflow = row.workflow;
        if ended {
            row.watches.clear();
            row.inbox.clear();
        } else {
            let listens = watches(&self.workflows[workflow], &commit.run);
            self.listen(id, listens, commit.seen);
        }
        if let Some(written) = &commit.written {
            *self.records.entry(written.key.clone()).or_default() += 1;
            if let Some(change) = &written.change {
                let change = self.world.change(change);
                self.emit(HappeningKind::Change(change), Some(id));
            }
        }
        if let Some(effect) = commit.effect.as_ref().filter(|_| !parts_outbox) {
            self.outbox_put(effect);
        }
        if let Some(child) = commit.child.as_ref().filter(|_| !parts_child) {
            self.child_begin(child);
        }
        let asked = self.cancel_children(id);
        if ended {
            self.tell_parent(id);
        }
        let mut committed = Committed { came: Came::default(), asked };
        if !ended {
            committed.came = Came { inbox: self.inbox(id), cancel: self.runs[&id].cancel.clone() };
            let row = &self.runs[&id];
            let told = row.inbox.iter().any(|told| !told.taken) || row.cancel.is_some();
            if !kept && told {
                self.wake(id);
            }
        }
        Some(committed)
    }

    /// Sets what a run listens for. What happened and was told to others after
    /// its facts were read, it would miss: it is told that now.
    fn listen(&mut self, id: RunId, listens: BTreeSet<Watch>, seen: usize) {
        if !self.has(Bug::ListenedTooLate) {
            let missed: Vec<Happening> = self.events[seen..]
                .iter()
                .filter(|event| !event.pending)
                .filter(|event| event.happening.topics().iter().any(|it| listens.contains(it)))
                .map(|event| event.happening.clone())
                .collect();
            for happening in missed {
                self.deliver(id, &happening);
            }
        }
        self.runs.get_mut(&id).expect("a run that is there").watches = listens;
    }

    pub(crate) fn child_begin(&mut self, call: &ChildCall) {
        let start = Start {
            id: call.child,
            subject: Some(super::TICKET.parse().expect("a reference")),
            parent: Some(call.parent),
            ..started(self.now)
        };
        self.run_begin(1, start);
    }

    fn cancel_children(&mut self, parent: RunId) -> Vec<(RunId, String)> {
        let wanted = self.runs[&parent].run.children();
        let unwanted: Vec<RunId> = self
            .runs
            .iter()
            .filter(|(id, row)| {
                row.run.parent == Some(parent)
                    && !row.run.has_ended()
                    && !row.asked
                    && !wanted.contains(id)
            })
            .map(|(id, _)| *id)
            .collect();
        let why = format!("{parent} no longer waits for it");
        for id in &unwanted {
            self.cancel(*id, &why);
        }
        unwanted.into_iter().map(|id| (id, why.clone())).collect()
    }

    fn tell_parent(&mut self, id: RunId) {
        let run = &self.runs[&id].run;
        let Some(kind) = run.told() else { return };
        let happening = Happening {
            id: EventId::from_uuid(id.as_uuid()),
            at: self.now,
            kind,
            run: Some(id),
            workflow: Some(run.workflow.clone()),
            depth: run.state.depth(),
        };
        for parent in self.listening(&happening) {
            self.deliver(parent, &happening);
        }
    }

    /// Asks for a run's end; false where it has ended.
    pub(crate) fn cancel(&mut self, id: RunId, why: &str) -> bool {
        let row = self.runs.get_mut(&id).expect("a run that is there");
        if row.run.has_ended() {
            return false;
        }
        row.cancel = Some(why.to_owned());
        row.asked = true;
        self.wake(id);
        true
    }

    /// Lets a run be looked at now, unless a host has it.
    fn wake(&mut self, id: RunId) {
        let now = self.now;
        let row = self.runs.get_mut(&id).expect("a run that is there");
        if row.owner.is_none() && !row.run.has_ended() {
            row.due_at = Some(row.due_at.map_or(now, |due| due.min(now)));
        }
    }

    fn listening(&self, happening: &Happening) -> Vec<RunId> {
        let topics = happening.topics();
        let listens = |row: &Row| topics.iter().any(|topic| row.watches.contains(topic));
        self.runs.iter().filter(|(_, row)| listens(row)).map(|(id, _)| *id).collect()
    }

    fn deliver(&mut self, id: RunId, happening: &Happening) {
        let row = self.runs.get_mut(&id).expect("a run that is there");
        let known = row.inbox.iter().any(|told| told.happening.id == happening.id);
        if known || row.run.has_ended() {
            return;
        }
        row.inbox.push(Told { happening: happening.clone(), taken: false });
        self.wake(id);
    }

    // Events.

    /// Writes an event to the log.
    pub(crate) fn emit(&mut self, kind: HappeningKind, run: Option<RunId>) -> EventId {
        let happening = Happening {
            id: EventId::from_uuid(self.id()),
            at: self.now,
            kind,
            run,
            workflow: run.map(|_| "simulated".to_owned()),
            depth: u32::from(run.is_some()),
        };
        let id = happening.id;
        self.events.push(Logged { happening, pending: true });
        id
    }

    /// The places of events that nobody has looked at.
    pub(crate) fn pending(&self, most: usize) -> Vec<usize> {
        let events = self.events.iter().enumerate();
        events.filter(|(_, event)| event.pending).map(|(place, _)| place).take(most).collect()
    }

    /// Tells an event to those that listen, and starts what it starts: the run
    /// that began.
    pub(crate) fn settle(&mut self, place: usize) -> Option<RunId> {
        let event = &mut self.events[place];
        let first = std::mem::replace(&mut event.pending, false);
        if !first && self.bug != Some(Bug::StartedTwice) {
            return None;
        }
        let happening = event.happening.clone();
        for run in self.listening(&happening) {
            self.deliver(run, &happening);
        }
        match &happening.kind {
            HappeningKind::Named { name, .. } if name == super::STARTS => {
                Some(self.start(Some(happening)))
            }
            _ => None,
        }
    }

    /// Fires the schedule, if it is due: the time that it fired for, and the
    /// run that began.
    pub(crate) fn fire(&mut self) -> Option<(Timestamp, RunId)> {
        let nominal = self.next_fire.filter(|next| *next <= self.now)?;
        // What was missed is not made up for.
        let mut next = nominal;
        while next <= self.now {
            next = later(next, GRID_MS);
        }
        self.next_fire = Some(next);
        self.fired.insert(nominal).then(|| (nominal, self.start(None)))
    }

    // The outbox.

    pub(crate) fn outbox_put(&mut self, effect: &NewEffect) {
        let row = Effect { status: EffectStatus::Due(self.now), attempts: 0, once: effect.once };
        self.outbox.entry(effect.id.clone()).or_insert(row);
    }

    /// Takes effects that are due, and marks them as being sent: id and
    /// attempt.
    pub(crate) fn outbox_claim(&mut self, most: usize) -> Vec<(String, u32)> {
        let (now, until) = (self.now, later(self.now, LEASE_MS));
        let due = |effect: &Effect| matches!(effect.status, EffectStatus::Due(at) if at <= now);
        let effects = self.outbox.iter_mut().filter(|(_, effect)| due(effect)).take(most);
        effects
            .map(|(id, effect)| {
                effect.status = EffectStatus::Sending(until);
                effect.attempts += 1;
                (id.clone(), effect.attempts)
            })
            .collect()
    }

    /// Says what became of an attempt; false where it is not the present one.
    pub(crate) fn outbox_settle(&mut self, id: &str, attempt: u32, status: EffectStatus) -> bool {
        let effect = self.outbox.get_mut(id).expect("an effect that is there");
        let present =
            effect.attempts == attempt && matches!(effect.status, EffectStatus::Sending(_));
        if present {
            effect.status = status;
        }
        present
    }

    /// What hosts left half done: due again where the receiver takes it only
    /// once, else unknown. How many there were.
    pub(crate) fn outbox_recover(&mut self) -> usize {
        let now = self.now;
        let repeats = self.has(Bug::UnknownRepeated);
        let mut count = 0;
        for effect in self.outbox.values_mut() {
            if matches!(effect.status, EffectStatus::Sending(until) if until <= now) {
                let again = effect.once || repeats;
                effect.status = if again { EffectStatus::Due(now) } else { EffectStatus::Unknown };
                count += 1;
            }
        }
        count
    }

    /// A person has looked whether it arrived.
    pub(crate) fn outbox_resolve(&mut self, id: &str, again: bool) {
        let now = self.now;
        let effect = self.outbox.get_mut(id).expect("an effect that is there");
        if effect.status == EffectStatus::Unknown {
            effect.status = if again { EffectStatus::Due(now) } else { EffectStatus::Suppressed };
        }
    }
}

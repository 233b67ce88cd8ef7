//! One version of a workflow over the event log, in memory: which runs it
//! starts, what they do, and what that means for those that come after.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use relata_engine::{Happening, HappeningKind, Watch};
use relata_model::{EventId, Fields, Objects, Reference, RunId, Timestamp};
use relata_store::LoggedEvent;
use relata_workflow::{Definition, Trigger, next_fire};
use uuid::Uuid;

use crate::{
    App, AppError,
    backtest::{
        answers::Answers, enrolment::Enrolments, knowledge::Knowledge, messages::Outgoing,
        moving::Moving, recorded::Used, report::Figures, starting::Considered, starting::Decided,
        tally::Tally, world::Applied,
    },
    triggers::{main_record, may_match},
};

const OTHERWISE: &str = "somebody changed a record that is otherwise here than it was";
const NOBODY: &str = "something happened to a record that only the live version made; left out";
const IN_ANSWER: &str = "another workflow answered a run; it is taken to do so here as well";

/// One version of a workflow over the event log.
pub(crate) struct Replay {
    pub(super) definition: Arc<Definition>,
    /// The workflows that it, or one of them, may start with `run:`.
    pub(super) others: Arc<HashMap<String, Arc<Definition>>>,
    pub(super) objects: Arc<Objects>,
    pub(super) knowledge: Box<Knowledge>,
    /// Who is in which of these workflows.
    pub(super) enrolments: BTreeMap<String, Enrolments>,
    pub(super) runs: HashMap<RunId, Moving>,
    /// Which runs listen for what.
    pub(super) listening: HashMap<Watch, BTreeSet<RunId>>,
    /// When runs are to be woken.
    pub(super) due: BTreeSet<(Timestamp, RunId)>,
    /// When schedules fire next, by trigger.
    fires: BTreeSet<(Timestamp, usize)>,
    /// What has happened and is not offered yet.
    pub(super) pending: VecDeque<Offered>,
    /// Runs that have something to do now.
    pub(super) ready: BTreeSet<RunId>,
    pub(super) used: Used,
    pub(super) outgoing: Outgoing,
    pub(super) tally: Tally,
    pub(super) now: Timestamp,
    drawn: u64,
    /// What was decided since the driver last looked.
    decisions: BTreeMap<Cause, Decision>,
    /// How runs ended, by what started them.
    pub(super) ended: BTreeMap<Cause, Decision>,
}

/// What started a run, or did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    /// An entry of the event log.
    Event(EventId),
    /// A fire of a schedule, by trigger.
    Fire(Timestamp, usize),
}

/// What became of a cause, in a word or a reason, and the record it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) what: String,
    pub(crate) record: Option<Reference>,
}

/// Something that happened, and whether it is an entry of the log.
pub(super) struct Offered {
    pub(super) happening: Happening,
    pub(super) logged: bool,
}

impl Replay {
    /// A replay from a time on, whose first entry of the log is `place`.
    pub(crate) async fn new(
        app: &App,
        definition: Arc<Definition>,
        others: Arc<HashMap<String, Arc<Definition>>>,
        from: Timestamp,
        place: u64,
    ) -> Result<Self, AppError> {
        let mut enrolments = BTreeMap::new();
        for enrolled in others.values().chain([&definition]) {
            if let Some(repeat) = &enrolled.repeat {
                let read = Enrolments::read(app, enrolled, repeat, from).await?;
                enrolments.insert(enrolled.name.clone(), read);
            }
        }
        let mut fires = BTreeSet::new();
        let before = from.checked_sub(std::time::Duration::from_millis(1)).unwrap_or(from);
        for (number, trigger) in definition.triggers.iter().enumerate() {
            if let Trigger::Schedule(schedule) = trigger
                && let Some(at) = next_fire(schedule, before)
            {
                fires.insert((at, number));
            }
        }
        Ok(Self {
            tally: Tally::new(&definition, app.zone()),
            definition,
            others,
            objects: Arc::clone(&app.inner.objects),
            knowledge: Box::new(Knowledge::new(app.clone(), place)),
            enrolments,
            runs: HashMap::new(),
            listening: HashMap::new(),
            due: BTreeSet::new(),
            fires,
            pending: VecDeque::new(),
            ready: BTreeSet::new(),
            used: Used::new(),
            outgoing: Outgoing::default(),
            now: from,
            drawn: 0,
            decisions: BTreeMap::new(),
            ended: BTreeMap::new(),
        })
    }

    /// How many entries of the log could have started it so far.
    pub(crate) const fn offered(&self) -> u64 {
        self.tally.offered
    }

    /// What was decided since this was asked last, by cause.
    pub(crate) fn take_decisions(&mut self) -> BTreeMap<Cause, Decision> {
        std::mem::take(&mut self.decisions)
    }

    /// How runs ended since this was asked last, by what started them.
    pub(crate) fn take_ended(&mut self) -> BTreeMap<Cause, Decision> {
        std::mem::take(&mut self.ended)
    }

    /// One entry of the log. `own` is one that the live version's runs made.
    pub(crate) async fn event(
        &mut self,
        logged: &LoggedEvent,
        own: bool,
        answers: &mut Answers,
    ) -> Result<(), AppError> {
        self.knowledge.place = logged.seq;
        self.run_until(logged.happening.at, answers).await?;
        self.knowledge.place = logged.seq + 1;
        if own {
            if let HappeningKind::Change(change) = &logged.happening.kind {
                self.knowledge.world.pass_over(change);
            }
            return Ok(());
        }
        let mut changed = None;
        match &logged.happening.kind {
            HappeningKind::Change(change) => match self.knowledge.world.apply(change) {
                Applied::AsLogged => {}
                Applied::Otherwise(otherwise) => {
                    self.tally.assumption(OTHERWISE);
                    changed = Some(otherwise);
                }
                Applied::Moot => return Ok(()),
                Applied::NoRecord => {
                    self.tally.assumption(NOBODY);
                    return Ok(());
                }
            },
            HappeningKind::Named { about, .. } => {
                if about.first().is_some_and(|main| self.knowledge.world.is_not_made(main)) {
                    self.tally.assumption(NOBODY);
                    return Ok(());
                }
            }
        }
        if !self.concerns(&logged.happening) {
            return Ok(());
        }
        if logged.happening.depth > 1 {
            self.tally.assumption(IN_ANSWER);
        }
        let mut happening = logged.happening.clone();
        if let Some(changed) = changed {
            happening.kind = HappeningKind::Change(changed);
        }
        self.pending.push_back(Offered { happening, logged: true });
        self.settle(answers).await
    }

    /// Does what falls due up to a time, each at its own moment.
    async fn run_until(&mut self, until: Timestamp, answers: &mut Answers) -> Result<(), AppError> {
        loop {
            let next = [self.due.first().map(|(at, _)| *at), self.fires.first().map(|(at, _)| *at)];
            let ends = self.enrolments.values().filter_map(Enrolments::next_end);
            let next = next.into_iter().flatten().chain(ends).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            while let Some((at, number)) = self.fires.first().copied().filter(|(at, _)| *at <= next)
            {
                self.fires.pop_first();
                self.fire(at, number);
            }
            let mut freed = Vec::new();
            for (workflow, enrolments) in &mut self.enrolments {
                let keys = enrolments.end_former(next).into_iter();
                freed.extend(keys.map(|key| (workflow.clone(), key)));
            }
            for (workflow, key) in freed {
                self.release(&workflow, &key).await?;
            }
            while let Some((at, run)) = self.due.first().copied().filter(|(at, _)| *at <= next) {
                self.due.remove(&(at, run));
                if let Some(moving) = self.runs.get_mut(&run) {
                    moving.due = None;
                }
                self.ready.insert(run);
            }
            self.settle(answers).await?;
        }
        self.now = self.now.max(until);
        Ok(())
    }

    /// The end of the time: what falls due until then is done, and what is
    /// still on its way is counted as that.
    pub(crate) async fn close(
        &mut self,
        to: Timestamp,
        answers: &mut Answers,
    ) -> Result<(), AppError> {
        self.run_until(to, answers).await?;
        for moving in std::mem::take(&mut self.runs).into_values() {
            self.count_end(&moving, "under way at the end");
        }
        Ok(())
    }

    /// The figures.
    pub(crate) fn finish(self, from: Timestamp) -> Figures {
        self.tally.finish(&self.definition, from, self.now)
    }

    /// A fire of a schedule starts a run, whatever the enrolment says.
    fn fire(&mut self, at: Timestamp, number: usize) {
        if let Some(Trigger::Schedule(schedule)) = self.definition.triggers.get(number)
            && let Some(next) = next_fire(schedule, at)
        {
            self.fires.insert((next, number));
        }
        let cause = Cause::Fire(at, number);
        let start = self.start(None, None, Fields::new(), None);
        self.begin(Arc::clone(&self.definition), start, Some(cause));
        let decision = Decision { what: "started".to_owned(), record: None };
        self.decisions.insert(cause, decision);
    }

    /// Offers what has happened, and moves the runs that have something to
    /// do, until nothing is left at this moment.
    async fn settle(&mut self, answers: &mut Answers) -> Result<(), AppError> {
        loop {
            if let Some(offered) = self.pending.pop_front() {
                self.offer(offered).await?;
            } else if let Some(run) = self.ready.pop_first() {
                self.move_run(run, answers).await?;
            } else {
                return Ok(());
            }
        }
    }

    /// Whether something that happened may matter to the workflow at all.
    fn concerns(&self, happening: &Happening) -> bool {
        self.may_start(happening)
            || happening.topics().iter().any(|topic| self.listening.contains_key(topic))
    }

    /// Whether it may start a run, by the kind of thing that it is.
    fn may_start(&self, happening: &Happening) -> bool {
        let by_hand = match &happening.kind {
            HappeningKind::Named { name, .. } => {
                name.strip_prefix("start:") == Some(&self.definition.name)
            }
            HappeningKind::Change(_) => false,
        };
        by_hand || may_match(&self.definition, &happening.kind)
    }

    /// Tells the runs that listen, and starts one if it is what the workflow
    /// waits for.
    async fn offer(&mut self, offered: Offered) -> Result<(), AppError> {
        let Offered { happening, logged } = offered;
        let told: BTreeSet<RunId> = happening
            .topics()
            .iter()
            .filter_map(|topic| self.listening.get(topic))
            .flatten()
            .copied()
            .collect();
        for run in told {
            if let Some(moving) = self.runs.get_mut(&run) {
                moving.inbox.push(happening.clone());
                self.ready.insert(run);
            }
        }
        if !self.may_start(&happening) {
            return Ok(());
        }
        let facts = self.facts_of(&happening);
        let record = main_record(&happening);
        let decided = match self.consider(&happening, facts).await? {
            Considered::NoMatch => return Ok(()),
            Considered::Starts(starting) => self.take_place(*starting, Some(&happening)),
            Considered::Refused(reason) => Decided::Refused(reason),
        };
        let what = self.told(decided, record.as_ref(), None);
        if logged {
            self.tally.offered += 1;
            let decision = Decision { what, record };
            self.decisions.insert(Cause::Event(happening.id), decision);
        }
        Ok(())
    }

    /// Ids sort as they are drawn, and are the same in every backtest.
    pub(super) fn draw(&mut self) -> Uuid {
        self.drawn += 1;
        let millis = u128::try_from(self.now.as_millisecond()).unwrap_or_default();
        Uuid::from_u128(millis << 80 | u128::from(self.drawn))
    }
}

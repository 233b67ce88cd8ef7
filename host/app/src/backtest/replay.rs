//! One version of a workflow over the event log, in memory: which runs it
//! starts, what they do, and what that means for those that come after.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use relata_engine::{
    Admission, Due, Event, Happening, HappeningKind, Input, Returned, Run, Start, Status, Watch,
    admit, decide, due, watches,
};
use relata_model::{EventId, Fields, Objects, Reference, RunId, Timestamp, Value};
use relata_store::LoggedEvent;
use relata_workflow::{Definition, Facts, StepId, StepKind, Trigger, WhileRunning, next_fire};
use uuid::Uuid;

use crate::{
    App, AppError,
    backtest::{
        answers::{Answer, Answers, Asked, From, Made, is_awaited},
        enrolment::{Enrolments, Place},
        knowledge::Knowledge,
        messages::Outgoing,
        recorded::Used,
        shape::shape,
        tally::{self, Tally},
        world::Applied,
    },
    change_set::Written,
    queue::MOST_WAITING,
    starts::asked_for,
    triggers::{main_record, may_match},
};

/// How often a run may be called, decided or told before that is a loop.
const MOST_MOVES: usize = 1_000_000;

const UNANSWERED: &str = "nobody could answer a message that was never sent";
const OTHERWISE: &str = "somebody changed a record that is otherwise here than it was";
const NOBODY: &str = "something happened to a record that only the live version made; left out";
const IN_ANSWER: &str = "another workflow answered a run; it is taken to do so here as well";

/// One version of a workflow over the event log.
pub(crate) struct Replay {
    pub(crate) definition: Arc<Definition>,
    objects: Arc<Objects>,
    knowledge: Box<Knowledge>,
    enrolments: Enrolments,
    runs: HashMap<RunId, Moving>,
    /// Which runs listen for what.
    listening: HashMap<Watch, BTreeSet<RunId>>,
    /// When runs are to be woken.
    due: BTreeSet<(Timestamp, RunId)>,
    /// When schedules fire next, by trigger.
    fires: BTreeSet<(Timestamp, usize)>,
    /// What has happened and is not offered yet.
    pending: VecDeque<Offered>,
    /// Runs that have something to do now.
    ready: BTreeSet<RunId>,
    used: Used,
    outgoing: Outgoing,
    pub(crate) tally: Tally,
    pub(crate) now: Timestamp,
    drawn: u64,
    /// What was decided since the driver last looked.
    decisions: BTreeMap<Cause, Decision>,
    /// How runs ended, by what started them.
    ended: BTreeMap<Cause, Decision>,
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
struct Offered {
    happening: Happening,
    logged: bool,
}

/// A run on its way.
struct Moving {
    run: Run,
    cause: Option<Cause>,
    due: Option<Timestamp>,
    watches: BTreeSet<Watch>,
    inbox: Vec<Happening>,
    cancel: Option<String>,
    begun: HashSet<(StepId, String)>,
    assumed: bool,
}

impl Replay {
    /// A replay from a time on, whose first entry of the log is `place`.
    pub(crate) async fn new(
        app: &App,
        definition: Arc<Definition>,
        from: Timestamp,
        place: u64,
    ) -> Result<Self, AppError> {
        let enrolments = match &definition.repeat {
            Some(repeat) => Enrolments::read(app, &definition.name, repeat, from).await?,
            None => Enrolments::default(),
        };
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
        let mut happening = logged.happening.clone();
        match &happening.kind {
            HappeningKind::Change(change) => match self.knowledge.world.apply(change) {
                Applied::AsLogged => {}
                Applied::Otherwise(changed) => {
                    self.tally.assumption(OTHERWISE);
                    happening.kind = HappeningKind::Change(changed);
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
        if happening.depth > 1 && self.concerns(&happening) {
            self.tally.assumption(IN_ANSWER);
        }
        self.pending.push_back(Offered { happening, logged: true });
        self.settle(answers).await
    }

    /// Does what falls due up to a time, each at its own moment.
    pub(crate) async fn run_until(
        &mut self,
        until: Timestamp,
        answers: &mut Answers,
    ) -> Result<(), AppError> {
        loop {
            let next = [
                self.due.first().map(|(at, _)| *at),
                self.fires.first().map(|(at, _)| *at),
                self.enrolments.next_end(),
            ];
            let Some(next) = next.into_iter().flatten().min().filter(|next| *next <= until) else {
                break;
            };
            self.now = self.now.max(next);
            while let Some((at, number)) = self.fires.first().copied().filter(|(at, _)| *at <= next)
            {
                self.fires.pop_first();
                self.fire(at, number);
            }
            for key in self.enrolments.end_former(next) {
                self.release(&key, answers).await?;
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

    /// The end of the time: what is still on its way is counted as that.
    pub(crate) fn finish(mut self) -> (Tally, Arc<Definition>) {
        for moving in self.runs.values() {
            self.tally.ended("under way at the end");
            if moving.assumed {
                self.tally.assumed_run();
            }
        }
        for _ in 0..self.enrolments.guessed {
            self.tally.assumption("when a run from before counts for `again_after` is not known");
        }
        (self.tally, self.definition)
    }

    /// A fire of a schedule starts a run, whatever the enrolment says.
    fn fire(&mut self, at: Timestamp, number: usize) {
        if let Some(Trigger::Schedule(schedule)) = self.definition.triggers.get(number)
            && let Some(next) = next_fire(schedule, at)
        {
            self.fires.insert((next, number));
        }
        let start = self.start(None, None, None);
        self.begin(start, Fields::new(), Some(Cause::Fire(at, number)));
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
        may_match(&self.definition, happening)
            || happening.topics().iter().any(|topic| self.listening.contains_key(topic))
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
        let considered = asked_for(&self.definition, &happening);
        if considered.is_none() && !may_match(&self.definition, &happening) {
            return Ok(());
        }
        let considered = considered.unwrap_or_else(|| Arc::clone(&self.definition));
        let facts = self.facts_of(&happening);
        let record = main_record(&happening);
        let what = match self.consider(&considered, &happening, facts).await? {
            Considered::NoMatch => return Ok(()),
            Considered::Starts(starting) => self.take_place(*starting, Some(&happening)),
            Considered::Refused(reason) => Decided::Refused(reason),
        };
        if logged {
            self.tally.offered += 1;
        }
        let what = self.told(what, record.as_ref(), None);
        if logged {
            let decision = Decision { what, record };
            self.decisions.insert(Cause::Event(happening.id), decision);
        }
        Ok(())
    }

    /// Counts what was decided; says it in words.
    fn told(&mut self, what: Decided, record: Option<&Reference>, waited: Option<RunId>) -> String {
        match what {
            Decided::Started => "started".to_owned(),
            Decided::Waits => "waits for a run to end".to_owned(),
            Decided::Refused(reason) => {
                let reason = match waited {
                    Some(former) => format!("it waited for {former} to end, and then: {reason}"),
                    None => reason,
                };
                let subject = self.definition.subject.as_deref();
                let reason = shape(&reason, subject, &self.objects);
                self.tally.not_started(&reason, record);
                reason
            }
        }
    }

    /// Whether something that happened starts a run, but for the place of
    /// `one_per`.
    async fn consider(
        &mut self,
        definition: &Definition,
        happening: &Happening,
        mut facts: Facts,
    ) -> Result<Considered, AppError> {
        let inputs = match self.inputs_of(happening).await? {
            Ok(inputs) => inputs,
            Err(wrong) => return Ok(Considered::Refused(format!("its inputs are wrong: {wrong}"))),
        };
        let now = self.now;
        let asked =
            self.knowledge.ask(&mut facts, now, |facts| admit(definition, happening, facts, now));
        Ok(match asked.await {
            Ok(Admission::NoMatch) => Considered::NoMatch,
            Ok(Admission::Refuse { reason, .. }) => Considered::Refused(reason),
            Ok(Admission::Start { subject, key, blocked_since }) => {
                let start = self.start(subject, key, Some(happening.clone()));
                Considered::Starts(Box::new(Starting { start, inputs, blocked_since }))
            }
            Err(why) if why.is_wrong_input() => Considered::Refused(why.to_string()),
            Err(other) => return Err(other),
        })
    }

    /// Takes the place of `one_per`, and begins the run if it is to be had.
    fn take_place(&mut self, starting: Starting, happening: Option<&Happening>) -> Decided {
        let Starting { start, inputs, blocked_since } = starting;
        let definition = Arc::clone(&self.definition);
        if let (Some(repeat), Some(key)) = (&definition.repeat, &start.key) {
            match self.enrolments.take(repeat, key, start.id, blocked_since, self.now) {
                Place::Taken { replaces } => {
                    if let Some(moving) = replaces.and_then(|former| self.runs.get_mut(&former)) {
                        moving.cancel = Some(format!("{} took its place", start.id));
                        self.ready.insert(moving.run.id);
                    }
                }
                Place::Running(other) => {
                    let waits = repeat.while_running == WhileRunning::Queue;
                    return match happening.filter(|_| waits) {
                        Some(_) if self.enrolments.waiting(key) as u64 >= MOST_WAITING => {
                            Decided::Refused(format!(
                                "{MOST_WAITING} starts wait for the same {key} already"
                            ))
                        }
                        Some(happening) => {
                            self.enrolments.wait(key, happening.clone());
                            Decided::Waits
                        }
                        None => {
                            Decided::Refused(format!("{other} is still running for the same {key}"))
                        }
                    };
                }
                Place::Blocked { run, counted_at } => {
                    let when = if repeat.again_after.is_some() {
                        "again_after has not gone by"
                    } else {
                        "again_after is never"
                    };
                    return Decided::Refused(format!(
                        "{run} was there for the same {key}, counted at {counted_at}: {when}"
                    ));
                }
            }
        }
        let cause = start.happening.as_ref().map(|happening| Cause::Event(happening.id));
        self.begin(start, inputs, cause);
        Decided::Started
    }

    /// A place is free: the first start that waits for it and still may begins.
    async fn release(&mut self, key: &str, _: &mut Answers) -> Result<(), AppError> {
        while let Some(happening) = self.enrolments.next_waiting(key) {
            let considered = asked_for(&self.definition, &happening)
                .unwrap_or_else(|| Arc::clone(&self.definition));
            let facts = self.knowledge.no_facts();
            let record = main_record(&happening);
            let former = self.draw();
            let what = match self.consider(&considered, &happening, facts).await? {
                Considered::NoMatch => continue,
                Considered::Refused(reason) => Decided::Refused(reason),
                Considered::Starts(starting) => self.take_place(*starting, None),
            };
            if let Decided::Refused(reason) = &what
                && reason.contains(" is still running for the same ")
            {
                self.enrolments.wait_on(key, happening);
                return Ok(());
            }
            let started = matches!(what, Decided::Started);
            self.told(what, record.as_ref(), Some(former));
            if started {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The inputs that a run gets of what started it.
    async fn inputs_of(
        &mut self,
        happening: &Happening,
    ) -> Result<Result<Fields, String>, AppError> {
        let definition = Arc::clone(&self.definition);
        if definition.inputs.is_empty() {
            return Ok(Ok(Fields::new()));
        }
        let given = crate::starts::given_by(happening);
        let read = relata_workflow::inputs_from_json(&definition.inputs, &given);
        if let Some(wrong) = read.wrong.first() {
            // The values may be a customer's: the field alone is told.
            return Ok(Err(wrong.field.clone()));
        }
        let mut inputs = Fields::new();
        for (name, value) in read.values {
            let value = match value {
                Value::Reference(reference) => match self.knowledge.record(&reference).await? {
                    Some(record) => Value::Reference(record.reference.clone()),
                    None => return Ok(Err(name)),
                },
                other => other,
            };
            inputs.insert(name, value);
        }
        Ok(Ok(inputs))
    }

    /// The record as the event left it is known before anybody asks.
    fn facts_of(&self, happening: &Happening) -> Facts {
        let mut facts = self.knowledge.no_facts();
        if let HappeningKind::Change(change) = &happening.kind
            && let Some(after) = &change.after
        {
            let record = relata_model::Record {
                reference: change.reference.clone(),
                revision: 0,
                fields: after.clone(),
            };
            facts.records.insert(change.reference.clone(), Some(record));
        }
        facts
    }

    /// Ids sort as they are drawn, and are the same in every backtest.
    fn draw(&mut self) -> RunId {
        self.drawn += 1;
        let millis = u128::try_from(self.now.as_millisecond()).unwrap_or_default();
        RunId::from_uuid(Uuid::from_u128(millis << 80 | u128::from(self.drawn)))
    }

    fn start(
        &mut self,
        subject: Option<Reference>,
        key: Option<String>,
        happening: Option<Happening>,
    ) -> Start {
        let (id, now) = (self.draw(), self.now);
        Start { id, version: "draft".to_owned(), subject, key, happening, now }
    }

    fn begin(&mut self, start: Start, inputs: Fields, cause: Option<Cause>) {
        let (mut run, _) = Run::start(&self.definition, start);
        run.state.variables.extend(inputs);
        self.tally.started();
        let id = run.id;
        let moving = Moving {
            run,
            cause,
            due: None,
            watches: BTreeSet::new(),
            inbox: Vec::new(),
            cancel: None,
            begun: HashSet::new(),
            assumed: false,
        };
        self.runs.insert(id, moving);
        self.listen(id);
        self.ready.insert(id);
    }

    /// Keeps what a run listens for up to date.
    fn listen(&mut self, id: RunId) {
        let Some(moving) = self.runs.get_mut(&id) else { return };
        let wanted = watches(&self.definition, &moving.run);
        for watch in moving.watches.difference(&wanted) {
            if let Some(runs) = self.listening.get_mut(watch) {
                runs.remove(&id);
                if runs.is_empty() {
                    self.listening.remove(watch);
                }
            }
        }
        for watch in wanted.difference(&moving.watches) {
            self.listening.entry(watch.clone()).or_default().insert(id);
        }
        moving.watches = wanted;
    }

    /// Tells a run what has come for it, and moves it until it sleeps or has
    /// ended.
    async fn move_run(&mut self, id: RunId, answers: &mut Answers) -> Result<(), AppError> {
        let Some(mut moving) = self.runs.remove(&id) else { return Ok(()) };
        if let Some(at) = moving.due.take() {
            self.due.remove(&(at, id));
        }
        if let Some(why) = moving.cancel.take() {
            self.advance(&mut moving, Input::Cancel { why }).await?;
        }
        for happening in std::mem::take(&mut moving.inbox) {
            self.advance(&mut moving, Input::Happened(happening)).await?;
        }
        for moves in 0.. {
            if moves > MOST_MOVES {
                return Err(AppError::Fault(format!(
                    "a run of {} moves for ever",
                    moving.run.workflow
                )));
            }
            let (definition, now) = (Arc::clone(&self.definition), self.now);
            let mut facts = self.knowledge.no_facts();
            let owed = self
                .knowledge
                .ask(&mut facts, now, |facts| due(&definition, &moving.run, facts, now));
            match owed.await? {
                Due::Decide => self.advance(&mut moving, Input::Wake).await?,
                Due::Call(call) => {
                    let run = &moving.run;
                    let asked = Asked { definition: &definition, run, call: &call, now };
                    let answer = answers.answer(&asked, &mut self.knowledge, &self.used).await?;
                    self.counted_call(&mut moving, &call, &answer);
                    let returned = Returned {
                        step: call.step,
                        iteration: call.iteration,
                        attempt: call.attempt,
                        result: answer.result.clone(),
                    };
                    self.take_effect(&moving.run, answer).await?;
                    self.advance(&mut moving, Input::Returned(returned)).await?;
                }
                Due::Sleep { until } => {
                    moving.due = until;
                    self.due.extend(until.map(|at| (at, id)));
                    self.runs.insert(id, moving);
                    self.listen(id);
                    return Ok(());
                }
                Due::Ended(_) => break,
            }
        }
        self.runs.insert(id, moving);
        self.end(id, answers).await
    }

    async fn end(&mut self, id: RunId, answers: &mut Answers) -> Result<(), AppError> {
        self.listen(id);
        let Some(moving) = self.runs.remove(&id) else { return Ok(()) };
        if let Status::Ended(outcome) = &moving.run.status {
            let what = tally::outcome(&self.definition, outcome);
            self.tally.ended(&what);
            if let Some(cause) = moving.cause {
                let record = moving.run.subject.clone();
                self.ended.insert(cause, Decision { what, record });
            }
        }
        if moving.assumed {
            self.tally.assumed_run();
        }
        if let Some(key) = &moving.run.key
            && self.enrolments.end(key, id)
        {
            self.release(key, answers).await?;
        }
        Ok(())
    }

    /// Applies one input, and counts what it does.
    async fn advance(&mut self, moving: &mut Moving, input: Input) -> Result<(), AppError> {
        let (definition, now) = (Arc::clone(&self.definition), self.now);
        let mut facts = self.knowledge.no_facts();
        let decided = self.knowledge.ask(&mut facts, now, |facts| {
            decide(&definition, &moving.run, input.clone(), facts, now)
        });
        for event in decided.await? {
            moving.run.apply(&definition, &event);
            self.tally.event(&definition, &event, &mut moving.begun);
            self.count_enrolment(&moving.run, &event);
        }
        Ok(())
    }

    /// Whether the step from which `again_after` counts has just ended.
    fn count_enrolment(&mut self, run: &Run, event: &Event) {
        let Event::StepDone { step, output, .. } = event else { return };
        let from = self.definition.repeat.as_ref().and_then(|repeat| repeat.counted_from.as_ref());
        if from.is_some()
            && self.definition.step(*step).name.as_ref() == from
            && !output.is_nothing()
            && let Some(key) = &run.key
        {
            self.enrolments.count(key, run.id, self.now);
        }
    }

    fn counted_call(&mut self, moving: &mut Moving, call: &relata_engine::Call, answer: &Answer) {
        if matches!(answer.result, Ok(relata_engine::ActionOutcome::Retry { .. })) {
            return;
        }
        self.used.extend(answer.used);
        match answer.from {
            From::Recorded => self.tally.recorded(),
            From::Again => {
                self.tally.made_again();
                let StepKind::Do(step) = &self.definition.step(call.step).kind else { return };
                if answer.result.is_ok() && is_awaited(&self.definition, call, step) {
                    self.tally.assumption(UNANSWERED);
                    moving.assumed = true;
                }
            }
            From::Assumed(why) => {
                self.tally.assumed_call(&call.action, why);
                moving.assumed = true;
            }
        }
    }

    /// Does what a call changes and sends, in memory.
    async fn take_effect(&mut self, run: &Run, answer: Answer) -> Result<(), AppError> {
        for made in answer.made {
            for kind in self.make(made) {
                if let Some(template) = suppressed(&kind) {
                    self.tally.suppressed(template.as_deref());
                }
                self.drawn += 1;
                let millis = u128::try_from(self.now.as_millisecond()).unwrap_or_default();
                let id = Uuid::from_u128(millis << 80 | u128::from(self.drawn));
                let happening = Happening {
                    id: EventId::from_uuid(id),
                    at: self.now,
                    kind,
                    run: Some(run.id),
                    workflow: Some(run.workflow.clone()),
                    depth: run.state.depth() + 1,
                };
                self.pending.push_back(Offered { happening, logged: false });
            }
        }
        let quiet = match &self.definition.send_in {
            Some(key) if answer.messages.iter().any(|message| message.is_mail) => {
                self.knowledge.calendar(key).await?
            }
            _ => None,
        };
        for message in &answer.messages {
            let cap = self.definition.hold_above;
            let sending = self.outgoing.send(message, quiet.as_ref(), cap, self.now);
            self.tally.sends(message, sending);
        }
        Ok(())
    }

    /// What a change comes to here: nothing where it is so already, else the
    /// change and the named events that it means.
    fn make(&mut self, made: Made) -> Vec<HappeningKind> {
        let written = match made {
            Made::Logged(HappeningKind::Change(change)) => {
                let again = self.knowledge.world.make_again(&change);
                return again.into_iter().map(HappeningKind::Change).collect();
            }
            Made::Logged(named) => return vec![named],
            Made::Written(written) => written,
        };
        let (reference, after) = match written {
            Written::Created { object, id, fields } => {
                let Some(definition) = self.objects.get(&object) else { return Vec::new() };
                let Ok(fields) = definition.create(id, fields, self.now) else { return Vec::new() };
                (Reference::new(&object, id.to_string()), Some(fields))
            }
            Written::Updated { reference, fields, .. } => {
                let Some(definition) = self.objects.get(&reference.object) else {
                    return Vec::new();
                };
                let Some(before) = self.knowledge.world.fields(&reference) else {
                    return Vec::new();
                };
                let Ok(after) = definition.update(&before, fields, self.now) else {
                    return Vec::new();
                };
                if after == before {
                    return Vec::new();
                }
                (reference, Some(after))
            }
            Written::Deleted { reference, .. } => (reference, None),
            Written::Emitted { name, about, data } => {
                return vec![HappeningKind::Named { name, key: None, about, data }];
            }
            // A message is counted where it is sent; a plugin's memory is not
            // there in a backtest.
            Written::Queued(_) | Written::Remembered(_) => return Vec::new(),
        };
        let change = self.knowledge.world.write(&reference, after);
        let meant = self.objects.get(&reference.object).map(|object| object.events_of(&change));
        let meant = meant.into_iter().flatten().map(|meant| HappeningKind::Named {
            name: meant.name,
            key: meant.key,
            about: meant.about,
            data: Value::Map(meant.data),
        });
        let meant: Vec<HappeningKind> = meant.collect();
        std::iter::once(HappeningKind::Change(change)).chain(meant).collect()
    }
}

/// A run that may begin, if it gets its place.
struct Starting {
    start: Start,
    inputs: Fields,
    blocked_since: Option<Option<Timestamp>>,
}

/// Whether something that happened starts a run, but for its place.
enum Considered {
    NoMatch,
    Refused(String),
    Starts(Box<Starting>),
}

/// Whether it does.
enum Decided {
    Started,
    Waits,
    Refused(String),
}

/// The template of a message that was suppressed, as its record tells.
fn suppressed(kind: &HappeningKind) -> Option<Option<String>> {
    let HappeningKind::Change(change) = kind else { return None };
    let is = change.reference.object == "interaction"
        && change.before.is_none()
        && change.is("kind").as_text() == Some("mail_suppressed");
    is.then(|| change.is("template").as_text().map(str::to_owned))
}

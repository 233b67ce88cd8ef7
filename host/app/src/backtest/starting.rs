//! Which runs begin in a replay, and why others do not.

use std::{collections::HashSet, sync::Arc};

use relata_engine::{
    Admission, ChildAnswer, ChildCall, Happening, HappeningKind, Parent, Run, Start, admit,
    admit_asked,
};
use relata_model::{Fields, Record, Reference, RunId, Timestamp, Value};
use relata_workflow::{Definition, Facts, WhileRunning, inputs_from_json};

use crate::{
    AppError,
    backtest::{
        enrolment::Place,
        moving::Moving,
        replay::{Cause, Replay},
        shape::shape,
    },
    queue::MOST_WAITING,
    starts::{asked_by, given_by},
    triggers::main_record,
};

/// A run that may begin, if it gets its place.
pub(super) struct Starting {
    start: Start,
    blocked_since: Option<Option<Timestamp>>,
}

/// Whether something that happened starts a run, but for its place.
pub(super) enum Considered {
    NoMatch,
    Refused(String),
    Starts(Box<Starting>),
}

/// Whether it does.
pub(super) enum Decided {
    Started,
    Waits,
    Refused(String),
}

impl Replay {
    /// Whether something that happened starts a run, but for the place of
    /// `one_per`.
    pub(super) async fn consider(
        &mut self,
        happening: &Happening,
        mut facts: Facts,
    ) -> Result<Considered, AppError> {
        let definition = Arc::clone(&self.definition);
        let inputs = match self.inputs_of(&definition, happening).await? {
            Ok(inputs) => inputs,
            Err(wrong) => return Ok(Considered::Refused(format!("its inputs are wrong: {wrong}"))),
        };
        let asked = asked_by(&definition, happening, &inputs);
        let now = self.now;
        let admission = self.knowledge.ask(&mut facts, now, |facts| match &asked {
            Some(asked) => admit_asked(&definition, asked, facts, now),
            None => admit(&definition, happening, facts, now),
        });
        Ok(match admission.await {
            Ok(Admission::NoMatch) => Considered::NoMatch,
            Ok(Admission::Refuse { reason, .. }) => Considered::Refused(reason),
            Ok(Admission::Start { subject, inputs, key, blocked_since }) => {
                let start = self.start(subject, key, inputs, Some(happening.clone()));
                Considered::Starts(Box::new(Starting { start, blocked_since }))
            }
            Err(why) if why.is_wrong_input() => Considered::Refused(why.to_string()),
            Err(other) => return Err(other),
        })
    }

    /// Takes the place of `one_per`, and begins the run if it is to be had.
    /// Where it is not and the workflow queues, what happened waits.
    pub(super) fn take_place(
        &mut self,
        starting: Starting,
        happening: Option<&Happening>,
    ) -> Decided {
        let definition = Arc::clone(&self.definition);
        let Starting { start, blocked_since } = starting;
        if let Err(refused) = self.place_of(&definition, &start, blocked_since) {
            let Refused::Running(other, key) = refused else {
                return Decided::Refused(refused.to_string());
            };
            let queues = definition
                .repeat
                .as_ref()
                .is_some_and(|repeat| repeat.while_running == WhileRunning::Queue);
            let enrolments = self.enrolments.entry(definition.name.clone()).or_default();
            return match happening.filter(|_| queues) {
                Some(_) if enrolments.waiting(&key) as u64 >= MOST_WAITING => Decided::Refused(
                    format!("{MOST_WAITING} starts wait for the same {key} already"),
                ),
                Some(happening) => {
                    enrolments.wait(&key, happening.clone());
                    Decided::Waits
                }
                None => Decided::Refused(Refused::Running(other, key).to_string()),
            };
        }
        let cause = start.happening.as_ref().map(|happening| Cause::Event(happening.id));
        self.begin(definition, start, cause);
        Decided::Started
    }

    /// Takes the place of a run in its workflow, if it needs one.
    fn place_of(
        &mut self,
        definition: &Definition,
        start: &Start,
        blocked_since: Option<Option<Timestamp>>,
    ) -> Result<(), Refused> {
        let (Some(repeat), Some(key)) = (&definition.repeat, &start.key) else { return Ok(()) };
        let enrolments = self.enrolments.entry(definition.name.clone()).or_default();
        match enrolments.take(repeat, key, start.id, blocked_since, self.now) {
            Place::Taken { replaces } => {
                if let Some(moving) = replaces.and_then(|former| self.runs.get_mut(&former)) {
                    moving.cancel = Some(format!("{} took its place", start.id));
                    self.ready.insert(moving.run.id);
                }
                Ok(())
            }
            Place::Running(other) => Err(Refused::Running(other, key.clone())),
            Place::Blocked { run, counted_at } => Err(Refused::Blocked {
                run,
                key: key.clone(),
                counted_at,
                never: repeat.again_after.is_none(),
            }),
        }
    }

    /// A place is free: the first start that waits for it and still may begins.
    pub(super) async fn release(&mut self, workflow: &str, key: &str) -> Result<(), AppError> {
        if *workflow != self.definition.name {
            return Ok(());
        }
        loop {
            let enrolments = self.enrolments.get_mut(workflow);
            let Some(happening) = enrolments.and_then(|enrolments| enrolments.next_waiting(key))
            else {
                return Ok(());
            };
            let facts = self.knowledge.no_facts();
            let record = main_record(&happening);
            let former = RunId::from_uuid(self.draw());
            let decided = match self.consider(&happening, facts).await? {
                Considered::NoMatch => continue,
                Considered::Refused(reason) => Decided::Refused(reason),
                Considered::Starts(starting) => self.take_place(*starting, None),
            };
            let is_running =
                matches!(&decided, Decided::Refused(reason) if reason.contains(STILL_RUNNING));
            if is_running && let Some(enrolments) = self.enrolments.get_mut(workflow) {
                enrolments.wait_on(key, happening);
                return Ok(());
            }
            let started = matches!(decided, Decided::Started);
            self.told(decided, record.as_ref(), Some(former));
            if started {
                return Ok(());
            }
        }
    }

    /// Counts what was decided; says it in words.
    pub(super) fn told(
        &mut self,
        decided: Decided,
        record: Option<&Reference>,
        waited: Option<RunId>,
    ) -> String {
        match decided {
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

    /// A run of another workflow that a step starts.
    pub(super) async fn start_child(&mut self, call: ChildCall) -> Result<ChildAnswer, AppError> {
        let Some(child) = self.others.get(&call.workflow).cloned() else {
            return Ok(call.refused("no workflow of this name is active"));
        };
        let mut asked = call.asked(&child);
        if let Some(subject) = &asked.subject
            && let Some(found) = self.knowledge.record(subject).await?
        {
            asked.subject = Some(found.reference.clone());
        }
        let (now, mut facts) = (self.now, self.knowledge.no_facts());
        let admission =
            self.knowledge.ask(&mut facts, now, |facts| admit_asked(&child, &asked, facts, now));
        let (subject, inputs, key, blocked_since) = match admission.await {
            Ok(Admission::Start { subject, inputs, key, blocked_since }) => {
                (subject, inputs, key, blocked_since)
            }
            Ok(Admission::Refuse { reason, .. }) => return Ok(call.refused(&reason)),
            Ok(Admission::NoMatch) => return Ok(call.refused("it is not what it waits for")),
            Err(why) if why.is_wrong_input() => return Ok(call.refused(&why.to_string())),
            Err(other) => return Err(other),
        };
        let mut start = self.start(subject, key, inputs, None);
        (start.id, start.parent) = (call.child, Some(call.parent));
        if let Err(refused) = self.place_of(&child, &start, blocked_since) {
            return Ok(call.refused(&refused.to_string()));
        }
        self.tally.sub_run(&child.name);
        self.begin(child, start, None);
        Ok(call.began())
    }

    /// The inputs that a run gets of what started it.
    async fn inputs_of(
        &mut self,
        definition: &Definition,
        happening: &Happening,
    ) -> Result<Result<Fields, String>, AppError> {
        if definition.inputs.is_empty() {
            return Ok(Ok(Fields::new()));
        }
        let read = inputs_from_json(&definition.inputs, &given_by(happening));
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
    pub(super) fn facts_of(&self, happening: &Happening) -> Facts {
        let mut facts = self.knowledge.no_facts();
        if let HappeningKind::Change(change) = &happening.kind
            && let Some(after) = &change.after
        {
            let record =
                Record { reference: change.reference.clone(), revision: 0, fields: after.clone() };
            facts.records.insert(change.reference.clone(), Some(record));
        }
        facts
    }

    pub(super) fn start(
        &mut self,
        subject: Option<Reference>,
        key: Option<String>,
        inputs: Fields,
        happening: Option<Happening>,
    ) -> Start {
        Start {
            id: RunId::from_uuid(self.draw()),
            version: "draft".to_owned(),
            subject,
            key,
            inputs,
            happening,
            parent: None::<Parent>,
            now: self.now,
        }
    }

    /// Begins a run, of the workflow itself or of one that it started.
    pub(super) fn begin(
        &mut self,
        definition: Arc<Definition>,
        start: Start,
        cause: Option<Cause>,
    ) {
        let (run, _) = Run::start(&definition, start);
        if run.parent.is_none() {
            self.tally.started();
        }
        let id = run.id;
        self.runs.insert(id, Moving::new(run, definition, cause, HashSet::new()));
        self.listen(id);
        self.ready.insert(id);
    }
}

const STILL_RUNNING: &str = " is still running for the same ";

/// Why a run has no place. The sentences are those of a live run, so that
/// both count as one.
enum Refused {
    Running(RunId, String),
    Blocked { run: RunId, key: String, counted_at: Timestamp, never: bool },
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Running(run, key) => write!(f, "{run}{STILL_RUNNING}{key}"),
            Self::Blocked { run, key, counted_at, never } => {
                let when =
                    if *never { "again_after is never" } else { "again_after has not gone by" };
                write!(f, "{run} was there for the same {key}, counted at {counted_at}: {when}")
            }
        }
    }
}

//! Runs of a replay on their way: what moves them, and what they do to the
//! world in memory.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use relata_engine::{
    ActionOutcome, Call, Due, Event, Happening, HappeningKind, Input, Returned, Run, Status, Watch,
    decide, due, watches,
};
use relata_model::{EventId, Fields, Reference, RunId, Timestamp, Value};
use relata_store::Write;
use relata_workflow::{Definition, StepId, StepKind};

use crate::{
    AppError,
    backtest::{
        answers::{Answer, Answers, Asked, From, Made, is_awaited},
        replay::{Cause, Decision, Offered, Replay},
        tally,
    },
    change_set::Written,
};

/// How often a run may move at one moment before that is a loop.
const MOST_MOVES: usize = 1_000_000;

const UNANSWERED: &str = "nobody could answer a message that was never sent";

/// A run on its way.
pub(super) struct Moving {
    pub(super) run: Run,
    definition: Arc<Definition>,
    cause: Option<Cause>,
    pub(super) due: Option<Timestamp>,
    watches: BTreeSet<Watch>,
    pub(super) inbox: Vec<Happening>,
    pub(super) cancel: Option<String>,
    begun: HashSet<(StepId, String)>,
    pub(super) assumed: bool,
}

impl Moving {
    pub(super) fn new(
        run: Run,
        definition: Arc<Definition>,
        cause: Option<Cause>,
        begun: HashSet<(StepId, String)>,
    ) -> Self {
        Self {
            run,
            definition,
            cause,
            due: None,
            watches: BTreeSet::new(),
            inbox: Vec::new(),
            cancel: None,
            begun,
            assumed: false,
        }
    }

    /// Whether another run started it.
    pub(super) const fn is_child(&self) -> bool {
        self.run.parent.is_some()
    }
}

impl Replay {
    /// Keeps what a run listens for up to date.
    pub(super) fn listen(&mut self, id: RunId) {
        let Some(moving) = self.runs.get_mut(&id) else { return };
        let wanted = watches(&moving.definition, &moving.run);
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
    pub(super) async fn move_run(
        &mut self,
        id: RunId,
        answers: &mut Answers,
    ) -> Result<(), AppError> {
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
        for _ in 0..MOST_MOVES {
            let (definition, now) = (Arc::clone(&moving.definition), self.now);
            let mut facts = self.knowledge.no_facts();
            let owed = self
                .knowledge
                .ask(&mut facts, now, |facts| due(&definition, &moving.run, facts, now));
            match owed.await? {
                Due::Decide => self.advance(&mut moving, Input::Wake).await?,
                Due::Call(call) => self.call(&mut moving, &call, answers).await?,
                Due::Run(call) => {
                    let answer = self.start_child(call).await?;
                    self.advance(&mut moving, Input::Child(answer)).await?;
                }
                Due::Sleep { until } => {
                    moving.due = until;
                    self.due.extend(until.map(|at| (at, id)));
                    self.runs.insert(id, moving);
                    self.listen(id);
                    return Ok(());
                }
                Due::Ended(_) => {
                    self.runs.insert(id, moving);
                    return self.end(id).await;
                }
            }
        }
        Err(AppError::Fault(format!("a run of {} moves for ever", moving.run.workflow)))
    }

    async fn call(
        &mut self,
        moving: &mut Moving,
        call: &Call,
        answers: &mut Answers,
    ) -> Result<(), AppError> {
        let definition = Arc::clone(&moving.definition);
        let asked = Asked { definition: &definition, run: &moving.run, call, now: self.now };
        let answer = answers.answer(&asked, &mut self.knowledge, &self.used).await?;
        self.count_call(moving, call, &answer);
        let returned = Returned {
            step: call.step,
            rounds: call.rounds.clone(),
            attempt: call.attempt,
            result: answer.result.clone(),
        };
        self.take_effect(moving, answer).await?;
        self.advance(moving, Input::Returned(returned)).await
    }

    async fn end(&mut self, id: RunId) -> Result<(), AppError> {
        self.listen(id);
        let Some(moving) = self.runs.remove(&id) else { return Ok(()) };
        for child in self.runs.values_mut() {
            if child.run.parent == Some(id) {
                child.cancel = Some(format!("{id}, which started it, has ended"));
                self.ready.insert(child.run.id);
            }
        }
        if let Some(kind) = moving.run.told() {
            self.happened(&moving.run, kind);
        }
        if let Status::Ended(outcome) = &moving.run.status {
            let what = tally::outcome(&moving.definition, outcome);
            self.count_end(&moving, &what);
        }
        if let Some(key) = &moving.run.key {
            let enrolments = self.enrolments.get_mut(&moving.run.workflow);
            if enrolments.is_some_and(|enrolments| enrolments.end(key, id)) {
                self.release(&moving.run.workflow, key).await?;
            }
        }
        Ok(())
    }

    /// Counts how a run of the workflow itself ends.
    pub(super) fn count_end(&mut self, moving: &Moving, what: &str) {
        if moving.is_child() {
            return;
        }
        self.tally.ended(what);
        if moving.assumed {
            self.tally.assumed_run();
        }
        if let Some(cause) = moving.cause {
            let record = moving.run.subject.clone();
            self.ended.insert(cause, Decision { what: what.to_owned(), record });
        }
    }

    /// Applies one input, and counts what it does.
    async fn advance(&mut self, moving: &mut Moving, input: Input) -> Result<(), AppError> {
        let (definition, now) = (Arc::clone(&moving.definition), self.now);
        let mut facts = self.knowledge.no_facts();
        let decided = self.knowledge.ask(&mut facts, now, |facts| {
            decide(&definition, &moving.run, input.clone(), facts, now)
        });
        for event in decided.await? {
            moving.run.apply(&definition, &event);
            if !moving.is_child() {
                self.tally.step(&definition, &event, &mut moving.begun);
            }
            let of = moving.is_child().then_some(definition.name.as_str());
            self.tally.called(&definition, &event, of);
            self.count_enrolment(&definition, &moving.run, &event);
        }
        Ok(())
    }

    /// Whether the step from which `again_after` counts has just ended.
    fn count_enrolment(&mut self, definition: &Definition, run: &Run, event: &Event) {
        let Event::StepDone { step, output, .. } = event else { return };
        let from = definition.repeat.as_ref().and_then(|repeat| repeat.counted_from.as_ref());
        if from.is_some()
            && definition.step(*step).name.as_ref() == from
            && !output.is_nothing()
            && let Some(key) = &run.key
            && let Some(enrolments) = self.enrolments.get_mut(&definition.name)
        {
            enrolments.count(key, run.id, self.now);
        }
    }

    fn count_call(&mut self, moving: &mut Moving, call: &Call, answer: &Answer) {
        if matches!(answer.result, Ok(ActionOutcome::Retry { .. })) {
            return;
        }
        self.used.extend(answer.used);
        match answer.from {
            From::Recorded => self.tally.recorded(),
            From::Again => {
                self.tally.made_again();
                let StepKind::Do(step) = &moving.definition.step(call.step).kind else { return };
                if answer.result.is_ok() && is_awaited(&moving.definition, call, step) {
                    self.tally.assumption(UNANSWERED);
                    moving.assumed = true;
                }
            }
            From::Assumed(why) => {
                let of = moving.is_child().then_some(moving.definition.name.as_str());
                self.tally.assumed_call(&call.action, of, why);
                moving.assumed = true;
            }
        }
    }

    /// Does what a call changes and sends, in memory.
    async fn take_effect(&mut self, moving: &Moving, answer: Answer) -> Result<(), AppError> {
        for made in answer.made {
            for kind in self.make(made) {
                if let Some(template) = suppressed(&kind) {
                    self.tally.suppressed(template.as_deref());
                }
                self.happened(&moving.run, kind);
            }
        }
        let quiet = match &moving.definition.send_in {
            Some(key) if answer.messages.iter().any(|message| message.is_mail) => {
                self.knowledge.calendar(key).await?
            }
            _ => None,
        };
        for message in &answer.messages {
            let cap = moving.definition.hold_above;
            let sending = self.outgoing.send(message, quiet.as_ref(), cap, self.now);
            self.tally.sends(message, sending);
        }
        Ok(())
    }

    /// Something that a run did.
    fn happened(&mut self, run: &Run, kind: HappeningKind) {
        let happening = Happening {
            id: EventId::from_uuid(self.draw()),
            at: self.now,
            kind,
            run: Some(run.id),
            workflow: Some(run.workflow.clone()),
            depth: run.state.depth() + 1,
        };
        self.pending.push_back(Offered { happening, logged: false });
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
            Made::Written(Written::Emitted { name, about, data }) => {
                return vec![HappeningKind::Named { name, key: None, about, data }];
            }
            Made::Written(written) => written,
        };
        let Some((reference, after)) = self.written(written) else { return Vec::new() };
        let change = self.knowledge.world.write(&reference, after.map(Into::into));
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

    /// What an action's write leaves; none where it changes nothing.
    fn written(&self, written: Written) -> Option<(Reference, Option<Fields>)> {
        match written {
            Written::Record(Write::Create { object, id, fields }) => {
                let fields = self.objects.get(&object)?.create(id, fields, self.now).ok()?;
                Some((Reference::new(&object, id.to_string()), Some(fields)))
            }
            Written::Record(Write::Update { reference, fields, .. }) => {
                let definition = self.objects.get(&reference.object)?;
                let before = self.knowledge.world.fields(&reference)?;
                let after = definition.update(&before, fields, self.now).ok()?;
                (after != *before).then_some((reference, Some(after)))
            }
            Written::Record(Write::Delete { reference, .. }) => Some((reference, None)),
            // A message is counted where it is sent; a plugin's memory is not
            // there in a backtest.
            Written::Emitted { .. } | Written::Queued(_) | Written::Remembered(_) => None,
        }
    }
}

/// The template of a message that was suppressed, as its record tells.
fn suppressed(kind: &HappeningKind) -> Option<Option<String>> {
    let HappeningKind::Change(change) = kind else { return None };
    let is = change.reference.object == "interaction"
        && change.before.is_none()
        && change.is("kind").as_text() == Some("mail_suppressed");
    is.then(|| change.is("template").as_text().map(str::to_owned))
}

//! What would become of a ticket: the active workflows that give tickets away,
//! with the real actions in their sandboxes, on the company's records as they
//! are, of which nothing is committed.
//!
//! The tickets lie in a [`ChangeSet`] over the store, one after another: each
//! sees whom the ones before it went to. The pure engine that moves live runs
//! decides; where a run would sleep, it ends here.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use relata_engine::{
    ActionOutcome, Call, Due, Event, Happening, HappeningKind, Input, Returned, Run, StepFailure,
    decide, due,
};
use relata_model::{
    Area, Change, ChangeKind, Doing, FieldError, Fields, ObjectDefinition, Record, Reference,
    Timestamp, Value, text,
};
use relata_sandbox::{CallRequest, Called, contract};
use relata_store::Write;
use relata_workflow::{Definition, IfUnknown, StepKind, may_write};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use crate::{
    AccessError, App, AppError, Decision, DecisionCandidate, Viewer,
    change_set::{ChangeSet, Written},
    decisions::{PassedQueue, WHOSE, told_by},
    fresh,
    host::{StepHost, StepScope},
    runner::{failure, seed},
    starts::Admitted,
    triggers::may_match,
};

/// How many tickets are tried at once.
pub const MOST_SIMULATED: u32 = 100;

/// The longest that they may have waited, minutes: a year.
const LONGEST_WAIT: u32 = 525_600;

/// Whose tickets are tried now: it keeps a processor busy for a while, which
/// real tickets wait for as well.
static TURN: Semaphore = Semaphore::const_new(1);

/// How often a run may move before that is a loop.
const MOST_MOVES: usize = 10_000;

/// How many happenings one ticket may lead to.
const MOST_HAPPENINGS: usize = 1_000;

/// How many records of an object a message names.
const MOST_NAMED: usize = 12;

/// What the tickets are called that are given no subject.
const SUBJECT: &str = "A ticket that is tried";

/// Who writes one of these gives tickets away.
const GIVING: [&str; 2] = ["owner", "queue"];

/// A ticket that might come, and how many like it.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutingScenario {
    /// Its fields: `queue`, `channel`, `priority`, `required_skills`,
    /// `customer` and any other; those that are not given have their defaults.
    #[serde(default)]
    pub ticket: Map<String, Json>,
    /// When it comes, RFC 3339; now, if nothing is said.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// For how many minutes it has waited by then: after some, queues ask for
    /// less, or let it go on.
    #[serde(default)]
    #[schema(maximum = 525_600)]
    pub waited_minutes: Option<u32>,
    /// How many like it come one after another.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 100)]
    pub tickets: u32,
}

const fn one() -> u32 {
    1
}

impl Default for RoutingScenario {
    fn default() -> Self {
        Self { ticket: Map::new(), at: None, waited_minutes: None, tickets: 1 }
    }
}

/// What would become of tickets.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RoutingSimulation {
    /// When they come, RFC 3339.
    pub at: String,
    /// How it comes that the first goes where it goes: the newest decision
    /// first, as of a real ticket.
    pub decisions: Vec<Decision>,
    /// Workflows that would not give the first away, and why.
    pub not_started: Vec<SimulatedRefusal>,
    /// What else there is to know: a pause, a step that fails.
    pub remarks: Vec<String>,
    /// Where each of them goes, in their order.
    pub tickets: Vec<SimulatedTicket>,
    /// How many everybody gets who was looked at, whoever gets most first.
    pub shares: Vec<SimulatedShare>,
}

/// A workflow that would not start, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SimulatedRefusal {
    /// The workflow.
    pub workflow: String,
    /// Why it does not start.
    pub reason: String,
}

/// Where a ticket would go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SimulatedTicket {
    /// Which one, from 1.
    pub number: u32,
    /// Who gets it; none where nobody does.
    pub owner: Option<String>,
    /// The queue that it is in.
    pub queue: Option<String>,
    /// Why, in the words of whatever gave it away.
    pub reason: Option<String>,
}

/// How many tickets somebody would get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SimulatedShare {
    /// The user.
    pub user: String,
    /// How many of the tickets they get.
    pub tickets: u32,
    /// How many open tickets they had before, where the action tells.
    pub open: Option<u64>,
    /// How many they may have, where the action tells.
    pub capacity: Option<u64>,
}

impl App {
    /// What would become of a ticket, and of others like it, for somebody who
    /// may see how tickets are given away. Nothing is written.
    ///
    /// # Errors
    ///
    /// [`AccessError`] where it is not for them, or the ticket cannot be so.
    pub async fn simulate_routing_as(
        &self,
        viewer: &Viewer,
        scenario: &RoutingScenario,
    ) -> Result<RoutingSimulation, AccessError> {
        self.must_may(viewer, Area::Routing, Doing::See).await?;
        let fields = self.scenario_fields(scenario, Some(viewer)).await?;
        Ok(self.simulated(scenario, fields).await?)
    }

    /// What would become of a ticket, and of others like it. Nothing is
    /// written.
    ///
    /// # Errors
    ///
    /// [`AccessError::Invalid`] with all fields that the ticket cannot have.
    pub async fn simulate_routing(
        &self,
        scenario: &RoutingScenario,
    ) -> Result<RoutingSimulation, AccessError> {
        let fields = self.scenario_fields(scenario, None).await?;
        Ok(self.simulated(scenario, fields).await?)
    }

    /// The fields of the tickets, checked as those of a new ticket are.
    async fn scenario_fields(
        &self,
        scenario: &RoutingScenario,
        viewer: Option<&Viewer>,
    ) -> Result<Fields, AccessError> {
        if !(1..=MOST_SIMULATED).contains(&scenario.tickets) {
            let why = format!("takes 1 to {MOST_SIMULATED}, not {}", scenario.tickets);
            return Err(AccessError::Invalid(vec![FieldError::new("tickets", why)]));
        }
        if let Some(minutes) = scenario.waited_minutes.filter(|minutes| *minutes > LONGEST_WAIT) {
            let why = format!("takes at most {LONGEST_WAIT}, a year, not {minutes}");
            return Err(AccessError::Invalid(vec![FieldError::new("waited_minutes", why)]));
        }
        let definition = self.object("ticket")?;
        let mut fields = Self::fields_of_json(definition, &scenario.ticket)?;
        let mut wrong = Vec::new();
        for (name, value) in &mut fields {
            let Value::Reference(named) = value else { continue };
            // Queues and agents are what routing is about; what other records there
            // are is not told by the way.
            let asks = viewer.filter(|_| !matches!(named.object.as_str(), "queue" | "user"));
            let found = match asks {
                None => self.store().record_fetch(named).await?,
                Some(viewer) => match self.see(viewer, named).await {
                    Ok(record) => Some(record),
                    Err(AccessError::NotFound(_)) => None,
                    Err(other) => return Err(other),
                },
            };
            match found {
                Some(record) => *named = record.reference,
                None => wrong.push(FieldError::new(name, self.no_such(named).await?)),
            }
        }
        if !wrong.is_empty() {
            return Err(AccessError::Invalid(wrong));
        }
        fields.entry("subject".to_owned()).or_insert_with(|| Value::Text(SUBJECT.to_owned()));
        let at = scenario.at.unwrap_or_else(|| self.now());
        if let Some(minutes) = scenario.waited_minutes {
            let waited = std::time::Duration::from_secs(u64::from(minutes) * 60);
            let since = at.checked_sub(waited).unwrap_or(Timestamp::MIN);
            fields.entry("queued_at".to_owned()).or_insert(Value::Time(since));
        }
        // What no ticket could be is told before anything is tried.
        match definition.create(fresh::record_id(at), fields.clone(), at) {
            Ok(_) => Ok(fields),
            Err(wrong) => Err(AccessError::Invalid(wrong)),
        }
    }

    /// That a record is not there, and which there are.
    async fn no_such(&self, named: &Reference) -> Result<String, AppError> {
        let Reference { object, key } = named;
        let told = format!("there is no {object} `{}`", text::shortened(key, 60));
        // Of customers there are too many, and a message is no place for them.
        if !matches!(object.as_str(), "queue" | "user" | "team") {
            return Ok(told);
        }
        let records = self.records_all(object).await?;
        let mut known: Vec<String> = records.iter().map(Record::handle).collect();
        known.sort();
        if let Some(near) = text::nearest(&named.to_string(), known.iter().map(String::as_str)) {
            return Ok(format!("{told}; did you mean `{near}`?"));
        }
        let more = known.len().saturating_sub(MOST_NAMED);
        known.truncate(MOST_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Ok(match known.is_empty() {
            true => format!("{told}, and no other"),
            false => format!("{told}; there are {}{more}", known.join(", ")),
        })
    }

    async fn simulated(
        &self,
        scenario: &RoutingScenario,
        fields: Fields,
    ) -> Result<RoutingSimulation, AppError> {
        let _turn = TURN.acquire().await;
        let now = scenario.at.unwrap_or_else(|| self.now());
        let catalog = self.catalog().await?;
        let active = self.active().await?;
        let giving = |definition: &Definition| may_write(definition, "ticket", &GIVING, &catalog);
        let workflows: Vec<(String, Arc<Definition>)> =
            active.iter().filter(|(_, definition)| giving(definition)).cloned().collect();
        let mut remarks = Vec::new();
        if workflows.is_empty() {
            remarks.push(
                "no active workflow gives tickets away; activate workflows/route-tickets.yaml"
                    .to_owned(),
            );
        }
        for pause in self.pauses().await? {
            let concerns = match pause.kind {
                "all" => true,
                "workflow" => workflows.iter().any(|(_, known)| known.name == pause.name),
                "action" => workflows.iter().any(|(_, known)| calls(known, &pause.name)),
                _ => false,
            };
            if concerns {
                let name = if pause.name.is_empty() { "everything" } else { &pause.name };
                remarks.push(format!("{name} is paused: it happens only when it is resumed"));
            }
        }
        let mut desk = Desk {
            app: self,
            now,
            workflows,
            changes: ChangeSet::default(),
            told: Told::default(),
        };
        let mut simulation = RoutingSimulation {
            at: now.to_string(),
            decisions: Vec::new(),
            not_started: Vec::new(),
            remarks,
            tickets: Vec::new(),
            shares: Vec::new(),
        };
        let mut shares: BTreeMap<String, SimulatedShare> = BTreeMap::new();
        for number in 1..=scenario.tickets {
            let (ticket, told) = desk.ticket(fields.clone()).await?;
            for looked_at in told.looked_at {
                shares.entry(looked_at.user.clone()).or_insert(looked_at);
            }
            let whose = |field| ticket.field(field).as_reference().map(ToString::to_string);
            let owner = whose("owner");
            if let Some(owner) = owner.as_ref().filter(|owner| owner.starts_with("user/")) {
                let share = shares.entry(owner.clone()).or_insert_with(|| SimulatedShare {
                    user: owner.clone(),
                    tickets: 0,
                    open: None,
                    capacity: None,
                });
                share.tickets += 1;
            }
            simulation.tickets.push(SimulatedTicket {
                number,
                owner,
                queue: whose("queue"),
                reason: told.decisions.last().and_then(|decision| decision.reason.clone()),
            });
            if number == 1 {
                simulation.decisions = told.decisions.into_iter().rev().collect();
                simulation.not_started = told.not_started;
            }
            for remark in told.remarks {
                if !simulation.remarks.contains(&remark) {
                    simulation.remarks.push(remark);
                }
            }
        }
        simulation.shares = shares.into_values().collect();
        simulation
            .shares
            .sort_by(|a, b| b.tickets.cmp(&a.tickets).then_with(|| a.user.cmp(&b.user)));
        Ok(simulation)
    }
}

fn calls(definition: &Definition, action: &str) -> bool {
    definition
        .steps
        .iter()
        .any(|step| matches!(&step.kind, StepKind::Do(call) if call.action == action))
}

/// What became of one ticket.
#[derive(Default)]
struct Told {
    /// In their order.
    decisions: Vec<Decision>,
    not_started: Vec<SimulatedRefusal>,
    remarks: Vec<String>,
    /// Everybody who was looked at, as they were then.
    looked_at: Vec<SimulatedShare>,
}

/// The company's records, with the tickets that have come so far over them.
struct Desk<'a> {
    app: &'a App,
    now: Timestamp,
    /// The active workflows that may give tickets away.
    workflows: Vec<(String, Arc<Definition>)>,
    changes: ChangeSet,
    told: Told,
}

impl Desk<'_> {
    /// One more ticket comes, and everything is done that is done at once.
    async fn ticket(&mut self, fields: Fields) -> Result<(Record, Told), AppError> {
        let definition = self.app.object("ticket")?;
        // A real one would be the newest.
        let id = fresh::record_id(self.now.max(self.app.now()));
        let all = definition
            .create(id, fields.clone(), self.now)
            .map_err(|wrong| AppError::wrong(listed(&wrong)))?;
        let ticket = Reference::new("ticket", id.to_string());
        let record = Record { reference: ticket.clone(), revision: 1, fields: all.into() };
        let object = "ticket".to_owned();
        self.changes.put_record(Write::Create { object, id, fields }, record.clone());
        self.changes.writes.clear();
        let mut pending = VecDeque::new();
        let created = Change {
            reference: ticket.clone(),
            kind: ChangeKind::Created,
            before: None,
            after: Some(record.fields),
        };
        pending.extend(happenings(definition, created, None, self.now));
        for _ in 0..MOST_HAPPENINGS {
            let Some(happening) = pending.pop_front() else { break };
            for (digest, definition) in self.workflows.clone() {
                if may_match(&definition, &happening.kind) {
                    self.offer(&digest, &definition, &happening, &mut pending).await?;
                }
            }
        }
        let ticket = self.changes.record(&ticket).flatten().cloned();
        let ticket =
            ticket.ok_or_else(|| AppError::wrong("a workflow deletes the ticket at once"))?;
        Ok((ticket, std::mem::take(&mut self.told)))
    }

    /// Starts a workflow where what happened is what it waits for.
    async fn offer(
        &mut self,
        digest: &str,
        definition: &Arc<Definition>,
        happening: &Happening,
        pending: &mut VecDeque<Happening>,
    ) -> Result<(), AppError> {
        let facts = self.app.facts_of(happening);
        let written = Some(&self.changes);
        let admitted =
            self.app.admitted_over(digest, definition, happening, facts, written, self.now);
        match admitted.await? {
            Admitted::NoMatch => Ok(()),
            // What a run itself changed starts nothing anew, and is no news.
            Admitted::Refused { .. } if happening.run.is_some() => Ok(()),
            Admitted::Refused { reason, .. } => {
                let workflow = definition.name.clone();
                self.told.not_started.push(SimulatedRefusal { workflow, reason });
                Ok(())
            }
            Admitted::Starts(starting) => {
                self.run(definition, starting.run().clone(), pending).await
            }
        }
    }

    /// Moves a run until it ends, or would sleep.
    async fn run(
        &mut self,
        definition: &Arc<Definition>,
        mut run: Run,
        pending: &mut VecDeque<Happening>,
    ) -> Result<(), AppError> {
        let (app, now) = (self.app, self.now);
        for _ in 0..MOST_MOVES {
            let mut facts = app.no_facts();
            let owed = app.with_facts(&mut facts, Some(&self.changes), |facts| {
                due(definition, &run, facts, now)
            });
            let input = match owed.await? {
                Due::Decide => Input::Wake,
                Due::Call(call) => {
                    Input::Returned(self.call(definition, &run, &call, pending).await?)
                }
                Due::Run(call) => {
                    self.told.remarks.push(format!(
                        "{} would go on with a run of {}, which is not tried here",
                        run.workflow, call.workflow
                    ));
                    return Ok(());
                }
                Due::Sleep { until } => {
                    let until = until.map_or_else(String::new, |at| format!(" until {at}"));
                    self.told
                        .remarks
                        .push(format!("{} would wait{until}, and then go on", run.workflow));
                    return Ok(());
                }
                Due::Ended(outcome) => {
                    if outcome.kind() == "failed" {
                        let why = outcome.describe();
                        self.told.remarks.push(format!("{} would fail: {why}", run.workflow));
                    }
                    return Ok(());
                }
            };
            for event in self.decided(definition, &run, input).await? {
                run.apply(definition, &event);
            }
        }
        Err(AppError::wrong(format!("a run of {} would move for ever", run.workflow)))
    }

    async fn decided(
        &self,
        definition: &Definition,
        run: &Run,
        input: Input,
    ) -> Result<Vec<Event>, AppError> {
        let mut facts = self.app.no_facts();
        let decided = self.app.with_facts(&mut facts, Some(&self.changes), |facts| {
            decide(definition, run, input.clone(), facts, self.now)
        });
        decided.await
    }

    /// Calls an action over what has become of the records so far; what it
    /// changes lies over them from then on.
    async fn call(
        &mut self,
        definition: &Definition,
        run: &Run,
        call: &Call,
        pending: &mut VecDeque<Happening>,
    ) -> Result<Returned, AppError> {
        let returned = |result| Returned {
            step: call.step,
            rounds: call.rounds.clone(),
            attempt: call.attempt,
            result,
        };
        let plugins = self.app.plugins().await?;
        let Some((plugin, action)) = plugins.action(&call.action) else {
            let (message, mendable) = plugins.missing(&call.action);
            let code = "not-found".to_owned();
            let permanent = !mendable;
            let why = StepFailure { code, message, permanent, retry_after_ms: None };
            return Ok(returned(Err(why)));
        };
        let StepKind::Do(step) = &definition.step(call.step).kind else {
            return Err(AppError::Fault(format!("{} is no action", call.path)));
        };
        let scope = StepScope {
            plugin: plugin.name().to_owned(),
            run: None,
            workflow: run.workflow.clone(),
            step: call.path.clone(),
            rounds: call.rounds.to_string(),
            idempotency_key: call.idempotency_key.clone(),
            send_in: None,
            hold_above: None,
            if_unknown: IfUnknown::Hold,
            now: self.now,
        };
        let request = CallRequest {
            context: contract::Context {
                run_id: run.id.to_string(),
                step_id: call.path.clone(),
                attempt: call.attempt,
                idempotency_key: call.idempotency_key.clone(),
                subject: run.subject.as_ref().map(ToString::to_string),
                dry_run: true,
            },
            now_ms: u64::try_from(self.now.as_millisecond()).unwrap_or(0),
            seed: seed(&call.idempotency_key),
            leaves: step.may.as_ref(),
            ..CallRequest::new(action, &call.input)
        };
        let mut host = StepHost::new(self.app.clone(), scope);
        host.changes = self.changes.clone();
        let Called { result, mut host, .. } = plugins.call(plugin, request, host).await;
        if let Some(fault) = host.fault.take() {
            return Err(fault);
        }
        let subject = run.subject.clone();
        Ok(returned(match result {
            Ok(contract::Outcome::Done(output)) => {
                let before = std::mem::replace(&mut self.changes, host.changes);
                let made = self.made(&before, run).await?;
                self.note(run, call, subject.as_ref(), Some(&output), None, &made);
                pending.extend(made);
                Ok(ActionOutcome::Done(output))
            }
            Ok(contract::Outcome::Skip(why)) => {
                let before = std::mem::replace(&mut self.changes, host.changes);
                let made = self.made(&before, run).await?;
                self.note(run, call, subject.as_ref(), None, Some(&why), &made);
                pending.extend(made);
                Ok(ActionOutcome::Skip(why))
            }
            Ok(contract::Outcome::Retry { after_ms, reason }) => {
                self.told.remarks.push(format!("{} would be called again: {reason}", call.action));
                Ok(ActionOutcome::Retry { after_ms: u64::from(after_ms), reason })
            }
            Err(why) => Err(failure(&why)),
        }))
    }

    /// What happened by a call.
    async fn made(&mut self, before: &ChangeSet, run: &Run) -> Result<Vec<Happening>, AppError> {
        let mut touched: Vec<Reference> = Vec::new();
        let mut made = Vec::new();
        for written in std::mem::take(&mut self.changes.writes) {
            let reference = match written {
                Written::Record(Write::Create { object, id, .. }) => {
                    Reference::new(&object, id.to_string())
                }
                Written::Record(
                    Write::Update { reference, .. } | Write::Delete { reference, .. },
                ) => reference,
                Written::Emitted { name, about, data } => {
                    let kind = HappeningKind::Named { name, key: None, about, data };
                    made.push(happening(kind, Some(run), self.now));
                    continue;
                }
                // Nothing goes out, and a plugin's memory is its own matter.
                Written::Queued(_) | Written::Remembered(_) => continue,
            };
            if !touched.contains(&reference) {
                touched.push(reference);
            }
        }
        for reference in touched {
            let was = match before.record(&reference) {
                Some(record) => record.cloned(),
                None => self.app.store().record_fetch(&reference).await?,
            };
            let is = self.changes.record(&reference).flatten();
            let kind = match (&was, is) {
                (None, Some(_)) => ChangeKind::Created,
                (Some(_), Some(_)) => ChangeKind::Changed,
                (Some(_), None) => ChangeKind::Deleted,
                (None, None) => continue,
            };
            let change = Change {
                kind,
                before: was.map(|record| record.fields),
                after: is.map(|record| record.fields.clone()),
                reference,
            };
            let definition = self.app.object(&change.reference.object)?;
            made.extend(happenings(definition, change, Some(run), self.now));
        }
        Ok(made)
    }

    /// Keeps what a call decided about whose the ticket is, if it did.
    fn note(
        &mut self,
        run: &Run,
        call: &Call,
        subject: Option<&Reference>,
        output: Option<&Json>,
        skipped: Option<&str>,
        made: &[Happening],
    ) {
        let Some(ticket) = subject.filter(|subject| subject.object == "ticket") else { return };
        let told = output.map(|output| told_by(output, ticket));
        let moves = made.iter().any(|happening| match &happening.kind {
            HappeningKind::Change(change) => {
                change.reference == *ticket && WHOSE.iter().any(|field| change.touches(field))
            }
            HappeningKind::Named { .. } => false,
        });
        let looked = told.as_ref().is_some_and(|told| !told.candidates.is_empty());
        if !moves && !looked && skipped.is_none() {
            return;
        }
        let Some(Some(record)) = self.changes.record(ticket) else { return };
        let whose = |field| record.field(field).as_reference().map(ToString::to_string);
        let (owner, queue) = (whose("owner"), whose("queue"));
        let told = told.unwrap_or_default();
        let passed = told.passed.iter().flat_map(|passed: &PassedQueue| &passed.candidates);
        let looked_at = passed.chain(&told.candidates).map(share_of).collect::<Vec<_>>();
        self.told.looked_at.extend(looked_at);
        self.told.decisions.push(Decision {
            at: self.now.to_string(),
            by: format!("workflow/{}", run.workflow),
            run: None,
            action: Some(call.action.clone()),
            owner,
            queue,
            reason: told.reason.or_else(|| skipped.map(str::to_owned)),
            candidates: told.candidates,
            passed: told.passed,
        });
    }
}

fn share_of(candidate: &DecisionCandidate) -> SimulatedShare {
    SimulatedShare {
        user: candidate.user.clone(),
        tickets: 0,
        open: candidate.open,
        capacity: candidate.capacity,
    }
}

/// A change, and the named events that it means.
fn happenings(
    definition: &ObjectDefinition,
    change: Change,
    run: Option<&Run>,
    now: Timestamp,
) -> Vec<Happening> {
    let meant = definition.events_of(&change).into_iter().map(|meant| HappeningKind::Named {
        name: meant.name,
        key: meant.key,
        about: meant.about,
        data: Value::Map(meant.data),
    });
    let meant: Vec<HappeningKind> = meant.collect();
    std::iter::once(HappeningKind::Change(change))
        .chain(meant)
        .map(|kind| happening(kind, run, now))
        .collect()
}

fn happening(kind: HappeningKind, run: Option<&Run>, now: Timestamp) -> Happening {
    Happening {
        id: fresh::event_id(now),
        at: now,
        kind,
        run: run.map(|run| run.id),
        workflow: run.map(|run| run.workflow.clone()),
        depth: run.map_or(0, |run| run.state.depth() + 1),
    }
}

fn listed(wrong: &[FieldError]) -> String {
    wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl RoutingScenario {
    /// A scenario of fields as a person writes them: `required_skills` with
    /// `billing; german`, `at` in the company's time.
    ///
    /// # Errors
    ///
    /// [`AccessError::Invalid`] with all that does not read.
    pub fn read<'w>(
        app: &App,
        written: impl IntoIterator<Item = (&'w str, &'w str)>,
    ) -> Result<Self, AccessError> {
        let definition = app.object("ticket")?;
        let (mut scenario, mut wrong) = (Self::default(), Vec::new());
        for (name, text) in written {
            if text.trim().is_empty() {
                continue;
            }
            let Some(field) = definition.field(name) else {
                let known = definition.fields.keys().map(String::as_str);
                let hint = text::nearest(name, known)
                    .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                wrong.push(FieldError::new(name, format!("is not a field of tickets{hint}")));
                continue;
            };
            match field.kind.parse(text, &app.zone()) {
                Ok(value) => drop(scenario.ticket.insert(name.to_owned(), value.to_json())),
                Err(why) => wrong.push(FieldError::new(name, why)),
            }
        }
        if wrong.is_empty() { Ok(scenario) } else { Err(AccessError::Invalid(wrong)) }
    }
}

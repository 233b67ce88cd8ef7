//! What actions answer in a backtest: what they answered then, what they
//! answer again on the records as they were, or else an assumption.

use std::collections::HashMap;

use relata_engine::{ActionOutcome, Call, HappeningKind, Run, StepFailure};
use relata_model::{Reference, Timestamp};
use relata_sandbox::{CallRequest, Called, Plugin, contract};
use relata_store::{EffectKind, Query};
use relata_workflow::{Definition, Do, StepKind, Type};
use serde_json::{Map, Value as Json, json};

use crate::{
    App, AppError,
    backtest::{
        knowledge::Knowledge,
        messages::Message,
        past::Past,
        recorded::{Closeness, Recorded, Recording, Replayed, Used},
    },
    change_set::Written,
    host::{StepHost, StepScope},
    runner::{failure, seed},
};

/// A call that took less than this with all its attempts is answered at once.
const AT_ONCE_MS: u64 = 1_000;

/// How many answers of plugins that only compute are kept.
const MOST_KEPT: usize = 100_000;

const OTHER_VERSION: &str = "a call was answered as another version of the plugin had";
const OTHER_RUN: &str = "a call was answered as the same one had been in another run";
const OTHER_INPUT: &str = "a call was answered as the live version's with another input had been";
const OTHER_RECORD: &str = "a call was answered as one about another record had been";
const MADE_UP: &str = "a call was answered with a made-up value";

/// What an action answers in a backtest.
pub(crate) struct Answer {
    pub(crate) result: Result<ActionOutcome, StepFailure>,
    /// What the call changes.
    pub(crate) made: Vec<Made>,
    pub(crate) messages: Vec<Message>,
    pub(crate) from: From,
    /// The recording that it used up.
    pub(crate) used: Option<(relata_model::RunId, u64)>,
}

/// Where an answer is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// It was given then.
    Recorded,
    /// The call was made again.
    Again,
    /// It is an assumption, for this reason.
    Assumed(&'static str),
}

/// What a call changes.
pub(crate) enum Made {
    /// As it was logged then.
    Logged(HappeningKind),
    /// As the action writes it now.
    Written(Written),
}

/// A call that is to be answered.
pub(crate) struct Asked<'a> {
    pub(crate) definition: &'a Definition,
    pub(crate) run: &'a Run,
    pub(crate) call: &'a Call,
    pub(crate) now: Timestamp,
}

/// Answers calls, for all replays of one backtest.
pub(crate) struct Answers {
    app: App,
    recorded: Recorded,
    /// Answers of plugins that only compute, by action and input.
    computed: HashMap<(String, String), ActionOutcome>,
    /// A record of each object, for answers that are made up.
    any: HashMap<String, Option<Reference>>,
}

impl Answers {
    pub(crate) fn new(app: App, recorded: Recorded) -> Self {
        Self { app, recorded, computed: HashMap::new(), any: HashMap::new() }
    }

    /// Answers a call. What is known is lent to the plugin meanwhile.
    pub(crate) async fn answer(
        &mut self,
        asked: &Asked<'_>,
        knowledge: &mut Box<Knowledge>,
        used: &Used,
    ) -> Result<Answer, AppError> {
        let Asked { definition, run, call, now } = *asked;
        let StepKind::Do(step) = &definition.step(call.step).kind else {
            return Err(AppError::Fault(format!("{} is no action", call.path)));
        };
        let app = self.app.clone();
        let plugins = app.plugins().await?;
        let Some((plugin, action)) = plugins.action(&step.action) else {
            return Ok(failed(StepFailure {
                code: "not-found".to_owned(),
                message: format!("no plugin gives the action `{}`", step.action),
                permanent: true,
                retry_after_ms: None,
            }));
        };
        let subject = run.subject.as_ref();
        let found = self.recorded.find(&step.action, &call.input, subject, now, used);
        let (closeness, recording) = found.unzip();
        let awaited = is_awaited(definition, call, step);
        // The live version's message was answered, which says more than that
        // nobody could answer one that was never sent.
        let closest = closeness == Some(Closeness::Itself)
            || closeness == Some(Closeness::SameInput) && plugin.pure()
            || closeness == Some(Closeness::SameRecord) && awaited;
        if let (true, Some(closeness), Some(recording)) = (closest, closeness, recording)
            && let Some(replayed) = self.recorded.fetch(&recording).await?
        {
            let same_plugin = replayed.plugin.as_deref() == Some(plugin.digest());
            let from = match closeness {
                Closeness::SameRecord => From::Assumed(OTHER_INPUT),
                _ if same_plugin => From::Recorded,
                _ => From::Assumed(OTHER_VERSION),
            };
            if from == From::Recorded || !plugin.pure() {
                return Ok(taken(call, &recording, replayed, from));
            }
        }
        if let Some(answer) = self.again(asked, plugin, action, knowledge).await? {
            return Ok(answer);
        }
        if let (Some(closeness), Some(recording)) = (closeness, recording)
            && let Some(mut replayed) = self.recorded.fetch(&recording).await?
        {
            let from = From::Assumed(match closeness {
                Closeness::Itself => OTHER_VERSION,
                Closeness::SameInput => OTHER_RUN,
                Closeness::SameRecord => OTHER_INPUT,
                Closeness::SameAction => OTHER_RECORD,
            });
            if closeness == Closeness::SameAction || closeness == Closeness::SameInput {
                // It changed another record, and its keys are another's.
                replayed.made.clear();
                without_keys(step, &mut replayed.result);
            }
            return Ok(taken(call, &recording, replayed, from));
        }
        let output = self.made_up(&step.output, now).await?;
        Ok(Answer {
            result: Ok(ActionOutcome::Done(output)),
            made: Vec::new(),
            messages: meant(plugin, &call.input),
            from: From::Assumed(MADE_UP),
            used: None,
        })
    }

    /// Makes the call on the records as they are at this place; none where
    /// the plugin asks for more than can be told.
    async fn again(
        &mut self,
        asked: &Asked<'_>,
        plugin: &Plugin,
        action: &str,
        knowledge: &mut Box<Knowledge>,
    ) -> Result<Option<Answer>, AppError> {
        let Asked { run, call, now, .. } = *asked;
        let key = plugin.pure().then(|| (call.action.clone(), call.input.to_string()));
        if let Some(kept) = key.as_ref().and_then(|key| self.computed.get(key)) {
            return Ok(Some(computed(kept.clone())));
        }
        let scope = StepScope {
            plugin: plugin.name().to_owned(),
            run: Some(run.id),
            workflow: run.workflow.clone(),
            step: call.path.clone(),
            rounds: String::new(),
            idempotency_key: call.idempotency_key.clone(),
            // Quiet hours and caps are the replay's to see to.
            send_in: None,
            hold_above: None,
            if_unknown: relata_workflow::IfUnknown::Hold,
            now,
        };
        let request = CallRequest {
            action,
            input: &call.input,
            context: contract::Context {
                run_id: run.id.to_string(),
                step_id: call.path.clone(),
                attempt: call.attempt,
                idempotency_key: call.idempotency_key.clone(),
                subject: run.subject.as_ref().map(ToString::to_string),
                dry_run: true,
            },
            now_ms: u64::try_from(now.as_millisecond()).unwrap_or(0),
            seed: seed(&call.idempotency_key),
            limits: None,
            leaves: None,
        };
        let place = knowledge.place;
        let nothing = Box::new(Knowledge::new(self.app.clone(), place));
        let mut host = StepHost::new(self.app.clone(), scope);
        host.past = Some(Past::new(std::mem::replace(knowledge, nothing)));
        let Called { result, mut host, .. } =
            self.app.plugins().await?.call(plugin, request, host).await;
        let Some(past) = host.past.take() else {
            return Err(AppError::Fault("the past was lost in a call".to_owned()));
        };
        *knowledge = past.knowledge;
        if !past.unknown.is_empty() {
            return Ok(None);
        }
        if let Some(fault) = host.fault.take() {
            return Err(fault);
        }
        let (result, written) = match result {
            Ok(contract::Outcome::Done(output)) => {
                (Ok(ActionOutcome::Done(output)), host.changes.writes)
            }
            Ok(contract::Outcome::Skip(why)) => (Ok(ActionOutcome::Skip(why)), host.changes.writes),
            Ok(contract::Outcome::Retry { after_ms, reason }) => {
                (Ok(ActionOutcome::Retry { after_ms: u64::from(after_ms), reason }), Vec::new())
            }
            Err(why) => (Err(failure(&why)), Vec::new()),
        };
        if let (Some(key), Ok(outcome)) = (key, &result)
            && self.computed.len() < MOST_KEPT
        {
            self.computed.insert(key, outcome.clone());
        }
        let mut answer = Answer {
            result,
            made: Vec::new(),
            messages: Vec::new(),
            from: From::Again,
            used: None,
        };
        for written in written {
            match written {
                Written::Queued(queued) => answer.messages.push(Message {
                    is_mail: queued.effect.kind == EffectKind::Mail,
                    template: queued.effect.template,
                }),
                written => answer.made.push(Made::Written(written)),
            }
        }
        Ok(Some(answer))
    }

    /// A value that fits a type, where nothing better is known.
    async fn made_up(&mut self, kind: &Type, now: Timestamp) -> Result<Json, AppError> {
        Ok(match kind {
            Type::Text => json!("assumed"),
            Type::Number => json!(0),
            Type::YesNo => json!(false),
            Type::Date => json!(now.to_zoned(self.app.zone()).date().to_string()),
            Type::Time => json!(now.to_string()),
            Type::Duration => json!("0 minutes"),
            Type::Money => json!("0.00 EUR"),
            Type::Choice(words) => json!(words.first()),
            Type::Record(objects) => match objects.first() {
                Some(object) => json!(self.any(object).await?.map(|found| found.to_string())),
                None => Json::Null,
            },
            Type::List(_) => json!([]),
            Type::Map(parts) => {
                let mut made = Map::new();
                for (name, slot) in parts.iter().filter(|(_, slot)| !slot.optional) {
                    made.insert(name.clone(), Box::pin(self.made_up(&slot.kind, now)).await?);
                }
                Json::Object(made)
            }
            Type::Nothing | Type::Any => Json::Null,
        })
    }

    async fn any(&mut self, object: &str) -> Result<Option<Reference>, AppError> {
        if let Some(found) = self.any.get(object) {
            return Ok(found.clone());
        }
        let query = Query { limit: 1, ..Query::new(object, Vec::new()) };
        let page = self.app.store().record_query(&query).await?;
        let found = page.records.into_iter().next().map(|record| record.reference);
        self.any.insert(object.to_owned(), found.clone());
        Ok(found)
    }
}

/// Whether a step waits for the answer to what this one sends.
pub(crate) fn is_awaited(definition: &Definition, call: &Call, step: &Do) -> bool {
    let name = definition.step(call.step).name.as_ref();
    !step.correlation.is_empty()
        && name.is_some()
        && definition.steps.iter().any(
            |other| matches!(&other.kind, StepKind::WaitFor(wait) if wait.since.as_ref() == name),
        )
}

/// A recorded answer. One that took several attempts takes as long here.
fn taken(call: &Call, recording: &Recording, replayed: Replayed, from: From) -> Answer {
    let took_ms = recording.took_ms();
    if call.attempt == 1 && took_ms >= AT_ONCE_MS {
        let reason = "it took several attempts then".to_owned();
        return Answer {
            result: Ok(ActionOutcome::Retry { after_ms: took_ms, reason }),
            made: Vec::new(),
            messages: Vec::new(),
            from: From::Recorded,
            used: None,
        };
    }
    let mut messages = replayed.messages;
    if let Some(template) = call.input.get("template").and_then(Json::as_str) {
        for message in messages.iter_mut().filter(|message| message.is_mail) {
            message.template = Some(template.to_owned());
        }
    }
    Answer {
        result: replayed.result,
        made: replayed.made.into_iter().map(Made::Logged).collect(),
        messages,
        from,
        used: Some(recording.key()),
    }
}

fn computed(outcome: ActionOutcome) -> Answer {
    Answer {
        result: Ok(outcome),
        made: Vec::new(),
        messages: Vec::new(),
        from: From::Again,
        used: None,
    }
}

fn failed(why: StepFailure) -> Answer {
    Answer {
        result: Err(why),
        made: Vec::new(),
        messages: Vec::new(),
        from: From::Again,
        used: None,
    }
}

/// Takes out of a borrowed answer what events would answer.
fn without_keys(step: &Do, result: &mut Result<ActionOutcome, StepFailure>) {
    if let Ok(ActionOutcome::Done(Json::Object(output))) = result {
        for (_, field) in &step.correlation {
            if let Some(Json::String(key)) = output.get_mut(field) {
                *key = "assumed".to_owned();
            }
        }
    }
}

/// The messages that a call most likely sends: one, if its plugin may.
fn meant(plugin: &Plugin, input: &Json) -> Vec<Message> {
    let may = |what: &str| {
        plugin.manifest().permissions.messages.iter().any(|message| message.to_string() == what)
    };
    let template = input.get("template").and_then(Json::as_str).map(str::to_owned);
    if may("mail") && template.is_some() {
        vec![Message { template, is_mail: true }]
    } else if may("notify") {
        vec![Message { template: None, is_mail: false }]
    } else {
        Vec::new()
    }
}

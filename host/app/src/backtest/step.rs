//! One recorded call, made again: against the plugin that is installed, or
//! another build of it, on the records as they were then.

use std::collections::{BTreeMap, BTreeSet};

use relata_engine::{HappeningKind, Rounds, Run, idempotency_key};
use relata_model::{ChangeKind, EffectId, Fields, Objects, Reference, RunId, Value, text};
use relata_sandbox::{CallRequest, Called, Plugin, contract};
use relata_store::{Effect, EffectFilter, EffectKind, LogRow, LoggedEvent, NewEffect};
use relata_workflow::{Definition, StepKind};
use serde::Serialize;
use serde_json::Value as Json;

use crate::{
    App, AppError, Logged, Used,
    backtest::{Past, knowledge::Knowledge, recorded::skipped},
    change_set::{ChangeSet, Written},
    fresh,
    host::{StepHost, StepScope},
    runner::{failure, later, seed},
    trial,
};

/// How many effects one call may have.
const MOST_EFFECTS: usize = 1_000;

/// A recorded call, and the same call made again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepReplay {
    /// The run.
    pub run: String,
    /// The step's path.
    pub step: String,
    /// Which items of loops and which branches it belongs to, `3.1`.
    pub rounds: String,
    /// The action's full name.
    pub action: String,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// When it was recorded, RFC 3339.
    pub at: String,
    /// What came of it then.
    pub recorded: CallEnd,
    /// What comes of it now.
    pub replayed: CallEnd,
    /// What the plugin asked for that nobody knows any more. With that in it,
    /// a difference says little.
    pub unknown: Vec<&'static str>,
    /// What the call used up now.
    pub used: Used,
    /// What the plugin logged now.
    pub log: Vec<Logged>,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallEnd {
    /// The digest of the component that answered, where it is known.
    pub component: Option<String>,
    /// `done`, `skipped`, `postponed` or `failed`.
    pub outcome: &'static str,
    /// The output, or why.
    pub told: Json,
    /// What it wrote and sent, a line each.
    pub writes: Vec<String>,
}

impl StepReplay {
    /// Whether the call came out as it did then.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.recorded.outcome == self.replayed.outcome
            && self.recorded.told == self.replayed.told
            && self.recorded.writes == self.replayed.writes
    }
}

impl App {
    /// Makes a recorded call again, with its input, context, clock and random
    /// numbers, on the records as they were. Nothing of it is kept. `other` is
    /// the plugin that answers, instead of the installed one.
    ///
    /// The clock is that of the record, which is when the call had come back.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where there is no such run or no such call.
    pub async fn replay_step(
        &self,
        id: RunId,
        step: &str,
        other: Option<&Plugin>,
    ) -> Result<StepReplay, AppError> {
        let row = self.store().run_fetch(id).await?.ok_or_else(|| {
            AppError::wrong(format!("there is no run {id}; `relata runs` lists them"))
        })?;
        let definition = self.version(&row.run.version).await?;
        let log = self.store().run_log(id).await?;
        let recorded = find(&log, &definition, id, step)?;
        let action = recorded.action.as_deref().unwrap_or_default();
        let plugins = self.plugins().await?;
        let (plugin, name) = match other {
            None => plugins.known_action(action)?,
            Some(plugin) => (plugin, own_name(plugin, action)?),
        };
        let events = self.store().event_list_of_run(id).await?;
        let (own, place) = self.place_of_call(recorded, events).await?;
        let rounds: Rounds = recorded
            .rounds
            .parse()
            .map_err(|why| AppError::Fault(format!("a log does not read: {why}")))?;
        let key = idempotency_key(id, &recorded.step, &rounds);
        let mut end = self.recorded_end(id, recorded, &key, &own).await?;
        let again = Repeated { run: &row.run, definition: &definition, row: recorded, key, place };
        let made = self.call_again(&again, plugin, name).await?;
        let Again { mut now, unknown, used, log } = made;
        name_drawn(&mut end);
        name_drawn(&mut now);
        Ok(StepReplay {
            run: id.to_string(),
            step: recorded.step.clone(),
            rounds: recorded.rounds.clone(),
            action: action.to_owned(),
            attempt: recorded.attempt,
            at: recorded.at.to_string(),
            recorded: end.end,
            replayed: now.end,
            unknown,
            used,
            log,
        })
    }

    /// What a call did, of the events of its run, and the place of the event log
    /// at which it was made: before the first of them, else at its time, before
    /// what the run did next.
    async fn place_of_call(
        &self,
        row: &LogRow,
        events: Vec<LoggedEvent>,
    ) -> Result<(Vec<LoggedEvent>, u64), AppError> {
        let next = events.iter().find(|event| event.entry > Some(row.seq)).map(|event| event.seq);
        let own: Vec<LoggedEvent> =
            events.into_iter().filter(|event| event.entry == Some(row.seq)).collect();
        let place = match own.first() {
            Some(first) => first.seq,
            None => {
                let moment = later(row.at, std::time::Duration::from_millis(1));
                let end = self.store().event_place(moment).await?;
                next.map_or(end, |next| next.min(end))
            }
        };
        Ok((own, place))
    }

    /// What came of a call, as the log has it.
    async fn recorded_end(
        &self,
        run: RunId,
        row: &LogRow,
        key: &str,
        events: &[LoggedEvent],
    ) -> Result<Drawn, AppError> {
        let why = row.explanation.as_ref().and_then(Json::as_str).unwrap_or_default();
        let (outcome, told) = match row.kind.as_str() {
            "done" => match skipped(row) {
                Some(why) => ("skipped", Json::String(why.to_owned())),
                None => ("done", row.output.clone().unwrap_or(Json::Null)),
            },
            "postponed" => ("postponed", Json::String(why.to_owned())),
            _ => ("failed", Json::String(row.error.clone().unwrap_or_else(|| why.to_owned()))),
        };
        let mut drawn = Vec::new();
        let mut writes = Vec::new();
        // What a change is called stands behind it.
        let mut called = 0;
        for event in events {
            match &event.happening.kind {
                HappeningKind::Change(change) => {
                    if change.kind == ChangeKind::Created {
                        drawn.push(change.reference.clone());
                    }
                    let definition = self.objects().get(&change.reference.object);
                    called = definition.map_or(0, |object| object.events_of(change).len());
                    let (before, after) = (change.before.as_deref(), change.after.as_deref());
                    writes.extend(changed(self.objects(), &change.reference, before, after));
                }
                HappeningKind::Named { .. } if called > 0 => called -= 1,
                HappeningKind::Named { name, about, data, .. } => {
                    writes.push(emitted(name, about, &data.to_json()));
                }
            }
        }
        if outcome == "done" || outcome == "skipped" {
            let of_run = EffectFilter { run: Some(run), ..EffectFilter::default() };
            let effects = self.store().outbox_list(&of_run, u32::MAX).await?;
            let ids: BTreeSet<EffectId> =
                (1..=MOST_EFFECTS).map(|number| fresh::effect_id(key, number)).collect();
            writes.extend(effects.iter().filter(|effect| ids.contains(&effect.id)).map(sent));
        }
        writes.sort();
        let component = row.plugin.clone();
        Ok(Drawn { end: CallEnd { component, outcome, told, writes }, drawn })
    }

    async fn call_again(
        &self,
        again: &Repeated<'_>,
        plugin: &Plugin,
        action: &str,
    ) -> Result<Again, AppError> {
        let Repeated { run, definition, row, key, place } = again;
        let step = definition.steps.iter().find(|step| step.path == row.step);
        let step = step.and_then(|step| match &step.kind {
            StepKind::Do(step) => Some(step),
            _ => None,
        });
        let scope = StepScope {
            plugin: plugin.name().to_owned(),
            run: Some(run.id),
            workflow: run.workflow.clone(),
            step: row.step.clone(),
            rounds: row.rounds.clone(),
            idempotency_key: key.clone(),
            send_in: definition.send_in.clone(),
            hold_above: None,
            if_unknown: relata_workflow::IfUnknown::Hold,
            now: row.at,
        };
        let empty = Json::Object(serde_json::Map::new());
        let request = CallRequest {
            context: contract::Context {
                run_id: run.id.to_string(),
                step_id: row.step.clone(),
                attempt: row.attempt,
                idempotency_key: key.clone(),
                subject: run.subject.as_ref().map(ToString::to_string),
                dry_run: false,
            },
            now_ms: u64::try_from(row.at.as_millisecond()).unwrap_or(0),
            seed: seed(key),
            leaves: step.and_then(|step| step.may.as_ref()),
            ..CallRequest::new(action, row.input.as_ref().unwrap_or(&empty))
        };
        let mut host = StepHost::new(self.clone(), scope);
        host.past = Some(Past::new(Box::new(Knowledge::new(self.clone(), *place))));
        let Called { result, report, mut host } = plugin.call(request, host).await;
        if let Some(fault) = host.fault.take() {
            return Err(fault);
        }
        let mut past = host
            .past
            .take()
            .ok_or_else(|| AppError::Fault("the past was lost in a call".to_owned()))?;
        let (outcome, told, changes) = match result {
            Ok(contract::Outcome::Done(output)) => ("done", output, host.changes),
            Ok(contract::Outcome::Skip(why)) => ("skipped", Json::String(why), host.changes),
            Ok(contract::Outcome::Retry { reason, .. }) => {
                ("postponed", Json::String(reason), ChangeSet::default())
            }
            Err(why) => ("failed", Json::String(failure(&why).message), ChangeSet::default()),
        };
        let (writes, drawn) = self.written(&changes, &mut past).await?;
        let component = Some(plugin.digest().to_owned());
        Ok(Again {
            now: Drawn { end: CallEnd { component, outcome, told, writes }, drawn },
            unknown: past.unknown.into_iter().collect(),
            used: trial::used(&report),
            log: trial::log(report),
        })
    }

    /// What a call would have written, a line each, and the records that are
    /// new.
    async fn written(
        &self,
        changes: &ChangeSet,
        past: &mut Past,
    ) -> Result<(Vec<String>, Vec<Reference>), AppError> {
        let mut writes = Vec::new();
        let mut drawn = Vec::new();
        for object in self.objects().names() {
            for (reference, after) in changes.touched(object) {
                let before = past.record(reference).await?;
                if before.is_none() && after.is_some() {
                    drawn.push(reference.clone());
                }
                let (before, after) = (
                    before.as_ref().map(|record| &*record.fields),
                    after.map(|after| &*after.fields),
                );
                writes.extend(changed(self.objects(), reference, before, after));
            }
        }
        for written in &changes.writes {
            match written {
                Written::Emitted { name, about, data } => {
                    writes.push(emitted(name, about, &data.to_json()));
                }
                Written::Queued(queued) => writes.push(queued_line(&queued.effect)),
                Written::Record(_) | Written::Remembered(_) => {}
            }
        }
        writes.sort();
        Ok((writes, drawn))
    }
}

/// A call that is to be made again.
struct Repeated<'r> {
    run: &'r Run,
    definition: &'r Definition,
    row: &'r LogRow,
    key: String,
    /// The place of the event log up to which everything has happened.
    place: u64,
}

/// A call that was made again.
struct Again {
    now: Drawn,
    unknown: Vec<&'static str>,
    used: Used,
    log: Vec<Logged>,
}

/// What came of a call, and the records whose ids it has drawn.
struct Drawn {
    end: CallEnd,
    drawn: Vec<Reference>,
}

/// Calls new records by their place: their ids are drawn anew each time.
fn name_drawn(drawn: &mut Drawn) {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for reference in &drawn.drawn {
        let number = names.len() + 1;
        names.insert(reference.key.clone(), format!("new-{number}"));
    }
    let named = |text: &str| {
        names.iter().fold(text.to_owned(), |text, (id, name)| text.replace(id.as_str(), name))
    };
    for line in &mut drawn.end.writes {
        *line = named(line);
    }
    drawn.end.writes.sort();
    drawn.end.told = in_texts(&drawn.end.told, &named);
}

fn in_texts(json: &Json, named: &impl Fn(&str) -> String) -> Json {
    match json {
        Json::String(text) => Json::String(named(text)),
        Json::Array(items) => items.iter().map(|item| in_texts(item, named)).collect(),
        Json::Object(fields) => Json::Object(
            fields.iter().map(|(name, value)| (name.clone(), in_texts(value, named))).collect(),
        ),
        other => other.clone(),
    }
}

/// The answer to a call that somebody means: by the entry of the log, the
/// step's path or name, or the action; of several the last.
fn find<'l>(
    log: &'l [LogRow],
    definition: &Definition,
    run: RunId,
    wanted: &str,
) -> Result<&'l LogRow, AppError> {
    let calls = || log.iter().filter(|row| row.action.is_some());
    if let Ok(seq) = wanted.parse::<u64>() {
        return calls().find(|row| row.seq == seq).ok_or_else(|| {
            AppError::wrong(format!(
                "entry {seq} of {run} is no answer of an action; `relata runs show {run}` numbers them"
            ))
        });
    }
    let name_of = |row: &LogRow| {
        let step = definition.steps.iter().find(|step| step.path == row.step)?;
        step.name.clone()
    };
    let is_it = |row: &&LogRow| {
        row.step == wanted
            || row.action.as_deref() == Some(wanted)
            || name_of(row).as_deref() == Some(wanted)
    };
    calls().rfind(is_it).ok_or_else(|| {
        let mut known: Vec<String> = Vec::new();
        for row in calls() {
            known.extend(
                [Some(row.step.clone()), row.action.clone(), name_of(row)].into_iter().flatten(),
            );
        }
        let hint = match text::nearest(wanted, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("`relata runs show {run}` numbers them"),
        };
        AppError::wrong(format!("no action has answered the step `{wanted}` of {run}; {hint}"))
    })
}

/// The action's own name, where it is one of this plugin's.
fn own_name<'n>(plugin: &Plugin, action: &'n str) -> Result<&'n str, AppError> {
    let own = action.split_once('.').filter(|(name, _)| *name == plugin.name());
    let own = own.map(|(_, own)| own).filter(|own| plugin.descriptor(own).is_some());
    own.ok_or_else(|| {
        AppError::wrong(format!(
            "the step called `{action}`, which `{}` {} does not have",
            plugin.name(),
            plugin.version()
        ))
    })
}

/// The fields of a record that a write changes, a line each; without those that
/// the host sets.
fn changed(
    objects: &Objects,
    reference: &Reference,
    before: Option<&Fields>,
    after: Option<&Fields>,
) -> Vec<String> {
    let Some(after) = after else { return vec![format!("delete {reference}")] };
    let definition = objects.get(&reference.object);
    let is_hosts = |name: &str| {
        let field = definition.and_then(|definition| definition.field(name));
        field.is_some_and(|field| field.read_only || field.from_id.is_some())
    };
    let verb = if before.is_some() { "set" } else { "create" };
    let was = |name: &str| before.and_then(|before| before.get(name)).unwrap_or(&Value::Nothing);
    let lines: Vec<String> = after
        .iter()
        .filter(|(name, value)| !is_hosts(name) && *value != was(name))
        .map(|(name, value)| format!("{verb} {reference} {name} = {value}"))
        .collect();
    match lines.is_empty() && before.is_none() {
        true => vec![format!("create {reference}")],
        false => lines,
    }
}

fn emitted(name: &str, about: &[Reference], data: &Json) -> String {
    let about: Vec<String> = about.iter().map(ToString::to_string).collect();
    format!("emit {name} about {} {data}", about.join(", "))
}

fn sent(effect: &Effect) -> String {
    message(effect.kind, effect.template.as_deref(), effect.recipient.as_ref(), &effect.body)
}

fn queued_line(effect: &NewEffect) -> String {
    message(effect.kind, effect.template.as_deref(), effect.recipient.as_ref(), &effect.body)
}

fn message(
    kind: EffectKind,
    template: Option<&str>,
    to: Option<&Reference>,
    body: &Json,
) -> String {
    let subject = body.get("subject").and_then(Json::as_str).unwrap_or_default();
    let to = to.map_or_else(String::new, |to| format!(" to {to}"));
    let template = template.map_or_else(String::new, |template| format!(" {template}"));
    format!("send {}{template}{to}: {subject}", kind.as_str())
}

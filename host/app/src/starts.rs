//! What starts a run: whether something that happened does, with which
//! inputs, and the start by hand.

use std::{collections::BTreeMap, sync::Arc};

use relata_engine::{Admission, Asked, Happening, HappeningKind, Start, admit, admit_asked};
use relata_model::{FieldError, Fields, Reference, Timestamp, Value, text};
use relata_store::{Cause, NewEvent};
use relata_workflow::{
    Definition, Facts, Input, ReadInputs, Trigger, describe_input, inputs_from_json,
    inputs_from_text,
};
use serde::Serialize;
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;

use crate::{
    App, AppError, Assignment,
    change_set::ChangeSet,
    fresh,
    triggers::{Matched, Starting, settle_all},
};

/// The longest key of a record that an error repeats, characters.
const LONGEST: usize = 60;

/// The name of the event that a call of a webhook is.
pub(crate) fn webhook_event(webhook: &str) -> String {
    format!("webhook:{webhook}")
}

/// The name of the event that a start by hand is.
fn start_event(workflow: &str) -> String {
    format!("start:{workflow}")
}

/// What a workflow is started with by hand.
#[derive(Debug, Clone)]
pub enum GivenInputs {
    /// As a person wrote it: `--input percent=10`.
    Text(Vec<Assignment>),
    /// As a form or a program sends it.
    Json(Map<String, Json>),
}

/// What became of a start by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ManualStart {
    /// The workflow's name.
    pub workflow: String,
    /// The record that the run is about, `object/id`.
    pub record: Option<String>,
    /// The run; none where it did not start yet.
    pub run: Option<String>,
    /// Why it did not start, or for what it waits.
    pub why: Option<String>,
    /// Whether it starts by itself once a run for the same has ended.
    pub waits: bool,
}

/// How people and other programs start a workflow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Doors {
    /// Its buttons.
    pub buttons: Vec<ButtonView>,
    /// The last parts of its webhooks' addresses.
    pub webhooks: Vec<String>,
    /// Whether a person may start it.
    pub by_hand: bool,
}

/// A button that starts a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ButtonView {
    /// What stands on it.
    pub label: String,
    /// The object whose records have it; none for one that is about nothing.
    pub about: Option<String>,
}

impl Doors {
    pub(crate) fn of(definition: &Definition) -> Self {
        let mut doors = Self { by_hand: may_be_started(definition).is_ok(), ..Self::default() };
        for trigger in &definition.triggers {
            match trigger {
                Trigger::Button(button) => doors
                    .buttons
                    .push(ButtonView { label: button.label.clone(), about: button.object.clone() }),
                Trigger::Webhook(webhook) => doors.webhooks.push(webhook.name.clone()),
                Trigger::Occurrence(_) | Trigger::Schedule(_) => {}
            }
        }
        doors
    }
}

/// Whether something that happened starts a run.
pub(crate) enum Admitted {
    /// It is not what the workflow waits for.
    NoMatch,
    /// It is, and yet no run starts.
    Refused { key: Option<String>, reason: String },
    /// It does, if the run gets the place of `one_per`.
    Starts(Box<Starting>),
}

impl App {
    /// Whether something that happened starts a run of a workflow; the record
    /// is taken as the event left it.
    pub(crate) async fn admitted(
        &self,
        digest: &str,
        definition: &Arc<Definition>,
        happening: &Happening,
    ) -> Result<Admitted, AppError> {
        self.admitted_knowing(digest, definition, happening, self.facts_of(happening)).await
    }

    /// The same on these facts: without any, the record is taken as it is.
    pub(crate) async fn admitted_knowing(
        &self,
        digest: &str,
        definition: &Arc<Definition>,
        happening: &Happening,
        facts: Facts,
    ) -> Result<Admitted, AppError> {
        self.admitted_over(digest, definition, happening, facts, None, self.now()).await
    }

    /// The same at another time, and with what is written and in no store.
    pub(crate) async fn admitted_over(
        &self,
        digest: &str,
        definition: &Arc<Definition>,
        happening: &Happening,
        mut facts: Facts,
        written: Option<&ChangeSet>,
        now: Timestamp,
    ) -> Result<Admitted, AppError> {
        let inputs = match self.inputs_of(definition, happening).await? {
            Ok(inputs) => inputs,
            Err(wrong) => {
                let reason = format!("its inputs are wrong: {}", listed(&wrong, "; "));
                return Ok(Admitted::Refused { key: None, reason });
            }
        };
        let asked_for = asked_by(definition, happening, &inputs);
        let asked = self
            .with_facts(&mut facts, written, |facts| match &asked_for {
                Some(asked) => admit_asked(definition, asked, facts, now),
                None => admit(definition, happening, facts, now),
            })
            .await;
        Ok(match asked {
            Ok(Admission::NoMatch) => Admitted::NoMatch,
            Ok(Admission::Refuse { key, reason }) => Admitted::Refused { key, reason },
            Ok(Admission::Start { subject, inputs, key, blocked_since }) => {
                let start = Start {
                    id: fresh::run_id(now),
                    version: digest.to_owned(),
                    subject,
                    key,
                    inputs,
                    happening: Some(happening.clone()),
                    parent: None,
                    now,
                };
                let starting = self.starting(definition, start, blocked_since);
                Admitted::Starts(Box::new(starting))
            }
            // A formula that fails on this record, or a segment that is
            // gone, is a reason for this workflow, not an end for all.
            Err(why) if why.is_wrong_input() => {
                Admitted::Refused { key: None, reason: why.to_string() }
            }
            Err(other) => return Err(other),
        })
    }

    /// The inputs that a run gets of what started it: those that a webhook's
    /// call or a person gave, else the defaults.
    async fn inputs_of(
        &self,
        definition: &Definition,
        happening: &Happening,
    ) -> Result<Result<Fields, Vec<FieldError>>, AppError> {
        let mut read = inputs_from_json(&definition.inputs, &given_by(happening));
        self.resolve_inputs(&mut read).await?;
        Ok(if read.wrong.is_empty() { Ok(read.values) } else { Err(read.wrong) })
    }

    /// Turns the records among inputs into references by id, and tells of
    /// those that are not there.
    pub(crate) async fn resolve_inputs(&self, read: &mut ReadInputs) -> Result<(), AppError> {
        for (name, value) in std::mem::take(&mut read.values) {
            match Box::pin(self.resolved(value)).await? {
                Ok(value) => {
                    read.values.insert(name, value);
                }
                Err(why) => read.wrong.push(FieldError::new(name, why)),
            }
        }
        Ok(())
    }

    async fn resolved(&self, value: Value) -> Result<Result<Value, String>, AppError> {
        match value {
            Value::Reference(reference) => {
                let missing = |what: String| {
                    Ok(Err(format!("names {what}, which is not there; create it first")))
                };
                if self.objects().get(&reference.object).is_none() {
                    return missing(format!(
                        "a record of `{}`, an object",
                        text::shortened(&reference.object, LONGEST)
                    ));
                }
                match self.store().record_fetch(&reference).await? {
                    Some(record) => Ok(Ok(Value::Reference(record.reference))),
                    None => missing(format!(
                        "the {} `{}`",
                        reference.object,
                        text::shortened(&reference.key, LONGEST)
                    )),
                }
            }
            Value::List(items) => {
                let mut resolved = Vec::with_capacity(items.len());
                for item in items {
                    match Box::pin(self.resolved(item)).await? {
                        Ok(item) => resolved.push(item),
                        Err(why) => return Ok(Err(why)),
                    }
                }
                Ok(Ok(Value::List(resolved)))
            }
            other => Ok(Ok(other)),
        }
    }

    /// Starts a workflow by hand: one that has a button, or that nothing
    /// starts by itself. What its author said of who gets it and how often
    /// holds here too; a refusal is kept with its reason.
    ///
    /// # Errors
    ///
    /// [`AppError`] where no such workflow is active, it cannot be started by
    /// hand or is about another record, and [`AppError::Inputs`] with all that
    /// is wrong with the inputs.
    pub async fn start(
        &self,
        workflow: &str,
        subject: Option<&Reference>,
        inputs: &GivenInputs,
        actor: &str,
    ) -> Result<ManualStart, AppError> {
        let active = self.active().await?;
        let Some((digest, definition)) =
            active.iter().find(|(_, definition)| definition.name == workflow)
        else {
            let names = active.iter().map(|(_, definition)| definition.name.as_str());
            let hint = text::nearest(workflow, names)
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return Err(AppError::wrong(format!("no workflow `{workflow}` is active{hint}")));
        };
        may_be_started(definition)?;
        let subject = self.subject(definition, subject).await?;
        let inputs = self.read_inputs(definition, inputs).await?;
        let now = self.now();
        let happening = Happening {
            id: fresh::event_id(now),
            at: now,
            kind: HappeningKind::Named {
                name: start_event(workflow),
                key: None,
                about: subject.iter().cloned().collect(),
                data: Value::Map(inputs),
            },
            run: None,
            workflow: None,
            depth: 0,
        };
        let mut matched = Matched::of(happening.clone());
        match self.admitted(digest, definition, &happening).await? {
            Admitted::Starts(starting) => matched.starts.push(*starting),
            Admitted::Refused { key, reason } => {
                matched.refusals.push((workflow.to_owned(), key, reason));
            }
            Admitted::NoMatch => {
                return Err(AppError::Fault(format!("{workflow} does not start by its own start")));
            }
        }
        let event = NewEvent {
            id: happening.id,
            at: now,
            kind: happening.kind,
            cause: Cause::outside(actor),
        };
        let matched = [matched.ready(now, None)?];
        let settled = self
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    tx.event_emit(&event).await?;
                    settle_all(tx, &matched, now).await
                })
            })
            .await?
            .pop();
        let (runs, refused) =
            settled.map_or_else(Default::default, |came| (came.runs, came.not_started));
        let refused = refused.into_iter().next();
        let outcome = ManualStart {
            workflow: workflow.to_owned(),
            record: subject.as_ref().map(Reference::to_string),
            run: runs.first().map(|run| run.run.to_string()),
            waits: refused.as_ref().is_some_and(|refused| refused.waits),
            why: refused.map(|refused| refused.why),
        };
        Ok(outcome)
    }

    /// The record that a run is about, by its id.
    async fn subject(
        &self,
        definition: &Definition,
        given: Option<&Reference>,
    ) -> Result<Option<Reference>, AppError> {
        let name = &definition.name;
        match (&definition.subject, given) {
            (Some(object), None) => Err(AppError::wrong(format!(
                "{name} is about {}; say which one: `relata start {name} {object}/…`",
                text::with_article(object)
            ))),
            (Some(object), Some(given)) if given.object != *object => Err(AppError::wrong(
                format!("{name} is about {}, and {given} is none", text::with_article(object)),
            )),
            (None, Some(given)) => Err(AppError::wrong(format!(
                "{name} is about no record; leave {given} out, or give it as an input"
            ))),
            (_, Some(given)) => Ok(Some(self.record(given).await?.reference)),
            (None, None) => Ok(None),
        }
    }

    async fn read_inputs(
        &self,
        definition: &Definition,
        given: &GivenInputs,
    ) -> Result<BTreeMap<String, Value>, AppError> {
        let mut read = match given {
            GivenInputs::Json(given) => inputs_from_json(&definition.inputs, given),
            GivenInputs::Text(given) => {
                let given: Vec<(String, String)> = given
                    .iter()
                    .map(|Assignment { field, written }| (field.clone(), written.clone()))
                    .collect();
                inputs_from_text(&definition.inputs, &given, &self.zone())
            }
        };
        self.resolve_inputs(&mut read).await?;
        read.strict(&definition.inputs).map_err(|wrong| AppError::Inputs {
            workflow: definition.name.clone(),
            takes: definition.inputs.iter().map(taken).collect(),
            wrong,
        })
    }
}

/// `percent: a number`.
fn taken(input: &Input) -> String {
    format!("{}: {}", input.name, describe_input(input))
}

/// Several errors in a text.
pub(crate) fn listed(wrong: &[FieldError], between: &str) -> String {
    wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}

/// Whether a person may start it: it has a button, or nothing else starts it.
fn may_be_started(definition: &Definition) -> Result<(), AppError> {
    let by_hand = definition.triggers.is_empty()
        || definition.triggers.iter().any(|trigger| matches!(trigger, Trigger::Button(_)));
    if by_hand {
        return Ok(());
    }
    Err(AppError::wrong(format!(
        "{} starts by itself; for a start by hand add `- button: {}` to its `when:`, and activate it again",
        definition.name, definition.title
    )))
}

/// The inputs that a webhook's call or a person gave.
pub(crate) fn given_by(happening: &Happening) -> Map<String, Json> {
    match &happening.kind {
        HappeningKind::Named { name, data, .. }
            if name.starts_with("webhook:") || name.starts_with("start:") =>
        {
            match data.to_json() {
                Json::Object(given) => given,
                _ => Map::new(),
            }
        }
        _ => Map::new(),
    }
}

/// What a webhook's call or a start by hand asks of a workflow, with these
/// inputs; none where it is not meant for this one.
pub(crate) fn asked_by(
    definition: &Definition,
    happening: &Happening,
    inputs: &Fields,
) -> Option<Asked> {
    let HappeningKind::Named { name, about, .. } = &happening.kind else { return None };
    let meant = *name == start_event(&definition.name)
        || definition.triggers.iter().any(|trigger| match trigger {
            Trigger::Webhook(webhook) => *name == webhook_event(&webhook.name),
            _ => false,
        });
    meant.then(|| Asked {
        subject: about.first().cloned(),
        inputs: inputs.clone(),
        depth: happening.depth,
    })
}

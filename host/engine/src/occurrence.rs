//! Whether something that happened is what a workflow speaks of.

use relata_model::{Change, ChangeKind, Reference, Value};
use relata_workflow::{Definition, Occurrence, Step, StepKind};

use crate::{Happening, HappeningKind, Rounds, Run, Watch};

/// The topic under which the entering of a segment is delivered.
pub(crate) fn enters_topic(segment: &str) -> String {
    format!("enters:{segment}")
}

/// Whether this is the kind of thing meant, whoever it is about.
pub(crate) fn is_kind(occurrence: &Occurrence, happening: &Happening) -> bool {
    match (occurrence, &happening.kind) {
        (Occurrence::Created { object }, HappeningKind::Change(change)) => {
            change.kind == ChangeKind::Created && &change.reference.object == object
        }
        (Occurrence::Changed { object, field, from, to }, HappeningKind::Change(change)) => {
            change.kind == ChangeKind::Changed
                && &change.reference.object == object
                && changed(change, field.as_deref(), from, to)
        }
        (Occurrence::Enters { segment }, HappeningKind::Named { name, .. }) => {
            name.strip_prefix("enters:") == Some(segment)
        }
        (Occurrence::Event { name }, HappeningKind::Named { name: happened, .. }) => {
            name == happened
        }
        _ => false,
    }
}

fn changed(change: &Change, field: Option<&str>, from: &[Value], to: &[Value]) -> bool {
    let Some(field) = field else { return true };
    change.touches(field)
        && (from.is_empty() || is_one_of(change.was(field), from))
        && (to.is_empty() || is_one_of(change.is(field), to))
}

/// Whether a field's value is one of those that a workflow names. There a
/// record is written as text (`queue/unassigned`).
pub(crate) fn is_one_of(value: &Value, wanted: &[Value]) -> bool {
    wanted.iter().any(|wanted| match (value, wanted) {
        (Value::Reference(reference), Value::Text(text)) => reference.to_string() == *text,
        (value, wanted) => value == wanted,
    })
}

/// Whether it is about a record.
pub(crate) fn is_about(happening: &Happening, record: &Reference) -> bool {
    match &happening.kind {
        HappeningKind::Change(change) => &change.reference == record,
        HappeningKind::Named { about, .. } => about.contains(record),
    }
}

/// The record that it is mainly about.
pub(crate) fn main_record(happening: &Happening) -> Option<&Reference> {
    match &happening.kind {
        HappeningKind::Change(change) => Some(&change.reference),
        HappeningKind::Named { about, .. } => about.first(),
    }
}

/// How what is awaited is told from the same thing of others.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Awaited {
    /// It is about this record.
    About(Reference),
    /// It carries one of these keys: those of a step's result.
    Keyed(Vec<String>),
    /// It cannot come: the step that it would answer was skipped.
    Never,
}

impl Awaited {
    /// What a `wait_for` with this target listens for.
    pub(crate) fn watches(&self, occurrence: &Occurrence) -> Vec<Watch> {
        let topic = match occurrence {
            Occurrence::Event { name } => name.clone(),
            Occurrence::Enters { segment } => enters_topic(segment),
            Occurrence::Created { .. } | Occurrence::Changed { .. } => {
                return match self {
                    Self::About(record) => vec![Watch::changes_of(record)],
                    Self::Keyed(_) | Self::Never => Vec::new(),
                };
            }
        };
        match self {
            Self::About(record) => vec![Watch::event(topic, record)],
            Self::Keyed(keys) => keys.iter().map(|key| Watch::event(topic.clone(), key)).collect(),
            Self::Never => Vec::new(),
        }
    }

    /// Whether this is what is awaited.
    pub(crate) fn is(&self, occurrence: &Occurrence, happening: &Happening) -> bool {
        is_kind(occurrence, happening)
            && match self {
                Self::About(record) => is_about(happening, record),
                Self::Keyed(keys) => match &happening.kind {
                    HappeningKind::Named { key: Some(key), .. } => keys.contains(key),
                    _ => false,
                },
                Self::Never => false,
            }
    }
}

/// The keys by which events answer a step's result, as a strand sees it; none
/// where the action does not declare that this event answers it.
pub(crate) fn keys_since(
    def: &Definition,
    run: &Run,
    rounds: &Rounds,
    event: &str,
    since: &str,
) -> Option<Awaited> {
    let field_of = |step: &Step| match &step.kind {
        StepKind::Do(call) => {
            call.correlation.iter().find(|(name, _)| name == event).map(|(_, field)| field.clone())
        }
        _ => None,
    };
    let field = match run.done(rounds, since) {
        Some(done) => def.steps.get(done.step.0 as usize).and_then(field_of),
        // It has not come to it: there is nothing that could be answered.
        None => {
            let mut named = def.steps.iter().filter(|step| step.name.as_deref() == Some(since));
            named.find_map(field_of)
        }
    }?;
    let key = match run.seen(def, rounds, since) {
        Some(Value::Map(output)) => output.get(&field),
        _ => None,
    };
    Some(match key {
        None | Some(Value::Nothing) => Awaited::Never,
        // The event's key may be the record's id alone.
        Some(Value::Reference(reference)) => {
            Awaited::Keyed(vec![reference.to_string(), reference.key.clone()])
        }
        Some(key) => {
            let text = key.to_string();
            let bare = text.split_once('/').map(|(_, key)| key.to_owned());
            Awaited::Keyed([Some(text), bare].into_iter().flatten().collect())
        }
    })
}

//! Whether something that happened starts a run of a workflow.

use std::collections::BTreeMap;

use relata_model::{Duration, Reference, Timestamp, Value};
use relata_workflow::{Definition, EvaluationError, Facts, Repeat, Trigger};

use crate::{
    Happening, HappeningKind,
    decide::Halt,
    happening::brief,
    occurrence,
    world::{Evaluated, World},
};

/// At how many runs in a chain an event starts nothing more.
const DEEPEST: u32 = 8;

/// Whether something that happened starts a run of a workflow.
#[derive(Debug, Clone, PartialEq)]
pub enum Admission {
    /// It does, unless a former run for the same key blocks it.
    Start {
        /// The record that the run is about.
        subject: Option<Reference>,
        /// The value of `one_per`, as text; none where the workflow has no
        /// `repeat`.
        key: Option<String>,
        /// Which former runs for the same key block this one: none of them
        /// where this is none (no `repeat`); any of them for `Some(None)`
        /// (`again_after: never`); else those that count later than the time.
        blocked_since: Option<Option<Timestamp>>,
    },
    /// It is what the workflow waits for, and yet no run starts.
    Refuse {
        /// The value of `one_per`, where it came so far.
        key: Option<String>,
        /// Why, in a sentence with the values.
        reason: String,
    },
    /// It is not what the workflow waits for.
    NoMatch,
}

/// Whether something that happened starts a run of a workflow.
///
/// # Errors
///
/// [`Halt::Need`] where a fact is missing.
pub fn admit(
    def: &Definition,
    happening: &Happening,
    facts: &Facts,
    now: Timestamp,
) -> Result<Admission, Halt> {
    let mut key = None;
    match consider(def, happening, facts, now, &mut key) {
        Ok(admission) => Ok(admission),
        Err(EvaluationError::Need(need)) => Err(Halt::Need(need)),
        Err(EvaluationError::Fault(reason)) => Ok(Admission::Refuse { key, reason }),
    }
}

fn consider(
    def: &Definition,
    happening: &Happening,
    facts: &Facts,
    now: Timestamp,
    key: &mut Option<String>,
) -> Evaluated<Admission> {
    let matches = def.triggers.iter().any(|trigger| match trigger {
        Trigger::Occurrence(occurrence) => occurrence::is_kind(occurrence, happening),
        Trigger::Schedule(_) | Trigger::Webhook(_) | Trigger::Button(_) => false,
    });
    if !matches {
        return Ok(Admission::NoMatch);
    }
    let refuse =
        |key: &Option<String>, reason: String| Ok(Admission::Refuse { key: key.clone(), reason });
    if happening.workflow.as_ref() == Some(&def.name) {
        let run = happening.run.map_or_else(|| "a run".to_owned(), |run| run.to_string());
        return refuse(key, format!("{run} of this workflow did it itself"));
    }
    if happening.depth >= DEEPEST {
        return refuse(
            key,
            format!(
                "held: {} runs in a row have started one another; look for workflows that start each other",
                happening.depth
            ),
        );
    }
    let subject = subject(def, happening);
    let mut variables = BTreeMap::new();
    match (&subject, &def.subject) {
        (Some(subject), name) => {
            let name = name.as_ref().unwrap_or(&subject.object);
            variables.insert(name.clone(), Value::Reference(subject.clone()));
        }
        (None, Some(object)) => {
            return refuse(
                key,
                format!("{}: there is no {object} that it is about", happening.describe()),
            );
        }
        (None, None) => {}
    }
    let world = World { def, variables: &variables, facts, now };
    for condition in &def.only_if {
        let (holds, values) = match world.holds(condition) {
            Err(EvaluationError::Fault(why)) => {
                return refuse(
                    key,
                    format!("only_if `{}` has no answer: {why}", condition.source.trim()),
                );
            }
            answer => answer?,
        };
        if !holds {
            return refuse(key, format!("only_if does not hold: {values}"));
        }
    }
    let one_per = match &def.repeat {
        Some(repeat) => Some(one_per(&world, repeat)?),
        None => None,
    };
    *key = one_per.as_ref().map(|(_, key)| key.clone());
    if !def.never_for.is_empty() {
        let one_per = one_per.as_ref().and_then(|(reference, _)| reference.as_ref());
        let candidates = members(&world, one_per, subject.as_ref())?;
        for segment in &def.never_for {
            for member in &candidates {
                if facts.is_member(segment, member)? {
                    return refuse(
                        key,
                        format!("{member} is in segment/{segment}, which never_for names"),
                    );
                }
            }
        }
    }
    let blocked_since = match &def.repeat {
        Some(repeat) => Some(blocked_since(&world, repeat)?),
        None => None,
    };
    Ok(Admission::Start { subject, key: key.clone(), blocked_since })
}

/// The record that a run would be about: of all that it is about, the first
/// of the object that the workflow is for.
fn subject(def: &Definition, happening: &Happening) -> Option<Reference> {
    let about = match &happening.kind {
        HappeningKind::Change(change) => std::slice::from_ref(&change.reference),
        HappeningKind::Named { about, .. } => about.as_slice(),
    };
    match &def.subject {
        Some(object) => about.iter().find(|record| &record.object == object).cloned(),
        None => about.first().cloned(),
    }
}

/// The value of `one_per`: the record, if it is one, and the text.
fn one_per(world: &World<'_>, repeat: &Repeat) -> Evaluated<(Option<Reference>, String)> {
    let written = repeat.one_per.source.trim();
    match world.value(&repeat.one_per)? {
        Value::Nothing => crate::world::fault(format!(
            "one_per ({written}) is empty, so nobody can tell how often the workflow has run for it"
        )),
        Value::Reference(reference) => {
            let reference = world.canonical(&reference)?;
            let key = reference.to_string();
            Ok((Some(reference), key))
        }
        other => Ok((None, other.to_string())),
    }
}

/// The record that a segment of `never_for` may have as a member: the contact
/// of `one_per`, else the subject if it is one, else the contact that the
/// subject names; where there is none, the subject itself.
fn members(
    world: &World<'_>,
    one_per: Option<&Reference>,
    subject: Option<&Reference>,
) -> Evaluated<Vec<Reference>> {
    let is_contact = |reference: &&Reference| reference.object == "contact";
    if let Some(contact) = one_per.filter(is_contact).or(subject.filter(is_contact)) {
        return Ok(vec![contact.clone()]);
    }
    let Some(subject) = subject else { return Ok(Vec::new()) };
    if let Some(record) = world.facts.record(subject)? {
        let named = ["customer", "contact"].iter().find_map(|field| match record.field(field) {
            Value::Reference(reference) if reference.object == "contact" => Some(reference.clone()),
            _ => None,
        });
        if let Some(contact) = named {
            return Ok(vec![world.canonical(&contact)?]);
        }
    }
    Ok(vec![subject.clone()])
}

/// Since when a former run blocks: `None` is since ever.
fn blocked_since(world: &World<'_>, repeat: &Repeat) -> Evaluated<Option<Timestamp>> {
    let Some(again_after) = &repeat.again_after else { return Ok(None) };
    let written = again_after.source.trim();
    match world.value(again_after)? {
        Value::Duration(duration) => {
            let back: Duration = duration.negated();
            world.after(world.now, back, None).map(Some)
        }
        other => crate::world::fault(format!(
            "again_after ({written}) is {}, not a duration",
            brief(&other)
        )),
    }
}

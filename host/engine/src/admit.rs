//! Whether something that happened, or that somebody asked for, starts a run
//! of a workflow.

use std::collections::BTreeMap;

use relata_model::{Duration, Reference, Timestamp, Value};
use relata_workflow::{Definition, EvaluationError, Facts, Repeat, Trigger};

use crate::{
    Happening, HappeningKind,
    decide::Halt,
    happening::brief,
    inputs, occurrence,
    world::{Evaluated, World, fault},
};

/// At how many runs in a chain an event starts nothing more.
pub(crate) const DEEPEST: u32 = 8;

/// Whether a run of a workflow starts.
#[derive(Debug, Clone, PartialEq)]
pub enum Admission {
    /// It does, unless a former run for the same key blocks it.
    Start {
        /// The record that the run is about.
        subject: Option<Reference>,
        /// What the run is given, by the names of the workflow's inputs.
        inputs: BTreeMap<String, Value>,
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

/// A run that somebody asks for: a person with a button or on the command
/// line, another program, or another run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Asked {
    /// The record that it is about.
    pub subject: Option<Reference>,
    /// What it is given, by the names of the workflow's inputs.
    pub inputs: BTreeMap<String, Value>,
    /// How many runs stand between it and a person or the outside world.
    pub depth: u32,
}

/// Whether something that happened starts a run of a workflow.
///
/// A call of a webhook happens as an event of the name `webhook:NAME`, about
/// nothing, whose data are the fields of the body: those that the workflow
/// has inputs for are what the run is given. Any other trigger gives nothing,
/// and leaves the inputs to their defaults. A button and a schedule do not
/// happen; for a button there is [`admit_asked`].
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
    let given = def.triggers.iter().find_map(|trigger| match (trigger, &happening.kind) {
        (Trigger::Occurrence(occurrence), _) => {
            occurrence::is_kind(occurrence, happening).then(BTreeMap::new)
        }
        (Trigger::Webhook(webhook), HappeningKind::Named { name, data, .. }) => {
            (name.strip_prefix("webhook:") == Some(&webhook.name)).then(|| match data {
                Value::Map(fields) => fields.clone(),
                _ => BTreeMap::new(),
            })
        }
        (Trigger::Webhook(_) | Trigger::Schedule(_) | Trigger::Button(_), _) => None,
    });
    let Some(inputs) = given else { return Ok(Admission::NoMatch) };
    if happening.workflow.as_ref() == Some(&def.name) {
        let run = happening.run.map_or_else(|| "a run".to_owned(), |run| run.to_string());
        let reason = format!("{run} of this workflow did it itself");
        return Ok(Admission::Refuse { key: None, reason });
    }
    let subject = subject(def, happening);
    let asked = Asked { subject, inputs, depth: happening.depth };
    decided(def, &asked, &happening.describe(), facts, now)
}

/// Whether a run that somebody asks for starts: the same conditions as for
/// one that something starts.
///
/// # Errors
///
/// [`Halt::Need`] where a fact is missing.
pub fn admit_asked(
    def: &Definition,
    asked: &Asked,
    facts: &Facts,
    now: Timestamp,
) -> Result<Admission, Halt> {
    decided(def, asked, "it was asked for", facts, now)
}

fn decided(
    def: &Definition,
    asked: &Asked,
    what: &str,
    facts: &Facts,
    now: Timestamp,
) -> Result<Admission, Halt> {
    let mut key = None;
    match consider(def, asked, what, facts, now, &mut key) {
        Ok(admission) => Ok(admission),
        Err(EvaluationError::Need(need)) => Err(Halt::Need(need)),
        Err(EvaluationError::Fault(reason)) => Ok(Admission::Refuse { key, reason }),
    }
}

/// A fault is the reason for a refusal.
fn consider(
    def: &Definition,
    asked: &Asked,
    what: &str,
    facts: &Facts,
    now: Timestamp,
    key: &mut Option<String>,
) -> Evaluated<Admission> {
    if asked.depth >= DEEPEST {
        return fault(format!(
            "held: {} runs in a row have started one another; look for workflows that start each other",
            asked.depth
        ));
    }
    let subject = asked.subject.as_ref();
    match (&def.subject, subject) {
        (Some(object), None) => {
            return fault(format!("{what}: there is no {object} that it is about"));
        }
        (Some(object), Some(record)) if &record.object != object => {
            return fault(format!("{what}: {record} is no {object}"));
        }
        _ => {}
    }
    let inputs = inputs::read_or_say(def, &asked.inputs).or_else(fault)?;
    let variables = inputs::variables(def, inputs.clone(), subject);
    let world = World { def, variables: vec![&def.constants, &variables], facts, now };
    for condition in &def.only_if {
        let (holds, values) = match world.holds(condition) {
            Err(EvaluationError::Fault(why)) => {
                return fault(format!(
                    "only_if `{}` has no answer: {why}",
                    condition.source.trim()
                ));
            }
            answer => answer?,
        };
        if !holds {
            return fault(format!("only_if does not hold: {values}"));
        }
    }
    let one_per = match &def.repeat {
        Some(repeat) => Some(one_per(&world, repeat)?),
        None => None,
    };
    *key = one_per.as_ref().map(|(_, key)| key.clone());
    if !def.never_for.is_empty() {
        let one_per = one_per.as_ref().and_then(|(reference, _)| reference.as_ref());
        let candidates = members(&world, one_per, subject)?;
        for segment in &def.never_for {
            for member in &candidates {
                if facts.is_member(segment, member)? {
                    return fault(format!(
                        "{member} is in segment/{segment}, which never_for names"
                    ));
                }
            }
        }
    }
    let blocked_since = match &def.repeat {
        Some(repeat) => Some(blocked_since(&world, repeat)?),
        None => None,
    };
    Ok(Admission::Start { subject: subject.cloned(), inputs, key: key.clone(), blocked_since })
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
        Value::Nothing => fault(format!(
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
        other => fault(format!("again_after ({written}) is {}, not a duration", brief(&other))),
    }
}

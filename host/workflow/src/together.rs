//! Checks over all workflows at once: what one writes may start another, and
//! so on, round and round.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use relata_model::{Objects, Value};

use crate::{
    catalog::Catalog,
    definition::{Definition, Do, Expression, Occurrence, Step, StepKind, Trigger},
    diagnostic::{self as codes, Diagnostic, Severity, Span},
    formula::{Known, Names},
    read::fields_argument,
    types::{Slot, Type},
};

/// Checks what no workflow shows alone: names that are taken twice, and
/// workflows that may start each other for ever. Each workflow comes with its
/// file's name; the diagnostics point at lines, without columns.
///
/// What a workflow writes never starts itself, so a circle has two workflows
/// or more. Conditions are not weighed, so a circle is only a warning.
#[must_use]
pub fn check_together(workflows: &[(&Definition, &str)], catalog: &Catalog) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    for (definition, file) in workflows {
        if let Some(other) = names.insert(&definition.name, file) {
            found.push(at_line(
                codes::SAME_NAME,
                Severity::Error,
                file,
                1,
                format!("the workflow `{}` is in {other} already", definition.name),
                "rename one of the two",
            ));
        }
    }
    let writes: Vec<Vec<Write>> =
        workflows.iter().map(|(definition, _)| writes(definition, catalog)).collect();
    // For each workflow, those that it may start, and the line that does it.
    let starts: Vec<BTreeMap<usize, u32>> = writes
        .iter()
        .enumerate()
        .map(|(from, writes)| {
            workflows
                .iter()
                .enumerate()
                .filter(|(to, _)| *to != from)
                .filter_map(|(to, (definition, _))| {
                    let write = writes
                        .iter()
                        .find(|write| may_start(write, definition, &catalog.objects))?;
                    Some((to, write.line))
                })
                .collect()
        })
        .collect();
    let mut told = BTreeSet::new();
    for from in 0..workflows.len() {
        let Some(circle) = circle(from, &starts) else { continue };
        let mut members = circle.clone();
        members.sort_unstable();
        if !told.insert(members) {
            continue;
        }
        let names: Vec<&str> =
            circle.iter().map(|place| workflows[*place].0.name.as_str()).collect();
        let next = circle.get(1).copied().unwrap_or(from);
        let line = starts[from].get(&next).copied().unwrap_or(1);
        found.push(at_line(
            codes::LOOP,
            Severity::Warning,
            workflows[from].1,
            line,
            format!(
                "these workflows may start each other for ever: {} -> {}",
                names.join(" -> "),
                names[0]
            ),
            "let an `only_if` of one exclude what another writes",
        ));
    }
    found
}

fn at_line(
    code: &'static str,
    severity: Severity,
    file: &str,
    line: u32,
    message: String,
    help: &str,
) -> Diagnostic {
    let span = Span { line: line as usize, column: 1, ..Span::default() };
    Diagnostic { code, severity, message, help: Some(help.to_owned()), file: file.to_owned(), span }
}

/// The shortest way from a workflow back to itself.
fn circle(from: usize, starts: &[BTreeMap<usize, u32>]) -> Option<Vec<usize>> {
    let mut before: BTreeMap<usize, usize> = BTreeMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(here) = queue.pop_front() {
        for next in starts[here].keys() {
            if *next == from {
                let mut way = vec![here];
                let mut at = here;
                while at != from {
                    at = *before.get(&at)?;
                    way.push(at);
                }
                way.reverse();
                return Some(way);
            }
            if !before.contains_key(next) {
                before.insert(*next, here);
                queue.push_back(*next);
            }
        }
    }
    None
}

/// Something that a step writes.
struct Write {
    object: String,
    /// The field; none for a new record.
    field: Option<String>,
    /// The value, where it is written out.
    value: Option<Value>,
    line: u32,
}

fn writes(definition: &Definition, catalog: &Catalog) -> Vec<Write> {
    let names = names(definition, catalog);
    let mut all = Vec::new();
    for step in &definition.steps {
        if let StepKind::Do(call) = &step.kind {
            step_writes(step, call, &names, catalog, &mut all);
        }
    }
    all
}

fn step_writes(step: &Step, call: &Do, names: &Names, catalog: &Catalog, all: &mut Vec<Write>) {
    let Some(signature) = catalog.actions.get(&call.action) else { return };
    let line = step.line;
    for written in &signature.writes {
        if written != "*" {
            let (object, field) =
                written.split_once('.').map_or((written.as_str(), None), |(object, field)| {
                    (object, Some(field.to_owned()))
                });
            all.push(Write { object: object.to_owned(), field, value: None, line });
            continue;
        }
        // The input decides: the fields that are given, of the record or the
        // object that is given.
        let Some((fields, of)) = fields_argument(signature) else { continue };
        let argument = |name: &str| {
            call.input.iter().find(|argument| argument.name == name).map(|argument| &argument.value)
        };
        let created = match of.strip_prefix("object/") {
            Some(object) => Some(object.to_owned()),
            None => match argument(&of) {
                Some(Expression::Literal(Value::Text(object))) => Some(object.clone()),
                _ => None,
            },
        };
        if let Some(object) = created {
            all.push(Write { object, field: None, value: None, line });
            continue;
        }
        let objects = match argument(&of) {
            Some(Expression::Literal(Value::Reference(reference))) => {
                vec![reference.object.clone()]
            }
            Some(Expression::Formula(formula)) => {
                match formula.check(names, &catalog.objects).slot.kind {
                    Type::Record(objects) => objects,
                    _ => Vec::new(),
                }
            }
            _ => Vec::new(),
        };
        let Some(Expression::Map(parts)) = argument(&fields) else { continue };
        for object in &objects {
            for (field, value) in parts {
                let value = match value {
                    Expression::Literal(value) => Some(value.clone()),
                    _ => None,
                };
                all.push(Write { object: object.clone(), field: Some(field.clone()), value, line });
            }
        }
    }
}

/// The types of a workflow's subject and results.
fn names(definition: &Definition, catalog: &Catalog) -> Names {
    let mut names = Names::default();
    let record = |object: &str| Slot::of(Type::Record(vec![object.to_owned()]));
    if let Some(subject) = &definition.subject {
        names.variables.insert(subject.clone(), Known::set(record(subject)));
    }
    for step in &definition.steps {
        let Some(name) = &step.name else { continue };
        let slot = match &step.kind {
            StepKind::Do(call) => Slot::of(call.output.clone()),
            StepKind::WaitFor(wait) => match &wait.occurrence {
                Occurrence::Event { name } => catalog
                    .objects
                    .event(name)
                    .map_or(Slot::of(Type::Any), |(object, _)| record(&object.name)),
                Occurrence::Changed { object, .. } | Occurrence::Created { object } => {
                    record(object)
                }
                Occurrence::Enters { .. } => Slot::of(Type::Any),
            },
            _ => Slot::of(Type::Any),
        };
        names.variables.insert(name.clone(), Known::set(slot));
    }
    names
}

fn may_start(write: &Write, definition: &Definition, objects: &Objects) -> bool {
    definition.triggers.iter().any(|trigger| match trigger {
        Trigger::Schedule(_) | Trigger::Webhook(_) | Trigger::Button(_) => false,
        Trigger::Occurrence(occurrence) => match occurrence {
            Occurrence::Created { object } => write.field.is_none() && write.object == *object,
            Occurrence::Changed { object, field, to, .. } => {
                let fits = |value: &Value| to.is_empty() || to.contains(value);
                write.object == *object
                    && write.field.is_some()
                    && (field.is_none() || *field == write.field)
                    && write.value.as_ref().is_none_or(fits)
            }
            // What enters a segment is decided by its rule, not by a write.
            Occurrence::Enters { .. } => false,
            Occurrence::Event { name } => objects.event(name).is_some_and(|(object, event)| {
                write.object == object.name
                    && write.field.as_ref() == Some(&event.field)
                    && write
                        .value
                        .as_ref()
                        .is_none_or(|value| value.as_text() == Some(&event.becomes))
            }),
        },
    })
}

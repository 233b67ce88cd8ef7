//! Checks over all workflows at once: what one writes may start another, and
//! so on, round and round.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use relata_model::{Objects, Value};

use crate::{
    catalog::Catalog,
    definition::{Definition, Do, Expression, Occurrence, Step, StepKind, Trigger},
    diagnostic::{self as codes, Diagnostic, Severity, Span},
    formula::{Known, Names},
    read::{fields_argument, slot_of},
    types::{Slot, Type},
};

/// Checks what no workflow shows alone: names that are taken twice, workflows
/// that run each other for ever, and workflows that may start each other for
/// ever. Each workflow comes with its file's name; the diagnostics point at
/// lines, without columns. Those that have no file (they are active) come
/// last, with an empty name: what is wrong is told at one that has.
///
/// What a workflow writes never starts itself, so a circle has two workflows
/// or more. Conditions are not weighed, so a circle of triggers is only a
/// warning. One of `run:` steps alone is an error.
#[must_use]
pub fn check_together(workflows: &[(&Definition, &str)], catalog: &Catalog) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    same_names(workflows, &mut found);
    let runs: Vec<BTreeMap<usize, u32>> =
        workflows.iter().map(|(definition, _)| runs(definition, workflows)).collect();
    for circle in circles(&runs) {
        let line = runs[circle[0]].get(next(&circle)).copied().unwrap_or(1);
        found.push(at_line(
            codes::RUNS_FOR_EVER,
            Severity::Error,
            workflows[circle[0]].1,
            line,
            format!("these workflows run each other for ever: {}", written(&circle, workflows)),
            "take one of the `run:` steps out",
        ));
    }
    let writes: Vec<Vec<Write>> =
        workflows.iter().map(|(definition, _)| writes(definition, catalog)).collect();
    // For each workflow, those that it may start, and the line that does it.
    let starts: Vec<BTreeMap<usize, u32>> = writes
        .iter()
        .enumerate()
        .map(|(from, writes)| {
            let others = workflows.iter().enumerate().filter(|(to, _)| *to != from);
            let by_writes = others.filter_map(|(to, (definition, _))| {
                let write =
                    writes.iter().find(|write| may_start(write, definition, &catalog.objects))?;
                Some((to, write.line))
            });
            by_writes.chain(runs[from].clone()).collect()
        })
        .collect();
    for circle in circles(&starts) {
        let only_runs = (0..circle.len()).all(|at| {
            let to = circle[(at + 1) % circle.len()];
            runs[circle[at]].contains_key(&to)
        });
        if only_runs {
            continue;
        }
        let line = starts[circle[0]].get(next(&circle)).copied().unwrap_or(1);
        found.push(at_line(
            codes::LOOP,
            Severity::Warning,
            workflows[circle[0]].1,
            line,
            format!(
                "these workflows may start each other for ever: {}",
                written(&circle, workflows)
            ),
            "let an `only_if` of one exclude what another writes",
        ));
    }
    found
}

/// Names and webhooks that are taken twice.
fn same_names(workflows: &[(&Definition, &str)], found: &mut Vec<Diagnostic>) {
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    let mut webhooks: BTreeMap<&str, &str> = BTreeMap::new();
    for (definition, file) in workflows {
        // Where, and in which other one it is already.
        let told = |other: &'_ str| match (file.is_empty(), other) {
            (true, other) => {
                (other.to_owned(), format!("the active workflow `{}`", definition.name))
            }
            (false, other) => ((*file).to_owned(), other.to_owned()),
        };
        if let Some(other) = names.insert(&definition.name, file) {
            let (file, other) = told(other);
            found.push(at_line(
                codes::SAME_NAME,
                Severity::Error,
                &file,
                1,
                format!("the workflow `{}` is in {other} already", definition.name),
                "rename one of the two",
            ));
            continue;
        }
        for trigger in &definition.triggers {
            let Trigger::Webhook(webhook) = trigger else { continue };
            if let Some(other) = webhooks.insert(&webhook.name, file) {
                let (file, other) = told(other);
                found.push(at_line(
                    codes::SAME_WEBHOOK,
                    Severity::Error,
                    &file,
                    1,
                    format!("the webhook `{}` is in {other} already", webhook.name),
                    "rename one of the two, or run this workflow from the other with `run:`",
                ));
            }
        }
    }
}

/// The workflows that one runs, each with the line of the step.
fn runs(definition: &Definition, workflows: &[(&Definition, &str)]) -> BTreeMap<usize, u32> {
    let steps = definition.steps.iter().filter_map(|step| match &step.kind {
        StepKind::Run(run) => Some((run, step.line)),
        _ => None,
    });
    // The first line counts, so the later ones come first.
    let mut found: Vec<(usize, u32)> = steps
        .filter_map(|(run, line)| {
            let to = workflows.iter().position(|(other, _)| other.name == run.workflow)?;
            Some((to, line))
        })
        .collect();
    found.reverse();
    found.into_iter().collect()
}

/// The circles, each once, from the first of the workflows in it.
fn circles(starts: &[BTreeMap<usize, u32>]) -> Vec<Vec<usize>> {
    let mut told = BTreeSet::new();
    (0..starts.len())
        .filter_map(|from| circle(from, starts))
        .map(|mut circle| {
            let first = (0..circle.len()).min_by_key(|place| circle[*place]).unwrap_or(0);
            circle.rotate_left(first);
            circle
        })
        .filter(|circle| {
            let mut members = circle.clone();
            members.sort_unstable();
            told.insert(members)
        })
        .collect()
}

/// The workflow behind the first of a circle.
fn next(circle: &[usize]) -> &usize {
    circle.get(1).unwrap_or(&circle[0])
}

/// `a -> b -> a`
fn written(circle: &[usize], workflows: &[(&Definition, &str)]) -> String {
    let names: Vec<&str> = circle
        .iter()
        .chain(circle.first())
        .map(|place| workflows[*place].0.name.as_str())
        .collect();
    names.join(" -> ")
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

/// Whether a workflow may write one of some fields of an object's records that
/// are there already, as far as its text tells.
#[must_use]
pub fn may_write(
    definition: &Definition,
    object: &str,
    fields: &[&str],
    catalog: &Catalog,
) -> bool {
    writes(definition, catalog).iter().any(|write| {
        write.object == object
            && write.field.as_deref().is_some_and(|field| fields.contains(&field))
    })
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

/// The types of a workflow's subject, inputs and results. Where several steps
/// have one name, in loops that come one after another, the type takes the
/// results of all.
fn names(definition: &Definition, catalog: &Catalog) -> Names {
    let mut names = Names::default();
    let record = |object: &str| Slot::of(Type::Record(vec![object.to_owned()]));
    if let Some(subject) = &definition.subject {
        names.insert(subject, Known::set(record(subject)));
    }
    for input in &definition.inputs {
        names.insert(&input.name, Known::set(input.slot.clone()));
    }
    for (name, value) in &definition.constants {
        names.insert(name, Known::set(slot_of(value)));
    }
    for step in &definition.steps {
        if let StepKind::Set { values } = &step.kind {
            for (name, value) in values {
                let slot = expression_slot(value, &names, &catalog.objects);
                add(&mut names, name, slot);
            }
        }
        if let StepKind::ForEach(each) = &step.kind {
            let slot = match each.list.check(&names, &catalog.objects).slot.kind {
                Type::List(items) => *items,
                _ => Slot::of(Type::Any),
            };
            add(&mut names, &each.item, slot);
        }
        let Some(name) = &step.name else { continue };
        let slot = match &step.kind {
            StepKind::Do(call) => Slot::of(call.output.clone()),
            StepKind::Run(run) => Slot::of(run.output.clone()),
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
        add(&mut names, name, slot);
    }
    names
}

fn add(names: &mut Names, name: &str, slot: Slot) {
    let slot = match names.get(name) {
        Some(before) => before.slot.join(&slot).unwrap_or(Slot::of(Type::Any)),
        None => slot,
    };
    names.insert(name, Known::set(slot));
}

fn expression_slot(expression: &Expression, names: &Names, objects: &Objects) -> Slot {
    match expression {
        Expression::Literal(value) => slot_of(value),
        Expression::Formula(formula) => formula.check(names, objects).slot,
        Expression::Text(_) => Slot::of(Type::Text),
        Expression::List(items) => {
            let slots = items.iter().map(|item| expression_slot(item, names, objects));
            let of = slots.reduce(|all, slot| all.join(&slot).unwrap_or(Slot::of(Type::Any)));
            Slot::of(Type::List(Box::new(of.unwrap_or(Slot::of(Type::Nothing)))))
        }
        Expression::Map(parts) => Slot::of(Type::Map(
            parts
                .iter()
                .map(|(name, part)| (name.clone(), expression_slot(part, names, objects)))
                .collect(),
        )),
    }
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

//! Files: a workflow, a blueprint, or a workflow that is made of one; and
//! several files that name each other.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Reader,
    blueprint::{Instance, unknown},
};
use crate::{
    catalog::{Catalog, WorkflowSignature},
    definition::Definition,
    diagnostic::{self as codes, Diagnostic, Findings, Place, Severity},
    formula::Names,
    insight::Recording,
    source::{self, Content, Node},
    types::{Slot, Type},
};

/// What a file is, by the name with which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// `workflow: NAME`
    Workflow(String),
    /// `workflow: NAME` and `blueprint: NAME`: a workflow that is made of a
    /// blueprint.
    Instance {
        /// The workflow's name.
        workflow: String,
        /// The blueprint's name.
        blueprint: String,
    },
    /// `blueprint: NAME` alone. It has no definition of its own: [`parse`]
    /// yields none, and where there is no error, it is fine.
    Blueprint(String),
}

/// What a file is; none where it cannot be read or has no name. Nothing else
/// in it is looked at.
#[must_use]
pub fn head(source: &str) -> Option<Head> {
    let mut findings = Findings::new("", source);
    let root = source::read(&mut findings)?;
    head_of(&root)
}

fn head_of(root: &Node) -> Option<Head> {
    let named = |key: &str| {
        let entry = root.entries()?.iter().find(|entry| entry.key == key)?;
        entry.value.text().map(|text| text.trim().to_owned())
    };
    match (named("workflow"), named("blueprint")) {
        (Some(workflow), Some(blueprint)) => Some(Head::Instance { workflow, blueprint }),
        (Some(workflow), None) => Some(Head::Workflow(workflow)),
        (None, Some(blueprint)) => Some(Head::Blueprint(blueprint)),
        (None, None) => None,
    }
}

/// Reads a workflow from its YAML text; `file` is its name, for the
/// diagnostics.
///
/// The definition is there only if no diagnostic is an error. The diagnostics
/// are all that can be found in one run, in the order of the text. A workflow
/// that is made of a blueprint reads that from the catalog; what is wrong
/// there names the blueprint's file. A blueprint has no definition: it is
/// checked by itself, and [`head`] tells it from a workflow.
#[must_use]
pub fn parse(file: &str, source: &str, catalog: &Catalog) -> (Option<Definition>, Vec<Diagnostic>) {
    let outcome = read(file, source, catalog, &BTreeSet::new());
    (outcome.definition, outcome.diagnostics)
}

/// Reads files that may name each other: workflows that run others,
/// blueprints and what is made of them. What each is in the catalog counts
/// only where it is not among the files. The results are in the order of the
/// files, and no diagnostic is in two of them.
#[must_use]
pub fn parse_all(
    sources: &[(String, String)],
    catalog: &Catalog,
) -> Vec<(Option<Definition>, Vec<Diagnostic>)> {
    let mut catalog = catalog.clone();
    let heads: Vec<Option<Head>> = sources.iter().map(|(_, source)| head(source)).collect();
    let mut twice = BTreeMap::new();
    for (place, ((file, source), head)) in sources.iter().zip(&heads).enumerate() {
        let Some(Head::Blueprint(name)) = head else { continue };
        let before = sources[..place]
            .iter()
            .zip(&heads)
            .find(|(_, before)| matches!(before, Some(Head::Blueprint(before)) if before == name));
        match before {
            Some(((before, _), _)) => {
                twice.insert(place, same_blueprint(name, file, before));
            }
            None => {
                catalog.blueprints.insert(name.clone(), (file.clone(), source.clone()));
            }
        }
    }
    // What each looks like from outside, as far as that can be seen without
    // the others; then each in full, those first that others run.
    let outlines: Vec<Outline> =
        sources.iter().map(|(file, source)| outline(file, source, &catalog)).collect();
    let mut uncertain = BTreeSet::new();
    let mut places = BTreeMap::new();
    for (place, outline) in outlines.iter().enumerate() {
        let Some(name) = &outline.name else { continue };
        places.insert(name.as_str(), place);
        catalog.workflows.insert(name.clone(), outline.signature.clone());
        if !outline.is_certain {
            uncertain.insert(name.clone());
        }
    }
    let mut outcomes: Vec<Option<Outcome>> = sources.iter().map(|_| None).collect();
    for place in order(&outlines, &places) {
        let (file, source) = &sources[place];
        let outcome = read(file, source, &catalog, &uncertain);
        if let Some(name) = &outlines[place].name {
            if outcome.definition.is_some() {
                uncertain.remove(name);
            }
            catalog.workflows.insert(name.clone(), outcome.signature.clone());
        }
        outcomes[place] = Some(outcome);
    }
    let told: BTreeSet<&str> = sources
        .iter()
        .zip(&heads)
        .filter(|(_, head)| matches!(head, Some(Head::Blueprint(_))))
        .map(|((file, _), _)| file.as_str())
        .collect();
    outcomes
        .into_iter()
        .enumerate()
        .filter_map(|(place, outcome)| Some((place, outcome?)))
        .map(|(place, mut outcome)| {
            outcome.leave_to(&told);
            outcome.diagnostics.extend(twice.remove(&place));
            (outcome.definition, outcome.diagnostics)
        })
        .collect()
}

fn same_blueprint(name: &str, file: &str, before: &str) -> Diagnostic {
    let mut findings = Findings::new(file, "");
    findings.error(
        codes::SAME_NAME,
        Place::default(),
        format!("the blueprint `{name}` is in {before} already"),
        Some("rename one of the two".to_owned()),
    );
    findings.finish().remove(0)
}

/// A file that was read.
struct Outcome {
    definition: Option<Definition>,
    /// As far as it could be read.
    signature: WorkflowSignature,
    diagnostics: Vec<Diagnostic>,
    /// For a workflow whose blueprint has errors of its own, which are among
    /// the diagnostics: that this is so.
    broken: Option<Diagnostic>,
    /// What was written down for an editor, where one asks.
    recording: Option<Box<Recording>>,
}

impl Outcome {
    /// Where the blueprint's own errors are told with these files, says only
    /// that there are some.
    fn leave_to(&mut self, told: &BTreeSet<&str>) {
        let Some(broken) = self.broken.take() else { return };
        let (mine, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.diagnostics)
            .into_iter()
            .partition(|found| !told.contains(found.file.as_str()));
        self.diagnostics = mine;
        if !others.is_empty() {
            self.diagnostics.push(broken);
        }
    }
}

/// Reads a file as [`parse`] does, and writes down what an editor may ask.
pub(crate) fn recorded(
    file: &str,
    source: &str,
    catalog: &Catalog,
) -> (Option<Definition>, Vec<Diagnostic>, Recording) {
    let none = BTreeSet::new();
    let mut reader = Reader::new(file, source, catalog, &none);
    reader.recording = Some(Box::default());
    let mut outcome = read_with(reader);
    let recording = outcome.recording.take().map(|recording| *recording).unwrap_or_default();
    (outcome.definition, outcome.diagnostics, recording)
}

fn read(file: &str, source: &str, catalog: &Catalog, uncertain: &BTreeSet<String>) -> Outcome {
    read_with(Reader::new(file, source, catalog, uncertain))
}

fn read_with(mut reader: Reader<'_>) -> Outcome {
    let root = reader.root();
    let mut broken = None;
    let mut others = Vec::new();
    let has = |root: &Node, key: &str| {
        root.entries().is_some_and(|entries| entries.iter().any(|entry| entry.key == key))
    };
    let definition = match root.as_ref() {
        None => None,
        Some(root) if !has(root, "blueprint") => reader.workflow(root),
        Some(root) if !has(root, "workflow") => {
            reader.parameters = reader.parameters(root);
            let constants = unknown(&reader.parameters);
            reader.blueprint(root, &constants);
            None
        }
        Some(root) => {
            let (definition, found, is_broken) = made(&mut reader, root);
            others = found;
            broken = is_broken;
            definition
        }
    };
    let signature = reader.signature;
    let recording = reader.recording;
    let mut diagnostics = reader.findings.finish();
    diagnostics.extend(others);
    let failed = diagnostics.iter().any(Diagnostic::is_error);
    let definition = definition.filter(|_| !failed);
    Outcome { definition, signature, diagnostics, broken, recording }
}

/// A workflow that is made of a blueprint, and what is wrong in the
/// blueprint: with this workflow's inputs, or else in itself.
fn made(
    reader: &mut Reader<'_>,
    root: &Node,
) -> (Option<Definition>, Vec<Diagnostic>, Option<Diagnostic>) {
    let catalog = reader.catalog;
    let Some(instance) = reader.instance(root) else { return (None, Vec::new(), None) };
    let found = instance.blueprint.as_ref().and_then(|name| catalog.blueprints.get_key_value(name));
    let Some((name, (file, source))) = found else { return (None, Vec::new(), None) };
    let mut own = read(file, source, catalog, reader.uncertain).diagnostics;
    let mut inner = Reader::new(file, source, catalog, reader.uncertain);
    inner.name.clone_from(&instance.name);
    let Some(root) = inner.root() else { return (None, own, None) };
    inner.parameters = inner.parameters(&root);
    let constants = reader.values_of_instance(&instance, &inner.parameters);
    let mut definition = inner.blueprint(&root, &constants);
    reader.signature = std::mem::take(&mut inner.signature);
    if own.iter().any(Diagnostic::is_error) {
        let broken = broken(reader, name, &instance);
        return (None, own, Some(broken));
    }
    if let Some(definition) = &mut definition {
        instance.dress(definition);
    }
    let mut found = inner.findings.finish();
    found.retain(|found| !own.contains(found));
    own.clear();
    if let Some(workflow) = &instance.name {
        for found in &mut found {
            found.message = format!("{}, with the inputs of `{workflow}`", found.message);
        }
    }
    (definition, found, None)
}

fn broken(reader: &Reader<'_>, name: &str, instance: &Instance<'_>) -> Diagnostic {
    Diagnostic {
        code: codes::BROKEN_BLUEPRINT,
        severity: Severity::Error,
        message: format!("the blueprint `{name}` has errors of its own"),
        help: Some("mend the blueprint first".to_owned()),
        file: reader.findings.file().to_owned(),
        span: reader.findings.span(instance.named_at.start, instance.named_at.end),
    }
}

impl Reader<'_> {
    /// The tree of the file; says so where it is empty.
    fn root(&mut self) -> Option<Node> {
        let root = source::read(&mut self.findings);
        let is_empty = match &root {
            None => self.findings.count() == 0,
            Some(root) => matches!(root.value, Content::Nothing),
        };
        if is_empty {
            let help = Some("begin with `workflow: name`".to_owned());
            let place = root.map_or(Place::default(), |root| root.place);
            self.error(codes::MISSING_KEY, place, "the file is empty", help);
            return None;
        }
        root
    }
}

/// What a file looks like to others, before it is read in full.
struct Outline {
    /// The workflow's name; none for a blueprint.
    name: Option<String>,
    /// The workflows that it runs.
    runs: Vec<String>,
    signature: WorkflowSignature,
    /// Whether the head is without errors.
    is_certain: bool,
}

fn outline(file: &str, source: &str, catalog: &Catalog) -> Outline {
    let none = BTreeSet::new();
    let mut reader = Reader::new(file, source, catalog, &none);
    let root = source::read(&mut reader.findings);
    let head = root.as_ref().and_then(head_of);
    let (name, root, is_blueprint) = match (head, root) {
        (Some(Head::Workflow(name)), Some(root)) => (Some(name), Some(root), false),
        (Some(Head::Instance { workflow, blueprint }), _) => {
            let text = catalog.blueprints.get(&blueprint).map(|(_, text)| text.as_str());
            reader = Reader::new(file, text.unwrap_or_default(), catalog, &none);
            (Some(workflow), source::read(&mut reader.findings), true)
        }
        _ => (None, None, false),
    };
    let mut outline = Outline {
        name,
        runs: Vec::new(),
        signature: WorkflowSignature::default(),
        is_certain: false,
    };
    let Some(root) = root else { return outline };
    runs(&root, &mut outline.runs);
    if let Some(mut keys) = reader.keys(&root, "a workflow") {
        reader.start(&mut keys, &root, &mut Names::default(), is_blueprint);
        let outputs = keys.take("outputs").map(|entry| &entry.value);
        let has_forms = match outputs {
            Some(outputs) => {
                for entry in outputs.entries().unwrap_or_default() {
                    reader.signature.outputs.insert(entry.key.clone(), Slot::of(Type::Any));
                }
                outputs.entries().is_some()
            }
            None => true,
        };
        outline.is_certain = has_forms && reader.findings.count() == 0;
    }
    outline.signature = reader.signature;
    outline
}

/// The workflows that a part of a file runs.
fn runs(node: &Node, found: &mut Vec<String>) {
    match &node.value {
        Content::List(items) => items.iter().for_each(|item| runs(item, found)),
        Content::Map(entries) => {
            for entry in entries {
                match (&entry.key[..], entry.value.text()) {
                    ("run", Some(name)) => found.push(name.trim().to_owned()),
                    _ => runs(&entry.value, found),
                }
            }
        }
        Content::Text { .. } | Content::Nothing | Content::Spoiled => {}
    }
}

/// The files, each after those that it runs; where they run in a circle, in
/// any order.
fn order(outlines: &[Outline], places: &BTreeMap<&str, usize>) -> Vec<usize> {
    let mut order = Vec::new();
    let mut seen = BTreeSet::new();
    // What is still to be done: a file, and whether what it runs is done.
    let mut open: Vec<(usize, bool)> =
        (0..outlines.len()).rev().map(|place| (place, false)).collect();
    while let Some((place, is_done)) = open.pop() {
        if is_done {
            order.push(place);
            continue;
        }
        if !seen.insert(place) {
            continue;
        }
        open.push((place, true));
        let runs = outlines[place].runs.iter().rev();
        open.extend(runs.filter_map(|name| places.get(name.as_str())).map(|next| (*next, false)));
    }
    order
}

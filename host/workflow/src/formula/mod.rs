//! Formulas: small, typed and total. A formula is read into a flat tree,
//! checked against the company's objects before anything runs, and evaluated
//! against facts that are handed in.

mod calls;
mod check;
mod constant;
mod evaluate;
mod expression;
mod faults;
pub mod functions;
mod lexer;
mod lists;
mod names;
mod narrow;
mod numbers;
mod operators;
mod parser;
mod print;
mod reference;
mod texts;
mod time;
pub mod tree;
mod words;

use std::{collections::BTreeMap, fmt};

use relata_model::{Calendar, Objects, Reference, TimeZone, Timestamp, Value};
use serde::{Deserialize, Serialize};

pub(crate) use check::{Checked, Known, check};
pub(crate) use expression::FILTERS;
pub use faults::{FAULTS, PossibleFault};
pub(crate) use names::Names;
pub(crate) use parser::duration_help;
pub use reference::reference_page;
use tree::{Node, NodeId, NodeKind};

use crate::{
    Diagnostic,
    diagnostic::{Findings, MAY_BE_EMPTY, NOT_A_CONDITION, Place},
    facts::{Facts, Need},
    types::{Slot, Type},
};

/// A formula that has been read and checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Formula {
    /// As the author wrote it, without the `=`.
    pub source: String,
    /// The line in the workflow, from 1.
    pub line: u32,
    /// The column of its first character, from 1.
    pub column: u32,
    /// The tree, children before their parents.
    pub nodes: Vec<Node>,
    /// The whole formula's node.
    pub root: NodeId,
}

/// What a formula is evaluated against.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// Values by name, in layers: a name means what the last layer that has
    /// it says, as in blocks within blocks.
    pub variables: &'a [&'a BTreeMap<String, Value>],
    /// What is known of records.
    pub facts: &'a Facts,
    /// The time.
    pub now: Timestamp,
    /// For local times and days.
    pub zone: &'a TimeZone,
    /// For working hours and days.
    pub calendar: Option<&'a Calendar>,
}

impl<'a> Scope<'a> {
    /// What a name means; none where nothing has it.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&'a Value> {
        self.variables.iter().rev().find_map(|layer| layer.get(name))
    }

    /// The record's own reference, where one by external id is known to lead
    /// to it.
    pub(crate) fn resolved<'r>(&self, reference: &'r Reference) -> &'r Reference
    where
        'a: 'r,
    {
        match self.facts.records.get(reference) {
            Some(Some(record)) => &record.reference,
            _ => reference,
        }
    }
}

/// Why a formula has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// A fact is missing: bring it, and evaluate again.
    #[error("a fact is missing: {0:?}")]
    Need(Need),
    /// Something that the checker could not exclude, in a sentence without
    /// any customer's data.
    #[error("{0}")]
    Fault(String),
}

impl From<Need> for EvaluationError {
    fn from(need: Need) -> Self {
        Self::Need(need)
    }
}

impl EvaluationError {
    pub(crate) fn fault(message: impl Into<String>) -> Self {
        Self::Fault(message.into())
    }

    pub(crate) fn expected(wanted: &str, found: &Value) -> Self {
        if found.is_nothing() {
            return faults::nothing_there(wanted);
        }
        Self::Fault(format!("{wanted} is needed, but there is {}", functions::named(found)))
    }
}

/// What is wrong in a formula, in bytes of its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) is_warning: bool,
}

impl Fault {
    pub(crate) fn new(
        code: &'static str,
        start: usize,
        end: usize,
        message: impl Into<String>,
        help: Option<String>,
    ) -> Self {
        Self { code, start, end, message: message.into(), help, is_warning: false }
    }
}

impl Formula {
    /// Reads a formula without checking it.
    pub(crate) fn read(source: &str) -> Result<Self, Fault> {
        let nodes = parser::parse(source)?;
        let root = NodeId(u32::try_from(nodes.len().saturating_sub(1)).unwrap_or(u32::MAX));
        Ok(Self { source: source.to_owned(), line: 1, column: 1, nodes, root })
    }

    /// A formula that is just this value.
    pub(crate) fn literal(source: &str, value: Value) -> Self {
        let end = u32::try_from(source.len()).unwrap_or(u32::MAX);
        let node = Node { start: 0, end, kind: NodeKind::Literal(value) };
        Self { source: source.to_owned(), line: 1, column: 1, nodes: vec![node], root: NodeId(0) }
    }

    /// Reads and checks a condition that stands by itself, such as a
    /// segment's rule; `variables` are the names that it may use.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, as of a file called `formula`.
    pub fn parse_condition(
        source: &str,
        variables: &BTreeMap<String, Slot>,
        objects: &Objects,
    ) -> Result<Self, Vec<Diagnostic>> {
        Self::parse_alone(source, variables, objects, true).map(|(formula, _)| formula)
    }

    /// Reads and checks a formula that stands by itself, and says what it
    /// yields.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, as of a file called `formula`.
    pub fn parse_value(
        source: &str,
        variables: &BTreeMap<String, Slot>,
        objects: &Objects,
    ) -> Result<(Self, Slot), Vec<Diagnostic>> {
        Self::parse_alone(source, variables, objects, false)
    }

    fn parse_alone(
        source: &str,
        variables: &BTreeMap<String, Slot>,
        objects: &Objects,
        is_condition: bool,
    ) -> Result<(Self, Slot), Vec<Diagnostic>> {
        let mut findings = Findings::new("formula", source);
        let mut names = Names::default();
        for (name, slot) in variables {
            names.insert(name, Known::set(slot.clone()));
        }
        let formula = match Self::read(source) {
            Ok(formula) => formula,
            Err(fault) => {
                findings.fault(fault, |place| place);
                return Err(findings.finish());
            }
        };
        let checked = formula.check(&names, objects);
        let mut failed = checked.faults.iter().any(|fault| !fault.is_warning);
        for fault in checked.faults {
            findings.fault(fault, |place| place);
        }
        if is_condition && let Some(fault) = condition_fault(&formula, &checked.slot) {
            failed = true;
            findings.fault(fault, |place| place);
        }
        if failed { Err(findings.finish()) } else { Ok((formula, checked.slot)) }
    }

    pub(crate) fn check(&self, names: &Names, objects: &Objects) -> Checked {
        check(&self.nodes, self.root, names, objects)
    }

    /// Its value.
    ///
    /// # Errors
    ///
    /// [`EvaluationError::Need`] where a fact is missing;
    /// [`EvaluationError::Fault`] for a division by 0, a result past the
    /// range of numbers or times, and for what the checker would have
    /// refused.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, EvaluationError> {
        evaluate::Evaluator { formula: self, scope, read: None }.value(self.root)
    }

    /// Whether the condition holds, and the paths that were read to find out,
    /// with their values, in the order of reading.
    ///
    /// # Errors
    ///
    /// Those of [`Formula::evaluate`], and a fault where it yields something
    /// else than yes or no.
    pub fn holds(
        &self,
        scope: &Scope<'_>,
    ) -> Result<(bool, Vec<(String, Value)>), EvaluationError> {
        let mut evaluator = evaluate::Evaluator { formula: self, scope, read: Some(Vec::new()) };
        let truth = evaluator.truth(self.root)?;
        Ok((truth, evaluator.read.unwrap_or_default()))
    }

    /// The node as a path: `ticket.customer.tier`.
    pub(crate) fn as_path(&self) -> Option<String> {
        path(&self.nodes, self.root)
    }

    /// The value, if the formula is one that is written out.
    pub(crate) fn as_literal(&self) -> Option<&Value> {
        match &self.nodes.get(self.root.0 as usize)?.kind {
            NodeKind::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// Whether it reads nothing that varies.
    pub(crate) fn is_constant(&self) -> bool {
        !self.nodes.iter().any(|node| match &node.kind {
            NodeKind::Variable(_) => true,
            NodeKind::Call { function, .. } => matches!(function.as_str(), "now" | "today"),
            _ => false,
        })
    }

    /// The names that it reads, as often as they stand in it.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Variable(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The durations that are written out in it.
    pub(crate) fn durations(&self) -> impl Iterator<Item = (relata_model::Duration, Place)> {
        self.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Literal(Value::Duration(duration)) => {
                Some((*duration, Place { start: node.start as usize, end: node.end as usize }))
            }
            _ => None,
        })
    }
}

/// Why a formula of this type is no condition, if it is none.
pub(crate) fn condition_fault(formula: &Formula, slot: &Slot) -> Option<Fault> {
    let what = formula.as_path().map_or_else(|| "this".to_owned(), |path| format!("`{path}`"));
    let end = formula.source.len();
    match slot.kind {
        Type::Any => None,
        Type::YesNo if slot.optional => Some(Fault::new(
            MAY_BE_EMPTY,
            0,
            end,
            format!("{what} may be empty, and a condition has to be yes or no"),
            Some(format!("write `default({}, false)`", formula.source.trim())),
        )),
        Type::YesNo => None,
        ref kind => {
            let help = match (formula.as_path(), kind) {
                (Some(path), Type::Record(_) | Type::Text | Type::List(_) | Type::Time) => {
                    format!("write `{path} is not empty`, or compare it with something")
                }
                _ => "compare it with something".to_owned(),
            };
            Some(Fault::new(
                NOT_A_CONDITION,
                0,
                end,
                format!("a condition has to be yes or no, and {what} is {}", kind.describe()),
                Some(help),
            ))
        }
    }
}

/// As it is written; it reads back as the same tree.
impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print::Printed { nodes: &self.nodes, root: self.root }.fmt(f)
    }
}

/// A node as a path, if it is one.
fn path(nodes: &[Node], id: NodeId) -> Option<String> {
    match &nodes.get(id.0 as usize)?.kind {
        NodeKind::Variable(name) => Some(name.clone()),
        NodeKind::Field { of, name } => {
            let mut base = path(nodes, *of)?;
            base.push('.');
            base.push_str(name);
            Some(base)
        }
        _ => None,
    }
}

impl Findings<'_> {
    /// Adds what is wrong in a formula; `locate` leads from its source to the
    /// file.
    pub(crate) fn fault(&mut self, fault: Fault, locate: impl Fn(Place) -> Place) {
        let place = locate(Place { start: fault.start, end: fault.end });
        if fault.is_warning {
            self.warning(fault.code, place, fault.message, fault.help);
        } else {
            self.error(fault.code, place, fault.message, fault.help);
        }
    }
}

/// Whether a word is one of the language's own.
pub(crate) fn is_keyword(word: &str) -> bool {
    parser::KEYWORDS.contains(&word)
}

//! Formulas.
use std::collections::BTreeMap;

use relata_model::{Calendar, Objects, TimeZone, Timestamp, Value};
use serde::{Deserialize, Serialize};

use crate::{
    Diagnostic, Expression,
    facts::{Facts, Need},
    types::Slot,
};

/// A formula.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Formula {
    /// As the author wrote it, without the `=`.
    pub source: String,
    /// The line in the workflow, from 1.
    pub line: u32,
    /// The column, from 1, in characters.
    pub column: u32,
}

/// What a formula is evaluated against.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The run's subject and results so far, by name.
    pub variables: &'a BTreeMap<String, Value>,
    /// What is known of records.
    pub facts: &'a Facts,
    /// The time.
    pub now: Timestamp,
    /// For local times and days.
    pub zone: &'a TimeZone,
    /// For working hours and days.
    pub calendar: Option<&'a Calendar>,
}

/// Why a formula has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// A fact is missing.
    #[error("a fact is missing")]
    Need(Need),
    /// Something the checker could not exclude, in a sentence.
    #[error("{0}")]
    Fault(String),
}

impl From<Need> for EvaluationError {
    fn from(need: Need) -> Self {
        Self::Need(need)
    }
}

impl Formula {
    /// Reads and checks a condition.
    ///
    /// # Errors
    ///
    /// All that is wrong with it.
    pub fn parse_condition(
        _source: &str,
        _variables: &BTreeMap<String, Slot>,
        _objects: &Objects,
    ) -> Result<Self, Vec<Diagnostic>> {
        unimplemented!()
    }

    /// Its value.
    ///
    /// # Errors
    ///
    /// A missing fact, or a fault.
    pub fn evaluate(&self, _scope: &Scope<'_>) -> Result<Value, EvaluationError> {
        unimplemented!()
    }

    /// Whether the condition holds, and the values of the paths it read.
    ///
    /// # Errors
    ///
    /// A missing fact, or a fault.
    pub fn holds(&self, _scope: &Scope<'_>) -> Result<(bool, Vec<(String, Value)>), EvaluationError> {
        unimplemented!()
    }
}

impl Expression {
    /// Its value.
    ///
    /// # Errors
    ///
    /// A missing fact, or a fault.
    pub fn evaluate(&self, _scope: &Scope<'_>) -> Result<Value, EvaluationError> {
        unimplemented!()
    }
}

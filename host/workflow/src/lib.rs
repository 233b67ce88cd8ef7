//! YAML text to workflow definition: parsing, typed formulas, diagnostics.
//!
//! Pure: no input or output, no clock and no randomness.

pub mod catalog;
pub mod definition;
pub mod diagnostic;
pub mod facts;
pub mod formula;
pub mod schedule;
pub mod types;

pub use catalog::{ActionSignature, Catalog};
pub use definition::*;
pub use diagnostic::{Diagnostic, Severity, render};
pub use facts::{Facts, Need};
pub use formula::{EvaluationError, Formula, Scope};
pub use schedule::next_fire;
pub use types::{Slot, Type};

/// Reads a workflow.
pub fn parse(_file: &str, _source: &str, _catalog: &Catalog) -> (Option<Definition>, Vec<Diagnostic>) {
    unimplemented!()
}

/// Checks over all active workflows.
pub fn check_together(_workflows: &[(&Definition, &str)], _catalog: &Catalog) -> Vec<Diagnostic> {
    unimplemented!()
}

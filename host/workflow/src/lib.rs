//! YAML text to workflow definition: parsing, typed formulas, diagnostics.
//!
//! Pure: no input or output, no clock and no randomness. The way of a file:
//! `source` reads the YAML into a tree that knows where everything stands,
//! `read` makes a [`Definition`] of the tree and checks it against a
//! [`Catalog`], and `formula` reads, checks and evaluates the formulas in it.

pub mod catalog;
pub mod definition;
pub mod diagnostic;
pub mod facts;
pub mod formula;
pub mod graph;
pub mod inputs;
pub mod insight;
pub mod mutants;
mod pages;
mod read;
pub mod schedule;
pub mod schema;
mod source;
pub mod test_file;
mod together;
pub mod types;

pub use catalog::{ActionSignature, Catalog, TemplateRead, TemplateSignature, WorkflowSignature};
pub use definition::*;
pub use diagnostic::{CODES, CodeEntry, Diagnostic, Severity, Span, explain, render};
pub use facts::{Facts, Need};
pub use formula::{EvaluationError, Formula, Scope};
pub use inputs::{ReadInputs, describe_input, inputs_from_json, inputs_from_text};
pub use mutants::{Mutant, mutants};
pub use pages::explain_page;
pub use read::{Head, head, parse, parse_all};
pub use schedule::{next_fire, next_fire_on, next_fires};
pub use test_file::{
    TestContext, TestFile, parse_test,
    plugin::{PluginTest, parse_plugin_test},
};
pub use together::{check_together, may_write};
pub use types::{Slot, Type};

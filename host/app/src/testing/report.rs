//! What came of tests, for people and programs.

use relata_workflow::{Diagnostic, Severity, Span};
use serde::Serialize;

/// Something that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The test file.
    pub file: String,
    /// Where it stands what was expected.
    pub span: Span,
    /// What was expected.
    pub message: String,
    /// What happened instead.
    pub found: Option<String>,
}

impl Failure {
    /// The same as a diagnostic, to be printed with its line.
    #[must_use]
    pub fn diagnostic(&self) -> Diagnostic {
        Diagnostic {
            code: "failed",
            severity: Severity::Error,
            message: self.message.clone(),
            help: self.found.clone(),
            file: self.file.clone(),
            span: self.span,
        }
    }
}

/// What came of one case, told once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseReport {
    /// The test file.
    pub file: String,
    /// The workflow that it tests.
    pub workflow: String,
    /// What the case is about.
    pub it: String,
    /// Its line in the file, from 1.
    pub line: usize,
    /// The first time of the case, where `repeat_at` moved it there.
    pub at: Option<String>,
    /// Whether the host went down after every step.
    pub crashes: bool,
    /// In what it is not as expected; empty if the case holds.
    pub failures: Vec<Failure>,
    /// The runs of a case that does not hold, step by step: what a person
    /// reads to find out why.
    pub trace: Vec<String>,
    /// How long it took, milliseconds.
    pub millis: u64,
}

impl CaseReport {
    /// Whether everything was as expected.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.failures.is_empty()
    }
}

//! What is wrong with a workflow, and how to mend it.
use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The workflow cannot be activated.
    Error,
    /// It can, but look.
    Warning,
}

/// Where in a file: byte offsets, and the line and column (in characters)
/// of the start, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

/// What is wrong at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// `R102`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
    /// The file's name as given.
    pub file: String,
    /// Where.
    pub span: Span,
}

/// Prints diagnostics of one file.
#[must_use]
pub fn render(_diagnostics: &[Diagnostic], _source: &str, _color: bool) -> String {
    unimplemented!()
}

//! What is said of a file, as text.

use relata_workflow::{Diagnostic, Severity};

/// `7:15 R102 …`, a line for each: where, which, what, and how to mend it.
pub(crate) fn said(found: &[Diagnostic]) -> String {
    let lines: Vec<String> = found
        .iter()
        .map(|found| {
            let severity = if found.severity == Severity::Warning { "warning " } else { "" };
            let help = found.help.as_ref().map_or(String::new(), |help| format!(" [{help}]"));
            format!(
                "{}:{} {severity}{} {}{help}",
                found.span.line, found.span.column, found.code, found.message
            )
        })
        .collect();
    lines.join("\n")
}

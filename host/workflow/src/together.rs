//! Checks over all workflows at once.

use crate::{catalog::Catalog, definition::Definition, diagnostic::Diagnostic};

/// Checks what no workflow shows alone.
#[must_use]
pub fn check_together(_workflows: &[(&Definition, &str)], _catalog: &Catalog) -> Vec<Diagnostic> {
    Vec::new()
}

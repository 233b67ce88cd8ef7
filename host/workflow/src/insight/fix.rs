//! Mends that an editor can make by itself: the word that was meant.

use serde::Serialize;

use super::Range;
use crate::diagnostic::Diagnostic;

/// A change that mends something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// What it does.
    pub title: String,
    /// What is replaced.
    pub range: Range,
    /// By what.
    pub text: String,
}

/// The mend of a diagnostic that says what was probably meant.
#[must_use]
pub fn fix(diagnostic: &Diagnostic, source: &str) -> Option<Fix> {
    let help = diagnostic.help.as_deref()?;
    let (_, rest) = help.split_once("did you mean `")?;
    let (meant, _) = rest.split_once('`')?;
    let (start, end) = (diagnostic.span.start, diagnostic.span.end);
    let written = source.get(start..end)?;
    // Quotation marks around a word stay.
    let quoted = ['"', '\''].into_iter().find(|quote| {
        written.len() > 1 && written.starts_with(*quote) && written.ends_with(*quote)
    });
    let (start, end) = if quoted.is_some() { (start + 1, end - 1) } else { (start, end) };
    let written = source.get(start..end)?;
    // Of a path only the part is wrong that was meant otherwise; so is the
    // key of a reference, and the name of a function that is called.
    let from = if meant.contains(['.', '/']) || meant.starts_with('=') {
        0
    } else {
        written.rfind(['.', '/']).map_or(0, |point| point + 1)
    };
    let until = match written.find('(') {
        Some(open) if !meant.contains('(') => open,
        _ => written.len(),
    };
    let range = Range { start: start + from.min(until), end: start + until };
    let is_word = !written.is_empty() && !written.contains('\n');
    is_word.then(|| Fix { title: format!("Replace by `{meant}`"), range, text: meant.to_owned() })
}

//! Checking workflow texts: each by itself, and all of them together with
//! the active ones, since what one workflow writes may start another.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use relata_workflow::{Catalog, Definition, Diagnostic, Span, check_together};

use crate::{App, AppError};

/// A workflow text that was checked: the file's name, what it says where it
/// has no errors, and what was found in it.
pub type Checked = (String, Option<Definition>, Vec<Diagnostic>);

impl App {
    /// Checks workflow texts, each by itself and all of them together with
    /// the active ones (for loops); a text takes the place of the active
    /// workflow of its name. `sources` are file names and texts.
    ///
    /// # Errors
    ///
    /// [`AppError`] only where the check itself could not be made.
    pub async fn check(&self, sources: &[(String, String)]) -> Result<Vec<Checked>, AppError> {
        let catalog = self.catalog().await?;
        let active = self.active().await?;
        let active: Vec<&Definition> = active.iter().map(|(_, definition)| &**definition).collect();
        Ok(check_with(&catalog, sources, &active))
    }
}

/// Checks workflow texts outside of a data directory: against the shipped
/// objects, seeds and plugins, and the templates of a folder if there is one.
///
/// # Errors
///
/// [`AppError`] where the plugins or templates do not load.
pub async fn check_alone(
    sources: &[(String, String)],
    templates: Option<&Path>,
) -> Result<Vec<Checked>, AppError> {
    Ok(check_with(&catalog_alone(templates).await?, sources, &[]))
}

/// What a workflow may name outside of a data directory: the shipped objects,
/// seeds and plugins, and the templates of a folder if there is one.
///
/// # Errors
///
/// [`AppError`] where the plugins or templates do not load.
pub async fn catalog_alone(templates: Option<&Path>) -> Result<Catalog, AppError> {
    let mut records: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (object, fields) in relata_model::seed::records() {
        if let Some(key) = fields.get("external_id").and_then(serde_json::Value::as_str) {
            records.entry(object.to_owned()).or_default().insert(key.to_owned());
        }
    }
    let templates = match templates {
        Some(folder) => Some(crate::Templates::load(folder)?.names()),
        None => None,
    };
    Ok(Catalog {
        objects: relata_model::Objects::standard(),
        actions: crate::Plugins::load(None).await?.signatures(),
        templates,
        records,
        ..Catalog::default()
    })
}

/// Checks workflow texts against a catalog, and together with the active
/// workflows that none of them replaces.
fn check_with(
    catalog: &Catalog,
    sources: &[(String, String)],
    active: &[&Definition],
) -> Vec<Checked> {
    let mut checked: Vec<Checked> = sources
        .iter()
        .map(|(file, source)| {
            let (definition, found) = relata_workflow::parse(file, source, catalog);
            (file.clone(), definition, found)
        })
        .collect();
    let together = together(catalog, &checked, active);
    for ((file, _, found), (_, source)) in checked.iter_mut().zip(sources) {
        for mut diagnostic in together.iter().filter(|found| found.file == *file).cloned() {
            diagnostic.span = of_line(source, diagnostic.span);
            found.push(diagnostic);
        }
    }
    checked
}

/// What the texts and the active workflows do wrong together. Only what a
/// text has part in has its file's name.
fn together(catalog: &Catalog, checked: &[Checked], active: &[&Definition]) -> Vec<Diagnostic> {
    // The texts come first, so that a circle is told at one of them.
    let mut all: Vec<(&Definition, &str)> = checked
        .iter()
        .filter_map(|(file, definition, _)| Some((definition.as_ref()?, file.as_str())))
        .collect();
    let given: BTreeSet<&str> =
        all.iter().map(|(definition, _)| definition.name.as_str()).collect();
    let others = active.iter().filter(|definition| !given.contains(definition.name.as_str()));
    all.extend(others.map(|definition| (*definition, "")));
    check_together(&all, catalog)
}

/// The bytes of a line, for a diagnostic that only knows the line.
fn of_line(source: &str, span: Span) -> Span {
    let mut start = 0;
    for (number, line) in (1..).zip(source.split_inclusive('\n')) {
        if number == span.line {
            let indent = line.len() - line.trim_start().len();
            let column = line[..indent].chars().count() + 1;
            return Span {
                start: start + indent,
                end: start + line.trim_end().len(),
                line: span.line,
                column,
            };
        }
        start += line.len();
    }
    span
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_marked_without_its_indentation() {
        let source = "workflow: a\nsteps:\n\t - do: x  \r\n- é";
        let marked = |line| {
            let span = of_line(source, Span { line, column: 1, ..Span::default() });
            (&source[span.start..span.end], span.column)
        };
        assert_eq!(marked(1), ("workflow: a", 1));
        assert_eq!(marked(3), ("- do: x", 3));
        assert_eq!(marked(4), ("- é", 1));
        // A line that is not there leaves the span as it is.
        assert_eq!(of_line(source, Span { line: 9, column: 1, ..Span::default() }).line, 9);
    }
}

//! Checking workflow texts: each by itself, and all of them together with
//! the active ones, since what one workflow writes may start another.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use relata_model::TimeZone;
use relata_workflow::{Catalog, Definition, Diagnostic, Span, StepKind, check_together};

use crate::{
    App, AppError,
    activation::Active,
    testing::{check_tests, is_test_file},
};

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
        let definitions: Vec<&Definition> =
            active.iter().map(|(_, definition)| &**definition).collect();
        let mut checked = check_with(&catalog, sources, &definitions, &self.zone());
        self.check_callers(&catalog, sources, &mut checked, &active).await?;
        Ok(checked)
    }

    /// Finds the active workflows that run one of the texts and would not fit
    /// it any more.
    async fn check_callers(
        &self,
        catalog: &Catalog,
        sources: &[(String, String)],
        checked: &mut [Checked],
        active: &Active,
    ) -> Result<(), AppError> {
        let given: BTreeMap<String, usize> = checked
            .iter()
            .enumerate()
            .filter_map(|(place, (_, definition, _))| {
                Some((definition.as_ref()?.name.clone(), place))
            })
            .collect();
        let mut catalog = catalog.clone();
        for (_, definition, _) in checked.iter() {
            let Some(definition) = definition else { continue };
            catalog.workflows.insert(definition.name.clone(), definition.signature());
        }
        for (digest, caller) in active.iter() {
            let runs = caller.steps.iter().find_map(|step| match &step.kind {
                StepKind::Run(run) => given.get(&run.workflow),
                _ => None,
            });
            let Some(place) = runs.filter(|_| !given.contains_key(&caller.name)) else { continue };
            let Some(version) = self.store().workflow_version(digest).await? else { continue };
            let (_, found) = relata_workflow::parse(&caller.name, &version.source, &catalog);
            let Some(wrong) = found.into_iter().find(Diagnostic::is_error) else { continue };
            let (file, definition, found) = &mut checked[*place];
            found.push(Diagnostic {
                message: format!(
                    "the active workflow `{}` runs this one, and would not fit it any more (its line {}): {}",
                    caller.name, wrong.span.line, wrong.message
                ),
                help: Some("change it too, and activate both together".to_owned()),
                file: file.clone(),
                span: of_line(&sources[*place].1, Span { line: 1, column: 1, ..Span::default() }),
                ..wrong
            });
            *definition = None;
        }
        Ok(())
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
    let zone = zone_alone();
    Ok(check_with(&catalog_alone(templates).await?, sources, &[], &zone))
}

/// The zone of times that name none, outside of a data directory.
pub(crate) fn zone_alone() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap_or(TimeZone::UTC)
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
    zone: &TimeZone,
) -> Vec<Checked> {
    let workflows: Vec<(String, String)> =
        sources.iter().filter(|(file, _)| !is_test_file(file)).cloned().collect();
    let mut read = relata_workflow::parse_all(&workflows, catalog).into_iter();
    let mut checked: Vec<Checked> = sources
        .iter()
        .map(|(file, _)| {
            let read = if is_test_file(file) { None } else { read.next() };
            let (definition, found) = read.unwrap_or_default();
            (file.clone(), definition, found)
        })
        .collect();
    let together = together(catalog, &checked, active);
    let files: BTreeSet<&str> = sources.iter().map(|(file, _)| file.as_str()).collect();
    for ((file, definition, found), (_, source)) in checked.iter_mut().zip(sources) {
        for diagnostic in found.iter_mut().filter(|found| !files.contains(found.file.as_str())) {
            told_elsewhere(diagnostic, file, source);
        }
        for mut diagnostic in together.iter().filter(|found| found.file == *file).cloned() {
            diagnostic.span = of_line(source, diagnostic.span);
            found.push(diagnostic);
        }
        if found.iter().any(Diagnostic::is_error) {
            *definition = None;
        }
    }
    check_tests(catalog, sources, &mut checked, zone);
    checked
}

/// What is wrong in a blueprint that is none of the texts is told at the text
/// that is made of it.
fn told_elsewhere(diagnostic: &mut Diagnostic, file: &str, source: &str) {
    diagnostic.message =
        format!("{}, line {}: {}", diagnostic.file, diagnostic.span.line, diagnostic.message);
    diagnostic.file = file.to_owned();
    diagnostic.span = of_line(source, Span { line: 1, column: 1, ..Span::default() });
}

/// What the texts and the active workflows do wrong together. What none of
/// the texts has part in names no file.
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

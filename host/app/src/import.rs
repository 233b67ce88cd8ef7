//! Records from a CSV file, with the dirt that such files have.

use std::collections::BTreeMap;

use relata_model::{FieldError, Fields, ObjectDefinition, Reference, TimeZone, Value, text};
use relata_store::{Cause, Condition, Query, RecordError, Write};
use serde::Serialize;

use crate::{App, AppError, fresh};

/// What became of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Lines of data.
    pub read: usize,
    /// New records.
    pub created: usize,
    /// Records that were there already, and lines that repeat an earlier one.
    pub updated: usize,
    /// Of these, the ones that the file did not change.
    pub unchanged: usize,
    /// Lines that were not taken, with the reason.
    pub rejected: Vec<RejectedLine>,
}

/// A line that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectedLine {
    /// Its number in the file, from 1; a quoted cell may span several.
    pub line: u64,
    /// The column that is wrong.
    pub field: String,
    /// What is wrong, and what would be right.
    pub why: String,
}

/// A line that reads.
#[derive(Clone)]
struct Row {
    line: u64,
    fields: Fields,
}

/// How many lines go into one transaction.
const CHUNK: usize = 200;

impl App {
    /// Imports a CSV file as records of `object`. A record that has the same
    /// value in one of the fields `match_by` (by default the object's own) is
    /// updated, so importing a file twice adds nothing. An empty cell leaves
    /// a field as it is. `progress` is told how many lines are done, of how
    /// many.
    ///
    /// # Errors
    ///
    /// [`AppError`] for an unknown object or column; a wrong line is no
    /// error, it is in the report.
    pub async fn import(
        &self,
        object: &str,
        csv: &[u8],
        match_by: &[String],
        mut progress: impl FnMut(usize, usize),
    ) -> Result<ImportReport, AppError> {
        let definition = self.object(object)?.clone();
        let match_by =
            if match_by.is_empty() { definition.match_by.clone() } else { match_by.to_vec() };
        for field in &match_by {
            self.known_field(&definition, field)?;
        }
        let (read, rows, rejected) = self.read_csv(&definition, csv)?;
        let mut report = ImportReport { read, rejected, ..ImportReport::default() };
        let total = rows.len();
        let mut rows = rows.into_iter().peekable();
        let mut done = 0;
        while rows.peek().is_some() {
            let chunk: Vec<Row> = rows.by_ref().take(CHUNK).collect();
            done += chunk.len();
            let part = self.import_chunk(definition.clone(), match_by.clone(), chunk).await?;
            report.created += part.created;
            report.updated += part.updated;
            report.unchanged += part.unchanged;
            report.rejected.extend(part.rejected);
            progress(done, total);
        }
        report.rejected.sort_by_key(|line| line.line);
        Ok(report)
    }

    fn read_csv(
        &self,
        definition: &ObjectDefinition,
        csv: &[u8],
    ) -> Result<(usize, Vec<Row>, Vec<RejectedLine>), AppError> {
        let csv = csv.strip_prefix(b"\xef\xbb\xbf").unwrap_or(csv);
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(csv);
        let headers = reader
            .headers()
            .map_err(|why| AppError::wrong(format!("the first line does not read: {why}")))?
            .clone();
        let mut columns = Vec::new();
        for header in &headers {
            let name = header.trim().to_lowercase().replace([' ', '-'], "_");
            self.known_field(definition, &name)?;
            if columns.contains(&name) {
                return Err(AppError::wrong(format!("the column `{name}` is there twice")));
            }
            columns.push(name);
        }
        let zone = self.zone();
        let mut rows = Vec::new();
        let mut rejected = Vec::new();
        let mut read = 0;
        let mut lines = Lines { byte: 0, line: 1 };
        for record in reader.byte_records() {
            let record = match record {
                Ok(record) => record,
                Err(why) => {
                    let line = why.position().map_or(0, csv::Position::line);
                    return Err(AppError::wrong(format!("line {line} does not read: {why}")));
                }
            };
            let line = record.position().map_or(0, |position| lines.at(csv, position.byte()));
            if record.iter().all(|cell| cell.trim_ascii().is_empty()) {
                continue;
            }
            read += 1;
            match row(definition, &columns, &record, &zone) {
                Ok(fields) => rows.push(Row { line, fields }),
                Err(wrong) => {
                    rejected.push(RejectedLine { line, field: wrong.field, why: wrong.why })
                }
            }
        }
        Ok((read, rows, rejected))
    }

    async fn import_chunk(
        &self,
        definition: ObjectDefinition,
        match_by: Vec<String>,
        rows: Vec<Row>,
    ) -> Result<ImportReport, AppError> {
        let now = self.now();
        let cause = Cause::outside("import");
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let mut report = ImportReport::default();
                    for row in rows {
                        let mut found: Option<Reference> = None;
                        for field in &match_by {
                            let Some(value) =
                                row.fields.get(field).filter(|value| !value.is_nothing())
                            else {
                                continue;
                            };
                            let same = vec![Condition::equal(field, value.clone())];
                            let query = Query { limit: 1, ..Query::new(&definition.name, same) };
                            let page = tx.record_query(&query).await?;
                            found = page.records.into_iter().next().map(|record| record.reference);
                            if found.is_some() {
                                break;
                            }
                        }
                        let created = found.is_none();
                        let write = match found {
                            Some(reference) => {
                                Write::Update { reference, fields: row.fields, if_revision: None }
                            }
                            None => Write::Create {
                                object: definition.name.clone(),
                                id: fresh::record_id(now),
                                fields: row.fields,
                            },
                        };
                        match tx.record_write(write, &cause, &mut fresh::source(now), now).await {
                            Ok(_) if created => report.created += 1,
                            Ok(written) => {
                                report.updated += 1;
                                report.unchanged += usize::from(!written.changed);
                            }
                            Err(RecordError::Invalid(wrong)) => {
                                let first = wrong.into_iter().next().unwrap_or_else(|| {
                                    FieldError::new(&definition.name, "was refused")
                                });
                                report.rejected.push(RejectedLine {
                                    line: row.line,
                                    field: first.field,
                                    why: first.why,
                                });
                            }
                            Err(RecordError::Store(why)) => return Err(AppError::from(why)),
                            Err(other) => report.rejected.push(RejectedLine {
                                line: row.line,
                                field: definition.name.clone(),
                                why: other.to_string(),
                            }),
                        }
                    }
                    Ok(report)
                })
            })
            .await
    }

    pub(crate) fn known_field(
        &self,
        definition: &ObjectDefinition,
        name: &str,
    ) -> Result<(), AppError> {
        if definition.field(name).is_some() {
            return Ok(());
        }
        let hint = text::nearest(name, definition.fields.keys().map(String::as_str)).map_or_else(
            || format!("it has {}", definition.order.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        Err(AppError::wrong(format!(
            "{} has no field `{name}`; {hint}",
            text::with_article(&definition.name)
        )))
    }
}

/// Counts lines as an editor does. (The csv crate's own count is one short in
/// files with CRLF.)
struct Lines {
    byte: usize,
    line: u64,
}

impl Lines {
    /// The line on which the record that the reader found at `byte` begins;
    /// asked in ascending order.
    fn at(&mut self, csv: &[u8], byte: u64) -> u64 {
        let mut end = usize::try_from(byte).unwrap_or(csv.len()).min(csv.len());
        // The reader's position may stand on the end of the line before.
        while csv.get(end).is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
            end += 1;
        }
        let passed = csv[self.byte..end].iter().filter(|byte| **byte == b'\n').count();
        self.line += passed as u64;
        self.byte = end;
        self.line
    }
}

/// Reads one line; the first cell that is wrong is the line's error.
fn row(
    definition: &ObjectDefinition,
    columns: &[String],
    record: &csv::ByteRecord,
    zone: &TimeZone,
) -> Result<Fields, FieldError> {
    if record.len() > columns.len() {
        return Err(FieldError::new(
            columns.last().map_or("", String::as_str),
            format!("the line has {} cells, but there are {} columns", record.len(), columns.len()),
        ));
    }
    let mut fields = BTreeMap::new();
    for (name, cell) in columns.iter().zip(record) {
        let cell = std::str::from_utf8(cell)
            .map_err(|_| FieldError::new(name, "is not UTF-8 text; save the file as UTF-8"))?;
        let Some(field) = definition.field(name) else { continue };
        let value = field.kind.parse(cell, zone).map_err(|why| FieldError::new(name, why))?;
        // An empty cell says nothing, except where there must be something.
        if value.is_nothing() {
            if field.required {
                return Err(FieldError::new(name, "must not be empty"));
            }
            continue;
        }
        let value: Value = field.check(value).map_err(|why| FieldError::new(name, why))?;
        fields.insert(name.clone(), value);
    }
    Ok(fields)
}

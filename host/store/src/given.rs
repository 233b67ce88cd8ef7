//! Rows that a statement takes as one argument: one text of SQL, one hop to
//! the database, however many rows.

use std::fmt::Write as _;

use crate::{connection::Argument, dialect::Dialect, table::ColumnType};

/// Rows for a statement's `FROM`, where they are the table `given`. They go
/// over as a JSON list of lists, in the order in which they were pushed.
#[derive(Debug, Clone)]
pub(crate) struct Given<'c> {
    columns: Vec<(&'c str, ColumnType)>,
    json: String,
    rows: usize,
}

impl<'c> Given<'c> {
    /// No rows yet, of these columns.
    pub(crate) fn new(columns: &[(&'c str, ColumnType)]) -> Self {
        Self { columns: columns.to_vec(), json: String::from("["), rows: 0 }
    }

    /// Adds a row: a value for each column.
    pub(crate) fn push(&mut self, values: impl IntoIterator<Item = Argument>) {
        self.json.push_str(if self.rows == 0 { "[" } else { ",[" });
        let mut count = 0;
        for value in values {
            if count > 0 {
                self.json.push(',');
            }
            count += 1;
            match value {
                Argument::Whole(Some(number)) => {
                    // Writing to a text cannot fail.
                    let _ = write!(self.json, "{number}");
                }
                // PostgreSQL's texts have no NUL (`connection::for_postgres`).
                Argument::Text(Some(text)) if text.contains('\0') => {
                    let shown = serde_json::Value::String(text.replace('\0', "\u{fffd}"));
                    let _ = write!(self.json, "{shown}");
                }
                Argument::Text(Some(text)) => match serde_json::to_string(&text) {
                    Ok(text) => self.json.push_str(&text),
                    Err(_) => self.json.push_str("null"),
                },
                // Bytes go over one by one, never as rows.
                Argument::Whole(None) | Argument::Text(None) | Argument::Bytes(_) => {
                    self.json.push_str("null");
                }
            }
        }
        debug_assert_eq!(count, self.columns.len(), "a value for each column");
        self.json.push(']');
        self.rows += 1;
    }

    /// Whether there are none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The names of the columns, for the list of an `INSERT`.
    pub(crate) fn names(&self) -> String {
        let names: Vec<String> =
            self.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        names.join(", ")
    }

    /// The table `given` for a `FROM`, out of the argument at `placeholder`.
    pub(crate) fn table(&self, dialect: Dialect, placeholder: &str) -> String {
        dialect.given_rows(placeholder, &self.columns)
    }

    /// A condition: a column of another table has one of the values that these rows
    /// have in one of theirs. Found by an index of that column, however small the
    /// tables were when a server planned it.
    pub(crate) fn have(
        &self,
        dialect: Dialect,
        placeholder: &str,
        name: &str,
        column: &str,
    ) -> String {
        let values = format!("SELECT given.{name} FROM {}", self.table(dialect, placeholder));
        dialect.is_among(column, &values)
    }

    /// The same as one condition more, for a join that says so already: on a server,
    /// whose plan may begin at the wrong end and read the other table whole.
    pub(crate) fn narrow(
        &self,
        dialect: Dialect,
        placeholder: &str,
        name: &str,
        column: &str,
    ) -> String {
        match dialect {
            Dialect::Sqlite => String::new(),
            Dialect::Postgres => {
                format!(" AND {}", self.have(dialect, placeholder, name, column))
            }
        }
    }

    /// The rows as the argument.
    pub(crate) fn into_argument(mut self) -> Argument {
        self.json.push(']');
        Argument::Text(Some(self.json))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::arguments;

    #[test]
    fn rows_go_over_as_a_list_of_lists() {
        let mut given = Given::new(&[("id", ColumnType::Text), ("at", ColumnType::Whole)]);
        assert!(given.is_empty());
        given.push(arguments!["a\"b\n", 7_i64]);
        given.push(arguments![None::<String>, None::<i64>]);
        assert!(!given.is_empty());
        assert_eq!(given.names(), "\"id\", \"at\"");
        assert_eq!(
            given.into_argument(),
            Argument::Text(Some("[[\"a\\\"b\\n\",7],[null,null]]".to_owned()))
        );
    }
}

//! Rows that a statement takes as one argument: one text of SQL, one hop to
//! the database, however many rows.

use crate::{connection::Argument, dialect::Dialect, table::ColumnType};

/// Rows for a statement's `FROM`, where they are the table `given`. They go
/// over as a JSON list of lists, in the order in which they were pushed.
#[derive(Debug, Clone)]
pub(crate) struct Given<'c> {
    columns: &'c [(&'c str, ColumnType)],
    /// JSON, not closed yet.
    json: Vec<u8>,
    rows: usize,
}

/// The first values of a row, whose last ones are not known yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenRow {
    /// JSON, a comma between them.
    json: Vec<u8>,
    values: usize,
}

impl OpenRow {
    /// A row that begins with these.
    pub(crate) fn new(values: impl IntoIterator<Item = Argument>) -> Self {
        let mut json = Vec::new();
        let values = write_values(&mut json, 0, values);
        Self { json, values }
    }
}

/// Writes values behind so many others; answers how many there are then.
fn write_values(
    json: &mut Vec<u8>,
    mut count: usize,
    values: impl IntoIterator<Item = Argument>,
) -> usize {
    for value in values {
        if count > 0 {
            json.push(b',');
        }
        count += 1;
        // Writing to memory cannot fail.
        let _ = match &value {
            Argument::Whole(Some(number)) => serde_json::to_writer(&mut *json, number),
            // PostgreSQL's texts have no NUL (`connection::for_postgres`).
            Argument::Text(Some(text)) if text.contains('\0') => {
                serde_json::to_writer(&mut *json, &text.replace('\0', "\u{fffd}"))
            }
            Argument::Text(Some(text)) => serde_json::to_writer(&mut *json, text),
            // Bytes go over one by one, never as rows.
            Argument::Whole(None) | Argument::Text(None) | Argument::Bytes(_) => {
                serde_json::to_writer(&mut *json, &())
            }
        };
    }
    count
}

impl<'c> Given<'c> {
    /// No rows yet, of these columns.
    pub(crate) fn new(columns: &'c [(&'c str, ColumnType)]) -> Self {
        Self { columns, json: b"[".to_vec(), rows: 0 }
    }

    /// Adds a row: a value for each column.
    pub(crate) fn push(&mut self, values: impl IntoIterator<Item = Argument>) {
        self.push_behind(&OpenRow::default(), values);
    }

    /// Adds a row whose first values were made ready before, and these are the others.
    pub(crate) fn push_behind(
        &mut self,
        first: &OpenRow,
        others: impl IntoIterator<Item = Argument>,
    ) {
        self.json.extend_from_slice(if self.rows == 0 { b"[" } else { b",[" });
        self.json.extend_from_slice(&first.json);
        let count = write_values(&mut self.json, first.values, others);
        debug_assert_eq!(count, self.columns.len(), "a value for each column");
        self.json.push(b']');
        self.rows += 1;
    }

    /// Adds the rows of another one, of the same columns.
    pub(crate) fn append(&mut self, other: &Self) {
        debug_assert_eq!(self.columns, other.columns, "the same columns");
        if other.rows == 0 {
            return;
        }
        if self.rows > 0 {
            self.json.push(b',');
        }
        self.json.extend_from_slice(&other.json[1..]);
        self.rows += other.rows;
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
        dialect.given_rows(placeholder, self.columns)
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
        self.json.push(b']');
        Argument::Text(Some(String::from_utf8(self.json).expect("JSON is text")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::arguments;

    #[test]
    fn rows_go_over_as_a_list_of_lists() {
        const COLUMNS: [(&str, ColumnType); 2] =
            [("id", ColumnType::Text), ("at", ColumnType::Whole)];
        let mut given = Given::new(&COLUMNS);
        assert!(given.is_empty());
        given.push(arguments!["a\"b\n", 7_i64]);
        given.push(arguments![None::<String>, None::<i64>]);
        assert!(!given.is_empty());
        assert_eq!(given.names(), "\"id\", \"at\"");
        let (before, mut all) = (given.clone(), Given::new(&COLUMNS));
        all.append(&Given::new(&COLUMNS));
        assert!(all.is_empty());
        for _ in 0..2 {
            all.append(&before);
        }
        all.append(&Given::new(&COLUMNS));
        assert_eq!(
            all.into_argument(),
            Argument::Text(Some(
                "[[\"a\\\"b\\n\",7],[null,null],[\"a\\\"b\\n\",7],[null,null]]".to_owned()
            ))
        );
        let mut behind = Given::new(&COLUMNS);
        behind.push_behind(&OpenRow::new(arguments!["a\"b\n"]), arguments![7_i64]);
        behind.push_behind(&OpenRow::new(arguments![None::<String>, None::<i64>]), []);
        assert_eq!(given.clone().into_argument(), behind.into_argument());
        assert_eq!(
            given.into_argument(),
            Argument::Text(Some("[[\"a\\\"b\\n\",7],[null,null]]".to_owned()))
        );
    }
}

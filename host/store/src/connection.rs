//! The seam to the driver: statements go in with `$1` placeholders and
//! arguments that are whole numbers or texts, rows come out. Everything else
//! in this crate is written against this; a second driver is added here.

use relata_model::{EffectId, EventId, RecordId, Reference, RunId, Timestamp};
use serde::de::DeserializeOwned;
use sqlx::{
    Row as _, SqlSafeStr, Sqlite, SqliteConnection,
    pool::PoolConnection,
    sqlite::{SqliteArguments, SqliteRow},
};

use crate::StoreError;

/// A connection: the writer's own, or one on loan from the readers.
#[derive(Debug)]
pub(crate) enum Connection {
    /// The writer's.
    Owned(SqliteConnection),
    /// A reader's; goes back when dropped.
    Pooled(PoolConnection<Sqlite>),
}

impl Connection {
    fn driver(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Owned(connection) => connection,
            Self::Pooled(connection) => connection,
        }
    }

    /// Runs a statement; yields how many rows it touched.
    pub(crate) async fn execute(
        &mut self,
        doing: &'static str,
        sql: impl SqlSafeStr,
        arguments: Vec<Argument>,
    ) -> Result<u64, StoreError> {
        sqlx::query_with(sql, bind(arguments))
            .execute(self.driver())
            .await
            .map(|done| done.rows_affected())
            .map_err(StoreError::database(doing))
    }

    /// Runs a statement; yields its rows.
    pub(crate) async fn rows(
        &mut self,
        doing: &'static str,
        sql: impl SqlSafeStr,
        arguments: Vec<Argument>,
    ) -> Result<Vec<Row>, StoreError> {
        sqlx::query_with(sql, bind(arguments))
            .fetch_all(self.driver())
            .await
            .map(|rows| rows.into_iter().map(Row).collect())
            .map_err(StoreError::database(doing))
    }

    /// Runs a statement; yields its first row, if it has one.
    pub(crate) async fn row(
        &mut self,
        doing: &'static str,
        sql: impl SqlSafeStr,
        arguments: Vec<Argument>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(doing, sql, arguments).await?.into_iter().next())
    }
}

/// A value on its way into a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Argument {
    /// A whole number.
    Whole(Option<i64>),
    /// A text.
    Text(Option<String>),
}

fn bind(arguments: Vec<Argument>) -> SqliteArguments {
    use sqlx::Arguments as _;

    let mut bound = SqliteArguments::default();
    for argument in arguments {
        // Encoding a number or a text into SQLite's arguments cannot fail.
        let added = match argument {
            Argument::Whole(number) => bound.add(number),
            Argument::Text(text) => bound.add(text),
        };
        debug_assert!(added.is_ok(), "numbers and texts always encode");
    }
    bound
}

/// `arguments![run, now, "text"]`: what a statement's `$1`, `$2`, … stand for.
macro_rules! arguments {
    ($($value:expr),* $(,)?) => { vec![$($crate::connection::Argument::from($value)),*] };
}
pub(crate) use arguments;

macro_rules! from_whole {
    ($($kind:ty),+) => {$(
        impl From<$kind> for Argument {
            fn from(number: $kind) -> Self {
                Self::Whole(Some(i64::from(number)))
            }
        }
    )+};
}
from_whole!(i64, u32, bool);

impl From<u64> for Argument {
    /// Counts beyond 2^63 are not reached.
    fn from(number: u64) -> Self {
        Self::Whole(Some(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

impl From<usize> for Argument {
    fn from(number: usize) -> Self {
        Self::from(number as u64)
    }
}

impl From<Timestamp> for Argument {
    fn from(time: Timestamp) -> Self {
        Self::Whole(Some(time.as_millisecond()))
    }
}

impl From<Option<Timestamp>> for Argument {
    fn from(time: Option<Timestamp>) -> Self {
        Self::Whole(time.map(Timestamp::as_millisecond))
    }
}

impl From<Option<i64>> for Argument {
    fn from(number: Option<i64>) -> Self {
        Self::Whole(number)
    }
}

macro_rules! from_text {
    ($($kind:ty),+) => {$(
        impl From<$kind> for Argument {
            fn from(text: $kind) -> Self {
                Self::Text(Some(text.to_string()))
            }
        }
        impl From<Option<$kind>> for Argument {
            fn from(text: Option<$kind>) -> Self {
                Self::Text(text.map(|text| text.to_string()))
            }
        }
    )+};
}
from_text!(
    &str,
    &String,
    &Reference,
    RecordId,
    RunId,
    EventId,
    EffectId,
    &RecordId,
    &RunId,
    &EventId,
    &EffectId,
    &serde_json::Value
);

impl From<String> for Argument {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<String>> for Argument {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

/// A row on its way out. Columns are asked for by name.
pub(crate) struct Row(SqliteRow);

impl Row {
    /// A whole number that may be absent.
    pub(crate) fn whole_or_none(&self, column: &str) -> Result<Option<i64>, StoreError> {
        self.0
            .try_get_unchecked(column)
            .map_err(|why| StoreError::unreadable(format!("the column `{column}`"), why))
    }

    /// A text that may be absent.
    pub(crate) fn text_or_none(&self, column: &str) -> Result<Option<String>, StoreError> {
        self.0
            .try_get_unchecked(column)
            .map_err(|why| StoreError::unreadable(format!("the column `{column}`"), why))
    }

    /// A whole number.
    pub(crate) fn whole(&self, column: &str) -> Result<i64, StoreError> {
        self.whole_or_none(column)?.ok_or_else(|| absent(column))
    }

    /// A count.
    pub(crate) fn count(&self, column: &str) -> Result<u64, StoreError> {
        u64::try_from(self.whole(column)?)
            .map_err(|why| StoreError::unreadable(format!("the column `{column}`"), why))
    }

    /// A count that fits in 32 bits.
    pub(crate) fn small(&self, column: &str) -> Result<u32, StoreError> {
        u32::try_from(self.whole(column)?)
            .map_err(|why| StoreError::unreadable(format!("the column `{column}`"), why))
    }

    /// A text.
    pub(crate) fn text(&self, column: &str) -> Result<String, StoreError> {
        self.text_or_none(column)?.ok_or_else(|| absent(column))
    }

    /// A point in time.
    pub(crate) fn time(&self, column: &str) -> Result<Timestamp, StoreError> {
        self.time_or_none(column)?.ok_or_else(|| absent(column))
    }

    /// A point in time that may be absent.
    pub(crate) fn time_or_none(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        self.whole_or_none(column)?
            .map(Timestamp::from_millisecond)
            .transpose()
            .map_err(|why| StoreError::unreadable(format!("the column `{column}`"), why))
    }

    /// An id, a reference, or whatever else reads itself from a text.
    pub(crate) fn parsed<T>(&self, column: &str) -> Result<T, StoreError>
    where
        T: std::str::FromStr,
        T::Err: ToString,
    {
        self.parsed_or_none(column)?.ok_or_else(|| absent(column))
    }

    /// The same, where it may be absent.
    pub(crate) fn parsed_or_none<T>(&self, column: &str) -> Result<Option<T>, StoreError>
    where
        T: std::str::FromStr,
        T::Err: ToString,
    {
        self.text_or_none(column)?
            .map(|text| text.parse())
            .transpose()
            .map_err(|why: T::Err| StoreError::unreadable(format!("the column `{column}`"), why))
    }

    /// What was kept as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        self.json_or_none(column)?.ok_or_else(|| absent(column))
    }

    /// What was kept as JSON, where it may be absent.
    pub(crate) fn json_or_none<T: DeserializeOwned>(
        &self,
        column: &str,
    ) -> Result<Option<T>, StoreError> {
        self.text_or_none(column)?
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|why| StoreError::unreadable(format!("the column `{column}`"), why))
    }
}

fn absent(column: &str) -> StoreError {
    StoreError::unreadable(format!("the column `{column}`"), "it is empty")
}

/// A value as JSON text, for a column.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|why| StoreError::unreadable("a value on its way", why))
}

impl Connection {
    /// Runs the migrations that the database has not seen.
    pub(crate) async fn migrate(
        &mut self,
        migrator: &sqlx::migrate::Migrator,
    ) -> Result<(), sqlx::migrate::MigrateError> {
        migrator.run(self.driver()).await
    }
}

/// Conditions that are there or not, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    sql: String,
    arguments: Vec<Argument>,
}

impl Conditions {
    /// A condition with one argument, which its text calls `?`.
    pub(crate) fn and(&mut self, condition: &str, argument: impl Into<Argument>) {
        self.arguments.push(argument.into());
        let placeholder = format!("${}", self.arguments.len());
        self.and_plain(&condition.replace('?', &placeholder));
    }

    /// A condition without arguments.
    pub(crate) fn and_plain(&mut self, condition: &str) {
        self.sql.push_str(if self.sql.is_empty() { " WHERE " } else { " AND " });
        self.sql.push_str(condition);
    }

    /// The statement with its conditions, an end such as `ORDER BY`, and a
    /// limit.
    pub(crate) fn finish(
        mut self,
        choice: &str,
        end: &str,
        limit: u32,
    ) -> (sqlx::AssertSqlSafe<String>, Vec<Argument>) {
        self.arguments.push(Argument::from(limit));
        let sql = format!("{choice}{} {end} LIMIT ${}", self.sql, self.arguments.len());
        (sqlx::AssertSqlSafe(sql), self.arguments)
    }
}

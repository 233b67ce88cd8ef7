//! Rows on their way out.

use relata_model::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};
use sqlx::{Row as _, postgres::PgRow, sqlite::SqliteRow};

use crate::StoreError;

/// A row on its way out. Columns are asked for by name.
pub(crate) enum Row {
    /// Of a file.
    Sqlite(SqliteRow),
    /// Of a server.
    Postgres(PgRow),
    /// Of a server, one of the answers to several questions: whole numbers and texts.
    Json(Map<String, Json>),
}

impl Row {
    /// A whole number that may be absent.
    pub(crate) fn whole_or_none(&self, column: &str) -> Result<Option<i64>, StoreError> {
        match self {
            Self::Sqlite(row) => row.try_get_unchecked(column),
            Self::Postgres(row) => row.try_get_unchecked(column),
            Self::Json(row) => return of_json(row, column, Json::as_i64),
        }
        .map_err(|why| StoreError::unreadable(format!("the column `{column}`"), why))
    }

    /// A text that may be absent.
    pub(crate) fn text_or_none(&self, column: &str) -> Result<Option<String>, StoreError> {
        match self {
            Self::Sqlite(row) => row.try_get_unchecked(column),
            Self::Postgres(row) => row.try_get_unchecked(column),
            Self::Json(row) => {
                return of_json(row, column, |value| value.as_str().map(str::to_owned));
            }
        }
        .map_err(|why| StoreError::unreadable(format!("the column `{column}`"), why))
    }

    /// Bytes.
    pub(crate) fn bytes(&self, column: &str) -> Result<Vec<u8>, StoreError> {
        match self {
            Self::Sqlite(row) => row.try_get_unchecked(column),
            Self::Postgres(row) => row.try_get_unchecked(column),
            Self::Json(_) => {
                return Err(StoreError::unreadable(
                    format!("the column `{column}`"),
                    "it holds no bytes",
                ));
            }
        }
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

/// A column of a row that came as JSON; none where it is absent.
fn of_json<T>(
    row: &Map<String, Json>,
    column: &str,
    read: impl Fn(&Json) -> Option<T>,
) -> Result<Option<T>, StoreError> {
    let wrong = |why| StoreError::unreadable(format!("the column `{column}`"), why);
    match row.get(column) {
        None => Err(wrong("there is none")),
        Some(Json::Null) => Ok(None),
        Some(value) => read(value).map(Some).ok_or_else(|| wrong("it holds something else")),
    }
}

fn absent(column: &str) -> StoreError {
    StoreError::unreadable(format!("the column `{column}`"), "it is empty")
}

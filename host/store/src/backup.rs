//! A copy of a SQLite database while others write to it, and whether a file
//! is such a copy.
//!
//! All of it is read in one transaction, so the copy is the database as it
//! was at one moment, and what stands in it can be compared with what was
//! read: `VACUUM INTO` chooses a moment that nothing else can be read at.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use relata_model::Timestamp;
use sha2::{Digest as _, Sha256};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _, SqliteConnection,
    sqlite::SqliteConnectOptions,
};

use crate::{StoreError, sqlite::BUSY_SECONDS, table::newest_migration};

/// What a copy holds, proved by reading it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupReport {
    /// How many rows each table has.
    pub rows: BTreeMap<String, u64>,
    /// SHA-256 over all rows of all tables, in hexadecimal.
    pub digest: String,
    /// The number of the newest migration that made its tables.
    pub migration: i64,
}

/// Why there is no copy, or a file is none.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BackupError {
    /// The database could not be read, or the copy not written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was written is not what was read.
    #[error("the copy of {} does not hold what the database holds: {why}; the disk may be failing", database.display())]
    Differs {
        /// What was copied.
        database: PathBuf,
        /// What differs.
        why: String,
    },
    /// The file is no sound database.
    #[error("{} is damaged: {why}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What SQLite finds.
        why: String,
    },
    /// The file is a database of something else, or none at all.
    #[error("{} is not a backup of Relata: {why}", file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
        /// What is missing.
        why: String,
    },
    /// The file was written by a newer version.
    #[error("{} was written by a newer Relata (its tables have version {found}, this program knows {known}); use that one", file.display())]
    Newer {
        /// The file.
        file: PathBuf,
        /// The newest migration in it.
        found: i64,
        /// The newest one that this program has.
        known: i64,
    },
}

/// Copies a database into a file that is not there yet, and reads the copy
/// back. Others may write to the database meanwhile; what they commit is not
/// in the copy.
///
/// # Errors
///
/// [`BackupError`]; then the file may be there, and is good for nothing.
pub async fn backup(database: &Path, to: &Path) -> Result<BackupReport, BackupError> {
    let failed = failing("copy itself");
    let source = options(database).create_if_missing(false).read_only(false);
    let mut connection = source.connect().await.map_err(opening(database))?;
    // The tables first, as the database's own texts make them.
    let schema = schema(&mut connection).await?;
    let mut copy = options(to).create_if_missing(true).connect().await.map_err(opening(to))?;
    for sql in schema.iter().filter(|part| part.kind == "table").map(|part| &part.sql) {
        execute(&mut copy, sql).await?;
    }
    copy.close().await.map_err(failed)?;

    sqlx::query("ATTACH DATABASE $1 AS copy")
        .bind(to.to_string_lossy().into_owned())
        .execute(&mut connection)
        .await
        .map_err(StoreError::database("open the copy"))?;
    execute(&mut connection, "BEGIN").await?;
    let read = copied(&mut connection, &schema).await;
    let ended = execute(&mut connection, if read.is_ok() { "COMMIT" } else { "ROLLBACK" }).await;
    let read = read?;
    ended?;
    execute(&mut connection, "DETACH DATABASE copy").await?;
    connection.close().await.map_err(StoreError::database("close itself"))?;

    let mut copy = options(to).connect().await.map_err(opening(to))?;
    for sql in schema.iter().filter(|part| part.kind == "index").map(|part| &part.sql) {
        execute(&mut copy, sql).await?;
    }
    copy.close().await.map_err(StoreError::database("close the copy"))?;

    let found = inspect(to).await?;
    if found != read {
        let table = read.rows.iter().find(|(table, rows)| found.rows.get(*table) != Some(rows));
        let why = match table {
            Some((table, rows)) => {
                let there = found.rows.get(table).copied().unwrap_or_default();
                format!("`{table}` has {there} rows instead of {rows}")
            }
            None => "its rows have another hash".to_owned(),
        };
        return Err(BackupError::Differs { database: database.to_owned(), why });
    }
    Ok(found)
}

/// Reads a copy through: whether SQLite finds it sound, whether this version
/// can use it, and what is in it.
///
/// # Errors
///
/// [`BackupError`] says why it cannot be used.
pub async fn inspect(file: &Path) -> Result<BackupReport, BackupError> {
    let foreign = |why: String| BackupError::Foreign { file: file.to_owned(), why };
    let mut connection = options(file)
        .create_if_missing(false)
        .read_only(true)
        .connect()
        .await
        .map_err(|why| foreign(why.to_string()))?;
    let sound: Vec<String> = texts(&mut connection, "PRAGMA integrity_check(10)")
        .await
        .map_err(|why| foreign(cause(&why)))?;
    if sound != ["ok"] {
        return Err(BackupError::Damaged { file: file.to_owned(), why: sound.join("; ") });
    }
    let orphans = texts(&mut connection, "SELECT \"table\" FROM pragma_foreign_key_check").await?;
    if let Some(table) = orphans.first() {
        let why = format!("a row of `{table}` belongs to one that is not there");
        return Err(BackupError::Damaged { file: file.to_owned(), why });
    }
    let tables = tables(&mut connection).await?;
    if !tables.iter().any(|table| table == "relata_migration") {
        return Err(foreign("it has no table `relata_migration`".to_owned()));
    }
    let report = contents(&mut connection, "main", &tables).await?;
    connection.close().await.map_err(StoreError::database("close the copy"))?;
    let known = newest_migration();
    if report.migration > known {
        let (file, found) = (file.to_owned(), report.migration);
        return Err(BackupError::Newer { file, found, known });
    }
    Ok(report)
}

/// What is to be known before a copy takes the place of the database: no
/// effect that was to go out when it was made may go out by itself, since it
/// may have gone out after that. Yields how many there were.
///
/// # Errors
///
/// The database's.
pub async fn hold_effects(file: &Path, why: &str, now: Timestamp) -> Result<u64, StoreError> {
    let mut connection = options(file).connect().await.map_err(opening(file))?;
    // Of a copy from before that column nothing is parked.
    let held = sqlx::query(
        "UPDATE relata_outbox SET status = 'unknown', reason = $1, due_at = COALESCE(due_at, $2)
         WHERE status IN ('due', 'sending')",
    )
    .bind(why.to_owned())
    .bind(now.as_millisecond())
    .execute(&mut connection)
    .await
    .map_err(StoreError::database("hold its effects"))?
    .rows_affected();
    connection.close().await.map_err(StoreError::database("close the copy"))?;
    Ok(held)
}

struct Part {
    kind: String,
    name: String,
    sql: String,
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(Duration::from_secs(BUSY_SECONDS))
        .foreign_keys(false)
}

fn opening(file: &Path) -> impl Fn(sqlx::Error) -> StoreError {
    let path = file.to_owned();
    move |source| StoreError::Open { path: path.clone(), source: Arc::new(source) }
}

const fn failing(doing: &'static str) -> impl Fn(sqlx::Error) -> StoreError + Copy {
    move |source| StoreError::database(doing)(source)
}

async fn execute(connection: &mut SqliteConnection, sql: &str) -> Result<(), StoreError> {
    // The text is the database's own, or ours.
    sqlx::query(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .map(drop)
        .map_err(StoreError::database("copy itself"))
}

async fn texts(
    connection: &mut SqliteConnection,
    sql: &'static str,
) -> Result<Vec<String>, StoreError> {
    let failed = failing("read its copy");
    let rows = sqlx::query(sql).fetch_all(connection).await.map_err(failed)?;
    rows.iter().map(|row| row.try_get_unchecked(0).map_err(failed)).collect()
}

/// Tables and indexes, as the texts that make them.
async fn schema(connection: &mut SqliteConnection) -> Result<Vec<Part>, StoreError> {
    let failed = failing("read its tables");
    let rows = sqlx::query(
        "SELECT type, name, sql FROM sqlite_schema
         WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY rowid",
    )
    .fetch_all(connection)
    .await
    .map_err(failed)?;
    let text = |row: &sqlx::sqlite::SqliteRow, column| {
        row.try_get_unchecked::<String, _>(column).map_err(failed)
    };
    rows.iter()
        .map(|row| Ok(Part { kind: text(row, 0)?, name: text(row, 1)?, sql: text(row, 2)? }))
        .collect()
}

async fn tables(connection: &mut SqliteConnection) -> Result<Vec<String>, StoreError> {
    let schema = schema(connection).await?;
    Ok(schema.into_iter().filter(|part| part.kind == "table").map(|part| part.name).collect())
}

/// Copies all rows, and says what they were: both in the transaction that is
/// under way.
async fn copied(
    connection: &mut SqliteConnection,
    schema: &[Part],
) -> Result<BackupReport, StoreError> {
    let tables: Vec<String> =
        schema.iter().filter(|part| part.kind == "table").map(|part| part.name.clone()).collect();
    for table in &tables {
        let (order, table) = (order(connection, table).await?, quoted(table));
        let sql = format!("INSERT INTO copy.{table} SELECT * FROM main.{table} ORDER BY {order}");
        execute(connection, &sql).await?;
    }
    // How far the numbers of rows have come that are never given twice.
    execute(connection, "DELETE FROM copy.sqlite_sequence").await?;
    execute(connection, "INSERT INTO copy.sqlite_sequence SELECT * FROM main.sqlite_sequence")
        .await?;
    contents(connection, "main", &tables).await
}

/// How many rows there are, and the hash over all of them.
async fn contents(
    connection: &mut SqliteConnection,
    database: &'static str,
    tables: &[String],
) -> Result<BackupReport, StoreError> {
    use futures::TryStreamExt as _;

    let failed = failing("read its rows");
    let mut sorted: Vec<&String> = tables.iter().collect();
    sorted.sort();
    let (mut rows, mut hash) = (BTreeMap::new(), Sha256::new());
    let mut names: Vec<String> = sorted.into_iter().cloned().collect();
    names.push("sqlite_sequence".to_owned());
    for table in names {
        hash.update(format!("\n{table}\n"));
        let columns = sqlx::query(AssertSqlSafe(format!(
            "SELECT name FROM pragma_table_info({})",
            literal(&table)
        )))
        .fetch_all(&mut *connection)
        .await
        .map_err(failed)?;
        let columns: Vec<String> = columns
            .iter()
            .map(|row| row.try_get_unchecked::<String, _>(0).map(|name| quoted(&name)))
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        let line: Vec<String> = columns.iter().map(|name| format!("quote({name})")).collect();
        let sql = format!(
            "SELECT {} AS line FROM {database}.{} ORDER BY {}",
            line.join(" || ',' || "),
            quoted(&table),
            order(connection, &table).await?
        );
        let mut count = 0_u64;
        let mut lines = sqlx::query(AssertSqlSafe(sql)).fetch(&mut *connection);
        while let Some(row) = lines.try_next().await.map_err(failed)? {
            let line: String = row.try_get_unchecked(0).map_err(failed)?;
            hash.update((line.len() as u64).to_be_bytes());
            hash.update(line.as_bytes());
            count += 1;
        }
        drop(lines);
        if table != "sqlite_sequence" {
            rows.insert(table, count);
        }
    }
    let row = sqlx::query(AssertSqlSafe(format!(
        "SELECT COALESCE(MAX(version), 0) FROM {database}.relata_migration"
    )))
    .fetch_one(&mut *connection)
    .await
    .map_err(failed)?;
    let migration = row.try_get_unchecked(0).map_err(failed)?;
    let digest = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(BackupReport { rows, digest, migration })
}

/// In which order a table lies: by the number of its rows, or by its primary key
/// where its rows have no number.
async fn order(connection: &mut SqliteConnection, table: &str) -> Result<String, StoreError> {
    let failed = failing("read its tables");
    let rows = sqlx::query(AssertSqlSafe(format!(
        "SELECT info.name FROM pragma_table_list AS list JOIN pragma_table_info(list.name) AS info
         WHERE list.schema = 'main' AND list.name = {} AND list.wr = 1 AND info.pk > 0
         ORDER BY info.pk",
        literal(table)
    )))
    .fetch_all(connection)
    .await
    .map_err(failed)?;
    let names: Vec<String> = rows
        .iter()
        .map(|row| row.try_get_unchecked::<String, _>(0).map(|name| quoted(&name)))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    Ok(if names.is_empty() { "rowid".to_owned() } else { names.join(", ") })
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn cause(why: &StoreError) -> String {
    use std::error::Error as _;

    why.source().map_or_else(|| why.to_string(), ToString::to_string)
}

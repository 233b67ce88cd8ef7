//! An SQLite file: opening it, and whether it can be trusted with the data.

use std::{path::Path, sync::Arc, time::Duration};

use deadpool::unmanaged::Pool;
use futures::future::try_join_all;
use sqlx::{
    ConnectOptions as _,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use crate::{
    StoreConfig, StoreError,
    connection::{Connection, arguments},
    outlook,
    store::Readers,
    table::{self, Tables},
};

/// How long a write waits for another process (the command line beside a
/// running host) before it gives up.
pub(crate) const BUSY_SECONDS: u64 = 30;

/// So many rows may lie between SQLite's thread and the task that takes them. All are
/// kept anyway; where there is no place for the next one, the thread goes to sleep in the
/// middle of a transaction, and has to be woken.
const ROWS_ON_THEIR_WAY: usize = 4_096;

/// After so many pages (of 4 KiB) in the log they go to the file itself: four times as
/// many as is usual. A page that is written again and again meanwhile goes there once.
const CHECKPOINT_PAGES: &str = "4000";

/// Opens the file, and brings its tables up.
pub(crate) async fn open(
    path: &Path,
    config: &StoreConfig,
    tables: &Tables,
) -> Result<(Connection, Readers), StoreError> {
    let failed = |source| StoreError::Open { path: path.to_owned(), source: Arc::new(source) };
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(BUSY_SECONDS))
        .statement_cache_capacity(512)
        .row_buffer_size(ROWS_ON_THEIR_WAY);

    let writer = options
        .clone()
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(if config.scratch { SqliteSynchronous::Off } else { SqliteSynchronous::Full });
    // Turning to WAL needs the file for itself for a moment, and SQLite does
    // not wait for that by itself.
    let mut attempt = 0;
    let connection = loop {
        match writer.connect().await.map_err(StoreError::database("open itself")) {
            Ok(connection) => break connection,
            Err(StoreError::Busy) if attempt < 100 => {
                attempt += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(StoreError::Database { source, .. } | StoreError::Lost(source)) => {
                return Err(StoreError::Open { path: path.to_owned(), source });
            }
            Err(other) => return Err(other),
        }
    };
    let mut connection = Connection::from(connection);
    prove(&mut connection, path, config.scratch).await?;
    if !(config.scratch && is_copy(&mut connection).await?) {
        table::bring_up(&mut connection, tables).await?;
    }
    if config.scratch {
        connection.execute("mark itself", MARK_SCRATCH, arguments![]).await?;
    }
    // What a savepoint may have to undo is kept in memory, and not written to a file
    // of its own first: a batch of writes changes a few hundred pages. Not before
    // the tables are brought up: to sort a whole one may take more than there is.
    connection.execute("set itself up", "PRAGMA temp_store = MEMORY", arguments![]).await?;
    connection.execute("set itself up", outlook::granted_table(), arguments![]).await?;
    // Lent and given back without a word to the file: nothing can happen to a
    // connection meanwhile that a ping would show.
    let reading = options.create_if_missing(false).pragma("query_only", "ON");
    let readers = try_join_all((0..config.readers.max(1)).map(|_| reading.connect()));
    let readers = Pool::from(readers.await.map_err(failed)?);
    Ok((connection, Readers::Sqlite(readers)))
}

/// Marks a database of tests: copies of it need not be brought up again, which
/// takes longer than most tests.
const MARK_SCRATCH: &str = "PRAGMA user_version = 1";

/// Whether a database of tests is the copy of one.
async fn is_copy(connection: &mut Connection) -> Result<bool, StoreError> {
    let row = connection.row("read its mark", "PRAGMA user_version", arguments![]).await?;
    Ok(row.is_some_and(|row| row.whole("user_version").is_ok_and(|mark| mark == 1)))
}

/// Reads back what was asked of the database: settings that it ignores
/// (another journal on a network share, say) would lose committed work.
async fn prove(connection: &mut Connection, path: &Path, scratch: bool) -> Result<(), StoreError> {
    let settings = [
        ("journal_mode", "PRAGMA journal_mode", "wal"),
        ("synchronous", "PRAGMA synchronous", if scratch { "0" } else { "2" }),
        ("foreign_keys", "PRAGMA foreign_keys", "1"),
    ];
    for (setting, sql, wanted) in settings {
        let row = connection.row("read its settings", sql, arguments![]).await?;
        let found = match row {
            Some(row) if setting == "journal_mode" => row.text(setting)?,
            Some(row) => row.whole(setting)?.to_string(),
            None => "nothing".to_owned(),
        };
        if found != wanted {
            return Err(StoreError::Unsafe { path: path.to_owned(), setting, found, wanted });
        }
    }
    Ok(())
}

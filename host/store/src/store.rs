//! Opening the store, and the two ways into it: one writer, several readers.

use std::{path::PathBuf, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use relata_model::Objects;
use sqlx::{
    ConnectOptions as _, Connection as _, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::{mpsc, oneshot};

use crate::{
    StoreError,
    connection::{Connection, arguments},
    table::Tables,
    writer::{self, Message},
};

/// How long a write waits for another process (the command line beside a
/// running host) before it gives up.
pub(crate) const BUSY_SECONDS: u64 = 30;

/// So many writes may queue before the next one has to wait.
const QUEUE: usize = 4_096;

/// Where the store is, and how wide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// The database file; made if it is not there.
    pub path: PathBuf,
    /// How many reads may run at once; at least 1.
    pub readers: u32,
    /// For tests: nobody minds if the machine goes down and the data with it,
    /// so nothing waits for the disk. A copy of such a database is opened as
    /// it is, with the same objects.
    pub scratch: bool,
}

/// The records, runs and effects of a company, in one database. Clones share
/// it.
#[derive(Debug, Clone)]
pub struct Store {
    messages: mpsc::Sender<Message>,
    readers: SqlitePool,
    tables: Arc<Tables>,
}

/// A transaction, or a reader's view of what is committed: what the nouns of
/// this crate (`record_…`, `run_…`, `outbox_…`) are methods of.
#[derive(Debug)]
pub struct Tx {
    pub(crate) connection: Connection,
    pub(crate) tables: Arc<Tables>,
}

impl Tx {
    /// The objects of the company, as the store was opened with them.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        self.tables.objects()
    }

    pub(crate) async fn close(self) {
        if let Connection::Owned(connection) = self.connection
            && let Err(why) = connection.close().await
        {
            tracing::warn!(error = %why, "the database did not close cleanly; nothing is lost");
        }
    }
}

impl Store {
    /// Opens the database, makes it if it is not there, and brings its tables
    /// up to this version and these objects. Columns are added, never
    /// dropped.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the file cannot be opened, does not keep its
    /// promises, was written by a newer version, or holds values that do not
    /// fit the objects.
    pub async fn open(config: &StoreConfig, objects: Arc<Objects>) -> Result<Self, StoreError> {
        let failed =
            |source| StoreError::Open { path: config.path.clone(), source: Arc::new(source) };
        let options = SqliteConnectOptions::new()
            .filename(&config.path)
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(BUSY_SECONDS))
            .statement_cache_capacity(512);

        let writer =
            options.clone().journal_mode(SqliteJournalMode::Wal).synchronous(if config.scratch {
                SqliteSynchronous::Off
            } else {
                SqliteSynchronous::Full
            });
        // Turning to WAL needs the file for itself for a moment, and SQLite
        // does not wait for that by itself.
        let mut attempt = 0;
        let connection = loop {
            match writer.connect().await.map_err(StoreError::database("open itself")) {
                Ok(connection) => break connection,
                Err(StoreError::Busy) if attempt < 100 => {
                    attempt += 1;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(StoreError::Database { source, .. }) => {
                    return Err(StoreError::Open { path: config.path.clone(), source });
                }
                Err(other) => return Err(other),
            }
        };
        let tables = Arc::new(Tables::new(objects)?);
        let mut tx = Tx { connection: Connection::Owned(connection), tables: Arc::clone(&tables) };
        prove(&mut tx.connection, config).await?;
        if !(config.scratch && is_copy(&mut tx.connection).await?) {
            crate::table::bring_up(&mut tx.connection, &tables).await?;
        }
        if config.scratch {
            tx.connection.execute("mark itself", MARK_SCRATCH, arguments![]).await?;
        }

        let readers = SqlitePoolOptions::new()
            .max_connections(config.readers.max(1))
            .acquire_timeout(Duration::from_secs(BUSY_SECONDS))
            .connect_with(options.create_if_missing(false).pragma("query_only", "ON"))
            .await
            .map_err(failed)?;

        let (messages, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(writer::run(tx, receiver));
        Ok(Self { messages, readers, tables })
    }

    /// The objects that it was opened with.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        self.tables.objects()
    }

    /// Runs a logical transaction. It commits as a whole, together with
    /// others that wait at the same time, or leaves nothing; the result
    /// arrives after the commit.
    ///
    /// The code has the only writer to itself: it awaits nothing but the
    /// methods of [`Tx`]. Once asked for, a write is carried out even if the
    /// caller goes away.
    ///
    /// ```ignore
    /// store.write(move |tx| async move { tx.setting_put("theme", &json!("dark")).await }.boxed()).await?;
    /// ```
    ///
    /// # Errors
    ///
    /// Whatever the code returns, or a [`StoreError`] where the database
    /// fails or the code panics.
    pub async fn write<T, E, F>(&self, code: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        self.messages
            .send(Message::Write(writer::job(code, sender)))
            .await
            .map_err(|_| StoreError::Closed)?;
        receiver.await.map_err(|_| StoreError::Closed)?
    }

    /// How many writes wait for the writer: what a host looks at before it
    /// takes in more.
    #[must_use]
    pub fn write_backlog(&self) -> usize {
        self.messages.max_capacity() - self.messages.capacity()
    }

    /// A reader's view of what is committed. It holds one of the readers
    /// until it is dropped; each statement sees the newest commit.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where no reader is to be had.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        let connection = self.readers.acquire().await.map_err(|why| match why {
            sqlx::Error::PoolClosed => StoreError::Closed,
            other => StoreError::database("lend a reader")(other),
        })?;
        Ok(Tx { connection: Connection::Pooled(connection), tables: Arc::clone(&self.tables) })
    }

    /// Finishes the writes that were asked for, and closes the file. Other
    /// clones find the store closed.
    pub async fn close(self) {
        // The readers first, so that the writer is the last one and tidies up
        // the write-ahead log.
        self.readers.close().await;
        let (sender, receiver) = oneshot::channel();
        if self.messages.send(Message::Close(sender)).await.is_ok() {
            let _ = receiver.await;
        }
    }
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
async fn prove(connection: &mut Connection, config: &StoreConfig) -> Result<(), StoreError> {
    let settings = [
        ("journal_mode", "PRAGMA journal_mode", "wal"),
        ("synchronous", "PRAGMA synchronous", if config.scratch { "0" } else { "2" }),
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
            return Err(StoreError::Unsafe { path: config.path.clone(), setting, found, wanted });
        }
    }
    Ok(())
}

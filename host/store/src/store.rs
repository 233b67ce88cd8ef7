//! Opening the store, and the two ways into it: one writer, several readers.

use std::{path::PathBuf, sync::Arc, time::Duration};

use deadpool::unmanaged::Pool;
use futures::future::BoxFuture;
use relata_model::{Objects, Timestamp};
use sqlx::{Connection as _, PgPool, SqliteConnection};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{
    DatabaseUrl, StoreError, WriteObserver,
    connection::{Connection, arguments},
    dialect::Dialect,
    hint::Hints,
    lookup::Lookups,
    observe::Observed,
    postgres::Server,
    sqlite,
    table::Tables,
    wake::{Part, Parts, Wakes},
    writer::{self, Message, Together, Told},
};

/// So many writes may queue before the next one has to wait.
const QUEUE: usize = 4_096;

/// So long a reader that is in use may take when the store is closed.
const FAREWELL: Duration = Duration::from_secs(2);

/// Where the store is.
#[derive(Debug, Clone)]
pub enum Place {
    /// An SQLite file; made if it is not there.
    File(PathBuf),
    /// A PostgreSQL database, which several hosts may share.
    Server(DatabaseUrl),
}

/// Where the store is, and how wide.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Where.
    pub place: Place,
    /// How many reads may run at once; at least 1.
    pub readers: u32,
    /// For tests on a file: nobody minds if the machine goes down and the data
    /// with it, so nothing waits for the disk. A copy of such a database is
    /// opened as it is, with the same objects.
    pub scratch: bool,
    /// How long a server lets a transaction of this host be silent before it
    /// undoes it. A host that was stopped in the middle of one holds up the
    /// others for so long; so it is shorter than a lease.
    pub stall: Duration,
    /// How long a server may take to answer a statement. After that the connection counts
    /// as lost: so one that hangs (a firewall that has forgotten it, a server that was
    /// stopped) does not hold up this host for longer. Longer than `stall`, since so long
    /// another host may hold a lock; bringing up the tables may take as long as it takes.
    pub patience: Duration,
}

impl StoreConfig {
    /// The usual settings for a place: four readers, 30 s for a transaction that is
    /// silent, and 60 s for a server that is.
    #[must_use]
    pub const fn at(place: Place) -> Self {
        let (stall, patience) = (Duration::from_secs(30), Duration::from_secs(60));
        Self { place, readers: 4, scratch: false, stall, patience }
    }
}

/// The records, runs and effects of a company, in one database. Clones share
/// it.
#[derive(Debug, Clone)]
pub struct Store {
    messages: mpsc::Sender<Message>,
    readers: Readers,
    pub(crate) tables: Arc<Tables>,
    hints: Option<Arc<Hints>>,
    observed: Arc<Observed>,
    wakes: Arc<Wakes>,
    pub(crate) lookups: Arc<Lookups>,
}

/// The connections for reads.
#[derive(Debug, Clone)]
pub(crate) enum Readers {
    /// Of a file.
    Sqlite(Pool<SqliteConnection>),
    /// Of a server, and how long it may take to answer.
    Postgres(PgPool, Duration),
}

/// A transaction, or a reader's view of what is committed: what the nouns of
/// this crate (`record_…`, `run_…`, `outbox_…`) are methods of.
#[derive(Debug)]
pub struct Tx {
    pub(crate) connection: Connection,
    pub(crate) tables: Arc<Tables>,
    /// Which parts of a host have something to do by what was written.
    pub(crate) stirred: Parts,
    /// Whether it may take for granted what it would look for: it can be run again.
    pub(crate) grants: bool,
}

impl Tx {
    pub(crate) const fn new(connection: Connection, tables: Arc<Tables>) -> Self {
        Self { connection, tables, stirred: Parts::new(), grants: false }
    }

    /// What was written is for this part of a host to see to.
    pub(crate) const fn stir(&mut self, part: Part) {
        self.stirred.add(part);
    }

    /// The objects of the company, as the store was opened with them.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        self.tables.objects()
    }

    /// Which database it speaks to.
    pub(crate) const fn dialect(&self) -> Dialect {
        self.connection.dialect()
    }
}

impl Store {
    /// Opens the database, makes the file if it is not there, and brings its
    /// tables up to this version and these objects. Columns are added, never
    /// dropped.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the file or the server cannot be opened, does not
    /// keep its promises, was written by a newer version, or holds values that
    /// do not fit the objects.
    pub async fn open(config: &StoreConfig, objects: Arc<Objects>) -> Result<Self, StoreError> {
        let dialect = match &config.place {
            Place::File(_) => Dialect::Sqlite,
            Place::Server(_) => Dialect::Postgres,
        };
        let tables = Arc::new(Tables::new(objects, dialect)?);
        let wakes = Arc::<Wakes>::default();
        let (connection, readers, server, hints) = match &config.place {
            Place::File(path) => {
                let (connection, readers) = sqlite::open(path, config, &tables).await?;
                (connection, readers, None, None)
            }
            Place::Server(url) => {
                let server = Server::new(url, config);
                // To bring up large tables may take as long as it takes.
                let mut connection = server.connect().await?.patient(None);
                crate::table::bring_up(&mut connection, &tables).await?;
                let connection = connection.patient(Some(config.patience));
                let readers =
                    Readers::Postgres(server.readers(config.readers.max(1)), config.patience);
                let hints = Hints::start(server.readers(2), Arc::clone(&wakes));
                (connection, readers, Some(server), Some(hints))
            }
        };
        let tx = Tx::new(connection, Arc::clone(&tables));
        let (messages, receiver) = mpsc::channel(QUEUE);
        let observed = Arc::<Observed>::default();
        let told = Told {
            observed: Arc::clone(&observed),
            wakes: Arc::clone(&wakes),
            hints: hints.clone(),
        };
        tokio::spawn(writer::run(tx, receiver, server, told));
        let lookups = Arc::default();
        Ok(Self { messages, readers, tables, hints, observed, wakes, lookups })
    }

    /// Whether other hosts may move runs in the same database.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.hints.is_some()
    }

    /// Tells all parts of this host, and the other hosts soon, that there may
    /// be something to do. Only a hint. What a write leaves to be done is told
    /// by its commit.
    pub fn wake(&self) {
        self.wakes.all();
        if let Some(hints) = &self.hints {
            hints.give(Parts::all());
        }
    }

    /// Where the parts of this host are woken.
    #[must_use]
    pub fn wakes(&self) -> &Wakes {
        &self.wakes
    }

    /// Begins to hear the other hosts: their hints wake parts of this one, which
    /// they know as `name`, a name that no other has. Does nothing where there are no
    /// others.
    pub fn hear_hints(&self, name: &str) {
        if let Some(hints) = &self.hints {
            hints.listen(name);
        }
    }

    /// The database's time, for a clock that all hosts share.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn server_time(&self) -> Result<Timestamp, StoreError> {
        let mut tx = self.read().await?;
        let sql = tx.dialect().now();
        let row = tx.connection.row("tell the time", sql, arguments![]).await?;
        row.ok_or_else(|| StoreError::unreadable("the time", "there is none"))?.time("now")
    }

    /// Lets somebody watch the writer; false where somebody does already.
    pub fn observe_writes(&self, observer: WriteObserver) -> bool {
        self.observed.set(observer)
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
    /// The code has this host's only writer to itself: it awaits nothing but the
    /// methods of [`Tx`]. Once asked for, a write is carried out even if the
    /// caller goes away. On a server that several hosts share it may be carried
    /// out more than once, of which only the last one counts: so it does
    /// nothing but read and write the database.
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
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Clone + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        self.messages
            .send(Message::Write(writer::work(code, sender)))
            .await
            .map_err(|_| StoreError::Closed)?;
        receiver.await.map_err(|_| StoreError::Closed)?
    }

    /// Runs a logical transaction together with others of its kind that wait
    /// at the same time: one statement a table for all of them. Else as
    /// [`Store::write`].
    ///
    /// # Errors
    ///
    /// Why this member was not written; the others are not touched by that.
    pub async fn write_together<M: Together>(&self, member: M) -> Result<M::Done, M::Error> {
        let (sender, receiver) = oneshot::channel();
        self.messages
            .send(Message::Write(writer::together(member, sender)))
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
        let at_hand = match &self.readers {
            Readers::Sqlite(pool) => pool.try_get().ok().map(Connection::from),
            Readers::Postgres(pool, patience) => Connection::reader_at_hand(pool, *patience),
        };
        let connection = match at_hand {
            Some(connection) => connection,
            // Apart: what waits for a connection to be made is large, and all who read
            // would carry it about.
            None => Box::pin(self.next_reader()).await?,
        };
        Ok(Tx::new(connection, Arc::clone(&self.tables)))
    }

    /// Waits for a reader.
    async fn next_reader(&self) -> Result<Connection, StoreError> {
        match &self.readers {
            Readers::Sqlite(pool) => {
                match timeout(Duration::from_secs(sqlite::BUSY_SECONDS), pool.get()).await {
                    Ok(Ok(connection)) => Ok(Connection::from(connection)),
                    Ok(Err(_)) => Err(StoreError::Closed),
                    Err(_) => Err(StoreError::Busy),
                }
            }
            Readers::Postgres(pool, patience) => match Connection::reader(pool, *patience).await {
                Ok(reader) => Ok(reader),
                Err(sqlx::Error::PoolClosed) => Err(StoreError::Closed),
                Err(other) => Err(StoreError::database("lend a reader")(other)),
            },
        }
    }

    /// Finishes the writes that were asked for, and closes the file. Other
    /// clones find the store closed.
    pub async fn close(self) {
        if let Some(hints) = &self.hints {
            hints.close().await;
        }
        // The readers first, so that the writer is the last one and tidies up
        // the write-ahead log.
        match &self.readers {
            Readers::Sqlite(pool) => close(pool).await,
            Readers::Postgres(pool, _) => pool.close().await,
        }
        let (sender, receiver) = oneshot::channel();
        if self.messages.send(Message::Close(sender)).await.is_ok() {
            let _ = receiver.await;
        }
    }
}

/// Closes the readers of a file, each when it is given back; not for longer
/// than that takes, since another clone may be closing them too.
async fn close(readers: &Pool<SqliteConnection>) {
    for _ in 0..readers.status().max_size {
        let Ok(Ok(reader)) = timeout(FAREWELL, readers.remove()).await else { break };
        if let Err(why) = reader.close().await {
            tracing::warn!(error = %why, "a reader did not close cleanly; nothing is lost");
        }
    }
    readers.close();
}

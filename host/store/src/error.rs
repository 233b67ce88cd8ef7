//! What can go wrong with the store.

use std::{path::PathBuf, sync::Arc};

use relata_model::{FieldError, Reference, RunId, text};

use crate::outlook::GRANTED;

/// A fault of the database or of what lies in it. Nothing of the transaction
/// that met it remains.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The file could not be opened.
    #[error("the database {} could not be opened; check that its folder exists, is writable and has room", path.display())]
    Open {
        /// Where it should be.
        path: PathBuf,
        /// What the driver said.
        source: Arc<sqlx::Error>,
    },
    /// The server cannot be used.
    #[error("the database {place} cannot be used: {why}")]
    Server {
        /// Where it is, without the password.
        place: String,
        /// What is wrong, and how to mend it.
        why: String,
        /// What the driver said.
        source: Option<Arc<sqlx::Error>>,
    },
    /// The connection to the server was lost, and could not be had again soon.
    #[error(
        "the connection to the database was lost; nothing of what was asked is kept, try again"
    )]
    Lost(#[source] Arc<sqlx::Error>),
    /// The connection to the server was lost while it was committing.
    #[error(
        "the connection to the database was lost at the commit, so nobody knows whether this write is kept; look before you repeat it"
    )]
    Unsure(#[source] Arc<sqlx::Error>),
    /// Another host wrote the same rows in another order, again and again.
    #[error("another host is writing the same rows; nothing of this write is kept, try again")]
    Crossed(#[source] Arc<sqlx::Error>),
    /// The file was opened, but would not keep what it is told after a crash.
    #[error("the database {} runs with {setting} = {found} instead of {wanted}; put it on a local disk (not a network share)", path.display())]
    Unsafe {
        /// Where it is.
        path: PathBuf,
        /// The setting that was read back.
        setting: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// The tables could not be brought up to this version of Relata.
    #[error(
        "the tables of the database could not be brought up to date; was it written by a newer Relata?"
    )]
    Migrate(#[source] Arc<sqlx::migrate::MigrateError>),
    /// An object's table does not fit its definition.
    #[error("the table of `{object}` {why}")]
    Table {
        /// The object's name.
        object: String,
        /// What does not fit, and how to mend it.
        why: String,
    },
    /// Another process held the database for too long.
    #[error(
        "another process has been writing to the database for more than {} seconds; try again, or stop it",
        crate::sqlite::BUSY_SECONDS
    )]
    Busy,
    /// The disk is full.
    #[error("the disk that holds the database is full; nothing of this write was kept")]
    Full,
    /// The database refused a statement.
    #[error("the database refused to {doing}")]
    Database {
        /// What was tried.
        doing: &'static str,
        /// What the driver said.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// A row that this version cannot read.
    #[error("{what} in the database cannot be read: {why}")]
    Unreadable {
        /// Which row and column.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// The run has gone on elsewhere since it was claimed: abandon it.
    #[error("{run} is no longer held by this worker; what it did since is dropped")]
    Fenced {
        /// The run.
        run: RunId,
    },
    /// The store has been closed.
    #[error("the database has been closed")]
    Closed,
    /// This write cannot share its part of the transaction with others: it is
    /// tried by itself.
    #[error("a write has to be tried by itself")]
    Apart,
    /// What a transaction took for granted is otherwise: it is run again, and looks.
    #[error("what a write rests on is otherwise by now")]
    Otherwise,
    /// The code of a transaction panicked. Nothing of it remains.
    #[error("a write to the database failed inside Relata: {0}")]
    Panicked(String),
}

impl StoreError {
    /// Names what was tried when the driver failed.
    pub(crate) fn database(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| {
            if is_lost(&source) {
                return Self::Lost(Arc::new(source));
            }
            match code(&source) {
                Some(Code::Sqlite(5 | 6)) => Self::Busy,
                Some(Code::Sqlite(13)) => Self::Full,
                Some(Code::Sqlite(19)) if source.to_string().contains(GRANTED) => Self::Otherwise,
                Some(Code::Postgres(state)) => match state.as_str() {
                    "53100" => Self::Full,
                    // A deadlock, a serialization failure, a lock time-out.
                    "40P01" | "40001" | "55P03" => Self::Crossed(Arc::new(source)),
                    _ => Self::Database { doing, source: Arc::new(source) },
                },
                _ => Self::Database { doing, source: Arc::new(source) },
            }
        }
    }

    pub(crate) fn unreadable(what: impl Into<String>, why: impl ToString) -> Self {
        Self::Unreadable { what: what.into(), why: why.to_string() }
    }

    /// Whether the database refused because two rows may not have the same.
    pub(crate) fn is_duplicate(&self) -> bool {
        matches!(self, Self::Database { source, .. }
            if source.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation))
    }
}

/// What a database says went wrong.
enum Code {
    /// SQLite's primary result code.
    Sqlite(u32),
    /// PostgreSQL's SQLSTATE.
    Postgres(String),
}

fn code(fault: &sqlx::Error) -> Option<Code> {
    let fault = fault.as_database_error()?;
    let code = fault.code()?;
    if fault.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
        return Some(Code::Postgres(code.into_owned()));
    }
    // The low byte of the extended ones.
    code.parse::<u32>().ok().map(|code| Code::Sqlite(code & 0xff))
}

/// Whether the connection to a server is gone.
pub(crate) fn is_lost(fault: &sqlx::Error) -> bool {
    match fault {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(_) => match code(fault) {
            // The server stops, crashed, starts, or has ended the session.
            Some(Code::Postgres(state)) => {
                matches!(state.as_str(), "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04")
                    || state.starts_with("08")
            }
            _ => false,
        },
        _ => false,
    }
}

/// Why a record could not be read or written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RecordError {
    /// There is no such object.
    #[error("there is no object `{object}`{}", hint.as_ref().map_or_else(String::new, |near| format!("; did you mean `{near}`?")))]
    UnknownObject {
        /// What was asked for.
        object: String,
        /// What may have been meant.
        hint: Option<String>,
    },
    /// There is no such record.
    #[error("there is no {}", .0)]
    NotFound(Reference),
    /// The record has changed since it was read.
    #[error(
        "{reference} has changed meanwhile: it is at revision {found}, not {expected}; read it again"
    )]
    Conflict {
        /// The record.
        reference: Reference,
        /// The revision that the writer had read.
        expected: u64,
        /// The revision that it has.
        found: u64,
    },
    /// Fields that cannot be so, all of them.
    #[error("{}", sentences(.0))]
    Invalid(Vec<FieldError>),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RecordError {
    pub(crate) fn unknown_object<'a>(object: &str, known: impl Iterator<Item = &'a str>) -> Self {
        Self::UnknownObject {
            object: object.to_owned(),
            hint: text::nearest(object, known).map(str::to_owned),
        }
    }
}

fn sentences(errors: &[FieldError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

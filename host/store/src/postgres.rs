//! A PostgreSQL server: its address, and whether it can be trusted with the
//! data.

use std::{fmt, io, str::FromStr, sync::Arc, time::Duration};

use sqlx::{
    PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{
    StoreConfig, StoreError,
    connection::{Connection, arguments},
};

/// The oldest version that has what we use, as `server_version_num` says it.
const OLDEST: i64 = 150_000;

/// So long may one attempt to connect take.
const CONNECT: Duration = Duration::from_secs(10);

/// How many statements a connection keeps prepared, if the URL does not say. An
/// update has a text for each set of fields: with the driver's 100 they would push
/// each other out, and each would be read and planned anew.
const STATEMENTS: usize = 512;

/// The ways of reading a table that a writer does without: each of its statements
/// finds its rows by an index. A server plans them while the tables are still empty,
/// when to read a whole one looks cheap, and may keep the plan. What they found is
/// joined with the rows that were given by hashing: a loop would compare each of them
/// with each.
const BY_INDEX: [&str; 2] = ["enable_seqscan", "enable_mergejoin"];

/// How often a writer tries to get its connection back before those that wait
/// are told. The pauses between double from [`FIRST_PAUSE`]: 6 s in all.
const ATTEMPTS: u32 = 7;

/// The first pause between two attempts.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The parameters that a database URL may have behind its `?`.
const PARAMETERS: &[&str] = &[
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// Where a PostgreSQL database is, and as whom to open it:
/// `postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=require`. What it does
/// not say comes from the variables of `psql` (`PGPASSWORD`, `PGHOST`, …) and
/// `~/.pgpass`. It is printed and logged without the password.
#[derive(Clone)]
pub struct DatabaseUrl {
    options: Arc<PgConnectOptions>,
    shown: String,
}

/// Why a text is no address of a database. It does not repeat the text, which
/// may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the database URL {0}; it looks like postgres://USER:PASSWORD@HOST:5432/DATABASE")]
pub struct DatabaseUrlError(String);

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let wrong = |why: &str| DatabaseUrlError(why.to_owned());
        let Some((_, rest)) = text
            .split_once("://")
            .filter(|(scheme, _)| matches!(*scheme, "postgres" | "postgresql"))
        else {
            return Err(wrong("does not begin with postgres://"));
        };
        if let Some((_, parameters)) = rest.split_once('?') {
            // The driver would log those that it does not know, with their values.
            for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
                let name = parameter.split('=').next().unwrap_or_default();
                if !PARAMETERS.contains(&name) && !name.starts_with("options[") {
                    return Err(DatabaseUrlError(format!(
                        "has a parameter that there is not; there are {}",
                        PARAMETERS.join(", ")
                    )));
                }
            }
        }
        // The driver's message shows a parameter's value, but of the rest only
        // what is wrong with it.
        let place = text.split('?').next().unwrap_or_default();
        if let Err(sqlx::Error::Configuration(why)) = PgConnectOptions::from_str(place) {
            return Err(DatabaseUrlError(format!(
                "does not read ({why}; special characters in a password are written as %40 and the like)"
            )));
        }
        let mut options = PgConnectOptions::from_str(text).map_err(|_| {
            wrong("has a parameter that does not read; sslmode is one of disable, allow, prefer, require, verify-ca and verify-full, and numbers are digits")
        })?;
        if !text.contains("statement-cache-capacity=") {
            options = options.statement_cache_capacity(STATEMENTS);
        }
        let place = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        };
        let database = options.get_database().unwrap_or(options.get_username());
        let shown = format!("postgres://{}@{place}/{database}", options.get_username());
        Ok(Self { options: Arc::new(options), shown })
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// A server that is connected to, and connected to again where the connection
/// was lost.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    url: DatabaseUrl,
    /// What the server lets a transaction be silent for.
    stall: Duration,
    /// What it may be silent for itself.
    patience: Duration,
}

impl Server {
    pub(crate) fn new(url: &DatabaseUrl, config: &StoreConfig) -> Self {
        Self { url: url.clone(), stall: config.stall, patience: config.patience }
    }

    /// How this program's connections present themselves.
    fn options(&self) -> PgConnectOptions {
        let options = PgConnectOptions::clone(&self.url.options);
        let named = options.get_application_name().is_some();
        let options = if named { options } else { options.application_name("relata") };
        options.options([
            // A host that was stopped in the middle of a transaction must not hold
            // up the others for ever.
            ("idle_in_transaction_session_timeout", self.stall.as_millis().to_string()),
            // Our statements are short, and are estimated as long where they read JSON:
            // to compile one takes longer than to run it.
            ("jit", "off".to_owned()),
        ])
    }

    /// Connections for reads, made when they are needed.
    pub(crate) fn readers(&self, count: u32) -> PgPool {
        PgPoolOptions::new()
            .max_connections(count)
            .acquire_timeout(CONNECT)
            // A connection that the server has closed shows at the first
            // statement, which then takes another one.
            .test_before_acquire(false)
            .connect_lazy_with(self.options().options([("default_transaction_read_only", "on")]))
    }

    /// A connection that writes, to a server that can be trusted.
    pub(crate) async fn connect(&self) -> Result<Connection, StoreError> {
        let options = self.options().options(BY_INDEX.map(|way| (way, "off")));
        let connecting = <PgConnection as sqlx::Connection>::connect_with(&options);
        let connection = match tokio::time::timeout(CONNECT, connecting).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(why)) => return Err(self.refused(why)),
            Err(_) => {
                return Err(self.unfit(format!(
                    "it has not answered for {} seconds; look at the address and the firewall",
                    CONNECT.as_secs()
                )));
            }
        };
        let mut connection = Connection::from(connection).patient(Some(self.patience));
        self.prove(&mut connection).await?;
        Ok(connection)
    }

    /// The same, where there was a connection before: tried for some seconds.
    pub(crate) async fn connect_again(&self) -> Result<Connection, StoreError> {
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            match self.connect().await {
                Ok(connection) => {
                    tracing::info!(database.url = %self.url, "the database is there again");
                    return Ok(connection);
                }
                Err(why) if attempt >= ATTEMPTS => return Err(why),
                Err(why) => {
                    tracing::warn!(error = %why, "the connection to the database was lost; trying again");
                }
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
            attempt += 1;
        }
    }

    /// Whether the server is one on which the data is safe.
    async fn prove(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let row = connection
            .row(
                "say what it is",
                "SELECT CAST(current_setting('server_version_num') AS BIGINT) AS number,
                        current_setting('server_version') AS version,
                        current_setting('server_encoding') AS encoding,
                        current_setting('synchronous_commit') AS synchronous,
                        CAST(current_schema() AS TEXT) AS schema,
                        CASE WHEN pg_is_in_recovery() THEN 1 ELSE 0 END AS replica",
                arguments![],
            )
            .await?
            .ok_or_else(|| self.unfit("it says nothing of itself".to_owned()))?;
        let unfit = |why: String| Err(self.unfit(why));
        if row.whole("number")? < OLDEST {
            return unfit(format!(
                "it is PostgreSQL {}; Relata needs 15 or newer",
                row.text("version")?
            ));
        }
        let encoding = row.text("encoding")?;
        if encoding != "UTF8" {
            return unfit(format!(
                "its encoding is {encoding}, which cannot hold every name; make one with `createdb --encoding UTF8 --template template0`"
            ));
        }
        if row.whole("replica")? != 0 {
            return unfit(
                "it is a replica, which can only be read; name the primary server".to_owned(),
            );
        }
        if row.text("synchronous")? == "off" {
            return unfit(
                "it runs with synchronous_commit = off, and would forget what it has promised when it crashes; set it to `on` for this role or database".to_owned(),
            );
        }
        if row.text_or_none("schema")?.is_none() {
            return unfit(
                "none of the schemas of search_path is there; make one with CREATE SCHEMA"
                    .to_owned(),
            );
        }
        Ok(())
    }

    fn unfit(&self, why: String) -> StoreError {
        StoreError::Server { place: self.url.to_string(), why, source: None }
    }

    /// What the driver says, for people.
    fn refused(&self, source: sqlx::Error) -> StoreError {
        let (user, options) = (self.url.options.get_username(), &self.url.options);
        let why = match &source {
            sqlx::Error::Database(fault) => match fault.code().as_deref() {
                Some("28P01") => format!("the server does not accept the password of `{user}`"),
                Some("28000") => format!(
                    "the server does not let `{user}` in from here; look at the user and at pg_hba.conf"
                ),
                Some("3D000") => {
                    let name = options.get_database().unwrap_or(user);
                    format!("the server has no database `{name}`; make one with `createdb {name}`")
                }
                Some("53300") => {
                    "the server has no connection left; raise max_connections, or put PgBouncer before it"
                        .to_owned()
                }
                Some("57P03") => "the server is starting or stopping; try again".to_owned(),
                _ => "the server refuses the connection".to_owned(),
            },
            sqlx::Error::Io(fault) if fault.kind() == io::ErrorKind::ConnectionRefused => {
                "nothing answers there; is the server running, and are host and port right?"
                    .to_owned()
            }
            sqlx::Error::Io(fault) if fault.kind() == io::ErrorKind::NotFound => {
                "there is no such socket; is the server running?".to_owned()
            }
            sqlx::Error::Io(fault) => format!("the server cannot be reached ({fault})"),
            sqlx::Error::Tls(fault) => format!(
                "no encrypted connection could be made ({fault}); look at sslmode and sslrootcert"
            ),
            _ => "the server cannot be used".to_owned(),
        };
        StoreError::Server { place: self.url.to_string(), why, source: Some(Arc::new(source)) }
    }
}

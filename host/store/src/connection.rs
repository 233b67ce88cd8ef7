//! The seam to the drivers: statements go in with `$1` placeholders and
//! arguments that are whole numbers, texts or bytes, rows come out. Everything
//! else in this crate is written against this.

use std::time::Duration;

use deadpool::unmanaged::Object;
use futures::TryStreamExt as _;
use relata_model::{EffectId, EventId, RecordId, Reference, RunId, Timestamp};
use sqlx::{
    AssertSqlSafe, Connection as _, Either, Executor as _, PgConnection, PgPool, Postgres,
    SqlSafeStr, SqlStr, SqliteConnection, pool::PoolConnection, postgres::PgArguments,
    sqlite::SqliteArguments,
};

use crate::{StoreError, dialect::Dialect};

mod patience;
mod row;

use patience::{answered, is_silence};
pub(crate) use row::Row;

/// A connection: the writer's own, or one on loan from the readers.
#[derive(Debug)]
pub(crate) struct Connection {
    driver: Driver,
    /// What went wrong last, until somebody asks ([`Connection::take_fault`]).
    fault: Option<StoreError>,
    posted: Posted,
    /// For a server: what goes with the next statement that has arguments.
    apart: Vec<Apart>,
    /// How long a server may take to answer a statement; without it, as long as it takes.
    patience: Option<Duration>,
}

#[derive(Debug)]
enum Driver {
    /// The writer's, to a file.
    Sqlite(SqliteConnection),
    /// A reader's; goes back when dropped.
    SqliteReader(Object<SqliteConnection>),
    /// The writer's, to a server.
    Postgres(PgConnection),
    /// A reader's; goes back when dropped.
    PostgresReader(PoolConnection<Postgres>, PgPool),
}

impl From<SqliteConnection> for Connection {
    fn from(connection: SqliteConnection) -> Self {
        Self::over(Driver::Sqlite(connection))
    }
}

impl From<Object<SqliteConnection>> for Connection {
    fn from(connection: Object<SqliteConnection>) -> Self {
        Self::over(Driver::SqliteReader(connection))
    }
}

impl From<PgConnection> for Connection {
    fn from(connection: PgConnection) -> Self {
        Self::over(Driver::Postgres(connection))
    }
}

impl Connection {
    const fn over(driver: Driver) -> Self {
        let posted = Posted { sql: String::new(), arguments: Vec::new() };
        Self { driver, fault: None, posted, apart: Vec::new(), patience: None }
    }

    /// The same, but lost where the server takes longer than this to answer a
    /// statement; without it, the answer may take as long as it takes.
    pub(crate) fn patient(self, patience: Option<Duration>) -> Self {
        Self { patience, ..self }
    }

    /// One of a server's readers; another one takes its place where the server
    /// has closed it meanwhile.
    pub(crate) async fn reader(pool: &PgPool, patience: Duration) -> Result<Self, sqlx::Error> {
        Ok(Self::lent(pool, pool.acquire().await?, patience))
    }

    /// The same, where one lies ready.
    pub(crate) fn reader_at_hand(pool: &PgPool, patience: Duration) -> Option<Self> {
        Some(Self::lent(pool, pool.try_acquire()?, patience))
    }

    fn lent(pool: &PgPool, connection: PoolConnection<Postgres>, patience: Duration) -> Self {
        let driver = Driver::PostgresReader(connection, pool.clone());
        Self::over(driver).patient(Some(patience))
    }

    /// Which database is at the other end.
    pub(crate) const fn dialect(&self) -> Dialect {
        match self.driver {
            Driver::Sqlite(_) | Driver::SqliteReader(_) => Dialect::Sqlite,
            Driver::Postgres(_) | Driver::PostgresReader(..) => Dialect::Postgres,
        }
    }

    /// What a statement failed with since this was last asked. After a fault
    /// PostgreSQL carries out nothing more until the part of the transaction
    /// in which it was is undone.
    pub(crate) const fn take_fault(&mut self) -> Option<StoreError> {
        self.fault.take()
    }

    /// The same, without forgetting it.
    pub(crate) const fn fault(&self) -> Option<&StoreError> {
        self.fault.as_ref()
    }

    /// Forgets a fault whose part has been undone; not one that concerns the
    /// whole transaction.
    pub(crate) fn forgive(&mut self) {
        self.fault = self
            .fault
            .take()
            .filter(|why| matches!(why, StoreError::Lost(_) | StoreError::Crossed(_)));
    }

    /// Has a statement run of which nobody needs the answer: with the next one that
    /// is run, and if it fails, that one does. A trip to a file's thread takes longer
    /// than most statements, and one to a server does too; there only statements
    /// without arguments go together.
    pub(crate) async fn post(
        &mut self,
        doing: &'static str,
        sql: impl SqlSafeStr,
        arguments: Vec<Argument>,
    ) -> Result<(), StoreError> {
        match self.dialect() {
            Dialect::Sqlite => self.posted.add(sql.into_sql_str().as_str(), arguments),
            Dialect::Postgres if arguments.is_empty() => {
                self.run_apart().await?;
                self.posted.add(sql.into_sql_str().as_str(), arguments);
            }
            Dialect::Postgres => return self.execute(doing, sql, arguments).await.map(drop),
        }
        Ok(())
    }

    /// The same for an INSERT, UPDATE or DELETE: to a server it goes as one with the next
    /// statement. Where that one names the table that this one writes to, it has to see
    /// what became of it, and is run afterwards; without a table nothing that comes next
    /// minds.
    pub(crate) async fn post_apart(
        &mut self,
        doing: &'static str,
        table: Option<&'static str>,
        sql: impl SqlSafeStr,
        arguments: Vec<Argument>,
    ) -> Result<(), StoreError> {
        match self.dialect() {
            Dialect::Sqlite => self.post(doing, sql, arguments).await,
            Dialect::Postgres => {
                let sql = sql.into_sql_str();
                self.run_before(&sql, &arguments).await?;
                self.apart.push(Apart { doing, table, sql, arguments });
                Ok(())
            }
        }
    }

    /// Runs what was posted apart, as one statement.
    pub(crate) async fn run_apart(&mut self) -> Result<(), StoreError> {
        match self.apart.pop() {
            Some(Apart { doing, sql, arguments, .. }) => {
                // What is left was posted before it, and it names none of their tables.
                Box::pin(self.execute(doing, sql, arguments)).await.map(drop)
            }
            None => Ok(()),
        }
    }

    /// Runs what was posted apart where a statement cannot take it along.
    async fn run_before(&mut self, sql: &SqlStr, arguments: &[Argument]) -> Result<(), StoreError> {
        let sql = sql.as_str();
        let alone = arguments.is_empty() || sql.trim_start().starts_with("WITH");
        let names = |table: &str| sql.contains(table);
        if alone || self.apart.iter().filter_map(|apart| apart.table).any(names) {
            self.run_apart().await?;
        }
        Ok(())
    }

    /// Runs what was posted to a server, before a statement with arguments or rows: it
    /// takes several at once only without.
    async fn run_posted(&mut self, doing: &'static str) -> Result<(), StoreError> {
        let Driver::Postgres(connection) = &mut self.driver else { return Ok(()) };
        if self.posted.sql.is_empty() {
            return Ok(());
        }
        let Posted { sql, arguments } = std::mem::take(&mut self.posted);
        let asking = postgres_execute(connection, AssertSqlSafe(sql).into_sql_str(), arguments);
        match answered(&mut self.patience, asking).await {
            Ok(_) => Ok(()),
            Err(why) => Err(self.failed(doing, why)),
        }
    }

    /// Forgets what was posted and has not been run: it belongs to what is
    /// undone.
    pub(crate) fn recall(&mut self) {
        self.posted = Posted::default();
        self.apart.clear();
    }

    /// Runs a statement; yields how many rows it touched.
    pub(crate) async fn execute(
        &mut self,
        doing: &'static str,
        sql: impl SqlSafeStr,
        arguments: Vec<Argument>,
    ) -> Result<u64, StoreError> {
        let sql = sql.into_sql_str();
        self.run_before(&sql, &arguments).await?;
        let (sql, arguments) = with_apart(&mut self.apart, sql, arguments);
        if !arguments.is_empty() {
            self.run_posted(doing).await?;
        }
        let done = match &mut self.driver {
            Driver::Sqlite(connection) => {
                let (sql, arguments) = self.posted.before(sql, arguments);
                sqlite_run(connection, sql, arguments).await.map(|(touched, _)| touched)
            }
            Driver::SqliteReader(connection) => {
                sqlite_run(connection, sql, arguments).await.map(|(touched, _)| touched)
            }
            Driver::Postgres(connection) => {
                let (sql, arguments) = self.posted.before(sql, arguments);
                let asking = postgres_execute(connection, sql, arguments);
                answered(&mut self.patience, asking).await
            }
            Driver::PostgresReader(connection, _) => {
                let asking = postgres_execute(connection, sql, arguments);
                answered(&mut self.patience, asking).await
            }
        };
        done.map_err(|why| self.failed(doing, why))
    }

    /// Runs a statement; yields its rows.
    pub(crate) async fn rows(
        &mut self,
        doing: &'static str,
        sql: impl SqlSafeStr,
        arguments: Vec<Argument>,
    ) -> Result<Vec<Row>, StoreError> {
        let sql = sql.into_sql_str();
        self.run_before(&sql, &arguments).await?;
        let (sql, arguments) = with_apart(&mut self.apart, sql, arguments);
        self.run_posted(doing).await?;
        let rows = match &mut self.driver {
            Driver::Sqlite(connection) => {
                let (sql, arguments) = self.posted.before(sql, arguments);
                sqlite_run(connection, sql, arguments).await.map(last)
            }
            Driver::SqliteReader(connection) => {
                sqlite_run(connection, sql, arguments).await.map(last)
            }
            Driver::Postgres(connection) => {
                let asking = postgres_rows(connection, sql, arguments);
                answered(&mut self.patience, asking).await
            }
            Driver::PostgresReader(connection, pool) => {
                // Where the server has closed the connections that lie ready, each of them
                // may be lent before a new one is made.
                let mut may_be_stale = pool.options().get_max_connections();
                loop {
                    // A reader has no transaction, so its statement can be said again.
                    let asking = postgres_rows(connection, sql.clone(), arguments.clone());
                    match answered(&mut self.patience, asking).await {
                        // But for one that has waited long enough already.
                        Err(why) if is_silence(&why) => break Err(why),
                        Err(why) if may_be_stale > 0 && crate::error::is_lost(&why) => {
                            may_be_stale -= 1;
                            connection.close_on_drop();
                            match Box::pin(pool.acquire()).await {
                                Ok(other) => *connection = other,
                                Err(why) => break Err(why),
                            }
                        }
                        other => break other,
                    }
                }
            }
        };
        rows.map_err(|why| self.failed(doing, why))
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

    /// Runs questions in one trip; yields the rows of each, of whole numbers and texts,
    /// in any order.
    pub(crate) async fn rows_of_each(
        &mut self,
        doing: &'static str,
        questions: Vec<(SqlStr, Vec<Argument>)>,
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let count = questions.len();
        let Driver::Sqlite(connection) = &mut self.driver else {
            let (sql, arguments) = as_one(questions);
            let mut answers: Vec<Vec<Row>> = std::iter::repeat_with(Vec::new).take(count).collect();
            for row in self.rows(doing, sql, arguments).await? {
                let answer = row.small("answer")? as usize;
                if let Some(answer) = answers.get_mut(answer) {
                    answer.push(Row::Json(row.json("columns")?));
                }
            }
            return Ok(answers);
        };
        for (sql, arguments) in questions {
            self.posted.add(sql.as_str(), arguments);
        }
        let Posted { sql, arguments } = std::mem::take(&mut self.posted);
        let came = sqlite_run(connection, AssertSqlSafe(sql).into_sql_str(), arguments).await;
        let (_, mut answers) = came.map_err(|why| self.failed(doing, why))?;
        // Before them stand those of what was posted.
        answers.drain(..answers.len().saturating_sub(count));
        Ok(answers)
    }

    /// Runs the migrations that the database has not seen.
    pub(crate) async fn migrate(
        &mut self,
        migrator: &sqlx::migrate::Migrator,
    ) -> Result<(), sqlx::migrate::MigrateError> {
        match &mut self.driver {
            Driver::Sqlite(connection) => migrator.run(connection).await,
            Driver::SqliteReader(connection) => migrator.run(&mut **connection).await,
            Driver::Postgres(connection) => migrator.run(connection).await,
            Driver::PostgresReader(connection, _) => migrator.run(&mut **connection).await,
        }
    }

    /// Says goodbye to the database.
    pub(crate) async fn close(self) {
        let closed = match self.driver {
            Driver::Sqlite(connection) => connection.close().await,
            Driver::Postgres(connection) => connection.close().await,
            Driver::SqliteReader(_) | Driver::PostgresReader(..) => Ok(()),
        };
        if let Err(why) = closed {
            tracing::warn!(error = %why, "the database did not close cleanly; nothing is lost");
        }
    }

    fn failed(&mut self, doing: &'static str, why: sqlx::Error) -> StoreError {
        if let Driver::PostgresReader(connection, _) = &mut self.driver
            && is_silence(&why)
        {
            connection.close_on_drop();
        }
        let why = StoreError::database(doing)(why);
        self.fault = Some(why.clone());
        why
    }
}

/// Statements that go to the database with the next one.
#[derive(Debug, Default)]
struct Posted {
    sql: String,
    arguments: Vec<Argument>,
}

impl Posted {
    fn add(&mut self, sql: &str, arguments: Vec<Argument>) {
        if !self.sql.is_empty() {
            self.sql.push_str(";\n");
        }
        renumber(sql, self.arguments.len(), &mut self.sql);
        self.arguments.extend(arguments);
    }

    /// All of it, and this behind.
    fn before(&mut self, sql: SqlStr, arguments: Vec<Argument>) -> (SqlStr, Vec<Argument>) {
        if self.sql.is_empty() {
            return (sql, arguments);
        }
        self.add(sql.as_str(), arguments);
        let all = std::mem::take(self);
        (AssertSqlSafe(all.sql).into_sql_str(), all.arguments)
    }
}

/// A statement that goes to a server with the next one.
#[derive(Debug)]
struct Apart {
    doing: &'static str,
    /// The table that it writes to; none where nobody minds.
    table: Option<&'static str>,
    sql: SqlStr,
    arguments: Vec<Argument>,
}

/// A statement, and before it what was posted apart: as parts of the same one, which
/// all see the database as it was before it.
fn with_apart(
    apart: &mut Vec<Apart>,
    sql: SqlStr,
    arguments: Vec<Argument>,
) -> (SqlStr, Vec<Argument>) {
    if apart.is_empty() {
        return (sql, arguments);
    }
    let parts = apart.drain(..).map(|apart| (apart.sql, apart.arguments));
    let (mut whole, mut all) = parts_of_one("apart", parts);
    renumber(sql.as_str(), all.len(), &mut whole);
    all.extend(arguments);
    (AssertSqlSafe(whole).into_sql_str(), all)
}

/// Several questions as one, whose rows say which `answer` each belongs to and hold
/// its `columns` as JSON.
fn as_one(questions: Vec<(SqlStr, Vec<Argument>)>) -> (SqlStr, Vec<Argument>) {
    let count = questions.len();
    let (mut whole, all) = parts_of_one("answer", questions.into_iter());
    for answer in 0..count {
        let union = if answer == 0 { "" } else { " UNION ALL " };
        whole.push_str(&format!(
            "{union}SELECT CAST({answer} AS BIGINT) AS answer, \
             CAST(to_json(answer_{answer}) AS TEXT) AS columns FROM answer_{answer}"
        ));
    }
    (AssertSqlSafe(whole).into_sql_str(), all)
}

/// The beginning of a statement that has these as parts, numbered behind their name.
fn parts_of_one(
    name: &str,
    parts: impl Iterator<Item = (SqlStr, Vec<Argument>)>,
) -> (String, Vec<Argument>) {
    let (mut whole, mut all) = (String::from("WITH "), Vec::new());
    for (number, (sql, arguments)) in parts.enumerate() {
        let comma = if number == 0 { "" } else { "), " };
        whole.push_str(&format!("{comma}{name}_{number} AS ("));
        renumber(sql.as_str(), all.len(), &mut whole);
        all.extend(arguments);
    }
    whole.push_str(") ");
    (whole, all)
}

/// A statement whose arguments (`$1`, or `?` for each in turn) stand behind so
/// many others. What stands in quotes is a text or a name.
fn renumber(sql: &str, by: usize, into: &mut String) {
    let mut quoted = None;
    let mut place = by;
    let mut rest = sql.chars().peekable();
    while let Some(c) = rest.next() {
        match (quoted, c) {
            (Some(quote), _) if c == quote => quoted = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quoted = Some(c),
            (None, '?') => {
                place += 1;
                into.push_str(&format!("${place}"));
                continue;
            }
            (None, '$') => {
                let mut number = 0;
                while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                    number = number * 10 + digit.to_digit(10).unwrap_or(0) as usize;
                }
                into.push_str(&format!("${}", number + by));
                continue;
            }
            (None, _) => {}
        }
        into.push(c);
    }
}

/// Runs one or several statements; yields how many rows the last one touched,
/// and the rows of each.
async fn sqlite_run(
    connection: &mut SqliteConnection,
    sql: SqlStr,
    arguments: Vec<Argument>,
) -> Result<(u64, Vec<Vec<Row>>), sqlx::Error> {
    // That one query may be several statements is what sqlx wants to be rid of:
    // if it goes, what is posted has to be run at once, one by one.
    let mut came = connection.fetch_many(sqlx::query_with(sql, for_sqlite(arguments)));
    let (mut touched, mut each, mut rows) = (0, Vec::new(), Vec::new());
    while let Some(part) = came.try_next().await? {
        match part {
            Either::Left(done) => {
                touched = done.rows_affected();
                each.push(std::mem::take(&mut rows));
            }
            Either::Right(row) => rows.push(Row::Sqlite(row)),
        }
    }
    Ok((touched, each))
}

/// The rows of the last statement.
fn last((_, mut rows): (u64, Vec<Vec<Row>>)) -> Vec<Row> {
    rows.pop().unwrap_or_default()
}

async fn postgres_execute(
    connection: &mut PgConnection,
    sql: SqlStr,
    arguments: Vec<Argument>,
) -> Result<u64, sqlx::Error> {
    // What takes no arguments (BEGIN, SAVEPOINT, COMMIT) goes as plain text:
    // no statement is prepared for it.
    let done = if arguments.is_empty() {
        sqlx::raw_sql(sql).execute(connection).await?
    } else {
        sqlx::query_with(sql, for_postgres(arguments)).execute(connection).await?
    };
    Ok(done.rows_affected())
}

async fn postgres_rows(
    connection: &mut PgConnection,
    sql: SqlStr,
    arguments: Vec<Argument>,
) -> Result<Vec<Row>, sqlx::Error> {
    let rows = sqlx::query_with(sql, for_postgres(arguments)).fetch_all(connection).await?;
    Ok(rows.into_iter().map(Row::Postgres).collect())
}

/// A value on its way into a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Argument {
    /// A whole number.
    Whole(Option<i64>),
    /// A text.
    Text(Option<String>),
    /// Bytes: a piece of a file.
    Bytes(Vec<u8>),
}

fn for_sqlite(arguments: Vec<Argument>) -> SqliteArguments {
    use sqlx::Arguments as _;

    let mut bound = SqliteArguments::default();
    for argument in arguments {
        // Encoding any of them into SQLite's arguments cannot fail.
        let added = match argument {
            Argument::Whole(number) => bound.add(number),
            Argument::Text(text) => bound.add(text),
            Argument::Bytes(bytes) => bound.add(bytes),
        };
        debug_assert!(added.is_ok(), "numbers, texts and bytes always encode");
    }
    bound
}

fn for_postgres(arguments: Vec<Argument>) -> PgArguments {
    use sqlx::Arguments as _;

    let mut bound = PgArguments::default();
    for argument in arguments {
        let added = match argument {
            Argument::Whole(number) => bound.add(number),
            // PostgreSQL's texts have no NUL. A record's are refused with it
            // (`value::tidy`); what a plugin says shows that there was one.
            Argument::Text(Some(text)) if text.contains('\0') => {
                bound.add(text.replace('\0', "\u{fffd}"))
            }
            Argument::Text(text) => bound.add(text),
            Argument::Bytes(bytes) => bound.add(bytes),
        };
        debug_assert!(added.is_ok(), "numbers, texts and bytes always encode");
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

impl From<Option<u64>> for Argument {
    fn from(number: Option<u64>) -> Self {
        number.map_or(Self::Whole(None), Self::from)
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

impl From<&[u8]> for Argument {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

/// A value as JSON text, for a column.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|why| StoreError::unreadable("a value on its way", why))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posted_statements_keep_their_arguments() {
        let mut posted = Posted::default();
        posted.add("DELETE FROM a WHERE b = $1 AND c = $2", arguments![1_i64, "two"]);
        posted.add("SELECT value ->> '$.1' FROM json_each($1)", arguments!["[]"]);
        posted.add("UPDATE \"?\" SET d = ? WHERE e = '?''$1' AND f = ?", arguments!["x", "y"]);
        let (sql, all) = posted.before(
            AssertSqlSafe("SELECT $12, $1 || '$'".to_owned()).into_sql_str(),
            arguments!["last"],
        );
        assert_eq!(
            sql.as_str(),
            "DELETE FROM a WHERE b = $1 AND c = $2;\n\
             SELECT value ->> '$.1' FROM json_each($3);\n\
             UPDATE \"?\" SET d = $4 WHERE e = '?''$1' AND f = $5;\n\
             SELECT $17, $6 || '$'"
        );
        assert_eq!(all, arguments![1_i64, "two", "[]", "x", "y", "last"]);
        assert_eq!(posted.before("COMMIT".into_sql_str(), arguments![]).0.as_str(), "COMMIT");
    }

    #[test]
    fn statements_apart_become_parts_of_the_next_one() {
        let next = || "SELECT a FROM b WHERE c = $1".into_sql_str();
        let mut apart = Vec::new();
        let (sql, all) = with_apart(&mut apart, next(), arguments!["c"]);
        assert_eq!((sql.as_str(), all), (next().as_str(), arguments!["c"]));
        let posted = |table, sql: &'static str, arguments| Apart {
            doing: "try it",
            table,
            sql: sql.into_sql_str(),
            arguments,
        };
        apart.push(posted(Some("d"), "DELETE FROM d WHERE e = $1", arguments![1_i64]));
        apart.push(posted(None, "INSERT INTO f VALUES ($2, $1)", arguments!["g", "h"]));
        let (sql, all) = with_apart(&mut apart, next(), arguments!["c"]);
        assert_eq!(
            sql.as_str(),
            "WITH apart_0 AS (DELETE FROM d WHERE e = $1), \
             apart_1 AS (INSERT INTO f VALUES ($3, $2)) SELECT a FROM b WHERE c = $4"
        );
        assert_eq!(all, arguments![1_i64, "g", "h", "c"]);
        assert!(apart.is_empty());
    }

    #[test]
    fn questions_become_one() {
        let (sql, all) = as_one(vec![
            ("SELECT a FROM b WHERE c = $1".into_sql_str(), arguments!["c"]),
            ("SELECT d FROM e WHERE f = $1 FOR UPDATE".into_sql_str(), arguments!["f"]),
        ]);
        assert_eq!(
            sql.as_str(),
            "WITH answer_0 AS (SELECT a FROM b WHERE c = $1), \
             answer_1 AS (SELECT d FROM e WHERE f = $2 FOR UPDATE) \
             SELECT CAST(0 AS BIGINT) AS answer, CAST(to_json(answer_0) AS TEXT) AS columns FROM answer_0 \
             UNION ALL \
             SELECT CAST(1 AS BIGINT) AS answer, CAST(to_json(answer_1) AS TEXT) AS columns FROM answer_1"
        );
        assert_eq!(all, arguments!["c", "f"]);
    }
}

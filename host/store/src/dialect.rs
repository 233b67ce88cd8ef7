//! What SQLite and PostgreSQL say differently. Every other statement of this
//! crate is one text that both take: `$1` placeholders, TEXT, BIGINT and
//! NUMERIC columns, `ON CONFLICT`, `RETURNING`, `CAST`.

use sea_query::{Alias, Expr, ExprTrait as _, PostgresQueryBuilder, SqliteQueryBuilder};
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use crate::{connection::Argument, table::ColumnType};

/// Which of the two databases a connection speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// A file.
    Sqlite,
    /// A server, version 15 or newer.
    Postgres,
}

impl Dialect {
    /// Begins a transaction that may write. On SQLite it takes the write lock
    /// at once, so that it never has to give up half-way. On PostgreSQL it says
    /// what it needs, whatever the server's or the role's default is.
    pub(crate) const fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        }
    }

    /// What a claim appends to the choice of its rows, so that two workers do
    /// not wait for each other. SQLite has one writer at a time.
    pub(crate) const fn skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR NO KEY UPDATE SKIP LOCKED",
        }
    }

    /// What is appended to the choice of rows on which the transaction decides
    /// something: nobody else changes them before it ends. SQLite has one
    /// writer at a time.
    pub(crate) const fn locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR NO KEY UPDATE",
        }
    }

    /// As [`Self::locked`], for one of the tables of a join.
    pub(crate) fn locked_of(self, table: &str) -> String {
        match self {
            Self::Sqlite => String::new(),
            Self::Postgres => format!(" FOR NO KEY UPDATE OF {table}"),
        }
    }

    /// Keeps the active workflows as they are until the transaction ends, or
    /// waits until nobody does.
    pub(crate) const fn lock_workflows(self, to_change: bool) -> Option<&'static str> {
        match (self, to_change) {
            (Self::Sqlite, _) => None,
            (Self::Postgres, false) => {
                Some("SELECT pg_advisory_xact_lock_shared(7598805623011143794)")
            }
            (Self::Postgres, true) => Some("SELECT pg_advisory_xact_lock(7598805623011143794)"),
        }
    }

    /// How many events may have a lower number than the last one that can be
    /// seen, and be seen only later: their transactions are still under way.
    pub(crate) const fn unseen_events(self) -> u64 {
        match self {
            Self::Sqlite => 0,
            Self::Postgres => 10_000,
        }
    }

    /// Takes a lock that ends with the transaction: those who begin to listen
    /// one after the other, those who tell what happened side by side, and
    /// never both. SQLite has one writer at a time.
    pub(crate) const fn listening_lock(self, listening: bool) -> Option<&'static str> {
        match (self, listening) {
            (Self::Sqlite, _) => None,
            (Self::Postgres, true) => Some("SELECT pg_advisory_xact_lock(7243392, 1)"),
            (Self::Postgres, false) => Some("SELECT pg_advisory_xact_lock_shared(7243392, 1)"),
        }
    }

    /// The transactions that may be writing to the event log now, as `writer`:
    /// those that hold the lock which every INSERT takes on its table. SQLite
    /// has one writer at a time, so its events are committed in order.
    pub(crate) const fn log_writers(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some(
                "SELECT virtualtransaction AS writer FROM pg_catalog.pg_locks
                 WHERE locktype = 'relation' AND mode = 'RowExclusiveLock'
                   AND relation = 'relata_event'::regclass
                   AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())",
            ),
        }
    }

    /// The database's time, as `now`, milliseconds.
    pub(crate) const fn now(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now",
            Self::Postgres => {
                "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS now"
            }
        }
    }

    /// The columns of all tables, as `object`, `name` and `type`.
    pub(crate) const fn columns(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "SELECT tables.name AS object, columns.name AS name, columns.type AS type
                 FROM sqlite_master AS tables JOIN pragma_table_info(tables.name) AS columns
                 WHERE tables.type = 'table'"
            }
            Self::Postgres => {
                "SELECT class.relname::text AS object, attribute.attname::text AS name,
                        UPPER(format_type(attribute.atttypid, NULL)) AS type
                 FROM pg_catalog.pg_attribute AS attribute
                 JOIN pg_catalog.pg_class AS class ON class.oid = attribute.attrelid
                 WHERE class.relnamespace = current_schema()::regnamespace
                   AND class.relkind IN ('r', 'p') AND attribute.attnum > 0 AND NOT attribute.attisdropped"
            }
        }
    }

    /// The names of all indexes, as `name`.
    pub(crate) const fn indexes(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'index'",
            Self::Postgres => {
                "SELECT indexname::text AS name FROM pg_catalog.pg_indexes WHERE schemaname = current_schema()"
            }
        }
    }

    /// A column's type in the definition of a table. On PostgreSQL texts are
    /// compared byte by byte, as on SQLite: the order is the same everywhere,
    /// and an upgrade of the machine's C library breaks no index.
    pub(crate) fn column_type(self, word: &str) -> String {
        match (self, word) {
            (Self::Postgres, "TEXT") => "TEXT COLLATE \"C\"".to_owned(),
            (_, word) => word.to_owned(),
        }
    }

    /// A migration's text for this database. `NUMBERED PRIMARY KEY` is a column
    /// that numbers its rows by itself, upwards, and never gives a number
    /// twice, `BYTES` one that holds any bytes; `WITHOUT ROWID` is a table that is its
    /// primary key's index; a line that begins with `--server` is for a server only.
    pub(crate) fn migration(self, sql: &str) -> SqlStr {
        let sql = match self {
            Self::Sqlite => sql
                .replace("NUMBERED PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT")
                .replace(" BYTES", " BLOB"),
            Self::Postgres => sql
                .replace("NUMBERED PRIMARY KEY", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY")
                .replace(" WITHOUT ROWID", "")
                .replace("--server ", "")
                .replace(" BYTES", " BYTEA")
                .replace(" TEXT", &format!(" {}", self.column_type("TEXT"))),
        };
        AssertSqlSafe(sql).into_sql_str()
    }

    /// The longest name of an index, in bytes; those of tables and columns are
    /// shorter (`text::is_name`).
    pub(crate) const fn longest_name(self) -> usize {
        match self {
            Self::Sqlite => usize::MAX,
            Self::Postgres => 63,
        }
    }

    /// A table out of a JSON list of objects, which a statement takes as one
    /// argument: however many rows, one text of SQL. A column is its name, and
    /// its type where that is not TEXT: `["step", "seq BIGINT"]`.
    pub(crate) fn given(self, placeholder: &str, columns: &[&str]) -> String {
        match self {
            Self::Sqlite => {
                let columns: Vec<String> = columns
                    .iter()
                    .map(|column| column_name(column))
                    .map(|name| format!("json_extract(value, '$.{name}') AS {name}"))
                    .collect();
                format!("(SELECT {} FROM json_each({placeholder})) AS given", columns.join(", "))
            }
            Self::Postgres => {
                let columns: Vec<String> = columns
                    .iter()
                    .map(|column| match column.contains(' ') {
                        true => (*column).to_owned(),
                        false => format!("{column} TEXT"),
                    })
                    .collect();
                format!(
                    "json_to_recordset(CAST({placeholder} AS json)) AS given({})",
                    columns.join(", ")
                )
            }
        }
    }

    /// A table out of a JSON list of lists, a list a row in the order of the
    /// columns ([`crate::given::Given`]); `_place` is the row's place, which no field is
    /// called.
    pub(crate) fn given_rows(self, placeholder: &str, columns: &[(&str, ColumnType)]) -> String {
        let column = |(place, (name, kind)): (usize, &(&str, ColumnType))| {
            let value = format!("value ->> {place}");
            let kind = match (self, kind) {
                (Self::Sqlite, ColumnType::Text | ColumnType::Whole)
                | (Self::Postgres, ColumnType::Text) => None,
                (Self::Postgres, ColumnType::Whole) => Some("BIGINT"),
                (_, ColumnType::Decimal) => Some("NUMERIC"),
            };
            match kind {
                None => format!("{value} AS \"{name}\""),
                Some(kind) => format!("CAST({value} AS {kind}) AS \"{name}\""),
            }
        };
        let columns: Vec<String> = columns.iter().enumerate().map(column).collect();
        let columns = columns.join(", ");
        match self {
            // A row stays taken apart: as text it would be so again for each column.
            Self::Sqlite => format!(
                "(WITH list AS MATERIALIZED (
                      SELECT key AS _place, value FROM jsonb_each({placeholder}))
                  SELECT _place, {columns} FROM list) AS given"
            ),
            Self::Postgres => format!(
                "(SELECT _place, {columns} FROM jsonb_array_elements(CAST({placeholder} AS jsonb))
                  WITH ORDINALITY AS list(value, _place)) AS given"
            ),
        }
    }

    /// Whether a column has one of the values that a query yields. A server looks
    /// them up in the column's index: of `IN` it makes a join, and may read the whole
    /// table for it.
    pub(crate) fn is_among(self, column: &str, values: &str) -> String {
        match self {
            Self::Sqlite => format!("{column} IN ({values})"),
            Self::Postgres => format!("{column} = ANY(ARRAY({values}))"),
        }
    }

    /// Whether a column has one of the values of a member that a statement's `$1`
    /// lists as [`Self::given`] takes it: `id`, or `seq BIGINT`.
    pub(crate) fn is_given(self, column: &str, member: &str) -> String {
        let given = self.given("$1", &[member]);
        self.is_among(column, &format!("SELECT given.{} FROM {given}", column_name(member)))
    }

    /// Whether a column's text is one of a JSON list of texts, which is an argument.
    pub(crate) fn is_listed(self, column: &str, placeholder: &str) -> String {
        let values = match self {
            Self::Sqlite => format!("SELECT value FROM json_each({placeholder})"),
            Self::Postgres => {
                format!("SELECT jsonb_array_elements_text(CAST({placeholder} AS jsonb))")
            }
        };
        self.is_among(column, &values)
    }

    /// The same of a list that is at hand.
    pub(crate) fn is_one_of(self, column: &str, list: &str) -> Expr {
        let sql = match self {
            Self::Sqlite => self.is_listed("?", "?"),
            Self::Postgres => self.is_listed("$1", "$2"),
        };
        Expr::cust_with_exprs(sql, [Expr::col(Alias::new(column)), Expr::val(list)])
    }

    /// Where a field's value lies in a JSON object, for [`Self::differs`].
    pub(crate) fn member(self, field: &str) -> String {
        match self {
            Self::Sqlite => format!("$.{field}"),
            Self::Postgres => field.to_owned(),
        }
    }

    /// Whether the values at the same place of two JSON columns differ; one
    /// that is not there differs from one that is.
    pub(crate) fn differs(self, a: &str, b: &str, place: &str) -> String {
        match self {
            Self::Sqlite => format!("json_extract({a}, {place}) IS NOT json_extract({b}, {place})"),
            Self::Postgres => {
                format!(
                    "(CAST({a} AS jsonb) -> {place}) IS DISTINCT FROM (CAST({b} AS jsonb) -> {place})"
                )
            }
        }
    }

    /// Whether a column that holds a JSON list of texts has a text in it.
    pub(crate) fn list_has(self, column: Expr, text: &str) -> Expr {
        let sql = match self {
            Self::Sqlite => "EXISTS (SELECT 1 FROM json_each(?) WHERE value = ?)",
            Self::Postgres => "jsonb_exists(CAST($1 AS jsonb), $2)",
        };
        Expr::cust_with_exprs(sql, [column, Expr::val(text)])
    }

    /// Whether a column's text has another in it, letter by letter.
    pub(crate) fn text_has(self, column: Expr, text: &str) -> Expr {
        let sql = match self {
            Self::Sqlite => "instr(?, ?)",
            Self::Postgres => "strpos($1, $2)",
        };
        Expr::cust_with_exprs(sql, [column, Expr::val(text)]).gt(0)
    }

    /// A statement that was put together, as text and arguments.
    pub(crate) fn build(
        self,
        statement: &impl sea_query::QueryStatementWriter,
    ) -> (SqlStr, Vec<Argument>) {
        let (sql, values) = match self {
            Self::Sqlite => statement.build_any(&SqliteQueryBuilder),
            Self::Postgres => statement.build_any(&PostgresQueryBuilder),
        };
        let arguments = values
            .into_iter()
            .map(|value| match value {
                sea_query::Value::BigInt(number) => Argument::Whole(number),
                sea_query::Value::Int(number) => Argument::Whole(number.map(i64::from)),
                sea_query::Value::BigUnsigned(number) => Argument::from(number),
                sea_query::Value::String(text) => Argument::Text(text),
                sea_query::Value::Bytes(Some(bytes)) => Argument::Bytes(bytes),
                // Objects' columns hold whole numbers and texts; nothing else is put in.
                other => Argument::Text(Some(format!("{other:?}"))),
            })
            .collect();
        (AssertSqlSafe(sql).into_sql_str(), arguments)
    }

    /// A statement that makes or alters a table, as text.
    pub(crate) fn build_table(self, statement: &impl sea_query::SchemaStatementBuilder) -> SqlStr {
        let sql = match self {
            Self::Sqlite => statement.build(SqliteQueryBuilder),
            Self::Postgres => statement.build(PostgresQueryBuilder),
        };
        AssertSqlSafe(sql).into_sql_str()
    }
}

/// The name of a column of [`Dialect::given`].
pub(crate) fn column_name(column: &str) -> &str {
    column.split(' ').next().unwrap_or(column)
}

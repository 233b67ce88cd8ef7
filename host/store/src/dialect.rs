//! What SQLite says otherwise than PostgreSQL. Every other statement of this
//! crate is text that both take: `$1` placeholders, TEXT, BIGINT and NUMERIC
//! columns, `ON CONFLICT`, `RETURNING`, `CAST`.

use sea_query::{Alias, Expr, ExprTrait as _, SqliteQueryBuilder};
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use crate::{connection::Argument, table::ColumnType};

/// The type of a column that numbers its rows by itself, upwards, and never
/// gives a number twice. PostgreSQL: `BIGINT GENERATED ALWAYS AS IDENTITY
/// PRIMARY KEY`.
const NUMBERED: &str = "INTEGER PRIMARY KEY AUTOINCREMENT";

/// Begins a transaction that may write. It takes the write lock at once, so
/// that it never has to give up half-way. PostgreSQL: `BEGIN`.
pub(crate) const BEGIN: &str = "BEGIN IMMEDIATE";

/// What a claim appends to the choice of its rows, so that two workers do
/// not wait for each other. PostgreSQL: ` FOR UPDATE SKIP LOCKED`. SQLite has
/// one writer at a time.
pub(crate) const SKIP_LOCKED: &str = "";

/// What a look at runs appends that must stay as they are until the
/// transaction ends. PostgreSQL: ` FOR UPDATE OF run`. SQLite has one writer
/// at a time.
pub(crate) const LOCK_RUN: &str = "";

/// The columns of a table, as `name` and `type`. PostgreSQL: from
/// `information_schema.columns`.
pub(crate) const COLUMNS: &str = "SELECT name, type FROM pragma_table_info($1)";

/// A migration's text for this database.
pub(crate) fn migration(sql: &str) -> SqlStr {
    AssertSqlSafe(sql.replace("NUMBERED PRIMARY KEY", NUMBERED)).into_sql_str()
}

/// A table out of a JSON list of objects, which a statement takes as one
/// argument: however many rows, one text of SQL. PostgreSQL:
/// `jsonb_to_recordset($1::jsonb) AS given(a TEXT, b BIGINT)`.
pub(crate) fn given(placeholder: &str, columns: &[&str]) -> String {
    let columns: Vec<String> =
        columns.iter().map(|name| format!("json_extract(value, '$.{name}') AS {name}")).collect();
    format!("(SELECT {} FROM json_each({placeholder})) AS given", columns.join(", "))
}

/// A table out of a JSON list of lists, a list a row in the order of the
/// columns ([`crate::given::Given`]). PostgreSQL:
/// `(SELECT value ->> 0 AS a, (value ->> 1)::BIGINT AS b FROM jsonb_array_elements($1::jsonb)
/// WITH ORDINALITY AS list(value, place))`.
pub(crate) fn given_rows(placeholder: &str, columns: &[(&str, ColumnType)]) -> String {
    let columns: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(place, (name, kind))| {
            let value = format!("json_extract(value, '$[{place}]')");
            match kind {
                ColumnType::Decimal => format!("CAST({value} AS NUMERIC) AS \"{name}\""),
                ColumnType::Text | ColumnType::Whole => format!("{value} AS \"{name}\""),
            }
        })
        .collect();
    // `key` is the row's place in the list.
    format!("(SELECT key AS place, {} FROM json_each({placeholder})) AS given", columns.join(", "))
}

/// Whether a column's text is one of a JSON list of texts. PostgreSQL:
/// `column IN (SELECT value FROM jsonb_array_elements_text($1::jsonb) AS list(value))`.
pub(crate) fn is_one_of(column: &str, list: &str) -> Expr {
    Expr::cust_with_exprs(
        "? IN (SELECT value FROM json_each(?))",
        [Expr::col(Alias::new(column)), Expr::val(list)],
    )
}

/// Where a field's value lies in a JSON object, for [`differs`]. PostgreSQL:
/// the field's name.
pub(crate) fn member(field: &str) -> String {
    format!("$.{field}")
}

/// Whether the values at the same place of two JSON columns differ; one that
/// is not there differs from one that is. PostgreSQL:
/// `a::jsonb -> $1 IS DISTINCT FROM b::jsonb -> $1`.
pub(crate) fn differs(a: &str, b: &str, place: &str) -> String {
    format!("json_extract({a}, {place}) IS NOT json_extract({b}, {place})")
}

/// Whether a column that holds a JSON list of texts has a text in it.
/// PostgreSQL: `column::jsonb ? text`.
pub(crate) fn list_has(column: Expr, text: &str) -> Expr {
    Expr::cust_with_exprs(
        "EXISTS (SELECT 1 FROM json_each(?) WHERE value = ?)",
        [column, Expr::val(text)],
    )
}

/// Whether a column's text has another in it, letter by letter. PostgreSQL:
/// `strpos(column, text) > 0`.
pub(crate) fn text_has(column: Expr, text: &str) -> Expr {
    Expr::cust_with_exprs("instr(?, ?)", [column, Expr::val(text)]).gt(0)
}

/// A statement that was put together, as text and arguments.
pub(crate) fn build(statement: &impl sea_query::QueryStatementWriter) -> (SqlStr, Vec<Argument>) {
    let (sql, values) = statement.build_any(&SqliteQueryBuilder);
    let arguments = values
        .into_iter()
        .map(|value| match value {
            sea_query::Value::BigInt(number) => Argument::Whole(number),
            sea_query::Value::Int(number) => Argument::Whole(number.map(i64::from)),
            sea_query::Value::BigUnsigned(number) => {
                number.map_or(Argument::Whole(None), Argument::from)
            }
            sea_query::Value::String(text) => Argument::Text(text),
            // Columns hold whole numbers and texts; nothing else is put in.
            other => Argument::Text(Some(format!("{other:?}"))),
        })
        .collect();
    (AssertSqlSafe(sql).into_sql_str(), arguments)
}

/// A statement that makes or alters a table, as text.
pub(crate) fn build_table(statement: &impl sea_query::SchemaStatementBuilder) -> SqlStr {
    AssertSqlSafe(statement.build(SqliteQueryBuilder)).into_sql_str()
}

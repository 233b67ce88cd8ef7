//! The words of what records are called: by them people look for a record.
//!
//! Neither database has an index for a part of a text that both have, so the
//! words lie in a table of ours, in their order; which words a text has is said
//! by [`text::words`]. They are written with the record, in its transaction.

use std::collections::BTreeSet;

use relata_model::{FieldError, ObjectDefinition, Record, text};
use sea_query::{Alias, Expr, ExprTrait as _, Order, Query as Statement, SelectStatement};
use sqlx::AssertSqlSafe;

use crate::{
    RecordError, StoreError, Tx,
    connection::{Connection, arguments},
    dialect::Dialect,
    given::Given,
    table::{ColumnType, Tables},
};

/// So many records at most are found by their words: whoever is shown more has
/// to say more of the name.
const MOST_FOUND: usize = 2_000;

/// So many records at most that have the rarest of the words are looked at, the
/// newest first.
const MOST_LOOKED_AT: u64 = 10_000;

/// A word of fewer records is rare: none of the others needs to be rarer.
const RARE: u64 = 500;

/// So many records are read at once where words are not kept yet.
const AT_ONCE: u64 = 1_000;

/// The table, and that of the fields whose words it has.
const WORD: &str = "relata_word";
pub(crate) const KEPT: &str = "relata_word_field";

/// A record that may be called otherwise from now on.
pub(crate) struct Renamed<'r> {
    /// As it lies in the database, where it does.
    pub(crate) before: Option<&'r Record>,
    /// As it will be, where it will.
    pub(crate) now: Option<&'r Record>,
    /// The fields that may be otherwise.
    pub(crate) changed: &'r BTreeSet<String>,
}

/// What a look for words came to.
pub(crate) struct Called {
    /// Holds of the records that were found.
    pub(crate) holds: Expr,
    /// Whether there are more, or may be.
    pub(crate) partial: bool,
}

impl Tx {
    /// The records that have words which begin so in a field. It costs as much
    /// as the rarest of the words, up to a bound.
    pub(crate) async fn called(
        &mut self,
        object: &ObjectDefinition,
        name: &str,
        wanted: &str,
    ) -> Result<Called, RecordError> {
        let invalid = |why: String| RecordError::Invalid(vec![FieldError::new(name, why)]);
        if !object.looked_for_by().any(|known| known == name) {
            let known: Vec<&str> = object.looked_for_by().collect();
            let mend = match known.is_empty() {
                true => "compare it by `contains`".to_owned(),
                false => format!("look in {}, or compare it by `contains`", known.join(", ")),
            };
            return Err(invalid(format!("is not looked for by its words; {mend}")));
        }
        let words = text::words(wanted);
        let Some(first) = words.first() else {
            return Err(invalid(format!("takes words to look for, and `{wanted}` has none")));
        };
        let field = place(object, name);
        let (mut rarest, mut looked_at) = (first, 0);
        if words.len() > 1 {
            // What is rare is known soon; what is frequent is not counted then.
            for bound in [RARE, MOST_LOOKED_AT + 1] {
                looked_at = u64::MAX;
                for word in &words {
                    let count = self.begin_with(&field, word, bound).await?;
                    if count < looked_at {
                        (rarest, looked_at) = (word, count);
                    }
                }
                if looked_at < bound {
                    break;
                }
            }
        }
        let mut near = beginning(&field, rarest);
        near.columns(["id", "words"].map(Alias::new))
            .order_by(Alias::new("word"), Order::Desc)
            .order_by(Alias::new("id"), Order::Desc)
            .limit(MOST_LOOKED_AT);
        let mut found = Statement::select();
        found
            .column(Alias::new("id"))
            .from_subquery(near, Alias::new("near"))
            .limit(MOST_FOUND as u64 + 1);
        for word in words.iter().filter(|word| *word != rarest) {
            let words = Expr::col(Alias::new("words"));
            found.and_where(self.dialect().text_has(words, &format!(" {word}")));
        }
        let (sql, arguments) = self.dialect().build(&found);
        let rows = self.connection.rows("look for words", sql, arguments).await?;
        let mut ids = Vec::with_capacity(rows.len());
        for row in &rows {
            ids.push(row.text("id")?);
        }
        let partial = ids.len() > MOST_FOUND || looked_at > MOST_LOOKED_AT;
        ids.truncate(MOST_FOUND);
        let ids = serde_json::json!(ids).to_string();
        Ok(Called { holds: self.dialect().is_one_of("id", &ids), partial })
    }

    /// How often words of a field begin so, up to a bound.
    async fn begin_with(&mut self, field: &str, word: &str, most: u64) -> Result<u64, StoreError> {
        let mut near = beginning(field, word);
        near.expr(Expr::cust("1")).limit(most);
        let statement = Statement::select()
            .expr_as(Expr::cust("COUNT(*)"), Alias::new("found"))
            .from_subquery(near, Alias::new("near"))
            .take();
        let (sql, arguments) = self.dialect().build(&statement);
        match self.connection.row("count words", sql, arguments).await? {
            Some(row) => row.count("found"),
            None => Ok(0),
        }
    }

    /// Writes which words some records of an object have, instead of those that
    /// they had.
    pub(crate) async fn words_write(
        &mut self,
        object: &ObjectDefinition,
        records: &[Renamed<'_>],
    ) -> Result<(), StoreError> {
        let (mut gone, mut new) = (Given::new(&COLUMNS[..3]), Given::new(&COLUMNS));
        for name in object.looked_for_by() {
            let field = place(object, name);
            for record in records.iter().filter(|record| record.changed.contains(name)) {
                let (before, now) = (words_of(record.before, name), words_of(record.now, name));
                let Some(id) = record.now.or(record.before).map(|record| &record.reference.key)
                else {
                    continue;
                };
                if before == now {
                    continue;
                }
                for word in &before {
                    gone.push(arguments![&field, word, id]);
                }
                push(&mut new, &field, id, &now);
            }
        }
        let dialect = self.dialect();
        if !gone.is_empty() {
            let sql = format!(
                "DELETE FROM {WORD} WHERE (field, word, id) IN (SELECT field, word, id FROM {})",
                gone.table(dialect, "$1")
            );
            let gone = vec![gone.into_argument()];
            self.connection.post("take words away", AssertSqlSafe(sql), gone).await?;
        }
        if !new.is_empty() {
            let sql = insertion(&new, dialect);
            let new = vec![new.into_argument()];
            self.connection.post("write words", AssertSqlSafe(sql), new).await?;
        }
        Ok(())
    }
}

const COLUMNS: [(&str, ColumnType); 4] = [
    ("field", ColumnType::Text),
    ("word", ColumnType::Text),
    ("id", ColumnType::Text),
    ("words", ColumnType::Text),
];

/// What a field is called in the table.
fn place(object: &ObjectDefinition, name: &str) -> String {
    format!("{}.{name}", object.name)
}

fn words_of(record: Option<&Record>, name: &str) -> Vec<String> {
    let called = record.and_then(|record| record.field(name).as_text());
    called.map(text::words).unwrap_or_default()
}

/// The rows of a field whose words begin so.
fn beginning(field: &str, word: &str) -> SelectStatement {
    let column = || Expr::col(Alias::new("word"));
    Statement::select()
        .from(Alias::new(WORD))
        .and_where(Expr::col(Alias::new("field")).eq(field))
        .and_where(column().gte(word))
        // Nothing comes behind the last character that there is.
        .and_where(column().lt(format!("{word}\u{10ffff}")))
        .take()
}

fn push(given: &mut Given<'_>, field: &str, id: &str, words: &[String]) {
    let all: String = words.iter().map(|word| format!(" {word}")).collect();
    for word in words {
        given.push(arguments![field, word, id, &all]);
    }
}

fn insertion(given: &Given<'_>, dialect: Dialect) -> String {
    let names = given.names();
    format!(
        "INSERT INTO {WORD} ({names}) SELECT {names} FROM {} WHERE 1 = 1 ON CONFLICT DO NOTHING",
        given.table(dialect, "$1")
    )
}

/// The fields whose words the table has.
pub(crate) async fn kept(connection: &mut Connection) -> Result<BTreeSet<String>, StoreError> {
    let sql = format!("SELECT field FROM {KEPT}");
    let rows = connection.rows("read whose words it has", AssertSqlSafe(sql), arguments![]).await?;
    rows.iter().map(|row| row.text("field")).collect()
}

/// A field whose words are to be kept.
struct Wanted<'o> {
    /// What it is called in the table.
    place: String,
    object: &'o ObjectDefinition,
    name: &'o str,
}

/// The fields whose words the objects' definitions want.
fn wanted(tables: &Tables) -> impl Iterator<Item = Wanted<'_>> {
    tables.objects().iter().flat_map(|object| {
        let names = object.looked_for_by();
        names.map(move |name| Wanted { place: place(object, name), object, name })
    })
}

/// Whether the table has the words of other fields than the definitions want.
pub(crate) fn is_behind(tables: &Tables, kept: &BTreeSet<String>) -> bool {
    let wanted: BTreeSet<String> = wanted(tables).map(|wanted| wanted.place).collect();
    wanted != *kept
}

/// Writes the words that the table lacks, and takes those away that nobody
/// looks for any more.
pub(crate) async fn align(connection: &mut Connection, tables: &Tables) -> Result<(), StoreError> {
    let mut kept = kept(connection).await?;
    for wanted in wanted(tables) {
        if kept.remove(&wanted.place) {
            continue;
        }
        fill(connection, &wanted).await?;
        let sql = format!("INSERT INTO {KEPT} (field) VALUES ($1)");
        let field = arguments![&wanted.place];
        connection.execute("note whose words it has", AssertSqlSafe(sql), field).await?;
    }
    for field in kept {
        for table in [WORD, KEPT] {
            let sql = format!("DELETE FROM {table} WHERE field = $1");
            let field = arguments![&field];
            connection.execute("take words away", AssertSqlSafe(sql), field).await?;
        }
    }
    Ok(())
}

async fn fill(connection: &mut Connection, wanted: &Wanted<'_>) -> Result<(), StoreError> {
    let dialect = connection.dialect();
    let mut last = String::new();
    loop {
        let statement = Statement::select()
            .column(Alias::new("id"))
            .expr_as(Expr::col(Alias::new(wanted.name)), Alias::new("called"))
            .from(Alias::new(&wanted.object.name))
            .and_where(Expr::col(Alias::new("id")).gt(&last))
            .order_by(Alias::new("id"), Order::Asc)
            .limit(AT_ONCE)
            .take();
        let (sql, arguments) = dialect.build(&statement);
        let rows = connection.rows("read what records are called", sql, arguments).await?;
        let mut given = Given::new(&COLUMNS);
        for row in &rows {
            last = row.text("id")?;
            if let Some(called) = row.text_or_none("called")? {
                push(&mut given, &wanted.place, &last, &text::words(&called));
            }
        }
        if !given.is_empty() {
            let sql = insertion(&given, dialect);
            let given = vec![given.into_argument()];
            connection.execute("write words", AssertSqlSafe(sql), given).await?;
        }
        if (rows.len() as u64) < AT_ONCE {
            return Ok(());
        }
    }
}

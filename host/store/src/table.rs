//! The tables: the host's own by migrations, one for each object after its
//! definition.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use relata_model::{FieldDefinition, FieldType, ObjectDefinition, Objects, RecordId, Reference};
use sea_query::{Alias, ColumnDef, Expr, ExprTrait as _, Index, Table};
use sqlx::{
    AssertSqlSafe, SqlSafeStr as _, SqlStr,
    migrate::{Migration, MigrationType, Migrator},
};

use crate::{
    RecordError, StoreError,
    connection::{Connection, arguments},
    dialect::Dialect,
    word,
};

/// The host's own tables carry this in front of their names, so that no
/// object of a company can meet them.
const OWN: &str = "relata_";

/// Where it is noted which migrations were run.
const NOTED: &str = "relata_migration";

/// Held while the tables are brought up, on a server: of several hosts that
/// start at once one does it, and the others wait.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7598805623011143793)";

/// Names that every table of PostgreSQL has for itself.
const SYSTEM_COLUMNS: &[&str] = &["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// The migrations, in order. Once released, a text here never changes.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "first tables", include_str!("../migrations/0001_first_tables.sql")),
    (2, "queue and children", include_str!("../migrations/0002_queue_and_children.sql")),
    (3, "webhook calls", include_str!("../migrations/0003_webhook_calls.sql")),
    (4, "what a step did", include_str!("../migrations/0004_what_a_step_did.sql")),
    (5, "api", include_str!("../migrations/0005_api.sql")),
    (6, "several hosts", include_str!("../migrations/0006_several_hosts.sql")),
    (7, "operating", include_str!("../migrations/0007_operating.sql")),
    (8, "fair claims", include_str!("../migrations/0008_fair_claims.sql")),
    (9, "what a step used", include_str!("../migrations/0009_what_a_step_used.sql")),
    (10, "limits", include_str!("../migrations/0010_limits.sql")),
    (11, "users", include_str!("../migrations/0011_users.sql")),
    (12, "held mails", include_str!("../migrations/0012_held_mails.sql")),
    (13, "pages in order", include_str!("../migrations/0013_pages_in_order.sql")),
    (14, "words", include_str!("../migrations/0014_words.sql")),
    (15, "subscriptions", include_str!("../migrations/0015_subscriptions.sql")),
    (16, "attachments", include_str!("../migrations/0016_attachments.sql")),
    (17, "log without a look", include_str!("../migrations/0017_log_without_a_look.sql")),
];

/// The newest migration that this version has.
pub(crate) fn newest_migration() -> i64 {
    MIGRATIONS.iter().map(|(number, ..)| *number).max().unwrap_or_default()
}

/// How a column keeps its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnType {
    /// Texts, words, days, references, durations, lists as JSON.
    Text,
    /// Whole numbers, milliseconds since 1970 UTC, minor units, 0 and 1.
    Whole,
    /// Decimals, to 15 digits.
    Decimal,
}

impl ColumnType {
    const fn sql(self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::Whole => "BIGINT",
            Self::Decimal => "NUMERIC",
        }
    }
}

/// One column of an object's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its name.
    pub name: String,
    /// How it keeps its values.
    pub kind: ColumnType,
}

impl Column {
    /// The column in a choice: decimals leave as text, so that no float comes
    /// in between.
    pub(crate) fn read(&self) -> Expr {
        let column = Expr::col(Alias::new(&self.name));
        match self.kind {
            ColumnType::Decimal => column.cast_as(Alias::new("TEXT")),
            ColumnType::Text | ColumnType::Whole => column,
        }
    }
}

/// The columns of a field: two for money, else one of its name.
pub(crate) fn columns_of(name: &str, field: &FieldDefinition) -> Vec<Column> {
    let column = |name: String, kind| Column { name, kind };
    match field.kind {
        FieldType::Money => vec![
            column(name.to_owned(), ColumnType::Whole),
            column(format!("{name}_currency"), ColumnType::Text),
        ],
        FieldType::Number => vec![column(name.to_owned(), ColumnType::Decimal)],
        FieldType::Integer | FieldType::YesNo | FieldType::Time => {
            vec![column(name.to_owned(), ColumnType::Whole)]
        }
        _ => vec![column(name.to_owned(), ColumnType::Text)],
    }
}

/// An object's table.
#[derive(Debug)]
pub(crate) struct ObjectTable {
    /// All columns but `id` and `revision`, in the definition's order.
    pub columns: Vec<Column>,
    /// The most frequent statements of all, put together once: how records are
    /// read.
    reading: [OnceLock<Arc<str>>; 8],
}

/// By what a record is found.
#[derive(Debug, Clone, Copy)]
pub(crate) enum By {
    /// Its id.
    Id,
    /// Its external id.
    ExternalId,
}

impl By {
    /// A reference's key is looked for as the one, then as the other.
    pub(crate) const IN_TURN: [Self; 2] = [Self::Id, Self::ExternalId];

    /// What is looked for; none where the reference's key cannot be that.
    pub(crate) fn key_of(self, reference: &Reference) -> Option<String> {
        match self {
            Self::Id => Some(reference.key.parse::<RecordId>().ok()?.to_string()),
            Self::ExternalId => Some(reference.key.clone()),
        }
    }
}

/// How records are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) by: By,
    /// By a JSON list of texts, and not by one text.
    pub(crate) several: bool,
    /// Whether they are kept from other writers.
    pub(crate) for_write: bool,
}

impl ObjectTable {
    fn new(object: &ObjectDefinition, dialect: Dialect) -> Result<Self, StoreError> {
        let refuse = |why: String| StoreError::Table { object: object.name.clone(), why };
        if object.name.starts_with(OWN) || object.name.starts_with("sqlite_") {
            return Err(refuse(
                "has a name that the database keeps for itself; choose another".to_owned(),
            ));
        }
        let columns: Vec<Column> = object
            .order
            .iter()
            .filter_map(|name| object.field(name).map(|field| columns_of(name, field)))
            .flatten()
            .collect();
        let mut names = std::collections::BTreeSet::from(["id", "revision"]);
        if let Some(twice) = columns.iter().find(|column| !names.insert(&column.name)) {
            return Err(refuse(format!(
                "would have two columns `{}`; rename the field, since money needs that one for its currency",
                twice.name
            )));
        }

        if dialect == Dialect::Postgres
            && let Some(taken) =
                columns.iter().find(|column| SYSTEM_COLUMNS.contains(&column.name.as_str()))
        {
            return Err(refuse(format!(
                "cannot have a field `{}`: PostgreSQL keeps that name for itself; choose another",
                taken.name
            )));
        }

        Ok(Self { columns, reading: Default::default() })
    }

    /// The statement that reads records; `build` puts it together.
    pub(crate) fn reading(&self, how: Reading, build: impl FnOnce() -> SqlStr) -> SqlStr {
        let by = match how.by {
            By::Id => 0,
            By::ExternalId => 1,
        };
        let place = 4 * by + 2 * usize::from(how.several) + usize::from(how.for_write);
        let text = self.reading[place].get_or_init(|| build().as_str().into());
        AssertSqlSafe(Arc::clone(text)).into_sql_str()
    }
}

/// The tables of all objects.
#[derive(Debug)]
pub(crate) struct Tables {
    dialect: Dialect,
    objects: Arc<Objects>,
    by_object: BTreeMap<String, ObjectTable>,
    ids: SeenIds,
}

/// References that were found to be by id, and not by an external id. That stays
/// true when the record is deleted: nothing else gets its id.
#[derive(Debug, Default)]
pub(crate) struct SeenIds(Mutex<HashSet<Reference>>);

impl SeenIds {
    /// So many are kept; then it begins anew.
    const MOST: usize = 10_000;

    pub(crate) fn has(&self, reference: &Reference) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(reference)
    }

    pub(crate) fn add(&self, references: impl IntoIterator<Item = Reference>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for reference in references {
            if seen.len() >= Self::MOST {
                seen.clear();
            }
            seen.insert(reference);
        }
    }
}

impl Tables {
    pub(crate) fn new(objects: Arc<Objects>, dialect: Dialect) -> Result<Self, StoreError> {
        let by_object = objects
            .iter()
            .map(|object| Ok((object.name.clone(), ObjectTable::new(object, dialect)?)))
            .collect::<Result<_, StoreError>>()?;
        Ok(Self { dialect, objects, by_object, ids: SeenIds::default() })
    }

    pub(crate) fn objects(&self) -> &Objects {
        &self.objects
    }

    /// References that are known to be by id.
    pub(crate) const fn ids(&self) -> &SeenIds {
        &self.ids
    }

    /// An object's definition and table.
    pub(crate) fn of(
        &self,
        object: &str,
    ) -> Result<(&ObjectDefinition, &ObjectTable), RecordError> {
        self.objects
            .get(object)
            .zip(self.by_object.get(object))
            .ok_or_else(|| RecordError::unknown_object(object, self.objects.names()))
    }
}

/// What is there already.
#[derive(Debug, Default)]
struct Present {
    /// The type of each column, by table and name.
    columns: BTreeMap<String, BTreeMap<String, String>>,
    indexes: BTreeSet<String>,
    /// The fields whose words it has.
    words: BTreeSet<String>,
}

/// One thing that is missing.
struct Missing {
    doing: &'static str,
    sql: SqlStr,
    /// What has to be unique, and in which object.
    unique: Option<(String, Vec<String>)>,
}

/// Brings all tables up to date, in one transaction, so that two processes
/// that open the database at once do not meet half-way.
pub(crate) async fn bring_up(
    connection: &mut Connection,
    tables: &Tables,
) -> Result<(), StoreError> {
    let shared = tables.dialect == Dialect::Postgres;
    // Where all is there, nobody is to wait for a lock: every command opens
    // the database.
    if shared && is_up(connection, tables).await? {
        return Ok(());
    }
    connection.execute("begin a transaction", tables.dialect.begin(), arguments![]).await?;
    if shared {
        connection.execute("bring its tables up alone", LOCK, arguments![]).await?;
    }
    let done = match migrate(connection, tables.dialect).await {
        Ok(()) => align(connection, tables).await,
        Err(why) => Err(why),
    };
    match done {
        Ok(()) => connection.execute("commit its tables", "COMMIT", arguments![]).await.map(|_| ()),
        Err(why) => {
            let _ = connection.execute("roll back", "ROLLBACK", arguments![]).await;
            Err(why)
        }
    }
}

/// Whether nothing is missing, and nothing was written by a newer version.
async fn is_up(connection: &mut Connection, tables: &Tables) -> Result<bool, StoreError> {
    let present = present(connection, tables.dialect).await?;
    if !present.columns.contains_key(NOTED) {
        return Ok(false);
    }
    let sql = format!("SELECT version FROM {NOTED} ORDER BY version");
    let mut noted = Vec::new();
    for row in connection.rows("read its version", AssertSqlSafe(sql), arguments![]).await? {
        noted.push(row.whole("version")?);
    }
    Ok(noted.iter().eq(MIGRATIONS.iter().map(|(version, ..)| version))
        && missing(tables, &present)?.is_empty()
        && !word::is_behind(tables, &present.words))
}

async fn migrate(connection: &mut Connection, dialect: Dialect) -> Result<(), StoreError> {
    let migrations = MIGRATIONS
        .iter()
        .map(|(version, name, sql)| {
            // The transaction around all of them is ours.
            let no_tx = true;
            Migration::new(
                *version,
                (*name).into(),
                MigrationType::Simple,
                dialect.migration(sql),
                no_tx,
            )
        })
        .collect();
    let mut migrator = Migrator::with_migrations(migrations);
    migrator.dangerous_set_table_name(NOTED);
    // So is the lock.
    migrator.set_locking(false);
    connection.migrate(&migrator).await.map_err(|why| StoreError::Migrate(Arc::new(why)))
}

/// Makes the objects' tables fit their definitions.
async fn align(connection: &mut Connection, tables: &Tables) -> Result<(), StoreError> {
    let present = present(connection, tables.dialect).await?;
    for Missing { doing, sql, unique } in missing(tables, &present)? {
        match (connection.execute(doing, sql, arguments![]).await, unique) {
            (Err(why), Some((object, fields))) if why.is_duplicate() => {
                return Err(StoreError::Table {
                    object,
                    why: format!(
                        "holds records with the same `{}`, which the definition now wants to be unique; mend them first",
                        fields.join(", ")
                    ),
                });
            }
            (done, _) => done?,
        };
    }
    word::align(connection, tables).await
}

async fn present(connection: &mut Connection, dialect: Dialect) -> Result<Present, StoreError> {
    let mut present = Present::default();
    for row in connection.rows("describe its tables", dialect.columns(), arguments![]).await? {
        present
            .columns
            .entry(row.text("object")?)
            .or_default()
            .insert(row.text("name")?, row.text("type")?);
    }
    for row in connection.rows("describe its indexes", dialect.indexes(), arguments![]).await? {
        present.indexes.insert(row.text("name")?);
    }
    if present.columns.contains_key(word::KEPT) {
        present.words = word::kept(connection).await?;
    }
    Ok(present)
}

/// What the objects' tables lack.
fn missing(tables: &Tables, present: &Present) -> Result<Vec<Missing>, StoreError> {
    let mut missing = Vec::new();
    for (name, table) in &tables.by_object {
        let Some(object) = tables.objects.get(name) else { continue };
        match present.columns.get(name) {
            None => missing.push(creation(name, table, tables.dialect)),
            Some(columns) => missing.extend(additions(name, table, columns, tables.dialect)?),
        }
        missing.extend(indexes(object, &present.indexes, tables.dialect));
    }
    Ok(missing)
}

/// A sea-query column without a constraint.
fn definition(name: &str, word: &str, dialect: Dialect) -> ColumnDef {
    ColumnDef::new(Alias::new(name)).custom(Alias::new(dialect.column_type(word))).take()
}

fn creation(name: &str, table: &ObjectTable, dialect: Dialect) -> Missing {
    let mut statement = Table::create();
    statement
        .table(Alias::new(name))
        .col(definition("id", "TEXT", dialect).not_null().primary_key())
        .col(definition("revision", "BIGINT", dialect).not_null());
    for column in &table.columns {
        statement.col(definition(&column.name, column.kind.sql(), dialect));
    }
    Missing {
        doing: "make the table of an object",
        sql: dialect.build_table(&statement),
        unique: None,
    }
}

fn additions(
    name: &str,
    table: &ObjectTable,
    present: &BTreeMap<String, String>,
    dialect: Dialect,
) -> Result<Vec<Missing>, StoreError> {
    let mut missing = Vec::new();
    for column in &table.columns {
        match present.get(&column.name) {
            Some(kind) if kind.eq_ignore_ascii_case(column.kind.sql()) => {}
            Some(kind) => {
                return Err(StoreError::Table {
                    object: name.to_owned(),
                    why: format!(
                        "keeps `{}` as {kind}, but the definition now needs {}; give the field another name, or its old type",
                        column.name,
                        column.kind.sql()
                    ),
                });
            }
            None => {
                let statement = Table::alter()
                    .table(Alias::new(name))
                    .add_column(definition(&column.name, column.kind.sql(), dialect))
                    .take();
                missing.push(Missing {
                    doing: "add a field",
                    sql: dialect.build_table(&statement),
                    unique: None,
                });
            }
        }
    }
    Ok(missing)
}

fn indexes(
    object: &ObjectDefinition,
    present: &BTreeSet<String>,
    dialect: Dialect,
) -> Vec<Missing> {
    let unique = object
        .fields
        .iter()
        .filter(|(_, field)| field.unique)
        .map(|(name, _)| (vec![name.clone()], true));
    // What is unique has its index already.
    let plain = object
        .indexes
        .iter()
        .filter(|fields| {
            !(fields.len() == 1 && object.field(&fields[0]).is_some_and(|field| field.unique))
        })
        .map(|fields| (fields.clone(), false));
    let mut missing = Vec::new();
    for (fields, unique) in unique.chain(plain) {
        let named =
            |kind| index_name(format!("{}_{kind}_{}", object.name, fields.join("_")), dialect);
        let before = named("by");
        if !unique && present.contains(&before) {
            missing.push(Missing {
                doing: "drop an index without the id",
                sql: dialect.build_table(Index::drop().name(before)),
                unique: None,
            });
        }
        let name = named(if unique { "unique" } else { "list" });
        if present.contains(&name) {
            continue;
        }
        let mut statement = Index::create();
        statement.name(name).table(Alias::new(&object.name));
        for name in &fields {
            let Some(field) = object.field(name) else { continue };
            for column in columns_of(name, field) {
                statement.col(Alias::new(&column.name));
            }
        }
        if unique {
            statement.unique();
        } else {
            // So the records that have the same are in the order of their age, which
            // is that of every list: a page is read without what comes behind it.
            statement.col(Alias::new("id"));
        }
        missing.push(Missing {
            doing: "make an index",
            sql: dialect.build_table(&statement),
            unique: unique.then(|| (object.name.clone(), fields)),
        });
    }
    missing
}

/// A name that the database keeps whole.
fn index_name(name: String, dialect: Dialect) -> String {
    if name.len() <= dialect.longest_name() {
        return name;
    }
    // FNV-1a, so that two long names stay two.
    let digest = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |digest, byte| {
        (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // Names are ASCII.
    format!("{}_{digest:016x}", &name[..dialect.longest_name() - 17])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that is not in the list is never run, and nothing else says so.
    #[test]
    fn every_migration_is_in_the_list() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort_unstable();
        let listed: Vec<String> = MIGRATIONS
            .iter()
            .map(|(number, name, _)| format!("{number:04}_{}.sql", name.replace(' ', "_")))
            .collect();
        assert_eq!(files, listed);
    }
}

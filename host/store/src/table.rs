//! The tables: the host's own by migrations, one for each object after its
//! definition.

use std::{collections::BTreeMap, sync::Arc};

use relata_model::{FieldDefinition, FieldType, ObjectDefinition, Objects};
use sea_query::{Alias, ColumnDef, Expr, ExprTrait as _, Index, Query, Table};
use sqlx::{
    AssertSqlSafe,
    migrate::{Migration, MigrationType, Migrator},
};

use crate::{
    RecordError, StoreError,
    connection::{Connection, arguments},
    dialect,
};

/// The host's own tables carry this in front of their names, so that no
/// object of a company can meet them.
const OWN: &str = "relata_";

/// The migrations, in order. Once released, a text here never changes.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "first tables", include_str!("../migrations/0001_first_tables.sql")),
    (2, "queue and children", include_str!("../migrations/0002_queue_and_children.sql")),
    (3, "webhook calls", include_str!("../migrations/0003_webhook_calls.sql")),
    (4, "what a step did", include_str!("../migrations/0004_what_a_step_did.sql")),
    (5, "api", include_str!("../migrations/0005_api.sql")),
];

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

    /// A placeholder for its value in a write.
    fn written(&self) -> Expr {
        match self.kind {
            ColumnType::Decimal => Expr::val(None::<String>).cast_as(Alias::new("NUMERIC")),
            ColumnType::Text => Expr::val(None::<String>),
            ColumnType::Whole => Expr::val(None::<i64>),
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

/// An object's table, with the statements that are always the same.
#[derive(Debug)]
pub(crate) struct ObjectTable {
    /// All columns but `id` and `revision`, in the definition's order.
    pub columns: Vec<Column>,
    /// Takes the columns, then the id; the revision is 1.
    pub insert: Arc<str>,
    /// Takes the columns, then the id and the revision before.
    pub update: Arc<str>,
}

impl ObjectTable {
    fn new(object: &ObjectDefinition) -> Result<Self, StoreError> {
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

        let mut insert = Query::insert();
        insert
            .into_table(Alias::new(&object.name))
            .columns(
                columns
                    .iter()
                    .map(|column| column.name.as_str())
                    .chain(["id", "revision"])
                    .map(Alias::new),
            )
            .values_panic(
                columns
                    .iter()
                    .map(Column::written)
                    .chain([Expr::val(String::new()), Expr::cust("1")]),
            );
        let mut update = Query::update();
        update
            .table(Alias::new(&object.name))
            .values(columns.iter().map(|column| (Alias::new(&column.name), column.written())))
            .value(Alias::new("revision"), Expr::cust("revision + 1"))
            .and_where(Expr::col(Alias::new("id")).eq(String::new()))
            .and_where(Expr::col(Alias::new("revision")).eq(0_i64));
        Ok(Self {
            columns,
            insert: dialect::build(&insert).0.as_str().into(),
            update: dialect::build(&update).0.as_str().into(),
        })
    }
}

/// The tables of all objects.
#[derive(Debug)]
pub(crate) struct Tables {
    objects: Arc<Objects>,
    by_object: BTreeMap<String, ObjectTable>,
}

impl Tables {
    pub(crate) fn new(objects: Arc<Objects>) -> Result<Self, StoreError> {
        let by_object = objects
            .iter()
            .map(|object| Ok((object.name.clone(), ObjectTable::new(object)?)))
            .collect::<Result<_, StoreError>>()?;
        Ok(Self { objects, by_object })
    }

    pub(crate) fn objects(&self) -> &Objects {
        &self.objects
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

/// Brings all tables up to date, in one transaction, so that two processes
/// that open the database at once do not meet half-way.
pub(crate) async fn bring_up(
    connection: &mut Connection,
    tables: &Tables,
) -> Result<(), StoreError> {
    connection.execute("begin a transaction", dialect::BEGIN, arguments![]).await?;
    let done = match migrate(connection).await {
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

async fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let migrations = MIGRATIONS
        .iter()
        .map(|(version, name, sql)| {
            // The transaction around all of them is ours.
            let no_tx = true;
            Migration::new(
                *version,
                (*name).into(),
                MigrationType::Simple,
                dialect::migration(sql),
                no_tx,
            )
        })
        .collect();
    let mut migrator = Migrator::with_migrations(migrations);
    migrator.dangerous_set_table_name("relata_migration");
    connection.migrate(&migrator).await.map_err(|why| StoreError::Migrate(Arc::new(why)))
}

/// Makes the objects' tables fit their definitions.
async fn align(connection: &mut Connection, tables: &Tables) -> Result<(), StoreError> {
    for (name, table) in &tables.by_object {
        let Some(object) = tables.objects.get(name) else { continue };
        let mut present = BTreeMap::new();
        for row in connection.rows("describe a table", dialect::COLUMNS, arguments![name]).await? {
            present.insert(row.text("name")?, row.text("type")?);
        }
        if present.is_empty() {
            create(connection, name, table).await?;
        } else {
            extend(connection, name, table, &present).await?;
        }
        index(connection, object).await?;
    }
    Ok(())
}

/// A sea-query column without a constraint; the type's word is the same in
/// both databases.
fn definition(column: &Column) -> ColumnDef {
    ColumnDef::new(Alias::new(&column.name)).custom(Alias::new(column.kind.sql())).take()
}

async fn create(
    connection: &mut Connection,
    name: &str,
    table: &ObjectTable,
) -> Result<(), StoreError> {
    let mut statement = Table::create();
    statement
        .table(Alias::new(name))
        .col(ColumnDef::new(Alias::new("id")).custom(Alias::new("TEXT")).not_null().primary_key())
        .col(ColumnDef::new(Alias::new("revision")).custom(Alias::new("BIGINT")).not_null());
    for column in &table.columns {
        statement.col(definition(column));
    }
    connection
        .execute("make the table of an object", dialect::build_table(&statement), arguments![])
        .await?;
    Ok(())
}

async fn extend(
    connection: &mut Connection,
    name: &str,
    table: &ObjectTable,
    present: &BTreeMap<String, String>,
) -> Result<(), StoreError> {
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
                let statement =
                    Table::alter().table(Alias::new(name)).add_column(definition(column)).take();
                connection
                    .execute("add a field", dialect::build_table(&statement), arguments![])
                    .await?;
            }
        }
    }
    Ok(())
}

async fn index(connection: &mut Connection, object: &ObjectDefinition) -> Result<(), StoreError> {
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
    for (fields, unique) in unique.chain(plain) {
        let mut statement = Index::create();
        statement.if_not_exists().table(Alias::new(&object.name));
        for name in &fields {
            let Some(field) = object.field(name) else { continue };
            for column in columns_of(name, field) {
                statement.col(Alias::new(&column.name));
            }
        }
        let kind = if unique { "unique" } else { "by" };
        statement.name(format!("{}_{kind}_{}", object.name, fields.join("_")));
        if unique {
            statement.unique();
        }
        let made = connection
            .execute("make an index", dialect::build_table(&statement), arguments![])
            .await;
        match made {
            Err(why) if why.is_duplicate() => {
                return Err(StoreError::Table {
                    object: object.name.clone(),
                    why: format!(
                        "holds records with the same `{}`, which the definition now wants to be unique; mend them first",
                        fields.join(", ")
                    ),
                });
            }
            other => other?,
        };
    }
    Ok(())
}

/// The text of an object's statement for the driver.
pub(crate) fn prepared(sql: &Arc<str>) -> AssertSqlSafe<Arc<str>> {
    // Built above from names that `text::is_name` let through.
    AssertSqlSafe(Arc::clone(sql))
}

//! `relata records`

use std::{collections::BTreeSet, process::ExitCode, str::FromStr};

use clap::{Args, Subcommand};
use relata_app::{
    App, Assignment,
    model::{FieldType, ObjectDefinition, Record, Reference},
    record_json,
};
use serde_json::{Value as Json, json};

use crate::{
    context::{ACTOR, Context},
    names::Names,
    out::{self, Column},
    time,
};

/// How many records a table shows where nothing is said.
const FIRST_PAGE: usize = 50;

/// How many columns a table has where no fields are named, beside the record.
const COLUMNS: usize = 6;

/// Read and write records.
///
/// A record is written object/key: contact/anna by its external id, or
/// lead/01k9… by its id.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata records list lead --where 'lead.status == \"new\" and lead.country == \"DE\"'
  relata records list ticket --fields ref,status,owner --limit 10
  relata records get contact/anna
  relata records set ticket/t1 status=solved
  relata records create contact name='Anna Wolf' email=anna@example.com
  relata records timeline contact/anna")]
pub(crate) struct RecordsArgs {
    #[command(subcommand)]
    command: RecordsCommand,
}

#[derive(Debug, Subcommand)]
enum RecordsCommand {
    /// The records of an object, oldest first
    List {
        /// lead, contact, ticket…
        object: String,
        /// A formula that must hold: 'lead.owner is empty'
        #[arg(long = "where", value_name = "FORMULA")]
        condition: Option<String>,
        /// At most so many; 0 is all. A table shows 50 by default, JSON all
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
        /// Which fields to show
        #[arg(long, value_name = "FIELD,…", value_delimiter = ',')]
        fields: Vec<String>,
    },
    /// One record, with all its fields
    Get {
        /// object/key, such as contact/anna
        #[arg(value_name = "RECORD")]
        record: Reference,
    },
    /// Set fields of a record, and leave the others
    Set {
        /// object/key, such as contact/anna
        #[arg(value_name = "RECORD")]
        record: Reference,
        /// Such as status=solved; `owner=` empties a field
        #[arg(value_name = "FIELD=VALUE", required = true, num_args = 1..)]
        fields: Vec<Pair>,
    },
    /// Create a record
    Create {
        /// lead, contact, ticket…
        object: String,
        /// Such as name='Anna Wolf'
        #[arg(value_name = "FIELD=VALUE", required = true, num_args = 1..)]
        fields: Vec<Pair>,
    },
    /// Everything that happened to a record, oldest first
    Timeline {
        /// object/key, such as contact/anna
        #[arg(value_name = "RECORD")]
        record: Reference,
    },
}

/// `FIELD=VALUE`.
#[derive(Debug, Clone)]
pub(crate) struct Pair(pub(crate) Assignment);

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((field, written)) if !field.trim().is_empty() => {
                Ok(Self(Assignment { field: field.trim().to_owned(), written: written.to_owned() }))
            }
            _ => Err("write FIELD=VALUE, such as status=solved".to_owned()),
        }
    }
}

pub(crate) async fn run(context: &Context, args: RecordsArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let done = match args.command {
        RecordsCommand::List { object, condition, limit, fields } => {
            let asked = Asked { object, condition, limit, fields };
            list(context, &app, asked).await
        }
        RecordsCommand::Get { record } => get(context, &app, &record).await,
        RecordsCommand::Set { record, fields } => set(context, &app, &record, fields).await,
        RecordsCommand::Create { object, fields } => create(context, &app, &object, fields).await,
        RecordsCommand::Timeline { record } => timeline(context, &app, &record).await,
    };
    app.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

struct Asked {
    object: String,
    condition: Option<String>,
    limit: Option<usize>,
    fields: Vec<String>,
}

async fn list(context: &Context, app: &App, asked: Asked) -> anyhow::Result<()> {
    let object = app.object(&asked.object)?.clone();
    let fields: Vec<String> = asked.fields.iter().map(|field| field.trim().to_owned()).collect();
    for field in fields.iter().filter(|field| *field != "id") {
        // The same sentence as for a field that is written.
        app.read_fields(
            &object.name,
            &[Assignment { field: field.clone(), written: String::new() }],
        )?;
    }
    let mut records = app.records_where(&object.name, asked.condition.as_deref()).await?;
    let found = records.len();
    match asked.limit {
        Some(0) => {}
        Some(limit) => records.truncate(limit),
        None if context.json => {}
        None => records.truncate(FIRST_PAGE),
    }
    if context.json {
        let documents: Vec<Json> =
            records.iter().map(|record| record_json(record, &fields)).collect();
        return out::json(&documents);
    }
    if records.is_empty() {
        let which = if asked.condition.is_some() { "for which this holds" } else { "yet" };
        return out::line(format!("no {} {which}", object.name));
    }
    let shown: Vec<&str> = if fields.is_empty() {
        telling(&object, &records)
    } else {
        fields.iter().map(String::as_str).collect()
    };
    let mut names = Names::new(app);
    let mut rows = Vec::with_capacity(records.len());
    for record in &records {
        let mut row = vec![record.handle()];
        for field in &shown {
            row.push(match *field {
                "id" => record.reference.to_string(),
                field => names.brief(record.field(field)).await?,
            });
        }
        rows.push(row);
    }
    let columns: Vec<Column<'_>> = std::iter::once(Column::whole(&object.name))
        .chain(shown.iter().map(|field| Column::text(field)))
        .collect();
    if fields.is_empty() {
        out::table_that_fits(&columns, rows)?;
    } else {
        out::table(&columns, rows)?;
    }
    if records.len() < found {
        out::line(format!("\n{} of {found}; `--limit 0` shows all", records.len()))?;
    }
    Ok(())
}

/// The fields that tell most about records: what people call them, addresses,
/// where they stand, whose they are; then the others in the object's order,
/// as long as any record has a value there.
fn telling<'a>(object: &'a ObjectDefinition, records: &[Record]) -> Vec<&'a str> {
    let rank = |name: &str| match object.field(name).map(|field| &field.kind) {
        _ if object.label.as_deref() == Some(name) => Some(0),
        Some(FieldType::LongText) | None => None,
        Some(FieldType::Email) => Some(1),
        Some(FieldType::Choice(_)) => Some(2),
        _ if name == "owner" => Some(3),
        _ if matches!(name, "external_id" | "created_at" | "updated_at" | "merged_into") => None,
        Some(_) => Some(4),
    };
    let mut ranked: Vec<(i32, &str)> = object
        .order
        .iter()
        .filter(|name| records.iter().any(|record| !record.field(name).is_nothing()))
        .filter_map(|name| rank(name).map(|rank| (rank, name.as_str())))
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().take(COLUMNS).map(|(_, name)| name).collect()
}

async fn get(context: &Context, app: &App, reference: &Reference) -> anyhow::Result<()> {
    let record = app.record(reference).await?;
    if context.json {
        return out::json(&record_json(&record, &[]));
    }
    show(app, &record).await
}

async fn show(app: &App, record: &Record) -> anyhow::Result<()> {
    let object = app.object(&record.reference.object)?;
    let mut names = Names::new(app);
    let mut rows = vec![vec!["id".to_owned(), record.reference.to_string()]];
    let mut seen = BTreeSet::new();
    for name in object.order.iter().chain(object.fields.keys()) {
        let value = record.field(name);
        if !value.is_nothing() && seen.insert(name) {
            rows.push(vec![name.clone(), names.whole(value).await?]);
        }
    }
    rows.push(vec!["revision".to_owned(), record.revision.to_string()]);
    out::table(&[Column::whole("Field"), Column::text("Value")], rows)
}

async fn set(
    context: &Context,
    app: &App,
    reference: &Reference,
    pairs: Vec<Pair>,
) -> anyhow::Result<()> {
    let before = app.record(reference).await?;
    let fields = app.read_fields(&reference.object, &assignments(pairs))?;
    let names: Vec<String> = fields.keys().cloned().collect();
    let written = app.update_record(reference, fields, ACTOR).await?;
    if context.json {
        return out::json(
            &json!({ "changed": written.changed, "record": record_json(&written.record, &[]) }),
        );
    }
    let handle = written.record.handle();
    if !written.changed {
        return out::line(format!("{handle} is so already; nothing was written"));
    }
    let mut shown = Names::new(app);
    for name in names.iter().filter(|name| before.field(name) != written.record.field(name)) {
        let was = shown.whole(before.field(name)).await?;
        let is = shown.whole(written.record.field(name)).await?;
        out::line(out::clean(&format!("{handle}: {name} was {was}, is {is}")))?;
    }
    Ok(())
}

async fn create(
    context: &Context,
    app: &App,
    object: &str,
    pairs: Vec<Pair>,
) -> anyhow::Result<()> {
    let fields = app.read_fields(object, &assignments(pairs))?;
    let record = app.create_record(object, fields, ACTOR).await?;
    if context.json {
        return out::json(&record_json(&record, &[]));
    }
    out::line(format!("{} was created", record.handle()))
}

async fn timeline(context: &Context, app: &App, reference: &Reference) -> anyhow::Result<()> {
    let entries = app.timeline(reference).await?;
    let own = app.record(reference).await?.reference;
    if context.json {
        return out::json(&entries);
    }
    let zone = app.zone();
    let columns =
        [Column::whole("When"), Column::text("What"), Column::text("By"), Column::whole("Run")];
    let mut names = Names::new(app);
    let mut rows = Vec::with_capacity(entries.len());
    for entry in entries {
        let by = match entry.by.parse::<Reference>() {
            Ok(by) if by.object == "user" => names.full(&by).await?,
            _ => entry.by,
        };
        rows.push(vec![
            time::short_text(&entry.at, &zone),
            names.told(what_of(&own, &entry.what)).await?,
            by,
            entry.run.unwrap_or_default(),
        ]);
    }
    out::table(&columns, rows)
}

/// What happened to a record, without saying again to which.
fn what_of<'a>(own: &Reference, what: &'a str) -> &'a str {
    what.strip_prefix(&own.to_string()).map_or(what, |rest| rest.trim_start_matches([' ', ':']))
}

fn assignments(pairs: Vec<Pair>) -> Vec<Assignment> {
    pairs.into_iter().map(|Pair(assignment)| assignment).collect()
}

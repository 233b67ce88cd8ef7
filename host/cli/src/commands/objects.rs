//! `relata objects`

use std::process::ExitCode;

use clap::Args;
use relata_app::{
    ObjectView,
    model::{FieldDefinition, ObjectDefinition, Objects, text},
    object_view,
};

use crate::{
    context::{Context, is_data_directory},
    failure::Wrong,
    out::{self, Column},
};

/// Show what is kept: the objects, and the fields of one
///
/// Those of the data directory, the company's own among them; outside of one
/// those that come with Relata.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata objects                    contacts, leads, tickets, orders …
  relata objects order              its fields, and the events that it declares")]
pub(crate) struct ObjectsArgs {
    /// One of them
    #[arg(value_name = "OBJECT")]
    object: Option<String>,
}

pub(crate) async fn run(context: &Context, args: ObjectsArgs) -> anyhow::Result<ExitCode> {
    let objects = if context.data.is_some() || is_data_directory(context.root()) {
        let app = context.open().await?;
        let objects = app.objects().clone();
        app.close().await;
        objects
    } else {
        Objects::standard()
    };
    match args.object {
        None => all(context, &objects)?,
        Some(name) => one(context, known(&objects, &name)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn known<'a>(objects: &'a Objects, name: &str) -> Result<&'a ObjectDefinition, anyhow::Error> {
    objects.get(name).ok_or_else(|| {
        let hint = text::nearest(name, objects.names()).map_or_else(
            || "`relata objects` lists them".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        Wrong::new(format!("there is no object `{name}`; {hint}")).into()
    })
}

fn all(context: &Context, objects: &Objects) -> anyhow::Result<()> {
    let definitions: Vec<&ObjectDefinition> =
        objects.names().filter_map(|name| objects.get(name)).collect();
    if context.json {
        let documents: Vec<ObjectView> =
            definitions.iter().map(|object| object_view(object)).collect();
        return out::json(&documents);
    }
    let rows = definitions
        .iter()
        .map(|object| vec![object.name.clone(), object.summary.clone()])
        .collect();
    out::table(&[Column::whole("Object"), Column::text("What it is")], rows)
}

fn one(context: &Context, object: &ObjectDefinition) -> anyhow::Result<()> {
    if context.json {
        return out::json(&object_view(object));
    }
    out::line(format!("{}: {}", object.title, object.summary))?;
    let rows = object
        .in_order()
        .map(|(name, field)| vec![name.to_owned(), field.kind.describe(), notes(field)])
        .collect();
    out::table(&[Column::whole("Field"), Column::text("Holds"), Column::text("Of note")], rows)?;
    for (name, event) in &object.events {
        out::line(format!("Event {name}: {} becomes {}", event.field, event.becomes))?;
    }
    Ok(())
}

/// What an author has to know of a field beside what it holds.
fn notes(field: &FieldDefinition) -> String {
    let mut notes = Vec::new();
    if field.required {
        notes.push("never empty".to_owned());
    } else if field.may_be_empty() {
        notes.push("may be empty".to_owned());
    }
    if !field.default.is_nothing() {
        notes.push(format!("{} if not given", field.default));
    }
    if field.read_only {
        notes.push("set by Relata".to_owned());
    }
    if !field.summary.is_empty() {
        notes.push(field.summary.trim_end_matches('.').to_owned());
    }
    notes.join("; ")
}

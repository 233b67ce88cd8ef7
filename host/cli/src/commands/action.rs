//! `relata action`

use std::{
    io::{self, IsTerminal, Read},
    path::Path,
    process::ExitCode,
    sync::Arc,
};

use clap::{Args, Subcommand};
use relata_app::{
    App, Clock, Plugins, Trial, TrialOutcome,
    sandbox::{Descriptor, Plugin},
};
use serde_json::{Value as Json, json};

use crate::{
    context::{Context, is_data_directory},
    failure::{WRONG, Wrong},
    out::{self, Column},
    progress,
};

/// List actions, read what they take, and try them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata action list
  relata action describe assign.round_robin
  relata action run sentiment.score --input '{\"text\": \"The delivery was late again!\"}'
  relata action run crm.update --data shop --input '{\"record\": \"ticket/t1\", \"set\": {\"status\": \"solved\"}}'
  jq -c '{text: .body}' messages.json | relata action run sentiment.score --lines")]
pub(crate) struct ActionArgs {
    #[command(subcommand)]
    command: ActionCommand,
}

#[derive(Debug, Subcommand)]
enum ActionCommand {
    /// All actions
    List,
    /// What an action takes, gives and may touch
    Describe {
        /// Its name, such as assign.round_robin
        #[arg(value_name = "NAME")]
        action: String,
    },
    /// Try an action in its sandbox
    ///
    /// It reads the records of the data directory, or outside of one those of
    /// an empty rehearsal; what it would write and send is printed, and nothing
    /// of it is kept. The exit code is 1 where the action failed.
    Run {
        /// Its name, such as sentiment.score
        #[arg(value_name = "NAME")]
        action: String,
        /// Its input as a JSON object; `-` reads it from stdin
        #[arg(long, value_name = "JSON", required_unless_present = "lines")]
        input: Option<String>,
        /// Read one JSON object a line from stdin, and print one result a line
        #[arg(long, conflicts_with = "input")]
        lines: bool,
    },
}

pub(crate) async fn run(context: &Context, args: ActionArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        ActionCommand::List => list(context, &*plugins(context).await?).map(|()| ExitCode::SUCCESS),
        ActionCommand::Describe { action } => {
            describe(context, &*plugins(context).await?, &action).map(|()| ExitCode::SUCCESS)
        }
        ActionCommand::Run { action, input, lines } => {
            // Gone with everything in it when the command ends.
            let temporary = match records(context) {
                None => Some(tempfile::tempdir()?),
                Some(_) => None,
            };
            let app = match &temporary {
                Some(folder) => App::create(folder.path(), Some(Clock::Real.now())).await?,
                None => context.open().await?,
            };
            let code = match input {
                Some(input) => once(context, &app, &action, &input).await,
                None if lines => each_line(&app, &action).await,
                None => {
                    Err(Wrong::new("give the input with `--input JSON`, or `--lines` and stdin")
                        .into())
                }
            };
            app.close().await;
            code
        }
    }
}

/// The data directory whose records are read; none where nobody named one and
/// this is none.
fn records(context: &Context) -> Option<&Path> {
    (context.data.is_some() || is_data_directory(context.root())).then(|| context.root())
}

/// The built-in plugins, and those that are installed in the data directory.
async fn plugins(context: &Context) -> anyhow::Result<Arc<Plugins>> {
    let waiting = progress::spinner("loading the actions");
    let loaded = match records(context) {
        Some(_) => {
            let app = context.open().await?;
            let loaded = app.plugins().await;
            app.close().await;
            loaded
        }
        None => Plugins::load(None).await.map(Arc::new),
    };
    waiting.finish_and_clear();
    Ok(loaded?)
}

fn list(context: &Context, plugins: &Plugins) -> anyhow::Result<()> {
    let actions = plugins
        .iter()
        .flat_map(|plugin| plugin.descriptors().iter().map(move |action| (plugin, action)));
    if context.json {
        let documents: Vec<Json> = actions
            .map(|(plugin, action)| {
                json!({
                    "action": format!("{}.{}", plugin.name(), action.id),
                    "title": action.title,
                    "plugin": plugin.name(),
                    "version": plugin.version(),
                    "pure": plugin.pure(),
                })
            })
            .collect();
        return out::json(&documents);
    }
    let rows = actions
        .map(|(plugin, action)| {
            vec![
                format!("{}.{}", plugin.name(), action.id),
                action.title.clone(),
                format!("{} {}", plugin.name(), plugin.version()),
            ]
        })
        .collect();
    out::table(
        &[Column::whole("Action"), Column::text("What it does"), Column::whole("Plugin")],
        rows,
    )
}

fn describe(context: &Context, plugins: &Plugins, name: &str) -> anyhow::Result<()> {
    let (plugin, id) = plugins.known_action(name)?;
    let Some(action) = plugin.descriptor(id) else {
        return Err(
            Wrong::new(format!("the plugin `{}` has no action `{id}`", plugin.name())).into()
        );
    };
    if context.json {
        return out::json(&described(plugin, action));
    }
    out::line(format!("{name}: {}", action.title))?;
    if !action.summary.is_empty() {
        out::line(format!("\n{}", action.summary.trim()))?;
    }
    for (what, schema) in [("It takes", &action.input_schema), ("It gives", &action.output_schema)]
    {
        let rows = properties(schema);
        if rows.is_empty() {
            out::line(format!("\n{what} nothing."))?;
        } else {
            out::line(format!("\n{what}:"))?;
            out::table(
                &[Column::whole("Name"), Column::text("Type"), Column::text("What it is")],
                rows,
            )?;
        }
    }
    if !action.writes.is_empty() {
        out::line(format!("\nIt may write {}.", action.writes.join(", ")))?;
    }
    for answer in &action.correlation {
        out::line(format!("\n`wait_for: {{ event: {} }}` waits for its answer.", answer.event))?;
    }
    out::line(format!(
        "\nFrom the plugin {} {}; `relata action run {name} --input '{{…}}'` tries it.",
        plugin.name(),
        plugin.version()
    ))
}

fn described(plugin: &Plugin, action: &Descriptor) -> Json {
    json!({
        "action": format!("{}.{}", plugin.name(), action.id),
        "title": action.title,
        "summary": action.summary,
        "plugin": plugin.name(),
        "version": plugin.version(),
        "digest": plugin.digest(),
        "pure": plugin.pure(),
        "input": action.input_schema,
        "output": action.output_schema,
        "reads": action.reads,
        "writes": action.writes,
        "answers": action
            .correlation
            .iter()
            .map(|found| json!({ "event": found.event, "output_field": found.output_field }))
            .collect::<Vec<_>>(),
        "exclusive": action.exclusive,
        "idempotent": action.idempotent,
    })
}

/// The properties of a schema, as rows: name, type, description.
fn properties(schema: &Json) -> Vec<Vec<String>> {
    let required = |name: &str| {
        schema["required"].as_array().is_some_and(|names| names.iter().any(|found| found == name))
    };
    let Some(properties) = schema["properties"].as_object() else { return Vec::new() };
    properties
        .iter()
        .map(|(name, property)| {
            let optional = if required(name) { "" } else { ", optional" };
            let text = property["description"].as_str().or_else(|| property["title"].as_str());
            let mut text = text.unwrap_or_default().replace('\n', " ");
            if let Some(default) = property.get("default").filter(|default| !default.is_null()) {
                text.push_str(&format!(" ({default} if not said)"));
            }
            vec![name.clone(), format!("{}{optional}", kind(property, schema)), text]
        })
        .collect()
}

/// A schema's type, for people.
fn kind(property: &Json, root: &Json) -> String {
    if let Some(format) = property["format"].as_str().filter(|format| format.starts_with("relata:"))
    {
        return format.trim_start_matches("relata:").to_owned();
    }
    if let Some(target) = property["$ref"].as_str().and_then(|path| path.strip_prefix('#')) {
        return root.pointer(target).map_or_else(|| "object".to_owned(), |found| kind(found, root));
    }
    if let Some(words) = property["enum"].as_array() {
        let words: Vec<String> =
            words.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect();
        return format!("one of {}", words.join(", "));
    }
    if let Some(choices) = property["anyOf"].as_array().or_else(|| property["oneOf"].as_array()) {
        let kinds: Vec<String> = choices
            .iter()
            .filter(|choice| choice["type"] != "null")
            .map(|choice| {
                choice["const"].as_str().map_or_else(|| kind(choice, root), str::to_owned)
            })
            .collect();
        return kinds.join(" or ");
    }
    let word = |name: &str| match name {
        "string" => "text",
        "boolean" => "yes or no",
        "integer" => "whole number",
        "array" => "list",
        "object" => "block of keys",
        _ => "number",
    };
    match &property["type"] {
        Json::String(name) => word(name).to_owned(),
        Json::Array(names) => names
            .iter()
            .filter_map(Json::as_str)
            .filter(|name| *name != "null")
            .map(word)
            .collect::<Vec<_>>()
            .join(" or "),
        _ => "any value".to_owned(),
    }
}

async fn once(context: &Context, app: &App, action: &str, input: &str) -> anyhow::Result<ExitCode> {
    let text = if input == "-" {
        let mut text = String::new();
        io::stdin().lock().read_to_string(&mut text)?;
        text
    } else {
        input.to_owned()
    };
    let trial = app.try_action(action, &read(&text)?).await?;
    if context.json {
        out::json(&trial)?;
    } else {
        show(&trial)?;
    }
    Ok(code(failed(&trial)))
}

fn read(text: &str) -> Result<Json, Wrong> {
    serde_json::from_str(text).map_err(|why| {
        Wrong::new(format!(
            "the input is not JSON: {why}; write an object such as '{{\"text\": \"Hello\"}}'"
        ))
    })
}

fn show(trial: &Trial) -> anyhow::Result<()> {
    match &trial.outcome {
        TrialOutcome::Done { output } => {
            out::line(format!("done: {}", serde_json::to_string_pretty(output)?))?;
        }
        TrialOutcome::Skipped { why } => out::line(out::clean(&format!("nothing to do: {why}")))?,
        TrialOutcome::Postponed { after_ms, why } => {
            out::line(out::clean(&format!("it wants to be called again in {after_ms} ms: {why}")))?;
        }
        TrialOutcome::Failed { code, why, transient } => {
            let again =
                if *transient { "a run would try it again" } else { "trying again will not help" };
            out::line(out::clean(&format!("failed ({code}): {why}; {again}")))?;
        }
    }
    if !trial.writes.is_empty() {
        out::line("\nIt would have written (nothing was kept):")?;
        for write in &trial.writes {
            out::line(format!("  {write}"))?;
        }
    }
    for line in &trial.log {
        out::line(out::clean(&format!("\nlog {}: {}", line.level, line.message)))?;
    }
    out::line(format!(
        "\n{} µs of processor time, {} KiB of memory",
        trial.used.cpu_us,
        trial.used.memory_bytes / 1024
    ))
}

/// One result a line, in the order of the lines; a line that is wrong is a
/// failed result, and the next is tried.
async fn each_line(app: &App, action: &str) -> anyhow::Result<ExitCode> {
    // A name that is not known is told once, not for every line.
    app.plugins().await?.known_action(action)?;
    if io::stdin().is_terminal() {
        out::note("reading one JSON object a line; Ctrl-D ends");
    }
    let mut any_failed = false;
    // Not locked across the calls: nothing else reads stdin.
    for (number, line) in io::stdin().lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        match read(&line) {
            Ok(input) => {
                let trial = app.try_action(action, &input).await?;
                any_failed |= failed(&trial);
                out::json_line(&trial)?;
            }
            Err(why) => {
                any_failed = true;
                out::json_line(&json!({
                    "action": action,
                    "outcome": "failed",
                    "code": "bad-input",
                    "why": format!("line {}: {why}", number + 1),
                    "transient": false,
                    "writes": [],
                    "used": null,
                    "log": [],
                }))?;
            }
        }
    }
    Ok(code(any_failed))
}

const fn failed(trial: &Trial) -> bool {
    matches!(trial.outcome, TrialOutcome::Failed { .. })
}

fn code(failed: bool) -> ExitCode {
    if failed { ExitCode::from(WRONG) } else { ExitCode::SUCCESS }
}

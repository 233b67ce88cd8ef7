//! `relata plugin check`

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use relata_app::{
    package::{Limits, by_interface},
    sandbox::Plugin,
    testing::plugin::{Remark, remarks},
    workflow::Severity,
};
use serde_json::{Value as Json, json};

use super::project::Project;
use crate::{
    context::Context,
    failure::WRONG,
    out::{self, Column},
};

/// Interfaces of the contract that need no permission.
const FREE: [&str; 2] = ["env", "log"];

/// Look whether a plugin would be installed, and what it really is.
///
/// The component is loaded in the sandbox as an installation would. Its actions
/// are printed, and what it imports beside what its plugin.toml asks for.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata plugin check
  relata plugin check enrich
  relata plugin check build/enrich.wasm

Exit code 1: it would be refused, or does not fit what it says of itself.")]
pub(crate) struct CheckArgs {
    /// The plugin's folder, or a component in it
    #[arg(value_name = "DIR|FILE.wasm", default_value = ".")]
    path: PathBuf,
}

pub(super) async fn run(context: &Context, args: CheckArgs) -> anyhow::Result<ExitCode> {
    let is_file = args.path.is_file();
    let project = if is_file { Project::around(&args.path)? } else { Project::open(&args.path)? };
    let component = if is_file {
        fs::read(&args.path).with_context(|| format!("cannot read {}", out::path(&args.path)))?
    } else {
        project.say_if_stale();
        project.built()?
    };
    let mut looked = Looked::at(&project, &component).await?;
    if is_file {
        looked.file = args.path;
    }
    if context.json {
        out::json(&looked.document())?;
    } else {
        looked.print()?;
    }
    Ok(if looked.has_errors() { ExitCode::from(WRONG) } else { ExitCode::SUCCESS })
}

/// A plugin that loads, looked into.
pub(super) struct Looked {
    file: PathBuf,
    bytes: usize,
    pub(super) plugin: Plugin,
    remarks: Vec<Remark>,
}

impl Looked {
    /// Loads a component, and looks at what it is.
    pub(super) async fn at(project: &Project, component: &[u8]) -> anyhow::Result<Self> {
        let plugin = project.load(component.to_vec()).await?;
        let remarks = remarks(&plugin);
        Ok(Self { file: project.component(), bytes: component.len(), plugin, remarks })
    }

    pub(super) fn has_errors(&self) -> bool {
        self.remarks.iter().any(|remark| remark.severity == Severity::Error)
    }

    /// What it imports, without the contract's name and version.
    fn imports(&self) -> Vec<&str> {
        let names = self.plugin.imports().iter().map(|import| {
            let name = import.strip_prefix("relata:plugin/").unwrap_or(import);
            name.split_once('@').map_or(name, |(name, _)| name)
        });
        names.filter(|name| *name != "types").collect()
    }

    /// `build/enrich.wasm: 138 KiB, imports http, log, records`
    pub(super) fn summary(&self) -> String {
        let imports = self.imports();
        let imports = match imports.as_slice() {
            [] => "imports nothing".to_owned(),
            names => format!("imports {}", names.join(", ")),
        };
        format!("{}: {} KiB, {imports}", out::path(&self.file), self.bytes.div_ceil(1024))
    }

    pub(super) fn print_remarks(&self) -> anyhow::Result<()> {
        for remark in &self.remarks {
            let word = match remark.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            out::line(format!("{word}: {}", out::clean(&remark.message)))?;
        }
        Ok(())
    }

    fn print(&self) -> anyhow::Result<()> {
        let plugin = &self.plugin;
        let manifest = plugin.manifest();
        out::line(format!(
            "{} {}: {}\n{}\n",
            manifest.name,
            manifest.version,
            out::clean(&manifest.title),
            self.summary()
        ))?;
        let actions = plugin.descriptors().iter().map(|action| {
            vec![
                format!("{}.{}", manifest.name, action.id),
                action.title.clone(),
                action.reads.join(", "),
                action.writes.join(", "),
            ]
        });
        out::table(
            &[
                Column::whole("Action"),
                Column::text("What it does"),
                Column::text("Reads"),
                Column::text("Writes"),
            ],
            actions.collect(),
        )?;
        out::line("")?;
        out::table(
            &[
                Column::whole("Interface"),
                Column::whole("Imported"),
                Column::text("plugin.toml asks to"),
            ],
            self.interfaces(),
        )?;
        out::line(format!("\nlimits: {}", limits(&plugin.limits())))?;
        if !self.remarks.is_empty() {
            out::line("")?;
        }
        self.print_remarks()
    }

    /// What is imported beside what is asked for.
    fn interfaces(&self) -> Vec<Vec<String>> {
        let asked = by_interface(&self.plugin.manifest().permissions);
        let imports = self.imports();
        let mut names: Vec<&str> = imports.iter().copied().chain(asked.keys().copied()).collect();
        names.sort_unstable();
        names.dedup();
        let row = |name: &str| {
            let imported = if imports.contains(&name) { "yes" } else { "no" };
            let asks = match asked.get(name) {
                Some(asks) => asks.join("; "),
                None if FREE.contains(&name) => "(needs no permission)".to_owned(),
                None => String::new(),
            };
            vec![name.to_owned(), imported.to_owned(), asks]
        };
        names.into_iter().map(row).collect()
    }

    /// All of it, for programs.
    pub(super) fn document(&self) -> Json {
        let plugin = &self.plugin;
        let actions: Vec<Json> = plugin
            .descriptors()
            .iter()
            .map(|action| {
                json!({
                    "action": format!("{}.{}", plugin.name(), action.id),
                    "title": action.title,
                    "input": action.input_schema,
                    "output": action.output_schema,
                    "reads": action.reads,
                    "writes": action.writes,
                    "exclusive": action.exclusive,
                    "idempotent": action.idempotent,
                })
            })
            .collect();
        json!({
            "plugin": plugin.name(),
            "version": plugin.version(),
            "component": self.file.display().to_string(),
            "bytes": self.bytes,
            "digest": plugin.digest(),
            "pure": plugin.pure(),
            "imports": self.imports(),
            "asks": by_interface(&plugin.manifest().permissions),
            "limits": plugin.limits(),
            "actions": actions,
            "remarks": self.remarks,
        })
    }
}

/// Whether bytes are a WebAssembly module that is not yet a component.
pub(super) fn is_core_module(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\0asm\x01\0\0\0")
}

fn limits(limits: &Limits) -> String {
    format!(
        "{} ms of CPU, {} MiB of memory, {} s a call, {} reads, {} writes, {} requests",
        limits.cpu_ms,
        limits.memory_mib,
        limits.call_s,
        limits.queries,
        limits.writes,
        limits.http_calls
    )
}

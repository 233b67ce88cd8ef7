//! `relata plugin new`

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use relata_app::{bundled, package::is_name};
use serde_json::json;

use super::shown::argument;
use crate::{context::Context, failure::Wrong, out};

/// What stands for the plugin's name in a template.
const NAME: &str = "__NAME__";

/// The languages in which plugins are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Lang {
    Rust,
    Javascript,
    Python,
    C,
}

impl Lang {
    const fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Javascript => "javascript",
            Self::Python => "python",
            Self::C => "c",
        }
    }
}

/// Begin a plugin: a folder that builds, tests and packs at once.
///
/// It has one small action with its tests, and beside it, in sdk/, the SDK of
/// its language and the contract with the host: nothing else of Relata is
/// needed to build it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata plugin new enrich
  relata plugin new enrich --lang python --dir plugins/enrich")]
pub(crate) struct NewArgs {
    /// What workflows call it: a letter a-z first, then letters a-z, digits and _
    #[arg(value_name = "NAME")]
    name: String,
    /// The language
    #[arg(long, value_enum, default_value_t = Lang::Rust)]
    lang: Lang,
    /// A new or empty folder; NAME in the current one if not said
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(context: &Context, args: NewArgs) -> anyhow::Result<ExitCode> {
    let NewArgs { name, lang, dir } = args;
    check_name(&name)?;
    let folder = dir.unwrap_or_else(|| PathBuf::from(&name));
    check_folder(&folder)?;
    let files = write(&folder, &name, lang)?;
    if context.json {
        out::json(&json!({
            "plugin": name,
            "language": lang.name(),
            "folder": folder.display().to_string(),
            "files": files,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let shown = argument(&folder);
    out::text(&format!(
        "the plugin {name} is in {}

Next:
  relata plugin build {shown}
  relata plugin test {shown}
  relata plugin pack {shown}
",
        out::path(&folder)
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn check_name(name: &str) -> Result<(), Wrong> {
    if !is_name(name) {
        let near: String = name
            .to_lowercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let hint = if is_name(&near) { format!("; did you mean `{near}`?") } else { String::new() };
        return Err(Wrong::new(format!(
            "`{}` cannot be a plugin's name: a letter a-z first, then letters a-z, digits and _, at most 40{hint}",
            out::clean(name)
        )));
    }
    if bundled::plugins().iter().any(|bundled| bundled.name == name) {
        return Err(Wrong::new(format!(
            "`{name}` is one of the built-in plugins; give yours another name"
        )));
    }
    Ok(())
}

fn check_folder(folder: &Path) -> anyhow::Result<()> {
    match fs::read_dir(folder) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(Wrong::new(format!(
                    "{} is not empty; name a new folder with `--dir DIR`",
                    out::path(folder)
                ))
                .into());
            }
            Ok(())
        }
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(why) => Err(Wrong::new(format!("{} cannot be used: {why}", out::path(folder))).into()),
    }
}

/// Writes the template and the SDK; answers the paths.
fn write(folder: &Path, name: &str, lang: Lang) -> anyhow::Result<Vec<String>> {
    let mut languages = bundled::languages().iter();
    let language = languages
        .find(|language| language.name == lang.name())
        .with_context(|| format!("this program was built without the SDK of {}", lang.name()))?;
    let mut written = Vec::new();
    for file in language.template {
        let bytes = match std::str::from_utf8(file.bytes) {
            Ok(text) => text.replace(NAME, name).into_bytes(),
            Err(_) => file.bytes.to_vec(),
        };
        written.push(put(folder, &file.path.replace(NAME, name), &bytes)?);
    }
    for file in language.sdk {
        written.push(put(folder, &format!("sdk/{}/{}", lang.name(), file.path), file.bytes)?);
    }
    for file in bundled::contract() {
        written.push(put(folder, &format!("sdk/wit/{}", file.path), file.bytes)?);
    }
    Ok(written)
}

fn put(folder: &Path, path: &str, bytes: &[u8]) -> anyhow::Result<String> {
    let file = folder.join(path);
    let unwritable = || format!("cannot write {}", out::path(&file));
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent).with_context(unwritable)?;
    }
    fs::write(&file, bytes).with_context(unwritable)?;
    #[cfg(unix)]
    if bytes.starts_with(b"#!") {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).with_context(unwritable)?;
    }
    Ok(path.to_owned())
}

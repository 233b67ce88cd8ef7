//! `relata plugin build`

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use anyhow::Context as _;
use clap::Args;
use relata_app::package::Build;
use relata_plugin_build::{BuildError, build_crate, componentize};

use super::{
    check::{self, Looked},
    project::{MANIFEST, Project},
};
use crate::{
    context::Context,
    failure::{WRONG, Wrong},
    out,
};

/// Make a plugin's component, and check it.
///
/// `[build]` in plugin.toml says how: `setup` is run where `needs` is missing,
/// then `command`, both by `sh -c` in the plugin's folder, and `component` is
/// the file that they leave. Where there is no `command`, the folder is a cargo
/// crate, and cargo builds it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata plugin build
  relata plugin build enrich --json

Exit code 1: it does not build, or something is wrong with what was built.")]
pub(crate) struct BuildArgs {
    /// The plugin's folder, where its plugin.toml is
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

pub(super) async fn run(context: &Context, args: BuildArgs) -> anyhow::Result<ExitCode> {
    let project = Project::open(&args.folder)?;
    let component = build(&project)?;
    let looked = Looked::at(&project, &component).await?;
    if context.json {
        out::json(&looked.document())?;
    } else {
        out::line(looked.summary())?;
        looked.print_remarks()?;
    }
    Ok(if looked.has_errors() { ExitCode::from(WRONG) } else { ExitCode::SUCCESS })
}

/// Builds a plugin; answers the component, which lies where the manifest says.
pub(super) fn build(project: &Project) -> anyhow::Result<Vec<u8>> {
    let Build { setup, needs, command, .. } = &project.manifest.build;
    if let Some(setup) = setup
        && needs.as_ref().is_none_or(|needs| !project.folder.join(needs).exists())
    {
        shell(project, "setup", setup)?;
    }
    let file = project.component();
    match command {
        Some(command) => {
            shell(project, "command", command)?;
            wrapped(project, &file)
        }
        None => {
            let built = cargo(project)?;
            let bytes =
                fs::read(&built).with_context(|| format!("cannot read {}", out::path(&built)))?;
            write(&file, &bytes)?;
            Ok(bytes)
        }
    }
}

/// Runs a command of `[build]`. What it prints is not the answer.
fn shell(project: &Project, key: &str, command: &str) -> anyhow::Result<()> {
    let status = Command::new("sh")
        .args(["-c", command])
        .current_dir(&project.folder)
        .stdin(Stdio::null())
        .stdout(io::stderr())
        .status()
        .context("sh cannot be started, which runs the commands of [build]")?;
    if status.success() {
        return Ok(());
    }
    Err(Wrong::new(format!(
        "`{}` failed ({status}), and its messages are above; it is build.{key} in {}",
        out::clean(command),
        out::path(&super::project::tidy(&project.folder.join(MANIFEST)))
    ))
    .into())
}

fn cargo(project: &Project) -> anyhow::Result<PathBuf> {
    if !project.folder.join("Cargo.toml").is_file() {
        return Err(Wrong::new(format!(
            "nobody says how {} is built: it has no Cargo.toml, and [build] in {MANIFEST} has no `command`",
            out::path(&project.folder)
        ))
        .into());
    }
    match build_crate(&project.folder) {
        Ok(built) => Ok(built.component),
        Err(BuildError::Toolchain(missing)) => Err(Wrong::new(format!(
            "no Rust compiler for WebAssembly was found. Run `rustup target add wasm32-unknown-unknown`, or on Debian `apt-get install rustc-web cargo-web rust-web-src rust-web-llvm lld-22`.\nLooked at:\n  - {}",
            missing.tried.join("\n  - ")
        ))
        .into()),
        Err(why @ BuildError::Start { .. } | why @ BuildError::File { .. }) => Err(why.into()),
        Err(why) => Err(Wrong::new(why.to_string()).into()),
    }
}

/// What a command left, as a component: a core module is wrapped.
fn wrapped(project: &Project, file: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            return Err(Wrong::new(format!(
                "the build left no {}; name the file that it leaves as build.component in {MANIFEST}",
                out::path(file)
            ))
            .into());
        }
        Err(why) => return Err(why).with_context(|| format!("cannot read {}", out::path(file))),
    };
    if !check::is_core_module(&bytes) {
        return Ok(bytes);
    }
    let component = componentize(&project.manifest.name, &bytes).map_err(|why| {
        Wrong::new(format!(
            "{why}; the module has to be linked with the SDK's bindings, which embed the type of the component"
        ))
    })?;
    write(file, &component)?;
    Ok(component)
}

fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", out::path(folder)))?;
    }
    fs::write(file, bytes).with_context(|| format!("cannot write {}", out::path(file)))
}

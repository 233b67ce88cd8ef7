//! `relata plugin pack`

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use relata_app::write_package;

use super::{key::secret, shown};
use crate::{context::Context, out};

/// Make one file of a plugin: NAME-VERSION.relata.
///
/// It holds the plugin.toml, the component that `relata plugin build` left, and
/// what the component says of its actions. The same plugin gives the same file.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata plugin pack                               the plugin of this folder
  relata plugin pack enrich --key author.pem       and sign it
  relata plugin pack enrich --output dist/")]
pub(crate) struct PackArgs {
    /// The plugin's folder, where its plugin.toml is
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Where to: a file, or a folder for a file of the usual name
    #[arg(long, short, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Sign it with this key (PEM)
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

pub(super) async fn run(context: &Context, args: PackArgs) -> anyhow::Result<ExitCode> {
    let key = args.key.as_deref().map(secret).transpose()?;
    let packages = shown::packages(context)?;
    let mut offered = packages.pack(&args.folder).await?;
    if let Some(key) = &key {
        offered.package.sign(key);
    }
    let name = offered.package.file_name();
    let file = match args.output {
        Some(output) if output.is_dir() => output.join(name),
        Some(output) => output,
        None => PathBuf::from(name),
    };
    let size = write_package(&file, &offered.package)?;
    if context.json {
        let mut document = shown::package(&offered);
        document["file"] = file.display().to_string().into();
        return out::json(&document).map(|()| ExitCode::SUCCESS);
    }
    let digest = offered.package.digests().package;
    out::line(format!("{}: {} KiB, {digest}", out::path(&file), size.div_ceil(1024)))?;
    match offered.package.signer() {
        Some(key) => out::line(format!("signed by {key}"))?,
        None => out::note(&format!(
            "nobody has signed it: `relata plugin sign {} --key FILE`",
            shown::argument(&file)
        )),
    }
    Ok(ExitCode::SUCCESS)
}

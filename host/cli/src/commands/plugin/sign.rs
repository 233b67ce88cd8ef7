//! `relata plugin sign`

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use relata_app::{read_package, write_package};
use serde_json::json;

use super::{key::secret, shown};
use crate::{context::Context, out};

/// Sign a package, so that whoever installs it knows whom it is from.
///
/// The key is an ed25519 key in a PEM file, as `relata plugin key new` or
/// `openssl genpkey -algorithm ed25519` makes it. A signature that is there is
/// replaced.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata plugin sign enrich-0.1.0.relata --key author.pem")]
pub(crate) struct SignArgs {
    /// The package, a .relata file
    file: PathBuf,
    /// The secret key (PEM)
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

pub(super) fn run(context: &Context, args: &SignArgs) -> anyhow::Result<ExitCode> {
    let key = secret(&args.key)?;
    let mut package = read_package(&args.file)?;
    package.sign(&key);
    write_package(&args.file, &package)?;
    let (signer, digest) = (key.public(), package.digests().package);
    if context.json {
        let document = json!({
            "file": args.file.display().to_string(), "digest": digest, "signer": signer,
        });
        return out::json(&document).map(|()| ExitCode::SUCCESS);
    }
    out::line(format!("{} is signed by {signer}", out::path(&args.file)))?;
    out::note(&format!(
        "who trusts you writes `{}` under [plugins.trusted] in relata.toml",
        shown::trusting(&signer)
    ));
    Ok(ExitCode::SUCCESS)
}

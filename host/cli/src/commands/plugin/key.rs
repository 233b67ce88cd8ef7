//! `relata plugin key`

use std::{
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use relata_app::{
    new_signing_key,
    package::{PublicKey, SecretKey},
};
use serde_json::json;
use zeroize::Zeroizing;

use super::shown;
use crate::{context::Context, failure::Wrong, out};

/// Make a key to sign plugins with, and see its public half.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata plugin key new author.pem
  relata plugin key show author.pem                the half that others may know")]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key, in a new file that only you can read
    New {
        /// Where to: a PEM file (PKCS#8), as openssl reads it
        file: PathBuf,
    },
    /// The public half of a key
    Show {
        /// A PEM file with a secret or a public key
        file: PathBuf,
    },
}

pub(super) fn run(context: &Context, args: KeyArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        KeyCommand::New { file } => {
            let key = new_signing_key()?;
            write(&file, &key)?;
            told(context, &file, &key.public())?;
            if !context.json {
                out::note(&format!(
                    "keep {} secret, and a copy of it safe: who has it can sign in your name, and without it you cannot",
                    out::path(&file)
                ));
            }
        }
        KeyCommand::Show { file } => told(context, &file, &public(&file)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn told(context: &Context, file: &Path, key: &PublicKey) -> anyhow::Result<()> {
    if context.json {
        return out::json(&json!({ "file": file.display().to_string(), "public": key }));
    }
    out::line(format!("the public key of {} is {key}", out::path(file)))?;
    out::line(format!(
        "who trusts it writes `{}` under [plugins.trusted] in relata.toml",
        shown::trusting(key)
    ))
}

/// The secret key of a file.
pub(super) fn secret(file: &Path) -> anyhow::Result<SecretKey> {
    let pem = read(file)?;
    SecretKey::from_pem(&pem)
        .map_err(|why| Wrong::new(format!("{}: {why}", out::path(file))).into())
}

fn public(file: &Path) -> anyhow::Result<PublicKey> {
    let pem = read(file)?;
    let read = match pem.contains("PUBLIC KEY") {
        true => PublicKey::from_pem(&pem),
        false => SecretKey::from_pem(&pem).map(|key| key.public()),
    };
    read.map_err(|why| Wrong::new(format!("{}: {why}", out::path(file))).into())
}

fn read(file: &Path) -> Result<Zeroizing<String>, Wrong> {
    fs::read_to_string(file)
        .map(Zeroizing::new)
        .map_err(|why| Wrong::new(format!("cannot read {}: {why}", out::path(file))))
}

/// A new file, from its first moment for nobody else to read.
fn write(file: &Path, key: &SecretKey) -> anyhow::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut open = match options.open(file) {
        Err(why) if why.kind() == ErrorKind::AlreadyExists => {
            return Err(Wrong::new(format!(
                "{} is there already, and a key is not written over; name another file",
                out::path(file)
            ))
            .into());
        }
        opened => opened.with_context(|| format!("cannot write {}", out::path(file)))?,
    };
    open.write_all(key.to_pem().as_bytes())
        .and_then(|()| open.sync_all())
        .with_context(|| format!("cannot write {}", out::path(file)))
}

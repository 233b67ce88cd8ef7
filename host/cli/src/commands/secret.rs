//! `relata secret`

use std::{
    io::{self, IsTerminal, Read},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use relata_app::{App, Secret};
use serde_json::json;

use crate::{
    context::Context,
    failure::Wrong,
    out::{self, Column},
};

/// How many bytes are read at the most; what is longer is no secret.
const MOST_READ: u64 = 1 << 20;

/// Keep the secrets that workflows name, such as those of webhooks.
///
/// A workflow names one (`secret: shop-webhook`, `secret/shop-webhook`) and
/// never holds one. Each lies in a file DATA/secrets/NAME that only the user
/// who runs `relata` can read (mode 0600, in a folder of mode 0700), as it
/// was given; whoever copies the data directory copies them. A variable of the
/// environment goes before the file: RELATA_SECRET_SHOP_WEBHOOK for
/// shop-webhook. Nothing prints or logs what is in one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata secret set shop-webhook            asks for it, without showing it
  echo whsec_$(openssl rand -base64 32) | relata secret set shop-webhook
  relata secret list
  relata secret remove shop-webhook")]
pub(crate) struct SecretArgs {
    #[command(subcommand)]
    command: SecretCommand,
}

#[derive(Debug, Subcommand)]
enum SecretCommand {
    /// Keep a secret that is read from stdin; it replaces one of the same name
    Set {
        /// Such as shop-webhook: lower-case letters, digits and `-`
        name: String,
    },
    /// The names of all secrets, and where each comes from
    List,
    /// Remove a secret
    Remove {
        /// Its name
        name: String,
    },
}

pub(crate) async fn run(context: &Context, args: SecretArgs) -> anyhow::Result<ExitCode> {
    let app = context.open().await?;
    let done = match args.command {
        SecretCommand::Set { name } => set(context, &app, &name),
        SecretCommand::List => list(context, &app),
        SecretCommand::Remove { name } => remove(context, &app, &name),
    };
    app.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

fn set(context: &Context, app: &App, name: &str) -> anyhow::Result<()> {
    let secret = read(name)?;
    let replaced = app.set_secret(name, &secret)?;
    let hidden = app.secrets()?.iter().any(|row| row.secret == name && row.from != "file");
    if context.json {
        return out::json(&json!({ "secret": name, "replaced": replaced, "hidden": hidden }));
    }
    let what = if replaced { "was replaced" } else { "is set" };
    out::line(format!("the secret {name} {what}"))?;
    if hidden {
        out::note("the environment has one of this name as well, which goes before it");
    }
    Ok(())
}

/// Asks a person, or reads what a program gives; less the last line break.
pub(crate) fn read(name: &str) -> anyhow::Result<Secret> {
    if io::stdin().is_terminal() {
        let typed = rpassword::prompt_password(format!("{name} (is not shown): "))
            .context("the secret cannot be read from the terminal")?;
        return Ok(Secret::new(typed));
    }
    let mut bytes = Vec::new();
    io::stdin()
        .take(MOST_READ)
        .read_to_end(&mut bytes)
        .context("the secret cannot be read from stdin")?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Wrong::new("a secret is text (UTF-8); encode bytes as base64 first"))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::new(text.strip_suffix('\r').unwrap_or(text)))
}

fn list(context: &Context, app: &App) -> anyhow::Result<()> {
    let secrets = app.secrets()?;
    if context.json {
        return out::json(&secrets);
    }
    if secrets.is_empty() {
        return out::line("no secret is set; `relata secret set NAME` sets one");
    }
    let rows = secrets.into_iter().map(|row| vec![row.secret, row.from.to_owned()]).collect();
    out::table(&[Column::whole("Secret"), Column::whole("From")], rows)
}

fn remove(context: &Context, app: &App, name: &str) -> anyhow::Result<()> {
    app.remove_secret(name)?;
    if context.json {
        return out::json(&json!({ "secret": name, "removed": true }));
    }
    out::line(format!("the secret {name} was removed"))
}

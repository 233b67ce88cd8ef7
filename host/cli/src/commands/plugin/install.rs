//! `relata plugin install`

use std::{
    io::{self, BufRead, IsTerminal},
    process::ExitCode,
};

use clap::Args;
use relata_app::{
    App, Offered,
    package::{Consent, Digest, FORMS, Grant, Permissions, grants_of},
};
use serde_json::json;

use super::shown;
use crate::{context::Context, failure::Wrong, out};

/// Install a plugin, or another version of it.
///
/// What it asks for is shown beside what its component imports, and somebody
/// has to agree: at a terminal by a word, in a script by `--yes` together with
/// the digest of what was read. A new version that may do no more than the one
/// before, by the same signer, needs nobody. A host that runs takes it over
/// within seconds.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata plugin install enrich-0.1.0.relata --data shop
  relata plugin install oci://plugins.example/sales/enrich:0.1.0 --data shop
  relata plugin install enrich-0.1.0.relata --may 'read lead' --may 'call companies.example'
  relata plugin install enrich-0.1.0.relata --yes --consent sha256:99aeb8ae…")]
pub(crate) struct InstallArgs {
    /// A .relata file, a plugin's folder, or oci://HOST/REPOSITORY:VERSION
    #[arg(value_name = "FILE|DIR|oci://…")]
    source: String,
    /// Leave it only this of what it asks for, in the words of a step's `may:`;
    /// several times for more
    #[arg(long, value_name = "WORDS")]
    may: Vec<String>,
    /// Agree without being asked; needs --consent
    #[arg(long, requires = "consent")]
    yes: bool,
    /// The digest of the package that was read, as `relata plugin inspect`
    /// shows it; another package is refused
    #[arg(long, value_name = "DIGEST")]
    consent: Option<Digest>,
}

pub(super) async fn run(context: &Context, args: InstallArgs) -> anyhow::Result<ExitCode> {
    let may = permissions(&args.may)?;
    let app = context.open().await?;
    let installed = Box::pin(install(context, &app, &args, may.as_ref())).await;
    app.close().await;
    installed
}

async fn install(
    context: &Context,
    app: &App,
    args: &InstallArgs,
    may: Option<&Permissions>,
) -> anyhow::Result<ExitCode> {
    let offered = shown::open(&shown::packages(context)?, &args.source).await?;
    let consent = app.plugin_consent(&offered, may)?;
    if !context.json {
        out::text(&consent.to_string())?;
    }
    let agreed = match args.consent {
        Some(digest) if args.yes || digest != consent.digest => Some(digest),
        _ if !consent.is_needed() => None,
        _ => match ask(context)? {
            Some(true) => Some(consent.digest),
            Some(false) => {
                return Err(Wrong::new(format!("`{}` was not installed", consent.name)).into());
            }
            None => return Err(not_agreed(&consent, &args.source).into()),
        },
    };
    let document = document(&offered, &consent);
    let (name, version) = (consent.name.clone(), consent.version.clone());
    app.install_plugin(offered, &consent, agreed)?;
    if context.json {
        out::json(&document)?;
    } else {
        out::line(format!("{name} {version} is installed"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What an operator leaves it; nothing where nobody said anything.
fn permissions(words: &[String]) -> anyhow::Result<Option<Permissions>> {
    if words.is_empty() {
        return Ok(None);
    }
    let mut grants: Vec<Grant> = Vec::new();
    for words in words {
        let read = grants_of(words).map_err(|why| {
            Wrong::new(format!("--may: {why}; it should be one of: {}", FORMS.join(", ")))
        })?;
        grants.extend(read);
    }
    Ok(Some(grants.into_iter().collect()))
}

/// Asks at a terminal; no answer where there is none.
fn ask(context: &Context) -> anyhow::Result<Option<bool>> {
    if context.json || !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Ok(None);
    }
    out::text("Install it? Type yes to agree: ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(Some(matches!(answer.trim().to_lowercase().as_str(), "yes" | "y")))
}

fn not_agreed(consent: &Consent, source: &str) -> Wrong {
    Wrong::new(format!(
        "nobody agreed to `{}`, and it was not installed; where nobody can be asked, read it with `relata plugin inspect {source}`, then add `--yes --consent {}`",
        consent.name, consent.digest
    ))
}

fn document(offered: &Offered, consent: &Consent) -> serde_json::Value {
    json!({
        "plugin": consent.name,
        "version": consent.version,
        "digest": consent.digest,
        "source": offered.source,
        "consent": shown::consent(consent),
    })
}

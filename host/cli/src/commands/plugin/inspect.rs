//! `relata plugin inspect`

use std::process::ExitCode;

use clap::Args;
use relata_app::{App, package::Consent};

use super::shown;
use crate::{context::Context, out};

/// Show what a plugin is and what it asks for, without installing it.
///
/// Its component is loaded as an installation would load it: what it imports
/// is what it can reach, whatever its plugin.toml says. In a data directory, it
/// is compared with the version that is installed there.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata plugin inspect enrich-0.1.0.relata
  relata plugin inspect enrich                     an author's folder
  relata plugin inspect oci://plugins.example/sales/enrich:0.1.0 --json | jq .imports")]
pub(crate) struct InspectArgs {
    /// A .relata file, a plugin's folder, or oci://HOST/REPOSITORY:VERSION
    #[arg(value_name = "FILE|DIR|oci://…")]
    source: String,
}

pub(super) async fn run(context: &Context, args: InspectArgs) -> anyhow::Result<ExitCode> {
    let offered = shown::open(&shown::packages(context)?, &args.source).await?;
    let app = match shown::settings(context)? {
        Some(_) => Some(context.open().await?),
        None => None,
    };
    let judged = app.as_ref().map(|app| app.plugin_consent(&offered, None));
    if let Some(app) = app {
        App::close(app).await;
    }
    let (consent, refused) = match judged {
        Some(Ok(consent)) => (consent, None),
        judged => {
            let refused = judged.and_then(Result::err);
            let consent =
                Consent::new(&offered.package, offered.permissions(None), &offered.imports, None);
            (consent, refused)
        }
    };
    if context.json {
        let mut document = shown::package(&offered);
        document["consent"] = shown::consent(&consent);
        document["refused"] = refused.map(|why| why.to_string()).into();
        return out::json(&document).map(|()| ExitCode::SUCCESS);
    }
    out::text(&consent.to_string())?;
    let digests = offered.package.digests();
    out::line(format!(
        "Its component has {} KiB, {}; its plugin.toml is {}.",
        offered.package.parts().component.len().div_ceil(1024),
        digests.component,
        digests.manifest
    ))?;
    if let Some(why) = refused {
        out::line(format!("It cannot be installed here: {}", out::clean(&why.to_string())))?;
    }
    Ok(ExitCode::SUCCESS)
}

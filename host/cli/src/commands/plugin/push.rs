//! `relata plugin push`

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::shown;
use crate::{context::Context, out, progress};

/// Put a package into a registry, from which others install it.
///
/// Any OCI registry will do. It lies there under its version where no other tag
/// is named; a version that is there is not replaced by another package.
/// RELATA_REGISTRY_USER and RELATA_REGISTRY_PASSWORD in the environment are the
/// login.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  relata plugin push enrich-0.1.0.relata oci://plugins.example/sales/enrich")]
pub(crate) struct PushArgs {
    /// The package, a .relata file
    file: String,
    /// Where to: oci://HOST/REPOSITORY, with :TAG where it is not the version
    #[arg(value_name = "oci://…")]
    to: String,
}

pub(super) async fn run(context: &Context, args: PushArgs) -> anyhow::Result<ExitCode> {
    let packages = shown::packages(context)?;
    let offered = shown::open(&packages, &args.file).await?;
    let waiting = progress::spinner("pushing the package");
    let pushed = packages.push(&offered, &args.to).await;
    waiting.finish_and_clear();
    let pushed = pushed?;
    if context.json {
        let document = json!({
            "plugin": offered.package.manifest().name,
            "version": offered.package.manifest().version,
            "digest": offered.package.digests().package,
            "to": pushed.to_string(),
        });
        out::json(&document)?;
    } else {
        out::line(format!("pushed to {pushed}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

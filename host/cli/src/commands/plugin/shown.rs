//! How packages are shown, and where they are got from.

use std::path::Path;

use relata_app::{
    Config, DataDirectory, Offered, Packages,
    package::{Consent, Grant, Package, PublicKey},
};
use serde_json::{Value as Json, json};

use crate::{
    context::{Context, compiler, is_data_directory, registry_login},
    out, progress,
};

/// Gets packages from where they lie: with the settings and the cache of the
/// data directory, where there is one.
pub(super) fn packages(context: &Context) -> anyhow::Result<Packages> {
    let here = settings(context)?;
    let cache = here.as_ref().map(|(directory, _)| directory.cache());
    let ca_file = here
        .as_ref()
        .and_then(|(directory, config)| config.http.rooted_at(directory.root()).ca_file);
    Ok(Packages::new(cache.as_deref(), compiler(), ca_file.as_deref(), registry_login()?)?)
}

/// The data directory and its settings; none where nobody named one and this
/// is none.
pub(super) fn settings(context: &Context) -> anyhow::Result<Option<(DataDirectory, Config)>> {
    let named = context.data.is_some() || is_data_directory(context.root());
    Ok(named.then(|| DataDirectory::open(context.root())).transpose()?)
}

/// Opens what a person named.
pub(super) async fn open(packages: &Packages, source: &str) -> anyhow::Result<Offered> {
    let waiting = progress::spinner("looking into the package");
    let opened = packages.open(source).await;
    waiting.finish_and_clear();
    Ok(opened?)
}

/// The whole package, for programs.
pub(super) fn package(offered: &Offered) -> Json {
    let Offered { package, source, imports } = offered;
    let (manifest, digests) = (package.manifest(), package.digests());
    json!({
        "plugin": manifest.name,
        "version": manifest.version,
        "title": manifest.title,
        "contract": manifest.contract,
        "digest": digests.package,
        "component": digests.component,
        "component_bytes": package.parts().component.len(),
        "manifest": digests.manifest,
        "signer": package.signer(),
        "source": source,
        "imports": imports,
        "asks": asked(package),
        "limits": manifest.limits,
        "actions": package.actions(),
    })
}

fn asked(package: &Package) -> Vec<String> {
    package.manifest().permissions.grants().iter().map(Grant::to_string).collect()
}

/// What is to be agreed to, for programs.
pub(super) fn consent(consent: &Consent) -> Json {
    let sentences = |grants: &[Grant]| grants.iter().map(Grant::to_string).collect::<Vec<_>>();
    json!({
        "needed": consent.is_needed(),
        "may": sentences(&consent.permissions.grants().into_iter().collect::<Vec<_>>()),
        "not_imported": consent.unused(),
        "signer": consent.signer,
        "signer_name": consent.signer_name,
        "before": consent.before.as_ref().map(|before| json!({
            "version": before.version,
            "digest": before.digest,
            "signer": before.signer,
            "more": sentences(&before.more),
            "less": sentences(&before.less),
        })),
    })
}

/// The line of a relata.toml that trusts a key.
pub(super) fn trusting(key: &PublicKey) -> String {
    format!("NAME = \"{key}\"")
}

/// A path as a command's argument.
pub(super) fn argument(path: &Path) -> String {
    let text = out::path(path);
    if text.contains([' ', '\'', '"', '$', '\\']) {
        format!("'{}'", text.replace('\'', "'\\''"))
    } else {
        text
    }
}

//! Installing and removing plugins: what is agreed to, and by whom.

use std::collections::BTreeSet;

use relata_package::{Consent, Digest, LockEntry, Permissions, is_name};
use relata_workflow::StepKind;
use serde::Serialize;

use super::folder::{PluginFolder, RolledBack};
use super::packages::Offered;
use crate::{App, AppError};

/// An installed plugin as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InstalledPlugin {
    /// Its name.
    pub plugin: String,
    /// Its version; none where nobody agreed to it.
    pub version: Option<String>,
    /// The digest that was agreed to.
    pub digest: Option<Digest>,
    /// Whose signature it carries, by the name that relata.toml gives.
    pub signer: Option<String>,
    /// How much it may do.
    pub permissions: usize,
    /// Where it came from.
    pub source: Option<String>,
    /// Why it is not run, if it is not.
    pub refused: Option<String>,
    /// A later version that failed and was replaced by this one.
    pub rolled_back: Option<RolledBack>,
}

impl App {
    /// What is to be agreed to before a package is installed here: all that it
    /// asks for, or no more than `may`.
    ///
    /// # Errors
    ///
    /// [`AppError`] where it may not be installed, whatever one agrees to.
    pub fn plugin_consent(
        &self,
        offered: &Offered,
        may: Option<&Permissions>,
    ) -> Result<Consent, AppError> {
        let package = &offered.package;
        let name = &package.manifest().name;
        check_name(name)?;
        let signer = self.config().plugins.check_signer(name, package.signer())?;
        let lock = PluginFolder::of(self.directory()).lock()?;
        let before = lock.plugins.get(name);
        let permissions = offered.permissions(may);
        let mut consent = Consent::new(package, permissions, &offered.imports, before);
        consent.signer_name = signer.map(str::to_owned);
        Ok(consent)
    }

    /// Installs a package as it was agreed to: `agreed` is the digest that was
    /// shown, where somebody has to agree.
    ///
    /// A host that runs takes it over within seconds; steps under way end on
    /// the version that they began with.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where nobody agreed to it, or to another.
    pub fn install_plugin(
        &self,
        offered: Offered,
        consent: &Consent,
        agreed: Option<Digest>,
    ) -> Result<(), AppError> {
        let Offered { package, source, .. } = offered;
        let digest = package.digests().package;
        let fits = |other: &Digest| *other == digest;
        if !fits(&consent.digest) || !agreed.as_ref().is_none_or(fits) {
            return Err(AppError::wrong(format!(
                "what was agreed to is not this package, whose digest is {digest}; read it again with `relata plugin inspect {source}`"
            )));
        }
        if agreed.is_none() && consent.is_needed() {
            return Err(AppError::wrong(format!(
                "nobody agreed to `{}`; read it with `relata plugin inspect {source}`, then install it with `--yes --consent {digest}`",
                consent.name
            )));
        }
        let entry = LockEntry::of(&package, source, consent.permissions.clone());
        let seen = consent.before.as_ref().map(|before| before.digest);
        PluginFolder::of(self.directory()).install(&package, entry, seen)
    }

    /// The installed plugins, and the folders among them that nobody agreed to.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the lock or the folder cannot be read.
    pub fn installed_plugins(&self) -> Result<Vec<InstalledPlugin>, AppError> {
        let folder = PluginFolder::of(self.directory());
        let lock = folder.lock()?;
        let names: BTreeSet<String> = lock.plugins.keys().cloned().chain(folder.names()?).collect();
        let rows = names.into_iter().map(|plugin| {
            let entry = lock.plugins.get(&plugin);
            let checked = self.check_installed(&folder, &plugin, entry);
            let signer = entry.and_then(|entry| entry.signer);
            let known = self.config().plugins.check_signer(&plugin, signer).ok().flatten();
            InstalledPlugin {
                version: entry.map(|entry| entry.version.clone()),
                digest: entry.map(|entry| entry.package),
                signer: known.map(str::to_owned).or_else(|| signer.map(|key| key.to_string())),
                permissions: entry.map_or(0, |entry| entry.granted.grants().len()),
                source: entry.map(|entry| entry.source.clone()),
                refused: checked.err().map(|why| why.to_string()),
                rolled_back: folder.rolled_back(&plugin),
                plugin,
            }
        });
        Ok(rows.collect())
    }

    /// Removes a plugin. What it has kept of its own stays in the database, for
    /// when it comes back.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where there is none of this name, or workflows use
    /// it.
    pub async fn remove_plugin(&self, name: &str) -> Result<(), AppError> {
        check_name(name)?;
        let users = self.users_of_plugin(name).await?;
        if !users.is_empty() {
            let (them, do_) = match users.len() {
                1 => ("the active workflow", "uses"),
                _ => ("the active workflows", "use"),
            };
            return Err(AppError::wrong(format!(
                "{them} {} {do_} `{name}`; deactivate or change what uses it first (`relata deactivate NAME`)",
                users.into_iter().collect::<Vec<_>>().join(", ")
            )));
        }
        match PluginFolder::of(self.directory()).remove(name)? {
            true => Ok(()),
            false => Err(AppError::wrong(format!(
                "no plugin `{name}` is installed; `relata plugin list` lists them"
            ))),
        }
    }

    /// The active workflows with a step that calls a plugin.
    pub(crate) async fn users_of_plugin(&self, name: &str) -> Result<BTreeSet<String>, AppError> {
        let active = self.active().await?;
        let uses = |step: &relata_workflow::Step| match &step.kind {
            StepKind::Do(step) => {
                step.action.split_once('.').is_some_and(|(plugin, _)| plugin == name)
            }
            _ => false,
        };
        let users = active.iter().filter(|(_, definition)| definition.steps.iter().any(uses));
        Ok(users.map(|(_, definition)| definition.name.clone()).collect())
    }
}

/// A name that an installed plugin may have.
pub(super) fn check_name(name: &str) -> Result<(), AppError> {
    if !is_name(name) {
        return Err(AppError::wrong(format!(
            "`{}` cannot be the name of a plugin: a letter a-z first, then letters a-z, digits and _, at most 40",
            name.escape_debug()
        )));
    }
    if relata_bundled::plugins().iter().any(|bundled| bundled.name == name) {
        return Err(AppError::wrong(format!(
            "`{name}` is one of the built-in plugins, which are not installed, replaced or removed; give yours another name in its plugin.toml"
        )));
    }
    Ok(())
}

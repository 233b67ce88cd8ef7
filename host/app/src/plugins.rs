//! The plugins of this host: those built in, and those that are installed in
//! the data directory, loaded into the sandbox.

mod config;
mod folder;
mod install;
mod packages;
mod swap;
mod view;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use futures::FutureExt as _;
use relata_package::{Lock, LockEntry, Package};
use relata_sandbox::{
    CallRequest, Called, Compiler, Plugin, PluginManifest, Sandbox, SandboxConfig,
};
use relata_workflow::ActionSignature;

pub use self::config::PluginsConfig;
pub use self::folder::RolledBack;
pub use self::install::InstalledPlugin;
pub use self::packages::{Offered, Packages, new_signing_key, read_package, write_package};
pub(crate) use self::swap::Slot;
pub use self::view::{ActionView, PluginView};

use self::folder::{PluginFolder, Stamp};
use self::swap::Probation;
use crate::{App, AppError, host::StepHost};

/// The plugins of a host, by name. One set never changes; where plugins are
/// installed, another takes its place.
#[derive(Debug)]
pub struct Plugins {
    sandbox: Sandbox,
    plugins: BTreeMap<String, Plugin>,
    /// What those that are installed were loaded by.
    entries: BTreeMap<String, LockEntry>,
    /// New versions that have done nothing yet.
    probation: BTreeMap<String, Arc<Probation>>,
    /// Those that are not run.
    refused: BTreeMap<String, Refused>,
    /// Why no installed plugin is run, if none is.
    lock_fault: Option<String>,
    /// The text of the lock when they were loaded.
    lock: String,
}

/// Why a plugin is not run, and how its files were when that was found.
#[derive(Debug)]
struct Refused {
    why: String,
    stamp: Stamp,
}

/// The sandbox that plugins run in. Compiled code is kept in `cache`.
pub(crate) fn sandbox(cache: Option<&Path>, compiler: Compiler) -> Result<Sandbox, AppError> {
    let cache_dir = cache.map(Path::to_owned);
    Ok(Sandbox::new(SandboxConfig { cache_dir, compiler, ..SandboxConfig::default() })?)
}

impl App {
    /// The plugins, loaded at the first use: those built in, and those that
    /// are installed in the data directory. Whoever holds the answer keeps
    /// these versions, also when others are installed meanwhile.
    ///
    /// # Errors
    ///
    /// [`AppError`] names the built-in plugin that does not load. One that is
    /// installed and does not fit is left out; [`Plugins::refused`] says why.
    pub async fn plugins(&self) -> Result<Arc<Plugins>, AppError> {
        match self.inner.plugins.get() {
            Some(plugins) => Ok(plugins),
            None => self.load_plugins().boxed().await,
        }
    }

    async fn load_plugins(&self) -> Result<Arc<Plugins>, AppError> {
        let slot = &self.inner.plugins;
        let _turn = slot.turn().await;
        if let Some(plugins) = slot.get() {
            return Ok(plugins);
        }
        let cache = self.directory().cache();
        let bundled = Plugins::load_with(Some(&cache), slot.compiler().clone()).await?;
        let plugins = Arc::new(self.with_installed(bundled, None).await);
        slot.set(Arc::clone(&plugins));
        Ok(plugins)
    }

    /// Adds the installed plugins; those of `before` that did not change are
    /// taken over.
    async fn with_installed(&self, mut plugins: Plugins, before: Option<&Plugins>) -> Plugins {
        let folder = PluginFolder::of(self.directory());
        let read = folder.lock_text().and_then(|text| Ok((Lock::parse(&text)?, text)));
        let (lock, text) = match read {
            Ok(read) => read,
            Err(why) => {
                // Without it nobody agreed to anything.
                tracing::error!("no installed plugin is run: {why}");
                plugins.lock_fault = Some(why.to_string());
                return plugins;
            }
        };
        let mut names = folder.names().unwrap_or_default();
        names.extend(lock.plugins.keys().cloned());
        for name in names {
            let entry = lock.plugins.get(&name);
            if let Some(before) = before
                && entry.is_some_and(|entry| before.entries.get(&name) == Some(entry))
                && before.plugins.contains_key(&name)
            {
                plugins.take_over(&name, before);
                continue;
            }
            let stamp = folder.stamp(&name);
            match self.load_installed(&plugins, &folder, &name, entry).await {
                Ok((plugin, entry)) => {
                    if folder.is_on_probation(&name) {
                        plugins.probation.insert(name.clone(), Arc::default());
                    }
                    plugins.entries.insert(name.clone(), entry.clone());
                    plugins.plugins.insert(name, plugin);
                }
                Err(why) => {
                    let why = why.to_string();
                    tracing::error!(plugin.name = name, "a plugin is not run: {why}");
                    plugins.refused.insert(name, Refused { why, stamp });
                }
            }
        }
        plugins.lock = text;
        plugins
    }

    async fn load_installed<'a>(
        &self,
        plugins: &Plugins,
        folder: &PluginFolder,
        name: &str,
        entry: Option<&'a LockEntry>,
    ) -> Result<(Plugin, &'a LockEntry), AppError> {
        let (package, entry) = self.check_installed(folder, name, entry)?;
        let (manifest, component) = (package.manifest().clone(), package.parts().component.clone());
        let plugin = plugins.sandbox.load(manifest, Some(&entry.granted), component).await?;
        Ok((plugin, entry))
    }

    /// Whether the files of a plugin are those that somebody agreed to.
    fn check_installed<'a>(
        &self,
        folder: &PluginFolder,
        name: &str,
        entry: Option<&'a LockEntry>,
    ) -> Result<(Package, &'a LockEntry), AppError> {
        let path = folder.plugin(name);
        let Some(entry) = entry else {
            return Err(AppError::wrong(format!(
                "nobody agreed to {}; `relata plugin install {}` shows what it asks for",
                path.display(),
                path.display()
            )));
        };
        install::check_name(name)?;
        if !path.is_dir() {
            return Err(AppError::wrong(format!(
                "relata.lock has `{name}`, but {} is not there: put it back, install it again from {}, or take it out with `relata plugin remove {name}`",
                path.display(),
                entry.source
            )));
        }
        let package = folder.package(name)?;
        if package.manifest().name != name {
            return Err(AppError::wrong(format!(
                "{} holds the plugin `{}`; a plugin lies in a folder of its own name",
                path.display(),
                package.manifest().name
            )));
        }
        entry.check(&package).map_err(|why| AppError::wrong(why.to_string()))?;
        self.config().plugins.check_signer(name, entry.signer)?;
        Ok((package, entry))
    }
}

impl Plugins {
    /// Loads the built-in plugins; compiled code is kept in `cache`.
    ///
    /// # Errors
    ///
    /// [`AppError::Sandbox`] names the plugin that does not load.
    pub async fn load(cache: Option<&Path>) -> Result<Self, AppError> {
        Self::load_with(cache, Compiler::InProcess).await
    }

    /// The same; those that are added will be compiled by `compiler`.
    async fn load_with(cache: Option<&Path>, compiler: Compiler) -> Result<Self, AppError> {
        let sandbox = sandbox(cache, compiler)?;
        let mut plugins = BTreeMap::new();
        for bundled in relata_bundled::plugins() {
            let manifest = PluginManifest::parse(bundled.manifest)?;
            let plugin = sandbox.load_built_in(manifest, bundled.component).await?;
            plugins.insert(plugin.name().to_owned(), plugin);
        }
        Ok(Self::of(sandbox, plugins))
    }

    fn of(sandbox: Sandbox, plugins: BTreeMap<String, Plugin>) -> Self {
        Self {
            sandbox,
            plugins,
            entries: BTreeMap::new(),
            probation: BTreeMap::new(),
            refused: BTreeMap::new(),
            lock_fault: None,
            lock: String::new(),
        }
    }

    /// The built-in ones alone.
    fn bundled_alone(&self) -> Self {
        let bundled = self.plugins.iter().filter(|(name, _)| !self.entries.contains_key(*name));
        let plugins = bundled.map(|(name, plugin)| (name.clone(), plugin.clone())).collect();
        Self::of(self.sandbox.clone(), plugins)
    }

    fn take_over(&mut self, name: &str, before: &Plugins) {
        fn one<T: Clone>(into: &mut BTreeMap<String, T>, name: &str, from: &BTreeMap<String, T>) {
            if let Some(found) = from.get(name) {
                into.insert(name.to_owned(), found.clone());
            }
        }
        one(&mut self.plugins, name, &before.plugins);
        one(&mut self.entries, name, &before.entries);
        one(&mut self.probation, name, &before.probation);
    }

    /// Adds a plugin to those that are there.
    ///
    /// # Errors
    ///
    /// [`AppError`] where it does not load, or there is one of its name.
    pub async fn add(&mut self, manifest: &str, component: Vec<u8>) -> Result<(), AppError> {
        let manifest = PluginManifest::parse(manifest)?;
        if self.plugins.contains_key(&manifest.name) {
            return Err(AppError::wrong(format!(
                "there is a plugin `{}` already; give this one another name in its plugin.toml",
                manifest.name
            )));
        }
        let plugin = self.sandbox.load(manifest, None, component).await?;
        self.plugins.insert(plugin.name().to_owned(), plugin);
        Ok(())
    }

    /// The plugins that are not run, and why, by name.
    pub fn refused(&self) -> impl Iterator<Item = (&str, &str)> {
        self.refused.iter().map(|(name, refused)| (name.as_str(), refused.why.as_str()))
    }

    /// Why no installed plugin is run, where the lock does not read.
    #[must_use]
    pub fn lock_fault(&self) -> Option<&str> {
        self.lock_fault.as_deref()
    }

    /// Why a step gets no answer: there is no such action, or its plugin is not
    /// run. Whether somebody may mend that without touching the workflow.
    pub(crate) fn missing(&self, full_name: &str) -> (String, bool) {
        let plugin = full_name.split_once('.').map_or(full_name, |(plugin, _)| plugin);
        let refused = self.refused.get(plugin).map(|refused| &refused.why);
        match refused.or(self.lock_fault.as_ref()) {
            Some(why) => (format!("the plugin of `{full_name}` is not run: {why}"), true),
            None => {
                let why = format!(
                    "no plugin gives the action `{full_name}`; install it, or change the step"
                );
                (why, false)
            }
        }
    }

    /// All plugins, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Plugin> {
        self.plugins.values()
    }

    /// The plugin of an action, and the action's own name.
    #[must_use]
    pub fn action<'a>(&self, full_name: &'a str) -> Option<(&Plugin, &'a str)> {
        let (plugin, action) = full_name.split_once('.')?;
        let plugin = self.plugins.get(plugin)?;
        plugin.descriptors().iter().any(|found| found.id == action).then_some((plugin, action))
    }

    /// What the workflow checker knows of the actions, by full name.
    #[must_use]
    pub fn signatures(&self) -> BTreeMap<String, ActionSignature> {
        self.plugins.values().flat_map(signatures_of).collect()
    }

    pub(crate) async fn call(
        &self,
        plugin: &Plugin,
        request: CallRequest<'_>,
        host: StepHost,
    ) -> Called<StepHost> {
        let is_real = !request.context.dry_run;
        let probation = self.probation.get(plugin.name()).filter(|_| is_real);
        let probation = probation.map(|probation| {
            (probation, format!("plugin `{}`, action `{}`", plugin.name(), request.action))
        });
        let called = plugin.call(request, host).await;
        if let Some((probation, called_as)) = probation {
            probation.tell(called.verdict(), &called_as);
        }
        called
    }
}

/// What the workflow checker knows of a plugin's actions, by full name.
pub(crate) fn signatures_of(plugin: &Plugin) -> impl Iterator<Item = (String, ActionSignature)> {
    plugin.descriptors().iter().map(|action| {
        let name = format!("{}.{}", plugin.name(), action.id);
        let signature = ActionSignature {
            name: name.clone(),
            title: action.title.clone(),
            summary: action.summary.clone(),
            input: action.input_schema.clone(),
            output: action.output_schema.clone(),
            reads: action.reads.clone(),
            writes: action.writes.clone(),
            permissions: Some(plugin.permissions().clone()),
            correlation: action
                .correlation
                .iter()
                .map(|found| (found.event.clone(), found.output_field.clone()))
                .collect(),
            exclusive: action.exclusive.clone(),
        };
        (name, signature)
    })
}

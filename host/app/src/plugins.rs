//! The plugins of this host: those built in, loaded into the sandbox.

use std::{collections::BTreeMap, path::Path};

use relata_sandbox::{
    CallError, CallReport, CallRequest, Plugin, PluginManifest, Sandbox, SandboxConfig, contract,
};
use relata_workflow::ActionSignature;

use crate::{App, AppError, host::StepHost};

/// The plugins of a host, by name.
#[derive(Debug)]
pub struct Plugins {
    plugins: BTreeMap<String, Plugin>,
}

impl App {
    /// The plugins, loaded at the first use.
    ///
    /// # Errors
    ///
    /// [`AppError::Sandbox`] names the plugin that does not load.
    pub async fn plugins(&self) -> Result<&Plugins, AppError> {
        let cache = self.directory().cache();
        self.inner.plugins.get_or_try_init(|| Plugins::load(Some(&cache))).await
    }
}

impl Plugins {
    /// Loads the built-in plugins; compiled code is kept in `cache`.
    ///
    /// # Errors
    ///
    /// [`AppError::Sandbox`] names the plugin that does not load.
    pub async fn load(cache: Option<&Path>) -> Result<Self, AppError> {
        let sandbox = Sandbox::new(SandboxConfig {
            cache: cache.map(Path::to_owned),
            ..SandboxConfig::default()
        })?;
        let mut plugins = BTreeMap::new();
        for bundled in relata_bundled::plugins() {
            let manifest = PluginManifest::parse(bundled.manifest)?;
            let plugin = sandbox.load(manifest, bundled.component).await?;
            plugins.insert(plugin.name().to_owned(), plugin);
        }
        Ok(Self { plugins })
    }

    /// Adds a plugin to those that are there; for trying one out, and tests.
    ///
    /// # Errors
    ///
    /// [`AppError::Sandbox`] where it does not load.
    pub async fn add(&mut self, manifest: &str, component: &[u8]) -> Result<(), AppError> {
        let sandbox = Sandbox::new(SandboxConfig::default())?;
        let plugin = sandbox.load(PluginManifest::parse(manifest)?, component).await?;
        self.plugins.insert(plugin.name().to_owned(), plugin);
        Ok(())
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
        let mut signatures = BTreeMap::new();
        for plugin in self.plugins.values() {
            for action in plugin.descriptors() {
                let name = format!("{}.{}", plugin.name(), action.id);
                let signature = ActionSignature {
                    name: name.clone(),
                    title: action.title.clone(),
                    input: action.input_schema.clone(),
                    output: action.output_schema.clone(),
                    writes: action.writes.clone(),
                    correlation: action
                        .correlation
                        .iter()
                        .map(|found| (found.event.clone(), found.output_field.clone()))
                        .collect(),
                    exclusive: action.exclusive.clone(),
                };
                signatures.insert(name, signature);
            }
        }
        signatures
    }

    pub(crate) async fn call(
        &self,
        plugin: &Plugin,
        request: CallRequest,
        host: StepHost,
    ) -> (Result<contract::Outcome, CallError>, CallReport, StepHost) {
        plugin.call(request, host).await
    }
}

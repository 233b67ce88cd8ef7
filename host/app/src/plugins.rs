//! The plugins of this host: those built in, and those that lie in the data
//! directory, loaded into the sandbox.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use relata_sandbox::{CallRequest, Called, Plugin, PluginManifest, Sandbox, SandboxConfig};
use relata_workflow::ActionSignature;

use crate::{App, AppError, ConfigError, host::StepHost};

/// The plugins of a host, by name.
#[derive(Debug)]
pub struct Plugins {
    sandbox: Sandbox,
    plugins: BTreeMap<String, Plugin>,
}

/// The folder of a data directory in which the company's own plugins lie:
/// `plugins/NAME/plugin.toml` and `plugins/NAME/component.wasm`.
const OWN: &str = "plugins";

impl App {
    /// The plugins, loaded at the first use: those built in, and those that
    /// lie in the data directory's `plugins/`.
    ///
    /// # Errors
    ///
    /// [`AppError`] names the plugin that does not load.
    pub async fn plugins(&self) -> Result<&Plugins, AppError> {
        let cache = self.directory().cache();
        let own = self.directory().root().join(OWN);
        self.inner
            .plugins
            .get_or_try_init(|| async {
                let mut plugins = Plugins::load(Some(&cache)).await?;
                plugins.add_folder(&own).await?;
                Ok(Arc::new(plugins))
            })
            .await
            .map(|plugins| &**plugins)
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
            cache_dir: cache.map(Path::to_owned),
            ..SandboxConfig::default()
        })?;
        let mut plugins = BTreeMap::new();
        for bundled in relata_bundled::plugins() {
            let manifest = PluginManifest::parse(bundled.manifest)?;
            let plugin = sandbox.load(manifest, None, bundled.component).await?;
            plugins.insert(plugin.name().to_owned(), plugin);
        }
        Ok(Self { sandbox, plugins })
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

    /// Adds the plugins of a folder, each in a folder of its own. Whoever puts
    /// one there grants what its plugin.toml asks for.
    async fn add_folder(&mut self, folder: &Path) -> Result<(), AppError> {
        let mut packages: Vec<PathBuf> = match fs::read_dir(folder) {
            Ok(entries) => entries.filter_map(Result::ok).map(|entry| entry.path()).collect(),
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(why) => return Err(unreadable(folder, why)),
        };
        packages.retain(|package| package.is_dir());
        packages.sort();
        for package in packages {
            let (manifest, component) =
                (package.join("plugin.toml"), package.join("component.wasm"));
            let manifest =
                fs::read_to_string(&manifest).map_err(|why| unreadable(&manifest, why))?;
            let component = fs::read(&component).map_err(|why| unreadable(&component, why))?;
            self.add(&manifest, component).await?;
        }
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
                signatures.insert(name, signature);
            }
        }
        signatures
    }

    pub(crate) async fn call(
        &self,
        plugin: &Plugin,
        request: CallRequest<'_>,
        host: StepHost,
    ) -> Called<StepHost> {
        plugin.call(request, host).await
    }
}

fn unreadable(file: &Path, why: io::Error) -> AppError {
    ConfigError::Io { doing: "read", file: file.to_owned(), why }.into()
}

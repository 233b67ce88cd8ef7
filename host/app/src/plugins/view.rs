//! The plugins as people and programs look at them.

use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::{App, AppError};

/// A plugin of this host.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PluginView {
    /// Its name.
    pub plugin: String,
    /// Its version; none where it is not run.
    pub version: Option<String>,
    /// Whether it comes with the host; else somebody installed it.
    pub built_in: bool,
    /// What it may do: `read lead.owner`.
    pub permissions: Vec<String>,
    /// Its actions.
    pub actions: Vec<ActionView>,
    /// Why it is not run, if it is not.
    pub refused: Option<String>,
}

/// An action of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ActionView {
    /// As a step names it: `crm.update`.
    pub action: String,
    /// One line.
    pub title: String,
    /// A paragraph.
    pub summary: String,
    /// JSON Schema of what goes in.
    #[schema(value_type = serde_json::Value)]
    pub input: Json,
    /// JSON Schema of what comes out.
    #[schema(value_type = serde_json::Value)]
    pub output: Json,
}

impl App {
    /// The plugins, by name, with those that are not run among them.
    ///
    /// # Errors
    ///
    /// [`AppError`] where a built-in plugin does not load.
    pub async fn plugin_views(&self) -> Result<Vec<PluginView>, AppError> {
        let plugins = self.plugins().await?;
        let run = plugins.iter().map(|plugin| PluginView {
            plugin: plugin.name().to_owned(),
            version: Some(plugin.manifest().version.clone()),
            built_in: !plugins.entries.contains_key(plugin.name()),
            permissions: plugin.permissions().grants().iter().map(ToString::to_string).collect(),
            actions: plugin
                .descriptors()
                .iter()
                .map(|action| ActionView {
                    action: format!("{}.{}", plugin.name(), action.id),
                    title: action.title.clone(),
                    summary: action.summary.clone(),
                    input: action.input_schema.clone(),
                    output: action.output_schema.clone(),
                })
                .collect(),
            refused: None,
        });
        let mut views: Vec<PluginView> = run.collect();
        views.extend(plugins.refused().map(|(name, why)| PluginView {
            plugin: name.to_owned(),
            version: None,
            built_in: false,
            permissions: Vec::new(),
            actions: Vec::new(),
            refused: Some(why.to_owned()),
        }));
        views.sort_by(|one, other| one.plugin.cmp(&other.plugin));
        Ok(views)
    }
}

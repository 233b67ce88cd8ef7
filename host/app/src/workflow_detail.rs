//! One workflow as people and programs look at it: its text, its versions,
//! what starts it.

use relata_model::Timestamp;
use relata_workflow::{Definition, Trigger};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{App, AppError, WorkflowRow, near_miss};

/// A workflow with its text and its versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct WorkflowDetail {
    /// How it stands.
    #[serde(flatten)]
    pub workflow: WorkflowRow,
    /// What starts it, a sentence each; empty where it is not active.
    pub starts: Vec<String>,
    /// The text of the active version; of the last one where none is active.
    pub yaml: String,
    /// When it was activated and deactivated, oldest first.
    pub history: Vec<ActivationView>,
}

/// A moment at which a workflow was activated or deactivated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ActivationView {
    /// The digest of the version that went live; none where the workflow was
    /// deactivated.
    pub version: Option<String>,
    /// When, RFC 3339.
    pub at: String,
    /// Who did it, where that is known.
    pub by: Option<String>,
}

impl App {
    /// A workflow that is or was active; none where there is none of this name.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the database fails.
    pub async fn workflow(&self, name: &str) -> Result<Option<WorkflowDetail>, AppError> {
        let rows = self.workflows().await?;
        let Some(workflow) = rows.into_iter().find(|row| row.workflow == name) else {
            return Ok(None);
        };
        let activations = self.store().workflow_activations(name).await?;
        let last = activations.iter().rev().find_map(|row| row.digest.clone());
        let yaml = match workflow.version.as_ref().or(last.as_ref()) {
            Some(digest) => self.workflow_text(digest).await?,
            None => None,
        };
        let starts = match &workflow.version {
            Some(digest) => starts(&*self.version(digest).await?),
            None => Vec::new(),
        };
        let at = |at: Timestamp| at.to_string();
        let history = activations.into_iter().map(|row| ActivationView {
            version: row.digest,
            at: at(row.at),
            by: row.actor,
        });
        Ok(Some(WorkflowDetail {
            workflow,
            starts,
            yaml: yaml.map(|(_, source)| source).unwrap_or_default(),
            history: history.collect(),
        }))
    }

    /// The name and the text of a version, by its digest; none where there is
    /// no such version.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the database fails.
    pub async fn workflow_text(&self, digest: &str) -> Result<Option<(String, String)>, AppError> {
        let version = self.store().workflow_version(digest).await?;
        Ok(version.map(|version| (version.name, version.source)))
    }
}

/// What starts a workflow, a sentence each.
fn starts(definition: &Definition) -> Vec<String> {
    let told = |trigger: &Trigger| match trigger {
        Trigger::Occurrence(occurrence) => near_miss::becoming(occurrence),
        Trigger::Schedule(schedule) => format!("{} ({})", schedule.written, schedule.time_zone),
        Trigger::Webhook(webhook) => format!("POST /hooks/{} is called", webhook.name),
        Trigger::Button(button) => format!("somebody presses `{}`", button.label),
    };
    definition.triggers.iter().map(told).collect()
}

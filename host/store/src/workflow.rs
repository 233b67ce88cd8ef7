//! Workflows: their versions, and which one is active.

use relata_model::Timestamp;

use crate::{
    NewSchedule, Store, StoreError, Tx,
    connection::{Row, arguments},
};

/// A version of a workflow that goes live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    /// The workflow's name.
    pub name: String,
    /// The digest of this version.
    pub digest: String,
    /// The YAML.
    pub source: String,
    /// The definition as JSON.
    pub compiled: String,
    /// Its clocks.
    pub schedules: Vec<NewSchedule>,
    /// Who activates it.
    pub actor: String,
}

/// A version of a workflow as it was activated. It never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowVersion {
    /// The workflow's name.
    pub name: String,
    /// The digest of this version.
    pub digest: String,
    /// The YAML.
    pub source: String,
    /// The definition as JSON.
    pub compiled: String,
    /// When it was first activated.
    pub at: Timestamp,
}

/// A moment at which a workflow was activated or deactivated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivationRow {
    /// The version that went live; none where the workflow was deactivated.
    pub digest: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Who did it, where that is known.
    pub actor: Option<String>,
}

/// A workflow, and which version of it is active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowRow {
    /// Its name.
    pub name: String,
    /// The active version's digest, if one is.
    pub active: Option<String>,
    /// When it was last activated.
    pub activated_at: Option<Timestamp>,
    /// Who did that.
    pub activated_by: Option<String>,
    /// When it was last deactivated.
    pub deactivated_at: Option<Timestamp>,
}

/// Goes up whenever a workflow is activated or deactivated.
pub(crate) const STAMP: &str =
    "SELECT CAST(COALESCE(SUM(changes), 0) AS BIGINT) AS stamp FROM relata_workflow";

impl Store {
    /// The versions that are active, by name.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn workflow_active(&self) -> Result<Vec<WorkflowVersion>, StoreError> {
        self.read().await?.workflow_active().await
    }

    /// All workflows that were ever active, by name.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn workflow_list(&self) -> Result<Vec<WorkflowRow>, StoreError> {
        self.read().await?.workflow_list().await
    }

    /// A version by its digest.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn workflow_version(
        &self,
        digest: &str,
    ) -> Result<Option<WorkflowVersion>, StoreError> {
        self.read().await?.workflow_version(digest).await
    }

    /// When a workflow was activated and deactivated, oldest first.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn workflow_activations(&self, name: &str) -> Result<Vec<ActivationRow>, StoreError> {
        self.read().await?.workflow_activations(name).await
    }

    /// The digest of a workflow's active version; none where it is not
    /// active.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn workflow_digest(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.read().await?.workflow_digest(name).await
    }

    /// Another number after each activation or deactivation, by whatever
    /// process: whoever keeps the active versions at hand compares it.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn workflow_stamp(&self) -> Result<u64, StoreError> {
        self.read().await?.workflow_stamp().await
    }
}

impl Tx {
    /// Makes a version the active one, with its clocks. Yields the digest of
    /// the version that was active before, if there was one.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn workflow_activate(
        &mut self,
        new: &NewVersion,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        self.workflow_hold(true).await?;
        self.connection
            .execute(
                "keep a version",
                "INSERT INTO relata_workflow_version (digest, name, source, compiled, at)
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT (digest) DO NOTHING",
                arguments![&new.digest, &new.name, &new.source, &new.compiled, now],
            )
            .await?;
        let before = self.workflow_digest(&new.name).await?;
        self.connection
            .execute(
                "activate a workflow",
                "INSERT INTO relata_workflow AS present (name, active_digest, activated_at, activated_by, changes)
                 VALUES ($1, $2, $3, $4, 1)
                 ON CONFLICT (name) DO UPDATE
                 SET active_digest = excluded.active_digest, activated_at = excluded.activated_at,
                     activated_by = excluded.activated_by, changes = present.changes + 1",
                arguments![&new.name, &new.digest, now, &new.actor],
            )
            .await?;
        self.activation_put(&new.name, Some(&new.digest), Some(&new.actor), now).await?;
        self.schedule_set(&new.name, &new.schedules).await?;
        Ok(before)
    }

    /// Ends a workflow's triggers and clocks; runs that are going on are not
    /// touched. False where it was not active.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn workflow_deactivate(
        &mut self,
        name: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.workflow_hold(true).await?;
        let touched = self
            .connection
            .execute(
                "deactivate a workflow",
                "UPDATE relata_workflow SET active_digest = NULL, deactivated_at = $2, changes = changes + 1
                 WHERE name = $1 AND active_digest IS NOT NULL",
                arguments![name, now],
            )
            .await?;
        if touched > 0 {
            self.activation_put(name, None, None, now).await?;
        }
        self.schedule_set(name, &[]).await?;
        Ok(touched > 0)
    }

    async fn activation_put(
        &mut self,
        name: &str,
        digest: Option<&str>,
        actor: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.connection
            .execute(
                "record an activation",
                "INSERT INTO relata_activation (workflow, digest, at, actor) VALUES ($1, $2, $3, $4)",
                arguments![name, digest, now, actor],
            )
            .await?;
        Ok(())
    }

    /// When a workflow was activated and deactivated, oldest first.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn workflow_activations(
        &mut self,
        name: &str,
    ) -> Result<Vec<ActivationRow>, StoreError> {
        let rows = self
            .connection
            .rows(
                "list activations",
                "SELECT digest, at, actor FROM relata_activation WHERE workflow = $1 ORDER BY seq",
                arguments![name],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(ActivationRow {
                    digest: row.text_or_none("digest")?,
                    at: row.time("at")?,
                    actor: row.text_or_none("actor")?,
                })
            })
            .collect()
    }

    /// The digest of a workflow's active version; none where it is not
    /// active.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn workflow_digest(&mut self, name: &str) -> Result<Option<String>, StoreError> {
        let row = self
            .connection
            .row(
                "read a workflow",
                "SELECT active_digest FROM relata_workflow WHERE name = $1",
                arguments![name],
            )
            .await?;
        match row {
            Some(row) => row.text_or_none("active_digest"),
            None => Ok(None),
        }
    }

    /// The versions that are active, by name.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn workflow_active(&mut self) -> Result<Vec<WorkflowVersion>, StoreError> {
        let rows = self
            .connection
            .rows(
                "list active workflows",
                "SELECT version.* FROM relata_workflow AS workflow
                 JOIN relata_workflow_version AS version ON version.digest = workflow.active_digest
                 ORDER BY version.name",
                arguments![],
            )
            .await?;
        rows.iter().map(read).collect()
    }

    /// All workflows that were ever active, by name.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn workflow_list(&mut self) -> Result<Vec<WorkflowRow>, StoreError> {
        let rows = self
            .connection
            .rows("list workflows", "SELECT * FROM relata_workflow ORDER BY name", arguments![])
            .await?;
        rows.iter()
            .map(|row| {
                Ok(WorkflowRow {
                    name: row.text("name")?,
                    active: row.text_or_none("active_digest")?,
                    activated_at: row.time_or_none("activated_at")?,
                    activated_by: row.text_or_none("activated_by")?,
                    deactivated_at: row.time_or_none("deactivated_at")?,
                })
            })
            .collect()
    }

    /// A version by its digest.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn workflow_version(
        &mut self,
        digest: &str,
    ) -> Result<Option<WorkflowVersion>, StoreError> {
        let row = self
            .connection
            .row(
                "read a version",
                "SELECT * FROM relata_workflow_version WHERE digest = $1",
                arguments![digest],
            )
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Keeps the active versions as they are until this transaction ends; with
    /// `to_change`, for whoever makes them others. On a file nobody else writes
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn workflow_hold(&mut self, to_change: bool) -> Result<(), StoreError> {
        let Some(sql) = self.dialect().lock_workflows(to_change) else { return Ok(()) };
        self.connection.post("hold the active workflows", sql, arguments![]).await
    }

    /// As [`Store::workflow_stamp`], within a transaction.
    ///
    /// # Errors
    ///
    /// The database's.
    pub async fn workflow_stamp(&mut self) -> Result<u64, StoreError> {
        let row = self.connection.row("look for other workflows", STAMP, arguments![]).await?;
        row.map_or(Ok(0), |row| row.count("stamp"))
    }
}

fn read(row: &Row) -> Result<WorkflowVersion, StoreError> {
    Ok(WorkflowVersion {
        name: row.text("name")?,
        digest: row.text("digest")?,
        source: row.text("source")?,
        compiled: row.text("compiled")?,
        at: row.time("at")?,
    })
}

//! Workflows: checked, activated as immutable versions, and loaded again.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use relata_engine::HappeningKind;
use relata_model::{ChangeKind, Timestamp};
use relata_store::StoreError;
use relata_workflow::{Catalog, Definition, Diagnostic, Head, Trigger};
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::{
    App, AppError, Doors, OlderRuns, Running, config, service_levels,
    triggers::{entered, may_match},
};

/// Compiled versions by digest. A version never changes, so one that was
/// read once is good for ever.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    loaded: Mutex<HashMap<String, Arc<Definition>>>,
    /// The active ones, as they were last read.
    active: Mutex<Option<Arc<ActiveSet>>>,
}

/// The active workflows: the digest of the version, and what it says.
pub(crate) type Active = Arc<[(String, Arc<Definition>)]>;

/// The active workflows, as they were when somebody looked.
#[derive(Debug)]
pub(crate) struct ActiveSet {
    /// The store's: another one where workflows were activated or deactivated
    /// since.
    stamp: u64,
    pub(crate) workflows: Active,
    /// Whether some start when a record enters a segment.
    watch_segments: bool,
}

impl ActiveSet {
    /// The store's stamp for it; a later one is higher.
    pub(crate) const fn stamp(&self) -> u64 {
        self.stamp
    }

    /// Whether an event may start something, move a record into a segment
    /// whose entering does, or be of a ticket whose clocks it may stop.
    pub(crate) fn may_answer(&self, kind: &HappeningKind) -> bool {
        let may_move = self.watch_segments
            && matches!(kind, HappeningKind::Change(change) if change.kind != ChangeKind::Deleted);
        may_move
            || service_levels::concerns(kind)
            || self.workflows.iter().any(|(_, definition)| may_match(definition, kind))
    }
}

/// What became of an activation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Activation {
    /// The workflow's name.
    pub workflow: String,
    /// The digest of the version, sha-256 in hexadecimal.
    pub version: String,
    /// Whether this very version was active already.
    pub unchanged: bool,
    /// What becomes of the runs that go on on an earlier version.
    #[serde(flatten)]
    pub older: OlderRuns,
}

/// A workflow as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct WorkflowRow {
    /// Its name.
    pub workflow: String,
    /// For people; empty where it is not active.
    pub title: String,
    /// The active version's digest; none where it is not active.
    pub version: Option<String>,
    /// Since when it is active, RFC 3339.
    pub active_since: Option<String>,
    /// How people and other programs start it.
    #[serde(flatten)]
    pub doors: Doors,
}

/// Objects whose external ids a workflow may name.
const NAMED: [&str; 5] = ["calendar", "queue", "segment", "survey", "team"];

impl App {
    /// Everything that a workflow may name in this company.
    ///
    /// # Errors
    ///
    /// [`AppError`] where a plugin does not load or the database fails.
    pub async fn catalog(&self) -> Result<Catalog, AppError> {
        let mut records = BTreeMap::new();
        for object in NAMED {
            let keys = self
                .records_all(object)
                .await?
                .iter()
                .filter_map(|record| record.field("external_id").as_text().map(str::to_owned))
                .collect();
            records.insert(object.to_owned(), keys);
        }
        let mut roles = BTreeSet::new();
        for user in self.records_all("user").await? {
            if let relata_model::Value::List(items) = user.field("roles") {
                roles.extend(items.iter().filter_map(|role| role.as_text().map(str::to_owned)));
            }
        }
        let active = self.active().await?;
        let workflows = active
            .iter()
            .map(|(_, definition)| (definition.name.clone(), definition.signature()))
            .collect();
        Ok(Catalog {
            objects: self.objects().clone(),
            actions: self.plugins().await?.signatures(),
            templates: Some(self.templates().names()),
            records,
            roles,
            workflows,
            blueprints: self.blueprints()?,
            secrets: Some(self.secret_names()?),
            ..Catalog::default()
        })
    }

    /// The blueprints among the files of the data directory, by name.
    fn blueprints(&self) -> Result<BTreeMap<String, (String, String)>, AppError> {
        let mut blueprints = BTreeMap::new();
        let folder = self.directory().workflows();
        if !folder.is_dir() {
            return Ok(blueprints);
        }
        for file in config::files(&folder, "yaml")? {
            // What cannot be read is told where somebody names it.
            let Ok(source) = std::fs::read_to_string(&file) else { continue };
            if let Some(Head::Blueprint(name)) = relata_workflow::head(&source) {
                blueprints.insert(name, (file.display().to_string(), source));
            }
        }
        Ok(blueprints)
    }

    /// Activates a workflow: from now on its triggers start runs of this
    /// version. `running` says what becomes of the runs that go on on an
    /// earlier one. Where that was broken off half-way, doing it again does
    /// the rest.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] with all diagnostics where the text has errors.
    pub async fn activate(
        &self,
        file: &str,
        source: &str,
        actor: &str,
        running: Running,
    ) -> Result<Activation, AppError> {
        let sources = [(file.to_owned(), source.to_owned())];
        let activated = self.activate_all(&sources, actor, running).await?.pop();
        activated.ok_or_else(|| {
            AppError::wrong(format!(
                "{file} is a blueprint, which is not activated itself; activate the workflows that are made of it"
            ))
        })
    }

    /// Activates workflows that may run each other, all at one moment.
    /// Blueprints among them are passed over. `sources` are file names and
    /// texts.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] with all diagnostics where one of the texts has
    /// errors; then none is activated.
    pub async fn activate_all(
        &self,
        sources: &[(String, String)],
        actor: &str,
        running: Running,
    ) -> Result<Vec<Activation>, AppError> {
        let checked = self.check(sources).await?;
        let mut wrong = String::new();
        for ((_, _, found), (_, source)) in checked.iter().zip(sources) {
            if found.iter().any(Diagnostic::is_error) {
                wrong.push_str(&relata_workflow::diagnostic::render(found, source, false));
            }
        }
        if !wrong.is_empty() {
            return Err(AppError::wrong(wrong));
        }
        let now = self.now();
        let active = self.active().await?;
        let mut versions = Vec::new();
        let mut activated = Vec::new();
        for ((_, definition, _), (_, source)) in checked.iter().zip(sources) {
            let Some(definition) = definition else { continue };
            let compiled = serde_json::to_string(definition)
                .map_err(|why| AppError::Fault(format!("a workflow does not serialize: {why}")))?;
            // The same text means something else when an action or object has
            // changed; so what was compiled is part of the version.
            let digest = hex(&Sha256::digest(format!("{source}\0{compiled}")));
            let name = definition.name.clone();
            let unchanged = active.iter().any(|(active, _)| *active == digest);
            if !unchanged {
                versions.push(relata_store::NewVersion {
                    name: name.clone(),
                    digest: digest.clone(),
                    source: source.clone(),
                    compiled,
                    schedules: schedules(definition, now),
                    actor: actor.to_owned(),
                });
            }
            activated.push((name, digest, unchanged));
        }
        if !versions.is_empty() {
            self.store()
                .write(move |tx| {
                    Box::pin(async move {
                        for version in &versions {
                            tx.workflow_activate(version, now).await?;
                        }
                        Ok::<_, StoreError>(())
                    })
                })
                .await?;
            self.segments_now().await?;
        }
        let mut activations = Vec::with_capacity(activated.len());
        for (workflow, version, unchanged) in activated {
            let older = self.older_runs(&workflow, &version, running).await?;
            activations.push(Activation { workflow, version, unchanged, older });
        }
        self.store().wake();
        Ok(activations)
    }

    /// Ends a workflow's triggers. Its runs go on.
    ///
    /// # Errors
    ///
    /// [`AppError::Wrong`] where no workflow of this name is active.
    pub async fn deactivate(&self, name: &str) -> Result<(), AppError> {
        let (wanted, now) = (name.to_owned(), self.now());
        let ended = self
            .store()
            .write(move |tx| Box::pin(async move { tx.workflow_deactivate(&wanted, now).await }))
            .await?;
        if ended {
            return Ok(());
        }
        let active = self.store().workflow_active().await?;
        let hint = relata_model::text::nearest(name, active.iter().map(|row| row.name.as_str()))
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        Err(AppError::wrong(format!("no workflow `{name}` is active{hint}")))
    }

    /// The workflows that are or were active, by name.
    ///
    /// # Errors
    ///
    /// [`AppError`] where the database fails.
    pub async fn workflows(&self) -> Result<Vec<WorkflowRow>, AppError> {
        let mut rows = Vec::new();
        for row in self.store().workflow_list().await? {
            let (title, doors) = match &row.active {
                Some(digest) => {
                    let definition = self.version(digest).await?;
                    (definition.title.clone(), Doors::of(&definition))
                }
                None => (String::new(), Doors::default()),
            };
            rows.push(WorkflowRow {
                workflow: row.name,
                title,
                active_since: row.active.as_ref().and(row.activated_at).map(|at| at.to_string()),
                version: row.active,
                doors,
            });
        }
        Ok(rows)
    }

    /// The active definitions. They are asked for several times a turn, so
    /// they are read anew only when one was activated or deactivated, by
    /// whatever program.
    pub(crate) async fn active(&self) -> Result<Active, AppError> {
        let stamp = self.store().workflow_stamp().await?;
        if let Some(set) = self.inner.versions.last_active().filter(|set| set.stamp == stamp) {
            return Ok(Arc::clone(&set.workflows));
        }
        let mut active = Vec::new();
        for row in self.store().workflow_active().await? {
            let definition = self.version(&row.digest).await?;
            active.push((row.digest, definition));
        }
        let workflows: Active = active.into();
        let set = ActiveSet {
            stamp,
            watch_segments: entered(&workflows).next().is_some(),
            workflows: Arc::clone(&workflows),
        };
        *self.inner.versions.active.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Arc::new(set));
        Ok(workflows)
    }

    /// The active workflows as they were last read, without a look at the
    /// store: whoever relies on them asks in the transaction whether they
    /// still are.
    pub(crate) async fn active_set(&self) -> Result<Arc<ActiveSet>, AppError> {
        loop {
            if let Some(set) = self.inner.versions.last_active() {
                return Ok(set);
            }
            Box::pin(self.active()).await?;
        }
    }

    /// A version by its digest.
    pub(crate) async fn version(&self, digest: &str) -> Result<Arc<Definition>, AppError> {
        let loaded = {
            let loaded = self.inner.versions.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            loaded.get(digest).cloned()
        };
        if let Some(definition) = loaded {
            return Ok(definition);
        }
        let version = Box::pin(self.store().workflow_version(digest))
            .await?
            .ok_or_else(|| AppError::Fault(format!("the workflow version {digest} is missing")))?;
        let definition: Definition = serde_json::from_str(&version.compiled).map_err(|why| {
            AppError::Fault(format!("the workflow version {digest} does not read: {why}"))
        })?;
        let definition = Arc::new(definition);
        self.inner
            .versions
            .loaded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(digest.to_owned(), Arc::clone(&definition));
        Ok(definition)
    }
}

/// The clocks of a workflow that goes live.
pub(crate) fn schedules(definition: &Definition, now: Timestamp) -> Vec<relata_store::NewSchedule> {
    definition
        .triggers
        .iter()
        .enumerate()
        .filter_map(|(number, trigger)| match trigger {
            Trigger::Schedule(schedule) => Some((number, schedule)),
            Trigger::Occurrence(_) | Trigger::Webhook(_) | Trigger::Button(_) => None,
        })
        .map(|(number, schedule)| relata_store::NewSchedule {
            trigger: u32::try_from(number).unwrap_or(u32::MAX),
            cron: schedule.cron.clone(),
            time_zone: schedule.time_zone.clone(),
            if_missed: schedule.if_missed,
            next_at: relata_workflow::next_fire(schedule, now),
        })
        .collect()
}

impl Versions {
    fn last_active(&self) -> Option<Arc<ActiveSet>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps a version at hand that is known already.
    pub(crate) fn keep(&self, digest: &str, definition: Arc<Definition>) {
        self.loaded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(digest.to_owned(), definition);
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! One case's company: its records, its active workflows and its clock.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use jiff::civil::DateTime;
use relata_channels::{MailConfig, Transport};
use relata_model::{
    Calendar, Duration, FieldType, Fields, Objects, RecordId, Reference, TimeZone, Timestamp, Value,
};
use relata_store::{Cause, NewVersion, Place, StoreConfig, Write};
use relata_workflow::{
    Definition, StepKind,
    test_file::{Given, Pretend, Pretended},
};
use sha2::{Digest, Sha256};
use uuid::Builder;

use crate::{
    App, AppError, Clock, Config, DataDirectory, Parts, SecretOverrides, activation, fresh,
    testing::{
        Rig,
        rig::{Crashes, by_id},
        stage::{Stage, open_store, seen},
        stand_in,
    },
};

/// Who does what a play says.
pub(crate) const ACTOR: &str = "test";

/// How often the host may go down in one case.
const MOST_CRASHES: usize = 10_000;

/// At how many moments something may be due on one way of the clock.
const MOST_STOPS: usize = 20_000;

/// The moment of which the ids of a test's records are: the same in every
/// case, wherever its clock stands.
const BEGINNING_MS: u64 = 1_767_225_600_000;

/// A workflow as a case activates it.
#[derive(Debug, Clone)]
pub(crate) struct Installed {
    pub(crate) definition: Arc<Definition>,
    compiled: Arc<str>,
    digest: Arc<str>,
    /// Only pretends, and only where a case says so.
    is_stand_in: bool,
}

impl Installed {
    /// A workflow, ready to be activated in many cases.
    pub(crate) fn of(definition: Definition) -> Result<Self, AppError> {
        let compiled = serde_json::to_string(&definition)
            .map_err(|why| AppError::Fault(format!("a workflow does not serialize: {why}")))?;
        let digest = activation::hex(&Sha256::digest(&compiled));
        Ok(Self {
            definition: Arc::new(definition),
            compiled: compiled.into(),
            digest: digest.into(),
            is_stand_in: false,
        })
    }

    /// What stands in for a workflow where a case says that it pretends.
    pub(crate) fn stand_in(definition: &Definition, objects: &Objects) -> Result<Self, AppError> {
        Ok(Self { is_stand_in: true, ..Self::of(stand_in::of(definition, objects)?)? })
    }

    /// The same, with splits that draw what a test wants.
    fn with_arms(&self, arms: &BTreeMap<&str, &str>) -> Result<Self, AppError> {
        let is_meant = |name: Option<&String>| name.and_then(|name| arms.get(name.as_str()));
        let has_any = self.definition.steps.iter().any(|step| {
            matches!(step.kind, StepKind::Split { .. }) && is_meant(step.name.as_ref()).is_some()
        });
        if !has_any {
            return Ok(self.clone());
        }
        let mut definition = Definition::clone(&self.definition);
        for step in &mut definition.steps {
            let Some(wanted) = is_meant(step.name.as_ref()) else { continue };
            if let StepKind::Split { arms } = &mut step.kind {
                arms.retain(|(arm, _)| arm == wanted);
                for (_, share) in arms {
                    *share = relata_model::Decimal::ONE;
                }
            }
        }
        Self::of(definition)
    }
}

/// What a case begins with.
pub(crate) struct Opening {
    pub(crate) zone: TimeZone,
    pub(crate) start: Timestamp,
    pub(crate) given: Vec<Given>,
    pub(crate) pretend: Vec<Pretend>,
    pub(crate) workflows: Vec<Installed>,
    pub(crate) crashes: Crashes,
    pub(crate) secrets: SecretOverrides,
}

/// One case's company.
pub(crate) struct Scene<'a> {
    stage: &'a Stage,
    zone: TimeZone,
    folder: PathBuf,
    clock: Clock,
    rig: Arc<Rig>,
    app: Option<App>,
    crashes: Crashes,
    secrets: SecretOverrides,
    /// How many records the test itself has made.
    made: u32,
}

impl<'a> Scene<'a> {
    /// Makes a company as a case begins with it.
    pub(crate) async fn open(stage: &'a Stage, opening: Opening) -> Result<Self, AppError> {
        let folder = stage.folder()?;
        let rig = Arc::new(Rig::default());
        for (alias, id) in &stage.seeds {
            rig.name(alias.clone(), id.clone());
        }
        let mut scene = Self {
            stage,
            zone: opening.zone,
            folder,
            clock: Clock::manual(opening.start),
            rig,
            app: None,
            crashes: Crashes::Never,
            secrets: opening.secrets,
            made: 0,
        };
        scene.app = Some(scene.host().await?);
        scene.give(opening.given).await?;
        scene.pretend(&opening.pretend);
        scene.activate(cast(opening.workflows, &opening.pretend)?).await?;
        scene.crashes = opening.crashes;
        scene.settle().await?;
        Ok(scene)
    }

    /// The host, as it is since it came up last.
    pub(crate) fn app(&self) -> Result<&App, AppError> {
        self.app.as_ref().ok_or_else(|| AppError::Fault("the host of a test is down".to_owned()))
    }

    /// What stands between the host and the world.
    pub(crate) fn rig(&self) -> &Rig {
        &self.rig
    }

    pub(crate) const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The records by what the test calls them, with their ids.
    pub(crate) fn names(&self) -> BTreeMap<Reference, Reference> {
        self.rig.names()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Starts a host on the company's database.
    async fn host(&self) -> Result<App, AppError> {
        let directory = DataDirectory::at(self.folder.clone());
        let config = StoreConfig {
            readers: 2,
            scratch: true,
            ..StoreConfig::at(Place::File(directory.database()))
        };
        let store = open_store(config, Arc::clone(&self.stage.objects)).await?;
        App::assemble(Parts {
            config: Config {
                company: self.stage.company.clone(),
                time_zone: self.zone.iana_name().unwrap_or("UTC").to_owned(),
                public_url: None,
                rehearsal: true,
                database: None,
                mail: MailConfig {
                    from: "Example Company <hello@example.com>".to_owned(),
                    reply_to: None,
                    domain: None,
                    attachment_max_mib: 25,
                    transport: Transport::Directory { path: "mail".into() },
                    inbox: None,
                },
                limits: Vec::new(),
                retention: None,
                plugins: crate::PluginsConfig::default(),
                http: relata_channels::HttpConfig::default(),
                traces: None,
            },
            directory,
            objects: Arc::clone(&self.stage.objects),
            templates: Arc::clone(&self.stage.templates),
            store,
            clock: self.clock.clone(),
            plugins: match &self.stage.plugins {
                Some(plugins) => crate::plugins::Slot::of(Arc::clone(plugins)),
                None => crate::plugins::Slot::default(),
            },
            secrets: self.secrets.clone(),
            lease: crate::several::LEASE,
            rig: Some(Arc::clone(&self.rig)),
        })
    }

    /// Ends the company.
    pub(crate) async fn close(mut self) {
        if let Some(app) = self.app.take() {
            app.close().await;
        }
        // What is left is removed with the stage's folder.
        let _ = std::fs::remove_dir_all(&self.folder);
    }

    /// Writes what is there before the story begins. Nothing comes of it.
    async fn give(&mut self, given: Vec<Given>) -> Result<(), AppError> {
        let mut writes = Vec::new();
        let mut waiting: Vec<(Reference, RecordId, Fields)> = Vec::new();
        for given in given {
            let Given { record: alias, fields, .. } = given;
            if self.stage.seeds.contains_key(&alias) {
                writes.push(Write::Update { reference: alias, fields, if_revision: None });
            } else {
                let id = self.id_of(&alias);
                waiting.push((alias, id, fields));
            }
        }
        let later = self.in_order(waiting, &mut writes);
        writes.extend(later);
        let names = self.names();
        for write in &mut writes {
            if let Write::Create { fields, .. } | Write::Update { fields, .. } = write {
                *fields = named_fields(fields, &names);
            }
        }
        let now = self.now();
        self.app()?
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    let cause = Cause::outside(ACTOR);
                    for write in writes {
                        tx.record_write(write, &cause, &mut fresh::source(now), now).await?;
                    }
                    seen(tx).await
                })
            })
            .await
    }

    /// Puts records into an order in which each comes after those that it
    /// leads to. Where they lead round in a circle, the rest is written
    /// afterwards: that is the answer.
    fn in_order(
        &self,
        mut waiting: Vec<(Reference, RecordId, Fields)>,
        writes: &mut Vec<Write>,
    ) -> Vec<Write> {
        let mut later = Vec::new();
        while !waiting.is_empty() {
            let missing: BTreeSet<Reference> =
                waiting.iter().map(|(alias, ..)| alias.clone()).collect();
            let leads_there = |value: &Value| {
                value.as_reference().is_some_and(|reference| missing.contains(reference))
            };
            let ready = waiting
                .iter()
                .position(|(_, _, fields)| !fields.values().any(leads_there))
                .unwrap_or_else(|| {
                    // What must not be empty cannot wait.
                    let optional = |object: &str, name: &str| {
                        let object = self.stage.objects.get(object);
                        object.and_then(|object| object.field(name)).is_some_and(|field| {
                            !field.required && matches!(field.kind, FieldType::Reference(_))
                        })
                    };
                    let place = waiting
                        .iter()
                        .position(|(alias, _, fields)| {
                            fields
                                .iter()
                                .filter(|(_, value)| leads_there(value))
                                .all(|(name, _)| optional(&alias.object, name))
                        })
                        .unwrap_or(0);
                    let (alias, _, fields) = &mut waiting[place];
                    let (rest, now): (Fields, Fields) = std::mem::take(fields)
                        .into_iter()
                        .partition(|(_, value)| leads_there(value));
                    *fields = now;
                    later.push(Write::Update {
                        reference: alias.clone(),
                        fields: rest,
                        if_revision: None,
                    });
                    place
                });
            let (alias, id, fields) = waiting.remove(ready);
            writes.push(create(&alias, id, fields));
        }
        later
    }

    /// The id of a record that the test names: always the same for the same
    /// place and name, so that what is drawn by it is drawn again.
    fn id_of(&mut self, alias: &Reference) -> RecordId {
        self.made += 1;
        let digest = Sha256::digest(alias.to_string());
        let mut bytes = [0; 10];
        bytes.copy_from_slice(&digest[..10]);
        // The order of the ids is that of the test.
        let [.., a, b] = self.made.to_be_bytes();
        (bytes[0], bytes[1]) = (a & 0x0f, b);
        let id = RecordId::from_uuid(
            Builder::from_unix_timestamp_millis(BEGINNING_MS, &bytes).into_uuid(),
        );
        self.rig.name(alias.clone(), Reference::new(&alias.object, id.to_string()));
        id
    }

    /// Says which actions pretend from now on.
    pub(crate) fn pretend(&self, pretend: &[Pretend]) {
        for pretend in pretend {
            match &pretend.what {
                Pretended::Action { action, answers } => self.rig.pretend(action, answers.clone()),
                Pretended::Workflow { workflow, answers } => {
                    self.rig.pretend(&stand_in::action(workflow), answers.clone());
                }
                Pretended::Arm { .. } => {}
            }
        }
    }

    async fn activate(&self, workflows: Vec<Installed>) -> Result<(), AppError> {
        let app = self.app()?;
        let now = self.now();
        let mut versions = Vec::new();
        for workflow in workflows {
            let digest = workflow.digest.to_string();
            app.inner.versions.keep(&digest, Arc::clone(&workflow.definition));
            versions.push(NewVersion {
                name: workflow.definition.name.clone(),
                digest,
                source: String::new(),
                compiled: workflow.compiled.to_string(),
                schedules: activation::schedules(&workflow.definition, now),
                actor: ACTOR.to_owned(),
            });
        }
        app.store()
            .write(move |tx| {
                Box::pin(async move {
                    for version in versions {
                        tx.workflow_activate(&version, now).await?;
                    }
                    Ok::<_, AppError>(())
                })
            })
            .await?;
        app.segments_now().await
    }

    /// Carries out a write of the test.
    pub(crate) async fn write(&mut self, write: Write) -> Result<Reference, AppError> {
        let names = self.names();
        let write = match write {
            Write::Create { object, id, fields } => {
                Write::Create { object, id, fields: named_fields(&fields, &names) }
            }
            Write::Update { reference, fields, if_revision } => Write::Update {
                reference: names.get(&reference).cloned().unwrap_or(reference),
                fields: named_fields(&fields, &names),
                if_revision,
            },
            Write::Delete { reference, if_revision } => Write::Delete {
                reference: names.get(&reference).cloned().unwrap_or(reference),
                if_revision,
            },
        };
        let now = self.now();
        let written = self
            .app()?
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    let cause = Cause::outside(ACTOR);
                    let written =
                        tx.record_write(write, &cause, &mut fresh::source(now), now).await?;
                    Ok::<_, AppError>(written)
                })
            })
            .await?;
        Ok(written.record.reference)
    }

    /// Makes a record that the test names.
    pub(crate) async fn create(
        &mut self,
        alias: &Reference,
        fields: &Fields,
    ) -> Result<(), AppError> {
        let id = self.id_of(alias);
        self.write(create(alias, id, fields.clone())).await.map(drop)
    }

    /// Does everything that is due now.
    pub(crate) async fn settle(&mut self) -> Result<(), AppError> {
        for _ in 0..MOST_CRASHES {
            let app = self.app()?.clone();
            if self.crashes == Crashes::Never {
                return app.settle_all().await;
            }
            self.rig.crash(self.crashes);
            let rig = Arc::clone(&self.rig);
            let settled = tokio::select! {
                settled = app.settle_all() => Some(settled),
                () = rig.down() => None,
            };
            self.rig.crash(Crashes::Never);
            drop(app);
            match settled {
                Some(settled) => return settled,
                None => self.come_back().await?,
            }
        }
        Err(AppError::Fault(format!("a test went down {MOST_CRASHES} times at one moment")))
    }

    /// The host goes down, and comes back with a clock that shows `at`.
    #[cfg(test)]
    pub(crate) async fn comes_back_at(&mut self, at: Timestamp) -> Result<(), AppError> {
        self.clock = Clock::manual(at);
        self.come_back().await
    }

    /// The host has gone down, and comes back on the same database.
    async fn come_back(&mut self) -> Result<(), AppError> {
        if let Some(app) = self.app.take() {
            let gone = Arc::downgrade(&app.inner);
            drop(app);
            // What the host had begun is dropped by other threads.
            while gone.strong_count() > 0 {
                tokio::task::yield_now().await;
            }
        }
        let app = self.host().await?;
        app.recover().await?;
        self.app = Some(app);
        Ok(())
    }

    /// Moves the clock to a time; everything that falls due on the way is done
    /// at its own moment.
    pub(crate) async fn advance(&mut self, to: Timestamp) -> Result<(), AppError> {
        self.settle().await?;
        for _ in 0..MOST_STOPS {
            let now = self.now();
            match self.app()?.next_due().await?.filter(|next| *next <= to) {
                Some(next) if next > now => self.clock.set(next),
                Some(next) => {
                    return Err(AppError::Fault(format!(
                        "something has been due since {next} and is not done"
                    )));
                }
                None => {
                    self.clock.set(to);
                    // What only time changes is looked at at every moment that
                    // is named.
                    self.app()?.segments_now().await?;
                    return self.settle().await;
                }
            }
            self.settle().await?;
        }
        Err(AppError::wrong(format!(
            "there was something to do at more than {MOST_STOPS} moments on the way"
        )))
    }

    /// A local time of the test.
    pub(crate) fn at(&self, local: DateTime) -> Result<Timestamp, AppError> {
        time_in(&self.zone, local)
    }

    /// So much later.
    pub(crate) fn after(&self, by: Duration) -> Result<Timestamp, AppError> {
        Calendar::always_open(self.zone.clone())
            .after(self.now(), by)
            .ok_or_else(|| AppError::wrong(format!("`{by}` from now is too far away")))
    }
}

/// A local time in a zone; in a gap of the clock change the first moment
/// after it.
pub(crate) fn time_in(zone: &TimeZone, local: DateTime) -> Result<Timestamp, AppError> {
    zone.to_ambiguous_timestamp(local)
        .compatible()
        .map_err(|_| AppError::wrong(format!("{local} is too far away")))
}

fn create(alias: &Reference, id: RecordId, mut fields: Fields) -> Write {
    fields.entry("external_id".to_owned()).or_insert_with(|| Value::Text(alias.key.clone()));
    Write::Create { object: alias.object.clone(), id, fields }
}

fn named_fields(fields: &Fields, names: &BTreeMap<Reference, Reference>) -> Fields {
    fields.iter().map(|(name, value)| (name.clone(), by_id(value, names))).collect()
}

/// The workflows as a case has them: with splits that draw what it wants, and
/// stand-ins for those that pretend. What is said last counts.
fn cast(workflows: Vec<Installed>, pretend: &[Pretend]) -> Result<Vec<Installed>, AppError> {
    let mut arms: BTreeMap<&str, &str> = BTreeMap::new();
    let mut pretending: BTreeMap<&str, bool> = BTreeMap::new();
    for pretend in pretend {
        match &pretend.what {
            Pretended::Arm { split, arm } => {
                arms.insert(split, arm);
            }
            Pretended::Workflow { workflow, answers } => {
                pretending.insert(workflow, !answers.is_empty());
            }
            Pretended::Action { .. } => {}
        }
    }
    workflows
        .iter()
        .filter(|workflow| {
            let pretends = pretending.get(workflow.definition.name.as_str());
            pretends.copied().unwrap_or(false) == workflow.is_stand_in
        })
        .map(|workflow| workflow.with_arms(&arms))
        .collect()
}

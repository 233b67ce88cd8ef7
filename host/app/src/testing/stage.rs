//! What all cases share: objects, templates and plugins are loaded once, and
//! the database that each case begins with is made once and copied.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use relata_model::{
    FieldType, Fields, Objects, Record, Reference, TimeZone, Timestamp, Value, seed,
};
use relata_sandbox::Plugin;
use relata_store::{Cause, DatabaseUrl, Place, Store, StoreConfig, Write};
use relata_workflow::Catalog;
use tempfile::TempDir;

use crate::{
    App, AppError, Opening, Plugins, Templates, check::zone_alone, fresh, plugins::signatures_of,
};

/// Objects of which a test has what the company has: what workflows name by
/// their external ids.
const SHARED: [&str; 5] = ["calendar", "queue", "segment", "survey", "team"];

/// Where tests take objects, templates, calendars and the like from.
#[derive(Debug, Clone)]
pub enum Ground {
    /// From a data directory. Of its records a test has the calendars,
    /// queues, segments, surveys and teams, and no others.
    Company {
        /// The directory.
        root: PathBuf,
        /// The database, if another than its settings name.
        database: Option<DatabaseUrl>,
    },
    /// From what is shipped, with the templates of a folder.
    Shipped {
        /// The folder, if there is one.
        templates: Option<PathBuf>,
    },
}

/// What all cases share.
pub(crate) struct Stage {
    pub(crate) objects: Arc<Objects>,
    pub(crate) templates: Arc<Templates>,
    /// None where a plugin is tested by itself.
    pub(crate) plugins: Option<Arc<Plugins>>,
    pub(crate) catalog: Catalog,
    pub(crate) zone: TimeZone,
    pub(crate) company: String,
    /// The database with which each case begins.
    database: Vec<u8>,
    /// The ids of the records in it, by external id.
    pub(crate) seeds: BTreeMap<Reference, Reference>,
    folder: TempDir,
    folders: AtomicUsize,
}

impl Stage {
    /// Loads everything, and makes the database with which each case begins.
    pub(crate) async fn set_up(ground: &Ground) -> Result<Self, AppError> {
        Self::of(match ground {
            Ground::Company { root, database } => company(root, database.clone(), None).await?,
            Ground::Shipped { templates } => shipped(templates.as_deref()).await?,
        })
        .await
    }

    /// The same for tests of one plugin, which sees no others.
    pub(crate) async fn set_up_for(ground: &Ground, plugin: &Plugin) -> Result<Self, AppError> {
        Self::of(match ground {
            Ground::Company { root, database } => {
                company(root, database.clone(), Some(plugin)).await?
            }
            Ground::Shipped { templates } => shipped_for(templates.as_deref(), plugin)?,
        })
        .await
    }

    async fn of(props: Props) -> Result<Self, AppError> {
        let folder = tempfile::tempdir().map_err(unwritable)?;
        let path = folder.path().join("first.db");
        let config =
            StoreConfig { readers: 1, scratch: true, ..StoreConfig::at(Place::File(path.clone())) };
        let store = open_store(config, Arc::clone(&props.objects)).await?;
        let seeds = fill(&store, props.records).await?;
        store.close().await;
        let database = std::fs::read(&path).map_err(unwritable)?;
        Ok(Self {
            objects: props.objects,
            templates: props.templates,
            plugins: props.plugins,
            catalog: props.catalog,
            zone: props.zone,
            company: props.company,
            database,
            seeds,
            folder,
            folders: AtomicUsize::new(0),
        })
    }

    /// A folder of its own for a case, with the database.
    pub(crate) fn folder(&self) -> Result<PathBuf, AppError> {
        let number = self.folders.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.path().join(number.to_string());
        std::fs::create_dir(&folder).map_err(unwritable)?;
        std::fs::write(folder.join("relata.db"), &self.database).map_err(unwritable)?;
        Ok(folder)
    }
}

fn unwritable(why: std::io::Error) -> AppError {
    AppError::wrong(format!("a test needs a folder for temporary files, and has none: {why}"))
}

/// What a stage is made of.
struct Props {
    objects: Arc<Objects>,
    templates: Arc<Templates>,
    plugins: Option<Arc<Plugins>>,
    catalog: Catalog,
    zone: TimeZone,
    company: String,
    /// What there is in every case.
    records: Vec<(String, Fields)>,
}

/// `only` is the plugin that is tested by itself.
async fn company(
    root: &Path,
    database: Option<DatabaseUrl>,
    only: Option<&Plugin>,
) -> Result<Props, AppError> {
    let app = App::open_with(root, Opening { database, ..Opening::default() }).await?;
    let mut records = Vec::new();
    for object in SHARED {
        for record in app.records_all(object).await? {
            if let Some(fields) = shared(app.objects(), &record) {
                records.push((object.to_owned(), fields));
            }
        }
    }
    let (plugins, catalog) = match only {
        None => (Some(app.plugins().await?), app.catalog().await?),
        Some(plugin) => (None, catalog_of(plugin, app.objects(), app.templates(), &records)),
    };
    let inner = &app.inner;
    let props = Props {
        objects: Arc::clone(&inner.objects),
        templates: Arc::clone(&inner.templates),
        plugins,
        catalog,
        zone: app.zone(),
        company: app.config().company.clone(),
        records,
    };
    app.close().await;
    Ok(props)
}

/// What the tests of one plugin may name.
fn catalog_of(
    plugin: &Plugin,
    objects: &Objects,
    templates: &Templates,
    records: &[(String, Fields)],
) -> Catalog {
    Catalog {
        objects: objects.clone(),
        actions: signatures_of(plugin).collect(),
        templates: Some(templates.names()),
        records: keys_of(records),
        ..Catalog::default()
    }
}

/// The external ids of records, by object.
fn keys_of(records: &[(String, Fields)]) -> BTreeMap<String, BTreeSet<String>> {
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (object, fields) in records {
        if let Some(key) = fields.get("external_id").and_then(Value::as_text) {
            keys.entry(object.clone()).or_default().insert(key.to_owned());
        }
    }
    keys
}

/// What a test has of a company's record: its fields, less what leads to
/// records that the test does not have. None for a record without a name.
fn shared(objects: &Objects, record: &Record) -> Option<Fields> {
    record.field("external_id").as_text()?;
    let definition = objects.get(&record.reference.object)?;
    let fields = record
        .fields
        .iter()
        .filter(|(name, value)| {
            definition.field(name).is_some_and(|field| {
                !field.read_only
                    && !matches!(field.kind, FieldType::Reference(_))
                    && !value.is_nothing()
            })
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Some(fields)
}

async fn shipped(templates: Option<&Path>) -> Result<Props, AppError> {
    let plugins = Plugins::load(None).await?;
    let objects = Objects::standard();
    let loaded = match templates {
        Some(folder) => Templates::load(folder)?,
        None => Templates::none(),
    };
    let records = seeds(&objects)?;
    let catalog = Catalog {
        objects: objects.clone(),
        actions: plugins.signatures(),
        templates: templates.map(|_| loaded.names()),
        records: keys_of(&records),
        ..Catalog::default()
    };
    let plugins = Some(Arc::new(plugins));
    Ok(alone(objects, loaded, plugins, catalog, records))
}

/// What a plugin's author has: everything that a new data directory has, and
/// the templates of a folder.
fn shipped_for(templates: Option<&Path>, plugin: &Plugin) -> Result<Props, AppError> {
    let objects = Objects::standard();
    let mut loaded = Templates::shipped().map_err(AppError::Fault)?;
    if let Some(folder) = templates {
        loaded.add_folder(folder)?;
    }
    let records = seeds(&objects)?;
    let catalog = catalog_of(plugin, &objects, &loaded, &records);
    Ok(alone(objects, loaded, None, catalog, records))
}

fn alone(
    objects: Objects,
    templates: Templates,
    plugins: Option<Arc<Plugins>>,
    catalog: Catalog,
    records: Vec<(String, Fields)>,
) -> Props {
    Props {
        objects: Arc::new(objects),
        templates: Arc::new(templates),
        plugins,
        catalog,
        zone: zone_alone(),
        company: "Example Company".to_owned(),
        records,
    }
}

/// The records of every new data directory.
fn seeds(objects: &Objects) -> Result<Vec<(String, Fields)>, AppError> {
    let mut records = Vec::new();
    for (object, json) in seed::records() {
        let mut fields = Fields::new();
        for (name, value) in json {
            let field = objects.get(object).and_then(|object| object.field(&name));
            let read = match field {
                Some(field) => field
                    .kind
                    .read(&value)
                    .map_err(|why| AppError::Fault(format!("a shipped {object}.{name} {why}")))?,
                None => Value::from_json(&value),
            };
            fields.insert(name, read);
        }
        records.push((object.to_owned(), fields));
    }
    Ok(records)
}

/// Writes what there is in every case, and marks it as seen.
async fn fill(
    store: &Store,
    records: Vec<(String, Fields)>,
) -> Result<BTreeMap<Reference, Reference>, AppError> {
    let now = Timestamp::UNIX_EPOCH;
    store
        .write(move |tx| {
            Box::pin(async move {
                let mut seeds = BTreeMap::new();
                let cause = Cause::outside("test");
                for (object, fields) in records {
                    let key = fields.get("external_id").and_then(Value::as_text).map(str::to_owned);
                    let id = fresh::record_id(now);
                    let write = Write::Create { object: object.clone(), id, fields };
                    let written =
                        tx.record_write(write, &cause, &mut fresh::source(now), now).await?;
                    if let Some(key) = key {
                        seeds.insert(Reference::new(object, key), written.record.reference);
                    }
                }
                seen(tx).await?;
                Ok::<_, AppError>(seeds)
            })
        })
        .await
}

/// Opens a store on a thread of its own: sqlx's migrations are bound to the one
/// on which they run.
pub(crate) async fn open_store(
    config: StoreConfig,
    objects: Arc<Objects>,
) -> Result<Store, AppError> {
    let runtime = tokio::runtime::Handle::current();
    let opening =
        tokio::task::spawn_blocking(move || runtime.block_on(Store::open(&config, objects)));
    let opened = opening.await.map_err(|why| AppError::Fault(why.to_string()))?;
    Ok(opened?)
}

/// Marks all that has happened as seen: nothing comes of it.
pub(crate) async fn seen(tx: &mut relata_store::Tx) -> Result<(), AppError> {
    let pending: Vec<_> =
        tx.event_pending(u32::MAX).await?.into_iter().map(|happening| happening.id).collect();
    tx.event_settle(&pending).await?;
    Ok(())
}
